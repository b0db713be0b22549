//! Files by the sha256 of their bytes.
//!
//! Knows how bytes become a blob without anybody seeing a part of it. Must
//! never know what the bytes mean.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::input::Input;
use super::{Store, explain, make_folder};
use crate::error::{Error, IoContext as _, Kind, Result};
use crate::key::Digest;
use crate::tree::{fault, fs};

/// A file that is removed unless it became a blob.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Store {
    /// Whether a blob is there (its bytes are not read).
    pub fn has_blob(&self, digest: &Digest) -> Result<bool> {
        let _gate = self.gate()?;
        self.pin(&[Input::Blob(*digest)])?;
        Ok(self.blob_path(digest).is_file())
    }

    /// Keeps the bytes of a stream.
    pub fn add_blob(&self, mut from: impl Read) -> Result<Digest> {
        let temp = Unfinished(self.temp_path()?);
        let doing = || "failed to add a file to the store".to_owned();
        let mut file = File::create_new(&temp.0).map_err(|e| explain(e, doing()))?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0u8; 1 << 16];
        loop {
            let n = match from.read(&mut buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(|e| explain(e, doing()))?,
            };
            if n == 0 {
                break;
            }
            hasher.update(&buffer[..n]);
            file.write_all(&buffer[..n]).map_err(|e| explain(e, doing()))?;
        }
        let digest = Digest(hasher.finalize().into());
        self.commit_blob(&temp.0, &file, &digest)?;
        Ok(digest)
    }

    /// Keeps bytes in memory.
    pub fn add_blob_bytes(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if !self.has_blob(&digest)? {
            self.add_blob(bytes)?;
        }
        Ok(digest)
    }

    /// Keeps a copy of a file.
    pub fn add_blob_file(&self, path: &Path) -> Result<Digest> {
        let file = File::open(path).doing(|| format!("failed to read `{}`", path.display()))?;
        self.add_blob(file).map_err(|e| e.within(format!("failed to keep `{}`", path.display())))
    }

    /// Moves a file of [`Store::temp_dir`] into the store if its sha256 is the
    /// expected one; else the kind of the error is `Hash` and the file stays.
    pub fn add_blob_checked(&self, temp: &Path, expected: &Digest) -> Result<()> {
        let doing = || format!("failed to keep `{}`", temp.display());
        let file = File::open(temp).doing(doing)?;
        let got = Digest::of_reader(&file).doing(doing)?;
        if got != *expected {
            let cause = format!("its sha256 is {}, not {}", got.hex(), expected.hex());
            return Err(Error::new(Kind::Hash, doing()).because(cause));
        }
        self.commit_blob(temp, &file, expected)
    }

    /// Read-only, durable, then visible, in this order.
    fn commit_blob(&self, temp: &Path, file: &File, digest: &Digest) -> Result<()> {
        let target = self.blob_path(digest);
        let doing = || format!("failed to write `{}`", target.display());
        rustix::fs::fchmod(file, fs::bits(0o444)).doing(doing)?;
        fs::sync_file(file).map_err(|e| explain(e, doing()))?;
        let folder = target.parent().expect("a blob lies in a folder");
        make_folder(folder).map_err(|e| explain(e, doing()))?;
        let _gate = self.gate()?;
        self.pin(&[Input::Blob(*digest)])?;
        fault::point();
        // A blob that is there already is replaced by the same bytes, which
        // also heals one that was damaged.
        std::fs::rename(temp, &target).map_err(|e| explain(e, doing()))?;
        fault::point();
        fs::sync_folder(folder).doing(doing)
    }
}
