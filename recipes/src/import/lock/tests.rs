use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn read_all(texts: &[(&str, &str)]) -> Locked {
    let file = |(path, text): &(&str, &str)| {
        let text = text.replace("$A", A).replace("$B", B);
        ((*path).to_owned(), Arc::new(SourceFile { path: (*path).to_owned(), text }))
    };
    let files: Files = texts.iter().map(file).collect();
    let name = texts[0].0.rsplit('/').next().unwrap();
    read(Format::of(name).unwrap(), &files, texts[0].0)
}

/// What is wanted, limited, promised, left over and wrong, a line each.
fn told(texts: &[(&str, &str)]) -> String {
    let locked = read_all(texts);
    let mut out = String::new();
    let line = |place: &Place| format!("{}:{}", place.file.path, place.line_col().0);
    for wanted in &locked.wanted {
        let _ = writeln!(out, "{}: {}", line(&wanted.place), wanted.requirement);
    }
    for limit in &locked.limits {
        let _ = writeln!(out, "limit: {limit}");
    }
    for ((name, version), promise) in &locked.promises {
        let hashes: Vec<String> = promise.hashes.iter().map(|h| h.hex()[..2].to_owned()).collect();
        let wheels = if promise.only_wheels { " (only wheels)" } else { "" };
        let _ = writeln!(out, "promise: {name} {version}: {}{wheels}", hashes.join(" "));
    }
    for todo in &locked.todos {
        let _ =
            writeln!(out, "todo: {}: {}: {} | {}", line(&todo.place), todo.attribute, todo.why, todo.quote());
    }
    for finding in &locked.findings {
        let at = finding.place.as_ref().map(line).unwrap_or_default();
        let _ = writeln!(out, "error: {at}: {}", finding.message);
        out += &finding.hints.iter().map(|hint| format!("hint: {hint}\n")).collect::<String>();
    }
    out
}

fn check(path: &str, text: &str, expected: Expect) {
    expected.assert_eq(&told(&[(path, text)]));
}

#[test]
fn requirements_are_read_as_pip_reads_them() {
    let text = "# all of it
--require-hashes
--index-url https://me:secret@files.test/simple
flask[async]==3.1.0 \\
    --hash=sha256:$A \\
    --hash sha256:$B  # via -r in.txt
\tclick>=8,<9 ; python_version >= '3.9'   # a remark
Old.Name == 1.0
-e ./mine
./other
git+https://token@git.test/x.git
named @ https://me:secret@files.test/named-1.zip
local-1.0.tar.gz
${TOKEN}
--pre
tomli===2.0.1";
    check(
        "requirements.txt",
        text,
        expect![[r#"
        requirements.txt:4: flask[async]==3.1.0
        requirements.txt:7: click>=8,<9 ; python_version >= '3.9'
        requirements.txt:8: Old.Name == 1.0
        requirements.txt:16: tomli===2.0.1
        promise: flask 3.1.0: aa bb
        todo: requirements.txt:3: --index-url: name indexes in pip's or uv's configuration, or in `[index.NAME]` | --index-url
        todo: requirements.txt:9: -e: it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | -e ./mine
        todo: requirements.txt:10: : it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | ./other
        todo: requirements.txt:11: : it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | git+https
        todo: requirements.txt:12: named: it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | named @ https
        todo: requirements.txt:13: : it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | local-1.0.tar.gz
        todo: requirements.txt:14: : its text is in a variable of the environment | ${TOKEN}
        todo: requirements.txt:15: --pre: this has no counterpart | --pre
    "#]],
    );
}

#[test]
fn files_that_requirements_include_are_read_and_limits_are_only_limits() {
    let first = (
        "deps/requirements.txt",
        "-r ../base.txt\n--constraint=limits.txt\n-r https://files.test/x.txt\napp\n",
    );
    let base = ("base.txt", "core>=1\n-r deps/requirements.txt\n-rmore.txt\n");
    let limits = ("deps/limits.txt", "core<2\nurllib3==2.0 --hash=sha256:$A\n");
    expect![[r#"
        base.txt:1: core>=1
        deps/requirements.txt:4: app
        limit: core<2
        limit: urllib3==2.0
        promise: urllib3 2.0: aa
        todo: deps/requirements.txt:3: -r: only files are read, no addresses | -r https
        error: base.txt:3: there is no file `more.txt`, which this line includes
    "#]]
    .assert_eq(&told(&[first, base, limits]));
    let references =
        requirements::references("-r a.txt\n-cb.txt\n--requirement c.txt # d\n-r http://x.test/e\nf\n");
    assert_eq!(references, ["a.txt", "b.txt", "c.txt"]);
}

#[test]
fn what_is_no_requirement_is_an_error_with_its_line() {
    check(
        "requirements.txt",
        "a\nfla sk\nb>=1 --hash=sha256:$A\nc==1 --hash=sha512:abc\nd==1 --hash=sha256:abc\n",
        expect![[r#"
            requirements.txt:1: a
            error: requirements.txt:2: this is no requirement: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `s`
            error: requirements.txt:3: there are hashes of b, but no `==VERSION`
            error: requirements.txt:4: the hashes of c: only sha256 can be checked, not sha512
            error: requirements.txt:5: the hashes of d: `sha256:abc`: expected `sha256-` and 44 base64 characters, or 64 hex digits
        "#]],
    );
}

const UV: &str = r#"version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "mine"
version = "0.1.0"
source = { editable = "." }
dependencies = [{ name = "celery", extra = ["redis"] }]

[package.optional-dependencies]
web = [{ name = "celery", extra = ["sqs"], marker = "sys_platform == 'linux'" }]

[[package]]
name = "celery"
version = "5.4.0"
source = { registry = "https://index.test/simple" }
sdist = { url = "https://files.test/celery-5.4.0.tar.gz", hash = "sha256:$A", size = 10 }
wheels = [
    { url = "https://files.test/celery-5.4.0-py3-none-any.whl", hash = "sha256:$B", size = 10 },
]

[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://index.test/simple" }
resolution-markers = ["python_full_version < '3.12'", "sys_platform == 'win32'"]
wheels = [{ url = "https://files.test/numpy-1.26.4-cp311-cp311-win_amd64.whl", hash = "sha256:$B" }]

[[package]]
name = "numpy"
version = "2.2.0"
source = { registry = "https://index.test/simple" }
resolution-markers = ["python_full_version >= '3.12' and sys_platform != 'win32'"]
sdist = { url = "https://files.test/numpy-2.2.0.tar.gz", hash = "sha256:$A" }

[[package]]
name = "fork"
version = "1.0"
source = { git = "https://git.test/fork?rev=main#abc" }
"#;

#[test]
fn uv_lock() {
    check(
        "uv.lock",
        UV,
        expect![[r#"
        uv.lock:14: celery[redis,sqs]==5.4.0
        uv.lock:23: numpy==1.26.4; (python_full_version < '3.12') or (sys_platform == 'win32')
        uv.lock:30: numpy==2.2.0; python_full_version >= '3.12' and sys_platform != 'win32'
        promise: celery 5.4.0: aa bb
        promise: numpy 1.26.4: bb (only wheels)
        promise: numpy 2.2.0: aa
        todo: uv.lock:5: mine: it is the project itself: `path` in [source] takes it | [[package]]
        todo: uv.lock:37: fork: it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | [[package]]
    "#]],
    );
    check(
        "uv.lock",
        "version = 2\n",
        expect![[r#"
        error: uv.lock:1: a lock file of the version 2 cannot be read
        hint: the versions that can be read: 1
    "#]],
    );
    check(
        "uv.lock",
        "revision = 2\n",
        expect![[r#"
        error: uv.lock:1: a lock file that does not say its version cannot be read
        hint: the versions that can be read: 1
    "#]],
    );
    check(
        "uv.lock",
        "version = 1\n[[package]]\nname = 'a'\nsource = { registry = 'x' }\n",
        expect![[r#"
        error: uv.lock:2: a package without `version`
    "#]],
    );
}

#[test]
fn of_two_versions_without_markers_one_is_left_out() {
    let package = |version: &str| {
        format!("[[package]]\nname = 'a'\nversion = '{version}'\nsource = {{ registry = 'x' }}\n")
    };
    check(
        "uv.lock",
        &format!("version = 1\n{}{}", package("1.0"), package("2.0")),
        expect![[r#"
        uv.lock:2: a==1.0
        todo: uv.lock:6: a: 2.0 is left out: no marker tells when it is meant, and when 1.0 | [[package]]
    "#]],
    );
}

#[test]
fn pylock_toml() {
    let text = r#"lock-version = "1.0"
created-by = "a test"

[[packages]]
name = "attrs"
version = "25.1.0"
marker = "python_version >= '3.9'"
sdist = { name = "attrs-25.1.0.tar.gz", url = "https://files.test/x", hashes = { sha256 = "$A" } }
[[packages.wheels]]
name = "attrs-25.1.0-py3-none-any.whl"
hashes = { sha256 = "$B", sha512 = "abc" }

[[packages]]
name = "closed"
version = "1.0"
marker = "'dev' in dependency_groups"
wheels = [{ path = "w/closed-1.0-py3-none-any.whl", hashes = { sha256 = "$B" } }]

[[packages]]
name = "fork"
vcs = { type = "git", url = "https://git.test/fork", commit-id = "abc" }

[[packages]]
name = "vague"
sdist = { url = "https://files.test/vague-1.tar.gz", hashes = { sha256 = "$A" } }

[[packages]]
name = "strange"
version = "1.0"
sdist = { url = "https://files.test/strange-1.0.tar.gz", hashes = { md5 = "abc" } }
"#;
    check(
        "pylock.toml",
        text,
        expect![[r#"
        pylock.toml:4: attrs==25.1.0; python_version >= '3.9'
        pylock.toml:13: closed==1.0
        promise: attrs 25.1.0: aa bb
        promise: closed 1.0: bb (only wheels)
        todo: pylock.toml:13: closed: `'dev' in dependency_groups` is no marker of a requirement: it is taken whatever that says | [[packages]]
        todo: pylock.toml:19: fork: it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | [[packages]]
        todo: pylock.toml:23: vague: its version is not said | [[packages]]
        error: pylock.toml:27: the hashes of strange 1.0: only sha256 can be checked, not md5
    "#]],
    );
    check(
        "pylock.toml",
        "lock-version = \"2.0\"\n",
        expect![[r#"
        error: pylock.toml:1: a lock file of the version "2.0" cannot be read
        hint: the versions that can be read: "1.0"
    "#]],
    );
    check(
        "pylock.dev.toml",
        "lock-version = [\n",
        expect![[r#"
        error: pylock.dev.toml:1: a list that is opened with `[` is not closed
        hint: write `]` after its last item
    "#]],
    );
}

#[test]
fn poetry_lock() {
    let text = r#"[[package]]
name = "Celery"
version = "5.4.0"
optional = false
groups = ["main", "dev"]
markers = { main = "python_version < \"4\"", dev = "sys_platform == \"linux\"" }
files = [
    {file = "celery-5.4.0-py3-none-any.whl", hash = "sha256:$A"},
    {file = "celery-5.4.0.tar.gz", hash = "sha256:$B"},
]

[package.dependencies]
kombu = {version = ">=5.3", extras = ["redis"]}
vine = "*"

[[package]]
name = "kombu"
version = "5.4.2"
groups = ["main", "dev"]
markers = { main = "sys_platform == \"linux\"" }
files = [{file = "kombu-5.4.2-py3-none-any.whl", hash = "sha256:$A"}]

[package.source]
type = "legacy"
url = "https://index.test/simple"
reference = "ours"

[[package]]
name = "fork"
version = "1.0"
files = []

[package.source]
type = "git"
url = "https://git.test/fork"

[metadata]
lock-version = "2.1"
python-versions = ">=3.9"
"#;
    check(
        "poetry.lock",
        text,
        expect![[r#"
        poetry.lock:1: celery==5.4.0; (python_version < "4") or (sys_platform == "linux")
        poetry.lock:16: kombu[redis]==5.4.2
        promise: celery 5.4.0: aa bb
        promise: kombu 5.4.2: aa (only wheels)
        todo: poetry.lock:28: fork: it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | [[package]]
    "#]],
    );
    let old = "[[package]]\nname = 'a'\nversion = '1'\n[metadata]\nlock-version = '1.1'\n\
               [metadata.files]\na = [{file = 'a-1.tar.gz', hash = 'sha256:$A'}]\n";
    check(
        "poetry.lock",
        old,
        expect![[r#"
        poetry.lock:1: a==1
        promise: a 1: aa
    "#]],
    );
    check(
        "poetry.lock",
        "[metadata]\nlock-version = '3.0'\n",
        expect![[r#"
        error: poetry.lock:2: a lock file of the version "3.0" cannot be read
        hint: the versions that can be read: 1.1, 2.0, 2.1
    "#]],
    );
}

#[test]
fn pdm_lock() {
    let text = r#"[metadata]
lock_version = "4.5.0"

[[package]]
name = "celery"
version = "5.4.0"
extras = ["redis"]
marker = "python_version >= \"3.9\""
files = [
    {file = "celery-5.4.0.tar.gz", hash = "sha256:$B"},
]

[[package]]
name = "fork"
version = "1.0"
git = "https://git.test/fork"
revision = "abc"
"#;
    check(
        "pdm.lock",
        text,
        expect![[r#"
        pdm.lock:4: celery[redis]==5.4.0; python_version >= "3.9"
        promise: celery 5.4.0: bb
        todo: pdm.lock:13: fork: it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | [[package]]
    "#]],
    );
    check(
        "pdm.lock",
        "[metadata]\nlock_version = '4.50'\n",
        expect![[r#"
        error: pdm.lock:2: a lock file of the version "4.50" cannot be read
        hint: the versions that can be read: 4.2, 4.3, 4.4, 4.5
    "#]],
    );
}

#[test]
fn the_pip_part_of_an_environment() {
    let text = "name: ours
channels:
  - conda-forge
dependencies:
  - python=3.12   # the interpreter
  - 'numpy>=2'
  - pip
  - pip:
      - flask==3.1.0
      - \"click>=8; python_version >= '3.9'\"
      - -r requirements.txt
      - -e .
  - scipy
prefix: /opt/ours
";
    check(
        "environment.yml",
        text,
        expect![[r#"
        environment.yml:9: flask==3.1.0
        environment.yml:10: click>=8; python_version >= '3.9'
        todo: environment.yml:5: python: it is a package of conda: add the project, or declare it in [external] | python=3.12
        todo: environment.yml:6: numpy: it is a package of conda: add the project, or declare it in [external] | numpy>=2
        todo: environment.yml:11: -r: in an environment.yml it is not read: import the file it names | -r requirements.txt
        todo: environment.yml:12: -e: it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | -e .
        todo: environment.yml:13: scipy: it is a package of conda: add the project, or declare it in [external] | scipy
    "#]],
    );
    check(
        "environment.yml",
        "dependencies: [python, pip]\n",
        expect![[r#"
        error: environment.yml:1: of YAML only lists with one item a line can be read here
        hint: write `- NAME` on lines of their own
    "#]],
    );
    check(
        "environment.yml",
        "dependencies:\n  python: 3\n",
        expect![[r#"
        error: environment.yml:2: of YAML only lists with one item a line can be read here
        hint: write `- NAME` on lines of their own
    "#]],
    );
    check(
        "environment.yml",
        "name: x\n",
        expect![[r#"
        error: environment.yml:1: there are no `dependencies:`
    "#]],
    );
}

#[test]
fn the_dependencies_of_a_project() {
    let text = r#"[build-system]
requires = ["hatchling"]
[project]
name = "mine"
dependencies = [
    "flask>=3",
    "tomli; python_version < '3.11'",
    "fork @ git+https://me:secret@git.test/fork",
    "not a requirement",
]
dynamic = ["version"]
[project.optional-dependencies]
web = ["uvicorn"]
[dependency-groups]
dev = ["pytest"]
"#;
    check(
        "pyproject.toml",
        text,
        expect![[r#"
        pyproject.toml:6: flask>=3
        pyproject.toml:7: tomli; python_version < '3.11'
        todo: pyproject.toml:8: fork: it does not come from an index: write its recipe by hand with `git`, `url` or `path` in [source] | fork @ git+https
        todo: pyproject.toml:13: optional-dependencies.web: only `dependencies` are imported: `wheelwright add` takes what else is wanted | web
        todo: pyproject.toml:15: dependency-groups.dev: only `dependencies` are imported: `wheelwright add` takes what else is wanted | dev
        error: pyproject.toml:9: this is no requirement: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `a`
    "#]],
    );
    check(
        "pyproject.toml",
        "[project]\ndynamic = ['dependencies']\n",
        expect![[r#"
        todo: pyproject.toml:2: project.dynamic: the dependencies are only known when it is built | ['dependencies']
    "#]],
    );
    check(
        "pyproject.toml",
        "[tool.poetry.dependencies]\nflask = '*'\n",
        expect![[r#"
        error: pyproject.toml:1: there is no `[project]` table
        hint: import the lock file of the tool that keeps them elsewhere (`poetry.lock`, `pdm.lock`, `uv.lock`)
    "#]],
    );
}
