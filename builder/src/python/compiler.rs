//! `__pycache__` of installs: a local companion, outside every digest.
//!
//! Knows how to have an interpreter compile folders, within a time and not
//! longer than we live, and how to keep it for the next ones. Runs no foreign
//! code: compiling reads sources, it does not import them. Must never know
//! which package a folder belongs to.
//!
//! An interpreter takes longer to start than most packages take to compile.
//! So each waits for the next folders, and a child forked for each job (two for
//! a large one, with half the memory each) compiles them: what one job leaves
//! in memory, or breaks, is not there in the next.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::error::{Error, IoContext as _, Kind, Result};
use crate::exec::Stop;
use crate::tree::fs::remove_tree;

/// The largest packages take a minute.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Standard input is a pipe of ours that says nothing: the kernel ends the
/// process and its children with SIGIO when we are gone, also while they are
/// busy compiling.
const LIFELINE: &str = r"
import fcntl, os, select, signal
signal.signal(signal.SIGIO, signal.SIG_DFL)
fcntl.fcntl(0, fcntl.F_SETOWN, -os.getpgrp())
fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
if select.select([0], [], [], 0)[0]:
    os._exit(1)
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
except (ImportError, ValueError):
    pass
";

/// Standard output is a socket: names of folders come in, each ended by a
/// zero byte and all by one more; a letter goes out when they are compiled.
///
/// Unchecked-hash, since the sources never change below the store; paths
/// relative to the folder, so that tracebacks name no store. A file that does
/// not compile is left out, whatever is wrong with it; so is one so large that
/// only compiling it could be what it is for: a stranger's source takes a
/// hundred times its size.
const SCRIPT: &str = r"
import compileall, sys, py_compile
def sources(folders):
    for folder in folders:
        for place, below, names in os.walk(folder):
            below[:] = sorted(name for name in below if name != '__pycache__')
            for name in sorted(names):
                path = os.path.join(place, name)
                try:
                    if name.endswith('.py') and os.path.getsize(path) <= 4 << 20:
                        yield path, folder
                except OSError:
                    pass
def start(share, ways):
    child = os.fork()
    if child:
        return child
    try:
        os.close(talk)
        try:
            most = resource.getrlimit(resource.RLIMIT_AS)[0] // ways
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        except (NameError, ValueError):
            pass
        for path, folder in share:
            try:
                compileall.compile_file(path, force=True, quiet=2, optimize=-1, stripdir=folder,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
            except Exception:
                pass
    finally:
        os._exit(0)
talk = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
while True:
    job = b''
    while not job.endswith(b'\0\0'):
        more = os.read(talk, 1 << 16)
        if not more:
            os._exit(0)
        job += more
    everything = list(sources([os.fsdecode(name) for name in job[:-2].split(b'\0')]))
    ways = max(1, min(int(sys.argv[1]), len(everything) // 32))
    children = [start(everything[n::ways], ways) for n in range(ways)]
    ends = [os.WIFEXITED(os.waitpid(child, 0)[1]) for child in children]
    os.write(talk, b'd' if all(ends) else b'b')
";

/// Interpreters that compile, as many as are wanted at a time, each started
/// when it is first needed. They end with this.
#[derive(Debug)]
pub struct Compiler {
    interpreter: PathBuf,
    /// Children a job may have.
    ways: usize,
    idle: Mutex<Vec<Server>>,
}

/// How compiling ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    /// The child or the server was killed by something.
    Broken,
    /// It took too long.
    Late,
    Stopped,
}

impl Compiler {
    /// Starts nothing yet. With several processors, two of them compile a
    /// large package: what waits for a backend should not wait for one.
    pub fn new(interpreter: &Path, processors: usize) -> Self {
        let ways = processors.clamp(1, 2);
        Self { interpreter: interpreter.to_owned(), ways, idle: Mutex::default() }
    }

    /// Has the interpreter write `__pycache__` below each of the read-only
    /// `folders`; they are read-only again afterwards. Byte code only saves
    /// time: where a foreign source brings the compiler down twice, or holds
    /// it up for ever, the folders have none.
    ///
    /// # Errors
    /// When the interpreter cannot be started, or the run is to stop.
    pub fn compile(&self, folders: &[PathBuf], stop: &Stop) -> Result<()> {
        self.compile_within(folders, (stop, LONGEST))
    }

    fn compile_within(&self, folders: &[PathBuf], within: (&Stop, Duration)) -> Result<()> {
        if folders.is_empty() {
            return Ok(());
        }
        for folder in folders {
            set_modes(folder, 0o755)?;
        }
        let mut ended = self.attempt(folders, within, true);
        for again in [true, false] {
            if !matches!(ended, Ok(End::Broken | End::Late)) {
                break;
            }
            for folder in folders {
                remove_caches(folder)?;
            }
            if again && matches!(ended, Ok(End::Broken)) {
                // Whatever brought it down, a fresh one may get through.
                ended = self.attempt(folders, within, false);
            }
        }
        for folder in folders {
            set_modes(folder, 0o555)?;
        }
        match ended? {
            End::Done | End::Broken | End::Late => Ok(()),
            End::Stopped => Err(Error::new(Kind::Stopped, "stopped while packages were compiled")),
        }
    }

    /// Ends those that wait for work: they are not to be children of the
    /// command that this process becomes.
    pub fn close(&self) {
        self.idle().clear();
    }

    fn attempt(&self, folders: &[PathBuf], within: (&Stop, Duration), known: bool) -> Result<End> {
        let waiting = if known { self.idle().pop() } else { None };
        let mut server = match waiting {
            Some(server) => server,
            None => Server::start(&self.interpreter, &format!("{LIFELINE}{SCRIPT}"), self.ways)?,
        };
        let end = server.job(folders, within)?;
        if end == End::Done {
            self.idle().push(server);
        }
        Ok(end)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Server>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One process. Ends when dropped, with all it started.
#[derive(Debug)]
struct Server {
    child: Child,
    talk: UnixStream,
}

impl Server {
    /// Starts it in a process group of its own: a Ctrl-C is for us.
    fn start(interpreter: &Path, script: &str, ways: usize) -> Result<Self> {
        let doing = || format!("failed to start `{}`", interpreter.display());
        let (talk, theirs) = UnixStream::pair().doing(doing)?;
        let child = Command::new(interpreter)
            .args(["-I", "-S", "-B", "-c", script, &ways.to_string()])
            .env_clear()
            .env("PYTHONHASHSEED", "0")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(OwnedFd::from(theirs))
            .stderr(Stdio::null())
            .spawn()
            .doing(doing)?;
        Ok(Self { child, talk })
    }

    fn job(&mut self, folders: &[PathBuf], (stop, longest): (&Stop, Duration)) -> Result<End> {
        let mut text = Vec::new();
        for folder in folders {
            text.extend_from_slice(folder.as_os_str().as_bytes());
            text.push(0);
        }
        text.push(0);
        // One that takes nothing is as broken as one that is gone.
        let sent = self.talk.set_write_timeout(Some(longest)).and_then(|()| self.talk.write_all(&text));
        if sent.is_err() {
            return Ok(End::Broken);
        }
        self.answer(stop, longest)
    }

    /// Waits for the letter, or for the socket to close.
    fn answer(&mut self, stop: &Stop, longest: Duration) -> Result<End> {
        let began = Instant::now();
        loop {
            if stop.is_stopped() {
                return Ok(End::Stopped);
            }
            let Some(left) = longest.checked_sub(began.elapsed()) else { return Ok(End::Late) };
            let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            let mut both = [PollFd::new(&self.talk, PollFlags::IN), PollFd::new(stop.wake(), PollFlags::IN)];
            match rustix::event::poll(&mut both, Some(&left)) {
                Err(rustix::io::Errno::INTR) => continue,
                other => {
                    other.doing(|| "failed to wait for the interpreter that compiles packages".to_owned())?
                }
            };
            if both[0].revents().is_empty() {
                continue;
            }
            let mut letter = [0];
            return Ok(match self.talk.read(&mut letter) {
                Ok(1) if letter == *b"d" => End::Done,
                _ => End::Broken,
            });
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // Not reaped yet, so the number is still its own.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Removes what was written, half-written files included.
fn remove_caches(folder: &Path) -> Result<()> {
    let doing = || format!("failed to read `{}`", folder.display());
    for entry in std::fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        if !entry.file_type().doing(doing)?.is_dir() {
            continue;
        }
        if entry.file_name() == "__pycache__" {
            remove_tree(&entry.path())?;
        } else {
            remove_caches(&entry.path())?;
        }
    }
    Ok(())
}

/// Sets the mode of every folder below (links are not followed).
fn set_modes(folder: &Path, mode: u32) -> Result<()> {
    let doing = || format!("failed to change the mode of `{}`", folder.display());
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).doing(doing)?;
    for entry in std::fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        if entry.file_type().doing(doing)?.is_dir() {
            set_modes(&entry.path(), mode)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "compiler_tests.rs"]
mod tests;
