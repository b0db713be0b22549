//! What a build leaves, and what is built again after which change.

use std::process::Command;

use expect_test::expect;

use crate::project::Project;
use crate::world::World;

/// hub <- spoke <- rim (run time).
fn wheel_parts() -> [Project; 3] {
    [
        Project::new("hub", "1.0"),
        Project::new("spoke", "1.0").needs("hub>=1").code("import hub\n"),
        Project::new("rim", "1.0").needs("spoke").code("import spoke\n"),
    ]
}

#[test]
fn a_library_is_built_and_importable_from_its_result() {
    let world = World::new(&[Project::new("hub", "1.0").console("hub", "hub:main")]);
    let output = world.ok(&["build", "hub"]);
    assert_eq!(output.stdout, "result\n");
    assert_eq!(world.python("import hub; print(hub.VERSION)"), "1.0");
    assert_eq!(world.wheels("result").keys().collect::<Vec<_>>(), ["hub-1.0-py3-none-any.whl"]);
    let facts: serde_json::Value =
        serde_json::from_str(&world.read("result/share/wheelwright/package.json")).unwrap();
    assert_eq!((facts["name"].as_str(), facts["version"].as_str()), (Some("hub"), Some("1.0")), "{facts}");
    assert!(world.work("result/bin/hub").exists());
    assert!(world.work("result").is_symlink());
}

#[test]
fn a_second_run_does_nothing_and_asks_nobody() {
    let world = World::new(&wheel_parts());
    assert!(!world.build(&["rim"]).ran().is_empty());
    let requests = world.index.requests();
    assert_eq!(world.build(&["rim"]).ran(), Vec::<String>::new());
    assert_eq!(world.index.requests(), requests);
}

#[test]
fn only_a_build_system_without_flags_of_its_own_is_told_the_interpreters() {
    let compiled = |name: &str| {
        let flags = format!("src/{name}/flags.py");
        Project::new(name, "1.0")
            .hook(&format!("import os\nopen({flags:?}, 'w').write('FLAGS = %r' % os.environ['CFLAGS'])\n"))
            .recipe_says("[external]\nbuild-requires = [\"virtual:compiler/c\"]\n")
    };
    let world = World::new(&[
        Project::new("meson-python", "999.0"),
        Project::new("setuptools", "999.0"),
        compiled("hub"),
        compiled("spoke").builds_with("meson-python"),
        compiled("rim").builds_with("meson-python").builds_with("setuptools"),
    ]);
    let of = |name: &str| {
        world.build(&[name]);
        world.python(&format!("import {name}.flags as m; print(m.FLAGS)"))
    };
    let seen = ["hub", "spoke", "rim"].map(of);
    let own = world.python("import sysconfig; print(sysconfig.get_config_var('CFLAGS'))");
    let own = own.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(own.contains("-fwrapv"), "no test without it: {own}");
    let ours = &seen[1];
    assert!(ours.starts_with("-g0 -ffile-prefix-map="), "{ours}");
    let both = format!("{own} {ours}");
    assert_eq!([&seen[0], &seen[2]], [&both, &both]);
}

#[test]
fn the_older_kind_of_index_serves_as_well() {
    let world = World::new(&[Project::new("Hub.Cap", "1.0")]);
    world.index.only_html();
    world.build(&["hub-cap"]);
    assert_eq!(world.python("import hub_cap; print(hub_cap.VERSION)"), "1.0");
}

#[test]
fn a_run_time_dependency_rebuilds_no_wheel_but_its_own() {
    let world = World::new(&wheel_parts());
    world.build(&["rim"]);
    std::fs::remove_file(world.work("recipes/hub-1.0.toml")).unwrap();
    world.add(&Project::new("hub", "1.1"));
    let why = world.ok(&["why", "rim"]);
    let output = world.build(&["rim"]);
    let built: Vec<String> = output.ran().into_iter().filter(|s| s.ends_with(" build")).collect();
    assert_eq!(built, ["hub 1.1 build"], "{output}");
    let checked: Vec<String> = output.ran().into_iter().filter(|s| s.ends_with(" imports")).collect();
    assert_eq!(checked, ["hub 1.1 imports", "rim 1.0 imports", "spoke 1.0 imports"], "{output}");
    assert!(why.stdout.contains("hub"), "{why}");
    assert_eq!(world.python("import sys; print(1)"), "1");
}

#[test]
fn a_changed_backend_rebuilds_and_an_identical_outcome_stops_there() {
    let world = World::new(&[Project::new("hub", "1.0")]);
    world.build(&["hub"]);
    // Only the sdist changes; the backend's wheel comes out the same.
    world.add(&Project::backend("1.0").file("NEWS", "nothing new\n"));
    let output = world.build(&["hub"]);
    let again: Vec<String> = output.ran().into_iter().filter(|s| s.starts_with("hub")).collect();
    assert_eq!(again, Vec::<String>::new(), "{output}");
    assert!(output.steps().iter().any(|(step, o)| step == "toy 1.0 build" && o != "reused"), "{output}");
    // Now its wheel changes as well.
    world.add(&Project::backend("1.0").file("src/toy_news.py", "NEWS = 1\n"));
    let why = world.ok(&["why", "hub"]);
    assert!(why.stdout.contains("toy"), "{why}");
    let output = world.build(&["hub"]);
    assert!(output.ran().contains(&"hub 1.0 build".to_owned()), "{output}");
}

#[test]
fn a_folder_is_rebuilt_when_its_files_change_and_not_when_its_recipe_s_comments_do() {
    let world = World::empty();
    let (toy, hub) = (Project::backend("1.0"), Project::new("hub", "1.0"));
    world.add(&toy);
    world.unpack("hub", &hub);
    world.write("wheelwright.toml", "[set]\nrecipes = [\"recipes\", \"hub\"]\n");
    world.write("hub/hub.toml", hub.path_recipe("."));
    assert!(world.build(&["hub"]).ran().contains(&"hub 1.0 build".to_owned()));
    world.write("hub/hub.toml", format!("# a remark\n{}", hub.path_recipe(".")));
    assert_eq!(world.build(&["hub"]).ran(), Vec::<String>::new());
    world.write("hub/src/hub/__init__.py", "VERSION = 'changed'\n");
    assert!(world.build(&["hub"]).ran().contains(&"hub 1.0 build".to_owned()));
    assert_eq!(world.python("import hub; print(hub.VERSION)"), "changed");
}

#[test]
fn one_run_reports_every_failure_and_builds_what_it_can() {
    let world = World::new(&[
        Project::new("bad-a", "1.0").hook("raise SystemExit('a is broken')\n"),
        Project::new("bad-b", "1.0").hook("raise ValueError('b is broken')\n"),
        Project::new("good", "1.0"),
        Project::new("after", "1.0").builds_with("bad-a"),
    ]);
    let output = world.fails(1, &["build", "--json", "bad-a", "bad-b", "good", "after"]);
    let mut failed = output.with_outcome("failed");
    failed.retain(|s| s.ends_with("build"));
    assert_eq!(failed, ["bad-a 1.0 build", "bad-b 1.0 build"], "{output}");
    assert!(output.ran().contains(&"good 1.0 build".to_owned()), "{output}");
    assert!(output.with_outcome("skipped").contains(&"after 1.0 build".to_owned()), "{output}");
    output.says(&["a is broken"]).says(&["b is broken"]).says(&["after 1.0"]);
    assert!(!world.work("result").exists());
    // Only what failed is tried again.
    let again = world.fails(1, &["build", "--json", "bad-a", "bad-b", "good", "after"]);
    assert_eq!(again.ran(), Vec::<String>::new(), "{again}");
}

#[test]
fn a_failing_test_makes_no_new_result_and_blocks_no_dependent() {
    let failing = "[check]\nrunner = \"command\"\n[phases]\ncheck = \"echo the spokes are loose; exit 1\"\n";
    let world = World::new(&[
        Project::new("hub", "1.0").recipe_says(failing),
        Project::new("rim", "1.0").needs("hub"),
    ]);
    let output = world.fails(1, &["build", "hub"]);
    output.says(&["the spokes are loose"]);
    assert!(!world.work("result").exists());
    world.ok(&["build", "rim"]);
    world.ok(&["build", "hub", "--no-check", "-o", "unchecked"]);
    assert!(world.work("unchecked/dist").is_dir());
    world.fails(1, &["check", "rim", "--deps"]);
}

#[test]
fn an_application_exposes_its_own_executables_with_its_own_closure() {
    let app = Project::new("bike", "1.0")
        .application()
        .needs("hub")
        .code("import os\ndef main():\n    import hub\n    print(hub.VERSION, os.environ['GEARS'])\n")
        .console("bike", "bike:main")
        .script("bell.py", "#!python\nimport subprocess, sys\nsubprocess.check_call([sys.executable, '-c', 'import hub; print(hub.VERSION)'])\n")
        .recipe_says("[wrap]\nset = { GEARS = \"21\" }\n");
    let world = World::new(&[Project::new("hub", "1.0").console("hub", "hub:main"), app]);
    world.ok(&["build", "bike"]);
    let mut names: Vec<String> = std::fs::read_dir(world.work("result/bin"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| !n.starts_with('.'))
        .collect();
    names.sort();
    assert_eq!(names, ["bell.py", "bike"]);
    let say = |name: &str| {
        let output = Command::new(world.work("result/bin").join(name)).env_clear().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(say("bike"), "1.0 21\n");
    assert_eq!(say("bell.py"), "1.0\n");
}

#[test]
fn an_application_that_runs_writes_nothing_into_the_store() {
    let say =
        "def main():\n    import os\n    print(os.path.realpath(__file__), os.path.exists(__cached__))\n";
    let world =
        World::new(&[Project::new("bike", "1.0").application().code(say).console("bike", "bike:main")]);
    world.ok(&["build", "bike"]);
    let output = Command::new(world.work("result/bin/bike")).env_clear().output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // Beside its byte code, so that root's interpreter need not write any.
    assert!(said.contains("/store/local/") && said.ends_with(" True\n"), "{said} {output:?}");
    world.ok(&["store", "verify"]);
}

/// Byte code in the store of a module.
fn byte_code(world: &World, module: &str) -> usize {
    let script = "find \"$0\" -path \"*/$1/__pycache__/*.pyc\" | wc -l";
    let found =
        Command::new("sh").args(["-c", script]).arg(world.path("store")).arg(module).output().unwrap();
    String::from_utf8_lossy(&found.stdout).trim().parse().unwrap()
}

#[test]
fn only_what_runs_more_than_once_is_compiled() {
    let world = World::new(&wheel_parts());
    let built = world.build(&["--no-link", "rim"]);
    assert!(built.ran().contains(&"rim 1.0 imports".to_owned()), "{built}");
    assert_eq!((byte_code(&world, "rim"), byte_code(&world, "hub")), (0, 0));
    world.ok(&["run", "rim", "--", "python", "-c", "import rim"]);
    assert!(byte_code(&world, "rim") > 0 && byte_code(&world, "hub") > 0);
}

#[test]
fn imports_are_checked_with_the_byte_code_that_a_result_needs_anyway() {
    let code = "import os\nassert os.path.exists(__cached__), 'it is compiled once more'\n";
    let world = World::new(&[
        Project::new("hub", "1.0").code(code),
        Project::new("rim", "1.0").needs("hub").code("import hub\n"),
    ]);
    let built = world.build(&["rim"]);
    assert!(built.ran().contains(&"rim 1.0 imports".to_owned()), "{built}");
}

#[test]
fn wheels_alone_are_neither_installed_nor_checked() {
    let world = World::new(&wheel_parts());
    let built = world.build(&["rim", "--wheels-only", "--wheel-dir", "wheels"]);
    let ran = built.ran();
    for package in ["hub 1.0", "spoke 1.0", "rim 1.0"] {
        assert!(ran.contains(&format!("{package} finish")), "{built}");
        for step in ["install", "verify", "imports"] {
            assert!(!ran.contains(&format!("{package} {step}")), "{built}");
        }
    }
    let mut wheels: Vec<String> = std::fs::read_dir(world.work("wheels"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    wheels.sort();
    assert_eq!(wheels, ["hub", "rim", "spoke"].map(|name| format!("{name}-1.0-py3-none-any.whl")));
    assert!(!world.work("result").is_symlink());
    world.fails(2, &["build", "rim", "--wheels-only", "--out-link", "there"]);
}

#[test]
fn a_running_application_keeps_its_own_build_when_result_points_elsewhere() {
    let say = "import os, sys\ndef main():\n    os.unlink(sys.argv[1])\n    os.symlink('/nowhere', sys.argv[1])\n\
               \x20   import bike.late, subprocess\n    print(bike.late.SAY, flush=True)\n\
               \x20   subprocess.check_call([sys.executable, '-c', 'import bike.late'])\n";
    let app = Project::new("bike", "1.0").application().code(say).console("bike", "bike:main");
    let world = World::new(&[app.file("src/bike/late.py", "SAY = 'still here'\n")]);
    for program in ["result/bin/bike", "result/libexec/env/bin/bike"] {
        world.ok(&["build", "bike"]);
        let mut command = Command::new(world.work(program));
        let output = command.arg(world.work("result")).env_clear().output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "still here\n", "{program}: {output:?}");
        assert!(output.status.success(), "{program}: {output:?}");
    }
}

#[test]
fn install_phases_may_link_and_rename_executables() {
    let said = "#!python\nimport hub, os, sys\nprint(hub.VERSION, os.path.basename(sys.argv[0]))\n";
    let phases = "[phases]\npost-install = \"\"\"\nmv $out/bin/turn $out/bin/spin\n\
        ln -s spin $out/bin/whirl\nmkdir -p $out/lib/hub\nmv $out/bin/roll $out/lib/hub/main.py\n\
        ln -s ../lib/hub/main.py $out/bin/roll\n\"\"\"\n";
    let hub = Project::new("hub", "1.0").script("turn", said).script("roll", said);
    let world = World::new(&[hub.recipe_says(phases)]);
    world.build(&["hub"]);
    let mut said: Vec<String> = std::fs::read_dir(world.work("result/bin"))
        .unwrap()
        .map(|e| {
            let output = Command::new(e.unwrap().path()).env_clear().output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
        .collect();
    said.sort();
    assert_eq!(said, ["1.0 roll\n", "1.0 spin\n", "1.0 whirl\n"]);
    let dangling = "[phases]\npost-install = \"ln -s hub-run $out/bin/hub-too\"\n";
    world.add(&Project::new("hub", "1.0").console("hub-run", "hub:main").recipe_says(dangling));
    let output = world.fails(1, &["build", "hub"]);
    output
        .says(&["the link `bin/hub-too` -> `hub-run` leads to no file of the install", "add an entry point"]);
}

#[test]
fn environments_hold_packages_side_by_side() {
    let world = World::new(&[
        Project::new("hub", "1.0"),
        Project::new("saddle", "2.0").console("saddle", "saddle:main"),
    ]);
    world.ok(&["env", "hub", "saddle", "--out", "venv"]);
    let output = Command::new(world.work("venv/bin/python"))
        .args(["-I", "-c", "import hub, saddle; print(hub.VERSION, saddle.VERSION)"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1.0 2.0\n", "{output:?}");
    assert!(world.work("venv/bin/saddle").exists());
    let config = world.read("venv/pyvenv.cfg");
    assert!(config.contains("include-system-site-packages = false"), "{config}");
    let ran = world.ok(&[
        "run",
        "hub",
        "saddle",
        "--",
        "python",
        "-c",
        "import hub, saddle; print(saddle.VERSION)",
    ]);
    assert_eq!(ran.stdout, "2.0\n");
    let code = world.run(&["run", "hub", "--", "python", "-c", "raise SystemExit(7)"]);
    assert_eq!(code.code, Some(7), "{code}");
}

#[test]
fn an_environment_says_where_its_own_members_came_from() {
    let world = World::empty();
    world.add(&Project::backend("1.0"));
    let (old, new) = (Project::new("hub", "1.0"), Project::new("hub", "2.0"));
    world.unpack("the old one", &old);
    world.unpack("new", &new);
    world.recipe("hub-1", &old.path_recipe("../the old one"));
    world.recipe("hub-2", &new.path_recipe("../new"));
    let say = "import importlib.metadata as m; print(m.distribution('hub').read_text('direct_url.json'))";
    world.ok(&["env", "hub==1.0", "--out", "venv"]);
    let output = Command::new(world.work("venv/bin/python")).args(["-I", "-c", say]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.trim_end().ends_with("/work/the%20old%20one\"}"), "{said}");
    let frozen = world.ok(&["run", "hub==2.0", "--", "python", "-c", say]).stdout;
    assert!(frozen.trim_end().ends_with("/work/new\"}"), "{frozen}");
}

#[test]
fn an_environment_says_which_commit_its_members_are_from() {
    let world = World::empty();
    world.add(&Project::backend("1.0"));
    let hub = Project::new("hub", "1.0");
    world.unpack("origin", &hub);
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(args).current_dir(world.work("origin")).env("HOME", world.path("home"));
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "a").env(format!("GIT_{who}_EMAIL"), "a@example.org");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "one"]);
    git(&["tag", "v1.0"]);
    let address = format!("file://{}", world.work("origin").display());
    let source = format!("git = \"{address}\"\ntag = \"v1.0\"\nhash = \"\"");
    world.recipe("hub-1.0", &hub.path_recipe(".").replace("path = \".\"", &source));
    let say = "import importlib.metadata as m; print(m.distribution('hub').read_text('direct_url.json'))";
    for (out, flags) in [("first", &["--accept-hash"][..]), ("second", &[])] {
        // The second time nothing is fetched: the store remembers.
        world.ok(&[&["env", "hub", "--out", out], flags].concat());
        let python = world.work(out).join("bin/python");
        let output = Command::new(python).args(["-I", "-c", say]).output().unwrap();
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected = serde_json::json!({
            "url": address,
            "vcs_info": {
                "vcs": "git", "requested_revision": "v1.0", "commit_id": git(&["rev-parse", "HEAD"])
            },
        });
        assert_eq!(said, expected);
    }
}

#[test]
fn what_is_edited_in_a_working_environment_counts() {
    let world = World::new(&[Project::new("hub", "1.0").file("src/axle.py", "VERSION = 'old'\n")]);
    world.ok(&["env", "hub", "--out", "venv"]);
    let site = format!("venv/lib/python{}/site-packages", crate::world::python_version());
    for file in ["axle.py", "hub/__init__.py"] {
        world.write(&format!("{site}/{file}"), "VERSION = 'new'\n");
    }
    let code = "import axle, hub; print(axle.VERSION, hub.VERSION)";
    let output = Command::new(world.work("venv/bin/python")).args(["-I", "-c", code]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "new new\n", "{output:?}");
    assert_eq!(world.ok(&["run", "hub", "--", "python", "-c", code]).stdout, "old 1.0\n");
    // The interpreter wrote new byte code there: in the place of its links.
    world.ok(&["store", "verify"]);
    world.ok(&["env", "hub", "--out", "second"]);
    let output = Command::new(world.work("second/bin/python")).args(["-I", "-c", code]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "old 1.0\n", "{output:?}");
}

#[test]
fn an_environment_says_what_a_member_lacks() {
    let world = World::new(&[Project::new("hub", "1.0").needs_without_saying("spoke>=2")]);
    for args in [&["env", "hub", "--out", "venv"][..], &["run", "hub", "--", "python", "-V"]] {
        let output = world.run(args);
        assert_eq!(output.code, Some(1), "{output}");
        output.says(&["`hub` requires `spoke>=2`, which is not in its closure"]);
    }
    assert!(!world.work("venv").exists());
}

#[test]
fn versions_are_chosen_per_closure() {
    let world = World::new(&[
        Project::new("hub", "1.0"),
        Project::new("hub", "2.0"),
        Project::new("old", "1.0").needs("hub<2").code("import hub\nassert hub.VERSION == '1.0'\n"),
        Project::new("new", "1.0").needs("hub").code("import hub\nassert hub.VERSION == '2.0'\n"),
    ]);
    world.build(&["old", "new"]);
    let output = world.ok(&["show", "--closure", "old"]);
    assert!(output.stdout.contains("hub") && output.stdout.contains("hub<2"), "{output}");
    let plan = world.ok(&["plan", "old", "new"]);
    assert!(!plan.stdout.is_empty() && plan.stderr.is_empty(), "{plan}");
}

#[test]
fn the_plan_runs_nothing() {
    let world = World::new(&wheel_parts());
    let plan = world.ok(&["build", "--dry-run", "rim"]);
    for name in ["toy 1.0", "hub 1.0", "spoke 1.0", "rim 1.0"] {
        assert!(plan.stdout.contains(name), "{plan}");
    }
    assert_eq!(world.index.downloads(), 0);
    assert!(!world.work("result").exists());
}

#[test]
fn extras_and_a_base_package_work_together() {
    let world = World::new(&[
        Project::new("hub", "1.0").recipe_says("[optional-dependencies]\nlight = [\"dynamo\"]\n"),
        Project::new("dynamo", "1.0"),
        Project::new("bike", "1.0").needs("hub[light]").code("import dynamo\n"),
    ]);
    let output = world.build(&["bike"]);
    assert!(output.ran().contains(&"dynamo 1.0 build".to_owned()), "{output}");
    let tree = world.ok(&["tree", "bike"]);
    expect![[r#"
        bike 1.0
        └── hub 1.0 (hub[light])
            └── dynamo 1.0 (dynamo)
    "#]]
    .assert_eq(&tree.stdout);
    let code = "import hub, dynamo; print(dynamo.VERSION)";
    assert_eq!(world.ok(&["run", "hub[light]", "--", "python", "-c", code]).stdout, "1.0\n");
    world.ok(&["env", "hub[light]", "--out", "venv"]);
    let output = Command::new(world.work("venv/bin/python")).args(["-I", "-c", code]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1.0\n", "{output:?}");
}

#[test]
fn the_wheels_of_the_closure_are_given_out_also_when_nothing_is_built() {
    let world = World::new(&[Project::new("hub", "1.0"), Project::new("rim", "1.0").needs("hub")]);
    let names = |folder: &str| {
        let folder = world.path(folder);
        world.ok(&["build", "rim", "--no-link", "--wheel-dir", folder.to_str().unwrap()]);
        let entries = std::fs::read_dir(&folder).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let first = names("first");
    assert_eq!(first, ["hub-1.0-py3-none-any.whl", "rim-1.0-py3-none-any.whl"]);
    assert_eq!(names("second"), first);
}
