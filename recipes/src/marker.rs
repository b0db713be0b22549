//! What of a requirement belongs to which extra, as text.
//!
//! Knows the grammar of PEP 508 markers, and that `extra == "x"` is the one
//! part of them that a recipe says elsewhere. Must never re-print a marker:
//! what is kept is cut out of the text that was given.

use std::ops::Range;
use std::str::FromStr as _;

use crate::name::ExtraName;

/// To which extras a requirement belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtraSplit {
    /// To none: it always holds, under its own marker.
    Always,
    /// To these, each with the requirement without that part of its marker.
    Extras(Vec<(ExtraName, String)>),
    /// Its marker asks about extras in a way that a recipe cannot say.
    Unclear,
}

/// Takes `extra == "x"` off the marker of a requirement, wherever it stands
/// in it: `a; extra == "x" and (b)`, `a; (b) and (extra == "x")`, and
/// `extra == "x" or extra == "y"` for two extras at once.
pub fn split_extra(requirement: &str) -> ExtraSplit {
    // The address of `name @ address ; marker` may hold a semicolon itself.
    let separator = if requirement.contains('@') { " ;" } else { ";" };
    let Some(at) = requirement.find(separator) else { return ExtraSplit::Always };
    let (head, marker) = (requirement[..at].trim(), &requirement[at + separator.len()..]);
    let Some(tree) = Reader::read(marker) else { return ExtraSplit::Unclear };
    if !tree.asks_for_extra() {
        return ExtraSplit::Always;
    }
    let Some(parts) = split(&tree) else { return ExtraSplit::Unclear };
    let whole = |rest: &[&Node]| match rest {
        [] => head.to_owned(),
        [one] => format!("{head}; {}", &marker[one.inner.clone()]),
        all => {
            let texts: Vec<&str> = all.iter().map(|n| &marker[n.outer.clone()]).collect();
            format!("{head}; {}", texts.join(" and "))
        }
    };
    ExtraSplit::Extras(parts.into_iter().map(|(extra, rest)| (extra, whole(&rest))).collect())
}

/// Each extra of a marker with what else must hold; nothing when that cannot
/// be said.
fn split(tree: &Node) -> Option<Vec<(ExtraName, Vec<&Node>)>> {
    if let What::Or(branches) = &tree.what {
        let all: Option<Vec<_>> = branches.iter().map(split).collect();
        return Some(all?.into_iter().flatten().collect());
    }
    let mut conjuncts = Vec::new();
    tree.conjuncts(&mut conjuncts);
    let (about, rest): (Vec<&Node>, Vec<&Node>) = conjuncts.into_iter().partition(|n| n.asks_for_extra());
    let [about] = about.as_slice() else { return None };
    Some(about.extras()?.into_iter().map(|extra| (extra, rest.clone())).collect())
}

/// A part of a marker and where its text is: with and without the
/// parentheses around it.
#[derive(Debug)]
struct Node {
    outer: Range<usize>,
    inner: Range<usize>,
    what: What,
}

#[derive(Debug)]
enum What {
    Or(Vec<Node>),
    And(Vec<Node>),
    /// `extra == "x"`.
    Extra(ExtraName),
    /// A comparison with `extra` that is none of equality.
    OddExtra,
    Other,
}

impl Node {
    fn asks_for_extra(&self) -> bool {
        match &self.what {
            What::Or(nodes) | What::And(nodes) => nodes.iter().any(Node::asks_for_extra),
            What::Extra(_) | What::OddExtra => true,
            What::Other => false,
        }
    }

    fn conjuncts<'n>(&'n self, out: &mut Vec<&'n Node>) {
        match &self.what {
            What::And(nodes) => nodes.iter().for_each(|n| n.conjuncts(out)),
            _ => out.push(self),
        }
    }

    /// The extras, when it asks for any of some and for nothing else.
    fn extras(&self) -> Option<Vec<ExtraName>> {
        match &self.what {
            What::Extra(extra) => Some(vec![extra.clone()]),
            What::Or(nodes) => {
                let all: Option<Vec<_>> = nodes.iter().map(Node::extras).collect();
                Some(all?.into_iter().flatten().collect())
            }
            What::And(_) | What::OddExtra | What::Other => None,
        }
    }
}

/// Reads tokens from the left.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn read(text: &'t str) -> Option<Node> {
        let mut reader = Reader { text, at: 0 };
        let tree = reader.any("or")?;
        reader.blanks();
        (reader.at == text.len()).then_some(tree)
    }

    /// `A or B`, `A and B`: the words bind in this order.
    fn any(&mut self, word: &str) -> Option<Node> {
        let one = |reader: &mut Self| if word == "or" { reader.any("and") } else { reader.atom() };
        let mut nodes = vec![one(self)?];
        while self.takes(word) {
            nodes.push(one(self)?);
        }
        if nodes.len() == 1 {
            return nodes.pop();
        }
        let range = nodes.first()?.outer.start..nodes.last()?.outer.end;
        let what = if word == "or" { What::Or(nodes) } else { What::And(nodes) };
        Some(Node { outer: range.clone(), inner: range, what })
    }

    fn atom(&mut self) -> Option<Node> {
        self.blanks();
        let start = self.at;
        if self.takes("(") {
            let mut node = self.any("or")?;
            if !self.takes(")") {
                return None;
            }
            node.outer = start..self.at;
            return Some(node);
        }
        let left = self.value()?;
        let operator = self.operator()?;
        let right = self.value()?;
        let what = match (left, right) {
            (Value::Name("extra"), Value::Text(text)) | (Value::Text(text), Value::Name("extra")) => {
                match ExtraName::from_str(text) {
                    Ok(extra) if operator == "==" => What::Extra(extra),
                    _ => What::OddExtra,
                }
            }
            (Value::Name("extra"), _) | (_, Value::Name("extra")) => What::OddExtra,
            _ => What::Other,
        };
        Some(Node { outer: start..self.at, inner: start..self.at, what })
    }

    fn value(&mut self) -> Option<Value<'t>> {
        self.blanks();
        let rest = &self.text[self.at..];
        if let Some(mark) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let end = rest[1..].find(mark)?;
            self.at += end + 2;
            return Some(Value::Text(&rest[1..=end]));
        }
        let word =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c))).unwrap_or(rest.len());
        self.at += word;
        (word > 0).then(|| Value::Name(&rest[..word]))
    }

    fn operator(&mut self) -> Option<&'t str> {
        self.blanks();
        let start = self.at;
        if self.takes("not") {
            return self.takes("in").then(|| &self.text[start..self.at]);
        }
        if self.takes("in") {
            return Some("in");
        }
        let rest = &self.text[start..];
        let length = rest.find(|c: char| !"<>=!~".contains(c)).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then(|| &rest[..length])
    }

    /// Takes a word or sign when it is next.
    fn takes(&mut self, word: &str) -> bool {
        self.blanks();
        let Some(after) = self.text[self.at..].strip_prefix(word) else { return false };
        let letters = word.starts_with(|c: char| c.is_ascii_alphabetic());
        if letters && after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return false;
        }
        self.at += word.len();
        true
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }
}

enum Value<'t> {
    Name(&'t str),
    Text(&'t str),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(requirement: &str) -> String {
        match split_extra(requirement) {
            ExtraSplit::Always => "always".to_owned(),
            ExtraSplit::Unclear => "unclear".to_owned(),
            ExtraSplit::Extras(parts) => {
                let parts: Vec<String> =
                    parts.iter().map(|(extra, rest)| format!("{extra}: {rest}")).collect();
                parts.join(" | ")
            }
        }
    }

    #[test]
    fn an_extra_is_cut_off_wherever_it_stands() {
        assert_eq!(told("x"), "always");
        assert_eq!(told("x>=1; python_version < '3.8'"), "always");
        assert_eq!(told("x >= 1 ; extra == 'T_t'"), "t-t: x >= 1");
        // setuptools, flit, poetry-core, hatchling.
        assert_eq!(told(r#"x; python_version < "3.8" and extra == "t""#), r#"t: x; python_version < "3.8""#);
        assert_eq!(told(r#"x; extra == "t" and (python_version < "3")"#), r#"t: x; python_version < "3""#);
        assert_eq!(told(r#"x; (python_version < "3") and (extra == "t")"#), r#"t: x; python_version < "3""#);
        assert_eq!(told(r#"x; extra == "t" and python_version < "3.8""#), r#"t: x; python_version < "3.8""#);
        assert_eq!(told(r#"x; "t" == extra"#), "t: x");
        assert_eq!(told("x @ https://a/b;c ; extra == 't'"), "t: x @ https://a/b;c");
    }

    #[test]
    fn the_rest_of_a_marker_keeps_its_text_and_its_meaning() {
        let both = "x; (a == '1' or b == '2') and c  <  '3' and extra == 't'";
        assert_eq!(told(both), "t: x; (a == '1' or b == '2') and c  <  '3'");
        assert_eq!(told("x; (a == '1' or b == '2') and extra == 't'"), "t: x; a == '1' or b == '2'");
        let nested = "x; (a not in '1' and (b in '2' and extra == 't'))";
        assert_eq!(told(nested), "t: x; a not in '1' and b in '2'");
        assert_eq!(told("x; a == 'the extra' and extra == 't'"), "t: x; a == 'the extra'");
    }

    #[test]
    fn one_requirement_may_belong_to_several_extras() {
        assert_eq!(told("x; extra == 'a' or extra == 'b'"), "a: x | b: x");
        let shared = "x; (extra == 'a' or extra == 'b') and c == '1'";
        assert_eq!(told(shared), "a: x; c == '1' | b: x; c == '1'");
        let each = "x; c == '1' and extra == 'a' or extra == 'b'";
        assert_eq!(told(each), "a: x; c == '1' | b: x");
    }

    #[test]
    fn what_a_recipe_cannot_say_is_unclear() {
        for marker in [
            "c == '1' or extra == 'a'",
            "extra != 'a'",
            "extra in 'a b'",
            "extra == 'a' and extra == 'b'",
            "extra == 'a' and (c == '1'",
            "extra == 'not a name!'",
        ] {
            assert_eq!(told(&format!("x; {marker}")), "unclear", "{marker}");
        }
    }
}
