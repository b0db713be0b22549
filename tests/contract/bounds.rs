//! Limits hold, and breaking one is a result.

use builder::exec::action::{Exit, Level};

use crate::bench::{at, path, text};

const ALL: &[Level] = &[Level::Env, Level::Landlock, Level::Full];
const KEPT: &[Level] = &[Level::Landlock, Level::Full];

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
