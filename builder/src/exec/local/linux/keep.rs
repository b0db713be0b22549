//! Work folders of failed actions, and running them again.
//!
//! Knows a spec's file and a shell script. Must never run anything but what
//! was kept, at the level it was kept at.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::FlockOperation;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::init::MARKER;
use super::orders;
use super::payload::rustix_exit;
use super::spec::{Spec, Step, Wire};
use super::talk::{self, Inbox, Message};
use crate::error::{Error, IoContext, Result};
use crate::exec::action::Action;
use crate::exec::local::JOBSERVER;

/// The hidden verb of `run.sh`.
const VERB: &str = "__replay";
const SPEC: &str = "spec";
/// In a work folder while its run lives; locked by it.
const LOCK: &str = "lock";

/// Writes `spec`, `log` and `run.sh` into a work folder that stays.
pub(super) fn keep(folder: &Path, init_exe: &Path, spec: &Spec, action: &Action, log: &[u8]) -> Result<()> {
    let doing = || format!("failed to keep the work folder `{}`", folder.display());
    // The source and the files lie in `build` already, as the build left them.
    let again = without_jobserver(Spec { source: None, files: Vec::new(), ..spec.clone() });
    fs::write(folder.join(SPEC), again.encode()).doing(doing)?;
    fs::write(folder.join("log"), log).doing(doing)?;
    let exe = fs::canonicalize(init_exe).doing(doing)?;
    let script = folder.join("run.sh");
    fs::write(&script, run_script(folder, &exe, &again, action)).doing(doing)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).doing(doing)?;
    fs::remove_file(folder.join(LOCK)).doing(doing)
}

/// The tokens of the jobserver are gone with the run that held them: a make
/// that asked for one would wait for ever, or not start at all.
fn without_jobserver(mut spec: Spec) -> Spec {
    if let Some(root) = &mut spec.root {
        root.steps.retain(|step| !matches!(step, Step::Bind(_, to, _) if to == JOBSERVER));
    }
    for (_, value) in spec.env.iter_mut().filter(|(name, _)| name == "MAKEFLAGS") {
        // At levels without mounts the path is another one that ends like it.
        let ours = |word: &&str| word.starts_with("--jobserver-auth=fifo:") && word.ends_with(JOBSERVER);
        let rest: Vec<&str> = value.split(' ').filter(|word| !ours(word)).collect();
        *value = rest.join(" ");
    }
    spec
}

/// Marks a new work folder as one of a living run, until the file is closed
/// or [`keep`] removes the mark.
pub(super) fn mark(folder: &Path) -> Result<File> {
    let doing = || format!("failed to lock the work folder `{}`", folder.display());
    // Nobody sees the mark before it is locked.
    let new = folder.join(".lock-new");
    let file = File::create(&new).doing(doing)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).doing(doing)?;
    fs::rename(&new, folder.join(LOCK)).doing(doing)?;
    Ok(file)
}

/// Removes the work folders whose run was killed before it could keep them.
pub fn sweep_failed(kept: &Path) {
    let Ok(entries) = fs::read_dir(kept) else { return };
    for folder in entries.flatten().map(|entry| entry.path()) {
        let Ok(lock) = File::open(folder.join(LOCK)) else { continue };
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // What stays now is tried again by the next run.
            let _ = crate::tree::fs::remove_tree(&folder);
        }
    }
}

fn run_script(folder: &Path, exe: &Path, spec: &Spec, action: &Action) -> String {
    let comment = |text: &str| text.replace('\n', "\\n");
    let mut script = format!(
        "#!/bin/sh\n\
         # {label}: runs the failed command again, isolated as it was (`{level}`).\n\
         # build/ is the action's /build as the last run left it, log is its output.\n\
         # `sh run.sh /bin/sh` gives a shell in the same place instead.\n\
         # Needs the store it was built from, and the same user.\n#\n# cwd: {cwd}\n",
        label = comment(&action.label),
        level = action.level.word(),
        cwd = comment(&spec.cwd),
    );
    for (name, value) in &spec.env {
        script.push_str(&format!("# env: {}\n", comment(&format!("{name}={value}"))));
    }
    for argument in &spec.argv {
        script.push_str(&format!("# argv: {}\n", comment(argument)));
    }
    let spec_file = folder.join(SPEC);
    script.push_str(&format!("exec {} {VERB} {} \"$@\"\n", quoted(exe), quoted(&spec_file)));
    script
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

/// When this process was started by a `run.sh`: do that, and exit.
pub(super) fn run_if_asked() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|verb| verb == VERB) {
        let code = match args.next().ok_or_else(|| Error::input("`__replay` needs a file")) {
            Ok(file) => replay(&PathBuf::from(file), args.collect()).unwrap_or_else(|error| report(&error)),
            Err(error) => report(&error),
        };
        rustix_exit(code);
    }
}

fn report(error: &Error) -> i32 {
    eprintln!("error: {error}");
    for hint in &error.hints {
        eprintln!("hint: {hint}");
    }
    i32::from(error.kind.exit_code())
}

/// Runs a kept spec on this terminal; gives the exit code.
fn replay(file: &Path, other: Vec<OsString>) -> Result<i32> {
    let bytes = fs::read(file).doing(|| format!("failed to read `{}`", file.display()))?;
    let mut spec = Spec::decode(&bytes).ok_or_else(|| {
        Error::input(format!("failed to read `{}`: it was kept by another version", file.display()))
    })?;
    let same = std::mem::discriminant(&spec.who) == std::mem::discriminant(&orders::who(spec.level));
    if !same {
        return Err(
            Error::input("failed to run the kept action: it was kept by another user").hint("be that user")
        );
    }
    if !other.is_empty() {
        let text = |arg: &OsString| arg.to_str().map(str::to_owned);
        spec.argv = other.iter().map(text).collect::<Option<_>>().ok_or_else(|| Error::input("not UTF-8"))?;
    }
    let doing = || "failed to start the kept action";
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).doing(doing)?;
    let mut child = Command::new(OsStr::new("/proc/self/exe"))
        .arg0(MARKER)
        .env_clear()
        .stdin(Stdio::from(theirs))
        .spawn()
        .doing(doing)?;
    talk::send(&ours, &spec.encode(), &[rustix::stdio::stdin().as_fd()]).doing(doing)?;
    let mut inbox = Inbox::default();
    let mut last = None;
    while inbox.fill(&ours).doing(doing)? {
        while let Some(frame) = inbox.frame() {
            match Message::take(&mut &frame[..]) {
                Some(Message::Init(_)) => talk::send(&ours, &[], &[]).doing(doing)?,
                Some(Message::Gone) => {}
                message => last = message,
            }
        }
    }
    child.wait().doing(doing)?;
    match last {
        Some(Message::Exited(code)) => Ok(code as i32),
        Some(Message::Killed(signal)) => Ok(128 + signal as i32),
        Some(Message::Failed(_, what, because)) => Err(Error::environment(what).because(because)),
        Some(Message::Ready | Message::Init(_) | Message::Born | Message::Gone) | None => {
            Ok(128 + libc::SIGKILL)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_whose_run_is_gone_are_swept() {
        let kept = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = kept.path().join(name);
            fs::create_dir_all(folder.join("build")).unwrap();
            folder
        };
        let (living, dead, done) = (folder("living"), folder("dead"), folder("done"));
        let held = mark(&living).unwrap();
        drop(mark(&dead).unwrap());
        sweep_failed(kept.path());
        assert!(living.exists() && !dead.exists() && done.exists());
        drop(held);
        sweep_failed(kept.path());
        assert!(!living.exists() && done.exists());
        sweep_failed(&kept.path().join("none"));
    }
}
