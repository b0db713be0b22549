//! Placing sources and small files below `/build`.
//!
//! Knows files, links and mtimes. Runs in the init as the build's own uid,
//! where a child of a fork server may wait already: whatever is in the target
//! leads nowhere. Must never follow a link of the source.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;

/// Bytes of a file that go through a buffer: others the kernel copies by
/// itself, which takes more calls.
const SMALL: u64 = 256 << 10;

/// Copies the folder `from` to the new folder `to`: writable, only the x bit
/// of modes kept, every mtime set to `epoch` seconds.
pub(super) fn tree(from: &Path, to: &Path, epoch: u64) -> io::Result<()> {
    let second = Timespec { tv_sec: i64::try_from(epoch).map_err(io::Error::other)?, tv_nsec: 0 };
    let times = Timestamps { last_access: second, last_modification: second };
    let mut copying = Copying { times, buffer: vec![0; 1 << 16], folders: vec![PathBuf::new()] };
    rustix::fs::mkdirat(CWD, to, Mode::from_raw_mode(0o755))?;
    let top = rustix::fs::openat(CWD, to, FOLDER, Mode::empty())?;
    let mut next = 0;
    while let Some(folder) = copying.folders.get(next).cloned() {
        copying.folder(&within(from, &folder), &below(&top, &folder)?, &folder)?;
        next += 1;
    }
    // Last: what is made in a folder changes its time.
    for folder in copying.folders.iter().rev() {
        rustix::fs::futimens(below(&top, folder)?, &copying.times)?;
    }
    Ok(())
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// No way leads out of where it begins.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// A folder below another.
fn below(top: impl AsFd, folder: &Path) -> io::Result<OwnedFd> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Ok(rustix::fs::openat2(top, folder, FOLDER, Mode::empty(), BENEATH)?)
}

/// A slash at its end would lead through a link.
fn within(top: &Path, folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { top.to_owned() } else { top.join(folder) }
}

struct Copying {
    times: Timestamps,
    buffer: Vec<u8>,
    /// Those that are made, below the top; parents first.
    folders: Vec<PathBuf>,
}

impl Copying {
    /// What is directly in one folder; its folders are made and noted.
    fn folder(&mut self, from: &Path, target: &OwnedFd, below: &Path) -> io::Result<()> {
        let source = rustix::fs::openat(CWD, from, FOLDER, Mode::empty())?;
        for entry in Dir::read_from(&source)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let kind = match entry.file_type() {
                // Not every file system lists kinds.
                FileType::Unknown => FileType::from_raw_mode(
                    rustix::fs::statat(&source, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode,
                ),
                known => known,
            };
            match kind {
                FileType::Directory => {
                    rustix::fs::mkdirat(target, name, Mode::from_raw_mode(0o755))?;
                    self.folders.push(below.join(text(name)));
                }
                FileType::Symlink => {
                    let link = rustix::fs::readlinkat(&source, name, Vec::new())?;
                    rustix::fs::symlinkat(&*link, target, name)?;
                    rustix::fs::utimensat(target, name, &self.times, AtFlags::SYMLINK_NOFOLLOW)?;
                }
                FileType::RegularFile => self.file((&source, target), name)?,
                _ => {
                    let path = from.join(text(name));
                    return Err(io::Error::other(format!("`{}` is no file, folder or link", path.display())));
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, (source, target): (&OwnedFd, &OwnedFd), name: &CStr) -> io::Result<()> {
        let open = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut source = File::from(rustix::fs::openat(source, name, open, Mode::empty())?);
        let stat = rustix::fs::fstat(&source)?;
        let mode = if stat.st_mode & 0o111 != 0 { 0o755 } else { 0o644 };
        let make = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut copy = File::from(rustix::fs::openat(target, name, make, Mode::from_raw_mode(mode))?);
        let mut left = u64::try_from(stat.st_size).map_err(io::Error::other)?;
        if left > SMALL {
            io::copy(&mut source, &mut copy)?;
            left = 0;
        }
        while left > 0 {
            let got = source.read(&mut self.buffer)?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            copy.write_all(&self.buffer[..got])?;
            left = left.saturating_sub(got as u64);
        }
        Ok(rustix::fs::futimens(&copy, &self.times)?)
    }
}

fn text(name: &CStr) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()))
}

/// Writes small files below `build`, over what the source has there, but
/// through no link.
pub(super) fn files(build: &Path, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    let top = rustix::fs::open(build, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for (name, bytes) in files {
        let name = Path::new(name);
        // What is there already may be something whose other side nobody opens.
        let make = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = || rustix::fs::openat2(&top, name, make, Mode::from_raw_mode(0o666), BENEATH);
        let file = match open() {
            Err(Errno::NOENT) => {
                folders(&top, name.parent().unwrap_or(Path::new("")))?;
                open()?
            }
            other => other?,
        };
        let mut file = File::from(file);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other(format!("`{}` is there and is no file", name.display())));
        }
        file.write_all(bytes)?;
    }
    Ok(())
}

/// Makes a folder below another, with its parents.
fn folders(top: &OwnedFd, folder: &Path) -> io::Result<()> {
    let mut at = below(top, Path::new(""))?;
    for name in folder.components() {
        match rustix::fs::mkdirat(&at, name.as_os_str(), Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => at = below(&at, name.as_ref())?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_copy_has_the_x_bit_of_all_modes_and_one_time() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let large = vec![7u8; SMALL as usize + 1];
        let middle: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let deep = "a/b/c".to_owned() + &"/d".repeat(40);
        fs::create_dir_all(from.join(&deep)).unwrap();
        fs::create_dir(from.join("none")).unwrap();
        let files: [(&str, &[u8], u32); 5] = [
            ("empty", b"", 0o444),
            ("a/run", b"#!", 0o555),
            ("a/b/odd", b"x", 0o604),
            ("large", &large, 0o400),
            ("middle", &middle, 0o744),
        ];
        for (name, bytes, mode) in files {
            fs::write(from.join(name), bytes).unwrap();
            fs::set_permissions(from.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write(from.join(&deep).join("end"), "end").unwrap();
        symlink("../../run", from.join("a/b/c/link")).unwrap();
        symlink("/nowhere", from.join("dead")).unwrap();
        tree(&from, &to, 1_577_836_800).unwrap();
        for (name, bytes, mode) in files {
            assert!(fs::read(to.join(name)).unwrap() == bytes, "{name}");
            let wanted = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
            assert_eq!(fs::metadata(to.join(name)).unwrap().mode() & 0o7777, wanted, "{name}");
        }
        assert_eq!(fs::read(to.join(&deep).join("end")).unwrap(), b"end");
        assert_eq!(fs::read_link(to.join("a/b/c/link")).unwrap(), Path::new("../../run"));
        for name in ["", "a", "a/b", "a/b/c", &deep, "none", "empty", "middle", "large", "a/b/c/link", "dead"]
        {
            let meta = to.join(name).symlink_metadata().unwrap();
            assert_eq!((meta.mtime(), meta.mtime_nsec()), (1_577_836_800, 0), "{name}");
            assert!(!meta.is_dir() || meta.mode() & 0o7777 == 0o755, "{name}");
        }
        assert!(tree(&from, &to, 0).is_err(), "what is there is not written over");
    }

    #[test]
    fn small_files_are_written_over_what_is_there_and_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (build, other) = (dir.path().join("build"), dir.path().join("other"));
        fs::create_dir_all(build.join("src")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(build.join("src/a"), "longer than what comes").unwrap();
        let file = |name: &str| [(name.to_owned(), b"new".to_vec())];
        for name in ["src/a", "b", "c/d/e", "c/d/f"] {
            files(&build, &file(name)).unwrap();
            assert_eq!(fs::read(build.join(name)).unwrap(), b"new", "{name}");
        }
        symlink(&other, build.join("away")).unwrap();
        symlink("src", build.join("within")).unwrap();
        symlink(other.join("x"), build.join("link")).unwrap();
        for name in ["away/x", "away/x/y", "within/x", "link", "../other/x", "b/x"] {
            assert!(files(&build, &file(name)).is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
        let fifo = build.join("fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
        assert!(files(&build, &file("fifo")).is_err(), "nobody reads it");
        let _reader = rustix::fs::open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        assert!(files(&build, &file("fifo")).is_err());
    }

    #[test]
    fn no_link_of_the_source_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        symlink("/etc", &from).unwrap();
        assert!(tree(&from, &to, 0).is_err());
    }
}
