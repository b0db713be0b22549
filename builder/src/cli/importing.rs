//! `import`: what was written, and what is left to do by hand.
//!
//! Knows how that is told, to people and to programs. Must never read a file.

use serde_json::{Value, json};

use super::args::{Common, ImportArgs};
use super::{Outcome, print};
use crate::ambient::Ambient;
use crate::error::Kind;
use crate::ops::import::{self, Recipe, Report, Request, State, summary};
use crate::ops::report::wire;
use recipes::import::Todo;

/// `wheelwright import`.
pub fn import(ambient: &Ambient, common: &Common, args: &ImportArgs) -> Outcome {
    let request = Request {
        paths: args.paths.clone(),
        into: args.into.clone(),
        force: args.force,
        dry_run: args.dry_run,
        settings: super::settings(common, false)?,
    };
    let report = import::import(ambient, &request)?;
    if common.json {
        print::result(&format!("{:#}", as_json(&report, args.dry_run)));
    }
    if let Some(kind) = super::show_findings(common, &report.findings) {
        return Ok(Some(kind));
    }
    for recipe in &report.recipes {
        match &recipe.outcome {
            Ok(_) if common.json => {}
            Ok((path, _)) if args.dry_run => {
                print::result_text(&format!("# {}\n{}\n", path.display(), recipe.converted.text));
            }
            Ok((path, _)) => print::result(&path.display().to_string()),
            Err(error) => print::talk_text(&super::error_text(error)),
        }
    }
    match &report.workspace {
        Some(Ok((path, _, text))) if args.dry_run && !common.json => {
            print::result_text(&format!("# {}\n{text}", path.display()));
        }
        Some(Ok((path, _, _))) if !common.json => print::result(&path.display().to_string()),
        Some(Err(error)) => print::talk_text(&super::error_text(error)),
        _ => {}
    }
    for todo in report.todos() {
        print::talk(&format!("todo: {}", told(todo)));
    }
    if !common.quiet {
        report.kept.iter().for_each(|label| print::talk(&format!("the set has {label}")));
        report.notes.iter().for_each(|note| print::talk(&format!("note: {note}")));
        print::talk(&summary(&report));
    }
    let errors = report.recipes.iter().filter_map(|r| r.outcome.as_ref().err());
    let errors = errors.chain(report.workspace.iter().filter_map(|w| w.as_ref().err()));
    Ok(Kind::first(errors.map(|e| e.kind)))
}

/// `FILE:LINE: ATTRIBUTE: WHY`.
fn told(todo: &Todo) -> String {
    let (line, _) = todo.place.line_col();
    let what = if todo.attribute.is_empty() { String::new() } else { format!("{}: ", todo.attribute) };
    format!("{}:{line}: {what}{}", todo.place.file.path, todo.why)
}

fn state(state: State) -> &'static str {
    match state {
        State::Written => "written",
        State::Unchanged => "unchanged",
        State::Replaced => "replaced",
    }
}

fn as_json(report: &Report, dry_run: bool) -> Value {
    let todo = |t: &Todo| {
        let (line, column) = t.place.line_col();
        json!({
            "file": t.place.file.path,
            "line": line,
            "column": column,
            "attribute": t.attribute,
            "why": t.why,
            "text": t.quote(),
        })
    };
    let recipe = |r: &Recipe| {
        let mut value = json!({
            "pname": r.converted.pname,
            "version": r.converted.version,
            "carried": r.converted.carried,
            "todos": r.converted.todos.iter().map(todo).collect::<Vec<_>>(),
        });
        match &r.outcome {
            Ok((path, done)) => {
                value["path"] = json!(path);
                value["state"] = json!(state(*done));
            }
            Err(error) => value["error"] = wire::error_json(error),
        }
        if dry_run {
            value["text"] = json!(r.converted.text);
        }
        value
    };
    let workspace = report.workspace.as_ref().map(|outcome| match outcome {
        Ok((path, done, _)) => json!({ "path": path, "state": state(*done) }),
        Err(error) => json!({ "error": wire::error_json(error) }),
    });
    let environment = |e: &recipes::import::Environment| json!({ "name": e.name, "packages": e.packages, "python": e.python });
    let sound = report.recipes.iter().all(|r| r.outcome.is_ok())
        && report.findings.is_empty()
        && report.workspace.as_ref().is_none_or(Result::is_ok);
    json!({
        "format": 1,
        "ok": sound,
        "dry_run": dry_run,
        "recipes": report.recipes.iter().map(recipe).collect::<Vec<_>>(),
        "environments": report.environments.iter().map(environment).collect::<Vec<_>>(),
        "workspace": workspace,
        "kept": report.kept,
        "notes": report.notes,
        "todos": report.todos.iter().map(todo).collect::<Vec<_>>(),
        "findings": wire::findings_json(&report.findings),
    })
}
