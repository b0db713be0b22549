//! What comes of a closure: what stands against it, its files, what is told.
//!
//! Knows the drafts that were made. Must never draft another.

use std::collections::BTreeSet;

use recipes::diag::{Finding, Severity};
use recipes::name::{PackageName, Version};
use recipes::set::{Member, PackageSet, RecipeId, Tests};

use super::super::Added;
use super::{Addition, New, Work};
use crate::error::{IoContext as _, Result};

impl Work<'_, '_> {
    /// What would stand against building the new recipes in the set: circles
    /// of build requirements above all.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut out: Vec<Finding> = Vec::new();
        for target in &self.targets {
            let set = PackageSet::new(self.recipes.clone(), target.clone());
            let first = self.recipes.len() - self.drafts.len();
            let new = (first..self.recipes.len()).map(RecipeId).filter(|id| set.disabled(*id).is_none());
            let goals: Vec<Member> = new.map(Member::from).collect();
            for finding in set.findings(&goals, Tests::None) {
                if !out.iter().any(|known| known.message == finding.message) {
                    out.push(finding);
                }
            }
        }
        out.retain(|f| f.severity == Severity::Error);
        out
    }

    /// All of them, or none where the folder cannot be made.
    pub(super) fn write(&self) -> Result<()> {
        if self.drafts.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.dir).doing(|| format!("failed to make `{}`", self.dir.display()))?;
        self.drafts.iter().try_for_each(|d| crate::tree::fs::write_atomic(&d.path, d.text.as_bytes(), 0o644))
    }

    /// What is told of it.
    pub(super) fn told(self) -> Addition {
        let label = |name: &PackageName, version: &Version| format!("{name} {version}");
        let asked: BTreeSet<&PackageName> = self.wishes.iter().map(|w| w.requirement.name()).collect();
        let had = self.kept.iter().filter(|(name, _)| asked.contains(name)).map(|(n, v)| label(n, v));
        let named = asked.iter().filter_map(|name| Some(format!("{name}=={}", self.prefer.get(*name)?)));
        Addition {
            had: had.collect(),
            kept: self.kept.len(),
            requests: self.market.requests(),
            named: named.collect(),
            notes: self.notes,
            new: self
                .drafts
                .into_iter()
                .map(|d| New {
                    label: label(&d.name, &d.version),
                    named: (d.name, d.version),
                    text: d.text,
                    replaces: d.replaces,
                    for_builds: d.for_builds,
                    added: Added { path: d.path, notes: d.notes },
                })
                .collect(),
        }
    }
}
