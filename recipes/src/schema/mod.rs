//! The field table: which keys exist, what they take, what they mean.
//!
//! Knows the field table. Must never know any recipe.
//!
//! From this one table come unknown-key and wrong-type errors
//! ([`check`]), the JSON Schema ([`json_schema`]), the key order of
//! [`crate::format`] and the older spellings that are still read.

mod check;
mod fields;
mod json;
mod old;

pub(crate) use check::{check, edit_of};
pub use fields::{RECIPE, WORKSPACE};
pub use json::json_schema;

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// What it takes.
    pub takes: Type,
    /// What it means, one sentence.
    pub doc: &'static str,
    /// Older spellings that are still read, with a lint.
    pub old: &'static [Old],
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A string.
    Text,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// A whole number from 0.
    Count,
    /// A list.
    List(&'static Type),
    /// A list of PEP 508 requirements.
    Requirements,
    /// A table with these keys.
    Fields(&'static [Field]),
    /// A table with keys of the author's choice.
    Map(&'static Type),
    /// One of several.
    AnyOf(&'static [Type]),
}

/// An older spelling, in kebab-case; camelCase is read as well.
#[derive(Clone, Copy, Debug)]
pub enum Old {
    /// Another name in the same table.
    Here(&'static str),
    /// A key that used to stand outside any table.
    Top(&'static str),
    /// The same with the opposite sense.
    TopNot(&'static str),
    /// `pyproject = true` for a format.
    TopPyproject(&'static str),
    /// A list, or `true` for all of them.
    TopListOrAll(&'static str),
    /// makeWrapper arguments for the whole of `[wrap]`.
    TopWrapperArgs(&'static str),
}

impl Old {
    /// The older key, in kebab-case.
    pub fn key(self) -> &'static str {
        match self {
            Old::Here(key)
            | Old::Top(key)
            | Old::TopNot(key)
            | Old::TopPyproject(key)
            | Old::TopListOrAll(key)
            | Old::TopWrapperArgs(key) => key,
        }
    }
}

impl Type {
    /// What is expected, with its article: `a string or a list`.
    pub fn expected(&self) -> String {
        match self {
            Type::Text | Type::Choice(_) => "a string".to_owned(),
            Type::Bool => "`true` or `false`".to_owned(),
            Type::Count => "a whole number".to_owned(),
            Type::List(Type::Text) | Type::Requirements => "a list of strings".to_owned(),
            Type::List(_) => "a list".to_owned(),
            Type::Fields(_) | Type::Map(_) => "a table".to_owned(),
            Type::AnyOf(types) => {
                let words: Vec<_> = types.iter().map(Type::expected).collect();
                words.join(" or ")
            }
        }
    }

    /// What a key takes in a table of this type.
    pub fn child(&self, key: &str) -> Option<&Type> {
        match self {
            Type::Fields(fields) => find(fields, key).map(|f| &f.takes),
            Type::List(item) => item.child(key),
            Type::Map(inner) => Some(inner),
            Type::AnyOf(types) => types.iter().find_map(|t| t.child(key)),
            _ => None,
        }
    }

    /// Whether a list is among what this takes.
    pub fn is_list(&self) -> bool {
        match self {
            Type::List(_) | Type::Requirements => true,
            Type::AnyOf(types) => types.iter().any(Type::is_list),
            _ => false,
        }
    }

    /// The fields of the table this type is, holds, or may be.
    pub fn fields(&self) -> Option<&'static [Field]> {
        match self {
            Type::Fields(fields) => Some(fields),
            Type::List(item) => item.fields(),
            Type::AnyOf(types) => types.iter().find_map(Type::fields),
            _ => None,
        }
    }
}

/// The field of a key.
pub fn find(fields: &'static [Field], key: &str) -> Option<&'static Field> {
    fields.iter().find(|f| f.key == key)
}

/// `pythonImportsCheck` as `python-imports-check`.
pub(crate) fn kebab(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(if c == '_' { '-' } else { c.to_ascii_lowercase() });
    }
    out
}

#[cfg(test)]
mod tests;
