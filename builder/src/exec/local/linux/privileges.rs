//! Becoming nobody: uids, capabilities, limits.
//!
//! Knows the calls and their order. Must never know mounts or actions.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use super::spec::{Bounds, Who};

/// The uid and gid every cell shows, and the kernel's ones when we are root.
/// Not a uid of people, of services, of other tools' builds or of "nobody".
pub(super) const BUILD_ID: u32 = 60_999;

/// Written by the process itself, so that exactly its own uid is mapped.
pub(super) fn map_ids(uid: u64, gid: u64) -> io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{BUILD_ID} {uid} 1\n"))?;
    std::fs::write("/proc/self/gid_map", format!("{BUILD_ID} {gid} 1\n"))
}

/// Whether the build's uid and gid mean somebody where we are. In a user
/// namespace that maps one id (`unshare -r`, many rootless containers) not.
pub(super) fn knows_build_id() -> bool {
    static KNOWS: OnceLock<bool> = OnceLock::new();
    *KNOWS.get_or_init(look_for_build_id)
}

fn look_for_build_id() -> bool {
    let knows = |file: &str| outside(&std::fs::read_to_string(file).unwrap_or_default(), BUILD_ID).is_some();
    knows("/proc/self/uid_map") && knows("/proc/self/gid_map")
}

/// Whether uid 0 here is the kernel's own, as far as can be seen from here.
pub(super) fn is_real_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    rustix::process::geteuid().is_root() && outside(&map, 0).is_none_or(|outer| outer == 0)
}

/// Which id outside an id inside is, by a uid_map or gid_map: lines of first
/// id inside, first id outside, how many.
fn outside(map: &str, id: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_ascii_whitespace().map(|number| number.parse::<u32>().ok());
        let (inner, outer, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let at = id.checked_sub(inner).filter(|at| *at < count)?;
        outer.checked_add(at)
    })
}

/// Gives a child that is in a new user namespace the build's ids there, the
/// same as outside, and no others. `proc` is a /proc in which it shows.
pub(super) fn map_build_id(proc: &OwnedFd, child: rustix::process::Pid) -> io::Result<()> {
    let map = format!("{BUILD_ID} {BUILD_ID} 1\n");
    for name in ["uid_map", "gid_map"] {
        let path = format!("{}/{name}", child.as_raw_nonzero());
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(proc, path, flags, Mode::empty())?;
        rustix::io::write(file, map.as_bytes())?;
    }
    Ok(())
}

/// Maps the build's ids, which this process has outside its new user
/// namespace, to themselves. `procs` is a writable /proc in which it shows.
pub(super) fn map_own_build_id(procs: &OwnedFd) -> io::Result<()> {
    let map = format!("{BUILD_ID} {BUILD_ID} 1\n");
    for (name, text) in [("setgroups", "deny"), ("uid_map", &map), ("gid_map", &map)] {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(procs, format!("self/{name}"), flags, Mode::empty())?;
        rustix::io::write(file, text.as_bytes())?;
    }
    Ok(())
}

/// Drops every capability, the bounding and ambient sets, and root's uid and
/// groups; nothing executed later gains anything.
pub(super) fn drop_all(who: Who) -> io::Result<()> {
    if who != Who::Invoker || rustix::process::geteuid().is_root() {
        drop_bounding()?;
    }
    if let Who::Becomes(uid, gid) = who {
        become_user(uid, gid)?;
    }
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )?;
    rustix::thread::set_no_new_privs(true)?;
    if is_real_root() {
        return Err(io::Error::other("the uid is still 0"));
    }
    Ok(())
}

/// [`drop_all`], but for the right to choose where children are born, which
/// what is executed next keeps. It counts in the user namespace of this process.
pub(super) fn drop_all_but_entering() -> io::Result<()> {
    let entering = CapabilitySet::SYS_ADMIN;
    let all = rustix::thread::capabilities(None)?;
    rustix::thread::set_capabilities(None, CapabilitySets { inheritable: entering, ..all })?;
    rustix::thread::clear_ambient_capability_set()?;
    rustix::thread::configure_capability_in_ambient_set(entering, true)?;
    drop_bounding()?;
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: entering, permitted: entering, inheritable: entering },
    )?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Root becomes this user, without other groups; capabilities go with the uid.
pub(super) fn become_user(uid: u64, gid: u64) -> io::Result<()> {
    let uid = Uid::from_raw(u32::try_from(uid).map_err(io::Error::other)?);
    let gid = Gid::from_raw(u32::try_from(gid).map_err(io::Error::other)?);
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    Ok(rustix::thread::set_thread_res_uid(uid, uid, uid)?)
}

fn drop_bounding() -> io::Result<()> {
    for bit in 0..64u64 {
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            Ok(()) => {}
            // One past the last capability this kernel knows.
            Err(rustix::io::Errno::INVAL) if bit > 36 => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Nobody of the same uid may look into or trace this process until it execs.
pub(super) fn hide() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Undoes [`hide`].
pub(super) fn show() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?)
}

/// This process dies when the one that forked it does. Cleared by a change of
/// uid: call it again then.
pub(super) fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Sets the rlimits; a hard limit below what is asked for stays.
pub(super) fn bound(bounds: Bounds) -> io::Result<()> {
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Nofile, 4096, 65_536)?;
    limit(Resource::Stack, 8 << 20, u64::MAX)?;
    for (resource, value) in [
        (Resource::Nproc, bounds.processes),
        (Resource::Fsize, bounds.file_size),
        (Resource::Data, bounds.memory),
    ] {
        if value > 0 {
            limit(resource, value, value)?;
        }
    }
    Ok(())
}

fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let now = rustix::process::getrlimit(resource).maximum;
    let hard = if hard == u64::MAX { now } else { Some(now.map_or(hard, |now| now.min(hard))) };
    let soft = Some(hard.map_or(soft, |hard| hard.min(soft)));
    Ok(rustix::process::setrlimit(resource, Rlimit { current: soft, maximum: hard })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_where_the_map_has_it() {
        assert_eq!(outside("         0          0 4294967295\n", 60_999), Some(60_999));
        assert_eq!(outside("0 1000 1\n1 100000 65536\n", 60_999), Some(160_998));
        assert_eq!(outside("0 1000 1\n1 100000 60998\n", 60_999), None);
        assert_eq!(outside("0 1000 1\n", 0), Some(1000));
        assert_eq!(outside("", 0), None);
    }
}
