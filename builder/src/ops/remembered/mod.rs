//! What was answered to a whole question when there was nothing to do.
//!
//! A run after which everything is built and nothing wrong leaves, in the store's
//! database, one row: what the next one will tell that finds it so, and all that
//! this rests on. When the same is asked again and nothing of that has changed,
//! this is the answer; no recipe is read then, and no plan made.
//!
//! Knows what a question consists of, and when its answer still holds. Must
//! never answer when in doubt: whatever is odd is no answer, and the run is
//! made. Losing all that is remembered costs milliseconds.

mod seen;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use recipes::diag::Severity;
use recipes::recipe::{Origin, Patch};

use crate::ambient::Ambient;
use crate::event::Ended;
use crate::key::Digest;
use crate::ops::build::{Built, Planned};
use crate::ops::environments::Makings;
use crate::ops::load::{Looked, Named};
use crate::ops::report::Report;
use crate::ops::{host, machines, result};
use crate::python::kernel_key;
use crate::store::Store;
use crate::store::realisation::Output;
use seen::{Seen, Stamp};
use wire::{AnswerV1, MakingsV1, MemoV1};

/// Raised when a row says something else, or another question has its key.
const FORMAT: &str = "2";

/// Everything that is asked, as far as the command line and the process that
/// asks say it. The rest is in what the answer rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question(String);

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The report, but for the time it took.
    pub report: Report,
    /// Warnings, as they are told.
    pub warnings: Vec<String>,
    /// What was left out, with the reason.
    pub left_out: Vec<(String, String)>,
    /// The environment in the store that a command was started in.
    pub place: Option<String>,
    /// What the environment was made of that was made.
    pub makings: Option<Makings>,
}

/// What a run made or found beside its report.
#[derive(Clone, Copy)]
pub enum Made<'a> {
    /// Nothing.
    Nothing,
    /// The environment in the store that a command is started in.
    Place(&'a Path),
    /// A working environment of these.
    Working(&'a Makings),
}

impl Question {
    /// The question of a verb with its flags. Nothing where we cannot say which
    /// program we are: another one might answer otherwise.
    pub fn of(ambient: &Ambient, asked: &dyn Debug) -> Option<Self> {
        let exe = ambient.exe.as_deref()?;
        let program = Stamp::of(exe)?;
        let user = &ambient.user;
        let parts = [
            format!("{FORMAT} {} {} {program:?}", env!("CARGO_PKG_VERSION"), exe.display()),
            format!("{:?} {:?} {:?} {user:?}", ambient.cwd, ambient.root, ambient.home),
            format!("{} {}", ambient.umask, ambient.cpus),
            kernel_key(),
            format!("{asked:?}"),
        ];
        Some(Self(Digest::of(parts.join("\0").as_bytes()).hex()))
    }

    /// Opens the store that the question is for, and asks it. The store comes
    /// back for the run that has to be made without an answer; one that cannot
    /// be opened is told of there.
    pub fn ask(&self, ambient: &Ambient, store: Option<&PathBuf>) -> (Option<Store>, Option<Answer>) {
        let Ok(store) = machines::open_store(ambient, store) else { return (None, None) };
        let answer = self.recall(ambient, &store);
        (Some(store), answer)
    }

    /// What was answered before, if nothing that it rests on has changed.
    pub fn recall(&self, ambient: &Ambient, store: &Store) -> Option<Answer> {
        let text = store.answer(&self.0).ok()??;
        let mut memo: MemoV1 = serde_json::from_str(&text).ok()?;
        if !memo.holds(ambient, store) {
            return None;
        }
        if memo.settle(ambient) {
            let _ = serde_json::to_string(&memo).map(|text| store.keep_answer(&self.0, &text));
        }
        // As each run does. What stays is swept by a later one.
        let _ = store.sweep();
        memo.answer()
    }

    /// Remembers what is told after a run when the same is asked again: that
    /// there is nothing to do. `rests` is what the run rested on.
    pub fn remember(&self, planned: &Planned, built: &Built, rests: Option<Rests>, made: Made<'_>) {
        let Some(memo) = rests.and_then(|rests| memo(planned, built, rests, made)) else { return };
        // Forgetting costs the run that is made then.
        let _ = serde_json::to_string(&memo).map(|text| planned.machines.store.keep_answer(&self.0, &text));
    }
}

/// All on disk that a run rests on, as it was when the plan was made.
///
/// To be looked at before anything runs: what changes while packages are built,
/// and be it that something goes that was there, is another question then.
pub struct Rests(Vec<Seen>);

impl Rests {
    /// Nothing where it is not as it was read, or where that cannot be told.
    pub fn before(planned: &Planned) -> Option<Self> {
        seen(planned).map(Self)
    }

    /// The same after a run that did nothing, which was over at once. Of one
    /// that did something it is too late to look.
    pub fn after(planned: &Planned, built: &Built) -> Option<Self> {
        let nothing_done = built.report.entries.iter().all(|entry| entry.ended == Ended::Reused);
        if nothing_done { Self::before(planned) } else { None }
    }
}

/// All of it as it is written down; nothing where something is missing, is
/// wrong, or rests on what a look cannot tell.
fn memo(planned: &Planned, built: &Built, rests: Rests, made: Made<'_>) -> Option<MemoV1> {
    let (place, makings) = match made {
        Made::Nothing => (None, None),
        Made::Place(place) => (Some(place), None),
        Made::Working(makings) => (None, Some(MakingsV1::of(makings))),
    };
    let (ambient, store) = (&planned.machines.ambient, &planned.machines.store);
    let report = &built.report;
    let sound = planned.findings.iter().all(|f| f.severity != Severity::Error);
    // A run that finds all that is wanted looks at nothing below it.
    let goals = &planned.plan.goals;
    let all_there = goals.iter().all(|&goal| built.realised[goal].is_some());
    if report.kind().is_some() || !sound || !all_there || !built.mismatches.is_empty() {
        return None;
    }
    let steps = goals.iter().map(|&goal| &planned.plan.steps[goal]);
    let vars = ambient.asked()?.into_iter().map(|name| (wire::value(ambient, &name), name));
    let links = report.results.iter().map(|link| Some((link.to_str()?, std::fs::read_link(link).ok()?)));
    let links: Vec<(&str, PathBuf)> = links.collect::<Option<_>>()?;
    let links = links.into_iter().map(|(link, to)| Some((link.to_owned(), to.to_str()?.to_owned())));
    let told = planned.findings.iter().filter(|f| f.severity == Severity::Warning);
    Some(MemoV1 {
        vars: vars.map(|(value, name)| (name, value)).collect(),
        seen: rests.0,
        there: there(planned, built, place).iter().map(|path| inside(store, path)).collect::<Option<_>>()?,
        links: links.collect::<Option<_>>()?,
        answer: AnswerV1 {
            entries: steps.map(|step| (step.package.to_string(), step.kind.word().to_owned())).collect(),
            warnings: told.map(|f| f.render()).collect(),
            left_out: planned.left_out.clone(),
            start_up: report.start_up.clone(),
            place: place.and_then(|place| place.file_name()?.to_str()).map(str::to_owned),
            makings,
        },
    })
}

/// A path in the store as seen from its folder.
fn inside(store: &Store, path: &Path) -> Option<String> {
    path.strip_prefix(store.root()).ok()?.to_str().map(str::to_owned)
}

/// What of the store the answer stands for: the outputs of the goals and, where
/// results or an environment were made, what these are made of.
fn there(planned: &Planned, built: &Built, place: Option<&Path>) -> Vec<PathBuf> {
    let store = &planned.machines.store;
    let goals = planned.plan.goals.iter().filter_map(|&goal| built.realised[goal].as_ref());
    let outputs = goals.filter_map(|realisation| match &realisation.output {
        Output::Blob { digest, .. } => Some(store.blob_path(digest)),
        Output::Tree(digest) => Some(store.tree_path(digest)),
        Output::Passed => None,
    });
    let mut all: Vec<PathBuf> = outputs.collect();
    if !built.report.results.is_empty() || place.is_some() {
        all.extend(result::companions(planned, built));
    }
    all.extend(place.map(Path::to_owned));
    all.sort();
    all.dedup();
    all
}

/// Everything on disk that the plan rests on, as it is now; nothing where it is
/// not as it was read, or where that cannot be told.
fn seen(planned: &Planned) -> Option<Vec<Seen>> {
    let (ambient, set) = (&planned.machines.ambient, &planned.set);
    // A folder of sources is more than a few looks.
    let folders = planned.loaded.named.iter().any(|named| matches!(named, Named::Folder(..)));
    let of_path = |recipe: &recipes::recipe::Recipe| {
        recipe.sources.iter().any(|source| matches!(source.origin, Origin::Path { .. }))
    };
    if !planned.local.trees.is_empty() || (folders && set.ids().any(|id| of_path(set.get(id)))) {
        return None;
    }
    let mut all = planned.loaded.looked.clone();
    let python = planned.machines.interpreter.rests_on.clone()?;
    all.extend(python.into_iter().map(Looked::At));
    let needed = planned.needed.iter();
    all.extend(host::looked(ambient, needed.map(|id| set.get(*id))).into_iter().map(Looked::At));
    for source in planned.needed.iter().filter_map(|id| set.source_for(*id).ok()) {
        for patch in &source.patches {
            if let Patch::File(name, base) = patch {
                all.push(Looked::At(planned.loaded.folder_of(base).join(name)));
            }
        }
    }
    all.iter().map(|looked| Seen::of(looked, ambient.now)).collect()
}
