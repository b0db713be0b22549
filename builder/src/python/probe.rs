//! Asking an interpreter what it is.
//!
//! Knows the probe's JSON and the kernel's name. Must never know where
//! interpreters are looked for.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder};
use serde_json::Value;

use super::{Memo, Search};

const PROBE: &str = include_str!("probe.py");
/// Raised when the probe answers differently.
const FORMAT: u32 = 1;

/// What an interpreter says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of sys, sysconfig and PEP 508")]
pub struct Facts {
    pub executable: PathBuf,
    pub base_executable: PathBuf,
    pub implementation: String,
    pub implementation_version: String,
    pub implementation_title: String,
    pub full_version: String,
    pub major: u32,
    pub minor: u32,
    pub os_name: String,
    pub sys_platform: String,
    /// `sysconfig.get_platform()`: `linux-x86_64`.
    pub platform: String,
    /// 64 or 32.
    pub bits: u32,
    /// `glibc 2.36`, empty elsewhere.
    pub libc: String,
    pub mac_version: String,
    pub base_prefix: PathBuf,
    pub base_exec_prefix: PathBuf,
    pub stdlib: PathBuf,
    pub platstdlib: PathBuf,
    pub purelib: PathBuf,
    pub platlib: PathBuf,
    pub platlibdir: String,
    pub cc: String,
    pub cflags: String,
    pub ldshared: String,
    pub ext_suffix: String,
    pub soabi: String,
    pub multiarch: String,
    /// INCLUDEPY.
    pub include: PathBuf,
    pub libdir: PathBuf,
    /// The file name of libpython; empty for a static build.
    pub library: String,
    pub wheel_pkg_dir: PathBuf,
    pub free_threaded: bool,
    pub debug: bool,
    /// Whether `ctypes` can be imported.
    pub ctypes: bool,
    /// Whether it is Debian's, with its own install schemes.
    pub debian: bool,
    /// sha256 of sysconfig's variables.
    pub variables: String,
}

impl Facts {
    fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("its answer is not JSON: {e}"))?;
        let word = |name: &str| {
            value[name].as_str().map(str::to_owned).ok_or_else(|| format!("its answer has no `{name}`"))
        };
        let path = |name: &str| word(name).map(PathBuf::from);
        let number = |name: &str| {
            let number = value[name].as_u64().and_then(|n| u32::try_from(n).ok());
            number.ok_or_else(|| format!("its answer has no `{name}`"))
        };
        let truth = |name: &str| value[name].as_bool().unwrap_or(false);
        Ok(Self {
            executable: path("executable")?,
            base_executable: path("base_executable")?,
            implementation: word("implementation")?,
            implementation_version: word("implementation_version")?,
            implementation_title: word("implementation_title")?,
            full_version: word("full_version")?,
            major: number("major")?,
            minor: number("minor")?,
            os_name: word("os_name")?,
            sys_platform: word("sys_platform")?,
            platform: word("platform")?,
            bits: number("bits")?,
            libc: word("libc")?,
            mac_version: word("mac_version")?,
            base_prefix: path("base_prefix")?,
            base_exec_prefix: path("base_exec_prefix")?,
            stdlib: path("stdlib")?,
            platstdlib: path("platstdlib")?,
            purelib: path("purelib")?,
            platlib: path("platlib")?,
            platlibdir: word("platlibdir")?,
            cc: word("cc")?,
            cflags: word("cflags")?,
            ldshared: word("ldshared")?,
            ext_suffix: word("ext_suffix")?,
            soabi: word("soabi")?,
            multiarch: word("multiarch")?,
            include: path("include")?,
            libdir: path("libdir")?,
            library: word("library")?,
            wheel_pkg_dir: path("wheel_pkg_dir")?,
            free_threaded: truth("free_threaded"),
            debug: truth("debug"),
            ctypes: truth("ctypes"),
            debian: truth("debian"),
            variables: word("variables")?,
        })
    }

    /// libpython's file, when the interpreter has one of its own.
    pub fn libpython(&self) -> Option<PathBuf> {
        let file = self.libdir.join(&self.library);
        (!self.library.is_empty() && file.is_file()).then_some(file)
    }

    /// The eleven marker variables (PEP 508). Those of the machine are asked
    /// of the kernel each time: they change without the interpreter.
    pub fn markers(&self) -> Result<MarkerEnvironment, String> {
        let kernel = rustix::system::uname();
        let word = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
            implementation_name: &self.implementation,
            implementation_version: &self.implementation_version,
            os_name: &self.os_name,
            platform_machine: &word(kernel.machine()),
            platform_python_implementation: &self.implementation_title,
            platform_release: &word(kernel.release()),
            platform_system: &word(kernel.sysname()),
            platform_version: &word(kernel.version()),
            python_full_version: &self.full_version.replace('+', ""),
            python_version: &format!("{}.{}", self.major, self.minor),
            sys_platform: &self.sys_platform,
        })
        .map_err(|e| e.to_string())
    }
}

/// What names an unchanged file: path, inode, size, mtime.
pub fn file_key(path: &Path) -> Result<String, String> {
    let meta = path.metadata().map_err(|e| e.to_string())?;
    let (inode, size) = (meta.ino(), meta.size());
    Ok(format!("{}\n{inode} {size} {}.{:09}", path.display(), meta.mtime(), meta.mtime_nsec()))
}

/// What names the machine's set of shared libraries: the C library and others
/// change without the interpreter, and the linker's cache does with them.
pub fn linker_key() -> String {
    file_key(Path::new(LINKER_CACHE)).unwrap_or_default()
}

/// The file of [`linker_key`].
pub const LINKER_CACHE: &str = "/etc/ld.so.cache";

/// What the kernel says of the machine, as far as markers can ask for it.
pub fn kernel_key() -> String {
    let kernel = rustix::system::uname();
    let words = [kernel.machine(), kernel.release(), kernel.sysname(), kernel.version()];
    words.map(|word| word.to_string_lossy().into_owned()).join("\n")
}

/// Asks the program at `exe`, or remembers what it said.
pub fn probe(exe: &Path, memo: Memo<'_>) -> Result<Facts, String> {
    let key = format!("{FORMAT}\n{}\n{}", file_key(exe)?, linker_key());
    let text = memo.or_make("python-probe", &key, || {
        let text = ask(exe, PROBE, &Search::default())?;
        // Only an answer that can be read is worth remembering.
        Facts::parse(&text).map(|_| text)
    })?;
    Facts::parse(&text)
}

/// Runs a program in an otherwise empty environment and gives what it prints.
/// A shim needs `PATH` and `HOME` to find the real interpreter, and looks for
/// the version that is wanted in a variable and in the working folder.
pub fn ask(exe: &Path, program: &str, search: &Search) -> Result<String, String> {
    let mut command = Command::new(exe);
    command.args(["-I", "-S", "-c", program]).env_clear().env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    if let Ok(path) = std::env::join_paths(&search.path) {
        command.env("PATH", path);
    }
    if let Some(home) = &search.home {
        command.env("HOME", home);
    }
    if let Some(version) = &search.pyenv_version {
        command.env("PYENV_VERSION", version);
    }
    let folder = if search.cwd.is_dir() { search.cwd.as_path() } else { Path::new("/") };
    let output = command.current_dir(folder).output().map_err(|e| format!("it cannot be started: {e}"))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        let last = log.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it says nothing").trim();
        return Err(format!("it failed when asked what it is ({}): {last}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| "its answer is not UTF-8".to_owned())
}
