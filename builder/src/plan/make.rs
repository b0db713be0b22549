//! From a package set to steps, inputs first.
//!
//! Knows which steps a package has and what each needs. Must never know what
//! a step's own key holds (`spec` does) or how steps run.

use std::collections::{BTreeMap, BTreeSet};

use recipes::codes::BUILD_CYCLE;
use recipes::diag::{Code, Finding};
use recipes::recipe::{Format, Kind, Origin, Runner, Source};
use recipes::set::{Closure, PackageSet, RecipeId, Tests};

use super::{Depth, Facts, Goals, Input, Local, Plan, Step, spec};
use crate::event::StepKind;
use crate::key::KeyWriter;

/// No `[[source]]` applies to the target.
const NO_SOURCE: Code = Code("W503");

pub(super) struct Maker<'a> {
    set: &'a PackageSet,
    facts: &'a Facts,
    local: &'a Local,
    steps: Vec<Step>,
    of: BTreeMap<(RecipeId, StepKind), usize>,
    findings: Vec<Finding>,
    /// Builds that are being planned: one that needs one of them is a cycle.
    building: BTreeSet<RecipeId>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(set: &'a PackageSet, facts: &'a Facts, local: &'a Local) -> Self {
        let (steps, of, findings, building) = Default::default();
        Self { set, facts, local, steps, of, findings, building }
    }

    pub(super) fn make(mut self, goals: &Goals) -> Result<Plan, Vec<Finding>> {
        let mut wanted = Vec::new();
        for goal in &goals.packages {
            let id = goal.id;
            // The goal's own before those of its closure.
            wanted.extend(self.finish(id));
            if goals.depth > Depth::Wheels {
                wanted.extend(self.install(id));
            }
            let closure = self.closure(|set| set.run_closure(id, &goal.extras));
            for member in closure.iter().flat_map(|c| &c.members).map(|m| m.id) {
                self.member(member, goals.depth, &mut wanted);
                if goals.tests == Tests::Dependencies && member != id {
                    wanted.extend(self.check(member));
                }
            }
            self.member(id, goals.depth, &mut wanted);
            if goals.tests != Tests::None {
                wanted.extend(self.check(id));
            }
        }
        for &id in &goals.beside {
            self.member(id, goals.depth, &mut wanted);
        }
        wanted.sort_unstable();
        wanted.dedup();
        if self.findings.is_empty() {
            Ok(Plan { steps: self.steps, goals: wanted, of: self.of })
        } else {
            self.findings.dedup();
            Err(self.findings)
        }
    }

    /// What is wanted of everything of a goal's closure.
    fn member(&mut self, id: RecipeId, depth: Depth, wanted: &mut Vec<usize>) {
        // The wheel, too: `--wheel-dir` gives it out, also when nothing is built.
        wanted.extend(self.finish(id));
        if depth > Depth::Wheels {
            wanted.extend(self.install(id));
        }
        if depth == Depth::Checked {
            wanted.extend(self.verify(id));
            wanted.extend(self.imports(id));
        }
    }

    /// A closure, or nothing with its findings noted.
    fn closure(&mut self, of: impl FnOnce(&PackageSet) -> Result<Closure, Vec<Finding>>) -> Option<Closure> {
        of(self.set).map_err(|findings| self.findings.extend(findings)).ok()
    }

    fn source_of(&mut self, id: RecipeId) -> Option<&'a Source> {
        let set: &'a PackageSet = self.set;
        match set.source_for(id) {
            Ok(source) => Some(source),
            Err(reason) => {
                let recipe = set.get(id);
                let message = format!("`{}` has no source for this platform: {reason}", recipe.pname);
                self.findings.push(Finding::error(NO_SOURCE, recipe.place.clone(), message));
                None
            }
        }
    }

    fn add(&mut self, id: RecipeId, kind: StepKind, own: KeyWriter, inputs: Vec<Input>) -> usize {
        let recipe = self.set.get(id);
        let mut key = own.clone();
        for input in &inputs {
            let from = &self.steps[input.step];
            let value = format!("{} {}", self.set.get(from.recipe).version, from.key.hex());
            key.part(format!("input {}", input.role), value);
        }
        let index = self.steps.len();
        let package = format!("{} {}", recipe.pname, recipe.version);
        let alone = self.set.versions(&recipe.pname).len() == 1;
        self.steps.push(Step {
            kind,
            recipe: id,
            subject: if alone { recipe.pname.to_string() } else { package.clone() },
            package,
            inputs,
            key: key.step_key(),
            parts: key.parts(),
            spec: own,
        });
        self.of.insert((id, kind), index);
        index
    }

    fn made(&self, id: RecipeId, kind: StepKind) -> Option<usize> {
        self.of.get(&(id, kind)).copied()
    }

    fn fetch(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Fetch) {
            return Some(made);
        }
        let source = self.source_of(id)?;
        let own = spec::fetch(self.set.get(id), source);
        Some(self.add(id, StepKind::Fetch, own, Vec::new()))
    }

    fn source(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Source) {
            return Some(made);
        }
        let source = self.source_of(id)?;
        let mut inputs = Vec::new();
        if !matches!(source.origin, Origin::Path { .. }) {
            inputs.push(Input { step: self.fetch(id)?, role: "file".into() });
        }
        let own = spec::source(id.0, self.set.get(id), source, self.facts, self.local);
        Some(self.add(id, StepKind::Source, own, inputs))
    }

    fn build(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Build) {
            return Some(made);
        }
        if !self.building.insert(id) {
            self.findings.push(self.cycle(id));
            return None;
        }
        let made = self.new_build(id);
        self.building.remove(&id);
        made
    }

    /// [`PackageSet::findings`] tells a cycle with its whole way; this keeps a
    /// plan of goals that were never asked about from going round for ever.
    fn cycle(&self, id: RecipeId) -> Finding {
        let recipe = self.set.get(id);
        let message = format!("`{}` must be built before itself", self.set.label(id));
        Finding::error(BUILD_CYCLE, recipe.place.clone(), message)
            .hint("give one of the recipes on the way another `build-system`, or take it as a wheel")
    }

    fn new_build(&mut self, id: RecipeId) -> Option<usize> {
        let source = self.source_of(id)?;
        let mut inputs = vec![Input { step: self.source(id)?, role: "source".into() }];
        let closure = self.closure(|set| set.build_closure(id))?;
        for member in &closure.members {
            let step = self.install(member.id)?;
            inputs.push(Input { step, role: format!("build-system {}", self.set.get(member.id).pname) });
        }
        let own = spec::build(self.set.get(id), source, self.facts);
        Some(self.add(id, StepKind::Build, own, inputs))
    }

    fn finish(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Finish) {
            return Some(made);
        }
        let recipe = self.set.get(id);
        let input = match recipe.format {
            Format::Wheel => Input { step: self.fetch(id)?, role: "prebuilt wheel".into() },
            Format::Pyproject => Input { step: self.build(id)?, role: "raw wheel".into() },
            // What its phases installed: there is no wheel to finish.
            Format::Other => return self.build(id),
        };
        let own = spec::finish(recipe, self.facts);
        Some(self.add(id, StepKind::Finish, own, vec![input]))
    }

    fn install(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Install) {
            return Some(made);
        }
        let step = self.finish(id)?;
        let own = spec::install(self.set.get(id), self.facts);
        Some(self.add(id, StepKind::Install, own, vec![Input { step, role: "wheel".into() }]))
    }

    fn verify(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Verify) {
            return Some(made);
        }
        if self.set.get(id).format == Format::Other {
            return None;
        }
        let step = self.finish(id)?;
        let closure = self.closure(|set| set.run_closure(id, &[]))?;
        let names: Vec<(String, String)> = closure
            .members
            .iter()
            .map(|m| (self.set.get(m.id).pname.to_string(), self.set.get(m.id).version.to_string()))
            .collect();
        let own = spec::verify(&names, self.facts);
        Some(self.add(id, StepKind::Verify, own, vec![Input { step, role: "wheel".into() }]))
    }

    /// The installs of a closure as inputs, the package's own first.
    fn installs(&mut self, id: RecipeId, closure: &Closure) -> Option<Vec<Input>> {
        let mut inputs = vec![Input { step: self.install(id)?, role: "install".into() }];
        for member in closure.members.iter().filter(|m| m.id != id) {
            let step = self.install(member.id)?;
            inputs.push(Input { step, role: format!("dependency {}", self.set.get(member.id).pname) });
        }
        Some(inputs)
    }

    fn imports(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Imports) {
            return Some(made);
        }
        let recipe = self.set.get(id);
        let nothing = recipe.check.imports.as_ref().is_some_and(Vec::is_empty);
        if nothing || (recipe.kind == Kind::Application && recipe.check.imports.is_none()) {
            return None;
        }
        let closure = self.closure(|set| set.run_closure(id, &[]))?;
        let inputs = self.installs(id, &closure)?;
        let own = spec::imports(recipe, self.facts);
        Some(self.add(id, StepKind::Imports, own, inputs))
    }

    fn check(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Check) {
            return Some(made);
        }
        let recipe = self.set.get(id);
        if !recipe.check.enable || recipe.check.runner == Runner::None {
            return None;
        }
        let source = self.source_of(id)?;
        let closure = self.closure(|set| set.check_closure(id))?;
        let mut inputs = self.installs(id, &closure)?;
        if recipe.format != Format::Wheel {
            inputs.push(Input { step: self.source(id)?, role: "source".into() });
        }
        let own = spec::check(recipe, source, self.facts);
        Some(self.add(id, StepKind::Check, own, inputs))
    }
}
