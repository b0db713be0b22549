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
use crate::key::{StepKey, TreeDigest};
use crate::ops::beside::Beside;
use crate::ops::build::{Built, Planned};
use crate::ops::direct_url;
use crate::ops::goals::{self, Goal};
use crate::ops::steps::env::{
    bound_name, compose, compose_for, host, install_of, made_before, member_parts, members, members_to_edit,
    with_code,
};
use crate::outputs::env::{Composed, Style};
use crate::outputs::modules::{Host, Member};
use crate::store::Store;
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

/// What an environment of some packages is made of: enough to make it without
/// recipes and a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Makings {
    /// The interpreter.
    pub host: Host,
    /// Name, version and tree of each member.
    pub installs: Vec<(String, String, TreeDigest)>,
    /// PEP 610 texts, by member.
    pub direct_urls: BTreeMap<String, String>,
    /// What a root keeps.
    pub keys: Vec<StepKey>,
}

impl Makings {
    /// Those of the closure of all goals together.
    pub fn of(planned: &Planned, built: &Built) -> Result<Self> {
        let closure = goals::closure(&planned.set, &planned.goals).map_err(|all| findings_error(&all))?;
        let install = |id: RecipeId| {
            let recipe = planned.set.get(id);
            let realised = planned.of(built, id, StepKind::Install).map(|install| &install.output);
            let Some(Output::Tree(tree)) = realised else { return None };
            Some((recipe.pname.to_string(), recipe.version.to_string(), *tree))
        };
        Ok(Self {
            host: host(&planned.machines),
            installs: closure.members.iter().filter_map(|m| install(m.id)).collect(),
            direct_urls: direct_urls(planned, &planned.goals)?,
            keys: planned.keys_of(&planned.goals),
        })
    }

    /// Its members, where all that an environment of this style takes of them
    /// was made before.
    fn members(&self, store: &Store, style: Style) -> Option<Vec<Member>> {
        let member = |(name, version, tree): &(String, String, TreeDigest)| {
            let edited = style == Style::Working;
            let (tree, copies) = made_before(store, (tree, &self.host.identity), edited)?;
            // That they fit each other was seen when they stood together before.
            let module = PythonModule {
                name: name.clone(),
                version: version.clone(),
                python: self.host.python.clone(),
                interpreter: self.host.identity,
                requires: Vec::new(),
                imports: Vec::new(),
                scripts: Vec::new(),
            };
            Some(Member { copies, ..Member::of(module, tree) })
        };
        self.installs.iter().map(member).collect()
    }

    /// The working environment at `out`; nothing when its members must be made
    /// ready first.
    pub fn working(&self, store: &Store, out: &Path) -> Result<Option<Composed>> {
        let Some(members) = self.members(store, Style::Working) else { return Ok(None) };
        let make = |staged: &Path| {
            compose_for(
                (store, &self.host, None),
                &members,
                (staged, out),
                (Style::Working, &self.direct_urls),
            )
        };
        place(store, (out, &self.keys), &make).map(Some)
    }

    /// The same for the frozen one in the store.
    pub fn frozen(&self, store: &Store) -> Result<Option<PathBuf>> {
        let Some(members) = self.members(store, Style::Frozen) else { return Ok(None) };
        let make = |both: (&Path, &Path)| {
            compose_for((store, &self.host, None), &members, both, (Style::Frozen, &self.direct_urls))
        };
        bind(store, (&self.host, &members, &self.direct_urls), &make).map(|(place, _)| Some(place))
    }
}

/// A working environment of these at `out`, whose members are made ready.
pub fn working(planned: &Planned, built: &Built, (makings, out): (&Makings, &Path)) -> Result<Composed> {
    let members = closure_members(planned, built, (&planned.goals, Style::Working))?;
    let urls = &makings.direct_urls;
    let make = |staged: &Path| compose(&planned.machines, &members, (staged, out), (Style::Working, urls));
    place(&planned.machines.store, (out, &makings.keys), &make)
}

/// Puts a working environment at its place, with what a root keeps of it.
fn place(
    store: &Store,
    (out, keys): (&Path, &[StepKey]),
    make: &dyn Fn(&Path) -> Result<Composed>,
) -> Result<Composed> {
    // Composed beside its place and renamed, so that it is whole or absent.
    let beside = Beside::of(out)?;
    let staged = beside.path().join("env");
    let made = make(&staged)?;
    // As `venv` and others do: no file list of a project has to name it.
    std::fs::write(staged.join(".gitignore"), "*\n").doing(|| "failed to write `.gitignore`".to_owned())?;
    if out.is_dir() {
        std::fs::remove_dir(out).doing(|| format!("failed to replace `{}`", out.display()))?;
    }
    std::fs::rename(&staged, out).doing(|| format!("failed to make `{}`", out.display()))?;
    // Large files of it are hard links: they stay whole, but need not be made again.
    store.add_root(out, keys)?;
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
    let make = |both: (&Path, &Path)| compose(machines, &members, both, (Style::Frozen, &urls));
    bind(&machines.store, (&host(machines), &members, &urls), &make)
}

/// What has an environment in the store: who runs it, and what is in it.
type Bound<'a> = (&'a Host, &'a [Member], &'a BTreeMap<String, String>);

/// Finds a frozen environment by its members, or has it made: in a folder, and
/// for the place where it will stand.
fn bind(
    store: &Store,
    (host, members, direct_urls): Bound<'_>,
    make: &dyn Fn((&Path, &Path)) -> Result<Composed>,
) -> Result<(PathBuf, bool)> {
    let mut parts = member_parts(store.root(), members);
    parts.sort();
    parts.extend(direct_urls.iter().map(|(name, text)| format!("{name} {text}")));
    parts.push(host.exe.display().to_string());
    parts.push(host.identity.hex());
    let name = bound_name("env", &parts);
    if let Some(place) = store.env(&name)? {
        return Ok((place, true));
    }
    let place = store.envs_dir().join(&name);
    let temp = store.temp_dir()?;
    let staged = temp.path().join("env");
    make((&staged, &place))?;
    Ok((store.add_env(&name, &staged)?, false))
}
