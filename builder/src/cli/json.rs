//! What verbs that look and tend say with `--json`: a promise to other
//! programs.
//!
//! Knows the words of each. Must never print, nor be used inside.

pub mod inspecting;
pub mod updating;

use std::path::Path;

use recipes::diag::{Finding, Severity};
use recipes::set::{Closure, PackageSet, RecipeId};
use serde_json::{Value, json};

use crate::error::Result;
use crate::ops::add::{Added, Addition, New};
use crate::ops::build::Planned;
use crate::ops::goals::Goal;
use crate::ops::recipes::Formatted;
use crate::ops::report::wire;
use crate::ops::why::{self, Missing};
use crate::store::{GcReport, VerifyReport};

fn text(value: &Value) -> String {
    format!("{value:#}")
}

/// Findings that are no lints.
fn doubts(findings: &[Finding]) -> Value {
    let told: Vec<Finding> = findings.iter().filter(|f| f.severity > Severity::Lint).cloned().collect();
    wire::findings_json(&told)
}

/// `plan` and `why`: the steps, what is doubtful and what is left out.
pub fn plan(planned: &Planned, missing: &[Missing]) -> String {
    let mut value = why::json(&planned.plan, missing);
    value["findings"] = doubts(&planned.findings);
    let left_out = planned.left_out.iter();
    value["left_out"] = left_out.map(|(name, reason)| json!({ "package": name, "reason": reason })).collect();
    text(&value)
}

/// `log`.
pub fn log((package, step): (&str, &str), log: &str, note: Option<&str>) -> String {
    text(&json!({ "format": 1, "package": package, "step": step, "log": log, "note": note }))
}

/// `fmt`: what changed, or with `--check` would, and what cannot be laid out.
pub fn formatted(outcome: &Formatted, check: bool) -> String {
    let findings = wire::findings_json(&outcome.findings);
    text(&json!({ "format": 1, "check": check, "changed": outcome.changed, "findings": findings }))
}

/// `show`: each value with its layer and place.
pub fn origins(set: &PackageSet, id: RecipeId, origins: &[(String, String, String, String)]) -> String {
    let recipe = set.get(id);
    let values: Vec<Value> = origins
        .iter()
        .map(|(key, value, layer, at)| json!({ "key": key, "value": value, "layer": layer, "at": at }))
        .collect();
    let (pname, version) = (recipe.pname.to_string(), recipe.version.to_string());
    text(&json!({ "format": 1, "pname": pname, "version": version, "values": values }))
}

/// `show --closure`: the members and who forced each.
pub fn closure(set: &PackageSet, closure: &Closure) -> String {
    text(&json!({ "format": 1, "members": members(set, closure) }))
}

fn members(set: &PackageSet, closure: &Closure) -> Value {
    let member = |m: &recipes::set::Member| {
        let recipe = set.get(m.id);
        let because = set.because(closure, m.id).into_iter();
        let because: Vec<Value> =
            because.map(|(by, what)| json!({ "by": by, "requirement": what })).collect();
        json!({
            "pname": recipe.pname.to_string(),
            "version": recipe.version.to_string(),
            "extras": m.extras.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "because": because,
        })
    };
    closure.members.iter().map(member).collect()
}

/// `tree`: the closure of each goal, with the edges of its tree.
pub fn trees(set: &PackageSet, goals: &[Goal], findings: &[Finding]) -> String {
    let mut all = findings.to_vec();
    let mut trees = Vec::new();
    for goal in goals {
        let found = set.run_closure(goal.id, &goal.extras).map(|closure| members(set, &closure));
        let members = found.unwrap_or_else(|more| {
            all.extend(more);
            Value::Null
        });
        trees.push(json!({ "package": set.label(goal.id), "members": members }));
    }
    text(&json!({ "format": 1, "trees": trees, "findings": doubts(&all) }))
}

/// `add`: a recipe or an error for each project.
pub fn added(projects: &[String], outcomes: &[Result<Added>]) -> String {
    let one = |(project, outcome): (&String, &Result<Added>)| match outcome {
        Ok(added) => json!({ "project": project, "path": added.path, "notes": added.notes }),
        Err(error) => json!({ "project": project, "error": wire::error_json(error) }),
    };
    let recipes: Vec<Value> = projects.iter().zip(outcomes).map(one).collect();
    text(&json!({ "format": 1, "ok": outcomes.iter().all(Result::is_ok), "recipes": recipes }))
}

/// `add`, when versions are chosen.
pub fn addition(added: &Addition, dry_run: bool) -> String {
    let one = |new: &New| {
        let (project, version) = new.label.split_once(' ').unwrap_or((&new.label, ""));
        json!({
            "project": project,
            "version": version,
            "path": new.added.path,
            "for_builds": new.for_builds,
            "notes": new.added.notes,
        })
    };
    text(&json!({
        "format": 1,
        "ok": true,
        "dry_run": dry_run,
        "recipes": added.new.iter().map(one).collect::<Vec<_>>(),
        "had": added.had,
        "kept": added.kept,
        "requests": added.requests,
        "notes": added.notes,
    }))
}

/// `gc`.
pub fn gc(report: &GcReport, dry_run: bool) -> String {
    text(&json!({
        "format": 1,
        "dry_run": dry_run,
        "files": report.blobs,
        "folders": report.trees,
        "environments": report.envs,
        "results": report.realisations,
        "leftovers": report.leftovers,
        "bytes": report.freed,
        "roots": report.roots,
        "dead_roots": report.dead_roots,
        "running": report.running,
    }))
}

/// `store verify`.
pub fn verify(report: &VerifyReport, repair: bool) -> String {
    let damaged = report.corrupted.iter().chain(&report.bound);
    let damaged: Vec<Value> = damaged.map(|(path, why)| json!({ "path": path, "why": why })).collect();
    text(&json!({
        "format": 1,
        "ok": report.is_clean(),
        "files": report.blobs,
        "folders": report.trees,
        "bytes": report.bytes,
        "damaged": damaged,
        "missing": report.missing,
        "database": report.database,
        "moved_aside": report.moved_aside,
        "repaired": repair && !report.is_clean(),
        "forgotten": report.forgotten,
        "removed": report.removed,
        "affected": report.affected,
    }))
}

/// `store path`.
pub fn path(path: &Path) -> String {
    text(&json!({ "format": 1, "path": path }))
}
