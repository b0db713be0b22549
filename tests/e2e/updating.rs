//! `update`: recipes of newer versions, with all that people wrote kept.

use std::process::Command;

use crate::adding::wheel;
use crate::output::Output;
use crate::project::Project;
use crate::world::World;

/// A workspace of these recipes; the later ones are only on the index.
fn world(recipes: &[Project], others: &[Project]) -> World {
    let world = World::empty();
    world.index.publish(&Project::backend("1.0").says_all());
    world.recipe("toy", &Project::backend("1.0").says_all().recipe());
    for project in recipes {
        let project = project.clone().says_all();
        world.index.publish(&project);
        world.recipe(&project.name, &project.recipe());
    }
    others.iter().for_each(|project| world.index.publish(&project.clone().says_all()));
    world
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Expects these texts among what it prints as its result.
#[track_caller]
fn prints(output: &Output, texts: &[&str]) {
    texts.iter().for_each(|text| assert!(output.stdout.contains(text), "`{text}` is not printed\n{output}"));
}

/// `git` in the workspace; its output.
fn git(world: &World, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "init.defaultBranch=main"])
        .args(args)
        .current_dir(world.work(""))
        .env("HOME", world.path("home"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("the tests need git");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The workspace as a repository with all committed.
fn committed(world: &mut World) {
    let home = world.path("home");
    std::fs::write(home.join(".gitconfig"), "[user]\n\tname = Test\n\temail = test@example.test\n").unwrap();
    world.write(".gitignore", "result*\n");
    git(world, &["init", "--quiet"]);
    git(world, &["add", "."]);
    git(world, &["commit", "--quiet", "-m", "begin"]);
}

#[test]
fn a_recipe_becomes_the_newest_version_and_its_comments_stay() {
    let world = world(
        &[Project::new("core", "1.0")],
        &[Project::new("core", "1.5"), Project::new("core", "2.0"), Project::new("core", "3.0rc1")],
    );
    let before = world.read("recipes/core.toml");
    let edited = before
        .replace("version = \"1.0\"", "version = '1.0'   # ours\n# for the shop")
        .replace("[source]", "\n[source] # from the index")
        + "# the end\n[check]\nimports = [\"core\"] # c\n";
    world.recipe("core", &edited);
    let dry = world.ok(&["update", "--all", "--dry-run"]);
    assert_eq!(dry.stdout, "core 1.0 -> 2.0\n", "{dry}");
    dry.says(&["1 of 2 recipes would be updated"]);
    assert_eq!(world.read("recipes/core.toml"), edited, "nothing is written");
    world.ok(&["update", "core"]).says(&["1 of 1 recipe updated"]);
    let hashes =
        (Project::new("core", "1.0").says_all().hash(), Project::new("core", "2.0").says_all().hash());
    let expected = edited.replace("'1.0'", "\"2.0\"").replace(&hashes.0, &hashes.1);
    assert_eq!(world.read("recipes/core.toml"), expected);
    world.build(&["core"]);
    assert_eq!(world.python("import core; print(core.VERSION)"), "2.0");
    world.ok(&["update", "--all"]).says(&["0 of 2 recipes updated"]);
}

#[test]
fn levels_ages_and_dates_limit_what_is_taken() {
    let versions = ["1.2.4", "1.3", "2.0"].map(|version| Project::new("core", version));
    let world = world(&[Project::new("core", "1.2.3")], &versions);
    let new = |args: &[&str]| world.ok(&[&["update", "core", "--dry-run"], args].concat()).stdout;
    assert_eq!(new(&["--patch"]), "core 1.2.3 -> 1.2.4\n");
    assert_eq!(new(&["--minor"]), "core 1.2.3 -> 1.3\n");
    for (version, day) in [("1.2.3", "2024-01-01"), ("1.2.4", "2024-06-01"), ("1.3", "2024-07-01")] {
        world.index.says(&format!("core-{version}.tar.gz"), "upload-time", format!("{day}T10:00:00Z"));
    }
    world.index.says("core-2.0.tar.gz", "upload-time", "2999-01-01T10:00:00Z");
    assert_eq!(new(&["--refresh", "--exclude-newer", "2024-06-30"]), "core 1.2.3 -> 1.2.4 (2024-06-01)\n");
    assert_eq!(new(&["--cooldown", "7d"]), "core 1.2.3 -> 1.3 (2024-07-01)\n");
    world.fails(2, &["update", "core", "--cooldown", "soon"]).says(&["`soon` is no age"]);
    world.fails(2, &["update"]).says(&["nothing is named to update"]);
    world.fails(2, &["update", "cor"]).says(&["did you mean `core`?"]);
}

#[test]
fn what_others_need_holds_a_version_back_and_is_named() {
    let world = world(
        &[Project::new("app", "1.0").needs("core<2"), Project::new("core", "1.0")],
        &[Project::new("core", "1.5"), Project::new("core", "2.0")],
    );
    let output = world.ok(&["update", "--all"]);
    assert!(output.stdout.contains("core 2.0 is held at 1.5: app 1.0 needs core<2\n"), "{output}");
    assert!(world.read("recipes/core.toml").contains("version = \"1.5\""));
    let before = world.read("recipes/core.toml");
    let output = world.fails(2, &["update", "core==2.0"]);
    output.says(&["error: core==2.0 cannot be taken", "cause: app 1.0 needs core<2"]);
    assert_eq!(world.read("recipes/core.toml"), before, "nothing is written");
    world.fails(2, &["update", "core==7"]).says(&["there is no core 7", "the newest is 2.0"]);
    world.ok(&["update", "core==1.0"]);
    assert!(world.read("recipes/core.toml").contains("version = \"1.0\""));
}

#[test]
fn what_only_goes_together_goes_together() {
    let world = world(
        &[
            Project::new("app", "1.0").needs("core<2"),
            Project::new("core", "1.0"),
            Project::new("far", "1.0"),
        ],
        &[
            Project::new("app", "2.0").needs("core>=2,<3"),
            Project::new("core", "2.0"),
            Project::new("core", "3.0"),
            Project::new("far", "2.0"),
        ],
    );
    let report = json(&world.ok(&["update", "app", "--json"]).stdout);
    let bumps: Vec<(&str, &str, bool)> = report["bumps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| (b["project"].as_str().unwrap(), b["new"].as_str().unwrap(), b["along"].as_bool().unwrap()))
        .collect();
    assert_eq!(bumps, [("core", "2.0", true), ("app", "2.0", false)]);
    assert_eq!(report["bumps"][1]["changes"][0]["field"], "dependencies");
    assert_eq!(report["bumps"][0]["users"], serde_json::json!(["app"]));
    assert!(world.read("recipes/app.toml").contains("dependencies = [\"core>=2,<3\"]"));
    assert!(world.read("recipes/far.toml").contains("version = \"1.0\""));
    let asked = world.index.requests();
    assert!(!asked.iter().any(|path| path.contains("far")), "{asked:?}");
    world.build(&["app"]);
}

#[test]
fn what_a_new_version_needs_becomes_a_recipe() {
    let world = world(
        &[Project::new("app", "1.0")],
        &[
            Project::new("app", "2.0").needs("helper>=1").requires_to_build(&["toy", "tool"]),
            Project::new("helper", "1.1"),
            Project::new("tool", "3.0"),
        ],
    );
    let output = world.ok(&["update", "--all", "--check", "--isolation", "env"]);
    prints(&output, &["new recipe: helper 1.1\n", "new recipe: tool 3.0 (for builds)\n"]);
    output.says(&["2 new, 1 checked"]);
    let app = world.read("recipes/app.toml");
    assert!(app.contains("[\"toy\", \"tool\"]") && app.contains("[\"helper>=1\"]"), "{app}");
    assert!(world.read("recipes/helper.toml").contains("version = \"1.1\""));
    world.ok(&["lint"]);
}

#[test]
fn a_version_whose_needs_cannot_be_had_is_held() {
    let world = world(
        &[Project::new("app", "1.0"), Project::new("core", "1.0")],
        &[
            Project::new("app", "1.5"),
            Project::new("app", "2.0").needs("nowhere"),
            Project::new("app", "3.0").needs("helper"),
            Project::new("helper", "1.0").needs("core>=5"),
            Project::new("core", "5.0").without("pyproject.toml"),
        ],
    );
    let output = world.ok(&["update", "--all"]);
    assert!(output.stdout.starts_with("app 1.0 -> 1.5\n"), "{output}");
    assert!(output.stdout.contains("app 3.0 is held at 1.5: app 3.0 "), "{output}");
    assert!(output.stdout.contains("core 5.0 is held at 1.0: core 5.0 cannot be used"), "{output}");
}

#[test]
fn what_was_changed_by_hand_is_kept_and_told() {
    let world = world(
        &[Project::new("app", "1.0").needs("core>=1,<2"), Project::new("core", "1.0")],
        &[Project::new("app", "2.0").needs("core>=1,<3")],
    );
    let text = world.read("recipes/app.toml").replace("core>=1,<2", "core");
    world.recipe("app", &text);
    let output = world.ok(&["update", "app"]);
    prints(&output, &["dependencies stays core, as changed by hand (upstream: core>=1,<3)"]);
    let app = world.read("recipes/app.toml");
    assert!(app.contains("[\"core\"]") && app.contains("version = \"2.0\""), "{app}");
}

#[test]
fn an_old_version_that_is_gone_is_told_of() {
    let world = world(&[Project::new("app", "1.0").needs("core"), Project::new("core", "1.0")], &[]);
    let gone = Project::new("lost", "1.0").says_all();
    world.recipe("lost-1.0", &gone.needs("core").recipe());
    world.index.publish(&Project::new("lost", "2.0").needs("core>=1").says_all());
    let output = world.ok(&["update", "lost"]);
    prints(
        &output,
        &["lost 1.0 is not on the index any more: the new version was compared with the recipe itself"],
    );
    assert!(!world.work("recipes/lost-1.0.toml").exists(), "the name follows the version");
    assert!(world.read("recipes/lost-2.0.toml").contains("[\"core>=1\"]"));
}

#[test]
fn what_is_prebuilt_stays_so_and_what_is_not_does_not_become_it() {
    let world = world(&[Project::new("core", "1.0")], &[]);
    for version in ["1.0", "2.0"] {
        let file = format!("closed-{version}-py3-none-any.whl");
        world.index.serve("closed", &file, wheel("closed", version, (&["core"], "py3-none-any")));
    }
    world.index.publish(&Project::new("closed", "3.0").says_all());
    world.index.serve("core", "core-2.0-py3-none-any.whl", wheel("core", "2.0", (&[], "py3-none-any")));
    world.ok(&["add", "closed==1.0"]);
    let output = world.ok(&["update", "--all"]);
    output.says(&[
        "not taken: closed 3.0 has no wheel for this interpreter",
        "not taken: core 2.0 has no sdist",
        "1 of 3 recipes updated",
    ]);
    let closed = world.read("recipes/closed.toml");
    assert!(closed.contains("file = \"closed-2.0-py3-none-any.whl\""), "{closed}");
}

#[test]
fn what_is_not_of_an_index_is_left_alone_and_told() {
    let world = world(&[Project::new("core", "1.0")], &[Project::new("core", "2.0")]);
    world.unpack("own", &Project::new("own", "1.0"));
    world.recipe("own", &Project::new("own", "1.0").needs("core<2").path_recipe("../own"));
    let output = world.ok(&["update", "--all"]);
    output.says(&["left alone: own 1.0: its source is a folder"]);
    assert!(output.stdout.contains("core 2.0 is held at 1.0: own 1.0 needs core<2"), "{output}");
    world.ok(&["update", "setuptools"]).says(&["left alone: setuptools: it is of the base set"]);
}

#[test]
fn every_bump_is_a_commit_of_its_own_files() {
    let mut world = world(
        &[Project::new("app", "1.0"), Project::new("core", "1.0"), Project::new("far", "1.0")],
        &[
            Project::new("app", "2.0").needs("helper"),
            Project::new("core", "2.0"),
            Project::new("helper", "1.0"),
        ],
    );
    std::fs::rename(world.work("recipes/core.toml"), world.work("recipes/core-1.0.toml")).unwrap();
    let output = world.fails(2, &["update", "--all", "--commit"]);
    output.says(&["lies in no git repository"]);
    assert!(world.read("recipes/app.toml").contains("version = \"1.0\""), "nothing is written");
    committed(&mut world);
    world.write("staged.txt", "mine\n");
    git(&world, &["add", "staged.txt"]);
    world.write("recipes/far.toml", world.read("recipes/far.toml") + "# mine\n");
    let output = world.ok(&["update", "app", "core", "--commit"]);
    output.says(&["committed app: 1.0 -> 2.0", "committed core: 1.0 -> 2.0"]);
    let log = git(&world, &["log", "--format=%s", "--name-status", "--no-renames"]);
    let log: Vec<&str> = log.lines().filter(|line| !line.is_empty()).take(6).collect();
    let expected = [
        "core: 1.0 -> 2.0",
        "D\trecipes/core-1.0.toml",
        "A\trecipes/core-2.0.toml",
        "app: 1.0 -> 2.0",
        "M\trecipes/app.toml",
        "A\trecipes/helper.toml",
    ];
    assert_eq!(log, expected);
    let body = git(&world, &["log", "-1", "--skip=1", "--format=%b"]);
    assert!(body.contains("dependencies:\n+ helper\n") && body.contains("new recipes: helper 1.0"), "{body}");
    assert_eq!(git(&world, &["status", "--porcelain"]), " M recipes/far.toml\nA  staged.txt\n");
    // What is not committed is not lost in a commit.
    world.index.publish(&Project::new("far", "2.0").says_all());
    let output = world.fails(2, &["update", "far", "--commit", "--refresh"]);
    output.says(&["1 recipe with changes that are not committed", "`recipes/far.toml`"]);
    assert!(world.read("recipes/far.toml").ends_with("# mine\n"));
}

#[test]
fn what_overlays_say_is_not_update_s_to_change() {
    let world = world(
        &[Project::new("core", "1.0"), Project::new("far", "1.0")],
        &[Project::new("core", "2.0"), Project::new("far", "2.0"), Project::new("own", "2.0")],
    );
    world.write("wheelwright.toml", "[set]\nrecipes = [\"recipes\"]\noverlays = [\"over\"]\n");
    world.write("over/own.toml", Project::new("own", "1.0").recipe());
    world.write("over/far.toml", "pname = \"far\"\nextends = true\n[meta]\nlicense = \"MIT\"\n");
    let output = world.ok(&["update", "--all"]);
    assert_eq!(output.stdout, "core 1.0 -> 2.0\n", "{output}");
    output.says(&[
        "left alone: far 1.0: it is extended by over/far.toml:4: change its file by hand",
        "left alone: own 1.0: it stands in the overlay over",
    ]);
}

#[test]
fn an_environment_of_the_workspace_holds_a_version_back() {
    let world =
        world(&[Project::new("core", "1.0")], &[Project::new("core", "1.5"), Project::new("core", "2.0")]);
    let env = "[set]\nrecipes = [\"recipes\"]\n[env.web]\npackages = [\"core<2\"]\n";
    world.write("wheelwright.toml", env);
    let output = world.ok(&["update", "--all"]);
    prints(&output, &["core 1.0 -> 1.5\n", "core 2.0 is held at 1.5: [env.web] wants core<2\n"]);
}

/// A project whose import fails in company.
fn touchy(version: &str, code: &str) -> Project {
    Project::new("app", version).needs("core").needs("far").code(code)
}

#[test]
fn a_bump_that_breaks_what_uses_it_is_taken_back() {
    let world = world(
        &[
            touchy("1.0", "import core\nassert core.VERSION == '1.0', 'core is too new'\n"),
            Project::new("core", "1.0"),
            Project::new("far", "1.0"),
        ],
        &[
            Project::new("core", "2.0").needs("helper"),
            Project::new("far", "2.0"),
            Project::new("helper", "1.0"),
        ],
    );
    std::fs::rename(world.work("recipes/core.toml"), world.work("recipes/core-1.0.toml")).unwrap();
    let before = world.read("recipes/core-1.0.toml");
    let output = world.fails(1, &["update", "--all", "--check", "--isolation", "env"]);
    assert!(output.stdout.contains("taken back: core 1.0 -> 2.0\n"), "{output}");
    output.says(&["with it app 1.0 failed", "core is too new", "1 taken back"]);
    assert_eq!(world.read("recipes/core-1.0.toml"), before);
    assert!(!world.work("recipes/core-2.0.toml").exists() && !world.work("recipes/helper.toml").exists());
    assert!(world.read("recipes/far.toml").contains("version = \"2.0\""));
    world.ok(&["check", "--all", "--isolation", "env"]);
}

#[test]
fn of_two_that_fail_only_together_one_is_taken_back() {
    let code = "import core, far\nassert (core.VERSION, far.VERSION) != ('2.0', '2.0'), 'both are new'\n";
    let world = world(
        &[
            touchy("1.0", code),
            Project::new("core", "1.0"),
            Project::new("far", "1.0"),
            Project::new("own", "1.0"),
        ],
        &[Project::new("core", "2.0"), Project::new("far", "2.0"), Project::new("own", "2.0")],
    );
    let output = world.fails(1, &["update", "--all", "--check", "--isolation", "env", "--json"]);
    let report = json(&output.stdout);
    let reverted = &report["check"]["reverted"][0];
    assert_eq!(reverted["projects"].as_array().unwrap().len(), 1, "{output}");
    assert_eq!(reverted["failed"], "app 1.0");
    let made = report["bumps"].as_array().unwrap().iter().filter(|bump| bump["made"] == true).count();
    assert_eq!(made, 2, "{output}");
    world.ok(&["check", "--all", "--isolation", "env"]);
}

#[test]
fn two_that_each_break_it_are_both_taken_back() {
    let code = "import core, far\nassert core.VERSION == far.VERSION == '1.0', 'one is new'\n";
    let mut world = world(
        &[
            touchy("1.0", code),
            Project::new("core", "1.0"),
            Project::new("far", "1.0"),
            Project::new("own", "1.0"),
        ],
        &[Project::new("core", "2.0"), Project::new("far", "2.0"), Project::new("own", "2.0")],
    );
    committed(&mut world);
    let output = world.fails(1, &["update", "--all", "--check", "--commit", "--isolation", "env"]);
    prints(&output, &["taken back, together: core 1.0 -> 2.0, far 1.0 -> 2.0\n"]);
    output.says(&["committed own: 1.0 -> 2.0"]);
    assert_eq!(git(&world, &["status", "--porcelain"]), "");
    assert_eq!(git(&world, &["rev-list", "--count", "HEAD"]), "2\n");
}

#[test]
fn what_this_machine_cannot_build_keeps_nothing_else_from_being_checked() {
    let world = world(
        &[Project::new("core", "1.0"), Project::new("far", "1.0")],
        &[Project::new("core", "2.0"), Project::new("far", "2.0")],
    );
    let lacks = "[external]\nbuild-requires = [\"virtual:compiler/unobtainium\"]\n";
    world.recipe("far", &(world.read("recipes/far.toml") + lacks));
    let output = world.ok(&["update", "--all", "--check", "--isolation", "env"]);
    output.says(&[
        "far 1.0 failed before, too: ",
        "2 of 3 recipes updated, 1 checked (1 could not be, for what failed before)",
    ]);
    assert!(world.read("recipes/core.toml").contains("version = \"2.0\""));
}

#[test]
fn what_failed_before_is_no_bump_s_fault() {
    let world = world(
        &[
            touchy("1.0", "raise RuntimeError('never works')\n"),
            Project::new("core", "1.0"),
            Project::new("far", "1.0"),
        ],
        &[Project::new("core", "2.0")],
    );
    let output = world.ok(&["update", "--all", "--check", "--isolation", "env"]);
    output.says(&["app 1.0 failed before, too"]);
    assert!(world.read("recipes/core.toml").contains("version = \"2.0\""));
}
