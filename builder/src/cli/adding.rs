//! `add`: how the recipes of a whole closure are told.
//!
//! Knows flags and lines. Must never know how versions are chosen.

use super::args::{AddArgs, BuildArgs, Common, GoalArgs, SolvingArgs};
use super::{Outcome, json, making, print, settings, show_findings};
use crate::ambient::Ambient;
use crate::error::{Error, count};
use crate::ops::add::{Addition, Form, Lock, Solved, Solving, solve};
use crate::ops::report::wire;

/// `wheelwright add` without `--no-solve`.
pub fn add(ambient: &Ambient, common: &Common, args: &AddArgs) -> Outcome {
    let solving = &args.solving;
    if let Some(name) = solving.sdist.iter().find(|name| solving.wheel.contains(name)) {
        return Err(Error::input(format!("`{name}` cannot be both built from source and taken prebuilt"))
            .hint("keep one of --sdist and --wheel"));
    }
    let form = |names: &[String], form: Form| -> Vec<(String, Form)> {
        names.iter().map(|name| (name.clone(), form)).collect()
    };
    let request = Solving {
        requirements: args.projects.clone(),
        lock: Lock::default(),
        dir: args.dir.clone(),
        force: args.force,
        dry_run: solving.dry_run,
        application: solving.application,
        exclude_newer: solving.exclude_newer.clone(),
        forms: [form(&solving.sdist, Form::Sdist), form(&solving.wheel, Form::Wheel)].concat(),
        settings: settings(common, false)?,
    };
    match solve(ambient, &request)? {
        Solved::Findings(findings) => {
            print::talk("no recipe is written: this stands against it");
            if common.json {
                print::result(&wire::refused(&findings));
            }
            Ok(show_findings(common, &findings))
        }
        Solved::Done(added) => {
            tell(common, &added, solving);
            if solving.check { build(ambient, common, &added) } else { Ok(None) }
        }
    }
}

fn tell(common: &Common, added: &Addition, solving: &SolvingArgs) {
    for new in &added.new {
        for note in &new.added.notes {
            print::talk(&format!("note: {}: {note}", new.label));
        }
    }
    for note in &added.notes {
        print::talk(&format!("note: {note}"));
    }
    if common.json {
        // With --check the report of the build is the result.
        if !solving.check {
            print::result(&json::addition(added, solving.dry_run));
        }
        return;
    }
    for new in &added.new {
        print::result(&new.added.path.display().to_string());
    }
    if common.quiet {
        return;
    }
    for label in &added.had {
        print::talk(&format!("the set has {label}"));
    }
    let builds = added.new.iter().filter(|new| new.for_builds).count();
    let of_builds = if builds > 0 { format!(", {builds} of them for builds") } else { String::new() };
    let written = if solving.dry_run { "would be written" } else { "written" };
    let new = count(added.new.len(), "recipe");
    let requests = count(added.requests, "request");
    print::talk(&format!("{new} {written}{of_builds}; {} of the set used; {requests}", added.kept));
}

/// `--check`: what was named is built.
fn build(ambient: &Ambient, common: &Common, added: &Addition) -> Outcome {
    let goals = GoalArgs { packages: added.named.clone(), all: false, base: false };
    making::build(ambient, common, &BuildArgs::plain(goals))
}
