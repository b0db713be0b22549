//! One way of choosing: which version each recipe is at, and what that breaks.
//!
//! Knows providers and demands. Must never decide which way is the best.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{Scene, Upstream};
use crate::name::{PackageName, Requirement, Version};
use crate::recipe::{Kind, Recipe};
use crate::update::demands::{self, Demand, Extra, For};

/// How far down its options each slot is; behind the last stands what it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub levels: Vec<usize>,
    /// Builds whose requirements somebody else must meet: by slot, level and name.
    waived: BTreeSet<(usize, usize, PackageName)>,
    /// Those that were not asked for and moved up: they do so once.
    raised: BTreeSet<usize>,
}

/// How far one way of choosing may go.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// These do not move.
    pub still: BTreeSet<usize>,
    /// No slot goes further down than this: the way would be no better.
    pub floor: Option<Vec<usize>>,
}

impl Bounds {
    fn let_down(&self, slot: usize, level: usize) -> bool {
        !self.still.contains(&slot) && self.floor.as_ref().is_none_or(|floor| level <= floor[slot])
    }
}

/// Versions that are looked at side by side once several were of no use.
const AHEAD: usize = 16;

/// Who requires something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum By {
    Slot(usize),
    Fixed(usize),
    Want(usize),
}

/// A requirement that is not met.
#[derive(Clone, Debug)]
pub struct Violation {
    by: By,
    demand: Demand,
}

/// Who may meet a requirement.
enum Provider {
    Slot(usize),
    /// Another recipe of the workspace.
    Fixed(Version),
    Base(Version),
}

pub struct Search<'s, U> {
    scene: &'s Scene<'s>,
    upstream: &'s U,
    providers: HashMap<PackageName, Vec<Provider>>,
    /// Recipes of options, as far as they were asked for, with what they require.
    known: HashMap<(usize, usize), Result<Arc<Recipe>, String>>,
    demands: HashMap<(usize, usize), Arc<[Demand]>>,
    /// Those of which all is known.
    sure: HashSet<(usize, usize)>,
    fixed: Vec<Vec<Demand>>,
    /// Extras that are asked for in the beginning.
    extras: HashSet<Extra>,
    /// What was not met in the beginning.
    broken: HashSet<(By, For, PackageName)>,
    /// Extras' requirements that were met in the beginning.
    met: HashSet<(By, For, PackageName)>,
    /// Why slots stepped down.
    why: BTreeMap<usize, BTreeSet<String>>,
}

impl<'s, U: Upstream> Search<'s, U> {
    pub fn new(scene: &'s Scene<'s>, upstream: &'s U) -> Self {
        let mut providers: HashMap<PackageName, Vec<Provider>> = HashMap::new();
        let mut add = |recipe: &Recipe, provider: Provider| {
            if recipe.kind == Kind::Package {
                providers.entry(recipe.pname.clone()).or_default().push(provider);
            }
        };
        scene.slots.iter().enumerate().for_each(|(i, slot)| add(&slot.recipe, Provider::Slot(i)));
        scene.fixed.iter().for_each(|r| add(r, Provider::Fixed(r.version.clone())));
        scene.base.iter().for_each(|r| add(r, Provider::Base(r.version.clone())));
        let fixed: Vec<Vec<Demand>> =
            scene.fixed.iter().map(|recipe| demands::of(recipe, scene.targets)).collect();
        let mut search = Self {
            scene,
            upstream,
            providers,
            known: HashMap::new(),
            demands: HashMap::new(),
            sure: HashSet::new(),
            fixed,
            extras: HashSet::new(),
            broken: HashSet::new(),
            met: HashSet::new(),
            why: BTreeMap::new(),
        };
        search.look_at_the_beginning();
        search
    }

    /// What is met and what is not before anything changes.
    fn look_at_the_beginning(&mut self) {
        let now = self.beginning();
        let mut all: Vec<(By, Demand)> = Vec::new();
        for (i, slot) in self.scene.slots.iter().enumerate() {
            let of: Arc<[Demand]> = demands::of(&slot.recipe, self.scene.targets).into();
            self.demands.insert((i, slot.options.len()), Arc::clone(&of));
            all.extend(of.iter().map(|d| (By::Slot(i), d.clone())));
        }
        all.extend(self.outside());
        self.extras = demands::asked(all.iter().map(|(_, d)| &d.requirement));
        for (by, demand) in all {
            let key = (by, demand.what.clone(), demand.requirement.name().clone());
            let here = self.providers.contains_key(demand.requirement.name());
            if !self.is_met(&now, &demand) {
                self.broken.insert(key);
            } else if here {
                self.met.insert(key);
            }
        }
    }

    /// What is required by what cannot change.
    fn outside(&self) -> Vec<(By, Demand)> {
        let fixed = self.fixed.iter().enumerate();
        let fixed = fixed.flat_map(|(i, of)| of.iter().map(move |d| (By::Fixed(i), d.clone())));
        let holds =
            |r: &Requirement| self.scene.targets.iter().any(|t| r.parsed.marker.evaluate(&t.markers, &[]));
        let wants = self.scene.wants.iter().enumerate().filter(|(_, want)| holds(&want.requirement));
        let wants = wants
            .map(|(i, want)| (By::Want(i), Demand { what: For::Run, requirement: want.requirement.clone() }));
        fixed.chain(wants).collect()
    }

    /// All as they are now.
    fn beginning(&self) -> State {
        let levels = self.scene.slots.iter().map(|slot| slot.options.len()).collect();
        State { levels, waived: BTreeSet::new(), raised: BTreeSet::new() }
    }

    /// What is asked for at its newest, all else as it is.
    pub fn newest(&self) -> State {
        let mut state = self.beginning();
        for (level, slot) in state.levels.iter_mut().zip(self.scene.slots) {
            if slot.asked {
                *level = 0;
            }
        }
        state
    }

    pub fn is_asked(&self, slot: usize) -> bool {
        self.scene.slots[slot].asked
    }

    /// The level of what a slot is now.
    pub fn lowest(&self, slot: usize) -> usize {
        self.scene.slots[slot].options.len()
    }

    /// A slot's recipe at a level.
    pub fn at(&mut self, slot: usize, level: usize) -> Result<Result<Arc<Recipe>, String>, U::Error> {
        let one = &self.scene.slots[slot];
        let Some(version) = one.options.get(level) else { return Ok(Ok(Arc::clone(&one.recipe))) };
        if let Some(known) = self.known.get(&(slot, level)) {
            return Ok(known.clone());
        }
        let recipe = self.upstream.sketch(slot, version)?;
        Ok(self.learn((slot, level), recipe))
    }

    fn learn(
        &mut self,
        at: (usize, usize),
        recipe: Result<Arc<Recipe>, String>,
    ) -> Result<Arc<Recipe>, String> {
        if let Ok(recipe) = &recipe {
            self.demands.insert(at, demands::of(recipe, self.scene.targets).into());
        }
        self.known.insert(at, recipe.clone());
        recipe
    }

    /// Looks whether what was only sketched is as it was taken for; `false`
    /// when something is not.
    fn confirm(&mut self, state: &State) -> Result<bool, U::Error> {
        let mut same = true;
        for (slot, level) in state.levels.iter().copied().enumerate() {
            let Some(version) = self.scene.slots[slot].options.get(level) else { continue };
            if !self.sure.insert((slot, level)) {
                continue;
            }
            let before = self.known.get(&(slot, level)).cloned();
            let now = self.upstream.recipe(slot, version)?;
            let is_same = |old: &Result<Arc<Recipe>, String>| match (old, &now) {
                (Ok(old), Ok(new)) => Arc::ptr_eq(old, new),
                _ => false,
            };
            same &= before.as_ref().is_some_and(is_same);
            self.learn((slot, level), now).ok();
        }
        Ok(same)
    }

    fn version(&self, slot: usize, level: usize) -> &Version {
        let one = &self.scene.slots[slot];
        one.options.get(level).unwrap_or(&one.recipe.version)
    }

    /// Whether a requirement is met, or will be by recipes that are still to
    /// be written: of a name that the workspace has none of.
    fn is_met(&self, state: &State, demand: &Demand) -> bool {
        let Some(all) = self.providers.get(demand.requirement.name()) else { return true };
        let specifiers = demand.requirement.specifiers();
        let mut ours = false;
        for provider in all {
            let (version, base) = match provider {
                Provider::Slot(i) => (self.version(*i, state.levels[*i]), false),
                Provider::Fixed(version) => (version, false),
                Provider::Base(version) => (version, true),
            };
            ours |= !base;
            if specifiers.contains(version) && (!base || demand.what == For::Build) {
                return true;
            }
        }
        !ours
    }

    /// Whether it counts: of extras only those that somebody uses, and those
    /// that could be used.
    fn counts(&self, by: By, demand: &Demand) -> bool {
        let key = (by, demand.what.clone(), demand.requirement.name().clone());
        let For::Extra(extra) = &demand.what else { return !self.broken.contains(&key) };
        let own = match by {
            By::Slot(i) => &self.scene.slots[i].recipe.pname,
            By::Fixed(i) => &self.scene.fixed[i].pname,
            By::Want(_) => return true,
        };
        let used = self.extras.contains(&(own.clone(), extra.clone()));
        !self.broken.contains(&key) && (used || self.met.contains(&key))
    }

    /// The first requirement that is not met, of slots first.
    pub fn first_violation(&mut self, state: &State) -> Result<Option<Violation>, U::Error> {
        Ok(self.violations(state, true)?.into_iter().next())
    }

    fn violations(&mut self, state: &State, one: bool) -> Result<Vec<Violation>, U::Error> {
        let mut found = Vec::new();
        for slot in 0..state.levels.len() {
            let level = state.levels[slot];
            if self.at(slot, level)?.is_err() {
                continue;
            }
            let Some(of) = self.demands.get(&(slot, level)).cloned() else { continue };
            for demand in of.iter() {
                let waived = demand.what == For::Build
                    && state.waived.contains(&(slot, level, demand.requirement.name().clone()));
                if waived || self.is_met(state, demand) || !self.counts(By::Slot(slot), demand) {
                    continue;
                }
                found.push(Violation { by: By::Slot(slot), demand: demand.clone() });
                if one {
                    return Ok(found);
                }
            }
        }
        for (by, demand) in self.outside() {
            if !self.is_met(state, &demand) && self.counts(by, &demand) {
                found.push(Violation { by, demand });
                if one {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// Steps down until all holds. The inner error says what cannot be helped
    /// within the bounds.
    pub fn descend(
        &mut self,
        mut state: State,
        bounds: &Bounds,
    ) -> Result<Result<State, Vec<String>>, U::Error> {
        loop {
            if let Err(sentences) = self.leave_unusable(&mut state, bounds)? {
                return Ok(Err(sentences));
            }
            let Some(violation) = self.first_violation(&state)? else {
                match self.confirm(&state)? {
                    true => return Ok(Ok(state)),
                    false => continue,
                }
            };
            if !self.help(&mut state, &violation, bounds)? {
                let all = self.violations(&state, false)?;
                let mut sentences: Vec<String> = Vec::new();
                for violation in all.iter().filter(|v| self.is_pinned(&state, v)) {
                    sentences.push(self.sentence(&state, violation, None));
                }
                if sentences.is_empty() {
                    sentences.push(self.sentence(&state, &violation, None));
                }
                sentences.dedup();
                return Ok(Err(sentences));
            }
        }
    }

    /// Whether a pinned slot has to do with it.
    fn is_pinned(&self, state: &State, violation: &Violation) -> bool {
        let moved = |i: usize| self.scene.slots[i].pinned && state.levels[i] < self.lowest(i);
        let by = matches!(violation.by, By::Slot(i) if moved(i));
        let of = self.providers.get(violation.demand.requirement.name()).into_iter().flatten();
        by || of.into_iter().any(|p| matches!(p, Provider::Slot(i) if moved(*i)))
    }

    /// Leaves versions behind that cannot be had.
    fn leave_unusable(
        &mut self,
        state: &mut State,
        bounds: &Bounds,
    ) -> Result<Result<(), Vec<String>>, U::Error> {
        for slot in 0..state.levels.len() {
            while let Err(why) = self.at(slot, state.levels[slot])? {
                let one = &self.scene.slots[slot];
                let label = format!("{} {}", one.recipe.pname, self.version(slot, state.levels[slot]));
                let sentence = format!("{label} {why}");
                if one.pinned || !bounds.let_down(slot, state.levels[slot] + 1) {
                    return Ok(Err(vec![sentence]));
                }
                self.why.entry(slot).or_default().insert(sentence);
                self.step_down(state, slot);
            }
        }
        Ok(Ok(()))
    }

    /// Changes one version so that a requirement may be met.
    fn help(&mut self, state: &mut State, violation: &Violation, bounds: &Bounds) -> Result<bool, U::Error> {
        let sentence = self.sentence(state, violation, None);
        let specifiers = violation.demand.requirement.specifiers();
        let slots: Vec<usize> = self
            .providers
            .get(violation.demand.requirement.name())
            .into_iter()
            .flatten()
            .filter_map(|p| if let Provider::Slot(i) = p { Some(*i) } else { None })
            .filter(|i| !bounds.still.contains(i) && !self.scene.slots[*i].pinned)
            .collect();
        // What is required, at the newest version that meets it. What was not
        // asked for moves up once.
        let mut best: Option<(usize, usize)> = None;
        for slot in slots {
            let (level, lowest) = (state.levels[slot], self.lowest(slot));
            let may_rise = !self.is_asked(slot) && level == lowest && !state.raised.contains(&slot);
            let from = if may_rise { 0 } else { level + 1 };
            let fits = (from..=lowest).find(|l| specifiers.contains(self.version(slot, *l)));
            if let Some(fit) = fits
                && bounds.let_down(slot, fit)
                && best.is_none_or(|(s, l)| self.version(slot, fit) > self.version(s, l))
            {
                best = Some((slot, fit));
            }
        }
        if let Some((slot, level)) = best {
            self.why.entry(slot).or_default().insert(sentence);
            if level < state.levels[slot] {
                state.raised.insert(slot);
            }
            state.levels[slot] = level;
            return Ok(true);
        }
        let By::Slot(slot) = violation.by else { return Ok(false) };
        let moved = state.levels[slot] < self.lowest(slot);
        if violation.demand.what == For::Build && moved && !self.could_meet(&violation.demand) {
            // A build may have another version beside the set's own.
            let name = violation.demand.requirement.name().clone();
            return Ok(state.waived.insert((slot, state.levels[slot], name)));
        }
        let one = &self.scene.slots[slot];
        let level = state.levels[slot];
        if one.pinned || level >= self.lowest(slot) || !bounds.let_down(slot, level + 1) {
            return Ok(false);
        }
        self.why.entry(slot).or_default().insert(sentence);
        self.step_down(state, slot);
        Ok(true)
    }

    /// Whether a slot has a version that meets a requirement, wherever it is now.
    fn could_meet(&self, demand: &Demand) -> bool {
        let specifiers = demand.requirement.specifiers();
        let of = self.providers.get(demand.requirement.name()).into_iter().flatten();
        let mut slots = of.filter_map(|p| if let Provider::Slot(i) = p { Some(*i) } else { None });
        slots.any(|i| (0..=self.lowest(i)).any(|level| specifiers.contains(self.version(i, level))))
    }

    fn step_down(&self, state: &mut State, slot: usize) {
        let level = state.levels[slot] + 1;
        state.levels[slot] = level;
        let options = &self.scene.slots[slot].options;
        // One or two steps are usual; after them many are likely.
        if level % AHEAD == 2 && options.len() > level {
            self.upstream.expect(slot, &options[level..options.len().min(level + AHEAD)]);
        }
    }

    /// Whether a version breaks what cannot move at all.
    pub fn is_hopeless(&mut self, slot: usize, level: usize) -> Result<bool, U::Error> {
        let mut state = self.beginning();
        state.levels[slot] = level;
        let name = self.scene.slots[slot].recipe.pname.clone();
        let all = self.violations(&state, false)?;
        Ok(all.iter().any(|violation| {
            let stands = match violation.by {
                By::Slot(by) => by != slot && !self.scene.slots[by].asked,
                By::Fixed(_) | By::Want(_) => true,
            };
            stands && *violation.demand.requirement.name() == name
        }))
    }

    /// What stands against one slot at a level, all else as chosen.
    pub fn against(&mut self, state: &State, slot: usize, level: usize) -> Result<Vec<String>, U::Error> {
        if let Err(why) = self.at(slot, level)? {
            let label = &self.scene.slots[slot].recipe.pname;
            return Ok(vec![format!("{label} {} {why}", self.version(slot, level))]);
        }
        let mut state = state.clone();
        state.levels[slot] = level;
        let name = self.scene.slots[slot].recipe.pname.clone();
        let all = self.violations(&state, false)?;
        let about = all.iter().filter(|v| v.by == By::Slot(slot) || *v.demand.requirement.name() == name);
        let mut sentences: Vec<String> = about.map(|v| self.sentence(&state, v, Some(slot))).collect();
        sentences.dedup();
        Ok(sentences)
    }

    /// Why a slot stepped down in any of the ways that were tried.
    pub fn remembered(&self, slot: usize) -> Vec<String> {
        self.why.get(&slot).into_iter().flatten().cloned().collect()
    }

    /// `botocore 1.34 needs urllib3<2.1`; of what the requiring one is about
    /// to be: `(urllib3 is at 1.26)`.
    fn sentence(&self, state: &State, violation: &Violation, told: Option<usize>) -> String {
        let told = told.map(|i| (&self.scene.slots[i].recipe.pname, self.version(i, state.levels[i])));
        let requirement = &violation.demand.requirement;
        let text = requirement.text.split_once(';').map_or(&*requirement.text, |(head, _)| head).trim_end();
        let (who, moved) = match violation.by {
            By::Slot(i) => {
                let level = state.levels[i];
                let label = format!("{} {}", self.scene.slots[i].recipe.pname, self.version(i, level));
                (label, level < self.lowest(i))
            }
            By::Fixed(i) => (format!("{} {}", self.scene.fixed[i].pname, self.scene.fixed[i].version), false),
            By::Want(i) => (self.scene.wants[i].from.clone(), false),
        };
        let verb = match &violation.demand.what {
            For::Build => "is built with".to_owned(),
            For::Run => if matches!(violation.by, By::Want(_)) { "wants" } else { "needs" }.to_owned(),
            For::Extra(extra) => format!("with extra `{extra}` needs"),
            For::Check => "is tested with".to_owned(),
        };
        let held = self.providers.get(requirement.name()).into_iter().flatten().find_map(|p| match p {
            Provider::Slot(i) => Some(self.version(*i, state.levels[*i])),
            Provider::Fixed(version) => Some(version),
            Provider::Base(_) => None,
        });
        match held.filter(|version| moved && told.is_none_or(|t| t != (requirement.name(), *version))) {
            Some(version) => format!("{who} {verb} {text} ({} is at {version})", requirement.name()),
            None => format!("{who} {verb} {text}"),
        }
    }
}
