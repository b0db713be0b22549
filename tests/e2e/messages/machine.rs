//! Machines that lack something.

use std::process::Command;

use expect_test::expect;

use super::refusal;
use crate::output::Output;
use crate::project::Project;
use crate::world::{World, python};

/// A world whose PATH holds Python and nothing else.
fn bare(projects: &[Project]) -> World {
    let mut world = World::new(projects);
    let bin = world.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(python(), bin.join("python3")).unwrap();
    world.set("PATH", bin.display().to_string());
    world
}

#[test]
fn a_declared_compiler_that_is_not_there() {
    let wanted = "[external]\nbuild-requires = [\"virtual:compiler/c\"]\n";
    let world = bare(&[Project::new("hub", "1.0").recipe_says(wanted)]);
    expect![[r#"
        error[W501] recipes/hub-1.0.toml:8:19: `virtual:compiler/c` is missing on this host
         8 | build-requires = ["virtual:compiler/c"]
           |                   ^^^^^^^^^^^^^^^^^^^^ hub needs it to build
          hint: install it: Debian and Ubuntu `apt-get install gcc libc6-dev`, Fedora `dnf install gcc`
    "#]]
    .assert_eq(&refusal(&world, 3, &["build", "hub"]));
    assert_eq!(world.index.downloads(), 0);
}

#[test]
fn an_external_thing_nobody_has_heard_of() {
    let wanted = "[external]\nhost-requires = [\"pkg:generic/unobtainium\"]\n";
    let world = World::new(&[Project::new("hub", "1.0").recipe_says(wanted)]);
    expect![[r#"
        error[W501] recipes/hub-1.0.toml:8:18: `pkg:generic/unobtainium` was not found on this host
         8 | host-requires = ["pkg:generic/unobtainium"]
           |                  ^^^^^^^^^^^^^^^^^^^^^^^^^ needed by hub
          hint: install the package that has its program, header or pkg-config file
    "#]]
    .assert_eq(&refusal(&world, 3, &["build", "hub"]));
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
