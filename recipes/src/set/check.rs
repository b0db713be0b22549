//! The static check: everything wrong with what some goals need, at once.
//!
//! Knows which closures a plan will need and that building must not go in
//! circles. Must never know how a plan is made.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};

use crate::diag::Finding;

use super::edge::Edge;
use super::trouble::{self, Line, Trouble, What};
use super::{Member, PackageSet, Purpose, RecipeId};

/// Which recipes must be installed before one can be built, by its number;
/// nothing of a recipe that was not met.
#[derive(Default)]
struct BuildGraph<'s>(Vec<Option<Needed<'s>>>);

impl BuildGraph<'_> {
    /// The recipes that were met.
    fn ids(&self) -> impl Iterator<Item = RecipeId> {
        self.0.iter().enumerate().filter(|(_, needs)| needs.is_some()).map(|(id, _)| RecipeId(id))
    }

    fn needs(&self, id: RecipeId) -> impl Iterator<Item = RecipeId> {
        self.0.get(id.0).into_iter().flatten().flat_map(Needed::ids)
    }
}

/// Whose tests are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tests {
    /// Nobody's.
    None,
    /// Those of what is asked for.
    Goals,
    /// Those of all that the goals need at run time, too.
    Dependencies,
}

/// What was met on the way through all closures some goals need.
struct Explored<'s> {
    /// Each once.
    seen: Vec<RecipeId>,
    graph: BuildGraph<'s>,
    troubles: Vec<Trouble>,
}

/// What is still to be looked at; nothing comes twice.
struct Todo {
    met: Vec<bool>,
    ids: VecDeque<RecipeId>,
}

impl Todo {
    fn push(&mut self, id: RecipeId) {
        if !std::mem::replace(&mut self.met[id.0], true) {
            self.ids.push_back(id);
        }
    }
}

/// The members of a closure.
enum Needed<'s> {
    /// Kept by the set: nobody else counts who looks at it.
    Kept(&'s [Member]),
    Whole(Arc<[Member]>),
    /// Of one that cannot be made: as far as it goes.
    Part(Vec<RecipeId>),
}

impl Needed<'_> {
    fn ids(&self) -> impl Iterator<Item = RecipeId> {
        let (whole, part) = match self {
            Self::Kept(members) => (*members, &[][..]),
            Self::Whole(members) => (&members[..], &[][..]),
            Self::Part(ids) => (&[][..], ids.as_slice()),
        };
        whole.iter().map(|member| member.id).chain(part.iter().copied())
    }
}

impl PackageSet {
    /// Everything wrong with the closures that building `goals` and running
    /// tests needs: names, versions, applications, disabled recipes, conflicts
    /// and build cycles. One finding for one cause, in the order of the files.
    /// A disabled goal is an error; leave it out where "all there is" is meant.
    pub fn findings(&self, goals: &[Member], tests: Tests) -> Vec<Finding> {
        self.examined(goals, tests).1
    }

    /// Every recipe that building `goals` and running tests can touch, as far
    /// as the closures go, and what is wrong with them ([`Self::findings`]).
    pub fn examined(&self, goals: &[Member], tests: Tests) -> (BTreeSet<RecipeId>, Vec<Finding>) {
        let Explored { seen, graph, mut troubles } = self.explore(goals, tests);
        troubles.extend(self.cycles(&graph));
        (seen.into_iter().collect(), trouble::findings(self, troubles))
    }

    fn explore(&self, goals: &[Member], tests: Tests) -> Explored<'_> {
        let graph = BuildGraph(self.ids().map(|_| None).collect());
        let mut found = Explored { seen: Vec::new(), graph, troubles: Vec::new() };
        let mut todo = Todo { met: vec![false; self.recipes.len()], ids: VecDeque::new() };
        // Whose run closure was looked at, and is whole.
        let mut looked = vec![false; self.recipes.len()];
        for goal in goals {
            let run = self.needed(&Purpose::Run(goal.id, goal.extras.clone()), &mut found.troubles);
            todo.push(goal.id);
            looked[goal.id.0] |= goal.extras.is_empty() && matches!(run, Needed::Kept(_));
            run.ids().for_each(|id| todo.push(id));
            let tested: BTreeSet<RecipeId> = match tests {
                Tests::None => BTreeSet::new(),
                Tests::Goals => BTreeSet::from([goal.id]),
                // Without a closure there is still the goal itself.
                Tests::Dependencies => run.ids().chain([goal.id]).collect(),
            };
            for id in tested {
                self.needed(&Purpose::Check(id), &mut found.troubles).ids().for_each(|id| todo.push(id));
                if self.get(id).check.inputs.iter().any(|d| !d.requirement.parsed.extras.is_empty()) {
                    found.troubles.extend(self.unknown_extras(&self.check_edges(id)));
                }
            }
        }
        while let Some(id) = todo.ids.pop_front() {
            found.seen.push(id);
            let build = self.needed(&Purpose::Build(id), &mut found.troubles);
            build.ids().for_each(|id| todo.push(id));
            if !looked[id.0] {
                let run = self.needed(&Purpose::Run(id, Vec::new()), &mut found.troubles);
                run.ids().for_each(|id| todo.push(id));
            }
            found.graph.0[id.0] = Some(build);
            let edges = self.edges(id);
            found.troubles.extend(self.unknown_extras(edges.build.iter().chain(&edges.run)));
        }
        found
    }

    /// The recipes that using some others may touch: those whose build, run
    /// or check closure has one of `ids` in it, and so on upwards. Sorted by
    /// name; `ids` themselves are not in it.
    pub fn dependents(&self, ids: &[RecipeId]) -> Vec<RecipeId> {
        let mut users: BTreeMap<RecipeId, BTreeSet<RecipeId>> = BTreeMap::new();
        for id in self.ids() {
            for purpose in [Purpose::Build(id), Purpose::Run(id, Vec::new()), Purpose::Check(id)] {
                for needed in self.needed(&purpose, &mut Vec::new()).ids() {
                    users.entry(needed).or_default().insert(id);
                }
            }
        }
        let mut found: BTreeSet<RecipeId> = ids.iter().copied().collect();
        let mut todo: Vec<RecipeId> = ids.to_vec();
        while let Some(id) = todo.pop() {
            let new = users.get(&id).into_iter().flatten().filter(|user| found.insert(**user));
            todo.extend(new.copied().collect::<Vec<_>>());
        }
        let mut found: Vec<RecipeId> = found.into_iter().filter(|id| !ids.contains(id)).collect();
        found.sort_by_key(|id| self.position(*id));
        found
    }

    /// The members of a closure, as far as it goes; what is wrong is noted.
    fn needed(&self, purpose: &Purpose, troubles: &mut Vec<Trouble>) -> Needed<'_> {
        if let Some(known) = self.kept(purpose).and_then(OnceLock::get) {
            return Needed::Kept(known);
        }
        match self.examine(purpose) {
            Ok(members) => Needed::Whole(members),
            Err(failure) => {
                troubles.extend(failure.troubles);
                Needed::Part(failure.members)
            }
        }
    }

    /// Extras some requirements ask for that nothing they could mean has.
    fn unknown_extras<'e>(&self, edges: impl IntoIterator<Item = &'e Edge>) -> Vec<Trouble> {
        let mut found = Vec::new();
        for edge in edges.into_iter().filter(|edge| !edge.extras.is_empty()) {
            let Some(meant) = edge.to.and_then(|name| self.best(name, &[edge])) else { continue };
            for extra in edge.extras.iter().filter(|extra| self.extra_edges(meant, extra).is_none()) {
                let (what, lines) = (What::UnknownExtra(meant, extra.clone()), vec![Line::of(self, edge)]);
                found.push(Trouble { what, lines, notes: Vec::new() });
            }
        }
        found
    }

    /// One shortest cycle for each knot of recipes that need each other built.
    fn cycles(&self, graph: &BuildGraph<'_>) -> Vec<Trouble> {
        let knotted = knotted(graph);
        let mut covered: BTreeSet<RecipeId> = BTreeSet::new();
        let mut found = Vec::new();
        for start in &knotted {
            if covered.contains(start) {
                continue;
            }
            let Some(cycle) = shortest_cycle(graph, &knotted, *start) else { continue };
            let (down, up) = (reachable(graph, &knotted, *start), reaching(graph, &knotted, *start));
            covered.extend(down.intersection(&up));
            found.push(self.told_cycle(cycle));
        }
        found
    }

    /// A cycle with the line of each requirement on the way.
    fn told_cycle(&self, cycle: Vec<RecipeId>) -> Trouble {
        let (mut lines, mut notes) = (Vec::new(), Vec::new());
        for (i, from) in cycle.iter().enumerate() {
            let to = cycle[(i + 1) % cycle.len()];
            self.build_chain(*from, to, |edge| {
                lines.push(Line::of(self, edge));
                notes.push(edge.sentence(self));
            });
        }
        // The first requirement is where the finding stands.
        lines.truncate(1);
        Trouble { what: What::Cycle(cycle), lines, notes }
    }

    /// The requirements that lead from building one recipe to another.
    fn build_chain(&self, from: RecipeId, to: RecipeId, mut tell: impl FnMut(&Edge)) {
        self.started(&Purpose::Build(from), |start| {
            let walk = self.resolve(start);
            let parent = walk.visits.iter().find(|v| v.choice == Some(to)).and_then(|v| v.parent);
            let chain = parent.map(|edge| walk.chain(self, edge)).unwrap_or_default();
            chain.into_iter().for_each(&mut tell);
        });
    }
}

/// What is left when everything that can be built in some order is taken
/// away: the cycles, and what needs one.
fn knotted(graph: &BuildGraph<'_>) -> BTreeSet<RecipeId> {
    let many = graph.0.len();
    let mut waits = vec![0; many];
    let mut users: Vec<Vec<RecipeId>> = vec![Vec::new(); many];
    for id in graph.ids() {
        for need in graph.needs(id) {
            waits[id.0] += 1;
            users[need.0].push(id);
        }
    }
    let mut ready: Vec<RecipeId> = graph.ids().filter(|id| waits[id.0] == 0).collect();
    while let Some(id) = ready.pop() {
        for user in &users[id.0] {
            waits[user.0] -= 1;
            if waits[user.0] == 0 {
                ready.push(*user);
            }
        }
    }
    graph.ids().filter(|id| waits[id.0] > 0).collect()
}

fn shortest_cycle(
    graph: &BuildGraph<'_>,
    within: &BTreeSet<RecipeId>,
    start: RecipeId,
) -> Option<Vec<RecipeId>> {
    let mut came_from: BTreeMap<RecipeId, RecipeId> = BTreeMap::new();
    let mut todo = VecDeque::from([start]);
    while let Some(id) = todo.pop_front() {
        for next in graph.needs(id).filter(|next| within.contains(next)) {
            if next == start {
                let mut cycle = vec![id];
                while let Some(before) = came_from.get(cycle.last().expect("it has its end")) {
                    cycle.push(*before);
                }
                cycle.reverse();
                return Some(cycle);
            }
            if let Entry::Vacant(place) = came_from.entry(next) {
                place.insert(id);
                todo.push_back(next);
            }
        }
    }
    None
}

fn reachable(graph: &BuildGraph<'_>, within: &BTreeSet<RecipeId>, start: RecipeId) -> BTreeSet<RecipeId> {
    reached(|id| graph.needs(id).filter(|next| within.contains(next)).collect(), start)
}

fn reaching(graph: &BuildGraph<'_>, within: &BTreeSet<RecipeId>, end: RecipeId) -> BTreeSet<RecipeId> {
    let mut reversed: BTreeMap<RecipeId, Vec<RecipeId>> = BTreeMap::new();
    for id in graph.ids().filter(|id| within.contains(id)) {
        graph.needs(id).for_each(|need| reversed.entry(need).or_default().push(id));
    }
    reached(|id| reversed.get(&id).cloned().unwrap_or_default(), end)
}

fn reached(next: impl Fn(RecipeId) -> Vec<RecipeId>, start: RecipeId) -> BTreeSet<RecipeId> {
    let mut seen = BTreeSet::from([start]);
    let mut todo = vec![start];
    while let Some(id) = todo.pop() {
        todo.extend(next(id).into_iter().filter(|next| seen.insert(*next)));
    }
    seen
}
