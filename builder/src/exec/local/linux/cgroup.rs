//! A control group for one action, where this process may make one.
//!
//! Knows cgroup v2 (delegated) and v1 (writable). Never required: rlimits
//! bound an action without it. Must never move another process than this one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

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
#[derive(Clone)]
pub(super) struct Groups {
    parents: Option<Parents>,
    leftover: Arc<Mutex<Vec<PathBuf>>>,
}

static COUNT: AtomicU64 = AtomicU64::new(0);
/// Looked for once a process: looking may have moved it.
static PARENTS: OnceLock<Option<Parents>> = OnceLock::new();
/// What our groups' names begin with; the process id follows.
const NAME: &str = "wheelwright-";

impl Groups {
    /// Looks at this process' own groups once, and removes what runs that
    /// were killed left in them.
    pub fn look() -> Self {
        let parents = PARENTS.get_or_init(|| {
            let found = parents();
            for folder in found.iter().flat_map(Parents::folders) {
                sweep_dead(folder, Path::new("/proc"));
            }
            found
        });
        Self { parents: parents.clone(), leftover: Arc::default() }
    }

    /// Where, for `doctor`.
    pub fn parents(&self) -> Option<&Parents> {
        self.parents.as_ref()
    }

    /// A group with these limits; `None` where none can be made.
    pub fn make(&self, limits: &Limits) -> Option<Group> {
        self.sweep();
        let parents = self.parents.as_ref()?;
        let version = if matches!(parents, Parents::V2(_)) { 2 } else { 1 };
        let mut group = Group { leftover: Arc::clone(&self.leftover), folders: Vec::new(), version };
        for parent in parents.folders() {
            group.folders.push(new_folder(parent)?);
        }
        let (memory, pids) = (group.folders.first()?, group.folders.last()?);
        if version == 2 {
            write(&memory.join("memory.max"), limits.memory)?;
            write(&memory.join("memory.swap.max"), 0);
        } else {
            write(&memory.join("memory.limit_in_bytes"), limits.memory)?;
        }
        write(&pids.join("pids.max"), limits.processes)?;
        Some(group)
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
pub(super) struct Group {
    leftover: Arc<Mutex<Vec<PathBuf>>>,
    folders: Vec<PathBuf>,
    version: u8,
}

impl Group {
    /// Puts a process that has no children yet into it.
    pub fn add(&self, pid: u64) {
        for folder in &self.folders {
            // The rlimits hold should the group have gone.
            let _ = fs::write(folder.join("cgroup.procs"), pid.to_string());
        }
    }

    /// Highest memory so far, bytes.
    pub fn peak(&self) -> Option<u64> {
        let name = if self.version == 2 { "memory.peak" } else { "memory.max_usage_in_bytes" };
        fs::read_to_string(self.folders.first()?.join(name)).ok()?.trim().parse().ok()
    }

    /// Whether the kernel ended something in it for want of memory.
    pub fn ran_out_of_memory(&self) -> bool {
        let name = if self.version == 2 { "memory.events" } else { "memory.oom_control" };
        let text = self.folders.first().and_then(|folder| fs::read_to_string(folder.join(name)).ok());
        text.is_some_and(|text| number_after(&text, "oom_kill").is_some_and(|times| times > 0))
    }

    /// Ends whatever is still in it: the init did so already, unless it was
    /// hindered.
    pub fn end(&self) {
        for folder in &self.folders {
            // Since Linux 5.14; elsewhere process by process.
            if self.version == 2 && fs::write(folder.join("cgroup.kill"), "1").is_ok() {
                continue;
            }
            // A fork may be faster than one look, never than many.
            for _ in 0..64 {
                let procs = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
                let pids: Vec<_> =
                    procs.lines().filter_map(|l| rustix::process::Pid::from_raw(l.parse().ok()?)).collect();
                if pids.is_empty() {
                    break;
                }
                for pid in pids {
                    // One that is gone meanwhile needs no end.
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            if fs::remove_dir(folder).is_err() {
                let mut leftover = self.leftover.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                leftover.push(folder.clone());
            }
        }
    }
}

fn write(file: &Path, value: u64) -> Option<()> {
    fs::write(file, value.to_string()).ok()
}

/// A new folder for a group below `parent`; a process of another pid
/// namespace may have our number, and its groups here.
fn new_folder(parent: &Path) -> Option<PathBuf> {
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("{NAME}{}-{number}", std::process::id()));
        match fs::create_dir(&folder) {
            Ok(()) => return Some(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => return None,
        }
    }
}

/// Removes the groups whose process is gone. One that holds processes stays.
fn sweep_dead(parent: &Path, proc: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(NAME)?.split('-').next());
        let dead = pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && !proc.join(pid).exists());
        if dead {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The number after a word at the start of a line.
fn number_after(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.trim().parse().ok())
}

impl Parents {
    fn folders(&self) -> Vec<&Path> {
        match self {
            Parents::V2(folder) => vec![folder],
            Parents::V1 { memory, pids } => vec![memory, pids],
        }
    }
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
            writable(folder)
                && prepare(folder, std::process::id(), &|folder, what| {
                    fs::write(folder.join("cgroup.subtree_control"), what).is_ok()
                })
        }
    }
}

const CONTROLLERS: [&str; 2] = ["memory", "pids"];

fn lists(file: &Path, controllers: &[&str]) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    controllers.iter().all(|wanted| text.split_ascii_whitespace().any(|one| one == *wanted))
}

/// Makes a v2 group hand its controllers to groups below it. It cannot while
/// it holds processes itself (but for the root of all groups), and it holds
/// us: then this process moves to a group of its own below it. With somebody
/// else's process in it nothing helps, and everything is as it was.
fn prepare(folder: &Path, pid: u32, control: &dyn Fn(&Path, &str) -> bool) -> bool {
    let enable = || {
        let file = folder.join("cgroup.subtree_control");
        lists(&file, &CONTROLLERS) || (control(folder, "+memory +pids") && lists(&file, &CONTROLLERS))
    };
    if !lists(&folder.join("cgroup.controllers"), &CONTROLLERS) {
        return false;
    }
    if enable() {
        return true;
    }
    let own = folder.join(format!("{NAME}{pid}"));
    if fs::create_dir(&own).is_err() {
        return false;
    }
    let enter = |group: &Path| fs::write(group.join("cgroup.procs"), pid.to_string()).is_ok();
    if enter(&own) && enable() {
        return true;
    }
    // Should the way back fail, we stay in a group without limits.
    let _ = enter(folder);
    let _ = fs::remove_dir(&own);
    false
}

/// From /proc/self/cgroup and /proc/self/mountinfo: the candidates, v2 first.
fn find(own: &str, mounts: &str) -> Vec<Parents> {
    let folder = |kind, controller| Some(own_group(own, mounts, kind, controller)?.0);
    let v2 = folder("cgroup2", "").map(Parents::V2);
    let v1 = folder("cgroup", "memory")
        .zip(folder("cgroup", "pids"))
        .map(|(memory, pids)| Parents::V1 { memory, pids });
    v2.into_iter().chain(v1).collect()
}

/// The folder of our own group, and the mount point it lies below.
pub(super) fn own_group(own: &str, mounts: &str, kind: &str, controller: &str) -> Option<(PathBuf, PathBuf)> {
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
    let (path, (root, point)) = (path_of(controller)?, mount_of(kind, controller)?);
    let below = if root == "/" { path.as_str() } else { path.strip_prefix(&root)? };
    let point = PathBuf::from(point);
    Some((point.join(below.trim_start_matches('/')), point))
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

    /// A delegated group as the kernel shows it, in plain files.
    fn delegated(controllers: &str) -> tempfile::TempDir {
        let group = tempfile::tempdir().unwrap();
        fs::write(group.path().join("cgroup.controllers"), controllers).unwrap();
        fs::write(group.path().join("cgroup.subtree_control"), "").unwrap();
        group
    }

    /// What a write to `cgroup.subtree_control` does while `others` are in the
    /// group and until this process has left it.
    fn kernel(others: bool) -> impl Fn(&Path, &str) -> bool {
        move |group, what| {
            let left = fs::read_to_string(group.join("wheelwright-7/cgroup.procs")).is_ok_and(|p| p == "7");
            let allowed = left && !others;
            if allowed {
                let on: Vec<&str> = what.split(' ').map(|word| word.trim_start_matches('+')).collect();
                fs::write(group.join("cgroup.subtree_control"), on.join(" ")).unwrap();
            }
            allowed
        }
    }

    #[test]
    fn this_process_leaves_a_group_that_is_to_have_groups() {
        let group = delegated("cpu memory pids");
        assert!(prepare(group.path(), 7, &kernel(false)));
        assert_eq!(fs::read_to_string(group.path().join("wheelwright-7/cgroup.procs")).unwrap(), "7");
        // Another executor of this process finds it done.
        assert!(prepare(group.path(), 7, &|_, _| panic!("it was enabled already")));
    }

    #[test]
    fn a_group_of_others_stays_as_it_was() {
        let group = delegated("memory pids");
        assert!(!prepare(group.path(), 7, &kernel(true)));
        assert_eq!(fs::read_to_string(group.path().join("cgroup.procs")).unwrap(), "7", "moved back");
        // Without the controllers nobody is moved at all.
        let group = delegated("cpu io");
        assert!(!prepare(group.path(), 7, &kernel(false)));
        assert!(!group.path().join("wheelwright-7").exists());
    }

    #[test]
    fn groups_of_dead_processes_are_swept() {
        let (parent, proc) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(proc.path().join("11")).unwrap();
        for name in ["wheelwright-11-0", "wheelwright-12-0", "wheelwright-12", "wheelwright-x-1", "other-12"]
        {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        fs::create_dir(parent.path().join("wheelwright-13-0")).unwrap();
        fs::write(parent.path().join("wheelwright-13-0/busy"), "").unwrap();
        sweep_dead(parent.path(), proc.path());
        let mut left: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["other-12", "wheelwright-11-0", "wheelwright-13-0", "wheelwright-x-1"]);
    }

    #[test]
    fn a_name_that_is_taken_is_passed_over() {
        let parent = tempfile::tempdir().unwrap();
        let taken = new_folder(parent.path()).unwrap();
        let number: u64 = taken.to_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        for next in 1..20 {
            let name = format!("wheelwright-{}-{}", std::process::id(), number + next);
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let made = new_folder(parent.path()).unwrap();
        assert!(made.is_dir() && made != taken);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 21);
        assert_eq!(new_folder(&parent.path().join("none")), None);
    }
}
