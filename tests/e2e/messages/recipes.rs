//! Mistakes in recipes, all found before anything runs.

use expect_test::expect;

use super::refusal;
use crate::project::Project;
use crate::world::World;

const HASH: &str = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=";

fn source(name: &str) -> String {
    format!("[source]\npypi = \"{name}\"\nhash = \"{HASH}\"\n")
}

#[test]
fn unknown_keys_wrong_types_and_bad_words_are_reported_at_once() {
    let world = World::new(&[]);
    world.recipe(
        "a",
        &format!("pname = \"a\"\nverson = \"1\"\nversion = \"1\"\nbuild-system = \"toy\"\n{}", source("a")),
    );
    world.recipe("b", &format!("pname = \"b\"\nversion = \"one\"\nbuild-system = []\n{}", source("b")));
    world.recipe(
        "d",
        &format!("pname = \"d\"\nversion = \"1\"\nbuild-system = [\"toy>=x\", \"hub=1\"]\n{}", source("d")),
    );
    world.recipe(
        "c",
        "pname = \"c\"\nversion = \"1\"\nbuild-system = [\"toy\"]\n[source]\npypi = \"c\"\nhash = \"sha256-short\"\n",
    );
    expect![[r#"
        error[W101] recipes/a.toml:2:1: unknown key `verson`
         2 | verson = "1"
           | ^^^^^^ did you mean `version`?
          hint: write `version`
        error[W102] recipes/a.toml:4:16: `build-system` is a string, but must be a list of strings
         4 | build-system = "toy"
           |                ^^^^^ expected a list of strings
          hint: write `build-system = ["toy"]`
        error[W202] recipes/b.toml:2:12: `one` is not a PEP 440 version
         2 | version = "one"
           |            ^^^
          hint: versions look like `1.2.3`, `1.2rc1`, `1.2.post1`, `1.2.dev0` or `1.2+local`
        error[W206] recipes/c.toml:6:8: `sha256-short` is not a sha256 hash
         6 | hash = "sha256-short"
           |        ^^^^^^^^^^^^^^ expected `sha256-` and 44 base64 characters, or 64 hex digits
          hint: write `hash = ""` and build: the right hash is printed
        error[W204] recipes/d.toml:3:21: `x` is not a PEP 440 version
         3 | build-system = ["toy>=x", "hub=1"]
           |                     ^^^
        error[W204] recipes/d.toml:3:31: `=` is not a comparison: equality is `==`
         3 | build-system = ["toy>=x", "hub=1"]
           |                               ^^
          hint: write `hub==1`
        6 errors in the recipes
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "a"]));
    assert_eq!(world.index.requests(), Vec::<String>::new());
}

#[test]
fn a_text_that_is_no_toml_names_its_line() {
    let world = World::new(&[]);
    world.recipe("a", "pname = \"a\nversion = 1.\n");
    expect![[r#"
        error[W001] recipes/a.toml:1:11: invalid basic string, expected `"`
         1 | pname = "a
           |           ^
          hint: close the string with `"`
        error[W001] recipes/a.toml:2:13: invalid fraction, expected digits
         2 | version = 1.
           |             ^
        2 errors in the recipes
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "a"]));
}

#[test]
fn a_name_without_a_recipe_suggests_one_that_exists() {
    let world = World::new(&[Project::new("spoke", "1.0"), Project::new("rim", "1.0").needs("spokes>=1")]);
    expect![[r#"
        error[W401] recipes/rim-1.0.toml:4:17: no recipe of the set is named `spokes`
         4 | dependencies = ["spokes>=1"]
           |                 ^^^^^^^^^^^ for rim 1.0
          hint: did you mean `spoke`?
          hint: wheelwright add 'spokes>=1'
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "rim"]));
    expect![[r#"
        error[W401]: no recipe of the set is named `spok`
          hint: did you mean `spoke`?
          hint: wheelwright add spok
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "spok"]));
    expect![[r#"
        error[W402]: no version of `spoke` in the set satisfies `==2.0`
          note: the set has spoke 1.0
          hint: did you mean `spoke==1.0`?
          hint: wheelwright add spoke==2.0
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "spoke==2.0"]));
}

#[test]
fn two_versions_in_one_closure_show_both_chains() {
    let world = World::new(&[
        Project::new("hub", "1.0"),
        Project::new("hub", "2.0"),
        Project::new("old", "1.0").needs("hub<2"),
        Project::new("new", "1.0").needs("hub>=2"),
        Project::new("bike", "1.0").needs("old").needs("new"),
    ]);
    expect![[r#"
        error[W403] recipes/new-1.0.toml:4:17: two versions of `hub` in one closure: nothing in the set satisfies `hub>=2` and `hub<2`
         4 | dependencies = ["hub>=2"]
           |                 ^^^^^^^^ for new 1.0
          note: bike 1.0 wants `new` (recipes/bike-1.0.toml:4); new 1.0 wants `hub>=2` (recipes/new-1.0.toml:4)
          note: bike 1.0 wants `old` (recipes/bike-1.0.toml:4); old 1.0 wants `hub<2` (recipes/old-1.0.toml:4)
          note: the set has hub 2.0, 1.0
          hint: add a version of `hub` that satisfies all of them, or widen one requirement (`[relax]` edits the wheel's)
    "#]].assert_eq(&refusal(&world, 2, &["build", "bike"]));
}

#[test]
fn a_requirement_nothing_satisfies_names_what_there_is() {
    let world = World::new(&[Project::new("hub", "1.0"), Project::new("rim", "1.0").needs("hub>=3")]);
    expect![[r#"
        error[W402] recipes/rim-1.0.toml:4:17: no version of `hub` in the set satisfies `>=3`
         4 | dependencies = ["hub>=3"]
           |                 ^^^^^^^^ for rim 1.0
          note: the set has hub 1.0
          hint: wheelwright add 'hub>=3'
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "rim"]));
}

#[test]
fn a_build_cycle_is_shown_as_one() {
    let world = World::new(&[
        Project::new("hen", "1.0").builds_with("egg"),
        Project::new("egg", "1.0").builds_with("hen"),
    ]);
    expect![[r#"
        error[W404] recipes/egg-1.0.toml:3:24: building `egg 1.0` needs `egg 1.0` itself
         3 | build-system = ["toy", "hen"]
           |                        ^^^^^
          note: egg 1.0 is built with `hen` (recipes/egg-1.0.toml:3)
          note: hen 1.0 is built with `egg` (recipes/hen-1.0.toml:3)
          hint: build one of them without that requirement (an in-tree backend), or take it prebuilt: `format = "wheel"`
    "#]].assert_eq(&refusal(&world, 2, &["build", "hen"]));
}

#[test]
fn a_run_time_cycle_is_none() {
    let world =
        World::new(&[Project::new("hen", "1.0").needs("egg"), Project::new("egg", "1.0").needs("hen")]);
    world.ok(&["build", "hen"]);
}

#[test]
fn an_application_is_nobody_s_dependency() {
    let world =
        World::new(&[Project::new("web", "1.0").application(), Project::new("rim", "1.0").needs("web")]);
    expect![[r#"
        error[W405] recipes/rim-1.0.toml:4:17: `web` is an application; others cannot depend on it
         4 | dependencies = ["web"]
           |                 ^^^^^ for rim 1.0
          note: web 1.0 says so at recipes/web-1.0.toml:1
          hint: if others may import it, say `kind = "package"` there; its executables stay
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "rim"]));
    expect![[r#"
        error[W509] recipes/web-1.0.toml:1:9: `web` is an application, so it cannot be imported in an environment
         1 | pname = "web"
           |         ^^^^^
          hint: `wheelwright build web` makes its executables: they are in `result/bin`
          hint: to import it, write kind = "package" in its recipe; its executables stay
    "#]]
    .assert_eq(&refusal(&world, 2, &["run", "web", "--", "python", "-c", "import web"]));
    world.fails(2, &["env", "rim", "web", "--out", "venv"]).says(&["W509", "`web` is an application"]);
    assert_eq!(world.index.downloads(), 0, "it is known before anything is built");
}

#[test]
fn a_recipe_for_other_interpreters_is_disabled_with_the_reason() {
    let mut recipe = Project::new("hub", "1.0").recipe();
    recipe.insert_str(0, "requires-python = \">=4\"\n");
    let world = World::new(&[Project::new("rim", "1.0").needs("hub")]);
    world.recipe("hub", &recipe);
    let output = world.fails(2, &["build", "rim"]);
    output.says(&["hub 1.0", ">=4"]);
}

#[test]
fn an_extra_that_the_recipe_does_not_have() {
    let world =
        World::new(&[Project::new("hub", "1.0").recipe_says("[optional-dependencies]\nlight = []\n")]);
    expect![[r#"
        error[W408]: `hub 1.0` has no extra `heavy`
          hint: its extras are light
    "#]]
    .assert_eq(&refusal(&world, 2, &["build", "hub[heavy]"]));
    world.build(&["hub[light]"]);
}
