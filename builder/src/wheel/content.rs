//! The bytes of one file: in memory when they are few, else in a file that
//! has no name.
//!
//! Knows where bytes lie and how to read a part of them. Must never know what
//! they mean. A run works on several packages at once, and a wheel may be
//! larger than all of our memory should be: only [`Spool::MEMORY`] bytes of
//! the members of one are held, and the others are read where they lie.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, IoContext as _, Result};
use crate::store::explain;

/// Bytes that are moved at once.
pub const PIECE: usize = 1 << 16;

/// Some bytes.
#[derive(Clone, Debug)]
pub enum Content {
    /// Held.
    Memory(Vec<u8>),
    /// A part of an open file.
    Part(Part),
    /// A whole file with a name, and its size; opened when it is read.
    Named(PathBuf, u64),
}

/// A part of an open file.
#[derive(Clone, Debug)]
pub struct Part {
    file: Arc<File>,
    start: u64,
    len: u64,
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content::Memory(bytes)
    }
}

impl Content {
    /// How many bytes.
    pub fn size(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Part(part) => part.len,
            Content::Named(_, len) => *len,
        }
    }

    /// The bytes, if they are held.
    pub fn memory(&self) -> Option<&[u8]> {
        match self {
            Content::Memory(bytes) => Some(bytes),
            Content::Part(_) | Content::Named(..) => None,
        }
    }

    /// A reader of all bytes; it ends with an error where a file is cut off.
    pub fn reader(&self) -> Result<Reader<'_>> {
        let named = match self {
            Content::Named(path, _) => Some(File::open(path).doing(|| self.doing())?),
            Content::Memory(_) | Content::Part(_) => None,
        };
        Ok(Reader { content: self, named, at: 0 })
    }

    /// Up to `len` bytes from a place on: fewer only at the end.
    pub fn at(&self, at: u64, len: usize) -> Result<Cow<'_, [u8]>> {
        let left = self.size().saturating_sub(at);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(len);
        if let Content::Memory(bytes) = self {
            let at = (at as usize).min(bytes.len());
            return Ok(Cow::Borrowed(&bytes[at..at + len]));
        }
        let mut bytes = vec![0; len];
        let mut reader = self.reader()?;
        reader.at = at;
        reader.read_exact(&mut bytes).doing(|| self.doing())?;
        Ok(Cow::Owned(bytes))
    }

    /// All bytes; for files that have to be looked at as a whole.
    pub fn all(&self) -> Result<Cow<'_, [u8]>> {
        self.at(0, usize::MAX)
    }

    /// Gives all bytes to a writer or a hasher, piece by piece.
    pub fn pour(&self, mut into: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if let Content::Memory(bytes) = self {
            return into(bytes);
        }
        let (mut reader, mut piece) = (self.reader()?, vec![0; PIECE]);
        loop {
            match reader.read(&mut piece).doing(|| self.doing())? {
                0 => return Ok(()),
                n => into(&piece[..n])?,
            }
        }
    }

    fn doing(&self) -> String {
        match self {
            Content::Named(path, _) => format!("failed to read `{}`", path.display()),
            Content::Memory(_) | Content::Part(_) => "failed to read a temporary file".to_owned(),
        }
    }
}

#[cfg(test)]
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.all().unwrap() == other.all().unwrap()
    }
}

/// Reads a [`Content`] from its beginning.
pub struct Reader<'a> {
    content: &'a Content,
    named: Option<File>,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.content.size().saturating_sub(self.at);
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        if want == 0 {
            return Ok(0);
        }
        let n = match (self.content, &self.named) {
            (Content::Memory(bytes), _) => {
                let at = self.at as usize;
                into[..want].copy_from_slice(&bytes[at..at + want]);
                want
            }
            (Content::Part(part), _) => part.file.read_at(&mut into[..want], part.start + self.at)?,
            (Content::Named(..), Some(file)) => file.read_at(&mut into[..want], self.at)?,
            (Content::Named(..), None) => unreachable!("a reader of a named file has opened it"),
        };
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += n as u64;
        Ok(n)
    }
}

/// Where bytes go that are too many for memory: one file without a name, made
/// when the first of them come.
#[derive(Debug)]
pub struct Spool {
    folder: Option<PathBuf>,
    memory: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<Arc<File>>,
    next: u64,
}

impl Spool {
    /// Bytes of the members of one wheel that are held.
    pub const MEMORY: u64 = 4 << 20;

    /// Files are made in this folder.
    pub fn within(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), memory: Self::MEMORY, state: Mutex::default() }
    }

    /// Everything is held: for what is known to be small.
    pub fn nowhere() -> Self {
        Self { folder: None, memory: u64::MAX, state: Mutex::default() }
    }

    /// The same with another bound.
    #[cfg(test)]
    pub fn holding(self, memory: u64) -> Self {
        Self { memory, ..self }
    }

    /// The size up to which files are held, so that all held ones together
    /// stay within the bound: the small ones are the many.
    pub fn held_up_to(&self, sizes: impl Iterator<Item = u64>) -> u64 {
        let mut sizes: Vec<u64> = sizes.collect();
        sizes.sort_unstable();
        let (mut total, mut most) = (0u64, 0);
        for same in sizes.chunk_by(|a, b| a == b) {
            total = total.saturating_add(same[0].saturating_mul(same.len() as u64));
            if total > self.memory {
                return most;
            }
            most = same[0];
        }
        u64::MAX
    }

    /// Room for `len` bytes at most.
    pub fn slot(&self, len: u64) -> Result<Slot> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match (&state.file, &self.folder) {
            (Some(file), _) => Arc::clone(file),
            (None, Some(folder)) => {
                let doing = || format!("failed to make a temporary file in `{}`", folder.display());
                let file = tempfile::tempfile_in(folder).map_err(|e| explain(e, doing()))?;
                Arc::clone(state.file.insert(Arc::new(file)))
            }
            (None, None) => unreachable!("what is held needs no room"),
        };
        let start = state.next;
        state.next += len;
        Ok(Slot { part: Part { file, start, len: 0 }, room: len })
    }
}

/// Room in a spool, being written.
pub struct Slot {
    part: Part,
    room: u64,
}

impl Slot {
    /// Writes behind what was written, as far as there is room.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let doing = || "failed to write a temporary file of the store".to_owned();
        if bytes.len() as u64 > self.room - self.part.len {
            return Err(Error::bug(doing()).because("it is larger than was said"));
        }
        let at = self.part.start + self.part.len;
        self.part.file.write_all_at(bytes, at).map_err(|e| explain(e, doing()))?;
        self.part.len += bytes.len() as u64;
        Ok(())
    }

    /// What was written.
    pub fn finish(self) -> Content {
        Content::Part(self.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_files_are_held_and_no_more_than_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::within(dir.path()).holding(100);
        let most = |sizes: &[u64]| spool.held_up_to(sizes.iter().copied());
        assert_eq!(most(&[]), u64::MAX);
        assert_eq!(most(&[50, 30, 20]), u64::MAX);
        assert_eq!(most(&[1000, 30, 20, 30]), 30);
        assert_eq!(most(&[40, 40, 40]), 0, "equals stay together");
        assert_eq!(most(&[10, 40, 40, 40]), 10);
        assert_eq!(Spool::nowhere().held_up_to([u64::MAX, 1].into_iter()), u64::MAX);
    }

    #[test]
    fn content_is_the_same_wherever_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        let spool = Spool::within(dir.path());
        let mut other = spool.slot(10).unwrap();
        let mut slot = spool.slot(bytes.len() as u64).unwrap();
        other.put(b"not these").unwrap();
        bytes.chunks(70_000).for_each(|piece| slot.put(piece).unwrap());
        assert!(slot.put(b"x").is_err(), "the room is for so many");
        let path = dir.path().join("named");
        std::fs::write(&path, &bytes).unwrap();
        let all =
            [Content::from(bytes.clone()), slot.finish(), Content::Named(path.clone(), bytes.len() as u64)];
        for content in &all {
            assert_eq!(content.size(), 200_000);
            assert_eq!(content.all().unwrap(), bytes);
            assert_eq!(content.at(100, 7).unwrap(), &bytes[100..107]);
            assert_eq!(content.at(199_990, 70).unwrap(), &bytes[199_990..]);
            assert_eq!(content.at(300_000, 70).unwrap(), b"".as_slice());
            let mut poured = Vec::new();
            let take = |piece: &[u8]| {
                poured.extend_from_slice(piece);
                Ok(())
            };
            content.pour(take).unwrap();
            assert_eq!(poured, bytes);
        }
        std::fs::write(&path, "short").unwrap();
        assert!(all[2].all().is_err(), "a file that was cut off meanwhile");
    }
}
