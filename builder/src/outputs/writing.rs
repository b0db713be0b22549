//! A merged folder on disk: links, real folders, files of their own.
//!
//! Knows which file may be the same inode as an install's and which must be a
//! copy, and does many at a time, each folder by a handle to it. Must never
//! know what an environment is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::Scope;
use rayon::prelude::*;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use super::copies::{Copies, is_native, is_only_read};
use super::env::{Spec, Style, link, link_text, write};
use super::merge::{COMPANION, Folder, Node, Source};
use crate::error::{Error, IoContext as _, Result};
use crate::tree::fs::copy_bytes;
use crate::tree::pack::{Listing, Pack, Packed};

/// What one thread does at a time: as many files cost it about a millisecond.
const BATCH: usize = 32;
/// How a folder is opened.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Larger files are copied in pieces, in the kernel where it can.
const BUFFER: usize = 1 << 16;

/// Writes `top` below `into`, which is there.
pub fn write_out(spec: &Spec<'_>, (copies, top): (&Copies<'_>, &Folder), into: &Path) -> Result<()> {
    let writer = Writer { spec, copies, failed: Mutex::default() };
    let merged = rayon::scope(|scope| {
        writer.merged(scope, (top, &Place { path: into.to_owned(), rel: PathBuf::new() }))
    });
    merged?;
    writer.failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// A folder that is written: where it is made, and its path in the whole.
struct Place {
    path: PathBuf,
    rel: PathBuf,
}

impl Place {
    fn join(&self, name: &str) -> Self {
        Self { path: self.path.join(name), rel: self.rel.join(name) }
    }
}

struct Writer<'a> {
    spec: &'a Spec<'a>,
    /// What is copied, where it lies together.
    copies: &'a Copies<'a>,
    /// The first failure of those that work beside each other.
    failed: Mutex<Option<Error>>,
}

/// The entries of an install's folder by kind.
#[derive(Default)]
struct Entries {
    folders: Vec<String>,
    files: Vec<String>,
    links: Vec<String>,
    has_code: bool,
}

impl Writer<'_> {
    /// A folder of several installs, or of ours.
    fn merged<'s>(&'s self, scope: &Scope<'s>, (folder, place): (&'s Folder, &Place)) -> Result<()> {
        let mut modules: BTreeMap<&Path, BTreeSet<&str>> = BTreeMap::new();
        let mut files: BTreeMap<&Path, (usize, Vec<&str>)> = BTreeMap::new();
        for (name, node) in folder {
            let inner = place.join(name);
            match node {
                Node::Text { text, executable, .. } => write(&inner.path, text.as_bytes(), *executable)?,
                Node::Folder(below) => {
                    make_folder(&inner.path)?;
                    scope.spawn(move |scope| self.told(self.merged(scope, (below, &inner))));
                }
                Node::Of(source) if self.spec.style == Style::Frozen && !source.real => {
                    let text = link_text(self.spec.store, &self.spec.at.join(&inner.rel), &source.path);
                    link(&text, &inner.path)?;
                }
                Node::Of(source) if source.folder => {
                    let (source, path) = (source.clone(), inner.path);
                    scope.spawn(move |scope| self.told(self.whole(scope, &source, &path)));
                }
                Node::Of(source) => match source.path.parent() {
                    Some(from) if source.path.ends_with(name) => {
                        files.entry(from).or_insert((source.owner, Vec::new())).1.push(name);
                    }
                    _ => put(&source.path, &inner.path, self.spec.style)?,
                },
            }
            if let (Node::Of(source), Some(module)) = (node, name.strip_suffix(".py"))
                && let (false, Some(from)) = (source.folder, source.path.parent())
            {
                modules.entry(from).or_default().insert(module);
            }
        }
        for (from, (owner, names)) in &files {
            self.some((*owner, from), names, &place.path)?;
        }
        // The byte code of the modules that stand in a real folder as files,
        // whichever installs they come from: Python looks for it beside the
        // name it imports, not beside the file a link leads to.
        if modules.is_empty() {
            return Ok(());
        }
        let to = open_folder(&place.path).doing(|| format!("failed to open `{}`", place.path.display()))?;
        let into = (place.path.as_path(), to.as_fd());
        modules.iter().try_for_each(|(from, modules)| byte_code(from, modules, into))
    }

    /// Some files of one folder of an install.
    fn some(&self, (owner, from): (usize, &Path), names: &[&str], into: &Path) -> Result<()> {
        let doing = || format!("failed to put files of `{}` in `{}`", from.display(), into.display());
        let target = open_folder(into).doing(doing)?;
        let mut rest = names.to_vec();
        if let Some((pack, listing)) = self.copies.folder(owner, from) {
            let of = |name: &str| listing.packed.binary_search_by(|p| p.name.cmp(name)).ok();
            let packed: Vec<Packed<'_>> = names.iter().filter_map(|n| Some(listing.packed[of(n)?])).collect();
            self.copies.write(pack, &packed, target.as_fd()).doing(doing)?;
            rest.retain(|name| of(name).is_none());
        }
        if rest.is_empty() {
            return Ok(());
        }
        let source = open_folder(from).doing(doing)?;
        self.put_all((source.as_fd(), target.as_fd()), (&rest, self.spec.style), (from, into))
    }

    /// A folder of one install, with all below it.
    fn whole<'s>(&'s self, scope: &Scope<'s>, source: &Source, into: &Path) -> Result<()> {
        if let Some((pack, listing)) = self.copies.folder(source.owner, &source.path) {
            return self.unpacked(scope, (source, into), (pack, &listing));
        }
        let doing = || format!("failed to put `{}` at `{}`", source.path.display(), into.display());
        make_folder(into)?;
        let mut from = Dir::new(open_folder(&source.path).doing(doing)?).doing(doing)?;
        let entries = entries(&mut from, &source.path)?;
        let to = open_folder(into).doing(doing)?;
        for name in entries.folders {
            let below = Source { path: source.path.join(&name), ..source.clone() };
            let into = into.join(&name);
            scope.spawn(move |scope| self.told(self.whole(scope, &below, &into)));
        }
        for name in &entries.links {
            put(&source.path.join(name), &into.join(name), self.spec.style)?;
        }
        let both = (from.fd().doing(doing)?, to.as_fd());
        self.put_all(both, (&entries.files, self.spec.style), (&source.path, into))?;
        if !entries.has_code {
            return Ok(());
        }
        let modules = entries.files.iter().filter_map(|name| name.strip_suffix(".py")).collect();
        byte_code(&source.path, &modules, (into, to.as_fd()))
    }

    /// The same where a pack has what is in it.
    fn unpacked<'s>(
        &'s self,
        scope: &Scope<'s>,
        (source, into): (&Source, &Path),
        (pack, listing): (&Pack, &Listing<'_>),
    ) -> Result<()> {
        let doing = || format!("failed to put `{}` at `{}`", source.path.display(), into.display());
        make_folder(into)?;
        let to = open_folder(into).doing(doing)?;
        for name in listing.folders.iter().filter(|name| **name != COMPANION) {
            let below = Source { path: source.path.join(name), ..source.clone() };
            let into = into.join(name);
            scope.spawn(move |scope| self.told(self.whole(scope, &below, &into)));
        }
        for name in &listing.links {
            put(&source.path.join(name), &into.join(name), self.spec.style)?;
        }
        if !listing.left.is_empty() {
            let from = open_folder(&source.path).doing(doing)?;
            // What was left there is what may be shared.
            let both = (from.as_fd(), to.as_fd());
            self.put_all(both, (&listing.left, Style::Solid), (&source.path, into))?;
        }
        let write = |files: &[Packed<'_>]| self.copies.write(pack, files, to.as_fd()).doing(doing);
        listing.packed.par_chunks(BATCH).try_for_each(write)?;
        let names = listing.left.iter().copied().chain(listing.packed.iter().map(|p| p.name));
        let modules: BTreeSet<&str> = names.filter_map(|name| name.strip_suffix(".py")).collect();
        if modules.is_empty() { Ok(()) } else { byte_code(&source.path, &modules, (into, to.as_fd())) }
    }

    /// Files of an open folder in another, several at a time.
    fn put_all<N: AsRef<str> + Sync>(
        &self,
        both: (BorrowedFd<'_>, BorrowedFd<'_>),
        (names, style): (&[N], Style),
        (from, into): (&Path, &Path),
    ) -> Result<()> {
        let one = |buffer: &mut Vec<u8>, name: &str| match put_at(both, name, (style, buffer)) {
            // A link among the files of several installs.
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                put(&from.join(name), &into.join(name), style)
            }
            other => other
                .doing(|| format!("failed to put `{}` in `{}`", from.join(name).display(), into.display())),
        };
        names.par_chunks(BATCH).try_for_each_init(
            || vec![0u8; BUFFER],
            |buffer, names| names.iter().try_for_each(|name| one(buffer, name.as_ref())),
        )
    }

    /// Keeps a failure of work that nobody waits for.
    fn told(&self, done: Result<()>) {
        if let Err(error) = done {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

/// The byte code of some modules of an install's folder, always linked: an
/// interpreter that finds it stale writes a new file in its place.
fn byte_code(from: &Path, modules: &BTreeSet<&str>, (into, to): (&Path, BorrowedFd<'_>)) -> Result<()> {
    let cache = from.join(COMPANION);
    let doing = || format!("failed to put `{}` at `{}`", cache.display(), into.display());
    let folder = match open_folder(&cache) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        other => other.doing(doing)?,
    };
    let mut folder = Dir::new(folder).doing(doing)?;
    let found: Vec<String> =
        entries(&mut folder, &cache)?.files.into_iter().filter(|n| modules.contains(module_of(n))).collect();
    if found.is_empty() {
        return Ok(());
    }
    match rustix::fs::mkdirat(to, COMPANION, Mode::from_raw_mode(0o777)) {
        // Byte code of another install stands there.
        Err(rustix::io::Errno::EXIST) => {}
        other => other.doing(doing)?,
    }
    let to = rustix::fs::openat(to, COMPANION, FOLDER, Mode::empty()).doing(doing)?;
    let both = (folder.fd().doing(doing)?, to.as_fd());
    found.par_chunks(BATCH).try_for_each_init(
        || vec![0u8; BUFFER],
        |buffer, names| {
            names.iter().try_for_each(|name| put_at(both, name, (Style::Frozen, buffer))).doing(doing)
        },
    )
}

/// The module a file of byte code is of: `x` of `x.cpython-311.pyc`; nothing
/// for another file.
fn module_of(file: &str) -> &str {
    let Some((stem, tag)) = file.strip_suffix(".pyc").and_then(|s| s.rsplit_once('.')) else { return "" };
    // The tag has no dot, an optimisation level (`.opt-1`) has one.
    match tag.strip_prefix("opt-") {
        Some(_) => stem.rsplit_once('.').map_or(stem, |(module, _)| module),
        None => stem,
    }
}

fn make_folder(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.doing(|| format!("failed to make `{}`", path.display())),
    }
}

fn open_folder(path: &Path) -> rustix::io::Result<File> {
    rustix::fs::open(path, FOLDER, Mode::empty()).map(File::from)
}

fn entries(folder: &mut Dir, path: &Path) -> Result<Entries> {
    let doing = || format!("failed to list `{}`", path.display());
    let mut found = Entries::default();
    while let Some(entry) = folder.read() {
        let entry = entry.doing(doing)?;
        let name =
            entry.file_name().to_str().map_err(|_| format!("the name {:?} is not UTF-8", entry.file_name()));
        let name = name.doing(doing)?;
        let kind = match entry.file_type() {
            // Not every file system says it in the listing.
            FileType::Unknown => {
                let stat = rustix::fs::statat(folder.fd().doing(doing)?, name, AtFlags::SYMLINK_NOFOLLOW)
                    .doing(doing)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        match kind {
            FileType::Directory if matches!(name, "." | "..") => {}
            FileType::Directory if name == COMPANION => found.has_code = true,
            FileType::Directory => found.folders.push(name.to_owned()),
            FileType::Symlink => found.links.push(name.to_owned()),
            _ => found.files.push(name.to_owned()),
        }
    }
    Ok(found)
}

/// A regular file of a folder in another, by the same name: a hard link where
/// nobody edits it in place, else a copy.
fn put_at(
    (from, to): (BorrowedFd<'_>, BorrowedFd<'_>),
    name: &str,
    (style, buffer): (Style, &mut [u8]),
) -> std::io::Result<()> {
    let linked = || rustix::fs::linkat(from, name, to, name, AtFlags::empty()).is_ok();
    let shared = style != Style::Working || is_native(name);
    if shared && linked() {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut source = File::from(rustix::fs::openat(from, name, flags, Mode::empty())?);
    let stat = rustix::fs::fstat(&source)?;
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if !shared && is_only_read(size as u64, &[]) && linked() {
        return Ok(());
    }
    // Nobody writes to an install: no second read to find its end.
    let whole = size <= buffer.len();
    let start = if whole { size } else { buffer.len() };
    source.read_exact(&mut buffer[..start])?;
    if !shared && is_only_read(size as u64, &buffer[..start]) && linked() {
        return Ok(());
    }
    // The umask of this process is 022: no second call for the mode.
    let mode = Mode::from_raw_mode(if stat.st_mode & 0o111 == 0 { 0o644 } else { 0o755 });
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut target = File::from(rustix::fs::openat(to, name, flags, mode)?);
    target.write_all(&buffer[..start])?;
    if whole { Ok(()) } else { copy_bytes(&mut source, &mut target, buffer) }
}

/// The same by paths, for a file or link that may get another name.
fn put(from: &Path, to: &Path, style: Style) -> Result<()> {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let doing = || format!("failed to put `{}` at `{}`", from.display(), to.display());
    let meta = fs::symlink_metadata(from).doing(doing)?;
    if meta.file_type().is_symlink() {
        let target = fs::read_link(from).doing(doing)?;
        return symlink(target, to).doing(doing);
    }
    let shared =
        style != Style::Working || is_native(&from.to_string_lossy()) || is_only_read(meta.len(), &[]);
    if shared && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).doing(doing)?;
    let mode = if meta.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).doing(doing)
}

#[cfg(test)]
mod tests {
    use super::module_of;

    #[test]
    fn byte_code_names_its_module() {
        let names = ["x.cpython-311.pyc", "x.cpython-311.opt-1.pyc", "a.b.cpython-313t.pyc", "x.py", "notes"];
        assert_eq!(names.map(module_of), ["x", "x", "a.b", "", ""]);
    }
}
