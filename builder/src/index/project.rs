//! A project's releases, and which of their files is meant.
//!
//! Knows versions, yanks and tags. Must never know pages or the network.

use std::collections::BTreeMap;

use recipes::name::{PackageName, Sha256, Version};
use recipes::target::wheel_tags;

use super::files::FileKind;
use super::page::{ProjectFile, WireFile, files_of};
use crate::error::Error;
use crate::fetch::{FetchError, PypiFile, WantFile};

/// How many versions a message names.
const NAMED: usize = 6;

/// Everything an index has of a project.
#[derive(Clone, Debug)]
pub struct Project {
    /// The project.
    pub name: PackageName,
    /// Its page, as it may be shown.
    pub from: String,
    /// Its sdists and wheels, in the order of the page.
    pub files: Vec<ProjectFile>,
}

/// One version of a project.
#[derive(Clone, Debug)]
pub struct Release<'a> {
    /// The version.
    pub version: &'a Version,
    /// Its files.
    pub files: Vec<&'a ProjectFile>,
}

impl Release<'_> {
    /// Whether every file is yanked (PEP 592).
    pub fn is_yanked(&self) -> bool {
        self.files.iter().all(|f| f.yanked.is_some())
    }

    /// The best sdist.
    pub fn sdist(&self) -> Option<&ProjectFile> {
        best_sdist(&self.files)
    }

    /// Its wheels.
    pub fn wheels(&self) -> impl Iterator<Item = &ProjectFile> {
        self.files.iter().copied().filter(|f| matches!(f.kind, FileKind::Wheel(_)))
    }

    /// The interpreters it is for, as the index has it: what any file says.
    pub fn requires_python(&self) -> Option<&str> {
        self.files.iter().find_map(|f| f.requires_python.as_deref())
    }
}

/// Why there is no file.
#[derive(Clone, Debug)]
pub enum IndexError {
    /// No index has the project.
    NoProject {
        /// The project.
        project: PackageName,
        /// The indexes, as they may be shown.
        asked: Vec<String>,
    },
    /// The project has no such version, or not the kind of file that is wanted.
    NoFile(Error),
    /// This run is offline and the page is not kept.
    Offline {
        /// The project.
        project: PackageName,
    },
    /// The run was stopped.
    Stopped,
    /// Anything else.
    Failed(Error),
}

impl IndexError {
    /// As an error. Callers that know similar names add a hint to `NoProject`.
    pub fn into_error(self) -> Error {
        match self {
            IndexError::NoProject { project, asked } => {
                let place = if asked.len() == 1 { "the index" } else { "any index" };
                let mut error = Error::input(format!("no project `{project}` on {place}"));
                error.hints.extend(asked.iter().map(|a| format!("looked in {a}")));
                error
            }
            IndexError::NoFile(error) | IndexError::Failed(error) => error,
            IndexError::Offline { project } => {
                let doing = format!("failed to read the project page of `{project}`: this run is offline");
                Error::environment(doing).hint("run once without --offline")
            }
            IndexError::Stopped => FetchError::Stopped.into_error(),
        }
    }
}

impl From<IndexError> for FetchError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Offline { project } => FetchError::Offline { what: project.to_string() },
            IndexError::Stopped => FetchError::Stopped,
            other => FetchError::Failed(other.into_error()),
        }
    }
}

impl Project {
    pub(super) fn new(name: &PackageName, from: String, files: Vec<WireFile>) -> Self {
        Self { name: name.clone(), from, files: files_of(name, files) }
    }

    /// All releases, the newest first.
    pub fn releases(&self) -> Vec<Release<'_>> {
        let mut by_version: BTreeMap<&Version, Vec<&ProjectFile>> = BTreeMap::new();
        for file in &self.files {
            by_version.entry(&file.version).or_default().push(file);
        }
        by_version.into_iter().rev().map(|(version, files)| Release { version, files }).collect()
    }

    /// The files of a version, however it is written (`1.0` is `1.0.0`).
    pub fn files_of(&self, version: &Version) -> Vec<&ProjectFile> {
        self.files.iter().filter(|f| f.version == *version).collect()
    }

    /// The file that is meant. If the index says of a fitting file that it has
    /// the promised hash, it is that one.
    pub fn pick(&self, wanted: &PypiFile, promised: Option<&Sha256>) -> Result<&ProjectFile, IndexError> {
        if let Some(name) = &wanted.file {
            return self.named(name, wanted);
        }
        let files = self.files_of(&wanted.version);
        if files.is_empty() {
            return Err(IndexError::NoFile(self.no_version(&wanted.version)));
        }
        let fits =
            |f: &&ProjectFile| matches!(f.kind, FileKind::Sdist(_)) == (wanted.want == WantFile::Sdist);
        let same = |f: &&&ProjectFile| promised.is_some() && f.sha256.as_ref() == promised;
        let fitting: Vec<&ProjectFile> = files.iter().copied().filter(fits).collect();
        if let Some(file) = fitting.iter().find(same) {
            return Ok(file);
        }
        let best = match &wanted.want {
            WantFile::Sdist => best_sdist(&fitting),
            WantFile::Wheel(tags) => best_wheel(&fitting, tags),
        };
        best.ok_or_else(|| IndexError::NoFile(self.no_kind(wanted, &files)))
    }

    fn named(&self, name: &str, wanted: &PypiFile) -> Result<&ProjectFile, IndexError> {
        let exact = self.files.iter().find(|f| f.name == name);
        exact.or_else(|| self.files.iter().find(|f| f.name.eq_ignore_ascii_case(name))).ok_or_else(|| {
            let mut error = Error::input(format!("`{}` has no file `{name}` on the index", self.name));
            let files = self.files_of(&wanted.version);
            if !files.is_empty() {
                error = error.hint(format!("{} has {}", wanted.version, names(&files)));
            }
            IndexError::NoFile(error.hint(format!("looked in {}", self.from)))
        })
    }

    fn no_version(&self, version: &Version) -> Error {
        let error = Error::input(format!("`{}` has no version {version} on the index", self.name));
        let releases = self.releases();
        if releases.is_empty() {
            return error.hint(format!("there is not one sdist or wheel at {}", self.from));
        }
        // Newest first: some above, some below.
        let at = releases.iter().position(|r| r.version < version).unwrap_or(releases.len());
        let start = at.saturating_sub(NAMED / 2).min(releases.len().saturating_sub(NAMED));
        let near: Vec<String> =
            releases.iter().skip(start).take(NAMED).map(|r| r.version.to_string()).collect();
        let newest = releases.iter().find(|r| !r.version.any_prerelease() && !r.is_yanked());
        let mut error = error.hint(format!("the nearest versions are {}", near.join(", ")));
        if let Some(newest) = newest.filter(|r| !near.contains(&r.version.to_string())) {
            error = error.hint(format!("the newest is {}", newest.version));
        }
        error
    }

    fn no_kind(&self, wanted: &PypiFile, files: &[&ProjectFile]) -> Error {
        let (what, hint) = match wanted.want {
            WantFile::Sdist => ("no sdist", "build it from git, or take the wheel with `format = \"wheel\"`"),
            WantFile::Wheel(_) => ("no wheel for this interpreter and platform", "build it from its sdist"),
        };
        Error::input(format!("`{}` {} has {what} on the index", self.name, wanted.version))
            .hint(format!("there is {}", names(files)))
            .hint(hint)
    }
}

fn names(files: &[&ProjectFile]) -> String {
    let mut all: Vec<String> = files.iter().take(NAMED).map(|f| format!("`{}`", f.name)).collect();
    if files.len() > NAMED {
        all.push(format!("{} more", files.len() - NAMED));
    }
    all.join(", ")
}

fn best_sdist<'a>(files: &[&'a ProjectFile]) -> Option<&'a ProjectFile> {
    let rank = |f: &&ProjectFile| match f.kind {
        FileKind::Sdist(rank) => Some(rank),
        FileKind::Wheel(_) => None,
    };
    // The first of equals, so that one page always gives one file.
    files.iter().copied().filter(|f| rank(f).is_some()).min_by_key(|f| (f.yanked.is_some(), rank(f)))
}

/// The wheel with the best tag; of those the highest build number (PEP 427).
fn best_wheel<'a>(files: &[&'a ProjectFile], tags: &[String]) -> Option<&'a ProjectFile> {
    let rank = |file: &ProjectFile| {
        let own = wheel_tags(&file.name).ok()?;
        tags.iter().position(|tag| own.contains(tag))
    };
    files
        .iter()
        .filter_map(|file| match file.kind {
            FileKind::Wheel(build) => {
                Some(((file.yanked.is_some(), rank(file)?, std::cmp::Reverse(build)), *file))
            }
            FileKind::Sdist(_) => None,
        })
        .min_by_key(|(key, _)| *key)
        .map(|(_, file)| file)
}
