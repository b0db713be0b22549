//! A recipe as it would be in another version: drafts of the version it has
//! and of the other, and the recipe's own text.
//!
//! Knows where drafts come from. Must never choose a version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use recipes::book::{Layer, LayerFile, assemble};
use recipes::diag::{Severity, SourceFile};
use recipes::name::{ExtraName, Version};
use recipes::recipe::{Kind, Recipe};
use recipes::target::Target;
use recipes::update::{Merged, Upstream, merge};

use super::subjects::Subject;
use crate::error::{Error, Result};
use crate::ops::add::draft::{Draft, Purpose};
use crate::ops::add::{Form, Market, is_strangers, release, unusable};
use crate::ops::outdated::side_by_side;

/// A recipe of another version.
#[derive(Clone, Debug)]
pub struct Ready {
    /// What it says.
    pub recipe: Arc<Recipe>,
    /// How it came to say so.
    pub merged: Merged,
    /// What upstream says its license is, before and now.
    pub license: (Option<String>, Option<String>),
    /// Where its changes are told.
    pub changelog: Option<String>,
    /// What the user should look at.
    pub notes: Vec<String>,
}

/// What upstream says of the version a recipe has.
struct Before {
    /// The draft, or why it cannot be had.
    draft: Result<String, String>,
    recipe: Option<Arc<Recipe>>,
    purpose: Purpose,
}

type Slot<T> = Arc<OnceLock<Result<T>>>;
type Answer = Result<Arc<Ready>, String>;

/// All that was worked out so far.
pub struct Drafts<'a, 'm> {
    /// What may be taken.
    pub market: &'a Market<'m>,
    /// All there is: the version a recipe has may be younger than what may be taken.
    pub past: &'a Market<'m>,
    pub targets: &'a [Target],
    pub subjects: &'a [Subject],
    before: Mutex<HashMap<usize, Slot<Arc<Before>>>>,
    ready: Mutex<HashMap<(usize, Version), Slot<Answer>>>,
    /// Versions that turned out to be of no use.
    refused: Mutex<HashMap<(usize, Version), String>>,
}

impl<'a, 'm> Drafts<'a, 'm> {
    pub fn new(
        (market, past): (&'a Market<'m>, &'a Market<'m>),
        targets: &'a [Target],
        subjects: &'a [Subject],
    ) -> Self {
        let (before, ready, refused) = Default::default();
        Self { market, past, targets, subjects, before, ready, refused }
    }

    /// From now on a version is not to be had.
    pub fn refuse(&self, slot: usize, version: &Version, why: String) {
        lock(&self.refused).insert((slot, version.clone()), why);
    }

    /// A recipe in another version; the inner error says why it cannot be.
    pub fn ready(&self, slot: usize, version: &Version) -> Result<Answer> {
        let key = (slot, version.clone());
        if let Some(why) = lock(&self.refused).get(&key) {
            return Ok(Err(why.clone()));
        }
        let cell = Arc::clone(lock(&self.ready).entry(key).or_default());
        cell.get_or_init(|| self.make(slot, version)).clone()
    }

    fn make(&self, slot: usize, version: &Version) -> Result<Answer> {
        let subject = &self.subjects[slot];
        let before = self.before(slot)?;
        match self.draft(self.market, (subject, version), &before.purpose)? {
            Ok(draft) => self.written(subject, &before, &draft),
            Err(why) => Ok(Err(why)),
        }
    }

    /// The recipe that a draft makes of the one that is there.
    fn written(&self, subject: &Subject, before: &Before, draft: &Draft) -> Result<Answer> {
        let (theirs, new) = match draft.recipe(&subject.path) {
            Ok(made) => made,
            Err(error) if is_strangers(&error) => return Ok(Err(unusable(&error))),
            Err(error) => return Err(error),
        };
        if new.cargo.is_some() && subject.recipe.cargo.is_none() {
            return Ok(Err("is built with cargo now, which is not supported yet".to_owned()));
        }
        let old = before.draft.as_ref().ok().map(String::as_str);
        let merged = match merge(&subject.recipe.file.text, old, &theirs) {
            Ok(merged) => merged,
            Err(why) => {
                return Ok(Err(format!("cannot be written into {}: {why}", subject.recipe.file.path)));
            }
        };
        let recipe = match read(&subject.recipe, &merged.text) {
            Ok(recipe) => recipe,
            Err(why) => {
                return Ok(Err(format!("cannot be written into {}: {why}", subject.recipe.file.path)));
            }
        };
        let license = |recipe: &Recipe| recipe.meta.license.clone();
        let was = before.recipe.as_deref().map_or_else(|| license(&subject.recipe), license);
        let mut notes = draft.notes.clone();
        if let Err(why) = &before.draft {
            notes.push(format!(
                "{} {} {why}: the new version was compared with the recipe itself",
                subject.project, subject.recipe.version
            ));
        }
        notes.extend(of_patches(&recipe));
        let changelog = recipe.meta.changelog.clone();
        let license = (was, license(&new));
        Ok(Ok(Arc::new(Ready { recipe, merged, license, changelog, notes })))
    }

    /// A draft whose source is taken for the one of the version that is there,
    /// if both can be known without a look at the new one.
    fn sketched(&self, slot: usize, version: &Version) -> Result<Option<Answer>> {
        let subject = &self.subjects[slot];
        let (project, own) = (&subject.project, &subject.recipe.version);
        let before = self.before(slot)?;
        let offers = self.market.offers(project)?;
        let offer = offers.iter().flat_map(|all| all.iter()).find(|o| o.version == *version);
        // Without a wheel its metadata is in the sdist.
        let Some(offer) = offer.filter(|o| subject.form == Form::Sdist && !o.wheels.is_empty()) else {
            return Ok(None);
        };
        let hash = offer.sdist.as_ref().and_then(|file| file.sha256);
        let (Some(hash), true) = (hash, before.draft.is_ok()) else { return Ok(None) };
        if let Some(why) = self.targets.iter().find_map(|t| self.market.form(project, offer, t).err()) {
            return Ok(Some(Err(why)));
        }
        let metadata = match self.market.metadata(project, version)? {
            Ok(metadata) => metadata,
            Err(why) => return Ok(Some(Err(why))),
        };
        let sdist = self.past.sdist(project, own)?;
        let draft = Draft::new((project, version), hash, (&sdist.facts, &metadata), &before.purpose);
        self.written(subject, &before, &draft).map(Some)
    }

    /// What upstream says of the version that is there.
    fn before(&self, slot: usize) -> Result<Arc<Before>> {
        let cell = Arc::clone(lock(&self.before).entry(slot).or_default());
        cell.get_or_init(|| self.look_back(slot).map(Arc::new)).clone()
    }

    fn look_back(&self, slot: usize) -> Result<Before> {
        let subject = &self.subjects[slot];
        let mut purpose =
            Purpose { application: subject.recipe.kind == Kind::Application, extras: Vec::new() };
        let lost = |why: String, purpose: Purpose| Before { draft: Err(why), recipe: None, purpose };
        let version = &subject.recipe.version;
        let made = |purpose: &Purpose| -> Result<Result<(String, Arc<Recipe>), String>> {
            let draft = match self.draft(self.past, (subject, version), purpose)? {
                Ok(draft) => draft,
                Err(why) => return Ok(Err(why)),
            };
            match draft.recipe(&subject.path) {
                Ok(made) => Ok(Ok(made)),
                Err(error) if is_strangers(&error) => Ok(Err(unusable(&error))),
                Err(error) => Err(error),
            }
        };
        let (mut text, mut recipe) = match made(&purpose)? {
            Ok(made) => made,
            Err(why) => return Ok(lost(why, purpose)),
        };
        purpose.extras = part_of(&subject.recipe, &recipe);
        if !purpose.extras.is_empty() {
            (text, recipe) = match made(&purpose)? {
                Ok(made) => made,
                Err(why) => return Ok(lost(why, purpose)),
            };
        }
        Ok(Before { draft: Ok(text), recipe: Some(recipe), purpose })
    }

    /// One version's draft in the recipe's form.
    fn draft(
        &self,
        market: &Market<'_>,
        (subject, version): (&Subject, &Version),
        purpose: &Purpose,
    ) -> Result<Result<Draft, String>> {
        let project = &subject.project;
        let offers = market.offers(project)?;
        let Some(offer) = offers.iter().flat_map(|all| all.iter()).find(|o| o.version == *version) else {
            return Ok(Err("is not on the index any more".to_owned()));
        };
        if let Some(why) = self.targets.iter().find_map(|t| market.form(project, offer, t).err()) {
            return Ok(Err(why));
        }
        let metadata = match market.metadata(project, version)? {
            Ok(metadata) => metadata,
            Err(why) => return Ok(Err(why)),
        };
        let of = (project, version);
        match release::draft((market, self.targets), of, (subject.form, &metadata), purpose) {
            Ok(draft) => Ok(Ok(draft)),
            Err(error) if is_strangers(&error) => Ok(Err(unusable(&error))),
            Err(error) => Err(error),
        }
    }
}

impl Upstream for Drafts<'_, '_> {
    type Error = Error;

    fn recipe(&self, slot: usize, version: &Version) -> Result<Result<Arc<Recipe>, String>> {
        Ok(self.ready(slot, version)?.map(|ready| Arc::clone(&ready.recipe)))
    }

    fn sketch(&self, slot: usize, version: &Version) -> Result<Result<Arc<Recipe>, String>> {
        let key = (slot, version.clone());
        let known = lock(&self.ready).get(&key).is_some_and(|cell| cell.get().is_some());
        if known || lock(&self.refused).contains_key(&key) {
            return self.recipe(slot, version);
        }
        match self.sketched(slot, version)? {
            Some(answer) => Ok(answer.map(|ready| Arc::clone(&ready.recipe))),
            None => self.recipe(slot, version),
        }
    }

    fn expect(&self, slot: usize, versions: &[Version]) {
        let project = &self.subjects[slot].project;
        // What fails is told when it is really wanted.
        side_by_side(versions, |version| drop(self.market.metadata(project, version)));
    }
}

/// The extras of an application that its dependencies hold.
fn part_of(own: &Recipe, draft: &Recipe) -> Vec<ExtraName> {
    if own.kind != Kind::Application {
        return Vec::new();
    }
    let has = |text: &str| own.dependencies.iter().any(|d| d.requirement.text.as_ref() == text);
    let extras = draft.optional_dependencies.iter();
    let part = extras.filter(|(_, all)| !all.is_empty() && all.iter().all(|d| has(&d.requirement.text)));
    part.map(|(extra, _)| extra.clone()).collect()
}

/// The recipe that a text is, in the place of another.
fn read(old: &Recipe, text: &str) -> Result<Arc<Recipe>, String> {
    let file = Arc::new(SourceFile { path: old.file.path.clone(), text: text.to_owned() });
    let files = vec![LayerFile { file, pyproject: None }];
    let (mut book, findings) = assemble(&[Layer { name: old.layer.clone(), files }]);
    match findings.into_iter().find(|f| f.severity == Severity::Error) {
        Some(finding) => Err(finding.message),
        None => book.recipes.pop().ok_or_else(|| "it would be no recipe".to_owned()),
    }
}

/// That patches were made for another version.
fn of_patches(recipe: &Recipe) -> Option<String> {
    let many: usize = recipe.sources.iter().map(|source| source.patches.len()).max().unwrap_or(0);
    let them = crate::error::count(many, "patch").replace("patchs", "patches");
    (many > 0).then(|| format!("its {them} are kept: look whether they are still for this version"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
