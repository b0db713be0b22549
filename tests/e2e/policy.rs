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
fn a_check_sees_the_host_s_programs_where_some_are_declared() {
    let code = "import shutil\nif not shutil.which('cc'): raise ImportError('no cc')\n";
    let project = Project::new("runs", "1.0").code(code);
    let world = World::new(std::slice::from_ref(&project));
    let output = world.fails(1, &["build", "runs"]).to_string();
    assert!(output.contains("imports of runs 1.0 failed") && output.contains("no cc"), "{output}");
    let declared = project.recipe_says("[external]\ndependencies = [\"pkg:generic/cc\"]\n");
    world.recipe("runs-1.0", &declared.recipe());
    world.ok(&["build", "runs"]);
}

#[test]
fn a_module_that_an_extra_is_for_is_no_failure() {
    // A folder without __init__.py: each module in it is one of the wheel's own.
    let project = Project::new("spread", "1.0")
        .without("src/spread/__init__.py")
        .file("src/spread/plain.py", "")
        .file("src/spread/more.py", "import grpc\n");
    let world = World::new(&[project.clone().needs_without_saying("grpcio; extra == 'more'")]);
    world.ok(&["build", "spread"]);
    let world = World::new(&[project.needs_without_saying("grpcio-other; extra == 'more'")]);
    let output = world.fails(1, &["build", "spread"]).to_string();
    assert!(output.contains("hint: add \"grpcio\" to `dependencies`"), "{output}");
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

#[test]
fn a_link_or_folder_that_cannot_be_written_is_told_before_anything_is_built() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.write("result", "mine");
    let output = world.fails(2, &["build", "hub"]);
    output.says(&["failed to link `[ROOT]/work/result`", "no link stands there", "--out-link"]);
    world.fails(3, &["build", "hub", "--no-link", "--wheel-dir", "result"]).says(&["result"]);
    assert_eq!(world.index.downloads(), 0);
    assert_eq!(world.read("result"), "mine");
}

#[test]
fn a_report_that_cannot_be_written_hides_nothing_of_the_run() {
    let world = World::new(&[Project::new("bad", "1.0").hook("raise SystemExit('a is broken')\n")]);
    let output = world.fails(3, &["build", "bad", "--json", "--report", "md=no/such/folder.md"]);
    output.says(&["build of bad 1.0 failed", "a is broken", "failed to write the report"]);
    assert!(output.with_outcome("failed").contains(&"bad 1.0 build".to_owned()), "{output}");
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["troubles"][0]["exit_code"], 3, "{output}");
}

#[test]
fn an_environment_is_reported_like_a_build() {
    let world = World::new(&[Project::new("hub", "1.0").file("src/hub-start.pth", "import sys\n")]);
    let output = world.ok(&["env", "hub", "--out", "venv", "--json", "--report", "md=report.md"]);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["results"][0], "[ROOT]/work/venv", "{output}");
    assert!(output.ran().contains(&"hub 1.0 build".to_owned()), "{output}");
    assert!(world.read("report.md").contains("| hub | hub-start.pth |"), "{}", world.read("report.md"));
    // A build tells the same, and again when nothing is built.
    for _ in 0..2 {
        world.ok(&["build", "hub"]).says(&["`hub-start.pth` of hub 1.0 runs at every start"]);
    }
    let report: serde_json::Value = serde_json::from_str(&world.build(&["hub"]).stdout).unwrap();
    assert_eq!(report["start_up"][0]["file"], "hub-start.pth");
    assert_eq!(report["results"][0], "[ROOT]/work/result");
}

#[test]
fn two_versions_of_a_name_have_a_link_and_a_log_each() {
    let old = Project::new("hub", "1.0").hook("print('this is the old one')\n");
    let new = Project::new("hub", "2.0").hook("print('this is the new one')\n");
    let world = World::new(&[old, new, Project::new("rim", "1.0")]);
    let output = world.ok(&["build", "hub==1.0", "hub==2.0", "rim"]);
    assert_eq!(output.stdout, "result-hub-1.0\nresult-hub-2.0\nresult-rim\n");
    for link in ["result-hub-1.0", "result-hub-2.0", "result-rim"] {
        assert!(world.work(link).join("dist").is_dir(), "{link}");
    }
    assert!(world.ok(&["log", "Hub==1.0"]).stdout.contains("the old one"));
    assert!(world.ok(&["log", "hub==2.0"]).stdout.contains("the new one"));
    assert!(world.ok(&["log", "HUB"]).stdout.contains("this is the"));
    world.ok(&["log", "rim==1.0"]);
    world.fails(2, &["log", "hub==3.0"]).says(&["logs of `build` were kept of hub==1.0, hub==2.0\n"]);
    let log: serde_json::Value = serde_json::from_str(&world.ok(&["log", "rim", "--json"]).stdout).unwrap();
    assert_eq!((log["package"].as_str(), log["step"].as_str()), (Some("rim"), Some("build")));
}

#[test]
fn the_hint_for_a_log_is_a_command_that_works() {
    let world = World::new(&[
        Project::new("hub", "1.0").hook("raise SystemExit('broken 1')\n"),
        Project::new("hub", "2.0").hook("raise SystemExit('broken 2')\n"),
    ]);
    let output = world.fails(1, &["build", "hub==1.0", "hub==2.0"]);
    output.says(&["`wheelwright log hub==1.0`"]);
    assert!(world.ok(&["log", "hub==1.0"]).stdout.contains("broken 1"));
    assert!(world.ok(&["log", "hub==2.0"]).stdout.contains("broken 2"));
}

#[test]
fn a_log_is_that_of_the_set_at_hand_not_of_another_checkout() {
    let world = World::new(&[Project::new("hub", "1.0").hook("print('good here')\n")]);
    world.ok(&["build", "hub"]);
    let recipe = world.read("recipes/hub-1.0.toml");
    world.add(&Project::new("hub", "1.0").hook("raise SystemExit('bad there')\n"));
    world.fails(1, &["build", "hub"]);
    let log = world.ok(&["log", "hub"]);
    assert!(log.stdout.contains("bad there"), "{log}");
    log.does_not_say("note:");
    world.recipe("hub-1.0", &recipe);
    assert_eq!(world.build(&["hub"]).ran(), Vec::<String>::new());
    let log = world.ok(&["log", "hub"]);
    assert!(log.stdout.contains("good here"), "{log}");
    log.does_not_say("note:");
    // What was never built here is told of with its date and how it ended.
    world.add(&Project::new("hub", "1.0").hook("print('new')\n"));
    world.ok(&["log", "hub"]).says(&[
        "note: this log was written on ",
        " UTC and is of a failure",
        "stands here now",
    ]);
}

#[test]
fn the_log_of_each_build_is_printed_when_everything_is_to_be_said() {
    let world = World::new(&[
        Project::new("good", "1.0").hook("print('a good word')\n"),
        Project::new("bad", "1.0").hook("print('a bad word')\nraise SystemExit(1)\n"),
    ]);
    let output = world.fails(1, &["build", "-v", "good", "bad", "--jobs", "1"]);
    output.says(&["built good 1.0", "| a good word"]);
    output.says(&["FAILED bad 1.0", "        | a bad word"]);
    world.ok(&["build", "-v", "good"]).does_not_say("a good word");
}

#[test]
fn what_fail_fast_did_not_start_is_reported() {
    let world = World::new(&[
        Project::new("aa", "1.0").hook("raise SystemExit('no')\n"),
        Project::new("bb", "1.0"),
        Project::new("cc", "1.0"),
    ]);
    let plan: serde_json::Value =
        serde_json::from_str(&world.ok(&["plan", "--json", "aa", "bb", "cc"]).stdout).unwrap();
    let args = ["build", "--json", "--fail-fast", "--jobs", "1", "aa", "bb", "cc"];
    let output = world.fails(1, &args);
    let not_started = output.with_outcome("not-started");
    assert!(not_started.iter().any(|s| s.ends_with(" build")), "{output}");
    output.says(&["not started after the first failure: "]);
    let planned = plan["steps"].as_array().unwrap().len();
    assert_eq!(output.steps().len(), planned, "each step is in the report once");
}

#[test]
fn verbs_that_look_answer_in_json() {
    let world = World::new(&[
        Project::new("hub", "1.0").recipe_says("[optional-dependencies]\nlight = [\"lamp\"]\n"),
        Project::new("lamp", "1.0"),
        Project::new("rim", "1.0").needs("hub").recipe_says("[meta]\nknown-vulnerabilities = [\"CVE-1\"]\n"),
        Project::new("off", "1.0").recipe_says("[meta]\nbroken = true\n"),
    ]);
    let ask = |args: &[&str]| -> serde_json::Value {
        let output = world.run(&[args, &["--json"]].concat());
        serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}\n{output}"))
    };
    assert_eq!(ask(&["show", "hub"])["values"][0]["key"], "pname");
    let closure = ask(&["show", "hub[light]", "--closure"]);
    let names: Vec<_> = closure["members"].as_array().unwrap().iter().map(|m| &m["pname"]).collect();
    assert_eq!(names, ["hub", "lamp"], "the extra counts: {closure}");
    assert_eq!(ask(&["tree", "hub", "rim"])["trees"].as_array().unwrap().len(), 2);
    let plan = ask(&["plan", "--all"]);
    assert_eq!(plan["findings"][0]["code"], "W507", "{plan}");
    assert_eq!(plan["left_out"][0]["package"], "off 1.0", "{plan}");
    assert_eq!(ask(&["why", "nobody"])["findings"][0]["severity"], "error");
    assert_eq!(ask(&["plan", "nobody"])["ok"], false);
    assert_eq!(ask(&["show", "nobody"])["ok"], false);
    assert_eq!(ask(&["store", "verify"])["ok"], true);
    assert_eq!(ask(&["gc", "--dry-run"])["dry_run"], true);
    world.write("recipes/odd.toml", "version   = \"1\"\npname = \"odd\"\nsource.path = \".\"\n");
    let formatted = ask(&["fmt", "--check", "recipes/odd.toml"]);
    assert_eq!((&formatted["check"], &formatted["changed"][0]), (&true.into(), &"recipes/odd.toml".into()));
    std::fs::remove_file(world.work("recipes/odd.toml")).unwrap();
    let added = ask(&["add", "--no-solve", "nobody"]);
    assert_eq!(added["recipes"][0]["error"]["exit_code"], 2, "{added}");
    // And in words.
    world.ok(&["plan", "--all"]).says(&["known vulnerabilities", "left out off 1.0"]);
}

#[test]
fn a_tree_of_several_packages_and_of_extras() {
    let world = World::new(&[
        Project::new("hub", "1.0").recipe_says("[optional-dependencies]\nlight = [\"lamp\"]\n"),
        Project::new("lamp", "1.0"),
    ]);
    let output = world.ok(&["tree", "lamp", "hub[light]"]);
    assert_eq!(output.stdout, "lamp 1.0\nhub 1.0 [light]\n└── lamp 1.0 (lamp)\n");
    let all = world.ok(&["tree", "--all"]).stdout;
    assert_eq!(all.lines().filter(|l| !l.starts_with(['└', '├', ' '])).count(), 3, "{all}");
}

#[test]
fn the_user_s_command_has_the_user_s_umask() {
    let mut world = World::new(&[Project::new("hub", "1.0")]);
    world.umask("077");
    let output = world.ok(&["run", "hub", "--", "/bin/sh", "-c", "umask"]);
    assert_eq!(output.stdout.trim_start_matches('0'), "77\n");
}

#[test]
fn a_project_of_another_name_is_found_again_offline() {
    let project = Project::new("hub-x", "1.0").wheel_says("hub", "1.0");
    let world = World::empty();
    world.add(&Project::backend("1.0"));
    world.index.publish(&project);
    let recipe = project.recipe().replace("pname = \"hub-x\"", "pname = \"hub\"");
    world.recipe("hub-1.0", &recipe);
    world.ok(&["build", "hub"]);
    let requests = world.index.requests();
    // A package of another name has another step, and the same file: it is
    // there. (What is built from it is not of that name, which ends the run.)
    world.recipe("knob-1.0", &recipe.replace("pname = \"hub\"", "pname = \"knob\""));
    let output = world.fails(1, &["build", "knob", "--offline", "--no-link", "--json"]);
    assert!(output.ran().contains(&"knob 1.0 fetch".to_owned()), "{output}");
    assert_eq!(world.index.requests(), requests);
}

#[test]
fn a_patch_that_changes_during_the_run_is_not_built_from() {
    let world = World::empty();
    world.add(&Project::backend("1.0"));
    let patch = world.work("recipes/fix.patch");
    let phases = format!("[phases]\npre-patch = \"echo >> '{}'\"\n", patch.display());
    let hub = Project::new("hub", "1.0").recipe_says(&phases);
    world.index.publish(&hub);
    let with_patch = hub.recipe().replace("[source]", "[source]\npatches = [\"fix.patch\"]");
    world.recipe("hub-1.0", &with_patch);
    std::fs::write(
        &patch,
        "--- a/new.txt\n+++ b/new.txt\n@@ -0,0 +1 @@\n+new\n".replace("a/new.txt", "/dev/null"),
    )
    .unwrap();
    // Without a wall the phase reaches the file itself.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&patch, mode).unwrap();
    let output = world.fails(1, &["build", "hub", "--isolation", "env"]);
    output.says(&["the patch `fix.patch` changed while it was read"]);
}
