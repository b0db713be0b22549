//! Limits hold, and breaking one is a result.

use builder::exec::Stop;
use builder::exec::action::{Exit, Level};
use builder::exec::local::BuildOn;

use crate::bench::{Bench, at, path, text, uid};
use crate::ending::{processes, until};

const ALL: &[Level] = &[Level::Env, Level::Landlock, Level::Full];
const KEPT: &[Level] = &[Level::Landlock, Level::Full];
const FULL: &[Level] = &[Level::Full];

#[test]
fn a_hundred_megabytes_of_log_are_bounded_and_counted() {
    at("bounds::a_hundred_megabytes_of_log_are_bounded_and_counted", ALL, |bench| {
        let mut action =
            bench.sh("echo first; yes 0123456789abcde | head -c 100000000; echo; echo last >&2; exit 7");
        action.limits.log = 1 << 20;
        let result = bench.run(&action);
        assert_eq!(result.exit, Exit::Code(7));
        let log = text(&result);
        assert!(log.starts_with("first\n0123456789abcde\n"));
        assert!(log.ends_with("last\n"));
        assert!(log.len() < (1 << 20) + 100);
        let gap = format!("\n[{} bytes of log dropped here]\n", result.log_dropped);
        assert_eq!(log.len() as u64 - gap.len() as u64 + result.log_dropped, 100_000_000 + 6 + 1 + 5);
    });
}

#[test]
fn terminal_escapes_are_stripped() {
    at("bounds::terminal_escapes_are_stripped", ALL, |bench| {
        let log = bench.log(&bench.sh("printf '\\033[31mred\\033[0m \\033]0;title\\007x\\rnext\\n'"));
        assert_eq!(log, "red x\nnext\n");
    });
}

#[test]
fn a_huge_file_is_refused() {
    at("bounds::a_huge_file_is_refused", KEPT, |bench| {
        let mut action = bench.sh("head -c 20000000 /dev/zero > big; code=$?; stat -c %s big; exit $code");
        action.limits.file_size = 10_000_000;
        let result = bench.run(&action);
        assert!(matches!(result.exit, Exit::Code(code) if code != 0), "{:?}", result.exit);
        assert!(text(&result).contains("10000000"), "{}", text(&result));
    });
}

#[test]
fn outputs_larger_than_their_limit_are_not_taken() {
    at("bounds::outputs_larger_than_their_limit_are_not_taken", ALL, |bench| {
        let mut action = bench.sh("head -c 1000 /dev/zero > small; truncate -s 5G sparse");
        action.outputs = vec![path("small"), path("sparse")];
        action.limits.output = 1500;
        let result = bench.run(&action);
        let reason = "it is larger than what is left of the outputs' limit, 500 bytes";
        assert_eq!(result.missing, [(path("sparse"), reason.to_owned())]);
        assert_eq!(std::fs::metadata(result.outputs.path().join("small")).unwrap().len(), 1000);
    });
}

#[test]
fn a_fork_bomb_is_bounded() {
    at("bounds::a_fork_bomb_is_bounded", KEPT, |bench| {
        let mut action = bench.python(
            "import os, signal\nn = 0\ntry:\n  while n < 1000:\n    if os.fork() == 0: signal.pause()\n    n += 1\n\
             except OSError as e: print('refused')\nprint(n < 64)",
        );
        action.limits.processes = 64;
        assert_eq!(bench.log(&action), "refused\nTrue\n");
    });
}

#[test]
fn a_fork_bomb_does_not_hurt_its_neighbour() {
    at("bounds::a_fork_bomb_does_not_hurt_its_neighbour", KEPT, |bench| {
        if bench.level == Level::Landlock && uid() != 0 {
            // The same user for the kernel, which counts all its processes in one.
            return;
        }
        // Says when it has all it gets, and then keeps it.
        let mut bomb = bench.python(
            "import os, signal\ntry:\n  while True:\n    if os.fork() == 0: signal.pause()\n\
             except OSError: print('full', flush=True); signal.pause()",
        );
        let marker = format!("bomb-{}-{}", std::process::id(), bench.level.word());
        bomb.argv.push(marker.clone());
        bomb.limits.processes = 64;
        let mut innocent = bench.sh("i=0; while [ $i -lt 40 ]; do sleep 100 & i=$((i + 1)); done; echo $i");
        innocent.limits.processes = 64;
        let stop = Stop::new().unwrap();
        std::thread::scope(|scope| {
            let bombing = scope.spawn(|| bench.run_until(&bomb, &stop));
            until(|| (processes(&marker).len() >= 60).then_some(()));
            let met = bench.run(&innocent);
            stop.stop();
            let result = bombing.join().unwrap();
            assert_eq!((met.exit, text(&met).as_str()), (Exit::Code(0), "40\n"));
            assert_eq!((result.exit, text(&result).as_str()), (Exit::Stopped, "full\n"));
        });
    });
}

#[test]
fn files_in_memory_are_bounded() {
    at("bounds::files_in_memory_are_bounded", FULL, |bench| {
        let mut bench = Bench::new(bench.level);
        bench.options.build_on = BuildOn::Disk;
        let mut action = bench.sh("head -c 400000000 /dev/zero > /dev/shm/x; stat -c %s /dev/shm/x; exit 5");
        action.limits.memory = 100 << 20;
        let result = bench.run(&action);
        assert_eq!(result.exit, Exit::Code(5), "{}", text(&result));
        let size: u64 = text(&result).lines().last().unwrap().parse().unwrap();
        assert!(size <= 10 << 20, "{}", text(&result));
    });
}

#[test]
fn a_build_too_large_for_memory_runs_on_disk() {
    at("bounds::a_build_too_large_for_memory_runs_on_disk", FULL, |bench| {
        let mut bench = Bench::new(bench.level);
        bench.options.build_on = BuildOn::Memory;
        for folder in ["/build", "/tmp"] {
            // What did not fit is gone at the end, as with many tools.
            let mut action = bench.sh(&format!(
                "if head -c 150000000 /dev/zero > {folder}/x; then stat -c %s {folder}/x; else rm {folder}/x; exit 1; fi"
            ));
            action.limits.memory = 100 << 20;
            assert_eq!(bench.log(&action), "150000000\n");
        }
        // Its own fault is no reason for another try.
        let mut action = bench.sh("cat made-before 2>/dev/null; echo tried; echo x > made-before; exit 9");
        action.limits.memory = 100 << 20;
        assert_eq!(text(&bench.run(&action)), "tried\n");
    });
}

#[test]
fn a_memory_bomb_is_bounded() {
    at("bounds::a_memory_bomb_is_bounded", KEPT, |bench| {
        let mut action = bench.python(
            "kept = []\ntry:\n  for i in range(1024): kept.append(bytearray(b'x') * (1 << 20))\n\
             except MemoryError: kept.clear(); print('refused'); raise SystemExit(9)",
        );
        action.limits.memory = 200 << 20;
        let result = bench.run(&action);
        let by_itself = result.exit == Exit::Code(9) && text(&result) == "refused\n";
        assert!(by_itself || result.exit == Exit::Signal(9), "{:?} {}", result.exit, text(&result));
        assert!(result.peak_memory.is_none_or(|peak| peak <= 200 << 20), "{:?}", result.peak_memory);
    });
}
