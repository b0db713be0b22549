//! `finish`, `install` and `verify`: our own deterministic functions over
//! wheels (and `[phases]` of the install).
//!
//! Knows the store's blobs and trees. Must never know what built the wheel.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use recipes::diag::{Finding, Severity};
use recipes::recipe::{Format, Origin, Recipe};

use super::Steps;
use super::failure::{broken, exit_sentence, failure, foreign, with_result};
use crate::event::Failure;
use crate::exec::Executor as _;
use crate::exec::action::{Exit, HostView, Input, Limits};
use crate::key::{Digest, TreeDigest};
use crate::ops::run::Worked;
use crate::pep517::answer::failed_phase;
use crate::pep517::phases::{PhaseSpec, Subject, install_action};
use crate::plan::Step;
use crate::store::realisation::{Output, Realisation};
use crate::wheel::{self, Adoption, Archive, FinishSpec, Installed, Layout, LintSpec, Spool, Wheel};

type Failed = Box<Failure>;

/// All errors among some findings as one failure; `None` when there are none.
pub fn refused(group: &str, message: &str, findings: &[Finding]) -> Option<Failed> {
    let errors: Vec<&Finding> = findings.iter().filter(|f| f.severity == Severity::Error).collect();
    let first = errors.first()?;
    let group = if errors.len() == 1 { format!("{group}:{}", first.code.0) } else { group.to_owned() };
    let mut told = failure(group, message);
    for error in errors {
        told.causes.push(format!("[{}] {}", error.code.0, error.message));
        told.hints.extend(error.hints.iter().cloned());
    }
    Some(told)
}

fn blob(realisation: &Realisation) -> (&Digest, &str) {
    match &realisation.output {
        Output::Blob { digest, name } => (digest, name),
        Output::Tree(_) | Output::Passed => unreachable!("the plan gives this step a file"),
    }
}

fn open(steps: &Steps, digest: &Digest) -> Result<Archive, Failed> {
    let path = steps.machines.store.blob_path(digest);
    Archive::open(&path, &wheel::Limits::default()).map_err(|e| foreign("wheel", e))
}

/// Where the files of a large wheel lie while it is worked on.
fn spool(steps: &Steps) -> Result<Spool, Failed> {
    Ok(Spool::within(&steps.machines.store.session_dir().map_err(broken)?))
}

fn unreadable(e: wheel::Trouble, doing: &str) -> Failed {
    match e {
        wheel::Trouble::Findings(all) => {
            refused("wheel", doing, &all).unwrap_or_else(|| failure("wheel", doing))
        }
        wheel::Trouble::Machine(error) => broken(error),
    }
}

/// Relax, remove tests, normalise, lint.
pub fn finish(steps: &Steps, step: &Step, inputs: &[&Realisation], say: &dyn Fn(String)) -> Worked {
    let start = Instant::now();
    let recipe = steps.recipe(step);
    if let Some(unsupported) = super::build::unsupported(recipe) {
        return Err(unsupported);
    }
    let (digest, name) = blob(inputs[0]);
    let (raw, spool) = (open(steps, digest)?, spool(steps)?);
    let spec = FinishSpec {
        relax: &recipe.relax,
        remove_tests: recipe.remove_tests,
        namespaces: &recipe.namespaces,
    };
    let done = wheel::finish(name, (&raw, &spool), &spec)
        .map_err(|e| unreadable(e, "the build's wheel cannot be finished"))?;
    // At lower levels the build folder is a host folder: it must not be in the bytes either.
    let paths = [steps.machines.work_dir().map_err(broken)?.display().to_string()];
    let found = wheel::lint(
        &done.wheel,
        &LintSpec {
            name: &recipe.pname,
            version: &recipe.version,
            expect: recipe.build.expect,
            build_paths: &paths,
        },
    )
    .map_err(broken)?;
    if let Some(mut told) =
        refused("wheel-lint", &format!("the wheel `{name}` is not what it should be"), &found)
    {
        told.causes.extend(done.notes.iter().map(|n| format!("note: {n}")));
        if found.iter().any(|f| f.code == wheel::codes::IDENTITY && f.message.contains("the version `")) {
            another_version(&mut told, recipe, &steps.source_of(step).origin);
        }
        return Err(told);
    }
    for note in &done.notes {
        say(format!("{}: {note}", step.package));
    }
    let warnings: Vec<&str> = found.iter().map(|f| f.message.as_str()).collect();
    let store = &steps.machines.store;
    let digest = match done.archive.memory() {
        Some(bytes) => store.add_blob_bytes(bytes),
        None => done.archive.reader().and_then(|from| store.add_blob(from)),
    };
    let digest = digest.map_err(broken)?;
    Ok(Realisation {
        output: Output::Blob { digest, name: done.wheel.name.text.clone() },
        module: None,
        log: None,
        level: steps.machines.level,
        epoch: None,
        took: start.elapsed(),
        facts: serde_json::json!({ "notes": done.notes, "warnings": warnings }).to_string(),
    })
}

/// Where the recipe says its version, and how a project's own folder says it once.
fn another_version(told: &mut Failure, recipe: &Recipe, origin: &Origin) {
    let says = |line: &str| line.split('=').next().is_some_and(|key| key.trim() == "version");
    if let Some(at) = recipe.file.text.lines().position(says) {
        told.causes.push(format!("recipe: {}:{}", recipe.file.path, at + 1));
    }
    if matches!(origin, Origin::Path { .. }) {
        told.hints.push("write `version = { from = \"pyproject\" }` to say it in one place".to_owned());
    }
}

/// Lays the wheel out, runs install phases, keeps the tree.
pub fn install(steps: &Steps, step: &Step, inputs: &[&Realisation]) -> Worked {
    let start = Instant::now();
    let recipe = steps.recipe(step);
    let machines = steps.machines;
    let layout =
        Layout { python: machines.interpreter.short_version(), interpreter: machines.interpreter.identity };
    let temp = machines.store.temp_dir().map_err(broken)?;
    let root = temp.path().join("install");
    let adopted = |root: &std::path::Path| {
        let known = Adoption {
            name: recipe.pname.to_string(),
            version: recipe.version.to_string(),
            layout: layout.clone(),
        };
        let installed = wheel::adopt(root, &known);
        installed.map_err(|e| trouble(e, "what the install phases left cannot be installed"))
    };
    let mut log = None;
    let installed = if recipe.format == Format::Other {
        let Output::Tree(tree) = &inputs[0].output else { unreachable!("phases give a tree") };
        copy(steps, tree, &root)?;
        adopted(&root)?
    } else {
        let (digest, name) = blob(inputs[0]);
        let read = Wheel::open_finished(name, &open(steps, digest)?, &spool(steps)?)
            .map_err(|e| unreadable(e, "the wheel cannot be read"))?;
        let installed =
            wheel::install(&read, &layout, &root).map_err(|e| trouble(e, "the wheel cannot be installed"))?;
        match install_phases(steps, step, &root)? {
            None => installed,
            Some((changed, said)) => {
                log = Some(said);
                adopted(&changed)?
            }
        }
    };
    let root = if log.is_some() { temp.path().join("changed") } else { root };
    let digest = machines.store.add_tree(&root).map_err(broken)?;
    Ok(installation(steps, (installed, digest, log), start.elapsed()))
}

fn installation(
    steps: &Steps,
    (installed, digest, log): (Installed, TreeDigest, Option<Digest>),
    took: Duration,
) -> Realisation {
    Realisation {
        output: Output::Tree(digest),
        module: Some(installed.module),
        log,
        level: steps.machines.level,
        epoch: None,
        took,
        facts: installed.facts,
    }
}

fn copy(steps: &Steps, tree: &TreeDigest, to: &std::path::Path) -> Result<(), Failed> {
    use crate::tree::fs::{Copying, copy_tree};
    copy_tree(&steps.machines.store.tree_path(tree), to, Copying::Writable, None).map_err(broken)
}

fn trouble(e: wheel::Trouble, doing: &str) -> Failed {
    match e {
        wheel::Trouble::Findings(all) => {
            refused("install", doing, &all).unwrap_or_else(|| failure("install", doing))
        }
        wheel::Trouble::Machine(error) => broken(error),
    }
}

/// Runs `pre-install`, `install` and `post-install` over the laid-out wheel;
/// gives the changed folder (beside `root`) and the log.
fn install_phases(
    steps: &Steps,
    step: &Step,
    root: &std::path::Path,
) -> Result<Option<(std::path::PathBuf, Digest)>, Failed> {
    let recipe = steps.recipe(step);
    let machines = steps.machines;
    let empty = root.with_file_name("empty");
    std::fs::create_dir_all(&empty).map_err(|e| {
        broken(crate::error::Error::environment("failed to make a temporary folder").because(e))
    })?;
    let spec = PhaseSpec {
        label: format!("install phases of {}", step.package),
        subject: Subject { pname: recipe.pname_text.clone(), version: recipe.version.to_string(), cores: 1 },
        source: machines.store.add_tree(&empty).map_err(broken)?,
        epoch: super::source::OLDEST,
        phases: recipe.phases.clone(),
        inputs: BTreeMap::from([("/s/1".to_owned(), Input::Host(root.to_owned()))]),
        host_paths: machines.interpreter.host_paths(HostView::Minimal),
        compiler: false,
        level: machines.level,
        limits: Limits { timeout: Duration::from_secs(1800), ..Limits::default() },
    };
    let Some(action) = install_action(&spec, "/s/1") else { return Ok(None) };
    let result = machines.executor().map_err(broken)?.execute(&action, &machines.stop).map_err(broken)?;
    let log = machines.store.add_blob_bytes(&result.log).map_err(broken)?;
    machines.store.keep_log(&step.package, (step.kind, &step.key), &log).map_err(broken)?;
    if result.exit != Exit::Code(0) || !result.missing.is_empty() {
        let what = failed_phase(&result).unwrap_or_else(|| exit_sentence(result.exit));
        return Err(with_result(failure("phase", format!("the phase `{what}` failed")), &result));
    }
    let changed = root.with_file_name("changed");
    use crate::tree::fs::{Copying, copy_tree};
    copy_tree(&result.outputs.path().join("out"), &changed, Copying::Writable, None).map_err(broken)?;
    Ok(Some((changed, log)))
}

/// Requires-Dist against the names and versions of the run-time closure.
pub fn verify(steps: &Steps, step: &Step, inputs: &[&Realisation]) -> Worked {
    let start = Instant::now();
    let (digest, _) = blob(inputs[0]);
    let requires = Wheel::requires_of_finished(&open(steps, digest)?)
        .map_err(|e| unreadable(e, "the wheel cannot be read"))?;
    let closure = steps.set.run_closure(step.recipe, &[]).map_err(|all| {
        refused("closure", "the run-time closure does not close", &all).expect("it has errors")
    })?;
    let have: Vec<wheel::Have> = closure
        .members
        .iter()
        .map(|m| (steps.set.get(m.id).pname.clone(), steps.set.get(m.id).version.clone()))
        .collect();
    let recipe = steps.recipe(step);
    let found = wheel::verify(recipe.pname.as_ref(), &requires, steps.set.target(), &have);
    let (line, _) = recipe.place.line_col();
    let message = format!("the wheel requires what the recipe ({}:{line}) does not give", recipe.file.path);
    match refused("requires-dist", &message, &found) {
        Some(told) => Err(told),
        None => Ok(passed(steps, start.elapsed(), None)),
    }
}

/// The realisation of a check that passed.
pub fn passed(steps: &Steps, took: Duration, log: Option<Digest>) -> Realisation {
    Realisation {
        output: Output::Passed,
        module: None,
        log,
        level: steps.machines.level,
        epoch: None,
        took,
        facts: "{}".to_owned(),
    }
}
