//! Streams that stop at a limit.
//!
//! Knows bytes, ratio and time. Must never know what the bytes mean.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use super::UnpackLimits;
use super::error::{Refusal, Why};

/// Below this many bytes nothing is a bomb.
const RATIO_FLOOR: u64 = 64 << 20;

/// The most an archive of `size` bytes may unpack to, and in words why.
pub(super) fn most(size: u64, limits: &UnpackLimits) -> (u64, String) {
    let by_ratio = size.saturating_mul(limits.ratio).max(RATIO_FLOOR);
    if by_ratio < limits.bytes {
        (by_ratio, format!("it unpacks to more than {} times its size", limits.ratio))
    } else {
        (limits.bytes, format!("it unpacks to more than {} bytes", limits.bytes))
    }
}

/// A clock that says when it is too late.
pub(super) struct Deadline {
    start: Instant,
    time: Duration,
}

impl Deadline {
    pub(super) fn new(time: Duration) -> Self {
        Self { start: Instant::now(), time }
    }

    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.start.elapsed() <= self.time {
            return Ok(());
        }
        Err(Refusal::Limit(format!("unpacking took longer than {} seconds", self.time.as_secs())))
    }
}

/// A refusal travelling through `io::Error`.
#[derive(Debug)]
struct Tripped(Refusal);

impl fmt::Display for Tripped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Tripped {}

/// What a failed read of an archive means.
pub(super) fn read_failed(e: &io::Error) -> Why {
    match e.get_ref().and_then(|inner| inner.downcast_ref::<Tripped>()) {
        Some(Tripped(refusal)) => Why::Refused(refusal.clone()),
        None if e.kind() == io::ErrorKind::UnexpectedEof => Why::Corrupt("it is truncated".into()),
        None => Why::Corrupt(e.to_string()),
    }
}

/// The unpacked stream of an archive, bounded.
pub(super) struct Meter {
    from: Box<dyn Read>,
    left: u64,
    words: String,
    deadline: Deadline,
}

impl Meter {
    pub(super) fn new(from: Box<dyn Read>, size: u64, limits: &UnpackLimits) -> Self {
        let (left, words) = most(size, limits);
        Self { from, left, words, deadline: Deadline::new(limits.time) }
    }
}

impl Read for Meter {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.deadline.check().map_err(|r| io::Error::other(Tripped(r)))?;
        let n = self.from.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(Tripped(Refusal::Limit(self.words.clone())))),
        }
        Ok(n)
    }
}

/// Gzip members one after the other, as RFC 1952 allows, with zeros behind
/// the last as tape padding leaves them; anything else behind is an error.
pub(super) struct Gzip<R: BufRead> {
    member: Option<flate2::bufread::GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(from: R) -> Self {
        Self { member: Some(flate2::bufread::GzDecoder::new(from)) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            let n = member.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                return Ok(n);
            }
            let mut rest = self.member.take().expect("it was just there").into_inner();
            match rest.fill_buf()?.first() {
                None => {}
                Some(0x1f) => self.member = Some(flate2::bufread::GzDecoder::new(rest)),
                Some(_) => only_zeros(rest)?,
            }
        }
    }
}

fn only_zeros(rest: impl Read) -> io::Result<()> {
    for byte in BufReader::new(rest).bytes() {
        if byte? != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there are bytes behind the gzip stream"));
        }
    }
    Ok(())
}
