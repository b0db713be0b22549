//! What a user is told.

use super::*;
use expect_test::{Expect, expect};

/// Checks all recipes, as `wheelwright build` of all of them would.
fn check(lines: &str, expected: Expect) {
    let set = set(lines);
    expected.assert_eq(&told(&set.findings(&all(&set), Tests::Goals)));
}

#[test]
fn missing_recipe() {
    check(
        "
        flask 3.1: clik>=8, nowhere
        web 1: clik
        click 8:
        ",
        expect![[r#"
            error[W401] flask-3.1.toml:3:17: no recipe of the set is named `clik`
             3 | dependencies = ["clik>=8", "nowhere"]
               |                 ^^^^^^^^^ for flask 3.1
              note: also wanted at web-1.toml:3
              hint: did you mean `click`?
              hint: wheelwright add 'clik>=8'

            error[W401] flask-3.1.toml:3:28: no recipe of the set is named `nowhere`
             3 | dependencies = ["clik>=8", "nowhere"]
               |                            ^^^^^^^^^ for flask 3.1
              hint: wheelwright add nowhere
              hint: all 2 at once: wheelwright add 'clik>=8' nowhere
        "#]],
    );
}

#[test]
fn the_line_to_type_asks_for_what_all_of_them_can_use() {
    check(
        "
        a 1: urllib3<2
        b 1: urllib3>=1.26&<2
        c 1: jinja2
        ninja 1:
        ",
        expect![[r#"
            error[W401] a-1.toml:3:17: no recipe of the set is named `urllib3`
             3 | dependencies = ["urllib3<2"]
               |                 ^^^^^^^^^^^ for a 1
              note: also wanted at b-1.toml:3
              hint: wheelwright add 'urllib3<2,>=1.26'

            error[W401] c-1.toml:3:17: no recipe of the set is named `jinja2`
             3 | dependencies = ["jinja2"]
               |                 ^^^^^^^^ for c 1
              hint: wheelwright add jinja2
              hint: all 2 at once: wheelwright add 'urllib3<2,>=1.26' jinja2
        "#]],
    );
}

#[test]
fn a_name_missed_by_many_is_one_finding() {
    let lines: String = (0..40).map(|i| format!("p{i:02} 1: lost\n")).collect();
    check(
        &lines,
        expect![[r#"
            error[W401] p00-1.toml:3:17: no recipe of the set is named `lost`
             3 | dependencies = ["lost"]
               |                 ^^^^^^ for p00 1
              note: also wanted at p01-1.toml:3, p02-1.toml:3, p03-1.toml:3, p04-1.toml:3, p05-1.toml:3, 34 more
              hint: wheelwright add lost
        "#]],
    );
}

#[test]
fn unsatisfied_specifier() {
    check(
        "
        a 1: click==8.1.8, click>=9
        b 1: click>=9
        click 8.1.7:
        click 8.0:
        ",
        expect![[r#"
            error[W402] a-1.toml:3:17: no version of `click` in the set satisfies `==8.1.8`
             3 | dependencies = ["click==8.1.8", "click>=9"]
               |                 ^^^^^^^^^^^^^^ for a 1
              note: the set has click 8.1.7, 8.0
              hint: did you mean `click==8.1.7`?
              hint: wheelwright add click==8.1.8

            error[W402] a-1.toml:3:33: no version of `click` in the set satisfies `>=9`
             3 | dependencies = ["click==8.1.8", "click>=9"]
               |                                 ^^^^^^^^^^ for a 1
              note: also wanted at b-1.toml:3
              note: the set has click 8.1.7, 8.0
              hint: wheelwright add 'click>=9'
        "#]],
    );
}

#[test]
fn two_versions_in_one_closure() {
    check(
        "
        web 1.0: flask, old
        flask 3.0: click>=8
        old 1.0: click<8
        click 8.1:
        click 7.0:
        above 1: web
        ",
        expect![[r#"
            error[W403] flask-3.0.toml:3:17: two versions of `click` in one closure: nothing in the set satisfies `click>=8` and `click<8`
             3 | dependencies = ["click>=8"]
               |                 ^^^^^^^^^^ for flask 3.0
              note: web 1.0 wants `flask` (web-1.0.toml:3); flask 3.0 wants `click>=8` (flask-3.0.toml:3)
              note: web 1.0 wants `old` (web-1.0.toml:3); old 1.0 wants `click<8` (old-1.0.toml:3)
              note: the set has click 8.1, 7.0
              hint: add a version of `click` that satisfies all of them, or widen one requirement (`[relax]` edits the wheel's)
        "#]],
    );
}

#[test]
fn a_root_that_its_closure_refuses() {
    let set = set("
        a 2: b
        a 1:
        b 1: a<2
    ");
    let told = line(&set, set.run_closure(set.select("a==2").unwrap(), &[]));
    expect![[r#"
        error[W403] b-1.toml:3:17: `a 2` itself is asked for, but its closure wants `a<2`
         3 | dependencies = ["a<2"]
           |                 ^^^^^ for b 1
          note: a 2 wants `b` (a-2.toml:3); b 1 wants `a<2` (b-1.toml:3)
          note: the set has a 2, 1
          hint: add a version of `a` that satisfies all of them, or widen one requirement (`[relax]` edits the wheel's)
    "#]].assert_eq(&told);
    let both = set.close(&[set.select("a==2").unwrap(), set.select("a==1").unwrap()], &[]);
    expect![[r#"
        error[W403]: `a 2` and `a 1` are asked for in one closure
          hint: ask for one of them

        error[W403] b-1.toml:3:17: `a 2` itself is asked for, but its closure wants `a<2`
         3 | dependencies = ["a<2"]
           |                 ^^^^^ for b 1
          note: a 2 wants `b` (a-2.toml:3); b 1 wants `a<2` (b-1.toml:3)
          note: the set has a 2, 1
          hint: add a version of `a` that satisfies all of them, or widen one requirement (`[relax]` edits the wheel's)
    "#]].assert_eq(&line(&set, both));
}

#[test]
fn build_cycle() {
    check(
        "
        flit-core 4.0: | build: flit-core>=3
        flit-core 3.12:
        hatchling 1: pluggy | build: flit-core
        pluggy 1: | build: setuptools-scm
        setuptools-scm 8: setuptools | build: hatchling
        setuptools 80:
        user 1: | build: hatchling
        ",
        expect![[r#"
            error[W404] flit-core-4.0.toml:3:17: building `flit-core 4.0` needs `flit-core 4.0` itself
             3 | build-system = ["flit-core>=3"]
               |                 ^^^^^^^^^^^^^^
              note: flit-core 4.0 is built with `flit-core>=3` (flit-core-4.0.toml:3)
              hint: flit-core 3.12 is in the set too: bound the requirement, say `flit-core!=4.0`
              hint: build one of them without that requirement (an in-tree backend), or take it prebuilt: `format = "wheel"`

            error[W404] pluggy-1.toml:3:17: building `pluggy 1` needs `pluggy 1` itself
             3 | build-system = ["setuptools-scm"]
               |                 ^^^^^^^^^^^^^^^^
              note: pluggy 1 is built with `setuptools-scm` (pluggy-1.toml:3)
              note: setuptools-scm 8 is built with `hatchling` (setuptools-scm-8.toml:3)
              note: hatchling 1 wants `pluggy` (hatchling-1.toml:4)
              hint: build one of them without that requirement (an in-tree backend), or take it prebuilt: `format = "wheel"`
        "#]],
    );
}

#[test]
fn application_as_a_dependency() {
    check(
        "
        web 1: | app
        plugin 1: web>=1
        other 2: web
        ",
        expect![[r#"
            error[W405] other-2.toml:3:17: `web` is an application; others cannot depend on it
             3 | dependencies = ["web"]
               |                 ^^^^^ for other 2
              note: also wanted at plugin-1.toml:3
              note: web 1 says so at web-1.toml:1
              hint: if others may import it, say `kind = "package"` there; its executables stay
        "#]],
    );
}

#[test]
fn disabled_recipe() {
    check(
        "
        a 1: numpy>=2
        numpy 2.1: | python: >=3.13
        numpy 2.0: | python: >=3.13.1
        numpy 1: | python: >=3.9
        ",
        expect![[r#"
            error[W406] a-1.toml:3:17: `numpy 2.1` is disabled: it is for Python >=3.13, this is CPython 3.12.4 on linux x86_64
             3 | dependencies = ["numpy>=2"]
               |                 ^^^^^^^^^^ for a 1
              note: numpy 2.0 is disabled: it is for Python >=3.13.1, this is CPython 3.12.4 on linux x86_64
              hint: add a version of `numpy` for this target, or give the requirement a marker

            error[W406] numpy-2.0.toml:3:19: `numpy 2.0` is disabled: it is for Python >=3.13.1, this is CPython 3.12.4 on linux x86_64
             3 | requires-python = ">=3.13.1"
               |                   ^^^^^^^^^^
              hint: build with another interpreter: --python

            error[W406] numpy-2.1.toml:3:19: `numpy 2.1` is disabled: it is for Python >=3.13, this is CPython 3.12.4 on linux x86_64
             3 | requires-python = ">=3.13"
               |                   ^^^^^^^^
              hint: build with another interpreter: --python
        "#]],
    );
}

#[test]
fn requirement_by_address() {
    // Recipes with one are refused when they are read; this is for the rest.
    let set = set("flask 1:");
    expect![[r#"
        error[W407]: the requirement on `flask` is an address
          note: the command line wants `flask`
          hint: write `flask` here; a recipe for it says where its bytes come from
    "#]]
    .assert_eq(&closed(&set, &["flask @ https://user:secret@example.invalid/flask.tar.gz"]));
}

#[test]
fn unknown_extra() {
    check(
        "
        a 1: flask[asink], flask[async]
        b 1: | check: asgiref[x], b[me], b[mee] | extra me: asgiref
        flask 1: | extra async: asgiref
        pytest 8:
        asgiref 1:
        ",
        expect![[r#"
            warning[W408] a-1.toml:3:17: `flask 1` has no extra `asink`
             3 | dependencies = ["flask[asink]", "flask[async]"]
               |                 ^^^^^^^^^^^^^^ for a 1
              hint: its extras are async

            warning[W408] b-1.toml:6:11: `asgiref 1` has no extra `x`
             6 | inputs = ["asgiref[x]", "b[me]", "b[mee]"]
               |           ^^^^^^^^^^^^ for the tests of b 1
              hint: its recipe has no [optional-dependencies]

            warning[W408] b-1.toml:6:34: `b 1` has no extra `mee`
             6 | inputs = ["asgiref[x]", "b[me]", "b[mee]"]
               |                                  ^^^^^^^^ for the tests of b 1
              hint: did you mean `me`?
              hint: its extras are me
        "#]],
    );
}

#[test]
fn everything_at_once_in_the_order_of_the_files() {
    check(
        "
        a 1: missing | build: gone
        b 1: c>2, app
        c 1: | build: d
        d 1: | build: c
        app 1: | app
        ",
        expect![[r#"
            error[W401] a-1.toml:3:17: no recipe of the set is named `gone`
             3 | build-system = ["gone"]
               |                 ^^^^^^ for a 1
              hint: wheelwright add gone

            error[W401] a-1.toml:4:17: no recipe of the set is named `missing`
             4 | dependencies = ["missing"]
               |                 ^^^^^^^^^ for a 1
              hint: wheelwright add missing
              hint: all 2 at once: wheelwright add gone missing

            error[W402] b-1.toml:3:17: no version of `c` in the set satisfies `>2`
             3 | dependencies = ["c>2", "app"]
               |                 ^^^^^ for b 1
              note: the set has c 1
              hint: wheelwright add 'c>2'

            error[W405] b-1.toml:3:24: `app` is an application; others cannot depend on it
             3 | dependencies = ["c>2", "app"]
               |                        ^^^^^ for b 1
              note: app 1 says so at app-1.toml:1
              hint: if others may import it, say `kind = "package"` there; its executables stay

            error[W404] c-1.toml:3:17: building `c 1` needs `c 1` itself
             3 | build-system = ["d"]
               |                 ^^^
              note: c 1 is built with `d` (c-1.toml:3)
              note: d 1 is built with `c` (d-1.toml:3)
              hint: build one of them without that requirement (an in-tree backend), or take it prebuilt: `format = "wheel"`
        "#]],
    );
}

#[test]
fn wants_from_outside_say_who_wants() {
    let set = set("
        a 1: c<2
        b 1: c>=2
        c 2:
        c 1:
    ");
    expect![[r#"
        error[W403] a-1.toml:3:17: two versions of `c` in one closure: nothing in the set satisfies `c<2` and `c>=2`
         3 | dependencies = ["c<2"]
           |                 ^^^^^ for a 1
          note: the command line wants `a`; a 1 wants `c<2` (a-1.toml:3)
          note: the command line wants `b`; b 1 wants `c>=2` (b-1.toml:3)
          note: the set has c 2, 1
          hint: add a version of `c` that satisfies all of them, or widen one requirement (`[relax]` edits the wheel's)
    "#]].assert_eq(&closed(&set, &["a", "b"]));
    expect![[r#"
        error[W401]: no recipe of the set is named `d`
          note: the command line wants `d`
          hint: wheelwright add d
    "#]]
    .assert_eq(&closed(&set, &["d"]));
}

#[test]
fn a_spec_that_means_nothing() {
    let set = set("
        flask 3.1.3:
        flask 3.0:
        numpy 2: | python: >=3.13
    ");
    let told = |spec: &str| set.select(spec).unwrap_err().render();
    assert_eq!(set.label(set.select("Flask<3.1").unwrap()), "flask 3.0");
    expect![[r#"
        error[W401]: no recipe of the set is named `flsk`
          hint: did you mean `flask`?
          hint: wheelwright add flsk

        error[W402]: no version of `flask` in the set satisfies `==3.1.2`
          note: the set has flask 3.1.3, 3.0
          hint: did you mean `flask==3.1.3`?
          hint: wheelwright add flask==3.1.2

        error[W402]: no version of `flask` in the set satisfies `>4`
          note: the set has flask 3.1.3, 3.0
          hint: wheelwright add 'flask>4'

        error[W406] numpy-2.toml:1:9: `numpy 2` is disabled: it is for Python >=3.13, this is CPython 3.12.4 on linux x86_64
         1 | pname = "numpy"
           |         ^^^^^^^

        error[W203]: `a b` is no package name: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `b`
          hint: write NAME or NAME==VERSION

        error[W407]: `x` is wanted by an address
          hint: write `x`; a recipe for it says where its bytes come from
    "#]].assert_eq(
        &["flsk", "flask==3.1.2", "flask>4", "numpy", "a b", "x @ https://u:p@h/"].map(told).join("\n"),
    );
}

#[test]
fn the_tree_of_propagated_inputs() {
    let set = set("
        web 1: flask[async], click, lost, jinja2>9
        flask 3: click>=8, jinja2 | extra async: asgiref
        click 8:
        jinja2 3: markupsafe
        markupsafe 3: flask
        asgiref 3:
    ");
    expect![[r#"
        web 1
        ├── flask 3 (flask[async])
        │   ├── click 8 (click>=8)
        │   ├── ! jinja2
        │   └── asgiref 3 (asgiref)
        ├── click 8 (click) (*)
        ├── ! lost
        └── ! jinja2>9
    "#]]
    .assert_eq(&tree(&set, set.select("web").unwrap(), &[]));
}

#[test]
fn who_forced_what() {
    let set = set("
        web 1: flask, click<9
        flask 3: click>=8, jinja2
        click 10: | python: >=4
        click 9:
        click 8:
        jinja2 4.0b1:
        jinja2 3: | build: flit-core
        flit-core 4:
    ");
    let closure = set.run_closure(set.select("web").unwrap(), &[]).unwrap();
    expect![[r#"
        click 8
          flask 3 wants `click>=8` (flask-3.toml:3)
          web 1 wants `click<9` (web-1.toml:3)
          not 10: disabled: it is for Python >=4, this is CPython 3.12.4 on linux x86_64
          not 9: web 1 wants `click<9` (web-1.toml:3)
        flask 3
          web 1 wants `flask` (web-1.toml:3)
        jinja2 3
          flask 3 wants `jinja2` (flask-3.toml:3)
          not 4.0b1: a pre-release nobody names
        web 1
          asked for
    "#]]
    .assert_eq(&explain(&set, &closure));
    let build = set.build_closure(set.select("jinja2").unwrap()).unwrap();
    expect![[r#"
        flit-core 4
          jinja2 3 is built with `flit-core` (jinja2-3.toml:3)
    "#]]
    .assert_eq(&explain(&set, &build));
}

#[test]
fn one_conflict_met_along_two_ways_is_one_finding() {
    check(
        "
        x 1: a, b
        y 1: b, a
        a 1: c>=2
        b 1: c<2
        c 2:
        c 1:
        ",
        expect![[r#"
            error[W403] a-1.toml:3:17: two versions of `c` in one closure: nothing in the set satisfies `c>=2` and `c<2`
             3 | dependencies = ["c>=2"]
               |                 ^^^^^^ for a 1
              note: x 1 wants `a` (x-1.toml:3); a 1 wants `c>=2` (a-1.toml:3)
              note: x 1 wants `b` (x-1.toml:3); b 1 wants `c<2` (b-1.toml:3)
              note: the set has c 2, 1
              hint: add a version of `c` that satisfies all of them, or widen one requirement (`[relax]` edits the wheel's)
        "#]],
    );
}

#[test]
fn what_extras_bring_in_is_looked_at_too() {
    let set = set("
        e 1: | extra x: p
        p 1: | build: q
        q 1: | build: p
    ");
    let e = set.select("e").unwrap();
    assert_eq!(told(&set.findings(&[e.into()], Tests::Goals)), "");
    let with = Member { id: e, extras: vec!["x".parse().unwrap()] };
    expect![[r#"
        error[W404] p-1.toml:3:17: building `p 1` needs `p 1` itself
         3 | build-system = ["q"]
           |                 ^^^
          note: p 1 is built with `q` (p-1.toml:3)
          note: q 1 is built with `p` (q-1.toml:3)
          hint: build one of them without that requirement (an in-tree backend), or take it prebuilt: `format = "wheel"`
    "#]].assert_eq(&told(&set.findings(std::slice::from_ref(&with), Tests::None)));
    let touched = set.examined(&[with], Tests::None).0;
    assert_eq!(touched.len(), 3);
}

#[test]
fn tests_are_looked_at_only_where_they_are_run() {
    let set = set("
        a 1: b
        b 1: | check: lost
        c 1: | check: lost
        pytest 8:
    ");
    let of = |name: &str, tests: Tests| {
        let goal = [Member::from(set.select(name).unwrap())];
        (set.findings(&goal, tests).len(), set.examined(&goal, tests).0.len())
    };
    // With its tests `c` needs pytest too; `lost` is nowhere.
    assert_eq!([of("c", Tests::None), of("c", Tests::Goals)], [(0, 1), (1, 2)]);
    assert_eq!([of("a", Tests::Goals), of("a", Tests::Dependencies)], [(0, 2), (1, 3)]);
}
