//! Kills, full disks, two runs at once, copies and repairs of the store.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::project::Project;
use crate::world::World;

/// hub <- spoke-0..4 <- rim, enough to be killed in many places.
fn projects() -> Vec<Project> {
    let mut all = vec![Project::new("hub", "1.0")];
    let mut rim = Project::new("rim", "1.0").builds_with("hub");
    for n in 0..5 {
        let name = format!("spoke-{n}");
        let work =
            format!("for n in range(200): open('src/spoke_{n}/data-%d.txt' % n, 'w').write('x' * n)\n");
        all.push(Project::new(&name, "1.0").needs("hub").hook(&work));
        rim = rim.needs(&name);
    }
    all.push(rim);
    all
}

/// What two stores of the same work have alike: the names of their trees and
/// blobs, which are digests.
fn contents(store: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for kind in ["blobs", "trees"] {
        for shelf in std::fs::read_dir(store.join(kind)).unwrap() {
            let shelf = shelf.unwrap().path();
            for entry in std::fs::read_dir(&shelf).unwrap() {
                let path = entry.unwrap().path();
                found.insert(path.strip_prefix(store).unwrap().display().to_string());
            }
        }
    }
    found
}

/// Kills the process when the time is up; whether it was still there.
fn kill_after(child: &mut Child, after: Duration) -> bool {
    let pid = rustix::process::Pid::from_child(child);
    let (ended, wait) = mpsc::channel::<()>();
    let killer = std::thread::spawn(move || {
        let late = wait.recv_timeout(after).is_err();
        if late {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        late
    });
    let status = child.wait().expect("it was started");
    // Gone before its time, or just killed: either way the wait is over.
    let _ = ended.send(());
    killer.join().expect("it does not panic") && status.code().is_none()
}

/// No process has its working folder, root or program below this path.
fn nobody_is_left_in(folder: &Path) {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|e| {
        let path = e.ok()?.path();
        path.file_name()?.to_str()?.parse::<u32>().ok().map(|_| path)
    });
    for process in processes {
        for link in ["cwd", "root", "exe"] {
            let Ok(target) = std::fs::read_link(process.join(link)) else { continue };
            assert!(!target.starts_with(folder), "{} {link} -> {}", process.display(), target.display());
        }
    }
}

#[test]
fn killed_at_any_moment_the_next_run_completes_as_if_nothing_had_been() {
    let undisturbed = World::new(&projects());
    let started = Instant::now();
    undisturbed.ok(&["build", "rim"]);
    let length = started.elapsed();
    let (expected, wheel) = (contents(&undisturbed.path("store")), undisturbed.wheels("result"));
    let world = World::new(&projects());
    let mut killed = 0;
    for moment in 0..15 {
        let mut child = world.command(&["build", "rim"]).spawn().unwrap();
        killed += usize::from(kill_after(&mut child, length * moment / 15));
        if moment % 5 == 4 {
            finish(&world, &expected, &wheel);
        }
    }
    assert!(killed >= 5, "only {killed} runs were still going on when they were to be killed");
}

#[test]
fn killed_inside_a_commit_the_next_run_completes_as_if_nothing_had_been() {
    let undisturbed = World::new(&projects());
    undisturbed.ok(&["build", "rim"]);
    let (expected, wheel) = (contents(&undisturbed.path("store")), undisturbed.wheels("result"));
    for count in [1, 2, 7, 20, 41] {
        let mut world = World::new(&projects());
        world.set("WHEELWRIGHT_FAULT", format!("commit:{count}"));
        let output = world.run(&["build", "rim"]);
        assert_eq!(output.code, None, "the fault plan did not fire: {output}");
        world.unset("WHEELWRIGHT_FAULT");
        finish(&world, &expected, &wheel);
    }
}

/// The run after a kill: it completes, the store is clean and like another.
#[track_caller]
fn finish(world: &World, expected: &BTreeSet<String>, wheel: &std::collections::BTreeMap<String, Vec<u8>>) {
    world.ok(&["build", "rim"]);
    world.ok(&["store", "verify"]);
    assert_eq!(world.wheels("result"), *wheel);
    nobody_is_left_in(&world.path(""));
    world.ok(&["gc"]);
    let kept = contents(&world.path("store"));
    let new: Vec<String> = kept
        .difference(expected)
        .map(|path| match std::fs::read(world.path("store").join(path)) {
            Ok(bytes) => format!("{path}: {}", String::from_utf8_lossy(&bytes)),
            Err(_) => path.clone(),
        })
        .collect();
    assert!(new.is_empty(), "not in the undisturbed store: {new:#?}");
    // Nothing that the last run needs went, so nothing is built again.
    assert_eq!(world.build(&["rim"]).ran(), Vec::<String>::new());
    // From the beginning again, for the next kill.
    let _ = Command::new("chmod").args(["-R", "u+w"]).arg(world.path("store")).status();
    std::fs::remove_dir_all(world.path("store")).unwrap();
}

#[test]
fn two_runs_at_once_share_the_work() {
    let world = World::new(&projects());
    let runs: Vec<Child> = (0..2)
        .map(|n| world.command(&["build", "rim", "--json", "-o", &format!("r{n}")]).spawn().unwrap())
        .collect();
    let outputs = runs.into_iter().map(|run| {
        let done = run.wait_with_output().unwrap();
        crate::output::Output::new(&["build", "rim"], &done, &world.redactions())
    });
    let mut built = Vec::new();
    for output in outputs {
        assert_eq!(output.code, Some(0), "{output}");
        built.extend(output.ran().into_iter().filter(|s| s.ends_with(" build")));
    }
    built.sort();
    let each = BTreeSet::from_iter(&built);
    assert_eq!((built.len(), each.len()), (8, 8), "{built:?}");
    world.ok(&["store", "verify"]);
}

#[test]
fn gc_keeps_results_and_removes_the_rest() {
    let world = World::new(&[Project::new("hub", "1.0"), Project::new("rim", "1.0")]);
    world.ok(&["build", "hub"]);
    world.ok(&["build", "rim", "--no-link"]);
    let before = contents(&world.path("store")).len();
    world.ok(&["gc", "--dry-run"]);
    assert_eq!(contents(&world.path("store")).len(), before);
    world.ok(&["gc"]);
    assert!(contents(&world.path("store")).len() < before);
    assert_eq!(world.python("import hub; print(hub.VERSION)"), "1.0");
    assert_eq!(world.build(&["hub"]).ran(), Vec::<String>::new());
    std::fs::remove_file(world.work("result")).unwrap();
    world.ok(&["gc"]);
    assert!(world.build(&["hub"]).ran().contains(&"hub 1.0 build".to_owned()));
}

#[test]
fn gc_keeps_what_the_tests_of_a_result_gave_and_their_log() {
    let test = "import unittest, runner\nclass T(unittest.TestCase):\n    def test_it(self): print('once')\n";
    let check = "[check]\nrunner = \"unittest\"\ninputs = [\"runner\"]\n";
    let hub = Project::new("hub", "1.0").file("tests/__init__.py", "").file("tests/test_it.py", test);
    let hub = hub.recipe_says(check);
    let world = World::new(&[Project::new("runner", "1.0"), hub]);
    world.ok(&["build", "hub"]);
    world.ok(&["gc"]);
    world.ok(&["plan", "runner"]).stdout.find("runner 1.0").expect("the runner itself is gone");
    let again = world.build(&["hub", "--offline"]);
    assert_eq!(again.ran(), Vec::<String>::new(), "{again}");
    assert!(world.ok(&["log", "hub", "--step", "check"]).stdout.contains("once"));
    let second: serde_json::Value = serde_json::from_str(&world.ok(&["gc", "--json"]).stdout).unwrap();
    for part in ["files", "folders", "environments", "results"] {
        assert_eq!(second[part], 0, "{part}: {second}");
    }
    // With the result goes the rest; no hint offers what is gone.
    std::fs::remove_file(world.work("result")).unwrap();
    world.ok(&["gc"]);
    let gone = world.fails(2, &["log", "hub", "--step", "check"]);
    gone.says(&["no log of `check` of hub 1.0", "until `gc` removes them"]);
}

#[test]
fn damage_is_found_and_repaired() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.ok(&["build", "hub"]);
    let damaged = contents(&world.path("store")).into_iter().find(|p| p.starts_with("blobs/")).unwrap();
    let path = world.path("store").join(&damaged);
    let mode = |m| std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(m)).unwrap();
    mode(0o644);
    std::fs::write(&path, "damage").unwrap();
    mode(0o444);
    let output = world.fails(3, &["store", "verify"]);
    assert!(output.stdout.contains("blobs"), "{output}");
    world.ok(&["store", "verify", "--repair"]);
    world.ok(&["store", "verify"]);
    world.ok(&["build", "hub"]);
    world.ok(&["store", "verify"]);
}

#[test]
fn a_repair_leaves_no_damaged_byte_to_build_with_or_to_run() {
    let world = World::new(&[Project::new("hub", "1.0").console("hub", "hub:main")]);
    world.ok(&["build", "hub"]);
    // The install itself: the result and the environments share its files.
    let module = format!("lib/python{}/site-packages/hub/__init__.py", crate::world::python_version());
    let trees = contents(&world.path("store")).into_iter().filter(|p| p.starts_with("trees/"));
    let install = trees.map(|p| world.path("store").join(p)).find(|p| p.join(&module).is_file()).unwrap();
    let file = install.join(&module);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(&file, "VERSION = \"bad\"\n").unwrap();
    assert_eq!(world.python("import hub; print(open(hub.__file__).read())"), "VERSION = \"bad\"");
    let output = world.ok(&["store", "verify", "--repair"]);
    output.says(&["removed, because it held damaged files: [ROOT]/store/envs/"]);
    world.ok(&["build", "hub"]);
    assert_eq!(world.python("import hub; print(hub.VERSION)"), "1.0");
    assert!(world.python("import hub; print(open(hub.__file__).read())").ends_with("VERSION = \"1.0\""));
    world.ok(&["store", "verify"]);
}

#[test]
fn a_nest_of_folders_hurts_nobody() {
    let nest = "import os\n\
        home = os.getcwd()\n\
        for n in range(1500): os.mkdir('a-folder'); os.chdir('a-folder')\n\
        os.chdir(home)\n";
    let world = World::new(&[Project::new("hub", "1.0").hook(nest)]);
    for args in [&["build", "hub", "--isolation", "env"][..], &["gc"], &["store", "verify", "--repair"]] {
        let plain = world.command(args);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -n 512 && exec \"$0\" \"$@\""]).arg(plain.get_program());
        command.args(plain.get_args()).current_dir(world.work("")).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = crate::output::Output::new(args, &command.output().unwrap(), &world.redactions());
        assert_eq!(output.code, Some(0), "{output}");
        assert_eq!(std::fs::read_dir(world.path("store/tmp")).unwrap().count(), 0);
    }
}

#[test]
fn a_damaged_database_is_repaired_and_results_stay() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.ok(&["build", "hub"]);
    for damage in ["no database at all", ""] {
        let path = world.path("store/state.sqlite");
        let mut bytes = std::fs::read(&path).unwrap();
        match damage {
            // Of pages only: it can still be opened.
            "" => bytes[4096..].fill(0xa5),
            text => bytes = text.into(),
        }
        std::fs::write(&path, bytes).unwrap();
        let output = world.fails(3, &["store", "verify"]);
        assert!(output.stderr.contains("`wheelwright store verify --repair`"), "{output}");
        let output = world.ok(&["store", "verify", "--repair"]);
        assert!(output.stderr.contains("the database was damaged and is `"), "{output}");
        world.ok(&["store", "verify"]);
        assert_eq!(world.python("import hub; print(hub.VERSION)"), "1.0");
        assert!(world.build(&["hub"]).ran().contains(&"hub 1.0 build".to_owned()));
    }
}

/// The store on a disk of its own, 96 MB, full to the last block.
#[test]
fn gc_makes_room_on_a_disk_that_is_full() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    std::fs::create_dir(world.path("store")).unwrap();
    let script = "mount -t tmpfs -o size=96m tmpfs \"$0\" || exit 99\n\
        \"$@\" || exit 98\n\
        cat /dev/zero >\"$0/fill\" 2>/dev/null\n\
        rm result\n\
        \"$@\" 2>/dev/null && exit 97\n\
        \"$1\" gc >&2 || exit 96\n\
        \"$@\" || exit 95\n\
        \"$1\" store verify >&2";
    let output = in_a_mount_namespace(&world, script, &["build", "hub"]);
    assert_eq!(output.code, Some(0), "{output}");
}

/// Runs a script with the store as `$0` and the program with its arguments as
/// `$@`, in a mount namespace that ends with it.
fn in_a_mount_namespace(world: &World, script: &str, args: &[&str]) -> crate::output::Output {
    let plain = world.command(args);
    let mut command = Command::new("unshare");
    if rustix::process::geteuid().is_root() {
        command.arg("--mount");
    } else {
        command.args(["--user", "--map-root-user", "--mount"]);
    }
    command.args(["/bin/sh", "-c", script]).arg(world.path("store")).arg(plain.get_program());
    command.args(plain.get_args()).current_dir(world.work("")).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    crate::output::Output::new(args, &command.output().unwrap(), &world.redactions())
}

/// What was said is kept: the store itself is gone with the namespace.
#[test]
fn a_full_disk_is_the_machine_s_fault_and_leaves_a_clean_store() {
    let big = "open('src/hub/big.bin', 'wb').write(__import__('os').urandom(24 << 20))\n";
    let world = World::new(&[Project::new("hub", "1.0").hook(big)]);
    std::fs::create_dir(world.path("store")).unwrap();
    let script = "mount -t tmpfs -o size=8m tmpfs \"$0\" || exit 99\n\
        \"$@\"; first=$?\n\
        mount -o remount,size=200m \"$0\" || exit 99\n\
        \"$1\" store verify >&2 || exit 98\n\
        \"$@\" || exit 97\n\
        \"$1\" store verify >&2 || exit 96\n\
        exit $first";
    let output = in_a_mount_namespace(&world, script, &["build", "hub"]);
    assert_eq!(output.code, Some(3), "{output}");
    output.says(&["hub 1.0", "No space left on device"]);
}
