//! What takes milliseconds: nothing to do, one package changed, environments.
//!
//! Knows the lines of the whole corpus. Must never count what a store had to
//! do first to the time.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::aims::{self, Aim, Bound, Seen};
use super::files::{copy, remove, remove_file};
use super::options::Part;
use super::ours::{EPOCH, Ours, Run, Workspace};
use super::referee::{self, Referee};
use super::table::{self, Sample};
use super::{Tables, cell, scale};

const NOTHING: &str = "nothing to do";
const FIRST: &str = "working environment, nothing byte-compiled for it yet";
const PLANNED: &str = "working environment, planned anew";
const WORKING: &str = "working environment";
const FROZEN: &str = "frozen environment, and one command in it";
const FROZEN_PLANNED: &str = "frozen environment, planned anew, and one command in it";
const FOUND: &str = "the same environment again, found";
const ANSWERED: &str = "and once more, answered from memory";
const DAY: u64 = 86_400;

const AIMS: &[Aim] = &[
    Aim { what: NOTHING, seen: Seen::Wall(NOTHING), bound: Bound::Most(8.0) },
    Aim { what: FROZEN, seen: Seen::Wall(FROZEN), bound: Bound::Most(15.0) },
    Aim { what: FROZEN_PLANNED, seen: Seen::Wall(FROZEN_PLANNED), bound: Bound::Most(15.0) },
    Aim { what: WORKING, seen: Seen::Wall(WORKING), bound: Bound::Most(60.0) },
    Aim { what: PLANNED, seen: Seen::Wall(PLANNED), bound: Bound::Most(60.0) },
    Aim {
        what: "a warm build in a cell, over a fork without one",
        seen: Seen::Above(cell::READY, cell::FORKED),
        bound: Bound::Most(2.5),
    },
    Aim {
        what: "processor time of a warm build in a cell, over a fork without one",
        seen: Seen::CpuAbove(cell::WARM, cell::FORKED),
        bound: Bound::Most(5.0),
    },
    Aim {
        what: "a cell, over a bare process",
        seen: Seen::Above(cell::FULL, cell::BARE),
        bound: Bound::Most(2.5),
    },
    Aim {
        what: "processor time of a cell, over a bare process",
        seen: Seen::CpuAbove(cell::FULL, cell::BARE),
        bound: Bound::Most(5.0),
    },
    Aim { what: scale::LINE, seen: Seen::Wall(scale::LINE), bound: Bound::Most(250.0) },
    Aim { what: "memory of that plan", seen: Seen::Peak(scale::LINE), bound: Bound::Most(120.0) },
];

/// Measures the small things.
pub fn part(ours: &Ours<'_>, referee: Option<&Referee<'_>>) -> Result<Tables, String> {
    let workspace = ours.workspace("small", ours.corpus()?)?;
    // Outside the time: all is built, byte-compiled and checked once.
    let (ready, wheels) = (ours.store("ready")?, ours.scratch.join("all-wheels"));
    let flags = ["--wheel-dir", &wheels.display().to_string()];
    let mut samples = Vec::new();
    let (first, _) =
        ours.build(&workspace, Run { line: "preparing", round: 0, store: &ready, flags: &flags })?;
    if !first.failures.is_empty() {
        return Err(format!("the corpus does not build: {}", first.failures.join(", ")));
    }
    let rounds = ours.options.rounds(Part::Small);
    for number in 0..rounds {
        samples.extend(round(ours, &workspace, (number, &ready))?);
    }
    samples.extend(cell::lines(ours, rounds)?);
    samples.extend(scale::lines(ours, rounds)?);
    let theirs = match referee {
        Some(referee) => referee.environments(&wheels)?,
        None => String::new(),
    };
    for folder in [ready, wheels] {
        remove(&folder)?;
    }
    let judged = aims::judge(AIMS, &samples);
    let mut text = format!(
        "{} of the corpus' {} packages, {}\n\n{}",
        workspace.goals.len(),
        ours.listed()?.len(),
        super::machine(ours, &Value::Null),
        table::moments(&samples)
    );
    if !theirs.is_empty() {
        let _ = write!(text, "\nEnvironments of the same wheels, the referee's lines:\n\n{theirs}\n");
    }
    let _ = write!(text, "\n{}", aims::table(&judged));
    Ok(Tables { part: Part::Small, text, samples, judged, peers: referee::rows(&theirs) })
}

/// One round, in a store that has never made an environment of all goals.
fn round(
    ours: &Ours<'_>,
    workspace: &Workspace,
    (round, ready): (usize, &Path),
) -> Result<Vec<Sample>, String> {
    let store = ours.scratch.join("store");
    copy(ready, &store)?;
    let run = |line| Run { line, round, store: &store, flags: &[] };
    let mut samples = Vec::new();
    for _ in 0..3 {
        samples.push(ours.build(workspace, run(NOTHING))?.0);
    }
    let bumped = &workspace.goals[0];
    workspace.overlay(bumped, EPOCH + DAY, "")?;
    let (mut sample, _) = ours.build(workspace, run("one package changed"))?;
    sample.ran = format!("{bumped}: {}", sample.ran);
    samples.push(sample);
    let name = bumped.split("==").next().unwrap_or_default();
    remove_file(&workspace.folder.join("overlays").join(format!("{name}.toml")))?;
    let out = ours.scratch.join("env").display().to_string();
    let goals: Vec<&str> = workspace.goals.iter().map(String::as_str).collect();
    let working = [&["env", "--out", &out], &goals[..]].concat();
    let frozen = [&["run"], &goals[..], &["--", "true"]].concat();
    let lines = [
        (FIRST, &working, false),
        (PLANNED, &working, true),
        (WORKING, &working, false),
        (WORKING, &working, false),
        (FROZEN, &frozen, false),
        (FROZEN_PLANNED, &frozen, true),
        (FOUND, &frozen, false),
        (ANSWERED, &frozen, false),
    ];
    let file = workspace.folder.join("wheelwright.toml");
    for (line, flags, anew) in lines {
        if line == FROZEN_PLANNED {
            forget_frozen(&store.join("envs"))?;
        }
        if anew {
            // Nothing that was answered holds any more.
            let text = std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
        }
        samples.push(ours.timed(workspace, Run { flags, ..run(line) })?);
        remove(Path::new(&out))?;
    }
    remove(&store)?;
    Ok(samples)
}

/// Removes the environments that commands were started in: the next one is made.
fn forget_frozen(folder: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut gone = 0;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with("env-") {
            remove(&entry.path())?;
            gone += 1;
        }
    }
    if gone == 0 { Err(format!("{}: no frozen environment", folder.display())) } else { Ok(()) }
}
