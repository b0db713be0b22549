//! Which foreign modules a package imports as soon as it is imported itself.
//!
//! Knows Python's import statements and a project's usual folders. Must never
//! run anything, and never follow what stands under a condition: only what is
//! certain counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use recipes::name::PackageName;

/// Folders of a source that are no packages of it.
const ASIDE: [&str; 8] = ["tests", "test", "testing", "docs", "doc", "examples", "example", "benchmarks"];
/// Modules of a package that are looked at.
const MOST: usize = 400;
/// The largest script that is looked at.
const LARGEST: u64 = 1 << 20;
/// Folders without `__init__.py` may be nested so deep above a package.
const DEEPEST: usize = 3;

/// Whether a file of an sdist may be part of a package: `TOP/src/a/b.py`.
pub fn is_script(path: &str) -> bool {
    let mut folders = path.split('/').skip(1);
    path.ends_with(".py")
        && (1..=8).contains(&path.matches('/').count())
        && !folders.any(|part| ASIDE.contains(&part))
}

/// The top-level modules that are imported together with the packages of a
/// source, but for its own; modules of Python itself are among them. Without a
/// folder `src` only what is called like the project is a package for certain,
/// or the only one there is.
pub fn foreign(top: &Path, project: &PackageName) -> Vec<String> {
    let base = if top.join("src").is_dir() { top.join("src") } else { top.to_owned() };
    let mut roots = BTreeMap::new();
    packages(&base, &mut Vec::new(), &mut roots);
    if base == top && roots.len() > 1 {
        let is_it = |name: &String| PackageName::from_str(name).as_ref() == Ok(project);
        roots.retain(|name, _| is_it(name));
    }
    let mut walk =
        Walk { base: &base, own: BTreeSet::new(), seen: BTreeSet::new(), foreign: BTreeSet::new() };
    walk.own = roots.keys().filter_map(|name: &String| name.split('.').next().map(str::to_owned)).collect();
    for (name, file) in &roots {
        walk.look(file, name);
    }
    walk.foreign.into_iter().collect()
}

/// Packages below a folder by their dotted names: the outermost ones.
fn packages(folder: &Path, above: &mut Vec<String>, out: &mut BTreeMap<String, PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !plain || ASIDE.contains(&name.as_str()) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let init = entry.path().join("__init__.py");
        above.push(name);
        if init.is_file() && !is_namespace(&init) {
            out.insert(above.join("."), init);
        } else if above.len() < DEEPEST {
            packages(&entry.path(), above, out);
        }
        above.pop();
    }
}

/// Whether a package has nothing but others in it, as it was said before
/// PEP 420: by pkgutil, or by setuptools.
fn is_namespace(init: &Path) -> bool {
    let small = init.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= 1 << 12);
    let text = if small { std::fs::read_to_string(init).unwrap_or_default() } else { String::new() };
    text.contains("declare_namespace") || text.contains("extend_path")
}

struct Walk<'b> {
    base: &'b Path,
    own: BTreeSet<String>,
    seen: BTreeSet<PathBuf>,
    foreign: BTreeSet<String>,
}

impl Walk<'_> {
    /// Looks at a script; `package` is the dotted name of the package it is in.
    fn look(&mut self, file: &Path, package: &str) {
        let small = file.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST);
        if !small || self.seen.len() >= MOST || !self.seen.insert(file.to_owned()) {
            return;
        }
        let Ok(text) = std::fs::read_to_string(file) else { return };
        for (module, names) in statements(&text) {
            let dots = module.chars().take_while(|c| *c == '.').count();
            let full = match dots {
                0 => module,
                _ => {
                    let mut parts: Vec<&str> = package.split('.').collect();
                    parts.truncate((parts.len() + 1).saturating_sub(dots));
                    parts.extend(Some(&module[dots..]).filter(|rest| !rest.is_empty()));
                    parts.join(".")
                }
            };
            let first = full.split('.').next().unwrap_or_default().to_owned();
            if !self.own.contains(&first) {
                self.foreign.insert(first);
                continue;
            }
            self.follow(&full);
            for name in names {
                self.follow(&format!("{full}.{name}"));
            }
        }
    }

    /// Looks at a module of the source, and at the packages it is in.
    fn follow(&mut self, dotted: &str) {
        let mut path = self.base.to_owned();
        let mut name = String::new();
        for part in dotted.split('.') {
            let above = name.clone();
            name = if above.is_empty() { part.to_owned() } else { format!("{above}.{part}") };
            path.push(part);
            let init = path.join("__init__.py");
            if init.is_file() {
                self.look(&init, &name);
            } else {
                self.look(&path.with_extension("py"), &above);
            }
        }
    }
}

/// The import statements that begin a line: a module, and what is taken of it.
fn statements(script: &str) -> Vec<(String, Vec<String>)> {
    let mut out = Vec::new();
    let mut quotes: Option<&str> = None;
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        if quotes.is_none() {
            let mut statement = line.split('#').next().unwrap_or_default().to_owned();
            if statement.starts_with("from ") && statement.contains('(') {
                while !statement.contains(')') {
                    let Some(more) = lines.next() else { break };
                    statement.push(' ');
                    statement.push_str(more.split('#').next().unwrap_or_default());
                }
            }
            out.extend(read(&statement));
        }
        quotes = open_quotes(line, quotes);
    }
    out
}

fn read(statement: &str) -> Vec<(String, Vec<String>)> {
    let word = |text: &str| text.split_whitespace().next().unwrap_or_default().trim_matches(';').to_owned();
    if let Some(rest) = statement.strip_prefix("import ") {
        return rest
            .split(',')
            .map(|one| (word(one), Vec::new()))
            .filter(|(name, _)| is_dotted(name))
            .collect();
    }
    let Some((module, names)) = statement.strip_prefix("from ").and_then(|rest| rest.split_once(" import "))
    else {
        return Vec::new();
    };
    let names = names.replace(['(', ')', '\\'], " ");
    let names = names.split(',').map(word).filter(|name| is_dotted(name)).collect();
    let module = module.trim().to_owned();
    if is_dotted(&module) { vec![(module, names)] } else { Vec::new() }
}

fn is_dotted(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

/// The three quotes that are still open behind a line.
fn open_quotes<'q>(line: &str, before: Option<&'q str>) -> Option<&'q str> {
    let mut open = before;
    let mut rest = line;
    loop {
        let found = match open {
            Some(quotes) => rest.find(quotes).map(|at| (at, None)),
            None => ["\"\"\"", "'''"].iter().filter_map(|q| Some((rest.find(q)?, Some(*q)))).min(),
        };
        let Some((at, then)) = found else { return open };
        rest = &rest[at + 3..];
        open = then;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        foreign(dir.path(), &"own".parse().unwrap())
    }

    #[test]
    fn what_a_package_imports_at_once_is_found_through_its_own_modules() {
        let init = "\"\"\"A text:\n\nimport text_only\n\"\"\"\nfrom __future__ import annotations\n\
                    import os.path as p, json\nfrom . import (  # all\n    inner,\n    other as o,\n)\n";
        let files = [
            ("own/__init__.py", init),
            ("own/inner.py", "from own.deep.er import x\nif 1:\n    import conditional\n"),
            ("own/deep/__init__.py", "import deep_one\n"),
            ("own/deep/er.py", "from ..other import y\nimport bs4\n"),
            ("own/other.py", "from google.x import z # why\n"),
            ("own/unused.py", "import unused\n"),
            ("tests/__init__.py", "import pytest\n"),
            ("setup.py", "import setuptools\n"),
            ("ci/__init__.py", "import requests\n"),
        ];
        assert_eq!(told(&files), ["__future__", "bs4", "deep_one", "google", "json", "os"]);
    }

    #[test]
    fn a_package_below_a_namespace_is_one() {
        let files = [
            ("src/space/part/__init__.py", "import sphinx\nfrom space.part import sub\n"),
            ("src/space/part/sub.py", "from docutils import nodes\n"),
        ];
        assert_eq!(told(&files), ["docutils", "sphinx"]);
        assert_eq!(told(&[]), [""; 0]);
        let old = "__import__('pkg_resources').declare_namespace(__name__)\n";
        let files = [("own/__init__.py", old), ("own/part/__init__.py", "from docutils import nodes\n")];
        assert_eq!(told(&files), ["docutils"]);
    }

    #[test]
    fn texts_in_three_quotes_are_no_statements() {
        let script = "x = '''a''' + \"\"\"\nimport no\n''' \"\"\"\nimport yes\n'''\nimport no\n";
        assert_eq!(statements(script), [("yes".to_owned(), vec![])]);
        assert!(is_script("a-1/src/a/b.py") && !is_script("a-1/tests/a.py") && !is_script("a-1/a/b.txt"));
    }
}
