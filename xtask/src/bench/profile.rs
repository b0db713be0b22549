//! Where the time of the pure set goes.
//!
//! Knows the report of a run and the facts of the builds that a store keeps.
//! Must never guess: what no part tells of is shown as such.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::Tables;
use super::files::{remove, said};
use super::options::Part;
use super::ours::{EPOCH, MAIN, Ours, Run};
use super::referee::Referee;

/// Reads what builds told of themselves since a moment; the store's database
/// is an ordinary SQLite file, and every Python reads those.
const READ: &str = "\
import json, sqlite3, sys
base = sqlite3.connect(sys.argv[1])
rows = base.execute(\"SELECT name, facts FROM realisations WHERE kind = 'build' AND made >= ?\", [int(sys.argv[2])])
print(json.dumps([[name, json.loads(facts)] for name, facts in rows]))
";

/// Measures one run of the main line.
pub fn part(ours: &Ours<'_>, referee: Option<&Referee<'_>>) -> Result<Tables, String> {
    let goals = match referee {
        Some(referee) => referee.goals(Part::Pure)?,
        None => ours.quick()?,
    };
    let workspace = ours.workspace("profile", goals)?;
    for goal in &workspace.goals {
        workspace.overlay(goal, EPOCH, "")?;
    }
    let store = ours.store("store")?;
    let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let run = Run { line: MAIN, round: 0, store: &store, flags: &["--no-check"] };
    let (sample, report) = ours.build_wheels(&workspace, run)?;
    let facts = facts(ours, &store, start)?;
    remove(&store)?;
    let jobs = ours.options.jobs.parse().unwrap_or(1.0);
    let ran = ran(&report, &facts);
    let rows = rows(&report, &python(&ran), (jobs, sample.wall));
    let text = format!(
        "{} packages (pure), {}; builds: {}\n\nOne run of {:.2} s, that is {:.2} s of workers:\n\n{}",
        workspace.goals.len(),
        super::machine(ours, &Value::Null),
        warmth(&ran),
        sample.wall,
        jobs * sample.wall,
        table(&rows),
    );
    Ok(Tables { part: Part::Profile, text, samples: vec![sample], judged: Vec::new(), peers: Value::Null })
}

fn facts(ours: &Ours<'_>, store: &Path, start: u64) -> Result<Value, String> {
    let mut command = ours.interpreter();
    command.args(["-c", READ]).arg(store.join("state.sqlite")).arg(start.to_string());
    let text = said(&mut command)?;
    serde_json::from_str(&text).map_err(|e| format!("the store's facts are no JSON: {e}"))
}

/// What the builds that ran told of themselves. One that was found carries
/// the numbers of the day it ran.
fn ran<'a>(report: &Value, facts: &'a Value) -> Vec<&'a Value> {
    let steps = report["steps"].as_array().into_iter().flatten();
    let ran: Vec<&str> = steps
        .filter(|step| step["step"] == "build" && step["outcome"] == "done")
        .filter_map(|step| step["package"].as_str())
        .collect();
    let mine = |row: &&Value| {
        let mut words = row[0].as_str().unwrap_or_default().split('-');
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let package = format!("{} {version}", name.to_lowercase().replace(['_', '.'], "-"));
        ran.contains(&package.as_str())
    };
    facts.as_array().into_iter().flatten().filter(mine).map(|row| &row[1]).collect()
}

/// Seconds of each part of Python's work.
fn python(ran: &[&Value]) -> BTreeMap<String, f64> {
    let mut parts = BTreeMap::new();
    for (part, milliseconds) in ran.iter().filter_map(|facts| facts["milliseconds"].as_object()).flatten() {
        *parts.entry(part.clone()).or_default() += milliseconds.as_f64().unwrap_or(0.0) / 1e3;
    }
    parts
}

/// How many ran in a child of a fork server, and how many not.
fn warmth(ran: &[&Value]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for facts in ran {
        *counts.entry(facts["warmth"].as_str().unwrap_or("cold")).or_default() += 1;
    }
    let words: Vec<String> = counts.iter().rev().map(|(word, count)| format!("{count} {word}")).collect();
    words.join(", ")
}

/// What it went to, and worker seconds. The seconds of a worker are what it
/// waited, too: two of them on one core take twice as long.
fn rows(report: &Value, python: &BTreeMap<String, f64>, (jobs, wall): (f64, f64)) -> Vec<(String, f64)> {
    let mut kinds: BTreeMap<&str, f64> = BTreeMap::new();
    for step in report["steps"].as_array().into_iter().flatten() {
        let kind = step["step"].as_str().unwrap_or_default();
        *kinds.entry(kind).or_default() += step["seconds"].as_f64().unwrap_or(0.0);
    }
    let mut rows = Vec::new();
    let mut row = |what: &str, seconds: f64| rows.push((what.to_owned(), seconds));
    let mut take = |kind: &str| kinds.remove(kind).unwrap_or(0.0);
    row("fetch", take("fetch"));
    row("unpack (hash, patch, into the store)", take("source"));
    let build = take("build");
    row("cell, and the start of Python", build - python.values().sum::<f64>());
    for (part, seconds) in python {
        row(&format!("python: {part}"), *seconds);
    }
    row("normalise (finish)", take("finish"));
    row("install into the store", take("install"));
    let others = kinds.values().fold(0.0, |sum, seconds| sum + seconds);
    let steps: f64 = rows.iter().map(|(_, seconds)| seconds).sum::<f64>() + others;
    let run = report["seconds"].as_f64().unwrap_or(wall);
    rows.push(("other steps".to_owned(), others));
    rows.push(("workers idle".to_owned(), jobs * run - steps));
    rows.push(("before and after the steps: start, plan, wheels copied".to_owned(), jobs * (wall - run)));
    rows
}

fn table(rows: &[(String, f64)]) -> String {
    let total: f64 = rows.iter().map(|(_, seconds)| seconds).sum();
    let mut text = "| what | worker seconds | share |\n|---|---|---|\n".to_owned();
    for (what, seconds) in rows {
        let _ = writeln!(text, "| {what} | {seconds:.2} | {:.0} % |", 100.0 * seconds / total);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Value {
        let step = |package: &str, step: &str, outcome: &str, seconds: f64| json!({ "package": package, "step": step, "outcome": outcome, "seconds": seconds });
        json!({ "seconds": 4.0, "steps": [
            step("more-itertools 11.2.1", "source", "done", 0.5),
            step("more-itertools 11.2.1", "build", "done", 3.0),
            step("wheel 0.46.0", "build", "identical", 0.0),
            step("more-itertools 11.2.1", "finish", "done", 0.25),
            step("more-itertools 11.2.1", "verify", "done", 0.25),
        ]})
    }

    #[test]
    fn only_builds_that_ran_count() {
        let facts = json!([
            ["more_itertools-11.2.1-py3-none-any.whl",
             { "milliseconds": { "import": 500, "build": 1500 }, "warmth": "warm" }],
            ["wheel-0.46.0-py3-none-any.whl", { "milliseconds": { "import": 9000 }, "warmth": "cold" }],
        ]);
        let ran = ran(&report(), &facts);
        assert_eq!(python(&ran), BTreeMap::from([("build".to_owned(), 1.5), ("import".to_owned(), 0.5)]));
        assert_eq!(warmth(&ran), "1 warm");
        let cold = json!({ "warmth": "cold" });
        assert_eq!(warmth(&[ran[0], &cold, &cold]), "1 warm, 2 cold");
    }

    #[test]
    fn the_rows_add_up_to_the_workers_time() {
        let python = BTreeMap::from([("build".to_owned(), 1.5), ("import".to_owned(), 0.5)]);
        let rows = rows(&report(), &python, (2.0, 5.0));
        let of = |what: &str| rows.iter().find(|(w, _)| w.starts_with(what)).unwrap().1;
        assert_eq!((of("cell"), of("python: build"), of("other steps")), (1.0, 1.5, 0.25));
        assert_eq!((of("workers idle"), of("before and after")), (4.0, 2.0));
        assert_eq!(rows.iter().map(|(_, seconds)| seconds).sum::<f64>(), 10.0);
        assert!(table(&rows).contains("| python: build | 1.50 | 15 % |"), "{}", table(&rows));
    }
}
