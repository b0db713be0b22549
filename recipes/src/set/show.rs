//! Closures as text: the tree of what is propagated, and who forced what.
//!
//! Knows how to draw. Must never know a terminal.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::edge::{Edge, NameId};
use super::walk::{Start, Walk};
use super::{Closure, Member, PackageSet, Purpose, RecipeId};
use crate::name::ExtraName;

/// The propagated inputs of a recipe (with extras) as a tree, versions as its run closure
/// has them. What was drawn above is marked `(*)` and not drawn again; what
/// cannot be had is marked with `!`.
pub fn tree(set: &PackageSet, id: RecipeId, extras: &[ExtraName]) -> String {
    set.started(&Purpose::Run(id, extras.to_vec()), |start| {
        let walk = set.resolve(start);
        let out = format!("{}{}\n", set.label(id), extras_told(extras.iter()));
        let mut drawing = Drawing { set, walk: &walk, drawn: BTreeSet::from([id]), out };
        drawing.below(id, "");
        drawing.out
    })
}

/// Every member of a closure and the requirements that put it there, with
/// the higher versions of the set that they ruled out.
pub fn explain(set: &PackageSet, closure: &Closure) -> String {
    set.started(&closure.purpose, |start| {
        let mut out = String::new();
        for member in &closure.members {
            let _ = writeln!(out, "{}{}", set.label(member.id), extras_told(member.extras.iter()));
            let reasons = reasons(set, closure, start, member.id);
            if start.roots.iter().any(|(root, _)| *root == member.id) {
                let _ = writeln!(out, "  asked for");
            }
            for edge in &reasons {
                let _ = writeln!(out, "  {}", edge.sentence(set));
            }
            out.push_str(&ruled_out(set, member.id, &reasons));
        }
        out
    })
}

impl PackageSet {
    /// Who put a member into a closure, and by which requirement.
    pub fn because(&self, closure: &Closure, id: RecipeId) -> Vec<(String, String)> {
        self.started(&closure.purpose, |start| {
            let edges = reasons(self, closure, start, id);
            edges.iter().map(|edge| (edge.who(self), edge.requirement(self).text.to_string())).collect()
        })
    }

    /// The members of a closure that one of them needs itself, in the order
    /// of the closure.
    pub fn needs(&self, closure: &Closure, member: &Member) -> Vec<RecipeId> {
        let mut edges: Vec<&Edge> = self.edges(member.id).run.iter().collect();
        for extra in &member.extras {
            edges.extend(self.extra_edges(member.id, extra).unwrap_or_default());
        }
        let wanted: BTreeSet<NameId> = edges.iter().filter_map(|edge| edge.to).collect();
        let ids = closure.members.iter().map(|other| other.id);
        ids.filter(|id| *id != member.id && wanted.contains(&self.position(*id).0)).collect()
    }
}

/// The requirements of a closure that are about one member.
fn reasons<'s>(set: &'s PackageSet, closure: &Closure, start: &Start<'s>, id: RecipeId) -> Vec<&'s Edge> {
    let (name, _) = set.position(id);
    let mut edges: Vec<&'s Edge> = start.wants.clone();
    for member in &closure.members {
        edges.extend(&set.edges(member.id).run);
        for extra in &member.extras {
            edges.extend(set.extra_edges(member.id, extra).unwrap_or_default());
        }
    }
    edges.retain(|edge| edge.to == Some(name));
    edges
}

fn ruled_out(set: &PackageSet, id: RecipeId, reasons: &[&Edge]) -> String {
    let (name, rank) = set.position(id);
    let mut out = String::new();
    for (bit, other) in set.versions_of(name)[..rank].iter().enumerate() {
        let version = &set.get(*other).version;
        let against = reasons.iter().find(|edge| !edge.requirement(set).specifiers().contains(version));
        let why = match (set.misfit(*other), against) {
            (Some(reason), _) => format!("disabled: {reason}"),
            (None, Some(edge)) => edge.sentence(set),
            (None, None) if version.any_prerelease() => "a pre-release nobody names".to_owned(),
            (None, None) if reasons.iter().any(|edge| !edge.allowed.has(bit)) => "an application".to_owned(),
            (None, None) => "what it needs does not fit the rest".to_owned(),
        };
        let _ = writeln!(out, "  not {version}: {why}");
    }
    out
}

fn extras_told<'e>(extras: impl Iterator<Item = &'e ExtraName>) -> String {
    let names: Vec<String> = extras.map(ToString::to_string).collect();
    if names.is_empty() { String::new() } else { format!(" [{}]", names.join(", ")) }
}

struct Drawing<'a> {
    set: &'a PackageSet,
    walk: &'a Walk<'a>,
    drawn: BTreeSet<RecipeId>,
    out: String,
}

impl Drawing<'_> {
    fn below(&mut self, id: RecipeId, indent: &str) {
        let set = self.set;
        let (name, _) = set.position(id);
        let mut edges: Vec<&Edge> = set.edges(id).run.iter().collect();
        for extra in self.walk.visits.iter().filter(|v| v.name == name).flat_map(|v| &v.extras) {
            edges.extend(set.extra_edges(id, extra).unwrap_or_default());
        }
        edges.retain(|edge| edge.to != Some(name));
        for (i, edge) in edges.iter().enumerate() {
            let last = i + 1 == edges.len();
            let (branch, below) = if last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let chosen = self.walk.visits.iter().find(|v| Some(v.name) == edge.to);
            let Some(chosen) = chosen.and_then(|v| v.choice).filter(|_| !edge.url) else {
                let _ = writeln!(self.out, "{indent}{branch}! {}", edge.requirement(set));
                continue;
            };
            let (label, text) = (set.label(chosen), edge.requirement(set));
            let fits = if edge.allowed.has(set.position(chosen).1) { "" } else { "! " };
            let again = if self.drawn.insert(chosen) { "" } else { " (*)" };
            let _ = writeln!(self.out, "{indent}{branch}{fits}{label} ({text}){again}");
            if again.is_empty() {
                self.below(chosen, &format!("{indent}{below}"));
            }
        }
    }
}
