//! The user's keyring, asked for a password by its own program, as pip and uv
//! ask it.
//!
//! Knows `keyring get SERVICE USER`. Must never show what it answers, wait for
//! it without end, or ask what was not asked for.

use std::ffi::OsString;
use std::fmt;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use reqwest::Url;

use super::auth::{Login, shown};
use crate::ambient::Ambient;

/// A keyring may ask its user to unlock it, who may not be there.
const LONGEST: Duration = Duration::from_secs(60);
/// No password is longer.
const MOST: u64 = 64 << 10;

/// The program, and the environment of the user whose keyring it is.
#[derive(Clone)]
pub struct Keyring {
    program: PathBuf,
    env: Vec<(OsString, OsString)>,
    longest: Duration,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment may hold passwords.
        f.debug_struct("Keyring").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Finds the program in `$PATH`; `None` when it is not there.
    pub fn of(ambient: &Ambient) -> Option<Self> {
        let program = ambient.find_program("keyring")?;
        let mut env: Vec<(OsString, OsString)> =
            ambient.vars().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        env.push(("PYTHONIOENCODING".into(), "utf-8".into()));
        Some(Self { program, env, longest: LONGEST })
    }

    /// The login of `user` at an address: by the address it was configured
    /// with, then by the host, which is less exact.
    pub(super) fn login(&self, at: &Url, user: &str, stop: &AtomicBool) -> Option<Login> {
        // Nothing that the program would take for an option.
        if user.is_empty() || user.starts_with('-') {
            return None;
        }
        let address = shown(at);
        let host = at.host_str()?;
        let host = at.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        // Whether the address ends in a slash is a matter of taste.
        let mut services = vec![address.as_str(), address.trim_end_matches('/'), &host];
        services.dedup();
        services.iter().find_map(|service| self.ask(service, user, stop)).map(|word| Login::new(user, word))
    }

    fn ask(&self, service: &str, user: &str, stop: &AtomicBool) -> Option<String> {
        let mut child = Command::new(&self.program)
            .args(["get", service, user])
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .ok()?;
        let answer = self.listen(&mut child, stop);
        if answer.is_none() {
            let pid = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
        let ended_well = child.wait().is_ok_and(|status| status.success());
        let text = String::from_utf8(answer?).ok()?;
        let word = text.trim_end_matches(['\r', '\n']);
        (ended_well && !word.is_empty()).then(|| word.to_owned())
    }

    /// What it prints, to its end; `None` when that takes too long.
    fn listen(&self, child: &mut Child, stop: &AtomicBool) -> Option<Vec<u8>> {
        let out = child.stdout.take()?;
        let (to, from) = channel();
        std::thread::spawn(move || {
            let mut answer = Vec::new();
            let read = out.take(MOST).read_to_end(&mut answer);
            let _ = to.send(read.map(|_| answer));
        });
        let start = Instant::now();
        while start.elapsed() < self.longest && !stop.load(Ordering::Relaxed) {
            match from.recv_timeout(Duration::from_millis(50)) {
                Ok(answer) => return answer.ok(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;

    /// A world whose PATH has a `keyring` with this shell script. A process of
    /// its own writes it: a file that we had open could not be started.
    pub(crate) fn with_keyring(ambient: Ambient, dir: &Path, script: &str) -> Ambient {
        let path = dir.join("keyring");
        let text = format!("#!/bin/sh\n{script}\n");
        let made = Command::new("/bin/sh")
            .args(["-c", "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", &text])
            .arg(&path)
            .status();
        assert!(made.unwrap().success());
        ambient.with_var("PATH", dir)
    }

    #[test]
    fn the_address_is_asked_for_before_the_host() {
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "echo \"$*\" >> {}/asked; [ \"$2\" = h.test:8443 ] && printf 'pass word\\n'",
            dir.path().display()
        );
        let ambient = with_keyring(Ambient::made_up(dir.path()), dir.path(), &script);
        let keyring = Keyring::of(&ambient).unwrap();
        let go = AtomicBool::new(false);
        let at = Url::parse("https://u:p@h.test:8443/simple/").unwrap();
        let login = keyring.login(&at, "me", &go).unwrap();
        assert_eq!((login.user.reveal(), login.password.reveal()), ("me", "pass word"));
        expect_test::expect![[r"
            get https://h.test:8443/simple/ me
            get https://h.test:8443/simple me
            get h.test:8443 me
        "]]
        .assert_eq(&std::fs::read_to_string(dir.path().join("asked")).unwrap());
        assert!(keyring.login(&Url::parse("https://o.test/").unwrap(), "me", &go).is_none());
        assert!(keyring.login(&at, "-x", &go).is_none());
        assert!(!format!("{keyring:?}").contains("PATH"));
    }

    #[test]
    fn it_is_not_waited_for_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let ambient = with_keyring(Ambient::made_up(dir.path()), dir.path(), "exec /bin/sleep 1000");
        let keyring = Keyring { longest: Duration::ZERO, ..Keyring::of(&ambient).unwrap() };
        let at = Url::parse("https://h.test/").unwrap();
        assert!(keyring.login(&at, "me", &AtomicBool::new(false)).is_none());
        let keyring = Keyring { longest: Duration::from_secs(1000), ..keyring };
        assert!(keyring.login(&at, "me", &AtomicBool::new(true)).is_none());
    }
}
