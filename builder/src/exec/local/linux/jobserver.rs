//! The jobserver: tokens in a fifo that make, ninja and cargo of all builds
//! share, so that together they use every processor once.
//!
//! Knows the fifo protocol (one byte a token). Must never know who takes one.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::error::{IoContext as _, Result};

/// The fifo and its tokens, while this lives.
pub struct Jobserver {
    path: PathBuf,
    fifo: File,
    tokens: usize,
    /// Turns that are not over.
    turns: Mutex<usize>,
}

/// A running action: it holds the token that every make has without asking.
pub(super) struct Turn<'a> {
    server: &'a Jobserver,
    /// Whether there was a token to take.
    holds: bool,
}

impl Jobserver {
    /// Makes the fifo with `tokens` bytes in it, one for each process that may
    /// compile at once. Mode 0666, whatever the umask: builds are other users.
    ///
    /// # Errors
    /// When the fifo cannot be made.
    pub fn new(path: &Path, tokens: usize) -> Result<Self> {
        let doing = || format!("failed to make the jobserver `{}`", path.display());
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e).doing(doing),
            _ => {}
        }
        let mode = Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0).doing(doing)?;
        rustix::fs::chmod(path, mode).doing(doing)?;
        // Opened for both, so that neither end waits for the other.
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fifo = File::from(rustix::fs::open(path, flags, Mode::empty()).doing(doing)?);
        let server = Self { path: path.to_owned(), fifo, tokens: tokens.min(512), turns: Mutex::new(0) };
        (&server.fifo).write_all(&vec![b'+'; server.tokens]).doing(doing)?;
        Ok(server)
    }

    /// Where the fifo is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An action begins. It never waits: with no token left it runs all the
    /// same, as a make does that has none but its own.
    pub(super) fn begin(&self) -> Turn<'_> {
        let mut turns = self.turns();
        *turns += 1;
        let holds = (&self.fifo).read(&mut [0]).is_ok_and(|taken| taken == 1);
        Turn { server: self, holds }
    }

    fn turns(&self) -> MutexGuard<'_, usize> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.server.turns();
        *turns -= 1;
        let mut fifo = &self.server.fifo;
        let back = if *turns == 0 {
            // Nobody holds one now: those of a build that was killed are
            // replaced, and what a build made up is thrown away.
            while fifo.read(&mut [0; 512]).is_ok_and(|taken| taken > 0) {}
            self.server.tokens
        } else {
            usize::from(self.holds)
        };
        // A fifo that is full has more than enough.
        let _ = fifo.write_all(&vec![b'+'; back]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(server: &Jobserver) -> usize {
        (&server.fifo).read(&mut [0u8; 64]).unwrap_or(0)
    }

    fn put(server: &Jobserver, tokens: usize) {
        (&server.fifo).write_all(&vec![b'+'; tokens]).unwrap();
    }

    #[test]
    fn a_running_action_counts_and_never_waits() {
        let dir = tempfile::tempdir().unwrap();
        let server = Jobserver::new(&dir.path().join("jobs"), 2).unwrap();
        let turns = [server.begin(), server.begin(), server.begin()];
        assert_eq!(turns.each_ref().map(|turn| turn.holds), [true, true, false]);
        assert_eq!(tokens(&server), 0);
        let [first, second, third] = turns;
        drop(third);
        assert_eq!(tokens(&server), 0, "it had none to give back");
        drop(first);
        assert_eq!(tokens(&server), 1);
        put(&server, 1);
        drop(second);
        assert_eq!(tokens(&server), 2);
    }

    #[test]
    fn tokens_that_a_killed_build_held_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let server = Jobserver::new(&dir.path().join("jobs"), 3).unwrap();
        let turn = server.begin();
        assert_eq!(tokens(&server), 2, "its compilers take them, and never give them back");
        drop(turn);
        let turn = server.begin();
        put(&server, 5);
        drop(turn);
        assert_eq!(tokens(&server), 3, "and made up ones go");
    }
}
