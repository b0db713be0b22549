//! The user's own repository: what of it is clean, and commits of some files.
//!
//! Knows the git program in the user's world: name, address, hooks and signing
//! are theirs. Must never touch what is staged or changed elsewhere.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Result};

/// Variables that would lead git to another repository, or part of it.
const LEADING: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_LITERAL_PATHSPECS",
];

/// A repository of the user's.
pub struct OwnRepository {
    program: PathBuf,
    env: Vec<(OsString, OsString)>,
    /// Its top folder.
    top: PathBuf,
}

impl OwnRepository {
    /// The one a folder lies in; an error when there is none.
    pub fn around(ambient: &Ambient, folder: &Path) -> Result<Self> {
        let program = ambient
            .find_program("git")
            .ok_or_else(|| Error::environment("there is no `git` in PATH").hint("install `git`"))?;
        let kept = ambient.vars().filter(|(name, _)| !LEADING.iter().any(|l| OsStr::new(l) == *name));
        let mut env: Vec<(OsString, OsString)> =
            kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        env.extend([("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")].map(|(n, v)| (n.into(), v.into())));
        let mut own = Self { program, env, top: folder.to_owned() };
        let top = own.run(&["rev-parse", "--show-toplevel"], &[]).map_err(|error| {
            Error::input(format!("`{}` lies in no git repository", folder.display()))
                .because(error.causes.join(": "))
                .hint("make one with `git init`, or leave --commit out")
        })?;
        own.top = PathBuf::from(OsString::from(String::from_utf8_lossy(&top).trim_end_matches('\n')));
        Ok(own)
    }

    /// Of some files those that differ from the last commit, or are not in it.
    pub fn unclean(&self, files: &[&Path]) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for file in files {
            let path = self.relative(file)?;
            let path = [path.as_os_str()];
            let changed = self.run(&["status", "--porcelain", "-z", "--untracked-files=all", "--"], &path)?;
            let known = self.run(&["ls-files", "-z", "--"], &path)?;
            if !changed.is_empty() || known.is_empty() {
                found.push((*file).to_owned());
            }
        }
        Ok(found)
    }

    /// Commits some files as they are now, and nothing else; those that are
    /// gone are gone in the commit, too.
    pub fn commit(&self, files: &[&Path], message: &str) -> Result<()> {
        let files: Vec<PathBuf> = files.iter().map(|file| self.relative(file)).collect::<Result<_>>()?;
        let there: Vec<&OsStr> =
            files.iter().filter(|file| self.top.join(file).exists()).map(|file| file.as_os_str()).collect();
        // What is new must be known before it can be committed by name.
        if !there.is_empty() {
            self.run(&["add", "--intent-to-add", "--"], &there)?;
        }
        let all: Vec<&OsStr> = files.iter().map(|file| file.as_os_str()).collect();
        let message = format!("--message={message}");
        self.run(&["commit", "--quiet", "--only", "--cleanup=whitespace", &message, "--"], &all).map(drop)
    }

    /// A file's path below the top folder, whatever links lead there.
    fn relative(&self, file: &Path) -> Result<PathBuf> {
        let doing = || format!("failed to find `{}` in the git repository", file.display());
        let folder = file.parent().unwrap_or(Path::new("/")).canonicalize().doing(doing)?;
        let top = self.top.canonicalize().doing(doing)?;
        let inside = folder.strip_prefix(&top).ok().zip(file.file_name());
        let (folder, name) = inside.ok_or_else(|| {
            Error::input(doing()).because(format!("it does not lie below `{}`", self.top.display()))
        })?;
        Ok(folder.join(name))
    }

    fn run(&self, args: &[&str], paths: &[&OsStr]) -> Result<Vec<u8>> {
        let verb = args.first().copied().unwrap_or_default();
        let output = Command::new(&self.program)
            // Names are names, whatever is in them.
            .args(["--literal-pathspecs", "-C"])
            .arg(&self.top)
            .args(args)
            .args(paths)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .doing(|| format!("failed to start `{}`", self.program.display()))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> =
            said.lines().chain(std::str::from_utf8(&output.stdout).unwrap_or("").lines()).collect();
        let mut error = Error::input(format!("`git {verb}` failed"));
        error.causes =
            said.iter().filter(|line| !line.trim().is_empty()).take(8).map(|l| (*l).to_owned()).collect();
        Err(error)
    }
}
