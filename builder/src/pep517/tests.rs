//! The embedded programs, run by every CPython that is here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use recipes::recipe::{Build, Format, Phase, Phases};

use super::phases::Subject;
use super::*;
use crate::exec::action::{Action, ActionResult, Exit, Level};
use crate::key::{Digest, TreeDigest};

/// Every CPython from 3.8 on, by its own path.
pub(crate) fn pythons() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for minor in 8..=14 {
        found.push(PathBuf::from(format!("/usr/bin/python3.{minor}")));
        let versions = Path::new(env!("HOME")).join(".pyenv/versions");
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(versions).into_iter().flatten().flatten().map(|e| e.path()).collect();
        entries.sort();
        found.extend(entries.iter().map(|e| e.join(format!("bin/python3.{minor}"))));
    }
    found.retain(|p| p.exists());
    if found.is_empty() {
        found.push(PathBuf::from("/usr/bin/python3"));
    }
    found
}

/// One of them, for cases that do not depend on the version.
pub(crate) fn one_python() -> PathBuf {
    pythons().pop().expect("there is a python")
}

/// A build folder: an environment of `python`, a source, and a way to run an
/// action there as the executor would without isolation.
pub(crate) struct Place {
    root: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new(python: &Path) -> Self {
        let place = Self { root: tempfile::tempdir().unwrap() };
        let home = python.parent().unwrap().display();
        place.write("env/pyvenv.cfg", &format!("home = {home}\ninclude-system-site-packages = false\n"));
        std::fs::create_dir_all(place.path("env/bin")).unwrap();
        std::fs::create_dir_all(place.path("build/src")).unwrap();
        std::os::unix::fs::symlink(python, place.path("env/bin/python")).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn site(&self, python: &Path) -> String {
        let name = python.file_name().unwrap().to_str().unwrap();
        format!("env/lib/{name}/site-packages")
    }

    fn moved(&self, text: &str) -> String {
        let root = self.root.path().display();
        text.replace("/build", &format!("{root}/build")).replace("/env", &format!("{root}/env"))
    }

    /// Runs the action and collects its outputs by moving them.
    pub(crate) fn run(&self, action: &Action) -> ActionResult {
        for (name, bytes) in &action.files {
            let path = name.under(&self.path("build"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let argv: Vec<String> = action.argv.iter().map(|a| self.moved(a)).collect();
        let output = Command::new(&argv[0])
            .args(&argv[1..])
            .env_clear()
            .envs(action.env.iter().map(|(k, v)| (k, self.moved(v))))
            .current_dir(self.moved(&action.cwd))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let outputs = tempfile::tempdir().unwrap();
        let mut missing = Vec::new();
        for name in &action.outputs {
            let to = name.under(outputs.path());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            if let Err(e) = std::fs::rename(name.under(&self.path("build")), to) {
                missing.push((name.clone(), e.to_string()));
            }
        }
        ActionResult {
            exit: Exit::Code(output.status.code().unwrap_or(-1)),
            outputs,
            missing,
            log: [output.stdout, output.stderr].concat(),
            log_dropped: 0,
            took: Duration::ZERO,
            peak_memory: None,
            warmth: crate::exec::action::Warmth::Cold,
            level: Level::Env,
            kept: None,
        }
    }
}

pub(crate) fn spec() -> BuildSpec {
    BuildSpec {
        label: "demo 1.0".into(),
        subject: Subject { pname: "demo".into(), version: "1.0".into(), cores: 2 },
        format: Format::Pyproject,
        source: TreeDigest(Digest::of(b"x")),
        subdirectory: String::new(),
        epoch: 315_532_800,
        inputs: BTreeMap::new(),
        host_paths: Vec::new(),
        cflags: String::new(),
        compiler: false,
        pretend_version: false,
        jobserver: None,
        build: Build::default(),
        phases: Phases::new(),
        level: Level::Env,
        warm: None,
        more: false,
        report_modules: false,
    }
}

const PYPROJECT: &str =
    "[build-system]\nrequires = [\"toy\"] # no such\nbuild-backend = \"toy\"\nbackend-path = [\".\"]\n";

const WHEEL: &str = r#"
import os
def build_wheel(directory, config_settings=None, metadata_directory=None):
    open(os.path.join(directory, "demo-1.0-py3-none-any.whl"), "w").close()
    print("config", config_settings)
    return "demo-1.0-py3-none-any.whl"
"#;

fn build_with(python: &Path, backend: &str, spec: &BuildSpec) -> (Result<Answer, Refusal>, String) {
    let place = Place::new(python);
    place.write("build/src/pyproject.toml", PYPROJECT);
    place.write("build/src/toy.py", backend);
    let result = place.run(&build_action(spec));
    (read_answer(&result), String::from_utf8_lossy(&result.log).into_owned())
}

fn refusal(backend: &str) -> (Refusal, String) {
    let (answer, log) = build_with(&one_python(), backend, &spec());
    (answer.unwrap_err(), log)
}

#[test]
fn an_in_tree_backend_builds_on_every_python() {
    let mut spec = spec();
    spec.build.config_settings.insert("one".into(), vec!["1".into()]);
    spec.build.config_settings.insert("two".into(), vec!["1".into(), "2".into()]);
    for python in pythons() {
        let (answer, log) = build_with(&python, WHEEL, &spec);
        let answer = answer.unwrap_or_else(|e| panic!("{}: {e:?}\n{log}", python.display()));
        assert_eq!(answer.wheel.as_str(), "dist/demo-1.0-py3-none-any.whl");
        assert_eq!(answer.backend, "toy");
        assert!(log.contains("config {'one': '1', 'two': ['1', '2']}"), "{log}");
    }
}

#[test]
fn the_wheel_alone_is_not_compressed_on_every_python() {
    // As setuptools, flit and the others open it; then something else that is zipped.
    let backend = r#"
import os, tempfile, zipfile
def fill(file):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("small"), b"x" * 5000, zipfile.ZIP_DEFLATED)
        archive.writestr("large", b"x" * 2000000)
    with zipfile.ZipFile(file) as archive:
        small, large = archive.infolist()
        assert archive.read("small") == b"x" * 5000 and archive.testzip() is None
        return small.compress_size >= 5000, large.compress_size > 100000
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "demo-1.0-py3-none-any.whl"
    print("plain", fill(os.path.join(directory, name)))
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=directory) as inner:
        print("inner", fill(os.path.join(inner, name)))
    for where in (directory, None):
        fd, path = tempfile.mkstemp(suffix=".whl", dir=where)
        with open(fd, "w+b") as file:
            print("temporary", fill(file))
    with open(tempfile.mkstemp(suffix=".zip")[0], "w+b") as file:
        print("other", fill(file))
    print("other", fill("data.zip"), fill("data.whl"))
    return name
"#;
    for python in pythons() {
        let (answer, log) = build_with(&python, backend, &spec());
        answer.unwrap_or_else(|e| panic!("{}: {e:?}\n{log}", python.display()));
        let fast = "(True, False)";
        let other = "other (False, False)";
        let said = format!(
            "plain {fast}\ninner {fast}\ntemporary {fast}\ntemporary {fast}\n{other}\n{other} (False, False)\n"
        );
        assert_eq!(log, said, "{}", python.display());
    }
}

#[test]
fn what_distributions_tell_is_read_once_where_nobody_writes() {
    // Of the environment and of the source, which a backend may write to.
    let backend = r#"
import importlib.metadata, os
def entry_points():
    found = [found for one in importlib.metadata.distributions() for found in one.entry_points]
    return sorted(found.name for found in found if found.group == "toys")
def change(folder, old, new):
    path = os.path.join(folder, "entry_points.txt")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace(old, new))
def build_wheel(directory, config_settings=None, metadata_directory=None):
    print("first", entry_points())
    [one] = importlib.metadata.distributions(name="kept")
    if isinstance(one.entry_points, list):
        one.entry_points.clear()
    change(one._path, "inside", "changed")
    change("own-1.0.dist-info", "outside", "changed")
    print("then", entry_points(), [found.name for found in one.entry_points])
    open(os.path.join(directory, "demo-1.0-py3-none-any.whl"), "w").close()
    return "demo-1.0-py3-none-any.whl"
"#;
    for python in pythons() {
        let place = Place::new(&python);
        place.write("build/src/pyproject.toml", PYPROJECT);
        place.write("build/src/toy.py", backend);
        for (folder, name, point) in
            [(place.site(&python), "kept", "inside"), ("build/src".to_owned(), "own", "outside")]
        {
            let info = format!("{folder}/{name}-1.0.dist-info");
            place.write(
                &format!("{info}/METADATA"),
                &format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"),
            );
            place.write(&format!("{info}/entry_points.txt"), &format!("[toys]\n{point} = toy\n"));
        }
        let result = place.run(&build_action(&spec()));
        let log = String::from_utf8_lossy(&result.log).into_owned();
        assert_eq!(
            log,
            "first ['inside', 'outside']\nthen ['changed', 'inside'] ['inside']\n",
            "{}",
            python.display()
        );
    }
}

#[test]
fn a_build_ends_as_an_interpreter_does_on_every_python() {
    let late = "\
import atexit, gc, threading, time
print('import', gc.isenabled())
class Made:
    def __del__(self): print('taken apart')
kept = Made()
def later():
    threading.main_thread().join()
    print('thread')
atexit.register(print, 'exit')
atexit.register(lambda: 1 // 0)
threading.Thread(target=later).start()
";
    let wheel = WHEEL.replace("print(", "print('build', gc.isenabled())\n    print(");
    for python in pythons() {
        let (answer, log) = build_with(&python, &format!("{late}{wheel}"), &spec());
        answer.unwrap_or_else(|e| panic!("{}: {e:?}\n{log}", python.display()));
        let said: Vec<&str> =
            log.lines().filter(|l| !l.starts_with("config") && !l.starts_with(' ')).collect();
        assert_eq!(said[..4], ["import False", "build True", "thread", "exit"], "{}", python.display());
        assert!(log.contains("ZeroDivisionError") && !log.contains("taken apart"), "{log}");
    }
}

#[test]
fn a_backend_that_raises_is_quoted_without_our_frames() {
    let (refusal, log) = refusal("def build_wheel(*a):\n    raise ValueError('no\\nmore')\n");
    let Refusal::Raised { hook, exception, message, module } = &refusal else { panic!("{refusal:?}") };
    assert_eq!(
        (hook.as_str(), exception.as_str(), message.as_str()),
        ("build_wheel", "ValueError", "no\nmore")
    );
    assert_eq!(module, &None);
    assert!(log.contains("toy.py") && !log.contains("runner.py"), "{log}");
    assert_eq!(refusal.message(), "`build_wheel` raised ValueError: no");
}

#[test]
fn a_backend_that_leaves_is_an_exception_too() {
    let (leaves, _) = refusal("import sys\ndef build_wheel(*a):\n    sys.exit('gcc is not here')\n");
    assert_eq!(leaves.message(), "`build_wheel` raised SystemExit: gcc is not here");
    let (dies, _) = refusal("import os\ndef build_wheel(*a):\n    os._exit(0)\n");
    assert_eq!(dies, Refusal::Died(Exit::Code(0)));
}

#[test]
fn a_backend_whose_words_are_no_text_is_told_all_the_same() {
    let odd = "class Odd(Exception):\n    def __str__(self): raise ValueError('no')\n";
    let (silent, _) = refusal(&format!("{odd}def build_wheel(*a): raise Odd\n"));
    assert_eq!(silent.message(), "`build_wheel` raised Odd: (it has no text that can be shown)");
    let (lone, _) = refusal("def build_wheel(*a): raise ValueError('a\\udcffb\\U0001f600')\n");
    assert_eq!(lone.message(), "`build_wheel` raised ValueError: a\\udcffb\u{1f600}");
}

#[test]
fn a_missing_module_is_named_with_the_line_to_add() {
    let (inner, _) = refusal("import setuptools_scm\ndef build_wheel(*a): pass\n");
    assert_eq!(inner.group(), "missing-module:setuptools_scm");
    assert_eq!(inner.hints(), ["add \"setuptools-scm\" to `build-system`"]);
    let place = Place::new(&one_python());
    place.write(
        "build/src/pyproject.toml",
        "[build-system]\nbuild-backend = 'hatchling.build'\nrequires = []\n",
    );
    let outer = read_answer(&place.run(&build_action(&spec()))).unwrap_err();
    assert_eq!(outer.message(), "the backend `hatchling.build` cannot be imported");
    assert_eq!(outer.hints(), ["add \"hatchling\" to `build-system`"]);
}

#[test]
fn hooks_and_wheels_that_are_not_there() {
    assert_eq!(refusal("x = 1\n").0.message(), "the backend `toy` has no `build_wheel`");
    let (named, _) = refusal("def build_wheel(*a): return 'a-1-py3-none-any.whl'\n");
    assert_eq!(named.message(), "`build_wheel` named `a-1-py3-none-any.whl`, which it did not write");
    let (odd, _) = refusal("def build_wheel(*a): return '../a.whl'\n");
    assert_eq!(odd.group(), "wheel-missing");
}

#[test]
fn the_named_wheel_of_two_is_taken() {
    let two = WHEEL.replace(
        "    print",
        "    open(os.path.join(directory, 'b-1-py3-none-any.whl'), 'w').close()\n    print",
    );
    let (answer, _) = build_with(&one_python(), &two, &spec());
    assert_eq!(answer.unwrap().wheel.as_str(), "dist/demo-1.0-py3-none-any.whl");
}

#[test]
fn what_the_backend_asks_for_is_checked_on_every_python() {
    let asks = format!(
        "{WHEEL}\ndef get_requires_for_build_wheel(c):\n    return ['Has_It>=1', 'has-it[x]', 'old>=2; python_version>\"3\"', \
         'none ; extra == \"x\"', 'gone (>1)', 'never; sys_platform == \"win32\"']\n"
    );
    for python in pythons() {
        let place = Place::new(&python);
        place.write("build/src/pyproject.toml", PYPROJECT);
        place.write("build/src/toy.py", &asks);
        let site = place.site(&python);
        let metadata = "Name: has-it\nRequires-Dist: deep; extra == 'X'\nRequires-Dist: flat\n\nRequires-Dist: body; extra == 'x'\n";
        place.write(&format!("{site}/has_it-1.4.dist-info/METADATA"), metadata);
        place.write(&format!("{site}/old-1.9.dist-info/METADATA"), "Name: old\n");
        let refusal = read_answer(&place.run(&build_action(&spec()))).unwrap_err();
        assert_eq!(
            refusal.message(),
            "the build backend asks for what `build-system` does not give: `deep`, `old>=2` (1.9 is there), `gone (>1)`",
            "{}",
            python.display()
        );
        assert_eq!(refusal.hints()[2], "add \"gone (>1)\" to `build-system`");
        place.write(&format!("{site}/old-2.0.dist-info/METADATA"), "Name: old\n");
    }
}

#[test]
fn a_source_without_anything_to_build() {
    let place = Place::new(&one_python());
    let refusal = read_answer(&place.run(&build_action(&spec()))).unwrap_err();
    assert_eq!(refusal, Refusal::NoBackend);
    place.write("build/src/setup.py", "");
    let refusal = read_answer(&place.run(&build_action(&spec()))).unwrap_err();
    assert_eq!(refusal.group(), "backend-missing:setuptools.build_meta:__legacy__");
}

#[test]
fn a_wrong_pyproject_is_said_on_every_python() {
    for (text, part) in [
        ("[build-system\n", "cannot be read"),
        ("[build-system]\nrequires = 'x'\n", "not one of strings"),
        ("[build-system]\nbuild-backend='x'\nbackend-path=['..']\n", "leaves the source"),
    ] {
        for python in pythons() {
            let place = Place::new(&python);
            place.write("build/src/pyproject.toml", text);
            match read_answer(&place.run(&build_action(&spec()))) {
                Err(Refusal::BadPyproject(why)) => assert!(why.contains(part), "{why}"),
                other => panic!("{}: {other:?}", python.display()),
            }
        }
    }
}

#[test]
fn phases_run_in_one_shell_and_a_failing_one_is_named() {
    let mut spec = spec();
    spec.phases.insert(Phase::PreBuild, "export CHOICE=from-the-phase; cd sub".into());
    spec.phases.insert(Phase::PostBuild, "ls \"$dist\"".into());
    let place = Place::new(&one_python());
    place.write("build/src/sub/pyproject.toml", PYPROJECT);
    place.write("build/src/sub/toy.py", &format!("{WHEEL}    \nprint(os.environ['CHOICE'])\n"));
    let result = place.run(&build_action(&spec));
    let log = String::from_utf8_lossy(&result.log).into_owned();
    assert!(log.contains("from-the-phase") && log.contains("demo-1.0-py3-none-any.whl"), "{log}");
    read_answer(&result).unwrap();
    spec.phases.insert(Phase::PostBuild, "false".into());
    let refusal = read_answer(&place.run(&build_action(&spec))).unwrap_err();
    assert_eq!(refusal.message(), "the `post-build` phase failed");
}

#[test]
fn a_build_phase_takes_the_runners_place() {
    let mut spec = spec();
    spec.phases.insert(Phase::Build, "echo x > \"$dist/$pname-$version-py3-none-any.whl\"".into());
    let place = Place::new(&one_python());
    let answer = read_answer(&place.run(&build_action(&spec))).unwrap();
    assert_eq!(answer.wheel.as_str(), "dist/demo-1.0-py3-none-any.whl");
    spec.format = Format::Other;
    spec.phases.insert(Phase::Install, "mkdir $out/lib; cp -R $dist $out/lib".into());
    let result = place.run(&build_action(&spec));
    assert_eq!(answer::failed_phase(&result), None);
    assert!(result.outputs.path().join("out/lib/dist/demo-1.0-py3-none-any.whl").is_file());
}

#[test]
fn temporary_names_are_the_same_each_time() {
    let names = format!("{WHEEL}\nimport tempfile\nprint(os.path.basename(tempfile.mkdtemp()))\n");
    for python in pythons() {
        let (_, log) = build_with(&python, &names, &spec());
        assert!(log.contains("tmpww000000"), "{}: {log}", python.display());
    }
}

/// Runs a Python program beside our modules.
fn ask(python: &Path, program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pep517");
    for name in ["requirements", "toml", "fork_server", "sample"] {
        let to = folder.path().join(format!("wheelwright_{name}.py"));
        std::fs::copy(here.join(format!("{name}.py")), to).unwrap();
    }
    std::fs::write(folder.path().join("program.py"), program).unwrap();
    let output =
        Command::new(python).arg("-B").arg(folder.path().join("program.py")).env_clear().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn specifiers_mean_what_they_mean_in_rust() {
    use std::str::FromStr as _;
    let versions = [
        "1",
        "1.0",
        "1.0.0",
        "0.9",
        "1.1",
        "2.0rc1",
        "2.0",
        "1.0.post1",
        "1.0.dev1",
        "1.0a1",
        "1.0a1.dev2",
        "1.0b2",
        "1.0+local",
        "1.0+local.2",
        "1!1.0",
        "1.0.post1.dev3",
        "1.10",
        "3.11.4",
    ];
    let mut specifiers: Vec<String> =
        ["==1.*", "!=1.*", "==1.0.*", "~=1.0", "~=1.0.0", ">=1,<2", "==1.0.0.*"].map(str::to_owned).to_vec();
    for version in versions {
        for operator in ["==", "!=", "<", "<=", ">", ">="] {
            let local = version.contains('+') && !["==", "!="].contains(&operator);
            // pep440_rs differs from `packaging` in `1.0.dev1 < 1.0a1` and `< 1!1.0`; ours is as `packaging`.
            let quirk =
                ["<", ">"].contains(&operator) && version.contains(|c: char| c.is_alphabetic() || c == '!');
            if !local && !quirk {
                specifiers.push(format!("{operator}{version}"));
            }
        }
    }
    let program = format!(
        "import wheelwright_requirements as r\nfor v in {versions:?}:\n for s in {specifiers:?}:\n  print(int(r.contains(s, v)), end='')\n"
    );
    let got = ask(&one_python(), &program);
    let mut wanted = String::new();
    for version in versions {
        for specifier in &specifiers {
            let specifiers = pep440_rs::VersionSpecifiers::from_str(specifier).unwrap();
            let version = pep440_rs::Version::from_str(version).unwrap();
            wanted.push(if specifiers.contains(&version) { '1' } else { '0' });
        }
    }
    for (i, (g, w)) in got.chars().zip(wanted.chars()).enumerate() {
        let (v, s) = (versions[i / specifiers.len()], &specifiers[i % specifiers.len()]);
        assert_eq!(g, w, "{v} in {s}");
    }
    assert_eq!(got.len(), wanted.len());
}

#[test]
fn markers_mean_what_they_mean_in_rust() {
    let markers = [
        "python_version >= '3.9'",
        "python_version < '3.10' and sys_platform == 'linux'",
        "python_version in '3.9 3.10' or os_name == \"nt\"",
        "(python_full_version >= '3.11.2' or extra == 'x') and platform_system != 'Windows'",
        "extra == 'Some_Extra'",
        "extra != 'x'",
        "implementation_name == 'cpython' and python_version == '3.*'",
        "python_version ~= '3.8'",
        "platform_machine in 'x86_64 aarch64'",
        "'linux' in sys_platform",
        "'win' not in sys_platform and not_here == 'x'",
        "python_version > '3.10' or python_version < '3.10' and platform_python_implementation == 'PyPy'",
        "sys.platform == 'linux'",
    ];
    let variables = serde_json::json!({
        "implementation_name": "cpython", "implementation_version": "3.11.4", "os_name": "posix",
        "platform_machine": "x86_64", "platform_python_implementation": "CPython", "platform_release": "6.1",
        "platform_system": "Linux", "platform_version": "#1", "python_full_version": "3.11.4",
        "python_version": "3.11", "sys_platform": "linux",
    });
    let program = format!(
        "import json, wheelwright_requirements as r\nv = dict(json.loads({:?}), extra='')\nfor m in {markers:?}:\n \
         try: print(r.Marker(m, v).whole())\n except r.Unreadable: print('unreadable')\n",
        variables.to_string()
    );
    let environment: pep508_rs::MarkerEnvironment = serde_json::from_value(variables).unwrap();
    let got = ask(&one_python(), &program);
    for (marker, got) in markers.iter().zip(got.lines()) {
        let wanted = match marker.parse::<pep508_rs::MarkerTree>() {
            Ok(tree) if tree.evaluate(&environment, &[]) => "True",
            Ok(_) => "False",
            Err(_) => "unreadable",
        };
        assert_eq!(got, wanted, "{marker}");
    }
    assert_eq!(got.lines().count(), markers.len());
}

#[test]
fn the_small_toml_reader_reads_as_tomllib_does() {
    let text = "a = 1 # c\r\n\"b c\" = '''\r\nx'''\nd.e = [ 'f', \"g\\u00e9\\t\", # h\n]\n[[t]]\nx = { y = \"]\", z = [{}] }\n[[t]]\n[t.u]\nv = 1979-05-27 07:32:00\nw = \"\"\"\\\n   q\"\" \"\"\"\n[build-system]\nrequires = []\n";
    let program = format!("import json, wheelwright_toml as t\nprint(json.dumps(t.loads({text:?})))\n");
    for python in pythons() {
        let got: serde_json::Value = serde_json::from_str(&ask(&python, &program)).unwrap();
        let wanted = serde_json::json!({
            "a": "1", "b c": "x", "d": {"e": ["f", "gé\t"]},
            "t": [{"x": {"y": "]", "z": [{}]}}, {"u": {"v": "1979-05-27 07:32:00", "w": "q\"\" "}}],
            "build-system": {"requires": []},
        });
        assert_eq!(got, wanted, "{}", python.display());
    }
}

mod check;
mod warm;
