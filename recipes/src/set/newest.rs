//! How far a recipe may be brought forward: what the set requires of it, and
//! which of the versions that are offered that leaves.
//!
//! Knows who says which requirement. Must never know where versions are offered.

use std::collections::HashMap;

use crate::name::{Requirement, Version};
use crate::solve::Candidate;
use crate::target::Target;

use super::edge::Edge;
use super::{PackageSet, RecipeId};

/// A requirement of the set on one of its recipes.
#[derive(Clone, Debug)]
pub struct Demand {
    /// What is required.
    pub requirement: Requirement,
    /// It lets pre-releases in.
    pub names_pre: bool,
    /// `flask 3.1.3 wants `click>=8` (flask.toml:5)`.
    pub sentence: String,
}

/// What there is beside a recipe's own version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The newest version that all demands allow.
    pub allowed: Option<Version>,
    /// The newest of all.
    pub newest: Option<Version>,
    /// The sentences of the demands that rule the newest out.
    pub held: Vec<String>,
}

impl Standing {
    /// Whether there is anything newer than this.
    pub fn is_newer_than(&self, own: &Version) -> bool {
        self.newest.as_ref().is_some_and(|newest| newest > own)
    }
}

impl PackageSet {
    /// What the recipes of the set, their builds, extras and tests require of
    /// each recipe. Where a name has several versions a requirement is about
    /// those that meet it; about all when none does.
    pub fn demands(&self) -> HashMap<RecipeId, Vec<Demand>> {
        let mut out: HashMap<RecipeId, Vec<Demand>> = HashMap::new();
        for id in self.ids().filter(|id| self.misfit(*id).is_none()) {
            let (edges, tests) = (self.edges(id), self.check_edges(id));
            let extras = self.facts[id.0].extras.get_or_init(|| self.compile_extras(id));
            let extras = extras.iter().flat_map(|(_, edges)| edges);
            for edge in edges.run.iter().chain(&edges.build).chain(extras).chain(&tests) {
                self.demand(id, edge, &mut out);
            }
        }
        out
    }

    fn demand(&self, by: RecipeId, edge: &Edge, out: &mut HashMap<RecipeId, Vec<Demand>>) {
        // What a recipe says of itself goes with it.
        let Some(name) = edge.to.filter(|name| !edge.url && *name != self.position(by).0) else { return };
        let requirement = edge.requirement(self);
        let specifiers = requirement.specifiers();
        let versions = self.versions_of(name);
        let meets = |id: &&RecipeId| specifiers.contains(&self.get(**id).version);
        let none = !versions.iter().any(|id| meets(&id));
        for id in versions.iter().filter(|id| none || meets(id)) {
            out.entry(*id).or_default().push(Demand {
                requirement: requirement.clone(),
                names_pre: edge.names_pre,
                sentence: edge.sentence(self),
            });
        }
    }
}

/// Which of the candidates a recipe of this version could become. What is
/// withdrawn, unusable or for other interpreters is none; a pre-release is one
/// where it is named, where the recipe is one, and where nothing else is left.
pub fn standing(target: &Target, own: &Version, demands: &[Demand], candidates: &[Candidate]) -> Standing {
    let for_python = |c: &Candidate| c.requires_python.as_ref().is_none_or(|p| target.satisfies(p));
    let usable: Vec<&Version> = candidates
        .iter()
        .filter(|c| !c.yanked && c.unusable.is_none() && for_python(c))
        .map(|c| &c.version)
        .collect();
    let pre = own.any_prerelease() || demands.iter().any(|demand| demand.names_pre);
    let best = |fits: &dyn Fn(&Version) -> bool| -> Option<Version> {
        let fitting = || usable.iter().copied().filter(|version| fits(version));
        let best = fitting().filter(|version| pre || !version.any_prerelease()).max();
        best.or_else(|| fitting().max()).cloned()
    };
    let specifiers: Vec<_> = demands.iter().map(|d| (d, d.requirement.specifiers())).collect();
    let allowed = best(&|version| specifiers.iter().all(|(_, s)| s.contains(version)));
    // Where only a pre-release is allowed it may be newer than the newest.
    let newest = best(&|_| true).max(allowed.clone());
    let mut held = Vec::new();
    if let Some(newest) = newest.as_ref().filter(|newest| allowed.as_ref() != Some(*newest)) {
        let against = specifiers.iter().filter(|(_, s)| !s.contains(newest));
        held.extend(against.map(|(demand, _)| demand.sentence.clone()));
        held.dedup();
    }
    Standing { allowed, newest, held }
}
