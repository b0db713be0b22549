//! Tests, phases, wrappers and strings in lists.
//!
//! Knows which fields they become. Must never run a shell.

use super::cond::Cond;
use super::draft::{Draft, block, quote};
use super::shell;
use super::value::{Attr, Piece, Value};
use crate::diag::Place;

impl Draft<'_, '_> {
    /// The strings of a list. Those that are not known, or not for every
    /// interpreter and platform, are told.
    pub(super) fn strings(&mut self, attribute: &str, attr: &Attr) -> Vec<String> {
        self.placed_strings(attribute, attr).into_iter().map(|(text, _)| text).collect()
    }

    /// The same, each with its place.
    fn placed_strings(&mut self, attribute: &str, attr: &Attr) -> Vec<(String, Place)> {
        let value = self.force(attr);
        if let Some(text) = value.as_text() {
            self.carry(attribute);
            let words = shell::words(&text).unwrap_or_else(|| vec![text]);
            return words.into_iter().map(|w| (w, attr.place.clone())).collect();
        }
        if !matches!(value, Value::List(_) | Value::Choice(_) | Value::Null) {
            self.todo(attribute, &attr.place, "the value cannot be told");
            return Vec::new();
        }
        let mut out = Vec::new();
        for item in self.eval.items(&value, &attr.place) {
            let inner = item.thunk.force(self.eval);
            match (inner.as_text(), &item.when) {
                (_, Cond::Never) => {}
                (Some(text), Cond::Always) => out.push((text, item.place.clone())),
                (Some(_), when) => {
                    let marker = when.marker().unwrap_or_default();
                    self.todo(attribute, &item.place, format!("this cannot be said for `{marker}` only"));
                }
                (None, _) => self.todo(attribute, &item.place, "the value cannot be told"),
            }
        }
        self.carry(attribute);
        out
    }

    /// A list of strings that is one here, too.
    pub(super) fn string_list(&mut self, attribute: &str, attr: &Attr, (table, key): (&str, &str)) {
        let mut items = Vec::new();
        for (item, place) in self.placed_strings(attribute, attr) {
            if key == "imports" && !is_module(&item) {
                self.todo(attribute, &place, "this is not the name of a module");
            } else {
                items.push(item);
            }
        }
        if key != "flags" {
            let mut seen = std::collections::BTreeSet::new();
            items.retain(|item| seen.insert(item.clone()));
        }
        if !items.is_empty() || key == "imports" && self.carried.contains(attribute) {
            self.extend(table, key, items);
        }
    }

    /// `pytestFlagsArray` and its like: a shell reads each once more.
    pub(super) fn shell_flags(&mut self, attribute: &str, attr: &Attr) {
        for (item, place) in self.placed_strings(attribute, attr) {
            match shell::words(&item) {
                Some(words) => self.extend("check", "flags", words),
                None => self.todo(attribute, &place, "a shell would put values into these"),
            }
        }
    }

    /// `doCheck = ...`.
    pub(super) fn do_check(&mut self, attribute: &str, attr: &Attr) {
        match self.force(attr) {
            Value::Bool(on) => {
                self.tests_off |= !on;
                self.carry(attribute);
            }
            value => match self.eval.truth(&value).and_then(|c| c.marker()) {
                Some(marker) => {
                    self.todo(attribute, &attr.place, format!("tests cannot be for `{marker}` only"));
                }
                None => self.todo(attribute, &attr.place, "whether tests run cannot be told"),
            },
        }
    }

    /// A text without holes, or a word why it is none.
    pub(super) fn whole(&mut self, attribute: &str, attr: &Attr) -> Option<String> {
        match self.force(attr) {
            Value::Text(pieces) => {
                let hole = pieces.iter().find_map(|p| match p {
                    Piece::Hole(place) => Some(place.file.text[place.span.clone()].to_owned()),
                    Piece::Known(_) => None,
                });
                match hole {
                    None => Some(self.eval.shown(&pieces)),
                    Some(hole) => {
                        let hole = hole.lines().next().unwrap_or("").to_owned();
                        self.todo(attribute, &attr.place, format!("the value of `{hole}` cannot be told"));
                        None
                    }
                }
            }
            Value::Null => {
                self.carry(attribute);
                None
            }
            _ => {
                self.todo(attribute, &attr.place, "the value cannot be told");
                None
            }
        }
    }

    /// The text of a phase. Whole lines that are there under a condition only
    /// (`+ lib.optionalString stdenv.isDarwin "..."`) are told and left out.
    fn script(&mut self, attribute: &str, attr: &Attr) -> Option<String> {
        let Value::Text(pieces) = self.force(attr) else { return self.whole(attribute, attr) };
        let mut kept: Vec<Piece> = Vec::new();
        let mut left_out = Vec::new();
        for piece in &pieces {
            let at_line_start = kept.last().is_none_or(|p| matches!(p, Piece::Known(t) if t.ends_with('\n')));
            match piece {
                // What a string interpolates is a part of a line.
                Piece::Hole(place)
                    if at_line_start && !place.file.text[place.span.clone()].starts_with("${") =>
                {
                    left_out.push(place.clone());
                }
                piece => kept.push(piece.clone()),
            }
        }
        if left_out.is_empty() || kept.is_empty() || kept.iter().any(|p| matches!(p, Piece::Hole(_))) {
            return self.whole(attribute, attr);
        }
        for place in left_out {
            self.todo(attribute, &place, "these lines are for some platforms or interpreters only");
        }
        Some(self.eval.shown(&kept))
    }

    /// A phase, under its name here.
    pub(super) fn phase(&mut self, attribute: &str, attr: &Attr, key: &str) {
        let Some(script) = self.script(attribute, attr) else { return };
        match shell::phase(&script) {
            Ok(text) => {
                self.carry(attribute);
                if !text.trim().is_empty() {
                    self.shell_line(key, &text);
                    if key == "check" {
                        self.runner = Some("command");
                    }
                }
            }
            Err(why) => self.todo(attribute, &attr.place, why),
        }
    }

    /// Adds to a phase.
    pub(super) fn shell_line(&mut self, key: &str, text: &str) {
        self.extend("phases\0", key, vec![text.to_owned()]);
    }

    /// Writes the phases, what was added to each in the order of the text.
    pub(super) fn phases(&mut self) {
        for (key, parts) in self.take_lists("phases\0") {
            self.set("phases", &[&key], block(&parts.join("\n")));
        }
    }

    /// `makeWrapperArgs`.
    pub(super) fn wrapper(&mut self, attribute: &str, attr: &Attr) {
        let value = self.force(attr);
        let mut words: Vec<String> = Vec::new();
        for item in self.eval.items(&value, &attr.place) {
            let inner = item.thunk.force(self.eval);
            let text = match (inner.as_text(), &item.when) {
                (Some(text), Cond::Always) => text,
                (_, Cond::Never) => continue,
                _ => {
                    return self.todo(
                        attribute,
                        &attr.place,
                        "what a wrapper is told here is not in the text",
                    );
                }
            };
            // What stands alone and needs no quotes is one word.
            if !text.starts_with("--") && !text.contains(['\'', '"', '$', '`', '\\']) {
                words.push(text);
                continue;
            }
            match shell::words(&text) {
                Some(more) => words.extend(more),
                None => return self.todo(attribute, &attr.place, "a shell would put values into these"),
            }
        }
        let mut at = words.into_iter();
        let mut done = Vec::new();
        while let Some(flag) = at.next() {
            let mut next = || at.next();
            let operation = match flag.as_str() {
                "--set" | "--set-default" => next().zip(next()).map(|(n, v)| (n, vec![v], String::new())),
                "--unset" | "--chdir" | "--run" | "--add-flags" | "--append-flags" | "--add-flag"
                | "--append-flag" => next().map(|v| (String::new(), vec![v], String::new())),
                "--prefix" | "--suffix" => {
                    let all = (next(), next(), next());
                    match all {
                        (Some(name), Some(sep), Some(value)) => Some((name, vec![value], sep)),
                        _ => None,
                    }
                }
                _ => None,
            };
            let Some(operation) = operation else {
                let why = format!("`{flag}` is no wrapper argument that can be read here");
                return self.todo(attribute, &attr.place, why);
            };
            done.push((flag, operation));
        }
        for (flag, operation) in done {
            self.wrap_operation(&flag, operation);
        }
        self.carry(attribute);
    }

    fn wrap_operation(&mut self, flag: &str, (name, values, sep): (String, Vec<String>, String)) {
        let key = flag.trim_start_matches("--");
        let first = values.first().cloned().unwrap_or_default();
        match key {
            "set" | "set-default" => self.set("wrap", &[key, &name], quote(&first)),
            "prefix" | "suffix" => {
                let at = format!("{key}\0{name}\0{sep}");
                self.extend("wrap\0", &at, values);
            }
            "chdir" => self.text("wrap", "chdir", &first),
            "add-flags" | "append-flags" => {
                self.extend("wrap", key, first.split_whitespace().map(str::to_owned).collect());
            }
            "add-flag" | "append-flag" => self.extend("wrap", &format!("{key}s"), values),
            _ => self.extend("wrap", key, values),
        }
    }

    /// Writes what was put before and after variables.
    pub(super) fn affixes(&mut self) {
        for (at, values) in self.take_lists("wrap\0") {
            let parts: Vec<&str> = at.split('\0').collect();
            let [key, name, sep] = parts.as_slice() else { continue };
            let text = format!("{{ sep = {}, values = {} }}", quote(sep), super::draft::list(&values));
            self.set("wrap", &[key, name], text);
        }
    }

    /// What runs the tests, once everything has been heard.
    pub(super) fn tests(&mut self) {
        if let Some(runner) = self.runner {
            self.text("check", "runner", runner);
        }
        // Without a hook or a phase nixpkgs runs no test.
        let idle = self.runner.is_none() && !self.needs("check", "inputs").is_empty();
        if self.tests_off || idle {
            self.set("check", &["enable"], "false".to_owned());
        }
    }
}

/// Whether `import NAME` can be written.
fn is_module(name: &str) -> bool {
    let part = |p: &str| {
        p.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && p.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    name.split('.').all(part)
}
