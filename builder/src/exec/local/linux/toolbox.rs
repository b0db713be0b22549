//! The small tools of `HostView::Minimal`, gathered once.
//!
//! Knows the names of ordinary tools and copies them. Must never hold a
//! compiler, an interpreter of a language, or anything that finds packages.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

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

/// A folder below `cache` to be mounted at `/usr`; made when it is not there.
pub(super) fn ensure(
    cache: &Path,
    tools: &BTreeMap<String, PathBuf>,
    contents: &Contents,
) -> Result<PathBuf> {
    let mut files = tools.clone();
    for path in &contents.extra {
        if let (Some(name), Ok(real)) = (path.file_name().and_then(|n| n.to_str()), fs::canonicalize(path)) {
            files.insert(name.to_owned(), real);
        }
    }
    let ready = cache.join(name(&files, contents));
    if ready.join("bin").is_dir() {
        return Ok(ready);
    }
    let doing = || format!("failed to prepare the tools of cells in `{}`", cache.display());
    fs::create_dir_all(cache).doing(doing)?;
    let staged = tempfile::Builder::new().prefix(".new-").tempdir_in(cache).doing(doing)?;
    {
        // A process started meanwhile would hold what is being written open for
        // writing until its exec, and such a file cannot be executed.
        let _no_spawn = super::SPAWN.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        fill(staged.path(), &files, contents).doing(doing)?;
    }
    fs::set_permissions(staged.path(), fs::Permissions::from_mode(0o755)).doing(doing)?;
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
