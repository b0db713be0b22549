//! PEP 517 hooks as actions; what backends print as hints.
//!
//! Knows the runner's protocol and backend messages. Must never spawn anything or
//! touch the store.
//!
//! Layout of the build folder of every action made here (the spec files name
//! paths relative to it, because an executor without mounts moves it):
//! `/build/src` the source · `/build/job` our scripts, spec and answer ·
//! `/build/dist` wheels · `/build/out` what `[phases]` install ·
//! `/build/tmp` TMPDIR · `/build/home` HOME.

pub mod answer;
pub mod build;
pub mod check;
pub mod code;
pub mod failure;
pub mod hints;
pub mod phases;
pub mod warm;

pub use answer::{Answer, Refusal, read_answer};
pub use build::{BuildSpec, build_action};
pub use check::{
    CheckFailure, CheckSpec, Passed, Tests, import_action, read_imports, read_tests, test_action,
};
pub use code::ByteCode;
pub use failure::{build_failure, check_failure};
pub use hints::{Distro, Facts, Hint, hints, project_of};
pub use warm::{Preload, backend_for, read_sample, sample_action};

/// The build folder.
pub const BUILD: &str = "/build";
/// The unpacked source.
pub const SOURCE: &str = "/build/src";
/// Where an action's environment is mounted.
pub const ENV: &str = "/env";

/// A path below the build folder that is known to be well-formed.
fn below(text: &str) -> crate::tree::RelPath {
    crate::tree::RelPath::new(text).expect("a constant path is well-formed")
}

#[cfg(test)]
mod tests;
