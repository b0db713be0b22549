//! `add --no-solve`: a recipe for a project as it is named.
//!
//! Knows what one release says of itself. Must never choose a version for
//! anything that was not named.

use std::path::Path;
use std::str::FromStr as _;

use recipes::name::{PackageName, Requirement, Version, VersionSpecifiers};

use super::draft::{Draft, Metadata, Purpose};
use super::sdist::{self, Sdist};
use super::{Added, free};
use crate::error::{Error, Result};
use crate::fetch::{PypiFile, WantFile};
use crate::index::{Index, Project};
use crate::ops::machines::Machines;

/// Writes the recipe of a project.
pub(super) fn one(machines: &Machines, text: &str, (dir, force): (&Path, bool)) -> Result<Added> {
    let (name, wish) = parse(text)?;
    let index = machines.index()?;
    let project = index.project(&name).map_err(|e| e.into_error())?;
    let version = match wish {
        Wish::Exactly(version) => version,
        Wish::Newest(specifiers) => newest(machines, &project, &specifiers)?,
    };
    let path = free(dir, (&name, &version), force)?;
    let wanted = PypiFile {
        project: name.clone(),
        version: version.clone(),
        file: None,
        index: None,
        want: WantFile::Sdist,
    };
    let file = project.pick(&wanted, None).map_err(|e| e.into_error())?;
    let sdist = sdist::read(machines, (&name, None), file)?;
    let metadata = metadata(index, &project, (&version, &sdist))?
        .with_pure_wheel(project.files_of(&version).iter().any(|f| f.name.ends_with("-none-any.whl")));
    let draft = Draft::new((&name, &version), sdist.sha256, (&sdist.facts, &metadata), &Purpose::default());
    crate::tree::fs::write_atomic(&path, draft.recipe(&path)?.0.as_bytes(), 0o644)?;
    Ok(Added { path, notes: draft.notes })
}

/// Which release of a project is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// This one, even if it is yanked or a pre-release.
    Exactly(Version),
    /// The newest of these.
    Newest(VersionSpecifiers),
}

/// `NAME`, `NAME==VERSION`, or a name with specifiers.
pub(super) fn parse(text: &str) -> Result<(PackageName, Wish)> {
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

/// The sdist's own metadata where it is final (PEP 643), else a wheel's of
/// the same release, else the sdist's all the same with a note.
fn metadata(index: &Index, project: &Project, (version, sdist): (&Version, &Sdist)) -> Result<Metadata> {
    let own = Metadata::parse(&sdist.facts.pkg_info);
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
        None => Ok(sdist.metadata()),
    }
}
