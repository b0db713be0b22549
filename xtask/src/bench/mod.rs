//! `cargo xtask bench`: what the corpus costs with wheelwright and with its
//! peers, side by side.
//!
//! Knows the parts and what a reader needs to judge their numbers. Must never
//! change the referee, nor help one side.

mod aims;
mod cell;
mod clock;
mod corpus;
mod files;
mod options;
mod ours;
mod profile;
mod referee;
mod report;
mod scale;
mod sdists;
mod small;
mod sources;
mod table;
mod tiny;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aims::Judged;
use options::{Options, Part};
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
        if let Err(text) = files::remove(&self.0) {
            eprintln!("{text}");
        }
    }
}

/// What a part gives.
#[derive(Debug)]
struct Tables {
    part: Part,
    /// Markdown.
    text: String,
    samples: Vec<Sample>,
    judged: Vec<Judged>,
    /// What the referee said of its last round.
    peers: Value,
}

/// Whether all lines came through. An aim that is missed is no failure: the
/// machine may be at fault.
fn bench(options: &Options, root: &Path) -> Result<bool, String> {
    let referee = match Referee::find(options) {
        Ok(referee) => Some(referee),
        Err(text) if options.quick => {
            eprintln!("only our lines: {text}");
            None
        }
        Err(text) => return Err(text),
    };
    let referee = referee.as_ref();
    let scratch = Scratch(options.work.join(format!("wheelwright-bench-{}", std::process::id())));
    files::make(&scratch.0)?;
    let ours = Ours::find(options, root, (&scratch.0, referee.map(|referee| referee.python.clone())))?;
    let mut all = Vec::new();
    for part in &options.parts {
        let tables = match part {
            Part::Pure | Part::Native => corpus::part(&ours, referee, *part)?,
            Part::Small => small::part(&ours, referee)?,
            Part::Tiny => tiny::part(&ours, referee)?,
            Part::Profile => profile::part(&ours, referee)?,
        };
        println!("{}", tables.text);
        all.push(tables);
        // After each part: what has been measured is not lost with the next.
        keep(options, &all)?;
    }
    Ok(all.iter().flat_map(|tables| &tables.samples).all(|sample| sample.failures.is_empty()))
}

/// The machine and the versions, as the head of a table.
fn machine(ours: &Ours<'_>, peers: &Value) -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!("{} jobs; {cores} cores, kernel {}", ours.options.jobs, kernel.trim());
    let said = [
        ("CPython", "python"),
        ("PGO", "python_pgo"),
        ("work on", "work_fs"),
        ("uv", "uv"),
        ("pip", "pip"),
        ("build", "build"),
    ];
    for (word, key) in said {
        match &peers[key] {
            Value::Null => {}
            Value::String(value) => text.push_str(&format!(", {word} {value}")),
            other => text.push_str(&format!(", {word} {other}")),
        }
    }
    text
}

/// The raw numbers, and the page if one was named.
fn keep(options: &Options, all: &[Tables]) -> Result<(), String> {
    let mut parts = serde_json::Map::new();
    for Tables { part, samples, judged, peers, .. } in all {
        let samples: Vec<Value> = samples.iter().map(Sample::json).collect();
        let aims: Vec<Value> = judged.iter().map(Judged::json).collect();
        parts.insert(part.word().to_owned(), json!({ "samples": samples, "aims": aims, "peers": peers }));
    }
    if let Some(folder) = options.json.parent() {
        files::make(folder)?;
    }
    files::write(&options.json, format!("{:#}\n", json!({ "format": 2, "parts": parts })))?;
    let (Some(page), Some(last)) = (&options.into, all.last()) else { return Ok(()) };
    let new = table::renewed(&files::read(page)?, last.part.word(), &last.text).ok_or_else(|| {
        let [begin, end] = table::marks(last.part.word());
        format!("`{}` has no `{begin}` and `{end}`", page.display())
    })?;
    files::write(page, new)
}
