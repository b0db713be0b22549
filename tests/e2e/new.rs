//! `new`: recipes for projects that are there already.

use std::process::Command;

use crate::project::{Project, sri};
use crate::world::World;

/// A project of the toy backend that says everything in its pyproject.toml.
fn shop() -> Project {
    let text = "[build-system]\nrequires = [\"toy\"]\nbuild-backend = \"toy\"\n\
        [project]\nname = \"shop\"\nversion = \"1.5\"\ndescription = \"Sells\"\nlicense = \"MIT\"\n\
        requires-python = \">=3.8\"\ndependencies = [\"core>=1\"]\n[project.optional-dependencies]\nmore = [\"core\"]\n";
    Project::new("shop", "1.5").needs("core>=1").file("pyproject.toml", text)
}

fn git(world: &World, folder: &str, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(args).current_dir(world.work(folder)).env("HOME", world.path("home"));
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "a").env(format!("GIT_{who}_EMAIL"), "a@example.org");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The project as a repository with one commit and the tag `v1.5`.
fn repository(world: &World, project: &Project) -> String {
    world.unpack("origin", project);
    for args in
        [&["init", "-q", "-b", "trunk"][..], &["add", "-A"], &["commit", "-q", "-m", "one"], &["tag", "v1.5"]]
    {
        git(world, "origin", args);
    }
    format!("file://{}", world.work("origin").display())
}

#[test]
fn a_local_project_builds_from_the_recipe_at_once() {
    let world = World::new(&[Project::new("core", "1.0")]);
    world.unpack("shop", &shop());
    let output = world.ok(&["new", "shop"]);
    assert!(output.stdout.trim_end().ends_with("work/shop/shop.toml"), "{output}");
    assert!(output.stderr.contains("no part of the set: name it under `recipes`"), "{output}");
    expect_test::expect![[r#"
        pname = "shop"
        version = { from = "pyproject" }
        requires-python = ">=3.8"
        build-system = ["toy"]
        dependencies = ["core>=1"]

        [optional-dependencies]
        more = ["core"]

        [source]
        path = "."

        [meta]
        description = "Sells"
        license = "MIT"
    "#]]
    .assert_eq(&world.read("shop/shop.toml"));
    world.ok(&["fmt", "--check", "shop/shop.toml"]);
    world.ok(&["build", "shop/"]);
    assert_eq!(world.python("import shop; print(shop.VERSION)"), "1.5");
    // Nothing that is there is replaced.
    world.write("shop/shop.toml", world.read("shop/shop.toml") + "# mine\n");
    let output = world.fails(2, &["new", "shop"]).to_string();
    assert!(
        output.contains("shop.toml` is a recipe for this folder already") && output.contains("--force"),
        "{output}"
    );
    assert!(world.read("shop/shop.toml").contains("# mine"));
    world.ok(&["new", "shop", "--force"]);
    assert!(!world.read("shop/shop.toml").contains("# mine"));
}

#[test]
fn a_recipe_may_go_into_another_folder() {
    let world = World::new(&[Project::new("core", "1.0")]);
    world.unpack("code/shop", &shop());
    let output = world.ok(&["new", "code/shop", "--into", "recipes", "--dry-run"]);
    assert!(output.stdout.contains("path = \"../code/shop\""), "{output}");
    assert!(!world.work("recipes/shop.toml").exists());
    world.ok(&["new", "code/shop", "--into", "recipes"]);
    world.ok(&["build", "shop"]);
    let output = world.fails(2, &["new", "code/shop", "--into", "recipes"]).to_string();
    assert!(output.contains("recipes/shop.toml` is a recipe for this folder"), "{output}");
}

#[test]
fn what_the_set_lacks_is_named_with_the_line_that_adds_it() {
    let world = World::new(&[]);
    world.unpack("shop", &shop());
    let output = world.ok(&["new", "shop", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&report["project"], &report["version"]), (&"shop".into(), &"1.5".into()), "{output}");
    assert!(output.stderr.contains("hint: wheelwright add 'core>=1'"), "{output}");
    assert!(report["missing"].to_string().contains("core"), "{output}");
    world.index.publish(&Project::new("core", "1.0").says_all());
    world.ok(&["add", "core>=1"]);
    world.ok(&["build", "shop/"]);
}

#[test]
fn a_setup_py_alone_becomes_a_recipe() {
    let world = World::new(&[]);
    let script = "from setuptools import setup\nsetup(name='old', version='0.3', py_modules=['old'])\n";
    world.write("old/setup.py", script);
    world.write("old/old.py", "");
    world.ok(&["new", "old"]);
    let recipe = world.read("old/old.toml");
    assert!(
        recipe.contains("build-system = [\"setuptools\"]") && recipe.contains("version = \"0.3\""),
        "{recipe}"
    );
    world.ok(&["plan", "old/"]);
}

#[test]
fn a_web_application_is_found_and_told_of() {
    let world = World::new(&[Project::new("flask", "3.0")]);
    world.write("site/app.py", "from flask import Flask\n\napp = Flask(__name__)\n");
    let output = world.ok(&["new", "site"]).to_string();
    assert!(output.contains("found the Flask application `app:app` (app.py:3)"), "{output}");
    assert!(output.contains("`[app]`") && output.contains("not supported yet"), "{output}");
    let recipe = world.read("site/site.toml");
    assert!(recipe.contains("kind = \"application\"") && !recipe.contains("[app]"), "{recipe}");
    assert!(recipe.contains("app:app.run") && recipe.contains("dependencies = [\"flask\"]"), "{recipe}");
    world.ok(&["plan", "site/"]);
}

#[test]
fn a_repository_becomes_a_recipe_that_builds() {
    let world = World::new(&[Project::new("core", "1.0")]);
    let address = repository(&world, &shop());
    world.ok(&["new", &address]);
    let recipe = world.read("recipes/shop.toml");
    let commit = git(&world, "origin", &["rev-parse", "HEAD"]);
    assert!(
        recipe.contains(&format!("rev = \"{commit}\"")) && recipe.contains("hash = \"sha256-"),
        "{recipe}"
    );
    assert!(recipe.contains("version = \"1.5\""), "{recipe}");
    world.ok(&["build", "shop"]);
    assert_eq!(world.python("import shop; print(shop.VERSION)"), "1.5");
    let output = world.fails(2, &["new", &address]).to_string();
    assert!(output.contains("recipes/shop.toml` exists") && output.contains("--into"), "{output}");
    world.ok(&["new", &address, "--tag", "v1.5", "--into", "tagged"]);
    assert!(world.read("tagged/shop.toml").contains("tag = \"v1.5\""));
    let output = world.ok(&["new", &address, "--rev", "trunk", "--into", "branch"]).to_string();
    assert!(output.contains("which is what the branch `trunk` is at now"), "{output}");
    assert!(world.read("branch/shop.toml").contains(&commit));
    let output = world.fails(2, &["new", &address, "--rev", "nowhere"]).to_string();
    assert!(output.contains("has no branch `nowhere`"), "{output}");
}

#[test]
fn an_sdist_at_an_address_becomes_a_recipe_that_builds() {
    let world = World::new(&[Project::new("core", "1.0")]);
    let shop = shop();
    world.index.publish(&shop);
    let address = format!("{}/files/{}", world.index.host(), shop.file_name());
    world.ok(&["new", &address]);
    let recipe = world.read("recipes/shop.toml");
    assert!(recipe.contains(&format!("url = \"{address}\"")) && recipe.contains(&shop.hash()), "{recipe}");
    assert!(recipe.contains("dependencies = [\"core>=1\"]"), "{recipe}");
    let before = world.index.downloads();
    world.ok(&["build", "shop"]);
    assert_eq!(world.python("import shop; print(shop.VERSION)"), "1.5");
    assert_eq!(world.index.downloads(), before + 2, "only the backend and `core` are fetched");
}

#[test]
fn a_wheel_at_an_address_is_taken_prebuilt() {
    let world = World::new(&[]);
    let bytes = crate::adding::wheel("closed", "1.0", (&[], "py3-none-any"));
    world.index.serve("closed", "closed-1.0-py3-none-any.whl", bytes.clone());
    world.ok(&["new", &format!("{}/files/closed-1.0-py3-none-any.whl", world.index.host())]);
    let recipe = world.read("recipes/closed.toml");
    assert!(recipe.contains("format = \"wheel\"") && recipe.contains(&sri(&bytes)), "{recipe}");
    world.ok(&["build", "closed"]);
    assert_eq!(world.python("import closed; print(closed.VERSION)"), "1.0");
}

#[test]
fn what_is_no_project_is_an_error_that_says_why() {
    let world = World::new(&[]);
    world.write("empty/README", "");
    let output = world.fails(2, &["new", "empty"]).to_string();
    assert!(
        output.contains("there is no Python project in `empty`") && output.contains("setup.cfg"),
        "{output}"
    );
    world.unpack("many/shop", &shop());
    world.unpack("many/core", &Project::new("core", "1.0"));
    let output = world.fails(2, &["new", "many"]).to_string();
    assert!(output.contains("holds 2 projects: `core`, `shop`"), "{output}");
    assert!(output.contains("wheelwright new many/core"), "{output}");
    let output = world.fails(2, &["new", "nowhere"]).to_string();
    assert!(output.contains("`nowhere` is not there"), "{output}");
    world.fails(2, &["new", "many/shop", "--tag", "v1"]);
    world.write("broken/pyproject.toml", "[project\n");
    let output = world.fails(2, &["new", "broken"]).to_string();
    assert!(output.contains("failed to read the project's pyproject.toml"), "{output}");
    let output = world.fails(3, &["new", "http://127.0.0.1:9/shop-1.0.tar.gz"]).to_string();
    assert!(output.contains("shop-1.0.tar.gz"), "{output}");
    let bytes = crate::project::tar_gz([("x-1.0/README".to_owned(), &b""[..])]);
    world.index.serve("x", "x-1.0.tar.gz", bytes);
    let host = world.index.host().replace("http://", "http://me:hunter2@");
    let said = world.fails(2, &["new", &format!("{host}/files/x-1.0.tar.gz")]).stderr;
    assert!(
        said.contains("there is no Python project in `[INDEX]/files") && !said.contains("hunter2"),
        "{said}"
    );
    let output = world.fails(3, &["new", "file:///nowhere/at/all.git"]).to_string();
    assert!(output.contains("failed to look at `file:///nowhere/at/all.git`"), "{output}");
    assert_eq!(std::fs::read_dir(world.work("recipes")).unwrap().count(), 1, "only the backend's");
}
