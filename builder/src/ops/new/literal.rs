//! Values that stand in Python text as literals: arguments of `setup(…)`, and
//! what names are set to.
//!
//! Knows strings, lists, dictionaries and names. Must never run anything: what
//! would have to be computed is [`Literal::Other`].

use std::collections::BTreeMap;

/// Lists and dictionaries may be nested this deep.
const DEEPEST: usize = 16;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// A list or tuple.
    List(Vec<Literal>),
    /// A dictionary with strings for keys.
    Map(Vec<(String, Literal)>),
    /// The value of a name.
    Name(String),
    /// Anything else.
    Other,
}

impl Literal {
    /// The string that it is.
    pub fn text(&self) -> Option<&str> {
        match self {
            Literal::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The strings of a list (a string alone has a line for each); nothing
    /// where any of it is something else.
    pub fn texts(&self) -> Option<Vec<String>> {
        match self {
            Literal::Text(text) => {
                Some(text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect())
            }
            Literal::List(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
            _ => None,
        }
    }
}

/// The keyword arguments of the first `setup(…)`; names are looked up once.
pub fn setup_arguments(script: &str) -> BTreeMap<String, Literal> {
    let mut out = BTreeMap::new();
    let Some(call) = call(script) else { return out };
    let mut scanner = Scanner { rest: call };
    loop {
        scanner.space();
        if scanner.rest.is_empty() || scanner.rest.starts_with(')') {
            return out;
        }
        let before = scanner.rest.len();
        let word = scanner.word().to_owned();
        scanner.space();
        let rest = scanner.rest;
        match rest.strip_prefix('=').filter(|after| !word.is_empty() && !after.starts_with('=')) {
            Some(after) => {
                scanner.rest = after;
                let value = match scanner.value(1) {
                    Literal::Name(name) => assigned(script, &name).unwrap_or(Literal::Other),
                    value => value,
                };
                out.insert(word, value);
            }
            None => scanner.skip(),
        }
        scanner.space();
        if let Some(after) = scanner.rest.strip_prefix(',') {
            scanner.rest = after;
        } else if scanner.rest.len() == before {
            return out;
        }
    }
}

/// What `NAME = …` or `NAME: TYPE = …` says at the beginning of a line.
pub fn assigned(script: &str, name: &str) -> Option<Literal> {
    let mut at = 0;
    for line in script.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(after) = line.strip_prefix(name) else { continue };
        let after = after.trim_start();
        let equals = match after.chars().next() {
            Some('=') if !after.starts_with("==") => after,
            Some(':') => match after.find('=') {
                Some(at) => &after[at..],
                None => continue,
            },
            _ => continue,
        };
        let begin = start + line.len() - equals.len() + 1;
        return Some(Scanner { rest: &script[begin..] }.value(0));
    }
    None
}

/// The text behind `setup(`, where that is a call and no part of a word.
fn call(script: &str) -> Option<&str> {
    let mut at = 0;
    for line in script.split_inclusive('\n') {
        let begin = at + (line.len() - line.trim_start().len());
        at += line.len();
        let rest = &script[begin..];
        let rest = rest.strip_prefix("setuptools.").unwrap_or(rest);
        if let Some(inside) = rest.strip_prefix("setup").and_then(|r| r.trim_start().strip_prefix('(')) {
            return Some(inside);
        }
    }
    None
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// Blanks, line ends and comments.
    fn space(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.find('\n').map_or("", |end| &comment[end..]),
                None => return,
            }
        }
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// A value, up to the comma, colon or bracket behind it.
    fn value(&mut self, depth: usize) -> Literal {
        self.space();
        let mut value = match self.rest.chars().next() {
            Some('[' | '(') if depth < DEEPEST => self.list(depth),
            Some('{') if depth < DEEPEST => self.map(depth),
            _ => match self.text() {
                Some(text) => Literal::Text(text),
                None => match self.word() {
                    "" => Literal::Other,
                    word => Literal::Name(word.to_owned()),
                },
            },
        };
        // A line end is the end only of what no bracket holds open.
        let line_end = self.rest.trim_start_matches([' ', '\t']).starts_with(['\n', '\r', '#']);
        if depth == 0 && line_end && matches!(value, Literal::Text(_) | Literal::List(_) | Literal::Map(_)) {
            return value;
        }
        self.space();
        if !self.rest.is_empty() && !self.rest.starts_with([',', ')', ']', '}', ':']) {
            self.skip();
            value = Literal::Other;
        }
        value
    }

    fn list(&mut self, depth: usize) -> Literal {
        let round = self.rest.starts_with('(');
        self.rest = &self.rest[1..];
        let (mut items, mut commas) = (Vec::new(), 0);
        loop {
            self.space();
            if let Some(rest) = self.rest.strip_prefix([')', ']']) {
                self.rest = rest;
                break;
            }
            let before = self.rest.len();
            items.push(self.value(depth + 1));
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                commas += 1;
            } else if self.rest.len() == before || self.rest.is_empty() {
                return Literal::Other;
            }
        }
        // `("a")` is `"a"`.
        if round && commas == 0 && items.len() == 1 { items.remove(0) } else { Literal::List(items) }
    }

    fn map(&mut self, depth: usize) -> Literal {
        self.rest = &self.rest[1..];
        let mut items = Vec::new();
        loop {
            self.space();
            if let Some(rest) = self.rest.strip_prefix('}') {
                self.rest = rest;
                return Literal::Map(items);
            }
            let key = self.value(depth + 1);
            let Some(rest) = self.rest.strip_prefix(':') else {
                self.skip();
                return Literal::Other;
            };
            self.rest = rest;
            let value = self.value(depth + 1);
            if let Literal::Text(key) = key {
                items.push((key, value));
            }
            match self.rest.strip_prefix(',') {
                Some(rest) => self.rest = rest,
                None if self.rest.starts_with('}') => {}
                None => return Literal::Other,
            }
        }
    }

    /// A string, or several that follow each other. `None`: there is none, or
    /// one that is formatted.
    fn text(&mut self) -> Option<String> {
        let mut out = None;
        loop {
            let ahead = self.rest;
            let prefix = ahead.len() - ahead.trim_start_matches(['r', 'R', 'u', 'U', 'b', 'B']).len();
            let body = &ahead[prefix..];
            if prefix > 2 || !body.starts_with(['"', '\'']) {
                return out;
            }
            let raw = ahead[..prefix].contains(['r', 'R']);
            let (text, rest) = quoted(body, raw)?;
            self.rest = rest;
            out = Some(out.unwrap_or_default() + &text);
            let behind = self.rest;
            self.space();
            // Another one joins it; else the line end counts.
            if !self.rest.starts_with(['"', '\'']) {
                self.rest = behind;
                return out;
            }
        }
    }

    /// Over an expression, to the comma or bracket that ends it.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        while let Some(c) = self.rest.chars().next() {
            match c {
                '"' | '\'' => match quoted(self.rest, false) {
                    Some((_, rest)) => {
                        self.rest = rest;
                        continue;
                    }
                    None => self.rest = "",
                },
                '#' => {
                    self.space();
                    continue;
                }
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' if depth == 0 => return,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => return,
                _ => {}
            }
            self.rest = self.rest.get(c.len_utf8()..).unwrap_or("");
        }
    }
}

/// A quoted string at the beginning, and what is behind it.
fn quoted(text: &str, raw: bool) -> Option<(String, &str)> {
    let mark = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|mark| text.starts_with(mark))?;
    let mut rest = &text[mark.len()..];
    let mut out = String::new();
    loop {
        if let Some(rest) = rest.strip_prefix(mark) {
            return Some((out, rest));
        }
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' if mark.len() == 1 => return None,
            '\\' => {
                let next = rest.chars().next()?;
                rest = &rest[next.len_utf8()..];
                match next {
                    '\n' if !raw => {}
                    'n' if !raw => out.push('\n'),
                    't' if !raw => out.push('\t'),
                    '\\' | '"' | '\'' if !raw => out.push(next),
                    next => out.extend(['\\', next]),
                }
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Literal {
        Literal::Text(text.to_owned())
    }

    #[test]
    fn the_arguments_of_setup_are_read() {
        let script = "from setuptools import setup\nDEPS = [\n  'a>=1',  # why\n  \"b\",\n]\n\
            setup(\n    name='x', version=read('v'), install_requires=DEPS,\n    # no\n\
            \x20   description=('one '\n        'two'), classifiers=(\"c\",),\n    extras_require={'e': ['f'], 'g': h},\n\
            \x20   packages=find_packages('src'), url='u' + base, zip_safe=False)\n";
        let found = setup_arguments(script);
        assert_eq!(found["name"], text("x"));
        assert_eq!(found["version"], Literal::Other);
        assert_eq!(found["install_requires"].texts().unwrap(), ["a>=1", "b"]);
        assert_eq!(found["description"], text("one two"));
        assert_eq!(found["classifiers"].texts().unwrap(), ["c"]);
        let extras = vec![
            ("e".to_owned(), Literal::List(vec![text("f")])),
            ("g".to_owned(), Literal::Name("h".to_owned())),
        ];
        assert_eq!(found["extras_require"], Literal::Map(extras));
        assert_eq!((&found["packages"], &found["url"]), (&Literal::Other, &Literal::Other));
        assert!(found.contains_key("zip_safe"));
    }

    #[test]
    fn odd_scripts_end_without_an_answer() {
        for odd in
            ["", "setup", "setup(", "setup(name=", "setup(name='x", "setup(**kw)", "setup([)", "setup({a b})"]
        {
            assert!(!setup_arguments(odd).contains_key("version"), "{odd}");
        }
        let deep = format!("setup(a={})", "[".repeat(10_000));
        assert!(setup_arguments(&deep).len() <= 1);
        assert!(setup_arguments("def mysetup(name='x'): pass\n").is_empty());
    }

    #[test]
    fn what_a_name_is_set_to() {
        let script = "__version__: str = '1.2'\nother = \"3\" # so\nx = f'{y}'\n__version_info__ = (1, 2)\n";
        assert_eq!(assigned(script, "__version__"), Some(text("1.2")));
        assert_eq!(assigned(script, "other"), Some(text("3")));
        assert_eq!(assigned(script, "x"), Some(Literal::Other));
        assert_eq!(assigned(script, "__version"), None);
    }
}
