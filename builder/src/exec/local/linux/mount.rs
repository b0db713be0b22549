//! Mounts, one call each.
//!
//! Knows mount(2) and the newer calls that set attributes without clearing
//! what was locked. Must never know what is mounted why.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, mount_change,
    move_mount, open_tree, unmount,
};

use super::spec::BindMode;

const RDONLY: u64 = 0x1;
const NOSUID: u64 = 0x2;
const NODEV: u64 = 0x4;
const NOEXEC: u64 = 0x8;

/// `struct mount_attr` of the kernel.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

fn set_attributes(fd: i32, path: &Path, flags: i32, set: u64) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_encoded_bytes())?;
    let attr = MountAttr { set, clear: 0, propagation: 0, userns: 0 };
    // SAFETY: `path` is a NUL-terminated string and `attr` a struct of the size
    // passed, laid out as the kernel's; both outlive the call, which keeps neither.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd,
            path.as_ptr(),
            flags,
            &raw const attr,
            std::mem::size_of::<MountAttr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Nothing of this mount namespace reaches another one, or comes from one.
pub(super) fn make_private() -> io::Result<()> {
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// Binds a host file or folder, with what is mounted below it.
pub(super) fn bind(from: &Path, to: &Path, mode: BindMode) -> io::Result<()> {
    let clone =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, from, clone)?;
    let set = match mode {
        BindMode::ReadOnly => RDONLY | NOSUID | NODEV,
        BindMode::Writable => NOSUID | NODEV,
        BindMode::Device => NOSUID | NOEXEC,
    };
    set_attributes(tree.as_raw_fd(), Path::new(""), libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, set)?;
    Ok(move_mount(&tree, "", CWD, to, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// A file system in memory.
pub(super) fn memory(to: &Path, options: &str, read_only: bool) -> io::Result<()> {
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
    flags.set(MountFlags::RDONLY, read_only);
    Ok(mount("tmpfs", to, "tmpfs", flags, &*CString::new(options)?)?)
}

/// A fresh /proc of this pid namespace; nothing in it can be written.
pub(super) fn proc(to: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    Ok(mount("proc", to, "proc", flags, None)?)
}

/// A /proc of this pid namespace that is mounted nowhere and can be written
/// through the descriptor: for the maps of user namespaces. Holds processes,
/// nothing of the kernel's.
pub(super) fn processes() -> io::Result<OwnedFd> {
    let system = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&system, "subset", "pid")?;
    fsconfig_create(&system)?;
    let hard = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    Ok(fsmount(&system, FsMountFlags::FSMOUNT_CLOEXEC, hard)?)
}

/// Pseudo terminals of this cell's own.
pub(super) fn terminals(to: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    Ok(mount("devpts", to, "devpts", flags, c"newinstance,ptmxmode=0666,mode=0620")?)
}

/// Makes one mount read-only.
pub(super) fn seal(at: &Path) -> io::Result<()> {
    set_attributes(libc::AT_FDCWD, at, 0, RDONLY)
}

/// Makes the mount at `at` the root and lets go of the old one.
pub(super) fn enter(at: &Path) -> io::Result<()> {
    rustix::process::chdir(at)?;
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}
