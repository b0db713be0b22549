//! `env` and `run`: environments of what a run built.
//!
//! Knows closures and installs. Must never know launchers or links
//! (`outputs` does).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recipes::diag::Finding;
use recipes::recipe::{Kind as RecipeKind, Origin};
use recipes::set::RecipeId;

use crate::error::{Error, IoContext as _, Result};
use crate::event::StepKind;
use crate::key::TreeDigest;
use crate::ops::beside::Beside;
use crate::ops::build::{Built, Planned};
use crate::ops::direct_url;
use crate::ops::goals::{self, Goal};
use crate::ops::steps::env::{
    bound_name, compose, install_of, member_parts, members, members_to_edit, with_code,
};
use crate::outputs::env::{Composed, Style};
use crate::outputs::modules::Member;
use crate::store::realisation::{Output, PythonModule};

/// An environment is made in a new or empty folder only.
pub fn check_target(out: &Path) -> Result<()> {
    let mut entries = match std::fs::read_dir(out) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::input(format!("failed to look at `{}`", out.display())).because(e)),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Error::input(format!("`{}` is not empty", out.display()))
            .hint("an environment is made in a new folder: remove this one first, or name another")),
    }
}

/// The members of the closure of all goals together, ready to be composed in
/// this style.
pub fn closure_members(
    planned: &Planned,
    built: &Built,
    (goals, style): (&[Goal], Style),
) -> Result<Vec<Member>> {
    let closure = goals::closure(&planned.set, goals).map_err(|all| findings_error(&all))?;
    let mut installs: Vec<(PythonModule, TreeDigest)> = Vec::new();
    let mut applications = Vec::new();
    for id in closure.members.iter().map(|m| m.id) {
        let recipe = planned.set.get(id);
        let realisation = planned
            .of(built, id, StepKind::Install)
            .ok_or_else(|| Error::bug(format!("the install of {} is not part of the plan", recipe.pname)))?;
        if recipe.kind == RecipeKind::Application {
            let Output::Tree(tree) = &realisation.output else { continue };
            applications.push(Member {
                name: recipe.pname.to_string(),
                version: recipe.version.to_string(),
                module: None,
                tree: with_code(&planned.machines, tree)?,
                copies: None,
            });
            continue;
        }
        installs.push(install_of(realisation)?);
    }
    let mut all = match style {
        Style::Working => members_to_edit(&planned.machines, &installs)?,
        Style::Frozen | Style::Solid => members(&planned.machines, &installs)?,
    };
    all.extend(applications);
    Ok(all)
}

fn findings_error(all: &[Finding]) -> Error {
    let mut error = Error::input("these packages cannot stand in one environment");
    for finding in all {
        error.causes.push(finding.message.clone());
        error.hints.extend(finding.hints.iter().cloned());
    }
    error
}

/// PEP 610 texts of the members of the goals' closure that come from git, an
/// address or a folder.
pub fn direct_urls(planned: &Planned, goals: &[Goal]) -> Result<BTreeMap<String, String>> {
    let closure = goals::closure(&planned.set, goals).map_err(|all| findings_error(&all))?;
    let mut texts = BTreeMap::new();
    for id in closure.members.iter().map(|m| m.id) {
        let Ok(source) = planned.set.source_for(id) else { continue };
        let commit = match source.origin {
            Origin::Git { .. } => commit_of(planned, id)?,
            _ => None,
        };
        let folder = |dir: &str| {
            let folder = planned.loaded.folder_of(&source.base).join(dir);
            folder.canonicalize().unwrap_or(folder)
        };
        if let Some(text) = direct_url::text(source, &folder, commit.as_deref()) {
            texts.insert(planned.set.get(id).pname.to_string(), text);
        }
    }
    Ok(texts)
}

/// The commit that was fetched, as the store remembers it.
fn commit_of(planned: &Planned, id: RecipeId) -> Result<Option<String>> {
    let Some(step) = planned.plan.of.get((id, StepKind::Fetch)) else { return Ok(None) };
    let fetched = planned.machines.store.lookup(&planned.plan.steps[step].key)?;
    let facts = fetched.and_then(|f| serde_json::from_str::<serde_json::Value>(&f.facts).ok());
    Ok(facts.and_then(|facts| facts["commit"].as_str().map(str::to_owned)))
}

/// A working environment at `out`.
pub fn working(planned: &Planned, built: &Built, out: &Path) -> Result<Composed> {
    let members = closure_members(planned, built, (&planned.goals, Style::Working))?;
    // Composed beside its place and renamed, so that it is whole or absent.
    let beside = Beside::of(out)?;
    let staged = beside.path().join("env");
    let urls = direct_urls(planned, &planned.goals)?;
    let result = compose(&planned.machines, &members, (&staged, out), (Style::Working, &urls));
    let made = result?;
    // As `venv` and others do: no file list of a project has to name it.
    std::fs::write(staged.join(".gitignore"), "*\n").doing(|| "failed to write `.gitignore`".to_owned())?;
    if out.is_dir() {
        std::fs::remove_dir(out).doing(|| format!("failed to replace `{}`", out.display()))?;
    }
    std::fs::rename(&staged, out).doing(|| format!("failed to make `{}`", out.display()))?;
    // Large files of it are hard links: they stay whole, but need not be made again.
    planned.machines.store.add_root(out, &planned.keys_of(&planned.goals))?;
    Ok(made)
}

/// A frozen environment in the store, made once for the same members; whether
/// it was there.
pub fn frozen(planned: &Planned, built: &Built) -> Result<(PathBuf, bool)> {
    let members = closure_members(planned, built, (&planned.goals, Style::Frozen))?;
    // This process may become a command, which has nothing to compile.
    planned.machines.compiler.close();
    let urls = direct_urls(planned, &planned.goals)?;
    let machines = &planned.machines;
    let mut parts = member_parts(machines.store.root(), &members);
    parts.sort();
    parts.extend(urls.iter().map(|(name, text)| format!("{name} {text}")));
    parts.push(machines.interpreter.exe.display().to_string());
    parts.push(machines.interpreter.identity.hex());
    let name = bound_name("env", &parts);
    if let Some(place) = machines.store.env(&name)? {
        return Ok((place, true));
    }
    let place = machines.store.envs_dir().join(&name);
    let temp = machines.store.temp_dir()?;
    let staged = temp.path().join("env");
    compose(machines, &members, (&staged, &place), (Style::Frozen, &urls))?;
    Ok((machines.store.add_env(&name, &staged)?, false))
}
