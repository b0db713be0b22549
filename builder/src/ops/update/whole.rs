//! The choice that keeps the set whole: versions, recipes that are new, and
//! what the set says of both together.
//!
//! Knows that what turns out to be of no use is refused, and all chosen again.
//! Must never write.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use recipes::diag::{Code, Finding, Severity};
use recipes::name::Version;
use recipes::recipe::Recipe;
use recipes::set::{Member, PackageSet, Tests, Want};
use recipes::update::{Choice, Outcome, Scene, Slot, choose, culprits};

use super::subjects::Options;
use super::upstream::{Drafts, Ready};
use crate::error::{Error, Result};
use crate::ops::add::{Completed, New, complete};
use crate::ops::load::Loaded;
use crate::ops::outdated::side_by_side;

/// All that is chosen from.
pub struct Whole<'a, 'm> {
    pub loaded: &'a Loaded,
    pub drafts: &'a Drafts<'a, 'm>,
    /// By subject.
    pub options: &'a [Options],
    /// Where new recipes go.
    pub dir: PathBuf,
}

/// A choice, with what it needs.
pub struct Chosen {
    pub choice: Choice,
    pub new: Vec<(New, Arc<Recipe>)>,
    pub notes: BTreeSet<String>,
}

/// Rounds before the user has to choose.
const MOST_ROUNDS: usize = 60;

/// What a finding is about, whatever it says.
pub type About = (Code, Option<String>);

impl Whole<'_, '_> {
    /// Chooses until nothing is wrong.
    pub fn choose(&self) -> Result<Chosen> {
        let slots = self.slots();
        self.look_ahead(&slots);
        let before = self.wrong(&self.loaded.book.recipes);
        let known: HashSet<About> = before.iter().map(about).collect();
        for _ in 0..MOST_ROUNDS {
            let choice = self.once(&slots)?;
            let recipes = self.recipes(&choice, |_| true);
            let changed: Vec<Arc<Recipe>> = choice.picks.iter().flatten().cloned().collect();
            let market = self.drafts.market;
            let completed = complete(market, self.drafts.targets, (&recipes, &changed), self.dir.clone())?;
            let (new, notes) = match completed {
                Completed::Done(new, notes) => (new, notes),
                Completed::Refused((name, version), why) => {
                    let is_it = |pick: &Option<Arc<Recipe>>| {
                        pick.as_ref().is_some_and(|r| r.pname == name && r.version == version)
                    };
                    let slot = choice.picks.iter().position(is_it);
                    let slot = slot.ok_or_else(|| Error::bug(format!("{name} {version} {why}")))?;
                    self.refuse(&slots, (slot, &version), why)?;
                    continue;
                }
            };
            let mut with_new = recipes;
            with_new.extend(new.iter().map(|(_, recipe)| Arc::clone(recipe)));
            let wrong = self.wrong(&with_new);
            let Some(finding) = wrong.into_iter().find(|f| !known.contains(&about(f))) else {
                return Ok(Chosen { choice, new, notes });
            };
            self.blame(&slots, (&choice, &new), (&known, &finding))?;
        }
        Err(Error::input("failed to find versions that go together")
            .hint("name the recipes that matter most, one after the other"))
    }

    fn slots(&self) -> Vec<Slot> {
        let all = self.drafts.subjects.iter().zip(self.options);
        all.map(|(subject, options)| Slot {
            recipe: Arc::clone(&subject.recipe),
            options: options.versions.clone(),
            asked: subject.asked,
            pinned: subject.exactly.is_some(),
        })
        .collect()
    }

    /// Fetches what will be asked for: the newest of each.
    fn look_ahead(&self, slots: &[Slot]) {
        let asked: Vec<(usize, &Version)> = slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.asked)
            .filter_map(|(i, slot)| Some((i, slot.options.first()?)))
            .collect();
        // What fails is told when it is really wanted.
        side_by_side(&asked, |(slot, version)| drop(self.drafts.ready(*slot, version)));
    }

    fn once(&self, slots: &[Slot]) -> Result<Choice> {
        let taken: HashSet<usize> = self.drafts.subjects.iter().map(|s| s.id.0).collect();
        let others = self.loaded.book.recipes.iter().enumerate().filter(|(id, _)| !taken.contains(id));
        let (base, fixed): (Vec<_>, Vec<_>) =
            others.map(|(_, recipe)| Arc::clone(recipe)).partition(|recipe| recipe.layer == "base");
        let wants: Vec<Want> = self.wants().into_values().flatten().collect();
        let scene = Scene { slots, fixed: &fixed, base: &base, wants: &wants, targets: self.drafts.targets };
        match choose(&scene, self.drafts)? {
            Outcome::Chosen(choice) => Ok(choice),
            Outcome::Broken(sentences) => {
                let pinned = slots.iter().filter(|slot| slot.pinned && !slot.options.is_empty());
                let names: Vec<String> =
                    pinned.map(|slot| format!("{}=={}", slot.recipe.pname, slot.options[0])).collect();
                let mut error = Error::input(format!("{} cannot be taken", names.join(" and ")));
                error.causes = sentences;
                Err(error.hint("name what would break as well, so that it may be newer, too"))
            }
        }
    }

    /// What environments want, by their names.
    fn wants(&self) -> BTreeMap<&String, Vec<Want>> {
        let envs = self.loaded.workspace.envs.iter();
        envs.map(|(name, env)| {
            let want = |d: &recipes::recipe::Dependency| Want {
                requirement: d.requirement.clone(),
                from: format!("[env.{name}]"),
                place: Some(d.place.clone()),
            };
            (name, env.packages.iter().map(want).collect())
        })
        .collect()
    }

    /// The workspace's recipes with those picks that `takes` says.
    fn recipes(&self, choice: &Choice, takes: impl Fn(usize) -> bool) -> Vec<Arc<Recipe>> {
        let mut all = self.loaded.book.recipes.clone();
        for (slot, pick) in choice.picks.iter().enumerate().filter(|(slot, _)| takes(*slot)) {
            if let Some(recipe) = pick {
                all[self.drafts.subjects[slot].id.0] = Arc::clone(recipe);
            }
        }
        all
    }

    /// What is wrong with a set: with each of its recipes, and with its
    /// environments.
    fn wrong(&self, recipes: &[Arc<Recipe>]) -> Vec<Finding> {
        let mut out = Vec::new();
        for target in self.drafts.targets {
            let set = PackageSet::new(recipes.to_vec(), target.clone());
            let usable = |id: &recipes::set::RecipeId| {
                let recipe = set.get(*id);
                recipe.layer != "base"
                    && set.disabled(*id).is_none()
                    && crate::ops::judge::reason(recipe, false).is_none()
            };
            let goals: Vec<Member> = set.ids().filter(usable).map(Member::from).collect();
            out.extend(set.findings(&goals, Tests::Goals));
            for wants in self.wants().values() {
                out.extend(set.close(&[], wants).err().into_iter().flatten());
            }
        }
        out.retain(|f| f.severity == Severity::Error);
        out
    }

    /// Refuses the fewest picks without which a finding would not be there.
    fn blame(
        &self,
        slots: &[Slot],
        (choice, new): (&Choice, &[(New, Arc<Recipe>)]),
        (known, finding): (&HashSet<About>, &Finding),
    ) -> Result<()> {
        let picked: Vec<usize> = (0..choice.picks.len()).filter(|i| choice.picks[*i].is_some()).collect();
        let found = culprits(&picked, |left_out: &[usize]| {
            let mut recipes = self.recipes(choice, |slot| !left_out.contains(&slot));
            recipes.extend(new.iter().map(|(_, recipe)| Arc::clone(recipe)));
            Ok::<_, Error>(!self.wrong(&recipes).iter().any(|f| !known.contains(&about(f))))
        })?;
        let culprits =
            found.ok_or_else(|| Error::input("failed to keep the set whole").because(&finding.message))?;
        let at = finding.place.as_ref().map_or_else(String::new, |place| {
            format!(", which {}:{} wants", place.file.path, place.line_col().0)
        });
        let why = format!("cannot be taken ({}{at})", finding.message.replace('`', ""));
        for slot in culprits {
            if let Some(recipe) = &choice.picks[slot] {
                self.refuse(slots, (slot, &recipe.version), why.clone())?;
            }
        }
        Ok(())
    }

    fn refuse(&self, slots: &[Slot], (slot, version): (usize, &Version), why: String) -> Result<()> {
        if slots[slot].pinned {
            let name = &slots[slot].recipe.pname;
            return Err(Error::input(format!("{name}=={version} cannot be taken"))
                .because(format!("{name} {version} {why}")));
        }
        self.drafts.refuse(slot, version, why);
        Ok(())
    }

    /// How the recipe of a pick came to be.
    pub fn ready(&self, slot: usize, version: &Version) -> Result<Arc<Ready>> {
        self.drafts.ready(slot, version)?.map_err(Error::bug)
    }
}

/// What a finding is about.
pub fn about(finding: &Finding) -> About {
    (finding.code, finding.place.as_ref().map(|place| place.file.path.clone()))
}
