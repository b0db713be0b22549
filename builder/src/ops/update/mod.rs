//! `update`: recipes of newer versions, the set kept whole.
//!
//! Knows the order: look at what there is, choose, complete, judge, write.
//! Must never print, nor write where anything is wrong.

mod check;
mod commit;
mod files;
mod subjects;
mod told;
mod upstream;
mod when;
mod whole;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use recipes::diag::Finding;
use recipes::name::{PackageName, Version};
use recipes::recipe::Recipe;
use recipes::set::PackageSet;
use recipes::target::Target;
use recipes::update::{Change, Kept};

use super::outdated::side_by_side;
use crate::ambient::Ambient;
use crate::error::{Error, Kind, Result};
use crate::ops::add::{Market, Terms, folder, targets};
use crate::ops::load::{Loaded, load};
use crate::ops::machines::{Settings, open};
use subjects::{Options, Subject, Subjects, options, subjects};
use upstream::Drafts;

pub use check::{Checked, Goal, Reverted, Run, check};
pub use commit::{Repository, commit, repository};
pub use files::Desk;

/// How far versions may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// As far as they go.
    #[default]
    Any,
    /// The same major version.
    Minor,
    /// The same major and minor version.
    Patch,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// `NAME`, `NAME==VERSION`.
    pub names: Vec<String>,
    /// Every recipe of the workspace.
    pub all: bool,
    /// How far.
    pub level: Level,
    /// How old a release must be: `7d`.
    pub cooldown: Option<String>,
    /// Nothing that was uploaded later.
    pub exclude_newer: Option<String>,
    /// The machine.
    pub settings: Settings,
}

/// One recipe that becomes another version.
#[derive(Clone, Debug)]
pub struct Bump {
    /// Its name.
    pub pname: PackageName,
    /// What it is.
    pub old: Version,
    /// What it becomes.
    pub new: Version,
    /// Its file, and what that becomes: another where the name has the version.
    pub path: (PathBuf, PathBuf),
    /// Its text, and what that becomes.
    pub text: (String, String),
    /// As it will be.
    pub recipe: Arc<Recipe>,
    /// It was not asked for: others need it.
    pub along: bool,
    /// When the new version was uploaded.
    pub uploaded: Option<String>,
    /// What upstream changed.
    pub changes: Vec<Change>,
    /// What was changed by hand and is kept.
    pub kept: Vec<Kept>,
    /// Upstream's license, before and now.
    pub license: (Option<String>, Option<String>),
    /// Where changes are told.
    pub changelog: Option<String>,
    /// What is built anew because of it.
    pub rebuilds: Vec<String>,
    /// What else runs with it.
    pub users: Vec<String>,
    /// What the user should look at.
    pub notes: Vec<String>,
}

/// A recipe that bumps need and the set had not.
#[derive(Clone, Debug)]
pub struct NewRecipe {
    /// `click 8.1.8`.
    pub label: String,
    /// Its file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Only builds need it.
    pub for_builds: bool,
    /// The bumps that need it.
    pub needed_by: BTreeSet<usize>,
    /// What the user should look at.
    pub notes: Vec<String>,
}

/// A version that is not taken.
#[derive(Clone, Debug)]
pub struct HeldBack {
    /// The recipe.
    pub pname: PackageName,
    /// The version it has from now on.
    pub at: Version,
    /// The version it could have.
    pub version: Version,
    /// Who would break, or what is wrong with it.
    pub reasons: Vec<String>,
}

/// What would be done.
#[derive(Debug, Default)]
pub struct Proposal {
    /// In the order of what needs what.
    pub bumps: Vec<Bump>,
    /// In the order they were found necessary in.
    pub new: Vec<NewRecipe>,
    /// Sorted by name.
    pub held: Vec<HeldBack>,
    /// Recipes that are left alone, and why.
    pub skipped: Vec<(String, String)>,
    /// Recipes whose project could not be asked for.
    pub failed: Vec<(String, Error)>,
    /// Newer versions that were not asked for (`--minor`), and why.
    pub beyond: Vec<HeldBack>,
    /// What the bumps can be seen in.
    pub goals: Vec<Goal>,
    /// How many recipes were looked at.
    pub looked_at: usize,
    /// What the user should know.
    pub notes: BTreeSet<String>,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// A proposal, or what stands against any.
pub enum Proposed {
    /// What would be done.
    Done(Box<Proposal>),
    /// What is wrong with the recipes, or the names.
    Findings(Vec<Finding>),
}

/// Works out what would be done; writes nothing.
pub fn propose(ambient: &Ambient, request: &Request) -> Result<Proposed> {
    if request.names.is_empty() && !request.all {
        return Err(Error::input("nothing is named to update").hint("name recipes, or say --all"));
    }
    let moment =
        when::last_moment(request.cooldown.as_deref(), request.exclude_newer.as_deref(), ambient.unix_now())?;
    let loaded = load(ambient, &[])?;
    if loaded.is_broken() {
        return Ok(Proposed::Findings(loaded.findings));
    }
    let machines = open(ambient, &request.settings, &loaded.workspace)?;
    machines.heed_interrupts()?;
    let targets = targets(ambient, &machines, (&request.settings, &loaded.workspace.python_also))?;
    let set = PackageSet::new(loaded.book.recipes.clone(), machines.interpreter.target.clone());
    let Subjects { all, skipped, findings } = subjects(&loaded, &set, request)?;
    if !findings.is_empty() {
        return Ok(Proposed::Findings(findings));
    }
    if request.all && set.ids().all(|id| set.get(id).layer == "base") {
        return Err(loaded.nothing_here());
    }
    let terms = terms(&loaded, &all);
    let past = Market::open(&machines, terms.clone())?;
    let market = Market::open(&machines, Terms { exclude_newer: moment, ..terms })?;
    let mut proposal = Proposal { skipped, findings: loaded.findings.clone(), ..Proposal::default() };
    let mut options = look((&market, request), &targets, &all, &mut proposal)?;
    let drafts = Drafts::new((&market, &past), &targets, &all);
    look_along((&market, request), &drafts, &mut options)?;
    let dir = folder(ambient, &loaded, None);
    let scene = whole::Whole { loaded: &loaded, drafts: &drafts, options: &options, dir };
    let chosen = scene.choose()?;
    told::tell(&scene, chosen, &mut proposal)?;
    Ok(Proposed::Done(Box::new(proposal)))
}

/// Forms and indexes of the projects there are, and the versions at hand.
fn terms(loaded: &Loaded, all: &[Subject]) -> Terms {
    let mut terms = Terms::default();
    for recipe in &loaded.book.recipes {
        terms.at_hand.entry(recipe.pname.clone()).or_default().push(recipe.version.clone());
    }
    for subject in all {
        terms.forms.insert(subject.project.clone(), subject.form);
        terms.on.extend(subject.on.clone().map(|on| (subject.project.clone(), on)));
    }
    // Where one recipe is prebuilt and another is not, each looks for itself.
    let mixed = |s: &&Subject| all.iter().any(|o| o.project == s.project && o.form != s.form);
    for subject in all.iter().filter(mixed) {
        terms.forms.remove(&subject.project);
    }
    terms
}

/// Looks at the pages of what is asked for. What fails for one of them is told
/// beside the others.
fn look(
    (market, request): (&Market<'_>, &Request),
    targets: &[Target],
    all: &[Subject],
    proposal: &mut Proposal,
) -> Result<Vec<Options>> {
    let looked = side_by_side(all, |subject| match subject.asked {
        true => page((market, request), targets, subject),
        false => Ok(Options::default()),
    });
    let mut out = Vec::new();
    for (subject, options) in all.iter().zip(looked) {
        let options = match options {
            Ok(options) => options,
            Err(error) if error.kind == Kind::Stopped => return Err(error),
            Err(error) if subject.exactly.is_some() || request.settings.offline => return Err(error),
            Err(error) => {
                let label = format!("{} {}", subject.recipe.pname, subject.recipe.version);
                proposal.failed.push((label, error));
                Options::default()
            }
        };
        proposal.looked_at += usize::from(subject.asked);
        if let Some((version, why)) = &options.beyond {
            proposal.beyond.push(HeldBack {
                pname: subject.recipe.pname.clone(),
                at: subject.recipe.version.clone(),
                version: version.clone(),
                reasons: vec![why.clone()],
            });
        }
        out.push(options);
    }
    Ok(out)
}

fn page(
    (market, request): (&Market<'_>, &Request),
    targets: &[Target],
    subject: &Subject,
) -> Result<Options> {
    match market.offers(&subject.project)? {
        Some(offers) => options(subject, (market, &offers), (request.level, targets)),
        None => Err(Error::input(format!("no project `{}` on the index", subject.project))),
    }
}

/// Looks at the pages of what was not asked for and what the newest versions
/// of the others need otherwise than it is.
fn look_along(
    (market, request): (&Market<'_>, &Request),
    drafts: &Drafts<'_, '_>,
    options: &mut [Options],
) -> Result<()> {
    let all = drafts.subjects;
    let mut seen: BTreeSet<usize> = (0..all.len()).filter(|i| all[*i].asked).collect();
    let mut todo: Vec<usize> = seen.iter().copied().collect();
    while let Some(next) = todo.pop() {
        let Some(newest) = options[next].versions.first().cloned() else { continue };
        let Ok(ready) = drafts.ready(next, &newest)? else { continue };
        let lists = [&ready.recipe.dependencies, &ready.recipe.build_system];
        for wanted in lists.into_iter().flatten().map(|d| &d.requirement) {
            let specifiers = wanted.specifiers();
            let is_it = |i: &usize| {
                all[*i].recipe.pname == *wanted.name() && !specifiers.contains(&all[*i].recipe.version)
            };
            for i in (0..all.len()).filter(is_it) {
                if seen.insert(i) {
                    // Without a page it stays as it is.
                    options[i] = page((market, request), drafts.targets, &all[i]).unwrap_or_default();
                    todo.push(i);
                }
            }
        }
    }
    Ok(())
}
