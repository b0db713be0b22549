//! The set, tested on recipe text.

mod chains;
mod closures;
mod messages;
mod newest;

use std::sync::Arc;

use super::*;
use crate::book::{Layer, LayerFile, assemble};
use crate::diag::{Severity, SourceFile};
use crate::target::tests::linux;

/// The recipes of `//- path` separated texts, in the order of the texts.
fn recipes(text: &str) -> Vec<Recipe> {
    let files = text.split("//- ").skip(1).map(|part| {
        let (path, text) = part.split_once('\n').unwrap();
        let file = Arc::new(SourceFile { path: path.trim().to_owned(), text: text.to_owned() });
        LayerFile { file, pyproject: None }
    });
    let (book, findings) = assemble(&[Layer { name: "recipes".into(), files: files.collect() }]);
    let errors: Vec<Finding> = findings.into_iter().filter(|f| f.severity == Severity::Error).collect();
    assert_eq!(told(&errors), "");
    book.recipes.into_iter().map(std::sync::Arc::unwrap_or_clone).collect()
}

/// Recipes of one line each: `flask 3.1: click>=8, jinja2 | build: hatchling | python: >=3.9 | app`.
fn short(lines: &str) -> String {
    let mut out = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut parts = line.split('|').map(str::trim);
        let (head, run) = parts.next().unwrap().split_once(':').unwrap();
        let (name, version) = head.split_once(' ').unwrap();
        let list = |t: &str| {
            let items = t.split(',').map(str::trim).filter(|i| !i.is_empty());
            let items: Vec<String> = items.map(|i| format!("\"{}\"", i.replace('&', ","))).collect();
            format!("[{}]", items.join(", "))
        };
        out += &format!("//- {name}-{version}.toml\npname = \"{name}\"\nversion = \"{version}\"\n");
        let mut tables = String::new();
        for part in parts {
            let (key, value) = part.split_once(':').unwrap_or((part, ""));
            match key.split_once(' ') {
                None if key == "app" => out += "kind = \"application\"\n",
                None if key == "build" => out += &format!("build-system = {}\n", list(value)),
                None if key == "python" => out += &format!("requires-python = \"{}\"\n", value.trim()),
                None if key == "check" => {
                    tables += &format!("[check]\nrunner = \"pytest\"\ninputs = {}\n", list(value));
                }
                Some(("extra", extra)) => {
                    tables += &format!("[optional-dependencies]\n{extra} = {}\n", list(value));
                }
                _ => panic!("{key}?"),
            }
        }
        out += &format!("dependencies = {}\n{tables}[source]\npath = \".\"\n", list(run));
    }
    out
}

fn set(lines: &str) -> PackageSet {
    PackageSet::new(recipes(&short(lines)), linux(12))
}

/// All recipes as goals.
fn all(set: &PackageSet) -> Vec<Member> {
    set.ids().map(Member::from).collect()
}

fn told(findings: &[Finding]) -> String {
    findings.iter().map(Finding::render).collect::<Vec<_>>().join("\n")
}

/// The members of a closure in one line, or the findings.
fn line(set: &PackageSet, closure: Result<Closure, Vec<Finding>>) -> String {
    let label = |m: &Member| {
        let extras: Vec<&str> = m.extras.iter().map(AsRef::as_ref).collect();
        let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
        format!("{}{extras} {}", set.get(m.id).pname, set.get(m.id).version)
    };
    match closure {
        Ok(closure) => closure.members.iter().map(label).collect::<Vec<_>>().join(", "),
        Err(findings) => told(&findings),
    }
}

fn wants(texts: &[&str]) -> Vec<Want> {
    let from = "the command line".to_owned();
    texts.iter().map(|t| Want { requirement: t.parse().unwrap(), from: from.clone(), place: None }).collect()
}

/// The closure of some requirements.
fn closed(set: &PackageSet, texts: &[&str]) -> String {
    line(set, set.close(&[], &wants(texts)))
}

#[test]
fn a_build_system_with_flags_of_its_own_is_known_by_name() {
    let text = short(
        "numpy 2: | build: Meson_Python>=0.18, cython
         pybind 3: | build: scikit-build-core
         older 1: | build: scikit-build-core, setuptools
         yarl 1: | build: setuptools, cython
         data 1: | build:",
    );
    let brings: Vec<(String, bool)> =
        recipes(&text).iter().map(|r| (r.pname_text.clone(), r.brings_flags())).collect();
    let expected = [("numpy", true), ("pybind", true), ("older", false), ("yarl", false), ("data", false)];
    assert_eq!(brings, expected.map(|(name, brings)| (name.to_owned(), brings)));
}
