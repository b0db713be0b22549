//! What has to be read from disk before a plan can be made: `path` sources
//! and patch files.
//!
//! Knows the recipes' folders. Must never fetch or build.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use recipes::diag::{Code, Finding};
use recipes::recipe::{Origin, Patch};
use recipes::set::{PackageSet, RecipeId};

use crate::error::{Error, Kind, Result};
use crate::key::{Digest, TreeDigest};
use crate::ops::load::{BAD_PATH, Loaded, no_source_folder};
use crate::plan::Local;
use crate::store::Store;
use crate::tree::files::{self, Ours};
use crate::tree::{fs, scan};

/// A patch file that is not there.
pub const NO_PATCH: Code = Code("W504");

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
    let ours = OnceCell::new();
    for &id in needed {
        let Ok(source) = set.source_for(id) else { continue };
        if let Origin::Path { dir, include } = &source.origin {
            let root = loaded.folder_of(&source.base).join(dir);
            if !root.is_dir() {
                findings.push(no_source_folder(dir, source.place.clone()));
                continue;
            }
            let ours = ours.get_or_init(|| own_files(loaded));
            match path_tree((&root, include), ours, store) {
                Ok(digest) => drop(local.trees.insert(id.0, digest)),
                // What lies in a user's folder is the user's to mend, with all else.
                Err(error) if error.kind == Kind::Input => {
                    let finding = Finding::error(BAD_PATH, source.place.clone(), error.doing);
                    findings.push(Finding { notes: error.causes, hints: error.hints, ..finding });
                }
                Err(error) => {
                    let recipe = &source.base.path;
                    return Err(error.within(format!("failed to read the path source of {recipe}")));
                }
            }
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

/// A folder's files as a tree in the store.
fn path_tree((root, include): (&Path, &[String]), ours: &[PathBuf], store: &Store) -> Result<TreeDigest> {
    let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let inside: Vec<PathBuf> = ours.iter().filter(|p| p.starts_with(&real)).cloned().collect();
    let ours = Ours { files: &inside, stores: &[store.root().to_owned()] };
    let names = files::path_source(root, include, &ours)?;
    let tree = scan::scan_listed(root, &names)?;
    let digest = tree.digest();
    if !store.has_tree(&digest)? {
        let temp = store.temp_dir()?;
        let staged = temp.path().join("source");
        fs::copy_listed(root, &names, &staged)?;
        if store.add_tree(&staged)? != digest {
            return Err(Error::input(format!("`{}` changed while it was read", root.display()))
                .hint("let the other program finish, and run again"));
        }
    }
    Ok(digest)
}

/// The files that say how packages are built, of every layer: changing a
/// comment in one must change no key.
fn own_files(loaded: &Loaded) -> Vec<PathBuf> {
    loaded.disk.values().map(|p| p.canonicalize().unwrap_or_else(|_| p.clone())).collect()
}
