//! The package set: recipes for one target, and their closures.
//!
//! Knows versions, markers, extras and cycles. Must never know layers, files or building.
//!
//! Several versions of a name may live in a set; each closure has one of
//! each name. Requirements become [`edge`]s once, a [`walk`] follows them,
//! [`solve`] decides between versions, [`trouble`] tells what went wrong.

mod chains;
mod check;
mod edge;
mod newest;
mod select;
mod show;
mod solve;
#[cfg(test)]
mod tests;
mod trouble;
mod users;
mod walk;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::diag::{Finding, Place};
use crate::name::{ExtraName, PackageName, Requirement};
use crate::recipe::{Format, Origin, Recipe, Runner, Source};
use crate::target::Target;

use edge::{Edge, Edges, Mask, NameId};
use trouble::Trouble;
use walk::{Slots, Start, Walk};

pub use chains::{Chains, Link};
pub use check::Tests;
pub use newest::{Demand, Standing, standing};
pub use show::{explain, tree};
pub use users::Users;

/// A recipe of one set: its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipeId(pub usize);

/// A requirement that does not come from a recipe's dependencies.
#[derive(Clone, Debug)]
pub struct Want {
    /// What is wanted; its marker is evaluated without extras.
    pub requirement: Requirement,
    /// Who wants it, as messages say it: `the command line`, `[env.web]`.
    pub from: String,
    /// The line, when a file says it.
    pub place: Option<Place>,
}

/// One recipe of a closure, or one that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The recipe.
    pub id: RecipeId,
    /// The extras asked of it; sorted in a closure.
    pub extras: Vec<ExtraName>,
}

impl From<RecipeId> for Member {
    /// Without extras.
    fn from(id: RecipeId) -> Self {
        Self { id, extras: Vec::new() }
    }
}

/// What a closure was made for: enough to say later why a member is in it.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// Building the recipe.
    Build(RecipeId),
    /// Running it with these extras.
    Run(RecipeId, Vec<ExtraName>),
    /// Its tests.
    Check(RecipeId),
    /// Anything else: an environment, a bundle.
    Free {
        /// Recipes that are members whatever else is.
        roots: Vec<RecipeId>,
        /// What is wanted beside them.
        wants: Vec<Want>,
    },
}

/// All that is needed together: one version of each name.
#[derive(Clone, Debug)]
pub struct Closure {
    /// Sorted by name.
    pub members: Vec<Member>,
    /// What it was made for.
    pub purpose: Purpose,
}

/// A closure that cannot be made.
struct Failure {
    /// The members as far as they are known.
    members: Vec<RecipeId>,
    troubles: Vec<Trouble>,
}

/// What a memorised closure was asked for.
#[derive(PartialEq, Eq, Hash)]
struct MemoKey {
    roots: Vec<(RecipeId, Vec<ExtraName>)>,
    wants: Vec<(NameId, Mask, bool, Box<[ExtraName]>)>,
}

/// What is worked out about a recipe when first asked for.
#[derive(Default)]
struct Facts {
    misfit: OnceLock<Option<String>>,
    edges: OnceLock<Edges>,
    extras: OnceLock<Vec<(ExtraName, Vec<Edge>)>>,
    /// Closures that can be made: a plan comes back to each of them.
    build: OnceLock<Arc<[Member]>>,
    run: OnceLock<Arc<[Member]>>,
    check: OnceLock<Arc<[Member]>>,
}

/// Recipes for one target.
pub struct PackageSet {
    recipes: Vec<Arc<Recipe>>,
    target: Target,
    /// Sorted, each with where its recipes are in `order`.
    names: Vec<(PackageName, Range<u32>)>,
    /// By name, those of one name highest version first.
    order: Vec<RecipeId>,
    index: HashMap<PackageName, NameId>,
    /// The name and the rank among its versions of each recipe.
    positions: Vec<(NameId, usize)>,
    facts: Vec<Facts>,
    /// Scratch space of walks, one for each that goes on at a time.
    slots: Mutex<Vec<Slots>>,
    memo: Mutex<HashMap<MemoKey, Arc<[Member]>>>,
}

impl PackageSet {
    /// A set of these recipes. Of two recipes with one name and version the
    /// later is preferred.
    pub fn new(recipes: impl IntoIterator<Item: Into<Arc<Recipe>>>, target: Target) -> Self {
        let recipes: Vec<Arc<Recipe>> = recipes.into_iter().map(Into::into).collect();
        let mut order: Vec<RecipeId> = (0..recipes.len()).map(RecipeId).collect();
        order.sort_by(|a, b| {
            let (ra, rb) = (&recipes[a.0], &recipes[b.0]);
            ra.pname.cmp(&rb.pname).then_with(|| rb.version.cmp(&ra.version)).then_with(|| b.cmp(a))
        });
        let mut names: Vec<(PackageName, Range<u32>)> = Vec::with_capacity(recipes.len());
        let mut positions = vec![(0, 0); recipes.len()];
        for (at, id) in (0..).zip(&order) {
            let pname = &recipes[id.0].pname;
            if names.last().is_none_or(|(last, _)| last != pname) {
                names.push((pname.clone(), at..at));
            }
            let name = names.len() - 1;
            let range = &mut names[name].1;
            positions[id.0] = (name as NameId, range.len());
            range.end += 1;
        }
        let index = names.iter().enumerate().map(|(i, (name, _))| (name.clone(), i as NameId)).collect();
        let facts = recipes.iter().map(|_| Facts::default()).collect();
        let (slots, memo) = Default::default();
        Self { recipes, target, names, order, index, positions, facts, slots, memo }
    }

    /// A recipe of the set.
    pub fn get(&self, id: RecipeId) -> &Recipe {
        &self.recipes[id.0]
    }

    /// All recipes, in the order they were given in.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = RecipeId> + use<> {
        (0..self.recipes.len()).map(RecipeId)
    }

    /// The interpreter and platform.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The recipes of a name, highest version first; disabled ones too.
    pub fn versions(&self, name: &PackageName) -> &[RecipeId] {
        self.name_id(name).map_or(&[], |name| self.versions_of(name))
    }

    /// `flask 3.1.3`, the way messages call a recipe.
    pub fn label(&self, id: RecipeId) -> String {
        let recipe = self.get(id);
        format!("{} {}", recipe.pname.as_ref(), recipe.version)
    }

    /// Whether a recipe is the only version of its name.
    pub fn is_only(&self, id: RecipeId) -> bool {
        self.versions_of(self.position(id).0).len() == 1
    }

    /// The source of a recipe on this target: the one whose `when` holds, else
    /// the one without. The error says why there is none; such a recipe is
    /// disabled.
    pub fn source_for(&self, id: RecipeId) -> Result<&Source, String> {
        let sources = &self.get(id).sources;
        let holds = |s: &&Source| s.when.as_ref().is_some_and(|m| m.evaluate(&self.target.markers, &[]));
        let mut fitting = sources.iter().filter(holds);
        let mut others = sources.iter().filter(|s| s.when.is_none());
        match (fitting.next().or_else(|| others.next()), fitting.next()) {
            (Some(source), None) => Ok(source),
            (None, _) if sources.len() == 1 => {
                Err(format!("its source is not for {}", self.target.describe()))
            }
            (None, _) => {
                Err(format!("none of its {} sources is for {}", sources.len(), self.target.describe()))
            }
            (Some(a), Some(b)) => {
                let (a, b) = (edge::line_of(&a.place), edge::line_of(&b.place));
                Err(format!("both its sources at {a} and {b} are for {}", self.target.describe()))
            }
        }
    }

    /// Why a recipe cannot be used on this target; `None` when it can.
    pub fn disabled(&self, id: RecipeId) -> Option<String> {
        self.misfit(id).map(str::to_owned)
    }

    /// Everything `roots` and `wants` need at run time, themselves included.
    pub fn close(&self, roots: &[RecipeId], wants: &[Want]) -> Result<Closure, Vec<Finding>> {
        self.closure(Purpose::Free { roots: roots.to_vec(), wants: wants.to_vec() })
    }

    /// What must be installed to build a recipe: its `build-system`, closed
    /// over run-time dependencies. Empty for a prebuilt wheel.
    pub fn build_closure(&self, id: RecipeId) -> Result<Closure, Vec<Finding>> {
        self.closure(Purpose::Build(id))
    }

    /// A recipe with these extras and everything it needs at run time.
    pub fn run_closure(&self, id: RecipeId, extras: &[ExtraName]) -> Result<Closure, Vec<Finding>> {
        self.closure(Purpose::Run(id, extras.to_vec()))
    }

    /// The members of [`Self::build_closure`], shared.
    pub fn build_members(&self, id: RecipeId) -> Result<Arc<[Member]>, Vec<Finding>> {
        self.shared(&Purpose::Build(id))
    }

    /// The members of [`Self::run_closure`], shared.
    pub fn run_members(&self, id: RecipeId, extras: &[ExtraName]) -> Result<Arc<[Member]>, Vec<Finding>> {
        self.shared(&Purpose::Run(id, extras.to_vec()))
    }

    /// The members of [`Self::check_closure`], shared.
    pub fn check_members(&self, id: RecipeId) -> Result<Arc<[Member]>, Vec<Finding>> {
        self.shared(&Purpose::Check(id))
    }

    /// Works out the closures that building a recipe and running it need, so
    /// that they are known when they are asked for. Many recipes can be made
    /// ready side by side; what is wrong is told by [`Self::findings`].
    pub fn make_ready(&self, goal: &Member, tests: Tests) {
        let run = Purpose::Run(goal.id, goal.extras.clone());
        let check = (tests != Tests::None).then_some(Purpose::Check(goal.id));
        for purpose in [run, Purpose::Build(goal.id)].into_iter().chain(check) {
            drop(self.examine(&purpose));
        }
    }

    /// What the tests of a recipe need: itself, `[check] inputs`, and pytest
    /// where that is the runner. The run closure when tests are off.
    pub fn check_closure(&self, id: RecipeId) -> Result<Closure, Vec<Finding>> {
        self.closure(Purpose::Check(id))
    }

    fn closure(&self, purpose: Purpose) -> Result<Closure, Vec<Finding>> {
        match self.examine(&purpose) {
            Ok(members) => Ok(Closure { members: members.to_vec(), purpose }),
            Err(failure) => Err(trouble::findings(self, failure.troubles)),
        }
    }

    fn shared(&self, purpose: &Purpose) -> Result<Arc<[Member]>, Vec<Finding>> {
        self.examine(purpose).map_err(|failure| trouble::findings(self, failure.troubles))
    }

    /// Where the closure of a recipe is kept that most is asked for.
    fn kept(&self, purpose: &Purpose) -> Option<&OnceLock<Arc<[Member]>>> {
        match purpose {
            Purpose::Build(id) => Some(&self.facts[id.0].build),
            Purpose::Run(id, extras) if extras.is_empty() => Some(&self.facts[id.0].run),
            Purpose::Check(id) if self.get(*id).check.enable => Some(&self.facts[id.0].check),
            // Without tests it is what it runs with.
            Purpose::Check(id) => Some(&self.facts[id.0].run),
            Purpose::Run(..) | Purpose::Free { .. } => None,
        }
    }

    /// The members of a closure, or what is wrong with it.
    fn examine(&self, purpose: &Purpose) -> Result<Arc<[Member]>, Failure> {
        let kept = self.kept(purpose);
        if let Some(known) = kept.and_then(OnceLock::get) {
            return Ok(Arc::clone(known));
        }
        let members = self.examine_once(purpose)?;
        Ok(kept.map_or_else(|| members.clone(), |kept| kept.get_or_init(|| members.clone()).clone()))
    }

    fn examine_once(&self, purpose: &Purpose) -> Result<Arc<[Member]>, Failure> {
        self.started(purpose, |start| {
            // What starts from one recipe alone is kept with it.
            let alone =
                start.wants.is_empty() && matches!(&start.roots[..], [(_, extras)] if extras.is_empty());
            let key = if alone { None } else { MemoKey::of(start) };
            if let Some(known) = key.as_ref().and_then(|key| lock(&self.memo).get(key).cloned()) {
                return Ok(known);
            }
            let walk = self.resolve(start);
            if walk.faults.is_empty() {
                let members = self.members(&walk);
                // A remark is about one requirement, not about the closure.
                if let Some(key) = key.filter(|_| walk.unknown_extras.is_empty()) {
                    lock(&self.memo).insert(key, members.clone());
                }
                return Ok(members);
            }
            let members = walk.visits.iter().filter_map(|v| v.choice).collect();
            Err(Failure { members, troubles: trouble::troubles(self, &walk) })
        })
    }

    /// Calls `f` with what a closure for the purpose starts from.
    fn started<R>(&self, purpose: &Purpose, f: impl FnOnce(&Start<'_>) -> R) -> R {
        let mut wants: Vec<Edge> = Vec::new();
        let roots = match purpose {
            Purpose::Build(id) => {
                return f(&Start { roots: Vec::new(), wants: self.edges(*id).build.iter().collect() });
            }
            Purpose::Run(id, extras) => {
                let mut extras = extras.clone();
                extras.sort();
                extras.dedup();
                vec![(*id, extras)]
            }
            Purpose::Check(id) => {
                wants = self.check_edges(*id);
                vec![(*id, Vec::new())]
            }
            Purpose::Free { roots, wants: asked } => {
                wants.extend(asked.iter().filter_map(|want| self.want_edge(want, None)));
                let mut roots: Vec<_> = roots.iter().map(|id| (*id, Vec::new())).collect();
                roots.sort();
                roots.dedup();
                roots
            }
        };
        f(&Start { roots, wants: wants.iter().collect() })
    }

    fn check_edges(&self, id: RecipeId) -> Vec<Edge> {
        let recipe = self.get(id);
        if !recipe.check.enable {
            return Vec::new();
        }
        let from = format!("the tests of {}", self.label(id));
        let mut wants: Vec<Want> = Vec::new();
        for input in &recipe.check.inputs {
            let (requirement, place) = (input.requirement.clone(), Some(input.place.clone()));
            wants.push(Want { requirement, from: from.clone(), place });
        }
        if recipe.check.runner == Runner::Pytest {
            let requirement = "pytest".parse().expect("a bare name is a requirement");
            wants.push(Want { requirement, from, place: Some(recipe.place.clone()) });
        }
        wants.iter().filter_map(|want| self.want_edge(want, Some(id))).collect()
    }

    fn members(&self, walk: &Walk<'_>) -> Arc<[Member]> {
        // Name and visit in one number: names are sorted, and so are they.
        let picked = walk.visits.iter().enumerate().filter(|(_, visit)| visit.choice.is_some());
        let mut order: Vec<u64> = picked.map(|(i, visit)| u64::from(visit.name) << 32 | i as u64).collect();
        order.sort_unstable();
        let member = |packed: &u64| {
            let visit = &walk.visits[(packed & 0xffff_ffff) as usize];
            let mut extras: Vec<ExtraName> = visit.extras.iter().map(|extra| (*extra).clone()).collect();
            extras.sort();
            Member { id: visit.choice.expect("only what was picked is in the order"), extras }
        };
        order.iter().map(member).collect()
    }

    fn name_id(&self, name: &PackageName) -> Option<NameId> {
        self.index.get(name).copied()
    }

    fn name_count(&self) -> usize {
        self.names.len()
    }

    fn versions_of(&self, name: NameId) -> &[RecipeId] {
        let Range { start, end } = self.names[name as usize].1;
        &self.order[start as usize..end as usize]
    }

    fn position(&self, id: RecipeId) -> (NameId, usize) {
        self.positions[id.0]
    }

    fn edges(&self, id: RecipeId) -> &Edges {
        self.facts[id.0].edges.get_or_init(|| self.compile(id))
    }

    fn extra_edges(&self, id: RecipeId, extra: &ExtraName) -> Option<&[Edge]> {
        let all = self.facts[id.0].extras.get_or_init(|| self.compile_extras(id));
        let found = all.binary_search_by(|(name, _)| name.cmp(extra)).ok()?;
        Some(&all[found].1)
    }

    /// Calls `f` with scratch space that no other walk has.
    fn with_slots<R>(&self, f: impl FnOnce(&mut Slots) -> R) -> R {
        let mut slots = lock(&self.slots).pop().unwrap_or_default();
        let out = f(&mut slots);
        lock(&self.slots).push(slots);
        out
    }

    fn misfit(&self, id: RecipeId) -> Option<&str> {
        self.facts[id.0].misfit.get_or_init(|| self.find_misfit(id)).as_deref()
    }

    fn find_misfit(&self, id: RecipeId) -> Option<String> {
        let recipe = self.get(id);
        if let Some((wanted, _)) = &recipe.requires_python
            && !self.target.satisfies(wanted)
        {
            return Some(format!("it is for Python {wanted}, this is {}", self.target.describe()));
        }
        let source = match self.source_for(id) {
            Ok(source) => source,
            Err(reason) => return Some(reason),
        };
        if recipe.format != Format::Wheel {
            return None;
        }
        let file = match &source.origin {
            Origin::Pypi { file, .. } => file.as_deref()?,
            Origin::Url { urls, .. } => file_of(urls.first()?),
            _ => return None,
        };
        // What is not a wheel's name at all is told when the file is read.
        match self.target.rank(file) {
            Ok(None) => Some(format!("its wheel `{file}` does not fit {}", self.target.describe())),
            _ => None,
        }
    }
}

impl MemoKey {
    /// The key of a start; `None` when a name is missing and nothing is to be kept.
    fn of(start: &Start<'_>) -> Option<Self> {
        let wants = start.wants.iter().map(|edge| {
            let to = edge.to.filter(|_| !edge.url)?;
            Some((to, edge.allowed.clone(), edge.names_pre, edge.extras.clone()))
        });
        let mut wants: Vec<_> = wants.collect::<Option<_>>()?;
        wants.sort();
        Some(Self { roots: start.roots.clone(), wants })
    }
}

/// The last segment of an address, without query and fragment.
fn file_of(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path)
}

/// A poisoned lock only guards scratch space and finished values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
