use expect_test::{Expect, expect};

use super::*;

const OLD: &str = r#"pname = "web"
version = "1.0"
requires-python = ">=3.8"
build-system = ["setuptools>=61", "wheel"]
dependencies = ["core>=1,<2", "six", "tomli; python_version < '3.11'"]

[optional-dependencies]
fast = ["speed"]
gone = ["old"]

[source]
pypi = "web"
hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

[meta]
description = "A web"
license = "MIT"
"#;

const NEW: &str = r#"pname = "web"
version = "2.0"
requires-python = ">=3.10"
build-system = ["hatchling"]
dependencies = ["core>=2", "tomli; python_version < '3.11'", "typing-extensions>=4"]

[optional-dependencies]
fast = ["speed>=2"]
new = ["later"]

[source]
pypi = "web"
hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="

[meta]
description = "A web"
license = "BSD-3-Clause"
changelog = "https://web.test/changes"
"#;

/// The text that is written, then what changed and what was kept.
fn check(text: &str, drafts: (Option<&str>, &str), expected: Expect) {
    let shown = match merge(text, drafts.0, drafts.1) {
        Ok(merged) => {
            let changed = merged
                .changes
                .iter()
                .map(|c| format!("changed {}: {} -> {}\n", c.field, c.old.join(" | "), c.new.join(" | ")));
            let kept = merged.kept.iter().map(|k| {
                let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
                format!("kept {}: {} (upstream {})\n", k.field, said(&k.mine), said(&k.upstream))
            });
            format!("{}---\n{}", merged.text, changed.chain(kept).collect::<String>())
        }
        Err(why) => format!("error: {why}\n"),
    };
    expected.assert_eq(&shown);
}

#[test]
fn what_was_never_touched_becomes_the_new_draft() {
    check(
        OLD,
        (Some(OLD), NEW),
        expect![[r#"
        pname = "web"
        version = "2.0"
        requires-python = ">=3.10"
        build-system = ["hatchling"]
        dependencies = ["core>=2", "tomli; python_version < '3.11'", "typing-extensions>=4"]

        [optional-dependencies]
        fast = ["speed>=2"]
        new = ["later"]

        [source]
        pypi = "web"
        hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="

        [meta]
        description = "A web"
        license = "BSD-3-Clause"
        changelog = "https://web.test/changes"
        ---
        changed build-system: setuptools>=61 | wheel -> hatchling
        changed dependencies: core>=1,<2 | six -> core>=2 | typing-extensions>=4
        changed meta.changelog:  -> https://web.test/changes
        changed meta.license: MIT -> BSD-3-Clause
        changed optional-dependencies.fast: speed -> speed>=2
        changed optional-dependencies.gone: old -> 
        changed optional-dependencies.new:  -> later
        changed requires-python: >=3.8 -> >=3.10
    "#]],
    );
}

#[test]
fn odd_layouts_and_comments_stay() {
    let text = r#"# web, for the shop
pname="web" # the name
version    =    '1.0'   # the version
requires-python = '>=3.8' # as it is
dependencies = [
  # the heart
  "core>=1,<2", # pinned upstream
  "six", # for old code
  'tomli; python_version<"3.11"',
]
build-system = [ "setuptools >= 61", "wheel" ] # old
optional-dependencies.fast = ["speed"] # f
optional-dependencies.gone = ["old"] # g
source = { pypi = "web", hash = "" } # s
meta = { description = "A web", license = "MIT" } # m
check.imports = ["web"] # c
# the end"#;
    check(
        text,
        (Some(OLD), NEW),
        expect![[r##"
        # web, for the shop
        pname="web" # the name
        version    =    "2.0"   # the version
        requires-python = ">=3.10" # as it is
        dependencies = [
          # the heart
          "core>=2", # pinned upstream
          # for old code
          'tomli; python_version<"3.11"',
          "typing-extensions>=4",
        ]
        build-system = ["hatchling"] # old
        optional-dependencies.fast = ["speed>=2"] # f
        optional-dependencies.new = ["later"]
        # g
        source = { pypi = "web", hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=" } # s
        meta = { description = "A web", license = "BSD-3-Clause", changelog = "https://web.test/changes" } # m
        check.imports = ["web"] # c
        # the end---
        changed build-system: setuptools>=61 | wheel -> hatchling
        changed dependencies: core>=1,<2 | six -> core>=2 | typing-extensions>=4
        changed meta.changelog:  -> https://web.test/changes
        changed meta.license: MIT -> BSD-3-Clause
        changed optional-dependencies.fast: speed -> speed>=2
        changed optional-dependencies.gone: old -> 
        changed optional-dependencies.new:  -> later
        changed requires-python: >=3.8 -> >=3.10
    "##]],
    );
}

#[test]
fn what_was_changed_by_hand_is_kept_and_told() {
    let text = r#"pname = "web"
version = "1.0"
requires-python = ">=3.9"
build-system = ["setuptools>=61", "wheel"]
dependencies = ["core>=1", "tomli; python_version < '3.11'", "typing-extensions"]

[optional-dependencies]
fast = ["speed<3", "more"]

[source]
pypi = "web"
hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
patches = ["a.patch"]

[check]
enable = true

[meta]
license = "MIT OR Apache-2.0"
"#;
    check(
        text,
        (Some(OLD), NEW),
        expect![[r#"
        pname = "web"
        version = "2.0"
        requires-python = ">=3.9"
        build-system = ["hatchling"]
        dependencies = ["core>=1", "tomli; python_version < '3.11'", "typing-extensions"]

        [optional-dependencies]
        fast = ["speed<3", "more"]
        new = ["later"]

        [source]
        pypi = "web"
        hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="
        patches = ["a.patch"]

        [check]
        enable = true

        [meta]
        license = "MIT OR Apache-2.0"
        changelog = "https://web.test/changes"
        ---
        changed build-system: setuptools>=61 | wheel -> hatchling
        changed meta.changelog:  -> https://web.test/changes
        changed optional-dependencies.new:  -> later
        kept dependencies: core>=1 (upstream core>=2)
        kept dependencies: typing-extensions (upstream typing-extensions>=4)
        kept meta.license: MIT OR Apache-2.0 (upstream BSD-3-Clause)
        kept optional-dependencies.fast: speed<3 (upstream speed>=2)
        kept requires-python: >=3.9 (upstream >=3.10)
    "#]],
    );
}

#[test]
fn line_ends_stay_as_they_are() {
    let dos = OLD.replace('\n', "\r\n");
    let merged = merge(&dos, Some(OLD), NEW).unwrap();
    assert_eq!(merged.text, merge(OLD, Some(OLD), NEW).unwrap().text.replace('\n', "\r\n"));
    let open = OLD.trim_end();
    let merged = merge(open, Some(OLD), NEW).unwrap();
    assert_eq!(merged.text, merge(OLD, Some(OLD), NEW).unwrap().text.trim_end());
}

#[test]
fn without_the_old_draft_the_recipe_stands_for_it() {
    let text = "pname = \"web\"\nversion = \"1.0\"\nbuild-system = [\"setuptools\"] # b\n\
        dependencies = [\"core>=1,<2\"]\n[source]\npypi = \"web\"\nhash = \"\"\n\
        [meta]\nlicense = \"ISC\"\n[check]\nenable = true\n";
    check(
        text,
        (None, NEW),
        expect![[r#"
        pname = "web"
        version = "2.0"
        build-system = ["hatchling"] # b
        dependencies = ["core>=2", "tomli; python_version < '3.11'", "typing-extensions>=4"]
        requires-python = ">=3.10"
        [source]
        pypi = "web"
        hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="
        [meta]
        license = "ISC"
        [check]
        enable = true

        [optional-dependencies]
        fast = ["speed>=2"]
        new = ["later"]
        ---
        changed build-system: setuptools -> hatchling
        changed dependencies: core>=1,<2 -> core>=2 | tomli; python_version < '3.11' | typing-extensions>=4
        changed optional-dependencies.fast:  -> speed>=2
        changed optional-dependencies.new:  -> later
        changed requires-python:  -> >=3.10
    "#]],
    );
}

const WHEELS: &str = r#"pname = "web"
version = "1.0"
format = "wheel"

[[source]]
when = "sys_platform == 'linux'"
pypi = "web"
file = "web-1.0-linux.whl"
hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

[[source]]
when = "sys_platform == 'win32'"
pypi = "web"
file = "web-1.0-win.whl"
hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

[meta]
license = "MIT"
"#;

#[test]
fn every_wheel_is_followed() {
    let new =
        WHEELS.replace("1.0", "2.0").replace("sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "new");
    let text = WHEELS.replace("[[source]]\n", "[[source]] # here\n");
    check(
        &text,
        (Some(WHEELS), &new),
        expect![[r#"
        pname = "web"
        version = "2.0"
        format = "wheel"

        [[source]] # here
        when = "sys_platform == 'linux'"
        pypi = "web"
        file = "web-2.0-linux.whl"
        hash = "new"

        [[source]] # here
        when = "sys_platform == 'win32'"
        pypi = "web"
        file = "web-2.0-win.whl"
        hash = "new"

        [meta]
        license = "MIT"
        ---
    "#]],
    );
    // For other platforms than before.
    let fewer = "pname = \"web\"\nversion = \"2.0\"\nformat = \"wheel\"\n\n[source]\npypi = \"web\"\n\
        file = \"web-2.0-any.whl\"\nhash = \"new\"\n\n[meta]\nlicense = \"MIT\"\n";
    check(
        WHEELS,
        (Some(WHEELS), fewer),
        expect![[r#"
        pname = "web"
        version = "2.0"
        format = "wheel"

        [source]
        pypi = "web"
        file = "web-2.0-any.whl"
        hash = "new"

        [meta]
        license = "MIT"
        ---
    "#]],
    );
    check(
        &text,
        (Some(WHEELS), fewer),
        expect![[r#"
        error: it is for other platforms now, and its sources have comments
    "#]],
    );
    check(
        fewer,
        (None, WHEELS),
        expect![[r#"
        error: it is for other platforms now, and its sources were changed by hand
    "#]],
    );
}

#[test]
fn a_file_that_is_named_becomes_the_new_one_or_goes() {
    let text = OLD.replace("pypi = \"web\"\n", "pypi = \"web\" # p\nfile = \"web-1.0.zip\" # f\n");
    let merged = merge(&text, Some(OLD), NEW).unwrap();
    assert!(merged.text.contains("pypi = \"web\" # p\n# f\nhash = "), "{}", merged.text);
}
