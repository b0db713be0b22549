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

use recipes::name::{PackageName, Version};

use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Kind, Result};
use crate::fetch::{FetchSpec, Fetched, PypiFile, WantFile, Watch, What};
use crate::index::{Index, Project};
use crate::key::Digest;
use crate::ops::load::load;
use crate::ops::machines::{Machines, Settings, open};
use crate::store::BlobName;
use crate::tree::unpack::{UnpackLimits, unpack};
use draft::{Draft, Metadata};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// `NAME` or `NAME==VERSION`.
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
    Ok(request.projects.iter().map(|project| one(&machines, project, (&dir, request.force))).collect())
}

fn one(machines: &Machines, text: &str, (dir, force): (&Path, bool)) -> Result<Added> {
    let (name, version) = parse(text)?;
    let index = machines.index()?;
    let project = index.project(&name).map_err(|e| e.into_error())?;
    let version = match version {
        Some(version) => version,
        None => newest(machines, &project)?,
    };
    let path = dir.join(format!("{name}.toml"));
    if path.exists() && !force {
        return Err(Error::input(format!("`{}` exists", path.display()))
            .hint("say --force to replace it, or --dir for another folder"));
    }
    let (sha256, source) = sdist(machines, &name, &version)?;
    let metadata = metadata(index, &project, (&version, source.path()))?
        .with_pure_wheel(project.files_of(&version).iter().any(|f| f.name.ends_with("-none-any.whl")));
    let draft = Draft::new(&name, &version, sha256, (source.path(), &metadata))?;
    crate::tree::fs::write_atomic(&path, draft.recipe(&path)?.as_bytes(), 0o644)?;
    Ok(Added { path, notes: draft.notes })
}

/// `NAME` or `NAME==VERSION`.
fn parse(text: &str) -> Result<(PackageName, Option<Version>)> {
    let wrong = |why: String| {
        Error::input(format!("`{text}` is no project")).because(why).hint("write NAME or NAME==VERSION")
    };
    let (name, version) = match text.split_once("==") {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let name = PackageName::from_str(name.trim()).map_err(|e| wrong(e.to_string()))?;
    let version =
        version.map(|v| Version::from_str(v.trim()).map_err(|e| wrong(e.to_string()))).transpose()?;
    Ok((name, version))
}

/// The newest release with an sdist that is not yanked, not a pre-release and
/// for this interpreter.
fn newest(machines: &Machines, project: &Project) -> Result<Version> {
    let target = &machines.interpreter.target;
    let fits = |text: Option<&str>| {
        text.and_then(|t| recipes::name::VersionSpecifiers::from_str(t).ok())
            .is_none_or(|s| target.satisfies(&s))
    };
    let releases = project.releases();
    let usable =
        |r: &&crate::index::Release<'_>| !r.is_yanked() && r.sdist().is_some() && fits(r.requires_python());
    let found = releases
        .iter()
        .filter(usable)
        .filter(|r| !r.version.any_prerelease())
        .map(|r| r.version.clone())
        .max()
        .or_else(|| releases.iter().filter(usable).map(|r| r.version.clone()).max());
    found.ok_or_else(|| {
        Error::input(format!("`{}` has no release with an sdist for this interpreter", project.name))
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
