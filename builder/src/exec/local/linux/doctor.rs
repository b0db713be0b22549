//! What this host can do, found out by doing it.
//!
//! Knows the usual reasons why a host refuses, and what helps. Must never
//! change the host.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::cgroup::{Groups, Parents};
use super::spec::Who;
use super::{Local, fence, memory};
use crate::exec::action::{Action, Exit, HostView, Level, Limits};
use crate::exec::local::LocalOptions;
use crate::exec::{ExecError, Fact, FactState, Stop};

/// See `exec::local::doctor`.
pub fn doctor(options: &LocalOptions) -> Vec<Fact> {
    let mut facts: Vec<Fact> =
        [Level::Full, Level::Landlock, Level::Env].map(|level| try_level(options, level)).into();
    facts.extend([user_namespaces(), apparmor(), landlock(), seccomp(), overlay(), groups(), container()]);
    facts.extend([memory(), disk(&options.work)]);
    facts
}

fn fact(what: &str, state: FactState, detail: impl Into<String>) -> Fact {
    Fact { what: what.to_owned(), state, detail: detail.into(), hints: Vec::new() }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Runs `/bin/sh -c :` at a level.
fn try_level(options: &LocalOptions, level: Level) -> Fact {
    let what = format!("level {}", level.word());
    let action = Action {
        argv: ["/bin/sh", "-c", ":"].map(str::to_owned).into(),
        env: BTreeMap::new(),
        inputs: BTreeMap::new(),
        host_paths: Vec::new(),
        view: HostView::Minimal,
        source: None,
        epoch: 0,
        files: BTreeMap::new(),
        cwd: "/build".to_owned(),
        outputs: Vec::new(),
        level,
        limits: Limits::default(),
        label: "doctor".to_owned(),
        warm: None,
    };
    let tried = Stop::new()
        .and_then(|stop| Ok((Local::new(options)?, stop)))
        .map_err(ExecError::from)
        .and_then(|(local, stop)| local.execute(&action, &stop));
    match tried {
        Ok(result) if result.exit == Exit::Code(0) => {
            let took = result.took.as_secs_f64() * 1000.0;
            let limit = if level == Level::Landlock && super::orders::who(level) == Who::Invoker {
                "; a build is your own user and can change modes and times of your files, nothing else of them"
            } else {
                ""
            };
            fact(&what, FactState::Good, format!("works; a trivial action takes {took:.1} ms{limit}"))
        }
        Ok(result) => {
            let log = String::from_utf8_lossy(&result.log).into_owned();
            fact(
                &what,
                FactState::Bad,
                format!("a trivial action ended with {:?}: {}", result.exit, log.trim()),
            )
        }
        Err(ExecError::Isolation { because, .. }) => {
            Fact { hints: hints_for(level), ..fact(&what, FactState::Bad, because) }
        }
        Err(ExecError::Machine(error)) => fact(&what, FactState::Bad, error.to_string()),
    }
}

/// What makes a refused level work, for where we are.
pub(super) fn hints_for(level: Level) -> Vec<String> {
    match level {
        Level::Env => Vec::new(),
        Level::Landlock => {
            vec!["`landlock` needs Linux 6.12 with `landlock` in the kernel's `lsm=` list".to_owned()]
        }
        Level::Full => full_hints(),
    }
}

fn full_hints() -> Vec<String> {
    let mut hints = Vec::new();
    if let Some(engine) = container_engine() {
        hints.push(format!(
            "this is a {engine} container: `--cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt \
             apparmor=unconfined --security-opt systempaths=unconfined` gives `full` to root in it"
        ));
        hints.push(
            "a container of an ordinary user: the same without `--cap-add`; rootless podman: `--security-opt \
             unmask=ALL --security-opt seccomp=unconfined`"
                .to_owned(),
        );
    }
    if read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        hints.push(
            "AppArmor keeps ordinary users from user namespaces: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, \
             or run as root"
                .to_owned(),
        );
    }
    if read("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        hints.push(
            "`sysctl kernel.unprivileged_userns_clone=1` allows user namespaces, or run as root".to_owned(),
        );
    }
    if read("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        hints.push(
            "`sysctl user.max_user_namespaces=10000` allows user namespaces, or run as root".to_owned(),
        );
    }
    hints
}

fn user_namespaces() -> Fact {
    let most = read("/proc/sys/user/max_user_namespaces");
    let clone = read("/proc/sys/kernel/unprivileged_userns_clone");
    let what = "user namespaces";
    match (most.as_deref(), clone.as_deref()) {
        (None, _) => fact(what, FactState::Bad, "this kernel has none"),
        (Some("0"), _) => fact(what, FactState::Bad, "user.max_user_namespaces is 0"),
        (_, Some("0")) => fact(what, FactState::Bad, "kernel.unprivileged_userns_clone is 0"),
        (Some(most), _) => fact(what, FactState::Good, format!("allowed, at most {most}")),
    }
}

fn apparmor() -> Fact {
    match read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() {
        Some("1") => fact("AppArmor", FactState::Bad, "keeps ordinary users from using user namespaces"),
        Some(_) => fact("AppArmor", FactState::Good, "leaves user namespaces alone"),
        None => fact("AppArmor", FactState::Good, "has no say on user namespaces here"),
    }
}

fn landlock() -> Fact {
    let (version, needed) = (fence::version(), fence::NEEDED as i64);
    match version {
        0 => fact("landlock", FactState::Note, "this kernel has none, or it is not switched on"),
        v if v < needed => {
            let detail = format!("version {v} of its interface; the level needs {needed} (Linux 6.12)");
            fact("landlock", FactState::Note, detail)
        }
        v => fact("landlock", FactState::Good, format!("version {v} of its interface")),
    }
}

fn seccomp() -> Fact {
    match read("/proc/sys/kernel/seccomp/actions_avail") {
        Some(actions) if actions.contains("errno") => {
            fact("seccomp", FactState::Good, "filters can be installed")
        }
        _ => fact("seccomp", FactState::Bad, "this kernel has no seccomp filters"),
    }
}

fn overlay() -> Fact {
    let known = read("/proc/filesystems").unwrap_or_default().lines().any(|line| line.ends_with("overlay"));
    let detail = if known { "overlayfs is there" } else { "overlayfs is not loaded; nothing needs it" };
    fact("overlayfs", FactState::Note, detail)
}

fn groups() -> Fact {
    match Groups::look().parents() {
        Some(Parents::V2(folder)) => {
            fact("control groups", FactState::Good, format!("v2, delegated at `{}`", folder.display()))
        }
        Some(Parents::V1 { memory, .. }) => {
            fact("control groups", FactState::Good, format!("v1, writable at `{}`", memory.display()))
        }
        None => Fact {
            hints: vec![
                "`systemd-run --user --scope -p Delegate=yes` gives memory and process limits over a whole build"
                    .to_owned(),
            ],
            ..fact("control groups", FactState::Note, "none can be made here; limits hold for each process alone")
        },
    }
}

fn container() -> Fact {
    match container_engine() {
        Some(engine) => fact("container", FactState::Note, format!("this is a {engine} container")),
        None => fact("container", FactState::Good, "this is no container that says so"),
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

fn memory() -> Fact {
    let free = memory::free();
    let limit = memory::tightest().map_or_else(String::new, |tightest| {
        let (limit, left) = (gigabytes(tightest.limit), gigabytes(tightest.left));
        format!("; a control group (a container's?) allows {limit} and leaves {left}")
    });
    let state = if free < 1 << 30 { FactState::Note } else { FactState::Good };
    fact("memory", state, format!("{} can be had{limit}", gigabytes(free)))
}

/// A file system.
pub(super) struct Disk {
    /// Bytes we may still write.
    free: u64,
    /// Bytes in all.
    size: u64,
    /// Whether it keeps programs from being executed.
    pub noexec: bool,
}

impl Disk {
    /// The one a folder lies on.
    pub fn of(folder: &Path) -> Option<Self> {
        let stat = rustix::fs::statvfs(folder).ok()?;
        Some(Self {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            size: stat.f_blocks.saturating_mul(stat.f_frsize),
            noexec: stat.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC),
        })
    }

    fn fact(&self) -> Fact {
        let what = "the store's disk";
        let room = format!("{} of {} are free", gigabytes(self.free), gigabytes(self.size));
        if self.noexec {
            let hint = "mount it with `exec`, or name a store elsewhere with `--store` or WHEELWRIGHT_STORE";
            let detail = format!("{room}, and it is mounted `noexec`: no build can run from it");
            return Fact { hints: vec![hint.to_owned()], ..fact(what, FactState::Bad, detail) };
        }
        let state = if self.free < 2 << 30 { FactState::Note } else { FactState::Good };
        fact(what, state, room)
    }
}

fn disk(folder: &Path) -> Fact {
    match Disk::of(folder) {
        Some(disk) => disk.fact(),
        None => fact("the store's disk", FactState::Bad, "it does not say how much is free"),
    }
}

fn container_engine() -> Option<String> {
    if Path::new("/.dockerenv").exists() {
        return Some("docker".to_owned());
    }
    if Path::new("/run/.containerenv").exists() {
        return Some("podman".to_owned());
    }
    let marked = read("/run/systemd/container").filter(|name| !name.is_empty());
    let init = fs::read_to_string("/proc/1/cgroup").unwrap_or_default();
    marked.or_else(|| {
        ["docker", "kubepods", "containerd", "lxc"]
            .iter()
            .find(|n| init.contains(*n))
            .map(|n| (*n).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_says_what_is_free_and_what_keeps_builds_from_running() {
        let disk = |free, noexec| Disk { free, size: 500_000_000_000, noexec }.fact();
        let good = disk(20_000_000_000, false);
        assert_eq!((good.state, good.detail.as_str()), (FactState::Good, "20.0 GB of 500.0 GB are free"));
        assert_eq!(disk(1_000_000_000, false).state, FactState::Note);
        let bad = disk(20_000_000_000, true);
        assert_eq!(bad.state, FactState::Bad);
        assert!(bad.detail.contains("noexec") && bad.hints[0].contains("--store"), "{bad:?}");
    }
}
