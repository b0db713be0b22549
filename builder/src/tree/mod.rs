//! Folders as values: names that cannot escape, and digests of whole trees.
//!
//! Knows files, their bytes, the executable bit, links and empty folders;
//! nothing of owners, times or other mode bits. Must never know the store's
//! layout, recipes or Python.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::shown;
use crate::key::Digest;

mod copy;
pub mod fault;
pub mod files;
pub mod fs;
mod listing;
pub mod nar;
pub mod pack;
pub mod patch;
mod remove;
pub(crate) mod scan;
pub mod unpack;

/// A `/`-separated relative path: no empty part, no `.` or `..`, no NUL, no
/// leading `/`, UTF-8. It cannot escape by construction.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(String);

impl RelPath {
    /// Checks the text; the error is why it is refused.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        if text.is_empty() {
            return Err("the name is empty".into());
        }
        // What the kernel takes as one path, with the NUL at its end.
        if text.len() > 4095 {
            return Err("the name is longer than 4095 bytes".into());
        }
        for part in text.split('/') {
            match part {
                "" => return Err(format!("`{}` has an empty part", shown(&text))),
                "." | ".." => return Err(format!("`{}` has a `{part}` part", shown(&text))),
                p if p.contains('\0') => return Err("the name has a NUL".into()),
                p if p.len() > 255 => {
                    return Err(format!("a part of `{}` is longer than 255 bytes", shown(&text)));
                }
                _ => {}
            }
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// This path under a host folder.
    pub fn under(&self, root: &std::path::Path) -> std::path::PathBuf {
        root.join(&self.0)
    }
}

/// Whether a link at `path` with this text stays inside its tree wherever it
/// leads: relative, with `..` only at its start and not above the root. A `..`
/// after a name is refused because that name may itself be a link.
pub fn link_stays(path: &RelPath, text: &str) -> bool {
    if text.is_empty() || text.starts_with('/') || text.contains('\0') {
        return false;
    }
    let mut parts = text.split('/').filter(|p| !p.is_empty() && *p != ".").peekable();
    let mut up = 0;
    while parts.next_if_eq(&"..").is_some() {
        up += 1;
    }
    up <= path.0.matches('/').count() && parts.all(|p| p != "..")
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// One entry of a tree. Folders are entries only when they are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Of its bytes.
        digest: Digest,
        /// In bytes.
        size: u64,
        /// Whether any x bit is set.
        executable: bool,
    },
    /// A symbolic link and its text.
    Link(String),
    /// An empty folder.
    Folder,
}

/// A folder as a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Sorted by path.
    pub entries: BTreeMap<RelPath, Entry>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_leave_the_tree_are_told_apart() {
        let at = |path: &str, text: &str| link_stays(&RelPath::new(path).unwrap(), text);
        assert!(at("a", "b") && at("a", "./b/c") && at("x/a", "../b") && at("x/a", "..") && at("a", "."));
        assert!(!at("a", "..") && !at("x/a", "../../b") && !at("a", "/etc") && !at("a", ""));
        assert!(!at("x/a", "b/../c"), "`b` may be a link to a deeper folder");
    }
}
