//! From a package set to steps, inputs first.
//!
//! Knows which steps a package has and what each needs. Must never know what
//! a step's own key holds (`spec` does) or how steps run.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use recipes::codes::BUILD_CYCLE;
use recipes::diag::{Code, Finding};
use recipes::recipe::{Format, Kind, Origin, Runner, Source};
use recipes::set::{Member, PackageSet, RecipeId, Tests};

use super::spec::{self, Common, Of};
use super::{Depth, Draft, Facts, Goals, Input, Local, Places, Role, version_at};
use crate::event::StepKind;
use crate::key::{KeyWriter, NONE, Room, Spec, StepKey, StepPart};

/// Steps that are handed on at once: to wake the thread that waits for them
/// costs more than to make some.
const BATCH: usize = 1024;

/// No `[[source]]` applies to the target.
const NO_SOURCE: Code = Code("W503");

pub(super) struct Maker<'a> {
    set: &'a PackageSet,
    common: Common<'a>,
    local: &'a Local,
    /// Steps so far, and where they are given their keys meanwhile.
    count: usize,
    drafts: Vec<Draft>,
    keys: Sender<Vec<Draft>>,
    /// Per recipe: its steps by kind.
    of: Places,
    findings: Vec<Finding>,
    /// Builds that are being planned: one that needs one of them is a cycle.
    building: BTreeSet<RecipeId>,
    /// Per recipe, once it is spoken of.
    words: Vec<OnceCell<Words>>,
    room: Room,
}

/// What steps call a package, each text there once.
struct Words {
    package: Arc<str>,
    subject: Arc<str>,
    version_at: u32,
}

impl Words {
    /// The name, which a package is called with.
    fn name(&self) -> &str {
        &self.package[..(self.version_at as usize).saturating_sub(1)]
    }

    /// The version, which follows it.
    fn version(&self) -> &str {
        &self.package[self.version_at as usize..]
    }

    fn of(set: &PackageSet, id: RecipeId) -> Self {
        let package: Arc<str> = set.label(id).into();
        Self {
            version_at: version_at(&package),
            subject: if set.is_only(id) { set.get(id).pname.as_ref().into() } else { package.clone() },
            package,
        }
    }
}

impl<'a> Maker<'a> {
    /// What it makes goes to `keys`, in order.
    pub(super) fn new(
        set: &'a PackageSet,
        (facts, local): (&'a Facts, &'a Local),
        keys: Sender<Vec<Draft>>,
    ) -> Self {
        let (count, drafts, findings, building) = Default::default();
        let of = Places::of(set.ids().len());
        let words = set.ids().map(|_| OnceCell::new()).collect();
        let common = Common::new(facts);
        Self { set, common, local, count, drafts, keys, of, findings, building, words, room: Room::default() }
    }

    /// The steps that were asked for, and where all are.
    pub(super) fn make(mut self, goals: &Goals) -> Result<(Vec<usize>, Places), Vec<Finding>> {
        let mut wanted = Vec::new();
        let mut met = vec![false; self.words.len()];
        for goal in &goals.packages {
            let id = goal.id;
            // The goal's own before those of its closure.
            wanted.extend(self.finish(id));
            if goals.depth > Depth::Wheels {
                wanted.extend(self.install(id));
            }
            let closure = self.members(|set| set.run_members(id, &goal.extras));
            for member in closure.iter().flat_map(|members| members.iter()).map(|m| m.id) {
                // What many goals need is wanted once.
                if !std::mem::replace(&mut met[member.0], true) {
                    self.member(member, goals.depth, &mut wanted);
                }
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
        self.hand_on();
        if self.findings.is_empty() {
            Ok((wanted, self.of))
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

    /// The members of a closure, or nothing with its findings noted.
    fn members(
        &mut self,
        of: impl FnOnce(&PackageSet) -> Result<Arc<[Member]>, Vec<Finding>>,
    ) -> Option<Arc<[Member]>> {
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
        let index = self.count;
        let Words { package, subject, version_at, .. } = self.words(id);
        let (package, subject, version_at) = (package.clone(), subject.clone(), *version_at);
        let spec = self.common.kept(own);
        // The other thread has more to do: these rest on nothing that it makes.
        let key = match kind {
            StepKind::Fetch => Some(spec.step_key_with(NONE, &mut self.room)),
            StepKind::Source => self.key_after(&spec, &inputs),
            _ => None,
        };
        self.drafts.push(Draft { kind, recipe: id, package, subject, inputs, key, spec, version_at });
        self.count += 1;
        if self.drafts.len() == BATCH {
            self.hand_on();
        }
        self.of.set((id, kind), index);
        index
    }

    /// The key of a step that needs the one before it and no other, if that
    /// has one.
    fn key_after(&mut self, spec: &Spec, inputs: &[Input]) -> Option<StepKey> {
        let ([input], before) = (inputs, self.drafts.last()?) else { return None };
        let key = before.key.filter(|_| input.step() + 1 == self.count)?;
        let version = &before.package[before.version_at as usize..];
        let part = StepPart { name: ["input ", input.role.word().0, ""], value: [version, " "], key: &key };
        Some(spec.step_key_with((1, |_| part), &mut self.room))
    }

    fn hand_on(&mut self) {
        // Nobody takes them only when keying panicked, which is told there.
        let room = Vec::with_capacity(if self.drafts.len() == BATCH { BATCH } else { 0 });
        let _ = self.keys.send(std::mem::replace(&mut self.drafts, room));
    }

    /// Whose steps are made.
    fn whose(&self, id: RecipeId) -> Of<'_> {
        Of { recipe: self.set.get(id), version: self.words(id).version() }
    }

    fn words(&self, id: RecipeId) -> &Words {
        self.words[id.0].get_or_init(|| Words::of(self.set, id))
    }

    fn made(&self, id: RecipeId, kind: StepKind) -> Option<usize> {
        self.of.get((id, kind))
    }

    fn fetch(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Fetch) {
            return Some(made);
        }
        let source = self.source_of(id)?;
        let own = spec::fetch(self.whose(id), source, &self.common);
        Some(self.add(id, StepKind::Fetch, own, Vec::new()))
    }

    fn source(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Source) {
            return Some(made);
        }
        let source = self.source_of(id)?;
        let mut inputs = Vec::new();
        if !matches!(source.origin, Origin::Path { .. }) {
            let step = self.fetch(id)?;
            inputs.push(Input::new(step, Role::File));
        }
        let own = spec::source(id.0, self.whose(id), source, &self.common, self.local);
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
        let step = self.source(id)?;
        let closure = self.members(|set| set.build_members(id))?;
        let mut inputs = Vec::with_capacity(1 + closure.len());
        inputs.push(Input::new(step, Role::Source));
        for member in closure.iter() {
            let step = self.install(member.id)?;
            inputs.push(Input::new(step, Role::BuildSystem));
        }
        let own = spec::build(self.whose(id), source, &self.common);
        Some(self.add(id, StepKind::Build, own, inputs))
    }

    fn finish(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Finish) {
            return Some(made);
        }
        let recipe = self.set.get(id);
        let (step, role) = match recipe.format {
            Format::Wheel => (self.fetch(id)?, Role::PrebuiltWheel),
            Format::Pyproject => (self.build(id)?, Role::RawWheel),
            // What its phases installed: there is no wheel to finish.
            Format::Other => return self.build(id),
        };
        let own = spec::finish(self.whose(id), &self.common);
        let input = Input::new(step, role);
        Some(self.add(id, StepKind::Finish, own, vec![input]))
    }

    fn install(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Install) {
            return Some(made);
        }
        let step = self.finish(id)?;
        let own = spec::install(self.whose(id), &self.common);
        let input = Input::new(step, Role::Wheel);
        Some(self.add(id, StepKind::Install, own, vec![input]))
    }

    fn verify(&mut self, id: RecipeId) -> Option<usize> {
        if let Some(made) = self.made(id, StepKind::Verify) {
            return Some(made);
        }
        if self.set.get(id).format == Format::Other {
            return None;
        }
        let step = self.finish(id)?;
        let closure = self.members(|set| set.run_members(id, &[]))?;
        let packages = closure.iter().map(|m| self.words(m.id)).map(|words| (words.name(), words.version()));
        let own = spec::verify(packages, &self.common);
        let input = Input::new(step, Role::Wheel);
        Some(self.add(id, StepKind::Verify, own, vec![input]))
    }

    /// The installs of a closure as inputs, the package's own first.
    fn installs(&mut self, id: RecipeId, closure: &[Member]) -> Option<Vec<Input>> {
        let step = self.install(id)?;
        let mut inputs = Vec::with_capacity(closure.len().max(1));
        inputs.push(Input::new(step, Role::Install));
        for member in closure.iter().filter(|m| m.id != id) {
            let step = self.install(member.id)?;
            inputs.push(Input::new(step, Role::Dependency));
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
        let closure = self.members(|set| set.run_members(id, &[]))?;
        let inputs = self.installs(id, &closure)?;
        let own = spec::imports(self.whose(id), &self.common);
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
        let closure = self.members(|set| set.check_members(id))?;
        let mut inputs = self.installs(id, &closure)?;
        if recipe.format != Format::Wheel {
            let step = self.source(id)?;
            inputs.push(Input::new(step, Role::Source));
        }
        let own = spec::check(self.whose(id), source, &self.common);
        Some(self.add(id, StepKind::Check, own, inputs))
    }
}
