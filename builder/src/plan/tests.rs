//! The plan as text, and which input moves which key.

use std::sync::Arc;

use expect_test::{Expect, expect};
use recipes::book::{Layer, LayerFile, assemble};
use recipes::diag::{Severity, SourceFile};
use recipes::target::Target;

use super::*;

const HASH: &str = "hash = \"sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=\"";

fn target() -> Target {
    let markers = pep508_rs::MarkerEnvironment::try_from(pep508_rs::MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: "3.11.7",
        os_name: "posix",
        platform_machine: "x86_64",
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system: "Linux",
        platform_version: "",
        python_full_version: "3.11.7",
        python_version: "3.11",
        sys_platform: "linux",
    });
    Target { markers: markers.unwrap(), tags: vec!["py3-none-any".into()] }
}

/// Recipes separated by `//- path` lines; `HASH` stands for a hash line.
fn set(text: &str) -> PackageSet {
    let files = text.split("//- ").skip(1).map(|part| {
        let (path, text) = part.split_once('\n').unwrap();
        let file = Arc::new(SourceFile { path: path.trim().to_owned(), text: text.replace("HASH", HASH) });
        LayerFile { file, pyproject: None }
    });
    let (book, findings) = assemble(&[Layer { name: "recipes".into(), files: files.collect() }]);
    let errors: Vec<String> = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(recipes::diag::Finding::render)
        .collect();
    assert_eq!(errors.concat(), "");
    PackageSet::new(book.recipes, target())
}

fn facts() -> Facts {
    Facts {
        interpreter: Digest::of(b"interpreter"),
        python: "3.11".into(),
        host: Digest::of(b"host"),
        level: Level::Full,
        c_flags: "-O2".into(),
    }
}

fn make(set: &PackageSet, goal: &str, facts: &Facts) -> Plan {
    let local = Local {
        trees: set.ids().map(|id| (id.0, TreeDigest(Digest::of(b"tree")))).take(0).collect(),
        ..Local::default()
    };
    let goals = Goals {
        packages: vec![set.select(goal).unwrap().into()],
        beside: Vec::new(),
        depth: Depth::Checked,
        tests: Tests::Goals,
    };
    plan(set, facts, &local, &goals).unwrap()
}

fn check(recipes: &str, goal: &str, expected: Expect) {
    let set = set(recipes);
    expected.assert_eq(&text(&make(&set, goal, &facts())));
}

const DEMO: &str = r#"
//- backend.toml
pname = "backend"
version = "1"
build-system = []
[source]
url = "file:///backend.tar.gz"
HASH
//- lib.toml
pname = "lib"
version = "2"
build-system = ["backend"]
[source]
url = "file:///lib.tar.gz"
HASH
//- app.toml
pname = "app"
version = "3"
build-system = ["backend"]
dependencies = ["lib"]
[source]
url = "file:///app.tar.gz"
HASH
[check]
runner = "unittest"
"#;

#[test]
fn a_plan_has_inputs_first() {
    check(
        DEMO,
        "app",
        expect![[r#"
             0 fetch app 3
             1 source app 3 <- file [0]
             2 fetch backend 1
             3 source backend 1 <- file [2]
             4 build backend 1 <- source [3]
             5 finish backend 1 <- raw wheel [4]
             6 install backend 1 <- wheel [5]
             7 build app 3 <- source [1], build-system backend [6]
             8 finish app 3 * <- raw wheel [7]
             9 install app 3 * <- wheel [8]
            10 verify app 3 * <- wheel [8]
            11 fetch lib 2
            12 source lib 2 <- file [11]
            13 build lib 2 <- source [12], build-system backend [6]
            14 finish lib 2 * <- raw wheel [13]
            15 install lib 2 * <- wheel [14]
            16 imports app 3 * <- install [9], dependency lib [15]
            17 verify lib 2 * <- wheel [14]
            18 imports lib 2 * <- install [15]
            19 check app 3 * <- install [9], dependency lib [15], source [1]
        "#]],
    );
}

#[test]
fn each_step_is_found_by_its_package_and_kind() {
    let set = set(DEMO);
    let plan = make(&set, "app", &facts());
    for recipe in set.ids() {
        for kind in StepKind::ALL {
            let there = plan.steps.iter().position(|step| (step.recipe, step.kind) == (recipe, kind));
            assert_eq!(plan.of.get((recipe, kind)), there, "{kind:?} of {recipe:?}");
        }
    }
    assert_eq!(plan.of.get((RecipeId(99), StepKind::Build)), None);
    assert!(plan.steps.iter().all(|step| *step.package == *set.label(step.recipe)
        && step.package.ends_with(&format!(" {}", step.version()))));
}

/// The steps whose keys differ between two versions of the same recipes.
fn moved(change: impl Fn(&str) -> String) -> Vec<String> {
    let (before, after) = (set(DEMO), set(&change(DEMO)));
    let (before, after) = (make(&before, "app", &facts()), make(&after, "app", &facts()));
    let name = |s: &Step| format!("{} {}", s.kind.word(), s.package.split(' ').next().unwrap_or(""));
    let old: std::collections::BTreeMap<String, StepKey> =
        before.steps.iter().map(|s| (name(s), s.key)).collect();
    after.steps.iter().filter(|s| old.get(&name(s)) != Some(&s.key)).map(name).collect()
}

#[test]
fn a_run_time_dependency_rebuilds_no_wheel() {
    let bumped =
        moved(|t| t.replace("pname = \"lib\"\nversion = \"2\"", "pname = \"lib\"\nversion = \"2.1\""));
    let builds: Vec<&String> = bumped.iter().filter(|s| s.contains("app")).collect();
    assert_eq!(
        builds,
        ["verify app", "imports app", "check app"].map(String::from).iter().collect::<Vec<_>>()
    );
    assert!(bumped.contains(&"fetch lib".to_owned()));
}

#[test]
fn what_is_for_people_moves_no_key() {
    let none: [&str; 0] = [];
    assert_eq!(moved(|t| t.replace("pname = \"app\"", "# a comment\npname = \"app\"")), none);
    assert_eq!(moved(|t| format!("{t}[meta]\ndescription = \"x\"\n")), none);
    assert_eq!(moved(|t| format!("{t}[build]\ntimeout = 5\nmemory = 1000000000\nexclusive = true\n")), none);
    assert_eq!(moved(|t| t.replace("file:///app.tar.gz", "file:///mirror/app.tar.gz")), none);
    assert_eq!(moved(|t| format!("{t}[optional-dependencies]\nx = [\"lib\"]\n")), none);
}

#[test]
fn each_field_moves_its_own_steps() {
    let only = |extra: &str| moved(|t| format!("{t}{extra}"));
    assert_eq!(
        only("[build]\nenv = { A = \"1\" }\n"),
        ["build app", "finish app", "install app", "verify app", "imports app", "check app"]
    );
    assert_eq!(
        only("[relax]\nall = true\n"),
        ["finish app", "install app", "verify app", "imports app", "check app"]
    );
    assert_eq!(only("flags = [\"-x\"]\n"), ["check app"]);
    assert_eq!(only("imports = [\"app.sub\"]\n"), ["imports app"]);
    // What it runs of the host is seen by its checks alone.
    assert_eq!(only("[external]\ndependencies = [\"pkg:generic/git\"]\n"), ["imports app", "check app"]);
}

#[test]
fn the_level_and_the_interpreter_move_keys() {
    let set = set(DEMO);
    let base = make(&set, "app", &facts());
    let other = make(&set, "app", &Facts { level: Level::Env, ..facts() });
    let same = |other: &Plan| -> Vec<&str> {
        let steps = base.steps.iter().zip(&other.steps);
        steps.filter(|(a, b)| a.key == b.key).map(|(a, _)| a.kind.word()).collect()
    };
    // What is fetched and unpacked once serves every level and interpreter.
    let sources = ["fetch", "source", "fetch", "source", "fetch", "source"];
    assert_eq!(same(&other), sources);
    let other = make(&set, "app", &Facts { interpreter: Digest::of(b"new"), ..facts() });
    assert_eq!(same(&other), sources);
    let other = make(&set, "app", &Facts { host: Digest::of(b"new"), ..facts() });
    assert!(base.steps.iter().zip(&other.steps).all(|(a, b)| a.key == b.key), "no compiler is declared");
}

#[test]
fn a_content_key_follows_the_bytes_and_not_the_intent() {
    let (one, two) = (set(DEMO), set(&DEMO.replace("version = \"1\"", "version = \"1.1\"")));
    let (one, two) = (make(&one, "app", &facts()), make(&two, "app", &facts()));
    let build =
        |p: &Plan| p.steps.iter().position(|s| s.kind == StepKind::Build && &*s.package == "app 3").unwrap();
    let (of_one, of_two) = (build(&one), build(&two));
    assert_ne!(one.steps[of_one].key, two.steps[of_two].key);
    let same = ["tree a".to_owned(), "tree b".to_owned()];
    assert_eq!(one.content_key(of_one, &same), two.content_key(of_two, &same));
    let other = ["tree a".to_owned(), "tree c".to_owned()];
    assert_ne!(one.content_key(of_one, &same), one.content_key(of_one, &other));
}

#[test]
fn differences_name_what_changed() {
    let (one, two) = (set(DEMO), set(&DEMO.replace("version = \"1\"", "version = \"1.1\"")));
    let (one, two) = (make(&one, "app", &facts()), make(&two, "app", &facts()));
    let build = |p: &Plan| {
        p.parts(p.steps.iter().position(|s| s.kind == StepKind::Build && &*s.package == "app 3").unwrap())
    };
    let found = differences(&build(&one), &build(&two));
    let told: Vec<String> = found.iter().map(Difference::sentence).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("input build-system backend: 1 "), "{told:?}");
    assert!(told[0].contains("-> 1.1 "), "{told:?}");
}

/// The steps of `app` that two texts of its recipe tell apart.
fn between(one: &str, two: &str) -> Vec<String> {
    let app = |extra: &str| DEMO.replace("[check]\nrunner = \"unittest\"\n", extra);
    let (before, after) = (set(&app(one)), set(&app(two)));
    let (before, after) = (make(&before, "app", &facts()), make(&after, "app", &facts()));
    let keys: Vec<StepKey> = before.steps.iter().map(|s| s.key).collect();
    after.steps.iter().filter(|s| !keys.contains(&s.key)).map(|s| s.kind.word().to_owned()).collect()
}

#[test]
fn phases_move_the_step_that_runs_them() {
    let phase = |name: &str, text: &str| format!("[phases]\n{name} = \"{text}\"\n");
    let moved = |name: &str| between(&phase(name, "a"), &phase(name, "b")).first().cloned();
    assert_eq!(moved("post-patch").as_deref(), Some("source"));
    assert_eq!(moved("pre-build").as_deref(), Some("build"));
    assert_eq!(moved("post-build").as_deref(), Some("build"));
    assert_eq!(moved("post-install").as_deref(), Some("install"));
    // Where a phase makes the source, the level is part of what it is.
    let phased =
        set(&format!("{DEMO}[phases]\npost-patch = \"a\"\n").replace("[check]\nrunner = \"unittest\"\n", ""));
    let source = |level| {
        let plan = make(&phased, "app", &Facts { level, ..facts() });
        plan.steps.iter().find(|s| s.kind == StepKind::Source && &*s.package == "app 3").unwrap().key
    };
    assert_ne!(source(Level::Full), source(Level::Env));
    // There one action runs them all, and nothing is finished.
    let other = |text: &str| {
        format!("{DEMO}[phases]\ninstall = \"{text}\"\n")
            .replace("version = \"3\"\n", "version = \"3\"\nformat = \"other\"\n")
    };
    let (one, two) = (set(&other("a")), set(&other("b")));
    let (one, two) = (make(&one, "app", &facts()), make(&two, "app", &facts()));
    let build =
        |p: &Plan| p.steps.iter().find(|s| s.kind == StepKind::Build && &*s.package == "app 3").unwrap().key;
    assert_ne!(build(&one), build(&two));
}

#[test]
fn a_table_that_is_not_supported_is_never_answered_with_an_older_wheel() {
    let moved = between("", "[cargo]\n");
    assert_eq!(moved[..2], ["build", "finish"]);
    assert_eq!(between("", "[app]\nwsgi = \"app:run\"\n")[..2], ["build", "finish"]);
}

#[test]
fn an_empty_list_is_not_the_absence_of_one() {
    let moved = between("", "[build]\nconfig-settings = { a = [] }\n");
    assert_eq!(moved.first().map(String::as_str), Some("build"));
}

#[test]
fn the_spelling_of_the_name_is_a_variable_of_builds() {
    let moved = moved(|t| t.replace("pname = \"app\"", "pname = \"App\""));
    assert_eq!(moved, ["build app", "finish app", "install app", "verify app", "imports app", "check app"]);
}

#[test]
fn what_extras_bring_in_is_checked_like_the_rest() {
    let recipe = |name: &str, more: &str| {
        let source = format!("[source]\nurl = \"file:///{name}.tar.gz\"\nHASH\n");
        format!("//- {name}.toml\npname = \"{name}\"\nversion = \"1\"\n{more}{source}")
    };
    let set = set(&format!(
        "{}[optional-dependencies]\nx = [\"c<2\"]\n{}{}{}",
        recipe("a", ""),
        recipe("b", "dependencies = [\"c\"]\n"),
        recipe("c", ""),
        recipe("c2", "").replace("pname = \"c2\"\nversion = \"1\"", "pname = \"c\"\nversion = \"2\"")
    ));
    let goal = |name: &str, extras: &[&str]| Member {
        id: set.select(name).unwrap(),
        extras: extras.iter().map(|e| e.parse().unwrap()).collect(),
    };
    // Each has a closure of its own, so `c` may be there twice.
    let goals = Goals {
        packages: vec![goal("a", &["x"]), goal("b", &[])],
        beside: Vec::new(),
        depth: Depth::Checked,
        tests: Tests::Goals,
    };
    let plan = plan(&set, &facts(), &Local::default(), &goals).unwrap();
    let wanted: Vec<String> = plan
        .goals
        .iter()
        .map(|i| &plan.steps[*i])
        .filter(|s| s.package.starts_with("c "))
        .map(|s| format!("{} {}", s.kind.word(), s.package))
        .collect();
    assert_eq!(
        wanted,
        [
            "finish c 1",
            "install c 1",
            "verify c 1",
            "imports c 1",
            "finish c 2",
            "install c 2",
            "verify c 2",
            "imports c 2"
        ]
    );
}

#[test]
fn wheels_alone_install_only_what_builds_need() {
    let set = set(concat!(
        "//- tool.toml\npname = \"tool\"\nversion = \"1\"\nbuild-system = []\n",
        "[source]\nurl = \"file:///tool.tar.gz\"\nHASH\n",
        "//- hub.toml\npname = \"hub\"\nversion = \"1\"\nbuild-system = [\"tool\"]\n",
        "[source]\nurl = \"file:///hub.tar.gz\"\nHASH\n",
        "//- rim.toml\npname = \"rim\"\nversion = \"1\"\nbuild-system = [\"tool\"]\ndependencies = [\"hub\"]\n",
        "[source]\nurl = \"file:///rim.tar.gz\"\nHASH\n",
    ));
    let goals = Goals {
        packages: vec![set.select("rim").unwrap().into()],
        beside: Vec::new(),
        depth: Depth::Wheels,
        tests: Tests::None,
    };
    let plan = plan(&set, &facts(), &Local::default(), &goals).unwrap();
    let named = |s: &Step| format!("{} {}", s.kind.word(), s.package);
    let installs: Vec<String> = plan.steps.iter().filter(|s| s.kind > StepKind::Finish).map(named).collect();
    assert_eq!(installs, ["install tool 1"]);
    let wanted: Vec<String> = plan.goals.iter().map(|i| named(&plan.steps[*i])).collect();
    assert_eq!(wanted, ["finish rim 1", "finish hub 1"]);
}

#[test]
fn a_build_cycle_is_no_endless_plan() {
    let recipe = |name: &str, needs: &str| {
        format!(
            "//- {name}.toml\npname = \"{name}\"\nversion = \"1\"\nbuild-system = [\"{needs}\"]\n\
             [source]\nurl = \"file:///{name}.tar.gz\"\nHASH\n"
        )
    };
    for (text, count) in [(recipe("p", "q") + &recipe("q", "p"), 1), (recipe("p", "p"), 1)] {
        let set = set(&text);
        let goals = Goals {
            packages: vec![set.select("p").unwrap().into()],
            beside: Vec::new(),
            depth: Depth::Wheels,
            tests: Tests::None,
        };
        let findings = plan(&set, &facts(), &Local::default(), &goals).unwrap_err();
        assert_eq!(findings.len(), count);
        assert!(findings[0].message.contains("`p 1` must be built before itself"), "{findings:?}");
    }
}
