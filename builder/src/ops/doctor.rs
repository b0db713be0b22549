//! `doctor`: what this machine can do.
//!
//! Knows what each module says of the host. Must never change anything.

use crate::ambient::Ambient;
use crate::error::Result;
use crate::exec::{self, Fact, FactState, LocalOptions};
use crate::ops::host;
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
