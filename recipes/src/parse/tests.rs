//! Recipe text in, the recipe or its findings out.

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::{Expect, expect};

use crate::book::{Layer, LayerFile, assemble};
use crate::diag::{Place, SourceFile};
use crate::recipe::{Dependency, Recipe};

/// The one door: what comes of a recipe's text.
fn check(text: &str, expected: Expect) {
    check_with(text, None, expected);
}

/// As [`check`], with a pyproject.toml beside the source.
fn check_with(text: &str, pyproject: Option<&str>, expected: Expect) {
    expected.assert_eq(&outcome(text, pyproject));
}

/// Several texts that differ in one piece, each under its piece.
fn check_each(pieces: &[&str], text: impl Fn(&str) -> String, expected: Expect) {
    let out = pieces.iter().map(|p| format!("=== {}\n{}", p.replace('\n', " "), outcome(&text(p), None)));
    expected.assert_eq(&out.collect::<String>());
}

fn outcome(text: &str, pyproject: Option<&str>) -> String {
    let file = Arc::new(SourceFile { path: "a.toml".into(), text: text.into() });
    let layer = Layer {
        name: "recipes".into(),
        files: vec![LayerFile { file, pyproject: pyproject.map(str::to_owned) }],
    };
    let (book, findings) = assemble(&[layer]);
    let mut out: String = findings.iter().map(|f| f.render()).collect();
    out.extend(book.recipes.iter().map(|recipe| show(recipe)));
    out
}

/// A recipe with everything that is not its default.
fn show(recipe: &Recipe) -> String {
    let r = recipe;
    let mut out = format!("{} {} {:?} {:?}\n", r.pname_text, r.version, r.kind, r.format);
    let deps = |d: &[Dependency]| {
        d.iter()
            .map(|d| format!("{}@{}", d.requirement, d.place.line_col().0))
            .collect::<Vec<_>>()
            .join(" | ")
    };
    let places = |l: &[(String, Place)]| l.iter().map(|(s, _)| s.clone()).collect::<Vec<_>>();
    let mut line = |key: &str, value: String| {
        if !matches!(value.as_str(), "" | "[]" | "None" | "{}") {
            let _ = writeln!(out, "  {key}: {value}");
        }
    };
    line("requires-python", r.requires_python.as_ref().map_or(String::new(), |(s, _)| s.to_string()));
    line("build-system", deps(&r.build_system));
    line("dependencies", deps(&r.dependencies));
    for (extra, list) in &r.optional_dependencies {
        line(&format!("extra {extra}"), deps(list));
    }
    for s in &r.sources {
        let when =
            s.when.as_ref().and_then(|w| w.try_to_string()).map_or(String::new(), |w| format!(" when {w}"));
        line("source", format!("{:?} {:?}{when}", s.origin, s.promise));
        line("subdirectory", s.subdirectory.clone());
        let patches = s.patches.iter().map(|p| match p {
            crate::recipe::Patch::File(path, file) => format!("{path} of {}", file.path),
            crate::recipe::Patch::Url { url, hash, .. } => format!("{url} {hash}"),
        });
        line("patches", patches.collect::<Vec<_>>().join(" | "));
        line("epoch", format!("{:?}", s.epoch));
    }
    let empty = crate::recipe::Build::default();
    if format!("{:?}", r.build) != format!("{empty:?}") {
        line("build", format!("{:?}", r.build));
    }
    line("phases", format!("{:?}", r.phases));
    line("external build", format!("{:?}", places(&r.external.build_requires)));
    line("external host", format!("{:?}", places(&r.external.host_requires)));
    line("external run", format!("{:?}", places(&r.external.dependencies)));
    line("cargo", r.cargo.as_ref().map_or(String::new(), |p| format!("line {}", p.line_col().0)));
    let c = &r.check;
    line("check", format!("enable {} runner {:?} imports {:?}", c.enable, c.runner, c.imports));
    line("check inputs", deps(&c.inputs));
    line("check flags", format!("{:?}", c.flags));
    line(
        "check tests",
        format!("+{:?} -{:?} marks {:?}", c.enabled_tests, c.disabled_tests, c.marks)
            .replace("+[] -[] marks []", ""),
    );
    line(
        "check paths",
        format!("+{:?} -{:?}", places(&c.enabled_paths), places(&c.disabled_paths)).replace("+[] -[]", ""),
    );
    let names = |l: &[(crate::name::PackageName, Place)]| {
        l.iter().map(|(n, _)| n.to_string()).collect::<Vec<_>>().join(" ")
    };
    let x = &r.relax;
    line("relax", if x.all { "all".into() } else { String::new() });
    line("relax dependencies", names(&x.dependencies));
    line("relax upper", names(&x.upper));
    line("relax remove", names(&x.remove));
    if !r.wrap.enable || r.wrap.permit_user_site {
        line("wrap", format!("enable {} permit-user-site {}", r.wrap.enable, r.wrap.permit_user_site));
    }
    for op in &r.wrap.ops {
        line("wrap", format!("{op:?}"));
    }
    if let Some(app) = &r.app {
        line(
            "app",
            format!("{:?} {:?} {:?} {:?} {:?}", app.interface, app.server, app.bind, app.workers, app.health),
        );
    }
    line("namespaces", format!("{:?}", r.namespaces));
    line("remove-tests", if r.remove_tests { String::new() } else { "false".into() });
    let m = format!("{:?}", r.meta);
    if m != format!("{:?}", crate::recipe::Meta::default()) {
        line("meta", m);
    }
    out
}

const HEAD: &str = "pname = \"a\"\nversion = \"1\"\n[source]\npath = \".\"\n";

#[test]
fn the_designs_examples() {
    check(
        r#"
pname = "toolz"                          # the library of the nixpkgs tutorial
version = "0.10.0"
build-system = ["setuptools", "wheel"]
[source]
pypi = "toolz"
hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="
[check]
enable = false
"#,
        expect![[r#"
            toolz 0.10.0 Package Pyproject
              build-system: setuptools@4 | wheel@4
              source: Pypi { project: "toolz", file: None, index: None } Hash(sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=)
              check: enable false runner None imports None
        "#]],
    );
    check(
        r#"
kind = "application"
pname = "demo-flask-vuejs-rest"
version = "1.0"
build-system = ["setuptools"]
dependencies = ["flask"]
[source]
path = "."
"#,
        expect![[r#"
            demo-flask-vuejs-rest 1.0 Application Pyproject
              build-system: setuptools@5
              dependencies: flask@6
              source: Path { dir: ".", include: [] } Local
              check: enable false runner None imports None
        "#]],
    );
}

#[test]
fn every_field() {
    check(
        r#"
kind = "package"
pname = "My_Lib"
version = "1.2rc1"
format = "pyproject"
requires-python = ">=3.9,<4"
build-system = ["setuptools>=68; python_version >= '3.9'", "Cython<4"]
dependencies = [
  "flask[async] >=3, <4",
  "tomli>=1; python_full_version < '3.11.0a6'",
]
namespaces = ["my", "my.lib"]
remove-tests = false

[optional-dependencies]
web = ["uvicorn"]
all = []

[source]
url = ["https://one.example/{pname}-{version}.tar.gz", "http://two.example/x.tgz"]
unpack = true
hash = "08fdd5ef7c96480ad11c12d472de21acd32359996f69a5259299b540feba4560"
subdirectory = "python"
patches = ["fix.patch", { url = "https://one.example/{version}.patch", hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=" }]
epoch = 1600000000

[build]
config-settings = { "--build-option" = ["-v", "-x"], debug = true, jobs = 2, mode = "fast" }
env = { FOO = "1" }
backend = "backend:obj.x"
backend-path = ["."]
cores = 4
memory = "2 GiB"
exclusive = true
timeout = "30m"
expect = "native"
cold = true

[phases]
post-patch = "sed -i s/a/b/ setup.py"
pre-check = "export HOME=$TMPDIR"

[external]
build-requires = ["virtual:compiler/c", "pkg:generic/pkg-config"]
host-requires = ["pkg:generic/openssl"]
dependencies = ["dep:generic/git"]

[cargo]
lock = "rust/Cargo.lock"

[check]
imports = ["my.lib", "my"]
inputs = ["pytest>=8"]
flags = ["-x"]
enabled-tests = ["test_a"]
disabled-tests = ["network and slow"]
enabled-paths = ["tests"]
disabled-paths = ["tests/test_net.py"]
marks = ["not slow"]

[relax]
dependencies = ["Flask"]
upper = ["tomli"]
remove = ["black"]

[wrap]
set.A = "1"
set-default = { B = "2" }
unset = ["C"]
prefix.PATH = ["/x", "/y"]
suffix.XS = { sep = ";", values = ["z"] }
prefix.ONE = "one"
chdir = "/srv"
run = ["echo a", "echo b"]
add-flags = ["--a"]
append-flags = ["--b"]
permit-user-site = true

[app]
wsgi = "shop:create_app()"
server = "gunicorn"
bind = "127.0.0.1:8000"
workers = 4
health = "/health"

[meta]
description = "d"
homepage = "https://h.example"
license = "MIT"
changelog = "https://c.example"
main-program = "m"
maintainers = ["x"]
broken = true
known-vulnerabilities = ["CVE-1"]
"#,
        expect![[r#"
            My_Lib 1.2rc1 Package Pyproject
              requires-python: >=3.9, <4
              build-system: setuptools>=68; python_version >= '3.9'@7 | Cython<4@7
              dependencies: flask[async] >=3, <4@9 | tomli>=1; python_full_version < '3.11.0a6'@10
              extra web: uvicorn@16
              source: Url { urls: ["https://one.example/My_Lib-1.2rc1.tar.gz", "http://two.example/x.tgz"], unpack: true } Hash(sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=)
              subdirectory: python
              patches: fix.patch of a.toml | https://one.example/1.2rc1.patch sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=
              epoch: Some(1600000000)
              build: Build { config_settings: {"--build-option": ["-v", "-x"], "debug": ["true"], "jobs": ["2"], "mode": ["fast"]}, env: {"FOO": "1"}, backend: Some("backend:obj.x"), backend_path: Some(["."]), cores: Some(4), memory: Some(2147483648), exclusive: true, timeout: Some(1800), expect: Some(Native), cold: true }
              phases: {PostPatch: "sed -i s/a/b/ setup.py", PreCheck: "export HOME=$TMPDIR"}
              external build: ["virtual:compiler/c", "pkg:generic/pkg-config"]
              external host: ["pkg:generic/openssl"]
              external run: ["pkg:generic/git"]
              cargo: line 48
              check: enable true runner Pytest imports Some(["my.lib", "my"])
              check inputs: pytest>=8@53
              check flags: ["-x"]
              check tests: +["test_a"] -["network and slow"] marks ["not slow"]
              check paths: +["tests"] -["tests/test_net.py"]
              relax dependencies: flask
              relax upper: tomli
              relax remove: black
              wrap: enable true permit-user-site true
              wrap: Set("A", "1")
              wrap: SetDefault("B", "2")
              wrap: Unset("C")
              wrap: Prefix { name: "PATH", sep: ":", values: ["/x", "/y"] }
              wrap: Prefix { name: "ONE", sep: ":", values: ["one"] }
              wrap: Suffix { name: "XS", sep: ";", values: ["z"] }
              wrap: Chdir("/srv")
              wrap: Run("echo a")
              wrap: Run("echo b")
              wrap: AddFlags(["--a"])
              wrap: AppendFlags(["--b"])
              app: ("wsgi", "shop:create_app()") Some("gunicorn") Some("127.0.0.1:8000") Some(4) Some("/health")
              namespaces: ["my", "my.lib"]
              remove-tests: false
              meta: Meta { description: Some("d"), homepage: Some("https://h.example"), license: Some("MIT"), changelog: Some("https://c.example"), main_program: Some("m"), maintainers: ["x"], broken: true, known_vulnerabilities: ["CVE-1"] }
        "#]],
    );
}

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

/// Text that was cut, doubled and sprinkled with characters that matter.
#[test]
fn mangled_text_gives_findings_and_never_a_panic() {
    let whole = include_str!("tests.rs");
    let start = whole.find("kind = \"package\"").unwrap();
    let good = &whole[start..start + 2800];
    let spices = [
        "é", "\"", "'", "[", "]", "{", "}", "=", ",", ";", "#", "\n", ".*", ">=", "@", "{version", "\\", "-",
        "\u{0}",
    ];
    let mut seed = 1u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut with_findings = 0;
    for _ in 0..400 {
        let mut text = good.to_owned();
        for _ in 0..=next(4) {
            let mut at = next(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match next(3) {
                0 => text.insert_str(at, spices[next(spices.len())]),
                1 => drop(text.remove(at)),
                _ => text.truncate(at.max(900)),
            }
        }
        let file = Arc::new(SourceFile { path: "a.toml".into(), text: text.clone() });
        let files = vec![LayerFile { file: file.clone(), pyproject: None }];
        let (_, findings) = assemble(&[Layer { name: "x".into(), files }]);
        with_findings += usize::from(!findings.is_empty());
        assert!(findings.iter().all(|f| !f.render().is_empty()));
        if let Ok(once) = crate::format::format(&file) {
            let again = Arc::new(SourceFile { path: "a.toml".into(), text: once.clone() });
            assert_eq!(crate::format::format(&again).unwrap(), once, "from {text}");
        }
    }
    assert!(with_findings > 200, "only {with_findings} of 400 had findings");
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
