//! What files ask for and promise, held against what the index offers.
//!
//! Knows that a promise is about bytes: a version whose files are others is
//! an error, never another version. Must never know how those files are read.

use std::collections::BTreeSet;
use std::sync::Arc;

use recipes::import::lock::{Locked, pinned};
use recipes::name::{PackageName, Requirement, Version};
use recipes::recipe::Recipe;
use recipes::solve::Wish;
use recipes::target::Target;

use super::market::{Form, Market, Offer};
use super::wheels;
use crate::error::{Error, Kind, Result};

/// What files ask for.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    /// Which files, for sentences.
    pub said: String,
    /// All that they say.
    pub locked: Locked,
}

/// What is left to choose.
#[derive(Default)]
pub struct Held {
    pub wishes: Vec<Wish>,
    pub notes: BTreeSet<String>,
}

/// Of what is asked for, what is for these interpreters; its promises are
/// kept by the index. What the set has needs no promise.
pub fn admit(market: &Market<'_>, lock: &Lock, targets: &[Target], set: &[Arc<Recipe>]) -> Result<Held> {
    for_these(lock, targets)?;
    let all: Vec<&Requirement> = lock.locked.wanted.iter().map(|w| &w.requirement).collect();
    market.expect(&all);
    let (mut held, mut broken) = (Held::default(), BTreeSet::new());
    for wanted in &lock.locked.wanted {
        let requirement = &wanted.requirement;
        let is_for = |t: &&Target| requirement.parsed.marker.evaluate(&t.markers, &[]);
        let targets: Vec<Target> = targets.iter().filter(is_for).cloned().collect();
        if targets.is_empty() {
            held.notes.insert(format!("{requirement} is not for this interpreter: no recipe is made"));
            continue;
        }
        let version = pinned(requirement);
        let at_hand = |v: &Version| set.iter().any(|r| r.pname == *requirement.name() && r.version == *v);
        if let Some(version) = version.filter(|v| !at_hand(v)) {
            match judge(market, lock, (requirement.name(), &version), &targets)? {
                Verdict::Good => {}
                Verdict::Elsewhere(why) => {
                    held.notes.insert(format!("{} {version} {why}: no recipe is made", requirement.name()));
                    continue;
                }
                Verdict::Broken(why) => {
                    broken.insert(why);
                }
            }
        }
        let said = format!("{}:{} asks for", wanted.place.file.path, wanted.place.line_col().0);
        held.wishes.push(Wish { requirement: requirement.clone(), said });
    }
    if broken.is_empty() {
        return Ok(held);
    }
    let mut error = Error::new(Kind::Hash, format!("the index has other files than {} promises", lock.said));
    error.causes.extend(broken);
    Err(error.hint("look at who changed what; then lock the versions anew"))
}

/// A lock file for other Pythons has nothing to say of these.
fn for_these(lock: &Lock, targets: &[Target]) -> Result<()> {
    for (pythons, place) in &lock.locked.pythons {
        if let Some(target) = targets.iter().find(|t| !t.satisfies(pythons)) {
            let at = format!("{}:{}", place.file.path, place.line_col().0);
            return Err(Error::input(format!("{at}: this was locked for Python {pythons}"))
                .because(format!("this is {}", target.describe()))
                .hint("take another interpreter with --python, or lock for this one"));
        }
    }
    Ok(())
}

enum Verdict {
    Good,
    /// It is for other platforms.
    Elsewhere(String),
    /// The promise is not kept.
    Broken(String),
}

/// Holds one pinned version against its promise.
fn judge(
    market: &Market<'_>,
    lock: &Lock,
    (name, version): (&PackageName, &Version),
    targets: &[Target],
) -> Result<Verdict> {
    let offers = market.offers(name)?;
    // The solver tells what is not there.
    let Some(offer) = offers.as_ref().and_then(|all| all.iter().find(|o| o.version == *version)) else {
        return Ok(Verdict::Good);
    };
    let named = (name.clone(), version.clone());
    let promise = lock.locked.promises.get(&named);
    if promise.is_some_and(|p| p.only_wheels) {
        market.take_prebuilt(&named, targets)?;
    }
    let forms: Vec<Result<Form, String>> = targets.iter().map(|t| market.form(name, offer, t)).collect();
    if forms.iter().all(Result::is_err) {
        let why = forms.into_iter().find_map(Result::err).filter(|_| lock.locked.loose);
        return Ok(why.map_or(Verdict::Good, Verdict::Elsewhere));
    }
    let source = forms.contains(&Ok(Form::Sdist));
    match promise.is_some_and(|p| !p.hashes.is_empty()) {
        true => keeps(market, (name, offer), source, targets),
        false => Ok(Verdict::Good),
    }
}

/// Whether the files that a recipe would be made of are the promised ones.
fn keeps(
    market: &Market<'_>,
    (name, offer): (&PackageName, &Offer),
    source: bool,
    targets: &[Target],
) -> Result<Verdict> {
    let names: Vec<&str> = offer.wheels.iter().map(|w| w.name.as_str()).collect();
    let chosen: Vec<&str> = match &offer.sdist {
        Some(sdist) if source => vec![&sdist.name],
        _ => wheels::choose(&names, targets).into_iter().map(|(_, file)| file).collect(),
    };
    for file in offer.sdist.iter().chain(&offer.wheels).filter(|f| chosen.contains(&f.name.as_str())) {
        match market.hash_of(name, file) {
            Ok(_) => {}
            Err(error) if error.kind == Kind::Hash => {
                let parts: Vec<&str> =
                    std::iter::once(&error.doing).chain(&error.causes).map(String::as_str).collect();
                return Ok(Verdict::Broken(format!("{name} {}: {}", offer.version, parts.join(": "))));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Verdict::Good)
}
