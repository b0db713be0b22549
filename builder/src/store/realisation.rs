//! What a step gave: the only thing that has to be trusted.
//!
//! Knows digests and plain facts. Must never know how they came to be.

use std::time::Duration;

use crate::key::{Digest, TreeDigest};

/// How much a build is kept apart. Asked for, never fallen back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Only the environment is emptied and the process group is killed.
    Env,
    /// Landlock and seccomp, no namespaces.
    Landlock,
    /// The cell: namespaces, assembled root, seccomp, no capability.
    Full,
}

impl Level {
    /// The word of flags, keys and reports.
    pub fn word(self) -> &'static str {
        match self {
            Level::Env => "env",
            Level::Landlock => "landlock",
            Level::Full => "full",
        }
    }
}

/// The output of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One file, and the name it goes by (`flask-3.1.3-py3-none-any.whl`).
    Blob {
        /// Its bytes.
        digest: Digest,
        /// Its name.
        name: String,
    },
    /// A folder.
    Tree(TreeDigest),
    /// Nothing: the step is a check that passed.
    Passed,
}

/// nixpkgs' `pythonModule`, as a type: present exactly on installs that may
/// be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonModule {
    /// Normalised name.
    pub name: String,
    /// PEP 440 text.
    pub version: String,
    /// `3.11`: the version the install is laid out for.
    pub python: String,
    /// Interpreter identity.
    pub interpreter: Digest,
    /// Requires-Dist of the wheel, as text.
    pub requires: Vec<String>,
    /// Top-level importable names.
    pub imports: Vec<String>,
    /// Executables: `name` and, for entry points, `module:object`.
    pub scripts: Vec<(String, Option<String>)>,
}

/// What a step gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realisation {
    /// The output.
    pub output: Output,
    /// For installs of packages.
    pub module: Option<PythonModule>,
    /// The log's blob.
    pub log: Option<Digest>,
    /// The level it was made at.
    pub level: Level,
    /// Seconds since the epoch of the source (SOURCE_DATE_EPOCH), for sources.
    pub epoch: Option<u64>,
    /// Wall time it took to make.
    pub took: Duration,
    /// Report facts as JSON text: wheel tags, warnings, provenance.
    pub facts: String,
}
