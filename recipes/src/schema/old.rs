//! Older spellings: nixpkgs' names from before its modern ones.
//!
//! Knows where they moved. Moved values keep their places.
//! Must never be written by us.

use super::check::lint_at;
use super::{Field, Old, kebab};
use crate::codes;
use crate::diag::Finding;
use crate::node::{Entry, Node, Table, Value};

/// The field an old or camelCase key of the same table means.
pub(super) fn here(fields: &'static [Field], key: &str) -> Option<&'static Field> {
    let kebab = kebab(key);
    fields.iter().find(|f| {
        f.key == kebab && key != kebab && !key.contains('_')
            || f.old.iter().any(|o| matches!(o, Old::Here(old) if *old == kebab))
    })
}

pub(super) fn lint(entry: &Entry, modern: &str, fix: &str) -> Finding {
    lint_at(entry, format!("`{}` is an older spelling of `{modern}`", entry.key)).hint(fix)
}

pub(super) fn said_twice(old: &Entry, modern: &Entry) -> Finding {
    Finding::error(
        codes::SAID_TWICE,
        old.key_place.clone(),
        format!("`{}` and `{}` say the same thing", old.key, modern.key),
    )
    .hint(format!("keep `{}` (line {})", modern.key, modern.key_place.line_col().0))
}

/// Moves old keys that used to stand outside any table to where they belong.
pub(super) fn modernise(table: &mut Table, root: &'static [Field], findings: &mut Vec<Finding>) {
    let mut at = 0;
    while at < table.entries.len() {
        if super::find(root, &table.entries[at].key).is_none()
            && let Some((section, field, old)) = top(root, &table.entries[at].key)
        {
            let entry = table.entries.remove(at);
            move_entry(table, entry, (section, field, old), findings);
        } else {
            at += 1;
        }
    }
}

/// The section (if any), the field and the kind of old spelling.
type Target = (Option<&'static str>, &'static Field, Old);

fn top(root: &'static [Field], key: &str) -> Option<Target> {
    let kebab = kebab(key);
    let is = |old: &Old| old.key() == kebab && !matches!(old, Old::Here(_));
    for field in root {
        if let Some(old) = field.old.iter().find(|o| is(o)) {
            return Some((None, field, *old));
        }
        for inner in field.takes.fields().unwrap_or(&[]) {
            if let Some(old) = inner.old.iter().find(|o| is(o)) {
                return Some((Some(field.key), inner, *old));
            }
        }
    }
    None
}

fn move_entry(table: &mut Table, entry: Entry, target: Target, findings: &mut Vec<Finding>) {
    let (section, field, old) = target;
    let modern = section.map_or_else(|| field.key.to_owned(), |s| format!("{s}.{}", field.key));
    let fix = match section {
        Some(section) => format!("write `{}` in `[{section}]`", field.key),
        None => format!("write `{}`", field.key),
    };
    let with = |key: &str, value: Value| Entry {
        key: key.to_owned(),
        key_place: entry.key_place.clone(),
        node: Node { value, place: entry.node.place.clone() },
    };
    let moved = match (old, &entry.node.value) {
        (Old::TopNot(_), Value::Bool(b)) => {
            findings.push(lint(&entry, &modern, &format!("{fix}, with the opposite sense")));
            with(field.key, Value::Bool(!b))
        }
        (Old::TopPyproject(_), Value::Bool(b)) => {
            let word = if *b { "pyproject" } else { "other" };
            findings.push(lint(&entry, &modern, &format!("write `format = \"{word}\"`")));
            with(field.key, Value::String(word.to_owned()))
        }
        (Old::TopListOrAll(_), Value::Bool(b)) => {
            findings.push(lint(&entry, &format!("{}.all", section.unwrap_or("")), "write `all = true`"));
            with("all", Value::Bool(*b))
        }
        (Old::TopWrapperArgs(_), Value::Array(items)) => {
            findings.push(lint(&entry, "[wrap]", "write its operations as keys of `[wrap]`"));
            return wrapper_args(table, &entry, items, findings);
        }
        _ => {
            findings.push(lint(&entry, &modern, &fix));
            with(field.key, entry.node.value.clone())
        }
    };
    if let Some(table) = section_of(table, section, &entry) {
        put(table, moved, &entry, findings);
    }
}

/// The table of a section, made if it is not there; `None` when something
/// else stands there (which the field table reports, or several sources).
fn section_of<'t>(table: &'t mut Table, section: Option<&str>, because: &Entry) -> Option<&'t mut Table> {
    let Some(section) = section else { return Some(table) };
    if table.get(section).is_none() {
        table.entries.push(Entry {
            key: section.to_owned(),
            key_place: because.key_place.clone(),
            node: Node { value: Value::Table(Table::default()), place: because.node.place.clone() },
        });
    }
    match &mut table.get_mut(section)?.value {
        Value::Table(inner) => Some(inner),
        _ => None,
    }
}

/// Adds a moved entry: lists are joined, anything else may be said once.
fn put(table: &mut Table, moved: Entry, old: &Entry, findings: &mut Vec<Finding>) {
    let Some(at) = table.entries.iter().position(|e| e.key == moved.key) else {
        table.entries.push(moved);
        return;
    };
    match (&mut table.entries[at].node.value, moved.node.value) {
        (Value::Array(items), Value::Array(more)) => items.extend(more),

        _ => {
            // The error says all that the lint just pushed would.
            findings.pop_if(|f| f.place.as_ref() == Some(&old.key_place) && f.code == codes::OLD_SPELLING);
            findings.push(said_twice(old, &table.entries[at]));
        }
    }
}

/// makeWrapper's arguments as `[wrap]`; each list item may hold several words.
fn wrapper_args(table: &mut Table, entry: &Entry, items: &[Node], findings: &mut Vec<Finding>) {
    let mut words: Vec<(String, &Node)> = Vec::new();
    for item in items {
        let text = item.as_str().unwrap_or("");
        let parts = if text.starts_with("--") { shell_words(text) } else { vec![text.to_owned()] };
        words.extend(parts.into_iter().map(|w| (w, item)));
    }
    let mut words = words.into_iter().peekable();
    while let Some((flag, node)) = words.next() {
        let name = flag.trim_start_matches("--").to_owned();
        let wanted = match name.as_str() {
            "set" | "set-default" | "add-flags" | "append-flags" | "add-flag" | "append-flag" | "chdir"
            | "run" | "unset" => 1 + usize::from(name.starts_with("set")),
            "prefix" | "suffix" => 3,
            _ => usize::MAX,
        };
        let mut args = Vec::new();
        while args.len() < wanted && wanted != usize::MAX {
            let Some((word, _)) = words.next() else { break };
            args.push(word);
        }
        if args.len() != wanted {
            findings.push(
                Finding::error(
                    codes::BAD_WRAP,
                    node.place.clone(),
                    format!("`{flag}` is not a wrapper argument that can be read here"),
                )
                .hint("known: --set, --set-default, --unset, --prefix, --suffix, --chdir, --run, --add-flags, --append-flags"),
            );
            return;
        }
        let Some(wrap) = section_of(table, Some("wrap"), entry) else { return };
        put_operation(wrap, &name, args, node, findings);
    }
}

fn put_operation(wrap: &mut Table, name: &str, args: Vec<String>, node: &Node, findings: &mut Vec<Finding>) {
    let at = |value: Value| Node { value, place: node.place.clone() };
    let entry = |key: &str, value: Value| Entry {
        key: key.to_owned(),
        key_place: node.place.clone(),
        node: Node { value, place: node.place.clone() },
    };
    let text = |s: &String| at(Value::String(s.clone()));
    let (key, inner) = match name {
        "set" | "set-default" => (name, Some(entry(&args[0], Value::String(args[1].clone())))),
        "prefix" | "suffix" => {
            let values = entry("values", Value::Array(vec![text(&args[2])]));
            let sep = entry("sep", Value::String(args[1].clone()));
            (name, Some(entry(&args[0], Value::Table(Table { entries: vec![sep, values] }))))
        }
        _ => (name, None),
    };
    let new = match (key, inner) {
        (key, Some(inner)) => {
            if let Some(map) = section_of(wrap, Some(key), &entry(key, Value::Bool(true))) {
                join_affix(map, inner, findings);
            }
            return;
        }
        ("chdir", None) => entry("chdir", Value::String(args[0].clone())),
        ("add-flags" | "append-flags", None) => {
            let words = args[0].split_whitespace().map(|w| at(Value::String(w.to_owned()))).collect();
            entry(key, Value::Array(words))
        }
        (_, None) => {
            let key = if key.ends_with("-flag") { format!("{key}s") } else { key.to_owned() };
            entry(&key, Value::Array(vec![text(&args[0])]))
        }
    };
    let old = new.clone();
    put(wrap, new, &old, findings);
}

/// A second `--prefix` of one variable adds its values to the first.
fn join_affix(map: &mut Table, new: Entry, findings: &mut Vec<Finding>) {
    let more =
        new.node.as_table().and_then(|t| t.get("values")).and_then(Node::as_array).map(<[Node]>::to_vec);
    if let (Some(more), Some(Value::Table(old))) = (more, map.get_mut(&new.key).map(|n| &mut n.value))
        && let Some(Value::Array(values)) = old.get_mut("values").map(|n| &mut n.value)
    {
        values.extend(more);
        return;
    }
    let old = new.clone();
    put(map, new, &old, findings);
}

/// Words as a shell splits them: blanks, single and double quotes.
fn shell_words(text: &str) -> Vec<String> {
    let (mut out, mut word, mut open, mut started) = (Vec::new(), String::new(), None, false);
    for c in text.chars() {
        match (c, open) {
            ('\'' | '"', None) => (open, started) = (Some(c), true),
            (c, Some(q)) if c == q => open = None,
            (c, None) if c.is_whitespace() => {
                if started {
                    out.push(std::mem::take(&mut word));
                }
                started = false;
            }
            _ => {
                word.push(c);
                started = true;
            }
        }
    }
    if started {
        out.push(word);
    }
    out
}
