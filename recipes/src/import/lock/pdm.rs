//! `pdm.lock`.
//!
//! Knows the keys of its versions 4.2 to 4.5. Must never know how a
//! requirement is made of them.

use super::table::{Pin, listed, pin, tables, text, texts};
use super::{ELSEWHERE, Locked, unknown_version};
use crate::diag::Place;
use crate::node::Table;

const SUPPORTED: &str = "4.2, 4.3, 4.4, 4.5";

/// Reads the table of a file.
pub fn read(table: &Table, start: &Place, locked: &mut Locked) {
    let metadata = table.table("metadata");
    let known = |version: &str| {
        SUPPORTED.split(", ").any(|known| {
            version.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    match metadata.and_then(|m| m.get("lock_version")) {
        Some(node) if node.as_str().is_some_and(known) => {}
        Some(node) => {
            return locked.findings.push(unknown_version(node.place.clone(), Some(&node.text()), SUPPORTED));
        }
        None => return locked.findings.push(unknown_version(start.clone(), None, SUPPORTED)),
    }
    locked.loose = true;
    let places: Vec<&Table> =
        metadata.into_iter().flat_map(|m| tables(m, "targets").map(|(t, _)| t)).collect();
    // Several are for one Python each, or for one platform.
    if let [one] = *places {
        locked.for_python(one, "requires_python");
    }
    for (package, at) in tables(table, "package") {
        let Some(name) = text(package, "name", at, locked) else { continue };
        if ["git", "hg", "svn", "bzr", "url", "path"].iter().any(|key| package.get(key).is_some()) {
            locked.todo(at, name, ELSEWHERE);
            continue;
        }
        let Some(version) = text(package, "version", at, locked) else { continue };
        let files: Vec<&Table> = tables(package, "files").map(|(file, _)| file).collect();
        let wanted = Pin {
            name: name.to_owned(),
            version: version.to_owned(),
            extras: texts(package, "extras"),
            markers: package.str("marker").map(str::to_owned).into_iter().collect(),
            files: listed(&files),
        };
        pin(at, &wanted, locked);
    }
}
