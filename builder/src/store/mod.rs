//! Keeps blobs, trees and realisations; locks, roots, garbage collection.
//!
//! Knows digests, keys and what was realised. Must never know recipes, how a
//! wheel is made, or why something was built.
//!
//! ```text
//! blobs/ab/cdef…       files by their sha256, 0444
//! trees/ab/cdef…/      folders by the digest of their listing, 0555/0444
//! local/ab/cdef…/      companions of trees for this host (byte code, packs), outside every digest
//! envs/                environments and applications of this host
//! locks/               one file a key that is being made
//! tmp/<pid>-…/         one folder a living process, with its lock and its pins
//! ballast              room for a collection on a full disk
//! state.sqlite         realisations, histories, roots, small memories
//! ```
//! Whatever is taken hold of (looked up, added) is *pinned* by the process
//! for as long as it lives; `gc` keeps what is pinned. Nothing below `blobs`,
//! `trees` and in the realisations holds an absolute path, so a copy of the
//! folder works anywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use crate::error::{Error, IoContext as _, Result};
use crate::key::{Digest, TreeDigest};
use crate::tree::fs;

mod ballast;
mod blobs;
mod bound;
mod gc;
mod input;
mod leftover;
mod lock;
mod memory;
pub mod realisation;
mod realised;
mod renew;
mod roots;
mod session;
mod state;
mod trees;
mod verify;
mod wire;

pub use gc::GcReport;
pub use input::Input;
pub use lock::KeyLock;
pub use memory::{BlobName, KeptLog};
pub use roots::Root;
pub use session::TempDir;
pub use state::Record;
pub use verify::VerifyReport;

use session::Session;
use state::State;

/// A store, opened for reading and writing. Cloning is cheap; all clones are
/// one process' view of it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    state: State,
    session: OnceLock<Session>,
    /// Held by the thread that enters the session.
    entering: Mutex<()>,
    /// Companions that threads of this process make: two never make the same.
    making: Mutex<BTreeMap<PathBuf, Arc<Mutex<()>>>>,
}

const FOLDERS: [&str; 6] = ["blobs", "trees", "local", "envs", "locks", "tmp"];

impl Store {
    /// Opens a store, making it first when it is not there.
    pub fn open(root: &Path) -> Result<Self> {
        let doing = || format!("failed to open the store `{}`", root.display());
        std::fs::create_dir_all(root).map_err(|e| explain(e, doing()))?;
        let root = std::path::absolute(root).doing(doing)?;
        for name in FOLDERS {
            make_folder(&root.join(name)).map_err(|e| explain(e, doing()))?;
        }
        let state = State::open(&root.join("state.sqlite")).map_err(|e| e.within(doing()))?;
        Ok(Self {
            inner: Arc::new(Inner {
                root,
                state,
                session: OnceLock::new(),
                entering: Mutex::new(()),
                making: Mutex::default(),
            }),
        })
    }

    /// The store's folder, absolute.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Where a blob lies, whether it is there or not.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        fan_out(&self.root().join("blobs"), digest)
    }

    /// Where a tree lies, whether it is there or not.
    pub fn tree_path(&self, digest: &TreeDigest) -> PathBuf {
        fan_out(&self.root().join("trees"), &digest.0)
    }

    /// Where beginnings of downloads lie, for a later run to go on with. No
    /// promise of the store holds for them.
    pub fn partial_dir(&self) -> PathBuf {
        self.root().join("partial")
    }

    /// Where environments and applications of this host lie.
    pub fn envs_dir(&self) -> PathBuf {
        self.root().join("envs")
    }

    fn state(&self) -> &State {
        &self.inner.state
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("root", &self.inner.root).finish_non_exhaustive()
    }
}

/// Two levels, so that no folder grows too large.
fn fan_out(base: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    base.join(&hex[..2]).join(&hex[2..])
}

/// Makes a folder that builds running as another user can read, whatever the
/// umask.
fn make_folder(path: &Path) -> std::io::Result<()> {
    // Nearly always it is there.
    if path.is_dir() {
        return Ok(());
    }
    match std::fs::create_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(e) => Err(e),
        Ok(()) => Ok(rustix::fs::chmod(path, fs::bits(0o755))?),
    }
}

/// An error of the store's disk, with the hint that fits.
pub fn explain(e: std::io::Error, doing: String) -> Error {
    let error = Error::environment(doing).because(&e);
    match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            error.hint("the disk is full: `wheelwright gc` removes what no root needs")
        }
        std::io::ErrorKind::ReadOnlyFilesystem
        | std::io::ErrorKind::PermissionDenied
        | std::io::ErrorKind::NotADirectory
        | std::io::ErrorKind::AlreadyExists
        | std::io::ErrorKind::NotFound => {
            error.hint("the store must be writable: choose another folder with WHEELWRIGHT_STORE")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests;
