//! How far recipes may be brought forward.

use super::*;
use crate::name::Version;
use crate::solve::Candidate;

/// What a recipe stands at among these versions; `!` marks a yanked one, `?`
/// one for other interpreters.
fn standing_of(set: &PackageSet, spec: &str, offered: &str) -> String {
    let id = set.select(spec).unwrap();
    let candidates: Vec<Candidate> = offered
        .split_whitespace()
        .map(|text| {
            let mut one = Candidate::new(text.trim_end_matches(['!', '?']).parse().unwrap());
            one.yanked = text.ends_with('!');
            one.requires_python = text.ends_with('?').then(|| ">=3.13".parse().unwrap());
            one
        })
        .collect();
    let demands = set.demands().remove(&id).unwrap_or_default();
    let found = standing(set.target(), &set.get(id).version, &demands, &candidates);
    let said = |version: Option<Version>| version.map_or_else(|| "none".to_owned(), |v| v.to_string());
    let held: String = found.held.iter().map(|text| format!("; {}", text.replace('`', ""))).collect();
    format!("{} of {}{held}", said(found.allowed), said(found.newest))
}

#[test]
fn what_the_set_requires_holds_a_recipe_back() {
    let set = set("
        app 1: lib<3
        other 1: | build: lib!=2.5 | extra more: lib<9
        old 1: lib<2 | python: <3
        lib 2:
        tested 1: | check: lib>=1
    ");
    expect_test::expect!["2.4 of 3.1; app 1 wants lib<3 (app-1.toml:3)"].assert_eq(&standing_of(
        &set,
        "lib",
        "1.0 2.0 2.4 2.5 3.0 3.1",
    ));
    let demands = set.demands();
    let of_lib = &demands[&set.select("lib").unwrap()];
    let said: Vec<String> = of_lib.iter().map(|d| d.requirement.to_string()).collect();
    // Not those of what is not for this interpreter.
    assert_eq!(said, ["lib<3", "lib!=2.5", "lib<9", "lib>=1"]);
    assert_eq!(standing_of(&set, "app", "1 2"), "2 of 2");
    assert_eq!(standing_of(&set, "app", ""), "none of none");
}

#[test]
fn of_several_versions_each_answers_to_those_that_mean_it() {
    let set = set("
        a 1: lib<2
        b 1: lib>=2
        c 1: lib
        lib 1.0:
        lib 2.0:
        d 1: late>=3
        late 2:
    ");
    assert!(standing_of(&set, "lib<2", "1.0 1.5 2.0 2.5").starts_with("1.5 of 2.5; a 1 wants lib<2"));
    assert_eq!(standing_of(&set, "lib", "1.0 1.5 2.0 2.5"), "2.5 of 2.5");
    // What nothing meets is required of all there is.
    assert!(standing_of(&set, "late", "2.0 2.1").starts_with("none of 2.1; d 1 wants late>=3"));
}

#[test]
fn what_nobody_would_choose_is_not_newer() {
    let set = set("
        a 1:
        b 1: named>=2rc1
        named 2:
        pre 3rc1:
    ");
    assert_eq!(standing_of(&set, "a", "1 2! 3? 4rc1 5.dev1"), "1 of 1");
    assert_eq!(standing_of(&set, "a", "4rc1 5.dev1"), "5.dev1 of 5.dev1");
    assert_eq!(standing_of(&set, "named", "2 3rc1"), "3rc1 of 3rc1");
    assert_eq!(standing_of(&set, "pre", "3rc1 3rc2"), "3rc2 of 3rc2");
}
