//! Which of the kept logs answers a question for one.
//!
//! Knows keys and what the store remembers. Must never plan or print.

use crate::error::Result;
use crate::event::StepKind;
use crate::key::{Digest, StepKey};
use crate::store::{KeptLog, Store};

/// The step of the set at hand whose log is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// Its key.
    pub key: StepKey,
    /// `flask 3.1.3`.
    pub package: String,
}

/// The log that belongs to the set at hand; without one, or without such a
/// set, the last of that name. Where that came of something else than the set
/// at hand would build, a sentence says of what.
pub fn find(
    store: &Store,
    (package, kind): (&str, StepKind),
    current: Option<&Current>,
) -> Result<Option<(Digest, Option<String>)>> {
    let there = |digest: &Digest| store.has_blob(digest);
    if let Some(current) = current {
        let log = store.lookup(&current.key)?.and_then(|made| made.log);
        if let Some(log) = log
            && there(&log)?
        {
            return Ok(Some((log, None)));
        }
        // One that failed is remembered by its package alone.
        if let Some(kept) = store.last_log(&current.package, kind)?
            && kept.made.as_ref().is_some_and(|(key, _)| *key == current.key)
            && there(&kept.digest)?
        {
            return Ok(Some((kept.digest, None)));
        }
    }
    let Some(kept) = store.last_log(package, kind)? else { return Ok(None) };
    if !there(&kept.digest)? {
        return Ok(None);
    }
    let note = foreign(store, &kept, current)?;
    Ok(Some((kept.digest, note)))
}

/// When a log was written, how that ended, and that it is not of this set.
fn foreign(store: &Store, kept: &KeptLog, current: Option<&Current>) -> Result<Option<String>> {
    let Some((key, when)) = &kept.made else { return Ok(None) };
    let passed = store.lookup(key)?.is_some_and(|made| made.log == Some(kept.digest));
    let outcome = if passed { "and is of a success" } else { "and is of a failure, or of what is gone" };
    let whose = match current {
        Some(_) => "; what stands here now has no log of its own",
        None => "",
    };
    Ok(Some(format!("this log was written on {when} {outcome}{whose}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyWriter;

    fn key(name: &str) -> StepKey {
        KeyWriter::new().part("name", name).step_key()
    }

    #[test]
    fn the_log_of_the_set_at_hand_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let wanted = ("hub", StepKind::Build);
        assert_eq!(find(&store, wanted, None).unwrap(), None);
        let mine = store.add_blob_bytes(b"mine").unwrap();
        let other = store.add_blob_bytes(b"other").unwrap();
        let keep = |name: &str, log| store.keep_log("hub 1.0", (StepKind::Build, &key(name)), log).unwrap();
        let current = Current { key: key("mine"), package: "hub 1.0".into() };
        keep("mine", &mine);
        // It failed: only its own key says whose it is.
        assert_eq!(find(&store, wanted, Some(&current)).unwrap(), Some((mine, None)));
        keep("other", &other);
        let (found, note) = find(&store, wanted, Some(&current)).unwrap().unwrap();
        assert_eq!(found, other);
        let note = note.unwrap();
        assert!(note.contains(" UTC and is of a failure") && note.contains("stands here now"), "{note}");
    }
}
