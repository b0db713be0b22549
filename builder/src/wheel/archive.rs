//! Zip archives as lists of members, read strictly and written in one way only.
//!
//! Knows the zip format as far as wheels use it. Must never know what the
//! members mean. Reading refuses what two zip readers could understand
//! differently: a second entry for a path, overlapping members, data after
//! the end, headers that disagree. A small archive is held in memory, of a
//! larger one only what is asked for.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::content::{Content, Spool};
use crate::error::{Error, IoContext as _, Kind};
use crate::tree::RelPath;

mod read;
mod state;
mod write;

pub use read::{Want, read, read_some};
pub use write::{Written, write};

/// The deflate level of every wheel we write. With the pinned backend it
/// decides the bytes; changing it is a new version of the finish step.
const LEVEL: u32 = 6;
/// 1980-01-01 in DOS form: the earliest date zip can say.
const DATE: u16 = 0x0021;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
/// What fits a 16-bit count and 32-bit sizes and offsets; more needs zip64.
const MOST_MEMBERS: usize = u16::MAX as usize - 1;
const MOST_BYTES: usize = u32::MAX as usize - 1;

/// One file of a wheel.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub struct Member {
    /// Where it is, from the wheel's top.
    pub path: RelPath,
    /// Its bytes, not compressed.
    pub bytes: Content,
    /// Whether any x bit was set.
    pub executable: bool,
}

/// Below this many bytes of members no archive is a bomb.
const RATIO_FLOOR: u64 = 64 << 20;

/// Bounds of reading.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the archive.
    pub archive: u64,
    /// Bytes of all members together, not compressed.
    pub bytes: u64,
    /// Bytes of members per byte of archive; counts only beyond 64 MiB.
    pub ratio: u64,
    /// Members, folders counted.
    pub members: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { archive: 4 << 30, bytes: 4 << 30, ratio: 200, members: 200_000 }
    }
}

impl Limits {
    /// What is wrong with members of so many bytes in an archive of `size`.
    fn refuse(&self, total: u128, size: u64) -> Option<String> {
        let by_ratio = size.saturating_mul(self.ratio).max(RATIO_FLOOR);
        if total > u128::from(self.bytes) {
            Some(format!("the members hold {total} bytes, more than {} are allowed", self.bytes))
        } else if total > u128::from(by_ratio) {
            Some(format!("the members hold {total} bytes, more than {} times the archive's size", self.ratio))
        } else {
            None
        }
    }
}

/// What is wrong with an archive, or a machine that cannot.
#[derive(Debug)]
pub enum Bad {
    /// All that is wrong, one sentence each.
    Archive(Vec<String>),
    /// Not the archive's fault.
    Machine(Error),
}

impl From<String> for Bad {
    fn from(said: String) -> Self {
        Bad::Archive(vec![said])
    }
}

impl From<&str> for Bad {
    fn from(said: &str) -> Self {
        said.to_owned().into()
    }
}

impl From<Error> for Bad {
    fn from(e: Error) -> Self {
        Bad::Machine(e)
    }
}

/// An archive that can be read at any place.
#[derive(Debug)]
pub enum Archive {
    /// A small one.
    Memory(Vec<u8>),
    /// A large one, and its size.
    File(File, u64),
}

impl Archive {
    /// Opens an archive file, unless it is larger than is allowed: then the
    /// error is the package's (`Build`), else the machine's.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, Error> {
        let doing = || format!("failed to read `{}`", path.display());
        let file = File::open(path).doing(doing)?;
        let size = file.metadata().doing(doing)?.len();
        if size > limits.archive {
            let text = format!("it has {size} bytes, more than {} are allowed", limits.archive);
            return Err(Error::new(Kind::Build, doing()).because(text));
        }
        if size > Spool::MEMORY {
            return Ok(Archive::File(file, size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(size).read_to_end(&mut bytes).doing(doing)?;
        Ok(Archive::Memory(bytes))
    }

    /// How many bytes.
    pub fn size(&self) -> u64 {
        match self {
            Archive::Memory(bytes) => bytes.len() as u64,
            Archive::File(_, size) => *size,
        }
    }

    /// Up to `len` bytes from a place on: fewer only at the end.
    fn at(&self, at: u64, len: u64) -> Result<Cow<'_, [u8]>, Error> {
        let at = at.min(self.size());
        let len = len.min(self.size() - at) as usize;
        match self {
            Archive::Memory(bytes) => Ok(Cow::Borrowed(&bytes[at as usize..at as usize + len])),
            Archive::File(file, _) => {
                let mut bytes = vec![0; len];
                file.read_exact_at(&mut bytes, at).doing(|| "failed to read an archive")?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}
