//! From what a process left to a [`Failure`] of the report.
//!
//! Knows exits, refusals, logs and hints. Must never print.

use crate::error::{Error, Kind};
use crate::event::Failure;
use crate::exec::action::{ActionResult, Exit};
use crate::pep517::failure::excerpt;
use recipes::recipe::Recipe;

/// A failure of the package with a group and one sentence.
pub fn failure(group: impl Into<String>, message: impl Into<String>) -> Box<Failure> {
    Box::new(Failure {
        kind: Kind::Build,
        group: group.into(),
        message: message.into(),
        causes: Vec::new(),
        log_tail: Vec::new(),
        hints: Vec::new(),
        kept: None,
    })
}

/// What is wrong with foreign bytes, or with the machine that reads them.
pub fn foreign(group: &str, error: impl Into<Error>) -> Box<Failure> {
    let error: Error = error.into();
    if error.kind == Kind::Environment {
        return broken(error);
    }
    Box::new(Failure {
        group: group.to_owned(),
        message: error.to_string(),
        causes: Vec::new(),
        ..error.into()
    })
}

/// A broken machine, as the step's failure.
pub fn broken(error: impl Into<Error>) -> Box<Failure> {
    let error: Error = error.into();
    let mut failure = Failure::from(error);
    // One full disk or refused namespace is one cause, whichever file it hit.
    failure.group = match failure.causes.last() {
        Some(cause) => format!("machine: {cause}"),
        None => failure.group,
    };
    Box::new(failure)
}

/// How a process ended, as a sentence.
pub fn exit_sentence(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("the process ended with exit status {code}"),
        Exit::Signal(9) => "the process was killed (signal 9), perhaps for want of memory".to_owned(),
        Exit::Signal(signal) => format!("the process was ended by signal {signal}"),
        Exit::TimedOut => "the process took longer than its timeout".to_owned(),
        Exit::Silent => "the process said nothing for too long".to_owned(),
        Exit::Stopped => "the run was stopped".to_owned(),
    }
}

/// A failure of the package with the recipe's place, unless it names one.
pub fn told_where(mut failure: Box<Failure>, recipe: &Recipe) -> Box<Failure> {
    let path = &recipe.file.path;
    let packages = matches!(failure.kind, Kind::Build | Kind::Hash | Kind::Input);
    let named = failure.causes.iter().chain([&failure.message]).any(|text| text.contains(path.as_str()));
    if packages && !named {
        let (line, _) = recipe.place.line_col();
        failure.causes.push(format!("recipe: {path}:{line}"));
    }
    failure
}

/// Nothing was wrong: a folder that the executor kept in case is removed. An
/// output that is there only after a failure makes it keep one.
pub fn all_well(result: &ActionResult) -> Result<(), Box<Failure>> {
    match &result.kept {
        Some(kept) => crate::tree::fs::remove_tree(kept).map_err(broken),
        None => Ok(()),
    }
}

/// Adds log, kept folder and how it ended.
pub fn with_result(mut failure: Box<Failure>, result: &ActionResult) -> Box<Failure> {
    failure.log_tail = excerpt(&String::from_utf8_lossy(&result.log));
    if result.log_dropped > 0 {
        failure.causes.push(format!("{} bytes of the log were dropped", result.log_dropped));
    }
    failure.kept.clone_from(&result.kept);
    failure
}
