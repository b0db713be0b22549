//! The report as JSON: a promise to other programs.
//!
//! Knows only the wire types. Must never be used inside.

use std::path::PathBuf;

use recipes::diag::{Finding, Severity};
use serde::Serialize;

use super::Report;
use crate::error::Error;
use crate::event::{Ended, Failure};

/// `--json`, format 1.
#[derive(Serialize)]
pub struct ReportV1 {
    format: u32,
    ok: bool,
    /// The user ended the run before its end.
    stopped: bool,
    seconds: f64,
    steps: Vec<StepV1>,
    /// What went wrong after the steps.
    troubles: Vec<FailureV1>,
    start_up: Vec<StartUpV1>,
    results: Vec<PathBuf>,
}

#[derive(Serialize)]
struct StartUpV1 {
    package: String,
    file: String,
}

#[derive(Serialize)]
struct StepV1 {
    package: String,
    step: &'static str,
    outcome: &'static str,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureV1>,
}

#[derive(Serialize)]
struct FailureV1 {
    group: String,
    exit_code: u8,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    log_tail: Vec<String>,
}

/// What stands in the report's place when the recipes cannot be built from.
pub fn refused(findings: &[Finding]) -> String {
    format!("{:#}", serde_json::json!({ "format": 1, "ok": false, "findings": findings_json(findings) }))
}

/// An error for other programs.
pub fn error_json(error: &Error) -> serde_json::Value {
    serde_json::json!({
        "exit_code": error.kind.exit_code(),
        "message": error.doing,
        "causes": error.causes,
        "hints": error.hints,
    })
}

/// Findings for other programs.
pub fn findings_json(findings: &[Finding]) -> serde_json::Value {
    let list: Vec<serde_json::Value> = findings
        .iter()
        .map(|f| {
            let at = f.place.as_ref().map(|p| (p.file.path.clone(), p.line_col()));
            serde_json::json!({
                "code": f.code.0,
                "severity": match f.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Lint => "lint",
                },
                "message": f.message,
                "file": at.as_ref().map(|(file, _)| file),
                "line": at.as_ref().map(|(_, (line, _))| line),
                "column": at.as_ref().map(|(_, (_, column))| column),
                "hints": f.hints,
            })
        })
        .collect();
    serde_json::Value::from(list)
}

impl From<&Report> for ReportV1 {
    fn from(report: &Report) -> Self {
        let steps = report
            .entries
            .iter()
            .map(|e| StepV1 {
                package: e.package.clone(),
                step: e.kind.word(),
                outcome: match e.ended {
                    Ended::Done => "done",
                    Ended::Reused => "reused",
                    Ended::Identical => "identical",
                    Ended::Failed(_) => "failed",
                    Ended::Skipped(_) => "skipped",
                    Ended::Stopped => "stopped",
                    Ended::NotStarted => "not-started",
                },
                seconds: e.took.as_secs_f64(),
                blocked_by: e.blocked_by.clone(),
                failure: match &e.ended {
                    Ended::Failed(f) => Some(FailureV1::from(f.as_ref())),
                    _ => None,
                },
            })
            .collect();
        let start_up = report.start_up.iter().cloned();
        Self {
            format: 1,
            ok: report.kind().is_none(),
            stopped: report.stopped,
            seconds: report.took.as_secs_f64(),
            steps,
            troubles: report.troubles.iter().map(FailureV1::from).collect(),
            start_up: start_up.map(|(package, file)| StartUpV1 { package, file }).collect(),
            results: report.results.clone(),
        }
    }
}

impl From<&Failure> for FailureV1 {
    fn from(failure: &Failure) -> Self {
        Self {
            group: failure.group.clone(),
            exit_code: failure.kind.exit_code(),
            message: failure.message.clone(),
            causes: failure.causes.clone(),
            hints: failure.hints.clone(),
            log_tail: failure.log_tail.clone(),
        }
    }
}
