//! `env` and `run`.
//!
//! Knows their flags and how their results are told. Must never decide what
//! an environment holds.

use std::cell::RefCell;
use std::fmt::Debug;
use std::path::Path;

use super::args::{Common, EnvArgs, GoalArgs, RunArgs, RunFlags};
use super::making::{Ran, ask, finish, question, request, run as build, show_answer, told};
use super::{Outcome, print};
use crate::ambient::Ambient;
use crate::error::{Error, Kind, Result};
use crate::ops::build::Planned;
use crate::ops::environments::{self, Makings};
use crate::ops::remembered::{Made, Rests};
use crate::plan::Depth;
use crate::store::Store;
use recipes::set::Tests;

/// `wheelwright env`.
pub fn env(ambient: &Ambient, common: &Common, args: &EnvArgs) -> Outcome {
    let goals = GoalArgs { packages: args.packages.clone(), all: false, base: false };
    let out = ambient.absolute(&args.out);
    environments::check_target(&out)?;
    let mut request = request(common, &goals, &args.flags)?;
    request.depth = request.depth.max(Depth::Installs);
    request.tests = Tests::None;
    (request.joined, request.results) = (true, true);
    let question = question(ambient, common, &what_is_in(&args.packages, args.flags.no_check));
    if let Some(mut answer) = ask(ambient, question.as_ref(), &mut request)
        && let (Some(store), Some(makings)) = (&request.settings.opened, &answer.makings)
        && let Some(made) = makings.working(store, &out)?
    {
        answer.report.start_up = made.start_up;
        answer.report.results.push(out);
        return told(ambient, common, &args.flags, answer);
    }
    let rests = RefCell::new(None);
    let look = |planned: &Planned| {
        rests.replace(question.as_ref().and_then(|_| Rests::before(planned)));
        Ok(())
    };
    let (planned, mut built) = match build(ambient, common, (&request, &args.flags), &look)? {
        Ran::Done(done) => *done,
        Ran::Refused(kind) => return Ok(Some(kind)),
    };
    if built.report.kind().is_none() {
        let made = Makings::of(&planned, &built).and_then(|makings| {
            let made = environments::working(&planned, &built, (&makings, &out))?;
            Ok((made, makings))
        });
        match made {
            Ok((made, makings)) => {
                built.report.start_up = made.start_up;
                if let Some(question) = &question {
                    question.remember(&planned, &built, rests.take(), Made::Working(&makings));
                }
                built.report.results.push(out);
            }
            Err(error) => built.report.troubles.push(error.into()),
        }
    }
    planned.leave();
    finish(ambient, common, &args.flags, &mut built.report)
}

/// The question what an environment of these holds, wherever it is made.
fn what_is_in(packages: &[String], no_check: bool) -> impl Debug {
    ("environment", packages.to_vec(), no_check)
}

/// `wheelwright run`: the command's exit code is ours.
pub fn run(ambient: &Ambient, common: &Common, args: &RunArgs) -> Outcome {
    if args.command.is_empty() {
        return Err(Error::input("there is no command to run").hint("write it after `--`"));
    }
    let goals = GoalArgs { packages: args.packages.clone(), all: false, base: false };
    let flags = RunFlags {
        no_check: true,
        fail_fast: false,
        keep_failed: false,
        accept_hash: false,
        report: Vec::new(),
    };
    let mut request = request(common, &goals, &flags)?;
    request.joined = true;
    // A working environment of the same is made of the same.
    let known = question(ambient, common, &what_is_in(&args.packages, false));
    let question = question(ambient, common, &("run", &args.packages));
    if let Some(answer) = ask(ambient, question.as_ref(), &mut request)
        && let (Some(store), Some(name)) = (&request.settings.opened, &answer.place)
        && let Some(place) = store.env(name)?
    {
        show_answer(common, &answer);
        return Err(become_command(ambient, store, &place, &args.command)?);
    }
    if let (Some(question), Some(store)) = (&known, &request.settings.opened)
        && let Some(answer) = question.recall(ambient, store)
        && let Some(place) = answer.makings.as_ref().map_or(Ok(None), |makings| makings.frozen(store))?
    {
        show_answer(common, &answer);
        return Err(become_command(ambient, store, &place, &args.command)?);
    }
    let (planned, built) = match build(ambient, common, (&request, &flags), &|_| Ok(()))? {
        Ran::Done(done) => *done,
        Ran::Refused(kind) => return Ok(Some(kind)),
    };
    if let Some(kind) = built.report.kind() {
        print::talk_text(&built.report.text());
        return Ok(Some(kind));
    }
    let (place, found) = environments::frozen(&planned, &built)?;
    // One that had to be made first would keep the command waiting twice.
    if let (Some(question), true) = (&question, found) {
        question.remember(&planned, &built, Rests::after(&planned, &built), Made::Place(&place));
    }
    Err(become_command(ambient, &planned.machines.store, &place, &args.command)?)
}

/// Only comes back when the command could not be started: with why.
fn become_command(ambient: &Ambient, store: &Store, place: &Path, command: &[String]) -> Result<Error> {
    store.hold_through_exec()?;
    let error = crate::exec::become_command(&place.join("bin"), command, ambient.umask, ambient.vars());
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let told = Error::new(Kind::Input, format!("failed to start `{}`", command[0])).because(error);
    Ok(match missing {
        true => told.hint("it is neither in the environment nor on PATH"),
        false => told,
    })
}
