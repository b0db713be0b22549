//! Nix expressions to values, lazily, as far as they can be told.
//!
//! Knows the language: functions, `rec`, `let`, `with`, `inherit`, strings
//! and operators. Must never know an attribute of a package, and never fail:
//! what cannot be told is [`Value::Unknown`] or a hole, and its text is
//! quoted by whoever needed it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rnix::SyntaxNode;
use rnix::ast::{self, AstNode, AstToken as _, Expr, HasEntry, InterpolPart};

use super::cond::Cond;
use super::value::{Attr, Item, Lambda, Piece, Scope, Set, Thunk, Value};
use crate::diag::{Place, SourceFile};

/// A file that is evaluated.
pub(super) type File = Arc<SourceFile>;

/// How deep evaluation goes, and how much there may be of it: a text may
/// well describe an endless computation.
const DEPTH: u32 = 72;
const FUEL: u32 = 200_000;

/// One evaluation over a set of files.
pub(super) struct Eval<'a> {
    files: &'a BTreeMap<String, File>,
    values: RefCell<BTreeMap<String, Thunk>>,
    asked: RefCell<BTreeSet<String>>,
    depth: Cell<u32>,
    fuel: Cell<u32>,
}

/// A step down that is taken back.
pub(super) struct Deeper<'d>(&'d Cell<u32>);

impl Drop for Deeper<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

pub(super) fn place<N: AstNode>(node: &N, file: &File) -> Place {
    let range = node.syntax().text_range();
    Place { file: file.clone(), span: range.start().into()..range.end().into() }
}

fn cast<N: AstNode>(node: SyntaxNode) -> Option<N> {
    N::cast(node)
}

fn name_of(ident: &ast::Ident) -> String {
    ident.to_string()
}

impl<'a> Eval<'a> {
    pub(super) fn new(files: &'a BTreeMap<String, File>) -> Self {
        Self {
            files,
            values: RefCell::default(),
            asked: RefCell::default(),
            depth: Cell::new(0),
            fuel: Cell::new(FUEL),
        }
    }

    /// The key and text of a file, or of a folder's `default.nix`.
    fn found(&self, path: &str) -> Option<(String, File)> {
        let inside = super::joined(path, "default.nix");
        self.asked.borrow_mut().extend([path.to_owned(), inside.clone()]);
        [path.to_owned(), inside].into_iter().find_map(|p| Some((p.clone(), self.files.get(&p)?.clone())))
    }

    /// The files that were asked for, whether they are there or not.
    pub(super) fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    /// The place of a whole file.
    pub(super) fn whole(&self, path: &str) -> Option<Place> {
        let (_, file) = self.found(path)?;
        let end = file.text.trim_end().len();
        Some(Place { span: 0..end, file })
    }

    /// The value of a whole file, or of a folder's `default.nix`.
    pub(super) fn file(&self, path: &str) -> Value {
        let Some((path, file)) = self.found(path) else { return Value::Unknown };
        let fresh = || {
            Thunk::new(move |eval| match ast::Root::expr(&rnix::Root::parse(&file.text).tree()) {
                Some(expr) => eval.expr(&expr, &Scope::empty(), &file),
                None => Value::Unknown,
            })
        };
        let thunk = self.values.borrow_mut().entry(path).or_insert_with(fresh).clone();
        thunk.force(self)
    }

    /// A value that waits to be asked for.
    pub(super) fn later(expr: &Expr, scope: &Scope, file: &File) -> Thunk {
        let (expr, scope, file) = (expr.clone(), scope.clone(), file.clone());
        Thunk::new(move |eval| eval.expr(&expr, &scope, &file))
    }

    pub(super) fn expr(&self, expr: &Expr, scope: &Scope, file: &File) -> Value {
        let Some(_deeper) = self.deeper() else { return Value::Unknown };
        let value = self.kind(expr, scope, file);
        // What is large took long to make, and longer to look through.
        let size = match &value {
            Value::List(items) => items.len(),
            Value::Set(set) => set.attrs.len(),
            Value::Text(pieces) => {
                let length = |p: &Piece| if let Piece::Known(text) = p { text.len() / 16 } else { 1 };
                pieces.iter().map(length).sum()
            }
            _ => 0,
        };
        let cost = u32::try_from(size).unwrap_or(FUEL).saturating_add(1);
        self.fuel.set(self.fuel.get().saturating_sub(cost));
        value
    }

    /// One step down, until what this gives is dropped; nothing when that is
    /// too deep or all fuel is burnt.
    pub(super) fn deeper(&self) -> Option<Deeper<'_>> {
        if self.depth.get() >= DEPTH || self.fuel.get() == 0 {
            return None;
        }
        self.depth.set(self.depth.get() + 1);
        Some(Deeper(&self.depth))
    }

    fn maybe(&self, expr: Option<Expr>, scope: &Scope, file: &File) -> Value {
        expr.map_or(Value::Unknown, |e| self.expr(&e, scope, file))
    }

    /// One arm a kind of node, each a function of its own: what is deep in a
    /// text is deep on the stack.
    fn kind(&self, expr: &Expr, scope: &Scope, file: &File) -> Value {
        match expr {
            Expr::Ident(ident) => self.ident(&name_of(ident), scope),
            Expr::Literal(literal) => Self::literal(literal),
            Expr::Str(text) => self.string(text, scope, file),
            Expr::PathRel(path) => Self::path(&path.to_string(), place(path, file)),
            Expr::PathAbs(path) => Self::path(&path.to_string(), place(path, file)),
            Expr::PathSearch(path) => Value::symbol(&[&path.to_string()]),
            Expr::Paren(inner) => self.maybe(inner.expr(), scope, file),
            Expr::Root(inner) => self.maybe(inner.expr(), scope, file),
            Expr::List(list) => Self::list(list, scope, file),
            Expr::AttrSet(set) => self.attr_set(set, scope, file),
            Expr::LetIn(node) => {
                let inner = scope.inner();
                self.entries(node, (scope, &inner), true, file);
                self.maybe(node.body(), &inner, file)
            }
            Expr::With(with) => {
                let Some(namespace) = with.namespace() else { return Value::Unknown };
                let inner = scope.with(Self::later(&namespace, scope, file));
                self.maybe(with.body(), &inner, file)
            }
            Expr::Assert(assert) => self.maybe(assert.body(), scope, file),
            Expr::Lambda(node) => Self::lambda(node, scope, file),
            Expr::Apply(apply) => {
                let function = self.maybe(apply.lambda(), scope, file);
                let Some(argument) = apply.argument() else { return Value::Unknown };
                self.apply(&function, Self::later(&argument, scope, file), &place(apply, file))
            }
            Expr::IfElse(node) => self.branches(node, scope, file),
            Expr::Select(select) => self.selection(select, scope, file),
            Expr::HasAttr(node) => self.has(node, scope, file),
            Expr::BinOp(node) => self.operator(node, scope, file),
            Expr::UnaryOp(node) => self.unary(node, scope, file),
            Expr::Error(_) | Expr::PathHome(_) | Expr::LegacyLet(_) | Expr::CurPos(_) => Value::Unknown,
        }
    }

    fn literal(literal: &ast::Literal) -> Value {
        match literal.kind() {
            ast::LiteralKind::Integer(n) => n.value().map_or(Value::Unknown, Value::Number),
            ast::LiteralKind::Float(n) => Value::text(n.syntax().text()),
            ast::LiteralKind::Uri(uri) => Value::text(uri.syntax().text()),
        }
    }

    fn list(list: &ast::List, scope: &Scope, file: &File) -> Value {
        let item = |e: Expr| Item {
            thunk: Self::later(&e, scope, file),
            when: Cond::Always,
            spread: false,
            place: place(&e, file),
        };
        Value::list(list.items().map(item).collect())
    }

    fn attr_set(&self, set: &ast::AttrSet, scope: &Scope, file: &File) -> Value {
        let recursive = set.rec_token().is_some();
        let inner = if recursive { scope.inner() } else { scope.clone() };
        Value::set(self.entries(set, (scope, &inner), recursive, file))
    }

    fn lambda(node: &ast::Lambda, scope: &Scope, file: &File) -> Value {
        Value::Lambda(Rc::new(Lambda { node: node.clone(), scope: scope.clone(), file: file.clone() }))
    }

    fn branches(&self, node: &ast::IfElse, scope: &Scope, file: &File) -> Value {
        let condition = self.maybe(node.condition(), scope, file);
        let (then, other) = (node.body(), node.else_body());
        match self.truth(&condition) {
            Some(Cond::Always) => self.maybe(then, scope, file),
            Some(Cond::Never) => self.maybe(other, scope, file),
            Some(cond) => {
                let (then, other) = (self.maybe(then, scope, file), self.maybe(other, scope, file));
                Value::Choice(Rc::new((cond, then, other)))
            }
            None => match (then, other) {
                (Some(then), Some(other)) => {
                    let later = |e: &Expr| Self::later(e, scope, file);
                    Value::Either(Rc::new((later(&then), later(&other))))
                }
                _ => Value::Unknown,
            },
        }
    }

    fn has(&self, node: &ast::HasAttr, scope: &Scope, file: &File) -> Value {
        let value = self.maybe(node.expr(), scope, file);
        let names = node.attrpath().and_then(|p| self.attrpath(&p, scope, file));
        match (value, names.as_deref()) {
            (Value::Set(set), Some([name])) if set.rest.is_none() => Value::Bool(set.get(name).is_some()),
            _ => Value::Unknown,
        }
    }

    fn unary(&self, node: &ast::UnaryOp, scope: &Scope, file: &File) -> Value {
        let value = self.maybe(node.expr(), scope, file);
        match (node.operator(), &value) {
            (Some(ast::UnaryOpKind::Invert), _) => {
                self.truth(&value).map_or(Value::Unknown, |c| Self::boolean(c.not()))
            }
            (Some(ast::UnaryOpKind::Negate), Value::Number(n)) => {
                n.checked_neg().map_or(Value::Unknown, Value::Number)
            }
            _ => Value::Unknown,
        }
    }

    fn path(text: &str, place: Place) -> Value {
        if text.contains("${") { Value::Unknown } else { Value::Path(text.to_owned(), place) }
    }

    fn ident(&self, name: &str, scope: &Scope) -> Value {
        if let Some(bound) = scope.lookup(name) {
            return bound.force(self);
        }
        let opened = scope.opened();
        // Python packages opened inside of `with lib;` do not hide it.
        let lib = opened
            .iter()
            .map(|o| o.force(self))
            .find(|v| v.as_symbol().is_some_and(|p| p.last().is_some_and(|l| l == "lib")));
        if let Some(lib) = lib.filter(|_| super::natives::of_lib(name)) {
            return self.select(&lib, name);
        }
        for opened in opened {
            let set = match opened.force(self) {
                Value::Later(whole) => whole.force(self),
                set => set,
            };
            let has = match &set {
                Value::Set(set) => set.get(name).is_some() || set.rest.is_some(),
                Value::Symbol(path) => match path.last().map(String::as_str) {
                    // `with lib;` outside of another `with` would have it all.
                    Some("lib") => super::natives::of_lib(name),
                    Some("builtins") => super::natives::arity(name).is_some(),
                    _ => true,
                },
                _ => false,
            };
            if has {
                return self.select(&set, name);
            }
        }
        match name {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            name if super::natives::is_global(name) => Value::symbol(&["builtins", name]),
            name => Value::symbol(&[name]),
        }
    }

    fn string(&self, text: &ast::Str, scope: &Scope, file: &File) -> Value {
        let mut pieces = Vec::new();
        for part in text.normalized_parts() {
            match part {
                InterpolPart::Literal(text) => pieces.push(Piece::Known(text)),
                InterpolPart::Interpolation(node) => {
                    let value = self.maybe(node.expr(), scope, file);
                    self.pieces(&value, place(&node, file), &mut pieces);
                }
            }
        }
        Value::Text(pieces)
    }

    /// A value inside a string.
    pub(super) fn pieces(&self, value: &Value, place: Place, out: &mut Vec<Piece>) {
        match value {
            Value::Text(pieces) => out.extend(pieces.iter().cloned()),
            Value::Number(n) => out.push(Piece::Known(n.to_string())),
            _ => out.push(Piece::Hole(place)),
        }
    }

    /// The name of an attribute, when the text says it.
    fn attr_name(&self, attr: &ast::Attr, scope: &Scope, file: &File) -> Option<String> {
        match attr {
            ast::Attr::Ident(ident) => Some(name_of(ident)),
            ast::Attr::Str(text) => self.string(text, scope, file).as_text(),
            ast::Attr::Dynamic(node) => match self.maybe(node.expr(), scope, file) {
                // `packages.${system}`: which one does not matter.
                Value::Symbol(path) if path.last().is_some_and(|p| p == "system") => {
                    Some("system".to_owned())
                }
                value => value.as_text(),
            },
        }
    }

    fn attrpath(&self, path: &ast::Attrpath, scope: &Scope, file: &File) -> Option<Vec<String>> {
        path.attrs().map(|a| self.attr_name(&a, scope, file)).collect()
    }

    fn selection(&self, select: &ast::Select, scope: &Scope, file: &File) -> Value {
        let mut value = self.maybe(select.expr(), scope, file);
        let names = select.attrpath().and_then(|p| self.attrpath(&p, scope, file));
        let Some(names) = names else { return Value::Unknown };
        for name in names {
            value = self.select(&value, &name);
        }
        match (value, select.default_expr()) {
            // What nixpkgs has is taken to be there.
            (Value::Unknown, Some(default)) => self.expr(&default, scope, file),
            (value, _) => value,
        }
    }

    /// The entries of a set or `let`, bound in `inner` when they are one
    /// another's scope. `inherit` looks outside.
    fn entries<N: HasEntry>(
        &self,
        node: &N,
        (outer, inner): (&Scope, &Scope),
        bind: bool,
        file: &File,
    ) -> Set {
        let mut set = Set::default();
        for child in node.syntax().children() {
            if let Some(inherit) = cast::<ast::Inherit>(child.clone()) {
                self.inherited(&inherit, (outer, inner), file, &mut set);
            } else if let Some(entry) = cast::<ast::AttrpathValue>(child) {
                let names = entry.attrpath().and_then(|p| self.attrpath(&p, inner, file));
                let (Some(names), Some(value)) = (names, entry.value()) else {
                    set.holes.push(place(&entry, file));
                    continue;
                };
                let attr = Attr { thunk: Self::later(&value, inner, file), place: place(&entry, file) };
                put_deep(&mut set, &names, attr);
            }
        }
        if bind {
            for (name, attr) in &set.attrs {
                inner.bind(name, attr.thunk.clone());
            }
        }
        set
    }

    fn inherited(&self, inherit: &ast::Inherit, scopes: (&Scope, &Scope), file: &File, set: &mut Set) {
        let (outer, inner) = scopes;
        let from = inherit.from().and_then(|f| f.expr()).map(|e| Self::later(&e, inner, file));
        for attr in inherit.attrs() {
            let Some(name) = self.attr_name(&attr, outer, file) else { continue };
            let thunk = match &from {
                Some(from) => {
                    let (from, name) = (from.clone(), name.clone());
                    Thunk::new(move |eval| {
                        let from = from.force(eval);
                        eval.select(&from, &name)
                    })
                }
                None => {
                    let (scope, name) = (outer.clone(), name.clone());
                    Thunk::new(move |eval| eval.ident(&name, &scope))
                }
            };
            set.put(&name, Attr { thunk, place: place(inherit, file) });
        }
    }

    /// Applies a function of the text.
    pub(super) fn apply_lambda(&self, lambda: &Rc<Lambda>, argument: Thunk) -> Value {
        let scope = lambda.scope.inner();
        match lambda.node.param() {
            Some(ast::Param::IdentParam(param)) => {
                if let Some(ident) = param.ident() {
                    scope.bind(&name_of(&ident), argument);
                }
            }
            Some(ast::Param::Pattern(pattern)) => self.bind_pattern(&pattern, &scope, argument, &lambda.file),
            None => return Value::Unknown,
        }
        self.maybe(lambda.node.body(), &scope, &lambda.file)
    }

    fn bind_pattern(&self, pattern: &ast::Pattern, scope: &Scope, argument: Thunk, file: &File) {
        let given = argument.force(self);
        let mut formals = Set::default();
        for entry in pattern.pat_entries() {
            let Some(ident) = entry.ident() else { continue };
            let name = name_of(&ident);
            let attr = match &given {
                Value::Set(set) => set.get(&name).map(|a| a.thunk.clone()),
                _ => None,
            };
            let thunk = match (attr, entry.default()) {
                (Some(thunk), _) => thunk,
                (None, Some(default)) => Self::later(&default, scope, file),
                (None, None) => Thunk::done(match &given {
                    Value::Set(set) if set.rest.is_none() => Value::symbol(&[&name]),
                    given => self.select(given, &name),
                }),
            };
            formals.put(&name, Attr { thunk: thunk.clone(), place: place(&entry, file) });
            scope.bind(&name, thunk);
        }
        if let Some(whole) = pattern.pat_bind().and_then(|b| b.ident()) {
            let whole_value = match given {
                Value::Set(set) if set.rest.is_none() => Value::set(formals.updated(&set)),
                other => other,
            };
            scope.bind(&name_of(&whole), Thunk::done(whole_value));
        }
    }
}

/// `a.b.c = value` inside a set. What a part of the path already is, is
/// joined with what is said now.
fn put_deep(set: &mut Set, names: &[String], attr: Attr) {
    let Some((first, rest)) = names.split_first() else { return };
    if rest.is_empty() {
        let joined = match set.get(first) {
            Some(old) => both(old, &attr),
            None => attr,
        };
        return set.put(first, joined);
    }
    let mut inner = Set::default();
    put_deep(&mut inner, rest, attr.clone());
    let new = Attr { thunk: Thunk::done(Value::set(inner)), place: attr.place };
    let joined = match set.get(first) {
        Some(old) => both(old, &new),
        None => new,
    };
    set.put(first, joined);
}

fn both(old: &Attr, new: &Attr) -> Attr {
    let (a, b) = (old.thunk.clone(), new.thunk.clone());
    let thunk = Thunk::new(move |eval| match (a.force(eval), b.force(eval)) {
        (Value::Set(a), Value::Set(b)) => {
            let mut out = Set::clone(&a);
            for (name, attr) in &b.attrs {
                let joined = out.get(name).map_or_else(|| attr.clone(), |old| both(old, attr));
                out.put(name, joined);
            }
            Value::set(out)
        }
        _ => Value::Unknown,
    });
    Attr { thunk, place: old.place.clone() }
}
