//! `export`: closures as files of other tools.
//!
//! Knows which closure a format is of, where the index has a file and where
//! texts go. Must never know what a format looks like: the writing is
//! `recipes::export`'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recipes::diag::Finding;
use recipes::export::{self, Located, Selection, Text};
use recipes::recipe::{Format as RecipeFormat, Origin, Promise};
use recipes::set::{Closure, PackageSet, RecipeId};

use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Result};
use crate::fetch::{PypiFile, WantFile};
use crate::index::IndexError;
use crate::ops::goals::{self, Everything, Wanted};
use crate::ops::import::{plain, way};
use crate::ops::load::{Loaded, Named, load};
use crate::ops::machines::{Machines, Settings, open, target};
use crate::tree::fs::write_atomic;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// pip's requirements, in hash mode.
    Requirements,
    /// pip's constraints.
    Constraints,
    /// A lock file (PEP 751).
    Pylock,
    /// A CycloneDX bill of materials.
    Cyclonedx,
    /// The graph, for Graphviz.
    Dot,
    /// The graph, as a picture.
    Svg,
    /// The graph and a table.
    Html,
    /// Files for nixpkgs.
    Nix,
}

impl Format {
    /// Whether it says what one environment holds: one version of each name.
    fn is_environment(self) -> bool {
        matches!(self, Format::Requirements | Format::Constraints | Format::Pylock)
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is written.
    pub format: Format,
    /// Packages, recipe files, folders, environments.
    pub words: Vec<String>,
    /// `[env.NAME]`.
    pub env: Option<String>,
    /// `--all`.
    pub everything: Everything,
    /// The file it goes to; the folder, for Nix.
    pub output: Option<PathBuf>,
    /// The machine.
    pub settings: Settings,
}

/// What was exported.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The text, when it goes to no file.
    pub text: Option<String>,
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// Of the recipes, what is doubtful.
    pub findings: Vec<Finding>,
}

/// Exports, or says what is wrong with what was asked for.
pub fn export(ambient: &Ambient, request: &Request) -> Result<std::result::Result<Report, Vec<Finding>>> {
    let mut loaded = load(ambient, &request.words)?;
    if loaded.is_broken() {
        return Ok(Err(loaded.findings));
    }
    let python = environments(&mut loaded, request.env.as_ref())?;
    let mut settings = request.settings.clone();
    settings.python = settings.python.or(python);
    let target = target(ambient, &settings, &loaded.workspace)?;
    let set = PackageSet::new(loaded.book.recipes.clone(), target);
    let wanted = goals::resolve(&loaded, &set, request.everything)?;
    if !wanted.findings.is_empty() || wanted.goals.is_empty() {
        return Ok(Err([loaded.findings, wanted.findings].concat()));
    }
    let closures = match closures(&loaded, &set, (&wanted, request.format)) {
        Ok(closures) => closures,
        Err(findings) => return Ok(Err(findings)),
    };
    let selection = Selection::of(&set, &closures, &wanted.goals);
    let mut report = Report { findings: loaded.findings.clone(), ..Report::default() };
    report.notes.extend(wanted.left_out.iter().map(|(name, why)| format!("left out {name}: {why}")));
    let text = match request.format {
        Format::Requirements => said(export::requirements(&selection))?,
        Format::Pylock => {
            let machines = open(ambient, &settings, &loaded.workspace)?;
            said(export::pylock(&selection, &located(&machines, &selection)?))?
        }
        Format::Constraints => export::constraints(&selection),
        Format::Cyclonedx => export::cyclonedx(&selection),
        Format::Dot => bare(export::dot(&selection)),
        Format::Svg => bare(export::svg(&selection)),
        Format::Html => bare(export::html(&selection)),
        Format::Nix => {
            let several = || Error::input("`export nix` writes several files").hint("say --output DIR");
            let output = request.output.as_ref().ok_or_else(several)?;
            nix(ambient, &loaded, (&selection, output), &mut report)?;
            return Ok(Ok(report));
        }
    };
    report.notes.extend(text.notes);
    match &request.output {
        Some(path) => report.files.push(written(&ambient.absolute(path), &text.text)?),
        None => report.text = Some(text.text),
    }
    Ok(Ok(report))
}

fn bare(text: String) -> Text {
    Text { text, notes: Vec::new() }
}

fn said(outcome: export::Outcome) -> Result<Text> {
    outcome.map_err(|causes| {
        let mut error = Error::input("an installer could not be told to insist on these packages");
        error.causes = causes;
        error
            .hint("`constraints` and `cyclonedx` need no hash of a file")
            .hint("`build --wheels-only --wheel-dir DIR` makes the finished wheels, for `pip install --find-links DIR`")
    })
}

/// `--env NAME` and words that name environments; the interpreter they ask for.
fn environments(loaded: &mut Loaded, env: Option<&String>) -> Result<Option<String>> {
    let python = goals::environments(loaded)?;
    let Some(name) = env else { return Ok(python) };
    let Some(environment) = loaded.workspace.envs.get(name) else {
        let error = Error::input(format!("the workspace has no `[env.{name}]`"));
        let names: Vec<&str> = loaded.workspace.envs.keys().map(String::as_str).collect();
        return Err(match names.as_slice() {
            [] => error.hint("an environment is `[env.NAME]` with `packages = [...]` in wheelwright.toml"),
            names => error.hint(format!("its environments are {}", names.join(", "))),
        });
    };
    let asked = environment.python.clone();
    loaded.named.push(Named::Environment(name.clone()));
    Ok(python.or(asked))
}

/// One closure of all goals together where an environment is meant, else one
/// of each: they may hold several versions of a name.
fn closures(
    loaded: &Loaded,
    set: &PackageSet,
    (wanted, format): (&Wanted, Format),
) -> std::result::Result<Vec<Closure>, Vec<Finding>> {
    let together = format.is_environment() || loaded.named.iter().any(|n| matches!(n, Named::Environment(_)));
    if together {
        return Ok(vec![goals::closure(set, &wanted.goals)?]);
    }
    let (mut all, mut findings) = (Vec::new(), Vec::new());
    for goal in &wanted.goals {
        match set.run_closure(goal.id, &goal.extras) {
            Ok(closure) => all.push(closure),
            Err(more) => findings.extend(more),
        }
    }
    if findings.is_empty() { Ok(all) } else { Err(findings) }
}

/// Where the index has the files that the recipes promise.
fn located(machines: &Machines, selection: &Selection<'_>) -> Result<BTreeMap<RecipeId, Located>> {
    let mut out = BTreeMap::new();
    for part in &selection.parts {
        let recipe = selection.set.get(part.id);
        let Ok(source) = selection.set.source_for(part.id) else { continue };
        let (Origin::Pypi { project, file, index }, Promise::Hash(hash)) = (&source.origin, &source.promise)
        else {
            continue;
        };
        let wanted = PypiFile {
            project: project.parse().unwrap_or_else(|_| recipe.pname.clone()),
            version: recipe.version.clone(),
            file: file.clone(),
            index: index.clone(),
            want: match recipe.format {
                RecipeFormat::Wheel => WantFile::Wheel(selection.set.target().tags.clone()),
                RecipeFormat::Pyproject | RecipeFormat::Other => WantFile::Sdist,
            },
        };
        let found = machines.index()?.find(&wanted, Some(hash)).map_err(IndexError::into_error)?;
        if found.sha256.is_some_and(|other| other != *hash) {
            let label = selection.set.label(part.id);
            return Err(Error::new(
                crate::error::Kind::Hash,
                format!("the index has no file with the promised hash of {label}"),
            )
            .because(format!(
                "`{}` is {} there",
                found.name,
                found.sha256.unwrap_or(*hash).sri()
            )));
        }
        out.insert(part.id, Located { name: found.name, url: found.url, size: found.size });
    }
    Ok(out)
}

fn nix(
    ambient: &Ambient,
    loaded: &Loaded,
    (selection, output): (&Selection<'_>, &Path),
    report: &mut Report,
) -> Result<()> {
    let output = plain(&ambient.absolute(output));
    let found = export::nix(selection, &|folder, file| {
        let of_recipe = plain(&ambient.absolute(&loaded.folder_of(file)));
        way(&output.join(folder), &of_recipe)
    });
    for file in &found.files {
        report.files.push(written(&output.join(&file.path), &file.text)?);
    }
    report.notes.extend(found.notes);
    Ok(())
}

fn written(path: &Path, text: &str) -> Result<PathBuf> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).doing(|| format!("failed to make `{}`", folder.display()))?;
    }
    write_atomic(path, text.as_bytes(), 0o644)?;
    Ok(path.to_owned())
}
