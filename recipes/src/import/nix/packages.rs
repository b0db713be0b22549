//! Functions of nixpkgs that decide what is imported: `callPackage`,
//! `override`, overlays, `withPackages`.
//!
//! Knows how package sets are made and changed. Must never know what an
//! attribute of a package means.

use std::rc::Rc;

use super::cond::Cond;
use super::eval::Eval;
use super::value::{Attr, Call, EnvValue, Set, Thunk, Value};
use crate::diag::Place;

impl Eval<'_> {
    pub(super) fn apply_symbol(&self, path: &Rc<Vec<String>>, argument: Thunk, place: &Place) -> Value {
        let last = path.last().map_or("", String::as_str);
        let value = argument.force(self);
        let before = &path[..path.len() - 1];
        match (last, &value) {
            ("import", Value::Set(set)) if path.len() == 1 => self.nixpkgs(set),
            ("import", _) if path.len() == 1 => Value::symbol(&["pkgs"]),
            ("pythonOlder", Value::Text(_)) => match value.as_text() {
                Some(text) => Value::If(Cond::older(&text)),
                None => Value::Unknown,
            },
            ("pythonAtLeast", Value::Text(_)) => match value.as_text() {
                Some(text) => Value::If(Cond::at_least(&text)),
                None => Value::Unknown,
            },
            ("toPythonModule", _) => value,
            ("withPackages", _) => {
                let python = Value::Symbol(Rc::new(before.to_vec()));
                self.environment(&python, &value, place).unwrap_or(Value::Unknown)
            }
            ("override", Value::Set(set)) if before.last().is_some_and(|p| is_interpreter(p)) => {
                self.interpreter(before, set)
            }
            ("override", Value::Set(set)) if before.last().is_some_and(|p| p == "buildEnv") => {
                let members = set.get("extraLibs").map_or(Value::Unknown, |a| a.thunk.force(self));
                Value::Env(Rc::new(EnvValue {
                    members,
                    overrides: Value::Unknown,
                    python: version_of(before),
                    place: place.clone(),
                }))
            }
            // What the attributes are may depend on themselves.
            ("buildPythonPackage" | "buildPythonApplication", Value::Lambda(_)) => {
                let arg = self.fixed(&value, None);
                Value::Call(Rc::new(Call { path: path.to_vec(), args: vec![arg], place: place.clone() }))
            }
            _ => Value::Call(Rc::new(Call { path: path.to_vec(), args: vec![value], place: place.clone() })),
        }
    }

    /// The set that a function of that set gives, over a symbol when one is
    /// named (`self: super: {...}`).
    fn fixed(&self, function: &Value, base: Option<Vec<String>>) -> Value {
        let (function, knot) = (function.clone(), Rc::new(std::cell::RefCell::new(None::<Thunk>)));
        let inner = knot.clone();
        let whole = Thunk::new(move |eval| {
            let own = inner.borrow().clone().unwrap_or_else(|| Thunk::done(Value::Unknown));
            let first = eval.apply(&function, Thunk::done(Value::Later(own)), &nowhere());
            let Some(base) = base else { return first };
            let super_set = Value::Symbol(Rc::new(base.clone()));
            match eval.apply(&first, Thunk::done(super_set), &nowhere()) {
                Value::Set(set) => Value::set(Set { rest: Some(base), ..Set::clone(&set) }),
                other => other,
            }
        });
        *knot.borrow_mut() = Some(whole.clone());
        let value = whole.force(self);
        *knot.borrow_mut() = None;
        value
    }

    /// `python.override { packageOverrides = self: super: {...}; }`.
    fn interpreter(&self, path: &[String], set: &Set) -> Value {
        let packages = match set.get("packageOverrides").map(|a| a.thunk.force(self)) {
            Some(function) => self.extended(&function, &["python3Packages"]),
            None => Value::symbol(&["python3Packages"]),
        };
        let python = Value::Symbol(Rc::new(path.to_vec()));
        let attr = |value: Value| Attr { thunk: Thunk::done(value), place: nowhere() };
        let mut out = Set { rest: Some(path.to_vec()), ..Set::default() };
        out.put("pkgs", attr(packages.clone()));
        let with = Value::Native(
            "withPackages",
            Rc::new(vec![Value::set(Set {
                attrs: vec![("pkgs".to_owned(), attr(packages))],
                rest: python.as_symbol().map(<[String]>::to_vec),
                holes: Vec::new(),
            })]),
        );
        out.put("withPackages", attr(with));
        Value::set(out)
    }

    /// A package set and what a function `self: super: {...}` adds to it.
    pub(super) fn extended(&self, function: &Value, base: &[&str]) -> Value {
        match self.fixed(function, Some(base.iter().map(|s| (*s).to_owned()).collect())) {
            set @ Value::Set(_) => set,
            _ => Value::symbol(base),
        }
    }

    /// `import <nixpkgs> { overlays = [...]; }`.
    fn nixpkgs(&self, set: &Set) -> Value {
        let overlays = set.get("overlays").map(|a| a.thunk.force(self));
        let Some(Value::List(items)) = overlays else { return Value::symbol(&["pkgs"]) };
        let mut out = Set { rest: Some(vec!["pkgs".to_owned()]), ..Set::default() };
        for item in items.iter() {
            match self.extended(&item.thunk.force(self), &["pkgs"]) {
                Value::Set(more) => out = out.updated(&more),
                _ => out.holes.push(item.place.clone()),
            }
        }
        Value::set(out)
    }

    pub(super) fn call_package(&self, what: &Value, args: &Value) -> Value {
        let function = match what {
            Value::Path(path, at) => self.file(&super::beside(at, path)),
            other => other.clone(),
        };
        let Value::Lambda(lambda) = function else { return function };
        let given = match args {
            Value::Set(set) => Set::clone(set),
            _ => Set::default(),
        };
        let given = Set { rest: None, ..given };
        self.apply_lambda(&lambda, Thunk::done(Value::set(given)))
    }

    /// `package.overridePythonAttrs (old: {...})`.
    pub(super) fn overridden(&self, call: &Value, change: &Value) -> Option<Value> {
        let Value::Call(call) = call else { return None };
        let old = call.args.last()?.clone();
        let new = match change {
            Value::Lambda(_) => {
                let once = self.apply(change, Thunk::done(old.clone()), &call.place);
                match once {
                    // `finalAttrs: previousAttrs:`
                    Value::Lambda(_) => self.apply(&once, Thunk::done(old.clone()), &call.place),
                    once => once,
                }
            }
            other => other.clone(),
        };
        let (Value::Set(old), Value::Set(new)) = (&old, &new) else { return None };
        let arg = Value::set(old.updated(new));
        Some(Value::Call(Rc::new(Call {
            path: call.path.clone(),
            args: vec![arg],
            place: call.place.clone(),
        })))
    }

    pub(super) fn environment(&self, python: &Value, function: &Value, place: &Place) -> Option<Value> {
        let (path, overrides) = match python {
            Value::Set(set) => (set.rest.clone()?, self.select(python, "pkgs")),
            Value::Symbol(path) => (path.to_vec(), Value::symbol(&["python3Packages"])),
            _ => return None,
        };
        let members = self.apply(function, Thunk::done(overrides.clone()), place);
        let python = version_of(&path);
        Some(Value::Env(Rc::new(EnvValue { members, overrides, python, place: place.clone() })))
    }
}

/// `python3`, `python312`, `pypy3`.
pub(super) fn is_interpreter(name: &str) -> bool {
    let rest = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    rest.is_some_and(|r| r.bytes().all(|b| b.is_ascii_digit()))
}

/// `3.12` of `python312`, `python312Packages` or `pkgs.python312`.
pub(super) fn version_of(path: &[String]) -> Option<String> {
    path.iter().find_map(|p| {
        let rest = p.strip_prefix("python")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (digits.len() > 1).then(|| format!("{}.{}", &digits[..1], &digits[1..]))
    })
}

/// The place of a value that no text says.
pub(super) fn nowhere() -> Place {
    let file = crate::diag::SourceFile { path: String::new(), text: String::new() };
    Place { file: std::sync::Arc::new(file), span: 0..0 }
}
