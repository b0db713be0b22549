//! The recipes and environments in a value.
//!
//! Knows where files keep them: a function's result, an overlay's set, a
//! shell's packages. Must never know what an attribute of a package means.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::cond::Cond;
use super::draft::{Need, join};
use super::eval::Eval;
use super::fields;
use super::names;
use super::packages::{is_interpreter, nowhere, version_of};
use super::value::{Call, EnvValue, Item, Set, Thunk, Value};
use crate::diag::Place;
use crate::import::{Environment, Imported, Todo};

/// How deep sets are searched.
const DEPTH: usize = 8;

/// What has been found so far.
pub(super) struct Finder<'e, 'a> {
    eval: &'e Eval<'a>,
    base: &'e str,
    /// For environments without a name of their own.
    stem: String,
    seen: BTreeSet<(String, usize)>,
    pub(super) found: Imported,
}

impl<'e, 'a> Finder<'e, 'a> {
    pub(super) fn new(eval: &'e Eval<'a>, base: &'e str, stem: &str) -> Self {
        Self { eval, base, stem: stem.to_owned(), seen: BTreeSet::new(), found: Imported::default() }
    }

    fn first_time(&mut self, place: &Place) -> bool {
        self.seen.insert((place.file.path.clone(), place.span.start))
    }

    fn todo(&mut self, attribute: &str, place: &Place, why: impl Into<String>) {
        self.found.todos.push(Todo {
            attribute: attribute.to_owned(),
            why: why.into(),
            place: place.clone(),
        });
    }

    /// Looks through a value; `name` is the attribute it is the value of.
    pub(super) fn value(&mut self, value: &Value, name: &str, place: &Place, depth: usize) {
        if depth > DEPTH {
            return self.todo(name, place, "it lies too deep to be looked at");
        }
        match value {
            Value::Call(call) if call.builds() => self.recipe(call, false),
            Value::Call(call) => self.call(call, name, depth),
            Value::Env(env) => self.environment(env, name),
            Value::Set(set) => self.set(set, name, depth),
            Value::List(items) => {
                for item in items.iter() {
                    // `prev.extensions ++ [...]`
                    let own = |v: &Value| v.as_symbol().is_some_and(|p| p.last().is_some_and(|l| l == name));
                    if item.spread && own(&item.thunk.force(self.eval)) {
                        continue;
                    }
                    let inner = item.thunk.force(self.eval);
                    self.value(&inner, name, &item.place, depth + 1);
                }
            }
            Value::Choice(choice) => {
                self.value(&choice.1, name, place, depth + 1);
                self.value(&choice.2, name, place, depth + 1);
            }
            Value::Either(either) => {
                self.todo(
                    name,
                    place,
                    "which of two this is cannot be told; of one package the first is taken",
                );
                let (then, other) = (either.0.force(self.eval), either.1.force(self.eval));
                self.value(&then, name, place, depth + 1);
                self.value(&other, name, place, depth + 1);
            }
            Value::Lambda(_) => {
                let packages = matches!(name, "packageOverrides" | "pythonPackagesExtensions");
                let argument =
                    if packages { Value::symbol(&["python3Packages"]) } else { self.argument(value) };
                let inner = self.eval.apply(value, Thunk::done(argument), place);
                self.value(&inner, name, place, depth + 1);
            }
            Value::Symbol(path) => {
                let what = path.join(".");
                self.todo(name, place, format!("`{what}` is a package of nixpkgs: add a recipe for it"));
            }
            Value::Native("withPackages", _) => {}
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Path(..)
            | Value::If(_) => {
                self.todo(name, place, "this is no package and no environment");
            }
            Value::Native(..) | Value::Later(_) | Value::Unknown => {
                self.todo(name, place, "what this is cannot be told");
            }
        }
    }

    /// A set of packages, a flake, or whatever holds some.
    fn set(&mut self, set: &Set, name: &str, depth: usize) {
        let flake = set.get("outputs").is_some();
        for (key, attr) in &set.attrs {
            // Where a flake's inputs are, is nothing to build.
            if flake && matches!(key.as_str(), "description" | "inputs" | "nixConfig") {
                continue;
            }
            let inner = attr.thunk.force(self.eval);
            self.value(&inner, key, &attr.place, depth + 1);
        }
        for hole in &set.holes {
            self.todo(name, hole, "what this is cannot be told");
        }
    }

    /// What nixpkgs would call a file's function with: everything it has.
    fn argument(&self, value: &Value) -> Value {
        match value {
            Value::Lambda(lambda) if matches!(lambda.node.param(), Some(rnix::ast::Param::Pattern(_))) => {
                Value::set(Set::default())
            }
            _ => Value::symbol(&["pkgs"]),
        }
    }

    fn call(&mut self, call: &Rc<Call>, name: &str, depth: usize) {
        match (call.last(), call.args.last()) {
            ("mkShell" | "mkShellNoCC", Some(Value::Set(set))) => self.shell(set, name, &call.place),
            // The same for each system.
            (
                "eachDefaultSystem" | "eachSystem" | "forAllSystems" | "genAttrs",
                Some(each @ Value::Lambda(_)),
            ) => {
                let system = Thunk::done(Value::symbol(&["system"]));
                let inner = self.eval.apply(each, system, &call.place);
                self.value(&inner, name, &call.place, depth + 1);
            }
            ("toPythonApplication", Some(Value::Call(inner))) if inner.builds() => self.recipe(inner, true),
            ("override", Some(Value::Set(set))) if set.get("packageOverrides").is_some() => {
                self.value(&Value::Set(set.clone()), name, &call.place, depth + 1);
            }
            _ if call.last().starts_with("override") => {
                self.todo(
                    name,
                    &call.place,
                    "a change of a package of nixpkgs: write it as an overlay's recipe",
                );
            }
            _ => self.todo(
                name,
                &call.place,
                format!("what `{}` makes is no Python package", call.path.join(".")),
            ),
        }
    }

    /// A package and those made in the middle of it.
    fn recipe(&mut self, call: &Rc<Call>, application: bool) {
        if !self.first_time(&call.place) {
            return;
        }
        let (converted, inner) = fields::convert(self.eval, self.base, (call, application));
        self.found.recipes.push(converted);
        for value in inner {
            self.value(&value, "", &call.place, 0);
        }
    }

    fn environment(&mut self, env: &Rc<EnvValue>, name: &str) {
        if !self.first_time(&env.place) {
            return;
        }
        if let Value::Set(packages) = &env.overrides {
            for (key, attr) in &packages.attrs {
                let inner = attr.thunk.force(self.eval);
                self.value(&inner, key, &attr.place, 1);
            }
        }
        let mut needs = Vec::new();
        self.members(&env.members, &env.place, &mut needs);
        self.finish_environment(name, needs, env.python.clone());
    }

    fn finish_environment(&mut self, name: &str, needs: Vec<Need>, python: Option<String>) {
        let own = !name.is_empty()
            && !matches!(name, "shell" | "default" | "devShell" | "packages" | "env" | "system");
        let base = if own { names::normal(name) } else { self.stem.clone() };
        let taken = |n: &str, found: &Imported| found.environments.iter().any(|e| e.name == n);
        let mut name = base.clone();
        let mut number = 2;
        while taken(&name, &self.found) {
            name = format!("{base}-{number}");
            number += 1;
        }
        let mut joined = Vec::new();
        needs.into_iter().for_each(|need| join(&mut joined, need));
        let packages = joined.iter().map(Need::text).collect();
        self.found.environments.push(Environment { name, packages, python });
    }

    /// The members of an environment, as requirements.
    fn members(&mut self, value: &Value, place: &Place, out: &mut Vec<Need>) {
        for item in self.eval.items(value, place) {
            self.member(&item, true, out);
        }
    }

    /// One member; outside of a Python environment only what is said to be
    /// Python is one.
    fn member(&mut self, item: &Item, python: bool, out: &mut Vec<Need>) {
        if item.when == Cond::Never {
            return;
        }
        let eval = self.eval;
        let Some(_deeper) = eval.deeper() else {
            return self.todo("packages", &item.place, "what this is cannot be told");
        };
        let marker = item.when.marker();
        let value = item.thunk.force(self.eval);
        match &value {
            Value::Call(call) if call.builds() => {
                self.recipe(call, false);
                let pname = call.set().and_then(|set| self.eval.select_text(set, "pname"));
                out.extend(pname.map(|p| Need { marker, ..Need::of(&p) }));
            }
            Value::Call(call) if call.last() == "toPythonApplication" => {
                if let Some(inner) = call.args.last() {
                    let inner = Item { thunk: Thunk::done(inner.clone()), ..item.clone() };
                    self.member(&inner, python, out);
                }
            }
            Value::Symbol(path) => match names::wanted(path) {
                Some(found) if (python || found.python) && found.rest.len() != 1 => {
                    let extras = found.rest.last().cloned().into_iter().collect();
                    out.push(Need { project: names::project(found.name), extras, marker });
                }
                Some(found) if found.rest.is_empty() && is_interpreter(found.name) => {}
                _ => self.todo("packages", &item.place, "an environment holds Python packages only"),
            },
            Value::List(_) | Value::Choice(_) => {
                for inner in self.eval.items(&value, &item.place) {
                    let when = item.when.clone().and(inner.when.clone());
                    self.member(&Item { when, ..inner }, python, out);
                }
            }
            Value::Env(env) => {
                let env = env.clone();
                self.inside(&env, out);
            }
            _ => self.todo("packages", &item.place, "what this is cannot be told"),
        }
    }

    /// An environment inside a shell is that shell's.
    fn inside(&mut self, env: &Rc<EnvValue>, out: &mut Vec<Need>) {
        if let Value::Set(packages) = &env.overrides {
            for (key, attr) in &packages.attrs {
                let inner = attr.thunk.force(self.eval);
                self.value(&inner, key, &attr.place, 1);
            }
        }
        self.members(&env.members, &env.place, out);
    }

    /// `mkShell { packages = [...]; }`.
    fn shell(&mut self, set: &Rc<Set>, name: &str, place: &Place) {
        if !self.first_time(place) {
            return;
        }
        let (mut needs, mut python) = (Vec::new(), None);
        for (key, attr) in &set.attrs {
            let value = attr.thunk.force(self.eval);
            match key.as_str() {
                "packages" | "buildInputs" | "nativeBuildInputs" | "propagatedBuildInputs" => {
                    for item in self.eval.items(&value, &attr.place) {
                        python = python.or(match item.thunk.force(self.eval) {
                            Value::Env(env) => env.python.clone(),
                            Value::Symbol(path) if path.last().is_some_and(|l| is_interpreter(l)) => {
                                version_of(&path)
                            }
                            _ => None,
                        });
                        self.member(&item, false, &mut needs);
                    }
                }
                "name" | "pname" => {}
                _ => self.todo(key, &attr.place, "an environment has packages and an interpreter only"),
            }
        }
        let own = self.eval.select_text(set, "name").or_else(|| self.eval.select_text(set, "pname"));
        self.finish_environment(own.as_deref().unwrap_or(name), needs, python);
    }
}

/// Everything that a file's value holds.
pub(super) fn find(eval: &Eval<'_>, base: &str, (path, stem): (&str, &str)) -> Imported {
    let mut finder = Finder::new(eval, base, stem);
    let value = eval.file(path);
    let place = eval.whole(path).unwrap_or_else(nowhere);
    finder.value(&value, "", &place, 0);
    finder.found.asked = eval.asked();
    finder.found
}
