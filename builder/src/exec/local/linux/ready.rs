//! Waiting for whichever of several descriptors speaks first.
//!
//! Knows that some of them may be gone already. Must never know what is said.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::{IoContext, Result};

/// Time in which what is printed gathers.
const GATHER: Duration = Duration::from_millis(4);
/// A pipe that had as much, bytes, is read again at once: it may be full, and
/// who writes waits.
const MUCH: usize = 16 << 10;

/// Between two reads of a log. A build prints line by line, and each line would
/// wake its reader, who takes a core from it to find a few bytes.
#[derive(Default)]
pub(super) struct Pause(Option<Instant>);

impl Pause {
    /// After `got` bytes were read.
    pub fn begin(&mut self, got: usize) {
        self.0 = (got < MUCH).then(|| Instant::now() + GATHER);
    }

    /// When it is over; `None`: it is.
    pub fn until(&self) -> Option<Instant> {
        self.0.filter(|until| *until > Instant::now())
    }
}

/// Which of `fds` have something to read, or have come to their end; none when
/// it got late. Those that are `None` never do.
///
/// # Errors
/// When the kernel has no memory for it.
pub(super) fn ready<const N: usize>(
    fds: [Option<BorrowedFd<'_>>; N],
    deadline: Instant,
) -> Result<[bool; N]> {
    // The kernel counts whole milliseconds and would wake too early.
    let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
    let open = fds.iter().flatten();
    let mut polled: Vec<_> = open.map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    match poll(&mut polled, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error).doing(|| "failed to wait for the processes of a build"),
    }
    let mut answers = polled.iter().map(|fd| !fd.revents().is_empty());
    Ok(fds.map(|fd| fd.is_some() && answers.next().unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_pause_follows_a_little_and_nothing_else() {
        let mut pause = Pause::default();
        assert_eq!(pause.until(), None);
        let began = Instant::now();
        pause.begin(1);
        assert!(pause.0.is_some_and(|until| until >= began + GATHER));
        pause.begin(MUCH);
        assert_eq!(pause.until(), None);
        pause.0 = Some(began);
        assert_eq!(pause.until(), None);
    }

    #[test]
    fn only_those_that_speak_or_end_are_ready() {
        let (quiet, _held) = std::io::pipe().unwrap();
        let (speaks, mut mouth) = std::io::pipe().unwrap();
        let (ends, end) = std::io::pipe().unwrap();
        mouth.write_all(b"x").unwrap();
        drop(end);
        let fds = [None, Some(quiet.as_fd()), Some(speaks.as_fd()), None, Some(ends.as_fd())];
        let later = Instant::now() + Duration::from_secs(3600);
        assert_eq!(ready(fds, later).unwrap(), [false, false, true, false, true]);
        assert_eq!(ready([None, Some(quiet.as_fd())], Instant::now()).unwrap(), [false, false]);
    }
}
