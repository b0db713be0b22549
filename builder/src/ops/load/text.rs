//! The text of a file that may be a recipe.
//!
//! Knows how large one may be. Must never know what it says.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use recipes::diag::SourceFile;
use rustix::buffer::spare_capacity;

use crate::error::{Error, IoContext as _, Result};

/// Bytes of a file that are read.
const LARGEST_FILE: usize = 4 << 20;
/// Most recipes have no more bytes.
const MOST_FILES: usize = 1 << 10;

/// The text of a file: opened and read once. Its size is not asked for: most
/// are read at one go.
pub(super) fn text(cwd: &Path, path: &Path) -> Result<Arc<SourceFile>> {
    let doing = || format!("failed to read `{}`", path.display());
    let file = File::open(path).doing(doing)?;
    let mut bytes = Vec::with_capacity(MOST_FILES);
    loop {
        match rustix::io::retry_on_intr(|| rustix::io::read(&file, spare_capacity(&mut bytes))) {
            Ok(0) => break,
            Ok(_) if bytes.len() == bytes.capacity() => bytes.reserve(bytes.len()),
            Ok(_) => {}
            Err(e) => return Err(std::io::Error::from(e)).doing(doing),
        }
        if bytes.len() > LARGEST_FILE {
            let size = file.metadata().map_or(bytes.len() as u64, |meta| meta.len());
            let why = format!("it has {size} bytes, more than a recipe may have");
            return Err(Error::input(doing()).because(why));
        }
    }
    bytes.shrink_to_fit();
    let text = String::from_utf8(bytes)
        .map_err(|e| Error::input(doing()).because(format!("it is not UTF-8: {e}")))?;
    let shown = path.strip_prefix(cwd).unwrap_or(path).display().to_string();
    Ok(Arc::new(SourceFile { path: shown, text }))
}

/// A file, and whether it says anything of a pyproject.toml.
pub(super) type Text = (Arc<SourceFile>, bool);

/// Where it is read, while others read, too.
pub(super) fn mentioned(text: Result<Arc<SourceFile>>) -> Result<Text> {
    text.map(|file| {
        let mentions = file.text.contains("pyproject");
        (file, mentions)
    })
}

#[cfg(test)]
mod tests {
    use super::{LARGEST_FILE, text};

    #[test]
    fn a_file_is_read_whole_and_one_that_is_too_large_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        for many in [0, 1, 8191, 8192, 8193, 100_000, LARGEST_FILE] {
            std::fs::write(&path, "x".repeat(many)).unwrap();
            let read = text(dir.path(), &path).unwrap();
            assert_eq!((read.path.as_str(), read.text.len()), ("a.toml", many));
        }
        std::fs::write(&path, "x".repeat(LARGEST_FILE + 5)).unwrap();
        let error = text(dir.path(), &path).unwrap_err().to_string();
        assert!(error.contains("it has 4194309 bytes"), "{error}");
    }
}
