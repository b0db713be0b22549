//! One place where a case runs: a level, a user, folders of its own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use builder::exec::action::{Action, ActionResult, Exit, HostView, Input, Level, Limits};
use builder::exec::{Executor, LocalOptions, Stop, local};
use builder::key::{Digest, TreeDigest};
use builder::tree::RelPath;

/// uid of the ordinary user when the tests run as root.
const NOBODY: u32 = 65_534;
/// Set in the helper process that is the ordinary user.
const WHEELWRIGHT: &str = "CONTRACT_WHEELWRIGHT";

pub struct Bench {
    pub level: Level,
    pub options: LocalOptions,
    /// The invoker's own folder, with the secret file `secret` in it.
    pub home: tempfile::TempDir,
    /// Kept for its end: it removes everything.
    _store: tempfile::TempDir,
}

/// Runs `body` at each level, as this user and, when that is root, once more
/// in a helper process that is an ordinary user.
pub fn at(name: &str, levels: &[Level], body: impl Fn(&Bench)) {
    for &level in levels {
        eprintln!("{name} at `{}` as uid {}", level.word(), uid());
        body(&Bench::new(level));
    }
    if uid() == 0 && knows_others() {
        let helpers = helpers();
        let done = Command::new(helpers.join("contract"))
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(WHEELWRIGHT, helpers.join("wheelwright"))
            .env_remove("HOME")
            .current_dir("/")
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "as an ordinary user:\n{said}");
        assert!(said.contains("1 passed"), "{said}");
    }
}

/// Runs a case as root of a user namespace that has no other user, as this
/// user and, when that is root, as an ordinary one. `false` when that is who
/// this process is already.
pub fn as_root_of_one_user(name: &str) -> bool {
    const INSIDE: &str = "CONTRACT_ONE_USER";
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let mut users = vec![uid()];
    if uid() == 0 {
        users.push(NOBODY);
    }
    let helpers = helpers();
    for user in users {
        let done = Command::new("unshare")
            .args(["--user", "--map-root-user"])
            .arg(helpers.join("contract"))
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(WHEELWRIGHT, helpers.join("wheelwright"))
            .env(INSIDE, "1")
            .current_dir("/")
            .uid(user)
            .gid(user)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.contains("1 passed"), "as root for {user}:\n{said}");
    }
    true
}

pub fn uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid()
}

/// Whether this user namespace has an ordinary user.
fn knows_others() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_ascii_whitespace().nth(2).is_some_and(|count| count != "1")
}

/// Copies of both binaries where everybody can execute them.
fn helpers() -> &'static Path {
    static HELPERS: OnceLock<PathBuf> = OnceLock::new();
    HELPERS.get_or_init(|| {
        // Beside the binaries, so that an old one is replaced, not added to.
        let folder = std::env::temp_dir().join("wheelwright-contract-helpers");
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let this = std::env::current_exe().unwrap();
        for (from, name) in
            [(this.as_path(), "contract"), (Path::new(env!("CARGO_BIN_EXE_wheelwright")), "wheelwright")]
        {
            let new = tempfile::NamedTempFile::new_in(&folder).unwrap();
            fs::copy(from, new.path()).unwrap();
            fs::set_permissions(new.path(), fs::Permissions::from_mode(0o755)).unwrap();
            new.persist(folder.join(name)).unwrap();
        }
        folder
    })
}

impl Bench {
    pub fn new(level: Level) -> Self {
        let store = tempfile::tempdir().unwrap();
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["work", "trees"] {
            fs::create_dir(store.path().join(name)).unwrap();
        }
        let trees = store.path().join("trees");
        let of = move |digest: &TreeDigest| trees.join(digest.hex());
        let mut options = LocalOptions::new(of, store.path().join("work"), store.path().join("toolbox"));
        options.init_exe = wheelwright();
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("secret"), "secret").unwrap();
        Self { level, options, home, _store: store }
    }

    /// A tree of the store with these files; a name with `!` in front is executable.
    pub fn tree(&self, files: &[(&str, &str)]) -> TreeDigest {
        let digest = TreeDigest(Digest::of(format!("{files:?}").as_bytes()));
        let root = (self.options.trees)(&digest);
        fs::create_dir(&root).unwrap();
        for (name, content) in files {
            let path = root.join(name.trim_start_matches('!'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            let mode = if name.starts_with('!') { 0o555 } else { 0o444 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        digest
    }

    /// An action that runs a shell script.
    pub fn sh(&self, script: &str) -> Action {
        self.action(&["/bin/sh", "-c", script])
    }

    /// An action that runs Python text with the system's interpreter.
    pub fn python(&self, text: &str) -> Action {
        let exe = fs::canonicalize("/usr/bin/python3").unwrap();
        let library = Path::new("/usr/lib").join(exe.file_name().unwrap());
        let mut action = self.action(&[exe.to_str().unwrap(), "-I", "-S", "-c", text]);
        action.host_paths = vec![exe, library];
        action
    }

    pub fn action(&self, argv: &[&str]) -> Action {
        Action {
            argv: argv.iter().map(|&a| a.to_owned()).collect(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            inputs: BTreeMap::<String, Input>::new(),
            host_paths: Vec::new(),
            view: HostView::Minimal,
            source: None,
            epoch: 1_000_000_000,
            files: BTreeMap::new(),
            cwd: "/build".to_owned(),
            outputs: Vec::new(),
            level: self.level,
            limits: Limits { timeout: Duration::from_secs(120), ..Limits::default() },
            label: "contract".to_owned(),
            warm: None,
        }
    }

    pub fn run(&self, action: &Action) -> ActionResult {
        self.run_until(action, &Stop::new().unwrap())
    }

    pub fn run_until(&self, action: &Action, stop: &Stop) -> ActionResult {
        let result = local(&self.options).unwrap().execute(action, stop).unwrap();
        assert_eq!(result.level, self.level);
        result
    }

    /// Runs it; it must succeed; gives its log.
    pub fn log(&self, action: &Action) -> String {
        let result = self.run(action);
        let log = text(&result);
        assert_eq!(result.exit, Exit::Code(0), "{log}");
        log
    }
}

fn wheelwright() -> PathBuf {
    std::env::var_os(WHEELWRIGHT).unwrap_or_else(|| env!("CARGO_BIN_EXE_wheelwright").into()).into()
}

pub fn text(result: &ActionResult) -> String {
    String::from_utf8_lossy(&result.log).into_owned()
}

pub fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}
