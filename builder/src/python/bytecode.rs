//! `__pycache__` of installs: a local companion, outside every digest.
//!
//! Knows how to have an interpreter compile folders. Runs no foreign code:
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
