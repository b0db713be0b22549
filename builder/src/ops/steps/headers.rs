//! Where a header lies that a build's source does not have.
//!
//! Knows a `path` source's folder and its tree. Must never read a file.

use std::path::{Path, PathBuf};

use recipes::recipe::Origin;

use super::Steps;
use crate::event::Failure;
use crate::plan::Step;

/// Entries looked at, and how deep.
const MOST: usize = 20_000;
const DEEPEST: usize = 8;

/// Says of a header that was included by name where it lies: in the folder,
/// where git ignores it, or in the source, where the compiler does not look.
pub fn find(steps: &Steps, step: &Step, failure: &mut Failure) {
    let Some(header) = failure.group.strip_prefix("missing-source:").map(str::to_owned) else { return };
    let source = steps.source_of(step);
    let Origin::Path { dir, .. } = &source.origin else { return };
    let Some(tree) = steps.local.trees.get(&step.recipe.0) else { return };
    let root = steps.loaded.folder_of(&source.base).join(dir);
    let Some(found) = below(&root, (&header, DEEPEST), &mut MOST.clone()) else { return };
    let Ok(relative) = found.strip_prefix(&root) else { return };
    let shown = relative.display();
    let told = if steps.machines.store.tree_path(tree).join(relative).exists() {
        format!(
            "`{shown}` is in the source, but not where the compiler looks: name its folder (`include_dirs`)"
        )
    } else {
        format!(
            "`{shown}` lies in the folder, but git ignores it: add it, or name it in `include` of `[source]`"
        )
    };
    let vague = format!("`{header}` is not in the source");
    if let Some(hint) = failure.hints.iter_mut().find(|hint| hint.starts_with(&vague)) {
        *hint = told;
    }
}

/// The first file below a folder whose path ends so. Links are not followed.
fn below(folder: &Path, (name, depth): (&str, usize), left: &mut usize) -> Option<PathBuf> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        *left = left.checked_sub(1)?;
        let (path, kind) = (entry.path(), entry.file_type().ok()?);
        if kind.is_file() && path.ends_with(name) {
            return Some(path);
        }
        if kind.is_dir() && depth > 0 && !entry.file_name().to_string_lossy().starts_with('.') {
            folders.push(path);
        }
    }
    folders.sort();
    folders.iter().find_map(|folder| below(folder, (name, depth - 1), left))
}
