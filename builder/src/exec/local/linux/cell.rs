//! Level `full`: the cell.
//!
//! Knows namespaces and the order in which a root is assembled. Runs in the
//! init. Must never decide what is seen: the spec's steps do.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;

use super::init::{Blame, Broken, Hands, announce, place, ready, settle, tell, wait_for_leave};
use super::payload::{self, rustix_exit};
use super::seccomp::{self, Sockets};
use super::spec::{BindMode, Root, Spec, Step, Who};
use super::{domain, mount, net, privileges, talk};

/// What every cell is called.
pub(super) const HOSTNAME: &str = "wheelwright";

/// Makes the namespaces, forks their init and waits for it.
pub(super) fn make(spec: &Spec, hands: &Hands) -> Result<(), Broken> {
    let root = spec
        .root
        .as_ref()
        .ok_or(io::Error::other("no root"))
        .failed(|| "failed to read the spec".to_owned())?;
    // Ctrl-C of a terminal goes to the executor, which decides.
    let _ = rustix::process::setsid();
    privileges::die_with_parent().refused(|| "failed to tie the cell to its executor".to_owned())?;
    let mut spaces = UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS;
    if matches!(spec.who, Who::Mapped(..)) {
        spaces |= UnshareFlags::NEWUSER;
    }
    let real_root = privileges::is_real_root();
    unshare(spaces).refused(|| "the host refuses new namespaces".to_owned())?;
    if let Who::Mapped(uid, gid) = spec.who {
        if real_root {
            let because = io::Error::other("root is the only user here, and a build is never root");
            return Err(because).refused(|| "failed to find a user for the build".to_owned());
        }
        privileges::map_ids(uid, gid).refused(|| "the host refuses to map a uid".to_owned())?;
    }
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .failed(|| "failed to make a socket".to_owned())?;
    // Opened now: the child's new root becomes ours, too.
    let proc = payload::open_folder(Path::new("/proc")).failed(|| "failed to open /proc".to_owned())?;
    match payload::fork().refused(|| "the host refuses a new process".to_owned())? {
        None => {
            drop((ours, proc));
            let begin = if spec.serves { domain::keep } else { inside };
            let code = match begin(spec, root, hands, &theirs) {
                Ok(()) => 0,
                Err(broken) => tell(hands, &broken),
            };
            rustix_exit(code)
        }
        Some(init) => {
            drop(theirs);
            announce(hands, init)?;
            map_users_of(init, &proc, &ours).refused(|| "the host refuses to map a uid".to_owned())?;
            payload::wait_for(init).failed(|| "failed to wait for the cell".to_owned())?;
            // What is left is to take the namespaces apart: nobody waits for that.
            let _ = talk::say(&hands.control, &talk::Message::Gone, &[]);
            Ok(())
        }
    }
}

pub(super) fn unshare(spaces: UnshareFlags) -> io::Result<()> {
    // SAFETY: what the flags unshare concerns no memory and no descriptor
    // table, which is what makes unshare unsafe in general.
    Ok(unsafe { rustix::thread::unshare_unsafe(spaces) }?)
}

/// Waits until the cell's init asks for its users, or ends without.
fn map_users_of(init: Pid, proc: &OwnedFd, socket: &OwnedFd) -> io::Result<()> {
    let mut asked = [0u8; 1];
    if rustix::io::retry_on_intr(|| rustix::io::read(socket, &mut asked))? == 0 {
        return Ok(());
    }
    privileges::map_build_id(proc, init)?;
    rustix::io::write(socket, &asked)?;
    Ok(())
}

/// Root's cells get user namespaces, too: the kernel counts the processes of
/// a uid in each apart, so that no cell fails for what another one starts.
/// Isolation does not rest on it: a host that has none to give keeps the
/// count it has, unless they are `needed`.
pub(super) fn own_users(socket: &OwnedFd, needed: bool) -> io::Result<()> {
    match unshare(UnshareFlags::NEWUSER) {
        Err(error) if needed => return Err(error),
        Err(_) => return Ok(()),
        Ok(()) => {}
    }
    let mut answer = [0u8; 1];
    rustix::io::write(socket, &answer)?;
    match rustix::io::retry_on_intr(|| rustix::io::read(socket, &mut answer))? {
        0 => Err(io::Error::other("no uid was mapped")),
        _ => Ok(()),
    }
}

/// Process 1 of the cell.
fn inside(spec: &Spec, root: &Root, hands: &Hands, parent: &OwnedFd) -> Result<(), Broken> {
    privileges::die_with_parent().refused(|| "failed to tie the cell's init to its parent".to_owned())?;
    let source = match &spec.source {
        Some((path, _)) => Some(
            payload::open_folder(Path::new(path)).failed(|| format!("failed to open the source `{path}`"))?,
        ),
        None => None,
    };
    net::loopback_up().refused(|| "failed to bring up the private loopback".to_owned())?;
    rustix::system::sethostname(HOSTNAME.as_bytes()).refused(|| "failed to set the hostname".to_owned())?;
    assemble(root)?;
    let _ = wait_for_leave(hands);
    // Only now: what this namespace shows as `/` is the group we are in.
    unshare(UnshareFlags::NEWCGROUP).refused(|| "the host refuses new namespaces".to_owned())?;
    mount::enter(Path::new(&root.at)).refused(|| "failed to enter the assembled root".to_owned())?;
    payload::null_stdin().failed(|| "failed to open the cell's /dev/null".to_owned())?;
    if let Who::Becomes(..) = spec.who {
        own_users(parent, false).refused(|| "failed to make the cell's own users".to_owned())?;
    }
    privileges::drop_all(spec.who).refused(|| "failed to drop privileges".to_owned())?;
    settle()?;
    privileges::die_with_parent().refused(|| "failed to tie the cell's init to its parent".to_owned())?;
    if let Some(source) = source {
        rustix::process::fchdir(&source).failed(|| "failed to enter the source".to_owned())?;
    }
    place(spec, Some(Path::new(".")))?;
    rustix::process::chdir("/").failed(|| "failed to leave the source".to_owned())?;
    seccomp::install(Sockets::Contained).refused(|| "failed to install the seccomp filter".to_owned())?;
    ready(spec, hands)?;
    live(spec, hands)
}

/// Starts the program, waits for it and reports. When this returns process 1
/// exits and the kernel ends everything in the cell.
fn live(spec: &Spec, hands: &Hands) -> Result<(), Broken> {
    let children = payload::child_signal().failed(|| "failed to watch for children".to_owned())?;
    let stdin = hands.stdin.as_ref().map(std::os::fd::AsFd::as_fd);
    let main = payload::start(spec, stdin, &|| Ok(())).failed(|| "failed to start the program".to_owned())?;
    let ended = payload::supervise(main, &hands.control, &children)
        .failed(|| "failed to wait for the program".to_owned())?;
    match ended {
        Some(message) => talk::say(&hands.control, &message, &[]).failed(|| "failed to report".to_owned()),
        None => Ok(()),
    }
}

/// Builds the root on a file system in memory over the folder `root.at`.
pub(super) fn assemble(root: &Root) -> Result<(), Broken> {
    let at = Path::new(&root.at);
    mount::make_private().refused(|| "failed to make mounts private".to_owned())?;
    mount::memory(at, "mode=0755,size=16m", false).refused(|| "failed to mount the new root".to_owned())?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    for step in &root.steps {
        take(at, step)?;
    }
    Ok(())
}

pub(super) fn take(at: &Path, step: &Step) -> Result<(), Broken> {
    let inside = |path: &str| at.join(path.trim_start_matches('/'));
    match step {
        Step::Folder(path) => folders(at, path).failed(|| format!("failed to make `{path}` in the cell")),
        Step::File(path, bytes) => {
            write(&inside(path), bytes).failed(|| format!("failed to write `{path}` in the cell"))
        }
        Step::Link(path, target) => std::os::unix::fs::symlink(target, inside(path))
            .failed(|| format!("failed to link `{path}` in the cell")),
        Step::Bind(from, to, mode) => {
            let from = Path::new(from);
            let target = mount_point(at, from, to).failed(|| {
                format!("failed to make a place for `{}` at `{to}` in the cell", from.display())
            })?;
            mount::bind(from, &target, *mode).refused(|| format!("failed to bind `{}`", from.display()))
        }
        Step::Memory(path, size, mode) => {
            folders(at, path).failed(|| format!("failed to make `{path}` in the cell"))?;
            let id = privileges::BUILD_ID;
            let options = format!("mode={mode:o},size={size},uid={id},gid={id}");
            mount::memory(&inside(path), &options, false)
                .refused(|| format!("failed to mount `{path}` in memory"))
        }
        Step::Cover(path) => mount::memory(&inside(path), "mode=0555,size=4k", true)
            .refused(|| format!("failed to cover `{path}`")),
        Step::Proc(path) => {
            folders(at, path).failed(|| format!("failed to make `{path}` in the cell"))?;
            mount::proc(&inside(path)).refused(|| "the host refuses a fresh /proc".to_owned())
        }
        Step::Terminals(path) => {
            folders(at, path).failed(|| format!("failed to make `{path}` in the cell"))?;
            mount::terminals(&inside(path)).refused(|| "the host refuses private terminals".to_owned())
        }
        Step::Seal(path) => {
            mount::seal(&inside(path)).refused(|| format!("failed to make `{path}` read-only"))
        }
    }
}

/// Makes a folder and its parents. Existing ones, links too, stay.
fn folders(at: &Path, path: &str) -> io::Result<()> {
    fs::create_dir_all(at.join(path.trim_start_matches('/')))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?.write_all(bytes)
}

/// Something to mount on, of the kind of `from`.
fn mount_point(at: &Path, from: &Path, to: &str) -> io::Result<PathBuf> {
    let target = at.join(to.trim_start_matches('/'));
    if fs::metadata(from)?.is_dir() {
        fs::create_dir_all(&target)?;
    } else if fs::symlink_metadata(&target).is_err() {
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        write(&target, b"")?;
    }
    Ok(target)
}

/// Kept here for the steps' reader: devices every cell has.
pub(super) fn device_steps() -> Vec<Step> {
    let mut steps = vec![Step::Folder("/dev".to_owned())];
    for name in ["null", "zero", "full", "random", "urandom"] {
        let path = format!("/dev/{name}");
        steps.push(Step::Bind(path.clone(), path, BindMode::Device));
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        steps.push(Step::Link(format!("/dev/{name}"), target.to_owned()));
    }
    steps.push(Step::Terminals("/dev/pts".to_owned()));
    steps
}
