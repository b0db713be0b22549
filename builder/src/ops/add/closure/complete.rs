//! Recipes that a set lacks once some of it are of other versions.
//!
//! Knows which recipes changed. Must never write, nor take another version of
//! what the workspace has for anything but builds.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use recipes::name::Requirement;
use recipes::recipe::Recipe;
use recipes::solve::Wish;
use recipes::target::Target;

use super::super::market::Market;
use super::{Named, New, Refusal, Work};
use crate::error::Result;

/// Whether a set can be made whole.
pub enum Completed {
    /// With these, which is none in most cases, and what the user should know.
    Done(Vec<(New, Arc<Recipe>)>, BTreeSet<String>),
    /// Not with this changed recipe.
    Refused(Named, String),
}

/// What `changed` recipes, which are among `recipes`, need at run time and to
/// be built, and nobody has.
pub fn complete(
    market: &Market<'_>,
    targets: &[Target],
    (recipes, changed): (&[Arc<Recipe>], &[Arc<Recipe>]),
    dir: PathBuf,
) -> Result<Completed> {
    let mut work =
        Work { changed: changed.to_vec(), ..Work::new(market, targets.to_vec(), recipes.to_vec(), dir) };
    if let Err(Refusal { named, why }) = market.busy(|| work.close())? {
        return Ok(Completed::Refused(named, why));
    }
    let drafts: Vec<Arc<Recipe>> = work.drafts.iter().map(|d| Arc::clone(&d.recipe)).collect();
    let notes = std::mem::take(&mut work.notes);
    Ok(Completed::Done(work.told().new.into_iter().zip(drafts).collect(), notes))
}

impl Work<'_, '_> {
    /// What changed recipes need at run time that is new.
    pub(super) fn changed_ones(&mut self) -> Result<Result<BTreeSet<Named>, Refusal>> {
        let mut new = BTreeSet::new();
        for recipe in self.changed.clone() {
            let named = (recipe.pname.clone(), recipe.version.clone());
            let doing = format!("failed to choose versions for {} {}", named.0, named.1);
            for target in self.targets.clone() {
                if recipe.requires_python.as_ref().is_some_and(|(python, _)| !target.satisfies(python)) {
                    continue;
                }
                let wishes: Vec<Wish> = recipe
                    .dependencies
                    .iter()
                    .map(|d| Wish { requirement: d.requirement.clone(), said: "it needs".to_owned() })
                    .filter(|wish| is_version(&wish.requirement))
                    .collect();
                let solution = match self.choose(&target, (&wishes, &[]), &doing)? {
                    Ok(solution) => solution,
                    Err(sentences) => {
                        let why = format!("cannot be had ({})", sentences.join("; "));
                        return Ok(Err(Refusal { named, why }));
                    }
                };
                let second = solution.picks.iter().find(|(name, pick)| {
                    let ours = |r: &&Arc<Recipe>| r.pname == **name && r.layer != "base";
                    !pick.near
                        && self.recipes[..self.recipes.len() - self.drafts.len()].iter().any(|r| ours(&r))
                });
                if let Some((name, pick)) = second {
                    let has: Vec<String> = self
                        .recipes
                        .iter()
                        .filter(|r| r.pname == *name)
                        .map(|r| r.version.to_string())
                        .collect();
                    let why = format!(
                        "would need {name} {}, of which the set has {}",
                        pick.version,
                        has.join(" and ")
                    );
                    return Ok(Err(Refusal { named, why }));
                }
                new.extend(self.take(solution));
            }
        }
        Ok(Ok(new))
    }
}

fn is_version(requirement: &Requirement) -> bool {
    !matches!(requirement.parsed.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_)))
}
