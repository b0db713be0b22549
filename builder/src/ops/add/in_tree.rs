//! What a backend that lies in the source itself asks for.
//!
//! Knows Python's strings and indentation. Must never run the backend: what
//! would have to be computed is not known.

use std::str::FromStr as _;

use recipes::name::Requirement;

/// The hook that asks.
const HOOK: &str = "def get_requires_for_build_wheel(";

/// The requirements that stand as strings in a script's hook. Those without a
/// version may be anything else: names of settings, say.
pub fn asked(script: &str) -> Vec<String> {
    let texts = script.match_indices(HOOK).flat_map(|(at, _)| strings(body(script, at)));
    let is_one = |text: &String| Requirement::from_str(text).is_ok_and(|r| !r.specifiers().is_empty());
    texts.filter(is_one).collect()
}

/// A function's text, from its name to the next line that is not further in.
fn body(script: &str, at: usize) -> &str {
    let line = script[..at].rfind('\n').map_or(0, |end| end + 1);
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = indent(&script[line..]);
    let mut end = at;
    for (number, line) in script[at..].split_inclusive('\n').enumerate() {
        let blank = line.trim().is_empty();
        // The parenthesis that ends the parameters stands as far out as `def`.
        if number > 0 && !blank && indent(line) <= own && !line.trim_start().starts_with(')') {
            break;
        }
        end += line.len();
    }
    &script[at..end]
}

/// The plain strings of a piece of Python; no comments, and nothing that is
/// formatted or stands in three quotes.
fn strings(code: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = code;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '#' => after.find('\n').map_or("", |end| &after[end..]),
            '"' | '\'' => {
                let three = c.to_string().repeat(3);
                let (text, next) = match rest.strip_prefix(&three) {
                    Some(inner) => (None, inner.split_once(&three).map_or("", |(_, next)| next)),
                    None => match after.split_once(c) {
                        Some((text, next)) => (Some(text), next),
                        None => (None, ""),
                    },
                };
                let plain = |text: &&str| !text.contains(['\\', '\n']) && !before.is_alphanumeric();
                out.extend(text.filter(plain).map(str::to_owned));
                next
            }
            _ => after,
        };
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hook_lists_is_asked_for() {
        let script = "\
from setuptools.build_meta import *

def get_requires_for_build_sdist(config_settings=None):
    return ['other>=1']

def get_requires_for_build_wheel(
    config_settings: dict[str, str] | None = None,
) -> list[str]:
    \"\"\"Asks for 'this>=1'.\"\"\"
    # 'that>=1' is not needed
    pure = config_settings['pure-python'] and x(f'y>={1}')
    deps = [] if pure else ['Cython >= 3.1.2; python_version >= \"3.12\"', \"Tool==2\"]

    return deps

AFTER = ['after>=1']
";
        assert_eq!(asked(script), ["Cython >= 3.1.2; python_version >= \"3.12\"", "Tool==2"]);
        assert_eq!(asked("x = ['a>=1']"), [""; 0]);
        assert_eq!(asked("def get_requires_for_build_wheel(s):\n  return ['a>=1'"), ["a>=1"]);
        assert_eq!(asked("def get_requires_for_build_wheel(s): return ['a>=1, \"b"), [""; 0]);
    }
}
