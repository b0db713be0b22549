//! The attributes of a `buildPythonPackage` call, each as what it is here.
//!
//! Knows every attribute that has a counterpart. Must never drop one: what
//! no arm of [`Draft::attribute`] knows is a TODO.

use super::draft::{Draft, Need, quote};
use super::eval::Eval;
use super::value::{Attr, Call, Set, Value};
use crate::import::{Converted, finished};
use crate::name::{Requirement, Version};

/// Attributes that say what holds here anyway.
const NEEDLESS: [&str; 14] = [
    "__darwinAllowLocalNetworking",
    "__structuredAttrs",
    "dontConfigure",
    "dontUseCmakeConfigure",
    "dontUseCargoBuild",
    "dontUseMesonConfigure",
    "dontUseNinjaBuild",
    "dontUseNinjaInstall",
    "dontUsePytestXdist",
    "dontUseSetuptoolsCheck",
    "enableParallelBuilding",
    "namePrefix",
    "removeBinBytecode",
    "strictDeps",
];

/// nixpkgs' phases and where they run here; nothing is configured.
const PHASES: [(&str, &str); 18] = [
    ("postUnpack", "post-unpack"),
    ("prePatch", "pre-patch"),
    ("patchPhase", "post-patch"),
    ("postPatch", "post-patch"),
    ("preConfigure", "pre-build"),
    ("postConfigure", "pre-build"),
    ("configurePhase", "pre-build"),
    ("preBuild", "pre-build"),
    ("buildPhase", "build"),
    ("postBuild", "post-build"),
    ("preInstall", "pre-install"),
    ("installPhase", "install"),
    ("postInstall", "post-install"),
    ("preCheck", "pre-check"),
    ("checkPhase", "check"),
    ("installCheckPhase", "check"),
    ("postCheck", "post-check"),
    ("preInstallCheck", "pre-check"),
];

/// Lists of strings that are lists of strings here.
const LISTS: [(&str, &str, &str); 10] = [
    ("disabledTestPaths", "check", "disabled-paths"),
    ("disabledTests", "check", "disabled-tests"),
    ("enabledTestMarks", "check", "marks"),
    ("enabledTestPaths", "check", "enabled-paths"),
    ("enabledTests", "check", "enabled-tests"),
    ("pytestFlags", "check", "flags"),
    ("pythonImportsCheck", "check", "imports"),
    ("pythonNamespaces", "", "namespaces"),
    ("unittestFlags", "check", "flags"),
    ("backendPath", "build", "backend-path"),
];

/// The recipe of a call, and the packages made in the middle of it.
pub(super) fn convert(
    eval: &Eval<'_>,
    base: &str,
    (call, application): (&Call, bool),
) -> (Converted, Vec<Value>) {
    let empty = std::rc::Rc::new(Set::default());
    let set = call.set().unwrap_or(&empty).clone();
    let mut draft = Draft::new(eval, base, application || call.last() == "buildPythonApplication");
    draft.attributes = set.attrs.iter().map(|(name, _)| name.clone()).collect();
    draft.identity(&set, call);
    for (name, attr) in &set.attrs {
        draft.attribute(name, attr);
    }
    for hole in &set.holes {
        draft.attributes.insert("//".to_owned());
        draft.todo("//", hole, "which attributes these are cannot be told");
    }
    draft.close(&set);
    // Whatever happens, nothing is lost.
    let told: std::collections::BTreeSet<String> = draft.todos.iter().map(|t| t.attribute.clone()).collect();
    for (name, attr) in &set.attrs {
        if draft.attributes.contains(name) && !draft.carried.contains(name) && !told.contains(name) {
            draft.todo(name, &attr.place, "the value cannot be told");
        }
    }
    let path = format!("{}.toml", draft.pname);
    let (text, problems) = finished(&path, draft.written());
    let converted = Converted {
        pname: draft.pname,
        version: draft.version,
        text,
        place: call.place.clone(),
        attributes: draft.attributes,
        carried: draft.carried,
        todos: draft.todos,
        problems,
    };
    (converted, draft.inner)
}

impl Draft<'_, '_> {
    /// `pname` and `version`, or the older `name`.
    fn identity(&mut self, set: &Set, call: &Call) {
        let name = set.get("name").and_then(|_| self.eval.select_text(set, "name"));
        let split = name.as_deref().and_then(|name| {
            let mut at = name.match_indices('-').map(|(at, _)| at);
            at.find(|at| name[at + 1..].starts_with(|c: char| c.is_ascii_digit())).map(|at| name.split_at(at))
        });
        let pname = self.eval.select_text(set, "pname").or_else(|| split.map(|(n, _)| n.to_owned()));
        let version = self
            .eval
            .select_text(set, "version")
            .or_else(|| split.map(|(_, v)| v.trim_start_matches('-').to_owned()));
        self.pname = pname.or_else(|| name.clone()).unwrap_or_else(|| {
            let place = set.get("pname").or(set.get("name")).map_or(&call.place, |a| &a.place);
            self.todo("pname", place, "the name cannot be told");
            "unknown".to_owned()
        });
        self.version = match version {
            Some(version) => self.pep440(&version, set, call),
            None => {
                let place = set.get("version").map_or(&call.place, |a| &a.place);
                self.todo("version", place, "the version cannot be told");
                "0".to_owned()
            }
        };
        if self.application {
            self.text("", "kind", "application");
        }
        let (pname, version) = (self.pname.clone(), self.version.clone());
        self.text("", "pname", &pname);
        self.text("", "version", &version);
    }

    /// `1.2-unstable-2024-05-06` as PEP 440 has it.
    fn pep440(&mut self, version: &str, set: &Set, call: &Call) -> String {
        if version.parse::<Version>().is_ok() {
            return version.to_owned();
        }
        let place = set.get("version").map_or(&call.place, |a| &a.place).clone();
        self.todo("version", &place, "this is no PEP 440 version: write what the project says of itself");
        let good = (1..version.len())
            .rev()
            .find(|n| version.is_char_boundary(*n) && version[..*n].parse::<Version>().is_ok())
            .unwrap_or(0);
        let (head, rest) = version.split_at(good);
        let words: Vec<&str> =
            rest.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let local =
            format!("{}+{}", if head.is_empty() { "0" } else { head.trim_end_matches('.') }, words.join("."));
        if local.parse::<Version>().is_ok() { local } else { "0".to_owned() }
    }

    fn attribute(&mut self, name: &str, attr: &Attr) {
        if let Some((_, phase)) = PHASES.iter().find(|(n, _)| *n == name) {
            return self.phase(name, attr, phase);
        }
        if let Some((_, table, key)) = LISTS.iter().find(|(n, _, _)| *n == name) {
            return self.string_list(name, attr, (table, key));
        }
        if NEEDLESS.contains(&name) {
            return self.carry(name);
        }
        match name {
            "pname" | "version" | "name" => {
                if !self.force(attr).as_text().is_none_or(|t| t.is_empty()) {
                    self.carry(name);
                }
            }
            "src" => {
                let value = self.force(attr);
                self.source(&value, &attr.place);
            }
            "sourceRoot" => self.subdirectory(name, attr),
            "patches" => self.patches(name, attr),
            "pyproject" | "format" => self.format(name, attr),
            "build-system" => self.build_system(name, attr),
            "nativeBuildInputs" => self.native_inputs(name, attr),
            "buildInputs" | "propagatedNativeBuildInputs" => self.host_inputs(name, attr),
            "dependencies" | "propagatedBuildInputs" | "pythonPath" => {
                self.requirements(name, attr, ("", "dependencies"));
            }
            "optional-dependencies" => self.extras(name, attr),
            "nativeCheckInputs" | "checkInputs" | "nativeInstallCheckInputs" | "installCheckInputs" => {
                self.check_inputs(name, attr);
            }
            "doCheck" | "doInstallCheck" => self.do_check(name, attr),
            "pytestFlagsArray" | "unittestFlagsArray" => self.shell_flags(name, attr),
            "disabledTestMarks" => {
                let marks = self.strings(name, attr);
                self.extend("check", "marks", marks.iter().map(|m| format!("not ({m})")).collect());
            }
            "pythonRelaxDeps" => self.relax(name, attr, ("all", "dependencies")),
            "pythonRemoveDeps" => self.relax(name, attr, ("", "remove")),
            "makeWrapperArgs" => self.wrapper(name, attr),
            "disabled" => self.disabled(name, attr),
            "pypaBuildFlags" => self.build_flags(name, attr),
            "cargoDeps" | "cargoHash" => {
                self.set_default("cargo", "lock", "Cargo.lock");
                self.carry(name);
                self.todo(
                    name,
                    &attr.place,
                    "crates are promised by the source's Cargo.lock, this hash is not used",
                );
            }
            "cargoRoot" => {
                if let Some(root) = self.whole(name, attr) {
                    self.text("cargo", "lock", &format!("{}/Cargo.lock", root.trim_end_matches('/')));
                    self.carry(name);
                }
            }
            "meta" => self.nested(name, attr, Self::meta),
            "passthru" => self.nested(name, attr, Self::passthru),
            "env" => self.nested(name, attr, Self::variable),
            name if is_variable(name) => self.variable(name, attr),
            _ => self.switch(name, attr),
        }
    }

    /// Attributes that turn something on or off.
    fn switch(&mut self, name: &str, attr: &Attr) {
        match name {
            "dontWrapPythonPrograms" => self.flag(name, attr, ("wrap", "enable", false)),
            "permitUserSite" => self.flag(name, attr, ("wrap", "permit-user-site", true)),
            "dontUsePythonRemoveTestsDir" => self.flag(name, attr, ("", "remove-tests", false)),
            "dontUsePythonImportsCheck" => match self.force(attr) {
                Value::Bool(on) => {
                    if on {
                        self.extend("check", "imports", Vec::new());
                    }
                    self.carry(name);
                }
                _ => self.todo(name, &attr.place, "the value cannot be told"),
            },
            "dontUsePytestCheck" | "dontUseUnittestCheck" => match self.force(attr) {
                Value::Bool(on) => {
                    self.tests_off |= on;
                    self.carry(name);
                }
                _ => self.todo(name, &attr.place, "the value cannot be told"),
            },
            "outputs" => match self.force(attr) {
                Value::List(items) if items.iter().all(|i| self.is_usual_output(i)) => self.carry(name),
                _ => self.todo(name, &attr.place, "a package has one output here"),
            },
            _ => self.todo(name, &attr.place, "this has no counterpart"),
        }
    }

    fn is_usual_output(&self, item: &super::value::Item) -> bool {
        matches!(item.thunk.force(self.eval).as_text().as_deref(), Some("out" | "dist"))
    }

    /// A set whose attributes are heard one by one.
    fn nested(&mut self, name: &str, attr: &Attr, one: fn(&mut Self, &str, &Attr)) {
        let Value::Set(set) = self.force(attr) else {
            return self.todo(name, &attr.place, "the value cannot be told");
        };
        self.attributes.remove(name);
        for (key, inner) in &set.attrs {
            let full = format!("{name}.{key}");
            self.attributes.insert(full.clone());
            one(self, &full, inner);
        }
        for hole in set.holes.iter() {
            self.attributes.insert(name.to_owned());
            self.todo(name, hole, "which attributes these are cannot be told");
        }
        if let Some(rest) = &set.rest {
            let rest = rest.join(".");
            self.attributes.insert(name.to_owned());
            self.todo(name, &attr.place, format!("what else `{rest}` holds cannot be told"));
        }
    }

    fn passthru(&mut self, name: &str, attr: &Attr) {
        match name {
            "passthru.optional-dependencies" | "passthru.extras-require" => self.extras(name, attr),
            _ => self.todo(name, &attr.place, "this has no counterpart"),
        }
    }

    /// A variable of the build.
    fn variable(&mut self, name: &str, attr: &Attr) {
        let variable = name.strip_prefix("env.").unwrap_or(name);
        if variable.starts_with("NIX_") {
            return self.todo(name, &attr.place, "only the compiler wrapper of nixpkgs reads it");
        }
        let value = match self.force(attr) {
            Value::Bool(on) => Some(if on { "1" } else { "" }.to_owned()),
            Value::Number(n) => Some(n.to_string()),
            _ => self.whole(name, attr),
        };
        if let Some(value) = value {
            self.set("build", &["env", variable], quote(&value));
            self.carry(name);
        }
    }

    fn flag(&mut self, name: &str, attr: &Attr, (table, key, same): (&str, &str, bool)) {
        match self.force(attr) {
            Value::Bool(on) => {
                self.set(table, &[key], (on == same).to_string());
                self.carry(name);
            }
            _ => self.todo(name, &attr.place, "the value cannot be told"),
        }
    }

    fn format(&mut self, name: &str, attr: &Attr) {
        match self.force(attr) {
            Value::Bool(true) | Value::Null => self.carry(name),
            Value::Bool(false) => {
                self.text("", "format", "other");
                self.carry(name);
            }
            value => match value.as_text().as_deref() {
                Some("pyproject" | "flit" | "setuptools") => self.carry(name),
                Some(format @ ("wheel" | "other")) => {
                    self.text("", "format", format);
                    self.carry(name);
                }
                _ => self.todo(name, &attr.place, "this format has no counterpart"),
            },
        }
    }

    fn subdirectory(&mut self, name: &str, attr: &Attr) {
        let Some(text) = self.whole(name, attr) else { return };
        let inner = text.split_once('/').map(|(_, rest)| rest.trim_matches('/')).unwrap_or("");
        if let (false, Some(source)) = (inner.is_empty(), self.sources.first_mut()) {
            source.push(("subdirectory".to_owned(), quote(inner)));
            return self.carry(name);
        }
        match inner.is_empty() {
            // The top folder itself, whatever it is called.
            true => self.carry(name),
            false => self.todo(name, &attr.place, "there is no source to have a folder of"),
        }
    }

    fn patches(&mut self, name: &str, attr: &Attr) {
        let value = self.force(attr);
        let mut files = Vec::new();
        for item in self.eval.items(&value, &attr.place) {
            match (item.thunk.force(self.eval), &item.when) {
                (_, super::cond::Cond::Never) => {}
                (Value::Path(path, at), super::cond::Cond::Always) => match self.local(&path, &at) {
                    Some(file) => files.push(file),
                    None => self.todo(name, &item.place, "a path of one machine is no patch for others"),
                },
                (Value::Call(call), _) if call.last().starts_with("fetchpatch") => {
                    let why = "the hash is that of a patch nixpkgs has tidied up: give the address with the \
                               sha256 of the file itself, `{ url, hash }`";
                    self.todo(name, &item.place, why);
                }
                (Value::Path(..), _) => {
                    self.todo(name, &item.place, "a patch cannot be for some platforms only");
                }
                _ => self.todo(name, &item.place, "which patch this is cannot be told"),
            }
        }
        self.carry(name);
        if let (false, Some(source)) = (files.is_empty(), self.sources.first_mut()) {
            source.push(("patches".to_owned(), super::draft::list(&files)));
        }
    }

    fn relax(&mut self, name: &str, attr: &Attr, (all, key): (&str, &str)) {
        match self.force(attr) {
            Value::Bool(true) if !all.is_empty() => {
                self.set("relax", &[all], "true".to_owned());
                self.carry(name);
            }
            Value::Bool(false) => self.carry(name),
            Value::Bool(true) => self.todo(name, &attr.place, "name the requirements to remove"),
            _ => self.string_list(name, attr, ("relax", key)),
        }
    }

    /// `disabled = pythonOlder "3.9"`.
    fn disabled(&mut self, name: &str, attr: &Attr) {
        let value = self.force(attr);
        let Some(enabled) = self.eval.truth(&value).map(|c| c.not()) else {
            return self.todo(name, &attr.place, "which interpreters these are cannot be told");
        };
        let parts = match enabled {
            super::cond::Cond::Always => Vec::new(),
            super::cond::Cond::All(parts) => parts,
            one => vec![one],
        };
        let versions: Vec<String> = parts.iter().filter_map(|c| c.specifiers()).collect();
        if versions.len() < parts.len() {
            self.todo(name, &attr.place, "`requires-python` is about versions only");
        }
        if !versions.is_empty() {
            self.text("", "requires-python", &versions.join(","));
        }
        if versions.len() == parts.len() || !versions.is_empty() {
            self.carry(name);
        }
    }

    /// `pypaBuildFlags`: of the frontend's flags, those for the backend.
    fn build_flags(&mut self, name: &str, attr: &Attr) {
        for flag in self.strings(name, attr) {
            let setting = flag.strip_prefix("--config-setting=").or_else(|| flag.strip_prefix("-C"));
            match setting.and_then(|s| s.split_once('=')) {
                Some((key, value)) => self.set("build", &["config-settings", key], quote(value)),
                None if matches!(flag.as_str(), "--skip-dependency-check" | "--no-isolation") => {}
                None => self.todo(name, &attr.place, format!("`{flag}` is no setting of the backend")),
            }
        }
    }

    /// What follows from all attributes together.
    fn close(&mut self, set: &Set) {
        let says = |name: &str| set.get(name).is_some();
        let old = match set.get("format").map(|a| a.thunk.force(self.eval).as_text()) {
            Some(format) => format.as_deref() == Some("setuptools"),
            None => !says("pyproject"),
        };
        let listed = self.needs("", "build-system").iter().any(|n| n.project.starts_with("setuptools"));
        if old && !listed && !self.is_wheel() {
            self.need("", "build-system", Need::of("setuptools"));
        }
        self.some_source();
        // Without one the recipe could not be read; this one says so itself.
        if self.says("format", "other") && !self.has_list("phases\0", "install") {
            self.shell_line("install", "echo 'this phase is to be written: see the TODO' >&2\nexit 1");
        }
        self.compiler();
        self.tests();
        self.phases();
        self.affixes();
        self.drop_unreadable();
    }

    /// Requirements whose names no project can have.
    fn drop_unreadable(&mut self) {
        for (list, need) in self.take_needs(|need| need.text().parse::<Requirement>().is_err()) {
            let place = super::packages::nowhere();
            self.todo(&list, &place, format!("`{need}` is no requirement"));
        }
    }
}

/// `SETUPTOOLS_SCM_PRETEND_VERSION` and the like.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
