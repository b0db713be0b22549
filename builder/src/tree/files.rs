//! Which files of a user's folder are its source.
//!
//! Knows git's rules (`.gitignore`, `.git/info/exclude`, what the index
//! tracks) and what is ours: recipes, results, links into a store. The same
//! files come out whoever looks: the user's own git configuration is never
//! read, no program is started. Must never know what a recipe says.

mod git;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{RelPath, link_stays};
use crate::error::{Error, IoContext as _, Result};

/// What belongs to us in a user's folder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ours<'a> {
    /// Recipes, as host paths.
    pub files: &'a [PathBuf],
    /// Stores' folders: a link into one is a result.
    pub stores: &'a [PathBuf],
}

/// The files and links of a `path` source, sorted: those git knows or would
/// add (the same rules apply without a repository), minus `.git`, links into
/// a store, `result*` of ours, `wheelwright.toml` and `ours.files`, unless
/// `include` names them. A link that leaves the folder is an error.
pub fn path_source(root: &Path, include: &[String], ours: &Ours<'_>) -> Result<Vec<RelPath>> {
    let doing = || format!("failed to list the source `{}`", root.display());
    let root = std::fs::canonicalize(root).doing(doing)?;
    let real = |paths: &[PathBuf]| -> Vec<PathBuf> {
        paths.iter().map(|p| std::fs::canonicalize(p).unwrap_or_else(|_| p.clone())).collect()
    };
    let mut lister = Lister {
        root: &root,
        files: real(ours.files),
        stores: real(ours.stores),
        found: BTreeSet::new(),
        include: BTreeSet::new(),
    };
    for name in include {
        let path = RelPath::new(name.trim_end_matches('/'))
            .map_err(|why| Error::input(doing()).because(format!("`include`: {why}")))?;
        if path.under(&root).symlink_metadata().is_err() {
            return Err(
                Error::input(doing()).because(format!("`include` names `{path}`, which is not there"))
            );
        }
        lister.include.insert(path);
    }
    let repository = git::Repository::around(&root).doing(doing)?;
    let mut rules = match &repository {
        Some(repository) => repository_rules(repository, &root).unwrap_or_default(),
        None => Vec::new(),
    };
    lister.folder("", &mut rules)?;
    if let Some(repository) = &repository {
        lister.tracked(repository)?;
    }
    for path in lister.include.clone() {
        lister.included(&path)?;
    }
    Ok(lister.found.into_iter().collect())
}

/// The rules above `root`, weakest first; `None` when the repository ignores
/// `root` itself: then it is as if it lay in none.
fn repository_rules(repository: &git::Repository, root: &Path) -> Option<Vec<Gitignore>> {
    let top = &repository.top;
    let mut builder = GitignoreBuilder::new(top);
    builder.add(repository.common.join("info/exclude"));
    let mut rules = vec![builder.build().unwrap_or_else(|_| Gitignore::empty())];
    let mut folder = top.clone();
    for part in root.strip_prefix(top).ok()? {
        rules.push(rules_of(&folder));
        folder.push(part);
        if is_ignored(&rules, &folder, true) {
            return None;
        }
    }
    Some(rules)
}

/// The `.gitignore` of one folder. Lines that are no patterns are passed
/// over, as git does.
fn rules_of(folder: &Path) -> Gitignore {
    let file = folder.join(".gitignore");
    if !file.is_file() {
        return Gitignore::empty();
    }
    let mut builder = GitignoreBuilder::new(folder);
    builder.add(file);
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// The last rule that says anything decides, nearest folder first.
fn is_ignored(rules: &[Gitignore], path: &Path, is_folder: bool) -> bool {
    let decided = rules.iter().rev().map(|r| r.matched(path, is_folder)).find(|m| !m.is_none());
    matches!(decided, Some(Match::Ignore(_)))
}

/// The links builds leave, into a store that need not be there any more.
fn is_result_name(name: &str) -> bool {
    name == "result" || name.starts_with("result-")
}

struct Lister<'a> {
    root: &'a Path,
    files: Vec<PathBuf>,
    stores: Vec<PathBuf>,
    include: BTreeSet<RelPath>,
    found: BTreeSet<RelPath>,
}

impl Lister<'_> {
    fn doing(&self, rel: &str) -> String {
        format!("failed to read `{}`", self.root.join(rel).display())
    }

    /// One folder and all below it that is not ignored.
    fn folder(&mut self, rel: &str, rules: &mut Vec<Gitignore>) -> Result<()> {
        let folder = self.root.join(rel);
        rules.push(rules_of(&folder));
        for entry in std::fs::read_dir(&folder).doing(|| self.doing(rel))? {
            let entry = entry.doing(|| self.doing(rel))?;
            let name = entry.file_name();
            if name == ".git" {
                continue;
            }
            let kind = entry.file_type().doing(|| self.doing(rel))?;
            if is_ignored(rules, &entry.path(), kind.is_dir()) {
                continue;
            }
            let name = name
                .to_str()
                .ok_or_else(|| Error::input(format!("a name in `{}` is not UTF-8", folder.display())))?;
            let path = if rel.is_empty() { name.to_owned() } else { format!("{rel}/{name}") };
            let path = RelPath::new(path).map_err(|why| Error::input(self.doing(rel)).because(why))?;
            if !kind.is_dir() {
                self.take(path)?;
            } else if !self.is_result(&path) {
                self.folder(path.as_str(), rules)?;
            }
        }
        rules.pop();
        Ok(())
    }

    /// A file or link, unless it is ours.
    fn take(&mut self, path: RelPath) -> Result<()> {
        let host = path.under(self.root);
        let meta = host.symlink_metadata().doing(|| self.doing(path.as_str()))?;
        let included = self.include.contains(&path);
        if meta.is_symlink() {
            let text = std::fs::read_link(&host).doing(|| self.doing(path.as_str()))?;
            if !included && self.leads_to_store(&host, &text) {
                return Ok(());
            }
            let stays = text.to_str().is_some_and(|text| link_stays(&path, text));
            if !stays && !included && is_result_name(path.file_name()) {
                return Ok(());
            }
            if !stays {
                let message = format!("the link `{path}` -> `{}` leaves the source", text.display());
                return Err(Error::input(message).hint(format!(
                    "name it in `.gitignore`, or copy what it points to into `{}`",
                    self.root.display()
                )));
            }
        } else if !meta.is_file() {
            let message = format!("`{}` is neither file, folder nor link", host.display());
            return Err(Error::input(message).hint("name it in `.gitignore`"));
        } else if !included && (path.file_name() == "wheelwright.toml" || self.files.contains(&host)) {
            return Ok(());
        }
        self.found.insert(path);
        Ok(())
    }

    /// What the index tracks belongs to the source even if a rule ignores it.
    fn tracked(&mut self, repository: &git::Repository) -> Result<()> {
        let doing = || format!("failed to read git's index of `{}`", repository.top.display());
        for path in repository.tracked_below(self.root).map_err(|why| Error::input(doing()).because(why))? {
            let host = path.under(self.root);
            let is_there = host.symlink_metadata().is_ok_and(|meta| !meta.is_dir());
            if is_there && !self.found.contains(&path) && !self.lies_in_link_or_result(&path) {
                self.take(path)?;
            }
        }
        Ok(())
    }

    fn lies_in_link_or_result(&self, path: &RelPath) -> bool {
        let text = path.as_str();
        text.match_indices('/').any(|(at, _)| {
            let folder = RelPath(text[..at].to_owned());
            folder.under(self.root).is_symlink() || self.is_result(&folder)
        })
    }

    /// What `include` names, whatever the rules say; a folder with all below it.
    fn included(&mut self, path: &RelPath) -> Result<()> {
        let host = path.under(self.root);
        if host.is_symlink() || !host.is_dir() {
            self.include.insert(path.clone());
            return self.take(path.clone());
        }
        for entry in std::fs::read_dir(&host).doing(|| self.doing(path.as_str()))? {
            let name = entry.doing(|| self.doing(path.as_str()))?.file_name();
            if name == ".git" {
                continue;
            }
            let below = RelPath::new(format!("{path}/{}", name.to_string_lossy()))
                .map_err(|why| Error::input(self.doing(path.as_str())).because(why))?;
            self.included(&below)?;
        }
        Ok(())
    }

    /// A result folder of ours beside the source.
    fn is_result(&self, path: &RelPath) -> bool {
        let is_named_so = !path.as_str().contains('/') && path.as_str().starts_with("result");
        let host = path.under(self.root);
        is_named_so && !self.include.contains(path) && host.join("share/wheelwright/package.json").exists()
    }

    fn leads_to_store(&self, link: &Path, text: &Path) -> bool {
        if self.stores.is_empty() {
            return false;
        }
        let above = link.parent().unwrap_or(self.root);
        let target = above.join(text);
        let real = std::fs::canonicalize(&target).unwrap_or(target);
        self.stores.iter().any(|store| real.starts_with(store))
    }
}

#[cfg(test)]
mod tests;
