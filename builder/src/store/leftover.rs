//! What collects beside the content: locks of the dead, folders that
//! `--keep-failed` kept, toolboxes of hosts as they were.
//!
//! Knows whether somebody holds a lock, and ages. Must never remove anything
//! that cannot be made again or was not forgotten for long.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::FlockOperation;

use super::gc::below;
use super::session::open_lock;
use super::{Store, lock};
use crate::error::Result;

/// After a week, as the help of `gc` says, a kept folder or a toolbox is no
/// longer wanted.
const OLD: Duration = Duration::from_secs(7 * 24 * 3600);

/// What of it may go.
#[derive(Default)]
pub(super) struct Leftovers {
    /// Lock files nobody holds.
    pub locks: Vec<PathBuf>,
    /// Folders.
    pub folders: Vec<PathBuf>,
}

impl Store {
    /// Finds what may go. Toolboxes only when nobody else is `running`: cells
    /// have them mounted. Behind the exclusive gate.
    pub(super) fn leftovers(&self, running: bool) -> Result<Leftovers> {
        let now = Duration::from_millis(self.state().stamp()?.parse().unwrap_or(0));
        let mut found = Leftovers::default();
        for path in below(&self.root().join("locks")) {
            // The gate is held by us.
            if path.file_name().is_some_and(|name| name != "gate") && !is_held(&path) {
                found.locks.push(path);
            }
        }
        found.folders.extend(below(&self.root().join("failed")).filter(|path| is_old(path, now)));
        if !running {
            found.folders.extend(below(&self.root().join("toolbox")).filter(|path| is_old(path, now)));
        }
        Ok(found)
    }
}

/// Removes a lock file if nobody holds it.
pub(super) fn remove_lock(path: &Path) {
    let Ok(file) = open_lock(path) else { return };
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        && lock::is_still(&file, path)
    {
        // While it is held: who opened it meanwhile sees that it is gone.
        let _ = std::fs::remove_file(path);
    }
}

fn is_held(path: &Path) -> bool {
    std::fs::File::open(path)
        .is_ok_and(|file| rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

fn is_old(path: &Path, now: Duration) -> bool {
    let changed = path.symlink_metadata().and_then(|meta| meta.modified());
    let changed = changed.ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    changed.is_some_and(|at| now.saturating_sub(at) > OLD)
}
