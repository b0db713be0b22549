//! The socket between the executor and its init: frames of bytes, now and
//! then with a descriptor.
//!
//! Knows frames. Must never know what an action is.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use super::spec::Wire;

/// Descriptors that come with one frame at most.
pub(super) const MOST_FDS: usize = 9;

/// Bytes that are read at once: more than most frames have, and few pages, of
/// which each new process has to get its own.
const AT_ONCE: usize = 8 << 10;

/// What the init says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// The process under which everything foreign will run, by its pid here.
    /// It prepares meanwhile, and waits for an empty frame before it starts
    /// anything: joining a control group takes milliseconds.
    Init(u64),
    /// The process is about to start; comes with a descriptor of `/build`. Of a
    /// cell whose process comes from outside: once when it may come, with those
    /// of the cell's namespaces, too, and once more when all is placed.
    Ready,
    /// It could not be done: whether isolation itself was refused, what was
    /// being done, why.
    Failed(bool, String, String),
    /// The process that will speak here, as a descriptor.
    Born,
    /// Everything that ran in the cell is dead.
    Gone,
    /// The process exited with this code.
    Exited(u64),
    /// The process was ended by this signal.
    Killed(u64),
}

/// Sends one frame; a broken pipe is an error, never a signal.
pub(super) fn send(socket: impl AsFd, body: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(body.len() + 8);
    (body.len() as u64).put(&mut frame);
    frame.extend_from_slice(body);
    let mut rest = &frame[..];
    let mut fds = fds;
    while !rest.is_empty() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let now = std::mem::take(&mut fds);
        if !now.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(now));
        }
        match sendmsg(&socket, &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL) {
            Ok(sent) => rest = &rest[sent..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Sends one message.
pub(super) fn say(socket: impl AsFd, message: &Message, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut body = Vec::new();
    message.put(&mut body);
    send(socket, &body, fds)
}

/// Sends one packet over a socket that keeps packets apart. Never waits for a
/// reader, who may be foreign: the error is `WouldBlock` then.
pub(super) fn send_packet(socket: impl AsFd, body: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    rustix::io::retry_on_intr(|| {
        sendmsg(&socket, &[IoSlice::new(body)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
            .map(drop)
    })?;
    Ok(())
}

/// Frames and descriptors that arrived.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// Descriptors in order of arrival, close-on-exec.
    pub fds: Vec<OwnedFd>,
}

impl Inbox {
    /// Reads once, blocking unless the socket is ready. `false` at the end.
    pub fn fill(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let mut buffer = [0u8; AT_ONCE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = loop {
            let mut into = [IoSliceMut::new(&mut buffer)];
            match recvmsg(&socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(got) => break got.bytes,
                Err(rustix::io::Errno::INTR) => {}
                // The other side died with unread bytes of ours.
                Err(rustix::io::Errno::CONNRESET) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fds.extend(fds);
            }
        }
        self.bytes.extend_from_slice(&buffer[..got]);
        Ok(got > 0)
    }

    /// The packet that [`Inbox::fill`] read: all there is.
    pub fn packet(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Whether a whole frame is there.
    pub fn has_frame(&self) -> bool {
        let mut rest = &self.bytes[..];
        u64::take(&mut rest).is_some_and(|size| rest.len() as u64 >= size)
    }

    /// The next whole frame, if it is there.
    pub fn frame(&mut self) -> Option<Vec<u8>> {
        let mut rest = &self.bytes[..];
        let size = usize::try_from(u64::take(&mut rest)?).ok()?;
        if rest.len() < size {
            return None;
        }
        let body = rest[..size].to_vec();
        self.bytes.drain(..8 + size);
        Some(body)
    }
}

impl Wire for Message {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Message::Ready => to.push(0),
            Message::Gone => to.push(5),
            Message::Born => to.push(6),
            Message::Init(pid) => {
                to.push(4);
                pid.put(to);
            }
            Message::Failed(isolation, doing, because) => {
                to.push(1);
                isolation.put(to);
                doing.put(to);
                because.put(to);
            }
            Message::Exited(code) => {
                to.push(2);
                code.put(to);
            }
            Message::Killed(signal) => {
                to.push(3);
                signal.put(to);
            }
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(match u8::take(from)? {
            0 => Message::Ready,
            1 => Message::Failed(bool::take(from)?, String::take(from)?, String::take(from)?),
            2 => Message::Exited(u64::take(from)?),
            3 => Message::Killed(u64::take(from)?),
            4 => Message::Init(u64::take(from)?),
            5 => Message::Gone,
            6 => Message::Born,
            _ => return None,
        })
    }
}
