//! `build`: the raw wheel, in a cell.
//!
//! Knows the build closure's installs and the runner's answer. Must never
//! know what becomes of the wheel.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use recipes::recipe::{Format, Recipe};

use super::env::{Purpose, environment};
use super::failure::{all_well, broken, exit_sentence, failure, foreign, with_result};
use super::{Steps, headers, source, warm};
use crate::event::Failure;
use crate::exec::Executor as _;
use crate::exec::action::{ActionResult, Input, Warmth};
use crate::key::{Digest, TreeDigest};
use crate::ops::run::Worked;
use crate::pep517::failure::build_failure;
use crate::pep517::phases::{Subject, view};
use crate::pep517::{BuildSpec, Refusal, build_action, read_answer};
use crate::plan::{Step, declares_compiler};
use crate::store::realisation::{Output, Realisation};
use crate::wheel;

/// Builds one package.
pub fn build(steps: &Steps, step: &Step, inputs: &[&Realisation], more: bool) -> Worked {
    let start = Instant::now();
    let recipe = steps.recipe(step);
    if let Some(unsupported) = unsupported(recipe) {
        return Err(unsupported);
    }
    let Output::Tree(tree) = &inputs[0].output else { unreachable!("a source is a tree") };
    let machines = steps.machines;
    let env = environment(machines, &inputs[1..], Purpose::Build).map_err(broken)?;
    let mut spec = spec(steps, step, (*tree, inputs[0].epoch.unwrap_or(source::OLDEST)), &env)?;
    spec.warm = warm::preload(steps, &spec, tree, &env);
    spec.more = more;
    let executor = machines.executor().map_err(broken)?;
    let mut action = build_action(&spec);
    let mut result = executor.execute(&action, &machines.stop).map_err(broken)?;
    if result.warmth == Warmth::Warm && read_answer(&result).is_err() && !machines.stop.is_stopped() {
        // A server that was tampered with decides nothing.
        action.warm = None;
        result = executor.execute(&action, &machines.stop).map_err(broken)?;
        result.warmth = Warmth::Lost("it left no wheel in a fork server's child".to_owned());
    }
    let log = machines.store.add_blob_bytes(&result.log).map_err(broken)?;
    machines.store.keep_log(&step.package, (step.kind, &step.key), &log).map_err(broken)?;
    if recipe.format == Format::Other {
        return other(steps, &result, (log, start.elapsed()));
    }
    match read_answer(&result) {
        Ok(answer) => {
            let path = answer.wheel.under(result.outputs.path());
            let wheel = wheel::Archive::open(&path, &wheel::Limits::default())
                .map_err(|e| with_result(foreign("wheel", e), &result))?;
            let digest = match wheel {
                wheel::Archive::Memory(bytes) => machines.store.add_blob_bytes(&bytes),
                wheel::Archive::File(file, size) => machines.store.add_blob(file.take(size)),
            };
            let digest = digest.map_err(broken)?;
            let facts = serde_json::json!({
                "backend": answer.backend,
                "requires": answer.requires,
                "milliseconds": answer.took_ms.iter().cloned().collect::<BTreeMap<_, _>>(),
                "peak_memory": result.peak_memory,
                "warmth": match &result.warmth {
                    Warmth::Cold => "cold",
                    Warmth::Warm => "warm",
                    Warmth::Lost(because) => because,
                },
            });
            let name = answer.wheel.file_name().to_owned();
            all_well(&result)?;
            let mut made = made(steps, Output::Blob { digest, name }, (log, start.elapsed()));
            made.facts = facts.to_string();
            Ok(made)
        }
        Err(refusal) => Err(refused(steps, step, &refusal, &result)),
    }
}

/// What a build of `step` is, but for a warm server.
fn spec(
    steps: &Steps,
    step: &Step,
    (tree, epoch): (TreeDigest, u64),
    env: &Path,
) -> Result<BuildSpec, Box<Failure>> {
    let source = steps.source_of(step);
    let machines = steps.machines;
    let recipe = steps.recipe(step);
    Ok(BuildSpec {
        label: format!("build of {}", step.package),
        subject: subject(steps, recipe),
        format: recipe.format,
        source: tree,
        subdirectory: source.subdirectory.clone(),
        epoch,
        inputs: BTreeMap::from([("/env".to_owned(), Input::Host(env.to_owned()))]),
        host_paths: machines.interpreter.host_paths(view(declares_compiler(recipe))),
        cflags: if recipe.brings_flags() { String::new() } else { machines.interpreter.facts.cflags.clone() },
        compiler: declares_compiler(recipe),
        pretend_version: source::pretends_version(&source.origin),
        jobserver: machines.jobserver_flag().map_err(broken)?,
        build: (*recipe.build).clone(),
        phases: recipe.phases.clone(),
        level: machines.level,
        code: machines.code(),
        warm: None,
        more: false,
        report_modules: false,
    })
}

/// Starts the fork server of a build that will run soon, if it will have one
/// that is not there yet; whether it did.
pub fn soon(steps: &Steps, step: &Step, installs: &[&Realisation]) -> Option<bool> {
    let env = super::env::ready(steps.machines, installs)?;
    // What is not known yet decides nothing about a server.
    let mut spec = spec(steps, step, (TreeDigest(Digest::of(b"")), source::OLDEST), &env).ok()?;
    spec.warm = Some(warm::expected(steps, &spec, &env)?);
    let executor = steps.machines.executor().ok()?;
    Some(executor.prepare(&build_action(&spec), &steps.machines.stop))
}

fn subject(steps: &Steps, recipe: &Recipe) -> Subject {
    let most = u32::try_from(steps.machines.cores).unwrap_or(1);
    Subject {
        pname: recipe.pname_text.clone(),
        version: recipe.version.to_string(),
        cores: recipe.build.cores.unwrap_or(most).min(most).max(1),
    }
}

/// What a recipe may say and a build cannot do yet.
pub(super) fn unsupported(recipe: &Recipe) -> Option<Box<Failure>> {
    let (table, place) = match (&recipe.cargo, &recipe.app) {
        (Some(place), _) => ("[cargo]", place),
        (None, Some(app)) => ("[app]", &app.place),
        (None, None) => return None,
    };
    let (line, column) = place.line_col();
    let mut told = failure("unsupported", format!("building with `{table}` is not supported yet"));
    told.kind = crate::error::Kind::Input;
    told.causes.push(format!("written in {}:{line}:{column}", place.file.path));
    Some(told)
}

fn made(steps: &Steps, output: Output, (log, took): (Digest, Duration)) -> Realisation {
    Realisation {
        output,
        module: None,
        log: Some(log),
        level: steps.machines.level,
        epoch: None,
        took,
        facts: "{}".to_owned(),
    }
}

/// `format = "other"`: the tree that the phases installed.
fn other(steps: &Steps, result: &ActionResult, made_at: (Digest, Duration)) -> Worked {
    use crate::exec::action::Exit;
    use crate::pep517::answer::failed_phase;
    if result.exit != Exit::Code(0) || !result.missing.is_empty() {
        let what = failed_phase(result).unwrap_or_else(|| exit_sentence(result.exit));
        return Err(with_result(failure("phase", format!("the phase `{what}` failed")), result));
    }
    let digest = steps.machines.store.add_tree(&result.outputs.path().join("out")).map_err(broken)?;
    all_well(result)?;
    Ok(made(steps, Output::Tree(digest), made_at))
}

/// A refusal as a failure: what happened, the log's tail, and hints.
fn refused(steps: &Steps, step: &Step, refusal: &Refusal, result: &ActionResult) -> Box<Failure> {
    let mut failure = build_failure(refusal, result, steps.hint_facts(steps.recipe(step)));
    headers::find(steps, step, &mut failure);
    Box::new(failure)
}
