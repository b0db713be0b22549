//! Applications, how they are wrapped, and results.

use expect_test::expect;
use recipes::diag::SourceFile;
use recipes::recipe::{Recipe, Wrap, WrapOp};

use super::*;

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
