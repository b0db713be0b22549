//! Findings: what is wrong in a text, where, and what would mend it.
//!
//! Knows files as (display path, text) pairs and byte spans into them. Must
//! never know terminals, colours, or how a file was read.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

/// One recipe or workspace file: its display path and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as it is shown to the user (relative to the workspace).
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Bytes into its text.
    pub span: Range<usize>,
}

impl Place {
    /// One-based line and column (in characters) of the span's start.
    pub fn line_col(&self) -> (usize, usize) {
        let at = self.span.start.min(self.file.text.len());
        let before = self.file.text.get(..at).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let col = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, col)
    }
}

/// How bad a finding is. Errors stop a build, warnings never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A matter of style: `lint` shows it.
    Lint,
    /// Probably a mistake.
    Warning,
    /// Nothing can be built from this.
    Error,
}

/// A stable code such as `W103`; its meaning never changes once released.
/// The catalogue is [`crate::codes`] (one line per code).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The stable code.
    pub code: Code,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// Where, when the finding is about a text.
    pub place: Option<Place>,
    /// A short remark shown under the marked text.
    pub label: String,
    /// How it came about (chains, cycles), one line each; printed as `note:` lines.
    pub notes: Vec<String>,
    /// What would mend it, one line each; printed as `hint:` lines.
    pub hints: Vec<String>,
}

impl Finding {
    /// An error at a place.
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            place: Some(place),
            label: String::new(),
            notes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// An error about no text in particular.
    pub fn plain(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            place: None,
            label: String::new(),
            notes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// The same finding with the given severity.
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same finding with a remark under the marked text.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same finding with one more line on how it came about.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same finding with one more hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The finding as plain text: head line, the marked line, notes, hints.
    pub fn render(&self) -> String {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Lint => "lint",
        };
        let mut out = format!("{word}[{}]", self.code.0);
        let Some(place) = &self.place else {
            let _ = writeln!(out, ": {}", self.message);
            self.render_hints(&mut out);
            return out;
        };
        let (line, col) = place.line_col();
        let _ = writeln!(out, " {}:{line}:{col}: {}", place.file.path, self.message);
        let text = place.file.text.lines().nth(line - 1).unwrap_or("");
        let width = line.to_string().len();
        let left = text.chars().take(col - 1).map(|c| if c == '\t' { '\t' } else { ' ' });
        let marked = place.file.text.get(place.span.clone()).unwrap_or("");
        let marks = marked.lines().next().map_or(0, |l| l.chars().count()).max(1);
        let _ = writeln!(out, " {line} | {text}");
        let under: String = left.chain(std::iter::repeat_n('^', marks)).collect();
        let _ = writeln!(out, " {:width$} | {under} {}", "", self.label);
        let trimmed = out.trim_end().len();
        out.truncate(trimmed);
        out.push('\n');
        self.render_hints(&mut out);
        out
    }

    fn render_hints(&self, out: &mut String) {
        for note in &self.notes {
            let _ = writeln!(out, "  note: {note}");
        }
        for hint in &self.hints {
            let _ = writeln!(out, "  hint: {hint}");
        }
    }
}

/// The best match for `word` among `known`, if one is near enough to be meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    // Words with no letter in common are never meant.
    let limit = (length / 3).clamp(1, 3).min(length.saturating_sub(1));
    known
        .into_iter()
        // Each letter too many or too few is an edit: most words end here.
        .filter(|k| k.chars().count().abs_diff(length) <= limit)
        .map(|k| (edit_distance(word, k), k))
        // Who mistypes twice still gets the first letter right: `jinja2` is no `ninja`.
        .filter(|(d, k)| *d <= limit && (*d < 2 || k.chars().next() == word.chars().next()))
        .min_by_key(|(d, k)| (*d, k.len(), *k))
        .map(|(_, k)| k)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_its_line() {
        let text = "pname = \"a\"\nverson = \"1\"\n".to_owned();
        let file = Arc::new(SourceFile { path: "a.toml".into(), text });
        let finding = Finding::error(Code("W101"), Place { file, span: 12..18 }, "unknown key `verson`")
            .label("did you mean `version`?")
            .hint("write `version`");
        expect_test::expect![[r#"
            error[W101] a.toml:2:1: unknown key `verson`
             2 | verson = "1"
               | ^^^^^^ did you mean `version`?
              hint: write `version`
        "#]]
        .assert_eq(&finding.render());
    }

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        assert_eq!(did_you_mean("setuptool", ["setuptools", "flask"]), Some("setuptools"));
        assert_eq!(did_you_mean("numpy", ["setuptools", "flask"]), None);
    }
}
