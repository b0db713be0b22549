//! Linux: the cell, landlock, and an emptied environment.
//!
//! Knows namespaces, mounts, seccomp, landlock and control groups. Must never
//! know Python. All `unsafe` of `exec` lives in this folder.

mod bare;
mod cell;
mod cgroup;
mod collect;
mod copy;
mod doctor;
mod fence;
mod init;
mod interrupt;
mod jobserver;
mod keep;
mod mount;
mod net;
mod orders;
mod payload;
mod privileges;
mod seccomp;
mod spec;
mod talk;
mod toolbox;
mod view;
mod watch;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, RwLock};
use std::time::Instant;

use cgroup::Groups;
pub use interrupt::on_interrupt;
pub use jobserver::jobserver;
use orders::Places;
use rustix::fs::FlockOperation;
use view::Host;
use watch::{End, Watch};

use super::LocalOptions;
use crate::error::{Error, IoContext, Result};
use crate::exec::action::{Action, ActionResult, Exit, Level};
use crate::exec::{ExecError, Stop};
use crate::key::TreeDigest;

/// Read while a process is started, written while executables are written.
static SPAWN: RwLock<()> = RwLock::new(());

/// See `exec::local::Local`.
pub struct Local {
    options: LocalOptions,
    host: Host,
    groups: Groups,
    /// Bytes a file system in memory may hold: half of what is free.
    scratch_bytes: u64,
    sizes: Mutex<HashMap<TreeDigest, u64>>,
}

impl Local {
    /// Looks at the host once.
    pub fn new(options: &LocalOptions) -> Result<Self> {
        let doing = || format!("failed to use the work folder `{}`", options.work.display());
        fs::metadata(&options.work).doing(doing)?;
        Ok(Self {
            options: options.clone(),
            host: Host::look(&options.toolbox),
            groups: Groups::look(),
            scratch_bytes: free_memory() / 2,
            sizes: Mutex::default(),
        })
    }

    /// One action, start to end.
    pub fn execute(&self, action: &Action, stop: &Stop) -> Result<ActionResult, ExecError> {
        let began = Instant::now();
        let mut work = Work::make(&self.options, action)?;
        let places = Places { work: work.folder.clone(), in_memory: orders::in_memory(self, action) };
        let spec = orders::spec(self, action, &places)?;
        let outputs = tempfile::Builder::new()
            .prefix("outputs-")
            .tempdir_in(&self.options.work)
            .doing(|| format!("failed to make a folder in `{}`", self.options.work.display()))?;
        let group = (action.level != Level::Env).then(|| self.groups.make(&action.limits)).flatten();
        let watch = Watch { limits: &action.limits, stop, group: group.as_ref() };
        let outcome = watch::run(&self.options.init_exe, &spec, &watch)?;
        let exit = match outcome.end {
            End::Exit(exit) => exit,
            End::Broken(isolation, doing, because) => {
                return Err(broken(action.level, isolation, doing, because));
            }
        };
        let missing = match &outcome.build {
            Some(build) => collect::collect(build, &action.outputs, action.limits.output, outputs.path())?,
            None => Vec::new(),
        };
        let failed = exit != Exit::Code(0) || !missing.is_empty();
        let kept = failed && exit != Exit::Stopped && self.options.keep_failed.is_some();
        if kept {
            keep::keep(&work.folder, &self.options.init_exe, &spec, action, &outcome.log.0)?;
            work.stays = true;
        }
        Ok(ActionResult {
            exit,
            outputs,
            missing,
            log: outcome.log.0,
            log_dropped: outcome.log.1,
            took: began.elapsed(),
            peak_memory: group.as_ref().and_then(cgroup::Group::peak),
            level: action.level,
            kept: kept.then(|| work.folder.clone()),
        })
    }

    /// Bytes of a source, looked at once.
    fn source_bytes(&self, tree: &TreeDigest) -> u64 {
        let known = |sizes: &Mutex<HashMap<TreeDigest, u64>>| {
            sizes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(tree).copied()
        };
        if let Some(bytes) = known(&self.sizes) {
            return bytes;
        }
        let bytes = folder_bytes(&(self.options.trees)(tree));
        self.sizes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(*tree, bytes);
        bytes
    }
}

fn broken(wanted: Level, isolation: bool, doing: String, because: String) -> ExecError {
    if !isolation {
        return ExecError::Machine(Error::environment(doing).because(because));
    }
    let mut hints = doctor::hints_for(wanted);
    hints.push("`wheelwright doctor` says what this host can do".to_owned());
    hints.push("`--isolation landlock` or `--isolation env` asks for less".to_owned());
    ExecError::Isolation { wanted, because: format!("{doing}: {because}"), hints }
}

/// See `exec::local::init_main`.
pub fn init_main() {
    init::run_if_asked();
    keep::run_if_asked();
}

pub use doctor::doctor;

/// A folder for one action; removed at the end, whatever a build left in it.
struct Work {
    folder: PathBuf,
    stays: bool,
    /// Held while the action runs, so that `sweep_kept` lets it be.
    _lock: fs::File,
}

impl Work {
    fn make(options: &LocalOptions, action: &Action) -> Result<Self> {
        let doing = |parent: &Path| format!("failed to make a work folder in `{}`", parent.display());
        let parent = options.keep_failed.as_ref().unwrap_or(&options.work);
        fs::create_dir_all(parent).doing(|| doing(parent))?;
        // Bind mounts and links need a path that holds from anywhere.
        let parent = fs::canonicalize(parent).doing(|| doing(parent))?;
        let prefix = match &options.keep_failed {
            Some(_) => {
                action.label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
            }
            None => String::from("work"),
        };
        // Without mounts of its own root's build comes here as another user.
        let mode = if action.level == Level::Landlock { 0o711 } else { 0o700 };
        loop {
            let folder = tempfile::Builder::new()
                .prefix(&format!("{prefix}-"))
                .permissions(fs::Permissions::from_mode(mode))
                .tempdir_in(&parent)
                .doing(|| doing(&parent))?
                .keep();
            // Swept by another run before it was locked: once more.
            let Ok(lock) = fs::File::open(&folder) else { continue };
            rustix::fs::flock(&lock, FlockOperation::LockExclusive).doing(|| doing(&parent))?;
            if folder.is_dir() {
                return Ok(Self { folder, stays: false, _lock: lock });
            }
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.stays && fs::remove_dir_all(&self.folder).is_err() {
            open_folders(&self.folder);
            // What still stays is swept with the store's other temporary folders.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Folders a build made unwritable cannot be emptied.
fn open_folders(folder: &Path) {
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_folders(&entry.path());
        }
    }
}

fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => folder_bytes(&entry.path()),
        Ok(meta) => meta.size(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

fn free_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(1 << 20) * 1024
}
