//! Interpreters of this machine, asked for real.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

fn home() -> PathBuf {
    PathBuf::from(env!("HOME"))
}

fn everywhere() -> Search {
    Search { path: vec!["/usr/bin".into()], home: Some(home()), cwd: "/".into(), pyenv_version: None }
}

fn all() -> Vec<Interpreter> {
    let found = (OLDEST..=NEWEST)
        .filter_map(|minor| discover(&everywhere(), Some(&format!("3.{minor}")), Memo::none()).ok());
    let found: Vec<Interpreter> = found.collect();
    assert!(!found.is_empty(), "there is no python to test with");
    found
}

#[test]
fn links_venvs_copies_and_shims_lead_to_one_interpreter() {
    let direct = discover(&everywhere(), None, Memo::none()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let made =
        Command::new(&direct.exe).args(["-m", "venv", "--without-pip"]).arg(path("venv")).status().unwrap();
    assert!(made.success());
    symlink(path("venv/bin/python"), path("link")).unwrap();
    std::fs::create_dir_all(path("copied/bin")).unwrap();
    std::fs::copy(&direct.exe, path("copied/bin/python")).unwrap();
    let home = direct.exe.parent().unwrap().display();
    std::fs::write(path("copied/pyvenv.cfg"), format!("home = {home}\n")).unwrap();
    let shim = format!("#!/bin/sh\nexec \"{}\" \"$@\"\n", path("venv/bin/python").display());
    std::fs::write(path("shim"), shim).unwrap();
    std::fs::set_permissions(path("shim"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for name in ["venv/bin/python", "link", "copied/bin/python", "shim"] {
        let wanted = path(name);
        let found = discover(&everywhere(), wanted.to_str(), Memo::none()).unwrap();
        assert_eq!(found.exe.file_name(), direct.exe.file_name(), "{name}");
        assert_eq!(found.identity, direct.identity, "{name}");
        // What a program says, or lies beside another, is no look at a path.
        let plain = found.rests_on.is_some_and(|all| all.contains(&wanted) && all.contains(&found.exe));
        assert_eq!(plain, ["venv/bin/python", "link"].contains(&name), "{name}");
    }
}

#[test]
fn what_was_not_there_and_what_it_is_made_of_was_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let direct = discover(&everywhere(), None, Memo::none()).unwrap();
    let search = Search { path: vec![folder.path().into(), "/usr/bin".into()], ..everywhere() };
    let all = discover(&search, None, Memo::none()).unwrap().rests_on.unwrap();
    for path in [
        folder.path().join("python3"),
        direct.exe.clone(),
        direct.facts.stdlib.join("encodings"),
        home().join(".pyenv/versions"),
        "/etc/ld.so.cache".into(),
    ] {
        assert!(all.contains(&path), "{}", path.display());
    }
}

#[test]
fn an_error_lists_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("python3"), "#!/bin/sh\necho no such version >&2; exit 127\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("python3"), mode).unwrap();
    let search =
        Search { path: vec![folder.path().into()], home: None, cwd: "/".into(), pyenv_version: None };
    let error = discover(&search, Some("3.12"), Memo::none()).unwrap_err();
    let text = error.to_string().replace(&folder.path().display().to_string(), "DIR");
    expect_test::expect!["failed to find CPython 3.12: `DIR/python3`: is a script that leads nowhere: it failed when asked what it is (exit status: 127): no such version"].assert_eq(&text);
    let empty = discover(&Search::default(), None, Memo::none()).unwrap_err();
    expect_test::expect![
        "failed to find a CPython 3.9 to 3.14: no interpreter is in PATH, in pyenv's folder or in uv's"
    ]
    .assert_eq(&empty.to_string());
}

#[test]
fn another_version_than_the_one_asked_for_is_not_taken() {
    let some = discover(&everywhere(), None, Memo::none()).unwrap();
    let search = Search {
        path: vec![some.exe.parent().unwrap().to_owned()],
        home: None,
        cwd: "/".into(),
        pyenv_version: None,
    };
    let error = discover(&search, Some("3.99"), Memo::none()).unwrap_err();
    assert!(error.causes.iter().any(|c| c.ends_with(&format!("is {}", some.facts.full_version))), "{error}");
}

#[test]
fn a_remembered_interpreter_is_not_asked_again() {
    let memory = RefCell::new(BTreeMap::<String, String>::new());
    let asked = RefCell::new(0);
    let recall = |ns: &str, key: &str| memory.borrow().get(&format!("{ns} {key}")).cloned();
    let remember = |ns: &str, key: &str, value: &str| {
        *asked.borrow_mut() += 1;
        memory.borrow_mut().insert(format!("{ns} {key}"), value.to_owned());
    };
    let memo = Memo { recall: &recall, remember: &remember };
    let first = discover(&everywhere(), None, memo).unwrap();
    assert_eq!(*asked.borrow(), 4, "probe, folders, identity, libraries");
    let second = discover(&everywhere(), None, memo).unwrap();
    assert_eq!(*asked.borrow(), 4);
    assert_eq!(first.identity, second.identity);
    assert_eq!(first.libraries, second.libraries);
    // An installed library changes the linker's cache and not the interpreter.
    let linker = probe::linker_key();
    let keyed = |ns: &str| memory.borrow().keys().any(|k| k.starts_with(ns) && k.ends_with(&linker));
    assert!(keyed("python-libraries ") && keyed("python-probe "), "{:?}", memory.borrow().keys());
}

#[test]
fn markers_and_tags_are_those_of_packaging() {
    let program = "
import json
from pip._vendor.packaging import markers, tags
print(json.dumps([markers.default_environment(), [str(t) for t in tags.sys_tags()]]))
";
    let mut compared = 0;
    for python in all() {
        let tags = &python.target.tags;
        let own = format!("cp{}{}", python.minor.0, python.minor.1);
        assert!(tags[0].starts_with(&own), "{tags:?}");
        assert!(tags.contains(&"py3-none-any".to_owned()));
        let output = Command::new(&python.exe).args(["-c", program]).output().unwrap();
        // A Python without pip has nothing to compare with; Debian's pip lies elsewhere.
        let Ok(answer) = serde_json::from_slice::<serde_json::Value>(&output.stdout) else { continue };
        let theirs: Vec<&str> = answer[1].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
        // Older releases leave `cpXY-none-any` out.
        let plain = format!("{own}-none-any");
        let known = theirs.contains(&plain.as_str());
        let ours: Vec<&str> = tags.iter().map(String::as_str).filter(|t| known || *t != plain).collect();
        let differs = ours.iter().zip(&theirs).find(|(a, b)| a != b);
        assert!(differs.is_none() && ours.len() == theirs.len(), "{}: {differs:?}", python.exe.display());
        let m = &python.target.markers;
        let pairs = [
            ("implementation_name", m.implementation_name().to_owned()),
            ("implementation_version", m.implementation_version().to_string()),
            ("os_name", m.os_name().to_owned()),
            ("platform_machine", m.platform_machine().to_owned()),
            ("platform_python_implementation", m.platform_python_implementation().to_owned()),
            ("platform_release", m.platform_release().to_owned()),
            ("platform_system", m.platform_system().to_owned()),
            ("platform_version", m.platform_version().to_owned()),
            ("python_full_version", m.python_full_version().to_string()),
            ("python_version", m.python_version().to_string()),
            ("sys_platform", m.sys_platform().to_owned()),
        ];
        for (name, value) in pairs {
            assert_eq!(answer[0][name], value, "{name}");
        }
        compared += 1;
    }
    // Where no interpreter has pip, the golden test below is all there is.
    assert!(compared <= all().len());
}

#[test]
fn platform_tags_of_known_systems() {
    let mut facts = discover(&everywhere(), None, Memo::none()).unwrap().facts;
    let mut show = |platform: &str, libc: &str, mac: &str, musl| {
        (facts.platform, facts.libc, facts.mac_version) = (platform.into(), libc.into(), mac.into());
        platforms::platforms(&facts, musl).join(" ")
    };
    expect_test::expect!["manylinux_2_18_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux_2_16_x86_64 manylinux_2_15_x86_64 manylinux_2_14_x86_64 manylinux_2_13_x86_64 manylinux_2_12_x86_64 manylinux2010_x86_64 manylinux_2_11_x86_64 manylinux_2_10_x86_64 manylinux_2_9_x86_64 manylinux_2_8_x86_64 manylinux_2_7_x86_64 manylinux_2_6_x86_64 manylinux_2_5_x86_64 manylinux1_x86_64 linux_x86_64"].assert_eq(&show("linux-x86_64", "glibc 2.18", "", None));
    expect_test::expect!["manylinux_2_19_aarch64 manylinux_2_18_aarch64 manylinux_2_17_aarch64 manylinux2014_aarch64 linux_aarch64"].assert_eq(&show("linux-aarch64", "glibc 2.19", "", None));
    expect_test::expect!["musllinux_1_2_x86_64 musllinux_1_1_x86_64 musllinux_1_0_x86_64 linux_x86_64"]
        .assert_eq(&show("linux-x86_64", "", "", Some((1, 2))));
    expect_test::expect!["macosx_12_0_arm64 macosx_12_0_universal2 macosx_11_0_arm64 macosx_11_0_universal2 macosx_10_16_universal2 macosx_10_15_universal2 macosx_10_14_universal2 macosx_10_13_universal2 macosx_10_12_universal2 macosx_10_11_universal2 macosx_10_10_universal2 macosx_10_9_universal2 macosx_10_8_universal2 macosx_10_7_universal2 macosx_10_6_universal2 macosx_10_5_universal2 macosx_10_4_universal2"].assert_eq(&show("macosx-11.0-arm64", "", "12.3", None));
    expect_test::expect!["freebsd_14_1_amd64"].assert_eq(&show("freebsd-14.1-amd64", "", "", None));
}

#[test]
fn a_cell_needs_the_program_its_library_and_no_packages() {
    for python in all() {
        let paths = python.host_paths(HostView::Minimal);
        let seen = |path: &Path| paths.iter().any(|p| path.starts_with(p));
        assert!(seen(&python.exe) && seen(&python.facts.stdlib), "{paths:?}");
        assert!(!paths.iter().any(|p| is_shared(p)), "{paths:?}");
        assert!(paths.iter().any(|p| p.to_string_lossy().contains("libc.so")), "{paths:?}");
        assert!(!seen(Path::new("/usr/lib/python3/dist-packages")));
        for hidden in python.hidden_paths() {
            assert!(seen(&hidden), "{hidden:?}");
        }
        assert!(!python.pip_places().iter().any(|p| !p.is_dir()));
    }
}

#[test]
fn the_identity_follows_the_standard_library_and_not_the_packages() {
    let python = discover(&everywhere(), None, Memo::none()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stdlib = folder.path().join("stdlib");
    std::fs::create_dir_all(stdlib.join("site-packages/x")).unwrap();
    std::fs::create_dir_all(stdlib.join("json/__pycache__")).unwrap();
    std::fs::write(stdlib.join("os.py"), "1").unwrap();
    let mut facts = python.facts.clone();
    (facts.stdlib, facts.platstdlib) = (stdlib.clone(), stdlib.clone());
    let memory = RefCell::new(BTreeMap::<String, String>::new());
    let recall = |ns: &str, key: &str| memory.borrow().get(&format!("{ns} {key}")).cloned();
    let remember = |ns: &str, key: &str, value: &str| {
        memory.borrow_mut().insert(format!("{ns} {key}"), value.to_owned());
    };
    // Remembered or not, it is the same.
    let identity = |facts: &Facts| {
        let of = |memo| identity::identity(&python.exe, facts, memo).unwrap().digest;
        let remembered = of(Memo { recall: &recall, remember: &remember });
        assert_eq!(remembered, of(Memo::none()));
        remembered
    };
    let first = identity(&facts);
    std::fs::write(stdlib.join("site-packages/x/a.py"), "1").unwrap();
    std::fs::write(stdlib.join("json/__pycache__/a.pyc"), "1").unwrap();
    assert_eq!(identity(&facts), first);
    std::fs::write(stdlib.join("json/decoder.py"), "1").unwrap();
    assert_ne!(identity(&facts), first);
    std::fs::remove_file(stdlib.join("json/decoder.py")).unwrap();
    assert_eq!(identity(&facts), first);
    std::fs::create_dir_all(stdlib.join("json/new/deep")).unwrap();
    assert_eq!(identity(&facts), first, "a folder is no file");
    std::fs::write(stdlib.join("json/new/deep/a.py"), "1").unwrap();
    let more = identity(&facts);
    assert_ne!(more, first);
    std::fs::remove_dir_all(stdlib.join("json/new")).unwrap();
    assert_eq!(identity(&facts), first);
    facts.variables.push('x');
    assert_ne!(identity(&facts), first);
}
