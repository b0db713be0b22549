//! Several processes at once, and processes that are killed. A test starts
//! this test binary again, for itself only, with what the child is to do in a
//! variable.

use std::process::{Command, Stdio};

use super::*;
use crate::tree::fault;

const CHILD: &str = "WHEELWRIGHT_TEST_CHILD";

pub(super) fn child_job() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// `test`: its path below this module's parent.
pub(super) fn start(test: &str, job: &str) -> std::process::Child {
    let mut command = Command::new("/bin/sh");
    // SIGXFSZ would end a child that is to see its own writes fail.
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("store::tests::{test}"), "--nocapture"]);
    command.env(CHILD, job).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// One whole step: a tree, a log, an environment, the record.
fn make(store: &Store) {
    let (_temp, staged) = stage(store, &[("pkg/a", "1"), ("pkg/b", "2")]);
    let tree = store.add_tree(&staged).unwrap();
    let log = store.add_blob_bytes(b"log").unwrap();
    let (_temp, env) = stage(store, &[("bin/x", "1")]);
    store.add_env("e", &env).unwrap();
    let mut made = record("a", Output::Tree(tree), &[]);
    made.realisation.log = Some(log);
    store.record(&made).unwrap();
}

fn listing(root: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for name in ["blobs", "trees", "envs"] {
        let tree = crate::tree::fs::scan(&root.join(name)).unwrap();
        out.extend(tree.to_listing().lines().filter(|l| !l.starts_with("d ")).map(str::to_owned));
    }
    out
}

#[test]
fn killed_at_any_commit_point_the_next_run_completes() {
    if let Some(job) = child_job() {
        let (plan, root) = job.split_once(' ').unwrap();
        fault::arm(plan).unwrap();
        make(&Store::open(Path::new(root)).unwrap());
        return;
    }
    let (_dir, undisturbed) = store();
    make(&undisturbed);
    let expected = listing(undisturbed.root());
    let mut deaths = 0;
    for n in 1.. {
        let (_dir, store) = store();
        let root = store.root().to_owned();
        drop(store);
        let job = format!("commit:{n} {}", root.display());
        let status =
            start("processes::killed_at_any_commit_point_the_next_run_completes", &job).wait().unwrap();
        let store = Store::open(&root).unwrap();
        assert!(store.verify(false).unwrap().is_clean(), "after point {n}");
        if status.success() {
            break;
        }
        deaths += 1;
        make(&store);
        assert!(store.lookup(&key("a")).unwrap().is_some());
        assert_eq!(listing(&root), expected, "after point {n}");
        let sessions = fs::read_dir(root.join("tmp")).unwrap().count();
        assert_eq!(sessions, 1, "the dead process' folder is swept");
    }
    assert_eq!(deaths, 8, "two points a tree, a blob, an environment, a record");
}

#[test]
fn many_processes_and_threads_add_the_same() {
    if let Some(root) = child_job() {
        let store = Store::open(Path::new(&root)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| make(&store));
            }
        });
        return;
    }
    // The children make the store itself, too.
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    let start = || start("processes::many_processes_and_threads_add_the_same", root.to_str().unwrap());
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = Store::open(&root).unwrap();
    let report = store.verify(false).unwrap();
    assert!(report.is_clean());
    assert_eq!((report.blobs, report.trees), (1, 1));
    assert!(store.lookup(&key("a")).unwrap().is_some());
}

#[test]
fn one_maker_a_key_and_the_others_are_told_who() {
    if let Some(root) = child_job() {
        let store = Store::open(Path::new(&root)).unwrap();
        let _lock = store.lock(&key("a"), &mut |_| {}).unwrap();
        fs::write(Path::new(&root).join("held"), "").unwrap();
        // Dies holding it.
        fault::arm("commit:1").unwrap();
        fault::point();
        return;
    }
    let (_dir, store) = store();
    let me = format!("process {}", std::process::id());
    let lock = store.lock(&key("a"), &mut |_| panic!("nobody holds it")).unwrap();
    store.lock(&key("b"), &mut |_| panic!("another key")).unwrap();
    let (told, ear) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let store = &store;
        let waiter = scope.spawn(move || {
            let mut on_wait = |who: &str| told.send(who.to_owned()).unwrap();
            drop(store.lock(&key("a"), &mut on_wait).unwrap());
        });
        assert_eq!(ear.recv().unwrap(), me);
        drop(lock);
        waiter.join().unwrap();
    });
    let root = store.root().to_str().unwrap();
    let status = start("processes::one_maker_a_key_and_the_others_are_told_who", root).wait().unwrap();
    assert!(!status.success() && store.root().join("held").exists());
    store.lock(&key("a"), &mut |_| panic!("its holder is dead")).unwrap();
}

#[test]
fn threads_that_want_one_companion_make_it_once() {
    let (_dir, store) = store();
    let (_temp, staged) = stage(&store, &[("a", "1")]);
    let tree = store.add_tree(&staged).unwrap();
    let (made, all) = (std::sync::atomic::AtomicUsize::new(0), std::sync::Barrier::new(4));
    let places: Vec<_> = std::thread::scope(|scope| {
        let one = || {
            all.wait();
            let make = |into: &Path| {
                made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                // Long enough for the others to ask.
                (0..200).for_each(|n| fs::write(into.join(n.to_string()), "code").unwrap());
                Ok(())
            };
            store.companion(&tree, "code", &make).unwrap()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(made.into_inner(), 1);
    assert!(places.iter().all(|place| *place == places[0] && place.join("199").is_file()));
}
