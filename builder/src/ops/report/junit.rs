//! The report as JUnit XML: a suite a step kind, a case a package.
//!
//! Knows the report. Must never know files.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::Report;
use crate::error::printable;
use crate::event::{Ended, Failure};

/// The XML text.
pub fn xml(report: &Report) -> Result<String, String> {
    let mut junit = Junit::new("wheelwright");
    junit.set_time(report.took);
    let mut suites: Vec<TestSuite> = Vec::new();
    for entry in &report.entries {
        let status = match &entry.ended {
            Ended::Done | Ended::Reused | Ended::Identical => TestCaseStatus::success(),
            Ended::Skipped(_) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(entry.blocked_by.clone().unwrap_or_default());
                status
            }
            Ended::NotStarted => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(report.why_not_started());
                status
            }
            Ended::Stopped => {
                let mut status = TestCaseStatus::skipped();
                status.set_message("stopped while it ran");
                status
            }
            Ended::Failed(failure) => failed(failure),
        };
        let mut case = TestCase::new(entry.package.clone(), status);
        case.set_classname(entry.kind.word());
        case.set_time(entry.took);
        match suites.iter_mut().find(|s| s.name.as_str() == entry.kind.word()) {
            Some(suite) => {
                suite.add_test_case(case);
            }
            None => {
                let mut suite = TestSuite::new(entry.kind.word());
                suite.add_test_case(case);
                suites.push(suite);
            }
        }
    }
    if !report.troubles.is_empty() {
        let mut suite = TestSuite::new("outputs");
        for failure in &report.troubles {
            suite.add_test_case(TestCase::new(legal(&failure.message), failed(failure)));
        }
        suites.push(suite);
    }
    junit.add_test_suites(suites);
    junit.to_string().map_err(|e| e.to_string())
}

fn failed(failure: &Failure) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(legal(&failure.message));
    status.set_type(legal(&failure.group));
    let text = [&failure.causes[..], &failure.log_tail[..], &failure.hints[..]].concat();
    status.set_description(legal(&text.join("\n")));
    status
}

/// Only what XML 1.0 allows, and what a terminal takes for nothing else: one
/// letter of a stranger's log would spoil the whole report.
fn legal(text: &str) -> String {
    printable(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
