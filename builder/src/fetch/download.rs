//! One address into one file: streamed, hashed, resumed, bounded.
//!
//! Knows ranges and validators (RFC 9110). Must never know mirrors or what a
//! wrong hash means to the caller.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use recipes::name::Sha256;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{StatusCode, Url};
use sha2::Digest as _;

use super::Watch;
use super::auth::shown;
use super::http::{Answer, Failure, Http, Verdict, io_text};
use super::shelf::Shelf;
use crate::error::{Error, IoContext as _, Result};

/// Resumptions of one file in all, however much each of them brings.
const RESUMPTIONS: u32 = 100;
/// A connection that brings less than this in `SLOW_TIME` is given up.
const SLOW_BYTES: u64 = 1024;
const SLOW_TIME: Duration = Duration::from_secs(60);
/// So many new bytes make up for a failure.
const PROGRESS: u64 = 256 << 10;

/// What is asked of the bytes.
pub(super) struct Wanted<'a> {
    /// The promised hash. Also makes it safe to resume without a validator.
    pub expected: Option<Sha256>,
    /// What somebody says the size is.
    pub size: Option<u64>,
    /// Most bytes.
    pub limit: u64,
    /// Where a beginning may lie, and is left when there will be no end.
    pub shelf: Option<&'a Shelf>,
}

impl Wanted<'_> {
    /// The shelf and the hash a beginning is known by there.
    fn shelved(&self) -> Option<(&Shelf, &Sha256)> {
        self.shelf.zip(self.expected.as_ref())
    }
}

/// A whole file.
#[derive(Debug)]
pub(super) struct Got {
    pub path: tempfile::TempPath,
    pub sha256: Sha256,
    pub size: u64,
}

/// Fetches `url` into a new file in `into`. A wrong hash is no failure here.
pub(super) fn download(
    http: &Http,
    url: &Url,
    into: &Path,
    (wanted, watch): (&Wanted<'_>, Watch<'_>),
) -> Result<Got, Failure> {
    if url.scheme() == "file" {
        let mut partial = Partial::new(into).map_err(Failure::last)?;
        partial.copy_local(url, wanted, watch)?;
        return partial.finish().map_err(Failure::last);
    }
    let mut partial = match Partial::kept(wanted, into) {
        Some(partial) => partial,
        None => Partial::new(into).map_err(Failure::last)?,
    };
    loop {
        if let Err(failure) = until_whole(http, url, &mut partial, (wanted, watch)) {
            partial.leave(wanted);
            return Err(failure);
        }
        let right = wanted.expected.is_none_or(|e| e.0 == partial.hash());
        if right || !partial.pieced {
            return partial.finish().map_err(Failure::last);
        }
        // Pieces of two different files may have been put together.
        partial.restart().map_err(Failure::last)?;
        partial.whole_only = true;
    }
}

/// Tries, resuming where possible, until the file is whole.
fn until_whole(
    http: &Http,
    url: &Url,
    partial: &mut Partial,
    (wanted, watch): (&Wanted<'_>, Watch<'_>),
) -> Result<(), Failure> {
    let (mut tried, mut resumed) = (0, 0);
    loop {
        if watch.stopped() {
            return Err(Failure::stopped());
        }
        let before = partial.done;
        match partial.advance(http, url, (wanted, watch)) {
            Err(Failure { mut error, verdict: Verdict::Again(wait) }) => {
                resumed += 1;
                tried = if partial.done >= before + PROGRESS { 1 } else { tried + 1 };
                if tried >= http.options().attempts || resumed > RESUMPTIONS {
                    error.causes.push(format!("gave up after {resumed} tries"));
                    return Err(Failure::last(error));
                }
                http.pause(tried, wait, watch.stop);
            }
            other => return other,
        }
    }
}

/// A file that is coming in.
struct Partial {
    file: tempfile::NamedTempFile,
    hasher: sha2::Sha256,
    done: u64,
    total: Option<u64>,
    /// A strong validator of the bytes so far.
    validator: Option<String>,
    /// The bytes come from more than one answer.
    pieced: bool,
    /// Never resume: the pieces did not fit last time.
    whole_only: bool,
    /// Not all bytes that came could be written.
    unwritten: bool,
}

impl Partial {
    fn new(into: &Path) -> Result<Self> {
        let file = tempfile::Builder::new()
            .prefix("fetch-")
            .tempfile_in(into)
            .doing(|| format!("failed to make a file in `{}`", into.display()))?;
        Ok(Self {
            file,
            hasher: sha2::Sha256::new(),
            done: 0,
            total: None,
            validator: None,
            pieced: false,
            whole_only: false,
            unwritten: false,
        })
    }

    /// What an earlier run left of the file. Its bytes are verified with the
    /// rest: should they not fit, all of it is fetched again.
    fn kept(wanted: &Wanted<'_>, into: &Path) -> Option<Self> {
        let (shelf, hash) = wanted.shelved()?;
        let mut file = shelf.take(hash, into)?;
        let mut hasher = sha2::Sha256::new();
        let (mut done, mut buffer) = (0, vec![0u8; 128 << 10]);
        loop {
            match file.as_file_mut().read(&mut buffer).ok()? {
                0 => break,
                n => {
                    hasher.update(&buffer[..n]);
                    done += n as u64;
                }
            }
        }
        let most = wanted.size.map_or(wanted.limit, |size| size.min(wanted.limit));
        let partial = Self {
            file,
            hasher,
            done,
            total: None,
            validator: None,
            pieced: true,
            whole_only: false,
            unwritten: false,
        };
        (done < most).then_some(partial)
    }

    /// Leaves a beginning for the next run. A disk that is full is not filled
    /// with it.
    fn leave(self, wanted: &Wanted<'_>) {
        let whole = self.total.is_some_and(|total| self.done >= total);
        if let (Some((shelf, hash)), false, false) = (wanted.shelved(), whole, self.unwritten) {
            shelf.put(hash, self.file, self.done);
        }
    }

    fn hash(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    fn restart(&mut self) -> Result<()> {
        use std::io::Seek as _;
        let file = self.file.as_file_mut();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .doing(|| "failed to empty a partly downloaded file".to_owned())?;
        self.hasher = sha2::Sha256::new();
        (self.done, self.total, self.validator, self.pieced) = (0, None, None, false);
        Ok(())
    }

    fn finish(self) -> Result<Got> {
        let sha256 = Sha256(self.hash());
        Ok(Got { path: self.file.into_temp_path(), sha256, size: self.done })
    }

    /// One request, from the start or from where the last one ended.
    fn advance(
        &mut self,
        http: &Http,
        url: &Url,
        (wanted, watch): (&Wanted<'_>, Watch<'_>),
    ) -> Result<(), Failure> {
        let mut headers = vec![(ACCEPT_ENCODING, "identity".to_owned())];
        let safe = self.validator.is_some() || wanted.expected.is_some();
        if self.done > 0 && safe && !self.whole_only {
            headers.push((RANGE, format!("bytes={}-", self.done)));
            headers.extend(self.validator.clone().map(|v| (IF_RANGE, v)));
        } else if self.done > 0 {
            self.restart().map_err(Failure::last)?;
        }
        let asked_range = headers.len() > 1;
        let mut answer = match http.get(url, &headers) {
            Err(Failure { error, verdict: Verdict::Status(416) }) if asked_range => {
                self.restart().map_err(Failure::last)?;
                return Err(Failure::again(error));
            }
            other => other?,
        };
        self.begin(&answer, url, wanted)?;
        self.drain(&mut answer.response, url, (wanted, watch))?;
        let said = self.total.or(wanted.size);
        match said {
            Some(said) if self.done < said => Err(cut(url, self.done, Some(said), None)),
            _ => Ok(()),
        }
    }

    /// Looks at the headers: is this the rest, or the whole again?
    fn begin(&mut self, answer: &Answer<'_>, url: &Url, wanted: &Wanted<'_>) -> Result<(), Failure> {
        let status = answer.response.status();
        if status == StatusCode::PARTIAL_CONTENT {
            let range = answer.header(CONTENT_RANGE).and_then(content_range);
            match range {
                Some((start, total))
                    if start == self.done && (self.total.is_none() || self.total == total) =>
                {
                    self.total = total;
                    self.pieced = true;
                }
                _ => {
                    self.restart().map_err(Failure::last)?;
                    self.whole_only = true;
                    let doing = format!("failed to resume `{}`", shown(url));
                    let error =
                        Error::environment(doing).because("the server sent another part than asked for");
                    return Err(Failure::again(error));
                }
            }
        } else {
            if status != StatusCode::OK {
                let doing = format!("failed to get `{}`", shown(url));
                let why = format!("the server answered {} where a file was expected", status.as_u16());
                return Err(Failure::last(Error::environment(doing).because(why)));
            }
            if self.done > 0 {
                self.restart().map_err(Failure::last)?;
            }
            self.total = answer.header(CONTENT_LENGTH).and_then(|t| t.parse().ok());
        }
        self.validator = strong_validator(|name| answer.header(name));
        match self.total {
            Some(total) if total > wanted.limit => Err(too_large(url, total, wanted.limit)),
            _ => Ok(()),
        }
    }

    fn drain(
        &mut self,
        from: &mut impl Read,
        url: &Url,
        (wanted, watch): (&Wanted<'_>, Watch<'_>),
    ) -> Result<(), Failure> {
        let mut buffer = vec![0u8; 128 << 10];
        let (mut since, mut seen) = (Instant::now(), self.done);
        loop {
            if watch.stopped() {
                return Err(Failure::stopped());
            }
            let n = match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(cut(url, self.done, self.total, Some(&e))),
            };
            if self.done + n as u64 > wanted.limit {
                return Err(too_large(url, self.done + n as u64, wanted.limit));
            }
            let written = self.file.as_file_mut().write_all(&buffer[..n]);
            self.unwritten = written.is_err();
            written
                .doing(|| format!("failed to keep the bytes of `{}`", shown(url)))
                .map_err(Failure::last)?;
            self.hasher.update(&buffer[..n]);
            self.done += n as u64;
            (watch.bytes)(self.done, self.total.or(wanted.size));
            if since.elapsed() >= SLOW_TIME {
                if self.done - seen < SLOW_BYTES {
                    let slow = std::io::Error::other("it sends almost nothing");
                    return Err(cut(url, self.done, self.total, Some(&slow)));
                }
                (since, seen) = (Instant::now(), self.done);
            }
        }
    }

    fn copy_local(&mut self, url: &Url, wanted: &Wanted<'_>, watch: Watch<'_>) -> Result<(), Failure> {
        let path = url
            .to_file_path()
            .map_err(|()| Failure::last(Error::input(format!("`{}` names no file", shown(url)))))?;
        let doing = || format!("failed to read `{}`", path.display());
        let mut file = File::open(&path).doing(doing).map_err(Failure::last)?;
        let meta = file.metadata().doing(doing).map_err(Failure::last)?;
        if !meta.is_file() {
            return Err(Failure::last(Error::input(doing()).because("it is not a regular file")));
        }
        self.total = Some(meta.len());
        self.drain(&mut file, url, (wanted, watch))
    }
}

/// What `If-Range` may carry: an ETag that is not weak, else the date.
fn strong_validator<'a>(header: impl Fn(HeaderName) -> Option<&'a str>) -> Option<String> {
    let etag = header(ETAG).filter(|e| !e.starts_with("W/"));
    etag.or_else(|| header(LAST_MODIFIED)).map(str::to_owned)
}

/// `bytes 5-9/10` -> (5, Some(10)).
pub(crate) fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

fn cut(url: &Url, done: u64, total: Option<u64>, why: Option<&std::io::Error>) -> Failure {
    let of = total.map_or_else(String::new, |t| format!(" of {t}"));
    let mut error = Error::environment(format!("failed to download `{}`", shown(url)))
        .because(format!("the download was cut short after {done}{of} bytes"));
    if let Some(why) = why {
        error = error.because(io_text(why));
    }
    Failure::again(error)
}

fn too_large(url: &Url, size: u64, limit: u64) -> Failure {
    let doing = format!("failed to download `{}`", shown(url));
    let why = format!("it has at least {size} bytes, and {limit} are allowed");
    Failure::last(Error::environment(doing).because(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        assert_eq!(content_range("lines 5-9/10"), None);
    }

    #[test]
    fn a_weak_etag_validates_no_range() {
        let weak = |name: HeaderName| (name == ETAG).then_some("W/\"a\"");
        assert_eq!(strong_validator(weak), None);
        let both = |name: HeaderName| Some(if name == ETAG { "W/\"a\"" } else { "a date" });
        assert_eq!(strong_validator(both).as_deref(), Some("a date"));
    }
}
