//! What has to be read from disk before a plan can be made: `path` sources
//! and patch files.
//!
//! Knows the recipes' folders. Must never fetch or build.

use std::collections::BTreeSet;
use std::path::PathBuf;

use recipes::diag::{Code, Finding};
use recipes::recipe::{Origin, Patch};
use recipes::set::{PackageSet, RecipeId};

use crate::error::{Error, Result};
use crate::key::Digest;
use crate::ops::load::Loaded;
use crate::plan::Local;
use crate::store::Store;
use crate::tree::files::{self, Ours};
use crate::tree::{fs, scan};

/// A patch file that is not there.
pub const NO_PATCH: Code = Code("W504");
/// A `path` source that is not there or cannot be used.
pub const BAD_PATH: Code = Code("W505");

/// Puts the `path` sources of the needed recipes into the store and digests
/// their patches. All that is wrong comes back at once.
pub fn local(
    loaded: &Loaded,
    set: &PackageSet,
    needed: &BTreeSet<RecipeId>,
    store: &Store,
) -> Result<std::result::Result<Local, Vec<Finding>>> {
    let mut local = Local::default();
    let mut findings = Vec::new();
    for &id in needed {
        let Ok(source) = set.source_for(id) else { continue };
        if let Origin::Path { dir, include } = &source.origin {
            let root = loaded.folder_of(&source.base).join(dir);
            if !root.is_dir() {
                let message = format!("the source folder `{dir}` is not there");
                findings.push(
                    Finding::error(BAD_PATH, source.place.clone(), message)
                        .hint(format!("`path` is relative to the folder of {}", source.base.path)),
                );
                continue;
            }
            let ours = Ours { files: &own_files(loaded, set, id), stores: &[store.root().to_owned()] };
            let names = files::path_source(&root, include, &ours).map_err(|e| about(e, &source.base.path))?;
            let tree = scan::scan_listed(&root, &names)?;
            let digest = tree.digest();
            if !store.has_tree(&digest)? {
                let temp = store.temp_dir()?;
                let staged = temp.path().join("source");
                fs::copy_listed(&root, &names, &staged)?;
                let kept = store.add_tree(&staged)?;
                if kept != digest {
                    return Err(Error::input(format!("`{}` changed while it was read", root.display()))
                        .hint("let the other program finish, and run again"));
                }
            }
            local.trees.insert(id.0, digest);
        }
        for patch in &source.patches {
            let Patch::File(name, base) = patch else { continue };
            let path = loaded.folder_of(base).join(name);
            match std::fs::read(&path) {
                Ok(text) => drop(local.patches.insert((id.0, name.clone()), Digest::of(&text))),
                Err(e) => {
                    let message = format!("the patch `{name}` cannot be read: {e}");
                    findings.push(
                        Finding::error(NO_PATCH, source.place.clone(), message)
                            .hint(format!("patches are relative to the folder of {}", base.path)),
                    );
                }
            }
        }
    }
    Ok(if findings.is_empty() { Ok(local) } else { Err(findings) })
}

/// The files that say how a package is built: changing a comment in one must
/// change no key.
fn own_files(loaded: &Loaded, set: &PackageSet, id: RecipeId) -> Vec<PathBuf> {
    let recipe = set.get(id);
    let files = [&recipe.file.path, &recipe.place.file.path];
    let bases = recipe.sources.iter().map(|s| &s.base.path);
    let mut own: Vec<PathBuf> =
        files.into_iter().chain(bases).filter_map(|p| loaded.disk.get(p)).cloned().collect();
    own.push(loaded.root.join(super::load::WORKSPACE_FILE));
    own
}

fn about(error: Error, recipe: &str) -> Error {
    error.within(format!("failed to read the path source of {recipe}"))
}
