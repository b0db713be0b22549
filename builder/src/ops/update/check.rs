//! Whether what was bumped builds, with all that uses it; which bumps are to
//! blame when it does not.
//!
//! Knows that what is built twice is built once: a state that was tried costs
//! nothing the second time. Must never keep a bump that breaks what was whole.

use std::collections::{BTreeSet, HashSet};

use recipes::diag::{Finding, Severity};
use recipes::name::{PackageName, Version};
use recipes::set::Tests;
use recipes::update::culprits;

use super::whole::{About, about};
use super::{Desk, Proposal};
use crate::ambient::Ambient;
use crate::error::{Error, Kind, Result};
use crate::event::{Ended, Failure};
use crate::ops::build::{self, Built, Planned, Prepared};
use crate::ops::goals::Everything;
use crate::ops::machines::Settings;
use crate::plan::Depth;

/// Runs a plan, told live.
pub type Run<'r> = &'r mut dyn FnMut(&Planned) -> Result<Built>;

/// A recipe that a bump can be seen in.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Its name.
    pub pname: PackageName,
    /// Its version; a bump's own goal has the bump's.
    pub version: Version,
    /// The bump of it.
    pub bump: Option<usize>,
    /// The bumps in what it is built and runs with.
    pub touched_by: BTreeSet<usize>,
}

/// Bumps that were taken back together.
#[derive(Clone, Debug)]
pub struct Reverted {
    /// Which.
    pub bumps: Vec<usize>,
    /// What failed with them: `app 1.0`.
    pub failed: String,
    /// How.
    pub failure: Failure,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Checked {
    /// In the order they were found.
    pub reverted: Vec<Reverted>,
    /// What fails without any of the bumps, too, and how.
    pub broken_before: Vec<(String, String)>,
    /// Recipes that were built or checked with what is left.
    pub good: usize,
    /// The user ended it: all is as it was.
    pub stopped: bool,
}

/// How trying one state ended.
enum Tried {
    Good,
    Bad(Vec<(String, Failure)>),
    /// The set does not hold.
    Findings(Vec<Finding>),
    Stopped,
}

struct Work<'a> {
    ambient: &'a Ambient,
    settings: &'a Settings,
    proposal: &'a Proposal,
    desk: &'a mut Desk,
    run: Run<'a>,
    /// Those that are looked at.
    goals: Vec<usize>,
    /// Those of the last run that nothing kept from being good.
    good: usize,
    done: Checked,
}

/// The run was ended: not an error of anything.
const STOPPED: &str = "the run was stopped";

/// Builds what the bumps touch, and takes back those that break it. After an
/// error all is as it was before the bumps.
pub fn check(
    (ambient, settings): (&Ambient, &Settings),
    (proposal, desk): (&Proposal, &mut Desk),
    run: Run<'_>,
) -> Result<Checked> {
    let goals = (0..proposal.goals.len()).collect();
    let mut work = Work { ambient, settings, proposal, desk, run, goals, good: 0, done: Checked::default() };
    match work.all() {
        Ok(()) => Ok(work.done),
        Err(error) => {
            let stopped = error.kind == Kind::Stopped;
            work.desk.lay(&[])?;
            if stopped { Ok(Checked { stopped, ..Checked::default() }) } else { Err(error) }
        }
    }
}

impl Work<'_> {
    fn all(&mut self) -> Result<()> {
        let mut sifted = false;
        loop {
            if self.goals.is_empty() || self.desk.made().is_empty() {
                return Ok(());
            }
            let failures = match self.try_goals(&self.goals.clone())? {
                Tried::Good => {
                    self.done.good = self.good;
                    return Ok(());
                }
                Tried::Stopped => return Err(Error::new(Kind::Stopped, STOPPED)),
                Tried::Findings(_) if !sifted => {
                    sifted = true;
                    self.sift()?;
                    continue;
                }
                Tried::Findings(findings) => self.of_goals(&findings)?,
                Tried::Bad(failures) => failures,
            };
            let good = self.good;
            if !self.blame(&failures)? {
                self.done.good = good;
                return Ok(());
            }
        }
    }

    /// What keeps goals from being planned, as their failures.
    fn of_goals(&self, findings: &[Finding]) -> Result<Vec<(String, Failure)>> {
        let mut failures = Vec::new();
        for goal in &self.goals {
            if let Some(finding) = self.findings(&[*goal])?.into_iter().next() {
                let mut error = Error::input(finding.message);
                (error.causes, error.hints) = (finding.notes, finding.hints);
                failures.push((self.label(*goal), error.into()));
            }
        }
        if failures.is_empty() {
            let first = findings.iter().map(|f| f.message.clone()).next().unwrap_or_default();
            return Err(Error::input("failed to check the bumps").because(first));
        }
        Ok(failures)
    }

    /// Leaves out what could not even be planned before.
    fn sift(&mut self) -> Result<()> {
        let made = self.desk.made();
        self.desk.lay(&[])?;
        for goal in self.goals.clone() {
            if let Some(finding) = self.findings(&[goal])?.into_iter().next() {
                self.goals.retain(|other| *other != goal);
                self.done.broken_before.push((self.label(goal), finding.message));
            }
        }
        self.desk.lay(&made)
    }

    /// Takes bumps back for the first failure that has a culprit; `false` when
    /// all failed before.
    fn blame(&mut self, failures: &[(String, Failure)]) -> Result<bool> {
        let made = self.desk.made();
        let known: HashSet<About> = self.findings(&self.goals)?.iter().map(about).collect();
        for (package, failure) in failures {
            let Some(goal) = self.goal_of(package) else {
                // No bump can be seen in it.
                let told = (package.clone(), failure.message.clone());
                if !self.done.broken_before.contains(&told) {
                    self.done.broken_before.push(told);
                }
                continue;
            };
            let label = package.clone();
            let near: Vec<usize> =
                self.proposal.goals[goal].touched_by.iter().copied().filter(|b| made.contains(b)).collect();
            let found = culprits(&near, |left_out: &[usize]| {
                let kept: Vec<usize> = made.iter().copied().filter(|b| !left_out.contains(b)).collect();
                self.desk.lay(&kept)?;
                // What is left must hold as well as it did.
                if self.findings(&self.goals)?.iter().any(|f| !known.contains(&about(f))) {
                    return Ok(false);
                }
                match self.try_goals(&[goal])? {
                    Tried::Good => Ok(true),
                    Tried::Bad(_) | Tried::Findings(_) => Ok(false),
                    Tried::Stopped => Err(Error::new(Kind::Stopped, STOPPED)),
                }
            })?;
            match found {
                Some(bumps) => {
                    let kept: Vec<usize> = made.iter().copied().filter(|b| !bumps.contains(b)).collect();
                    self.desk.lay(&kept)?;
                    self.done.reverted.push(Reverted { bumps, failed: label, failure: failure.clone() });
                    return Ok(true);
                }
                None => {
                    self.desk.lay(&made)?;
                    self.goals.retain(|other| *other != goal);
                    self.done.broken_before.push((label, failure.message.clone()));
                }
            }
        }
        Ok(false)
    }

    /// The goal that stands for a package that failed: its own, or one that
    /// has it among what it needs and was not there before.
    fn goal_of(&self, package: &str) -> Option<usize> {
        let own = self.goals.iter().copied().find(|goal| self.label(*goal) == package);
        own.or_else(|| {
            let new = self.proposal.new.iter().find(|new| new.label == package)?;
            let by = |goal: &usize| {
                self.proposal.goals[*goal].bump.is_some_and(|bump| new.needed_by.contains(&bump))
            };
            self.goals.iter().copied().find(by)
        })
    }

    /// A goal as reports call it, in the version that it has now.
    fn label(&self, goal: usize) -> String {
        let goal = &self.proposal.goals[goal];
        format!("{} {}", goal.pname, self.version(goal))
    }

    fn version<'g>(&'g self, goal: &'g Goal) -> &'g Version {
        match goal.bump {
            Some(bump) if self.desk.made().contains(&bump) => &self.proposal.bumps[bump].new,
            Some(bump) => &self.proposal.bumps[bump].old,
            None => &goal.version,
        }
    }

    fn request(&self, goals: &[usize]) -> build::Request {
        build::Request {
            words: goals.iter().map(|goal| self.label(*goal).replace(' ', "==")).collect(),
            everything: Everything::default(),
            depth: Depth::Checked,
            tests: Tests::Goals,
            joined: false,
            results: false,
            settings: self.settings.clone(),
            fail_fast: false,
        }
    }

    /// What stands against building some goals.
    fn findings(&self, goals: &[usize]) -> Result<Vec<Finding>> {
        Ok(match build::prepare(self.ambient, &self.request(goals))? {
            Prepared::Findings(findings) => errors(findings),
            Prepared::Ready(planned) => {
                planned.leave();
                Vec::new()
            }
        })
    }

    fn try_goals(&mut self, goals: &[usize]) -> Result<Tried> {
        let planned = match build::prepare(self.ambient, &self.request(goals))? {
            Prepared::Findings(findings) => return Ok(Tried::Findings(errors(findings))),
            Prepared::Ready(planned) => planned,
        };
        let built = (self.run)(&planned)?;
        planned.leave();
        let report = built.report;
        let is_bad = |ended: &Ended| !matches!(ended, Ended::Done | Ended::Reused | Ended::Identical);
        let bad: BTreeSet<&str> =
            report.entries.iter().filter(|e| is_bad(&e.ended)).map(|e| e.package.as_str()).collect();
        self.good = goals.iter().filter(|goal| !bad.contains(self.label(**goal).as_str())).count();
        if report.stopped {
            return Ok(Tried::Stopped);
        }
        if let Some((entry, failure)) = report.failures().find(|(_, f)| f.kind == Kind::Environment) {
            let mut error = Error::environment(format!("failed to check {}", entry.package));
            error.causes = std::iter::once(failure.message.clone()).chain(failure.causes.clone()).collect();
            error.hints = failure.hints.clone();
            return Err(error);
        }
        let failures: Vec<(String, Failure)> =
            report.failures().map(|(entry, failure)| (entry.package.clone(), failure.clone())).collect();
        Ok(if failures.is_empty() { Tried::Good } else { Tried::Bad(failures) })
    }
}

/// What is wrong, without what is only doubtful.
fn errors(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}
