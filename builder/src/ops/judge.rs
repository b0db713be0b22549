//! What `[meta]` says against using a recipe.
//!
//! Knows `kind`, `broken` and `known-vulnerabilities`. Must never know how a package
//! is built: these are the recipe's own words.

use std::collections::BTreeSet;

use recipes::diag::{Code, Finding, Severity};
use recipes::recipe::{Kind, Recipe};
use recipes::set::{Member, PackageSet, RecipeId};

/// A recipe marked as broken is needed.
pub const BROKEN: Code = Code("W506");
/// A recipe with known vulnerabilities is needed.
pub const VULNERABLE: Code = Code("W507");

/// An application is asked for as a member of an environment.
pub const APPLICATION: Code = Code("W509");

/// Applications among what an environment is to hold: nothing of them can be
/// imported, which need not be built to be known.
pub fn applications(set: &PackageSet, goals: &[Member]) -> Vec<Finding> {
    let recipes = goals.iter().map(|goal| set.get(goal.id)).filter(|r| r.kind == Kind::Application);
    recipes
        .map(|recipe| {
            let name = &recipe.pname;
            let message = format!("`{name}` is an application, so it cannot be imported in an environment");
            Finding::error(APPLICATION, recipe.place.clone(), message)
                .hint(format!("`wheelwright build {name}` makes its executables: they are in `result/bin`"))
                .hint("to import it, write kind = \"package\" in its recipe; its executables stay")
        })
        .collect()
}

/// Why a recipe is not to be built when it was not asked for by name.
pub fn reason(recipe: &Recipe, allow_broken: bool) -> Option<String> {
    (recipe.meta.broken && !allow_broken).then(|| "it is marked as broken".to_owned())
}

/// As in nixpkgs, what is marked as broken is an error before anything is
/// built, unless allowed. Known vulnerabilities are told each time.
pub fn findings(set: &PackageSet, needed: &BTreeSet<RecipeId>, allow_broken: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for recipe in needed.iter().map(|id| set.get(*id)) {
        let name = || format!("{} {}", recipe.pname, recipe.version);
        if reason(recipe, allow_broken).is_some() {
            let message = format!("`{}` is marked as broken", name());
            findings.push(
                Finding::error(BROKEN, recipe.place.clone(), message)
                    .hint("take another version, or try it all the same with --allow-broken"),
            );
        }
        if !recipe.meta.known_vulnerabilities.is_empty() {
            let all = recipe.meta.known_vulnerabilities.join(", ");
            let message = format!("`{}` has known vulnerabilities: {all}", name());
            findings.push(
                Finding::error(VULNERABLE, recipe.place.clone(), message)
                    .with_severity(Severity::Warning)
                    .hint("take a version that is not affected"),
            );
        }
    }
    findings
}
