//! Backends that fail, and builds that lack something.

use expect_test::expect;

use super::refusal;
use crate::project::Project;
use crate::world::World;

#[test]
fn an_sdist_without_a_backend() {
    let world = World::new(&[Project::new("hub", "1.0").without("pyproject.toml")]);
    expect![[r#"
        error: build of hub 1.0 failed: the source has no build backend: no pyproject.toml, setup.py or setup.cfg
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub` prints all of it):
          hint: say where the project is with `source.subdirectory`, or use `format = "other"` with `[phases]`
    "#]].assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_backend_that_the_recipe_does_not_require() {
    let world = World::new(&[Project::new("hub", "1.0").build_system(&[])]);
    expect![[r#"
        error: build of hub 1.0 failed: the backend `toy` cannot be imported
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub` prints all of it):
          hint: add "toy" to `build-system`
    "#]]
    .assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_requirement_that_only_the_hook_asks_for() {
    let world = World::new(&[
        Project::new("hub", "1.0").asks_for("spoke>=1; python_version >= '3'").asks_for("rim; extra == 'x'"),
        Project::new("spoke", "1.0"),
    ]);
    expect![[r#"
        error: build of hub 1.0 failed: the build backend asks for what `build-system` does not give: `spoke>=1`
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub` prints all of it):
          hint: add "spoke>=1" to `build-system`
    "#]].assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_backend_that_raises_shows_the_end_of_its_log() {
    let hook = "for n in range(40): print('line', n)\nraise RuntimeError('the mould is broken')\n";
    let world = World::new(&[Project::new("hub", "1.0").hook(hook)]);
    expect![[r#"
        error: build of hub 1.0 failed: `build_wheel` raised RuntimeError: the mould is broken
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub` prints all of it):
    "#]]
    .assert_eq(&refusal(&world, 1, &["build", "hub"]));
    let output = world.fails(1, &["build", "hub"]);
    output.says(&["the log ends so", "| line 30\n", "| line 39\n"]).does_not_say("line 10\n");
    let log = world.ok(&["log", "hub"]);
    assert!(log.stdout.contains("line 0\n") && log.stdout.contains("the mould is broken"), "{log}");
}

#[test]
fn a_module_that_is_missing_while_building() {
    let world = World::new(&[Project::new("hub", "1.0").hook("import setuptools_scm\n")]);
    expect![[r#"
        error: build of hub 1.0 failed: `build_wheel` raised ModuleNotFoundError: No module named 'setuptools_scm'
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub` prints all of it):
          hint: add "setuptools-scm" to `build-system`
    "#]].assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_wheel_of_another_name_or_version() {
    let world = World::new(&[
        Project::new("hub", "1.0").wheel_says("hubcap", "1.0"),
        Project::new("rim", "1.0").wheel_says("rim", "1.0.dev7"),
    ]);
    expect![[r#"
        error: 2 packages failed alike: hub 1.0, rim 1.0
          finish of hub 1.0: the wheel `hubcap-1.0-py3-none-any.whl` is not what it should be
            [L204] METADATA has the name `hubcap`, the recipe `hub`
            recipe: recipes/hub-1.0.toml:1
            hint: the name the build made usually comes from pyproject.toml, setup.py or the VCS
          finish of rim 1.0: the wheel `rim-1.0.dev7-py3-none-any.whl` is not what it should be
            [L204] METADATA has the version `1.0.dev7`, the recipe `1.0`
            recipe: recipes/rim-1.0.toml:2
    "#]]
    .assert_eq(&refusal(&world, 1, &["build", "hub", "rim"]));
}

#[test]
fn an_undeclared_compiler() {
    let hook = "import subprocess\nsubprocess.check_call(['gcc', '--version'])\n";
    let world = World::new(&[Project::new("hub", "1.0").hook(hook)]);
    expect![[r#"
        error: build of hub 1.0 failed: `build_wheel` raised FileNotFoundError: [Errno 2] No such file or directory: 'gcc'
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub` prints all of it):
          hint: the build looked for `gcc`, and no compiler is declared: add `build-requires = ["virtual:compiler/c"]` to `[external]`
    "#]].assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_missing_header_names_the_package_that_has_it() {
    // What a compiler prints; none is needed to read it.
    let hook =
        "print('src/db.c:3:10: fatal error: libpq-fe.h: No such file or directory')\nraise SystemExit(1)\n";
    let world = World::new(&[Project::new("hub", "1.0").hook(hook)]);
    let output = world.fails(1, &["build", "hub"]);
    // The package's name depends on the host's distribution.
    output.says(&["hint: this host has no header `libpq-fe.h`: install `", "pkg:generic/libpq"]);
}

#[test]
fn a_connection_during_the_build() {
    let hook = "import urllib.request\nurllib.request.urlopen('http://192.0.2.1/data.json')\n";
    let named = "import socket\nsocket.create_connection(('www.example.com', 443))\n";
    let world = World::new(&[Project::new("hub", "1.0").hook(hook), Project::new("rim", "1.0").hook(named)]);
    let output = world.fails(1, &["build", "hub", "rim"]);
    output.says(&["build of hub 1.0", "Network is unreachable", "hint: the build tried to use the network"]);
    output.says(&["build of rim 1.0", "gaierror"]);
}

#[test]
fn an_optional_extension_that_fell_away() {
    let world = World::new(&[Project::new("hub", "1.0").recipe_says("[build]\nexpect = \"native\"\n")]);
    expect![[r#"
        error: finish of hub 1.0 failed: the wheel `hub-1.0-py3-none-any.whl` is not what it should be
          [L202] the recipe expects a compiled extension, but the wheel has none
          recipe: recipes/hub-1.0.toml:1
          hint: a compiler or header was missing and the build left the optional extension out: see its log
    "#]]
    .assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_build_that_takes_too_long() {
    let world = World::new(&[Project::new("hub", "1.0")
        .hook("import time\ntime.sleep(600)\n")
        .recipe_says("[build]\ntimeout = 1\n")]);
    expect![[r#"
        error: build of hub 1.0 failed: the build ended without an answer: out of time
          recipe: recipes/hub-1.0.toml:1
          hint: give it more time with `build.timeout`
    "#]]
    .assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_failed_build_can_be_kept_and_repeated() {
    let world = World::new(&[Project::new("hub", "1.0").hook("raise RuntimeError('the mould is broken')\n")]);
    let output = world.fails(1, &["build", "hub", "--keep-failed"]);
    output.says(&["run.sh"]);
}
