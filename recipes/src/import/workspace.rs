//! Imported environments in the text of `wheelwright.toml`.
//!
//! Knows `[env.NAME]` and that the rest of the text stays as it is. Must
//! never touch an environment that says something else, unless it is told to.

use std::sync::Arc;

use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::{Environment, Todo, comments};
use crate::diag::SourceFile;

/// What happens to the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It says all of it already.
    Same,
    /// It is this from now on.
    Text(String),
}

/// A new workspace whose recipes are in these folders.
pub fn new(folder: &str) -> String {
    format!("[set]\nrecipes = [{}]\n", toml::Value::String(folder.to_owned()))
}

/// Adds environments to a text, with what could not be carried over above
/// the first of them.
///
/// The error is a sentence: an environment of that name is there and says
/// something else, or the text cannot be edited.
pub fn with_environments(
    text: &str,
    environments: &[Environment],
    todos: &[Todo],
    force: bool,
) -> Result<Edit, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|e: toml_edit::TomlError| format!("the text is not TOML: {}", e.message()))?;
    let mut missing = Vec::new();
    for env in environments {
        let old = document.get("env").and_then(|e| e.get(&env.name));
        match old {
            Some(old) if same(old, env) => {}
            Some(_) if !force => {
                return Err(format!("there is an environment `{}` with other packages", env.name));
            }
            Some(_) => replace(&mut document, env),
            None => missing.push(env),
        }
    }
    let mut out = document.to_string();
    for (n, env) in missing.into_iter().enumerate() {
        if !out.is_empty() {
            out = format!("{}\n\n", out.trim_end());
        }
        if n == 0 {
            out += &comments(todos);
        }
        let mut table = Table::new();
        table.insert("packages", value(packages(env)));
        if let Some(python) = &env.python {
            table.insert("python", value(python));
        }
        let mut outer = Table::new();
        outer.set_implicit(true);
        outer.insert(&env.name, Item::Table(table));
        let mut added = DocumentMut::new();
        added.insert("env", Item::Table(outer));
        out += added.to_string().trim_start();
    }
    if out == text {
        return Ok(Edit::Same);
    }
    let file = Arc::new(SourceFile { path: "wheelwright.toml".into(), text: out });
    crate::format::format(&file).map(Edit::Text).map_err(|all| all.into_iter().map(|f| f.message).collect())
}

fn packages(env: &Environment) -> Array {
    env.packages.iter().map(String::as_str).collect()
}

fn same(old: &Item, env: &Environment) -> bool {
    let text = |i: &Item| i.as_str().map(str::to_owned);
    let listed = old
        .get("packages")
        .and_then(Item::as_array)
        .map(|all| all.iter().map(|v| v.as_str().unwrap_or("").to_owned()).collect::<Vec<_>>());
    listed.as_ref() == Some(&env.packages) && old.get("python").and_then(text) == env.python
}

fn replace(document: &mut DocumentMut, env: &Environment) {
    let table = &mut document["env"][env.name.as_str()];
    table["packages"] = value(packages(env));
    if let Some(python) = &env.python {
        table["python"] = value(python);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn env(name: &str, packages: &[&str]) -> Environment {
        let packages = packages.iter().map(|p| (*p).to_owned()).collect();
        Environment { name: name.to_owned(), packages, python: None }
    }

    fn check(text: &str, environments: &[Environment], force: bool, expected: Expect) {
        expected.assert_eq(&match with_environments(text, environments, &[], force) {
            Ok(Edit::Same) => "the same".to_owned(),
            Ok(Edit::Text(text)) => text,
            Err(why) => why,
        });
    }

    #[test]
    fn an_environment_is_added_and_the_rest_stays() {
        let mut dev = env("dev", &["flask", "requests[socks]; python_version < '3.11'"]);
        dev.python = Some("3.12".to_owned());
        let text = "# ours\n[set]\nrecipes = [\"recipes\"]  # all\n\n[env.old]\npackages = [\"toolz\"]\n";
        check(
            text,
            &[dev, env("more", &[])],
            false,
            expect![[r#"
            # ours
            [set]
            recipes = ["recipes"]  # all

            [env.old]
            packages = ["toolz"]

            [env.dev]
            packages = ["flask", "requests[socks]; python_version < '3.11'"]
            python = "3.12"

            [env.more]
            packages = []
        "#]],
        );
        check(
            &new("."),
            &[env("dev", &["toolz"])],
            false,
            expect![[r#"
            [set]
            recipes = ["."]

            [env.dev]
            packages = ["toolz"]
        "#]],
        );
    }

    #[test]
    fn an_environment_that_is_there_is_kept_or_replaced_by_force() {
        let text = "[env.dev]\n# why\npackages = [\"toolz\"]  # and so on\n";
        check(text, &[env("dev", &["toolz"])], false, expect!["the same"]);
        check(
            text,
            &[env("dev", &["flask"])],
            false,
            expect!["there is an environment `dev` with other packages"],
        );
        check(
            text,
            &[env("dev", &["flask"])],
            true,
            expect![[r#"
            [env.dev]
            # why
            packages = ["flask"]
        "#]],
        );
        check(
            "[env",
            &[env("dev", &[])],
            true,
            expect!["the text is not TOML: unclosed table, expected `]`"],
        );
    }
}
