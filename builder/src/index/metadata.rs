//! METADATA of a wheel without the wheel: the file beside it, or a few ranges
//! of it from the tail.
//!
//! Knows zip's tail only through the zip reader. Must never know METADATA's meaning.

use std::io::{self, Read, Seek, SeekFrom};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, RANGE};
use reqwest::{StatusCode, Url};

use crate::error::{Error, IoContext as _};
use crate::fetch::auth::shown;
use crate::fetch::http::{Failure, Http, Verdict};

/// METADATA files hold a README at most.
pub(super) const METADATA_LIMIT: u64 = 16 << 20;
/// A wheel whose server knows no ranges is read whole, up to this size.
const WHOLE_LIMIT: u64 = 256 << 20;
const BLOCK: u64 = 64 << 10;
const MOST_REQUESTS: u32 = 64;

/// Reads `*.dist-info/METADATA` of the wheel at `url`.
pub(super) fn by_ranges(http: &Http, url: &Url) -> Result<Vec<u8>, Failure> {
    let doing = || format!("failed to read METADATA of `{}`", shown(url));
    let wheel = Remote::open(http, url)?;
    let read = || -> io::Result<Vec<u8>> {
        let mut archive = zip::ZipArchive::new(wheel)?;
        let name = archive
            .file_names()
            .filter_map(|name| name.ok().map(|n| n.into_owned()))
            .find(|n| n.ends_with(".dist-info/METADATA") && n.matches('/').count() == 1)
            .ok_or_else(|| io::Error::other("there is none in the wheel"))?;
        let mut out = Vec::new();
        archive.by_name(&name)?.take(METADATA_LIMIT + 1).read_to_end(&mut out)?;
        if out.len() as u64 > METADATA_LIMIT {
            return Err(io::Error::other(format!("it is larger than {METADATA_LIMIT} bytes")));
        }
        Ok(out)
    };
    read().doing(doing).map_err(Failure::last)
}

/// A file at an address, of which only the parts that are read are fetched.
struct Remote<'a> {
    http: &'a Http,
    url: &'a Url,
    size: u64,
    at: u64,
    /// Parts that are here: where each begins, and its bytes.
    parts: Vec<(u64, Vec<u8>)>,
    requests: u32,
}

impl<'a> Remote<'a> {
    fn open(http: &'a Http, url: &'a Url) -> Result<Self, Failure> {
        let tail = match part(http, url, &format!("bytes=-{BLOCK}")) {
            // Some servers know ranges, but none from the end.
            Err(Failure { verdict: Verdict::Status(400 | 416 | 501), .. }) => {
                let first = part(http, url, "bytes=0-0")?;
                let from = first.size.saturating_sub(BLOCK);
                part(http, url, &format!("bytes={from}-{}", first.size.saturating_sub(1)))?
            }
            other => other?,
        };
        let parts = vec![(tail.start, tail.bytes)];
        Ok(Self { http, url, size: tail.size, at: 0, parts, requests: 0 })
    }

    /// The bytes from `at` on that are here.
    fn here(&self) -> Option<&[u8]> {
        self.parts.iter().find_map(|(start, bytes)| {
            let offset = usize::try_from(self.at.checked_sub(*start)?).ok()?;
            bytes.get(offset..).filter(|rest| !rest.is_empty())
        })
    }
}

impl Read for Remote<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() || self.at >= self.size {
            return Ok(0);
        }
        if self.here().is_none() {
            self.requests += 1;
            if self.requests > MOST_REQUESTS {
                return Err(io::Error::other("it takes too many requests"));
            }
            let end = (self.at + BLOCK).min(self.size) - 1;
            let got = part(self.http, self.url, &format!("bytes={}-{end}", self.at))
                .map_err(|f| io::Error::other(f.error))?;
            if got.start > self.at || got.size != self.size {
                return Err(io::Error::other("the server sent another part than asked for"));
            }
            self.parts.push((got.start, got.bytes));
        }
        let Some(rest) = self.here() else {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server sent less than asked for"));
        };
        let n = rest.len().min(to.len());
        to[..n].copy_from_slice(&rest[..n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Remote<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.at = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

struct Part {
    start: u64,
    bytes: Vec<u8>,
    size: u64,
}

fn part(http: &Http, url: &Url, range: &str) -> Result<Part, Failure> {
    let headers = [(RANGE, range.to_owned()), (ACCEPT_ENCODING, "identity".to_owned())];
    http.retry(&http.options().stop, || {
        let mut answer = http.get(url, &headers)?;
        let doing = || format!("failed to read a part of `{}`", shown(url));
        let whole = answer.response.status() != StatusCode::PARTIAL_CONTENT;
        let limit = if whole { WHOLE_LIMIT } else { 2 * BLOCK };
        let range = answer.header(CONTENT_RANGE).and_then(crate::fetch::content_range);
        let mut bytes = Vec::new();
        let read = (&mut answer.response).take(limit + 1).read_to_end(&mut bytes);
        read.doing(doing).map_err(Failure::again)?;
        let len = bytes.len() as u64;
        if len > limit {
            let why =
                if whole { "the server knows no ranges, and it is large" } else { "the part is too large" };
            return Err(Failure::last(Error::environment(doing()).because(why)));
        }
        match (whole, range) {
            (true, _) => Ok(Part { start: 0, bytes, size: len }),
            (false, Some((start, Some(size)))) if start + len <= size => Ok(Part { start, bytes, size }),
            _ => Err(Failure::last(
                Error::environment(doing()).because("the server does not say which part it is"),
            )),
        }
    })
}
