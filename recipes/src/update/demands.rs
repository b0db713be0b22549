//! What the recipes of a set require of each other, whatever version each is of.
//!
//! Knows markers and extras. Must never know which versions are tried.

use std::collections::HashSet;

use crate::name::{ExtraName, PackageName, Requirement};
use crate::recipe::{Dependency, Format, Recipe, Runner};
use crate::target::Target;

/// What a requirement is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum For {
    /// Building.
    Build,
    /// Running.
    Run,
    /// An extra.
    Extra(ExtraName),
    /// The tests.
    Check,
}

/// A requirement of a recipe.
#[derive(Clone, Debug)]
pub struct Demand {
    pub what: For,
    pub requirement: Requirement,
}

/// A project's extra that somebody asks for.
pub type Extra = (PackageName, ExtraName);

/// All that a recipe requires on any of the targets.
pub fn of(recipe: &Recipe, targets: &[Target]) -> Vec<Demand> {
    let mut out = Vec::new();
    let mut take = |what: For, list: &[Dependency]| {
        let extras: Vec<ExtraName> = match &what {
            For::Extra(extra) => vec![extra.clone()],
            _ => Vec::new(),
        };
        let holds = |r: &Requirement| {
            let is_address = matches!(r.parsed.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_)));
            !is_address && targets.iter().any(|t| r.parsed.marker.evaluate(&t.markers, &extras))
        };
        let held = list.iter().map(|d| &d.requirement).filter(|r| *r.name() != recipe.pname && holds(r));
        out.extend(held.map(|r| Demand { what: what.clone(), requirement: r.clone() }));
    };
    take(For::Run, &recipe.dependencies);
    if recipe.format != Format::Wheel {
        take(For::Build, &recipe.build_system);
    }
    for (extra, list) in &recipe.optional_dependencies {
        take(For::Extra(extra.clone()), list);
    }
    if recipe.check.enable {
        take(For::Check, &recipe.check.inputs);
        if recipe.check.runner == Runner::Pytest {
            let requirement: Requirement = "pytest".parse().expect("a bare name is a requirement");
            if recipe.pname != *requirement.name() {
                out.push(Demand { what: For::Check, requirement });
            }
        }
    }
    out
}

/// The extras that requirements ask for.
pub fn asked<'r>(requirements: impl IntoIterator<Item = &'r Requirement>) -> HashSet<Extra> {
    let extras = requirements.into_iter().flat_map(|r| {
        r.parsed.extras.iter().map(|extra| (r.name().clone(), extra.clone())).collect::<Vec<_>>()
    });
    extras.collect()
}
