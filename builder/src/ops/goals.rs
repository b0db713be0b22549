//! Which recipes the words of a command line stand for.
//!
//! Knows names, files and folders. Must never know what is done with them.

use std::collections::HashSet;
use std::path::Path;
use std::str::FromStr;

use recipes::book::Book;
use recipes::diag::Finding;
use recipes::name::{ExtraName, PackageName, Requirement};
use recipes::recipe::Origin;
use recipes::set::{Closure, Member, PackageSet, RecipeId, Want};
use recipes::workspace::Environment;

use crate::error::{Error, Result};
use crate::ops::load::{Loaded, Named};

/// One package that is wanted, with extras: `flask[async]`.
pub type Goal = Member;

/// `--all` and `--base`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everything {
    /// Every recipe outside the base set.
    pub workspace: bool,
    /// Every recipe of the base set.
    pub base: bool,
    /// Those marked as broken, too.
    pub broken: bool,
}

/// What is wanted, and findings about what cannot be.
#[derive(Debug, Default)]
pub struct Wanted {
    /// In the order they were named, each once.
    pub goals: Vec<Goal>,
    /// Names that no recipe has.
    pub findings: Vec<Finding>,
    /// Recipes left out because they are not for this interpreter, with the reason.
    pub left_out: Vec<(String, String)>,
    /// The goals again, to be asked quickly.
    known: HashSet<Goal>,
    /// What is marked as broken is no less wanted.
    broken: bool,
}

/// Takes a word that names an `[env.NAME]`, and no recipe, for that
/// environment. Gives the interpreter that these environments ask for.
pub fn environments(loaded: &mut Loaded) -> Result<Option<String>> {
    let mut python: Option<(String, String)> = None;
    for named in &mut loaded.named {
        let Named::Package(word, _) = named else { continue };
        let Some(environment) = loaded.workspace.envs.get(word) else { continue };
        let name = PackageName::from_str(word).ok();
        if loaded.book.recipes.iter().any(|r| Some(&r.pname) == name.as_ref()) {
            continue;
        }
        match (&python, &environment.python) {
            (Some((first, one)), Some(other)) if one != other => {
                let message = format!("`[env.{first}]` is for Python {one}, `[env.{word}]` for {other}");
                return Err(Error::input(message).hint("make one environment of each, or say --python"));
            }
            (None, Some(one)) => python = Some((word.clone(), one.clone())),
            _ => {}
        }
        *named = Named::Environment(word.clone());
    }
    Ok(python.map(|(_, python)| python))
}

/// Turns words and `--all`/`--base` into recipes. Naming nothing is an error.
pub fn resolve(loaded: &Loaded, set: &PackageSet, everything: Everything) -> Result<Wanted> {
    let mut wanted = Wanted { broken: everything.broken, ..Wanted::default() };
    for id in set.ids() {
        let base = set.get(id).layer == "base";
        if (base && everything.base) || (!base && everything.workspace) {
            wanted.add_if_enabled(set, id);
        }
    }
    for named in &loaded.named {
        match named {
            Named::Package(word, path) => wanted.package(set, (word, path)),
            Named::File(path) => wanted.file(&loaded.book, path)?,
            Named::Folder(folder, files) => wanted.folder((loaded, set), folder, files)?,
            Named::Environment(name) => wanted.environment(set, name, &loaded.workspace.envs[name])?,
        }
    }
    if wanted.goals.is_empty() && wanted.findings.is_empty() {
        if let Some((name, reason)) = wanted.left_out.first() {
            return Err(
                Error::input(format!("`{name}` is left out, and nothing else is named")).because(reason)
            );
        }
        if everything.workspace {
            return Err(loaded.nothing_here());
        }
        return Err(Error::input("nothing is named to work on")
            .hint("name packages or recipe files, or say --all or --base"));
    }
    Ok(wanted)
}

impl Wanted {
    fn add(&mut self, goal: Goal) {
        if self.known.insert(goal.clone()) {
            self.goals.push(goal);
        }
    }

    /// For recipes that were not named one by one: those that are not for
    /// this interpreter or marked as broken are told of, not an error.
    fn add_if_enabled(&mut self, set: &PackageSet, id: RecipeId) {
        let marked = || super::judge::reason(set.get(id), self.broken);
        match set.disabled(id).or_else(marked) {
            Some(reason) => self.left_out.push((set.label(id), reason)),
            None => self.add(id.into()),
        }
    }

    fn package(&mut self, set: &PackageSet, (word, path): (&str, &Path)) {
        let (name, extras) = split_extras(word);
        match set.select(&name) {
            Ok(id) => {
                self.findings.extend(extras.iter().filter_map(|extra| unknown_extra(set, id, extra)));
                self.add(Goal { id, extras });
            }
            // A folder of that name is as likely to be meant.
            Err(finding) if path.is_dir() => {
                self.findings.push(finding.hint(format!("say `./{word}` for the folder of that name")));
            }
            Err(finding) => self.findings.push(finding),
        }
    }

    /// The packages of an `[env.NAME]`, their versions chosen together.
    fn environment(&mut self, set: &PackageSet, name: &str, environment: &Environment) -> Result<()> {
        let wants: Vec<Want> = environment
            .packages
            .iter()
            .map(|d| Want {
                requirement: d.requirement.clone(),
                from: format!("[env.{name}]"),
                place: Some(d.place.clone()),
            })
            .collect();
        let closure = match set.close(&[], &wants) {
            Ok(closure) => closure,
            Err(findings) => {
                self.findings.extend(findings);
                return Ok(());
            }
        };
        if closure.members.is_empty() {
            return Err(Error::input(format!("`[env.{name}]` has no package for this interpreter")));
        }
        for want in wants {
            let pname = want.requirement.name();
            // One whose marker does not hold need not be there.
            let Some(found) = closure.members.iter().find(|m| set.get(m.id).pname == *pname) else {
                continue;
            };
            let extras = want.requirement.parsed.extras.clone();
            self.findings.extend(extras.iter().filter_map(|extra| unknown_extra(set, found.id, extra)));
            self.add(Goal { id: found.id, extras });
        }
        Ok(())
    }

    fn file(&mut self, book: &Book, path: &str) -> Result<()> {
        let found: Vec<usize> = book.of_file(path).collect();
        if found.is_empty() {
            // Its findings were reported already; nothing else stands for it.
            return Err(Error::input(format!("`{path}` holds no recipe of this set"))
                .hint("a recipe needs at least `pname`, `version` and `[source]`"));
        }
        for id in found {
            self.add(RecipeId(id).into());
        }
        Ok(())
    }

    /// A folder is the one recipe whose source it is (`path = "."`), and what
    /// lies beside that are its dependencies; else every recipe in it.
    fn folder(
        &mut self,
        (loaded, set): (&Loaded, &PackageSet),
        folder: &str,
        files: &[String],
    ) -> Result<()> {
        if files.is_empty() {
            return Err(Error::input(format!("there is no recipe in `{folder}`"))
                .hint("a recipe is a TOML file with `pname`"));
        }
        let ids: Vec<RecipeId> =
            files.iter().flat_map(|file| loaded.book.of_file(file)).map(RecipeId).collect();
        let here = Path::new(folder).canonicalize();
        let is_source = |id: &&RecipeId| {
            set.get(**id).sources.iter().any(|source| match &source.origin {
                Origin::Path { dir, .. } => {
                    let path = loaded.folder_of(&source.base).join(dir).canonicalize();
                    path.ok() == here.as_ref().ok().cloned()
                }
                _ => false,
            })
        };
        let mut own = ids.iter().filter(is_source);
        if let (Some(&id), None, true) = (own.next(), own.next(), here.is_ok()) {
            self.add(id.into());
            return Ok(());
        }
        for id in ids {
            self.add_if_enabled(set, id);
        }
        Ok(())
    }
}

/// An extra that was asked for by name and does not exist.
fn unknown_extra(set: &PackageSet, id: RecipeId, extra: &ExtraName) -> Option<Finding> {
    let known = &set.get(id).optional_dependencies;
    if known.contains_key(extra) {
        return None;
    }
    let message = format!("`{}` has no extra `{extra}`", set.label(id));
    let finding = Finding::plain(recipes::codes::UNKNOWN_EXTRA, message);
    let names: Vec<&str> = known.keys().map(AsRef::as_ref).collect();
    Some(match names.as_slice() {
        [] => finding.hint("its recipe has no [optional-dependencies]"),
        names => finding.hint(format!("its extras are {}", names.join(", "))),
    })
}

/// All that the goals need together, with their extras: one version of each
/// name, as one environment holds it.
pub fn closure(set: &PackageSet, goals: &[Goal]) -> std::result::Result<Closure, Vec<Finding>> {
    if let [goal] = goals {
        // The very closure that its steps were planned for.
        return set.run_closure(goal.id, &goal.extras);
    }
    let roots: Vec<RecipeId> = goals.iter().map(|g| g.id).collect();
    let wants: Vec<Want> = goals
        .iter()
        .filter(|g| !g.extras.is_empty())
        .map(|g| {
            let recipe = set.get(g.id);
            let extras: Vec<String> = g.extras.iter().map(ToString::to_string).collect();
            let text = format!("{}[{}]=={}", recipe.pname, extras.join(","), recipe.version);
            let requirement = Requirement::from_str(&text).expect("a name, extras and a version");
            Want { requirement, from: "the command line".to_owned(), place: None }
        })
        .collect();
    set.close(&roots, &wants)
}

/// `flask[async]==3.1` -> (`flask==3.1`, `[async]`); what is no extra stays
/// in the name, where `select` complains about it.
fn split_extras(word: &str) -> (String, Vec<ExtraName>) {
    let Some((name, rest)) = word.split_once('[') else { return (word.to_owned(), Vec::new()) };
    let Some((extras, tail)) = rest.split_once(']') else { return (word.to_owned(), Vec::new()) };
    let parsed: std::result::Result<Vec<ExtraName>, _> =
        extras.split(',').map(|e| ExtraName::from_str(e.trim())).collect();
    match parsed {
        Ok(extras) => (format!("{name}{tail}"), extras),
        Err(_) => (word.to_owned(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_are_split_off() {
        let (name, extras) = split_extras("flask[async,dotenv]==3.1");
        assert_eq!(name, "flask==3.1");
        assert_eq!(extras.iter().map(ToString::to_string).collect::<Vec<_>>(), ["async", "dotenv"]);
        assert_eq!(split_extras("flask").1.len(), 0);
    }
}
