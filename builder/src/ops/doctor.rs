//! `doctor`: what this machine can do.
//!
//! Knows what each module says of the host. Must never change anything.

use crate::ambient::Ambient;
use crate::error::{Result, count};
use crate::exec::{self, Fact, FactState, LocalOptions};
use crate::ops::host::{self, Make};
use crate::ops::machines::{Settings, interpreter, open_store};

/// Everything worth knowing, the sandbox first.
pub fn facts(ambient: &Ambient, settings: &Settings) -> Result<Vec<Fact>> {
    let store = open_store(ambient, settings.store.as_ref())?;
    let trees = store.clone();
    let root = store.root().to_owned();
    let work = store.temp_dir()?;
    let options = LocalOptions::new(move |d| trees.tree_path(d), work.path(), root.join("toolbox"));
    let mut facts = exec::doctor(&options);
    facts.push(Fact {
        what: "store".to_owned(),
        state: FactState::Good,
        detail: format!("`{}`", store.root().display()),
        hints: Vec::new(),
    });
    facts.push(match interpreter(ambient, &store, settings.python.as_deref()) {
        Ok(found) => Fact {
            what: "interpreter".to_owned(),
            state: FactState::Good,
            detail: format!("CPython {} at `{}`", found.version, found.exe.display()),
            hints: Vec::new(),
        },
        Err(error) => Fact {
            what: "interpreter".to_owned(),
            state: FactState::Bad,
            detail: error.to_string(),
            hints: error.hints,
        },
    });
    facts.push(jobserver(&Make::of(ambient), ambient.cpus));
    for (tool, why) in [
        ("cc", "packages with C extensions need it"),
        ("git", "git sources need it"),
        ("pkg-config", "some native packages look for libraries with it"),
    ] {
        // Git is ours to start, the others are a build's.
        let found = if tool == "git" { ambient.find_program(tool) } else { host::program(ambient, tool) };
        facts.push(match found {
            Some(path) => Fact {
                what: tool.to_owned(),
                state: FactState::Good,
                detail: format!("`{}`", path.display()),
                hints: Vec::new(),
            },
            None => Fact {
                what: tool.to_owned(),
                state: FactState::Note,
                detail: format!("not found: {why}"),
                hints: Vec::new(),
            },
        });
    }
    Ok(facts)
}

/// Whether the builds of a run share the processors, and why not.
fn jobserver(make: &Make, cpus: usize) -> Fact {
    let shares = make.knows_fifo();
    let make = match make {
        Make::Absent => "there is no make here".to_owned(),
        Make::Unknown => "the version of make is not known".to_owned(),
        Make::Known(version) => format!("make is {version}"),
    };
    let processors = count(cpus, "processor");
    let (state, detail) = if shares {
        (FactState::Good, format!("builds share {processors} token by token; {make}"))
    } else {
        (FactState::Note, format!("each build may use {processors} for itself; {make}"))
    };
    let hint = "GNU make 4.4 or later lets builds share the processors";
    let hints = if shares { Vec::new() } else { vec![hint.to_owned()] };
    Fact { what: "jobserver".to_owned(), state, detail, hints }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jobserver_is_said_to_work_where_make_can() {
        let of = |make: Make| {
            let fact = jobserver(&make, 2);
            (fact.state, fact.detail)
        };
        let shared = "builds share 2 processors token by token; make is 4.4.1-2".to_owned();
        assert_eq!(of(Make::Known("4.4.1-2".into())), (FactState::Good, shared));
        let alone = "each build may use 2 processors for itself; make is 4.3-4.1".to_owned();
        assert_eq!(of(Make::Known("4.3-4.1".into())), (FactState::Note, alone));
        assert_eq!(of(Make::Absent).0, FactState::Good);
        assert_eq!(of(Make::Unknown).0, FactState::Note);
    }
}
