//! From a folder on disk to a [`Tree`].
//!
//! Knows how to list and hash in parallel, bounded, following nothing. Must
//! never know why, or what the result is compared with.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::fs::{Beneath, bits};
use super::{Entry, RelPath, Tree};
use crate::error::{Error, IoContext as _, Kind, Result, shown};
use crate::key::Digest;

/// Bounds of one scan.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// Files, links and folders together.
    pub entries: usize,
    /// Bytes of all files together.
    pub bytes: u64,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { entries: 1_000_000, bytes: 64 << 30 }
    }
}

/// Levels of folders: what walks a tree later may hold one descriptor a level.
const DEEPEST: usize = 256;

/// What lies in a folder, before any file was opened. Parents come before
/// what is in them.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Folders, and whether each is empty.
    pub folders: Vec<(RelPath, bool)>,
    /// Regular files.
    pub files: Vec<RelPath>,
    /// Symbolic links and their texts.
    pub links: Vec<(RelPath, String)>,
}

/// Reads a whole folder as a value. Devices, fifos, sockets and names that
/// are not UTF-8 are errors; links are recorded, never followed.
pub fn scan(root: &Path) -> Result<Tree> {
    scan_within(root, &ScanLimits::default())
}

/// [`scan`] with bounds of one's own.
pub fn scan_within(root: &Path, limits: &ScanLimits) -> Result<Tree> {
    let root = Beneath::open(root)?;
    let walk = walk(&root, limits)?;
    hash(&root, walk, limits, false)
}

/// Reads only the listed files and links below a folder; a listed folder
/// counts as an empty one.
pub fn scan_listed(root: &Path, paths: &[RelPath]) -> Result<Tree> {
    let root = Beneath::open(root)?;
    let walk = Walk::of_listed(&root, paths)?;
    hash(&root, walk, &ScanLimits::default(), false)
}

/// [`scan`] of a folder that is to become read-only: files get 0444 or 0555,
/// folders but the root 0555; a file with several names gets bytes of its own.
pub(crate) fn seal(root: &Path) -> Result<Tree> {
    let limits = ScanLimits::default();
    let root = Beneath::open(root)?;
    let walk = walk(&root, &limits)?;
    let folders: Vec<RelPath> = walk.folders.iter().map(|(p, _)| p.clone()).collect();
    let tree = hash(&root, walk, &limits, true)?;
    for path in folders.iter().rev() {
        let folder = root.open_at(path.as_str(), OFlags::RDONLY | OFlags::DIRECTORY);
        let sealed = folder.and_then(|f| {
            own(&f, &rustix::fs::fstat(&f)?)?;
            Ok(rustix::fs::fchmod(f, bits(0o555))?)
        });
        sealed.doing(|| failed(&root, path.as_str()))?;
    }
    let top = root.open_at("", OFlags::RDONLY | OFlags::DIRECTORY);
    let owned = top.and_then(|f| Ok(own(&f, &rustix::fs::fstat(&f)?)?));
    owned.doing(|| failed(&root, ""))?;
    Ok(tree)
}

/// A path below may have any name.
fn quoted(path: &Path) -> String {
    format!("`{}`", shown(&path.display().to_string()))
}

fn failed(root: &Beneath, rel: &str) -> String {
    format!("failed to read {}", quoted(&root.path().join(rel)))
}

impl Walk {
    /// Only the listed entries; a listed folder counts as an empty one.
    pub(crate) fn of_listed(root: &Beneath, paths: &[RelPath]) -> Result<Self> {
        let mut walk = Walk::default();
        for path in paths {
            let (folder, name) = root.parent(path).doing(|| failed(root, path.as_str()))?;
            let stat = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
                .doing(|| failed(root, path.as_str()))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => walk.folders.push((path.clone(), true)),
                other => walk.put(root, path.clone(), other)?,
            }
        }
        Ok(walk)
    }

    fn put(&mut self, root: &Beneath, path: RelPath, kind: FileType) -> Result<()> {
        match kind {
            FileType::RegularFile => self.files.push(path),
            FileType::Symlink => {
                let (folder, name) = root.parent(&path).doing(|| failed(root, path.as_str()))?;
                let text =
                    rustix::fs::readlinkat(folder, name, Vec::new()).doing(|| failed(root, path.as_str()))?;
                let text = text.into_string().map_err(|_| not_utf8(root, path.as_str(), "link text"))?;
                self.links.push((path, text));
            }
            FileType::Directory => self.folders.push((path, false)),
            other => return Err(special(root, &path, other)),
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.folders.len() + self.files.len() + self.links.len()
    }
}

/// Lists a folder and all below it.
pub(crate) fn walk(root: &Beneath, limits: &ScanLimits) -> Result<Walk> {
    let mut out = Walk::default();
    read_folder(root, None, &mut out, limits)?;
    let mut next = 0;
    while let Some((folder, _)) = out.folders.get(next).cloned() {
        out.folders[next].1 = read_folder(root, Some(&folder), &mut out, limits)? == 0;
        next += 1;
    }
    Ok(out)
}

/// Appends what is directly in one folder; gives how much that was.
fn read_folder(
    root: &Beneath,
    folder: Option<&RelPath>,
    out: &mut Walk,
    limits: &ScanLimits,
) -> Result<usize> {
    let rel = folder.map_or("", RelPath::as_str);
    if rel.matches('/').count() >= DEEPEST {
        let message = format!("`{}` has more than {DEEPEST} levels of folders", root.path().display());
        return Err(Error::new(Kind::Build, message));
    }
    let fd = root.open_at(rel, OFlags::RDONLY | OFlags::DIRECTORY).doing(|| failed(root, rel))?;
    let mut count = 0;
    for entry in Dir::new(fd).doing(|| failed(root, rel))? {
        let entry = entry.doing(|| failed(root, rel))?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        count += 1;
        let name = name.to_str().map_err(|_| not_utf8(root, rel, "name"))?;
        let path = if rel.is_empty() { name.to_owned() } else { format!("{rel}/{name}") };
        let path =
            RelPath::new(path).map_err(|why| Error::new(Kind::Build, failed(root, rel)).because(why))?;
        let kind = match entry.file_type() {
            FileType::Unknown => kind_of(root, &path)?,
            known => known,
        };
        out.put(root, path, kind)?;
        if out.len() > limits.entries {
            let message = format!("`{}` holds more than {} entries", root.path().display(), limits.entries);
            return Err(Error::new(Kind::Build, message));
        }
    }
    Ok(count)
}

fn kind_of(root: &Beneath, path: &RelPath) -> Result<FileType> {
    let (folder, name) = root.parent(path).doing(|| failed(root, path.as_str()))?;
    let stat =
        rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| failed(root, path.as_str()))?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

fn not_utf8(root: &Beneath, rel: &str, what: &str) -> Error {
    let place = root.path().join(rel);
    Error::new(Kind::Build, format!("a {what} in {} is not UTF-8", quoted(&place)))
}

fn special(root: &Beneath, path: &RelPath, kind: FileType) -> Error {
    let word = match kind {
        FileType::Fifo => "a fifo",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "neither file, folder nor link",
    };
    let place = path.under(root.path());
    Error::new(Kind::Build, format!("{} is {word}", quoted(&place)))
        .hint("only files, folders and links can be kept")
}

/// Hashes all files of a walk.
fn hash(root: &Beneath, walk: Walk, limits: &ScanLimits, seal: bool) -> Result<Tree> {
    let total = AtomicU64::new(0);
    let files = walk.files.into_par_iter().map_init(
        || vec![0u8; 1 << 16],
        |buffer, path| {
            let entry = hash_one(root, &path, Bound { total: &total, most: limits.bytes }, (buffer, seal))?;
            Ok((path, entry))
        },
    );
    let files: Vec<(RelPath, Entry)> = files.collect::<Result<_>>()?;
    let mut tree = Tree { entries: files.into_iter().collect() };
    tree.entries.extend(walk.links.into_iter().map(|(p, text)| (p, Entry::Link(text))));
    let empty = walk.folders.into_iter().filter(|(_, empty)| *empty);
    tree.entries.extend(empty.map(|(p, _)| (p, Entry::Folder)));
    Ok(tree)
}

struct Bound<'a> {
    total: &'a AtomicU64,
    most: u64,
}

impl Bound<'_> {
    fn add(&self, root: &Beneath, n: u64) -> Result<()> {
        if self.total.fetch_add(n, Ordering::Relaxed) + n <= self.most {
            return Ok(());
        }
        let message = format!("`{}` holds more than {} bytes", root.path().display(), self.most);
        Err(Error::new(Kind::Build, message))
    }
}

fn hash_one(root: &Beneath, path: &RelPath, bound: Bound<'_>, how: (&mut [u8], bool)) -> Result<Entry> {
    let (buffer, seal) = how;
    let doing = || failed(root, path.as_str());
    let mut file = root.read(path).doing(doing)?;
    let stat = rustix::fs::fstat(&file).doing(doing)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::RegularFile {
        return Err(special(root, path, kind));
    }
    let executable = Mode::from_raw_mode(stat.st_mode).intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH);
    if seal {
        file = seal_file(root, path, file, (stat.st_nlink as u64 > 1, executable)).doing(doing)?;
    }
    let mut hasher = Sha256::new();
    let mut size = 0u64;
    loop {
        let n = file.read(buffer).doing(doing)?;
        if n == 0 {
            break;
        }
        bound.add(root, n as u64)?;
        size += n as u64;
        hasher.update(&buffer[..n]);
    }
    Ok(Entry::File { digest: Digest(hasher.finalize().into()), size, executable })
}

/// Makes a file read-only. One that has further names somewhere is first
/// replaced by a copy: whoever writes through another name must not reach it.
fn seal_file(root: &Beneath, path: &RelPath, mut file: File, is: (bool, bool)) -> std::io::Result<File> {
    let (shared, executable) = is;
    let mode = if executable { 0o555 } else { 0o444 };
    if shared {
        root.remove(path)?;
        std::io::copy(&mut file, &mut root.create(path, mode)?)?;
        file = root.read(path)?;
    }
    own(&file, &rustix::fs::fstat(&file)?)?;
    rustix::fs::fchmod(&file, bits(mode))?;
    Ok(file)
}

/// Takes an entry that a build's user made: an owner may undo any mode.
fn own(entry: impl AsFd, stat: &rustix::fs::Stat) -> rustix::io::Result<()> {
    let me = rustix::process::geteuid();
    if stat.st_uid == me.as_raw() {
        return Ok(());
    }
    rustix::fs::fchown(entry, Some(me), Some(rustix::process::getegid()))
}
