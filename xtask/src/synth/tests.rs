//! The shape of what is generated, and that nothing in it is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use recipes::book::{Book, Layer, LayerFile, assemble};
use recipes::diag::SourceFile;

use super::*;

fn book(shape: &Shape) -> (Book, Vec<recipes::diag::Finding>) {
    let layer = |name: &str, files: Vec<(String, String)>| {
        let file = |(path, text)| LayerFile { file: Arc::new(SourceFile { path, text }), pyproject: None };
        Layer { name: name.to_owned(), files: files.into_iter().map(file).collect() }
    };
    let base = recipes::base::files().into_iter().map(|(path, text)| (path.to_owned(), text.to_owned()));
    assemble(&[layer("base", base.collect()), layer("recipes", texts(shape))])
}

#[test]
fn a_seed_says_everything() {
    let of = |seed| texts(&Shape { recipes: 50, seed });
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}

#[test]
fn every_recipe_is_read_without_a_word() {
    let (book, findings) = book(&Shape { recipes: 1000, seed: 3 });
    let told: Vec<String> = findings.iter().map(recipes::diag::Finding::render).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert_eq!(book.recipes.len(), 1000 + recipes::base::files().len());
}

#[test]
fn every_requirement_has_a_recipe_that_fits() {
    let (book, _) = book(&Shape { recipes: 1000, seed: 3 });
    for recipe in &book.recipes {
        let extras = recipe.optional_dependencies.values().flatten();
        for dependency in recipe.dependencies.iter().chain(&recipe.build_system).chain(extras) {
            let wanted = &dependency.requirement;
            let fits = |r: &recipes::recipe::Recipe| {
                r.pname == *wanted.name() && wanted.specifiers().contains(&r.version)
            };
            let marked = !wanted.parsed.marker.is_true();
            assert!(marked || book.recipes.iter().any(|r| fits(r)), "{} wants {wanted}", recipe.pname);
        }
    }
}

#[test]
fn most_need_little_and_a_few_are_needed_by_many() {
    let (book, _) = book(&Shape { recipes: 2000, seed: 1 });
    let own: Vec<_> = book.recipes.iter().filter(|r| r.layer == "recipes").collect();
    let none = own.iter().filter(|r| r.dependencies.is_empty()).count();
    assert!((700..1100).contains(&none), "{none} of 2000 need nothing");
    let mut users: BTreeMap<String, usize> = BTreeMap::new();
    for dependency in own.iter().flat_map(|r| &r.dependencies) {
        *users.entry(dependency.requirement.name().to_string()).or_default() += 1;
    }
    let all: usize = users.values().sum();
    let mut counts: Vec<usize> = users.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let top: usize = counts.iter().take(20).sum();
    assert!(top * 5 > all && top * 2 < all, "the 20 most needed have {top} of {all} requirements");
    let native = own.iter().filter(|r| r.build.expect.is_some()).count();
    assert!((150..300).contains(&native), "{native} of 2000 are native");
}
