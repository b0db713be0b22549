//! The name and the version of a project.

use expect_test::expect;

use super::*;

#[test]
fn bad_version() {
    check_each(
        &["1.0.0-x", "2024-01-01", "latest", "1.2.3.rc.foo", ""],
        |version| format!("pname = \"a\"\nversion = \"{version}\"\n[source]\npath = \".\"\n"),
        expect![[r#"
            === 1.0.0-x
            error[W202] a.toml:2:17: `1.0.0-x` is not a PEP 440 version
             2 | version = "1.0.0-x"
               |                 ^^ after `1.0.0` this has no meaning
              hint: write `"1.0.0+x"` if this is a local version, or the version the project itself says
            === 2024-01-01
            error[W202] a.toml:2:19: `2024-01-01` is not a PEP 440 version
             2 | version = "2024-01-01"
               |                   ^^^ after `2024-01` this has no meaning
              hint: write `"2024.1.1"`
            === latest
            error[W202] a.toml:2:12: `latest` is not a PEP 440 version
             2 | version = "latest"
               |            ^^^^^^
              hint: versions look like `1.2.3`, `1.2rc1`, `1.2.post1`, `1.2.dev0` or `1.2+local`
            === 1.2.3.rc.foo
            error[W202] a.toml:2:20: `1.2.3.rc.foo` is not a PEP 440 version
             2 | version = "1.2.3.rc.foo"
               |                    ^^^^ after `1.2.3.rc` this has no meaning
              hint: write `"1.2.3.rc+foo"` if this is a local version, or the version the project itself says
            === 
            error[W202] a.toml:2:11: the version is empty
             2 | version = ""
               |           ^^
              hint: write the version the project says, e.g. `version = "1.2.3"`
        "#]],
    );
}

#[test]
fn missing_name_and_version() {
    check(
        "[source]\npath = \".\"\n",
        expect![[r#"
        error[W103] a.toml:1:1: the recipe has no `pname`
         1 | [source]
           | ^
          hint: write `pname = "NAME"` at the top of the file
        error[W103] a.toml:1:1: the recipe has no `version`
         1 | [source]
           | ^
          hint: write `version = { from = "pyproject" }`, or the version itself
    "#]],
    );
    check(
        "pname = \"not a name\"\nversion = \"1\"\n[source]\npath = \".\"\n",
        expect![[r#"
            error[W201] a.toml:1:9: `not a name` is not a project name (letters, digits, and `-`, `_`, `.` between them)
             1 | pname = "not a name"
               |         ^^^^^^^^^^^^
              hint: write `"not-a-name"`
        "#]],
    );
    check(
        "pname = \"flask>=1\"\n",
        expect![[r#"
        error[W103] a.toml:1:1: the recipe has no `version`
         1 | pname = "flask>=1"
           | ^^^^^
          hint: write `version = "1.2.3"` below `pname`
        error[W201] a.toml:1:9: `flask>=1` is not a project name (letters, digits, and `-`, `_`, `.` between them)
         1 | pname = "flask>=1"
           |         ^^^^^^^^^^ only the name goes here
          hint: write `"flask"`
    "#]],
    );
}

#[test]
fn version_from_pyproject() {
    let text = "pname = \"a\"\nversion = { from = \"pyproject\" }\n[source]\npath = \".\"\n";
    let mut out = String::new();
    for pyproject in [
        "[project]\nversion = \"1.5\"\n",
        "[tool.poetry]\nversion = \"1.6\"\n",
        "[project]\ndynamic = [\"version\"]\n",
        "[project]\nname = \"a\"\n",
        "[project]\nversion = \"x\"\n",
        "[project\n",
    ] {
        out += &format!("=== {pyproject}{}", outcome(text, Some(pyproject)));
    }
    expect![[r#"
        === [project]
        version = "1.5"
        a 1.5 Package Pyproject
          source: Path { dir: ".", include: [] } Local
          check: enable false runner None imports None
        === [tool.poetry]
        version = "1.6"
        a 1.6 Package Pyproject
          source: Path { dir: ".", include: [] } Local
          check: enable false runner None imports None
        === [project]
        dynamic = ["version"]
        error[W211] a.toml:2:11: the version in pyproject.toml of `.` is dynamic: only its build backend knows it
         2 | version = { from = "pyproject" }
           |           ^^^^^^^^^^^^^^^^^^^^^^
          hint: write the version: `version = "1.2.3"`
        === [project]
        name = "a"
        error[W211] a.toml:2:11: pyproject.toml in `.` has no `project.version`
         2 | version = { from = "pyproject" }
           |           ^^^^^^^^^^^^^^^^^^^^^^
          hint: write the version: `version = "1.2.3"`
        === [project]
        version = "x"
        error[W211] a.toml:2:11: the version in pyproject.toml, `x`, is not a PEP 440 version
         2 | version = { from = "pyproject" }
           |           ^^^^^^^^^^^^^^^^^^^^^^
          hint: write the version: `version = "1.2.3"`
        === [project
        error[W001] pyproject.toml:1:9: unclosed table, expected `]`
         1 | [project
           |         ^
    "#]].assert_eq(&out);
    check(
        text,
        expect![[r#"
        error[W211] a.toml:2:11: there is no pyproject.toml in `.` to take the version from
         2 | version = { from = "pyproject" }
           |           ^^^^^^^^^^^^^^^^^^^^^^
          hint: write the version: `version = "1.2.3"`
    "#]],
    );
    check(
        "pname = \"a\"\nversion = { from = \"setup\" }\n[source]\npypi = \"a\"\nhash = \"\"\n",
        expect![[r#"
            error[W104] a.toml:2:20: `version.from` cannot be `"setup"`
             2 | version = { from = "setup" }
               |                    ^^^^^^^
              hint: it can be `"pyproject"`
        "#]],
    );
}
