//! The small tools of `HostView::Minimal`, gathered once.
//!
//! Knows the names of ordinary tools and copies them. Must never hold a
//! compiler, an interpreter of a language, or anything that finds packages.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::{IoContext, Result};
use crate::key::Digest;

/// POSIX tools as the GNU projects, busybox and others install them.
const TOOLS: &str = "\
    sh bash dash [ arch awk b2sum base32 base64 basename basenc bunzip2 bzcat bzip2 cat chgrp chmod chown \
    cksum cmp comm cp csplit cut date dd df diff diff3 dir dircolors dirname du echo egrep env expand expr factor \
    false fgrep find fmt fold gawk getconf getopt grep groups gunzip gzip head hostid hostname id install join \
    ldconfig ldd link ln locale logname ls lzcat lzma mawk md5sum mkdir mkfifo mktemp mv nice nl nohup nproc numfmt od \
    paste patch pathchk pr printenv printf ptx pwd readlink realpath rm rmdir sdiff sed seq sha1sum sha224sum \
    sha256sum sha384sum sha512sum shred shuf sleep sort split stat stdbuf stty sum sync tac tail tar tee test \
    timeout touch tr true truncate tsort tty uname unexpand uniq unlink unlzma unxz unzip users vdir wc which whoami \
    xargs xz xzcat yes zcat zstd";

const PLACES: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// What a toolbox holds.
pub(super) struct Contents {
    /// Folders below `/usr` that something is mounted on.
    pub mount_folders: Vec<PathBuf>,
    /// Files below `/usr`, outside `/usr/bin`, that something is mounted on.
    pub mount_files: Vec<PathBuf>,
    /// Files below `/usr/bin` that come in beside the tools (an interpreter).
    pub extra: Vec<PathBuf>,
    /// Links below `/usr`: path, target.
    pub links: Vec<(PathBuf, PathBuf)>,
}

/// The tools this host has: name, the real file.
pub(super) fn host_tools() -> BTreeMap<String, PathBuf> {
    TOOLS
        .split_ascii_whitespace()
        .filter_map(|name| {
            let found = PLACES.iter().find_map(|place| fs::canonicalize(Path::new(place).join(name)).ok())?;
            Some((name.to_owned(), found))
        })
        .collect()
}

/// Where toolboxes are.
pub(super) struct Shelf {
    /// They themselves.
    pub cache: PathBuf,
    /// A folder on the same disk where one is made; swept by its owner when
    /// we are killed meanwhile.
    pub staging: PathBuf,
}

impl Shelf {
    /// Removes toolboxes that nobody used for a month, and halves of others.
    pub fn sweep(&self) {
        const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let Ok(entries) = fs::read_dir(&self.cache) else { return };
        for entry in entries.flatten() {
            // Versions before this one made them here.
            let half = entry.file_name().to_string_lossy().starts_with(".new-");
            let used = entry.metadata().and_then(|meta| meta.modified());
            let age = used.ok().and_then(|used| SystemTime::now().duration_since(used).ok());
            if age.is_some_and(|age| age > if half { DAY } else { MONTH }) {
                // What stays now is tried again by the next run.
                let _ = crate::tree::fs::remove_tree(&entry.path());
            }
        }
    }
}

/// A folder below the cache to be mounted at `/usr`; made when it is not there.
pub(super) fn ensure(
    shelf: &Shelf,
    tools: &BTreeMap<String, PathBuf>,
    contents: &Contents,
) -> Result<PathBuf> {
    let Shelf { cache, staging } = shelf;
    let mut files = tools.clone();
    for path in &contents.extra {
        if let (Some(name), Ok(real)) = (path.file_name().and_then(|n| n.to_str()), fs::canonicalize(path)) {
            files.insert(name.to_owned(), real);
        }
    }
    let ready = cache.join(name(&files, contents));
    if ready.join("bin").is_dir() {
        // The age that sweeping goes by. Somebody else's is theirs to sweep.
        let _ = fs::File::open(&ready).and_then(|folder| folder.set_modified(SystemTime::now()));
        return Ok(ready);
    }
    let doing = || format!("failed to prepare the tools of cells in `{}`", cache.display());
    fs::create_dir_all(cache).doing(doing)?;
    let staged = tempfile::Builder::new().prefix("toolbox-").tempdir_in(staging).doing(doing)?;
    {
        // A process started meanwhile would hold what is being written open for
        // writing until its exec, and such a file cannot be executed.
        let _no_spawn = super::SPAWN.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        fill(staged.path(), &files, contents).doing(doing)?;
    }
    fs::set_permissions(staged.path(), fs::Permissions::from_mode(0o755)).doing(doing)?;
    // Whoever finds it later only asks whether it is there.
    crate::tree::fs::sync_tree(staged.path()).doing(doing)?;
    match fs::rename(staged.path(), &ready) {
        Ok(()) => {
            // It has another name now: there is nothing to remove.
            let _ = staged.keep();
        }
        // Another run was faster.
        Err(_) if ready.join("bin").is_dir() => {}
        Err(error) => return Err(error).doing(doing),
    }
    Ok(ready)
}

/// Changes when a tool does.
fn name(files: &BTreeMap<String, PathBuf>, contents: &Contents) -> String {
    let mut text = String::from("toolbox 1\n");
    for (name, path) in files {
        let facts = fs::metadata(path).map(|m| (m.len(), m.mtime(), m.mtime_nsec())).unwrap_or_default();
        text.push_str(&format!("{name} {} {facts:?}\n", path.display()));
    }
    for path in contents.mount_folders.iter().chain(&contents.mount_files) {
        text.push_str(&format!("mount {}\n", path.display()));
    }
    for (path, target) in &contents.links {
        text.push_str(&format!("link {} {}\n", path.display(), target.display()));
    }
    Digest::of(text.as_bytes()).hex()[..24].to_owned()
}

fn fill(root: &Path, files: &BTreeMap<String, PathBuf>, contents: &Contents) -> std::io::Result<()> {
    let below = |path: &Path| root.join(path.strip_prefix("/usr").unwrap_or(path));
    fs::create_dir(root.join("bin"))?;
    symlink("bin", root.join("sbin"))?;
    let mut copied: BTreeMap<&Path, PathBuf> = BTreeMap::new();
    for (name, real) in files {
        let to = root.join("bin").join(name);
        match copied.get(real.as_path()) {
            Some(first) => fs::hard_link(first, &to)?,
            None => {
                fs::copy(real, &to)?;
                fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
                copied.insert(real, to);
            }
        }
    }
    for path in &contents.mount_folders {
        fs::create_dir_all(below(path))?;
    }
    for path in &contents.mount_files {
        let path = below(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, b"")?;
    }
    for (path, target) in &contents.links {
        let path = below(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        if fs::symlink_metadata(&path).is_err() {
            symlink(target, path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_used_for_long_is_swept_and_what_is_used_stays() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf { cache: dir.path().join("cache"), staging: dir.path().join("staging") };
        fs::create_dir(&shelf.staging).unwrap();
        let contents = Contents {
            mount_folders: Vec::new(),
            mount_files: Vec::new(),
            extra: Vec::new(),
            links: Vec::new(),
        };
        let used = ensure(&shelf, &BTreeMap::new(), &contents).unwrap();
        assert_eq!(fs::read_dir(&shelf.staging).unwrap().count(), 0);
        let aged = |path: &Path, days: u64| {
            fs::create_dir_all(path).unwrap();
            let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
            fs::File::open(path).unwrap().set_modified(then).unwrap();
        };
        aged(&used, 40);
        assert_eq!(ensure(&shelf, &BTreeMap::new(), &contents).unwrap(), used);
        for (name, days) in [("old", 31), ("young", 29), (".new-old", 2), (".new-young", 0)] {
            aged(&shelf.cache.join(name), days);
        }
        shelf.sweep();
        let mut left: Vec<_> = fs::read_dir(&shelf.cache).unwrap().map(|e| e.unwrap().path()).collect();
        left.sort();
        assert_eq!(left, [shelf.cache.join(".new-young"), used, shelf.cache.join("young")]);
    }
}
