//! The NAR hash of a folder: the value nixpkgs writes for unpacked sources.
//!
//! Knows the format (fields of little-endian length, bytes, zeros up to a
//! multiple of eight). Must never know the store: a NAR hash is a promise of
//! a recipe, not a name of ours.

use std::io::{self, Read, Write};
use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::RelPath;
use super::fs::Beneath;
use crate::error::{Error, IoContext as _, Kind, Result};
use crate::key::Digest;

/// The sha256 of the NAR serialisation of a folder.
pub fn hash(root: &Path) -> Result<Digest> {
    let mut hasher = Hasher(Sha256::new());
    write(root, &mut hasher)?;
    Ok(Digest(hasher.0.finalize().into()))
}

/// Writes the NAR serialisation of a folder.
pub fn write(root: &Path, out: &mut impl Write) -> Result<()> {
    let folder = Beneath::open(root)?;
    let mut writer = Writer { root: &folder, out, buffer: vec![0u8; 1 << 16] };
    writer.text("nix-archive-1").doing(|| format!("failed to serialise `{}`", root.display()))?;
    writer.folder("")
}

struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Writer<'a, W> {
    root: &'a Beneath,
    out: &'a mut W,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<'_, W> {
    fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(&(text.len() as u64).to_le_bytes())?;
        self.out.write_all(text.as_bytes())?;
        self.pad(text.len() as u64)
    }

    fn texts(&mut self, texts: &[&str]) -> io::Result<()> {
        texts.iter().try_for_each(|t| self.text(t))
    }

    fn pad(&mut self, len: u64) -> io::Result<()> {
        self.out.write_all(&[0u8; 8][..(8 - len as usize % 8) % 8])
    }

    fn doing(&self, rel: &str) -> String {
        format!("failed to serialise `{}`", self.root.path().join(rel).display())
    }

    /// The node of a folder: its entries in the order of their names' bytes.
    fn folder(&mut self, rel: &str) -> Result<()> {
        let names = self.names(rel).doing(|| self.doing(rel))?;
        self.texts(&["(", "type", "directory"]).doing(|| self.doing(rel))?;
        for name in names {
            let path = if rel.is_empty() { name.clone() } else { format!("{rel}/{name}") };
            let path =
                RelPath::new(path).map_err(|why| Error::new(Kind::Build, self.doing(rel)).because(why))?;
            self.texts(&["entry", "(", "name", &name, "node"]).doing(|| self.doing(rel))?;
            self.node(&path)?;
            self.text(")").doing(|| self.doing(rel))?;
        }
        self.text(")").doing(|| self.doing(rel))
    }

    fn node(&mut self, path: &RelPath) -> Result<()> {
        let doing = self.doing(path.as_str());
        let (folder, name) = self.root.parent(path).doing(|| doing.clone())?;
        let stat = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| doing.clone())?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.folder(path.as_str()),
            FileType::RegularFile => {
                let executable = Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR);
                self.file(path, executable).doing(|| doing)
            }
            FileType::Symlink => {
                let text =
                    rustix::fs::readlinkat(folder.as_fd(), name, Vec::new()).doing(|| doing.clone())?;
                let text = text.into_string().doing(|| doing.clone())?;
                self.texts(&["(", "type", "symlink", "target", &text, ")"]).doing(|| doing)
            }
            _ => Err(Error::new(Kind::Build, doing).because("it is neither file, folder nor link")),
        }
    }

    fn file(&mut self, path: &RelPath, executable: bool) -> io::Result<()> {
        self.texts(&["(", "type", "regular"])?;
        if executable {
            self.texts(&["executable", ""])?;
        }
        self.text("contents")?;
        let mut file = self.root.read(path)?;
        let size = file.metadata()?.len();
        self.out.write_all(&size.to_le_bytes())?;
        let mut left = size;
        while left > 0 {
            let n = file.read(&mut self.buffer)?;
            if n == 0 || n as u64 > left {
                return Err(io::Error::other("it changed while it was read"));
            }
            self.out.write_all(&self.buffer[..n])?;
            left -= n as u64;
        }
        self.pad(size)?;
        self.text(")")
    }

    fn names(&self, rel: &str) -> io::Result<Vec<String>> {
        let fd = self.root.open_at(rel, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::new(fd)? {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                let name = name.to_str().map_err(|_| io::Error::other("a name in it is not UTF-8"))?;
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// One field, written by the letter of the format's description.
    fn field(bytes: &[u8]) -> Vec<u8> {
        let mut out = (bytes.len() as u64).to_le_bytes().to_vec();
        out.extend_from_slice(bytes);
        while !out.len().is_multiple_of(8) {
            out.push(0);
        }
        out
    }

    #[test]
    fn a_folder_is_serialised_by_the_letter() {
        let dir = tempfile::tempdir().unwrap();
        // `a-b` sorts before `a/x` as a path, `a` before `a-b` as a name.
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/x"), "hello nix").unwrap();
        fs::write(dir.path().join("a-b"), "").unwrap();
        fs::set_permissions(dir.path().join("a-b"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("empty")).unwrap();
        symlink("a/x", dir.path().join("link")).unwrap();
        let words = "nix-archive-1 ( type directory \
            entry ( name a node ( type directory entry ( name x node ( type regular contents hello_nix ) ) ) ) \
            entry ( name a-b node ( type regular executable ~ contents ~ ) ) \
            entry ( name empty node ( type directory ) ) \
            entry ( name link node ( type symlink target a/x ) ) )";
        let expected: Vec<u8> = words
            .split_whitespace()
            .flat_map(|w| field(w.replace('~', "").replace('_', " ").as_bytes()))
            .collect();
        let mut got = Vec::new();
        write(dir.path(), &mut got).unwrap();
        assert_eq!(got, expected);
        assert_eq!(hash(dir.path()).unwrap(), Digest::of(&expected));
    }

    #[test]
    fn an_empty_folder_has_the_known_hash() {
        let dir = tempfile::tempdir().unwrap();
        // `nix hash path` of an empty folder.
        let known = "sha256-pQpattmS9VmO3ZIQUFn66az8GSmB4IvYhTTCFn6SUmo=";
        assert_eq!(recipes::name::Sha256(hash(dir.path()).unwrap().0).sri(), known);
    }
}
