//! How urgent a task is: the time from its start to the end of the run.
//!
//! Knows expected durations. Must never know lanes or results.

use std::time::Duration;

use super::Task;

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
