//! The check programs, run for real.

use std::collections::BTreeMap;

use recipes::diag::{Place as TextPlace, SourceFile};
use recipes::recipe::{Check, Phase, Phases, Runner};

use super::super::phases::Subject;
use super::{Place, one_python, pythons};
use crate::exec::action::{ActionResult, Exit, HostView, Level, Limits};
use crate::key::{Digest, TreeDigest};
use crate::pep517::*;

fn spec() -> CheckSpec {
    CheckSpec {
        label: "demo 1.0".into(),
        subject: Subject { pname: "demo".into(), version: "1.0".into(), cores: 1 },
        epoch: 315_532_800,
        inputs: BTreeMap::new(),
        host_paths: Vec::new(),
        view: HostView::Minimal,
        level: Level::Env,
        limits: Limits::default(),
    }
}

fn check(runner: Runner) -> Check {
    Check {
        enable_said: true,
        enable: true,
        imports: None,
        runner,
        inputs: Vec::new(),
        flags: Vec::new(),
        enabled_tests: Vec::new(),
        disabled_tests: Vec::new(),
        enabled_paths: Vec::new(),
        disabled_paths: Vec::new(),
        marks: Vec::new(),
    }
}

fn tests(check: Check) -> Tests {
    Tests {
        source: TreeDigest(Digest::of(b"x")),
        subdirectory: String::new(),
        names: vec!["demo".into()],
        check,
        phases: Phases::new(),
    }
}

fn path(text: &str) -> (String, TextPlace) {
    let file = std::sync::Arc::new(SourceFile { path: "a.toml".into(), text: String::new() });
    (text.to_owned(), TextPlace { file, span: 0..0 })
}

/// Runs the tests and reads what came of them.
fn run(place: &Place, tests: &Tests) -> (ActionResult, Result<Passed, CheckFailure>) {
    let result = place.run(&test_action(&spec(), tests).unwrap());
    let read = read_tests(&result, &tests.check.runner);
    (result, read)
}

fn read(place: &Place, tests: &Tests) -> Result<Passed, CheckFailure> {
    let (result, read) = run(place, tests);
    println!("{}", log(&result));
    read
}

fn log(result: &ActionResult) -> String {
    String::from_utf8_lossy(&result.log).into_owned()
}

/// An installed `demo` with a module the source lacks, and a source whose flat
/// layout would hide it.
fn flat(python: &std::path::Path) -> Place {
    let place = Place::new(python);
    let site = place.site(python);
    place.write(&format!("{site}/demo/__init__.py"), "WHERE = 'installed'\n");
    place.write(&format!("{site}/demo/compiled.py"), "x = 1\n");
    place.write("build/src/demo/__init__.py", "WHERE = 'source'\n");
    place.write("build/src/demo/tests/__init__.py", "");
    place.write(
        "build/src/demo/tests/test_inner.py",
        "import unittest\nfrom .. import WHERE, compiled\nclass T(unittest.TestCase):\n    def test_inner(self): self.assertEqual(WHERE, 'installed')\n",
    );
    place.write("build/src/tests/__init__.py", "");
    place.write("build/src/tests/util.py", "");
    place.write(
        "build/src/tests/test_outer.py",
        "import sys, unittest\nsys.path.insert(0, '.')\nimport demo, demo.compiled, tests.util\nclass T(unittest.TestCase):\n    def test_outer(self): self.assertEqual(demo.WHERE, 'installed')\n    def test_bad(self): self.fail('no')\n",
    );
    place
}

#[test]
fn unittest_tests_the_installed_package_on_every_python() {
    for python in pythons() {
        let place = flat(&python);
        let mut check = check(Runner::Unittest);
        check.disabled_tests.push("test_bad".into());
        let (result, read) = run(&place, &tests(check));
        let passed = read.unwrap_or_else(|e| panic!("{}: {e:?}\n{}", python.display(), log(&result)));
        assert_eq!(passed.passed, 2, "{}", log(&result));
    }
}

#[test]
fn failing_tests_are_named() {
    let place = flat(&one_python());
    let failure = read(&place, &tests(check(Runner::Unittest))).unwrap_err();
    assert_eq!(failure.message(), "1 test failed (2 passed): tests.test_outer.T.test_bad");
}

#[test]
fn paths_choose_tests_and_must_match_something() {
    let python = one_python();
    let mut check = check(Runner::Unittest);
    check.disabled_paths.push(path("tests"));
    let place = flat(&python);
    assert_eq!(read(&place, &tests(check.clone())).unwrap().passed, 1);
    check.disabled_paths = vec![path("tests/test_non*.py"), path("tests/test_outer.py")];
    let failure = read(&place, &tests(check.clone())).unwrap_err();
    assert_eq!(failure.message(), "`check.disabled-paths` matches nothing in the source: tests/test_non*.py");
    check.disabled_paths.clear();
    check.enabled_paths = vec![path("tests/test_o*.py")];
    check.enabled_tests = vec!["test_outer.T.test_outer".into()];
    assert_eq!(read(&place, &tests(check.clone())).unwrap().passed, 1);
    check.enabled_tests = vec!["nothing".into()];
    let failure = read(&place, &tests(check)).unwrap_err();
    assert_eq!(failure, CheckFailure::NoTests("unittest found no test to run".into()));
}

/// Stands for pytest where none is installed: shows its arguments.
const FAKE_PYTEST: &str = "
def hookimpl(**options): return lambda function: function
def main(arguments, plugins):
    print('got', arguments)
    class Report: failed, skipped, when, nodeid = False, False, 'call', 'a'
    plugins[0].pytest_runtest_logreport(Report)
    return 0
";

#[test]
fn pytest_gets_what_the_recipe_says() {
    let python = one_python();
    let place = flat(&python);
    place.write(&format!("{}/pytest.py", place.site(&python)), FAKE_PYTEST);
    let mut check = check(Runner::Pytest);
    check.flags = ["-x", "-k", "slow or fast"].map(str::to_owned).to_vec();
    check.enabled_tests = vec!["test_a".into()];
    check.disabled_tests = ["test_b[1-2]", "test c", "not"].map(str::to_owned).to_vec();
    check.enabled_paths = vec![path("tests/*.py::T")];
    check.disabled_paths = vec![path("demo"), path("tests/test_outer.py::T::test_bad")];
    check.marks = ["not slow".into(), "a or b".into()].to_vec();
    let (result, read) = run(&place, &tests(check));
    let log = log(&result);
    let got = log.lines().find_map(|l| l.strip_prefix("got ")).unwrap_or_else(|| panic!("{log}"));
    let got = got.replace(&place.path("build").canonicalize().unwrap().display().to_string(), "/build");
    expect_test::expect![[r#"
        ['-p'
        'wheelwright_pytest'
        '-o'
        'cache_dir=/build/tmp/pytest-cache'
        '--rootdir=/build/src'
        '-k'
        '(slow or fast) and (test_a) and not (test_b[1-2])'
        '-m'
        '(not slow) and (a or b)'
        '--ignore=demo'
        '--deselect=tests/test_outer.py::T::test_bad'
        '-x'
        'tests/__init__.py::T'
        'tests/test_outer.py::T'
        'tests/util.py::T']"#]]
    .assert_eq(&got.replace("', '", "'\n'"));
    assert_eq!(read.unwrap().passed, 1);
}

#[test]
fn a_missing_runner_is_said() {
    let place = flat(&one_python());
    let failure = read(&place, &tests(check(Runner::Pytest))).unwrap_err();
    assert_eq!(failure.group(), "runner-missing");
    assert_eq!(failure.hints(), ["add \"pytest\" to `check.inputs`"]);
}

#[test]
fn a_command_is_the_check_phase() {
    let place = flat(&one_python());
    let mut tests = tests(check(Runner::Command));
    assert!(test_action(&spec(), &tests).is_none());
    tests.phases.insert(Phase::PreCheck, "export WORD=yes".into());
    tests
        .phases
        .insert(Phase::Check, "test \"$WORD\" = yes; test -f tests/util.py; python -c 'import demo'".into());
    assert_eq!(read(&place, &tests), Ok(Passed::default()));
    tests.phases.insert(Phase::PostCheck, "exit 3".into());
    let failure = read(&place, &tests).unwrap_err();
    assert_eq!(failure, CheckFailure::Phase("post-check".into()));
}

#[test]
fn post_check_runs_after_the_runner() {
    let place = flat(&one_python());
    let mut check = check(Runner::Unittest);
    check.disabled_tests.push("test_bad".into());
    let mut tests = tests(check);
    tests.phases.insert(Phase::PostCheck, "false".into());
    let failure = read(&place, &tests).unwrap_err();
    assert_eq!(failure, CheckFailure::Phase("post-check".into()));
}

#[test]
fn imports_are_tried_all_on_every_python() {
    let modules = ["demo", "demo.no", "needs", "leaves", "demo.compiled"].map(str::to_owned);
    for python in pythons() {
        let place = flat(&python);
        let site = place.site(&python);
        place.write(&format!("{site}/needs.py"), "import yaml\n");
        place.write(&format!("{site}/leaves.py"), "raise SystemExit(0)\n");
        let result = place.run(&import_action(&spec(), &modules, false));
        let failure = read_imports(&result).unwrap_err();
        let CheckFailure::Imports(failed) = &failure else { panic!("{failure:?}") };
        let names: Vec<&str> = failed.iter().map(|f| f.module.as_str()).collect();
        assert_eq!(names, ["demo.no", "needs", "leaves"], "{}", python.display());
        assert_eq!(failure.hints()[1], "add \"pyyaml\" to `dependencies`");
        assert_eq!(failure.group(), "import:demo");
        assert!(!log(&result).contains("import_check.py"), "{}", log(&result));
        let good = read_imports(&place.run(&import_action(&spec(), &modules[..1], false)));
        assert_eq!(good.unwrap().passed, 1);
    }
}

#[test]
fn what_scripts_call_is_there() {
    const POINTS: &str = "[console_scripts]\ngood = demo:VALUE\nwhole = demo\nbad = demo:mainn\n\
                          extra = demo.gone:main [more]\nneedy = needy:main\n\
                          [gui_scripts]\nlost = demo.gone:main\n[other]\nx = demo:no\n";
    for python in pythons() {
        let place = flat(&python);
        let site = place.site(&python);
        place.write(&format!("{site}/demo/__init__.py"), "VALUE = 1\n");
        place.write(&format!("{site}/needy.py"), "import sys, yaml_not_there\n");
        let name = spec().subject.pname;
        place.write(&format!("{site}/{name}-1.dist-info/METADATA"), &format!("Name: {name}\nVersion: 1\n"));
        place.write(&format!("{site}/{name}-1.dist-info/entry_points.txt"), POINTS);
        let failure =
            read_imports(&place.run(&import_action(&spec(), &["demo".to_owned()], false))).unwrap_err();
        assert_eq!(
            failure.message(),
            "a script of the package cannot start: the script `bad` calls `demo:mainn`: `demo` has no `mainn`; \
             the script `lost` calls `demo.gone:main`: there is no module `demo.gone`"
        );
        assert!(failure.hints()[0].contains("[project.scripts]"));
        assert_eq!(failure.group(), "script");
    }
}

#[test]
fn a_module_that_needs_an_extra_is_left_out_where_others_are_there() {
    let modules = ["demo", "demo.rpc"].map(str::to_owned);
    let metadata = |requires: &str| format!("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n{requires}\n");
    for python in pythons() {
        let place = flat(&python);
        let site = place.site(&python);
        place.write(&format!("{site}/demo/rpc.py"), "import grpc.aio\n");
        let info = format!("{site}/demo-1.0.dist-info/METADATA");
        place.write(&info, &metadata("Requires-Dist: grpcio>=1; (os_name == 'posix') and extra == 'rpc'\n"));
        let all = read_imports(&place.run(&import_action(&spec(), &modules, true))).unwrap();
        assert_eq!((all.passed, all.skipped), (1, 1), "{}", python.display());
        // What is named is wanted, and something has to be there.
        assert!(read_imports(&place.run(&import_action(&spec(), &modules, false))).is_err());
        assert!(read_imports(&place.run(&import_action(&spec(), &modules[1..], true))).is_err());
        place.write(&info, &metadata("Requires-Dist: other; extra == 'rpc'\n"));
        let failure = read_imports(&place.run(&import_action(&spec(), &modules, true))).unwrap_err();
        assert_eq!(failure.hints(), ["add \"grpcio\" to `dependencies`"]);
    }
}

#[test]
fn a_module_that_ends_the_process_is_named() {
    let python = one_python();
    let place = flat(&python);
    place.write(&format!("{}/dies.py", place.site(&python)), "import os; os._exit(0)\n");
    let result = place.run(&import_action(&spec(), &["demo".to_owned(), "dies".to_owned()], false));
    assert_eq!(read_imports(&result), Err(CheckFailure::Died(Exit::Code(0), Some("dies".into()))));
}

#[test]
fn a_test_that_ends_the_process_has_not_passed() {
    let place = flat(&one_python());
    place.write(
        "build/src/tests/test_outer.py",
        "import os, unittest\nclass T(unittest.TestCase):\n    def test_a(self): os._exit(0)\n",
    );
    let mut tests = tests(check(Runner::Unittest));
    assert_eq!(read(&place, &tests), Err(CheckFailure::Died(Exit::Code(0), None)));
    // In a script, too, whose own end says nothing of the runner.
    tests.phases.insert(Phase::PreCheck, "true".into());
    let failure = read(&place, &tests).unwrap_err();
    assert_eq!(failure, CheckFailure::Died(Exit::Code(0), None));
    assert_eq!(failure.message(), "the check ended without an answer: exit status 0");
    assert!(failure.hints()[0].contains("os._exit"));
}

/// An installed `space.demo`, in a namespace that the source has as well.
fn spaced(python: &std::path::Path) -> Place {
    let place = Place::new(python);
    let site = place.site(python);
    place.write(&format!("{site}/space/demo/__init__.py"), "WHERE = 'installed'\n");
    place.write(&format!("{site}/space/demo/compiled.py"), "x = 1\n");
    place.write(&format!("{site}/space/other.py"), "WHERE = 'installed'\n");
    place.write("build/src/space/demo/__init__.py", "WHERE = 'source'\n");
    place.write("build/src/space/demo/tests/__init__.py", "");
    place.write(
        "build/src/space/demo/tests/test_inner.py",
        "import sys, unittest\nsys.path.insert(0, '.')\nfrom space import demo, other\nimport space.demo.compiled\nclass T(unittest.TestCase):\n    def test_inner(self): self.assertEqual((demo.WHERE, other.WHERE), ('installed', 'installed'))\n",
    );
    place
}

#[test]
fn a_package_in_a_namespace_is_the_installed_one_on_every_python() {
    for python in pythons() {
        let place = spaced(&python);
        let mut check = check(Runner::Unittest);
        check.flags = ["-t", "."].map(str::to_owned).to_vec();
        check.enabled_paths = vec![path("space/demo/tests/test_inner.py")];
        let mut tests = tests(check);
        tests.names = vec!["space.demo".into(), "space.other".into()];
        let (result, read) = run(&place, &tests);
        let passed = read.unwrap_or_else(|e| panic!("{}: {e:?}\n{}", python.display(), log(&result)));
        assert_eq!(passed.passed, 1, "{}", log(&result));
    }
}

/// Stands for a pytest whose worker, a process of its own, gets its parent's
/// arguments and import path, as pytest-xdist has it.
const FORKING_PYTEST: &str = r#"
import subprocess, sys
def hookimpl(**options): return lambda function: function
WORKER = """
import sys
sys.path[:] = {path!r}
sys.path.insert(0, '.')
plugin = __import__({plugin!r})
plugin.pytest_load_initial_conftests()
import demo
print('worker has', demo.WHERE)
class Item:
    def __init__(self, nodeid): self.nodeid = nodeid
class hook: pytest_deselected = staticmethod(lambda items: None)
class config: hook = hook
items = [Item('test_a'), Item('test c[1-2 3]')]
plugin.pytest_collection_modifyitems(config, items)
print('worker runs', [item.nodeid for item in items])
"""
def main(arguments, plugins):
    plugin = arguments[arguments.index('-p') + 1]
    code = WORKER.format(path=sys.path, plugin=plugin)
    subprocess.run([sys.executable, '-c', code], check=True)
    class Report: failed, skipped, when, nodeid = False, False, 'call', 'a'
    plugins[0].pytest_runtest_logreport(Report)
    return 0
"#;

#[test]
fn workers_of_a_runner_see_what_the_runner_sees() {
    let python = one_python();
    let place = flat(&python);
    place.write(&format!("{}/pytest.py", place.site(&python)), FORKING_PYTEST);
    let mut check = check(Runner::Pytest);
    check.disabled_tests = vec!["test c[1-2 3]".into()];
    let (result, read) = run(&place, &tests(check));
    let log = log(&result);
    assert_eq!(read.unwrap().passed, 1, "{log}");
    assert!(log.contains("worker has installed\n"), "{log}");
    assert!(log.contains("worker runs ['test_a']\n"), "{log}");
}

/// Text that is no Unicode, and an exception whose text cannot be had.
const ODD: &str = "class Odd(Exception):\n    def __str__(self): raise ValueError('no')\n";

#[test]
fn odd_texts_are_told_all_the_same() {
    let python = one_python();
    let place = flat(&python);
    let site = place.site(&python);
    place.write(&format!("{site}/lone.py"), "raise ValueError('a\\udcffb\\U0001f600')\n");
    place.write(&format!("{site}/odd.py"), &format!("{ODD}raise Odd\n"));
    let modules = ["lone", "odd"].map(str::to_owned);
    let failure = read_imports(&place.run(&import_action(&spec(), &modules, false))).unwrap_err();
    let CheckFailure::Imports(failed) = &failure else { panic!("{failure:?}") };
    assert_eq!(failed[0].message, "a\\udcffb\u{1f600}");
    assert_eq!(failed[1].message, "(it has no text that can be shown)");

    place.write(
        &format!("{site}/pytest.py"),
        &format!("{ODD}def main(*a, **k): raise Odd\nhookimpl = None\n"),
    );
    let failure = read(&place, &tests(check(Runner::Pytest))).unwrap_err();
    assert_eq!(failure, CheckFailure::RunnerFailed("Odd: (it has no text that can be shown)".into()));
}
