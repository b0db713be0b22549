//! `add`: versions for the whole closure, at run time and of builds, and a
//! recipe for each that the set has not.
//!
//! Knows the order: choose, read the sources, choose what builds them, and so
//! on until nothing is new. Must never know how versions are chosen.

mod complete;
mod outcome;
mod undeclared;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use recipes::codes;
use recipes::diag::Finding;
use recipes::name::{PackageName, Requirement, Version};
use recipes::recipe::{Dependency, Format, Recipe};
use recipes::set::PackageSet;
use recipes::solve::{Failure, Solution, Wish};
use recipes::target::Target;

use super::asked::{check_day, targets, wishes};
use super::draft::Purpose;
use super::market::{Form, Market, Terms, is_strangers, unusable};
use super::near;
use super::promised::{self, Lock};
use super::release;
use super::view::View;
use super::{Added, folder, free, outside};
use crate::ambient::Ambient;
use crate::error::{Error, Result};
use crate::ops::load::load;
use crate::ops::machines::{Settings, open};

pub use complete::{Completed, complete};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Solving {
    /// PEP 508 requirements.
    pub requirements: Vec<String>,
    /// What files ask for besides.
    pub lock: Lock,
    /// The folder the recipes go to.
    pub dir: Option<PathBuf>,
    /// Replace files that exist.
    pub force: bool,
    /// Write nothing.
    pub dry_run: bool,
    /// What is named is an application.
    pub application: bool,
    /// Nothing that was uploaded later.
    pub exclude_newer: Option<String>,
    /// Projects to take from source, or prebuilt.
    pub forms: Vec<(String, Form)>,
    /// The machine.
    pub settings: Settings,
}

/// What came of it.
pub enum Solved {
    /// Recipes were written, or would be.
    Done(Addition),
    /// What stands against them in the recipes that there are, or together.
    Findings(Vec<Finding>),
}

/// What was added so that the set has a whole closure.
#[derive(Clone, Debug, Default)]
pub struct Addition {
    /// New recipes, in the order they were found necessary in.
    pub new: Vec<New>,
    /// Of what was asked for, what the set had: `click 8.1.8`.
    pub had: Vec<String>,
    /// How many recipes of the set the closure uses.
    pub kept: usize,
    /// What the user should know.
    pub notes: BTreeSet<String>,
    /// What was asked for, as `build` wants it.
    pub named: Vec<String>,
    /// How many requests it took.
    pub requests: usize,
}

/// A recipe that the set had not.
#[derive(Clone, Debug)]
pub struct New {
    /// `click 8.1.8`.
    pub label: String,
    /// Its project and version.
    pub named: (PackageName, Version),
    /// The recipe's text.
    pub text: String,
    /// There was a file in its place.
    pub replaces: bool,
    /// Only builds need it.
    pub for_builds: bool,
    /// The file and what to look at.
    pub added: Added,
}

type Named = (PackageName, Version);

/// One run of the verb.
struct Work<'a, 'm> {
    market: &'a Market<'m>,
    targets: Vec<Target>,
    /// What is asked for, with the extras of it.
    wishes: Vec<Wish>,
    /// Recipes of the set that are to be others than they were: what these
    /// need is to be had, too.
    changed: Vec<Arc<Recipe>>,
    /// What rules versions out, though not for builds.
    limits: Vec<Requirement>,
    application: bool,
    dir: PathBuf,
    force: bool,
    /// The set's, and the new ones.
    recipes: Vec<Arc<Recipe>>,
    drafts: Vec<Drafted>,
    known: BTreeSet<Named>,
    /// The first choice for each name: others are to be equal where they can.
    prefer: BTreeMap<PackageName, Version>,
    kept: BTreeSet<Named>,
    /// What versions import and do not require.
    undeclared: BTreeMap<Named, BTreeSet<String>>,
    notes: BTreeSet<String>,
}

struct Drafted {
    name: PackageName,
    version: Version,
    path: PathBuf,
    text: String,
    recipe: Arc<Recipe>,
    for_builds: bool,
    replaces: bool,
    notes: Vec<String>,
}

/// A version that cannot be used after all.
struct Refusal {
    named: Named,
    why: String,
}

/// Versions that may be refused before the user has to choose.
const MOST_REFUSED: usize = 50;

/// Solves and writes; nothing is written where anything is wrong.
pub fn solve(ambient: &Ambient, request: &Solving) -> Result<Solved> {
    let mut loaded = load(ambient, &[])?;
    let dir = folder(ambient, &loaded, request.dir.as_deref());
    loaded.will_make(&dir);
    if loaded.is_broken() {
        return Ok(Solved::Findings(loaded.findings));
    }
    let asked = wishes(&request.requirements)?;
    let machines = open(ambient, &request.settings, &loaded.workspace)?;
    let mut terms = Terms {
        exclude_newer: request.exclude_newer.clone(),
        promises: request.lock.locked.promises.clone(),
        ..Terms::default()
    };
    if let Some(day) = &request.exclude_newer {
        check_day(day)?;
    }
    for (name, form) in &request.forms {
        let name: PackageName = name
            .parse()
            .map_err(|e| Error::input(format!("`{name}` is no project's name")).because(format!("{e}")))?;
        terms.forms.insert(name, *form);
    }
    for recipe in &loaded.book.recipes {
        terms.at_hand.entry(recipe.pname.clone()).or_default().push(recipe.version.clone());
    }
    let targets = targets(ambient, &machines, (&request.settings, &loaded.workspace.python_also))?;
    let market = Market::open(&machines, terms)?;
    let mut work = Work {
        wishes: asked,
        limits: request.lock.locked.limits.clone(),
        application: request.application,
        force: request.force,
        ..Work::new(&market, targets, loaded.book.recipes.clone(), dir)
    };
    let closed = market.busy(|| work.admit(&request.lock).and_then(|()| work.close()))?;
    closed.map_err(|refusal| Error::bug(format!("{} {}", refusal.named.0, refusal.why)))?;
    if request.lock.locked.whole {
        work.tell_strays(&request.lock.said);
    }
    let findings = work.findings();
    if !findings.is_empty() {
        return Ok(Solved::Findings(findings));
    }
    if !request.dry_run {
        work.write()?;
    }
    let outside = outside(&loaded, &work.dir).filter(|_| !work.drafts.is_empty());
    work.notes.extend(outside);
    Ok(Solved::Done(work.told()))
}

impl<'a, 'm> Work<'a, 'm> {
    /// One in which nothing is asked for yet.
    fn new(market: &'a Market<'m>, targets: Vec<Target>, recipes: Vec<Arc<Recipe>>, dir: PathBuf) -> Self {
        Self {
            market,
            targets,
            wishes: Vec::new(),
            changed: Vec::new(),
            limits: Vec::new(),
            application: false,
            dir,
            force: false,
            recipes,
            drafts: Vec::new(),
            known: BTreeSet::new(),
            prefer: BTreeMap::new(),
            kept: BTreeSet::new(),
            undeclared: BTreeMap::new(),
            notes: BTreeSet::new(),
        }
    }
}

impl Work<'_, '_> {
    /// Takes what files ask for among the wishes.
    fn admit(&mut self, lock: &Lock) -> Result<()> {
        let held = promised::admit(self.market, lock, &self.targets, &self.recipes)?;
        self.wishes.extend(held.wishes);
        self.notes.extend(held.notes);
        Ok(())
    }

    /// Notes what is in no lock file, though that is meant to be whole.
    fn tell_strays(&mut self, said: &str) {
        let asked: BTreeSet<&PackageName> = self.wishes.iter().map(|w| w.requirement.name()).collect();
        let strays = self.drafts.iter().filter(|d| !d.for_builds && !asked.contains(&d.name));
        let told = strays.map(|d| format!("{} {} is not in {said}: the index chose it", d.name, d.version));
        self.notes.extend(told.collect::<Vec<_>>());
    }

    /// Chooses, reads and drafts until nothing is new. A version whose build
    /// cannot be had is refused, and all is chosen again without it.
    fn close(&mut self) -> Result<Result<(), Refusal>> {
        let first = self.recipes.len();
        let mut refused = 0;
        loop {
            let attempt = self.attempt()?;
            refused += 1;
            let Err(Refusal { named, why }) = attempt else {
                if refused > MOST_REFUSED || !(self.break_circles()? || self.find_undeclared()) {
                    return Ok(Ok(()));
                }
                self.forget(first);
                continue;
            };
            if self.changed.iter().any(|r| (&r.pname, &r.version) == (&named.0, &named.1)) {
                return Ok(Err(Refusal { named, why }));
            }
            let label = format!("{} {}", named.0, named.1);
            if refused > MOST_REFUSED {
                return Err(Error::input(format!("{label} {why}, and so on: {refused} versions were tried"))
                    .hint(format!("--wheel {} takes it prebuilt", named.0)));
            }
            self.forget(first);
            self.notes.insert(format!("{label} {why}: it was passed over"));
            self.market.refuse(&named, why);
        }
    }

    /// Back to the beginning.
    fn forget(&mut self, first: usize) {
        self.recipes.truncate(first);
        self.drafts.clear();
        self.known.clear();
        self.prefer.clear();
        self.kept.clear();
    }

    /// What is needed for its own build is taken prebuilt, where it can be.
    fn break_circles(&mut self) -> Result<bool> {
        let mut broken = false;
        for finding in self.findings().iter().filter(|f| f.code == codes::BUILD_CYCLE) {
            let of = |d: &&Drafted| {
                finding.place.as_ref().is_some_and(|place| place.file.path == d.path.display().to_string())
            };
            let Some(draft) = self.drafts.iter().find(of) else { continue };
            let named = (draft.name.clone(), draft.version.clone());
            if self.market.take_prebuilt(&named, &self.targets)? {
                let told = finding.message.replace('`', "");
                self.notes.insert(format!("{told}: it is taken prebuilt"));
                broken = true;
            }
        }
        Ok(broken)
    }

    fn attempt(&mut self) -> Result<Result<(), Refusal>> {
        let mut new = match self.changed_ones()? {
            Ok(new) => new,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let wishes = self.wishes.clone();
        for target in self.targets.clone() {
            let doing = "failed to choose versions for what you asked for";
            let solution = self.choose(&target, (&wishes, &self.limits), doing)?;
            new.extend(self.take(solution.map_err(|sentences| {
                near::conflict((self.market, &self.recipes), &target, doing, sentences)
            })?));
        }
        let mut recipes = self.changed.clone();
        let mut for_builds = false;
        while !new.is_empty() || !recipes.is_empty() {
            let first = self.drafts.len();
            if let Err(refusal) = self.draft_all(std::mem::take(&mut new), for_builds)? {
                return Ok(Err(refusal));
            }
            recipes.extend(self.drafts[first..].iter().map(|d| Arc::clone(&d.recipe)));
            for_builds = true;
            new = match self.builders(&std::mem::take(&mut recipes))? {
                Ok(new) => new,
                Err(refusal) => return Ok(Err(refusal)),
            };
        }
        Ok(Ok(()))
    }

    fn draft_all(&mut self, new: BTreeSet<Named>, for_builds: bool) -> Result<Result<(), Refusal>> {
        self.market.expect_sdists(new.iter().filter(|named| self.is_source(named)));
        let mut batch: Vec<Named> = new.into_iter().collect();
        // Of several versions the highest has the plain file name.
        batch.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
        for named in batch {
            let path = self.path_of(&named.0, &named.1)?;
            match self.draft((&named.0, &named.1), path, for_builds) {
                Ok(()) => {}
                Err(error) if is_strangers(&error) => {
                    return Ok(Err(Refusal { named, why: unusable(&error) }));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Ok(()))
    }

    /// What the builds of recipes need that is new.
    fn builders(&mut self, recipes: &[Arc<Recipe>]) -> Result<Result<BTreeSet<Named>, Refusal>> {
        for recipe in recipes {
            let needed: Vec<&Requirement> = recipe.build_system.iter().map(|d| &d.requirement).collect();
            self.market.expect(&needed);
        }
        let mut new = BTreeSet::new();
        for recipe in recipes.iter().filter(|r| r.format != Format::Wheel) {
            let label = format!("{} {}", recipe.pname, recipe.version);
            let wish = |d: &Dependency| Wish {
                requirement: d.requirement.clone(),
                said: "it is built with".to_owned(),
            };
            let wishes: Vec<Wish> = recipe.build_system.iter().map(wish).collect();
            for target in self.targets.clone() {
                if recipe.requires_python.as_ref().is_some_and(|(python, _)| !target.satisfies(python)) {
                    continue;
                }
                let doing = format!("failed to choose versions for the build of {label}");
                match self.choose(&target, (&wishes, &[]), &doing)? {
                    Ok(solution) => new.extend(self.take(solution)),
                    Err(sentences) => {
                        let named = (recipe.pname.clone(), recipe.version.clone());
                        let why = format!("cannot be built ({})", sentences.join("; "));
                        return Ok(Err(Refusal { named, why }));
                    }
                }
            }
        }
        Ok(Ok(new))
    }

    /// A solution, or the sentences that say why there is none.
    fn choose(
        &self,
        target: &Target,
        (wishes, limits): (&[Wish], &[Requirement]),
        doing: &str,
    ) -> Result<Result<Solution, Vec<String>>> {
        let set = PackageSet::new(self.recipes.clone(), target.clone());
        let view = View { market: self.market, set: &set, limits };
        match recipes::solve::solve(&view, target, wishes, &self.prefer) {
            Ok(solution) => Ok(Ok(solution)),
            Err(Failure::Conflict(sentences)) => Ok(Err(sentences)),
            Err(Failure::Catalog(error)) => Err(error),
            Err(Failure::GaveUp) => Err(Error::input(doing)
                .because("there are too many ways to try")
                .hint("say which versions are wanted: 'NAME>=VERSION'")),
        }
    }

    /// Remembers a choice; gives what of it is new.
    fn take(&mut self, solution: Solution) -> Vec<Named> {
        self.notes.extend(solution.notes);
        let mut new = Vec::new();
        for (name, pick) in solution.picks {
            self.prefer.entry(name.clone()).or_insert_with(|| pick.version.clone());
            let named = (name, pick.version);
            if self.known.contains(&named) {
                continue;
            }
            if pick.near {
                self.kept.insert(named);
            } else {
                self.known.insert(named.clone());
                new.push(named);
            }
        }
        new
    }

    fn is_source(&self, (name, version): &Named) -> bool {
        let offer = self.market.offer(name, version);
        offer.is_ok_and(|offer| self.market.form(name, &offer, &self.targets[0]) == Ok(Form::Sdist))
    }

    /// Drafts the recipe of one release.
    fn draft(
        &mut self,
        (name, version): (&PackageName, &Version),
        path: PathBuf,
        for_builds: bool,
    ) -> Result<()> {
        let purpose = self.purpose(name);
        let metadata = self.market.metadata(name, version)?.map_err(Error::bug)?;
        let named = (name.clone(), version.clone());
        let metadata = self.completed(&named, &metadata);
        if self.is_source(&named)
            && self.market.sdist(name, version)?.facts.cargo
            && self.market.take_prebuilt(&named, &self.targets)?
        {
            let why = "is built with cargo, which is not supported yet: it is taken prebuilt";
            self.notes.insert(format!("{name} {version} {why}"));
        }
        let form = if self.is_source(&named) { Form::Sdist } else { Form::Wheel };
        if form == Form::Wheel && self.market.offer(name, version)?.sdist.is_none() {
            self.notes.insert(format!("{name} {version} has no sdist: it is taken prebuilt"));
        }
        let draft =
            release::draft((self.market, &self.targets), (name, version), (form, &metadata), &purpose)?;
        let (text, recipe) = draft.recipe(&path)?;
        self.recipes.push(Arc::clone(&recipe));
        let ((name, version), notes, replaces) = (named, draft.notes, path.exists());
        self.drafts.push(Drafted { name, version, path, text, recipe, for_builds, replaces, notes });
        Ok(())
    }

    fn purpose(&self, name: &PackageName) -> Purpose {
        let asked = self.wishes.iter().filter(|wish| wish.requirement.name() == name && self.application);
        let extras: Vec<_> = asked.clone().flat_map(|wish| wish.requirement.parsed.extras.clone()).collect();
        Purpose { application: asked.count() > 0, extras }
    }

    /// `NAME.toml`, or `NAME-VERSION.toml` where another version has that.
    fn path_of(&self, name: &PackageName, version: &Version) -> Result<PathBuf> {
        let taken = |path: &Path| self.drafts.iter().any(|d| d.path == path);
        let path = free(&self.dir, (name, version), self.force)?;
        Ok(if taken(&path) { self.dir.join(format!("{name}-{version}.toml")) } else { path })
    }
}
