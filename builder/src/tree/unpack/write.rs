//! The folder an archive is unpacked to.
//!
//! Knows how names become files: relative to one descriptor, never through a
//! link, each new. Must never know a format.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::OFlags;

use super::error::{Fault, Refusal, Why};
use super::meter::most;
use super::names::{Names, What, clean};
use super::{EARLIEST, LATEST, UnpackLimits, Unpacked};
use crate::tree::RelPath;
use crate::tree::fs::{Beneath, create_in};

/// Where entries go, and what is known of those that went.
pub(super) struct Target {
    pub(super) root: Beneath,
    names: Names,
    entries: usize,
    depth: usize,
    /// The folder written to last, kept open.
    folder: Option<(String, OwnedFd)>,
    bytes: u64,
    most: (u64, String),
    newest: Option<u64>,
    /// Whether a file is wanted; all are when there is none.
    keep: Option<fn(&str) -> bool>,
    passed: Vec<String>,
}

/// What went wrong writing an entry.
pub(super) fn write_failed(e: impl Into<std::io::Error>) -> Why {
    Why::Machine(e.into())
}

impl Target {
    /// `size`: of the archive, in bytes.
    pub(super) fn open(into: &Path, size: u64, limits: &UnpackLimits) -> Result<Self, Fault> {
        let machine = |e: crate::error::Error| (String::new(), Why::Machine(std::io::Error::other(e)));
        Ok(Self {
            root: Beneath::open(into).map_err(machine)?,
            names: Names::new(limits.one_top),
            entries: limits.entries,
            depth: limits.depth,
            folder: None,
            bytes: 0,
            most: most(size, limits),
            newest: None,
            keep: None,
            passed: Vec::new(),
        })
    }

    /// Only what is wanted is written; what is not is judged all the same.
    pub(super) fn keeping(mut self, keep: Option<fn(&str) -> bool>) -> Self {
        self.keep = keep;
        self
    }

    /// Whether a claimed file is to be written; the name of one that is not
    /// is kept.
    pub(super) fn wants(&mut self, path: &RelPath) -> bool {
        let wanted = self.keep.is_none_or(|keep| keep(path.as_str()));
        if !wanted {
            self.passed.push(path.as_str().to_owned());
        }
        wanted
    }

    /// Whether all that comes is written, folders and links, too.
    pub(super) fn wants_all(&self) -> bool {
        self.keep.is_none()
    }

    /// Reads a raw name: `None` for the archive's root.
    pub(super) fn name(&self, raw: &[u8]) -> Result<Option<(RelPath, bool)>, Why> {
        Ok(clean(raw, self.depth)?)
    }

    /// Takes a name, or says why it may not come.
    pub(super) fn claim(&mut self, path: &RelPath, what: What) -> Result<(), Why> {
        self.names.add(path, what)?;
        if self.names.len() > self.entries {
            return Err(Refusal::Limit(format!("there are more than {} entries", self.entries)).into());
        }
        Ok(())
    }

    /// Counts bytes that are about to be written.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<(), Why> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.most.0 {
            return Err(Refusal::Limit(self.most.1.clone()).into());
        }
        Ok(())
    }

    /// Remembers a regular file's time.
    pub(super) fn saw_time(&mut self, seconds: u64) {
        let seconds = seconds.clamp(EARLIEST, LATEST);
        self.newest = Some(self.newest.map_or(seconds, |newest| newest.max(seconds)));
    }

    /// Creates a claimed folder.
    pub(super) fn folder(&mut self, path: &RelPath) -> Result<(), Why> {
        if !self.wants_all() {
            return Ok(());
        }
        self.root.make_folders(path, 0o755).map_err(write_failed)
    }

    /// Creates a claimed file.
    pub(super) fn file(&mut self, path: &RelPath, executable: bool) -> Result<File, Why> {
        let mode = if executable { 0o755 } else { 0o644 };
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        self.enter(folder)?;
        let (_, fd) = self.folder.as_ref().expect("it was just entered");
        create_in(fd.as_fd(), name, mode).map_err(write_failed)
    }

    /// Creates a claimed symbolic link, if it stays inside.
    pub(super) fn symlink(&mut self, path: &RelPath, text: &[u8]) -> Result<(), Why> {
        let text = std::str::from_utf8(text).map_err(|_| Refusal::NotUtf8)?;
        if !self.names.link_stays(path, text) {
            return Err(Refusal::LinkEscapes(text.to_owned()).into());
        }
        if !self.wants_all() {
            return Ok(());
        }
        if let Some((folder, _)) = path.as_str().rsplit_once('/') {
            self.enter(folder)?;
        }
        self.root.symlink(path, text).map_err(write_failed)
    }

    /// The file a hard link means, if it came before.
    pub(super) fn hard_link_source(&self, raw: &[u8]) -> Result<RelPath, Why> {
        let shown = || String::from_utf8_lossy(raw).into_owned();
        match clean(raw, self.depth) {
            Ok(Some((path, _))) if self.names.is_file(&path) => Ok(path),
            Err(Refusal::Absolute | Refusal::Escapes) => Err(Refusal::LinkEscapes(shown()).into()),
            _ => Err(Refusal::HardLink(shown()).into()),
        }
    }

    /// Opens (and makes) the folder entries are written to.
    pub(super) fn enter(&mut self, folder: &str) -> Result<(), Why> {
        if self.folder.as_ref().is_some_and(|(path, _)| path == folder) {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = match self.root.open_at(folder, flags) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let path = RelPath::new(folder).map_err(Refusal::BadName)?;
                self.root.make_folders(&path, 0o755).map_err(write_failed)?;
                self.root.open_at(folder, flags)
            }
            other => other,
        };
        self.folder = Some((folder.to_owned(), fd.map_err(write_failed)?));
        Ok(())
    }

    /// Everything came.
    pub(super) fn finish(self) -> Result<Unpacked, Fault> {
        let entries = self.names.len();
        let top = self.names.finish().map_err(|why| (String::new(), why.into()))?;
        let passed = self.passed;
        Ok(Unpacked { top, newest_mtime: self.newest, entries, bytes: self.bytes, passed })
    }
}
