//! Core metadata: METADATA of a wheel, PKG-INFO of a source.
//!
//! Knows the headers that a recipe needs. Must never know a recipe's layout.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use recipes::name::{ExtraName, PackageName, Requirement, VersionSpecifiers};
use recipes::parse::{mend_requirement, mend_specifiers};
use recipes::solve::Needs;

use super::draft::requirements;
use super::source::SourceFacts;
use super::{known, license};

/// The headers of core metadata (METADATA or PKG-INFO) that a recipe needs.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    headers: Vec<(String, String)>,
    /// What the user should look at.
    pub(super) notes: Vec<String>,
    /// There is a wheel for every platform.
    pub(super) pure_wheel: bool,
    source: Option<OfSource>,
}

/// What a release's source says besides its metadata.
#[derive(Clone, Debug)]
struct OfSource {
    own: Box<Metadata>,
    license: Option<String>,
    license_file: Option<String>,
}

impl Metadata {
    /// Reads the headers; what cannot be read is no header.
    pub fn parse(text: &str) -> Self {
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if line.is_empty() {
                break;
            }
            if line.starts_with([' ', '\t']) {
                // Some say the whole text.
                if let Some((_, text)) = headers.last_mut().filter(|(name, _)| name == "license") {
                    text.push('\n');
                    text.push_str(line.trim_start_matches([' ', '\t', '|']));
                }
                continue;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
            }
        }
        Self { headers, notes: Vec::new(), pure_wheel: false, source: None }.with_undeclared()
    }

    /// The same with what it is known to need and does not say.
    fn with_undeclared(mut self) -> Self {
        let name = self.one("name").and_then(|name| PackageName::from_str(name).ok());
        for needed in name.as_ref().map_or(&[][..], |name| known::undeclared(name.as_ref())) {
            self.headers.push(("requires-dist".to_owned(), (*needed).to_owned()));
            self.notes.push(undeclared(needed));
        }
        self
    }

    /// The same of a release whose source was read, too: what its metadata
    /// does not say may be said there.
    pub fn with_source(mut self, facts: &SourceFacts) -> Self {
        self.source = Some(OfSource {
            own: Box::new(Self::parse(&facts.pkg_info)),
            license: facts.license.clone(),
            license_file: facts.license_files.first().cloned(),
        });
        self
    }

    /// The same with something the user should look at.
    pub fn with_note(mut self, note: &str) -> Self {
        self.notes.push(note.to_owned());
        self
    }

    /// The same of a release that has a wheel for every platform: what is
    /// compiled in it may also be left out.
    pub fn with_pure_wheel(mut self, there_is: bool) -> Self {
        self.pure_wheel = there_is;
        self
    }

    /// The same with requirements from elsewhere.
    pub fn with_requires(mut self, requires: &[String]) -> Self {
        self.headers.retain(|(name, _)| name != "requires-dist");
        self.headers.extend(requires.iter().map(|text| ("requires-dist".to_owned(), text.clone())));
        self.with_undeclared()
    }

    /// The same, when every requirement can be read; else why it is of no use.
    pub fn checked(self) -> Result<Self, String> {
        match self.all("requires-dist").into_iter().find(|text| mend_requirement(text).is_none()) {
            Some(text) => Err(format!("needs `{text}`, which cannot be read")),
            None => Ok(self),
        }
    }

    /// The same with requirements that it lacks.
    pub fn adding<'t>(&self, texts: impl IntoIterator<Item = &'t String>) -> Self {
        let mut more = self.clone();
        for text in texts {
            more.headers.push(("requires-dist".to_owned(), text.clone()));
            more.notes.push(undeclared(text));
        }
        more
    }

    /// What it needs, as the solver wants it.
    pub fn needs(&self) -> Needs {
        let (always, extras) = requirements(self, &mut Vec::new());
        let read = |texts: &[String]| -> Vec<Requirement> {
            texts.iter().filter_map(|text| Requirement::from_str(text).ok()).collect()
        };
        let mut needs = Needs {
            requires_python: self
                .one("requires-python")
                .and_then(mend_specifiers)
                .and_then(|text| VersionSpecifiers::from_str(&text).ok()),
            always: read(&always),
            extras: BTreeMap::new(),
        };
        for (extra, texts) in &extras {
            if let Ok(name) = ExtraName::from_str(extra) {
                needs.extras.entry(name).or_default().extend(read(texts));
            }
        }
        // One that adds nothing is one all the same.
        for extra in self.all("provides-extra").into_iter().filter_map(|e| ExtraName::from_str(e).ok()) {
            needs.extras.entry(extra).or_default();
        }
        needs
    }

    /// The license as an SPDX expression, when that is certain.
    fn license(&self) -> Option<String> {
        let classifiers = self.all("classifier").into_iter().filter_map(|c| c.strip_prefix("License :: "));
        let said = license::Said {
            expression: self.one("license-expression"),
            field: self.one("license"),
            classifiers: classifiers.collect(),
        };
        said.license()
    }

    /// The license: of the metadata, of the source; else a reference to the
    /// file that says it, with a note.
    pub(super) fn license_of(&self, project: &PackageName, notes: &mut Vec<String>) -> Option<String> {
        let source = self.source.as_ref();
        let certain = self.license().or_else(|| source?.own.license()).or_else(|| source?.license.clone());
        if certain.is_some() {
            return certain;
        }
        let file = source.and_then(|s| s.license_file.as_deref()).or_else(|| self.one("license-file"))?;
        notes.push(format!("which license it has is not certain: `{file}` says it"));
        Some(license::reference(project.as_ref(), file))
    }

    /// One line on what it is.
    pub(super) fn summary(&self) -> Option<&str> {
        self.one("summary").or_else(|| self.source.as_ref()?.own.one("summary"))
    }

    /// The first Project-URL with one of these labels.
    pub(super) fn url(&self, labels: &[&str]) -> Option<String> {
        self.all("project-url").iter().find_map(|text| {
            let (label, url) = text.split_once(',')?;
            labels.contains(&label.trim().to_lowercase().as_str()).then(|| url.trim().to_owned())
        })
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied().filter(|v| !v.is_empty() && *v != "UNKNOWN")
    }

    /// Whether Requires-Dist is what a build will give (PEP 643): metadata 2.2
    /// or newer that does not call it dynamic.
    pub fn requires_are_final(&self) -> bool {
        let version: f64 = self.one("metadata-version").and_then(|v| v.parse().ok()).unwrap_or(0.0);
        let dynamic = self.all("dynamic").iter().any(|d| d.eq_ignore_ascii_case("requires-dist"));
        version >= 2.2 && !dynamic
    }
}

/// What to say of a requirement that is ours.
fn undeclared(text: &str) -> String {
    format!("it imports what it does not require, {text}: it is added")
}
