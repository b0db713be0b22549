//! The newest versions of some recipes that keep all that a set requires.
//!
//! Knows who requires what of whom. Must never know a version's requirements
//! but by asking.
//!
//! All begin at their newest. Where a requirement is not met, what is required
//! steps down to the newest version that meets it; where there is none, what
//! requires it steps down. Nothing steps up again, so there is an end, at the
//! latest where all began. What was broken before may stay so.

mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::name::Version;
use crate::recipe::Recipe;
use crate::set::Want;
use crate::target::Target;

use state::{Bounds, Search, State};

/// A recipe that may become another version.
#[derive(Clone, Debug)]
pub struct Slot {
    /// As it is.
    pub recipe: Arc<Recipe>,
    /// The versions it may become, the newest first.
    pub options: Vec<Version>,
    /// It is meant: others move only where these need it.
    pub asked: bool,
    /// It becomes its first option, or nothing does.
    pub pinned: bool,
}

/// A set in which some recipes may become other versions.
pub struct Scene<'a> {
    /// Those that may.
    pub slots: &'a [Slot],
    /// The workspace's others.
    pub fixed: &'a [Arc<Recipe>],
    /// Those of the base set.
    pub base: &'a [Arc<Recipe>],
    /// What environments want.
    pub wants: &'a [Want],
    /// The interpreters the set is for.
    pub targets: &'a [Target],
}

/// What upstream has.
pub trait Upstream {
    /// Why it cannot tell (a broken network).
    type Error;

    /// A slot's recipe as it would be in a version; the inner error says why
    /// it cannot be.
    fn recipe(&self, slot: usize, version: &Version) -> Result<Result<Arc<Recipe>, String>, Self::Error>;

    /// The same, as far as it can be told for little: what it is built with
    /// may be another. Of many versions most are only looked at.
    fn sketch(&self, slot: usize, version: &Version) -> Result<Result<Arc<Recipe>, String>, Self::Error> {
        self.recipe(slot, version)
    }

    /// These may be asked about next, one after the other: who has to fetch
    /// may fetch them side by side.
    fn expect(&self, _slot: usize, _versions: &[Version]) {}
}

/// A version that is not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which slot.
    pub slot: usize,
    /// The newest one that is not taken.
    pub version: Version,
    /// `botocore 1.34 needs urllib3<2.1`.
    pub reasons: Vec<String>,
}

/// What is chosen.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The new recipe of each slot that changes.
    pub picks: Vec<Option<Arc<Recipe>>>,
    /// Those that could be newer, but for others.
    pub held: Vec<Held>,
}

/// How choosing ended.
#[derive(Debug)]
pub enum Outcome {
    /// With a choice, which may be to change nothing.
    Chosen(Choice),
    /// A pinned version breaks others: sentences.
    Broken(Vec<String>),
}

/// Versions that are tried for a recipe that was held, above the one it has.
const MOST_TRIES: usize = 8;

/// Chooses.
pub fn choose<U: Upstream>(scene: &Scene<'_>, upstream: &U) -> Result<Outcome, U::Error> {
    let mut search = Search::new(scene, upstream);
    let mut state = match search.descend(search.newest(), &Bounds::default())? {
        Ok(state) => state,
        Err(sentences) => return Ok(Outcome::Broken(sentences)),
    };
    improve(&mut search, &mut state)?;
    settle(&mut search, &mut state)?;
    let mut choice = Choice::default();
    for (slot, one) in scene.slots.iter().enumerate() {
        let level = state.levels[slot];
        choice.picks.push(match one.options.get(level) {
            Some(_) => Some(search.at(slot, level)?.unwrap_or_else(|_| Arc::clone(&one.recipe))),
            None => None,
        });
        let (true, Some(version)) = (one.asked && level > 0, one.options.first()) else { continue };
        let mut reasons = search.against(&state, slot, 0)?;
        if reasons.is_empty() {
            reasons = search.remembered(slot);
        }
        choice.held.push(Held { slot, version: version.clone(), reasons });
    }
    Ok(Outcome::Chosen(choice))
}

/// Tries newer versions of what was held, each with all else chosen anew: a
/// choice is taken that is better for one and worse for none.
fn improve<U: Upstream>(search: &mut Search<'_, U>, state: &mut State) -> Result<(), U::Error> {
    let held: Vec<usize> =
        (0..state.levels.len()).filter(|i| search.is_asked(*i) && state.levels[*i] > 0).collect();
    for slot in held {
        for level in (0..state.levels[slot]).take(MOST_TRIES) {
            if search.at(slot, level)?.is_err() || search.is_hopeless(slot, level)? {
                continue;
            }
            let mut start = search.newest();
            start.levels[slot] = level;
            let bounds = Bounds { still: BTreeSet::from([slot]), floor: Some(state.levels.clone()) };
            if let Ok(other) = search.descend(start, &bounds)? {
                *state = other;
                break;
            }
        }
    }
    Ok(())
}

/// Puts back what was not asked for and is not needed after all.
fn settle<U: Upstream>(search: &mut Search<'_, U>, state: &mut State) -> Result<(), U::Error> {
    for slot in 0..state.levels.len() {
        let (level, lowest) = (state.levels[slot], search.lowest(slot));
        if search.is_asked(slot) || level == lowest {
            continue;
        }
        state.levels[slot] = lowest;
        if search.first_violation(state)?.is_some() {
            state.levels[slot] = level;
        }
    }
    Ok(())
}
