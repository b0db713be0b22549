//! How much memory there is for us, and for one cell.
//!
//! Knows /proc/meminfo and the memory limits of control groups, a container's
//! among them. Must never know what the memory is used for.

use std::fs;
use std::path::Path;

use super::cgroup::own_group;

/// What one cell's file systems in memory may hold, bytes. They are filled
/// with the same memory, so all of them together stay within its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// `/build`.
    pub build: u64,
    /// `/tmp`.
    pub tmp: u64,
    /// `/dev/shm`.
    pub shm: u64,
}

/// Less than this no program can do anything with.
const LEAST: u64 = 1 << 20;

/// Half of what is free, for so many cells at once, within what one build may
/// have: memory it fills with files it has not for itself.
pub(super) fn shares(free: u64, jobs: usize, limit: u64) -> Shares {
    let cell = (free / 2 / jobs.max(1) as u64).min(limit / 4 * 3);
    Shares { build: (cell / 4 * 3).max(LEAST), tmp: (cell / 8).max(LEAST), shm: (cell / 8).max(LEAST) }
}

/// Bytes that can be had now: what the machine has available, or what a
/// container's limit leaves of it.
pub(super) fn free() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let machine = kilobytes.unwrap_or(1 << 20) * 1024;
    tightest().map_or(machine, |tightest| machine.min(tightest.left))
}

/// A limit over this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tightest {
    /// Bytes allowed.
    pub limit: u64,
    /// Bytes not used of it; files nobody uses count as free.
    pub left: u64,
}

/// The limit, of all control groups this process is in, that leaves least.
pub(super) fn tightest() -> Option<Tightest> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let v2 = own_group(&own, &mounts, "cgroup2", "").map(|place| (place, V2));
    let v1 = own_group(&own, &mounts, "cgroup", "memory").map(|place| (place, V1));
    let groups = v2.into_iter().chain(v1);
    groups.filter_map(|((folder, top), files)| above(&folder, &top, &files)).min_by_key(|group| group.left)
}

struct Files {
    limit: &'static str,
    usage: &'static str,
    idle: &'static str,
}

const V2: Files = Files { limit: "memory.max", usage: "memory.current", idle: "inactive_file " };
const V1: Files =
    Files { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", idle: "total_inactive_file " };

/// Of a group and the ones it lies in, as far as they show.
fn above(folder: &Path, top: &Path, files: &Files) -> Option<Tightest> {
    let here = |group: &Path| {
        let number = |name: &str| fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
        // "max" is no number, and v1's "no limit" larger than any machine.
        let limit = number(files.limit).filter(|limit| *limit < 1 << 60)?;
        let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
        let idle = stat.lines().find_map(|line| line.strip_prefix(files.idle)?.trim().parse::<u64>().ok());
        let used = number(files.usage)?.saturating_sub(idle.unwrap_or(0));
        Some(Tightest { limit, left: limit.saturating_sub(used) })
    };
    folder
        .ancestors()
        .take_while(|group| group.starts_with(top))
        .filter_map(here)
        .min_by_key(|group| group.left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cells_together_stay_within_half_of_what_is_free() {
        for (free, jobs, limit) in [(16 << 30, 1, 8 << 30), (16 << 30, 8, 8 << 30), (64 << 30, 2, 1 << 30)] {
            let Shares { build, tmp, shm } = shares(free, jobs, limit);
            let all = build + tmp + shm;
            assert!(all * jobs as u64 <= free / 2 && all < limit, "{free} {jobs} {limit}: {all}");
        }
        assert_eq!(shares(0, 4, 0), Shares { build: LEAST, tmp: LEAST, shm: LEAST });
    }

    #[test]
    fn the_tightest_limit_above_us_counts() {
        let top = tempfile::tempdir().unwrap();
        let own = top.path().join("a/b");
        fs::create_dir_all(&own).unwrap();
        let write = |folder: &Path, limit: &str, used: &str, stat: &str| {
            fs::write(folder.join("memory.max"), limit).unwrap();
            fs::write(folder.join("memory.current"), used).unwrap();
            fs::write(folder.join("memory.stat"), stat).unwrap();
        };
        write(&own, "max\n", "50\n", "");
        assert_eq!(above(&own, top.path(), &V2), None);
        write(&top.path().join("a"), "1000\n", "700\n", "anon 500\ninactive_file 200\n");
        assert_eq!(above(&own, top.path(), &V2), Some(Tightest { limit: 1000, left: 500 }));
        write(&own, "100\n", "130\n", "inactive_file 10\n");
        assert_eq!(above(&own, top.path(), &V2), Some(Tightest { limit: 100, left: 0 }));
    }
}
