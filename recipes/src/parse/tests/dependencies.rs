//! Requirements and their specifiers.

use expect_test::expect;

use super::*;

#[test]
fn bad_specifier() {
    check_each(
        &[
            ">=1.*", "~=1", ">=1,", ",>=1", "=1", "1.0", "^1.2", "=>1", ">=1 <2", "==1.x", ">=", ">=1,<foo",
            "(>=1.*)", ",", ",,",
        ],
        |spec| format!("dependencies = [\"flask{spec}; python_version > '3'\"]\n{HEAD}"),
        expect![[r#"
            === >=1.*
            error[W204] a.toml:1:23: `>=` takes no `.*`: only `==` and `!=` do (PEP 440)
             1 | dependencies = ["flask>=1.*; python_version > '3'"]
               |                       ^^^^^
              hint: write `flask>=1; python_version > '3'`
            === ~=1
            error[W204] a.toml:1:23: `~=1` needs a second number to say what may change (PEP 440)
             1 | dependencies = ["flask~=1; python_version > '3'"]
               |                       ^^^
              hint: write `flask>=1,<2; python_version > '3'`
            === >=1,
            error[W204] a.toml:1:26: a comma with no specifier beside it
             1 | dependencies = ["flask>=1,; python_version > '3'"]
               |                          ^
              hint: write `flask>=1; python_version > '3'`
            === ,>=1
            error[W204] a.toml:1:23: a comma with no specifier beside it
             1 | dependencies = ["flask,>=1; python_version > '3'"]
               |                       ^
              hint: write `flask>=1; python_version > '3'`
            === =1
            error[W204] a.toml:1:23: `=` is not a comparison: equality is `==`
             1 | dependencies = ["flask=1; python_version > '3'"]
               |                       ^^
              hint: write `flask==1; python_version > '3'`
            === 1.0
            a 1 Package Pyproject
              dependencies: flask1.0; python_version > '3'@1
              source: Path { dir: ".", include: [] } Local
              check: enable false runner None imports None
            === ^1.2
            error[W204] a.toml:1:23: `^` is Poetry's, not PEP 440's
             1 | dependencies = ["flask^1.2; python_version > '3'"]
               |                       ^^^^
              hint: write `flask>=1.2,<2; python_version > '3'`
            === =>1
            error[W204] a.toml:1:23: `=>` is not a comparison
             1 | dependencies = ["flask=>1; python_version > '3'"]
               |                       ^^^
              hint: write `flask>=1; python_version > '3'`
            === >=1 <2
            error[W204] a.toml:1:23: `>=1 <2` holds several specifiers without a comma between them
             1 | dependencies = ["flask>=1 <2; python_version > '3'"]
               |                       ^^^^^^
              hint: write `flask>=1,<2; python_version > '3'`
            === ==1.x
            error[W204] a.toml:1:23: `1.x` is not a version: a wildcard is written `.*`
             1 | dependencies = ["flask==1.x; python_version > '3'"]
               |                       ^^^^^
              hint: write `flask==1.*; python_version > '3'`
            === >=
            error[W204] a.toml:1:23: `>=` has no version
             1 | dependencies = ["flask>=; python_version > '3'"]
               |                       ^^
            === >=1,<foo
            error[W204] a.toml:1:27: `foo` is not a PEP 440 version
             1 | dependencies = ["flask>=1,<foo; python_version > '3'"]
               |                           ^^^^
            === (>=1.*)
            error[W204] a.toml:1:24: `>=` takes no `.*`: only `==` and `!=` do (PEP 440)
             1 | dependencies = ["flask(>=1.*); python_version > '3'"]
               |                        ^^^^^
              hint: write `flask(>=1); python_version > '3'`
            === ,
            error[W204] a.toml:1:23: a comma with no specifier beside it
             1 | dependencies = ["flask,; python_version > '3'"]
               |                       ^
              hint: write `flask; python_version > '3'`
            === ,,
            error[W204] a.toml:1:23: a comma with no specifier beside it
             1 | dependencies = ["flask,,; python_version > '3'"]
               |                       ^
              hint: write `flask; python_version > '3'`
            error[W204] a.toml:1:24: a comma with no specifier beside it
             1 | dependencies = ["flask,,; python_version > '3'"]
               |                        ^
              hint: write `flask; python_version > '3'`
        "#]],
    );
    check(
        &format!("requires-python = \">=3.*,!=3.5.*,<4.*\"\n{HEAD}"),
        expect![[r#"
        error[W204] a.toml:1:20: `>=` takes no `.*`: only `==` and `!=` do (PEP 440)
         1 | requires-python = ">=3.*,!=3.5.*,<4.*"
           |                    ^^^^^
          hint: write `>=3,!=3.5.*,<4`
        error[W204] a.toml:1:34: `<` takes no `.*`: only `==` and `!=` do (PEP 440)
         1 | requires-python = ">=3.*,!=3.5.*,<4.*"
           |                                  ^^^^
          hint: write `>=3,!=3.5.*,<4`
    "#]],
    );
    check(
        &format!("requires-python = \"3.9\"\n{HEAD}"),
        expect![[r#"
            error[W204] a.toml:1:20: `3.9` has no comparison before the version
             1 | requires-python = "3.9"
               |                    ^^^
              hint: write `>=3.9`
        "#]],
    );
}

#[test]
fn bad_requirement() {
    check_each(
        &[
            "",
            "flask[a",
            "é",
            "a b",
            "flask; foo == 'a'",
            "flask; extras == 'x'",
            "flask; python_version < 3",
            "x @ https://h.example/x.whl",
            "flask; sys_platform ~= 'linux'",
            "./flask",
            "-flask",
        ],
        |text| format!("dependencies = [\"{text}\"]\n{HEAD}"),
        expect![[r#"
            === 
            error[W203] a.toml:1:17: a requirement is empty
             1 | dependencies = [""]
               |                 ^^
              hint: remove it
            === flask[a
            error[W203] a.toml:1:23: `flask[a` is not a requirement: missing closing bracket (expected ']', found end of dependency specification)
             1 | dependencies = ["flask[a"]
               |                       ^
              hint: requirements look like `flask`, `flask>=3,<4` or `flask[async]; python_version < '3.11'`
            === é
            error[W203] a.toml:1:18: `é` is not a requirement: expected package name starting with an alphanumeric character, found `é`
             1 | dependencies = ["é"]
               |                  ^
              hint: requirements look like `flask`, `flask>=3,<4` or `flask[async]; python_version < '3.11'`
            === a b
            error[W203] a.toml:1:20: `a b` is not a requirement: expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `b`
             1 | dependencies = ["a b"]
               |                    ^
              hint: requirements look like `flask`, `flask>=3,<4` or `flask[async]; python_version < '3.11'`
            === flask; foo == 'a'
            error[W205] a.toml:1:25: the marker cannot be read: expected a quoted string or a valid marker name, found `foo`
             1 | dependencies = ["flask; foo == 'a'"]
               |                         ^^^
              hint: markers look like `python_version < '3.11' and sys_platform == 'linux'`
            === flask; extras == 'x'
            error[W205] a.toml:1:25: the marker cannot be read: expected a quoted string or a valid marker name, found `extras`
             1 | dependencies = ["flask; extras == 'x'"]
               |                         ^^^^^^
              hint: markers look like `python_version < '3.11' and sys_platform == 'linux'`
            === flask; python_version < 3
            error[W205] a.toml:1:42: the marker cannot be read: expected a quoted string or a valid marker name, found `3`
             1 | dependencies = ["flask; python_version < 3"]
               |                                          ^
              hint: markers look like `python_version < '3.11' and sys_platform == 'linux'`
            === x @ https://h.example/x.whl
            error[W203] a.toml:1:20: a requirement names a package, not an address
             1 | dependencies = ["x @ https://h.example/x.whl"]
               |                    ^^^^^^^^^^^^^^^^^^^^^^^^^
              hint: require `x` and give it a recipe whose `[source]` has the address
            === flask; sys_platform ~= 'linux'
            error[W205] a.toml:1:25: the marker cannot be read: can't compare strings with `~=`
             1 | dependencies = ["flask; sys_platform ~= 'linux'"]
               |                         ^^^^^^^^^^^^^^^^^^^^^^^
            === ./flask
            error[W203] a.toml:1:18: `./flask` is not a requirement: URL requirement must be preceded by a package name. Add the name of the package before the URL (e.g., `package_name @ /path/to/file`)
             1 | dependencies = ["./flask"]
               |                  ^^^^^^^
              hint: requirements look like `flask`, `flask>=3,<4` or `flask[async]; python_version < '3.11'`
            === -flask
            error[W203] a.toml:1:18: `-flask` is not a requirement: expected package name starting with an alphanumeric character, found `-`
             1 | dependencies = ["-flask"]
               |                  ^
              hint: requirements look like `flask`, `flask>=3,<4` or `flask[async]; python_version < '3.11'`
        "#]],
    );
}

#[test]
fn a_lone_comma_is_to_be_removed() {
    check(
        &format!("requires-python = \",\"\n{HEAD}"),
        expect![[r#"
        error[W204] a.toml:1:20: a comma with no specifier beside it
         1 | requires-python = ","
           |                    ^
          hint: remove it
    "#]],
    );
}

#[test]
fn a_requirement_said_before_stands_where_it_is_said_now() {
    let text = |name: &str| {
        format!(
            "pname = \"{name}\"\nversion = \"1\"\ndependencies = [\"same>=1\", \" same>=1\"]\n[source]\npath = \".\"\n"
        )
    };
    for name in ["first", "the-second-is-longer"] {
        let file = Arc::new(SourceFile { path: format!("{name}.toml"), text: text(name) });
        let files = vec![LayerFile { file: file.clone(), pyproject: None }];
        let (book, findings) = assemble(&[Layer { name: "recipes".into(), files }]);
        assert_eq!(findings, []);
        let said = &book.recipes[0].dependencies;
        assert_eq!([&*said[0].requirement.text, &*said[1].requirement.text], ["same>=1"; 2]);
        for (dependency, written) in said.iter().zip(["\"same>=1\"", "\" same>=1\""]) {
            assert_eq!(dependency.place.file.path, file.path);
            assert_eq!(&file.text[dependency.place.span.clone()], written);
        }
    }
}
