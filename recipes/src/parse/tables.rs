//! The tables of a recipe other than `[source]` and `[wrap]`.
//!
//! Knows their defaults and what of them goes together. Must never know
//! the target.

use std::collections::BTreeMap;

use crate::codes;
use crate::diag::{Finding, Place};
use crate::name::PackageName;
use crate::node::{Entry, Node, Table, Value};
use crate::recipe::{App, Build, Check, Expect, Format, Meta, Origin, Phase, Phases, Recipe, Relax, Runner};

use super::{boolean, count, items, modules, owned, requirements, texts, words};

pub(super) fn build(table: &Table, findings: &mut Vec<Finding>) -> Build {
    let Some(build) = table.table("build") else { return Build::default() };
    let mut env = BTreeMap::new();
    for entry in build.table("env").map_or(&[][..], |t| &t.entries) {
        if let Some(name) = words::variable(&entry.key, entry.key_place.clone(), findings)
            && let Some(value) = entry.node.as_str()
        {
            env.insert(name, value.to_owned());
        }
    }
    let settings = build.table("config-settings").map_or(&[][..], |t| &t.entries);
    let backend = build.get("backend").and_then(|n| object(n, false, findings));
    Build {
        config_settings: settings.iter().map(|e| (e.key.clone(), setting(&e.node))).collect(),
        env,
        backend,
        backend_path: build
            .get("backend-path")
            .map(|n| items(Some(n)).iter().filter_map(|n| words::path(n, false, findings)).collect()),
        cores: count(build, "cores", findings),
        memory: build.get("memory").and_then(|n| words::size(n, findings)),
        exclusive: boolean(build, "exclusive").unwrap_or(false),
        timeout: build.get("timeout").and_then(|n| words::duration(n, findings)),
        expect: match build.str("expect") {
            Some("pure") => Some(Expect::Pure),
            Some("native") => Some(Expect::Native),
            _ => None,
        },
        cold: boolean(build, "cold").unwrap_or(false),
    }
}

/// A config setting: PEP 517 backends get strings, or lists of strings.
fn setting(node: &Node) -> Vec<String> {
    match &node.value {
        Value::String(text) => vec![text.clone()],
        Value::Bool(b) => vec![b.to_string()],
        Value::Integer(n) => vec![n.to_string()],
        _ => texts(Some(node)),
    }
}

/// `module.path:object.path`; without `needs_object`, the object may be left out.
fn object(node: &Node, needs_object: bool, findings: &mut Vec<Finding>) -> Option<String> {
    let text = node.as_str()?;
    let identifiers = |s: &str| {
        !s.is_empty()
            && s.split('.').all(|p| !p.is_empty() && p.chars().all(|c| c == '_' || c.is_alphanumeric()))
    };
    let good = match text.split_once(':') {
        Some((module, object)) => identifiers(module) && identifiers(object.trim_end_matches("()")),
        None => !needs_object && identifiers(text),
    };
    if good {
        return Some(text.to_owned());
    }
    let example = if needs_object {
        "`\"shop:app\"` or `\"shop:create_app()\"`"
    } else {
        "`\"setuptools.build_meta\"`"
    };
    findings.push(
        Finding::error(
            codes::BAD_NAME,
            node.place.clone(),
            format!("`{text}` does not name an object of a module"),
        )
        .hint(format!("write e.g. {example}")),
    );
    None
}

pub(super) fn phases(table: &Table) -> Phases {
    let Some(phases) = table.table("phases") else { return Phases::new() };
    Phase::ALL.iter().filter_map(|(phase, key)| Some((*phase, owned(phases, key)?))).collect()
}

pub(super) fn check(table: &Table, phases: &Phases, findings: &mut Vec<Finding>) -> Check {
    let empty = Table::default();
    let check = table.table("check").unwrap_or(&empty);
    let inputs = requirements(check.get("inputs"), findings);
    let runner = match check.str("runner") {
        Some("pytest") => Runner::Pytest,
        Some("unittest") => Runner::Unittest,
        Some("command") => Runner::Command,
        _ if phases.contains_key(&Phase::Check) => Runner::Command,
        _ if inputs.iter().any(|d| d.requirement.name().as_ref() == "pytest") => Runner::Pytest,
        _ => Runner::None,
    };
    let mut paths = |key: &str| -> Vec<(String, Place)> {
        let nodes = items(check.get(key)).iter();
        nodes.filter_map(|n| Some((words::path(n, false, findings)?, n.place.clone()))).collect()
    };
    let (enabled_paths, disabled_paths) = (paths("enabled-paths"), paths("disabled-paths"));
    let said = check.entries.iter().any(|e| !matches!(e.key.as_str(), "imports" | "enable"));
    Check {
        enable: boolean(check, "enable").unwrap_or(said || runner != Runner::None),
        enable_said: check.get("enable").is_some(),
        imports: check.get("imports").map(|n| modules(Some(n), findings)),
        runner,
        inputs,
        flags: texts(check.get("flags")),
        enabled_tests: texts(check.get("enabled-tests")),
        disabled_tests: texts(check.get("disabled-tests")),
        enabled_paths,
        disabled_paths,
        marks: texts(check.get("marks")),
    }
}

pub(super) fn relax(table: &Table, findings: &mut Vec<Finding>) -> Relax {
    let Some(relax) = table.table("relax") else { return Relax::default() };
    let mut names = |key: &str| -> Vec<(PackageName, Place)> {
        let nodes = items(relax.get(key)).iter();
        nodes.filter_map(|n| Some((words::name(n, findings)?, n.place.clone()))).collect()
    };
    Relax {
        dependencies: names("dependencies"),
        upper: names("upper"),
        remove: names("remove"),
        all: boolean(relax, "all").unwrap_or(false),
    }
}

pub(super) fn app(table: &Table, findings: &mut Vec<Finding>) -> Option<App> {
    let entry = table.entry("app")?;
    let app = entry.node.as_table()?;
    let place = entry.key_place.clone();
    let interface = match (app.entry("wsgi"), app.entry("asgi")) {
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => {
            findings.push(
                Finding::error(codes::MISSING_KEY, place, "`[app]` names no application")
                    .hint("write `wsgi = \"shop:create_app()\"` or `asgi = \"shop:app\"`"),
            );
            return None;
        }
        (Some(_), Some(more)) => {
            let message = "`wsgi` and `asgi` in one `[app]`";
            findings
                .push(Finding::error(codes::OUT_OF_PLACE, more.key_place.clone(), message).hint("keep one"));
            return None;
        }
    };
    let object = object(&interface.node, true, findings)?;
    Some(App {
        interface: (interface.key.clone(), object),
        server: owned(app, "server"),
        bind: owned(app, "bind"),
        workers: count(app, "workers", findings),
        health: owned(app, "health"),
        place,
    })
}

pub(super) fn meta(table: &Table) -> Meta {
    let Some(meta) = table.table("meta") else { return Meta::default() };
    Meta {
        description: owned(meta, "description"),
        homepage: owned(meta, "homepage"),
        license: owned(meta, "license"),
        changelog: owned(meta, "changelog"),
        main_program: owned(meta, "main-program"),
        maintainers: texts(meta.get("maintainers")),
        broken: boolean(meta, "broken").unwrap_or(false),
        known_vulnerabilities: texts(meta.get("known-vulnerabilities")),
    }
}

/// What concerns several tables at once.
pub(super) fn agree(recipe: &Recipe, table: &Table, findings: &mut Vec<Finding>) {
    if recipe.format == Format::Other && !recipe.phases.contains_key(&Phase::Install) {
        let place = table.get("format").map_or(&recipe.place, |n| &n.place).clone();
        findings.push(
            Finding::error(
                codes::MISSING_KEY,
                place,
                "a recipe with `format = \"other\"` needs an `install` phase",
            )
            .hint("write it in `[phases]`: `install = \"...\"`"),
        );
    }
    if recipe.format == Format::Wheel {
        prebuilt(recipe, table, findings);
    }
    let check = table.table("check");
    let runner = check.and_then(|c| c.get("runner"));
    if let Some(runner) = runner
        && recipe.check.runner == Runner::Command
        && !recipe.phases.contains_key(&Phase::Check)
    {
        findings.push(
            Finding::error(
                codes::MISSING_KEY,
                runner.place.clone(),
                "`runner = \"command\"` runs the `check` phase, and there is none",
            )
            .hint("write it in `[phases]`: `check = \"...\"`"),
        );
    }
    if let Some(entry) = check.and_then(|c| c.entry("marks"))
        && !matches!(recipe.check.runner, Runner::Pytest | Runner::None)
    {
        findings.push(
            Finding::error(codes::OUT_OF_PLACE, entry.key_place.clone(), "only pytest knows marks")
                .hint("write `runner = \"pytest\"`, or remove `marks`"),
        );
    }
}

/// What a prebuilt wheel has no use for: nothing of it is unpacked or built.
fn prebuilt(recipe: &Recipe, table: &Table, findings: &mut Vec<Finding>) {
    const BUILD: &str = "remove `format` to build the source";
    for source in &recipe.sources {
        if matches!(
            source.origin,
            Origin::Git { .. } | Origin::Path { .. } | Origin::Url { unpack: true, .. }
        ) {
            findings.push(
                Finding::error(
                    codes::OUT_OF_PLACE,
                    source.place.clone(),
                    "a recipe with `format = \"wheel\"` takes a wheel file, and this source is a folder",
                )
                .hint(format!("{BUILD}, or name the wheel with `pypi` and `file`, or `url`")),
            );
        }
    }
    let mut no_use = |entry: &Entry, message: String| {
        findings.push(
            Finding::error(codes::OUT_OF_PLACE, entry.key_place.clone(), message)
                .hint(format!("{BUILD}, or remove `{}`", entry.key)),
        );
    };
    let sources = table.get("source").map_or(&[][..], |node| match &node.value {
        Value::Array(list) => list,
        _ => std::slice::from_ref(node),
    });
    for source in sources.iter().filter_map(Node::as_table) {
        for key in ["patches", "subdirectory"] {
            if let Some(entry) = source.entry(key) {
                no_use(
                    entry,
                    format!("`{key}` has no meaning for `format = \"wheel\"`: nothing is unpacked"),
                );
            }
        }
    }
    let run = [Phase::PreInstall, Phase::Install, Phase::PostInstall];
    let run = [run, [Phase::PreCheck, Phase::Check, Phase::PostCheck]].concat();
    for (phase, key) in Phase::ALL {
        let entry = table.table("phases").and_then(|t| t.entry(key));
        if let Some(entry) = entry.filter(|_| !run.contains(&phase)) {
            no_use(entry, format!("the phase `{key}` never runs with `format = \"wheel\"`"));
        }
    }
}
