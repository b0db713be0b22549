//! What a build must not do.

use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use builder::exec::action::{HostView, Input, Level};
use builder::exec::{Executor, Stop, local};

use crate::bench::{as_root_of_one_user, at, text, uid};

const KEPT: &[Level] = &[Level::Landlock, Level::Full];
const FULL: &[Level] = &[Level::Full];

/// Calls through ctypes: prints each call's name and errno, 0 when it worked.
const CALLS: &str = "import ctypes, errno, os\n\
     libc = ctypes.CDLL(None, use_errno=True)\n\
     def call(name, result):\n  e = ctypes.get_errno()\n  print(name, errno.errorcode[e] if result == -1 else 'worked')\n";

#[test]
fn writes_outside_build_and_tmp_are_refused() {
    at("refusing::writes_outside_build_and_tmp_are_refused", KEPT, |bench| {
        let home = bench.home.path().join("written");
        let mut action = bench.python(&format!(
            "import os\nfor f in ('/x', '/etc/x', '/usr/x', '/usr/bin/x', '/usr/bin/sh', '/dev/x', '/var/tmp/x', \
             '/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/self/oom_score_adj', '/sys/x', {home:?}, \
             os.environ['INPUT'] + '/x', os.environ['INPUT'] + '/file'):\n  \
             try: open(f, 'a').write('x'); print('wrote', f)\n  except OSError: pass\n\
             for d in ('.', os.environ['TMPDIR']):\n  open(d + '/x', 'w').write('x')\nprint('done')"
        ));
        action.env.insert("TMPDIR".to_owned(), "/tmp".to_owned());
        action.env.insert("INPUT".to_owned(), "/s/1".to_owned());
        action.inputs.insert("/s/1".to_owned(), Input::Tree(bench.tree(&[("file", "content")])));
        assert_eq!(bench.log(&action), "done\n");
        assert!(!home.exists());
    });
}

#[test]
fn the_network_is_refused() {
    at("refusing::the_network_is_refused", KEPT, |bench| {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let name = format!("wheelwright-contract-{}-{}", std::process::id(), bench.level.word());
        let abstract_name = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let unix = UnixListener::bind_addr(&abstract_name).unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        unix.set_nonblocking(true).unwrap();
        let log = bench.log(&bench.python(&format!(
            "import socket as s\n\
             def attempt(what, f):\n  try: f(); print(what, 'worked')\n  except OSError: pass\n\
             attempt('tcp', lambda: s.create_connection(('127.0.0.1', {tcp}), 5))\n\
             attempt('far tcp', lambda: s.create_connection(('192.0.2.1', 80), 5))\n\
             attempt('far udp', lambda: s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53)))\n\
             attempt('dns', lambda: s.getaddrinfo('example.org', 80))\n\
             attempt('abstract', lambda: s.socket(s.AF_UNIX).connect('\\0{name}'))\n\
             attempt('vsock', lambda: s.socket(40, s.SOCK_STREAM))\n\
             attempt('packet', lambda: s.socket(17, s.SOCK_RAW))\n\
             attempt('raw', lambda: s.socket(s.AF_INET, s.SOCK_RAW, 1))\n\
             try: s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp}))\n\
             except OSError: pass\nprint('done')",
            tcp = tcp.local_addr().unwrap().port(),
            udp = udp.local_addr().unwrap().port(),
        )));
        assert_eq!(log, "done\n");
        let nobody =
            |result: std::io::Result<()>| assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
        nobody(tcp.accept().map(drop));
        nobody(unix.accept().map(drop));
        nobody(udp.recv(&mut [0; 8]).map(drop));
    });
}

#[test]
fn a_private_loopback_is_up() {
    at("refusing::a_private_loopback_is_up", FULL, |bench| {
        let log = bench.log(&bench.python(
            "import socket as s\nl = s.create_server(('localhost', 0))\n\
             c = s.create_connection(l.getsockname()); c.sendall(b'hi')\nprint(l.accept()[0].recv(2))\n\
             print([name for _, name in s.if_nameindex()])",
        ));
        assert_eq!(log, "b'hi'\n['lo']\n");
    });
}

#[test]
fn mounts_are_refused() {
    at("refusing::mounts_are_refused", KEPT, |bench| {
        // MS_REMOUNT | MS_BIND; a new tmpfs; the calls' numbers are the same on all processors.
        let log = bench.log(&bench.python(&format!(
            "{CALLS}\
             call('remount', libc.mount(None, b'/usr', None, 0x1020, None))\n\
             call('tmpfs', libc.mount(b't', b'/build', b'tmpfs', 0, None))\n\
             call('umount', libc.umount2(b'/usr', 2))\n\
             call('open_tree', libc.syscall(428, -100, b'/usr', 1))\n\
             call('fsopen', libc.syscall(430, b'tmpfs', 0))\n\
             call('mount_setattr', libc.syscall(442, -100, b'/usr', 0, None, 0))\n\
             call('chroot', libc.chroot(b'/build'))\n"
        )));
        let names = ["remount", "tmpfs", "umount", "open_tree", "fsopen", "mount_setattr", "chroot"];
        assert_eq!(log, names.map(|name| format!("{name} EPERM\n")).concat());
    });
}

#[test]
fn namespaces_are_refused() {
    at("refusing::namespaces_are_refused", KEPT, |bench| {
        let log = bench.log(&bench.python(&format!(
            "{CALLS}\
             call('user', libc.unshare(0x10000000))\n\
             call('user and mount', libc.unshare(0x10020000))\n\
             call('time', libc.unshare(0x80))\n\
             clone = {{'x86_64': 56}}.get(os.uname().machine, 220)\n\
             call('clone', libc.syscall(clone, 0x10000000 | 17, 0, 0, 0, 0))\n\
             call('setns', libc.setns(os.open('/proc/self/ns/net', os.O_RDONLY), 0))\n\
             call('clone3', libc.syscall(435, None, 0))\n\
             call('files', libc.unshare(0x400))\n"
        )));
        assert_eq!(
            log,
            "user EPERM\nuser and mount EPERM\ntime EPERM\nclone EPERM\nsetns EPERM\nclone3 ENOSYS\nfiles worked\n"
        );
    });
}

#[test]
fn tracing_keys_and_kernel_programs_are_refused() {
    at("refusing::tracing_keys_and_kernel_programs_are_refused", KEPT, |bench| {
        let log = bench.log(&bench.python(&format!(
            "{CALLS}\
             numbers = {{'x86_64': dict(keyctl=250, add_key=248, request_key=249, bpf=321, perf_event_open=298, \
             userfaultfd=323, open_by_handle_at=304, kexec_load=246, init_module=175, process_vm_readv=310)}}\n\
             other = dict(keyctl=219, add_key=217, request_key=218, bpf=280, perf_event_open=241, userfaultfd=282, \
             open_by_handle_at=265, kexec_load=104, init_module=105, process_vm_readv=270)\n\
             call('ptrace', libc.ptrace(0, 0, None, None))\n\
             for name, number in numbers.get(os.uname().machine, other).items():\n  \
             call(name, libc.syscall(number, 0, 0, 0, 0, 0))\n\
             call('io_uring', libc.syscall(425, 1, None))\n\
             call('personality', libc.personality(0x0040000))\n\
             call('same personality', libc.personality(0xffffffff))\n\
             call('pidfd_getfd', libc.syscall(438, 0, 0, 0))\n"
        )));
        let refused = [
            "ptrace",
            "keyctl",
            "add_key",
            "request_key",
            "bpf",
            "perf_event_open",
            "userfaultfd",
            "open_by_handle_at",
            "kexec_load",
            "init_module",
            "process_vm_readv",
            "io_uring",
            "personality",
        ];
        let expected = refused.map(|name| format!("{name} EPERM\n")).concat();
        assert_eq!(log, expected + "same personality worked\npidfd_getfd EPERM\n");
    });
}

#[test]
fn objects_that_all_of_the_host_shares_are_out_of_reach() {
    let name = "refusing::objects_that_all_of_the_host_shares_are_out_of_reach";
    at(name, KEPT, |bench| {
        // Whoever of this machine makes one with this key: a build at another
        // level, an earlier build. 0o1666 makes it, 0 only finds it.
        let ask = format!("{CALLS}call('shmget', libc.shmget(0x7761, 4096, 0o1666))\n");
        let found = format!("{CALLS}call('shmget', libc.shmget(0x7761, 0, 0))\n");
        match bench.level {
            Level::Full => {
                assert_eq!(bench.log(&bench.python(&ask)), "shmget worked\n");
                assert_eq!(bench.log(&bench.python(&found)), "shmget ENOENT\n", "each cell has its own");
            }
            _ => assert_eq!(bench.log(&bench.python(&ask)), "shmget EPERM\n"),
        }
    });
}

#[test]
fn a_setuid_program_gains_nothing() {
    at("refusing::a_setuid_program_gains_nothing", KEPT, |bench| {
        // Root's own when we are root: the worst case.
        let tree = bench.tree(&[("!id", "")]);
        let id = (bench.options.trees)(&tree).join("id");
        std::fs::remove_file(&id).unwrap();
        std::fs::copy("/usr/bin/id", &id).unwrap();
        std::fs::set_permissions(&id, std::fs::Permissions::from_mode(0o4755)).unwrap();
        let mut action = bench.sh("\"$ID\" -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status");
        action.inputs.insert("/s/1".to_owned(), Input::Tree(tree));
        action.env.insert("ID".to_owned(), "/s/1/id".to_owned());
        let log = bench.log(&action);
        let mine = if bench.level == Level::Landlock && uid() != 0 { uid() } else { 60_999 };
        let mut lines = log.lines();
        assert_eq!(lines.next(), Some(mine.to_string().as_str()), "{log}");
        // Without a user namespace an ordinary user cannot drop its bounding set; no_new_privs makes it useless.
        let bounding =
            |line: &&str| !(line.starts_with("CapBnd") && bench.level == Level::Landlock && uid() != 0);
        let rest: Vec<&str> = lines.filter(bounding).collect();
        for line in rest {
            let value = line.split_ascii_whitespace().nth(1).unwrap();
            let expected = match line.split(':').next().unwrap() {
                "NoNewPrivs" => "1",
                "Seccomp" => "2",
                _ => "0000000000000000",
            };
            assert_eq!(value, expected, "{line}");
        }
    });
}

#[test]
fn the_host_programs_of_a_toolchain_gain_nothing_either() {
    at("refusing::the_host_programs_of_a_toolchain_gain_nothing_either", FULL, |bench| {
        let mut action = bench.python(
            "import os\nprint([m.split()[5].split(',')[:3] for m in open('/proc/self/mountinfo') if m.split()[4] == '/usr'])",
        );
        action.view = HostView::Toolchain;
        assert_eq!(bench.log(&action), "[['ro', 'nosuid', 'nodev']]\n");
    });
}

#[test]
fn the_limits_of_other_processes_are_refused() {
    at("refusing::the_limits_of_other_processes_are_refused", KEPT, |bench| {
        let log = bench.log(&bench.python(
            "import os, resource as r\n\
             try: r.prlimit(os.getppid(), r.RLIMIT_NOFILE, (2, 2)); print('worked')\n\
             except PermissionError: print('refused')\n\
             r.setrlimit(r.RLIMIT_NOFILE, (100, 100)); print(r.getrlimit(r.RLIMIT_NOFILE))",
        ));
        assert_eq!(log, "refused\n(100, 100)\n");
    });
}

#[test]
fn set_id_bits_are_refused() {
    at("refusing::set_id_bits_are_refused", KEPT, |bench| {
        let log = bench.log(&bench.python(&format!(
            "{CALLS}\
             import shutil\n\
             open('f', 'w').close(); os.mkdir('d'); fd = os.open('f', os.O_RDONLY)\n\
             for bits in (0o4755, 0o2755):\n  \
             call('chmod', libc.chmod(b'f', bits)); call('fchmod', libc.fchmod(fd, bits))\n  \
             call('fchmodat', libc.fchmodat(-100, b'f', bits, 0)); call('folder', libc.chmod(b'd', bits))\n  \
             call('creat', libc.creat(b'c', bits)); call('open', libc.open(b'o', os.O_CREAT | os.O_WRONLY, bits))\n  \
             call('openat', libc.openat(-100, b'o', os.O_CREAT | os.O_WRONLY, bits))\n  \
             call('tmpfile', libc.open(b'.', os.O_TMPFILE | os.O_WRONLY, bits))\n  \
             call('mknod', libc.mknod(b'n', 0o100000 | bits, 0))\n\
             call('fchmodat2', libc.syscall(452, -100, b'f', 0o755, 0))\n\
             call('openat2', libc.syscall(437, -100, b'f', None, 0))\n\
             print(sorted(os.listdir('.')))\n\
             os.chmod('d', 0o1777); shutil.copymode('d', 'f'); shutil.copystat('d', 'f')\n\
             print(oct(os.stat('f').st_mode), oct(os.stat('.').st_mode))"
        )));
        let each = ["chmod", "fchmod", "fchmodat", "folder", "creat", "open", "openat", "tmpfile", "mknod"];
        let each = each.map(|name| format!("{name} EPERM\n")).concat();
        let rest = "fchmodat2 ENOSYS\nopenat2 ENOSYS\n['d', 'f']\n0o101777 0o40755\n";
        assert_eq!(log, format!("{each}{each}{rest}"));
    });
}

#[test]
fn a_store_that_hands_down_its_group_is_no_hindrance() {
    at("refusing::a_store_that_hands_down_its_group_is_no_hindrance", KEPT, |bench| {
        let mode = std::fs::Permissions::from_mode(0o2755);
        std::fs::set_permissions(&bench.options.work, mode).unwrap();
        let mut action = bench.python(
            "import os, shutil\nos.makedirs('a/b')\nshutil.copytree('a', 'c')\n\
             print(oct(os.stat('a/b').st_mode), oct(os.stat('c/b').st_mode))",
        );
        action.env.insert("TMPDIR".to_owned(), "/tmp".to_owned());
        assert_eq!(bench.log(&action), "0o40755 0o40755\n");
    });
}

#[test]
fn strange_pairs_of_sockets_and_attributes_are_refused() {
    at("refusing::strange_pairs_of_sockets_and_attributes_are_refused", KEPT, |bench| {
        let log = bench.log(&bench.python(&format!(
            "{CALLS}\
             import socket\nfds = (ctypes.c_int * 2)()\n\
             call('tipc', libc.socketpair(30, 5, 0, fds)); call('inet', libc.socketpair(2, 1, 0, fds))\n\
             print(len(socket.socketpair()))\n\
             open('f', 'w').close()\n\
             call('setxattr', libc.setxattr(b'f', b'user.x', b'x', 1, 0))\n\
             call('removexattr', libc.removexattr(b'f', b'user.x'))\n"
        )));
        assert_eq!(log, "tipc EPERM\ninet EPERM\n2\nsetxattr ENOTSUP\nremovexattr ENOTSUP\n");
    });
}

/// A limit of the level, said in `doctor` and docs/sandbox.md: landlock has
/// rules for contents and names, none for modes and times. Should this case
/// ever fail because the kernel refuses, those words go.
#[test]
fn at_landlock_an_ordinary_users_modes_and_times_are_not_kept() {
    at("refusing::at_landlock_an_ordinary_users_modes_and_times_are_not_kept", KEPT, |bench| {
        let secret = bench.home.path().join("secret");
        let log = bench.log(&bench.python(&format!(
            "import os\n\
             def attempt(what, f):\n  try: f(); print(what, 'worked')\n  except OSError: print(what, 'refused')\n\
             p = {secret:?}\n\
             attempt('mode', lambda: os.chmod(p, 0o640)); attempt('time', lambda: os.utime(p, (1, 1)))\n\
             attempt('content', lambda: open(p)); attempt('attribute', lambda: os.setxattr(p, 'user.x', b''))",
        )));
        let reached = if bench.level == Level::Landlock && uid() != 0 { "worked" } else { "refused" };
        assert_eq!(log, format!("mode {reached}\ntime {reached}\ncontent refused\nattribute refused\n"));
        let facts = builder::exec::doctor(&bench.options);
        let said =
            facts.iter().any(|fact| fact.what == "level landlock" && fact.detail.contains("modes and times"));
        assert_eq!(said, uid() != 0, "{facts:?}");
    });
}

#[test]
fn root_of_a_namespace_with_one_user_is_an_ordinary_user() {
    let name = "refusing::root_of_a_namespace_with_one_user_is_an_ordinary_user";
    // Everything below `at` runs once more as an ordinary user, and this then as its `unshare -r`.
    if as_root_of_one_user(name) {
        return;
    }
    at(name, KEPT, |bench| {
        let result = local(&bench.options).unwrap().execute(&bench.sh("id -u"), &Stop::new().unwrap());
        if std::fs::read_to_string("/proc/self/uid_map").unwrap().split_ascii_whitespace().nth(1) == Some("0")
        {
            // The kernel's root, whatever it is called: never a build's user.
            let said = result.unwrap_err().to_string();
            assert!(
                said.contains("root is the only user here") || said.contains("the uid is still 0"),
                "{said}"
            );
        } else {
            let expected = if bench.level == Level::Full { "60999\n" } else { "0\n" };
            assert_eq!(text(&result.unwrap()), expected);
        }
    });
}
