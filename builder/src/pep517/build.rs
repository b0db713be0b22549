//! The action that builds one source: PEP 517 in one process, or the phases of
//! a `format = "other"` recipe.
//!
//! Knows the build environment's variables and flags. Must never look at the
//! disk; what an action needs to know of the interpreter is in [`BuildSpec`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use recipes::recipe::{Build, Format, Phase, Phases};
use serde_json::json;

use super::code::{ByteCode, RUNNER};
use super::phases::{self, Part, Subject};
use super::warm::{self, Preload};
use super::{SOURCE, below};
use crate::exec::action::{Action, Input, Level, Limits};
use crate::key::TreeDigest;

/// Everything that decides a build.
#[derive(Clone, Debug)]
pub struct BuildSpec {
    /// For people.
    pub label: String,
    /// Name, version, cores.
    pub subject: Subject,
    /// `pyproject` or `other`; a prebuilt wheel is never built.
    pub format: Format,
    /// The source tree after patches.
    pub source: TreeDigest,
    /// The project's folder in it; empty for its top.
    pub subdirectory: String,
    /// SOURCE_DATE_EPOCH, seconds.
    pub epoch: u64,
    /// Cell path -> input: `/env` (the build environment) and what it links to.
    pub inputs: BTreeMap<String, Input>,
    /// Read-only host paths: the interpreter.
    pub host_paths: Vec<PathBuf>,
    /// The interpreter's own CFLAGS, for a build system that would take them;
    /// empty for one that brings flags ([`recipes::recipe::Recipe::brings_flags`]).
    pub cflags: String,
    /// Whether `[external]` declares a compiler.
    pub compiler: bool,
    /// The source is a git commit or a folder, not an archive with its version
    /// written in it: version-from-VCS backends are told the recipe's.
    pub pretend_version: bool,
    /// What MAKEFLAGS says beside the number of cores, when make and its like
    /// share a jobserver (`--jobserver-auth=fifo:PATH`, a cell path). GNU make
    /// before 4.4 *stops* at a fifo: only for a host whose make knows it.
    pub jobserver: Option<String>,
    /// `[build]`.
    pub build: Build,
    /// `[phases]`.
    pub phases: Phases,
    /// The isolation asked for.
    pub level: Level,
    /// Byte code of our own programs, for the interpreter of this build.
    pub code: ByteCode,
    /// What a warm server has loaded, when one may run this.
    pub warm: Option<Preload>,
    /// Whether other builds in the same environment are still to come.
    pub more: bool,
    /// Whether the answer says which modules were imported.
    pub report_modules: bool,
}

/// The action that builds `spec`. Outputs, below the build folder: `dist` with
/// the raw wheel (`out`, a tree, for `format = "other"`), `job/answer.json`,
/// `job/phase`; [`super::read_answer`] reads them.
///
/// Without build phases the runner is the process; with them a shell runs
/// `pre-build`, the runner (or the `build` phase in its place) and
/// `post-build`. `format = "other"` runs `pre-build build post-build
/// pre-install install post-install`.
pub fn build_action(spec: &BuildSpec) -> Action {
    let other = spec.format == Format::Other;
    let (mut env, mut own) = (common_env(spec), own_env(spec));
    if !warm::is_plain(spec) {
        env.append(&mut own);
    }
    let mut files = phases::script(&spec.phases, &parts(spec));
    let argv = match (files.is_empty(), other) {
        (false, _) => phases::shell_argv(),
        (true, false) => runner_argv(),
        (true, true) => nothing_argv(),
    };
    let outputs = if other {
        vec![below("out"), below(phases::RUNNING)]
    } else {
        files.extend(spec.code.files(&RUNNER));
        files.insert(below("job/spec.json"), runner_spec(spec, &own));
        vec![below("dist"), below(super::answer::FILE), below(phases::RUNNING)]
    };
    Action {
        argv,
        env,
        inputs: spec.inputs.clone(),
        host_paths: spec.host_paths.clone(),
        view: phases::view(spec.compiler),
        source: Some(spec.source),
        epoch: spec.epoch,
        files,
        cwd: folder(&spec.subdirectory),
        outputs,
        level: spec.level,
        limits: limits(&spec.build, Limits::default()),
        label: spec.label.clone(),
        warm: spec.warm.as_ref().map(|preload| warm::server(preload, &spec.code, spec.more)),
    }
}

/// The cell path of a project's folder.
pub(super) fn folder(subdirectory: &str) -> String {
    if subdirectory.is_empty() { SOURCE.to_owned() } else { format!("{SOURCE}/{subdirectory}") }
}

pub(super) fn runner_argv() -> Vec<String> {
    ["/env/bin/python", "/build/job/runner.py", "/build/job/spec.json"].map(str::to_owned).to_vec()
}

fn nothing_argv() -> Vec<String> {
    ["/bin/sh", "-c", "echo 'error: the recipe has no phases' >&2; exit 1"].map(str::to_owned).to_vec()
}

fn parts(spec: &BuildSpec) -> Vec<Part> {
    let mut parts = vec![Part::Phase(Phase::PreBuild)];
    if spec.format == Format::Other || spec.phases.contains_key(&Phase::Build) {
        parts.push(Part::Phase(Phase::Build));
    } else {
        // By way of PATH: an executor without mounts rewrites variables, not files.
        let line = "python \"$NIX_BUILD_TOP/job/runner.py\" \"$NIX_BUILD_TOP/job/spec.json\"";
        parts.push(Part::Ours("build", line.to_owned()));
    }
    parts.push(Part::Phase(Phase::PostBuild));
    if spec.format == Format::Other {
        parts.extend([Phase::PreInstall, Phase::Install, Phase::PostInstall].map(Part::Phase));
    }
    parts
}

/// Whether the runner is the whole of the action.
pub(super) fn has_no_phases(spec: &BuildSpec) -> bool {
    phases::script(&spec.phases, &parts(spec)).is_empty()
}

/// `own` is set by the runner, once the backend is imported.
fn runner_spec(spec: &BuildSpec, own: &BTreeMap<String, String>) -> Vec<u8> {
    let build = &spec.build;
    let spec = json!({
        "wheel_dir": "dist",
        "answer": super::answer::FILE,
        "backend": build.backend,
        "backend_path": build.backend_path,
        "config_settings": build.config_settings,
        "env": own,
        "report_modules": spec.report_modules,
    });
    spec.to_string().into_bytes()
}

/// The bounds of an action: the usual ones, but where the recipe says else.
/// Who may take long may be silent as long.
pub fn limits(build: &Build, usual: Limits) -> Limits {
    let mut limits = usual;
    if let Some(seconds) = build.timeout {
        limits.timeout = Duration::from_secs(seconds);
        limits.silence = limits.silence.max(limits.timeout);
    }
    if let Some(bytes) = build.memory {
        limits.memory = bytes;
    }
    limits
}

/// The variables that every build has, with the same values.
fn common_env(spec: &BuildSpec) -> BTreeMap<String, String> {
    let mut env = phases::base_env(&spec.subject, spec.epoch);
    env.retain(|name, _| !phases::OF_ONE.contains(&name.as_str()));
    // What would reach for the network gets a plain answer at once.
    for (name, value) in [
        ("PIP_NO_INDEX", "1"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("CARGO_NET_OFFLINE", "true"),
        ("CCACHE_DISABLE", "1"),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    env
}

/// The variables of this build.
fn own_env(spec: &BuildSpec) -> BTreeMap<String, String> {
    let mut env = phases::base_env(&spec.subject, spec.epoch);
    env.retain(|name, _| phases::OF_ONE.contains(&name.as_str()));
    let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
    let cores = spec.subject.cores.max(1).to_string();
    // Every build tool has its own word for "so many at once".
    let shared = spec.jobserver.iter().map(|auth| format!(" {auth}")).collect::<String>();
    set("MAKEFLAGS", &format!("-j{cores}{shared}"));
    for name in ["NPY_NUM_BUILD_JOBS", "MAX_JOBS", "CARGO_BUILD_JOBS"] {
        set(name, &cores);
    }
    // Makes cmake say `-jN` to make and ninja, which turns the jobserver off.
    if spec.jobserver.is_none() {
        set("CMAKE_BUILD_PARALLEL_LEVEL", &cores);
    }
    if spec.pretend_version {
        let version = &spec.subject.version;
        for name in PRETEND {
            set(name, version);
        }
        set("POETRY_DYNAMIC_VERSIONING_BYPASS", version);
    }
    if spec.compiler {
        let own = compiler_flags(&spec.cflags);
        set("CFLAGS", &own);
        set("CXXFLAGS", &own);
        set("FFLAGS", &EXTRA_FLAGS.join(" "));
    }
    env.extend(spec.build.env.clone());
    env
}

/// Variables by which backends that ask a VCS for the version are told it:
/// setuptools-scm and hatch-vcs, vcs-versioning, pdm-backend, pbr.
const PRETEND: [&str; 4] = [
    "SETUPTOOLS_SCM_PRETEND_VERSION",
    "VCS_VERSIONING_PRETEND_VERSION",
    "PDM_BUILD_SCM_VERSION",
    "PBR_VERSION",
];

/// No debug information, and no fixed path in what is left. The longest
/// prefix stands last: compilers take the last one that fits.
const EXTRA_FLAGS: [&str; 4] =
    ["-g0", "-ffile-prefix-map=/env=env", "-ffile-prefix-map=/build=build", "-ffile-prefix-map=/build/src=."];

/// The interpreter's own flags and ours. setuptools (until 75) takes CFLAGS
/// *instead of* the interpreter's, so ours alone would lose its `-O2`.
pub fn compiler_flags(own: &str) -> String {
    own.split_whitespace().chain(EXTRA_FLAGS).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Digest;

    fn spec() -> BuildSpec {
        BuildSpec {
            label: "demo 1.0".into(),
            subject: Subject { pname: "demo".into(), version: "1.0".into(), cores: 2 },
            format: Format::Pyproject,
            source: TreeDigest(Digest::of(b"x")),
            subdirectory: String::new(),
            epoch: 315_532_800,
            inputs: BTreeMap::new(),
            host_paths: Vec::new(),
            cflags: "-Wall -g  -O2".into(),
            compiler: false,
            pretend_version: false,
            jobserver: None,
            build: Build::default(),
            phases: Phases::new(),
            level: Level::Full,
            warm: None,
            more: false,
            code: ByteCode::default(),
            report_modules: false,
        }
    }

    /// The variables that the runner sets once the backend is imported.
    fn later(action: &Action) -> BTreeMap<String, String> {
        let spec: serde_json::Value = serde_json::from_slice(&action.files[&below("job/spec.json")]).unwrap();
        serde_json::from_value(spec["env"].clone()).unwrap()
    }

    #[test]
    fn a_plain_build_is_the_runner_and_nothing_else() {
        let action = build_action(&spec());
        assert_eq!(action.argv, ["/env/bin/python", "/build/job/runner.py", "/build/job/spec.json"]);
        assert_eq!(action.cwd, "/build/src");
        let outputs: Vec<&str> = action.outputs.iter().map(|p| p.as_str()).collect();
        assert_eq!(outputs, ["dist", "job/answer.json", "job/phase"]);
        let text = |env: &BTreeMap<String, String>| {
            env.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("\n")
        };
        expect_test::expect![[r#"
            CARGO_NET_OFFLINE=true
            CCACHE_DISABLE=1
            HOME=/build/home
            LC_ALL=C.UTF-8
            NIX_BUILD_TOP=/build
            NO_COLOR=1
            PATH=/env/bin:/usr/bin:/bin
            PIP_DISABLE_PIP_VERSION_CHECK=1
            PIP_NO_INDEX=1
            PYTHONDONTWRITEBYTECODE=1
            PYTHONHASHSEED=0
            PYTHONNOUSERSITE=1
            TERM=dumb
            TMPDIR=/build/tmp
            TZ=UTC
            dist=/build/dist
            out=/build/out
            src=/build/src"#]]
        .assert_eq(&text(&action.env));
        expect_test::expect![[r#"
            CARGO_BUILD_JOBS=2
            CMAKE_BUILD_PARALLEL_LEVEL=2
            CORES=2
            MAKEFLAGS=-j2
            MAX_JOBS=2
            NIX_BUILD_CORES=2
            NPY_NUM_BUILD_JOBS=2
            SOURCE_DATE_EPOCH=315532800
            pname=demo
            version=1.0"#]]
        .assert_eq(&text(&later(&action)));
    }

    #[test]
    fn a_jobserver_is_told_to_make_and_not_overruled() {
        let mut spec = spec();
        spec.jobserver = Some("--jobserver-auth=fifo:/s/jobserver".into());
        let action = build_action(&spec);
        assert_eq!(later(&action)["MAKEFLAGS"], "-j2 --jobserver-auth=fifo:/s/jobserver");
        assert!(!later(&action).contains_key("CMAKE_BUILD_PARALLEL_LEVEL"));
    }

    #[test]
    fn a_declared_compiler_brings_flags_and_the_toolchain() {
        let mut spec = spec();
        spec.compiler = true;
        spec.build.env.insert("FFLAGS".into(), "-O1".into());
        let action = build_action(&spec);
        assert_eq!(action.view, crate::exec::action::HostView::Toolchain);
        expect_test::expect!["-Wall -g -O2 -g0 -ffile-prefix-map=/env=env -ffile-prefix-map=/build=build -ffile-prefix-map=/build/src=."].assert_eq(&action.env["CFLAGS"]);
        assert_eq!(action.env["FFLAGS"], "-O1", "the recipe has the last word");
    }

    #[test]
    fn where_paths_are_rewritten_all_variables_are_there_from_the_start() {
        let mut spec = spec();
        spec.level = Level::Landlock;
        let action = build_action(&spec);
        assert_eq!(action.env["pname"], "demo");
        assert!(later(&action).is_empty());
    }

    #[test]
    fn phases_wrap_the_runner_in_one_shell() {
        let mut spec = spec();
        spec.phases.insert(Phase::PreBuild, "export A=1".into());
        spec.subdirectory = "python".into();
        let action = build_action(&spec);
        assert_eq!(action.argv, ["/bin/sh", "-e", "/build/job/run.sh"]);
        assert_eq!(action.cwd, "/build/src/python");
        let script = String::from_utf8(action.files[&below("job/run.sh")].clone()).unwrap();
        assert!(script.contains("python \"$NIX_BUILD_TOP/job/runner.py\""), "{script}");
    }

    #[test]
    fn other_runs_build_and_install() {
        let mut spec = spec();
        spec.format = Format::Other;
        spec.phases.insert(Phase::Install, "cp x $out".into());
        let action = build_action(&spec);
        let outputs: Vec<&str> = action.outputs.iter().map(|p| p.as_str()).collect();
        assert_eq!(outputs, ["out", "job/phase"]);
        assert!(!action.files.contains_key(&below("job/runner.py")));
    }

    #[test]
    fn backends_that_ask_a_vcs_are_told_the_version() {
        let mut spec = spec();
        spec.pretend_version = true;
        let env = later(&build_action(&spec));
        assert_eq!(env["SETUPTOOLS_SCM_PRETEND_VERSION"], "1.0");
        assert_eq!(env["PBR_VERSION"], "1.0");
        assert_eq!(env["PDM_BUILD_SCM_VERSION"], "1.0");
    }

    #[test]
    fn who_may_take_long_may_be_silent_as_long() {
        let usual = Limits { timeout: Duration::from_secs(3600), ..Limits::default() };
        let of = |timeout| {
            let made = limits(&Build { timeout, memory: Some(7), ..Build::default() }, usual.clone());
            (made.timeout.as_secs(), made.silence.as_secs(), made.memory)
        };
        assert_eq!(of(None), (3600, usual.silence.as_secs(), 7));
        assert_eq!(of(Some(60)), (60, usual.silence.as_secs(), 7));
        assert_eq!(of(Some(7200)), (7200, 7200, 7));
    }
}
