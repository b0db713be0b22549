//! Zip archives written in one way only.
//!
//! Knows which choices decide the bytes. Must never let memory, threads or
//! the way the members were read decide anything.

use std::collections::VecDeque;
use std::io::{self, Read};

use crc32fast::Hasher as Crc;
use flate2::{Compress, FlushCompress, Status};
use rayon::prelude::*;

use super::state::compressing;
use super::{Bad, CENTRAL, DATE, END, LOCAL, MOST_BYTES, MOST_MEMBERS, Member};
use crate::error::{Error, IoContext as _, Result};
use crate::wheel::content::{Content, Reader, Spool};

/// An archive that was made, in the pieces it consists of.
#[derive(Clone, Debug)]
pub struct Written {
    pieces: Vec<Content>,
}

impl Written {
    /// The bytes, if the archive is small.
    pub fn memory(&self) -> Option<&[u8]> {
        match &self.pieces[..] {
            [one] => one.memory(),
            _ => None,
        }
    }

    /// A reader of all bytes.
    pub fn reader(&self) -> Result<impl Read> {
        Ok(Pieces(self.pieces.iter().map(Content::reader).collect::<Result<_>>()?))
    }
}

/// Readers, one after the other.
struct Pieces<'a>(VecDeque<Reader<'a>>);

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(first) = self.0.front_mut() {
            let n = first.read(into)?;
            if n > 0 || into.is_empty() {
                return Ok(n);
            }
            self.0.pop_front();
        }
        Ok(0)
    }
}

/// Bytes deflate takes when it begins, and each time it has worked through
/// what it has: its window, and the half of it that it moves on by.
const FIRST: usize = 1 << 16;
const NEXT: usize = 1 << 15;
/// More than one such part can become.
const ROOM: usize = 1 << 18;

/// A member as it stands in the archive.
struct Packed {
    data: Option<Content>,
    crc: u32,
}

fn pack(content: &Content, spool: &Spool) -> Result<Packed> {
    match content.memory() {
        Some(bytes) => Ok(pack_held(bytes)),
        None => pack_pieces(content, spool),
    }
}

fn pack_held(bytes: &[u8]) -> Packed {
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 1000 + 64);
    // All input in one call: how input is cut into pieces can change deflate's output.
    let status = compressing(|state| state.compress_vec(bytes, &mut out, FlushCompress::Finish));
    let shrunk = matches!(status, Ok(Status::StreamEnd)) && out.len() < bytes.len();
    Packed { data: shrunk.then(|| out.into()), crc: crc.finalize() }
}

/// The same bytes from pieces: input is given exactly as deflate would take
/// it from a whole, and with room for all it says, so that it never stops at
/// another place.
fn pack_pieces(content: &Content, spool: &Spool) -> Result<Packed> {
    compressing(|state| pack_pieces_with(state, content, spool))
}

fn pack_pieces_with(state: &mut Compress, content: &Content, spool: &Spool) -> Result<Packed> {
    let doing = || "failed to compress a file of a wheel";
    let (mut reader, mut slot) = (content.reader()?, spool.slot(content.size())?);
    let (mut input, mut out, mut crc) = (vec![0; FIRST], vec![0; ROOM], Crc::new());
    let (mut left, mut part, mut shrunk) = (content.size(), FIRST, true);
    while left > 0 {
        let n = left.min(part as u64) as usize;
        reader.read_exact(&mut input[..n]).doing(doing)?;
        crc.update(&input[..n]);
        (left, part) = (left - n as u64, NEXT);
        if !shrunk {
            continue;
        }
        let flush = if left == 0 { FlushCompress::Finish } else { FlushCompress::None };
        let before = (state.total_in(), state.total_out());
        let status = state.compress(&input[..n], &mut out, flush).doing(doing)?;
        let produced = (state.total_out() - before.1) as usize;
        if state.total_in() - before.0 != n as u64 || (left == 0) != (status == Status::StreamEnd) {
            return Err(Error::bug(doing()).because("deflate stopped where it should not"));
        }
        shrunk = state.total_out() < content.size();
        if shrunk {
            slot.put(&out[..produced])?;
        }
    }
    Ok(Packed { data: shrunk.then(|| slot.finish()), crc: crc.finalize() })
}

/// Writes members in the given order: the bytes depend on nothing else.
pub fn write(members: &[Member], spool: &Spool) -> Result<Written, Bad> {
    if members.len() > MOST_MEMBERS {
        return Err(format!("{} files are more than a wheel can hold", members.len()).into());
    }
    let packed: Vec<Packed> = members.par_iter().map(|m| pack(&m.bytes, spool)).collect::<Result<_>>()?;
    let mut made = Making { pieces: Vec::new(), out: Vec::new(), before: 0 };
    let mut directory = Vec::new();
    for (member, packed) in members.iter().zip(packed) {
        let method: u16 = if packed.data.is_some() { 8 } else { 0 };
        let data = packed.data.as_ref().unwrap_or(&member.bytes);
        let most = MOST_BYTES as u64;
        if made.size() + data.size() > most || member.bytes.size() > most {
            return Err(format!("`{}` makes the wheel larger than 4 GiB", member.path).into());
        }
        let name = member.path.as_str().as_bytes();
        let flags: u16 = if name.is_ascii() { 0 } else { 0x0800 };
        let mut common = Vec::with_capacity(26);
        for field in [20, flags, method, 0, DATE] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        for field in [packed.crc, data.size() as u32, member.bytes.size() as u32] {
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
        directory.extend_from_slice(&(made.size() as u32).to_le_bytes());
        directory.extend_from_slice(name);
        made.out.extend_from_slice(&LOCAL.to_le_bytes());
        made.out.extend_from_slice(&common);
        made.out.extend_from_slice(name);
        made.put(data);
    }
    made.finish(&directory, members.len())
}

/// An archive as far as it is written: pieces, and behind them `out`.
struct Making {
    pieces: Vec<Content>,
    out: Vec<u8>,
    /// Bytes of the pieces.
    before: u64,
}

impl Making {
    fn size(&self) -> u64 {
        self.before + self.out.len() as u64
    }

    fn put(&mut self, data: &Content) {
        match data.memory() {
            Some(bytes) => self.out.extend_from_slice(bytes),
            None => {
                self.close();
                self.before += data.size();
                self.pieces.push(data.clone());
            }
        }
    }

    /// What was held so far becomes a piece.
    fn close(&mut self) {
        let out = std::mem::take(&mut self.out);
        self.before += out.len() as u64;
        self.pieces.push(out.into());
    }

    fn finish(mut self, directory: &[u8], members: usize) -> Result<Written, Bad> {
        let start = self.size();
        if start + directory.len() as u64 > MOST_BYTES as u64 {
            return Err("the wheel is larger than 4 GiB".into());
        }
        let out = &mut self.out;
        out.extend_from_slice(directory);
        out.extend_from_slice(&END.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let count = (members as u16).to_le_bytes();
        out.extend_from_slice(&count);
        out.extend_from_slice(&count);
        out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
        out.extend_from_slice(&(start as u32).to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        self.close();
        Ok(Written { pieces: self.pieces })
    }
}
