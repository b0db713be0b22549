//! Zip: the index, and files by it.
//!
//! Knows that what lies behind the index must agree with it. Must never
//! accept an archive that two programs could read differently.

mod index;

use std::fs::File;
use std::io::{self, Write as _};

use crc32fast::Hasher as Crc;
use flate2::{Decompress, FlushDecompress, Status};
use rayon::prelude::*;

use super::error::{Fault, Refusal, Why};
use super::meter::Deadline;
use super::names::What;
use super::write::{Target, write_failed};
use super::{UnpackLimits, Unpacked};
use crate::tree::RelPath;
use crate::tree::fs::Beneath;
use index::Member;

/// Reads exactly this many bytes at a place of the file.
fn read_at(file: &File, mut at: u64, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        let n = rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut *into, at))?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        into = &mut into[n..];
        at += n as u64;
    }
    Ok(())
}

fn read_why(e: &io::Error) -> Why {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => Why::Corrupt("it is truncated".into()),
        _ => Why::Corrupt(e.to_string()),
    }
}

/// Checks the whole index and all names, then writes the files in parallel.
pub(super) fn unpack(
    file: &File,
    size: u64,
    mut target: Target,
    limits: &UnpackLimits,
) -> Result<Unpacked, Fault> {
    let members = index::read(file, size, limits.entries)?;
    let mut files: Vec<(RelPath, &Member)> = Vec::with_capacity(members.len());
    for member in &members {
        let claimed = claim(member, &mut target).map_err(|why| (member.shown(), why))?;
        files.extend(claimed.filter(|path| target.wants(path)).map(|path| (path, member)));
    }
    for (path, member) in &files {
        if let Some((folder, _)) = path.as_str().rsplit_once('/') {
            target.enter(folder).map_err(|why| (member.shown(), why))?;
        }
    }
    let deadline = Deadline::new(limits.time);
    let root = target.root();
    files.par_iter().try_for_each_init(Scratch::new, |scratch, (path, member)| {
        let mut job = || scratch.write(file, member, (root, path, &deadline));
        job().map_err(|why| (member.shown(), why))
    })?;
    target.finish()
}

/// Takes a member's name; gives the path if it is a file.
fn claim(member: &Member, target: &mut Target) -> Result<Option<RelPath>, Why> {
    let Some((path, slash)) = target.name(&member.name)? else { return Ok(None) };
    match (member.unix_kind(), slash) {
        (0o120_000, _) => return Err(Refusal::ZipLink.into()),
        (0 | 0o100_000, false) | (0 | 0o040_000, true) => {}
        (0o040_000, false) | (0o100_000, true) => {
            return Err(Refusal::HeadersDisagree("kind").into());
        }
        _ => return Err(Refusal::Special("neither file nor folder").into()),
    }
    if slash {
        if member.size > 0 {
            return Err(Refusal::SizeLie(format!("it is a folder of {} bytes", member.size)).into());
        }
        target.claim(&path, What::Folder)?;
        target.folder(&path)?;
        return Ok(None);
    }
    target.claim(&path, What::File)?;
    target.grow(member.size)?;
    target.saw_time(member.seconds());
    Ok(Some(path))
}

/// What one thread reuses from file to file.
struct Scratch {
    inflate: Decompress,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Scratch {
    fn new() -> Self {
        Self { inflate: Decompress::new(false), input: vec![0; 1 << 16], output: vec![0; 1 << 16] }
    }

    fn write(
        &mut self,
        file: &File,
        member: &Member,
        (root, path, deadline): (&Beneath, &RelPath, &Deadline),
    ) -> Result<(), Why> {
        let mode = if member.executable() { 0o755 } else { 0o644 };
        deadline.check()?;
        let written = root.create(path, mode).map_err(write_failed)?;
        let mut out = Sink { file: written, crc: Crc::new(), left: member.size, deadline };
        match member.method {
            index::STORED => self.stored(file, member, &mut out)?,
            _ => self.deflated(file, member, &mut out)?,
        }
        if out.left > 0 {
            return Err(size_lie("fewer"));
        }
        if out.crc.finalize() != member.crc {
            return Err(Why::Corrupt("its checksum is wrong".into()));
        }
        Ok(())
    }

    fn stored(&mut self, file: &File, member: &Member, out: &mut Sink<'_>) -> Result<(), Why> {
        let mut at = member.data;
        let end = at + member.packed;
        while at < end {
            let n = (end - at).min(self.input.len() as u64) as usize;
            read_at(file, at, &mut self.input[..n]).map_err(|e| read_why(&e))?;
            out.put(&self.input[..n])?;
            at += n as u64;
        }
        Ok(())
    }

    fn deflated(&mut self, file: &File, member: &Member, out: &mut Sink<'_>) -> Result<(), Why> {
        self.inflate.reset(false);
        let mut at = member.data;
        let end = at + member.packed;
        let (mut from, mut have) = (0, 0);
        loop {
            if from == have && at < end {
                have = (end - at).min(self.input.len() as u64) as usize;
                read_at(file, at, &mut self.input[..have]).map_err(|e| read_why(&e))?;
                at += have as u64;
                from = 0;
            }
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let step =
                self.inflate.decompress(&self.input[from..have], &mut self.output, FlushDecompress::None);
            let status = step.map_err(|e| Why::Corrupt(e.to_string()))?;
            let consumed = (self.inflate.total_in() - before_in) as usize;
            let produced = (self.inflate.total_out() - before_out) as usize;
            from += consumed;
            out.put(&self.output[..produced])?;
            match status {
                Status::StreamEnd if from == have && at == end => return Ok(()),
                Status::StreamEnd => return Err(Refusal::StrayBytes.into()),
                _ if consumed == 0 && produced == 0 && at == end => {
                    return Err(Why::Corrupt("its data is truncated".into()));
                }
                _ => {}
            }
        }
    }
}

/// A file being written that may not grow beyond its promised size, nor take
/// longer than the archive may.
struct Sink<'a> {
    file: File,
    crc: Crc,
    left: u64,
    deadline: &'a Deadline,
}

impl Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Why> {
        // Here, not a member: one member may be all of the archive.
        self.deadline.check()?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| size_lie("more"))?;
        self.crc.update(bytes);
        self.file.write_all(bytes).map_err(write_failed)
    }
}

fn size_lie(word: &str) -> Why {
    Refusal::SizeLie(format!("it holds {word} bytes than the central directory says")).into()
}
