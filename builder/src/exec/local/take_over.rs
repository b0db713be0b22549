//! Becoming the user's own command: `wheelwright run`.
//!
//! Knows that nothing of ours is left afterwards. Not a sandbox: the command
//! is the user's, with the user's environment. Must never be used for a build.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

/// Replaces this process by a command, with `bin` first in PATH and the umask
/// the user had. Returns only when the command could not be started.
pub fn become_command<'a>(
    bin: &Path,
    command: &[String],
    umask: u32,
    env: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
) -> std::io::Error {
    let mut vars: Vec<(OsString, OsString)> =
        env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let old = vars.iter().position(|(name, _)| name == "PATH").map(|at| vars.remove(at).1);
    let mut path = bin.as_os_str().to_owned();
    if let Some(old) = old {
        path.push(":");
        path.push(old);
    }
    // What would make the interpreter look past the environment.
    vars.retain(|(name, _)| name != "PYTHONHOME" && name != "PYTHONPATH");
    let own = bin.join(&command[0]);
    let program =
        if !command[0].contains('/') && own.exists() { own } else { Path::new(&command[0]).to_owned() };
    let mut child = Command::new(program);
    child.args(&command[1..]).env_clear().envs(vars).env("PATH", path);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
    std::os::unix::process::CommandExt::exec(&mut child)
}
