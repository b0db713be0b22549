//! What the files of an install amount to: importable names, linkable pieces,
//! scripts.
//!
//! Knows files by name and bytes. Must never know the disk.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::content::Content;
use super::entry_points::is_identifier;
use super::install::SCRIPTS_DIR;
use super::native;
use super::wire::{Contents, Script, Unit};
use crate::error::Result;
use crate::tree::RelPath;

/// A file where it stands in the install tree.
#[derive(Clone, Debug)]
pub struct Placed<'a> {
    /// From the tree's top.
    pub path: RelPath,
    /// Its bytes.
    pub bytes: Cow<'a, Content>,
    /// Whether it may be executed.
    pub executable: bool,
    /// Its hash in RECORD form, when it is already known.
    pub hash: Option<String>,
}

/// `lib/python3.11/site-packages`.
pub fn site_packages(python: &str) -> String {
    format!("lib/python{python}/site-packages")
}

/// Folders that hold no part of a package, though they may hold Python files.
pub const JUNK: [&str; 12] = [
    "docs",
    "doc",
    "examples",
    "example",
    "tests",
    "test",
    "testing",
    "benchmarks",
    "benchmark",
    "scripts",
    "tools",
    "build",
];

/// Fills in what follows from the files; names and requirements are the caller's.
pub fn describe(files: &[Placed<'_>], known: Contents) -> Result<Contents> {
    let site = format!("{}/", site_packages(&known.python));
    let scripts_dir = format!("{SCRIPTS_DIR}/");
    let mut contents = known;
    let mut folders = BTreeMap::new();
    for file in files {
        let path = file.path.as_str();
        if let Some(inside) = path.strip_prefix(&site) {
            if runs_at_start(inside) {
                contents.pth.push(inside.to_owned());
            }
            insert(&mut folders, inside);
        } else if let Some(name) = path.strip_prefix(&scripts_dir) {
            let python = python_options(&file.bytes.at(0, FIRST_LINES)?);
            contents.scripts.push(Script { name: name.to_owned(), python });
        } else {
            contents.files.push(path.to_owned());
        }
    }
    let natives = natives(files)?;
    let leaving: Vec<&str> = natives
        .iter()
        .filter(|(_, leaves)| *leaves)
        .filter_map(|(path, _)| path.strip_prefix(&site))
        .collect();
    units("", &folders, &mut contents.units);
    for unit in &mut contents.units {
        let inside =
            |p: &&str| p.strip_prefix(&unit.path).is_some_and(|r| r.is_empty() || r.starts_with('/'));
        unit.real = leaving.iter().any(inside);
    }
    contents.natives = natives.into_iter().map(|(path, _)| path).collect();
    contents.imports = imports(&folders);
    contents.scripts.sort_by(|a, b| a.name.cmp(&b.name));
    contents.files.sort();
    contents.pth.sort();
    Ok(contents)
}

/// Whether `site` runs a file of site-packages when an interpreter starts.
fn runs_at_start(inside: &str) -> bool {
    let module = |name: &str| {
        let rest = inside.strip_prefix(name);
        rest.is_some_and(|rest| rest == ".py" || rest == "/__init__.py" || rest.ends_with(".so"))
    };
    let by_name = !inside.contains('/') && [".pth", ".start"].iter().any(|end| inside.ends_with(end));
    by_name || ["sitecustomize", "usercustomize"].into_iter().any(module)
}

/// Compiled files, and whether each looks for libraries outside of the tree.
fn natives(files: &[Placed<'_>]) -> Result<Vec<(String, bool)>> {
    let folders: BTreeSet<&str> = files
        .iter()
        .flat_map(|f| f.path.as_str().match_indices('/').map(|(at, _)| &f.path.as_str()[..at]))
        .collect();
    let mut found: Vec<(String, bool)> = files
        .par_iter()
        .filter_map(|file| {
            let path = file.path.as_str();
            let folder = path.rsplit_once('/').map_or("", |(f, _)| f);
            let leaves = match native::inspect_content(&file.bytes).transpose()? {
                Err(e) => return Some(Err(e)),
                // A Windows launcher is data here.
                Ok(Ok(native)) if native.format == native::Format::Pe => return None,
                // Absolute entries mean the system's libraries: the same from anywhere.
                Ok(Ok(native)) => native.search.iter().filter(|s| !s.starts_with('/')).any(|s| {
                    native::resolve(folder, s).is_none_or(|target| !folders.contains(target.as_str()))
                }),
                Ok(Err(_)) => true,
            };
            Some(Ok((path.to_owned(), leaves)))
        })
        .collect::<Result<_>>()?;
    found.sort();
    Ok(found)
}

/// A folder of site-packages: its entries.
type Folders = BTreeMap<String, Node>;

enum Node {
    File,
    Folder(Folders),
}

fn insert(folders: &mut Folders, path: &str) {
    match path.split_once('/') {
        None => {
            folders.insert(path.to_owned(), Node::File);
        }
        Some((top, rest)) => {
            let node = folders.entry(top.to_owned()).or_insert_with(|| Node::Folder(Folders::new()));
            if let Node::Folder(inner) = node {
                insert(inner, rest);
            }
        }
    }
}

/// The module a file is: `x` of `x.py`, `x.cpython-311-x86_64-linux-gnu.so`, `x.pyd`.
fn module_name(file: &str) -> Option<&str> {
    let (stem, rest) = file.split_once('.')?;
    let module = rest == "py" || rest.ends_with("so") || rest.ends_with("pyd") || rest == "pyc";
    (module && is_identifier(stem)).then_some(stem)
}

fn is_regular(folder: &Folders) -> bool {
    folder.iter().any(|(name, node)| matches!(node, Node::File) && module_name(name) == Some("__init__"))
}

/// A folder with modules somewhere below it but no `__init__` (PEP 420).
fn is_namespace(name: &str, folder: &Folders) -> bool {
    is_identifier(name)
        && !is_regular(folder)
        && folder.iter().any(|(name, node)| match node {
            Node::File => module_name(name).is_some(),
            Node::Folder(inner) => is_identifier(name) && (is_regular(inner) || is_namespace(name, inner)),
        })
}

fn units(prefix: &str, folders: &Folders, out: &mut Vec<Unit>) {
    for (name, node) in folders {
        let path = format!("{prefix}{name}");
        match node {
            Node::Folder(inner) if is_namespace(name, inner) => units(&format!("{path}/"), inner, out),
            Node::Folder(_) => out.push(Unit { path, folder: true, real: false }),
            Node::File => out.push(Unit { path, folder: false, real: false }),
        }
    }
}

fn imports(folders: &Folders) -> Vec<String> {
    let (mut found, mut spaces) = (BTreeSet::new(), BTreeSet::new());
    for (name, node) in folders {
        match node {
            Node::File => {
                // A top-level `__main__` or `__init__` is no importable name.
                found.extend(module_name(name).filter(|m| !m.starts_with("__")).map(str::to_owned));
            }
            Node::Folder(inner) if is_identifier(name) && is_regular(inner) => {
                found.insert(name.clone());
            }
            Node::Folder(inner) if is_namespace(name, inner) && !JUNK.contains(&name.as_str()) => {
                namespace_imports(name, inner, &mut spaces);
            }
            Node::Folder(_) => {}
        }
    }
    found.extend(spaces);
    found.into_iter().collect()
}

fn namespace_imports(prefix: &str, folders: &Folders, found: &mut BTreeSet<String>) {
    for (name, node) in folders {
        match node {
            Node::File => found.extend(module_name(name).map(|m| format!("{prefix}.{m}"))),
            Node::Folder(inner) if is_identifier(name) && is_regular(inner) => {
                found.insert(format!("{prefix}.{name}"));
            }
            Node::Folder(inner) if is_namespace(name, inner) => {
                namespace_imports(&format!("{prefix}.{name}"), inner, found);
            }
            Node::Folder(_) => {}
        }
    }
}

/// Bytes of a file that its first lines are looked for in.
pub const FIRST_LINES: usize = 1 << 16;

/// Interpreter options of a Python script's first line; `None` when the file
/// is not a Python script.
pub fn python_options(bytes: &[u8]) -> Option<Vec<String>> {
    let rest = bytes.strip_prefix(b"#!")?;
    let mut lines = rest.split(|b| *b == b'\n');
    let first = String::from_utf8_lossy(lines.next()?).into_owned();
    // The form installers use for long paths: a shell line that Python reads as a string.
    if first.trim() == "/bin/sh" && lines.next().is_some_and(|l| l.starts_with(b"'''exec'")) {
        return Some(Vec::new());
    }
    let mut words = first.split_whitespace().skip_while(|w| {
        let name = w.rsplit('/').next().unwrap_or(w);
        name == "env" || *w == "-S"
    });
    let program = words.next()?;
    let name = program.rsplit('/').next().unwrap_or(program).trim_end_matches(".exe");
    let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"))?;
    let version = version.strip_prefix('w').unwrap_or(version);
    let version = version.strip_suffix('t').unwrap_or(version);
    version.chars().all(|c| c.is_ascii_digit() || c == '.').then(|| words.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_scripts_are_known_by_their_first_line() {
        let options = |text: &str| python_options(text.as_bytes());
        assert_eq!(options("#!python\nx"), Some(vec![]));
        assert_eq!(options("#!/usr/bin/env -S python3.11 -u -E\n"), Some(vec!["-u".into(), "-E".into()]));
        assert_eq!(options("#!/build/env/bin/python3 -s"), Some(vec!["-s".into()]));
        assert_eq!(options("#!/build/env/bin/python3.13t\n"), Some(vec![]));
        assert_eq!(options("#!/bin/sh\n'''exec' /a/python \"$0\" \"$@\"\n' '''\n"), Some(vec![]));
        for other in
            ["#!/bin/sh\necho python\n", "#!/usr/bin/env bash\n", "import x\n", "#!/usr/bin/python-config\n"]
        {
            assert_eq!(options(other), None, "{other}");
        }
    }

    #[test]
    fn what_site_runs_is_known_by_its_name_and_place() {
        for runs in
            ["a.pth", "a.start", "sitecustomize.py", "usercustomize/__init__.py", "sitecustomize.abi3.so"]
        {
            assert!(runs_at_start(runs), "{runs}");
        }
        for not in
            ["a/b.pth", "a/sitecustomize.py", "sitecustomize.pyi", "sitecustomize_x.py", "sitecustomize/x.py"]
        {
            assert!(!runs_at_start(not), "{not}");
        }
    }
}
