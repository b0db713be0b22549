//! Zip archives read strictly: the central directory held against every local
//! header, then the members.
//!
//! Knows that what a header says may be a lie. Must never hold more of a
//! member than a piece, unless the spool says that it may be held.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crc32fast::Hasher as Crc;
use flate2::{Decompress, FlushDecompress, Status};
use rayon::prelude::*;

use super::state::decompressing;
use super::{Archive, Bad, CENTRAL, END, END64, LOCAL, LOCATOR64, Limits, Member};
use crate::error::Error;
use crate::tree::RelPath;
use crate::wheel::content::{Content, PIECE, Spool};

/// Bytes of central directory read at most.
const MOST_DIRECTORY: u64 = 256 << 20;
/// Bytes at most of a file that is held whatever its size.
const MOST_HELD: u64 = 64 << 20;

/// Whether a file of an archive is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// It is not.
    No,
    /// It is, and lies where the spool has room for it.
    Yes,
    /// It is held, since it is going to be looked at as a whole.
    Held,
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
pub fn read(
    archive: &Archive,
    limits: &Limits,
    (held, spool): (impl Fn(&RelPath) -> bool, &Spool),
) -> Result<Vec<Member>, Bad> {
    let want = |path: &RelPath| if held(path) { Want::Held } else { Want::Yes };
    read_some(archive, limits, (want, spool))
}

/// The same for the files that are wanted; the others are not decompressed,
/// but the archive has to be sound as a whole.
pub fn read_some(
    archive: &Archive,
    limits: &Limits,
    (want, spool): (impl Fn(&RelPath) -> Want, &Spool),
) -> Result<Vec<Member>, Bad> {
    let (entries, directory) = entries(archive, limits)?;
    let spans = spans(archive, limits, (&entries, directory))?;
    let wanted: Vec<(usize, &Entry, Want)> = entries
        .iter()
        .enumerate()
        .filter(|(_, e)| !e.folder)
        .map(|(i, e)| (i, e, want(&e.path)))
        .filter(|(_, _, want)| *want != Want::No)
        .collect();
    let sizes = wanted.iter().filter(|(_, _, want)| *want == Want::Yes).map(|(_, e, _)| e.size);
    let most = spool.held_up_to(sizes);
    let results: Vec<Result<Member, Bad>> = wanted
        .par_iter()
        .map(|(i, entry, want)| {
            let bytes = match want {
                Want::Yes if entry.size > most => spooled(archive, spans[*i], (entry, spool)),
                Want::Held if entry.size > MOST_HELD => {
                    Err(format!("it has {} bytes, more than {MOST_HELD} are allowed", entry.size).into())
                }
                _ => inflate(archive, spans[*i], entry),
            };
            match bytes {
                Ok(bytes) => Ok(Member { path: entry.path.clone(), bytes, executable: entry.executable }),
                Err(Bad::Machine(e)) => Err(Bad::Machine(e)),
                Err(Bad::Archive(said)) => {
                    Err(Bad::Archive(said.iter().map(|e| format!("`{}`: {e}", entry.path)).collect()))
                }
            }
        })
        .collect();
    let (mut members, mut problems) = (Vec::with_capacity(results.len()), Vec::new());
    for result in results {
        match result {
            Ok(member) => members.push(member),
            Err(Bad::Archive(said)) => problems.extend(said),
            Err(machine) => return Err(machine),
        }
    }
    if !problems.is_empty() {
        return Err(Bad::Archive(problems));
    }
    members.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(members)
}

/// Where the packed bytes of each entry are; on failure, every reason.
fn spans(
    archive: &Archive,
    limits: &Limits,
    (entries, directory): (&[Entry], u64),
) -> Result<Vec<(u64, u64)>, Bad> {
    let mut problems = collisions(entries);
    let total: u128 = entries.iter().map(|e| u128::from(e.size)).sum();
    problems.extend(limits.refuse(total, archive.size()));
    let mut spans = Vec::with_capacity(entries.len());
    for entry in entries {
        match span(archive, entry, directory) {
            Ok(span) => spans.push(span),
            Err(Bad::Archive(said)) => problems.extend(said.iter().map(|e| format!("`{}`: {e}", entry.path))),
            Err(machine) => return Err(machine),
        }
    }
    if !problems.is_empty() {
        return Err(Bad::Archive(problems));
    }
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|i| entries[*i].offset);
    for pair in order.windows(2) {
        if spans[pair[0]].1 > entries[pair[1]].offset {
            let (a, b) = (&entries[pair[0]].path, &entries[pair[1]].path);
            return Err(format!("`{a}` and `{b}` overlap").into());
        }
    }
    Ok(spans)
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
fn entries(archive: &Archive, limits: &Limits) -> Result<(Vec<Entry>, u64), Bad> {
    let lowest = archive.size().saturating_sub(22 + u64::from(u16::MAX));
    let tail = archive.at(lowest, u64::MAX)?;
    let here = (0..(tail.len() + 1).saturating_sub(22))
        .rev()
        .find(|at| {
            u32_at(&tail, *at) == Ok(END)
                && u16_at(&tail, at + 20).is_ok_and(|n| at + 22 + usize::from(n) == tail.len())
        })
        .ok_or("it is not a zip archive, or there is data after its end")?;
    let (mut count, mut size, mut start, mut stop) = (
        u64::from(u16_at(&tail, here + 10)?),
        u64::from(u32_at(&tail, here + 12)?),
        u64::from(u32_at(&tail, here + 16)?),
        lowest + here as u64,
    );
    let locator = match stop.checked_sub(20) {
        Some(at) => archive.at(at, 20)?,
        None => Cow::Borrowed(&[][..]),
    };
    if u32_at(&locator, 0) == Ok(LOCATOR64) {
        let at = u64_at(&locator, 8)?;
        let record = archive.at(at, 56)?;
        if at > archive.size() || u32_at(&record, 0)? != END64 {
            return Err("the zip64 end record is not where it should be".into());
        }
        (count, size, start, stop) = (u64_at(&record, 32)?, u64_at(&record, 40)?, u64_at(&record, 48)?, at);
    }
    if count > limits.members as u64 {
        return Err(format!("it has {count} members, more than {} are allowed", limits.members).into());
    }
    if start.checked_add(size) != Some(stop) {
        return Err("the central directory is not where the end record says".into());
    }
    if size > MOST_DIRECTORY {
        let text = format!("the central directory has {size} bytes, more than {MOST_DIRECTORY} are allowed");
        return Err(text.into());
    }
    let directory = archive.at(start, size)?;
    let (mut at, mut found) = (0, Vec::new());
    for _ in 0..count {
        let (entry, next) = central(&directory, at)?;
        found.push(entry);
        at = next;
    }
    if at != directory.len() {
        return Err("the central directory holds more than the end record says".into());
    }
    Ok((found, start))
}

/// One central header, and where the next begins.
fn central(directory: &[u8], at: usize) -> Result<(Entry, usize), String> {
    if u32_at(directory, at)? != CENTRAL {
        return Err("the central directory is damaged".into());
    }
    let made_by = u16_at(directory, at + 4)? >> 8;
    let lengths = [u16_at(directory, at + 28)?, u16_at(directory, at + 30)?, u16_at(directory, at + 32)?];
    let name_end = at + 46 + usize::from(lengths[0]);
    let extra_end = name_end + usize::from(lengths[1]);
    let next = extra_end + usize::from(lengths[2]);
    let raw_name = directory.get(at + 46..name_end).ok_or("the archive is cut off")?.to_vec();
    let extra = directory.get(name_end..extra_end).ok_or("the archive is cut off")?;
    let (mut size, mut packed, mut offset) = (
        u64::from(u32_at(directory, at + 24)?),
        u64::from(u32_at(directory, at + 20)?),
        u64::from(u32_at(directory, at + 42)?),
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
    let mode = if made_by == 3 || made_by == 19 { u32_at(directory, at + 38)? >> 16 } else { 0 };
    let folder = text.ends_with('/');
    match mode & 0o170_000 {
        0 | 0o100_000 | 0o040_000 => {}
        0o120_000 => return Err(format!("`{path}` is a symbolic link")),
        _ => return Err(format!("`{path}` is not a file")),
    }
    let entry = Entry {
        folder,
        executable: mode & 0o111 != 0,
        flags: u16_at(directory, at + 8)?,
        method: u16_at(directory, at + 10)?,
        crc: u32_at(directory, at + 16)?,
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
fn span(archive: &Archive, entry: &Entry, directory: u64) -> Result<(u64, u64), Bad> {
    let head = archive.at(entry.offset, 30 + entry.raw_name.len() as u64)?;
    if entry.offset >= directory || u32_at(&head, 0)? != LOCAL {
        return Err("its local header is not where the directory says".into());
    }
    if entry.flags & 0x2041 != 0 {
        return Err("it is encrypted".into());
    }
    if !matches!(entry.method, 0 | 8) {
        return Err(format!("compression method {} is not stored or deflate", entry.method).into());
    }
    let lengths = (u16_at(&head, 26)?, u16_at(&head, 28)?);
    let start = entry.offset + 30 + u64::from(lengths.0) + u64::from(lengths.1);
    let same_name =
        usize::from(lengths.0) == entry.raw_name.len() && head.get(30..) == Some(entry.raw_name.as_slice());
    let deferred = entry.flags & 8 != 0;
    let agrees = |at: usize, want: u64| -> Result<bool, String> {
        let got = u32_at(&head, at)?;
        Ok(got == u32::MAX || u64::from(got) == want || (deferred && got == 0))
    };
    let same_sizes =
        agrees(18, entry.packed)? && agrees(22, entry.size)? && (deferred || u32_at(&head, 14)? == entry.crc);
    if !same_name || !same_sizes || u16_at(&head, 8)? != entry.method {
        return Err("its local and central headers disagree".into());
    }
    match start.checked_add(entry.packed) {
        Some(end) if end <= directory => Ok((start, end)),
        _ => Err("it reaches into the central directory".into()),
    }
}

const OTHER_SIZE: &str = "its compressed data is not of the size the archive says";

/// A member, held.
fn inflate(archive: &Archive, span: (u64, u64), entry: &Entry) -> Result<Content, Bad> {
    let size = usize::try_from(entry.size).map_err(|e| e.to_string())?;
    // Deflate cannot do better than 1:1032, so a lie about the size cannot
    // make us reserve much more than the archive itself could fill.
    let most = usize::try_from(span.1 - span.0).unwrap_or(usize::MAX).saturating_mul(1032);
    let mut out = Vec::with_capacity(size.min(most) + 1);
    if let (Archive::Memory(bytes), 8) = (archive, entry.method) {
        let packed = &bytes[span.0 as usize..span.1 as usize];
        let (status, used) = decompressing(|state| {
            let status = state.decompress_vec(packed, &mut out, FlushDecompress::Finish);
            (status, state.total_in())
        });
        let status = status.map_err(|e| format!("it does not decompress: {e}"))?;
        if status != Status::StreamEnd || used != packed.len() as u64 {
            return Err(OTHER_SIZE.into());
        }
        let mut crc = Crc::new();
        crc.update(&out);
        check(entry, out.len() as u64, crc)?;
        return Ok(out.into());
    }
    unpack(
        archive,
        span,
        (entry, &mut |piece| {
            out.extend_from_slice(piece);
            Ok(())
        }),
    )?;
    Ok(out.into())
}

/// A member, in the spool.
fn spooled(archive: &Archive, span: (u64, u64), (entry, spool): (&Entry, &Spool)) -> Result<Content, Bad> {
    let mut slot = spool.slot(entry.size)?;
    unpack(archive, span, (entry, &mut |piece| slot.put(piece)))?;
    Ok(slot.finish())
}

/// Where the pieces of a member go.
type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Error>;

/// Gives a member piece by piece, never more than the archive says it has.
fn unpack(archive: &Archive, span: (u64, u64), (entry, sink): (&Entry, Sink<'_>)) -> Result<(), Bad> {
    let (mut crc, mut done) = (Crc::new(), 0u64);
    let mut put = |piece: &[u8]| -> Result<(), Bad> {
        done += piece.len() as u64;
        if done > entry.size {
            return Err(OTHER_SIZE.into());
        }
        crc.update(piece);
        Ok(sink(piece)?)
    };
    if entry.method == 0 {
        let mut at = span.0;
        while at < span.1 {
            let piece = archive.at(at, (span.1 - at).min(PIECE as u64))?;
            at += piece.len() as u64;
            put(&piece)?;
        }
    } else {
        decompressing(|state| inflate_pieces(state, (archive, span), &mut put))?;
    }
    check(entry, done, crc)
}

fn inflate_pieces(
    state: &mut Decompress,
    (archive, (start, end)): (&Archive, (u64, u64)),
    put: &mut dyn FnMut(&[u8]) -> Result<(), Bad>,
) -> Result<(), Bad> {
    let mut out = vec![0; PIECE];
    let (mut at, mut input, mut used) = (start, archive.at(start, 0)?, 0);
    loop {
        if used == input.len() && at < end {
            input = archive.at(at, (end - at).min(PIECE as u64))?;
            (at, used) = (at + input.len() as u64, 0);
        }
        let (before_in, before_out) = (state.total_in(), state.total_out());
        let status = state
            .decompress(&input[used..], &mut out, FlushDecompress::None)
            .map_err(|e| format!("it does not decompress: {e}"))?;
        let consumed = (state.total_in() - before_in) as usize;
        let produced = (state.total_out() - before_out) as usize;
        used += consumed;
        put(&out[..produced])?;
        match status {
            Status::StreamEnd if used == input.len() && at == end => return Ok(()),
            Status::StreamEnd => return Err(OTHER_SIZE.into()),
            _ if consumed == 0 && produced == 0 && used == input.len() && at == end => {
                return Err(OTHER_SIZE.into());
            }
            _ => {}
        }
    }
}

fn check(entry: &Entry, size: u64, crc: Crc) -> Result<(), Bad> {
    if size != entry.size {
        return Err(format!("it has {size} bytes, the archive says {}", entry.size).into());
    }
    if crc.finalize() != entry.crc {
        return Err("its checksum is wrong".into());
    }
    Ok(())
}
