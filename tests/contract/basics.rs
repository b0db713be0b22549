//! What every level gives: sources, files, inputs, outputs, log, exit.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use builder::error::Error;
use builder::exec::action::{Action, Exit, Input, Level};
use builder::exec::local::Jobserver;
use builder::exec::{ExecError, Executor, FactState, Stop, local};

use crate::bench::{Bench, at, path, text};

const ALL: &[Level] = &[Level::Env, Level::Landlock, Level::Full];
const KEPT: &[Level] = &[Level::Landlock, Level::Full];
const FULL: &[Level] = &[Level::Full];

#[test]
fn source_files_and_inputs_are_there_and_outputs_come_back() {
    at("basics::source_files_and_inputs_are_there_and_outputs_come_back", ALL, |bench| {
        let mut action = bench.sh(
            "cat src/a/b.txt spec.json \"$INPUT\"/x && stat -c '%Y %a' src src/a src/a/b.txt src/run.sh && \
             ./src/run.sh > src/a/b.txt && mkdir -p out && cp src/a/b.txt out/made && echo hi >&2; exit 0",
        );
        action.source = Some(bench.tree(&[("a/b.txt", "source\n"), ("!run.sh", "#!/bin/sh\necho ran\n")]));
        action.files.insert(path("spec.json"), b"spec\n".to_vec());
        action.inputs.insert("/s/1".to_owned(), Input::Tree(bench.tree(&[("x", "input\n")])));
        action.env.insert("INPUT".to_owned(), "/s/1".to_owned());
        action.outputs = vec![path("out"), path("src/a/b.txt"), path("none")];
        let result = bench.run(&action);
        assert_eq!(
            text(&result),
            "source\nspec\ninput\n1000000000 755\n1000000000 755\n1000000000 644\n1000000000 755\nhi\n"
        );
        assert_eq!(result.exit, Exit::Code(0));
        assert_eq!(fs::read_to_string(result.outputs.path().join("out/made")).unwrap(), "ran\n");
        assert_eq!(fs::read_to_string(result.outputs.path().join("src/a/b.txt")).unwrap(), "ran\n");
        assert_eq!(result.missing, [(path("none"), "it is not there".to_owned())]);
    });
}

#[test]
fn the_exit_is_a_result() {
    at("basics::the_exit_is_a_result", ALL, |bench| {
        assert_eq!(bench.run(&bench.sh("exit 3")).exit, Exit::Code(3));
        assert_eq!(bench.run(&bench.sh("kill -9 $$")).exit, Exit::Signal(9));
        let result = bench.run(&bench.action(&["/usr/bin/none"]));
        assert_eq!(result.exit, Exit::Code(127));
        assert_eq!(
            text(&result),
            "wheelwright: cannot run `/usr/bin/none`: No such file or directory (os error 2)\n"
        );
    });
}

#[test]
fn actions_run_beside_each_other() {
    at("basics::actions_run_beside_each_other", ALL, |bench| {
        // One executor whose tools are not prepared yet.
        let executor = local(&bench.options).unwrap();
        let stop = Stop::new().unwrap();
        let ran = std::thread::scope(|scope| {
            let one = |number: u32| {
                let (executor, stop) = (&executor, &stop);
                scope.spawn(move || {
                    let mut action = bench.sh("echo $$ > out; exec cat in");
                    action.files.insert(path("in"), number.to_string().into_bytes());
                    action.outputs = vec![path("out")];
                    let result = executor.execute(&action, stop).unwrap();
                    (result.exit, text(&result), result.missing.len())
                })
            };
            let threads: Vec<_> = (0..8).map(one).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let expected: Vec<_> = (0..8).map(|number: u32| (Exit::Code(0), number.to_string(), 0)).collect();
        assert_eq!(ran, expected);
        assert_eq!(fs::read_dir(&bench.options.work).unwrap().count(), 0);
    });
}

#[test]
fn the_jobserver_is_reached() {
    at("basics::the_jobserver_is_reached", ALL, |bench| {
        let mut bench = Bench::new(bench.level);
        fs::set_permissions(bench.home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let server = Jobserver::new(&bench.home.path().join("fifo"), 2).unwrap();
        let mut held = fs::OpenOptions::new().read(true).write(true).open(server.path()).unwrap();
        bench.options.jobserver = Some(Arc::new(server));
        let mut action = bench.sh("fifo=${MAKEFLAGS#*fifo:}; head -c 1 \"$fifo\" && printf - > \"$fifo\"");
        let auth = format!("-j --jobserver-auth=fifo:{}", builder::exec::local::JOBSERVER);
        action.env.insert("MAKEFLAGS".to_owned(), auth);
        assert_eq!(bench.log(&action), "+");
        // After the last action there are as many as at the start, and no others.
        let mut tokens = [0; 8];
        assert_eq!(held.read(&mut tokens).unwrap(), 2);
        assert_eq!(&tokens[..2], b"++");
    });
}

/// An init that the host refuses a call: through the eyes of the executor.
fn refuse(bench: &mut Bench, call: &str) {
    let exe = bench.options.init_exe.clone();
    let script = format!(
        "#!/usr/bin/python3 -IS\n\
         import ctypes, os, struct\n\
         numbers = {{'unshare': {{'x86_64': 272}}, 'landlock': {{'x86_64': 444}}}}['{call}']\n\
         number = numbers.get(os.uname().machine, {{'unshare': 97, 'landlock': 444}}['{call}'])\n\
         code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)]\n\
         code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *c) for c in code))\n\
         program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', 4, ctypes.addressof(code)))\n\
         libc = ctypes.CDLL(None)\n\
         assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0\n\
         os.execv({exe:?}, ['wheelwright-cell'])\n"
    );
    let wrapper = bench.home.path().join("init");
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    bench.options.init_exe = wrapper;
}

#[test]
fn a_refused_level_is_an_error_never_a_weaker_level() {
    at("basics::a_refused_level_is_an_error_never_a_weaker_level", KEPT, |bench| {
        let mut bench = Bench::new(bench.level);
        let (call, reason) = match bench.level {
            Level::Full => {
                ("unshare", "the host refuses new namespaces: Operation not permitted (os error 1)")
            }
            _ => ("landlock", "failed to prepare landlock: "),
        };
        refuse(&mut bench, call);
        let mut action = bench.sh("echo ran > out");
        action.outputs = vec![path("out")];
        let tried = local(&bench.options).unwrap().execute(&action, &Stop::new().unwrap());
        let Err(ExecError::Isolation { wanted, because, hints }) = tried else { panic!("{tried:?}") };
        assert_eq!(wanted, bench.level);
        assert!(because.starts_with(reason), "{because}");
        assert!(hints.iter().any(|hint| hint.contains("doctor")), "{hints:?}");
        assert_eq!(fs::read_dir(&bench.options.work).unwrap().count(), 0);
    });
}

#[test]
fn doctor_tries_every_level() {
    at("basics::doctor_tries_every_level", FULL, |bench| {
        let facts = builder::exec::doctor(&bench.options);
        for level in ["level full", "level landlock", "level env", "seccomp"] {
            let fact = facts.iter().find(|fact| fact.what == level).unwrap();
            assert_eq!(fact.state, FactState::Good, "{fact:?}");
        }
        for what in [
            "user namespaces",
            "AppArmor",
            "landlock",
            "overlayfs",
            "control groups",
            "container",
            "memory",
            "the store's disk",
        ] {
            assert!(facts.iter().any(|fact| fact.what == what && !fact.detail.is_empty()), "{what}");
        }
    });
}

#[test]
fn what_is_not_there_or_too_wide_is_an_error() {
    at("basics::what_is_not_there_or_too_wide_is_an_error", FULL, |bench| {
        let refused = |action: &Action| {
            let tried = local(&bench.options).unwrap().execute(action, &Stop::new().unwrap());
            Error::from(tried.unwrap_err()).to_string()
        };
        let mut action = bench.sh(":");
        action.inputs.insert("/s/1".to_owned(), Input::Host("/none".into()));
        let reason =
            "failed to find the input `/s/1` of an action, `/none`: No such file or directory (os error 2)";
        assert_eq!(refused(&action), reason);
        let mut action = bench.sh(":");
        action.host_paths = vec!["/usr".into()];
        assert_eq!(refused(&action), "the host path `/usr` of an action is too wide");
        assert_eq!(refused(&bench.action(&["sh"])), "the program `sh` of an action is not an absolute path");
    });
}
