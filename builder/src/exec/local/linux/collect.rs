//! Taking outputs out of `/build` after everything in it has ended.
//!
//! Knows that every name, link and size there was chosen by somebody foreign.
//! Must never follow a link or leave the folder.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, SeekFrom, Stat};
use rustix::io::Errno;

use crate::error::{Error, IoContext, Result, shown};
use crate::tree::RelPath;

const MOST_ENTRIES: u64 = 1_000_000;
const DEEPEST: u32 = 200;
/// Bytes of an entry's path on this host: with room for where it goes next.
const LONGEST_PATH: usize = 3072;

/// What may still be taken.
struct Budget {
    bytes: u64,
    entries: u64,
}

/// Why something was not taken.
enum Refused {
    /// It is not what an output may be.
    Foreign(String),
    /// We could not write it down.
    Machine(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Machine(error)
    }
}

fn foreign<T>(reason: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Foreign(reason.into()))
}

/// Copies each of `outputs` below `build` to its own path below `into`. Gives
/// the ones that could not be taken, with the reason.
///
/// # Errors
/// When `into` cannot be written.
pub(super) fn collect(
    build: &OwnedFd,
    outputs: &[RelPath],
    bytes: u64,
    into: &Path,
) -> Result<Vec<(RelPath, String)>> {
    let mut missing = Vec::new();
    let mut budget = Budget { bytes, entries: MOST_ENTRIES };
    for output in outputs {
        match one(build, output, &mut budget, into) {
            Ok(()) => {}
            Err(Refused::Machine(error)) => return Err(error),
            Err(Refused::Foreign(reason)) => {
                remove(&output.under(into));
                missing.push((output.clone(), reason));
            }
        }
    }
    Ok(missing)
}

fn remove(partial: &Path) {
    // What stays goes with the folder it was collected into.
    let _ = crate::tree::fs::remove_tree(partial);
}

fn one(build: &OwnedFd, output: &RelPath, budget: &mut Budget, into: &Path) -> Result<(), Refused> {
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let fd = match rustix::fs::openat2(build, output.as_str(), flags, Mode::empty(), beneath) {
        Ok(fd) => fd,
        Err(error) => return foreign(sentence(error)),
    };
    let to = output.under(into);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).doing(|| format!("failed to make `{}`", parent.display()))?;
    }
    let stat = rustix::fs::fstat(&fd).doing(|| format!("failed to look at the output `{output}`"))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => file(fd, &stat, &to, budget),
        FileType::Directory => folder(fd, &to, budget, 0),
        _ => foreign("it is neither a file nor a folder"),
    }
}

fn sentence(error: Errno) -> String {
    match error {
        Errno::NOENT | Errno::NOTDIR => "it is not there".to_owned(),
        Errno::LOOP => "it is a link, or behind one".to_owned(),
        Errno::NXIO | Errno::NODEV => "it is neither a file nor a folder".to_owned(),
        Errno::XDEV => "it lies on another mount".to_owned(),
        other => format!("it cannot be read: {other}"),
    }
}

fn file(fd: OwnedFd, stat: &Stat, to: &Path, budget: &mut Budget) -> Result<(), Refused> {
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if size > budget.bytes {
        return foreign(format!(
            "it is larger than what is left of the outputs' limit, {} bytes",
            budget.bytes
        ));
    }
    budget.bytes -= size;
    let mode = if stat.st_mode & 0o111 == 0 { 0o644 } else { 0o755 };
    let doing = || format!("failed to write `{}`", to.display());
    let mut copy = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(to).doing(doing)?;
    match copy_data(&mut File::from(fd), &mut copy, size).doing(doing)? {
        true => Ok(()),
        false => foreign("it changed while it was read"),
    }
}

/// Copies the first `size` bytes and leaves its holes as holes: they cost a
/// build nothing, and must cost us nothing. `false` when there were fewer.
fn copy_data(from: &mut File, to: &mut File, size: u64) -> io::Result<bool> {
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(&*from, SeekFrom::Data(at)) {
            Ok(start) => start.min(size),
            // Nothing but a hole, or the end.
            Err(Errno::NXIO) => size,
            Err(error) => return Err(error.into()),
        };
        let end = match start < size {
            true => rustix::fs::seek(&*from, SeekFrom::Hole(start))?.clamp(start, size),
            false => size,
        };
        from.seek(io::SeekFrom::Start(start))?;
        to.seek(io::SeekFrom::Start(start))?;
        if io::copy(&mut (&*from).take(end - start), to)? != end - start {
            return Ok(false);
        }
        at = end;
    }
    to.set_len(size)?;
    Ok(from.metadata()?.len() >= size)
}

fn folder(fd: OwnedFd, to: &Path, budget: &mut Budget, depth: u32) -> Result<(), Refused> {
    if depth > DEEPEST {
        return foreign(format!("it has more than {DEEPEST} levels of folders"));
    }
    fs::create_dir_all(to).doing(|| format!("failed to make `{}`", to.display()))?;
    let entries = match Dir::read_from(&fd) {
        Ok(entries) => entries,
        Err(error) => return foreign(sentence(error)),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return foreign(sentence(error)),
        };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if budget.entries == 0 {
            return foreign(format!("the outputs have more than {MOST_ENTRIES} entries"));
        }
        budget.entries -= 1;
        let name = OsStr::from_bytes(name.to_bytes());
        if to.as_os_str().len() + name.len() > LONGEST_PATH {
            return foreign("the names of its folders are too long together");
        }
        below(&fd, name, &to.join(name), budget, depth).map_err(|refused| within(refused, name, depth))?;
    }
    Ok(())
}

/// Names the entry the reason is about, once.
fn within(refused: Refused, name: &OsStr, depth: u32) -> Refused {
    match refused {
        Refused::Foreign(reason) if depth == 0 => {
            Refused::Foreign(format!("in its entry `{}`: {reason}", shown(&name.to_string_lossy())))
        }
        other => other,
    }
}

fn below(at: impl AsFd, name: &OsStr, to: &Path, budget: &mut Budget, depth: u32) -> Result<(), Refused> {
    let stat = match rustix::fs::statat(&at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(error) => return foreign(sentence(error)),
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let open = |extra| match rustix::fs::openat(&at, name, flags | extra, Mode::empty()) {
        Ok(fd) => Ok(fd),
        Err(error) => foreign(sentence(error)),
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => file(open(OFlags::empty())?, &stat, to, budget),
        FileType::Directory => folder(open(OFlags::DIRECTORY)?, to, budget, depth + 1),
        FileType::Symlink => {
            let target = match rustix::fs::readlinkat(&at, name, Vec::new()) {
                Ok(target) => target,
                Err(error) => return foreign(sentence(error)),
            };
            let target = Path::new(OsStr::from_bytes(target.as_bytes()));
            if !stays(target, depth) {
                let target = target.to_string_lossy();
                return foreign(format!("the link to `{}` leaves the output", shown(&target)));
            }
            Ok(symlink(target, to).doing(|| format!("failed to write `{}`", to.display()))?)
        }
        _ => foreign("it is neither a file, a folder nor a link"),
    }
}

/// Whether a link `depth` folders below the output's top stays in it: relative,
/// `..` only in front and not too often. Links that a target goes through keep
/// to the same rule, so the whole way stays inside.
fn stays(target: &Path, depth: u32) -> bool {
    let mut up = 0;
    let mut down = false;
    for part in target.components() {
        match part {
            Component::ParentDir if down => return false,
            Component::ParentDir => up += 1,
            Component::Normal(_) => down = true,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    up <= depth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(prepare: impl FnOnce(&Path), outputs: &[&str]) -> (tempfile::TempDir, Vec<String>) {
        let build = tempfile::tempdir().unwrap();
        prepare(build.path());
        let into = tempfile::tempdir().unwrap();
        let outputs: Vec<_> = outputs.iter().map(|o| RelPath::new(*o).unwrap()).collect();
        let fd = super::super::payload::open_folder(build.path()).unwrap();
        let missing = collect(&fd, &outputs, 1000, into.path()).unwrap();
        (into, missing.into_iter().map(|(path, why)| format!("{path}: {why}")).collect())
    }

    #[test]
    fn files_and_folders_come_with_their_x_bit() {
        use std::os::unix::fs::PermissionsExt;
        let (into, missing) = taken(
            |b| {
                fs::create_dir_all(b.join("out/deep")).unwrap();
                fs::write(b.join("out/deep/a"), "A").unwrap();
                fs::set_permissions(b.join("out/deep/a"), fs::Permissions::from_mode(0o4711)).unwrap();
                symlink("../deep/a", b.join("out/deep/l")).unwrap();
                fs::write(b.join("w.whl"), "W").unwrap();
            },
            &["out", "w.whl"],
        );
        assert_eq!(missing, Vec::<String>::new());
        let mode = fs::metadata(into.path().join("out/deep/a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        assert_eq!(fs::read(into.path().join("out/deep/l")).unwrap(), b"A");
        assert_eq!(fs::read(into.path().join("w.whl")).unwrap(), b"W");
    }

    #[test]
    fn holes_stay_holes() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "front").unwrap();
        let mut sparse = fs::OpenOptions::new().write(true).open(at("a")).unwrap();
        sparse.seek(io::SeekFrom::Start(1 << 30)).unwrap();
        io::Write::write_all(&mut sparse, b"back").unwrap();
        sparse.set_len(3 << 30).unwrap();
        let copy = |size: u64| {
            let (mut from, mut to) = (File::open(at("a")).unwrap(), File::create(at("b")).unwrap());
            copy_data(&mut from, &mut to, size).unwrap()
        };
        assert!(copy(3 << 30));
        let made = fs::metadata(at("b")).unwrap();
        assert_eq!(made.len(), 3 << 30);
        assert!(made.blocks() < 1 << 12, "{} blocks", made.blocks());
        let mut text = [0; 9];
        let mut read = File::open(at("b")).unwrap();
        read.read_exact(&mut text[..5]).unwrap();
        read.seek(io::SeekFrom::Start(1 << 30)).unwrap();
        read.read_exact(&mut text[5..]).unwrap();
        assert_eq!(&text, b"frontback");
        assert!(!copy(4 << 30), "it is shorter than what was promised");
        assert!(copy(3) && fs::read(at("b")).unwrap() == b"fro");
    }

    #[test]
    fn what_is_too_deep_or_too_long_is_the_fault_of_the_build() {
        let (into, missing) = taken(
            |b| {
                fs::create_dir_all(b.join(format!("deep/{}", "a/".repeat(1500)))).unwrap();
                fs::create_dir_all(b.join(format!("long/{}", format!("{}/", "x".repeat(200)).repeat(17))))
                    .unwrap();
            },
            &["deep", "long"],
        );
        assert_eq!(
            missing,
            [
                "deep: in its entry `a`: it has more than 200 levels of folders",
                &format!(
                    "long: in its entry `{}`: the names of its folders are too long together",
                    "x".repeat(200)
                ),
            ]
        );
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_output_is_missing_with_its_reason() {
        let (into, missing) = taken(
            |b| {
                symlink("/etc/passwd", b.join("link")).unwrap();
                symlink("/etc", b.join("dir")).unwrap();
                fs::create_dir_all(b.join("tree/sub")).unwrap();
                symlink("../../x", b.join("tree/sub/up")).unwrap();
                fs::create_dir_all(b.join("tricky/a")).unwrap();
                symlink("a/../../x", b.join("tricky/l")).unwrap();
                fs::write(b.join("big"), [0; 1001]).unwrap();
            },
            &["none", "link", "dir/passwd", "tree", "tricky", "big"],
        );
        assert_eq!(
            missing,
            [
                "none: it is not there",
                "link: it is a link, or behind one",
                "dir/passwd: it is a link, or behind one",
                "tree: in its entry `sub`: the link to `../../x` leaves the output",
                "tricky: in its entry `l`: the link to `a/../../x` leaves the output",
                "big: it is larger than what is left of the outputs' limit, 1000 bytes",
            ]
        );
        assert!(!into.path().join("tree").exists());
    }
}
