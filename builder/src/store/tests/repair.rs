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
    assert_eq!(error.hints, ["move `state.sqlite` away: what it recorded is then made again"]);
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
