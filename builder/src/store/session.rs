//! One process' stay in the store: its temporary folders and its pins.
//!
//! Knows that a lock held on a file dies with its process, however it dies.
//! Must never know what the temporary folders are for.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::FlockOperation;

use super::input::{Input, pack, unpack};
use super::{Inner, Store, explain, make_folder};
use crate::error::{IoContext as _, Result};
use crate::tree::fs::remove_tree;

const LOCK: &str = "lock";
const PINS: &str = "pins";
const ENV_PINS: &str = "env-pins";

/// The folder of this process below `tmp/`.
pub(super) struct Session {
    path: PathBuf,
    /// One writer at a time, of `env-pins` too: see [`append`].
    pins: Mutex<File>,
    next: AtomicU64,
    /// Held while the process lives; the kernel lets go of it.
    lock: File,
}

/// A temporary folder on the store's file system, removed when dropped, or
/// by the next run when its owner was killed.
pub struct TempDir {
    path: PathBuf,
    /// The session must outlive its folders.
    _store: Arc<Inner>,
}

impl TempDir {
    /// Where it is: absolute, mode 0755.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next run.
        let _ = remove_tree(&self.path);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = remove_tree(&self.path);
    }
}

/// The gate between those who take hold of things (shared) and the sweep
/// that removes what nobody holds (exclusive).
pub(super) struct Gate {
    _file: File,
}

impl Gate {
    pub(super) fn shared(root: &Path) -> Result<Self> {
        Self::enter(root, FlockOperation::LockShared)
    }

    pub(super) fn exclusive(root: &Path) -> Result<Self> {
        Self::enter(root, FlockOperation::LockExclusive)
    }

    fn enter(root: &Path, how: FlockOperation) -> Result<Self> {
        let path = root.join("locks/gate");
        let doing = || format!("failed to lock `{}`", path.display());
        let file = open_lock(&path).map_err(|e| explain(e, doing()))?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&file, how)).doing(doing)?;
        Ok(Self { _file: file })
    }
}

pub(super) fn open_lock(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

impl Session {
    /// Enters; on the way removes what dead processes left.
    fn enter(root: &Path, stamp: &str) -> Result<Self> {
        sweep(root)?;
        // Shared: a sweep must not see the folder before its lock is held.
        let _gate = Gate::shared(root)?;
        let tmp = root.join("tmp");
        let pid = std::process::id();
        let doing = || format!("failed to make a temporary folder in `{}`", tmp.display());
        let path = free_folder(&tmp, &format!("{pid}-{stamp}")).map_err(|e| explain(e, doing()))?;
        let lock = open_lock(&path.join(LOCK)).map_err(|e| explain(e, doing()))?;
        // Blocking: who lists the sessions tries each lock for a moment.
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).doing(doing)?;
        let pins = OpenOptions::new().append(true).create_new(true).open(path.join(PINS));
        let pins = pins.map_err(|e| explain(e, doing()))?;
        super::ballast::make(root);
        Ok(Self { path, pins: Mutex::new(pins), next: AtomicU64::new(0), lock })
    }

    fn pin(&self, held: &[Input]) -> std::io::Result<()> {
        append(&self.pins.lock().unwrap_or_else(PoisonError::into_inner), &pack(held))
    }

    fn pin_env(&self, name: &str) -> std::io::Result<()> {
        let _alone = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let file = OpenOptions::new().append(true).create(true).open(self.path.join(ENV_PINS))?;
        append(&file, format!("{name}\n").as_bytes())
    }
}

/// Appends all or, on a disk that fills up meanwhile, nothing: a part of a
/// record would shift all that come after it.
fn append(mut file: &File, bytes: &[u8]) -> std::io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(bytes).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = file.set_len(before);
    })
}

/// Makes the first `NAME-0`, `NAME-1`, … that was not there: made, not looked
/// for, since another store of this process may be entered at the same time.
fn free_folder(tmp: &Path, name: &str) -> std::io::Result<PathBuf> {
    let mut numbers = 0u32..;
    loop {
        let number = numbers.next().expect("a number is free");
        let path = tmp.join(format!("{name}-{number}"));
        match std::fs::create_dir(&path) {
            Ok(()) => {
                rustix::fs::chmod(&path, crate::tree::fs::bits(0o755))?;
                return Ok(path);
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
}

/// Removes the folders of processes that are gone. Skipped when another
/// process is just entering or sweeping.
fn sweep(root: &Path) -> Result<()> {
    let dead: Vec<PathBuf> = sessions(root)?.into_iter().filter(|s| !s.alive).map(|s| s.path).collect();
    if dead.is_empty() {
        return Ok(());
    }
    let gate = Gate::exclusive(root)?;
    // Looked at again behind the gate: nobody is half inside now.
    let dead: Vec<PathBuf> = sessions(root)?.into_iter().filter(|s| !s.alive).map(|s| s.path).collect();
    drop(gate);
    for path in dead {
        // Files of another user, a process that is still dying, another run
        // that sweeps too: no reason not to work. The next run tries again.
        let _ = remove_tree(&path);
    }
    Ok(())
}

/// A session's folder as another process sees it.
pub(super) struct Other {
    pub path: PathBuf,
    pub alive: bool,
}

/// All sessions. Those without a lock file count as dead, which is only
/// certain behind the exclusive gate; those whose lock cannot be asked count
/// as alive.
pub(super) fn sessions(root: &Path) -> Result<Vec<Other>> {
    let tmp = root.join("tmp");
    let doing = || format!("failed to read `{}`", tmp.display());
    let mut out = Vec::new();
    for entry in std::fs::read_dir(&tmp).doing(doing)? {
        let path = entry.doing(doing)?.path();
        let alive = match File::open(path.join(LOCK)) {
            Err(e) => !matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory),
            Ok(file) => rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_err(),
        };
        out.push(Other { path, alive });
    }
    Ok(out)
}

/// What a living session holds.
pub(super) fn pins_of(session: &Path) -> Vec<Input> {
    unpack(&std::fs::read(session.join(PINS)).unwrap_or_default())
}

/// The environments a living session holds.
pub(super) fn env_pins_of(session: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(session.join(ENV_PINS)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

impl Store {
    /// A new empty folder on the store's file system.
    pub fn temp_dir(&self) -> Result<TempDir> {
        let path = self.temp_path()?;
        make_folder(&path)
            .map_err(|e| explain(e, format!("failed to make the temporary folder `{}`", path.display())))?;
        Ok(TempDir { path, _store: Arc::clone(&self.inner) })
    }

    /// This process' own folder, for files that have no name in it: they go
    /// with whoever holds them open.
    pub fn session_dir(&self) -> Result<PathBuf> {
        Ok(self.session()?.path.clone())
    }

    /// Removes what dead processes left: for a process that makes nothing
    /// itself. Whoever does has swept by then.
    pub fn sweep(&self) -> Result<()> {
        sweep(self.root())
    }

    /// A path in this process' folder that nobody else uses.
    pub(super) fn temp_path(&self) -> Result<PathBuf> {
        let session = self.session()?;
        Ok(session.path.join(session.next.fetch_add(1, Ordering::Relaxed).to_string()))
    }

    fn session(&self) -> Result<&Session> {
        if let Some(session) = self.inner.session.get() {
            return Ok(session);
        }
        // One thread at a time: two that enter together could choose the same
        // folder, and the second would wait for ever for the lock that its
        // own process holds.
        let _entering = self.inner.entering.lock().expect("no holder of this lock panics");
        if let Some(session) = self.inner.session.get() {
            return Ok(session);
        }
        let fresh = Session::enter(self.root(), &self.state().stamp()?)?;
        Ok(self.inner.session.get_or_init(|| fresh))
    }

    /// Keeps these from every `gc` while this process lives. Call it behind
    /// the shared gate, before looking whether they are there.
    pub(super) fn pin(&self, held: &[Input]) -> Result<()> {
        if held.is_empty() {
            return Ok(());
        }
        let session = self.session()?;
        session.pin(held).map_err(|e| explain(e, format!("failed to write `{}`", session.path.display())))
    }

    /// Keeps an environment from every `gc` while this process lives.
    pub(super) fn pin_env(&self, name: &str) -> Result<()> {
        let session = self.session()?;
        session.pin_env(name).map_err(|e| explain(e, format!("failed to write `{}`", session.path.display())))
    }

    /// Keeps what this process holds while the command lives that it becomes:
    /// the command inherits the lock that says it is alive.
    pub fn hold_through_exec(&self) -> Result<()> {
        let session = self.session()?;
        let doing = || format!("failed to hand on `{}`", session.path.display());
        rustix::io::fcntl_setfd(&session.lock, rustix::io::FdFlags::empty()).doing(doing)
    }

    /// Enters the gate shared: between taking hold and looking, nothing is
    /// swept away.
    pub(super) fn gate(&self) -> Result<Gate> {
        self.session()?;
        Gate::shared(self.root())
    }

    /// Whether a session's folder is this process' own.
    pub(super) fn is_ours(&self, session: &Path) -> bool {
        self.inner.session.get().is_some_and(|ours| ours.path == session)
    }
}
