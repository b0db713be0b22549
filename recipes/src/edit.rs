//! Format-preserving edits of recipe text.
//!
//! Knows keys and spans. Must never know what an edited value means.
//!
//! An edit changes the bytes it must and no others, so comments and layout
//! stay; the result is read again before it is handed back.

mod values;

use std::ops::Range;
use std::sync::Arc;

use crate::diag::SourceFile;
use crate::name::Sha256;
use crate::node::{self, Node, Table, Value};

pub use values::read as recipe_table;
pub use values::{add_literal, quoted, remove_item, remove_value, replace_item, set_value};

/// Writes a hash at [`crate::recipe::Source::hash_place`]: the span of the
/// hash's string, or of the source's table when it has none yet.
///
/// The error is a sentence: the text is not what the span was taken from.
pub fn set_hash(
    text: &str,
    place_of_hash_or_source_table: &Range<usize>,
    new: &Sha256,
) -> Result<String, String> {
    let span = place_of_hash_or_source_table.clone();
    let marked = text.get(span.clone()).ok_or("the place of the hash is not in the text any more")?;
    let value = format!("\"{}\"", new.sri());
    let edited = if marked.starts_with(['"', '\'']) {
        replaced(text, span, &value)
    } else {
        let table = read(text)?;
        let source = table_at(&table, &span).ok_or("there is no source table at this place any more")?;
        insert(text, source, &span, &format!("hash = {value}"))?
    };
    let count = |text: &str| read(text).map(|table| hashes(&table, &new.sri()));
    if count(&edited)? > count(text)? || text == edited {
        Ok(edited)
    } else {
        Err("the hash cannot be written here; write it by hand".to_owned())
    }
}

/// Adds an item to a list such as `dependencies` or `check.inputs`, after
/// its last one; the list is made when it is not there. An item that is
/// there already changes nothing.
pub fn add_item(text: &str, path: &[&str], item: &str) -> Result<String, String> {
    let table = read(text)?;
    let (key, tables) = path.split_last().ok_or("no key was named")?;
    let mut owner = Some((&table, None));
    for name in tables {
        owner = owner.and_then(|(t, _)| {
            let node = t.get(name)?;
            Some((node.as_table()?, Some(node.place.span.clone())))
        });
    }
    let item = format!("{item:?}");
    let Some((table, header)) = owner else {
        let gap = if text.is_empty() || text.ends_with('\n') { "\n" } else { "\n\n" };
        return verified(format!("{text}{gap}[{}]\n{key} = [{item}]\n", tables.join(".")));
    };
    let edited = match table.get(key) {
        Some(node) => match &node.value {
            Value::Array(items) if items.iter().any(|i| i.text() == item) => return Ok(text.to_owned()),
            Value::Array(items) => append(text, node, items, &item),
            _ => return Err(format!("`{}` is not a list", path.join("."))),
        },
        None => match header {
            Some(span) => insert(text, table, &span, &format!("{key} = [{item}]"))?,
            None => insert_at_root(text, table, &format!("{key} = [{item}]")),
        },
    };
    verified(edited)
}

fn read(text: &str) -> Result<Table, String> {
    let file = Arc::new(SourceFile { path: String::new(), text: text.to_owned() });
    let (table, findings) = node::read(&file);
    match findings.first() {
        None => Ok(table),
        Some(finding) => Err(format!("the text is not TOML: {}", finding.message)),
    }
}

fn verified(text: String) -> Result<String, String> {
    read(&text).map(|_| text)
}

fn replaced(text: &str, span: Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..span.start], &text[span.end..])
}

/// The source table whose value has this span, at any depth.
fn table_at<'t>(table: &'t Table, span: &Range<usize>) -> Option<&'t Table> {
    fn of<'t>(node: &'t Node, span: &Range<usize>) -> Option<&'t Table> {
        match &node.value {
            Value::Table(inner) if node.place.span == *span => Some(inner),
            Value::Table(inner) => table_at(inner, span),
            Value::Array(items) => items.iter().find_map(|i| of(i, span)),
            _ => None,
        }
    }
    table.entries.iter().find_map(|e| of(&e.node, span))
}

/// How many strings of the text are this one.
fn hashes(table: &Table, text: &str) -> usize {
    fn of(node: &Node, text: &str) -> usize {
        match &node.value {
            Value::String(own) => usize::from(own == text),
            Value::Array(items) => items.iter().map(|i| of(i, text)).sum(),
            Value::Table(inner) => hashes(inner, text),
            _ => 0,
        }
    }
    table.entries.iter().map(|e| of(&e.node, text)).sum()
}

/// Puts `line` into a table: before the `}` of an inline one, else below its
/// last line (or its header).
fn insert(text: &str, table: &Table, span: &Range<usize>, line: &str) -> Result<String, String> {
    let marked = &text[span.clone()];
    if marked.starts_with('{') {
        return Ok(match table.entries.last() {
            Some(last) => {
                replaced(text, last.node.place.span.end..last.node.place.span.end, &format!(", {line}"))
            }
            None => replaced(text, span.start..span.end, &format!("{{ {line} }}")),
        });
    }
    let last = table.entries.iter().filter(|e| !is_section(text, &e.node)).map(|e| &e.node.place.span);
    if marked.starts_with('[') {
        let after = last.map(|s| s.end).max().unwrap_or(span.end).max(span.end);
        return Ok(below(text, after, line));
    }
    // Dotted: `source.pypi = ".."`; the new line repeats the table's key.
    let after = last.map(|s| s.end).max().ok_or("the table has no place of its own")?;
    Ok(below(text, after, &format!("{marked}.{line}")))
}

/// Puts `line` below the last key that stands outside any table.
fn insert_at_root(text: &str, table: &Table, line: &str) -> String {
    let ends = table.entries.iter().filter(|e| !is_section(text, &e.node)).map(|e| last_byte(&e.node));
    match ends.max() {
        Some(end) => below(text, end, line),
        None => format!("{line}\n{text}"),
    }
}

/// Whether a value is a `[table]` or `[[table]]` with a header of its own.
fn is_section(text: &str, node: &Node) -> bool {
    let raw = text.get(node.place.span.clone()).unwrap_or("");
    match &node.value {
        Value::Table(inner) => {
            raw.starts_with('[') || inner.entries.iter().any(|e| is_section(text, &e.node))
        }
        Value::Array(_) => raw.starts_with("[[") && raw.ends_with("]]"),
        _ => false,
    }
}

fn last_byte(node: &Node) -> usize {
    match &node.value {
        Value::Table(inner) => {
            inner.entries.iter().map(|e| last_byte(&e.node)).max().unwrap_or(node.place.span.end)
        }
        _ => node.place.span.end,
    }
    .max(node.place.span.end)
}

/// A new line below the line that holds byte `at`, indented like it.
fn below(text: &str, at: usize, line: &str) -> String {
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let indent: String = text[start..].chars().take_while(|c| *c == ' ' || *c == '\t').collect();
    match text[at..].find('\n') {
        Some(end) => format!("{}{indent}{line}\n{}", &text[..at + end + 1], &text[at + end + 1..]),
        None => format!("{text}\n{indent}{line}\n"),
    }
}

/// Adds an item to a list: on a line of its own where the others have one.
fn append(text: &str, node: &Node, items: &[Node], item: &str) -> String {
    let span = &node.place.span;
    let Some(last) = items.last() else {
        return replaced(text, span.clone(), &format!("[{item}]"));
    };
    let end = last.place.span.end;
    let tail = &text[end..span.end];
    // Nor can it have a line of its own where the list ends beside its last one.
    if !tail.contains('\n') {
        let comma =
            if tail.trim_start().starts_with(',') { end + tail.find(',').unwrap_or(0) + 1 } else { end };
        let (at, gap) = if comma > end { (comma, " ") } else { (end, ", ") };
        return replaced(text, at..at, &format!("{gap}{item}"));
    }
    let comma = if tail.trim_start().starts_with(',') { "" } else { "," };
    let text = replaced(text, end..end, comma);
    below(&text, end, &format!("{item},"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const HASH: &str = "08fdd5ef7c96480ad11c12d472de21acd32359996f69a5259299b540feba4560";

    fn check_hash(text: &str, expected: Expect) {
        let file = Arc::new(SourceFile { path: "a.toml".into(), text: text.into() });
        let file = crate::book::LayerFile { file, pyproject: None };
        let with = |text: &str| crate::book::LayerFile {
            file: Arc::new(SourceFile { path: "a.toml".into(), text: text.into() }),
            pyproject: None,
        };
        let book = |f| crate::book::assemble(&[crate::book::Layer { name: "x".into(), files: vec![f] }]);
        let span = match book(file).0.recipes.first() {
            Some(recipe) => recipe.sources.last().unwrap().hash_place.span.clone(),
            // No hash yet: the span of the source's table.
            None => match &read(text).unwrap().get("source").unwrap() {
                Node { value: Value::Array(items), .. } => items.last().unwrap().place.span.clone(),
                node => node.place.span.clone(),
            },
        };
        let edited = set_hash(text, &span, &HASH.parse().unwrap()).unwrap();
        let (after, findings) = book(with(&edited));
        assert_eq!(findings, []);
        assert_eq!(after.recipes.len(), 1);
        expected.assert_eq(&edited);
    }

    #[test]
    fn a_hash_is_replaced_and_comments_stay() {
        check_hash(
            "pname = \"a\" # one\nversion = \"1\"\n[source] # two\npypi = \"a\"\nhash   =   '' # three\n# four\n",
            expect![[r#"
                pname = "a" # one
                version = "1"
                [source] # two
                pypi = "a"
                hash   =   "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=" # three
                # four
            "#]],
        );
        check_hash(
            "pname = \"a\"\nversion = \"1\"\nsource = { pypi = \"a\", hash = \"\" } # x\n",
            expect![[r#"
                pname = "a"
                version = "1"
                source = { pypi = "a", hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=" } # x
            "#]],
        );
    }

    #[test]
    fn a_missing_hash_is_inserted() {
        check_hash(
            "pname = \"a\"\nversion = \"1\"\n[source] # two\n  pypi = \"a\" # three\n\n[check]\nimports = []\n",
            expect![[r#"
                pname = "a"
                version = "1"
                [source] # two
                  pypi = "a" # three
                  hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="

                [check]
                imports = []
            "#]],
        );
        check_hash(
            "pname = \"a\"\nversion = \"1\"\n[source]\npypi = \"a\"",
            expect![[r#"
            pname = "a"
            version = "1"
            [source]
            pypi = "a"
            hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="
        "#]],
        );
        check_hash(
            "pname = \"a\"\nversion = \"1\"\nsource = { pypi = \"a\" } # x\n",
            expect![[r#"
            pname = "a"
            version = "1"
            source = { pypi = "a", hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=" } # x
        "#]],
        );
        check_hash(
            "pname = \"a\"\nversion = \"1\"\nsource.pypi = \"a\" # x\n",
            expect![[r#"
            pname = "a"
            version = "1"
            source.pypi = "a" # x
            source.hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="
        "#]],
        );
        check_hash(
            "pname = \"a\"\nversion = \"1\"\n[[source]]\nwhen = \"os_name == 'nt'\"\npypi = \"a\"\nhash = \"\"\n[[source]]\nurl = [\n  \"https://h.example/a\",\n]\n[check]\n",
            expect![[r#"
                pname = "a"
                version = "1"
                [[source]]
                when = "os_name == 'nt'"
                pypi = "a"
                hash = ""
                [[source]]
                url = [
                  "https://h.example/a",
                ]
                hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="
                [check]
            "#]],
        );
    }

    #[test]
    fn a_stale_span_is_an_error() {
        let hash = HASH.parse().unwrap();
        expect!["there is no source table at this place any more"]
            .assert_eq(&set_hash("pname = 1\n", &(0..5), &hash).unwrap_err());
        expect!["the place of the hash is not in the text any more"]
            .assert_eq(&set_hash("a", &(3..9), &hash).unwrap_err());
    }

    #[test]
    fn items_are_added_where_they_belong() {
        let mut out = String::new();
        for (text, path) in [
            ("pname = \"a\"\ndependencies = [\"x\"] # c\n[source]\npath = \".\"\n", vec!["dependencies"]),
            ("dependencies = []\n", vec!["dependencies"]),
            ("dependencies = [\n    \"x\", # c\n    # d\n]\n", vec!["dependencies"]),
            ("dependencies = [\n    \"x\"\n]\n", vec!["dependencies"]),
            ("dependencies = [\"new\"]\n", vec!["dependencies"]),
            ("pname = \"a\" # c\n# d\n\n[source]\npath = \".\"\n", vec!["dependencies"]),
            ("[source]\npath = \".\"\n", vec!["dependencies"]),
            ("pname = \"a\"\n[check]\nenable = true # c\n", vec!["check", "inputs"]),
            ("pname = \"a\"", vec!["external", "build-requires"]),
            ("dependencies = 1\n", vec!["dependencies"]),
            ("dependencies = [\n", vec!["dependencies"]),
        ] {
            let edited = add_item(text, &path, "new").unwrap_or_else(|e| format!("error: {e}\n"));
            out += &format!("---\n{edited}");
        }
        expect![[r#"
            ---
            pname = "a"
            dependencies = ["x", "new"] # c
            [source]
            path = "."
            ---
            dependencies = ["new"]
            ---
            dependencies = [
                "x", # c
                "new",
                # d
            ]
            ---
            dependencies = [
                "x",
                "new",
            ]
            ---
            dependencies = ["new"]
            ---
            pname = "a" # c
            dependencies = ["new"]
            # d

            [source]
            path = "."
            ---
            dependencies = ["new"]
            [source]
            path = "."
            ---
            pname = "a"
            [check]
            enable = true # c
            inputs = ["new"]
            ---
            pname = "a"

            [external]
            build-requires = ["new"]
            ---
            error: `dependencies` is not a list
            ---
            error: the text is not TOML: a list that is opened with `[` is not closed
        "#]]
        .assert_eq(&out);
    }
}
