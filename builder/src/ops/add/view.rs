//! The set and the index together, as the solver wants them.
//!
//! Knows that a recipe of the set comes before a release of the index. Must
//! never know why a version is wanted.

use std::collections::BTreeMap;

use recipes::name::{PackageName, Requirement, Version};
use recipes::recipe::{Kind, Recipe};
use recipes::set::{PackageSet, RecipeId};
use recipes::solve::{Candidate, Catalog, Needs};

use super::market::Market;
use crate::error::{Error, Result};

/// Both, for one interpreter.
pub struct View<'a, 'm> {
    pub market: &'a Market<'m>,
    pub set: &'a PackageSet,
    /// What rules versions out.
    pub limits: &'a [Requirement],
}

impl View<'_, '_> {
    /// The recipes of a name that others may need.
    fn recipes(&self, name: &PackageName) -> impl Iterator<Item = (RecipeId, &Recipe)> {
        let all = self.set.versions(name).iter().map(|id| (*id, self.set.get(*id)));
        all.filter(|(_, recipe)| recipe.kind == Kind::Package)
    }

    /// The limit that a version is beyond.
    fn limit(&self, name: &PackageName, version: &Version) -> Option<String> {
        let beyond = |limit: &&Requirement| {
            limit.name() == name
                && limit.parsed.marker.evaluate(&self.set.target().markers, &[])
                && !limit.specifiers().contains(version)
        };
        self.limits.iter().find(beyond).map(|limit| format!("is ruled out by the constraint {limit}"))
    }
}

impl Catalog for View<'_, '_> {
    type Error = Error;

    fn near(&self, name: &PackageName) -> Vec<Candidate> {
        let candidate = |(id, recipe): (RecipeId, &Recipe)| {
            let disabled = self.set.disabled(id).map(|why| format!("of the set cannot be used: {why}"));
            let unusable = disabled.or_else(|| self.limit(name, &recipe.version));
            Candidate { unusable, ..Candidate::new(recipe.version.clone()) }
        };
        self.recipes(name).map(candidate).collect()
    }

    fn all(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>> {
        let Some(offers) = self.market.offers(name)? else { return Ok(None) };
        let candidate = |offer: &super::market::Offer| Candidate {
            version: offer.version.clone(),
            requires_python: offer.python.clone(),
            yanked: offer.yanked,
            unusable: self
                .limit(name, &offer.version)
                .or_else(|| self.market.form(name, offer, self.set.target()).err()),
        };
        Ok(Some(offers.iter().map(candidate).collect()))
    }

    fn needs(&self, name: &PackageName, version: &Version) -> Result<Result<Needs, String>> {
        if let Some((_, recipe)) = self.recipes(name).find(|(_, recipe)| recipe.version == *version) {
            return Ok(Ok(needs_of(recipe)));
        }
        Ok(self.market.metadata(name, version)?.map(|metadata| metadata.needs()))
    }

    fn expect(&self, requirements: &[&Requirement]) {
        self.market.expect(requirements);
    }
}

fn needs_of(recipe: &Recipe) -> Needs {
    let list = |from: &[recipes::recipe::Dependency]| from.iter().map(|d| d.requirement.clone()).collect();
    let extras: BTreeMap<_, _> =
        recipe.optional_dependencies.iter().map(|(extra, from)| (extra.clone(), list(from))).collect();
    Needs { requires_python: None, always: list(&recipe.dependencies), extras }
}
