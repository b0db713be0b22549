//! Everything a watcher of a run may learn, and how a package fails.
//!
//! Knows steps by number and label. Must never know who is watching
//! (terminal, JSON, tests) or exit codes' printing.

use std::time::Duration;

/// What a step is doing; shown in live lines, used in history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKind {
    /// Bytes from the network.
    Fetch,
    /// Unpack, patch, source phases.
    Source,
    /// PEP 517 build: the raw wheel.
    Build,
    /// Relax, normalise, lint: the finished wheel.
    Finish,
    /// The wheel unpacked in the store.
    Install,
    /// Requires-Dist against the closure.
    Verify,
    /// Every declared module can be imported.
    Imports,
    /// The package's own tests.
    Check,
    /// An environment of this host.
    Env,
    /// A wrapped application of this host.
    App,
}

impl StepKind {
    /// How many kinds there are.
    pub const COUNT: usize = Self::App as usize + 1;

    /// All of them, in the order of a plan.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Fetch,
        Self::Source,
        Self::Build,
        Self::Finish,
        Self::Install,
        Self::Verify,
        Self::Imports,
        Self::Check,
        Self::Env,
        Self::App,
    ];

    /// The word used in keys, messages and history.
    pub fn word(self) -> &'static str {
        match self {
            StepKind::Fetch => "fetch",
            StepKind::Source => "source",
            StepKind::Build => "build",
            StepKind::Finish => "finish",
            StepKind::Install => "install",
            StepKind::Verify => "verify",
            StepKind::Imports => "imports",
            StepKind::Check => "check",
            StepKind::Env => "env",
            StepKind::App => "app",
        }
    }
}

/// One thing that happened. The order of a run's events is one line.
#[derive(Clone, Debug)]
pub enum Event {
    /// The plan is made: how many steps may run.
    Planned {
        /// Steps in all.
        steps: usize,
        /// What history says they take, added up.
        expected: Duration,
    },
    /// A worker began a step.
    Started {
        /// Index into the plan.
        step: usize,
        /// `flask 3.1.3`.
        package: String,
        /// What.
        kind: StepKind,
        /// From history.
        expected: Option<Duration>,
        /// What it and the longest chain that waits for it are expected to take.
        path: Duration,
    },
    /// A step has something to say (`waiting for another run to build it`).
    Note {
        /// Index into the plan.
        step: usize,
        /// One line.
        text: String,
    },
    /// Bytes of a step's download are here.
    Bytes {
        /// Index into the plan.
        step: usize,
        /// So far.
        done: u64,
        /// In all, where somebody says so.
        total: Option<u64>,
    },
    /// A step ended.
    Finished {
        /// Index into the plan.
        step: usize,
        /// `flask 3.1.3`.
        package: String,
        /// What.
        kind: StepKind,
        /// How.
        outcome: Ended,
        /// How long.
        took: Duration,
        /// Its share of what [`Event::Planned`] expected.
        expected: Duration,
        /// The digest (hex) of the log the step wrote just now.
        log: Option<String>,
    },
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ran.
    Done,
    /// The store had it.
    Reused,
    /// It ran and gave what was there before: the rebuild stops here.
    Identical,
    /// It failed.
    Failed(Box<Failure>),
    /// Something it needs failed: the index of that step.
    Skipped(usize),
    /// It was running when the user stopped the run.
    Stopped,
    /// The run ended at its first failure, or was stopped, before it began.
    NotStarted,
}

/// Why a package's step failed: a value of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code of the run.
    pub kind: crate::error::Kind,
    /// Failures with the same group are shown together
    /// (`missing-header:ffi.h`, `hash-mismatch`, `exit-status`).
    pub group: String,
    /// One sentence.
    pub message: String,
    /// Further sentences, outermost first.
    pub causes: Vec<String>,
    /// The last lines of the log, terminal escapes stripped.
    pub log_tail: Vec<String>,
    /// What would help.
    pub hints: Vec<String>,
    /// Folder left by `--keep-failed`.
    pub kept: Option<std::path::PathBuf>,
}

impl From<crate::error::Error> for Failure {
    fn from(e: crate::error::Error) -> Self {
        Self {
            kind: e.kind,
            group: e.doing.clone(),
            message: e.doing,
            causes: e.causes,
            log_tail: Vec::new(),
            hints: e.hints,
            kept: None,
        }
    }
}
