//! What a run of ours says of itself.
//!
//! Knows the report and the wheels. Must never measure.

use std::path::Path;

use serde_json::Value;

/// What ran, in words, and what failed.
pub fn judged(report: &Value, goals: &[String]) -> (String, Vec<String>) {
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
pub fn without_wheel(goals: &[String], folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let wheels: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let is_there = |goal: &str| {
        let start = format!("{}-", goal.replace('-', "_").replace("==", "-"));
        wheels.iter().any(|wheel| wheel.to_lowercase().starts_with(&start))
    };
    goals.iter().filter(|goal| !is_there(goal)).map(|goal| format!("no wheel of {goal}")).collect()
}

/// Where a program's talk went.
pub fn errors(log: &Path) -> String {
    let text = std::fs::read_to_string(log.with_extension("err")).unwrap_or_default();
    text.lines().rev().take(5).collect::<Vec<_>>().join(" / ")
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
