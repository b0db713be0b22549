//! Which version of what is in a closure.

use super::*;

#[test]
fn the_highest_version_that_fits_the_whole_closure_is_taken() {
    let set = set("
        web 1.0: flask, click<8.2
        flask 3.1: click>=8, jinja2
        flask 2.0: click>=7
        click 8.2:
        click 8.1:
        click 7.0:
        jinja2 3.0:
    ");
    let web = set.select("web").unwrap();
    assert_eq!(line(&set, set.run_closure(web, &[])), "click 8.1, flask 3.1, jinja2 3.0, web 1.0");
    assert_eq!(closed(&set, &["click"]), "click 8.2");
    assert_eq!(closed(&set, &["flask<3", "click!=8.2"]), "click 8.1, flask 2.0");
    assert_eq!(closed(&set, &["Flask==3.*"]), "click 8.2, flask 3.1, jinja2 3.0");
}

#[test]
fn a_version_that_is_not_kept_leaves_nothing_behind() {
    // `b 2` is met first and wants a name nobody has; `c` then rules it out.
    let set = set("
        a 1: b, c
        b 2: nowhere, d<2
        b 1:
        c 1: b<2, d
        d 2:
        d 1:
    ");
    assert_eq!(closed(&set, &["a"]), "a 1, b 1, c 1, d 2");
}

#[test]
fn where_greed_fails_the_search_finds_the_older_version() {
    // The highest `a` wants a `c` that the highest `b` refuses; three versions
    // of `b` all do, so an older `a` is the answer.
    let set = set("
        app 1: a, b
        a 3: c>=3
        a 2: c>=2&<3
        a 1: c
        b 3: c<2
        b 2: c<2
        b 1: c<2
        c 3:
        c 2:
        c 1:
    ");
    assert_eq!(closed(&set, &["app"]), "a 1, app 1, b 3, c 1");
}

#[test]
fn the_search_jumps_back_over_what_has_no_part_in_the_conflict() {
    let mut lines = String::from("app 1: top, x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, low\n");
    for i in 0..10 {
        for version in 1..8 {
            lines += &format!("x{i} {version}:\n");
        }
    }
    lines += "top 2: shared>=2\ntop 1: shared\nlow 1: shared<2\nshared 2:\nshared 1:\n";
    let set = set(&lines);
    let found = closed(&set, &["app"]);
    assert!(found.contains("shared 1, top 1, x0 7, x1 7"), "{found}");
}

#[test]
fn choices_that_chase_each_other_end_in_the_search() {
    // The highest `a` forbids the highest `b` and the other way round.
    let set = set("
        a 2: b<2
        a 1: b
        b 2: a<2
        b 1: a
    ");
    assert_eq!(closed(&set, &["a", "b"]), "a 2, b 1");
}

#[test]
fn a_pre_release_is_taken_only_as_pep_440_says() {
    let set = set("
        a 2.0rc1:
        a 1.0:
        only 1.0.dev3:
        user 1: a
        tester 1: a>=2.0rc1
        avoids 1: a!=2.0rc1&>0
        needs2 1: a>=1.5
    ");
    assert_eq!(closed(&set, &["user"]), "a 1.0, user 1");
    assert_eq!(closed(&set, &["a>=1"]), "a 1.0");
    assert_eq!(closed(&set, &["avoids"]), "a 1.0, avoids 1");
    // A specifier names one, whoever else wants any.
    assert_eq!(closed(&set, &["user", "tester"]), "a 2.0rc1, tester 1, user 1");
    // No final release satisfies.
    assert_eq!(closed(&set, &["needs2"]), "a 2.0rc1, needs2 1");
    assert_eq!(closed(&set, &["only"]), "only 1.0.dev3");
    let version = |spec: &str| set.get(set.select(spec).unwrap()).version.to_string();
    assert_eq!(version("a"), "1.0");
    assert_eq!(version("a>1.0"), "2.0rc1");
    assert_eq!(version("only"), "1.0.dev3");
}

#[test]
fn a_local_version_counts_as_the_public_one() {
    let set = set("
        torch 2.0+cpu:
        torch 1.0:
        a 1: torch==2.0
        b 1: torch==2.0+gpu
    ");
    assert_eq!(closed(&set, &["a"]), "a 1, torch 2.0+cpu");
    assert!(closed(&set, &["b"]).contains("W402"));
}

#[test]
fn markers_are_those_of_the_target() {
    let text = short("
        a 1: tomli; python_version < '3.11', old; python_full_version < '3.9.1', winapi; sys_platform == 'win32'
        tomli 2:
    ");
    let on = |minor| {
        let set = PackageSet::new(recipes(&text), linux(minor));
        line(&set, set.run_closure(set.select("a").unwrap(), &[]))
    };
    assert_eq!(on(12), "a 1");
    assert_eq!(on(10), "a 1, tomli 2");
}

#[test]
fn extras_are_followed_through_members_and_themselves() {
    let set = set("
        web 1: flask[Async]
        flask 3: click, dotenv; extra == 'dotenv', plain; extra != 'dotenv' | extra async: asgiref
        click 8:
        asgiref 3: typing
        typing 1:
        dotenv 1:
        plain 1:
        pkg 1: | extra all: pkg[x]
    ");
    assert_eq!(closed(&set, &["web"]), "asgiref 3, click 8, flask[async] 3, plain 1, typing 1, web 1");
    assert_eq!(closed(&set, &["flask"]), "click 8, flask 3, plain 1");
    assert_eq!(closed(&set, &["flask[dotenv]"]), "click 8, dotenv 1, flask[dotenv] 3, plain 1");
    let flask = set.select("flask").unwrap();
    let extras = ["async".parse().unwrap(), "dotenv".parse().unwrap()];
    assert_eq!(
        line(&set, set.run_closure(flask, &extras)),
        "asgiref 3, click 8, dotenv 1, flask[async,dotenv] 3, plain 1, typing 1"
    );
}

#[test]
fn an_extra_may_name_other_extras_of_its_own_package() {
    let text = "
//- pkg.toml
pname = 'pkg'
version = '1'
kind = 'application'
source.path = '.'
[optional-dependencies]
all = ['pkg[x]', \"pkg[y]; extra == 'all'\"]
x = ['dx']
y = ['dy']
//- dx.toml
pname = 'dx'
version = '1'
source.path = '.'
//- dy.toml
pname = 'dy'
version = '1'
source.path = '.'
";
    let set = PackageSet::new(recipes(text), linux(12));
    // An application may name itself, though nobody else may.
    let pkg = set.select("pkg").unwrap();
    let closure = set.run_closure(pkg, &["all".parse().unwrap()]);
    assert_eq!(line(&set, closure), "dx 1, dy 1, pkg[all,x,y] 1");
}

#[test]
fn run_time_cycles_are_closures_like_others() {
    let set = set("
        a 1: b | build: backend
        b 1: c | build: backend
        c 1: a | build: backend
        backend 1:
    ");
    for name in ["a", "b", "c"] {
        assert_eq!(closed(&set, &[name]), "a 1, b 1, c 1");
    }
    assert_eq!(told(&set.findings(&all(&set), Tests::Goals)), "");
}

#[test]
fn each_purpose_has_its_closure() {
    let set = set("
        lib 1: dep | build: hatchling, hatch-vcs | check: mock
        dep 1:
        hatchling 1: pluggy, packaging | build:
        hatch-vcs 1: hatchling, setuptools-scm
        setuptools-scm 8: packaging
        pluggy 1:
        packaging 24:
        mock 5:
        pytest 8: pluggy, iniconfig
        iniconfig 2:
    ");
    let lib = set.select("lib").unwrap();
    assert_eq!(
        line(&set, set.build_closure(lib)),
        "hatch-vcs 1, hatchling 1, packaging 24, pluggy 1, setuptools-scm 8"
    );
    assert_eq!(line(&set, set.run_closure(lib, &[])), "dep 1, lib 1");
    assert_eq!(line(&set, set.check_closure(lib)), "dep 1, iniconfig 2, lib 1, mock 5, pluggy 1, pytest 8");
    let dep = set.select("dep").unwrap();
    assert_eq!(line(&set, set.build_closure(dep)), "");
    assert_eq!(line(&set, set.check_closure(dep)), "dep 1");
    assert_eq!(line(&set, set.close(&[lib, dep], &wants(&["mock>=1"]))), "dep 1, lib 1, mock 5");
}

#[test]
fn two_closures_may_hold_two_versions() {
    let set = set("
        new 1: | build: flit-core>=4
        old 1: | build: flit-core<4
        flit-core 4.0:
        flit-core 3.12:
    ");
    let build = |name: &str| line(&set, set.build_closure(set.select(name).unwrap()));
    assert_eq!((build("new"), build("old")), ("flit-core 4.0".into(), "flit-core 3.12".into()));
    assert_eq!(told(&set.findings(&all(&set), Tests::Goals)), "");
}

#[test]
fn a_disabled_version_is_no_candidate() {
    let set = set("
        a 1: numpy
        numpy 2: | python: >=3.13
        numpy 1: | python: >=3.9
    ");
    assert_eq!(closed(&set, &["a"]), "a 1, numpy 1");
    assert_eq!(set.get(set.select("numpy").unwrap()).version.to_string(), "1");
    let reason = set.disabled(set.versions(&"numpy".parse().unwrap())[0]);
    assert_eq!(reason.unwrap(), "it is for Python >=3.13, this is CPython 3.12.4 on linux x86_64");
}

#[test]
fn of_several_sources_the_one_for_the_target_counts() {
    let text = "
//- ninja.toml
pname = 'ninja'
version = '1'
format = 'wheel'
build-system = ['never']
[[source]]
url = 'https://example.invalid/ninja-1-py3-none-manylinux2014_x86_64.whl#frag'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
when = \"sys_platform == 'linux' and platform_machine == 'x86_64'\"
[[source]]
url = 'https://example.invalid/ninja-1-py3-none-macosx_11_0_universal2.whl'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
when = \"sys_platform == 'darwin'\"
//- mac.toml
pname = 'mac'
version = '1'
[[source]]
url = 'https://example.invalid/m.tar.gz'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
when = \"sys_platform == 'darwin'\"
//- both.toml
pname = 'both'
version = '1'
[[source]]
url = 'https://example.invalid/a.tar.gz'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
when = \"sys_platform == 'linux'\"
[[source]]
url = 'https://example.invalid/b.tar.gz'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
when = \"os_name == 'posix'\"
//- else.toml
pname = 'else'
version = '1'
[[source]]
url = 'https://example.invalid/a.tar.gz'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
when = \"sys_platform == 'linux'\"
[[source]]
url = 'https://example.invalid/b.tar.gz'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
//- other.toml
pname = 'other'
version = '1'
[[source]]
url = 'https://example.invalid/a.tar.gz'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
when = \"sys_platform == 'darwin'\"
[[source]]
url = 'https://example.invalid/b.tar.gz'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
//- wrong.toml
pname = 'wrong'
version = '1'
format = 'wheel'
[source]
url = 'https://example.invalid/wrong-1-cp311-cp311-linux_x86_64.whl'
hash = 'sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA='
";
    let set = PackageSet::new(recipes(text), linux(12));
    let ids: Vec<_> = set.ids().collect();
    let address = |id: RecipeId| {
        let Origin::Url { urls, .. } = &set.source_for(id).unwrap().origin else { panic!() };
        urls[0].rsplit('/').next().unwrap().to_owned()
    };
    assert!(address(ids[0]).contains("manylinux"));
    // A source without `when` is for where no other is.
    assert_eq!([address(ids[3]), address(ids[4])], ["a.tar.gz", "b.tar.gz"]);
    assert_eq!(line(&set, set.build_closure(ids[0])), "", "a prebuilt wheel is not built");
    let reasons: Vec<String> =
        ids.iter().map(|id| set.disabled(*id).unwrap_or("enabled".to_owned())).collect();
    expect_test::expect![[r#"
        enabled
        its source is not for CPython 3.12.4 on linux x86_64
        both its sources at both.toml:3 and both.toml:7 are for CPython 3.12.4 on linux x86_64
        enabled
        enabled
        its wheel `wrong-1-cp311-cp311-linux_x86_64.whl` does not fit CPython 3.12.4 on linux x86_64"#]]
    .assert_eq(&reasons.join("\n"));
}

#[test]
fn a_name_with_more_versions_than_a_word_has_bits() {
    let versions: String = (0..130).map(|v| format!("many {v}:\n")).collect();
    let set = set(&versions);
    assert_eq!(closed(&set, &["many"]), "many 129");
    assert_eq!(closed(&set, &["many<66"]), "many 65");
    assert_eq!(closed(&set, &["many<=64", "many!=64"]), "many 63");
    assert_eq!(closed(&set, &["many==0"]), "many 0");
}

#[test]
fn dependents_are_all_that_may_notice() {
    let set = set("
        backend 1:
        a 1: | build: backend
        b 1: a
        c 1: | check: b
        pytest 8:
        d 1: c
        other 1:
    ");
    let of = |name: &str| {
        let found = set.dependents(&[set.select(name).unwrap()]);
        found.iter().map(|id| set.label(*id)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(of("backend"), "a 1, b 1, c 1, d 1");
    assert_eq!(of("d"), "");
    assert_eq!(of("pytest"), "c 1, d 1");
}

#[test]
fn an_older_version_is_taken_for_versions_that_do_not_fit_but_not_for_missing_recipes() {
    let set = set("
        a 2: c>=9
        a 1: c
        b 2: nobody
        b 1: c
        c 1:
    ");
    assert_eq!(closed(&set, &["a"]), "a 1, c 1");
    assert!(closed(&set, &["b"]).contains("no recipe of the set is named `nobody`"));
    // Asked for by itself it is an error all the same.
    let newest = set.select("a==2").unwrap();
    assert!(line(&set, set.run_closure(newest, &[])).contains("W402"));
}

#[test]
fn of_two_recipes_with_one_version_the_later_counts() {
    let mut twice = recipes(&short("a 1: b\nb 1:\n"));
    twice.extend(recipes(&short("a 1:\n")));
    let set = PackageSet::new(twice, linux(12));
    assert_eq!(closed(&set, &["a"]), "a 1");
    assert_eq!(set.versions(&"a".parse().unwrap()), [RecipeId(2), RecipeId(0)]);
}

#[test]
fn a_set_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let set = set("a 1:");
    shared(&set);
    assert_eq!(set.ids().count(), 1);
}

#[test]
fn equal_wants_are_closed_once() {
    let set = set("
        a 1: | build: hatchling>=1, wheel
        b 1: | build: wheel, hatchling>=1
        c 1: | build: hatchling, wheel>0
        hatchling 1: pluggy
        pluggy 1:
        wheel 1:
    ");
    for name in ["a", "b", "c"] {
        let closure = set.build_closure(set.select(name).unwrap());
        assert_eq!(line(&set, closure), "hatchling 1, pluggy 1, wheel 1");
    }
    assert_eq!(lock(&set.memo).len(), 1);
}

#[test]
fn what_was_made_ready_on_many_threads_is_what_is_told_later() {
    let lines = "
        a 1: b, c[x] | build: hatchling>=1, wheel
        b 1: c
        c 1: | extra x: d
        c 2: | extra x: d
        d 1: nothing
        hatchling 1: pluggy
        pluggy 1:
        wheel 1:
    ";
    let (fresh, ready) = (set(lines), set(lines));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| all(&ready).iter().for_each(|goal| ready.make_ready(goal, Tests::Goals)));
        }
    });
    for id in fresh.ids() {
        assert_eq!(line(&ready, ready.build_closure(id)), line(&fresh, fresh.build_closure(id)));
        assert_eq!(line(&ready, ready.run_closure(id, &[])), line(&fresh, fresh.run_closure(id, &[])));
        assert_eq!(line(&ready, ready.check_closure(id)), line(&fresh, fresh.check_closure(id)));
        let members = ready.run_members(id, &[]).map(|members| members.to_vec());
        assert_eq!(members.ok(), fresh.run_closure(id, &[]).map(|closure| closure.members).ok());
    }
    let told_of = |set: &PackageSet| told(&set.findings(&all(set), Tests::Dependencies));
    assert!(told_of(&ready).contains("nothing"), "{}", told_of(&ready));
    assert_eq!(told_of(&ready), told_of(&fresh));
}
