//! `[source]`: where bytes come from and what is promised about them.
//!
//! Knows which keys belong to which kind of source. Must never fetch.

use crate::codes;
use crate::diag::{Finding, Place, did_you_mean};
use crate::name::Version;
use crate::node::{Entry, Node, Table, Value};
use crate::recipe::{GitRev, Origin, Patch, Promise, Source};

use super::{boolean, items, words};

/// What `{pname}` and `{version}` stand for, and where the recipe begins.
type Whose<'a> = (&'a str, &'a Version, &'a Place);

/// The keys that say where a source is.
pub(crate) const ORIGINS: [&str; 4] = ["pypi", "url", "git", "path"];

/// Keys that mean something only beside some origins.
const BELONGS: [(&str, &[&str]); 7] = [
    ("rev", &["git"]),
    ("tag", &["git"]),
    ("submodules", &["git"]),
    ("file", &["pypi"]),
    ("index", &["pypi"]),
    ("unpack", &["url"]),
    ("include", &["path"]),
];

pub(super) fn sources(table: &Table, whose: Whose<'_>, findings: &mut Vec<Finding>) -> Vec<Source> {
    let Some(node) = table.get("source") else {
        let name = whose.0;
        findings.push(
            Finding::error(codes::MISSING_KEY, whose.2.clone(), "the recipe has no `[source]`")
                .hint(format!("for a project on the index: `[source]`, `pypi = \"{name}\"`, `hash = \"\"`"))
                .hint("for the recipe's own folder: `[source]`, `path = \".\"`"),
        );
        return Vec::new();
    };
    match &node.value {
        Value::Table(one) => {
            if let Some(when) = one.entry("when") {
                findings.push(
                    Finding::error(
                        codes::OUT_OF_PLACE,
                        when.key_place.clone(),
                        "`when` tells several sources apart, and this is the only one",
                    )
                    .hint("write `[[source]]` for each source, or remove `when`"),
                );
            }
            source(one, &node.place, whose, findings).into_iter().collect()
        }
        Value::Array(list) => several(list, node, whose, findings),
        _ => Vec::new(),
    }
}

fn several(list: &[Node], node: &Node, whose: Whose<'_>, findings: &mut Vec<Finding>) -> Vec<Source> {
    if list.is_empty() {
        findings.push(Finding::error(codes::BAD_SOURCE, node.place.clone(), "the list of sources is empty"));
    }
    let mut out = Vec::new();
    for (at, item) in list.iter().enumerate() {
        let Some(table) = item.as_table() else { continue };
        if table.get("when").is_none() && at + 1 < list.len() {
            findings.push(
                Finding::error(
                    codes::MISSING_KEY,
                    item.place.clone(),
                    "this source has no `when`, so those after it are never used",
                )
                .hint("write e.g. `when = \"sys_platform == 'linux'\"`; only the last source may go without"),
            );
        }
        out.extend(source(table, &item.place, whose, findings));
    }
    out
}

/// One source; `None` only where nothing sensible can be said.
fn source(table: &Table, place: &Place, whose: Whose<'_>, findings: &mut Vec<Finding>) -> Option<Source> {
    let Some(origin_entry) = the_origin(table, place, whose.0, findings) else {
        // What it says besides is wrong or right whatever the origin is.
        if let Some(hash) = table.get("hash").filter(|node| node.as_str() != Some("")) {
            words::hash(hash, findings);
        }
        return None;
    };
    for (key, origins) in BELONGS {
        if let Some(entry) = table.entry(key)
            && !origins.contains(&origin_entry.key.as_str())
        {
            findings.push(
                Finding::error(
                    codes::OUT_OF_PLACE,
                    entry.key_place.clone(),
                    format!("`{key}` has no meaning for a `{}` source", origin_entry.key),
                )
                .hint(format!("it belongs to `{}`; remove it", origins.join("` or `"))),
            );
        }
    }
    let origin = origin(origin_entry, table, whose, findings);
    let (promise, hash_place) = promise(table, origin_entry, place, findings);
    let subdirectory = table.get("subdirectory").and_then(|n| {
        words::path(n, false, findings)?;
        fill(n, whose, findings)
    });
    let when = table.get("when").and_then(|n| words::marker(n, findings));
    let epoch = match table.get("epoch").map(|n| &n.value) {
        Some(Value::Integer(n)) => u64::try_from(*n).ok(),
        _ => None,
    };
    Some(Source {
        origin: origin?,
        promise: promise?,
        hash_place,
        subdirectory: subdirectory.filter(|s| s != ".").unwrap_or_default(),
        patches: patches(table, whose, findings),
        epoch,
        when,
        base: origin_entry.node.place.file.clone(),
        place: place.clone(),
    })
}

/// The one key that says where the source is.
fn the_origin<'t>(
    table: &'t Table,
    place: &Place,
    pname: &str,
    findings: &mut Vec<Finding>,
) -> Option<&'t Entry> {
    let mut named = table.entries.iter().filter(|e| ORIGINS.contains(&e.key.as_str()));
    let Some(first) = named.next() else {
        findings.push(
            Finding::error(codes::BAD_SOURCE, place.clone(), "the source does not say where it is").hint(
                format!(
                    "write one of `pypi = \"{pname}\"`, `url = \"...\"`, `git = \"...\"`, `path = \".\"`"
                ),
            ),
        );
        return None;
    };
    for more in named {
        findings.push(
            Finding::error(
                codes::BAD_SOURCE,
                more.key_place.clone(),
                format!("`{}` and `{}` in one source: it can be in one place only", first.key, more.key),
            )
            .hint(format!(
                "keep one of them; `{}` is on line {}",
                first.key,
                first.key_place.line_col().0
            )),
        );
    }
    Some(first)
}

fn origin(entry: &Entry, table: &Table, whose: Whose<'_>, findings: &mut Vec<Finding>) -> Option<Origin> {
    match entry.key.as_str() {
        "pypi" => {
            let file = table.get("file").and_then(|n| fill(n, whose, findings));
            let project = fill(&entry.node, whose, findings)?;
            if project == entry.node.as_str()? {
                words::name(&entry.node, findings)?;
            }
            Some(Origin::Pypi { project, file, index: super::owned(table, "index") })
        }
        "url" => {
            let list = entry.node.as_array().unwrap_or(std::slice::from_ref(&entry.node));
            if list.is_empty() {
                let message = "the list of mirrors is empty";
                findings.push(Finding::error(codes::BAD_ADDRESS, entry.node.place.clone(), message));
            }
            let urls: Vec<_> =
                list.iter().filter_map(|n| address(n, &["https", "http", "file"], whose, findings)).collect();
            let unpack = boolean(table, "unpack").unwrap_or(false);
            (urls.len() == list.len() && !urls.is_empty()).then_some(Origin::Url { urls, unpack })
        }
        "git" => {
            let url = git_address(&entry.node, whose, findings);
            let rev = revision(table, &entry.node.place, whose, findings);
            let submodules = boolean(table, "submodules").unwrap_or(false);
            Some(Origin::Git { url: url?, rev: rev?, submodules })
        }
        _ => {
            let dir = words::path(&entry.node, true, findings)?;
            let dir = match dir.trim_end_matches('/') {
                "" => ".".to_owned(),
                dir => dir.to_owned(),
            };
            let include =
                items(table.get("include")).iter().filter_map(|n| words::path(n, false, findings)).collect();
            Some(Origin::Path { dir, include })
        }
    }
}

/// `rev` or `tag` of a git source.
fn revision(table: &Table, place: &Place, whose: Whose<'_>, findings: &mut Vec<Finding>) -> Option<GitRev> {
    match (table.get("rev"), table.get("tag")) {
        (None, None) => {
            findings.push(
                Finding::error(codes::BAD_SOURCE, place.clone(), "a git source needs `rev` or `tag`")
                    .hint("write `rev = \"COMMIT\"` or `tag = \"v{version}\"`: a branch moves"),
            );
            None
        }
        (Some(_), Some(tag)) => {
            findings.push(
                Finding::error(codes::BAD_SOURCE, tag.place.clone(), "`rev` and `tag` in one source")
                    .hint("keep `rev` if both name the same commit"),
            );
            None
        }
        (None, Some(tag)) => fill(tag, whose, findings).map(GitRev::Tag),
        (Some(node), None) => {
            let rev = fill(node, whose, findings)?;
            if (7..=64).contains(&rev.len()) && rev.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Some(GitRev::Rev(rev));
            }
            findings.push(
                Finding::error(
                    codes::BAD_SOURCE,
                    node.place.clone(),
                    format!("`{rev}` is not a commit id (at least 7 hex digits)"),
                )
                .hint(format!(
                    "if it is a tag, write `tag = \"{rev}\"`; a branch moves and cannot be pinned"
                )),
            );
            None
        }
    }
}

/// What is promised, and where `--accept-hash` may write.
fn promise(
    table: &Table,
    origin: &Entry,
    place: &Place,
    findings: &mut Vec<Finding>,
) -> (Option<Promise>, Place) {
    let hash = table.entry("hash");
    if origin.key == "path" {
        if let Some(hash) = hash {
            findings.push(
                Finding::error(
                    codes::BAD_HASH,
                    hash.key_place.clone(),
                    "a path source has no hash: its files are hashed when they are used",
                )
                .hint("remove the line"),
            );
        }
        return (Some(Promise::Local), place.clone());
    }
    match hash {
        None => {
            findings.push(
                Finding::error(
                    codes::MISSING_HASH,
                    origin.node.place.clone(),
                    format!("this `{}` source has no hash", origin.key),
                )
                .hint("write `hash = \"\"` below it and build: the right hash is printed"),
            );
            (None, place.clone())
        }
        Some(entry) if entry.node.as_str() == Some("") => (Some(Promise::Ask), entry.node.place.clone()),
        Some(entry) => (words::hash(&entry.node, findings).map(Promise::Hash), entry.node.place.clone()),
    }
}

fn patches(table: &Table, whose: Whose<'_>, findings: &mut Vec<Finding>) -> Vec<Patch> {
    let mut out = Vec::new();
    for node in items(table.get("patches")) {
        match &node.value {
            Value::String(text) if text.contains("://") => findings.push(
                Finding::error(codes::MISSING_HASH, node.place.clone(), "a fetched patch needs a hash")
                    .hint(format!("write `{{ url = \"{text}\", hash = \"sha256-...\" }}`")),
            ),
            Value::String(_) => {
                let file = words::path(node, true, findings);
                out.extend(file.map(|f| Patch::File(f, node.place.file.clone())));
            }
            Value::Table(patch) => {
                let url =
                    patch.get("url").and_then(|n| address(n, &["https", "http", "file"], whose, findings));
                let hash = patch
                    .get("hash")
                    .and_then(|n| words::hash(n, findings).map(|hash| (hash, n.place.clone())));
                for key in ["url", "hash"] {
                    if patch.get(key).is_none() {
                        let message = format!("a fetched patch needs `{key}`");
                        findings.push(Finding::error(codes::MISSING_KEY, node.place.clone(), message));
                    }
                }
                if let (Some(url), Some((hash, place))) = (url, hash) {
                    out.push(Patch::Url { url, hash, place });
                }
            }
            _ => {}
        }
    }
    out
}

/// A text with `{pname}` and `{version}` filled in.
fn fill(node: &Node, (pname, version, _): Whose<'_>, findings: &mut Vec<Finding>) -> Option<String> {
    let text = node.as_str()?;
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|n| at + n) {
        out.push_str(&text[at..open]);
        let Some(close) = text[open..].find('}').map(|n| open + n) else {
            at = open;
            break;
        };
        match &text[open + 1..close] {
            "pname" => out.push_str(pname),
            "version" => out.push_str(&version.to_string()),
            word => {
                let finding = Finding::error(
                    codes::BAD_PLACEHOLDER,
                    node.inside(open..close + 1),
                    format!("`{{{word}}}` stands for nothing"),
                );
                findings.push(match did_you_mean(word, ["pname", "version"]) {
                    Some(near) => finding.hint(format!("write `{{{near}}}`")),
                    None => finding.hint("`{pname}` and `{version}` are filled in"),
                });
                return None;
            }
        }
        at = close + 1;
    }
    out.push_str(&text[at..]);
    Some(out)
}

/// The address of a service: http, https or file, no password, taken as written.
pub(crate) fn plain_address(node: &Node, findings: &mut Vec<Finding>) -> Option<String> {
    checked_address(node, node.as_str()?.to_owned(), &["https", "http", "file"], findings)
}

/// An address with one of these schemes and no password.
fn address(node: &Node, schemes: &[&str], whose: Whose<'_>, findings: &mut Vec<Finding>) -> Option<String> {
    let text = fill(node, whose, findings)?;
    checked_address(node, text, schemes, findings)
}

fn checked_address(
    node: &Node,
    text: String,
    schemes: &[&str],
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let bad = |message: String| Finding::error(codes::BAD_ADDRESS, node.place.clone(), message);
    let Some((scheme, rest)) = text.split_once("://") else {
        findings.push(
            bad(format!("`{text}` is not an address"))
                .hint(format!("write it with its scheme: `{}://...`", schemes[0])),
        );
        return None;
    };
    if !schemes.contains(&scheme) {
        findings.push(
            bad(format!("`{scheme}` addresses are not fetched")).hint(format!("use {}", schemes.join(", "))),
        );
        return None;
    }
    let authority = rest.split('/').next().unwrap_or("");
    if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
        findings.push(
            bad("the address holds a password".to_owned()).hint("put it into ~/.netrc and out of this file"),
        );
        return None;
    }
    if text.contains(char::is_whitespace) || (rest.is_empty()) {
        findings.push(bad(format!("`{text}` is not an address")));
        return None;
    }
    Some(text)
}

/// As [`address`], and git's `user@host:path`.
fn git_address(node: &Node, whose: Whose<'_>, findings: &mut Vec<Finding>) -> Option<String> {
    let text = node.as_str()?;
    let remote = text.split_once(':').is_some_and(|(host, path)| {
        host.contains('@') && !host.contains('/') && !path.starts_with("//") && !host.starts_with('-')
    });
    if remote && !text.contains(char::is_whitespace) {
        return fill(node, whose, findings);
    }
    address(node, &["https", "http", "ssh", "git", "file"], whose, findings)
}
