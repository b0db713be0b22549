//! Which TOML files are recipes, as far as names and a first look tell.
//!
//! Knows the files that other tools keep beside recipes. Must never read one.

use super::WORKSPACE_FILE;

/// TOML files of other tools that lie beside recipes.
const FOREIGN: [&str; 3] = ["pyproject.toml", WORKSPACE_FILE, "Cargo.toml"];
/// Files of other tools whose name is a package's, too: what is in them tells.
const EITHER: [&str; 2] = ["uv.toml", "ruff.toml"];

/// Whether a file is another tool's, whatever is in it.
pub fn is_foreign(name: &str) -> bool {
    FOREIGN.contains(&name)
}

/// Whether a file may be another tool's: PEP 751 has `pylock.toml` and
/// `pylock.NAME.toml`.
pub fn is_either(name: &str) -> bool {
    EITHER.contains(&name) || name.starts_with("pylock.")
}

/// Whether a file is looked into for a recipe.
pub fn may_be_recipe(name: &str) -> bool {
    name.ends_with(".toml") && !name.starts_with('.') && !is_foreign(name)
}

/// Whether a text has a key that only recipes have.
pub fn looks_like_recipe(text: &str) -> bool {
    text.lines().any(|l| {
        let key = l.split('=').next().unwrap_or("").trim();
        l.contains('=') && (key == "pname" || key == "extends")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_packages_too_are_told_by_their_text() {
        assert!(is_foreign("pyproject.toml") && !may_be_recipe("Cargo.toml") && !may_be_recipe(".x.toml"));
        for name in ["uv.toml", "ruff.toml", "pylock.toml", "pylock.dev.toml"] {
            assert!(is_either(name) && may_be_recipe(name), "{name}");
        }
        assert!(!is_either("flask.toml"));
        assert!(looks_like_recipe("# uv\npname = \"uv\"\n") && looks_like_recipe("extends = \"uv\""));
        assert!(!looks_like_recipe("offline = true\n[pname]\n"));
    }
}
