//! Comments, values and lists as lines of text.
//!
//! Knows toml_edit's decor. Must never know keys.

use toml_edit::{Array, RawString, Value};

/// What a line may hold before a list is broken up.
const WIDTH: usize = 100;

pub(super) fn raw(text: Option<&RawString>) -> &str {
    text.and_then(RawString::as_str).unwrap_or("")
}

/// How much of the text comes before its first key or table.
pub(super) fn head_len(text: &str) -> usize {
    let blank = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    text.split_inclusive('\n').take_while(blank).map(str::len).sum()
}

/// The comment lines of some white space, each with its line end; a blank
/// line stays only between two comments.
pub(super) fn comments(raw: &str) -> String {
    let mut out = String::new();
    let mut gap = false;
    for line in raw.lines().map(str::trim) {
        if line.starts_with('#') {
            if gap && !out.is_empty() {
                out.push('\n');
            }
            out += line;
            out.push('\n');
        }
        gap = line.is_empty();
    }
    out
}

/// The comment at the end of a line, with the blanks before it.
pub(super) fn beside(raw: &str) -> String {
    match raw.trim() {
        "" => String::new(),
        comment => format!("  {comment}"),
    }
}

/// A value, beginning at a column, in a line indented by `indent`.
pub(super) fn value(value: &Value, indent: usize, column: usize) -> String {
    let one = one_line(value);
    match (one, value) {
        (Some(one), Value::Array(list)) if column + one.chars().count() > WIDTH && !list.is_empty() => {
            many_lines(list, indent)
        }
        (Some(one), _) => one,
        (None, Value::Array(list)) => many_lines(list, indent),
        // An inline table with comments inside is left as its author wrote it.
        (None, other) => bare(other),
    }
}

/// A value as written, without what stands around it.
fn bare(value: &Value) -> String {
    let mut value = value.clone();
    value.decor_mut().clear();
    value.to_string().trim().to_owned()
}

/// A value on one line; `None` when a comment inside forbids it.
fn one_line(value: &Value) -> Option<String> {
    let plain = |text: &str| text.trim().is_empty();
    match value {
        Value::Array(list) => {
            let mut items = Vec::new();
            for item in list {
                if !plain(raw(item.decor().prefix())) || !plain(raw(item.decor().suffix())) {
                    return None;
                }
                items.push(one_line(item)?);
            }
            plain(list.trailing().as_str().unwrap_or("")).then(|| format!("[{}]", items.join(", ")))
        }
        Value::InlineTable(table) => {
            let mut items = Vec::new();
            for (keys, item) in table.get_values() {
                let around = keys.last().map_or("", |k| raw(k.leaf_decor().prefix()));
                if !plain(around) || !plain(raw(item.decor().prefix())) || !plain(raw(item.decor().suffix()))
                {
                    return None;
                }
                let name: Vec<_> = keys.iter().map(|k| k.display_repr()).collect();
                items.push(format!("{} = {}", name.join("."), one_line(item)?));
            }
            if !plain(table.trailing().as_str().unwrap_or("")) {
                return None;
            }
            Some(if items.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", items.join(", ")) })
        }
        _ => Some(bare(value)),
    }
}

/// A list with one item a line.
fn many_lines(list: &Array, indent: usize) -> String {
    let inner = " ".repeat(indent + 4);
    let mut out = String::from("[");
    // What stands on the rest of the line of the item (or `[`) before.
    let mut above;
    for (at, item) in list.iter().enumerate() {
        let (beside_last, own) = split(raw(item.decor().prefix()));
        if at == 0 {
            // A comment beside `[` goes above the first item.
            above = format!("{beside_last}\n{own}");
        } else {
            out += &beside(beside_last);
            above = own.to_owned();
        }
        out.push('\n');
        push_comments(&mut out, &above, &inner);
        let text = value(item, indent + 4, indent + 4);
        out += &format!("{inner}{text},");
        let suffix = raw(item.decor().suffix());
        let mut comments = suffix.lines().map(str::trim).filter(|l| !l.is_empty());
        if let Some(first) = comments.next() {
            out += &beside(first);
        }
        for more in comments {
            out += &format!("\n{inner}{more}");
        }
    }
    let (beside_last, own) = split(list.trailing().as_str().unwrap_or(""));
    if list.is_empty() {
        out.push('\n');
        push_comments(&mut out, &format!("{beside_last}\n{own}"), &inner);
    } else {
        out += &beside(beside_last);
        out.push('\n');
        push_comments(&mut out, own, &inner);
    }
    out += &" ".repeat(indent);
    out.push(']');
    out
}

/// The rest of the line, and the lines after it.
fn split(raw: &str) -> (&str, &str) {
    raw.split_once('\n').unwrap_or((raw, ""))
}

fn push_comments(out: &mut String, raw: &str, indent: &str) {
    for line in comments(raw).lines() {
        if !line.is_empty() {
            *out += indent;
            *out += line;
        }
        out.push('\n');
    }
}
