//! `pylock.toml` (PEP 751).
//!
//! Knows the keys of its version 1.0. Must never know how a requirement is
//! made of them.

use super::table::{Listed, Pin, file_name, pin, tables, text};
use super::{ELSEWHERE, Locked, unknown_version};
use crate::diag::Place;
use crate::node::{Table, Value};

/// Reads the table of a file.
pub fn read(table: &Table, start: &Place, locked: &mut Locked) {
    match table.get("lock-version") {
        Some(node) if node.as_str() == Some("1.0") => {}
        Some(node) => {
            return locked.findings.push(unknown_version(node.place.clone(), Some(&node.text()), "\"1.0\""));
        }
        None => return locked.findings.push(unknown_version(start.clone(), None, "\"1.0\"")),
    }
    locked.for_python(table, "requires-python");
    for (package, at) in tables(table, "packages") {
        let Some(name) = text(package, "name", at, locked) else { continue };
        if ["vcs", "directory", "archive"].iter().any(|key| package.get(key).is_some()) {
            locked.todo(at, name, ELSEWHERE);
            continue;
        }
        let Some(version) = package.str("version") else {
            locked.todo(at, name, "its version is not said");
            continue;
        };
        let sdist = package.table("sdist").into_iter();
        let files = sdist.chain(tables(package, "wheels").map(|(wheel, _)| wheel)).map(listed).collect();
        let markers = package.str("marker").map(str::to_owned).into_iter().collect();
        let wanted =
            Pin { name: name.to_owned(), version: version.to_owned(), markers, files, ..Pin::default() };
        pin(at, &wanted, locked);
    }
}

/// A file with `hashes = { sha256 = HEX }`.
fn listed(table: &Table) -> Listed {
    let hashes = table.table("hashes").into_iter().flat_map(|hashes| &hashes.entries);
    let told = hashes.filter_map(|entry| match &entry.node.value {
        Value::String(hex) => Some(format!("{}:{hex}", entry.key)),
        _ => None,
    });
    Listed { name: file_name(table), hashes: told.collect() }
}
