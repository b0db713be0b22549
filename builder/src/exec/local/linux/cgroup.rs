//! A control group for one action, where this process may make one.
//!
//! Knows cgroup v2 (delegated) and v1 (writable). Never required: rlimits
//! bound an action without it. Must never move another process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exec::action::Limits;

/// Where groups can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parents {
    /// One folder with both controllers.
    V2(PathBuf),
    /// A folder for memory, one for pids.
    V1 {
        /// Of the memory controller.
        memory: PathBuf,
        /// Of the pids controller.
        pids: PathBuf,
    },
}

/// Makes groups, and removes the ones that were still busy when they ended.
pub(super) struct Groups {
    parents: Option<Parents>,
    leftover: Mutex<Vec<PathBuf>>,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

impl Groups {
    /// Looks at this process' own groups once.
    pub fn look() -> Self {
        Self { parents: parents(), leftover: Mutex::new(Vec::new()) }
    }

    /// Where, for `doctor`.
    pub fn parents(&self) -> Option<&Parents> {
        self.parents.as_ref()
    }

    /// A group with these limits; `None` where none can be made.
    pub fn make(&self, limits: &Limits) -> Option<Group<'_>> {
        self.sweep();
        let name = format!("wheelwright-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let made = match self.parents.as_ref()? {
            Parents::V2(parent) => {
                let folder = parent.join(&name);
                fs::create_dir(&folder).ok()?;
                let group =
                    Group { groups: self, folders: vec![folder.clone()], peak: folder.join("memory.peak") };
                write(&folder.join("memory.max"), limits.memory)?;
                write(&folder.join("memory.swap.max"), 0);
                write(&folder.join("pids.max"), limits.processes)?;
                group
            }
            Parents::V1 { memory, pids } => {
                let (memory, pids) = (memory.join(&name), pids.join(&name));
                fs::create_dir(&memory).ok()?;
                let peak = memory.join("memory.max_usage_in_bytes");
                let mut group = Group { groups: self, folders: vec![memory.clone()], peak };
                fs::create_dir(&pids).ok()?;
                group.folders.push(pids.clone());
                write(&memory.join("memory.limit_in_bytes"), limits.memory)?;
                write(&pids.join("pids.max"), limits.processes)?;
                group
            }
        };
        Some(made)
    }

    fn sweep(&self) {
        let mut leftover = self.leftover.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        leftover.retain(|folder| fs::remove_dir(folder).is_err() && folder.exists());
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// One action's group; removed when dropped.
pub(super) struct Group<'a> {
    groups: &'a Groups,
    folders: Vec<PathBuf>,
    peak: PathBuf,
}

impl Group<'_> {
    /// Puts a process that has no children yet into it.
    pub fn add(&self, pid: u64) {
        for folder in &self.folders {
            // The rlimits hold should the group have gone.
            let _ = fs::write(folder.join("cgroup.procs"), pid.to_string());
        }
    }

    /// Highest memory so far, bytes.
    pub fn peak(&self) -> Option<u64> {
        fs::read_to_string(&self.peak).ok()?.trim().parse().ok()
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        for folder in &self.folders {
            if fs::remove_dir(folder).is_err() {
                let mut leftover =
                    self.groups.leftover.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                leftover.push(folder.clone());
            }
        }
    }
}

fn write(file: &Path, value: u64) -> Option<()> {
    fs::write(file, value.to_string()).ok()
}

/// Which folders of /sys/fs/cgroup are ours and writable.
fn parents() -> Option<Parents> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    find(&own, &mounts).into_iter().find(usable)
}

fn usable(parents: &Parents) -> bool {
    let writable = |folder: &Path| rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok();
    match parents {
        Parents::V1 { memory, pids } => writable(memory) && writable(pids),
        Parents::V2(folder) => {
            let control = folder.join("cgroup.subtree_control");
            let has = || {
                let enabled = fs::read_to_string(&control).unwrap_or_default();
                ["memory", "pids"].iter().all(|c| enabled.split_ascii_whitespace().any(|e| e == *c))
            };
            // Enabling works for the root group and for groups without processes.
            writable(folder) && (has() || (fs::write(&control, "+memory +pids").is_ok() && has()))
        }
    }
}

/// From /proc/self/cgroup and /proc/self/mountinfo: the candidates, v2 first.
fn find(own: &str, mounts: &str) -> Vec<Parents> {
    let path_of = |controller: &str| {
        own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (names, path) = (fields.next()?, fields.next()?);
            names.split(',').any(|name| name == controller).then(|| path.to_owned())
        })
    };
    // "id parent dev root mount-point options … - type source super-options"
    let mount_of = |kind: &str, controller: &str| {
        mounts.lines().find_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut right = right.split(' ');
            let (this, options) = (right.next()?, right.nth(1).unwrap_or_default());
            let mut left = left.split(' ').skip(3);
            let (root, point) = (left.next()?, left.next()?);
            let fits = this == kind && (controller.is_empty() || options.split(',').any(|o| o == controller));
            fits.then(|| (root.to_owned(), point.to_owned()))
        })
    };
    let folder = |kind: &str, controller: &str| {
        let (path, (root, point)) = (path_of(controller)?, mount_of(kind, controller)?);
        let below = if root == "/" { path.as_str() } else { path.strip_prefix(&root)? };
        Some(Path::new(&point).join(below.trim_start_matches('/')))
    };
    let v2 = folder("cgroup2", "").map(Parents::V2);
    let v1 = folder("cgroup", "memory")
        .zip(folder("cgroup", "pids"))
        .map(|(memory, pids)| Parents::V1 { memory, pids });
    v2.into_iter().chain(v1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_follow_from_the_two_files_of_proc() {
        let own = "8:pids:/\n4:cpu,memory:/box/a\n0::/user/x\n";
        let mounts = "1 2 0:3 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
                      1 2 0:4 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                      1 2 0:5 /user /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let v1 =
            Parents::V1 { memory: "/sys/fs/cgroup/memory/box/a".into(), pids: "/sys/fs/cgroup/pids/".into() };
        assert_eq!(find(own, mounts), [Parents::V2("/sys/fs/cgroup/unified/x".into()), v1]);
    }
}
