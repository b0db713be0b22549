//! The corpus' sets, beside the peers.
//!
//! Knows the order of things within a round. Must never help one side.
//!
//! All goals carry the referee's SOURCE_DATE_EPOCH through an overlay. So both
//! sides build with the same one, and in a store where everything is built
//! already exactly the goals have to be unpacked and built again: an output
//! that comes out as it was stops what lies above it (and so does a wheel: its
//! install is there).

use recipes::recipe::Recipe;
use serde_json::Value;

use super::Tables;
use super::aims::{self, Aim, Bound, Seen};
use super::files::remove;
use super::options::Part;
use super::ours::{EPOCH, MAIN, Ours, Run, Workspace};
use super::referee::Referee;
use super::table::{self, Sample};

/// The line with the interpreter's own C flags.
const EQUAL: &str = "wheelwright, the interpreter's own flags";
/// The line that starts from nothing but the sdists.
const EMPTY: &str = "wheelwright, empty store";
/// What the referee runs of the native set unless it is told: its floor of a
/// fresh process, and the peer that the aims name. Each costs minutes a round.
const NATIVE_LINES: &str = "fresh,uv-build";

const PURE: &[Aim] = &[
    Aim {
        what: "wheelwright, beside the forked floor",
        seen: Seen::Ratio(MAIN, "fork"),
        bound: Bound::Most(1.25),
    },
    Aim { what: "uv's fastest line, beside wheelwright", seen: UV, bound: Bound::Least(3.0) },
    Aim { what: "the same, hoped for", seen: UV, bound: Bound::Least(4.0) },
    Aim {
        what: "`pip wheel`, beside wheelwright",
        seen: Seen::Ratio("pip-wheel", MAIN),
        bound: Bound::Least(10.0),
    },
    Aim {
        what: "memory of wheelwright itself, empty store",
        seen: Seen::Peak(EMPTY),
        bound: Bound::Most(100.0),
    },
    Aim { what: "memory of wheelwright itself", seen: Seen::Peak(MAIN), bound: Bound::Most(100.0) },
];
const UV: Seen = Seen::Fastest(&["uv-build", "uv-build-cold", "uv-install"], MAIN);

const NATIVE: &[Aim] = &[
    Aim {
        what: "wheelwright with equal flags, beside `uv build`",
        seen: Seen::Ratio(EQUAL, "uv-build"),
        bound: Bound::Most(1.0),
    },
    Aim {
        what: "wheelwright with our defaults, beside `uv build`",
        seen: Seen::Ratio(MAIN, "uv-build"),
        bound: Bound::Most(0.8),
    },
    Aim { what: "memory of wheelwright itself", seen: Seen::Peak(MAIN), bound: Bound::Most(100.0) },
];

/// Measures a set.
pub fn part(ours: &Ours<'_>, referee: Option<&Referee<'_>>, set: Part) -> Result<Tables, String> {
    let goals = match referee {
        Some(referee) => referee.goals(set)?,
        None => ours.quick()?,
    };
    let workspaces = workspaces(ours, set, &goals)?;
    let (mut samples, mut peers) = (Vec::new(), Value::Null);
    for number in 0..ours.options.rounds(set) {
        // Who starts changes from round to round.
        for side in 0..2 {
            if !(side + number).is_multiple_of(2) {
                samples.extend(round(ours, set, &workspaces, number)?);
            } else if let Some(referee) = referee {
                let lines = match (&*ours.options.lines, set) {
                    ("", Part::Native) => NATIVE_LINES,
                    (lines, _) => lines,
                };
                let (theirs, said) = referee.round(set, lines, (number, &ours.scratch))?;
                samples.extend(theirs);
                peers = said;
            }
        }
    }
    let judged = aims::judge(if set == Part::Native { NATIVE } else { PURE }, &samples);
    let text = format!(
        "{} packages ({}), {}\n\n{}\n{}",
        goals.len(),
        set.word(),
        super::machine(ours, &peers),
        table::jobs(&samples, MAIN),
        aims::table(&judged),
    );
    Ok(Tables { part: set, text, samples, judged, peers })
}

/// The workspace of the goals, and for the native set one with equal flags.
fn workspaces(
    ours: &Ours<'_>,
    set: Part,
    goals: &[String],
) -> Result<Vec<(&'static str, Workspace)>, String> {
    let mut made = Vec::new();
    let lines = [MAIN, EQUAL];
    let own = if set == Part::Native { ours.own_flags()? } else { String::new() };
    for line in &lines[..if set == Part::Native { 2 } else { 1 }] {
        let folder = format!("{}-{}", set.word(), made.len());
        let workspace = ours.workspace(&folder, goals.to_vec())?;
        for goal in goals {
            let more =
                if *line == EQUAL { equal_flags(takes_variables(ours, goal), &own) } else { String::new() };
            workspace.overlay(goal, EPOCH, &more)?;
        }
        made.push((*line, workspace));
    }
    Ok(made)
}

/// Whether the backend of a package takes CFLAGS *in place of* the
/// interpreter's own flags, as setuptools does. Others add the variable to
/// flags of their own.
fn takes_variables(ours: &Ours<'_>, goal: &str) -> bool {
    let mine = |r: &&Recipe| format!("{}=={}", r.pname, r.version) == goal;
    !ours.recipes.iter().find(mine).is_some_and(Recipe::brings_flags)
}

/// The variables with which a compiler is told what it is told in the peers'
/// builds, where there are none.
fn equal_flags(takes_variables: bool, own: &str) -> String {
    let flags = if takes_variables { own } else { "" };
    format!("\n[build.env]\nCFLAGS = {flags:?}\nCXXFLAGS = {flags:?}\nFFLAGS = \"\"\n")
}

/// Our further lines of the pure set, and what they say to `build`.
const PURE_LINES: [(&str, &[&str]); 2] = [
    ("wheelwright, with import checks", &[]),
    ("wheelwright, no fork servers", &["--no-check", "--no-warm"]),
];

/// One round of our lines.
fn round(
    ours: &Ours<'_>,
    set: Part,
    workspaces: &[(&'static str, Workspace)],
    round: usize,
) -> Result<Vec<Sample>, String> {
    let usual: &[&str] = &["--no-check"];
    let mut lines: Vec<(&str, &Workspace, &[&str])> =
        workspaces.iter().map(|(line, workspace)| (*line, workspace, usual)).collect();
    if set == Part::Pure {
        lines.extend(PURE_LINES.map(|(line, flags)| (line, &workspaces[0].1, flags)));
    }
    let mut samples = Vec::new();
    for (line, workspace, flags) in lines {
        let store = ours.store("store")?;
        samples.push(ours.build_wheels(workspace, Run { line, round, store: &store, flags })?.0);
        remove(&store)?;
    }
    if set == Part::Pure {
        let store = ours.scratch.join("empty");
        let run = Run { line: EMPTY, round, store: &store, flags: usual };
        samples.push(ours.build_wheels(&workspaces[0].1, run)?.0);
        remove(&store)?;
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::equal_flags;

    #[test]
    fn equal_flags_are_those_that_a_backend_has_without_variables() {
        let setuptools = "\n[build.env]\nCFLAGS = \"-O3 -Wall\"\nCXXFLAGS = \"-O3 -Wall\"\nFFLAGS = \"\"\n";
        assert_eq!(equal_flags(true, "-O3 -Wall"), setuptools);
        assert!(equal_flags(false, "-O3 -Wall").contains("\nCFLAGS = \"\"\n"));
    }
}
