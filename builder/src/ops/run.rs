//! Runs a plan: looks up what the store has, prunes, schedules the rest, and
//! gathers what came of it.
//!
//! Knows keys, locks and realisations. Must never know what a step does
//! (`steps` does) or who watches.

mod ahead;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use ahead::Word;

use crate::error::{Error, Result};
use crate::event::{Ended, Event, Failure, StepKind};
use crate::ops::report::{Entry, Report};
use crate::plan::{Plan, Step};
use crate::schedule::{Fate, Lane, Lanes, Task, longest_path};
use crate::store::realisation::{Output, Realisation};
use crate::store::{Input, Record, Store};

/// What a step's work gives: a realisation, or why the package failed.
pub type Worked = std::result::Result<Realisation, Box<Failure>>;

/// Does the work of one step. The inputs' realisations are those of
/// [`Step::inputs`], in order.
pub trait Work: Sync {
    /// Runs the step; a failing package is a [`Failure`], never a panic.
    fn work(&self, step: &Step, inputs: &[&Realisation], talk: Talk<'_>) -> Worked;

    /// A build that will run soon; `installs` are all its inputs but the source.
    /// Whether something was started for it.
    fn soon(&self, _step: &Step, _installs: &[&Realisation]) -> bool {
        false
    }

    /// Declared needs of a step, for the scheduler.
    fn needs(&self, step: &Step) -> Needs;
}

/// What a step tells whoever watches, while it works.
#[derive(Clone, Copy)]
pub struct Talk<'a> {
    /// One line.
    pub note: &'a dyn Fn(String),
    /// Bytes of a download so far and, if known, in all.
    pub bytes: &'a (dyn Fn(u64, Option<u64>) + Sync),
    /// Of a build: whether another one, which has not begun yet, has the same
    /// inputs but for its source.
    pub more: bool,
}

/// What a step needs of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// Runs alone.
    pub exclusive: bool,
    /// Bytes; 0 when not declared: then what it had the last time counts.
    pub memory: u64,
    /// How long it may take, for one that was never timed.
    pub guess: Option<Duration>,
}

/// Builds that had less, bytes, are not counted: a Python that has loaded its
/// backend has half of it.
const MUCH: u64 = 64 << 20;

/// How a plan is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much at once.
    pub lanes: Lanes,
}

/// What a run left: the report, and the realisation of each step that has one.
pub struct Ran {
    /// For people and programs.
    pub report: Report,
    /// By step index.
    pub realised: Vec<Option<Realisation>>,
}

/// What of a plan the store already has.
pub struct Known {
    /// By step index; only steps that were looked at.
    pub found: BTreeMap<usize, Realisation>,
    /// Steps that must run, in order.
    pub missing: Vec<usize>,
}

/// Looks up the plan's goals and, below what is missing, what they need. A
/// step whose output the store has hides everything below it.
pub fn look_up(plan: &Plan, store: &Store) -> Result<Known> {
    // Most often the goals are all there, and nothing below them matters.
    // The keys are not gathered: of thousands of recipes they have megabytes.
    let goals = plan.goals.iter().map(|&goal| &plan.steps[goal].key);
    let mut all = store.lookup_many(goals.clone())?;
    if goals.into_iter().any(|key| !all.contains_key(key)) {
        let rest = plan.steps.iter().map(|s| &s.key).filter(|key| !all.contains_key(key));
        let rest = store.lookup_many(rest)?;
        all.extend(rest);
    }
    let mut found = BTreeMap::new();
    let mut wanted = vec![false; plan.steps.len()];
    for &goal in &plan.goals {
        wanted[goal] = true;
    }
    let mut missing = Vec::new();
    for i in (0..plan.steps.len()).rev() {
        if !wanted[i] {
            continue;
        }
        // Two steps may share a key: recipes of one `path` source do.
        match all.get(&plan.steps[i].key) {
            Some(realisation) => drop(found.insert(i, realisation.clone())),
            None => {
                missing.push(i);
                for input in &plan.steps[i].inputs {
                    wanted[input.step()] = true;
                }
            }
        }
    }
    missing.reverse();
    Ok(Known { found, missing })
}

struct Running<'a> {
    plan: &'a Plan,
    store: &'a Store,
    work: &'a dyn Work,
    stop: &'a AtomicBool,
    results: Vec<OnceLock<Realisation>>,
    events: Mutex<mpsc::Sender<Event>>,
    words: Mutex<mpsc::Sender<Word>>,
    /// Nothing runs any more.
    over: AtomicBool,
    /// Builds that have not begun, by their inputs but for the source.
    alike: BTreeMap<Vec<usize>, AtomicUsize>,
    started: Instant,
    /// Steps whose time is known and not guessed.
    timed: BTreeSet<usize>,
}

/// Runs what is missing. Events arrive in one line while it runs.
pub fn run(
    plan: &Plan,
    store: &Store,
    work: &dyn Work,
    (options, stop): (&Options, &AtomicBool),
    watch: &mut dyn FnMut(&Event),
) -> Result<Ran> {
    let known = look_up(plan, store)?;
    let (sender, receiver) = mpsc::channel();
    let (words, heard) = mpsc::channel();
    let mut running = Running {
        plan,
        store,
        work,
        stop,
        results: plan.steps.iter().map(|_| OnceLock::new()).collect(),
        events: Mutex::new(sender),
        words: Mutex::new(words),
        over: AtomicBool::new(false),
        alike: ahead::alike(plan, &known.missing),
        started: Instant::now(),
        timed: BTreeSet::new(),
    };
    let mut entries: BTreeMap<usize, Entry> = BTreeMap::new();
    for (i, found) in known.found {
        entries.insert(i, entry(&plan.steps[i], Ended::Reused, Duration::ZERO));
        // Each slot is filled once, here or by its own task.
        let _ = running.results[i].set(found);
    }
    let (tasks, timed) = tasks((plan, store, work), &known.missing)?;
    running.timed = timed;
    let expected = tasks.iter().map(|t| t.expected).sum();
    let paths = longest_path(&tasks);
    running.send(Event::Planned { steps: tasks.len(), expected });
    let work = || {
        // Also when a step panics: the watcher below must not wait for ever.
        let (_close, missing) = (Close(&running), &known.missing);
        crate::schedule::run(
            &tasks,
            &options.lanes,
            stop,
            &|t| running.step(missing[t], (tasks[t].expected, paths[t])),
            &mut |t, because| running.skipped(missing[t], missing[because], tasks[t].expected),
        )
    };
    let fates = std::thread::scope(|scope| {
        // No thread for what is over at once.
        let worker = if tasks.is_empty() { Ok(work()) } else { Err(scope.spawn(work)) };
        if worker.is_err() {
            let (running, builds) = (&running, builds(plan, &known.missing, &paths));
            scope.spawn(move || running.ahead(builds, heard));
        }
        for event in receiver {
            watch(&event);
        }
        worker.or_else(|worker| worker.join())
    });
    let fates = fates.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    gather(plan, &known.missing, fates, &mut entries);
    let report = Report {
        entries: entries.into_values().collect(),
        took: running.started.elapsed(),
        stopped: stop.load(Ordering::Relaxed),
        ..Report::default()
    };
    Ok(Ran { report, realised: running.results.into_iter().map(OnceLock::into_inner).collect() })
}

/// The builds among the missing steps, the most urgent first.
fn builds(plan: &Plan, missing: &[usize], paths: &[Duration]) -> VecDeque<usize> {
    let all = missing.iter().zip(paths).filter(|(step, _)| plan.steps[**step].kind == StepKind::Build);
    let mut all: Vec<_> = all.map(|(&step, &path)| (Reverse(path), step)).collect();
    all.sort_unstable();
    all.into_iter().map(|(_, step)| step).collect()
}

fn stopped() -> Error {
    Error::new(crate::error::Kind::Stopped, "stopped while another run was making the same")
}

fn entry(step: &Step, ended: Ended, took: Duration) -> Entry {
    Entry { package: step.package.to_string(), kind: step.kind, ended, took, blocked_by: None }
}

fn gather(
    plan: &Plan,
    missing: &[usize],
    fates: Vec<Fate<(Ended, Duration)>>,
    entries: &mut BTreeMap<usize, Entry>,
) {
    // Of several failures that stand in a step's way the first of the plan is
    // named, whichever happened first.
    let mut causes: BTreeMap<usize, usize> = BTreeMap::new();
    for (t, fate) in fates.into_iter().enumerate() {
        let step = &plan.steps[missing[t]];
        let above = step.inputs.iter().filter_map(|input| causes.get(&input.step())).min().copied();
        let cause = match fate {
            // Nothing is wrong with what was stopped, nor with what needs it.
            Fate::Failed((Ended::Stopped, _)) => None,
            Fate::Failed(_) => Some(missing[t]),
            Fate::Skipped(because) => {
                let was_stopped = entries.get(&missing[because]).is_some_and(|e| e.ended == Ended::Stopped);
                above.or((!was_stopped).then_some(missing[because]))
            }
            Fate::Done(_) | Fate::NotStarted => None,
        };
        causes.extend(cause.map(|cause| (missing[t], cause)));
        let made = match fate {
            Fate::Done((ended, took)) | Fate::Failed((ended, took)) => entry(step, ended, took),
            Fate::Skipped(_) | Fate::NotStarted => match cause {
                Some(cause) => {
                    let by = &plan.steps[cause];
                    let mut made = entry(step, Ended::Skipped(cause), Duration::ZERO);
                    made.blocked_by = Some(format!("{} of {}", by.kind.word(), by.package));
                    made
                }
                None => entry(step, Ended::NotStarted, Duration::ZERO),
            },
        };
        entries.insert(missing[t], made);
    }
}

/// The scheduler's view of the missing steps, and which of them were timed
/// before.
fn tasks(
    (plan, store, work): (&Plan, &Store, &dyn Work),
    missing: &[usize],
) -> Result<(Vec<Task>, BTreeSet<usize>)> {
    let place: BTreeMap<usize, usize> = missing.iter().enumerate().map(|(t, i)| (*i, t)).collect();
    let steps = missing.iter().map(|&i| &plan.steps[i]);
    let histories = store.histories(steps.map(|step| (&*step.subject, step.kind)))?;
    let timed = histories.keys().map(|t| missing[*t]).collect();
    let mut peaks = peaks((plan, store), missing)?;
    let tasks = missing
        .iter()
        .enumerate()
        .map(|(t, &i)| {
            let step = &plan.steps[i];
            let needs = work.needs(step);
            Task {
                needs: step.inputs.iter().filter_map(|input| place.get(&input.step()).copied()).collect(),
                expected: histories.get(&t).copied().or(needs.guess).unwrap_or_else(|| guess(step.kind)),
                lane: lane(step.kind),
                exclusive: needs.exclusive,
                memory: if needs.memory > 0 { needs.memory } else { peaks.remove(&t).unwrap_or(0) },
            }
        })
        .collect();
    Ok((tasks, timed))
}

/// What builds had of memory the last time, by their place among the missing:
/// those of which several at a time could be too much.
fn peaks((plan, store): (&Plan, &Store), missing: &[usize]) -> Result<BTreeMap<usize, u64>> {
    let steps = missing.iter().map(|&i| &plan.steps[i]).enumerate();
    let (places, builds): (Vec<usize>, Vec<_>) = steps
        .filter(|(_, step)| step.kind == StepKind::Build)
        .map(|(t, step)| (t, (&*step.subject, step.kind)))
        .unzip();
    let peaks = store.peaks(builds.into_iter())?;
    Ok(peaks.into_iter().filter(|(_, peak)| *peak >= MUCH).map(|(n, peak)| (places[n], peak)).collect())
}

/// What a step occupies.
pub fn lane(kind: StepKind) -> Lane {
    if kind == StepKind::Fetch { Lane::Network } else { Lane::Cpu }
}

/// Without a history: what such a step usually takes.
fn guess(kind: StepKind) -> Duration {
    Duration::from_millis(match kind {
        StepKind::Build => 600,
        StepKind::Check => 2000,
        StepKind::Imports => 150,
        StepKind::Fetch => 300,
        _ => 20,
    })
}

/// Ends the loops that listen: the only senders are replaced by dead ones.
struct Close<'a>(&'a Running<'a>);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        let (dead, _) = mpsc::channel();
        *self.0.events.lock().expect("no holder of this lock panics") = dead;
        let (dead, _) = mpsc::channel();
        *self.0.words.lock().expect("no holder of this lock panics") = dead;
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Running<'_> {
    fn send(&self, event: Event) {
        let events = self.events.lock().expect("no holder of this lock panics");
        // The watcher only goes away when the run is over.
        let _ = events.send(event);
    }

    fn say(&self, word: Word) {
        // Nobody listens where there are no builds.
        let _ = self.words.lock().expect("no holder of this lock panics").send(word);
    }

    fn skipped(&self, i: usize, because: usize, expected: Duration) {
        let step = &self.plan.steps[i];
        self.send(Event::Finished {
            step: i,
            package: step.package.to_string(),
            kind: step.kind,
            outcome: Ended::Skipped(because),
            took: Duration::ZERO,
            expected,
            log: None,
        });
    }

    fn step(&self, i: usize, (expected, path): (Duration, Duration)) -> ((Ended, Duration), bool) {
        let step = &self.plan.steps[i];
        let start = Instant::now();
        let known = Some(expected).filter(|_| self.timed.contains(&i));
        self.send(Event::Started {
            step: i,
            package: step.package.to_string(),
            kind: step.kind,
            expected: known,
            path,
        });
        let (ended, log) = match self.realise(i, step) {
            Ok((realisation, ended)) => {
                let log = realisation.log.filter(|_| ended == Ended::Done);
                let _ = self.results[i].set(realisation);
                (ended, log.map(|digest| digest.hex()))
            }
            // What ends while everything is ended says nothing of the package.
            Err(_) if self.stop.load(Ordering::Relaxed) => (Ended::Stopped, None),
            Err(failure) => {
                // A failure that shows the end of a log has just kept it.
                let log =
                    (!failure.log_tail.is_empty()).then(|| self.store.last_log(&step.package, step.kind));
                (
                    Ended::Failed(failure),
                    log.and_then(|kept| kept.ok().flatten()).map(|kept| kept.digest.hex()),
                )
            }
        };
        let took = start.elapsed();
        self.send(Event::Finished {
            step: i,
            package: step.package.to_string(),
            kind: step.kind,
            outcome: ended.clone(),
            took,
            expected,
            log,
        });
        let ok = !matches!(ended, Ended::Failed(_) | Ended::Stopped);
        ((ended, took), ok)
    }

    fn realise(&self, i: usize, step: &Step) -> std::result::Result<(Realisation, Ended), Box<Failure>> {
        let broken = |e: Error| Box::new(Failure::from(e));
        let inputs: Vec<&Realisation> = step
            .inputs
            .iter()
            .map(|input| self.results[input.step()].get().expect("a task starts after what it needs"))
            .collect();
        let more = self.begins(step);
        let say = |text: String| self.send(Event::Note { step: i, text });
        let mut on_wait = |who: &str| {
            say(format!("{} of {}: {who} is making it, waiting", step.kind.word(), step.package));
        };
        let going = || !self.stop.load(Ordering::Relaxed);
        let lock = self.store.lock_while(&step.key, &mut on_wait, &going).map_err(broken)?;
        let _lock = lock.ok_or_else(|| broken(stopped()))?;
        if let Some(found) = self.store.lookup(&step.key).map_err(broken)? {
            return Ok((found, Ended::Reused));
        }
        let digests: Vec<String> = inputs.iter().map(|r| identity(r)).collect();
        let content_key = self.plan.content_key(i, &digests);
        let before = match step.inputs.as_slice() {
            // Without inputs the key of content says no more than that of intent.
            [] => None,
            _ => self.store.lookup_content(&content_key).map_err(broken)?,
        };
        let (realisation, ended) = match before {
            Some(found) => (found, Ended::Identical),
            None => {
                match step.kind {
                    StepKind::Fetch => self.say(Word::Source(i)),
                    StepKind::Build => self.say(Word::Build(i)),
                    _ => {}
                }
                let bytes = |done, total| self.send(Event::Bytes { step: i, done, total });
                (self.work.work(step, &inputs, Talk { note: &say, bytes: &bytes, more })?, Ended::Done)
            }
        };
        self.store
            .record(&Record {
                key: step.key,
                content_key: Some(content_key).filter(|_| !step.inputs.is_empty()),
                parts: self.plan.parts(i),
                package: step.subject.to_string(),
                kind: step.kind,
                realisation: realisation.clone(),
                inputs: inputs.iter().filter_map(|r| held(r)).collect(),
            })
            .map_err(broken)?;
        Ok((realisation, ended))
    }
}

/// What an input contributes to a content key: its bytes and, for a source,
/// its time.
fn identity(realisation: &Realisation) -> String {
    let digest = match &realisation.output {
        Output::Blob { digest, name } => format!("blob {} {name}", digest.hex()),
        Output::Tree(digest) => format!("tree {}", digest.hex()),
        Output::Passed => "passed".to_owned(),
    };
    match realisation.epoch {
        Some(epoch) => format!("{digest} epoch {epoch}"),
        None => digest,
    }
}

/// The bytes a realisation holds, for the garbage collector.
fn held(realisation: &Realisation) -> Option<Input> {
    match &realisation.output {
        Output::Blob { digest, .. } => Some(Input::Blob(*digest)),
        Output::Tree(digest) => Some(Input::Tree(*digest)),
        Output::Passed => None,
    }
}
