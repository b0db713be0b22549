//! `meta`: words about the package.
//!
//! Knows licenses and people. Must never move a key.

use super::draft::{Draft, quote};
use super::names;
use super::value::{Attr, Value};

impl Draft<'_, '_> {
    /// One attribute of `meta`.
    pub(super) fn meta(&mut self, name: &str, attr: &Attr) {
        let key = name.strip_prefix("meta.").unwrap_or(name);
        match key {
            "description" | "homepage" | "changelog" | "mainProgram" => self.meta_text(name, key, attr),
            "license" => self.license(name, attr),
            "maintainers" => self.maintainers(name, attr),
            "broken" => match self.force(attr) {
                Value::Bool(broken) => {
                    if broken {
                        self.set("meta", &["broken"], "true".to_owned());
                    }
                    self.carry(name);
                }
                value => {
                    let why = match self.eval.truth(&value).and_then(|c| c.marker()) {
                        Some(marker) => format!("a recipe cannot be broken for `{marker}` only"),
                        None => "whether it is broken cannot be told".to_owned(),
                    };
                    self.todo(name, &attr.place, why);
                }
            },
            "knownVulnerabilities" => self.string_list(name, attr, ("meta", "known-vulnerabilities")),
            _ => self.todo(name, &attr.place, "this has no counterpart"),
        }
    }

    fn meta_text(&mut self, name: &str, key: &str, attr: &Attr) {
        let value = self.force(attr);
        // Several homepages: the first is the one.
        if let Value::List(items) = &value
            && key == "homepage"
            && let Some(first) = items.first().and_then(|i| i.thunk.force(self.eval).as_text())
        {
            self.text("meta", key, &first);
            self.carry(name);
            if items.len() > 1 {
                self.todo(name, &attr.place, "a recipe has one homepage");
            }
            return;
        }
        let Some(text) = self.whole(name, attr) else { return };
        let key = if key == "mainProgram" { "main-program" } else { key };
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.set("meta", &[key], quote(&one_line));
        self.carry(name);
    }

    /// `lib.licenses.mit`, a list of those, or an SPDX text.
    fn license(&mut self, name: &str, attr: &Attr) {
        let value = self.force(attr);
        let mut spdx = Vec::new();
        for item in self.eval.items(&value, &attr.place) {
            let value = item.thunk.force(self.eval);
            let known = match &value {
                Value::Symbol(path) => path.last().and_then(|l| names::license(l)).map(str::to_owned),
                Value::Set(set) => self.eval.select_text(set, "spdxId"),
                Value::Text(_) => {
                    let spdx_id = |t: &String| {
                        !t.is_empty() && t.chars().all(|c| c.is_ascii_alphanumeric() || "-.+".contains(c))
                    };
                    value.as_text().filter(spdx_id)
                }
                _ => None,
            };
            match known {
                Some(id) if !spdx.contains(&id) => spdx.push(id),
                Some(_) => {}
                None => return self.todo(name, &attr.place, "which SPDX license this is cannot be told"),
            }
        }
        if spdx.len() > 1 {
            self.todo(name, &attr.place, "nixpkgs does not say whether these are joined by AND or OR");
        }
        if !spdx.is_empty() {
            self.text("meta", "license", &spdx.join(" AND "));
        }
        self.carry(name);
    }

    fn maintainers(&mut self, name: &str, attr: &Attr) {
        let value = self.force(attr);
        let mut people = Vec::new();
        for item in self.eval.items(&value, &attr.place) {
            match item.thunk.force(self.eval) {
                Value::Symbol(path)
                    if !item.spread || path.iter().rev().nth(1).is_some_and(|p| p == "maintainers") =>
                {
                    people.extend(path.last().cloned());
                }
                value => match value.as_text() {
                    Some(person) => people.push(person),
                    None => self.todo(name, &item.place, "who this is cannot be told"),
                },
            }
        }
        self.extend("meta", "maintainers", people);
        self.carry(name);
    }
}
