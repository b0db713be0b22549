//! What of the set a command line touches: extras, tests, paths, whole
//! environments.

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
fn without_checks_nobody_needs_what_tests_need() {
    let world = World::new(&[tested("lone", "nowhere")]);
    let output = world.fails(2, &["build", "lone"]).to_string();
    assert!(output.contains("error[W401]"), "{output}");
    world.ok(&["build", "lone", "--no-check"]);
    world.ok(&["run", "lone", "--", "python", "-c", "import lone"]);
    world.ok(&["env", "lone", "--out", "env"]);
}
