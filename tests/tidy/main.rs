//! The house rules as tests: imports in one direction, budgets, bans.
//!
//! Knows the source tree as text. Must never run the program.

mod rust;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rust::{Source, functions, sources};

/// `builder`'s modules in the order in which they may import each other.
/// `error` and `event` are leaves that anybody may use.
const ORDER: [&str; 18] = [
    "error", "event", "ambient", "key", "tree", "store", "fetch", "index", "exec", "wheel", "pep517",
    "python", "plan", "schedule", "outputs", "ops", "cli", "main",
];

const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

fn complain(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

fn module_of(source: &Source) -> Option<String> {
    let rest = source.path.strip_prefix("builder/src/")?;
    let first = rest.split('/').next()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

#[test]
fn modules_import_in_one_direction() {
    let place: BTreeMap<&str, usize> = ORDER.iter().enumerate().map(|(i, m)| (*m, i)).collect();
    let mut findings = Vec::new();
    for source in sources(&root()) {
        let Some(module) = module_of(&source).filter(|m| m != "lib") else { continue };
        let Some(&own) = place.get(module.as_str()) else {
            findings.push(format!("{}: module `{module}` is not in the table", source.path));
            continue;
        };
        for (line, name) in source.crate_imports() {
            match place.get(name.as_str()) {
                Some(&other) if other <= own => {}
                Some(_) => {
                    findings.push(format!("{}:{line}: `{module}` imports the later `{name}`", source.path));
                }
                None => findings.push(format!("{}:{line}: `crate::{name}` is no module", source.path)),
            }
        }
    }
    complain("imports go one way", findings);
}

#[test]
fn functions_and_files_keep_their_budget() {
    let mut findings = Vec::new();
    for source in sources(&root()) {
        if source.is_test() {
            continue;
        }
        let lines = source.code_lines();
        if lines > FILE_LINES && !source.text.starts_with("//! A flat catalogue") {
            findings.push(format!("{}: {lines} lines, budget {FILE_LINES}", source.path));
        }
        for (name, line, length) in functions(&source) {
            if length > FUNCTION_LINES {
                let at = format!("{}:{line}", source.path);
                findings.push(format!("{at}: fn {name} is {length} lines, budget {FUNCTION_LINES}"));
            }
        }
    }
    complain("budgets", findings);
}

#[test]
fn every_module_says_what_it_knows() {
    let mut findings = Vec::new();
    for source in sources(&root()) {
        if source.is_test() || source.path.starts_with("tests/") {
            continue;
        }
        let doc: Vec<&str> = source.text.lines().map_while(|l| l.strip_prefix("//!")).collect();
        let doc = doc.join("").replace("**", "");
        if doc.is_empty() {
            findings.push(format!("{}: no module doc", source.path));
        } else if !source.path.ends_with("lib.rs") && !doc.to_lowercase().contains("must never") {
            findings.push(format!("{}: the doc does not say what it must never do or know", source.path));
        }
    }
    complain("module docs", findings);
}

/// A text that may stand only in some files.
struct Ban {
    text: &'static str,
    allowed: &'static [&'static str],
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        text: "println!",
        allowed: &["builder/src/cli/", "builder/src/exec/local/linux", "xtask/"],
        why: "only cli prints",
    },
    Ban {
        text: "unsafe",
        allowed: &["builder/src/exec/local/", "builder/src/tree/fs.rs", "tests/"],
        why: "unsafe code lives in exec/local and tree/fs.rs",
    },
    Ban {
        text: "target_os",
        allowed: &[
            "builder/src/exec/local/",
            "builder/src/exec/local.rs",
            "builder/src/tree/fs.rs",
            "tests/",
        ],
        why: "OS differences live in exec/local and tree/fs.rs",
    },
    Ban {
        text: "Command::new",
        allowed: &[
            "builder/src/exec/local",
            "builder/src/fetch/git",
            "builder/src/fetch/keyring.rs",
            "builder/src/python/",
            "builder/src/pep517/tests.rs",
            "builder/src/outputs/tests.rs",
            "builder/src/main.rs",
            "xtask/",
            "tests/",
        ],
        why: "processes start in exec, git, the keyring and the interpreter probe",
    },
    Ban {
        text: "env::var",
        allowed: &["builder/src/ambient.rs", "xtask/", "tests/"],
        why: "one look at the world",
    },
    Ban { text: "todo!(", allowed: &[], why: "no stubs" },
    Ban { text: "unimplemented!(", allowed: &[], why: "no stubs" },
    Ban { text: "#[ignore", allowed: &[], why: "no test is left out" },
    Ban { text: "dbg!(", allowed: &[], why: "no debris" },
    Ban {
        text: "thread::sleep",
        allowed: &["builder/src/fetch/", "builder/src/exec/local/"],
        why: "no sleeping",
    },
];

#[test]
fn banned_calls_stay_in_their_room() {
    let mut findings = Vec::new();
    for source in sources(&root()) {
        // Tests start processes and read what cargo tells them.
        if source.is_test() {
            continue;
        }
        for ban in BANS {
            if ban.allowed.iter().any(|a| source.path.starts_with(a)) {
                continue;
            }
            for (line, text) in source.plain_lines() {
                if contains_word(text, ban.text) {
                    findings.push(format!("{}:{line}: `{}`: {}", source.path, ban.text, ban.why));
                }
            }
        }
    }
    complain("bans", findings);
}

fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let open = word.ends_with(['!', '(', '[']) || !word.ends_with(char::is_alphanumeric);
        !letter(before) && (open || !letter(after))
    })
}

#[test]
fn recipes_do_no_io() {
    let banned =
        ["std::fs", "std::net", "std::process", "std::env", "std::thread", "std::time", "reqwest", "rayon"];
    let mut findings = Vec::new();
    for source in sources(&root()) {
        if !source.path.starts_with("recipes/src") || source.is_test() {
            continue;
        }
        for (line, text) in source.plain_lines() {
            for word in banned {
                if text.contains(word) {
                    findings.push(format!("{}:{line}: `{word}` in a pure crate", source.path));
                }
            }
        }
    }
    complain("recipes knows no world", findings);
}

#[test]
fn no_registry_host_is_named() {
    // Put together here, so that this file does not name them either.
    let hosts = [
        concat!("py", "pi.org"),
        concat!("python", "hosted.org"),
        concat!("crates", ".io"),
        concat!("registry.npm", "js"),
        concat!("deb.", "debian.org"),
    ];
    let mut findings = Vec::new();
    for file in rust::all_files(&root()) {
        let name = file.strip_prefix(root()).expect("it was found below the root").display().to_string();
        if name == "Cargo.lock" {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for host in hosts {
            for (line, _) in text.lines().enumerate().filter(|(_, l)| l.contains(host)) {
                findings.push(format!("{name}:{}: names a registry's host", line + 1));
            }
        }
    }
    complain("the index address is read at run time", findings);
}

#[test]
fn ci_runs_what_the_readme_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let ci = std::fs::read_to_string(root().join(".ci/run")).expect("there is a .ci/run");
    let last = ci.lines().rev().find(|l| !l.trim().is_empty()).expect("it is not empty");
    let command = last.trim_start_matches("exec ").trim();
    assert!(command.starts_with("cargo "), "the last line of .ci/run is the test command, not `{command}`");
    assert!(readme.contains(command), "README does not give `{command}`");
}
