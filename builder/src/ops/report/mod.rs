//! What came of a run, as a value: all failures, grouped by cause.
//!
//! Knows ended steps. Must never know how they ran or who reads the report.

pub mod junit;
pub mod markdown;
pub mod wire;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Kind;
use crate::event::{Ended, Failure, StepKind};

/// One step that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `flask 3.1.3`.
    pub package: String,
    /// What.
    pub kind: StepKind,
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub took: Duration,
    /// For a skipped step: the package and step that failed.
    pub blocked_by: Option<String>,
}

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In plan order.
    pub entries: Vec<Entry>,
    /// Wall time.
    pub took: Duration,
    /// The user ended it before its end.
    pub stopped: bool,
    /// What went wrong after the steps: a result that could not be linked, a
    /// wheel or a hash that could not be written.
    pub troubles: Vec<Failure>,
    /// `.pth` and `.start` files of what was built, each with its package:
    /// they run at every start of an interpreter that sees them.
    pub start_up: Vec<(String, String)>,
    /// What was made for the user: links of results, an environment.
    pub results: Vec<PathBuf>,
}

/// How many steps ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ran.
    pub done: usize,
    /// Wheels built among those.
    pub built: usize,
    /// Kept, the same inputs or the store had it.
    pub reused: usize,
    /// Failed.
    pub failed: usize,
    /// Were running when the run was stopped.
    pub stopped: usize,
    /// Not run because of a failure, here or in what they need, or because
    /// the run was stopped.
    pub skipped: usize,
}

impl Report {
    /// The failures, in plan order.
    pub fn failures(&self) -> impl Iterator<Item = (&Entry, &Failure)> {
        self.entries.iter().filter_map(|e| match &e.ended {
            Ended::Failed(f) => Some((e, f.as_ref())),
            _ => None,
        })
    }

    /// The kind that decides the exit code; `None` when nothing failed.
    pub fn kind(&self) -> Option<Kind> {
        let stopped = self.stopped.then_some(Kind::Stopped);
        let kinds = self.failures().map(|(_, f)| f).chain(&self.troubles).map(|f| f.kind);
        Kind::first(kinds.chain(stopped))
    }

    /// Totals.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in &self.entries {
            match entry.ended {
                Ended::Done => {
                    counts.done += 1;
                    counts.built += usize::from(entry.kind == StepKind::Build);
                }
                Ended::Reused | Ended::Identical => counts.reused += 1,
                Ended::Failed(_) => counts.failed += 1,
                Ended::Stopped => counts.stopped += 1,
                Ended::Skipped(_) | Ended::NotStarted => counts.skipped += 1,
            }
        }
        counts
    }

    /// Failures by group, largest group first, then by first appearance.
    pub fn groups(&self) -> Vec<Vec<(&Entry, &Failure)>> {
        let mut order: Vec<&str> = Vec::new();
        let mut groups: BTreeMap<&str, Vec<(&Entry, &Failure)>> = BTreeMap::new();
        for (entry, failure) in self.failures() {
            if !groups.contains_key(failure.group.as_str()) {
                order.push(&failure.group);
            }
            groups.entry(&failure.group).or_default().push((entry, failure));
        }
        let mut out: Vec<_> = order.iter().filter_map(|name| groups.remove(name)).collect();
        out.sort_by_key(|g| std::cmp::Reverse(g.len()));
        out
    }

    /// All failures as text: one block a group.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for group in self.groups() {
            if let [(entry, failure)] = group.as_slice() {
                let head = format!("{} of {} failed", entry.kind.word(), entry.package);
                let _ = writeln!(out, "error: {head}: {}", failure.message);
                failure_text(&mut out, "  ", (&self.log_words(entry), failure, true));
                continue;
            }
            let names: Vec<&str> = group.iter().map(|(e, _)| e.package.as_str()).collect();
            let _ = writeln!(out, "error: {} packages failed alike: {}", group.len(), names.join(", "));
            for (i, (entry, failure)) in group.iter().enumerate() {
                let _ = writeln!(out, "  {} of {}: {}", entry.kind.word(), entry.package, failure.message);
                failure_text(&mut out, "    ", (&self.log_words(entry), failure, i == 0));
            }
        }
        for failure in &self.troubles {
            let _ = writeln!(out, "error: {}", failure.message);
            for cause in &failure.causes {
                let _ = writeln!(out, "  cause: {cause}");
            }
            for hint in &failure.hints {
                let _ = writeln!(out, "  hint: {hint}");
            }
        }
        self.not_reached(&mut out);
        out
    }

    /// What `log` is to be told for the log of an entry: the version where
    /// the run has several of that name.
    fn log_words(&self, entry: &Entry) -> String {
        let name = |package: &str| package.split(' ').next().unwrap_or_default().to_owned();
        let own = name(&entry.package);
        let alone = self.entries.iter().all(|e| e.package == entry.package || name(&e.package) != own);
        let package = if alone { own } else { entry.package.replace(' ', "==") };
        match entry.kind {
            StepKind::Build => package,
            other => format!("{package} --step {}", other.word()),
        }
    }

    fn not_reached(&self, out: &mut String) {
        let skipped: Vec<&Entry> =
            self.entries.iter().filter(|e| matches!(e.ended, Ended::Skipped(_))).collect();
        let mut blocked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in skipped {
            let by = entry.blocked_by.as_deref().unwrap_or("a failure");
            // That a package's later steps wait for its own is no news.
            if by.strip_suffix(&entry.package).is_some_and(|step| step.ends_with(" of ")) {
                continue;
            }
            let names = blocked.entry(by).or_default();
            if !names.contains(&entry.package.as_str()) {
                names.push(&entry.package);
            }
        }
        for (by, names) in blocked {
            let _ = writeln!(out, "not reached because of {by}: {}", names.join(", "));
        }
        let mut names: Vec<&str> = Vec::new();
        for entry in self.entries.iter().filter(|e| e.ended == Ended::NotStarted) {
            if !names.contains(&entry.package.as_str()) {
                names.push(&entry.package);
            }
        }
        if self.stopped {
            out.push_str("stopped: what had been finished is kept\n");
            let running = self.stopped_steps();
            if !running.is_empty() {
                let _ = writeln!(out, "stopped while it ran: {}", running.join(", "));
            }
        }
        if !names.is_empty() {
            let _ = writeln!(out, "{}: {}", self.why_not_started(), names.join(", "));
        }
    }

    /// `build of flask 3.1.3`: what was running when the run was stopped.
    fn stopped_steps(&self) -> Vec<String> {
        let stopped = self.entries.iter().filter(|e| e.ended == Ended::Stopped);
        stopped.map(|e| format!("{} of {}", e.kind.word(), e.package)).collect()
    }

    /// Why steps did not start whose needs did not fail.
    fn why_not_started(&self) -> &'static str {
        if self.stopped {
            "not started before the run was stopped"
        } else {
            "not started after the first failure"
        }
    }
}

/// The lines below a failure's own; `whole` has the log and the hints, which
/// are the same for all of a group.
fn failure_text(out: &mut String, indent: &str, (log, failure, whole): (&str, &Failure, bool)) {
    for cause in &failure.causes {
        let _ = writeln!(out, "{indent}{cause}");
    }
    if whole && !failure.log_tail.is_empty() {
        let _ = writeln!(out, "{indent}the log ends so (`wheelwright log {log}` prints all of it):");
        for line in &failure.log_tail {
            let _ = writeln!(out, "{indent}| {line}");
        }
    }
    for hint in failure.hints.iter().filter(|_| whole) {
        let _ = writeln!(out, "{indent}hint: {hint}");
    }
    if let Some(kept) = &failure.kept {
        let _ = writeln!(out, "{indent}kept: {} (run.sh repeats it)", kept.display());
    }
}

#[cfg(test)]
mod tests;
