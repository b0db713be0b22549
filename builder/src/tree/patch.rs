//! Unified diffs applied to a folder, as `patch -p1` does.
//!
//! Knows several files in one patch, new, deleted and renamed files, hunks
//! that moved, and up to two lines of context that changed. Must never touch
//! a file outside the folder, or leave half a patch: every file is worked out
//! before the first is written.

mod apply;
mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::Path;

use rustix::fs::{FileType, Mode};

use super::RelPath;
use super::fs::Beneath;
use crate::error::{Error, Kind};
use parse::FilePatch;

/// A patch that does not apply. Nothing was changed.
#[derive(Debug)]
pub struct PatchError {
    /// The patch's name.
    pub patch: String,
    /// The line of the patch, from 1; 0 for the whole of it.
    pub line: usize,
    /// The file it was about, if one.
    pub target: Option<String>,
    /// The hunk, from 1, if one.
    pub hunk: Option<usize>,
    /// What is wrong.
    pub why: String,
    /// What would help.
    pub hint: Option<String>,
    /// The machine's fault, not the patch's.
    pub machine: bool,
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to apply the patch `{}`", self.patch)?;
        if let Some(target) = &self.target {
            write!(f, " to `{}`", target.escape_debug())?;
        }
        match (self.hunk, self.line) {
            (Some(hunk), line) => write!(f, ": hunk {hunk} (line {line})")?,
            (None, 0) => {}
            (None, line) => write!(f, ": line {line}")?,
        }
        write!(f, ": {}", self.why)
    }
}

impl std::error::Error for PatchError {}

impl From<PatchError> for Error {
    fn from(e: PatchError) -> Self {
        let kind = if e.machine { Kind::Environment } else { Kind::Build };
        let text = e.to_string();
        let error = match text.split_once("`: ") {
            Some((doing, cause)) => Error::new(kind, format!("{doing}`")).because(cause),
            None => Error::new(kind, text),
        };
        match e.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// What is wrong, before the patch's name is known.
#[derive(Debug, Default)]
struct Fault {
    line: usize,
    target: Option<String>,
    hunk: Option<usize>,
    why: String,
    hint: Option<&'static str>,
    machine: bool,
}

impl Fault {
    fn at(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into(), ..Self::default() }
    }

    fn of(mut self, target: &RelPath) -> Self {
        self.target = Some(target.as_str().to_owned());
        self
    }
}

/// A file while the patch is worked out.
#[derive(Clone)]
struct State {
    bytes: Vec<u8>,
    executable: bool,
}

/// Applies a patch, named for messages, to a folder.
pub fn apply(root: &Path, name: &str, text: &[u8]) -> Result<(), PatchError> {
    run(root, text).map_err(|fault| PatchError {
        patch: name.to_owned(),
        line: fault.line,
        target: fault.target,
        hunk: fault.hunk,
        why: fault.why,
        hint: fault.hint.map(str::to_owned),
        machine: fault.machine,
    })
}

fn run(root: &Path, text: &[u8]) -> Result<(), Fault> {
    let patches = parse::parse(text)?;
    if patches.is_empty() {
        return Err(Fault::at(0, "it holds no unified diff"));
    }
    let machine = |e: Error| Fault { machine: true, ..Fault::at(0, e.to_string()) };
    let root = Beneath::open(root).map_err(machine)?;
    let mut work = Work { root: &root, files: BTreeMap::new() };
    for patch in &patches {
        work.one(patch)?;
    }
    work.write()
}

/// All files touched: what each is to be, `None` for gone.
struct Work<'a> {
    root: &'a Beneath,
    files: BTreeMap<RelPath, Option<State>>,
}

impl Work<'_> {
    fn one(&mut self, patch: &FilePatch<'_>) -> Result<(), Fault> {
        let Ends { from, to } = self.ends(patch)?;
        let target = to.as_ref().or(from.as_ref()).expect("one of the two is there").clone();
        let before = match &from {
            Some(path) => self.read(path).map_err(|e| read_fault(patch, path, &e))?,
            None => None,
        };
        if from.is_some() && before.is_none() {
            return Err(Fault::at(patch.line, "there is no such file").of(&target));
        }
        if from != to
            && let Some(to) = &to
            && self.read(to).map_err(|e| read_fault(patch, to, &e))?.is_some()
        {
            let why =
                if from.is_none() { "it is to be made and is there already" } else { "it is there already" };
            return Err(Fault { hint: Some(ALREADY), ..Fault::at(patch.line, why) }.of(to));
        }
        let empty = State { bytes: Vec::new(), executable: false };
        let before = before.unwrap_or(empty);
        let bytes = apply::hunks(&before.bytes, &patch.hunks).map_err(|fault| fault.of(&target))?;
        if to.is_none() && !bytes.is_empty() {
            return Err(
                Fault::at(patch.line, "it is to be deleted and holds more than the patch says").of(&target)
            );
        }
        if let Some(from) = from.filter(|from| !patch.copy || to.as_ref() == Some(from)) {
            self.files.insert(from, None);
        }
        if let Some(to) = to {
            let executable = patch.executable.unwrap_or(before.executable);
            self.files.insert(to, Some(State { bytes, executable }));
        }
        Ok(())
    }

    /// Which file is read and which is written.
    fn ends(&self, patch: &FilePatch<'_>) -> Result<Ends, Fault> {
        let (old, new) = (&patch.old, &patch.new);
        if patch.renames || (old.is_none() != new.is_none()) {
            return Ok(Ends { from: old.clone(), to: new.clone() });
        }
        let (Some(old), Some(new)) = (old, new) else {
            return Err(Fault::at(patch.line, "it names no file"));
        };
        let is_there = |path| self.read(path).map(|s| s.is_some()).map_err(|e| read_fault(patch, path, &e));
        // Not a rename: two names for one file, `a.orig` and `a`. The one that is there counts.
        let one = if is_there(new)? || !is_there(old)? { new } else { old };
        let makes = patch.hunks.first().is_some_and(|h| h.old_start == 0 && h.old_count == 0);
        let empties =
            patch.hunks.len() == 1 && patch.hunks[0].new_start == 0 && patch.hunks[0].new_count == 0;
        Ok(Ends {
            from: (!makes || is_there(one)?).then(|| one.clone()),
            to: (!(empties && patch.new_is_epoch)).then(|| one.clone()),
        })
    }

    /// A file as the patch has left it so far.
    fn read(&self, path: &RelPath) -> std::io::Result<Option<State>> {
        if let Some(state) = self.files.get(path) {
            return Ok(state.clone());
        }
        let mut file = match self.root.read(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(State { bytes, executable: Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR) }))
    }

    /// Each file anew, never through the old one: it may have other names.
    fn write(self) -> Result<(), Fault> {
        for (path, state) in self.files {
            let failed = |e: std::io::Error| Fault { machine: true, ..Fault::at(0, e.to_string()) }.of(&path);
            match self.root.remove(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
                _ => {}
            }
            let Some(state) = state else { continue };
            if let Some((folder, _)) = path.as_str().rsplit_once('/') {
                let folder = RelPath::new(folder).expect("the start of a path is a path");
                self.root.make_folders(&folder, 0o755).map_err(failed)?;
            }
            let mode = if state.executable { 0o755 } else { 0o644 };
            let mut file = self.root.create(&path, mode).map_err(failed)?;
            file.write_all(&state.bytes).map_err(failed)?;
        }
        Ok(())
    }
}

struct Ends {
    from: Option<RelPath>,
    to: Option<RelPath>,
}

const ALREADY: &str = "the source may have the change already: drop the patch";

fn read_fault(patch: &FilePatch<'_>, path: &RelPath, e: &std::io::Error) -> Fault {
    let through_link = [rustix::io::Errno::LOOP, rustix::io::Errno::XDEV];
    let is_link = rustix::io::Errno::from_io_error(e).is_some_and(|e| through_link.contains(&e));
    let why = if is_link { "its name leads through a link".to_owned() } else { e.to_string() };
    Fault::at(patch.line, why).of(path)
}

#[cfg(test)]
mod tests;
