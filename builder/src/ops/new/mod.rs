//! `new`: a recipe for a project that is there already: a folder, a
//! repository, an sdist or wheel at an address.
//!
//! Knows which of them a word means, and where the recipe goes. Runs nothing
//! of what it reads. Must never build, and never overwrite what it was not
//! told to.

mod bare;
mod literal;
mod poetry;
mod project;
mod read;
mod remote;
mod setup;
#[cfg(test)]
mod tests;
pub mod web;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use recipes::diag::{Finding, Severity};
use recipes::name::{PackageName, Version};
use recipes::recipe::{Format, Origin, Recipe};
use recipes::set::{Member, PackageSet, RecipeId, Tests};
use recipes::target::Target;

use super::add::draft::{Draft, Frame, Metadata, Purpose};
use super::add::source::SourceFacts;
use super::add::{folder, free, outside};
use super::import::{plain, way};
use super::load::{Loaded, load};
use super::machines::{Machines, Settings, open};
use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Result};
use crate::fetch::auth::shown_text;
use crate::tree::files::{Ours, path_source};
use project::Told;
use read::{Read, header, only_project, walk};
use remote::{Got, Remote};
use web::App;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// A folder or an address.
    pub word: String,
    /// The folder the recipe goes to.
    pub into: Option<PathBuf>,
    /// The commit or branch of a repository.
    pub rev: Option<String>,
    /// The tag of a repository.
    pub tag: Option<String>,
    /// Its executables are what counts.
    pub application: bool,
    /// Replace a recipe that exists.
    pub force: bool,
    /// Write nothing.
    pub dry_run: bool,
    /// The machine.
    pub settings: Settings,
}

/// Where a recipe goes, and beside what.
struct Place<'a> {
    loaded: &'a Loaded,
    into: &'a Path,
    target: &'a Target,
}

/// A recipe that was written, or would be.
#[derive(Debug)]
pub struct Written {
    /// `shop 1.0`.
    pub label: String,
    /// Where.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// It is one of an application.
    pub application: bool,
    /// What serves requests in it.
    pub apps: Vec<App>,
    /// What the user should look at.
    pub notes: Vec<String>,
    /// What it needs that the set has not.
    pub missing: Vec<Finding>,
}

/// Writes the recipe of a project.
pub fn new(ambient: &Ambient, request: &Request) -> Result<Written> {
    let is_git = request.rev.is_some() || request.tag.is_some();
    match remote::meant(&request.word, is_git) {
        Some(remote) => elsewhere(ambient, request, &remote),
        None if is_git => Err(Error::input(format!("`{}` is no repository's address", request.word))
            .hint("`--rev` and `--tag` are for addresses: `file:///path` for a repository on this machine")),
        None => here(ambient, request),
    }
}

/// A folder.
fn here(ambient: &Ambient, request: &Request) -> Result<Written> {
    let named = plain(&ambient.absolute(Path::new(&request.word)));
    if !named.is_dir() {
        let what = if named.exists() { "is no folder" } else { "is not there" };
        return Err(Error::input(format!("`{}` {what}", request.word)).hint(
            "name a project's folder, a repository's address, or that of an sdist or wheel (`file:///path`)",
        ));
    }
    let into =
        |folder: &Path| request.into.as_ref().map_or(folder.to_owned(), |i| plain(&ambient.absolute(i)));
    let start = existing(&into(&named));
    let loaded = load(ambient, &[format!("{}/", start.display())])?;
    let machines = open(ambient, &request.settings, &loaded.workspace)?;
    let (mut folder, mut files) = (named.clone(), listed(&named, &machines)?);
    let mut told = Vec::new();
    if let Some(below) = only_project(&request.word, &files)? {
        told.push(format!("the project lies in `{below}`"));
        folder = named.join(below);
        files = listed(&folder, &machines)?;
    }
    let into = into(&folder);
    let known = of_folder(&loaded, &folder);
    if let (Some(known), false) = (&known, request.force) {
        return Err(Error::input(format!("`{}` is a recipe for this folder already", known.display()))
            .hint("say --force to replace it"));
    }
    let base = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut read = Read::of((&folder, files), &base, &request.word)?;
    read.told.notes.splice(0..0, told);
    let path = way(&into, &folder);
    let source = format!("path = {}\n", quote(if path.is_empty() { "." } else { &path }));
    let draft = drafted(request, &read, (&source, read.told.in_pyproject))?;
    let place = Place { loaded: &loaded, into: &into, target: &machines.interpreter.target };
    write(request, &place, (read, draft), known)
}

/// An address.
fn elsewhere(ambient: &Ambient, request: &Request, remote: &Remote) -> Result<Written> {
    // From here on the word is only shown: a login in it is nobody's to read.
    let request = &Request { word: shown_text(&request.word), ..request.clone() };
    let loaded = load(ambient, &[])?;
    let machines = open(ambient, &request.settings, &loaded.workspace)?;
    let into = plain(&folder(ambient, &loaded, request.into.as_deref()));
    let got = match remote {
        Remote::Git(url) => remote::git(&machines, url, (request.rev.as_deref(), request.tag.as_deref()))?,
        Remote::File(url) => remote::file(&machines, url)?,
    };
    let (read, draft) = match &got.wheel {
        Some(metadata) => of_wheel(request, metadata, &got)?,
        None => of_source(request, &got)?,
    };
    if !request.dry_run {
        remote::remember(&machines, &got, (draft.name.as_ref(), &draft.version.to_string()))?;
    }
    let place = Place { loaded: &loaded, into: &into, target: &machines.interpreter.target };
    write(request, &place, (read, draft), None)
}

fn of_wheel(request: &Request, text: &str, got: &Got) -> Result<(Read, Drafted)> {
    let header = |key: &str| header(text, key);
    let told = Told {
        name: header("Name"),
        version: header("Version"),
        headers: text.to_owned(),
        notes: got.notes.clone(),
        ..Told::default()
    };
    let read = Read {
        told,
        facts: SourceFacts::default(),
        apps: Vec::new(),
        tables: String::new(),
        pyproject: None,
    };
    let (name, version) = identity(&read.told, &request.word)?;
    let frame = Frame {
        name: &name,
        version: quote(&version.to_string()),
        pyproject: None,
        source: got.source.clone(),
    };
    let draft = Draft::of_wheel(&frame, &Metadata::parse(text), &purpose(request, &read));
    Ok((read, Drafted { name, version, draft }))
}

fn of_source(request: &Request, got: &Got) -> Result<(Read, Drafted)> {
    let mut files = Vec::new();
    walk(&got.top, "", &mut files)?;
    files.sort();
    let (mut top, mut source) = (got.top.clone(), got.source.clone());
    let mut notes = got.notes.clone();
    if let Some(below) = only_project(&request.word, &files)? {
        notes.push(format!("the project lies in `{below}`"));
        source.push_str(&format!("subdirectory = {}\n", quote(&below)));
        top = top.join(&below);
        let inside = format!("{below}/");
        files = files.iter().filter_map(|f| f.strip_prefix(&inside)).map(str::to_owned).collect();
    }
    let word = request.word.trim_end_matches('/').trim_end_matches(".git");
    let base = word.rsplit(['/', ':']).next().unwrap_or(word).to_owned();
    let mut read = Read::of((&top, files), &base, &request.word)?;
    if read.told.version.is_none() {
        read.told.version.clone_from(&got.tagged);
    }
    read.told.notes.splice(0..0, notes);
    let drafted = drafted(request, &read, (&source, false))?;
    Ok((read, drafted))
}

/// A draft and whose it is.
struct Drafted {
    name: PackageName,
    version: Version,
    draft: Draft,
}

fn purpose(request: &Request, read: &Read) -> Purpose {
    Purpose { application: request.application || read.told.only_scripts, extras: Vec::new() }
}

fn drafted(request: &Request, read: &Read, (source, from_pyproject): (&str, bool)) -> Result<Drafted> {
    let (name, version) = identity(&read.told, &request.word)?;
    let text = match from_pyproject {
        true => "{ from = \"pyproject\" }".to_owned(),
        false => quote(&version.to_string()),
    };
    let pyproject = read.pyproject.clone().filter(|_| from_pyproject);
    let frame = Frame { name: &name, version: text, pyproject, source: source.to_owned() };
    let metadata = Metadata::parse(&read.told.headers);
    let draft = Draft::of_source(&frame, (&read.facts, &metadata), &purpose(request, read));
    Ok(Drafted { name, version, draft: draft.with_tables(&read.tables) })
}

/// Name and version; `0` stands for a version that only a build knows.
fn identity(told: &Told, shown: &str) -> Result<(PackageName, Version)> {
    let wrong = |why: String| Error::input(format!("failed to make a recipe for `{shown}`")).because(why);
    let name = told.name.as_deref().unwrap_or_default();
    let name = name.parse().map_err(|_| wrong(format!("its name, `{name}`, is no project's name")))?;
    let text = told.version.as_deref().unwrap_or("0");
    let version = text.parse().map_err(|_| wrong(format!("its version, `{text}`, is no PEP 440 version")))?;
    Ok((name, version))
}

fn write(
    request: &Request,
    place: &Place<'_>,
    (read, drafted): (Read, Drafted),
    known: Option<PathBuf>,
) -> Result<Written> {
    let Place { loaded, into, .. } = place;
    let Drafted { name, version, draft } = drafted;
    let path = match known {
        Some(known) if request.into.is_none() => known,
        _ => free(into, (&name, &version), request.force).map_err(|mut error| {
            error.hints = vec!["say --force to replace it, or --into for another folder".to_owned()];
            error
        })?,
    };
    let application = purpose(request, &read).application;
    let (text, recipe) = draft.recipe(&path)?;
    if !request.dry_run {
        std::fs::create_dir_all(into).doing(|| format!("failed to make `{}`", into.display()))?;
        crate::tree::fs::write_atomic(&path, text.as_bytes(), 0o644)?;
    }
    let mut notes = read.told.notes.clone();
    // Nothing is taken prebuilt here.
    notes.extend(draft.notes.iter().map(|n| n.replace(": --wheel takes it prebuilt", "")));
    notes.extend(remarks(&read, (&name, application)));
    notes.extend(outside(loaded, into));
    if loaded.is_broken() {
        notes.push("other recipes of the set have errors: `wheelwright lint` tells them".to_owned());
    }
    let missing = missing(place, &path, recipe);
    Ok(Written {
        label: format!("{name} {version}"),
        path,
        text,
        application,
        apps: read.apps,
        notes,
        missing,
    })
}

/// What is said of executables, applications and the version.
fn remarks(read: &Read, (name, application): (&PackageName, bool)) -> Vec<String> {
    let mut out = Vec::new();
    if read.told.version.is_none() {
        out.push(
            "only its build knows its version: the recipe says `0`, change it to the one that is meant"
                .to_owned(),
        );
    }
    if !read.told.scripts.is_empty() && !application {
        let scripts = read.told.scripts.join(", ");
        out.push(format!("it has the executables {scripts}: --application exposes these and nothing else"));
    }
    for app in &read.apps {
        let what = format!("{} application `{}` ({})", app.framework.title(), app.object, app.place);
        let way = match application {
            true if !read.told.scripts.is_empty() => {
                format!("`wheelwright build {name}` puts its executables into result/bin")
            }
            true => "it has no executable, which is what an application is for: add one to the project, or \
                     leave --application out"
                .to_owned(),
            false => format!("`{}` serves it", app.command(name.as_ref())),
        };
        out.push(format!("found the {what}: {way}"));
    }
    if !read.apps.is_empty() {
        out.push("no `[app]` is written: building with it is not supported yet".to_owned());
    }
    out
}

/// What stands against building the new recipe: above all what it needs that
/// nobody has a recipe for.
fn missing(place: &Place<'_>, path: &Path, recipe: Arc<Recipe>) -> Vec<Finding> {
    let disk = &place.loaded.disk;
    let replaced = |known: &Recipe| {
        disk.get(&known.file.path).is_some_and(|disk| disk.canonicalize().ok() == path.canonicalize().ok())
    };
    let known = place.loaded.book.recipes.iter().filter(|known| !replaced(known)).cloned();
    let all: Vec<Arc<Recipe>> = known.chain([recipe]).collect();
    let own = RecipeId(all.len() - 1);
    let set = PackageSet::new(all, place.target.clone());
    match set.disabled(own) {
        Some(_) => Vec::new(),
        None => {
            let all = set.findings(&[Member::from(own)], Tests::None);
            all.into_iter().filter(|f| f.severity == Severity::Error).collect()
        }
    }
}

/// The recipe of the set whose source a folder is.
fn of_folder(loaded: &Loaded, folder: &Path) -> Option<PathBuf> {
    let here = folder.canonicalize().ok()?;
    let is_source = |recipe: &&Arc<Recipe>| {
        recipe.format != Format::Wheel
            && recipe.sources.iter().any(|source| match &source.origin {
                Origin::Path { dir, .. } => {
                    let path = loaded.folder_of(&source.base).join(dir).canonicalize();
                    path.ok().as_ref() == Some(&here)
                }
                _ => false,
            })
    };
    let recipe = loaded.book.recipes.iter().find(is_source)?;
    loaded.disk.get(&recipe.file.path).cloned()
}

/// The folder itself, or the nearest above it that is there.
fn existing(folder: &Path) -> PathBuf {
    folder.ancestors().find(|f| f.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// The files of a user's folder, as its build will see them.
fn listed(folder: &Path, machines: &Machines) -> Result<Vec<String>> {
    let stores = [machines.store.root().to_owned()];
    let files = path_source(folder, &[], &Ours { files: &[], stores: &stores })?;
    let mut files: Vec<String> = files.iter().map(|f| f.as_str().to_owned()).collect();
    // A virtual environment is nobody's source.
    let venvs: Vec<String> =
        files.iter().filter_map(|f| f.strip_suffix("pyvenv.cfg")).map(str::to_owned).collect();
    files.retain(|f| !venvs.iter().any(|venv| !venv.is_empty() && f.starts_with(venv.as_str())));
    files.sort();
    Ok(files)
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
