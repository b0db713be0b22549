//! `import`: lock files and lists of requirements, held against the index.

use crate::adding::wheel;
use crate::project::{Project, hex};
use crate::world::World;

/// Two versions of each; the toy backend builds them.
fn world() -> World {
    let world = World::empty();
    world.index.publish(&Project::backend("1.0").says_all());
    for version in ["1.0", "2.0"] {
        world.index.publish(&app(version));
        world.index.publish(&core(version));
    }
    world
}

fn app(version: &str) -> Project {
    Project::new("app", version).needs("core>=1").says_all()
}

fn core(version: &str) -> Project {
    Project::new("core", version).says_all()
}

fn recipes(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.work("recipes")).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A pylock.toml with these packages, from their sdists.
fn pylock(projects: &[Project]) -> String {
    let package = |project: &Project| {
        format!(
            "[[packages]]\nname = \"{}\"\nversion = \"{}\"\nsdist = {{ name = \"{}\", hashes = {{ sha256 = \"{}\" }} }}\n",
            project.name,
            project.version,
            project.file_name(),
            hex(&project.sdist())
        )
    };
    let packages: String = projects.iter().map(package).collect();
    format!("lock-version = \"1.0\"\ncreated-by = \"a test\"\n{packages}")
}

#[test]
fn the_versions_of_a_lock_file_become_recipes_and_build() {
    let world = world();
    world.write("pylock.toml", pylock(&[app("1.0"), core("1.0")]));
    let shown = world.ok(&["import", "pylock.toml", "--dry-run"]).to_string();
    assert!(shown.contains("version = \"1.0\"") && shown.contains(&core("1.0").hash()), "{shown}");
    assert!(recipes(&world).is_empty());
    let output = world.ok(&["import", "pylock.toml"]).to_string();
    assert!(output.contains("3 recipes, 0 environments, 0 TODOs"), "{output}");
    assert_eq!(recipes(&world), ["app.toml", "core.toml", "toy.toml"]);
    assert!(world.read("recipes/app.toml").contains("dependencies = [\"core>=1\"]"));
    let code = "import app, core; print(app.VERSION, core.VERSION)";
    let run = world.ok(&["run", "app", "--isolation", "env", "--", "python", "-c", code]);
    assert_eq!(run.stdout.trim_end(), "1.0 1.0");
    // What the set has is left alone, whatever the recipe says besides.
    let mine = format!("{}\n# mine\n", world.read("recipes/core.toml"));
    world.write("recipes/core.toml", &mine);
    let again = world.ok(&["import", "pylock.toml", "--json", "--force"]);
    let report: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(report["recipes"], serde_json::json!([]), "{again}");
    assert_eq!(report["kept"], serde_json::json!(["app 1.0", "core 1.0"]), "{again}");
    assert_eq!(world.read("recipes/core.toml"), mine);
    // Another version goes beside it.
    world.write("pylock.toml", pylock(&[core("2.0")]));
    world.ok(&["import", "pylock.toml"]);
    assert!(world.read("recipes/core-2.0.toml").contains("version = \"2.0\""));
}

#[test]
fn what_a_lock_file_lacks_and_what_it_cannot_hand_over_is_told() {
    let world = world();
    let fork = "[[packages]]\nname = \"fork\"\nvcs = { type = \"git\", commit-id = \"abc\" }\n";
    world.write("pylock.toml", format!("{}{fork}", pylock(&[app("1.0")])));
    let output = world.ok(&["import", "pylock.toml"]).to_string();
    assert!(output.contains("note: core 2.0 is not in `pylock.toml`: the index chose it"), "{output}");
    assert!(output.contains("todo: pylock.toml:7: fork: it does not come from an index"), "{output}");
    assert!(!output.contains("toy 1.0 is not in"), "builds are not locked: {output}");
}

#[test]
fn a_hash_that_the_lock_file_does_not_list_ends_it() {
    let world = world();
    let text = pylock(&[app("1.0"), core("1.0")]).replace(&hex(&core("1.0").sdist()), &"0".repeat(64));
    world.write("pylock.toml", text);
    let output = world.fails(4, &["import", "pylock.toml"]).to_string();
    assert!(output.contains("the index has other files than `pylock.toml` promises"), "{output}");
    let told = "core 1.0: the hash of `core-1.0.tar.gz` is not among those that are listed";
    assert!(output.contains(told), "{output}");
    assert!(!output.contains("app 1.0: "), "{output}");
    assert!(recipes(&world).is_empty());
}

#[test]
fn requirements_are_chosen_pinned_and_limited() {
    let world = world();
    let hash = hex(&app("1.0").sdist());
    let wrong = "0".repeat(64);
    world.write("requirements.txt", "-r deps/app.txt\n-e ./mine\nwin; sys_platform == 'win32'\n");
    world.write(
        "deps/app.txt",
        format!("app==1.0 \\\n  --hash=sha256:{wrong} \\\n  --hash=sha256:{hash}\n-c ../limits.txt\n"),
    );
    world.write("limits.txt", "core<2\n");
    let output = world.ok(&["import", "requirements.txt", "--into", "recipes"]).to_string();
    assert_eq!(recipes(&world), ["app.toml", "core.toml", "toy.toml"]);
    assert!(world.read("recipes/app.toml").contains(&app("1.0").hash()));
    assert!(world.read("recipes/core.toml").contains("version = \"1.0\""), "core 2.0 is ruled out");
    assert!(output.contains("todo: requirements.txt:2: -e: it does not come from an index"), "{output}");
    assert!(output.contains("win; sys_platform == 'win32' is not for this interpreter"), "{output}");
    let only = World::empty();
    only.index.publish(&app("1.0"));
    only.write("requirements.txt", format!("app==1.0 --hash=sha256:{wrong}\n"));
    let output = only.fails(4, &["import", "requirements.txt"]).to_string();
    assert!(output.contains("app 1.0: the hash of `app-1.0.tar.gz` is not among"), "{output}");
}

#[test]
fn limits_that_leave_nothing_are_named() {
    let world = world();
    world.write("requirements.txt", "-c limits.txt\napp\n");
    world.write("limits.txt", "core>2\n");
    let output = world.fails(2, &["import", "requirements.txt"]).to_string();
    assert!(output.contains("is ruled out by the constraint core>2"), "{output}");
    assert!(output.contains("cause: requirements.txt:2 asks for app"), "{output}");
    assert!(recipes(&world).is_empty());
    world.write("requirements.txt", "-r lost.txt\n");
    let output = world.fails(2, &["import", "requirements.txt"]).to_string();
    assert!(output.contains("requirements.txt:1:1: there is no file `lost.txt`"), "{output}");
}

#[test]
fn lock_files_of_unknown_versions_are_refused() {
    let world = world();
    for (name, text, supported) in [
        ("pylock.toml", "lock-version = \"9.0\"\n", "\"1.0\""),
        ("uv.lock", "version = 9\n", "1"),
        ("poetry.lock", "[metadata]\nlock-version = \"9.0\"\n", "1.1, 2.0, 2.1"),
        ("pdm.lock", "[metadata]\nlock_version = \"9.0\"\n", "4.2, 4.3, 4.4, 4.5"),
    ] {
        world.write(name, text);
        let output = world.fails(2, &["import", name]).to_string();
        assert!(output.contains(&format!("error[W005] {name}:")), "{output}");
        assert!(output.contains(&format!("hint: the versions that can be read: {supported}")), "{output}");
    }
    assert!(recipes(&world).is_empty());
}

#[test]
fn what_is_locked_as_a_wheel_is_taken_prebuilt_and_what_is_for_others_is_left_out() {
    let world = world();
    let bytes = wheel("core", "1.0", (&[], "py3-none-any"));
    world.index.serve("core", "core-1.0-py3-none-any.whl", bytes.clone());
    let closed = wheel("closed", "1.0", (&[], "py3-none-win_amd64"));
    world.index.serve("closed", "closed-1.0-py3-none-win_amd64.whl", closed.clone());
    let package = |name: &str, file: &str, bytes: &[u8]| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0\"\nsource = {{ registry = \"ours\" }}\n\
             wheels = [{{ url = \"https://files.test/{file}\", hash = \"sha256:{}\" }}]\n",
            hex(bytes)
        )
    };
    let core = package("core", "core-1.0-py3-none-any.whl", &bytes);
    let closed = package("closed", "closed-1.0-py3-none-win_amd64.whl", &closed);
    world.write("uv.lock", format!("version = 1\n{core}{closed}"));
    let output = world.ok(&["import", "uv.lock"]).to_string();
    assert_eq!(recipes(&world), ["core.toml"]);
    assert!(world.read("recipes/core.toml").contains("file = \"core-1.0-py3-none-any.whl\""));
    assert!(output.contains("note: closed 1.0 has no sdist, and no wheel for this interpreter"), "{output}");
}

#[test]
fn what_only_other_pythons_need_is_left_out_and_a_lock_for_others_is_told_of() {
    let world = world();
    world.index.publish(&Project::new("core", "1.0"));
    world.index.publish(&Project::new("later", "1.0"));
    let package = |name: &str| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"1.0\"\nsource = {{ registry = \"ours\" }}\n")
    };
    let lock = |pythons: &str| {
        format!(
            "version = 1\nrequires-python = \"{pythons}\"\n[[package]]\nname = \"mine\"\n\
             source = {{ editable = \".\" }}\ndependencies = [\n  {{ name = \"core\" }},\n  \
             {{ name = \"later\", marker = \"python_version >= '4'\" }},\n]\n{}{}",
            package("core"),
            package("later")
        )
    };
    world.write("uv.lock", lock(">=4"));
    let output = world.fails(2, &["import", "uv.lock"]).to_string();
    assert!(output.contains("error: uv.lock:2: this was locked for Python >=4\n"), "{output}");
    assert!(output.contains("hint: take another interpreter with --python"), "{output}");
    assert!(recipes(&world).is_empty());
    world.write("uv.lock", lock(">=3"));
    let output = world.ok(&["import", "uv.lock"]).to_string();
    assert_eq!(recipes(&world), ["core.toml", "toy.toml"]);
    assert!(
        output.contains("later==1.0; python_full_version >= '4' is not for this interpreter"),
        "{output}"
    );
}
