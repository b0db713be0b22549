//! Whether two texts say the same.
//!
//! Knows values and comments, not their order in a table. Must never
//! know how a text is laid out.

use crate::node::{Node, Table, Value};

/// Equal values under equal keys, in any order of keys.
pub(super) fn values(a: &Table, b: &Table) -> bool {
    a.entries.len() == b.entries.len()
        && a.entries.iter().all(|entry| b.get(&entry.key).is_some_and(|other| node(&entry.node, other)))
}

fn node(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Table(a), Value::Table(b)) => values(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| node(a, b)),
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

/// The same comments, in any order, however indented.
pub(super) fn comments(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (all_comments(a), all_comments(b));
    a.sort_unstable();
    b.sort_unstable();
    a == b
}

fn all_comments(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['#', '"', '\'']) {
        rest = &rest[at..];
        if rest.starts_with('#') {
            let end = rest.find('\n').unwrap_or(rest.len());
            out.push(rest[..end].trim_end());
            rest = &rest[end..];
        } else {
            rest = &rest[string_len(rest)..];
        }
    }
    out
}

/// The length of the string a (well-formed) text begins with.
fn string_len(text: &str) -> usize {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let (open, close) = if text.starts_with(&triple) { (3, triple.as_str()) } else { (1, quote) };
    let mut at = open;
    while at < text.len() {
        let rest = &text[at..];
        if quote == "\"" && rest.starts_with('\\') {
            at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
        } else if let Some(after) = rest.strip_prefix(close) {
            // Up to two quotes may stand right before the closing three.
            let more = after.bytes().take_while(|b| open == 3 && *b == quote.as_bytes()[0]).count();
            return at + close.len() + more;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}
