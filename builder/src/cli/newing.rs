//! `new`: the recipe that was written, and what is to be known of it.
//!
//! Knows how that is told, to people and to programs. Must never read a file.

use serde_json::json;

use super::args::{Common, NewArgs};
use super::{Outcome, print, settings};
use crate::ambient::Ambient;
use crate::ops::new::{Request, Written, new};
use crate::ops::report::wire;

/// `wheelwright new`.
pub fn new_recipe(ambient: &Ambient, common: &Common, args: &NewArgs) -> Outcome {
    let request = Request {
        word: args.project.clone(),
        into: args.into.clone(),
        rev: args.rev.clone(),
        tag: args.tag.clone(),
        application: args.application,
        force: args.force,
        dry_run: args.dry_run,
        settings: settings(common, false)?,
    };
    let written = new(ambient, &request)?;
    match (common.json, args.dry_run) {
        (true, _) => print::result(&as_json(&written, args.dry_run)),
        (false, true) => print::result_text(&format!("# {}\n{}", written.path.display(), written.text)),
        (false, false) => print::result(&written.path.display().to_string()),
    }
    if common.quiet {
        return Ok(None);
    }
    written.notes.iter().for_each(|note| print::talk(&format!("note: {note}")));
    for finding in &written.missing {
        print::talk(&format!("note: {}", finding.message));
        finding.hints.iter().for_each(|hint| print::talk(&format!("  hint: {hint}")));
    }
    Ok(None)
}

fn as_json(written: &Written, dry_run: bool) -> String {
    let app = |app: &crate::ops::new::web::App| {
        let place = app.place.rsplit_once(':');
        json!({
            "framework": app.framework.title(),
            "object": app.object,
            "file": place.map(|(file, _)| file),
            "line": place.and_then(|(_, line)| line.parse::<usize>().ok()),
        })
    };
    let (project, version) = written.label.split_once(' ').unwrap_or((&written.label, ""));
    let report = json!({
        "format": 1,
        "ok": true,
        "dry_run": dry_run,
        "project": project,
        "version": version,
        "kind": if written.application { "application" } else { "package" },
        "path": written.path,
        "text": written.text,
        "apps": written.apps.iter().map(app).collect::<Vec<_>>(),
        "notes": written.notes,
        "missing": wire::findings_json(&written.missing),
    });
    format!("{report:#}")
}
