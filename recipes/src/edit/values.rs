//! Values and items of a recipe's text, each set or taken out by its path.
//!
//! Knows TOML's spellings of one key (headers, dotted keys, inline tables)
//! and where comments stand. Must never lose a comment.
//!
//! A path is keys in their modern spelling; an item of `[[source]]` is its
//! number. Literals are TOML.

use std::sync::Arc;

use super::{insert, insert_at_root, is_section, last_byte, replaced};
use crate::diag::SourceFile;
use crate::node::{self, Node, Table, Value};
use crate::schema;

/// A string as TOML has it.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Sets a key to a literal; it is made, with its table, when it is not there.
pub fn set_value(text: &str, path: &[&str], literal: &str) -> Result<String, String> {
    let table = read(text)?;
    let edited = match find(&table, path) {
        Some(node) if is_section(text, node) => return Err(format!("`{}` is a table", path.join("."))),
        Some(node) => replaced(text, node.place.span.clone(), literal),
        None => inserted(text, &table, path, literal)?,
    };
    certain(edited, path, |node| node.is_some())
}

/// Adds a literal to a list, after its last item; the list is made when it is
/// not there.
pub fn add_literal(text: &str, path: &[&str], literal: &str) -> Result<String, String> {
    let table = read(text)?;
    let edited = match find(&table, path) {
        None => inserted(text, &table, path, &format!("[{literal}]"))?,
        Some(node) => {
            let items = node.as_array().ok_or_else(|| format!("`{}` is no list", path.join(".")))?;
            super::append(text, node, items, literal)
        }
    };
    certain(edited, path, |node| node.is_some())
}

/// Puts a literal in the place of the item of a list that has this text.
pub fn replace_item(text: &str, path: &[&str], item: &str, literal: &str) -> Result<String, String> {
    let table = read(text)?;
    let (_, at) = item_of(&table, path, item)?;
    certain(replaced(text, at.place.span.clone(), literal), path, |node| node.is_some())
}

/// Takes the item of a list out that has this text. A comment beside it
/// stays, on a line of its own.
pub fn remove_item(text: &str, path: &[&str], item: &str) -> Result<String, String> {
    let table = read(text)?;
    let (list, at) = item_of(&table, path, item)?;
    let items = list.as_array().unwrap_or_default();
    let (span, end) = (at.place.span.clone(), list.place.span.end);
    if !text[list.place.span.clone()].contains('\n') {
        let next = items.iter().find(|other| other.place.span.start >= span.end);
        let before = items.iter().rev().find(|other| other.place.span.end <= span.start);
        let range = match (next, before) {
            (Some(next), _) => span.start..next.place.span.start,
            (None, Some(before)) => before.place.span.end..span.end,
            (None, None) => list.place.span.start + 1..end - 1,
        };
        return certain(replaced(text, range, ""), path, |node| node.is_some());
    }
    // The comma behind it may stand behind a comment, too.
    let comma = comma_after(text, span.end, end);
    let mut edited = text.to_owned();
    if let Some(comma) = comma {
        edited.replace_range(comma..=comma, "");
    }
    edited.replace_range(span.clone(), "");
    certain(tidied(&edited, span.start), path, |node| node.is_some())
}

/// Takes a key out, and the header of its table when nothing else is below
/// it. Comments beside it stay, on a line of their own.
pub fn remove_value(text: &str, path: &[&str]) -> Result<String, String> {
    let table = read(text)?;
    let (last, owner) = path.split_last().ok_or("no key was named")?;
    let missing = || format!("there is no `{}`", path.join("."));
    let owner_node = if owner.is_empty() { None } else { Some(find(&table, owner).ok_or_else(missing)?) };
    let owner_table = owner_node.map_or(Some(&table), Node::as_table).ok_or_else(missing)?;
    let entry = owner_table.entry(last).ok_or_else(missing)?;
    if is_section(text, &entry.node) {
        return Err(format!("`{}` is a table", path.join(".")));
    }
    let (start, end) = (entry.key_place.span.start, last_byte(&entry.node));
    let inline = owner_node.filter(|node| text[node.place.span.clone()].starts_with('{'));
    let edited = match inline {
        Some(node) => without_inline(text, node, (start, end)),
        None => {
            let line = text[..start].rfind('\n').map_or(0, |n| n + 1);
            let first = start - text[line..start].trim_start().len();
            let text = replaced(text, first..end, "");
            let text = tidied(&text, first);
            without_empty_header(text, owner)?
        }
    };
    certain(edited, path, |node| node.is_none())
}

/// The table of a recipe's text, old spellings where the modern ones belong.
pub fn read(text: &str) -> Result<Table, String> {
    let file = Arc::new(SourceFile { path: String::new(), text: text.to_owned() });
    let (mut table, findings) = node::read(&file);
    if let Some(finding) = findings.first() {
        return Err(format!("the text is not TOML: {}", finding.message));
    }
    schema::check(&mut table, schema::RECIPE, &mut Vec::new());
    Ok(table)
}

fn find<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Node> {
    let (first, rest) = path.split_first()?;
    let mut node = table.get(first)?;
    for key in rest {
        node = match &node.value {
            Value::Table(inner) => inner.get(key)?,
            Value::Array(items) => items.get(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(node)
}

/// The text, once it is known that it can be read and says so at the path.
fn certain(text: String, path: &[&str], good: impl Fn(Option<&Node>) -> bool) -> Result<String, String> {
    let table = read(&text)?;
    match good(find(&table, path)) {
        true => Ok(text),
        false => Err(format!("`{}` cannot be written here; write it by hand", path.join("."))),
    }
}

fn inserted(text: &str, table: &Table, path: &[&str], literal: &str) -> Result<String, String> {
    let (last, owner) = path.split_last().ok_or("no key was named")?;
    let line = format!("{} = {literal}", key(last));
    if owner.is_empty() {
        return Ok(insert_at_root(text, table, &line));
    }
    match find(table, owner) {
        Some(node) => {
            let inner = node.as_table().ok_or_else(|| format!("`{}` is no table", owner.join(".")))?;
            insert(text, inner, &node.place.span, &line)
        }
        None => {
            let gap = if text.is_empty() || text.ends_with('\n') { "\n" } else { "\n\n" };
            let owner: Vec<String> = owner.iter().map(|name| key(name)).collect();
            Ok(format!("{text}{gap}[{}]\n{line}\n", owner.join(".")))
        }
    }
}

fn key(text: &str) -> String {
    let bare = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare && !text.is_empty() { text.to_owned() } else { quoted(text) }
}

fn item_of<'t>(table: &'t Table, path: &[&str], item: &str) -> Result<(&'t Node, &'t Node), String> {
    let list = find(table, path).ok_or_else(|| format!("there is no `{}`", path.join(".")))?;
    let found = list.as_array().and_then(|items| items.iter().find(|i| i.as_str() == Some(item)));
    Ok((list, found.ok_or_else(|| format!("`{}` has no `{item}`", path.join(".")))?))
}

/// The first comma after a byte that stands in no comment.
fn comma_after(text: &str, from: usize, end: usize) -> Option<usize> {
    let mut comment = false;
    for (at, c) in text[from..end].char_indices() {
        match c {
            '\n' => comment = false,
            '#' => comment = true,
            ',' if !comment => return Some(from + at),
            // The next item, or the end.
            _ if !comment && !c.is_whitespace() => return None,
            _ => {}
        }
    }
    None
}

/// The text without the line at a byte when nothing is left on it; what is
/// left is a comment, which is moved to the line's beginning, or more.
fn tidied(text: &str, at: usize) -> String {
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n + 1);
    let line = &text[start..end];
    let rest = line.trim();
    if rest.is_empty() {
        return replaced(text, start..end, "");
    }
    if !rest.starts_with('#') {
        // Other items stand on the line: only the gap is closed.
        let gap = text[at..end].len() - text[at..end].trim_start_matches([' ', '\t']).len();
        return replaced(text, at..at + gap, "");
    }
    let indent = Some(&text[start..at]).filter(|before| before.trim().is_empty()).unwrap_or_default();
    let ending = if line.ends_with('\n') { "\n" } else { "" };
    replaced(text, start..end, &format!("{indent}{rest}{ending}"))
}

/// `{ a = 1, b = 2 }` without one of them.
fn without_inline(text: &str, owner: &Node, (start, end): (usize, usize)) -> String {
    let span = owner.place.span.clone();
    let after = text[end..span.end].trim_start_matches([' ', '\t']);
    let next = span.end - after.len();
    if let Some(rest) = after.strip_prefix(',') {
        let gap = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        return replaced(text, start..next + 1 + gap, "");
    }
    let before = text[span.start..start].rfind(',').map_or(start, |comma| span.start + comma);
    replaced(text, before..end, "")
}

/// Takes the header of a table out that has nothing below it any more.
fn without_empty_header(text: String, owner: &[&str]) -> Result<String, String> {
    if owner.is_empty() {
        return Ok(text);
    }
    let table = read(&text)?;
    let Some(node) = find(&table, owner) else { return Ok(text) };
    let span = node.place.span.clone();
    let empty = node.as_table().is_some_and(|inner| inner.entries.is_empty());
    if !empty || !text[span.clone()].starts_with('[') || text[span.clone()].starts_with("[[") {
        return Ok(text);
    }
    let edited = replaced(&text, span.clone(), "");
    let edited = tidied(&edited, span.start);
    // Of the two blank lines that meet now one is enough.
    let at = span.start.min(edited.len());
    let doubled = edited[..at].ends_with("\n\n") && (edited[at..].starts_with('\n') || at == edited.len());
    Ok(if doubled { replaced(&edited, at - 1..at, "") } else { edited })
}

#[cfg(test)]
mod tests;
