//! A file that is there to be removed: the room a collection needs to begin
//! with on a disk that is full.
//!
//! Knows how much a database and a few small files need. Must never hold
//! anything anybody reads.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::Store;
use crate::error::Result;

const NAME: &str = "ballast";
/// The database's log and index, a session's folder and files, and a margin.
const BYTES: usize = 2 << 20;
/// Less than this is no room to be spared.
const ROOM: u64 = 64 << 20;

impl Store {
    /// [`Store::open`] for a collection: with the room that was kept for it.
    pub fn open_to_collect(root: &Path) -> Result<Self> {
        // Not there: a young store, or one that was just short of room.
        let _ = std::fs::remove_file(root.join(NAME));
        Self::open(root)
    }

    /// Makes the ballast where there is room. Without it a collection still
    /// works on every disk that is not full to the last block.
    pub(super) fn keep_room(&self) {
        make(self.root());
    }
}

/// See [`Store::keep_room`].
pub(super) fn make(root: &Path) {
    let path = root.join(NAME);
    let room = rustix::fs::statvfs(root).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    if room < ROOM || path.exists() {
        return;
    }
    let Ok(mut file) = OpenOptions::new().write(true).create_new(true).open(&path) else { return };
    // No zeros: a file system may keep those without using any blocks.
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let bytes: Vec<u8> = noise.take(BYTES / 8).flatten().collect();
    if file.write_all(&bytes).is_err() {
        let _ = std::fs::remove_file(&path);
    }
}
