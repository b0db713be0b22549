//! The peers, measured by the referee script.
//!
//! Knows its command line and the files it writes. Must never know how a peer
//! builds, nor change what the script does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::options::{Options, QUICK};
use super::table::Sample;

/// The script and a folder that it prepared.
#[derive(Debug)]
pub struct Referee<'a> {
    options: &'a Options,
    /// The packages of the set, `NAME==VERSION`, as the folder has them.
    pub goals: Vec<String>,
    /// The interpreter that all its lines build with.
    pub python: PathBuf,
}

impl<'a> Referee<'a> {
    /// The referee, if script and folder are there; else the reason.
    pub fn find(options: &'a Options) -> Result<Self, String> {
        let (script, peers) = (options.referee.display(), options.peers.display());
        if !options.referee.is_file() {
            return Err(format!("the referee `{script}` is not there\nhint: name it with --referee"));
        }
        let hint = format!("hint: python3.11 {script} prepare {peers} --set {}", options.set);
        let prepared = options.peers.join("prepared.json");
        let text = std::fs::read_to_string(&prepared)
            .map_err(|_| format!("the peers are not prepared in `{peers}`\n{hint}"))?;
        let state: Value = serde_json::from_str(&text)
            .map_err(|e| format!("`{}` is not what the referee writes: {e}", prepared.display()))?;
        let packages = state["packages"].as_object().into_iter().flatten();
        let mut goals = Vec::new();
        for (name, package) in packages {
            let ready = package["modules"].as_array().is_some_and(|m| !m.is_empty());
            let wanted = package["kind"] == options.set.as_str() && !options.skips(name);
            if wanted && ready && (!options.quick || QUICK.contains(&name.as_str())) {
                goals.push(format!("{name}=={}", package["version"].as_str().unwrap_or_default()));
            }
        }
        if goals.is_empty() {
            return Err(format!("`{peers}` has no package of the {} set ready\n{hint}", options.set));
        }
        let python = std::fs::canonicalize(options.peers.join("base/bin/python"))
            .map_err(|e| format!("`{peers}` has no interpreter: {e}\n{hint}"))?;
        Ok(Self { options, goals, python })
    }

    fn script(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.options.referee).arg(verb).arg(&self.options.peers);
        command.arg("--work").arg(&self.options.work).stdin(Stdio::null());
        command
    }

    /// One round of all its lines.
    pub fn round(&self, number: usize, scratch: &Path) -> Result<(Vec<Sample>, Value), String> {
        let (options, json) = (self.options, scratch.join("referee.json"));
        let mut command = self.script("run");
        command.args(["--set", &options.set, "--jobs", &options.jobs, "--rounds", "1"]);
        command.arg("--json").arg(&json).stdout(Stdio::null());
        if options.quick {
            command.args(["--only", &QUICK.join(",")]);
        }
        for (word, value) in [("--skip", &options.skip), ("--lines", &options.lines)] {
            if !value.is_empty() {
                command.args([word, value]);
            }
        }
        // Its status is 1 when a line has a failure, too; that is in the JSON.
        let status = command.status().map_err(|e| format!("failed to start the referee: {e}"))?;
        let text = std::fs::read_to_string(&json)
            .map_err(|e| format!("the referee ended with {status} and no numbers: {e}"))?;
        let said: Value =
            serde_json::from_str(&text).map_err(|e| format!("the referee's numbers are no JSON: {e}"))?;
        let rows = said["rows"].as_array().cloned().unwrap_or_default();
        Ok((rows.iter().map(|row| sample(row, number)).collect(), said))
    }

    /// Its table of environments, from the wheels of its latest round.
    pub fn environments(&self) -> Result<String, String> {
        let output = self.script("env").stderr(Stdio::inherit()).output();
        let output = output.map_err(|e| format!("failed to start the referee: {e}"))?;
        if !output.status.success() {
            return Err(format!("the referee's `env` ended with {}", output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        Ok(table.join("\n"))
    }
}

fn sample(row: &Value, round: usize) -> Sample {
    let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    let failures = row["failures"].as_array().into_iter().flatten();
    Sample {
        line: row["line"].as_str().unwrap_or_default().to_owned(),
        round,
        wall: number("wall"),
        cpu: number("cpu"),
        others: number("others"),
        failures: failures.filter_map(Value::as_str).map(str::to_owned).collect(),
        ran: String::new(),
    }
}
