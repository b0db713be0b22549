//! The line of scale: a plan of thousands of synthetic recipes.
//!
//! Knows the generator. Must never build: behind these recipes there is nothing.

use super::ours::{Ours, Run, Workspace};
use super::table::Sample;
use crate::synth::{self, Shape};

/// The line; a smoke test plans fewer and is none of it.
pub const LINE: &str = "plan of 10000 recipes";
const RECIPES: usize = 10_000;
const QUICK: usize = 300;

/// Plans all of them, from a store that has none of them.
pub fn lines(ours: &Ours<'_>, rounds: usize) -> Result<Vec<Sample>, String> {
    let quick = ours.options.quick;
    let recipes = if quick { QUICK } else { RECIPES };
    let folder = ours.scratch.join("many");
    synth::write(&folder, &Shape { recipes, seed: 1 })?;
    let workspace = Workspace { folder, goals: Vec::new() };
    let store = ours.scratch.join("many-store");
    let line = if quick { "plan of few recipes" } else { LINE };
    let flags = ["plan", "--all"];
    let run = |round| ours.timed(&workspace, Run { line, round, store: &store, flags: &flags });
    // Outside the count: the interpreter is asked what it is, once a store.
    run(0)?;
    (0..rounds).map(run).collect()
}
