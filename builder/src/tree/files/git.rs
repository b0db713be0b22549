//! Where a repository is and what its index tracks.
//!
//! Knows the layout of `.git` and the index format, versions 2 to 4. Must
//! never start git or read a configuration.

use std::io;
use std::path::{Path, PathBuf};

use crate::tree::RelPath;

/// The repository a folder lies in.
pub(super) struct Repository {
    /// The folder that has the `.git`.
    pub top: PathBuf,
    /// What all work trees share (`info/exclude`).
    pub common: PathBuf,
    /// This work tree's own (`index`).
    own: PathBuf,
}

impl Repository {
    /// Looks upward for a `.git`.
    pub(super) fn around(folder: &Path) -> io::Result<Option<Self>> {
        for top in folder.ancestors() {
            let dot = top.join(".git");
            let Ok(meta) = dot.metadata() else { continue };
            let own = if meta.is_dir() { dot } else { pointed_to(top, &dot)? };
            if !own.join("HEAD").exists() {
                continue;
            }
            let common = match std::fs::read_to_string(own.join("commondir")) {
                Ok(text) => own.join(text.trim_end()),
                Err(_) => own.clone(),
            };
            return Ok(Some(Self { top: top.to_owned(), common, own }));
        }
        Ok(None)
    }

    /// Paths of tracked files and links below a folder, relative to it.
    pub(super) fn tracked_below(&self, folder: &Path) -> Result<Vec<RelPath>, String> {
        let bytes = match std::fs::read(self.own.join("index")) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| e.to_string())?,
        };
        let inside = folder.strip_prefix(&self.top).map_err(|e| e.to_string())?;
        let inside = inside.to_str().ok_or("the folder's name is not UTF-8")?;
        let mut out = Vec::new();
        for path in read_index(&bytes)? {
            let Ok(path) = String::from_utf8(path) else { continue };
            let below = match inside {
                "" => Some(path.as_str()),
                _ => path.strip_prefix(inside).and_then(|p| p.strip_prefix('/')),
            };
            out.extend(below.and_then(|p| RelPath::new(p).ok()));
        }
        Ok(out)
    }
}

/// A work tree or submodule has a file that says `gitdir: PATH`.
fn pointed_to(top: &Path, file: &Path) -> io::Result<PathBuf> {
    let text = std::fs::read_to_string(file)?;
    let path = text.strip_prefix("gitdir:").map(str::trim);
    path.map(|p| top.join(p)).ok_or_else(|| io::Error::other("`.git` is a file that points nowhere"))
}

/// The tracked paths of an index; submodules and sparse folders left out.
fn read_index(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let word =
        |at: usize| -> Option<u32> { Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)) };
    let cut = || "it is truncated".to_owned();
    if !bytes.starts_with(b"DIRC") {
        return Err("it is not an index".into());
    }
    let (version, count) = (word(4).ok_or_else(cut)?, word(8).ok_or_else(cut)?);
    if !(2..=4).contains(&version) {
        return Err(format!("its version is {version}, this program knows 2 to 4"));
    }
    let mut out = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    let mut at = 12;
    for _ in 0..count {
        let entry = read_entry(bytes, at, (version, &last)).ok_or_else(cut)?;
        at = entry.next;
        last.clone_from(&entry.path);
        const FILE_OR_LINK: [u32; 2] = [0o100, 0o120];
        if FILE_OR_LINK.contains(&(entry.mode >> 9)) {
            out.push(entry.path);
        }
    }
    // The extension of a split index: most entries are in another file.
    if bytes.get(at..at + 4) == Some(b"link") {
        return Err("it is a split index: run `git update-index --no-split-index`".into());
    }
    Ok(out)
}

struct IndexEntry {
    mode: u32,
    path: Vec<u8>,
    next: usize,
}

/// 40 bytes of times and numbers, 20 of object id, 2 of flags, 2 more if the
/// flags say so, the path.
fn read_entry(bytes: &[u8], at: usize, (version, last): (u32, &[u8])) -> Option<IndexEntry> {
    const EXTENDED: u8 = 0x40;
    let mode = u32::from_be_bytes(bytes.get(at + 24..at + 28)?.try_into().ok()?);
    let extended = version >= 3 && bytes.get(at + 60)? & EXTENDED != 0;
    let mut start = at + 62 + if extended { 2 } else { 0 };
    let mut path = Vec::new();
    if version == 4 {
        let (strip, used) = varint(bytes.get(start..)?)?;
        path.extend_from_slice(last.get(..last.len().checked_sub(strip)?)?);
        start += used;
    }
    let length = bytes.get(start..)?.iter().position(|b| *b == 0)?;
    path.extend_from_slice(&bytes[start..start + length]);
    let end = start + length;
    // Up to version 3 an entry is filled with one to eight NULs.
    let next = if version == 4 { end + 1 } else { at + (end - at + 8) / 8 * 8 };
    Some(IndexEntry { mode, path, next })
}

/// Git's offset encoding: each further byte adds one before shifting.
fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = usize::from(bytes.first()? & 0x7f);
    let mut used = 1;
    while bytes[used - 1] & 0x80 != 0 {
        value = value.checked_add(1)?.checked_mul(128)? | usize::from(bytes.get(used)? & 0x7f);
        used += 1;
    }
    Some((value, used))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index written by the letter of the format.
    fn index(version: u32, entries: &[(u32, &str)]) -> Vec<u8> {
        let mut out = b"DIRC".to_vec();
        out.extend(version.to_be_bytes());
        out.extend((entries.len() as u32).to_be_bytes());
        let mut last = "";
        for (mode, path) in entries {
            let start = out.len();
            out.extend([0; 24]);
            out.extend(mode.to_be_bytes());
            out.extend([0; 12 + 20]);
            out.extend([if version == 3 { 0x40 } else { 0 }, 0]);
            if version == 3 {
                out.extend([0, 0]);
            }
            if version == 4 {
                let common = last.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
                let strip = last.len() - common;
                if strip >= 128 {
                    out.push(0x80 | ((strip >> 7) - 1) as u8);
                }
                out.push((strip & 0x7f) as u8);
                out.extend(path[common..].bytes());
                out.push(0);
            } else {
                out.extend(path.bytes());
                out.push(0);
                while !(out.len() - start).is_multiple_of(8) {
                    out.push(0);
                }
            }
            last = path;
        }
        out
    }

    #[test]
    fn every_version_gives_the_same_paths() {
        let long = format!("a/{}", "x".repeat(200));
        let entries = [
            (0o100_644, "a/b"),
            (0o100_755, long.as_str()),
            (0o120_000, "b"),
            (0o160_000, "module"),
            (0o040_000, "sparse/"),
            (0o100_644, "z-12345"),
        ];
        for version in 2..=4 {
            let read = read_index(&index(version, &entries)).unwrap();
            let read: Vec<&str> = read.iter().map(|p| std::str::from_utf8(p).unwrap()).collect();
            assert_eq!(read, ["a/b", &long, "b", "z-12345"], "version {version}");
        }
    }

    #[test]
    fn what_is_no_index_is_an_error() {
        let whole = index(2, &[(0o100_644, "a")]);
        assert!(read_index(b"DIRX").is_err());
        assert!(read_index(&whole[..whole.len() - 9]).is_err());
        assert!(read_index(&index(5, &[])).is_err());
        let mut split = whole;
        split.extend(b"link\0\0\0\0");
        assert!(read_index(&split).unwrap_err().contains("split index"));
    }
}
