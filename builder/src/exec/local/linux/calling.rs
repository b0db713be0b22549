//! One action in a fork server's child: what is placed in its cell, the word to
//! begin, the log, the end.
//!
//! Knows what is said on three sockets. A call that does not end well is lost,
//! whatever the reason: the action then runs as a process of its own. Must
//! never give a failure of a warm child as a result.

use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use rustix::net::Shutdown;

use super::ready::{Pause, ready};
use super::servers::Server;
use super::spec::{Spec, Wire};
use super::standby::Standby;
use super::talk::{self, Inbox, Message};
use super::watch::{End, GRACE, Outcome, Watch, next_deadline};
use crate::error::{IoContext, Result};
use crate::exec::action::Exit;
use crate::exec::log::Log;

/// What came of a call.
pub(super) enum Called {
    /// The child ran to its end, or the run was stopped. With the most memory
    /// that it says one of its processes had, bytes.
    Ended(Outcome, Option<u64>),
    /// It did not; whether the next one would not either.
    Lost { for_good: bool, because: String },
}

/// What the server's side says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Here,
    /// And kilobytes of memory.
    Ended(Exit, u64),
    No(String),
}

/// Reads a packet of a server's child.
pub(super) fn read(packet: &[u8]) -> Option<Said> {
    let text = std::str::from_utf8(packet).ok()?;
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match word {
        "here" => Said::Here,
        "code" | "signal" => {
            let (number, memory) = rest.split_once(' ')?;
            let exit = match word {
                "code" => Exit::Code(number.parse().ok()?),
                _ => Exit::Signal(number.parse().ok()?),
            };
            Said::Ended(exit, memory.parse().ok()?)
        }
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
    /// To the cell's init; `None` once it and everything in the cell is gone.
    cell: Option<OwnedFd>,
    inbox: Inbox,
    /// To the child and its server; `None` once neither listens.
    call: Option<OwnedFd>,
    output: Option<PipeReader>,
    pause: Pause,
    log: Log,
    build: OwnedFd,
    /// Whether the child was told to.
    begun: bool,
    end: Option<Exit>,
    peak: Option<u64>,
    /// Whether the next call would be lost, too, and why.
    lost: Option<(bool, String)>,
}

/// Runs one action, which `spec` describes, in the child and the cell that wait
/// for it.
///
/// # Errors
/// When this process has no descriptor or memory left.
pub(super) fn call(
    (server, standby): (&Arc<Server>, Standby),
    (spec, source): (&Spec, Option<&std::fs::File>),
    watch: &Watch<'_>,
) -> Result<Called> {
    let source: Vec<_> = source.map(AsFd::as_fd).into_iter().collect();
    // A cell that is gone is found by the loop.
    let _ = talk::send(&standby.cell, &spec.encode(), &source);
    let mut calling = Calling {
        server,
        cell: Some(standby.cell),
        inbox: standby.inbox,
        call: Some(standby.call),
        output: Some(standby.output),
        pause: Pause::default(),
        log: Log::new(watch.limits.log),
        build: standby.build,
        begun: false,
        end: None,
        peak: None,
        lost: None,
    };
    let cut = calling.follow(watch)?;
    Ok(calling.finish(cut))
}

impl Calling<'_> {
    /// Until the cell is gone; gives why it was cut short, if it was.
    fn follow(&mut self, watch: &Watch<'_>) -> Result<Option<Exit>> {
        let began = Instant::now();
        let (mut heard, mut cut, mut ending) = (began, None, None::<Instant>);
        // Since when nobody in the cell can print any more.
        let mut mute = None::<Instant>;
        while self.cell.is_some() {
            let (deadline, exit) = match ending {
                Some(since) => (since + GRACE, Exit::Stopped),
                None if !self.begun => (began + self.server.patience, Exit::Silent),
                None => {
                    let (deadline, exit) = next_deadline(watch.limits, began, heard);
                    // Most are over then, and their server does not tell.
                    (mute.map_or(deadline, |mute| deadline.min(mute + self.server.patience)), exit)
                }
            };
            let ready = self.wait(watch, deadline, cut.is_none())?;
            if ready.output && self.read_output()? {
                heard = Instant::now();
            }
            if self.output.is_none() {
                mute.get_or_insert_with(Instant::now);
            }
            if ready.cell {
                self.read_cell()?;
            }
            if ready.call {
                self.read_call()?;
            }
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
        if let Some(cell) = &self.cell {
            let _ = rustix::net::shutdown(cell, Shutdown::Write);
        }
    }

    fn wait(&self, watch: &Watch<'_>, deadline: Instant, watch_stop: bool) -> Result<Ready> {
        let pause = self.pause.until();
        let all = [
            self.cell.as_ref().map(AsFd::as_fd),
            self.call.as_ref().map(AsFd::as_fd),
            self.output.as_ref().filter(|_| pause.is_none()).map(AsFd::as_fd),
            watch_stop.then(|| watch.stop.wake().as_fd()),
        ];
        let deadline = pause.map_or(deadline, |pause| pause.min(deadline));
        let [cell, call, output, stop] = ready(all, deadline)?;
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
        self.pause.begin(got);
        self.log.write(&buffer[..got]);
        Ok(got > 0)
    }

    fn read_cell(&mut self) -> Result<()> {
        let Some(cell) = &self.cell else { return Ok(()) };
        if !self.inbox.fill(cell).doing(|| "failed to hear from the init of a cell")? {
            self.cell = None;
        }
        while let Some(frame) = self.inbox.frame() {
            match Message::take(&mut &frame[..]) {
                Some(Message::Ready) if !self.begun => self.begin(),
                Some(Message::Gone) => self.cell = None,
                // What a cell of its own meets the same way, it will tell.
                Some(Message::Failed(_, doing, because)) => self.lose(true, format!("{doing}: {because}")),
                _ => self.lose(true, "the init of a cell said nonsense"),
            }
        }
        Ok(())
    }

    /// Everything is placed: the child may begin.
    fn begin(&mut self) {
        self.begun = true;
        let sent = self.call.as_ref().map(|call| talk::send_packet(call, b"begin", &[]));
        if !matches!(sent, Some(Ok(()))) {
            self.lose(false, "its fork server, or the child of it, died");
        }
    }

    fn read_call(&mut self) -> Result<()> {
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
            Some(Said::Ended(exit, memory)) if self.begun => {
                self.end = Some(exit);
                self.peak = Some(memory.saturating_mul(1 << 10));
            }
            Some(Said::Ended(..)) => self.lose(false, "the child of its fork server died"),
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
        let outcome = Outcome { end: End::Exit(exit), build: Some(self.build), log: self.log.finish() };
        Called::Ended(outcome, self.peak)
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
        assert_eq!(read(b"code 0 2048"), Some(Said::Ended(Exit::Code(0), 2048)));
        assert_eq!(read(b"signal 11 0"), Some(Said::Ended(Exit::Signal(11), 0)));
        assert_eq!(read(b"no it has threads"), Some(Said::No("it has threads".to_owned())));
        assert_eq!(read(b"no \x1b[2Jway\n"), Some(Said::No("[2Jway".to_owned())));
        let long = format!("no {}", "x".repeat(1000));
        assert_eq!(read(long.as_bytes()), Some(Said::No("x".repeat(200))));
        for wrong in [&b""[..], b"code", b"code 0", b"code x 1", b"code 0 -1", b"hello", b"\xff"] {
            assert_eq!(read(wrong), None);
        }
    }
}
