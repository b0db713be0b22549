//! Builds that succeed and are not what was promised.

use expect_test::expect;

use super::refusal;
use crate::project::Project;
use crate::world::World;

#[test]
fn a_requirement_of_the_wheel_that_the_closure_lacks() {
    let world = World::new(&[
        Project::new("hub", "1.0"),
        Project::new("rim", "1.0").needs("hub").needs_without_saying("hub>=9").needs_without_saying("spoke"),
    ]);
    expect![[r#"
        error: verify of rim 1.0 failed: the wheel requires what the recipe (recipes/rim-1.0.toml:1) does not give
          [L402] `rim` requires `hub>=9`, but its closure has hub 1.0
          [L401] `rim` requires `spoke`, which is not in its closure
          hint: write "hub>=9" in `dependencies`, or add `hub` to `dependencies` or `upper` of `[relax]`
          hint: add "spoke" to `dependencies`, or its name to `remove` of `[relax]`
    "#]].assert_eq(&refusal(&world, 1, &["build", "rim"]));
}

#[test]
fn a_module_that_cannot_be_imported() {
    let world = World::new(&[
        Project::new("hub", "1.0").code("import no_such_module\n"),
        Project::new("rim", "1.0").recipe_says("[check]\nimports = [\"rim\", \"rim.tyre\"]\n"),
    ]);
    expect![[r#"
        error: imports of hub 1.0 failed: the installed package cannot be imported: `hub`: ModuleNotFoundError: No module named 'no_such_module'
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub --step imports` prints all of it):
          hint: add "no-such-module" to `dependencies`
        error: imports of rim 1.0 failed: the installed package cannot be imported: `rim.tyre`: ModuleNotFoundError: No module named 'rim.tyre'
          recipe: recipes/rim-1.0.toml:1
          the log ends so (`wheelwright log rim --step imports` prints all of it):
          hint: `rim.tyre` is not in the wheel: correct `check.imports`, or what the project packages
    "#]].assert_eq(&refusal(&world, 1, &["build", "hub", "rim"]));
}

#[test]
fn a_failing_test() {
    let tests = "import unittest, hub\nclass Turns(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(hub.VERSION, '2.0')\n";
    let world = World::new(&[Project::new("hub", "1.0")
        .file("tests/__init__.py", "")
        .file("tests/test_hub.py", tests)
        .recipe_says("[check]\nrunner = \"unittest\"\n")]);
    expect![[r#"
        error: check of hub 1.0 failed: 1 test failed (0 passed): tests.test_hub.Turns.test_it
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub --step check` prints all of it):
          hint: leave tests out with `check.disabled-tests` or `check.disabled-paths`, or all with `check.enable = false`
    "#]].assert_eq(&refusal(&world, 1, &["build", "hub"]));
    world.fails(1, &["build", "hub"]).says(&["'1.0' != '2.0'"]);
}

#[test]
fn a_test_that_ends_the_process() {
    let tests =
        "import os, unittest\nclass Ends(unittest.TestCase):\n    def test_it(self):\n        os._exit(0)\n";
    let world = World::new(&[Project::new("hub", "1.0")
        .file("tests/__init__.py", "")
        .file("tests/test_hub.py", tests)
        .recipe_says("[check]\nrunner = \"unittest\"\n[phases]\npre-check = \"true\"\n")]);
    expect![[r#"
        error: check of hub 1.0 failed: the check ended without an answer: exit status 0
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub --step check` prints all of it):
          hint: something that was run ended the process before its time (`os._exit`)
    "#]]
    .assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_path_of_the_checks_that_matches_nothing() {
    let world = World::new(&[Project::new("hub", "1.0")
        .recipe_says("[check]\nrunner = \"unittest\"\nenabled-paths = [\"test_hub.py\"]\n")]);
    expect![[r#"
        error: check of hub 1.0 failed: `check.enabled-paths` matches nothing in the source: test_hub.py
          recipe: recipes/hub-1.0.toml:1
          the log ends so (`wheelwright log hub --step check` prints all of it):
    "#]]
    .assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_relaxation_of_what_is_not_required() {
    let world = World::new(&[Project::new("hub", "1.0").recipe_says("[relax]\nremove = [\"spoke\"]\n")]);
    expect![[r#"
        error: finish of hub 1.0 failed: the build's wheel cannot be finished
          [L101] the wheel does not require `spoke`, so there is nothing to relax
          recipe: recipes/hub-1.0.toml:1
          hint: it requires nothing; remove the line
    "#]]
    .assert_eq(&refusal(&world, 1, &["build", "hub"]));
}

#[test]
fn a_wheel_for_another_interpreter() {
    let file = "hub-1.0-cp36-cp36m-linux_x86_64.whl";
    let world = World::new(&[]);
    let hash = crate::project::sri(b"never read");
    let source = format!("[source]\npypi = \"hub\"\nfile = \"{file}\"\nhash = \"{hash}\"\n");
    world.recipe("hub", &format!("pname = \"hub\"\nversion = \"1.0\"\nformat = \"wheel\"\n{source}"));
    world.index.serve("hub", file, b"never read".to_vec());
    let output = world.fails(2, &["build", "hub"]);
    output.says(&["W406", "`hub 1.0` is disabled", file, "does not fit CPython [X.Y.Z] on"]);
    assert_eq!(world.index.downloads(), 0);
}

#[test]
fn a_cargo_or_app_table_is_said_to_be_for_later() {
    let world = World::new(&[
        Project::new("hub", "1.0").recipe_says("[cargo]\n"),
        Project::new("rim", "1.0").application().recipe_says("[app]\nwsgi = \"rim:app\"\n"),
    ]);
    expect![[r#"
        error: 2 packages failed alike: hub 1.0, rim 1.0
          build of hub 1.0: building with `[cargo]` is not supported yet
            written in recipes/hub-1.0.toml:7:2
          build of rim 1.0: building with `[app]` is not supported yet
            written in recipes/rim-1.0.toml:8:2
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "hub", "rim"]));
}

#[test]
fn two_owners_of_one_file() {
    let world = World::new(&[
        Project::new("hub", "1.0").file("src/shared.py", "A = 1\n"),
        Project::new("rim", "1.0").file("src/shared.py", "A = 2\n"),
    ]);
    expect![[r#"
        error: these packages cannot stand in one environment
          cause: `lib/python[X.Y]/site-packages/shared.py` belongs to both `hub 1.0` and `rim 1.0`, with different bytes
          hint: remove the file from one of them in `post-install`
    "#]].assert_eq(&refusal(&world, 1, &["env", "hub", "rim", "--out", "venv"]));
}
