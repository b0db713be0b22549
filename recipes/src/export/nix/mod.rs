//! `nix`: a `default.nix` a recipe, and a `packages.nix` for `callPackage`.
//!
//! Knows what `import nix` reads and says the same there; what nixpkgs has no
//! word for is a comment of the file and a note. Must never run Nix, nor know
//! where the files go.

mod fields;
mod source;
mod words;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Part, Selection};
use crate::diag::SourceFile;
use crate::name::PackageName;
use crate::recipe::{Kind, Recipe};
use crate::set::PackageSet;

/// The layer whose recipes nixpkgs has, too.
const BASE: &str = "base";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NixFile {
    /// Relative to the folder they all go to.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// All files, and what they do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NixSet {
    /// `packages.nix` last.
    pub files: Vec<NixFile>,
    /// One sentence each.
    pub notes: Vec<String>,
}

/// The way from a folder of the output to the folder of a recipe's file.
pub type Way<'a> = &'a dyn Fn(&str, &SourceFile) -> String;

/// The parts as Nix. Recipes of the base set are nixpkgs' own business unless
/// they were named.
pub fn nix(selection: &Selection<'_>, way: Way<'_>) -> NixSet {
    let mut out = NixSet::default();
    let mut packages = Vec::new();
    let ours = |part: &&Part| part.named || selection.recipe(part).layer != BASE;
    let parts: Vec<&Part> = selection.parts.iter().filter(ours).collect();
    for part in &parts {
        let recipe = selection.recipe(part);
        let name = attribute(recipe, &parts, selection);
        if !words::is_name(&name) {
            out.notes.push(format!("{}: `{name}` is no name of Nix", selection.set.label(part.id)));
            continue;
        }
        let (text, notes) = package(selection, part, (&name, way));
        out.notes.extend(notes);
        out.files.push(NixFile { path: format!("{name}/default.nix"), text });
        packages.push(name);
    }
    out.files.push(NixFile { path: "packages.nix".to_owned(), text: package_set(&packages) });
    out
}

/// The attribute of a recipe: its name; of an older version beside a newer
/// one `NAME_1_2`, as nixpkgs has it.
fn attribute(recipe: &Recipe, parts: &[&Part], selection: &Selection<'_>) -> String {
    let same = parts.iter().map(|p| selection.recipe(p)).filter(|r| r.pname == recipe.pname);
    match same.map(|r| &r.version).max() {
        Some(newest) if *newest != recipe.version => {
            let version = recipe.version.to_string();
            let parts: Vec<&str> = version.split(|c: char| !c.is_ascii_alphanumeric()).collect();
            format!("{}_{}", recipe.pname, parts.join("_"))
        }
        _ => recipe.pname.to_string(),
    }
}

fn package_set(packages: &[String]) -> String {
    let mut out = String::from(
        "# pkgs.callPackage ./packages.nix { }\n{ python3 }:\n\nlet\n  python = python3.override {\n    \
         self = python;\n    packageOverrides = final: prev: {\n",
    );
    for name in packages {
        let _ = writeln!(out, "      {name} = final.callPackage ./{name}/default.nix {{ }};");
    }
    out += "    };\n  };\nin\n{\n";
    if !packages.is_empty() {
        let _ = writeln!(out, "  inherit (python.pkgs)\n    {}\n    ;", packages.join("\n    "));
    }
    out += "}\n";
    out
}

fn package(selection: &Selection<'_>, part: &Part, (folder, way): (&str, Way<'_>)) -> (String, Vec<String>) {
    let recipe = selection.recipe(part);
    let builder = match recipe.kind {
        Kind::Package => "buildPythonPackage",
        Kind::Application => "buildPythonApplication",
    };
    let mut page = Page {
        set: selection.set,
        recipe,
        args: BTreeSet::from([builder.to_owned()]),
        body: String::new(),
        rec: false,
        notes: Vec::new(),
    };
    page.fields(part, &|file| way(folder, file));
    let mut out = String::new();
    for note in &page.notes {
        let _ = writeln!(out, "# not exported: {}", note.replace('\n', " "));
    }
    // `lib` first, as nixpkgs has it.
    out += "{\n";
    if page.args.remove("lib") {
        out += "  lib,\n";
    }
    for arg in &page.args {
        let _ = writeln!(out, "  {arg},");
    }
    let rec = if page.rec { "rec " } else { "" };
    let _ = write!(out, "}}:\n\n{builder} {rec}{{\n{}}}\n", page.body);
    let label = selection.set.label(part.id);
    (out, page.notes.into_iter().map(|note| format!("{label}: {note}")).collect())
}

/// One file in the making.
struct Page<'s> {
    set: &'s PackageSet,
    recipe: &'s Recipe,
    /// What the function takes.
    args: BTreeSet<String>,
    body: String,
    /// An attribute names another.
    rec: bool,
    notes: Vec<String>,
}

impl Page<'_> {
    /// `NAME = VALUE;`
    fn set_to(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.body, "  {name} = {value};");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.set_to(name, &words::text(value));
    }

    fn strings<T: AsRef<str>>(&mut self, name: &str, all: &[T]) {
        if !all.is_empty() {
            let all: Vec<String> = all.iter().map(|t| words::text(t.as_ref())).collect();
            self.set_to(name, &words::list(&all));
        }
    }

    fn gap(&mut self) {
        if !self.body.ends_with("\n\n") {
            self.body.push('\n');
        }
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// What the function takes, by the name of a project.
    fn arg(&mut self, name: &str) -> String {
        self.args.insert(name.to_owned());
        name.to_owned()
    }

    /// The attribute of a project; nothing where Nix has no such name.
    fn project(&mut self, name: &PackageName) -> Option<String> {
        let name = name.to_string();
        words::is_name(&name).then(|| self.arg(&name))
    }
}
