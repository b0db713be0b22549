//! The request to stop everything, from Ctrl-C or from the scheduler.
//!
//! Knows one flag and one pipe that waiting loops can poll. Must never know
//! what is running.

use std::io::{PipeReader, PipeWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{IoContext, Result};

/// A shared wish to stop. Cloning shares it; it cannot be taken back.
#[derive(Clone, Debug)]
pub struct Stop(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    asked: AtomicBool,
    /// Becomes readable when the stop is asked for, and stays so: nobody reads it.
    wake: PipeReader,
    ring: PipeWriter,
}

impl Stop {
    /// A stop nobody asked for yet.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn new() -> Result<Self> {
        let (wake, ring) = std::io::pipe().doing(|| "failed to make the pipe that carries Ctrl-C")?;
        Ok(Self(Arc::new(Inner { asked: AtomicBool::new(false), wake, ring })))
    }

    /// Asks every running action to end now; each gives `Exit::Stopped`.
    /// May be called from any thread, any number of times.
    pub fn stop(&self) {
        if !self.0.asked.swap(true, Ordering::SeqCst) {
            // A pipe nobody reads takes this byte; should it fail, loops still see the flag.
            let _ = (&self.0.ring).write_all(b"!");
        }
    }

    /// Whether somebody asked.
    pub fn is_stopped(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Readable exactly when the stop was asked for: for poll loops.
    pub fn wake(&self) -> &PipeReader {
        &self.0.wake
    }
}
