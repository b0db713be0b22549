//! The fixtures in `tests/`, each with the recipes, environments and TODOs it
//! gives. `UPDATE_EXPECT=1` writes what is expected anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::import::{Converted, Todo};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/nix/tests")
}

fn file(path: &str, text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile { path: path.to_owned(), text: text.to_owned() })
}

/// Every fixture by its name.
fn fixtures() -> Files {
    let mut out = Files::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "nix") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            out.insert(name.clone(), file(&name, &text));
        }
    }
    out
}

fn line(todo: &Todo) -> String {
    let quote = todo.quote().lines().next().unwrap_or("").trim().to_owned();
    format!("{}:{}: {}: {}: {quote}", todo.place.file.path, todo.place.line_col().0, todo.attribute, todo.why)
}

fn shown(imported: &Imported) -> String {
    let mut out = String::new();
    for recipe in &imported.recipes {
        let _ = writeln!(out, "=== {} {}\n{}", recipe.pname, recipe.version, recipe.text);
        out.extend(recipe.problems.iter().map(|p| format!("problem: {p}\n")));
        out.extend(recipe.todos.iter().map(|t| format!("todo: {}\n", line(t))));
    }
    for env in &imported.environments {
        let _ = writeln!(out, "=== environment {env:?}");
    }
    out.extend(imported.todos.iter().map(|t| format!("todo: {}\n", line(t))));
    out
}

#[test]
fn every_fixture_gives_what_is_written_beside_it() {
    let files = fixtures();
    assert!(files.len() >= 60, "only {} fixtures", files.len());
    for name in files.keys() {
        check(&files[name]).unwrap_or_else(|f| panic!("{}", f.render()));
        let imported = import(&files, name, "");
        let expected = folder().join(name.replace(".nix", ".txt"));
        expect_test::expect_file![expected].assert_eq(&shown(&imported));
    }
}

/// Carried and told together are all attributes, and each TODO is in the text.
fn accounted(recipe: &Converted) {
    let told: BTreeSet<String> = recipe.todos.iter().map(|t| t.attribute.clone()).collect();
    let lost: Vec<&String> =
        recipe.attributes.iter().filter(|a| !recipe.carried.contains(*a) && !told.contains(*a)).collect();
    assert!(lost.is_empty(), "{} lost {lost:?}", recipe.pname);
    let whose = |a: &String| recipe.attributes.contains(a) || matches!(a.as_str(), "pname" | "version");
    let made_up: Vec<&String> = recipe.carried.iter().chain(&told).filter(|a| !whose(a)).collect();
    assert!(made_up.is_empty(), "{} made up {made_up:?}", recipe.pname);
    assert!(recipe.problems.is_empty(), "{}: {:?}\n{}", recipe.pname, recipe.problems, recipe.text);
    for todo in &recipe.todos {
        for quoted in todo.quote().lines().map(str::trim).filter(|l| !l.is_empty()) {
            assert!(recipe.text.contains(quoted), "{} does not quote `{quoted}`", recipe.pname);
        }
    }
}

#[test]
fn no_attribute_is_lost() {
    let files = fixtures();
    let mut seen = BTreeSet::new();
    for name in files.keys() {
        let imported = import(&files, name, "");
        for recipe in &imported.recipes {
            accounted(recipe);
            seen.extend(recipe.attributes.iter().cloned());
            names_in_the_text(&files, recipe);
        }
    }
    assert!(seen.len() > 90, "the fixtures have {} attributes only", seen.len());
}

/// What stands before `=` in the call's own set is an attribute of it. This
/// looks at the text only, so that the evaluator cannot hide what it missed.
fn names_in_the_text(files: &Files, recipe: &Converted) {
    use rnix::ast::{self, AstNode, HasEntry as _};
    fn cast<N: AstNode>(node: rnix::SyntaxNode) -> Option<N> {
        N::cast(node)
    }
    let text = &files[&recipe.place.file.path].text;
    let at = recipe.place.span.start;
    let nodes = rnix::Root::parse(text).syntax().descendants();
    let here = nodes.filter(|node| usize::from(node.text_range().start()) == at);
    let call = here.filter_map(cast::<ast::Apply>).find(|a| a.to_string().starts_with("build"));
    let Some(ast::Expr::AttrSet(set)) = call.and_then(|c| c.argument()) else { return };
    for entry in set.attrpath_values() {
        let path = entry.attrpath().unwrap().to_string();
        let first = path.split('.').next().unwrap().trim().trim_matches('"');
        if first.starts_with("${") {
            continue;
        }
        let has = |a: &String| a == first || a.starts_with(&format!("{first}."));
        assert!(recipe.attributes.iter().any(has), "{}: {first} of {}", recipe.place.file.path, recipe.pname);
    }
}

/// The values of a recipe, without its comments.
fn values(text: &str) -> toml::Table {
    toml::from_str(text).unwrap()
}

#[test]
fn the_tutorial_s_files_are_the_examples() {
    let files = fixtures();
    let example = |path: &str| {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipe-examples");
        values(&std::fs::read_to_string(examples.join(path)).unwrap())
    };
    let imported = import(&files, "shell.nix", "");
    let of = |name: &str| values(&imported.recipes.iter().find(|r| r.pname == name).unwrap().text);
    assert_eq!(of("toolz"), example("toolz.toml"));
    assert_eq!(of("demo-flask-vuejs-rest"), example("flask-app/demo.toml"));
    assert!(imported.recipes.iter().all(|r| r.todos.is_empty()) && imported.todos.is_empty());
    let [env] = imported.environments.as_slice() else { panic!("{:?}", imported.environments) };
    assert_eq!(env.packages, ["pandas", "requests", "toolz", "demo-flask-vuejs-rest"]);
    for (name, of) in [("toolz.nix", "toolz.toml"), ("derivation.nix", "flask-app/demo.toml")] {
        let imported = import(&files, name, "");
        assert_eq!((imported.recipes.len(), imported.environments.len()), (1, 0));
        assert_eq!(values(&imported.recipes[0].text), example(of));
    }
}

#[test]
fn paths_are_seen_from_the_recipe() {
    let text = "{ buildPythonPackage }: buildPythonPackage { pname = \"a\"; version = \"1\"; \
                src = ../lib; patches = [ ./a.patch ]; pyproject = true; }";
    let files = Files::from([("nix/pkgs/a.nix".to_owned(), file("nix/pkgs/a.nix", text))]);
    let imported = import(&files, "nix/pkgs/a.nix", "..");
    let source = values(&imported.recipes[0].text)["source"].clone();
    assert_eq!(source["path"].as_str(), Some("../nix/lib"));
    assert_eq!(source["patches"][0].as_str(), Some("../nix/pkgs/a.patch"));
    assert_eq!(joined("../x", "../../y/./z"), "../../y/z");
}

#[test]
fn a_mistake_has_a_line_and_a_column() {
    let shown = |text: &str| check(&file("a.nix", text)).map_err(|f| f.render()).unwrap_err();
    expect_test::expect![[r#"
        error[W004] a.nix:3:5: this is no Nix: `=` is not expected here, but `;`
         3 |   b = 2;
           |     ^^^
    "#]]
    .assert_eq(&shown("{\n  a = 1\n  b = 2;\n}\n"));
    expect_test::expect![[r#"
        error[W004] a.nix:1:9: this is no Nix: the text ends too early
         1 | { a = 1;
           |         ^
    "#]]
    .assert_eq(&shown("{ a = 1;\n"));
    assert!(shown("# nothing").contains("the text ends too early"));
}

/// Nothing a text says makes us wait, crash or run out of stack.
#[test]
fn texts_without_end_come_to_an_end() {
    let call = |value: &str| {
        format!(
            "{{ buildPythonPackage }}: let f = x: f x; g = x: [ (g x) (g x) ]; d = a: b: a b b; in \
                 buildPythonPackage rec {{ pname = \"a\"; version = \"1\"; disabledTests = {value}; }}"
        )
    };
    let twice = (0..40).fold("x".to_owned(), |inner, _| format!("(let x = {inner}; in x ++ x)"));
    for value in ["f f", "g 1", "d d d", "disabledTests", "[ \"a\" ] ++ disabledTests", &twice] {
        let text = call(value);
        let files = Files::from([("a.nix".to_owned(), file("a.nix", &text))]);
        check(&files["a.nix"]).unwrap_or_else(|f| panic!("{}", f.render()));
        let imported = import(&files, "a.nix", "");
        assert_eq!(imported.recipes.len(), 1, "{value}");
        accounted(&imported.recipes[0]);
    }
    for word in ["[", "!", "x: ", "with x; ", "a ++ ", "f.", "-", "\"${", "let a = 1; in ", "assert x; "] {
        let deep = file("a.nix", &word.repeat(30_000));
        assert!(check(&deep).is_err(), "{word}");
    }
    let long = file("a.nix", &format!("[ {} ]", "a \"b\" ./c ".repeat(10_000)));
    assert!(check(&long).is_ok(), "a long list is not deep");
}
