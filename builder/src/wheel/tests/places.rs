//! Where files of a wheel go, and archives that are too much.

use std::path::Path;

use expect_test::expect;

use super::*;

#[test]
fn what_cannot_stand_together_is_refused_before_anything_is_written() {
    let bad = toy(
        "demo",
        "1.0",
        &[
            ("foo", "a file\n"),
            ("demo-1.0.data/purelib/foo/x.py", ""),
            ("demo-1.0.data/purelib/foo/y.py", ""),
            ("demo.py", ""),
            ("demo-1.0.data/platlib/demo.py", ""),
            ("demo-1.0.data/purelib/demo-1.0.dist-info/RECORD", "other\n"),
            ("demo-1.0.data/purelib/demo-1.0.dist-info/INSTALLER", "other\n"),
            ("demo-1.0.data/data/share", "a file\n"),
            ("demo-1.0.data/data/bin", "a file\n"),
            ("demo-1.0.data/data/lib64", "a file\n"),
        ],
    );
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout { python: "3.11".into(), interpreter: Digest::of(b"i") };
    let Err(Trouble::Findings(found)) = install(&bad.wheel(), &layout, &dir.path().join("tree")) else {
        panic!("accepted")
    };
    expect![[r#"
        error[L208]: `demo-1.0.data/data/bin`: a data file must not be installed as `bin`
        error[L208]: `demo-1.0.data/data/lib64`: a data file must not be installed as `lib64`
        error[L208]: `demo-1.0.data/purelib/demo-1.0.dist-info/INSTALLER`: `lib/python3.11/site-packages/demo-1.0.dist-info/INSTALLER` is the installer's to write
        error[L208]: `demo-1.0.data/purelib/demo-1.0.dist-info/RECORD`: `lib/python3.11/site-packages/demo-1.0.dist-info/RECORD` is the installer's to write
        error[L208]: `demo-1.0.data/platlib/demo.py` and `demo.py` would both be installed as `lib/python3.11/site-packages/demo.py`
        error[L208]: `foo` would be installed as `lib/python3.11/site-packages/foo`, which is the folder of `demo-1.0.data/purelib/foo/x.py`
        error[L208]: `demo-1.0.data/data/share` would be installed as `share`, which is the folder of `share/wheelwright/module.json`
    "#]]
    .assert_eq(&text(&found));
    assert!(!dir.path().join("tree").exists());
}

#[test]
fn the_data_folder_is_known_by_name_and_version() {
    let toy = toy("my_demo", "1.0", &[("My.Demo-1.0.0.data/scripts/run", "#!python\n")]);
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout { python: "3.11".into(), interpreter: Digest::of(b"i") };
    let installed = install(&toy.wheel(), &layout, dir.path()).unwrap();
    assert_eq!(installed.module.scripts, [("run".to_owned(), None)]);
    assert!(!dir.path().join("lib/python3.11/site-packages/My.Demo-1.0.0.data").exists());
    let (name, version) = ("my-demo".parse().unwrap(), "1.0".parse().unwrap());
    let spec = LintSpec { name: &name, version: &version, expect: None, build_paths: &[] };
    assert_eq!(text(&lint(&toy.wheel(), &spec).unwrap()), "");
    let other = toy.file("my_demo-1.1.data/scripts/run", b"").file("other.data/x", b"");
    expect![[r#"
        error[L208]: the folder `my_demo-1.1.data` is not the wheel's own `My.Demo-1.0.0.data`, so it is not installed
          hint: it is named by what made the wheel: give it the name and version of the recipe there
        error[L208]: the folder `other.data` is not the wheel's own `My.Demo-1.0.0.data`, so it is not installed
          hint: it is named by what made the wheel: give it the name and version of the recipe there
    "#]]
    .assert_eq(&text(&lint(&other.wheel(), &spec).unwrap()));
}

#[test]
fn archives_that_are_too_much_are_not_unpacked() {
    let zeros = |bytes: usize| {
        let path = crate::tree::RelPath::new("zeros").unwrap();
        archive(&[Member { path, bytes: vec![0; bytes].into(), executable: false }]).unwrap()
    };
    let limits = Limits::default();
    let bomb = zeros(65 << 20);
    let told = unzip(&bomb, &limits).unwrap_err();
    assert_eq!(told, ["the members hold 68157440 bytes, more than 200 times the archive's size"]);
    assert!(unzip(&zeros(63 << 20), &limits).is_ok());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bomb).unwrap();
    assert_eq!(Archive::open(file.path(), &limits).unwrap().size(), bomb.len() as u64);
    // A hole: it takes no room on the disk.
    file.as_file().set_len(limits.archive + 1).unwrap();
    let error = Archive::open(file.path(), &limits).unwrap_err();
    assert_eq!(error.kind, Kind::Build);
    assert_eq!(error.causes, ["it has 4294967297 bytes, more than 4294967296 are allowed"]);
}

#[test]
fn an_adopted_record_is_true_of_links_and_goes_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("lib/python3.11/site-packages");
    let info = site.join("demo-1.dist-info");
    std::fs::create_dir_all(&info).unwrap();
    std::fs::create_dir_all(dir.path().join("share/wheelwright")).unwrap();
    std::fs::write(info.join("METADATA"), "Metadata-Version: 2.1\nName: demo\nVersion: 1\n").unwrap();
    std::fs::write(site.join("real.py"), "X = 1\n").unwrap();
    let link = |text: &str, at: &Path| std::os::unix::fs::symlink(text, at).unwrap();
    link("real.py", &site.join("also.py"));
    link("../real.py", &info.join("RECORD"));
    link("../../lib/python3.11/site-packages/real.py", &dir.path().join(MODULE_FILE));
    let layout = Layout { python: "3.11".into(), interpreter: Digest::of(b"i") };
    let known = Adoption { name: "demo".into(), version: "1".into(), layout };
    let installed = adopt(dir.path(), &known).unwrap();
    assert_eq!(installed.contents.imports, ["also", "real"]);
    assert_eq!(std::fs::read_to_string(site.join("real.py")).unwrap(), "X = 1\n");
    let record = std::fs::read_to_string(info.join("RECORD")).unwrap();
    let lines = |name: &str| record.lines().find_map(|l| l.strip_prefix(name)).unwrap().to_owned();
    assert_eq!(lines("also.py"), lines("real.py"));
    let points = "[console_scripts]\na/b = real:x\npython3 = real:x\n";
    std::fs::write(info.join("entry_points.txt"), points).unwrap();
    let Err(Trouble::Findings(found)) = adopt(dir.path(), &known) else { panic!("accepted") };
    expect![[r#"
        error[L206]: entry point: the script name "a/b" is not a plain file name
        error[L206]: entry point: a script must not be called `python3`, as the interpreter is
    "#]]
    .assert_eq(&text(&found));
    std::fs::write(dir.path().join("pyvenv.cfg"), "home = /\n").unwrap();
    let Err(Trouble::Findings(found)) = adopt(dir.path(), &known) else { panic!("accepted") };
    expect![[r#"
        error[L208]: `pyvenv.cfg` is made by each environment for itself: the phases must not leave it
    "#]]
    .assert_eq(&text(&found));
}
