//! Recipes with every field, and the same text mangled.

use expect_test::expect;

use super::*;

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

/// Text that was cut, doubled and sprinkled with characters that matter.
#[test]
fn mangled_text_gives_findings_and_never_a_panic() {
    let whole = include_str!("whole.rs");
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
