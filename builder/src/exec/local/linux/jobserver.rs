//! The jobserver: tokens in a fifo that make, ninja and cargo of all builds
//! share, so that together they use every processor once.
//!
//! Knows the fifo protocol (one byte a token). Must never know who takes one.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::error::{IoContext as _, Result};

/// Makes the fifo with `tokens` bytes in it; it holds them while the returned
/// file is open. Mode 0666, whatever the umask: builds are other users.
pub fn jobserver(path: &Path, tokens: usize) -> Result<File> {
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
    let mut file = File::from(rustix::fs::open(path, flags, Mode::empty()).doing(doing)?);
    file.write_all(&vec![b'+'; tokens.min(512)]).doing(doing)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_fifo_holds_its_tokens() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = jobserver(&dir.path().join("jobs"), 3).unwrap();
        let mut taken = [0u8; 8];
        assert_eq!(file.read(&mut taken).unwrap(), 3);
        assert_eq!(&taken[..3], b"+++");
        assert!(file.read(&mut taken).is_err(), "no fourth token");
    }
}
