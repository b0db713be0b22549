//! A folder that holds a web application and no project: what a
//! pyproject.toml for it would say.
//!
//! Knows setuptools' tables. Must never write into the folder: the text goes
//! into a phase of the recipe.

use std::collections::BTreeSet;

use super::project::{Texts, Told, requirement_lines};
use super::web::{ASIDE, App, Framework};

/// The project it is taken for, and the tables of its recipe.
pub struct Bare {
    /// What a project of its own would have told.
    pub told: Told,
    /// `[phases]` and `[check]`.
    pub tables: String,
}

/// Takes a folder with applications for a project.
pub fn project(name: &str, apps: &[App], texts: &Texts<'_>) -> Bare {
    let mut told = Told { name: Some(name.to_owned()), version: Some("0".to_owned()), ..Told::default() };
    told.say("Metadata-Version", "2.4");
    told.notes.push(
        "the folder has no project files: the recipe's post-patch phase makes a pyproject.toml".to_owned(),
    );
    told.notes.push("no version is said anywhere: it is `0`".to_owned());
    needs(apps, texts, &mut told);
    // All in `src`, or all at the top.
    let root = if apps.iter().all(|app| app.place.starts_with("src/")) { "src/" } else { "" };
    let (modules, packages) = importable(apps, texts, root);
    let script = apps.iter().find(|app| app.framework == Framework::Flask && app.is_object());
    if script.is_some() {
        told.scripts.push(name.to_owned());
        told.only_scripts = true;
    }
    let text = pyproject((name, &told), script, (&modules, &packages, root));
    let phase = format!("cat > pyproject.toml <<'END'\n{text}END\n");
    let imports: Vec<String> = apps.iter().map(|app| app.module().to_owned()).collect();
    let imports: BTreeSet<&String> = imports.iter().collect();
    let imports: Vec<String> = imports.into_iter().map(|module| quote(module)).collect();
    let tables =
        format!("[phases]\npost-patch = {}\n[check]\nimports = [{}]\n", quote(&phase), imports.join(", "));
    Bare { told, tables }
}

/// requirements.txt, else what serves it.
fn needs(apps: &[App], texts: &Texts<'_>, told: &mut Told) {
    let Some(text) = texts.text("requirements.txt") else {
        let projects: BTreeSet<&str> = apps.iter().map(|app| app.framework.project()).collect();
        let projects: Vec<String> = projects.into_iter().map(str::to_owned).collect();
        told.notes
            .push(format!("there is no requirements.txt: `dependencies` has only {}", projects.join(", ")));
        return told.needs(&projects, None);
    };
    let (lines, others) = requirement_lines(&text);
    told.needs(&lines, None);
    for line in others {
        told.notes.push(format!("`{line}` of requirements.txt is no requirement: it is left out"));
    }
}

/// Modules and packages below the root; beside modules the folders that Flask
/// looks for next to them.
fn importable(apps: &[App], texts: &Texts<'_>, root: &str) -> (Vec<String>, Vec<String>) {
    let (mut modules, mut packages, mut folders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for file in texts.files.iter().filter_map(|file| file.strip_prefix(root)) {
        match file.split_once('/') {
            None => {
                let module = file.strip_suffix(".py").filter(|m| !m.starts_with("test_"));
                let aside = ["setup", "conftest", "manage", "noxfile"];
                modules.extend(module.filter(|m| !aside.contains(m)).map(str::to_owned));
            }
            Some((folder, "__init__.py")) if !ASIDE.contains(&folder) => {
                packages.insert(folder.to_owned());
            }
            Some((folder @ ("templates" | "static"), _)) => {
                folders.insert(folder.to_owned());
            }
            Some(_) => {}
        }
    }
    packages.extend(apps.iter().filter_map(|app| Some(app.module().split_once('.')?.0.to_owned())));
    if !modules.is_empty() {
        packages.extend(folders);
    }
    (modules.into_iter().collect(), packages.into_iter().collect())
}

fn pyproject(
    (name, told): (&str, &Told),
    script: Option<&App>,
    (modules, packages, root): (&[String], &[String], &str),
) -> String {
    let list = |items: &[String]| {
        let quoted: Vec<String> = items.iter().map(|item| quote(item)).collect();
        format!("[{}]", quoted.join(", "))
    };
    let needed = told.headers.lines().filter_map(|line| line.strip_prefix("Requires-Dist: "));
    let needed: Vec<String> = needed.map(str::to_owned).collect();
    let mut out = format!(
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n\n\
         [project]\nname = {}\nversion = \"0\"\ndependencies = {}\n",
        quote(name),
        list(&needed)
    );
    if let Some(app) = script {
        out.push_str(&format!(
            "\n[project.scripts]\n{} = {}\n",
            quote(name),
            quote(&format!("{}.run", app.object))
        ));
    }
    out.push_str(&format!("\n[tool.setuptools]\npy-modules = {}\n", list(modules)));
    if !root.is_empty() {
        out.push_str("package-dir = { \"\" = \"src\" }\n");
    }
    let all: Vec<String> = packages.iter().flat_map(|p| [p.clone(), format!("{p}.*")]).collect();
    if all.is_empty() {
        return out;
    }
    let place = if root.is_empty() { "." } else { "src" };
    out.push_str(&format!(
        "\n[tool.setuptools.packages.find]\nwhere = [\"{place}\"]\ninclude = {}\n\
         \n[tool.setuptools.package-data]\n\"*\" = [\"**\"]\n",
        list(&all)
    ));
    out
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
