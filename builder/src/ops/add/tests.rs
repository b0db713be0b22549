use expect_test::expect;

use super::draft::{Draft, Metadata, Purpose};
use super::named::{Wish, parse};
use super::source::SourceFacts;
use super::*;
use crate::error::Kind;

fn exactly(text: &str) -> (PackageName, Version) {
    match parse(text).unwrap() {
        (name, Wish::Exactly(version)) => (name, version),
        (name, wish) => panic!("{name}: {wish:?}"),
    }
}

fn draft(files: &[(&str, &str)], metadata: &str) -> Draft {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let hash = recipes::name::Sha256([7; 32]);
    let (name, version) = exactly("Demo.Pkg==1.2");
    let metadata = Metadata::parse(metadata);
    let names: Vec<String> = files.iter().map(|(name, _)| format!("top/{name}")).collect();
    let facts = SourceFacts::read(dir.path(), &names).unwrap();
    Draft::new((&name, &version), hash, (&facts, &metadata), &Purpose::default())
}

const METADATA: &str = "Metadata-Version: 2.4
Name: demo-pkg
Version: 1.2
Summary: A \"demo\"
License-Expression: MIT
Project-URL: Source, https://example.org/demo
Requires-Python: >=3.9
Requires-Dist: click>=8
Requires-Dist: tomli>=1; python_full_version < '3.11.0a6'
Requires-Dist: redis; extra == 'cache'
Requires-Dist: uvloop; (sys_platform != 'win32') and extra == \"fast\"

body: not a header
";

#[test]
fn a_pure_project_becomes_a_recipe() {
    let pyproject = "[build-system]\nrequires = [\"hatchling>=1.20\"]\nbuild-backend = \"hatchling.build\"\n";
    let made = draft(&[("pyproject.toml", pyproject)], METADATA);
    expect![[r#"
        pname = "demo-pkg"
        version = "1.2"
        requires-python = ">=3.9"
        build-system = ["hatchling>=1.20"]
        dependencies = ["click>=8", "tomli>=1; python_full_version < '3.11.0a6'"]
        [optional-dependencies]
        cache = ["redis"]
        fast = ["uvloop; sys_platform != 'win32'"]
        [source]
        pypi = "demo-pkg"
        hash = "sha256-BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
        [meta]
        description = 'A "demo"'
        homepage = "https://example.org/demo"
        license = "MIT"
    "#]]
    .assert_eq(&made.text());
    assert!(made.notes.is_empty());
}

#[test]
fn compiled_sources_declare_their_compilers() {
    let setup = "from setuptools import Extension, setup\nsetup(ext_modules=[Extension('a', ['a.cpp'])])\n";
    let made = draft(&[("setup.py", setup), ("src/a.cpp", ""), ("tests/x.f90", "")], "");
    let text = made.text();
    assert!(text.contains("build-system = [\"setuptools\"]"), "{text}");
    assert!(text.contains("build-requires = [\"virtual:compiler/c\", \"virtual:compiler/cpp\"]"), "{text}");
    assert!(text.contains("expect = \"native\""), "{text}");
    assert_eq!(made.notes.len(), 1);
}

#[test]
fn what_may_be_left_out_is_not_insisted_on() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("setup.py"), "setup(ext_modules=[Extension('a', ['a.c'])])").unwrap();
    std::fs::write(dir.path().join("a.c"), "").unwrap();
    let (name, version) = exactly("demo==1");
    let metadata = Metadata::parse("").with_pure_wheel(true);
    let hash = recipes::name::Sha256([7; 32]);
    let facts = SourceFacts::read(dir.path(), &["top/a.c".to_owned()]).unwrap();
    let made = Draft::new((&name, &version), hash, (&facts, &metadata), &Purpose::default());
    assert!(made.text().contains("virtual:compiler/c") && !made.text().contains("expect"), "{}", made.text());
    assert!(made.notes[0].contains("compiled or pure"), "{:?}", made.notes);
}

#[test]
fn a_license_is_told_only_when_it_is_certain() {
    let told = |metadata: &str| {
        let text = draft(&[("setup.py", "")], metadata).text();
        text.lines().find_map(|l| l.strip_prefix("license = ").map(str::to_owned))
    };
    assert_eq!(told("License: MIT\n").as_deref(), Some("\"MIT\""));
    assert_eq!(told("License: BSD\n"), None);
    assert_eq!(told("Classifier: License :: OSI Approved :: MIT License\n").as_deref(), Some("\"MIT\""));
    assert_eq!(told("Classifier: License :: OSI Approved :: BSD License\n"), None);
    let apache = "Classifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: Apache Software License\n";
    assert_eq!(told(apache).as_deref(), Some("\"Apache-2.0\""));
    let lesser =
        "Classifier: License :: OSI Approved :: GNU Lesser General Public License v3 or later (LGPLv3+)\n";
    assert_eq!(told(lesser).as_deref(), Some("\"LGPL-3.0-or-later\""));
    let two = "Classifier: License :: OSI Approved :: MIT License\n\
               Classifier: License :: OSI Approved :: Apache Software License\n";
    assert_eq!(told(two), None);
    assert_eq!(told("License: whatever\nLicense-Expression: 0BSD\n").as_deref(), Some("\"0BSD\""));
    let whole = "License: Copyright (c) me\n  Redistribution and use in source and binary forms, with\n  or\nSummary: x\n";
    assert_eq!(told(whole).as_deref(), Some("\"BSD-2-Clause\""));
}

#[test]
fn a_license_that_cannot_be_told_is_named_by_its_file() {
    let both = "Classifier: License :: Public Domain\nClassifier: License :: OSI Approved :: BSD License\n";
    let made = draft(&[("setup.py", ""), ("COPYING.rst", "public domain and others")], both);
    assert!(made.text().contains("license = \"LicenseRef-demo-pkg-COPYING.rst\""), "{}", made.text());
    assert_eq!(made.notes, ["which license it has is not certain: `COPYING.rst` says it"]);
    // What a wheel's metadata does not say, the source may say.
    let own = "Summary: own\nLicense: ISC\n\n";
    let text = draft(&[("setup.py", ""), ("PKG-INFO", own), ("LICENSE", "?")], both).text();
    assert!(text.contains("license = \"ISC\"") && text.contains("description = \"own\""), "{text}");
    assert!(!draft(&[("setup.py", "")], both).text().contains("license"));
}

#[test]
fn what_metadata_says_twice_is_said_once() {
    let metadata = "Requires-Dist: a>1\nRequires-Dist: a<3\nRequires-Dist: b; extra == 'x'\n\
                    Requires-Dist: demo-pkg[y]; extra == 'x'\nRequires-Dist: demo-pkg[z]; extra == 'x'\n";
    let text = draft(&[("setup.py", "")], metadata).text();
    assert!(text.contains("dependencies = [\"a>1,<3\"]"), "{text}");
    assert!(text.contains("x = [\"b\", \"demo-pkg[y,z]\"]"), "{text}");
}

#[test]
fn fortran_is_declared_where_the_build_speaks_of_it() {
    let table = "[build-system]\nrequires = [\"meson-python\"]\nbuild-backend = \"mesonpy\"\n";
    let told = |meson: &str| {
        let files = [("pyproject.toml", table), ("meson.build", meson), ("src/a.c", ""), ("src/b.f90", "")];
        draft(&files, "").text().contains("virtual:compiler/fortran")
    };
    assert!(told("project('x', 'c')\nadd_languages('fortran')\n"));
    assert!(!told("project('x', 'c')\n"));
}

#[test]
fn stray_c_files_do_not_make_a_package_native() {
    let made = draft(&[("setup.py", "from setuptools import setup\nsetup()\n"), ("data/a.c", "")], "");
    assert!(!made.text().contains("external"), "{}", made.text());
}

#[test]
fn only_new_metadata_is_final() {
    assert!(Metadata::parse(METADATA).requires_are_final());
    assert!(!Metadata::parse("Metadata-Version: 2.1\n").requires_are_final());
    assert!(!Metadata::parse("Metadata-Version: 2.2\nDynamic: Requires-Dist\n").requires_are_final());
}

#[test]
fn projects_are_names_with_perhaps_versions() {
    let newest = |text: &str| match parse(text).unwrap() {
        (name, Wish::Newest(specifiers)) => format!("{name} {specifiers}"),
        (name, wish) => panic!("{name}: {wish:?}"),
    };
    assert_eq!(newest("Flask"), "flask ");
    assert_eq!(newest("click>=8,<8.2"), "click >=8, <8.2");
    assert_eq!(newest("click==8.*"), "click ==8.*");
    assert_eq!(exactly("flask==3.0").1.to_string(), "3.0");
    for wrong in
        ["flask==x", "fla sk", "flask[async]", "flask; os_name == 'nt'", "flask @ https://example.org/f.zip"]
    {
        assert!(parse(wrong).unwrap_err().hints[0].contains("NAME==VERSION"), "{wrong}");
    }
}

#[test]
fn a_recipe_of_another_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |text: &str, force: bool| {
        let (name, version) = exactly(text);
        free(dir.path(), (&name, &version), force)
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .map_err(|e| e.doing)
    };
    let write = |name: &str, version: &str| {
        std::fs::write(dir.path().join(name), format!("pname = 'click'\nversion = '{version}'\n")).unwrap();
    };
    assert_eq!(at("click==8.1.8", false).unwrap(), "click.toml");
    write("click.toml", "8.5.1");
    assert_eq!(at("click==8.1.8", false).unwrap(), "click-8.1.8.toml");
    assert!(at("click==8.5.1", false).unwrap_err().ends_with("click.toml` exists"));
    assert_eq!(at("click==8.5.1", true).unwrap(), "click.toml");
    write("click-8.1.8.toml", "8.1.8");
    assert!(at("click==8.1.8", false).unwrap_err().ends_with("click-8.1.8.toml` exists"));
    assert_eq!(at("click==8.1.8", true).unwrap(), "click-8.1.8.toml");
    // What says no version may be anything.
    std::fs::write(dir.path().join("other.toml"), "pname = 3").unwrap();
    assert!(at("other==1", false).unwrap_err().ends_with("other.toml` exists"));
}

#[test]
fn old_spellings_are_mended_and_what_cannot_be_said_is_told() {
    let pyproject = "[build-system]\nrequires = [\"setuptools>=40.*,\", \"wheel ??\"]\n";
    let metadata = "Requires-Python: >=3.6.*,\nRequires-Dist: a>=1.*\nRequires-Dist: x; extra == \"t\" and (os_name == \"nt\")\n";
    let made = draft(&[("pyproject.toml", pyproject)], metadata);
    expect![[r#"
        pname = "demo-pkg"
        version = "1.2"
        requires-python = ">=3.6"
        build-system = ["setuptools>=40"]
        dependencies = ["a>=1"]

        [optional-dependencies]
        t = ['x; os_name == "nt"']

        [source]
        pypi = "demo-pkg"
        hash = "sha256-BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
    "#]]
    .assert_eq(&made.recipe(Path::new("demo.toml")).unwrap().0);
    expect![[r#"
        [
            "the requirement `setuptools>=40.*,` is written as `setuptools>=40`",
            "the requirement `wheel ??` cannot be read and was left out",
            "the requirement `a>=1.*` is written as `a>=1`",
        ]
    "#]]
    .assert_debug_eq(&made.notes);
}

#[test]
fn a_recipe_that_would_not_load_is_not_made() {
    let made = draft(&[("setup.py", "")], "Requires-Dist: x @ https://example.org/x.zip\n");
    let error = made.recipe(Path::new("demo.toml")).unwrap_err();
    assert_eq!((error.kind, error.doing.as_str()), (Kind::Input, "failed to make the recipe `demo.toml`"));
    assert_eq!(error.causes, ["a requirement names a package, not an address"]);
}
