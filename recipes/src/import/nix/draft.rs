//! A recipe in the making, and the account of what went into it.
//!
//! Knows TOML and that no attribute may be lost. Must never know what an
//! attribute means.

use std::collections::BTreeSet;

use super::eval::Eval;
use super::value::{Attr, Value};
use crate::diag::Place;
use crate::import::{Todo, comments};

/// A requirement that is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// Name and specifiers (`cython<3`).
    pub(super) project: String,
    pub(super) extras: Vec<String>,
    pub(super) marker: Option<String>,
}

impl Need {
    pub(super) fn of(project: &str) -> Self {
        Self { project: project.to_owned(), extras: Vec::new(), marker: None }
    }

    pub(super) fn text(&self) -> String {
        let end = self.project.find(['<', '>', '=', '!', '~']).unwrap_or(self.project.len());
        let (name, specifiers) = self.project.split_at(end);
        let extras =
            if self.extras.is_empty() { String::new() } else { format!("[{}]", self.extras.join(",")) };
        let marker = self.marker.as_ref().map(|m| format!("; {m}")).unwrap_or_default();
        format!("{name}{extras}{specifiers}{marker}")
    }
}

/// Adds a requirement to others; extras of one project are asked for together.
pub(super) fn join(all: &mut Vec<Need>, need: Need) {
    match all.iter_mut().find(|n| n.project == need.project && n.marker == need.marker) {
        Some(old) => {
            for extra in need.extras {
                if !old.extras.contains(&extra) {
                    old.extras.push(extra);
                }
            }
        }
        None => all.push(need),
    }
}

/// See the module.
pub(super) struct Draft<'e, 'a> {
    pub(super) eval: &'e Eval<'a>,
    /// From the recipe's folder to that of the files' names.
    pub(super) base: &'e str,
    pub(super) application: bool,
    pub(super) pname: String,
    pub(super) version: String,
    /// Tables in order of first use, and their keys; the root is `""`.
    tables: Vec<(String, Vec<(String, String)>)>,
    pub(super) sources: Vec<Vec<(String, String)>>,
    /// Lists of requirements by table and key.
    needs: Vec<((String, String), Vec<Need>)>,
    /// Lists of strings by table and key.
    lists: Vec<((String, String), Vec<String>)>,
    pub(super) attributes: BTreeSet<String>,
    pub(super) carried: BTreeSet<String>,
    pub(super) todos: Vec<Todo>,
    /// Packages made in the middle of this one.
    pub(super) inner: Vec<Value>,
    pub(super) runner: Option<&'static str>,
    pub(super) tests_off: bool,
}

pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { text.to_owned() } else { quote(text) }
}

pub(super) fn list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|i| quote(i)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A text of several lines, as it stands where TOML lets it.
pub(super) fn block(text: &str) -> String {
    let plain = !text.contains("'''")
        && !text.ends_with('\'')
        && !text.chars().any(|c| c.is_control() && !"\n\t".contains(c));
    if plain && (text.contains('\n') || text.contains('\\')) {
        return format!("'''\n{}\n'''", text.trim_end_matches('\n'));
    }
    quote(text)
}

impl<'e, 'a> Draft<'e, 'a> {
    pub(super) fn new(eval: &'e Eval<'a>, base: &'e str, application: bool) -> Self {
        Self {
            eval,
            base,
            application,
            pname: String::new(),
            version: String::new(),
            tables: vec![(String::new(), Vec::new())],
            sources: Vec::new(),
            needs: Vec::new(),
            lists: Vec::new(),
            attributes: BTreeSet::new(),
            carried: BTreeSet::new(),
            todos: Vec::new(),
            inner: Vec::new(),
            runner: None,
            tests_off: false,
        }
    }

    pub(super) fn force(&self, attr: &Attr) -> Value {
        attr.thunk.force(self.eval)
    }

    /// Says that the recipe has an attribute.
    pub(super) fn carry(&mut self, attribute: &str) {
        self.carried.insert(attribute.to_owned());
    }

    /// Says that the recipe lacks (some of) an attribute.
    pub(super) fn todo(&mut self, attribute: &str, place: &Place, why: impl Into<String>) {
        let todo = Todo { attribute: attribute.to_owned(), why: why.into(), place: place.clone() };
        self.todos.push(todo);
    }

    fn table(&mut self, name: &str) -> &mut Vec<(String, String)> {
        let at = match self.tables.iter().position(|(n, _)| n == name) {
            Some(at) => at,
            None => {
                self.tables.push((name.to_owned(), Vec::new()));
                self.tables.len() - 1
            }
        };
        &mut self.tables[at].1
    }

    /// Sets a key (perhaps `env.NAME`) to a TOML value.
    pub(super) fn set(&mut self, table: &str, path: &[&str], value: String) {
        let name = path.iter().map(|p| key(p)).collect::<Vec<_>>().join(".");
        let table = self.table(table);
        match table.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => table.push((name, value)),
        }
    }

    /// Sets a key unless it is set.
    pub(super) fn set_default(&mut self, table: &str, name: &str, value: &str) {
        if !self.table(table).iter().any(|(n, _)| n == name) {
            self.text(table, name, value);
        }
    }

    pub(super) fn text(&mut self, table: &str, key: &str, value: &str) {
        self.set(table, &[key], quote(value));
    }

    /// Adds to a list of strings; an empty list is one, too.
    pub(super) fn extend(&mut self, table: &str, key: &str, items: Vec<String>) {
        let at = (table.to_owned(), key.to_owned());
        match self.lists.iter_mut().find(|(k, _)| *k == at) {
            Some((_, all)) => all.extend(items),
            None => self.lists.push((at, items)),
        }
    }

    /// Adds to a list what it does not hold yet.
    pub(super) fn add(&mut self, table: &str, key: &str, item: &str) {
        let here = |((t, k), all): &((String, String), Vec<String>)| {
            t == table && k == key && all.iter().any(|i| i == item)
        };
        if !self.lists.iter().any(here) {
            self.extend(table, key, vec![item.to_owned()]);
        }
    }

    pub(super) fn has_list(&self, table: &str, key: &str) -> bool {
        self.lists.iter().any(|((t, k), all)| t == table && k == key && !all.is_empty())
    }

    /// Takes out the lists that were collected under a name of our own.
    pub(super) fn take_lists(&mut self, table: &str) -> Vec<(String, Vec<String>)> {
        let (taken, kept) = std::mem::take(&mut self.lists).into_iter().partition(|((t, _), _)| t == table);
        self.lists = kept;
        let taken: Vec<((String, String), Vec<String>)> = taken;
        taken.into_iter().map(|((_, key), all)| (key, all)).collect()
    }

    /// The requirements of a list, so far.
    pub(super) fn needs(&self, table: &str, key: &str) -> &[Need] {
        self.needs.iter().find(|((t, k), _)| t == table && k == key).map_or(&[], |(_, all)| all)
    }

    /// Adds a requirement.
    pub(super) fn need(&mut self, table: &str, key: &str, need: Need) {
        let at = (table.to_owned(), key.to_owned());
        let all = match self.needs.iter().position(|(k, _)| *k == at) {
            Some(found) => &mut self.needs[found].1,
            None => {
                self.needs.push((at, Vec::new()));
                &mut self.needs.last_mut().expect("it was pushed").1
            }
        };
        join(all, need);
    }

    /// Whether a key of the root has this text.
    pub(super) fn says(&self, key: &str, value: &str) -> bool {
        self.tables[0].1.iter().any(|(k, v)| k == key && *v == quote(value))
    }

    /// Whether nothing is built: the source is a wheel.
    pub(super) fn is_wheel(&self) -> bool {
        self.says("format", "wheel")
    }

    /// Takes out requirements, with the list they were in.
    pub(super) fn take_needs(&mut self, which: impl Fn(&Need) -> bool) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for ((_, key), all) in &mut self.needs {
            all.retain(|need| {
                let taken = which(need);
                if taken {
                    out.push((key.clone(), need.text()));
                }
                !taken
            });
        }
        out
    }

    /// Makes sure that a list of requirements is there.
    pub(super) fn begin_needs(&mut self, table: &str, key: &str) {
        if !self.needs.iter().any(|((t, k), _)| t == table && k == key) {
            self.needs.push(((table.to_owned(), key.to_owned()), Vec::new()));
        }
    }

    /// The recipe's text, not yet laid out.
    pub(super) fn written(&mut self) -> String {
        for ((table, key), all) in std::mem::take(&mut self.needs) {
            let texts: Vec<String> = all.iter().map(Need::text).collect();
            // An empty list says something of an extra only.
            if !texts.is_empty() || table == "optional-dependencies" {
                self.set(&table, &[&key], list(&texts));
            }
        }
        for ((table, key), all) in std::mem::take(&mut self.lists) {
            if !all.is_empty() || key == "imports" {
                self.set(&table, &[&key], list(&all));
            }
        }
        let mut out = comments(&self.todos);
        if !out.is_empty() {
            out.push('\n');
        }
        let row = |(key, value): &(String, String)| format!("{key} = {value}\n");
        for (name, rows) in &self.tables {
            if !name.is_empty() {
                out += &format!("\n[{name}]\n");
            }
            out.extend(rows.iter().map(row));
            if name.is_empty() {
                let head = if self.sources.len() == 1 { "\n[source]\n" } else { "\n[[source]]\n" };
                for source in &self.sources {
                    out += head;
                    out.extend(source.iter().map(row));
                }
            }
        }
        out
    }
}
