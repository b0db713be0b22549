//! `./result`: the link that shows a build and keeps it from being collected.
//!
//! Knows result folders in the store and links to them. Must never know what
//! is in them (`outputs` does).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recipes::set::RecipeId;

use crate::error::{Error, IoContext as _, Result};
use crate::event::StepKind;
use crate::key::TreeDigest;
use crate::ops::beside::Beside;
use crate::ops::build::{Built, Planned};
use crate::ops::environments::{closure_members, direct_urls};
use crate::ops::goals::Goal;
use crate::ops::steps::env::{bound_name, code_of, compile, host, member_parts};
use crate::outputs::app;
use crate::outputs::env::{Style, read_contents};
use crate::outputs::result::{Spec, WheelBlob, compose, copy_wheel};
use crate::store::realisation::Output;

/// Makes a result for each goal and links it; one that cannot be made does
/// not keep the others from it.
pub fn link(planned: &Planned, built: &Built, out: &Path) -> (Vec<PathBuf>, Vec<Error>) {
    let (mut links, mut troubles) = (Vec::new(), Vec::new());
    // For all of them at once: one by one, each waits for the one before. What
    // fails here fails again, and is told, where it is needed.
    let _ = compile(&planned.machines, &installs(planned, built));
    for (goal, link) in planned.goals.iter().zip(links_of(planned, out)) {
        let made = folder(planned, built, goal).and_then(|place| replace_link(&place, &link));
        let kept = made.and_then(|()| {
            planned.machines.store.add_root(&link, &planned.keys_of(std::slice::from_ref(goal)))
        });
        match kept {
            Ok(()) => links.push(link),
            Err(error) => troubles.push(error),
        }
    }
    (links, troubles)
}

/// What the goals and all they need to run were installed as.
fn installs(planned: &Planned, built: &Built) -> Vec<TreeDigest> {
    let mut trees = Vec::new();
    for goal in &planned.goals {
        let closure = planned.set.run_closure(goal.id, &goal.extras);
        for member in closure.map(|c| c.members).unwrap_or_default() {
            let installed = planned.of(built, member.id, StepKind::Install).map(|r| &r.output);
            if let Some(Output::Tree(tree)) = installed {
                trees.push(*tree);
            }
        }
    }
    trees
}

/// The byte code of all that the goals need to run, as results hold it.
pub fn companions(planned: &Planned, built: &Built) -> Vec<PathBuf> {
    let machines = &planned.machines;
    installs(planned, built).iter().filter_map(|tree| code_of(machines, tree)).collect()
}

/// Where the links of a plan's goals go: `result` for one goal, `result-NAME`
/// for each of several, with the version and the extras where names are alike.
fn links_of(planned: &Planned, out: &Path) -> Vec<PathBuf> {
    if planned.goals.len() == 1 {
        return vec![out.to_owned()];
    }
    let words = planned.goals.iter().map(|goal| {
        let recipe = planned.set.get(goal.id);
        let extras: Vec<&str> = goal.extras.iter().map(AsRef::as_ref).collect();
        [recipe.pname.to_string(), recipe.version.to_string(), extras.join("-")]
    });
    let link = |name: String| {
        let mut link = out.as_os_str().to_owned();
        link.push(format!("-{name}"));
        PathBuf::from(link)
    };
    labels(&words.collect::<Vec<_>>()).into_iter().map(link).collect()
}

/// The name of each; with its version, then its extras, where others have the
/// same.
fn labels(goals: &[[String; 3]]) -> Vec<String> {
    let label = |words: &[String; 3]| {
        let like = |n: usize| goals.iter().filter(|other| other[..n] == words[..n]).count() > 1;
        let parts = 1 + usize::from(like(1)) + usize::from(like(2));
        let told: Vec<&str> = words[..parts].iter().map(String::as_str).filter(|w| !w.is_empty()).collect();
        told.join("-")
    };
    goals.iter().map(label).collect()
}

/// Before anything is built: whether the links can be made.
pub fn check_links(planned: &Planned, out: &Path) -> Result<()> {
    links_of(planned, out).iter().try_for_each(|link| check_link(link))?;
    Beside::of(out).map(drop)
}

/// Before anything is built: whether wheels can be written there.
pub fn check_wheel_dir(to: &Path) -> Result<()> {
    Beside::of(&to.join("wheels")).map(drop)
}

/// What is no link of ours is left alone.
fn check_link(link: &Path) -> Result<()> {
    match std::fs::symlink_metadata(link) {
        Ok(meta) if !meta.file_type().is_symlink() => {
            Err(Error::input(format!("failed to link `{}`", link.display()))
                .because("something that is no link stands there")
                .hint("move it away, or name another place with --out-link"))
        }
        _ => Ok(()),
    }
}

/// Points a link to a folder, at once; one that does is left as it is.
fn replace_link(place: &Path, link: &Path) -> Result<()> {
    if std::fs::read_link(link).is_ok_and(|now| now == place) {
        return Ok(());
    }
    check_link(link)?;
    let doing = || format!("failed to link `{}`", link.display());
    let beside = Beside::of(link)?;
    let temp = beside.path().join("link");
    std::os::unix::fs::symlink(place, &temp).doing(doing)?;
    std::fs::rename(&temp, link).doing(doing)
}

/// The files that run when an interpreter starts, of the goals and what they need to run, each
/// with its package.
pub fn start_up(planned: &Planned, built: &Built) -> Vec<(String, String)> {
    let mut trees = BTreeMap::new();
    for goal in &planned.goals {
        let closure = planned.set.run_closure(goal.id, &goal.extras);
        for id in closure.map(|c| c.members).unwrap_or_default().iter().map(|m| m.id) {
            let installed = planned.of(built, id, StepKind::Install).map(|r| (&r.output, &r.facts));
            if let Some((Output::Tree(tree), facts)) = installed {
                let files = || start_up_of(facts, &planned.machines.store.tree_path(tree));
                trees.entry(id).or_insert_with(|| (planned.set.label(id), files()));
            }
        }
    }
    let mut trees: Vec<(String, Vec<String>)> = trees.into_values().collect();
    trees.sort();
    let of = |(label, files): (String, Vec<String>)| files.into_iter().map(move |file| (label.clone(), file));
    trees.into_iter().flat_map(of).collect()
}

/// The files of one install that run at the start: as its step wrote them
/// down, else as the install itself says. What cannot be read is told by what
/// needs it.
fn start_up_of(facts: &str, tree: &Path) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Facts {
        pth: Vec<String>,
    }
    match serde_json::from_str::<Facts>(facts) {
        Ok(facts) => facts.pth,
        Err(_) => read_contents(tree).map(|contents| contents.pth).unwrap_or_default(),
    }
}

/// The result folder of one goal, from the store or composed now.
fn folder(planned: &Planned, built: &Built, goal: &Goal) -> Result<PathBuf> {
    let machines = &planned.machines;
    let recipe = planned.set.get(goal.id);
    let members = closure_members(planned, built, (std::slice::from_ref(goal), Style::Frozen))?;
    let own = members
        .iter()
        .position(|m| m.name == recipe.pname.to_string())
        .ok_or_else(|| Error::bug(format!("`{}` is not in its own closure", recipe.pname)))?;
    let wheel = wheel(planned, built, goal.id);
    let urls = direct_urls(planned, std::slice::from_ref(goal))?;
    let mut parts = member_parts(machines.store.root(), &members);
    parts.push(machines.interpreter.exe.display().to_string());
    parts.push(format!(
        "{:?} {:?} {:?} {:?}",
        recipe.wrap,
        recipe.meta,
        recipe.kind,
        wheel.as_ref().map(|w| w.digest)
    ));
    parts.extend(members.iter().filter_map(|m| urls.get(&m.name).cloned()));
    let name = bound_name("result", &parts);
    if let Some(place) = machines.store.env(&name)? {
        return Ok(place);
    }
    let place = machines.store.envs_dir().join(&name);
    let temp = machines.store.temp_dir()?;
    let staged = temp.path().join("result");
    let spec = Spec {
        app: app::Spec {
            host: &host(machines),
            members: &members,
            own,
            target: Some(&machines.interpreter.target),
            wrap: &recipe.wrap,
            at: &place,
            store: Some(machines.store.root()),
            direct_urls: &urls,
        },
        recipe,
        wheel: wheel.as_ref(),
    };
    compose(&spec, &staged)
        .map_err(|e| e.into_error(format!("failed to make the result of {}", recipe.pname)))?;
    machines.store.add_env(&name, &staged)
}

fn wheel(planned: &Planned, built: &Built, id: RecipeId) -> Option<WheelBlob> {
    match &planned.of(built, id, StepKind::Finish)?.output {
        Output::Blob { digest, name } => Some(WheelBlob {
            path: planned.machines.store.blob_path(digest),
            name: name.clone(),
            digest: *digest,
        }),
        Output::Tree(_) | Output::Passed => None,
    }
}

/// Copies every wheel of the run, goals and what they needed to run, into a
/// folder; how many there are.
pub fn copy_wheels(planned: &Planned, built: &Built, to: &Path) -> Result<usize> {
    let mut wanted: BTreeMap<String, WheelBlob> = BTreeMap::new();
    for goal in &planned.goals {
        let closure = planned.set.run_closure(goal.id, &goal.extras);
        let members = closure.map(|c| c.members).unwrap_or_default();
        for id in members.iter().map(|m| m.id).chain([goal.id]) {
            if let Some(blob) = wheel(planned, built, id) {
                wanted.insert(blob.name.clone(), blob);
            }
        }
    }
    for blob in wanted.values() {
        copy_wheel(blob, to)?;
    }
    Ok(wanted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_at_the_start_is_known_without_the_install() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(start_up_of(r#"{"files":3,"pth":["a.pth"]}"#, dir.path()), ["a.pth"]);
        assert_eq!(start_up_of("{}", dir.path()), [""; 0], "nothing is there to ask");
    }

    #[test]
    fn links_of_one_name_are_told_apart() {
        let goal = |name: &str, version: &str, extras: &str| [name, version, extras].map(str::to_owned);
        let goals = [
            goal("a", "1", ""),
            goal("c", "1", ""),
            goal("c", "2", ""),
            goal("d", "1", ""),
            goal("d", "1", "x-y"),
        ];
        assert_eq!(labels(&goals), ["a", "c-1", "c-2", "d-1", "d-1-x-y"]);
        assert_eq!(labels(&goals[..2]), ["a", "c"]);
    }
}
