//! A table against the field table: unknown keys, wrong types, old spellings.
//!
//! Knows shapes only; what a value means is for [`crate::parse`].
//! Must never give a recipe.

use super::{Field, Type, find, old};
use crate::codes;
use crate::diag::{Finding, Severity, did_you_mean};
use crate::node::{Entry, Node, Table, Value};

/// What is the same for a whole file.
struct Walk<'f> {
    root: &'static [Field],
    /// Lists may be `{ append, remove }`.
    extends: bool,
    findings: &'f mut Vec<Finding>,
}

/// Which key is looked at: text only when there is something to say of it.
#[derive(Clone, Copy)]
struct Path<'p> {
    above: Option<&'p Path<'p>>,
    key: &'p str,
    /// Lists that the value is an item of.
    items: usize,
}

impl<'p> Path<'p> {
    const TOP: Self = Self { above: None, key: "", items: 0 };

    fn to(&'p self, key: &'p str) -> Self {
        Self { above: Some(self), key, items: 0 }
    }

    fn item(self) -> Self {
        Self { items: self.items + 1, ..self }
    }

    /// `source.hash`, and of an item `source[]`.
    fn text(&self) -> String {
        let above = self.above.map_or(String::new(), Path::text);
        join(&above, self.key) + &"[]".repeat(self.items)
    }
}

/// Checks a whole file's table, moving old spellings to where they belong.
pub(crate) fn check(table: &mut Table, root: &'static [Field], findings: &mut Vec<Finding>) {
    old::modernise(table, root, findings);
    let extends = table.get("extends").is_some_and(|n| n.value != Value::Bool(false));
    Walk { root, extends, findings }.table(table, root, Path::TOP);
}

impl Walk<'_> {
    fn table(&mut self, table: &mut Table, fields: &'static [Field], path: Path<'_>) {
        for at in 0..table.entries.len() {
            let field = match find(fields, &table.entries[at].key) {
                Some(field) => field,
                None => match self.old_key(table, at, fields) {
                    Some(field) => field,
                    None => {
                        self.unknown(&table.entries[at], fields, &path.text());
                        continue;
                    }
                },
            };
            self.node(&mut table.entries[at].node, &field.takes, path.to(field.key));
        }
    }

    /// Renames an old or camelCase key in place.
    fn old_key(&mut self, table: &mut Table, at: usize, fields: &'static [Field]) -> Option<&'static Field> {
        let entry = &table.entries[at];
        let field = old::here(fields, &entry.key)?;
        if let Some(modern) = table.entry(field.key) {
            self.findings.push(old::said_twice(entry, modern));
        } else {
            self.findings.push(old::lint(entry, field.key, &format!("write `{}`", field.key)));
            table.entries[at].key = field.key.to_owned();
        }
        Some(field)
    }

    fn unknown(&mut self, entry: &Entry, fields: &'static [Field], path: &str) {
        let key = &entry.key;
        let place = entry.key_place.clone();
        let finding = |message: String| Finding::error(codes::UNKNOWN_KEY, place.clone(), message);
        let in_table = if path.is_empty() { String::new() } else { format!(" in `[{path}]`") };
        if !path.is_empty() && find(self.root, key).is_some() {
            self.findings.push(
                finding(format!("unknown key `{key}`{in_table}"))
                    .label(format!("below `[{path}]` it belongs to that table"))
                    .hint(format!("move `{key}` above the first `[table]` of the file")),
            );
            return;
        }
        let kebab = super::kebab(key);
        if let Some(near) = did_you_mean(&kebab, fields.iter().map(|f| f.key)) {
            self.findings.push(
                finding(format!("unknown key `{key}`{in_table}"))
                    .label(format!("did you mean `{near}`?"))
                    .hint(format!("write `{near}`")),
            );
            return;
        }
        let finding = finding(format!("unknown key `{key}`{in_table}"));
        let homes: Vec<_> = self
            .root
            .iter()
            .filter(|f| f.takes.fields().is_some_and(|inner| find(inner, &kebab).is_some()))
            .map(|f| format!("`[{}]`", f.key))
            .collect();
        self.findings.push(if let Some(advice) = advice(&kebab) {
            finding.hint(advice)
        } else if homes.is_empty() {
            let keys: Vec<_> = fields.iter().map(|f| f.key).collect();
            let owner =
                if path.is_empty() { "known here".to_owned() } else { format!("known in `[{path}]`") };
            finding.hint(format!("{owner}: {}", keys.join(", ")))
        } else {
            finding.hint(format!("`{kebab}` belongs in {}", homes.join(" or ")))
        });
    }

    fn node(&mut self, node: &mut Node, takes: &Type, path: Path<'_>) {
        if takes.is_list() && edit_of(node).is_some() {
            return self.edit(node, takes, path);
        }
        let Some(fitting) = fitting(takes, node) else {
            self.findings.push(wrong_type(node, takes, &path.text()));
            return;
        };
        match (&mut node.value, fitting) {
            (Value::Integer(n), Type::Count) if *n < 0 => self.findings.push(Finding::error(
                codes::OUT_OF_RANGE,
                node.place.clone(),
                format!("`{}` is negative", path.text()),
            )),
            (Value::String(text), Type::Choice(words)) if !words.contains(&text.as_str()) => {
                let finding = wrong_choice(node, words, &path.text());
                self.findings.push(finding);
            }
            (Value::Array(items), Type::List(inner)) => {
                for item in items {
                    self.node(item, inner, path.item());
                }
            }
            (Value::Array(items), Type::Requirements) => {
                for item in items {
                    self.node(item, &Type::Text, path.item());
                }
            }
            (Value::Table(table), Type::Fields(fields)) => {
                self.table(table, fields, Path { items: 0, ..path })
            }
            (Value::Table(table), Type::Map(inner)) => {
                for entry in &mut table.entries {
                    self.node(&mut entry.node, inner, path.to(&entry.key));
                }
            }
            _ => {}
        }
    }

    /// `{ append = [..], remove = [..] }` in the place of a list.
    fn edit(&mut self, node: &mut Node, takes: &Type, path: Path<'_>) {
        if !self.extends {
            self.findings.push(
                Finding::error(
                    codes::NOT_EXTENDING,
                    node.place.clone(),
                    format!(
                        "`{}` appends to or removes from a list, but the recipe extends none",
                        path.text()
                    ),
                )
                .hint("write the whole list, or say `extends = true` at the top of the file"),
            );
            return;
        }
        let Value::Table(table) = &mut node.value else { return };
        for entry in &mut table.entries {
            let name = path.to(&entry.key);
            let takes = if entry.key == "remove" { &Type::List(&Type::Text) } else { takes };
            if matches!(entry.node.value, Value::Array(_)) {
                self.node(&mut entry.node, takes, name);
            } else {
                let finding = wrong_type(&entry.node, &Type::List(&Type::Text), &name.text());
                self.findings.push(finding);
            }
        }
    }
}

/// The table of `{ append, remove }`, when a value is that and nothing else.
pub(crate) fn edit_of(node: &Node) -> Option<&Table> {
    node.as_table().filter(|t| {
        !t.entries.is_empty() && t.entries.iter().all(|e| matches!(e.key.as_str(), "append" | "remove"))
    })
}

/// The alternative of a type that a value has the outer form of.
fn fitting<'t>(takes: &'t Type, node: &Node) -> Option<&'t Type> {
    let fits = match (takes, &node.value) {
        (Type::AnyOf(types), _) => return types.iter().find_map(|t| fitting(t, node)),
        (Type::Text | Type::Choice(_), Value::String(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Count, Value::Integer(_))
        | (Type::List(_) | Type::Requirements, Value::Array(_))
        | (Type::Fields(_) | Type::Map(_), Value::Table(_)) => true,
        _ => false,
    };
    fits.then_some(takes)
}

fn wrong_choice(node: &Node, words: &[&str], path: &str) -> Finding {
    let text = node.as_str().unwrap_or("");
    let all: Vec<_> = words.iter().map(|w| format!("`\"{w}\"`")).collect();
    let finding =
        Finding::error(codes::WRONG_CHOICE, node.place.clone(), format!("`{path}` cannot be `\"{text}\"`"));
    let finding = match did_you_mean(text, words.iter().copied()) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding,
    };
    if path == "format" && matches!(text, "setuptools" | "flit" | "poetry") {
        return finding.hint("write `format = \"pyproject\"` (the default): it builds any PEP 517 project, and a lone setup.py too");
    }
    finding.hint(format!("it can be {}", all.join(" or ")))
}

fn wrong_type(node: &Node, takes: &Type, path: &str) -> Finding {
    let subject = match path.strip_suffix("[]") {
        Some(list) => format!("an item of `{list}`"),
        None => format!("`{path}`"),
    };
    let key = path.trim_end_matches("[]").rsplit('.').next().unwrap_or(path);
    let finding = Finding::error(
        codes::WRONG_TYPE,
        node.place.clone(),
        format!("{subject} is {}, but must be {}", node.kind(), takes.expected()),
    )
    .label(format!("expected {}", takes.expected()));
    match fix(node, takes, key, path.ends_with("[]")) {
        Some(fix) => finding.hint(format!("write `{fix}`")),
        None => match takes.fields() {
            Some(fields) => {
                let keys: Vec<_> = fields.iter().map(|f| f.key).collect();
                finding.hint(format!("a table with some of: {}", keys.join(", ")))
            }
            None => finding,
        },
    }
}

/// What the author most likely meant, as TOML.
fn fix(node: &Node, takes: &Type, key: &str, item: bool) -> Option<String> {
    let raw = node.place.file.text.get(node.place.span.clone())?;
    let value = match (&node.value, takes) {
        // Quotes round `true` would only make another mistake of it.
        (Value::Bool(_), Type::AnyOf(_)) => return None,
        (_, Type::AnyOf(types)) => return types.iter().find_map(|t| fix(node, t, key, item)),

        (Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Datetime(_), Type::Text) => {
            format!("\"{raw}\"")
        }
        (Value::String(_), Type::List(Type::Text) | Type::Requirements) => format!("[{raw}]"),
        (Value::String(text), Type::Bool) => match text.as_str() {
            "true" | "yes" | "on" | "1" => "true".to_owned(),
            "false" | "no" | "off" | "0" => "false".to_owned(),
            _ => return None,
        },
        (Value::String(text), Type::Count) => text.trim().parse::<u32>().ok()?.to_string(),
        (Value::Integer(n @ (0 | 1)), Type::Bool) => (*n == 1).to_string(),
        (Value::Array(items), Type::Text) => match items.as_slice() {
            [one] => format!("{:?}", one.as_str()?),
            _ => return None,
        },
        _ => return None,
    };
    Some(if item { value } else { format!("{key} = {value}") })
}

/// Advice for keys of nixpkgs that have no counterpart of the same shape.
fn advice(kebab: &str) -> Option<&'static str> {
    Some(match kebab {
        "build-inputs" => {
            "libraries to link are declared in `[external]`, `host-requires = [\"pkg:generic/NAME\"]`"
        }
        "disabled" => "say which interpreters the recipe is for: `requires-python = \">=3.9\"`",
        "source-root" => "name the folder in `[source]`: `subdirectory = \"...\"`",
        "name" => "a recipe has `pname` and `version`",
        "pypa-build-flags" => "PEP 517 settings are in `[build.config-settings]`",
        "overlay" | "override" => "an overlay's recipe says `extends = true`",
        "passthru" => "there is no passthru; words about the package go into `[meta]`",
        _ => return None,
    })
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A lint at an entry's key.
pub(super) fn lint_at(entry: &Entry, message: String) -> Finding {
    Finding::error(codes::OLD_SPELLING, entry.key_place.clone(), message).with_severity(Severity::Lint)
}
