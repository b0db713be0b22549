//! What the TOML lock files have in common: packages, files, hashes.
//!
//! Knows how a pinned package becomes a requirement. Must never know which
//! key of a format says what.

use std::collections::BTreeSet;
use std::str::FromStr as _;
use std::sync::Arc;

use super::{Locked, Promise};
use crate::codes;
use crate::diag::{Finding, Place, SourceFile};
use crate::name::{ExtraName, MarkerTree, PackageName, Requirement, Sha256, Version};
use crate::node::{Node, Table};

/// A file of a package.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Its name, when one is said.
    pub name: Option<String>,
    /// Its hashes as `ALGORITHM:HEX`.
    pub hashes: Vec<String>,
}

/// A package as a lock file has it.
#[derive(Clone, Debug, Default)]
pub struct Pin {
    pub name: String,
    pub version: String,
    pub extras: Vec<String>,
    /// Any one of these must be true; none is always.
    pub markers: Vec<String>,
    pub files: Vec<Listed>,
}

/// Reads TOML, then what is in it.
pub fn read(file: &Arc<SourceFile>, what: impl FnOnce(&Table, &Place, &mut Locked)) -> Locked {
    let (table, findings) = crate::node::read(file);
    let mut locked = Locked { findings, ..Locked::default() };
    if locked.findings.is_empty() {
        let start = Place { file: Arc::clone(file), span: 0..0 };
        what(&table, &start, &mut locked);
    }
    locked
}

/// The tables of a list of tables.
pub fn tables<'t>(table: &'t Table, key: &str) -> impl Iterator<Item = (&'t Table, &'t Place)> {
    let items = table.get(key).and_then(Node::as_array).unwrap_or_default();
    items.iter().filter_map(|node| Some((node.as_table()?, &node.place)))
}

/// The texts of a list.
pub fn texts(table: &Table, key: &str) -> Vec<String> {
    let items = table.get(key).and_then(Node::as_array).unwrap_or_default();
    items.iter().filter_map(|node| node.as_str().map(str::to_owned)).collect()
}

/// A file's name: as it is said, else the end of its address or path.
pub fn file_name(table: &Table) -> Option<String> {
    let keys = ["name", "file", "url", "path"];
    let said = keys.iter().find_map(|key| table.str(key))?;
    let said = said.split(['?', '#']).next().unwrap_or(said);
    said.rsplit('/').next().map(str::to_owned)
}

/// `files = [{ file, hash }]` and the like.
pub fn listed(tables: &[&Table]) -> Vec<Listed> {
    let one = |table: &&Table| Listed {
        name: file_name(table),
        hashes: table.str("hash").map(str::to_owned).into_iter().collect(),
    };
    tables.iter().map(one).collect()
}

/// A key whose text must be there.
pub fn text<'t>(table: &'t Table, key: &str, at: &Place, locked: &mut Locked) -> Option<&'t str> {
    let found = table.str(key);
    if found.is_none() {
        let message = format!("a package without `{key}`");
        locked.findings.push(Finding::error(codes::MISSING_KEY, at.clone(), message));
    }
    found
}

/// Asks for a package.
pub fn pin(at: &Place, pin: &Pin, locked: &mut Locked) {
    let bad = |code, message: String| Finding::error(code, at.clone(), message);
    let Ok(name) = PackageName::from_str(&pin.name) else {
        locked.findings.push(bad(codes::BAD_NAME, format!("`{}` is no project's name", pin.name)));
        return;
    };
    let Ok(version) = Version::from_str(&pin.version) else {
        let message = format!("`{}` is no version ({name})", pin.version);
        locked.findings.push(bad(codes::BAD_VERSION, message));
        return;
    };
    let hashes = pin.files.iter().flat_map(|f| f.hashes.iter().map(String::as_str));
    match sha256s(hashes) {
        Ok(hashes) => {
            let wheel = |f: &Listed| f.name.as_ref().is_some_and(|name| name.ends_with(".whl"));
            let only_wheels = !pin.files.is_empty() && pin.files.iter().all(wheel);
            if !pin.files.is_empty() {
                locked.promise((name.clone(), version.clone()), Promise { hashes, only_wheels });
            }
        }
        Err(why) => {
            locked.findings.push(bad(codes::BAD_HASH, format!("the hashes of {name} {version}: {why}")));
            return;
        }
    }
    let mut extras: Vec<&str> =
        pin.extras.iter().filter(|e| ExtraName::from_str(e).is_ok()).map(String::as_str).collect();
    extras.sort_unstable();
    extras.dedup();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    let marker = match marker(&pin.markers) {
        Ok(marker) => marker.map(|m| format!("; {m}")).unwrap_or_default(),
        Err(text) => {
            let why = format!("`{text}` is no marker of a requirement: it is taken whatever that says");
            locked.todo(at, &pin.name, &why);
            String::new()
        }
    };
    match Requirement::from_str(&format!("{name}{extras}=={version}{marker}")) {
        Ok(requirement) => locked.wanted.push(super::Wanted { requirement, place: at.clone() }),
        Err(why) => locked.findings.push(bad(codes::BAD_REQUIREMENT, format!("{name} {version}: {why}"))),
    }
}

/// One marker of several; the error is the one that cannot be read (`extras`
/// and `dependency_groups` of PEP 751 are no words of requirements).
fn marker(markers: &[String]) -> Result<Option<String>, String> {
    if let Some(bad) = markers.iter().find(|m| MarkerTree::from_str(m).is_err()) {
        return Err(bad.clone());
    }
    match markers {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        many => Ok(Some(many.iter().map(|m| format!("({m})")).collect::<Vec<_>>().join(" or "))),
    }
}

/// The sha256 of hashes; the error says why there are some, but none that
/// can be checked.
pub fn sha256s<'h>(hashes: impl Iterator<Item = &'h str>) -> Result<BTreeSet<Sha256>, String> {
    let (mut found, mut others) = (BTreeSet::new(), Vec::new());
    for hash in hashes {
        match hash.strip_prefix("sha256:") {
            Some(_) => {
                found.insert(hash.parse::<Sha256>().map_err(|why| format!("`{hash}`: {why}"))?);
            }
            None => others.push(hash.split(':').next().unwrap_or(hash)),
        }
    }
    match others.first() {
        Some(other) if found.is_empty() => Err(format!("only sha256 can be checked, not {other}")),
        _ => Ok(found),
    }
}
