//! `add --no-solve`: a recipe for each named project, from the index.
//!
//! Knows sdists' own metadata. Runs nothing of them. Must never choose a
//! version for anything that was not named.

mod draft;
mod native;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use recipes::name::{PackageName, Requirement, Version, VersionSpecifiers};

use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Kind, Result};
use crate::fetch::{FetchSpec, Fetched, PypiFile, WantFile, Watch, What};
use crate::index::{Index, Project};
use crate::key::Digest;
use crate::ops::load::{Loaded, WORKSPACE_FILE, load};
use crate::ops::machines::{Machines, Settings, open};
use crate::store::BlobName;
use crate::tree::unpack::{UnpackLimits, unpack};
use draft::{Draft, Metadata};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// `NAME`, `NAME==VERSION`, or a name with specifiers (`NAME>=2,<3`).
    pub projects: Vec<String>,
    /// The folder the recipes go to.
    pub dir: Option<PathBuf>,
    /// Replace recipes that exist.
    pub force: bool,
    /// The machine.
    pub settings: Settings,
}

/// A recipe that was written.
#[derive(Clone, Debug)]
pub struct Added {
    /// Where.
    pub path: PathBuf,
    /// What the user should look at.
    pub notes: Vec<String>,
}

/// Writes a recipe for each project; one that fails does not stop the others.
pub fn add(ambient: &Ambient, request: &Request) -> Result<Vec<Result<Added>>> {
    let loaded = load(ambient, &[])?;
    let machines = open(ambient, &request.settings, &loaded.workspace)?;
    let dir = match (&request.dir, loaded.workspace.recipes.first()) {
        (Some(dir), _) => ambient.absolute(dir),
        (None, Some((first, _))) => loaded.root.join(first),
        (None, None) => ambient.cwd.clone(),
    };
    std::fs::create_dir_all(&dir).doing(|| format!("failed to make `{}`", dir.display()))?;
    let outside = outside(&loaded, &dir);
    let added = |project: &String| {
        let mut added = one(&machines, project, (&dir, request.force))?;
        added.notes.extend(outside.clone());
        Ok(added)
    };
    Ok(request.projects.iter().map(added).collect())
}

/// What to tell of a folder whose recipes the set does not have.
fn outside(loaded: &Loaded, dir: &Path) -> Option<String> {
    let folders = &loaded.workspace;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let dir = real(dir);
    let mut of_set = folders.recipes.iter().chain(&folders.overlays).map(|(f, _)| real(&loaded.root.join(f)));
    let declared = loaded.is_workspace();
    let inside =
        if declared { of_set.any(|folder| dir.starts_with(folder)) } else { dir == real(&loaded.root) };
    (!inside).then(|| match declared {
        true => format!("this folder is no part of the set: name it under `recipes` in {WORKSPACE_FILE}"),
        false => format!(
            "this folder is no part of the set: a {WORKSPACE_FILE} with `[set]` names folders of recipes"
        ),
    })
}

fn one(machines: &Machines, text: &str, (dir, force): (&Path, bool)) -> Result<Added> {
    let (name, wish) = parse(text)?;
    let index = machines.index()?;
    let project = index.project(&name).map_err(|e| e.into_error())?;
    let version = match wish {
        Wish::Exactly(version) => version,
        Wish::Newest(specifiers) => newest(machines, &project, &specifiers)?,
    };
    let path = free(dir, (&name, &version), force)?;
    let (sha256, source) = sdist(machines, &name, &version)?;
    let metadata = metadata(index, &project, (&version, source.path()))?
        .with_pure_wheel(project.files_of(&version).iter().any(|f| f.name.ends_with("-none-any.whl")));
    let draft = Draft::new(&name, &version, sha256, (source.path(), &metadata))?;
    crate::tree::fs::write_atomic(&path, draft.recipe(&path)?.as_bytes(), 0o644)?;
    Ok(Added { path, notes: draft.notes })
}

/// Which release of a project is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    /// This one, even if it is yanked or a pre-release.
    Exactly(Version),
    /// The newest of these.
    Newest(VersionSpecifiers),
}

/// `NAME`, `NAME==VERSION`, or a name with specifiers.
fn parse(text: &str) -> Result<(PackageName, Wish)> {
    let wrong = |why: String| {
        Error::input(format!("`{text}` is no project"))
            .because(why)
            .hint("write NAME, NAME==VERSION or 'NAME>=VERSION,<VERSION'")
    };
    if let Some((name, version)) = text.split_once("==").filter(|(_, v)| !v.contains(['=', '*', ','])) {
        let name = name.trim().trim_end_matches('=');
        if let Ok(name) = PackageName::from_str(name) {
            let version = Version::from_str(version.trim()).map_err(|e| wrong(e.to_string()))?;
            return Ok((name, Wish::Exactly(version)));
        }
    }
    let wanted = Requirement::from_str(text).map_err(wrong)?;
    let is_address = matches!(wanted.parsed.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_)));
    if is_address || !wanted.parsed.extras.is_empty() || !wanted.parsed.marker.is_true() {
        return Err(wrong("a project is a name, perhaps with versions, and nothing more".to_owned()));
    }
    Ok((wanted.name().clone(), Wish::Newest(wanted.specifiers().clone())))
}

/// The file a recipe goes to: `NAME.toml`, or `NAME-VERSION.toml` where
/// another version has that. A recipe of this version is only replaced by force.
fn free(dir: &Path, (name, version): (&PackageName, &Version), force: bool) -> Result<PathBuf> {
    let plain = dir.join(format!("{name}.toml"));
    let with_version = dir.join(format!("{name}-{version}.toml"));
    let of_another = |path: &Path| held(path).is_some_and(|held| held != *version);
    let path = match (plain.exists(), with_version.exists()) {
        (false, false) => return Ok(plain),
        // By force the only one there is; with both, the one of this version.
        (true, false) if force || !of_another(&plain) => plain,
        (true, false) => return Ok(with_version),
        (true, true) if force && !of_another(&plain) => plain,
        _ => with_version,
    };
    if force {
        return Ok(path);
    }
    Err(Error::input(format!("`{}` exists", path.display()))
        .hint("say --force to replace it, or --dir for another folder"))
}

/// The version that a recipe file says it is of, if it says one.
fn held(path: &Path) -> Option<Version> {
    let table: toml::Table = toml::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    Version::from_str(table.get("version")?.as_str()?).ok()
}

/// The newest of these releases with an sdist that is not yanked, not a
/// pre-release and for this interpreter.
fn newest(machines: &Machines, project: &Project, wanted: &VersionSpecifiers) -> Result<Version> {
    let target = &machines.interpreter.target;
    let fits = |text: Option<&str>| {
        text.and_then(|t| recipes::name::VersionSpecifiers::from_str(t).ok())
            .is_none_or(|s| target.satisfies(&s))
    };
    let releases = project.releases();
    let usable = |r: &&crate::index::Release<'_>| {
        wanted.contains(r.version) && !r.is_yanked() && r.sdist().is_some() && fits(r.requires_python())
    };
    let found = releases
        .iter()
        .filter(usable)
        .filter(|r| !r.version.any_prerelease())
        .map(|r| r.version.clone())
        .max()
        .or_else(|| releases.iter().filter(usable).map(|r| r.version.clone()).max());
    found.ok_or_else(|| {
        let which = if wanted.is_empty() { String::new() } else { format!(" that satisfies `{wanted}`") };
        Error::input(format!("`{}` has no release{which} with an sdist for this interpreter", project.name))
            .hint("name a version with NAME==VERSION, or write a recipe with `format = \"wheel\"`")
    })
}

/// The sdist's hash and its unpacked top folder.
fn sdist(
    machines: &Machines,
    name: &PackageName,
    version: &Version,
) -> Result<(recipes::name::Sha256, Source)> {
    let store = &machines.store;
    let temp = store.temp_dir()?;
    let what = What::Pypi(PypiFile {
        project: name.clone(),
        version: version.clone(),
        file: None,
        index: None,
        want: WantFile::Sdist,
    });
    let watch = Watch { bytes: &|_, _| {}, stop: machines.stop_flag() };
    let fetched = machines.fetcher()?.fetch(&FetchSpec::new(what, None), temp.path(), watch);
    let file = match fetched.map_err(|e| e.into_error())? {
        Fetched::File(file) => file,
        Fetched::Checkout(_) => return Err(Error::bug("the index gave a checkout")),
    };
    let digest = store.add_blob_file(&file.path)?;
    let known =
        BlobName { project: name.to_string(), version: version.to_string(), file_name: file.name.clone() };
    store.remember_blob(&digest, &known)?;
    let into = temp.path().join("unpacked");
    std::fs::create_dir(&into).doing(|| format!("failed to make `{}`", into.display()))?;
    let done = unpack(&store.blob_path(&digest), &file.name, &into, &UnpackLimits::default())
        .map_err(|e| Error::new(Kind::Build, format!("failed to unpack the sdist of {name}")).because(e))?;
    let top = done.top.map_or_else(|| into.clone(), |top| into.join(top));
    let Digest(bytes) = digest;
    Ok((recipes::name::Sha256(bytes), Source { top, _temp: temp }))
}

/// An unpacked sdist, removed when dropped.
struct Source {
    top: PathBuf,
    _temp: crate::store::TempDir,
}

impl Source {
    fn path(&self) -> &Path {
        &self.top
    }
}

/// The sdist's own metadata where it is final (PEP 643), else a wheel's of
/// the same release, else the sdist's all the same with a note.
fn metadata(index: &Index, project: &Project, (version, top): (&Version, &Path)) -> Result<Metadata> {
    let own = std::fs::read_to_string(top.join("PKG-INFO")).unwrap_or_default();
    let own = Metadata::parse(&own);
    if own.requires_are_final() {
        return Ok(own);
    }
    let wheel = project.releases().into_iter().find(|r| r.version == version).and_then(|r| {
        r.wheels().min_by_key(|w| (!w.name.ends_with("none-any.whl"), w.name.clone())).cloned()
    });
    match wheel {
        Some(wheel) => {
            let text = index.metadata(&wheel).map_err(|e| e.into_error())?;
            Ok(Metadata::parse(&text))
        }
        None => {
            Ok(own.with_note("the sdist's dependencies are not final: compare `dependencies` with its build"))
        }
    }
}
