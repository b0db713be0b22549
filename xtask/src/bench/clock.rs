//! What one command costs: wall clock, processor time, and what the machine
//! did besides.
//!
//! Knows `/proc`. Must never know what is measured.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// `/proc` counts processor time in hundredths of a second on every Linux
/// (USER_HZ is part of its interface).
const TICKS: f64 = 100.0;

/// What a command took, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// From start to end.
    pub wall: f64,
    /// Of all processes it started.
    pub cpu: f64,
    /// Of everybody else on the machine meanwhile.
    pub others: f64,
}

/// Runs a command to its end, its output in `log`.
pub fn timed(command: &mut Command, log: &Path) -> Result<(Took, ExitStatus), String> {
    let told = |e: std::io::Error| format!("failed to run `{}`: {e}", command.get_program().display());
    let out = File::create(log).map_err(|e| format!("failed to write `{}`: {e}", log.display()))?;
    let errors = File::create(log.with_extension("err")).map_err(told)?;
    command.stdin(Stdio::null()).stdout(out).stderr(errors);
    let (before, start) = (ticks()?, Instant::now());
    let status = command.status();
    let (wall, after) = (start.elapsed().as_secs_f64(), ticks()?);
    let told = |e: std::io::Error| format!("failed to run `{}`: {e}", command.get_program().display());
    let [ended, own, busy] = [0, 1, 2].map(|i| after[i] - before[i]);
    Ok((Took { wall, cpu: ended, others: (busy - ended - own).max(0.0) }, status.map_err(told)?))
}

/// Seconds so far: of our ended children, of ourselves, of the whole machine
/// (with what the host took from it).
fn ticks() -> Result<[f64; 3], String> {
    let read = |path: &str| {
        std::fs::read_to_string(path)
            .map_err(|e| format!("failed to read `{path}`: {e}\nhint: the bench needs Linux"))
    };
    let own = read("/proc/self/stat")?;
    // The program's name stands in parentheses and may hold anything.
    let own = numbers(own.rsplit(')').next().unwrap_or_default());
    let machine = read("/proc/stat")?;
    let machine = numbers(machine.lines().next().unwrap_or_default());
    let sum = |of: &[f64], places: &[usize]| places.iter().filter_map(|i| of.get(*i)).sum::<f64>() / TICKS;
    Ok([sum(&own, &[13, 14]), sum(&own, &[11, 12]), sum(&machine, &[1, 2, 3, 6, 7, 8])])
}

/// The words of a line; what is no number counts as nothing.
fn numbers(line: &str) -> Vec<f64> {
    line.split_whitespace().map(|word| word.parse().unwrap_or(0.0)).collect()
}
