//! `outdated`: what the index has that is newer than the recipes.
//!
//! Knows which recipes come from an index and which page is theirs. Must never change one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use recipes::diag::Finding;
use recipes::name::{PackageName, Requirement, Version};
use recipes::recipe::Origin;
use recipes::set::{Demand, PackageSet, RecipeId, Standing, standing};
use recipes::solve::Candidate;

use super::add::{Market, Terms, check_day};
use crate::ambient::Ambient;
use crate::error::{Error, Kind, Result};
use crate::index::{Index, IndexError, Project};
use crate::ops::load::load;
use crate::ops::machines::{Settings, open};

/// Requests at once: more only wait for each other.
const WORKERS: usize = 16;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names of recipes, perhaps with a version; none is all of the workspace.
    pub names: Vec<String>,
    /// Those of the base set, too.
    pub base: bool,
    /// Nothing that was uploaded later.
    pub exclude_newer: Option<String>,
    /// The machine.
    pub settings: Settings,
}

/// How one recipe stands.
#[derive(Clone, Debug)]
pub struct Row {
    /// The recipe's name.
    pub pname: PackageName,
    /// The recipe's version.
    pub version: Version,
    /// The recipe's file, as it is shown.
    pub file: String,
    /// What there is beside it.
    pub standing: Standing,
    /// The recipe's own version was withdrawn.
    pub yanked: bool,
}

impl Row {
    /// Whether there is anything newer.
    pub fn is_outdated(&self) -> bool {
        self.standing.is_newer_than(&self.version)
    }
}

/// All that was found out.
#[derive(Debug, Default)]
pub struct Outdated {
    /// Sorted by name.
    pub rows: Vec<Row>,
    /// Recipes that no index can say anything of, and why.
    pub skipped: Vec<(String, String)>,
    /// Recipes whose project could not be asked for.
    pub failed: Vec<(String, Error)>,
    /// What is wrong with the recipes, and names that none has.
    pub findings: Vec<Finding>,
}

/// A project of one index, as recipes name it.
type Page = (PackageName, Option<String>);

/// A recipe that comes from an index.
struct Asked {
    id: RecipeId,
    page: Page,
}

/// Holds the recipes against the index. What fails for one of them is told
/// beside the others; being offline without a page is an error of the run.
pub fn outdated(ambient: &Ambient, request: &Request) -> Result<Outdated> {
    if let Some(day) = &request.exclude_newer {
        check_day(day)?;
    }
    let loaded = load(ambient, &[])?;
    let machines = open(ambient, &request.settings, &loaded.workspace)?;
    machines.heed_interrupts()?;
    let set = PackageSet::new(loaded.book.recipes.clone(), machines.interpreter.target.clone());
    let mut out = Outdated { findings: loaded.findings.clone(), ..Outdated::default() };
    let ids = meant(&set, request, &mut out.findings);
    if ids.is_empty() && request.names.is_empty() && !loaded.is_broken() {
        return Err(loaded.nothing_here());
    }
    let asked: Vec<Asked> = ids.into_iter().filter_map(|id| ask(&set, id, &mut out.skipped)).collect();
    if asked.is_empty() {
        return Ok(out);
    }
    let pages: Vec<Page> =
        asked.iter().map(|a| a.page.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let terms = Terms { exclude_newer: request.exclude_newer.clone(), ..Terms::default() };
    let (market, index) = (Market::open(&machines, terms)?, machines.index()?);
    let answers: BTreeMap<&Page, Result<Arc<Project>>> =
        pages.iter().zip(side_by_side(&pages, |page| project(index, page))).collect();
    let demands = set.demands();
    for Asked { id, page } in &asked {
        match &answers[page] {
            Ok(project) => {
                let demands = demands.get(id).map_or(&[][..], Vec::as_slice);
                out.rows.push(row(&set, *id, demands, (&market, project)));
            }
            Err(error) if error.kind == Kind::Stopped => return Err(error.clone()),
            Err(error) if request.settings.offline => return Err(error.clone()),
            Err(error) => out.failed.push((set.label(*id), error.clone())),
        }
    }
    out.rows.sort_by(|a, b| (&a.pname, &a.version, &a.file).cmp(&(&b.pname, &b.version, &b.file)));
    Ok(out)
}

fn project(index: &Index, (name, on): &Page) -> Result<Arc<Project>> {
    index.project_of(name, on.as_deref()).map_err(IndexError::into_error)
}

/// The recipes that are meant, and a finding for each word that means none.
fn meant(set: &PackageSet, request: &Request, findings: &mut Vec<Finding>) -> Vec<RecipeId> {
    let of_base = |id: &RecipeId| set.get(*id).layer == "base";
    if request.names.is_empty() {
        return set.ids().filter(|id| request.base || !of_base(id)).collect();
    }
    let mut out = BTreeSet::new();
    for word in &request.names {
        let named = word.parse::<Requirement>().map(|wanted| {
            let all = set.versions(wanted.name()).iter().copied();
            all.filter(|id| wanted.specifiers().contains(&set.get(*id).version)).collect::<Vec<_>>()
        });
        match named {
            Ok(ids) if !ids.is_empty() => out.extend(ids),
            // It says what is wrong with the word.
            _ => findings.extend(set.select(word).err()),
        }
    }
    out.into_iter().collect()
}

/// Which page is a recipe's; told of in `skipped` when there is none.
fn ask(set: &PackageSet, id: RecipeId, skipped: &mut Vec<(String, String)>) -> Option<Asked> {
    let sources = &set.get(id).sources;
    let of_index = sources.iter().find_map(|source| match &source.origin {
        Origin::Pypi { project, index, .. } => Some((project, index.clone())),
        _ => None,
    });
    let reason = match (of_index, sources.first().map(|source| &source.origin)) {
        (Some((project, index)), _) => match project.parse() {
            Ok(name) => return Some(Asked { id, page: (name, index) }),
            Err(_) => format!("`{project}` is no project's name"),
        },
        (None, Some(Origin::Git { .. })) => "its source is a git repository".to_owned(),
        (None, Some(Origin::Path { .. })) => "its source is a folder".to_owned(),
        (None, _) => "its source is an address".to_owned(),
    };
    skipped.push((set.label(id), reason));
    None
}

fn row(
    set: &PackageSet,
    id: RecipeId,
    demands: &[Demand],
    (market, project): (&Market<'_>, &Project),
) -> Row {
    let recipe = set.get(id);
    let offers = market.read(project);
    let candidates: Vec<Candidate> = offers
        .iter()
        .map(|offer| Candidate {
            version: offer.version.clone(),
            requires_python: offer.python.clone(),
            yanked: offer.yanked,
            unusable: market.form(&project.name, offer, set.target()).err(),
        })
        .collect();
    Row {
        pname: recipe.pname.clone(),
        version: recipe.version.clone(),
        file: recipe.file.path.clone(),
        standing: standing(set.target(), &recipe.version, demands, &candidates),
        yanked: candidates.iter().any(|c| c.yanked && c.version == recipe.version),
    }
}

/// `f` of each, in order, on threads that mostly wait for a server.
pub(super) fn side_by_side<T: Sync, R: Send>(of: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = of.get(at) else { return done };
            done.push((at, f(one)));
        }
    };
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..of.len().min(WORKERS)).map(|_| scope.spawn(work)).collect();
        let done = |thread: std::thread::ScopedJoinHandle<'_, Vec<(usize, R)>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(done).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn answers_come_back_in_order_however_many_ask() {
        for many in [0, 1, 5, 100] {
            let of: Vec<usize> = (0..many).collect();
            assert_eq!(side_by_side(&of, |n| n * 2), (0..many).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn all_are_asked_at_once() {
        // Each waits for all the others: one after the other would never end.
        let (of, barrier) = ([(); WORKERS], Barrier::new(WORKERS));
        assert_eq!(side_by_side(&of, |()| barrier.wait().is_leader()).iter().filter(|led| **led).count(), 1);
    }
}
