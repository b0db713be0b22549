//! Ctrl-C and kill -9: no process and nothing half-made is left.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, FileType, Mode};
use rustix::process::{Pid, Signal, kill_process};

use crate::output::Output;
use crate::project::Project;
use crate::world::World;

/// A world in which the build of `hang` says its process id through a fifo
/// and then never ends, and that build, begun. Nothing but the environment is
/// kept from it, so that it can say so.
fn hanging(args: &[&str]) -> (World, Child, i32) {
    let world = World::empty();
    let fifo = world.path("fifo");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    let hook = format!(
        "import os, signal\nopen({:?}, 'w').write(str(os.getpid()))\nwhile True: signal.pause()\n",
        fifo.display().to_string()
    );
    world.add(&Project::backend("1.0"));
    // Its imports would be checked while `hang` is built: nothing else is to run then.
    world.add(&Project::new("early", "1.0").recipe_says("[check]\nimports = []\n"));
    world.add(&Project::new("hang", "1.0").needs("early").builds_with("early").hook(&hook));
    let plain = world.command(&[&["build", "hang", "--isolation", "env"], args].concat());
    let child = heeding_ctrl_c(&plain).spawn().unwrap();
    let mut said = String::new();
    std::fs::File::open(&fifo).unwrap().read_to_string(&mut said).unwrap();
    (world, child, said.parse().unwrap())
}

/// The same command with SIGINT as a terminal's programs have it: a shell
/// starts what runs in the background, perhaps this test, with SIGINT
/// ignored, which the program honours.
pub fn heeding_ctrl_c(plain: &Command) -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(plain.get_program()).args(plain.get_args());
    command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(plain.get_current_dir().unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn is_gone(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // Ended, if perhaps nobody has asked for its status yet.
    stat.map_or(true, |s| s.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X'])))
}

pub fn names(world: &World, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(world.path(folder)).unwrap();
    entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn ctrl_c_leaves_no_process_and_nothing_half_made() {
    let (world, child, build) = hanging(&[]);
    kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("stopped: what had been finished is kept"), "{said}");
    assert!(is_gone(build));
    assert_eq!(names(&world, "store/tmp"), Vec::<String>::new());
    assert!(!world.work("result").is_symlink());
    // What was finished is kept: the backend is not built again.
    let plan = world.ok(&["plan", "hang", "--isolation", "env"]);
    assert!(!plan.to_string().contains("build toy"), "{plan}");
    world.ok(&["store", "verify"]);
}

#[test]
fn the_next_run_sweeps_what_a_kill_left() {
    let (world, mut child, build) = hanging(&[]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(&world, "store/tmp").len(), 1, "its work folder is in its temporary one");
    world.ok(&["build", "toy", "--isolation", "env"]);
    assert_eq!(names(&world, "store/tmp"), Vec::<String>::new());
    assert!(names(&world, "store").iter().all(|n| n != "work"));
    assert!(is_gone(build));
    world.ok(&["store", "verify"]);
}

#[test]
fn a_stopped_run_reports_what_is_known_and_gives_out_what_is_finished() {
    let reports = ["--report", "md=run.md", "--report", "junit=run.xml", "--wheel-dir", "wheels", "--json"];
    let (world, child, _) = hanging(&reports);
    kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let output = Output::new(&reports, &output, &world.redactions());
    assert_eq!(output.code, Some(130), "{output}");
    output.says(&["stopped while it ran: build of hang 1.0", " built, ", "1 stopped"]).does_not_say("FAILED");
    assert_eq!(output.with_outcome("stopped"), ["hang 1.0 build"], "{output}");
    assert_eq!(output.with_outcome("failed"), Vec::<String>::new(), "{output}");
    assert!(world.work("wheels/early-1.0-py3-none-any.whl").is_file(), "{output}");
    assert!(world.read("run.md").contains("stopped while it ran: build of hang 1.0"), "{output}");
    assert!(world.read("run.xml").contains("stopped while it ran"), "{output}");
    assert!(!world.work("result").is_symlink());
}
