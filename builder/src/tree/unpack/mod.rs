//! Archives of strangers to folders of ours.
//!
//! Knows tar (plain, gzip, bzip2, xz) and zip, and the rules of PEP 706's
//! data filter made stricter: nothing is written through a link, outside the
//! given folder, twice, or beyond the limits. Must never know what a wheel or
//! an sdist means.

mod error;
mod held;
mod meter;
mod names;
mod tar;
mod write;
mod zip;

use std::fs::File;
use std::io::{BufReader, Read, Seek as _};
use std::path::Path;
use std::time::Duration;

pub use error::{Refusal, UnpackError};
pub use held::{Held, hold};

use error::{Fault, Why};
use meter::Meter;
use write::Target;

/// The earliest time a zip can hold, 1980-01-01, in seconds since 1970.
pub const EARLIEST: u64 = 315_532_800;
/// The latest time a zip can hold, 2107-12-31.
pub const LATEST: u64 = 4_354_732_800;

/// How a gzip stream begins.
const GZIP: &[u8] = b"\x1f\x8b";
/// KiB of memory for one xz stream: more than `xz -9` asks for.
const XZ_MEMORY: u32 = 256 << 10;

/// Bounds of one archive.
#[derive(Clone, Debug)]
pub struct UnpackLimits {
    /// Bytes written in all.
    pub bytes: u64,
    /// Entries, folders that are only implied included.
    pub entries: usize,
    /// Parts of a path.
    pub depth: usize,
    /// Bytes written per byte of archive; counts only beyond 64 MiB.
    pub ratio: u64,
    /// Wall time.
    pub time: Duration,
    /// Everything must lie in one top folder.
    pub one_top: bool,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self {
            bytes: 16 << 30,
            entries: 500_000,
            depth: 64,
            ratio: 200,
            time: Duration::from_secs(15 * 60),
            one_top: true,
        }
    }
}

/// What was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The top folder's name, where one was asked for.
    pub top: Option<String>,
    /// The newest time of a regular file, in seconds since 1970, between
    /// [`EARLIEST`] and [`LATEST`]: SOURCE_DATE_EPOCH. `None` without files.
    pub newest_mtime: Option<u64>,
    /// Names, folders included.
    pub entries: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// Files that were not wanted, in the order of the archive.
    pub passed: Vec<String>,
}

/// Unpacks an archive below an existing empty folder. Its format is told by
/// its first bytes; `file_name` is for messages. Files get 0644 or 0755,
/// folders 0755, whatever the archive and the umask say.
pub fn unpack(
    archive: &Path,
    file_name: &str,
    into: &Path,
    limits: &UnpackLimits,
) -> Result<Unpacked, UnpackError> {
    run(archive, into, limits, None).map_err(|fault| error::name(file_name, fault))
}

/// Unpacks the files that `keep` wants, by their paths in the archive; no
/// links and no other folders. All else is judged by the same rules, but for
/// the bytes of a zip's members, and its names are told.
pub fn unpack_some(
    archive: &Path,
    file_name: &str,
    (into, limits): (&Path, &UnpackLimits),
    keep: fn(&str) -> bool,
) -> Result<Unpacked, UnpackError> {
    run(archive, into, limits, Some(keep)).map_err(|fault| error::name(file_name, fault))
}

/// Unpacks a wheel: the zip rules, and no top folder.
pub fn unpack_wheel(path: &Path, into: &Path, limits: &UnpackLimits) -> Result<Unpacked, UnpackError> {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let limits = UnpackLimits { one_top: false, ..limits.clone() };
    let run = || {
        let file = File::open(path).map_err(machine)?;
        let size = file.metadata().map_err(machine)?.len();
        zip::unpack(&file, size, Target::open(into, size, &limits)?, &limits)
    };
    run().map_err(|fault| error::name(&file_name, fault))
}

fn machine(e: std::io::Error) -> Fault {
    (String::new(), Why::Machine(e))
}

fn run(
    archive: &Path,
    into: &Path,
    limits: &UnpackLimits,
    keep: Option<fn(&str) -> bool>,
) -> Result<Unpacked, Fault> {
    let mut file = File::open(archive).map_err(machine)?;
    let size = file.metadata().map_err(machine)?.len();
    let mut head = Vec::with_capacity(512);
    (&mut file).take(512).read_to_end(&mut head).map_err(machine)?;
    file.rewind().map_err(machine)?;
    let mut target = Target::open(into, size, limits)?.keeping(keep);
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return zip::unpack(&file, size, target, limits);
    }
    let input = BufReader::with_capacity(1 << 16, file);
    let from: Box<dyn Read> = if head.starts_with(GZIP) {
        Box::new(meter::Gzip::new(input))
    } else if head.starts_with(b"BZh") {
        Box::new(bzip2::bufread::MultiBzDecoder::new(input))
    } else if head.starts_with(b"\xfd7zXZ\0") {
        Box::new(lzma_rust2::XzReader::new_mem_limit(input, true, XZ_MEMORY))
    } else if tar::looks_like(&head) {
        Box::new(input)
    } else {
        let why = "it is neither tar, tar.gz, tar.bz2, tar.xz nor zip";
        return Err((String::new(), Why::Corrupt(why.into())));
    };
    tar::unpack(Meter::new(from, size, limits), &mut target)?;
    target.finish()
}

#[cfg(test)]
mod tests;
