//! `uv.lock`.
//!
//! Knows the keys of its version 1. Must never know how a requirement is
//! made of them.

use std::collections::BTreeMap;

use super::table::{Pin, listed, pin, tables, text, texts};
use super::{ELSEWHERE, Locked, unknown_version};
use crate::diag::Place;
use crate::node::{Table, Value};

/// Reads the table of a file.
pub fn read(table: &Table, start: &Place, locked: &mut Locked) {
    match table.get("version").map(|node| (&node.value, node)) {
        Some((Value::Integer(1), _)) => {}
        Some((_, node)) => {
            return locked.findings.push(unknown_version(node.place.clone(), Some(&node.text()), "1"));
        }
        None => return locked.findings.push(unknown_version(start.clone(), None, "1")),
    }
    locked.loose = true;
    let extras = extras(table);
    for (package, at) in tables(table, "package") {
        let Some(name) = text(package, "name", at, locked) else { continue };
        let source = package.table("source");
        if source.is_none_or(|source| source.str("registry").is_none()) {
            let own = source
                .is_some_and(|source| ["editable", "virtual"].iter().any(|key| source.str(key) == Some(".")));
            let why = if own { "it is the project itself: `path` in [source] takes it" } else { ELSEWHERE };
            locked.todo(at, name, why);
            continue;
        }
        let Some(version) = text(package, "version", at, locked) else { continue };
        let sdist = package.table("sdist").into_iter();
        let files: Vec<&Table> = sdist.chain(tables(package, "wheels").map(|(wheel, _)| wheel)).collect();
        let wanted = Pin {
            name: name.to_owned(),
            version: version.to_owned(),
            extras: extras.get(name).cloned().unwrap_or_default(),
            markers: texts(package, "resolution-markers"),
            files: listed(&files),
        };
        pin(at, &wanted, locked);
    }
}

/// The extras that packages ask of each other, by name.
fn extras(table: &Table) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut see = |list: &Table, key: &str| {
        for (edge, _) in tables(list, key) {
            if let Some(name) = edge.str("name") {
                out.entry(name.to_owned()).or_default().extend(texts(edge, "extra"));
            }
        }
    };
    for (package, _) in tables(table, "package") {
        see(package, "dependencies");
        for key in ["optional-dependencies", "dev-dependencies"] {
            let Some(groups) = package.table(key) else { continue };
            groups.entries.iter().for_each(|group| see(groups, &group.key));
        }
    }
    out
}
