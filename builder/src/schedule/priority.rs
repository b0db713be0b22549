//! How urgent a task is: the time from its start to the end of the run; and
//! how long all of it takes.
//!
//! Knows expected durations. Must never know results.

use std::time::Duration;

use super::{Lane, Lanes, Task};

/// For each task, its expected time plus the longest chain that waits for it.
/// Tasks must be in topological order (`needs` smaller than the own index).
pub fn longest_path(tasks: &[Task]) -> Vec<Duration> {
    let mut path: Vec<Duration> = tasks.iter().map(|t| t.expected).collect();
    for i in (0..tasks.len()).rev() {
        for &need in &tasks[i].needs {
            path[need] = path[need].max(tasks[need].expected + path[i]);
        }
    }
    path
}

/// How long the build of a package takes that was never built: by whether it
/// compiles and, where it is known, by the bytes of its source. Rough, but the
/// long native builds of a first run start before the short pure ones.
pub fn first_guess(native: bool, bytes: Option<u64>) -> Duration {
    // Seen over the corpus: numpy's 20 MB take minutes, ujson's 7 kB seconds.
    let (start, per_megabyte) = if native { (4_000, 6_000) } else { (400, 100) };
    let typical = if native { 1 << 20 } else { 200 << 10 };
    Duration::from_millis(start + bytes.unwrap_or(typical).min(1 << 30) * per_megabyte / (1 << 20))
}

/// How long tasks take at least: their longest chain, or all of a lane's
/// tasks shared out among its workers, whichever is longer.
pub fn estimate(tasks: &[Task], lanes: &Lanes) -> Duration {
    let chain = longest_path(tasks).into_iter().max().unwrap_or_default();
    let shared = |lane: Lane, workers: usize| {
        let sum: Duration = tasks.iter().filter(|t| t.lane == lane).map(|t| t.expected).sum();
        sum / u32::try_from(workers.max(1)).unwrap_or(u32::MAX)
    };
    chain.max(shared(Lane::Cpu, lanes.jobs)).max(shared(Lane::Network, lanes.downloads))
}
