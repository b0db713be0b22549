//! What new packages import at once and do not require, mostly because it
//! requires them: plugins, their hosts' imports in them.
//!
//! Knows that only what is in the set anyway can be meant. Must never choose
//! a version.

use std::str::FromStr as _;
use std::sync::Arc;

use recipes::name::{PackageName, Requirement};
use recipes::set::{PackageSet, RecipeId};

use super::super::draft::Metadata;
use super::{Named, Work};
use crate::pep517::project_of;

/// Modules that old Pythons and old setuptools have: to require those would
/// bind builds to them.
const OLD: [&str; 2] = ["distutils", "pkg_resources"];

impl Work<'_, '_> {
    /// Finds such requirements; tells whether there are more of them now.
    pub(super) fn find_undeclared(&mut self) -> bool {
        let mut found = false;
        for target in self.targets.clone() {
            let set = PackageSet::new(self.recipes.clone(), target);
            let first = self.recipes.len() - self.drafts.len();
            for (number, draft) in self.drafts.iter().enumerate() {
                let named = (draft.name.clone(), draft.version.clone());
                for text in missing(&set, RecipeId(first + number), &self.market.imports(&named)) {
                    found |= self.undeclared.entry(named.clone()).or_default().insert(text);
                }
            }
        }
        found
    }

    /// A version's metadata with what was found.
    pub(super) fn completed(&self, named: &Named, metadata: &Arc<Metadata>) -> Arc<Metadata> {
        match self.undeclared.get(named) {
            Some(texts) => Arc::new(metadata.adding(texts)),
            None => Arc::clone(metadata),
        }
    }
}

/// The requirements that a recipe lacks for these modules.
fn missing(set: &PackageSet, id: RecipeId, modules: &[String]) -> Vec<String> {
    let recipe = set.get(id);
    if set.disabled(id).is_some() || modules.is_empty() {
        return Vec::new();
    }
    let Ok(members) = set.run_members(id, &[]) else { return Vec::new() };
    let mut out = Vec::new();
    for module in modules.iter().filter(|module| !OLD.contains(&module.as_str())) {
        let text = project_of(module);
        let Ok(requirement) = Requirement::from_str(&text) else { continue };
        let name = requirement.name();
        let there = *name == recipe.pname || members.iter().any(|m| set.get(m.id).pname == *name);
        let fits = |other: &&RecipeId| requirement.specifiers().contains(&set.get(**other).version);
        let other = set.versions(name).iter().rev().find(fits);
        if !there && other.is_some_and(|other| !is_built_with(set, *other, &recipe.pname)) {
            out.push(text);
        }
    }
    out
}

/// Whether a package, or what it runs with, is built with another one: that
/// cannot need it in turn.
fn is_built_with(set: &PackageSet, id: RecipeId, other: &PackageName) -> bool {
    let Ok(members) = set.run_members(id, &[]) else { return true };
    members.iter().map(|m| m.id).chain([id]).any(|member| match set.build_members(member) {
        Ok(builders) => builders.iter().any(|b| set.get(b.id).pname == *other),
        Err(_) => true,
    })
}
