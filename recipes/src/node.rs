//! TOML text as values with places.
//!
//! Knows TOML. Must never know which keys exist.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::codes;
use crate::diag::{Finding, Place, SourceFile};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// The bytes of the value (of a `[table]`: its header).
    pub place: Place,
}

/// A TOML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A date, a time or both, as written.
    Datetime(String),
    /// A list.
    Array(Vec<Node>),
    /// A table, in any of TOML's spellings.
    Table(Table),
}

/// One key of a table with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key, unquoted.
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    /// The value.
    pub node: Node,
}

/// Keys and values in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The entries; keys are unique.
    pub entries: Vec<Entry>,
}

impl Table {
    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.node)
    }

    /// The value of a key, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|e| e.key == key).map(|e| &mut e.node)
    }

    /// The text of a key, when it is a string.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::as_str)
    }

    /// The table of a key, when it is one.
    pub fn table(&self, key: &str) -> Option<&Table> {
        self.get(key).and_then(Node::as_table)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|e| e.key == key)?;
        Some(self.entries.remove(at))
    }

    /// Puts an entry in the place of the one with its key, or last.
    pub fn set(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|e| e.key == entry.key) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }
}

impl Node {
    /// The text, when it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The table, when it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The items, when it is a list.
    pub fn as_array(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// What the value is, with its article: `a string`.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::String(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number with a point",
            Value::Bool(_) => "a boolean",
            Value::Datetime(_) => "a date or time",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The place of some bytes *inside* a string value; the whole value where
    /// escapes make the two disagree.
    pub fn inside(&self, range: Range<usize>) -> Place {
        let Value::String(text) = &self.value else { return self.place.clone() };
        let raw = self.place.file.text.get(self.place.span.clone()).unwrap_or("");
        let Some(at) = ["\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'"]
            .iter()
            .find(|q| raw.starts_with(**q))
            .map(|q| q.len())
            .filter(|at| raw.get(*at..).is_some_and(|r| r.starts_with(text.as_str())))
        else {
            return self.place.clone();
        };
        let start = self.place.span.start + at;
        let end = range.end.min(text.len());
        Place { file: self.place.file.clone(), span: start + range.start.min(end)..start + end }
    }

    /// The value as it stands in its file, on one line, for messages; tables as `{ .. }`.
    pub fn text(&self) -> String {
        match &self.value {
            Value::String(text) => format!("{text:?}"),
            Value::Integer(n) => n.to_string(),
            Value::Float(n) => n.to_string(),
            Value::Bool(b) => b.to_string(),
            Value::Datetime(text) => text.clone(),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(Node::text).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Table(table) => {
                let items: Vec<_> =
                    table.entries.iter().map(|e| format!("{} = {}", e.key, e.node.text())).collect();
                format!("{{ {} }}", items.join(", "))
            }
        }
    }
}

/// Reads a file: what could be read, and every syntax error.
///
/// After errors the table is incomplete and good only for finding out whose
/// recipe it was meant to be.
pub fn read(file: &Arc<SourceFile>) -> (Table, Vec<Finding>) {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    let table = convert_table(file, table.get_ref());
    let findings = if errors.is_empty() { Vec::new() } else { syntax_findings(file, &table, &errors) };
    (table, findings)
}

/// The folder of a `path` source, so that a loader knows which
/// `pyproject.toml` to hand over beside the text.
pub fn path_source_dir(table: &Table) -> Option<String> {
    let source = table.get("source")?;
    let one = match &source.value {
        Value::Array(items) => items.iter().find_map(|n| n.as_table()?.str("path")),
        Value::Table(table) => table.str("path"),
        _ => None,
    };
    one.map(str::to_owned)
}

fn convert_table(file: &Arc<SourceFile>, table: &DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().clone().into_owned(),
            key_place: Place { file: file.clone(), span: key.span() },
            node: convert(file, value.get_ref(), value.span()),
        })
        .collect();
    entries.sort_by_key(|e| e.key_place.span.start);
    Table { entries }
}

fn convert(file: &Arc<SourceFile>, value: &DeValue<'_>, span: Range<usize>) -> Node {
    let value = match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        // A number beyond 64 bits becomes a float, which no key takes.
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
            .map_or_else(|_| Value::Float(f64::INFINITY), Value::Integer),
        DeValue::Float(n) => Value::Float(n.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Datetime(d) => Value::Datetime(d.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|i| convert(file, i.get_ref(), i.span())).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(file, table)),
    };
    Node { value, place: Place { file: file.clone(), span } }
}

/// One finding a line, first errors first; what merely follows from an
/// unclosed list is left out.
fn syntax_findings(file: &Arc<SourceFile>, table: &Table, errors: &[toml::de::Error]) -> Vec<Finding> {
    let mut errors: Vec<(Range<usize>, &str)> =
        errors.iter().map(|e| (e.span().unwrap_or(0..0), e.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);

    let mut findings = Vec::new();
    if errors.iter().any(|(_, m)| m.contains("unclosed array"))
        && let Some(open) = unclosed_list(table)
    {
        errors.retain(|(span, _)| span.start < open.span.start);
        findings.push(
            Finding::error(codes::SYNTAX, open, "a list that is opened with `[` is not closed")
                .hint("write `]` after its last item"),
        );
    }
    let mut last_line = 0;

    for (span, message) in errors {
        let place = Place { file: file.clone(), span };
        let (line, _) = place.line_col();
        if line != last_line {
            findings.push(syntax_finding(place, message, table));
        }

        last_line = line;
    }
    findings.sort_by_key(|f| f.place.as_ref().map_or(0, |p| p.span.start));
    findings
}

/// The `[` of a list that runs to the end of the text.
fn unclosed_list(table: &Table) -> Option<Place> {
    let open = |node: &Node| {
        let raw = node.place.file.text.get(node.place.span.clone()).unwrap_or("");
        raw.starts_with('[') && (raw == "[" || !raw.ends_with(']'))
    };
    table.entries.iter().find_map(|entry| match &entry.node.value {
        Value::Array(_) if open(&entry.node) => {
            let start = entry.node.place.span.start;
            Some(Place { span: start..start + 1, ..entry.node.place.clone() })
        }
        Value::Table(inner) => unclosed_list(inner),
        _ => None,
    })
}

fn syntax_finding(place: Place, message: &str, table: &Table) -> Finding {
    let marked = place.file.text.get(place.span.clone()).unwrap_or("").to_owned();
    if message == "duplicate key" {
        let finding = Finding::error(
            codes::DUPLICATE_KEY,
            place.clone(),
            format!("`{}` is written twice", marked.trim()),
        );
        let mut others = Vec::new();
        places_of(table, marked.trim(), &mut others);
        others.retain(|other| *other != place);
        return match others.as_slice() {
            [other] => {
                finding.hint(format!("it is already on line {}; keep one of the two", other.line_col().0))
            }
            _ => finding.hint("keep one of the two"),
        };
    }
    let finding = Finding::error(codes::SYNTAX, place.clone(), message);
    let line = place.file.text[..place.span.start.min(place.file.text.len())].lines().last().unwrap_or("");
    if message.starts_with("invalid float") || message.starts_with("invalid integer") {
        let finding = Finding { message: "this is not a number".to_owned(), ..finding };
        return finding.hint("text such as a version stands in quotes: `version = \"1.2.3\"`");
    }

    if message.starts_with("string values must be quoted") || message.starts_with("invalid boolean") {
        return unquoted(finding, &place);
    }
    if message.contains("invalid basic string") && line.matches('"').count() == 1 {
        return finding.hint("close the string with `\"`");
    }
    finding
}

/// A value that is none: missing, or a word without quotes.
fn unquoted(finding: Finding, place: &Place) -> Finding {
    let rest = place.file.text.get(place.span.start..).unwrap_or("").lines().next().unwrap_or("").trim();
    if rest.is_empty() || rest.starts_with('#') {
        return Finding { message: "the value is missing".to_owned(), ..finding }
            .hint("write a string (`\"..\"`), a list (`[..]`), `true`, `false` or a number");
    }
    let word = rest.split([',', ']', '}', '#']).next().unwrap_or("").trim();
    let finding = Finding { message: format!("`{word}` is not a value: text stands in quotes"), ..finding };
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => finding.hint("write `true`"),
        "false" | "no" | "off" => finding.hint("write `false`"),
        lower => match ["true", "false"].into_iter().find(|b| letters(b) == letters(lower)) {
            Some(near) => finding.label(format!("did you mean `{near}`?")),
            None => finding.hint(format!("write `{word:?}`")),
        },
    }
}

/// The letters of a word, sorted: equal for `flase` and `false`.
fn letters(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}

fn places_of(table: &Table, key: &str, out: &mut Vec<Place>) {
    for entry in &table.entries {
        if entry.key == key {
            out.push(entry.key_place.clone());
        }
        if let Value::Table(inner) = &entry.node.value {
            places_of(inner, key, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { path: "a.toml".into(), text: text.into() })
    }

    #[test]
    fn keys_come_in_the_order_of_the_text() {
        let (table, findings) = read(&file("b = 1\na.x = 2\n[z]\n[y]\nq = [1, {k = 2}]\n"));
        assert_eq!(findings, []);
        let keys: Vec<_> = table.entries.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(keys, ["b", "a", "z", "y"]);
        assert_eq!(table.table("y").unwrap().get("q").unwrap().text(), "[1, { k = 2 }]");
    }

    #[test]
    fn bytes_inside_a_string_have_a_place() {
        for (text, shown) in [
            ("a = \"xyz\"", "y"),
            ("a = 'xyz'", "y"),
            ("a = \"\"\"\nxyz\"\"\"", "y"),
            ("a = '''xyz'''", "y"),
            // Escapes: the whole value.
            ("a = \"x\\u0079z\"", "\"x\\u0079z\""),
        ] {
            let (table, _) = read(&file(text));
            let place = table.get("a").unwrap().inside(1..2);
            assert_eq!(&text[place.span], shown);
        }
    }

    #[test]
    fn the_folder_of_a_path_source() {
        let dir = |text: &str| path_source_dir(&read(&file(text)).0);
        assert_eq!(dir("source.path = '../x'"), Some("../x".to_owned()));
        assert_eq!(dir("[[source]]\npypi = 'a'\n[[source]]\npath = '.'\n"), Some(".".to_owned()));
        assert_eq!(dir("[source]\npypi = 'a'\n"), None);
        assert_eq!(dir(""), None);
    }

    #[test]
    fn values_that_are_none() {
        let render = |text: &str| read(&file(text)).1.iter().map(Finding::render).collect::<String>();
        let out =
            ["a =\n", "a = True\n", "a = flase # x\n", "a = [foo, 1]\n", "a = 1.2.3\n"].map(render).concat();
        expect_test::expect![[r#"
            error[W001] a.toml:1:4: the value is missing
             1 | a =
               |    ^
              hint: write a string (`".."`), a list (`[..]`), `true`, `false` or a number
            error[W001] a.toml:1:5: `True` is not a value: text stands in quotes
             1 | a = True
               |     ^^^^
              hint: write `true`
            error[W001] a.toml:1:5: `flase` is not a value: text stands in quotes
             1 | a = flase # x
               |     ^^^^^ did you mean `false`?
            error[W001] a.toml:1:6: `foo` is not a value: text stands in quotes
             1 | a = [foo, 1]
               |      ^^^
              hint: write `"foo"`
            error[W001] a.toml:1:8: this is not a number
             1 | a = 1.2.3
               |        ^^
              hint: text such as a version stands in quotes: `version = "1.2.3"`
        "#]]
        .assert_eq(&out);
    }
}
