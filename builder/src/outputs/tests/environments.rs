//! Environments: what they hold, that they run, and who cannot be in one.

use std::os::unix::fs::MetadataExt as _;

use expect_test::expect;

use super::*;

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
