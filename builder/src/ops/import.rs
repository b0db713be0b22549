//! `import`: files that people already have, as recipes and environments.
//!
//! Knows where recipes go and that nothing is overwritten. Must never know
//! what a file says: the reading is `recipes::import`'s.

mod locked;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use recipes::diag::{Finding, SourceFile};
use recipes::import::workspace::{Edit, new, with_environments};
use recipes::import::{Converted, Environment, Imported, Kind, SUPPORTED, Todo, nix};
use recipes::name::{PackageName, Version};

use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Result, count};
use crate::ops::add::{Lock, held, outside};
use crate::ops::load::{Loaded, WORKSPACE_FILE, load};
use crate::ops::machines::Settings;
use crate::tree::fs::write_atomic;

/// A file is read up to this size, and so many of them.
const LARGEST_FILE: u64 = 4 << 20;
const MOST_FILES: usize = 2000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// The folder the recipes go to.
    pub into: Option<PathBuf>,
    /// Replace recipes and environments that say something else.
    pub force: bool,
    /// Write nothing.
    pub dry_run: bool,
    /// The machine, for what is chosen from an index.
    pub settings: Settings,
}

/// What became of a file of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is new.
    Written,
    /// It says the same already.
    Unchanged,
    /// It said something else, and was to be replaced.
    Replaced,
}

/// A recipe, and where it went.
#[derive(Debug)]
pub struct Recipe {
    /// What was made.
    pub converted: Converted,
    /// Where it is, or would be.
    pub outcome: Result<(PathBuf, State)>,
}

/// All that an import did.
#[derive(Debug, Default)]
pub struct Report {
    /// The recipes.
    pub recipes: Vec<Recipe>,
    /// The environments.
    pub environments: Vec<Environment>,
    /// `wheelwright.toml`, when there were environments, and its text.
    pub workspace: Option<Result<(PathBuf, State, String)>>,
    /// What belongs to no recipe.
    pub todos: Vec<Todo>,
    /// Of what lock files ask for, what the set had: `click 8.1.8`.
    pub kept: Vec<String>,
    /// What the user should look at.
    pub notes: Vec<String>,
    /// Files that could not be read as what they are.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Everything that could not be carried over.
    pub fn todos(&self) -> impl Iterator<Item = &Todo> {
        self.recipes.iter().flat_map(|r| &r.converted.todos).chain(&self.todos)
    }
}

/// Imports files; one recipe that fails does not stop the others.
pub fn import(ambient: &Ambient, request: &Request) -> Result<Report> {
    let mut named = Vec::new();
    for path in &request.paths {
        named.push(kind_of(&ambient.absolute(path), path)?);
    }
    let loaded = load(ambient, &[])?;
    let into = match (&request.into, loaded.workspace.recipes.first()) {
        (Some(dir), _) => ambient.absolute(dir),
        (None, Some((first, _))) => loaded.root.join(first),
        (None, None) => ambient.cwd.clone(),
    };
    let into = plain(&into);
    let cwd = plain(&ambient.cwd);
    let mut report = Report::default();
    let base = way(&into, &cwd);
    let (mut all, mut lock) = (Imported::default(), Lock::default());
    for (path, kind) in named {
        let found = match kind {
            Kind::Nix => nix_file(&cwd, &plain(&path), &base, &mut report.findings)?,
            Kind::Lock(format) => {
                locked::read_file(&cwd, (&plain(&path), format), &mut lock)?;
                continue;
            }
        };
        all.recipes.extend(found.recipes);
        all.environments.extend(found.environments);
        all.todos.extend(found.todos);
    }
    report.findings.append(&mut lock.locked.findings);
    if !report.findings.is_empty() {
        return Ok(report);
    }
    all.todos.append(&mut lock.locked.todos);
    if all.recipes.is_empty() && all.environments.is_empty() && lock.locked.wanted.is_empty() {
        return Err(nothing(request, &all.todos));
    }
    // They come first: where they fail, nothing is written.
    if !lock.locked.wanted.is_empty() {
        locked::write(ambient, request, (&into, &lock), &mut report)?;
        if !report.findings.is_empty() {
            return Ok(report);
        }
    }
    write_recipes(request, &into, once(all.recipes), &mut report)?;
    report.todos = all.todos;
    let mut seen = BTreeSet::new();
    all.environments.retain(|e| seen.insert((e.name.clone(), e.packages.clone())));
    report.environments = all.environments;
    if !report.environments.is_empty() {
        report.workspace = Some(write_workspace(request, &loaded, &into, &report));
    }
    // A file that was just written may have made it one.
    if !report.recipes.is_empty() && report.workspace.is_none() && lock.locked.wanted.is_empty() {
        report.notes.extend(outside(&loaded, &into));
    }
    Ok(report)
}

fn kind_of(path: &Path, word: &Path) -> Result<(PathBuf, Kind)> {
    let path = if path.is_dir() { path.join("default.nix") } else { path.to_owned() };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !path.is_file() {
        return Err(Error::input(format!("there is no file `{}`", word.display()))
            .hint(format!("what can be imported: {SUPPORTED}")));
    }
    match Kind::of(&name) {
        Some(kind) => Ok((path, kind)),
        None => Err(Error::input(format!("`{}` is of a kind that cannot be imported", word.display()))
            .hint(format!("what can be imported: {SUPPORTED}"))),
    }
}

fn nothing(request: &Request, todos: &[Todo]) -> Error {
    let files: Vec<String> = request.paths.iter().map(|p| format!("`{}`", p.display())).collect();
    let mut error = Error::input(format!("there is nothing to import in {}", files.join(", ")));
    for todo in todos.iter().take(8) {
        let (line, _) = todo.place.line_col();
        error = error.because(format!("{}:{line}: {}", todo.place.file.path, todo.why));
    }
    error.hint(format!("what can be imported: {SUPPORTED}"))
}

/// A path without `.` and `..`; links stay what they are.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

/// The way from one folder to a path, both absolute and plain.
pub(super) fn way(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[same..].iter().map(|_| "..".to_owned());
    let down = to[same..].iter().map(|c| c.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// A Nix file and those it names, as far as they are there.
fn nix_file(cwd: &Path, path: &Path, base: &str, findings: &mut Vec<Finding>) -> Result<Imported> {
    let mut files = nix::Files::new();
    let first = way(cwd, path);
    let mut wanted = vec![first.clone()];
    let mut broken = BTreeMap::new();
    while let Some(key) = wanted.pop() {
        if files.contains_key(&key) || broken.contains_key(&key) || files.len() >= MOST_FILES {
            continue;
        }
        let on_disk = cwd.join(&key);
        let text = read(&on_disk, &key)?;
        let file = Arc::new(SourceFile { path: key.clone(), text });
        if let Err(finding) = nix::check(&file) {
            broken.insert(key, finding);
            continue;
        }
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        for reference in nix::references(&file.text) {
            let named = nix::joined(folder, &reference);
            let inside = nix::joined(&named, "default.nix");
            let there = |k: &String| k.ends_with(".nix") && cwd.join(k).is_file();
            wanted.extend([named, inside].into_iter().find(there));
        }
        files.insert(key, file);
    }
    let found = nix::import(&files, &first, base);
    // A folder that is only a source may hold anything.
    findings.extend(broken.into_iter().filter(|(key, _)| found.asked.contains(key)).map(|(_, f)| f));
    Ok(found)
}

fn read(path: &Path, shown: &str) -> Result<String> {
    let doing = || format!("failed to read `{shown}`");
    let size = std::fs::metadata(path).doing(doing)?.len();
    if size > LARGEST_FILE {
        return Err(Error::input(format!("`{shown}` is too large for a recipe ({} MiB)", size >> 20)));
    }
    let bytes = std::fs::read(path).doing(doing)?;
    String::from_utf8(bytes).map_err(|_| Error::input(doing()).because("it is not UTF-8"))
}

/// Each recipe once, however many files came to it.
fn once(recipes: Vec<Converted>) -> Vec<Converted> {
    let mut seen = BTreeSet::new();
    recipes.into_iter().filter(|r| seen.insert((r.place.file.path.clone(), r.place.span.start))).collect()
}

fn write_recipes(request: &Request, into: &Path, recipes: Vec<Converted>, report: &mut Report) -> Result<()> {
    if !request.dry_run && !recipes.is_empty() {
        std::fs::create_dir_all(into).doing(|| format!("failed to make `{}`", into.display()))?;
    }
    let mut taken: BTreeSet<PathBuf> =
        report.recipes.iter().filter_map(|r| r.outcome.as_ref().ok()).map(|(path, _)| path.clone()).collect();
    for converted in recipes {
        let outcome = place_for(request, into, &converted, &taken).and_then(|(path, state)| {
            if !request.dry_run && state != State::Unchanged {
                write_atomic(&path, converted.text.as_bytes(), 0o644)?;
            }
            Ok((path, state))
        });
        if let Ok((path, _)) = &outcome {
            taken.insert(path.clone());
        }
        report.recipes.push(Recipe { converted, outcome });
    }
    Ok(())
}

/// The file of a recipe: `NAME.toml`, or `NAME-VERSION.toml` where another
/// version has that.
fn place_for(
    request: &Request,
    into: &Path,
    converted: &Converted,
    taken: &BTreeSet<PathBuf>,
) -> Result<(PathBuf, State)> {
    let Converted { pname, version, text, .. } = converted;
    let doing = || format!("failed to make a recipe for `{pname}`");
    if !converted.problems.is_empty() {
        let mut error = Error::input(doing());
        error.causes.extend(converted.problems.iter().cloned());
        return Err(error.hint("what the file says has no place in a recipe: write it by hand"));
    }
    let name: PackageName = pname.parse().map_err(|e| Error::input(doing()).because(e))?;
    let plain = into.join(format!("{name}.toml"));
    let with_version = into.join(format!("{name}-{version}.toml"));
    for path in [&plain, &with_version] {
        if path.exists() && says_the_same(path, text) {
            return Ok((path.clone(), State::Unchanged));
        }
    }
    let own: Option<Version> = version.parse().ok();
    let of_another = |path: &Path| taken.contains(path) || held(path).is_some_and(|held| Some(held) != own);
    let path = if plain.exists() && of_another(&plain) { with_version } else { plain };
    if taken.contains(&path) {
        return Err(Error::input(doing())
            .because(format!("another package of that name went to `{}`", path.display())));
    }
    match (path.exists(), request.force) {
        (false, _) => Ok((path, State::Written)),
        (true, true) => Ok((path, State::Replaced)),
        (true, false) => Err(Error::input(format!("`{}` exists and says something else", path.display()))
            .hint("say --force to replace it, or --into for another folder")),
    }
}

/// Whether a file means what a text means; its comments are its own.
fn says_the_same(path: &Path, text: &str) -> bool {
    let values = |text: &str| toml::from_str::<toml::Table>(text).ok();
    let old = std::fs::read_to_string(path).ok();
    old.is_some_and(|old| old == text || values(&old).is_some_and(|v| Some(v) == values(text)))
}

fn write_workspace(
    request: &Request,
    loaded: &Loaded,
    into: &Path,
    report: &Report,
) -> Result<(PathBuf, State, String)> {
    let path = loaded.root.join(WORKSPACE_FILE);
    let doing = || format!("failed to write the environments into `{}`", path.display());
    let old = if path.is_file() { read(&path, WORKSPACE_FILE)? } else { String::new() };
    let text = if old.is_empty() {
        let folder = way(&plain(&loaded.root), into);
        new(if folder.is_empty() { "." } else { &folder })
    } else {
        old.clone()
    };
    let edit =
        with_environments(&text, &report.environments, &report.todos, request.force).map_err(|why| {
            Error::input(doing()).because(why).hint("say --force to replace it, or rename it there")
        })?;
    let (text, state) = match edit {
        Edit::Same => (text, State::Unchanged),
        Edit::Text(text) if old.is_empty() => (text, State::Written),
        Edit::Text(text) => (text, State::Replaced),
    };
    if !request.dry_run && state != State::Unchanged {
        write_atomic(&path, text.as_bytes(), 0o644)?;
    }
    Ok((path, state, text))
}

/// `2 recipes, 1 environment, 3 TODOs`.
pub fn summary(report: &Report) -> String {
    let parts = [
        count(report.recipes.len(), "recipe"),
        count(report.environments.len(), "environment"),
        count(report.todos().count(), "TODO"),
    ];
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_from_a_folder_to_another() {
        let way = |a: &str, b: &str| super::way(Path::new(a), Path::new(b));
        assert_eq!(way("/a/b", "/a/b"), "");
        assert_eq!(way("/a/b/recipes", "/a/b"), "..");
        assert_eq!(way("/a/b", "/a/c/x.nix"), "../c/x.nix");
        assert_eq!(plain(Path::new("/a/./b/../c")), Path::new("/a/c"));
    }

    #[test]
    fn a_kind_that_is_not_known_is_named_with_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Pipfile.lock");
        std::fs::write(&path, "").unwrap();
        let error = kind_of(&path, Path::new("Pipfile.lock")).unwrap_err();
        assert!(error.doing.contains("`Pipfile.lock` is of a kind"), "{error:?}");
        assert!(error.hints[0].contains("*.nix"), "{error:?}");
        assert!(kind_of(folder.path(), Path::new(".")).unwrap_err().doing.contains("there is no file"));
    }
}
