//! The process that keeps a fork server and makes cells for its children.
//!
//! Knows how namespaces nest: the user namespaces of the cells are children of
//! the server's own and made by its own uid, so that what it forks may enter
//! them. Runs in the init. Must never know what the server has loaded, and
//! never trusts it: it has imported foreign code.
//!
//! ```text
//! user namespace 0     init of the domain (this)
//!   user namespace 1   the server
//!     user namespaces  one a cell: the cell's init, the child that was forked from the server
//! ```
//! A child is born into the process namespace of its cell, which takes a right
//! in the server's own user namespace. That one owns nothing but those of the
//! cells, which the server may enter anyhow.
//!
//! Process, mount and other namespaces nest in the same way. The root of the
//! domain is assembled once; a cell sees a copy of it with its own /build,
//! /tmp, /dev/shm, /dev/pts and /proc on top, and can lay none of it bare.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, Signal};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use seccompiler::BpfProgram;

use super::cell::{HOSTNAME, assemble, own_users, take, unshare};
use super::init::{Blame, Broken, Hands, place, tell, wait_for_leave};
use super::payload::{self, rustix_exit};
use super::seccomp::{self, Sockets};
use super::spec::{Root, Spec, Step, Who};
use super::talk::{self, Inbox, Message};
use super::{mount, net, privileges};

/// The namespaces a child of the server joins: the first gives it the right to
/// join those after the second, and into that one it is born.
const SPACES: [&str; 7] = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"];

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
    let confined = seccomp::only_files().failed(|| "failed to make a filter".to_owned())?;
    let makers = Makers { procs, confined, users: None };
    let users = makers.new_users().refused(|| "the host refuses a uid of the server's own".to_owned())?;
    let stdin = hands.stdin.as_ref().map(AsFd::as_fd);
    let server = payload::start(spec, stdin, &|| confine_server(&users))
        .failed(|| "failed to start the fork server".to_owned())?;
    privileges::drop_all(Who::Mapped(0, 0)).refused(|| "failed to drop privileges".to_owned())?;
    talk::say(&hands.control, &Message::Ready, &[]).failed(|| "failed to report".to_owned())?;
    let ended = make_cells(hands, &Makers { users: Some(users), ..makers });
    // The kernel would end it with us, but forget what it and its children used.
    let _ = rustix::process::kill_process(server, Signal::KILL);
    let _ = payload::wait_for(server);
    ended.failed(|| "failed to wait for orders".to_owned())
}

/// What the server does to itself before it becomes a foreign program.
fn confine_server(users: &OwnedFd) -> io::Result<()> {
    unshare(UnshareFlags::NEWNS)?;
    for path in COVERED {
        let path = Path::new("/proc").join(path);
        if path.exists() {
            mount::bind(Path::new("/dev/null"), &path, super::spec::BindMode::Device)?;
        }
    }
    move_into_link_name_space(users.as_fd(), Some(LinkNameSpaceType::User))?;
    privileges::drop_all_but_entering()?;
    seccomp::install(Sockets::Served)
}

/// Files of /proc that nobody in a cell may read.
pub(super) const COVERED: [&str; 5] = ["kcore", "keys", "key-users", "sysrq-trigger", "timer_list"];

/// Until the executor lets go or the server is gone.
fn make_cells(hands: &Hands, makers: &Makers) -> io::Result<()> {
    let children = payload::child_signal()?;
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
                let code = match outside(&spec, &hands, makers) {
                    Ok(()) => 0,
                    Err(broken) => tell(&hands, &broken),
                };
                rustix_exit(code)
            }
        }
        if payload::wait_for_order(&hands.control, &children)? && !inbox.fill(&hands.control)? {
            return Ok(());
        }
    }
}

/// Makes the namespaces of one cell, forks its init and waits for it: when
/// this process is gone, so is everything in the cell.
fn outside(spec: &Spec, hands: &Hands, makers: &Makers) -> Result<(), Broken> {
    // The signals that the domain's init waits for are nothing to a cell's.
    payload::unblock_signals().failed(|| "failed to reset signals".to_owned())?;
    enter_own_users(makers).refused(|| "the host refuses a uid of the cell's own".to_owned())?;
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
            // The kernel takes its time to take the namespaces apart, which it
            // does when this process ends: nobody has to wait for that. Nor is
            // anybody left to report to when the run is over.
            let _ = talk::say(&hands.control, &Message::Gone, &[]);
            Ok(())
        }
    }
}

fn enter_own_users(makers: &Makers) -> io::Result<()> {
    let users = makers.new_users()?;
    Ok(move_into_link_name_space(users.as_fd(), Some(LinkNameSpaceType::User))?)
}

/// What it takes to make user namespaces that have the build's ids.
///
/// Only a process that others of its uid can look into may map its own ids,
/// and the server is such another. So one does it that holds nothing: no
/// descriptor of ours, no call but the few it needs. Who asked for it, and may
/// hold more, joins it unseen.
struct Makers {
    /// Where processes show.
    procs: OwnedFd,
    /// All that a maker may do.
    confined: BpfProgram,
    /// The server's, once there is one: those of cells lie in it.
    users: Option<OwnedFd>,
}

impl Makers {
    fn new_users(&self) -> io::Result<OwnedFd> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let Some(maker) = payload::fork()? else {
            let code = match self.make_users(&theirs) {
                Ok(()) => 0,
                Err(_) => 1,
            };
            rustix_exit(code)
        };
        drop(theirs);
        let made = rustix::io::retry_on_intr(|| rustix::io::read(&ours, &mut [0u8; 1]))? == 1;
        let users = if made { self.users_of(maker) } else { Err(io::ErrorKind::PermissionDenied.into()) };
        drop(ours);
        payload::wait_for(maker)?;
        users
    }

    fn users_of(&self, maker: Pid) -> io::Result<OwnedFd> {
        let path = format!("{}/ns/user", maker.as_raw_nonzero());
        Ok(rustix::fs::openat(&self.procs, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Lives until the other side of `tell` is closed.
    fn make_users(&self, tell: &OwnedFd) -> io::Result<()> {
        privileges::die_with_parent()?;
        if let Some(users) = &self.users {
            move_into_link_name_space(users.as_fd(), Some(LinkNameSpaceType::User))?;
        }
        payload::close_but([&self.procs, tell])?;
        unshare(UnshareFlags::NEWUSER)?;
        seccomp::apply(&self.confined)?;
        privileges::show()?;
        privileges::map_own_build_id(&self.procs)?;
        rustix::io::write(tell, &[0])?;
        rustix::io::retry_on_intr(|| rustix::io::read(tell, &mut [0u8; 1]))?;
        Ok(())
    }
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
    unshare(UnshareFlags::NEWCGROUP).refused(|| "the host refuses new namespaces".to_owned())?;
    hand_over(spec, hands)?;
    let mut inbox = wait_for_leave(hands);
    let order = inbox.frame().and_then(|frame| Spec::decode(&frame));
    let order = order.ok_or(io::ErrorKind::InvalidData).failed(|| "failed to read the order".to_owned())?;
    if let Some(source) = inbox.fds.pop() {
        rustix::process::fchdir(&source).failed(|| "failed to enter the source".to_owned())?;
    }
    place(&order, Some(Path::new(".")))?;
    rustix::process::chdir("/").failed(|| "failed to leave the source".to_owned())?;
    talk::say(&hands.control, &Message::Ready, &[]).failed(|| "failed to report".to_owned())?;
    let children = payload::child_signal().failed(|| "failed to watch for children".to_owned())?;
    payload::reap_until_let_go(&hands.control, &children).failed(|| "failed to wait".to_owned())?;
    // Else the kernel ends them with this process, and its parent tells.
    if payload::is_alone() {
        let _ = talk::say(&hands.control, &Message::Gone, &[]);
    }
    Ok(())
}

/// Gives the executor `/build` and what a child of the server enters, and keeps
/// no right: the child comes before anything is placed.
fn hand_over(spec: &Spec, hands: &Hands) -> Result<(), Broken> {
    let spaces = own_spaces().failed(|| "failed to open the cell's namespaces".to_owned())?;
    privileges::drop_all(Who::Mapped(0, 0)).refused(|| "failed to drop privileges".to_owned())?;
    let build = payload::open_folder(Path::new(&spec.build))
        .failed(|| "failed to open the build folder".to_owned())?;
    let fds: Vec<_> = [&build].into_iter().chain(&spaces).map(AsFd::as_fd).collect();
    talk::say(&hands.control, &Message::Ready, &fds).failed(|| "failed to report".to_owned())
}

fn own_spaces() -> io::Result<Vec<OwnedFd>> {
    let open = |name: &&str| {
        let path = format!("/proc/self/ns/{name}");
        Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    };
    SPACES.iter().map(open).collect()
}
