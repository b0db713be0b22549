//! The report as Markdown: for a CI job's summary page.
//!
//! Knows the report. Must never know files.

use std::fmt::Write as _;

use super::{Entry, Report};
use crate::event::{Ended, Failure, StepKind};

/// A headline, a table of failures, and a table of what was built.
pub fn text(report: &Report) -> String {
    let c = report.counts();
    let mut out = String::from("# wheelwright\n\n");
    let _ = writeln!(
        out,
        "{} built, {} reused, {} failed, {} not reached, {:.1} s\n",
        c.built,
        c.reused,
        c.failed,
        c.skipped,
        report.took.as_secs_f64()
    );
    if report.stopped {
        let _ = writeln!(out, "**The run was stopped before its end.** What had been finished is kept.\n");
        for step in report.stopped_steps() {
            let _ = writeln!(out, "- stopped while it ran: {}", cell(&step));
        }
        if c.stopped > 0 {
            out.push('\n');
        }
    }
    if c.failed > 0 {
        out.push_str("## Failures\n\n| cause | package | step | message |\n|---|---|---|---|\n");
        for (entry, failure) in report.groups().into_iter().flatten() {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                cell(&failure.group),
                cell(&entry.package),
                entry.kind.word(),
                cell(&failure.message)
            );
        }
        out.push('\n');
        for group in report.groups() {
            details(&mut out, &group);
        }
    }
    if !report.troubles.is_empty() {
        out.push_str("## After the build\n\n");
        for failure in &report.troubles {
            let text = [std::slice::from_ref(&failure.message), &failure.causes, &failure.hints].concat();
            let _ = writeln!(out, "- {}", cell(&text.join("; ")));
        }
        out.push('\n');
    }
    let built: Vec<_> = report
        .entries
        .iter()
        .filter(|e| e.kind == StepKind::Build && matches!(e.ended, Ended::Done))
        .collect();
    if !built.is_empty() {
        out.push_str("## Built\n\n| package | seconds |\n|---|---|\n");
        for entry in built {
            let _ = writeln!(out, "| {} | {:.2} |", cell(&entry.package), entry.took.as_secs_f64());
        }
    }
    if !report.start_up.is_empty() {
        out.push_str("\n## Runs at every start of the interpreter\n\n| package | file |\n|---|---|\n");
        for (package, file) in &report.start_up {
            let _ = writeln!(out, "| {} | {} |", cell(package), cell(file));
        }
    }
    crate::error::printable(&out).into_owned()
}

/// What helps against a cause, and the first log of it.
fn details(out: &mut String, group: &[(&Entry, &Failure)]) {
    let Some((entry, failure)) = group.first() else { return };
    let _ = writeln!(out, "### {} of {}\n", entry.kind.word(), cell(&entry.package));
    for line in failure.causes.iter().chain(&failure.hints) {
        let _ = writeln!(out, "- {}", cell(line));
    }
    if !failure.log_tail.is_empty() {
        let log = failure.log_tail.join("\n");
        let mut fence = "```".to_owned();
        while log.contains(&fence) {
            fence.push('`');
        }
        let _ = writeln!(
            out,
            "\n<details><summary>the end of its log</summary>\n\n{fence}text\n{log}\n{fence}\n\n</details>"
        );
    }
    out.push('\n');
}

/// A text on one line of a list or table. A stranger's words become no HTML
/// (the page may be shown to others) and end no cell, whatever stands before
/// the bar.
fn cell(text: &str) -> String {
    text.replace('<', "&lt;").replace('|', "&#124;").replace('\n', " ")
}
