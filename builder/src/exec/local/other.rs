//! Systems other than Linux, macOS among them: no level is available yet, and
//! says so.
//!
//! Knows nothing. Must never pretend.

use super::LocalOptions;
use crate::error::Result;
use crate::exec::action::{Action, ActionResult};
use crate::exec::{ExecError, Fact, FactState, Stop};

const BECAUSE: &str = "isolated builds are available on Linux only";

/// See `exec::local::Local`.
pub struct Local;

impl Local {
    /// Always works: what is missing shows when an action is asked for.
    pub fn new(_: &LocalOptions) -> Result<Self> {
        Ok(Self)
    }

    /// Always refuses.
    pub fn execute(&self, action: &Action, _: &Stop) -> Result<ActionResult, ExecError> {
        let hints = vec!["use a Linux machine or container for builds".to_owned()];
        Err(ExecError::Isolation { wanted: action.level, because: BECAUSE.to_owned(), hints })
    }

    /// Nothing could be ready.
    pub fn prepare(&self, _: &Action, _: &Stop) -> bool {
        false
    }
}

/// There is no init here.
pub fn init_main() {}

/// The heap is as the system has it.
pub fn share_heap() {}

/// The same.
pub fn roomy_heap() {}

/// The heap is as the system has it.
pub fn fill_heap(_bytes: usize, _enough: std::sync::Arc<std::sync::atomic::AtomicBool>) {}

/// One fact: nothing.
pub fn doctor(_: &LocalOptions) -> Vec<Fact> {
    vec![Fact {
        what: "levels".to_owned(),
        state: FactState::Bad,
        detail: BECAUSE.to_owned(),
        hints: Vec::new(),
    }]
}

/// There is nothing that would take a token.
pub struct Jobserver(std::convert::Infallible);

impl Jobserver {
    /// Always refuses.
    pub fn new(path: &std::path::Path, _tokens: usize) -> Result<Self> {
        let doing = format!("failed to make the jobserver `{}`", path.display());
        Err(crate::error::Error::environment(doing).because(BECAUSE))
    }

    /// There is none.
    pub fn path(&self) -> &std::path::Path {
        match self.0 {}
    }
}

/// Nothing was kept.
pub fn sweep_failed(_: &std::path::Path) {}

/// Nothing runs that would have to be ended: Ctrl-C ends the process itself.
pub fn on_interrupt(_: impl FnOnce() + Send + 'static) -> Result<()> {
    Ok(())
}
