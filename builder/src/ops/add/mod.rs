//! `add`: recipes from the index, for what is named and all that it needs.
//!
//! Knows where recipes go and how they are written. Runs nothing of what it
//! reads. Must never build.

mod asked;
mod closure;
pub(super) mod draft;
mod imports;
mod in_tree;
mod known;
mod license;
mod market;
mod metadata;
mod named;
mod native;
mod near;
mod promised;
pub(super) mod release;
mod sdist;
pub(super) mod source;
#[cfg(test)]
mod tests;
mod view;
mod wheels;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use recipes::name::{PackageName, Version};

use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Result};
use crate::ops::load::{Loaded, WORKSPACE_FILE, load};
use crate::ops::machines::{Settings, open};

pub(super) use asked::{check_day, targets};
pub use closure::{Addition, New, Solved, Solving, solve};
pub(super) use closure::{Completed, complete};
pub use market::Form;
pub(super) use market::{Market, Offer, Terms, is_strangers, unusable};
pub use promised::Lock;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// `NAME`, `NAME==VERSION`, or a name with specifiers (`NAME>=2,<3`).
    pub projects: Vec<String>,
    /// The folder the recipes go to.
    pub dir: Option<PathBuf>,
    /// Replace recipes that exist.
    pub force: bool,
    /// The machine.
    pub settings: Settings,
}

/// A recipe that was written.
#[derive(Clone, Debug)]
pub struct Added {
    /// Where.
    pub path: PathBuf,
    /// What the user should look at.
    pub notes: Vec<String>,
}

/// Writes a recipe for each project; one that fails does not stop the others.
pub fn add(ambient: &Ambient, request: &Request) -> Result<Vec<Result<Added>>> {
    let loaded = load(ambient, &[])?;
    let machines = open(ambient, &request.settings, &loaded.workspace)?;
    let dir = folder(ambient, &loaded, request.dir.as_deref());
    std::fs::create_dir_all(&dir).doing(|| format!("failed to make `{}`", dir.display()))?;
    let outside = outside(&loaded, &dir);
    let added = |project: &String| {
        let mut added = named::one(&machines, project, (&dir, request.force))?;
        added.notes.extend(outside.clone());
        Ok(added)
    };
    Ok(request.projects.iter().map(added).collect())
}

/// The folder recipes go to.
pub(super) fn folder(ambient: &Ambient, loaded: &Loaded, dir: Option<&Path>) -> PathBuf {
    match (dir, loaded.workspace.recipes.first()) {
        (Some(dir), _) => ambient.absolute(dir),
        (None, Some((first, _))) => loaded.root.join(first),
        (None, None) => ambient.cwd.clone(),
    }
}

/// What to tell of a folder whose recipes the set does not have.
pub(super) fn outside(loaded: &Loaded, dir: &Path) -> Option<String> {
    let folders = &loaded.workspace;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let dir = real(dir);
    let mut of_set = folders.recipes.iter().chain(&folders.overlays).map(|(f, _)| real(&loaded.root.join(f)));
    let declared = loaded.is_workspace();
    let inside =
        if declared { of_set.any(|folder| dir.starts_with(folder)) } else { dir == real(&loaded.root) };
    (!inside).then(|| match declared {
        true => format!("this folder is no part of the set: name it under `recipes` in {WORKSPACE_FILE}"),
        false => format!(
            "this folder is no part of the set: a {WORKSPACE_FILE} with `[set]` names folders of recipes"
        ),
    })
}

/// The file a recipe goes to: `NAME.toml`, or `NAME-VERSION.toml` where
/// another version has that. A recipe of this version is only replaced by force.
pub(super) fn free(dir: &Path, (name, version): (&PackageName, &Version), force: bool) -> Result<PathBuf> {
    let plain = dir.join(format!("{name}.toml"));
    let with_version = dir.join(format!("{name}-{version}.toml"));
    let of_another = |path: &Path| held(path).is_some_and(|held| held != *version);
    let path = match (plain.exists(), with_version.exists()) {
        (false, false) => return Ok(plain),
        // By force the only one there is; with both, the one of this version.
        (true, false) if force || !of_another(&plain) => plain,
        (true, false) => return Ok(with_version),
        (true, true) if force && !of_another(&plain) => plain,
        _ => with_version,
    };
    if force {
        return Ok(path);
    }
    Err(Error::input(format!("`{}` exists", path.display()))
        .hint("say --force to replace it, or --dir for another folder"))
}

/// The version that a recipe file says it is of, if it says one.
pub(super) fn held(path: &Path) -> Option<Version> {
    let table: toml::Table = toml::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    Version::from_str(table.get("version")?.as_str()?).ok()
}
