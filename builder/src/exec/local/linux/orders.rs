//! From an action to the init's spec.
//!
//! Knows the fixed paths of a cell and what stands for them where there are
//! no mounts. Must never start anything.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::Local;
use super::cell::device_steps;
use super::domain::COVERED;
use super::memory;
use super::privileges::{self, BUILD_ID};
use super::spec::{BindMode, Bounds, Root, Rule, Spec, Step, Who};
use super::view::text;
use crate::error::{Error, IoContext, Result};
use crate::exec::ExecError;
use crate::exec::action::{Action, Input, Level, Warm};
use crate::exec::local::{BuildOn, JOBSERVER};
use crate::tree::RelPath;

/// A work folder's parts.
pub(super) struct Places {
    /// The work folder itself.
    pub work: PathBuf,
    /// Whether `/build` and `/tmp` are in memory.
    pub in_memory: bool,
    /// Whether a control group counts the processes.
    pub grouped: bool,
}

impl Places {
    fn build(&self) -> PathBuf {
        self.work.join("build")
    }
}

/// The spec; makes the folders it needs in the work folder.
pub(super) fn spec(local: &Local, action: &Action, places: &Places) -> Result<Spec, ExecError> {
    check(action)?;
    let source = match &action.source {
        Some(tree) => Some((text(&existing((local.options.trees)(tree), "the source")?), action.epoch)),
        None => None,
    };
    let mut spec = Spec { source, ..plain(action) };
    if action.level != Level::Env {
        spec.bounds = bounds(action);
    }
    // Without a user namespace of its own each cell's processes count towards
    // all others' of the same user: where the group counts them one by one,
    // nobody fails for a neighbour.
    if action.level == Level::Landlock && places.grouped {
        spec.bounds.processes = action.limits.processes.saturating_mul(NEIGHBOURS);
    }
    match action.level {
        Level::Full => spec.root = Some(root(local, action, places)?),
        Level::Landlock | Level::Env => bare(local, action, places, &mut spec)?,
    }
    Ok(spec)
}

fn plain(action: &Action) -> Spec {
    Spec {
        level: action.level,
        argv: action.argv.clone(),
        env: action.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        cwd: action.cwd.clone(),
        build: "/build".to_owned(),
        source: None,
        files: wire_files(&action.files),
        who: who(action.level),
        root: None,
        rules: Vec::new(),
        bounds: Bounds::default(),
        serves: false,
    }
}

fn bounds(action: &Action) -> Bounds {
    Bounds {
        processes: action.limits.processes,
        file_size: action.limits.file_size,
        memory: action.limits.memory,
    }
}

/// Processes of a server and in the cells of its children. The limits of these
/// are lower.
pub(super) fn processes(local: &Local, action: &Action) -> u64 {
    let all = u64::try_from(local.options.jobs).unwrap_or(u64::MAX).saturating_add(1);
    action.limits.processes.saturating_mul(all)
}

fn wire_files(files: &BTreeMap<RelPath, Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    files.iter().map(|(path, bytes)| (path.as_str().to_owned(), bytes.clone())).collect()
}

/// Cells of one user that may use up their limits at once.
const NEIGHBOURS: u64 = 64;

/// Who a build at this level is, for who we are. Root of a user namespace that
/// has no other user is an ordinary user there.
pub(super) fn who(level: Level) -> Who {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    match level {
        Level::Env => Who::Invoker,
        _ if uid.is_root() && privileges::knows_build_id() => Who::Becomes(BUILD_ID.into(), BUILD_ID.into()),
        Level::Landlock => Who::Invoker,
        Level::Full => Who::Mapped(uid.as_raw().into(), gid.as_raw().into()),
    }
}

/// What a caller must not ask for.
fn check(action: &Action) -> Result<()> {
    let absolute = |what: &str, path: &str| {
        let strange = path.split('/').any(|part| part == "..");
        if path.starts_with('/') && !strange {
            Ok(())
        } else {
            Err(Error::bug(format!("the {what} `{path}` of an action is not an absolute path")))
        }
    };
    absolute("program", action.argv.first().map_or("", String::as_str))?;
    absolute("working folder", &action.cwd)?;
    action.inputs.keys().try_for_each(|path| absolute("input", path))?;
    action.host_paths.iter().try_for_each(|path| absolute("host path", &path.to_string_lossy()))?;
    // A host path over one of these would show more, or less, than the view says.
    let ours = ["/usr/bin", "/usr/lib", "/etc", "/dev", "/proc", "/build", "/env", "/s", "/bin", "/lib"]
        .map(Path::new);
    match action.host_paths.iter().find(|host| ours.iter().any(|own| own.starts_with(host))) {
        Some(host) => Err(Error::bug(format!("the host path `{}` of an action is too wide", host.display()))),
        None => Ok(()),
    }
}

/// At levels without mounts a build of root's is another user on the real
/// paths: each must be reachable for others.
fn reachable(path: &Path, level: Level) -> Result<(), ExecError> {
    let closed = |folder: &&Path| fs::metadata(folder).is_ok_and(|meta| meta.mode() & 0o001 == 0);
    match path.ancestors().skip(1).find(closed) {
        Some(folder) if level == Level::Landlock && matches!(who(level), Who::Becomes(..)) => {
            Err(ExecError::Isolation {
                wanted: level,
                because: format!(
                    "the build is an unprivileged user and `{}` keeps others out of `{}`",
                    folder.display(),
                    path.display()
                ),
                hints: vec![
                    "keep the store and the interpreter where everybody may read, or ask for `full`"
                        .to_owned(),
                ],
            })
        }
        _ => Ok(()),
    }
}

fn existing(path: PathBuf, what: &str) -> Result<PathBuf> {
    fs::metadata(&path).doing(|| format!("failed to find {what} of an action, `{}`", path.display()))?;
    Ok(path)
}

/// Inputs by cell path, with the host path of each.
fn inputs(local: &Local, action: &Action) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for (cell_path, input) in &action.inputs {
        let host = match input {
            Input::Tree(tree) => (local.options.trees)(tree),
            Input::Host(path) => path.clone(),
        };
        found.push((cell_path.clone(), existing(host, &format!("the input `{cell_path}`"))?));
    }
    if let Some(server) = &local.options.jobserver {
        found.push((JOBSERVER.to_owned(), existing(server.path().to_owned(), "the jobserver")?));
    }
    Ok(found)
}

fn host_paths(action: &Action) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut sorted = action.host_paths.clone();
    sorted.sort();
    for path in sorted {
        if !paths.iter().any(|above| path.starts_with(above)) {
            paths.push(existing(path, "a host path")?);
        }
    }
    Ok(paths)
}

const PASSWD: &str = "root:x:0:0:root:/:/bin/sh\nbuild:x:60999:60999:build:/build:/bin/sh\n\
                      nobody:x:65534:65534:nobody:/:/bin/sh\n";
const GROUP: &str = "root:x:0:\nbuild:x:60999:\nnogroup:x:65534:\n";
const HOSTS: &str = "127.0.0.1 localhost wheelwright\n::1 localhost wheelwright\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n";

/// The assembled root of level `full`.
fn root(local: &Local, action: &Action, places: &Places) -> Result<Root> {
    let at = places.work.join("root");
    fs::create_dir(&at).doing(|| format!("failed to make `{}`", at.display()))?;
    let mut steps = etc_steps();
    steps.extend(device_steps());
    let shares = shares(local, action);
    steps.push(Step::Memory("/dev/shm".to_owned(), shares.shm, 0o1777));
    steps.push(Step::Proc("/proc".to_owned()));
    steps.extend(covers());
    if places.in_memory {
        steps.extend(memory_steps(&shares));
    } else {
        let build = build_folder(places, action.level)?;
        steps.push(Step::Bind(text(&build), "/build".to_owned(), BindMode::Writable));
        let temp = new_folder(&places.work.join("tmp"), 0o1777, action.level)?;
        steps.push(Step::Bind(text(&temp), "/tmp".to_owned(), BindMode::Writable));
    }
    steps.extend(seen(local, action)?);
    Ok(Root { at: text(&at), steps })
}

/// Of a fork server's domain. Its /proc is left bare, because the kernel gives
/// a cell in it no other one; each process in it covers what it must not see.
fn domain_root(local: &Local, action: &Action, work: &Path) -> Result<Root> {
    const SMALL: u64 = 64 << 20;
    let at = work.join("root");
    fs::create_dir(&at).doing(|| format!("failed to make `{}`", at.display()))?;
    let mut steps = etc_steps();
    steps.extend(device_steps());
    let shares = memory::Shares { build: SMALL, tmp: SMALL, shm: SMALL };
    steps.push(Step::Memory("/dev/shm".to_owned(), shares.shm, 0o1777));
    steps.push(Step::Proc("/proc".to_owned()));
    steps.extend(memory_steps(&shares));
    steps.extend(seen(local, action)?);
    Ok(Root { at: text(&at), steps })
}

/// The spec of the fork server that `action` asks for.
pub(super) fn server(local: &Local, action: &Action, warm: &Warm, work: &Path) -> Result<Spec> {
    check(action)?;
    Ok(Spec {
        argv: warm.argv.clone(),
        source: None,
        files: wire_files(&warm.files),
        root: Some(domain_root(local, action, work)?),
        serves: true,
        // What it may hold itself its control group says.
        bounds: Bounds { processes: processes(local, action), ..Bounds::default() },
        ..plain(action)
    })
}

/// The spec of a cell in a fork server's domain: only what is its own, and the
/// limits of its program.
pub(super) fn waiting(local: &Local, action: &Action) -> Spec {
    let shares = shares(local, action);
    let mut steps =
        vec![Step::Memory("/dev/shm".to_owned(), shares.shm, 0o1777), Step::Proc("/proc".to_owned())];
    steps.extend(covers());
    steps.push(Step::Terminals("/dev/pts".to_owned()));
    steps.extend(memory_steps(&shares));
    let root = Some(Root { at: String::new(), steps });
    Spec {
        argv: Vec::new(),
        env: Vec::new(),
        files: Vec::new(),
        root,
        bounds: bounds(action),
        ..plain(action)
    }
}

/// What is placed in such a cell for an action: not what its server has. Comes
/// with the opened folder of the source.
pub(super) fn called(local: &Local, action: &Action, warm: &Warm) -> Result<(Spec, Option<File>)> {
    let mut spec = plain(action);
    let known = |(name, bytes): &(String, Vec<u8>)| {
        RelPath::new(name).is_ok_and(|name| warm.files.get(&name) == Some(bytes))
    };
    spec.files.retain(|file| !known(file));
    let mut source = None;
    if let Some(tree) = &action.source {
        let path = (local.options.trees)(tree);
        source = Some(File::open(&path).doing(|| format!("failed to open the source `{}`", path.display()))?);
        spec.source = Some((text(&path), action.epoch));
    }
    Ok((spec, source))
}

fn etc_steps() -> Vec<Step> {
    let files = [("passwd", PASSWD), ("group", GROUP), ("hosts", HOSTS), ("nsswitch.conf", NSSWITCH)];
    let file =
        |(name, content): (&str, &str)| Step::File(format!("/etc/{name}"), content.as_bytes().to_vec());
    [Step::Folder("/etc".to_owned())].into_iter().chain(files.map(file)).collect()
}

/// What nobody in a cell may read of its /proc.
fn covers() -> impl Iterator<Item = Step> {
    let paths = COVERED.iter().map(|name| format!("/proc/{name}")).filter(|path| Path::new(path).exists());
    paths.map(|path| Step::Bind("/dev/null".to_owned(), path, BindMode::Device))
}

fn memory_steps(shares: &memory::Shares) -> [Step; 2] {
    [
        Step::Memory("/build".to_owned(), shares.build, 0o755),
        Step::Memory("/tmp".to_owned(), shares.tmp, 0o1777),
    ]
}

/// The host's system files and the inputs; afterwards the root is complete.
fn seen(local: &Local, action: &Action) -> Result<Vec<Step>> {
    let mut steps = vec![Step::Folder("/s".to_owned())];
    steps.extend(local.host.steps(action.view, &host_paths(action)?)?);
    for (cell_path, host) in inputs(local, action)? {
        steps.push(Step::Bind(text(&host), cell_path, BindMode::ReadOnly));
    }
    steps.push(Step::Seal("/".to_owned()));
    Ok(steps)
}

fn shares(local: &Local, action: &Action) -> memory::Shares {
    memory::shares(local.free, local.options.jobs, action.limits.memory)
}

/// The folder that is `/build`, owned by whoever the build is.
fn build_folder(places: &Places, level: Level) -> Result<PathBuf> {
    new_folder(&places.build(), 0o755, level)
}

/// Makes a folder that is the build's own.
fn new_folder(folder: &Path, mode: u32, level: Level) -> Result<PathBuf> {
    let doing = || format!("failed to make `{}`", folder.display());
    fs::create_dir(folder).doing(doing)?;
    // Also because a store in a set-group-id folder hands that bit down:
    // everything the build makes would have it, and it may not set it itself
    // on copies of that.
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).doing(doing)?;
    if let Who::Becomes(uid, gid) = who(level) {
        let id = |id: u64| u32::try_from(id).map_err(|_| Error::bug("an id is too large"));
        chown(folder, Some(id(uid)?), Some(id(gid)?))
            .doing(|| format!("failed to own `{}`", folder.display()))?;
    }
    Ok(folder.to_owned())
}

/// Levels without mounts: folders and links in the work folder, paths replaced.
fn bare(local: &Local, action: &Action, places: &Places, spec: &mut Spec) -> Result<(), ExecError> {
    let build = build_folder(places, action.level)?;
    let temp = new_folder(&places.work.join("tmp"), 0o755, action.level)?;
    let inputs = inputs(local, action)?;
    for (cell_path, host) in &inputs {
        let link = places.work.join(cell_path.trim_start_matches('/'));
        let parent = link.parent().unwrap_or(&places.work);
        fs::create_dir_all(parent).doing(|| format!("failed to make `{}`", parent.display()))?;
        std::os::unix::fs::symlink(host, &link)
            .doing(|| format!("failed to link the input `{cell_path}`"))?;
    }
    let host_paths = host_paths(action)?;
    for path in inputs.iter().map(|(_, host)| host).chain(&host_paths).chain([&build]) {
        reachable(path, action.level)?;
    }
    let replace = |value: &str| replace_paths(value, &places.work, &host_paths);
    spec.argv = action.argv.iter().map(|value| replace(value)).collect();
    spec.env = action
        .env
        .iter()
        .map(|(name, value)| (name.clone(), env_value(name, value, places, &replace)))
        .collect();
    spec.cwd = replace(&action.cwd);
    spec.build = text(&build);
    if action.level == Level::Landlock {
        spec.rules = local.host.rules(action.view, &host_paths);
        let read = inputs.iter().map(|(_, host)| Rule { path: text(host), write: false });
        spec.rules.extend(read);
        let devices = ["null", "zero", "full", "random", "urandom"].map(|name| format!("/dev/{name}"));
        let jobserver = local.options.jobserver.iter().map(|server| text(server.path()));
        let write = [text(&build), text(&temp)].into_iter().chain(devices).chain(jobserver);
        spec.rules.extend(write.map(|path| Rule { path, write: true }));
        spec.rules.push(Rule { path: text(&places.work), write: false });
    }
    Ok(())
}

/// Folders for temporary files are named whole; everything else by prefix.
fn env_value(name: &str, value: &str, places: &Places, replace: &dyn Fn(&str) -> String) -> String {
    if matches!(name, "TMPDIR" | "TMP" | "TEMP") && value == "/tmp" {
        return text(&places.work.join("tmp"));
    }
    replace(value)
}

/// Replaces `/build`, `/env` and `/s` where a path begins, by the same below
/// the work folder. A path begins at the start, after a separator, or after a
/// one-letter option such as `-I`; host paths of the action stay.
pub(super) fn replace_paths(value: &str, work: &Path, host_paths: &[PathBuf]) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('/') {
        let (before, path) = rest.split_at(at);
        out.push_str(before);
        let begins = begins_path(&out);
        let length = path.find(|c: char| SEPARATORS.contains(c)).unwrap_or(path.len());
        let (path, after) = path.split_at(length);
        let first = path[1..].split('/').next().unwrap_or_default();
        let is_host = host_paths.iter().any(|host| Path::new(path).starts_with(host));
        if begins && !is_host && ["build", "env", "s"].contains(&first) {
            out.push_str(&text(work));
        }
        out.push_str(path);
        rest = after;
    }
    out.push_str(rest);
    out
}

const SEPARATORS: &str = "=:;, \t\n\"'()@";

fn begins_path(before: &str) -> bool {
    let word = before.rsplit(|c: char| SEPARATORS.contains(c)).next().unwrap_or_default();
    let letters: Vec<char> = word.chars().collect();
    word.is_empty() || matches!(letters[..], ['-', letter] if letter.is_ascii_alphabetic())
}

/// Whether `/build` goes to memory: when what the source suggests is small
/// beside what is free.
pub(super) fn in_memory(local: &Local, action: &Action) -> bool {
    let keeps = local.options.keep_failed.is_some();
    match local.options.build_on {
        _ if action.level != Level::Full || keeps => false,
        BuildOn::Disk => false,
        BuildOn::Memory => true,
        BuildOn::Auto => {
            let source = action.source.as_ref().map_or(0, |tree| local.source_bytes(tree));
            let expected = source.saturating_mul(16).saturating_add(64 << 20);
            expected <= shares(local, action).build / 3
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cell_paths_become_work_paths_where_a_path_begins() {
        let replaced = |value| replace_paths(value, Path::new("/w"), &["/env/python".into()]);
        let cases = [
            ("/build", "/w/build"),
            ("/build/src", "/w/build/src"),
            ("/builds", "/builds"),
            ("/usr/s/1", "/usr/s/1"),
            ("-I/s/1/include -L/env/lib", "-I/w/s/1/include -L/w/env/lib"),
            ("-ffile-prefix-map=/build=/x", "-ffile-prefix-map=/w/build=/x"),
            ("/env/bin:/usr/bin", "/w/env/bin:/usr/bin"),
            ("/env/python/bin/python", "/env/python/bin/python"),
            ("--jobserver-auth=fifo:/s/jobserver", "--jobserver-auth=fifo:/w/s/jobserver"),
            ("a/s/b", "a/s/b"),
            ("sed s/a/b/", "sed s/a/b/"),
            ("", ""),
        ];
        for (from, to) in cases {
            assert_eq!(replaced(from), to);
        }
    }
}
