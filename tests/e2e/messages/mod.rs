//! Everything that can be wrong, and the words a stranger reads about it.

mod archives;
mod backends;
mod checks;
mod machine;
mod network;
mod recipes;

use crate::world::World;

/// Runs the verb, which must fail with this code. What it says, without live
/// lines (whose order is nobody's) and logs (which differ between versions of
/// Python).
#[track_caller]
fn refusal(world: &World, code: i32, args: &[&str]) -> String {
    settled(&world.fails(code, &[&["--quiet"], args].concat()).stderr)
}

fn settled(stderr: &str) -> String {
    let mut out = String::new();
    let mut log = false;
    for line in stderr.lines() {
        let text = line.trim_start();
        log = log && text.starts_with('|');
        let live = line.starts_with("      ") && text.starts_with("FAILED ");
        // These tests are about the failure, not about what stands behind it.
        let behind = line.starts_with("not reached because of ");
        if !log && !live && !behind {
            out.push_str(line);
            out.push('\n');
        }
        log = log || text.starts_with("the log ends so");
    }
    out
}
