//! A project page, by PEP 691 (JSON) or PEP 503 (HTML), and its shape on disk.
//!
//! Knows both forms. Must never know how the page was got.

use std::str::FromStr as _;

use recipes::name::{PackageName, Sha256, Version};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::files::{FileKind, classify};
use super::html;
use crate::fetch::auth::{Login, percent_decode, shown_text};

/// What is asked for, the best form first.
pub(super) const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, \
    application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// One file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectFile {
    /// Its name.
    pub name: String,
    /// Its address, absolute, without a login.
    pub url: String,
    /// Its version.
    pub version: Version,
    /// Sdist or wheel.
    pub kind: FileKind,
    /// What the index says its hash is.
    pub sha256: Option<Sha256>,
    /// In bytes.
    pub size: Option<u64>,
    /// As the index has it; may be ill-formed.
    pub requires_python: Option<String>,
    /// Yanked (PEP 592), with the reason, which may be empty.
    pub yanked: Option<String>,
    /// Whether its METADATA lies beside it (PEP 658, PEP 714).
    pub metadata: Beside,
    /// When it was uploaded (RFC 3339).
    pub uploaded: Option<String>,
}

/// Whether a wheel's METADATA lies beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// It does not, or the index does not say.
    No,
    /// It does, with this hash if there is one.
    Yes(Option<Sha256>),
}

/// A file as PEP 691 writes it; also what the cache holds.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WireFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: WireHashes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requires_python: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upload_time: Option<String>,
    #[serde(default, skip_serializing_if = "WireYanked::is_no")]
    yanked: WireYanked,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    core_metadata: Option<WireMetadata>,
    /// The name of PEP 658, before PEP 714.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dist_info_metadata: Option<WireMetadata>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct WireHashes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum WireYanked {
    Flag(bool),
    Reason(String),
    Null(()),
}

impl Default for WireYanked {
    fn default() -> Self {
        Self::Flag(false)
    }
}

impl WireYanked {
    fn is_no(&self) -> bool {
        matches!(self, Self::Flag(false) | Self::Null(()))
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum WireMetadata {
    Flag(bool),
    Hashes(WireHashes),
}

#[derive(Deserialize)]
struct WirePage {
    #[serde(default)]
    meta: WireMeta,
    files: Vec<WireFile>,
}

#[derive(Default, Deserialize)]
struct WireMeta {
    #[serde(default, rename = "api-version")]
    api_version: String,
}

/// Reads a page by the type the server gave it; addresses become absolute.
/// The error says what is wrong with the page.
pub(super) fn read(body: &[u8], content_type: &str, url: &Url) -> Result<Vec<WireFile>, String> {
    let kind = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let mut files = if kind == "application/json" || kind.ends_with("+json") {
        read_json(body)?
    } else if kind == "text/html" || kind.ends_with("+html") || kind == "application/xhtml+xml" {
        read_html(&String::from_utf8_lossy(body), url)
    } else {
        return Err(format!("it is of type `{kind}`, not a project page (PEP 503, PEP 691)"));
    };
    let mut refused = None;
    files.retain_mut(|file| match absolute(url, &file.url) {
        Some(address) if may_name(url, &address) => {
            file.url = address;
            true
        }
        Some(address) => {
            refused.get_or_insert(address);
            false
        }
        None => false,
    });
    match refused {
        // Files beside the one that is refused may be the ones that are wanted.
        Some(address) if files.is_empty() => Err(format!(
            "its files lie at addresses like `{}`, which a page got by `{}:` must not name",
            shown_text(&address),
            url.scheme()
        )),
        _ => Ok(files),
    }
}

/// The rule of redirects: never from an encrypted page to a plain address,
/// never from a server to this machine.
fn may_name(page: &Url, address: &str) -> bool {
    let scheme = address.split(':').next().unwrap_or("");
    matches!((page.scheme(), scheme), (_, "https") | ("http" | "file", "http") | ("file", "file"))
}

fn read_json(body: &[u8]) -> Result<Vec<WireFile>, String> {
    let page: WirePage = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    match page.meta.api_version.split('.').next() {
        None | Some("" | "1") => Ok(page.files),
        Some(_) => Err(format!("it speaks version {} of the protocol, not 1", page.meta.api_version)),
    }
}

fn read_html(text: &str, url: &Url) -> Vec<WireFile> {
    let links = html::read(text);
    let base = links.base.and_then(|b| url.join(&b).ok()).unwrap_or_else(|| url.clone());
    links.anchors.iter().filter_map(|anchor| html_file(anchor, &base)).collect()
}

fn html_file(anchor: &html::Anchor, base: &Url) -> Option<WireFile> {
    let mut url = base.join(anchor.attribute("href")?.trim()).ok()?;
    let sha256 = url.fragment().and_then(fragment_hash);
    url.set_fragment(None);
    let last = url.path_segments().and_then(|mut s| s.next_back()).unwrap_or("");
    let decoded = percent_decode(last);
    // The address decides (as pip has it), unless it hides the name.
    let named = |n: &str| n.ends_with(".whl") || n.ends_with(".zip") || n.contains(".t");
    let filename = if named(&decoded) { decoded } else { anchor.text.clone() };
    let metadata = anchor
        .attribute("data-core-metadata")
        .or_else(|| anchor.attribute("data-dist-info-metadata"))
        .map(|value| match fragment_hash(value) {
            Some(hash) => WireMetadata::Hashes(WireHashes { sha256: Some(hash) }),
            None => WireMetadata::Flag(value != "false"),
        });
    Some(WireFile {
        filename,
        url: url.into(),
        hashes: WireHashes { sha256 },
        requires_python: anchor.attribute("data-requires-python").map(str::to_owned),
        yanked: anchor
            .attribute("data-yanked")
            .map_or_else(WireYanked::default, |r| WireYanked::Reason(r.into())),
        core_metadata: metadata,
        ..WireFile::default()
    })
}

/// `sha256=<hex>` among `&`-joined parts.
fn fragment_hash(text: &str) -> Option<String> {
    text.split('&').find_map(|part| part.strip_prefix("sha256=")).map(str::to_owned)
}

fn absolute(base: &Url, text: &str) -> Option<String> {
    // The common case needs no parse: an address without a login or fragment.
    let plain = ["https://", "http://"].iter().any(|s| text.starts_with(s)) && !text.contains(['@', '#']);
    if plain {
        return Some(text.to_owned());
    }
    let mut url = base.join(text).ok()?;
    let _ = Login::take_from(&mut url);
    url.set_fragment(None);
    Some(url.into())
}

/// The files of a page that belong to `project` and are of a known kind.
pub(super) fn files_of(project: &PackageName, wire: Vec<WireFile>) -> Vec<ProjectFile> {
    wire.into_iter().filter_map(|file| project_file(project, file)).collect()
}

fn project_file(project: &PackageName, wire: WireFile) -> Option<ProjectFile> {
    // A name that is no plain file name would lead out of a folder one day.
    let odd = |c: char| c == '/' || c == '\\' || c.is_control();
    if wire.filename.len() > 255 || wire.filename.contains(odd) {
        return None;
    }
    let (version, kind) = classify(project, &wire.filename)?;
    let hash = |h: &WireHashes| h.sha256.as_deref().and_then(|t| Sha256::from_str(t).ok());
    let metadata = match wire.core_metadata.or(wire.dist_info_metadata) {
        None | Some(WireMetadata::Flag(false)) => Beside::No,
        Some(WireMetadata::Flag(true)) => Beside::Yes(None),
        Some(WireMetadata::Hashes(hashes)) => Beside::Yes(hash(&hashes)),
    };
    Some(ProjectFile {
        version,
        kind,
        sha256: hash(&wire.hashes),
        size: wire.size,
        requires_python: wire.requires_python.filter(|r| !r.trim().is_empty()),
        yanked: match wire.yanked {
            WireYanked::Flag(false) | WireYanked::Null(()) => None,
            WireYanked::Flag(true) => Some(String::new()),
            WireYanked::Reason(reason) => {
                Some(reason.chars().filter(|c| !c.is_control()).take(500).collect())
            }
        },
        metadata,
        uploaded: wire.upload_time,
        name: wire.filename,
        url: wire.url,
    })
}
