//! A cell with a child of a fork server in it, made ahead of need.
//!
//! Knows what is slow and depends on no action: namespaces, mounts, a fork.
//! All the child waits for is that something is placed in the cell.
//! Must never let an action have one that was made for another kind of cell.

use std::io::{self, PipeReader};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::calling::{Said, read};
use super::ready::ready;
use super::seccomp;
use super::servers::Server;
use super::spec::{Bounds, Spec, Wire};
use super::talk::{Inbox, Message};
use crate::error::{IoContext, Result};
use crate::exec::Stop;

/// How long to wait for a server that has more orders than it takes.
const AGAIN: Duration = Duration::from_millis(5);
const SILENT: &str = "its fork server did not answer";

/// What one is made for.
#[derive(Clone, PartialEq)]
pub(super) struct Wanted {
    /// The cell, without what is placed in it, and the limits of its program.
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
    /// `/build` of the cell.
    pub build: OwnedFd,
    /// To the child, which waits in the cell, and to its server, which waits for
    /// the child.
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

/// Orders the cell, then, after `pause`, the child, and waits until it waits.
///
/// # Errors
/// When this process has no descriptor or memory left.
pub(super) fn make(server: &Server, wanted: Wanted, stop: &Stop, pause: impl FnOnce()) -> Result<Made> {
    let doing = || "failed to call a fork server";
    let pair = |kind| socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).doing(doing);
    let (cell, cell_theirs) = pair(SocketType::STREAM)?;
    let (call, call_theirs) = pair(SocketType::SEQPACKET)?;
    let (output, log_theirs) = io::pipe().doing(doing)?;
    if server.order_cell(&wanted.cell, &[cell_theirs.as_fd()]).is_err() {
        return lost(false, "its fork server is gone");
    }
    drop(cell_theirs);
    let mut making =
        Making { cell, call, inbox: Inbox::default(), deadline: Instant::now() + server.patience };
    let spaces = match making.until(stop, Making::hear_cell)? {
        Ok(spaces) => spaces,
        Err(made) => return Ok(made),
    };
    let mut spaces = spaces.into_iter();
    let Some(build) = spaces.next() else { return lost(false, "the init of a cell said nonsense") };
    let order = order_for(&wanted).doing(doing)?;
    let given: Vec<OwnedFd> = [call_theirs, log_theirs.into()].into_iter().chain(spaces).collect();
    let fds: Vec<_> = given.iter().map(AsFd::as_fd).collect();
    pause();
    making.deadline = Instant::now() + server.patience;
    while let Err(error) = server.order_child(&order, &fds) {
        if error.kind() != io::ErrorKind::WouldBlock {
            return lost(false, "its fork server is gone");
        }
        if let Some(made) = making.let_time_pass(stop)? {
            return Ok(made);
        }
    }
    drop(fds);
    drop(given);
    if let Err(made) = making.until(stop, Making::hear_child)? {
        return Ok(made);
    }
    let Making { cell, call, inbox, .. } = making;
    Ok(Made::Ready(Box::new(Standby { wanted, cell, inbox, build, call, output })))
}

fn order_for(wanted: &Wanted) -> io::Result<Vec<u8>> {
    let Bounds { processes, file_size, memory } = wanted.cell.bounds;
    let refuse: String = seccomp::last()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::json!({
        "order": wanted.order,
        "cwd": wanted.cell.cwd,
        "processes": processes,
        "file_size": file_size,
        "memory": memory,
        "refuse": refuse,
    });
    Ok(json.to_string().into_bytes())
}

struct Making {
    cell: OwnedFd,
    call: OwnedFd,
    /// What the cell said.
    inbox: Inbox,
    deadline: Instant,
}

/// Why there is none: for good, because.
type Why = (bool, String);
/// What was heard, if that was all; else why it never will be.
type Heard<T> = std::result::Result<Option<T>, Why>;

impl Making {
    /// Until there is something to hear, and what `hear` makes of it.
    fn until<T>(
        &mut self,
        stop: &Stop,
        hear: fn(&mut Self, [bool; 2]) -> Result<Heard<T>>,
    ) -> Result<std::result::Result<T, Made>> {
        loop {
            let fds = [Some(self.cell.as_fd()), Some(self.call.as_fd()), Some(stop.wake().as_fd())];
            let [cell, call, stopped] = ready(fds, self.deadline)?;
            if stopped {
                return Ok(Err(Made::Stopped));
            }
            match hear(self, [cell, call])? {
                Ok(Some(heard)) => return Ok(Ok(heard)),
                Ok(None) => {}
                Err((for_good, because)) => return Ok(Err(Made::Lost { for_good, because })),
            }
            if Instant::now() >= self.deadline {
                return Ok(Err(Made::Lost { for_good: false, because: SILENT.to_owned() }));
            }
        }
    }

    /// A moment in which the server may read its orders; why there is no more.
    fn let_time_pass(&self, stop: &Stop) -> Result<Option<Made>> {
        let until = self.deadline.min(Instant::now() + AGAIN);
        let [stopped] = ready([Some(stop.wake().as_fd())], until)?;
        Ok(match stopped {
            true => Some(Made::Stopped),
            false if Instant::now() < self.deadline => None,
            false => Some(Made::Lost { for_good: false, because: SILENT.to_owned() }),
        })
    }

    /// What the child needs of its cell, once that is there.
    fn hear_cell(&mut self, [cell, _]: [bool; 2]) -> Result<Heard<Vec<OwnedFd>>> {
        if !cell {
            return Ok(Ok(None));
        }
        if !self.inbox.fill(&self.cell).doing(|| "failed to hear from the init of a cell")? {
            return Ok(Err((false, "the init of its cell died".to_owned())));
        }
        let message = self.inbox.frame().and_then(|frame| Message::take(&mut &frame[..]));
        Ok(match message {
            Some(Message::Ready) => Ok(Some(std::mem::take(&mut self.inbox.fds))),
            // What a cell of its own meets the same way, it will tell.
            Some(Message::Failed(_, doing, because)) => Err((true, format!("{doing}: {because}"))),
            _ => Err((false, "the init of a cell said nonsense".to_owned())),
        })
    }

    /// Whether the child waits in its cell.
    fn hear_child(&mut self, [cell, call]: [bool; 2]) -> Result<Heard<()>> {
        if !call {
            let died = || (false, "the init of its cell died".to_owned());
            return Ok(if cell { Err(died()) } else { Ok(None) });
        }
        let mut inbox = Inbox::default();
        let died = || (false, "its fork server, or the child of it, died".to_owned());
        if !inbox.fill(&self.call).doing(|| "failed to hear from a fork server")? {
            return Ok(Err(died()));
        }
        Ok(match read(&inbox.packet()) {
            Some(Said::Here) => Ok(Some(())),
            Some(Said::Ended(..)) => Err(died()),
            Some(Said::No(because)) => Err((true, because)),
            None => Err((false, "its fork server said nonsense".to_owned())),
        })
    }
}
