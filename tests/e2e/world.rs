//! One machine of our own for a test: a folder with a home, a store, a
//! workspace and an index, and the real binary run inside it.
//!
//! Knows how the program is started. Must never know what a test wants of it.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::index::Index;
use crate::output::{Output, Redactions};
use crate::project::Project;

/// An ordinary user, for tests that run as root: the number need not be known
/// to the user database.
pub const ORDINARY: u32 = 20_017;

/// See the module.
pub struct World {
    root: tempfile::TempDir,
    /// What is published.
    pub index: Index,
    env: BTreeMap<String, String>,
    user: Option<u32>,
    umask: Option<&'static str>,
    binary: PathBuf,
}

impl World {
    /// A workspace with the recipes of these projects, all published, and
    /// the toy backend among them.
    pub fn new(projects: &[Project]) -> Self {
        let world = Self::empty();
        world.add(&Project::backend("1.0"));
        for project in projects {
            world.add(project);
        }
        world
    }

    /// A workspace without recipes.
    pub fn empty() -> Self {
        let root = tempfile::Builder::new().prefix("ww-e2e-").tempdir().expect("there is a temporary folder");
        let index = Index::start();
        let mut world = Self {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_wheelwright")),
            env: BTreeMap::new(),
            user: None,
            umask: None,
            index,
            root,
        };
        for folder in ["home", "tmp", "work/recipes"] {
            std::fs::create_dir_all(world.path(folder)).expect("the folder is ours");
        }
        world.write("wheelwright.toml", "[set]\nrecipes = [\"recipes\"]\n");
        let folder = |name: &str| world.path(name).display().to_string();
        world.env = BTreeMap::from([
            ("PATH".to_owned(), format!("{}:/usr/bin:/bin", python_folder().display())),
            ("HOME".to_owned(), folder("home")),
            ("TMPDIR".to_owned(), folder("tmp")),
            ("WHEELWRIGHT_STORE".to_owned(), folder("store")),
            ("PIP_INDEX_URL".to_owned(), world.index.url()),
            // Nobody's configuration but the test's.
            ("PIP_CONFIG_FILE".to_owned(), "/dev/null".to_owned()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ]);
        world
    }

    /// A workspace without recipes that knows the index its user knows: the
    /// addresses, proxies, certificates and configuration of the tests' own
    /// environment, and the tests' home.
    pub fn of_the_index() -> Self {
        let mut world = Self::empty();
        for name in ["PIP_INDEX_URL", "PIP_CONFIG_FILE", "HOME"] {
            world.unset(name);
        }
        let known = |name: &str| {
            let lower = name.to_ascii_lowercase();
            ["pip_", "uv_", "ssl_cert_", "xdg_config_"].iter().any(|p| lower.starts_with(p))
                || [
                    "http_proxy",
                    "https_proxy",
                    "all_proxy",
                    "no_proxy",
                    "netrc",
                    "home",
                    "requests_ca_bundle",
                ]
                .contains(&lower.as_str())
        };
        for (name, value) in std::env::vars().filter(|(name, _)| known(name)) {
            world.set(&name, value);
        }
        world
    }

    /// Publishes a project and writes its recipe.
    pub fn add(&self, project: &Project) {
        self.index.publish(project);
        self.recipe(&format!("{}-{}", project.name, project.version), &project.recipe());
    }

    /// Writes `recipes/NAME.toml`.
    pub fn recipe(&self, name: &str, text: &str) {
        self.write(&format!("recipes/{name}.toml"), text);
    }

    /// A path below the world's folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// A path below the workspace, which is the working folder.
    pub fn work(&self, relative: &str) -> PathBuf {
        self.path("work").join(relative)
    }

    /// Writes a file of the workspace.
    pub fn write(&self, relative: &str, text: impl AsRef<[u8]>) {
        assert!(Path::new(relative).is_relative(), "`{relative}` is outside the world");
        let path = self.work(relative);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder is ours");
        std::fs::write(&path, text).expect("the folder is ours");
    }

    /// Writes a project's source into a folder of the workspace.
    pub fn unpack(&self, folder: &str, project: &Project) {
        for (path, bytes) in project.source() {
            // Joined, not written with a slash: an empty folder is the workspace.
            self.write(&Path::new(folder).join(path).to_string_lossy(), bytes);
        }
    }

    /// The text of a file of the workspace.
    pub fn read(&self, relative: &str) -> String {
        let path = self.work(relative);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Sets a variable of the program's environment.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.to_owned(), value.into());
    }

    /// Removes one.
    pub fn unset(&mut self, name: &str) {
        self.env.remove(name);
    }

    /// From now on the program runs with this umask (octal).
    pub fn umask(&mut self, mask: &'static str) {
        self.umask = Some(mask);
    }

    /// From now on the program is run by an ordinary user, who owns all of
    /// the world. Without root's rights the tests' own user is one already.
    pub fn as_ordinary_user(&mut self) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        // The build folder may lie below a folder that only root may enter.
        let copy = self.path("wheelwright");
        std::fs::copy(&self.binary, &copy).expect("the binary can be read");
        self.binary = copy;
        give(self.root.path(), ORDINARY);
        self.user = Some(ORDINARY);
    }

    /// The program, ready to be started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = match self.umask {
            None => Command::new(&self.binary),
            Some(mask) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", "umask $0; exec \"$@\"", mask]).arg(&self.binary);
                shell
            }
        };
        command.args(args).current_dir(self.work("")).env_clear().envs(&self.env);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        let output = self.command(args).output().expect("the program can be started");
        Output::new(args, &output, &self.redactions())
    }

    /// Runs it and expects exit code 0.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert_eq!(output.code, Some(0), "{output}");
        output
    }

    /// Runs it and expects another exit code.
    #[track_caller]
    pub fn fails(&self, code: i32, args: &[&str]) -> Output {
        let output = self.run(args);
        assert_eq!(output.code, Some(code), "{output}");
        output
    }

    /// Builds with `--json` and expects success.
    #[track_caller]
    pub fn build(&self, what: &[&str]) -> Output {
        self.ok(&[&["build", "--json"], what].concat())
    }

    /// Runs Python with nothing but `result`'s packages added to its path.
    #[track_caller]
    pub fn python(&self, code: &str) -> String {
        let site = self.work(&format!("result/lib/python{}/site-packages", python_version()));
        assert!(site.is_dir(), "{} is not there", site.display());
        let output = Command::new(python())
            .args(["-s", "-c", code])
            .env_clear()
            .env("PYTHONPATH", &site)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("python can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The wheels of a `result`: file name and bytes.
    pub fn wheels(&self, link: &str) -> BTreeMap<String, Vec<u8>> {
        let read = |path: PathBuf| {
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("a wheel can be read"))
        };
        let folder = self.work(link).join("dist");
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        entries.map(|e| read(e.expect("it can be listed").path())).collect()
    }

    /// What is different on each machine and in each run.
    pub fn redactions(&self) -> Redactions {
        let plain = self.root.path().to_owned();
        let real = plain.canonicalize().expect("it is there");
        Redactions::default()
            .of(real.display().to_string(), "[ROOT]")
            .of(plain.display().to_string(), "[ROOT]")
            .of(self.index.host(), "[INDEX]")
            .of(python().display().to_string(), "[PYTHON]")
            .of(python_full_version().to_owned(), "[X.Y.Z]")
            .of(format!("python{}", python_version()), "python[X.Y]")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Trees of a store are read-only, which the folder's own removal
        // does not overcome.
        let _ = Command::new("chmod").args(["-R", "u+w"]).arg(self.root.path()).status();
    }
}

/// Gives a folder and all below it to a user.
fn give(path: &Path, user: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(user)).expect("root may");
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).expect("root may") {
            give(&entry.expect("root may").path(), user);
        }
    }
}

/// The interpreter of all worlds: the system's, else the first in PATH. One
/// below a private home would be out of an ordinary user's reach.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let say =
            "import os, sys; print(os.path.realpath(sys.executable) if sys.version_info >= (3, 9) else '')";
        for program in ["/usr/bin/python3", "python3"] {
            let Ok(output) = Command::new(program).args(["-I", "-c", say]).output() else { continue };
            let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if output.status.success() && !path.is_empty() {
                return PathBuf::from(path);
            }
        }
        panic!("the tests need Python 3.9 or later as /usr/bin/python3 or in PATH");
    })
}

fn python_folder() -> &'static Path {
    python().parent().expect("a program lies in a folder")
}

/// The `X.Y` of that interpreter.
pub fn python_version() -> &'static str {
    let full = python_full_version();
    full.rsplit_once('.').expect("a version has three parts").0
}

/// The `X.Y.Z` of that interpreter.
pub fn python_full_version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let say = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
        let output = Command::new(python()).args(["-I", "-c", say]).output().expect("it was run before");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}
