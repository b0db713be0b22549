//! The files that a working environment gets as its own: which they are, and
//! how many of them are written at once.
//!
//! Knows what people edit in place and what they do not. They lie together in
//! a pack beside their install, so that only the new file is opened for each.
//! Must never know what an environment is for.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use rustix::fs::{Mode, OFlags};

use super::modules::Member;
use crate::error::Result;
use crate::tree::pack::{self, Listing, Pack, Packed};

/// The companion of an install that holds its pack; another name when what is
/// shared changes.
pub const COMPANION: &str = "copies-1";

/// Files larger than this are hard links in a working environment.
const LARGE: u64 = 1 << 20;
/// How files begin that tools make from others and programs only read: time
/// zones, message catalogs of both byte orders, pictures, fonts. Packages have
/// them by the hundred.
const ONLY_READ: [&[u8]; 8] = [
    b"TZif",
    b"\xde\x12\x04\x95",
    b"\x95\x04\x12\xde",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"wOFF",
    b"wOF2",
];
/// As many bytes of a pack are read at once: they stay near the processor
/// until they are written, and so small a buffer is no mapping of its own,
/// whose end every processor would have to be told.
const WINDOW: usize = 1 << 16;

/// So many packs stay open; a process may have about a thousand files.
const OPEN: usize = 256;

/// Whether nobody edits such a file in place, by its name.
pub fn is_native(name: &str) -> bool {
    [".so", ".dylib", ".a"].iter().any(|end| name.ends_with(end))
}

/// The same by its size and how it begins.
pub fn is_only_read(size: u64, start: &[u8]) -> bool {
    size > LARGE || ONLY_READ.iter().any(|known| start.starts_with(known))
}

/// Packs what a working environment copies of an install, in a folder.
pub fn make(tree: &Path, into: &Path) -> Result<()> {
    let leaves = |name: &str, size: u64, start: &[u8]| is_native(name) || is_only_read(size, start);
    pack::pack(tree, &into.join(pack::FILE), &leaves)
}

/// The packs of an environment's members.
#[derive(Debug)]
pub struct Copies<'a> {
    packs: Vec<Option<(&'a Path, Pack)>>,
    /// What is read goes through these, one for each thread that writes.
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl<'a> Copies<'a> {
    /// Opens those that members have.
    pub fn open(members: &'a [Member]) -> Result<Self> {
        let one = |(number, member): (usize, &'a Member)| match &member.copies {
            Some(folder) => {
                let pack = Pack::open(&folder.join(pack::FILE), number < OPEN)?;
                Ok(Some((member.tree.as_path(), pack)))
            }
            None => Ok(None),
        };
        let packs = members.par_iter().enumerate().map(one).collect::<Result<_>>()?;
        Ok(Self { packs, buffers: Mutex::default() })
    }

    /// No packs: everything is copied from where it lies.
    pub fn none() -> Self {
        Self { packs: Vec::new(), buffers: Mutex::default() }
    }

    /// What a member's pack has of one of its folders.
    pub fn folder(&self, owner: usize, path: &Path) -> Option<(&Pack, Listing<'_>)> {
        let (tree, pack) = self.packs.get(owner)?.as_ref()?;
        Some((pack, pack.folder(path.strip_prefix(tree).ok()?.to_str()?)?))
    }

    /// Writes files of a pack, in the order they have there, to an open folder.
    pub fn write(&self, pack: &Pack, files: &[Packed<'_>], to: BorrowedFd<'_>) -> io::Result<()> {
        let kept = || self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = kept().pop().unwrap_or_else(|| vec![0; WINDOW]);
        let done = write(pack, files, (to, &mut buffer));
        kept().push(buffer);
        done
    }
}

fn write(pack: &Pack, mut files: &[Packed<'_>], (to, buffer): (BorrowedFd<'_>, &mut [u8])) -> io::Result<()> {
    while let Some(first) = files.first() {
        let end = |file: &Packed<'_>| usize::try_from(file.at - first.at + file.size).unwrap_or(usize::MAX);
        let near = files.iter().take_while(|file| end(file) <= buffer.len()).count();
        if near == 0 {
            in_pieces(pack, *first, (create(*first, to)?, buffer))?;
            files = &files[1..];
            continue;
        }
        let (now, rest) = files.split_at(near);
        pack.read(first.at, &mut buffer[..end(&now[near - 1])])?;
        for file in now {
            let begin = usize::try_from(file.at - first.at).map_err(io::Error::other)?;
            create(*file, to)?.write_all(&buffer[begin..end(file)])?;
        }
        files = rest;
    }
    Ok(())
}

/// A file that is larger than the buffer.
fn in_pieces(pack: &Pack, file: Packed<'_>, (mut to, buffer): (File, &mut [u8])) -> io::Result<()> {
    let mut at = 0;
    while at < file.size {
        let piece = usize::try_from(file.size - at).unwrap_or(usize::MAX).min(buffer.len());
        pack.read(file.at + at, &mut buffer[..piece])?;
        to.write_all(&buffer[..piece])?;
        at += piece as u64;
    }
    Ok(())
}

fn create(file: Packed<'_>, folder: BorrowedFd<'_>) -> io::Result<File> {
    // The umask of this process is 022: no second call for the mode.
    let mode = Mode::from_raw_mode(if file.executable { 0o755 } else { 0o644 });
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(folder, file.name, flags, mode)?))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn of_many_members_not_every_pack_stays_open() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, folder) = (dir.path().join("tree"), dir.path().join("copies"));
        for folder in [&tree, &folder] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(tree.join("a"), "text").unwrap();
        make(&tree, &folder).unwrap();
        let copies = Some(folder);
        let one = Member { name: "a".into(), version: "1".into(), module: None, tree: tree.clone(), copies };
        let members = vec![one; 3 * OPEN];
        let open = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let before = open();
        let copies = Copies::open(&members).unwrap();
        // Other tests have files open too, but not by the hundred.
        assert!(open() < before + 2 * OPEN);
        let into = File::open(dir.path()).unwrap();
        let (pack, listing) = copies.folder(3 * OPEN - 1, &tree).unwrap();
        copies.write(pack, &listing.packed, into.as_fd()).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("a")).unwrap(), "text");
    }
}
