//! Zip archives as lists of members, read strictly and written in one way only.
//!
//! Knows the zip format as far as wheels use it. Must never know what the
//! members mean. Reading takes the whole archive in memory and refuses what
//! two zip readers could understand differently: a second entry for a path,
//! overlapping members, data after the end, headers that disagree.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};
use rayon::prelude::*;

use crate::error::{Error, IoContext as _, Kind};
use crate::tree::RelPath;

/// The deflate level of every wheel we write. With the pinned backend it
/// decides the bytes; changing it is a new version of the finish step.
const LEVEL: u32 = 6;
/// 1980-01-01 in DOS form: the earliest date zip can say.
const DATE: u16 = 0x0021;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
/// What fits a 16-bit count and 32-bit sizes and offsets; more needs zip64.
const MOST_MEMBERS: usize = u16::MAX as usize - 1;
const MOST_BYTES: usize = u32::MAX as usize - 1;

/// One file of a wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where it is, from the wheel's top.
    pub path: RelPath,
    /// Its bytes, not compressed.
    pub bytes: Vec<u8>,
    /// Whether any x bit was set.
    pub executable: bool,
}

/// Below this many bytes of members no archive is a bomb.
const RATIO_FLOOR: u64 = 64 << 20;

/// Bounds of reading. Archive and members are in memory together.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the archive.
    pub archive: u64,
    /// Bytes of all members together, not compressed.
    pub bytes: u64,
    /// Bytes of members per byte of archive; counts only beyond 64 MiB.
    pub ratio: u64,
    /// Members, folders counted.
    pub members: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { archive: 4 << 30, bytes: 4 << 30, ratio: 200, members: 200_000 }
    }
}

impl Limits {
    /// What is wrong with members of so many bytes in an archive of `size`.
    fn refuse(&self, total: u128, size: usize) -> Option<String> {
        let by_ratio = (size as u64).saturating_mul(self.ratio).max(RATIO_FLOOR);
        if total > u128::from(self.bytes) {
            Some(format!("the members hold {total} bytes, more than {} are allowed", self.bytes))
        } else if total > u128::from(by_ratio) {
            Some(format!("the members hold {total} bytes, more than {} times the archive's size", self.ratio))
        } else {
            None
        }
    }
}

/// Reads an archive file into memory, unless it is larger than is allowed:
/// then the error is the package's (`Build`), else the machine's.
pub fn load(path: &Path, limits: &Limits) -> Result<Vec<u8>, Error> {
    let doing = || format!("failed to read `{}`", path.display());
    let file = File::open(path).doing(doing)?;
    let size = file.metadata().doing(doing)?.len();
    if size > limits.archive {
        let text = format!("it has {size} bytes, more than {} are allowed", limits.archive);
        return Err(Error::new(Kind::Build, doing()).because(text));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(limits.archive).read_to_end(&mut bytes).doing(doing)?;
    Ok(bytes)
}

/// What the central directory says about one member.
struct Entry {
    path: RelPath,
    raw_name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    executable: bool,
    folder: bool,
    offset: u64,
}

/// Reads every file of an archive, sorted by path. On failure, every reason.
pub fn read(archive: &[u8], limits: &Limits) -> Result<Vec<Member>, Vec<String>> {
    read_some(archive, limits, |_| true)
}

/// The same for the files that are wanted; the others are not decompressed,
/// but the archive has to be sound as a whole.
pub fn read_some(
    archive: &[u8],
    limits: &Limits,
    wanted: impl Fn(&RelPath) -> bool,
) -> Result<Vec<Member>, Vec<String>> {
    let (entries, directory) = entries(archive, limits).map_err(|e| vec![e])?;
    let mut problems = collisions(&entries);
    let total: u128 = entries.iter().map(|e| u128::from(e.size)).sum();
    problems.extend(limits.refuse(total, archive.len()));
    let mut spans = Vec::with_capacity(entries.len());
    for entry in &entries {
        match span(archive, entry, directory) {
            Ok(span) => spans.push(span),
            Err(e) => problems.push(format!("`{}`: {e}", entry.path)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|i| entries[*i].offset);
    for pair in order.windows(2) {
        if spans[pair[0]].1 as u64 > entries[pair[1]].offset {
            let (a, b) = (&entries[pair[0]].path, &entries[pair[1]].path);
            return Err(vec![format!("`{a}` and `{b}` overlap")]);
        }
    }
    let is_wanted = |e: &Entry| !e.folder && wanted(&e.path);
    let files: Vec<(usize, &Entry)> = entries.iter().enumerate().filter(|(_, e)| is_wanted(e)).collect();
    let results: Vec<Result<Member, String>> = files
        .par_iter()
        .map(|(i, entry)| {
            let (start, end) = spans[*i];
            let bytes = inflate(&archive[start..end], entry).map_err(|e| format!("`{}`: {e}", entry.path))?;
            Ok(Member { path: entry.path.clone(), bytes, executable: entry.executable })
        })
        .collect();
    let mut members = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Ok(member) => members.push(member),
            Err(e) => problems.push(e),
        }
    }
    if problems.is_empty() {
        members.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(members)
    } else {
        Err(problems)
    }
}

/// Names that cannot all be files of one folder.
fn collisions(entries: &[Entry]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen: HashMap<String, &RelPath> = HashMap::new();
    let files: HashSet<&str> = entries.iter().filter(|e| !e.folder).map(|e| e.path.as_str()).collect();
    for entry in entries {
        let path = &entry.path;
        match seen.insert(path.as_str().to_lowercase(), path) {
            Some(other) if other == path => problems.push(format!("`{path}` is there twice")),
            Some(other) if !entry.folder => {
                problems.push(format!("`{other}` and `{path}` differ only in case"));
            }
            _ => {}
        }
        for (at, _) in path.as_str().match_indices('/') {
            if files.contains(&path.as_str()[..at]) {
                problems.push(format!("`{}` is a file and the folder of `{path}`", &path.as_str()[..at]));
            }
        }
    }
    problems
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, String> {
    let field = bytes.get(at..at + 2).ok_or("the archive is cut off")?;
    Ok(u16::from_le_bytes(field.try_into().expect("two bytes")))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, String> {
    let field = bytes.get(at..at + 4).ok_or("the archive is cut off")?;
    Ok(u32::from_le_bytes(field.try_into().expect("four bytes")))
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, String> {
    let field = bytes.get(at..at + 8).ok_or("the archive is cut off")?;
    Ok(u64::from_le_bytes(field.try_into().expect("eight bytes")))
}

/// The central directory, and where it begins.
fn entries(archive: &[u8], limits: &Limits) -> Result<(Vec<Entry>, usize), String> {
    let lowest = archive.len().saturating_sub(22 + usize::from(u16::MAX));
    let end = (lowest..(archive.len() + 1).saturating_sub(22))
        .rev()
        .find(|at| {
            u32_at(archive, *at) == Ok(END)
                && u16_at(archive, at + 20).is_ok_and(|n| at + 22 + usize::from(n) == archive.len())
        })
        .ok_or("it is not a zip archive, or there is data after its end")?;
    let (mut count, mut size, mut start, mut stop) = (
        u64::from(u16_at(archive, end + 10)?),
        u64::from(u32_at(archive, end + 12)?),
        u64::from(u32_at(archive, end + 16)?),
        end,
    );
    if end >= 20 && u32_at(archive, end - 20)? == LOCATOR64 {
        let at = usize::try_from(u64_at(archive, end - 12)?).map_err(|e| e.to_string())?;
        if at > archive.len() || u32_at(archive, at)? != END64 {
            return Err("the zip64 end record is not where it should be".into());
        }
        (count, size, start, stop) =
            (u64_at(archive, at + 32)?, u64_at(archive, at + 40)?, u64_at(archive, at + 48)?, at);
    }
    if count > limits.members as u64 {
        return Err(format!("it has {count} members, more than {} are allowed", limits.members));
    }
    if start.checked_add(size) != Some(stop as u64) {
        return Err("the central directory is not where the end record says".into());
    }
    let start = start as usize;
    let (mut at, mut found) = (start, Vec::new());
    for _ in 0..count {
        let (entry, next) = central(&archive[..stop], at)?;
        found.push(entry);
        at = next;
    }
    if at != stop {
        return Err("the central directory holds more than the end record says".into());
    }
    Ok((found, start))
}

/// One central header, and where the next begins.
fn central(archive: &[u8], at: usize) -> Result<(Entry, usize), String> {
    if u32_at(archive, at)? != CENTRAL {
        return Err("the central directory is damaged".into());
    }
    let made_by = u16_at(archive, at + 4)? >> 8;
    let lengths = [u16_at(archive, at + 28)?, u16_at(archive, at + 30)?, u16_at(archive, at + 32)?];
    let name_end = at + 46 + usize::from(lengths[0]);
    let extra_end = name_end + usize::from(lengths[1]);
    let next = extra_end + usize::from(lengths[2]);
    let raw_name = archive.get(at + 46..name_end).ok_or("the archive is cut off")?.to_vec();
    let extra = archive.get(name_end..extra_end).ok_or("the archive is cut off")?;
    let (mut size, mut packed, mut offset) = (
        u64::from(u32_at(archive, at + 24)?),
        u64::from(u32_at(archive, at + 20)?),
        u64::from(u32_at(archive, at + 42)?),
    );
    let mut wide = zip64_fields(extra);
    for field in [&mut size, &mut packed, &mut offset] {
        if *field == u64::from(u32::MAX) {
            *field = wide.next().ok_or("a zip64 size is missing")?;
        }
    }
    let text = std::str::from_utf8(&raw_name)
        .map_err(|_| format!("the name `{}` is not UTF-8", String::from_utf8_lossy(&raw_name)))?;
    if text.contains(|c: char| c.is_control() || c == '\\') {
        return Err(format!("the name {text:?} has a control character or a backslash"));
    }
    let path = RelPath::new(text.strip_suffix('/').unwrap_or(text))?;
    let mode = if made_by == 3 || made_by == 19 { u32_at(archive, at + 38)? >> 16 } else { 0 };
    let folder = text.ends_with('/');
    match mode & 0o170_000 {
        0 | 0o100_000 | 0o040_000 => {}
        0o120_000 => return Err(format!("`{path}` is a symbolic link")),
        _ => return Err(format!("`{path}` is not a file")),
    }
    let entry = Entry {
        folder,
        executable: mode & 0o111 != 0,
        flags: u16_at(archive, at + 8)?,
        method: u16_at(archive, at + 10)?,
        crc: u32_at(archive, at + 16)?,
        path,
        raw_name,
        packed,
        size,
        offset,
    };
    if folder && size != 0 {
        return Err(format!("the folder `{}` has content", entry.path));
    }
    Ok((entry, next))
}

/// The 64-bit values of a zip64 extra field, in their order.
fn zip64_fields(extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut at = 0;
    let mut body: &[u8] = &[];
    while let (Ok(id), Ok(len)) = (u16_at(extra, at), u16_at(extra, at + 2)) {
        let end = at + 4 + usize::from(len);
        if id == 1 {
            body = extra.get(at + 4..end).unwrap_or(&[]);
            break;
        }
        at = end;
    }
    body.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().expect("eight bytes")))
}

/// Where a member's packed bytes are; its local header must agree.
fn span(archive: &[u8], entry: &Entry, directory: usize) -> Result<(usize, usize), String> {
    let at = usize::try_from(entry.offset).map_err(|e| e.to_string())?;
    if at >= directory || u32_at(archive, at)? != LOCAL {
        return Err("its local header is not where the directory says".into());
    }
    if entry.flags & 0x2041 != 0 {
        return Err("it is encrypted".into());
    }
    if !matches!(entry.method, 0 | 8) {
        return Err(format!("compression method {} is not stored or deflate", entry.method));
    }
    let name_end = at + 30 + usize::from(u16_at(archive, at + 26)?);
    let start = name_end + usize::from(u16_at(archive, at + 28)?);
    let same_name = archive.get(at + 30..name_end) == Some(entry.raw_name.as_slice());
    let deferred = entry.flags & 8 != 0;
    let agrees = |at: usize, want: u64| -> Result<bool, String> {
        let got = u32_at(archive, at)?;
        Ok(got == u32::MAX || u64::from(got) == want || (deferred && got == 0))
    };
    let same_sizes = agrees(at + 18, entry.packed)?
        && agrees(at + 22, entry.size)?
        && (deferred || u32_at(archive, at + 14)? == entry.crc);
    if !same_name || !same_sizes || u16_at(archive, at + 8)? != entry.method {
        return Err("its local and central headers disagree".into());
    }
    let end = usize::try_from(entry.packed).ok().and_then(|n| start.checked_add(n));
    match end {
        Some(end) if end <= directory => Ok((start, end)),
        _ => Err("it reaches into the central directory".into()),
    }
}

fn inflate(packed: &[u8], entry: &Entry) -> Result<Vec<u8>, String> {
    let size = usize::try_from(entry.size).map_err(|e| e.to_string())?;
    let bytes = if entry.method == 0 {
        packed.to_vec()
    } else {
        // Deflate cannot do better than 1:1032, so a lie about the size cannot
        // make us reserve much more than the archive itself could fill.
        let mut out = Vec::with_capacity(size.min(packed.len().saturating_mul(1032)) + 1);
        let mut state = Decompress::new(false);
        let status = state
            .decompress_vec(packed, &mut out, FlushDecompress::Finish)
            .map_err(|e| format!("it does not decompress: {e}"))?;
        if status != Status::StreamEnd || state.total_in() != packed.len() as u64 {
            return Err("its compressed data is not of the size the archive says".into());
        }
        out
    };
    if bytes.len() != size {
        return Err(format!("it has {} bytes, the archive says {size}", bytes.len()));
    }
    let mut crc = Crc::new();
    crc.update(&bytes);
    if crc.sum() != entry.crc {
        return Err("its checksum is wrong".into());
    }
    Ok(bytes)
}

/// A member as it stands in the archive.
struct Packed {
    data: Option<Vec<u8>>,
    crc: u32,
}

fn pack(bytes: &[u8]) -> Packed {
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 1000 + 64);
    let mut state = Compress::new(Compression::new(LEVEL), false);
    // All input in one call: how input is cut into pieces can change deflate's output.
    let status = state.compress_vec(bytes, &mut out, FlushCompress::Finish);
    let shrunk = matches!(status, Ok(Status::StreamEnd)) && out.len() < bytes.len();
    Packed { data: shrunk.then_some(out), crc: crc.sum() }
}

/// Writes members in the given order: the bytes depend on nothing else.
pub fn write(members: &[Member]) -> Result<Vec<u8>, String> {
    if members.len() > MOST_MEMBERS {
        return Err(format!("{} files are more than a wheel can hold", members.len()));
    }
    let packed: Vec<Packed> = members.par_iter().map(|m| pack(&m.bytes)).collect();
    let room = packed
        .iter()
        .zip(members)
        .map(|(p, m)| p.data.as_ref().map_or(m.bytes.len(), Vec::len) + 2 * m.path.as_str().len() + 76);
    let mut out = Vec::with_capacity(room.sum::<usize>() + 22);
    let mut directory = Vec::new();
    for (member, packed) in members.iter().zip(&packed) {
        let data = packed.data.as_deref().unwrap_or(&member.bytes);
        if out.len() + data.len() > MOST_BYTES || member.bytes.len() > MOST_BYTES {
            return Err(format!("`{}` makes the wheel larger than 4 GiB", member.path));
        }
        let name = member.path.as_str().as_bytes();
        let flags: u16 = if name.is_ascii() { 0 } else { 0x0800 };
        let method: u16 = if packed.data.is_some() { 8 } else { 0 };
        let mut common = Vec::with_capacity(26);
        for field in [20, flags, method, 0, DATE] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        for field in [packed.crc, data.len() as u32, member.bytes.len() as u32] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        common.extend_from_slice(&(name.len() as u16).to_le_bytes());
        common.extend_from_slice(&0u16.to_le_bytes());
        let mode: u32 = if member.executable { 0o100_755 } else { 0o100_644 };
        directory.extend_from_slice(&CENTRAL.to_le_bytes());
        directory.extend_from_slice(&0x0314u16.to_le_bytes());
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(mode << 16).to_le_bytes());
        directory.extend_from_slice(&(out.len() as u32).to_le_bytes());
        directory.extend_from_slice(name);
        out.extend_from_slice(&LOCAL.to_le_bytes());
        out.extend_from_slice(&common);
        out.extend_from_slice(name);
        out.extend_from_slice(data);
    }
    let start = out.len();
    if start + directory.len() > MOST_BYTES {
        return Err("the wheel is larger than 4 GiB".into());
    }
    out.extend_from_slice(&directory);
    out.extend_from_slice(&END.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let count = (members.len() as u16).to_le_bytes();
    out.extend_from_slice(&count);
    out.extend_from_slice(&count);
    out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    out.extend_from_slice(&(start as u32).to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    Ok(out)
}
