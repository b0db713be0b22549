//! What a foreign process may see and do, as a value that can be printed,
//! hashed and replayed.
//!
//! Knows only values. Must never start anything or look at the disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::key::TreeDigest;
pub use crate::store::realisation::Level;
use crate::tree::RelPath;

/// What of the host's own system files an action sees (read-only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostView {
    /// A shell, coreutils and their shared libraries; no compiler, header,
    /// pkg-config file, `/usr/local` or `dist-packages`.
    Minimal,
    /// All of `/usr` but `/usr/local` and `dist-packages`: a compiler was declared.
    Toolchain,
}

/// Something mounted read-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A tree of the store.
    Tree(TreeDigest),
    /// A folder or file made by us for this host (a bound environment, a spec
    /// file): its identity is the caller's business and is in the caller's key.
    Host(PathBuf),
}

/// One hermetic process.
///
/// Cell paths are absolute. At `Full` they are real; at `Landlock` and `Env`
/// there are no mounts, so the executor makes a private work folder, places
/// each writable and input below it (links for inputs) and replaces the
/// prefixes `/build`, `/env`, `/s` in argv, env values and `cwd` by host
/// paths (and a `TMPDIR`, `TMP` or `TEMP` that is `/tmp` by a private folder).
/// What `files` hold is not replaced: name paths through env. The level is
/// part of every key for that reason.
#[derive(Clone, Debug)]
pub struct Action {
    /// Program and arguments; the program is an absolute cell path.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Cell path -> what is mounted there, read-only (`/env`, `/s/1`, …).
    pub inputs: BTreeMap<String, Input>,
    /// Host paths bound read-only at the same path (an interpreter's prefix).
    pub host_paths: Vec<PathBuf>,
    /// What of the system is seen.
    pub view: HostView,
    /// A tree copied (writable) to `/build/src` before the start; mtimes are
    /// set to `epoch`.
    pub source: Option<TreeDigest>,
    /// SOURCE_DATE_EPOCH in seconds: mtime of the copied source.
    pub epoch: u64,
    /// Small files written below `/build` before the start.
    pub files: BTreeMap<RelPath, Vec<u8>>,
    /// Working folder (cell path); `/build` always exists and is writable.
    pub cwd: String,
    /// Paths below `/build` collected afterwards. A missing one is the
    /// result's business (`ActionResult::missing`), not an error.
    pub outputs: Vec<RelPath>,
    /// The level asked for.
    pub level: Level,
    /// Bounds; never in a key.
    pub limits: Limits,
    /// For people; never in a key.
    pub label: String,
    /// A server that may run it instead, with the same result; never in a key.
    pub warm: Option<Warm>,
}

/// A process that has loaded what an action needs, and forks a child an action.
///
/// It runs in a cell of its own with the environment, working folder, inputs,
/// host paths and view of the action; actions that agree in these and in
/// `argv` and `files` share it. It never decides a result: whatever does not end
/// well in its child runs again as a process of its own.
///
/// The protocol: descriptor 0 is a socket of packets. Each asks for one child;
/// its JSON has `order` (see below), its descriptors are a socket to speak on and
/// the log. The child says `here` and waits, for as long as it takes, for its one
/// packet: the descriptors are the namespaces of a cell, in the order in which
/// they are to be entered, and the JSON has `cwd`, the rlimits `processes`,
/// `file_size` and `memory`, and `refuse`, the bytes of a seccomp filter in
/// hexadecimal. It does its work; the server's side of it then says
/// `code N` or `signal N`. A server that cannot do it says `no REASON`. A packet
/// without descriptors has an `order` to get ready for, and no answer.
#[derive(Clone, Debug)]
pub struct Warm {
    /// Program and arguments of the server; the program is an absolute cell path.
    pub argv: Vec<String>,
    /// Small files below `/build` of the server. A child of it, which has what it
    /// read of them, has none of these in its own `/build`.
    pub files: BTreeMap<RelPath, Vec<u8>>,
    /// What the server is told for this action; only it understands it.
    pub order: String,
    /// Whether another action is expected to want the same server: then what
    /// that one needs is made while this one runs.
    pub more: bool,
}

/// Bounds of one action. Breaking one is a result, never an error.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Wall time in all.
    pub timeout: Duration,
    /// Wall time without a byte of output.
    pub silence: Duration,
    /// Bytes of address space a process (RLIMIT_AS is unusable for some
    /// toolchains: cgroup where delegated, else RLIMIT_DATA).
    pub memory: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Bytes of one written file.
    pub file_size: u64,
    /// Bytes of log kept; the rest is counted and dropped.
    pub log: u64,
    /// Bytes of all collected outputs.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3 * 3600),
            silence: Duration::from_secs(30 * 60),
            memory: 8 << 30,
            processes: 2048,
            file_size: 8 << 30,
            log: 8 << 20,
            output: 16 << 30,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Over `Limits::timeout`.
    TimedOut,
    /// Over `Limits::silence`.
    Silent,
    /// The run was stopped.
    Stopped,
}

/// Where an action ran; nothing but time may depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warmth {
    /// In a process of its own.
    Cold,
    /// In a child of the server it may have.
    Warm,
    /// In a process of its own, after its server did not give a result.
    Lost(String),
}

/// What came of an action.
#[derive(Debug)]
pub struct ActionResult {
    /// How it ended.
    pub exit: Exit,
    /// The collected outputs lie here, each at its own relative path; removed
    /// when dropped. Nothing in it is a link that leaves it.
    pub outputs: tempfile::TempDir,
    /// Declared outputs that are not there, or are not what they should be
    /// (a link, a device), with the reason.
    pub missing: Vec<(RelPath, String)>,
    /// The log, terminal escapes stripped, bounded.
    pub log: Vec<u8>,
    /// Bytes of log that were dropped.
    pub log_dropped: u64,
    /// Wall time.
    pub took: Duration,
    /// Highest resident memory of the whole action, bytes, when known.
    pub peak_memory: Option<u64>,
    /// What ran it.
    pub warmth: Warmth,
    /// The level it ran at: always the one asked for.
    pub level: Level,
    /// The work folder, when it was asked to be kept; holds a runnable `run.sh`.
    pub kept: Option<PathBuf>,
}
