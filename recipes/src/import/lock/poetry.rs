//! `poetry.lock`.
//!
//! Knows the keys of its versions 1.1, 2.0 and 2.1. Must never know how a
//! requirement is made of them.

use std::collections::BTreeMap;

use super::table::{Pin, listed, pin, tables, text, texts};
use super::{ELSEWHERE, Locked, unknown_version};
use crate::diag::Place;
use crate::node::{Node, Table, Value};

const SUPPORTED: &str = "1.1, 2.0, 2.1";

/// Reads the table of a file.
pub fn read(table: &Table, start: &Place, locked: &mut Locked) {
    let metadata = table.table("metadata");
    match metadata.and_then(|m| m.get("lock-version")) {
        Some(node) if node.as_str().is_some_and(|v| SUPPORTED.split(", ").any(|known| known == v)) => {}
        Some(node) => {
            return locked.findings.push(unknown_version(node.place.clone(), Some(&node.text()), SUPPORTED));
        }
        None => return locked.findings.push(unknown_version(start.clone(), None, SUPPORTED)),
    }
    locked.loose = true;
    metadata.into_iter().for_each(|metadata| locked.for_python(metadata, "python-versions"));
    let aside = metadata.and_then(|m| m.table("files"));
    let extras = extras(table);
    for (package, at) in tables(table, "package") {
        let Some(name) = text(package, "name", at, locked) else { continue };
        let source = package.table("source").and_then(|source| source.str("type"));
        if source.is_some_and(|kind| kind != "legacy") {
            locked.todo(at, name, ELSEWHERE);
            continue;
        }
        let Some(version) = text(package, "version", at, locked) else { continue };
        let of = |holder: Option<&Table>, key: &str| -> Vec<Table> {
            holder.into_iter().flat_map(|t| tables(t, key).map(|(file, _)| file.clone())).collect()
        };
        let files = [of(Some(package), "files"), of(aside, name)].concat();
        let wanted = Pin {
            name: name.to_owned(),
            version: version.to_owned(),
            extras: extras.get(&name.to_lowercase()).cloned().unwrap_or_default(),
            markers: markers(package),
            files: listed(&files.iter().collect::<Vec<_>>()),
        };
        pin(at, &wanted, locked);
    }
}

/// One for all groups, or one a group; a group without any is always meant.
fn markers(package: &Table) -> Vec<String> {
    match package.get("markers").map(|node| &node.value) {
        Some(Value::String(marker)) => vec![marker.clone()],
        Some(Value::Table(groups)) if groups.entries.len() >= texts(package, "groups").len() => {
            let each = groups.entries.iter().filter_map(|e| e.node.as_str().map(str::to_owned));
            let mut all: Vec<String> = each.collect();
            all.dedup();
            all
        }
        _ => Vec::new(),
    }
}

/// The extras that packages ask of each other, by name.
fn extras(table: &Table) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (package, _) in tables(table, "package") {
        for edge in package.table("dependencies").into_iter().flat_map(|all| &all.entries) {
            let forms: Vec<&Table> = match &edge.node.value {
                Value::Table(one) => vec![one],
                Value::Array(several) => several.iter().filter_map(Node::as_table).collect(),
                _ => Vec::new(),
            };
            let asked = forms.into_iter().flat_map(|form| texts(form, "extras"));
            out.entry(edge.key.to_lowercase()).or_default().extend(asked);
        }
    }
    out
}
