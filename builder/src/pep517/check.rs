//! Checks of an installed package as actions: imports, and a source's tests.
//!
//! Knows test runners' words and the answer files of our two programs. Must
//! never start anything; what a program answers is read as foreign bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr as _;

use recipes::name::PackageName;
use recipes::recipe::{Check, Phase, Phases, Runner};
use serde_json::{Value, json};

use super::answer::{exit_words, failed_phase, read_bounded};
use super::build::folder;
use super::phases::{self, Part, Subject};
use super::{BUILD, answer, below};
use crate::exec::action::{Action, ActionResult, Exit, HostView, Input, Level, Limits};
use crate::key::TreeDigest;
use crate::tree::RelPath;

const IMPORT_CHECK: &str = include_str!("import_check.py");
const TEST_RUNNER: &str = include_str!("test_runner.py");
const TEST_SCOPE: &str = include_str!("test_scope.py");
const TEST_PLUGIN: &str = include_str!("test_plugin.py");

/// What both checks need: the package's frozen environment, at `/env`.
#[derive(Clone, Debug)]
pub struct CheckSpec {
    /// For people.
    pub label: String,
    /// Name, version, cores.
    pub subject: Subject,
    /// SOURCE_DATE_EPOCH.
    pub epoch: u64,
    /// Cell path -> input: `/env` and what it links to.
    pub inputs: BTreeMap<String, Input>,
    /// Read-only host paths: the interpreter.
    pub host_paths: Vec<PathBuf>,
    /// What of the host is seen.
    pub view: HostView,
    /// The isolation asked for.
    pub level: Level,
    /// Bounds.
    pub limits: Limits,
}

impl CheckSpec {
    fn action(&self, argv: Vec<String>, files: BTreeMap<RelPath, Vec<u8>>) -> Action {
        Action {
            argv,
            env: phases::base_env(&self.subject, self.epoch),
            inputs: self.inputs.clone(),
            host_paths: self.host_paths.clone(),
            view: self.view,
            source: None,
            epoch: self.epoch,
            files,
            cwd: BUILD.to_owned(),
            outputs: vec![below(answer::FILE), below(phases::RUNNING)],
            level: self.level,
            limits: self.limits.clone(),
            label: self.label.clone(),
            warm: None,
        }
    }
}

/// The import check: each of `modules`, in order, in one process whose working
/// folder is empty; then what the package's scripts call. `lenient`: the modules
/// are all that the wheel has, so some may need what only an extra brings.
/// [`read_imports`] reads what came of it.
pub fn import_action(spec: &CheckSpec, modules: &[String], lenient: bool) -> Action {
    let job = json!({
        "modules": modules,
        "lenient": lenient,
        "distribution": spec.subject.pname,
        "answer": answer::FILE,
    });
    let files = BTreeMap::from([
        (below("job/import_check.py"), IMPORT_CHECK.as_bytes().to_vec()),
        (below("job/spec.json"), job.to_string().into_bytes()),
    ]);
    let argv = ["/env/bin/python", "/build/job/import_check.py", "/build/job/spec.json"];
    spec.action(argv.map(str::to_owned).to_vec(), files)
}

/// What the tests of a package need beside its environment.
#[derive(Clone, Debug)]
pub struct Tests {
    /// The source tree after patches: the tests lie there.
    pub source: TreeDigest,
    /// The project's folder in it; empty for its top.
    pub subdirectory: String,
    /// Top-level importable names of the installed package: these come from the
    /// environment, never from the source.
    pub names: Vec<String>,
    /// `[check]`.
    pub check: Check,
    /// `[phases]`.
    pub phases: Phases,
}

/// The tests of a package, run in its source against the installed package;
/// `None` when the recipe declares no runner. `pre-check` and `post-check` run
/// around the runner in one shell; `runner = "command"` is the `check` phase.
/// [`read_tests`] reads what came of it.
pub fn test_action(spec: &CheckSpec, tests: &Tests) -> Option<Action> {
    let runner = match tests.check.runner {
        Runner::None => return None,
        Runner::Pytest => Some("pytest"),
        Runner::Unittest => Some("unittest"),
        Runner::Command => None,
    };
    let middle = match runner {
        Some(_) => {
            let line = "python \"$NIX_BUILD_TOP/job/test_runner.py\" \"$NIX_BUILD_TOP/job/spec.json\"";
            Part::Ours("check", line.to_owned())
        }
        None => Part::Phase(Phase::Check),
    };
    let parts = [Part::Phase(Phase::PreCheck), middle, Part::Phase(Phase::PostCheck)];
    let mut files = phases::script(&tests.phases, &parts);
    let argv = if files.is_empty() { runner_argv() } else { phases::shell_argv() };
    if let Some(runner) = runner {
        files.insert(below("job/test_runner.py"), TEST_RUNNER.as_bytes().to_vec());
        // A folder of their own: it stays importable while the tests run.
        files.insert(below("job/plugin/wheelwright_tests.py"), TEST_SCOPE.as_bytes().to_vec());
        files.insert(below("job/plugin/wheelwright_pytest.py"), TEST_PLUGIN.as_bytes().to_vec());
        files.insert(below("job/spec.json"), runner_spec(runner, tests));
    } else if files.is_empty() {
        return None;
    }
    let mut action = spec.action(argv, files);
    action.source = Some(tests.source);
    action.cwd = folder(&tests.subdirectory);
    Some(action)
}

fn runner_argv() -> Vec<String> {
    ["/env/bin/python", "/build/job/test_runner.py", "/build/job/spec.json"].map(str::to_owned).to_vec()
}

fn runner_spec(runner: &str, tests: &Tests) -> Vec<u8> {
    let check = &tests.check;
    let paths = |list: &[(String, recipes::diag::Place)]| -> Vec<String> {
        list.iter().map(|(path, _)| path.clone()).collect()
    };
    let spec = json!({
        "runner": runner,
        "flags": check.flags,
        "enabled_tests": check.enabled_tests,
        "disabled_tests": check.disabled_tests,
        "enabled_paths": paths(&check.enabled_paths),
        "disabled_paths": paths(&check.disabled_paths),
        "marks": check.marks,
        "protect": tests.names,
        "answer": answer::FILE,
    });
    spec.to_string().into_bytes()
}

/// Tests that ran without a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Tests, or modules, that passed.
    pub passed: u64,
    /// Tests that skipped themselves.
    pub skipped: u64,
    /// Tests left out by the recipe.
    pub deselected: u64,
}

/// A module that could not be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedImport {
    /// Its dotted name.
    pub module: String,
    /// The exception's class.
    pub exception: String,
    /// Its text.
    pub message: String,
    /// The module that is not there, for a ModuleNotFoundError.
    pub missing: Option<String>,
    /// The script that would call it; `module` is then `module:object`.
    pub script: Option<String>,
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckFailure {
    /// Modules that cannot be imported.
    Imports(Vec<FailedImport>),
    /// Tests failed.
    Tests {
        /// How many.
        count: u64,
        /// Their ids, at most 200.
        failed: Vec<String>,
        /// Tests that passed.
        passed: u64,
    },
    /// There was nothing to run.
    NoTests(String),
    /// Paths of the recipe that match nothing.
    PathMatchesNothing {
        /// `enabled-paths` or `disabled-paths`.
        key: String,
        /// The paths.
        paths: Vec<String>,
    },
    /// The test runner is not in the environment.
    RunnerMissing(String),
    /// The test runner itself failed.
    RunnerFailed(String),
    /// A fragment of `[phases]` failed.
    Phase(String),
    /// The process ended without an answer, importing the module when known.
    Died(Exit, Option<String>),
}

fn read_answer(result: &ActionResult) -> Option<Value> {
    serde_json::from_slice(&read_bounded(result, answer::FILE)?).ok().filter(Value::is_object)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// Whether a module lacks a package that an extra asks for.
fn lacks_extra(failed: &FailedImport, of_extras: &[PackageName]) -> bool {
    let Some(missing) = &failed.missing else { return false };
    let project = super::hints::project_of(missing);
    let name = project.split(['<', '>', '=']).next().unwrap_or(&project);
    let is_own = failed.module.split('.').next() == missing.split('.').next();
    !is_own && PackageName::from_str(name).is_ok_and(|name| of_extras.contains(&name))
}

/// What came of [`import_action`].
pub fn read_imports(result: &ActionResult) -> Result<Passed, CheckFailure> {
    let answer = read_answer(result).unwrap_or(Value::Null);
    let current = answer["current"].as_str().map(str::to_owned);
    let imported = texts(&answer["imported"]).len() as u64;
    if current.is_some() || answer.is_null() {
        return Err(CheckFailure::Died(result.exit, current));
    }
    if result.exit == Exit::Code(0) && answer["ok"] == true {
        return Ok(Passed { passed: imported, ..Passed::default() });
    }
    let failed = answer["failed"].as_array().into_iter().flatten().map(|f| FailedImport {
        module: text(&f["module"]),
        exception: text(&f["exception"]),
        message: text(&f["message"]),
        missing: f["missing_module"].as_str().map(str::to_owned),
        script: f["script"].as_str().map(str::to_owned),
    });
    let of_extras: Vec<PackageName> =
        texts(&answer["of_extras"]).iter().filter_map(|name| PackageName::from_str(name).ok()).collect();
    let (left_out, failed): (Vec<_>, Vec<_>) =
        failed.partition(|f| imported > 0 && lacks_extra(f, &of_extras));
    match failed {
        none if none.is_empty() && !left_out.is_empty() => {
            Ok(Passed { passed: imported, skipped: left_out.len() as u64, ..Passed::default() })
        }
        none if none.is_empty() => Err(CheckFailure::Died(result.exit, None)),
        failed => Err(CheckFailure::Imports(failed)),
    }
}

/// What came of [`test_action`] with this runner. Only a command has no answer
/// of its own; a runner without one was ended by a test.
pub fn read_tests(result: &ActionResult, runner: &Runner) -> Result<Passed, CheckFailure> {
    let answer = read_answer(result);
    let ok = answer.as_ref().is_none_or(|a| a["ok"] == true);
    match (result.exit, &answer, failed_phase(result)) {
        (Exit::Code(0), Some(answer), None) if ok => Ok(counts(answer)),
        // The script of a command came to its end.
        (Exit::Code(0), None, None)
            if *runner == Runner::Command && read_bounded(result, phases::RUNNING).is_some() =>
        {
            Ok(Passed::default())
        }
        (Exit::Code(_), Some(answer), _) if !ok => Err(test_failure(answer)),
        (Exit::Code(_), _, Some(phase)) => Err(CheckFailure::Phase(phase)),
        (exit, _, _) => Err(CheckFailure::Died(exit, None)),
    }
}

fn counts(answer: &Value) -> Passed {
    let number = |name: &str| answer[name].as_u64().unwrap_or(0);
    Passed { passed: number("passed"), skipped: number("skipped"), deselected: number("deselected") }
}

fn test_failure(answer: &Value) -> CheckFailure {
    let message = text(&answer["message"]);
    match answer["kind"].as_str().unwrap_or_default() {
        "tests-failed" => CheckFailure::Tests {
            count: answer["failed_count"].as_u64().unwrap_or(0),
            failed: texts(&answer["failed"]),
            passed: counts(answer).passed,
        },
        "no-tests" => CheckFailure::NoTests(message),
        "path-matches-nothing" => {
            CheckFailure::PathMatchesNothing { key: text(&answer["key"]), paths: texts(&answer["paths"]) }
        }
        "runner-missing" => CheckFailure::RunnerMissing(message),
        _ => CheckFailure::RunnerFailed(message),
    }
}

impl CheckFailure {
    /// Failures with the same group are shown together.
    pub fn group(&self) -> String {
        match self {
            CheckFailure::Imports(list) => match list.iter().find_map(|f| f.missing.as_deref()) {
                Some(module) => format!("import:{}", module.split('.').next().unwrap_or(module)),
                None if list.iter().all(|f| f.script.is_some()) => "script".into(),
                None => "import".into(),
            },
            CheckFailure::Tests { .. } => "tests".into(),
            CheckFailure::NoTests(_) => "no-tests".into(),
            CheckFailure::PathMatchesNothing { .. } => "check-path".into(),
            CheckFailure::RunnerMissing(_) => "runner-missing".into(),
            CheckFailure::RunnerFailed(_) => "runner-failed".into(),
            CheckFailure::Phase(phase) => format!("phase:{phase}"),
            CheckFailure::Died(exit, _) => format!("exit-status:{}", exit_words(*exit)),
        }
    }

    /// One sentence for the report.
    pub fn message(&self) -> String {
        match self {
            CheckFailure::Imports(list) => {
                let each: Vec<String> = list
                    .iter()
                    .map(|f| {
                        let first = f.message.lines().next().unwrap_or_default();
                        if let Some(script) = &f.script {
                            return format!("the script `{script}` calls `{}`: {first}", f.module);
                        }
                        format!("`{}`: {}: {first}", f.module, f.exception)
                    })
                    .collect();
                match list.iter().all(|f| f.script.is_some()) {
                    true => format!("a script of the package cannot start: {}", each.join("; ")),
                    false => format!("the installed package cannot be imported: {}", each.join("; ")),
                }
            }
            CheckFailure::Tests { count, failed, passed } => {
                let some: Vec<&str> = failed.iter().take(5).map(String::as_str).collect();
                let more = if *count > some.len() as u64 { ", …" } else { "" };
                let tests = crate::error::count(usize::try_from(*count).unwrap_or(usize::MAX), "test");
                format!("{tests} failed ({passed} passed): {}{more}", some.join(", "))
            }
            CheckFailure::NoTests(why)
            | CheckFailure::RunnerMissing(why)
            | CheckFailure::RunnerFailed(why) => why.clone(),
            CheckFailure::PathMatchesNothing { key, paths } => {
                format!("`check.{key}` matches nothing in the source: {}", paths.join(", "))
            }
            CheckFailure::Phase(phase) => format!("the `{phase}` phase failed"),
            CheckFailure::Died(exit, Some(module)) => {
                format!("importing `{module}` ended the process: {}", exit_words(*exit))
            }
            CheckFailure::Died(exit, None) => {
                format!("the check ended without an answer: {}", exit_words(*exit))
            }
        }
    }

    /// What would help.
    pub fn hints(&self) -> Vec<String> {
        match self {
            CheckFailure::Imports(list) => list
                .iter()
                .filter_map(|f| {
                    if f.script.is_some() {
                        let keys = "`[project.scripts]`, `console_scripts`";
                        return Some(format!("correct the entry point where the project names it ({keys})"));
                    }
                    let missing = f.missing.as_deref()?;
                    let own = f.module.split('.').next() == missing.split('.').next();
                    Some(match own {
                        true => format!(
                            "`{missing}` is not in the wheel: correct `check.imports`, or what the project packages"
                        ),
                        false => format!("add \"{}\" to `dependencies`", super::hints::project_of(missing)),
                    })
                })
                .collect(),
            CheckFailure::Tests { .. } => vec![
                "leave tests out with `check.disabled-tests` or `check.disabled-paths`, or all with `check.enable = false`"
                    .into(),
            ],
            CheckFailure::NoTests(_) => vec![
                "name the tests with `check.enabled-paths`, or say `check.enable = false` when the source has none"
                    .into(),
            ],
            CheckFailure::Died(Exit::Code(0), None) => {
                vec!["something that was run ended the process before its time (`os._exit`)".into()]
            }
            CheckFailure::RunnerMissing(_) => vec!["add \"pytest\" to `check.inputs`".into()],
            _ => Vec::new(),
        }
    }
}
