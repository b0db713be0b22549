//! What is exported for nixpkgs, under Nix itself.
//!
//! Asks the `nix-instantiate` of the machine (Debian: nix-bin) and no nixpkgs:
//! `nix/stub.nix` stands for it. Where there is none, only that is said.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use recipes::recipe::{Dependency, Recipe};
use serde_json::Value;

use crate::examples::{examples, examples_book};
use crate::world::World;

const TOOL: &str = "nix-instantiate";

/// Its standard output; none where the machine has no Nix.
fn nix(state: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new(TOOL);
    for place in ["STORE", "STATE", "LOG", "CONF"] {
        command.env(format!("NIX_{place}_DIR"), state.join(place));
    }
    command.env("HOME", state).env("XDG_CACHE_HOME", state).env_remove("NIX_PATH");
    match command.args(args).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("left out: this machine has no {TOOL} (Debian: nix-bin)");
            None
        }
        output => {
            let output = output.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).unwrap())
        }
    }
}

/// A world whose workspace is the examples.
fn of_the_examples() -> World {
    let world = World::empty();
    let mut folders = vec![examples()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let relative = path.strip_prefix(examples()).unwrap().to_str().unwrap();
                    world.write(relative, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    world
}

/// The arguments of a package's function, which are what nixpkgs must have.
fn arguments(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().skip_while(|l| *l != "{").skip(1);
    lines.take_while(|l| *l != "}:").map(|l| l.trim().trim_end_matches(','))
}

/// What requirements name, and what the extras they ask for bring.
fn names(of: &[Dependency], all: &[&Recipe]) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let here = crate::examples::linux(11);
    for dependency in of.iter().filter(|d| d.requirement.parsed.marker.evaluate(&here.markers, &[])) {
        let name = dependency.requirement.name();
        out.insert(name.to_string());
        let ours = all.iter().filter(|r| r.pname == *name);
        for (extra, more) in ours.flat_map(|r| &r.optional_dependencies) {
            if dependency.requirement.parsed.extras.contains(extra) {
                out.extend(names(more, all));
            }
        }
    }
    out
}

#[track_caller]
fn check(recipe: &Recipe, all: &[&Recipe], shown: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list =
        |key: &str| -> BTreeSet<String> { shown[key].as_array().into_iter().flatten().map(text).collect() };
    assert_eq!(text(&shown["pname"]), recipe.pname_text);
    assert_eq!(text(&shown["version"]), recipe.version.to_string(), "{}", recipe.pname);
    assert_eq!(list("build-system"), names(&recipe.build_system, all), "{}", recipe.pname);
    assert_eq!(list("dependencies"), names(&recipe.dependencies, all), "{}", recipe.pname);
    let hashes: Vec<String> = recipe
        .sources
        .iter()
        .filter_map(|s| match s.promise {
            recipes::recipe::Promise::Hash(hash) => Some(hash.sri()),
            _ => None,
        })
        .collect();
    match &*hashes {
        [] => assert!(text(&shown["src"]).starts_with('/'), "{shown}"),
        [hash] => assert_eq!(text(&shown["src"]["hash"]), *hash, "{}", recipe.pname),
        several => assert!(several.contains(&text(&shown["src"]["hash"])), "{}", recipe.pname),
    }
}

#[test]
fn nix_evaluates_the_examples_to_what_their_recipes_say() {
    let world = of_the_examples();
    let output = world.ok(&["export", "nix", "--all", "--output", "nix"]);
    let book = examples_book();
    let ours: Vec<&Recipe> = book.recipes.iter().map(|r| &**r).filter(|r| r.layer != "base").collect();
    let folders = std::fs::read_dir(world.work("nix")).unwrap().map(|e| e.unwrap().path());
    let files: Vec<PathBuf> = folders.map(|f| f.join("default.nix")).filter(|f| f.exists()).collect();
    // What is for other Pythons than the machine's is told of.
    let told = output.stderr.lines().filter(|l| l.starts_with("note: left out ")).count();
    assert_eq!(files.len() + told, ours.len(), "{output}");
    let mut wanted = BTreeSet::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        wanted.extend(arguments(&text).map(str::to_owned));
        if nix(&world.path("nix-state"), &["--parse", file.to_str().unwrap()]).is_none() {
            return;
        }
    }
    // What every package may ask of nixpkgs is in the stub already.
    for word in ["lib", "stdenv", "fetchPypi", "pythonOlder", "pythonAtLeast"] {
        wanted.remove(word);
    }
    wanted.retain(|word| !word.starts_with("buildPython"));
    let stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/nix/stub.nix");
    let others: String = wanted.iter().map(|name| format!(" {name:?}")).collect();
    let call = format!(
        "import {} {{ packages = {}; others = [{others} ]; }}",
        stub.display(),
        world.work("nix/packages.nix").display()
    );
    let answer = nix(&world.path("nix-state"), &["--eval", "--strict", "--json", "--expr", &call]).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let packages = answer.as_object().unwrap();
    assert_eq!(packages.len(), files.len());
    for shown in packages.values() {
        let is_it =
            |r: &&&Recipe| shown["pname"] == r.pname_text && shown["version"] == r.version.to_string();
        check(ours.iter().find(is_it).unwrap(), &ours, shown);
    }
    assert_eq!(answer["demo-flask-vuejs-rest"]["kind"], "application");
    assert_eq!(answer["toolz"]["src"]["version"], "0.10.0");
}
