//! Requirements made ready for walking: names as numbers, versions as bits.
//!
//! Knows which versions of the set a requirement allows and which markers
//! hold on the target. Must never know which closure is being walked.

use std::collections::BTreeSet;

use pep508_rs::{MarkerExpression, MarkerValueExtra, VersionOrUrl};

use crate::diag::Place;
use crate::name::{ExtraName, Requirement};
use crate::recipe::{Dependency, Format, Kind};

use super::{PackageSet, RecipeId, Want};

/// Index into the sorted names of a set.
pub(super) type NameId = u32;

/// Some versions of one name; bit 0 is the highest version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Mask {
    Small(u64),
    Large(Box<[u64]>),
}

impl Mask {
    fn of(len: usize, allows: impl Fn(usize) -> bool) -> Self {
        let word = |w: usize| {
            (w * 64..len.min(w * 64 + 64)).filter(|i| allows(*i)).fold(0, |bits, i| bits | 1 << (i % 64))
        };
        match len {
            0..=64 => Self::Small(word(0)),
            _ => Self::Large((0..len.div_ceil(64)).map(word).collect()),
        }
    }

    pub(super) fn has(&self, index: usize) -> bool {
        match self {
            Self::Small(bits) => index < 64 && bits >> index & 1 == 1,
            Self::Large(words) => words.get(index / 64).is_some_and(|bits| bits >> (index % 64) & 1 == 1),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Small(bits) => *bits == 0,
            Self::Large(words) => words.iter().all(|bits| *bits == 0),
        }
    }
}

/// Where a requirement stands.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// `build-system[i]` of a recipe.
    Build(RecipeId, u32),
    /// `dependencies[i]` of a recipe.
    Run(RecipeId, u32),
    /// `optional-dependencies.EXTRA[i]` of a recipe.
    Extra(RecipeId, Box<ExtraName>, u32),
    /// Asked for from outside, or by the tests of a recipe.
    Want(Box<Want>),
}

/// One requirement whose marker holds.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// The name it is about; `None` when no recipe of the set has it.
    pub to: Option<NameId>,
    /// The recipe it means when the name has but one: most names do, and a
    /// walk then needs to look at nothing else.
    pub only: Option<RecipeId>,
    /// The versions it allows, only those that others may depend on.
    pub allowed: Mask,
    /// A specifier names a pre-release, which lets pre-releases in (PEP 440).
    pub names_pre: bool,
    /// It is a direct URL.
    pub url: bool,
    pub extras: Box<[ExtraName]>,
    pub said: Said,
}

impl Edge {
    /// The recipe that says it, if a recipe does.
    pub(super) fn from(&self) -> Option<RecipeId> {
        match &self.said {
            Said::Build(id, _) | Said::Run(id, _) | Said::Extra(id, _, _) => Some(*id),
            Said::Want(_) => None,
        }
    }

    /// Whether closures begin with it, so that nothing leads to it.
    pub(super) fn is_start(&self) -> bool {
        matches!(self.said, Said::Build(..) | Said::Want(_))
    }

    fn dependency<'s>(&'s self, set: &'s PackageSet) -> Option<&'s Dependency> {
        match &self.said {
            Said::Build(id, i) => set.get(*id).build_system.get(*i as usize),
            Said::Run(id, i) => set.get(*id).dependencies.get(*i as usize),
            Said::Extra(id, extra, i) => set.get(*id).optional_dependencies.get(&**extra)?.get(*i as usize),
            Said::Want(_) => None,
        }
    }

    /// The requirement itself.
    pub(super) fn requirement<'s>(&'s self, set: &'s PackageSet) -> &'s Requirement {
        match (&self.said, self.dependency(set)) {
            (Said::Want(want), _) => &want.requirement,
            (_, Some(dependency)) => &dependency.requirement,
            (_, None) => unreachable!("an edge points at a line of its recipe"),
        }
    }

    /// The line that says it.
    pub(super) fn place<'s>(&'s self, set: &'s PackageSet) -> Option<&'s Place> {
        match &self.said {
            Said::Want(want) => want.place.as_ref(),
            _ => self.dependency(set).map(|dependency| &dependency.place),
        }
    }

    /// Who says it: `flask 3.1.3`, `flask[async] 3.1.3`, or what the want says.
    pub(super) fn who(&self, set: &PackageSet) -> String {
        match &self.said {
            Said::Build(id, _) | Said::Run(id, _) => set.label(*id),
            Said::Extra(id, extra, _) => {
                let recipe = set.get(*id);
                format!("{}[{extra}] {}", recipe.pname, recipe.version)
            }
            Said::Want(want) => want.from.clone(),
        }
    }

    /// `flask 3.1.3 wants click>=8 (flask.toml:5)`.
    pub(super) fn sentence(&self, set: &PackageSet) -> String {
        let verb = match &self.said {
            Said::Build(..) => "is built with",
            _ => "wants",
        };
        let place = self.place(set).map(|place| format!(" ({})", line_of(place))).unwrap_or_default();
        format!("{} {verb} `{}`{place}", self.who(set), self.requirement(set))
    }
}

/// `flask.toml:5`.
pub(super) fn line_of(place: &Place) -> String {
    format!("{}:{}", place.file.path, place.line_col().0)
}

/// The edges of one recipe that hold without extras.
#[derive(Debug)]
pub(super) struct Edges {
    pub build: Vec<Edge>,
    pub run: Vec<Edge>,
}

impl PackageSet {
    /// The edge of a requirement whose marker is known to hold. `own` is the
    /// recipe that says it: a recipe may name itself (`pkg[all]` wants
    /// `pkg[x]`) even when others may not depend on it.
    fn edge(&self, requirement: &Requirement, own: Option<RecipeId>, said: Said) -> Edge {
        let parsed = &requirement.parsed;
        let to = self.name_id(&parsed.name);
        let specifiers = match &parsed.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => Some(specifiers),
            _ => None,
        };
        let versions = to.map_or(&[][..], |name| self.versions_of(name));
        let allows = |i: usize| {
            let id = versions[i];
            specifiers.is_none_or(|s| s.contains(&self.get(id).version))
                && (own == Some(id) || (self.get(id).kind == Kind::Package && self.misfit(id).is_none()))
        };
        Edge {
            to,
            only: if versions.len() == 1 { Some(versions[0]) } else { None },
            allowed: Mask::of(versions.len(), allows),
            names_pre: specifiers.is_some_and(|all| {
                all.iter().any(|s| *s.operator() != pep440_rs::Operator::NotEqual && s.any_prerelease())
            }),
            url: matches!(parsed.version_or_url, Some(VersionOrUrl::Url(_))),
            extras: parsed.extras.clone().into_boxed_slice(),
            said,
        }
    }

    fn holds(&self, requirement: &Requirement, extras: &[ExtraName]) -> bool {
        let marker = &requirement.parsed.marker;
        marker.is_true() || marker.evaluate(&self.target().markers, extras)
    }

    /// The edge of a want from outside; `None` when its marker does not hold.
    pub(super) fn want_edge(&self, want: &Want, own: Option<RecipeId>) -> Option<Edge> {
        self.holds(&want.requirement, &[])
            .then(|| self.edge(&want.requirement, own, Said::Want(Box::new(want.clone()))))
    }

    pub(super) fn compile(&self, id: RecipeId) -> Edges {
        let recipe = self.get(id);
        let list = |from: &[Dependency], own: Option<RecipeId>, said: fn(RecipeId, u32) -> Said| {
            let held = from.iter().enumerate().filter(|(_, d)| self.holds(&d.requirement, &[]));
            // Room for exactly these: every recipe has two such lists.
            let mut edges = Vec::with_capacity(from.len());
            edges.extend(held.map(|(i, d)| self.edge(&d.requirement, own, said(id, i as u32))));
            edges
        };
        // A prebuilt wheel is not built, whatever its recipe says.
        let build = if recipe.format == Format::Wheel { &[][..] } else { &recipe.build_system };
        Edges { build: list(build, None, Said::Build), run: list(&recipe.dependencies, Some(id), Said::Run) }
    }

    /// What each extra the recipe knows adds: its own list, and
    /// `dependencies` whose marker holds only with it (PEP 508). Sorted.
    pub(super) fn compile_extras(&self, id: RecipeId) -> Vec<(ExtraName, Vec<Edge>)> {
        let recipe = self.get(id);
        let mut names: BTreeSet<&ExtraName> = recipe.optional_dependencies.keys().collect();
        let spoken: Vec<ExtraName> = recipe.dependencies.iter().flat_map(extras_in_marker).collect();
        names.extend(&spoken);
        names.into_iter().map(|extra| (extra.clone(), self.compile_extra(id, extra))).collect()
    }

    fn compile_extra(&self, id: RecipeId, extra: &ExtraName) -> Vec<Edge> {
        let recipe = self.get(id);
        let with = std::slice::from_ref(extra);
        let own = recipe.optional_dependencies.get(extra).into_iter().flatten().enumerate();
        let mut edges: Vec<Edge> = own
            .filter(|(_, d)| self.holds(&d.requirement, &[]) || self.holds(&d.requirement, with))
            .map(|(i, d)| {
                self.edge(&d.requirement, Some(id), Said::Extra(id, Box::new(extra.clone()), i as u32))
            })
            .collect();
        let by_marker = recipe.dependencies.iter().enumerate();
        let by_marker = by_marker
            .filter(|(_, d)| !self.holds(&d.requirement, &[]) && self.holds(&d.requirement, with))
            .map(|(i, d)| self.edge(&d.requirement, Some(id), Said::Run(id, i as u32)));
        edges.extend(by_marker);
        edges
    }
}

/// The extras a requirement's marker speaks of.
fn extras_in_marker(dependency: &Dependency) -> Vec<ExtraName> {
    // Few markers do, and taking one apart costs more than this look.
    if !dependency.requirement.text.contains("extra") {
        return Vec::new();
    }
    let marker = &dependency.requirement.parsed.marker;
    let mut names = Vec::new();
    for expression in marker.to_dnf().into_iter().flatten() {
        if let MarkerExpression::Extra { name: MarkerValueExtra::Extra(name), .. } = expression {
            names.push(name);
        }
    }
    names
}
