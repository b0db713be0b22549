//! What a newcomer types first: hints taken at their word, an empty
//! workspace, a library of their own.

use crate::project::Project;
use crate::world::World;

/// The line after `hint: `, without the program's name, as a shell splits it.
fn hinted(output: &str) -> Vec<String> {
    let line = output.lines().find_map(|l| l.trim().strip_prefix("hint: wheelwright "));
    let line = line.unwrap_or_else(|| panic!("no hint is a command: {output}"));
    line.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[test]
fn the_hint_for_a_version_that_is_not_there_leads_to_a_build() {
    let world = World::new(&[Project::new("app", "1.0").needs("click>=8,<8.2")]);
    for version in ["8.0", "8.1.8", "8.1.9rc1", "8.5.1"] {
        world.index.publish(&Project::new("click", version));
    }
    world.recipe("click", &Project::new("click", "8.5.1").recipe());
    let output = world.fails(2, &["build", "app"]).to_string();
    let hint = hinted(&output);
    assert_eq!(hint, ["add", "click>=8,<8.2"], "{output}");
    let hint: Vec<&str> = hint.iter().map(String::as_str).collect();
    let written = world.ok(&hint).stdout;
    assert!(written.trim_end().ends_with("recipes/click-8.1.8.toml"), "{written}");
    assert!(world.read("recipes/click.toml").contains("8.5.1"), "the other version stays");
    world.ok(&["build", "app"]);
    let again = world.ok(&hint).to_string();
    assert!(again.contains("the set has click 8.1.8"), "{again}");
    let again = world.fails(2, &["add", "--no-solve", "click==8.1.8"]).to_string();
    assert!(again.contains("click-8.1.8.toml` exists") && again.contains("--force"), "{again}");
    let none = world.fails(2, &["add", "--no-solve", "click>9"]).to_string();
    assert!(none.contains("no release that satisfies `>9`"), "{none}");
}

#[test]
fn a_recipe_written_outside_the_set_is_told_of() {
    let world = World::empty();
    world.index.publish(&Project::new("hub", "1.0"));
    let output = world.ok(&["add", "--no-solve", "hub", "--dir", "elsewhere"]).to_string();
    assert!(output.contains("no part of the set: name it under `recipes`"), "{output}");
    let output = world.ok(&["add", "--no-solve", "hub", "--dir", "recipes/more"]).to_string();
    assert!(!output.contains("no part of the set"), "{output}");
}

#[test]
fn a_workspace_without_recipes_says_where_it_looked() {
    let world = World::empty();
    for args in [&["build", "--all"][..], &["plan", "--all"], &["lint"], &["fmt", "--check"]] {
        let output = world.fails(2, args).to_string();
        assert!(output.contains("this workspace has no recipe (looked in [ROOT]/work/recipes)"), "{output}");
    }
    std::fs::remove_file(world.work("wheelwright.toml")).unwrap();
    let output = world.fails(2, &["lint"]).to_string();
    assert!(output.contains("(looked in [ROOT]/work)") && output.contains("here or above"), "{output}");
}

#[test]
fn lint_checks_that_what_recipes_need_can_be_had() {
    let world = World::new(&[Project::new("good", "1.0")]);
    let output = world.ok(&["lint"]).to_string();
    assert!(output.contains("2 recipes read"), "{output}");
    world.recipe("bad", &Project::new("bad", "1.0").needs("nowhere>=2").path_recipe("."));
    let output = world.fails(2, &["lint"]).to_string();
    assert!(output.contains("error[W401] recipes/bad.toml") && output.contains("'nowhere>=2'"), "{output}");
    world.fails(2, &["lint", "recipes"]);
    world.fails(2, &["lint", "bad"]);
    world.ok(&["lint", "good"]);
    // An editor hands over one file, which is judged alone.
    let output = world.ok(&["lint", "recipes/bad.toml"]).to_string();
    assert!(output.contains("1 recipe read"), "{output}");
    // What is not for this interpreter or known to be broken may lack anything.
    world.recipe("bad", &format!("requires-python = \">=4\"\n{}", world.read("recipes/bad.toml")));
    world.ok(&["lint"]);
}

#[test]
fn a_project_s_folder_is_the_project() {
    let world = World::new(&[]);
    std::fs::remove_file(world.work("wheelwright.toml")).unwrap();
    let toy = Project::backend("1.0");
    let own = Project::new("mine", "1.0").needs("hub");
    world.unpack("mine", &own);
    world.write("mine/mine.toml", own.path_recipe("."));
    world.write("mine/toy.toml", toy.recipe());
    world.index.publish(&Project::new("hub", "1.0"));
    let inside = |args: &[&str]| {
        let output = world.command(args).current_dir(world.work("mine")).output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{text}");
        text
    };
    inside(&["add", "--no-solve", "hub"]);
    inside(&["build", ".", "--wheel-dir", "../wheels"]);
    let wheels = |folder: &str| std::fs::read_dir(world.work(folder)).unwrap().count();
    assert_eq!(wheels("wheels"), 2, "the project and what it needs");
    assert!(world.work("mine/result").is_symlink() && !world.work("mine/result-hub").exists());
    inside(&["run", ".", "--", "python", "-c", "import mine, hub"]);
    inside(&["env", ".", "--out", "../venv"]);
    // Without a recipe for the folder itself, all in it are meant.
    std::fs::remove_file(world.work("mine/mine.toml")).unwrap();
    inside(&["build", ".", "--no-link", "--wheel-dir", "../all"]);
    assert_eq!(wheels("all"), 2);
}

#[test]
fn what_a_project_s_files_lack_is_said_where_it_lacks() {
    let world = World::new(&[]);
    let own = Project::new("mine", "1.0").path_recipe("../src2");
    let said = |from: &str| own.replace("version = \"1.0\"", &format!("version = {{ from = \"{from}\" }}"));
    world.recipe("mine", &said("pyproject"));
    let output = world.fails(2, &["build", "mine"]).to_string();
    assert!(output.contains("error[W505]") && output.contains("`../src2` is not there"), "{output}");
    assert!(!output.contains("W211"), "{output}");
    world.write("src2/pyproject.toml", "[project]\nname = \"mine\n");
    let output = world.fails(2, &["build", "mine"]).to_string();
    assert!(output.contains("error[W001] recipes/../src2/pyproject.toml:2:"), "{output}");
    world.recipe("mine", &said("git"));
    let output = world.fails(2, &["build", "mine"]).to_string();
    assert!(output.contains("error[W104]") && !output.contains("W211"), "{output}");
}

#[test]
fn a_script_that_calls_nothing_fails_the_check() {
    let project = Project::new("geodist", "1.0").console("geodist", "geodist:mainn");
    let world = World::new(std::slice::from_ref(&project));
    let output = world.fails(1, &["build", "geodist"]).to_string();
    assert!(
        output.contains("the script `geodist` calls `geodist:mainn`: `geodist` has no `mainn`"),
        "{output}"
    );
    world.recipe("geodist-1.0", &project.recipe_says("[check]\nimports = []\n").recipe());
    world.ok(&["build", "geodist"]);
}

#[test]
fn a_version_said_twice_is_said_where() {
    let world = World::new(&[]);
    let own = Project::new("mine", "1.2.0");
    world.unpack("mine", &own);
    world.recipe("mine", &own.path_recipe("../mine").replace("version = \"1.2.0\"", "version = \"1.3.0\""));
    let output = world.fails(1, &["build", "mine"]).to_string();
    assert!(output.contains("version = { from = \"pyproject\" }"), "{output}");
    assert!(output.contains("recipe: recipes/mine.toml:2"), "{output}");
}

#[test]
fn a_header_that_git_ignores_is_found_in_the_folder() {
    let world = World::new(&[]);
    let hook = "print('a.c:1:10: fatal error: local.h: No such file or directory')\n\
                print('    1 | #include \"local.h\"')\nraise SystemExit(1)\n";
    let own = Project::new("mine", "1.0").hook(hook).file("include/local.h", "").file(".gitignore", "*.h\n");
    world.unpack("mine", &own);
    world.recipe("mine", &own.path_recipe("../mine"));
    let output = world.fails(1, &["build", "mine"]).to_string();
    assert!(output.contains("`include/local.h` lies in the folder, but git ignores it"), "{output}");
    assert!(!output.contains("this host has no header"), "{output}");
    world.write("mine/.gitignore", "");
    let output = world.fails(1, &["build", "mine"]).to_string();
    assert!(output.contains("`include/local.h` is in the source, but not where"), "{output}");
}
