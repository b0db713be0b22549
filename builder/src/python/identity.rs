//! The digest of an interpreter (DESIGN: "interpreter identity").
//!
//! Knows files and the probe's facts. Must never start a process.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::probe::file_key;
use super::{Facts, Memo, is_shared};
use crate::error::{Error, IoContext as _, Result};
use crate::key::{Digest, KeyWriter};

/// Raised when the digest is made of something else.
const FORMAT: &str = "1";
/// What is installed beside the standard library, and what Python writes there.
const LEFT_OUT: [&str; 3] = ["site-packages", "dist-packages", "__pycache__"];

/// What an interpreter is, and where that was seen.
pub struct Identity {
    /// The digest.
    pub digest: Digest,
    /// The folders of its files: while they stay as they are, so does it.
    pub folders: Vec<PathBuf>,
}

/// Digest over executable, libpython, standard library (without packages and
/// `__pycache__`), headers below a prefix of its own, and sysconfig's
/// variables. Remembered by the executable and the mtimes of all its folders.
pub fn identity(exe: &Path, facts: &Facts, memo: Memo<'_>) -> Result<Identity> {
    let doing = || format!("failed to identify `{}`", exe.display());
    let mut start = format!("{FORMAT}\n{}\n{}\n", file_key(exe).doing(doing)?, facts.variables);
    if let Some(library) = facts.libpython() {
        start.push_str(&file_key(&library).doing(doing)?);
    }
    let roots = roots(facts);
    let of_roots = digest_of(&format!("{start}\n{roots:?}"));
    if let Some(known) = unchanged(&start, &of_roots, memo) {
        return Ok(known);
    }
    let listing = list(&roots).map_err(|e| e.within(doing()))?;
    let names: Vec<String> = listing.folders.iter().map(|(folder, _)| folder.display().to_string()).collect();
    (memo.remember)("python-folders", &of_roots, &names.join("\n"));
    let key = key_of(&start, &listing.folders);
    let made = memo.or_make("python-identity", &key, || digest(exe, facts, &listing).map(|d| d.hex()))?;
    let digest = made.parse().map_err(|e: String| Error::bug(doing()).because(e))?;
    Ok(Identity { digest, folders: listing.folders.into_iter().map(|(folder, _)| folder).collect() })
}

/// What is remembered of folders that are as they were. None of them is read:
/// a folder that comes or goes below one changes that one's mtime.
fn unchanged(start: &str, of_roots: &str, memo: Memo<'_>) -> Option<Identity> {
    let names = (memo.recall)("python-folders", of_roots)?;
    let stamped = |name: &str| Some((PathBuf::from(name), mtime(&Path::new(name).metadata().ok()?)));
    let folders: Vec<(PathBuf, String)> = names.lines().map(stamped).collect::<Option<_>>()?;
    let digest = (memo.recall)("python-identity", &key_of(start, &folders))?.parse().ok()?;
    Some(Identity { digest, folders: folders.into_iter().map(|(folder, _)| folder).collect() })
}

fn key_of(start: &str, folders: &[(PathBuf, String)]) -> String {
    let mut key = start.to_owned();
    for (folder, mtime) in folders {
        // Not by a format: there are a hundred and fifty, in each run.
        key.push('\n');
        key.push_str(&folder.to_string_lossy());
        key.push('\n');
        key.push_str(mtime);
    }
    digest_of(&key)
}

fn digest_of(text: &str) -> String {
    Digest::of(text.as_bytes()).hex()
}

fn mtime(meta: &std::fs::Metadata) -> String {
    format!("{}.{:09}", meta.mtime(), meta.mtime_nsec())
}

/// The files and folders an interpreter consists of.
struct Listing {
    /// A name that does not depend on where the interpreter lies, and the file.
    files: Vec<(String, PathBuf)>,
    /// Each folder and its mtime.
    folders: Vec<(PathBuf, String)>,
}

/// The folders it consists of, each with its name in the listing.
fn roots(facts: &Facts) -> Vec<(&Path, &'static str)> {
    let mut roots = vec![(facts.stdlib.as_path(), "stdlib")];
    if !facts.platstdlib.starts_with(&facts.stdlib) && facts.platstdlib.is_dir() {
        roots.push((&facts.platstdlib, "platstdlib"));
    }
    // The headers of a system Python come with a development package, which
    // the identity of the host has.
    if !is_shared(&facts.base_prefix) && facts.include.is_dir() {
        roots.push((&facts.include, "include"));
    }
    roots
}

fn list(roots: &[(&Path, &str)]) -> Result<Listing> {
    let mut listing = Listing { files: Vec::new(), folders: Vec::new() };
    for (folder, name) in roots {
        walk(folder, name, &mut listing)?;
    }
    Ok(listing)
}

fn walk(folder: &Path, name: &str, listing: &mut Listing) -> Result<()> {
    let doing = || format!("failed to read `{}`", folder.display());
    let meta = folder.metadata().doing(doing)?;
    listing.folders.push((folder.to_owned(), mtime(&meta)));
    for entry in folder.read_dir().doing(doing)? {
        let entry = entry.doing(doing)?;
        let file_name = entry.file_name();
        let Some(part) = file_name.to_str() else {
            return Err(Error::environment(doing()).because(format!("{file_name:?} is not UTF-8")));
        };
        if LEFT_OUT.contains(&part) {
            continue;
        }
        let below = format!("{name}/{part}");
        if entry.file_type().doing(doing)?.is_dir() {
            walk(&entry.path(), &below, listing)?;
        } else {
            listing.files.push((below, entry.path()));
        }
    }
    Ok(())
}

fn digest(exe: &Path, facts: &Facts, listing: &Listing) -> Result<Digest> {
    let mut files = listing.files.clone();
    files.push(("executable".into(), exe.to_owned()));
    if let Some(library) = facts.libpython() {
        files.push(("libpython".into(), library));
    }
    let mut lines: Vec<String> = files
        .par_iter()
        .map(|(name, path)| Ok(format!("{name}\0{}\n", of_file(path)?)))
        .collect::<Result<_>>()?;
    lines.sort();
    let mut key = KeyWriter::new();
    key.part("format", FORMAT)
        .part("files", Digest::of(lines.concat().as_bytes()).hex())
        .part("variables", facts.variables.clone());
    let text: String = key.parts().iter().map(|p| format!("{}\0{}\n", p.name, p.value)).collect();
    Ok(Digest::of(text.as_bytes()))
}

/// A file's digest, through links; a link to nowhere or to a folder counts as
/// its text.
fn of_file(path: &Path) -> Result<String> {
    let doing = || format!("failed to read `{}`", path.display());
    match path.metadata() {
        Ok(meta) if meta.is_file() => {
            Ok(Digest::of_reader(File::open(path).doing(doing)?).doing(doing)?.hex())
        }
        _ => Ok(path.read_link().map(|to| to.display().to_string()).unwrap_or_default()),
    }
}
