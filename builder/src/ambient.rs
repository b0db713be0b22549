//! The one look at the world: environment, working folder, clock, cpus, terminal.
//!
//! Knows how to read them once and pass them as values. Must never know anything
//! else in the crate (but how to say an error).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::error::{Error, IoContext as _, Result};

/// What the process was started with. Read once in `main` and handed on; the
/// environment may hold passwords, so `Debug` shows only its names.
#[derive(Clone)]
pub struct Ambient {
    env: BTreeMap<OsString, OsString>,
    /// The names that were asked for, by any clone; nothing once all of the
    /// environment was.
    asked: Arc<Mutex<Option<BTreeSet<OsString>>>>,
    /// The working folder, absolute.
    pub cwd: PathBuf,
    /// The wall clock at the start. Times inside a run are measured from here.
    pub now: SystemTime,
    /// Processors this process may use, at least 1.
    pub cpus: usize,
    /// Whether stdout is a terminal.
    pub stdout_tty: bool,
    /// Whether stderr is a terminal.
    pub stderr_tty: bool,
    /// The user's home folder: `$HOME`, else what the user database says.
    pub home: Option<PathBuf>,
    /// Who runs us.
    pub user: User,
    /// Our own executable, for re-execution.
    pub exe: Option<PathBuf>,
    /// Arguments as given, the program's name first.
    pub args: Vec<OsString>,
    /// The mask of the modes of new files. Ours is another one from the
    /// moment a store is opened; the user's own command gets this one back.
    pub umask: u32,
    /// Where files of the whole machine lie: `/`, another folder in tests.
    pub root: PathBuf,
}

/// Who runs us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// `$USER` or `$LOGNAME`, else the number.
    pub name: String,
}

impl Ambient {
    /// Looks, once. A working folder that is gone is an error.
    pub fn look() -> Result<Self> {
        let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let cwd = std::env::current_dir()
            .doing(|| "failed to find the working folder")
            .map_err(|e| e.hint("it may have been removed: change to another folder"))?;
        let uid = rustix::process::geteuid().as_raw();
        // It cannot be read without being set, and nothing runs beside us yet.
        let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        rustix::process::umask(umask);
        let name = ["USER", "LOGNAME"]
            .iter()
            .find_map(|n| env.get(OsStr::new(n)).and_then(|v| v.to_str()).filter(|v| !v.is_empty()))
            .map_or_else(|| uid.to_string(), str::to_owned);
        Ok(Self {
            cwd,
            now: SystemTime::now(),
            cpus: std::thread::available_parallelism().map_or(1, |n| n.get()),
            stdout_tty: std::io::stdout().is_terminal(),
            stderr_tty: std::io::stderr().is_terminal(),
            home: std::env::home_dir().filter(|h| h.is_absolute()),
            user: User { uid, gid: rustix::process::getegid().as_raw(), name },
            exe: std::env::current_exe().ok(),
            args: std::env::args_os().collect(),
            umask: umask.as_raw_mode(),
            root: PathBuf::from("/"),
            asked: Arc::new(Mutex::new(Some(BTreeSet::new()))),
            env,
        })
    }

    /// A made-up world for tests: home and working folder are `dir`, the
    /// machine's files lie below `dir/root`, the environment is empty, the
    /// clock stands at 2026-01-01.
    pub fn made_up(dir: &Path) -> Self {
        Self {
            env: BTreeMap::new(),
            asked: Arc::new(Mutex::new(Some(BTreeSet::new()))),
            cwd: dir.to_owned(),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            cpus: 2,
            stdout_tty: false,
            stderr_tty: false,
            home: Some(dir.to_owned()),
            user: User { uid: 1000, gid: 1000, name: "tester".into() },
            exe: None,
            args: Vec::new(),
            umask: 0o022,
            root: dir.join("root"),
        }
    }

    /// The same world with one variable set.
    pub fn with_var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// The same world with another working folder.
    pub fn with_cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = cwd.into();
        self
    }

    /// The same world at another time.
    pub fn with_now(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }

    /// A variable; one that is empty or not UTF-8 counts as not set.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.var_os(name).and_then(|v| v.to_str()).filter(|v| !v.is_empty())
    }

    /// A variable as it is.
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = asked.as_mut().filter(|names| !names.contains(OsStr::new(name))) {
            names.insert(name.into());
        }
        self.env.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The names of all variables that were asked for so far, whether they are
    /// set or not: what was done since the start rests on no other. Nothing
    /// where all of the environment was asked for.
    pub fn asked(&self) -> Option<Vec<String>> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.as_ref()?.iter().map(|name| name.to_str().map(str::to_owned)).collect()
    }

    /// A variable that names a path, made absolute; `~/` is the home folder.
    pub fn path_var(&self, name: &str) -> Option<PathBuf> {
        self.var_os(name).filter(|v| !v.is_empty()).map(|v| self.absolute(Path::new(v)))
    }

    /// The whole environment, for the few children that are the user's own.
    pub fn vars(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.env.iter().map(|(k, v)| (k.as_os_str(), v.as_os_str()))
    }

    /// `path` made absolute from the working folder, `~/` from the home folder.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => self.cwd.join(path),
        }
    }

    /// A file of the machine (`etc/pip.conf`), below [`Ambient::root`].
    pub fn machine(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The first executable of that name in `$PATH`.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        let path = self.var_os("PATH")?;
        std::env::split_paths(path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join(name))
            .find(|file| is_program(file))
    }

    /// XDG_CONFIG_HOME, else `~/.config`. A relative value is ignored, as the XDG rules say.
    pub fn config_home(&self) -> Option<PathBuf> {
        self.xdg("XDG_CONFIG_HOME", ".config")
    }

    /// XDG_DATA_HOME, else `~/.local/share`.
    pub fn data_home(&self) -> Option<PathBuf> {
        self.xdg("XDG_DATA_HOME", ".local/share")
    }

    /// XDG_CACHE_HOME, else `~/.cache`.
    pub fn cache_home(&self) -> Option<PathBuf> {
        self.xdg("XDG_CACHE_HOME", ".cache")
    }

    /// XDG_CONFIG_DIRS, else `/etc/xdg`; the most important first.
    pub fn config_dirs(&self) -> Vec<PathBuf> {
        let given: Vec<PathBuf> = self
            .var_os("XDG_CONFIG_DIRS")
            .map(|v| std::env::split_paths(v).filter(|p| p.is_absolute()).collect())
            .unwrap_or_default();
        if given.is_empty() { vec![self.machine("etc/xdg")] } else { given }
    }

    /// The store: `$WHEELWRIGHT_STORE`, else `wheelwright` in the XDG data folder.
    pub fn store_root(&self) -> Result<PathBuf> {
        if let Some(given) = self.path_var("WHEELWRIGHT_STORE") {
            return Ok(given);
        }
        self.data_home().map(|d| d.join("wheelwright")).ok_or_else(|| {
            Error::environment("failed to find a folder for the store: this user has no home folder")
                .hint("set WHEELWRIGHT_STORE to a folder that can be written")
        })
    }

    /// Whether the user asked for plain text (the NO_COLOR convention, `TERM=dumb`).
    pub fn no_color(&self) -> bool {
        self.var("NO_COLOR").is_some() || self.var("TERM") == Some("dumb")
    }

    /// Bytes of memory this machine has; a guess of 4 GiB where it does not say.
    pub fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(self.machine("proc/meminfo")).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"));
        let kib = line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok());
        kib.map_or(4 << 30, |k| k.saturating_mul(1024))
    }

    /// Seconds since 1970 at the start.
    pub fn unix_now(&self) -> u64 {
        self.now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
    }

    fn xdg(&self, var: &str, below_home: &str) -> Option<PathBuf> {
        let given = self.var_os(var).map(PathBuf::from).filter(|p| p.is_absolute());
        given.or_else(|| self.home.as_ref().map(|h| h.join(below_home)))
    }
}

/// Whether a path is a file that this user may execute.
pub fn is_program(file: &Path) -> bool {
    use rustix::fs::{Access, access};
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&OsString> = self.env.keys().collect();
        f.debug_struct("Ambient")
            .field("env", &names)
            .field("cwd", &self.cwd)
            .field("home", &self.home)
            .field("cpus", &self.cpus)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_world_can_be_looked_at() {
        let ambient = Ambient::look().unwrap();
        assert!(ambient.cwd.is_absolute());
        assert!(ambient.cpus >= 1);
        assert!(ambient.find_program("sh").is_some());
        assert!(ambient.find_program("no-such-program-here").is_none());
    }

    #[test]
    fn the_store_lies_where_the_user_says() {
        let ambient = Ambient::made_up(Path::new("/home/u"));
        assert_eq!(ambient.store_root().unwrap(), Path::new("/home/u/.local/share/wheelwright"));
        let relative = ambient.clone().with_var("XDG_DATA_HOME", "data");
        assert_eq!(relative.store_root().unwrap(), Path::new("/home/u/.local/share/wheelwright"));
        let given = ambient.clone().with_var("XDG_DATA_HOME", "/d");
        assert_eq!(given.store_root().unwrap(), Path::new("/d/wheelwright"));
        let own = given.with_cwd("/w").with_var("WHEELWRIGHT_STORE", "s");
        assert_eq!(own.store_root().unwrap(), Path::new("/w/s"));
        let mut homeless = ambient;
        homeless.home = None;
        assert!(homeless.store_root().unwrap_err().hints[0].contains("WHEELWRIGHT_STORE"));
    }

    #[test]
    fn debug_shows_no_value_of_the_environment() {
        let ambient = Ambient::made_up(Path::new("/h")).with_var("TOKEN", "hunter2");
        let text = format!("{ambient:?}");
        assert!(text.contains("TOKEN") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn it_is_known_which_variables_were_asked_for() {
        let ambient = Ambient::made_up(Path::new("/h")).with_var("B", "1").with_var("C", "2");
        let other = ambient.clone();
        assert_eq!((other.var("B"), ambient.path_var("A")), (Some("1"), None));
        assert_eq!(ambient.asked().unwrap(), ["A", "B"], "C was never looked at");
        assert_eq!(other.vars().count(), 2);
        assert_eq!(ambient.asked(), None, "all of them were");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let ambient = Ambient::made_up(Path::new("/h")).with_var("A", "").with_var("B", "~/x");
        assert_eq!(ambient.var("A"), None);
        assert_eq!(ambient.path_var("B").unwrap(), Path::new("/h/x"));
    }
}
