//! What dead processes and builds left in the store stops nobody.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::processes::{child_job, start};
use super::*;

/// The folder of a process that is gone.
fn dead_session(store: &Store) -> PathBuf {
    let path = store.root().join("tmp/1-1-0");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("lock"), "").unwrap();
    path
}

#[test]
fn a_nest_of_folders_is_swept_with_few_descriptors() {
    if let Some(root) = child_job() {
        let few = rustix::process::Rlimit { current: Some(200), maximum: Some(200) };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, few).unwrap();
        let store = Store::open(Path::new(&root)).unwrap();
        assert!(!store.has_blob(&Digest::of(b"x")).unwrap());
        store.gc(false).unwrap();
        assert!(store.verify(true).unwrap().is_clean());
        return;
    }
    let (_dir, store) = store();
    let dead = dead_session(&store);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = OwnedFd::from(fs::File::open(&dead).unwrap());
    for _ in 0..1000 {
        rustix::fs::mkdirat(here.as_fd(), "d", Mode::RWXU).unwrap();
        here = rustix::fs::openat(here.as_fd(), "d", flags, Mode::empty()).unwrap();
    }
    drop(here);
    let root = store.root().to_str().unwrap();
    let test = "leftovers::a_nest_of_folders_is_swept_with_few_descriptors";
    assert!(start(test, root).wait().unwrap().success());
    assert!(!dead.exists());
}

#[test]
fn a_pin_that_did_not_fit_does_not_spoil_the_next() {
    use super::session::{env_pins_of, pins_of, sessions};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let test = "leftovers::a_pin_that_did_not_fit_does_not_spoil_the_next";
    let Some(root) = child_job() else {
        let (_dir, store) = store();
        assert!(start(test, store.root().to_str().unwrap()).wait().unwrap().success());
        return;
    };
    let pin = |text: &str| Input::Blob(Digest::of(text.as_bytes()));
    let store = Store::open(Path::new(&root)).unwrap();
    store.pin(&[pin("a"), pin("b")]).unwrap();
    store.pin_env("one").unwrap();
    let mine = sessions(store.root()).unwrap().remove(0).path;
    // A disk with room for a part of what follows. The signal that comes with
    // this limit is ignored by whoever started us.
    let before = getrlimit(Resource::Fsize);
    let small = |bytes| setrlimit(Resource::Fsize, Rlimit { current: Some(bytes), ..before });
    small(80).unwrap();
    assert!(store.pin(&[pin("c"), pin("d")]).is_err());
    small(6).unwrap();
    assert!(store.pin_env("two").is_err());
    setrlimit(Resource::Fsize, before).unwrap();
    store.pin(&[pin("e")]).unwrap();
    store.pin_env("three").unwrap();
    assert_eq!(pins_of(&mine), [pin("a"), pin("b"), pin("e")]);
    assert_eq!(env_pins_of(&mine), ["one", "three"]);
}

#[test]
fn locks_of_the_dead_and_old_folders_go() {
    let (_dir, store) = store();
    let at = |name: &str| store.root().join(name);
    let week = std::time::Duration::from_secs(8 * 24 * 3600);
    let long_ago = fs::FileTimes::new().set_modified(std::time::SystemTime::now() - week);
    for name in ["failed/old-1", "failed/new-1", "toolbox/old", "toolbox/new"] {
        fs::create_dir_all(at(name)).unwrap();
        fs::write(at(name).join("f"), "").unwrap();
        if name.contains("old") {
            fs::File::open(at(name)).unwrap().set_times(long_ago).unwrap();
        }
    }
    fs::write(at("locks").join(key("dead").hex()), "process 1").unwrap();
    let held = store.lock(&key("held"), &mut |_| {}).unwrap();
    let other = Store::open(store.root()).unwrap();
    let _temp = other.temp_dir().unwrap();
    assert_eq!(store.gc(true).unwrap().leftovers, 2);
    assert_eq!(store.gc(false).unwrap().leftovers, 2);
    let left = |name: &str| {
        let mut names: Vec<_> =
            fs::read_dir(at(name)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(left("locks").len(), 2, "the gate and the held one: {:?}", left("locks"));
    assert_eq!((left("failed"), left("toolbox").len()), (vec!["new-1".to_owned()], 2));
    drop((_temp, other, held));
    assert_eq!(store.gc(false).unwrap().leftovers, 1, "a toolbox, now that nobody uses it");
    assert_eq!((left("locks"), left("toolbox")), (vec!["gate".to_owned()], vec!["new".to_owned()]));
}

#[test]
fn what_cannot_be_collected_keeps_nothing_else() {
    let (_dir, store) = store();
    let (_temp, staged) = stage(&store, &[("a", "1")]);
    let tree = store.tree_path(&store.add_tree(&staged).unwrap());
    let blob = store.blob_path(&store.add_blob_bytes(b"x").unwrap());
    let root = store.root().to_owned();
    drop((_temp, store));
    fs::write(root.join("blobs/stray"), "").unwrap();
    let store = Store::open(&root).unwrap();
    // Not even root can move a mount point; see below.
    let mounted = rustix::mount::mount_bind(&blob, &blob).is_ok();
    let collected = store.gc(false);
    if mounted {
        rustix::mount::unmount(&blob, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
    assert_eq!(collected.is_err(), mounted);
    assert!(!tree.exists());
    store.gc(false).unwrap();
    assert!(!blob.exists());
}

#[test]
fn a_collection_has_room_to_begin_with() {
    let (_dir, store) = store();
    let ballast = store.root().join("ballast");
    assert!(!ballast.exists());
    store.has_blob(&Digest::of(b"x")).unwrap();
    assert_eq!(fs::metadata(&ballast).unwrap().len(), 2 << 20);
    let collecting = Store::open_to_collect(store.root()).unwrap();
    assert!(!ballast.exists());
    collecting.gc(false).unwrap();
    assert!(ballast.exists());
}

#[test]
fn what_cannot_be_swept_stops_nothing() {
    let (_dir, store) = store();
    let dead = dead_session(&store);
    // Not even root can remove a mount point. An ordinary user cannot make
    // one, and there this test only sees an empty folder go.
    let stuck = dead.join("stuck");
    fs::create_dir(&stuck).unwrap();
    let mounted = rustix::mount::mount_bind(&stuck, &stuck).is_ok();
    let worked = store.has_blob(&Digest::of(b"x"));
    let collected = store.gc(false);
    assert_eq!(stuck.exists(), mounted);
    if mounted {
        rustix::mount::unmount(&stuck, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
    assert!(!worked.unwrap());
    collected.unwrap();
}
