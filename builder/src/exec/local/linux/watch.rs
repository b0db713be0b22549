//! Starting an init and watching it: log, timeouts, the wish to stop.
//!
//! Knows one child process and what it says. Must never know mounts.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, socketpair};
use rustix::process::{Signal, pidfd_send_signal};

use super::cgroup::Group;
use super::init;
use super::ready::{Pause, ready};
use super::spec::{Spec, Wire};
use super::talk::{self, Inbox, Message};
use crate::error::{Error, IoContext, Result};
use crate::exec::Stop;
use crate::exec::action::{Exit, Level, Limits};
use crate::exec::log::Log;

/// How long an init that was let go of may take to end everything before it
/// is killed itself.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// What came of one init.
pub(super) struct Outcome {
    /// How the program ended, or what the init could not do.
    pub end: End,
    /// `/build`, when it came that far.
    pub build: Option<OwnedFd>,
    /// The log and how many bytes of it were dropped.
    pub log: (Vec<u8>, u64),
}

/// How it ended.
pub(super) enum End {
    /// The program ran.
    Exit(Exit),
    /// The init could not start it: isolation refused, doing, because.
    Broken(bool, String, String),
}

/// What is watched for.
pub(super) struct Watch<'a> {
    /// Timeouts and the log's size.
    pub limits: &'a Limits,
    /// The wish to stop.
    pub stop: &'a Stop,
    /// Where the init is put before it starts anything.
    pub group: Option<&'a Group>,
}

/// An init.
enum Init {
    /// Of our own making.
    Started(Child),
    /// The nursery has the order for it.
    Ordered,
    /// The nursery's, which says who it is.
    Forked(OwnedFd),
}

struct Running {
    init: Init,
    /// `None` once the other side closed it.
    socket: Option<OwnedFd>,
    output: Option<PipeReader>,
    pause: Pause,
    inbox: Inbox,
    log: Log,
    build: Option<OwnedFd>,
    last: Option<Message>,
}

/// Runs one init to its end.
///
/// # Errors
/// When no process can be started or spoken to.
pub(super) fn run((exe, inits): (&Path, &Inits<'_>), spec: &Spec, watch: &Watch<'_>) -> Result<Outcome> {
    let doing = || format!("failed to start `{}` as the init of a cell", exe.display());
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).doing(doing)?;
    let (output, input) = io::pipe().doing(doing)?;
    let input = OwnedFd::from(input);
    // At the other levels an init outlives whoever forked it.
    let forked = spec.level == Level::Full && inits(&theirs, &input).is_ok();
    let init = if forked {
        drop(theirs);
        Init::Ordered
    } else {
        Init::Started(init::start(exe, theirs, Some(&input)).doing(doing)?)
    };
    drop(input);
    let mut running = Running {
        init,
        socket: Some(ours),
        output: Some(output),
        pause: Pause::default(),
        inbox: Inbox::default(),
        log: Log::new(watch.limits.log),
        build: None,
        last: None,
    };
    // An init that died already is found by the loop.
    let _ = talk::send(running.socket.as_ref().expect("it was just put there"), &spec.encode(), &[]);
    let cut = running.follow(watch)?;
    // A Ctrl-C of a terminal may have reached the init before it was a session
    // of its own.
    let stopped = running.last.is_none() && watch.stop.is_stopped();
    running.finish(cut.or(stopped.then_some(Exit::Stopped)))
}

/// Has an init forked that speaks through the one and prints to the other.
pub(super) type Inits<'a> = dyn Fn(&OwnedFd, &OwnedFd) -> io::Result<()> + 'a;

impl Init {
    /// One that is dead already cannot be killed.
    fn kill(&mut self) {
        match self {
            Init::Started(child) => drop(child.kill()),
            // It sees the end of the socket.
            Init::Ordered => {}
            Init::Forked(process) => drop(pidfd_send_signal(process, Signal::KILL)),
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        match self {
            Init::Started(child) => child.wait().map(drop),
            // Who forked it does.
            Init::Ordered | Init::Forked(_) => Ok(()),
        }
    }
}

impl Running {
    /// Until the init is gone; gives why it was cut short, if it was.
    fn follow(&mut self, watch: &Watch<'_>) -> Result<Option<Exit>> {
        let began = Instant::now();
        let mut heard = began;
        let mut cut = None;
        let mut killed_at = began;
        while self.socket.is_some() {
            let (deadline, exit) = match cut {
                Some(_) => (killed_at + GRACE, Exit::Stopped),
                None => next_deadline(watch.limits, began, heard),
            };
            let [spoke, wrote, stopped] = self.wait(watch.stop, deadline, cut.is_none())?;
            if wrote && self.read_output()? {
                heard = Instant::now();
            }
            if spoke {
                self.read_message(watch.group)?;
            }
            if cut.is_some() {
                if Instant::now() >= deadline {
                    self.init.kill();
                }
                continue;
            }
            if stopped || Instant::now() >= deadline {
                cut = Some(if stopped { Exit::Stopped } else { exit });
                killed_at = Instant::now();
                self.let_go();
            }
        }
        self.init.wait().doing(|| "failed to wait for the init of a cell")?;
        Ok(cut)
    }

    /// Tells the init to end everything: it sees the end of the socket. One
    /// that still prepares the cell does not look, and has nothing foreign to
    /// end: it is killed.
    fn let_go(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = rustix::net::shutdown(socket, Shutdown::Write);
        }
        if self.build.is_none() {
            self.init.kill();
        }
    }

    /// Whether the init spoke, something was printed, the run is to stop.
    fn wait(&self, stop: &Stop, deadline: Instant, watch_stop: bool) -> Result<[bool; 3]> {
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        let pause = self.pause.until();
        let output = self.output.as_ref().filter(|_| pause.is_none()).map(AsFd::as_fd);
        let deadline = pause.map_or(deadline, |pause| pause.min(deadline));
        ready([socket, output, watch_stop.then(|| stop.wake().as_fd())], deadline)
    }

    /// Whether there was any.
    fn read_output(&mut self) -> Result<bool> {
        let Some(output) = &mut self.output else { return Ok(false) };
        let mut buffer = [0u8; 1 << 16];
        let got = output.read(&mut buffer).doing(|| "failed to read a build's output")?;
        if got == 0 {
            self.output = None;
        }
        self.pause.begin(got);
        self.log.write(&buffer[..got]);
        Ok(got > 0)
    }

    fn read_message(&mut self, group: Option<&Group>) -> Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        if !self.inbox.fill(socket).doing(|| "failed to hear from the init of a cell")? {
            self.socket = None;
        }
        while let Some(frame) = self.inbox.frame() {
            let message =
                Message::take(&mut &frame[..]).ok_or_else(|| Error::bug("the init said nonsense"))?;
            match message {
                Message::Ready => self.build = self.inbox.fds.pop(),
                Message::Born => {
                    if let Some(process) = self.inbox.fds.pop() {
                        self.init = Init::Forked(process);
                    }
                }
                Message::Gone => self.socket = None,
                Message::Init(pid) => {
                    if let Some(group) = group {
                        group.add(pid);
                    }
                    self.go();
                }
                ended => self.last = Some(ended),
            }
        }
        Ok(())
    }

    /// One that died meanwhile is found by the loop.
    fn go(&self) {
        if let Some(socket) = &self.socket {
            let _ = talk::send(socket, &[], &[]);
        }
    }

    /// Everybody is dead: what is in the pipe is all there is.
    fn finish(mut self, cut: Option<Exit>) -> Result<Outcome> {
        if let Some(output) = &self.output {
            let _ = rustix::io::ioctl_fionbio(output.as_fd(), true);
        }
        while self.output.is_some() && self.read_output().unwrap_or(false) {}
        let end = match (cut, self.last) {
            (Some(exit), _) => End::Exit(exit),
            (None, Some(Message::Exited(code))) => End::Exit(Exit::Code(code as i32)),
            (None, Some(Message::Killed(signal))) => End::Exit(Exit::Signal(signal as i32)),
            (None, Some(Message::Failed(isolation, doing, because))) => {
                End::Broken(isolation, doing, because)
            }
            // The out-of-memory killer takes the init of a cell with the rest.
            (None, _) if self.build.is_some() => End::Exit(Exit::Signal(libc::SIGKILL)),
            (None, _) => {
                End::Broken(false, "failed to prepare the process".to_owned(), "its init died".to_owned())
            }
        };
        Ok(Outcome { end, build: self.build, log: self.log.finish() })
    }
}

/// When to stop waiting, and as what it ends then.
pub(super) fn next_deadline(limits: &Limits, began: Instant, heard: Instant) -> (Instant, Exit) {
    let far = Duration::from_secs(365 * 24 * 3600);
    let total = began + limits.timeout.min(far);
    let silence = heard + limits.silence.min(far);
    if silence < total { (silence, Exit::Silent) } else { (total, Exit::TimedOut) }
}
