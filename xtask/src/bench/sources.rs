//! The sources that a store already has, as a package index of files.
//!
//! Knows recipes, their hashes and the `blobs` folder of a store. Must never
//! fetch.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use recipes::book::{self, Layer, LayerFile};
use recipes::diag::{Finding, SourceFile};
use recipes::recipe::{Format, Origin, Promise, Recipe};

use super::files::{make, write};

/// Every recipe of the base set and of these files.
pub fn recipes(paths: &[std::path::PathBuf]) -> Result<Vec<Recipe>, String> {
    let file =
        |path: String, text: String| LayerFile { file: Arc::new(SourceFile { path, text }), pyproject: None };
    let base = recipes::base::files().into_iter();
    let base = base.map(|(path, text)| file(path.to_owned(), text.to_owned())).collect();
    let mut ours = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| format!("failed to read `{name}`: {e}"))?;
        ours.push(file(name, text));
    }
    let layers = [("base", base), ("recipes", ours)];
    let layers = layers.map(|(name, files)| Layer { name: name.to_owned(), files });
    let (book, findings) = book::assemble(&layers);
    if findings.is_empty() {
        return Ok(book.recipes.into_iter().map(std::sync::Arc::unwrap_or_clone).collect());
    }
    Err(findings.iter().map(Finding::render).collect())
}

/// Lays the sdists of `store` out below `simple`, a page a project.
pub fn index(recipes: &[Recipe], store: &Path, simple: &Path) -> Result<(), String> {
    let mut pages: BTreeMap<String, String> = BTreeMap::new();
    for recipe in recipes.iter().filter(|r| r.format != Format::Wheel) {
        let [source] = recipe.sources.as_slice() else { continue };
        let (Origin::Pypi { project, .. }, Promise::Hash(hash)) = (&source.origin, &source.promise) else {
            continue;
        };
        let hex = hash.hex();
        let blob = store.join("blobs").join(&hex[..2]).join(&hex[2..]);
        // What no goal needs was never fetched.
        let Ok(bytes) = std::fs::read(&blob) else { continue };
        let kind = if bytes.starts_with(b"PK") { "zip" } else { "tar.gz" };
        let name = project.to_lowercase().replace(['_', '.'], "-");
        let file = format!("{}-{}.{kind}", name.replace('-', "_"), recipe.version);
        let folder = simple.join(&name);
        make(&folder)?;
        let path = folder.join(&file);
        std::fs::write(&path, bytes).map_err(|e| format!("failed to write `{}`: {e}", path.display()))?;
        let link = format!("<a href=\"{file}#sha256={hex}\">{file}</a>\n");
        pages.entry(name).or_insert_with(|| "<!doctype html>\n".to_owned()).push_str(&link);
    }
    for (name, page) in pages {
        write(&simple.join(name).join("index.html"), &page)?;
    }
    Ok(())
}
