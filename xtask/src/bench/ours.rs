//! Our side: the real program, in a workspace and with a store of its own.
//!
//! Knows its command line and where a store keeps files. Must never know how
//! it builds, nor which lines there are.

use std::path::{Path, PathBuf};
use std::process::Command;

use recipes::recipe::Recipe;
use serde_json::Value;

use super::clock::{Took, timed};
use super::files::{copy, make, read, remove, run, said, write};
use super::options::{Options, QUICK};
use super::table::Sample;
use super::{report, sources};

/// The line the targets hold.
pub const MAIN: &str = "wheelwright";
/// The referee's SOURCE_DATE_EPOCH.
pub const EPOCH: u64 = 1_577_836_800;

/// The program, and what it works with.
#[derive(Debug)]
pub struct Ours<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// The program.
    pub program: PathBuf,
    /// The interpreter, where the peers have one.
    pub python: Option<PathBuf>,
    /// The folder of the corpus' recipes.
    pub examples: PathBuf,
    /// The recipes of the base set and the corpus.
    pub recipes: Vec<Recipe>,
    /// A store in which everything is built, kept from bench to bench.
    pub template: PathBuf,
    /// A folder that goes away.
    pub scratch: PathBuf,
}

/// A workspace and what is built of it.
#[derive(Debug)]
pub struct Workspace {
    /// Where it lies.
    pub folder: PathBuf,
    /// `NAME==VERSION`.
    pub goals: Vec<String>,
}

/// One run of the program.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The line it stands for.
    pub line: &'a str,
    /// Which round.
    pub round: usize,
    /// The store.
    pub store: &'a Path,
    /// More words of the command line.
    pub flags: &'a [&'a str],
}

impl<'a> Ours<'a> {
    /// Our side, before anything is prepared.
    pub fn find(
        options: &'a Options,
        root: &Path,
        (scratch, python): (&Path, Option<PathBuf>),
    ) -> Result<Self, String> {
        let program = match &options.wheelwright {
            Some(program) => program.clone(),
            None => {
                let build = ["build", "--release", "--locked", "--package", "builder"];
                run(crate::cargo().args(build).current_dir(root))?;
                root.join("target/release/wheelwright")
            }
        };
        for folder in ["home", "tmp", "simple"] {
            make(&scratch.join(folder))?;
        }
        let examples = root.join("recipe-examples");
        let recipes = sources::recipes(&recipe_files(&examples)?)?;
        let (template, scratch) = (root.join("target/bench/store"), scratch.to_owned());
        Ok(Self { options, program, python, examples, recipes, template, scratch })
    }

    /// The whole corpus, `NAME==VERSION`: what there is a recipe for.
    pub fn listed(&self) -> Result<Vec<String>, String> {
        Ok(read(&self.examples.join("corpus.txt"))?.lines().map(str::to_owned).collect())
    }

    /// What of it is not left out.
    pub fn corpus(&self) -> Result<Vec<String>, String> {
        let mut goals = self.listed()?;
        goals.retain(|goal| !self.options.skips(goal.split("==").next().unwrap_or_default()));
        Ok(goals)
    }

    /// Those of the goals that `--quick` builds where no referee names any.
    pub fn quick(&self) -> Result<Vec<String>, String> {
        let mut goals = self.corpus()?;
        goals.retain(|goal| QUICK.iter().any(|name| goal.starts_with(&format!("{name}=="))));
        Ok(goals)
    }

    /// The recipes of the corpus' packages.
    pub fn corpus_recipes(&self) -> impl Iterator<Item = &Recipe> {
        self.recipes.iter().filter(|recipe| recipe.layer != "base")
    }

    /// A workspace of the corpus' recipes. Outside the time: the store has
    /// everything built that it needs, with the sources from the caller's index.
    pub fn workspace(&self, name: &str, goals: Vec<String>) -> Result<Workspace, String> {
        let listed = self.listed()?;
        let missing: Vec<&str> =
            goals.iter().filter(|goal| !listed.contains(goal)).map(String::as_str).collect();
        if !missing.is_empty() {
            return Err(format!("no recipe here for {}", missing.join(", ")));
        }
        let folder = self.scratch.join(name);
        make(&folder.join("overlays"))?;
        run(Command::new("cp").arg("-R").arg(self.examples.join("corpus")).arg(&folder))?;
        run(Command::new("cp").arg(self.examples.join("toolz.toml")).arg(folder.join("corpus")))?;
        let text = "[set]\nrecipes = [\"corpus\"]\noverlays = [\"overlays\"]\n";
        write(&folder.join("wheelwright.toml"), text)?;
        let workspace = Workspace { folder, goals };
        self.fill(&workspace)?;
        sources::index(&self.recipes, &self.template, &self.scratch.join("simple"))?;
        Ok(workspace)
    }

    /// Builds the goals into the store that all rounds start from.
    pub fn fill(&self, workspace: &Workspace) -> Result<(), String> {
        eprintln!("preparing {} packages", workspace.goals.len());
        let mut command = Command::new(&self.program);
        self.arguments(&mut command, &self.template);
        command.current_dir(&workspace.folder).args(["build", "--no-link", "--no-check"]);
        run(command.args(&workspace.goals))
    }

    /// A fresh copy of the store in which everything is built.
    pub fn store(&self, name: &str) -> Result<PathBuf, String> {
        let store = self.scratch.join(name);
        copy(&self.template, &store)?;
        Ok(store)
    }

    /// The program as it is measured: nothing of the caller's environment, no network.
    pub fn command(&self, workspace: &Workspace, store: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir(&workspace.folder);
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", self.scratch.join("home")).env("TMPDIR", self.scratch.join("tmp"));
        command.env("LANG", "C.UTF-8");
        command.env("PIP_INDEX_URL", format!("file://{}/", self.scratch.join("simple").display()));
        self.arguments(&mut command, store);
        command
    }

    fn arguments(&self, command: &mut Command, store: &Path) {
        command.arg("--store").arg(store).args(["--jobs", &self.options.jobs]);
        if let Some(python) = &self.python {
            command.arg("--python").arg(python);
        }
    }

    /// The C flags that the interpreter was built with.
    pub fn own_flags(&self) -> Result<String, String> {
        let ask = "import sysconfig; print(sysconfig.get_config_var('CFLAGS') or '')";
        let text = said(self.interpreter().args(["-c", ask]))?;
        Ok(text.trim().to_owned())
    }

    /// The interpreter, to be asked.
    pub fn interpreter(&self) -> Command {
        Command::new(self.python.as_deref().unwrap_or(Path::new("python3")))
    }

    /// A build of all goals.
    pub fn build(&self, workspace: &Workspace, run: Run<'_>) -> Result<(Sample, Value), String> {
        let mut command = self.command(workspace, run.store);
        command.args(["--json", "build", "--no-link"]).args(run.flags).args(&workspace.goals);
        let log = self.scratch.join("report.json");
        let (took, status) = timed(&mut command, &log)?;
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let report: Value = serde_json::from_str(&text).map_err(|e| {
            format!("`{}` ended with {status} and no report ({e}): {}", run.line, report::errors(&log))
        })?;
        let (ran, failures) = report::judged(&report, &workspace.goals);
        Ok((sample(run, (workspace.goals.len(), took), (ran, failures)), report))
    }

    /// A build of all goals that also puts their wheels into a folder and looks whether all are there.
    pub fn build_wheels(&self, workspace: &Workspace, run: Run<'_>) -> Result<(Sample, Value), String> {
        let out = self.scratch.join("wheels");
        let flag = out.display().to_string();
        let flags = [run.flags, &["--wheel-dir", &flag]].concat();
        let (mut sample, said) = self.build(workspace, Run { flags: &flags, ..run })?;
        sample.failures.extend(report::without_wheel(&workspace.goals, &out));
        remove(&out)?;
        Ok((sample, said))
    }

    /// Any other command of the program.
    pub fn timed(&self, workspace: &Workspace, run: Run<'_>) -> Result<Sample, String> {
        let mut command = self.command(workspace, run.store);
        let log = self.scratch.join("command.log");
        let (took, status) = timed(command.args(run.flags), &log)?;
        let failures = if status.success() { Vec::new() } else { vec![report::errors(&log)] };
        Ok(sample(run, (workspace.goals.len(), took), (String::new(), failures)))
    }
}

impl Workspace {
    /// Says of a goal, in an overlay, when its source is from, and more.
    pub fn overlay(&self, goal: &str, epoch: u64, more: &str) -> Result<(), String> {
        let (name, version) = goal.split_once("==").unwrap_or((goal, ""));
        let text =
            format!("extends = \"{version}\"\npname = \"{name}\"\n\n[source]\nepoch = {epoch}\n{more}");
        write(&self.folder.join("overlays").join(format!("{name}.toml")), text)
    }
}

/// What was measured, as a sample; said on the way.
pub fn sample(
    run: Run<'_>,
    (packages, took): (usize, Took),
    (ran, failures): (String, Vec<String>),
) -> Sample {
    let Took { wall, cpu, others, peak } = took;
    eprintln!("round {} {}: {wall:.3} s {}", run.round + 1, run.line, failures.join(" "));
    Sample { line: run.line.to_owned(), round: run.round, packages, wall, cpu, others, peak, failures, ran }
}

fn recipe_files(examples: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = std::fs::read_dir(examples.join("corpus"))
        .map_err(|e| format!("failed to read the corpus' recipes: {e}"))?;
    let mut paths: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
    paths.push(examples.join("toolz.toml"));
    Ok(paths)
}
