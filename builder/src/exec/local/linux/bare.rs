//! Levels `landlock` and `env`: no namespaces.
//!
//! Knows how to find and end every descendant without a pid namespace. Runs
//! in the init, which at these levels outlives its executor just long enough
//! to end what it started. Must never leave a process behind.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions};

use super::init::{Blame, Broken, Hands, announce, place, ready, settle, wait_for_leave};
use super::seccomp::{self, Sockets};
use super::spec::Spec;
use super::talk::{self, Message};
use super::{fence, payload, privileges};
use crate::exec::action::Level;

/// Places the source, runs the program and ends whatever it left.
pub(super) fn run(spec: &Spec, hands: &Hands) -> Result<(), Broken> {
    let _ = rustix::process::setsid();
    let me = rustix::process::getpid();
    announce(hands, me)?;
    rustix::process::set_child_subreaper(Some(me))
        .failed(|| "failed to become the parent of daemons".to_owned())?;
    let source = match &spec.source {
        Some((path, _)) => Some(
            payload::open_folder(Path::new(path)).failed(|| format!("failed to open the source `{path}`"))?,
        ),
        None => None,
    };
    if spec.level == Level::Landlock {
        privileges::drop_all(spec.who).refused(|| "failed to drop privileges".to_owned())?;
    }
    settle()?;
    if let Some(source) = source {
        rustix::process::fchdir(&source).failed(|| "failed to enter the source".to_owned())?;
    }
    place(spec, Some(Path::new(".")))?;
    rustix::process::chdir("/").failed(|| "failed to leave the source".to_owned())?;
    let fence = match spec.level {
        Level::Landlock => {
            Some(fence::prepare(&spec.rules).refused(|| "failed to prepare landlock".to_owned())?)
        }
        Level::Env | Level::Full => None,
    };
    wait_for_leave(hands);
    ready(spec, hands)?;
    let children = payload::child_signal().failed(|| "failed to watch for children".to_owned())?;
    let confine = || match &fence {
        None => Ok(()),
        Some(fence) => {
            fence::enter(fence)?;
            seccomp::install(Sockets::Pairs)
        }
    };
    let stdin = hands.stdin.as_ref().map(AsFd::as_fd);
    let main = payload::start(spec, stdin, &confine).failed(|| "failed to start the program".to_owned())?;
    let ended = payload::supervise(main, &hands.control, &children);
    end_descendants();
    match ended.failed(|| "failed to wait for the program".to_owned())? {
        Some(message) => say(hands, &message),
        None => Ok(()),
    }
}

fn say(hands: &Hands, message: &Message) -> Result<(), Broken> {
    talk::say(&hands.control, message, None).failed(|| "failed to report".to_owned())
}

/// Kills children until there are none: a killed one's children become ours.
fn end_descendants() {
    loop {
        let mut killed = false;
        for pid in children() {
            killed |= rustix::process::kill_process(pid, Signal::KILL).is_ok();
        }
        // Nothing to kill, or nothing we may kill (a setuid program at `env`).
        if !killed {
            return;
        }
        if rustix::process::wait(WaitOptions::empty()).is_err() {
            return;
        }
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    }
}

/// Our children by /proc: the field after the name and the state is the parent.
fn children() -> Vec<Pid> {
    let me = rustix::process::getpid().as_raw_nonzero().to_string();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, after_name) = stat.rsplit_once(')')?;
            let parent = after_name.split_ascii_whitespace().nth(1)?;
            if parent == me { Pid::from_raw(pid) } else { None }
        })
        .collect()
}
