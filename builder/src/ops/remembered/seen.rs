//! One thing on disk as it was seen, to be known again by one look.
//!
//! Knows what the kernel says of a file, and that a file that was changed just
//! now may change again with the same times. Must never trust a name or a size
//! alone.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::key::Digest;
use crate::ops::load::Looked;

/// What changed this long before is not changed again at the same time, on
/// whichever file system.
const FRESH: Duration = Duration::from_secs(2);

/// What names the state of a file or folder: where it is kept, what it is, its
/// size, and when it and its content were changed last. Nobody can set the
/// second of these times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp(u64, u64, u32, u64, i64, i64, i64, i64);

impl Stamp {
    /// Of what the path leads to, through links.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let meta = path.metadata().ok()?;
        Some(Self(
            meta.dev(),
            meta.ino(),
            meta.mode(),
            meta.size(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec(),
        ))
    }

    /// Whether it was changed so short a time before that it may change again
    /// unseen; also where the clock that says so is ahead of ours.
    fn is_fresh(&self, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let Some(settled) = now.checked_sub(FRESH) else { return true };
        let settled = (settled.as_secs().cast_signed(), i64::from(settled.subsec_nanos()));
        (self.4, self.5).max((self.6, self.7)) >= settled
    }
}

/// A path, what was there, and the digest of what it said or held where times
/// alone do not tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen(String, Option<Stamp>, Option<String>);

impl Seen {
    /// Of something that was looked at; nothing where it is not what it was, or
    /// where that cannot be told.
    pub(super) fn of(looked: &Looked, now: SystemTime) -> Option<Self> {
        let path = looked.path()?;
        let stamp = Stamp::of(path);
        let fresh = stamp.is_some_and(|stamp| stamp.is_fresh(now));
        let digest = match (looked, fresh) {
            // The stamp of now is that of then only if it still says the same.
            (Looked::File(..) | Looked::Folder(..), false) => {
                (looked.again() == Some(true)).then_some(None)?
            }
            (Looked::File(_, file), true) => Some(Digest::of(file.text.as_bytes()).hex()),
            (Looked::Folder(_, entries), true) => {
                Some(of_names(entries.iter().map(|(name, _)| name.as_str())))
            }
            (Looked::At(_), false) => None,
            (Looked::At(_), true) | (Looked::Odd, _) => return None,
        };
        Some(Self(path.to_str()?.to_owned(), stamp, digest))
    }

    /// Whether it is there as it was.
    pub(super) fn holds(&self) -> bool {
        let Self(path, stamp, digest) = self;
        let path = Path::new(path);
        Stamp::of(path) == *stamp
            && digest.as_ref().is_none_or(|digest| on_disk(path).as_ref() == Some(digest))
    }

    /// From now on its times alone tell, if they are old enough: to be asked
    /// after [`Seen::holds`]. Whether that is news.
    pub(super) fn settle(&mut self, now: SystemTime) -> bool {
        let settled = self.2.is_some() && self.1.is_some_and(|stamp| !stamp.is_fresh(now));
        if settled {
            self.2 = None;
        }
        settled
    }
}

/// The digest of what a file says or a folder holds.
fn on_disk(path: &Path) -> Option<String> {
    if !path.is_dir() {
        return Some(Digest::of(&std::fs::read(path).ok()?).hex());
    }
    let names = path.read_dir().ok()?.map(|entry| entry.ok().map(|entry| entry.file_name()));
    let mut names: Vec<_> = names.collect::<Option<_>>()?;
    // What is not UTF-8 is no recipe.
    names.retain(|name| name.to_str().is_some());
    names.sort();
    Some(of_names(names.iter().filter_map(|name| name.to_str())))
}

/// What the names lead to has times of its own.
fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let text: String = names.flat_map(|name| [name, "\0"]).collect();
    Digest::of(text.as_bytes()).hex()
}
