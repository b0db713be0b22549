//! Our lines: the same packages, built by the real program.
//!
//! Knows its command line, its report and where a store keeps files. Must
//! never know how it builds.
//!
//! All goals carry the referee's SOURCE_DATE_EPOCH through an overlay. So both
//! sides build with the same one, and in a store where everything is built
//! already exactly the goals have to be unpacked and built again: an output
//! that comes out as it was stops what lies above it (and so does a wheel: its
//! install is there).

use std::path::{Path, PathBuf};
use std::process::Command;

use recipes::recipe::Recipe;
use serde_json::Value;

use super::clock::timed;
use super::options::Options;
use super::sources;
use super::table::Sample;

/// The line the targets hold.
pub const MAIN: &str = "wheelwright";
/// The referee's SOURCE_DATE_EPOCH.
const EPOCH: u64 = 1_577_836_800;

/// The program, what it builds, and where.
#[derive(Debug)]
pub struct Ours<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// The program.
    pub program: PathBuf,
    /// The interpreter, where the peers have one.
    pub python: Option<PathBuf>,
    /// `NAME==VERSION`.
    pub goals: Vec<String>,
    /// Every recipe of the base set and the corpus.
    pub recipes: Vec<Recipe>,
    /// A store in which everything is built, kept from bench to bench.
    pub template: PathBuf,
    /// A folder that goes away.
    pub scratch: PathBuf,
}

/// The samples of a round.
#[derive(Debug, Default)]
pub struct Round {
    /// Whole jobs.
    pub jobs: Vec<Sample>,
    /// Small things.
    pub moments: Vec<Sample>,
}

impl Ours<'_> {
    /// Outside the time: the store where all is built, the workspace, the sources as an index.
    pub fn prepare(&self, examples: &Path) -> Result<(), String> {
        for folder in ["home", "tmp", "set/overlays"] {
            make(&self.scratch.join(folder))?;
        }
        let set = self.scratch.join("set");
        run(Command::new("cp").arg("-R").arg(examples.join("corpus")).arg(&set))?;
        run(Command::new("cp").arg(examples.join("toolz.toml")).arg(set.join("corpus")))?;
        let text = "[set]\nrecipes = [\"corpus\"]\noverlays = [\"overlays\"]\n";
        write(&set.join("wheelwright.toml"), text)?;
        // With the caller's environment: here the sources come from the index.
        let mut command = Command::new(&self.program);
        self.arguments(&mut command, &self.template);
        command.current_dir(&set).args(["build", "--no-link", "--no-check"]).args(&self.goals);
        run(&mut command)?;
        for goal in &self.goals {
            self.overlay(goal, EPOCH)?;
        }
        sources::index(&self.recipes, &self.template, &self.scratch.join("simple"))
    }

    /// One round of all our lines.
    pub fn round(&self, number: usize) -> Result<Round, String> {
        let mut round = Round::default();
        let store = self.scratch.join("store");
        for (line, flags) in [(MAIN, &["--no-check"][..]), ("wheelwright, with import checks", &[])] {
            self.copy_template(&store)?;
            round.jobs.push(self.build(line, number, (&store, flags), true)?);
        }
        for _ in 0..3 {
            round.moments.push(self.build("nothing to do", number, (&store, &[]), false)?);
        }
        round.moments.push(self.bumped(number, &store)?);
        round.moments.extend(self.environments(number, &store)?);
        let empty = self.scratch.join("empty");
        round.jobs.push(self.build("wheelwright, empty store", number, (&empty, &["--no-check"]), true)?);
        for folder in [store, empty] {
            remove(&folder)?;
        }
        Ok(round)
    }

    /// One package's input changes.
    fn bumped(&self, number: usize, store: &Path) -> Result<Sample, String> {
        self.overlay(&self.goals[0], EPOCH + 86400)?;
        let sample = self.build("one package changed", number, (store, &[]), false);
        self.overlay(&self.goals[0], EPOCH)?;
        sample.map(|sample| Sample { ran: format!("{}: {}", self.goals[0], sample.ran), ..sample })
    }

    /// A build of all goals; `wheels` also asks for their wheels in a folder.
    fn build(
        &self,
        line: &str,
        round: usize,
        (store, flags): (&Path, &[&str]),
        wheels: bool,
    ) -> Result<Sample, String> {
        let out = self.scratch.join("wheels");
        let mut command = self.command(store);
        command.args(["--json", "build", "--no-link"]).args(flags);
        if wheels {
            command.arg("--wheel-dir").arg(&out);
        }
        let log = self.scratch.join("report.json");
        let (took, status) = timed(command.args(&self.goals), &log)?;
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let report: Value = serde_json::from_str(&text)
            .map_err(|e| format!("`{line}` ended with {status} and no report ({e}): {}", errors(&log)))?;
        let (ran, mut failures) = judged(&report, &self.goals);
        if wheels {
            failures.extend(without_wheel(&self.goals, &out));
            remove(&out)?;
        }
        let (wall, cpu, others) = (took.wall, took.cpu, took.others);
        Ok(Sample { line: line.to_owned(), round, wall, cpu, others, failures, ran })
    }

    /// Environments of all goals; the import checks compiled their byte code before.
    fn environments(&self, round: usize, store: &Path) -> Result<Vec<Sample>, String> {
        let out = self.scratch.join("env");
        let mut samples = Vec::new();
        let [working, frozen] = ["working environment", "frozen environment, and one command in it"];
        for line in [working, working, working, frozen] {
            let mut command = self.command(store);
            if line == working {
                command.arg("env").args(&self.goals).arg("--out").arg(&out);
            } else {
                command.arg("run").args(&self.goals).args(["--", "true"]);
            }
            let log = self.scratch.join("env.log");
            let (took, status) = timed(&mut command, &log)?;
            let failures = if status.success() { Vec::new() } else { vec![errors(&log)] };
            let (wall, cpu, others) = (took.wall, took.cpu, took.others);
            let ran = String::new();
            samples.push(Sample { line: line.to_owned(), round, wall, cpu, others, failures, ran });
            remove(&out)?;
        }
        Ok(samples)
    }

    /// The program as it is measured: nothing of the caller's environment, no network.
    fn command(&self, store: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir(self.scratch.join("set"));
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

    fn overlay(&self, goal: &str, epoch: u64) -> Result<(), String> {
        let (name, version) = goal.split_once("==").unwrap_or((goal, ""));
        let text = format!("extends = \"{version}\"\npname = \"{name}\"\n\n[source]\nepoch = {epoch}\n");
        write(&self.scratch.join("set/overlays").join(format!("{name}.toml")), &text)
    }

    fn copy_template(&self, store: &Path) -> Result<(), String> {
        remove(store)?;
        run(Command::new("cp").arg("-a").arg(&self.template).arg(store))
    }
}

/// What ran, in words, and what failed.
fn judged(report: &Value, goals: &[String]) -> (String, Vec<String>) {
    let (mut own, mut others, mut same, mut checks) = (0, 0, 0, 0);
    let mut failures = Vec::new();
    for step in report["steps"].as_array().into_iter().flatten() {
        let text = |key: &str| step[key].as_str().unwrap_or_default();
        match (text("step"), text("outcome")) {
            (kind, "failed" | "skipped" | "not-started") => {
                failures.push(format!("{kind} of {}", text("package")));
            }
            ("build", "identical") => same += 1,
            ("build", "done") => {
                let goal = text("package").replacen(' ', "==", 1);
                *(if goals.contains(&goal) { &mut own } else { &mut others }) += 1;
            }
            ("imports", "done" | "identical") => checks += 1,
            _ => {}
        }
    }
    if report["ok"] != true && failures.is_empty() {
        failures.push("the run".to_owned());
    }
    let counts = [
        (own, "builds"),
        (others, "builds of what they need"),
        (same, "found as they were"),
        (checks, "import checks"),
    ];
    let told = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    (told.collect::<Vec<_>>().join(", "), failures)
}

/// The goals that have no wheel in a folder. It holds those of what they need
/// at run time, too.
fn without_wheel(goals: &[String], folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let wheels: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let is_there = |goal: &str| {
        let start = format!("{}-", goal.replace('-', "_").replace("==", "-"));
        wheels.iter().any(|wheel| wheel.to_lowercase().starts_with(&start))
    };
    goals.iter().filter(|goal| !is_there(goal)).map(|goal| format!("no wheel of {goal}")).collect()
}

/// Where a program's talk went.
fn errors(log: &Path) -> String {
    let text = std::fs::read_to_string(log.with_extension("err")).unwrap_or_default();
    text.lines().rev().take(5).collect::<Vec<_>>().join(" / ")
}

/// Makes a folder and its parents.
pub fn make(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|e| format!("failed to make `{}`: {e}", folder.display()))
}

/// Writes a file.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("failed to write `{}`: {e}", path.display()))
}

/// Removes a folder, also one whose folders are read-only.
pub fn remove(folder: &Path) -> Result<(), String> {
    if !folder.exists() {
        return Ok(());
    }
    run(Command::new("chmod").args(["-R", "u+rwX"]).arg(folder))?;
    std::fs::remove_dir_all(folder).map_err(|e| format!("failed to remove `{}`: {e}", folder.display()))
}

/// Runs a command that has to succeed.
pub fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program}` ended with {status}")),
        Err(e) => Err(format!("failed to start `{program}`: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{judged, without_wheel};

    #[test]
    fn a_report_says_what_ran_and_what_did_not() {
        let goals = ["six==1.17.0".to_owned()];
        let step = |package: &str, step: &str, outcome: &str| json!({ "package": package, "step": step, "outcome": outcome, "seconds": 0.1 });
        let mut report = json!({ "ok": true, "steps": [
            step("six 1.17.0", "fetch", "reused"),
            step("six 1.17.0", "build", "done"),
            step("wheel 0.46.0", "build", "identical"),
            step("hatchling 1.33.0", "build", "reused"),
            step("six 1.17.0", "imports", "done"),
        ]});
        let ran = "1 builds, 1 found as they were, 1 import checks".to_owned();
        assert_eq!(judged(&report, &goals), (ran.clone(), Vec::new()));
        report["ok"] = false.into();
        assert_eq!(judged(&report, &goals), (ran, vec!["the run".to_owned()]));
        report["steps"] = json!([step("six 1.17.0", "build", "failed")]);
        assert_eq!(judged(&report, &goals), (String::new(), vec!["build of six 1.17.0".to_owned()]));
    }

    #[test]
    fn a_goal_without_a_wheel_is_named() {
        let goals = ["more-itertools==11.2.1", "six==1.17.0", "zipp==4.1.2"].map(str::to_owned);
        let folder = std::env::temp_dir().join(format!("xtask-wheels-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["more_itertools-11.2.1-py3-none-any.whl", "six-1.17.0-py2.py3-none-any.whl"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let found = without_wheel(&goals, &folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, ["no wheel of zipp==4.1.2"]);
    }
}
