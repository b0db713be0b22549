//! A recipe's text as values by their path, each with the TOML it is written in.
//!
//! Knows when two values say the same. Must never write.

use std::collections::BTreeMap;

use crate::edit::recipe_table;
use crate::name::{PackageName, Requirement, VersionSpecifiers};
use crate::node::{Node, Table, Value};

/// Values by path.
pub type Leaves = BTreeMap<Vec<String>, Leaf>;

/// A value that is no table.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// As it is written.
    pub raw: String,
    /// The text, when it is a string.
    text: Option<String>,
    /// What it is, on one line.
    plain: String,
    /// The items of a list of strings.
    pub items: Option<Vec<Item>>,
}

/// A string of a list.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its text.
    pub text: String,
    /// As it is written.
    pub raw: String,
    /// The project, when it is a requirement.
    pub name: Option<PackageName>,
    /// The requirement with all that can be written in several ways written in one.
    normal: String,
    /// Of that the marker.
    marker: String,
}

impl Leaf {
    /// Whether both say the same; the order of requirements says nothing.
    pub fn is_same(&self, other: &Self, requirements: bool) -> bool {
        match (&self.items, &other.items) {
            (Some(own), Some(others)) if requirements => {
                let all_in = |a: &[Item], b: &[Item]| a.iter().all(|one| b.iter().any(|o| o.is_same(one)));
                all_in(own, others) && all_in(others, own)
            }
            _ => match (&self.text, &other.text) {
                (Some(a), Some(b)) => same_text(a, b),
                _ => self.plain == other.plain,
            },
        }
    }

    /// Whether it is a list without items.
    pub fn is_empty_list(&self) -> bool {
        self.items.as_ref().is_some_and(Vec::is_empty)
    }

    /// For people: a string's own text.
    pub fn shown(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.plain.clone())
    }
}

impl Item {
    fn of(text: &str, raw: &str) -> Self {
        let parsed = text.parse::<Requirement>().ok();
        let (normal, marker) = match &parsed {
            Some(r) => {
                let mut extras: Vec<String> = r.parsed.extras.iter().map(ToString::to_string).collect();
                extras.sort();
                let marker = r.parsed.marker.try_to_string().unwrap_or_default();
                let of = match &r.parsed.version_or_url {
                    Some(pep508_rs::VersionOrUrl::Url(url)) => url.to_string(),
                    _ => sorted(&r.specifiers()),
                };
                (format!("{}[{}]{of};{marker}", r.name(), extras.join(",")), marker)
            }
            None => (text.trim().to_owned(), String::new()),
        };
        let name = parsed.map(|r| r.name().clone());
        Self { text: text.to_owned(), raw: raw.to_owned(), name, normal, marker }
    }

    /// Whether both say the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.normal == other.normal
    }

    /// Whether both are about one project under one marker.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.name.is_some() && self.name == other.name && self.marker == other.marker
    }
}

fn sorted(specifiers: &VersionSpecifiers) -> String {
    let mut all: Vec<String> = specifiers.iter().map(ToString::to_string).collect();
    all.sort();
    all.join(",")
}

/// Whether two texts are equal, or say the same of versions.
fn same_text(a: &str, b: &str) -> bool {
    let read = |text: &str| text.parse::<VersionSpecifiers>().ok().map(|s| sorted(&s));
    a.trim() == b.trim() || read(a).is_some_and(|a| Some(a) == read(b))
}

/// All values of a recipe's text.
pub fn leaves(text: &str) -> Result<Leaves, String> {
    fn walk(text: &str, table: &Table, path: &mut Vec<String>, out: &mut Leaves) {
        for entry in &table.entries {
            path.push(entry.key.clone());
            match &entry.node.value {
                Value::Table(inner) => walk(text, inner, path, out),
                _ => drop(out.insert(path.clone(), leaf(text, &entry.node))),
            }
            path.pop();
        }
    }
    let mut out = Leaves::new();
    walk(text, &recipe_table(text)?, &mut Vec::new(), &mut out);
    Ok(out)
}

fn leaf(text: &str, node: &Node) -> Leaf {
    let raw = |node: &Node| text.get(node.place.span.clone()).unwrap_or_default().to_owned();
    let items = node.as_array().and_then(|items| {
        items.iter().map(|item| Some(Item::of(item.as_str()?, &raw(item)))).collect::<Option<Vec<_>>>()
    });
    Leaf { raw: raw(node), text: node.as_str().map(str::to_owned), plain: node.text(), items }
}
