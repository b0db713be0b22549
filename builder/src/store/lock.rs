//! One maker per key on this machine.
//!
//! Knows that the kernel lets go of a lock when its process dies. Must never
//! know what is made.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::session::open_lock;
use super::{Store, explain};
use crate::error::{IoContext as _, Result};
use crate::key::StepKey;

/// Between two tries: short against any step that is worth waiting for.
const PAUSE: Duration = Duration::from_millis(10);

/// The right to make a key; given back when dropped or when the process dies.
pub struct KeyLock {
    file: File,
    path: PathBuf,
}

impl Store {
    /// Waits until nobody else (other threads and other processes) makes this
    /// key. When that takes waiting, `on_wait` is first told who makes it
    /// (`process 4711`). Look the key up again afterwards.
    pub fn lock(&self, key: &StepKey, on_wait: &mut dyn FnMut(&str)) -> Result<KeyLock> {
        let lock = self.lock_while(key, on_wait, &|| true)?;
        Ok(lock.expect("only who stops waiting goes without it"))
    }

    /// [`Store::lock`] for those who may stop waiting: nothing when `going`
    /// says no before the lock is free. It is asked many times a second.
    pub fn lock_while(
        &self,
        key: &StepKey,
        on_wait: &mut dyn FnMut(&str),
        going: &dyn Fn() -> bool,
    ) -> Result<Option<KeyLock>> {
        let path = self.root().join("locks").join(key.hex());
        let doing = || format!("failed to lock `{}`", path.display());
        loop {
            let mut file = open_lock(&path).map_err(|e| explain(e, doing()))?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    on_wait(&holder(&mut file));
                    if !wait(&file, going).doing(doing)? {
                        return Ok(None);
                    }
                }
                Err(e) => return Err(e).doing(doing),
            }
            // Its last holder removed the file: somebody may hold a new one.
            if !is_still(&file, &path) {
                continue;
            }
            sign(&mut file).map_err(|e| explain(e, doing()))?;
            return Ok(Some(KeyLock { file, path }));
        }
    }
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        // While the lock is held: who waits sees that the file is gone.
        let _ = std::fs::remove_file(&self.path);
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Tries again until it is held (yes) or waited for no longer (no): a wait in
/// the kernel would not end with a Ctrl-C.
fn wait(file: &File, going: &dyn Fn() -> bool) -> rustix::io::Result<bool> {
    while going() {
        std::thread::park_timeout(PAUSE);
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(64).read_to_string(&mut text);
    if text.is_empty() { "another process".to_owned() } else { text }
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {}", std::process::id())
}

pub(super) fn is_still(file: &File, path: &Path) -> bool {
    match (rustix::fs::fstat(file), rustix::fs::stat(path)) {
        (Ok(held), Ok(named)) => (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino),
        _ => false,
    }
}
