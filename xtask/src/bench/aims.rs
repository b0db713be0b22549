//! What the tables are held to.
//!
//! Knows the aims and how each follows from the samples. Must never measure,
//! nor judge by anything but the numbers of this run.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::table::{Sample, difference, good, median, ratio};

/// How an aim is computed from the samples.
#[derive(Clone, Copy, Debug)]
pub enum Seen {
    /// The wall time of the first line over that of the second, within each
    /// round, for one package.
    Ratio(&'static str, &'static str),
    /// The same for the fastest of several lines.
    Fastest(&'static [&'static str], &'static str),
    /// Milliseconds of a line.
    Wall(&'static str),
    /// Milliseconds that the first line takes more than the second.
    Above(&'static str, &'static str),
    /// The same of processor time.
    CpuAbove(&'static str, &'static str),
    /// The most memory of a line's program, in MB.
    Peak(&'static str),
}

/// The side on which a number has to be.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// This or less.
    Most(f64),
    /// This or more.
    Least(f64),
}

/// One aim.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// What is held to it.
    pub what: &'static str,
    /// Where the number comes from.
    pub seen: Seen,
    /// What it has to be.
    pub bound: Bound,
}

/// An aim and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    aim: Aim,
    /// `None`: a line is missing, or failed.
    seen: Option<f64>,
}

/// Holds the samples to the aims.
pub fn judge(aims: &[Aim], samples: &[Sample]) -> Vec<Judged> {
    aims.iter().map(|aim| Judged { aim: *aim, seen: aim.seen.number(samples) }).collect()
}

impl Seen {
    fn number(self, samples: &[Sample]) -> Option<f64> {
        let milliseconds = |seconds: f64| 1e3 * seconds;
        match self {
            Self::Ratio(line, other) => ratio(samples, line, other),
            Self::Fastest(lines, other) => {
                lines.iter().filter_map(|line| ratio(samples, line, other)).reduce(f64::min)
            }
            Self::Wall(line) => median(good(samples, line).map(|s| s.wall)).map(milliseconds),
            Self::Above(line, other) => difference(samples, (line, other), |s| s.wall).map(milliseconds),
            Self::CpuAbove(line, other) => difference(samples, (line, other), |s| s.cpu).map(milliseconds),
            Self::Peak(line) => good(samples, line).filter_map(|s| s.peak).reduce(f64::max),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Ratio(..) | Self::Fastest(..) => "x",
            Self::Wall(_) | Self::Above(..) | Self::CpuAbove(..) => "ms",
            Self::Peak(_) => "MB",
        }
    }
}

impl Bound {
    fn holds(self, seen: f64) -> bool {
        match self {
            Self::Most(most) => seen <= most,
            Self::Least(least) => seen >= least,
        }
    }

    fn words(self) -> (&'static str, f64) {
        match self {
            Self::Most(most) => ("at most", most),
            Self::Least(least) => ("at least", least),
        }
    }
}

impl Judged {
    fn verdict(&self) -> &'static str {
        match self.seen {
            None => "not measured",
            Some(seen) if self.aim.bound.holds(seen) => "met",
            Some(_) => "missed",
        }
    }

    /// For the file of raw numbers.
    pub fn json(&self) -> Value {
        let (word, bound) = self.aim.bound.words();
        json!({
            "aim": self.aim.what, "bound": word, "of": bound, "unit": self.aim.seen.unit(),
            "seen": self.seen, "verdict": self.verdict(),
        })
    }
}

/// Aims as Markdown.
pub fn table(judged: &[Judged]) -> String {
    let mut text = "| aim | bound | seen | |\n|---|---|---|---|\n".to_owned();
    for one in judged {
        let (unit, (word, bound)) = (one.aim.seen.unit(), one.aim.bound.words());
        let seen = one.seen.map_or_else(|| "-".to_owned(), |n| format!("{n:.2} {unit}"));
        let _ = writeln!(text, "| {} | {word} {bound} {unit} | {seen} | {} |", one.aim.what, one.verdict());
    }
    text
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
            cpu: 2.0 * wall,
            others: 0.0,
            peak: Some(90.0 + wall),
            failures: Vec::new(),
            ran: String::new(),
        }
    }

    fn aim(seen: Seen, bound: Bound) -> Aim {
        Aim { what: "it", seen, bound }
    }

    #[test]
    fn an_aim_is_met_or_missed_by_the_numbers_alone() {
        let samples = [sample("fork", 0, 1.0), sample("ours", 0, 1.25), sample("uv", 0, 5.0)];
        let verdict = |seen, bound| judge(&[aim(seen, bound)], &samples)[0].verdict();
        assert_eq!(verdict(Seen::Ratio("ours", "fork"), Bound::Most(1.25)), "met", "the bound itself is met");
        assert_eq!(verdict(Seen::Ratio("ours", "fork"), Bound::Most(1.24)), "missed");
        assert_eq!(verdict(Seen::Ratio("uv", "ours"), Bound::Least(4.0)), "met");
        assert_eq!(verdict(Seen::Ratio("uv", "ours"), Bound::Least(4.1)), "missed");
        assert_eq!(verdict(Seen::Ratio("pip", "ours"), Bound::Least(0.0)), "not measured");
        assert_eq!(verdict(Seen::Wall("fork"), Bound::Most(1000.0)), "met");
        assert_eq!(verdict(Seen::Above("ours", "fork"), Bound::Most(249.0)), "missed");
        assert_eq!(verdict(Seen::CpuAbove("ours", "fork"), Bound::Most(499.0)), "missed");
        assert_eq!(verdict(Seen::Peak("uv"), Bound::Most(95.0)), "met");
    }

    #[test]
    fn the_fastest_peer_is_the_one_that_counts() {
        let samples = [sample("ours", 0, 1.0), sample("uv-cold", 0, 9.0), sample("uv", 0, 3.0)];
        let all = Seen::Fastest(&["uv-cold", "uv", "uv-install"], "ours");
        assert_eq!(all.number(&samples), Some(3.0));
    }

    #[test]
    fn a_line_that_failed_meets_nothing() {
        let mut samples = [sample("ours", 0, 1.0), sample("ours", 1, 1.0)];
        samples[1].failures.push("six".to_owned());
        for seen in [Seen::Wall("ours"), Seen::Peak("ours")] {
            assert_eq!(judge(&[aim(seen, Bound::Most(1e9))], &samples)[0].verdict(), "not measured");
        }
    }

    #[test]
    fn the_table_and_the_file_say_the_same() {
        let samples = [sample("fork", 0, 1.0), sample("ours", 0, 1.5)];
        let judged = judge(&[aim(Seen::Ratio("ours", "fork"), Bound::Most(1.25))], &samples);
        assert!(
            table(&judged).ends_with("| it | at most 1.25 x | 1.50 x | missed |\n"),
            "{}",
            table(&judged)
        );
        let json = judged[0].json();
        assert_eq!((&json["seen"], &json["verdict"]), (&json!(1.5), &json!("missed")));
    }
}
