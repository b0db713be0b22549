use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::expect;
use recipes::diag::{Finding, SourceFile};
use recipes::recipe::{Recipe, Wrap, WrapOp};

use super::env::{Composed, Spec, Style, compose};
use super::launcher::UserSite;
use super::modules::{Host, Member};
use crate::key::Digest;
use crate::tree::fs::{Copying, copy_tree};
use crate::wheel::toy::{Toy, toy};
use crate::wheel::{Layout, Trouble, install};

mod hosts;

/// The real interpreter behind `python3`, asked once.
fn host() -> Host {
    static HOST: std::sync::OnceLock<Host> = std::sync::OnceLock::new();
    HOST.get_or_init(find_host).clone()
}

fn find_host() -> Host {
    let code = "import os, sys, sysconfig, platform\n\
                print(os.path.realpath(getattr(sys, '_base_executable', sys.executable)))\n\
                print(platform.python_version())\n\
                print(sysconfig.get_python_version() + ('t' if 't' in sys.abiflags else ''))";
    let out = Command::new("python3").args(["-c", code]).output().expect("python3 on PATH");
    let text = String::from_utf8(out.stdout).unwrap();
    let [exe, version, python] = text.lines().collect::<Vec<_>>().try_into().unwrap();
    let identity = Digest::of(b"interpreter");
    Host { exe: exe.into(), version: version.into(), python: python.into(), identity }
}

/// Installs a toy below `trees`.
fn member(trees: &Path, toy: &Toy) -> Member {
    let host = host();
    let layout = Layout { python: host.python.clone(), interpreter: host.identity };
    let tree = trees.join(format!("{}-{}", toy.name, toy.version));
    let installed = match install(&toy.wheel(), &layout, &tree) {
        Ok(installed) => installed,
        Err(trouble) => panic!("{trouble:?}"),
    };
    Member::of(installed.module, tree)
}

struct Made {
    composed: Composed,
    folder: PathBuf,
}

fn make(folder: &Path, members: &[Member], style: Style) -> Result<Made, Vec<Finding>> {
    let (host, urls) = (host(), BTreeMap::new());
    let spec = Spec {
        host: &host,
        style,
        members,
        target: None,
        at: folder,
        store: None,
        direct_urls: &urls,
        user_site: UserSite::Hidden,
    };
    match compose(&spec, folder) {
        Ok(composed) => Ok(Made { composed, folder: folder.to_owned() }),
        Err(Trouble::Findings(findings)) => Err(findings),
        Err(Trouble::Machine(e)) => panic!("{e}"),
    }
}

fn messages(findings: &[Finding]) -> String {
    findings.iter().map(Finding::render).collect()
}

fn run(program: &Path, args: &[&str]) -> String {
    ok(Command::new(program).args(args).output().unwrap())
}

fn ok(out: Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// A library with an entry point, a Python script, a shell script and a
/// data file; another in a namespace; a third in the same namespace.
fn three(trees: &Path) -> Vec<Member> {
    let lib = toy(
        "lib",
        "1.0",
        &[
            (
                "lib/__init__.py",
                "import sys\ndef main():\n    print('main', sys.argv[0], sys.argv[1:], __file__)\n",
            ),
            ("lib-1.0.dist-info/entry_points.txt", "[console_scripts]\nlib-run = lib:main\n"),
            (
                "lib-1.0.data/scripts/body.py",
                "#!python -O\nfrom __future__ import annotations\nimport sys, lib\nprint('body', __file__, sys.argv[1:], sys.flags.optimize)\n",
            ),
            ("lib/zone", "TZif2\0\0"),
            ("lib-1.0.data/scripts/plain", "#!/bin/sh\necho plain \"$@\"\n"),
            ("lib-1.0.data/data/share/man/man1/lib.1", "manual\n"),
        ],
    );
    let a = toy("space-a", "2", &[("space/a/__init__.py", "A = 1\n"), ("top.py", "T = 1\n")]);
    let b = toy("space-b", "3", &[("space/b.py", "B = 2\n")]);
    [lib, a, b].iter().map(|t| member(trees, &Toy { name: t.name.replace('-', "_"), ..t.clone() })).collect()
}

#[test]
fn both_kinds_of_environment_import_run_and_spawn() {
    let dir = tempfile::tempdir().unwrap();
    let members = three(dir.path());
    let long = format!("with space/{}", ["x".repeat(100), "y".repeat(100), "z".repeat(100)].join("/"));
    for (style, name) in
        [(Style::Frozen, format!("{long}/frozen")), (Style::Working, format!("{long}/working"))]
    {
        let made =
            make(&dir.path().join(name), &members, style).unwrap_or_else(|f| panic!("{}", messages(&f)));
        let bin = made.folder.join("bin");
        let code = "import sys, subprocess, lib, space.a, space.b, top\n\
                    from importlib.metadata import version\n\
                    assert sys.prefix != sys.base_prefix\n\
                    child = subprocess.check_output([sys.executable, '-c', 'import lib, space.b; print(lib.__name__)'])\n\
                    print(child.decode().strip(), version('space-a'))";
        assert_eq!(run(&bin.join("python"), &["-c", code]), "lib 2");
        let main = run(&bin.join("lib-run"), &["a b", "$HOME"]);
        let argv0 = bin.join("lib-run");
        assert!(main.starts_with(&format!("main {} ['a b', '$HOME']", argv0.display())), "{main}");
        assert!(run(&bin.join("python"), &[argv0.to_str().unwrap()]).starts_with("main"));
        let body = run(&bin.join("body.py"), &["x y"]);
        assert_eq!(body, format!("body {} ['x y'] 1", bin.join("body.py").display()));
        assert_eq!(run(&bin.join("plain"), &["p  q"]), "plain p  q");
        assert!(made.folder.join("share/man/man1/lib.1").is_file());
        assert_eq!(made.composed.executables.keys().collect::<Vec<_>>(), ["body.py", "lib-run", "plain"]);
    }
}

#[test]
fn launchers_work_through_links_relative_paths_and_path() {
    let dir = tempfile::tempdir().unwrap();
    let members = three(&dir.path().join("trees"));
    let made = make(&dir.path().join("an env"), &members, Style::Frozen)
        .unwrap_or_else(|f| panic!("{}", messages(&f)));
    symlink("an env/bin/lib-run", dir.path().join("one")).unwrap();
    symlink(dir.path().join("one"), dir.path().join("two")).unwrap();
    symlink(made.folder.join("bin/body.py"), dir.path().join("three")).unwrap();
    assert!(run(&dir.path().join("two"), &[]).starts_with("main"));
    assert!(run(&dir.path().join("three"), &[]).starts_with("body"));
    let in_folder = |program: &str, args: &[&str]| {
        ok(Command::new(program).args(args).current_dir(made.folder.join("bin")).output().unwrap())
    };
    assert!(in_folder("sh", &["lib-run"]).starts_with("main lib-run"));
    assert!(in_folder("./body.py", &[]).starts_with("body"));
    assert!(in_folder("../bin/../bin/body.py", &[]).starts_with("body"));
    // Of a folder above that is a link, the place itself is what runs.
    symlink("an env", dir.path().join("result")).unwrap();
    let real = made.folder.canonicalize().unwrap();
    for program in ["result/bin/lib-run", "./result/bin/../bin/lib-run"] {
        let said = ok(Command::new(program).current_dir(dir.path()).output().unwrap());
        assert!(said.contains(&format!("[] {}/", real.join("lib").display())), "{said}");
    }
    let path = format!("{}:/usr/bin:/bin", made.folder.join("bin").display());
    let out = Command::new("sh").args(["-c", "lib-run; body.py"]).env("PATH", path).output().unwrap();
    assert_eq!(ok(out).lines().count(), 2);
    let moved = dir.path().join("moved");
    fs::rename(&made.folder, &moved).unwrap();
    assert!(run(&moved.join("bin/lib-run"), &[]).contains(moved.to_str().unwrap()));
}

#[test]
fn frozen_links_whole_packages_and_working_keeps_the_store_apart() {
    let dir = tempfile::tempdir().unwrap();
    let members = three(dir.path());
    let site = format!("lib/python{}/site-packages", host().python);
    let frozen =
        make(&dir.path().join("f"), &members, Style::Frozen).unwrap_or_else(|f| panic!("{}", messages(&f)));
    let working =
        make(&dir.path().join("w"), &members, Style::Working).unwrap_or_else(|f| panic!("{}", messages(&f)));
    let is_link = |p: PathBuf| fs::symlink_metadata(p).unwrap().file_type().is_symlink();
    assert!(is_link(frozen.folder.join(&site).join("lib")));
    assert!(!is_link(frozen.folder.join(&site).join("space")));
    assert!(is_link(frozen.folder.join(&site).join("space/a")));
    let file = working.folder.join(&site).join("lib/__init__.py");
    assert_eq!(fs::metadata(&file).unwrap().nlink(), 1);
    let zone = working.folder.join(&site).join("lib/zone");
    assert!(fs::metadata(&zone).unwrap().nlink() > 1, "what is only read is shared");
    let record = fs::read_to_string(working.folder.join(&site).join("lib-1.0.dist-info/RECORD")).unwrap();
    let listed = |line: &str| record.lines().any(|l| l.starts_with(line));
    assert!(
        listed("../../../bin/lib-run,")
            && listed("../../../bin/body.py,")
            && listed("lib/__init__.py,sha256=")
    );
    for line in record.lines() {
        let path = line.split(',').next().unwrap();
        assert!(working.folder.join(&site).join(path).exists(), "{path}");
    }
}

/// Where Python finds the byte code of a module, and what it says of its source.
fn code_of(python: &Path, module: &str) -> String {
    let code = format!(
        "import {module} as m, os; c = m.__spec__.cached\n\
         print(open(c, 'rb').read()[4] if os.path.exists(c) else 'none', m.WORD)"
    );
    run(python, &["-B", "-c", &code])
}

#[test]
fn links_stay_links_where_folders_are_real() {
    let dir = tempfile::tempdir().unwrap();
    let one = member(
        dir.path(),
        &toy("one", "1", &[("pkg/__init__.py", ""), ("pkg/a.py", "A = 1\n"), ("own/__init__.py", "")]),
    );
    let two = member(dir.path(), &toy("two", "1", &[("pkg/sub/c.py", "C = 1\n")]));
    let site = format!("lib/python{}/site-packages", host().python);
    // In a folder of two installs, and in one of a single one.
    let links = [("pkg/also.py", "a.py"), ("own/also.py", "__init__.py")];
    for (link, text) in links {
        symlink(text, one.tree.join(&site).join(link)).unwrap();
    }
    for style in [Style::Solid, Style::Working] {
        let at = dir.path().join(format!("{style:?}"));
        let made =
            make(&at, &[one.clone(), two.clone()], style).unwrap_or_else(|f| panic!("{}", messages(&f)));
        for (link, text) in links {
            let is = fs::read_link(made.folder.join(&site).join(link)).unwrap();
            assert_eq!(is, Path::new(text), "{style:?}");
        }
    }
}

/// The same member, with the pack of what a working environment copies.
fn packed(member: &Member) -> Member {
    let folder = member.tree.with_extension("copies");
    fs::create_dir(&folder).unwrap();
    super::copies::make(&member.tree, &folder).unwrap();
    Member { copies: Some(folder), ..member.clone() }
}

/// Every file and link below a folder: whether it is shared, its mode, and its bytes.
fn files_of(folder: &Path) -> BTreeMap<PathBuf, (bool, u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(now) = todo.pop() {
        for entry in fs::read_dir(&now).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let rel = path.strip_prefix(folder).unwrap().to_owned();
            let mode = meta.permissions().mode() & 0o7777;
            if meta.is_dir() {
                found.insert(rel, (false, mode, Vec::new()));
                todo.push(path);
            } else if meta.is_symlink() {
                let text = fs::read_link(&path).unwrap();
                found.insert(rel, (false, mode, text.as_os_str().as_encoded_bytes().to_vec()));
            } else {
                found.insert(rel, (meta.nlink() > 1, mode, fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// Installs with all kinds of files, alone and in folders of both.
fn all_kinds(trees: &Path) -> [Member; 2] {
    let (long, large) = ("# long\n".repeat(20_000), "x".repeat((1 << 20) + 1));
    let picture = format!("GIF8{}", "9".repeat(100_000));
    let one = toy(
        "one",
        "1",
        &[
            ("own/__init__.py", ""),
            ("own/long.py", &long),
            ("own/after.py", "A = 1\n"),
            ("own/large.txt", &large),
            ("own/picture.gif", &picture),
            ("own/fast.so", "no code"),
            ("own/py.typed", ""),
            ("own/notes.json", "{}"),
            ("own/deep/er/table.csv", "1,2\n"),
            ("space/a.py", "A = 1\n"),
            ("space/picture.gif", &picture),
            ("top.py", "T = 1\n"),
            ("one-1.data/scripts/plain", "#!/bin/sh\necho plain\n"),
            ("one-1.data/data/share/one.conf", "conf\n"),
        ],
    );
    let two = member(trees, &toy("two", "1", &[("space/b.py", &long), ("own/deep/b.py", "B = 1\n")]));
    let one = member(trees, &one);
    let site = format!("lib/python{}/site-packages", host().python);
    for (link, text) in [("space/also.py", "a.py"), ("own/deep/er/also.csv", "table.csv")] {
        symlink(text, one.tree.join(&site).join(link)).unwrap();
    }
    fs::create_dir(one.tree.join(&site).join("own/deep/nothing")).unwrap();
    [one, two]
}

#[test]
fn a_pack_changes_nothing_of_what_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let plain = all_kinds(dir.path());
    let from_packs = plain.each_ref().map(packed);
    let [one, two] = [("plain", &plain), ("packed", &from_packs)].map(|(name, members)| {
        let at = dir.path().join(name);
        files_of(&make(&at, members, Style::Working).unwrap_or_else(|f| panic!("{}", messages(&f))).folder)
    });
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (path, is) in &one {
        assert!(is == &two[path], "{}", path.display());
    }
}

#[test]
fn what_is_written_in_place_never_reaches_an_install_or_its_pack() {
    let dir = tempfile::tempdir().unwrap();
    let trees = dir.path().join("trees");
    let members = all_kinds(&trees).each_ref().map(packed);
    // Without whether it is shared, which the environment itself decides.
    let bytes_of = |folder: &Path| -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        files_of(folder).into_iter().map(|(path, (_, mode, bytes))| (path, (mode, bytes))).collect()
    };
    let before = bytes_of(&trees);
    let at = dir.path().join("env");
    let made = make(&at, &members, Style::Working).unwrap_or_else(|f| panic!("{}", messages(&f)));
    let mut shared = Vec::new();
    for (path, (is_shared, _, _)) in files_of(&made.folder) {
        let place = made.folder.join(&path);
        if is_shared {
            shared.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        } else if fs::symlink_metadata(&place).unwrap().is_file() {
            // As an editor does that keeps the file, and a tool that appends.
            fs::write(&place, "edited").unwrap();
            fs::OpenOptions::new().append(true).open(&place).unwrap().write_all(b" again").unwrap();
        }
    }
    shared.sort();
    assert_eq!(shared, ["fast.so", "large.txt", "picture.gif", "picture.gif"]);
    assert!(before == bytes_of(&trees), "an install has changed");
    let again = make(&dir.path().join("again"), &members, Style::Working);
    let again = again.unwrap_or_else(|f| panic!("{}", messages(&f)));
    let own = again.folder.join(format!("lib/python{}/site-packages/own", host().python));
    assert_eq!(fs::read_to_string(own.join("after.py")).unwrap(), "A = 1\n");
}

/// The same install with byte code that notices edits.
fn to_edit(member: &Member) -> Member {
    let tree = member.tree.with_extension("edit");
    copy_tree(&member.tree, &tree, Copying::Linked, None).unwrap();
    let caches = Command::new("find").arg(&tree).args(["-name", "__pycache__"]).output().unwrap();
    for cache in ok(caches).lines() {
        fs::remove_dir_all(cache).unwrap();
    }
    crate::python::bytecode::checked_copy(&member.tree, &tree).unwrap();
    Member { tree, ..member.clone() }
}

#[test]
fn byte_code_comes_along_and_notices_edits_where_people_may_edit() {
    let dir = tempfile::tempdir().unwrap();
    let word = "WORD = 'old'\n";
    let files =
        [("pkg/__init__.py", word), ("pkg/sub/deep.py", word), ("space/a.py", word), ("top.py", word)];
    let one = member(dir.path(), &toy("one", "1", &files));
    let two = member(dir.path(), &toy("two", "1", &[("space/b.py", word), ("pkg/sub/more.py", word)]));
    let site = format!("lib/python{}/site-packages", host().python);
    let sites = [&one, &two].map(|m| m.tree.join(&site));
    crate::python::Compiler::new(&host().exe, 2).compile(&sites, &crate::exec::Stop::new().unwrap()).unwrap();
    let modules = ["pkg", "pkg.sub.deep", "pkg.sub.more", "space.a", "space.b", "top"];
    for (style, flags) in [(Style::Frozen, "1"), (Style::Solid, "1"), (Style::Working, "3")] {
        let at = dir.path().join(format!("{style:?}"));
        let members = match style {
            Style::Working => [&one, &two].map(to_edit),
            _ => [one.clone(), two.clone()],
        };
        let made = make(&at, &members, style).unwrap_or_else(|f| panic!("{}", messages(&f)));
        let python = made.folder.join("bin/python");
        for module in modules {
            assert_eq!(code_of(&python, module), format!("{flags} old"), "{module}, {style:?}");
        }
        if style == Style::Working {
            for file in ["pkg/__init__.py", "pkg/sub/deep.py", "space/a.py", "top.py"] {
                fs::write(made.folder.join(&site).join(file), "WORD = 'new'\n").unwrap();
            }
            for module in ["pkg", "pkg.sub.deep", "space.a", "top"] {
                assert_eq!(code_of(&python, module), "3 new", "{module}");
            }
        }
    }
}

#[test]
fn links_inside_a_store_are_relative() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let members = three(&store.join("trees"));
    let (host, urls) = (host(), BTreeMap::from([("lib".to_owned(), "{}".to_owned())]));
    let at = store.join("envs/final");
    let spec = Spec {
        host: &host,
        style: Style::Frozen,
        members: &members,
        target: None,
        at: &at,
        store: Some(&store),
        direct_urls: &urls,
        user_site: UserSite::Hidden,
    };
    let staged = store.join("tmp/deep/er");
    compose(&spec, &staged).unwrap();
    fs::create_dir_all(store.join("envs")).unwrap();
    fs::rename(&staged, &at).unwrap();
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&store, &elsewhere).unwrap();
    let python = elsewhere.join("envs/final/bin/python");
    let code = "import lib, space.a; from importlib.metadata import distribution as d\n\
                print(d('lib').read_text('direct_url.json'), d('lib').read_text('INSTALLER'))";
    assert_eq!(run(&python, &["-c", code]), "{} wheelwright");
}

#[test]
fn two_owners_are_told_unless_the_bytes_agree() {
    let dir = tempfile::tempdir().unwrap();
    let one = toy(
        "one",
        "1",
        &[("pkg/__init__.py", ""), ("pkg/a.py", "A = 1\n"), ("pkg/same.py", ""), ("pkg/diff.py", "1")],
    );
    let two = toy(
        "two",
        "2",
        &[
            ("pkg/__init__.py", ""),
            ("pkg/b.py", "B = 1\n"),
            ("pkg/same.py", ""),
            ("pkg/diff.py", "2"),
            ("pkg/a.py/x.txt", ""),
        ],
    );
    let tools = [
        toy(
            "x",
            "1",
            &[("x.py", ""), ("x-1.dist-info/entry_points.txt", "[console_scripts]\nrun = x:main\n")],
        ),
        toy(
            "y",
            "1",
            &[("y.py", ""), ("y-1.dist-info/entry_points.txt", "[console_scripts]\nrun = y:main\n")],
        ),
    ];
    let members: Vec<Member> = [one, two].iter().chain(&tools).map(|t| member(dir.path(), t)).collect();
    let told = [Style::Frozen, Style::Working].map(|style| {
        let findings = make(&dir.path().join("never"), &members, style).err().unwrap();
        assert!(!dir.path().join("never").exists());
        messages(&findings).replace(&host().python, "3.X")
    });
    assert_eq!(told[0], told[1]);
    expect![[r#"
        error[L503]: `lib/python3.X/site-packages/pkg/a.py` belongs to both `one 1` and `two 2`, with different bytes
          hint: remove the file from one of them in `post-install`
        error[L503]: `lib/python3.X/site-packages/pkg/diff.py` belongs to both `one 1` and `two 2`, with different bytes
          hint: remove the file from one of them in `post-install`
        error[L503]: `bin/run` belongs to both `x 1` and `y 1`, with different bytes
          hint: leave one of them out, or rename the executable in `post-build`
    "#]].assert_eq(&told[0]);
    let one = toy("one", "3", &[("pkg/__init__.py", ""), ("pkg/a.py", "A = 1\n")]);
    let two = toy("two", "3", &[("pkg/__init__.py", ""), ("pkg/b.py", "B = 1\n")]);
    let members: Vec<Member> = [one, two].iter().map(|t| member(dir.path(), t)).collect();
    let made = make(&dir.path().join("merged"), &members, Style::Frozen)
        .unwrap_or_else(|f| panic!("{}", messages(&f)));
    assert_eq!(run(&made.folder.join("bin/python"), &["-c", "import pkg.a, pkg.b; print(pkg.a.A)"]), "1");
}

#[test]
fn what_cannot_be_imported_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let web = Member { module: None, ..member(dir.path(), &toy("web", "1.0", &[("web.py", "")])) };
    let mut old = member(dir.path(), &toy("old", "1", &[("old.py", "")]));
    old.module.as_mut().unwrap().python = "3.5".into();
    let mut other = member(dir.path(), &toy("other", "1", &[("other.py", "")]));
    other.module.as_mut().unwrap().interpreter = Digest::of(b"another");
    let twice = ["1", "2"].map(|v| member(dir.path(), &toy("twice", v, &[("twice.py", "")])));
    let needy = member(
        dir.path(),
        &toy("needy", "1", &[("needy.py", "")]).headers("Requires-Dist: absent>=2\nRequires-Dist: twice>2\n"),
    );
    let mut members = [&[web, old, other, needy][..], &twice].concat();
    let host = Host {
        exe: "/usr/bin/python3.11".into(),
        version: "3.11.7".into(),
        python: "3.11".into(),
        identity: Digest::of(b"interpreter"),
    };
    for member in &mut members[2..] {
        member.module.as_mut().unwrap().python = "3.11".into();
    }
    let findings = super::modules::check(&members, &host, Some(&crate::wheel::toy::target()));
    expect![[r#"
        error[L501]: `web` is an application, so it cannot be imported in an environment
          hint: write kind = "package" in the recipe of `web`, or ask for its libraries instead
        error[L501]: `old` is built for Python 3.5, this is 3.11
          hint: build `old` with the same --python
        error[L501]: `other` is built for another Python 3.11 than `/usr/bin/python3.11` (interpreter sha256:ae448ac86c4e, this is sha256:9666d9e88994)
          hint: build `other` again with this interpreter
        error[L502]: `twice` would be there twice, as 1 and 2
        error[L401]: `needy` requires `absent>=2`, which is not in its closure
          hint: add "absent>=2" to `dependencies`, or its name to `remove` of `[relax]`
        error[L402]: `needy` requires `twice>2`, but its closure has twice 2
          hint: write "twice>2" in `dependencies`, or add `twice` to `dependencies` or `upper` of `[relax]`
    "#]].assert_eq(&messages(&findings));
}

/// A recipe of some lines.
fn recipe(text: &str) -> Recipe {
    use recipes::book::{Layer, LayerFile, assemble};
    let file = SourceFile { path: "a.toml".into(), text: text.to_owned() };
    let layer = Layer {
        name: "recipes".into(),
        files: vec![LayerFile { file: std::sync::Arc::new(file), pyproject: None }],
    };
    let (book, findings) = assemble(&[layer]);
    assert!(findings.iter().all(|f| f.severity != recipes::diag::Severity::Error), "{}", messages(&findings));
    std::sync::Arc::unwrap_or_clone(book.recipes.into_iter().next().unwrap())
}

fn wrap(ops: Vec<WrapOp>) -> Wrap {
    Wrap { enable: true, permit_user_site: false, ops }
}

/// An application of one script that prints what it sees, and a library.
fn web(dir: &Path) -> Vec<Member> {
    let body = "#!python\nfrom __future__ import annotations\nimport os, sys, lib, subprocess\n\
        print(sys.argv[1:], os.getcwd(), *(os.environ.get(n) for n in 'SET DEF PRE SUF GONE'.split()))\n\
        subprocess.check_call([sys.executable, '-c', 'import lib'])\n";
    let app = toy(
        "web",
        "1.0",
        &[
            ("web-1.0.data/scripts/web.py", body),
            ("web-1.0.data/scripts/tool", "#!/bin/sh\necho tool \"$SET\" \"$@\"\n"),
            ("web_mod.py", "def main():\n    import sys\n    print('point', sys.argv)\n"),
            ("web-1.0.dist-info/entry_points.txt", "[console_scripts]\npoint = web_mod:main\n"),
        ],
    );
    let lib = toy(
        "lib",
        "1.0",
        &[
            ("lib.py", "def main(): pass\n"),
            ("lib-1.0.dist-info/entry_points.txt", "[console_scripts]\nlib-run = lib:main\n"),
        ],
    );
    let own = Member { module: None, ..member(dir, &app) };
    vec![member(dir, &lib), own]
}

#[test]
fn an_application_exposes_its_own_executables_wrapped() {
    let dir = tempfile::tempdir().unwrap();
    let members = web(dir.path());
    let (host, urls) = (host(), BTreeMap::new());
    let odd = "it's $HOME \"q\" \\ `id` \n two".to_owned();
    let wrap = wrap(vec![
        WrapOp::Set("SET".into(), odd.clone()),
        WrapOp::SetDefault("DEF".into(), "default".into()),
        WrapOp::Prefix { name: "PRE".into(), sep: ":".into(), values: vec!["/a b".into(), "/c:/d".into()] },
        WrapOp::Suffix {
            name: "SUF".into(),
            sep: ":".into(),
            values: vec!["/x".into(), "/y".into(), "/x".into()],
        },
        WrapOp::Unset("GONE".into()),
        WrapOp::Chdir("/usr".into()),
        WrapOp::Run("DEF=$DEF+run".into()),
        WrapOp::AddFlags(vec!["--first one".into()]),
        WrapOp::AppendFlags(vec!["--last".into()]),
    ]);
    let at = dir.path().join("an app");
    let spec = super::app::Spec {
        host: &host,
        members: &members,
        own: 1,
        target: None,
        wrap: &wrap,
        at: &at,
        store: None,
        direct_urls: &urls,
    };
    let composed = super::app::compose(&spec, &at).unwrap();
    assert_eq!(composed.executables.keys().collect::<Vec<_>>(), ["point", "tool", "web.py"]);
    let call = |envs: &[(&str, &str)]| {
        let mut command = Command::new("an app/bin/web.py");
        command.arg("a b").current_dir(dir.path()).env_remove("DEF").env_remove("SUF").env_remove("PRE");
        ok(command.envs(envs.iter().copied()).output().unwrap())
    };
    let start = "['--first one', 'a b', '--last'] /usr ";
    assert_eq!(call(&[("GONE", "x")]), format!("{start}{odd} default+run /a b:/c:/d /x:/y None"));
    let envs = [("DEF", ""), ("PRE", "/z:/c:/a b:/c"), ("SUF", "/y:/z")];
    assert_eq!(call(&envs), format!("{start}{odd} +run /a b:/c:/d:/z /y:/z:/x None"));
    let tool = run(&at.join("bin/tool"), &["x"]);
    assert_eq!(tool, format!("tool {odd} --first one x --last"));
    assert!(
        run(&at.join("bin/point"), &["x"]).contains("libexec/env/bin/point', '--first one', 'x', '--last']")
    );
}

#[test]
fn wrap_values_that_cannot_be_are_told_and_enable_false_is_plain() {
    let dir = tempfile::tempdir().unwrap();
    let members = web(dir.path());
    let (host, urls, at) = (host(), BTreeMap::new(), dir.path().join("app"));
    let wrap = wrap(vec![WrapOp::Set("A B".into(), String::new()), WrapOp::Unset("1".into())]);
    let spec = |wrap| super::app::Spec {
        host: &host,
        members: &members,
        own: 1,
        target: None,
        wrap,
        at: &at,
        store: None,
        direct_urls: &urls,
    };
    let Err(Trouble::Findings(findings)) = super::app::compose(&spec(&wrap), &at) else { panic!("accepted") };
    expect![[r#"
        error[L504]: `[wrap]`: `A B` is not the name of an environment variable
        error[L504]: `[wrap]`: `1` is not the name of an environment variable
    "#]]
    .assert_eq(&messages(&findings));
    let plain = Wrap { enable: false, ..wrap.clone() };
    super::app::compose(&spec(&plain), &at).unwrap();
    assert!(run(&at.join("bin/web.py"), &[]).starts_with("[] "));
}

#[test]
fn the_user_site_is_hidden_unless_permitted() {
    let dir = tempfile::tempdir().unwrap();
    let members = web(dir.path());
    let (host, urls) = (host(), BTreeMap::new());
    let home = dir.path().join("home");
    let user = home.join(format!("lib/python{}/site-packages", host.python));
    fs::create_dir_all(&user).unwrap();
    fs::write(user.join("users_own.py"), "").unwrap();
    for (permit, code) in [(false, 1), (true, 0)] {
        let at = dir.path().join(format!("app-{permit}"));
        let wrap = Wrap { enable: true, permit_user_site: permit, ops: Vec::new() };
        let spec = super::app::Spec {
            host: &host,
            members: &members,
            own: 1,
            target: None,
            wrap: &wrap,
            at: &at,
            store: None,
            direct_urls: &urls,
        };
        super::app::compose(&spec, &at).unwrap();
        let out = Command::new(at.join("libexec/env/bin/python"))
            .args(["-c", "import users_own"])
            .env("PYTHONUSERBASE", &home)
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(code), "{}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn a_result_has_library_executables_wheel_and_description() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let members = web(&store.join("trees"));
    let (host, urls, at) = (host(), BTreeMap::new(), store.join("envs/r"));
    let recipe = recipe(
        "kind = \"application\"\npname = \"web\"\nversion = \"1.0\"\nbuild-system = [\"setuptools\"]\n\
         [source]\npath = \".\"\n[meta]\ndescription = \"A web app\"\n",
    );
    let blob = store.join("blob");
    fs::write(&blob, b"wheel bytes").unwrap();
    let wheel = super::result::WheelBlob {
        path: blob,
        name: "web-1.0-py3-none-any.whl".into(),
        digest: Digest::of(b"wheel bytes"),
    };
    let spec = super::result::Spec {
        app: super::app::Spec {
            host: &host,
            members: &members,
            own: 1,
            target: None,
            wrap: &recipe.wrap,
            at: &at,
            store: Some(&store),
            direct_urls: &urls,
        },
        recipe: &recipe,
        wheel: Some(&wheel),
    };
    super::result::compose(&spec, &store.join("tmp/a/b")).unwrap();
    fs::create_dir_all(store.join("envs")).unwrap();
    fs::rename(store.join("tmp/a/b"), &at).unwrap();
    let result = dir.path().join("result");
    symlink(&at, &result).unwrap();
    assert!(run(&result.join("bin/web.py"), &[]).starts_with("[] "));
    assert_eq!(fs::read(result.join("dist").join(&wheel.name)).unwrap(), b"wheel bytes");
    let code = "import web_mod; print(web_mod.__name__)";
    let out = Command::new(&host.exe)
        .args(["-S", "-c", code])
        .env("PYTHONPATH", result.join(format!("lib/python{}/site-packages", host.python)))
        .output();
    assert_eq!(ok(out.unwrap()), "web_mod");
    let copied = super::result::copy_wheel(&wheel, &dir.path().join("wheels")).unwrap();
    super::result::copy_wheel(&wheel, &dir.path().join("wheels")).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("wheels")).unwrap().count(), 1);
    assert_eq!(fs::read(copied).unwrap(), b"wheel bytes");
    let text = fs::read_to_string(result.join(super::result::PACKAGE_FILE)).unwrap();
    let mut keys: Vec<&str> =
        text.lines().filter_map(|l| l.strip_prefix("  \"")).filter_map(|l| l.split('"').next()).collect();
    let shown = keys.clone();
    keys.sort_unstable();
    assert_eq!(keys, shown);
    expect![[r#"
        {
          "dist-info": "web-1.0.dist-info",
          "executables": {
            "point": "web_mod:main",
            "tool": null,
            "web.py": null
          },
          "extras": [],
          "format": 1,
          "imports": [
            "web_mod"
          ],
          "kind": "application",
          "meta": {
            "changelog": null,
            "description": "A web app",
            "homepage": null,
            "known-vulnerabilities": [],
            "license": null,
            "main-program": null,
            "maintainers": []
          },
          "name": "web",
          "natives": [],
          "python": "3.X",
          "requires": [],
          "start-up": [],
          "version": "1.0",
          "wheel": {
            "file": "web-1.0-py3-none-any.whl",
            "sha256": "67c0d8f7de19e30c2d5891030a0b37cbfcdd240852b53055c0b28290ad52290b",
            "tags": [
              "py3-none-any"
            ]
          }
        }
    "#]]
    .assert_eq(&text.replace(&host.python, "3.X"));
}

#[test]
fn a_folder_made_by_phases_becomes_an_install() {
    let dir = tempfile::tempdir().unwrap();
    let host = host();
    let tree = dir.path().join("tree");
    let site = tree.join(format!("lib/python{}/site-packages", host.python));
    for (path, text) in [
        ("mod/__init__.py", "X = 1\n"),
        ("mod/__pycache__/a.pyc", ""),
        ("Mod-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: Mod\nVersion: 1\nRequires-Dist: click\n"),
        ("Mod-1.dist-info/RECORD", "lies,,\n"),
        ("Mod-1.dist-info/entry_points.txt", "[console_scripts]\nmod = mod:main\n"),
    ] {
        fs::create_dir_all(site.join(path).parent().unwrap()).unwrap();
        fs::write(site.join(path), text).unwrap();
    }
    fs::create_dir_all(tree.join("bin")).unwrap();
    fs::write(tree.join("bin/mod"), "#!/build/env/bin/python\n").unwrap();
    fs::write(tree.join("bin/other"), "#!/build/env/bin/python\nimport mod; print(mod.X)\n").unwrap();
    let layout = Layout { python: host.python.clone(), interpreter: host.identity };
    let known = crate::wheel::Adoption { name: "mod".into(), version: "1".into(), layout };
    let installed = crate::wheel::adopt(&tree, &known).unwrap();
    assert_eq!(installed.module.imports, ["mod"]);
    assert_eq!(installed.module.requires, ["click"]);
    let scripts: Vec<&str> = installed.module.scripts.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(scripts, ["mod", "other"]);
    assert!(!tree.join("bin").exists() && !site.join("mod/__pycache__").exists());
    let again = crate::wheel::adopt(&tree, &known).unwrap();
    assert_eq!(again.contents, installed.contents);
    let members = [Member::of(installed.module, &tree)];
    let made = make(&dir.path().join("env"), &members, Style::Working)
        .unwrap_or_else(|f| panic!("{}", messages(&f)));
    assert_eq!(run(&made.folder.join("bin/other"), &[]), "1");
}
