//! Which builds are told of before it is their turn, so that what they run in
//! comes up beside what runs now.
//!
//! Knows which steps have ended and which are urgent. Must never know what is
//! made for a build, nor wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use super::Running;
use crate::event::StepKind;
use crate::plan::{Plan, Step};

/// What may come next.
pub(super) enum Word {
    /// A source is being downloaded: the build of this step will follow it.
    Source(usize),
    /// This build began: others will follow, too.
    Build(usize),
}

/// What is started for each build that really runs: a run in which nearly
/// everything is found as it was starts nearly nothing in vain.
const FOR_EACH: usize = 2;
/// Builds that are looked at for that.
const LOOK: usize = 64;

impl Running<'_> {
    /// Until nobody has a word any more. `builds` are those that may run, the
    /// most urgent first.
    pub(super) fn ahead(&self, mut builds: VecDeque<usize>, words: Receiver<Word>) {
        for word in words {
            match word {
                Word::Source(source) => {
                    let of = (self.plan.steps[source].recipe, StepKind::Build);
                    if let Some(build) = self.plan.of.get(of) {
                        self.tell(build);
                    }
                }
                Word::Build(begun) => {
                    builds.retain(|&build| build != begun);
                    self.tell_next(&mut builds);
                }
            }
        }
    }

    fn tell_next(&self, builds: &mut VecDeque<usize>) {
        let mut later = Vec::new();
        let (mut looked, mut started) = (0, 0);
        while looked < LOOK && started < FOR_EACH {
            let Some(build) = builds.pop_front() else { break };
            looked += 1;
            if !self.has_installs(build) {
                later.push(build);
            } else if self.results[build].get().is_none() && self.tell(build) {
                started += 1;
            }
        }
        later.into_iter().rev().for_each(|build| builds.push_front(build));
    }

    fn has_installs(&self, build: usize) -> bool {
        besides_source(self.plan, &self.plan.steps[build]).all(|input| self.results[input].get().is_some())
    }

    /// Whether something was started for it.
    fn tell(&self, build: usize) -> bool {
        let step = &self.plan.steps[build];
        let installs: Option<Vec<_>> =
            besides_source(self.plan, step).map(|input| self.results[input].get()).collect();
        let ended = self.stop.load(Ordering::Relaxed) || self.over.load(Ordering::Relaxed);
        !ended && installs.is_some_and(|installs| self.work.soon(step, &installs))
    }

    /// Whether others that are like this build have not begun yet.
    pub(super) fn begins(&self, step: &Step) -> bool {
        if step.kind != StepKind::Build {
            return false;
        }
        let inputs: Vec<usize> = besides_source(self.plan, step).collect();
        self.alike.get(&inputs).is_some_and(|left| left.fetch_sub(1, Ordering::Relaxed) > 1)
    }
}

/// How many builds there are, by their inputs but for the source.
pub(super) fn alike(plan: &Plan, missing: &[usize]) -> BTreeMap<Vec<usize>, AtomicUsize> {
    let mut counts: BTreeMap<Vec<usize>, AtomicUsize> = BTreeMap::new();
    let steps = missing.iter().map(|&step| &plan.steps[step]);
    for build in steps.filter(|step| step.kind == StepKind::Build) {
        *counts.entry(besides_source(plan, build).collect()).or_default().get_mut() += 1;
    }
    counts
}

fn besides_source(plan: &Plan, step: &Step) -> impl Iterator<Item = usize> {
    let inputs = step.inputs.iter().map(|input| input.step());
    inputs.filter(|&input| plan.steps[input].kind != StepKind::Source)
}
