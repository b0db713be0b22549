//! What a Nix expression is worth here, before anybody knows an interpreter.
//!
//! Knows values, the names in scope and that both are lazy. What nixpkgs
//! would give (`python3Packages.flask`) stays the path that names it. Must
//! never know what an attribute means.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rnix::ast;

use super::cond::Cond;
use super::eval::Eval;
use crate::diag::Place;

/// A value, as far as it can be told.
#[derive(Clone)]
pub(super) enum Value {
    /// A string; what was interpolated and is not known leaves a hole.
    Text(Vec<Piece>),
    /// A path literal, relative to the folder of the file of its place.
    Path(String, Place),
    Number(i64),
    Bool(bool),
    Null,
    /// `true` on some interpreters or platforms.
    If(Cond),
    List(Rc<Vec<Item>>),
    Set(Rc<Set>),
    Lambda(Rc<Lambda>),
    /// A function known here and the arguments it has so far.
    Native(&'static str, Rc<Vec<Value>>),
    /// Something of nixpkgs, by its path.
    Symbol(Rc<Vec<String>>),
    /// Something of nixpkgs, applied.
    Call(Rc<Call>),
    /// One or the other, by interpreter or platform.
    Choice(Rc<(Cond, Value, Value)>),
    /// One or the other, and nothing says which.
    Either(Rc<(Thunk, Thunk)>),
    /// `python.withPackages`.
    Env(Rc<EnvValue>),
    /// A set that is still being made.
    Later(Thunk),
    Unknown,
}

/// A part of a string.
#[derive(Clone)]
pub(super) enum Piece {
    Known(String),
    Hole(Place),
}

/// One element of a list.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) thunk: Thunk,
    /// Where it is an element at all.
    pub(super) when: Cond,
    /// It stands for the elements of a list that is not known.
    pub(super) spread: bool,
    pub(super) place: Place,
}

/// An attribute: its value and the text that says it.
#[derive(Clone)]
pub(super) struct Attr {
    pub(super) thunk: Thunk,
    pub(super) place: Place,
}

/// An attribute set in the order of its text.
#[derive(Clone, Default)]
pub(super) struct Set {
    pub(super) attrs: Vec<(String, Attr)>,
    /// Any other attribute is this symbol's.
    pub(super) rest: Option<Vec<String>>,
    /// Parts that could not be told (`// lib.optionalAttrs ...`).
    pub(super) holes: Vec<Place>,
}

impl Set {
    pub(super) fn get(&self, name: &str) -> Option<&Attr> {
        self.attrs.iter().find(|(n, _)| n == name).map(|(_, a)| a)
    }

    /// Puts an attribute in the place of an earlier one, else at the end.
    pub(super) fn put(&mut self, name: &str, attr: Attr) {
        match self.attrs.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = attr,
            None => self.attrs.push((name.to_owned(), attr)),
        }
    }

    /// `self // other`.
    pub(super) fn updated(&self, other: &Set) -> Set {
        let mut out = self.clone();
        for (name, attr) in &other.attrs {
            out.put(name, attr.clone());
        }
        out.rest = other.rest.clone().or(out.rest);
        out.holes.extend(other.holes.iter().cloned());
        out
    }
}

/// A function of the text.
pub(super) struct Lambda {
    pub(super) node: ast::Lambda,
    pub(super) scope: Scope,
    pub(super) file: super::eval::File,
}

/// A function of nixpkgs and what it is applied to.
pub(super) struct Call {
    pub(super) path: Vec<String>,
    pub(super) args: Vec<Value>,
    pub(super) place: Place,
}

impl Call {
    pub(super) fn last(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// The set that is the last argument.
    pub(super) fn set(&self) -> Option<&Rc<Set>> {
        match self.args.last() {
            Some(Value::Set(set)) => Some(set),
            _ => None,
        }
    }

    /// Whether it makes a Python package.
    pub(super) fn builds(&self) -> bool {
        matches!(self.last(), "buildPythonPackage" | "buildPythonApplication") && self.set().is_some()
    }
}

/// An environment and the package set that its members are from.
pub(super) struct EnvValue {
    pub(super) members: Value,
    pub(super) overrides: Value,
    /// `3.12`, when the interpreter's name says it.
    pub(super) python: Option<String>,
    pub(super) place: Place,
}

type Work = Box<dyn FnOnce(&Eval<'_>) -> Value>;

enum State {
    Delayed(Work),
    Busy,
    Done(Value),
}

/// A value that is found when it is first asked for.
#[derive(Clone)]
pub(super) struct Thunk(Rc<RefCell<State>>);

impl Thunk {
    pub(super) fn new(work: impl FnOnce(&Eval<'_>) -> Value + 'static) -> Self {
        Self(Rc::new(RefCell::new(State::Delayed(Box::new(work)))))
    }

    pub(super) fn done(value: Value) -> Self {
        Self(Rc::new(RefCell::new(State::Done(value))))
    }

    /// The value. One that needs itself is unknown.
    pub(super) fn force(&self, eval: &Eval<'_>) -> Value {
        let state = self.0.replace(State::Busy);
        let work = match state {
            State::Delayed(work) => work,
            State::Busy => return Value::Unknown,
            State::Done(value) => {
                self.0.replace(State::Done(value.clone()));
                return value;
            }
        };
        let value = work(eval);
        self.0.replace(State::Done(value.clone()));
        value
    }
}

/// Names in scope.
#[derive(Clone)]
pub(super) struct Scope(Option<Rc<ScopeNode>>);

struct ScopeNode {
    names: Names,
    parent: Scope,
}

enum Names {
    Bound(RefCell<BTreeMap<String, Thunk>>),
    With(Thunk),
}

impl Scope {
    pub(super) fn empty() -> Self {
        Self(None)
    }

    /// A scope whose names are bound afterwards, as they may need each other.
    pub(super) fn inner(&self) -> Self {
        let names = Names::Bound(RefCell::default());
        Self(Some(Rc::new(ScopeNode { names, parent: self.clone() })))
    }

    pub(super) fn with(&self, set: Thunk) -> Self {
        Self(Some(Rc::new(ScopeNode { names: Names::With(set), parent: self.clone() })))
    }

    pub(super) fn bind(&self, name: &str, thunk: Thunk) {
        if let Some(Names::Bound(names)) = self.0.as_ref().map(|n| &n.names) {
            names.borrow_mut().insert(name.to_owned(), thunk);
        }
    }

    /// What a name is bound to by the text itself.
    pub(super) fn lookup(&self, name: &str) -> Option<Thunk> {
        let mut at = self;
        while let Some(node) = &at.0 {
            if let Names::Bound(names) = &node.names
                && let Some(found) = names.borrow().get(name)
            {
                return Some(found.clone());
            }
            at = &node.parent;
        }
        None
    }

    /// What `with` opened, innermost first.
    pub(super) fn opened(&self) -> Vec<Thunk> {
        let mut out = Vec::new();
        let mut at = self;
        while let Some(node) = &at.0 {
            if let Names::With(set) = &node.names {
                out.push(set.clone());
            }
            at = &node.parent;
        }
        out
    }
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Value::Text(vec![Piece::Known(text.into())])
    }

    pub(super) fn symbol(path: &[&str]) -> Self {
        Value::Symbol(Rc::new(path.iter().map(|s| (*s).to_owned()).collect()))
    }

    pub(super) fn list(items: Vec<Item>) -> Self {
        Value::List(Rc::new(items))
    }

    pub(super) fn set(set: Set) -> Self {
        Value::Set(Rc::new(set))
    }

    /// The whole of a string that has no hole.
    pub(super) fn as_text(&self) -> Option<String> {
        let Value::Text(pieces) = self else { return None };
        let known = |p: &Piece| match p {
            Piece::Known(text) => Some(text.clone()),
            Piece::Hole(_) => None,
        };
        pieces.iter().map(known).collect()
    }

    /// The path of something of nixpkgs.
    pub(super) fn as_symbol(&self) -> Option<&[String]> {
        match self {
            Value::Symbol(path) => Some(path),
            _ => None,
        }
    }
}
