use super::*;

/// Changes one byte of a read-only file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    let folder = path.parent().unwrap();
    for path in [folder, path] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_byte_is_found_and_repaired() {
    let (_dir, store) = store();
    let (_temp, staged) = stage(&store, &[("a", "1"), ("b", "2")]);
    let tree = store.add_tree(&staged).unwrap();
    let blob = store.add_blob_bytes(b"wheel").unwrap();
    let fine = store.add_blob_bytes(b"fine").unwrap();
    store.record(&record("tree", Output::Tree(tree), &[])).unwrap();
    store.record(&record("blob", Output::Blob { digest: blob, name: "w".into() }, &[])).unwrap();
    store.record(&record("fine", Output::Blob { digest: fine, name: "f".into() }, &[])).unwrap();
    let clean = store.verify(false).unwrap();
    assert!(clean.is_clean());
    assert_eq!((clean.blobs, clean.trees, clean.bytes), (2, 1, 11));
    flip(&store.tree_path(&tree).join("b"));
    flip(&store.blob_path(&blob));
    let found = store.verify(false).unwrap();
    let paths: Vec<&PathBuf> = found.corrupted.iter().map(|(p, _)| p).collect();
    assert_eq!(paths, [&store.blob_path(&blob), &store.tree_path(&tree)]);
    assert_eq!(store.verify(true).unwrap().forgotten, 2);
    assert!(store.verify(false).unwrap().is_clean());
    assert!(store.lookup(&key("tree")).unwrap().is_none());
    assert!(store.lookup(&key("blob")).unwrap().is_none());
    assert!(store.lookup(&key("fine")).unwrap().is_some());
    let (_temp, staged) = stage(&store, &[("a", "1"), ("b", "2")]);
    assert_eq!(store.add_tree(&staged).unwrap(), tree, "made again");
    assert!(store.verify(false).unwrap().is_clean());
}

#[test]
fn damage_goes_with_every_name_it_has() {
    let (dir, store) = store();
    let (_temp, staged) = stage(&store, &[("a", "1"), ("b", "2")]);
    let bad = store.add_tree(&staged).unwrap();
    let (_temp, staged) = stage(&store, &[("a", "fine")]);
    let fine = store.add_tree(&staged).unwrap();
    let wheel = store.add_blob_bytes(b"wheel").unwrap();
    let companion = |tree: &TreeDigest| {
        let make = |into: &Path| {
            fs::hard_link(store.tree_path(tree).join("a"), into.join("a")).unwrap();
            Ok(())
        };
        store.companion(tree, "code", &make).unwrap()
    };
    let (bad_code, fine_code) = (companion(&bad), companion(&fine));
    let env = |name: &str, fill: &dyn Fn(&Path)| {
        let temp = store.temp_dir().unwrap();
        let staged = temp.path().join("env");
        fs::create_dir(&staged).unwrap();
        fill(&staged);
        store.add_env(name, &staged).unwrap()
    };
    let to_local = |tree: &TreeDigest| format!("../../local/{}/{}/code", &tree.hex()[..2], &tree.hex()[2..]);
    let damaged = [
        env("cell-1", &|at| fs::hard_link(bad_code.join("a"), at.join("a")).unwrap()),
        env("env-1", &|at| std::os::unix::fs::symlink(to_local(&bad), at.join("a")).unwrap()),
        env("result-1", &|at| fs::hard_link(store.blob_path(&wheel), at.join("w.whl")).unwrap()),
    ];
    let sound = [
        env("cell-2", &|at| fs::hard_link(fine_code.join("a"), at.join("a")).unwrap()),
        env("env-2", &|at| std::os::unix::fs::symlink(to_local(&fine), at.join("a")).unwrap()),
    ];
    let venv = dir.path().join("venv");
    fs::create_dir(&venv).unwrap();
    fs::hard_link(bad_code.join("a"), venv.join("a")).unwrap();
    store.add_root(&venv, &[]).unwrap();
    flip(&store.tree_path(&bad).join("a"));
    flip(&store.blob_path(&wheel));
    assert!(store.verify(false).unwrap().removed.is_empty());
    let report = store.verify(true).unwrap();
    let mut expected = damaged.to_vec();
    expected.push(bad_code.parent().unwrap().to_owned());
    expected.sort();
    assert_eq!(report.removed, expected);
    assert_eq!(report.affected, [venv]);
    assert!(damaged.iter().chain([&bad_code]).all(|path| !path.exists()));
    assert!(sound.iter().chain([&fine_code]).all(|path| path.exists()));
}

#[test]
fn what_is_missing_is_reported_and_made_again() {
    let (_dir, store) = store();
    let blob = store.add_blob_bytes(b"wheel").unwrap();
    let log = store.add_blob_bytes(b"log").unwrap();
    let mut made = record("a", Output::Blob { digest: blob, name: "w".into() }, &[]);
    made.realisation.log = Some(log);
    store.record(&made).unwrap();
    fs::remove_file(store.blob_path(&log)).unwrap();
    assert_eq!(store.lookup(&key("a")).unwrap().unwrap().log, None, "a lost log is no loss");
    fs::remove_file(store.blob_path(&blob)).unwrap();
    let mut expected = vec![store.blob_path(&blob), store.blob_path(&log)];
    expected.sort();
    assert_eq!(store.verify(false).unwrap().missing, expected);
    assert_eq!(store.lookup(&key("a")).unwrap(), None);
    assert!(store.verify(false).unwrap().is_clean(), "the lookup forgot it");
    assert_eq!(store.lookup_content(&content("a")).unwrap(), None);
}

#[test]
fn a_result_that_only_lost_its_log_is_kept() {
    let (_dir, store) = store();
    for (name, damage) in [("gone", None), ("bad", Some(()))] {
        let blob = store.add_blob_bytes(name.as_bytes()).unwrap();
        let log = store.add_blob_bytes(format!("log of {name}").as_bytes()).unwrap();
        let mut made = record(name, Output::Blob { digest: blob, name: "w".into() }, &[]);
        made.realisation.log = Some(log);
        store.record(&made).unwrap();
        match damage {
            None => fs::remove_file(store.blob_path(&log)).unwrap(),
            Some(()) => flip(&store.blob_path(&log)),
        }
    }
    assert_eq!(store.verify(true).unwrap().forgotten, 0);
    assert!(store.verify(false).unwrap().is_clean());
    for name in ["gone", "bad"] {
        assert_eq!(store.lookup(&key(name)).unwrap().unwrap().log, None, "{name}");
    }
}

/// A store with a result and a root, and its database's bytes.
fn recorded() -> (tempfile::TempDir, Store, PathBuf) {
    let (dir, store) = store();
    let blob = store.add_blob_bytes(b"wheel").unwrap();
    for n in 0..500 {
        let made = record(&format!("r{n}"), Output::Blob { digest: blob, name: "w".into() }, &[]);
        store.record(&made).unwrap();
    }
    let link = dir.path().join("result");
    std::os::unix::fs::symlink(store.blob_path(&blob), &link).unwrap();
    store.add_root(&link, &[key("r1")]).unwrap();
    let root = store.root().to_owned();
    drop(store);
    (dir, Store::open(&root).unwrap(), link)
}

#[test]
fn a_damaged_database_is_moved_aside_and_roots_are_saved() {
    let (_dir, store, link) = recorded();
    let root = store.root().to_owned();
    drop(store);
    let path = root.join("state.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    // Pages of the large table; the first pages hold the schema.
    let end = bytes.len();
    bytes[end - 8 * 4096..end - 4096].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let store = Store::open(&root).unwrap();
    let found = store.verify(false).unwrap();
    assert!(!found.database.is_empty() && !found.is_clean());
    let repaired = store.verify(true).unwrap();
    let aside = repaired.moved_aside.unwrap();
    assert_eq!(aside, root.join("state.sqlite.damaged-1"));
    assert_eq!(fs::read(aside).unwrap().len(), bytes.len());
    let store = Store::open(&root).unwrap();
    assert!(store.verify(false).unwrap().is_clean());
    assert_eq!(store.roots().unwrap()[0].link, link);
    assert_eq!((store.verify(true).unwrap().blobs, store.gc(false).unwrap().blobs), (1, 0));
    store.record(&record("again", Output::Passed, &[])).unwrap();
}

#[test]
fn a_database_that_cannot_be_opened_is_moved_aside_too() {
    let (_dir, store, _link) = recorded();
    let root = store.root().to_owned();
    drop(store);
    fs::write(root.join("state.sqlite"), "not a database at all").unwrap();
    let (store, aside) = Store::open_to_repair(&root).unwrap();
    assert_eq!(fs::read_to_string(aside.unwrap()).unwrap(), "not a database at all");
    assert!(store.verify(true).unwrap().is_clean());
    drop(store);
    assert_eq!(Store::open_to_repair(&root).unwrap().1, None);
    let newer = Store::open(&root).unwrap();
    newer.state().connection().pragma_update(None, "user_version", 7).unwrap();
    drop(newer);
    assert!(Store::open_to_repair(&root).is_err(), "a newer store is not damaged");
}

#[test]
fn companions_and_environments_are_looked_at_too() {
    use crate::tree::fs::{Copying, copy_tree, remove_tree};
    let (_dir, store) = store();
    let files = [("pkg/a.py", "a = 1"), ("pkg/b.py", "b = 1"), ("c.py", "c = 1")];
    let (_temp, staged) = stage(&store, &files);
    let tree = store.add_tree(&staged).unwrap();
    let make = |how: Copying| {
        let (from, root) = (store.tree_path(&tree), &store);
        move |into: &Path| {
            remove_tree(into)?;
            copy_tree(&from, into, how, None)?;
            fs::create_dir(into.join("pkg/__pycache__")).unwrap();
            fs::write(into.join("pkg/__pycache__/a.pyc"), root.root().to_str().unwrap()).unwrap();
            Ok(())
        }
    };
    let companion = || store.companion(&tree, "code", &make(Copying::Linked)).unwrap();
    let why = |store: &Store| {
        let mut found = store.verify(false).unwrap().bound;
        assert!(found.len() < 2, "{found:?}");
        found.pop().map(|(_, why)| why).unwrap_or_default()
    };
    store.companion(&tree, "copied", &make(Copying::Writable)).unwrap();
    let replace = |path: PathBuf, text: &str| {
        fs::remove_file(&path).unwrap();
        fs::write(&path, text).unwrap();
    };
    type Damage<'a> = &'a dyn Fn(&Path);
    let damages: [(Damage<'_>, &str); 6] = [
        (&|_| {}, ""),
        (&|c| replace(c.join("pkg/a.py"), "a = 2"), "its `pkg/a.py` is not that of its tree"),
        (&|c| fs::remove_file(c.join("c.py")).unwrap(), "it has no `c.py`"),
        (&|c| fs::write(c.join("pkg/x.py"), "").unwrap(), "its `pkg/x.py` is not that of its tree"),
        (
            &|c| fs::write(c.join("pkg/__pycache__/a.pyc"), "").unwrap(),
            "its `pkg/__pycache__` is not that of its tree",
        ),
        (&|_| flip(&store.tree_path(&tree).join("c.py")), "its tree is damaged"),
    ];
    for (damage, expected) in damages {
        damage(&companion());
        assert_eq!(why(&store), expected);
        store.verify(true).unwrap();
        assert!(store.verify(false).unwrap().is_clean(), "after {expected}");
    }
    assert!(!store.root().join("local").join(&tree.hex()[..2]).join(&tree.hex()[2..]).exists());
    let (_temp, env) = stage(&store, &[("lib/x", "1")]);
    let blob = store.add_blob_bytes(b"x").unwrap();
    let hex = blob.hex();
    let text = format!("../../../blobs/{}/{}", &hex[..2], &hex[2..]);
    std::os::unix::fs::symlink(text, env.join("lib/y")).unwrap();
    std::os::unix::fs::symlink("/env/nowhere", env.join("lib/z")).unwrap();
    store.add_env("e", &env).unwrap();
    assert_eq!(why(&store), "");
    fs::remove_file(store.blob_path(&blob)).unwrap();
    assert_eq!(why(&store), "its link `lib/y` leads nowhere");
    store.verify(true).unwrap();
    assert!(store.env("e").unwrap().is_none() && store.verify(false).unwrap().is_clean());
}

#[test]
fn packs_of_files_are_looked_at_too() {
    use crate::tree::pack;
    let (_dir, store) = store();
    let (_temp, staged) = stage(&store, &[("pkg/a.py", "a = 1"), ("c.py", "c = 1")]);
    let tree = store.add_tree(&staged).unwrap();
    let make = |into: &Path| pack::pack(&store.tree_path(&tree), &into.join(pack::FILE), &|_, _, _| false);
    let companion = || store.companion(&tree, "files", &make).unwrap();
    companion();
    assert!(store.verify(false).unwrap().is_clean());
    type Damage<'a> = &'a dyn Fn(&Path);
    let cut = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        fs::write(path, &bytes[1..]).unwrap();
    };
    let last = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let damages: [(Damage<'_>, &str); 4] = [
        (&|c| last(&c.join(pack::FILE)), "its `pkg/a.py` is not that of its tree"),
        (&|c| cut(&c.join(pack::FILE)), "it is no pack of files"),
        (&|c| fs::write(c.join("more"), "").unwrap(), "it has no `c.py`"),
        (&|_| flip(&store.tree_path(&tree).join("c.py")), "its tree is damaged"),
    ];
    for (damage, expected) in damages {
        let at = companion();
        damage(&at);
        let found = store.verify(false).unwrap().bound;
        assert!(found.len() == 1 && found[0].1.contains(expected), "{found:?}, not {expected}");
        store.verify(true).unwrap();
        assert!(!at.exists() && store.verify(false).unwrap().is_clean(), "after {expected}");
    }
}

#[test]
fn a_copy_of_the_store_is_a_store() {
    let (dir, store) = store();
    let (_temp, staged) = stage(&store, &[("a/b", "1")]);
    let tree = store.add_tree(&staged).unwrap();
    let made = record("a", Output::Tree(tree), &[]);
    store.record(&made).unwrap();
    let root = store.root().to_owned();
    drop((store, _temp));
    let copy = dir.path().join("copy");
    crate::tree::fs::copy_tree(&root, &copy, crate::tree::fs::Copying::Writable, None).unwrap();
    fs::rename(&root, dir.path().join("away")).unwrap();
    let copy = Store::open(&copy).unwrap();
    assert_eq!(copy.lookup(&key("a")).unwrap().unwrap(), made.realisation);
    assert!(copy.verify(false).unwrap().is_clean());
    assert_eq!(fs::read_to_string(copy.tree_path(&tree).join("a/b")).unwrap(), "1");
}

#[test]
fn a_newer_store_and_a_broken_database_are_named() {
    let (_dir, store) = store();
    store.state().connection().pragma_update(None, "user_version", 7).unwrap();
    let root = store.root().to_owned();
    drop(store);
    let error = Store::open(&root).err().unwrap();
    assert!(error.to_string().ends_with("its schema is 7, this program knows 1"), "{error}");
    assert_eq!(error.hints, ["use the newer wheelwright, or another folder with WHEELWRIGHT_STORE"]);
    fs::write(root.join("state.sqlite"), "not a database at all").unwrap();
    let error = Store::open(&root).err().unwrap();
    assert_eq!(error.kind, crate::error::Kind::Environment);
    assert_eq!(
        error.hints,
        ["`wheelwright store verify --repair` moves it aside: what it recorded is then made again"]
    );
}

#[test]
fn a_file_in_the_way_of_the_store_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    fs::write(&path, "").unwrap();
    let error = Store::open(&path).err().unwrap();
    assert_eq!(error.kind, crate::error::Kind::Environment);
    assert!(error.to_string().starts_with("failed to open the store `"), "{error}");
}

/// A disk that is full after some bytes.
struct Full(usize);

impl std::io::Read for Full {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0 == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0 -= 1;
        buffer[0] = 1;
        Ok(1)
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_made() {
    let (_dir, store) = store();
    let error = store.add_blob(Full(3)).unwrap_err();
    assert_eq!(error.kind, crate::error::Kind::Environment);
    assert_eq!(error.hints, ["the disk is full: `wheelwright gc` removes what no root needs"]);
    assert_eq!(store.verify(false).unwrap().blobs, 0);
    let mine = fs::read_dir(store.root().join("tmp")).unwrap().next().unwrap().unwrap().path();
    let left: Vec<_> = fs::read_dir(mine).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "only the lock and the pins: {left:?}");
}
