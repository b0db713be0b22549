//! Runs a graph of steps: one coordinator, N workers.
//!
//! Knows readiness, priority (longest path first), lanes and failure
//! propagation. Must never know Python, terminals, argv, or what a step is:
//! the work is a function it is given.

mod priority;
#[cfg(test)]
mod tests;

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

pub use priority::{estimate, first_guess, longest_path};

/// What a task occupies while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A processor: bounded by [`Lanes::jobs`].
    Cpu,
    /// The network: bounded by [`Lanes::downloads`], beside the processors.
    Network,
}

/// One task of a graph. `needs` point to smaller indices.
#[derive(Clone, Debug)]
pub struct Task {
    /// Tasks that must have succeeded.
    pub needs: Vec<usize>,
    /// How long it is expected to take.
    pub expected: Duration,
    /// What it occupies.
    pub lane: Lane,
    /// Nothing else runs on a processor beside it.
    pub exclusive: bool,
    /// Bytes it is declared to need; 0 when nothing is declared.
    pub memory: u64,
}

/// Downloads at once.
pub const DOWNLOADS: usize = 8;

/// How much may run at once.
#[derive(Clone, Copy, Debug)]
pub struct Lanes {
    /// Workers for processor tasks.
    pub jobs: usize,
    /// Workers for downloads.
    pub downloads: usize,
    /// Bytes that declared memory may add up to.
    pub memory: u64,
    /// Start nothing more after the first failure.
    pub fail_fast: bool,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate<R> {
    /// It ran and succeeded.
    Done(R),
    /// It ran and failed.
    Failed(R),
    /// A task it needs (by index: the one that failed) did not succeed.
    Skipped(usize),
    /// The run was stopped (or failed fast) before it started.
    NotStarted,
}

struct Coordinator<'a, R> {
    tasks: &'a [Task],
    dependents: Vec<Vec<usize>>,
    waiting: Vec<usize>,
    fates: Vec<Option<Fate<R>>>,
    ready: [BinaryHeap<(Duration, std::cmp::Reverse<usize>)>; 2],
    priority: Vec<Duration>,
    running: [usize; 2],
    exclusive: bool,
    memory: u64,
    halted: bool,
}

/// Runs every task whose needs succeed; `work` returns its result and whether
/// it succeeded. Returns one fate a task. A panic in `work` is resumed here,
/// after the others have ended.
pub fn run<R: Send>(
    tasks: &[Task],
    lanes: &Lanes,
    stop: &AtomicBool,
    work: &(dyn Fn(usize) -> (R, bool) + Sync),
    on_skip: &mut dyn FnMut(usize, usize),
) -> Vec<Fate<R>> {
    let mut c = Coordinator::new(tasks);
    std::thread::scope(|scope| {
        let (done, results) = mpsc::channel::<(usize, std::thread::Result<(R, bool)>)>();
        loop {
            if stop.load(Ordering::Relaxed) {
                c.halted = true;
            }
            while let Some(index) = c.next(lanes) {
                let done = done.clone();
                scope.spawn(move || {
                    let out = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(index)));
                    // The coordinator outlives every worker, so the send cannot fail.
                    let _ = done.send((index, out));
                });
            }
            if c.running == [0, 0] {
                break;
            }
            let (index, out) = results.recv().expect("this scope holds a sender");
            match out {
                Ok((result, ok)) => {
                    c.halted |= !ok && lanes.fail_fast;
                    for (skipped, because) in c.ended(index, result, ok) {
                        on_skip(skipped, because);
                    }
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    c.fates.into_iter().map(|f| f.unwrap_or(Fate::NotStarted)).collect()
}

impl<'a, R> Coordinator<'a, R> {
    fn new(tasks: &'a [Task]) -> Self {
        let mut dependents = vec![Vec::new(); tasks.len()];
        for (i, task) in tasks.iter().enumerate() {
            for need in &task.needs {
                dependents[*need].push(i);
            }
        }
        let mut c = Coordinator {
            tasks,
            dependents,
            waiting: tasks.iter().map(|t| t.needs.len()).collect(),
            fates: tasks.iter().map(|_| None).collect(),
            ready: [BinaryHeap::new(), BinaryHeap::new()],
            priority: longest_path(tasks),
            running: [0, 0],
            exclusive: false,
            memory: 0,
            halted: false,
        };
        for i in 0..tasks.len() {
            if c.waiting[i] == 0 {
                c.push(i);
            }
        }
        c
    }

    fn push(&mut self, index: usize) {
        let lane = self.tasks[index].lane as usize;
        self.ready[lane].push((self.priority[index], std::cmp::Reverse(index)));
    }

    /// The most urgent task that fits now.
    fn next(&mut self, lanes: &Lanes) -> Option<usize> {
        if self.halted {
            return None;
        }
        for (lane, limit) in [(Lane::Network, lanes.downloads), (Lane::Cpu, lanes.jobs)] {
            let l = lane as usize;
            if self.running[l] >= limit.max(1) || (lane == Lane::Cpu && self.exclusive) {
                continue;
            }
            let mut passed_over = Vec::new();
            let mut found = None;
            while let Some(entry) = self.ready[l].pop() {
                if self.fits(entry.1.0, lanes) {
                    found = Some(entry.1.0);
                    break;
                }
                let starving = self.tasks[entry.1.0].exclusive;
                passed_over.push(entry);
                // An exclusive task must not be passed over for ever.
                if starving {
                    break;
                }
            }
            self.ready[l].extend(passed_over);
            if let Some(index) = found {
                self.running[l] += 1;
                self.memory += self.tasks[index].memory;
                self.exclusive |= self.tasks[index].exclusive;
                return Some(index);
            }
        }
        None
    }

    fn fits(&self, index: usize, lanes: &Lanes) -> bool {
        let task = &self.tasks[index];
        let alone = self.running[task.lane as usize] == 0;
        if task.exclusive && !alone {
            return false;
        }
        // A task larger than the machine still runs, alone.
        alone || task.memory == 0 || self.memory + task.memory <= lanes.memory
    }

    /// Notes a result; returns the tasks that are skipped for it.
    fn ended(&mut self, index: usize, result: R, ok: bool) -> Vec<(usize, usize)> {
        let task = &self.tasks[index];
        self.running[task.lane as usize] -= 1;
        self.memory -= task.memory;
        if task.exclusive {
            self.exclusive = false;
        }
        if !ok {
            self.fates[index] = Some(Fate::Failed(result));
            return self.skip_dependents(index);
        }
        self.fates[index] = Some(Fate::Done(result));
        for d in self.dependents[index].clone() {
            self.waiting[d] -= 1;
            if self.waiting[d] == 0 && self.fates[d].is_none() {
                self.push(d);
            }
        }
        Vec::new()
    }

    fn skip_dependents(&mut self, failed: usize) -> Vec<(usize, usize)> {
        let mut skipped = Vec::new();
        let mut queue = self.dependents[failed].clone();
        while let Some(d) = queue.pop() {
            if self.fates[d].is_none() {
                self.fates[d] = Some(Fate::Skipped(failed));
                skipped.push((d, failed));
                queue.extend(self.dependents[d].iter().copied());
            }
        }
        skipped
    }
}
