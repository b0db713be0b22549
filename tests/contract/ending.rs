//! How an action ends, and that nothing of it is left.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use builder::exec::action::{Exit, Level};
use builder::exec::local::{JOBSERVER, Jobserver, sweep_failed};
use builder::exec::{Executor as _, Stop, local};

use crate::bench::{Bench, at, path, text, uid};

const ALL: &[Level] = &[Level::Env, Level::Landlock, Level::Full];
const FULL: &[Level] = &[Level::Full];

/// A number of seconds to sleep that no other process on this machine has.
fn marker(bench: &Bench, case: u32) -> String {
    format!("1{case:02}{}.{}", std::process::id(), bench.level as u32 + 1)
}

/// Processes of the host with this argument.
pub fn processes(argument: &str) -> BTreeSet<u32> {
    let holds = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|a| a == argument.as_bytes())
    };
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(holds).collect()
}

#[test]
fn grandchildren_and_daemons_are_killed() {
    at("ending::grandchildren_and_daemons_are_killed", ALL, |bench| {
        let marker = marker(bench, 1);
        let result = bench.run(&bench.python(&format!(
            "import os\nfor kind in ('child', 'session', 'daemon'):\n  if os.fork() == 0:\n    \
             if kind != 'child': os.setsid()\n    if kind == 'daemon' and os.fork(): os._exit(0)\n    \
             os.close(1); os.close(2)\n    os.execv('/usr/bin/sleep', ['sleep', '{marker}'])\n\
             print('main is done')"
        )));
        assert_eq!((result.exit, text(&result).as_str()), (Exit::Code(0), "main is done\n"));
        assert_eq!(processes(&marker), BTreeSet::new());
    });
}

#[test]
fn a_timeout_ends_everything() {
    at("ending::a_timeout_ends_everything", ALL, |bench| {
        let marker = marker(bench, 2);
        let mut action = bench.sh(&format!("echo begun; sleep {marker} & while :; do :; done"));
        action.limits.timeout = Duration::from_millis(700);
        let began = Instant::now();
        let result = bench.run(&action);
        assert_eq!((result.exit, text(&result).as_str()), (Exit::TimedOut, "begun\n"));
        assert!(began.elapsed() < Duration::from_secs(60));
        assert_eq!(processes(&marker), BTreeSet::new());
    });
}

#[test]
fn silence_ends_everything() {
    at("ending::silence_ends_everything", ALL, |bench| {
        let marker = marker(bench, 3);
        let mut action = bench.sh(&format!("echo begun; sleep {marker}"));
        action.limits.silence = Duration::from_millis(500);
        let result = bench.run(&action);
        assert_eq!((result.exit, text(&result).as_str()), (Exit::Silent, "begun\n"));
        assert_eq!(processes(&marker), BTreeSet::new());
    });
}

/// Waits for processes of other processes' making: nothing tells us.
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::yield_now();
    }
}

fn status(pid: u32, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":"))?;
    Some(line.trim().to_owned())
}

#[test]
fn a_stop_ends_everything_and_no_build_is_ever_root() {
    at("ending::a_stop_ends_everything_and_no_build_is_ever_root", ALL, |bench| {
        let marker = marker(bench, 4);
        let stop = Stop::new().unwrap();
        let action = bench.sh(&format!("exec sleep {marker}"));
        std::thread::scope(|scope| {
            let running = scope.spawn(|| bench.run_until(&action, &stop));
            let pid = until(|| {
                let sleeps = |pid: &u32| {
                    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
                };
                processes(&marker).into_iter().find(sleeps)
            });
            if bench.level != Level::Env {
                // The kernel's uids, seen from outside of any namespace the build may be in.
                let expected = if uid() == 0 { 60_999 } else { uid() };
                let init: u32 = status(pid, "PPid").unwrap().parse().unwrap();
                for pid in [pid, init] {
                    assert_eq!(status(pid, "Uid").unwrap(), [expected.to_string().as_str(); 4].join("\t"));
                }
                // Readable for root only; nothing of ours either way.
                assert_eq!(fs::read(format!("/proc/{init}/environ")).unwrap_or_default(), b"");
            }
            stop.stop();
            assert_eq!(running.join().unwrap().exit, Exit::Stopped);
        });
        assert_eq!(processes(&marker), BTreeSet::new());
        assert_eq!(bench.run_until(&bench.sh("exit 0"), &stop).exit, Exit::Stopped);
    });
}

#[test]
fn a_failed_action_is_kept_and_its_script_enters_the_same_place() {
    at("ending::a_failed_action_is_kept_and_its_script_enters_the_same_place", ALL, |bench| {
        let mut bench = Bench::new(bench.level);
        let kept = bench.home.path().join("kept's");
        bench.options.keep_failed = Some(kept.clone());
        if uid() == 0 {
            open(bench.home.path());
        }
        let mut action =
            bench.sh("cat src/a; echo \"$A\" | tee made; test ! -e again || echo again; touch again; exit 3");
        action.source = Some(bench.tree(&[("a", "source\n")]));
        action.env.insert("A".to_owned(), "/build/x y".to_owned());
        action.label = "a pkg".to_owned();
        let result = bench.run(&action);
        let folder = result.kept.clone().expect("it failed");
        assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("a-pkg-"));
        assert_eq!(fs::read(folder.join("log")).unwrap(), result.log);
        let again = Command::new("/bin/sh").arg(folder.join("run.sh")).output().unwrap();
        assert_eq!(again.status.code(), Some(3), "{again:?}");
        assert_eq!(String::from_utf8(again.stdout).unwrap(), text(&result) + "again\n");
        let mut other = Command::new("/bin/sh")
            .arg(folder.join("run.sh"))
            .args(["/bin/sh", "-c", "cat made; cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut other.stdin.take().unwrap(), b"typed").unwrap();
        let other = other.wait_with_output().unwrap();
        assert!(String::from_utf8(other.stdout).unwrap().ends_with("x y\ntyped"));

        assert_eq!(bench.run(&bench.sh("exit 0")).kept, None);
        assert_eq!(fs::read_dir(&kept).unwrap().count(), 1);
        drop(result);
        assert_eq!(fs::read_dir(&bench.options.work).unwrap().count(), 0);
    });
}

#[test]
fn what_was_kept_runs_without_the_jobserver_of_its_run() {
    at("ending::what_was_kept_runs_without_the_jobserver_of_its_run", ALL, |bench| {
        let mut bench = Bench::new(bench.level);
        bench.options.keep_failed = Some(bench.home.path().join("kept"));
        open(bench.home.path());
        let server = Jobserver::new(&bench.home.path().join("fifo"), 1).unwrap();
        bench.options.jobserver = Some(Arc::new(server));
        let mut action = bench.sh("echo \"flags: $MAKEFLAGS\"; exit 3");
        let auth = format!("-j2 --jobserver-auth=fifo:{JOBSERVER} -k");
        action.env.insert("MAKEFLAGS".to_owned(), auth);
        let kept = bench.run(&action).kept.expect("it failed");
        fs::remove_file(bench.options.jobserver.unwrap().path()).unwrap();
        let again = Command::new("/bin/sh").arg(kept.join("run.sh")).output().unwrap();
        assert_eq!(again.status.code(), Some(3), "{again:?}");
        assert_eq!(String::from_utf8_lossy(&again.stdout), "flags: -j2 -k\n");
    });
}

#[test]
fn what_a_killed_run_would_have_kept_is_swept() {
    at("ending::what_a_killed_run_would_have_kept_is_swept", ALL, |bench| {
        let mut bench = Bench::new(bench.level);
        let kept = bench.home.path().join("kept");
        bench.options.keep_failed = Some(kept.clone());
        open(bench.home.path());
        let marker = marker(&bench, 6);
        let inside = with_executor(&bench, "ending::what_a_killed_run_would_have_kept_is_swept", &marker);
        let Some(mut tool) = inside else { return };
        until(|| (!processes(&marker).is_empty()).then_some(()));
        sweep_failed(&kept);
        assert_eq!(fs::read_dir(&kept).unwrap().count(), 1, "its run lives");
        tool.kill().unwrap();
        tool.wait().unwrap();
        until(|| processes(&marker).is_empty().then_some(()));
        sweep_failed(&kept);
        assert_eq!(fs::read_dir(&kept).unwrap().count(), 0);
    });
}

/// Runs `sleep MARKER` in an executor of another process, this test again.
/// `None` in that process, when it is done.
fn with_executor(bench: &Bench, name: &str, marker: &str) -> Option<std::process::Child> {
    const INSIDE: &str = "CONTRACT_EXECUTOR";
    if let Ok(orders) = std::env::var(INSIDE) {
        let [level, kept, marker] = orders.split('|').collect::<Vec<_>>()[..] else { panic!("{orders}") };
        if level == bench.level.word() {
            let mut bench = Bench::new(bench.level);
            bench.options.keep_failed = Some(kept.into());
            bench.run(&bench.sh(&format!("sleep {marker} & setsid sleep {marker} & wait")));
        }
        return None;
    }
    let kept = bench.options.keep_failed.as_ref().unwrap();
    let tool = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--test-threads=1"])
        // It has no chance to remove its own.
        .env("TMPDIR", bench.home.path())
        .env(INSIDE, format!("{}|{}|{marker}", bench.level.word(), kept.display()))
        .stdout(Stdio::null())
        .spawn();
    Some(tool.unwrap())
}

/// Lets the unprivileged uid of root's builds pass.
fn open(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn kill_9_of_the_tool_leaves_no_process() {
    at("ending::kill_9_of_the_tool_leaves_no_process", ALL, |bench| {
        let mut bench = Bench::new(bench.level);
        bench.options.keep_failed = Some(bench.home.path().join("kept"));
        open(bench.home.path());
        let marker = marker(&bench, 5);
        let kept: PathBuf = bench.run(&bench.sh("exit 1")).kept.unwrap();
        let script = format!("sleep {marker} & echo up; wait");
        let mut tool = Command::new("/bin/sh")
            .arg(kept.join("run.sh"))
            .args(["/bin/sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(tool.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        tool.kill().unwrap();
        tool.wait().unwrap();
        // The end of the pipe: nobody who could write to it is left.
        assert_eq!(output.read_to_string(&mut line).unwrap(), 0);
        until(|| processes(&marker).is_empty().then_some(()));
    });
}

#[test]
fn an_output_that_is_missing_or_a_link_is_named() {
    at("ending::an_output_that_is_missing_or_a_link_is_named", ALL, |bench| {
        let mut action = bench.sh(
            "mkdir -p d real; echo x > real/f; ln -s /etc/passwd link; ln -s real dir; mkfifo pipe; ln -s ../../up d/up",
        );
        action.outputs = ["none", "link", "dir/f", "pipe", "d", "real"].map(path).into();
        let result = bench.run(&action);
        let missing: Vec<String> =
            result.missing.iter().map(|(path, why)| format!("{path}: {why}")).collect();
        assert_eq!(
            missing,
            [
                "none: it is not there",
                "link: it is a link, or behind one",
                "dir/f: it is a link, or behind one",
                "pipe: it is neither a file nor a folder",
                "d: in its entry `up`: the link to `../../up` leaves the output",
            ]
        );
        let names: Vec<_> =
            fs::read_dir(result.outputs.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["real"]);
    });
}

#[test]
fn what_a_build_closed_is_removed_too() {
    at("ending::what_a_build_closed_is_removed_too", FULL, |bench| {
        let mut bench = Bench::new(bench.level);
        bench.options.build_on = builder::exec::local::BuildOn::Disk;
        let log =
            bench.log(&bench.sh(
                "mkdir -p a/b && echo x > a/b/c && chmod 000 a/b/c a/b && chmod 500 a && df -P . | wc -l",
            ));
        assert_eq!(log, "2\n");
        assert_eq!(fs::read_dir(&bench.options.work).unwrap().count(), 0);
    });
}

/// What the kernel says of a process after its name: its state, its parent ...
fn state(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").map_or_else(String::new, |(_, rest)| rest.to_owned())
}

/// Children of this process that fork the inits of its cells.
fn nurseries() -> BTreeSet<u32> {
    let own = std::process::id().to_string();
    let is_ours = |pid: &u32| state(*pid).split(' ').nth(1) == Some(own.as_str());
    processes("wheelwright-cell").into_iter().filter(is_ours).collect()
}

#[test]
fn a_cell_needs_no_nursery_and_a_nursery_ends_with_its_executor() {
    const NAME: &str = "ending::a_cell_needs_no_nursery_and_a_nursery_ends_with_its_executor";
    const ALONE: &str = "CONTRACT_ALONE";
    if std::env::var_os(ALONE).is_none() {
        // Executors of other tests in this process have nurseries, too.
        let mut alone = Command::new(std::env::current_exe().unwrap());
        alone.args([NAME, "--exact", "--nocapture", "--test-threads=1"]).env(ALONE, "1");
        assert!(alone.status().unwrap().success());
        return;
    }
    at(NAME, FULL, |bench| {
        let (executor, stop) = (local(&bench.options).unwrap(), Stop::new().unwrap());
        let action = bench.sh("echo built");
        let run = || {
            let result = executor.execute(&action, &stop).unwrap();
            assert_eq!((result.exit, text(&result).as_str()), (Exit::Code(0), "built\n"));
            let all: Vec<u32> = nurseries().into_iter().collect();
            all
        };
        let [first] = run()[..] else { panic!("{:?}", nurseries()) };
        let pid = rustix::process::Pid::from_raw(first as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        until(|| state(first).starts_with('Z').then_some(()));
        run();
        let [second] = run()[..] else { panic!("{:?}", nurseries()) };
        assert_ne!(first, second);
        drop(executor);
        assert_eq!(nurseries(), BTreeSet::new());
    });
}
