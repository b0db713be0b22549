//! What the index offers: releases, their metadata, their sdists; each asked
//! for once, and ahead of need by several threads.
//!
//! Knows which file of a release tells most for the fewest bytes. Must never
//! choose a version: what is looked at ahead is only likely to be wanted.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::str::FromStr as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use recipes::import::lock::Promise;
use recipes::name::{PackageName, Requirement, Sha256, Version, VersionSpecifiers};
use recipes::parse::mend_specifiers;
use recipes::target::Target;

use super::draft::Metadata;
use super::sdist::{self, Sdist};
use crate::error::{Error, Kind, Result};
use crate::index::{Beside, Index, IndexError, Project, ProjectFile};
use crate::ops::machines::Machines;

/// Whether an error is about what strangers made: another version may have none.
pub fn is_strangers(error: &Error) -> bool {
    matches!(error.kind, Kind::Input | Kind::Build)
}

/// Why a stranger's version is of no use.
pub fn unusable(error: &Error) -> String {
    let parts: Vec<&str> = std::iter::once(&error.doing).chain(&error.causes).map(String::as_str).collect();
    format!("cannot be used ({})", parts.join(": "))
}

/// Requests at once: more only wait for each other.
const WORKERS: usize = 16;
/// Raised when what is remembered of METADATA changes its meaning.
const METADATA_MEMO: &str = "metadata/1";

/// Which of a project's files is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Built from source.
    Sdist,
    /// Taken prebuilt.
    Wheel,
}

/// What is offered at all.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Nothing that was uploaded later: a day, or a moment in UTC (RFC 3339).
    pub exclude_newer: Option<String>,
    /// `--sdist NAME`, `--wheel NAME`.
    pub forms: BTreeMap<PackageName, Form>,
    /// Versions that the set has: nothing is looked at ahead where they do.
    pub at_hand: HashMap<PackageName, Vec<Version>>,
    /// Wheels of these versions are only offered when they are promised.
    pub promises: BTreeMap<Named, Promise>,
    /// Projects that are looked for on one index: a name from `[index.NAME]`
    /// or an address.
    pub on: BTreeMap<PackageName, String>,
}

/// One version of a project, as far as it is offered.
#[derive(Clone, Debug)]
pub struct Offer {
    pub version: Version,
    pub sdist: Option<ProjectFile>,
    /// Those for all platforms first.
    pub wheels: Vec<ProjectFile>,
    /// There is a wheel for every platform.
    pub pure: bool,
    pub python: Option<VersionSpecifiers>,
    pub yanked: bool,
    /// Why it is not offered.
    pub closed: Option<String>,
}

/// Everything asked for once.
struct Slots<K, V>(Mutex<HashMap<K, Arc<OnceLock<V>>>>);

impl<K, V> Default for Slots<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Slots<K, V> {
    /// Whoever comes second waits for the first.
    fn get(&self, key: &K, f: impl FnOnce() -> V) -> V {
        let slot = Arc::clone(lock(&self.0).entry(key.clone()).or_default());
        slot.get_or_init(f).clone()
    }

    fn known(&self, key: &K) -> Option<V> {
        lock(&self.0).get(key)?.get().cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Named = (PackageName, Version);

/// Something to do ahead of need.
enum Job {
    /// Look at the version that is likely to be picked, and at what it needs.
    Look(Box<Requirement>),
    /// Fetch the sdist of a version that was picked.
    Unpack(PackageName, Version),
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Requirements that were looked at.
    seen: HashSet<String>,
    closed: bool,
}

/// The indexes of a run, looked at for one purpose.
pub struct Market<'m> {
    machines: &'m Machines,
    index: &'m Index,
    terms: Terms,
    /// What is looked at ahead is looked at for this interpreter.
    target: Target,
    offers: Slots<PackageName, Result<Option<Arc<Vec<Offer>>>>>,
    /// Versions that turned out to be of no use, and why.
    refused: Mutex<HashMap<Named, String>>,
    /// Versions whose build needs themselves.
    prebuilt: Mutex<HashSet<Named>>,
    metadata: Slots<Named, Result<Result<Arc<Metadata>, String>>>,
    sdists: Slots<Named, Result<Arc<Sdist>>>,
    queue: Mutex<Queue>,
    filled: Condvar,
}

/// Ends the workers, however the work ends.
struct Close<'a, 'm>(&'a Market<'m>);

impl Drop for Close<'_, '_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.jobs.clear();
        queue.closed = true;
        self.0.filled.notify_all();
    }
}

impl<'m> Market<'m> {
    pub fn open(machines: &'m Machines, terms: Terms) -> Result<Self> {
        Ok(Self {
            machines,
            index: machines.index()?,
            terms,
            target: machines.interpreter.target.clone(),
            offers: Slots::default(),
            refused: Mutex::default(),
            prebuilt: Mutex::default(),
            metadata: Slots::default(),
            sdists: Slots::default(),
            queue: Mutex::default(),
            filled: Condvar::new(),
        })
    }

    /// How many requests were sent.
    pub fn requests(&self) -> usize {
        self.index.requests()
    }

    /// Does something while workers fetch what it will ask for.
    pub fn busy<R>(&self, f: impl FnOnce() -> R) -> R {
        std::thread::scope(|scope| {
            let _close = Close(self);
            for _ in 0..WORKERS {
                scope.spawn(|| self.work());
            }
            f()
        })
    }

    /// All versions of a project; `None` when no index has it.
    pub fn offers(&self, name: &PackageName) -> Result<Option<Arc<Vec<Offer>>>> {
        self.offers.get(name, || match self.index.project_of(name, self.on(name)) {
            Ok(project) => Ok(Some(Arc::new(self.read(&project)))),
            Err(IndexError::NoProject { .. }) => Ok(None),
            Err(error) => Err(error.into_error()),
        })
    }

    fn on(&self, name: &PackageName) -> Option<&str> {
        self.terms.on.get(name).map(String::as_str)
    }

    /// One of them.
    pub fn offer(&self, name: &PackageName, version: &Version) -> Result<Offer> {
        let found = self.offers(name)?.and_then(|all| all.iter().find(|o| o.version == *version).cloned());
        found.ok_or_else(|| Error::bug(format!("{name} {version} is not on the index any more")))
    }

    /// How a version is to be had: from source where there is any, unless the
    /// user chose. The error is why it cannot be had for a target.
    pub fn form(&self, name: &PackageName, offer: &Offer, target: &Target) -> Result<Form, String> {
        let named = (name.clone(), offer.version.clone());
        if let Some(why) = lock(&self.refused).get(&named) {
            return Err(why.clone());
        }
        let fits = |wheel: &ProjectFile| matches!(target.rank(&wheel.name), Ok(Some(_)));
        let wheel = offer.wheels.iter().any(fits);
        let asked = self.terms.forms.get(name).copied();
        let asked = asked.or_else(|| lock(&self.prebuilt).contains(&named).then_some(Form::Wheel));
        match (&offer.closed, asked, &offer.sdist) {
            (Some(why), _, _) => Err(why.clone()),
            (None, Some(Form::Sdist), None) => Err("has no sdist".to_owned()),
            (None, Some(Form::Wheel), _) if wheel => Ok(Form::Wheel),
            (None, Some(Form::Wheel), _) => Err("has no wheel for this interpreter".to_owned()),
            (None, _, Some(_)) => Ok(Form::Sdist),
            (None, _, None) if wheel => Ok(Form::Wheel),
            (None, _, None) => Err("has no sdist, and no wheel for this interpreter".to_owned()),
        }
    }

    /// From now on a version is not to be had.
    pub fn refuse(&self, (name, version): &Named, why: String) {
        lock(&self.refused).insert((name.clone(), version.clone()), why);
    }

    /// From now on a version is taken prebuilt, unless the user said how or
    /// there is no wheel of it. Tells whether that changes anything.
    pub fn take_prebuilt(&self, (name, version): &Named, targets: &[Target]) -> Result<bool> {
        let offer = self.offer(name, version)?;
        let fits = |t: &Target| offer.wheels.iter().any(|w| matches!(t.rank(&w.name), Ok(Some(_))));
        let can = !self.terms.forms.contains_key(name) && targets.iter().all(fits);
        Ok(can && lock(&self.prebuilt).insert((name.clone(), version.clone())))
    }

    /// The versions of a project's page, the newest first.
    pub fn read(&self, project: &Project) -> Vec<Offer> {
        let offers = project.releases().into_iter().map(|release| {
            let sdist = release.sdist().filter(|s| self.is_open(s)).cloned();
            let mut wheels: Vec<ProjectFile> =
                release.wheels().filter(|w| self.is_open(w)).cloned().collect();
            wheels.sort_by_key(|w| (!w.name.ends_with("-none-any.whl"), w.name.clone()));
            let pure = wheels.first().is_some_and(|w| w.name.ends_with("-none-any.whl"));
            let promise = self.terms.promises.get(&(project.name.clone(), release.version.clone()));
            if let Some(Promise { hashes, .. }) = promise.filter(|p| !p.hashes.is_empty()) {
                wheels.retain(|w| w.sha256.is_none_or(|hash| hashes.contains(&hash)));
            }
            let closed = (sdist.is_none() && wheels.is_empty())
                .then_some(self.terms.exclude_newer.as_ref())
                .flatten()
                .map(|day| format!("was not uploaded by {day}"));
            let python = release.requires_python().and_then(mend_specifiers);
            Offer {
                version: release.version.clone(),
                sdist,
                wheels,
                pure,
                python: python.and_then(|text| VersionSpecifiers::from_str(&text).ok()),
                yanked: release.is_yanked(),
                closed,
            }
        });
        offers.collect()
    }

    /// Whether a file is old enough; one of unknown age is not.
    fn is_open(&self, file: &ProjectFile) -> bool {
        let Some(day) = &self.terms.exclude_newer else { return true };
        let len = day.len().min("2026-01-01T00:00:00".len());
        let moment = file.uploaded.as_deref().and_then(|text| text.get(..len));
        moment.is_some_and(|moment| moment <= &day[..len])
    }

    /// The metadata of a version; the inner error says why it cannot be used.
    pub fn metadata(&self, name: &PackageName, version: &Version) -> Result<Result<Arc<Metadata>, String>> {
        let key = (name.clone(), version.clone());
        self.metadata.get(&key, || {
            let offer = self.offer(name, version)?;
            let Some(wheel) = offer.wheels.first() else {
                return match self.sdist(name, version) {
                    Ok(sdist) => Ok(sdist.metadata().checked().map(Arc::new)),
                    Err(error) if is_strangers(&error) => Ok(Err(unusable(&error))),
                    Err(error) => Err(error),
                };
            };
            let metadata = Metadata::parse(&self.wheel_metadata(wheel)?).with_pure_wheel(offer.pure);
            Ok(metadata.checked().map(Arc::new))
        })
    }

    fn wheel_metadata(&self, wheel: &ProjectFile) -> Result<String> {
        let store = &self.machines.store;
        let key = match (wheel.metadata, wheel.sha256) {
            (Beside::Yes(Some(hash)), _) | (_, Some(hash)) => Some(hash.hex()),
            _ => None,
        };
        let known = key.as_ref().map(|key| store.recall(METADATA_MEMO, key)).transpose()?.flatten();
        if let Some(known) = known {
            return Ok(known);
        }
        let text = self.index.metadata(wheel).map_err(IndexError::into_error)?;
        // The rest is a README.
        let end = text.find("\n\n").or_else(|| text.find("\r\n\r\n")).unwrap_or(text.len());
        let head = text[..end].to_owned();
        if let Some(key) = key {
            store.remember(METADATA_MEMO, &key, &head)?;
        }
        Ok(head)
    }

    /// The sdist of a version, unpacked and read.
    pub fn sdist(&self, name: &PackageName, version: &Version) -> Result<Arc<Sdist>> {
        let key = (name.clone(), version.clone());
        self.sdists.get(&key, || {
            let offer = self.offer(name, version)?;
            let file = offer.sdist.ok_or_else(|| Error::bug(format!("{name} {version} has no sdist")))?;
            sdist::read(self.machines, (name, self.on(name)), &file).map(Arc::new)
        })
    }

    /// Metadata with what the version's sdist says besides, if that was looked
    /// into though the version is taken prebuilt.
    pub fn with_source(&self, named: &Named, metadata: &Metadata) -> Metadata {
        match self.sdists.known(named) {
            Some(Ok(sdist)) => metadata.clone().with_source(&sdist.facts),
            _ => metadata.clone(),
        }
    }

    /// The foreign modules that a version imports at once, if its sdist was
    /// looked into.
    pub fn imports(&self, named: &Named) -> Vec<String> {
        match self.sdists.known(named) {
            Some(Ok(sdist)) => sdist.facts.imports.clone(),
            _ => Vec::new(),
        }
    }

    /// The hash of a file that a recipe promises: the index's word, else its
    /// bytes'. One that a lock file does not list is an error.
    pub fn hash_of(&self, name: &PackageName, file: &ProjectFile) -> Result<Sha256> {
        let hash = match file.sha256 {
            Some(hash) => hash,
            None => sdist::fetch(self.machines, (name, self.on(name)), file)?,
        };
        match self.terms.promises.get(&(name.clone(), file.version.clone())) {
            Some(Promise { hashes, .. }) if !hashes.is_empty() && !hashes.contains(&hash) => {
                let what = format!("the hash of `{}` is not among those that are listed", file.name);
                Err(Error::new(Kind::Hash, what).because(format!("the index has sha256:{}", hash.hex())))
            }
            _ => Ok(hash),
        }
    }

    /// Begins to look at what these requirements are likely to lead to.
    pub fn expect(&self, requirements: &[&Requirement]) {
        for requirement in requirements {
            self.push(Job::Look(Box::new((*requirement).clone())));
        }
    }

    /// Begins to fetch sdists.
    pub fn expect_sdists<'n>(&self, picked: impl IntoIterator<Item = &'n Named>) {
        for (name, version) in picked {
            self.push(Job::Unpack(name.clone(), version.clone()));
        }
    }

    fn push(&self, job: Job) {
        if let Job::Look(requirement) = &job {
            let at_hand = self.terms.at_hand.get(requirement.name());
            let specifiers = requirement.specifiers();
            if at_hand.is_some_and(|all| all.iter().any(|v| specifiers.contains(v))) {
                return;
            }
        }
        let mut queue = lock(&self.queue);
        let new = match &job {
            Job::Look(requirement) => {
                let mut extras: Vec<String> =
                    requirement.parsed.extras.iter().map(ToString::to_string).collect();
                extras.sort();
                // The first requirement on a name is taken for all of them.
                queue.seen.insert(format!("{}[{}]", requirement.name(), extras.join(",")))
            }
            Job::Unpack(..) => true,
        };
        if new && !queue.closed {
            queue.jobs.push_back(job);
            self.filled.notify_one();
        }
    }

    fn work(&self) {
        loop {
            let mut queue = lock(&self.queue);
            let job = loop {
                if queue.closed || self.machines.stop_flag().load(Ordering::Relaxed) {
                    return;
                }
                match queue.jobs.pop_front() {
                    Some(job) => break job,
                    None => queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(queue);
            // What fails is told when it is really wanted.
            match job {
                Job::Look(requirement) => drop(self.look(&requirement)),
                Job::Unpack(name, version) => drop(self.sdist(&name, &version)),
            }
        }
    }

    /// Looks at the newest version that a requirement allows.
    fn look(&self, requirement: &Requirement) -> Result<()> {
        let name = requirement.name();
        let Some(offers) = self.offers(name)? else { return Ok(()) };
        let specifiers = requirement.specifiers();
        let likely = offers.iter().find(|o| {
            specifiers.contains(&o.version)
                && !o.yanked
                && !o.version.any_prerelease()
                && o.python.as_ref().is_none_or(|p| self.target.satisfies(p))
                && self.form(name, o, &self.target).is_ok()
        });
        let Some(likely) = likely else { return Ok(()) };
        let Ok(metadata) = self.metadata(name, &likely.version)? else { return Ok(()) };
        let needs = metadata.needs();
        let asked = requirement.parsed.extras.iter().filter_map(|extra| needs.extras.get(extra)).flatten();
        for needed in needs.always.iter().chain(asked) {
            if needed.parsed.marker.evaluate(&self.target.markers, &[]) {
                self.push(Job::Look(Box::new(needed.clone())));
            }
        }
        Ok(())
    }
}
