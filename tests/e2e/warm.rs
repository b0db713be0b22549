//! Builds in the children of fork servers are the builds of fresh processes.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::{Pid, Signal, kill_process};

use crate::project::Project;
use crate::stopping::{heeding_ctrl_c, names};
use crate::world::World;

/// The toy backend with more in its module where it is imported from a build's
/// environment; its own build does not meet that.
fn backend(text: &str) -> Project {
    let indented = text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let module = format!("{}\nif __file__.startswith('/env/'):\n{indented}", include_str!("toy.py"));
    Project::backend("1.0").file("src/toy.py", &module)
}

fn world(backend: &Project, projects: &[Project]) -> World {
    let world = World::new(projects);
    world.add(backend);
    world
}

/// Names that sort in the order in which one job builds them.
fn many(hook: &str) -> Vec<Project> {
    ["a-one", "b-two", "c-three", "d-four"].map(|name| Project::new(name, "1.0").hook(hook)).to_vec()
}

/// Where each package was built, as its realisation says.
fn warmth(world: &World) -> BTreeMap<String, String> {
    let database = rusqlite::Connection::open(world.path("store/state.sqlite")).unwrap();
    let mut query = database.prepare("SELECT package, facts FROM realisations WHERE kind = 'build'").unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(|row| {
        let (package, facts) = row.unwrap();
        let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
        (package, facts["warmth"].as_str().expect("it is a text").to_owned())
    })
    .collect()
}

/// Builds all, one after the other; gives the wheels but the backend's.
#[track_caller]
fn build_all(world: &World, args: &[&str]) -> BTreeMap<String, Vec<u8>> {
    world.ok(&[&["build", "--all", "--wheel-dir", "wheels", "--jobs", "1"], args].concat());
    let entries = std::fs::read_dir(world.work("wheels")).unwrap();
    let all = entries.map(|e| e.unwrap().path()).map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    });
    all.filter(|(name, _)| !name.starts_with("toy-")).collect()
}

fn members(wheel: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(wheel)).unwrap();
    let texts = (0..archive.len()).map(|i| {
        let mut text = format!("{:?}\n", archive.by_index(i).unwrap().name());
        std::io::Read::read_to_string(&mut archive.by_index(i).unwrap(), &mut text).unwrap();
        text
    });
    texts.collect()
}

/// Builds in two worlds, in one without servers. The wheels must be the same;
/// gives where the builds of the other ran.
#[track_caller]
fn same_wheels(backend: &Project, projects: &[Project]) -> BTreeMap<String, String> {
    let (warm, cold) = (world(backend, projects), world(backend, projects));
    let (built, expected) = (build_all(&warm, &[]), build_all(&cold, &["--no-warm"]));
    assert_eq!(built.len(), projects.len());
    for (name, wheel) in &built {
        let (left, right) = (members(wheel), members(&expected[name]));
        let differ = left.lines().zip(right.lines()).filter(|(left, right)| left != right);
        assert_eq!(differ.collect::<Vec<_>>(), [], "{name}");
        assert_eq!(*wheel, expected[name], "{name}");
    }
    assert_eq!(BTreeSet::from_iter(warmth(&cold).into_values()), BTreeSet::from(["cold".to_owned()]));
    let mut found = warmth(&warm);
    assert_eq!(found.remove("toy").as_deref(), Some("cold"), "a backend of its own is never warm");
    found
}

/// All but the first: only then there is a server.
fn all_warm(projects: &[Project]) -> BTreeMap<String, String> {
    let word = |n: usize| if n == 0 { "cold" } else { "warm" };
    projects.iter().enumerate().map(|(n, p)| (p.name.clone(), word(n).to_owned())).collect()
}

/// Python that writes what `expression` is into the wheel.
fn tell(expression: &str) -> String {
    format!(
        "import json, os, toy\nat = 'src/' + spec['name'].replace('-', '_') + '/seen.json'\n\
         open(at, 'w').write(json.dumps({expression}, indent=1, sort_keys=True, default=repr))\n"
    )
}

#[test]
fn what_a_backend_sees_while_it_is_imported_is_always_the_same() {
    let looks = "\
import gc, hashlib, importlib.metadata, locale, os, random, resource, signal, sys, sysconfig, tempfile, threading, time
umask = os.umask(0o22)
os.umask(umask)
seen = {
    'env': dict(os.environ), 'cwd': os.getcwd(), 'argv': sys.argv,
    'orig_argv': getattr(sys, 'orig_argv', None), 'tmp': tempfile.gettempdir(), 'name': next(tempfile._get_candidate_names()),
    'sysconfig': hashlib.md5(str(sorted(map(str, sysconfig.get_config_vars().items()))).encode()).hexdigest(), 'paths': sysconfig.get_paths(),
    'entries': sorted(map(str, importlib.metadata.entry_points())), 'packages': sorted(d.name for d in importlib.metadata.distributions()),
    'zone': [time.tzname, time.timezone, time.localtime(0).tm_hour, time.localtime().tm_year], 'random': random.random(),
    'umask': umask, 'signals': [signal.getsignal(n) for n in range(1, 32)], 'path': sys.path, 'flags': str(sys.flags),
    'meta_path': [getattr(f, '__name__', type(f).__name__) for f in sys.meta_path], 'hash': hash('toy'), 'gc': [gc.isenabled(), gc.get_threshold()],
    'locale': [locale.setlocale(locale.LC_ALL), locale.getpreferredencoding()], 'main': sys.modules['__main__'].__file__,
    'threads': threading.active_count(), 'recursion': sys.getrecursionlimit(), 'executable': sys.executable, 'prefix': sys.prefix,
    'streams': [str(s.encoding) + s.errors + str(s.line_buffering) for s in (sys.stdin, sys.stdout, sys.stderr)], 'tty': os.isatty(0),
    'uid': [os.getuid(), os.getgid()], 'home': os.path.expanduser('~'), 'host': os.uname().nodename, 'nice': os.nice(0),
    'own': sorted(n for n in sys.modules if n.startswith('toy')), 'dont_write': sys.dont_write_bytecode,
}";
    let later = tell(
        "[toy.seen, dict(os.environ), os.getcwd(), __import__('tempfile').mkdtemp(), __import__('random').random(), \
         __import__('uuid').uuid3(__import__('uuid').NAMESPACE_DNS, 'x'), __import__('gc').isenabled()]",
    );
    let projects = many(&later);
    assert_eq!(same_wheels(&backend(looks), &projects), all_warm(&projects));
}

#[test]
fn what_a_backend_imports_only_while_it_builds_sees_the_same_too() {
    let late = "\
import os
import toy_later
here = [os.path.exists('pyproject.toml'), os.listdir('.'), os.getcwd()]
";
    let later = "\
import os, random, sys, tempfile, time
seen = [dict(os.environ), os.getenv('pname'), random.random(), sys.argv, tempfile.gettempdir(), time.tzname]
";
    let asks = "\
plain = get_requires_for_build_wheel
def get_requires_for_build_wheel(settings=None):
    import toy_late, wsgiref.util
    return plain(settings)
";
    let projects = many(&tell(
        "[__import__('toy_later').seen, __import__('toy_late').here, __import__('tempfile').mkdtemp(), __import__('random').random()]",
    ));
    let backend = backend(asks).file("src/toy_late.py", late).file("src/toy_later.py", later);
    assert_eq!(same_wheels(&backend, &projects), all_warm(&projects));
}

#[test]
fn what_a_build_does_to_its_process_reaches_no_other() {
    let sleep = format!("2{}.31", std::process::id());
    let look = tell(
        "[[name for name in sorted(vars(toy)) if 'left' in name], 'left' in os.environ, os.getcwd(), \
         __import__('signal').getsignal(15), __import__('threading').active_count(), __import__('sys').path, \
         'left' in __import__('sys').modules, __import__('gc').get_threshold(), os.umask(0o22), os.listdir('/tmp'), \
         hasattr(os, 'left'), __import__('socket').getdefaulttimeout(), __import__('tempfile').gettempdir(), \
         sorted(os.listdir('/dev/shm')), getattr(__builtins__, 'left', None) or 'left' in dir(__builtins__)]",
    );
    let mess = format!(
        "import atexit, builtins, gc, os, signal, socket, subprocess, sys, tempfile, threading\n\
         def later():\n    os.chdir('/')\n    sys.path.clear()\n    sys.modules.clear()\n    os.environ.clear()\n\
         atexit.register(later)\n\
         toy.left = os.left = builtins.left = 1\nos.environ['left'] = '1'\nsys.modules['left'] = toy\n\
         signal.signal(15, signal.SIG_IGN)\nsignal.signal(17, signal.SIG_IGN)\nsys.path.insert(0, '/left')\n\
         gc.set_threshold(7)\nos.umask(0o77)\nsocket.setdefaulttimeout(3)\ntempfile.tempdir = '/dev/shm'\n\
         open('/tmp/left', 'w').close()\nopen('/dev/shm/left', 'w').close()\n\
         threading.Thread(target=threading.Event().wait, daemon=True).start()\n\
         if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.closerange(0, 3)\n        \
         os.execv('/usr/bin/sleep', ['sleep', '{sleep}'])\n    os._exit(0)\n"
    );
    let projects = many(&(look + &mess));
    assert_eq!(same_wheels(&backend("pass"), &projects), all_warm(&projects));
    assert_eq!(processes(&sleep), BTreeSet::new());
}

/// Processes of the host with this argument.
fn processes(argument: &str) -> BTreeSet<u32> {
    let holds = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|a| a == argument.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(holds).collect()
}

#[test]
fn a_backend_that_children_would_share_is_imported_for_each() {
    for (import, reason) in [
        (
            "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
            "something that was imported started a thread",
        ),
        (
            "import subprocess\nkept = subprocess.Popen(['/usr/bin/sleep', '1000'])",
            "something that was imported left a process running",
        ),
    ] {
        let projects = many(&tell("[os.listdir('/tmp'), os.getcwd()]"));
        let given_up = "its fork server was given up";
        let expected = ["cold", reason, given_up, given_up];
        let found = same_wheels(&backend(import), &projects);
        assert_eq!(Vec::from_iter(found.values()), expected, "{import}");
    }
}

#[test]
fn a_backend_that_looks_at_the_source_while_it_is_imported_always_has_one() {
    let quiet = "try:\n    here = open('pyproject.toml').read()\nexcept OSError:\n    here = None";
    let projects = many(&tell("toy.here"));
    let found = same_wheels(&backend(quiet), &projects);
    assert!(found.values().all(|warmth| warmth == "cold"), "{found:?}");
}

/// One package a hook: the run says, logs and ends as one without servers.
#[track_caller]
fn fail_as_cold(backend: &Project, hooks: &[&str]) {
    let named = hooks.iter().enumerate().map(|(n, hook)| (format!("hub-{n}"), hook));
    let projects: Vec<Project> =
        named.map(|(name, hook)| Project::new(&name, "1.0").hook(&format!("{hook}\n"))).collect();
    let said = [&[][..], &["--no-warm"]].map(|args: &[&str]| {
        let world = world(backend, &projects);
        let output = world.run(&[&["build", "--all", "--jobs", "1"], args].concat());
        assert_eq!(output.code, Some(1), "{output}");
        // What is fetched first is chance.
        let told = output.stderr.lines().filter(|line| !line.contains(" fetched ")).map(str::to_owned);
        let logs = projects.iter().map(|project| world.ok(&["log", &project.name]).stdout);
        told.chain(logs).collect::<Vec<_>>()
    });
    assert_eq!(said[0], said[1]);
    let failed = said[0].iter().filter(|line| line.contains(" FAILED hub-")).count();
    assert_eq!(failed, hooks.len(), "{:#?}", said[0]);
}

#[test]
fn a_failure_is_told_as_if_there_were_no_server() {
    let hooks = [
        "raise ValueError('the mould is broken')",
        "import left_out",
        "import sys; print('out'); print('err', file=sys.stderr); sys.exit('gone')",
        "import os; print('begun', flush=True); os._exit(0)",
        "import os; os._exit(7)",
        "import os; os.kill(os.getpid(), 9)",
        "import os; os.kill(0, 9)",
        "import atexit, os; del atexit._run_exitfuncs; raise OSError('late')",
        "import subprocess; subprocess.run(['gcc', '--version'], check=True)",
        "spec['name'] = 'a/b'",
    ];
    fail_as_cold(&backend("pass"), &hooks);
    for import in ["import os; os.kill(os.getpid(), 9)", "import os; os._exit(0)", "raise ValueError('no')"] {
        fail_as_cold(&backend(import), &["pass"; 2]);
    }
}

#[test]
fn what_a_server_cannot_have_is_built_in_a_fresh_process() {
    let in_tree = Project::new("in-tree", "1.0")
        .file(
            "pyproject.toml",
            "[build-system]\nrequires = []\nbuild-backend = \"own\"\nbackend-path = [\"own\"]\n",
        )
        .file("own/own.py", include_str!("toy.py"));
    let says = |name: &str, text: &str| Project::new(name, "1.0").recipe_says(text);
    let projects = [
        in_tree,
        says("cold", "[build]\ncold = true\n"),
        says("env", "[build]\nenv = { A = \"1\" }\n"),
        says("phases", "[phases]\npre-build = \"true\"\n"),
        Project::new("a-first", "1.0"),
        Project::new("warm", "1.0"),
    ];
    let world = World::new(&projects);
    build_all(&world, &[]);
    let mut found = warmth(&world);
    assert_eq!(found.remove("warm").as_deref(), Some("warm"));
    assert_eq!(found.len(), 6);
    assert!(found.values().all(|warmth| warmth == "cold"), "{found:?}");
    for args in [["--isolation", "landlock"], ["--isolation", "env"]] {
        let world = World::new(&[Project::new("hub", "1.0")]);
        build_all(&world, &args);
        assert!(warmth(&world).values().all(|warmth| warmth == "cold"), "{args:?}");
    }
}

#[test]
fn an_ordinary_users_builds_are_warm_too() {
    let projects =
        many(&tell("[os.getuid(), open('/proc/self/status').read().count('CapEff:\\t0000000000000000')]"));
    let mut warm = world(&backend("pass"), &projects);
    warm.as_ordinary_user();
    let built = build_all(&warm, &[]);
    let cold = world(&backend("pass"), &projects);
    assert_eq!(built, build_all(&cold, &["--no-warm"]));
    let mut found = warmth(&warm);
    found.remove("toy");
    assert_eq!(found, all_warm(&projects));
}

#[test]
fn a_stop_or_a_kill_leaves_nothing_of_a_server() {
    for (n, signal) in [Signal::INT, Signal::KILL].into_iter().enumerate() {
        let sleep = format!("3{}.4{n}", std::process::id());
        let mut projects = many("pass\n");
        let hang = format!("import subprocess\nsubprocess.run(['/usr/bin/sleep', '{sleep}'])\n");
        projects.push(Project::new("z-last", "1.0").hook(&hang));
        let world = world(&backend("pass"), &projects);
        let plain = world.command(&["build", "--all", "--jobs", "1"]);
        let mut child = heeding_ctrl_c(&plain).spawn().unwrap();
        let began = std::time::Instant::now();
        while processes(&sleep).is_empty() {
            assert!(began.elapsed().as_secs() < 120, "it never came so far");
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            std::thread::yield_now();
        }
        kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let code = if signal == Signal::INT { Some(130) } else { None };
        assert_eq!(output.status.code(), code, "{}", String::from_utf8_lossy(&output.stderr));
        // The kernel may still be at it when the killed one is gone.
        while !processes(&sleep).is_empty() || somebody_is_in(&world) {
            assert!(began.elapsed().as_secs() < 120, "something is left");
            std::thread::yield_now();
        }
        assert_eq!(warmth(&world).values().filter(|warmth| *warmth == "warm").count(), 3);
        if signal == Signal::INT {
            assert_eq!(names(&world, "store/tmp"), Vec::<String>::new());
        }
    }
}

/// Whether a process has the world's folder, or a root assembled in it, in sight.
fn somebody_is_in(world: &World) -> bool {
    let folder = world.path("").display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = entries.filter(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok());
    pids.any(|pid| {
        let mounts = std::fs::read_to_string(pid.path().join("mountinfo")).unwrap_or_default();
        mounts.contains(folder.trim_end_matches('/'))
    })
}
