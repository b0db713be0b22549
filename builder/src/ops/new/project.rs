//! What a project's own files say of it, as core metadata: pyproject.toml
//! first, then setup.cfg and setup.py, then what only its code says.
//!
//! Knows the three files as texts. Must never run any of them, and never know
//! where the project came from.

use recipes::marker::{ExtraSplit, split_extra};

use super::literal::{Literal, assigned};
use super::{poetry, setup};
use crate::error::{Error, Result};

/// The files of a source, by their paths below its top.
pub struct Texts<'a> {
    /// All there are, sorted.
    pub files: &'a [String],
    /// The text of one.
    pub read: &'a dyn Fn(&str) -> Option<String>,
}

impl Texts<'_> {
    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.files.binary_search_by(|f| f.as_str().cmp(path)).is_ok()
    }

    /// The text of a file that there is.
    pub fn text(&self, path: &str) -> Option<String> {
        if self.has(path) { (self.read)(path) } else { None }
    }
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The project's name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// `version = { from = "pyproject" }` has the same.
    pub in_pyproject: bool,
    /// Core metadata.
    pub headers: String,
    /// The names of its executables.
    pub scripts: Vec<String>,
    /// It has executables and says that there is nothing to import.
    pub only_scripts: bool,
    /// What the user should look at.
    pub notes: Vec<String>,
}

impl Told {
    /// A header; one without a value is none.
    pub fn say(&mut self, key: &str, value: &str) {
        let words: Vec<&str> = value.split_whitespace().collect();
        if !words.is_empty() {
            self.headers.push_str(&format!("{key}: {}\n", words.join(" ")));
        }
    }

    /// Whether a header is there.
    pub fn says(&self, key: &str) -> bool {
        self.headers.lines().any(|line| line.split(':').next() == Some(key))
    }

    /// Requirements, of an extra if one is named.
    pub fn needs(&mut self, texts: &[String], extra: Option<&str>) {
        for text in texts {
            let text = match addressed(text) {
                None => text.clone(),
                Some((name, marker)) => {
                    self.notes.push(format!(
                        "{name} is wanted from an address of its own: a recipe asks for a name, so write one \
                         of that name with `git` or `url` in [source]"
                    ));
                    format!("{name}{marker}")
                }
            };
            let text = match (extra, text.split_once(';')) {
                (None, _) => text,
                (Some(extra), None) => format!("{text} ; extra == '{extra}'"),
                (Some(extra), Some((what, when))) => {
                    format!("{what}; ({}) and extra == '{extra}'", when.trim())
                }
            };
            self.say("Requires-Dist", &text);
        }
    }
}

/// Of a direct reference (PEP 508: `name @ address ; marker`) the name with its
/// extras, and the marker with its semicolon.
fn addressed(text: &str) -> Option<(&str, String)> {
    let (name, rest) = text.split_once('@')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-[], ".contains(c);
    let marker = rest.split_once(" ;").map_or_else(String::new, |(_, marker)| format!(" ;{marker}"));
    name.chars().all(is_name).then(|| (name.trim(), marker))
}

/// Reads a project; nothing where there is none of the three files.
pub fn read(texts: &Texts<'_>) -> Result<Option<Told>> {
    let Some(table) = table(texts)? else { return Ok(None) };
    let mut told = Told::default();
    told.say("Metadata-Version", "2.4");
    let project = table.get("project").and_then(toml::Value::as_table);
    let old = table.get("tool").and_then(|t| t.get("poetry")).and_then(toml::Value::as_table);
    if let Some(project) = project {
        of_project(project, &mut told)?;
    }
    if let Some(old) = old
        && told.name.is_none()
    {
        poetry::read(old, &mut told);
    }
    if let Some(project) = project {
        dynamic(project, &table, (texts, &mut told));
    } else if old.is_none() {
        setup::read(texts, &mut told);
    }
    scripts_alone(&table, &mut told);
    if told.version.is_none() && !asks_a_vcs(&table) {
        told.version = in_code(texts, &table, told.name.as_deref());
    }
    Ok(Some(told))
}

/// pyproject.toml, or an empty table beside a setup.py or setup.cfg.
fn table(texts: &Texts<'_>) -> Result<Option<toml::Table>> {
    let old = texts.has("setup.py") || texts.has("setup.cfg");
    let Some(text) = texts.text("pyproject.toml") else { return Ok(old.then(toml::Table::new)) };
    let table: toml::Table = toml::from_str(&text)
        .map_err(|e| Error::input("failed to read the project's pyproject.toml").because(e.message()))?;
    // One for linters only is no project's.
    let known = ["project", "build-system"].iter().any(|key| table.contains_key(*key))
        || table.get("tool").and_then(|t| t.get("poetry")).is_some();
    Ok((known || old).then_some(table))
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    let list = value.and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// PEP 621's table.
fn of_project(project: &toml::Table, told: &mut Told) -> Result<()> {
    let text = |key: &str| project.get(key).and_then(toml::Value::as_str);
    told.name = text("name").map(str::to_owned);
    told.version = text("version").map(str::to_owned);
    told.in_pyproject = told.version.is_some();
    told.say("Summary", text("description").unwrap_or_default());
    told.say("Requires-Python", text("requires-python").unwrap_or_default());
    match project.get("license") {
        Some(toml::Value::String(expression)) => told.say("License-Expression", expression),
        Some(toml::Value::Table(table)) => {
            told.say("License", table.get("text").and_then(toml::Value::as_str).unwrap_or_default());
        }
        _ => {}
    }
    for classifier in strings(project.get("classifiers")) {
        told.say("Classifier", &classifier);
    }
    for (label, url) in project.get("urls").and_then(toml::Value::as_table).into_iter().flatten() {
        told.say("Project-URL", &format!("{label}, {}", url.as_str().unwrap_or_default()));
    }
    told.needs(&strings(project.get("dependencies")), None);
    let extras = project.get("optional-dependencies").and_then(toml::Value::as_table);
    for (extra, list) in extras.into_iter().flatten() {
        told.needs(&strings(Some(list)), Some(extra));
    }
    for key in ["scripts", "gui-scripts"] {
        let names = project.get(key).and_then(toml::Value::as_table).into_iter().flatten();
        told.scripts.extend(names.map(|(name, _)| name.clone()));
    }
    match &told.name {
        Some(_) => Ok(()),
        None => Err(Error::input("the project's pyproject.toml has no `project.name`")
            .hint("write `name = \"…\"` below `[project]`")),
    }
}

/// What setuptools takes from files, and setup.py from setup.py.
fn dynamic(project: &toml::Table, table: &toml::Table, (texts, told): (&Texts<'_>, &mut Told)) {
    let dynamic = strings(project.get("dynamic"));
    let from = below(table, &["tool", "setuptools", "dynamic"]);
    let files = |value: Option<&toml::Value>| -> Option<Vec<String>> {
        let file = value?.get("file")?;
        let names = file.as_str().map_or_else(|| strings(Some(file)), |name| vec![name.to_owned()]);
        let mut out = Vec::new();
        for name in names {
            out.extend(requirement_lines(&texts.text(&name)?).0);
        }
        Some(out)
    };
    if dynamic.iter().any(|key| key == "dependencies") {
        match files(from.and_then(|f| f.get("dependencies"))) {
            Some(list) => told.needs(&list, None),
            None => {
                let note = "`dependencies` are dynamic in pyproject.toml: only its build backend knows them";
                let mut of_setup = Told::default();
                setup::read(texts, &mut of_setup);
                match of_setup.says("Requires-Dist") {
                    true => {
                        let lines = of_setup.headers.lines().filter(|l| l.starts_with("Requires-Dist:"));
                        lines.for_each(|line| told.headers.push_str(&format!("{line}\n")));
                    }
                    false => told.notes.push(format!("{note}: write them into the recipe")),
                }
            }
        }
    }
    if dynamic.iter().any(|key| key == "optional-dependencies") {
        let extras = from.and_then(|f| f.get("optional-dependencies")).and_then(toml::Value::as_table);
        for (extra, value) in extras.into_iter().flatten() {
            told.needs(&files(Some(value)).unwrap_or_default(), Some(extra));
        }
    }
}

fn below<'t>(table: &'t toml::Table, keys: &[&str]) -> Option<&'t toml::Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

/// `[tool.setuptools]` of a project that is nothing but scripts.
fn scripts_alone(table: &toml::Table, told: &mut Told) {
    let Some(own) = below(table, &["tool", "setuptools"]) else { return };
    let scripts = strings(own.get("script-files"));
    let none = |key: &str| own.get(key).and_then(toml::Value::as_array).is_some_and(Vec::is_empty);
    let some = |key: &str| !strings(own.get(key)).is_empty();
    let nothing = (none("py-modules") || none("packages")) && !some("py-modules") && !some("packages");
    told.only_scripts |= !scripts.is_empty() && nothing;
    told.scripts.extend(scripts);
}

/// Whether the version is that of a checkout.
fn asks_a_vcs(table: &toml::Table) -> bool {
    let requires = strings(below(table, &["build-system", "requires"]));
    let words =
        ["setuptools-scm", "setuptools_scm", "hatch-vcs", "hatch_vcs", "versioningit", "pbr", "flit-scm"];
    requires.iter().any(|r| words.iter().any(|word| r.to_lowercase().starts_with(word)))
        || below(table, &["tool", "setuptools_scm"]).is_some()
}

/// A version that is a literal in the project's code.
fn in_code(texts: &Texts<'_>, table: &toml::Table, name: Option<&str>) -> Option<String> {
    let of = |path: &str, variable: &str| {
        let text = texts.text(path)?;
        assigned(&text, variable).and_then(|v| v.text().map(str::to_owned))
    };
    let modules = |module: &str| {
        let path = module.replace('.', "/");
        ["", "src/"]
            .into_iter()
            .flat_map(|folder| [format!("{folder}{path}.py"), format!("{folder}{path}/__init__.py")])
            .collect::<Vec<_>>()
    };
    let from = below(table, &["tool", "setuptools", "dynamic", "version"]);
    if let Some(attr) = from.and_then(|f| f.get("attr")).and_then(toml::Value::as_str) {
        let (module, variable) = attr.rsplit_once('.')?;
        return modules(module).iter().find_map(|path| of(path, variable));
    }
    if let Some(file) = from.and_then(|f| f.get("file")).and_then(toml::Value::as_str) {
        return texts.text(file).map(|text| text.trim().to_owned());
    }
    if let Some(path) = below(table, &["tool", "hatch", "version", "path"]).and_then(toml::Value::as_str) {
        return of(path, "__version__").or_else(|| of(path, "VERSION"));
    }
    if let Some(path) = below(table, &["tool", "pdm", "version", "path"]).and_then(toml::Value::as_str) {
        return of(path, "__version__");
    }
    let module = name?.to_lowercase().replace(['-', '.'], "_");
    let ends = ["", "._version", ".__about__", ".version", ".__version__"];
    ends.iter().flat_map(|end| modules(&format!("{module}{end}"))).find_map(|path| of(&path, "__version__"))
}

/// The requirements of a requirements file, and the lines that are none.
pub fn requirement_lines(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut out, mut others) = (Vec::new(), Vec::new());
    for line in text.replace("\\\n", " ").lines() {
        let line = line.split(" #").next().unwrap_or_default();
        // Hashes of the files to take are not the requirement's.
        let line = line.split(" --hash").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let plain = !line.starts_with('-') && recipes::parse::mend_requirement(line).is_some();
        let always = matches!(split_extra(line), ExtraSplit::Always);
        if plain && always { out.push(line.to_owned()) } else { others.push(line.to_owned()) }
    }
    (out, others)
}

/// The text of a value; empty where it is none.
pub fn plain(value: Option<&Literal>) -> String {
    value.and_then(Literal::text).unwrap_or_default().to_owned()
}
