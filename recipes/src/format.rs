//! The one layout of a recipe (`wheelwright fmt`).
//!
//! Knows key order and comments. Must never know values' meaning.
//!
//! - Keys stand in the order of the field table; keys it does not know, and
//!   the author's own (of `env`, `optional-dependencies` …), keep theirs.
//! - One blank line before each `[table]`, none between keys; comments stay
//!   with what they stand above or beside, and blank lines between two
//!   comments stay. What opens the file stays on top.
//! - A list stands on one line if it fits into 100 columns and holds no
//!   comment, else one item a line, four blanks in, with a last comma.
//!
//! The result is read again and compared: no value and no comment is lost.

mod lines;
mod same;

use std::sync::Arc;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Key, Table};

use crate::codes;
use crate::diag::{Finding, Place, SourceFile};
use crate::schema::{self, Type};

/// Lays a recipe (or `wheelwright.toml`) out anew.
///
/// The error is what keeps the text from being read.
pub fn format(file: &Arc<SourceFile>) -> Result<String, Vec<Finding>> {
    let (before, findings) = crate::node::read(file);
    if !findings.is_empty() {
        return Err(findings);
    }
    let lost = |what: &str| {
        let place = Place { file: file.clone(), span: 0..0 };
        vec![Finding::error(
            codes::NOT_FORMATTED,
            place,
            format!("the layout of this file cannot be changed without losing {what}"),
        )]
    };
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text).replace("\r\n", "\n");
    let (head, body) = text.split_at(lines::head_len(&text));
    let document: DocumentMut = body.parse().map_err(|_| lost("a value"))?;
    let fields = if file.path.ends_with("wheelwright.toml") { schema::WORKSPACE } else { schema::RECIPE };
    let mut out = lines::comments(head);
    if head.trim_end_matches([' ', '\t']).ends_with("\n\n") && !out.is_empty() && !body.is_empty() {
        out.push('\n');
    }
    let start = out.len();
    table(&mut out, document.as_table(), &mut Vec::new(), Some(&Type::Fields(fields)));
    if out.len() > start && out[start..].starts_with('\n') {
        out.remove(start);
    }
    let trailing = lines::comments(document.trailing().as_str().unwrap_or(""));
    if !trailing.is_empty() {
        out.push('\n');
        out += &trailing;
    }
    let after = Arc::new(SourceFile { path: file.path.clone(), text: out.clone() });
    let (again, findings) = crate::node::read(&after);
    if !findings.is_empty() || !same::values(&before, &again) {
        return Err(lost("a value"));
    }
    if !same::comments(&file.text, &out) {
        return Err(lost("a comment"));
    }
    Ok(out)
}

/// The rank of a key: its place in the field table, else after all of them.
fn rank(takes: Option<&Type>, key: &str) -> usize {
    let fields = takes.and_then(Type::fields);
    fields.and_then(|f| f.iter().position(|f| f.key == key)).unwrap_or(usize::MAX)
}

/// A table's own lines, then its `[tables]`.
fn table<'t>(out: &mut String, table: &'t Table, path: &mut Vec<&'t Key>, takes: Option<&Type>) {
    let mut values = table.get_values();
    values.sort_by_key(|(keys, _)| {
        let dotted = keys.len() > 1;
        let first = keys.first().map_or(usize::MAX, |k| rank(takes, k.get()));
        let inner = keys.first().and_then(|k| takes?.child(k.get()));
        (first, if dotted { keys.get(1).map_or(0, |k| rank(inner, k.get())) } else { 0 })
    });
    for (keys, value) in values {
        let Some(last) = keys.last() else { continue };
        *out += &lines::comments(lines::raw(last.leaf_decor().prefix()));
        let name: Vec<_> = keys.iter().map(|k| k.display_repr()).collect();
        let head = format!("{} = ", name.join("."));
        *out += &head;
        *out += &lines::value(value, 0, head.chars().count());
        *out += &lines::beside(lines::raw(value.decor().suffix()));
        out.push('\n');
    }
    let mut sections: Vec<(&Key, &Item)> = table
        .iter()
        .filter_map(|(name, item)| Some((table.key(name)?, item)))
        .filter(|(_, item)| matches!(item, Item::Table(t) if !t.is_dotted()) || item.is_array_of_tables())
        .collect();
    sections.sort_by_key(|(key, _)| rank(takes, key.get()));
    for (key, item) in sections {
        path.push(key);
        let takes = takes.and_then(|t| t.child(key.get()));
        match item {
            Item::Table(inner) => section(out, inner, path, takes),
            Item::ArrayOfTables(list) => several(out, list, path, takes),
            _ => {}
        }
        path.pop();
    }
}

fn section<'t>(out: &mut String, inner: &'t Table, path: &mut Vec<&'t Key>, takes: Option<&Type>) {
    if !inner.is_implicit() {
        header(out, inner, path, ("[", "]"));
    }
    table(out, inner, path, takes);
}

fn several<'t>(out: &mut String, list: &'t ArrayOfTables, path: &mut Vec<&'t Key>, takes: Option<&Type>) {
    for inner in list {
        header(out, inner, path, ("[[", "]]"));
        table(out, inner, path, takes);
    }
}

fn header(out: &mut String, table: &Table, path: &[&Key], (open, close): (&str, &str)) {
    out.push('\n');
    *out += &lines::comments(lines::raw(table.decor().prefix()));
    let name: Vec<_> = path.iter().map(|k| k.display_repr()).collect();
    *out += &format!("{open}{}{close}", name.join("."));
    *out += &lines::beside(lines::raw(table.decor().suffix()));
    out.push('\n');
}

#[cfg(test)]
mod tests;
