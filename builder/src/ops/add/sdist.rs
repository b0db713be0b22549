//! An sdist of the index: fetched into the store, unpacked, read, forgotten
//! but for what it says.
//!
//! Knows the store. Runs nothing of the sdist. Must never choose one.

use std::path::{Path, PathBuf};

use recipes::name::{PackageName, Sha256};

use super::draft::Metadata;
use super::imports;
use super::source::{SourceFacts, is_read, read_egg_requires};
use crate::error::{Error, IoContext as _, Kind, Result};
use crate::fetch::{FetchSpec, Fetched, PypiFile, WantFile, Watch, What};
use crate::index::{FileKind, ProjectFile};
use crate::key::Digest;
use crate::ops::machines::Machines;
use crate::store::{BlobName, Store};
use crate::tree::unpack::{UnpackLimits, unpack_some};

/// Raised when what is read of an sdist changes.
const MEMO: &str = "sdist/9";

/// What is known of an sdist.
#[derive(Clone, Debug)]
pub struct Sdist {
    /// The hash its recipe promises.
    pub sha256: Sha256,
    /// What it says.
    pub facts: SourceFacts,
}

impl Sdist {
    /// Its own metadata: final (PEP 643), or as setuptools left it.
    pub fn metadata(&self) -> Metadata {
        let own = Metadata::parse(&self.facts.pkg_info);
        match &self.facts.egg_requires {
            _ if own.requires_are_final() => own,
            Some(text) => own.with_requires(&read_egg_requires(text)),
            None => {
                own.with_note("the sdist's dependencies are not final: compare `dependencies` with its build")
            }
        }
    }
}

/// Reads an sdist; one that was read before is not even fetched.
pub fn read(
    machines: &Machines,
    (name, on): (&PackageName, Option<&str>),
    file: &ProjectFile,
) -> Result<Sdist> {
    let store = &machines.store;
    if let Some(sha256) = file.sha256
        && let Some(known) = store.recall(MEMO, &sha256.hex())?
        && let Ok(facts) = serde_json::from_str(&known)
    {
        return Ok(Sdist { sha256, facts });
    }
    let sha256 = fetch(machines, (name, on), file)?;
    let temp = store.temp_dir()?;
    let (top, files) = unpacked(store, (&Digest(sha256.0), &file.name), temp.path())?;
    let mut facts = SourceFacts::read(&top, &files).map_err(|e| {
        e.within(format!("failed to read `{}`", file.name)).hint(format!("--wheel {name} takes it prebuilt"))
    })?;
    facts.imports = imports::foreign(&top, name);
    let text = serde_json::to_string(&facts)
        .map_err(|e| Error::bug("failed to keep an sdist's facts").because(e))?;
    store.remember(MEMO, &sha256.hex(), &text)?;
    Ok(Sdist { sha256, facts })
}

/// Brings a file into the store, unless it is there, and gives its hash.
pub fn fetch(
    machines: &Machines,
    (name, on): (&PackageName, Option<&str>),
    file: &ProjectFile,
) -> Result<Sha256> {
    let store = &machines.store;
    if let Some(sha256) = file.sha256.filter(|hash| store.has_blob(&Digest(hash.0)).unwrap_or(false)) {
        return Ok(sha256);
    }
    let what = What::Pypi(PypiFile {
        project: name.clone(),
        version: file.version.clone(),
        file: Some(file.name.clone()),
        index: on.map(str::to_owned),
        want: match file.kind {
            FileKind::Sdist(_) => WantFile::Sdist,
            FileKind::Wheel(_) => WantFile::Wheel(Vec::new()),
        },
    });
    let temp = store.temp_dir()?;
    let watch = Watch { bytes: &|_, _| {}, stop: machines.stop_flag() };
    // No hash is promised yet: the index's own word is held against the bytes.
    let fetched = machines.fetcher()?.fetch(&FetchSpec::new(what, None), temp.path(), watch);
    let got = match fetched.map_err(|e| e.into_error())? {
        Fetched::File(got) => got,
        Fetched::Checkout(_) => return Err(Error::bug("the index gave a checkout")),
    };
    let digest = store.add_blob_file(&got.path)?;
    let known = BlobName {
        project: name.to_string(),
        version: file.version.to_string(),
        file_name: file.name.clone(),
    };
    store.remember_blob(&digest, &known)?;
    Ok(Sha256(digest.0))
}

/// The top folder of an sdist of the store, with the files of it that are
/// read, and the names of the others.
fn unpacked(
    store: &Store,
    (digest, file_name): (&Digest, &str),
    temp: &Path,
) -> Result<(PathBuf, Vec<String>)> {
    let into = temp.join("unpacked");
    std::fs::create_dir(&into).doing(|| format!("failed to make `{}`", into.display()))?;
    let limits = UnpackLimits::default();
    let done = unpack_some(&store.blob_path(digest), file_name, (&into, &limits), is_read)
        .map_err(|e| Error::new(Kind::Build, format!("failed to unpack `{file_name}`")).because(e))?;
    Ok((done.top.map_or_else(|| into.clone(), |top| into.join(top)), done.passed))
}
