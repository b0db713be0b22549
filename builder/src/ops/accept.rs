//! `--accept-hash`: hashes that came, written where others are promised.
//!
//! Knows places in recipe files. Must never fetch, or decide whether the new
//! bytes are right: that the user said.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use recipes::name::Sha256;

use crate::error::{Error, IoContext as _, Result};
use crate::ops::load::Loaded;
use crate::ops::steps::Mismatch;

/// What came of it.
#[derive(Debug, Default)]
pub struct Accepted {
    /// The files that changed, by display path.
    pub changed: Vec<String>,
    /// Why others did not.
    pub troubles: Vec<Error>,
}

/// The hashes of one file: where they go, from its end to its start, so that
/// one edit does not move the next.
type Edits = BTreeMap<Reverse<(usize, usize)>, Sha256>;

/// Writes hashes that came into the recipes that promised others. A file that
/// cannot be changed does not keep the others from it. Comments and layout stay.
pub fn accept_hashes(loaded: &Loaded, mismatches: &[Mismatch]) -> Accepted {
    let mut accepted = Accepted::default();
    let mut files: BTreeMap<&str, (&str, Edits)> = BTreeMap::new();
    for Mismatch { place, got } in mismatches {
        // Recipes of several versions may share a line of an overlay.
        let here = mismatches.iter().filter(|m| m.place == *place);
        let (_, edits) = files.entry(&place.file.path).or_insert_with(|| (&place.file.text, Edits::new()));
        if here.clone().all(|m| m.got == *got) {
            edits.insert(Reverse((place.span.start, place.span.end)), *got);
        } else if here.clone().next().is_some_and(|first| first.got == *got) {
            let (line, column) = place.line_col();
            accepted.troubles.push(
                Error::input(format!("failed to write the hash at {}:{line}:{column}", place.file.path))
                    .because("several recipes share it, and their sources have different hashes")
                    .hint("write a `hash` of its own for each version"),
            );
        }
    }
    for (shown, (before, edits)) in files {
        let written = match loaded.disk.get(shown) {
            Some(path) => write(path, before, &edits),
            None => Err(Error::input(format!("`{shown}` cannot be changed: it is part of the program"))
                .hint("put a recipe of that name into your workspace")),
        };
        match written {
            Ok(true) => accepted.changed.push(shown.to_owned()),
            Ok(false) => {}
            Err(error) => accepted.troubles.push(error),
        }
    }
    accepted
}

fn write(path: &Path, before: &str, edits: &Edits) -> Result<bool> {
    let doing = || format!("failed to write the hash into `{}`", path.display());
    let mut text = std::fs::read_to_string(path).doing(doing)?;
    if text != before {
        return Err(Error::input(doing()).because("the file changed while the run was going on"));
    }
    for (Reverse((start, end)), hash) in edits {
        text = recipes::edit::set_hash(&text, &(*start..*end), hash)
            .map_err(|e| Error::input(doing()).because(e))?;
    }
    if text == before {
        return Ok(false);
    }
    crate::tree::fs::write_atomic(path, text.as_bytes(), 0o644)?;
    Ok(true)
}
