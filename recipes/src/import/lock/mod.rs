//! Lock files and lists of requirements, as what they ask for.
//!
//! Knows one value for all of them: requirements, what is promised of the
//! files of pinned versions, and what cannot be carried over. Must never know
//! what an index has.

mod conda;
mod pdm;
mod poetry;
mod pylock;
mod pyproject;
mod reach;
pub mod requirements;
mod table;
#[cfg(test)]
mod tests;
mod uv;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Todo;
use crate::codes;
use crate::diag::{Finding, Place, SourceFile};
use crate::name::{PackageName, Requirement, Sha256, Version, VersionSpecifiers};
use crate::node::Table;

pub use requirements::Files;

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `pylock.toml` (PEP 751).
    Pylock,
    /// `uv.lock`.
    Uv,
    /// `poetry.lock`.
    Poetry,
    /// `pdm.lock`.
    Pdm,
    /// `requirements.txt`.
    Requirements,
    /// The pip part of an `environment.yml`.
    Conda,
    /// The dependencies of a `pyproject.toml`.
    Pyproject,
}

impl Format {
    /// The format of a file, by its name.
    pub fn of(name: &str) -> Option<Self> {
        let middle = name.strip_prefix("pylock.").and_then(|rest| rest.strip_suffix(".toml"));
        match name {
            "pylock.toml" => Some(Self::Pylock),
            "uv.lock" => Some(Self::Uv),
            "poetry.lock" => Some(Self::Poetry),
            "pdm.lock" => Some(Self::Pdm),
            "pyproject.toml" => Some(Self::Pyproject),
            _ if middle.is_some_and(|m| !m.is_empty() && !m.contains('.')) => Some(Self::Pylock),
            _ if name.ends_with(".txt") => Some(Self::Requirements),
            _ if name.ends_with(".yml") || name.ends_with(".yaml") => Some(Self::Conda),
            _ => None,
        }
    }
}

/// One thing that is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `flask==3.1.0; python_version >= '3.9'`.
    pub requirement: Requirement,
    /// Where that is said.
    pub place: Place,
}

/// What is promised of the files of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// Each of its files has one of these; nothing is promised by none.
    pub hashes: BTreeSet<Sha256>,
    /// All its files are named, and none is an sdist.
    pub only_wheels: bool,
}

/// All that a file asks for.
#[derive(Clone, Debug, Default)]
pub struct Locked {
    /// In the order of the text.
    pub wanted: Vec<Wanted>,
    /// What rules versions out without asking for any (`-c`).
    pub limits: Vec<Requirement>,
    /// Of pinned versions.
    pub promises: BTreeMap<(PackageName, Version), Promise>,
    /// What could not be carried over.
    pub todos: Vec<Todo>,
    /// Why it cannot be read as what it is.
    pub findings: Vec<Finding>,
    /// The Pythons it was made for, and where that is said.
    pub pythons: Vec<(VersionSpecifiers, Place)>,
    /// A package may be for another platform though no marker says so.
    pub loose: bool,
    /// It is meant to have all that is needed.
    pub whole: bool,
}

impl Locked {
    /// Adds what another file says.
    pub fn extend(&mut self, other: Self) {
        self.wanted.extend(other.wanted);
        self.limits.extend(other.limits);
        for (named, promise) in other.promises {
            self.promise(named, promise);
        }
        self.todos.extend(other.todos);
        self.findings.extend(other.findings);
        self.pythons.extend(other.pythons);
        self.loose |= other.loose;
        self.whole |= other.whole;
    }

    fn promise(&mut self, named: (PackageName, Version), promise: Promise) {
        match self.promises.get_mut(&named) {
            Some(old) => {
                old.hashes.extend(promise.hashes);
                old.only_wheels &= promise.only_wheels;
            }
            None => {
                self.promises.insert(named, promise);
            }
        }
    }

    /// Heeds which Pythons it was made for; words that are not PEP 440's
    /// (`^3.9`) say nothing that its packages do not say again.
    fn for_python(&mut self, table: &Table, key: &str) {
        let said = table.get(key).and_then(|node| Some((node.as_str()?.parse().ok()?, node.place.clone())));
        self.pythons.extend(said);
    }

    fn todo(&mut self, place: &Place, attribute: &str, why: &str) {
        self.todos.push(Todo { attribute: attribute.to_owned(), why: why.to_owned(), place: place.clone() });
    }

    /// One version of a name; another is asked for under its own marker, or
    /// left out.
    fn one_version_each(&mut self) {
        let mut first: BTreeMap<PackageName, (Version, bool)> = BTreeMap::new();
        let (mut kept, mut todos) = (Vec::new(), Vec::new());
        for wanted in std::mem::take(&mut self.wanted) {
            let name = wanted.requirement.name().clone();
            let Some(version) = pinned(&wanted.requirement) else {
                kept.push(wanted);
                continue;
            };
            let marked = !wanted.requirement.parsed.marker.is_true();
            match first.get(&name) {
                Some((other, other_marked)) if *other != version && !(marked && *other_marked) => {
                    todos.push(Todo {
                        attribute: name.to_string(),
                        why: format!(
                            "{version} is left out: no marker tells when it is meant, and when {other}"
                        ),
                        place: wanted.place,
                    });
                }
                Some(_) => kept.push(wanted),
                None => {
                    first.insert(name, (version, marked));
                    kept.push(wanted);
                }
            }
        }
        self.wanted = kept;
        self.todos.extend(todos);
    }
}

/// The one version that a requirement allows.
pub fn pinned(requirement: &Requirement) -> Option<Version> {
    use pep440_rs::Operator::{Equal, ExactEqual};
    let specifiers = requirement.specifiers();
    let exact = specifiers.iter().find(|s| matches!(s.operator(), Equal | ExactEqual));
    exact.map(|s| s.version().clone())
}

/// Reads the file `first` of `files`; the others are those that it includes.
pub fn read(format: Format, files: &Files, first: &str) -> Locked {
    let Some(file) = files.get(first) else { return Locked::default() };
    let mut locked = match format {
        Format::Requirements => return requirements::read(files, first),
        Format::Conda => return conda::read(files, first),
        Format::Pyproject => return table::read(file, pyproject::read),
        Format::Pylock => table::read(file, pylock::read),
        Format::Uv => table::read(file, uv::read),
        Format::Poetry => table::read(file, poetry::read),
        Format::Pdm => table::read(file, pdm::read),
    };
    locked.whole = true;
    locked.one_version_each();
    locked
}

/// A lock file of a version that nobody knows here.
fn unknown_version(place: Place, said: Option<&str>, supported: &str) -> Finding {
    let which = match said {
        Some(said) => format!("of the version {said}"),
        None => "that does not say its version".to_owned(),
    };
    Finding::error(codes::UNKNOWN_LOCK, place, format!("a lock file {which} cannot be read"))
        .hint(format!("the versions that can be read: {supported}"))
}

/// The place of a text up to where an address begins: it may have a password.
fn without_address(file: &Arc<SourceFile>, start: usize, text: &str) -> Place {
    let end = text.find("://").unwrap_or(text.len());
    Place { file: Arc::clone(file), span: start..start + end }
}

/// Why a source that is no release of an index has no recipe.
const ELSEWHERE: &str =
    "it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source]";
