//! Nix files as recipes: `buildPythonPackage`, `buildPythonApplication` and
//! `python.withPackages`, read without Nix.
//!
//! Knows the text of some files and what nixpkgs' functions mean. Must never
//! run anything: an expression is evaluated as far as its text goes, and
//! what is left is quoted in a TODO. [`Converted`] accounts for every
//! attribute.
//!
//! ```text
//! text -> eval (lazy, symbolic) -> find (recipes, environments)
//!      -> fields (attribute by attribute) -> draft -> TOML
//! ```
//!
//! [`Converted`]: super::Converted

mod checks;
mod cond;
mod draft;
mod eval;
mod fields;
mod find;
mod hash;
mod inputs;
mod meta;
mod names;
mod natives;
mod operators;
mod packages;
mod shell;
mod source;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use rnix::{ParseError, SyntaxKind};

use super::Imported;
use crate::codes;
use crate::diag::{Finding, Place, SourceFile};

/// Texts by their path, relative to one folder and without `.` in it.
pub type Files = BTreeMap<String, Arc<SourceFile>>;

/// What is wrong with a text, at its first mistake.
pub fn check(file: &Arc<SourceFile>) -> Result<(), Finding> {
    if let Some(at) = too_deep(&file.text) {
        let place = Place { file: file.clone(), span: at..at };
        return Err(Finding::error(codes::NOT_NIX, place, "this cannot be read: it is nested too deeply"));
    }
    let parsed = rnix::Root::parse(&file.text);
    let end = file.text.trim_end().len();
    let Some(error) = parsed.errors().first() else { return Ok(()) };
    let (span, message) = match error {
        ParseError::UnexpectedWanted(got, range, wanted) => {
            (range_of(range), format!("{} is not expected here{}", token(*got), wanted_words(wanted)))
        }
        ParseError::UnexpectedEOF => (end..end, "the text ends too early".to_owned()),
        ParseError::UnexpectedEOFWanted(wanted) => {
            (end..end, format!("the text ends too early{}", wanted_words(wanted)))
        }
        ParseError::UnexpectedExtra(range) => {
            (range_of(range), "there is more text than one expression".to_owned())
        }
        ParseError::UnexpectedDoubleBind(range) => (range_of(range), "the argument has two names".to_owned()),
        ParseError::DuplicatedArgs(range, name) => {
            (range_of(range), format!("the argument `{name}` is named twice"))
        }
        ParseError::Unexpected(range) => (range_of(range), "this is not expected here".to_owned()),
        _ => (0..0, "the text is nested too deeply".to_owned()),
    };
    let place = Place { file: file.clone(), span };
    Err(Finding::error(codes::NOT_NIX, place, format!("this is no Nix: {message}")))
}

/// Brackets in brackets, and words of one expression: the parser and what
/// walks its tree go down the stack with either.
const BRACKETS: usize = 300;
const WORDS: usize = 3000;

/// Where a text is nested deeper than anybody writes.
fn too_deep(text: &str) -> Option<usize> {
    let mut at = 0;
    // Each open bracket: whether it is a list's, and the words since `;`.
    let mut open = vec![(false, 0)];
    for (kind, piece) in rnix::tokenize(text) {
        let top = open.last_mut().expect("the text itself is never closed");
        match kind {
            SyntaxKind::TOKEN_WHITESPACE | SyntaxKind::TOKEN_COMMENT => {}
            SyntaxKind::TOKEN_SEMICOLON | SyntaxKind::TOKEN_COMMA => top.1 = 0,
            SyntaxKind::TOKEN_L_BRACK => open.push((true, 0)),
            SyntaxKind::TOKEN_L_BRACE
            | SyntaxKind::TOKEN_L_PAREN
            | SyntaxKind::TOKEN_INTERPOL_START
            | SyntaxKind::TOKEN_STRING_START => open.push((false, 0)),
            SyntaxKind::TOKEN_R_BRACK
            | SyntaxKind::TOKEN_R_BRACE
            | SyntaxKind::TOKEN_R_PAREN
            | SyntaxKind::TOKEN_INTERPOL_END
            | SyntaxKind::TOKEN_STRING_END => {
                if open.len() > 1 {
                    open.pop();
                }
            }
            // The elements of a list stand side by side.
            SyntaxKind::TOKEN_IDENT | SyntaxKind::TOKEN_PATH_REL | SyntaxKind::TOKEN_DOT if top.0 => {}
            _ => top.1 += 1,
        }
        if open.len() > BRACKETS || open.last().is_some_and(|top| top.1 > WORDS) {
            return Some(at);
        }
        at += piece.len();
    }
    None
}

fn range_of(range: &rnix::TextRange) -> std::ops::Range<usize> {
    range.start().into()..range.end().into()
}

fn wanted_words(wanted: &[SyntaxKind]) -> String {
    if wanted.is_empty() || wanted.len() > 4 {
        return String::new();
    }
    let words: Vec<String> = wanted.iter().map(|k| token(*k)).collect();
    format!(", but {}", words.join(" or "))
}

/// A token as its text.
fn token(kind: SyntaxKind) -> String {
    let text = match kind {
        SyntaxKind::TOKEN_SEMICOLON => ";",
        SyntaxKind::TOKEN_ASSIGN => "=",
        SyntaxKind::TOKEN_COLON => ":",
        SyntaxKind::TOKEN_COMMA => ",",
        SyntaxKind::TOKEN_DOT => ".",
        SyntaxKind::TOKEN_AT => "@",
        SyntaxKind::TOKEN_QUESTION => "?",
        SyntaxKind::TOKEN_L_BRACE => "{",
        SyntaxKind::TOKEN_R_BRACE => "}",
        SyntaxKind::TOKEN_L_BRACK => "[",
        SyntaxKind::TOKEN_R_BRACK => "]",
        SyntaxKind::TOKEN_L_PAREN => "(",
        SyntaxKind::TOKEN_R_PAREN => ")",
        SyntaxKind::TOKEN_IDENT => return "a name".to_owned(),
        SyntaxKind::TOKEN_STRING_START | SyntaxKind::TOKEN_STRING_CONTENT => return "a string".to_owned(),
        SyntaxKind::TOKEN_STRING_END => return "the end of a string".to_owned(),
        SyntaxKind::TOKEN_INTEGER | SyntaxKind::TOKEN_FLOAT => return "a number".to_owned(),
        kind => {
            let name =
                format!("{kind:?}").trim_start_matches("TOKEN_").trim_start_matches("NODE_").to_lowercase();
            return format!("`{}`", name.replace('_', " "));
        }
    };
    format!("`{text}`")
}

/// The files that a text names by a path of its own folder, such as
/// `./toolz.nix`: each may be one that has to be there, too.
pub fn references(text: &str) -> Vec<String> {
    let paths = rnix::Root::parse(text)
        .syntax()
        .descendants()
        .filter_map(|node| (node.kind() == SyntaxKind::NODE_PATH_REL).then(|| node.to_string()));
    let mut out: Vec<String> = paths.filter(|p| !p.contains("${")).collect();
    out.sort();
    out.dedup();
    out
}

/// Imports one of these files. `base` is the way from the folder of the
/// recipes to the folder that the files' paths are relative to.
pub fn import(files: &Files, path: &str, base: &str) -> Imported {
    let evaluation = eval::Eval::new(files);
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = match name.strip_suffix(".nix").unwrap_or(name) {
        "default" | "shell" => "shell",
        other => other,
    };
    find::find(&evaluation, base, (path, &names::normal(stem)))
}

/// The attribute of nixpkgs that a word of `[external]` is read from.
pub(crate) fn external_attribute(external: &str) -> Option<&'static str> {
    names::external_attribute(external)
}

/// The attribute of `lib.licenses` that an SPDX identifier is read from.
pub(crate) fn license_attribute(spdx: &str) -> Option<&'static str> {
    names::license_attribute(spdx)
}

/// A path from one folder, seen from another: `.` and `..` are taken out
/// where the text allows it.
pub fn joined(folder: &str, path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if out.last().is_some_and(|last| *last != "..") => drop(out.pop()),
            part => out.push(part),
        }
    }
    out.join("/")
}

/// A path that a file's text names, relative to what its own is relative to.
fn beside(at: &Place, path: &str) -> String {
    let folder = at.file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    joined(folder, path)
}

#[cfg(test)]
mod tests;
