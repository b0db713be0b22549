//! A refusal and its log as one value of the report.
//!
//! Knows how answers and hints go together. Must never print.

use super::answer::{Refusal, exit_words};
use super::check::CheckFailure;
use super::hints::{self, Facts, Hint, hints};
use crate::error::Kind;
use crate::event::Failure;
use crate::exec::action::{ActionResult, Exit};

/// Lines of a log that are shown.
const TAIL: usize = 25;

/// Why a build failed, with the end of its log and what would help.
pub fn build_failure(refusal: &Refusal, result: &ActionResult, facts: Facts) -> Failure {
    // What the log names is nearer to the cause than "it raised".
    let vague =
        matches!(refusal, Refusal::Raised { module: None, .. } | Refusal::Phase(_) | Refusal::Died(_));
    let mut failure = failure(refusal.group(), refusal.message(), refusal.hints());
    fill(&mut failure, result, facts, vague);
    failure
}

/// Why a check failed, with the end of its log and what would help.
pub fn check_failure(why: &CheckFailure, result: &ActionResult, facts: Facts) -> Failure {
    let vague =
        matches!(why, CheckFailure::RunnerFailed(_) | CheckFailure::Phase(_) | CheckFailure::Died(..));
    let mut failure = failure(why.group(), why.message(), why.hints());
    fill(&mut failure, result, facts, vague);
    // What a build lacks is another list than what a check lacks.
    let imports = matches!(why, CheckFailure::Imports(_));
    failure.hints.retain(|hint| !(imports && hint.contains("`build-system`")));
    let own = missed_by_package(&String::from_utf8_lossy(&result.log));
    for hint in &mut failure.hints {
        match own && hint.contains(" (to `dependencies` if ") {
            true => {
                *hint =
                    hint.split(" to `build-system`").next().unwrap_or(hint).to_owned() + " to `dependencies`"
            }
            false => *hint = hint.replace("`build-system`", "`check.inputs`"),
        }
    }
    failure
}

/// Whether the module that is not there was imported by an installed package:
/// then it is no matter of the tests.
fn missed_by_package(log: &str) -> bool {
    let lines: Vec<&str> = log.lines().collect();
    let Some(at) = lines.iter().rposition(|line| line.contains("ModuleNotFoundError: No module named"))
    else {
        return false;
    };
    let frame = lines[..at].iter().rev().find(|line| line.contains(".py"));
    frame.is_some_and(|line| line.contains("/site-packages/"))
}

fn failure(group: String, message: String, hints: Vec<String>) -> Failure {
    Failure { kind: Kind::Build, group, message, causes: Vec::new(), log_tail: Vec::new(), hints, kept: None }
}

fn fill(failure: &mut Failure, result: &ActionResult, facts: Facts, vague: bool) {
    let log = String::from_utf8_lossy(&result.log);
    let mut found = hints(&log, facts);
    found.extend(exit_hint(result.exit));
    if let (true, Some(first)) = (vague, found.first()) {
        failure.group = first.group.clone();
    }
    // A full disk is nobody's recipe, whoever ran into it.
    if found.iter().any(|hint| hint.group == hints::DISK_FULL) {
        failure.kind = Kind::Environment;
    }
    // The answer's own hint about the same cause is the better one.
    found.retain(|hint| failure.hints.is_empty() || hint.group != failure.group);
    failure.hints.extend(found.into_iter().map(|hint| hint.text));
    if let (true, Some(line)) = (vague, compiler_error(&log).or_else(|| linker_error(&log))) {
        failure.causes.push(std::mem::replace(&mut failure.message, line.to_owned()));
    }
    if log.contains(RUNS_SETUP) {
        failure.message = failure.message.replace("(<string>, line", "(setup.py, line");
    }
    for text in failure.causes.iter_mut().chain([&mut failure.message]) {
        shorten(text, 300);
    }
    failure.log_tail = excerpt(&log);
    failure.kept = result.kept.clone();
}

/// The first error of a C compiler: nearer to the cause than what the backend
/// says about the compiler's exit.
fn compiler_error(log: &str) -> Option<&str> {
    log.lines().find(|line| {
        // `file:line: error: text`, not the word somewhere.
        [": fatal error: ", ": error: "].iter().any(|mark| {
            line.split_once(mark).is_some_and(|(place, _)| {
                place.contains(':') && !place.contains(' ') && place.ends_with(|c: char| c.is_ascii_digit())
            })
        })
    })
}

/// What the linker did not find, without its own path.
fn linker_error(log: &str) -> Option<&str> {
    let line = log.lines().find(|line| line.contains("ld: cannot find "))?;
    let from = line.find("ld: cannot find ")?;
    line[from..].split(": No such file").next()
}

/// The file of setuptools that runs a setup.py, as text without a name.
const RUNS_SETUP: &str = "setuptools/build_meta.py";

/// Cuts a line that quotes a whole command.
fn shorten(text: &mut String, most: usize) {
    if let Some((cut, _)) = text.char_indices().nth(most) {
        text.truncate(cut);
        text.push('…');
    }
}

/// What the interpreter says when it crashes: the reason and the first frames.
fn crash(log: &[String], tail: usize) -> Vec<String> {
    const SHOWN: usize = 8;
    let Some(from) = log.iter().rposition(|line| line.starts_with("Fatal Python error")) else {
        return Vec::new();
    };
    if from + tail >= log.len() {
        return Vec::new();
    }
    let to = (from + SHOWN).min(log.len() - tail);
    let mut top = log[from..to].to_vec();
    if to + tail < log.len() {
        top.push("  …".to_owned());
    }
    top
}

/// The end of a log, with Python's tracebacks folded to the frames outside of
/// installed packages and the last one: what came before them is shown then.
pub fn excerpt(log: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        out.push(line.to_owned());
        if line.trim_end() != "Traceback (most recent call last):" {
            continue;
        }
        let mut frames: Vec<Vec<&str>> = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("  ")) {
            match frames.last_mut() {
                Some(frame) if !line.starts_with("  File \"") => frame.push(line),
                _ => frames.push(vec![line]),
            }
        }
        fold(&frames, &mut out);
    }
    unchain(&mut out);
    for line in &mut out {
        shorten(line, 200);
    }
    let end = out.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    out.truncate(end);
    let top = crash(&out, TAIL);
    let mut tail = out.split_off(end.saturating_sub(TAIL - top.len()));
    let blank = tail.iter().take_while(|line| line.trim().is_empty()).count();
    tail.drain(..blank);
    [top, tail].concat()
}

/// Of tracebacks that one led to the other only the first and the last.
fn unchain(lines: &mut Vec<String>) {
    const LINKS: [&str; 2] = [
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
    ];
    let link = |line: &String| LINKS.contains(&line.trim_end());
    let mut at = 0;
    while let Some(from) = lines[at..].iter().position(link).map(|i| i + at) {
        let Some(to) = lines[from + 1..].iter().position(link).map(|i| i + from + 1) else { return };
        if lines[from..to].iter().filter(|line| line.starts_with("Traceback (most")).count() == 1 {
            lines.drain(from..to);
            at = from;
        } else {
            at = to;
        }
    }
}

fn fold(frames: &[Vec<&str>], out: &mut Vec<String>) {
    let mut folded = 0;
    let setup = frames.iter().any(|frame| frame[0].contains(RUNS_SETUP));
    for (i, frame) in frames.iter().enumerate() {
        let installed =
            ["/site-packages/", "/lib/python3", "\"<frozen "].iter().any(|w| frame[0].contains(w));
        if installed && i + 1 < frames.len() {
            folded += 1;
            continue;
        }
        if folded > 0 {
            out.push(format!("  … ({})", crate::error::count(std::mem::take(&mut folded), "frame")));
        }
        // setuptools runs the text of setup.py, and Python knows no file.
        let named = |line: &&str| match setup {
            true => line.replace("File \"<string>\"", "File \"setup.py\""),
            false => (*line).to_owned(),
        };
        out.extend(frame.iter().map(named));
    }
}

fn exit_hint(exit: Exit) -> Option<Hint> {
    let text = match exit {
        Exit::TimedOut => "give it more time with `build.timeout`",
        Exit::Silent => "it printed nothing for long: raise `build.timeout`, which raises that limit too",
        Exit::Signal(9) => {
            "something killed it, most likely for its memory: raise `build.memory`, or lower `build.cores`"
        }
        _ => return None,
    };
    Some(Hint { group: format!("exit-status:{}", exit_words(exit)), text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::exec::action::Level;

    fn result(exit: Exit, log: &str) -> ActionResult {
        ActionResult {
            exit,
            outputs: tempfile::tempdir().unwrap(),
            missing: Vec::new(),
            log: log.as_bytes().to_vec(),
            log_dropped: 0,
            took: Duration::ZERO,
            peak_memory: None,
            warmth: crate::exec::action::Warmth::Cold,
            level: Level::Env,
            kept: None,
        }
    }

    #[test]
    fn the_cause_in_the_log_groups_what_the_answer_does_not_explain() {
        let raised = Refusal::Raised {
            hook: "build_wheel".into(),
            exception: "CalledProcessError".into(),
            message: "status 1".into(),
            module: None,
        };
        let log = format!("{}a.c:1: fatal error: ffi.h: No such file or directory\n", "line\n".repeat(40));
        let failure = build_failure(&raised, &result(Exit::Code(1), &log), Facts::default());
        assert_eq!(failure.group, "missing-header:ffi.h");
        assert_eq!(failure.message, "a.c:1: fatal error: ffi.h: No such file or directory");
        assert_eq!(failure.causes, ["`build_wheel` raised CalledProcessError: status 1"]);
        assert_eq!(failure.log_tail.len(), 25);
        assert_eq!(failure.hints.len(), 1);
    }

    #[test]
    fn tracebacks_are_folded_to_what_tells_something() {
        let log = "x.c:2: fatal error: a.h: No such file or directory\n\
                   Traceback (most recent call last):\n\
                   \u{20} File \"/env/lib/python3.11/site-packages/setuptools/a.py\", line 1, in f\n    f()\n    ^^^\n\
                   \u{20} File \"/env/lib/python3.11/site-packages/setuptools/b.py\", line 2, in g\n    g()\n\
                   \u{20} File \"<string>\", line 3, in <module>\n\
                   \u{20} File \"/usr/lib/python3.11/subprocess.py\", line 4, in h\n    h()\n\
                   SystemExit: 1\n\n";
        expect_test::expect![[r#"
            x.c:2: fatal error: a.h: No such file or directory
            Traceback (most recent call last):
              … (2 frames)
              File "<string>", line 3, in <module>
              File "/usr/lib/python3.11/subprocess.py", line 4, in h
                h()
            SystemExit: 1"#]]
        .assert_eq(&excerpt(log).join("\n"));
    }

    #[test]
    fn of_a_chain_of_tracebacks_the_ends_are_shown() {
        let link = "\nDuring handling of the above exception, another exception occurred:\n\n";
        let block = |name: &str| format!("Traceback (most recent call last):\n{name}: gone\n");
        let log = ["A", "B", "C"].map(block).join(link);
        let shown = excerpt(&log).join("\n");
        assert!(
            shown.contains("A: gone") && !shown.contains("B: gone") && shown.contains("C: gone"),
            "{shown}"
        );
        let apart = format!("{log}a line between\n{log}");
        assert!(excerpt(&apart).contains(&"a line between".to_owned()));
    }

    #[test]
    fn only_a_compilers_own_words_are_the_message() {
        let said = |line: &str| compiler_error(line).is_some();
        assert!(said("src/x.c:2:10: fatal error: ffi.h: No such file or directory"));
        assert!(said("src/x.cpp:14: error: expected ';'"));
        assert!(!said("WARNING: the option: error: is odd"));
        assert!(!said("12:03: building: error: nothing"));
    }

    #[test]
    fn one_cause_is_hinted_at_once() {
        let raised = Refusal::Raised {
            hook: "import".into(),
            exception: "ModuleNotFoundError".into(),
            message: "No module named 'toml'".into(),
            module: Some("toml".into()),
        };
        let log = "ModuleNotFoundError: No module named 'toml'\n";
        let failure = build_failure(&raised, &result(Exit::Code(1), log), Facts::default());
        assert_eq!(failure.hints, ["add \"toml\" to `build-system`"]);
    }

    #[test]
    fn what_a_check_lacks_is_no_build_requirement() {
        let why = CheckFailure::RunnerFailed("pytest ended with status 4".into());
        let log = "ModuleNotFoundError: No module named 'toml'\n";
        let failure = check_failure(&why, &result(Exit::Code(1), log), Facts::default());
        assert!(failure.hints[0].contains("\"toml\" to `check.inputs`"), "{:?}", failure.hints);
    }

    #[test]
    fn what_the_package_lacks_is_its_dependency_whoever_finds_out() {
        let why = CheckFailure::RunnerFailed("pytest ended with status 4".into());
        let log = "tests/test_a.py:1: in <module>\n    import demo\n\
                   /env/lib/python3.11/site-packages/demo/__init__.py:1: in <module>\n    import toml\n\
                   E   ModuleNotFoundError: No module named 'toml'\n";
        let failure = check_failure(&why, &result(Exit::Code(1), log), Facts::default());
        assert_eq!(failure.hints, ["add \"toml\" to `dependencies`"]);
    }

    #[test]
    fn the_linkers_words_are_the_message() {
        let log = "/usr/bin/ld: cannot find -lfoozle: No such file or directory\n\
                   collect2: error: ld returned 1 exit status\nerror: command 'gcc' failed\n";
        let refusal = Refusal::Died(Exit::Code(1));
        let failure = build_failure(&refusal, &result(Exit::Code(1), log), Facts::default());
        assert_eq!(failure.message, "ld: cannot find -lfoozle");
    }

    #[test]
    fn a_setup_py_is_called_by_its_name() {
        let log = "Traceback (most recent call last):\n\
                   \u{20} File \"/env/lib/python3.11/site-packages/setuptools/build_meta.py\", line 1, in run_setup\n    exec(code)\n\
                   \u{20} File \"<string>\", line 3\n    setup(\n         ^\nSyntaxError: '(' was never closed\n";
        let raised = Refusal::Raised {
            hook: "get_requires_for_build_wheel".into(),
            exception: "SyntaxError".into(),
            message: "'(' was never closed (<string>, line 3)".into(),
            module: None,
        };
        let failure = build_failure(&raised, &result(Exit::Code(1), log), Facts::default());
        assert!(failure.message.ends_with("(setup.py, line 3)"), "{}", failure.message);
        assert!(
            failure.log_tail.contains(&"  File \"setup.py\", line 3".to_owned()),
            "{:?}",
            failure.log_tail
        );
    }

    #[test]
    fn the_top_of_a_crash_is_shown_with_the_end() {
        let frames: String = (0..60).map(|i| format!("  File \"x.py\", line {i} in f\n")).collect();
        let log = format!("test_a\nFatal Python error: Segmentation fault\n\nCurrent thread:\n{frames}end\n");
        let shown = excerpt(&log);
        assert_eq!(shown[0], "Fatal Python error: Segmentation fault");
        assert_eq!(shown[3], "  File \"x.py\", line 0 in f");
        assert!(shown.len() <= TAIL && shown.last().unwrap() == "end", "{shown:?}");
        let short = "Fatal Python error: Aborted\nend\n";
        assert_eq!(excerpt(short), ["Fatal Python error: Aborted", "end"]);
    }

    #[test]
    fn a_killed_build_is_explained() {
        let failure =
            build_failure(&Refusal::Died(Exit::Signal(9)), &result(Exit::Signal(9), ""), Facts::default());
        assert_eq!(failure.message, "the build ended without an answer: killed by signal 9");
        assert_eq!(failure.group, "exit-status:killed by signal 9");
        assert_eq!(failure.hints.len(), 1);
    }
}
