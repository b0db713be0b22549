//! One version of every project that fits together, from all there are.
//!
//! Knows PEP 440's rules for pre-releases, yanked releases (PEP 592), extras,
//! markers and `requires-python`; the search is pubgrub's. Must never know
//! where versions and their requirements come from: a [`Catalog`] tells.
//!
//! What the set has is taken where it fits, and nobody is asked for more.
//! A pre-release is taken where one is named, where a project has nothing
//! else, and where nothing else fits together at all.

mod bits;
mod explain;
mod provider;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use pubgrub::PubGrubError;

use crate::name::{ExtraName, PackageName, Requirement, Version, VersionSpecifiers};
use crate::target::Target;

use provider::{Node, Provider};

/// One version that may be picked.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The version.
    pub version: Version,
    /// The interpreters it is for, as far as that is known without its metadata.
    pub requires_python: Option<VersionSpecifiers>,
    /// It was withdrawn: only for who pins exactly it.
    pub yanked: bool,
    /// Why it cannot be used whatever is asked: `has no file for this interpreter`.
    pub unusable: Option<String>,
}

impl Candidate {
    /// A version about which nothing more is known.
    pub fn new(version: Version) -> Self {
        Self { version, requires_python: None, yanked: false, unusable: None }
    }
}

/// What one version needs.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The interpreters it is for.
    pub requires_python: Option<VersionSpecifiers>,
    /// Always, under their own markers.
    pub always: Vec<Requirement>,
    /// With an extra.
    pub extras: BTreeMap<ExtraName, Vec<Requirement>>,
}

/// Where versions and their requirements come from.
pub trait Catalog {
    /// Why it cannot tell (a broken network).
    type Error;

    /// The versions that are at hand (the set's): taken where they fit.
    fn near(&self, name: &PackageName) -> Vec<Candidate>;

    /// All other versions; `None` when there is no such project.
    fn all(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>, Self::Error>;

    /// What a version needs; the inner error says why it cannot be used.
    fn needs(&self, name: &PackageName, version: &Version) -> Result<Result<Needs, String>, Self::Error>;

    /// These will be asked about next: a catalog that has to fetch may begin.
    fn expect(&self, _requirements: &[&Requirement]) {}
}

/// A requirement from outside.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What.
    pub requirement: Requirement,
    /// The sentence that ends with it: `you asked for`, `flask 3.1.3 is built with`.
    pub said: String,
}

/// What was picked for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The version.
    pub version: Version,
    /// It was at hand.
    pub near: bool,
    /// The extras asked of it.
    pub extras: BTreeSet<ExtraName>,
}

/// One version of each name that is needed.
#[derive(Clone, Debug, Default)]
pub struct Solution {
    /// By name.
    pub picks: BTreeMap<PackageName, Pick>,
    /// What the user should know: extras that do not exist.
    pub notes: BTreeSet<String>,
}

/// Why there is no solution.
#[derive(Clone, Debug)]
pub enum Failure<E> {
    /// Nothing fits together; the facts that say so, as sentences.
    Conflict(Vec<String>),
    /// The search was not carried to its end.
    GaveUp,
    /// The catalog could not tell.
    Catalog(E),
}

/// Picks versions for all that is wished, and for all that needs. Where
/// several fit: first one of `prefer`, then one at hand, then the highest.
pub fn solve<C: Catalog>(
    catalog: &C,
    target: &Target,
    wishes: &[Wish],
    prefer: &BTreeMap<PackageName, Version>,
) -> Result<Solution, Failure<C::Error>> {
    let mut wide: BTreeSet<PackageName> = BTreeSet::new();
    let mut pre_releases = false;
    loop {
        let provider = Provider::new((catalog, target), wishes, prefer, (wide.clone(), pre_releases));
        let error = match pubgrub::resolve(&provider, Node::Root, 0u32) {
            Ok(found) => return Ok(provider.solution(found)),
            Err(error) => error,
        };
        let mut narrow = provider.must_widen();
        match error {
            PubGrubError::NoSolution(tree) => {
                // Those at hand do not do: all there are may.
                narrow.extend(provider.narrow_ones(tree.packages()));
                if narrow.is_empty() && pre_releases {
                    return Err(Failure::Conflict(explain::sentences(&provider, &tree)));
                }
                pre_releases |= narrow.is_empty();
            }
            _ => {
                if let Some(error) = provider.take_error() {
                    return Err(Failure::Catalog(error));
                }
                if narrow.is_empty() {
                    return Err(Failure::GaveUp);
                }
            }
        }
        wide.extend(narrow);
    }
}
