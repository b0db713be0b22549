//! The folder an archive is unpacked to.
//!
//! Knows how names become files: relative to one descriptor, never through a
//! link, each new. Must never know a format.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::OFlags;

use super::error::{Fault, Refusal, Why};
use super::held::Contents;
use super::meter::most;
use super::names::{Names, What, clean};
use super::{EARLIEST, LATEST, UnpackLimits, Unpacked};
use crate::tree::RelPath;
use crate::tree::fs::{Beneath, create_in};

/// Where the bytes are.
enum Place {
    /// A folder, and the one in it that was written to last, kept open.
    Disk(Beneath, Option<(String, OwnedFd)>),
    Memory(Contents),
}

/// A file that is being written.
pub(super) enum Writing<'t> {
    Disk(File),
    Memory(&'t mut Vec<u8>),
}

impl Write for Writing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Disk(file) => file.write(bytes),
            Self::Memory(held) => held.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where entries go, and what is known of those that went.
pub(super) struct Target {
    place: Place,
    names: Names,
    entries: usize,
    depth: usize,
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
        let place = Place::Disk(Beneath::open(into).map_err(machine)?, None);
        Ok(Self::at(place, size, limits))
    }

    /// Nothing is written; [`Target::take_contents`] has it all.
    pub(super) fn held(size: u64, limits: &UnpackLimits) -> Self {
        Self::at(Place::Memory(Contents::default()), size, limits)
    }

    fn at(place: Place, size: u64, limits: &UnpackLimits) -> Self {
        Self {
            place,
            names: Names::new(limits.one_top),
            entries: limits.entries,
            depth: limits.depth,
            bytes: 0,
            most: most(size, limits),
            newest: None,
            keep: None,
            passed: Vec::new(),
        }
    }

    /// The folder on the disk.
    pub(super) fn root(&self) -> &Beneath {
        match &self.place {
            Place::Disk(root, _) => root,
            Place::Memory(_) => unreachable!("only tars are held in memory"),
        }
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
        match &mut self.place {
            Place::Disk(root, _) => root.make_folders(path, 0o755).map_err(write_failed),
            Place::Memory(contents) => {
                contents.folders.insert(path.clone());
                Ok(())
            }
        }
    }

    /// Creates a claimed file.
    pub(super) fn file(&mut self, path: &RelPath, executable: bool) -> Result<Writing<'_>, Why> {
        let mode = if executable { 0o755 } else { 0o644 };
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        if let Place::Disk(..) = self.place {
            self.enter(folder)?;
        }
        match &mut self.place {
            Place::Disk(_, folder) => {
                let (_, fd) = folder.as_ref().expect("it was just entered");
                Ok(Writing::Disk(create_in(fd.as_fd(), name, mode).map_err(write_failed)?))
            }
            Place::Memory(contents) => {
                let (bytes, _) = contents.files.entry(path.clone()).or_insert((Vec::new(), executable));
                Ok(Writing::Memory(bytes))
            }
        }
    }

    /// Gives a claimed file the bytes and the mode of one that came before.
    pub(super) fn copy(&mut self, source: &RelPath, path: &RelPath) -> Result<(), Why> {
        if let Place::Memory(contents) = &mut self.place {
            let (bytes, executable) = contents.files.get(source).cloned().unwrap_or_default();
            self.grow(bytes.len() as u64)?;
            return self.file(path, executable)?.write_all(&bytes).map_err(write_failed);
        }
        let mut from = self.root().read(source).map_err(write_failed)?;
        let meta = from.metadata().map_err(write_failed)?;
        self.grow(meta.len())?;
        let executable = {
            use std::os::unix::fs::PermissionsExt as _;
            meta.permissions().mode() & 0o100 != 0
        };
        let mut to = self.file(path, executable)?;
        std::io::copy(&mut from, &mut to).map_err(write_failed)?;
        Ok(())
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
        if let Place::Memory(contents) = &mut self.place {
            contents.links.insert(path.clone(), text.to_owned());
            return Ok(());
        }
        if let Some((folder, _)) = path.as_str().rsplit_once('/') {
            self.enter(folder)?;
        }
        self.root().symlink(path, text).map_err(write_failed)
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
        let Place::Disk(root, last) = &mut self.place else { return Ok(()) };
        if last.as_ref().is_some_and(|(path, _)| path == folder) {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = match root.open_at(folder, flags) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let path = RelPath::new(folder).map_err(Refusal::BadName)?;
                root.make_folders(&path, 0o755).map_err(write_failed)?;
                root.open_at(folder, flags)
            }
            other => other,
        };
        *last = Some((folder.to_owned(), fd.map_err(write_failed)?));
        Ok(())
    }

    /// What is in memory.
    pub(super) fn take_contents(&mut self) -> Contents {
        match &mut self.place {
            Place::Disk(..) => Contents::default(),
            Place::Memory(contents) => std::mem::take(contents),
        }
    }

    /// Everything came.
    pub(super) fn finish(self) -> Result<Unpacked, Fault> {
        let entries = self.names.len();
        let top = self.names.finish().map_err(|why| (String::new(), why.into()))?;
        let passed = self.passed;
        Ok(Unpacked { top, newest_mtime: self.newest, entries, bytes: self.bytes, passed })
    }
}
