//! What a run does with a plan, with work that is only pretended.

use std::sync::atomic::AtomicBool;

use recipes::set::RecipeId;

use super::*;
use crate::error::Kind;
use crate::key::{KeyWriter, StepKey};
use crate::plan::{Places, Role};
use crate::store::realisation::Level;

/// Steps with these keys, each needing the one before.
fn chain(keys: &[&str]) -> Plan {
    let (recipe, set) = (RecipeId(0), keys.iter().enumerate());
    let steps = set.map(|(i, key)| {
        let mut spec = KeyWriter::new();
        spec.part("name", *key);
        let input = |step| crate::plan::Input::new(step, Role::Wheel);
        let inputs: Vec<_> = i.checked_sub(1).map(input).into_iter().collect();
        Step::made_up(recipe, StepKind::Verify, (spec, inputs))
    });
    let steps: Vec<Step> = steps.collect();
    Plan { goals: (0..steps.len()).collect(), steps, of: Places::default() }
}

struct Pretend<F>(F);

impl<F: Fn(&Step) -> Worked + Sync> Work for Pretend<F> {
    fn work(&self, step: &Step, _: &[&Realisation], talk: Talk<'_>) -> Worked {
        (talk.bytes)(3, Some(7));
        (self.0)(step)
    }

    fn needs(&self, _: &Step) -> Needs {
        Needs::default()
    }
}

fn passed() -> Worked {
    Ok(Realisation {
        output: Output::Passed,
        module: None,
        log: None,
        level: Level::Full,
        epoch: None,
        took: Duration::ZERO,
        facts: "{}".into(),
    })
}

const OPTIONS: Options =
    Options { lanes: Lanes { jobs: 2, downloads: 1, memory: u64::MAX, fail_fast: false } };

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

#[test]
fn a_panic_ends_the_run_and_is_not_waited_for() {
    let (_dir, store) = store();
    let work = Pretend(|_: &Step| panic!("a bug"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run(&chain(&["a"]), &store, &work, (&OPTIONS, &AtomicBool::new(false)), &mut |_| {})
    }));
    assert!(caught.is_err());
}

#[test]
fn two_steps_with_one_key_are_made_once_and_then_both_known() {
    let (_dir, store) = store();
    let plan = Plan { goals: vec![0, 1], ..chain(&["a", "b"]) };
    let mut twins = plan.clone();
    // As two recipes of one folder have it: the same key, no input.
    twins.steps[1] = plan.steps[0].clone();
    let made = std::sync::atomic::AtomicUsize::new(0);
    let work = Pretend(|_: &Step| {
        made.fetch_add(1, Ordering::SeqCst);
        passed()
    });
    let stop = AtomicBool::new(false);
    let ran = run(&twins, &store, &work, (&OPTIONS, &stop), &mut |_| {}).unwrap();
    assert!(ran.realised.iter().all(Option::is_some));
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert_eq!(look_up(&twins, &store).unwrap().missing, Vec::<usize>::new());
}

/// An install, and builds with a source each that need it.
fn builds(names: &[&str]) -> Plan {
    let step = |name: &str, kind, inputs: &[usize]| {
        let mut spec = KeyWriter::new();
        spec.part("name", name);
        let input = |&step| crate::plan::Input::new(step, Role::Wheel);
        Step::made_up(RecipeId(0), kind, (spec, inputs.iter().map(input).collect()))
    };
    let mut steps = vec![step("install", StepKind::Install, &[])];
    for name in names {
        let source = steps.len();
        steps.push(step(&format!("source of {name}"), StepKind::Source, &[]));
        steps.push(step(name, StepKind::Build, &[source, 0]));
    }
    let goals = (0..steps.len()).filter(|&i| steps[i].kind == StepKind::Build).collect();
    Plan { goals, steps, of: Places::default() }
}

/// Has a build of so much memory, and says of each that it needs so much.
struct Takes(u64, u64);

impl Work for Takes {
    fn work(&self, step: &Step, _: &[&Realisation], _: Talk<'_>) -> Worked {
        let took = if step.kind == StepKind::Build { self.0 } else { u64::MAX };
        passed().map(|made| Realisation { facts: format!("{{\"peak_memory\": {took}}}"), ..made })
    }

    fn needs(&self, _: &Step) -> Needs {
        Needs { memory: self.1, ..Needs::default() }
    }
}

#[test]
fn a_build_counts_with_the_memory_it_had_the_last_time() {
    let much = 80 << 20;
    for (had, declared, counts) in [(much, 0, much), (1 << 20, 0, 0), (much, 5, 5)] {
        let (_dir, store) = store();
        let (before, next, stop) = (builds(&["a"]), builds(&["b"]), AtomicBool::new(false));
        let work = Takes(had, declared);
        let memory = || {
            let (tasks, _) = tasks((&next, &store, &work), &[0, 1, 2]).unwrap();
            tasks.iter().map(|task| task.memory).collect::<Vec<_>>()
        };
        assert_eq!(memory(), [declared; 3], "nobody knows yet");
        run(&before, &store, &work, (&OPTIONS, &stop), &mut |_| {}).unwrap();
        assert_eq!(memory(), [declared, declared, counts], "{had} {declared}");
    }
}

/// Tells of which builds it was told beforehand.
struct Listens<F>(Mutex<mpsc::Sender<StepKey>>, F);

impl<F: Fn(&Step, Talk<'_>) -> Worked + Sync> Work for Listens<F> {
    fn work(&self, step: &Step, _: &[&Realisation], talk: Talk<'_>) -> Worked {
        (self.1)(step, talk)
    }

    fn soon(&self, step: &Step, installs: &[&Realisation]) -> bool {
        assert_eq!(installs.len(), 1);
        self.0.lock().unwrap().send(step.key).unwrap();
        true
    }

    fn needs(&self, _: &Step) -> Needs {
        Needs::default()
    }
}

const ONE: Options = Options { lanes: Lanes { jobs: 1, ..OPTIONS.lanes } };

#[test]
fn a_build_that_begins_lets_the_next_ones_be_prepared() {
    let (_dir, store) = store();
    let (plan, stop) = (builds(&["a", "b", "c", "d", "e"]), AtomicBool::new(false));
    let (sender, told) = mpsc::channel();
    let (told, began, first) = (Mutex::new(told), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = Listens(Mutex::new(sender), |step: &Step, _: Talk<'_>| {
        if step.kind == StepKind::Build {
            let mut began = began.lock().unwrap();
            began.push(step.key);
            // The first two let all others be prepared, none left out.
            if began.len() <= 2 {
                let told = told.lock().unwrap();
                let next = || told.recv_timeout(Duration::from_secs(60)).expect("two are prepared");
                first.lock().unwrap().extend([next(), next()]);
                assert!(told.try_recv().is_err(), "a run that builds one may build no more");
            }
        }
        passed()
    });
    run(&plan, &store, &work, (&ONE, &stop), &mut |_| {}).unwrap();
    let (began, first) = (began.into_inner().unwrap(), first.into_inner().unwrap());
    assert_eq!((began.len(), &first[..]), (5, &began[1..]), "those that begin next");
}

#[test]
fn nothing_is_prepared_when_nothing_is_built() {
    let (_dir, store) = store();
    let (plan, stop) = (builds(&["a", "b", "c"]), AtomicBool::new(false));
    let (sender, told) = mpsc::channel();
    let sources = Listens(Mutex::new(sender), |step: &Step, _: Talk<'_>| match step.kind {
        StepKind::Source => Err(Box::new(Failure::from(Error::input("no such source")))),
        _ => passed(),
    });
    run(&plan, &store, &sources, (&OPTIONS, &stop), &mut |_| {}).unwrap();
    drop(sources);
    assert!(told.recv().is_err());
}

#[test]
fn a_build_is_told_whether_others_like_it_are_to_come() {
    let (_dir, store) = store();
    let (plan, stop) = (builds(&["a", "b", "c"]), AtomicBool::new(false));
    let (sender, _told) = mpsc::channel();
    let more = Mutex::new(Vec::new());
    let work = Listens(Mutex::new(sender), |step: &Step, talk: Talk<'_>| {
        more.lock().unwrap().push((step.kind, talk.more));
        passed()
    });
    run(&plan, &store, &work, (&ONE, &stop), &mut |_| {}).unwrap();
    let more = more.into_inner().unwrap();
    let of_builds = more.iter().filter(|(kind, _)| *kind == StepKind::Build).map(|(_, more)| *more);
    assert_eq!(of_builds.collect::<Vec<_>>(), [true, true, false]);
    assert!(more.iter().all(|(kind, more)| *kind == StepKind::Build || !more));
}

#[test]
fn bytes_are_told_with_their_step() {
    let (_dir, store) = store();
    let mut told = Vec::new();
    let stop = AtomicBool::new(false);
    let watch = &mut |event: &Event| {
        if let Event::Bytes { step, done, total } = event {
            told.push((*step, *done, *total));
        }
    };
    run(&chain(&["a", "b"]), &store, &Pretend(|_: &Step| passed()), (&OPTIONS, &stop), watch).unwrap();
    assert_eq!(told, [(0, 3, Some(7)), (1, 3, Some(7))]);
}

#[test]
fn a_stopped_run_starts_nothing_more_and_keeps_what_is_done() {
    let (_dir, store) = store();
    let (plan, stop) = (chain(&["a", "b"]), AtomicBool::new(false));
    let work = Pretend(|_: &Step| {
        stop.store(true, Ordering::SeqCst);
        passed()
    });
    let report = run(&plan, &store, &work, (&OPTIONS, &stop), &mut |_| {}).unwrap().report;
    assert_eq!(report.kind().map(|kind| (kind, kind.exit_code())), Some((Kind::Stopped, 130)));
    let ended: Vec<&Ended> = report.entries.iter().map(|e| &e.ended).collect();
    assert_eq!(ended, [&Ended::Done, &Ended::NotStarted]);
    assert_eq!(look_up(&plan, &store).unwrap().missing, [1]);
}

#[test]
fn what_a_stop_ends_has_not_failed_and_nothing_failed_because_of_it() {
    let (_dir, store) = store();
    let (plan, stop) = (chain(&["a", "b", "c"]), AtomicBool::new(false));
    let work = Pretend(|step: &Step| {
        if step.key != plan.steps[1].key {
            return passed();
        }
        stop.store(true, Ordering::SeqCst);
        Err(Box::new(Failure::from(Error::input("ended without an answer: stopped"))))
    });
    let report = run(&plan, &store, &work, (&OPTIONS, &stop), &mut |_| {}).unwrap().report;
    let ended: Vec<&Ended> = report.entries.iter().map(|e| &e.ended).collect();
    assert_eq!(ended, [&Ended::Done, &Ended::Stopped, &Ended::NotStarted]);
    assert_eq!(report.kind(), Some(Kind::Stopped));
    assert_eq!(report.failures().count(), 0);
}

#[test]
fn a_stopped_run_waits_for_nobody_else_s_build() {
    let (_dir, store) = store();
    let (plan, stop) = (chain(&["a"]), AtomicBool::new(false));
    let _held = store.lock(&plan.steps[0].key, &mut |_| {}).unwrap();
    let work = Pretend(|_: &Step| panic!("somebody else makes it"));
    let mut told = Vec::new();
    let ended = run(&plan, &store, &work, (&OPTIONS, &stop), &mut |event| {
        if let Event::Note { text, .. } = event {
            told.push(text.clone());
            stop.store(true, Ordering::SeqCst);
        }
    });
    assert_eq!(ended.unwrap().report.kind(), Some(Kind::Stopped));
    assert!(told[0].contains("is making it, waiting"), "{told:?}");
}

#[test]
fn of_two_failures_in_the_way_the_first_of_the_plan_is_named() {
    let (_dir, store) = store();
    let made_up = |name: &str, needs: &[usize]| {
        let mut spec = KeyWriter::new();
        spec.part("name", name);
        let input = |step: &usize| crate::plan::Input::new(*step, Role::Wheel);
        let mut step =
            Step::made_up(RecipeId(0), StepKind::Verify, (spec, needs.iter().map(input).collect()));
        step.package = name.into();
        step
    };
    let steps = vec![made_up("a", &[]), made_up("b", &[]), made_up("c", &[0, 1]), made_up("d", &[2])];
    let plan = Plan { goals: vec![3], steps, of: Places::default() };
    let (later, earlier) = mpsc::channel();
    let (later, earlier) = (Mutex::new(later), Mutex::new(earlier));
    let work = Pretend(|step: &Step| {
        // `b` has failed before `a` may.
        match &*step.package {
            "a" => earlier.lock().unwrap().recv().unwrap(),
            _ => later.lock().unwrap().send(()).unwrap(),
        }
        Err(Box::new(Failure::from(Error::new(Kind::Build, "no"))))
    });
    let stop = AtomicBool::new(false);
    let ran = run(&plan, &store, &work, (&OPTIONS, &stop), &mut |_| {}).unwrap();
    let blocked: Vec<_> = ran.report.entries.iter().filter_map(|e| e.blocked_by.clone()).collect();
    assert_eq!(blocked, ["verify of a", "verify of a"]);
}

#[test]
fn what_each_step_was_expected_to_take_adds_up_to_the_plan() {
    let (_dir, store) = store();
    let plan = chain(&["a", "b", "c"]);
    // The second fails, so the third is skipped; none of them was timed.
    let failing = plan.steps[1].key;
    let work = Pretend(|step: &Step| match step.key == failing {
        true => Err(Box::new(Failure::from(Error::new(Kind::Build, "no")))),
        false => passed(),
    });
    let (mut planned, mut ended) = (Duration::ZERO, Duration::ZERO);
    let stop = AtomicBool::new(false);
    run(&plan, &store, &work, (&OPTIONS, &stop), &mut |event| match event {
        Event::Planned { expected, .. } => planned = *expected,
        Event::Finished { expected, .. } => ended += *expected,
        Event::Started { .. } | Event::Note { .. } | Event::Bytes { .. } => {}
    })
    .unwrap();
    assert!(planned > Duration::ZERO);
    assert_eq!(ended, planned);
}
