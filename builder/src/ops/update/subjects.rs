//! Which recipes can be brought to other versions, and to which.
//!
//! Knows whose recipes are whose, and what an index offers. Must never choose
//! between versions.

use std::path::PathBuf;
use std::sync::Arc;

use recipes::diag::Finding;
use recipes::name::{PackageName, Requirement, Version, VersionSpecifiers};
use recipes::recipe::{Format, Origin, Recipe};
use recipes::set::{PackageSet, RecipeId};
use recipes::target::Target;

use super::{Level, Request};
use crate::error::{Error, Result};
use crate::ops::add::{Form, Market, Offer};
use crate::ops::load::Loaded;

/// A recipe of the workspace that comes from an index.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The recipe's place in the book.
    pub id: RecipeId,
    pub recipe: Arc<Recipe>,
    /// Whose page its versions are on.
    pub project: PackageName,
    /// `index` of its source.
    pub on: Option<String>,
    /// From source, or prebuilt: it stays so.
    pub form: Form,
    /// Its file.
    pub path: PathBuf,
    /// It is meant.
    pub asked: bool,
    /// `NAME==VERSION`.
    pub exactly: Option<Version>,
    /// The version of another recipe of that name that it stays below.
    pub below: Option<Version>,
}

/// What is meant, and what is not.
#[derive(Default)]
pub struct Subjects {
    pub all: Vec<Subject>,
    /// Recipes that are left alone, and why.
    pub skipped: Vec<(String, String)>,
    /// What is wrong with the words.
    pub findings: Vec<Finding>,
}

/// What is asked of a name.
struct Word {
    name: PackageName,
    exactly: Option<Version>,
}

/// Sorts the recipes of a set.
pub fn subjects(loaded: &Loaded, set: &PackageSet, request: &Request) -> Result<Subjects> {
    let words: Vec<Word> = request.names.iter().map(|text| word(text)).collect::<Result<_>>()?;
    let mut out = Subjects::default();
    for (word, text) in words.iter().zip(&request.names) {
        if set.versions(&word.name).is_empty() {
            out.findings.extend(set.select(word.name.as_ref()).err());
        } else if set.versions(&word.name).iter().all(|id| set.get(*id).layer == "base") {
            let why = "it is of the base set: `wheelwright add` puts one of your own before it";
            out.skipped.push((text.clone(), why.to_owned()));
        }
    }
    for id in set.ids().filter(|id| set.get(*id).layer != "base") {
        let asked = request.all || words.iter().any(|word| word.name == set.get(id).pname);
        match subject(loaded, id) {
            Ok(subject) => out.all.push(Subject { asked, ..subject }),
            Err(why) if asked => out.skipped.push((set.label(id), why)),
            Err(_) => {}
        }
    }
    stack(&mut out.all);
    for word in words.iter().filter(|word| word.exactly.is_some()) {
        pin(&mut out.all, word);
    }
    Ok(out)
}

fn word(text: &str) -> Result<Word> {
    let wrong = |why: String| {
        Error::input(format!("`{text}` is no recipe's name")).because(why).hint("write NAME or NAME==VERSION")
    };
    if let Some((name, version)) = text.split_once("==") {
        let name = name.trim().parse().map_err(|e| wrong(format!("{e}")))?;
        let version = version.trim().parse().map_err(|e| wrong(format!("{e}")))?;
        return Ok(Word { name, exactly: Some(version) });
    }
    let wanted: Requirement = text.parse().map_err(wrong)?;
    if wanted.text.as_ref() != text.trim()
        || !wanted.specifiers().is_empty()
        || !wanted.parsed.extras.is_empty()
    {
        return Err(wrong("only one version can be asked for".to_owned()));
    }
    Ok(Word { name: wanted.name().clone(), exactly: None })
}

/// A recipe whose versions an index knows, or why it is none.
fn subject(loaded: &Loaded, id: RecipeId) -> Result<Subject, String> {
    let recipe = Arc::clone(&loaded.book.recipes[id.0]);
    if !recipe.layer.starts_with("recipes") {
        return Err(format!("it stands in the {}", recipe.layer));
    }
    if let Some(row) = loaded.book.origins(id.0).into_iter().find(|row| row.2 != recipe.layer) {
        return Err(format!("it is extended by {}: change its file by hand", row.3));
    }
    let of_index = recipe.sources.iter().find_map(|source| match &source.origin {
        Origin::Pypi { project, index, .. } => Some((project, index.clone())),
        _ => None,
    });
    let Some((project, on)) = of_index else {
        return Err(match recipe.sources.first().map(|source| &source.origin) {
            Some(Origin::Git { .. }) => "its source is a git repository".to_owned(),
            Some(Origin::Path { .. }) => "its source is a folder".to_owned(),
            _ => "its source is an address".to_owned(),
        });
    };
    let project = project.parse().map_err(|_| format!("`{project}` is no project's name"))?;
    let path = loaded.disk.get(&recipe.file.path).cloned().ok_or("its file is not on disk")?;
    let form = if recipe.format == Format::Wheel { Form::Wheel } else { Form::Sdist };
    let (asked, exactly, below) = (false, None, None);
    Ok(Subject { id, recipe, project, on, form, path, asked, exactly, below })
}

/// Of several recipes of a name each stays below the next one.
fn stack(all: &mut [Subject]) {
    let versions: Vec<(PackageName, Version)> =
        all.iter().map(|s| (s.recipe.pname.clone(), s.recipe.version.clone())).collect();
    for subject in all {
        let own = (&subject.recipe.pname, &subject.recipe.version);
        let above = versions.iter().filter(|(name, version)| name == own.0 && version > own.1);
        subject.below = above.map(|(_, version)| version.clone()).min();
    }
}

/// Gives one version to the recipe of that name that comes nearest.
fn pin(all: &mut [Subject], word: &Word) {
    let Some(version) = &word.exactly else { return };
    let named: Vec<usize> = (0..all.len()).filter(|i| all[*i].recipe.pname == word.name).collect();
    let lower = named.iter().filter(|i| all[**i].recipe.version <= *version);
    let nearest = lower
        .max_by_key(|i| all[**i].recipe.version.clone())
        .or_else(|| named.iter().min_by_key(|i| all[**i].recipe.version.clone()));
    let Some(nearest) = nearest.copied() else { return };
    for i in named {
        all[i].asked = i == nearest;
    }
    all[nearest].exactly = Some(version.clone());
}

/// The versions that a recipe may become.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The newest first.
    pub versions: Vec<Version>,
    /// The newest of those that are newer than all of these, and what rules
    /// it out.
    pub beyond: Option<(Version, String)>,
}

/// What of a project's page a recipe may become.
pub fn options(
    subject: &Subject,
    (market, offers): (&Market<'_>, &[Offer]),
    (level, targets): (Level, &[Target]),
) -> Result<Options> {
    let recipe = &subject.recipe;
    let enabled = |t: &&Target| recipe.requires_python.as_ref().is_none_or(|(p, _)| t.satisfies(p));
    let mut ours: Vec<&Target> = targets.iter().filter(enabled).collect();
    if ours.is_empty() {
        ours = targets.iter().collect();
    }
    let for_all = |python: &VersionSpecifiers| ours.iter().all(|t| t.satisfies(python));
    let against = |offer: &Offer| -> Option<String> {
        if let Some(why) = ours.iter().find_map(|t| market.form(&subject.project, offer, t).err()) {
            return Some(why);
        }
        match (&offer.python, subject.form, &offer.sdist) {
            (Some(python), _, _) if !for_all(python) => Some(format!("is for Python {python}")),
            (_, Form::Sdist, None) => Some("has no sdist".to_owned()),
            _ => None,
        }
    };
    if let Some(version) = &subject.exactly {
        let found = offers.iter().find(|offer| offer.version == *version);
        return exactly((subject, version), offers, found.map(&against));
    }
    let pre = recipe.version.any_prerelease();
    let mut out = Options::default();
    let mut all: Vec<&Offer> = offers.iter().filter(|o| o.version > recipe.version).collect();
    all.sort_by(|a, b| b.version.cmp(&a.version));
    for offer in all {
        if offer.yanked || (offer.version.any_prerelease() && !pre) {
            continue;
        }
        let why = against(offer).or_else(|| beyond(subject, &offer.version, level));
        match why {
            None => out.versions.push(offer.version.clone()),
            Some(why) if out.versions.is_empty() && out.beyond.is_none() => {
                out.beyond = Some((offer.version.clone(), why));
            }
            Some(_) => {}
        }
    }
    Ok(out)
}

/// Why a version is further than was asked for.
fn beyond(subject: &Subject, version: &Version, level: Level) -> Option<String> {
    let own = &subject.recipe.version;
    let part = |version: &Version, at: usize| version.release().get(at).copied().unwrap_or(0);
    let same = |parts: usize| {
        own.epoch() == version.epoch() && (0..parts).all(|at| part(own, at) == part(version, at))
    };
    match (level, &subject.below) {
        (_, Some(other)) if version >= other => Some(format!("is not below {other}, which the set has, too")),
        (Level::Minor, _) if !same(1) => Some("is beyond --minor".to_owned()),
        (Level::Patch, _) if !same(2) => Some("is beyond --patch".to_owned()),
        _ => None,
    }
}

/// The one version that is asked for, or why it cannot be: it is not there, or
/// something is against it.
fn exactly(
    (subject, version): (&Subject, &Version),
    offers: &[Offer],
    against: Option<Option<String>>,
) -> Result<Options> {
    if *version == subject.recipe.version {
        return Ok(Options::default());
    }
    let label = format!("{} {version}", subject.project);
    match against {
        Some(None) => Ok(Options { versions: vec![version.clone()], beyond: None }),
        Some(Some(why)) => Err(Error::input(format!("{label} {why}"))),
        None => {
            let error = Error::input(format!("there is no {label}"));
            Err(match offers.iter().map(|o| &o.version).max() {
                Some(newest) => error.hint(format!("the newest is {newest}")),
                None => error,
            })
        }
    }
}
