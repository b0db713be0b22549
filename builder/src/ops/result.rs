//! `./result`: the link that shows a build and keeps it from being collected.
//!
//! Knows result folders in the store and links to them. Must never know what
//! is in them (`outputs` does).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recipes::set::RecipeId;

use crate::error::{Error, IoContext as _, Result};
use crate::event::StepKind;
use crate::ops::build::{Built, Planned};
use crate::ops::environments::{closure_members, direct_urls};
use crate::ops::goals::Goal;
use crate::ops::steps::env::{bound_name, host, link_module_code, member_parts};
use crate::outputs::app::{self, ENV_DIR};
use crate::outputs::result::{Spec, WheelBlob, compose, copy_wheel};
use crate::store::realisation::Output;

/// Makes a result for each goal and links it: `result` for one goal,
/// `result-NAME` for each of several. Gives package and link.
pub fn link(planned: &Planned, built: &Built, out: &Path) -> Result<Vec<(RecipeId, PathBuf)>> {
    let mut links = Vec::new();
    for goal in &planned.goals {
        let place = folder(planned, built, goal)?;
        let link = match planned.goals.as_slice() {
            [_] => out.to_owned(),
            _ => {
                let mut name = out.as_os_str().to_owned();
                name.push(format!("-{}", planned.set.get(goal.id).pname));
                PathBuf::from(name)
            }
        };
        replace_link(&place, &link)?;
        planned.machines.store.add_root(&link, &planned.keys_of(std::slice::from_ref(goal)))?;
        links.push((goal.id, link));
    }
    Ok(links)
}

/// Points a link to a folder, at once; what is no link of ours is left alone.
fn replace_link(place: &Path, link: &Path) -> Result<()> {
    let doing = || format!("failed to link `{}`", link.display());
    match std::fs::symlink_metadata(link) {
        Ok(meta) if !meta.file_type().is_symlink() => {
            return Err(Error::input(doing())
                .because("something that is no link stands there")
                .hint("move it away, or name another place with --out-link"));
        }
        _ => {}
    }
    let parent = link.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).doing(doing)?;
    let temp = parent.join(format!(".wheelwright-link-{}", std::process::id()));
    drop(std::fs::remove_file(&temp));
    std::os::unix::fs::symlink(place, &temp).doing(doing)?;
    std::fs::rename(&temp, link).doing(doing)
}

/// The result folder of one goal, from the store or composed now.
fn folder(planned: &Planned, built: &Built, goal: &Goal) -> Result<PathBuf> {
    let machines = &planned.machines;
    let recipe = planned.set.get(goal.id);
    let members = closure_members(planned, built, std::slice::from_ref(goal))?;
    let own = members
        .iter()
        .position(|m| m.name == recipe.pname.to_string())
        .ok_or_else(|| Error::bug(format!("`{}` is not in its own closure", recipe.pname)))?;
    let wheel = wheel(planned, built, goal.id);
    let urls = direct_urls(planned);
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
            target: None,
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
    let inner = staged.join(ENV_DIR);
    if inner.is_dir() {
        link_module_code(machines, &members, &inner)?;
    }
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
