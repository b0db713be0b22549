//! `__pycache__` of installs: a local companion, outside every digest.
//!
//! Knows how to have an interpreter compile folders, within a time and not
//! longer than we live, and the header of what it writes (PEP 552). Runs no
//! foreign code: compiling reads sources, it does not import them. Must never
//! know which package a folder belongs to.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::error::{Error, IoContext as _, Kind, Result};
use crate::exec::Stop;
use crate::tree::fs::remove_tree;

/// The largest packages take a minute.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Standard input is a pipe of ours that says nothing: the kernel ends the
/// process with SIGIO when we are gone, also while it is busy compiling.
const LIFELINE: &str = r"
import fcntl, os, select, signal
signal.signal(signal.SIGIO, signal.SIG_DFL)
fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
if select.select([0], [], [], 0)[0]:
    os._exit(1)
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
except (ImportError, ValueError):
    pass
";

/// Compiles every folder given as an argument. Unchecked-hash, since the
/// sources never change below the store; paths relative to the folder, so
/// that tracebacks name no store. A file that does not compile is left out,
/// whatever is wrong with it; so is one so large that only compiling it could
/// be what it is for: a stranger's source takes a hundred times its size.
const SCRIPT: &str = r"
import compileall, sys, py_compile
for folder in sys.argv[1:]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != '__pycache__')
        for name in sorted(names):
            path = os.path.join(place, name)
            if name.endswith('.py') and os.path.getsize(path) <= 4 << 20:
                try:
                    compileall.compile_file(path, force=True, quiet=2, optimize=-1, stripdir=folder,
                        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
                except Exception:
                    pass
";

/// Has `interpreter` write `__pycache__` below each of the read-only
/// `folders`; they are read-only again afterwards. Byte code only saves time:
/// where a foreign source brings the compiler down, or holds it up for ever,
/// the folders have none.
///
/// # Errors
/// When the interpreter cannot be started, or the run is to stop.
pub fn compile(interpreter: &Path, folders: &[PathBuf], stop: &Stop) -> Result<()> {
    compile_within(interpreter, folders, (stop, LONGEST))
}

fn compile_within(interpreter: &Path, folders: &[PathBuf], (stop, longest): (&Stop, Duration)) -> Result<()> {
    if folders.is_empty() {
        return Ok(());
    }
    for folder in folders {
        set_modes(folder, 0o755)?;
    }
    let ended = python(interpreter, &format!("{LIFELINE}{SCRIPT}"), folders)
        .and_then(|mut child| wait(&mut child, stop, longest));
    if let Ok(End::Broken) = ended {
        for folder in folders {
            remove_caches(folder)?;
        }
    }
    for folder in folders {
        set_modes(folder, 0o555)?;
    }
    match ended? {
        End::Done | End::Broken => Ok(()),
        End::Stopped => Err(Error::new(Kind::Stopped, "stopped while packages were compiled")),
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

/// Starts it in a process group of its own: a Ctrl-C is for us.
fn python(interpreter: &Path, script: &str, arguments: &[PathBuf]) -> Result<Child> {
    Command::new(interpreter)
        .args(["-I", "-S", "-B", "-c", script])
        .args(arguments)
        .env_clear()
        .env("PYTHONHASHSEED", "0")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .doing(|| format!("failed to start `{}`", interpreter.display()))
}

/// How compiling ended.
enum End {
    Done,
    /// Killed by a signal, or by us for being late.
    Broken,
    Stopped,
}

/// Waits until the process closes its output, which it does by ending.
fn wait(child: &mut Child, stop: &Stop, longest: Duration) -> Result<End> {
    let doing = || "failed to wait for the interpreter that compiles packages";
    // Not by `Child::wait`, which would close our end of the lifeline first.
    let output = child.stdout.take().expect("it is piped");
    let began = Instant::now();
    let mut early = None;
    loop {
        if stop.is_stopped() {
            early = Some(End::Stopped);
            break;
        }
        let Some(left) = longest.checked_sub(began.elapsed()) else {
            early = Some(End::Broken);
            break;
        };
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let flags = PollFlags::IN;
        let mut both = [PollFd::new(&output, flags), PollFd::new(stop.wake(), flags)];
        match rustix::event::poll(&mut both, Some(&left)) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other.doing(doing)?,
        };
        if !both[0].revents().is_empty() {
            break;
        }
    }
    if early.is_some() {
        let pid = rustix::process::Pid::from_child(child);
        // Not reaped yet, so the number is still its own.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let status = child.wait().doing(doing)?;
    Ok(match (early, status.code()) {
        (Some(early), _) => early,
        (None, Some(_)) => End::Done,
        (None, None) => End::Broken,
    })
}

/// Removes what was written, half-written files included.
fn remove_caches(folder: &Path) -> Result<()> {
    let doing = || format!("failed to read `{}`", folder.display());
    for entry in std::fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        if !entry.file_type().doing(doing)?.is_dir() {
            continue;
        }
        if entry.file_name() == "__pycache__" {
            remove_tree(&entry.path())?;
        } else {
            remove_caches(&entry.path())?;
        }
    }
    Ok(())
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
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn only_byte_code_that_holds_a_hash_becomes_checked() {
        let code = |flags: u8| [&[1, 2, 13, 10, flags, 0, 0, 0][..], b"12345678", b"body"].concat();
        assert_eq!(checked(&code(1)), Some(code(3)));
        assert_eq!(checked(&code(3)), Some(code(3)));
        // By time, of a later form, cut off.
        assert_eq!((checked(&code(0)), checked(&code(5)), checked(&code(1)[..15])), (None, None, None));
    }

    fn real() -> PathBuf {
        let search = crate::python::Search {
            path: vec!["/usr/bin".into()],
            home: None,
            cwd: "/".into(),
            pyenv_version: None,
        };
        crate::python::discover(&search, None, crate::python::Memo::none()).unwrap().exe
    }

    /// A folder of sources, and an interpreter that is this shell script.
    fn case(script: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (folder, fake) = (dir.path().join("site"), dir.path().join("python"));
        fs::create_dir_all(folder.join("pkg")).unwrap();
        fs::write(folder.join("pkg/__init__.py"), "x = 1\n").unwrap();
        fs::write(folder.join("pkg/broken.py"), "x = (\n").unwrap();
        // Not written by this process: a child that another test starts just
        // now would hold it open, and such a file cannot be executed.
        let write = "printf '#!/bin/sh\n%s\n' \"$1\" >\"$0\" && chmod 755 \"$0\"";
        let mut shell = Command::new("/bin/sh");
        assert!(shell.args(["-c", write]).arg(&fake).arg(script).status().unwrap().success());
        (dir, folder, fake)
    }

    fn modes(folder: &Path) -> Vec<u32> {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        vec![mode(folder), mode(&folder.join("pkg"))]
    }

    #[test]
    fn what_compiles_has_byte_code() {
        let (_dir, folder, _) = case("");
        compile(&real(), std::slice::from_ref(&folder), &Stop::new().unwrap()).unwrap();
        let made: Vec<_> = fs::read_dir(folder.join("pkg/__pycache__")).unwrap().collect();
        assert_eq!(made.len(), 1);
        let bytes = fs::read(made[0].as_ref().unwrap().path()).unwrap();
        let place = folder.to_str().unwrap().as_bytes();
        assert!(!bytes.windows(place.len()).any(|w| w == place), "no path of this machine");
        assert_eq!(modes(&folder), [0o555, 0o555]);
    }

    #[test]
    fn a_crash_or_a_compiler_without_end_leaves_no_byte_code() {
        let write = "for f; do :; done; mkdir $f/pkg/__pycache__; echo > $f/pkg/__pycache__/a.pyc.1";
        for (script, longest) in [("kill -SEGV $$", LONGEST), ("exec sleep 1000", Duration::from_millis(300))]
        {
            let (_dir, folder, fake) = case(&format!("{write}; {script}"));
            let folders = [folder.clone()];
            compile_within(&fake, &folders, (&Stop::new().unwrap(), longest)).unwrap();
            assert!(!folder.join("pkg/__pycache__").exists());
            assert_eq!(modes(&folder), [0o555, 0o555]);
        }
    }

    #[test]
    fn a_stop_ends_it_and_says_so() {
        let (_dir, folder, fake) = case("exec sleep 1000");
        let stop = Stop::new().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| compile(&fake, std::slice::from_ref(&folder), &stop));
            stop.stop();
            assert_eq!(waiting.join().unwrap().unwrap_err().kind, Kind::Stopped);
        });
    }

    #[test]
    fn it_does_not_outlive_us() {
        let script = format!("{LIFELINE}\nprint('ready', flush=True)\nimport time\ntime.sleep(1000)");
        let mut child = python(&real(), &script, &[]).unwrap();
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        drop(child.stdin.take());
        assert!(child.wait().unwrap().signal().is_some());
    }
}
