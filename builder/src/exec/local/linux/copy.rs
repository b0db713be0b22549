//! Placing sources and small files below `/build`.
//!
//! Knows files, links and mtimes. Runs in the init as the build's own uid.
//! Must never follow a link of the source.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

/// Copies the folder `from` to the new folder `to`: writable, only the x bit
/// of modes kept, every mtime set to `epoch` seconds.
pub(super) fn tree(from: &Path, to: &Path, epoch: u64) -> io::Result<()> {
    let time = UNIX_EPOCH + Duration::from_secs(epoch);
    let times = FileTimes::new().set_accessed(time).set_modified(time);
    folder(from, to, times, epoch)
}

fn folder(from: &Path, to: &Path, times: FileTimes, epoch: u64) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o755).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            folder(&from, &to, times, epoch)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
            let second = Timespec { tv_sec: i64::try_from(epoch).map_err(io::Error::other)?, tv_nsec: 0 };
            let both = Timestamps { last_access: second, last_modification: second };
            rustix::fs::utimensat(CWD, &to, &both, AtFlags::SYMLINK_NOFOLLOW)?;
        } else if kind.is_file() {
            file(&from, &to, times)?;
        } else {
            return Err(io::Error::other(format!("`{}` is no file, folder or link", from.display())));
        }
    }
    File::open(to)?.set_times(times)
}

fn file(from: &Path, to: &Path, times: FileTimes) -> io::Result<()> {
    let mut source = File::open(from)?;
    let executable = source.metadata()?.mode() & 0o111 != 0;
    let mode = if executable { 0o755 } else { 0o644 };
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(mode).open(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.set_times(times)
}

/// Writes small files below `build`, over what the source has there.
pub(super) fn files(build: &Path, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    for (name, bytes) in files {
        let path = build.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}
