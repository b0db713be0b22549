//! `imports` and `check`: on the installed package, in its own environment.
//!
//! Knows the check closure's installs. Must never know how tests are run
//! (`pep517::check` does).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use recipes::recipe::Runner;

use super::Steps;
use super::env::{Purpose, environment, install_of};
use super::failure::{all_well, broken, failure};
use super::finish::passed;
use crate::event::Failure;
use crate::exec::Executor as _;
use crate::exec::action::{Action, ActionResult, Input, Limits};
use crate::ops::run::Worked;
use crate::pep517::build::limits;
use crate::pep517::check::{
    CheckFailure, CheckSpec, Passed, Tests, import_action, read_imports, read_tests, test_action,
};
use crate::pep517::failure::check_failure;
use crate::pep517::phases::{Subject, view};
use crate::plan::{Role, Step, check_sees_host};
use crate::store::realisation::{Output, Realisation};

type Failed = Box<Failure>;

fn spec(
    steps: &Steps,
    step: &Step,
    (installs, purpose): (&[&Realisation], Purpose),
) -> Result<CheckSpec, Failed> {
    let recipe = steps.recipe(step);
    let machines = steps.machines;
    let env = environment(machines, installs, purpose).map_err(broken)?;
    let view = view(check_sees_host(recipe));
    let most = u32::try_from(machines.cores).unwrap_or(1);
    let usual = Limits { timeout: Duration::from_secs(3600), ..Limits::default() };
    Ok(CheckSpec {
        label: format!("{} of {}", step.kind.word(), step.package),
        subject: Subject {
            pname: recipe.pname_text.clone(),
            version: recipe.version.to_string(),
            cores: recipe.build.cores.unwrap_or(most).min(most).max(1),
        },
        epoch: super::source::OLDEST,
        inputs: BTreeMap::from([("/env".to_owned(), Input::Host(env))]),
        host_paths: machines.interpreter.host_paths(view),
        view,
        level: machines.level,
        limits: limits(&recipe.build, usual),
    })
}

/// The import check: the recipe's `imports`, else the top-level modules.
pub fn imports(steps: &Steps, step: &Step, inputs: &[&Realisation]) -> Worked {
    let start = Instant::now();
    let recipe = steps.recipe(step);
    let (own, _) = install_of(inputs[0]).map_err(broken)?;
    let lenient = recipe.check.imports.is_none();
    let modules = recipe.check.imports.clone().unwrap_or(own.imports);
    if modules.is_empty() {
        return Ok(passed(steps, start.elapsed(), None));
    }
    // Made before, byte code that is wanted later saves its part of the check.
    let purpose = if steps.results { Purpose::Check } else { Purpose::Imports };
    let action = import_action(&spec(steps, step, (inputs, purpose))?, &modules, lenient);
    finish(steps, step, (&action, start), read_imports)
}

/// The package's own tests.
pub fn tests(steps: &Steps, step: &Step, inputs: &[&Realisation]) -> Worked {
    let start = Instant::now();
    let recipe = steps.recipe(step);
    let source = step.inputs.iter().position(|i| i.role == Role::Source);
    let installs: Vec<&Realisation> =
        inputs.iter().enumerate().filter(|(i, _)| Some(*i) != source).map(|(_, r)| *r).collect();
    let (own, _) = install_of(installs[0]).map_err(broken)?;
    let Some(Output::Tree(tree)) = source.map(|i| &inputs[i].output) else {
        return Err(failure("no-tests", "a prebuilt wheel has no source whose tests could run"));
    };
    let tests = Tests {
        source: *tree,
        subdirectory: steps.source_of(step).subdirectory.clone(),
        names: own.imports,
        check: recipe.check.clone(),
        phases: recipe.phases.clone(),
    };
    let Some(action) = test_action(&spec(steps, step, (&installs, Purpose::Check))?, &tests) else {
        let what = match recipe.check.runner {
            Runner::Command => "`runner = \"command\"` needs a `check` phase in `[phases]`",
            _ => "the recipe declares no test runner",
        };
        return Err(failure("no-tests", what));
    };
    finish(steps, step, (&action, start), |result| read_tests(result, &recipe.check.runner))
}

fn finish(
    steps: &Steps,
    step: &Step,
    (action, start): (&Action, Instant),
    read: impl Fn(&ActionResult) -> Result<Passed, CheckFailure>,
) -> Worked {
    let machines = steps.machines;
    let result = machines.executor().map_err(broken)?.execute(action, &machines.stop).map_err(broken)?;
    let log = machines.store.add_blob_bytes(&result.log).map_err(broken)?;
    machines.store.keep_log(&step.package, (step.kind, &step.key), &log).map_err(broken)?;
    match read(&result) {
        Ok(counts) => {
            all_well(&result)?;
            let mut made = passed(steps, start.elapsed(), Some(log));
            made.facts = serde_json::json!({
                "passed": counts.passed,
                "skipped": counts.skipped,
                "deselected": counts.deselected,
            })
            .to_string();
            Ok(made)
        }
        Err(refusal) => {
            let recipe = steps.recipe(step);
            Err(Box::new(check_failure(&refusal, &result, steps.hint_facts(recipe))))
        }
    }
}
