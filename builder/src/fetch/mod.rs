//! Promised hash in, verified bytes out.
//!
//! Knows HTTP, git, mirrors, retries and credentials. Must never know archives,
//! recipes, or why the bytes are wanted.

pub mod auth;
pub mod client;
mod download;
mod git;
pub mod http;
mod httpdate;
pub mod keyring;
mod shelf;
#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../../../tests/support/server.rs"]
pub mod testserver;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use recipes::name::{PackageName, Sha256, Version};
pub use recipes::recipe::GitRev;
pub use reqwest::Url;

use crate::error::{Error, Kind};
use auth::{percent_decode, shown, shown_text};
use http::{Failure, Http, Verdict};
use shelf::Shelf;

pub(crate) use download::content_range;
pub use git::{GitOptions, OwnRepository};

/// Bytes of one file or checkout, unless the spec says otherwise.
pub const DEFAULT_LIMIT: u64 = 8 << 30;

/// One thing to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchSpec {
    /// What.
    pub what: What,
    /// The sha256 of the file. `None`: whatever comes is taken and its hash
    /// told (`hash = ""`, `add`, and everything whose hash is of a tree).
    pub expected: Option<Sha256>,
    /// Most bytes of the file, or of the checkout.
    pub limit: u64,
}

/// The kinds of things that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A file of a project on a package index.
    Pypi(PypiFile),
    /// One file at one of several addresses, in order of preference.
    Url {
        /// `https:`, `http:` or `file:`.
        urls: Vec<String>,
    },
    /// A commit of a git repository.
    Git {
        /// `https:`, `http:`, `ssh:`, `git:`, `file:` or `user@host:path`.
        url: String,
        /// Which commit.
        rev: GitRev,
        /// Submodules too, at every depth.
        submodules: bool,
    },
}

/// A file of a project on a package index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PypiFile {
    /// The project.
    pub project: PackageName,
    /// The version.
    pub version: Version,
    /// Exactly this file.
    pub file: Option<String>,
    /// A name from `[index.NAME]` or an address; `None`: the configured ones.
    pub index: Option<String>,
    /// Which file, when `file` does not say.
    pub want: WantFile,
}

/// Which of a version's files is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantFile {
    /// The source.
    Sdist,
    /// The best wheel for these compatible tags, best first.
    Wheel(Vec<String>),
}

impl FetchSpec {
    /// With the usual limit.
    pub fn new(what: What, expected: Option<Sha256>) -> Self {
        Self { what, expected, limit: DEFAULT_LIMIT }
    }
}

impl fmt::Display for What {
    /// A short name for messages, without anything secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Pypi(p) => match &p.file {
                Some(file) => write!(f, "{file}"),
                None => write!(f, "{} {}", p.project, p.version),
            },
            What::Url { urls } => f.write_str(&urls.first().map(|u| shown_text(u)).unwrap_or_default()),
            What::Git { url, rev: GitRev::Rev(rev) | GitRev::Tag(rev), .. } => {
                write!(f, "{} at {rev}", shown_text(url))
            }
        }
    }
}

/// What was fetched. It lies in the folder the caller gave and is removed
/// when dropped.
#[derive(Debug)]
pub enum Fetched {
    /// One file.
    File(FetchedFile),
    /// A checkout.
    Checkout(Checkout),
}

/// A file whose hash is the expected one, or any when none was expected.
#[derive(Debug)]
pub struct FetchedFile {
    /// Its bytes.
    pub path: tempfile::TempPath,
    /// The name it goes by (`Flask-1.0.tar.gz`), no folder in it.
    pub name: String,
    /// Its hash, computed while it came in.
    pub sha256: Sha256,
    /// In bytes.
    pub size: u64,
    /// The address it came from, as it may be shown.
    pub from: String,
    /// What the user should know (the release is yanked, a mirror failed).
    pub notes: Vec<String>,
}

/// The files of a commit.
#[derive(Debug)]
pub struct Checkout {
    /// Holds the files and nothing of git.
    pub folder: tempfile::TempDir,
    /// The full commit id.
    pub commit: String,
    /// The commit's time, seconds since 1970.
    pub time: u64,
    /// The address it came from, as it may be shown.
    pub from: String,
}

/// A file that is not the promised one.
#[derive(Debug)]
pub struct Mismatch {
    /// The promised hash.
    pub specified: Sha256,
    /// The file that came, with its real hash: `--accept-hash` keeps it.
    pub got: FetchedFile,
}

/// Why there is nothing.
#[derive(Debug)]
pub enum FetchError {
    /// The bytes are not the promised ones.
    Mismatch(Box<Mismatch>),
    /// This run is offline and this is missing. The caller lists all of them.
    Offline {
        /// What is missing.
        what: String,
    },
    /// The run was stopped.
    Stopped,
    /// Anything else.
    Failed(Error),
}

impl FetchError {
    /// As an error: for callers that do not group mismatches or offline misses.
    pub fn into_error(self) -> Error {
        match self {
            FetchError::Mismatch(m) => Error::new(Kind::Hash, format!("hash mismatch for `{}`", m.got.name))
                .because(format!("specified {}, got {}, from {}", m.specified, m.got.sha256, m.got.from)),
            FetchError::Offline { what } => {
                Error::environment(format!("failed to fetch `{what}`: this run is offline"))
                    .hint("run once without --offline to fill the store")
            }
            FetchError::Stopped => Error::new(Kind::Stopped, "the run was stopped"),
            FetchError::Failed(error) => error,
        }
    }
}

impl From<Error> for FetchError {
    fn from(error: Error) -> Self {
        FetchError::Failed(error)
    }
}

/// Who is told about bytes, and who may stop it. Cheap to make.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called with the bytes so far and, if known, in all.
    pub bytes: &'a (dyn Fn(u64, Option<u64>) + Sync),
    /// Set to stop.
    pub stop: &'a AtomicBool,
}

impl Watch<'_> {
    /// Nobody.
    pub fn nobody() -> Watch<'static> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Watch { bytes: &|_, _| {}, stop: &NEVER }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Where a file of an index lies: what the index says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its address.
    pub url: Url,
    /// Its name.
    pub name: String,
    /// Its size, if the index says.
    pub size: Option<u64>,
    /// Its sha256, if the index says.
    pub sha256: Option<Sha256>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Finds a file on the index. The promised hash tells two files of a version apart.
pub type Locate = dyn Fn(&PypiFile, Option<&Sha256>) -> Result<Located, FetchError> + Send + Sync;

/// Gives bytes for specs. One implementation is the network; tests and
/// bundles of sources may be others.
pub trait Source: Sync {
    /// Fetches into a new file or folder inside `into`. The store is not asked:
    /// a caller that has the expected hash does not call.
    fn fetch(&self, spec: &FetchSpec, into: &Path, watch: Watch<'_>) -> Result<Fetched, FetchError>;
}

/// The network. Used from several threads at once.
pub struct Fetcher {
    http: Arc<Http>,
    git: GitOptions,
    locate: Box<Locate>,
    shelf: Option<Shelf>,
}

impl Source for Fetcher {
    fn fetch(&self, spec: &FetchSpec, into: &Path, watch: Watch<'_>) -> Result<Fetched, FetchError> {
        Fetcher::fetch(self, spec, into, watch)
    }
}

impl Fetcher {
    /// `locate` is the index's: see `index::Index::locator`.
    pub fn new(http: Arc<Http>, git: GitOptions, locate: Box<Locate>) -> Self {
        Self { http, git, locate, shelf: None }
    }

    /// Keeps downloads that are broken off in a folder, by their promised
    /// hash, and goes on with them. The folder may be emptied at any time.
    pub fn resuming(self, folder: PathBuf) -> Self {
        Self { shelf: Some(Shelf::new(folder)), ..self }
    }

    /// See [`Source::fetch`].
    pub fn fetch(&self, spec: &FetchSpec, into: &Path, watch: Watch<'_>) -> Result<Fetched, FetchError> {
        match &spec.what {
            What::Pypi(file) => {
                let found = (self.locate)(file, spec.expected.as_ref())?;
                let place = Place { url: found.url, size: found.size };
                let mut file = self.first_of(&[place], &found.name, spec, (into, watch))?;
                // Where nobody else promised anything, the index's own word holds.
                if let (None, Some(said)) = (spec.expected, found.sha256.filter(|s| *s != file.sha256)) {
                    let doing = format!("failed to download `{}`", found.name);
                    let why = format!("the index says {said}, and {} came from {}", file.sha256, file.from);
                    return Err(FetchError::Failed(Error::new(Kind::Hash, doing).because(why)));
                }
                file.notes.splice(0..0, found.notes);
                Ok(Fetched::File(file))
            }
            What::Url { urls } => {
                let places = urls.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
                let name = places.first().map(|p| file_name(&p.url)).unwrap_or_default();
                self.first_of(&places, &name, spec, (into, watch)).map(Fetched::File)
            }
            What::Git { url, rev, submodules } => {
                if self.http.options().offline && !url.starts_with("file:") {
                    return Err(FetchError::Offline { what: spec.what.to_string() });
                }
                let wanted = git::Wanted { url, rev, submodules: *submodules, limit: spec.limit };
                git::checkout(&self.git, &self.http, &wanted, (into, watch))
                    .map(Fetched::Checkout)
                    .map_err(|e| self.git_error(e, spec))
            }
        }
    }

    /// The commit that a reference of a repository (`HEAD`, `refs/heads/main`)
    /// is at now. `into` is a folder to work in.
    pub fn commit_of(
        &self,
        (url, reference): (&str, &str),
        into: &Path,
        watch: Watch<'_>,
    ) -> Result<String, FetchError> {
        if self.http.options().offline && !url.starts_with("file:") {
            return Err(FetchError::Offline { what: shown_text(url) });
        }
        git::commit_of(&self.git, &self.http, (url, reference), (into, watch)).map_err(|e| match e.verdict {
            Verdict::Stopped => FetchError::Stopped,
            _ => FetchError::Failed(e.error.within(format!("failed to look at `{}`", shown_text(url)))),
        })
    }

    fn git_error(&self, failure: Failure, spec: &FetchSpec) -> FetchError {
        match failure.verdict {
            Verdict::Stopped => FetchError::Stopped,
            _ => FetchError::Failed(failure.error.within(format!("failed to fetch `{}`", spec.what))),
        }
    }

    /// The first place that gives the promised bytes. A mirror with other
    /// bytes is passed over like one that fails; if none is right, the first
    /// wrong hash is what the caller is told.
    fn first_of(
        &self,
        places: &[Place],
        name: &str,
        spec: &FetchSpec,
        (into, watch): (&Path, Watch<'_>),
    ) -> Result<FetchedFile, FetchError> {
        let (mut wrong, mut failures, mut offline): (Option<Mismatch>, Vec<Error>, bool) =
            (None, Vec::new(), false);
        for place in places {
            let wanted = download::Wanted {
                expected: spec.expected,
                size: place.size,
                limit: spec.limit,
                shelf: self.shelf.as_ref(),
            };
            let got = match download::download(&self.http, &place.url, into, (&wanted, watch)) {
                Ok(got) => got,
                Err(Failure { verdict: Verdict::Stopped, .. }) => return Err(FetchError::Stopped),
                Err(Failure { verdict: Verdict::Offline, .. }) => {
                    offline = true;
                    continue;
                }
                Err(failure) => {
                    failures.push(failure.error);
                    continue;
                }
            };
            let mut file = FetchedFile {
                path: got.path,
                name: name.to_owned(),
                sha256: got.sha256,
                size: got.size,
                from: shown(&place.url),
                notes: Vec::new(),
            };
            match spec.expected {
                Some(specified) if specified != file.sha256 => {
                    wrong.get_or_insert(Mismatch { specified, got: file });
                }
                _ => {
                    file.notes = mirror_notes(wrong.as_ref(), &failures);
                    return Ok(file);
                }
            }
        }
        match wrong {
            Some(mut mismatch) => {
                mismatch.got.notes = mirror_notes(None, &failures);
                Err(FetchError::Mismatch(Box::new(mismatch)))
            }
            None if offline => Err(FetchError::Offline { what: spec.what.to_string() }),
            None => Err(FetchError::Failed(all_failed(name, failures))),
        }
    }
}

fn mirror_notes(wrong: Option<&Mismatch>, failures: &[Error]) -> Vec<String> {
    let other = wrong.map(|m| format!("`{}` has other bytes: {}", m.got.from, m.got.sha256));
    other.into_iter().chain(failures.iter().map(ToString::to_string)).collect()
}

fn all_failed(name: &str, mut failures: Vec<Error>) -> Error {
    let doing = format!("failed to fetch `{name}`");
    match failures.len() {
        0 => Error::input(format!("{doing}: no address is given")),
        1 => failures.remove(0).within(doing),
        n => {
            let mut all = Error::environment(format!("{doing} from any of {n} addresses"));
            for failure in failures {
                all.causes.push(failure.to_string());
                all.hints.extend(failure.hints);
            }
            all.hints.dedup();
            all
        }
    }
}

/// One address to try, and the size it is said to have.
struct Place {
    url: Url,
    size: Option<u64>,
}

fn parse(text: &str) -> Result<Place, Error> {
    let refuse = |why: &str| Error::input(format!("cannot fetch from `{}`: {why}", shown_text(text)));
    let url = Url::parse(text).map_err(|e| refuse(&e.to_string()))?;
    match url.scheme() {
        "https" | "http" if url.has_host() => Ok(Place { url, size: None }),
        "file" if url.host_str().is_none_or(|h| h == "localhost") => Ok(Place { url, size: None }),
        "file" => Err(refuse("a file address names no host: write `file:///path`")),
        other => Err(refuse(&format!("`{other}:` is not one of `https:`, `http:` and `file:`"))),
    }
}

/// The last part of an address's path, as a file name that is safe to use.
pub fn file_name(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut s| s.rfind(|part| !part.is_empty())).unwrap_or("");
    let name: String =
        percent_decode(last).chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
    match name.as_str() {
        "" | "." | ".." => "source".to_owned(),
        _ => name.chars().take(200).collect(),
    }
}
