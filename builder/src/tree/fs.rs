//! The file system as trees need it: handles that cannot be escaped, durable
//! writes, copies and removals that do not depend on umask or mode bits.
//!
//! Knows system calls; the only file of `tree` with OS differences. Must
//! never know why something is written.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::RelPath;
use crate::error::{Error, IoContext as _, Result};

pub use super::copy::{Copying, copy_bytes, copy_listed, copy_tree, link_or_copy};
pub use super::remove::remove_tree;
pub use super::scan::{ScanLimits, scan, scan_listed, scan_within};

/// A folder held by its descriptor. Every name is resolved beneath it and no
/// symbolic link is ever followed, whoever changes the tree meanwhile.
#[derive(Debug)]
pub struct Beneath {
    fd: OwnedFd,
    path: PathBuf,
}

impl Beneath {
    /// Opens a folder; its last part must not be a link.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .doing(|| format!("failed to open the folder `{}`", path.display()))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Where the folder was when it was opened, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens an existing entry; `rel` is empty for the folder itself.
    pub fn open_at(&self, rel: &str, flags: OFlags) -> io::Result<OwnedFd> {
        Ok(open_beneath(self.fd.as_fd(), rel, flags | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Opens a file for reading.
    pub fn read(&self, rel: &RelPath) -> io::Result<File> {
        // NONBLOCK: a fifo must not hang the open; regular files ignore it.
        self.open_at(rel.as_str(), OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW).map(File::from)
    }

    /// The descriptor of the folder an entry lies in, and the entry's name.
    pub fn parent<'r>(&self, rel: &'r RelPath) -> io::Result<(OwnedFd, &'r str)> {
        let (folder, name) = rel.as_str().rsplit_once('/').unwrap_or(("", rel.as_str()));
        Ok((self.open_at(folder, OFlags::RDONLY | OFlags::DIRECTORY)?, name))
    }

    /// Creates a new file with exactly this mode, whatever the umask.
    pub fn create(&self, rel: &RelPath, mode: u32) -> io::Result<File> {
        let (folder, name) = self.parent(rel)?;
        create_in(folder.as_fd(), name, mode)
    }

    /// Creates a folder with exactly this mode; one that is there already is left as it is.
    pub fn make_folder(&self, rel: &RelPath, mode: u32) -> io::Result<()> {
        let (folder, name) = self.parent(rel)?;
        make_folder_in(folder.as_fd(), name, mode)
    }

    /// Creates a folder and those above it, each with this mode.
    pub fn make_folders(&self, rel: &RelPath, mode: u32) -> io::Result<()> {
        match self.make_folder(rel, mode) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        for (at, _) in rel.as_str().match_indices('/') {
            self.make_folder(&RelPath(rel.as_str()[..at].to_owned()), mode)?;
        }
        self.make_folder(rel, mode)
    }

    /// Creates a symbolic link.
    pub fn symlink(&self, rel: &RelPath, text: &str) -> io::Result<()> {
        let (folder, name) = self.parent(rel)?;
        Ok(rustix::fs::symlinkat(text, folder, name)?)
    }

    /// Removes a file or link.
    pub fn remove(&self, rel: &RelPath) -> io::Result<()> {
        let (folder, name) = self.parent(rel)?;
        Ok(rustix::fs::unlinkat(folder, name, AtFlags::empty())?)
    }
}

/// Creates a new file in an open folder with exactly this mode.
pub(crate) fn create_in(folder: BorrowedFd<'_>, name: &str, mode: u32) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::fchmod(&fd, bits(mode))?;
    Ok(File::from(fd))
}

/// Creates a folder in an open folder with exactly this mode; one that is
/// there already is left as it is, anything else that is there is an error.
pub(crate) fn make_folder_in(folder: BorrowedFd<'_>, name: &str, mode: u32) -> io::Result<()> {
    match rustix::fs::mkdirat(folder, name, bits(mode)) {
        Ok(()) => Ok(rustix::fs::chmodat(folder, name, bits(mode), AtFlags::empty())?),
        Err(rustix::io::Errno::EXIST) => {
            let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
                rustix::fs::FileType::Directory => Ok(()),
                _ => Err(rustix::io::Errno::NOTDIR.into()),
            }
        }
        Err(e) => Err(e.into()),
    }
}

pub(crate) fn bits(mode: u32) -> Mode {
    Mode::from_bits_truncate(mode as rustix::fs::RawMode)
}

/// Resolves in one system call where the kernel can, else part by part.
#[cfg(target_os = "linux")]
fn open_beneath(dir: BorrowedFd<'_>, rel: &str, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let name = if rel.is_empty() { "." } else { rel };
    match rustix::fs::openat2(dir, name, flags, mode, how) {
        // Old kernels do not have the call, old container filters refuse it.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => open_parts(dir, rel, flags, mode),
        other => other,
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(dir: BorrowedFd<'_>, rel: &str, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
    open_parts(dir, rel, flags, mode)
}

/// Opens folder after folder, each without following a link. `rel` has no
/// `..` (it comes from a [`RelPath`]), so the walk only descends.
fn open_parts(dir: BorrowedFd<'_>, rel: &str, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
    if rel.is_empty() {
        return rustix::fs::openat(dir, ".", flags, mode);
    }
    let between = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut held: Option<OwnedFd> = None;
    let mut parts = rel.split('/').peekable();
    while let Some(part) = parts.next() {
        let here = held.as_ref().map_or(dir, AsFd::as_fd);
        if parts.peek().is_none() {
            return rustix::fs::openat(here, part, flags | OFlags::NOFOLLOW, mode);
        }
        held = Some(rustix::fs::openat(here, part, between, Mode::empty())?);
    }
    Err(rustix::io::Errno::INVAL)
}

/// Makes a written file survive a power cut.
pub fn sync_file(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fsync(file)?)
}

/// Makes the names in a folder survive a power cut.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    sync_file(&File::open(path)?)
}

/// Makes everything below a folder survive a power cut, with one call for the
/// whole file system where there is one: cheaper than a call a file.
#[cfg(target_os = "linux")]
pub fn sync_tree(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(path)?)?)
}

/// Makes everything below a folder survive a power cut.
#[cfg(not(target_os = "linux"))]
pub fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            sync_file(&File::open(entry.path())?)?;
        }
    }
    sync_folder(path)
}

/// Writes a file so that others see the old bytes or the new ones, never a
/// part. The mode does not depend on the umask.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let doing = || format!("failed to write `{}`", path.display());
    let folder = path.parent().ok_or_else(|| Error::bug(doing()).because("the path has no folder"))?;
    let mut temp = tempfile::NamedTempFile::new_in(folder).doing(doing)?;
    temp.write_all(bytes).doing(doing)?;
    rustix::fs::fchmod(temp.as_file(), bits(mode)).doing(doing)?;
    sync_file(temp.as_file()).doing(doing)?;
    temp.persist(path).map_err(|e| e.error).doing(doing)?;
    sync_folder(folder).doing(doing)
}

#[cfg(test)]
mod tests;
