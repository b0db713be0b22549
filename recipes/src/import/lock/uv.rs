//! `uv.lock`.
//!
//! Knows the keys of its version 1. Must never know how a requirement is
//! made of them.

use std::collections::BTreeMap;

use super::table::{Pin, listed, pin, tables, text, texts};
use super::{ELSEWHERE, Locked, reach, unknown_version};
use crate::diag::Place;
use crate::node::{Table, Value};

/// Sources of the projects that the file is of.
const OWN: [&str; 2] = ["editable", "virtual"];

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
    locked.for_python(table, "requires-python");
    let extras = extras(table);
    let from_index = |package: &Table| package.table("source").is_some_and(|s| s.str("registry").is_some());
    let own = |package: &Table| {
        let own = |source: &Table| OWN.iter().any(|key| source.str(key).is_some());
        package.table("source").is_some_and(own)
    };
    let when = reach::conditions(table, &own, &extras);
    for (package, at) in tables(table, "package") {
        let Some(name) = text(package, "name", at, locked) else { continue };
        if !from_index(package) {
            let source = package.table("source");
            let own = source.is_some_and(|source| OWN.iter().any(|key| source.str(key) == Some(".")));
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
            markers: reach::both(texts(package, "resolution-markers"), when.get(&(name, Some(version)))),
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
