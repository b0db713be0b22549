//! Project pages kept between runs.
//!
//! Knows validators and ages. Must never know the network; a page that cannot
//! be read or kept is a page that is not there.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::page::WireFile;
use crate::key::Digest;

/// Raised when the form changes; other forms are not read.
const FORM: u32 = 2;
/// A page without a validator is believed for this long, in seconds.
const TRUST: u64 = 600;

/// A page as it is kept.
#[derive(Deserialize, Serialize)]
pub(super) struct Kept {
    /// Which form of this file it is.
    pub form: u32,
    /// Seconds since 1970 when the server last vouched for it.
    pub checked: u64,
    /// For `If-None-Match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// For `If-Modified-Since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// PEP 691's files, addresses absolute.
    pub files: Vec<WireFile>,
}

impl Kept {
    /// A page that has just come.
    pub fn new(checked: u64, etag: Option<&str>, modified: Option<&str>, files: Vec<WireFile>) -> Self {
        let own = |t: Option<&str>| t.map(str::to_owned);
        Self { form: FORM, checked, etag: own(etag), modified: own(modified), files }
    }

    /// Whether it may be used at `now` without asking the server.
    pub fn is_trusted(&self, now: u64) -> bool {
        let unknown = self.etag.is_none() && self.modified.is_none();
        unknown && self.checked <= now && now - self.checked < TRUST
    }
}

fn file_of(folder: &Path, url: &Url) -> PathBuf {
    folder.join(format!("{}.json", Digest::of(url.as_str().as_bytes()).hex()))
}

/// The page kept of an address.
pub(super) fn read(folder: &Path, url: &Url) -> Option<Kept> {
    let text = std::fs::read(file_of(folder, url)).ok()?;
    serde_json::from_slice(&text).ok().filter(|kept: &Kept| kept.form == FORM)
}

/// Keeps a page. A full or read-only disk only makes the next run slower.
pub(super) fn write(folder: &Path, url: &Url, kept: &Kept) {
    let keep = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut temp = tempfile::NamedTempFile::new_in(folder)?;
        let mut out = BufWriter::new(temp.as_file_mut());
        serde_json::to_writer(&mut out, kept)?;
        out.flush()?;
        drop(out);
        temp.persist(file_of(folder, url)).map_err(|e| e.error)?;
        Ok(())
    };
    let _ = keep();
}
