//! A source that is on this disk, read: its project, what it is built with,
//! the applications in it.
//!
//! Knows folders and files. Must never follow a link, and never run what it
//! reads.

use std::path::Path;

use super::project::{self, Texts, Told};
use super::web::{self, ASIDE, App};
use super::{bare, remote};
use crate::error::{Error, IoContext as _, Result};
use crate::ops::add::draft::Metadata;
use crate::ops::add::source::{SourceFacts, read_egg_requires};

/// The largest file that is read for what it says.
const LARGEST: u64 = 4 << 20;
/// So many Python files are looked at.
const MOST_SCRIPTS: usize = 2000;

/// What was read of a source.
pub struct Read {
    /// What the project says.
    pub told: Told,
    /// What its build needs.
    pub facts: SourceFacts,
    /// What serves requests in it.
    pub apps: Vec<App>,
    /// Further tables of the recipe.
    pub tables: String,
    /// pyproject.toml.
    pub pyproject: Option<String>,
}

impl Read {
    /// Reads what lies below a folder; `base` is its name where nothing in it
    /// says one, `shown` what the user called it.
    pub fn of((top, files): (&Path, Vec<String>), base: &str, shown: &str) -> Result<Self> {
        let read = |path: &str| text(&top.join(path));
        let texts = Texts { files: &files, read: &read };
        let doing = || format!("failed to make a recipe for `{shown}`");
        let scripts: Vec<(&str, String)> = files
            .iter()
            .filter(|f| f.ends_with(".py"))
            .take(MOST_SCRIPTS)
            .filter_map(|f| Some((f.as_str(), read(f)?)))
            .collect();
        let apps = web::find(scripts.iter().map(|(path, text)| (*path, text.as_str())));
        let Some(mut told) = project::read(&texts).map_err(|e| e.within(doing()))? else {
            if apps.is_empty() {
                return Err(no_project(shown));
            }
            let bare = bare::project(&name_of(base), &apps, &texts);
            let facts = SourceFacts { requires: vec!["setuptools".to_owned()], ..SourceFacts::default() };
            return Ok(Self { told: bare.told, facts, apps, tables: bare.tables, pyproject: None });
        };
        let facts = SourceFacts::read(top, &files).map_err(|e| e.within(doing()))?;
        if let Some(name) = header(&facts.pkg_info, "Name") {
            told.name = Some(name);
            told.version = header(&facts.pkg_info, "Version").or(told.version);
            of_sdist(&facts, &mut told);
        }
        if told.name.is_none() {
            told.name = Some(name_of(base));
            told.notes
                .push(format!("no file says the project's name: it is taken to be `{}`", name_of(base)));
        }
        Ok(Self { told, facts, apps, tables: String::new(), pyproject: texts.text("pyproject.toml") })
    }
}

/// An sdist's own metadata, where that says all that its build will say.
fn of_sdist(facts: &SourceFacts, told: &mut Told) {
    let certain = Metadata::parse(&facts.pkg_info).requires_are_final();
    if !certain && facts.egg_requires.is_none() {
        return;
    }
    told.notes.clear();
    let lines = facts.pkg_info.lines().take_while(|line| !line.is_empty());
    let kept = lines.filter(|line| certain || !line.to_lowercase().starts_with("requires-dist:"));
    told.headers = kept.map(|line| format!("{line}\n")).collect();
    if let (Some(text), false) = (&facts.egg_requires, certain) {
        told.needs(&read_egg_requires(text), None);
    }
}

/// The files below a folder, without links.
pub fn walk(folder: &Path, prefix: &str, out: &mut Vec<String>) -> Result<()> {
    let doing = || format!("failed to read `{}`", folder.display());
    for entry in std::fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().doing(doing)?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), out)?;
        } else if kind.is_file() {
            out.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

/// A file's text; nothing for one that is too large, a link, or not there.
fn text(path: &Path) -> Option<String> {
    path.symlink_metadata().ok().filter(|meta| meta.is_file() && meta.len() <= LARGEST)?;
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Where the project is, when not at the top: the one folder below, or the
/// one below that, which holds one.
pub fn only_project(shown: &str, files: &[String]) -> Result<Option<String>> {
    const MARKS: [&str; 3] = ["pyproject.toml", "setup.py", "setup.cfg"];
    if files.iter().any(|f| MARKS.contains(&f.as_str())) {
        return Ok(None);
    }
    let mut found: Vec<&str> = Vec::new();
    for file in files {
        let Some((folder, name)) = file.rsplit_once('/') else { continue };
        let aside = folder.split('/').any(|part| ASIDE.contains(&part));
        if MARKS.contains(&name) && !aside && folder.split('/').count() <= 2 && !found.contains(&folder) {
            found.push(folder);
        }
    }
    match found.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).to_owned())),
        several => {
            let names: Vec<String> = several.iter().map(|f| format!("`{f}`")).collect();
            let error =
                Error::input(format!("`{shown}` holds {} projects: {}", names.len(), names.join(", ")));
            Err(error.hint(match remote::meant(shown, false) {
                None => format!(
                    "name one of them: `wheelwright new {}/{}`",
                    shown.trim_end_matches('/'),
                    several[0]
                ),
                Some(_) => "clone or unpack it, and name one of the folders".to_owned(),
            }))
        }
    }
}

fn no_project(shown: &str) -> Error {
    Error::input(format!("there is no Python project in `{shown}`"))
        .because(
            "it has no pyproject.toml, setup.py or setup.cfg, and no Flask, FastAPI or Django application",
        )
        .hint("write a pyproject.toml with `[project]`, or a recipe with `format = \"other\"` by hand")
}

/// A header of core metadata.
pub fn header(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().take_while(|line| !line.is_empty());
    let mut values =
        lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case(key));
    values.next().map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// A project's name made of a folder's.
pub fn name_of(base: &str) -> String {
    let base = base.split(".tar").next().unwrap_or(base);
    let words: Vec<&str> =
        base.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    if words.is_empty() { "app".to_owned() } else { words.join("-").to_lowercase() }
}
