//! `build` and `check`.
//!
//! Knows their flags and how their results are told. Must never decide what
//! is built.

use std::path::Path;

use super::args::{BuildArgs, CheckArgs, Common, GoalArgs, RunFlags};
use super::progress::{Progress, seconds};
use super::{Outcome, print, settings, show_findings, talk};
use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Kind, Result};
use crate::ops::build::{self, Built, Planned, Prepared, Request};
use crate::ops::goals::Everything;
use crate::ops::report::{Report, junit, markdown, wire};
use crate::ops::result;
use crate::plan::Depth;
use recipes::set::Tests;

/// A request of what is named, with the common flags.
pub fn request(common: &Common, goals: &GoalArgs, flags: &RunFlags) -> Result<Request> {
    Ok(Request {
        words: goals.packages.clone(),
        everything: Everything { workspace: goals.all, base: goals.base, broken: common.allow_broken },
        depth: if flags.no_check { Depth::Installs } else { Depth::Checked },
        tests: if flags.no_check { Tests::None } else { Tests::Goals },
        joined: false,
        settings: settings(common, flags.keep_failed)?,
        fail_fast: flags.fail_fast,
    })
}

/// `wheelwright build`.
pub fn build(ambient: &Ambient, common: &Common, args: &BuildArgs) -> Outcome {
    let request = request(common, &args.goals, &args.flags)?;
    if args.dry_run {
        return super::reading::show_plan(ambient, common, &request);
    }
    let (planned, built) = match run(ambient, common, (&request, &args.flags))? {
        Ran::Done(done) => *done,
        Ran::Refused(kind) => return Ok(Some(kind)),
    };
    let failed = built.report.kind();
    if let Some(dir) = &args.wheel_dir {
        let copied = result::copy_wheels(&planned, &built, &ambient.absolute(dir))?;
        if !common.quiet {
            print::talk(&format!("{copied} wheels in {}", dir.display()));
        }
    }
    let mut linked = Vec::new();
    if failed.is_none() && !args.no_link {
        linked = result::link(&planned, &built, &ambient.absolute(&args.out_link))?;
    }
    finish(ambient, common, &args.flags, &built.report)?;
    if failed.is_none() && !common.json {
        for (_, link) in &linked {
            let shown = link.strip_prefix(&ambient.cwd).unwrap_or(link);
            print::result(&shown.display().to_string());
        }
    }
    Ok(failed)
}

/// `wheelwright check`.
pub fn check(ambient: &Ambient, common: &Common, args: &CheckArgs) -> Outcome {
    let mut request = request(common, &args.goals, &args.flags)?;
    if args.deps {
        request.tests = Tests::Dependencies;
    }
    match run(ambient, common, (&request, &args.flags))? {
        Ran::Done(done) => {
            finish(ambient, common, &args.flags, &done.1.report)?;
            Ok(done.1.report.kind())
        }
        Ran::Refused(kind) => Ok(Some(kind)),
    }
}

/// A run, or findings that were printed and stand against it.
pub enum Ran {
    /// The plan and what came of it.
    Done(Box<(Planned, Built)>),
    /// Exit with this kind.
    Refused(Kind),
}

/// Prepares and runs, told live; with `--accept-hash` once more after the new
/// hashes are written.
pub fn run(ambient: &Ambient, common: &Common, (request, flags): (&Request, &RunFlags)) -> Result<Ran> {
    check_reports(flags)?;
    for again in [false, true] {
        let planned = match build::prepare(ambient, request)? {
            Prepared::Ready(planned) => planned,
            Prepared::Findings(findings) => {
                let kind = show_findings(common, &findings);
                if common.json {
                    print::result(&wire::refused(&findings));
                }
                return Ok(Ran::Refused(kind.unwrap_or(Kind::Input)));
            }
        };
        show_findings(common, &planned.findings);
        if !common.quiet {
            for (name, reason) in &planned.left_out {
                print::talk(&format!("left out {name}: {reason}"));
            }
        }
        let live = ambient.stderr_tty && ambient.var("CI").is_none() && !ambient.no_color();
        let mut progress = Progress::new(talk(common), live, planned.machines.jobs);
        planned.machines.heed_interrupts()?;
        let built = build::run(&planned, request.fail_fast, &mut |event| progress.see(event));
        progress.done();
        let built = built?;
        if flags.accept_hash && !again && !built.mismatches.is_empty() {
            for file in build::accept_hashes(&planned, &built.mismatches)? {
                print::talk(&format!("wrote the new hash into {file}"));
            }
            continue;
        }
        return Ok(Ran::Done(Box::new((*planned, built))));
    }
    Err(Error::new(Kind::Hash, "the hash did not match again after it was written")
        .hint("the source gives different bytes each time: pin another one"))
}

/// The report in every form that was asked for, and the last line.
fn finish(ambient: &Ambient, common: &Common, flags: &RunFlags, report: &Report) -> Result<()> {
    write_reports(ambient, flags, report)?;
    if common.json {
        let wire = wire::ReportV1::from(report);
        let text =
            serde_json::to_string_pretty(&wire).map_err(|e| Error::bug("failed to write JSON").because(e))?;
        print::result(&text);
    }
    print::talk_text(&report.text());
    if !common.quiet {
        let c = report.counts();
        let mut line = format!("{} built, {} steps kept", c.built, c.reused);
        if c.failed + c.skipped > 0 {
            line.push_str(&format!(", {} failed, {} not reached", c.failed, c.skipped));
        }
        print::talk(&format!("{line}, {}", seconds(report.took)));
    }
    Ok(())
}

/// `--report` values are checked before anything is built.
fn check_reports(flags: &RunFlags) -> Result<()> {
    for report in &flags.report {
        report_kind(report)?;
    }
    Ok(())
}

fn report_kind(text: &str) -> Result<(&str, &Path)> {
    match text.split_once('=') {
        Some((kind @ ("junit" | "md"), file)) if !file.is_empty() => Ok((kind, Path::new(file))),
        _ => Err(Error::input(format!("`--report {text}` is not understood"))
            .hint("write --report junit=FILE or --report md=FILE")),
    }
}

fn write_reports(ambient: &Ambient, flags: &RunFlags, report: &Report) -> Result<()> {
    for text in &flags.report {
        let (kind, file) = report_kind(text)?;
        let content = match kind {
            "junit" => junit::xml(report).map_err(|e| Error::bug("failed to write JUnit").because(e))?,
            _ => markdown::text(report),
        };
        let path = ambient.absolute(file);
        std::fs::write(&path, content)
            .doing(|| format!("failed to write the report `{}`", path.display()))?;
    }
    Ok(())
}
