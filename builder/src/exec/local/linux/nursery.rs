//! Where the inits of cells come from: a process of our own binary that forks
//! one for each order. To execute the binary anew, which is large, takes longer
//! than all the namespaces of a cell.
//!
//! Knows sockets and processes. Must never know what an init does, and has
//! nothing in its memory that a cell must not see.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::{Mutex, PoisonError};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{PidfdFlags, WaitOptions};

use super::payload::{self, rustix_exit};
use super::talk::{self, Inbox, Message};
use super::{init, privileges, seccomp};

/// The kind of its socket, by which it knows what it is: an init has another.
pub(super) const ORDERS: SocketType = SocketType::SEQPACKET;

/// Of one executor; started by the first who needs it.
#[derive(Default)]
pub(super) struct Nursery(Mutex<Option<Running>>);

struct Running {
    orders: OwnedFd,
    process: Child,
}

impl Nursery {
    /// Has an init forked that speaks through `control` and prints to `log`. It
    /// says first who it is: [`Message::Born`]. `start` starts a process that
    /// dies with this one.
    ///
    /// # Errors
    /// When there is none to be had this way.
    pub fn order(
        &self,
        (control, log): (&OwnedFd, &OwnedFd),
        start: impl FnOnce(OwnedFd) -> io::Result<Child>,
    ) -> io::Result<()> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nursery = match &mut *running {
            Some(nursery) => nursery,
            none => {
                let (orders, theirs) = socketpair(AddressFamily::UNIX, ORDERS, SocketFlags::CLOEXEC, None)?;
                none.insert(Running { orders, process: start(theirs)? })
            }
        };
        let sent = talk::send_packet(&nursery.orders, b"fork", &[control.as_fd(), log.as_fd()]);
        let gone = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        if sent.as_ref().is_err_and(|error| gone.contains(&error.kind())) {
            // The next one who asks has another.
            *running = None;
        }
        sent
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Killed it would not be waited for by those it forked, nor they be reaped.
        let _ = rustix::net::shutdown(&self.orders, rustix::net::Shutdown::Write);
        let _ = self.process.wait();
    }
}

/// Its life: forks for each order, until nobody can give one any more.
pub(super) fn live(orders: &OwnedFd) -> io::Result<()> {
    // Ctrl-C of a terminal goes to the executor, which decides.
    let _ = rustix::process::setsid();
    privileges::die_with_parent()?;
    let children = payload::child_signal()?;
    // Each init has it then.
    seccomp::prepare()?;
    loop {
        if !payload::wait_for_order(orders, &children)? {
            continue;
        }
        let mut inbox = Inbox::default();
        if !inbox.fill(orders)? {
            break;
        }
        let (Some(log), Some(control)) = (inbox.fds.pop(), inbox.fds.pop()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        match payload::fork() {
            Ok(None) => become_init(control, log),
            // Whoever cannot kill it lets go of it.
            Ok(Some(child)) => {
                if let Ok(process) = rustix::process::pidfd_open(child, PidfdFlags::empty()) {
                    let _ = talk::say(&control, &Message::Born, &[process.as_fd()]);
                }
            }
            // The end of `control` tells.
            Err(_) => {}
        }
    }
    // Those that are left are let go of, too, and end soon.
    while rustix::process::wait(WaitOptions::empty()).is_ok() {}
    Ok(())
}

fn become_init(control: OwnedFd, log: OwnedFd) -> ! {
    let done = payload::close_but([&control, &log])
        .and_then(|()| payload::unblock_signals())
        .and_then(|()| Ok(rustix::stdio::dup2_stdout(&log)?))
        .and_then(|()| Ok(rustix::stdio::dup2_stderr(&log)?));
    drop(log);
    rustix_exit(if done.is_ok() { init::serve(control) } else { 70 })
}
