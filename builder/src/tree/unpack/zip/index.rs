//! The index of a zip: the central directory, checked against every local
//! header and against the file as a whole.
//!
//! Knows that the entries must tile the file: no overlap, no gap, nothing
//! before the first or behind the last. Must never inflate anything.

use std::fs::File;

use super::super::error::{Fault, Refusal, Why};
use super::{read_at, read_why};

pub(super) const STORED: u16 = 0;
const DEFLATED: u16 = 8;

const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
/// Bytes of central directory read at most.
const CENTRAL_MOST: u64 = 256 << 20;
/// The sizes stand behind the data.
const HAS_DESCRIPTOR: u16 = 1 << 3;
/// Encrypted, strongly encrypted, masked headers.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// Extra field: sizes of 64 bits.
const ZIP64: u16 = 1;
/// Extra field: another name for the same entry.
const UNICODE_NAME: u16 = 0x7075;
const UNKNOWN: u64 = 0xffff_ffff;

/// One entry, agreed on by both headers.
#[derive(Debug)]
pub(super) struct Member {
    /// The name's bytes.
    pub name: Vec<u8>,
    /// Stored or deflated.
    pub method: u16,
    /// CRC-32 of the content.
    pub crc: u32,
    /// Bytes in the archive.
    pub packed: u64,
    /// Bytes of content.
    pub size: u64,
    /// Where the data begins.
    pub data: u64,
    flags: u16,
    attributes: u32,
    made_by: u8,
    time: (u16, u16),
    offset: u64,
}

impl Member {
    /// The name for messages.
    pub(super) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    /// The kind bits of a Unix mode, 0 where there is none. Read whatever
    /// system the entry claims: others do too.
    pub(super) fn unix_kind(&self) -> u32 {
        (self.attributes >> 16) & 0o170_000
    }

    /// Whether any x bit is set, as pip asks.
    pub(super) fn executable(&self) -> bool {
        const UNIX: u8 = 3;
        self.made_by == UNIX && (self.attributes >> 16) & 0o111 != 0
    }

    /// Seconds since 1970, the stored time taken as UTC.
    pub(super) fn seconds(&self) -> u64 {
        let (time, date) = (u64::from(self.time.0), u64::from(self.time.1));
        let (year, month, day) = (1980 + (date >> 9), (date >> 5 & 15).clamp(1, 12), (date & 31).max(1));
        // Days since 1970 by counting years that begin in March.
        let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
        days * 86_400 + (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2
    }
}

/// Little-endian fields, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Why> {
        let (head, rest) =
            self.0.split_at_checked(n).ok_or_else(|| Why::Corrupt("a header is truncated".into()))?;
        self.0 = rest;
        Ok(head)
    }

    fn u16(&mut self) -> Result<u16, Why> {
        let b = self.take(2)?;
        Ok(u16::from_le_bytes([b[0], b[1]]))
    }

    fn u32(&mut self) -> Result<u32, Why> {
        let b = self.take(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn u64(&mut self) -> Result<u64, Why> {
        Ok(u64::from(self.u32()?) | u64::from(self.u32()?) << 32)
    }
}

/// Reads and checks the whole index; members in the order of the central
/// directory.
pub(super) fn read(file: &File, size: u64, most: usize) -> Result<Vec<Member>, Fault> {
    let whole = |why: Why| (String::new(), why);
    let end = find_end(file, size).map_err(whole)?;
    if end.count > most as u64 {
        return Err(whole(Refusal::Limit(format!("there are more than {most} entries")).into()));
    }
    if end.length > CENTRAL_MOST {
        return Err(whole(Refusal::Limit("its central directory is too large".into()).into()));
    }
    let mut bytes = vec![0u8; end.length as usize];
    read_at(file, end.start, &mut bytes).map_err(|e| whole(read_why(&e)))?;
    let mut fields = Fields(&bytes);
    let mut members = Vec::with_capacity(end.count as usize);
    for _ in 0..end.count {
        members.push(central(&mut fields).map_err(whole)?);
    }
    if !fields.0.is_empty() {
        return Err(whole(Refusal::StrayBytes.into()));
    }
    tile(file, &mut members, end.start)?;
    Ok(members)
}

/// Where the central directory lies.
struct End {
    start: u64,
    length: u64,
    count: u64,
}

/// The end record must reach exactly to the end of the file, and only one
/// place may look like it.
fn find_end(file: &File, size: u64) -> Result<End, Why> {
    let tail_len = size.min(22 + 0xffff);
    let mut tail = vec![0u8; tail_len as usize];
    read_at(file, size - tail_len, &mut tail).map_err(|e| read_why(&e))?;
    let fits = |at: &usize| {
        let record = &tail[*at..];
        record.starts_with(&END.to_le_bytes())
            && record.len() == 22 + usize::from(u16::from_le_bytes([record[20], record[21]]))
    };
    let mut found = (0..tail.len().saturating_sub(21)).filter(fits);
    let at = match (found.next(), found.next()) {
        (Some(at), None) => at,
        (None, _) if tail.windows(4).any(|w| w == END.to_le_bytes()) => {
            return Err(Refusal::StrayBytes.into());
        }
        (None, _) => return Err(Why::Corrupt("it has no central directory: it is truncated".into())),
        (Some(_), Some(_)) => return Err(Refusal::Overlap.into()),
    };
    let mut fields = Fields(&tail[at + 4..]);
    let disks = (fields.u16()?, fields.u16()?);
    let (here, count) = (u64::from(fields.u16()?), u64::from(fields.u16()?));
    let (length, start) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
    let position = size - tail_len + at as u64;
    let plain = End { start, length, count };
    let (end, behind) = match end64(file, position, &plain)? {
        Some(found) => found,
        None if here != count || !matches!(disks, (0, 0)) => {
            return Err(Refusal::Unsupported("an archive in several parts".into()).into());
        }
        None => (plain, position),
    };
    if end.start.checked_add(end.length) != Some(behind) {
        return Err(Refusal::StrayBytes.into());
    }
    Ok(end)
}

/// The 64-bit end record, if there is one, and where it begins.
fn end64(file: &File, end: u64, plain: &End) -> Result<Option<(End, u64)>, Why> {
    let Some(locator) = end.checked_sub(20) else { return Ok(None) };
    let mut bytes = [0u8; 20];
    read_at(file, locator, &mut bytes).map_err(|e| read_why(&e))?;
    let mut fields = Fields(&bytes);
    if fields.u32()? != LOCATOR64 {
        return Ok(None);
    }
    fields.take(4)?;
    let at = fields.u64()?;
    if locator.checked_sub(56) != Some(at) {
        return Err(Refusal::StrayBytes.into());
    }
    let mut bytes = [0u8; 56];
    read_at(file, at, &mut bytes).map_err(|e| read_why(&e))?;
    let mut fields = Fields(&bytes);
    if fields.u32()? != END64 || fields.u64()? != 44 {
        return Err(Why::Corrupt("its 64-bit end record is malformed".into()));
    }
    fields.take(2 + 2 + 4 + 4 + 8)?;
    let found = End { count: fields.u64()?, length: fields.u64()?, start: fields.u64()? };
    let agree = |small: u64, unknown: u64, large: u64| small == unknown || small == large;
    if !agree(plain.count, 0xffff, found.count)
        || !agree(plain.length, UNKNOWN, found.length)
        || !agree(plain.start, UNKNOWN, found.start)
    {
        return Err(Refusal::HeadersDisagree("end record").into());
    }
    Ok(Some((found, at)))
}

/// One record of the central directory.
fn central(fields: &mut Fields<'_>) -> Result<Member, Why> {
    if fields.u32()? != CENTRAL {
        return Err(Why::Corrupt("its central directory is malformed".into()));
    }
    let made_by = (fields.u16()? >> 8) as u8;
    fields.take(2)?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    let time = (fields.u16()?, fields.u16()?);
    let crc = fields.u32()?;
    let (packed, size) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
    let lengths = (fields.u16()?, fields.u16()?, fields.u16()?);
    fields.take(4)?;
    let attributes = fields.u32()?;
    let offset = u64::from(fields.u32()?);
    let name = fields.take(lengths.0.into())?.to_vec();
    let extra = fields.take(lengths.1.into())?;
    fields.take(lengths.2.into())?;
    let [size, packed, offset] = widen(extra, &name, [size, packed, offset])?;
    Ok(Member { name, method, crc, packed, size, data: 0, flags, attributes, made_by, time, offset })
}

/// Replaces the sizes that did not fit by those of the 64-bit extra field.
fn widen<const N: usize>(extra: &[u8], name: &[u8], mut sizes: [u64; N]) -> Result<[u64; N], Why> {
    let mut fields = Fields(extra);
    let mut seen = false;
    while fields.0.len() >= 4 {
        let (id, length) = (fields.u16()?, fields.u16()?);
        let mut body = Fields(fields.take(length.into())?);
        if id == UNICODE_NAME && body.0.get(5..) != Some(name) {
            return Err(Refusal::HeadersDisagree("name").into());
        }
        if id == ZIP64 {
            if std::mem::replace(&mut seen, true) {
                return Err(Refusal::SizeLie("it has two sizes".into()).into());
            }
            for size in sizes.iter_mut().filter(|size| **size == UNKNOWN) {
                *size = body.u64()?;
            }
        }
    }
    Ok(sizes)
}

/// Checks every local header, and that the entries fill the file up to the
/// central directory without gap or overlap.
fn tile(file: &File, members: &mut [Member], end: u64) -> Result<(), Fault> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|at| members[*at].offset);
    let mut position = 0;
    for (nth, at) in order.iter().enumerate() {
        let next = order.get(nth + 1).map_or(end, |next| members[*next].offset);
        let member = &mut members[*at];
        let place = Place { position, next };
        position = local(file, member, place).map_err(|why| (member.shown(), why))?;
    }
    if position != end {
        return Err((String::new(), Refusal::StrayBytes.into()));
    }
    Ok(())
}

/// Where an entry must begin, and where the next thing does.
struct Place {
    position: u64,
    next: u64,
}

/// Checks one local header; gives where the entry ends.
fn local(file: &File, member: &mut Member, place: Place) -> Result<u64, Why> {
    if member.offset != place.position {
        let overlaps = member.offset < place.position;
        return Err(if overlaps { Refusal::Overlap } else { Refusal::StrayBytes }.into());
    }
    if member.flags & ENCRYPTED != 0 {
        return Err(Refusal::Encrypted.into());
    }
    if !matches!(member.method, STORED | DEFLATED) {
        return Err(Refusal::Unsupported(format!("compression method {}", member.method)).into());
    }
    let mut head = [0u8; 30];
    read_at(file, member.offset, &mut head).map_err(|e| read_why(&e))?;
    let mut fields = Fields(&head);
    if fields.u32()? != LOCAL {
        return Err(Why::Corrupt("its local header is not where it should be".into()));
    }
    fields.take(2)?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    fields.take(4)?;
    let (crc, packed, size) = (fields.u32()?, u64::from(fields.u32()?), u64::from(fields.u32()?));
    let (name_len, extra_len) = (usize::from(fields.u16()?), usize::from(fields.u16()?));
    let mut tail = vec![0u8; name_len + extra_len];
    read_at(file, member.offset + 30, &mut tail).map_err(|e| read_why(&e))?;
    let (name, extra) = tail.split_at(name_len);
    if name != member.name {
        return Err(Refusal::HeadersDisagree("name").into());
    }
    if flags != member.flags {
        return Err(Refusal::HeadersDisagree("flags").into());
    }
    if method != member.method {
        return Err(Refusal::HeadersDisagree("compression method").into());
    }
    let [size, packed] = widen(extra, name, [size, packed])?;
    member.data = member.offset + 30 + tail.len() as u64;
    let data_end = member.data.checked_add(member.packed).filter(|e| *e <= place.next);
    let data_end = data_end.ok_or(Refusal::Overlap)?;
    let said = Sizes { crc, packed, size };
    if flags & HAS_DESCRIPTOR == 0 {
        return said.check(member, data_end);
    }
    // Before the data nothing may be said, or the truth.
    if said != (Sizes { crc: 0, packed: 0, size: 0 }) {
        said.check(member, data_end)?;
    }
    descriptor(file, member, (data_end, place.next))
}

/// What a header says about content.
#[derive(PartialEq)]
struct Sizes {
    crc: u32,
    packed: u64,
    size: u64,
}

impl Sizes {
    fn check(&self, member: &Member, end: u64) -> Result<u64, Why> {
        match self {
            Self { crc, .. } if *crc != member.crc => Err(Refusal::HeadersDisagree("checksum").into()),
            Self { packed, size, .. } if (*packed, *size) != (member.packed, member.size) => {
                Err(Refusal::HeadersDisagree("size").into())
            }
            _ => Ok(end),
        }
    }
}

/// Checks the record behind the data: with or without its signature, with
/// sizes of 32 or 64 bits.
fn descriptor(file: &File, member: &Member, (start, next): (u64, u64)) -> Result<u64, Why> {
    let length = next - start;
    if !matches!(length, 12 | 16 | 20 | 24) {
        return Err(Refusal::StrayBytes.into());
    }
    let mut bytes = vec![0u8; length as usize];
    read_at(file, start, &mut bytes).map_err(|e| read_why(&e))?;
    let mut fields = Fields(&bytes);
    if matches!(length, 16 | 24) && fields.u32()? != DESCRIPTOR {
        return Err(Refusal::StrayBytes.into());
    }
    let crc = fields.u32()?;
    let said = if length >= 20 {
        Sizes { crc, packed: fields.u64()?, size: fields.u64()? }
    } else {
        Sizes { crc, packed: fields.u32()?.into(), size: fields.u32()?.into() }
    };
    said.check(member, next)
}
