//! The dependencies that a project's `pyproject.toml` declares.
//!
//! Knows `[project]` (PEP 621) and `[dependency-groups]` (PEP 735). Must never
//! know what builds the project.

use super::requirements::wanted;
use super::{Locked, without_address};
use crate::codes;
use crate::diag::{Finding, Place};
use crate::node::{Node, Table};

/// Reads the table of a file.
pub fn read(table: &Table, start: &Place, locked: &mut Locked) {
    let Some(project) = table.table("project") else {
        let finding = Finding::error(codes::MISSING_KEY, start.clone(), "there is no `[project]` table");
        return locked.findings.push(finding.hint(
            "import the lock file of the tool that keeps them elsewhere (`poetry.lock`, `pdm.lock`, `uv.lock`)",
        ));
    };
    for node in project.get("dependencies").and_then(Node::as_array).unwrap_or_default() {
        let Some(text) = node.as_str() else { continue };
        // A quote shows no address: it may have a password.
        let at = node.inside(0..text.len());
        let at = without_address(&at.file, at.span.start, &at.file.text[at.span.clone()]);
        wanted(&at, text, &[], locked);
    }
    let dynamic = project.get("dynamic");
    let said = |node: &&Node| {
        node.as_array().unwrap_or_default().iter().any(|item| item.as_str() == Some("dependencies"))
    };
    if let Some(node) = dynamic.filter(said) {
        locked.todo(&node.place, "project.dynamic", "the dependencies are only known when it is built");
    }
    for (holder, key) in [(Some(project), "optional-dependencies"), (Some(table), "dependency-groups")] {
        for group in holder.and_then(|t| t.table(key)).into_iter().flat_map(|groups| &groups.entries) {
            let why = "only `dependencies` are imported: `wheelwright add` takes what else is wanted";
            locked.todo(&group.key_place, &format!("{key}.{}", group.key), why);
        }
    }
}
