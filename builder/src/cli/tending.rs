//! Verbs that look after recipes, the store and the machine: `add`, `lint`,
//! `fmt`, `store`, `gc`, `doctor`.
//!
//! Knows how they are told. Must never build.

use super::args::{AddArgs, Common, FmtArgs, GcArgs, PathsArgs, StoreArgs, StoreVerb};
use super::progress::Counting;
use super::{Outcome, json, print, settings};
use crate::ambient::Ambient;
use crate::error::{Kind, count};
use crate::exec::FactState;
use crate::ops::machines::{open_store, open_store_to_collect, open_store_to_repair, target};
use crate::ops::report::wire;
use crate::ops::{add, recipes as texts};
use crate::store::VerifyReport;
use recipes::diag::Severity;

/// `wheelwright add`, with `--no-solve` here.
pub fn add(ambient: &Ambient, common: &Common, args: &AddArgs) -> Outcome {
    if !args.no_solve {
        return super::adding::add(ambient, common, args);
    }
    let request = add::Request {
        projects: args.projects.clone(),
        dir: args.dir.clone(),
        force: args.force,
        settings: settings(common, false)?,
    };
    let outcomes = add::add(ambient, &request)?;
    if common.json {
        print::result(&json::added(&request.projects, &outcomes));
    }
    for outcome in &outcomes {
        match outcome {
            Ok(added) => {
                for note in &added.notes {
                    print::talk(&format!("note: {}: {note}", added.path.display()));
                }
                if !common.json {
                    print::result(&added.path.display().to_string());
                }
            }
            Err(error) => print::talk_text(&super::error_text(error)),
        }
    }
    Ok(Kind::first(outcomes.iter().filter_map(|o| o.as_ref().err()).map(|e| e.kind)))
}

/// `wheelwright lint`.
pub fn lint(ambient: &Ambient, common: &Common, args: &PathsArgs) -> Outcome {
    let settings = settings(common, false)?;
    let linted = texts::lint(ambient, &args.paths, &|workspace| target(ambient, &settings, workspace))?;
    let findings = linted.findings;
    if common.json {
        print::result(&wire::findings_json(&findings).to_string());
    } else {
        for finding in &findings {
            print::result_text(&finding.render());
        }
    }
    if !common.quiet && !findings.is_empty() {
        let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
        let lints = findings.iter().filter(|f| f.severity == Severity::Lint).count();
        let warnings = findings.len() - errors - lints;
        let parts = [count(errors, "error"), count(warnings, "warning"), count(lints, "lint")];
        print::talk(&format!("{} read: {}", count(linted.recipes, "recipe"), parts.join(", ")));
    }
    let worst = findings.iter().map(|f| f.severity).max();
    if !common.quiet && findings.is_empty() {
        print::talk(&format!("{} read: nothing to complain about", count(linted.recipes, "recipe")));
    }
    Ok((worst >= Some(Severity::Warning)).then_some(Kind::Input))
}

/// `wheelwright fmt`.
pub fn fmt(ambient: &Ambient, common: &Common, args: &FmtArgs) -> Outcome {
    let outcome = texts::format(ambient, &args.paths, args.check)?;
    for finding in &outcome.findings {
        print::talk_text(&finding.render());
    }
    if common.json {
        print::result(&json::formatted(&outcome, args.check));
    } else {
        outcome.changed.iter().for_each(|path| print::result(path));
    }
    if args.check && !outcome.changed.is_empty() {
        let recipes = count(outcome.changed.len(), "recipe");
        print::talk(&format!("{recipes} not laid out in the one way: `wheelwright fmt` does it"));
    }
    if !outcome.findings.is_empty() {
        return Ok(Some(Kind::Input));
    }
    Ok((args.check && !outcome.changed.is_empty()).then_some(Kind::Build))
}

/// `wheelwright store`.
pub fn store(ambient: &Ambient, common: &Common, args: &StoreArgs) -> Outcome {
    let at = common.store.as_ref();
    let StoreVerb::Verify { repair } = args.verb else {
        let store = open_store(ambient, at)?;
        let path = store.root();
        print::result(&if common.json { json::path(path) } else { path.display().to_string() });
        return Ok(None);
    };
    let (store, moved) =
        if repair { open_store_to_repair(ambient, at)? } else { (open_store(ambient, at)?, None) };
    let mut report = store.verify(repair)?;
    report.moved_aside = report.moved_aside.or(moved);
    if common.json {
        print::result(&json::verify(&report, repair));
    } else {
        print::result_text(&verified(&report));
    }
    if let Some(path) = &report.moved_aside {
        let now = path.display();
        print::talk(&format!("the database was damaged and is `{now}` now: what it recorded is made again"));
    }
    if report.is_clean() {
        return Ok(None);
    }
    if !repair {
        print::talk("hint: `wheelwright store verify --repair` removes what is damaged");
        return Ok(Some(Kind::Environment));
    }
    repaired(&report);
    Ok(None)
}

fn verified(report: &VerifyReport) -> String {
    let mut lines: Vec<String> = Vec::new();
    let damaged = report.corrupted.iter().chain(&report.bound);
    lines.extend(damaged.map(|(path, why)| format!("damaged: {}: {why}", path.display())));
    lines.extend(report.missing.iter().map(|path| format!("missing: {}", path.display())));
    lines.extend(report.database.iter().map(|text| format!("database: {text}")));
    let mib = report.bytes >> 20;
    lines.push(format!("{} files and {} folders read ({mib} MiB)", report.blobs, report.trees));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn repaired(report: &VerifyReport) {
    for path in &report.removed {
        print::talk(&format!("removed, because it held damaged files: {}", path.display()));
    }
    for path in &report.affected {
        print::talk(&format!("`{}` holds damaged files: remove it and make it again", path.display()));
    }
    print::talk(&format!("{} results are forgotten: the next run makes them again", report.forgotten));
}

/// `wheelwright gc`.
pub fn gc(ambient: &Ambient, common: &Common, args: &GcArgs) -> Outcome {
    let store = open_store_to_collect(ambient, common.store.as_ref())?;
    let live = !common.quiet && super::live(ambient);
    let counting = Counting::new(live, "removing");
    let report = store.gc_watched(args.dry_run, &|done, all| counting.see(done, all));
    counting.done();
    let report = report?;
    if common.json {
        print::result(&json::gc(&report, args.dry_run));
        return Ok(None);
    }
    let word = if args.dry_run { "would remove" } else { "removed" };
    print::result(&format!(
        "{word} {} files, {} folders, {} environments, {} results, {} leftovers ({} MiB)",
        report.blobs,
        report.trees,
        report.envs,
        report.realisations,
        report.leftovers,
        report.freed >> 20
    ));
    if !common.quiet {
        print::talk(&format!("kept what {} roots and {} running builds need", report.roots, report.running));
    }
    Ok(None)
}

/// `wheelwright doctor`.
pub fn doctor(ambient: &Ambient, common: &Common) -> Outcome {
    let settings = settings(common, false)?;
    let facts = crate::ops::doctor::facts(ambient, &settings)?;
    if common.json {
        let list: Vec<_> = facts
            .iter()
            .map(|f| {
                serde_json::json!({
                    "what": f.what,
                    "ok": f.state != FactState::Bad,
                    "detail": f.detail,
                    "hints": f.hints,
                })
            })
            .collect();
        print::result(&serde_json::Value::from(list).to_string());
        return Ok(None);
    }
    for fact in &facts {
        let mark = match fact.state {
            FactState::Good => "ok  ",
            FactState::Note => "note",
            FactState::Bad => "BAD ",
        };
        print::result(&format!("{mark} {:<22} {}", fact.what, fact.detail));
        for hint in &fact.hints {
            print::result(&format!("     hint: {hint}"));
        }
    }
    Ok(None)
}
