//! Files and commands that have to work out.
//!
//! Knows the disk and processes. Must never know what is measured.

use std::path::Path;
use std::process::Command;

/// Makes a folder and its parents.
pub fn make(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|e| format!("failed to make `{}`: {e}", folder.display()))
}

/// Writes a file.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| format!("failed to write `{}`: {e}", path.display()))
}

/// Reads a text.
pub fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("failed to read `{}`: {e}", path.display()))
}

/// Removes a folder, also one whose folders are read-only.
pub fn remove(folder: &Path) -> Result<(), String> {
    if !folder.exists() {
        return Ok(());
    }
    run(Command::new("chmod").args(["-R", "u+rwX"]).arg(folder))?;
    std::fs::remove_dir_all(folder).map_err(|e| format!("failed to remove `{}`: {e}", folder.display()))
}

/// Copies a folder to a place where nothing is, or what may go.
pub fn copy(from: &Path, to: &Path) -> Result<(), String> {
    remove(to)?;
    run(Command::new("cp").arg("-a").arg(from).arg(to))
}

/// Runs a command that has to succeed.
pub fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program}` ended with {status}")),
        Err(e) => Err(format!("failed to start `{program}`: {e}")),
    }
}

/// Runs a command that has to succeed, and gives what it printed.
pub fn said(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().display().to_string();
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|e| format!("failed to start `{program}`: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("`{program}` ended with {}", output.status))
}

/// Removes a file that is there.
pub fn remove_file(path: &Path) -> Result<(), String> {
    std::fs::remove_file(path).map_err(|e| format!("failed to remove `{}`: {e}", path.display()))
}
