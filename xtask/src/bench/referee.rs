//! The peers, measured by the referee script.
//!
//! Knows its command line and the files it reads and writes. Must never know
//! how a peer builds, nor change what the script does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::files::{read, said};
use super::options::{Options, Part};
use super::table::Sample;

/// The script and a folder that it prepared.
#[derive(Debug)]
pub struct Referee<'a> {
    options: &'a Options,
    /// Its folder.
    pub folder: PathBuf,
    /// A table of packages in place of the corpus'.
    corpus: Option<PathBuf>,
    /// The interpreter that all its lines build with.
    pub python: PathBuf,
    /// What it knows of its folder.
    pub state: Value,
}

impl<'a> Referee<'a> {
    /// The referee, if script and folder are there; else the reason.
    pub fn find(options: &'a Options) -> Result<Self, String> {
        if !options.referee.is_file() {
            let script = options.referee.display();
            return Err(format!("the referee `{script}` is not there\nhint: name it with --referee"));
        }
        Self::open(options, options.peers.clone(), None)
    }

    fn open(options: &'a Options, folder: PathBuf, corpus: Option<PathBuf>) -> Result<Self, String> {
        let (script, peers) = (options.referee.display(), folder.display());
        let hint = format!("hint: python3.11 {script} prepare {peers} --set all");
        let prepared = folder.join("prepared.json");
        let text = std::fs::read_to_string(&prepared)
            .map_err(|_| format!("the peers are not prepared in `{peers}`\n{hint}"))?;
        let state = serde_json::from_str(&text)
            .map_err(|e| format!("`{}` is not what the referee writes: {e}", prepared.display()))?;
        let python = std::fs::canonicalize(folder.join("base/bin/python"))
            .map_err(|e| format!("`{peers}` has no interpreter: {e}\n{hint}"))?;
        Ok(Self { options, folder, corpus, python, state })
    }

    /// The packages of a set, `NAME==VERSION`, as the folder has them.
    pub fn goals(&self, set: Part) -> Result<Vec<String>, String> {
        let goals = goals(&self.state, set.word(), |name| self.options.skips(name));
        if goals.is_empty() {
            let (script, peers) = (self.options.referee.display(), self.folder.display());
            return Err(format!(
                "`{peers}` has no package of the {} set ready\nhint: python3.11 {script} prepare {peers} --set all",
                set.word()
            ));
        }
        Ok(goals)
    }

    /// Another folder of the same tools and build requirements, prepared for
    /// the packages of another table (as the set `pure`), whose sdists lie in
    /// `sdists`.
    pub fn beside(&self, folder: &Path, corpus: &Path, sdists: &Path) -> Result<Self, String> {
        super::files::make(folder)?;
        for name in ["base", "tools", "wheels"] {
            std::os::unix::fs::symlink(self.folder.join(name), folder.join(name))
                .map_err(|e| format!("failed to link `{name}` into `{}`: {e}", folder.display()))?;
        }
        // It resolves anew, from these wheels; the requirements whose wheels
        // are there already it need not ask the index for.
        let mut state = self.state.clone();
        (state["packages"], state["envs"]) = (serde_json::json!({}), serde_json::json!({}));
        super::files::write(&folder.join("prepared.json"), state.to_string())?;
        let made = Self::open(self.options, folder.to_owned(), Some(corpus.to_owned()))?;
        let mut command = made.script("prepare");
        command.args(["--set", "pure", "--jobs", &self.options.jobs]);
        command.arg("--python").arg(&self.python).arg("--reuse").arg(sdists);
        said(&mut command)?;
        Self::open(self.options, folder.to_owned(), made.corpus)
    }

    fn script(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.options.referee).arg(verb).arg(&self.folder);
        command.arg("--work").arg(&self.options.work).stdin(Stdio::null());
        if let Some(corpus) = &self.corpus {
            command.arg("--corpus").arg(corpus);
        }
        command
    }

    /// One round of some of its lines (all of them: empty).
    pub fn round(
        &self,
        set: Part,
        lines: &str,
        (number, scratch): (usize, &Path),
    ) -> Result<(Vec<Sample>, Value), String> {
        let (options, json) = (self.options, scratch.join("referee.json"));
        let mut command = self.script("run");
        command.args(["--set", set.word(), "--jobs", &options.jobs, "--rounds", "1"]);
        command.arg("--json").arg(&json).stdout(Stdio::null());
        if self.corpus.is_none() {
            // What it is not ready for it would refuse: the goals are what it is to run.
            let goals = self.goals(set)?;
            let names: Vec<&str> = goals.iter().filter_map(|goal| goal.split("==").next()).collect();
            command.args(["--only", &names.join(",")]);
        }
        if !lines.is_empty() {
            command.args(["--lines", lines]);
        }
        // Its status is 1 when a line has a failure, too; that is in the JSON.
        let status = command.status().map_err(|e| format!("failed to start the referee: {e}"))?;
        let text = read(&json).map_err(|e| format!("the referee ended with {status} and no numbers: {e}"))?;
        super::files::remove_file(&json)?;
        let said: Value =
            serde_json::from_str(&text).map_err(|e| format!("the referee's numbers are no JSON: {e}"))?;
        let packages = said["packages"].as_array().map_or(1, Vec::len);
        let rows = said["rows"].as_array().cloned().unwrap_or_default();
        Ok((rows.iter().map(|row| sample(row, number, packages)).collect(), said))
    }

    /// Its table of environments of these wheels.
    pub fn environments(&self, wheels: &Path) -> Result<String, String> {
        let mut command = self.script("env");
        let text = said(command.arg("--wheels").arg(wheels))?;
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        Ok(table.join("\n"))
    }
}

/// A table of its words and numbers as JSON: an object a row.
pub fn rows(table: &str) -> Value {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = table.lines();
    let head = lines.next().map(cells).unwrap_or_default();
    let value = |cell: String| cell.parse::<f64>().map_or(Value::from(cell), Value::from);
    let row = |line: &str| head.iter().cloned().zip(cells(line).into_iter().map(value)).collect::<Value>();
    // The second line is the rule below the head.
    lines.skip(1).map(row).collect()
}

/// The packages of a set that are ready, and not left out.
fn goals(state: &Value, set: &str, skips: impl Fn(&str) -> bool) -> Vec<String> {
    let packages = state["packages"].as_object().into_iter().flatten();
    let ready = |package: &Value| package["modules"].as_array().is_some_and(|m| !m.is_empty());
    let wanted = packages.filter(|(name, package)| package["kind"] == set && ready(package) && !skips(name));
    wanted
        .map(|(name, package)| format!("{name}=={}", package["version"].as_str().unwrap_or_default()))
        .collect()
}

fn sample(row: &Value, round: usize, packages: usize) -> Sample {
    let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    let failures = row["failures"].as_array().into_iter().flatten();
    Sample {
        line: row["line"].as_str().unwrap_or_default().to_owned(),
        round,
        packages,
        wall: number("wall"),
        cpu: number("cpu"),
        others: number("others"),
        peak: None,
        failures: failures.filter_map(Value::as_str).map(str::to_owned).collect(),
        ran: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_ready_is_a_goal() {
        let state = json!({ "packages": {
            "six": { "kind": "pure", "version": "1.17.0", "modules": ["six"] },
            "toolz": { "kind": "pure", "version": "0.10.0", "modules": [] },
            "h11": { "kind": "pure", "version": "0.16.0", "modules": ["h11"] },
            "cffi": { "kind": "native", "version": "2.1.1", "modules": ["cffi"] },
        }});
        assert_eq!(goals(&state, "pure", |name| name == "h11"), ["six==1.17.0"]);
        assert_eq!(goals(&state, "native", |_| false), ["cffi==2.1.1"]);
    }

    #[test]
    fn a_table_becomes_rows() {
        let table = "| line | rounds | median ms |\n|---|---|---|\n| uv venv | 7 | 15.6 |\n";
        assert_eq!(rows(table), json!([{ "line": "uv venv", "rounds": 7.0, "median ms": 15.6 }]));
        assert_eq!(rows(""), json!([]));
    }

    #[test]
    fn a_row_becomes_a_sample() {
        let row = json!({ "line": "fork", "wall": 3.5, "cpu": 6.0, "others": 0.1, "failures": ["six"] });
        let sample = sample(&row, 2, 58);
        assert_eq!((sample.line.as_str(), sample.round, sample.packages), ("fork", 2, 58));
        assert_eq!((sample.wall, sample.failures), (3.5, vec!["six".to_owned()]));
    }
}
