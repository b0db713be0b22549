//! One walk through a closure: from what is asked for to every name it needs.
//!
//! Knows how a version is picked for a name and what stands in the way. Must
//! never know how a failure is told or what is done after it.

use std::collections::BTreeMap;

use crate::name::ExtraName;

use super::edge::{Edge, NameId};
use super::{PackageSet, RecipeId};

/// What a closure starts from.
#[derive(Clone, Debug, Default)]
pub(super) struct Start<'s> {
    /// Recipes that are in it whatever else is.
    pub roots: Vec<(RecipeId, Vec<ExtraName>)>,
    pub wants: Vec<&'s Edge>,
}

/// One name of a closure.
#[derive(Debug)]
pub(super) struct Visit<'s> {
    pub name: NameId,
    /// The version picked; `None` when there is none, or none yet.
    pub choice: Option<RecipeId>,
    /// A root: no requirement can move it.
    pub pinned: bool,
    /// The requirement that brought it in; `None` for a root.
    pub parent: Option<&'s Edge>,
    /// All requirements on it; kept only where there is something to choose.
    pub asked: Vec<&'s Edge>,
    pub extras: Vec<&'s ExtraName>,
}

/// Why a closure cannot be made.
#[derive(Clone, Debug)]
pub(super) enum Fault<'s> {
    /// No recipe of that name.
    Missing(&'s Edge),
    /// A direct URL.
    Url(&'s Edge),
    /// No version others may depend on satisfies it.
    Unmet(&'s Edge),
    /// No version satisfies them all; or, with a root, they do not allow it.
    Conflict { root: Option<RecipeId>, asked: Vec<&'s Edge> },
    /// Two roots of one name.
    TwoRoots(RecipeId, RecipeId),
    /// A root that is not for this target.
    Disabled(RecipeId),
}

/// How versions are picked where there are several.
#[derive(Clone, Copy)]
pub(super) struct Picks<'p> {
    /// Picked already.
    pub fixed: &'p BTreeMap<NameId, RecipeId>,
    /// Others: the best by what is known so far; else left open.
    pub greedy: bool,
}

/// The end of a walk.
#[derive(Debug)]
pub(super) struct Walk<'s> {
    /// In the order of discovery.
    pub visits: Vec<Visit<'s>>,
    pub faults: Vec<Fault<'s>>,
    /// Extras asked for that the picked recipe does not know.
    pub unknown_extras: Vec<(&'s Edge, &'s ExtraName, RecipeId)>,
    /// The search for other versions was not carried to its end.
    pub gave_up: bool,
}

/// Which visit a name has in the walk that wrote the stamp: no clearing
/// between walks.
#[derive(Debug, Default)]
pub(super) struct Slots {
    stamp: u32,
    of: Vec<(u32, u32)>,
}

/// An extra and the requirement that asks for it, when one does.
type AskedExtra<'s> = (&'s ExtraName, Option<&'s Edge>);

/// Names of a closure for which room is made at first.
const EXPECTED: usize = 64;

struct Walker<'s, 'p> {
    set: &'s PackageSet,
    picks: Picks<'p>,
    slots: &'p mut Slots,
    walk: Walk<'s>,
    /// Visits to expand, without extras or by one extra.
    todo: Vec<(usize, Option<AskedExtra<'s>>)>,
}

impl PackageSet {
    /// Walks from the start over everything it needs, breadth first.
    pub(super) fn walk<'s>(&'s self, start: &'s Start<'s>, picks: Picks<'_>) -> Walk<'s> {
        self.with_slots(|slots| self.walk_in(slots, start, picks))
    }

    fn walk_in<'s>(&'s self, slots: &mut Slots, start: &'s Start<'s>, picks: Picks<'_>) -> Walk<'s> {
        slots.stamp = slots.stamp.wrapping_add(1);
        if slots.stamp == 0 || slots.of.len() != self.name_count() {
            slots.of = vec![(0, 0); self.name_count()];
            slots.stamp = 1;
        }
        let visits = Vec::with_capacity(EXPECTED);
        let walk = Walk { visits, faults: Vec::new(), unknown_extras: Vec::new(), gave_up: false };
        let todo = Vec::with_capacity(EXPECTED);
        let mut walker = Walker { set: self, picks, slots, walk, todo };
        for (root, extras) in &start.roots {
            walker.root(*root, extras);
        }
        start.wants.iter().for_each(|edge| walker.arrive(edge));
        let mut next = 0;
        while let Some((visit, extra)) = walker.todo.get(next).copied() {
            walker.expand(visit, extra);
            next += 1;
        }
        walker.walk
    }

    /// The best version that all requirements allow: the highest, but a
    /// pre-release only when one of them names one or nothing else is left
    /// (PEP 440, "handling of pre-releases").
    pub(super) fn best(&self, name: NameId, asked: &[&Edge]) -> Option<RecipeId> {
        let pre = asked.iter().any(|edge| edge.names_pre);
        let mut last_resort = None;
        for (i, id) in self.versions_of(name).iter().enumerate() {
            if asked.iter().all(|edge| edge.allowed.has(i)) {
                if pre || !self.get(*id).version.any_prerelease() {
                    return Some(*id);
                }
                last_resort.get_or_insert(*id);
            }
        }
        last_resort
    }
}

impl<'s> Walker<'s, '_> {
    fn root(&mut self, id: RecipeId, extras: &'s [ExtraName]) {
        let (name, _) = self.set.position(id);
        let visit = match self.visit_of(name) {
            Some(visit) => visit,
            None => {
                let visit = self.enter(name, Some(id), None);
                self.walk.visits[visit].pinned = true;
                visit
            }
        };
        if let Some(other) = self.walk.visits[visit].choice.filter(|other| *other != id) {
            self.walk.faults.push(Fault::TwoRoots(other, id));
        } else if self.set.misfit(id).is_some() {
            self.walk.faults.push(Fault::Disabled(id));
        }
        extras.iter().for_each(|extra| self.extra(visit, extra, None));
    }

    fn visit_of(&self, name: NameId) -> Option<usize> {
        let (stamp, visit) = self.slots.of[name as usize];
        (stamp == self.slots.stamp).then_some(visit as usize)
    }

    fn enter(&mut self, name: NameId, choice: Option<RecipeId>, parent: Option<&'s Edge>) -> usize {
        let visit = self.walk.visits.len();
        self.slots.of[name as usize] = (self.slots.stamp, visit as u32);
        let (asked, extras) = (Vec::new(), Vec::new());
        self.walk.visits.push(Visit { name, choice, pinned: false, parent, asked, extras });
        if choice.is_some() {
            self.todo.push((visit, None));
        }
        visit
    }

    /// A requirement whose marker holds is met.
    fn arrive(&mut self, edge: &'s Edge) {
        if edge.url {
            return self.walk.faults.push(Fault::Url(edge));
        }
        let Some(name) = edge.to else {
            return self.walk.faults.push(Fault::Missing(edge));
        };
        let visit = match self.visit_of(name) {
            Some(visit) => visit,
            None => {
                let choice = match edge.only {
                    Some(id) => Some(id).filter(|_| edge.allowed.has(0)),
                    None => self.pick(name, edge),
                };
                self.enter(name, choice, Some(edge))
            }
        };
        if edge.only.is_none() {
            self.walk.visits[visit].asked.push(edge);
        } else if !edge.allowed.has(0) {
            self.walk.faults.push(Fault::Unmet(edge));
        }
        edge.extras.iter().for_each(|extra| self.extra(visit, extra, Some(edge)));
    }

    fn pick(&self, name: NameId, edge: &Edge) -> Option<RecipeId> {
        let fixed = self.picks.fixed.get(&name).copied();
        fixed.or_else(|| if self.picks.greedy { self.set.best(name, &[edge]) } else { None })
    }

    fn extra(&mut self, visit: usize, extra: &'s ExtraName, edge: Option<&'s Edge>) {
        let of = &mut self.walk.visits[visit];
        if !of.extras.contains(&extra) {
            of.extras.push(extra);
            if of.choice.is_some() {
                self.todo.push((visit, Some((extra, edge))));
            }
        }
    }

    fn expand(&mut self, visit: usize, extra: Option<AskedExtra<'s>>) {
        let set = self.set;
        let Some(id) = self.walk.visits[visit].choice else { return };
        let Some((extra, edge)) = extra else {
            return set.edges(id).run.iter().for_each(|edge| self.arrive(edge));
        };
        match set.extra_edges(id, extra) {
            Some(edges) => edges.iter().for_each(|edge| self.arrive(edge)),
            None => self.walk.unknown_extras.extend(edge.map(|edge| (edge, extra, id))),
        }
    }
}

impl<'s> Walk<'s> {
    /// The requirements that lead from the start to this one, itself last.
    pub(super) fn chain(&self, set: &PackageSet, edge: &'s Edge) -> Vec<&'s Edge> {
        let mut chain = vec![edge];
        let mut at = edge;
        // A build requirement is where a closure starts.
        while let Some(from) = at.from().filter(|_| !at.is_start()) {
            let (name, _) = set.position(from);
            let Some(parent) = self.visits.iter().find(|v| v.name == name).and_then(|v| v.parent) else {
                break;
            };
            chain.push(parent);
            at = parent;
        }
        chain.reverse();
        chain
    }
}
