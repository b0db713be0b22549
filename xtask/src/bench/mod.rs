//! `cargo xtask bench`: what the corpus costs with wheelwright and with its
//! peers, side by side.
//!
//! Knows the order of things within a round, and what a reader needs to judge
//! the numbers. Must never change the referee, nor help one side.

mod clock;
mod options;
mod ours;
mod referee;
mod sources;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use options::{Options, QUICK};
use ours::Ours;
use referee::Referee;
use serde_json::{Value, json};
use table::Sample;

/// Runs the words after `bench`.
pub fn main(words: &[&str]) -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    if words.iter().any(|word| ["-h", "--help"].contains(word)) {
        println!("{}", options::HELP);
        return ExitCode::SUCCESS;
    }
    match Options::parse(words, root).and_then(|options| bench(&options, root)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::from(2)
        }
    }
}

/// A folder that goes away with it.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(text) = ours::remove(&self.0) {
            eprintln!("{text}");
        }
    }
}

/// All samples of all rounds.
#[derive(Default)]
struct Samples {
    jobs: Vec<Sample>,
    moments: Vec<Sample>,
    /// What the referee says of itself and the machine.
    peers: Value,
}

/// Whether all lines came through.
fn bench(options: &Options, root: &Path) -> Result<bool, String> {
    let referee = match Referee::find(options) {
        Ok(referee) => Some(referee),
        Err(text) if options.quick => {
            eprintln!("only our lines: {text}");
            None
        }
        Err(text) => return Err(text),
    };
    let scratch = Scratch(options.work.join(format!("wheelwright-bench-{}", std::process::id())));
    ours::make(&scratch.0)?;
    let ours = ours(options, root, (&scratch.0, referee.as_ref()))?;
    eprintln!("preparing {} packages", ours.goals.len());
    ours.prepare(&root.join("recipe-examples"))?;
    let samples = rounds(&ours, referee.as_ref())?;
    let environments = match &referee {
        Some(referee) => referee.environments()?,
        None => String::new(),
    };
    let section = section(&ours, &samples, &environments);
    println!("{section}");
    keep(options, &samples, &section)?;
    Ok(samples.jobs.iter().chain(&samples.moments).all(|sample| sample.failures.is_empty()))
}

/// Our side, before anything is prepared.
fn ours<'a>(
    options: &'a Options,
    root: &Path,
    (scratch, referee): (&Path, Option<&Referee>),
) -> Result<Ours<'a>, String> {
    let program = match &options.wheelwright {
        Some(program) => program.clone(),
        None => {
            let build = ["build", "--release", "--locked", "--package", "builder"];
            ours::run(Command::new("cargo").args(build).current_dir(root))?;
            root.join("target/release/wheelwright")
        }
    };
    let examples = root.join("recipe-examples");
    let folder = std::fs::read_dir(examples.join("corpus"))
        .map_err(|e| format!("failed to read the corpus' recipes: {e}"))?;
    let mut paths: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
    paths.push(examples.join("toolz.toml"));
    let list = std::fs::read_to_string(examples.join("corpus.txt"))
        .map_err(|e| format!("failed to read the list of the corpus: {e}"))?;
    let goals = match referee {
        Some(referee) => referee.goals.clone(),
        None => {
            let is_quick = |goal: &&str| QUICK.iter().any(|name| goal.starts_with(&format!("{name}==")));
            list.lines().filter(is_quick).map(str::to_owned).collect()
        }
    };
    let missing: Vec<&str> =
        goals.iter().map(String::as_str).filter(|goal| !list.lines().any(|line| line == *goal)).collect();
    if !missing.is_empty() {
        return Err(format!("no recipe here for {}", missing.join(", ")));
    }
    Ok(Ours {
        options,
        program,
        python: referee.map(|referee| referee.python.clone()),
        goals,
        recipes: sources::recipes(&paths)?,
        template: root.join("target/bench/store"),
        scratch: scratch.to_owned(),
    })
}

/// Both sides in each round; who starts changes from round to round.
fn rounds(ours: &Ours, referee: Option<&Referee>) -> Result<Samples, String> {
    let mut samples = Samples::default();
    for number in 0..ours.options.rounds {
        for side in 0..2 {
            if (side + number).is_multiple_of(2) {
                let Some(referee) = referee else { continue };
                let (theirs, said) = referee.round(number, &ours.scratch)?;
                samples.jobs.extend(theirs);
                samples.peers = said;
                continue;
            }
            let round = ours.round(number)?;
            for sample in round.jobs.iter().chain(&round.moments) {
                let failures = sample.failures.join(" ");
                eprintln!("round {} {}: {:.3} s {failures}", number + 1, sample.line, sample.wall);
            }
            samples.jobs.extend(round.jobs);
            samples.moments.extend(round.moments);
        }
    }
    Ok(samples)
}

/// Tables and what a reader needs beside them.
fn section(ours: &Ours, samples: &Samples, environments: &str) -> String {
    let options = ours.options;
    let text = |key: &str| match &samples.peers[key] {
        Value::String(text) => text.clone(),
        Value::Null => "?".to_owned(),
        other => other.to_string(),
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut lines = vec![format!(
        "{} packages ({}), {} jobs, {} rounds; {cores} cores, kernel {}, CPython {} (PGO: {}), work on {}; uv {}, pip {}, build {}",
        ours.goals.len(),
        options.set,
        options.jobs,
        options.rounds,
        kernel.trim(),
        text("python"),
        text("python_pgo"),
        text("work_fs"),
        text("uv"),
        text("pip"),
        text("build"),
    )];
    lines.push(String::new());
    lines.push(table::jobs(&samples.jobs, ours::MAIN));
    lines.push("Small things, ours:\n".to_owned());
    lines.push(table::moments(&samples.moments));
    if !environments.is_empty() {
        lines.push("Environments of the same packages, the referee's lines:\n".to_owned());
        lines.push(environments.to_owned());
    }
    lines.join("\n")
}

/// The raw numbers, and the page if one was named.
fn keep(options: &Options, samples: &Samples, section: &str) -> Result<(), String> {
    let all = samples.jobs.iter().chain(&samples.moments);
    let raw =
        json!({ "format": 1, "samples": all.map(Sample::json).collect::<Vec<_>>(), "peers": samples.peers });
    if let Some(folder) = options.json.parent() {
        ours::make(folder)?;
    }
    ours::write(&options.json, &format!("{raw:#}\n"))?;
    let Some(page) = &options.into else { return Ok(()) };
    let old =
        std::fs::read_to_string(page).map_err(|e| format!("failed to read `{}`: {e}", page.display()))?;
    let new = table::renewed(&old, section).ok_or_else(|| {
        format!("`{}` has no `<!-- bench: begin -->` and `<!-- bench: end -->`", page.display())
    })?;
    ours::write(page, &new)
}
