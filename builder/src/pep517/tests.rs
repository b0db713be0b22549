//! The embedded programs, run by every CPython that is here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use recipes::recipe::{Build, Format, Phases};

use super::phases::Subject;
use super::*;
use crate::exec::action::{Action, ActionResult, Exit, Level};
use crate::key::{Digest, TreeDigest};

mod builds;
mod check;
mod readers;
mod refusals;
mod warm;

/// Every CPython from 3.8 on, by its own path.
pub(crate) fn pythons() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for minor in 8..=14 {
        found.push(PathBuf::from(format!("/usr/bin/python3.{minor}")));
        let versions = Path::new(env!("HOME")).join(".pyenv/versions");
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(versions).into_iter().flatten().flatten().map(|e| e.path()).collect();
        entries.sort();
        found.extend(entries.iter().map(|e| e.join(format!("bin/python3.{minor}"))));
    }
    found.retain(|p| p.exists());
    if found.is_empty() {
        found.push(PathBuf::from("/usr/bin/python3"));
    }
    found
}

/// One of them, for cases that do not depend on the version.
pub(crate) fn one_python() -> PathBuf {
    pythons().pop().expect("there is a python")
}

/// A build folder: an environment of `python`, a source, and a way to run an
/// action there as the executor would without isolation.
pub(crate) struct Place {
    root: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new(python: &Path) -> Self {
        let place = Self { root: tempfile::tempdir().unwrap() };
        let home = python.parent().unwrap().display();
        place.write("env/pyvenv.cfg", &format!("home = {home}\ninclude-system-site-packages = false\n"));
        std::fs::create_dir_all(place.path("env/bin")).unwrap();
        std::fs::create_dir_all(place.path("build/src")).unwrap();
        std::os::unix::fs::symlink(python, place.path("env/bin/python")).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn site(&self, python: &Path) -> String {
        let name = python.file_name().unwrap().to_str().unwrap();
        format!("env/lib/{name}/site-packages")
    }

    fn moved(&self, text: &str) -> String {
        let root = self.root.path().display();
        text.replace("/build", &format!("{root}/build")).replace("/env", &format!("{root}/env"))
    }

    /// Runs the action and collects its outputs by moving them.
    pub(crate) fn run(&self, action: &Action) -> ActionResult {
        for (name, bytes) in &action.files {
            let path = name.under(&self.path("build"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let argv: Vec<String> = action.argv.iter().map(|a| self.moved(a)).collect();
        let output = Command::new(&argv[0])
            .args(&argv[1..])
            .env_clear()
            .envs(action.env.iter().map(|(k, v)| (k, self.moved(v))))
            .current_dir(self.moved(&action.cwd))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let outputs = tempfile::tempdir().unwrap();
        let mut missing = Vec::new();
        for name in &action.outputs {
            let to = name.under(outputs.path());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            if let Err(e) = std::fs::rename(name.under(&self.path("build")), to) {
                missing.push((name.clone(), e.to_string()));
            }
        }
        ActionResult {
            exit: Exit::Code(output.status.code().unwrap_or(-1)),
            outputs,
            missing,
            log: [output.stdout, output.stderr].concat(),
            log_dropped: 0,
            took: Duration::ZERO,
            peak_memory: None,
            warmth: crate::exec::action::Warmth::Cold,
            level: Level::Env,
            kept: None,
        }
    }
}

pub(crate) fn spec() -> BuildSpec {
    BuildSpec {
        label: "demo 1.0".into(),
        subject: Subject { pname: "demo".into(), version: "1.0".into(), cores: 2 },
        format: Format::Pyproject,
        source: TreeDigest(Digest::of(b"x")),
        subdirectory: String::new(),
        epoch: 315_532_800,
        inputs: BTreeMap::new(),
        host_paths: Vec::new(),
        cflags: String::new(),
        compiler: false,
        pretend_version: false,
        jobserver: None,
        build: Build::default(),
        phases: Phases::new(),
        level: Level::Env,
        warm: None,
        more: false,
        code: ByteCode::default(),
        report_modules: false,
    }
}

const PYPROJECT: &str =
    "[build-system]\nrequires = [\"toy\"] # no such\nbuild-backend = \"toy\"\nbackend-path = [\".\"]\n";

const WHEEL: &str = r#"
import os
def build_wheel(directory, config_settings=None, metadata_directory=None):
    open(os.path.join(directory, "demo-1.0-py3-none-any.whl"), "w").close()
    print("config", config_settings)
    return "demo-1.0-py3-none-any.whl"
"#;

fn build_with(python: &Path, backend: &str, spec: &BuildSpec) -> (Result<Answer, Refusal>, String) {
    let place = Place::new(python);
    place.write("build/src/pyproject.toml", PYPROJECT);
    place.write("build/src/toy.py", backend);
    let result = place.run(&build_action(spec));
    (read_answer(&result), String::from_utf8_lossy(&result.log).into_owned())
}

/// Runs a Python program beside our modules.
fn ask(python: &Path, program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pep517");
    for name in ["requirements", "toml", "fork_server", "sample"] {
        let to = folder.path().join(format!("wheelwright_{name}.py"));
        std::fs::copy(here.join(format!("{name}.py")), to).unwrap();
    }
    std::fs::write(folder.path().join("program.py"), program).unwrap();
    let output =
        Command::new(python).arg("-B").arg(folder.path().join("program.py")).env_clear().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Byte code that `python` writes into an empty folder.
fn compiled(python: &Path, folder: &Path) -> ByteCode {
    let mut command = Command::new(python);
    command.args(["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-d", "", "."]);
    let compile = || {
        assert!(command.current_dir(folder).status().unwrap().success());
        Ok(())
    };
    ByteCode::make(folder, compile).unwrap()
}
