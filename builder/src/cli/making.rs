//! `build` and `check`.
//!
//! Knows their flags and how their results are told. Must never decide what
//! is built.

use std::cell::RefCell;
use std::fmt::Debug;
use std::path::Path;

use super::args::{BuildArgs, CheckArgs, Common, GoalArgs, RunFlags};
use super::progress::{Progress, seconds};
use super::{Outcome, print, settings, show_findings, talk};
use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Kind, Result};
use crate::event::{Event, Failure};
use crate::ops::accept::accept_hashes;
use crate::ops::build::{self, Built, Planned, Prepared, Request};
use crate::ops::goals::Everything;
use crate::ops::remembered::{Answer, Made, Question, Rests};
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
        results: false,
        settings: settings(common, flags.keep_failed)?,
        fail_fast: flags.fail_fast,
    })
}

/// `wheelwright build`.
pub fn build(ambient: &Ambient, common: &Common, args: &BuildArgs) -> Outcome {
    let mut request = request(common, &args.goals, &args.flags)?;
    if args.wheels_only {
        (request.depth, request.tests) = (Depth::Wheels, Tests::None);
    }
    let no_link = args.no_link || args.wheels_only;
    request.results = !no_link;
    if args.dry_run {
        return super::reading::show_plan(ambient, common, &request);
    }
    // Wheels that are copied are copied each time.
    let question = if args.wheel_dir.is_some() { None } else { question(ambient, common, &("build", args)) };
    if let Some(answer) = ask(ambient, question.as_ref(), &mut request) {
        return told(ambient, common, &args.flags, answer);
    }
    let out = ambient.absolute(&args.out_link);
    let wheel_dir = args.wheel_dir.as_ref().map(|dir| ambient.absolute(dir));
    let rests = RefCell::new(None);
    let check = |planned: &Planned| {
        wheel_dir.as_deref().map_or(Ok(()), result::check_wheel_dir)?;
        if !no_link {
            result::check_links(planned, &out)?;
        }
        rests.replace(question.as_ref().and_then(|_| Rests::before(planned)));
        Ok(())
    };
    let (planned, mut built) = match run(ambient, common, (&request, &args.flags), &check)? {
        Ran::Done(done) => *done,
        Ran::Refused(kind) => return Ok(Some(kind)),
    };
    let sound = built.report.kind().is_none();
    if let Some(dir) = &wheel_dir {
        match result::copy_wheels(&planned, &built, dir) {
            Ok(copied) if !common.quiet => print::talk(&format!("{copied} wheels in {}", dir.display())),
            Ok(_) => {}
            Err(error) => built.report.troubles.push(error.into()),
        }
    }
    if sound && !no_link {
        let (links, troubles) = result::link(&planned, &built, &out);
        built.report.results = links;
        built.report.troubles.extend(troubles.into_iter().map(Failure::from));
    }
    built.report.start_up = result::start_up(&planned, &built);
    if let Some(question) = &question {
        question.remember(&planned, &built, rests.take(), Made::Nothing);
    }
    planned.leave();
    finish(ambient, common, &args.flags, &mut built.report)
}

/// `wheelwright check`.
pub fn check(ambient: &Ambient, common: &Common, args: &CheckArgs) -> Outcome {
    let mut request = request(common, &args.goals, &args.flags)?;
    if args.deps {
        request.tests = Tests::Dependencies;
    }
    let question = question(ambient, common, &("check", args));
    if let Some(answer) = ask(ambient, question.as_ref(), &mut request) {
        return told(ambient, common, &args.flags, answer);
    }
    let rests = RefCell::new(None);
    let look = |planned: &Planned| {
        rests.replace(question.as_ref().and_then(|_| Rests::before(planned)));
        Ok(())
    };
    match run(ambient, common, (&request, &args.flags), &look)? {
        Ran::Done(done) => {
            let (planned, mut built) = *done;
            if let Some(question) = &question {
                question.remember(&planned, &built, rests.take(), Made::Nothing);
            }
            planned.leave();
            finish(ambient, common, &args.flags, &mut built.report)
        }
        Ran::Refused(kind) => Ok(Some(kind)),
    }
}

/// What is asked, where a run that had nothing to do may have answered it.
pub fn question(ambient: &Ambient, common: &Common, asked: &dyn Debug) -> Option<Question> {
    // Who asks to look again wants no memory.
    if common.refresh { None } else { Question::of(ambient, &(common, asked)) }
}

/// The answer of a run before, if all is as it was then.
pub fn ask(ambient: &Ambient, question: Option<&Question>, request: &mut Request) -> Option<Answer> {
    let (store, answer) = question?.ask(ambient, request.settings.store.as_ref());
    request.settings.opened = store;
    answer
}

/// Tells what a run before told.
pub fn told(ambient: &Ambient, common: &Common, flags: &RunFlags, mut answer: Answer) -> Outcome {
    check_reports(flags)?;
    show_answer(common, &answer);
    finish(ambient, common, flags, &mut answer.report)
}

/// What [`show_doubts`] showed.
pub fn show_answer(common: &Common, answer: &Answer) {
    if !common.quiet {
        answer.warnings.iter().for_each(|warning| print::talk_text(warning));
        show_left_out(&answer.left_out);
    }
}

/// A run, or findings that were printed and stand against it.
pub enum Ran {
    /// The plan and what came of it.
    Done(Box<(Planned, Built)>),
    /// Exit with this kind.
    Refused(Kind),
}

/// Prepares, checks what the verb needs and runs, told live; with
/// `--accept-hash` once more after new hashes are written.
pub fn run(
    ambient: &Ambient,
    common: &Common,
    (request, flags): (&Request, &RunFlags),
    check: &dyn Fn(&Planned) -> Result<()>,
) -> Result<Ran> {
    check_reports(flags)?;
    // What `--accept-hash` could not write, once it wrote anything.
    let mut troubles: Option<Vec<Failure>> = None;
    loop {
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
        show_doubts(common, &planned);
        check(&planned)?;
        let live = super::live(ambient);
        let mut progress = Progress::new(talk(common), live, planned.machines.jobs);
        planned.machines.heed_interrupts()?;
        let built = build::run(&planned, request.fail_fast, &mut |event| {
            progress.see(event);
            if let (true, Event::Finished { log: Some(digest), .. }) = (common.verbose, event) {
                progress.log(&planned.kept_log(digest));
            }
        });
        progress.done();
        let mut built = built?;
        if flags.accept_hash && !built.report.stopped && troubles.is_none() && !built.mismatches.is_empty() {
            let accepted = accept_hashes(&planned.loaded, &built.mismatches);
            for file in &accepted.changed {
                print::talk(&format!("wrote the new hash into {file}"));
            }
            let told = accepted.troubles.into_iter().map(Failure::from).collect();
            if !accepted.changed.is_empty() {
                troubles = Some(told);
                continue;
            }
            built.report.troubles = told;
        }
        built.report.troubles.extend(troubles.unwrap_or_default());
        return Ok(Ran::Done(Box::new((*planned, built))));
    }
}

/// Warnings, and what is left out.
pub fn show_doubts(common: &Common, planned: &Planned) {
    show_findings(common, &planned.findings);
    if !common.quiet {
        show_left_out(&planned.left_out);
    }
}

fn show_left_out(all: &[(String, String)]) {
    for (name, reason) in all {
        print::talk(&format!("left out {name}: {reason}"));
    }
}

/// The report in every form that was asked for, what was made, and the last
/// line. A report that cannot be written is one trouble more.
pub fn finish(ambient: &Ambient, common: &Common, flags: &RunFlags, report: &mut Report) -> Outcome {
    for text in &flags.report {
        if let Err(error) = write_report(ambient, text, report) {
            report.troubles.push(error.into());
        }
    }
    if common.json {
        let wire = wire::ReportV1::from(&*report);
        let text =
            serde_json::to_string_pretty(&wire).map_err(|e| Error::bug("failed to write JSON").because(e))?;
        print::result(&text);
    }
    print::talk_text(&report.text());
    if !common.quiet {
        let c = report.counts();
        let mut line = format!("{} built, {} steps kept", c.built, c.reused);
        if c.stopped > 0 {
            line.push_str(&format!(", {} stopped", c.stopped));
        }
        if c.failed + c.skipped > 0 {
            line.push_str(&format!(", {} failed, {} not reached", c.failed, c.skipped));
        }
        print::talk(&format!("{line}, {}", seconds(report.took)));
        for (package, file) in &report.start_up {
            print::talk(&format!("note: `{file}` of {package} runs at every start of the interpreter"));
        }
    }
    if !common.json {
        for made in &report.results {
            let shown = made.strip_prefix(&ambient.cwd).unwrap_or(made);
            print::result(&shown.display().to_string());
        }
    }
    Ok(report.kind())
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

fn write_report(ambient: &Ambient, text: &str, report: &Report) -> Result<()> {
    let (kind, file) = report_kind(text)?;
    let content = match kind {
        "junit" => junit::xml(report).map_err(|e| Error::bug("failed to write JUnit").because(e))?,
        _ => markdown::text(report),
    };
    let path = ambient.absolute(file);
    std::fs::write(&path, content).doing(|| format!("failed to write the report `{}`", path.display()))
}
