//! What a run does when something is not right: what goes on, what is said,
//! and with which exit code.

use crate::project::Project;
use crate::world::World;

fn failing_tests(project: Project) -> Project {
    let test = "import unittest\nclass T(unittest.TestCase):\n    def test_it(self): self.fail('no')\n";
    project.file("tests/test_it.py", test).recipe_says("[check]\nrunner = \"unittest\"\n")
}

#[test]
fn a_failing_test_gives_no_new_result_and_blocks_nobody() {
    let world = World::new(&[
        failing_tests(Project::new("base", "1.0")),
        Project::new("top", "1.0").needs("base").builds_with("base"),
    ]);
    let output = world.fails(1, &["build", "base"]);
    assert!(output.to_string().contains("check of base 1.0 failed"), "{output}");
    assert!(!world.work("result").is_symlink());
    // Not even one that needs it to build; and its own tests are not run there.
    world.ok(&["build", "top"]);
    assert!(world.work("result/dist/top-1.0-py3-none-any.whl").is_file());
    // With its tests asked for, they fail, and the wheels are made all the same.
    let output = world.fails(1, &["build", "top", "base", "--wheel-dir", "wheels"]);
    assert!(world.work("wheels/top-1.0-py3-none-any.whl").is_file(), "{output}");
    world.fails(1, &["check", "top", "--deps"]);
    world.ok(&["build", "base", "--no-check"]);
}

#[test]
fn the_imports_of_dependencies_are_checked_too() {
    let world = World::new(&[
        Project::new("bad", "1.0").code("import nowhere_at_all\n"),
        Project::new("top", "1.0").needs("bad").recipe_says("[check]\nimports = []\n"),
    ]);
    let output = world.fails(1, &["build", "top"]);
    assert!(output.to_string().contains("imports of bad 1.0 failed"), "{output}");
    assert!(output.to_string().contains("nowhere_at_all"), "{output}");
    assert!(!world.work("result").is_symlink());
}

#[test]
fn all_failures_are_told_and_the_gravest_decides_the_exit_code() {
    let world = World::new(&[
        Project::new("one", "1.0").hook("raise SystemExit('first')"),
        Project::new("two", "1.0").hook("raise SystemExit('second')"),
        Project::new("three", "1.0"),
    ]);
    world.index.trouble("three-1.0.tar.gz", crate::index::Trouble::Swapped(b"other".to_vec()));
    let output = world.fails(4, &["build", "one", "two", "three"]).to_string();
    for text in ["build of one 1.0", "build of two 1.0", "fetch of three 1.0"] {
        assert!(output.contains(text), "{text}: {output}");
    }
}

#[test]
fn broken_recipes_are_refused_before_anything_is_built() {
    let world = World::new(&[
        Project::new("sound", "1.0"),
        Project::new("wrong", "1.0").recipe_says("[meta]\nbroken = true\n"),
        Project::new("risky", "1.0").recipe_says("[meta]\nknown-vulnerabilities = [\"CVE-1\"]\n"),
    ]);
    let output = world.fails(2, &["build", "wrong"]).to_string();
    assert!(output.contains("error[W506]") && output.contains("`wrong 1.0` is marked as broken"), "{output}");
    assert!(output.contains("--allow-broken"), "{output}");
    assert_eq!(world.index.downloads(), 0);
    world.ok(&["build", "wrong", "--allow-broken"]);
    // Nobody named it.
    let output = world.ok(&["build", "--all"]).to_string();
    assert!(output.contains("left out wrong 1.0: it is marked as broken"), "{output}");
    assert!(output.contains("warning[W507]"), "{output}");
    assert!(output.contains("`risky 1.0` has known vulnerabilities: CVE-1"), "{output}");
}

#[test]
fn what_is_not_supported_says_so_though_the_wheel_was_built_before() {
    let world = World::new(&[Project::new("old", "1.0")]);
    world.ok(&["build", "old"]);
    let project = Project::new("old", "1.0");
    for (table, text) in [("[cargo]", "[cargo]\n"), ("[app]", "[app]\nwsgi = \"old:run\"\n")] {
        world.recipe("old-1.0", &project.clone().recipe_says(text).recipe());
        let output = world.fails(2, &["build", "old"]).to_string();
        assert!(output.contains(&format!("building with `{table}` is not supported yet")), "{output}");
    }
}

#[test]
fn a_lone_setup_py_without_build_requirements_is_told_what_to_add() {
    let world = World::empty();
    let project = Project::new("lone", "1.0").without("pyproject.toml").build_system(&[]);
    world.add(&project.file("setup.py", "from setuptools import setup\nsetup(name='lone', version='1.0')\n"));
    let output = world.fails(1, &["build", "lone"]).to_string();
    assert!(output.contains("add \"setuptools\" to `build-system`"), "{output}");
}

#[test]
fn source_phases_run_with_the_small_tools_alone() {
    let phases = "[phases]\npost-patch = \"\"\"\nsed -i s/1.0/1.0.post/ src/sub/__init__.py\n\
                  if command -v python3 python; then exit 1; fi\n\"\"\"\n";
    let world = World::new(&[Project::new("sub", "1.0").recipe_says(phases)]);
    world.ok(&["build", "sub"]);
    let module = format!("result/lib/python{}/site-packages/sub/__init__.py", crate::world::python_version());
    assert_eq!(world.read(&module), "VERSION = \"1.0.post\"\n");
}

#[test]
fn a_full_disk_is_the_machine_s_fault() {
    let hook = "import errno, os\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'x.o')\n";
    let world = World::new(&[Project::new("large", "1.0").hook(hook)]);
    let output = world.fails(3, &["build", "large"]).to_string();
    assert!(output.contains("hint: the disk is full"), "{output}");
}

#[test]
fn an_archive_that_breaks_a_rule_is_the_package_s_fault() {
    let world = World::empty();
    let bad = crate::project::raw_tar_gz(&[(tar::EntryType::Regular, "bad-1.0/../x", "", b"x")]);
    world.add(&Project::backend("1.0"));
    let project = Project::new("bad", "1.0");
    world.index.publish(&project);
    world.index.trouble("bad-1.0.tar.gz", crate::index::Trouble::Swapped(bad.clone()));
    world.recipe("bad-1.0", &project.recipe().replace(&project.hash(), &crate::project::sri(&bad)));
    let output = world.fails(1, &["build", "bad"]).to_string();
    assert!(output.contains("its name leaves the archive"), "{output}");
}
