//! `lint` and `fmt`: recipe texts as texts.
//!
//! Knows which files are meant. Must never build or fetch.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use recipes::codes;
use recipes::diag::{Finding, Severity, did_you_mean};
use recipes::name::Requirement;
use recipes::recipe::Recipe;
use recipes::set::{Member, PackageSet, RecipeId, Tests};
use recipes::target::Target;
use recipes::workspace::Workspace;

use crate::ambient::Ambient;
use crate::error::{Error, Result};
use crate::ops::load::{Loaded, Named, load};

/// What `lint` has to say.
#[derive(Debug, Default)]
pub struct Linted {
    /// Errors, warnings and lints, in file order.
    pub findings: Vec<Finding>,
    /// How many recipes were read.
    pub recipes: usize,
}

/// Finds the interpreter a workspace means.
pub type Targets<'a> = &'a dyn Fn(&Workspace) -> Result<Target>;

/// Everything doubtful in the named recipes (all of the workspace's when
/// none is named). Recipes of a folder, and those named as packages, are also
/// checked as a set: whether all that they need can be had. A file alone is
/// judged alone.
pub fn lint(ambient: &Ambient, paths: &[String], target: Targets<'_>) -> Result<Linted> {
    let loaded = load(ambient, paths)?;
    let (files, unknown) = meant(&loaded);
    let mut findings = loaded.findings.clone();
    findings.extend(unknown);
    if files.is_empty() && findings.is_empty() {
        return Err(loaded.nothing_here());
    }
    let recipes: BTreeSet<usize> = files.iter().flat_map(|f| loaded.book.of_file(f)).collect();
    for &recipe in &recipes {
        let found = recipes::parse::lint(&loaded.book.recipes[recipe]);
        // Of a recipe that several files make up only what stands in these.
        let here = |f: &Finding| f.place.as_ref().is_none_or(|p| files.contains(&p.file.path));
        findings.extend(found.into_iter().filter(here));
    }
    let alone = |named: &Named| matches!(named, Named::File(_));
    let closed = loaded.named.is_empty() || !loaded.named.iter().all(alone);
    // What misses a recipe that could not be read is no further mistake.
    if closed && !findings.iter().any(|f| f.severity == Severity::Error) {
        findings.extend(unresolved(&loaded, &recipes, target(&loaded.workspace)?));
    }
    findings.sort_by(|a, b| {
        let at = |f: &Finding| f.place.as_ref().map(|p| (p.file.path.clone(), p.span.start));
        (at(a), a.code).cmp(&(at(b), b.code))
    });
    findings.dedup();
    Ok(Linted { findings, recipes: recipes.len() })
}

/// What stands in the way of building these recipes, those aside that are not
/// for this target or are known to be broken.
fn unresolved(loaded: &Loaded, recipes: &BTreeSet<usize>, target: Target) -> Vec<Finding> {
    let set = PackageSet::new(loaded.book.recipes.clone(), target);
    let usable =
        |id: &RecipeId| set.disabled(*id).is_none() && super::judge::reason(set.get(*id), false).is_none();
    let goals: Vec<Member> =
        recipes.iter().map(|&recipe| RecipeId(recipe)).filter(usable).map(Member::from).collect();
    set.findings(&goals, Tests::Goals)
}

/// The recipe files that the words mean, by display path, and a finding for
/// each word that means none.
fn meant(loaded: &Loaded) -> (BTreeSet<String>, Vec<Finding>) {
    let mut files = BTreeSet::new();
    let mut findings = Vec::new();
    for named in &loaded.named {
        match named {
            Named::File(file) => drop(files.insert(file.clone())),
            Named::Folder(_, all) => files.extend(all.iter().cloned()),
            Named::Package(word, _) => match of_name(loaded, word) {
                Ok(of) => files.extend(of),
                Err(finding) => findings.push(finding),
            },
            Named::Environment(_) => {}
        }
    }
    if loaded.named.is_empty() {
        files.extend(loaded.disk.keys().cloned());
    }
    (files, findings)
}

/// The files of the recipes that `flask` or `flask<3` means.
fn of_name(loaded: &Loaded, word: &str) -> std::result::Result<Vec<String>, Finding> {
    let wanted: Requirement = word.parse().map_err(|reason: String| {
        Finding::plain(codes::BAD_REQUIREMENT, format!("`{word}` is no package name: {reason}"))
            .hint("write NAME or NAME==VERSION")
    })?;
    let all = &loaded.book.recipes;
    let fits = |r: &&Arc<Recipe>| r.pname == *wanted.name() && wanted.specifiers().contains(&r.version);
    let found: Vec<String> = all.iter().filter(fits).map(|r| r.file.path.clone()).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let message = format!("no recipe of the set is named `{word}`");
    let finding = Finding::plain(codes::MISSING_RECIPE, message);
    let names = all.iter().map(|r| r.pname.as_ref());
    Err(match did_you_mean(wanted.name().as_ref(), names) {
        Some(near) => finding.hint(format!("did you mean `{near}`?")),
        None => finding.hint("`wheelwright list --base` shows all there are"),
    })
}

/// What `fmt` did.
#[derive(Debug, Default)]
pub struct Formatted {
    /// Files that changed, or would.
    pub changed: Vec<String>,
    /// Files that cannot be laid out, and why.
    pub findings: Vec<Finding>,
}

/// Lays out the named recipes; with `check` only says which would change.
pub fn format(ambient: &Ambient, paths: &[String], check: bool) -> Result<Formatted> {
    let loaded = load(ambient, paths)?;
    let mut done = Formatted::default();
    let (files, unknown) = meant(&loaded);
    done.findings.extend(unknown);
    let files: Vec<(String, PathBuf)> = files
        .into_iter()
        .filter_map(|shown| Some((shown.clone(), loaded.disk.get(&shown)?.clone())))
        .collect();
    if files.is_empty() && done.findings.is_empty() {
        return Err(loaded.nothing_here());
    }
    for (shown, path) in files {
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::environment(format!("failed to read `{shown}`")).because(e))?;
        let file = Arc::new(recipes::diag::SourceFile { path: shown.clone(), text });
        match recipes::format::format(&file) {
            Ok(laid_out) if laid_out == file.text => {}
            Ok(laid_out) => {
                if !check {
                    crate::tree::fs::write_atomic(&path, laid_out.as_bytes(), 0o644)?;
                }
                done.changed.push(shown);
            }
            Err(findings) => done.findings.extend(findings),
        }
    }
    Ok(done)
}
