//! What one command costs: wall clock, processor time, memory, and what the
//! machine did besides.
//!
//! Knows `/proc`. Must never know what is measured.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// `/proc` counts processor time in hundredths of a second on every Linux
/// (USER_HZ is part of its interface).
const TICKS: f64 = 100.0;
/// How often the memory is looked at. The kernel keeps the highest value, so
/// only what is new in the last of these moments goes unseen.
const LOOK: Duration = Duration::from_millis(5);

/// What a command took, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// From start to end.
    pub wall: f64,
    /// Of all processes it started.
    pub cpu: f64,
    /// Of everybody else on the machine meanwhile.
    pub others: f64,
    /// The most memory its first process had at once, in MB: of that process
    /// alone, none of those that it started. `None` where it ended before the
    /// first look.
    pub peak: Option<f64>,
}

/// Runs a command to its end, its output in `log`.
pub fn timed(command: &mut Command, log: &Path) -> Result<(Took, ExitStatus), String> {
    let program = command.get_program().display().to_string();
    let told = |e: std::io::Error| format!("failed to run `{program}`: {e}");
    let out = File::create(log).map_err(|e| format!("failed to write `{}`: {e}", log.display()))?;
    let errors = File::create(log.with_extension("err")).map_err(told)?;
    command.stdin(Stdio::null()).stdout(out).stderr(errors);
    let (before, start) = (ticks()?, Instant::now());
    let mut child = command.spawn().map_err(told)?;
    let page = File::open(format!("/proc/{}/status", child.id()));
    let (running, ended) = channel::<()>();
    let (status, wall, peak) = std::thread::scope(|scope| {
        let watch = scope.spawn(move || page.ok().and_then(|page| highest(page, &ended)));
        let status = child.wait();
        let wall = start.elapsed().as_secs_f64();
        drop(running);
        (status, wall, watch.join().unwrap_or_default())
    });
    let after = ticks()?;
    let [ended, own, busy] = [0, 1, 2].map(|i| after[i] - before[i]);
    Ok((Took { wall, cpu: ended, others: (busy - ended - own).max(0.0), peak }, status.map_err(told)?))
}

/// Looks at a process' page until it has ended. The open page stays that of
/// this process, whoever gets its number next.
fn highest(mut page: File, ended: &Receiver<()>) -> Option<f64> {
    let mut peak = None;
    loop {
        let mut text = String::new();
        if page.rewind().and_then(|()| page.read_to_string(&mut text)).is_ok() {
            // Lower than before: it became another program.
            peak = [peak, high_water(&text)].into_iter().flatten().reduce(f64::max);
        }
        if ended.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
            return peak;
        }
    }
}

/// The most memory that `/proc/PID/status` tells of, in MB.
fn high_water(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// Seconds so far: of our ended children, of ourselves, of the whole machine
/// (with what the host took from it).
pub fn ticks() -> Result<[f64; 3], String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernels_page() {
        let page = "Name:\twheelwright\nVmPeak:\t  900000 kB\nVmHWM:\t   50000 kB\nVmRSS:\t 10 kB\n";
        assert_eq!(high_water(page), Some(51.2));
        assert_eq!(high_water("Name:\tended\nState:\tZ (zombie)\n"), None, "a zombie has no memory");
    }

    #[test]
    fn a_command_is_timed_to_its_end_and_its_own_memory_seen() {
        let log = std::env::temp_dir().join(format!("xtask-clock-{}", std::process::id()));
        // Both gather 16 MB, and take far longer than a look; only the first has it itself.
        let hold = "x=$(head -c 16000000 /dev/zero | tr '\\0' x); test $x";
        let peak = |script: &str| {
            let (took, status) = timed(Command::new("sh").args(["-c", script]), &log).unwrap();
            assert!(status.success() && took.wall > 0.0, "{took:?}");
            took.peak.unwrap()
        };
        let (own, childs) = (peak(hold), peak(&format!("sh -c \"{}\"; true", hold.replace('$', "\\$"))));
        for end in ["", "err"] {
            std::fs::remove_file(log.with_extension(end)).unwrap();
        }
        assert!(own > 14.0, "{own}");
        assert!(childs < 8.0, "{childs}");
    }
}
