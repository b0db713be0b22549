//! Garbage collection: what no root and no living process needs goes.
//!
//! Knows reachability: links, the results of steps, and what those were made
//! from. Must never remove what somebody is just taking hold of: the sweep
//! happens behind the exclusive gate.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::input::{Input, unpack};
use super::leftover::remove_lock;
use super::realisation::Output;
use super::realised::outputs;
use super::roots::Reach;
use super::session::{Gate, env_pins_of, pins_of, sessions};
use super::state::Row;
use super::{Store, explain};
use crate::error::{IoContext as _, Result};
use crate::key::{Digest, StepKey, TreeDigest};
use crate::tree::fs::remove_tree;

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Living roots.
    pub roots: usize,
    /// Roots that were gone or pointed elsewhere, and were forgotten.
    pub dead_roots: Vec<PathBuf>,
    /// Processes whose things were kept.
    pub running: usize,
    /// Removed files, trees and environments.
    pub blobs: usize,
    /// Removed trees.
    pub trees: usize,
    /// Removed environments and applications.
    pub envs: usize,
    /// Forgotten realisations.
    pub realisations: usize,
    /// Removed locks of the dead, old failed builds and old toolboxes.
    pub leftovers: usize,
    /// Bytes on disk that are free now.
    pub freed: u64,
}

/// Told how many of how many are removed, from several threads.
pub type Watch<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Removals at once: a file system that waits for its journal waits for all
/// of them together.
const HANDS: usize = 8;

/// Something that goes.
enum Victim {
    Blob(PathBuf),
    Tree(PathBuf),
    Env(PathBuf),
    Leftover(PathBuf),
}

impl Victim {
    fn path(&self) -> &Path {
        match self {
            Victim::Blob(p) | Victim::Tree(p) | Victim::Env(p) | Victim::Leftover(p) => p,
        }
    }
}

/// What must stay.
struct Live {
    bytes: BTreeSet<Input>,
    envs: BTreeSet<String>,
    rows: BTreeSet<StepKey>,
}

impl Store {
    /// Removes what neither a root nor a living process needs, directly or
    /// through what it was made from. With `dry_run` nothing is removed and
    /// the report says what would be.
    pub fn gc(&self, dry_run: bool) -> Result<GcReport> {
        self.gc_watched(dry_run, &|_, _| {})
    }

    /// The same, told meanwhile: how many of how many are removed.
    pub fn gc_watched(&self, dry_run: bool, watch: Watch<'_>) -> Result<GcReport> {
        let report = self.collect(dry_run, watch);
        self.keep_room();
        report
    }

    fn collect(&self, dry_run: bool, watch: Watch<'_>) -> Result<GcReport> {
        let trash = self.temp_dir()?;
        let mut report = GcReport::default();
        let gate = Gate::exclusive(self.root())?;
        let (alive, dead): (Vec<_>, Vec<_>) = self.roots()?.into_iter().partition(|root| root.alive);
        let mut reach = Reach::default();
        for root in &alive {
            reach.follow(self.root(), root);
        }
        let mut steps: Vec<StepKey> = alive.iter().flat_map(|root| root.steps.clone()).collect();
        self.reach_running(&mut reach, &mut report)?;
        let rows = self.state().rows()?;
        let live = live(&rows, reach, &mut steps);
        report.roots = alive.len();
        report.dead_roots = dead.iter().map(|root| root.link.clone()).collect();
        let gone: Vec<StepKey> = rows.iter().map(|r| r.key).filter(|k| !live.rows.contains(k)).collect();
        report.realisations = gone.len();
        let mut victims = self.victims(&live)?;
        let leftovers = self.leftovers(report.running > 0)?;
        report.leftovers = leftovers.locks.len() + leftovers.folders.len();
        victims.extend(leftovers.folders.into_iter().map(Victim::Leftover));
        // First forgotten, then removed: nothing is remembered that is not there.
        let forget = || {
            self.forget_answers()?;
            self.state().forget(&gone)?;
            self.forget_roots(&dead)
        };
        // Forgetting writes, too. Where there is no room for it even so, what
        // goes makes room; a lookup forgets by itself what it does not find.
        let forgotten = dry_run || forget().is_ok();
        if !dry_run {
            crate::tree::fault::point();
            leftovers.locks.iter().for_each(|path| remove_lock(path));
        }
        let mut failed = None;
        for (n, victim) in victims.iter().enumerate() {
            match victim {
                Victim::Blob(_) => report.blobs += 1,
                Victim::Tree(_) => report.trees += 1,
                Victim::Env(_) => report.envs += 1,
                Victim::Leftover(_) => {}
            }
            if dry_run {
                report.freed += disk_use(victim.path());
            } else if let Err(e) = move_away(victim.path(), &trash.path().join(n.to_string())) {
                // Another user's, say: no reason to keep the rest.
                failed = failed.or(Some(e));
            }
        }
        let gone: Vec<PathBuf> = below(trash.path()).collect();
        if forgotten {
            // Removing takes its time, and others wait for the gate.
            drop(gate);
            report.freed += clear(&gone, watch);
        } else {
            // What was moved away still takes its room.
            report.freed += clear(&gone, watch);
            forget()?;
        }
        self.sweep_partial(dry_run, &mut report);
        failed.map_or(Ok(report), Err)
    }

    /// Beginnings of downloads. Whoever goes on with one has taken it away, and
    /// may do so meanwhile.
    fn sweep_partial(&self, dry_run: bool, report: &mut GcReport) {
        for entry in std::fs::read_dir(self.partial_dir()).into_iter().flatten().flatten() {
            let size = disk_use(&entry.path());
            if dry_run || std::fs::remove_file(entry.path()).is_ok() {
                report.blobs += 1;
                report.freed += size;
            }
        }
    }

    /// What living processes hold; those that died are not asked.
    fn reach_running(&self, reach: &mut Reach, report: &mut GcReport) -> Result<()> {
        for session in sessions(self.root())?.iter().filter(|s| s.alive) {
            reach.bytes.extend(pins_of(&session.path));
            for name in env_pins_of(&session.path) {
                reach.env(self.root(), &name);
            }
            // An environment being made there has links into the store already.
            reach.links_below(self.root(), &session.path);
            if !self.is_ours(&session.path) {
                report.running += 1;
            }
        }
        Ok(())
    }

    fn victims(&self, live: &Live) -> Result<Vec<Victim>> {
        let mut out = Vec::new();
        for (digest, path) in entries(&self.root().join("blobs"))? {
            if !live.bytes.contains(&Input::Blob(digest)) {
                out.push(Victim::Blob(path));
            }
        }
        let tree = |digest| Input::Tree(TreeDigest(digest));
        for (digest, path) in entries(&self.root().join("trees"))? {
            if !live.bytes.contains(&tree(digest)) {
                out.push(Victim::Tree(path));
            }
        }
        for (digest, path) in entries(&self.root().join("local"))? {
            if !live.bytes.contains(&tree(digest)) {
                out.push(Victim::Tree(path));
            }
        }
        let envs = self.envs_dir();
        let doing = || format!("failed to read `{}`", envs.display());
        for entry in std::fs::read_dir(&envs).doing(doing)? {
            let entry = entry.doing(doing)?;
            if !entry.file_name().to_str().is_some_and(|name| live.envs.contains(name)) {
                out.push(Victim::Env(entry.path()));
            }
        }
        Ok(out)
    }
}

/// Grows what is reached by what it was made from, until nothing is added.
fn live(rows: &[Row], reach: Reach, steps: &mut Vec<StepKey>) -> Live {
    let by_key: HashMap<StepKey, &Row> = rows.iter().map(|row| (row.key, row)).collect();
    let mut makers: HashMap<Input, Vec<&Row>> = HashMap::new();
    for row in rows {
        for output in outputs(&row.realisation) {
            makers.entry(output).or_default().push(row);
        }
    }
    let mut live = Live { bytes: BTreeSet::new(), envs: reach.envs, rows: BTreeSet::new() };
    let mut todo: Vec<Input> = reach.bytes.into_iter().collect();
    loop {
        while let Some(key) = steps.pop() {
            if let Some(row) = by_key.get(&key)
                && live.rows.insert(key)
            {
                todo.extend(outputs(&row.realisation));
                todo.extend(unpack(&row.inputs));
            }
        }
        let Some(input) = todo.pop() else { break };
        if live.bytes.insert(input) {
            steps.extend(makers.get(&input).into_iter().flatten().map(|row| row.key));
        }
    }
    // A check that passed has no output that could be reached: it stays while
    // what it checked, its first input, does. Its other inputs (a test runner
    // and its closure) may go: the record says what they gave.
    for row in rows.iter().filter(|row| row.realisation.output == Output::Passed) {
        if unpack(&row.inputs).first().is_some_and(|checked| live.bytes.contains(checked)) {
            live.rows.insert(row.key);
            live.bytes.extend(row.realisation.log.map(Input::Blob));
        }
    }
    live
}

/// What lies in a folder of two levels, with the digests the names say.
/// Names that are none (left by a newer program?) are let be.
pub(super) fn entries(base: &Path) -> Result<Vec<(Digest, PathBuf)>> {
    let doing = || format!("failed to read `{}`", base.display());
    let mut out = Vec::new();
    for first in std::fs::read_dir(base).doing(doing)? {
        let first = first.doing(doing)?;
        if !first.path().is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(first.path()).doing(doing)? {
            let entry = entry.doing(doing)?;
            let names = (first.file_name(), entry.file_name());
            if let (Some(a), Some(b)) = (names.0.to_str(), names.1.to_str())
                && let Ok(digest) = format!("{a}{b}").parse()
            {
                out.push((digest, entry.path()));
            }
        }
    }
    Ok(out)
}

/// Out of sight in one step, removed later.
pub(super) fn move_away(path: &Path, trash: &Path) -> Result<()> {
    let doing = || format!("failed to remove `{}`", path.display());
    let is_folder = path.symlink_metadata().doing(doing)?.is_dir();
    if is_folder {
        // A folder that is not writable cannot be moved.
        rustix::fs::chmod(path, crate::tree::fs::bits(0o755)).doing(doing)?;
    }
    match std::fs::rename(path, trash) {
        Ok(()) => Ok(()),
        // No room for a new name: a full disk must not stop the collection.
        Err(e) if e.kind() == std::io::ErrorKind::StorageFull => remove_tree(path),
        Err(e) => Err(explain(e, doing())),
    }
}

/// Removes these, and says how many bytes that gives back. What cannot be
/// removed now is swept by the next run.
fn clear(gone: &[PathBuf], watch: Watch<'_>) -> u64 {
    // All are counted before one goes: a file may have a name in several.
    let freed = AtomicU64::new(0);
    each(gone, &|path| {
        freed.fetch_add(disk_use(path), Ordering::Relaxed);
    });
    let removed = AtomicUsize::new(0);
    each(gone, &|path| {
        let _ = remove_tree(path);
        watch(removed.fetch_add(1, Ordering::Relaxed) + 1, gone.len());
    });
    freed.into_inner()
}

/// Does something with each of these, several at once.
fn each(paths: &[PathBuf], work: &(dyn Fn(&Path) + Sync)) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..HANDS.min(paths.len()) {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(path);
                }
            });
        }
    });
}

pub(super) fn below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Bytes a file or folder takes on disk; files with further names elsewhere
/// give nothing back.
fn disk_use(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    let mut todo = vec![path.to_owned()];
    while let Some(path) = todo.pop() {
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.is_dir() {
            todo.extend(below(&path));
        }
        if meta.is_dir() || meta.nlink() == 1 {
            bytes += meta.blocks() * 512;
        }
    }
    bytes
}
