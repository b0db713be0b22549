//! Package set to a total, pure, immutable DAG of steps with keys.
//!
//! Knows which input moves which key (the table below). Must never know the
//! store, executors, time or threads.
//!
//! | input | source | build | finish | install | verify | imports, check |
//! |---|---|---|---|---|---|---|
//! | promised hash, patches, source phases | yes | by digest | | | | check: by digest |
//! | subdirectory, build phases, config-settings, env, epoch, C-flag policy | | yes | | | | |
//! | install phases | | of `other` | | yes | | |
//! | installs of the build closure | | yes | | | | |
//! | interpreter identity | | yes | | layout | markers | yes |
//! | host identity | | if a compiler is declared | | | | the same |
//! | version of the step kind | yes | yes | yes | yes | yes | yes |
//! | level | if phases run there | yes | yes | yes | yes | yes |
//! | relax, remove-tests, namespaces, expect | | | yes | | | |
//! | name and version | in phases | yes | yes | in phases | | yes |
//! | a table that is not supported yet | | yes | yes | | | |
//! | run-time closure | | | | | names, versions | installs |
//! | check fields, inputs, phases | | | | | | check |
//!
//! A fetch knows what was promised, name and version, and no level: bytes are
//! the same however they are built later. `post-build` is a build phase: it is
//! a foreign process beside the built tree, and `finish` starts none.
//!
//! Never in a key: meta, optional-dependencies, comments, file locations,
//! mirrors, job counts, timeouts, memory, absolute paths.

mod make;
mod show;
mod spec;
#[cfg(test)]
mod tests;
mod why;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use recipes::diag::Finding;
use recipes::set::{Member, PackageSet, RecipeId, Tests};

use crate::event::StepKind;
use crate::key::{ContentKey, Digest, KeyPart, Room, Spec, StepKey, StepPart, TreeDigest};
use crate::store::realisation::Level;

pub use show::text;
pub use spec::{check_sees_host, declares_compiler};
pub use why::{Difference, differences};

/// What of the world moves keys.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Interpreter identity.
    pub interpreter: Digest,
    /// `3.11`.
    pub python: String,
    /// Identity of the host's toolchain; used by steps that declare a compiler.
    pub host: Digest,
    /// The isolation asked for.
    pub level: Level,
    /// The C flags builds get (but those with flags of their own), and the policy's version.
    pub c_flags: String,
}

/// What was read from disk for the recipes, by recipe number.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// `path` sources, already in the store.
    pub trees: BTreeMap<usize, TreeDigest>,
    /// Patch files: (recipe, name) to digest of the text.
    pub patches: BTreeMap<(usize, String), Digest>,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Goals {
    /// The packages, with the extras asked of them.
    pub packages: Vec<Member>,
    /// Packages that are installed beside them: the closure of an environment.
    pub beside: Vec<RecipeId>,
    /// How far.
    pub depth: Depth,
    /// Whose tests are run.
    pub tests: Tests,
}

/// How far a goal is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Finished wheels only, of the goals and of their run-time closures.
    Wheels,
    /// Installs of the goals and of their run-time closures.
    Installs,
    /// Installs, verified and import-checked.
    Checked,
}

/// What an input is to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The file that a source is unpacked from.
    File,
    /// The source.
    Source,
    /// What a backend made.
    RawWheel,
    /// A wheel that is not built here.
    PrebuiltWheel,
    /// The finished wheel.
    Wheel,
    /// The package's own install.
    Install,
    /// An install that it is built with.
    BuildSystem,
    /// An install that it runs with.
    Dependency,
}

impl Role {
    /// The word, and whether the name of a package belongs to it.
    fn word(self) -> (&'static str, bool) {
        match self {
            Role::File => ("file", false),
            Role::Source => ("source", false),
            Role::RawWheel => ("raw wheel", false),
            Role::PrebuiltWheel => ("prebuilt wheel", false),
            Role::Wheel => ("wheel", false),
            Role::Install => ("install", false),
            Role::BuildSystem => ("build-system ", true),
            Role::Dependency => ("dependency ", true),
        }
    }
}

/// An input of a step. A plan of thousands of recipes has hundreds of
/// thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    step: u32,
    /// What it is to the step.
    pub role: Role,
}

impl Input {
    /// What the step of this index makes.
    pub fn new(step: usize, role: Role) -> Self {
        Self { step: u32::try_from(step).expect("a plan has fewer steps"), role }
    }

    /// Index of the step that makes it; smaller than the step's own.
    pub fn step(&self) -> usize {
        self.step as usize
    }

    /// Its role in two pieces: `source` and nothing, `dependency ` and `flask`.
    fn named<'s>(&self, steps: &'s [Step]) -> [&'s str; 2] {
        let (word, named) = self.role.word();
        [word, if named { steps[self.step()].name() } else { "" }]
    }
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// The package it does it for.
    pub recipe: RecipeId,
    /// `flask 3.1.3`.
    pub package: Arc<str>,
    /// Under which histories are kept: the name, with the version where the
    /// set has several.
    pub subject: Arc<str>,
    /// What it needs, in a fixed order.
    pub inputs: Vec<Input>,
    /// The key of intent.
    pub key: StepKey,
    spec: Spec,
    /// Where in `package` the version begins: each step that needs this one
    /// writes it.
    version_at: u32,
}

/// Where the version begins in `flask 3.1.3`.
fn version_at(package: &str) -> u32 {
    package.rfind(' ').and_then(|space| u32::try_from(space + 1).ok()).unwrap_or(0)
}

impl Step {
    /// A step of no recipe, for tests of what runs plans.
    #[cfg(test)]
    pub fn made_up(
        recipe: RecipeId,
        kind: StepKind,
        (spec, inputs): (crate::key::KeyWriter, Vec<Input>),
    ) -> Self {
        let (spec, key) = (spec.kept(), spec.step_key());
        let version_at = version_at("toy 1");
        Self { kind, recipe, package: "toy 1".into(), subject: "toy".into(), inputs, key, spec, version_at }
    }

    /// The name of its package.
    fn name(&self) -> &str {
        self.package.get(..(self.version_at as usize).saturating_sub(1)).unwrap_or_default()
    }

    /// The version of its package.
    fn version(&self) -> &str {
        &self.package[self.version_at as usize..]
    }
}

/// The DAG. `steps[i].inputs` are all smaller than `i`; keys are unique.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The steps, inputs first.
    pub steps: Vec<Step>,
    /// Steps that were asked for, as against those they need.
    pub goals: Vec<usize>,
    /// Per package: its steps by kind.
    pub of: Places,
}

/// Where in a plan the steps of each package are, by kind.
#[derive(Clone, Debug, Default)]
pub struct Places(Vec<[Option<NonZeroU32>; StepKind::COUNT]>);

impl Places {
    /// Of so many recipes, none of which has a step yet.
    fn of(recipes: usize) -> Self {
        Self(vec![[None; StepKind::COUNT]; recipes])
    }

    fn set(&mut self, (recipe, kind): (RecipeId, StepKind), index: usize) {
        // One more than the index, which then takes half the room.
        self.0[recipe.0][kind as usize] = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
    }

    /// The index of a step.
    pub fn get(&self, (recipe, kind): (RecipeId, StepKind)) -> Option<usize> {
        let index = self.0.get(recipe.0)?[kind as usize]?;
        Some(index.get() as usize - 1)
    }
}

impl Plan {
    /// The parts of a step's key of intent, for `why`: kept nowhere, since
    /// only what runs or is asked about is told of.
    pub fn parts(&self, step: usize) -> Vec<KeyPart> {
        let Step { spec, inputs, .. } = &self.steps[step];
        let mut key = spec.writer();
        for input in inputs {
            key.step_part(&part(&self.steps, input));
        }
        key.parts()
    }

    /// The key of content of a step: the own spec and the inputs' digests, in
    /// the order of [`Step::inputs`].
    pub fn content_key(&self, step: usize, digests: &[String]) -> ContentKey {
        let Step { spec, inputs, .. } = &self.steps[step];
        let mut key = spec.writer();
        for (input, digest) in inputs.iter().zip(digests) {
            let [word, name] = input.named(&self.steps);
            key.long_part(&["input ", word, name], &[digest]);
        }
        key.content_key()
    }
}

/// What an input adds to the key of intent: its role, and the version and key
/// of the step that makes it.
fn part<'s>(steps: &'s [Step], input: &Input) -> StepPart<'s> {
    let (from, [word, name]) = (&steps[input.step()], input.named(steps));
    StepPart { name: ["input ", word, name], value: [from.version(), " "], key: &from.key }
}

/// A recipe that is checked has all kinds but one, few have tests.
const STEPS_OF_A_RECIPE: usize = StepKind::COUNT - 1;

/// A step before it has its key.
struct Draft {
    kind: StepKind,
    recipe: RecipeId,
    package: Arc<str>,
    subject: Arc<str>,
    inputs: Vec<Input>,
    /// Where it is known already.
    key: Option<StepKey>,
    spec: Spec,
    version_at: u32,
}

/// Gives steps their keys while more of them come, inputs first. What comes is
/// kept as it is: to give up or move another thread's memory is to wait for it.
fn keyed(drafts: &Receiver<Vec<Draft>>, mut steps: Vec<Step>) -> Vec<Step> {
    let mut room = Room::default();
    for Draft { kind, recipe, package, subject, inputs, key, spec, version_at } in drafts.iter().flatten() {
        let many = inputs.len();
        // The first is the package's own, and stands behind its dependencies.
        let part = |n: usize| part(&steps, &inputs[if n + 1 == many { 0 } else { n + 1 }]);
        let key = key.unwrap_or_else(|| spec.step_key_with((many, part), &mut room));
        steps.push(Step { kind, recipe, package, subject, inputs, key, spec, version_at });
    }
    steps.shrink_to_fit();
    steps
}

/// Makes the plan. All findings that stand against it come back at once;
/// [`PackageSet::findings`] has usually shown them before.
///
/// To find the steps and to hash their keys takes equally long, so each has a
/// thread. What steps keep is shrunk by the one that made it: the other would
/// wait for its heap.
pub fn plan(set: &PackageSet, facts: &Facts, local: &Local, goals: &Goals) -> Result<Plan, Vec<Finding>> {
    let (to, from) = mpsc::channel();
    // Here, where there are large pages: what it does not fill is given back.
    let room = Vec::with_capacity(set.ids().len() * STEPS_OF_A_RECIPE);
    let (made, steps) = std::thread::scope(|scope| {
        let keys = scope.spawn(move || keyed(&from, room));
        let made = make::Maker::new(set, (facts, local), to).make(goals);
        (made, keys.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let (goals, of) = made?;
    Ok(Plan { goals, steps, of })
}
