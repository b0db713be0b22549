//! Verbs that only look: `plan`, `why`, `log`, `show`, `list`, `tree`.
//!
//! Knows how they are told. Must never change anything but remembered facts.

use super::args::{Common, GoalArgs, ListArgs, LogArgs, RunFlags, ShowArgs};
use super::{Outcome, making, print, settings, show_findings};
use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Result};
use crate::key::Digest;
use crate::ops::build::{self, Planned, Prepared, Request};
use crate::ops::load::{Loaded, load};
use crate::ops::machines::{interpreter, open_store};
use crate::ops::why;
use recipes::set::{PackageSet, RecipeId};

fn no_flags() -> RunFlags {
    RunFlags { no_check: false, fail_fast: false, keep_failed: false, accept_hash: false, report: Vec::new() }
}

fn planned(
    ambient: &Ambient,
    common: &Common,
    request: &Request,
) -> Result<std::result::Result<Box<Planned>, Option<crate::error::Kind>>> {
    match build::prepare(ambient, request)? {
        Prepared::Ready(planned) => Ok(Ok(planned)),
        Prepared::Findings(findings) => Ok(Err(show_findings(common, &findings))),
    }
}

/// What a request would run.
pub fn show_plan(ambient: &Ambient, common: &Common, request: &Request) -> Outcome {
    match planned(ambient, common, request)? {
        Err(kind) => Ok(kind),
        Ok(planned) => {
            let missing = why::missing(&planned.plan, &planned.machines.store)?;
            if common.json {
                print::result(&why::json(&planned.plan, &missing).to_string());
            } else {
                print::result_text(&why::plan_text(&planned.plan, &missing, planned.machines.jobs));
            }
            Ok(None)
        }
    }
}

/// `wheelwright plan`.
pub fn plan(ambient: &Ambient, common: &Common, args: &GoalArgs) -> Outcome {
    let request = making::request(common, args, &no_flags())?;
    show_plan(ambient, common, &request)
}

/// `wheelwright why`.
pub fn why(ambient: &Ambient, common: &Common, args: &GoalArgs) -> Outcome {
    let request = making::request(common, args, &no_flags())?;
    match planned(ambient, common, &request)? {
        Err(kind) => Ok(kind),
        Ok(planned) => {
            let missing = why::missing(&planned.plan, &planned.machines.store)?;
            if common.json {
                print::result(&why::json(&planned.plan, &missing).to_string());
            } else {
                print::result_text(&why::why_text(&planned.plan, &missing, &planned.machines.store));
            }
            Ok(None)
        }
    }
}

/// `wheelwright log`.
pub fn log(ambient: &Ambient, common: &Common, args: &LogArgs) -> Outcome {
    let store = open_store(ambient, common.store.as_ref())?;
    let subject = args.package.replace("==", " ");
    let known = ["build", "check", "imports", "source", "install"];
    if !known.contains(&args.step.as_str()) {
        return Err(Error::input(format!("`{}` is no step with a log", args.step))
            .hint(format!("steps with a log: {}", known.join(", "))));
    }
    let nothing = || {
        Error::input(format!("there is no log of `{}` of {}", args.step, args.package))
            .hint("logs are kept for steps that ran a process, until `gc` removes them")
    };
    let found = store.recall("log", &format!("{} {subject}", args.step))?.ok_or_else(nothing)?;
    let digest: Digest =
        found.parse().map_err(|e: String| Error::bug("a kept log has no digest").because(e))?;
    if !store.has_blob(&digest)? {
        return Err(nothing());
    }
    let path = store.blob_path(&digest);
    let text = std::fs::read(&path).doing(|| format!("failed to read `{}`", path.display()))?;
    print::result_text(&String::from_utf8_lossy(&text));
    Ok(None)
}

/// The set of the workspace, for verbs that name one package of it.
fn set_of(ambient: &Ambient, common: &Common, word: &str) -> Result<(Loaded, PackageSet)> {
    let loaded = load(ambient, &[word.to_owned()])?;
    show_findings(common, &loaded.findings);
    let settings = settings(common, false)?;
    let store = open_store(ambient, settings.store.as_ref())?;
    let python = settings.python.or_else(|| loaded.workspace.python_default.clone());
    let interpreter = interpreter(ambient, &store, python.as_deref())?;
    let set = PackageSet::new(loaded.book.recipes.clone(), interpreter.target);
    Ok((loaded, set))
}

fn one(
    loaded: &Loaded,
    set: &PackageSet,
) -> Result<std::result::Result<RecipeId, Vec<recipes::diag::Finding>>> {
    use crate::ops::goals::{Everything, resolve};
    let wanted = resolve(loaded, set, Everything::default())?;
    Ok(match wanted.goals.first() {
        Some(goal) => Ok(goal.id),
        None => Err(wanted.findings),
    })
}

/// `wheelwright show`.
pub fn show(ambient: &Ambient, common: &Common, args: &ShowArgs) -> Outcome {
    let (loaded, set) = set_of(ambient, common, &args.package)?;
    let id = match one(&loaded, &set)? {
        Ok(id) => id,
        Err(findings) => return Ok(show_findings(common, &findings)),
    };
    if args.closure {
        match set.run_closure(id, &[]) {
            Ok(closure) => print::result_text(&recipes::set::explain(&set, &closure)),
            Err(findings) => return Ok(show_findings(common, &findings)),
        }
        return Ok(None);
    }
    for (key, value, layer, at) in loaded.book.origins(id.0) {
        if args.origin {
            print::result(&format!("{key} = {value}  # {layer}, {at}"));
        } else {
            print::result(&format!("{key} = {value}"));
        }
    }
    Ok(None)
}

/// `wheelwright list`.
pub fn list(ambient: &Ambient, common: &Common, args: &ListArgs) -> Outcome {
    let loaded = load(ambient, &[])?;
    let broken = show_findings(common, &loaded.findings);
    let mut rows: Vec<(String, String, String, String)> = loaded
        .book
        .recipes
        .iter()
        .filter(|r| args.base || r.layer != "base")
        .map(|r| {
            let description = r.meta.description.clone().unwrap_or_default();
            (r.pname.to_string(), r.version.to_string(), r.layer.clone(), description)
        })
        .collect();
    rows.sort();
    if common.json {
        let list: Vec<_> = rows
            .iter()
            .map(|(pname, version, layer, description)| {
                serde_json::json!({ "pname": pname, "version": version, "layer": layer, "description": description })
            })
            .collect();
        print::result(&serde_json::Value::from(list).to_string());
        return Ok(broken);
    }
    for (pname, version, layer, description) in rows {
        print::result(format!("{pname:<28} {version:<12} {layer:<16} {description}").trim_end());
    }
    Ok(broken)
}

/// `wheelwright tree`.
pub fn tree(ambient: &Ambient, common: &Common, args: &GoalArgs) -> Outcome {
    let Some(word) = args.packages.first() else {
        return Err(Error::input("`tree` needs a package"));
    };
    let (loaded, set) = set_of(ambient, common, word)?;
    match one(&loaded, &set)? {
        Ok(id) => {
            print::result_text(&recipes::set::tree(&set, id));
            Ok(None)
        }
        Err(findings) => Ok(show_findings(common, &findings)),
    }
}
