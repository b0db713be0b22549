//! Tar: ustar, GNU long names, PAX.
//!
//! Knows headers and extended headers, bounded, and that two sizes for one
//! entry must agree. Must never create anything itself.

use std::io::{BufReader, Read};

use super::error::{Fault, Refusal, Why};
use super::meter::{Meter, read_failed};
use super::names::What;
use super::write::{Target, write_failed};

const BLOCK: usize = 512;
/// Bytes of one extended header.
const EXTENDED: u64 = 1 << 20;
/// The largest size eleven octal digits hold.
const OCTAL_MOST: u64 = 0o77_777_777_777;

/// Whether the first block is a tar header.
pub(super) fn looks_like(head: &[u8]) -> bool {
    head.first_chunk::<BLOCK>().is_some_and(checksum_fits)
}

/// What extended headers say about the next entry.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    mtime: Option<u64>,
}

struct Header {
    kind: u8,
    size: u64,
    path: Vec<u8>,
    link: Vec<u8>,
    mode: u64,
    mtime: u64,
}

/// Unpacks a whole stream, and reads it to its end so that its own checksum
/// is checked.
pub(super) fn unpack(from: Meter, target: &mut Target) -> Result<(), Fault> {
    let mut from = BufReader::with_capacity(1 << 16, from);
    let mut extended = Extended::default();
    let mut buffer = vec![0u8; 1 << 16];
    while let Some(header) = next_header(&mut from).map_err(nameless)? {
        match header.kind {
            b'x' | b'g' | b'L' | b'K' => {
                extend(&mut from, &header, &mut extended).map_err(|why| (shown(&header.path), why))?;
            }
            _ => {
                let header = apply(header, std::mem::take(&mut extended))?;
                let mut entry = Entry { header: &header, from: &mut from, buffer: &mut buffer };
                entry.unpack(target).map_err(|why| (shown(&header.path), why))?;
            }
        }
    }
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) => return Err(nameless(read_failed(&e))),
        }
    }
}

fn nameless(why: Why) -> Fault {
    (String::new(), why)
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn corrupt(why: &str) -> Why {
    Why::Corrupt(why.to_owned())
}

fn checksum_fits(block: &[u8; BLOCK]) -> bool {
    let Ok(stored) = number(&block[148..156]) else { return false };
    // Some old programs summed signed bytes.
    let (mut sum, mut signed) = (0u64, 0i64);
    for (at, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&at) { b' ' } else { *byte };
        sum += u64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    stored == sum || i64::try_from(stored) == Ok(signed)
}

/// A number: octal text, or binary when the first bit is set (GNU).
fn number(field: &[u8]) -> Result<u64, Why> {
    if field[0] & 0x80 != 0 {
        let mut value = u64::from(field[0] & 0x3f);
        if field[0] & 0x40 != 0 {
            return Err(corrupt("a number in its header is negative"));
        }
        for byte in &field[1..] {
            let shifted =
                value.checked_mul(256).ok_or_else(|| corrupt("a number in its header is too large"))?;
            value = shifted + u64::from(*byte);
        }
        return Ok(value);
    }
    let text = field.split(|b| *b == 0).next().unwrap_or_default();
    let text = std::str::from_utf8(text).unwrap_or("?").trim_matches(' ');
    if text.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(text, 8).map_err(|_| corrupt("a number in its header is not octal"))
}

fn text(field: &[u8]) -> Vec<u8> {
    field.split(|b| *b == 0).next().unwrap_or_default().to_vec()
}

/// The next header, `None` at the end of the archive.
fn next_header(from: &mut impl Read) -> Result<Option<Header>, Why> {
    let mut block = [0u8; BLOCK];
    let mut have = 0;
    while have < BLOCK {
        match from.read(&mut block[have..]).map_err(|e| read_failed(&e))? {
            0 if have == 0 => return Ok(None),
            0 => return Err(corrupt("it is truncated")),
            n => have += n,
        }
    }
    if block.iter().all(|b| *b == 0) {
        return Ok(None);
    }
    if !checksum_fits(&block) {
        return Err(corrupt("a header's checksum is wrong"));
    }
    let mut path = text(&block[..100]);
    // GNU uses the bytes of the prefix for other things.
    if &block[257..263] == b"ustar\0" && block[345] != 0 {
        let mut whole = text(&block[345..500]);
        whole.push(b'/');
        whole.append(&mut path);
        path = whole;
    }
    Ok(Some(Header {
        kind: block[156],
        size: number(&block[124..136])?,
        link: text(&block[157..257]),
        mode: number(&block[100..108])?,
        // A time before 1970 or beyond reason is no time.
        mtime: number(&block[136..148]).unwrap_or(0),
        path,
    }))
}

/// Reads an extended header's content.
fn extend(from: &mut impl Read, header: &Header, into: &mut Extended) -> Result<(), Why> {
    if header.size > EXTENDED {
        return Err(Refusal::Limit(format!("an extended header has more than {EXTENDED} bytes")).into());
    }
    let mut content = vec![0u8; header.size as usize];
    from.read_exact(&mut content).map_err(|e| read_failed(&e))?;
    skip_padding(from, header.size)?;
    match header.kind {
        b'L' => set(&mut into.path, text(&content), "names"),
        b'K' => set(&mut into.link, text(&content), "link texts"),
        kind => records(&content, kind == b'g', into),
    }
}

/// Two different values for one thing are a trap for whoever reads the other.
fn set<T: PartialEq>(slot: &mut Option<T>, value: T, what: &str) -> Result<(), Why> {
    match slot {
        Some(old) if *old != value => Err(Refusal::SizeLie(format!("it has two {what}")).into()),
        _ => {
            *slot = Some(value);
            Ok(())
        }
    }
}

/// `<length> <key>=<value>\n`, the length counting all of it.
fn records(mut content: &[u8], global: bool, into: &mut Extended) -> Result<(), Why> {
    let bad = || corrupt("a PAX header is malformed");
    while !content.is_empty() && content[0] != 0 {
        let space = content.iter().position(|b| *b == b' ').ok_or_else(bad)?;
        let length = std::str::from_utf8(&content[..space]).ok().and_then(|t| t.parse::<usize>().ok());
        let length = length.filter(|n| *n > space + 1 && *n <= content.len()).ok_or_else(bad)?;
        let record = content[space + 1..length].strip_suffix(b"\n").ok_or_else(bad)?;
        content = &content[length..];
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(bad)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        if key.starts_with(b"GNU.sparse.") {
            return Err(Refusal::Special("a sparse file").into());
        }
        if global && matches!(key, b"path" | b"linkpath" | b"size") {
            return Err(Refusal::Unsupported("a name or size for all entries".into()).into());
        }
        let number = || std::str::from_utf8(value).ok().and_then(|t| t.parse::<u64>().ok());
        match key {
            b"path" => set(&mut into.path, value.to_vec(), "names")?,
            b"linkpath" => set(&mut into.link, value.to_vec(), "link texts")?,
            b"size" => set(&mut into.size, number().ok_or_else(bad)?, "sizes")?,
            b"mtime" if !global => {
                let whole = value.split(|b| *b == b'.').next().unwrap_or_default();
                // Before 1970 there is a minus sign: no time.
                into.mtime = std::str::from_utf8(whole).ok().and_then(|t| t.parse().ok()).or(Some(0));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The header with what the extended headers say.
fn apply(mut header: Header, extended: Extended) -> Result<Header, Fault> {
    header.path = extended.path.unwrap_or(header.path);
    header.link = extended.link.unwrap_or(header.link);
    header.mtime = extended.mtime.unwrap_or(header.mtime);
    if let Some(size) = extended.size {
        // The old field counts only where it could not hold the size.
        if size != header.size && size <= OCTAL_MOST {
            let lie = format!("its size is {} in one header and {size} in another", header.size);
            return Err((shown(&header.path), Refusal::SizeLie(lie).into()));
        }
        header.size = size;
    }
    Ok(header)
}

fn skip_padding(from: &mut impl Read, size: u64) -> Result<(), Why> {
    let mut rest = [0u8; BLOCK];
    let padding = (BLOCK - (size % BLOCK as u64) as usize) % BLOCK;
    from.read_exact(&mut rest[..padding]).map_err(|e| read_failed(&e))
}

struct Entry<'a, R> {
    header: &'a Header,
    from: &'a mut R,
    buffer: &'a mut [u8],
}

impl<R: Read> Entry<'_, R> {
    fn unpack(&mut self, target: &mut Target) -> Result<(), Why> {
        let header = self.header;
        let Some((path, slash)) = target.name(&header.path)? else {
            return if header.kind == b'5' { self.skip() } else { Err(corrupt("its name is `.`")) };
        };
        match header.kind {
            b'5' => self.folder(target, &path),
            // Before POSIX a folder was a file whose name ends with a slash.
            0 | b'0' if slash => self.folder(target, &path),
            0 | b'0' | b'7' => {
                target.claim(&path, What::File)?;
                target.saw_time(header.mtime);
                target.grow(header.size)?;
                if !target.wants(&path) {
                    return self.copy(std::io::sink());
                }
                let file = target.file(&path, header.mode & 0o100 != 0)?;
                self.copy(file)
            }
            b'2' => {
                target.claim(&path, What::Link)?;
                target.symlink(&path, &header.link)?;
                self.skip()
            }
            b'1' => self.hard_link(target, &path),
            b'3' | b'4' => Err(Refusal::Special("a device").into()),
            b'6' => Err(Refusal::Special("a fifo").into()),
            b'S' => Err(Refusal::Special("a sparse file").into()),
            other => Err(Refusal::Unsupported(format!("an entry of type `{}`", other.escape_ascii())).into()),
        }
    }

    fn folder(&mut self, target: &mut Target, path: &crate::tree::RelPath) -> Result<(), Why> {
        target.claim(path, What::Folder)?;
        target.folder(path)?;
        self.skip()
    }

    /// Becomes a file of its own: trees know no second names.
    fn hard_link(&mut self, target: &mut Target, path: &crate::tree::RelPath) -> Result<(), Why> {
        let source = target.hard_link_source(&self.header.link)?;
        target.claim(path, What::File)?;
        if !target.wants_all() {
            // What it means may not have been written.
            target.wants(path);
            return self.skip();
        }
        target.copy(&source, path)?;
        self.skip()
    }

    fn copy(&mut self, mut to: impl std::io::Write) -> Result<(), Why> {
        let mut left = self.header.size;
        while left > 0 {
            let want = left.min(self.buffer.len() as u64) as usize;
            let n = self.from.read(&mut self.buffer[..want]).map_err(|e| read_failed(&e))?;
            if n == 0 {
                return Err(corrupt("it is truncated"));
            }
            to.write_all(&self.buffer[..n]).map_err(write_failed)?;
            left -= n as u64;
        }
        skip_padding(self.from, self.header.size)
    }

    /// Content where there should be none: some writers leave the size of a
    /// link's target in its header without content; only zero is unambiguous.
    fn skip(&mut self) -> Result<(), Why> {
        match self.header.size {
            0 => Ok(()),
            size => Err(Refusal::SizeLie(format!("it has a size of {size} and should have none")).into()),
        }
    }
}
