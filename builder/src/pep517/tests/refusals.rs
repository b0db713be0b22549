//! Builds that give no wheel, and what is told of them.

use super::*;

fn refusal(backend: &str) -> (Refusal, String) {
    let (answer, log) = build_with(&one_python(), backend, &spec());
    (answer.unwrap_err(), log)
}

#[test]
fn a_backend_that_raises_is_quoted_without_our_frames() {
    let (refusal, log) = refusal("def build_wheel(*a):\n    raise ValueError('no\\nmore')\n");
    let Refusal::Raised { hook, exception, message, module } = &refusal else { panic!("{refusal:?}") };
    assert_eq!(
        (hook.as_str(), exception.as_str(), message.as_str()),
        ("build_wheel", "ValueError", "no\nmore")
    );
    assert_eq!(module, &None);
    assert!(log.contains("toy.py") && !log.contains("runner.py"), "{log}");
    assert_eq!(refusal.message(), "`build_wheel` raised ValueError: no");
}

#[test]
fn a_backend_that_leaves_is_an_exception_too() {
    let (leaves, _) = refusal("import sys\ndef build_wheel(*a):\n    sys.exit('gcc is not here')\n");
    assert_eq!(leaves.message(), "`build_wheel` raised SystemExit: gcc is not here");
    let (dies, _) = refusal("import os\ndef build_wheel(*a):\n    os._exit(0)\n");
    assert_eq!(dies, Refusal::Died(Exit::Code(0)));
}

#[test]
fn a_backend_whose_words_are_no_text_is_told_all_the_same() {
    let odd = "class Odd(Exception):\n    def __str__(self): raise ValueError('no')\n";
    let (silent, _) = refusal(&format!("{odd}def build_wheel(*a): raise Odd\n"));
    assert_eq!(silent.message(), "`build_wheel` raised Odd: (it has no text that can be shown)");
    let (lone, _) = refusal("def build_wheel(*a): raise ValueError('a\\udcffb\\U0001f600')\n");
    assert_eq!(lone.message(), "`build_wheel` raised ValueError: a\\udcffb\u{1f600}");
}

#[test]
fn a_missing_module_is_named_with_the_line_to_add() {
    let (inner, _) = refusal("import setuptools_scm\ndef build_wheel(*a): pass\n");
    assert_eq!(inner.group(), "missing-module:setuptools_scm");
    assert_eq!(inner.hints(), ["add \"setuptools-scm\" to `build-system`"]);
    let place = Place::new(&one_python());
    place.write(
        "build/src/pyproject.toml",
        "[build-system]\nbuild-backend = 'hatchling.build'\nrequires = []\n",
    );
    let outer = read_answer(&place.run(&build_action(&spec()))).unwrap_err();
    assert_eq!(outer.message(), "the backend `hatchling.build` cannot be imported");
    assert_eq!(outer.hints(), ["add \"hatchling\" to `build-system`"]);
}

#[test]
fn hooks_and_wheels_that_are_not_there() {
    assert_eq!(refusal("x = 1\n").0.message(), "the backend `toy` has no `build_wheel`");
    let (named, _) = refusal("def build_wheel(*a): return 'a-1-py3-none-any.whl'\n");
    assert_eq!(named.message(), "`build_wheel` named `a-1-py3-none-any.whl`, which it did not write");
    let (odd, _) = refusal("def build_wheel(*a): return '../a.whl'\n");
    assert_eq!(odd.group(), "wheel-missing");
}

#[test]
fn what_the_backend_asks_for_is_checked_on_every_python() {
    let asks = format!(
        "{WHEEL}\ndef get_requires_for_build_wheel(c):\n    return ['Has_It>=1', 'has-it[x]', 'old>=2; python_version>\"3\"', \
         'none ; extra == \"x\"', 'gone (>1)', 'never; sys_platform == \"win32\"']\n"
    );
    for python in pythons() {
        let place = Place::new(&python);
        place.write("build/src/pyproject.toml", PYPROJECT);
        place.write("build/src/toy.py", &asks);
        let site = place.site(&python);
        let metadata = "Name: has-it\nRequires-Dist: deep; extra == 'X'\nRequires-Dist: flat\n\nRequires-Dist: body; extra == 'x'\n";
        place.write(&format!("{site}/has_it-1.4.dist-info/METADATA"), metadata);
        place.write(&format!("{site}/old-1.9.dist-info/METADATA"), "Name: old\n");
        let refusal = read_answer(&place.run(&build_action(&spec()))).unwrap_err();
        assert_eq!(
            refusal.message(),
            "the build backend asks for what `build-system` does not give: `deep`, `old>=2` (1.9 is there), `gone (>1)`",
            "{}",
            python.display()
        );
        assert_eq!(refusal.hints()[2], "add \"gone (>1)\" to `build-system`");
        place.write(&format!("{site}/old-2.0.dist-info/METADATA"), "Name: old\n");
    }
}

#[test]
fn a_source_without_anything_to_build() {
    let place = Place::new(&one_python());
    let refusal = read_answer(&place.run(&build_action(&spec()))).unwrap_err();
    assert_eq!(refusal, Refusal::NoBackend);
    place.write("build/src/setup.py", "");
    let refusal = read_answer(&place.run(&build_action(&spec()))).unwrap_err();
    assert_eq!(refusal.group(), "backend-missing:setuptools.build_meta:__legacy__");
}

#[test]
fn a_wrong_pyproject_is_said_on_every_python() {
    for (text, part) in [
        ("[build-system\n", "cannot be read"),
        ("[build-system]\nrequires = 'x'\n", "not one of strings"),
        ("[build-system]\nbuild-backend='x'\nbackend-path=['..']\n", "leaves the source"),
    ] {
        for python in pythons() {
            let place = Place::new(&python);
            place.write("build/src/pyproject.toml", text);
            match read_answer(&place.run(&build_action(&spec()))) {
                Err(Refusal::BadPyproject(why)) => assert!(why.contains(part), "{why}"),
                other => panic!("{}: {other:?}", python.display()),
            }
        }
    }
}
