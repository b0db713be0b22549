use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::realisation::{Level, Output, Realisation};
use super::*;
use crate::event::StepKind;
use crate::key::{ContentKey, KeyWriter, StepKey};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    (dir, store)
}

fn key(name: &str) -> StepKey {
    KeyWriter::new().part("name", name).step_key()
}

fn content(name: &str) -> ContentKey {
    KeyWriter::new().part("name", name).content_key()
}

fn gives(output: Output) -> Realisation {
    Realisation {
        output,
        module: None,
        log: None,
        level: Level::Full,
        epoch: Some(315_532_800),
        took: Duration::from_millis(1500),
        facts: "{}".into(),
    }
}

fn record(name: &str, output: Output, inputs: &[Input]) -> Record {
    Record {
        key: key(name),
        content_key: Some(content(name)),
        parts: KeyWriter::new().part("name", name).parts(),
        package: "flask".into(),
        kind: StepKind::Build,
        realisation: gives(output),
        inputs: inputs.to_vec(),
    }
}

fn stage(store: &Store, files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let temp = store.temp_dir().unwrap();
    let staged = temp.path().join("staged");
    for (path, text) in files {
        let path = staged.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (temp, staged)
}

#[test]
fn a_blob_comes_back_as_it_was_given() {
    let (_dir, store) = store();
    let digest = store.add_blob(&b"hello"[..]).unwrap();
    assert_eq!(digest, Digest::of(b"hello"));
    assert_eq!(fs::read(store.blob_path(&digest)).unwrap(), b"hello");
    let mode = fs::metadata(store.blob_path(&digest)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o444);
    assert!(store.has_blob(&digest).unwrap());
    assert!(!store.has_blob(&Digest::of(b"other")).unwrap());
    assert_eq!(store.add_blob_bytes(b"hello").unwrap(), digest);
}

#[test]
fn a_file_with_another_hash_does_not_become_a_blob() {
    let (_dir, store) = store();
    let temp = store.temp_dir().unwrap();
    let file = temp.path().join("f");
    fs::write(&file, "x").unwrap();
    let error = store.add_blob_checked(&file, &Digest::of(b"y")).unwrap_err();
    assert_eq!(error.kind, crate::error::Kind::Hash);
    assert!(file.exists());
    store.add_blob_checked(&file, &Digest::of(b"x")).unwrap();
    assert!(!file.exists() && store.has_blob(&Digest::of(b"x")).unwrap());
}

#[test]
fn a_tree_is_read_only_and_the_same_twice() {
    let (_dir, store) = store();
    let files = [("pkg/__init__.py", "a"), ("pkg/data/x", "b")];
    let (_temp, staged) = stage(&store, &files);
    let digest = store.add_tree(&staged).unwrap();
    assert!(!staged.exists());
    let path = store.tree_path(&digest);
    for (rel, mode) in [("", 0o555), ("pkg", 0o555), ("pkg/data", 0o555), ("pkg/data/x", 0o444)] {
        let got = fs::metadata(path.join(rel)).unwrap().permissions().mode();
        assert_eq!(got & 0o7777, mode, "{rel}");
    }
    assert_eq!(crate::tree::fs::scan(&path).unwrap().digest(), digest);
    let (_temp, staged) = stage(&store, &files);
    assert_eq!(store.add_tree(&staged).unwrap(), digest);
    assert!(!staged.exists());
}

#[test]
fn an_archive_in_memory_becomes_the_tree_that_its_folder_would() {
    let (_dir, store) = store();
    let mut header = vec![0u8; 512];
    header[..8].copy_from_slice(b"p-1/pkg/");
    header[8..9].copy_from_slice(b"x");
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(b"00000000001\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.push(b'b');
    header.resize(2048, 0);
    let temp = store.temp_dir().unwrap();
    let archive = temp.path().join("p-1.tar.gz");
    let mut gzip =
        flate2::write::GzEncoder::new(fs::File::create(&archive).unwrap(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &header).unwrap();
    gzip.finish().unwrap();
    let held = crate::tree::unpack::hold(&archive, &Default::default(), 1 << 20).unwrap();
    let digest = store.add_held(&held).unwrap();
    let path = store.tree_path(&digest);
    for (rel, mode) in [("", 0o555), ("pkg", 0o555), ("pkg/x", 0o444)] {
        let got = fs::metadata(path.join(rel)).unwrap().permissions().mode();
        assert_eq!(got & 0o7777, mode, "{rel}");
    }
    let (_temp, staged) = stage(&store, &[("pkg/x", "b")]);
    assert_eq!(store.add_tree(&staged).unwrap(), digest);
    assert_eq!(store.add_held(&held).unwrap(), digest);
}

#[test]
fn the_database_is_read_where_the_kernel_holds_it() {
    let (_dir, store) = store();
    let ask = |name: &str| -> i64 {
        store.state().connection().pragma_query_value(None, name, |row| row.get(0)).unwrap()
    };
    assert!(ask("mmap_size") >= ask("page_size") * ask("page_count"));
}

#[test]
fn thousands_of_questions_have_the_answers_of_one() {
    let (_dir, store) = store();
    store.record(&record("a", Output::Passed, &[])).unwrap();
    let others: Vec<String> = (0..9000).map(|i| format!("other {i}")).collect();
    let mut keys: Vec<StepKey> = others.iter().map(|name| key(name)).collect();
    keys.push(key("a"));
    let found = store.lookup_many(keys.iter()).unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [key("a")]);
    let mut subjects: Vec<(&str, StepKind)> =
        others.iter().map(|name| (name.as_str(), StepKind::Build)).collect();
    subjects.extend([("flask", StepKind::Check), ("flask", StepKind::Build)]);
    for few in [&subjects[8999..], &subjects[..]] {
        let times = store.histories(few.iter().copied()).unwrap();
        let last = store.last_successes(few.iter().copied()).unwrap();
        let last = last.into_iter().map(|(place, (key, _))| (place, key));
        assert_eq!(times.into_iter().collect::<Vec<_>>(), [(few.len() - 1, Duration::from_millis(1500))]);
        assert_eq!(last.collect::<Vec<_>>(), [(few.len() - 1, key("a"))]);
    }
}

#[test]
fn of_a_store_with_more_than_is_asked_for_each_is_found() {
    let (_dir, store) = store();
    let names: Vec<String> = (0..1100).map(|i| format!("there {i}")).collect();
    for name in &names {
        store.record(&record(name, Output::Passed, &[])).unwrap();
    }
    let mut keys: Vec<StepKey> = names[50..].iter().map(|name| key(name)).collect();
    keys[7] = key("nowhere");
    let found = store.lookup_many(keys.iter()).unwrap();
    assert_eq!(found.len(), keys.len() - 1);
    assert!(!found.contains_key(&key("nowhere")));
    keys.extend((0..100).map(|i| key(&format!("other {i}"))));
    assert_eq!(store.lookup_many(keys.iter()).unwrap(), found, "of more than there is, too");
}

#[test]
fn a_realisation_is_found_by_key_and_content() {
    let (_dir, store) = store();
    let digest = store.add_blob_bytes(b"wheel").unwrap();
    let output = Output::Blob { digest, name: "flask-3.1.3-py3-none-any.whl".into() };
    let record = record("a", output, &[]);
    store.record(&record).unwrap();
    assert_eq!(store.lookup(&key("a")).unwrap().unwrap(), record.realisation);
    assert_eq!(store.lookup_content(&content("a")).unwrap().unwrap(), record.realisation);
    assert_eq!(store.lookup(&key("b")).unwrap(), None);
    let many = store.lookup_many([key("b"), key("a")].iter()).unwrap();
    assert_eq!(many.into_keys().collect::<Vec<_>>(), [key("a")]);
}

#[test]
fn a_folder_staged_on_another_disk_is_copied() {
    let (_dir, store) = store();
    let (_temp, staged) = stage(&store, &[("a/b", "1"), ("c", "2")]);
    // Wherever the tests' own disk is, one of these is another.
    let disks = ["/dev/shm", "/tmp", "/var/tmp"].map(Path::new);
    let folders: Vec<_> = disks.iter().filter_map(|d| tempfile::tempdir_in(d).ok()).collect();
    let mut digests = vec![];
    for folder in &folders {
        let there = folder.path().join("t");
        crate::tree::fs::copy_tree(&staged, &there, crate::tree::fs::Copying::Writable, None).unwrap();
        let (_dir, store) = super::tests::store();
        digests.push(store.add_tree(&there).unwrap());
        assert!(!there.exists() && store.verify(false).unwrap().is_clean());
        assert_eq!(store.verify(false).unwrap().trees, 1);
    }
    digests.push(store.add_tree(&staged).unwrap());
    digests.dedup();
    assert_eq!(digests.len(), 1);
}

#[test]
fn files_of_another_user_become_ours() {
    use std::os::unix::fs::MetadataExt as _;
    let (_dir, store) = store();
    let (_temp, staged) = stage(&store, &[("a/b", "1")]);
    let me = fs::metadata(&staged).unwrap().uid();
    for path in [staged.clone(), staged.join("a"), staged.join("a/b")] {
        // Only root can give files away; for others there is nothing to take back.
        let given = std::os::unix::fs::chown(&path, Some(65_534), Some(65_534));
        assert!(given.is_ok() || me != 0);
    }
    let tree = store.tree_path(&store.add_tree(&staged).unwrap());
    for path in [tree.clone(), tree.join("a"), tree.join("a/b")] {
        assert_eq!(fs::metadata(&path).unwrap().uid(), me, "{}", path.display());
    }
}

mod collect;
mod leftovers;
mod processes;
mod repair;

#[test]
fn histories_and_memories() {
    let (_dir, store) = store();
    assert_eq!(store.history("flask", StepKind::Build).unwrap(), None);
    for (n, seconds) in [3, 1, 2].into_iter().enumerate() {
        let mut made = record(&format!("r{n}"), Output::Passed, &[]);
        made.realisation.took = Duration::from_secs(seconds);
        store.record(&made).unwrap();
        store.record(&made).unwrap();
    }
    assert_eq!(store.history("flask", StepKind::Build).unwrap(), Some(Duration::from_secs(2)));
    assert_eq!(store.history("flask", StepKind::Check).unwrap(), None);
    let peaks = || store.peaks([("flask", StepKind::Check), ("flask", StepKind::Build)].into_iter()).unwrap();
    assert!(peaks().is_empty());
    let mut made = record("r2", Output::Passed, &[]);
    made.realisation.facts = "{\"peak_memory\": 7}".into();
    store.record(&made).unwrap();
    assert_eq!(peaks().into_iter().collect::<Vec<_>>(), [(1, 7)]);
    let (last, parts) = store.last_success("flask", StepKind::Build).unwrap().unwrap();
    assert_eq!((last, parts[0].value.as_str()), (key("r2"), "r2"));
    assert_eq!(store.recall("probe", "/usr/bin/python3").unwrap(), None);
    store.remember("probe", "/usr/bin/python3", "3.11").unwrap();
    store.remember("probe", "/usr/bin/python3", "3.12").unwrap();
    assert_eq!(store.recall("probe", "/usr/bin/python3").unwrap().as_deref(), Some("3.12"));
    let digest = Digest::of(b"sdist");
    let name = |version: &str| BlobName {
        project: "toolz".into(),
        version: version.into(),
        file_name: format!("toolz-{version}.tar.gz"),
    };
    assert_eq!(store.blob_named(&digest).unwrap(), []);
    store.remember_blob(&digest, &name("0.10.0")).unwrap();
    store.remember_blob(&digest, &name("0.10.0")).unwrap();
    assert_eq!(store.blob_named(&digest).unwrap(), [name("0.10.0")]);
}

#[test]
fn a_module_survives_its_written_form() {
    let (_dir, store) = store();
    let mut made = record("a", Output::Passed, &[]);
    made.realisation.epoch = None;
    made.realisation.level = Level::Landlock;
    made.realisation.module = Some(realisation::PythonModule {
        name: "flask".into(),
        version: "3.1.3".into(),
        python: "3.11".into(),
        interpreter: Digest::of(b"python"),
        requires: vec!["click>=8; python_version < '3.8'".into()],
        imports: vec!["flask".into()],
        scripts: vec![("flask".into(), Some("flask.cli:main".into())), ("old".into(), None)],
    });
    store.record(&made).unwrap();
    assert_eq!(store.lookup(&key("a")).unwrap().unwrap(), made.realisation);
}

#[test]
fn a_tree_with_foreign_things_is_refused() {
    let (_dir, store) = store();
    let (temp, staged) = stage(&store, &[("a", "1")]);
    std::os::unix::fs::symlink("/etc/passwd", staged.join("l")).unwrap();
    let error = store.add_tree(&staged).unwrap_err();
    assert_eq!(error.kind, crate::error::Kind::Build);
    assert!(error.to_string().ends_with("the link `l` -> `/etc/passwd` leaves the folder"), "{error}");
    drop(temp);
    assert_eq!(store.verify(false).unwrap().trees, 0);
}

#[test]
fn a_file_with_a_name_outside_is_not_shared() {
    let (_dir, store) = store();
    let (temp, staged) = stage(&store, &[("a", "1")]);
    let outside = temp.path().join("outside");
    fs::hard_link(staged.join("a"), &outside).unwrap();
    let tree = store.add_tree(&staged).unwrap();
    fs::write(&outside, "changed").unwrap();
    assert_eq!(fs::read_to_string(store.tree_path(&tree).join("a")).unwrap(), "1");
    assert!(store.verify(false).unwrap().is_clean());
}

#[test]
fn a_store_that_cannot_be_where_it_is_asked_for_says_how_to_move_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    for root in [dir.path().join("file"), dir.path().join("file/below")] {
        let error = Store::open(&root).err().unwrap();
        assert!(error.hints[0].contains("WHEELWRIGHT_STORE"), "{error:?}");
    }
}
