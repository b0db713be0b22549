//! What `why-depends`, `outdated`, `licenses`, `search` and `list` say with `--json`.
//!
//! Knows the words of each. Must never print, nor be used inside.

use recipes::diag::Finding;
use recipes::recipe::Recipe;
use recipes::search::Hit;
use recipes::set::{Chains, Link, PackageSet, RecipeId};
use serde_json::{Value, json};

use super::{doubts, text};
use crate::cli::inspecting::Licensed;
use crate::ops::outdated::{Outdated, Row};
use crate::ops::report::wire;

/// `why-depends`: the chains, none when there is no need.
pub fn chains(
    (set, start): (&PackageSet, RecipeId),
    (wanted, build): (&str, bool),
    found: &Chains,
    findings: &[Finding],
) -> String {
    let link = |link: &Link| {
        json!({
            "by": link.by,
            "kind": if link.build { "build" } else { "run" },
            "requirement": link.requirement.text.as_ref(),
            "file": link.place.as_ref().map(|place| place.file.path.as_str()),
            "line": link.place.as_ref().map(|place| place.line_col().0),
            "to": set.label(link.to),
        })
    };
    let chains: Vec<Value> = found.chains.iter().map(|chain| chain.iter().map(link).collect()).collect();
    text(&json!({
        "format": 1,
        "package": set.label(start),
        "dependency": wanted,
        "build": build,
        "chains": chains,
        "more": found.more,
        "findings": doubts(findings),
    }))
}

/// `outdated`: each recipe, also those that are not.
pub fn outdated(found: &Outdated) -> String {
    let row = |row: &Row| {
        json!({
            "pname": row.pname.to_string(),
            "version": row.version.to_string(),
            "file": row.file,
            "allowed": row.standing.allowed.as_ref().map(ToString::to_string),
            "newest": row.standing.newest.as_ref().map(ToString::to_string),
            "outdated": row.is_outdated(),
            "yanked": row.yanked,
            "held_by": row.standing.held,
        })
    };
    let skipped = found.skipped.iter();
    let skipped: Vec<Value> =
        skipped.map(|(package, reason)| json!({ "package": package, "reason": reason })).collect();
    let failed = found.failed.iter();
    let failed: Vec<Value> = failed
        .map(|(package, error)| json!({ "package": package, "error": wire::error_json(error) }))
        .collect();
    text(&json!({
        "format": 1,
        "recipes": found.rows.iter().map(row).collect::<Vec<_>>(),
        "skipped": skipped,
        "failed": failed,
        "findings": doubts(&found.findings),
    }))
}

/// `licenses`: each license with its packages, then what is refused.
pub fn licenses(set: &PackageSet, licensed: &Licensed, findings: &[Finding]) -> String {
    let package = |id: &RecipeId| {
        let recipe = set.get(*id);
        let (pname, version) = (recipe.pname.to_string(), recipe.version.to_string());
        json!({ "pname": pname, "version": version, "file": recipe.file.path, "license": recipe.meta.license })
    };
    let groups = licensed.groups.iter();
    let licenses: Vec<Value> = groups
        .map(|(license, ids)| json!({ "license": license, "packages": ids.iter().map(package).collect::<Vec<_>>() }))
        .collect();
    let refused = licensed.refused.iter();
    let refused: Vec<Value> =
        refused.map(|(id, reason)| json!({ "package": set.label(*id), "reason": reason })).collect();
    text(&json!({
        "format": 1,
        "ok": refused.is_empty(),
        "licenses": licenses,
        "unknown": licensed.unknown.iter().map(package).collect::<Vec<_>>(),
        "refused": refused,
        "findings": doubts(findings),
    }))
}

/// `search`: the nearest first.
pub fn hits(hits: &[Hit], near: Option<&str>) -> String {
    let found: Vec<Value> = hits.iter().map(|hit| listed(&hit.recipe)).collect();
    text(&json!({ "format": 1, "recipes": found, "did_you_mean": near }))
}

/// `list`.
pub fn list(recipes: &[&Recipe], findings: &[Finding]) -> String {
    let listed: Vec<Value> = recipes.iter().map(|recipe| listed(recipe)).collect();
    text(&json!({ "format": 1, "recipes": listed, "findings": doubts(findings) }))
}

/// A recipe, so that it can be found again.
fn listed(recipe: &Recipe) -> Value {
    json!({
        "pname": recipe.pname.to_string(),
        "version": recipe.version.to_string(),
        "layer": recipe.layer,
        "file": recipe.file.path,
        "description": recipe.meta.description,
    })
}
