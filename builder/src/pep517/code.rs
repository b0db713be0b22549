//! Our own Python programs, and what an interpreter makes of them.
//!
//! Knows which files a program consists of, and where Python looks for byte code.
//! To compile them anew takes as long as a small build; each build is a new
//! process. Must never have a part in what a build does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::below;
use crate::error::{Error, IoContext as _, Result};
use crate::key::Digest;
use crate::tree::RelPath;

/// A program's file in the `job` folder, and its text.
pub type Program = (&'static str, &'static str);

/// Nothing of it is worth keeping: what it starts is.
const START: &str = "import wheelwright_runner\n\nwheelwright_runner.start()\n";

/// What builds a wheel: the first is what is run.
pub const RUNNER: [Program; 4] = [
    ("runner.py", START),
    ("wheelwright_runner.py", include_str!("runner.py")),
    ("wheelwright_requirements.py", include_str!("requirements.py")),
    ("wheelwright_toml.py", include_str!("toml.py")),
];
/// What a fork server has besides.
pub const FORK_SERVER: Program = ("wheelwright_fork_server.py", include_str!("fork_server.py"));

const CACHE: &str = "__pycache__";

/// Byte code of these programs by one interpreter; or none, which only costs time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByteCode(Arc<BTreeMap<String, Vec<u8>>>);

impl ByteCode {
    /// Has `compile` write what Python keeps beside a source, in an empty
    /// `folder` of ours.
    ///
    /// # Errors
    /// When the folder cannot be written or read, or `compile` fails.
    pub fn make(folder: &Path, compile: impl FnOnce() -> Result<()>) -> Result<Self> {
        let doing = || format!("failed to compile in `{}`", folder.display());
        for (name, text) in all() {
            fs::write(folder.join(name), text).doing(doing)?;
        }
        compile()?;
        let cache = folder.join(CACHE);
        let mut made = BTreeMap::new();
        if !cache.is_dir() {
            // It is too old for that.
            return Ok(Self::default());
        }
        for entry in fs::read_dir(cache).doing(doing)? {
            let entry = entry.doing(doing)?;
            let name = entry.file_name().into_string().map_err(|_| Error::bug("a name is no text"))?;
            made.insert(name, fs::read(entry.path()).doing(doing)?);
        }
        Ok(Self(Arc::new(made)))
    }

    /// A line a file, for [`ByteCode::from_text`].
    pub fn to_text(&self) -> String {
        let line = |(name, code): (&String, &Vec<u8>)| format!("{name} {}\n", STANDARD.encode(code));
        self.0.iter().map(line).collect()
    }

    /// What [`ByteCode::to_text`] gave; none of it when it is anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let line = |line: &str| {
            let (name, code) = line.split_once(' ')?;
            let ours = name.starts_with("wheelwright_") && name.ends_with(".pyc") && !name.contains('/');
            Some((ours.then(|| name.to_owned())?, STANDARD.decode(code).ok()?))
        };
        Some(Self(Arc::new(text.lines().map(line).collect::<Option<_>>()?)))
    }

    /// What decides it, beside the interpreter.
    pub fn programs() -> Digest {
        let words: String = all().map(|(name, text)| format!("{name}\n{}\n{text}\n", text.len())).collect();
        Digest::of(words.as_bytes())
    }

    /// The files of programs with their byte code, below the build folder.
    pub fn files(&self, programs: &[Program]) -> BTreeMap<RelPath, Vec<u8>> {
        let mut files = BTreeMap::new();
        for (name, text) in programs {
            files.insert(below(&format!("job/{name}")), text.as_bytes().to_vec());
            let of_it = |cached: &str| cached.starts_with(name.trim_end_matches("py"));
            for (cached, code) in self.0.iter().filter(|(cached, _)| of_it(cached)) {
                files.insert(below(&format!("job/{CACHE}/{cached}")), code.clone());
            }
        }
        files
    }
}

/// Those that are imported, not run: Python keeps nothing of what it runs.
fn all() -> impl Iterator<Item = Program> {
    RUNNER.into_iter().skip(1).chain([FORK_SERVER])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_by_something_else_is_nothing() {
        for text in [
            "a",
            "wheelwright_a.pyc b c",
            "wheelwright_a.pyc ====",
            "a.pyc aaaa",
            "wheelwright_/../../a.pyc aaaa",
        ] {
            assert_eq!(ByteCode::from_text(text), None, "{text}");
        }
        assert_eq!(ByteCode::from_text(""), Some(ByteCode::default()));
        assert_eq!(ByteCode::default().files(&RUNNER).len(), RUNNER.len());
    }
}
