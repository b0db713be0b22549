//! Why one recipe needs another: the shortest chains of requirements between them.
//!
//! Knows in which closure each requirement is met. Must never know how a chain is drawn.

use std::collections::{HashMap, HashSet};

use crate::diag::Place;
use crate::name::{ExtraName, Requirement};

use super::edge::{Edge, NameId, Said};
use super::{Member, PackageSet, Purpose, RecipeId};

/// One requirement of a chain.
#[derive(Clone, Debug)]
pub struct Link {
    /// Who says it: `flask[async] 3.1.3`.
    pub by: String,
    /// It is needed to build that, not to run it.
    pub build: bool,
    /// What is said.
    pub requirement: Requirement,
    /// The line that says it.
    pub place: Option<Place>,
    /// The recipe that meets it there.
    pub to: RecipeId,
    /// `flask 3.1.3 wants `click>=8` (flask.toml:5)`.
    pub sentence: String,
}

/// Chains of one length: there is no shorter one.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    /// In the order of the recipes' lines.
    pub chains: Vec<Vec<Link>>,
    /// There are more than were asked for.
    pub more: bool,
}

/// Whose closure a version was picked in: `None` is the start's at run time,
/// else that of a recipe's build.
type Context = Option<RecipeId>;

/// A recipe in a closure, or what one of its extras adds.
type Node<'s> = (Context, RecipeId, Option<&'s ExtraName>);

/// A step of a chain: where from, by which requirement.
type Step<'s> = (Node<'s>, &'s Edge);

struct Finder<'s> {
    set: &'s PackageSet,
    start: &'s Member,
    builds: bool,
    /// The version of each name, by closure.
    picked: HashMap<Context, HashMap<NameId, RecipeId>>,
    came: HashMap<Node<'s>, Vec<Step<'s>>>,
}

impl PackageSet {
    /// The shortest chains of requirements, at most so many, from a recipe to
    /// one that a requirement is about; with `builds` also those that lead
    /// through what something is built with. Closures that cannot be made are
    /// followed as far as they go. Nothing leads back to the start.
    pub fn chains(&self, start: &Member, wanted: &Requirement, builds: bool, most: usize) -> Chains {
        let mut finder = Finder { set: self, start, builds, picked: HashMap::new(), came: HashMap::new() };
        let is_wanted = |id: RecipeId| {
            let recipe = self.get(id);
            recipe.pname == *wanted.name() && wanted.specifiers().contains(&recipe.version)
        };
        let mut found: Vec<Vec<Step<'_>>> = Vec::new();
        for end in finder.search(is_wanted) {
            finder.back(end, &mut Vec::new(), &mut |chain| {
                found.push(chain);
                found.len() <= most
            });
        }
        let mut out = Chains { chains: Vec::new(), more: found.len() > most };
        let mut told = HashSet::new();
        for chain in found.into_iter().take(most) {
            let chain: Vec<Link> = chain.into_iter().map(|step| finder.link(step)).collect();
            // Two extras may bring in one line.
            if told.insert(chain.iter().map(|link| link.sentence.clone()).collect::<Vec<_>>()) {
                out.chains.push(chain);
            }
        }
        out
    }
}

impl<'s> Finder<'s> {
    /// Goes outward from the start, one requirement at a time, until what is
    /// wanted is met. Gives where: the same recipe may be so in several closures.
    fn search(&mut self, is_wanted: impl Fn(RecipeId) -> bool) -> Vec<Node<'s>> {
        let extras = self.start.extras.iter().map(Some);
        let mut layer: Vec<Node<'s>> =
            [None].into_iter().chain(extras).map(|extra| (None, self.start.id, extra)).collect();
        let mut seen: HashSet<Node<'s>> = layer.iter().copied().collect();
        while !layer.is_empty() {
            let mut next = Vec::new();
            for node in layer {
                for (edge, to) in self.steps(node) {
                    if !seen.contains(&to) {
                        let steps = self.came.entry(to).or_default();
                        if steps.is_empty() {
                            next.push(to);
                        }
                        steps.push((node, edge));
                    }
                }
            }
            seen.extend(next.iter().copied());
            let met: Vec<Node<'s>> =
                next.iter().copied().filter(|(_, id, extra)| extra.is_none() && is_wanted(*id)).collect();
            if !met.is_empty() {
                return met;
            }
            layer = next;
        }
        Vec::new()
    }

    /// All that can be reached by one requirement.
    fn steps(&mut self, (context, id, extra): Node<'s>) -> Vec<(&'s Edge, Node<'s>)> {
        let set = self.set;
        let mut out = Vec::new();
        let run = match extra {
            None => &set.edges(id).run[..],
            Some(extra) => set.extra_edges(id, extra).unwrap_or_default(),
        };
        self.follow(context, run, &mut out);
        if self.builds && extra.is_none() {
            self.follow(Some(id), &set.edges(id).build, &mut out);
        }
        out
    }

    fn follow(&mut self, context: Context, edges: &'s [Edge], out: &mut Vec<(&'s Edge, Node<'s>)>) {
        // Most recipes lead nowhere, and a closure costs a walk.
        if edges.is_empty() {
            return;
        }
        let picked = self.picked(context);
        for edge in edges.iter().filter(|edge| !edge.url) {
            let Some(to) = edge.to.and_then(|name| picked.get(&name)).copied() else { continue };
            out.push((edge, (context, to, None)));
            out.extend(edge.extras.iter().map(|extra| (edge, (context, to, Some(extra)))));
        }
    }

    fn picked(&mut self, context: Context) -> &HashMap<NameId, RecipeId> {
        let (set, start) = (self.set, self.start);
        self.picked.entry(context).or_insert_with(|| {
            let purpose = match context {
                None => Purpose::Run(start.id, start.extras.clone()),
                Some(id) => Purpose::Build(id),
            };
            set.started(&purpose, |start| {
                let walk = set.resolve(start);
                walk.visits.iter().filter_map(|visit| Some((visit.name, visit.choice?))).collect()
            })
        })
    }

    /// Hands out the chains that end at a node, until `tell` says no.
    fn back(
        &self,
        node: Node<'s>,
        after: &mut Vec<Step<'s>>,
        tell: &mut impl FnMut(Vec<Step<'s>>) -> bool,
    ) -> bool {
        let Some(steps) = self.came.get(&node) else {
            return tell(after.iter().rev().copied().collect());
        };
        for step in steps {
            after.push(*step);
            let on = self.back(step.0, after, tell);
            after.pop();
            if !on {
                return false;
            }
        }
        true
    }

    fn link(&self, ((context, _, _), edge): Step<'s>) -> Link {
        let build = matches!(edge.said, Said::Build(..));
        let context = if build { edge.from() } else { context };
        let picked = self.picked.get(&context).zip(edge.to).and_then(|(picked, name)| picked.get(&name));
        Link {
            by: edge.who(self.set),
            build,
            requirement: edge.requirement(self.set).clone(),
            place: edge.place(self.set).cloned(),
            to: *picked.expect("a step leads to what was picked"),
            sentence: edge.sentence(self.set),
        }
    }
}
