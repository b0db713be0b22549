//! The files of a recipe's sources, brought to another version.
//!
//! Knows `[source]` and `[[source]]` from an index. Must never keep the hash
//! of another file.

use crate::edit::{self, recipe_table};
use crate::node::{Node, Table, Value};

/// What of a source names its file.
const FILE: [&str; 2] = ["file", "hash"];

/// The text with the new draft's files and hashes in its sources.
pub fn follow(text: &str, old: Option<&str>, new: &str) -> Result<String, String> {
    let (mine, theirs) = (recipe_table(text)?, recipe_table(new)?);
    let (Some(own), Some(their)) = (mine.get("source"), theirs.get("source")) else {
        return Err("the recipe has no source".to_owned());
    };
    match (&own.value, &their.value) {
        (Value::Table(own), Value::Table(their)) => one(text.to_owned(), &["source"], (own, their), new),
        (Value::Array(owns), Value::Array(theirs)) => {
            let pairs: Option<Vec<(usize, &Table, &Table)>> = (owns.len() == theirs.len())
                .then(|| owns.iter().enumerate().map(|(at, own)| paired(at, own, theirs)).collect())
                .flatten();
            match pairs {
                Some(pairs) => pairs.into_iter().try_fold(text.to_owned(), |text, (at, own, their)| {
                    one(text, &["source", &at.to_string()], (own, their), new)
                }),
                None => replaced(text, own, (old, new)),
            }
        }
        _ => replaced(text, own, (old, new)),
    }
}

/// A source and the one of the draft for the same platform.
fn paired<'t>(at: usize, own: &'t Node, theirs: &'t [Node]) -> Option<(usize, &'t Table, &'t Table)> {
    let own = own.as_table()?;
    let same = |their: &&'t Table| own.str("when") == their.str("when");
    Some((at, own, theirs.iter().filter_map(Node::as_table).find(same)?))
}

/// One source's file and hash.
fn one(text: String, path: &[&str], (own, their): (&Table, &Table), new: &str) -> Result<String, String> {
    FILE.into_iter().try_fold(text, |text, key| {
        let path = [path, &[key]].concat();
        match (own.get(key), their.get(key)) {
            (_, Some(node)) => {
                let raw = new.get(node.place.span.clone()).ok_or("the draft is cut off")?;
                edit::set_value(&text, &path, raw)
            }
            // The name of another version's file.
            (Some(_), None) => edit::remove_value(&text, &path),
            (None, None) => Ok(text),
        }
    })
}

/// The sources as a whole: only where nobody changed them, nor said anything
/// in them.
fn replaced(text: &str, own: &Node, (old, new): (Option<&str>, &str)) -> Result<String, String> {
    let by_hand = || "it is for other platforms now, and its sources were changed by hand".to_owned();
    let before = recipe_table(old.ok_or_else(by_hand)?)?;
    if before.get("source").map(Node::text) != Some(own.text()) {
        return Err(by_hand());
    }
    let (from, to) = sections(text, own).ok_or_else(by_hand)?;
    if text[from..to].contains('#') {
        return Err("it is for other platforms now, and its sources have comments".to_owned());
    }
    let theirs = recipe_table(new)?;
    let their = theirs.get("source").ok_or("the release has no source")?;
    let (start, end) = sections(new, their).ok_or("the draft's sources cannot be found")?;
    let gap = if text[to..].is_empty() { "" } else { "\n" };
    Ok(format!("{}{}\n{gap}{}", &text[..from], new[start..end].trim_end(), &text[to..]))
}

/// From the first header of sources to the next one of something else.
fn sections(text: &str, source: &Node) -> Option<(usize, usize)> {
    let first = match &source.value {
        Value::Array(items) => items.first()?.place.span.start,
        _ => source.place.span.start,
    };
    let last = match &source.value {
        Value::Array(items) => items.last()?.place.span.end,
        _ => source.place.span.end,
    };
    let is_header = |at: usize| text[at..].starts_with("[source]") || text[at..].starts_with("[[source]]");
    if !is_header(first) {
        return None;
    }
    let end = text[last..].find("\n[").map_or(text.len(), |at| last + at + 1);
    Some((first, end))
}
