//! `[source]`: where a source is, its hash, and what suits a wheel.

use expect_test::expect;

use super::*;

#[test]
fn sources() {
    check_each(
        &[
            "pypi = \"{pname}\"\nhash = \"\"",
            "pypi = \"A_b\"\nfile = \"{pname}-{version}.zip\"\nindex = \"inner\"\nhash = \"\"",
            "git = \"git@h.example:a/b.git\"\ntag = \"v{version}\"\nhash = \"\"\nsubmodules = true",
            "git = \"https://h.example/a\"\nrev = \"0123abc\"\nhash = \"\"",
            "path = \"../x/\"\ninclude = [\"result.txt\"]",
        ],
        |source| format!("pname = \"a\"\nversion = \"1\"\n[source]\n{source}\n"),
        expect![[r#"
            === pypi = "{pname}" hash = ""
            a 1 Package Pyproject
              source: Pypi { project: "a", file: None, index: None } Ask
              check: enable false runner None imports None
            === pypi = "A_b" file = "{pname}-{version}.zip" index = "inner" hash = ""
            a 1 Package Pyproject
              source: Pypi { project: "A_b", file: Some("a-1.zip"), index: Some("inner") } Ask
              check: enable false runner None imports None
            === git = "git@h.example:a/b.git" tag = "v{version}" hash = "" submodules = true
            a 1 Package Pyproject
              source: Git { url: "git@h.example:a/b.git", rev: Tag("v1"), submodules: true } Ask
              check: enable false runner None imports None
            === git = "https://h.example/a" rev = "0123abc" hash = ""
            a 1 Package Pyproject
              source: Git { url: "https://h.example/a", rev: Rev("0123abc"), submodules: false } Ask
              check: enable false runner None imports None
            === path = "../x/" include = ["result.txt"]
            a 1 Package Pyproject
              source: Path { dir: "../x", include: ["result.txt"] } Local
              check: enable false runner None imports None
        "#]],
    );
}

#[test]
fn a_wheel_per_platform() {
    check(
        r#"
pname = "ninja"
version = "1.11"
format = "wheel"
[[source]]
when = "sys_platform == 'linux'"
pypi = "ninja"
file = "ninja-{version}-linux.whl"
hash = ""
[[source]]
pypi = "ninja"
file = "ninja-{version}-mac.whl"
hash = ""
"#,
        expect![[r#"
            ninja 1.11 Package Wheel
              source: Pypi { project: "ninja", file: Some("ninja-1.11-linux.whl"), index: None } Ask when sys_platform == 'linux'
              source: Pypi { project: "ninja", file: Some("ninja-1.11-mac.whl"), index: None } Ask
              check: enable false runner None imports None
        "#]],
    );
    check(
        "pname = \"a\"\nversion = \"1\"\n[[source]]\npath = \".\"\n[[source]]\nwhen = \"os = 'x'\"\npath = \".\"\n",
        expect![[r#"
            error[W103] a.toml:3:1: this source has no `when`, so those after it are never used
             3 | [[source]]
               | ^^^^^^^^^^
              hint: write e.g. `when = "sys_platform == 'linux'"`; only the last source may go without
            error[W205] a.toml:6:9: the marker cannot be read: expected a quoted string or a valid marker name, found `os`
             6 | when = "os = 'x'"
               |         ^^
              hint: markers look like `sys_platform == 'linux' and platform_machine == 'x86_64'`
        "#]],
    );
}

#[test]
fn bad_hash() {
    check_each(
        &["sha256-abc", "sha512-abc", "0c4j9vlsa2k1x7wkq1p8l8q0r9h6r9vz0c4j9vlsa2k1x7wkq1p8", "md5:1"],
        |hash| format!("pname = \"a\"\nversion = \"1\"\n[source]\npypi = \"a\"\nhash = \"{hash}\"\n"),
        expect![[r#"
            === sha256-abc
            error[W206] a.toml:5:8: `sha256-abc` is not a sha256 hash
             5 | hash = "sha256-abc"
               |        ^^^^^^^^^^^^ expected `sha256-` and 44 base64 characters, or 64 hex digits
              hint: write `hash = ""` and build: the right hash is printed
            === sha512-abc
            error[W206] a.toml:5:8: `sha512-abc` is not a sha256 hash
             5 | hash = "sha512-abc"
               |        ^^^^^^^^^^^^ this is a sha512; only sha256 is accepted
              hint: write `hash = ""` and build: the right hash is printed
            === 0c4j9vlsa2k1x7wkq1p8l8q0r9h6r9vz0c4j9vlsa2k1x7wkq1p8
            error[W206] a.toml:5:8: `0c4j9vlsa2k1x7wkq1p8l8q0r9h6r9vz0c4j9vlsa2k1x7wkq1p8` is not a sha256 hash
             5 | hash = "0c4j9vlsa2k1x7wkq1p8l8q0r9h6r9vz0c4j9vlsa2k1x7wkq1p8"
               |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this looks like Nix's base32
              hint: `nix hash to-sri` writes it as SRI
              hint: write `hash = ""` and build: the right hash is printed
            === md5:1
            error[W206] a.toml:5:8: `md5:1` is not a sha256 hash
             5 | hash = "md5:1"
               |        ^^^^^^^ this is a md5; only sha256 is accepted
              hint: write `hash = ""` and build: the right hash is printed
        "#]],
    );
    check(
        "pname = \"a\"\nversion = \"1\"\n[source]\npypi = \"a\"\n",
        expect![[r#"
        error[W207] a.toml:4:8: this `pypi` source has no hash
         4 | pypi = "a"
           |        ^^^
          hint: write `hash = ""` below it and build: the right hash is printed
    "#]],
    );
    check(
        &format!("{HEAD}hash = \"\"\n"),
        expect![[r#"
        error[W206] a.toml:5:1: a path source has no hash: its files are hashed when they are used
         5 | hash = ""
           | ^^^^
          hint: remove the line
    "#]],
    );
}

#[test]
fn a_source_without_origin_still_has_its_hash_read() {
    let text = "pname = \"a\"\nversion = \"1\"\n[source]\npypy = \"a\"\nhash = \"sha1-abc\"\n";
    let told = outcome(text, None);
    assert!(
        told.contains("unknown key `pypy`") && told.contains("`sha1-abc` is not a sha256 hash"),
        "{told}"
    );
}

#[test]
fn bad_sources() {
    check_each(
        &[
            "hash = \"\"",
            "pypi = \"a\"\npath = \".\"\nhash = \"\"",
            "pypi = \"a>=1\"\nhash = \"\"\nrev = \"x\"\nunpack = true",
            "git = \"https://h.example/a\"\nhash = \"\"",
            "git = \"https://h.example/a\"\nhash = \"\"\nrev = \"main\"",
            "git = \"ext::sh -c x\"\ntag = \"1\"\nhash = \"\"",
            "git = \"https://h.example/a\"\nhash = \"\"\nrev = \"abcdef0\"\ntag = \"1\"",
            "url = \"h.example/a-{verson}.tgz\"\nhash = \"\"",
            "url = [\"ftp://h.example/a\", \"https://u:p@h.example/a\", \"h.example/a\"]\nhash = \"\"",
            "path = \"/abs\"",
            "path = \".\"\nsubdirectory = \"../x\"\nwhen = \"os_name == 'nt'\"",
            "path = \".\"\npatches = [\"https://h.example/p\", { url = \"https://h.example/p\" }, \"/p\"]",
        ],
        |source| format!("pname = \"a\"\nversion = \"1\"\n[source]\n{source}\n"),
        expect![[r#"
            === hash = ""
            error[W213] a.toml:3:1: the source does not say where it is
             3 | [source]
               | ^^^^^^^^
              hint: write one of `pypi = "a"`, `url = "..."`, `git = "..."`, `path = "."`
            === pypi = "a" path = "." hash = ""
            error[W213] a.toml:5:1: `pypi` and `path` in one source: it can be in one place only
             5 | path = "."
               | ^^^^
              hint: keep one of them; `pypi` is on line 4
            === pypi = "a>=1" hash = "" rev = "x" unpack = true
            error[W201] a.toml:4:8: `a>=1` is not a project name (letters, digits, and `-`, `_`, `.` between them)
             4 | pypi = "a>=1"
               |        ^^^^^^ only the name goes here
              hint: write `"a"`
            error[W107] a.toml:6:1: `rev` has no meaning for a `pypi` source
             6 | rev = "x"
               | ^^^
              hint: it belongs to `git`; remove it
            error[W107] a.toml:7:1: `unpack` has no meaning for a `pypi` source
             7 | unpack = true
               | ^^^^^^
              hint: it belongs to `url`; remove it
            === git = "https://h.example/a" hash = ""
            error[W213] a.toml:4:7: a git source needs `rev` or `tag`
             4 | git = "https://h.example/a"
               |       ^^^^^^^^^^^^^^^^^^^^^
              hint: write `rev = "COMMIT"` or `tag = "v{version}"`: a branch moves
            === git = "https://h.example/a" hash = "" rev = "main"
            error[W213] a.toml:6:7: `main` is not a commit id (at least 7 hex digits)
             6 | rev = "main"
               |       ^^^^^^
              hint: if it is a tag, write `tag = "main"`; a branch moves and cannot be pinned
            === git = "ext::sh -c x" tag = "1" hash = ""
            error[W210] a.toml:4:7: `ext::sh -c x` is not an address
             4 | git = "ext::sh -c x"
               |       ^^^^^^^^^^^^^^
              hint: write it with its scheme: `https://...`
            === git = "https://h.example/a" hash = "" rev = "abcdef0" tag = "1"
            error[W213] a.toml:7:7: `rev` and `tag` in one source
             7 | tag = "1"
               |       ^^^
              hint: keep `rev` if both name the same commit
            === url = "h.example/a-{verson}.tgz" hash = ""
            error[W212] a.toml:4:20: `{verson}` stands for nothing
             4 | url = "h.example/a-{verson}.tgz"
               |                    ^^^^^^^^
              hint: write `{version}`
            === url = ["ftp://h.example/a", "https://u:p@h.example/a", "h.example/a"] hash = ""
            error[W210] a.toml:4:8: `ftp` addresses are not fetched
             4 | url = ["ftp://h.example/a", "https://u:p@h.example/a", "h.example/a"]
               |        ^^^^^^^^^^^^^^^^^^^
              hint: use https, http, file
            error[W210] a.toml:4:29: the address holds a password
             4 | url = ["ftp://h.example/a", "https://u:p@h.example/a", "h.example/a"]
               |                             ^^^^^^^^^^^^^^^^^^^^^^^^^
              hint: put it into ~/.netrc and out of this file
            error[W210] a.toml:4:56: `h.example/a` is not an address
             4 | url = ["ftp://h.example/a", "https://u:p@h.example/a", "h.example/a"]
               |                                                        ^^^^^^^^^^^^^
              hint: write it with its scheme: `https://...`
            === path = "/abs"
            error[W209] a.toml:4:8: `/abs` is not a relative path
             4 | path = "/abs"
               |        ^^^^^^
              hint: write it relative to the folder of this file: it must work anywhere
            === path = "." subdirectory = "../x" when = "os_name == 'nt'"
            error[W209] a.toml:5:16: `../x` leaves the source
             5 | subdirectory = "../x"
               |                ^^^^^^
              hint: name a path inside it, without `..`
            error[W107] a.toml:6:1: `when` tells several sources apart, and this is the only one
             6 | when = "os_name == 'nt'"
               | ^^^^
              hint: write `[[source]]` for each source, or remove `when`
            === path = "." patches = ["https://h.example/p", { url = "https://h.example/p" }, "/p"]
            error[W207] a.toml:5:12: a fetched patch needs a hash
             5 | patches = ["https://h.example/p", { url = "https://h.example/p" }, "/p"]
               |            ^^^^^^^^^^^^^^^^^^^^^
              hint: write `{ url = "https://h.example/p", hash = "sha256-..." }`
            error[W103] a.toml:5:35: a fetched patch needs `hash`
             5 | patches = ["https://h.example/p", { url = "https://h.example/p" }, "/p"]
               |                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            error[W209] a.toml:5:68: `/p` is not a relative path
             5 | patches = ["https://h.example/p", { url = "https://h.example/p" }, "/p"]
               |                                                                    ^^^^
              hint: write it relative to the folder of this file: it must work anywhere
        "#]],
    );
    check(
        "pname = \"a\"\nversion = \"1\"\n",
        expect![[r#"
        error[W103] a.toml:1:9: the recipe has no `[source]`
         1 | pname = "a"
           |         ^^^
          hint: for a project on the index: `[source]`, `pypi = "a"`, `hash = ""`
          hint: for the recipe's own folder: `[source]`, `path = "."`
    "#]],
    );
}

#[test]
fn a_wheel_is_a_file() {
    check(
        "pname = \"a\"\nversion = \"1\"\nformat = \"wheel\"\n[source]\nurl = \"https://h.example/a\"\nunpack = true\nhash = \"\"\n",
        expect![[r#"
            error[W107] a.toml:4:1: a recipe with `format = "wheel"` takes a wheel file, and this source is a folder
             4 | [source]
               | ^^^^^^^^
              hint: remove `format` to build the source, or name the wheel with `pypi` and `file`, or `url`
        "#]],
    );
}

#[test]
fn what_a_prebuilt_wheel_has_no_use_for() {
    check(
        "pname = \"a\"\nversion = \"1\"\nformat = \"wheel\"\n[source]\npath = \".\"\npatches = [\"a.patch\"]\nsubdirectory = \"b\"\n[phases]\npost-patch = \"true\"\npost-build = \"true\"\npost-install = \"true\"\ncheck = \"true\"\n",
        expect![[r#"
            error[W107] a.toml:4:1: a recipe with `format = "wheel"` takes a wheel file, and this source is a folder
             4 | [source]
               | ^^^^^^^^
              hint: remove `format` to build the source, or name the wheel with `pypi` and `file`, or `url`
            error[W107] a.toml:6:1: `patches` has no meaning for `format = "wheel"`: nothing is unpacked
             6 | patches = ["a.patch"]
               | ^^^^^^^
              hint: remove `format` to build the source, or remove `patches`
            error[W107] a.toml:7:1: `subdirectory` has no meaning for `format = "wheel"`: nothing is unpacked
             7 | subdirectory = "b"
               | ^^^^^^^^^^^^
              hint: remove `format` to build the source, or remove `subdirectory`
            error[W107] a.toml:9:1: the phase `post-patch` never runs with `format = "wheel"`
             9 | post-patch = "true"
               | ^^^^^^^^^^
              hint: remove `format` to build the source, or remove `post-patch`
            error[W107] a.toml:10:1: the phase `post-build` never runs with `format = "wheel"`
             10 | post-build = "true"
                | ^^^^^^^^^^
              hint: remove `format` to build the source, or remove `post-build`
        "#]],
    );
}
