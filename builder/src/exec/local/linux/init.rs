//! The hidden other life of our binary: the process that makes a cell and
//! starts the foreign program in it.
//!
//! Knows how it is started, the spec it is sent and the socket that came
//! through, which is its stdin. Has one thread and no environment. Must never know the store.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::PoisonError;

use super::payload::{self, rustix_exit};
use super::spec::Spec;
use super::talk::{self, Inbox, Message};
use super::{bare, cell, nursery, privileges};
use crate::exec::action::Level;

/// argv[0] of the init. Nobody types it.
pub(super) const MARKER: &str = "wheelwright-cell";

/// Why a step of the init did not work.
pub(super) struct Broken {
    /// Whether the host refused isolation itself.
    pub isolation: bool,
    /// What was being done.
    pub doing: String,
    /// The cause.
    pub because: String,
}

/// What the init tells about a failed call.
pub(super) trait Blame<T> {
    /// A part of the isolation was refused.
    fn refused(self, doing: impl FnOnce() -> String) -> Result<T, Broken>;
    /// The machine could not do something ordinary.
    fn failed(self, doing: impl FnOnce() -> String) -> Result<T, Broken>;
}

impl<T, E: std::fmt::Display> Blame<T> for Result<T, E> {
    fn refused(self, doing: impl FnOnce() -> String) -> Result<T, Broken> {
        self.map_err(|e| Broken { isolation: true, doing: doing(), because: e.to_string() })
    }
    fn failed(self, doing: impl FnOnce() -> String) -> Result<T, Broken> {
        self.map_err(|e| Broken { isolation: false, doing: doing(), because: e.to_string() })
    }
}

/// What the init has in hand: the socket, and a terminal when a person replays.
pub(super) struct Hands {
    /// To the executor.
    pub control: OwnedFd,
    /// stdin of the program; /dev/null when there is none.
    pub stdin: Option<OwnedFd>,
}

/// When this process is an init: be it, and exit.
pub(super) fn run_if_asked() {
    let mut args = std::env::args_os();
    if args.next().is_some_and(|name| name == MARKER) {
        let Ok(control) = from_stdin() else { rustix_exit(70) };
        rustix_exit(match rustix::net::sockopt::socket_type(&control) {
            Ok(nursery::ORDERS) => i32::from(nursery::live(&control).is_err()),
            _ => serve(control),
        });
    }
}

/// Starts our own binary as what [`run_if_asked`] is for: it is told through
/// `control` what to do, and prints to `log`, if at all.
pub(super) fn start(exe: &Path, control: OwnedFd, log: Option<&OwnedFd>) -> io::Result<Child> {
    let _spawning = super::SPAWN.read().unwrap_or_else(PoisonError::into_inner);
    let print = || log.map_or_else(|| Ok(Stdio::null()), |log| log.try_clone().map(Stdio::from));
    Command::new(exe)
        .arg0(MARKER)
        .env_clear()
        .stdin(Stdio::from(control))
        .stdout(print()?)
        .stderr(print()?)
        .spawn()
}

/// The socket that is our stdin.
fn from_stdin() -> io::Result<OwnedFd> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    payload::null_stdin()?;
    Ok(control)
}

/// Is the init that is told through `control` what to do; gives its exit code.
pub(super) fn serve(control: OwnedFd) -> i32 {
    match receive(control) {
        Ok((spec, hands)) => run(&spec, &hands),
        Err(_) => 70,
    }
}

fn receive(control: OwnedFd) -> io::Result<(Spec, Hands)> {
    let mut inbox = Inbox::default();
    loop {
        if !inbox.fill(&control)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(frame) = inbox.frame() {
            let spec = Spec::decode(&frame).ok_or(io::ErrorKind::InvalidData)?;
            return Ok((spec, Hands { control, stdin: inbox.fds.pop() }));
        }
    }
}

fn run(spec: &Spec, hands: &Hands) -> i32 {
    let done = match spec.level {
        Level::Full => cell::make(spec, hands),
        Level::Landlock | Level::Env => bare::run(spec, hands),
    };
    match done {
        Ok(()) => 0,
        Err(broken) => tell(hands, &broken),
    }
}

/// Reports what broke; the exit code says only that it did.
pub(super) fn tell(hands: &Hands, broken: &Broken) -> i32 {
    let Broken { isolation, doing, because } = broken;
    let _ = talk::say(&hands.control, &Message::Failed(*isolation, doing.clone(), because.clone()), &[]);
    1
}

/// Copies the source and writes the files, both below `spec.build`. The
/// current folder is the source when it had to be opened beforehand.
pub(super) fn place(spec: &Spec, source: Option<&Path>) -> Result<(), Broken> {
    let build = Path::new(&spec.build);
    if let (Some((name, epoch)), Some(source)) = (&spec.source, source) {
        super::copy::tree(source, &build.join("src"), *epoch)
            .failed(|| format!("failed to copy the source `{name}`"))?;
    }
    super::copy::files(build, &spec.files).failed(|| "failed to write the files of the action".to_owned())
}

/// Says which process prepares and will start the program.
pub(super) fn announce(hands: &Hands, pid: rustix::process::Pid) -> Result<(), Broken> {
    let pid = Message::Init(pid.as_raw_nonzero().get() as u64);
    talk::say(&hands.control, &pid, &[]).failed(|| "failed to report".to_owned())
}

/// Waits until the executor has put the announced process where it belongs.
/// Gives what came with its word.
pub(super) fn wait_for_leave(hands: &Hands) -> Inbox {
    let mut inbox = Inbox::default();
    while !inbox.has_frame() {
        match inbox.fill(&hands.control) {
            Ok(true) => {}
            // Nobody is left to report to.
            Ok(false) | Err(_) => rustix_exit(1),
        }
    }
    inbox
}

/// Hands `/build` to the executor: from now on a foreign process may run.
pub(super) fn ready(spec: &Spec, hands: &Hands) -> Result<(), Broken> {
    let build = payload::open_folder(Path::new(&spec.build))
        .failed(|| "failed to open the build folder".to_owned())?;
    talk::say(&hands.control, &Message::Ready, &[build.as_fd()]).failed(|| "failed to report".to_owned())
}

/// The part that a process of ours must do whatever the level.
pub(super) fn settle() -> Result<(), Broken> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    privileges::hide().refused(|| "failed to hide the init".to_owned())
}
