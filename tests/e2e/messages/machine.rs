//! Machines that lack something.

use std::process::Command;

use expect_test::expect;

use super::refusal;
use crate::output::Output;
use crate::project::Project;
use crate::world::World;

#[test]
fn a_declared_compiler_that_is_not_there() {
    // What is told of one that is known is a matter of `host`'s own tests:
    // here the machine may have it.
    let wanted = "[external]\nbuild-requires = [\"dep:virtual/compiler/unobtainium\"]\n";
    let world = World::new(&[Project::new("hub", "1.0").recipe_says(wanted)]);
    expect![[r#"
        error[W501] recipes/hub-1.0.toml:8:19: `virtual:compiler/unobtainium` is missing on this host
         8 | build-requires = ["dep:virtual/compiler/unobtainium"]
           |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ hub needs it to build
          hint: install the package that has its program, header or pkg-config file
    "#]]
    .assert_eq(&refusal(&world, 3, &["build", "hub"]));
    assert_eq!(world.index.downloads(), 0);
}

#[test]
fn an_external_thing_nobody_has_heard_of_is_no_error() {
    let wanted = "[external]\nhost-requires = [\"pkg:generic/unobtainium\"]\n";
    let world = World::new(&[Project::new("hub", "1.0").recipe_says(wanted)]);
    let output = world.ok(&["build", "hub"]);
    output.says(&["warning[W501]", "`pkg:generic/unobtainium` was not found on this host"]);
}

#[test]
fn an_interpreter_that_is_not_there() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    expect![[r#"
        error: failed to find CPython 3.99
          cause: `[PYTHON]`: is [X.Y.Z]
          hint: install one, or name one with `--python PATH`
    "#]]
    .assert_eq(&refusal(&world, 3, &["build", "hub", "--python", "3.99"]));
}

#[test]
fn isolation_that_the_host_refuses() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    // A user namespace in which no further namespace may be made.
    let script =
        "for kind in user mnt pid net; do echo 0 > /proc/sys/user/max_${kind}_namespaces; done; exec \"$@\"";
    let plain = world.command(&["build", "hub", "--quiet"]);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "/bin/sh", "-c", script, "sh"]).arg(plain.get_program());
    command.args(plain.get_args()).current_dir(world.work("")).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let done = command.output().unwrap();
    let output = Output::new(&["build", "hub"], &done, &world.redactions());
    assert_eq!(output.code, Some(3), "{output}");
    // What would help depends on the host, what is wrong does not.
    output.says(&["cannot isolate a build (wanted: `full`)", "the host refuses new namespaces", "hint: "]);
    output.says(&["hint: `wheelwright doctor` says", "`--isolation landlock`"]);
}

#[test]
fn a_store_from_which_nothing_can_run() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    std::fs::create_dir_all(world.path("store")).unwrap();
    let script = "mount -t tmpfs -o noexec tmpfs \"$0\" && exec \"$@\"";
    let run = |args: &[&str]| {
        let plain = world.command(args);
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "/bin/sh", "-c", script]);
        command.arg(world.path("store")).arg(plain.get_program()).args(plain.get_args());
        command.current_dir(world.work("")).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Output::new(args, &command.output().unwrap(), &world.redactions())
    };
    let output = run(&["build", "hub", "--quiet", "--isolation", "env"]);
    assert_eq!(output.code, Some(3), "{output}");
    output.says(&["failed to run anything from", "its file system is mounted `noexec`", "WHEELWRIGHT_STORE"]);
    let facts = run(&["doctor"]);
    assert!(facts.stdout.contains("and it is mounted `noexec`: no build can run from it"), "{facts}");
}
