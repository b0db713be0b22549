//! Whether what is in the store is what its name says.
//!
//! Knows how to read everything again, in parallel. Must never repair by
//! guessing: what is damaged is removed and made again by the next run.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rusqlite::ErrorCode;

use super::gc::{entries, move_away};
use super::input::Input;
use super::realisation::Realisation;
use super::realised::{output, outputs};
use super::roots::Reach;
use super::session::Gate;
use super::state::sql;
use super::{Store, fan_out};
use crate::error::{IoContext as _, Result};
use crate::key::{Digest, StepKey, TreeDigest};
use crate::tree::fs::scan;

/// What a check of the whole store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Files read.
    pub blobs: usize,
    /// Trees read.
    pub trees: usize,
    /// Bytes read.
    pub bytes: u64,
    /// What is not what its name says, and why; sorted.
    pub corrupted: Vec<(PathBuf, String)>,
    /// What a realisation names and is not there; sorted.
    pub missing: Vec<PathBuf>,
    /// What is wrong with the database itself.
    pub database: Vec<String>,
    /// Companions and environments of this host that are damaged, and why;
    /// sorted.
    pub bound: Vec<(PathBuf, String)>,
    /// Realisations that were forgotten, so that the next run makes them again.
    pub forgotten: usize,
    /// Companions, environments and results that held damaged bytes under
    /// another name and were removed with them; sorted.
    pub removed: Vec<PathBuf>,
    /// Folders of users (working environments) that hold damaged bytes; sorted.
    pub affected: Vec<PathBuf>,
    /// Where a damaged database is now, when it was replaced by a new one.
    pub moved_aside: Option<PathBuf>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        let nothing_else = self.database.is_empty() && self.bound.is_empty();
        self.corrupted.is_empty() && self.missing.is_empty() && nothing_else
    }
}

/// One thing that was read.
struct Checked {
    what: Input,
    path: PathBuf,
    /// Its size, or what is wrong.
    found: Result<u64, String>,
}

impl Store {
    /// Reads every blob and tree again. With `repair`, what is damaged is
    /// removed and its realisations forgotten, so that the next run makes
    /// them again, and a damaged database is replaced. A realisation without
    /// its log is kept.
    pub fn verify(&self, repair: bool) -> Result<VerifyReport> {
        let mut all: Vec<(Input, PathBuf)> = Vec::new();
        all.extend(entries(&self.root().join("blobs"))?.into_iter().map(|(d, p)| (Input::Blob(d), p)));
        let trees = entries(&self.root().join("trees"))?;
        all.extend(trees.into_iter().map(|(d, p)| (Input::Tree(TreeDigest(d)), p)));
        let mut checked: Vec<Checked> = all.into_par_iter().map(check).collect();
        checked.sort_by(|a, b| a.path.cmp(&b.path));
        let mut report = VerifyReport { database: self.check_database()?, ..VerifyReport::default() };
        let mut bad = BTreeSet::new();
        for one in &checked {
            match one.what {
                Input::Blob(_) => report.blobs += 1,
                Input::Tree(_) => report.trees += 1,
            }
            match &one.found {
                Ok(size) => report.bytes += size,
                // Collected or replaced while we read: not damaged.
                Err(_) if one.path.symlink_metadata().is_err() => {}
                Err(why) => {
                    bad.insert(one.what);
                    report.corrupted.push((one.path.clone(), why.clone()));
                }
            }
        }
        let there: BTreeSet<Input> = checked.iter().map(|one| one.what).collect();
        report.bound = self.check_bound(&bad)?;
        if repair && !report.database.is_empty() {
            report.moved_aside = Some(self.renew_database()?);
        }
        let rows = match self.state().rows() {
            // Said already.
            Err(_) if !report.database.is_empty() => Vec::new(),
            other => other?,
        };
        for row in &rows {
            let gone = outputs(&row.realisation)
                .filter(|output| !there.contains(output) && !self.is_there_now(output));
            report.missing.extend(gone.map(|output| self.path_of(&output)));
        }
        report.missing.sort();
        report.missing.dedup();
        if repair {
            let lost = |o: &Input| bad.contains(o) || !self.is_there_now(o);
            let keys = |is: &dyn Fn(&Realisation) -> bool| -> Vec<StepKey> {
                rows.iter().filter(|row| is(&row.realisation)).map(|row| row.key).collect()
            };
            let forgotten = keys(&|r| output(r).is_some_and(|o| lost(&o)));
            report.forgotten = forgotten.len();
            self.forget_answers()?;
            self.state().forget_logs(&keys(&|r| r.log.is_some_and(|log| lost(&Input::Blob(log)))))?;
            self.remove_bad(&mut report, &bad, &forgotten)?;
            self.remove_bound(&report.bound)?;
        }
        Ok(report)
    }

    fn remove_bad(&self, report: &mut VerifyReport, bad: &BTreeSet<Input>, keys: &[StepKey]) -> Result<()> {
        let trash = self.temp_dir()?;
        let _gate = Gate::exclusive(self.root())?;
        self.state().forget(keys)?;
        let tainted = Tainted::of(self, bad);
        report.removed = tainted.in_store()?;
        report.affected = tainted.of_users()?;
        // What is damaged goes last: a repair that is cut short finds it again.
        let damaged = report.corrupted.iter().map(|(path, _)| path);
        for (n, path) in report.removed.iter().chain(damaged).enumerate() {
            if path.symlink_metadata().is_ok() {
                move_away(path, &trash.path().join(n.to_string()))?;
            }
        }
        Ok(())
    }

    fn path_of(&self, input: &Input) -> PathBuf {
        match input {
            Input::Blob(digest) => self.blob_path(digest),
            Input::Tree(digest) => self.tree_path(digest),
        }
    }

    fn is_there_now(&self, input: &Input) -> bool {
        self.path_of(input).symlink_metadata().is_ok()
    }

    fn check_database(&self) -> Result<Vec<String>> {
        let connection = self.state().connection();
        let check = || -> rusqlite::Result<Vec<String>> {
            let mut ask = connection.prepare("PRAGMA integrity_check")?;
            ask.query_map([], |row| row.get(0)).and_then(Iterator::collect)
        };
        match check() {
            Ok(lines) if lines == ["ok"] => Ok(Vec::new()),
            Ok(lines) => Ok(lines),
            Err(e) => match e.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Ok(vec![e.to_string()]),
                _ => Err(sql(e)),
            },
        }
    }
}

/// Damaged bytes by every name they have: a companion, a build's environment
/// and a result hold hard links to the files of a tree or wheel, or links to
/// the folder, and are taken again by name alone.
struct Tainted<'a> {
    store: &'a Store,
    bad: &'a BTreeSet<Input>,
    companions: Vec<PathBuf>,
    /// Device and inode of every file of what is damaged.
    files: BTreeSet<(u64, u64)>,
}

impl<'a> Tainted<'a> {
    fn of(store: &'a Store, bad: &'a BTreeSet<Input>) -> Self {
        let mut tainted = Self { store, bad, companions: Vec::new(), files: BTreeSet::new() };
        for input in bad {
            let files = &mut tainted.files;
            each_file(&store.path_of(input), &mut |id| _ = files.insert(id));
            if let Input::Tree(digest) = input {
                let companions = fan_out(&store.root().join("local"), &digest.0);
                // Its byte code was perhaps compiled from what is damaged.
                each_file(&companions, &mut |id| _ = files.insert(id));
                tainted.companions.extend(companions.is_dir().then_some(companions));
            }
        }
        tainted
    }

    fn in_store(&self) -> Result<Vec<PathBuf>> {
        let envs = self.store.envs_dir();
        let doing = || format!("failed to read `{}`", envs.display());
        let mut out = self.companions.clone();
        for entry in std::fs::read_dir(&envs).doing(doing)? {
            let path = entry.doing(doing)?.path();
            if self.holds(&path) {
                out.push(path);
            }
        }
        out.sort();
        Ok(out)
    }

    fn of_users(&self) -> Result<Vec<PathBuf>> {
        let folders = self.store.roots()?.into_iter().filter(|r| r.alive && r.target.is_empty());
        Ok(folders.map(|root| root.link).filter(|folder| self.holds(folder)).collect())
    }

    fn holds(&self, folder: &Path) -> bool {
        let mut reach = Reach::default();
        reach.links_below(self.store.root(), folder);
        let mut shared = !reach.bytes.is_disjoint(self.bad);
        each_file(folder, &mut |id| shared |= self.files.contains(&id));
        shared
    }
}

/// Calls back with device and inode of each file below, links not followed.
fn each_file(path: &Path, see: &mut dyn FnMut((u64, u64))) {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(meta) = path.symlink_metadata() else { return };
    if meta.is_file() {
        see((meta.dev(), meta.ino()));
    } else if meta.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            each_file(&entry.path(), see);
        }
    }
}

fn check((what, path): (Input, PathBuf)) -> Checked {
    let found = match &what {
        Input::Blob(expected) => check_blob(&path, expected),
        Input::Tree(expected) => match scan(&path) {
            Err(e) => Err(e.to_string()),
            Ok(tree) if tree.digest() == *expected => Ok(tree.size()),
            Ok(tree) => Err(format!("its digest is {}", tree.digest().hex())),
        },
    };
    Checked { what, path, found }
}

fn check_blob(path: &Path, expected: &Digest) -> Result<u64, String> {
    let meta = path.symlink_metadata().map_err(|e| e.to_string())?;
    if !meta.is_file() {
        return Err("it is not a file".to_owned());
    }
    let digest = File::open(path).and_then(Digest::of_reader).map_err(|e| e.to_string())?;
    if digest == *expected { Ok(meta.len()) } else { Err(format!("its sha256 is {}", digest.hex())) }
}
