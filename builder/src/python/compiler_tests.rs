use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use super::*;

fn real() -> PathBuf {
    let search = crate::python::Search {
        path: vec!["/usr/bin".into()],
        home: None,
        cwd: "/".into(),
        pyenv_version: None,
    };
    crate::python::discover(&search, None, crate::python::Memo::none()).unwrap().exe
}

/// A folder of sources, and an interpreter that is this shell script; it may
/// name the folder and what lies beside it as `$0`'s neighbours.
fn case(script: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (folder, fake) = (dir.path().join("site"), dir.path().join("python"));
    sources(&folder);
    // Not written by this process: a child that another test starts just
    // now would hold it open, and such a file cannot be executed.
    let write = "printf '#!/bin/sh\ncd ${0%%/*}\n%s\n' \"$1\" >\"$0\" && chmod 755 \"$0\"";
    let mut shell = Command::new("/bin/sh");
    assert!(shell.args(["-c", write]).arg(&fake).arg(script).status().unwrap().success());
    (dir, folder, fake)
}

fn sources(folder: &Path) {
    fs::create_dir_all(folder.join("pkg")).unwrap();
    fs::write(folder.join("pkg/__init__.py"), "x = 1\n").unwrap();
    fs::write(folder.join("pkg/broken.py"), "x = (\n").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("pkg/lost.py")).unwrap();
}

fn modes(folder: &Path) -> Vec<u32> {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    vec![mode(folder), mode(&folder.join("pkg"))]
}

fn made(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("pkg/__pycache__"));
    entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_compiles_has_byte_code_and_one_process_does_it_all() {
    let dir = tempfile::tempdir().unwrap();
    let compiler = Compiler::new(&real(), 2);
    let mut processes = Vec::new();
    for name in ["one", "two\n2", "three"] {
        let folder = dir.path().join(name);
        sources(&folder);
        compiler.compile(std::slice::from_ref(&folder), &Stop::new().unwrap()).unwrap();
        let made = made(&folder);
        assert_eq!(made.len(), 1);
        let bytes = fs::read(&made[0]).unwrap();
        assert_eq!(bytes[4..8], [1, 0, 0, 0], "an unchecked hash");
        let place = folder.to_str().unwrap().as_bytes();
        assert!(!bytes.windows(place.len()).any(|w| w == place), "no path of this machine");
        assert_eq!(modes(&folder), [0o555, 0o555]);
        processes.extend(compiler.idle().iter().map(|server| server.child.id()));
    }
    assert_eq!(processes, [processes[0]; 3]);
    compiler.close();
    assert_eq!(compiler.idle().len(), 0);
}

#[test]
fn a_crash_or_a_compiler_without_end_leaves_no_byte_code() {
    let write = "mkdir site/pkg/__pycache__; echo > site/pkg/__pycache__/a.pyc.1; echo >> starts";
    let cases = [
        ("kill -SEGV $$", LONGEST, 2),
        // The child was brought down, and the server says so.
        ("printf b >&1; exec sleep 1000", LONGEST, 2),
        ("exec sleep 1000", Duration::from_millis(300), 1),
    ];
    for (script, longest, starts) in cases {
        let (dir, folder, fake) = case(&format!("{write}; {script}"));
        let folders = [folder.clone()];
        Compiler::new(&fake, 2).compile_within(&folders, (&Stop::new().unwrap(), longest)).unwrap();
        assert!(!folder.join("pkg/__pycache__").exists(), "{script}");
        assert_eq!(modes(&folder), [0o555, 0o555]);
        assert_eq!(fs::read_to_string(dir.path().join("starts")).unwrap().len(), starts, "{script}");
    }
}

#[test]
fn a_crash_costs_one_more_process_and_no_byte_code() {
    let script = format!(
        "if [ -e crashed ]; then exec {} \"$@\"; fi; echo > crashed; kill -SEGV $$",
        real().display()
    );
    let (_dir, folder, fake) = case(&script);
    Compiler::new(&fake, 2).compile(std::slice::from_ref(&folder), &Stop::new().unwrap()).unwrap();
    assert_eq!(made(&folder).len(), 1);
}

#[test]
fn a_server_that_was_killed_while_it_waited_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let compiler = Compiler::new(&real(), 2);
    for name in ["one", "two"] {
        let folder = dir.path().join(name);
        sources(&folder);
        compiler.compile(std::slice::from_ref(&folder), &Stop::new().unwrap()).unwrap();
        assert_eq!(made(&folder).len(), 1);
        for server in compiler.idle().iter_mut() {
            server.child.kill().unwrap();
        }
    }
}

#[test]
fn a_stop_ends_it_and_says_so() {
    let (_dir, folder, fake) = case("exec sleep 1000");
    let stop = Stop::new().unwrap();
    let compiler = Compiler::new(&fake, 2);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| compiler.compile(std::slice::from_ref(&folder), &stop));
        stop.stop();
        assert_eq!(waiting.join().unwrap().unwrap_err().kind, Kind::Stopped);
    });
}

#[test]
fn it_and_its_children_do_not_outlive_us() {
    let wait =
        "import time\nif os.fork() == 0:\n    os.write(1, b'ready')\nwhile True:\n    time.sleep(1000)\n";
    let mut server = Server::start(&real(), &format!("{LIFELINE}{wait}"), 1).unwrap();
    let mut ready = [0; 5];
    server.talk.read_exact(&mut ready).unwrap();
    drop(server.child.stdin.take());
    assert!(server.child.wait().unwrap().signal().is_some());
    // Both held the other end of the socket.
    assert_eq!(server.talk.read(&mut ready).unwrap(), 0);
}

#[test]
fn a_large_package_is_compiled_whole_in_two_parts() {
    let dir = tempfile::tempdir().unwrap();
    let name = |n: u32, processors: usize| format!("{processors}/pkg/m{n}.py");
    let code = |processors: usize| {
        let folder = dir.path().join(processors.to_string());
        sources(&folder);
        for n in 0..80 {
            fs::write(dir.path().join(name(n, processors)), format!("def f():\n    return {n}\n")).unwrap();
        }
        Compiler::new(&real(), processors)
            .compile(std::slice::from_ref(&folder), &Stop::new().unwrap())
            .unwrap();
        let mut all: Vec<_> =
            made(&folder).iter().map(|p| (p.file_name().unwrap().to_owned(), fs::read(p).unwrap())).collect();
        all.sort();
        all
    };
    let whole = code(1);
    assert_eq!(whole.len(), 81);
    let names =
        |all: &[(std::ffi::OsString, Vec<u8>)]| all.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    assert_eq!(names(&code(2)), names(&whole));
}
