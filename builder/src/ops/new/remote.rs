//! A source that is elsewhere: a commit of a repository, or a file.
//!
//! Knows how it is fetched and what the recipe promises of it. Must never run
//! what came, and never know a recipe's layout beyond `[source]`.

use std::path::PathBuf;

use recipes::name::Sha256;

use super::quote;
use crate::error::{Error, IoContext as _, Kind, Result};
use crate::fetch::auth::public;
use crate::fetch::{FetchSpec, Fetched, FetchedFile, GitRev, Watch, What};
use crate::key::Digest;
use crate::ops::machines::Machines;
use crate::store::{BlobName, TempDir};
use crate::tree::unpack::{UnpackLimits, unpack};
use crate::wheel::{Archive, Limits, Spool, Trouble, Wheel, as_error};

/// What a word of the command line means that is no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A repository's address.
    Git(String),
    /// A file's address.
    File(String),
}

/// Endings of files that are sdists or wheels.
const FILES: [&str; 8] = [".whl", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tbz", ".zip", ".tar"];

/// What an address means; nothing for what is none. `is_git`: a commit or tag
/// was asked for.
pub fn meant(word: &str, is_git: bool) -> Option<Remote> {
    let (address, marked) = match word.strip_prefix("git+") {
        Some(rest) => (rest, true),
        None => (word, false),
    };
    let scp = address.split_once('@').is_some_and(|(user, rest)| {
        !user.contains(['/', '\\']) && rest.split_once(':').is_some_and(|(host, _)| !host.contains('/'))
    });
    if !address.contains("://") && !scp {
        return None;
    }
    let bare = address.split(['#', '?']).next().unwrap_or(address);
    let lower = bare.to_ascii_lowercase();
    let is_file = FILES.iter().any(|end| lower.ends_with(end));
    let web = ["https://", "http://", "file://"].iter().any(|scheme| lower.starts_with(scheme));
    Some(match web && is_file && !is_git && !marked {
        true => Remote::File(address.split('#').next().unwrap_or(address).to_owned()),
        false => Remote::Git(address.split('#').next().unwrap_or(address).to_owned()),
    })
}

/// What came.
pub struct Got {
    /// The top folder of its files.
    pub top: PathBuf,
    /// The lines of `[source]`.
    pub source: String,
    /// A wheel's METADATA.
    pub wheel: Option<String>,
    /// The file's hash and name, to be remembered with its project.
    pub file: Option<(Sha256, String)>,
    /// The version that a tag says.
    pub tagged: Option<String>,
    /// What the user should look at.
    pub notes: Vec<String>,
    /// They hold the files.
    _folders: (Option<tempfile::TempDir>, TempDir),
}

fn watch(machines: &Machines) -> Watch<'_> {
    Watch { bytes: &|_, _| {}, stop: machines.stop_flag() }
}

/// Fetches a commit: that of a tag, a commit id, a branch, or the repository's
/// own choice.
pub fn git(machines: &Machines, url: &str, (rev, tag): (Option<&str>, Option<&str>)) -> Result<Got> {
    let temp = machines.store.temp_dir()?;
    let fetcher = machines.fetcher()?;
    let mut notes = Vec::new();
    let commit_of = |reference: &str| {
        let found = fetcher.commit_of((url, reference), temp.path(), watch(machines));
        found.map_err(|e| {
            let error = e.into_error();
            match url.starts_with("http") {
                true => error.hint("an address of an sdist or wheel ends in `.tar.gz`, `.zip` or `.whl`"),
                false => error,
            }
        })
    };
    let is_id = |text: &str| (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    let wanted = match (tag, rev) {
        (Some(tag), _) => GitRev::Tag(tag.to_owned()),
        (None, Some(rev)) if is_id(rev) => GitRev::Rev(rev.to_owned()),
        (None, Some(branch)) => {
            let commit = commit_of(&format!("refs/heads/{branch}"))?;
            notes
                .push(format!("the recipe stays at {commit}, which is what the branch `{branch}` is at now"));
            GitRev::Rev(commit)
        }
        (None, None) => GitRev::Rev(commit_of("HEAD")?),
    };
    let what = What::Git { url: url.to_owned(), rev: wanted, submodules: false };
    let fetched = fetcher.fetch(&FetchSpec::new(what, None), temp.path(), watch(machines));
    let checkout = match fetched.map_err(|e| e.into_error())? {
        Fetched::Checkout(checkout) => checkout,
        Fetched::File(_) => return Err(Error::bug("a repository gave a file")),
    };
    if checkout.folder.path().join(".gitmodules").is_file() {
        notes.push(
            "it has submodules, which are left out: where the build needs them say `submodules = true` and \
             `hash = \"\"`"
                .to_owned(),
        );
    }
    let nar = crate::tree::nar::hash(checkout.folder.path())?;
    let said = match tag {
        Some(tag) => format!("tag = {}", quote(tag)),
        None => format!("rev = {}", quote(&checkout.commit)),
    };
    let address = login_free(url, &mut notes);
    Ok(Got {
        source: format!("git = {}\n{said}\nhash = {}\n", quote(&address), quote(&Sha256(nar.0).sri())),
        top: checkout.folder.path().to_owned(),
        wheel: None,
        file: None,
        tagged: tag.map(version_of_tag),
        notes,
        _folders: (Some(checkout.folder), temp),
    })
}

/// `v1.2` and `shop-1.2` without what stands before the number.
fn version_of_tag(tag: &str) -> String {
    let last = tag.rsplit(['/', '-']).next().unwrap_or(tag);
    let last = if last.starts_with(['v', 'V']) { &last[1..] } else { last };
    if last.starts_with(|c: char| c.is_ascii_digit()) { last.to_owned() } else { tag.to_owned() }
}

/// An address as a recipe may have it.
fn login_free(url: &str, notes: &mut Vec<String>) -> String {
    let public = public(url);
    // The user of `git@host:path` and `ssh://git@host` is no secret.
    if public == url || !url.starts_with("http") || !url.contains('@') {
        return url.to_owned();
    }
    notes.push(
        "the login in the address is not written into the recipe: keep it in netrc or a keyring".to_owned(),
    );
    public
}

/// Fetches a file, keeps it in the store, and opens it.
pub fn file(machines: &Machines, url: &str) -> Result<Got> {
    let temp = machines.store.temp_dir()?;
    let what = What::Url { urls: vec![url.to_owned()] };
    let fetched = machines.fetcher()?.fetch(&FetchSpec::new(what, None), temp.path(), watch(machines));
    let got = match fetched.map_err(|e| e.into_error())? {
        Fetched::File(got) => got,
        Fetched::Checkout(_) => return Err(Error::bug("an address gave a checkout")),
    };
    let mut notes = got.notes.clone();
    let address = login_free(url, &mut notes);
    machines.store.add_blob_file(&got.path)?;
    let source = format!("url = {}\nhash = {}\n", quote(&address), quote(&got.sha256.sri()));
    let known = (got.sha256, got.name.clone());
    let (top, wheel) = match got.name.ends_with(".whl") {
        true => (temp.path().to_owned(), Some(metadata(machines, &got, &temp)?)),
        false => (unpacked(machines, &got, &temp)?, None),
    };
    Ok(Got { top, source, wheel, file: Some(known), tagged: None, notes, _folders: (None, temp) })
}

/// Remembers whose file it is, so that the build needs no second download.
pub fn remember(machines: &Machines, got: &Got, (project, version): (&str, &str)) -> Result<()> {
    let Some((sha256, name)) = &got.file else { return Ok(()) };
    let known =
        BlobName { project: project.to_owned(), version: version.to_owned(), file_name: name.clone() };
    machines.store.remember_blob(&Digest(sha256.0), &known)
}

fn unpacked(machines: &Machines, got: &FetchedFile, temp: &TempDir) -> Result<PathBuf> {
    let into = temp.path().join("unpacked");
    std::fs::create_dir(&into).doing(|| format!("failed to make `{}`", into.display()))?;
    let archive = machines.store.blob_path(&Digest(got.sha256.0));
    let done = unpack(&archive, &got.name, &into, &UnpackLimits::default())
        .map_err(|e| Error::new(Kind::Input, format!("failed to unpack `{}`", got.name)).because(e))?;
    Ok(done.top.map_or_else(|| into.clone(), |top| into.join(top)))
}

fn metadata(machines: &Machines, got: &FetchedFile, temp: &TempDir) -> Result<String> {
    let doing = || format!("failed to read `{}`", got.name);
    let path = machines.store.blob_path(&Digest(got.sha256.0));
    let archive = Archive::open(&path, &Limits::default())?;
    match Wheel::open(&got.name, &archive, &Spool::within(temp.path())) {
        Ok(wheel) => Ok(wheel.metadata.text().to_owned()),
        Err(Trouble::Findings(all)) => Err(Error { kind: Kind::Input, ..as_error(doing(), &all) }),
        Err(Trouble::Machine(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let git = |text: &str| Some(Remote::Git(text.to_owned()));
        let file = |text: &str| Some(Remote::File(text.to_owned()));
        for (word, expected) in [
            ("https://h.test/a/shop-1.0.tar.gz", file("https://h.test/a/shop-1.0.tar.gz")),
            ("https://h.test/shop-1.0-py3-none-any.whl#x", file("https://h.test/shop-1.0-py3-none-any.whl")),
            ("file:///srv/shop-1.0.zip", file("file:///srv/shop-1.0.zip")),
            ("https://h.test/shop.git", git("https://h.test/shop.git")),
            ("https://h.test/shop", git("https://h.test/shop")),
            ("git+https://h.test/x.zip", git("https://h.test/x.zip")),
            ("git@h.test:a/b.git", git("git@h.test:a/b.git")),
            ("./shop", None),
            ("/srv/a@b/c:d", None),
            ("shop-1.0.tar.gz", None),
        ] {
            assert_eq!(meant(word, false), expected, "{word}");
        }
        assert_eq!(meant("https://h.test/x.zip", true), git("https://h.test/x.zip"));
    }

    #[test]
    fn a_tag_says_a_version() {
        for (tag, version) in
            [("v1.2", "1.2"), ("shop-1.2", "1.2"), ("release/2.0", "2.0"), ("nightly", "nightly")]
        {
            assert_eq!(version_of_tag(tag), version);
        }
    }

    #[test]
    fn a_login_is_not_written() {
        let mut notes = Vec::new();
        assert_eq!(login_free("https://me:pw@h.test/x.git", &mut notes), "https://h.test/x.git");
        assert_eq!(notes.len(), 1);
        assert_eq!(login_free("ssh://git@h.test/x", &mut notes), "ssh://git@h.test/x");
        assert_eq!(notes.len(), 1);
    }
}
