//! What of the set a command line touches: extras, tests, paths, whole
//! environments.

use std::os::unix::fs::MetadataExt as _;

use crate::project::Project;
use crate::world::World;

fn extra(project: Project, name: &str, needs: &str) -> Project {
    project.recipe_says(&format!("[optional-dependencies]\n{name} = [\"{needs}\"]\n"))
}

/// A project whose tests pass and need `input`.
fn tested(name: &str, input: &str) -> Project {
    let test = "import unittest\nclass T(unittest.TestCase):\n    def test_it(self): pass\n";
    Project::new(name, "1.0")
        .file("test_it.py", test)
        .recipe_says(&format!("[check]\nrunner = \"unittest\"\ninputs = [\"{input}\"]\n"))
}

#[test]
fn a_build_cycle_behind_an_extra_is_told() {
    let world = World::new(&[
        extra(Project::new("e", "1.0"), "x", "p"),
        Project::new("p", "1.0").builds_with("q"),
        Project::new("q", "1.0").builds_with("p"),
    ]);
    world.ok(&["plan", "e"]);
    let output = world.fails(2, &["plan", "e[x]"]).to_string();
    assert!(output.contains("error[W404]"), "{output}");
}

#[test]
fn goals_with_extras_have_closures_of_their_own() {
    let world = World::new(&[
        Project::new("c", "1.0"),
        Project::new("c", "2.0"),
        Project::new("k1", "1.0").needs("c<2"),
        extra(Project::new("k2", "1.0"), "x", "c"),
        extra(Project::new("k3", "1.0"), "x", "c>=2"),
    ]);
    world.ok(&["build", "k1", "k2[x]", "k3[x]"]);
    assert!(world.work("result-k2").is_symlink() && world.work("result-k3").is_symlink());
    // In one environment they must agree.
    let output = world.fails(2, &["run", "k1", "k3[x]", "--", "true"]).to_string();
    assert!(output.contains("error[W403]"), "{output}");
    world.ok(&["build", "k3[x]", "--wheel-dir", "wheels"]);
    assert!(world.work("wheels/c-2.0-py3-none-any.whl").is_file());
}

#[test]
fn what_extras_bring_in_is_verified() {
    let world = World::new(&[
        extra(Project::new("e", "1.0"), "x", "p"),
        Project::new("p", "1.0").needs_without_saying("nowhere"),
    ]);
    world.ok(&["build", "e"]);
    let output = world.fails(1, &["build", "e[x]"]).to_string();
    assert!(output.contains("verify of p 1.0 failed") && output.contains("nowhere"), "{output}");
}

#[test]
fn the_tests_of_dependencies_need_their_inputs_read() {
    let world = World::new(&[tested("base", "tool"), Project::new("top", "1.0").needs("base")]);
    let tool = Project::new("tool", "1.0");
    world.unpack("tool", &tool);
    world.recipe("tool-1.0", &tool.path_recipe("../tool"));
    world.ok(&["build", "top"]);
    world.ok(&["check", "top", "--deps"]);
    // What is wrong there is said before anything runs.
    world.recipe("tool-1.0", &tool.path_recipe("../nowhere"));
    let output = world.fails(2, &["check", "top", "--deps"]).to_string();
    assert!(output.contains("error[W505]"), "{output}");
}

#[test]
fn the_workspace_is_that_of_the_folder_that_is_meant() {
    let world = World::new(&[]);
    world.write("a/wheelwright.toml", "[set]\nrecipes = [\".\"]\n");
    world.write("a/broken.toml", "pname = 3\n");
    world.write("b/wheelwright.toml", "[set]\nrecipes = [\".\"]\n");
    world.write("b/z.toml", Project::new("z", "1.0").recipe());
    let mut command = world.command(&["lint", "../b/z.toml"]);
    let output = command.current_dir(world.work("a")).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("broken.toml"), "{output:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut command = world.command(&["plan", "../b/z.toml"]);
    let output = command.current_dir(world.work("a")).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "`toy` is not of that workspace: {output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no recipe of the set is named `toy`"));
}

#[test]
fn every_file_of_the_set_names_what_it_stands_for() {
    let world = World::new(&[Project::new("lib", "1.0"), Project::new("old", "1.0")]);
    world.write("wheelwright.toml", "[set]\nrecipes = [\"recipes\"]\noverlays = [\"over\"]\n");
    world.write("over/more.toml", "pname = \"lib\"\nextends = true\n[meta]\ndescription = \"x\"\n");
    world.write("over/old.toml", Project::new("old", "1.0").recipe());
    // A name that begins like a result's is a recipe's all the same.
    world.write("recipes/result.toml", Project::new("outcome", "1.0").recipe());
    world.write("recipes/results/more.toml", Project::new("outcome2", "1.0").recipe());
    for (file, package) in [
        ("over/more.toml", "lib 1.0"),
        ("recipes/old-1.0.toml", "old 1.0"),
        ("over/old.toml", "old 1.0"),
        ("outcome", "outcome 1.0"),
        ("outcome2", "outcome2 1.0"),
    ] {
        let output = world.ok(&["plan", file]).to_string();
        assert!(output.contains(&format!("build    {package}")), "{file}: {output}");
    }
}

#[test]
fn recipes_inside_a_source_are_no_part_of_it() {
    let world = World::new(&[]);
    let project = Project::new("lib", "1.0");
    world.unpack(".", &project);
    world.recipe("lib", &project.path_recipe(".."));
    world.write("wheelwright.toml", "[set]\nrecipes = [\"recipes\"]\noverlays = [\"over\"]\n");
    world.write("over/more.toml", "pname = \"lib\"\nextends = true\n");
    world.write("data.toml", "a = 1\n");
    assert!(!world.build(&["lib"]).ran().is_empty());
    world.write("over/more.toml", "# why\npname = \"lib\"\nextends = true\n");
    world.write("recipes/toy-1.0.toml", format!("# why\n{}", world.read("recipes/toy-1.0.toml")));
    assert_eq!(world.build(&["lib"]).ran(), Vec::<String>::new());
    world.write("data.toml", "a = 2\n");
    assert!(!world.build(&["lib"]).ran().is_empty(), "other TOML files are source");
}

#[test]
fn files_that_cannot_be_read_are_told_with_all_else() {
    let world = World::new(&[Project::new("good", "1.0")]);
    world.recipe("latin", "");
    world.write("recipes/latin.toml", b"pname = \"caf\xe9\"\n");
    std::os::unix::fs::symlink("nowhere", world.work("recipes/gone.toml")).unwrap();
    world.recipe("bad", "pnam = \"x\"\n");
    let output = world.fails(2, &["build", "good"]).to_string();
    for text in ["recipes/latin.toml", "not UTF-8", "recipes/gone.toml", "unknown key `pnam`"] {
        assert!(output.contains(text), "{text}: {output}");
    }
    // A file beside a recipe that need not be one.
    world.write("alone/good.toml", Project::new("good", "1.0").path_recipe("."));
    world.write("alone/data.toml", b"\xe9 = 1\n");
    std::fs::rename(world.work("wheelwright.toml"), world.work("elsewhere")).unwrap();
    let output = world.fails(2, &["plan", "alone/good.toml"]).to_string();
    assert!(output.contains("warning[W508]") && output.contains("`toy`"), "{output}");
}

#[test]
fn every_path_source_that_cannot_be_used_is_told() {
    let world = World::new(&[]);
    for name in ["one", "two"] {
        let project = Project::new(name, "1.0");
        world.unpack(name, &project);
        std::os::unix::fs::symlink("/etc/hostname", world.work(name).join("out")).unwrap();
        world.recipe(name, &project.path_recipe(&format!("../{name}")));
    }
    let more = Project::new("two", "1.0").needs("nowhere").path_recipe("../two");
    world.recipe("two", &format!("{more}[meta]\nbroken = true\n"));
    let output = world.fails(2, &["build", "one", "two"]).to_string();
    assert_eq!(output.matches("the link `out`").count(), 2, "{output}");
    assert!(output.contains("named `nowhere`") && output.contains("error[W506]"), "{output}");
    assert!(output.contains("recipes/one.toml") && output.contains("recipes/two.toml"), "{output}");
}

#[test]
fn a_word_that_means_no_recipe_is_a_finding_of_lint() {
    let world = World::new(&[Project::new("Good.Name", "1.0")]);
    let output = world.fails(2, &["lint", "nosuchpkg"]).to_string();
    assert!(output.contains("error[W401]") && output.contains("nosuchpkg"), "{output}");
    let output = world.fails(2, &["lint", "goodname"]).to_string();
    assert!(output.contains("did you mean `good-name`?"), "{output}");
    let lints = world.ok(&["lint", "recipes/Good.Name-1.0.toml"]).stdout;
    assert!(!lints.is_empty());
    assert_eq!(world.ok(&["lint", "good_name"]).stdout, lints);
    assert_eq!(world.ok(&["lint", "Good-Name==1.0"]).stdout, lints);
    world.fails(2, &["fmt", "--check", "nosuchpkg"]);
}

#[test]
fn what_was_fetched_serves_every_isolation() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.ok(&["build", "hub"]);
    world.ok(&["build", "hub", "--offline", "--isolation", "env"]);
}

#[test]
fn an_environment_of_the_workspace_is_its_packages() {
    let world = World::new(&[
        Project::new("lib", "1.0"),
        Project::new("lib", "2.0"),
        extra(Project::new("tool", "1.0").needs("lib<2"), "more", "third"),
        Project::new("third", "1.0"),
    ]);
    let workspace = "[set]\nrecipes = [\"recipes\"]\n[env.dev]\npackages = [\"lib\", \"tool[more]\", \
                     \"nowhere; sys_platform == 'nowhere'\"]\n[env.lib]\npackages = [\"tool\"]\n";
    world.write("wheelwright.toml", workspace);
    let say = "import lib, tool, third; print(lib.VERSION)";
    let output = world.ok(&["run", "dev", "--", "python", "-c", say]);
    assert_eq!(output.stdout, "1.0\n", "the versions are chosen together");
    world.ok(&["env", "dev", "--out", "made"]);
    assert!(world.work("made/bin/python").exists());
    // A recipe of that name comes first.
    let output = world.ok(&["run", "lib", "--", "python", "-c", "import lib; print(lib.VERSION)"]);
    assert_eq!(output.stdout, "2.0\n");
    world.write(
        "wheelwright.toml",
        format!("{workspace}[env.old]\npackages = [\"lib\"]\npython = \"3.99\"\n"),
    );
    let output = world.fails(3, &["run", "old", "--", "true"]).to_string();
    assert!(output.contains("failed to find CPython 3.99"), "{output}");
    world.write("wheelwright.toml", format!("{workspace}[python]\ndefault = \"3.98\"\n"));
    for args in [&["run", "dev", "--", "true"][..], &["build", "lib"], &["tree", "lib"]] {
        let output = world.fails(3, args).to_string();
        assert!(output.contains("failed to find CPython 3.98"), "{output}");
    }
    world.write("wheelwright.toml", format!("{workspace}[env.gone]\npackages = [\"nowhere\"]\n"));
    let output = world.fails(2, &["run", "gone", "--", "true"]).to_string();
    assert!(output.contains("error[W401] wheelwright.toml:"), "{output}");
}

#[test]
fn without_checks_nobody_needs_what_tests_need() {
    let world = World::new(&[tested("lone", "nowhere")]);
    let output = world.fails(2, &["build", "lone"]).to_string();
    assert!(output.contains("error[W401]"), "{output}");
    world.ok(&["build", "lone", "--no-check"]);
    world.ok(&["run", "lone", "--", "python", "-c", "import lone"]);
    world.ok(&["env", "lone", "--out", "env"]);
}

#[test]
fn a_result_link_that_is_right_is_left_as_it_is() {
    let world = World::new(&[Project::new("a", "1.0")]);
    world.ok(&["build", "a"]);
    let link = world.work("result");
    let (made, place) = (link.symlink_metadata().unwrap().ino(), link.read_link().unwrap());
    assert_eq!(world.ok(&["build", "a"]).stdout, "result\n");
    assert_eq!(link.symlink_metadata().unwrap().ino(), made);
    // One that leads elsewhere, or is gone, is made again.
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("elsewhere", &link).unwrap();
    world.ok(&["build", "a"]);
    assert_eq!(link.read_link().unwrap(), place);
    std::fs::remove_file(&link).unwrap();
    world.ok(&["build", "a"]);
    world.ok(&["gc"]);
    assert!(link.join("share/wheelwright/package.json").is_file(), "it is a root all the while");
}

#[test]
fn a_change_that_keeps_size_and_time_of_a_recipe_is_seen() {
    let world = World::new(&[Project::new("a", "1.0"), Project::new("b", "1.0").needs("a")]);
    world.ok(&["build", "b"]);
    let nothing = "nothing to do: everything is in the store\n";
    assert_eq!(world.ok(&["plan", "b"]).stdout, nothing);
    let path = world.work("recipes/a-1.0.toml");
    let (text, time) = (world.read("recipes/a-1.0.toml"), path.metadata().unwrap().modified().unwrap());
    let with = |env: &str| format!("{text}\n[build]\nenv = {{ {env} }}\n");
    let write = |text: &str| {
        world.write("recipes/a-1.0.toml", text);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    write(&with("A = \"1\""));
    assert!(world.ok(&["plan", "b"]).stdout.contains("env A: nothing -> 1"));
    world.ok(&["build", "b"]);
    assert_eq!(world.ok(&["plan", "b"]).stdout, nothing);
    write(&with("A = \"2\""));
    assert!(world.ok(&["plan", "b"]).stdout.contains("env A: 1 -> 2"));
    // Another file in its place, older than the first.
    world.write("recipes/new", with("A = \"3\""));
    std::fs::rename(world.work("recipes/new"), &path).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert!(world.ok(&["plan", "b"]).stdout.contains("env A: 1 -> 3"));
}
