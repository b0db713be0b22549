//! What is told of a recipe that is no error.

use expect_test::expect;

use super::*;

/// Lints of a recipe, one after the other.
fn check_lint(text: &str, expected: Expect) {
    let file = Arc::new(SourceFile { path: "a.toml".into(), text: text.into() });
    let layer = Layer { name: "recipes".into(), files: vec![LayerFile { file, pyproject: None }] };
    let (book, findings) = assemble(&[layer]);
    assert_eq!(findings, []);
    let out: String = crate::parse::lint(&book.recipes[0]).iter().map(|f| f.render()).collect();
    expected.assert_eq(&out);
}

#[test]
fn lints() {
    // A project that carries its recipe describes itself.
    check_lint(HEAD, expect![""]);
    let fetched = HEAD.replace("path = \".\"", "pypi = \"a\"\nhash = \"\"");
    check_lint(
        &format!("{fetched}[check]\nenable = true\n"),
        expect![[r#"
            lint[W902] a.toml:1:9: the recipe has no description
             1 | pname = "a"
               |         ^^^
              hint: write `description = "..."` in `[meta]`
            lint[W903] a.toml:1:9: the recipe has no license
             1 | pname = "a"
               |         ^^^
              hint: write an SPDX expression in `[meta]`: `license = "MIT"`
            lint[W904] a.toml:1:9: tests are enabled, but nothing runs them
             1 | pname = "a"
               |         ^^^
              hint: write `runner = "pytest"` (and pytest into `inputs`), or `enable = false`, in `[check]`
        "#]],
    );
    check_lint(
        r#"
pname = "a"
version = "1"
build-system = ["setuptools==65", "wheel"]
dependencies = ["x>=1", "X<2", "y; os_name == 'nt'", "y; os_name != 'nt'"]
[source]
url = "https://h.example/a/archive/refs/heads/main.tar.gz"
hash = ""
[check]
enable = false
inputs = ["pytest"]
[relax]
all = true
dependencies = ["x"]
upper = ["x"]
remove = ["x"]
[meta]
description = "d"
license = "BSD License, 3-clause"
"#,
        expect![[r#"
            lint[W910] a.toml:2:9: the license `BSD License, 3-clause` is not an SPDX expression
             2 | pname = "a"
               |         ^^^
              hint: write e.g. `"MIT"`, `"BSD-3-Clause"` or `"MIT OR Apache-2.0"`
            lint[W906] a.toml:5:25: `x` is twice in `dependencies`
             5 | dependencies = ["x>=1", "X<2", "y; os_name == 'nt'", "y; os_name != 'nt'"]
               |                         ^^^^^
              hint: `x>=1` is on line 5; write one requirement
            lint[W907] a.toml:4:17: `setuptools==65` is pinned to one version
             4 | build-system = ["setuptools==65", "wheel"]
               |                 ^^^^^^^^^^^^^^^^
              hint: the set decides versions; say `>=` unless no other one builds it
            lint[W905] a.toml:14:17: `all = true` relaxes `x` already
             14 | dependencies = ["x"]
                |                 ^^^
              hint: remove one of the two
            lint[W905] a.toml:15:10: `all = true` relaxes `x` already
             15 | upper = ["x"]
                |          ^^^
              hint: remove one of the two
            lint[W905] a.toml:15:10: `x` loses all its specifiers, upper bounds too
             15 | upper = ["x"]
                |          ^^^
              hint: keep it in `dependencies` or in `upper`
            lint[W905] a.toml:14:17: `x` is removed, so nothing is left to relax
             14 | dependencies = ["x"]
                |                 ^^^
              hint: keep it in `remove` only
            lint[W905] a.toml:15:10: `x` is removed, so nothing is left to relax
             15 | upper = ["x"]
                |          ^^^
              hint: keep it in `remove` only
            lint[W909] a.toml:6:1: `https://h.example/a/archive/refs/heads/main.tar.gz` is the tip of a branch and changes under its hash
             6 | [source]
               | ^^^^^^^^
              hint: use the address of a tag, or a `git` source with `rev`
        "#]],
    );
    let good = "[meta]\ndescription = \"d\"\nlicense = \"(MIT OR Apache-2.0) AND GPL-2.0-only WITH Classpath-exception-2.0\"\n";
    check_lint(&format!("{HEAD}{good}"), expect![[""]]);
}
