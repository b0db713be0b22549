//! Builds in a fork server's children: which may have one, and what the server
//! loads beforehand.
//!
//! Knows the runner's other mode and what a recipe may ask for without becoming
//! cold. Must never let a module be loaded because a source said so: what a
//! server loads, all builds of its environment have.

use std::collections::BTreeMap;

use recipes::recipe::{Build, Format};
use serde_json::Value;

use super::build::{BuildSpec, build_action, runner_argv};
use super::code::{ByteCode, FORK_SERVER, RUNNER};
use super::{answer, below};
use crate::exec::action::{Action, ActionResult, Level, Warm};

const SAMPLE: &str = include_str!("sample.py");

/// What a server has loaded before it forks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preload {
    /// The module of the backend.
    pub backend: String,
    /// Modules of the standard library and the environment, in the order in
    /// which they are to be imported.
    pub modules: Vec<String>,
    /// Modules that must not be, because they look at the build that imports them.
    pub late: Vec<String>,
    /// Names that the backend looks for in the source while it is imported. A
    /// source that has one of them is built cold.
    pub absent: Vec<String>,
    /// What the interpreter's `re` made of patterns while the backend was
    /// imported: JSON on one line, for servers of that environment only; empty
    /// when nothing was told.
    pub patterns: String,
}

impl Preload {
    /// Whether there may be a server: a backend that looks at the source while
    /// it is imported has none, and nothing to load.
    pub fn serves(&self) -> bool {
        !self.modules.is_empty()
    }

    /// A line a module, for [`Preload::from_text`].
    pub fn to_text(&self) -> String {
        let late = self.late.iter().map(|name| format!("{LATE}{name}"));
        let absent = self.absent.iter().map(|name| format!("{ABSENT}{name}"));
        let patterns = (!self.patterns.is_empty()).then(|| format!("{PATTERNS}{}", self.patterns));
        self.modules.iter().cloned().chain(late).chain(absent).chain(patterns).collect::<Vec<_>>().join("\n")
    }

    /// What [`Preload::to_text`] gave.
    pub fn from_text(backend: &str, text: &str) -> Self {
        let (mut modules, mut late, mut absent, mut patterns) = (vec![], vec![], vec![], String::new());
        for line in text.lines() {
            let mut all = line.chars();
            match all.next() {
                Some(LATE) => late.push(all.as_str().to_owned()),
                Some(ABSENT) => absent.push(all.as_str().to_owned()),
                Some(PATTERNS) => all.as_str().clone_into(&mut patterns),
                _ => modules.push(line.to_owned()),
            }
        }
        Self { backend: backend.to_owned(), modules, late, absent, patterns }
    }
}

/// No name of a module begins with it.
const LATE: char = '!';
const ABSENT: char = '?';
const PATTERNS: char = '=';

/// What the runner itself imports after the backend: to read it takes as long
/// as some builds.
const REQUIREMENTS: &str = "wheelwright_requirements";

/// Modules that one list may have, and bytes of a name.
const MOST: usize = 4096;
const LONGEST: usize = 200;

/// The module of the backend that will build a source, when a warm server may
/// have loaded it beforehand. `pyproject` is the text of its file, when there is one.
///
/// Cold are: backends of the source's own (they are its code), phases, a
/// folder in the source or an environment of the recipe's own (what is true
/// while the backend is imported would be another), whatever has a compiler (it
/// takes long, and what fails in a server runs again), and whoever says so.
pub fn backend_for(spec: &BuildSpec, pyproject: Option<&str>) -> Option<String> {
    let Build { cold, env, backend, backend_path, .. } = &spec.build;
    let plain = is_plain(spec) && !cold && !spec.compiler && env.is_empty() && backend_path.is_none();
    if !plain || !spec.subdirectory.is_empty() {
        return None;
    }
    let table = match pyproject {
        Some(text) => toml::from_str::<toml::Table>(text).ok()?.remove("build-system"),
        None => None,
    };
    let word = |name: &str| table.as_ref().and_then(|t| t.get(name)).cloned();
    let name = match (backend, word("build-backend")) {
        (Some(backend), _) => backend.clone(),
        _ if word("backend-path").is_some() => return None,
        (None, Some(toml::Value::String(name))) => name,
        (None, Some(_)) => return None,
        (None, None) => "setuptools.build_meta".to_owned(),
    };
    let module = name.split(':').next().unwrap_or_default();
    is_module(module).then(|| module.to_owned())
}

/// Whether the runner is all that runs, in a real cell, without variables of
/// the recipe: then those of one build are set after its backend was imported.
pub(super) fn is_plain(spec: &BuildSpec) -> bool {
    let level = spec.level == Level::Full && spec.format == Format::Pyproject;
    level && spec.build.env.is_empty() && super::build::has_no_phases(spec)
}

fn is_module(name: &str) -> bool {
    let word = |part: &str| {
        let mut chars = part.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.len() <= LONGEST && name.split('.').all(word)
}

/// The server that an action may run in.
pub(super) fn server(preload: &Preload, code: &ByteCode, more: bool) -> Warm {
    let mut argv = runner_argv();
    let modules: Vec<&str> = preload.modules.iter().map(String::as_str).chain([REQUIREMENTS]).collect();
    let order = serde_json::json!({ "spec": argv.last(), "modules": modules, "late": preload.late });
    argv.push("serve".to_owned());
    let mut files = code.files(&RUNNER);
    files.extend(code.files(&[FORK_SERVER]));
    if !preload.patterns.is_empty() {
        files.insert(below("job/patterns.json"), preload.patterns.clone().into_bytes());
    }
    // Not read: servers of other backends are other servers.
    files.insert(below("job/backend"), preload.backend.clone().into_bytes());
    Warm { argv, files, order: order.to_string(), more }
}

/// The action that finds out which modules a backend imports while it builds a
/// small project of ours. `like` is any build of the environment; nothing of
/// its source takes part.
pub fn sample_action(like: &BuildSpec, backend: &str) -> Action {
    let mut spec = like.clone();
    spec.label = format!("sample of {backend}");
    spec.build = Build { backend: None, config_settings: BTreeMap::new(), ..spec.build };
    // In a process of its own: what is imported is to be seen.
    spec.warm = None;
    spec.report_modules = true;
    let mut action = build_action(&spec);
    action.source = None;
    action.files.insert(below("job/wheelwright_sample.py"), SAMPLE.as_bytes().to_vec());
    let pyproject = format!("[build-system]\nrequires = []\nbuild-backend = \"{backend}\"\n{PROJECT}");
    for (name, text) in [
        ("pyproject.toml", pyproject.as_str()),
        ("setup.cfg", "[options]\nzip_safe = False\n"),
        ("README.md", "# A sample\n"),
        ("LICENSE", "None.\n"),
        (
            "wheelwright_sample/__init__.py",
            "\"\"\"A sample.\"\"\"\n\n__version__ = \"1.0\"\n\n\ndef main():\n    pass\n",
        ),
        ("wheelwright_sample/part.py", "VALUE = 1\n"),
    ] {
        action.files.insert(below(&format!("src/{name}")), text.as_bytes().to_vec());
    }
    action
}

/// Metadata that all common backends read, with a little of everything.
const PROJECT: &str = r#"
[project]
name = "wheelwright-sample"
version = "1.0"
description = "A sample"
readme = "README.md"
requires-python = ">=3.8"
license = { text = "none" }
authors = [{ name = "Nobody", email = "nobody@example.invalid" }]
keywords = ["sample"]
classifiers = ["Programming Language :: Python :: 3"]
dependencies = ["other>=1.0; python_version < '4'"]

[project.optional-dependencies]
extra = ["another[extra]~=2.0"]

[project.scripts]
wheelwright-sample = "wheelwright_sample:main"

[project.urls]
Homepage = "https://example.invalid"
"#;

/// The modules that [`sample_action`] found; those of a build that failed, too.
/// None when it did not come that far.
pub fn read_sample(result: &ActionResult, backend: &str) -> Option<Preload> {
    let found: Value = serde_json::from_slice(&answer::read_bounded(result, answer::FILE)?).ok()?;
    let wanted = |name: &&str| is_module(name) && *name != backend && !name.starts_with("wheelwright_");
    // It says nothing that a server of this environment could not say itself, and
    // there it is read as foreign words, too. JSON is written on one line here.
    let patterns = found["patterns"].as_object().map_or_else(String::new, |_| found["patterns"].to_string());
    let names = |key: &str| -> Option<Vec<String>> {
        let all = found[key].as_array()?.iter().filter_map(Value::as_str);
        Some(all.filter(wanted).take(MOST).map(str::to_owned).collect())
    };
    let late = names("late")?;
    let found_cold = found["cold"] == true;
    let all = found["absent"].as_array()?;
    let absent: Vec<String> = all.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    // A package comes with each of its modules.
    let brings = |name: &str, late: &str| {
        name.strip_prefix(late).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let found = names("modules")?.into_iter().filter(|name| !late.iter().any(|late| brings(name, late)));
    let modules = match found_cold {
        true => Vec::new(),
        false => [backend.to_owned()].into_iter().chain(found).collect(),
    };
    // A name of several lines would be read as several.
    let told = absent.len() <= MOST && absent.iter().all(|name| !name.contains(['\n', '\r']));
    told.then(|| Preload { backend: backend.to_owned(), modules, late, absent, patterns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pep517::tests::spec;

    fn full() -> BuildSpec {
        BuildSpec { level: Level::Full, ..spec() }
    }

    #[test]
    fn the_backend_is_the_one_that_pyproject_or_the_recipe_names() {
        let of = |text: &str| backend_for(&full(), Some(text));
        assert_eq!(of("[build-system]\nbuild-backend = \"a.b:c.d\"").as_deref(), Some("a.b"));
        assert_eq!(of("[build-system]\nrequires = []").as_deref(), Some("setuptools.build_meta"));
        assert_eq!(backend_for(&full(), None).as_deref(), Some("setuptools.build_meta"));
        let mut spec = full();
        spec.build.backend = Some("other".into());
        let own = "[build-system]\nbuild-backend = \"x\"\nbackend-path = [\".\"]";
        assert_eq!(backend_for(&spec, Some(own)).as_deref(), Some("other"));
    }

    #[test]
    fn a_list_is_remembered_as_it_was() {
        let list = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        let preload = Preload {
            modules: list(["a", "a.b"]),
            late: list(["c", "d.e"]),
            absent: list(["x.y", "z"]),
            patterns: "{\"a\":\"\\n\"}".to_owned(),
            backend: "a".to_owned(),
        };
        assert_eq!(preload.to_text(), "a\na.b\n!c\n!d.e\n?x.y\n?z\n={\"a\":\"\\n\"}");
        assert_eq!(Preload::from_text("a", &preload.to_text()), preload);
        assert!(!Preload::from_text("a", "").serves() && Preload::from_text("a", "a").serves());
    }

    #[test]
    fn a_server_loads_what_the_runner_needs_after_the_backend() {
        let warm = server(&Preload::from_text("a", "a\na.b\n!c"), &ByteCode::default(), false);
        let order: Value = serde_json::from_str(&warm.order).unwrap();
        assert_eq!(order["modules"], serde_json::json!(["a", "a.b", REQUIREMENTS]));
        assert!(warm.files.contains_key(&below(&format!("job/{REQUIREMENTS}.py"))));
        assert_eq!(order["late"], serde_json::json!(["c"]));
    }

    #[test]
    fn what_may_differ_in_a_server_is_cold() {
        let cold = |change: fn(&mut BuildSpec)| {
            let mut spec = full();
            change(&mut spec);
            assert_eq!(backend_for(&spec, None), None);
        };
        cold(|s| s.build.cold = true);
        cold(|s| s.compiler = true);
        cold(|s| s.build.backend_path = Some(vec![".".into()]));
        cold(|s| drop(s.build.env.insert("A".into(), "1".into())));
        cold(|s| s.subdirectory = "python".into());
        cold(|s| s.level = Level::Landlock);
        cold(|s| s.format = Format::Other);
        cold(|s| drop(s.phases.insert(recipes::recipe::Phase::PreBuild, "true".into())));
        for text in [
            "[build-system]\nbuild-backend = \"x\"\nbackend-path = [\".\"]",
            "[build-system]\nbuild-backend = 1",
            "[build-system]\nbuild-backend = \"os; import x\"",
            "no toml",
        ] {
            assert_eq!(backend_for(&full(), Some(text)), None, "{text}");
        }
    }
}
