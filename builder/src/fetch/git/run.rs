//! One git process after another: a world of their own, bounded, stoppable.
//!
//! Knows processes and git's settings. Must never know what is fetched.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::address::Address;
use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _};
use crate::fetch::Watch;
use crate::fetch::auth::Login;
use crate::fetch::client::Trust;
use crate::fetch::http::{Failure, Http};

/// A fetch of any size must end within this time.
const LONGEST: Duration = Duration::from_secs(2 * 3600);
/// Git reports progress several times a second; silence means a dead peer.
const SILENCE: Duration = Duration::from_secs(300);
/// Lists of files are the largest thing git prints.
const MOST_OUTPUT: usize = 512 << 20;

/// The git program and what of the user's world it keeps.
#[derive(Clone, Debug, Default)]
pub struct GitOptions {
    /// The program; `None` when there is none.
    pub program: Option<PathBuf>,
    /// PATH, the ssh agent and proxies.
    pub env: Vec<(&'static str, OsString)>,
}

impl GitOptions {
    /// Finds git in `$PATH`.
    pub fn of(ambient: &Ambient) -> Self {
        const KEPT: [&str; 9] = [
            "PATH",
            "SSH_AUTH_SOCK",
            "http_proxy",
            "https_proxy",
            "HTTPS_PROXY",
            "all_proxy",
            "ALL_PROXY",
            "no_proxy",
            "NO_PROXY",
        ];
        let env =
            KEPT.into_iter().filter_map(|name| Some((name, ambient.var_os(name)?.to_owned()))).collect();
        Self { program: ambient.find_program("git"), env }
    }
}

/// What a git process said.
pub(super) struct Output {
    pub stdout: Vec<u8>,
}

/// A world for git: an empty home, our settings, one folder to work in.
pub(super) struct Git<'a> {
    program: PathBuf,
    env: Vec<(OsString, OsString)>,
    /// Blocks of 512 bytes one file may have.
    file_blocks: u64,
    pub http: &'a Http,
    pub watch: Watch<'a>,
}

/// Everything that would run code or depend on the machine.
const SETTINGS: &str = "\
[core]
\thooksPath = /dev/null
\tfsmonitor = false
\tattributesFile = /dev/null
\texcludesFile = /dev/null
\tautocrlf = false
\teol = lf
\tsymlinks = true
\tfileMode = true
\tprecomposeUnicode = false
\tprotectHFS = true
\tprotectNTFS = true
\taskPass =
\tfsync = none
[safe]
\tdirectory = *
[credential]
\thelper =
[protocol]
\tversion = 2
[http]
\tfollowRedirects = initial
[gc]
\tauto = 0
[maintenance]
\tauto = false
[advice]
\tdetachedHead = false
[init]
\tdefaultBranch = main
[submodule]
\trecurse = false
[fetch]
\trecurseSubmodules = false
";

impl<'a> Git<'a> {
    pub fn new(
        options: &GitOptions,
        http: &'a Http,
        work: &Path,
        (address, watch): (&Address, Watch<'a>),
    ) -> Result<Self, Failure> {
        let program = options.program.clone().ok_or_else(|| {
            Failure::last(Error::environment("there is no `git` in PATH").hint("install `git`"))
        })?;
        let home = work.join("home");
        // Where every version of git looks; newer ones are told once more below.
        let settings = home.join(".gitconfig");
        std::fs::create_dir(&home)
            .and_then(|()| std::fs::write(&settings, SETTINGS))
            .doing(|| format!("failed to prepare `{}`", work.display()))
            .map_err(Failure::last)?;
        let mut env: Vec<(OsString, OsString)> =
            options.env.iter().map(|(name, value)| (name.into(), value.clone())).collect();
        let protocols = match (address.is_local(), http.options().offline) {
            (_, true) => "file",
            (true, false) => "https:http:ssh:git:file",
            (false, false) => "https:http:ssh:git",
        };
        for (name, value) in [
            ("HOME", home.as_os_str()),
            ("XDG_CONFIG_HOME", home.as_os_str()),
            ("GIT_CONFIG_GLOBAL", settings.as_os_str()),
            ("GIT_CEILING_DIRECTORIES", work.as_os_str()),
            ("GIT_CONFIG_NOSYSTEM", "1".as_ref()),
            ("GIT_ATTR_NOSYSTEM", "1".as_ref()),
            ("GIT_TERMINAL_PROMPT", "0".as_ref()),
            ("GIT_ALLOW_PROTOCOL", protocols.as_ref()),
            ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes".as_ref()),
            ("GIT_LFS_SKIP_SMUDGE", "1".as_ref()),
            ("GIT_NO_LAZY_FETCH", "1".as_ref()),
            ("GIT_NO_REPLACE_OBJECTS", "1".as_ref()),
            ("LC_ALL", "C".as_ref()),
            ("TZ", "UTC".as_ref()),
        ] {
            env.push((name.into(), value.to_owned()));
        }
        Ok(Self { program, env, file_blocks: super::super::DEFAULT_LIMIT / 512, http, watch })
    }

    /// Runs git to its end. What it says on failure is the error's cause.
    /// `address` is the one whose login git may send, when it is to connect.
    pub fn run(&self, args: &[String], address: Option<&Address>) -> Result<Output, Failure> {
        let verb = args.iter().find(|a| !a.starts_with('-')).cloned().unwrap_or_default();
        let doing = || format!("`git {verb}` failed");
        let login = address.map(|a| login_settings(a, self.http)).unwrap_or_default();
        let keeps_login = !login.is_empty();
        let mut child = guarded(self.file_blocks)
            .arg(&self.program)
            .args(args)
            .env_clear()
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .envs(address.map(|a| ways(a, self.http)).unwrap_or_default())
            .envs(login)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .doing(|| format!("failed to start `{}`", self.program.display()))
            .map_err(Failure::last)?;
        // Closed when this process ends in whatever way; see `guarded`.
        let lifeline = child.stdin.take();
        let (to, from) = channel();
        let out = child.stdout.take().expect("stdout is piped");
        let err = child.stderr.take().expect("stderr is piped");
        let errors = to.clone();
        std::thread::spawn(move || pump(out, &to, Heard::Out));
        std::thread::spawn(move || pump(err, &errors, Heard::Err));
        let heard = self.listen(&from);
        if heard.is_err() {
            let pid = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
        let status = child.wait().doing(doing).map_err(Failure::last)?;
        drop(lifeline);
        let (stdout, stderr) = heard.map_err(|why| match why {
            Some(why) => Failure::last(Error::environment(doing()).because(why)),
            None => Failure::stopped(),
        })?;
        if status.success() {
            return Ok(Output { stdout });
        }
        let said = last_words(&stderr);
        let mut error = Error::environment(doing()).because(if said.is_empty() {
            status.to_string()
        } else {
            said.clone()
        });
        if keeps_login && is_redirect(&said) {
            error = error
                .because("the address redirects, and a login is not sent on to another one")
                .hint("write the final address of the repository");
        }
        Err(if may_pass(&said) { Failure::again(error) } else { Failure::last(error) })
    }

    /// Both outputs to their ends; `Err(None)` when the run was stopped.
    fn listen(&self, from: &Receiver<Heard>) -> Result<(Vec<u8>, Vec<u8>), Option<&'static str>> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (start, mut last) = (Instant::now(), Instant::now());
        loop {
            match from.recv_timeout(Duration::from_millis(100)) {
                Ok(Heard::Out(bytes)) => {
                    last = Instant::now();
                    out.extend(bytes);
                }
                Ok(Heard::Err(bytes)) => {
                    last = Instant::now();
                    err.extend(bytes);
                    // Only its end is of interest.
                    let spare = err.len().saturating_sub(32 << 10);
                    err.drain(..spare);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok((out, err)),
            }
            if self.watch.stopped() {
                return Err(None);
            }
            if out.len() > MOST_OUTPUT {
                return Err(Some("it has more files than allowed"));
            }
            if start.elapsed() > LONGEST || last.elapsed() > SILENCE {
                return Err(Some("the other side stopped answering"));
            }
        }
    }
}

/// A shell that runs its arguments in a process group of their own, with a
/// limit on file sizes, and kills the group when its stdin closes: so nothing
/// outlives us, not even when we are killed.
fn guarded(file_blocks: u64) -> Command {
    let script = format!(
        "ulimit -f {file_blocks} 2>/dev/null
        exec 3<&0 </dev/null
        \"$@\" 3<&- &
        work=$!
        (read -r _ <&3; kill -s KILL -- -$$) >/dev/null 2>&1 &
        guard=$!
        wait $work
        ended=$?
        kill -s KILL $guard
        exit $ended"
    );
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, "sh"]).stdin(Stdio::piped()).process_group(0);
    command
}

enum Heard {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

fn pump(mut from: impl Read, to: &Sender<Heard>, wrap: fn(Vec<u8>) -> Heard) {
    let mut buffer = vec![0u8; 64 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.send(wrap(buffer[..n].to_vec())).is_err() {
            return;
        }
    }
}

/// Certificates and proxies as the rest of the run has them. A proxy may hold
/// a password, so it is no argument.
fn ways(address: &Address, http: &Http) -> Vec<(OsString, OsString)> {
    let options = http.options();
    let mut env: Vec<(OsString, OsString)> = Vec::new();
    if let Some(url) = address.url.as_ref().filter(|u| u.scheme() == "https") {
        let certs = options.certs_for(url);
        if let Trust::Bundle { path, .. } = certs.trust {
            let name = if path.is_dir() { "GIT_SSL_CAPATH" } else { "GIT_SSL_CAINFO" };
            env.push((name.into(), path.into()));
        }
        // One file holds both; git asks for each.
        for name in ["GIT_SSL_CERT", "GIT_SSL_KEY"] {
            env.extend(certs.client_cert.map(|path| (name.into(), path.into())));
        }
    }
    for (name, proxy) in [("http_proxy", &options.http_proxy), ("https_proxy", &options.https_proxy)] {
        env.extend(proxy.as_ref().map(|proxy| (name.into(), proxy.reveal().into())));
    }
    env.extend(options.no_proxy.as_ref().map(|hosts| ("no_proxy".into(), hosts.into())));
    env
}

/// A login as settings in the environment: arguments are seen by every user
/// of the machine. Git would send it on after a redirect, so none is followed.
fn login_settings(address: &Address, http: &Http) -> Vec<(OsString, OsString)> {
    let Some(url) = address.url.as_ref().filter(|u| u.scheme().starts_with("http")) else {
        return Vec::new();
    };
    let login: Option<&Login> = address.login.as_ref().or_else(|| http.options().logins.of(url));
    let Some(login) = login else { return Vec::new() };
    let key = format!("http.{}/.extraHeader", url.origin().ascii_serialization());
    let header = login.header();
    let value = format!("Authorization: {}", header.to_str().expect("base64 is text"));
    [
        ("GIT_CONFIG_COUNT", "2".to_owned()),
        ("GIT_CONFIG_KEY_0", key),
        ("GIT_CONFIG_VALUE_0", value),
        ("GIT_CONFIG_KEY_1", "http.followRedirects".to_owned()),
        ("GIT_CONFIG_VALUE_1", "false".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value.into()))
    .collect()
}

/// The last lines git said, without progress and terminal escapes.
fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr).replace('\r', "\n");
    let lines: Vec<String> = text
        .lines()
        .map(|l| l.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned())
        .filter(|l| !l.is_empty() && !l.contains("objects: "))
        .collect();
    lines[lines.len().saturating_sub(4)..].join("; ")
}

/// Whether git was sent elsewhere and did not follow.
fn is_redirect(said: &str) -> bool {
    ["301", "302", "303", "307", "308"].iter().any(|code| said.contains(&format!("returned error: {code}")))
}

/// Whether another try may help.
fn may_pass(said: &str) -> bool {
    [
        "Could not resolve host",
        "Connection refused",
        "Connection reset",
        "Connection timed out",
        "Failed to connect",
        "early EOF",
        "RPC failed",
        "unexpected disconnect",
        "the remote end hung up unexpectedly",
        "error: 429",
        "error: 500",
        "error: 502",
        "error: 503",
        "error: 504",
    ]
    .iter()
    .any(|sign| said.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guarded_ends_with_us() {
        let mut child = guarded(1 << 20).args(["sleep", "1000"]).spawn().unwrap();
        drop(child.stdin.take());
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        let mut child = guarded(1 << 20).args(["sh", "-c", "exit 7"]).spawn().unwrap();
        let lifeline = child.stdin.take();
        assert_eq!(child.wait().unwrap().code(), Some(7));
        drop(lifeline);
    }

    #[test]
    fn git_goes_the_ways_of_the_run() {
        use crate::fetch::client::OwnCerts;
        use crate::fetch::http::HttpOptions;
        let bundle = |path: &str| Trust::Bundle { path: path.into(), from: "PIP_CERT".into() };
        let options = HttpOptions {
            trust: bundle("/general.pem"),
            client_cert: Some("/me.pem".into()),
            own_certs: vec![OwnCerts {
                at: reqwest::Url::parse("https://own.test/simple/").unwrap(),
                trust: Some(bundle("/own.pem")),
                client_cert: None,
            }],
            https_proxy: Some(crate::fetch::auth::Secret::new("http://u:p@proxy.test")),
            no_proxy: Some("near.test".into()),
            ..HttpOptions::default()
        };
        let http = Http::new(options);
        let told = |address: &str| {
            let env = ways(&Address::parse(address).unwrap(), &http);
            let env = env.iter().map(|(k, v)| format!("{}={}", k.display(), v.display()));
            env.collect::<Vec<_>>().join(" ")
        };
        let rest =
            "GIT_SSL_CERT=/me.pem GIT_SSL_KEY=/me.pem https_proxy=http://u:p@proxy.test no_proxy=near.test";
        assert_eq!(told("https://h.test/x"), format!("GIT_SSL_CAINFO=/general.pem {rest}"));
        assert_eq!(told("https://own.test/x"), format!("GIT_SSL_CAINFO=/own.pem {rest}"));
        assert_eq!(told("ssh://git@h.test/x"), "https_proxy=http://u:p@proxy.test no_proxy=near.test");
    }

    #[test]
    fn git_is_quoted_without_progress_and_escapes() {
        let said = b"Receiving objects:  10%\rReceiving objects: 100%\n\x1b[31mfatal: no\x1b[0m\n\n";
        assert_eq!(last_words(said), "[31mfatal: no[0m");
        assert!(may_pass("fatal: early EOF") && !may_pass("fatal: not found"));
    }
}
