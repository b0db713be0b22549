//! Files that people already have, as recipes (`wheelwright import`).
//!
//! Knows which kinds of files can be read and what an import hands over.
//! Must never read a file itself: texts come in, texts go out.

pub mod lock;
pub mod nix;
pub mod workspace;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::book::{Layer, LayerFile, assemble};
use crate::diag::{Place, Severity, SourceFile};

/// The kinds of files that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `buildPythonPackage` and friends, and shells made of them.
    Nix,
    /// Lock files and lists of requirements.
    Lock(lock::Format),
}

/// What can be imported, for messages.
pub const SUPPORTED: &str = "Nix files (`*.nix`) with buildPythonPackage, buildPythonApplication or \
                             python.withPackages; pylock.toml, uv.lock, poetry.lock, pdm.lock, \
                             requirements files (`*.txt`), environment.yml and pyproject.toml";

impl Kind {
    /// The kind of a file, by its name.
    pub fn of(file_name: &str) -> Option<Self> {
        if file_name.ends_with(".nix") {
            return Some(Kind::Nix);
        }
        lock::Format::of(file_name).map(Kind::Lock)
    }
}

/// Something that could not be carried over.
#[derive(Clone, Debug)]
pub struct Todo {
    /// The attribute that says it, with those around it (`meta.platforms`).
    pub attribute: String,
    /// Why, without a full stop.
    pub why: String,
    /// The expression.
    pub place: Place,
}

impl Todo {
    /// The expression's text.
    pub fn quote(&self) -> &str {
        self.place.file.text.get(self.place.span.clone()).unwrap_or("")
    }
}

/// A recipe that was made.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The project's name as it was written.
    pub pname: String,
    /// The version's text.
    pub version: String,
    /// The recipe, laid out, with its TODO comments.
    pub text: String,
    /// The expression it was made from.
    pub place: Place,
    /// Every attribute of that expression.
    pub attributes: BTreeSet<String>,
    /// Those that the recipe says, at least in part.
    pub carried: BTreeSet<String>,
    /// What the recipe does not say.
    pub todos: Vec<Todo>,
    /// What keeps the recipe from being read; it is of no use then.
    pub problems: Vec<String>,
}

/// An environment that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// For `[env.NAME]`.
    pub name: String,
    /// Its packages, as requirements.
    pub packages: Vec<String>,
    /// Its interpreter, when one is named.
    pub python: Option<String>,
}

/// All that a file gave.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The recipes, each once.
    pub recipes: Vec<Converted>,
    /// The environments.
    pub environments: Vec<Environment>,
    /// What belongs to no recipe and could not be carried over.
    pub todos: Vec<Todo>,
    /// The files that were asked for, whether they were there or not.
    pub asked: BTreeSet<String>,
}

/// TODO comments: each reason once, and below it what it is about.
pub fn comments(todos: &[Todo]) -> String {
    let mut out = String::new();
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for todo in todos {
        let head = (todo.attribute.as_str(), todo.why.as_str());
        if !seen.insert(head) {
            continue;
        }
        out += &format!("# TODO(import): {}: {}\n", head.0, head.1);
        let same = todos.iter().filter(|t| (t.attribute.as_str(), t.why.as_str()) == head);
        let mut quotes: Vec<(usize, &str)> = same.map(|t| (t.place.span.start, t.quote())).collect();
        quotes.dedup();
        for (start, quote) in quotes {
            for line in dedented(&todo.place.file.text, start, quote) {
                out += format!("#   {line}").trim_end();
                out.push('\n');
            }
        }
    }
    out
}

/// The lines of a quote without the indent of its first line.
fn dedented(text: &str, start: usize, quote: &str) -> Vec<String> {
    let line_start = text[..start].rfind('\n').map_or(0, |n| n + 1);
    let indent = text[line_start..].chars().take_while(|c| *c == ' ').count();
    quote
        .lines()
        .enumerate()
        .map(|(n, line)| {
            let own = line.chars().take_while(|c| *c == ' ').count();
            // Other controls have no place in a TOML comment.
            let line = &line[if n == 0 { 0 } else { own.min(indent) }..];
            line.chars().filter(|c| !c.is_control() || *c == '\t').collect()
        })
        .collect()
}

/// Lays a recipe out and reads it back: its text and what is wrong with it.
pub(crate) fn finished(path: &str, text: String) -> (String, Vec<String>) {
    let file = |text| Arc::new(SourceFile { path: path.to_owned(), text });
    let messages = |all: Vec<crate::diag::Finding>| all.into_iter().map(|f| f.message).collect::<Vec<_>>();
    let laid_out = match crate::format::format(&file(text.clone())) {
        Ok(laid_out) => laid_out,
        Err(findings) => return (text, messages(findings)),
    };
    let files = vec![LayerFile { file: file(laid_out.clone()), pyproject: None }];
    let (_, findings) = assemble(&[Layer { name: "recipes".into(), files }]);
    let errors = findings.into_iter().filter(|f| f.severity == Severity::Error).collect();
    (laid_out, messages(errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_go_by_the_name() {
        assert_eq!(Kind::of("shell.nix"), Some(Kind::Nix));
        for (name, format) in [
            ("pylock.toml", lock::Format::Pylock),
            ("pylock.dev.toml", lock::Format::Pylock),
            ("uv.lock", lock::Format::Uv),
            ("poetry.lock", lock::Format::Poetry),
            ("pdm.lock", lock::Format::Pdm),
            ("requirements-dev.txt", lock::Format::Requirements),
            ("environment.yml", lock::Format::Conda),
            ("pyproject.toml", lock::Format::Pyproject),
        ] {
            assert_eq!(Kind::of(name), Some(Kind::Lock(format)), "{name}");
        }
        for name in ["uv.toml", "Pipfile.lock", "pylock..toml", "pylock.a.b.toml", "Cargo.lock"] {
            assert_eq!(Kind::of(name), None, "{name}");
        }
    }
}
