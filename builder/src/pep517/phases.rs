//! `[phases]` as shell scripts: which fragments run, in which order, with
//! which variables.
//!
//! Knows nixpkgs' phase names. Must never know what a recipe means beyond
//! them.
//!
//! All fragments of one action are sourced by **one** `sh -e`, so that what a
//! fragment exports or where it changes to holds for what comes after it,
//! the backend included, as in nixpkgs. Variables: `$src` the unpacked source,
//! `$out` the folder to install into, `$dist` where wheels lie, `$pname`,
//! `$version`, `$CORES`. The name of the running phase is kept in a file, so
//! that a failure can name it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use recipes::recipe::{Phase, Phases};

use super::{BUILD, SOURCE, below};
use crate::exec::action::{Action, HostView, Input, Level, Limits};
use crate::key::TreeDigest;
use crate::tree::RelPath;
use crate::wheel::SCRIPTS_DIR;

/// The file that names the running phase, below the build folder.
pub const RUNNING: &str = "job/phase";

/// The key of a phase in `[phases]`.
pub fn name(phase: Phase) -> &'static str {
    Phase::ALL.iter().find(|(p, _)| *p == phase).map_or("", |(_, name)| name)
}

/// One thing a script does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A fragment of `[phases]`, skipped when the recipe has none.
    Phase(Phase),
    /// A shell line of ours and the word that names it in messages.
    Ours(&'static str, String),
}

/// The files of an action that runs `parts` with `sh -e /build/job/run.sh`;
/// empty when the recipe has none of the fragments.
pub fn script(phases: &Phases, parts: &[Part]) -> BTreeMap<RelPath, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut text = String::from("mkdir -p \"$TMPDIR\" \"$HOME\" \"$out\" \"$dist\"\numask 022\nset -e\n");
    for part in parts {
        let (label, line) = match part {
            Part::Phase(phase) => {
                let Some(fragment) = phases.get(phase) else { continue };
                let file = format!("job/{}.sh", name(*phase));
                files.insert(below(&file), ended(fragment));
                (name(*phase), format!(". \"$NIX_BUILD_TOP/{file}\""))
            }
            Part::Ours(label, line) => (*label, line.clone()),
        };
        let _ = writeln!(text, "echo {label} > \"$NIX_BUILD_TOP/job/phase\"\necho 'phase: {label}'\n{line}");
    }
    if files.is_empty() {
        return files;
    }
    text.push_str("echo done > \"$NIX_BUILD_TOP/job/phase\"\n");
    files.insert(below("job/run.sh"), text.into_bytes());
    files
}

fn ended(fragment: &str) -> Vec<u8> {
    let mut bytes = fragment.as_bytes().to_vec();
    if !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    bytes
}

/// The command line that runs what [`script`] wrote.
pub fn shell_argv() -> Vec<String> {
    ["/bin/sh", "-e", "/build/job/run.sh"].map(str::to_owned).to_vec()
}

/// What is being packaged, for variables and messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The name as the recipe writes it.
    pub pname: String,
    /// The version's text.
    pub version: String,
    /// Cores the action may use; never in a key.
    pub cores: u32,
}

/// The variables every action made here has: fixed places, locale, time zone.
pub fn base_env(subject: &Subject, epoch: u64) -> BTreeMap<String, String> {
    let cores = subject.cores.max(1).to_string();
    let pairs = [
        ("PATH", "/env/bin:/usr/bin:/bin"),
        ("HOME", "/build/home"),
        ("TMPDIR", "/build/tmp"),
        ("NIX_BUILD_TOP", BUILD),
        ("src", SOURCE),
        ("out", "/build/out"),
        ("dist", "/build/dist"),
        ("pname", &subject.pname),
        ("version", &subject.version),
        ("CORES", &cores),
        ("NIX_BUILD_CORES", &cores),
        ("SOURCE_DATE_EPOCH", &epoch.to_string()),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("TERM", "dumb"),
        ("NO_COLOR", "1"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONNOUSERSITE", "1"),
    ];
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Those of [`base_env`] whose values are one build's own.
pub const OF_ONE: [&str; 5] = ["pname", "version", "CORES", "NIX_BUILD_CORES", "SOURCE_DATE_EPOCH"];

/// What the actions that only run fragments need.
#[derive(Clone, Debug)]
pub struct PhaseSpec {
    /// For people.
    pub label: String,
    /// Variables.
    pub subject: Subject,
    /// The tree at `/build/src`.
    pub source: TreeDigest,
    /// SOURCE_DATE_EPOCH.
    pub epoch: u64,
    /// `[phases]`.
    pub phases: Phases,
    /// Other inputs by cell path (`/env` and what it links to).
    pub inputs: BTreeMap<String, Input>,
    /// Read-only host paths (the interpreter).
    pub host_paths: Vec<PathBuf>,
    /// Whether a compiler was declared.
    pub compiler: bool,
    /// The isolation asked for.
    pub level: Level,
    /// Bounds.
    pub limits: Limits,
}

impl PhaseSpec {
    fn action(&self, parts: &[Part], output: &str) -> Option<Action> {
        let files = script(&self.phases, parts);
        if files.is_empty() {
            return None;
        }
        Some(Action {
            argv: shell_argv(),
            env: base_env(&self.subject, self.epoch),
            inputs: self.inputs.clone(),
            host_paths: self.host_paths.clone(),
            view: view(self.compiler),
            source: Some(self.source),
            epoch: self.epoch,
            files,
            cwd: SOURCE.to_owned(),
            outputs: vec![below(output), below(RUNNING)],
            level: self.level,
            limits: self.limits.clone(),
            label: self.label.clone(),
            warm: None,
        })
    }
}

/// The view of the host that goes with a declaration of a compiler.
pub fn view(compiler: bool) -> HostView {
    if compiler { HostView::Toolchain } else { HostView::Minimal }
}

/// The source fragments that run before the recipe's patches, if any; the
/// output is the tree `src`.
pub fn before_patches(spec: &PhaseSpec) -> Option<Action> {
    spec.action(&[Part::Phase(Phase::PostUnpack), Part::Phase(Phase::PrePatch)], "src")
}

/// The source fragment that runs after the recipe's patches, if any; the
/// output is the tree `src`.
pub fn after_patches(spec: &PhaseSpec) -> Option<Action> {
    spec.action(&[Part::Phase(Phase::PostPatch)], "src")
}

/// The install fragments of a recipe that makes a wheel, if any. The installed
/// wheel is the input at `installed` (a cell path); it is copied, writable, to
/// `$out` after `pre-install`, its scripts to `$out/bin`, where a fragment
/// looks for them; the output is the tree `out`.
pub fn install_action(spec: &PhaseSpec, installed: &str) -> Option<Action> {
    let scripts = format!("\"$out/{SCRIPTS_DIR}\"");
    let copy = format!(
        "cp -R \"$installed/.\" \"$out\"\nchmod -R u+w \"$out\"\n\
         mkdir -p \"$out/bin\"\n\
         if [ -d {scripts} ]; then mv {scripts}/* \"$out/bin\"; rmdir {scripts}; fi"
    );
    let parts = [
        Part::Phase(Phase::PreInstall),
        Part::Ours("unpack", copy),
        Part::Phase(Phase::Install),
        Part::Phase(Phase::PostInstall),
    ];
    spec.action(&parts, "out").map(|mut action| {
        // In the environment, so that an executor without mounts can move it.
        action.env.insert("installed".to_owned(), installed.to_owned());
        action
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fragments_that_exist_are_run() {
        let phases = Phases::from([
            (Phase::PostPatch, "sed -i s/a/b/ x".to_owned()),
            (Phase::PreInstall, "echo hi\n".to_owned()),
        ]);
        let files = script(&phases, &[Part::Phase(Phase::PrePatch), Part::Phase(Phase::PostPatch)]);
        let names: Vec<&str> = files.keys().map(RelPath::as_str).collect();
        assert_eq!(names, ["job/post-patch.sh", "job/run.sh"]);
        expect_test::expect![[r#"
            mkdir -p "$TMPDIR" "$HOME" "$out" "$dist"
            umask 022
            set -e
            echo post-patch > "$NIX_BUILD_TOP/job/phase"
            echo 'phase: post-patch'
            . "$NIX_BUILD_TOP/job/post-patch.sh"
            echo done > "$NIX_BUILD_TOP/job/phase"
        "#]]
        .assert_eq(std::str::from_utf8(&files[&below("job/run.sh")]).unwrap());
        assert!(script(&phases, &[Part::Phase(Phase::Check)]).is_empty());
    }
}
