use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::tree::{Entry, Tree};

fn tree_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_scan_sees_files_links_and_empty_folders() {
    let dir = tree_of(&[("b/x.py", "x"), ("a", "hello")]);
    fs::create_dir(dir.path().join("empty")).unwrap();
    symlink("a", dir.path().join("link")).unwrap();
    chmod(&dir.path().join("a"), 0o710);
    let tree = scan(dir.path()).unwrap();
    expect_test::expect![[r#"
        wheelwright tree 1
        x 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 5 a
        f 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 1 b/x.py
        d empty
        l link	a
    "#]]
    .assert_eq(&tree.to_listing());
    let listed: Vec<RelPath> = tree.entries.keys().cloned().collect();
    assert_eq!(scan_listed(dir.path(), &listed).unwrap(), tree);
}

#[test]
fn modes_times_and_order_of_making_do_not_count() {
    let one = tree_of(&[("a/x", "1"), ("b", "2")]);
    let two = tree_of(&[("b", "2"), ("a/x", "1")]);
    chmod(&two.path().join("b"), 0o600);
    chmod(&two.path().join("a"), 0o700);
    let long_ago = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    fs::File::open(two.path().join("a/x")).unwrap().set_times(long_ago).unwrap();
    assert_eq!(scan(one.path()).unwrap().digest(), scan(two.path()).unwrap().digest());
}

#[test]
fn devices_fifos_sockets_and_strange_names_are_refused() {
    let check = |make: &dyn Fn(&Path), expected: &str| {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        let error = scan(dir.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&|d| mkfifo(&d.join("f")), "is a fifo");
    check(&|d| drop(std::os::unix::net::UnixListener::bind(d.join("s")).unwrap()), "is a socket");
    check(
        &|d| {
            use std::os::unix::ffi::OsStrExt as _;
            fs::write(d.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
        },
        "is not UTF-8",
    );
}

fn mkfifo(path: &Path) {
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, bits(0o644), 0).unwrap();
}

#[test]
fn bounds_hold() {
    let dir = tree_of(&[("a", "12345"), ("b", "12345")]);
    assert!(scan_within(dir.path(), &ScanLimits { entries: 1, bytes: 100 }).is_err());
    assert!(scan_within(dir.path(), &ScanLimits { entries: 2, bytes: 9 }).is_err());
    assert!(scan_within(dir.path(), &ScanLimits { entries: 2, bytes: 10 }).is_ok());
}

#[test]
fn too_deep_a_tree_is_the_fault_of_who_made_it() {
    let dir = tempfile::tempdir().unwrap();
    let (name, long) = ("a/".repeat(300), format!("{}/", "x".repeat(255)).repeat(15));
    for name in [&name, &long] {
        let top = dir.path().join(&name[..1]);
        fs::create_dir_all(top.join(name)).unwrap();
        if name == &long {
            // The rest is out of reach of one path.
            let last = Beneath::open(&top.join(name)).unwrap();
            last.make_folders(&RelPath::new(long.trim_end_matches('/')).unwrap(), 0o755).unwrap();
        }
        assert_eq!(scan(&top).unwrap_err().kind, crate::error::Kind::Build);
        assert_eq!(crate::tree::scan::seal(&top).unwrap_err().kind, crate::error::Kind::Build);
        remove_tree(&top).unwrap();
    }
    assert!(scan(dir.path()).unwrap() == Tree::default());
}

#[test]
fn nothing_is_opened_through_a_link() {
    let dir = tree_of(&[("real/x", "1")]);
    symlink("real", dir.path().join("link")).unwrap();
    symlink("x", dir.path().join("real/y")).unwrap();
    let root = Beneath::open(dir.path()).unwrap();
    let at = |text: &str| RelPath::new(text).unwrap();
    assert!(root.read(&at("real/x")).is_ok());
    assert!(root.read(&at("link/x")).is_err());
    assert!(root.read(&at("real/y")).is_err());
    assert!(root.create(&at("link/z"), 0o644).is_err());
    assert!(root.make_folders(&at("link/a/b"), 0o755).is_err());
    // The walk part by part, for kernels without openat2, refuses the same.
    let parts = |rel: &str| open_parts(root.fd.as_fd(), rel, OFlags::RDONLY, Mode::empty());
    assert!(parts("real/x").is_ok() && parts("link/x").is_err() && parts("real/y").is_err());
    assert!(Beneath::open(&dir.path().join("link")).is_err());
}

#[test]
fn an_atomic_write_replaces_the_whole_file() {
    let dir = tree_of(&[("f", "a long old text")]);
    let path = dir.path().join("f");
    write_atomic(&path, b"new", 0o644).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_empty_folder_is_an_empty_tree() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(scan(dir.path()).unwrap(), Tree::default());
    fs::create_dir(dir.path().join("d")).unwrap();
    assert_eq!(scan(dir.path()).unwrap().entries.into_values().collect::<Vec<_>>(), [Entry::Folder]);
}

fn modes(root: &Path, paths: &[&str]) -> Vec<u32> {
    paths.iter().map(|p| fs::metadata(root.join(p)).unwrap().permissions().mode() & 0o7777).collect()
}

#[test]
fn a_copy_has_the_digest_and_the_asked_for_modes_and_times() {
    use std::os::unix::fs::MetadataExt as _;
    let big = "x".repeat(200_000);
    let dir = tree_of(&[("a/run", "1"), ("a/b/data", &big)]);
    symlink("a/run", dir.path().join("link")).unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    chmod(&dir.path().join("a/run"), 0o700);
    chmod(&dir.path().join("a"), 0o700);
    let out = tempfile::tempdir().unwrap();
    let paths = ["", "a", "a/b", "empty", "a/run", "a/b/data"];
    for (name, how, expected) in [
        ("w", Copying::Writable, [0o755, 0o755, 0o755, 0o755, 0o755, 0o644]),
        ("r", Copying::ReadOnly, [0o555, 0o555, 0o555, 0o555, 0o555, 0o444]),
    ] {
        let to = out.path().join(name);
        copy_tree(dir.path(), &to, how, Some(315_532_800)).unwrap();
        assert_eq!(scan(&to).unwrap(), scan(dir.path()).unwrap());
        assert_eq!(modes(&to, &paths), expected);
        for path in paths.iter().chain(&["link"]) {
            assert_eq!(to.join(path).symlink_metadata().unwrap().mtime(), 315_532_800, "{path}");
        }
        remove_tree(&to).unwrap();
    }
}

#[test]
fn a_linked_copy_shares_files_not_folders() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tree_of(&[("s/a/x", "1")]);
    let (from, to) = (dir.path().join("s"), dir.path().join("t"));
    copy_tree(&from, &to, Copying::Linked, None).unwrap();
    let inode = |root: &Path, p: &str| fs::metadata(root.join(p)).unwrap().ino();
    assert_eq!(inode(&from, "a/x"), inode(&to, "a/x"));
    assert_ne!(inode(&from, "a"), inode(&to, "a"));
    assert!(link_or_copy(&from.join("a/x"), &dir.path().join("y")).unwrap());
}

#[test]
fn listed_files_are_copied_with_their_folders_only() {
    let dir = tree_of(&[("a/b/x", "1"), ("a/y", "2"), ("c/z", "3")]);
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("t");
    let listed = ["a/b/x", "c/z"].map(|p| RelPath::new(p).unwrap());
    copy_listed(dir.path(), &listed, &to).unwrap();
    assert_eq!(scan(&to).unwrap(), scan_listed(dir.path(), &listed).unwrap());
}
