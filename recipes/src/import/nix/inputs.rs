//! Lists of inputs as requirements and `[external]`.
//!
//! Knows hooks, tools and how extras are asked for. Must never resolve a
//! requirement.

use super::cond::Cond;
use super::draft::{Draft, Need};
use super::names::{self, Wanted};
use super::value::{Attr, Item, Value};
use crate::diag::Place;

/// One input.
pub(super) struct Input {
    /// It is said to be a Python package.
    python: bool,
    /// Its attribute; of a hook of a set, the whole path.
    name: String,
    extras: Vec<String>,
    when: Cond,
    place: Place,
}

impl Input {
    fn need(&self, project: &str) -> Need {
        Need { project: project.to_owned(), extras: self.extras.clone(), marker: self.when.marker() }
    }
}

const CANNOT_TELL: &str = "what this stands for cannot be told";

impl Draft<'_, '_> {
    /// The inputs of a list. What is none is told.
    pub(super) fn inputs(&mut self, attribute: &str, attr: &Attr) -> Vec<Input> {
        let value = self.force(attr);
        let place = attr.place.clone();
        let mut out = Vec::new();
        for item in self.eval.items(&value, &place) {
            self.input(attribute, &item, &Cond::Always, &mut out);
        }
        self.carry(attribute);
        out
    }

    fn input(&mut self, attribute: &str, item: &Item, outer: &Cond, out: &mut Vec<Input>) {
        let when = outer.clone().and(item.when.clone());
        if when == Cond::Never {
            return;
        }
        let eval = self.eval;
        let Some(_deeper) = eval.deeper() else {
            return self.todo(attribute, &item.place, CANNOT_TELL);
        };
        let value = item.thunk.force(eval);
        let place = &item.place;
        match &value {
            Value::Null => {}
            Value::Symbol(path) => match of_path(path, item.spread) {
                Some((python, name, extras)) => {
                    out.push(Input { python, name, extras, when, place: place.clone() });
                }
                None => self.todo(attribute, place, CANNOT_TELL),
            },
            Value::Call(call) if call.builds() => {
                let pname = call.set().and_then(|set| self.eval.select_text(set, "pname"));
                self.inner.push(value.clone());
                match pname {
                    Some(name) => {
                        out.push(Input {
                            python: true,
                            name,
                            extras: Vec::new(),
                            when,
                            place: place.clone(),
                        });
                    }
                    None => self.todo(attribute, place, CANNOT_TELL),
                }
            }
            Value::Call(call) if call.last().starts_with("override") => {
                let before = &call.path[..call.path.len() - 1];
                if let Some((python, name, extras)) = of_path(before, false) {
                    self.todo(attribute, place, "the package is taken as it is, without this change");
                    out.push(Input { python, name, extras, when, place: place.clone() });
                } else {
                    self.todo(attribute, place, CANNOT_TELL);
                }
            }
            Value::List(_) | Value::Choice(_) => {
                let items = match &value {
                    Value::Choice(choice) if !is_list(&choice.1) && !is_list(&choice.2) => {
                        let one = |value: &Value, when: Cond| Item {
                            thunk: super::value::Thunk::done(value.clone()),
                            when,
                            spread: false,
                            place: place.clone(),
                        };
                        vec![one(&choice.1, choice.0.clone()), one(&choice.2, choice.0.not())]
                    }
                    value => self.eval.items(value, place),
                };
                for item in &items {
                    self.input(attribute, item, &when, out);
                }
            }
            _ => self.todo(attribute, place, CANNOT_TELL),
        }
    }

    /// A list of Python packages.
    pub(super) fn requirements(&mut self, attribute: &str, attr: &Attr, (table, key): (&str, &str)) {
        self.begin_needs(table, key);
        for input in self.inputs(attribute, attr) {
            if names::NEEDLESS_HOOKS.contains(&input.name.as_str()) {
                continue;
            }
            if names::OF_THE_INTERPRETER.contains(&input.name.as_str()) {
                self.todo(attribute, &input.place, "it is part of the interpreter here");
            } else if let (false, Some(external)) = (input.python, names::external(&input.name)) {
                self.external(attribute, &input, ("dependencies", external));
            } else if input.name.contains('.') || input.name.ends_with("Hook") {
                self.todo(attribute, &input.place, "it is no Python package");
            } else {
                let project = names::project(&input.name);
                self.need(table, key, input.need(&project));
            }
        }
    }

    fn external(&mut self, attribute: &str, input: &Input, (key, name): (&str, &str)) {
        if input.when != Cond::Always {
            self.todo(attribute, &input.place, "`[external]` cannot say that it is for some platforms only");
        }
        if input.when.holds_on_linux() {
            self.add("external", key, name);
        }
    }

    /// `build-system`: all of it is Python, hooks of Rust aside.
    pub(super) fn build_system(&mut self, attribute: &str, attr: &Attr) {
        for input in self.inputs(attribute, attr) {
            self.build_input(attribute, &input, true);
        }
    }

    /// `nativeBuildInputs`, which holds tools of all kinds.
    pub(super) fn native_inputs(&mut self, attribute: &str, attr: &Attr) {
        for input in self.inputs(attribute, attr) {
            self.build_input(attribute, &input, false);
        }
    }

    fn build_input(&mut self, attribute: &str, input: &Input, python: bool) {
        let name = input.name.as_str();
        match name {
            "pytestCheckHook" | "unittestCheckHook" => return self.check_hook(name),
            "rustPlatform.cargoSetupHook" => return self.cargo(),
            "rustPlatform.maturinBuildHook" => {
                self.need("", "build-system", Need::of("maturin"));
                return self.cargo();
            }
            _ if names::NEEDLESS_HOOKS.contains(&name) => return,
            _ => {}
        }
        // The Python package of that name is a backend's helper.
        let helper = python && name == "pkgconfig";
        let external = names::external(name).filter(|_| !input.python && !helper);
        if let Some(external) = external {
            self.external(attribute, input, ("build-requires", external));
        } else if name.contains('.') || name.ends_with("Hook") {
            self.todo(attribute, &input.place, "it is no Python package");
        } else if python || input.python || names::is_build_tool(name) {
            let project = names::project(name);
            self.need("", "build-system", input.need(&project));
        } else {
            let why = "it may be a Python package (`build-system`) or a tool (`[external]`)";
            self.todo(attribute, &input.place, why);
        }
    }

    fn cargo(&mut self) {
        self.set_default("cargo", "lock", "Cargo.lock");
        self.add("external", "build-requires", "virtual:compiler/rust");
    }

    /// `buildInputs`: libraries, and in older recipes Python packages.
    pub(super) fn host_inputs(&mut self, attribute: &str, attr: &Attr) {
        for input in self.inputs(attribute, attr) {
            let name = input.name.as_str();
            if names::NEEDLESS_HOOKS.contains(&name) {
                continue;
            }
            if matches!(name, "pytestCheckHook" | "unittestCheckHook") {
                self.check_hook(name);
            } else if input.python || names::is_build_tool(name) {
                let project = names::project(name);
                self.need("", "build-system", input.need(&project));
            } else if name.contains('.') || name.ends_with("Hook") {
                self.todo(attribute, &input.place, "it is no library with a name of its own");
            } else {
                let external =
                    names::external(name).map_or_else(|| format!("pkg:generic/{name}"), str::to_owned);
                let key =
                    if external.starts_with("virtual:compiler") { "build-requires" } else { "host-requires" };
                self.external(attribute, &input, (key, &external));
            }
        }
    }

    /// nixpkgs' builds always have a C compiler; a recipe says that it needs
    /// one.
    pub(super) fn compiler(&mut self) {
        const C: [&str; 5] = ["cffi", "cython", "meson-python", "numpy", "scikit-build-core"];
        const CPP: [&str; 2] = ["nanobind", "pybind11"];
        let wants = |names: &[&str], draft: &Self| {
            let has = |n: &str| {
                let bare = |p: &str| p.split(['<', '>', '=']).next().unwrap_or("").to_owned();
                draft.needs("", "build-system").iter().any(|need| bare(&need.project) == *n)
            };
            names.iter().any(|n| has(n))
        };
        let (c, cpp) = (wants(&C, self), wants(&CPP, self));
        let linked = self.carried.contains("buildInputs") && self.has_list("external", "host-requires");
        if c || cpp || linked {
            self.add("external", "build-requires", "virtual:compiler/c");
        }
        if cpp {
            self.add("external", "build-requires", "virtual:compiler/cpp");
        }
    }

    /// `nativeCheckInputs` and its older names.
    pub(super) fn check_inputs(&mut self, attribute: &str, attr: &Attr) {
        for input in self.inputs(attribute, attr) {
            let name = input.name.as_str();
            match name {
                "pytestCheckHook" | "unittestCheckHook" => self.check_hook(name),
                "writableTmpDirAsHomeHook" => self.shell_line("pre-check", "export HOME=$(mktemp -d)"),
                _ if names::NEEDLESS_HOOKS.contains(&name) => {}
                _ if !input.python && names::is_test_tool(name) => {
                    self.todo(attribute, &input.place, "tests cannot declare a tool from outside Python");
                }
                _ if name.contains('.') || name.ends_with("Hook") || name == "xvfb-run" => {
                    self.todo(attribute, &input.place, "it is no Python package");
                }
                _ => {
                    let project = names::project(name);
                    self.need("check", "inputs", input.need(&project));
                }
            }
        }
    }

    fn check_hook(&mut self, name: &str) {
        if name == "unittestCheckHook" {
            self.runner = self.runner.or(Some("unittest"));
        } else {
            self.runner = Some("pytest");
            self.need("check", "inputs", Need::of("pytest"));
        }
    }

    /// `optional-dependencies = { extra = [...]; }`.
    pub(super) fn extras(&mut self, attribute: &str, attr: &Attr) {
        let Value::Set(set) = self.force(attr) else {
            return self.todo(attribute, &attr.place, CANNOT_TELL);
        };
        self.carry(attribute);
        for (extra, list) in &set.attrs {
            // Each extra is heard of on its own.
            let name = format!("{attribute}.{extra}");
            self.attributes.insert(name.clone());
            self.requirements(&name, list, ("optional-dependencies", extra));
        }
        for hole in &set.holes {
            self.todo(attribute, hole, CANNOT_TELL);
        }
    }
}

fn is_list(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Choice(_))
}

/// What a path of nixpkgs asks for: whether it is Python, its name, extras.
fn of_path(path: &[String], spread: bool) -> Option<(bool, String, Vec<String>)> {
    let Wanted { python, name, rest } = names::wanted(path)?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match rest.as_slice() {
        [] | ["out" | "dev" | "lib" | "bin" | "dist"] if !spread => {
            Some((python, name.to_owned(), Vec::new()))
        }
        ["optional-dependencies" | "passthru", .., extra] => {
            Some((python, name.to_owned(), vec![(*extra).to_owned()]))
        }
        [_, ..] if !spread => Some((python, format!("{name}.{}", rest.join(".")), Vec::new())),
        _ => None,
    }
}
