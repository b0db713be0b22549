//! SPDX license expressions, and lists of what is allowed and refused.
//!
//! Knows the grammar, choices (`OR`) and the older spellings of GNU licenses. Must never know the list of all
//! licenses, nor what any of them says.

use std::fmt;

/// Families whose bare version once meant `-only`.
const GNU: [&str; 4] = ["gpl-", "lgpl-", "agpl-", "gfdl-"];

/// A license expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// One license.
    One(License),
    /// All of them hold.
    All(Vec<Expression>),
    /// Whoever uses it may choose.
    Any(Vec<Expression>),
}

/// One license of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// As it is written.
    text: String,
    /// In lower case, `+` as `-or-later`.
    id: String,
    /// `WITH` this exception, in lower case.
    exception: Option<String>,
}

impl Expression {
    /// `MIT OR (Apache-2.0 AND GPL-2.0-only WITH Classpath-exception-2.0)`; `None` when it is not of the form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text).filter(|_| !text.contains('*'))
    }

    /// The same, with `GPL-*` where a license stands.
    fn read(text: &str) -> Option<Self> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut reader = Reader { words: &words };
        let found = reader.any()?;
        reader.words.is_empty().then_some(found)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, all: &[Expression], word: &str| {
            for (i, one) in all.iter().enumerate() {
                let between = if i == 0 { "" } else { word };
                match one {
                    Expression::One(_) => write!(f, "{between}{one}")?,
                    _ => write!(f, "{between}({one})")?,
                }
            }
            Ok(())
        };
        match self {
            Self::One(license) => f.write_str(&license.text),
            Self::All(all) => list(f, all, " AND "),
            Self::Any(all) => list(f, all, " OR "),
        }
    }
}

/// The words that are still to be read.
struct Reader<'t> {
    words: &'t [&'t str],
}

impl<'t> Reader<'t> {
    fn take(&mut self) -> Option<&'t str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(*first)
    }

    fn skip(&mut self, word: &str) -> bool {
        let there = self.words.first() == Some(&word);
        if there {
            self.words = &self.words[1..];
        }
        there
    }

    fn any(&mut self) -> Option<Expression> {
        let mut all = vec![self.all()?];
        while self.skip("OR") {
            all.push(self.all()?);
        }
        Some(if all.len() == 1 { all.remove(0) } else { Expression::Any(all) })
    }

    fn all(&mut self) -> Option<Expression> {
        let mut all = vec![self.one()?];
        while self.skip("AND") {
            all.push(self.one()?);
        }
        Some(if all.len() == 1 { all.remove(0) } else { Expression::All(all) })
    }

    fn one(&mut self) -> Option<Expression> {
        if self.skip("(") {
            let inside = self.any()?;
            return self.skip(")").then_some(inside);
        }
        let name = |word: &&str| {
            !["AND", "OR", "WITH"].contains(word)
                && word.chars().all(|c| c.is_ascii_alphanumeric() || ".+-:*".contains(c))
        };
        let written = self.take().filter(name)?;
        let exception = if self.skip("WITH") { Some(self.take().filter(name)?) } else { None };
        let lower = written.to_ascii_lowercase();
        Some(Expression::One(License {
            text: exception.map_or_else(|| written.to_owned(), |e| format!("{written} WITH {e}")),
            id: lower.strip_suffix('+').map(|id| format!("{id}-or-later")).unwrap_or(lower),
            exception: exception.map(str::to_ascii_lowercase),
        }))
    }
}

/// Whether an identifier is `gpl-3.0`, of which nobody knows any more whether later versions are meant.
fn is_bare(id: &str) -> bool {
    GNU.iter().any(|family| id.starts_with(family)) && !id.ends_with("-only") && !id.ends_with("-or-later")
}

impl License {
    /// Whether an entry of a list is about this license: `MIT`, `GPL-*`, `GPL-3.0` (both of its forms).
    fn is_meant_by(&self, entry: &License) -> bool {
        if entry.exception.is_some() && entry.exception != self.exception {
            return false;
        }
        if let Some(start) = entry.id.strip_suffix('*') {
            return self.id.starts_with(start);
        }
        let own = if is_bare(&self.id) { format!("{}-only", self.id) } else { self.id.clone() };
        let bare = is_bare(&entry.id);
        own == entry.id
            || self.id == entry.id
            || (bare && ["-only", "-or-later"].iter().any(|end| own == format!("{}{end}", entry.id)))
    }
}

/// What a list names.
#[derive(Clone, Debug)]
enum Entry {
    /// Packages whose license nobody knows.
    Unknown,
    Known(Expression),
}

/// Which licenses may be used.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    allow: Vec<Entry>,
    deny: Vec<Entry>,
}

impl Policy {
    /// The lists of `--allow` and `--deny`. Without an allowed one all are that are not denied.
    pub fn new(allow: &[String], deny: &[String]) -> Result<Self, String> {
        let read = |texts: &[String]| -> Result<Vec<Entry>, String> {
            texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).map(entry).collect()
        };
        Ok(Self { allow: read(allow)?, deny: read(deny)? })
    }

    /// Why a license is refused; `None` when it is not.
    pub fn refusal(&self, license: Option<&str>) -> Option<String> {
        let Some(expression) = license.and_then(Expression::parse) else {
            let named = |list: &[Entry]| list.iter().any(|entry| matches!(entry, Entry::Unknown));
            let refused = named(&self.deny) || (!self.allow.is_empty() && !named(&self.allow));
            return refused.then(|| "its license is not known".to_owned());
        };
        let mut reasons = Vec::new();
        let fine = self.takes(&expression, &mut reasons);
        reasons.dedup();
        (!fine).then(|| reasons.join(", "))
    }

    fn takes(&self, expression: &Expression, reasons: &mut Vec<String>) -> bool {
        // What is named as a whole needs no look at its parts.
        let whole = |list: &[Entry]| list.iter().any(|e| matches!(e, Entry::Known(x) if x == expression));
        if whole(&self.deny) {
            reasons.push(format!("`{expression}` is denied"));
            return false;
        }
        if whole(&self.allow) {
            return true;
        }
        match expression {
            Expression::One(license) => self.takes_one(license, reasons),
            // Each is looked at: all that stands against it is told.
            Expression::All(all) => {
                let mut fine = true;
                for one in all {
                    fine &= self.takes(one, reasons);
                }
                fine
            }
            Expression::Any(all) => {
                let before = reasons.len();
                let fine = all.iter().any(|one| self.takes(one, reasons));
                if fine {
                    reasons.truncate(before);
                }
                fine
            }
        }
    }

    fn takes_one(&self, license: &License, reasons: &mut Vec<String>) -> bool {
        let named = |list: &[Entry]| {
            let mut known = list.iter();
            known.any(|e| matches!(e, Entry::Known(Expression::One(entry)) if license.is_meant_by(entry)))
        };
        if named(&self.deny) {
            reasons.push(format!("`{}` is denied", license.text));
            return false;
        }
        let fine = self.allow.is_empty() || named(&self.allow);
        if !fine {
            reasons.push(format!("`{}` is not among the allowed", license.text));
        }
        fine
    }
}

fn entry(text: &str) -> Result<Entry, String> {
    if text.eq_ignore_ascii_case("unknown") {
        return Ok(Entry::Unknown);
    }
    Expression::read(text).map(Entry::Known).ok_or_else(|| format!("`{text}` is not an SPDX expression"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    /// Why a license is refused under two lists.
    fn judged(license: &str, allow: &str, deny: &str) -> String {
        let policy = Policy::new(&list(allow), &list(deny)).unwrap();
        let license = Some(license).filter(|text| !text.is_empty());
        policy.refusal(license).unwrap_or_else(|| "fine".to_owned())
    }

    #[test]
    fn an_expression_is_read_and_written() {
        for text in [
            "MIT",
            "MIT OR Apache-2.0",
            "(MIT OR Apache-2.0) AND GPL-2.0-only WITH Classpath-exception-2.0",
            "DocumentRef-x:LicenseRef-y",
        ] {
            assert_eq!(Expression::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "BSD License",
            "MIT AND",
            "(MIT",
            "MIT)",
            "AND",
            "MIT WITH",
            "MIT, ISC",
            "a WITH b WITH c",
            "GPL-*",
        ] {
            assert_eq!(Expression::parse(text), None, "{text}");
        }
        // AND binds closer.
        let parsed = Expression::parse("A OR B AND C").unwrap();
        assert_eq!(parsed.to_string(), "A OR (B AND C)");
    }

    #[test]
    fn who_may_choose_chooses_what_is_not_denied() {
        assert_eq!(judged("MIT OR GPL-3.0-only", "", "GPL-3.0-only"), "fine");
        assert_eq!(judged("MIT AND GPL-3.0-only", "", "GPL-3.0-only"), "`GPL-3.0-only` is denied");
        assert_eq!(judged("mit", "MIT", ""), "fine");
        assert_eq!(
            judged("ISC OR Zlib", "MIT", ""),
            "`ISC` is not among the allowed, `Zlib` is not among the allowed"
        );
        assert_eq!(judged("ISC AND MIT", "MIT, ISC", ""), "fine");
        // Named as a whole.
        assert_eq!(judged("MIT OR ISC", "", "MIT OR ISC"), "`MIT OR ISC` is denied");
        assert_eq!(judged("MIT AND X", "MIT AND X", ""), "fine");
    }

    #[test]
    fn gnu_licenses_are_known_in_each_spelling() {
        for text in ["GPL-3.0", "GPL-3.0-only", "GPL-3.0+", "GPL-3.0-or-later", "GPL-3.0-only WITH x"] {
            assert!(judged(text, "", "GPL-3.0").ends_with("is denied"), "{text}");
            assert!(judged(text, "", "gpl-*").ends_with("is denied"), "{text}");
            assert_eq!(judged(text, "", "LGPL-3.0"), "fine", "{text}");
        }
        assert_eq!(judged("GPL-3.0+", "", "GPL-3.0-only"), "fine");
        assert!(judged("GPL-3.0", "", "GPL-3.0-only").ends_with("is denied"));
        assert_eq!(judged("GPL-2.0-only", "", "GPL-2.0-only WITH Classpath-exception-2.0"), "fine");
    }

    #[test]
    fn what_is_not_known_is_not_allowed() {
        for text in ["", "BSD License"] {
            assert_eq!(judged(text, "MIT", ""), "its license is not known");
            assert_eq!(judged(text, "MIT,unknown", ""), "fine");
            assert_eq!(judged(text, "", "GPL-*"), "fine");
            assert_eq!(judged(text, "", "unknown"), "its license is not known");
        }
        let refused = Policy::new(&list("MIT,BSD License"), &[]).unwrap_err();
        assert_eq!(refused, "`BSD License` is not an SPDX expression");
    }
}
