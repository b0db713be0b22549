//! `cargo xtask`: the project's own chores, one word each.
//!
//! Knows cargo's command line. Must never know how wheelwright works inside
//! (`bench` knows its command line, its report and where a store keeps files).

mod bench;
mod synth;

use std::process::{Command, ExitCode};

const HELP: &str = "\
cargo xtask ci [--all]   formatting, lints, every test (--all: the long real sets, too)
cargo xtask bless        accept the expectations the tests see now
cargo xtask bench        the corpus beside its peers (--help: how)
cargo xtask synth DIR    a workspace of 10,000 synthetic recipes (--recipes, --seed)
cargo xtask schema       print the JSON Schema of recipes";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let commands: Vec<Vec<&str>> = match words.as_slice() {
        ["ci"] => ci(),
        ["ci", "--all"] => [ci(), long()].concat(),
        ["bench", rest @ ..] => return bench::main(rest),
        ["synth", rest @ ..] => return synth::main(rest),
        ["bless"] => return run(&["test", "--workspace"], Some(("UPDATE_EXPECT", "1"))),
        ["schema"] => vec![vec!["run", "--quiet", "--package", "builder", "--", "schema"]],
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    for command in commands {
        let code = run(&command, None);
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    ExitCode::SUCCESS
}

/// The same lines a developer would type, in the order that fails soonest.
fn ci() -> Vec<Vec<&'static str>> {
    vec![
        vec!["fmt", "--all", "--check"],
        vec!["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        vec!["test", "--workspace", "--locked"],
    ]
}

/// What takes longer than a coffee: the whole base set, the example corpus and
/// the bench's smoke test.
fn long() -> Vec<Vec<&'static str>> {
    vec![
        vec!["run", "--release", "--", "build", "--base", "--no-link"],
        vec![
            "run",
            "--release",
            "--",
            "build",
            "recipe-examples/corpus",
            "recipe-examples/toolz.toml",
            "--no-link",
        ],
        vec!["run", "--quiet", "--package", "xtask", "--", "bench", "--quick"],
    ]
}

fn run(arguments: &[&str], variable: Option<(&str, &str)>) -> ExitCode {
    eprintln!("$ cargo {}", arguments.join(" "));
    let mut command = cargo();
    command.args(arguments).envs(variable);
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(e) => {
            eprintln!("failed to start cargo: {e}");
            ExitCode::from(3)
        }
    }
}

/// Cargo, without what cargo says to this program of its own package: build
/// scripts look at that, and would run again whenever the two ways of calling
/// cargo take turns.
fn cargo() -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_this_package) {
            command.env_remove(name);
        }
    }
    command
}

fn is_of_this_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

#[cfg(test)]
mod tests {
    use super::is_of_this_package;

    #[test]
    fn only_what_cargo_says_of_this_package_is_left_out() {
        assert!(is_of_this_package("CARGO_PKG_NAME") && is_of_this_package("CARGO_MANIFEST_DIR"));
        assert!(!is_of_this_package("CARGO_TARGET_DIR") && !is_of_this_package("CARGO_HOME"));
    }
}
