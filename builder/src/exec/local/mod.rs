//! Running actions on this machine.
//!
//! Knows which operating system this is, and nothing else of it: what differs
//! lives in `linux` and `other`. Must never know Python.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{ExecError, Executor, Fact, Stop};
use crate::error::Result;
use crate::exec::action::{Action, ActionResult};
use crate::key::TreeDigest;

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod os;
mod take_over;

pub use os::{Jobserver, on_interrupt, sweep_failed};
pub use take_over::become_command;

/// Where the jobserver's fifo is seen by an action at every level:
/// `MAKEFLAGS=--jobserver-auth=fifo:/s/jobserver`.
pub const JOBSERVER: &str = "/s/jobserver";

/// What a local executor needs to know. Cheap to clone.
#[derive(Clone)]
pub struct LocalOptions {
    /// Where the store keeps a tree.
    pub trees: Arc<dyn Fn(&TreeDigest) -> PathBuf + Send + Sync>,
    /// Existing folder on the store's disk for work folders and results.
    pub work: PathBuf,
    /// Folder for the prepared tools of `HostView::Minimal`, on the same disk as
    /// `work`; made when missing,
    /// may be shared by several runs and deleted at any time between runs.
    pub toolbox: PathBuf,
    /// When given: work folders of failed actions are left here, with a `run.sh`
    /// that re-enters the same isolation. Made when missing. What a killed run
    /// leaves there [`sweep_failed`] removes.
    pub keep_failed: Option<PathBuf>,
    /// Its fifo is what an action finds at [`JOBSERVER`]; each running action
    /// counts as one of its tokens.
    pub jobserver: Option<Arc<Jobserver>>,
    /// The binary whose `main` begins with [`init_main`]: `/proc/self/exe`, but
    /// in tests.
    pub init_exe: PathBuf,
    /// Where `/build` lies.
    pub build_on: BuildOn,
    /// Actions that may run at once: they share the memory there is.
    pub jobs: usize,
    /// How long a fork server may load what a child of it needs; afterwards the
    /// action runs without it.
    pub server_patience: Duration,
}

impl LocalOptions {
    /// The usual options: `work` and `toolbox` as given, nothing kept.
    pub fn new(
        trees: impl Fn(&TreeDigest) -> PathBuf + Send + Sync + 'static,
        work: impl Into<PathBuf>,
        toolbox: impl Into<PathBuf>,
    ) -> Self {
        Self {
            trees: Arc::new(trees),
            work: work.into(),
            toolbox: toolbox.into(),
            keep_failed: None,
            jobserver: None,
            init_exe: "/proc/self/exe".into(),
            build_on: BuildOn::Auto,
            jobs: 1,
            server_patience: Duration::from_secs(60),
        }
    }
}

/// Where a cell's `/build` and `/tmp` lie. Changes speed, never results: an
/// action that outgrew the memory runs once more on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildOn {
    /// In memory when the expected size fits well, else on disk.
    Auto,
    /// In memory.
    Memory,
    /// In the work folder.
    Disk,
}

/// Runs actions as processes of this machine.
pub struct Local(os::Local);

/// An executor for this machine. Looks at the host's system folders once;
/// whether a level can be had shows at the first action that asks for it.
///
/// # Errors
/// When the work folder cannot be used.
pub fn local(options: &LocalOptions) -> Result<Local> {
    os::Local::new(options).map(Local)
}

impl Executor for Local {
    fn execute(&self, action: &Action, stop: &Stop) -> Result<ActionResult, ExecError> {
        self.0.execute(action, stop)
    }

    fn prepare(&self, action: &Action, stop: &Stop) -> bool {
        self.0.prepare(action, stop)
    }
}

/// Must be the first thing `main` does: when this process is the init of a
/// cell (or a replay of a kept one) it does that and never returns.
pub fn init_main() {
    os::init_main();
}

/// Makes the heap of this process give back what it does not use. For `main`,
/// before there is a second thread.
pub fn share_heap() {
    os::share_heap();
}

/// Makes the heap of the calling thread ready for many megabytes of small
/// things: it grows in large steps, of large pages where the system gives them
/// to those who ask. A quarter of the time goes to the kernel without.
pub fn roomy_heap() {
    os::roomy_heap();
}

/// Has so many bytes of the heap that the main thread will use next filled with
/// pages beside it, on a thread that ends by itself: the kernel clears each of
/// them, which is a third of what a thread does that only allocates. For those
/// who know that they will need as much, after [`roomy_heap`].
pub fn fill_heap(bytes: usize) -> Filling {
    let filling = Filling::default();
    os::fill_heap(bytes, Arc::clone(&filling.0));
    filling
}

/// A heap that is being filled, until this is dropped: while a page is cleared,
/// who starts a thread waits for it.
#[derive(Debug, Default)]
pub struct Filling(Arc<AtomicBool>);

impl Drop for Filling {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What this host can do and what would help it do more. Tries each level once
/// with a trivial action.
pub fn doctor(options: &LocalOptions) -> Vec<Fact> {
    os::doctor(options)
}
