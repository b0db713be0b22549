//! `build` and `check`: from words to results.
//!
//! Knows the order: load, close, prepare, plan, run, link. Must never print.

use std::collections::BTreeSet;
use std::path::PathBuf;

use recipes::diag::{Finding, Severity};
use recipes::set::{PackageSet, RecipeId, Tests};

use crate::ambient::Ambient;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, StepKind};
use crate::ops::goals::{Everything, Goal, environments, resolve};
use crate::ops::load::{Loaded, begin, side_by_side};
use crate::ops::machines::{Machines, Settings, open};
use crate::ops::report::Report;
use crate::ops::run::{self, Options, Ran};
use crate::ops::steps::{Mismatch, Steps};
use crate::ops::{host, judge, prepare};
use crate::plan::{Depth, Facts, Goals, Local, Plan, check_sees_host, plan};
use crate::python::Memo;
use crate::schedule::{DOWNLOADS, Lanes};
use crate::store::realisation::Realisation;

/// Everything up to the plan: nothing has run yet.
pub struct Planned {
    /// What was read.
    pub loaded: Loaded,
    /// The set for this interpreter.
    pub set: PackageSet,
    /// The machine.
    pub machines: Machines,
    /// What was asked for.
    pub goals: Vec<Goal>,
    /// As in the request.
    pub results: bool,
    /// Warnings, and what is doubtful in the recipes.
    pub findings: Vec<Finding>,
    /// What was left out, with the reason.
    pub left_out: Vec<(String, String)>,
    /// The recipes that the goals need, themselves among them.
    pub needed: BTreeSet<RecipeId>,
    /// Sources and patches.
    pub local: Local,
    /// The plan.
    pub plan: Plan,
}

/// Either a plan or the findings that stand against it.
pub enum Prepared {
    /// Ready to run.
    Ready(Box<Planned>),
    /// What is wrong in the recipes, warnings included.
    Findings(Vec<Finding>),
}

/// What is asked of a run.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names and paths.
    pub words: Vec<String>,
    /// `--all`, `--base`.
    pub everything: Everything,
    /// How far.
    pub depth: Depth,
    /// Whose tests are run.
    pub tests: Tests,
    /// The goals are for one environment: one version of each name among all
    /// their closures together; a word may name an `[env.NAME]`.
    pub joined: bool,
    /// Results or environments are made of what is installed: its byte code is
    /// wanted anyway, so imports are checked with it.
    pub results: bool,
    /// The machine.
    pub settings: Settings,
    /// Start nothing more after a failure.
    pub fail_fast: bool,
}

/// Loads, checks and plans.
pub fn prepare(ambient: &Ambient, request: &Request) -> Result<Prepared> {
    let (loaded, machines) = match gather(ambient, request)? {
        (loaded, Some(machines)) => (loaded, machines),
        (loaded, None) => return Ok(Prepared::Findings(loaded.findings)),
    };
    let set = PackageSet::new(loaded.book.recipes.clone(), machines.interpreter.target.clone());
    if request.everything.workspace {
        // Each is asked why it cannot be used; the answers are kept.
        let ids: Vec<RecipeId> = set.ids().collect();
        side_by_side(ambient.cpus, &ids, |id| drop(set.disabled(*id)));
    }
    let wanted = resolve(&loaded, &set, request.everything)?;
    let mut findings = loaded.findings.clone();
    findings.extend(wanted.findings);
    side_by_side(ambient.cpus, &wanted.goals, |goal| set.make_ready(goal, request.tests));
    // What else is wrong is told with it: closures go as far as they can.
    let (mut needed, doubts) = set.examined(&wanted.goals, request.tests);
    findings.extend(doubts);
    if request.joined {
        findings.extend(judge::applications(&set, &wanted.goals));
    }
    let beside = match request.joined && !broken(&findings) {
        true => beside(&set, &wanted.goals),
        false => Ok(Vec::new()),
    };
    let beside = beside.unwrap_or_else(|more| {
        findings.extend(more);
        Vec::new()
    });
    if !beside.is_empty() {
        needed.extend(set.examined(&beside, Tests::None).0);
    }
    findings.extend(judge::findings(&set, &needed, request.everything.broken));
    findings.extend(host::missing(ambient, needed.iter().map(|id| set.get(*id))));
    let local = prepare::local(&loaded, &set, &needed, &machines.store)?;
    let local = local.unwrap_or_else(|more| {
        findings.extend(more);
        Local::default()
    });
    if broken(&findings) {
        return Ok(Prepared::Findings(findings));
    }
    let compiler = needed.iter().any(|id| check_sees_host(set.get(*id)));
    let facts = facts(ambient, &machines, compiler)?;
    let goals = Goals {
        packages: wanted.goals.clone(),
        beside: beside.iter().map(|m| m.id).collect(),
        depth: request.depth,
        tests: request.tests,
    };
    match plan(&set, &facts, &local, &goals) {
        Ok(plan) => Ok(Prepared::Ready(Box::new(Planned {
            loaded,
            set,
            machines,
            goals: wanted.goals,
            results: request.results,
            findings,
            left_out: wanted.left_out,
            needed,
            local,
            plan,
        }))),
        Err(more) => {
            findings.extend(more);
            Ok(Prepared::Findings(findings))
        }
    }
}

/// Reads the recipes and opens the machine; no machine where the recipes are
/// broken. Both at the same time, since each waits for the disk now and then,
/// unless an `[env.NAME]` may be meant that says which interpreter it wants.
fn gather(ambient: &Ambient, request: &Request) -> Result<(Loaded, Option<Machines>)> {
    let begun = begin(ambient, &request.words)?;
    let workspace = begun.workspace.clone();
    let told = request.joined && workspace.envs.values().any(|environment| environment.python.is_some());
    let opening = |asked: Option<String>| {
        let mut settings = request.settings.clone();
        settings.python = settings.python.or(asked);
        open(ambient, &settings, &workspace)
    };
    let (mut loaded, machines) = if told || ambient.cpus == 1 {
        (begun.finish()?, None)
    } else {
        std::thread::scope(|scope| {
            let machines = scope.spawn(|| opening(None));
            let loaded = begun.finish()?;
            let machines = machines.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, Error>((loaded, Some(machines)))
        })?
    };
    if loaded.is_broken() {
        return Ok((loaded, None));
    }
    let asked = if request.joined { environments(&mut loaded)? } else { None };
    let machines = machines.unwrap_or_else(|| opening(asked))?;
    Ok((loaded, Some(machines)))
}

/// What stands beside the goals in one environment: it may hold other versions
/// than each of them would have alone.
fn beside(set: &PackageSet, goals: &[Goal]) -> std::result::Result<Vec<Goal>, Vec<Finding>> {
    let closure = super::goals::closure(set, goals)?;
    let members: Vec<Goal> = closure.members.iter().map(|m| m.id.into()).collect();
    let findings = set.findings(&members, Tests::None);
    if broken(&findings) { Err(findings) } else { Ok(members) }
}

fn broken(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.severity == Severity::Error)
}

fn facts(ambient: &Ambient, machines: &Machines, compiler: bool) -> Result<Facts> {
    let store = &machines.store;
    let memo = Memo {
        recall: &|ns, key| store.recall(ns, key).ok().flatten(),
        // Forgetting costs reading it next time, no more.
        remember: &|ns, key, value| drop(store.remember(ns, key, value)),
    };
    let host = if compiler { host::identity(ambient, memo)? } else { crate::key::Digest::of(b"") };
    Ok(Facts {
        interpreter: machines.interpreter.identity,
        python: machines.interpreter.short_version(),
        host,
        level: machines.level,
        c_flags: crate::pep517::build::compiler_flags(&machines.interpreter.facts.cflags),
    })
}

/// What a run of a plan left.
pub struct Built {
    /// For people and programs.
    pub report: Report,
    /// By step.
    pub realised: Vec<Option<Realisation>>,
    /// Hashes that did not match.
    pub mismatches: Vec<Mismatch>,
}

/// Runs a plan.
pub fn run(planned: &Planned, fail_fast: bool, watch: &mut dyn FnMut(&Event)) -> Result<Built> {
    let machines = &planned.machines;
    let mut steps = Steps::new(&planned.set, &planned.loaded, &planned.local, machines);
    steps.results = planned.results;
    let options = Options {
        lanes: Lanes {
            jobs: machines.jobs,
            downloads: DOWNLOADS,
            memory: machines.ambient.memory(),
            fail_fast,
        },
    };
    let ran = run::run(&planned.plan, &machines.store, &steps, (&options, machines.stop_flag()), watch)?;
    let Ran { report, realised } = ran;
    let mismatches = steps.mismatches.into_inner().expect("no holder of this lock panics");
    Ok(Built { report, realised, mismatches })
}

impl Planned {
    /// The last thing a program does with it: takes leave of the machine, and
    /// takes nothing apart that is only memory.
    pub fn leave(self) {
        let Self { machines, loaded, set, plan, local, .. } = self;
        std::mem::forget((loaded, set, plan, local));
        drop(machines);
    }

    /// The realisation of one step of a package, after a run.
    pub fn of<'a>(&self, built: &'a Built, id: RecipeId, kind: StepKind) -> Option<&'a Realisation> {
        let index = self.plan.of.get((id, kind))?;
        built.realised.get(index)?.as_ref()
    }

    /// The keys of what some goals' closure is made of: what a root keeps.
    pub fn keys_of(&self, goals: &[Goal]) -> Vec<crate::key::StepKey> {
        let closure = super::goals::closure(&self.set, goals).map(|c| c.members).unwrap_or_default();
        let kinds = [StepKind::Finish, StepKind::Install, StepKind::Build];
        closure
            .iter()
            .flat_map(|m| kinds.map(|kind| self.plan.of.get((m.id, kind))))
            .flatten()
            .map(|i| self.plan.steps[i].key)
            .collect()
    }

    /// The text of a log by its digest; a log that is gone is no loss.
    pub fn kept_log(&self, hex: &str) -> String {
        let path = hex.parse().map(|digest| self.machines.store.blob_path(&digest)).ok();
        let bytes = path.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The folder results of this run are made in.
    pub fn envs_dir(&self) -> PathBuf {
        self.machines.store.envs_dir()
    }
}

/// An error when the report has failures: its kind decides the exit code.
pub fn verdict(report: &Report) -> Option<Kind> {
    report.kind()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn request() -> Request {
        Request {
            words: vec!["own".into()],
            everything: Everything::default(),
            depth: Depth::Wheels,
            tests: Tests::None,
            joined: false,
            results: false,
            settings: Settings {
                store: None,
                python: None,
                level: None,
                jobs: None,
                offline: true,
                refresh: false,
                keep_failed: false,
                no_warm: false,
                opened: None,
            },
            fail_fast: false,
        }
    }

    #[test]
    fn recipes_are_told_of_before_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("wheelwright.toml"), "[set]\nrecipes = [\"r\"]\n").unwrap();
        std::fs::create_dir(dir.path().join("r")).unwrap();
        // There is no interpreter in this world.
        let mut ambient = Ambient::made_up(dir.path());
        ambient.home = None;
        let mut ambient = ambient.with_var("WHEELWRIGHT_STORE", dir.path().join("store"));
        for cpus in [1, 2] {
            ambient.cpus = cpus;
            let recipe = |text: &str| std::fs::write(dir.path().join("r/own.toml"), text).unwrap();
            recipe("pname = \"own\"\nno-such-key = 1\n");
            assert!(matches!(prepare(&ambient, &request()), Ok(Prepared::Findings(all)) if broken(&all)));
            recipe("pname = \"own\"\nversion = \"1\"\n[source]\npath = \".\"\n");
            let error = prepare(&ambient, &request()).err().map(|e| (e.kind, e.doing));
            let told = "failed to find a CPython 3.9 to 3.14";
            assert_eq!(error, Some((Kind::Environment, told.to_owned())));
        }
    }
}
