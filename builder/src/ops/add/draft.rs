//! A recipe's text from what a release says of itself.
//!
//! Knows core metadata and a recipe's layout. Must never fetch, and never
//! re-print a requirement: texts are carried over.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;

use recipes::book::{Layer, LayerFile, assemble};
use recipes::diag::{Finding, Severity, SourceFile};
use recipes::marker::{ExtraSplit, split_extra};
use recipes::name::{ExtraName, PackageName, Sha256, Version};
use recipes::parse::{join_requirements, mend_requirement, mend_specifiers};
use recipes::recipe::Recipe;

use super::known;
pub use super::metadata::Metadata;
use super::source::SourceFacts;
use crate::error::{Error, Result};

/// A recipe about to be written.
#[derive(Clone, Debug)]
pub struct Draft {
    lines: String,
    /// pyproject.toml, where the version is taken from it.
    pyproject: Option<String>,
    /// What the user should look at.
    pub notes: Vec<String>,
}

/// What of a recipe is not in metadata.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// `pname`.
    pub name: &'a PackageName,
    /// `version`, as TOML has it.
    pub version: String,
    /// pyproject.toml, where the version is taken from it.
    pub pyproject: Option<String>,
    /// The lines of `[source]`.
    pub source: String,
}

/// What the user wants a package for.
#[derive(Clone, Debug, Default)]
pub struct Purpose {
    /// Its executables are what counts.
    pub application: bool,
    /// Extras that are part of the application.
    pub extras: Vec<ExtraName>,
}

/// A prebuilt file and the marker of what it is for, if it is not for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prebuilt {
    pub when: Option<String>,
    pub file: String,
    pub hash: Sha256,
}

impl Draft {
    /// Drafts from what an sdist says and its metadata.
    pub fn new(
        (name, version): (&PackageName, &Version),
        hash: Sha256,
        (source, metadata): (&SourceFacts, &Metadata),
        purpose: &Purpose,
    ) -> Self {
        let lines = format!("pypi = {}\nhash = {}\n", quote(name.as_ref()), quote(&hash.sri()));
        let version = quote(&version.to_string());
        let frame = Frame { name, version, pyproject: None, source: lines };
        Self::of_source(&frame, (source, metadata), purpose)
    }

    /// Drafts from what a source says, wherever it lies, and its metadata.
    pub fn of_source(
        frame: &Frame<'_>,
        (source, metadata): (&SourceFacts, &Metadata),
        purpose: &Purpose,
    ) -> Self {
        let mut notes = metadata.notes.clone();
        let mut out = String::new();
        head(&mut out, (frame.name, &frame.version), (metadata, purpose), &mut notes);
        let requires: Vec<String> = source.build_requires().filter_map(|r| readable(r, &mut notes)).collect();
        let _ = writeln!(out, "build-system = {}", list(&join_requirements(requires)));
        dependencies(&mut out, (metadata, purpose), &mut notes);
        let _ = write!(out, "[source]\n{}", frame.source);
        native_tables(&mut out, (frame.name, source), (metadata.pure_wheel, &mut notes));
        if known::is_imported_by_others(frame.name.as_ref()) {
            out.push_str("[check]\nimports = []\n");
            notes.push(
                "it can only be imported beside what it does not require: `check.imports` is empty"
                    .to_owned(),
            );
        }
        let metadata = metadata.clone().with_source(source);
        meta_table(&mut out, (frame.name, &metadata), &mut notes);
        Self { lines: out, pyproject: frame.pyproject.clone(), notes }
    }

    /// Drafts from one prebuilt wheel, wherever it lies, and its metadata.
    pub fn of_wheel(frame: &Frame<'_>, metadata: &Metadata, purpose: &Purpose) -> Self {
        let mut notes = metadata.notes.clone();
        let mut out = String::new();
        head(&mut out, (frame.name, &frame.version), (metadata, purpose), &mut notes);
        out.push_str("format = \"wheel\"\n");
        dependencies(&mut out, (metadata, purpose), &mut notes);
        let _ = write!(out, "[source]\n{}", frame.source);
        meta_table(&mut out, (frame.name, metadata), &mut notes);
        Self { lines: out, pyproject: None, notes }
    }

    /// The same with further tables.
    pub fn with_tables(mut self, tables: &str) -> Self {
        self.lines.push_str(tables);
        self
    }

    /// Drafts from prebuilt wheels and their metadata.
    pub fn of_wheels(
        (name, version): (&PackageName, &Version),
        files: &[Prebuilt],
        metadata: &Metadata,
        purpose: &Purpose,
    ) -> Self {
        let mut notes = metadata.notes.clone();
        let mut out = String::new();
        head(&mut out, (name, &quote(&version.to_string())), (metadata, purpose), &mut notes);
        out.push_str("format = \"wheel\"\n");
        dependencies(&mut out, (metadata, purpose), &mut notes);
        for file in files {
            match &file.when {
                None => out.push_str("[source]\n"),
                Some(when) => {
                    let _ = write!(out, "[[source]]\nwhen = {}\n", quote(when));
                }
            }
            let (file_name, hash) = (quote(&file.file), quote(&file.hash.sri()));
            let _ = write!(out, "pypi = {}\nfile = {file_name}\nhash = {hash}\n", quote(name.as_ref()));
        }
        meta_table(&mut out, (name, metadata), &mut notes);
        Self { lines: out, pyproject: None, notes }
    }

    /// The TOML text, not yet laid out.
    pub fn text(&self) -> String {
        self.lines.clone()
    }

    /// The recipe's text for a file, laid out. One that would not load is
    /// never written: the error says what of the release it cannot say.
    pub fn recipe(&self, path: &Path) -> Result<(String, Arc<Recipe>)> {
        let doing = || format!("failed to make the recipe `{}`", path.display());
        let file = |text| Arc::new(SourceFile { path: path.display().to_string(), text });
        let laid_out =
            recipes::format::format(&file(self.text())).map_err(|all| told(Error::bug(doing()), &all))?;
        let files = vec![LayerFile { file: file(laid_out.clone()), pyproject: self.pyproject.clone() }];
        let (mut book, findings) = assemble(&[Layer { name: "recipes".into(), files }]);
        let errors: Vec<Finding> = findings.into_iter().filter(|f| f.severity == Severity::Error).collect();
        if errors.is_empty()
            && let Some(recipe) = book.recipes.pop()
        {
            return Ok((laid_out, recipe));
        }
        let error = told(Error::input(doing()), &errors);
        Err(error.hint("what the release says of itself has no place in a recipe: write it by hand"))
    }
}

/// Name, version, kind and interpreters.
fn head(
    out: &mut String,
    (name, version): (&PackageName, &str),
    (metadata, purpose): (&Metadata, &Purpose),
    notes: &mut Vec<String>,
) {
    if purpose.application {
        out.push_str("kind = \"application\"\n");
    }
    let _ = writeln!(out, "pname = {}", quote(name.as_ref()));
    let _ = writeln!(out, "version = {version}");
    let Some(python) = metadata.one("requires-python") else { return };
    match mend_specifiers(python) {
        Some(text) => {
            let _ = writeln!(out, "requires-python = {}", quote(&text));
        }
        None => notes.push(format!("`Requires-Python: {python}` cannot be read and was left out")),
    }
}

fn dependencies(out: &mut String, (metadata, purpose): (&Metadata, &Purpose), notes: &mut Vec<String>) {
    let (mut always, extras) = requirements(metadata, notes);
    for extra in &purpose.extras {
        let added = extras.iter().find(|(name, _)| ExtraName::from_str(name).as_ref() == Ok(extra));
        always.extend(added.map(|(_, texts)| texts.clone()).unwrap_or_default());
    }
    let always = join_requirements(always);
    if !always.is_empty() {
        let _ = writeln!(out, "dependencies = {}", list(&always));
    }
    if !extras.is_empty() {
        out.push_str("[optional-dependencies]\n");
        for (extra, texts) in &extras {
            let _ = writeln!(out, "{} = {}", key(extra), list(texts));
        }
    }
}

fn told(mut error: Error, findings: &[Finding]) -> Error {
    error.causes.extend(findings.iter().map(|f| f.message.clone()));
    error
}

fn native_tables(
    out: &mut String,
    (name, native): (&PackageName, &SourceFacts),
    (optional, notes): (bool, &mut Vec<String>),
) {
    let libraries = known::libraries(name.as_ref());
    let programs = known::programs(name.as_ref());
    if native.compilers.is_empty() && libraries.is_empty() {
        if !programs.is_empty() {
            let _ = writeln!(out, "[external]\ndependencies = {}", list(&programs));
        }
        return;
    }
    if !optional {
        out.push_str("[build]\nexpect = \"native\"\n");
    }
    // What links a library is compiled, though its files do not show it.
    let own = (!native.compilers.is_empty()).then(|| native.compilers.clone());
    let compilers = own.unwrap_or_else(|| vec!["virtual:compiler/c".into(), "virtual:compiler/cpp".into()]);
    let _ = writeln!(out, "[external]\nbuild-requires = {}", list(&compilers));
    if !libraries.is_empty() {
        let _ = writeln!(out, "host-requires = {}", list(&libraries));
    }
    if !programs.is_empty() {
        let _ = writeln!(out, "dependencies = {}", list(&programs));
    }
    if native.cargo {
        out.push_str("[cargo]\n");
        notes
            .push("it is built with cargo, which is not supported yet: --wheel takes it prebuilt".to_owned());
    } else if optional {
        notes.push(
            "it may be compiled or pure: say `expect = \"native\"` in [build], or leave [external] out"
                .to_owned(),
        );
    } else {
        notes.push(
            "it has sources to compile: look over [external], or leave it out for a pure wheel".to_owned(),
        );
    }
}

fn meta_table(out: &mut String, (name, metadata): (&PackageName, &Metadata), notes: &mut Vec<String>) {
    let homepage = metadata
        .one("home-page")
        .map(str::to_owned)
        .or_else(|| metadata.url(&["homepage", "home"]))
        .or_else(|| metadata.url(&["source", "repository", "source code", "documentation"]));
    let mut rows = Vec::new();
    rows.extend(metadata.summary().map(|s| format!("description = {}\n", quote(s))));
    rows.extend(homepage.map(|h| format!("homepage = {}\n", quote(&h))));
    rows.extend(metadata.license_of(name, notes).map(|l| format!("license = {}\n", quote(&l))));
    let changes = ["changelog", "changes", "release notes", "history"];
    rows.extend(metadata.url(&changes).map(|u| format!("changelog = {}\n", quote(&u))));
    if !rows.is_empty() {
        out.push_str("[meta]\n");
        out.push_str(&rows.concat());
    }
}

pub(super) type Extras = BTreeMap<String, Vec<String>>;

/// Requires-Dist, told apart by extra; what one of them says twice is said
/// once. A requirement whose marker mixes an extra with more keeps the rest of
/// its marker.
pub(super) fn requirements(metadata: &Metadata, notes: &mut Vec<String>) -> (Vec<String>, Extras) {
    let (mut always, mut extras) = (Vec::new(), Extras::new());
    for text in metadata.all("requires-dist") {
        let Some(text) = readable(text, notes) else { continue };
        match split_extra(&text) {
            ExtraSplit::Always => always.push(text),
            ExtraSplit::Extras(parts) => {
                for (extra, rest) in parts {
                    extras.entry(extra.to_string()).or_default().push(rest);
                }
            }
            ExtraSplit::Unclear => {
                notes.push(format!("the requirement `{text}` is left out: its marker is unusual"))
            }
        }
    }
    let extras = extras.into_iter().map(|(extra, texts)| (extra, join_requirements(texts)));
    (join_requirements(always), extras.collect())
}

/// A requirement as a recipe may have it, with a note when that is not how it
/// was written.
fn readable(text: &str, notes: &mut Vec<String>) -> Option<String> {
    let mended = mend_requirement(text);
    match &mended {
        Some(same) if same == text => {}
        Some(other) => notes.push(format!("the requirement `{text}` is written as `{other}`")),
        None => notes.push(format!("the requirement `{text}` cannot be read and was left out")),
    }
    mended
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn key(text: &str) -> String {
    let bare = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { text.to_owned() } else { quote(text) }
}

fn list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|i| quote(i)).collect();
    format!("[{}]", quoted.join(", "))
}
