//! Calls a build never needs and must not make.
//!
//! Knows system calls. Must never know who asks. A list of refusals, not of
//! permissions: a compiler may use whatever else its kernel has.

use std::collections::BTreeMap;
use std::io;

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

/// What a build may have of sockets.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sockets {
    /// The families that a network namespace contains: unix, inet, inet6, netlink.
    Contained,
    /// Only what socketpair(2) gives: without a network namespace every other
    /// socket could reach something.
    Pairs,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs the filters on this thread and what it forks. Needs no_new_privs.
pub(super) fn install(sockets: Sockets) -> io::Result<()> {
    for program in programs(sockets).map_err(io::Error::other)? {
        seccompiler::apply_filter(&program).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Two filters: refusals with EPERM; and calls that "do not exist", so that the
/// C library falls back to ones whose arguments can be seen.
fn programs(sockets: Sockets) -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let absent = Rules::from([(libc::SYS_clone3, Vec::new())]);
    Ok([compile(refusals(sockets)?, libc::EPERM)?, compile(absent, libc::ENOSYS)?])
}

fn refusals(sockets: Sockets) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().chain(REFUSED_HERE).map(|&call| (call, Vec::new())).collect();
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
            let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
            let others = families.map(|family| is_not(0, family as u64));
            vec![SeccompRule::new(others.into_iter().collect::<Result<_, _>>()?)?]
        }
    };
    rules.insert(libc::SYS_socket, socket);
    Ok(rules)
}

fn has(argument: u8, flag: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let masked = SeccompCmpOp::MaskedEq(flag);
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Qword, masked, flag)?])
}

fn is_not(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn compile(rules: Rules, errno: libc::c_int) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(errno as u32);
    let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()?;
    Ok(without_x32(program))
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
    fn both_programs_compile_for_both_levels() {
        for sockets in [Sockets::Contained, Sockets::Pairs] {
            for program in programs(sockets).unwrap() {
                assert!(program.len() > 5 && program.len() < 4096);
            }
        }
    }
}
