//! Roots: links of users into the store, and what they keep alive.
//!
//! Knows that a root counts only while its link is still the one that was
//! recorded. Must never follow a link out of the store.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use rusqlite::params;

use super::input::Input;
use super::state::sql;
use super::{Store, wire};
use crate::error::{Error, IoContext as _, Result};
use crate::key::{Digest, StepKey, TreeDigest};

/// A link that keeps things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The link (or folder), absolute.
    pub link: PathBuf,
    /// Where it pointed when it was recorded; empty for a folder.
    pub target: String,
    /// The steps whose results it stands for.
    pub steps: Vec<StepKey>,
    /// Whether it is still there and the same.
    pub alive: bool,
}

impl Store {
    /// Records a link of the user (`./result`), or a folder that has links
    /// into the store, as a root: what it points to and the results of
    /// `steps`, with all they were made from, are kept until it is removed or
    /// points elsewhere. A second call for the same path replaces the first.
    pub fn add_root(&self, link: &Path, steps: &[StepKey]) -> Result<()> {
        let doing = || format!("failed to record the root `{}`", link.display());
        let path = std::path::absolute(link).doing(doing)?;
        let target = target_of(&path).doing(doing)?;
        let (path, target) = match (path.to_str(), target.to_str()) {
            (Some(path), Some(target)) => (path, target),
            _ => return Err(Error::input(doing()).because("its path is not UTF-8")),
        };
        self.write_root(path, target, steps)
    }

    pub(super) fn write_root(&self, path: &str, target: &str, steps: &[StepKey]) -> Result<()> {
        let steps: Vec<String> = steps.iter().map(StepKey::hex).collect();
        let steps = wire::write_texts(&steps);
        let connection = self.state().connection();
        // To write what is written already costs a sync of the disk.
        let known = "SELECT 1 FROM roots WHERE link = ?1 AND target = ?2 AND steps = ?3";
        let mut known = connection.prepare_cached(known).map_err(sql)?;
        if known.exists(params![path, target, steps]).map_err(sql)? {
            return Ok(());
        }
        let write =
            "INSERT OR REPLACE INTO roots (link, target, steps, made) VALUES (?1, ?2, ?3, unixepoch())";
        connection.execute(write, params![path, target, steps]).map_err(sql)?;
        Ok(())
    }

    /// All roots that were recorded, in the order of their paths.
    pub fn roots(&self) -> Result<Vec<Root>> {
        let connection = self.state().connection();
        let mut ask =
            connection.prepare_cached("SELECT link, target, steps FROM roots ORDER BY link").map_err(sql)?;
        let rows = ask.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let rows: Vec<(String, String, String)> = rows.and_then(Iterator::collect).map_err(sql)?;
        let mut out = Vec::with_capacity(rows.len());
        for (link, target, steps) in rows {
            let steps =
                wire::read_texts(&steps).and_then(|s| s.iter().map(|t| StepKey::from_hex(t)).collect());
            let steps = steps.doing(|| format!("failed to read the root `{link}`"))?;
            let link = PathBuf::from(link);
            let alive = target_of(&link).is_ok_and(|now| now == Path::new(&target));
            out.push(Root { link, target, steps, alive });
        }
        Ok(out)
    }

    /// Forgets roots that are gone.
    pub(super) fn forget_roots(&self, dead: &[Root]) -> Result<()> {
        let links: Vec<String> = dead.iter().filter_map(|r| r.link.to_str().map(str::to_owned)).collect();
        let delete = "DELETE FROM roots WHERE link IN (SELECT value FROM json_each(?1))";
        self.state().connection().execute(delete, [wire::write_texts(&links)]).map_err(sql)?;
        Ok(())
    }
}

/// A link's text; nothing for a folder, an error when there is neither.
fn target_of(path: &Path) -> std::io::Result<PathBuf> {
    match path.symlink_metadata()? {
        meta if meta.is_symlink() => std::fs::read_link(path),
        meta if meta.is_dir() => Ok(PathBuf::new()),
        _ => Err(std::io::Error::other("it is neither a link nor a folder")),
    }
}

/// What of a store is reached by following links.
#[derive(Default)]
pub(super) struct Reach {
    /// Blobs and trees (a companion counts as its tree).
    pub bytes: BTreeSet<Input>,
    /// Names below `envs/`.
    pub envs: BTreeSet<String>,
}

impl Reach {
    /// Follows one link, or all links below a folder, into the store and,
    /// through environments, on.
    pub(super) fn follow(&mut self, store: &Path, root: &Root) {
        if root.target.is_empty() {
            return self.links_below(store, &root.link);
        }
        let above = root.link.parent().unwrap_or(Path::new("/"));
        self.reach(store, &above.join(&root.target));
    }

    /// All links below a folder.
    pub(super) fn links_below(&mut self, store: &Path, folder: &Path) {
        // Not a call a level: a build that runs just now may nest without end.
        let mut todo = vec![folder.to_owned()];
        while let Some(folder) = todo.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => todo.push(entry.path()),
                    Ok(kind) if kind.is_symlink() => {
                        if let Ok(text) = std::fs::read_link(entry.path()) {
                            self.reach(store, &folder.join(text));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// One environment and what its links reach.
    pub(super) fn env(&mut self, store: &Path, name: &str) {
        if self.envs.insert(name.to_owned()) {
            self.links_below(store, &store.join("envs").join(name));
        }
    }

    fn reach(&mut self, store: &Path, target: &Path) {
        let target = lexical(target);
        // The link may name the store by another path (through a link above it).
        let real = std::fs::canonicalize(store).ok();
        let inside = target.strip_prefix(store).ok().map(Path::to_path_buf).or_else(|| {
            let target = std::fs::canonicalize(&target).ok()?;
            target.strip_prefix(real?).ok().map(Path::to_path_buf)
        });
        let Some(inside) = inside else { return };
        let mut parts = inside.iter().filter_map(|p| p.to_str());
        match (parts.next(), parts.next(), parts.next()) {
            (Some("envs"), Some(name), _) => self.env(store, name),
            (Some(kind), Some(first), Some(rest)) => {
                let Ok(digest) = format!("{first}{rest}").parse::<Digest>() else { return };
                match kind {
                    "blobs" => self.bytes.insert(Input::Blob(digest)),
                    "trees" | "local" => self.bytes.insert(Input::Tree(TreeDigest(digest))),
                    _ => false,
                };
            }
            _ => {}
        }
    }
}

/// The path without `.` and `..`, by its text.
pub(super) fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
