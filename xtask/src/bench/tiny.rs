//! Many tiny sdists: what a package costs when it is nothing but overhead.
//!
//! Knows the workspace of the generated recipes and the referee's table of
//! the same sdists. Must never scale a time: sizes are compared by the
//! package, and the tables say how many there were.

use std::path::Path;

use serde_json::Value;

use super::Tables;
use super::aims::{self, Aim, Bound, Seen};
use super::files::{make, remove, write};
use super::options::Part;
use super::ours::{MAIN, Ours, Run, Workspace};
use super::referee::Referee;
use super::sdists::{self, HEAD, Project, hex};
use super::table;

/// The same sdists in every run.
const SEED: u64 = 2026;
/// The peer that the aim names, and the floor.
const LINES: &str = "uv-build,fork";

const AIMS: &[Aim] = &[
    Aim {
        what: "`uv build`, beside wheelwright, by the package",
        seen: Seen::Ratio("uv-build", MAIN),
        bound: Bound::Least(6.0),
    },
    Aim { what: "memory of wheelwright itself", seen: Seen::Peak(MAIN), bound: Bound::Most(100.0) },
];

/// Measures the tiny sdists.
pub fn part(ours: &Ours<'_>, referee: Option<&Referee<'_>>) -> Result<Tables, String> {
    let options = ours.options;
    let corpus = ours.corpus_recipes();
    let shares = sdists::shares(corpus);
    let count = options.tiny();
    let all = sdists::projects("tiny", &shares, (count, SEED));
    let workspace = workspace(ours, "tiny", &all)?;
    // Outside the time: the backends and their build environments, by one other project of each.
    let one_each = sdists::Backend::ALL.map(|backend| (backend, 1)).into_iter().collect();
    let warm = sdists::projects("warm", &one_each, (one_each.len(), SEED));
    ours.fill(&self::workspace(ours, "warm", &warm)?)?;
    let some = sdists::sample(&all, options.sample);
    let theirs = match referee {
        Some(referee) => Some(prepared(ours, referee, &some)?),
        None => None,
    };
    let (mut samples, mut peers) = (Vec::new(), Value::Null);
    for number in 0..options.rounds(Part::Tiny) {
        for side in 0..2 {
            if !(side + number).is_multiple_of(2) {
                let store = ours.store("store")?;
                let run = Run { line: MAIN, round: number, store: &store, flags: &["--no-check"] };
                samples.push(ours.build_wheels(&workspace, run)?.0);
                remove(&store)?;
            } else if let Some(referee) = &theirs {
                let (rows, said) = referee.round(Part::Pure, LINES, (number, &ours.scratch))?;
                samples.extend(rows);
                peers = said;
            }
        }
    }
    let judged = aims::judge(AIMS, &samples);
    let text = format!(
        "{count} tiny sdists ({}), {} of them with the peers; ratios are by the package; {}\n\n{}\n{}",
        mix(&all),
        if theirs.is_some() { some.len() } else { 0 },
        super::machine(ours, &peers),
        table::jobs(&samples, MAIN),
        aims::table(&judged),
    );
    Ok(Tables { part: Part::Tiny, text, samples, judged, peers })
}

/// How many there are of each backend, in words.
fn mix(all: &[Project]) -> String {
    let count = |backend| all.iter().filter(|project| project.backend == backend).count();
    let words = sdists::Backend::ALL.map(|backend| format!("{} {}", count(backend), backend.project()));
    words.join(", ")
}

/// A workspace of these projects, their sdists beside it.
fn workspace(ours: &Ours<'_>, name: &str, projects: &[Project]) -> Result<Workspace, String> {
    let folder = ours.scratch.join(name);
    let (files, set) = (folder.join("sdists"), folder.join("recipes"));
    for folder in [&files, &set] {
        make(folder)?;
    }
    write(&folder.join("wheelwright.toml"), "[set]\nrecipes = [\"recipes\"]\n")?;
    for project in projects {
        let bytes = sdist(project)?;
        let path = files.join(project.file());
        write(&path, &bytes)?;
        let recipe = project.recipe(&hex(&bytes), &format!("file://{}", path.display()));
        write(&set.join(format!("{}.toml", project.name)), recipe)?;
    }
    let goals = projects.iter().map(|p| format!("{}=={}", p.name, p.version)).collect();
    Ok(Workspace { folder, goals })
}

fn sdist(project: &Project) -> Result<Vec<u8>, String> {
    project.sdist().map_err(|e| format!("failed to make the sdist of {}: {e}", project.name))
}

/// The referee with a folder for these projects.
fn prepared<'a>(ours: &Ours<'a>, referee: &Referee<'a>, some: &[&Project]) -> Result<Referee<'a>, String> {
    let folder = ours.scratch.join("tiny");
    let corpus = folder.join("corpus.tsv");
    let mut rows = vec![HEAD.to_owned()];
    for project in some {
        rows.push(project.row(&hex(&sdist(project)?)));
    }
    write(&corpus, rows.join("\n") + "\n")?;
    eprintln!("preparing the peers for {} tiny sdists", some.len());
    referee.beside(&folder.join("peers"), &corpus, Path::new(&folder.join("sdists")))
}
