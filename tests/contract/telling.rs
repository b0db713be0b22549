//! What a fork server owes to its children's callers, and does not always do.

use std::time::{Duration, Instant};

use builder::exec::action::{Exit, Level};

use crate::bench::{Bench, at, text};
use crate::serving::{run_all, served, warm_log};

const FULL: &[Level] = &[Level::Full];

/// Hangs when it is to fork while a child of it builds.
const HANGS: &str = r#"
class Server(Server):
    def begin(self, *given):
        if self.ends: time.sleep(1000)
        super().begin(*given)
"#;

#[test]
fn a_server_that_hangs_meanwhile_does_not_keep_a_build_for_ever() {
    at("telling::a_server_that_hangs_meanwhile_does_not_keep_a_build_for_ever", FULL, |bench| {
        let mut bench = Bench::new(bench.level);
        bench.options.server_patience = Duration::from_secs(2);
        let busy = "import time\nwhile time.process_time() < 0.2: pass\nprint('built')";
        let began = Instant::now();
        let result = &run_all(&bench, &[served(&bench, busy, HANGS)])[0];
        assert_eq!((result.exit, text(result).as_str()), (Exit::Code(0), "built\n"));
        assert!(began.elapsed() < Duration::from_secs(90), "until its timeout");
    });
}

/// Its server is the parent of what this leaves.
const SIBLING: &str = r#"
import ctypes, os, signal
number, parent = {'x86_64': 56}.get(os.uname().machine, 220), 0x8000
if ctypes.CDLL(None).syscall(number, parent | signal.SIGCHLD, 0, 0, 0, 0) == 0:
    while True: signal.pause()
print('left one')
"#;

#[test]
fn what_a_build_leaves_to_its_server_holds_nobody_up() {
    at("telling::what_a_build_leaves_to_its_server_holds_nobody_up", FULL, |bench| {
        // The second would find a server that was killed for the first.
        for result in run_all(bench, &vec![served(bench, SIBLING, ""); 2]) {
            assert_eq!(warm_log(&result), "left one\n");
        }
    });
}
