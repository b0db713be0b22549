//! Linux: the cell, landlock, and an emptied environment.
//!
//! Knows namespaces, mounts, seccomp, landlock and control groups. Must never
//! know Python. All `unsafe` of `exec` lives in this folder.

mod bare;
mod calling;
mod cell;
mod cgroup;
mod collect;
mod copy;
mod doctor;
mod domain;
mod fence;
mod heap;
mod init;
mod interrupt;
mod jobserver;
mod keep;
mod memory;
mod mount;
mod net;
mod nursery;
mod orders;
mod payload;
mod privileges;
mod ready;
mod seccomp;
mod servers;
mod spec;
mod standby;
mod talk;
mod toolbox;
mod view;
mod watch;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use calling::Called;
use cgroup::Groups;
pub use heap::{fill_heap, roomy_heap, share_heap};
pub use interrupt::on_interrupt;
pub use jobserver::Jobserver;
pub use keep::sweep_failed;
use nursery::Nursery;
use orders::Places;
use servers::Servers;
use spec::Who;
use standby::{Made, Wanted};
use toolbox::Shelf;
use view::Host;
use watch::{End, Outcome, Watch};

use super::LocalOptions;
use crate::error::{Error, IoContext, Result};
use crate::exec::action::{Action, ActionResult, Exit, Level, Limits, Warm, Warmth};
use crate::exec::{ExecError, Stop};
use crate::key::TreeDigest;
use crate::tree::RelPath;

/// Read while a process is started, written while executables are written.
static SPAWN: RwLock<()> = RwLock::new(());

/// See `exec::local::Local`.
pub struct Local {
    options: LocalOptions,
    host: Host,
    groups: Groups,
    /// Bytes of memory that were free at the start.
    free: u64,
    /// Whether nothing on the store's disk can be executed.
    noexec: bool,
    sizes: Mutex<HashMap<TreeDigest, u64>>,
    /// Ends before the thread that it was started from, which is the servers'.
    nursery: Nursery,
    servers: Servers,
}

impl Local {
    /// Looks at the host once.
    pub fn new(options: &LocalOptions) -> Result<Self> {
        let doing = || format!("failed to use the work folder `{}`", options.work.display());
        fs::metadata(&options.work).doing(doing)?;
        let free = memory::free();
        Ok(Self {
            options: options.clone(),
            host: Host::look(Shelf { cache: options.toolbox.clone(), staging: options.work.clone() }),
            groups: Groups::look(),
            free,
            noexec: doctor::Disk::of(&options.work).is_some_and(|disk| disk.noexec),
            sizes: Mutex::default(),
            nursery: Nursery::default(),
            servers: Servers::new(free),
        })
    }

    /// One action, start to end.
    pub fn execute(&self, action: &Action, stop: &Stop) -> Result<ActionResult, ExecError> {
        let began = Instant::now();
        if self.noexec {
            return Err(ExecError::Machine(noexec(&self.options.work)));
        }
        let _turn = self.options.jobserver.as_ref().map(|server| server.begin());
        let in_memory = orders::in_memory(self, action);
        let wants = action.warm.as_ref().filter(|_| in_memory && !stop.is_stopped());
        let warmth = match wants.map(|warm| self.warmly(action, warm, stop)).transpose()? {
            Some(Ok(mut result)) => {
                result.took = began.elapsed();
                return Ok(result);
            }
            Some(Err(because)) => Warmth::Lost(because),
            None => Warmth::Cold,
        };
        let mut tried = self.attempt(action, stop, in_memory)?;
        if in_memory && tried.wants_disk && !stop.is_stopped() {
            // Where `/build` lies never decides what comes of it.
            tried = self.attempt(action, stop, false)?;
        }
        tried.result.took = began.elapsed();
        tried.result.warmth = warmth;
        Ok(tried.result)
    }

    /// See `Executor::prepare`.
    pub fn prepare(&self, action: &Action, stop: &Stop) -> bool {
        let fits = action.level == Level::Full && orders::in_memory(self, action);
        let Some(warm) = action.warm.as_ref().filter(|_| fits && !self.noexec && !stop.is_stopped()) else {
            return false;
        };
        if !self.servers.may_start(action, warm) {
            return false;
        }
        let Ok(server) = self.servers.get(self, action, (warm, stop)) else { return false };
        self.servers.make_ahead(&server, self.wanted(action, warm), stop);
        server.hurry();
        true
    }

    /// In a child of a fork server. A reason instead of a result: it is still
    /// to be run, for a warm child gives good results or none.
    fn warmly(
        &self,
        action: &Action,
        warm: &Warm,
        stop: &Stop,
    ) -> Result<std::result::Result<ActionResult, String>, ExecError> {
        let server = match self.servers.get(self, action, (warm, stop)) {
            Ok(server) => server,
            Err(because) => return Ok(Err(because)),
        };
        let wanted = self.wanted(action, warm);
        let made = match server.take(&wanted) {
            Some(standby) => Made::Ready(standby),
            None => standby::make(&server, wanted.clone(), stop, || ())?,
        };
        let standby = match made {
            Made::Ready(standby) => *standby,
            Made::Stopped => return Ok(Err("the run is to stop".to_owned())),
            Made::Lost { for_good, because } => {
                self.servers.give_up(&server, for_good);
                return Ok(Err(because));
            }
        };
        if warm.more {
            self.servers.make_ahead(&server, wanted, stop);
        }
        let (spec, source) = orders::called(self, action, warm)?;
        let watch = Watch { limits: &action.limits, stop, group: None };
        let called = calling::call((&server, standby), (&spec, source.as_ref()), &watch);
        server.hurry();
        let called = called?;
        let (outcome, peak_memory) = match called {
            Called::Ended(outcome, peak) => (outcome, peak),
            Called::Lost { for_good, because } => {
                self.servers.give_up(&server, for_good);
                return Ok(Err(because));
            }
        };
        let End::Exit(exit @ (Exit::Code(0) | Exit::Stopped)) = outcome.end else {
            return Ok(Err("it failed in a fork server's child".to_owned()));
        };
        let outputs = self.outputs()?;
        let missing = match &outcome.build {
            Some(build) if exit != Exit::Stopped => {
                collect::collect(build, &action.outputs, action.limits.output, outputs.path())?
            }
            _ => Vec::new(),
        };
        let result = result(action, outcome.log, (exit, outputs, missing));
        Ok(Ok(ActionResult { peak_memory, warmth: Warmth::Warm, ..result }))
    }

    fn wanted(&self, action: &Action, warm: &Warm) -> Wanted {
        Wanted { cell: orders::waiting(self, action), order: warm.order.clone() }
    }

    /// An empty folder for what an action leaves.
    fn outputs(&self) -> Result<tempfile::TempDir> {
        let work = &self.options.work;
        let made = tempfile::Builder::new().prefix("outputs-").tempdir_in(work);
        made.doing(|| format!("failed to make a folder in `{}`", work.display()))
    }

    fn attempt(&self, action: &Action, stop: &Stop, in_memory: bool) -> Result<Tried, ExecError> {
        let mut work = Work::make(&self.options, action)?;
        let group = (action.level != Level::Env).then(|| self.groups.make(&action.limits)).flatten();
        let places = Places { work: work.folder.clone(), in_memory, grouped: group.is_some() };
        let spec = orders::spec(self, action, &places)?;
        let outputs = self.outputs()?;
        let watch = Watch { limits: &action.limits, stop, group: group.as_ref() };
        let inits = |control: &OwnedFd, log: &OwnedFd| self.fork_init(control, log);
        let outcome = watch::run((&self.options.init_exe, &inits), &spec, &watch);
        if let Some(group) = &group {
            group.end();
        }
        let outcome = outcome?;
        let exit = match outcome.end {
            End::Exit(exit) => exit,
            End::Broken(isolation, doing, because) => {
                return Err(broken(action.level, isolation, doing, because));
            }
        };
        let missing = match &outcome.build {
            // Nobody will look at them.
            Some(_) if exit == Exit::Stopped => Vec::new(),
            Some(build) => collect::collect(build, &action.outputs, action.limits.output, outputs.path())?,
            None => Vec::new(),
        };
        let failed = exit != Exit::Code(0) || !missing.is_empty();
        let by_itself = matches!(exit, Exit::Code(_) | Exit::Signal(_));
        let wants_disk =
            failed && by_itself && in_memory && outgrew_memory(&outcome, group.as_ref(), &action.limits);
        let kept = failed && exit != Exit::Stopped && self.options.keep_failed.is_some();
        if kept {
            keep::keep(&work.folder, &self.options.init_exe, &spec, action, &outcome.log.0)?;
            work.stays = true;
        }
        let result = ActionResult {
            peak_memory: group.as_ref().and_then(cgroup::Group::peak),
            kept: kept.then(|| work.folder.clone()),
            ..result(action, outcome.log, (exit, outputs, missing))
        };
        Ok(Tried { result, wants_disk })
    }

    fn fork_init(&self, control: &OwnedFd, log: &OwnedFd) -> io::Result<()> {
        self.nursery.order((control, log), |orders| {
            let exe = self.options.init_exe.clone();
            self.servers.in_keeper(move || init::start(&exe, orders, None))
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

/// Why nothing can run here. The tools of cells and the environments of builds
/// lie in the store: it would look as if each package were at fault.
fn noexec(work: &Path) -> Error {
    Error::environment(format!("failed to run anything from `{}`", work.display()))
        .because("its file system is mounted `noexec`")
        .hint("mount it with `exec`, or name a store elsewhere with `--store` or WHEELWRIGHT_STORE")
}

/// What an action left, without what depends on how it was run.
fn result(
    action: &Action,
    (log, log_dropped): (Vec<u8>, u64),
    (exit, outputs, missing): (Exit, tempfile::TempDir, Vec<(RelPath, String)>),
) -> ActionResult {
    ActionResult {
        exit,
        outputs,
        missing,
        log,
        log_dropped,
        took: Duration::ZERO,
        peak_memory: None,
        warmth: Warmth::Cold,
        level: action.level,
        kept: None,
    }
}

/// One try of an action.
struct Tried {
    result: ActionResult,
    /// It failed, and the file systems in memory may be why.
    wants_disk: bool,
}

/// Whether an action may have failed because `/build` and `/tmp` were in
/// memory: one was full, or what was in it took the memory that the build
/// itself needed.
fn outgrew_memory(outcome: &Outcome, group: Option<&cgroup::Group>, limits: &Limits) -> bool {
    const FULL: &[u8] = b"No space left on device";
    let Some(stat) = outcome.build.as_ref().and_then(|build| rustix::fs::fstatvfs(build).ok()) else {
        return false;
    };
    let used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize;
    let crowded = used > limits.memory / 8 && group.is_some_and(cgroup::Group::ran_out_of_memory);
    // A file that did not fit may have been removed again.
    crowded || stat.f_bavail == 0 || memchr::memmem::find(&outcome.log.0, FULL).is_some()
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
    /// Says of a folder that may be kept that its run lives.
    _mark: Option<fs::File>,
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
        // Without mounts of its own root's build comes here as another user. Of
        // an ordinary user's build nobody else may run what it makes.
        let other = action.level == Level::Landlock && matches!(orders::who(action.level), Who::Becomes(..));
        let mode = if other { 0o711 } else { 0o700 };
        let folder = tempfile::Builder::new()
            .prefix(&format!("{prefix}-"))
            .permissions(fs::Permissions::from_mode(mode))
            .tempdir_in(&parent)
            .doing(|| doing(&parent))?;
        let mark = options.keep_failed.as_ref().map(|_| keep::mark(folder.path())).transpose()?;
        Ok(Self { folder: folder.keep(), stays: false, _mark: mark })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.stays {
            // What cannot be removed is swept with the store's other temporary folders.
            let _ = crate::tree::fs::remove_tree(&self.folder);
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
