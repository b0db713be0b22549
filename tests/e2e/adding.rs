//! `add`: recipes of a whole closure, from the index.

use std::io::{Cursor, Write as _};

use crate::index::Trouble;
use crate::project::{Project, sri};
use crate::world::World;

/// An empty workspace; the toy backend and these are on the index.
fn world(projects: &[Project]) -> World {
    let world = World::empty();
    world.index.publish(&Project::backend("1.0").says_all());
    for project in projects {
        world.index.publish(&project.clone().says_all());
    }
    world
}

/// The recipes there are, sorted.
fn recipes(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.work("recipes")).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A wheel with one module of its name.
pub fn wheel(name: &str, version: &str, (requires, tag): (&[&str], &str)) -> Vec<u8> {
    let info = format!("{name}-{version}.dist-info");
    let requires: String = requires.iter().map(|text| format!("Requires-Dist: {text}\n")).collect();
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}");
    let about = format!("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n");
    let mut files = vec![
        (format!("{name}/__init__.py"), format!("VERSION = \"{version}\"\n")),
        (format!("{info}/METADATA"), metadata),
        (format!("{info}/WHEEL"), about),
    ];
    let line = |(path, text): &(String, String)| {
        let hash = sri(text.as_bytes()).replace("sha256-", "sha256=").replace('+', "-").replace('/', "_");
        format!("{path},{},{}\n", hash.trim_end_matches('='), text.len())
    };
    let record: String = files.iter().map(line).collect();
    files.push((format!("{info}/RECORD"), format!("{record}{info}/RECORD,,\n")));
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in files {
        zip.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn the_closure_of_run_time_and_builds_is_added_and_builds() {
    let world = world(&[
        Project::new("app", "2.0").needs("core>=1").needs("nowhere; extra == 'more'"),
        Project::new("core", "1.5").requires_to_build(&["toy", "Tool>=3"]),
        Project::new("core", "2.0rc1"),
        Project::new("tool", "3.1").needs("handle"),
        Project::new("tool", "2.0"),
        Project::new("handle", "1.0"),
    ]);
    let output = world.ok(&["add", "app"]).to_string();
    assert_eq!(recipes(&world), ["app.toml", "core.toml", "handle.toml", "tool.toml", "toy.toml"]);
    assert!(output.contains("5 recipes written, 3 of them for builds; 0 of the set used"), "{output}");
    let core = world.read("recipes/core.toml");
    assert!(core.contains("version = \"1.5\"") && core.contains("[\"toy\", \"Tool>=3\"]"), "{core}");
    let app = world.read("recipes/app.toml");
    assert!(app.contains("more = [\"nowhere\"]") && app.contains("dependencies = [\"core>=1\"]"), "{app}");
    world.ok(&["fmt", "--check"]);
    let code = "import app, core; print(app.VERSION, core.VERSION)";
    let run = world.ok(&["run", "app", "--isolation", "env", "--", "python", "-c", code]);
    assert_eq!(run.stdout.trim_end(), "2.0 1.5");
    // All of it is in the store and in the set now.
    let before = world.index.downloads();
    let again = world.ok(&["add", "app>=2"]).to_string();
    assert!(again.contains("the set has app 2.0") && again.contains("0 recipes written"), "{again}");
    assert_eq!(world.index.downloads(), before);
}

#[test]
fn what_was_asked_for_lately_is_not_asked_for_again() {
    let world = world(&[Project::new("app", "1.0").needs("core"), Project::new("core", "1.0")]);
    let output = world.ok(&["add", "app"]).to_string();
    let sent = world.index.requests().len();
    assert!(
        output.contains(&format!("3 recipes written, 1 of them for builds; 0 of the set used; {sent} req")),
        "{output}"
    );
    for name in recipes(&world) {
        std::fs::remove_file(world.work("recipes").join(name)).unwrap();
    }
    let output = world.ok(&["add", "app"]).to_string();
    assert!(output.contains("3 recipes written") && output.contains("; 0 requests"), "{output}");
    assert_eq!(world.index.requests().len(), sent);
}

#[test]
fn what_the_set_has_is_used_and_nobody_is_asked_for_more() {
    let world = world(&[Project::new("app", "1.0").needs("core"), Project::new("core", "2.0")]);
    world.recipe("toy", &Project::backend("1.0").says_all().recipe());
    world.recipe("core", &Project::new("core", "1.0").recipe());
    let output = world.ok(&["add", "app", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["recipes"].as_array().unwrap().len(), 1, "{output}");
    assert_eq!(report["recipes"][0]["project"], "app");
    assert_eq!(report["kept"], 2);
    let asked = world.index.requests();
    assert!(!asked.iter().any(|path| path.contains("core") || path.contains("toy")), "{asked:?}");
}

#[test]
fn a_conflict_is_told_in_sentences_and_nothing_is_written() {
    let world = world(&[
        Project::new("app", "1.0").needs("core<2"),
        Project::new("other", "1.0").needs("core>=2"),
        Project::new("core", "1.0"),
        Project::new("core", "2.0"),
    ]);
    let output = world.fails(2, &["add", "app", "other"]).to_string();
    for line in [
        "cause: you asked for app",
        "cause: you asked for other",
        "cause: app 1.0 needs core<2",
        "cause: other 1.0 needs core>=2",
    ] {
        assert!(output.contains(line), "{line}: {output}");
    }
    assert!(recipes(&world).is_empty());
    // Dry runs write nothing either.
    let output = world.ok(&["add", "app", "--dry-run"]).to_string();
    assert!(output.contains("3 recipes would be written") && output.contains("app.toml"), "{output}");
    assert!(recipes(&world).is_empty());
}

#[test]
fn a_name_that_is_not_there_is_told_with_one_that_is() {
    let world = world(&[]);
    world.recipe("flask", &Project::new("flask", "1.0").recipe());
    let output = world.fails(2, &["add", "flsk"]).to_string();
    assert!(output.contains("there is no project `flsk`"), "{output}");
    assert!(output.contains("hint: did you mean `flask`?"), "{output}");
    let output = world.fails(2, &["add", "fla sk"]).to_string();
    assert!(output.contains("`fla sk` is no requirement"), "{output}");
}

#[test]
fn an_index_that_is_down_is_no_conflict() {
    let mut world = world(&[]);
    world.set("PIP_INDEX_URL", "http://127.0.0.1:9/simple/");
    let output = world.fails(3, &["add", "app"]).to_string();
    assert!(output.contains("failed to read the project page of `app`"), "{output}");
}

#[test]
fn nothing_newer_than_a_day_is_taken() {
    let world = world(&[Project::new("app", "1.0"), Project::new("app", "2.0"), Project::new("app", "3.0")]);
    for (file, moment) in [
        ("app-1.0.tar.gz", "2024-01-01T10:00:00.123456Z"),
        ("app-2.0.tar.gz", "2024-06-30T23:59:59Z"),
        ("app-3.0.tar.gz", "2024-07-01T00:00:00Z"),
        ("toy-1.0.tar.gz", "2024-01-01T00:00:00Z"),
    ] {
        world.index.says(file, "upload-time", moment);
    }
    world.ok(&["add", "app", "--exclude-newer", "2024-06-30"]);
    assert!(world.read("recipes/app.toml").contains("version = \"2.0\""));
    let output = world.fails(2, &["add", "app>2", "--exclude-newer", "2024-06-30T12:00:00Z"]).to_string();
    assert!(output.contains("app 3.0 was not uploaded by 2024-06-30T12:00:00Z"), "{output}");
    let output = world.fails(2, &["add", "app", "--exclude-newer", "June"]).to_string();
    assert!(output.contains("`June` is no date"), "{output}");
}

#[test]
fn what_has_no_source_is_taken_prebuilt() {
    let world = world(&[Project::new("app", "1.0").needs("closed"), Project::new("core", "1.0")]);
    let bytes = wheel("closed", "1.0", (&["core"], "py3-none-any"));
    world.index.serve("closed", "closed-1.0-py3-none-any.whl", bytes.clone());
    let output = world.fails(2, &["add", "app", "--sdist", "closed"]).to_string();
    assert!(output.contains("closed 1.0 has no sdist"), "{output}");
    let output = world.ok(&["add", "app"]).to_string();
    assert!(output.contains("note: closed 1.0 has no sdist: it is taken prebuilt"), "{output}");
    let closed = world.read("recipes/closed.toml");
    assert!(closed.contains("format = \"wheel\"") && closed.contains(&sri(&bytes)), "{closed}");
    assert!(closed.contains("dependencies = [\"core\"]"), "{closed}");
    let code = "import closed, core; print(closed.VERSION)";
    let run = world.ok(&["run", "app", "--isolation", "env", "--", "python", "-c", code]);
    assert_eq!(run.stdout.trim_end(), "1.0");
}

#[test]
fn a_wheel_may_be_chosen_where_there_is_a_source() {
    let world = world(&[Project::new("core", "1.0")]);
    let plain = wheel("core", "1.0", (&[], "py3-none-any"));
    world.index.serve("core", "core-1.0-py3-none-any.whl", plain);
    world.ok(&["add", "core", "--wheel", "core"]);
    assert_eq!(recipes(&world), ["core.toml"], "what is prebuilt needs no backend");
    assert!(world.read("recipes/core.toml").contains("file = \"core-1.0-py3-none-any.whl\""));
}

#[test]
fn what_cannot_be_built_is_passed_over() {
    let world = world(&[
        Project::new("app", "1.0"),
        Project::new("app", "2.0").requires_to_build(&["toy", "lost>=1"]),
        Project::new("app", "3.0").without("pyproject.toml"),
    ]);
    let output = world.ok(&["add", "app"]).to_string();
    assert!(world.read("recipes/app.toml").contains("version = \"1.0\""));
    let said = "note: app 2.0 cannot be built (it is built with lost>=1; there is no project `lost`): it was passed over";
    assert!(output.contains(said), "{output}");
    let pinned = world.fails(2, &["add", "app==3.0"]).to_string();
    assert!(pinned.contains("cause: app 3.0 cannot be used (failed to read `app-3.0.tar.gz`: "), "{pinned}");
}

#[test]
fn what_a_plugin_imports_of_its_host_becomes_its_dependency() {
    let world = world(&[
        Project::new("host", "1.0").needs("host-plug").needs("plain"),
        Project::new("host-plug", "1.0").code("from host import VERSION as OF\nimport json, elsewhere\n"),
        Project::new("plain", "1.0").code("try:\n    import host\nexcept ImportError: pass\n"),
        Project::new("builder", "1.0").requires_to_build(&["toy", "host"]),
    ]);
    let output = world.ok(&["add", "host", "builder"]).to_string();
    let note = "note: host-plug 1.0: it imports what it does not require, host: it is added";
    assert!(output.contains(note), "{output}");
    assert!(world.read("recipes/host-plug.toml").contains("dependencies = [\"host\"]"));
    for other in ["plain", "builder"] {
        assert!(!world.read(&format!("recipes/{other}.toml")).contains("dependencies"), "{other}");
    }
}

#[test]
fn a_circle_of_builds_is_broken_by_a_wheel_or_told() {
    let world = world(&[
        Project::new("hen", "1.0").requires_to_build(&["toy", "egg"]),
        Project::new("egg", "1.0").requires_to_build(&["toy", "hen"]),
    ]);
    let output = world.fails(2, &["add", "hen"]).to_string();
    assert!(output.contains("no recipe is written") && output.contains("error[W404]"), "{output}");
    assert!(recipes(&world).is_empty());
    for name in ["hen", "egg"] {
        let file = format!("{name}-1.0-py3-none-any.whl");
        world.index.serve(name, &file, wheel(name, "1.0", (&[], "py3-none-any")));
    }
    let output = world.ok(&["add", "hen", "--refresh"]).to_string();
    assert!(output.contains("itself: it is taken prebuilt"), "{output}");
    world.ok(&["plan", "hen"]);
}

#[test]
fn an_application_has_its_extras_and_can_be_built_at_once() {
    let world = world(&[
        Project::new("serve", "1.0").needs("fast; extra == 'standard'").console("serve", "serve:main"),
        Project::new("fast", "1.0"),
    ]);
    world.ok(&["add", "serve[standard]", "--application", "--check", "--isolation", "env"]);
    let recipe = world.read("recipes/serve.toml");
    assert!(recipe.contains("kind = \"application\""), "{recipe}");
    assert!(recipe.contains("dependencies = [\"fast\"]"), "{recipe}");
    assert!(world.work("result/bin/serve").exists());
}

#[test]
fn a_yanked_release_is_taken_only_when_it_is_pinned() {
    let world = world(&[Project::new("app", "1.0"), Project::new("app", "2.0")]);
    world.index.says("app-2.0.tar.gz", "yanked", "it eats files");
    world.ok(&["add", "app", "--dir", "recipes/a"]);
    assert!(world.read("recipes/a/app.toml").contains("version = \"1.0\""));
    world.ok(&["add", "app==2.0", "--dir", "recipes/b"]);
    assert!(world.read("recipes/b/app.toml").contains("version = \"2.0\""));
}

#[test]
fn a_download_that_is_another_file_ends_it() {
    let world = world(&[Project::new("app", "1.0")]);
    world.index.trouble("app-1.0.tar.gz", Trouble::Swapped(Project::new("app", "9.9").sdist()));
    let output = world.fails(4, &["add", "app"]).to_string();
    assert!(output.contains("the index says"), "{output}");
    assert!(recipes(&world).is_empty());
}

#[test]
fn the_folder_of_recipes_is_made_where_it_is_not_there() {
    let world = world(&[Project::new("app", "1.0")]);
    std::fs::remove_dir(world.work("recipes")).unwrap();
    world.ok(&["add", "app"]);
    assert_eq!(recipes(&world), ["app.toml", "toy.toml"]);
    // Any other one that is not there is a slip.
    world.write("wheelwright.toml", "[set]\nrecipes = [\"recipes\", \"recipe\"]\n");
    let output = world.fails(2, &["add", "app"]).to_string();
    assert!(output.contains("there is no folder `recipe` beside"), "{output}");
}

#[test]
fn a_file_that_is_in_the_way_is_replaced_only_by_force() {
    let world = world(&[Project::new("app", "1.0"), Project::new("app", "2.0")]);
    world.ok(&["add", "app", "--dir", "elsewhere"]);
    // The folder is no part of the set: its recipes are not known.
    let output = world.fails(2, &["add", "app", "--dir", "elsewhere"]).to_string();
    assert!(output.contains("elsewhere/app.toml` exists") && output.contains("--force"), "{output}");
    world.write("elsewhere/app.toml", "# mine\n");
    world.ok(&["add", "app", "--dir", "elsewhere", "--force"]);
    assert!(world.read("elsewhere/app.toml").contains("version = \"2.0\""));
}

#[test]
fn a_name_that_is_mistyped_is_looked_for_on_the_index() {
    let world = World::empty();
    for version in ["1.0", "1.1", "2.0"] {
        world.index.publish(&Project::new("requests", version));
    }
    // Somebody waits for slips.
    world.index.publish(&Project::new("reqeuts", "9.0"));
    let told = world.fails(2, &["add", "reqeusts"]).to_string();
    assert!(told.contains("there is no project `reqeusts`\n"), "{told}");
    assert!(told.contains("hint: did you mean `requests`?"), "{told}");
    let told = world.fails(2, &["add", "quite-another"]).to_string();
    assert!(told.contains("hint: no configured index has `quite-another`"), "{told}");
}

#[test]
fn a_recipe_may_have_the_name_of_a_tool_s_own_file() {
    let world = World::empty();
    world.index.publish(&Project::backend("1.0").says_all());
    world.index.publish(&Project::new("uv", "1.0").says_all());
    world.index.publish(&Project::new("app", "1.0").needs("uv>=1").says_all());
    world.ok(&["add", "app"]);
    assert!(world.read("recipes/uv.toml").starts_with("pname = \"uv\""));
    world.ok(&["build", "app"]);
    // That of the tool is none.
    world.write("recipes/ruff.toml", "line-length = 100\n");
    world.write("recipes/pylock.toml", "lock-version = \"1.0\"\n");
    world.write("recipes/other/uv.toml", "offline = true\n");
    let told = world.ok(&["lint"]).to_string();
    assert!(told.contains("0 errors") && !told.contains("ruff") && !told.contains("pylock"), "{told}");
}

/// An interpreter beside that of the tests: a copy of it, of which the store
/// remembers that it is one minor version newer. Gives that version.
fn newer_interpreter(world: &World) -> String {
    let exe = world.path("newer/python3");
    std::fs::create_dir_all(exe.parent().unwrap()).unwrap();
    std::fs::copy(crate::world::python(), &exe).unwrap();
    let exe = exe.canonicalize().unwrap().display().to_string();
    world.write("wheelwright.toml", format!("[set]\nrecipes = [\"recipes\"]\n[python]\nalso = [{exe:?}]\n"));
    world.ok(&["add", "toy", "--dry-run"]);
    let store = rusqlite::Connection::open(world.path("store/state.sqlite")).unwrap();
    let select = "SELECT key, value FROM memories WHERE namespace = 'python-probe' AND instr(key, ?1)";
    let (key, text): (String, String) =
        store.query_row(select, [&exe], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    let version = format!("3.{}", facts["minor"].as_u64().unwrap() + 1);
    facts["minor"] = (facts["minor"].as_u64().unwrap() + 1).into();
    facts["full_version"] = format!("{version}.0").into();
    facts["implementation_version"] = format!("{version}.0").into();
    let update = "UPDATE memories SET value = ?1 WHERE namespace = 'python-probe' AND key = ?2";
    assert_eq!(store.execute(update, [&facts.to_string(), &key]).unwrap(), 1);
    version
}

#[test]
fn all_interpreters_of_the_workspace_are_thought_of() {
    let world = World::empty();
    world.index.publish(&Project::backend("1.0").says_all());
    let newer = newer_interpreter(&world);
    let only_newer = |name: &str| format!("{name}; python_version >= '{newer}'");
    for project in [
        Project::new("app", "1.0").needs("core").needs(&only_newer("patch")),
        Project::new("core", "2.0"),
        Project::new("core", "1.0").needs(&only_newer("shared")),
        Project::new("patch", "1.0").needs("shared"),
        Project::new("shared", "1.0"),
    ] {
        world.index.publish(&project.says_all());
    }
    world.index.says("core-2.0.tar.gz", "requires-python", format!("<{newer}"));
    world.ok(&["add", "app"]);
    let all = ["app.toml", "core-1.0.toml", "core.toml", "patch.toml", "shared.toml", "toy.toml"];
    assert_eq!(recipes(&world), all, "each has the version that is for it");
    assert!(world.read("recipes/core.toml").contains("version = \"2.0\""));
    let patch = world.read("recipes/app.toml");
    assert!(patch.contains(&only_newer("patch")), "{patch}");
    // One that is named is thought of alone.
    let python = crate::world::python().display().to_string();
    std::fs::remove_dir_all(world.work("recipes")).unwrap();
    std::fs::create_dir(world.work("recipes")).unwrap();
    world.ok(&["add", "app", "--python", &python]);
    assert_eq!(recipes(&world), ["app.toml", "core.toml", "toy.toml"]);
}
