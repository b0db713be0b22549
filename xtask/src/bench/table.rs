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
    /// What it made: rounds of several sizes are compared by what one package took.
    pub packages: usize,
    /// Seconds from start to end.
    pub wall: f64,
    /// Processor seconds of all its processes.
    pub cpu: f64,
    /// Processor seconds of everybody else.
    pub others: f64,
    /// The most memory of the measured program itself, in MB, where that was looked at.
    pub peak: Option<f64>,
    /// What went wrong: the line is worth nothing then.
    pub failures: Vec<String>,
    /// What it did, in words.
    pub ran: String,
}

impl Sample {
    /// For the file of raw numbers.
    pub fn json(&self) -> Value {
        json!({
            "line": self.line, "round": self.round, "packages": self.packages,
            "wall": self.wall, "cpu": self.cpu, "others": self.others,
            "peak_mb": self.peak, "failures": self.failures, "ran": self.ran,
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

/// The median of this line's wall time over that of `other` in the same
/// round, each for one package.
pub fn ratio(samples: &[Sample], line: &str, other: &str) -> Option<f64> {
    let below = by_round(samples, other, |s| s.wall / s.packages as f64);
    let above = by_round(samples, line, |s| s.wall / s.packages as f64);
    median(above.into_iter().filter_map(|(round, wall)| Some(wall / below.get(&round)?)))
}

/// The median of what this line took more than `other` in the same round.
pub fn difference(samples: &[Sample], (line, other): (&str, &str), of: fn(&Sample) -> f64) -> Option<f64> {
    let below = by_round(samples, other, of);
    let above = by_round(samples, line, of);
    median(above.into_iter().filter_map(|(round, it)| Some(it - below.get(&round)?)))
}

/// The rounds of a line that came through.
fn by_round(samples: &[Sample], line: &str, of: fn(&Sample) -> f64) -> BTreeMap<usize, f64> {
    good(samples, line).map(|s| (s.round, of(s))).collect()
}

/// The samples of a line; none if one of them failed.
pub fn good<'a>(samples: &'a [Sample], line: &str) -> impl Iterator<Item = &'a Sample> {
    let mine: Vec<&Sample> = samples.iter().filter(|s| s.line == line).collect();
    let whole = mine.iter().all(|s| s.failures.is_empty());
    mine.into_iter().filter(move |_| whole)
}

/// What all rounds say of one line.
struct Summary {
    runs: usize,
    median: f64,
    min: f64,
    max: f64,
    cpu: f64,
    others: f64,
    peak: Option<f64>,
    packages: usize,
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
        peak: mine.iter().filter_map(|s| s.peak).reduce(f64::max),
        packages: mine.first().map_or(1, |s| s.packages),
        ran: if bad.is_empty() { ran } else { format!("INVALID: {}", bad.join(", ")) },
    }
}

/// Whole jobs, in seconds, beside the floor and beside ours.
pub fn jobs(samples: &[Sample], ours: &str) -> String {
    let head = format!(
        "| line | rounds | packages | median wall s | min | max | CPU s | others' CPU s | peak MB | x fork | x {ours} | what ran |"
    );
    let mut text = format!("{head}\n{}|\n", "|---".repeat(12));
    let told = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |n| format!("{n:.2}"));
    for line in lines(samples) {
        let (fork, beside) = (told(ratio(samples, line, "fork")), told(ratio(samples, line, ours)));
        let Summary { runs, median, min, max, cpu, others, peak, packages, ran } = summary(samples, line);
        let peak = peak.map_or_else(|| "-".to_owned(), |mb| format!("{mb:.0}"));
        let _ = writeln!(
            text,
            "| {line} | {runs} | {packages} | {median:.2} | {min:.2} | {max:.2} | {cpu:.2} | {others:.2} | {peak} | {fork} | {beside} | {ran} |"
        );
    }
    text
}

/// Small things, in milliseconds.
pub fn moments(samples: &[Sample]) -> String {
    let head = "| line | runs | median ms | min | max | CPU ms | peak MB | what ran |";
    let mut text = format!("{head}\n{}|\n", "|---".repeat(8));
    for line in lines(samples) {
        let Summary { runs, median, min, max, cpu, peak, ran, .. } = summary(samples, line);
        let [median, min, max, cpu] = [median, min, max, cpu].map(|seconds| 1e3 * seconds);
        let peak = peak.map_or_else(|| "-".to_owned(), |mb| format!("{mb:.0}"));
        let _ = writeln!(
            text,
            "| {line} | {runs} | {median:.1} | {min:.1} | {max:.1} | {cpu:.1} | {peak} | {ran} |"
        );
    }
    text
}

/// The marks between which a part's tables stand in a page.
pub fn marks(part: &str) -> [String; 2] {
    ["begin", "end"].map(|word| format!("<!-- bench {part}: {word} -->"))
}

/// A page with the text between the two marks of a part replaced.
pub fn renewed(page: &str, part: &str, section: &str) -> Option<String> {
    let [begin, end] = marks(part);
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", section.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(line: &str, round: usize, wall: f64) -> Sample {
        Sample {
            line: line.to_owned(),
            round,
            packages: 1,
            wall,
            cpu: 1.0,
            others: 0.0,
            peak: None,
            failures: Vec::new(),
            ran: String::new(),
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // A slow round slows both sides: only the ratios of one round say something.
        let rounds = [("fork", 0, 1.0), ("ours", 0, 2.0), ("fork", 1, 10.0), ("ours", 1, 20.0)];
        let mut samples: Vec<Sample> = rounds.map(|(line, round, wall)| sample(line, round, wall)).to_vec();
        assert_eq!(ratio(&samples, "ours", "fork"), Some(2.0));
        assert_eq!(difference(&samples, ("ours", "fork"), |s| s.wall), Some(5.5));
        samples.push(sample("ours", 2, 99.0));
        assert_eq!(ratio(&samples, "ours", "fork"), Some(2.0), "a round of one side counts for nothing");
        assert_eq!(ratio(&samples, "ours", "uv"), None);
    }

    #[test]
    fn sizes_are_compared_by_the_package() {
        let mut samples = vec![sample("uv", 0, 6.0), sample("ours", 0, 10.0)];
        (samples[0].packages, samples[1].packages) = (100, 1000);
        assert_eq!(ratio(&samples, "uv", "ours"), Some(6.0));
    }

    #[test]
    fn a_failure_makes_its_line_worth_nothing() {
        let mut samples = vec![sample("fork", 0, 1.0), sample("ours", 0, 2.0), sample("ours", 1, 2.0)];
        samples[2].failures.push("click 8".to_owned());
        assert_eq!(ratio(&samples, "ours", "fork"), None, "nor are its other rounds worth something");
        let text = jobs(&samples, "ours");
        let row = text.lines().find(|l| l.starts_with("| ours ")).unwrap();
        assert!(row.ends_with("| - | - | INVALID: click 8 |"), "{row}");
    }

    #[test]
    fn memory_is_the_highest_of_all_rounds() {
        let mut samples = vec![sample("ours", 0, 1.0), sample("ours", 1, 1.0), sample("fork", 0, 1.0)];
        (samples[0].peak, samples[1].peak) = (Some(51.2), Some(60.0));
        let text = jobs(&samples, "ours");
        assert!(text.contains("| 0.00 | 60 | 1.00 | 1.00 |"), "{text}");
        assert!(text.contains("| 0.00 | - | 1.00 | 1.00 |"), "{text}");
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
    }

    #[test]
    fn only_what_lies_between_the_marks_of_a_part_is_replaced() {
        let page = "a\n<!-- bench tiny: begin -->\nold\n<!-- bench tiny: end -->\nz\n";
        let new = renewed(page, "tiny", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- bench tiny: begin -->\nnew\n<!-- bench tiny: end -->\nz\n");
        assert_eq!(renewed(&new, "tiny", "new\n").unwrap(), new);
        assert_eq!(renewed(page, "small", "new"), None);
    }
}
