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
/// A page without a validator of which the server says nothing is believed
/// for this long, in seconds.
const TRUST: u64 = 600;
/// No page is believed for longer, whatever the server says.
const MOST_TRUST: u64 = 3600;

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
    /// For so many seconds the server said it may be used unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<u64>,
    /// PEP 691's files, addresses absolute.
    pub files: Vec<WireFile>,
}

impl Kept {
    /// A page that has just come.
    pub fn new(checked: u64, etag: Option<&str>, modified: Option<&str>, files: Vec<WireFile>) -> Self {
        let own = |t: Option<&str>| t.map(str::to_owned);
        Self { form: FORM, checked, etag: own(etag), modified: own(modified), fresh: None, files }
    }

    /// The same with what the server says of its age (`Cache-Control`, `Age`).
    pub fn lasting(self, control: Option<&str>, age: Option<&str>) -> Self {
        Self { fresh: lifetime(control, age), ..self }
    }

    /// Whether it may be used at `now` without asking the server.
    pub fn is_trusted(&self, now: u64) -> bool {
        let validated = self.etag.is_some() || self.modified.is_some();
        let usual = if validated { 0 } else { TRUST };
        self.checked <= now && now - self.checked < self.fresh.unwrap_or(usual).min(MOST_TRUST)
    }
}

/// For how many seconds more a page may be used, as far as the server says so.
fn lifetime(control: Option<&str>, age: Option<&str>) -> Option<u64> {
    let lower = control?.to_ascii_lowercase();
    let mut words = lower.split(',').map(str::trim);
    if words.clone().any(|word| word == "no-store" || word.split('=').next() == Some("no-cache")) {
        return Some(0);
    }
    let most: u64 = words.find_map(|word| word.strip_prefix("max-age=")?.trim_matches('"').parse().ok())?;
    let age = age.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    Some(most.saturating_sub(age))
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

#[cfg(test)]
mod tests {
    use super::lifetime;

    #[test]
    fn a_page_lasts_as_long_as_the_server_says() {
        assert_eq!(lifetime(None, Some("3")), None);
        assert_eq!(lifetime(Some("public"), None), None);
        assert_eq!(lifetime(Some("Public, Max-Age=600"), None), Some(600));
        assert_eq!(lifetime(Some("max-age=\"600\""), Some("90")), Some(510));
        assert_eq!(lifetime(Some("max-age=600"), Some("900")), Some(0));
        for none in ["no-store", "max-age=600, no-cache", "no-cache=\"x\", max-age=9"] {
            assert_eq!(lifetime(Some(none), None), Some(0), "{none}");
        }
    }
}
