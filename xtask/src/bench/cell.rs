//! The price of a cell: the same trivial program at every level of isolation
//! and as a bare process.
//!
//! Knows the bench of the builder that runs them and what it prints. Must
//! never know how a cell is made.

use serde_json::Value;

use super::files::said;
use super::ours::Ours;
use super::table::Sample;

/// One action in a cell.
pub const FULL: &str = "one trivial action, full isolation";
/// The same program as a process of nobody's.
pub const BARE: &str = "the same program, a bare process";
/// One build by a backend that does nothing, by the product.
pub const WARM: &str = "one trivial build, warm child in a cell";
/// The same, its cell and child made while others ran.
pub const READY: &str = "one trivial build, warm child in a cell that is ready";
/// The same build in a child of a server that has the same loaded, without a cell.
pub const FORKED: &str = "the same build, only forked";
/// No more of it than the two hooks.
const HOOKS: &str = "the same hooks, only forked";

/// Samples for one action each.
pub fn lines(ours: &Ours<'_>, rounds: usize) -> Result<Vec<Sample>, String> {
    let mut command = crate::cargo();
    command.args(["bench", "--quiet", "--locked", "--package", "builder", "--bench", "cell", "--"]);
    // Where all else is measured: a disk has another price.
    command.args(["--rounds", &rounds.to_string()]).env("TMPDIR", ours.scratch.join("tmp"));
    let text = said(command.current_dir(&ours.examples))?;
    let said: Value =
        serde_json::from_str(&text).map_err(|e| format!("the bench of cells printed no JSON: {e}"))?;
    let rows = said["rows"].as_array().cloned().unwrap_or_default();
    let samples: Vec<Sample> = rows.iter().map(sample).collect();
    for sample in &samples {
        eprintln!("round {} {}: {:.5} s", sample.round + 1, sample.line, sample.wall);
    }
    Ok(samples)
}

fn sample(row: &Value) -> Sample {
    let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    let line = match row["line"].as_str().unwrap_or_default() {
        "full" => FULL.to_owned(),
        "bare" => BARE.to_owned(),
        "warm" => WARM.to_owned(),
        "ready" => READY.to_owned(),
        "forked" => FORKED.to_owned(),
        "hooks" => HOOKS.to_owned(),
        level => format!("one trivial action, isolation `{level}`"),
    };
    let (round, actions) = (row["round"].as_u64().unwrap_or(0), row["actions"].as_u64().unwrap_or(1));
    Sample {
        line,
        round: usize::try_from(round).unwrap_or(0),
        packages: 1,
        wall: number("wall"),
        cpu: number("cpu"),
        others: 0.0,
        peak: None,
        failures: Vec::new(),
        ran: format!("median of {actions} in a row"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_level_has_its_line() {
        let row =
            |line: &str| json!({ "line": line, "round": 1, "actions": 50, "wall": 0.004, "cpu": 0.005 });
        let full = sample(&row("full"));
        assert_eq!((full.line.as_str(), full.round, full.wall, full.cpu), (FULL, 1, 0.004, 0.005));
        assert_eq!(sample(&row("bare")).line, BARE);
        assert_eq!(sample(&row("ready")).line, READY);
        assert_eq!([sample(&row("forked")).line, sample(&row("hooks")).line], [FORKED, HOOKS]);
        assert_eq!(sample(&row("env")).line, "one trivial action, isolation `env`");
    }
}
