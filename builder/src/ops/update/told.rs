//! A choice as a proposal: files, what changed, and who uses what.
//!
//! Knows how files are named after versions. Must never choose.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use recipes::name::{PackageName, Version};
use recipes::recipe::Recipe;
use recipes::set::{PackageSet, RecipeId, Users};

use super::subjects::Subject;
use super::whole::{Chosen, Whole};
use super::{Bump, Goal, HeldBack, NewRecipe, Proposal};
use crate::error::{Error, Result};

/// Puts a choice into words.
pub fn tell(whole: &Whole<'_, '_>, chosen: Chosen, proposal: &mut Proposal) -> Result<()> {
    let Chosen { choice, new, notes } = chosen;
    let subjects = whole.drafts.subjects;
    let after = after(whole, &choice.picks, &new);
    let users = after.users();
    for (slot, pick) in choice.picks.iter().enumerate() {
        let Some(recipe) = pick else { continue };
        let ready = whole.ready(slot, &recipe.version)?;
        let subject = &subjects[slot];
        let (rebuilds, others) = told_users(&after, &users, subject.id);
        let offer = whole.drafts.market.offer(&subject.project, &recipe.version)?;
        let of_sdist = offer.sdist.as_ref().and_then(|file| file.uploaded.clone());
        proposal.bumps.push(Bump {
            pname: recipe.pname.clone(),
            old: subject.recipe.version.clone(),
            new: recipe.version.clone(),
            path: (subject.path.clone(), path_after(subject, &recipe.version)?),
            text: (subject.recipe.file.text.clone(), ready.merged.text.clone()),
            recipe: Arc::clone(recipe),
            along: !subject.asked,
            uploaded: of_sdist.or_else(|| offer.wheels.first().and_then(|file| file.uploaded.clone())),
            changes: ready.merged.changes.clone(),
            kept: ready.merged.kept.clone(),
            license: ready.license.clone(),
            changelog: ready.changelog.clone(),
            rebuilds,
            users: others,
            notes: ready.notes.clone(),
        });
    }
    in_order(&mut proposal.bumps);
    proposal.goals = goals(&after, &users, &proposal.bumps);
    for held in choice.held {
        let subject = &subjects[held.slot];
        let pick = choice.picks[held.slot].as_ref();
        proposal.held.push(HeldBack {
            pname: subject.recipe.pname.clone(),
            at: pick.map_or_else(|| subject.recipe.version.clone(), |recipe| recipe.version.clone()),
            version: held.version,
            reasons: held.reasons,
        });
    }
    let recipes: Vec<Arc<Recipe>> = new.iter().map(|(_, recipe)| Arc::clone(recipe)).collect();
    let needed = needed_by(&proposal.bumps, &recipes);
    for ((new, _), needed_by) in new.into_iter().zip(needed) {
        proposal.new.push(NewRecipe {
            label: new.label,
            path: new.added.path,
            text: new.text,
            for_builds: new.for_builds,
            needed_by,
            notes: new.added.notes,
        });
    }
    proposal.held.sort_by(|a, b| (&a.pname, &a.version).cmp(&(&b.pname, &b.version)));
    proposal.notes.extend(notes);
    Ok(())
}

/// The set as it will be.
fn after(
    whole: &Whole<'_, '_>,
    picks: &[Option<Arc<Recipe>>],
    new: &[(crate::ops::add::New, Arc<Recipe>)],
) -> PackageSet {
    let mut all = whole.loaded.book.recipes.clone();
    for (subject, pick) in whole.drafts.subjects.iter().zip(picks) {
        if let Some(recipe) = pick {
            all[subject.id.0] = Arc::clone(recipe);
        }
    }
    all.extend(new.iter().map(|(_, recipe)| Arc::clone(recipe)));
    PackageSet::new(all, whole.drafts.targets[0].clone())
}

/// What the bumps can be seen in, as far as this interpreter can use it.
fn goals(set: &PackageSet, users: &Users, bumps: &[Bump]) -> Vec<Goal> {
    let mut found: BTreeMap<RecipeId, BTreeSet<usize>> = BTreeMap::new();
    for (i, bump) in bumps.iter().enumerate() {
        let own = set.versions(&bump.pname).iter().copied().find(|id| set.get(*id).version == bump.new);
        for id in own.into_iter().flat_map(|id| users.touched(id).into_iter().chain([id])) {
            found.entry(id).or_default().insert(i);
        }
    }
    let usable = |id: &RecipeId| {
        let recipe = set.get(*id);
        recipe.layer != "base"
            && set.disabled(*id).is_none()
            && crate::ops::judge::reason(recipe, false).is_none()
    };
    let goal = |(id, touched_by): (RecipeId, BTreeSet<usize>)| {
        let recipe = set.get(id);
        let bump = bumps.iter().position(|b| b.pname == recipe.pname && b.new == recipe.version);
        Goal { pname: recipe.pname.clone(), version: recipe.version.clone(), bump, touched_by }
    };
    found.into_iter().filter(|(id, _)| usable(id)).map(goal).collect()
}

/// What of the workspace is built anew, and what else runs with it.
fn told_users(set: &PackageSet, users: &Users, id: RecipeId) -> (Vec<String>, Vec<String>) {
    let ours = |ids: BTreeSet<RecipeId>| -> BTreeSet<RecipeId> {
        ids.into_iter().filter(|id| set.get(*id).layer != "base").collect()
    };
    let rebuilt = ours(users.rebuilt(id));
    let touched = ours(users.touched(id));
    let names = |ids: &mut dyn Iterator<Item = &RecipeId>| -> Vec<String> {
        let mut names: Vec<String> = ids.map(|id| set.get(*id).pname.to_string()).collect();
        names.sort();
        names.dedup();
        names
    };
    (names(&mut rebuilt.iter()), names(&mut touched.difference(&rebuilt)))
}

/// `NAME-VERSION.toml` follows the version.
fn path_after(subject: &Subject, new: &Version) -> Result<PathBuf> {
    let old = &subject.path;
    let stem = old.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(name) = stem.strip_suffix(&format!("-{}", subject.recipe.version)) else {
        return Ok(old.clone());
    };
    let path = old.with_file_name(format!("{name}-{new}.toml"));
    match path.exists() {
        false => Ok(path),
        true => Err(Error::input(format!("failed to name the recipe of {name} {new}"))
            .because(format!("`{}` exists", path.display()))
            .hint("move it away, or give the recipe's file another name")),
    }
}

/// What others need comes first; else by name.
fn in_order(bumps: &mut Vec<Bump>) {
    bumps.sort_by(|a, b| (&a.pname, &a.old).cmp(&(&b.pname, &b.old)));
    let mut left: Vec<Bump> = std::mem::take(bumps);
    while !left.is_empty() {
        let names: BTreeSet<PackageName> = left.iter().map(|bump| bump.pname.clone()).collect();
        let free = |bump: &Bump| !named(&bump.recipe).any(|name| *name != bump.pname && names.contains(name));
        // Of a circle the first by name.
        let at = left.iter().position(free).unwrap_or(0);
        bumps.push(left.remove(at));
    }
}

/// The names a recipe requires.
fn named(recipe: &Recipe) -> impl Iterator<Item = &PackageName> {
    let lists = [&recipe.dependencies, &recipe.build_system, &recipe.check.inputs];
    lists.into_iter().flatten().map(|d| d.requirement.name())
}

/// Which bumps lead to each of the new recipes.
fn needed_by(bumps: &[Bump], new: &[Arc<Recipe>]) -> Vec<BTreeSet<usize>> {
    let mut by_name: BTreeMap<&PackageName, Vec<usize>> = BTreeMap::new();
    for (i, recipe) in new.iter().enumerate() {
        by_name.entry(&recipe.pname).or_default().push(i);
    }
    let mut out = vec![BTreeSet::new(); new.len()];
    for (bump, one) in bumps.iter().enumerate() {
        let mut todo: Vec<&Recipe> = vec![&one.recipe];
        while let Some(recipe) = todo.pop() {
            for i in named(recipe).filter_map(|name| by_name.get(name)).flatten() {
                if out[*i].insert(bump) {
                    todo.push(&new[*i]);
                }
            }
        }
    }
    out
}
