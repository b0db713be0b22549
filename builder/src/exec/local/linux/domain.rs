//! The process that keeps a fork server and makes cells for its children.
//!
//! Knows how namespaces nest: the server owns no privilege, but the user
//! namespaces of the cells are children of its own and made by its own uid, so
//! that what it forks may enter them. Runs in the init. Must never know what
//! the server has loaded, and never trusts it: it has imported foreign code.
//!
//! ```text
//! user namespace 0   init of the domain (this), the server
//!   user namespace 1.. one a cell: the cell's init, the child that was forked from the server
//! ```
//! Process, mount and other namespaces nest in the same way. The root of the
//! domain is assembled once; a cell sees a copy of it with its own /build,
//! /tmp, /dev/shm, /dev/pts and /proc on top, and can lay none of it bare.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use seccompiler::BpfProgram;

use super::cell::{HOSTNAME, assemble, own_users, take, unshare};
use super::init::{Blame, Broken, Hands, place, tell, wait_for_leave};
use super::payload::{self, rustix_exit};
use super::seccomp::{self, Sockets};
use super::spec::{Root, Spec, Step, Who};
use super::talk::{self, Inbox, Message};
use super::{mount, net, privileges};

/// The namespaces a child of the server joins, in this order: the first gives
/// it the right to join the others.
const SPACES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// Process 1 of a domain: assembles the root, starts the server, makes a cell
/// for each order until nobody listens any more.
pub(super) fn keep(spec: &Spec, root: &Root, hands: &Hands, parent: &OwnedFd) -> Result<(), Broken> {
    privileges::die_with_parent().refused(|| "failed to tie the domain to its parent".to_owned())?;
    net::loopback_up().refused(|| "failed to bring up the private loopback".to_owned())?;
    rustix::system::sethostname(HOSTNAME.as_bytes()).refused(|| "failed to set the hostname".to_owned())?;
    assemble(root)?;
    let _ = wait_for_leave(hands);
    unshare(UnshareFlags::NEWCGROUP).refused(|| "the host refuses new namespaces".to_owned())?;
    // While the host's own /proc still shows: afterwards the kernel gives no new one.
    let procs = mount::processes().refused(|| "the host refuses a fresh /proc".to_owned())?;
    mount::enter(Path::new(&root.at)).refused(|| "failed to enter the assembled root".to_owned())?;
    payload::null_stdin().failed(|| "failed to open the domain's /dev/null".to_owned())?;
    if let Who::Becomes(uid, gid) = spec.who {
        privileges::become_user(uid, gid).refused(|| "failed to drop privileges".to_owned())?;
        own_users(parent, true).refused(|| "failed to make the domain's own users".to_owned())?;
    }
    // A change of uid forgets it.
    privileges::die_with_parent().refused(|| "failed to tie the domain to its parent".to_owned())?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    place(spec, None)?;
    std::fs::create_dir_all(&spec.cwd).failed(|| "failed to make the working folder".to_owned())?;
    // From here on: a server may run code of its environment as soon as it starts.
    privileges::hide().refused(|| "failed to hide the init".to_owned())?;
    let stdin = hands.stdin.as_ref().map(AsFd::as_fd);
    let server = payload::start(spec, stdin, &confine_server)
        .failed(|| "failed to start the fork server".to_owned())?;
    privileges::drop_all(Who::Mapped(0, 0)).refused(|| "failed to drop privileges".to_owned())?;
    talk::say(&hands.control, &Message::Ready, &[]).failed(|| "failed to report".to_owned())?;
    let ended = make_cells(hands, &procs);
    // The kernel would end it with us, but forget what it and its children used.
    let _ = rustix::process::kill_process(server, Signal::KILL);
    let _ = payload::wait_for(server);
    ended.failed(|| "failed to wait for orders".to_owned())
}

/// What the server does to itself before it becomes a foreign program.
fn confine_server() -> io::Result<()> {
    unshare(UnshareFlags::NEWNS)?;
    for path in COVERED {
        let path = Path::new("/proc").join(path);
        if path.exists() {
            mount::bind(Path::new("/dev/null"), &path, super::spec::BindMode::Device)?;
        }
    }
    privileges::drop_all(Who::Mapped(0, 0))?;
    seccomp::install(Sockets::Served)
}

/// Files of /proc that nobody in a cell may read.
pub(super) const COVERED: [&str; 5] = ["kcore", "keys", "key-users", "sysrq-trigger", "timer_list"];

/// Until the executor lets go or the server is gone.
fn make_cells(hands: &Hands, procs: &OwnedFd) -> io::Result<()> {
    let children = payload::child_signal()?;
    let confined = seccomp::only_files()?;
    let mut inbox = Inbox::default();
    loop {
        while let Some(frame) = inbox.frame() {
            let spec = Spec::decode(&frame).ok_or(io::ErrorKind::InvalidData)?;
            if inbox.fds.is_empty() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let control = inbox.fds.remove(0);
            if payload::fork()?.is_none() {
                let hands = Hands { control, stdin: None };
                let code = match outside(&spec, &hands, (procs, &confined)) {
                    Ok(()) => 0,
                    Err(broken) => tell(&hands, &broken),
                };
                rustix_exit(code)
            }
        }
        let mut waits = [PollFd::new(&hands.control, PollFlags::IN), PollFd::new(&children, PollFlags::IN)];
        match poll(&mut waits, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let asked = !waits[0].revents().is_empty();
        let mut drain = [0u8; 4096];
        while rustix::io::read(&children, &mut drain[..]).is_ok_and(|n| n > 0) {}
        while matches!(rustix::process::wait(WaitOptions::NOHANG), Ok(Some(_))) {}
        if asked && !inbox.fill(&hands.control)? {
            return Ok(());
        }
    }
}

/// Makes the namespaces of one cell, forks its init and waits for it: when
/// this process is gone, so is everything in the cell.
fn outside(spec: &Spec, hands: &Hands, (procs, confined): (&OwnedFd, &BpfProgram)) -> Result<(), Broken> {
    // The signals that the domain's init waits for are nothing to a cell's.
    payload::unblock_signals().failed(|| "failed to reset signals".to_owned())?;
    enter_own_users(procs, confined).refused(|| "the host refuses a uid of the cell's own".to_owned())?;
    unshare(
        UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWNET
            | UnshareFlags::NEWIPC
            | UnshareFlags::NEWUTS,
    )
    .refused(|| "the host refuses nested namespaces".to_owned())?;
    match payload::fork().refused(|| "the host refuses a new process".to_owned())? {
        None => {
            let code = match inside(spec, hands) {
                Ok(()) => 0,
                Err(broken) => tell(hands, &broken),
            };
            rustix_exit(code)
        }
        Some(init) => {
            payload::wait_for(init).failed(|| "failed to wait for the cell".to_owned())?;
            Ok(())
        }
    }
}

/// Joins a new user namespace that has the build's ids.
///
/// Only a process that others of its uid can look into may map its own ids,
/// and the server is such another. So one does it that holds nothing: no
/// descriptor of ours, no call but the few it needs. This process, which holds
/// a folder of the host, joins it unseen.
fn enter_own_users(procs: &OwnedFd, confined: &BpfProgram) -> io::Result<()> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let Some(maker) = payload::fork()? else {
        let code = match make_users(procs, confined, &theirs) {
            Ok(()) => 0,
            Err(_) => 1,
        };
        rustix_exit(code)
    };
    drop(theirs);
    let made = rustix::io::retry_on_intr(|| rustix::io::read(&ours, &mut [0u8; 1]))? == 1;
    let joined = if made { join_users_of(procs, maker) } else { Err(io::ErrorKind::PermissionDenied.into()) };
    drop(ours);
    payload::wait_for(maker)?;
    joined
}

fn join_users_of(procs: &OwnedFd, maker: Pid) -> io::Result<()> {
    let path = format!("{}/ns/user", maker.as_raw_nonzero());
    let users = rustix::fs::openat(procs, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(move_into_link_name_space(users.as_fd(), Some(LinkNameSpaceType::User))?)
}

/// Lives until the other side of `tell` is closed.
fn make_users(procs: &OwnedFd, confined: &BpfProgram, tell: &OwnedFd) -> io::Result<()> {
    privileges::die_with_parent()?;
    payload::close_but([procs, tell])?;
    unshare(UnshareFlags::NEWUSER)?;
    seccomp::apply(confined)?;
    privileges::show()?;
    privileges::map_own_build_id(procs)?;
    rustix::io::write(tell, &[0])?;
    rustix::io::retry_on_intr(|| rustix::io::read(tell, &mut [0u8; 1]))?;
    Ok(())
}

/// Process 1 of a cell whose program comes from outside. It is made ahead of
/// need: what is placed in it comes with the word to go on.
fn inside(spec: &Spec, hands: &Hands) -> Result<(), Broken> {
    privileges::die_with_parent().refused(|| "failed to tie the cell's init to its parent".to_owned())?;
    net::loopback_up().refused(|| "failed to bring up the private loopback".to_owned())?;
    rustix::system::sethostname(HOSTNAME.as_bytes()).refused(|| "failed to set the hostname".to_owned())?;
    let steps: &[Step] = spec.root.as_ref().map_or(&[], |root| &root.steps);
    for step in steps {
        take(Path::new("/"), step)?;
    }
    talk::say(&hands.control, &Message::Init(0), &[]).failed(|| "failed to report".to_owned())?;
    let mut inbox = wait_for_leave(hands);
    let order = inbox.frame().and_then(|frame| Spec::decode(&frame));
    let order = order.ok_or(io::ErrorKind::InvalidData).failed(|| "failed to read the order".to_owned())?;
    unshare(UnshareFlags::NEWCGROUP).refused(|| "the host refuses new namespaces".to_owned())?;
    let spaces = own_spaces().failed(|| "failed to open the cell's namespaces".to_owned())?;
    privileges::drop_all(Who::Mapped(0, 0)).refused(|| "failed to drop privileges".to_owned())?;
    if let Some(source) = inbox.fds.pop() {
        rustix::process::fchdir(&source).failed(|| "failed to enter the source".to_owned())?;
    }
    place(&order, Some(Path::new(".")))?;
    rustix::process::chdir("/").failed(|| "failed to leave the source".to_owned())?;
    let build = payload::open_folder(Path::new(&order.build))
        .failed(|| "failed to open the build folder".to_owned())?;
    let fds: Vec<_> = [&build].into_iter().chain(&spaces).map(AsFd::as_fd).collect();
    talk::say(&hands.control, &Message::Ready, &fds).failed(|| "failed to report".to_owned())?;
    drop(fds);
    drop((spaces, build));
    let children = payload::child_signal().failed(|| "failed to watch for children".to_owned())?;
    payload::reap_until_let_go(&hands.control, &children).failed(|| "failed to wait".to_owned())
}

fn own_spaces() -> io::Result<Vec<OwnedFd>> {
    let open = |name: &&str| {
        let path = format!("/proc/self/ns/{name}");
        Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    };
    SPACES.iter().map(open).collect()
}
