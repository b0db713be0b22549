//! What was looked at while an interpreter was searched for.
//!
//! Knows paths, and that some answers come from elsewhere. Must never look
//! itself.

use std::path::{Path, PathBuf};

/// Paths, in the order in which they were looked at.
pub(super) struct Looked {
    paths: Vec<PathBuf>,
    plain: bool,
}

impl Looked {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { paths: Vec::new(), plain: true }
    }

    /// One more.
    pub(super) fn at(&mut self, path: &Path) {
        self.paths.push(path.to_owned());
    }

    /// Some more.
    pub(super) fn all(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        self.paths.extend(paths);
    }

    /// What was found depends on more than paths.
    pub(super) fn doubt(&mut self) {
        self.plain = false;
    }

    /// All of them, if they are all that it depends on.
    pub(super) fn paths(self) -> Option<Vec<PathBuf>> {
        self.plain.then_some(self.paths)
    }
}
