//! Starting the foreign process and seeing it end.
//!
//! Knows fork, exec and wait, in a process with one thread. Must never know
//! mounts.

use std::ffi::{CString, OsStr};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitOptions, WaitStatus};

use super::privileges;
use super::spec::Spec;
use super::talk::Message;

/// Forks. `None` in the child.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the init has one thread, so the child's memory is in a state that
    // any code may go on with.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Closes every descriptor from 3 on but these.
pub(super) fn close_but(keep: [&OwnedFd; 2]) -> io::Result<()> {
    let [a, b] = keep.map(|fd| fd.as_raw_fd().unsigned_abs());
    let (low, high) = (a.min(b), a.max(b));
    for (first, last) in [(3, low - 1), (low + 1, high - 1), (high + 1, u32::MAX)] {
        // SAFETY: for a process that forgets whatever owned them.
        if first <= last && unsafe { libc::syscall(libc::SYS_close_range, first, last, 0u32) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Waits for one child.
pub(super) fn wait_for(pid: Pid) -> io::Result<WaitStatus> {
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the child still has to do to itself before the exec.
pub(super) type Confine<'a> = &'a dyn Fn() -> io::Result<()>;

/// Forks and executes the program of `spec`; a program that cannot be executed
/// is its exit code 126 or 127 and a line in the log, as in a shell.
pub(super) fn start(spec: &Spec, stdin: Option<BorrowedFd<'_>>, confine: Confine<'_>) -> io::Result<Pid> {
    // Everything that allocates or can fail is made before the fork.
    let argv = strings(spec.argv.iter().map(String::as_bytes))?;
    let env: Vec<Vec<u8>> =
        spec.env.iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect();
    let env = strings(env.iter().map(Vec::as_slice))?;
    match fork()? {
        Some(pid) => Ok(pid),
        None => {
            let (code, because) = become_program(spec, stdin, confine, (&argv, &env));
            let _ = writeln!(io::stderr(), "wheelwright: {because}");
            rustix_exit(code)
        }
    }
}

/// Ends this process without running anything of the parent's that a fork copied.
pub(super) fn rustix_exit(code: i32) -> ! {
    // SAFETY: _exit only ends the process.
    unsafe { libc::_exit(code) }
}

fn strings<'a>(items: impl Iterator<Item = &'a [u8]>) -> io::Result<Vec<CString>> {
    items.map(|item| CString::new(item).map_err(io::Error::from)).collect()
}

fn become_program(
    spec: &Spec,
    stdin: Option<BorrowedFd<'_>>,
    confine: Confine<'_>,
    (argv, env): (&[CString], &[CString]),
) -> (i32, String) {
    if let Err(error) = prepare(stdin) {
        return (126, format!("failed to prepare the process: {error}"));
    }
    if let Err(error) = rustix::process::chdir(spec.cwd.as_str()) {
        return (127, format!("cannot enter `{}`: {error}", spec.cwd));
    }
    if let Err(error) = privileges::bound(spec.bounds).and_then(|()| confine()) {
        return (126, format!("failed to confine the process: {error}"));
    }
    let error = exec(argv, env);
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    (code, format!("cannot run `{}`: {error}", spec.argv.first().map_or("", String::as_str)))
}

/// A new session, only descriptors 0, 1 and 2, signals as a fresh process has them.
fn prepare(stdin: Option<BorrowedFd<'_>>) -> io::Result<()> {
    rustix::process::setsid()?;
    privileges::die_with_parent()?;
    if let Some(stdin) = stdin {
        rustix::stdio::dup2_stdin(stdin)?;
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // SAFETY: descriptors are only marked to close at the exec, signals are set
    // to their defaults.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
    unblock_signals()
}

/// No signal is blocked any more.
pub(super) fn unblock_signals() -> io::Result<()> {
    // SAFETY: `set` is filled by sigemptyset before it is read.
    let done = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut())
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Returns only when it failed.
fn exec(argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |items: &[CString]| -> Vec<*const libc::c_char> {
        items.iter().map(|item| item.as_ptr()).chain([ptr::null()]).collect()
    };
    let Some(program) = argv.first() else { return io::Error::other("there is no program") };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: three NUL-terminated things: a string and two arrays of pointers
    // to strings that are borrowed for the whole call and end in a null.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// A descriptor that becomes readable when a child ended. Blocks the signal.
pub(super) fn child_signal() -> io::Result<OwnedFd> {
    // SAFETY: `set` is filled by sigemptyset before anything reads it; signalfd
    // gives a new descriptor that nobody else owns, or -1.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// Reaps everything that ends until `main` does (its end is returned) or the
/// executor lets go of `control` (`None`).
pub(super) fn supervise(main: Pid, control: impl AsFd, children: impl AsFd) -> io::Result<Option<Message>> {
    let mut drain = [0u8; 4096];
    loop {
        while let Some((pid, status)) = reap()? {
            if pid == main {
                return Ok(Some(ending(status)));
            }
        }
        let mut waits = [PollFd::new(&control, PollFlags::IN), PollFd::new(&children, PollFlags::IN)];
        match poll(&mut waits, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !waits[0].revents().is_empty() {
            return Ok(None);
        }
        // Emptied before the next reap, so that no end is missed.
        while rustix::io::read(&children, &mut drain[..]).is_ok_and(|n| n > 0) {}
    }
}

/// Reaps everything that ends until the executor lets go of `control`.
pub(super) fn reap_until_let_go(control: impl AsFd, children: impl AsFd) -> io::Result<()> {
    // No child of ours has this number: it is our own.
    supervise(rustix::process::getpid(), control, children).map(|_| ())
}

/// Waits until there is an order or a child ended, and for those that ended;
/// whether there is an order, or nobody any more who could give one.
pub(super) fn wait_for_order(orders: impl AsFd, children: impl AsFd) -> io::Result<bool> {
    let mut waits =
        [PollFd::from_borrowed_fd(orders.as_fd(), PollFlags::IN), PollFd::new(&children, PollFlags::IN)];
    match poll(&mut waits, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let asked = !waits[0].revents().is_empty();
    let mut drain = [0u8; 4096];
    while rustix::io::read(&children, &mut drain[..]).is_ok_and(|n| n > 0) {}
    while matches!(reap(), Ok(Some(_))) {}
    Ok(asked)
}

/// Whether this process is the first one of its process namespace and the only
/// one. Whoever else there is, is killed.
pub(super) fn is_alone() -> bool {
    if !rustix::process::getpid().is_init() {
        return false;
    }
    while let Ok(Some(_)) = reap() {}
    // SAFETY: sends a signal to all others that this process may signal.
    let sent = unsafe { libc::kill(-1, libc::SIGKILL) };
    sent == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

fn reap() -> io::Result<Option<(Pid, WaitStatus)>> {
    match rustix::process::wait(WaitOptions::NOHANG) {
        Ok(ended) => Ok(ended),
        Err(rustix::io::Errno::CHILD | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A wait status as a message.
pub(super) fn ending(status: WaitStatus) -> Message {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Message::Exited(code as u64),
        (None, signal) => Message::Killed(signal.unwrap_or(0) as u64),
    }
}

/// Opens a folder to be handed over or returned to.
pub(super) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?)
}

/// Replaces descriptor 0 by `/dev/null` of wherever we are.
pub(super) fn null_stdin() -> io::Result<()> {
    let null = rustix::fs::open(
        OsStr::from_bytes(b"/dev/null"),
        rustix::fs::OFlags::RDWR,
        rustix::fs::Mode::empty(),
    )?;
    if null.as_raw_fd() != 0 {
        rustix::stdio::dup2_stdin(&null)?;
    } else {
        std::mem::forget(null);
    }
    Ok(())
}
