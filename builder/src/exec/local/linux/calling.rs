//! One action in a fork server's child: a cell, a call, the log, the end.
//!
//! Knows what is said on three sockets. A call that does not end well is lost,
//! whatever the reason: the action then runs as a process of its own. Must
//! never give a failure of a warm child as a result.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, socketpair, sockopt};

use super::seccomp;
use super::servers::Server;
use super::spec::{Bounds, Spec, Wire};
use super::talk::{self, Inbox, Message};
use super::watch::{End, GRACE, Outcome, Watch, next_deadline};
use crate::error::{IoContext, Result};
use crate::exec::action::Exit;
use crate::exec::log::Log;

/// How long to wait for a server that has more orders than it takes.
const AGAIN: Duration = Duration::from_millis(5);

/// What came of a call.
pub(super) enum Called {
    /// The child ran to its end, or the run was stopped.
    Ended(Outcome),
    /// It did not; whether the next one would not either.
    Lost { for_good: bool, because: String },
}

/// What the server's side says.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Here,
    Ended(Exit),
    No(String),
}

fn read(packet: &[u8]) -> Option<Said> {
    let text = std::str::from_utf8(packet).ok()?;
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match word {
        "here" => Said::Here,
        "code" => Said::Ended(Exit::Code(rest.parse().ok()?)),
        "signal" => Said::Ended(Exit::Signal(rest.parse().ok()?)),
        "no" => Said::No(plain(rest)),
        _ => return None,
    })
}

/// Foreign words, as they may be shown.
fn plain(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

struct Calling<'a> {
    server: &'a Arc<Server>,
    order: Vec<u8>,
    /// To the cell's init; `None` once it and everything in the cell is gone.
    cell: Option<OwnedFd>,
    inbox: Inbox,
    /// To the server's child; `None` once both of its processes are gone.
    call: Option<OwnedFd>,
    /// What the child is given when the cell is ready.
    theirs: Option<(OwnedFd, PipeWriter)>,
    /// The namespaces of the ready cell, until the server has them.
    spaces: Option<Vec<OwnedFd>>,
    output: Option<PipeReader>,
    log: Log,
    build: Option<OwnedFd>,
    here: bool,
    end: Option<Exit>,
    /// Whether the next call would be lost, too, and why.
    lost: Option<(bool, String)>,
}

/// Runs one action in a child of `server`, in the cell that `spec` describes.
///
/// # Errors
/// When this process has no descriptor or memory left.
pub(super) fn call(
    server: &Arc<Server>,
    spec: &Spec,
    source: Option<&std::fs::File>,
    order: &str,
    watch: &Watch<'_>,
) -> Result<Called> {
    let doing = || "failed to call a fork server";
    let pair = |kind| socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).doing(doing);
    let (cell, cell_theirs) = pair(SocketType::STREAM)?;
    let (call, call_theirs) = pair(SocketType::SEQPACKET)?;
    // Whoever writes is told by the kernel, with the pid it has here.
    sockopt::set_socket_passcred(&cell, true).doing(doing)?;
    sockopt::set_socket_passcred(&call, true).doing(doing)?;
    let (output, log_theirs) = io::pipe().doing(doing)?;
    let fds: Vec<_> = [cell_theirs.as_fd()].into_iter().chain(source.map(AsFd::as_fd)).collect();
    if server.order_cell(spec, &fds).is_err() {
        return Ok(Called::Lost { for_good: false, because: "its fork server is gone".to_owned() });
    }
    drop(fds);
    drop(cell_theirs);
    let mut calling = Calling {
        server,
        order: order_for(spec, order).doing(doing)?,
        cell: Some(cell),
        inbox: Inbox::default(),
        call: Some(call),
        theirs: Some((call_theirs, log_theirs)),
        spaces: None,
        output: Some(output),
        log: Log::new(watch.limits.log),
        build: None,
        here: false,
        end: None,
        lost: None,
    };
    let cut = calling.follow(watch)?;
    Ok(calling.finish(cut))
}

/// Tells a server what it will be called for.
pub(super) fn load(server: &Server, order: &str) -> io::Result<()> {
    server.order_child(serde_json::json!({ "order": order }).to_string().as_bytes(), &[])
}

fn order_for(spec: &Spec, order: &str) -> io::Result<Vec<u8>> {
    let Bounds { processes, file_size, memory } = spec.bounds;
    let refuse: String = seccomp::last()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::json!({
        "order": order,
        "cwd": spec.cwd,
        "processes": processes,
        "file_size": file_size,
        "memory": memory,
        "refuse": refuse,
    });
    Ok(json.to_string().into_bytes())
}

impl Calling<'_> {
    /// Until the cell is gone; gives why it was cut short, if it was.
    fn follow(&mut self, watch: &Watch<'_>) -> Result<Option<Exit>> {
        let began = Instant::now();
        let (mut heard, mut cut, mut ending) = (began, None, None::<Instant>);
        while self.cell.is_some() {
            let (deadline, exit) = match ending {
                Some(since) => (since + GRACE, Exit::Stopped),
                None if !self.here => (began + self.server.patience, Exit::Silent),
                None => next_deadline(watch.limits, began, heard),
            };
            let look = if self.spaces.is_some() { deadline.min(Instant::now() + AGAIN) } else { deadline };
            let ready = self.wait(watch, look, cut.is_none())?;
            if ready.output && self.read_output()? {
                heard = Instant::now();
            }
            if ready.cell {
                self.read_cell(watch)?;
            }
            if ready.call {
                self.read_call(watch)?;
            }
            self.enter();
            let late = Instant::now() >= deadline;
            if ending.is_some() {
                if late {
                    self.server.kill();
                }
                continue;
            }
            if ready.stop || late {
                cut = Some(if ready.stop { Exit::Stopped } else { exit });
            }
            if cut.is_some() || self.end.is_some() || self.lost.is_some() {
                ending = Some(Instant::now());
                self.let_go();
            }
        }
        Ok(cut)
    }

    /// The first reason is the one that counts.
    fn lose(&mut self, for_good: bool, because: impl Into<String>) {
        self.lost.get_or_insert_with(|| (for_good, because.into()));
    }

    /// The cell's init sees the end of the socket, and ends everything in it.
    fn let_go(&mut self) {
        (self.spaces, self.theirs) = (None, None);
        if let Some(cell) = &self.cell {
            let _ = rustix::net::shutdown(cell, Shutdown::Write);
        }
    }

    fn wait(&self, watch: &Watch<'_>, deadline: Instant, watch_stop: bool) -> Result<Ready> {
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
        let all = [
            self.cell.as_ref().map(AsFd::as_fd),
            self.call.as_ref().map(AsFd::as_fd),
            self.output.as_ref().map(AsFd::as_fd),
            watch_stop.then(|| watch.stop.wake().as_fd()),
        ];
        let open = all.iter().flatten();
        let mut fds: Vec<_> = open.map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).doing(|| "failed to wait for a build's output"),
        }
        let mut answers = fds.iter().map(|fd| !fd.revents().is_empty());
        let [cell, call, output, stop] = all.map(|fd| fd.is_some() && answers.next().unwrap_or(false));
        Ok(Ready { cell, call, output, stop })
    }

    /// Whether there was any.
    fn read_output(&mut self) -> Result<bool> {
        let Some(output) = &mut self.output else { return Ok(false) };
        let mut buffer = [0u8; 1 << 16];
        let got = output.read(&mut buffer).doing(|| "failed to read a build's output")?;
        if got == 0 {
            self.output = None;
        }
        self.log.write(&buffer[..got]);
        Ok(got > 0)
    }

    fn read_cell(&mut self, watch: &Watch<'_>) -> Result<()> {
        let Some(cell) = &self.cell else { return Ok(()) };
        if !self.inbox.fill(cell).doing(|| "failed to hear from the init of a cell")? {
            self.cell = None;
        }
        while let Some(frame) = self.inbox.frame() {
            match Message::take(&mut &frame[..]) {
                Some(Message::Init(_)) => {
                    if let (Some(group), Some(pid)) = (watch.group, self.inbox.sender) {
                        group.add(pid);
                    }
                    if let Some(cell) = &self.cell {
                        // One that died meanwhile is found by the loop.
                        let _ = talk::send(cell, &[], &[]);
                    }
                }
                Some(Message::Ready) => {
                    let mut fds = std::mem::take(&mut self.inbox.fds).into_iter();
                    self.build = fds.next();
                    self.spaces = Some(fds.collect());
                }
                // What a cell of its own meets the same way, it will tell.
                Some(Message::Failed(_, doing, because)) => self.lose(true, format!("{doing}: {because}")),
                _ => self.lose(true, "the init of a cell said nonsense"),
            }
        }
        Ok(())
    }

    /// Once the cell is ready its descriptors go to the server, when that has
    /// room for another order.
    fn enter(&mut self) {
        let (Some(spaces), Some((call, log))) = (&self.spaces, &self.theirs) else { return };
        let given: Vec<_> =
            [call.as_fd(), log.as_fd()].into_iter().chain(spaces.iter().map(AsFd::as_fd)).collect();
        let sent = self.server.order_child(&self.order, &given);
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return;
        }
        (self.spaces, self.theirs) = (None, None);
        if sent.is_err() {
            self.lose(false, "its fork server is gone");
        }
    }

    fn read_call(&mut self, watch: &Watch<'_>) -> Result<()> {
        let Some(call) = &self.call else { return Ok(()) };
        let mut inbox = Inbox::default();
        if !inbox.fill(call).doing(|| "failed to hear from a fork server")? {
            self.call = None;
            if self.end.is_none() {
                self.lose(false, "its fork server, or the child of it, died");
            }
            return Ok(());
        }
        match read(&inbox.packet()) {
            Some(Said::Here) if !self.here => {
                self.here = true;
                if let (Some(group), Some(pid)) = (watch.group, inbox.sender) {
                    group.add(pid);
                }
                let _ = talk::send_packet(call, b"go", &[]);
            }
            Some(Said::Ended(exit)) if self.here => self.end = Some(exit),
            Some(Said::No(because)) => self.lose(true, because),
            _ => self.lose(false, "its fork server said nonsense"),
        }
        Ok(())
    }

    /// Everybody in the cell is dead: what is in the pipe is all there is.
    fn finish(mut self, cut: Option<Exit>) -> Called {
        if let Some(output) = &self.output {
            let _ = rustix::io::ioctl_fionbio(output.as_fd(), true);
        }
        while self.output.is_some() && self.read_output().unwrap_or(false) {}
        let exit = match (cut, self.end, self.lost) {
            (Some(Exit::Stopped), ..) => Exit::Stopped,
            (None, Some(exit), None) => exit,
            (_, _, lost) => {
                let slow = || (false, "it took too long in a fork server".to_owned());
                let (for_good, because) = lost.unwrap_or_else(slow);
                return Called::Lost { for_good, because };
            }
        };
        Called::Ended(Outcome { end: End::Exit(exit), build: self.build, log: self.log.finish() })
    }
}

struct Ready {
    cell: bool,
    call: bool,
    output: bool,
    stop: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_read_as_foreign_words() {
        assert_eq!(read(b"here"), Some(Said::Here));
        assert_eq!(read(b"code 0"), Some(Said::Ended(Exit::Code(0))));
        assert_eq!(read(b"signal 11"), Some(Said::Ended(Exit::Signal(11))));
        assert_eq!(read(b"no it has threads"), Some(Said::No("it has threads".to_owned())));
        assert_eq!(read(b"no \x1b[2Jway\n"), Some(Said::No("[2Jway".to_owned())));
        let long = format!("no {}", "x".repeat(1000));
        assert_eq!(read(long.as_bytes()), Some(Said::No("x".repeat(200))));
        for wrong in [&b""[..], b"code", b"code x", b"hello", b"\xff"] {
            assert_eq!(read(wrong), None);
        }
    }
}
