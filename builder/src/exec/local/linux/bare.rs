//! Levels `landlock` and `env`: no namespaces.
//!
//! Knows how to find and end every descendant without a pid namespace. Runs
//! in the init, which at these levels outlives its executor just long enough
//! to end what it started. Must never leave a process behind.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use super::init::{Blame, Broken, Hands, announce, place, ready, settle, wait_for_leave};
use super::seccomp::{self, Sockets};
use super::spec::Spec;
use super::talk::{self, Message};
use super::{fence, payload, privileges};
use crate::exec::action::Level;

/// Places the source, runs the program and ends whatever it left.
pub(super) fn run(spec: &Spec, hands: &Hands) -> Result<(), Broken> {
    let _ = rustix::process::setsid();
    let me = rustix::process::getpid();
    announce(hands, me)?;
    rustix::process::set_child_subreaper(Some(me))
        .failed(|| "failed to become the parent of daemons".to_owned())?;
    let source = match &spec.source {
        Some((path, _)) => Some(
            payload::open_folder(Path::new(path)).failed(|| format!("failed to open the source `{path}`"))?,
        ),
        None => None,
    };
    if spec.level == Level::Landlock {
        privileges::drop_all(spec.who).refused(|| "failed to drop privileges".to_owned())?;
    }
    settle()?;
    if let Some(source) = source {
        rustix::process::fchdir(&source).failed(|| "failed to enter the source".to_owned())?;
    }
    place(spec, Some(Path::new(".")))?;
    rustix::process::chdir("/").failed(|| "failed to leave the source".to_owned())?;
    let fence = match spec.level {
        Level::Landlock => {
            Some(fence::prepare(&spec.rules).refused(|| "failed to prepare landlock".to_owned())?)
        }
        Level::Env | Level::Full => None,
    };
    // Opened while nothing foreign runs.
    let mut processes = Processes::open().failed(|| "failed to open /proc".to_owned())?;
    let _ = wait_for_leave(hands);
    ready(spec, hands)?;
    let children = payload::child_signal().failed(|| "failed to watch for children".to_owned())?;
    let confine = || match &fence {
        None => Ok(()),
        Some(fence) => {
            fence::enter(fence)?;
            seccomp::install(Sockets::Pairs)
        }
    };
    let stdin = hands.stdin.as_ref().map(AsFd::as_fd);
    let main = payload::start(spec, stdin, &confine).failed(|| "failed to start the program".to_owned())?;
    let ended = payload::supervise(main, &hands.control, &children);
    end_descendants(&mut processes).failed(|| "failed to end what the build left".to_owned())?;
    match ended.failed(|| "failed to wait for the program".to_owned())? {
        Some(message) => say(hands, &message),
        None => Ok(()),
    }
}

fn say(hands: &Hands, message: &Message) -> Result<(), Broken> {
    talk::say(&hands.control, message, &[]).failed(|| "failed to report".to_owned())
}

/// Kills children until there are none: a killed one's children become ours.
fn end_descendants(processes: &mut Processes) -> io::Result<()> {
    loop {
        let mut killed = false;
        for pid in processes.children()? {
            killed |= rustix::process::kill_process(pid, Signal::KILL).is_ok();
        }
        // Nothing to kill, or nothing we may kill (a setuid program at `env`).
        if !killed {
            return Ok(());
        }
        if rustix::process::wait(WaitOptions::empty()).is_err() {
            return Ok(());
        }
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    }
}

/// The processes of this machine: /proc, held open.
struct Processes {
    folder: OwnedFd,
    entries: Dir,
}

impl Processes {
    fn open() -> io::Result<Self> {
        let folder = payload::open_folder(Path::new("/proc"))?;
        let entries = Dir::new(payload::open_folder(Path::new("/proc"))?)?;
        Ok(Self { folder, entries })
    }

    /// Our children: in `stat` the field after the name and the state is the
    /// parent. A /proc that cannot be read is an error, never "no children".
    fn children(&mut self) -> io::Result<Vec<Pid>> {
        let me = rustix::process::getpid().as_raw_nonzero().to_string();
        let mut found = Vec::new();
        self.entries.rewind();
        while let Some(entry) = self.entries.next() {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().ok().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            let Some(stat) = self.stat(pid)? else { continue };
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1));
            if parent == Some(me.as_str()) {
                found.extend(Pid::from_raw(pid));
            }
        }
        Ok(found)
    }

    /// `None` for one that is gone, or that is hidden from us and so not ours.
    fn stat(&self, pid: i32) -> io::Result<Option<String>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.folder, format!("{pid}/stat"), flags, Mode::empty());
        let mut file = match opened {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT | Errno::SRCH | Errno::PERM | Errno::ACCESS) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        match file.read_to_end(&mut bytes) {
            // A process' name may be any bytes.
            Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
