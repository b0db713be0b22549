//! One table laid on another.
//!
//! Knows the field table only to tell lists of requirements from other
//! lists. Every value keeps the place it was written at. Must never know
//! what a merged value means.

use std::str::FromStr;

use crate::codes;
use crate::diag::{Finding, did_you_mean};
use crate::name::{PackageName, Requirement, Version};
use crate::node::{Entry, Node, Table, Value};
use crate::parse::ORIGINS;
use crate::schema::{self, Type};

/// Merges an extension into a recipe's table; `whose` names the recipe.
pub(super) fn recipe(base: &mut Table, over: &Table, whose: &str, findings: &mut Vec<Finding>) {
    let mut over = over.clone();
    over.remove("extends");
    over.remove("pname");
    if let (Some(old), Some(new)) = (base.get_mut("source"), over.table("source")) {
        forget_origin(old, new);
    }
    Merge { whose, findings }.table(base, &over, &Type::Fields(schema::RECIPE), "");
}

/// An error when a version changes and the hash of its archive does not.
pub(super) fn stale_hash(
    base: &Table,
    over: &Table,
    (old, new): (&Version, &Version),
    findings: &mut Vec<Finding>,
) {
    let hash = base.table("source").and_then(|s| s.get("hash")).filter(|n| n.as_str() != Some(""));
    let versioned = base.table("source").is_some_and(|s| {
        s.get("pypi").is_some() || s.entries.iter().any(|e| e.node.text().contains("{version}"))
    });
    let renewed = over.get("source").is_some_and(|s| {
        s.as_table().is_none_or(|s| s.get("hash").is_some() || ORIGINS.iter().any(|key| s.get(key).is_some()))
    });
    let (Some(hash), true, false, Some(version)) = (hash, versioned, renewed, over.get("version")) else {
        return;
    };
    let home = format!("{}:{}", hash.place.file.path, hash.place.line_col().0);
    findings.push(
        Finding::error(
            codes::MISSING_HASH,
            version.place.clone(),
            format!("the hash of version {old} is not that of version {new}"),
        )
        .hint(format!("the earlier hash is in {home}; write `hash = \"\"` in `[source]` here and build: the right one is printed")),
    );
}

/// A source that says anew where it is forgets all but its patches; a new
/// `rev` or `tag` forgets the other.
fn forget_origin(old: &mut Node, new: &Table) {
    let Value::Table(old) = &mut old.value else { return };
    if ORIGINS.iter().any(|key| new.get(key).is_some()) {
        old.entries.retain(|e| e.key == "patches");
    } else if new.get("rev").is_some() || new.get("tag").is_some() {
        old.entries.retain(|e| e.key != "rev" && e.key != "tag");
    }
}

struct Merge<'a> {
    whose: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Merge<'_> {
    fn table(&mut self, base: &mut Table, over: &Table, takes: &Type, path: &str) {
        for entry in &over.entries {
            let name = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
            let takes = takes.child(&entry.key);
            let edit = takes.filter(|t| t.is_list()).and_then(|_| schema::edit_of(&entry.node));
            let old = base.entries.iter_mut().find(|e| e.key == entry.key);
            match (edit, old) {
                (Some(edit), Some(old)) => self.edit(&mut old.node, edit, takes, &name),
                (Some(edit), None) => {
                    let mut node = Node { value: Value::Array(Vec::new()), place: entry.node.place.clone() };
                    self.edit(&mut node, edit, takes, &name);
                    base.entries.push(Entry { node, ..entry.clone() });
                }
                (None, Some(old)) => match (&mut old.node.value, &entry.node.value, takes) {
                    (Value::Table(old), Value::Table(new), Some(takes)) => self.table(old, new, takes, &name),
                    _ => *old = entry.clone(),
                },
                (None, None) => base.entries.push(entry.clone()),
            }
        }
    }

    /// Removes, then appends.
    fn edit(&mut self, old: &mut Node, edit: &Table, takes: Option<&Type>, path: &str) {
        let mut items = match std::mem::replace(&mut old.value, Value::Bool(false)) {
            Value::Array(items) => items,
            // `url = ".."` is a list of one.
            value => vec![Node { value, place: old.place.clone() }],
        };
        let by_name = takes.is_some_and(|t| matches!(t, Type::Requirements));
        for gone in edit.get("remove").and_then(Node::as_array).unwrap_or(&[]) {
            let Some(text) = gone.as_str() else { continue };
            let before = items.len();
            items.retain(|item| !is_meant(item, text, by_name));
            if items.len() == before {
                self.not_there(gone, text, &items, path);
            }
        }
        items.extend(edit.get("append").and_then(Node::as_array).unwrap_or(&[]).iter().cloned());
        old.value = Value::Array(items);
    }

    fn not_there(&mut self, gone: &Node, text: &str, items: &[Node], path: &str) {
        let there: Vec<&str> = items.iter().filter_map(text_of).collect();
        let finding = Finding::error(
            codes::REMOVES_NOTHING,
            gone.place.clone(),
            format!("`{text}` is not in `{path}` of {}", self.whose),
        );
        let names: Vec<&str> = there.iter().map(|t| t.split(NOT_NAME).next().unwrap_or(t)).collect();
        self.findings.push(match did_you_mean(text, names.iter().copied()) {
            Some(near) => finding.label(format!("did you mean `{near}`?")),
            None if there.is_empty() => finding.hint("the list is empty"),
            None => finding.hint(format!("it holds: {}", there.join(", "))),
        });
    }
}

/// What ends the name in a requirement.
const NOT_NAME: [char; 9] = ['<', '>', '=', '!', '~', '[', ';', ' ', '('];

/// An item's text; of a table, its address.
fn text_of(item: &Node) -> Option<&str> {
    item.as_str().or_else(|| item.as_table()?.str("url"))
}

/// Whether `remove = [text]` means an item: the same text, or among
/// requirements the bare name.
fn is_meant(item: &Node, text: &str, by_name: bool) -> bool {
    let Some(own) = text_of(item) else { return false };
    if own == text {
        return true;
    }
    by_name
        && match (PackageName::from_str(text), Requirement::from_str(own)) {
            (Ok(name), Ok(own)) => *own.name() == name,
            _ => false,
        }
}
