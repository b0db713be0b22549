//! Environments for builds and checks: real venvs with byte code, without a
//! link that leaves them, so that a cell needs one mount.
//!
//! Knows companions of installs and how an environment is kept. Must never
//! know what runs in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use recipes::target::Target;

use crate::error::{Error, IoContext as _, Kind, Result};
use crate::key::{Digest, KeyWriter, StepKey, TreeDigest};
use crate::ops::machines::Machines;
use crate::outputs::copies;
use crate::outputs::env::{self, Spec, Style};
use crate::outputs::launcher::UserSite;
use crate::outputs::modules::{Host, Member};
use crate::python::bytecode;
use crate::store::Store;
use crate::store::realisation::{Output, PythonModule, Realisation};
use crate::tree::fs::{Copying, copy_tree};

/// Raised when the same members are put together in another way, so that
/// environments of before are not found again.
const FORMAT: &str = "3";

/// What an environment in a cell is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `/env` of a build.
    Build,
    /// `/env` of tests.
    Check,
    /// `/env` of an import check, which imports a few modules of each package
    /// once. Compiling all of them first takes longer than that; where their
    /// byte code is wanted anyway, it is one of tests.
    Imports,
}

/// The environment of these installs for a cell: composed once, kept under
/// the digests of what is in it.
pub fn environment(machines: &Machines, installs: &[&Realisation], purpose: Purpose) -> Result<PathBuf> {
    let (step_key, name) = name_of(machines, installs, purpose)?;
    if let Some(place) = machines.store.env(&name)? {
        return Ok(place);
    }
    let going = || !machines.stop.is_stopped();
    let lock = machines.store.lock_while(&step_key, &mut |_| {}, &going)?;
    let _lock = lock.ok_or_else(|| {
        Error::new(Kind::Stopped, "stopped while another run was making the same environment")
    })?;
    if let Some(place) = machines.store.env(&name)? {
        return Ok(place);
    }
    let trees: Vec<(PythonModule, TreeDigest)> =
        installs.iter().map(|r| install_of(r)).collect::<Result<_>>()?;
    let members = match purpose {
        Purpose::Build | Purpose::Check => members(machines, &trees)?,
        Purpose::Imports => members_as_they_are(machines, &trees),
    };
    let temp = machines.store.temp_dir()?;
    let staged = temp.path().join("env");
    compose(machines, &members, (&staged, Path::new("/env")), (Style::Solid, &BTreeMap::new()))?;
    machines.store.add_env(&name, &staged)
}

/// The environment of a build, if it was composed before.
pub fn ready(machines: &Machines, installs: &[&Realisation]) -> Option<PathBuf> {
    let (_, name) = name_of(machines, installs, Purpose::Build).ok()?;
    machines.store.env(&name).ok()?
}

fn name_of(machines: &Machines, installs: &[&Realisation], purpose: Purpose) -> Result<(StepKey, String)> {
    let mut key = KeyWriter::new();
    key.part("kind", format!("{purpose:?}")).part("format", FORMAT);
    key.part("interpreter", machines.interpreter.identity.hex());
    key.part("executable", machines.interpreter.exe.display().to_string());
    for realisation in installs {
        let (module, tree) = install_of(realisation)?;
        key.part(format!("member {}", module.name), tree.hex());
    }
    let step_key = key.step_key();
    let name = format!("cell-{}", &step_key.hex()[..32]);
    Ok((step_key, name))
}

/// The module and tree of an install; anything else is a bug of ours, but an
/// application is the user's.
pub fn install_of(realisation: &Realisation) -> Result<(PythonModule, TreeDigest)> {
    match (&realisation.module, &realisation.output) {
        (Some(module), Output::Tree(tree)) => Ok((module.clone(), *tree)),
        _ => Err(Error::bug("an environment was asked for something that is no install")),
    }
}

/// The host of environments of this run.
pub fn host(machines: &Machines) -> Host {
    Host {
        exe: machines.interpreter.exe.clone(),
        version: machines.interpreter.version.to_string(),
        python: machines.interpreter.short_version(),
        identity: machines.interpreter.identity,
    }
}

/// The installs with their byte code, made where they do not have it yet,
/// several at a time.
pub fn compile(machines: &Machines, trees: &[TreeDigest]) -> Result<Vec<PathBuf>> {
    companions(machines, (trees, &companion_name(machines)), &|tree| with_code(machines, tree))
}

/// The companions of these, made where they are not there yet. On threads of
/// their own, since who makes one waits for processes and for others that make
/// the same.
fn companions(
    machines: &Machines,
    (trees, name): (&[TreeDigest], &str),
    make: &(dyn Fn(&TreeDigest) -> Result<PathBuf> + Sync),
) -> Result<Vec<PathBuf>> {
    let there: Vec<Option<PathBuf>> =
        trees.iter().map(|tree| machines.store.companion_of(tree, name)).collect();
    let missing = trees.iter().zip(&there).filter(|(_, there)| there.is_none()).map(|(tree, _)| tree);
    let mut wanted: Vec<&TreeDigest> = missing.collect();
    wanted.sort();
    wanted.dedup();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(tree) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            make(tree)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers = machines.jobs.min(wanted.len());
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ended = started.into_iter().map(|worker| worker.join());
        let all: Vec<Result<()>> =
            ended.map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect();
        all.into_iter().collect::<Result<()>>()
    })?;
    trees.iter().zip(there).map(|(tree, there)| there.map_or_else(|| make(tree), Ok)).collect()
}

/// Installs with their byte code, ready to be composed.
pub fn members(machines: &Machines, installs: &[(PythonModule, TreeDigest)]) -> Result<Vec<Member>> {
    let trees: Vec<TreeDigest> = installs.iter().map(|(_, tree)| *tree).collect();
    let places = compile(machines, &trees)?;
    Ok(installs.iter().zip(places).map(|((module, _), place)| Member::of(module.clone(), place)).collect())
}

/// The same for an environment whose files people edit.
pub fn members_to_edit(machines: &Machines, installs: &[(PythonModule, TreeDigest)]) -> Result<Vec<Member>> {
    let trees: Vec<TreeDigest> = installs.iter().map(|(_, tree)| *tree).collect();
    let make = |tree: &TreeDigest| with_checked_code(machines, tree);
    let places = companions(machines, (&trees, &checked_name(machines)), &make)?;
    let make = |tree: &TreeDigest| {
        let make = |into: &Path| copies::make(&machines.store.tree_path(tree), into);
        machines.store.companion(tree, copies::COMPANION, &make)
    };
    let packs = companions(machines, (&trees, copies::COMPANION), &make)?;
    let all = installs.iter().zip(places).zip(packs);
    let member = |module: &PythonModule, place, pack| Member {
        copies: Some(pack),
        ..Member::of(module.clone(), place)
    };
    Ok(all.map(|(((module, _), place), pack)| member(module, place, pack)).collect())
}

/// Installs with the byte code that they happen to have: nothing in a cell
/// can write what is missing.
fn members_as_they_are(machines: &Machines, installs: &[(PythonModule, TreeDigest)]) -> Vec<Member> {
    let name = companion_name(machines);
    let place = |tree: &TreeDigest| {
        let companion = machines.store.companion_of(tree, &name);
        companion.unwrap_or_else(|| machines.store.tree_path(tree))
    };
    installs.iter().map(|(module, tree)| Member::of(module.clone(), place(tree))).collect()
}

/// The companion of an install that holds its byte code too. What an
/// environment links to must have it: root's interpreter writes what is
/// missing, through links and read-only modes, and a tree must not change.
pub fn with_code(machines: &Machines, tree: &TreeDigest) -> Result<PathBuf> {
    let store = &machines.store;
    let make = |into: &Path| {
        let made = into.with_extension("tree");
        copy_tree(&store.tree_path(tree), &made, Copying::Linked, None)?;
        let site = made.join(machines.interpreter.site_packages());
        if site.is_dir() {
            machines.compiler.compile(&[site], &machines.stop)?;
        }
        replace(into, &made)
    };
    store.companion(tree, &companion_name(machines), &make)
}

/// The companion of an install that holds byte code which notices edits, made
/// of the one that has the other kind.
fn with_checked_code(machines: &Machines, tree: &TreeDigest) -> Result<PathBuf> {
    let store = &machines.store;
    let make = |into: &Path| {
        let made = into.with_extension("tree");
        copy_tree(&store.tree_path(tree), &made, Copying::Linked, None)?;
        bytecode::checked_copy(&with_code(machines, tree)?, &made)?;
        replace(into, &made)
    };
    store.companion(tree, &checked_name(machines), &make)
}

/// The companion of [`with_code`], if it is there.
pub fn code_of(machines: &Machines, tree: &TreeDigest) -> Option<PathBuf> {
    machines.store.companion_of(tree, &companion_name(machines))
}

fn replace(empty: &Path, made: &Path) -> Result<()> {
    std::fs::remove_dir(empty)
        .and_then(|()| std::fs::rename(made, empty))
        .doing(|| format!("failed to make `{}`", empty.display()))
}

fn companion_name(machines: &Machines) -> String {
    code_name(&machines.interpreter.identity)
}

fn checked_name(machines: &Machines) -> String {
    checked_code_name(&machines.interpreter.identity)
}

/// Byte code depends on the interpreter's magic number, which its identity
/// covers.
fn code_name(interpreter: &Digest) -> String {
    format!("code-{}", &interpreter.hex()[..16])
}

fn checked_code_name(interpreter: &Digest) -> String {
    format!("checked-{}", &interpreter.hex()[..16])
}

/// The companions that an environment of this style takes of an install, where
/// all are there: the tree and, for one that people edit, its copies. `edited`
/// says whether its files are.
pub fn made_before(
    store: &Store,
    (tree, interpreter): (&TreeDigest, &Digest),
    edited: bool,
) -> Option<(PathBuf, Option<PathBuf>)> {
    if !edited {
        return Some((store.companion_of(tree, &code_name(interpreter))?, None));
    }
    let place = store.companion_of(tree, &checked_code_name(interpreter))?;
    Some((place, Some(store.companion_of(tree, copies::COMPANION)?)))
}

/// Composes an environment in `staged` that will stand at `at`.
pub fn compose(
    machines: &Machines,
    members: &[Member],
    (staged, at): (&Path, &Path),
    (style, direct_urls): (Style, &BTreeMap<String, String>),
) -> Result<env::Composed> {
    // What a build or check cannot do without, it says itself; `verify` has a step of its own.
    let target = (style != Style::Solid).then_some(&machines.interpreter.target);
    compose_for((&machines.store, &host(machines), target), members, (staged, at), (style, direct_urls))
}

/// The same for an interpreter, and without a look at what its members require
/// when there is no target.
pub fn compose_for(
    (store, host, target): (&Store, &Host, Option<&Target>),
    members: &[Member],
    (staged, at): (&Path, &Path),
    (style, direct_urls): (Style, &BTreeMap<String, String>),
) -> Result<env::Composed> {
    let store = Some(store.root());
    let spec = Spec { host, style, members, target, at, store, direct_urls, user_site: UserSite::Hidden };
    env::compose(&spec, staged).map_err(|e| {
        let mut error = e.into_error("these packages cannot stand in one environment");
        if error.kind != Kind::Environment {
            error.kind = Kind::Build;
        }
        error
    })
}

/// A name for an environment of this host that these parts decide.
pub fn bound_name(word: &str, parts: &[String]) -> String {
    let text = format!("format {FORMAT}\n{}", parts.join("\n"));
    format!("{word}-{}", &Digest::of(text.as_bytes()).hex()[..32])
}

/// What names the bytes of members wherever their store lies: their places in
/// it, which are digests.
pub fn member_parts(store: &Path, members: &[Member]) -> Vec<String> {
    let place = |m: &Member| m.tree.strip_prefix(store).unwrap_or(&m.tree).display().to_string();
    members.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(tree: &str) -> Member {
        Member { name: "a".into(), version: "1".into(), module: None, tree: tree.into(), copies: None }
    }

    #[test]
    fn a_moved_store_finds_its_environments_by_the_same_names() {
        let name = |store: &str, tree: &str| {
            bound_name("env", &member_parts(Path::new(store), &[member(&format!("{store}/{tree}"))]))
        };
        assert_eq!(name("/a/store", "local/12/34/code-1"), name("/b", "local/12/34/code-1"));
        assert_ne!(name("/a/store", "local/12/34/code-1"), name("/a/store", "local/12/35/code-1"));
    }
}
