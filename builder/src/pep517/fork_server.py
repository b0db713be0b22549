"""The Python side of the fork server: loads the backend once and forks a child
per build, which enters a cell that was made for it and builds there.

Runs in a cell of its own, where it imports foreign code; what it forks lets go
of every right it gets by entering a cell before it does anything of the build.
The caller says what to do in packets on descriptor 0 and trusts no answer.
"""
import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time

# Bytes this process may hold: what it imports, no more.
MEMORY = 1 << 30
ANCILLARY = socket.CMSG_SPACE(16 * 4)
# Beside this file: what `re` made of patterns before.
PATTERNS = "patterns.json"
# Milliseconds after which it is looked whether a build left anything, doubled each time.
FIRST_PAUSE, LAST_PAUSE = 4, 1024
# The same on every processor. Neither has a function in all C libraries.
SYS_PIDFD_OPEN, SYS_CLOSE_RANGE = 434, 436

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
PR_CAPBSET_READ, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 23, 47, 4
SECCOMP_MODE_FILTER = 2
CAPABILITIES_3 = 0x20080522


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
LIBC.setns.argtypes = [ctypes.c_int, ctypes.c_int]
LIBC.capset.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
LIBC.syscall.restype = ctypes.c_long
# How many capabilities this kernel knows.
CAPABILITIES = next(bit for bit in range(65) if LIBC.prctl(PR_CAPBSET_READ, bit, 0, 0, 0) < 0)


def checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def prctl(what, value=0, *more):
    checked(LIBC.prctl(what, value, *(more + (0, 0, 0))[:3]))


def receive(channel):
    """The next packet, with its descriptors."""
    data, found, _, _ = channel.recvmsg(1 << 18, ANCILLARY)
    fds = []
    for level, kind, content in found:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.extend(memoryview(content[: len(content) // 4 * 4]).cast("i"))
    return data, fds


def descriptors():
    """Those that are open, without the one that looks."""
    return sorted(fd for fd in map(int, os.listdir("/proc/self/fd")) if alive(fd))


def alive(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False


def empty(*folders):
    return all(not os.path.isdir(folder) or not os.listdir(folder) for folder in folders)


def alone():
    """Whether this process has one thread. One that ended stays for a moment."""
    for _ in range(100):
        if len(os.listdir("/proc/self/task")) == 1:
            return True
        time.sleep(0.001)
    return False


def shares_memory():
    """Whether what one process writes, the others would read. The C library
    shares files that nobody can write."""
    with open("/proc/self/maps", "rb") as maps:
        modes = [line.split(b" ", 2)[1] for line in maps]
    return any(b"w" in mode and b"s" in mode for mode in modes)


def strangers(children):
    """Whether there are processes that are neither our children nor of a cell.
    One that ends just now may look like one for a moment."""
    for _ in range(100):
        if not stranger(children):
            return False
        time.sleep(0.001)
    return True


def stranger(children):
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/{}/stat".format(name), "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
            with open("/proc/{}/cmdline".format(name), "rb") as file:
                of_a_cell = file.read().startswith(b"wheelwright-cell")
        except OSError:
            # It ended meanwhile.
            continue
        ours = int(name) in children or int(name) == os.getpid()
        if state != b"Z" and not ours and not of_a_cell and int(parent) in (1, os.getpid()):
            return True
    return False


class Patterns:
    """`re`, which need not compile what this interpreter compiled when the
    environment's backend was seen to build a sample."""

    def __init__(self, path):
        self.known = {}
        compiler = sys.modules.get("re._compiler") or sys.modules.get("sre_compile")
        self.compiler, self.plain = compiler, getattr(compiler, "compile", None)
        try:
            with open(path, encoding="utf-8") as file:
                told = json.load(file)
            if told["by"] == sys.version:
                for binary, text, flags, *made in told["patterns"]:
                    self.known[text.encode("latin-1") if binary else text, flags] = made
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Nothing is known, or not more.
            pass
        if self.plain and self.known:
            compiler.compile = self.compile

    def compile(self, pattern, flags=0):
        made = self.known.get((pattern, int(flags))) if type(pattern) in (str, bytes) else None
        if made:
            try:
                whole, groups, names, code = made
                numbers = {name: number for number, name in enumerate(names) if name}
                return self.compiler._sre.compile(pattern, whole, code, groups, numbers, tuple(names))
            except Exception:
                # It is no code for this interpreter.
                pass
        return self.plain(pattern, flags)


class Server:
    """What has been loaded, and whether a child may start from it."""

    def __init__(self):
        self.channel = socket.socket(fileno=os.dup(0))
        self.tried = set()
        Patterns(os.path.join(os.path.dirname(os.path.abspath(__file__)), PATTERNS))
        # By pid who is told when a child ended; by what becomes readable then, the pid.
        self.children, self.ends = {}, {}
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, hard))
        self.cwd, self.open = os.getcwd(), descriptors()
        # What looks for the source while it is imported fails here, and is
        # imported where there is one.
        os.chmod(self.cwd, 0)

    def load(self, names):
        """Imports what is not loaded yet, if there is any. What cannot be
        imported now can as little be imported by a child, which will say so."""
        new = [name for name in names if name not in self.tried]
        if not new:
            return False
        self.tried.update(new)
        gc.disable()
        for name in new:
            try:
                importlib.import_module(name)
            except BaseException:
                pass
        if hasattr(gc, "freeze"):
            gc.freeze()
        gc.enable()
        return True

    def unfit(self, given, late=()):
        """Why a child would not be what a fresh process is; None: it would.
        `late` are modules that must see the build they are imported for."""
        if any(name in sys.modules for name in late):
            return "something that was imported must see its build"
        if not alone():
            return "something that was imported started a thread"
        if signal.getsignal(signal.SIGCHLD) != signal.SIG_DFL:
            return "something that was imported waits for children itself"
        if os.getcwd() != self.cwd:
            return "something that was imported changed the working folder"
        if shares_memory():
            return "something that was imported shares memory with its children"
        if strangers(self.children):
            return "something that was imported left a process running"
        ours = list(self.ends) + [call.fileno() for call in self.children.values()]
        if sorted(self.open + ours + given) != descriptors():
            return "something that was imported keeps a file open"
        if not empty("/tmp", "/build/tmp", "/build/home"):
            return "something that was imported wrote files"
        return None

    def serve(self, run, rehearse=lambda: None):
        """Until nobody can give an order any more. `rehearse` does nothing, in
        the way of `run`: what that writes to of the memory that is shared with
        this process, a child has to itself before a build waits for it."""
        because = known = None
        while True:
            self.wait()
            data, fds = receive(self.channel)
            if not data:
                os._exit(0)
            message = json.loads(data.decode("utf-8"))
            if message["order"] != known:
                known = message["order"]
                order = json.loads(known)
                if self.load(order["modules"]):
                    because = self.unfit(fds, order["late"])
            if not fds:
                continue
            call = socket.socket(fileno=fds[0])
            try:
                if because:
                    call.send(("no " + because).encode("utf-8"))
                    call.close()
                else:
                    self.begin(call, fds[1:], (rehearse, lambda: run(order["spec"])), message)
            except OSError:
                # The cell or the caller is gone, who sees the end of `call`.
                call.close()
            for fd in fds[1:]:
                os.close(fd)

    def wait(self):
        """Until there is an order; tells meanwhile how children ended."""
        poll = select.poll()
        for fd in [self.channel.fileno(), *self.ends]:
            poll.register(fd, select.POLLIN)
        pause = None
        while True:
            ready = [fd for fd, _ in poll.poll(pause)]
            over = [fd for fd in ready if fd in self.ends]
            self.reap()
            for fd in over:
                poll.unregister(fd)
                os.close(fd)
                call = self.children.pop(self.ends.pop(fd), None)
                if call:
                    # Somebody else waited for it: nobody knows how it ended.
                    call.close()
            # A build can make siblings. Its cell ends no sooner than this
            # process has waited for them, too.
            if over:
                pause = FIRST_PAUSE
            elif pause:
                pause = pause * 2 if pause < LAST_PAUSE else None
            if self.channel.fileno() in ready:
                return

    def reap(self):
        """Waits for all that ended, and tells those who want to know."""
        while True:
            try:
                child, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not child:
                return
            call = self.children.pop(child, None)
            if not call:
                continue
            word, number = "code", os.WEXITSTATUS(status)
            if os.WIFSIGNALED(status):
                word, number = "signal", os.WTERMSIG(status)
            try:
                call.send("{} {} {}".format(word, number, used.ru_maxrss).encode("ascii"))
            except OSError:
                # Nobody wants to know.
                pass
            call.close()

    def begin(self, call, given, todo, message):
        """Forks the child that waits in its cell. Processes of a cell are born
        into it, so this process enters that much of it for its next fork."""
        log, users, processes, *others = given
        checked(LIBC.setns(processes, 0))
        child = os.fork()
        if child == 0:
            self.stand_by(call, (log, [users] + others), todo, message)
        ended = LIBC.syscall(SYS_PIDFD_OPEN, child, 0)
        if ended < 0:
            # It goes with us, and what waits for it does not wait for ever.
            os._exit(1)
        self.children[child], self.ends[ended] = call, child

    def stand_by(self, call, given, todo, message):
        """The child: joins the rest of its cell, becomes what the program of a
        cell is, and waits there for what it is to build."""
        try:
            (log, spaces), (rehearse, run) = given, todo
            for fd in spaces:
                checked(LIBC.setns(fd, 0))
            call = become(log, call, message)
            rehearse()
            os.write(call, b"here")
            begun = os.read(call, 64)
            os.close(call)
            if begun:
                os.chdir(message["cwd"])
                run()
        finally:
            # It ends by itself; not ended so, it is no success.
            os._exit(1)


def become(log, call, message):
    """Makes this process what the program of a cell is: no right, the limits of
    the build, a session of its own, no descriptor but the one that it gives
    back, for the word to begin."""
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        kept = os.dup2(call.detach(), 3, inheritable=False)
        if LIBC.syscall(SYS_CLOSE_RANGE, kept + 1, ctypes.c_uint(-1), 0) < 0:
            os.closerange(kept + 1, 1 << 16)
        limit(message)
        let_go(bytes.fromhex(message["refuse"]))
        return kept
    except BaseException:
        os._exit(125)


def limit(message):
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    least = 8 << 20
    bounds = [
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, 4096, 65536),
        (resource.RLIMIT_STACK, least if hard < 0 else min(least, hard), hard),
    ]
    for kind, name in (("NPROC", "processes"), ("FSIZE", "file_size"), ("DATA", "memory")):
        if message[name]:
            bounds.append((getattr(resource, "RLIMIT_" + kind), message[name], message[name]))
    for kind, soft, most in bounds:
        now = resource.getrlimit(kind)[1]
        if now >= 0 and (most < 0 or most > now):
            most = now
        resource.setrlimit(kind, (soft if most < 0 else min(soft, most), most))


def let_go(refuse):
    """Entering the cell gave every capability in it: all are dropped for good."""
    for bit in range(CAPABILITIES):
        prctl(PR_CAPBSET_DROP, bit)
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = CAPABILITIES_3.to_bytes(4, sys.byteorder) + bytes(4)
    checked(LIBC.capset(header, bytes(24)))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    program = Program(len(refuse) // 8, refuse)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))
    # As after an exec: it may read about itself in /proc.
    prctl(PR_SET_DUMPABLE, 1)
