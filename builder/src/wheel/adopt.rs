//! Makes a portable install of a folder that shell phases wrote or changed.
//!
//! Knows the layout `prefix/lib/pythonX.Y/site-packages`, `prefix/bin`. Must
//! never know what the phases did.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use recipes::diag::Finding;

use super::content::{Content, Spool};
use super::contents::{Placed, describe, site_packages};
use super::entry_points;
use super::executables::{lead, move_scripts};
use super::install::{
    Installed, Layout, MODULE_FILE, SCRIPTS_DIR, Trouble, module, module_file, record_text, script_target,
    write,
};
use super::metadata::Headers;
use super::wire::{Contents, FORMAT, Launch};
use super::{codes, wrong};
use crate::error::{IoContext as _, Result};
use crate::tree::RelPath;

/// What is known of an install that no wheel describes.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// Normalised name of the recipe.
    pub name: String,
    /// Version of the recipe.
    pub version: String,
    /// What the folder is laid out for.
    pub layout: Layout,
}

/// Bytes of a file that may be held.
const HELD: u64 = 1 << 16;

/// Turns a prefix folder into a portable install, in place: executables of
/// `bin` become script bodies, `__pycache__` goes, RECORD (where there is a
/// dist-info) and the module file are written anew.
pub fn adopt(root: &Path, known: &Adoption) -> Result<Installed, Trouble> {
    let site = site_packages(&known.layout.python);
    move_scripts(root)?;
    let mut placed = Vec::new();
    let mut room = Spool::MEMORY;
    read_files(root, "", (&mut placed, &mut room))?;
    placed.retain(|f| f.path.as_str() != MODULE_FILE);
    if let Some(file) = placed.iter().find(|f| ["pyvenv.cfg", "lib64"].contains(&f.path.as_str())) {
        let text =
            format!("`{}` is made by each environment for itself: the phases must not leave it", file.path);
        return Err(Trouble::Findings(vec![wrong(codes::PLACEMENT, text)]));
    }
    let dist_info = dist_info(&placed, &site, known)?;
    let mut contents = Contents {
        format: FORMAT,
        name: known.name.clone(),
        version: known.version.clone(),
        python: known.layout.python.clone(),
        ..Contents::default()
    };
    if let Some(folder) = &dist_info {
        read_metadata(&placed, &format!("{site}/{folder}"), &mut contents)?;
        let record = format!("{site}/{folder}/RECORD");
        placed.retain(|f| f.path.as_str() != record);
    }
    contents.dist_info = dist_info;
    // An installer's own executable of an entry point: the entry point says it all.
    let doubled: Vec<String> =
        contents.entry_points.iter().map(|e| format!("{SCRIPTS_DIR}/{}", e.name)).collect();
    for path in &doubled {
        if let Some(at) = placed.iter().position(|f| f.path.as_str() == path) {
            let file = placed.remove(at).path.under(root);
            fs::remove_file(&file).doing(|| format!("failed to remove `{}`", file.display()))?;
        }
    }
    let contents = describe(&placed, contents)?;
    placed.push(module_file(&contents));
    let mut written = vec![module_file(&contents)];
    if let Some(folder) = &contents.dist_info {
        let text = record_text(&placed, &site, &format!("{folder}/RECORD"))?;
        written.push(Placed {
            path: RelPath::new(format!("{site}/{folder}/RECORD")).expect("a folder of the tree"),
            bytes: Cow::Owned(text.into_bytes().into()),
            executable: false,
            hash: None,
        });
    }
    for file in &written {
        let path = file.path.under(root);
        // What is written must not go where a link of the phases leads.
        if path.is_symlink() {
            fs::remove_file(&path).doing(|| format!("failed to replace `{}`", path.display()))?;
        }
    }
    write(&written, root)?;
    let facts = serde_json::json!({
        "files": placed.len(),
        "natives": contents.natives,
        "pth": contents.pth,
        "imports": contents.imports,
        "dist-info": contents.dist_info,
    });
    Ok(Installed { module: module(&contents, &known.layout), facts: facts.to_string(), contents })
}

/// Entries by name.
pub(super) fn list(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let doing = || format!("failed to list `{}`", folder.display());
    let mut entries = fs::read_dir(folder).doing(doing)?.collect::<std::io::Result<Vec<_>>>().doing(doing)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

/// All files of a folder. The small ones are held while there is `room`.
fn read_files(
    root: &Path,
    below: &str,
    (out, room): (&mut Vec<Placed<'static>>, &mut u64),
) -> Result<(), Trouble> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = root.join(below);
    for entry in list(&folder)? {
        let path = entry.path();
        let name = entry.file_name().into_string().map_err(|name| {
            Trouble::Findings(vec![wrong(codes::PLACEMENT, format!("the name {name:?} is not UTF-8"))])
        })?;
        let rel = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let meta = entry.metadata().doing(|| format!("failed to look at `{}`", path.display()))?;
        if meta.is_dir() && name == "__pycache__" {
            fs::remove_dir_all(&path).doing(|| format!("failed to remove `{}`", path.display()))?;
        } else if meta.is_dir() {
            read_files(root, &rel, (out, room))?;
        } else {
            // A link has the bytes of the file it leads to, if that is in the tree.
            let file = if meta.is_symlink() { lead(root, &rel).map(|to| root.join(to)) } else { Some(path) };
            let bytes = match file.filter(|f| f.is_file()) {
                Some(file) => held_or_named(file, room)?,
                None => Vec::new().into(),
            };
            let path = RelPath::new(rel).map_err(|e| Trouble::Findings(vec![wrong(codes::PLACEMENT, e)]))?;
            let executable = meta.permissions().mode() & 0o111 != 0;
            out.push(Placed { path, bytes: Cow::Owned(bytes), executable, hash: None });
        }
    }
    Ok(())
}

fn held_or_named(file: std::path::PathBuf, room: &mut u64) -> Result<Content> {
    let doing = || format!("failed to read `{}`", file.display());
    let size = file.metadata().doing(doing)?.len();
    if size > HELD.min(*room) {
        return Ok(Content::Named(file, size));
    }
    *room -= size;
    Ok(fs::read(&file).doing(doing)?.into())
}

/// The dist-info folder of this project, if the phases made one.
fn dist_info(placed: &[Placed<'_>], site: &str, known: &Adoption) -> Result<Option<String>, Trouble> {
    let mut found: Vec<String> = placed
        .iter()
        .filter_map(|f| f.path.as_str().strip_prefix(site)?.strip_prefix('/')?.strip_suffix("/METADATA"))
        .filter(|folder| !folder.contains('/') && folder.ends_with(".dist-info"))
        .map(str::to_owned)
        .collect();
    if found.len() > 1 {
        let text = format!(
            "the install of `{}` has several `.dist-info` folders: `{}`",
            known.name,
            found.join("`, `")
        );
        return Err(Trouble::Findings(vec![wrong(codes::DIST_INFO, text)]));
    }
    Ok(found.pop())
}

fn read_metadata(placed: &[Placed<'_>], folder: &str, contents: &mut Contents) -> Result<(), Trouble> {
    let get = |file: &str| {
        let path = format!("{folder}/{file}");
        placed.iter().find(|f| f.path.as_str() == path).map(|f| f.bytes.all()).transpose()
    };
    let metadata = Headers::parse(&get("METADATA")?.unwrap_or_default()).map_err(|e| {
        Trouble::Findings(vec![wrong(codes::METADATA, format!("METADATA cannot be read: {e}"))])
    })?;
    contents.requires = metadata.values("Requires-Dist");
    contents.extras = metadata.values("Provides-Extra");
    let text = String::from_utf8_lossy(&get("entry_points.txt")?.unwrap_or_default()).into_owned();
    let (points, problems) = entry_points::parse(&text);
    if !problems.is_empty() {
        let all = problems.into_iter().map(|p| wrong(codes::ENTRY_POINTS, p)).collect();
        return Err(Trouble::Findings(all));
    }
    let problems: Vec<Finding> = points
        .iter()
        .filter(|e| e.is_script())
        .filter_map(|e| script_target(&e.name).err())
        .map(|e| wrong(codes::SCRIPT_NAME, format!("entry point: {e}")))
        .collect();
    if !problems.is_empty() {
        return Err(Trouble::Findings(problems));
    }
    contents.entry_points = points
        .into_iter()
        .filter(entry_points::EntryPoint::is_script)
        .filter_map(|e| Some(Launch { object: e.object?, name: e.name, module: e.module }))
        .collect();
    Ok(())
}
