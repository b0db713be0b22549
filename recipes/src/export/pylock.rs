//! `pylock`: PEP 751, version 1.0.
//!
//! Knows which keys of a package are required: a file needs its address, so
//! that of a file on the index has to be handed in. Must never ask for one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Outcome, Part, Pin, Selection, Text, file_name};
use crate::name::Sha256;
use crate::set::RecipeId;

/// Where an index has a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// In bytes, when the index says so.
    pub size: Option<u64>,
}

/// A lock file for the one interpreter and platform of the set.
pub fn pylock(selection: &Selection<'_>, located: &BTreeMap<RecipeId, Located>) -> Outcome {
    let (pinned, left_out) = selection.pinned()?;
    let (mut notes, mut missing) = (selection.unsaid(), Vec::new());
    let mut out = String::from("lock-version = \"1.0\"\n");
    let _ = writeln!(out, "environments = [{}]", quote(&environment(selection)));
    out += "created-by = \"wheelwright\"\n";
    let mut packages = String::new();
    for (part, pin) in &pinned {
        package(selection, part, &mut packages);
        match (pin, located.get(&part.id)) {
            (Pin::Index(hash), Some(found)) => file(&mut packages, found, hash),
            (Pin::Index(_), None) => {
                missing.push(format!("{}: its address is not known", selection.set.label(part.id)));
            }
            (Pin::Address(url, hash), _) => {
                let name = file_name(url).to_owned();
                if name.ends_with(".whl") {
                    file(&mut packages, &Located { name, url: url.clone(), size: None }, hash);
                } else {
                    let _ = writeln!(packages, "[packages.archive]\nurl = {}", quote(url));
                    subdirectory(selection, part, &mut packages);
                    let _ = writeln!(packages, "hashes = {{ sha256 = \"{}\" }}", hash.hex());
                }
            }
            (Pin::Commit { url, id }, _) => {
                let _ = writeln!(packages, "[packages.vcs]\ntype = \"git\"\nurl = {}", quote(url));
                let _ = writeln!(packages, "commit-id = {}", quote(id));
                subdirectory(selection, part, &mut packages);
            }
        }
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    selection.tell_left_out(&left_out, &mut out, &mut notes);
    // The key is required, even of a lock of nothing.
    out += if packages.is_empty() { "packages = []\n" } else { &packages };
    Ok(Text { text: out, notes })
}

fn package(selection: &Selection<'_>, part: &Part, out: &mut String) {
    let recipe = selection.recipe(part);
    let _ = writeln!(out, "\n[[packages]]\nname = {}", quote(recipe.pname.as_ref()));
    let _ = writeln!(out, "version = {}", quote(&recipe.version.to_string()));
    if let Some((python, _)) = &recipe.requires_python {
        let _ = writeln!(out, "requires-python = {}", quote(&python.to_string()));
    }
    if !part.needs.is_empty() {
        let one = |id: &RecipeId| format!("{{ name = {} }}", quote(selection.set.get(*id).pname.as_ref()));
        let needs: Vec<String> = part.needs.iter().map(one).collect();
        let _ = writeln!(out, "dependencies = [{}]", needs.join(", "));
    }
}

fn file(out: &mut String, found: &Located, hash: &Sha256) {
    let wheel = found.name.ends_with(".whl");
    out.push_str(if wheel { "[[packages.wheels]]\n" } else { "[packages.sdist]\n" });
    let _ = writeln!(out, "name = {}\nurl = {}", quote(&found.name), quote(&found.url));
    if let Some(size) = found.size {
        let _ = writeln!(out, "size = {size}");
    }
    let _ = writeln!(out, "hashes = {{ sha256 = \"{}\" }}", hash.hex());
}

fn subdirectory(selection: &Selection<'_>, part: &Part, out: &mut String) {
    if let Ok(source) = selection.set.source_for(part.id)
        && !source.subdirectory.is_empty()
    {
        let _ = writeln!(out, "subdirectory = {}", quote(&source.subdirectory));
    }
}

/// What holds of the target, as far as markers of packages were decided by it.
fn environment(selection: &Selection<'_>) -> String {
    let markers = &selection.set.target().markers;
    [
        ("implementation_name", markers.implementation_name().to_owned()),
        ("platform_machine", markers.platform_machine().to_owned()),
        ("python_version", markers.python_version().to_string()),
        ("sys_platform", markers.sys_platform().to_owned()),
    ]
    .map(|(name, value)| format!("{name} == '{value}'"))
    .join(" and ")
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
