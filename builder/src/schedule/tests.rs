use std::sync::Mutex;

use super::*;

fn task(needs: &[usize], ms: u64) -> Task {
    Task {
        needs: needs.to_vec(),
        expected: Duration::from_millis(ms),
        lane: Lane::Cpu,
        exclusive: false,
        memory: 0,
    }
}

fn lanes(jobs: usize) -> Lanes {
    Lanes { jobs, downloads: 4, memory: 100, fail_fast: false }
}

fn order(tasks: &[Task], jobs: usize, fails: &[usize]) -> (Vec<usize>, Vec<Fate<usize>>) {
    let seen = Mutex::new(Vec::new());
    let fates = run(
        tasks,
        &lanes(jobs),
        &AtomicBool::new(false),
        &|i| {
            seen.lock().unwrap().push(i);
            (i, !fails.contains(&i))
        },
        &mut |_, _| {},
    );
    (seen.into_inner().unwrap(), fates)
}

#[test]
fn the_longest_chain_goes_first() {
    let tasks = [task(&[], 1), task(&[], 1), task(&[1], 50), task(&[0], 1)];
    assert_eq!(order(&tasks, 1, &[]).0, [1, 2, 0, 3]);
}

#[test]
fn a_first_run_begins_with_the_long_native_builds() {
    let built = |native, bytes| Task { expected: first_guess(native, bytes), ..task(&[], 0) };
    let [kilo, mega] = [1 << 10, 1 << 20];
    let tasks = [
        built(false, Some(30 * kilo)),
        built(true, Some(7 * kilo)),
        built(false, Some(5 * mega)),
        built(true, Some(20 * mega)),
        // Nobody knows how large it is: native is longer than any usual pure one.
        built(true, None),
        built(false, None),
    ];
    assert_eq!(order(&tasks, 1, &[]).0, [3, 4, 1, 2, 5, 0]);
}

#[test]
fn a_failure_skips_only_what_needs_it() {
    let tasks = [task(&[], 1), task(&[0], 1), task(&[1], 1), task(&[], 1)];
    let (seen, fates) = order(&tasks, 1, &[0]);
    assert_eq!(seen.len(), 2);
    assert_eq!(fates, [Fate::Failed(0), Fate::Skipped(0), Fate::Skipped(0), Fate::Done(3)]);
}

#[test]
fn an_exclusive_task_runs_alone() {
    let mut tasks: Vec<Task> = (0..8).map(|_| task(&[], 5)).collect();
    tasks[3].exclusive = true;
    let running = Mutex::new((0usize, Vec::new()));
    run(
        &tasks,
        &lanes(4),
        &AtomicBool::new(false),
        &|i| {
            let beside = {
                let mut r = running.lock().unwrap();
                r.0 += 1;
                r.0
            };
            if i == 3 {
                running.lock().unwrap().1.push(beside);
            }
            running.lock().unwrap().0 -= 1;
            ((), true)
        },
        &mut |_, _| {},
    );
    assert_eq!(running.into_inner().unwrap().1, [1]);
}

#[test]
fn a_task_larger_than_memory_still_runs() {
    let mut tasks = vec![task(&[], 1), task(&[], 1)];
    tasks[0].memory = 1000;
    assert_eq!(order(&tasks, 2, &[]).0.len(), 2);
}

#[test]
fn fail_fast_starts_nothing_more() {
    let tasks = [task(&[], 9), task(&[], 1)];
    let seen = Mutex::new(Vec::new());
    let fast = Lanes { fail_fast: true, ..lanes(1) };
    let fates = run(
        &tasks,
        &fast,
        &AtomicBool::new(false),
        &|i| {
            seen.lock().unwrap().push(i);
            (i, false)
        },
        &mut |_, _| {},
    );
    assert_eq!(fates, [Fate::Failed(0), Fate::NotStarted]);
    assert_eq!(seen.into_inner().unwrap(), [0]);
}

#[test]
fn downloads_do_not_take_a_processor() {
    let mut tasks = vec![task(&[], 1), task(&[], 1)];
    tasks[0].lane = Lane::Network;
    let barrier = std::sync::Barrier::new(2);
    // With one job both still run at once: each waits for the other.
    run(
        &tasks,
        &lanes(1),
        &AtomicBool::new(false),
        &|_| {
            barrier.wait();
            ((), true)
        },
        &mut |_, _| {},
    );
}

#[test]
fn an_estimate_is_the_longer_of_the_chain_and_the_shares() {
    let ms = Duration::from_millis;
    let chain = [task(&[], 10), task(&[0], 10), task(&[1], 10)];
    assert_eq!(estimate(&chain, &lanes(8)), ms(30), "nothing runs beside it");
    let beside = [task(&[], 10), task(&[], 10), task(&[], 10), task(&[], 10)];
    assert_eq!(estimate(&beside, &lanes(2)), ms(20));
    let mut fetches = beside;
    fetches.iter_mut().for_each(|t| t.lane = Lane::Network);
    assert_eq!(estimate(&fetches, &lanes(1)), ms(10), "downloads are beside the processors");
    assert_eq!(estimate(&[], &lanes(1)), Duration::ZERO);
}
