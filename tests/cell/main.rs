//! What a cell costs: one trivial action at a time, at every level of
//! isolation, beside the same program as a bare process; and one trivial
//! build in a warm child, beside the same that is only forked.
//!
//! Knows the executor and the kernel's count of processor time. Must never
//! judge: it prints numbers for `cargo xtask bench`, and fails only when an
//! action does.

mod toy;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use builder::exec::action::{Action, Exit, HostView, Level, Limits, Warmth};
use builder::exec::{Executor as _, LocalOptions, Stop, local};
use serde_json::{Value, json};

/// What every action runs.
const PROGRAM: &str = "/bin/true";
/// The next one follows at once.
const AT_ONCE: Duration = Duration::ZERO;
/// What other builds give the next one: time in which its cell and child are made.
const MEANWHILE: Duration = Duration::from_millis(30);
/// Actions of one row: enough for the kernel's clock, few enough to take turns.
const ACTIONS: u32 = 50;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let value = words.iter().position(|word| word == "--rounds").and_then(|at| words.get(at + 1));
    let rounds: u32 = value.map_or(3, |text| text.parse().expect("`--rounds` is a number"));

    let folder = tempfile::tempdir().expect("there is room for a folder");
    let toy = toy::Toy::new(&folder.path().join("toy"));
    // An ordinary user's build has to reach its folder.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
    let (work, trees) = (folder.path().join("work"), folder.path().join("trees"));
    fs::create_dir(&work).expect("the folder is writable");
    let mut options =
        LocalOptions::new(move |digest| trees.join(digest.hex()), work, folder.path().join("toolbox"));
    options.init_exe = env!("CARGO_BIN_EXE_wheelwright").into();
    let executor = local(&options).expect("the work folder can be used");
    let stop = Stop::new().expect("there is a descriptor left");
    let act = |level| {
        let result = executor.execute(&action(level), &stop).expect("the level can be had here");
        assert_eq!(result.exit, Exit::Code(0), "{}", String::from_utf8_lossy(&result.log));
    };
    let bare = || {
        let mut command = Command::new(PROGRAM);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().expect("the program starts").success());
    };
    let sample = executor.execute(&toy.sample(), &stop).expect("the level can be had here");
    let warm = toy.action(&sample);
    let build = || {
        let result = executor.execute(&warm, &stop).expect("the level can be had here");
        assert_eq!(result.exit, Exit::Code(0), "{}", String::from_utf8_lossy(&result.log));
        assert_eq!(result.warmth, Warmth::Warm);
    };
    let mut hooks = toy.hooks(&folder.path().join("hooks"));
    let mut builds = toy.builds(&warm, &folder.path().join("builds"));
    // What is made once for a run is no price of an action.
    let levels = [Level::Full, Level::Landlock, Level::Env];
    levels.iter().copied().for_each(act);
    build();
    hooks.one();
    builds.one();
    let mut rows: Vec<Value> = Vec::new();
    for round in 0..rounds {
        rows.push(row("bare", (round, AT_ONCE), bare));
        for level in levels {
            rows.push(row(level.word(), (round, AT_ONCE), || act(level)));
        }
        rows.push(row("hooks", (round, AT_ONCE), || hooks.one()));
        rows.push(row("forked", (round, AT_ONCE), || builds.one()));
        rows.push(row("warm", (round, AT_ONCE), build));
        rows.push(row("ready", (round, MEANWHILE), build));
    }
    hooks.end();
    builds.end();
    println!("{}", json!({ "rows": rows }));
}

/// The median of the wall times, and the mean of the processor time: the
/// kernel counts that too coarsely for one action.
fn row(line: &str, (round, pause): (u32, Duration), mut one: impl FnMut()) -> Value {
    let before = processor_time();
    let mut walls: Vec<f64> = Vec::new();
    for _ in 0..ACTIONS {
        std::thread::sleep(pause);
        let start = Instant::now();
        one();
        walls.push(start.elapsed().as_secs_f64());
    }
    let cpu = (processor_time() - before) / f64::from(ACTIONS);
    walls.sort_by(f64::total_cmp);
    let wall = walls[walls.len() / 2];
    json!({ "line": line, "round": round, "actions": ACTIONS, "wall": wall, "cpu": cpu })
}

fn action(level: Level) -> Action {
    Action {
        argv: vec![PROGRAM.to_owned()],
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        inputs: BTreeMap::new(),
        host_paths: Vec::new(),
        view: HostView::Minimal,
        source: None,
        epoch: 1_000_000_000,
        files: BTreeMap::new(),
        cwd: "/build".to_owned(),
        outputs: Vec::new(),
        level,
        limits: Limits::default(),
        label: "a trivial action".to_owned(),
        warm: None,
    }
}

/// Seconds of this process and of all that it started: of those that have
/// ended, and of those that still run, as servers do.
fn processor_time() -> f64 {
    let of = |who| {
        // SAFETY: the structure is plain numbers, and the call fills it.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::getrusage(who, &raw mut usage), 0);
            usage
        };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        seconds(usage.ru_utime) + seconds(usage.ru_stime)
    };
    of(libc::RUSAGE_SELF) + of(libc::RUSAGE_CHILDREN) + running()
}

/// Seconds of the processes below this one, with those of their ended
/// children; the kernel counts them in hundredths.
fn running() -> f64 {
    let mut all: Vec<(u64, u64, u64)> = Vec::new();
    for entry in fs::read_dir("/proc").expect("there is a /proc").flatten() {
        // One that has ended meanwhile has no page.
        let text = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((start, rest)) = text.rsplit_once(')') else { continue };
        let number = |text: &str| text.parse().unwrap_or(0);
        let words: Vec<u64> = rest.split_whitespace().map(number).collect();
        let pid = start.split_whitespace().next().map_or(0, number);
        all.push((pid, words[1], words[11..15].iter().sum()));
    }
    let (mut below, mut ticks) = (vec![u64::from(std::process::id())], 0);
    while let Some(parent) = below.pop() {
        for (pid, _, spent) in all.iter().filter(|(_, of, _)| *of == parent) {
            below.push(*pid);
            ticks += spent;
        }
    }
    ticks as f64 / 100.0
}
