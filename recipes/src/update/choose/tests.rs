use std::collections::BTreeMap;
use std::convert::Infallible;

use expect_test::{Expect, expect};

use super::*;
use crate::book::{Layer, LayerFile, assemble};
use crate::diag::SourceFile;

/// A recipe of one line: `app 1.0: core>=1; built with toy`.
fn recipe(line: &str) -> Arc<Recipe> {
    let (head, rest) = line.split_once(':').unwrap_or((line, ""));
    let (name, version) = head.trim().split_once(' ').unwrap();
    let (mut run, mut build, mut extra, mut check) = (vec![], vec![], vec![], vec![]);
    for part in rest.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once(' ') {
            Some(("build", what)) => build.push(what),
            Some(("extra", what)) => extra.push(what),
            Some(("check", what)) => check.push(what),
            _ => run.push(part),
        }
    }
    let checks = if check.is_empty() { "" } else { "enable = true\nrunner = \"unittest\"\n" };
    let text = format!(
        "pname = \"{name}\"\nversion = \"{version}\"\nbuild-system = {build:?}\ndependencies = {run:?}\n\
         [optional-dependencies]\nmore = {extra:?}\n[source]\npypi = \"{name}\"\nhash = \"\"\n\
         [check]\n{checks}inputs = {check:?}\n"
    );
    let file = Arc::new(SourceFile { path: format!("{name}.toml"), text });
    let files = vec![LayerFile { file, pyproject: None }];
    let (mut book, findings) = assemble(&[Layer { name: "recipes".into(), files }]);
    book.recipes.pop().unwrap_or_else(|| panic!("{line}: {findings:?}"))
}

/// Versions by slot, oldest first: the first is what is there. A version
/// that ends with `!` cannot be had.
struct Shelf(Vec<BTreeMap<Version, String>>);

impl Upstream for Shelf {
    type Error = Infallible;

    fn recipe(&self, slot: usize, version: &Version) -> Result<Result<Arc<Recipe>, String>, Infallible> {
        let line = &self.0[slot][version];
        Ok(match line.strip_suffix('!') {
            Some(_) => Err("cannot be unpacked".to_owned()),
            None => Ok(recipe(line)),
        })
    }
}

/// `*` before a line makes it pinned, `-` not asked for.
fn check(slots: &[&[&str]], (fixed, base, wants): (&[&str], &[&str], &[&str]), expected: Expect) {
    let mut shelf = Shelf(Vec::new());
    let mut all = Vec::new();
    for lines in slots {
        let plain: Vec<&str> = lines.iter().map(|line| line.trim_start_matches(['*', '-'])).collect();
        let version = |line: &&str| -> Version {
            line.trim_end_matches('!').split([' ', ':']).nth(1).unwrap().parse().unwrap()
        };
        let mut options: Vec<Version> = plain[1..].iter().map(version).collect();
        options.reverse();
        shelf.0.push(plain.iter().map(|line| (version(line), (*line).to_owned())).collect());
        let (pinned, asked) = (lines[0].starts_with('*'), !lines[0].starts_with('-'));
        all.push(Slot { recipe: recipe(plain[0]), options, asked, pinned });
    }
    let many = |lines: &[&str]| -> Vec<Arc<Recipe>> { lines.iter().map(|line| recipe(line)).collect() };
    let want =
        |text: &&str| Want { requirement: text.parse().unwrap(), from: "[env.web]".to_owned(), place: None };
    let wants: Vec<Want> = wants.iter().map(want).collect();
    let target = crate::target::tests::linux(12);
    let (fixed, base) = (many(fixed), many(base));
    let scene = Scene {
        slots: &all,
        fixed: &fixed,
        base: &base,
        wants: &wants,
        targets: std::slice::from_ref(&target),
    };
    let mut out = String::new();
    match choose(&scene, &shelf).unwrap() {
        Outcome::Broken(sentences) => out += &format!("broken: {}\n", sentences.join("; ")),
        Outcome::Chosen(choice) => {
            for (slot, pick) in all.iter().zip(&choice.picks) {
                let new = pick.as_ref().map_or("stays".to_owned(), |new| format!("-> {}", new.version));
                out += &format!("{} {} {new}\n", slot.recipe.pname, slot.recipe.version);
            }
            for held in &choice.held {
                let name = &all[held.slot].recipe.pname;
                out += &format!("{name} {} held: {}\n", held.version, held.reasons.join("; "));
            }
        }
    }
    expected.assert_eq(&out);
}

const NONE: (&[&str], &[&str], &[&str]) = (&[], &[], &[]);

#[test]
fn the_newest_is_taken_where_nothing_is_against_it() {
    check(
        &[&["app 1: core>=1", "app 2: core>=2"], &["core 1", "core 2", "core 3"]],
        NONE,
        expect![[r#"
        app 1 -> 2
        core 1 -> 3
    "#]],
    );
}

#[test]
fn what_others_need_holds_back() {
    let core: &[&str] = &["core 1", "core 2", "core 2.5", "core 3"];
    check(
        &[core],
        (&["app 1: core<2.5"], &[], &[]),
        expect![[r#"
        core 1 -> 2
        core 3 held: app 1 needs core<2.5
    "#]],
    );
    check(
        &[core],
        (&["app 1: build core<3"], &[], &[]),
        expect![[r#"
        core 1 -> 2.5
        core 3 held: app 1 is built with core<3
    "#]],
    );
    check(
        &[core],
        (&["app 1: check core<3"], &[], &[]),
        expect![[r#"
        core 1 -> 2.5
        core 3 held: app 1 is tested with core<3
    "#]],
    );
    check(
        &[core],
        (&["app 1: extra core<3"], &[], &[]),
        expect![[r#"
        core 1 -> 2.5
        core 3 held: app 1 with extra `more` needs core<3
    "#]],
    );
    check(
        &[core],
        (&[], &[], &["core!=3"]),
        expect![[r#"
        core 1 -> 2.5
        core 3 held: [env.web] wants core!=3
    "#]],
    );
    // The new version of another, too.
    check(
        &[core, &["app 1", "app 2: core<3"]],
        NONE,
        expect![[r#"
            core 1 -> 2.5
            app 1 -> 2
            core 3 held: app 2 needs core<3
        "#]],
    );
}

#[test]
fn what_needs_more_than_there_is_steps_down() {
    check(
        &[&["app 1: core", "app 2: core>=2", "app 3: core>=3"], &["core 1", "core 2"]],
        NONE,
        expect![[r#"
            app 1 -> 2
            core 1 -> 2
            app 3 held: app 3 needs core>=3 (core is at 2)
        "#]],
    );
    check(
        &[&["app 1: core", "app 2: core>=2", "app 3: core>=3"], &["core 1", "core 2", "core 3"]],
        (&["other 1: core<3"], &[], &[]),
        expect![[r#"
            app 1 -> 2
            core 1 -> 2
            app 3 held: app 3 needs core>=3 (core is at 2)
            core 3 held: other 1 needs core<3
        "#]],
    );
}

#[test]
fn a_pair_goes_together_or_not_at_all() {
    let pair: [&[&str]; 2] = [&["a 1: b==1", "a 2: b==2"], &["b 1: a==1", "b 2: a==2"]];
    check(
        &pair,
        NONE,
        expect![[r#"
        a 1 -> 2
        b 1 -> 2
    "#]],
    );
    check(
        &pair,
        (&["app 1: a<2"], &[], &[]),
        expect![[r#"
        a 1 stays
        b 1 stays
        a 2 held: a 2 needs b==2 (b is at 1); b 1 needs a==1; app 1 needs a<2
        b 2 held: a 1 needs b==1; b 2 needs a==2 (a is at 1)
    "#]],
    );
}

#[test]
fn what_is_needed_comes_along_though_it_was_not_asked_for() {
    let core: &[&str] = &["-core 1", "core 2", "core 3"];
    check(
        &[&["app 1: core", "app 2: core>=2,<3"], core, &["-other 1", "other 2"]],
        NONE,
        expect![[r#"
        app 1 -> 2
        core 1 -> 2
        other 1 stays
    "#]],
    );
    // It is not asked for, and not needed.
    check(
        &[&["app 1: core", "app 2: core"], core],
        NONE,
        expect![[r#"
        app 1 -> 2
        core 1 stays
    "#]],
    );
}

#[test]
fn a_pinned_version_that_breaks_others_is_no_choice() {
    let core: &[&str] = &["*core 1", "core 2"];
    check(
        &[core],
        (&["app 1: core<2", "web 3: core<1.5"], &[], &[]),
        expect![[r#"
        broken: app 1 needs core<2; web 3 needs core<1.5
    "#]],
    );
    check(
        &[core, &["app 1: core<2", "app 2: core>=2"]],
        NONE,
        expect![[r#"
        core 1 -> 2
        app 1 -> 2
    "#]],
    );
    check(
        &[&["*app 1", "app 2: core>=5"], &["-core 1", "core 2"]],
        NONE,
        expect![[r#"
        broken: app 2 needs core>=5 (core is at 1)
    "#]],
    );
    check(
        &[&["*app 1", "app 2!"]],
        NONE,
        expect![[r#"
        broken: app 2 cannot be unpacked
    "#]],
    );
}

#[test]
fn what_was_broken_before_holds_nothing_back() {
    check(
        &[&["core 1", "core 2"]],
        (&["app 1: core>=5"], &[], &[]),
        expect![[r#"
        core 1 -> 2
    "#]],
    );
    // An extra that nobody could use.
    check(
        &[&["app 1: extra core>=5", "app 2: extra core>=6"], &["core 1", "core 2"]],
        NONE,
        expect![[r#"
        app 1 -> 2
        core 1 -> 2
    "#]],
    );
    // One that somebody uses.
    check(
        &[&["app 1", "app 2: extra core>=6"], &["core 1", "core 2"]],
        (&["web 1: app[more]"], &[], &[]),
        expect![[r#"
            app 1 stays
            core 1 -> 2
            app 2 held: app 2 with extra `more` needs core>=6 (core is at 2)
        "#]],
    );
}

#[test]
fn a_version_that_cannot_be_had_is_passed_over() {
    check(
        &[&["app 1", "app 2", "app 3!"]],
        NONE,
        expect![[r#"
        app 1 -> 2
        app 3 held: app 3 cannot be unpacked
    "#]],
    );
    check(
        &[&["app 1", "app 3!"]],
        NONE,
        expect![[r#"
        app 1 stays
        app 3 held: app 3 cannot be unpacked
    "#]],
    );
}

#[test]
fn other_versions_of_a_name_stay_what_they_are_for() {
    check(
        &[&["core 1", "core 1.5", "core 2"], &["core 3", "core 4"]],
        (&["old 1: core<2", "new 1: core>=3"], &[], &[]),
        expect![[r#"
            core 1 -> 1.5
            core 3 -> 4
            core 2 held: old 1 needs core<2
        "#]],
    );
}

#[test]
fn builds_may_have_another_version_beside_the_set_s() {
    check(
        &[&["app 1", "app 2: build tool>=9"], &["tool 1", "tool 2"]],
        NONE,
        expect![[r#"
            app 1 -> 2
            tool 1 -> 2
        "#]],
    );
    check(
        &[&["app 1", "app 2: tool>=9"]],
        (&[], &["tool 1"], &[]),
        expect![[r#"
        app 1 -> 2
    "#]],
    );
    // What the newest build may have beside the set's own says nothing of the older one.
    check(
        &[&["app 1: build tool<2", "app 2: build tool>=9"], &["tool 1", "tool 2"]],
        (&["web 1: app<2"], &[], &[]),
        expect![[r#"
            app 1 stays
            tool 1 stays
            app 2 held: web 1 needs app<2
            tool 2 held: app 1 is built with tool<2
        "#]],
    );
    // What only runs with a version of the base set is no reason to have two.
    check(
        &[&["tool 1", "tool 2"]],
        (&["app 1: tool<2"], &["tool 1"], &[]),
        expect![[r#"
        tool 1 stays
        tool 2 held: app 1 needs tool<2
    "#]],
    );
}

#[test]
fn what_was_held_for_nothing_is_tried_again() {
    // `core` first steps down for `app 3`, which then steps down itself.
    check(
        &[&["app 1", "app 2", "app 3: core<2; gone>=9"], &["core 1", "core 2"], &["gone 1"]],
        NONE,
        expect![[r#"
            app 1 -> 2
            core 1 -> 2
            gone 1 stays
            app 3 held: app 3 needs core<2 (core is at 2); app 3 needs gone>=9 (gone is at 1)
        "#]],
    );
}
