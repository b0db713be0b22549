//! A folder beside something a user is given: what is made in it is renamed to
//! its place when it is whole.
//!
//! Knows that a lock on a folder dies with its process. Must never touch a
//! folder that a living process holds, in whichever container that runs.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::error::{Error, IoContext as _, Result};
use crate::tree::fs::remove_tree;

const PREFIX: &str = ".wheelwright-";

/// Removed when dropped, or by the next run there when its owner was killed.
pub struct Beside {
    path: PathBuf,
    /// Held while the process lives.
    _lock: File,
}

impl Drop for Beside {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next run.
        let _ = remove_tree(&self.path);
    }
}

impl Beside {
    /// A new folder in the folder of `target`, which is made when missing;
    /// what killed runs left there goes.
    pub fn of(target: &Path) -> Result<Self> {
        let parent = target.parent().unwrap_or(Path::new("/"));
        let doing = || format!("failed to make `{}`", target.display());
        std::fs::create_dir_all(parent).doing(doing)?;
        sweep(parent);
        for n in 0..u32::MAX {
            let path = parent.join(format!("{PREFIX}{}-{n}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(Error::environment(doing()).because(e)),
            }
            // A sweep between the two took it for a dead one's.
            let Ok(lock) = File::open(&path) else { continue };
            rustix::fs::flock(&lock, FlockOperation::LockExclusive).doing(doing)?;
            if path.is_dir() {
                return Ok(Self { path, _lock: lock });
            }
        }
        Err(Error::bug(doing()).because("no name for a temporary folder is free"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Removes the folders that nobody holds. What cannot be removed is in
/// nobody's way.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(folder) = File::open(entry.path()) else { continue };
        if rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = remove_tree(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_run_left_goes_and_a_living_one_s_stays() {
        let dir = tempfile::tempdir().unwrap();
        let dead = dir.path().join(".wheelwright-1-0");
        std::fs::create_dir_all(dead.join("env/lib")).unwrap();
        std::fs::write(dir.path().join(".wheelwright-notes"), "the user's").unwrap();
        let living = Beside::of(&dir.path().join("venv")).unwrap();
        assert!(!dead.exists());
        let second = Beside::of(&dir.path().join("venv")).unwrap();
        assert!(living.path().is_dir() && second.path().is_dir());
        assert_ne!(living.path(), second.path());
        drop((living, second));
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, [".wheelwright-notes"]);
    }
}
