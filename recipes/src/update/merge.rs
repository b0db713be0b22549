//! What upstream changed between two versions, written into a recipe that
//! people have edited.
//!
//! Knows the fields a release says something of. Must never know how a draft
//! is made, and never take back what was changed by hand, comments least.

mod drafts;
mod sources;

use crate::edit;
use drafts::{Item, Leaf, Leaves, leaves};

/// A field that is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `dependencies`, `meta.license`.
    pub field: String,
    /// What it said, or the items that went.
    pub old: Vec<String>,
    /// What it says, or the items that came.
    pub new: Vec<String>,
}

/// A value that was changed by hand and stays, though upstream changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `dependencies`.
    pub field: String,
    /// What the recipe says; nothing where it was taken out.
    pub mine: Option<String>,
    /// What the release says; nothing where it says no more.
    pub upstream: Option<String>,
}

/// A recipe of another version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Its text.
    pub text: String,
    /// What was written beside version, hash and file.
    pub changes: Vec<Change>,
    /// What was not.
    pub kept: Vec<Kept>,
}

/// Fields that are compared where the old version's draft cannot be had: what
/// a recipe says besides is the user's.
const FOLLOWED: [&str; 4] = ["requires-python", "build-system", "dependencies", "optional-dependencies"];

/// Fields that are lists of requirements.
const REQUIREMENTS: [&str; 3] = ["build-system", "dependencies", "optional-dependencies"];

/// Brings a recipe's text from one version to another: what changed from the
/// old draft to the new one is changed in it, and nothing else. Without an old
/// draft the recipe itself stands for it.
///
/// The error is a sentence: what cannot be written.
pub fn merge(text: &str, old: Option<&str>, new: &str) -> Result<Merged, String> {
    // Lines are made with one kind of end; a file that has the other gets it back.
    let dos = text.contains("\r\n") && text.matches('\n').count() == text.matches("\r\n").count();
    let plain = if dos { text.replace("\r\n", "\n") } else { text.to_owned() };
    let mut merged = merge_lines(&plain, old, new)?;
    if !plain.ends_with('\n') && merged.text.ends_with('\n') {
        merged.text.pop();
    }
    if dos {
        merged.text = merged.text.replace('\n', "\r\n");
    }
    Ok(merged)
}

fn merge_lines(text: &str, old: Option<&str>, new: &str) -> Result<Merged, String> {
    let (mine, theirs) = (leaves(text)?, leaves(new)?);
    let before = match old {
        Some(old) => leaves(old)?,
        None => {
            let followed = |path: &[String]| FOLLOWED.contains(&path[0].as_str());
            mine.iter().filter(|(path, _)| followed(path)).map(|(p, l)| (p.clone(), l.clone())).collect()
        }
    };
    let mut work = Work { merged: Merged { text: text.to_owned(), ..Merged::default() }, mine };
    let version = theirs.get(&["version".to_owned()][..]).ok_or("the release has no version")?;
    work.merged.text = edit::set_value(text, &["version"], &version.raw)?;
    work.merged.text = sources::follow(&work.merged.text, old, new)?;
    let mut paths: Vec<&Vec<String>> = before.keys().chain(theirs.keys()).collect();
    paths.sort();
    paths.dedup();
    for path in paths {
        if ["version", "source", "pname", "kind", "format"].contains(&path[0].as_str()) {
            continue;
        }
        if old.is_none() && !FOLLOWED.contains(&path[0].as_str()) {
            continue;
        }
        let (was, is) = (before.get(path), theirs.get(path));
        if !is_same(path, was, is) {
            work.follow(path, was, is)?;
        }
    }
    Ok(work.merged)
}

/// Whether both say the same.
fn is_same(path: &[String], a: Option<&Leaf>, b: Option<&Leaf>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.is_same(b, is_list(path)),
        // A list that is not there and one without items are the same, but for
        // extras, which have names.
        (Some(one), None) | (None, Some(one)) => path.len() == 1 && one.is_empty_list(),
    }
}

fn is_list(path: &[String]) -> bool {
    REQUIREMENTS.contains(&path[0].as_str())
}

struct Work {
    merged: Merged,
    /// What the recipe said in the beginning.
    mine: Leaves,
}

impl Work {
    /// Changes one field as upstream did, unless it was changed by hand.
    fn follow(&mut self, path: &[String], was: Option<&Leaf>, is: Option<&Leaf>) -> Result<(), String> {
        let mine = self.mine.get(path).cloned();
        let lists = [was, is, mine.as_ref()].into_iter().flatten().all(|leaf| leaf.items.is_some());
        if lists && (mine.is_some() || (was.is_none() && is.is_some())) {
            return self.follow_list(path, (was, is), mine.as_ref());
        }
        if is_same(path, mine.as_ref(), is) {
            return Ok(());
        }
        if !is_same(path, mine.as_ref(), was) {
            self.keep(path, mine.map(|leaf| leaf.shown()), is.map(Leaf::shown));
            return Ok(());
        }
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        self.merged.text = match is {
            Some(leaf) => edit::set_value(&self.merged.text, &keys, &leaf.raw)?,
            None => edit::remove_value(&self.merged.text, &keys)?,
        };
        let shown = |leaf: Option<&Leaf>| leaf.map(Leaf::shown).into_iter().collect();
        self.merged.changes.push(Change { field: path.join("."), old: shown(was), new: shown(is) });
        Ok(())
    }

    /// The same item by item.
    fn follow_list(
        &mut self,
        path: &[String],
        (was, is): (Option<&Leaf>, Option<&Leaf>),
        mine: Option<&Leaf>,
    ) -> Result<(), String> {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        let (was, is, mine) = (items(was), items(is), items(mine));
        let mut change = Change { field: path.join("."), old: Vec::new(), new: Vec::new() };
        for step in steps(was, is) {
            let own = step.old.and_then(|old| mine.iter().find(|own| own.is_same(old)));
            // One of the same name that says something else.
            let near = || {
                let item = step.old.or(step.new)?;
                mine.iter()
                    .find(|own| own.is_alike(item))
                    .or_else(|| mine.iter().find(|own| own.name.is_some() && own.name == item.name))
            };
            match (own, step.new) {
                (Some(own), Some(new)) => {
                    self.merged.text = edit::replace_item(&self.merged.text, &keys, &own.text, &new.raw)?;
                }
                (Some(own), None) => {
                    self.merged.text = edit::remove_item(&self.merged.text, &keys, &own.text)?;
                }
                (None, new) => match (near(), step.old, new) {
                    // Somebody was first.
                    (Some(near), _, Some(new)) if near.is_same(new) => continue,
                    (None, Some(_), None) => continue,
                    (None, None, Some(new)) => {
                        self.merged.text = edit::add_literal(&self.merged.text, &keys, &new.raw)?;
                    }
                    (near, _, new) => {
                        let text = |item: Option<&Item>| item.map(|item| item.text.clone());
                        self.keep(path, text(near), text(new));
                        continue;
                    }
                },
            }
            change.old.extend(step.old.map(|item| item.text.clone()));
            change.new.extend(step.new.map(|item| item.text.clone()));
        }
        self.drop_empty(path, is.is_empty())?;
        if !change.old.is_empty() || !change.new.is_empty() {
            self.merged.changes.push(change);
        }
        Ok(())
    }

    /// Takes a list out that upstream has no more and that is empty now.
    fn drop_empty(&mut self, path: &[String], gone: bool) -> Result<(), String> {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        let now = leaves(&self.merged.text)?;
        let Some(leaf) = now.get(path).filter(|leaf| gone && leaf.is_empty_list()) else { return Ok(()) };
        // What is said in it is not lost.
        if !leaf.raw.contains('#') && !self.mine.get(path).is_some_and(Leaf::is_empty_list) {
            self.merged.text = edit::remove_value(&self.merged.text, &keys)?;
        }
        Ok(())
    }

    fn keep(&mut self, path: &[String], mine: Option<String>, upstream: Option<String>) {
        self.merged.kept.push(Kept { field: path.join("."), mine, upstream });
    }
}

fn items(leaf: Option<&Leaf>) -> &[Item] {
    leaf.and_then(|leaf| leaf.items.as_deref()).unwrap_or_default()
}

/// One item that changed, went or came.
struct Step<'i> {
    old: Option<&'i Item>,
    new: Option<&'i Item>,
}

/// What leads from one list to the other.
fn steps<'i>(was: &'i [Item], is: &'i [Item]) -> Vec<Step<'i>> {
    let gone: Vec<&Item> = was.iter().filter(|old| !is.iter().any(|new| new.is_same(old))).collect();
    let mut came: Vec<&Item> = is.iter().filter(|new| !was.iter().any(|old| old.is_same(new))).collect();
    let mut out = Vec::new();
    let mut left = Vec::new();
    for old in gone {
        match came.iter().position(|new| new.is_alike(old)) {
            Some(at) => out.push(Step { old: Some(old), new: Some(came.remove(at)) }),
            None => left.push(old),
        }
    }
    for old in left {
        // Of one name, though its marker is another.
        let at = came.iter().position(|new| old.name.is_some() && new.name == old.name);
        out.push(Step { old: Some(old), new: at.map(|at| came.remove(at)) });
    }
    out.extend(came.into_iter().map(|new| Step { old: None, new: Some(new) }));
    out
}

#[cfg(test)]
mod tests;
