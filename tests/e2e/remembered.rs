//! A question that is asked again: the answer is that of a run, and a run is
//! made as soon as anything changed.
//!
//! Knows where answers are kept, and colours them there: what is told then
//! says by itself where it came from.

use crate::output::Output;
use crate::project::Project;
use crate::world::{World, python};

fn database(world: &World) -> rusqlite::Connection {
    rusqlite::Connection::open(world.path("store/state.sqlite")).unwrap()
}

/// How many answers name `hub 1.0`; from now on they name `dyed 1.0`.
fn dye(world: &World) -> usize {
    let change = "UPDATE memories SET value = replace(value, 'hub 1.0', 'dyed 1.0')
                  WHERE namespace = 'answer' AND value LIKE '%hub 1.0%'";
    database(world).execute(change, []).unwrap()
}

fn is_dyed(output: &Output) -> bool {
    output.stdout.contains("dyed 1.0")
}

/// `hub` and what it needs, with something that is told at each run.
fn world() -> World {
    let hub = Project::new("hub", "1.0").needs("spoke").code("import spoke\n").console("hub", "hub:main");
    let hub = hub.recipe_says("[meta]\nknown-vulnerabilities = [\"it squeaks\"]\n");
    World::new(&[hub, Project::new("spoke", "1.0")])
}

/// All that a run tells but for its time.
fn told(world: &World, args: &[&str]) -> (Option<i32>, serde_json::Value, String) {
    let output = world.run(args);
    let mut report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap_or_default();
    report["seconds"] = 0.into();
    (output.code, report, world.redactions().apply(&output.stderr))
}

#[test]
fn the_answer_is_that_of_a_run() {
    let world = world();
    for verb in [&["build", "hub", "spoke"][..], &["build", "--no-link", "hub"], &["check", "hub"]] {
        let args = [&["--json"], verb].concat();
        let links = || std::fs::read_link(world.work("result-hub")).ok();
        // After the run that builds, and after one that found all there.
        let after = |what: &str| {
            assert_eq!(dye(&world), 1, "{verb:?} is remembered after {what}");
            assert!(is_dyed(&world.ok(&args)), "{verb:?} is answered after {what}");
            database(&world)
                .execute("UPDATE memories SET value = replace(value, 'dyed', 'hub')", [])
                .unwrap();
            (told(&world, &args), links())
        };
        world.ok(&args);
        let of_build = after("a build");
        forget(&world);
        let run = (told(&world, &args), links());
        assert_eq!(of_build, run);
        assert_eq!(after("a look"), run);
        world.ok(&["gc"]);
    }
    // Also where it is told to people.
    let text = |args: &[&str]| {
        let output = world.ok(args);
        (output.stdout.clone(), world.redactions().apply(&output.stderr))
    };
    world.ok(&["build", "hub"]);
    forget(&world);
    let run = text(&["build", "hub"]);
    assert!(run.1.contains("it squeaks"), "{run:?}");
    assert_eq!(dye(&world), 1);
    let (result, talk) = text(&["build", "hub"]);
    assert!(talk.contains("`dyed 1.0` has known"), "{talk}");
    assert_eq!((result, talk.replace("dyed", "hub")), run);
}

/// The next run is made.
fn forget(world: &World) {
    database(world).execute("DELETE FROM memories WHERE namespace = 'answer'", []).unwrap();
}

/// Runs, and shows that it is answered from memory from then on.
fn remember(world: &World, args: &[&str], before: &str) {
    world.ok(args);
    assert!(dye(world) > 0, "it is remembered, before: {before}");
    let output = world.ok(args);
    assert!(is_dyed(&output), "{output}");
}

/// Something that calls for a run.
type Change = (&'static str, fn(&mut World));

#[test]
fn whatever_changes_calls_for_a_run() {
    let args = ["--json", "build", "hub"];
    let changes: &[Change] = &[
        ("a recipe of as many bytes", |w| {
            let text = w.read("recipes/spoke-1.0.toml");
            w.write("recipes/spoke-1.0.toml", text.replacen("#1", "#2", 1));
        }),
        ("a recipe more", |w| w.recipe("other", "")),
        ("a folder of recipes more", |w| w.write("recipes/more/x.toml", "")),
        ("the workspace", |w| w.write("wheelwright.toml", "[set]\nrecipes = [\"recipes\"] #\n")),
        ("a variable", |w| {
            let path = format!("{}:/nowhere", std::env::var("PATH").unwrap_or_default());
            w.set("PATH", path);
        }),
        ("no link", |w| std::fs::remove_file(w.work("result")).unwrap()),
        ("a collection", |w| drop(w.ok(&["gc"]))),
        ("a tree less", |w| {
            let site = std::fs::canonicalize(w.work("result/lib")).unwrap();
            assert!(site.starts_with(w.path("store/envs")));
            let trees = w.path("store/trees");
            for folder in std::fs::read_dir(&trees).unwrap() {
                std::fs::rename(folder.unwrap().path(), w.path("gone")).unwrap();
                let _ = std::process::Command::new("chmod").args(["-R", "u+w"]).arg(w.path("gone")).status();
                std::fs::remove_dir_all(w.path("gone")).unwrap();
            }
        }),
    ];
    let mut world = world();
    let text = world.read("recipes/spoke-1.0.toml");
    world.write("recipes/spoke-1.0.toml", format!("#1\n{text}"));
    for (what, change) in changes {
        remember(&world, &args, what);
        change(&mut world);
        let output = world.run(&args);
        assert!(!is_dyed(&output), "{what}: {output}");
        let _ = std::fs::remove_file(world.work("recipes/other.toml"));
        let _ = std::fs::remove_dir_all(world.work("recipes/more"));
    }
    let other = world.ok(&["--json", "build", "hub", "--no-check"]);
    assert!(!is_dyed(&other), "{other}");
}

#[test]
fn what_changes_while_it_is_built_calls_for_a_run() {
    for (what, change) in [
        ("nothing", "pass"),
        ("a file that went", "os.remove('recipes/elsewhere/wheelwright.toml')"),
        ("another folder", "os.rename('recipes/elsewhere', 'aside'); os.mkdir('recipes/elsewhere')"),
        ("a recipe", "open('recipes/hub-1.0.toml', 'a').write('#')"),
    ] {
        let world = World::new(&[]);
        // What this says is old, so that its times tell what became of it.
        std::fs::create_dir(world.work("recipes/elsewhere")).unwrap();
        std::os::unix::fs::symlink(python(), world.work("recipes/elsewhere/wheelwright.toml")).unwrap();
        let code = format!("import os\nos.chdir({:?})\n{change}", world.work("").display().to_string());
        world.add(&Project::new("hub", "1.0").hook(&code).recipe_says("[build]\ncold = true\n"));
        // Without a wall the build reaches all this.
        let open = std::process::Command::new("chmod").args(["-R", "a+rwX"]).arg(world.work("")).status();
        assert!(open.unwrap().success());
        let args = ["--json", "build", "--no-check", "--no-link", "--isolation", "env", "hub"];
        world.ok(&args);
        assert_eq!(dye(&world), 1, "{what}");
        let again = world.run(&args);
        assert_eq!(is_dyed(&again), what == "nothing", "{what}: {again}");
    }
}

#[test]
fn what_is_built_of_a_folder_is_looked_at_each_time() {
    let world = world();
    let own = Project::new("own", "1.0").needs("hub");
    world.unpack("own", &own);
    world.recipe("own", &own.path_recipe("../own"));
    for _ in 0..3 {
        world.ok(&["build", "own"]);
    }
    assert_eq!(dye(&world), 0, "nothing is remembered of it");
}

#[test]
fn a_command_is_started_in_the_environment_of_before() {
    let world = world();
    let args = ["run", "hub", "--", "python", "-c", "import hub; print(hub.VERSION)"];
    let first = world.ok(&args);
    let count = || {
        let ask = "SELECT count(*) FROM memories WHERE namespace = 'answer'";
        database(&world).query_row(ask, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(), 0, "it was made first");
    world.ok(&args);
    assert_eq!(dye(&world), 1);
    let again = world.ok(&args);
    assert_eq!((&again.stdout, again.stdout.as_str()), (&first.stdout, "1.0\n"));
    assert!(again.stderr.contains("`dyed 1.0` has known"), "{again}");
    // Another command in the same environment is the same question.
    world.ok(&["run", "hub", "--", "python", "-c", "pass"]);
    assert_eq!(count(), 1);
    // When it is gone it is made again.
    std::fs::remove_dir_all(world.path("store/envs")).unwrap();
    assert_eq!(world.ok(&args).stdout, "1.0\n");
}

/// Every file of an environment by its path: its bytes, or where it leads.
fn files(env: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    let (mut found, mut todo) = (std::collections::BTreeMap::new(), vec![env.to_owned()]);
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let bytes = if meta.is_dir() {
                todo.push(path.clone());
                b"a folder".to_vec()
            } else if meta.is_symlink() {
                std::fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
            } else {
                std::fs::read(&path).unwrap()
            };
            found.insert(path.strip_prefix(env).unwrap().display().to_string(), bytes);
        }
    }
    found
}

#[test]
fn what_is_in_an_environment_is_known_wherever_it_is_made_again() {
    let world = world();
    let make = |out: &str| world.ok(&["--json", "env", "hub", "-o", out]);
    make("one");
    assert_eq!(dye(&world), 1);
    let again = make("two");
    assert!(is_dyed(&again), "{again}");
    assert!(again.stderr.contains("`dyed 1.0` has known"), "{again}");
    assert_eq!(files(&world.work("one")), files(&world.work("two")));
    let hub = std::process::Command::new(world.work("two/bin/hub")).output().unwrap();
    assert!(hub.status.success(), "{hub:?}");
    // It is kept as the first is.
    world.ok(&["gc"]);
    assert_eq!(files(&world.work("one")), files(&world.work("two")));
    let kept = world.ok(&["gc", "--dry-run", "--json"]);
    assert!(!kept.stdout.contains("hub"), "{kept}");
    // A collection forgot the answer; what is asked with other checks is asked anew.
    make("three");
    assert_eq!(dye(&world), 1);
    let other = world.ok(&["--json", "env", "hub", "--no-check", "-o", "four"]);
    assert!(!is_dyed(&other), "{other}");
    // A folder with something in it is refused as ever.
    let refused = world.run(&["env", "hub", "-o", "three"]);
    assert_eq!(refused.code, Some(2), "{refused}");
    // What is to be copied is made again where it went.
    let local = world.path("store/local");
    let _ = std::process::Command::new("chmod").args(["-R", "u+w"]).arg(&local).status();
    std::fs::remove_dir_all(&local).unwrap();
    let made = make("five");
    assert!(!is_dyed(&made), "{made}");
    assert_eq!(files(&world.work("five")), files(&world.work("one")));
    // And a recipe that changed is read.
    assert_eq!(dye(&world), 2, "with checks and without");
    let text = world.read("recipes/spoke-1.0.toml");
    world.write("recipes/spoke-1.0.toml", format!("{text}#"));
    assert!(!is_dyed(&make("six")));
}

#[test]
fn a_command_starts_in_what_a_working_environment_was_made_of() {
    let world = world();
    world.ok(&["env", "hub", "-o", "env"]);
    assert_eq!(dye(&world), 1);
    let args = ["run", "hub", "--", "python", "-c", "import hub, sys; print(hub.VERSION, sys.prefix)"];
    let first = world.ok(&args);
    assert!(first.stderr.contains("`dyed 1.0` has known"), "{first}");
    // A run that is made finds the very environment.
    forget(&world);
    let made = world.ok(&args);
    assert!(made.stderr.contains("`hub 1.0` has known"), "{made}");
    assert_eq!(made.stdout, first.stdout);
    assert!(made.stdout.starts_with("1.0 "), "{made}");
}
