//! Dying at a chosen moment, so that tests can see what is left behind.
//!
//! Knows a countdown of commit points: places just before or after something
//! becomes visible to others (a rename, a database commit). Must never be
//! armed in a release build: there [`point`] is empty and [`arm`] an error.
//!
//! A plan is `commit:N`: the process kills itself with SIGKILL, which no
//! destructor and no buffer survives, when the Nth commit point is reached.
//! `ops` reads it from `WHEELWRIGHT_FAULT` through `ambient`.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Points still to be passed; 0 when no plan is armed.
#[cfg(debug_assertions)]
static LEFT: AtomicU64 = AtomicU64::new(0);

/// Arms a plan for the rest of the process' life.
pub fn arm(plan: &str) -> Result<()> {
    let count = plan.strip_prefix("commit:").and_then(|n| n.parse::<u64>().ok()).filter(|n| *n > 0);
    let Some(count) = count else {
        return Err(Error::input(format!("`{plan}` is no fault plan")).hint("write `commit:N`, N from 1"));
    };
    set(count)
}

#[cfg(debug_assertions)]
fn set(count: u64) -> Result<()> {
    LEFT.store(count, Ordering::SeqCst);
    Ok(())
}

#[cfg(not(debug_assertions))]
fn set(_: u64) -> Result<()> {
    Err(Error::input("fault plans work only in debug builds"))
}

/// A commit point: the process dies here when the armed plan says so.
#[cfg(debug_assertions)]
pub fn point() {
    let before = LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
    if before == Ok(1) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// A commit point: nothing happens in a release build.
#[cfg(not(debug_assertions))]
pub fn point() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_one_form() {
        for bad in ["", "commit", "commit:", "commit:0", "commit:-1", "rename:1", "commit:x"] {
            assert!(arm(bad).is_err(), "armed {bad:?}");
        }
    }
}
