//! The programs of fork servers, as far as they need no cell.

use super::{ask, pythons};

#[track_caller]
fn on_every_python(program: &str) {
    for python in pythons() {
        assert_eq!(ask(&python, program), "done\n", "{}", python.display());
    }
}

/// In a folder of its own: a server closes the one it works in.
const SERVER: &str = "\
import json, os, socket, sys, tempfile, threading
import wheelwright_fork_server as f
os.chdir(tempfile.mkdtemp())
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
os.dup2(theirs.fileno(), 0)
# Those are the machine's, not a domain's.
f.strangers, f.empty = lambda children: False, lambda *folders: True
";

#[test]
fn a_packet_comes_with_its_descriptors() {
    on_every_python(&format!(
        "{SERVER}\
         import array\n\
         read, write = os.pipe()\n\
         before = f.descriptors()\n\
         assert read in before and write in before and f.alive(read) and not f.alive(999)\n\
         rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [write] * 9))]\n\
         ours.sendmsg([b'x' * 50000], rights); ours.sendmsg([b'plain']); ours.close()\n\
         data, fds = f.receive(theirs)\n\
         assert data == b'x' * 50000 and len(set(fds)) == 9, (len(data), fds)\n\
         os.write(fds[8], b'through'); assert os.read(read, 9) == b'through'\n\
         assert sorted(set(f.descriptors()) - set(before)) == sorted(set(fds) - set(before))\n\
         assert f.receive(theirs) == (b'plain', [])\n\
         assert f.receive(theirs) == (b'', [])\n\
         print('done')\n"
    ));
}

#[test]
fn a_server_says_why_no_child_may_start_from_it() {
    on_every_python(&format!(
        "{SERVER}\
         import mmap\n\
         server = f.Server()\n\
         assert server.load(['json', 'no.such.module', 'wheelwright_toml']) and 'wheelwright_toml' in sys.modules\n\
         assert not server.load(['json', 'no.such.module'])\n\
         def unfit(part, *late):\n    said = server.unfit([], late)\n    assert (part in said) if part else said is None, (part, said)\n\
         unfit(''); unfit('', 'not_loaded'); unfit('must see its build', 'not_loaded', 'wheelwright_toml')\n\
         read, write = os.pipe(); unfit('keeps a file open'); assert server.unfit([read, write]) is None\n\
         os.close(read); unfit('keeps a file open'); os.close(write); unfit('')\n\
         shared = mmap.mmap(-1, 4096); unfit('shares memory'); shared.close(); unfit('')\n\
         private = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); unfit('')\n\
         end = threading.Event(); thread = threading.Thread(target=end.wait); thread.start(); unfit('started a thread')\n\
         end.set(); thread.join(); unfit('')\n\
         f.strangers = lambda children: True; unfit('left a process'); f.strangers = lambda children: False\n\
         f.empty = lambda *folders: False; unfit('wrote files'); f.empty = lambda *folders: True\n\
         os.chmod(server.cwd, 0o700); os.chdir('/'); unfit('working folder')\n\
         print('done')\n"
    ));
}

#[test]
fn limits_are_never_above_what_the_server_has() {
    on_every_python(&format!(
        "{SERVER}\
         import resource as r\n\
         hard = r.getrlimit(r.RLIMIT_NPROC)[1]\n\
         r.setrlimit(r.RLIMIT_FSIZE, (1 << 20, 1 << 20)); r.setrlimit(r.RLIMIT_NOFILE, (512, 1024))\n\
         f.limit({{'processes': 0, 'file_size': 1 << 30, 'memory': 1 << 33}})\n\
         assert r.getrlimit(r.RLIMIT_FSIZE) == (1 << 20, 1 << 20), r.getrlimit(r.RLIMIT_FSIZE)\n\
         assert r.getrlimit(r.RLIMIT_NOFILE) == (1024, 1024), r.getrlimit(r.RLIMIT_NOFILE)\n\
         assert r.getrlimit(r.RLIMIT_CORE) == (0, 0) and r.getrlimit(r.RLIMIT_NPROC)[1] == hard\n\
         assert r.getrlimit(r.RLIMIT_DATA) == (1 << 33, 1 << 33)\n\
         f.limit({{'processes': 7, 'file_size': 4096, 'memory': 0}})\n\
         assert r.getrlimit(r.RLIMIT_NPROC) == (7, 7) and r.getrlimit(r.RLIMIT_FSIZE) == (4096, 4096)\n\
         print('done')\n"
    ));
}

#[test]
fn modules_that_look_at_a_build_are_found() {
    let modules = [
        ("late_one", "import os\nx = os.environ.get('pname')", true),
        ("late_all", "import os\nx = dict(os.environ)", true),
        ("late_bytes", "import os\nx = os.environb.get(b'pname')", true),
        ("late_list", "import os\nx = os.listdir()", true),
        ("late_exists", "import os.path\nx = os.path.exists('setup.cfg')", true),
        ("late_path", "import pathlib\nx = pathlib.Path('sub/x').is_file()", true),
        ("late_open", "x = open('source.txt').read()", true),
        ("late_draw", "from random import choice\nx = choice([1, 2])", true),
        ("late_above", "import late_below", true),
        ("late_below", "import os\nclass A:\n    x = [os.getenv(n) for n in ['pname']]", true),
        ("first_variable", "import os, random\nx = os.environ.get('pname'), random.random()", false),
        ("first_absent", "import os\nx = os.path.isfile('none.txt')", false),
        ("first_source", "x = open('source.txt').read()", false),
        ("other_variable", "import os\nx = os.environ.get('HOME'), os.getcwd()", false),
        ("other_file", "import os\nx = open(__file__).read(), os.listdir('/'), os.stat('/')", false),
        (
            "later",
            "import os, random\ndef f(): return dict(os.environ), random.random(), os.listdir()",
            false,
        ),
    ];
    let written: Vec<String> = modules
        .iter()
        .map(|(name, text, _)| format!("open({name:?} + '.py', 'w').write({text:?})\n"))
        .collect();
    let names: Vec<&str> = modules.iter().map(|(name, ..)| *name).collect();
    let found: Vec<&str> = modules.iter().filter(|(.., found)| *found).map(|(name, ..)| *name).collect();
    on_every_python(&format!(
        "import importlib, os, sys, tempfile\nimport wheelwright_sample\n\
         lib, source = tempfile.mkdtemp(), tempfile.mkdtemp()\n\
         os.chdir(lib); sys.path.insert(0, lib)\n{}\
         os.chdir(source); open('source.txt', 'w').close()\n\
         looks = wheelwright_sample.Looks('.')\n\
         import first_variable, first_absent; assert not looks.found\n\
         assert looks.absent == {{'none.txt'}}\n\
         import first_source; assert 'first_source' in looks.found\n\
         looks.watch_all(['pname']); assert not looks.found\n\
         os.environ['pname'] = 'x'\n\
         for name in {names:?}:\n    importlib.import_module(name)\n\
         sys.modules['later'].f()\n\
         found = sorted(looks.found & set({names:?}))\n\
         assert found == sorted({found:?}), found\n\
         assert os.environ.copy()['pname'] == 'x' and os.environb[b'pname'] == b'x'\n\
         print('done')\n",
        written.concat()
    ));
}

/// Compiled by the engine itself, and no warning of it.
const PATTERNS: &str = r#"
import json, os, re, sys, tempfile, warnings
import wheelwright_fork_server as f
import wheelwright_sample
os.chdir(tempfile.mkdtemp())
compiler = sys.modules.get("re._compiler") or sys.modules.get("sre_compile")
plain, engine = compiler.compile, compiler._sre
telling = wheelwright_sample.Patterns()
given = [("(?P<one>a+)|(b)(?P<two>[^cd]{2,7})", re.I | re.M), (b"(?i)\xe4[\x00-\xff]+?$", 0), ("ä\u1234\U00012345[^\\w]", 0)]
warnings.simplefilter("ignore")
left = [(b"(?L)a", 0), ("[[a]", 0), ("[\udc80-\udcff]", 0)]
expected = [re.compile(*one) for one in given + left]
compiler.compile, compiler._sre = plain, engine
assert [entry[:2] for entry in telling.told["patterns"]] == [
    [isinstance(text, bytes), text.decode("latin-1") if isinstance(text, bytes) else text] for text, _ in given
], telling.told
def server(told):
    re.purge()
    compiler.compile = plain
    with open(f.PATTERNS, "w", encoding="utf-8") as file:
        file.write(told if isinstance(told, str) else json.dumps(told))
    f.Patterns(f.PATTERNS)
    asked = []
    calls = compiler._code if hasattr(compiler, "_code") else None
    def watched(*arguments):
        asked.append(arguments)
        return calls(*arguments)
    compiler._code = watched
    try:
        return [re.compile(*one) for one in given + left], len(asked)
    finally:
        compiler._code = calls
"#;

#[test]
fn a_pattern_that_was_told_is_the_one_that_would_be_compiled() {
    on_every_python(&format!(
        "{PATTERNS}\
         made, compiled = server(json.loads(json.dumps(telling.told)))\n\
         assert compiled == len(left), compiled\n\
         for one, other in zip(expected, made):\n    \
             assert one == other and one.flags == other.flags and one.groups == other.groups\n    \
             assert list(one.groupindex.items()) == list(other.groupindex.items())\n\
         found = made[0].search('xBcBeeee'); assert found.lastgroup == 'two' and found.start() == 3, found\n\
         print('done')\n"
    ));
}

#[test]
fn what_is_no_code_of_a_pattern_is_compiled() {
    on_every_python(&format!(
        "{PATTERNS}\
         told = telling.told['patterns']\n\
         wrong = ['', '[', '[]', 'null', '{{\"by\": 1}}', {{'by': 'another', 'patterns': told}}]\n\
         codes = [[], ['a'], [-1], [1 << 40], [99999] * 9, None, 7]\n\
         wrong += [{{'by': sys.version, 'patterns': [entry[:-1] + [code] for entry in told]}} for code in codes]\n\
         wrong += [{{'by': sys.version, 'patterns': bad}} for bad in [None, 7, [7], [[]], [told[0][:3]], [[True, 'ä\\u1234', 0]]]]\n\
         wrong += [{{'by': sys.version, 'patterns': [entry[:3] + [entry[3], -5, entry[5], entry[6]] for entry in told]}}]\n\
         for one in wrong:\n    \
             made, compiled = server(one)\n    \
             assert made == expected and compiled == len(made), (one, compiled)\n\
         print('done')\n"
    ));
}
