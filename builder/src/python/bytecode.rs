//! `__pycache__` of installs: a local companion, outside every digest.
//!
//! Knows how to have an interpreter compile folders, and the header of what it
//! writes (PEP 552). Runs no foreign code:
//! compiling reads sources, it does not import them. Must never know which
//! package a folder belongs to.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, IoContext as _, Result};

/// Compiles every folder given as an argument. Unchecked-hash, since the
/// sources never change below the store; paths relative to the folder, so
/// that tracebacks name no store. A file that does not compile is left out.
const SCRIPT: &str = r"
import compileall, sys, py_compile
for folder in sys.argv[1:]:
    compileall.compile_dir(folder, quiet=2, legacy=False, optimize=-1, maxlevels=64,
        stripdir=folder, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
";

/// Has `interpreter` write `__pycache__` below each of the read-only
/// `folders`; they are read-only again afterwards.
pub fn compile(interpreter: &Path, folders: &[PathBuf]) -> Result<()> {
    if folders.is_empty() {
        return Ok(());
    }
    for folder in folders {
        set_modes(folder, 0o755)?;
    }
    let status = Command::new(interpreter)
        .args(["-I", "-S", "-B", "-c", SCRIPT])
        .args(folders)
        .env_clear()
        .env("PYTHONHASHSEED", "0")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .doing(|| format!("failed to start `{}`", interpreter.display()));
    for folder in folders {
        set_modes(folder, 0o555)?;
    }
    match status?.code() {
        Some(_) => Ok(()),
        None => Err(Error::environment("the interpreter was killed while it compiled packages")),
    }
}

/// The same byte code as [`compile`]'s, checked: an interpreter compares the
/// hash in it with the source at each import, so an edited source counts. Both
/// kinds hold that hash; one bit tells them apart. `None` for anything else.
pub fn checked(code: &[u8]) -> Option<Vec<u8>> {
    const FLAGS: std::ops::Range<usize> = 4..8;
    const HASH_BASED: u32 = 0b01;
    const CHECK_SOURCE: u32 = 0b10;
    const HEADER: usize = 16;
    let flags = u32::from_le_bytes(code.get(..HEADER)?[FLAGS].try_into().ok()?);
    if flags & !CHECK_SOURCE != HASH_BASED {
        return None;
    }
    let mut out = code.to_vec();
    out[FLAGS].copy_from_slice(&(HASH_BASED | CHECK_SOURCE).to_le_bytes());
    Some(out)
}

/// Sets the mode of every folder below (links are not followed).
fn set_modes(folder: &Path, mode: u32) -> Result<()> {
    let doing = || format!("failed to change the mode of `{}`", folder.display());
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).doing(doing)?;
    for entry in std::fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        if entry.file_type().doing(doing)?.is_dir() {
            set_modes(&entry.path(), mode)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_byte_code_that_holds_a_hash_becomes_checked() {
        let code = |flags: u8| [&[1, 2, 13, 10, flags, 0, 0, 0][..], b"12345678", b"body"].concat();
        assert_eq!(checked(&code(1)), Some(code(3)));
        assert_eq!(checked(&code(3)), Some(code(3)));
        // By time, of a later form, cut off.
        assert_eq!((checked(&code(0)), checked(&code(5)), checked(&code(1)[..15])), (None, None, None));
    }
}
