//! One [`Action`] in, one [`ActionResult`] out, in a cell.
//!
//! Knows processes, mounts, isolation levels and limits. Must never know Python,
//! wheels, plans. Never falls back to a weaker level than was asked for.

pub mod action;
pub mod local;
pub mod log;
mod stop;

use action::{Action, ActionResult, Level};

use crate::error::Error;
pub use local::{
    Filling, Local, LocalOptions, become_command, doctor, fill_heap, init_main, local, roomy_heap, share_heap,
};
pub use stop::Stop;

/// Runs actions somewhere.
pub trait Executor: Sync {
    /// Runs one action and waits for it. The calling thread must live until
    /// this returns: processes are tied to it.
    ///
    /// # Errors
    /// Only when the action could not be tried: the isolation it asks for is
    /// not to be had, or the machine is broken. Exit 1, a timeout, a stop or a
    /// missing output are results.
    fn execute(&self, action: &Action, stop: &Stop) -> Result<ActionResult, ExecError>;

    /// Starts the server that actions like this one may run in, should there be
    /// none yet and room for another; whether it did. Never an error: what is
    /// not ready then is made when it is needed.
    fn prepare(&self, _action: &Action, _stop: &Stop) -> bool {
        false
    }
}

/// Why an action could not even be tried.
#[derive(Debug)]
pub enum ExecError {
    /// The level asked for cannot be had here. There is no fallback.
    Isolation {
        /// The level asked for.
        wanted: Level,
        /// What refused, as a sentence.
        because: String,
        /// What would help.
        hints: Vec<String>,
    },
    /// Disk, memory, a file that is not there.
    Machine(Error),
}

impl From<Error> for ExecError {
    fn from(error: Error) -> Self {
        ExecError::Machine(error)
    }
}

impl From<ExecError> for Error {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Machine(error) => error,
            ExecError::Isolation { wanted, because, hints } => {
                let doing = format!("cannot isolate a build (wanted: `{}`)", wanted.word());
                let error = Error::environment(doing).because(because);
                hints.into_iter().fold(error, Error::hint)
            }
        }
    }
}

impl std::fmt::Display for ExecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExecError::Machine(error) => error.fmt(f),
            ExecError::Isolation { wanted, because, .. } => {
                write!(f, "cannot isolate a build (wanted: `{}`): {because}", wanted.word())
            }
        }
    }
}

impl std::error::Error for ExecError {}

/// One thing `doctor` found out about this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What was looked at (`level full`, `landlock`).
    pub what: String,
    /// How it stands.
    pub state: FactState,
    /// What was found, as a sentence.
    pub detail: String,
    /// What would help, when something is wrong.
    pub hints: Vec<String>,
}

/// How a [`Fact`] stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactState {
    /// As it should be.
    Good,
    /// Neither good nor bad, worth knowing.
    Note,
    /// Something that was tried does not work.
    Bad,
}
