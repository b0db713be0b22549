//! Finding the interpreter that is asked for.
//!
//! Knows PATH, pyenv's and uv's folders, shims and virtual environments. Must
//! never prefer one by anything but the order of the search.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use recipes::target::{Target, cpython_tags};

use super::looked::Looked;
use super::probe::{LINKER_CACHE, ask, file_key, linker_key, probe};
use super::{Facts, Interpreter, Memo, NEWEST, OLDEST, Search, identity, libraries, platforms, shims};
use crate::error::{Error, Result};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Want {
    Any,
    /// A path.
    File(PathBuf),
    /// A program in PATH: `python3.12`.
    Program(String),
    /// `3`, `3.12` or `3.12.4`.
    Version(Vec<u32>),
}

impl Want {
    fn parse(text: Option<&str>, search: &Search) -> Result<Self> {
        let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else { return Ok(Want::Any) };
        if text.contains('/') {
            return Ok(Want::File(search.cwd.join(text)));
        }
        let numbers: Option<Vec<u32>> = text.split('.').map(|n| n.parse().ok()).collect();
        match numbers {
            Some(numbers) if numbers.len() <= 3 => Ok(Want::Version(numbers)),
            _ if text.starts_with("python") => Ok(Want::Program(text.to_owned())),
            _ => Err(Error::input(format!("`{text}` names no interpreter"))
                .hint("write a version (`3.12`), a program (`python3.12`) or a path")),
        }
    }

    fn accepts(&self, facts: &Facts) -> bool {
        match self {
            Want::Version(numbers) => {
                let full = facts.full_version.split('.').map(|n| n.parse::<u32>().ok());
                numbers.iter().copied().map(Some).eq(full.take(numbers.len()))
            }
            _ => true,
        }
    }

    fn describe(&self) -> String {
        match self {
            Want::Any => format!("a CPython 3.{OLDEST} to 3.{NEWEST}"),
            Want::File(path) => format!("`{}`", path.display()),
            Want::Program(name) => format!("`{name}`"),
            Want::Version(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                format!("CPython {}", numbers.join("."))
            }
        }
    }
}

/// Finds an interpreter. `want` is a version (`3.12`), a program (`python3.12`)
/// or a path; without it, the first supported one. PATH is searched first, then
/// pyenv's and uv's versions, newest first. Shims and virtual environments
/// lead to the interpreter behind them.
pub fn discover(search: &Search, want: Option<&str>, memo: Memo<'_>) -> Result<Interpreter> {
    let want = Want::parse(want, search)?;
    let mut seen: Vec<(PathBuf, String)> = Vec::new();
    let mut looked = Looked::new();
    looked.all(managed_places(search));
    for candidate in candidates(&want, search) {
        looked.at(&candidate);
        if !candidate.is_file() {
            continue;
        }
        let exe = match resolve(&candidate, search, &mut looked) {
            Ok(exe) => exe,
            Err(why) => {
                looked.doubt();
                seen.push((candidate, why));
                continue;
            }
        };
        if seen.iter().any(|(known, _)| *known == exe) {
            continue;
        }
        match probe(&exe, memo) {
            Err(why) => {
                looked.doubt();
                seen.push((exe, why));
            }
            Ok(facts) => match objection(&facts, &want) {
                Some(why) => seen.push((exe, why)),
                None => return describe(exe, facts, memo, looked),
            },
        }
    }
    Err(not_found(&want, &seen))
}

fn not_found(want: &Want, seen: &[(PathBuf, String)]) -> Error {
    let mut error = Error::environment(format!("failed to find {}", want.describe()));
    for (path, why) in seen {
        error = error.because(format!("`{}`: {why}", path.display()));
    }
    if seen.is_empty() {
        error = error.because("no interpreter is in PATH, in pyenv's folder or in uv's");
    }
    error.hint("install one, or name one with `--python PATH`")
}

fn objection(facts: &Facts, want: &Want) -> Option<String> {
    let Facts { implementation_title: title, full_version: version, .. } = facts;
    if facts.implementation != "cpython" {
        return Some(format!("{title} {version} is not CPython"));
    }
    if facts.major != 3 || facts.minor < OLDEST {
        return Some(format!("{version} is older than 3.{OLDEST}"));
    }
    if !want.accepts(facts) {
        return Some(format!("is {version}"));
    }
    None
}

/// Everything about the interpreter at `exe`.
fn describe(exe: PathBuf, facts: Facts, memo: Memo<'_>, mut looked: Looked) -> Result<Interpreter> {
    let doing = || format!("failed to ask `{}` what it is", exe.display());
    let wrong = |e: String| Error::environment(doing()).because(e);
    let key = file_key(&exe).map_err(wrong)?;
    let musl = if facts.libc.is_empty() {
        // What its loader says is asked each time.
        looked.doubt();
        libraries::musl_version(&exe)
    } else {
        None
    };
    let threaded = if facts.free_threaded { "t" } else { "" };
    let abi = format!("cp{}{}{threaded}", facts.major, facts.minor);
    let minor = (facts.major, facts.minor);
    let target = Target {
        markers: facts.markers().map_err(wrong)?,
        tags: cpython_tags(minor, &abi, &platforms::platforms(&facts, musl)),
    };
    let version = target.markers.python_full_version().version.clone();
    let identity = identity::identity(&exe, &facts, memo)?;
    looked.all(identity.folders);
    looked.all([exe.clone(), facts.libdir.join(&facts.library), PathBuf::from(LINKER_CACHE)]);
    looked.all([facts.platstdlib.clone(), facts.include.clone()]);
    let (identity, rests_on) = (identity.digest, looked.paths());
    let libraries = libraries::libraries(&exe, &facts, &format!("{key}\n{}", linker_key()), memo);
    Ok(Interpreter { exe, version, minor, target, identity, facts, libraries, rests_on })
}

/// In the order of the search, whether there or not. Each is looked for when
/// the ones before it were none: most often the first is it.
fn candidates<'a>(want: &Want, search: &'a Search) -> Box<dyn Iterator<Item = PathBuf> + 'a> {
    let mut names: Vec<String> = Vec::new();
    match want {
        Want::File(path) => return Box::new(std::iter::once(path.clone())),
        Want::Program(name) => names.push(name.clone()),
        Want::Version(numbers) => {
            if let [3, minor, ..] = numbers[..] {
                names.push(format!("python3.{minor}"));
            }
            names.extend(["python3".to_owned(), "python".to_owned()]);
        }
        Want::Any => {
            names.push("python3".to_owned());
            names.extend((OLDEST..=NEWEST).rev().map(|minor| format!("python3.{minor}")));
            names.push("python".to_owned());
        }
    }
    let folders = || search.path.iter().filter(|dir| dir.is_absolute());
    let in_path = names.clone().into_iter().flat_map(move |name| folders().map(move |dir| dir.join(&name)));
    let kept = std::iter::once_with(|| managed(search)).flatten().map(|(_, path)| path);
    let kept = kept.filter(move |path| {
        names
            .iter()
            .any(|name| path.file_name().is_some_and(|file| file == name.as_str()) || name == "python3")
    });
    Box::new(in_path.chain(kept))
}

/// The folders where pyenv and uv keep interpreters.
fn managed_places(search: &Search) -> impl Iterator<Item = PathBuf> {
    let places = [".pyenv/versions", ".local/share/uv/python"];
    search.home.iter().flat_map(move |home| places.map(|place| home.join(place)))
}

/// Interpreters pyenv and uv keep, newest first.
fn managed(search: &Search) -> Vec<(Vec<u32>, PathBuf)> {
    let mut found = Vec::new();
    for place in managed_places(search) {
        for entry in place.read_dir().into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // `3.12.1`, `cpython-3.12.1-linux-x86_64-gnu`
            let version = name.strip_prefix("cpython-").unwrap_or(&name).split('-').next().unwrap_or("");
            let numbers: Vec<u32> = version.split('.').map_while(|n| n.parse().ok()).collect();
            if let [3, minor, ..] = numbers[..] {
                let path = entry.path().join(format!("bin/python3.{minor}"));
                found.push((numbers, path));
            }
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    found
}

/// The program behind links, shims and virtual environments.
fn resolve(candidate: &Path, search: &Search, looked: &mut Looked) -> Result<PathBuf, String> {
    let mut path = candidate.to_owned();
    // A shim may lead to a virtual environment, which leads to an interpreter.
    for _ in 0..4 {
        if is_script(&path) {
            if let Some(known) = shims::behind(&path, search, looked) {
                path = known;
                continue;
            }
            looked.doubt();
            let line = ask(&path, "import sys; print(sys.executable)", search)
                .map_err(|why| format!("is a script that leads nowhere: {why}"))?;
            path = PathBuf::from(line.trim_end());
            continue;
        }
        looked.at(&path);
        let real = path.canonicalize().map_err(|e| e.to_string())?;
        looked.all(configs(&real));
        match base_of_copy(&real) {
            Some(base) if base != real => {
                // What lies beside it was looked at, too.
                looked.doubt();
                path = base;
            }
            _ => return Ok(real),
        }
    }
    Err("leads to itself".to_owned())
}

fn is_script(path: &Path) -> bool {
    let mut head = [0u8; 2];
    File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok() && &head == b"#!"
}

/// For a program that was *copied* into a virtual environment (a linked one is
/// already resolved): the one it was copied from.
fn base_of_copy(real: &Path) -> Option<PathBuf> {
    let text = configs(real).iter().find_map(|file| std::fs::read_to_string(file).ok())?;
    let value = |wanted: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == wanted).then(|| PathBuf::from(value.trim()))
        })
    };
    let named = value("base-executable").or_else(|| value("executable"));
    let names = [real.file_name()?.to_str()?, "python3", "python"];
    let beside = value("home").into_iter().flat_map(|home| names.map(|name| home.join(name)));
    named.into_iter().chain(beside).find(|path| path.is_file())
}

/// Where a virtual environment that has this program would say so.
fn configs(real: &Path) -> Vec<PathBuf> {
    real.ancestors().skip(1).take(2).map(|folder| folder.join("pyvenv.cfg")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_has_three_spellings() {
        let search = Search { cwd: "/w".into(), ..Search::default() };
        let parse = |text| Want::parse(Some(text), &search).unwrap();
        assert_eq!(parse("3.12"), Want::Version(vec![3, 12]));
        assert_eq!(parse("python3.12"), Want::Program("python3.12".into()));
        assert_eq!(parse("venv/bin/python"), Want::File("/w/venv/bin/python".into()));
        assert_eq!(Want::parse(None, &search).unwrap(), Want::Any);
        let error = Want::parse(Some("snake"), &search).unwrap_err();
        expect_test::expect!["`snake` names no interpreter"].assert_eq(&error.to_string());
    }

    #[test]
    fn pyenvs_versions_come_newest_first() {
        let home = tempfile::tempdir().unwrap();
        for name in ["3.9.18", "3.10.13", "3.10.2", "2.7.18", "3.13.0t", "notes"] {
            std::fs::create_dir_all(home.path().join(".pyenv/versions").join(name)).unwrap();
        }
        let search = Search { home: Some(home.path().to_owned()), ..Search::default() };
        let found: Vec<String> = managed(&search)
            .into_iter()
            .map(|(_, p)| p.strip_prefix(home.path().join(".pyenv/versions")).unwrap().display().to_string())
            .collect();
        expect_test::expect![[r#"
            3.13.0t/bin/python3.13
            3.10.13/bin/python3.10
            3.10.2/bin/python3.10
            3.9.18/bin/python3.9"#]]
        .assert_eq(&found.join("\n"));
    }
}
