//! Verbs that look into the set: `why-depends`, `outdated`, `licenses`, `search`.
//!
//! Knows how they are told. Must never change anything but remembered facts.

use std::collections::{BTreeMap, BTreeSet};

use super::args::{Common, LicensesArgs, OutdatedArgs, SearchArgs, WhyDependsArgs};
use super::json::inspecting as json;
use super::reading::{refused, set_of};
use super::{Outcome, error_text, print, settings, show_findings};
use crate::ambient::Ambient;
use crate::error::{Error, Kind, count};
use crate::ops::goals::{Everything, Goal, resolve};
use crate::ops::load::load;
use crate::ops::outdated::{Outdated, Request, Row};
use recipes::diag::{Finding, Severity, did_you_mean};
use recipes::license::{Expression, Policy};
use recipes::name::Requirement;
use recipes::search::Hit;
use recipes::set::{Chains, Member, PackageSet, RecipeId, Tests};

/// Chains that `--all` shows: nobody reads more.
const MOST_CHAINS: usize = 100;

/// `wheelwright why-depends`.
pub fn why_depends(ambient: &Ambient, common: &Common, args: &WhyDependsArgs) -> Outcome {
    let (loaded, set) = set_of(ambient, common, std::slice::from_ref(&args.package))?;
    let mut asked = resolve(&loaded, &set, Everything::default())?;
    // Whether there is such a recipe at all; its version is the closure's affair.
    asked.findings.extend(set.select(&args.dependency).err());
    let (goal, findings) = (asked.goals.first(), [loaded.findings, asked.findings.clone()].concat());
    let (Some(goal), true) = (goal, asked.findings.is_empty()) else { return Ok(refused(common, &findings)) };
    if asked.goals.len() > 1 {
        return Err(
            Error::input(format!("`{}` is more than one package", args.package)).hint("name one of them")
        );
    }
    let wanted: Requirement =
        args.dependency.parse().map_err(|why: String| Error::input("failed to read a name").because(why))?;
    show_findings(common, &findings);
    let most = if args.all { MOST_CHAINS } else { 1 };
    let found = set.chains(goal, &wanted, args.build, most);
    let troubles = if found.chains.is_empty() { troubles(&set, goal, args.build) } else { Vec::new() };
    if common.json {
        let asked = (args.dependency.as_str(), args.build);
        print::result(&json::chains((&set, goal.id), asked, &found, &troubles));
    }
    if !troubles.is_empty() {
        print::talk(&format!("what {} needs cannot all be had: there may be more to it", set.label(goal.id)));
        return Ok(show_findings(common, &troubles));
    }
    if found.chains.is_empty() {
        print::talk_text(&error_text(&not_needed(&set, (goal, &wanted), args)));
        return Ok(Some(Kind::Build));
    }
    if !common.json {
        print::result_text(&chains_text(&set, &found));
    }
    if found.more && !common.quiet {
        print::talk(match args.all {
            true => "there are more chains of this length",
            false => "there are more chains of this length: say --all",
        });
    }
    Ok(None)
}

/// One line for each requirement, an empty one between chains.
fn chains_text(set: &PackageSet, found: &Chains) -> String {
    let chain = |chain: &Vec<recipes::set::Link>| {
        let mut out: String = chain.iter().map(|link| format!("{}\n", link.sentence)).collect();
        if let Some(last) = chain.last() {
            out.push_str(&format!("{}\n", set.label(last.to)));
        }
        out
    };
    found.chains.iter().map(chain).collect::<Vec<_>>().join("\n")
}

/// What stands in the way of knowing all that a package needs.
fn troubles(set: &PackageSet, goal: &Goal, builds: bool) -> Vec<Finding> {
    let mut found = match builds {
        true => set.findings(std::slice::from_ref(goal), Tests::None),
        false => set.run_closure(goal.id, &goal.extras).err().unwrap_or_default(),
    };
    found.retain(|finding| finding.severity == Severity::Error);
    found
}

/// Says that there is no chain, with what comes nearest.
fn not_needed(set: &PackageSet, (goal, wanted): (&Goal, &Requirement), args: &WhyDependsArgs) -> Error {
    let to_build = if args.build { ", not even to be built" } else { "" };
    let message = format!("{} does not depend on `{}`{to_build}", set.label(goal.id), wanted.text);
    let told = Error::new(Kind::Build, message);
    match nearest(set, (goal, wanted), args) {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// What is nearly so.
fn nearest(set: &PackageSet, (goal, wanted): (&Goal, &Requirement), args: &WhyDependsArgs) -> Option<String> {
    let (recipe, name) = (set.get(goal.id), wanted.name());
    let needs = |start: &Member, wanted: &Requirement, builds| {
        !set.chains(start, wanted, builds, 1).chains.is_empty()
    };
    let (package, other) = (&args.package, &args.dependency);
    let any_version: Option<Requirement> = name.as_ref().parse().ok();
    if let Some(any) = any_version.filter(|_| !wanted.specifiers().is_empty())
        && let Some(link) =
            set.chains(goal, &any, args.build, 1).chains.first().and_then(|chain| chain.last())
    {
        return Some(format!("it has {}: `wheelwright why-depends {package} {name}`", set.label(link.to)));
    }
    if !args.build && needs(goal, wanted, true) {
        return Some("it is needed to build something: say --build".to_owned());
    }
    let with_extra = recipe
        .optional_dependencies
        .keys()
        .find(|extra| needs(&Member { id: goal.id, extras: vec![(*extra).clone()] }, wanted, args.build));
    if let Some(extra) = with_extra {
        return Some(format!(
            "its extra does: `wheelwright why-depends '{}[{extra}]' {other}`",
            recipe.pname
        ));
    }
    let back: Option<Requirement> = recipe.pname.as_ref().parse().ok();
    let id = set.select(other).ok()?;
    if back.is_some_and(|back| needs(&Member::from(id), &back, args.build)) {
        return Some(format!(
            "it is the other way round: `wheelwright why-depends {other} {}`",
            recipe.pname
        ));
    }
    let closure = set.run_closure(goal.id, &goal.extras).ok()?;
    let names: Vec<&str> = closure.members.iter().map(|m| set.get(m.id).pname.as_ref()).collect();
    if let Some(near) = did_you_mean(name.as_ref(), names.iter().copied()) {
        return Some(format!("it does on `{near}`"));
    }
    Some(format!("`wheelwright tree {package}` shows what it needs"))
}

/// `wheelwright outdated`.
pub fn outdated(ambient: &Ambient, common: &Common, args: &OutdatedArgs) -> Outcome {
    let request = Request {
        names: args.names.clone(),
        base: args.base,
        exclude_newer: args.exclude_newer.clone(),
        settings: settings(common, false)?,
    };
    let found = crate::ops::outdated::outdated(ambient, &request)?;
    if common.json {
        print::result(&json::outdated(&found));
    } else {
        let told = found.rows.iter().filter(|row| row.is_outdated() || row.yanked);
        told.for_each(|row| print::result(row_text(row).trim_end()));
    }
    for (_, error) in &found.failed {
        print::talk_text(&error_text(error));
    }
    let findings = show_findings(common, &found.findings);
    let behind = found.rows.iter().filter(|row| row.is_outdated()).count();
    if !common.quiet {
        summary(&found, behind);
    }
    let failed = found.failed.iter().map(|(_, error)| error.kind);
    let asked = (args.exit_code && behind > 0).then_some(Kind::Build);
    Ok(Kind::first(failed.chain(findings).chain(asked)))
}

fn row_text(row: &Row) -> String {
    let said = |version: &Option<_>| version.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let mut notes = row.standing.held.clone();
    if row.yanked {
        notes.insert(0, format!("{} is yanked", row.version));
    }
    let (pname, version) = (row.pname.to_string(), row.version.to_string());
    let (allowed, newest) = (said(&row.standing.allowed), said(&row.standing.newest));
    format!("{pname:<28} {version:<12} {allowed:<12} {newest:<12} {}", notes.join("; "))
}

fn summary(found: &Outdated, behind: usize) {
    for (label, reason) in &found.skipped {
        print::talk(&format!("not looked for: {label}: {reason}"));
    }
    let all = count(found.rows.len(), "recipe");
    let what = if behind > 0 { " (name, version, the newest that the set allows, the newest)" } else { "" };
    print::talk(&format!("outdated: {behind} of {all}{what}"));
}

/// The packages of some closures by license.
#[derive(Debug, Default)]
pub struct Licensed {
    /// An SPDX expression and the packages under it, sorted by name.
    pub groups: BTreeMap<String, Vec<RecipeId>>,
    /// Packages whose recipe says none, or none that is an SPDX expression.
    pub unknown: Vec<RecipeId>,
    /// Packages that the lists refuse, and why.
    pub refused: Vec<(RecipeId, String)>,
}

/// `wheelwright licenses`.
pub fn licenses(ambient: &Ambient, common: &Common, args: &LicensesArgs) -> Outcome {
    let policy = Policy::new(&args.allow, &args.deny).map_err(|why| {
        Error::input("failed to read --allow or --deny")
            .because(why)
            .hint("write SPDX expressions between commas: `MIT,BSD-*,unknown`")
    })?;
    let (loaded, set) = set_of(ambient, common, &args.goals.packages)?;
    let everything =
        Everything { workspace: args.goals.all, base: args.goals.base, broken: common.allow_broken };
    let wanted = resolve(&loaded, &set, everything)?;
    let mut findings = [loaded.findings, wanted.findings].concat();
    let (mut ids, mut closures) = (BTreeSet::new(), 0);
    for goal in &wanted.goals {
        match set.run_closure(goal.id, &goal.extras) {
            Ok(closure) => {
                closures += 1;
                ids.extend(closure.members.iter().map(|m| m.id));
            }
            Err(more) => {
                findings.extend(more.into_iter().filter(|f| !findings.contains(f)).collect::<Vec<_>>())
            }
        }
    }
    if closures == 0 {
        return Ok(refused(common, &findings));
    }
    let licensed = licensed(&set, ids, &policy);
    if common.json {
        print::result(&json::licenses(&set, &licensed, &findings));
    } else {
        print::result_text(&licenses_text(&set, &licensed));
    }
    let broken = show_findings(common, &findings);
    for (label, reason) in wanted.left_out.iter().filter(|_| !common.quiet) {
        print::talk(&format!("left out {label}: {reason}"));
    }
    for (id, reason) in &licensed.refused {
        print::talk_text(&error_text(&refusal(&set, &wanted.goals, (*id, reason))));
    }
    Ok(Kind::first(broken.into_iter().chain((!licensed.refused.is_empty()).then_some(Kind::Build))))
}

fn licensed(set: &PackageSet, ids: BTreeSet<RecipeId>, policy: &Policy) -> Licensed {
    let mut out = Licensed::default();
    let mut ids: Vec<RecipeId> = ids.into_iter().collect();
    ids.sort_by_key(|id| (set.get(*id).pname.clone(), set.get(*id).version.clone()));
    for id in ids {
        let license = set.get(id).meta.license.as_deref();
        match license.filter(|text| Expression::parse(text).is_some()) {
            Some(known) => out.groups.entry(known.trim().to_owned()).or_default().push(id),
            None => out.unknown.push(id),
        }
        out.refused.extend(policy.refusal(license).map(|reason| (id, reason)));
    }
    out
}

fn licenses_text(set: &PackageSet, licensed: &Licensed) -> String {
    let mut out = String::new();
    let mut line = |id: RecipeId, license: &str| {
        let recipe = set.get(id);
        let (pname, version) = (recipe.pname.to_string(), recipe.version.to_string());
        out.push_str(format!("{license:<28} {pname:<28} {version}").trim_end());
        out.push('\n');
    };
    for (license, ids) in &licensed.groups {
        ids.iter().for_each(|id| line(*id, license));
    }
    for id in &licensed.unknown {
        let said = set.get(*id).meta.license.as_ref();
        line(*id, &said.map_or_else(|| "unknown".to_owned(), |text| format!("unknown ({text})")));
    }
    out
}

/// A package that may not be used, and who brings it in.
fn refusal(set: &PackageSet, goals: &[Goal], (id, reason): (RecipeId, &str)) -> Error {
    let recipe = set.get(id);
    let told = Error::new(Kind::Build, format!("{} may not be used: {reason}", set.label(id)))
        .because(format!("its recipe is {}", recipe.file.path));
    let exact: Option<Requirement> = format!("{}=={}", recipe.pname, recipe.version).parse().ok();
    let by = exact
        .and_then(|exact| goals.iter().find(|goal| !set.chains(goal, &exact, false, 1).chains.is_empty()));
    match by {
        Some(goal) => told.hint(format!(
            "`wheelwright why-depends {} {}` says who needs it",
            set.get(goal.id).pname,
            recipe.pname
        )),
        None => told,
    }
}

/// `wheelwright search`.
pub fn search(ambient: &Ambient, common: &Common, args: &SearchArgs) -> Outcome {
    let loaded = load(ambient, &[])?;
    let broken = show_findings(common, &loaded.findings);
    let hits = recipes::search::search(&loaded.book.recipes, &args.words);
    let near = if hits.is_empty() { recipes::search::near(&loaded.book.recipes, &args.words) } else { None };
    if common.json {
        print::result(&json::hits(&hits, near));
    } else {
        hits.iter().for_each(|hit| print::result(hit_text(hit).trim_end()));
    }
    if !hits.is_empty() {
        return Ok(broken);
    }
    let words = args.words.join(" ");
    let mut told =
        Error::new(Kind::Build, format!("no recipe of the set has `{words}` in name or description"));
    if let Some(near) = near {
        told = told.hint(format!("did you mean `{near}`?"));
    }
    let told = told.hint("the index is not searched: `wheelwright add NAME` writes recipes from there");
    print::talk_text(&error_text(&told));
    Ok(Kind::first(broken.into_iter().chain([Kind::Build])))
}

fn hit_text(hit: &Hit) -> String {
    let recipe = &hit.recipe;
    let (pname, version) = (recipe.pname.to_string(), recipe.version.to_string());
    let description = recipe.meta.description.as_deref().unwrap_or_default();
    format!("{pname:<28} {version:<12} {:<16} {description}", recipe.layer)
}
