//! Small archives in memory, for whoever may have what is in them already.
//!
//! Knows gzipped tars, by the rules of all the others. Must never report what
//! is wrong with one: unpacking it to the disk does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::OFlags;

use super::meter::{Gzip, Meter};
use super::write::Target;
use super::{GZIP, UnpackLimits, Unpacked, tar};
use crate::error::{IoContext as _, Result};
use crate::key::Digest;
use crate::tree::fs::{Beneath, bits, create_in};
use crate::tree::{Entry, RelPath, Tree};

/// What an archive holds, by its own paths.
#[derive(Default)]
pub(super) struct Contents {
    /// Bytes, and whether they can be executed.
    pub files: BTreeMap<RelPath, (Vec<u8>, bool)>,
    /// Texts of links.
    pub links: BTreeMap<RelPath, String>,
    /// Folders with entries of their own.
    pub folders: BTreeSet<RelPath>,
}

/// An archive that was unpacked to memory.
pub struct Held {
    /// What came, and when.
    pub unpacked: Unpacked,
    /// What is in its top folder.
    pub tree: Tree,
    contents: Contents,
}

/// Reads an archive of `most` bytes at most when it is unpacked. `None` for
/// others, and where anything is wrong.
pub fn hold(archive: &Path, limits: &UnpackLimits, most: u64) -> Option<Held> {
    let mut file = File::open(archive).ok()?;
    let size = file.metadata().ok()?.len();
    let mut head = [0; GZIP.len()];
    file.read_exact(&mut head).ok()?;
    // What its writer says of its size; the limit below counts.
    let mut tail = [0; 4];
    file.seek(SeekFrom::End(-4)).ok()?;
    file.read_exact(&mut tail).ok()?;
    file.rewind().ok()?;
    if head != GZIP || u64::from(u32::from_le_bytes(tail)) > most {
        return None;
    }
    let limits = UnpackLimits { bytes: limits.bytes.min(most), one_top: true, ..limits.clone() };
    let mut target = Target::held(size, &limits);
    let from = Gzip::new(BufReader::with_capacity(1 << 16, file));
    tar::unpack(Meter::new(Box::new(from), size, &limits), &mut target).ok()?;
    let contents = target.take_contents();
    let unpacked = target.finish().ok()?;
    let tree = tree_of(&contents, unpacked.top.as_deref()?)?;
    Some(Held { unpacked, tree, contents })
}

/// What lies in the top folder.
fn tree_of(contents: &Contents, top: &str) -> Option<Tree> {
    let Contents { files, links, folders } = contents;
    let mut tree = Tree::default();
    for (path, (bytes, executable)) in files {
        let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
        tree.entries.insert(below(path, top)?, Entry::File { digest, size, executable: *executable });
    }
    for (path, text) in links {
        tree.entries.insert(below(path, top)?, Entry::Link(text.clone()));
    }
    let all = files.keys().chain(links.keys()).chain(folders);
    let full: BTreeSet<&str> = all.filter_map(|path| Some(path.as_str().rsplit_once('/')?.0)).collect();
    for path in folders.iter().filter(|path| !full.contains(path.as_str())) {
        tree.entries.insert(below(path, top)?, Entry::Folder);
    }
    Some(tree)
}

/// The path as it is in the top folder.
fn below(path: &RelPath, top: &str) -> Option<RelPath> {
    RelPath::new(path.as_str().strip_prefix(top)?.strip_prefix('/')?).ok()
}

impl Held {
    /// Writes what is in the top folder to the existing empty folder `into`,
    /// as nobody will change it any more: files 0444 or 0555, folders below
    /// it 0555.
    pub fn write_sealed(&self, into: &Path) -> Result<()> {
        let doing = || format!("failed to write what is in an archive to `{}`", into.display());
        let root = Beneath::open(into)?;
        self.write(&root).doing(doing)
    }

    fn write(&self, root: &Beneath) -> io::Result<()> {
        let top = self.unpacked.top.as_deref().unwrap_or_default();
        let Contents { files, links, folders } = &self.contents;
        let mut made: BTreeSet<RelPath> = folders.iter().filter_map(|path| below(path, top)).collect();
        let all = || files.keys().chain(links.keys()).filter_map(|path| below(path, top));
        for path in all() {
            made.extend(path.as_str().match_indices('/').map(|(at, _)| RelPath(path.as_str()[..at].into())));
        }
        for folder in &made {
            root.make_folders(folder, 0o755)?;
        }
        let mut last: Option<(String, OwnedFd)> = None;
        for (path, (bytes, executable)) in files {
            let Some(path) = below(path, top) else { continue };
            let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
            if last.as_ref().is_none_or(|(open, _)| open != folder) {
                let fd = root.open_at(folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
                last = Some((folder.to_owned(), fd));
            }
            let (_, fd) = last.as_ref().expect("it was just opened");
            create_in(fd.as_fd(), name, if *executable { 0o555 } else { 0o444 })?.write_all(bytes)?;
        }
        for (path, text) in links {
            let Some(path) = below(path, top) else { continue };
            root.symlink(&path, text)?;
        }
        // The deepest first: nothing is made in one that is closed.
        for folder in made.iter().rev() {
            let fd = root.open_at(folder.as_str(), OFlags::RDONLY | OFlags::DIRECTORY)?;
            rustix::fs::fchmod(fd, bits(0o555))?;
        }
        Ok(())
    }
}
