//! The catalog as pubgrub wants it: projects, extras as projects of their own,
//! requirements as sets of versions.
//!
//! Knows which versions may be picked and in which order. Must never know how
//! a failure is told.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::rc::Rc;

use pep440_rs::Operator;
use pep508_rs::VersionOrUrl;
use pubgrub::{
    Dependencies, DependencyProvider, PackageResolutionStatistics, SelectedDependencies, VersionSet as _,
};

use super::bits::Bits;
use super::{Candidate, Catalog, Needs, Pick, Solution, Wish};
use crate::name::{ExtraName, PackageName, Requirement, Version, VersionSpecifiers};
use crate::target::Target;

/// Choices before the search is given up: real closures take some hundreds.
const MOST_CHOICES: u32 = 100_000;

/// What a version is picked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    /// All that is wished.
    Root,
    /// A project.
    Project(PackageName),
    /// An extra of it: needs the project in its own version, and more.
    Extra(PackageName, ExtraName),
}

impl Node {
    pub fn name(&self) -> Option<&PackageName> {
        match self {
            Node::Root => None,
            Node::Project(name) | Node::Extra(name, _) => Some(name),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Root => f.write_str("what is asked for"),
            Node::Project(name) => write!(f, "{name}"),
            Node::Extra(name, extra) => write!(f, "{name}[{extra}]"),
        }
    }
}

/// A project and the versions of it that count in this search.
#[derive(Debug)]
pub(super) struct Known {
    /// Ascending.
    pub candidates: Vec<Candidate>,
    /// Which of them are at hand.
    near: Vec<bool>,
    /// Only those at hand were looked at.
    narrow: bool,
    /// No catalog has it.
    pub missing: bool,
    /// There is a version that is no pre-release and can be used.
    has_final: bool,
    /// In the order of discovery.
    order: usize,
}

/// The search ends; why is kept in the provider.
#[derive(Debug)]
pub(super) struct Halt;

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the search was ended")
    }
}

impl std::error::Error for Halt {}

type Place = (PackageName, u32);

pub(super) struct Provider<'c, C: Catalog> {
    catalog: &'c C,
    pub target: &'c Target,
    pub wishes: &'c [Wish],
    prefer: &'c BTreeMap<PackageName, Version>,
    /// Names of which those at hand were not enough.
    wide: BTreeSet<PackageName>,
    /// Pre-releases where nothing else is left.
    last_resort: bool,
    known: RefCell<HashMap<PackageName, Rc<Known>>>,
    sets: RefCell<HashMap<(PackageName, String), Bits>>,
    needs: RefCell<HashMap<Place, Rc<Result<Needs, String>>>>,
    /// Names for which a requirement names a pre-release.
    pre: RefCell<HashSet<PackageName>>,
    /// Versions that a requirement pins.
    pinned: RefCell<HashSet<Place>>,
    /// What was picked last for a project: its extras follow.
    last: RefCell<HashMap<PackageName, u32>>,
    error: RefCell<Option<C::Error>>,
    widen: RefCell<BTreeSet<PackageName>>,
    choices: Cell<u32>,
}

impl<'c, C: Catalog> Provider<'c, C> {
    pub fn new(
        (catalog, target): (&'c C, &'c Target),
        wishes: &'c [Wish],
        prefer: &'c BTreeMap<PackageName, Version>,
        (wide, last_resort): (BTreeSet<PackageName>, bool),
    ) -> Self {
        Self {
            catalog,
            target,
            wishes,
            prefer,
            wide,
            last_resort,
            known: RefCell::default(),
            sets: RefCell::default(),
            needs: RefCell::default(),
            pre: RefCell::default(),
            pinned: RefCell::default(),
            last: RefCell::default(),
            error: RefCell::default(),
            widen: RefCell::default(),
            choices: Cell::default(),
        }
    }

    pub fn take_error(&self) -> Option<C::Error> {
        self.error.take()
    }

    /// Names of which those at hand were seen not to be enough.
    pub fn must_widen(&self) -> BTreeSet<PackageName> {
        self.widen.take()
    }

    /// Those of which only the versions at hand were looked at.
    pub fn narrow_ones<'n>(&self, nodes: impl IntoIterator<Item = &'n Node>) -> BTreeSet<PackageName> {
        let known = self.known.borrow();
        let names = nodes.into_iter().filter_map(Node::name);
        names.filter(|name| known.get(*name).is_some_and(|k| k.narrow)).cloned().collect()
    }

    pub fn project(&self, name: &PackageName) -> Option<Rc<Known>> {
        self.known.borrow().get(name).cloned()
    }

    pub fn solution(&self, found: SelectedDependencies<Node, u32>) -> Solution {
        let mut solution = Solution::default();
        let mut extras: BTreeMap<PackageName, BTreeSet<ExtraName>> = BTreeMap::new();
        for (node, place) in &found.into_iter().collect::<BTreeMap<_, _>>() {
            let Some(known) = node.name().and_then(|name| self.project(name)) else { continue };
            let version = &known.candidates[*place as usize].version;
            match node {
                Node::Root => {}
                Node::Project(name) => {
                    let near = known.near[*place as usize];
                    let pick = Pick { version: version.clone(), near, extras: BTreeSet::new() };
                    solution.picks.insert(name.clone(), pick);
                }
                Node::Extra(name, extra) => {
                    let needs = self.needs.borrow().get(&(name.clone(), *place)).cloned();
                    if needs.is_some_and(|n| n.as_ref().as_ref().is_ok_and(|n| !n.extras.contains_key(extra)))
                    {
                        solution.notes.insert(format!("{name} {version} has no extra `{extra}`"));
                    } else {
                        extras.entry(name.clone()).or_default().insert(extra.clone());
                    }
                }
            }
        }
        for (name, asked) in extras {
            if let Some(pick) = solution.picks.get_mut(&name) {
                pick.extras = asked;
            }
        }
        solution
    }

    /// Keeps a catalog's error and ends the search.
    fn told<T>(&self, answer: Result<T, C::Error>) -> Result<T, Halt> {
        answer.map_err(|error| {
            *self.error.borrow_mut() = Some(error);
            Halt
        })
    }

    /// Why a version cannot be used whatever is asked.
    pub fn misfit(&self, candidate: &Candidate) -> Option<String> {
        match &candidate.requires_python {
            Some(python) if !self.target.satisfies(python) => Some(format!("is for Python {python}")),
            _ => candidate.unusable.clone(),
        }
    }

    /// The versions of a project: those at hand, if one of them does for this
    /// requirement, else all there are.
    fn look_up(&self, requirement: &Requirement) -> Result<Rc<Known>, Halt> {
        let name = requirement.name();
        let specifiers = requirement.specifiers();
        let fits = |c: &Candidate| specifiers.contains(&c.version) && self.misfit(c).is_none();
        if let Some(known) = self.project(name) {
            if known.narrow && !known.candidates.iter().any(fits) {
                self.widen.borrow_mut().insert(name.clone());
                return Err(Halt);
            }
            return Ok(known);
        }
        let near = self.catalog.near(name);
        let narrow = !self.wide.contains(name) && near.iter().any(fits);
        let mut all: BTreeMap<Version, (Candidate, bool)> = BTreeMap::new();
        let mut missing = near.is_empty();
        if !narrow && let Some(others) = self.told(self.catalog.all(name))? {
            missing = false;
            all.extend(others.into_iter().map(|c| (c.version.clone(), (c, false))));
        }
        all.extend(near.into_iter().map(|c| (c.version.clone(), (c, true))));
        let (candidates, near): (Vec<Candidate>, Vec<bool>) = all.into_values().unzip();
        let is_final = |c: &Candidate| !c.version.any_prerelease() && !c.yanked && self.misfit(c).is_none();
        let has_final = candidates.iter().any(is_final);
        let order = self.known.borrow().len();
        let known = Rc::new(Known { candidates, near, narrow, missing, has_final, order });
        self.known.borrow_mut().insert(name.clone(), Rc::clone(&known));
        Ok(known)
    }

    /// The versions a requirement allows. It is noted what it lets in that
    /// is not for everybody.
    fn set_of(&self, requirement: &Requirement) -> Result<Bits, Halt> {
        let known = self.look_up(requirement)?;
        let (name, specifiers) = (requirement.name(), requirement.specifiers());
        let key = (name.clone(), specifiers.to_string());
        if let Some(set) = self.sets.borrow().get(&key) {
            return Ok(set.clone());
        }
        let fit = known.candidates.iter().enumerate().filter(|(_, c)| specifiers.contains(&c.version));
        let places: Vec<usize> = fit.map(|(place, _)| place).collect();
        if names_pre(&specifiers) {
            self.pre.borrow_mut().insert(name.clone());
        }
        if pins(&specifiers) {
            self.pinned.borrow_mut().extend(places.iter().map(|p| (name.clone(), *p as u32)));
        }
        let set = Bits::of(places);
        self.sets.borrow_mut().insert(key, set.clone());
        Ok(set)
    }

    fn holds(&self, requirement: &Requirement, extra: Option<&ExtraName>) -> bool {
        let marker = &requirement.parsed.marker;
        let with = |extras: &[ExtraName]| marker.evaluate(&self.target.markers, extras);
        marker.is_true() || with(&[]) || extra.is_some_and(|extra| with(std::slice::from_ref(extra)))
    }

    /// What a version needs, as the catalog has it.
    fn needs(&self, name: &PackageName, place: u32) -> Result<Rc<Result<Needs, String>>, Halt> {
        let key = (name.clone(), place);
        if let Some(needs) = self.needs.borrow().get(&key) {
            return Ok(Rc::clone(needs));
        }
        let version = match self.project(name) {
            Some(known) => known.candidates[place as usize].version.clone(),
            None => return Err(Halt),
        };
        let mut needs = self.told(self.catalog.needs(name, &version))?;
        if let Ok(Needs { requires_python: Some(python), .. }) = &needs
            && !self.target.satisfies(python)
        {
            needs = Err(format!("is for Python {python}"));
        }
        let needs = Rc::new(needs);
        self.needs.borrow_mut().insert(key, Rc::clone(&needs));
        Ok(needs)
    }

    /// The requirements of a node in one version whose markers hold; only of
    /// what was looked at.
    pub fn requirements(&self, node: &Node, place: u32) -> Vec<Requirement> {
        let (name, extra) = match node {
            Node::Root => {
                let wished = self.wishes.iter().map(|wish| &wish.requirement);
                return wished.filter(|r| self.holds(r, None)).cloned().collect();
            }
            Node::Project(name) => (name, None),
            Node::Extra(name, extra) => (name, Some(extra)),
        };
        let needs = self.needs.borrow().get(&(name.clone(), place)).cloned();
        let Some(needs) = needs else { return Vec::new() };
        let Ok(needs) = needs.as_ref() else { return Vec::new() };
        let list = match extra {
            None => Some(&needs.always),
            Some(extra) => needs.extras.get(extra),
        };
        list.into_iter().flatten().filter(|r| self.holds(r, extra)).cloned().collect()
    }

    /// Requirements as sets of versions; the error says why they cannot be met.
    fn sets(
        &self,
        node: &Node,
        place: u32,
        requirements: &[Requirement],
    ) -> Result<Result<Vec<(Node, Bits)>, String>, Halt> {
        self.catalog.expect(&requirements.iter().collect::<Vec<_>>());
        let mut sets: Vec<(Node, Bits)> = Vec::new();
        let mut add = |to: Node, set: Bits| match sets.iter_mut().find(|(other, _)| *other == to) {
            Some((_, other)) => *other = other.intersection(&set),
            None => sets.push((to, set)),
        };
        for requirement in requirements {
            if matches!(requirement.parsed.version_or_url, Some(VersionOrUrl::Url(_))) {
                return Ok(Err(format!("needs `{requirement}`, which is an address and no version")));
            }
            let set = self.set_of(requirement)?;
            let own = node.name() == Some(requirement.name());
            // A project may name itself, in the version it has.
            if own && !set.has(place as usize) {
                return Ok(Err(format!("needs `{requirement}`, another version of itself")));
            }
            if !own {
                add(Node::Project(requirement.name().clone()), set.clone());
            }
            for extra in &requirement.parsed.extras {
                let extra = Node::Extra(requirement.name().clone(), extra.clone());
                if extra != *node {
                    add(extra, if own { Bits::singleton(place) } else { set.clone() });
                }
            }
        }
        Ok(Ok(sets))
    }
}

/// Whether a specifier names a pre-release, which lets pre-releases in.
fn names_pre(specifiers: &VersionSpecifiers) -> bool {
    specifiers.iter().any(|s| *s.operator() != Operator::NotEqual && s.any_prerelease())
}

/// Whether a specifier is for one version only.
fn pins(specifiers: &VersionSpecifiers) -> bool {
    specifiers.iter().any(|s| matches!(s.operator(), Operator::Equal | Operator::ExactEqual))
}

impl<C: Catalog> DependencyProvider for Provider<'_, C> {
    type P = Node;
    type V = u32;
    type VS = Bits;
    /// What is in the way of others first; then what was named first, a
    /// project before its extras.
    type Priority = (u32, Reverse<usize>, bool);
    type M = String;
    type Err = Halt;

    fn prioritize(
        &self,
        node: &Node,
        _range: &Bits,
        statistics: &PackageResolutionStatistics,
    ) -> Self::Priority {
        let order = node.name().and_then(|name| self.project(name)).map_or(0, |known| known.order);
        (statistics.conflict_count(), Reverse(order), !matches!(node, Node::Extra(..)))
    }

    fn choose_version(&self, node: &Node, range: &Bits) -> Result<Option<u32>, Halt> {
        let Some(name) = node.name() else { return Ok(range.contains(&0).then_some(0)) };
        self.choices.set(self.choices.get() + 1);
        let Some(known) = self.project(name).filter(|_| self.choices.get() < MOST_CHOICES) else {
            return Err(Halt);
        };
        let last = self.last.borrow().get(name).copied().filter(|_| matches!(node, Node::Extra(..)));
        let pre = !known.has_final || self.pre.borrow().contains(name);
        let pinned = self.pinned.borrow();
        let may = |place: usize| {
            let candidate = &known.candidates[place];
            let withdrawn = candidate.yanked && !pinned.contains(&(name.clone(), place as u32));
            let ripe = pre || known.near[place] || self.last_resort || !candidate.version.any_prerelease();
            range.has(place) && ripe && !withdrawn && self.misfit(candidate).is_none()
        };
        let order = |place: &usize| {
            let version = &known.candidates[*place].version;
            let early = version.any_prerelease() && !pre;
            let wanted = self.prefer.get(name) == Some(version);
            (last == Some(*place as u32), !early, wanted, known.near[*place], *place)
        };
        let choice = (0..known.candidates.len()).filter(|place| may(*place)).max_by_key(order);
        let choice = choice.map(|place| place as u32);
        if let (Node::Project(name), Some(place)) = (node, choice) {
            self.last.borrow_mut().insert(name.clone(), place);
        }
        Ok(choice)
    }

    fn get_dependencies(&self, node: &Node, place: &u32) -> Result<Dependencies<Node, Bits, String>, Halt> {
        if let Some(name) = node.name()
            && let Err(why) = self.needs(name, *place)?.as_ref()
        {
            return Ok(Dependencies::Unavailable(why.clone()));
        }
        let requirements = self.requirements(node, *place);
        let mut sets = match self.sets(node, *place, &requirements)? {
            Ok(sets) => sets,
            Err(why) => return Ok(Dependencies::Unavailable(why)),
        };
        if let Node::Extra(name, _) = node {
            sets.push((Node::Project(name.clone()), Bits::singleton(*place)));
        }
        Ok(Dependencies::Available(sets.into_iter().collect()))
    }
}
