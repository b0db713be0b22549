//! A cell and a child of a fork server, made ahead of need.
//!
//! Knows what is slow and depends on no action: namespaces, mounts, a fork.
//! Must never let an action have one that was made for another kind of cell.

use std::io::{self, PipeReader};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::calling::{Said, read};
use super::ready::ready;
use super::servers::Server;
use super::spec::{Spec, Wire};
use super::talk::{Inbox, Message};
use crate::error::{IoContext, Result};
use crate::exec::Stop;

/// How long to wait for a server that has more orders than it takes.
const AGAIN: Duration = Duration::from_millis(5);

/// What one is made for.
#[derive(Clone, PartialEq)]
pub(super) struct Wanted {
    /// The cell, without what is placed in it.
    pub cell: Spec,
    /// What the server is told.
    pub order: String,
}

/// One that waits.
pub(super) struct Standby {
    wanted: Wanted,
    /// To the cell's init, which waits for what is placed in the cell.
    pub cell: OwnedFd,
    /// What it said beyond what was asked.
    pub inbox: Inbox,
    /// To the child, which waits for the cell.
    pub call: OwnedFd,
    /// What the child will print.
    pub output: PipeReader,
}

impl Standby {
    /// Whether it may have this action.
    pub fn fits(&self, wanted: &Wanted) -> bool {
        self.wanted == *wanted
    }
}

/// What came of making one.
pub(super) enum Made {
    /// It waits.
    Ready(Box<Standby>),
    /// The run is to stop.
    Stopped,
    /// It could not be made; whether the next one could not either, and why.
    Lost { for_good: bool, because: String },
}

fn lost(for_good: bool, because: impl Into<String>) -> Result<Made> {
    Ok(Made::Lost { for_good, because: because.into() })
}

/// Orders both and waits until they wait.
///
/// # Errors
/// When this process has no descriptor or memory left.
pub(super) fn make(server: &Server, wanted: Wanted, stop: &Stop) -> Result<Made> {
    let doing = || "failed to call a fork server";
    let pair = |kind| socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).doing(doing);
    let (cell, cell_theirs) = pair(SocketType::STREAM)?;
    let (call, call_theirs) = pair(SocketType::SEQPACKET)?;
    let (output, log_theirs) = io::pipe().doing(doing)?;
    let order = serde_json::json!({ "order": wanted.order }).to_string();
    if server.order_cell(&wanted.cell, &[cell_theirs.as_fd()]).is_err() {
        return lost(false, "its fork server is gone");
    }
    drop(cell_theirs);
    let mut theirs = Some((call_theirs, log_theirs));
    let mut standby = Standby { wanted, cell, inbox: Inbox::default(), call, output };
    let (mut cell_waits, mut child_waits) = (false, false);
    let deadline = Instant::now() + server.patience;
    while !(cell_waits && child_waits) {
        if let Some((call, log)) = &theirs {
            match server.order_child(order.as_bytes(), &[call.as_fd(), log.as_fd()]) {
                Ok(()) => theirs = None,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return lost(false, "its fork server is gone"),
            }
        }
        let look = if theirs.is_some() { deadline.min(Instant::now() + AGAIN) } else { deadline };
        let [cell, call, stopped] = standby.wait((!cell_waits, !child_waits), (look, stop))?;
        if stopped {
            return Ok(Made::Stopped);
        }
        if cell {
            match standby.hear_cell()? {
                None => cell_waits = true,
                Some((for_good, because)) => return lost(for_good, because),
            }
        }
        if call {
            match standby.hear_child()? {
                None => child_waits = true,
                Some((for_good, because)) => return lost(for_good, because),
            }
        }
        if Instant::now() >= deadline {
            return lost(false, "its fork server did not answer");
        }
    }
    Ok(Made::Ready(Box::new(standby)))
}

impl Standby {
    fn wait(&self, (cell, call): (bool, bool), (deadline, stop): (Instant, &Stop)) -> Result<[bool; 3]> {
        let (cell, call) = (cell.then(|| self.cell.as_fd()), call.then(|| self.call.as_fd()));
        ready([cell, call, Some(stop.wake().as_fd())], deadline)
    }

    /// `None`: its init waits. Else why there is no cell.
    fn hear_cell(&mut self) -> Result<Option<(bool, String)>> {
        if !self.inbox.fill(&self.cell).doing(|| "failed to hear from the init of a cell")? {
            return Ok(Some((false, "the init of its cell died".to_owned())));
        }
        let message = self.inbox.frame().and_then(|frame| Message::take(&mut &frame[..]));
        Ok(match message {
            Some(Message::Init(_)) => None,
            // What a cell of its own meets the same way, it will tell.
            Some(Message::Failed(_, doing, because)) => Some((true, format!("{doing}: {because}"))),
            _ => Some((true, "the init of a cell said nonsense".to_owned())),
        })
    }

    /// `None`: it waits. Else why there is none.
    fn hear_child(&mut self) -> Result<Option<(bool, String)>> {
        let mut inbox = Inbox::default();
        if !inbox.fill(&self.call).doing(|| "failed to hear from a fork server")? {
            return Ok(Some((false, "its fork server, or the child of it, died".to_owned())));
        }
        Ok(match read(&inbox.packet()) {
            Some(Said::Here) => None,
            Some(Said::No(because)) => Some((true, because)),
            _ => Some((false, "its fork server said nonsense".to_owned())),
        })
    }
}
