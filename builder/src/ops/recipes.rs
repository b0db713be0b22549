//! `lint` and `fmt`: recipe texts as texts.
//!
//! Knows which files are meant. Must never build or fetch.

use std::path::{Path, PathBuf};

use recipes::diag::Finding;

use crate::ambient::Ambient;
use crate::error::{Error, Result};
use crate::ops::load::{Loaded, load};

/// Everything doubtful in the named recipes (all of the workspace's when
/// none is named): errors, warnings, lints, in file order.
pub fn lint(ambient: &Ambient, paths: &[String]) -> Result<Vec<Finding>> {
    let loaded = load(ambient, paths)?;
    let mut findings = loaded.findings.clone();
    let files = files(&loaded);
    for recipe in &loaded.book.recipes {
        if files.iter().any(|(shown, _)| *shown == recipe.file.path) {
            findings.extend(recipes::parse::lint(recipe));
        }
    }
    findings.sort_by(|a, b| {
        let at = |f: &Finding| f.place.as_ref().map(|p| (p.file.path.clone(), p.span.start));
        (at(a), a.code).cmp(&(at(b), b.code))
    });
    findings.dedup();
    Ok(findings)
}

/// The recipe files on disk that the words meant: display path and path.
fn files(loaded: &Loaded) -> Vec<(String, PathBuf)> {
    use crate::ops::load::Named;
    let mut shown: Vec<String> = Vec::new();
    for named in &loaded.named {
        match named {
            Named::File(file) => shown.push(file.clone()),
            Named::Folder(_, files) => shown.extend(files.iter().cloned()),
            Named::Package(name, _) => {
                let of = loaded.book.recipes.iter().filter(|r| r.pname.as_ref() == name);
                shown.extend(of.map(|r| r.file.path.clone()));
            }
        }
    }
    if loaded.named.is_empty() {
        shown.extend(loaded.disk.keys().filter(|p| is_recipe(p)).cloned());
    }
    shown.sort();
    shown.dedup();
    shown.into_iter().filter_map(|s| loaded.disk.get(&s).map(|p| (s.clone(), p.clone()))).collect()
}

fn is_recipe(path: &str) -> bool {
    let name = Path::new(path).file_name().and_then(|n| n.to_str()).unwrap_or("");
    name != crate::ops::load::WORKSPACE_FILE && name != "pyproject.toml"
}

/// What `fmt` did.
#[derive(Debug, Default)]
pub struct Formatted {
    /// Files that changed, or would.
    pub changed: Vec<String>,
    /// Files that cannot be laid out, and why.
    pub findings: Vec<Finding>,
}

/// Lays out the named recipes; with `check` only says which would change.
pub fn format(ambient: &Ambient, paths: &[String], check: bool) -> Result<Formatted> {
    let loaded = load(ambient, paths)?;
    let mut done = Formatted::default();
    let files = files(&loaded);
    if files.is_empty() {
        return Err(Error::input("there is no recipe to lay out").hint("name recipe files or folders"));
    }
    for (shown, path) in files {
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::environment(format!("failed to read `{shown}`")).because(e))?;
        let file = std::sync::Arc::new(recipes::diag::SourceFile { path: shown.clone(), text });
        match recipes::format::format(&file) {
            Ok(laid_out) if laid_out == file.text => {}
            Ok(laid_out) => {
                if !check {
                    crate::tree::fs::write_atomic(&path, laid_out.as_bytes(), 0o644)?;
                }
                done.changed.push(shown);
            }
            Err(findings) => done.findings.extend(findings),
        }
    }
    Ok(done)
}
