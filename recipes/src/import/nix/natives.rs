//! Functions of `lib` and `builtins` that recipes use.
//!
//! Knows what they give. Must never know what a package is.

use std::rc::Rc;

use super::cond::Cond;
use super::eval::Eval;
use super::packages::{is_interpreter, nowhere};
use super::value::{Call, Item, Piece, Set, Thunk, Value};
use crate::diag::Place;
use crate::name::Version;

/// The functions known here and how many arguments they take.
const KNOWN: [(&str, usize); 42] = [
    ("attrNames", 1),
    ("attrValues", 1),
    ("baseNameOf", 1),
    ("callPackage", 2),
    ("callPackages", 2),
    ("cleanSource", 1),
    ("cleanSourceWith", 1),
    ("concatAttrValues", 1),
    ("concatLists", 1),
    ("concatMapStringsSep", 3),
    ("concatMap", 2),
    ("concatStrings", 1),
    ("concatStringsSep", 2),
    ("dontRecurseIntoAttrs", 1),
    ("elem", 2),
    ("elemAt", 2),
    ("escapeShellArg", 1),
    ("flatten", 1),
    ("getAttr", 2),
    ("hasPrefix", 2),
    ("hasSuffix", 2),
    ("head", 1),
    ("import", 1),
    ("isNull", 1),
    ("major", 1),
    ("majorMinor", 1),
    ("map", 2),
    ("minor", 1),
    ("optional", 2),
    ("optionalAttrs", 2),
    ("optionalString", 2),
    ("optionals", 2),
    ("patch", 1),
    ("recurseIntoAttrs", 1),
    ("removePrefix", 2),
    ("removeSuffix", 2),
    ("replaceStrings", 3),
    ("splitString", 2),
    ("toLower", 1),
    ("toString", 1),
    ("versionAtLeast", 2),
    ("versionOlder", 2),
];

/// How many arguments a function of `lib` or `builtins` takes.
pub(super) fn arity(name: &str) -> Option<usize> {
    KNOWN.iter().find(|(n, arity)| *n == name && *arity > 0).map(|(_, arity)| *arity)
}

/// Whether `lib` has this, as far as recipes go.
pub(super) fn of_lib(name: &str) -> bool {
    const SETS: [&str; 12] = [
        "attrsets",
        "fakeHash",
        "fakeSha256",
        "licenses",
        "lists",
        "maintainers",
        "platforms",
        "sources",
        "strings",
        "systems",
        "teams",
        "versions",
    ];
    SETS.contains(&name) || arity(name).is_some() && !matches!(name, "import" | "callPackage" | "map")
}

/// Whether a name is there without `builtins.`.
pub(super) fn is_global(name: &str) -> bool {
    matches!(
        name,
        "abort"
            | "baseNameOf"
            | "builtins"
            | "fetchTarball"
            | "import"
            | "isNull"
            | "map"
            | "removeAttrs"
            | "throw"
            | "toString"
    )
}

/// The function that a path of nixpkgs names.
fn known(path: &[String]) -> Option<(&'static str, usize)> {
    let last = path.last()?.as_str();
    let (name, arity) = KNOWN.iter().find(|(n, arity)| *n == last && *arity > 0)?;
    let of = path[0].as_str();
    let library = matches!(of, "lib" | "builtins") || path.iter().rev().nth(1).is_some_and(|p| p == "lib");
    (library
        || last.starts_with("callPackage")
        || path.iter().any(|p| p == "lib")
        || last == "recurseIntoAttrs")
        .then_some((*name, *arity))
}

impl Eval<'_> {
    /// Applies any value.
    pub(super) fn apply(&self, function: &Value, argument: Thunk, place: &Place) -> Value {
        match function {
            Value::Lambda(lambda) => self.apply_lambda(lambda, argument),
            Value::Native(name, args) => {
                let mut args = args.to_vec();
                args.push(argument.force(self));
                self.native(name, args, place)
            }
            Value::Symbol(path) => {
                if let Some((name, _)) = known(path) {
                    return self.native(name, vec![argument.force(self)], place);
                }
                self.apply_symbol(path, argument, place)
            }
            Value::Call(call) => {
                let mut args = call.args.clone();
                args.push(argument.force(self));
                Value::Call(Rc::new(Call { path: call.path.clone(), args, place: place.clone() }))
            }
            _ => Value::Unknown,
        }
    }

    fn native(&self, name: &'static str, args: Vec<Value>, place: &Place) -> Value {
        let wanted =
            if name == "overrideAttrs" || name == "withPackages" { 2 } else { arity(name).unwrap_or(1) };
        if args.len() < wanted {
            return Value::Native(name, Rc::new(args));
        }
        let found = match name {
            "overrideAttrs" => self.overridden(&args[0], &args[1]),
            "withPackages" => self.environment(&args[0], &args[1], place),
            "callPackage" | "callPackages" => Some(self.call_package(&args[0], &args[1])),
            "import" => Some(match &args[0] {
                Value::Path(path, at) => self.file(&super::beside(at, path)),
                _ => Value::symbol(&["import"]),
            }),
            "optional" | "optionals" | "optionalString" | "optionalAttrs" => {
                Some(self.optional(name, &args, place))
            }
            "cleanSource" | "recurseIntoAttrs" | "dontRecurseIntoAttrs" => Some(args[0].clone()),
            "cleanSourceWith" => match &args[0] {
                Value::Set(set) => set.get("src").map(|a| a.thunk.force(self)),
                _ => None,
            },
            _ => self.of_lists(name, &args, place).or_else(|| self.of_texts(name, &args)),
        };
        found.unwrap_or(Value::Unknown)
    }

    fn optional(&self, name: &str, args: &[Value], place: &Place) -> Value {
        let one = |when: Cond| Item {
            thunk: Thunk::done(args[1].clone()),
            when,
            spread: false,
            place: place.clone(),
        };
        let Some(cond) = self.truth(&args[0]) else {
            return match name {
                "optionalString" => Value::Text(vec![Piece::Hole(place.clone())]),
                "optionalAttrs" => Value::set(Set { holes: vec![place.clone()], ..Set::default() }),
                _ => Value::list(vec![Item { thunk: Thunk::done(Value::Unknown), ..one(Cond::Always) }]),
            };
        };
        match (name, &cond) {
            ("optional", Cond::Never) | ("optionals", Cond::Never) => Value::list(Vec::new()),
            ("optional", _) => Value::list(vec![one(cond)]),
            ("optionals", _) => {
                let items = self.items(&args[1], place).into_iter();
                Value::list(items.map(|i| Item { when: cond.clone().and(i.when), ..i }).collect())
            }
            ("optionalString", Cond::Never) => Value::text(""),
            ("optionalAttrs", Cond::Never) => Value::set(Set::default()),
            (_, Cond::Always) => args[1].clone(),
            ("optionalString", _) => Value::Text(vec![Piece::Hole(place.clone())]),
            _ => Value::set(Set { holes: vec![place.clone()], ..Set::default() }),
        }
    }

    fn of_lists(&self, name: &str, args: &[Value], place: &Place) -> Option<Value> {
        let items = |value: &Value| match value {
            Value::List(items) => Some(items.to_vec()),
            _ => None,
        };
        Some(match name {
            "attrValues" | "concatAttrValues" => {
                let Value::Set(set) = &args[0] else { return None };
                let values = set.attrs.iter().map(|(_, a)| Item {
                    thunk: a.thunk.clone(),
                    when: Cond::Always,
                    spread: false,
                    place: a.place.clone(),
                });
                let list = Value::list(values.collect());
                if name == "attrValues" { list } else { Value::list(self.flat(&list, place)) }
            }
            "attrNames" => {
                let Value::Set(set) = &args[0] else { return None };
                let names = set.attrs.iter().map(|(n, a)| Item {
                    thunk: Thunk::done(Value::text(n)),
                    when: Cond::Always,
                    spread: false,
                    place: a.place.clone(),
                });
                Value::list(names.collect())
            }
            "concatLists" | "flatten" => Value::list(self.flat(&args[0], place)),
            "map" | "concatMap" => {
                let function = args[0].clone();
                let mapped = items(&args[1])?.into_iter().map(|item| {
                    let (function, inner, at) = (function.clone(), item.thunk.clone(), item.place.clone());
                    let thunk = Thunk::new(move |eval| eval.apply(&function, inner, &at));
                    Item { thunk, ..item }
                });
                let list = Value::list(mapped.collect());
                if name == "map" { list } else { Value::list(self.flat(&list, place)) }
            }
            "head" => items(&args[0])?.first()?.thunk.force(self),
            "elemAt" => {
                let Value::Number(at) = args[1] else { return None };
                items(&args[0])?.get(usize::try_from(at).ok()?)?.thunk.force(self)
            }
            "elem" => {
                let wanted = args[0].as_text()?;
                let all: Option<Vec<String>> =
                    items(&args[1])?.iter().map(|i| i.thunk.force(self).as_text()).collect();
                Value::Bool(all?.contains(&wanted))
            }
            "getAttr" => self.select(&args[1], &args[0].as_text()?),
            "isNull" => Value::Bool(matches!(args[0], Value::Null)),
            _ => return None,
        })
    }

    /// The elements of lists in a list, and of lists in those.
    fn flat(&self, value: &Value, place: &Place) -> Vec<Item> {
        let Some(_deeper) = self.deeper() else { return self.items(&Value::Unknown, place) };
        let mut out = Vec::new();
        for item in self.items(value, place) {
            match item.thunk.force(self) {
                inner @ Value::List(_) => out.extend(
                    self.flat(&inner, &item.place)
                        .into_iter()
                        .map(|i| Item { when: item.when.clone().and(i.when), ..i }),
                ),
                _ => out.push(item),
            }
        }
        out
    }

    fn of_texts(&self, name: &str, args: &[Value]) -> Option<Value> {
        let text = |at: usize| args.get(at).and_then(Value::as_text);
        let texts = |value: &Value| match value {
            Value::List(items) => items.iter().map(|i| i.thunk.force(self).as_text()).collect(),
            _ => None::<Vec<String>>,
        };
        let parts = |at: usize| text(at).map(|t| t.split('.').map(str::to_owned).collect::<Vec<_>>());
        Some(match name {
            "toString" => match &args[0] {
                Value::Number(n) => Value::text(n.to_string()),
                Value::Bool(b) => Value::text(if *b { "1" } else { "" }),
                Value::Text(_) => args[0].clone(),
                _ => return None,
            },
            "major" => Value::text(parts(0)?.first()?.clone()),
            "minor" => Value::text(parts(0)?.get(1)?.clone()),
            "patch" => Value::text(parts(0)?.get(2)?.clone()),
            "majorMinor" => Value::text(parts(0)?.get(..2)?.join(".")),
            "toLower" => Value::text(text(0)?.to_lowercase()),
            "baseNameOf" => Value::text(text(0)?.rsplit('/').next()?.to_owned()),
            "escapeShellArg" => Value::text(super::shell::quoted(&text(0)?)),
            "hasPrefix" => Value::Bool(text(1)?.starts_with(&text(0)?)),
            "hasSuffix" => Value::Bool(text(1)?.ends_with(&text(0)?)),
            "removePrefix" => {
                let (end, whole) = (text(0)?, text(1)?);
                Value::text(whole.strip_prefix(&end).unwrap_or(&whole))
            }
            "removeSuffix" => {
                let (end, whole) = (text(0)?, text(1)?);
                Value::text(whole.strip_suffix(&end).unwrap_or(&whole))
            }
            "concatStrings" => Value::text(texts(&args[0])?.concat()),
            "concatStringsSep" => Value::text(texts(&args[1])?.join(&text(0)?)),
            "concatMapStringsSep" => {
                let Value::List(items) = &args[2] else { return None };
                let one = |i: &Item| self.apply(&args[1], i.thunk.clone(), &i.place).as_text();
                let all: Option<Vec<String>> = items.iter().map(one).collect();
                Value::text(all?.join(&text(0)?))
            }
            "splitString" => {
                let (at, whole) = (text(0)?, text(1)?);
                let Value::Text(_) = args[1] else { return None };
                let place = nowhere();
                let part = |t: &str| Item {
                    thunk: Thunk::done(Value::text(t)),
                    when: Cond::Always,
                    spread: false,
                    place: place.clone(),
                };
                Value::list(whole.split(at.as_str()).map(part).collect())
            }
            "replaceStrings" => replaced(&texts(&args[0])?, &texts(&args[1])?, &text(2)?),
            "versionOlder" | "versionAtLeast" => self.compared(name, args)?,
            _ => return None,
        })
    }

    fn compared(&self, name: &str, args: &[Value]) -> Option<Value> {
        let wanted = args[1].as_text()?;
        let of_python = |path: &[String]| {
            let last = path.last().map_or("", String::as_str);
            last == "pythonVersion" || last == "version" && path.iter().any(|p| is_interpreter(p))
        };
        let older = match &args[0] {
            Value::Symbol(path) if of_python(path) => Cond::older(&wanted),
            value => {
                let (a, b): (Version, Version) = (value.as_text()?.parse().ok()?, wanted.parse().ok()?);
                if a < b { Cond::Always } else { Cond::Never }
            }
        };
        Some(Self::boolean(if name == "versionOlder" { older } else { older.not() }))
    }
}

fn replaced(from: &[String], to: &[String], text: &str) -> Value {
    let mut out = String::new();
    let mut rest = text;
    'next: while !rest.is_empty() {
        for (from, to) in from.iter().zip(to) {
            if !from.is_empty()
                && let Some(after) = rest.strip_prefix(from.as_str())
            {
                out.push_str(to);
                rest = after;
                continue 'next;
            }
        }
        let first = rest.chars().next().map_or(1, char::len_utf8);
        out.push_str(&rest[..first]);
        rest = &rest[first..];
    }
    Value::text(out)
}
