//! A build that does next to nothing: by the product, in a warm child in a
//! cell, and by servers that only fork.
//!
//! Knows the build action, and a backend of a few lines. Must never measure.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use builder::exec::action::{Action, ActionResult, Input, Level};
use builder::key::{Digest, TreeDigest};
use builder::pep517::phases::Subject;
use builder::pep517::{BuildSpec, ByteCode, build_action, read_sample, sample_action};
use builder::tree::RelPath;
use recipes::recipe::{Build, Format, Phases};
use serde_json::Value;

const BACKEND: &str = "\
def get_requires_for_build_wheel(settings=None):
    return []


def build_wheel(folder, settings=None, metadata=None):
    import os

    name = 'toy-1.0-py3-none-any.whl'
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as file:
        file.write(b'not read')
    return name
";

/// The floor: the backend is loaded, a child runs both hooks in a folder.
const FORKS: &str = "\
import os, sys
sys.path.insert(0, sys.argv[1])
import toy_backend
for line in sys.stdin:
    folder = line.rstrip()
    child = os.fork()
    if child == 0:
        try:
            os.makedirs(folder)
            os.chdir(folder)
            toy_backend.get_requires_for_build_wheel()
            toy_backend.build_wheel('dist')
            os._exit(0)
        finally:
            os._exit(1)
    print(os.waitpid(child, 0)[1], flush=True)
";

/// All that a build is but for its cell: the runner and the backend are loaded,
/// a child builds in a folder where its files are.
const BUILDS: &str = "\
import gc, importlib, json, os, sys
job, site, modules = sys.argv[1:]
del sys.argv[1:]
sys.path[:0] = [job, site]
import tempfile
import wheelwright_runner as runner
for name in json.loads(modules):
    importlib.import_module(name)
gc.freeze()
for line in sys.stdin:
    root = line.rstrip()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(os.path.join(root, 'src'))
            runner.leave(runner.main(os.path.join(root, 'job', 'spec.json')))
        finally:
            os._exit(1)
    print(os.waitpid(child, 0)[1], flush=True)
";

const NAME: &str = "toy_backend";

/// The backend, installed in an environment of the system's interpreter.
pub struct Toy {
    spec: BuildSpec,
    python: PathBuf,
    site: PathBuf,
}

impl Toy {
    pub fn new(env: &Path) -> Self {
        let python = fs::canonicalize("/usr/bin/python3").expect("the system has a python3");
        let name = python.file_name().expect("a program has a name").to_owned();
        let library = Path::new("/usr/lib").join(&name);
        let site = env.join("lib").join(&name).join("site-packages");
        for folder in [&site, &env.join("bin")] {
            fs::create_dir_all(folder).expect("the folder is ours");
        }
        let config = "home = /usr/bin\ninclude-system-site-packages = false\n";
        fs::write(env.join("pyvenv.cfg"), config).expect("the folder is ours");
        fs::write(site.join("toy_backend.py"), BACKEND).expect("the folder is ours");
        std::os::unix::fs::symlink(&python, env.join("bin/python")).expect("the folder is ours");
        let spec = BuildSpec {
            label: "a toy".to_owned(),
            subject: Subject { pname: "toy".to_owned(), version: "1.0".to_owned(), cores: 1 },
            format: Format::Pyproject,
            source: TreeDigest(Digest::of(b"")),
            subdirectory: String::new(),
            epoch: 1_000_000_000,
            inputs: BTreeMap::from([("/env".to_owned(), Input::Host(env.to_owned()))]),
            host_paths: vec![python.clone(), library],
            cflags: String::new(),
            compiler: false,
            pretend_version: false,
            jobserver: None,
            build: Build::default(),
            phases: Phases::new(),
            level: Level::Full,
            warm: None,
            more: true,
            code: ByteCode::default(),
            report_modules: false,
        };
        Self { spec, python, site }
    }

    /// The build that says what a build imports.
    pub fn sample(&self) -> Action {
        sample_action(&self.spec, NAME)
    }

    /// Another build of the same project, its server loading what the sample
    /// was seen to import.
    pub fn action(&self, sample: &ActionResult) -> Action {
        let warm = read_sample(sample, NAME);
        assert!(warm.is_some(), "{}", String::from_utf8_lossy(&sample.log));
        let mut action = build_action(&BuildSpec { warm, ..self.spec.clone() });
        action.source = None;
        let project = self.sample().files.into_iter().filter(|(path, _)| path.as_str().starts_with("src/"));
        action.files.extend(project);
        action
    }

    /// The server that only forks for both hooks; what its children write goes
    /// into `folder`.
    pub fn hooks(&self, folder: &Path) -> Forks {
        let server = Server::start(&self.python, &["-I", "-S", "-c", FORKS], &[&self.site]);
        Forks { server, files: Vec::new(), folder: folder.to_owned(), number: 0 }
    }

    /// The server that only forks for the build `action`, below `folder`.
    pub fn builds(&self, action: &Action, folder: &Path) -> Forks {
        let warm = action.warm.as_ref().expect("it has a server");
        let job = folder.join("programs");
        for (name, bytes) in &warm.files {
            write(&job.join(name.file_name()), bytes);
        }
        let order: Value = serde_json::from_str(&warm.order).expect("it is JSON");
        let modules = order["modules"].to_string();
        let server =
            Server::start(&self.python, &["-S", "-c", BUILDS], &[&job, &self.site, Path::new(&modules)]);
        let own = |(name, bytes): (&RelPath, &Vec<u8>)| {
            (!warm.files.contains_key(name)).then(|| (name.to_string(), bytes.clone()))
        };
        let files = action.files.iter().filter_map(own).collect();
        Forks { server, files, folder: folder.to_owned(), number: 0 }
    }
}

/// A Python that is told a word a line, and answers.
struct Server {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Server {
    fn start(python: &Path, flags: &[&str], more: &[&Path]) -> Self {
        let mut command = Command::new(python);
        command.args(flags).args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the interpreter starts");
        let orders = process.stdin.take().expect("it was asked for");
        let answers = BufReader::new(process.stdout.take().expect("it was asked for"));
        Self { process, orders, answers }
    }
}

/// A running server of forks.
pub struct Forks {
    server: Server,
    /// What lies in a build's folder, and its text.
    files: Vec<(String, Vec<u8>)>,
    folder: PathBuf,
    number: u32,
}

impl Forks {
    /// One child, to its end.
    pub fn one(&mut self) {
        self.number += 1;
        let root = self.folder.join(self.number.to_string());
        for (name, bytes) in &self.files {
            write(&root.join(name), bytes);
        }
        writeln!(self.server.orders, "{}", root.display()).expect("the server listens");
        let mut answer = String::new();
        self.server.answers.read_line(&mut answer).expect("the server answers");
        assert_eq!(answer, "0\n");
    }

    /// Ends the server.
    pub fn end(self) {
        let Server { mut process, orders, .. } = self.server;
        drop(orders);
        assert!(process.wait().expect("it can be waited for").success());
    }
}

fn write(path: &Path, bytes: &[u8]) {
    let folder = path.parent().expect("it lies in a folder");
    fs::create_dir_all(folder).and_then(|()| fs::write(path, bytes)).expect("the folder is ours");
}
