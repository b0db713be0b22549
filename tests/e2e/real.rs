//! Real projects from the real index: the examples, the base set's pure part
//! and ten of the corpus. Without an index it fails, and says so.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::world::{World, python, python_version};

/// Every backend and both kinds: pure, C, C++, Cython.
const CORPUS: [&str; 12] = [
    "attrs",
    "charset-normalizer",
    "frozenlist",
    "httpx",
    "kiwisolver",
    "msgpack",
    "pyyaml",
    "requests",
    "rich",
    "tqdm",
    "unearth",
    "wrapt",
];

/// The base set's recipes that need no compiler and are for this interpreter.
fn pure_base() -> Vec<String> {
    let version: recipes::name::Version = format!("{}.99", python_version()).parse().unwrap();
    let book = crate::examples::base_book();
    let wanted = book.recipes.iter().filter(|r| {
        let fits = r.requires_python.as_ref().is_none_or(|(specifiers, _)| specifiers.contains(&version));
        fits && r.external.build_requires.is_empty()
    });
    wanted.map(|r| format!("{}=={}", r.pname, r.version)).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn the_examples_and_their_backends_build_from_the_index_and_work() {
    let world = World::of_the_index();
    copy(&crate::examples::examples(), &world.work(""));
    let base = pure_base();
    assert!(base.len() >= 40, "{base:?}");
    let goals: Vec<&str> = base.iter().map(String::as_str).chain(CORPUS).collect();
    let examples = ["toolz", "demo-flask-vuejs-rest", "tally"];
    world.ok(&[&["build", "--no-link"], goals.as_slice(), &examples].concat());
    toolz(&world);
    demo(&world);
    library(&world);
}

fn toolz(world: &World) {
    world.ok(&["build", "toolz.toml"]);
    assert_eq!(world.python("import toolz; print(toolz.__version__)"), "0.10.0");
    let wheel = world.work("result/dist").read_dir().unwrap().next().unwrap().unwrap().path();
    let venv = world.path("venv");
    let run = |command: &mut Command| {
        let output = command.env_remove("PYTHONPATH").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(Command::new(python()).args(["-m", "venv"]).arg(&venv));
    let inside = venv.join("bin/python");
    run(Command::new(&inside).args(["-m", "pip", "install", "--no-index", "--quiet"]).arg(wheel));
    let said = run(Command::new(&inside).args(["-I", "-c", "import tlz, toolz; print(toolz.concat([[1]]))"]));
    assert!(said.contains("chain"), "{said}");
}

/// Ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn demo(world: &World) {
    world.ok(&["build", "flask-app/demo.toml", "-o", "demo"]);
    let program = world.work("demo/bin/web_interface.py");
    let command = Command::new(&program).arg("0").env_clear().stdout(Stdio::piped()).spawn();
    let mut server = Running(command.unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().trim_end_matches('/').to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET / HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.") && answer.ends_with("Hello, World!"), "{answer}");
    // Its own executables only: flask's command stays inside.
    let names: Vec<_> = world.work("demo/bin").read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|n| n == "flask"), "{names:?}");
    // The interpreter of the environment is the one its children get.
    let code = "import subprocess, sys; subprocess.check_call([sys.executable, '-c', 'import flask; print(flask.__name__)'])";
    let output = world.ok(&["run", "flask", "--", "python", "-c", code]);
    assert_eq!(output.stdout, "flask\n");
}

fn library(world: &World) {
    world.ok(&["build", "private-library/tally.toml", "-o", "tally"]);
    assert_eq!(world.build(&["tally", "-o", "tally"]).ran(), Vec::<String>::new());
    let recipe = world.read("private-library/tally.toml");
    world.write("private-library/tally.toml", format!("# a remark\n{recipe}"));
    assert_eq!(world.build(&["tally", "-o", "tally"]).ran(), Vec::<String>::new());
    let source = world.read("private-library/src/tally/cli.py");
    world.write("private-library/src/tally/cli.py", format!("{source}\n# changed\n"));
    let output = world.build(&["tally", "-o", "tally"]);
    assert!(output.ran().contains(&"tally 0.3.0 check".to_owned()), "{output}");
    world.ok(&["env", "tally[table]", "toolz", "--out", "both"]);
    let mut counted = Command::new(world.work("both/bin/tally"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    counted.stdin.take().unwrap().write_all(b"rad Rad nabe").unwrap();
    let counted = counted.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&counted.stdout).starts_with("word"), "{counted:?}");
    let code = "import tally, toolz; print(toolz.valmap(str, tally.count('a a')))";
    assert_eq!(world.ok(&["run", "tally", "toolz", "--", "python", "-c", code]).stdout, "{'a': '2'}\n");
}
