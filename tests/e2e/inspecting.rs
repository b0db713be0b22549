//! What looks into the set: `why-depends`, `outdated`, `licenses`, `search`.

use crate::project::Project;
use crate::world::World;

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn why_one_package_needs_another_is_told_line_by_line() {
    let world = World::new(&[
        Project::new("app", "1.0").needs("left").needs("right"),
        Project::new("left", "1.0").needs("goal>=1"),
        Project::new("right", "1.0").needs("goal"),
        Project::new("goal", "1.0"),
    ]);
    let output = world.ok(&["why-depends", "app", "goal"]);
    expect_test::expect![[r#"
        app 1.0 wants `left` (recipes/app-1.0.toml:4)
        left 1.0 wants `goal>=1` (recipes/left-1.0.toml:4)
        goal 1.0
    "#]]
    .assert_eq(&output.stdout);
    output.says(&["there are more chains of this length: say --all"]);
    let all = world.ok(&["why-depends", "app", "goal", "--all", "--json"]);
    let report = json(&all.stdout);
    assert_eq!(report["chains"].as_array().unwrap().len(), 2, "{all}");
    let link = &report["chains"][1][1];
    assert_eq!(
        (&link["by"], &link["requirement"], &link["to"]),
        (&"right 1.0".into(), &"goal".into(), &"goal 1.0".into())
    );
    assert_eq!((&link["file"], &link["line"]), (&"recipes/right-1.0.toml".into(), &4.into()));
    all.does_not_say("more chains");
    let built = world.ok(&["why-depends", "app", "toy", "--build"]);
    assert!(built.stdout.starts_with("app 1.0 is built with `toy` (recipes/app-1.0.toml:3)\n"), "{built}");
}

#[test]
fn what_is_not_needed_is_told_with_what_comes_nearest() {
    let world = World::new(&[
        Project::new("app", "1.0").needs("goal<2"),
        Project::new("goal", "1.0"),
        Project::new("goal", "2.0"),
        Project::new("lib", "1.0").recipe_says("[optional-dependencies]\nfast = [\"app\"]\n"),
        Project::new("hurt", "1.0").needs("nowhere"),
    ]);
    let told = |args: &[&str], error: &str, hint: &str| {
        world.fails(1, &[&["why-depends"], args].concat()).says(&[error, hint]);
    };
    let other = "hint: it is the other way round: `wheelwright why-depends app goal`";
    told(&["goal", "app"], "error: goal 2.0 does not depend on `app`\n", other);
    told(
        &["app", "toy"],
        "error: app 1.0 does not depend on `toy`\n",
        "hint: it is needed to build something: say --build",
    );
    told(
        &["lib", "goal"],
        "error: lib 1.0 does not",
        "hint: its extra does: `wheelwright why-depends 'lib[fast]' goal`",
    );
    told(
        &["app", "goal==2.0"],
        "error: app 1.0 does not",
        "hint: it has goal 1.0: `wheelwright why-depends app goal`",
    );
    told(
        &["app", "lib", "--build"],
        "does not depend on `lib`, not even to be built",
        "hint: `wheelwright tree app`",
    );
    let report = json(&world.fails(1, &["why-depends", "goal", "app", "--json"]).stdout);
    assert_eq!(report["chains"], serde_json::json!([]));
    world.fails(2, &["why-depends", "app", "gaol"]).says(&["no recipe of the set is named `gaol`"]);
    world.fails(2, &["why-depends", "ap", "goal"]).says(&["did you mean `app`?"]);
    // There might have been a chain through what is missing.
    world.fails(2, &["why-depends", "hurt", "goal"]).says(&["may be more to it", "error[W401]", "nowhere"]);
}

/// `core` is held back by `app`, and half of what the index has of it is of no use.
fn aged() -> World {
    let world = World::new(&[Project::new("app", "1.0").needs("core<2"), Project::new("core", "1.0")]);
    for version in ["1.5", "1.6", "1.7", "2.0", "3.0rc1"] {
        world.index.publish(&Project::new("core", version));
    }
    world.index.says("core-1.6.tar.gz", "yanked", true);
    world.index.says("core-1.7.tar.gz", "requires-python", ">=4");
    world
}

fn row(cells: [&str; 4], note: &str) -> String {
    let [pname, version, allowed, newest] = cells;
    format!("{pname:<28} {version:<12} {allowed:<12} {newest:<12} {note}").trim_end().to_owned() + "\n"
}

#[test]
fn what_is_outdated_is_told_with_what_holds_it_back() {
    let world = aged();
    let output = world.ok(&["outdated"]);
    let core = row(["core", "1.0", "1.5", "2.0"], "app 1.0 wants `core<2` (recipes/app-1.0.toml:4)");
    assert_eq!(output.stdout, core, "{output}");
    output.says(&["outdated: 1 of 3 recipes"]);
    world.fails(1, &["outdated", "--exit-code"]);
    let output = world.ok(&["outdated", "--exit-code", "toy", "app"]);
    assert_eq!(output.stdout, "");
    output.says(&["outdated: 0 of 2 recipes"]);
    let report = json(&world.ok(&["outdated", "core", "--json", "--offline"]).stdout);
    let core = &report["recipes"][0];
    assert_eq!(
        (&core["allowed"], &core["newest"], &core["outdated"]),
        (&"1.5".into(), &"2.0".into(), &true.into())
    );
    assert_eq!(report["recipes"].as_array().unwrap().len(), 1);
    world.fails(2, &["outdated", "cor"]).says(&["did you mean `core`?"]);
    world.index.says("core-1.0.tar.gz", "yanked", "broken");
    let output = world.ok(&["outdated", "core", "--refresh"]);
    assert!(output.stdout.contains(" 1.0 is yanked; app 1.0 wants"), "{output}");
}

#[test]
fn what_is_newer_than_a_day_is_not_there_yet() {
    let world = aged();
    for (version, moment) in [("1.0", "2024-01-01"), ("1.5", "2024-06-01"), ("2.0", "2024-07-01")] {
        world.index.says(&format!("core-{version}.tar.gz"), "upload-time", format!("{moment}T10:00:00Z"));
    }
    let output = world.ok(&["outdated", "core", "--exclude-newer", "2024-06-30"]);
    assert_eq!(output.stdout, row(["core", "1.0", "1.5", "1.5"], ""), "{output}");
    assert_eq!(world.ok(&["outdated", "core", "--exclude-newer", "2024-05-31"]).stdout, "");
    world.fails(2, &["outdated", "--exclude-newer", "May"]).says(&["`May` is no date"]);
}

#[test]
fn what_no_index_knows_is_told_beside_the_others() {
    let world = aged();
    world.recipe("lost", &Project::new("lost", "1.0").recipe());
    world.unpack("own", &Project::new("own", "1.0"));
    world.recipe("own", &Project::new("own", "1.0").path_recipe("../own"));
    let output = world.fails(2, &["outdated"]);
    assert!(output.stdout.starts_with("core "), "{output}");
    output
        .says(&["error: no project `lost` on the index", "not looked for: own 1.0: its source is a folder"]);
    let report = json(&world.fails(2, &["outdated", "--json"]).stdout);
    assert_eq!(report["failed"][0]["package"], "lost 1.0");
    assert_eq!(report["skipped"][0]["reason"], "its source is a folder");
}

#[test]
fn without_an_index_nothing_is_said_to_be_new() {
    let mut world = aged();
    world
        .fails(3, &["outdated", "--offline"])
        .says(&["this run is offline", "hint: run once without --offline"]);
    world.set("PIP_INDEX_URL", "http://127.0.0.1:9/simple/");
    let output = world.fails(3, &["outdated", "core"]);
    output.says(&["failed to read the project page of `core`"]);
    assert_eq!(output.stdout, "");
}

#[test]
fn licenses_are_listed_and_lists_are_held() {
    let says =
        |project: Project, license: &str| project.recipe_says(&format!("[meta]\nlicense = \"{license}\"\n"));
    let world = World::new(&[
        says(Project::new("app", "1.0").needs("choice").needs("closed").needs("odd"), "MIT"),
        says(Project::new("choice", "1.0"), "GPL-3.0-only OR MIT"),
        says(Project::new("odd", "1.0"), "BSD License"),
        Project::new("closed", "1.0"),
        says(Project::new("copyleft", "1.0").needs("choice"), "GPL-3.0+"),
    ]);
    let listed = world.ok(&["licenses", "app"]);
    expect_test::expect![[r#"
        GPL-3.0-only OR MIT          choice                       1.0
        MIT                          app                          1.0
        unknown                      closed                       1.0
        unknown (BSD License)        odd                          1.0
    "#]]
    .assert_eq(&listed.stdout);
    world.ok(&["licenses", "app", "--deny", "GPL-3.0"]);
    world.ok(&["licenses", "app", "--allow", "MIT,unknown"]);
    let output = world.fails(1, &["licenses", "--all", "--deny", "GPL-3.0,AGPL-*"]);
    output.says(&["error: copyleft 1.0 may not be used: `GPL-3.0+` is denied"]);
    output.does_not_say("choice 1.0 may not");
    let output = world.fails(1, &["licenses", "app", "--allow", "MIT", "--json"]);
    output.says(&[
        "closed 1.0 may not be used: its license is not known",
        "why-depends app closed",
        "odd 1.0 may not",
    ]);
    let report = json(&output.stdout);
    assert_eq!((&report["ok"], &report["unknown"][1]["license"]), (&false.into(), &"BSD License".into()));
    assert_eq!(report["licenses"][1]["packages"][0]["pname"], "app");
    assert_eq!(report["refused"].as_array().unwrap().len(), 2);
    world
        .fails(2, &["licenses", "app", "--deny", "BSD License"])
        .says(&["`BSD License` is not an SPDX expression"]);
    world.fails(2, &["licenses"]).says(&["nothing is named"]);
}

#[test]
fn recipes_are_found_by_words() {
    let says =
        |project: Project, text: &str| project.recipe_says(&format!("[meta]\ndescription = \"{text}\"\n"));
    let world = World::new(&[
        says(Project::new("rim", "1.0"), "The outer part of a velocipede"),
        says(Project::new("velocipede", "2.0"), "Two wheels"),
    ]);
    let output = world.ok(&["search", "Velocipede"]);
    expect_test::expect![[r#"
        velocipede                   2.0          recipes recipes  Two wheels
        rim                          1.0          recipes recipes  The outer part of a velocipede
    "#]]
    .assert_eq(&output.stdout);
    assert!(world.ok(&["search", "setuptools"]).stdout.starts_with("setuptools "));
    let report = json(&world.ok(&["search", "outer", "velo", "--json"]).stdout);
    assert_eq!(report["recipes"].as_array().unwrap().len(), 1);
    assert_eq!(report["recipes"][0]["pname"], "rim");
    let output = world.fails(1, &["search", "velocipde"]);
    output.says(&[
        "no recipe of the set has `velocipde`",
        "did you mean `velocipede`?",
        "the index is not searched",
    ]);
    assert!(world.index.requests().is_empty());
}

#[test]
fn the_list_names_the_recipes_and_where_they_are() {
    let world = World::new(&[Project::new("app", "1.0"), Project::new("app", "2.0")]);
    let listed = json(&world.ok(&["list", "--json"]).stdout);
    let own = |row: &serde_json::Value| format!("{} {} {}", row["pname"], row["version"], row["file"]);
    let rows: Vec<String> = listed["recipes"].as_array().unwrap().iter().map(own).collect();
    let of =
        |name: &str, version: &str| format!("\"{name}\" \"{version}\" \"recipes/{name}-{version}.toml\"");
    assert_eq!(rows, [of("app", "1.0"), of("app", "2.0"), of("toy", "1.0")]);
    assert_eq!((&listed["format"], &listed["findings"]), (&1.into(), &serde_json::json!([])));
    let all = json(&world.ok(&["list", "--base", "--json"]).stdout);
    assert!(all["recipes"].as_array().unwrap().iter().any(|row| row["layer"] == "base"), "{all}");
}
