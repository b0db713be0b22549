//! Interpreters: discovery, identity, target.
//!
//! Knows how to ask an interpreter what it is, and remembers. Must never know
//! recipes or plans.

pub mod bytecode;
mod compiler;
mod discover;
mod identity;
mod libraries;
mod looked;
mod platforms;
mod probe;
mod shims;

use std::path::{Path, PathBuf};

use recipes::name::Version;
use recipes::target::Target;

pub use compiler::Compiler;
pub use discover::discover;
pub use probe::{Facts, kernel_key};

use crate::ambient::Ambient;
use crate::exec::action::HostView;
use crate::key::Digest;

/// The oldest minor version of Python 3 that is supported.
pub const OLDEST: u32 = 9;
/// The newest minor version of Python 3 this was tried with.
pub const NEWEST: u32 = 14;

/// Where interpreters are looked for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The folders of `PATH`, in order.
    pub path: Vec<PathBuf>,
    /// The user's home, for pyenv's and uv's versions.
    pub home: Option<PathBuf>,
    /// Where a relative path that is asked for starts.
    pub cwd: PathBuf,
    /// `$PYENV_VERSION`, which decides what pyenv's shims stand for.
    pub pyenv_version: Option<String>,
}

impl Search {
    /// As the user's surroundings say.
    pub fn of(ambient: &Ambient) -> Self {
        let path = ambient.var_os("PATH").map(|p| std::env::split_paths(p).collect()).unwrap_or_default();
        let pyenv_version = ambient.var("PYENV_VERSION").map(str::to_owned);
        Self { path, home: ambient.home.clone(), cwd: ambient.cwd.clone(), pyenv_version }
    }
}

/// A small persistent memory: what an unchanged interpreter was found to be.
/// The closures take a namespace and a key.
#[derive(Clone, Copy)]
pub struct Memo<'a> {
    /// What was remembered, if anything.
    pub recall: &'a dyn Fn(&str, &str) -> Option<String>,
    /// Remembers; failing to is no error.
    pub remember: &'a dyn Fn(&str, &str, &str),
}

impl Memo<'_> {
    /// Remembers nothing.
    pub fn none() -> Memo<'static> {
        Memo { recall: &|_, _| None, remember: &|_, _, _| () }
    }

    /// What is remembered under the key, or else what `make` gives.
    fn or_make<E>(&self, ns: &str, key: &str, make: impl FnOnce() -> Result<String, E>) -> Result<String, E> {
        if let Some(value) = (self.recall)(ns, key) {
            return Ok(value);
        }
        let value = make()?;
        (self.remember)(ns, key, &value);
        Ok(value)
    }
}

/// One CPython of this host.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// The program itself: no link, no shim, no virtual environment's.
    pub exe: PathBuf,
    /// Its version.
    pub version: Version,
    /// Major and minor version.
    pub minor: (u32, u32),
    /// Markers and tags.
    pub target: Target,
    /// Digest over executable, libpython, standard library and sysconfig's
    /// variables.
    pub identity: Digest,
    /// What it says of itself.
    pub facts: Facts,
    /// Shared libraries it and its standard library need, by the path they are
    /// loaded from.
    pub libraries: Vec<PathBuf>,
    /// All that was looked at to find it and to know it, whether it is there
    /// or not: while nothing of it changes, this is what is found. Nothing
    /// where more than that was asked, a process say.
    pub rests_on: Option<Vec<PathBuf>>,
}

impl Interpreter {
    /// `3.12`; `3.13t` without the GIL: the word in paths and keys.
    pub fn short_version(&self) -> String {
        let threaded = if self.facts.free_threaded { "t" } else { "" };
        format!("{}.{}{threaded}", self.minor.0, self.minor.1)
    }

    /// site-packages of a virtual environment of this interpreter, relative to
    /// it (`lib/python3.12/site-packages`).
    pub fn site_packages(&self) -> String {
        format!("lib/python{}/site-packages", self.short_version())
    }

    /// The read-only host paths a cell needs to run it, each at its own path.
    /// An interpreter below a prefix of its own is its whole prefix; a system
    /// one is its program, standard library and shared libraries. Headers come
    /// with [`HostView::Toolchain`] only.
    pub fn host_paths(&self, view: HostView) -> Vec<PathBuf> {
        let facts = &self.facts;
        let mut paths = Vec::new();
        let mut add = |path: &Path| {
            if path.exists() && !paths.iter().any(|have: &PathBuf| path.starts_with(have)) {
                paths.push(path.to_owned());
            }
        };
        for prefix in [&facts.base_prefix, &facts.base_exec_prefix] {
            if !is_shared(prefix) {
                add(prefix);
            }
        }
        add(&self.exe);
        add(&facts.stdlib);
        add(&facts.platstdlib);
        if let Ok(custom) = facts.stdlib.join("sitecustomize.py").canonicalize() {
            add(&custom);
        }
        if let Some(library) = facts.libpython() {
            add(&library);
        }
        if view == HostView::Toolchain {
            add(&facts.include);
        }
        self.libraries.iter().for_each(|library| add(library));
        paths
    }

    /// Folders inside [`Interpreter::host_paths`] that a cell should cover with
    /// an empty one: packages installed beside the standard library.
    pub fn hidden_paths(&self) -> Vec<PathBuf> {
        let facts = &self.facts;
        let mut paths =
            vec![facts.purelib.clone(), facts.platlib.clone(), facts.stdlib.join("dist-packages")];
        paths.sort();
        paths.dedup();
        let seen = self.host_paths(HostView::Minimal);
        paths.retain(|path| path.is_dir() && seen.iter().any(|s| path.starts_with(s)));
        paths
    }

    /// Folders where the interpreter's own pip may lie, as a package or as a
    /// wheel, best first.
    pub fn pip_places(&self) -> Vec<PathBuf> {
        let facts = &self.facts;
        let mut places = vec![facts.purelib.clone()];
        if facts.debian {
            places.push(facts.base_prefix.join("lib/python3/dist-packages"));
        }
        places.push(facts.stdlib.join("ensurepip/_bundled"));
        if !facts.wheel_pkg_dir.as_os_str().is_empty() {
            places.push(facts.wheel_pkg_dir.clone());
        }
        places.retain(|place| place.is_dir());
        places
    }
}

/// Whether a prefix is shared with other software, so that it cannot be shown
/// whole.
fn is_shared(prefix: &Path) -> bool {
    ["/", "/usr", "/usr/local"].iter().any(|shared| prefix == Path::new(shared))
}

#[cfg(test)]
mod tests;
