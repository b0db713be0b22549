//! Values to a recipe, with every finding.
//!
//! Knows the field table and its types. Must never know other recipes.
//!
//! Tables arrive shape-checked by [`crate::schema`]: a value of a wrong type
//! has been reported there and reads as absent here.

use std::sync::Arc;

use crate::codes;
use crate::diag::{Finding, Place, Severity, SourceFile};
use crate::name::{ExtraName, PackageName, Version};
use crate::node::{Node, Table, Value};
use crate::recipe::{Dependency, Format, Kind, Recipe};

mod external;
mod join;
mod lint;
mod source;
mod specifier;
mod tables;
mod words;
mod wrap;

pub use join::join_requirements;
pub use lint::lint;
pub(crate) use source::{ORIGINS, plain_address};
pub use specifier::{mend_requirement, mend_specifiers};

/// Name and version: what a recipe is known by before anything else is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The normalised name.
    pub(crate) pname: PackageName,
    /// The version; `None` in an extension that does not change it.
    pub(crate) version: Option<Version>,
}

/// Reads name and version; `pyproject` is the text beside a path source.
///
/// `None` when one of them is missing or bad, which is then a finding.
pub(crate) fn identity(
    table: &Table,
    file: &Arc<SourceFile>,
    pyproject: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Option<Identity> {
    let top = Place { file: file.clone(), span: 0..0 };
    let pname = match table.get("pname") {
        Some(node) => words::name(node, findings),
        None => {
            findings.push(
                Finding::error(codes::MISSING_KEY, top.clone(), "the recipe has no `pname`")
                    .hint("write `pname = \"NAME\"` at the top of the file"),
            );
            None
        }
    };
    let extends = extends(table).is_some();
    let version = match table.get("version") {
        Some(node) => match &node.value {
            Value::String(_) => Some(words::version(node, findings)),
            Value::Table(_) => Some(static_version(table, node, pyproject, findings)),
            _ => Some(None),
        },
        None if extends => None,
        None => {
            let place = table.entry("pname").map_or(top, |e| e.key_place.clone());
            let finding = Finding::error(codes::MISSING_KEY, place, "the recipe has no `version`");
            findings.push(match crate::node::path_source_dir(table) {
                Some(_) => finding.hint("write `version = { from = \"pyproject\" }`, or the version itself"),
                None => finding.hint("write `version = \"1.2.3\"` below `pname`"),
            });
            Some(None)
        }
    };
    let version = match version {
        Some(bad_or_good) => Some(bad_or_good?),
        None => None,
    };
    Some(Identity { pname: pname?, version })
}

/// `extends`, when the recipe extends: the place, and the version it names.
pub(crate) fn extends(table: &Table) -> Option<(&Node, Option<&str>)> {
    let node = table.get("extends")?;
    match &node.value {
        Value::Bool(true) => Some((node, None)),
        Value::String(version) => Some((node, Some(version))),
        _ => None,
    }
}

/// The version of `extends = "1.2.3"`.
pub(crate) fn extended_version(node: &Node, findings: &mut Vec<Finding>) -> Option<Version> {
    words::version(node, findings)
}

/// `version = { from = "pyproject" }`: only what is written there counts.
fn static_version(
    table: &Table,
    node: &Node,
    pyproject: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Option<Version> {
    let mut say = |message: String| {
        findings.push(
            Finding::error(codes::NO_STATIC_VERSION, node.place.clone(), message)
                .hint("write the version: `version = \"1.2.3\"`"),
        );
        None
    };
    // What else it may come from is told where words are checked.
    if node.as_table().and_then(|t| t.str("from")).is_some_and(|from| from != "pyproject") {
        return None;
    }
    let Some(dir) = crate::node::path_source_dir(table) else {
        return say("only a recipe with `[source] path` can take its version from pyproject.toml".to_owned());
    };
    let Some(text) = pyproject else {
        return say(format!("there is no pyproject.toml in `{dir}` to take the version from"));
    };
    let beside =
        node.place.file.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let path = match dir.as_str() {
        "." => format!("{beside}pyproject.toml"),
        dir => format!("{beside}{dir}/pyproject.toml"),
    };
    let file = Arc::new(SourceFile { path, text: text.to_owned() });
    let (parsed, errors) = crate::node::read(&file);
    if !errors.is_empty() {
        findings.extend(errors);
        return None;
    }
    let project = parsed.table("project");
    let poetry = parsed.table("tool").and_then(|t| t.table("poetry"));
    if let Some(text) =
        project.and_then(|p| p.str("version")).or_else(|| poetry.and_then(|p| p.str("version")))
    {
        return match text.parse() {
            Ok(version) => Some(version),
            Err(_) => say(format!("the version in pyproject.toml, `{text}`, is not a PEP 440 version")),
        };
    }
    let dynamic = project
        .and_then(|p| p.get("dynamic"))
        .and_then(Node::as_array)
        .is_some_and(|d| d.iter().any(|n| n.as_str() == Some("version")));
    if dynamic {
        say(format!("the version in pyproject.toml of `{dir}` is dynamic: only its build backend knows it"))
    } else {
        say(format!("pyproject.toml in `{dir}` has no `project.version`"))
    }
}

/// A (merged) table as a recipe.
///
/// `file` defined it, `layer` is that file's layer, `version` comes from
/// [`identity`]. `None` when any finding is an error.
pub(crate) fn recipe(
    table: &Table,
    identity: (&PackageName, &Version),
    (file, layer): (&Arc<SourceFile>, &str),
) -> (Option<Recipe>, Vec<Finding>) {
    let mut findings = Vec::new();
    let f = &mut findings;
    let (pname, version) = identity;
    let entry = table.entry("pname");
    let place = entry.map_or(Place { file: file.clone(), span: 0..0 }, |e| e.node.place.clone());
    let pname_text = table.str("pname").unwrap_or(pname.as_ref()).to_owned();
    let format = match table.str("format") {
        Some("wheel") => Format::Wheel,
        Some("other") => Format::Other,
        _ => Format::Pyproject,
    };
    let kind = match table.str("kind") {
        Some("application") => Kind::Application,
        _ => Kind::Package,
    };
    let requires_python =
        table.get("requires-python").and_then(|node| Some((words::specifiers(node, f)?, node.place.clone())));
    let phases = tables::phases(table);
    let recipe = Recipe {
        file: file.clone(),
        layer: layer.to_owned(),
        place: place.clone(),
        pname: pname.clone(),
        version: version.clone(),
        kind,
        format,
        requires_python,
        build_system: requirements(table.get("build-system"), f),
        dependencies: requirements(table.get("dependencies"), f),
        optional_dependencies: extras(table, f),
        sources: source::sources(table, (&pname_text, version, &place), f),
        build: table.get("build").map(|_| tables::build(table, f)).into(),
        check: tables::check(table, &phases, f),
        phases,
        external: table.get("external").map(|_| external::external(table, f)).into(),
        cargo: table.entry("cargo").map(|e| e.key_place.clone()),
        relax: table.get("relax").map(|_| tables::relax(table, f)).into(),
        wrap: wrap::wrap(table, f),
        app: tables::app(table, f).map(Box::new),
        namespaces: modules(table.get("namespaces"), f),
        remove_tests: boolean(table, "remove-tests").unwrap_or(true),
        meta: tables::meta(table),
        pname_text,
    };
    tables::agree(&recipe, table, &mut findings);
    let good = findings.iter().all(|finding| finding.severity != Severity::Error);
    (good.then_some(recipe), findings)
}

fn extras(
    table: &Table,
    findings: &mut Vec<Finding>,
) -> std::collections::BTreeMap<ExtraName, Vec<Dependency>> {
    let mut out = std::collections::BTreeMap::new();
    let Some(extras) = table.table("optional-dependencies") else { return out };
    for entry in &extras.entries {
        let list = requirements(Some(&entry.node), findings);
        let Ok(name) = entry.key.parse::<ExtraName>() else {
            findings.push(Finding::error(
                codes::BAD_NAME,
                entry.key_place.clone(),
                format!(
                    "`{}` is not the name of an extra (letters, digits, and `-`, `_`, `.` between them)",
                    entry.key
                ),
            ));
            continue;
        };
        if out.insert(name, list).is_some() {
            findings.push(Finding::error(
                codes::SAID_TWICE,
                entry.key_place.clone(),
                format!("`{}` is another spelling of an extra above", entry.key),
            ));
        }
    }
    out
}

/// The requirements of a list; bad ones are findings and left out.
pub(crate) fn requirements(node: Option<&Node>, findings: &mut Vec<Finding>) -> Vec<Dependency> {
    // Room for exactly these: there are thousands of such lists.
    let mut out = Vec::with_capacity(items(node).len());
    out.extend(items(node).iter().filter_map(|item| words::requirement(item, findings)));
    out
}

fn modules(node: Option<&Node>, findings: &mut Vec<Finding>) -> Vec<String> {
    items(node).iter().filter_map(|item| words::module(item, findings)).collect()
}

/// A relative path that may lead out of the folder it is written in.
pub(crate) fn relative_path(node: &Node, findings: &mut Vec<Finding>) -> Option<String> {
    words::path(node, true, findings)
}

fn items(node: Option<&Node>) -> &[Node] {
    node.and_then(Node::as_array).unwrap_or(&[])
}

pub(crate) fn texts(node: Option<&Node>) -> Vec<String> {
    items(node).iter().filter_map(|n| n.as_str().map(str::to_owned)).collect()
}

pub(crate) fn owned(table: &Table, key: &str) -> Option<String> {
    table.str(key).map(str::to_owned)
}

fn boolean(table: &Table, key: &str) -> Option<bool> {
    match table.get(key)?.value {
        Value::Bool(b) => Some(b),
        _ => None,
    }
}

/// A whole number that fits and is at least 1.
pub(crate) fn count(table: &Table, key: &str, findings: &mut Vec<Finding>) -> Option<u32> {
    let node = table.get(key)?;
    let Value::Integer(n) = node.value else { return None };
    match u32::try_from(n) {
        Ok(n) if n > 0 => Some(n),
        // Negative numbers are already reported by the field table.
        Err(_) if n < 0 => None,
        _ => {
            let message = format!("`{key}` cannot be {n}");
            findings.push(Finding::error(codes::OUT_OF_RANGE, node.place.clone(), message));
            None
        }
    }
}

#[cfg(test)]
mod tests;
