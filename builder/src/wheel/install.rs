//! From a wheel to a portable tree: no absolute path, no executable with a
//! first line that names an interpreter, the same bytes for everybody.
//!
//! Knows where PEP 427 puts things. Scripts are kept as data below
//! [`SCRIPTS_DIR`]; launchers are made by environments. Must never know the
//! store or a particular interpreter.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use rayon::prelude::*;
use recipes::diag::Finding;

use super::content::Content;
use super::contents::{Placed, describe, site_packages};
use super::wire::{Contents, FORMAT, Launch};
use super::{Wheel, codes, record, wrong};
use crate::error::{Error, IoContext as _, Result};
use crate::key::Digest;
use crate::store::realisation::PythonModule;
use crate::tree::RelPath;

/// Where the bodies of scripts lie in an install.
pub const SCRIPTS_DIR: &str = "share/wheelwright/scripts";
/// The description of an install, in its tree ([`Contents`] as JSON).
pub const MODULE_FILE: &str = "share/wheelwright/module.json";

/// What an install is laid out for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `3.11`.
    pub python: String,
    /// Interpreter identity; goes into [`PythonModule`], not into the tree.
    pub interpreter: Digest,
}

/// An install as it was made.
#[derive(Clone, Debug)]
pub struct Installed {
    /// What can be imported and from where.
    pub module: PythonModule,
    /// The tree's own description.
    pub contents: Contents,
    /// Report facts, a JSON object.
    pub facts: String,
}

/// Foreign bytes that are refused, or a machine that cannot.
#[derive(Debug)]
pub enum Trouble {
    /// All that is wrong.
    Findings(Vec<Finding>),
    /// Not the package's fault.
    Machine(Error),
}

impl From<Vec<Finding>> for Trouble {
    fn from(all: Vec<Finding>) -> Self {
        Trouble::Findings(all)
    }
}

impl From<Error> for Trouble {
    fn from(e: Error) -> Self {
        Trouble::Machine(e)
    }
}

impl Trouble {
    /// As one error: findings become its causes.
    pub fn into_error(self, doing: impl Into<String>) -> Error {
        match self {
            Trouble::Findings(all) => super::as_error(doing, &all),
            Trouble::Machine(e) => e,
        }
    }
}

/// Installs a wheel into a folder, which is made and must be new or empty.
pub fn install(wheel: &Wheel, layout: &Layout, into: &Path) -> Result<Installed, Trouble> {
    let mut placed = place(wheel, &layout.python).map_err(Trouble::Findings)?;
    let known = Contents {
        format: FORMAT,
        name: wheel.name.name.to_string(),
        version: wheel.name.version.to_string(),
        python: layout.python.clone(),
        dist_info: Some(wheel.dist_info.clone()),
        requires: wheel.requires(),
        extras: wheel.metadata.values("Provides-Extra"),
        entry_points: wheel
            .entry_points
            .iter()
            .filter(|e| e.is_script())
            .filter_map(|e| {
                let object = e.object.clone()?;
                Some(Launch { name: e.name.clone(), module: e.module.clone(), object })
            })
            .collect(),
        ..Contents::default()
    };
    let contents = describe(&placed, known)?;
    let site = site_packages(&layout.python);
    let own = |file: &str, bytes: Vec<u8>| Placed {
        path: RelPath::new(format!("{site}/{}/{file}", wheel.dist_info)).expect("a folder of the wheel"),
        bytes: Cow::Owned(bytes.into()),
        executable: false,
        hash: None,
    };
    placed.push(own("INSTALLER", b"wheelwright\n".to_vec()));
    placed.push(module_file(&contents));
    let record = record_text(&placed, &site, &format!("{}/RECORD", wheel.dist_info))?;
    placed.push(own("RECORD", record.into_bytes()));
    write(&placed, into)?;
    Ok(Installed { module: module(&contents, layout), facts: facts(wheel, &contents), contents })
}

/// The description as a file of the tree.
pub fn module_file(contents: &Contents) -> Placed<'static> {
    let mut text = serde_json::to_vec_pretty(contents).expect("strings and lists always serialise");
    text.push(b'\n');
    Placed {
        path: RelPath::new(MODULE_FILE).expect("a constant path"),
        bytes: Cow::Owned(text.into()),
        executable: false,
        hash: None,
    }
}

/// RECORD of an install: paths relative to site-packages, sorted.
pub fn record_text(placed: &[Placed<'_>], site: &str, own: &str) -> Result<String> {
    let up = "../".repeat(site.matches('/').count() + 1);
    let mut lines: Vec<String> = placed
        .par_iter()
        .map(|file| {
            let path = file.path.as_str();
            let shown = match path.strip_prefix(site).and_then(|r| r.strip_prefix('/')) {
                Some(inside) => inside.to_owned(),
                None => format!("{up}{path}"),
            };
            let hash = match &file.hash {
                Some(hash) => hash.clone(),
                None => record::hash_of_content(&file.bytes)?,
            };
            Ok(record::line(&shown, &hash, Some(file.bytes.size())))
        })
        .collect::<Result<_>>()?;
    lines.push(record::line(own, "", None));
    lines.sort();
    Ok(lines.concat())
}

/// Importable facts of an install, for one interpreter.
pub fn module(contents: &Contents, layout: &Layout) -> PythonModule {
    let mut scripts: BTreeMap<String, Option<String>> =
        contents.scripts.iter().map(|s| (s.name.clone(), None)).collect();
    for point in &contents.entry_points {
        scripts.insert(point.name.clone(), Some(format!("{}:{}", point.module, point.object)));
    }
    PythonModule {
        name: contents.name.clone(),
        version: contents.version.clone(),
        python: contents.python.clone(),
        interpreter: layout.interpreter,
        requires: contents.requires.clone(),
        imports: contents.imports.clone(),
        scripts: scripts.into_iter().collect(),
    }
}

fn facts(wheel: &Wheel, contents: &Contents) -> String {
    let bytes: u64 = wheel.members.iter().map(|m| m.bytes.size()).sum();
    let real: Vec<&str> = contents.units.iter().filter(|u| u.real).map(|u| u.path.as_str()).collect();
    serde_json::json!({
        "wheel": wheel.name.text,
        "tags": wheel.name.tags.expand(),
        "generator": wheel.info.get("Generator"),
        "files": wheel.members.len(),
        "bytes": bytes,
        "natives": contents.natives,
        "pth": contents.pth,
        "not-linkable": real,
        "imports": contents.imports,
        "dist-info": contents.dist_info,
    })
    .to_string()
}

/// Whether `bin/` may not hold a script of this name: it is an interpreter's.
fn is_interpreter_name(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| {
        let rest = rest.strip_suffix('t').unwrap_or(rest);
        rest.strip_prefix('w').unwrap_or(rest).chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

/// Files of dist-info that each installer writes for itself.
const INSTALLERS: [&str; 6] =
    ["RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json"];

/// Where every file of a wheel goes; the errors are all files that go where
/// they must not, and all that cannot stand there together.
pub fn place<'a>(wheel: &'a Wheel, python: &str) -> Result<Vec<Placed<'a>>, Vec<Finding>> {
    let (site, data) = (site_packages(python), wheel.data_prefix());
    let own: BTreeSet<String> =
        INSTALLERS.iter().map(|file| format!("{site}/{}/{file}", wheel.dist_info)).collect();
    let hashes: BTreeMap<&str, &str> =
        wheel.record.iter().map(|line| (line.path.as_str(), line.hash.as_str())).collect();
    let (mut placed, mut problems) = (Vec::with_capacity(wheel.members.len()), Vec::new());
    let mut taken: BTreeMap<RelPath, &str> = BTreeMap::new();
    for member in &wheel.members {
        let path = member.path.as_str();
        let target = match path.strip_prefix(&data) {
            None => Ok(format!("{site}/{path}")),
            Some(rest) => data_target(rest, &site, wheel.name.name.as_ref()).and_then(|target| {
                if own.contains(&target) {
                    Err(format!("`{target}` is the installer's to write"))
                } else {
                    Ok(target)
                }
            }),
        };
        let target = match target.and_then(RelPath::new) {
            Ok(target) => target,
            Err(e) => {
                problems.push(wrong(codes::PLACEMENT, format!("`{path}`: {e}")));
                continue;
            }
        };
        if own.contains(target.as_str()) {
            continue;
        }
        if let Some(other) = taken.insert(target.clone(), path) {
            let text = format!("`{other}` and `{path}` would both be installed as `{target}`");
            problems.push(wrong(codes::PLACEMENT, text));
        }
        placed.push(Placed {
            executable: member.executable || target.as_str().starts_with(SCRIPTS_DIR),
            path: target,
            bytes: Cow::Borrowed(&member.bytes),
            hash: hashes.get(path).filter(|h| h.starts_with("sha256=")).map(|h| (*h).to_owned()),
        });
    }
    problems.extend(files_as_folders(&taken, &[MODULE_FILE, &format!("{site}/{}/RECORD", wheel.dist_info)]));
    for point in wheel.entry_points.iter().filter(|e| e.is_script()) {
        if let Err(e) = script_target(&point.name) {
            problems.push(wrong(codes::SCRIPT_NAME, format!("entry point: {e}")));
        }
    }
    if problems.is_empty() { Ok(placed) } else { Err(problems) }
}

/// Files that stand where a folder of another, or of our own files, has to be.
/// The wheel's members are free of this; where they go may not be.
fn files_as_folders(taken: &BTreeMap<RelPath, &str>, ours: &[&str]) -> Vec<Finding> {
    let by_text: BTreeMap<&str, &str> = taken.iter().map(|(target, path)| (target.as_str(), *path)).collect();
    let below = by_text.iter().map(|(target, path)| (*target, *path));
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for (target, path) in below.chain(ours.iter().map(|o| (*o, *o))) {
        for (at, _) in target.match_indices('/') {
            if by_text.contains_key(&target[..at]) {
                found.entry(&target[..at]).or_insert(path);
            }
        }
    }
    let text = |(file, path): (&str, &str)| {
        format!("`{}` would be installed as `{file}`, which is the folder of `{path}`", by_text[file])
    };
    found.into_iter().map(|one| wrong(codes::PLACEMENT, text(one))).collect()
}

/// The place of a file of the `.data` folder (PEP 427, the `venv` scheme).
fn data_target(rest: &str, site: &str, name: &str) -> Result<String, String> {
    let (scheme, inside) = rest.split_once('/').ok_or("a file directly in the `.data` folder")?;
    match scheme {
        "purelib" | "platlib" => Ok(format!("{site}/{inside}")),
        "headers" => {
            let python = site.trim_start_matches("lib/").trim_end_matches("/site-packages");
            Ok(format!("include/site/{python}/{name}/{inside}"))
        }
        "scripts" => script_target(inside),
        "data" => {
            if let Some(script) = inside.strip_prefix("bin/") {
                return script_target(script);
            }
            let forbidden = ["pyvenv.cfg", "bin", "lib64"].contains(&inside)
                || inside.starts_with("share/wheelwright/")
                || ((inside.starts_with("lib/") || inside.starts_with("lib64/"))
                    && inside.split('/').any(|p| p == "site-packages" || p == "dist-packages"));
            if forbidden {
                return Err(format!("a data file must not be installed as `{inside}`"));
            }
            Ok(inside.replacen("lib64/", "lib/", usize::from(inside.starts_with("lib64/"))))
        }
        other => Err(format!("`{other}` is not a place PEP 427 knows")),
    }
}

/// Where the body of a script of this name lies.
pub(super) fn script_target(name: &str) -> Result<String, String> {
    if name.contains('/') || name.is_empty() || name.starts_with('.') || name.contains(char::is_control) {
        return Err(format!("the script name {name:?} is not a plain file name"));
    }
    if is_interpreter_name(name) {
        return Err(format!("a script must not be called `{name}`, as the interpreter is"));
    }
    Ok(format!("{SCRIPTS_DIR}/{name}"))
}

/// Writes files below a folder, folders first.
pub fn write(placed: &[Placed<'_>], into: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let folders: BTreeSet<&str> =
        placed.iter().filter_map(|f| f.path.as_str().rsplit_once('/')).map(|(folder, _)| folder).collect();
    std::fs::create_dir_all(into).doing(|| format!("failed to make `{}`", into.display()))?;
    for folder in folders {
        let path = into.join(folder);
        std::fs::create_dir_all(&path).doing(|| format!("failed to make `{}`", path.display()))?;
    }
    placed.par_iter().try_for_each(|file| {
        let path = file.path.under(into);
        write_file(&file.bytes, &path)?;
        let mode = std::fs::Permissions::from_mode(if file.executable { 0o755 } else { 0o644 });
        std::fs::set_permissions(&path, mode)
            .doing(|| format!("failed to set the mode of `{}`", path.display()))
    })
}

fn write_file(content: &Content, path: &Path) -> Result<()> {
    let doing = || format!("failed to write `{}`", path.display());
    if let Some(bytes) = content.memory() {
        return std::fs::write(path, bytes).doing(doing);
    }
    let mut file = std::fs::File::create(path).doing(doing)?;
    content.pour(|piece| file.write_all(piece).doing(doing))
}
