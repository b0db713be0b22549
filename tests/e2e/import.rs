//! `import`: Nix files as recipes and environments.

use crate::world::World;

const TOOLZ: &str = include_str!("../../recipes/src/import/nix/tests/toolz.nix");
const DEMO: &str = include_str!("../../recipes/src/import/nix/tests/derivation.nix");
const SHELL: &str = include_str!("../../recipes/src/import/nix/tests/shell.nix");

fn values(text: &str) -> toml::Table {
    toml::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A folder with the three files, and no workspace.
fn tutorial() -> World {
    let world = World::empty();
    std::fs::remove_file(world.work("wheelwright.toml")).unwrap();
    world.write("toolz.nix", TOOLZ);
    world.write("derivation.nix", DEMO);
    world.write("shell.nix", SHELL);
    world
}

#[test]
fn a_shell_becomes_the_recipes_it_names_and_an_environment() {
    let world = tutorial();
    let output = world.ok(&["import", "shell.nix"]);
    assert!(output.stderr.contains("2 recipes, 1 environment, 0 TODOs"), "{output}");
    let example = |path: &str| {
        let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipe-examples");
        values(&std::fs::read_to_string(examples.join(path)).unwrap())
    };
    assert_eq!(values(&world.read("toolz.toml")), example("toolz.toml"));
    assert_eq!(values(&world.read("demo-flask-vuejs-rest.toml")), example("flask-app/demo.toml"));
    expect_test::expect![[r#"
        [set]
        recipes = ["."]

        [env.shell]
        packages = ["pandas", "requests", "toolz", "demo-flask-vuejs-rest"]
    "#]]
    .assert_eq(&world.read("wheelwright.toml"));
    let listed = world.ok(&["list"]).stdout;
    assert!(listed.contains("toolz") && listed.contains("demo-flask-vuejs-rest"), "{listed}");
    // Again, and each file on its own: nothing is new.
    let before = world.read("wheelwright.toml");
    let again = world.ok(&["--json", "import", "shell.nix", "toolz.nix", "derivation.nix"]).stdout;
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    let states: Vec<_> = again["recipes"].as_array().unwrap().iter().map(|r| &r["state"]).collect();
    assert_eq!((states.len(), &again["workspace"]["state"]), (2, &"unchanged".into()), "{again}");
    assert!(states.iter().all(|s| *s == "unchanged"), "{again}");
    assert_eq!(world.read("wheelwright.toml"), before);
}

#[test]
fn what_is_imported_is_built_from_where_it_lies() {
    let world = World::new(&[]);
    let text = "{ buildPythonPackage, toy }: buildPythonPackage { pname = \"mine\"; version = \"1.0\"; \
                pyproject = true; build-system = [ toy ]; src = ./.; meta.platforms = [ ]; }";
    world.unpack("projects/mine", &crate::project::Project::new("mine", "1.0"));
    world.write("projects/mine/default.nix", text);
    let output = world.ok(&["import", "projects/mine"]);
    assert!(output.stderr.contains("todo: projects/mine/default.nix:1: meta.platforms: "), "{output}");
    let recipe = world.read("recipes/mine.toml");
    assert!(
        recipe.starts_with("# TODO(import): meta.platforms: ") && recipe.contains("\"../projects/mine\"")
    );
    world.ok(&["build", "mine"]);
    assert_eq!(world.python("import mine; print(mine.__name__)"), "mine");
}

#[test]
fn substitutions_are_made_by_the_phases() {
    let world = World::new(&[]);
    world.unpack("mine", &crate::project::Project::new("mine", "1.0"));
    world.write("mine/src/mine/__init__.py", "A = 'x.y'\nB = 1\nC = 2\n");
    let text = |phase: &str| {
        format!(
            "{{ buildPythonPackage, toy }}: buildPythonPackage {{ pname = \"mine\"; version = \"1.0\"; \
             pyproject = true; build-system = [ toy ]; src = ./.; postPatch = ''\n{phase}\n''; }}"
        )
    };
    let lines = "  substituteInPlace src/mine/__init__.py \\\n    --replace-fail 'x.y' 'a/b & c' \\\n    \
                 --replace-fail \"B = 1\nC\" \"B = 3\nD\"\n  substituteInPlace src/mine/*.py --replace absent x";
    world.write("mine/default.nix", text(lines));
    world.ok(&["import", "mine"]);
    world.ok(&["build", "mine"]);
    assert_eq!(world.python("import mine; print(mine.A, mine.B, mine.D)"), "a/b & c 3 2");
    for lines in ["--replace-fail absent x", "--replace-fail 'absent\nB' x"] {
        world.write("mine/default.nix", text(&format!("substituteInPlace src/mine/__init__.py {lines}")));
        world.ok(&["import", "--force", "mine"]);
        let output = world.fails(1, &["build", "mine"]).to_string();
        assert!(output.contains("the phase `post-patch` failed"), "{output}");
    }
}

#[test]
fn a_recipe_that_says_something_else_is_kept() {
    let world = tutorial();
    world.write("toolz.toml", "pname = \"toolz\"\nversion = \"0.10.0\"  # ours\n[source]\npath = \".\"\n");
    let before = world.read("toolz.toml");
    let output = world.fails(2, &["import", "toolz.nix", "derivation.nix"]).to_string();
    assert!(output.contains("toolz.toml` exists and says something else"), "{output}");
    assert!(output.contains("--force") && output.contains("--into"), "{output}");
    assert_eq!(world.read("toolz.toml"), before);
    assert!(world.work("demo-flask-vuejs-rest.toml").is_file(), "the other one is written");
    world.ok(&["import", "--dry-run", "--force", "toolz.nix"]);
    assert_eq!(world.read("toolz.toml"), before);
    world.ok(&["import", "--force", "toolz.nix"]);
    assert!(!world.read("toolz.toml").contains("ours"));
    // Another version goes beside it.
    world.write("old.nix", TOOLZ.replace("0.10.0", "0.9.0"));
    world.ok(&["import", "old.nix"]);
    assert!(world.read("toolz-0.9.0.toml").contains("0.9.0") && world.read("toolz.toml").contains("0.10.0"));
    world.write("wheelwright.toml", "[set]\nrecipes = [\".\"]\n[env.shell]\npackages = [\"toolz\"]\n");
    let output = world.fails(2, &["import", "shell.nix"]).to_string();
    assert!(output.contains("there is an environment `shell` with other packages"), "{output}");
}

#[test]
fn what_cannot_be_imported_is_said_with_its_place() {
    let world = tutorial();
    world.write(
        "broken.nix",
        "{ buildPythonPackage }:\nbuildPythonPackage {\n  pname = \"x\"\n  version = \"1\";\n}\n",
    );
    let output = world.fails(2, &["import", "toolz.nix", "broken.nix"]).to_string();
    assert!(output.contains("error[W004] broken.nix:4:"), "{output}");
    assert!(!world.work("toolz.toml").exists(), "nothing is written beside a file that cannot be read");
    // A file that another one names is read, too.
    world.write("all.nix", "{ callPackage }: { x = callPackage ./broken.nix { }; }");
    let output = world.fails(2, &["import", "all.nix"]).to_string();
    assert!(output.contains("broken.nix:4:"), "{output}");
    // One whose folder is only a source is not.
    world.write("broken/default.nix", "{");
    world.write("from.nix", TOOLZ.replace("src = fetchPypi", "src = ./broken; was = fetchPypi"));
    let output = world.ok(&["import", "from.nix"]).to_string();
    assert!(output.contains("from.nix:12: was: this has no counterpart"), "{output}");
    world.write("Pipfile.lock", "{}");
    let output = world.fails(2, &["import", "Pipfile.lock"]).to_string();
    assert!(output.contains("`Pipfile.lock` is of a kind that cannot be imported"), "{output}");
    assert!(output.contains("hint: what can be imported: Nix files"), "{output}");
    world.write("hello.nix", "{ stdenv }: stdenv.mkDerivation { name = \"hello\"; }");
    let output = world.fails(2, &["import", "hello.nix"]).to_string();
    assert!(
        output.contains("nothing to import in `hello.nix`") && output.contains("hello.nix:1: "),
        "{output}"
    );
    world.fails(2, &["import", "nowhere.nix"]);
}

#[test]
fn a_dry_run_shows_the_recipes() {
    let world = tutorial();
    let output = world.ok(&["import", "--dry-run", "--into", "recipes", "shell.nix"]).stdout;
    assert!(output.contains("pypi = \"toolz\"") && output.contains("path = \"..\""), "{output}");
    assert!(output.contains("recipes = [\"recipes\"]") && output.contains("[env.shell]"), "{output}");
    assert!(!world.work("recipes/toolz.toml").exists() && !world.work("wheelwright.toml").exists());
}
