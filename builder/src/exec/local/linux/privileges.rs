//! Becoming nobody: uids, capabilities, limits.
//!
//! Knows the calls and their order. Must never know mounts or actions.

use std::io;

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

/// Drops every capability, the bounding and ambient sets, and root's uid and
/// groups; nothing executed later gains anything.
pub(super) fn drop_all(who: Who) -> io::Result<()> {
    if who != Who::Invoker {
        drop_bounding()?;
    }
    if let Who::Becomes(uid, gid) = who {
        let uid = Uid::from_raw(u32::try_from(uid).map_err(io::Error::other)?);
        let gid = Gid::from_raw(u32::try_from(gid).map_err(io::Error::other)?);
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    }
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )?;
    rustix::thread::set_no_new_privs(true)?;
    if rustix::process::geteuid().is_root() {
        return Err(io::Error::other("the uid is still 0"));
    }
    Ok(())
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
