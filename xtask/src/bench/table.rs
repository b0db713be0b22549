//! Numbers as tables.
//!
//! Knows samples, medians and Markdown. Must never measure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

/// One line in one round.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The line's name.
    pub line: String,
    /// Which round.
    pub round: usize,
    /// Seconds from start to end.
    pub wall: f64,
    /// Processor seconds of all its processes.
    pub cpu: f64,
    /// Processor seconds of everybody else.
    pub others: f64,
    /// What went wrong: the line is worth nothing then.
    pub failures: Vec<String>,
    /// What it did, in words.
    pub ran: String,
}

impl Sample {
    /// For the file of raw numbers.
    pub fn json(&self) -> Value {
        json!({
            "line": self.line, "round": self.round, "wall": self.wall, "cpu": self.cpu,
            "others": self.others, "failures": self.failures, "ran": self.ran,
        })
    }
}

/// The middle of some numbers; of an even count the mean of the two.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        n if n % 2 == 1 => Some(numbers[half]),
        _ => Some(f64::midpoint(numbers[half - 1], numbers[half])),
    }
}

/// The lines in the order in which they first came.
fn lines(samples: &[Sample]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for sample in samples {
        if !names.contains(&sample.line.as_str()) {
            names.push(&sample.line);
        }
    }
    names
}

/// The median of this line's wall time over that of `other` in the same round.
fn ratio(samples: &[Sample], line: &str, other: &str) -> String {
    let wall_of = |line: &str| -> BTreeMap<usize, f64> {
        let good = samples.iter().filter(|s| s.line == line && s.failures.is_empty());
        good.map(|s| (s.round, s.wall)).collect()
    };
    let below = wall_of(other);
    let ratios = wall_of(line).into_iter().filter_map(|(round, wall)| Some(wall / below.get(&round)?));
    median(ratios).map_or_else(|| "-".to_owned(), |r| format!("{r:.2}"))
}

/// What all rounds say of one line.
struct Summary {
    runs: usize,
    median: f64,
    min: f64,
    max: f64,
    cpu: f64,
    others: f64,
    ran: String,
}

fn summary(samples: &[Sample], line: &str) -> Summary {
    let mine: Vec<&Sample> = samples.iter().filter(|s| s.line == line).collect();
    let walls = || mine.iter().map(|s| s.wall);
    let middle = |of: fn(&Sample) -> f64| median(mine.iter().map(|s| of(s))).unwrap_or(f64::NAN);
    let bad: Vec<&str> = mine.iter().flat_map(|s| &s.failures).map(String::as_str).collect();
    let ran = mine.first().map_or_else(String::new, |s| s.ran.clone());
    Summary {
        runs: mine.len(),
        median: middle(|s| s.wall),
        min: walls().fold(f64::INFINITY, f64::min),
        max: walls().fold(0.0, f64::max),
        cpu: middle(|s| s.cpu),
        others: middle(|s| s.others),
        ran: if bad.is_empty() { ran } else { format!("INVALID: {}", bad.join(", ")) },
    }
}

/// Whole jobs, in seconds, beside the floor and beside ours.
pub fn jobs(samples: &[Sample], ours: &str) -> String {
    let head = format!(
        "| line | rounds | median wall s | min | max | CPU s | others' CPU s | x fork | x {ours} | what ran |"
    );
    let mut text = format!("{head}\n{}|\n", "|---".repeat(10));
    for line in lines(samples) {
        let Summary { runs, median, min, max, cpu, others, ran } = summary(samples, line);
        let (fork, ours) = (ratio(samples, line, "fork"), ratio(samples, line, ours));
        let _ = writeln!(
            text,
            "| {line} | {runs} | {median:.2} | {min:.2} | {max:.2} | {cpu:.2} | {others:.2} | {fork} | {ours} | {ran} |"
        );
    }
    text
}

/// Small things, in milliseconds.
pub fn moments(samples: &[Sample]) -> String {
    let head = "| line | runs | median ms | min | max | CPU ms | what ran |";
    let mut text = format!("{head}\n{}|\n", "|---".repeat(7));
    for line in lines(samples) {
        let Summary { runs, median, min, max, cpu, others: _, ran } = summary(samples, line);
        let [median, min, max, cpu] = [median, min, max, cpu].map(|seconds| 1e3 * seconds);
        let _ = writeln!(text, "| {line} | {runs} | {median:.0} | {min:.0} | {max:.0} | {cpu:.0} | {ran} |");
    }
    text
}

/// A page with the text between its two marks replaced.
pub fn renewed(page: &str, section: &str) -> Option<String> {
    let (begin, end) = ("<!-- bench: begin -->", "<!-- bench: end -->");
    let (before, rest) = page.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", section.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(line: &str, round: usize, wall: f64) -> Sample {
        let (line, ran) = (line.to_owned(), String::new());
        Sample { line, round, wall, cpu: 1.0, others: 0.0, failures: Vec::new(), ran }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // A slow round slows both sides: only the ratios of one round say something.
        let rounds = [("fork", 0, 1.0), ("ours", 0, 2.0), ("fork", 1, 10.0), ("ours", 1, 20.0)];
        let mut samples: Vec<Sample> = rounds.map(|(line, round, wall)| sample(line, round, wall)).to_vec();
        assert_eq!(ratio(&samples, "ours", "fork"), "2.00");
        samples.push(sample("ours", 2, 99.0));
        assert_eq!(
            ratio(&samples, "ours", "fork"),
            "2.00",
            "a round without the other side counts for nothing"
        );
        assert_eq!(ratio(&samples, "ours", "uv"), "-");
    }

    #[test]
    fn a_failure_makes_its_line_worth_nothing() {
        let mut samples = vec![sample("fork", 0, 1.0), sample("ours", 0, 2.0)];
        samples[1].failures.push("click 8".to_owned());
        let text = jobs(&samples, "ours");
        let row = text.lines().find(|l| l.starts_with("| ours ")).unwrap();
        assert!(row.ends_with("| - | - | INVALID: click 8 |"), "{row}");
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
    }

    #[test]
    fn only_what_lies_between_the_marks_is_replaced() {
        let page = "a\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nz\n";
        let new = renewed(page, "new\n").unwrap();
        assert_eq!(new, "a\n<!-- bench: begin -->\nnew\n<!-- bench: end -->\nz\n");
        assert_eq!(renewed(&new, "new\n").unwrap(), new);
        assert_eq!(renewed("no marks", "new"), None);
    }
}
