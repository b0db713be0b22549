use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use super::project::Texts;
use super::read::name_of;
use super::*;

fn told(files: &[(&str, &str)]) -> Option<Told> {
    let map: BTreeMap<&str, &str> = files.iter().copied().collect();
    let names: Vec<String> = map.keys().map(|name| (*name).to_owned()).collect();
    let read = |path: &str| map.get(path).map(|text| (*text).to_owned());
    project::read(&Texts { files: &names, read: &read }).unwrap()
}

/// The recipe of a folder with these files, and what is said of it.
fn recipe(files: &[(&str, &str)], expected: Expect) {
    let dir = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        names.push((*name).to_owned());
    }
    names.sort();
    let request = Request {
        word: "shop".into(),
        into: None,
        rev: None,
        tag: None,
        application: false,
        force: false,
        dry_run: true,
        settings: settings(),
    };
    let read = Read::of((dir.path(), names), "The Shop", "shop").unwrap();
    let drafted = drafted(&request, &read, ("path = \".\"\n", read.told.in_pyproject)).unwrap();
    let (text, recipe) = drafted.draft.recipe(Path::new("shop.toml")).unwrap();
    let application = recipe.kind == recipes::recipe::Kind::Application;
    let notes: Vec<String> = read
        .told
        .notes
        .iter()
        .cloned()
        .chain(remarks(&read, (&drafted.name, application)))
        .map(|note| format!("# {note}\n"))
        .collect();
    expected.assert_eq(&format!("{text}{}", notes.concat()));
}

fn settings() -> Settings {
    Settings {
        store: None,
        python: None,
        level: None,
        jobs: None,
        offline: true,
        refresh: false,
        keep_failed: false,
        no_warm: false,
        opened: None,
    }
}

#[test]
fn a_pyproject_says_it_all() {
    let pyproject = "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n\
        [project]\nname = \"Shop\"\nversion = \"1.2\"\ndescription = \"Sells\"\nrequires-python = \">=3.9\"\n\
        license = \"MIT\"\ndependencies = [\"flask>=3\", \"tomli; python_version < '3.11'\"]\n\
        [project.optional-dependencies]\ncache = [\"redis\", \"x; os_name == 'posix'\"]\n\
        [project.urls]\nHomepage = \"https://example.org\"\n[project.scripts]\nshop = \"shop:main\"\n";
    let module = "from flask import Flask\napp = Flask(__name__)\n";
    recipe(
        &[("pyproject.toml", pyproject), ("shop/__init__.py", module)],
        expect![[r#"
        pname = "shop"
        version = { from = "pyproject" }
        requires-python = ">=3.9"
        build-system = ["hatchling"]
        dependencies = ["flask>=3", "tomli; python_version < '3.11'"]

        [optional-dependencies]
        cache = ["redis", "x; os_name == 'posix'"]

        [source]
        path = "."

        [meta]
        description = "Sells"
        homepage = "https://example.org"
        license = "MIT"
        # it has the executables shop: --application exposes these and nothing else
        # found the Flask application `shop:app` (shop/__init__.py:2): `wheelwright run shop -- flask --app shop:app run` serves it
        # no `[app]` is written: building with it is not supported yet
    "#]],
    );
}

#[test]
fn setup_py_alone_is_read_without_running_it() {
    let script = "from setuptools import setup\nsetup(name='shop', version='2.0', install_requires=['flask'],\n\
        extras_require={'x': ['y']}, packages=['shop'], license='MIT', python_requires='>=3.8',\n\
        entry_points={'console_scripts': ['shop = shop:main']})\n";
    recipe(
        &[("setup.py", script), ("shop/__init__.py", "")],
        expect![[r#"
        pname = "shop"
        version = "2.0"
        requires-python = ">=3.8"
        build-system = ["setuptools"]
        dependencies = ["flask"]

        [optional-dependencies]
        x = ["y"]

        [source]
        path = "."

        [meta]
        license = "MIT"
        # it has the executables shop: --application exposes these and nothing else
    "#]],
    );
}

#[test]
fn a_setup_with_nothing_but_scripts_is_an_application() {
    let script = include_str!("../../../../recipe-examples/flask-app/setup.py");
    let page = include_str!("../../../../recipe-examples/flask-app/web_interface.py");
    recipe(
        &[("setup.py", script), ("web_interface.py", page)],
        expect![[r#"
        kind = "application"
        pname = "demo-flask-vuejs-rest"
        version = "1.0"
        build-system = ["setuptools"]
        dependencies = ["flask"]

        [source]
        path = "."
        # found the Flask application `web_interface:app` (web_interface.py:10): `wheelwright build demo-flask-vuejs-rest` puts its executables into result/bin
        # no `[app]` is written: building with it is not supported yet
    "#]],
    );
}

#[test]
fn setup_cfg_is_read_with_the_places_it_names() {
    let config = "[metadata]\nname = shop\nversion = attr: shop.about.VERSION\ndescription = Sells\n\
        [options]\ninstall_requires =\n    flask>=2  # why\n    click\npython_requires = >=3.9\n\
        [options.extras_require]\nfast-er =\n    uvloop\n[options.entry_points]\nconsole_scripts =\n    a = shop:a\n";
    let about = ("src/shop/about.py", "VERSION = '3.1'\n");
    recipe(
        &[("setup.cfg", config), about],
        expect![[r#"
        pname = "shop"
        version = "3.1"
        requires-python = ">=3.9"
        build-system = ["setuptools"]
        dependencies = ["flask>=2", "click"]

        [optional-dependencies]
        fast-er = ["uvloop"]

        [source]
        path = "."

        [meta]
        description = "Sells"
        # it has the executables a: --application exposes these and nothing else
    "#]],
    );
}

#[test]
fn a_folder_with_only_an_application_becomes_a_project() {
    let page = "from flask import Flask\napp = Flask(__name__)\n";
    let needs = "flask>=3  # web\n-r more.txt\n";
    recipe(
        &[("app.py", page), ("requirements.txt", needs), ("templates/index.html", "x"), ("test_app.py", "")],
        expect![[r#"
            kind = "application"
            pname = "the-shop"
            version = "0"
            build-system = ["setuptools"]
            dependencies = ["flask>=3"]

            [source]
            path = "."

            [phases]
            post-patch = """
            cat > pyproject.toml <<'END'
            [build-system]
            requires = ["setuptools"]
            build-backend = "setuptools.build_meta"

            [project]
            name = "the-shop"
            version = "0"
            dependencies = ["flask>=3"]

            [project.scripts]
            "the-shop" = "app:app.run"

            [tool.setuptools]
            py-modules = ["app"]

            [tool.setuptools.packages.find]
            where = ["."]
            include = ["templates", "templates.*"]

            [tool.setuptools.package-data]
            "*" = ["**"]
            END
            """

            [check]
            imports = ["app"]
            # the folder has no project files: the recipe's post-patch phase makes a pyproject.toml
            # no version is said anywhere: it is `0`
            # `-r more.txt` of requirements.txt is no requirement: it is left out
            # found the Flask application `app:app` (app.py:2): `wheelwright build the-shop` puts its executables into result/bin
            # no `[app]` is written: building with it is not supported yet
        "#]],
    );
}

#[test]
fn a_dynamic_version_is_looked_for() {
    let version = |tables: &str, files: &[(&str, &str)]| {
        let text = format!("[project]\nname = \"the-shop\"\ndynamic = [\"version\"]\n{tables}");
        let all: Vec<(&str, &str)> =
            [("pyproject.toml", text.as_str())].into_iter().chain(files.iter().copied()).collect();
        told(&all).unwrap().version
    };
    let found = |text: &str| Some(text.to_owned());
    let attr = "[tool.setuptools.dynamic]\nversion = { attr = \"shop.V\" }\n";
    assert_eq!(version(attr, &[("src/shop/__init__.py", "V = '1'\n")]), found("1"));
    let file = "[tool.setuptools.dynamic]\nversion = { file = \"VERSION\" }\n";
    assert_eq!(version(file, &[("VERSION", "2\n")]), found("2"));
    let hatch = "[tool.hatch.version]\npath = \"a/b.py\"\n";
    assert_eq!(version(hatch, &[("a/b.py", "__version__ = '3'\n")]), found("3"));
    assert_eq!(version("", &[("the_shop/_version.py", "__version__ = \"4\"\n")]), found("4"));
    let scm = "[build-system]\nrequires = [\"setuptools-scm>=8\"]\n";
    assert_eq!(version(scm, &[("the_shop/_version.py", "__version__ = '5'\n")]), None);
    assert_eq!(version("", &[]), None);
}

#[test]
fn dynamic_dependencies_come_from_files_or_setup_py() {
    let text = "[project]\nname = \"a\"\nversion = \"1\"\ndynamic = [\"dependencies\"]\n";
    let of_file = format!("{text}[tool.setuptools.dynamic]\ndependencies = {{ file = [\"r.txt\"] }}\n");
    let made = told(&[("pyproject.toml", &of_file), ("r.txt", "b>=1\n# c\n")]).unwrap();
    assert!(made.headers.contains("Requires-Dist: b>=1\n") && made.notes.is_empty(), "{made:?}");
    let made = told(&[("pyproject.toml", text), ("setup.py", "setup(install_requires=['d'])\n")]).unwrap();
    assert!(made.headers.contains("Requires-Dist: d\n"), "{made:?}");
    let made = told(&[("pyproject.toml", text)]).unwrap();
    assert!(made.notes[0].contains("`dependencies` are dynamic"), "{made:?}");
}

#[test]
fn what_is_no_project_is_none() {
    assert!(told(&[("pyproject.toml", "[tool.ruff]\nline-length = 100\n")]).is_none());
    assert!(told(&[("main.c", "")]).is_none());
    assert!(told(&[("pyproject.toml", "[tool.ruff]\n"), ("setup.py", "")]).is_some());
    let read = |_: &str| Some("[project\n".to_owned());
    let files = ["pyproject.toml".to_owned()];
    let error = project::read(&Texts { files: &files, read: &read }).unwrap_err();
    assert!(error.doing.contains("pyproject.toml"), "{error:?}");
}

#[test]
fn the_project_below_is_found_and_two_are_named() {
    let only = |files: &[&str]| {
        let files: Vec<String> = files.iter().map(|f| (*f).to_owned()).collect();
        only_project("here", &files)
    };
    assert_eq!(only(&["pyproject.toml", "a/pyproject.toml"]).unwrap(), None);
    assert_eq!(only(&["README", "py/a/setup.py", "docs/setup.py"]).unwrap().as_deref(), Some("py/a"));
    assert_eq!(only(&["a/setup.py", "a/pyproject.toml"]).unwrap().as_deref(), Some("a"));
    let error = only(&["a/setup.py", "b/pyproject.toml"]).unwrap_err();
    assert!(error.doing.contains("holds 2 projects: `a`, `b`"), "{error:?}");
    assert!(error.hints[0].contains("wheelwright new here/a"), "{error:?}");
}

#[test]
fn requirements_files_are_told_from_options() {
    let (lines, others) = project::requirement_lines(
        "a==1 \\\n    --hash=sha256:00\nb[x]>=2 ; python_version < '3.9'\n\n# no\n-e .\n--index-url x\n./c\n",
    );
    assert_eq!(lines, ["a==1", "b[x]>=2 ; python_version < '3.9'"]);
    assert_eq!(others, ["-e .", "--index-url x", "./c"]);
}

#[test]
fn a_folder_s_name_becomes_a_project_s() {
    for (base, name) in
        [("The Shop", "the-shop"), ("x_1", "x-1"), ("...", "app"), ("shop-1.tar.gz", "shop-1")]
    {
        assert_eq!(name_of(base), name);
    }
}

#[test]
fn what_is_wanted_from_an_address_is_asked_for_by_name() {
    let pyproject = "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n\
        [project]\nname = \"Shop\"\nversion = \"1.2\"\ndependencies = [\n  \
        \"core[fast] @ git+https://git.test/core@main ; python_version >= '3.9'\",\n  \
        \"near@file:///here\", \"mail>1\",\n]\n\
        [project.optional-dependencies]\nmore = [\"far @ https://files.test/far-1.0.zip\"]\n";
    let all = told(&[("pyproject.toml", pyproject)]).unwrap();
    let needs: Vec<&str> = all.headers.lines().filter_map(|l| l.strip_prefix("Requires-Dist: ")).collect();
    let core = "core[fast] ; python_version >= '3.9'";
    assert_eq!(needs, [core, "near", "mail>1", "far ; extra == 'more'"]);
    assert_eq!(all.notes.len(), 3);
    assert!(all.notes[0].starts_with("core[fast] is wanted from an address of its own: "), "{:?}", all.notes);
}

#[test]
fn an_application_without_executables_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let pyproject =
        "[build-system]\nrequires = [\"flit_core\"]\n[project]\nname = \"shop\"\nversion = \"1\"\n";
    std::fs::write(dir.path().join("pyproject.toml"), pyproject).unwrap();
    std::fs::write(dir.path().join("shop.py"), "from flask import Flask\napp = Flask(__name__)\n").unwrap();
    let names = vec!["pyproject.toml".to_owned(), "shop.py".to_owned()];
    let mut read = Read::of((dir.path(), names), "shop", "shop").unwrap();
    let name: PackageName = "shop".parse().unwrap();
    let told = |read: &Read, application| remarks(read, (&name, application)).remove(0);
    assert!(told(&read, true).ends_with("or leave --application out"), "{}", told(&read, true));
    assert!(told(&read, false).ends_with(" serves it"), "{}", told(&read, false));
    read.told.scripts.push("shop".to_owned());
    assert!(told(&read, true).ends_with("puts its executables into result/bin"), "{}", told(&read, true));
}
