//! The own part of each step's key: what of a recipe it depends on, field by
//! field.
//!
//! Knows recipe fields. Must never know other steps.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use recipes::recipe::{Expect, Format, GitRev, Origin, Patch, Phase, Promise, Recipe, Runner, Source};

use super::{Facts, Local};
use crate::event::StepKind;
use crate::key::{self, Digest, KeyWriter, Spec};

/// Raised when what our own code does in a step changes its output.
const fn version(kind: StepKind) -> u32 {
    match kind {
        // 3: byte code that a wheel brings is left out.
        StepKind::Finish => 3,
        // 3: `sitecustomize` is listed among what runs at the start.
        StepKind::Install => 3,
        StepKind::Fetch | StepKind::Source | StepKind::Verify | StepKind::Env | StepKind::App => 1,
        // 2: a runner that ended without an answer no longer counts as passed,
        // and a namespace's package is the installed one.
        StepKind::Check => 2,
        // 2: the variables of one build are set once its backend is imported.
        StepKind::Build => 2,
        // 2: what scripts call is looked for.
        StepKind::Imports => 2,
    }
}

/// Whose step it is.
#[derive(Clone, Copy)]
pub struct Of<'r> {
    /// The package.
    pub recipe: &'r Recipe,
    /// Its version as text, which most steps write.
    pub version: &'r str,
}

/// What steps of one kind have in common, written once.
pub struct Common<'a> {
    facts: &'a Facts,
    /// By kind, and whether a compiler is declared.
    heads: [[OnceCell<Arc<key::Common>>; 2]; StepKind::COUNT],
    /// One that was written and copied: the next is written in its room.
    spare: Cell<Option<KeyWriter>>,
}

impl<'a> Common<'a> {
    /// Nothing is written yet.
    pub fn new(facts: &'a Facts) -> Self {
        Self { facts, heads: Default::default(), spare: Cell::default() }
    }

    /// What was written, as it is kept.
    pub fn kept(&self, mut own: KeyWriter) -> Spec {
        let kept = own.keep();
        self.spare.set(Some(own));
        kept
    }

    fn start(&self, kind: StepKind, compiler: bool) -> KeyWriter {
        let head = &self.heads[kind as usize][usize::from(compiler)];
        let head = head.get_or_init(|| head_of(kind, self.facts, compiler).shared());
        self.spare.take().map_or_else(|| KeyWriter::after(head), |spare| spare.again(head))
    }
}

/// See the table of [`crate::plan`].
fn head_of(kind: StepKind, facts: &Facts, compiler: bool) -> KeyWriter {
    use StepKind::{Build, Check, Fetch, Imports, Install, Source, Verify};
    let mut key = KeyWriter::new();
    key.part("kind", kind.word());
    key.part("step version", version(kind).to_string());
    // What starts no foreign process has no isolation.
    if !matches!(kind, Fetch | Source) {
        key.part("isolation", facts.level.word());
    }
    // Markers of Requires-Dist, which are verified, see more of it than `3.11`.
    if matches!(kind, Build | Install | Verify | Imports | Check) {
        key.part("interpreter", facts.interpreter.hex());
    }
    if kind == Install {
        key.part("layout", facts.python.as_str());
    }
    if compiler && matches!(kind, Build | Imports | Check) {
        key.part("host", facts.host.hex());
    }
    if compiler && kind == Build {
        key.part("C flags", facts.c_flags.as_str());
    }
    key
}

/// Length-prefixed, so that no two lists have one text.
fn list_text(items: &[String]) -> String {
    let text: Vec<String> = items.iter().map(|i| format!("{}:{i}", i.len())).collect();
    text.join(",")
}

fn list(key: &mut KeyWriter, name: &str, items: &[String]) {
    if !items.is_empty() {
        key.part(name, list_text(items));
    }
}

fn phases(key: &mut KeyWriter, recipe: &Recipe, wanted: &[Phase]) {
    if recipe.phases.is_empty() {
        return;
    }
    for (phase, name) in Phase::ALL {
        if let (true, Some(text)) = (wanted.contains(&phase), recipe.phases.get(&phase)) {
            key.part(format!("phase {name}"), text.as_str());
        }
    }
}

/// What cannot be done yet moves the keys of the steps that say so: a wheel
/// that was made before the recipe asked for it is not what is asked for.
fn unsupported(key: &mut KeyWriter, recipe: &Recipe) {
    for (table, there) in [("cargo", recipe.cargo.is_some()), ("app", recipe.app.is_some())] {
        if there {
            key.part(table, "not supported yet");
        }
    }
}

fn truth(of: bool) -> &'static str {
    if of { "true" } else { "false" }
}

/// Name and version: variables of every action.
fn subject(key: &mut KeyWriter, of: Of<'_>) {
    key.long_part(&["variables"], &[&of.recipe.pname_text, " ", of.version]);
}

/// Phases that run on the source before it is a source.
pub const SOURCE_PHASES: [Phase; 3] = [Phase::PostUnpack, Phase::PrePatch, Phase::PostPatch];
/// Phases of the build.
pub const BUILD_PHASES: [Phase; 3] = [Phase::PreBuild, Phase::Build, Phase::PostBuild];
/// Phases of the install.
pub const INSTALL_PHASES: [Phase; 3] = [Phase::PreInstall, Phase::Install, Phase::PostInstall];
/// Phases of the check.
pub const CHECK_PHASES: [Phase; 3] = [Phase::PreCheck, Phase::Check, Phase::PostCheck];

/// Whether the recipe declares a compiler (PEP 725 `virtual:compiler/*`).
pub fn declares_compiler(recipe: &Recipe) -> bool {
    recipe.external.build_requires.iter().any(|(name, _)| name.starts_with("virtual:compiler/"))
}

/// Whether its checks see the host's programs: it declares a compiler, or what
/// of the host it needs to run.
pub fn check_sees_host(recipe: &Recipe) -> bool {
    declares_compiler(recipe) || !recipe.external.dependencies.is_empty()
}

/// `fetch`: what was promised, never where it comes from.
pub fn fetch(of: Of<'_>, source: &Source, common: &Common<'_>) -> KeyWriter {
    let recipe = of.recipe;
    let mut key = common.start(StepKind::Fetch, false);
    match source.promise {
        Promise::Hash(hash) => key.part("hash", hash.sri()),
        Promise::Ask | Promise::Local => key.part("hash", "none promised"),
    };
    key.part("name", &recipe.pname);
    key.part("version", of.version);
    match &source.origin {
        Origin::Git { rev, submodules, .. } => {
            let rev = match rev {
                GitRev::Rev(r) => format!("rev {r}"),
                GitRev::Tag(t) => format!("tag {t}"),
            };
            key.part("git", rev);
            key.part("submodules", submodules.to_string());
        }
        Origin::Url { unpack: true, .. } => {
            key.part("unpack", "yes");
        }
        Origin::Pypi { .. } | Origin::Url { .. } | Origin::Path { .. } => {}
    }
    key
}

/// `source`: unpack, patch, phases.
pub fn source(id: usize, of: Of<'_>, source: &Source, common: &Common<'_>, local: &Local) -> KeyWriter {
    let recipe = of.recipe;
    let mut key = common.start(StepKind::Source, false);
    if let Some(tree) = local.trees.get(&id) {
        key.part("path source", tree.hex());
    }
    for (i, patch) in source.patches.iter().enumerate() {
        let digest = match patch {
            Patch::File(name, _) => {
                local.patches.get(&(id, name.clone())).map_or_else(|| "missing".to_owned(), Digest::hex)
            }
            Patch::Url { hash, .. } => hash.hex(),
        };
        key.part(format!("patch {i}"), digest);
    }
    phases(&mut key, recipe, &SOURCE_PHASES);
    if recipe.phases.keys().any(|p| SOURCE_PHASES.contains(p)) {
        key.part("isolation", common.facts.level.word());
        subject(&mut key, of);
    }
    if let Some(epoch) = source.epoch {
        key.part("epoch", epoch.to_string());
    }
    key
}

/// `build`: the raw wheel, or for `format = "other"` the installed tree.
pub fn build(of: Of<'_>, source: &Source, common: &Common<'_>) -> KeyWriter {
    let recipe = of.recipe;
    let mut key = common.start(StepKind::Build, declares_compiler(recipe));
    // Its build system is an input; what we tell it is told by this.
    if declares_compiler(recipe) && recipe.brings_flags() {
        key.part("the interpreter's C flags", "left out");
    }
    let format = match recipe.format {
        Format::Pyproject => "pyproject",
        Format::Wheel => "wheel",
        Format::Other => "other",
    };
    key.part("format", format);
    if !source.subdirectory.is_empty() {
        key.part("subdirectory", source.subdirectory.as_str());
    }
    for (name, values) in &recipe.build.config_settings {
        // An empty list is told to the backend, too.
        key.part(format!("config-settings {name}"), list_text(values));
    }
    for (name, value) in &recipe.build.env {
        key.part(format!("env {name}"), value.as_str());
    }
    if let Some(backend) = &recipe.build.backend {
        key.part("backend", backend.as_str());
    }
    if let Some(path) = &recipe.build.backend_path {
        key.part("backend-path", list_text(path));
    }
    phases(&mut key, recipe, &BUILD_PHASES);
    if recipe.format == Format::Other {
        phases(&mut key, recipe, &INSTALL_PHASES);
    }
    subject(&mut key, of);
    if matches!(source.origin, Origin::Git { .. } | Origin::Path { .. }) {
        key.part("pretend version", of.version);
    }
    unsupported(&mut key, recipe);
    key
}

/// `finish`: relax, remove-tests, namespaces, normalise, lint.
pub fn finish(of: Of<'_>, common: &Common<'_>) -> KeyWriter {
    let recipe = of.recipe;
    let mut key = common.start(StepKind::Finish, false);
    key.part("name", &recipe.pname);
    key.part("version", of.version);
    key.part("relax all", truth(recipe.relax.all));
    let lists = [
        ("drop", &recipe.relax.dependencies),
        ("upper", &recipe.relax.upper),
        ("remove", &recipe.relax.remove),
    ];
    for (word, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
        let mut names: Vec<String> = names.iter().map(|(n, _)| n.to_string()).collect();
        names.sort();
        list(&mut key, &format!("relax {word}"), &names);
    }
    list(&mut key, "namespaces", &recipe.namespaces);
    key.part("remove-tests", truth(recipe.remove_tests));
    match recipe.build.expect {
        Some(Expect::Pure) => key.part("expect", "pure"),
        Some(Expect::Native) => key.part("expect", "native"),
        None => &mut key,
    };
    unsupported(&mut key, recipe);
    key
}

/// `install`: the wheel laid out for one Python version.
pub fn install(of: Of<'_>, common: &Common<'_>) -> KeyWriter {
    let recipe = of.recipe;
    let mut key = common.start(StepKind::Install, false);
    phases(&mut key, recipe, &INSTALL_PHASES);
    // What phases leave is described by the recipe's name and version.
    if recipe.format == Format::Other || recipe.phases.keys().any(|p| INSTALL_PHASES.contains(p)) {
        subject(&mut key, of);
    }
    key
}

/// `verify`: Requires-Dist against the closure's names and versions.
///
/// `closure` is their names and versions.
pub fn verify<'c>(closure: impl Iterator<Item = (&'c str, &'c str)>, common: &Common<'_>) -> KeyWriter {
    let mut key = common.start(StepKind::Verify, false);
    for (name, version) in closure {
        key.long_part(&["closure ", name], &[version]);
    }
    key
}

/// `imports`: the import check.
pub fn imports(of: Of<'_>, common: &Common<'_>) -> KeyWriter {
    let recipe = of.recipe;
    let mut key = common.start(StepKind::Imports, check_sees_host(recipe));
    subject(&mut key, of);
    match &recipe.check.imports {
        Some(names) => list(&mut key, "imports", names),
        None => {
            key.part("imports", "top-level modules of the wheel");
        }
    }
    key
}

/// `check`: the tests.
pub fn check(of: Of<'_>, source: &Source, common: &Common<'_>) -> KeyWriter {
    let recipe = of.recipe;
    let mut key = common.start(StepKind::Check, check_sees_host(recipe));
    let check = &recipe.check;
    let runner = match check.runner {
        Runner::None => "none",
        Runner::Pytest => "pytest",
        Runner::Unittest => "unittest",
        Runner::Command => "command",
    };
    key.part("runner", runner);
    if !source.subdirectory.is_empty() {
        key.part("subdirectory", source.subdirectory.as_str());
    }
    list(&mut key, "flags", &check.flags);
    list(&mut key, "enabled-tests", &check.enabled_tests);
    list(&mut key, "disabled-tests", &check.disabled_tests);
    list(&mut key, "marks", &check.marks);
    for (word, paths) in [("enabled-paths", &check.enabled_paths), ("disabled-paths", &check.disabled_paths)]
    {
        let paths: Vec<String> = paths.iter().map(|(p, _)| p.clone()).collect();
        list(&mut key, word, &paths);
    }
    phases(&mut key, recipe, &CHECK_PHASES);
    subject(&mut key, of);
    key
}
