//! Ctrl-C and its like: told to a thread of ours instead of ending the process.
//!
//! Knows signal handlers. Must never know what is stopped.

use std::io::{self, Read as _};
use std::os::fd::IntoRawFd as _;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::error::{IoContext as _, Result};

/// The pipe the handler writes to.
static PIPE: AtomicI32 = AtomicI32::new(-1);

const DOING: &str = "failed to prepare for Ctrl-C";

/// Calls `then` once, on a thread of its own, at the first SIGINT, SIGTERM or
/// SIGHUP. The second one of a kind ends the process as if this had never been
/// called; a signal the process was told to ignore stays ignored.
pub fn on_interrupt(then: impl FnOnce() + Send + 'static) -> Result<()> {
    let (mut wake, ring) = io::pipe().doing(|| DOING)?;
    // Never closed: the handler may write to it at any time.
    PIPE.store(ring.into_raw_fd(), Ordering::SeqCst);
    let thread = std::thread::Builder::new().name("interrupt".to_owned());
    let watch = move || {
        if wake.read_exact(&mut [0]).is_ok() {
            then();
        }
    };
    thread.spawn(watch).doing(|| DOING)?;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        handle(signal).doing(|| DOING)?;
    }
    Ok(())
}

fn handle(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: an all-zero sigaction is a valid value (no handler, no flags,
    // an empty mask).
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: `old` is valid for writing, and nothing is changed.
    if unsafe { libc::sigaction(signal, std::ptr::null(), &mut old) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if old.sa_sigaction == libc::SIG_IGN {
        return Ok(());
    }
    // SAFETY: as above.
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = caught as extern "C" fn(libc::c_int) as libc::sighandler_t;
    new.sa_flags = libc::SA_RESTART | libc::SA_RESETHAND;
    // SAFETY: `new` is valid for reading, and its handler does only what a
    // handler may: it reads an atomic and calls write(2).
    match unsafe { libc::sigaction(signal, &new, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn caught(_: libc::c_int) {
    let pipe = PIPE.load(Ordering::SeqCst);
    // SAFETY: errno of the interrupted code is kept; write(2) may be called
    // from a handler, and the byte it reads is a constant.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        libc::write(pipe, c"!".as_ptr().cast(), 1);
        *errno = saved;
    }
}
