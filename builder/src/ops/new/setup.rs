//! What setup.cfg and setup.py say of a project.
//!
//! Knows setuptools' words. Must never run a setup.py: what it computes is
//! not known, and said so.

use std::collections::BTreeMap;

use super::literal::{Literal, assigned, setup_arguments};
use super::project::{Texts, Told, plain, requirement_lines};

/// Reads both; setup.py's own arguments come first.
pub fn read(texts: &Texts<'_>, told: &mut Told) {
    let script = texts.text("setup.py").unwrap_or_default();
    let arguments = setup_arguments(&script);
    let config = config(&texts.text("setup.cfg").unwrap_or_default());
    let say = |section: &str, key: &str| -> Option<String> {
        config.get(section)?.get(key).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let either = |key: &str| {
        Some(plain(arguments.get(key))).filter(|t| !t.is_empty()).or_else(|| say("metadata", key))
    };
    told.name = told.name.take().or_else(|| either("name"));
    if told.version.is_none() {
        told.version = either("version").and_then(|text| version(texts, &text));
    }
    told.say("Summary", &either("description").unwrap_or_default());
    told.say("Home-page", &either("url").unwrap_or_default());
    told.say("License", &either("license").unwrap_or_default());
    let python = Some(plain(arguments.get("python_requires"))).filter(|t| !t.is_empty());
    told.say("Requires-Python", &python.or_else(|| say("options", "python_requires")).unwrap_or_default());
    let classifiers = arguments.get("classifiers").and_then(Literal::texts).unwrap_or_default();
    let of_config = say("metadata", "classifiers").unwrap_or_default();
    for classifier in classifiers.iter().map(String::as_str).chain(of_config.lines()) {
        told.say("Classifier", classifier);
    }
    needs(texts, (&arguments, &config), told);
    extras((&arguments, &config), told);
    scripts((&arguments, &config), told);
}

/// A version that is written there, or in the place that is named there.
fn version(texts: &Texts<'_>, text: &str) -> Option<String> {
    if let Some(file) = text.strip_prefix("file:") {
        return texts.text(file.trim()).map(|text| text.trim().to_owned());
    }
    let Some(attribute) = text.strip_prefix("attr:") else { return Some(text.to_owned()) };
    let (module, name) = attribute.trim().rsplit_once('.')?;
    let path = module.replace('.', "/");
    ["", "src/"]
        .into_iter()
        .flat_map(|folder| [format!("{folder}{path}.py"), format!("{folder}{path}/__init__.py")])
        .find_map(|path| assigned(&texts.text(&path)?, name)?.text().map(str::to_owned))
}

type Config = BTreeMap<String, BTreeMap<String, String>>;

fn needs(texts: &Texts<'_>, (arguments, config): (&BTreeMap<String, Literal>, &Config), told: &mut Told) {
    if let Some(value) = arguments.get("install_requires") {
        match value.texts() {
            Some(list) => told.needs(&list, None),
            None => told.notes.push(
                "`install_requires` is computed in setup.py: write `dependencies` into the recipe".to_owned(),
            ),
        }
    }
    let Some(text) = config.get("options").and_then(|o| o.get("install_requires")) else { return };
    match text.trim().strip_prefix("file:") {
        Some(file) => {
            let lines = texts.text(file.trim()).unwrap_or_default();
            told.needs(&requirement_lines(&lines).0, None);
        }
        None => told.needs(&items(text), None),
    }
}

fn extras((arguments, config): (&BTreeMap<String, Literal>, &Config), told: &mut Told) {
    match arguments.get("extras_require") {
        Some(Literal::Map(all)) => {
            for (extra, value) in all {
                // `":python_version < '3'"` is no extra: setuptools' older way of a marker.
                match (value.texts(), extra.strip_prefix(':')) {
                    (Some(list), None) => told.needs(&list, Some(extra)),
                    (Some(list), Some(marker)) => {
                        let list: Vec<String> = list.iter().map(|t| format!("{t} ; {marker}")).collect();
                        told.needs(&list, None);
                    }
                    (None, _) => told.notes.push(format!("the extra `{extra}` is computed in setup.py")),
                }
            }
        }
        Some(_) => told.notes.push("`extras_require` is computed in setup.py".to_owned()),
        None => {}
    }
    for (extra, text) in config.get("options.extras_require").into_iter().flatten() {
        told.needs(&items(text), Some(extra));
    }
}

/// Executables, and whether there is anything beside them.
fn scripts((arguments, config): (&BTreeMap<String, Literal>, &Config), told: &mut Told) {
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let options = config.get("options");
    let files = arguments.get("scripts").and_then(Literal::texts).unwrap_or_default();
    let of_config = options.and_then(|o| o.get("scripts")).map(|t| items(t)).unwrap_or_default();
    let files: Vec<String> = files.iter().chain(&of_config).map(|path| base(path)).collect();
    let nothing = |key: &str| {
        let empty = arguments.get(key).is_none_or(|v| matches!(v, Literal::List(all) if all.is_empty()));
        empty && options.and_then(|o| o.get(key)).is_none_or(|t| t.trim().is_empty())
    };
    // Without a word of either setuptools looks for itself.
    let said = ["packages", "py_modules"].iter().any(|key| arguments.contains_key(*key));
    told.only_scripts |= !files.is_empty() && said && nothing("packages") && nothing("py_modules");
    told.scripts.extend(files);
    let points = match arguments.get("entry_points") {
        Some(Literal::Map(groups)) => groups
            .iter()
            .filter(|(group, _)| group == "console_scripts" || group == "gui_scripts")
            .flat_map(|(_, list)| list.texts().unwrap_or_default())
            .collect(),
        _ => Vec::new(),
    };
    let of_config = config.get("options.entry_points").and_then(|e| e.get("console_scripts"));
    let points = points.into_iter().chain(of_config.into_iter().flat_map(|text| items(text)));
    told.scripts.extend(points.filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned())));
}

/// The items of an indented list, or of one with semicolons.
fn items(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// Sections, keys with `_`, values with their further lines.
fn config(text: &str) -> Config {
    let mut out = Config::new();
    let (mut section, mut key) = (String::new(), String::new());
    for line in text.lines() {
        if line.trim().is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some(value) = out.get_mut(&section).and_then(|s| s.get_mut(&key)) {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some(name) = line.trim().strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.trim().to_owned();
            key.clear();
        } else if let Some((name, value)) = line.split_once('=').or_else(|| line.split_once(':')) {
            let name = name.trim();
            // Extras keep their names.
            key = if section == "options.extras_require" { name.to_owned() } else { name.replace('-', "_") };
            out.entry(section.clone()).or_default().insert(key.clone(), value.trim().to_owned());
        }
    }
    out
}
