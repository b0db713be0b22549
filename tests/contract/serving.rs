//! Fork servers: a child of one is what a fresh process is, whatever the
//! server or another child does.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use builder::exec::action::{Action, ActionResult, Exit, Level, Warm, Warmth};
use builder::exec::local::BuildOn;
use builder::exec::{Executor, Stop, local};

use crate::bench::{Bench, at, path, text};
use crate::ending::processes;

const FULL: &[Level] = &[Level::Full];

const SERVER: &str = include_str!("../../builder/src/pep517/fork_server.py");
/// What a child does once it is what the program of a cell is.
const SERVE: &str = "\nServer().serve(lambda program: (exec(compile(open(program).read(), program, 'exec'), {}), leave(0)))\n";
const LEAVE: &str = "\ndef leave(code):\n    sys.stdout.flush()\n    os._exit(code)\n";

/// An action that runs `program`, in a child of a server whose text is between
/// its own functions and its start.
pub fn served(bench: &Bench, program: &str, text: &str) -> Action {
    let mut action = bench.python("");
    let python = action.argv[0].clone();
    let argv = |file: &str| [&python, "-I", "-S", "-B", file].map(str::to_owned).to_vec();
    action.argv = argv("/build/job/program.py");
    action.files.insert(path("job/program.py"), program.into());
    let order = r#"{"spec": "/build/job/program.py", "modules": ["json"], "late": []}"#.to_owned();
    let server = format!("{SERVER}{LEAVE}{text}{SERVE}");
    let files = [(path("job/server.py"), server.into_bytes())].into();
    action.warm = Some(Warm { argv: argv("/build/job/server.py"), files, order, more: true });
    action
}

pub fn run_all(bench: &Bench, actions: &[Action]) -> Vec<ActionResult> {
    let (executor, stop) = (local(&bench.options).unwrap(), Stop::new().unwrap());
    actions.iter().map(|action| executor.execute(action, &stop).unwrap()).collect()
}

/// The log of a child of the server, which must have been one.
#[track_caller]
pub fn warm_log(result: &ActionResult) -> String {
    assert_eq!((result.exit, &result.warmth), (Exit::Code(0), &Warmth::Warm), "{}", text(result));
    text(result)
}

/// All that a process can say about itself.
const TELL: &str = r#"
import os, resource, signal, socket, sys
for line in open('/proc/self/status'):
    if line.startswith(('Uid', 'Gid', 'Cap', 'NoNewPrivs', 'Seccomp:', 'Sig', 'Shd', 'Umask', 'Groups', 'NSpid')):
        print(line.split())
print(sorted(f for f in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + f)), os.read(0, 1))
print({os.path.basename(os.readlink('/proc/self/fd/' + f)) for f in '0'}, os.fstat(1).st_ino == os.fstat(2).st_ino)
print(os.getcwd(), dict(os.environ), os.uname().nodename, os.umask(0o22), os.getpid(), os.getsid(0) == os.getpid())
print([(name, resource.getrlimit(getattr(resource, name))) for name in sorted(dir(resource)) if name.startswith('RLIMIT_')])
print([(name, sorted(os.listdir(name))) for name in ('/', '/build', '/tmp', '/dev', '/dev/shm', '/dev/pts', '/etc', '/s')])
writable = []
for line in open('/proc/self/mountinfo'):
    at = line.split()[4]
    try:
        open(os.path.join(at, 'x'), 'w').close(); os.unlink(os.path.join(at, 'x')); writable.append(at)
    except OSError: pass
print(sorted(set(writable)))
for name in ('/proc/1/environ', '/proc/1/fd', '/proc/1/mem', '/proc/1/ns/net', '/proc/1/root', '/proc/kcore', '/proc/keys',
             '/proc/timer_list', '/proc/key-users'):
    try: print(name, len(os.listdir(name) if os.path.isdir(name) else open(name, 'rb').read(1)))
    except OSError as error: print(name, error.errno)
print([(p, open('/proc/' + p + '/cmdline').read()[:16]) for p in sorted(os.listdir('/proc')) if p.isdigit() and int(p) != os.getpid()])
listening = socket.create_server(('localhost', 0))
socket.create_connection(listening.getsockname())
print([line.split(':')[0].strip() for line in open('/proc/net/dev')][2:], open('/proc/self/cgroup').read().count(':/\n') > 0)
print(os.nice(0), os.sched_getaffinity(0), open('/proc/self/oom_score_adj').read(), [signal.getsignal(n) for n in (1, 2, 13, 15)])
for name in ('mnt', 'pid', 'net', 'ipc', 'uts', 'user', 'cgroup'):
    print(name, os.readlink('/proc/self/ns/' + name) == os.readlink('/proc/thread-self/ns/' + name))
sys.stdout.flush()
"#;

#[test]
fn a_child_sees_what_a_fresh_process_sees() {
    at("serving::a_child_sees_what_a_fresh_process_sees", FULL, |bench| {
        let warm = served(bench, TELL, "");
        let cold = Action { warm: None, ..warm.clone() };
        let fresh = bench.log(&cold);
        for needed in ["['CapEff:', '0000000000000000']", "['NoNewPrivs:', '1']", "['Seccomp:', '2']"] {
            assert!(fresh.contains(needed), "{fresh}");
        }
        for result in run_all(bench, &[warm.clone(), warm.clone(), warm]) {
            let log = warm_log(&result);
            for (left, right) in log.lines().zip(fresh.lines()) {
                assert_eq!(left, right);
            }
            assert_eq!(log, fresh);
        }
    });
}

#[test]
fn a_child_finds_nothing_of_another() {
    at("serving::a_child_finds_nothing_of_another", FULL, |bench| {
        let sleep = format!("1{}.77", std::process::id());
        let leave = format!(
            "import json, os, signal, sys, time\n\
             print(sys.modules.get('left'), getattr(json, 'left', None), os.environ.get('LEFT'), os.getcwd(), \
             signal.getsignal(signal.SIGTERM) == 0, [os.listdir(d) for d in ('/tmp', '/dev/shm')])\n\
             sys.modules['left'] = json.left = 1\nos.environ['LEFT'] = '1'\nos.chdir('/')\n\
             signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
             for d in ('/tmp', '/dev/shm'): open(d + '/left', 'w').close()\n\
             if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    os.close(1); os.close(2)\n    \
             os.execv('/usr/bin/sleep', ['sleep', '{sleep}'])\n  os._exit(0)\n"
        );
        let action = served(bench, &leave, "");
        for result in run_all(bench, &vec![action; 3]) {
            assert_eq!(warm_log(&result), "None None None /build True [[], []]\n");
        }
        assert_eq!(processes(&sleep), BTreeSet::new());
    });
}

#[test]
fn the_most_memory_of_a_child_is_known() {
    at("serving::the_most_memory_of_a_child_is_known", FULL, |bench| {
        let peaks = [8u64, 64].map(|megabytes| {
            let action = served(bench, &format!("held = b'x' * ({megabytes} << 20)"), "");
            let result = run_all(bench, &[action]).remove(0);
            assert_eq!(warm_log(&result), "");
            result.peak_memory.expect("its server's side was told")
        });
        let more = peaks[1] - peaks[0];
        assert!((48 << 20..72 << 20).contains(&more), "{peaks:?}");
    });
}

/// Calls that a build must not make, and limits it meets.
const TRIES: &str = r#"
import ctypes, errno, os, resource, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    result = getattr(libc, name)(*args)
    print(name, errno.errorcode[ctypes.get_errno()] if result == -1 else 'worked')
for space in ('user', 'mnt', 'pid', 'net'):
    call('setns', os.open('/proc/self/ns/' + space, os.O_RDONLY), 0)
for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000): call('unshare', flag)
call('mount', b't', b'/tmp', b'tmpfs', 0, None); call('umount2', b'/build', 2); call('chroot', b'/build')
call('ptrace', 16, 1, None, None); call('syscall', 435, None, 0); call('syscall', 425, 1, None); call('sethostname', b'x', 1)
call('prctl', 22, 2, None); call('prctl', 24, 0, 0, 0, 0); call('setuid', 0); call('setgroups', 0, None)
for signal in (0, 9, 19): call('kill', 1, signal)
for family, kind in ((2, 3), (17, 3), (40, 1)):
    try: socket.socket(family, kind, 1); print('worked')
    except OSError as error: print(errno.errorcode[error.errno])
for fd in range(3, 4096):
    try: os.fstat(fd); print('open', fd)
    except OSError: pass
try: bytearray(400 << 20); print('has memory')
except MemoryError: print('no memory')
try: os.truncate(os.open('f', os.O_CREAT | os.O_RDWR), 20 << 20); print('long')
except OSError as error: print(errno.errorcode[error.errno])
children = 0
try:
    while children < 500:
        if os.fork() == 0: os.read(os.pipe()[0], 1)
        children += 1
except OSError as error: print(errno.errorcode[error.errno], children < 100)
print(resource.getrlimit(resource.RLIMIT_DATA))
"#;

#[test]
fn a_child_may_do_no_more_than_a_fresh_process() {
    at("serving::a_child_may_do_no_more_than_a_fresh_process", FULL, |bench| {
        let mut bench = Bench::new(bench.level);
        // However little memory it may have.
        bench.options.build_on = BuildOn::Memory;
        let mut warm = served(&bench, TRIES, "");
        warm.limits.memory = 300 << 20;
        warm.limits.processes = 60;
        warm.limits.file_size = 10 << 20;
        let fresh = bench.log(&Action { warm: None, ..warm.clone() });
        for line in ["setns EPERM", "unshare EPERM", "mount EPERM", "no memory", "EFBIG", "EAGAIN True"] {
            assert!(fresh.lines().any(|said| said == line), "{fresh}");
        }
        for result in run_all(&bench, &vec![warm; 2]) {
            assert_eq!(warm_log(&result), fresh);
        }
    });
}

/// What whoever has rights tries with them.
const ATTEMPTS: &str = r#"
def attempts():
    import errno, socket
    said = []
    def attempt(what, call):
        try:
            call()
            said.append(what + ' worked')
        except OSError as error:
            said.append(what + ' ' + errno.errorcode[error.errno])
    def raw(*call):
        checked(LIBC.syscall(*call))
    number = {'x86_64': dict(mount=165, umount2=166, ptrace=101, bpf=321, keyctl=250, chroot=161, sethostname=170)}
    other = dict(mount=40, umount2=39, ptrace=117, bpf=280, keyctl=219, chroot=51, sethostname=161)
    for name, call in number.get(os.uname().machine, other).items():
        attempt(name, lambda: raw(call, b'/tmp', b'/tmp', b'tmpfs', 0, 0))
    for name, call in (('open_tree', 428), ('fsopen', 430), ('mount_setattr', 442), ('io_uring', 425), ('pidfd_getfd', 438)):
        attempt(name, lambda: raw(call, 1, 0, 0, 0, 0))
    for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x80):
        attempt('unshare', lambda: checked(LIBC.unshare(flag)))
    for family, kind in ((16, 3), (17, 3), (2, 3), (10, 3), (40, 1)):
        attempt('socket {} {}'.format(family, kind), lambda: socket.socket(family, kind))
    plain = socket.socket(socket.AF_INET)
    for level, option in ((0, 17), (0, 64), (0, 65), (0, 96), (0, 128), (0, 200)):
        attempt('option', lambda: plain.setsockopt(level, option, bytes(256)))
    plain = socket.socket(socket.AF_INET6)
    for level, option in ((41, 35), (41, 64), (41, 200)):
        attempt('option', lambda: plain.setsockopt(level, option, bytes(256)))
    for path in ('/usr/x', '/env/x', '/proc/sys/kernel/hostname', '/etc/passwd', '/dev/x', '/x'):
        attempt('write', lambda: open(path, 'a'))
    for name in ('user', 'mnt', 'pid'):
        attempt('setns', lambda: checked(LIBC.setns(os.open('/proc/1/ns/' + name, os.O_RDONLY), 0)))
    return '\n'.join(said).encode() + b'\n'
"#;
/// A child of the server that keeps the rights of its cell.
const KEEPS: &str = "def let_go(refuse): os.write(1, attempts())\n";
/// The server itself, which tells through its children.
const USES: &str = r#"
class Server(Server):
    def load(self, names):
        if not self.tried: self.tried.add(attempts())
        return False
    def stand_by(self, call, given, todo, message):
        tell = lambda: (os.write(1, self.tried.pop()), os._exit(0))
        super().stand_by(call, given, (todo[0], tell), message)
"#;

#[test]
fn rights_in_a_cell_are_worth_nothing() {
    at("serving::rights_in_a_cell_are_worth_nothing", FULL, |bench| {
        for who in [KEEPS, USES] {
            let log = warm_log(&run_all(bench, &[served(bench, "", &format!("{ATTEMPTS}{who}"))])[0]);
            assert_eq!(log.lines().count(), 12 + 5 + 5 + 9 + 6 + 3, "{log}");
            let refused = [" EPERM", " EROFS", " EACCES", " ENOENT"];
            for line in log.lines() {
                assert!(refused.iter().any(|end| line.ends_with(end)), "{log}");
            }
        }
    });
}

/// A child that waits in its cell and has laid links where something is placed.
const LAYS: &str = r#"
enter = become
def become(*given):
    call = enter(*given)
    os.symlink(TARGET, '/build/' + PLACE)
    return call
"#;

#[test]
fn what_is_placed_beside_a_waiting_child_goes_through_no_link_of_its() {
    at("serving::what_is_placed_beside_a_waiting_child_goes_through_no_link_of_its", FULL, |bench| {
        let tree = bench.tree(&[("file", "content"), ("job", "other")]);
        let before = listing(&(bench.options.trees)(&tree));
        for (place, reason) in [("src", "failed to copy the source"), ("job", "failed to write the files")] {
            for target in ["/proc/self/cwd", "/tmp", "nowhere"] {
                let lays = format!("TARGET, PLACE = '{target}', '{place}'\n{LAYS}");
                let mut action = served(bench, "print(open('/build/src/file').read())", &lays);
                action.source = Some(tree);
                let result = &run_all(bench, &[action])[0];
                assert_eq!((result.exit, text(result).as_str()), (Exit::Code(0), "content\n"), "{lays}");
                let Warmth::Lost(because) = &result.warmth else { panic!("{lays}: {:?}", result.warmth) };
                assert!(because.contains(reason), "{lays}: {because}");
                assert_eq!(listing(&(bench.options.trees)(&tree)), before, "{lays}");
            }
        }
    });
}

/// Names and texts of the files of a folder.
fn listing(folder: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap_or_default())).collect()
}

#[test]
fn several_at_once_are_all_warm() {
    at("serving::several_at_once_are_all_warm", FULL, |bench| {
        let action = served(bench, "import os\nprint(os.listdir('/tmp'), os.getpid())", "");
        let (executor, stop) = (local(&bench.options).unwrap(), Stop::new().unwrap());
        std::thread::scope(|scope| {
            let one = || {
                (0..6).for_each(|_| {
                    let result = executor.execute(&action, &stop).unwrap();
                    assert_eq!(warm_log(&result), "[] 2\n");
                })
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    });
}

/// A process beside the server that looks into each of ours it can name, and
/// climbs out through any folder one holds open.
const SPIES: &str = r#"
take, give = os.pipe()
os.set_blocking(take, False)
def spy():
    own, tried = os.getppid(), set()
    while True:
        for name in filter(str.isdigit, os.listdir('/proc')):
            at = '/proc/' + name
            for part in ('/fd', '/mem', '/environ', '/ns/mnt', '/root'):
                if (name, part) in tried: continue
                try:
                    if open(at + '/cmdline', 'rb').read(16) != b'wheelwright-cell': continue
                    if part == '/fd':
                        for fd in os.listdir(at + part):
                            for kernel in ('/sys', '/keys', '/kallsyms'):
                                if os.path.exists(at + '/fd/' + fd + kernel): os.write(give, b'took ' + kernel.encode() + b'\n')
                            for up in ('', '../' * 12):
                                try: loot = os.open(at + '/fd/' + fd + '/' + up + SECRET, os.O_RDONLY)
                                except OSError: continue
                                os.write(give, b'took ' + os.read(loot, 99) + b'\n')
                    elif part == '/mem': os.open(at + part, os.O_RDWR)
                    elif part == '/environ': open(at + part, 'rb').read()
                    else: os.readlink(at + part)
                    tried.add((name, part))
                    os.write(give, ('looked into ' + part + '\n').encode())
                except OSError: pass
if os.fork() == 0:
    spy()
strangers = lambda children: False
fork, seen = os.fork, b''
def watched():
    global seen
    try: seen += os.read(take, 1 << 16)
    except BlockingIOError: pass
    return fork()
os.fork = watched
Tell = Server
class Server(Tell):
    def serve(self, run):
        Tell.serve(self, lambda program: (os.write(1, seen), os._exit(0)))
"#;

#[test]
fn a_server_takes_nothing_from_those_who_make_its_cells() {
    at("serving::a_server_takes_nothing_from_those_who_make_its_cells", FULL, |bench| {
        let secret = fs::canonicalize(bench.home.path()).unwrap().join("secret");
        fs::set_permissions(bench.home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let spies = format!("SECRET = {:?}\n{SPIES}", secret.to_str().unwrap().trim_start_matches('/'));
        let mut action = served(bench, "", &spies);
        action.source = Some(bench.tree(&[("file", "content")]));
        let log: String = run_all(bench, &vec![action; 25]).iter().map(warm_log).collect();
        // The helper that makes a cell's users can be looked into, and holds nothing.
        let taken: BTreeSet<&str> = log.lines().filter(|line| line.starts_with("took")).collect();
        assert_eq!(taken, BTreeSet::new());
    });
}

#[test]
fn whatever_a_server_does_the_action_runs() {
    at("serving::whatever_a_server_does_the_action_runs", FULL, |bench| {
        let mut bench = Bench::new(bench.level);
        bench.options.server_patience = Duration::from_millis(300);
        let kills = "class Server(Server):\n    def load(self, names): os.kill(os.getpid(), 9)\n";
        let exits = "class Server(Server):\n    def load(self, names): os._exit(0)\n";
        let hangs = "import time\nclass Server(Server):\n    def load(self, names): time.sleep(1000)\n";
        let raises = "class Server(Server):\n    def load(self, names): raise ValueError\n";
        let says = |words: &str| {
            let head = "class Server(Server):\n    def stand_by(self, call, *given):\n        ";
            format!("{head}{words}\n        os._exit(0)\n")
        };
        let nonsense = says("call.send(b'\\xff' * 5000)");
        let lies = says("call.send(b'code 0 1')");
        let silent = says("pass");
        let leaves = says("call.send(b'here'); receive(call); os._exit(3)");
        let twice = says("call.send(b'here'); receive(call); call.send(b'here')");
        let dies = "def become(log, call, message):\n    os.kill(os.getpid(), 11)\n";
        let cell = "class Server(Server):\n    def load(self, names):\n        \
            for p in filter(str.isdigit, os.listdir('/proc')):\n            \
            if int(p) != os.getpid(): os.kill(int(p), 9)\n";
        let refuses = "class Server(Server):\n    def unfit(self, *given): return 'a\\x1b[2Jb'\n";
        for (server, reason) in [
            (kills, "died"),
            (exits, "died"),
            (hangs, "did not answer"),
            (raises, "died"),
            (&nonsense, "nonsense"),
            (&lies, "died"),
            (&silent, "died"),
            (&leaves, "failed"),
            (&twice, "nonsense"),
            (dies, "died"),
            (cell, ""),
            (refuses, "a[2Jb"),
        ] {
            let action = served(&bench, "print('built')", server);
            // The third finds the server given up.
            for (n, result) in run_all(&bench, &vec![action; 3]).iter().enumerate() {
                assert_eq!((result.exit, text(result).as_str()), (Exit::Code(0), "built\n"), "{server}");
                let Warmth::Lost(because) = &result.warmth else { panic!("{server}: {:?}", result.warmth) };
                // What fails in a child is no fault of the server's.
                let given_up = n == 2 && server != leaves || n == 1 && server == refuses;
                let expected = if given_up { "given up" } else { reason };
                assert!(because.contains(expected), "{server}: {because}");
            }
        }
    });
}

#[test]
fn a_server_that_does_not_listen_holds_nobody_up() {
    at("serving::a_server_that_does_not_listen_holds_nobody_up", FULL, |bench| {
        let mut bench = Bench::new(bench.level);
        bench.options.server_patience = Duration::from_millis(500);
        let deaf = "import time\nclass Server(Server):\n    def serve(self, run): time.sleep(1000)\n";
        let mut action = served(&bench, "print('built')", deaf);
        if let Some(warm) = &mut action.warm {
            // A few of them are more than a socket takes.
            warm.order.push_str(&" ".repeat(60_000));
        }
        let (executor, stop) = (local(&bench.options).unwrap(), Stop::new().unwrap());
        let (tell, told) = std::sync::mpsc::channel();
        let (executor, stop) = (Arc::new(executor), Arc::new(stop));
        for _ in 0..8 {
            let (tell, action) = (tell.clone(), action.clone());
            let (executor, stop) = (Arc::clone(&executor), Arc::clone(&stop));
            std::thread::spawn(move || tell.send(executor.execute(&action, &stop).unwrap()));
        }
        for _ in 0..8 {
            let result = told.recv_timeout(Duration::from_secs(100)).expect("it ends");
            assert_eq!((result.exit, text(&result).as_str()), (Exit::Code(0), "built\n"));
            assert!(matches!(result.warmth, Warmth::Lost(_)), "{:?}", result.warmth);
        }
    });
}

#[test]
fn a_child_that_does_not_end_well_runs_again_as_a_fresh_process() {
    at("serving::a_child_that_does_not_end_well_runs_again_as_a_fresh_process", FULL, |bench| {
        let ends = ["sys.exit(3)", "os._exit(4)", "os.kill(os.getpid(), 9)", "os.kill(0, 9)", "1 // 0"];
        for end in ends {
            let program = format!("import os, sys\nprint('begun', flush=True)\n{end}\n");
            let warm = served(bench, &program, "");
            let results = run_all(bench, &[warm.clone(), Action { warm: None, ..warm }]);
            assert_eq!((results[0].exit, text(&results[0])), (results[1].exit, text(&results[1])), "{end}");
            assert!(matches!(results[0].warmth, Warmth::Lost(_)), "{end}");
        }
    });
}

#[test]
fn what_is_imported_may_leave_nothing_that_children_would_share() {
    at("serving::what_is_imported_may_leave_nothing_that_children_would_share", FULL, |bench| {
        for (import, reason) in [
            (
                "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
                "thread",
            ),
            ("os.chdir('/')", "working folder"),
            ("kept.append(open('/etc/passwd'))", "file open"),
            ("open('/tmp/x', 'w').close()", "wrote files"),
            ("import mmap\nkept.append(mmap.mmap(-1, 4096))", "shares memory"),
            ("if os.fork() == 0: signal.pause()", "process running"),
            (
                "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: signal.pause()\n    os._exit(0)\nos.wait()",
                "process running",
            ),
            ("signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "waits for children itself"),
            ("os.waitpid(os.fork() or os._exit(0), 0)", ""),
        ] {
            let import = import.replace('\n', "\n        ");
            let server = format!(
                "kept = []\nclass Server(Server):\n    def load(self, names):\n        \
                 if self.tried: return False\n        self.tried.add(1)\n        {import}\n        return True\n"
            );
            let result = &run_all(bench, &[served(bench, "print('built')", &server)])[0];
            assert_eq!((result.exit, text(result).as_str()), (Exit::Code(0), "built\n"), "{import}");
            match &result.warmth {
                Warmth::Lost(because) => {
                    assert!(!reason.is_empty() && because.contains(reason), "{import}: {because}")
                }
                warmth => assert_eq!((warmth, reason), (&Warmth::Warm, ""), "{import}"),
            }
        }
    });
}
