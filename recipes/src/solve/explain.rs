//! Why nothing fits together, in sentences about projects and versions.
//!
//! Knows pubgrub's derivation. Must never know how the search went on: only
//! the facts at the leaves of the derivation are told, from what was asked
//! for to what stands in its way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pubgrub::{DerivationTree, External, VersionSet as _};

use super::bits::Bits;
use super::provider::{Known, Node, Provider};
use super::{Candidate, Catalog};
use crate::name::PackageName;

type Tree = DerivationTree<Node, Bits, String>;
type Fact = External<Node, Bits, String>;

/// Sentences that are told of one project and what it needs of another: the
/// older versions in the way are only counted.
const MOST_OF_A_PAIR: usize = 2;

/// The facts of a derivation as sentences.
pub(super) fn sentences<C: Catalog>(provider: &Provider<'_, C>, tree: &Tree) -> Vec<String> {
    let mut facts: Vec<&Fact> = Vec::new();
    leaves(tree, &mut BTreeSet::new(), &mut facts);
    let mut pairs: BTreeMap<(&Node, &Node), Vec<&Bits>> = BTreeMap::new();
    let mut about: BTreeMap<&Node, Vec<&Fact>> = BTreeMap::new();
    // What no version satisfies needs no other fact to fail.
    let mut absent: BTreeSet<Option<&PackageName>> = BTreeSet::new();
    for fact in facts {
        match fact {
            External::FromDependencyOf(from, versions, to, allowed) => {
                if *allowed == Bits::empty() && is_absent(provider, (from, versions), to) {
                    absent.insert(to.name());
                }
                pairs.entry((from, to)).or_default().push(versions);
            }
            External::NoVersions(node, _) | External::Custom(node, _, _) => {
                about.entry(node).or_default().push(fact);
            }
            External::NotRoot(..) => {}
        }
    }
    let mut told: Vec<String> = Vec::new();
    let mut tell = |sentences: Vec<String>| {
        for sentence in sentences {
            if !told.contains(&sentence) {
                told.push(sentence);
            }
        }
    };
    // From the root outward; a project and its extras are one place.
    let (mut todo, mut seen) = (VecDeque::from([None]), BTreeSet::from([None]));
    while let Some(name) = todo.pop_front() {
        for ((from, to), versions) in pairs.iter().filter(|((from, _), _)| from.name() == name) {
            tell(needs(provider, from, to, versions));
            if seen.insert(to.name()) {
                todo.push_back(to.name());
            }
        }
        for (_, facts) in about.iter().filter(|(node, _)| node.name() == name) {
            tell(facts.iter().filter_map(|fact| alone(provider, fact)).collect());
        }
        if absent.contains(&name) {
            tell(
                name.and_then(|name| Some(none_of(provider, name, (&*provider.project(name)?, &[]))))
                    .into_iter()
                    .collect(),
            );
        }
    }
    told
}

/// The leaves, each once, those of the first cause first.
fn leaves<'t>(tree: &'t Tree, seen: &mut BTreeSet<usize>, out: &mut Vec<&'t Fact>) {
    match tree {
        DerivationTree::External(fact) => out.push(fact),
        DerivationTree::Derived(derived) => {
            if derived.shared_id.is_some_and(|id| !seen.insert(id)) {
                return;
            }
            leaves(&derived.cause1, seen, out);
            leaves(&derived.cause2, seen, out);
        }
    }
}

/// `flask 3.1 needs werkzeug>=3.1`, the highest versions first.
fn needs<C: Catalog>(provider: &Provider<'_, C>, from: &Node, to: &Node, sets: &[&Bits]) -> Vec<String> {
    let Some(to) = to.name() else { return Vec::new() };
    let Some(name) = from.name() else {
        let wished = provider.wishes.iter().filter(|wish| wish.requirement.name() == to);
        return wished.map(|wish| format!("{} {}", wish.said, wish.requirement)).collect();
    };
    let Some(known) = provider.project(name) else { return Vec::new() };
    // Versions that say the same are told of together.
    let mut texts: Vec<(String, Vec<usize>)> = Vec::new();
    for place in (0..known.candidates.len()).rev().filter(|p| sets.iter().any(|set| set.has(*p))) {
        let wanted = provider.requirements(from, place as u32);
        let wanted: Vec<&str> = wanted.iter().filter(|r| r.name() == to).map(|r| head(&r.text)).collect();
        if wanted.is_empty() {
            continue;
        }
        let text = wanted.join(" and ");
        match texts.iter_mut().find(|(other, _)| *other == text) {
            Some((_, places)) => places.push(place),
            None => texts.push((text, vec![place])),
        }
    }
    let version = |place: usize| &known.candidates[place].version;
    let rest: usize = texts.iter().skip(MOST_OF_A_PAIR).map(|(_, places)| places.len()).sum();
    let mut out: Vec<String> = Vec::new();
    for (text, places) in texts.iter().take(MOST_OF_A_PAIR) {
        out.push(match places.as_slice() {
            [one] => format!("{from} {} needs {text}", version(*one)),
            [one, other] => format!("{from} {} and {} need {text}", version(*one), version(*other)),
            [one, .., last] => {
                format!("{from} {} down to {} need {text}", version(*one), version(*last))
            }
            [] => continue,
        });
    }
    if rest > 0 {
        let (versions, verb) = if rest == 1 { ("version", "needs") } else { ("versions", "need") };
        out.push(format!("{rest} older {versions} of {from} {verb} other versions of {to} that do not fit"));
    }
    out
}

/// Whether one requirement alone is for versions that are not there.
fn is_absent<C: Catalog>(provider: &Provider<'_, C>, (from, versions): (&Node, &Bits), to: &Node) -> bool {
    let Some(known) = to.name().and_then(|name| provider.project(name)) else { return false };
    let places = from.name().and_then(|name| provider.project(name)).map_or(1, |k| k.candidates.len());
    (0..places).filter(|place| versions.has(*place)).any(|place| {
        let wanted = provider.requirements(from, place as u32);
        wanted.iter().filter(|r| Some(r.name()) == to.name()).any(|r| {
            let specifiers = r.specifiers();
            !known.candidates.iter().any(|c| specifiers.contains(&c.version))
        })
    })
}

/// A requirement without its marker, which holds.
fn head(text: &str) -> &str {
    text.split_once(';').map_or(text, |(head, _)| head).trim_end()
}

/// That there is no version, or none that can be used.
fn alone<C: Catalog>(provider: &Provider<'_, C>, fact: &Fact) -> Option<String> {
    let (node, set, why) = match fact {
        External::NoVersions(node, set) => (node, set, None),
        External::Custom(node, set, why) => (node, set, Some(why)),
        _ => return None,
    };
    let name = node.name()?;
    let known = provider.project(name)?;
    let among: Vec<&Candidate> =
        known.candidates.iter().enumerate().rev().filter(|(p, _)| set.has(*p)).map(|(_, c)| c).collect();
    if let Some(why) = why {
        let versions: Vec<String> = among.iter().take(3).map(|c| c.version.to_string()).collect();
        return Some(format!("{name} {} {why}", versions.join(", ")));
    }
    Some(none_of(provider, name, (&known, &among)))
}

/// Why none of some versions can be picked.
fn none_of<C: Catalog>(
    provider: &Provider<'_, C>,
    name: &PackageName,
    (known, among): (&Known, &[&Candidate]),
) -> String {
    if known.missing {
        return format!("there is no project `{name}`");
    }
    let Some(first) = among.first() else {
        let newest = known.candidates.iter().rev().find(|c| !c.yanked && !c.version.any_prerelease());
        return match newest.or(known.candidates.last()) {
            Some(newest) => format!("{name} has no such version, the newest is {}", newest.version),
            None => format!("{name} has no version at all"),
        };
    };
    let reason = |c: &Candidate| match provider.misfit(c) {
        Some(why) => why,
        None if c.yanked => "was withdrawn (yanked)".to_owned(),
        None => "is a pre-release".to_owned(),
    };
    let why = reason(first);
    let alike = among.iter().take_while(|c| reason(c) == why).count();
    let others = match (alike - 1, among.len() - alike) {
        (0, 0) => String::new(),
        (0, 1) => ", and one other cannot be used either".to_owned(),
        (0, more) => format!(", and {more} others cannot be used either"),
        (_, _) => format!(", and so on down to {}", among.last().map_or(&first.version, |c| &c.version)),
    };
    let here = if why.starts_with("is for Python") {
        format!(" (this is {})", provider.target.python())
    } else {
        String::new()
    };
    format!("{name} {} {why}{here}{others}", first.version)
}
