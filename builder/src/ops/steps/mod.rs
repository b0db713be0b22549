//! The work of each step kind.
//!
//! Knows how a recipe's fields become an action or an assembly of ours. Must
//! never know keys, locks or the order of steps.

mod build;
mod check;
pub mod env;
mod failure;
mod fetch;
mod finish;
mod headers;
mod source;
mod warm;

use std::sync::Mutex;
use std::time::Duration;

use recipes::diag::Place;
use recipes::name::Sha256;
use recipes::recipe::{Promise, Recipe, Source};
use recipes::set::PackageSet;

use crate::event::{Failure, StepKind};
use crate::key::Digest;
use crate::ops::load::Loaded;
use crate::ops::machines::Machines;
use crate::ops::run::{Needs, Talk, Work, Worked};
use crate::pep517::hints;
use crate::plan::{Local, Step, declares_compiler};
use crate::schedule::first_guess;
use crate::store::realisation::Realisation;

/// A hash that is not the promised one, for `--accept-hash`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where another one is promised, in a source or for a patch.
    pub place: Place,
    /// What came.
    pub got: Sha256,
}

/// Does the work of a plan's steps on this machine.
pub struct Steps<'a> {
    /// The recipes.
    pub set: &'a PackageSet,
    /// Where their files lie.
    pub loaded: &'a Loaded,
    /// What was read from disk beforehand.
    pub local: &'a Local,
    /// Store, interpreter, executor, fetcher.
    pub machines: &'a Machines,
    /// Byte code of what is installed is wanted in any case.
    pub results: bool,
    /// Hashes that did not match, for `--accept-hash`.
    pub mismatches: Mutex<Vec<Mismatch>>,
    /// What fork servers load.
    preloads: warm::Preloads,
}

impl<'a> Steps<'a> {
    /// Ready to work.
    pub fn new(set: &'a PackageSet, loaded: &'a Loaded, local: &'a Local, machines: &'a Machines) -> Self {
        Self {
            set,
            loaded,
            local,
            machines,
            results: false,
            mismatches: Mutex::default(),
            preloads: warm::Preloads::default(),
        }
    }

    fn recipe(&self, step: &Step) -> &'a Recipe {
        self.set.get(step.recipe)
    }

    /// What a log does not say, for hints.
    fn hint_facts(&self, recipe: &Recipe) -> hints::Facts {
        let release = self.machines.ambient.machine("etc/os-release");
        let release = std::fs::read_to_string(release).unwrap_or_default();
        hints::Facts {
            compiler: declares_compiler(recipe),
            python: self.machines.interpreter.minor.1,
            distro: hints::Distro::of(&release),
        }
    }

    /// How long a build may take that was never timed. How large the source
    /// is can be seen where the store has it already.
    fn guess(&self, step: &Step) -> Duration {
        let bytes = match self.source_of(step).promise {
            Promise::Hash(hash) => std::fs::metadata(self.machines.store.blob_path(&Digest(hash.0))).ok(),
            Promise::Ask | Promise::Local => None,
        };
        first_guess(declares_compiler(self.recipe(step)), bytes.map(|meta| meta.len()))
    }

    fn source_of(&self, step: &Step) -> &'a Source {
        self.set.source_for(step.recipe).expect("the plan was made, so a source applies")
    }
}

impl Work for Steps<'_> {
    fn work(&self, step: &Step, inputs: &[&Realisation], talk: Talk<'_>) -> Worked {
        let worked = match step.kind {
            StepKind::Fetch => fetch::fetch(self, step, talk),
            StepKind::Source => source::source(self, step, inputs),
            StepKind::Build => build::build(self, step, inputs, talk.more),
            StepKind::Finish => finish::finish(self, step, inputs, talk.note),
            StepKind::Install => finish::install(self, step, inputs),
            StepKind::Verify => finish::verify(self, step, inputs),
            StepKind::Imports => check::imports(self, step, inputs),
            StepKind::Check => check::tests(self, step, inputs),
            StepKind::Env | StepKind::App => {
                let error = crate::error::Error::bug("environments are made after the run, not in it");
                Err(Box::new(Failure::from(error)))
            }
        };
        worked.map_err(|failure| failure::told_where(failure, self.recipe(step)))
    }

    fn soon(&self, step: &Step, installs: &[&Realisation]) -> bool {
        build::soon(self, step, installs).unwrap_or(false)
    }

    fn needs(&self, step: &Step) -> Needs {
        let build = &self.recipe(step).build;
        match step.kind {
            StepKind::Build | StepKind::Check => Needs {
                exclusive: build.exclusive,
                memory: build.memory.unwrap_or(0),
                guess: (step.kind == StepKind::Build).then(|| self.guess(step)),
            },
            _ => Needs::default(),
        }
    }
}
