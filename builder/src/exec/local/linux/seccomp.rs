//! Calls a build never needs and must not make.
//!
//! Knows system calls. Must never know who asks. A list of refusals, not of
//! permissions: a compiler may use whatever else its kernel has.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

/// Refused with EPERM whatever their arguments.
const REFUSED: &[libc::c_long] = &[
    // Mounts and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    467, // open_tree_attr
    // Other processes and namespaces.
    libc::SYS_setns,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Keys, programs in the kernel, and what escaped from sandboxes before.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_lookup_dcookie,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_nfsservctl,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];

/// Those that only this processor has.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[libc::c_long] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib, libc::SYS__sysctl];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[libc::c_long] = &[];

/// Extended attributes are metadata that no landlock rule covers and nothing
/// of a build needs: a file system without them is something every tool knows.
const NO_ATTRIBUTES: &[libc::c_long] = &[
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    463, // setxattrat
    466, // removexattrat
];

/// Calls whose arguments a filter cannot see, or that are newer than the
/// filter: the C library and everybody else falls back to the older ones.
const ABSENT: &[libc::c_long] = &[libc::SYS_clone3, libc::SYS_openat2, 452 /* fchmodat2 */];

/// Calls that give a file its mode, and which argument is the mode.
const MODES: &[(libc::c_long, u8)] =
    &[(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2), (libc::SYS_mknodat, 2)];
#[cfg(target_arch = "x86_64")]
const MODES_HERE: &[(libc::c_long, u8)] = &[(libc::SYS_chmod, 1), (libc::SYS_creat, 1), (libc::SYS_mknod, 1)];
#[cfg(not(target_arch = "x86_64"))]
const MODES_HERE: &[(libc::c_long, u8)] = &[];

/// Calls that may make a file: which argument holds the flags; the mode is
/// the next one, and means something only when a flag says so.
const OPENS: &[(libc::c_long, u8)] = &[(libc::SYS_openat, 2)];
#[cfg(target_arch = "x86_64")]
const OPENS_HERE: &[(libc::c_long, u8)] = &[(libc::SYS_open, 1)];
#[cfg(not(target_arch = "x86_64"))]
const OPENS_HERE: &[(libc::c_long, u8)] = &[];

/// The bit of `O_TMPFILE` that is not `O_DIRECTORY`.
const TMPFILE: u64 = (libc::O_TMPFILE & !libc::O_DIRECTORY) as u64;

/// Every CLONE_NEW flag of clone(2) and unshare(2).
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// Only unshare(2) takes it: in clone(2) these bits are the exit signal.
const CLONE_NEWTIME: u64 = 0x80;

/// Refused where there is no namespace of IPC objects: those of System V are
/// the whole host's, other builds' too, and outlive who made them.
const SHARED_OBJECTS: &[libc::c_long] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // Names as they appear in folders that cannot be read.
    libc::SYS_inotify_add_watch,
];

/// What a build may have of sockets.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sockets {
    /// The families that a network namespace contains: unix, inet, inet6, netlink.
    Contained,
    /// The same for a fork server, whose children enter their cells with every
    /// right in them, and only then let go of it: unix and inet without what
    /// configures a network. It may join namespaces that it has a descriptor of;
    /// [`last`] takes that from the children.
    Served,
    /// Only what socketpair(2) gives: without a network namespace every other
    /// socket could reach something.
    Pairs,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs the filters on this thread and what it forks. Needs no_new_privs.
pub(super) fn install(sockets: Sockets) -> io::Result<()> {
    match PREPARED.get().filter(|_| sockets == Sockets::Contained) {
        Some(programs) => programs.iter().try_for_each(apply),
        None => programs(sockets).map_err(io::Error::other)?.iter().try_for_each(apply),
    }
}

/// What most cells install, for those who are forked from this process.
static PREPARED: OnceLock<[BpfProgram; 3]> = OnceLock::new();

/// Makes the filters of [`Sockets::Contained`] once for all.
pub(super) fn prepare() -> io::Result<()> {
    let made = programs(Sockets::Contained).map_err(io::Error::other)?;
    PREPARED.get_or_init(|| made);
    Ok(())
}

/// Installs one filter on this thread and what it forks. Needs no_new_privs.
pub(super) fn apply(program: &BpfProgram) -> io::Result<()> {
    seccompiler::apply_filter(program).map_err(io::Error::other)
}

/// All that a process may do that maps the ids of its own user namespace:
/// open, read and write files, and end.
pub(super) fn only_files() -> io::Result<BpfProgram> {
    let allowed = [
        libc::SYS_openat,
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_close,
        libc::SYS_prctl,
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_exit_group,
    ];
    let rules = allowed.into_iter().map(|call| (call, Vec::new())).collect();
    filter(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow).map_err(io::Error::other)
}

/// A filter for each answer: refusals with EPERM; calls that "do not exist",
/// so that the C library falls back to ones whose arguments can be seen; and
/// what this "file system" has not.
fn programs(sockets: Sockets) -> Result<[BpfProgram; 3], seccompiler::BackendError> {
    let whole = |calls: &[libc::c_long]| calls.iter().map(|&call| (call, Vec::new())).collect();
    Ok([
        compile(refusals(sockets)?, libc::EPERM)?,
        compile(whole(ABSENT), libc::ENOSYS)?,
        compile(whole(NO_ATTRIBUTES), libc::ENOTSUP)?,
    ])
}

fn refusals(sockets: Sockets) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().chain(REFUSED_HERE).map(|&call| (call, Vec::new())).collect();
    if sockets == Sockets::Served {
        rules.remove(&libc::SYS_setns);
        rules.extend(tables()?);
    }
    if sockets == Sockets::Pairs {
        rules.extend(SHARED_OBJECTS.iter().map(|&call| (call, Vec::new())));
    }
    let flags = NAMESPACES.map(|flag| flag as u64);
    rules.insert(libc::SYS_clone, flags.iter().map(|&flag| has(0, flag)).collect::<Result<_, _>>()?);
    let unshare = flags.iter().chain([&CLONE_NEWTIME]);
    rules.insert(libc::SYS_unshare, unshare.map(|&flag| has(0, flag)).collect::<Result<_, _>>()?);
    // The default personality, and asking for the present one.
    let personality = [is_not(0, 0)?, is_not(0, 0xffff_ffff)?];
    rules.insert(libc::SYS_personality, vec![SeccompRule::new(personality.to_vec())?]);
    // Typing into a terminal.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| is(1, request));
    let typing = typing.into_iter().map(|c| SeccompRule::new(vec![c?])).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_ioctl, typing);
    let socket = match sockets {
        Sockets::Pairs => Vec::new(),
        Sockets::Contained => {
            other_families(&[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK])?
        }
        Sockets::Served => {
            let mut rules = other_families(&[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6])?;
            rules.push(raw_sockets()?);
            rules
        }
    };
    rules.insert(libc::SYS_socket, socket);
    // Other families have pairs too, and asking loads their kernel modules.
    rules.insert(libc::SYS_socketpair, vec![SeccompRule::new(vec![is_not(0, libc::AF_UNIX as u64)?])?]);
    // Its own limits only: with the init's at nothing, the init could not look
    // for what it has to end.
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![is_not(0, 0)?])?]);
    rules.extend(set_id_bits()?);
    Ok(rules)
}

fn other_families(allowed: &[libc::c_int]) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let others = allowed.iter().map(|&family| is_not(0, family as u64));
    Ok(vec![SeccompRule::new(others.collect::<Result<_, _>>()?)?])
}

/// Nobody without rights has any; with them, they reach more of the kernel.
fn raw_sockets() -> Result<SeccompRule, seccompiler::BackendError> {
    const TYPE: u64 = 0xf;
    let raw = SeccompCmpOp::MaskedEq(TYPE);
    let raw = SeccompCondition::new(1, SeccompCmpArgLen::Dword, raw, libc::SOCK_RAW as u64)?;
    SeccompRule::new(vec![raw, is_not(0, libc::AF_UNIX as u64)?])
}

/// Packet filters, transforms and multicast routes are set up by options of
/// sockets, too: level, first option, last.
const TABLES: [(libc::c_int, u64, u64); 8] = [
    (libc::SOL_IP, 16, 17),     // IPsec and xfrm policies
    (libc::SOL_IP, 64, 79),     // iptables
    (libc::SOL_IP, 96, 97),     // arptables
    (libc::SOL_IP, 128, 129),   // ebtables
    (libc::SOL_IP, 200, 219),   // multicast routes
    (libc::SOL_IPV6, 34, 35),   // IPsec and xfrm policies
    (libc::SOL_IPV6, 64, 79),   // ip6tables
    (libc::SOL_IPV6, 200, 219), // multicast routes
];

fn tables() -> Result<Rules, seccompiler::BackendError> {
    let rule = |(level, first, last): (libc::c_int, u64, u64)| {
        let option = |op, value| SeccompCondition::new(2, SeccompCmpArgLen::Dword, op, value);
        let level = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, level as u64)?;
        SeccompRule::new(vec![level, option(SeccompCmpOp::Ge, first)?, option(SeccompCmpOp::Le, last)?])
    };
    Ok(BTreeMap::from([(libc::SYS_setsockopt, TABLES.map(rule).into_iter().collect::<Result<_, _>>()?)]))
}

/// The filter that a fork server's child adds once it is in its cell, as the
/// bytes of the kernel's `struct sock_filter`s.
pub(super) fn last() -> io::Result<Vec<u8>> {
    let rules = BTreeMap::from([(libc::SYS_setns, Vec::new())]);
    let program = compile(rules, libc::EPERM).map_err(io::Error::other)?;
    let bytes = |filter: &seccompiler::sock_filter| {
        let [a, b] = filter.code.to_ne_bytes();
        let [c, d, e, f] = filter.k.to_ne_bytes();
        [a, b, filter.jt, filter.jf, c, d, e, f]
    };
    Ok(program.iter().flat_map(bytes).collect())
}

/// No file gets a set-user-id or set-group-id bit: whoever executed it would
/// be the build's user.
fn set_id_bits() -> Result<Rules, seccompiler::BackendError> {
    let bits = [libc::S_ISUID, libc::S_ISGID].map(u64::from);
    let mut rules = Rules::new();
    for &(call, mode) in MODES.iter().chain(MODES_HERE) {
        rules.insert(call, bits.iter().map(|&bit| has(mode, bit)).collect::<Result<_, _>>()?);
    }
    for &(call, flags) in OPENS.iter().chain(OPENS_HERE) {
        let making = [libc::O_CREAT as u64, TMPFILE];
        let pairs = making.iter().flat_map(|&made| bits.iter().map(move |&bit| (made, bit)));
        let rule = |(made, bit)| SeccompRule::new(vec![masked(flags, made)?, masked(flags + 1, bit)?]);
        rules.insert(call, pairs.map(rule).collect::<Result<_, _>>()?);
    }
    Ok(rules)
}

fn has(argument: u8, flag: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![masked(argument, flag)?])
}

fn masked(argument: u8, flag: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)
}

fn is_not(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn compile(rules: Rules, errno: libc::c_int) -> Result<BpfProgram, seccompiler::BackendError> {
    filter(rules, SeccompAction::Allow, SeccompAction::Errno(errno as u32))
}

/// What is done with calls that no rule is about, and with those that one is.
fn filter(
    rules: Rules,
    others: SeccompAction,
    these: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(without_x32(SeccompFilter::new(rules, others, these, arch)?.try_into()?))
}

/// The x32 numbers of x86_64 reach the same calls past a list of numbers: all
/// of them are refused before the list is looked at.
fn without_x32(program: BpfProgram) -> BpfProgram {
    const X32: u32 = 0x4000_0000;
    let instruction = |code: u32, jt, k| seccompiler::sock_filter { code: code as u16, jt, jf: 0, k };
    let mut guarded = vec![
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        seccompiler::sock_filter {
            jf: 1,
            ..instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, X32)
        },
        instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ];
    guarded.extend(program);
    guarded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_programs_compile_for_all_that_ask() {
        for sockets in [Sockets::Contained, Sockets::Served, Sockets::Pairs] {
            for program in programs(sockets).unwrap() {
                assert!(program.len() > 5 && program.len() < 4096);
            }
        }
    }
}
