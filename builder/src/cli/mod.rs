//! Flags to options, events to lines, kinds to exit codes: the only printer.
//!
//! Knows `ops` and `event`. Must never know anything below `ops`.

mod adding;
pub mod args;
mod exporting;
mod importing;
mod inspecting;
mod json;
mod making;
mod newing;
mod outputs;
pub mod print;
pub mod progress;
mod reading;
mod tending;
mod updating;

use std::process::ExitCode;

use clap::Parser as _;

use crate::ambient::Ambient;
use crate::error::{Error, Kind, Result};
use crate::ops::host::MISSING_EXTERNAL;
use crate::ops::machines::Settings;
use crate::store::realisation::Level;
use args::{Cli, Common, Isolation, Verb};
use progress::Talk;
use recipes::diag::{Finding, Severity};

/// How a verb ended, when no error stopped it.
pub type Outcome = Result<Option<Kind>>;

/// The whole program behind `main`.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are results, everything else is talk; clap knows which.
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { Kind::Input.exit_code() } else { 0 });
        }
    };
    // What went wrong was printed where it happened; the exit code says whose fault it is.
    let outcome = std::panic::catch_unwind(|| Ambient::look().and_then(|ambient| dispatch(&ambient, cli)))
        .unwrap_or_else(|_| Err(Error::bug("a part of the program gave up")));
    match outcome {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(kind)) => ExitCode::from(kind.exit_code()),
        Err(error) => {
            print::talk_text(&error_text(&error));
            ExitCode::from(error.kind.exit_code())
        }
    }
}

fn dispatch(ambient: &Ambient, cli: Cli) -> Outcome {
    let common = &cli.common;
    match cli.verb {
        Verb::Build(args) => making::build(ambient, common, &args),
        Verb::Check(args) => making::check(ambient, common, &args),
        Verb::Env(args) => outputs::env(ambient, common, &args),
        Verb::Run(args) => outputs::run(ambient, common, &args),
        Verb::Plan(args) => reading::plan(ambient, common, &args),
        Verb::Why(args) => reading::why(ambient, common, &args),
        Verb::Log(args) => reading::log(ambient, common, &args),
        Verb::Show(args) => reading::show(ambient, common, &args),
        Verb::List(args) => reading::list(ambient, common, &args),
        Verb::Tree(args) => reading::tree(ambient, common, &args),
        Verb::WhyDepends(args) => inspecting::why_depends(ambient, common, &args),
        Verb::Outdated(args) => inspecting::outdated(ambient, common, &args),
        Verb::Licenses(args) => inspecting::licenses(ambient, common, &args),
        Verb::Search(args) => inspecting::search(ambient, common, &args),
        Verb::Add(args) => tending::add(ambient, common, &args),
        Verb::Update(args) => updating::update(ambient, common, &args),
        Verb::New(args) => newing::new_recipe(ambient, common, &args),
        Verb::Import(args) => importing::import(ambient, common, &args),
        Verb::Export(args) => exporting::export(ambient, common, &args),
        Verb::Lint(args) => tending::lint(ambient, common, &args),
        Verb::Fmt(args) => tending::fmt(ambient, common, &args),
        Verb::Store(args) => tending::store(ambient, common, &args),
        Verb::Gc(args) => tending::gc(ambient, common, &args),
        Verb::Doctor => tending::doctor(ambient, common),
        Verb::Schema => {
            print::result(&recipes::schema::json_schema());
            Ok(None)
        }
        Verb::Completions { shell } => {
            let mut command = <Cli as clap::CommandFactory>::command();
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command, "wheelwright", &mut text);
            print::result_text(&String::from_utf8_lossy(&text));
            Ok(None)
        }
    }
}

/// An error as its lines: what was being done, the cause chain, hints.
pub fn error_text(error: &Error) -> String {
    let mut out = format!("error: {}\n", error.doing);
    for cause in &error.causes {
        out.push_str(&format!("  cause: {cause}\n"));
    }
    for hint in &error.hints {
        out.push_str(&format!("  hint: {hint}\n"));
    }
    if error.kind == Kind::Bug {
        out.push_str("  this is a bug of wheelwright: please report it with the command you ran\n");
    }
    out
}

/// Prints findings that a verb stops for, or that it only mentions. Lints are
/// the business of `lint`.
pub fn show_findings(common: &Common, findings: &[Finding]) -> Option<Kind> {
    let mut broken = 0;
    for finding in findings {
        match finding.severity {
            Severity::Error => broken += 1,
            Severity::Warning if !common.quiet => {}
            Severity::Warning | Severity::Lint => continue,
        }
        print::talk_text(&finding.render());
    }
    if broken > 1 {
        print::talk(&format!("{broken} errors in the recipes"));
    }
    // What the host lacks is no mistake in a recipe.
    let host = findings.iter().any(|f| f.severity == Severity::Error && f.code == MISSING_EXTERNAL);
    (broken > 0).then_some(if host { Kind::Environment } else { Kind::Input })
}

/// What the common flags ask of the machine.
pub fn settings(common: &Common, keep_failed: bool) -> Result<Settings> {
    if common.jobs == Some(0) {
        return Err(
            Error::input("`--jobs 0` leaves nobody to work").hint("leave --jobs out to use every processor")
        );
    }
    Ok(Settings {
        store: common.store.clone(),
        python: common.python.clone(),
        level: common.isolation.map(|isolation| match isolation {
            Isolation::Full => Level::Full,
            Isolation::Landlock => Level::Landlock,
            Isolation::Env => Level::Env,
        }),
        jobs: common.jobs,
        offline: common.offline,
        refresh: common.refresh,
        keep_failed,
        no_warm: common.no_warm,
        opened: None,
    })
}

/// Whether lines may move: standard error is a terminal and not CI.
fn live(ambient: &Ambient) -> bool {
    ambient.stderr_tty && ambient.var("CI").is_none() && !ambient.no_color()
}

/// How much is said.
pub fn talk(common: &Common) -> Talk {
    match (common.quiet, common.verbose) {
        (true, _) => Talk::Quiet,
        (false, true) => Talk::Verbose,
        (false, false) => Talk::Normal,
    }
}
