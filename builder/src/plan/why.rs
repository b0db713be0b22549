//! Which parts of a key differ from the last success.
//!
//! Knows two lists of key parts. Must never know where they were kept.

use std::collections::BTreeMap;

use crate::key::KeyPart;

/// One part that differs. At least one side is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The part's name.
    pub name: String,
    /// Its value at the last success.
    pub before: Option<String>,
    /// Its value now.
    pub now: Option<String>,
}

impl Difference {
    /// `build-system setuptools: 80.9.0 -> 81.0.0`; long values shortened.
    pub fn sentence(&self) -> String {
        let short = |v: &Option<String>| match v {
            None => "nothing".to_owned(),
            Some(v) => shorten(v),
        };
        let (before, now) = (short(&self.before), short(&self.now));
        if before == now {
            return format!("{} changed", self.name);
        }
        format!("{}: {before} -> {now}", self.name)
    }
}

/// Hashes are shown by their first 12 digits, texts by their first line.
fn shorten(value: &str) -> String {
    let words: Vec<String> = value
        .lines()
        .next()
        .unwrap_or("")
        .split(' ')
        .map(|w| {
            let hex = w.len() == 64 && w.bytes().all(|b| b.is_ascii_hexdigit());
            if hex { w.chars().take(12).collect() } else { w.to_owned() }
        })
        .collect();
    let text = words.join(" ");
    if text.chars().count() > 80 { text.chars().take(77).chain("...".chars()).collect() } else { text }
}

/// All parts that differ, own parts before inputs, each group by name.
pub fn differences(before: &[KeyPart], now: &[KeyPart]) -> Vec<Difference> {
    let old: BTreeMap<&str, &str> = before.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
    let new: BTreeMap<&str, &str> = now.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
    let mut names: Vec<&str> = old.keys().chain(new.keys()).copied().collect();
    names.sort_by_key(|n| (n.starts_with("input "), *n));
    names.dedup();
    names
        .into_iter()
        .filter(|n| old.get(n) != new.get(n))
        .map(|n| Difference {
            name: n.to_owned(),
            before: old.get(n).map(|v| (*v).to_owned()),
            now: new.get(n).map(|v| (*v).to_owned()),
        })
        .collect()
}
