//! Keys nobody knows, values of another type, and text that is no TOML.

use expect_test::expect;

use super::*;

#[test]
fn unknown_key() {
    check(
        "pname = \"a\"\nverson = \"1\"\nzzz = 1\nbuildInputs = []\nimports = []\n[source]\npath = \".\"\ndependencies = []\n[check]\nimport = []\n",
        expect![[r#"
            error[W103] a.toml:1:1: the recipe has no `version`
             1 | pname = "a"
               | ^^^^^
              hint: write `version = { from = "pyproject" }`, or the version itself
            error[W101] a.toml:2:1: unknown key `verson`
             2 | verson = "1"
               | ^^^^^^ did you mean `version`?
              hint: write `version`
            error[W101] a.toml:3:1: unknown key `zzz`
             3 | zzz = 1
               | ^^^
              hint: known here: extends, kind, pname, version, format, requires-python, build-system, dependencies, namespaces, remove-tests, optional-dependencies, source, build, phases, external, cargo, check, relax, wrap, app, meta
            error[W101] a.toml:4:1: unknown key `buildInputs`
             4 | buildInputs = []
               | ^^^^^^^^^^^
              hint: libraries to link are declared in `[external]`, `host-requires = ["pkg:generic/NAME"]`
            error[W101] a.toml:5:1: unknown key `imports`
             5 | imports = []
               | ^^^^^^^
              hint: `imports` belongs in `[check]`
            error[W101] a.toml:8:1: unknown key `dependencies` in `[source]`
             8 | dependencies = []
               | ^^^^^^^^^^^^ below `[source]` it belongs to that table
              hint: move `dependencies` above the first `[table]` of the file
            error[W101] a.toml:10:1: unknown key `import` in `[check]`
             10 | import = []
                | ^^^^^^ did you mean `imports`?
              hint: write `imports`
        "#]],
    );
}

#[test]
fn wrong_type() {
    check(
        "pname = 3\nversion = 1.0\ndependencies = \"flask\"\nbuild-system = [\"a\", 1]\nremove-tests = \"no\"\nkind = \"applicaton\"\nformat = \"setuptools\"\nsource = \".\"\n[build]\ncores = \"4\"\nmemory = true\nenv = { A = 1 }\n[wrap.set]\nA = [\"x\"]\n",
        expect![[r#"
            error[W102] a.toml:1:9: `pname` is an integer, but must be a string
             1 | pname = 3
               |         ^ expected a string
              hint: write `pname = "3"`
            error[W102] a.toml:2:11: `version` is a number with a point, but must be a string or a table
             2 | version = 1.0
               |           ^^^ expected a string or a table
              hint: write `version = "1.0"`
            error[W102] a.toml:3:16: `dependencies` is a string, but must be a list of strings
             3 | dependencies = "flask"
               |                ^^^^^^^ expected a list of strings
              hint: write `dependencies = ["flask"]`
            error[W102] a.toml:4:22: an item of `build-system` is an integer, but must be a string
             4 | build-system = ["a", 1]
               |                      ^ expected a string
              hint: write `"1"`
            error[W102] a.toml:5:16: `remove-tests` is a string, but must be `true` or `false`
             5 | remove-tests = "no"
               |                ^^^^ expected `true` or `false`
              hint: write `remove-tests = false`
            error[W104] a.toml:6:8: `kind` cannot be `"applicaton"`
             6 | kind = "applicaton"
               |        ^^^^^^^^^^^^ did you mean `application`?
              hint: it can be `"package"` or `"application"`
            error[W104] a.toml:7:10: `format` cannot be `"setuptools"`
             7 | format = "setuptools"
               |          ^^^^^^^^^^^^
              hint: write `format = "pyproject"` (the default): it builds any PEP 517 project, and a lone setup.py too
            error[W102] a.toml:8:10: `source` is a string, but must be a table or a list
             8 | source = "."
               |          ^^^ expected a table or a list
              hint: a table with some of: when, pypi, url, git, path, rev, tag, submodules, file, index, unpack, hash, subdirectory, include, patches, epoch
            error[W102] a.toml:10:9: `build.cores` is a string, but must be a whole number
             10 | cores = "4"
                |         ^^^ expected a whole number
              hint: write `cores = 4`
            error[W102] a.toml:11:10: `build.memory` is a boolean, but must be a whole number or a string
             11 | memory = true
                |          ^^^^ expected a whole number or a string
            error[W102] a.toml:12:13: `build.env.A` is an integer, but must be a string
             12 | env = { A = 1 }
                |             ^ expected a string
              hint: write `A = "1"`
            error[W102] a.toml:14:5: `wrap.set.A` is a list, but must be a string
             14 | A = ["x"]
                |     ^^^^^ expected a string
              hint: write `A = "x"`
        "#]],
    );
}

#[test]
fn syntax_errors_all_at_once() {
    check(
        "pname = \"a\nversion = 1.0.0\n[source\npname = 3\n",
        expect![[r#"
            error[W001] a.toml:1:11: invalid basic string, expected `"`
             1 | pname = "a
               |           ^
              hint: close the string with `"`
            error[W001] a.toml:2:14: this is not a number
             2 | version = 1.0.0
               |              ^^
              hint: text such as a version stands in quotes: `version = "1.2.3"`
            error[W001] a.toml:3:8: unclosed table, expected `]`
             3 | [source
               |        ^
            error[W002] a.toml:4:1: `pname` is written twice
             4 | pname = 3
               | ^^^^^
              hint: keep one of the two
        "#]],
    );
    check(
        "pname = \"a\"\npname = \"b\"\n[check]\n[check]\n",
        expect![[r#"
        error[W002] a.toml:2:1: `pname` is written twice
         2 | pname = "b"
           | ^^^^^
          hint: it is already on line 1; keep one of the two
        error[W002] a.toml:4:2: `check` is written twice
         4 | [check]
           |  ^^^^^
          hint: keep one of the two
    "#]],
    );
    check(
        "pname = \"a\"\nx = [1,\n[check]\nenable = flase\n",
        expect![[r#"
            error[W001] a.toml:2:5: a list that is opened with `[` is not closed
             2 | x = [1,
               |     ^
              hint: write `]` after its last item
        "#]],
    );
}

#[test]
fn old_spellings() {
    check(
        &format!(
            r#"
propagatedBuildInputs = ["flask"]
native-build-inputs = ["setuptools"]
nativeCheckInputs = ["pytest"]
doCheck = true
pythonImportsCheck = ["a"]
python-relax-deps = true
pythonRemoveDeps = ["x"]
disabledTestPaths = ["t"]
postPatch = "true"
checkPhase = "true"
dontWrapPythonPrograms = true
dont-use-python-remove-tests-dir = true
pyproject = true
makeWrapperArgs = ["--set A 'b c'", "--prefix", "PATH", ":", "/x", "--prefix PATH : /y", "--add-flags '-a -b'", "--run", "echo hi", "--unset Z"]
{HEAD}sha256 = ""
[meta]
mainProgram = "m"
"#
        ),
        expect![[r#"
            lint[W901] a.toml:2:1: `propagatedBuildInputs` is an older spelling of `dependencies`
             2 | propagatedBuildInputs = ["flask"]
               | ^^^^^^^^^^^^^^^^^^^^^
              hint: write `dependencies`
            lint[W901] a.toml:3:1: `native-build-inputs` is an older spelling of `build-system`
             3 | native-build-inputs = ["setuptools"]
               | ^^^^^^^^^^^^^^^^^^^
              hint: write `build-system`
            lint[W901] a.toml:4:1: `nativeCheckInputs` is an older spelling of `check.inputs`
             4 | nativeCheckInputs = ["pytest"]
               | ^^^^^^^^^^^^^^^^^
              hint: write `inputs` in `[check]`
            lint[W901] a.toml:5:1: `doCheck` is an older spelling of `check.enable`
             5 | doCheck = true
               | ^^^^^^^
              hint: write `enable` in `[check]`
            lint[W901] a.toml:6:1: `pythonImportsCheck` is an older spelling of `check.imports`
             6 | pythonImportsCheck = ["a"]
               | ^^^^^^^^^^^^^^^^^^
              hint: write `imports` in `[check]`
            lint[W901] a.toml:7:1: `python-relax-deps` is an older spelling of `relax.all`
             7 | python-relax-deps = true
               | ^^^^^^^^^^^^^^^^^
              hint: write `all = true`
            lint[W901] a.toml:8:1: `pythonRemoveDeps` is an older spelling of `relax.remove`
             8 | pythonRemoveDeps = ["x"]
               | ^^^^^^^^^^^^^^^^
              hint: write `remove` in `[relax]`
            lint[W901] a.toml:9:1: `disabledTestPaths` is an older spelling of `check.disabled-paths`
             9 | disabledTestPaths = ["t"]
               | ^^^^^^^^^^^^^^^^^
              hint: write `disabled-paths` in `[check]`
            lint[W901] a.toml:10:1: `postPatch` is an older spelling of `phases.post-patch`
             10 | postPatch = "true"
                | ^^^^^^^^^
              hint: write `post-patch` in `[phases]`
            lint[W901] a.toml:11:1: `checkPhase` is an older spelling of `phases.check`
             11 | checkPhase = "true"
                | ^^^^^^^^^^
              hint: write `check` in `[phases]`
            lint[W901] a.toml:12:1: `dontWrapPythonPrograms` is an older spelling of `wrap.enable`
             12 | dontWrapPythonPrograms = true
                | ^^^^^^^^^^^^^^^^^^^^^^
              hint: write `enable` in `[wrap]`, with the opposite sense
            lint[W901] a.toml:13:1: `dont-use-python-remove-tests-dir` is an older spelling of `remove-tests`
             13 | dont-use-python-remove-tests-dir = true
                | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              hint: write `remove-tests`, with the opposite sense
            lint[W901] a.toml:14:1: `pyproject` is an older spelling of `format`
             14 | pyproject = true
                | ^^^^^^^^^
              hint: write `format = "pyproject"`
            lint[W901] a.toml:15:1: `makeWrapperArgs` is an older spelling of `[wrap]`
             15 | makeWrapperArgs = ["--set A 'b c'", "--prefix", "PATH", ":", "/x", "--prefix PATH : /y", "--add-flags '-a -b'", "--run", "echo hi", "--unset Z"]
                | ^^^^^^^^^^^^^^^
              hint: write its operations as keys of `[wrap]`
            lint[W901] a.toml:20:1: `sha256` is an older spelling of `hash`
             20 | sha256 = ""
                | ^^^^^^
              hint: write `hash`
            error[W206] a.toml:20:1: a path source has no hash: its files are hashed when they are used
             20 | sha256 = ""
                | ^^^^^^
              hint: remove the line
            lint[W901] a.toml:22:1: `mainProgram` is an older spelling of `main-program`
             22 | mainProgram = "m"
                | ^^^^^^^^^^^
              hint: write `main-program`
        "#]],
    );
    check(
        &format!(
            "{}{HEAD}[check]\nenable = true\n",
            "doCheck = false\nmake-wrapper-args = [\"--argv0 x\"]\n"
        ),
        expect![[r#"
            error[W105] a.toml:1:1: `doCheck` and `enable` say the same thing
             1 | doCheck = false
               | ^^^^^^^
              hint: keep `enable` (line 8)
            lint[W901] a.toml:2:1: `make-wrapper-args` is an older spelling of `[wrap]`
             2 | make-wrapper-args = ["--argv0 x"]
               | ^^^^^^^^^^^^^^^^^
              hint: write its operations as keys of `[wrap]`
            error[W214] a.toml:2:22: `--argv0` is not a wrapper argument that can be read here
             2 | make-wrapper-args = ["--argv0 x"]
               |                      ^^^^^^^^^^^
              hint: known: --set, --set-default, --unset, --prefix, --suffix, --chdir, --run, --add-flags, --append-flags
        "#]],
    );
}
