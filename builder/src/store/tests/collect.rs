use std::os::unix::fs::symlink;

use super::*;

/// A wheel made from a source, and an install made from the wheel.
struct Chain {
    source: crate::key::TreeDigest,
    wheel: Digest,
    install: crate::key::TreeDigest,
}

fn chain(store: &Store, name: &str) -> Chain {
    let tree = |text: &str| {
        let (_temp, staged) = stage(store, &[("f", text)]);
        store.add_tree(&staged).unwrap()
    };
    let source = tree(&format!("source of {name}"));
    let wheel = store.add_blob_bytes(format!("wheel of {name}").as_bytes()).unwrap();
    let install = tree(&format!("install of {name}"));
    let step = |step: &str, output: Output, inputs: &[Input]| {
        store.record(&record(&format!("{step} {name}"), output, inputs)).unwrap();
    };
    step("source", Output::Tree(source), &[]);
    step("build", Output::Blob { digest: wheel, name: "w".into() }, &[Input::Tree(source)]);
    step("install", Output::Tree(install), &[Input::Blob(wheel)]);
    step("check", Output::Passed, &[Input::Tree(install)]);
    Chain { source, wheel, install }
}

/// The store as another process sees it: nothing pinned.
fn fresh(store: Store) -> Store {
    let root = store.root().to_owned();
    drop(store);
    Store::open(&root).unwrap()
}

#[test]
fn a_root_keeps_what_it_was_made_from_and_nothing_else() {
    let (dir, store) = store();
    let kept = chain(&store, "kept");
    let gone = chain(&store, "gone");
    let link = dir.path().join("result");
    symlink(store.tree_path(&kept.install), &link).unwrap();
    store.add_root(&link, &[]).unwrap();
    let store = fresh(store);
    let planned = store.gc(true).unwrap();
    assert!(store.tree_path(&gone.source).exists(), "a dry run removes nothing");
    let report = store.gc(false).unwrap();
    assert!(report.freed > 0);
    assert_eq!(
        report,
        GcReport {
            roots: 1,
            blobs: 1,
            trees: 2,
            realisations: 4,
            freed: report.freed,
            ..GcReport::default()
        }
    );
    assert_eq!(planned, report);
    for step in ["source", "build", "install", "check"] {
        assert!(store.lookup(&key(&format!("{step} kept"))).unwrap().is_some(), "{step}");
        assert!(store.lookup(&key(&format!("{step} gone"))).unwrap().is_none(), "{step}");
    }
    assert!(store.tree_path(&kept.source).is_dir() && store.blob_path(&kept.wheel).is_file());
    assert!(!store.tree_path(&gone.install).exists() && !store.blob_path(&gone.wheel).exists());
    assert_eq!(store.gc(false).unwrap(), GcReport { roots: 1, ..GcReport::default() });
}

#[test]
fn a_root_dies_with_its_link() {
    let (dir, store) = store();
    let chain = chain(&store, "a");
    let link = dir.path().join("result");
    symlink(store.tree_path(&chain.install), &link).unwrap();
    store.add_root(&link, &[key("check a")]).unwrap();
    std::fs::remove_file(&link).unwrap();
    symlink("elsewhere", &link).unwrap();
    assert!(!store.roots().unwrap()[0].alive);
    let store = fresh(store);
    let report = store.gc(false).unwrap();
    assert_eq!((report.dead_roots, report.trees, report.blobs), (vec![link], 2, 1));
    assert!(store.roots().unwrap().is_empty());
}

#[test]
fn a_root_is_written_only_when_it_changed() {
    let (dir, store) = store();
    let link = dir.path().join("result");
    symlink("a", &link).unwrap();
    let changes = || {
        let ask = "SELECT total_changes()";
        store.state().connection().query_row(ask, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    store.add_root(&link, &[key("1")]).unwrap();
    let before = changes();
    store.add_root(&link, &[key("1")]).unwrap();
    assert_eq!(changes(), before);
    store.add_root(&link, &[key("2")]).unwrap();
    assert_eq!(store.roots().unwrap()[0].steps, [key("2")]);
    std::fs::remove_file(&link).unwrap();
    symlink("b", &link).unwrap();
    store.add_root(&link, &[key("2")]).unwrap();
    assert_eq!(store.roots().unwrap()[0].target, "b");
}

#[test]
fn steps_of_a_root_are_kept_without_a_link_to_them() {
    let (dir, store) = store();
    let chain = chain(&store, "a");
    let folder = dir.path().join("result");
    std::fs::create_dir(&folder).unwrap();
    store.add_root(&folder, &[key("check a")]).unwrap();
    let store = fresh(store);
    assert_eq!(store.gc(false).unwrap().trees, 0);
    assert!(store.tree_path(&chain.source).is_dir());
}

#[test]
fn an_environment_keeps_what_it_links_to() {
    let (dir, store) = store();
    let a = chain(&store, "a");
    let temp = store.temp_dir().unwrap();
    let staged = temp.path().join("env");
    std::fs::create_dir_all(staged.join("lib")).unwrap();
    let hex = a.install.hex();
    symlink(format!("../../../trees/{}/{}/f", &hex[..2], &hex[2..]), staged.join("lib/f")).unwrap();
    let env = store.add_env("web-1", &staged).unwrap();
    assert_eq!(std::fs::read_to_string(env.join("lib/f")).unwrap(), "install of a");
    drop(temp);
    assert_eq!(store.gc(false).unwrap().envs, 0, "its maker lives");
    let link = dir.path().join("result");
    symlink(&env, &link).unwrap();
    store.add_root(&link, &[]).unwrap();
    let store = fresh(store);
    let report = store.gc(false).unwrap();
    assert_eq!((report.envs, report.trees), (0, 0));
    std::fs::remove_file(&link).unwrap();
    let report = store.gc(false).unwrap();
    assert_eq!((report.envs, report.trees), (1, 2));
    assert!(store.env("web-1").unwrap().is_none());
}

#[test]
fn companions_go_with_their_tree() {
    let (_dir, store) = store();
    let a = chain(&store, "a");
    let make = |to: &Path| {
        std::fs::write(to.join("x.pyc"), "code").unwrap();
        Ok(())
    };
    let path = store.companion(&a.install, "pyc", &make).unwrap();
    assert_eq!(std::fs::read_to_string(path.join("x.pyc")).unwrap(), "code");
    let never = |_: &Path| -> crate::error::Result<()> { panic!("it is there") };
    assert_eq!(store.companion(&a.install, "pyc", &never).unwrap(), path);
    let store = fresh(store);
    store.gc(false).unwrap();
    assert!(!path.exists());
}

#[test]
fn what_a_living_process_looked_up_is_kept() {
    let (_dir, store) = store();
    let a = chain(&store, "a");
    let store = fresh(store);
    let other = Store::open(store.root()).unwrap();
    assert!(other.lookup(&key("install a")).unwrap().is_some());
    let report = store.gc(false).unwrap();
    assert_eq!((report.running, report.trees, report.blobs), (1, 0, 0), "with all it was made from");
    drop(other);
    assert_eq!(store.gc(false).unwrap().trees, 2);
    assert!(!store.tree_path(&a.install).exists());
}

#[test]
fn beginnings_of_downloads_go() {
    let (_dir, store) = store();
    assert_eq!(store.gc(false).unwrap().blobs, 0);
    std::fs::create_dir(store.partial_dir()).unwrap();
    let begun = store.partial_dir().join("a");
    std::fs::write(&begun, "some bytes").unwrap();
    assert_eq!(store.gc(true).unwrap().blobs, 1);
    assert!(begun.exists(), "a dry run removes nothing");
    let report = store.gc(false).unwrap();
    assert!(!begun.exists() && report.blobs == 1 && report.freed > 0, "{report:?}");
}

#[test]
fn a_check_stays_with_what_it_checked_though_its_runner_goes() {
    let (dir, store) = store();
    let a = chain(&store, "a");
    let runner = chain(&store, "runner");
    let log = store.add_blob_bytes(b"3 passed").unwrap();
    let mut tested = record("tests of a", Output::Passed, &[a.install, runner.install].map(Input::Tree));
    tested.realisation.log = Some(log);
    store.record(&tested).unwrap();
    store.keep_log("a 1.0", (StepKind::Check, &key("tests of a")), &log).unwrap();
    store.keep_log("runner 1.0", (StepKind::Check, &key("check runner")), &runner.wheel).unwrap();
    let link = dir.path().join("result");
    symlink(store.tree_path(&a.install), &link).unwrap();
    store.add_root(&link, &[]).unwrap();
    let store = fresh(store);
    let report = store.gc(false).unwrap();
    assert_eq!((report.trees, report.blobs, report.realisations), (2, 1, 4), "the runner");
    let kept = store.lookup(&key("tests of a")).unwrap().unwrap();
    assert_eq!(kept.log, Some(log));
    assert_eq!(store.logged(StepKind::Check).unwrap(), ["a 1.0"], "what is gone is not offered");
    drop(kept);
    let store = fresh(store);
    assert_eq!(store.gc(false).unwrap(), GcReport { roots: 1, ..GcReport::default() });
    std::fs::remove_file(&link).unwrap();
    store.gc(false).unwrap();
    assert!(store.lookup(&key("tests of a")).unwrap().is_none());
}

#[test]
fn a_collection_tells_how_far_it_is() {
    let (_dir, store) = store();
    for name in ["a", "b", "c", "d", "e"] {
        chain(&store, name);
    }
    let store = fresh(store);
    let told = std::sync::Mutex::new(Vec::new());
    let watch = |done, all| told.lock().unwrap().push((done, all));
    store.gc_watched(true, &watch).unwrap();
    assert!(told.lock().unwrap().is_empty(), "a dry run removes nothing");
    store.gc_watched(false, &watch).unwrap();
    let mut told = told.into_inner().unwrap();
    told.sort_unstable();
    assert_eq!(told, (1..=15).map(|n| (n, 15)).collect::<Vec<_>>());
}
