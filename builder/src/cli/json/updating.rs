//! What `update` says with `--json`.
//!
//! Knows its words. Must never print.

use recipes::update::{Change, Kept};
use serde_json::{Value, json};

use super::{doubts, text};
use crate::cli::updating::Done;
use crate::ops::report::wire;
use crate::ops::update::{Bump, Checked, HeldBack, NewRecipe, Proposal};

/// What was proposed, and what came of it.
pub fn updated(proposal: &Proposal, done: &Done) -> String {
    let held = |held: &HeldBack| {
        json!({
            "project": held.pname.to_string(),
            "at": held.at.to_string(),
            "version": held.version.to_string(),
            "reasons": held.reasons,
        })
    };
    let bumps: Vec<Value> =
        proposal.bumps.iter().enumerate().map(|(i, one)| bump(one, done.made.contains(&i))).collect();
    let skipped = proposal.skipped.iter().map(|(label, why)| json!({ "package": label, "reason": why }));
    let failed = proposal
        .failed
        .iter()
        .map(|(label, error)| json!({ "package": label, "error": wire::error_json(error) }));
    text(&json!({
        "format": 1,
        "dry_run": done.dry_run,
        "looked_at": proposal.looked_at,
        "bumps": bumps,
        "new": proposal.new.iter().map(|new| new_recipe(proposal, new)).collect::<Vec<_>>(),
        "held": proposal.held.iter().map(held).collect::<Vec<_>>(),
        "not_taken": proposal.beyond.iter().map(held).collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
        "failed": failed.collect::<Vec<_>>(),
        "notes": proposal.notes,
        "findings": doubts(&proposal.findings),
        "check": done.checked.as_ref().map(|checked| check(proposal, checked)),
        "commits": done.commits,
    }))
}

fn bump(bump: &Bump, made: bool) -> Value {
    let change = |c: &Change| json!({ "field": c.field, "old": c.old, "new": c.new });
    let kept = |k: &Kept| json!({ "field": k.field, "mine": k.mine, "upstream": k.upstream });
    json!({
        "project": bump.pname.to_string(),
        "old": bump.old.to_string(),
        "new": bump.new.to_string(),
        "path": bump.path.1,
        "along": bump.along,
        "made": made,
        "uploaded": bump.uploaded,
        "changes": bump.changes.iter().map(change).collect::<Vec<_>>(),
        "kept": bump.kept.iter().map(kept).collect::<Vec<_>>(),
        "license": { "old": bump.license.0, "new": bump.license.1 },
        "changelog": bump.changelog,
        "rebuilds": bump.rebuilds,
        "users": bump.users,
        "notes": bump.notes,
    })
}

fn new_recipe(proposal: &Proposal, new: &NewRecipe) -> Value {
    let (project, version) = new.label.split_once(' ').unwrap_or((&new.label, ""));
    let by: Vec<String> = new.needed_by.iter().map(|i| proposal.bumps[*i].pname.to_string()).collect();
    json!({
        "project": project,
        "version": version,
        "path": new.path,
        "for_builds": new.for_builds,
        "needed_by": by,
        "notes": new.notes,
    })
}

fn check(proposal: &Proposal, checked: &Checked) -> Value {
    let reverted = checked.reverted.iter().map(|reverted| {
        let names: Vec<String> =
            reverted.bumps.iter().map(|i| proposal.bumps[*i].pname.to_string()).collect();
        json!({
            "projects": names,
            "failed": reverted.failed,
            "message": reverted.failure.message,
            "log_tail": reverted.failure.log_tail,
        })
    });
    let before = checked.broken_before.iter().map(|(label, why)| json!({ "package": label, "message": why }));
    json!({
        "good": checked.good,
        "stopped": checked.stopped,
        "reverted": reverted.collect::<Vec<_>>(),
        "failed_before": before.collect::<Vec<_>>(),
    })
}
