//! Downloads that did not come to their end, for the next run to go on with.
//!
//! Knows files by their promised hash, and bounds. Must never know whether
//! the bytes are right: a download is verified as a whole at its end.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use recipes::name::Sha256;

/// Less is sooner fetched than kept.
const LEAST: u64 = 1 << 20;
/// Of more than these the oldest go.
const MOST_FILES: usize = 16;
const MOST_BYTES: u64 = 4 << 30;

/// The folder they lie in. What cannot be kept or taken is fetched again.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// A shelf in a folder that is made when needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The beginning of a file, moved into `into`: nobody else has it now.
    pub fn take(&self, hash: &Sha256, into: &Path) -> Option<tempfile::NamedTempFile> {
        let kept = self.folder.join(hash.hex());
        let is_file = kept.symlink_metadata().is_ok_and(|meta| meta.is_file());
        let open = |path: &Path| -> std::io::Result<File> {
            std::fs::rename(&kept, path)?;
            OpenOptions::new().read(true).write(true).open(path)
        };
        is_file.then(|| tempfile::Builder::new().prefix("fetch-").make_in(into, open).ok()).flatten()
    }

    /// Keeps the beginning of a file, of `size` bytes.
    pub fn put(&self, hash: &Sha256, file: tempfile::NamedTempFile, size: u64) {
        if !(LEAST..=MOST_BYTES).contains(&size) || std::fs::create_dir_all(&self.folder).is_err() {
            return;
        }
        if file.persist(self.folder.join(hash.hex())).is_ok() {
            self.prune();
        }
    }

    fn prune(&self) {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut kept: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let meta = entry.metadata().ok()?;
                Some((meta.modified().ok()?, meta.len(), entry.path()))
            })
            .collect();
        kept.sort_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (n, (_, size, path)) in kept.iter().enumerate() {
            bytes += size;
            if n >= MOST_FILES || bytes > MOST_BYTES {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_kept_is_taken_once_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().join("partial"));
        let hash = |n: u8| Sha256([n; 32]);
        let put = |n: u8, size: u64| {
            let mut file = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
            file.write_all(&[n]).unwrap();
            file.as_file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(n.into())).unwrap();
            shelf.put(&hash(n), file, size);
        };
        put(1, LEAST - 1);
        assert!(shelf.take(&hash(1), dir.path()).is_none(), "too small to keep");
        for n in 0..20 {
            put(n, LEAST);
        }
        let there: Vec<u8> = (0..20).filter(|n| shelf.folder.join(hash(*n).hex()).exists()).collect();
        assert_eq!(there, (4..20).collect::<Vec<u8>>());
        let taken = shelf.take(&hash(7), dir.path()).unwrap();
        assert_eq!(std::fs::read(taken.path()).unwrap(), [7]);
        assert!(shelf.take(&hash(7), dir.path()).is_none());
    }
}
