//! A build that does next to nothing: by the product, in a warm child in a
//! cell, and by a server that only forks.
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
use builder::pep517::{BuildSpec, build_action, read_sample, sample_action};
use recipes::recipe::{Build, Format, Phases};

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
for number, line in enumerate(sys.stdin):
    child = os.fork()
    if child == 0:
        try:
            folder = os.path.join(sys.argv[2], str(number))
            os.makedirs(folder)
            os.chdir(folder)
            toy_backend.get_requires_for_build_wheel()
            toy_backend.build_wheel('dist')
            os._exit(0)
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

    /// The server that only forks; what its children write goes into `folder`.
    pub fn forks(&self, folder: &Path) -> Forks {
        let mut command = Command::new(&self.python);
        command.args(["-I", "-S", "-c", FORKS]).arg(&self.site).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().expect("the interpreter starts");
        let orders = server.stdin.take().expect("it was asked for");
        let answers = BufReader::new(server.stdout.take().expect("it was asked for"));
        Forks { server, orders, answers }
    }
}

/// A running server of forks.
pub struct Forks {
    server: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Forks {
    /// One child, to its end.
    pub fn one(&mut self) {
        self.orders.write_all(b"\n").expect("the server listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the server answers");
        assert_eq!(answer, "0\n");
    }

    /// Ends the server.
    pub fn end(self) {
        let Self { mut server, orders, .. } = self;
        drop(orders);
        assert!(server.wait().expect("it can be waited for").success());
    }
}
