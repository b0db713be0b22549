//! What a run of the program said, without what differs from run to run.
//!
//! Knows times, keys and the texts it is told. Must never know verbs.

use std::fmt;

/// One finished run; the texts are redacted.
pub struct Output {
    args: Vec<String>,
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Results.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

impl Output {
    /// Takes over what a process left.
    pub fn new(args: &[&str], output: &std::process::Output, redactions: &Redactions) -> Self {
        let text = |bytes: &[u8]| redactions.apply(&String::from_utf8_lossy(bytes));
        Self {
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// What `--json` reported: (`package step`, outcome), in plan order.
    #[track_caller]
    pub fn steps(&self) -> Vec<(String, String)> {
        let report: serde_json::Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no report: {e}\n{self}"));
        let word = |step: &serde_json::Value, key: &str| step[key].as_str().expect("it is a text").to_owned();
        let steps = report["steps"].as_array().expect("a report has steps");
        steps
            .iter()
            .map(|s| (format!("{} {}", word(s, "package"), word(s, "step")), word(s, "outcome")))
            .collect()
    }

    /// The steps that ended so, sorted.
    #[track_caller]
    pub fn with_outcome(&self, outcome: &str) -> Vec<String> {
        let mut found: Vec<String> =
            self.steps().into_iter().filter(|(_, o)| o == outcome).map(|(step, _)| step).collect();
        found.sort();
        found
    }

    /// The steps that ran, sorted.
    #[track_caller]
    pub fn ran(&self) -> Vec<String> {
        self.with_outcome("done")
    }

    /// Fails unless stderr holds each of these, in this order.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) -> &Self {
        let mut rest = self.stderr.as_str();
        for part in parts {
            let Some(at) = rest.find(part) else { panic!("`{part}` is not said (in this place)\n{self}") };
            rest = &rest[at + part.len()..];
        }
        self
    }

    /// Fails if stderr holds this.
    #[track_caller]
    pub fn does_not_say(&self, part: &str) -> &Self {
        assert!(!self.stderr.contains(part), "`{part}` is said\n{self}");
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or("a signal".to_owned(), |c| c.to_string());
        write!(
            f,
            "$ wheelwright {}\nexit: {code}\n-- stdout\n{}-- stderr\n{}",
            self.args.join(" "),
            self.stdout,
            self.stderr
        )
    }
}

/// Texts to replace.
#[derive(Clone, Default)]
pub struct Redactions(Vec<(String, &'static str)>);

impl Redactions {
    /// One more; the first that fits wins.
    pub fn of(mut self, text: String, shown: &'static str) -> Self {
        self.0.push((text, shown));
        self
    }

    /// The text as every run gives it: the given texts, times (`[TIME]`) and
    /// keys or digests in hex (`[KEY]`) replaced.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.0 {
            text = text.replace(from, to);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            if first.is_ascii_alphanumeric() {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                let trimmed = word.trim_end_matches('.');
                let (shown, tail) = redact(trimmed, after);
                out.push_str(&shown);
                out.push_str(&word[trimmed.len()..]);
                rest = tail;
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }
}

/// A word and what follows it, shown, and the rest.
fn redact<'a>(word: &str, after: &'a str) -> (String, &'a str) {
    const UNITS: [&str; 4] = ["ms", "min", "s", "h"];
    let is_number = |t: &str| !t.is_empty() && t.parse::<f64>().is_ok() && t.starts_with(char::is_numeric);
    if UNITS.iter().any(|u| word.strip_suffix(u).is_some_and(is_number)) {
        return ("[TIME]".to_owned(), after);
    }
    if is_number(word) {
        for unit in UNITS {
            let Some(tail) = after.strip_prefix(' ').and_then(|a| a.strip_prefix(unit)) else { continue };
            if !tail.starts_with(|c: char| c.is_alphanumeric()) {
                return ("[TIME]".to_owned(), tail);
            }
        }
    }
    // Short hex words are English, long numbers are sizes.
    let hex = word.len() >= 10
        && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && word.bytes().any(|b| b.is_ascii_alphabetic());
    (if hex { "[KEY]".to_owned() } else { word.to_owned() }, after)
}
