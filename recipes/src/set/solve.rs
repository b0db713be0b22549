//! Choosing versions for a closure: greedily, and by search where that fails.
//!
//! Knows the order in which choices are tried. Must never know how a failure
//! is told.

use std::collections::{BTreeMap, BTreeSet};

use super::edge::{Edge, NameId};
use super::walk::{Fault, Picks, Start, Walk};
use super::{PackageSet, RecipeId};

/// Walks of one search before it is given up. A search jumps back over
/// choices that have no part in a conflict, so real sets need a handful.
const SEARCH_LIMIT: usize = 2_000;

/// Rounds in which greedy choices may still change each other.
const GREEDY_LIMIT: usize = 24;

type Choices = BTreeMap<NameId, RecipeId>;

impl PackageSet {
    /// The closure of a start. Its walk has no faults, or all that were found
    /// where the greedy choice and the search both failed.
    pub(super) fn resolve<'s>(&'s self, start: &'s Start<'s>) -> Walk<'s> {
        let (mut walk, settled) = self.greedy(start);
        // An older version is never taken for want of a recipe: the user
        // would rather add it.
        let hopeless = |fault: &Fault| {
            matches!(fault, Fault::Missing(_) | Fault::Url(_) | Fault::TwoRoots(..) | Fault::Disabled(_))
        };
        if settled || walk.faults.iter().any(hopeless) {
            return walk;
        }
        let mut search = Search { set: self, start, steps: 0, first: None };
        match search.run(&mut Choices::new()) {
            Ok(choices) => self.walk(start, Picks { fixed: &choices, greedy: true }),
            Err(_) => {
                walk.gave_up = search.steps > SEARCH_LIMIT;
                // Choices that only went in circles leave no fault behind.
                if walk.faults.is_empty() {
                    walk.faults = search.first.take().unwrap_or_default();
                }
                walk
            }
        }
    }

    /// Picks the highest version for every name until nothing changes; what
    /// stands in the way is looked at only then, since a version that is not
    /// kept brings in requirements that do not count.
    fn greedy<'s>(&'s self, start: &'s Start<'s>) -> (Walk<'s>, bool) {
        let mut picks = Choices::new();
        let mut round = 0;
        loop {
            let mut walk = self.walk(start, Picks { fixed: &picks, greedy: true });
            let mut changed = false;
            for visit in walk.visits.iter().filter(|v| !v.pinned && !v.asked.is_empty()) {
                let best = self.best(visit.name, &visit.asked);
                if best.is_some() && best != visit.choice {
                    changed = true;
                    picks.extend(best.map(|id| (visit.name, id)));
                }
            }
            round += 1;
            if !changed || round == GREEDY_LIMIT {
                let clashes = self.clashes(&walk);
                walk.faults.extend(clashes);
                let settled = !changed && walk.faults.is_empty();
                return (walk, settled);
            }
        }
    }

    /// The names for which no version is left, each with the fewest
    /// requirements that rule all of them out.
    fn clashes<'s>(&'s self, walk: &Walk<'s>) -> Vec<Fault<'s>> {
        let mut faults = Vec::new();
        for visit in walk.visits.iter().filter(|v| !v.asked.is_empty()) {
            let empty = visit.asked.iter().filter(|edge| edge.allowed.is_empty());
            let before = faults.len();
            faults.extend(empty.map(|edge| Fault::Unmet(edge)));
            if faults.len() > before {
                continue;
            }
            if let Some(root) = visit.choice.filter(|_| visit.pinned) {
                let (_, bit) = self.position(root);
                let against = visit.asked.iter().find(|edge| !edge.allowed.has(bit));
                faults.extend(against.map(|edge| Fault::Conflict { root: Some(root), asked: vec![edge] }));
            } else if self.best(visit.name, &visit.asked).is_none() {
                faults.push(Fault::Conflict { root: None, asked: self.fewest(visit.name, &visit.asked) });
            }
        }
        faults
    }

    /// A smallest part of the requirements that still allows nothing;
    /// earlier ones are kept by preference, their chains being shorter.
    fn fewest<'s>(&self, name: NameId, asked: &[&'s Edge]) -> Vec<&'s Edge> {
        // Many say the same of a popular name: the first of them speaks for all.
        let mut masks = BTreeSet::new();
        let mut kept: Vec<&'s Edge> =
            asked.iter().copied().filter(|edge| masks.insert(&edge.allowed)).collect();
        for i in (0..kept.len()).rev() {
            let mut without = kept.clone();
            without.remove(i);
            if self.best(name, &without).is_none() {
                kept = without;
            }
        }
        kept
    }
}

/// A depth-first search with conflict-directed backjumping.
struct Search<'s> {
    set: &'s PackageSet,
    start: &'s Start<'s>,
    steps: usize,
    /// The first dead end, for the message.
    first: Option<Vec<Fault<'s>>>,
}

impl<'s> Search<'s> {
    /// Completes the choices, or says which of them are to blame.
    fn run(&mut self, choices: &mut Choices) -> Result<Choices, BTreeSet<NameId>> {
        self.steps += 1;
        if self.steps > SEARCH_LIMIT {
            // Blaming nothing ends the search.
            return Err(BTreeSet::new());
        }
        let walk = self.set.walk(self.start, Picks { fixed: choices, greedy: false });
        if let Some(blame) = self.dead_end(&walk, choices) {
            return Err(blame);
        }
        let Some(open) = walk.visits.iter().find(|v| v.choice.is_none()) else {
            return Ok(walk.visits.iter().filter_map(|v| Some((v.name, v.choice?))).collect());
        };
        // What ruled out candidates here is to blame as well.
        let mut blame: BTreeSet<NameId> = BTreeSet::new();
        open.asked.iter().for_each(|edge| self.blame(&walk, edge, choices, &mut blame));
        for id in self.candidates(open.name, &open.asked) {
            choices.insert(open.name, id);
            let found = self.run(choices);
            choices.remove(&open.name);
            match found {
                Ok(done) => return Ok(done),
                Err(other) if !other.contains(&open.name) => return Err(other),
                Err(other) => blame.extend(other.into_iter().filter(|name| *name != open.name)),
            }
        }
        Err(blame)
    }

    /// What the choices so far make impossible, as the choices to blame.
    fn dead_end(&mut self, walk: &Walk<'s>, choices: &Choices) -> Option<BTreeSet<NameId>> {
        let mut faults = walk.faults.clone();
        let mut blame = BTreeSet::new();
        for fault in &walk.faults {
            if let Fault::Missing(edge) | Fault::Url(edge) | Fault::Unmet(edge) = fault {
                self.blame(walk, edge, choices, &mut blame);
            }
        }
        for visit in walk.visits.iter().filter(|v| !v.asked.is_empty()) {
            let dead = match visit.choice {
                Some(id) => {
                    let (_, bit) = self.set.position(id);
                    visit.asked.iter().any(|edge| !edge.allowed.has(bit))
                }
                None => self.set.best(visit.name, &visit.asked).is_none(),
            };
            if dead {
                blame.extend(choices.contains_key(&visit.name).then_some(visit.name));
                visit.asked.iter().for_each(|edge| self.blame(walk, edge, choices, &mut blame));
                let root = visit.choice.filter(|_| visit.pinned);
                let asked = self.set.fewest(visit.name, &visit.asked);
                faults.push(Fault::Conflict { root, asked });
            }
        }
        if faults.is_empty() {
            return None;
        }
        self.first.get_or_insert(faults);
        Some(blame)
    }

    /// The choices without which the requirement would not be there.
    fn blame(&self, walk: &Walk<'s>, edge: &'s Edge, choices: &Choices, into: &mut BTreeSet<NameId>) {
        let chain = walk.chain(self.set, edge);
        let names = chain.iter().filter_map(|edge| edge.from()).map(|id| self.set.position(id).0);
        into.extend(names.filter(|name| choices.contains_key(name)));
    }

    /// All versions the requirements allow, in the order of preference.
    fn candidates(&self, name: NameId, asked: &[&Edge]) -> Vec<RecipeId> {
        let pre = asked.iter().any(|edge| edge.names_pre);
        let all = self.set.versions_of(name).iter().enumerate();
        let mut fit: Vec<RecipeId> =
            all.filter(|(i, _)| asked.iter().all(|e| e.allowed.has(*i))).map(|(_, id)| *id).collect();
        if !pre {
            fit.sort_by_key(|id| self.set.get(*id).version.any_prerelease());
        }
        fit
    }
}
