//! Whether what is made for this host still is what it was made from:
//! companions of trees, and environments.
//!
//! Knows links, hard links and copies. Has no digest to compare with, so it
//! can only tell that something differs from its tree or leads nowhere. Must
//! never touch a tree: what is damaged here is removed and made again.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::gc::{entries, move_away};
use super::roots::lexical;
use super::session::Gate;
use super::{Store, input::Input};
use crate::error::{IoContext as _, Result, shown};
use crate::key::{Digest, TreeDigest};
use crate::tree::pack;

/// Python writes no shorter byte code: its header alone has 16 bytes.
const SHORTEST_CODE: u64 = 16;
const CACHE: &str = "__pycache__";

impl Store {
    /// Companions that are not what their tree is, those of damaged trees
    /// among them, and environments with links that lead nowhere; sorted.
    pub(super) fn check_bound(&self, bad: &BTreeSet<Input>) -> Result<Vec<(PathBuf, String)>> {
        let companions = entries(&self.root().join("local"))?;
        let environments = folders(&self.envs_dir())?;
        let mut found: Vec<(PathBuf, String)> = companions
            .into_par_iter()
            .filter_map(|(digest, path)| Some((path, self.companions_differ(&digest, bad)?)))
            .collect();
        let lost = environments.into_par_iter().filter_map(|path| {
            let why = self.leads_nowhere(&path)?;
            Some((path, why))
        });
        found.par_extend(lost);
        // Collected or replaced while we looked: not damaged.
        found.retain(|(path, _)| path.symlink_metadata().is_ok());
        found.sort();
        Ok(found)
    }

    /// Removes what [`Store::check_bound`] found.
    pub(super) fn remove_bound(&self, found: &[(PathBuf, String)]) -> Result<()> {
        let trash = self.temp_dir()?;
        let _gate = Gate::exclusive(self.root())?;
        for (n, (path, _)) in found.iter().enumerate() {
            if path.symlink_metadata().is_ok() {
                move_away(path, &trash.path().join(n.to_string()))?;
            }
        }
        Ok(())
    }

    /// Why a tree's companions are of no use, if so.
    fn companions_differ(&self, digest: &Digest, bad: &BTreeSet<Input>) -> Option<String> {
        let digest = TreeDigest(*digest);
        let tree = self.tree_path(&digest);
        if bad.contains(&Input::Tree(digest)) {
            return Some("its tree is damaged".to_owned());
        }
        if !tree.is_dir() {
            return Some("its tree is gone".to_owned());
        }
        let companions = folders(&super::fan_out(&self.root().join("local"), &digest.0)).ok()?;
        companions.iter().find_map(|companion| differs(&tree, companion).err())
    }

    /// The first link of an environment that should lead into the store and
    /// leads nowhere. Other links are for the place it is used at.
    fn leads_nowhere(&self, env: &Path) -> Option<String> {
        let mut todo = vec![env.to_owned()];
        while let Some(folder) = todo.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    todo.push(entry.path());
                } else if kind.is_symlink()
                    && let Ok(text) = std::fs::read_link(entry.path())
                    && lexical(&folder.join(&text)).starts_with(self.root())
                    && entry.path().metadata().is_err()
                {
                    let name = entry.path();
                    let name = name.strip_prefix(env).unwrap_or(&name).display().to_string();
                    return Some(format!("its link `{}` leads nowhere", shown(&name)));
                }
            }
        }
        None
    }
}

fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let doing = || format!("failed to read `{}`", of.display());
    let read = std::fs::read_dir(of).doing(doing)?;
    read.map(|entry| Ok(entry.doing(doing)?.path())).collect()
}

/// Compares a companion with its tree, folder by folder; the error is the
/// first difference.
fn differs(tree: &Path, companion: &Path) -> Result<(), String> {
    // The files of the tree in one, and nothing else.
    if companion.join(pack::FILE).is_file() && names(companion)?.len() == 1 {
        return pack::check(&companion.join(pack::FILE), tree);
    }
    let mut todo = vec![PathBuf::new()];
    while let Some(rel) = todo.pop() {
        let (ours, theirs) = (names(&companion.join(&rel))?, names(&tree.join(&rel))?);
        if let Some(name) = theirs.iter().find(|name| !ours.contains(*name)) {
            return Err(format!("it has no `{}`", shown(&rel.join(name).display().to_string())));
        }
        for name in ours {
            let at = rel.join(&name);
            let changed = || format!("its `{}` is not that of its tree", shown(&at.display().to_string()));
            let ours = companion.join(&at);
            let meta = ours.symlink_metadata().map_err(|e| e.to_string())?;
            if !theirs.contains(&name) {
                whole_code(&ours, &meta).then_some(()).ok_or_else(changed)?;
            } else if meta.is_dir() {
                todo.push(at);
            } else if !same(&ours, &meta, &tree.join(&at)) {
                return Err(changed());
            }
        }
    }
    Ok(())
}

fn names(folder: &Path) -> Result<BTreeSet<std::ffi::OsString>, String> {
    let read = std::fs::read_dir(folder).map_err(|e| e.to_string())?;
    read.map(|entry| Ok(entry.map_err(|e| e.to_string())?.file_name())).collect()
}

/// Whether this is a folder of byte code, or lies in one, and no file in it
/// was cut: what a companion may have more than its tree.
fn whole_code(path: &Path, meta: &Metadata) -> bool {
    let long = |path: &Path| path.symlink_metadata().is_ok_and(|m| m.is_file() && m.len() >= SHORTEST_CODE);
    if meta.is_dir() {
        let in_it = || std::fs::read_dir(path).into_iter().flatten().flatten();
        return path.ends_with(CACHE) && in_it().all(|entry| long(&entry.path()));
    }
    path.parent().is_some_and(|folder| folder.ends_with(CACHE)) && long(path)
}

/// Whether two files are one, or have the same bytes; for links, their texts.
fn same(ours: &Path, meta: &Metadata, theirs: &Path) -> bool {
    let Ok(of_tree) = theirs.symlink_metadata() else { return false };
    if meta.is_symlink() {
        let texts = (std::fs::read_link(ours), std::fs::read_link(theirs));
        return matches!(texts, (Ok(a), Ok(b)) if a == b);
    }
    if (meta.dev(), meta.ino()) == (of_tree.dev(), of_tree.ino()) {
        return true;
    }
    // A copy, where the file system could not link.
    let digest = |path: &Path| std::fs::File::open(path).and_then(Digest::of_reader).ok();
    meta.is_file() && of_tree.is_file() && meta.len() == of_tree.len() && digest(ours) == digest(theirs)
}
