//! Operators, `.` and truth.
//!
//! Knows how values are put together and taken apart. Must never know what
//! an attribute of a package means.

use std::rc::Rc;

use rnix::ast;

use super::cond::Cond;
use super::eval::{Eval, File, place};
use super::value::{Call, Item, Piece, Scope, Set, Value};
use crate::diag::Place;

impl Eval<'_> {
    pub(super) fn boolean(cond: Cond) -> Value {
        match cond {
            Cond::Always => Value::Bool(true),
            Cond::Never => Value::Bool(false),
            cond => Value::If(cond),
        }
    }

    /// When a value is `true`; nothing when that cannot be said.
    pub(super) fn truth(&self, value: &Value) -> Option<Cond> {
        match value {
            Value::Bool(true) => Some(Cond::Always),
            Value::Bool(false) => Some(Cond::Never),
            Value::If(cond) => Some(cond.clone()),
            Value::Symbol(path) => Cond::named(path.last()?),
            // We build where we run.
            Value::Call(call) if call.last() == "canExecute" => Some(Cond::Always),
            Value::Choice(choice) => {
                let (cond, then, other) = &**choice;
                let (then, other) = (self.truth(then)?, self.truth(other)?);
                Some(cond.clone().and(then).or(cond.not().and(other)))
            }
            _ => None,
        }
    }

    pub(super) fn operator(&self, node: &ast::BinOp, scope: &Scope, file: &File) -> Value {
        use ast::BinOpKind as Kind;
        let side = |e: Option<ast::Expr>| e.map_or(Value::Unknown, |e| self.expr(&e, scope, file));
        let spot = |e: Option<ast::Expr>| e.map_or_else(|| place(node, file), |e| place(&e, file));
        if node.operator() == Some(Kind::Concat) {
            return self.concatenated(node, scope, file);
        }
        let (left, right) = (side(node.lhs()), side(node.rhs()));
        let places = (spot(node.lhs()), spot(node.rhs()));
        let logic = |f: fn(Cond, Cond) -> Cond| match (self.truth(&left), self.truth(&right)) {
            (Some(a), Some(b)) => Self::boolean(f(a, b)),
            _ => Value::Unknown,
        };
        match node.operator() {
            Some(Kind::And) => logic(Cond::and),
            Some(Kind::Or) => logic(Cond::or),
            Some(Kind::Implication) => logic(|a, b| a.not().or(b)),
            Some(Kind::Update) => self.updated(&left, &right, places),
            Some(Kind::Add) => self.sum(&left, &right, places),
            Some(Kind::Equal) => self.equal(&left, &right).map_or(Value::Unknown, Self::boolean),
            Some(Kind::NotEqual) => {
                self.equal(&left, &right).map_or(Value::Unknown, |c| Self::boolean(c.not()))
            }
            Some(Kind::PipeRight) => self.apply(&right, super::value::Thunk::done(left), &places.0),
            Some(Kind::PipeLeft) => self.apply(&left, super::value::Thunk::done(right), &places.1),
            _ => Value::Unknown,
        }
    }

    /// `a ++ b ++ c`, which is `a ++ (b ++ c)`: a long one is not a deep one.
    fn concatenated(&self, node: &ast::BinOp, scope: &Scope, file: &File) -> Value {
        let mut items = Vec::new();
        let mut node = node.clone();
        loop {
            let mut add = |e: Option<ast::Expr>| {
                let Some(e) = e else { return };
                let value = self.expr(&e, scope, file);
                items.extend(self.items(&value, &place(&e, file)));
            };
            add(node.lhs());
            match node.rhs() {
                Some(ast::Expr::BinOp(inner)) if inner.operator() == Some(ast::BinOpKind::Concat) => {
                    node = inner
                }
                rest => {
                    add(rest);
                    return Value::list(items);
                }
            }
        }
    }

    fn equal(&self, left: &Value, right: &Value) -> Option<Cond> {
        let known = |yes: bool| Some(if yes { Cond::Always } else { Cond::Never });
        match (left, right) {
            (Value::Bool(a), Value::Bool(b)) => known(a == b),
            (Value::Number(a), Value::Number(b)) => known(a == b),
            (Value::Null, Value::Null) => known(true),
            (Value::Null, Value::Text(_) | Value::List(_) | Value::Set(_)) => known(false),
            (Value::Text(_) | Value::List(_) | Value::Set(_), Value::Null) => known(false),
            (Value::Text(_), Value::Text(_)) => known(left.as_text()? == right.as_text()?),
            (Value::Symbol(path), Value::Text(_)) | (Value::Text(_), Value::Symbol(path)) => {
                let text = left.as_text().or_else(|| right.as_text())?;
                match path.last()?.as_str() {
                    "system" => Cond::system(&text),
                    "pythonVersion" => Some(Cond::version(&text)),
                    "implementation" => match text.as_str() {
                        "pypy" => Cond::named("isPyPy"),
                        "cpython" => Cond::named("isCPython"),
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The elements of a list; what is no known list is one that stands for
    /// its elements.
    pub(super) fn items(&self, value: &Value, place: &Place) -> Vec<Item> {
        let when = |items: Vec<Item>, cond: &Cond| {
            items.into_iter().map(move |i| Item { when: cond.clone().and(i.when), ..i }).collect::<Vec<_>>()
        };
        match value {
            Value::List(items) => items.to_vec(),
            Value::Choice(choice) => {
                let (cond, then, other) = &**choice;
                let mut out = when(self.items(then, place), cond);
                out.extend(when(self.items(other, place), &cond.not()));
                out
            }
            Value::Null => Vec::new(),
            other => vec![Item {
                thunk: super::value::Thunk::done(other.clone()),
                when: Cond::Always,
                spread: true,
                place: place.clone(),
            }],
        }
    }

    fn updated(&self, left: &Value, right: &Value, places: (Place, Place)) -> Value {
        let part = |value: &Value, place: Place| match value {
            Value::Set(set) => Set::clone(set),
            Value::Symbol(path) => Set { rest: Some(path.to_vec()), ..Set::default() },
            _ => Set { holes: vec![place], ..Set::default() },
        };
        match (left, right) {
            (Value::Set(_), _) | (_, Value::Set(_)) => {
                Value::set(part(left, places.0).updated(&part(right, places.1)))
            }
            _ => Value::Unknown,
        }
    }

    fn sum(&self, left: &Value, right: &Value, places: (Place, Place)) -> Value {
        match (left, right) {
            (Value::Number(a), Value::Number(b)) => a.checked_add(*b).map_or(Value::Unknown, Value::Number),
            (Value::Path(path, place), Value::Text(_)) => match right.as_text() {
                Some(text) => Value::Path(format!("{path}{text}"), place.clone()),
                None => Value::Unknown,
            },
            (Value::Text(_), _) | (_, Value::Text(_)) => {
                let mut pieces = Vec::new();
                self.pieces(left, places.0, &mut pieces);
                self.pieces(right, places.1, &mut pieces);
                Value::Text(pieces)
            }
            _ => Value::Unknown,
        }
    }

    /// `value.name`.
    pub(super) fn select(&self, value: &Value, name: &str) -> Value {
        match value {
            Value::Set(set) => match (set.get(name), &set.rest) {
                (Some(attr), _) => attr.thunk.force(self),
                (None, Some(path)) => self.select(&Value::Symbol(Rc::new(path.clone())), name),
                (None, None) => Value::Unknown,
            },
            Value::Symbol(path) => {
                let mut path = path.to_vec();
                path.push(name.to_owned());
                Value::Symbol(Rc::new(path))
            }
            Value::Call(call) => self.of_call(call, name),
            Value::Later(whole) => match whole.force(self) {
                Value::Later(_) => Value::Unknown,
                whole => self.select(&whole, name),
            },
            Value::Env(_) if name == "env" => value.clone(),
            _ => Value::Unknown,
        }
    }

    fn of_call(&self, call: &Rc<Call>, name: &str) -> Value {
        if matches!(name, "overridePythonAttrs" | "overrideAttrs") {
            return Value::Native("overrideAttrs", Rc::new(vec![Value::Call(call.clone())]));
        }
        let Some(set) = call.set() else { return Value::Unknown };
        if let Some(attr) = set.get(name) {
            return attr.thunk.force(self);
        }
        match name {
            // Nix unpacks what these fetch into a folder of this name.
            "name" if call.last().starts_with("fetchFrom") => Value::text("source"),
            "name" if call.last() == "fetchgit" => Value::text("source"),
            "name" => match (self.select_text(set, "pname"), self.select_text(set, "version")) {
                (Some(pname), Some(version)) => Value::text(format!("{pname}-{version}")),
                _ => Value::Unknown,
            },
            "optional-dependencies" | "tests" if call.builds() => {
                let passthru = set.get("passthru").map(|a| a.thunk.force(self));
                passthru.map_or(Value::Unknown, |p| self.select(&p, name))
            }
            _ => Value::Unknown,
        }
    }

    /// A text attribute of a set.
    pub(super) fn select_text(&self, set: &Set, name: &str) -> Option<String> {
        set.get(name)?.thunk.force(self).as_text()
    }

    /// A string with the known pieces joined and each hole as its text.
    pub(super) fn shown(&self, pieces: &[Piece]) -> String {
        let one = |p: &Piece| match p {
            Piece::Known(text) => text.clone(),
            Piece::Hole(place) => place.file.text[place.span.clone()].to_owned(),
        };
        pieces.iter().map(one).collect()
    }
}
