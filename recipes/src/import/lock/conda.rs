//! The pip part of an `environment.yml`.
//!
//! Knows the form conda itself writes: a list with one item a line, and in it
//! the list below `pip:`. Must never take a conda package for a project of
//! the index: their names differ.

use std::sync::Arc;

use super::requirements::{Files, requirement};
use super::{ELSEWHERE, Locked, without_address};
use crate::codes;
use crate::diag::{Finding, Place, SourceFile};

/// An item of a list: where it begins, how far it is indented, its text.
struct Item<'t> {
    start: usize,
    indent: usize,
    text: &'t str,
}

/// Reads a file.
pub fn read(files: &Files, first: &str) -> Locked {
    let mut locked = Locked::default();
    let Some(file) = files.get(first) else { return locked };
    let Some(items) = dependencies(file, &mut locked) else { return locked };
    // Items below `pip:` are indented further than it.
    let mut pip: Option<usize> = None;
    for item in &items {
        let at = without_address(file, item.start, item.text);
        if pip.is_some_and(|of| item.indent > of) {
            line(&at, item.text, &mut locked);
            continue;
        }
        pip = (item.text.strip_suffix(':').map(str::trim_end) == Some("pip")).then_some(item.indent);
        let name: String =
            item.text.chars().take_while(|c| c.is_alphanumeric() || "-_.".contains(*c)).collect();
        if pip.is_none() && name != "pip" {
            locked.todo(&at, &name, "it is a package of conda: add the project, or declare it in [external]");
        }
    }
    locked
}

/// An item of the pip part: a line of requirements.txt.
fn line(at: &Place, text: &str, locked: &mut Locked) {
    match text.split([' ', '=']).next() {
        Some("-e" | "--editable") => locked.todo(at, "-e", ELSEWHERE),
        Some(option) if option.starts_with('-') => {
            locked.todo(at, option, "in an environment.yml it is not read: import the file it names");
        }
        _ => requirement(at, text, locked),
    }
}

/// The items below `dependencies:`, those of its lists among them.
fn dependencies<'t>(file: &'t Arc<SourceFile>, locked: &mut Locked) -> Option<Vec<Item<'t>>> {
    let (mut items, mut inside, mut found, mut at) = (Vec::new(), false, false, 0);
    for raw in file.text.split_inclusive('\n') {
        let start = at;
        at += raw.len();
        let line = without_comment(raw.trim_end());
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.is_empty() || text == "---" {
            continue;
        }
        let item = text.strip_prefix("- ").map(str::trim_start);
        if let (true, Some(item)) = (inside, item) {
            let start = start + line.len() - item.len();
            let text = unquoted(item);
            let start = start + usize::from(text.len() < item.len());
            items.push(Item { start, indent, text });
        } else if let (0, Some(rest)) = (indent, text.strip_prefix("dependencies:")) {
            (inside, found) = (true, true);
            if !rest.trim().is_empty() {
                refuse(file, start..start + line.len(), locked);
                return None;
            }
        } else if indent == 0 {
            inside = false;
        } else if inside {
            refuse(file, start + indent..start + line.len(), locked);
            return None;
        }
    }
    if !found {
        let place = Place { file: Arc::clone(file), span: 0..0 };
        locked.findings.push(Finding::error(codes::MISSING_KEY, place, "there are no `dependencies:`"));
        return None;
    }
    Some(items)
}

fn refuse(file: &Arc<SourceFile>, span: std::ops::Range<usize>, locked: &mut Locked) {
    let place = Place { file: Arc::clone(file), span };
    let message = "of YAML only lists with one item a line can be read here";
    locked
        .findings
        .push(Finding::error(codes::SYNTAX, place, message).hint("write `- NAME` on lines of their own"));
}

fn unquoted(text: &str) -> &str {
    ['"', '\''].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(text)
}

/// A `#` in quotes or in a word begins none.
fn without_comment(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| {
        line[..*at].chars().next_back().is_none_or(char::is_whitespace)
            && line[..*at].matches(['"', '\'']).count().is_multiple_of(2)
    };
    line.match_indices('#').find(begins).map_or(line, |(at, _)| &line[..at]).trim_end()
}
