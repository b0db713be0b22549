//! `[check]` and the smaller tables.

use expect_test::expect;

use super::*;

#[test]
fn checks() {
    check_each(
        &[
            "enable = true",
            "imports = []",
            "imports = [\"my-lib\"]",
            "runner = \"command\"",
            "runner = \"unittest\"\nmarks = [\"x\"]",
            "inputs = [\"PyTest\"]",
            "flags = [\"-x\"]",
            "inputs = [\"pytest\"]\nenable = false",
            "enabled-paths = [\"/x\", \"../y\"]",
        ],
        |text| format!("{HEAD}[check]\n{text}\n"),
        expect![[r#"
            === enable = true
            a 1 Package Pyproject
              source: Path { dir: ".", include: [] } Local
              check: enable true runner None imports None
            === imports = []
            a 1 Package Pyproject
              source: Path { dir: ".", include: [] } Local
              check: enable false runner None imports Some([])
            === imports = ["my-lib"]
            error[W201] a.toml:6:12: `my-lib` cannot be imported: not a module name
             6 | imports = ["my-lib"]
               |            ^^^^^^^^
              hint: write `"my_lib"`
            === runner = "command"
            error[W103] a.toml:6:10: `runner = "command"` runs the `check` phase, and there is none
             6 | runner = "command"
               |          ^^^^^^^^^
              hint: write it in `[phases]`: `check = "..."`
            === runner = "unittest" marks = ["x"]
            error[W107] a.toml:7:1: only pytest knows marks
             7 | marks = ["x"]
               | ^^^^^
              hint: write `runner = "pytest"`, or remove `marks`
            === inputs = ["PyTest"]
            a 1 Package Pyproject
              source: Path { dir: ".", include: [] } Local
              check: enable true runner Pytest imports None
              check inputs: PyTest@6
            === flags = ["-x"]
            a 1 Package Pyproject
              source: Path { dir: ".", include: [] } Local
              check: enable true runner None imports None
              check flags: ["-x"]
            === inputs = ["pytest"] enable = false
            a 1 Package Pyproject
              source: Path { dir: ".", include: [] } Local
              check: enable false runner Pytest imports None
              check inputs: pytest@6
            === enabled-paths = ["/x", "../y"]
            error[W209] a.toml:6:18: `/x` is not a relative path
             6 | enabled-paths = ["/x", "../y"]
               |                  ^^^^
              hint: write it relative to the folder of this file: it must work anywhere
            error[W209] a.toml:6:24: `../y` leaves the source
             6 | enabled-paths = ["/x", "../y"]
               |                        ^^^^^^
              hint: name a path inside it, without `..`
        "#]],
    );
    check(
        &format!("format = \"other\"\n{HEAD}"),
        expect![[r#"
        error[W103] a.toml:1:10: a recipe with `format = "other"` needs an `install` phase
         1 | format = "other"
           |          ^^^^^^^
          hint: write it in `[phases]`: `install = "..."`
    "#]],
    );
}

#[test]
fn bad_words() {
    check(
        &format!(
            "namespaces = [\"a-b\", \"1\"]\n{HEAD}[optional-dependencies]\n\"a b\" = []\nx-y = []\nx_y = []\n[build]\ncores = 0\nmemory = \"2 apples\"\ntimeout = -1\nbackend = \"a b\"\nenv = {{ \"A=B\" = \"\" }}\n[external]\nbuild-requires = [\"gcc\", \"openssl\", \"virtual:foo/x\"]\n[wrap]\nprefix.PATH = {{ sep = \":\" }}\n[app]\nwsgi = \"shop\"\n[relax]\nupper = [\"flask<3\"]\n[source2]\n"
        ),
        expect![[r#"
            error[W201] a.toml:1:15: `a-b` cannot be imported: not a module name
             1 | namespaces = ["a-b", "1"]
               |               ^^^^^
              hint: write `"a_b"`
            error[W201] a.toml:1:22: `1` cannot be imported: not a module name
             1 | namespaces = ["a-b", "1"]
               |                      ^^^
            error[W201] a.toml:7:1: `a b` is not the name of an extra (letters, digits, and `-`, `_`, `.` between them)
             7 | "a b" = []
               | ^^^^^
            error[W105] a.toml:9:1: `x_y` is another spelling of an extra above
             9 | x_y = []
               | ^^^
            error[W106] a.toml:11:9: `cores` cannot be 0
             11 | cores = 0
                |         ^
            error[W106] a.toml:12:10: "2 apples" is not a size
             12 | memory = "2 apples"
                |          ^^^^^^^^^^
              hint: write `"2 GiB"`, `"512 MiB"` or a number of bytes
            error[W106] a.toml:13:11: `build.timeout` is negative
             13 | timeout = -1
                |           ^^
            error[W201] a.toml:14:11: `a b` does not name an object of a module
             14 | backend = "a b"
                |           ^^^^^
              hint: write e.g. `"setuptools.build_meta"`
            error[W201] a.toml:15:9: `A=B` is not the name of a variable
             15 | env = { "A=B" = "" }
                |         ^^^^^
            error[W208] a.toml:17:19: `gcc` is not an external requirement (PEP 725)
             17 | build-requires = ["gcc", "openssl", "virtual:foo/x"]
                |                   ^^^^^
              hint: write `"virtual:compiler/c"`
            error[W208] a.toml:17:26: `openssl` is not an external requirement (PEP 725)
             17 | build-requires = ["gcc", "openssl", "virtual:foo/x"]
                |                          ^^^^^^^^^
              hint: write `"pkg:generic/openssl"`
            error[W208] a.toml:17:37: `virtual:foo/x` is not an external requirement (PEP 725)
             17 | build-requires = ["gcc", "openssl", "virtual:foo/x"]
                |                                     ^^^^^^^^^^^^^^^
              hint: write `"pkg:generic/NAME"`
            error[W214] a.toml:19:15: there are no values to put before or after
             19 | prefix.PATH = { sep = ":" }
                |               ^^^^^^^^^^^^^
              hint: write e.g. `{ sep = ":", values = ["/opt/tools/bin"] }`
            error[W201] a.toml:21:8: `shop` does not name an object of a module
             21 | wsgi = "shop"
                |        ^^^^^^
              hint: write e.g. `"shop:app"` or `"shop:create_app()"`
            error[W201] a.toml:23:10: `flask<3` is not a project name (letters, digits, and `-`, `_`, `.` between them)
             23 | upper = ["flask<3"]
                |          ^^^^^^^^^ only the name goes here
              hint: write `"flask"`
            error[W101] a.toml:24:2: unknown key `source2`
             24 | [source2]
                |  ^^^^^^^ did you mean `source`?
              hint: write `source`
        "#]],
    );
    check(
        &format!("{HEAD}[app]\nserver = \"x\"\n"),
        expect![[r#"
        error[W103] a.toml:5:2: `[app]` names no application
         5 | [app]
           |  ^^^
          hint: write `wsgi = "shop:create_app()"` or `asgi = "shop:app"`
    "#]],
    );
}
