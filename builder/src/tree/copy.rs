//! Copies of whole trees.
//!
//! Knows modes, times and the cheapest way to have the same bytes twice
//! (hard link, reflink, copy in the kernel). Must never know what is copied.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps};

use super::RelPath;
use super::fs::{Beneath, bits, create_in};
use super::scan::{ScanLimits, Walk, walk};
use crate::error::{IoContext as _, Result};

/// What a copy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copying {
    /// Its owner changes it: folders and executables 0755, files 0644.
    Writable,
    /// Nobody changes it: folders and executables 0555, files 0444.
    ReadOnly,
    /// Real folders (0755) of hard links to the same files, copied where the
    /// file system cannot link; modes and times of files stay as they are.
    Linked,
}

impl Copying {
    fn mode(self, executable: bool) -> u32 {
        match (self, executable) {
            (Copying::ReadOnly, true) => 0o555,
            (Copying::ReadOnly, false) => 0o444,
            (_, true) => 0o755,
            (_, false) => 0o644,
        }
    }
}

/// Copies a folder with all below it to a new folder `to`. Modes do not
/// depend on the umask. With `epoch` every entry's times are set to it, in
/// seconds since 1970. Links are copied as they are.
pub fn copy_tree(from: &Path, to: &Path, how: Copying, epoch: Option<u64>) -> Result<()> {
    let source = Beneath::open(from)?;
    let walk = walk(&source, &ScanLimits::default())?;
    copy_walk(&source, walk, to, (how, epoch))
}

/// Copies only the listed files and links (a listed folder as an empty one)
/// to a new folder `to`, writable.
pub fn copy_listed(from: &Path, paths: &[RelPath], to: &Path) -> Result<()> {
    let source = Beneath::open(from)?;
    let mut walk = Walk::of_listed(&source, paths)?;
    for path in paths {
        for (at, _) in path.as_str().match_indices('/') {
            walk.folders.push((RelPath(path.as_str()[..at].to_owned()), false));
        }
    }
    walk.folders.sort();
    walk.folders.dedup_by(|a, b| a.0 == b.0);
    copy_walk(&source, walk, to, (Copying::Writable, None))
}

/// Gives `to` the bytes of `from`, by a hard link where the file system can.
/// `true`: it is a link, and writing to one writes to both.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<bool> {
    let doing = || format!("failed to copy `{}` to `{}`", from.display(), to.display());
    match rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()) {
        Ok(()) => return Ok(true),
        Err(e) if cannot_link(e) => {}
        Err(e) => return Err(e).doing(doing),
    }
    std::fs::copy(from, to).doing(doing)?;
    Ok(false)
}

/// Another file system, too many links, or links not allowed.
fn cannot_link(e: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(e, Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::NOSYS)
}

fn copy_walk(source: &Beneath, walk: Walk, to: &Path, how: (Copying, Option<u64>)) -> Result<()> {
    let (copying, epoch) = how;
    let doing =
        |path: &str| format!("failed to copy `{}` to `{}`", source.path().join(path).display(), to.display());
    std::fs::create_dir(to).doing(|| format!("failed to make the folder `{}`", to.display()))?;
    let target = Beneath::open(to)?;
    for (path, _) in &walk.folders {
        target.make_folder(path, 0o755).doing(|| doing(path.as_str()))?;
    }
    let one = Job { source, target: &target, copying, epoch };
    walk.files.par_iter().try_for_each_init(
        || vec![0u8; 1 << 16],
        |buffer, path| one.file(path, buffer).doing(|| doing(path.as_str())),
    )?;
    for (path, text) in &walk.links {
        one.link(path, text).doing(|| doing(path.as_str()))?;
    }
    // Children first: making them changed their folder's time, and a
    // read-only folder takes no more.
    for (path, _) in walk.folders.iter().rev() {
        one.finish(path.as_str()).doing(|| doing(path.as_str()))?;
    }
    one.finish("").doing(|| doing(""))
}

struct Job<'a> {
    source: &'a Beneath,
    target: &'a Beneath,
    copying: Copying,
    epoch: Option<u64>,
}

impl Job<'_> {
    fn file(&self, path: &RelPath, buffer: &mut [u8]) -> io::Result<()> {
        let (folder, name) = self.target.parent(path)?;
        if self.copying == Copying::Linked {
            let (from, from_name) = self.source.parent(path)?;
            match rustix::fs::linkat(&from, from_name, &folder, name, AtFlags::empty()) {
                Err(e) if cannot_link(e) => {}
                other => return Ok(other?),
            }
        }
        let mut from = self.source.read(path)?;
        let stat = rustix::fs::fstat(&from)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is no longer a regular file"));
        }
        let mode = Mode::from_raw_mode(stat.st_mode);
        let executable = mode.intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH);
        let mut to = create_in(folder.as_fd(), name, self.copying.mode(executable))?;
        copy_bytes(&mut from, &mut to, buffer)?;
        match self.epoch {
            Some(epoch) => Ok(rustix::fs::futimens(&to, &times(epoch))?),
            None => Ok(()),
        }
    }

    fn link(&self, path: &RelPath, text: &str) -> io::Result<()> {
        let (folder, name) = self.target.parent(path)?;
        rustix::fs::symlinkat(text, &folder, name)?;
        match self.epoch {
            Some(epoch) => {
                Ok(rustix::fs::utimensat(&folder, name, &times(epoch), AtFlags::SYMLINK_NOFOLLOW)?)
            }
            None => Ok(()),
        }
    }

    fn finish(&self, folder: &str) -> io::Result<()> {
        let mode = if self.copying == Copying::ReadOnly { 0o555 } else { 0o755 };
        let fd = self.target.open_at(folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
        rustix::fs::fchmod(&fd, bits(mode))?;
        match self.epoch {
            Some(epoch) => Ok(rustix::fs::futimens(&fd, &times(epoch))?),
            None => Ok(()),
        }
    }
}

/// Small files through memory; large ones by `std`, which shares blocks or
/// copies in the kernel where it can.
pub fn copy_bytes(from: &mut File, to: &mut File, buffer: &mut [u8]) -> io::Result<()> {
    for _ in 0..4 {
        let n = from.read(buffer)?;
        if n == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..n])?;
    }
    io::copy(from, to)?;
    Ok(())
}

fn times(epoch: u64) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(epoch).unwrap_or(i64::MAX), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
