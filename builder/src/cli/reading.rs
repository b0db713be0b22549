//! Verbs that only look: `plan`, `why`, `log`, `show`, `list`, `tree`.
//!
//! Knows how they are told. Must never change anything but remembered facts.

use super::args::{Common, GoalArgs, ListArgs, LogArgs, RunFlags, ShowArgs};
use super::{Outcome, json, making, print, settings, show_findings};
use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Kind, Result};
use crate::event::StepKind;
use crate::ops::build::{self, Planned, Prepared, Request};
use crate::ops::goals::{Everything, resolve};
use crate::ops::load::{Loaded, load};
use crate::ops::logs::{self, Current};
use crate::ops::machines::{open_store, target};
use crate::ops::report::wire;
use crate::ops::why;
use crate::store::Store;
use recipes::diag::Finding;
use recipes::name::{PackageName, Version};
use recipes::recipe::Recipe;
use recipes::set::PackageSet;

fn no_flags() -> RunFlags {
    RunFlags { no_check: false, fail_fast: false, keep_failed: false, accept_hash: false, report: Vec::new() }
}

fn planned(
    ambient: &Ambient,
    common: &Common,
    request: &Request,
) -> Result<std::result::Result<Box<Planned>, Option<Kind>>> {
    match build::prepare(ambient, request)? {
        Prepared::Ready(planned) => Ok(Ok(planned)),
        Prepared::Findings(findings) => Ok(Err(refused(common, &findings))),
    }
}

/// Findings that leave nothing to tell.
pub(super) fn refused(common: &Common, findings: &[Finding]) -> Option<Kind> {
    if common.json {
        print::result(&wire::refused(findings));
    }
    show_findings(common, findings)
}

/// What a request would run.
pub fn show_plan(ambient: &Ambient, common: &Common, request: &Request) -> Outcome {
    match planned(ambient, common, request)? {
        Err(kind) => Ok(kind),
        Ok(planned) => {
            let missing = why::missing(&planned.plan, &planned.machines.store)?;
            making::show_doubts(common, &planned);
            if common.json {
                print::result(&json::plan(&planned, &missing));
            } else {
                why::plan_text(&planned.plan, &missing, planned.machines.jobs, print::result_text);
            }
            planned.leave();
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
            making::show_doubts(common, &planned);
            if common.json {
                print::result(&json::plan(&planned, &missing));
            } else {
                print::result_text(&why::why_text(&planned.plan, &missing, &planned.machines.store));
            }
            Ok(None)
        }
    }
}

/// Steps that run a process.
const LOGGED: [StepKind; 5] =
    [StepKind::Build, StepKind::Check, StepKind::Imports, StepKind::Source, StepKind::Install];

/// How many packages with a log are named.
const MOST: usize = 10;

/// `wheelwright log`.
pub fn log(ambient: &Ambient, common: &Common, args: &LogArgs) -> Outcome {
    let store = open_store(ambient, common.store.as_ref())?;
    let kind = LOGGED.into_iter().find(|kind| kind.word() == args.step).ok_or_else(|| {
        Error::input(format!("`{}` is no step with a log", args.step))
            .hint(format!("steps with a log: {}", LOGGED.map(StepKind::word).join(", ")))
    })?;
    let package = logged_as(&args.package);
    let of_set = of_the_set(ambient, common, (&args.package, kind));
    let found = logs::find(&store, (&package, kind), of_set.as_ref())?;
    let Some((digest, note)) = found else { return Err(no_log(&store, args, (kind, of_set.as_ref()))?) };
    let path = store.blob_path(&digest);
    let text = std::fs::read(&path).doing(|| format!("failed to read `{}`", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    if common.json {
        print::result(&json::log((&package, kind.word()), &text, note.as_deref()));
    } else {
        note.iter().for_each(|note| print::talk(&format!("note: {note}")));
        print::result_text(&text);
    }
    Ok(None)
}

/// What the set at hand makes of a word now: the step whose log is meant.
/// `None` where there is no such set: a log of another one will do.
fn of_the_set(ambient: &Ambient, common: &Common, (word, kind): (&str, StepKind)) -> Option<Current> {
    let goals = GoalArgs { packages: vec![word.to_owned()], all: false, base: false };
    let request = making::request(common, &goals, &no_flags()).ok()?;
    let Prepared::Ready(planned) = build::prepare(ambient, &request).ok()? else { return None };
    let [goal] = planned.goals.as_slice() else { return None };
    let step = &planned.plan.steps[planned.plan.of.get((goal.id, kind))?];
    Some(Current { key: step.key, package: step.package.to_string() })
}

/// A word as logs are kept under: `Flask[async]==3.1` -> `flask 3.1`.
fn logged_as(word: &str) -> String {
    let (name, version) = word.split_once("==").map_or((word, None), |(n, v)| (n, Some(v)));
    let name = name.split('[').next().unwrap_or(name).trim();
    let name = name.parse::<PackageName>().map_or_else(|_| name.to_owned(), |n| n.to_string());
    let Some(version) = version.map(str::trim) else { return name };
    let version = version.parse::<Version>().map_or_else(|_| version.to_owned(), |v| v.to_string());
    format!("{name} {version}")
}

fn no_log(store: &Store, args: &LogArgs, (kind, of_set): (StepKind, Option<&Current>)) -> Result<Error> {
    let asked = of_set.map_or(&args.package, |current| &current.package);
    let error = Error::input(format!("there is no log of `{}` of {asked}", args.step));
    let mut known = store.logged(kind)?;
    let name = logged_as(args.package.split("==").next().unwrap_or_default());
    let like: Vec<String> = known.iter().filter(|p| p.split(' ').next() == Some(&*name)).cloned().collect();
    if !like.is_empty() {
        known = like;
    }
    let more = known.len().saturating_sub(MOST);
    known.truncate(MOST);
    let mut names: Vec<String> = known.iter().map(|package| package.replacen(' ', "==", 1)).collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    Ok(match names.as_slice() {
        [] => error.hint("logs are kept of steps that ran a process, until `gc` removes them"),
        names => error.hint(format!("logs of `{}` were kept of {}", args.step, names.join(", "))),
    })
}

/// The set of the workspace, for verbs that name packages of it.
pub(super) fn set_of(ambient: &Ambient, common: &Common, words: &[String]) -> Result<(Loaded, PackageSet)> {
    let loaded = load(ambient, words)?;
    let settings = settings(common, false)?;
    let target = target(ambient, &settings, &loaded.workspace)?;
    let set = PackageSet::new(loaded.book.recipes.clone(), target);
    Ok((loaded, set))
}

/// `wheelwright show`.
pub fn show(ambient: &Ambient, common: &Common, args: &ShowArgs) -> Outcome {
    let (loaded, set) = set_of(ambient, common, std::slice::from_ref(&args.package))?;
    let wanted = resolve(&loaded, &set, Everything::default())?;
    let Some(goal) = wanted.goals.first().filter(|_| wanted.findings.is_empty()) else {
        return Ok(refused(common, &[loaded.findings, wanted.findings].concat()));
    };
    show_findings(common, &loaded.findings);
    if args.closure {
        return match set.run_closure(goal.id, &goal.extras) {
            Ok(closure) if common.json => {
                print::result(&json::closure(&set, &closure));
                Ok(None)
            }
            Ok(closure) => {
                print::result_text(&recipes::set::explain(&set, &closure));
                Ok(None)
            }
            Err(findings) => Ok(refused(common, &findings)),
        };
    }
    let origins = loaded.book.origins(goal.id.0);
    if common.json {
        print::result(&json::origins(&set, goal.id, &origins));
        return Ok(None);
    }
    for (key, value, layer, at) in origins {
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
    let all = loaded.book.recipes.iter().map(|r| &**r);
    let mut recipes: Vec<&Recipe> = all.filter(|r| args.base || r.layer != "base").collect();
    recipes.sort_by(|a, b| (&a.pname, &a.version, &a.layer).cmp(&(&b.pname, &b.version, &b.layer)));
    if common.json {
        print::result(&json::inspecting::list(&recipes, &loaded.findings));
        return Ok(broken);
    }
    for recipe in recipes {
        let Recipe { pname, version, layer, meta, .. } = recipe;
        let (pname, version) = (pname.to_string(), version.to_string());
        let description = meta.description.as_deref().unwrap_or_default();
        print::result(format!("{pname:<28} {version:<12} {layer:<16} {description}").trim_end());
    }
    Ok(broken)
}

/// `wheelwright tree`.
pub fn tree(ambient: &Ambient, common: &Common, args: &GoalArgs) -> Outcome {
    let (loaded, set) = set_of(ambient, common, &args.packages)?;
    let everything = Everything { workspace: args.all, base: args.base, broken: common.allow_broken };
    let wanted = resolve(&loaded, &set, everything)?;
    let findings = [loaded.findings, wanted.findings].concat();
    if wanted.goals.is_empty() {
        return Ok(refused(common, &findings));
    }
    if common.json {
        print::result(&json::trees(&set, &wanted.goals, &findings));
    } else {
        for goal in &wanted.goals {
            print::result_text(&recipes::set::tree(&set, goal.id, &goal.extras));
        }
    }
    let kind = show_findings(common, &findings);
    if !common.quiet {
        for (name, reason) in &wanted.left_out {
            print::talk(&format!("left out {name}: {reason}"));
        }
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_asked_for_by_any_spelling() {
        assert_eq!(logged_as("Flask"), "flask");
        assert_eq!(logged_as("Flask_Login[x]==3.1.0"), "flask-login 3.1.0");
        assert_eq!(logged_as("a == v1.0"), "a 1.0");
    }
}
