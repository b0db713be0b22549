//! Removal of whole trees, whatever a stranger made of them.
//!
//! Knows folders by descriptor, two at a time, so that neither depth nor the
//! length of a path stops it, and opens up read-only folders on its way. Must
//! never follow a link or know why something goes.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{IoContext as _, Result};

/// Rounds for a folder that somebody (a process just dying) still fills.
const ROUNDS: u32 = 4;

/// Removes a folder with all below it, read-only folders too; nothing there,
/// or gone meanwhile, is no error. Links are removed, never followed. What
/// cannot be removed does not keep the rest: the error is the first of them.
pub fn remove_tree(path: &Path) -> Result<()> {
    remove(path).doing(|| format!("failed to remove `{}`", path.display()))
}

fn remove(path: &Path) -> io::Result<()> {
    for round in 1.. {
        match path.symlink_metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Ok(meta) if !meta.is_dir() => return gone(std::fs::remove_file(path)),
            _ => {}
        }
        let emptied = match open_folder(CWD, path) {
            Err(Errno::NOENT) => return Ok(()),
            other => empty(other?),
        };
        match gone(std::fs::remove_dir(path)) {
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {
                // What is left could not be removed, or is new.
                emptied?;
                if round == ROUNDS {
                    return Err(e);
                }
            }
            other => return other,
        }
    }
    Ok(())
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A folder on the way down, while its descriptor is closed.
struct Level {
    /// Its name in the folder above; empty for the top.
    name: CString,
    /// Which folder it is: the way back up is checked by it.
    id: (u64, u64),
    /// Folders in it that are still to be emptied and removed.
    below: Vec<CString>,
}

/// Removes everything in a folder, depth first. Only the folder in hand is
/// open; the way back is its `..`.
fn empty(top: OwnedFd) -> io::Result<()> {
    let mut failed: Option<Errno> = None;
    let mut here = top;
    let mut level = Level::enter(c"", &here, &mut failed)?;
    let mut above: Vec<Level> = Vec::new();
    loop {
        if let Some(name) = level.below.pop() {
            match open_folder(here.as_fd(), name.as_c_str()) {
                Ok(folder) => {
                    let next = Level::enter(&name, &folder, &mut failed)?;
                    above.push(std::mem::replace(&mut level, next));
                    here = folder;
                }
                Err(Errno::NOENT) => {}
                Err(e) => failed = failed.or(Some(e)),
            }
            continue;
        }
        let Some(parent) = above.pop() else { break };
        let up = open_folder(here.as_fd(), c"..")?;
        if id(&up)? != parent.id {
            return Err(io::Error::other("a folder in it was moved meanwhile"));
        }
        note(rustix::fs::unlinkat(&up, &level.name, AtFlags::REMOVEDIR), &mut failed);
        here = up;
        level = parent;
    }
    match failed {
        // Something new: the next round, or the removal of the top, tells.
        None | Some(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        Some(e) => Err(e.into()),
    }
}

impl Level {
    /// Removes what is directly in an open folder and no folder.
    fn enter(name: &CStr, folder: &OwnedFd, failed: &mut Option<Errno>) -> io::Result<Self> {
        let mut level = Level { name: name.to_owned(), id: id(folder)?, below: Vec::new() };
        // All names first: removing while reading may skip some.
        let entries = Dir::read_from(folder).and_then(Iterator::collect::<rustix::io::Result<Vec<_>>>);
        // A folder that another just removed has no entries to read.
        note(entries.as_ref().map(drop).map_err(|e| *e), failed);
        for entry in entries.into_iter().flatten() {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if is_folder(folder.as_fd(), name, entry.file_type()) {
                level.below.push(name.to_owned());
            } else {
                note(rustix::fs::unlinkat(folder, name, AtFlags::empty()), failed);
            }
        }
        Ok(level)
    }
}

fn is_folder(at: BorrowedFd<'_>, name: &CStr, listed: FileType) -> bool {
    let kind = match listed {
        // Not every file system lists kinds.
        FileType::Unknown => rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
        known => known,
    };
    kind == FileType::Directory
}

/// Keeps the first failure; what is gone already is none.
fn note(removed: rustix::io::Result<()>, failed: &mut Option<Errno>) {
    if let Err(e) = removed
        && e != Errno::NOENT
    {
        *failed = failed.or(Some(e));
    }
}

fn id(folder: &OwnedFd) -> rustix::io::Result<(u64, u64)> {
    let stat = rustix::fs::fstat(folder)?;
    #[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
    Ok((stat.st_dev as u64, stat.st_ino as u64))
}

/// Opens a folder with every right its owner can have on it.
fn open_folder(at: BorrowedFd<'_>, name: impl rustix::path::Arg + Copy) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match rustix::fs::openat(at, name, flags, Mode::empty()) {
        // Not even readable. That it is a folder was seen just before; root,
        // whom a link put there now could hurt, never comes here.
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(at, name, Mode::RWXU, AtFlags::empty())?;
            rustix::fs::openat(at, name, flags, Mode::empty())?
        }
        other => other?,
    };
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&folder)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        // Of a folder that is not ours the removals in it say what is wrong.
        let _ = rustix::fs::fchmod(&folder, Mode::RWXU);
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A chain of folders longer than a path may be.
    fn nest(top: &Path, depth: usize) {
        let name = "a-folder";
        fs::create_dir_all(top).unwrap();
        let mut here = OwnedFd::from(fs::File::open(top).unwrap());
        for _ in 0..depth {
            rustix::fs::mkdirat(&here, name, Mode::RWXU).unwrap();
            here = open_folder(here.as_fd(), name).unwrap();
        }
        rustix::fs::mkdirat(&here, "sealed", Mode::RUSR).unwrap();
    }

    #[test]
    fn no_depth_stops_a_removal() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("t");
        nest(&top, 1500);
        fs::write(top.join("f"), "").unwrap();
        remove_tree(&top).unwrap();
        assert!(!top.exists());
    }

    #[test]
    fn read_only_trees_and_links_can_be_removed() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("t");
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::create_dir_all(top.join("c/d")).unwrap();
        fs::write(top.join("a/b/c"), "1").unwrap();
        fs::write(dir.path().join("kept"), "1").unwrap();
        symlink("../../kept", top.join("a/link")).unwrap();
        symlink("..", top.join("a/up")).unwrap();
        for (path, mode) in [("a/b", 0), ("a", 0o555), ("c/d", 0o555), ("c", 0o111), ("", 0o555)] {
            fs::set_permissions(top.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        remove_tree(&top).unwrap();
        assert!(!top.exists() && dir.path().join("kept").exists());
        remove_tree(&top).unwrap();
        symlink("/", dir.path().join("l")).unwrap();
        remove_tree(&dir.path().join("l")).unwrap();
        assert!(dir.path().join("l").symlink_metadata().is_err());
    }

    #[test]
    fn two_may_remove_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("t");
        for n in 0..200 {
            fs::create_dir_all(top.join(format!("{}/{n}/x", n % 7))).unwrap();
            fs::write(top.join(format!("{}/{n}/f", n % 7)), "").unwrap();
        }
        std::thread::scope(|scope| {
            let removals: Vec<_> = (0..4).map(|_| scope.spawn(|| remove_tree(&top))).collect();
            removals.into_iter().for_each(|removal| removal.join().unwrap().unwrap());
        });
        assert!(!top.exists());
    }
}
