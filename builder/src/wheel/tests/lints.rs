//! What is wrong with a wheel, by itself and in a closure.

use expect_test::expect;
use recipes::recipe::Expect;

use super::*;

fn lint_of(toy: &Toy, expect: Option<Expect>) -> String {
    let (name, version) = ("demo".parse().unwrap(), "1.0".parse().unwrap());
    let spec = LintSpec { name: &name, version: &version, expect, build_paths: &["/cell/env".to_owned()] };
    text(&lint(&toy.wheel(), &spec).unwrap())
}

#[test]
fn a_good_wheel_has_no_finding() {
    let toy = toy("demo", "1.0", &[("demo/__init__.py", ""), ("demo_mod.py", "")]);
    assert_eq!(lint_of(&toy, Some(Expect::Pure)), "");
}

#[test]
fn a_wheel_has_one_name_and_one_version() {
    let toy = toy("demo", "1.0", &[("demo/__init__.py", "")]).headers("Name: other\nversion: 2.0\n");
    expect![[r#"
        error[L004]: METADATA has several `Name` headers, and may have one
        error[L004]: METADATA has several `Version` headers, and may have one
    "#]]
    .assert_eq(&lint_of(&toy, None));
}

#[test]
fn lint_tells_everything_at_once() {
    let bad = toy(
        "demo",
        "1.1",
        &[
            ("demo/config.py", "PREFIX = '/cell/env/lib'\n"),
            ("demo/a.py", "F = '/build/src/demo/a.c'\n"),
            ("demo/b.py", "F = '/build/x.js'\n"),
            ("docs/conf.py", ""),
            ("LICENSE", ""),
            ("demo-1.1.dist-info/entry_points.txt", "[console_scripts]\nx = 1\na/b = m:f\n"),
            ("demo-1.1.data/scripts/run", "#!/cell/env/bin/python3\n"),
            ("demo-1.1.data/data/pyvenv.cfg", "home = /\n"),
            ("demo-1.1.data/data/bin/python3", ""),
            ("demo-1.1.data/data/lib/python3.11/site-packages/x.py", ""),
        ],
    )
    .headers("License-File: COPYING\n")
    .tag("cp311-cp311-linux_x86_64");
    expect![[r#"
        error[L007]: entry_points.txt: `x` in `[console_scripts]`: `1` is not `module:object`
        error[L202]: the recipe expects a compiled extension, but the wheel has none
          hint: a compiler or header was missing and the build left the optional extension out: see its log
        error[L204]: METADATA has the version `1.1`, the recipe `1.0`
          hint: the version the build made usually comes from pyproject.toml, setup.py or the VCS
        error[L205]: `demo-1.1.data/scripts/run` has the build path `/cell/env/bin/python3` in it
          hint: nothing is there when the wheel is used; patch the path out of the file or its maker
        error[L205]: `demo/config.py` has the build path `/cell/env/lib` in it
          hint: nothing is there when the wheel is used; patch the path out of the file or its maker
        error[L206]: entry point: the script name "a/b" is not a plain file name
        error[L208]: `demo-1.1.data/data/bin/python3`: a script must not be called `python3`, as the interpreter is
        error[L208]: `demo-1.1.data/data/lib/python3.11/site-packages/x.py`: a data file must not be installed as `lib/python3.11/site-packages/x.py`
        error[L208]: `demo-1.1.data/data/pyvenv.cfg`: a data file must not be installed as `pyvenv.cfg`
        warning[L201]: the tag `cp311-cp311-linux_x86_64` names a platform, but no file is compiled: an optional extension fell away
        warning[L205]: `demo/a.py` has the build path `/build/src/demo/a.c` in it
          hint: nothing is there when the wheel is used; patch the path out of the file or its maker
        warning[L207]: METADATA promises the licence file `COPYING`, which is not there
        warning[L209]: the file `LICENSE` stands at the top of site-packages and belongs to no package
        warning[L209]: the folder `docs` stands at the top of site-packages and belongs to no package
        warning[L210]: the script `run` begins `#!/cell/env/bin/python3` instead of `#!python`
        lint[L205]: `demo/b.py` has `/build/x.js` in it, which may be a path of the build
    "#]].assert_eq(&lint_of(&bad, Some(Expect::Native)));
    let elf = elf_with_runpath("/opt/lib");
    let compiled = toy("demo", "1.0", &[]).file("demo/x.cpython-311-x86_64-linux-gnu.so", &elf);
    expect![[r#"
        error[L201]: the tag `py3-none-any` says any platform, but `demo/x.cpython-311-x86_64-linux-gnu.so` is compiled
        error[L202]: the recipe expects a pure wheel, but `demo/x.cpython-311-x86_64-linux-gnu.so` is compiled
        warning[L201]: WHEEL says Root-Is-Purelib, but `demo/x.cpython-311-x86_64-linux-gnu.so` is compiled
        warning[L201]: the tag `py3-none-any` fits any Python, but `demo/x.cpython-311-x86_64-linux-gnu.so` is for one
        warning[L211]: `demo/x.cpython-311-x86_64-linux-gnu.so` looks for libraries in `/opt/lib`
    "#]].assert_eq(&lint_of(&compiled, Some(Expect::Pure)));
    let other = compiled.tag("cp311-cp311-manylinux_2_17_riscv64");
    expect![[r#"
        error[L203]: `demo/x.cpython-311-x86_64-linux-gnu.so` is not for the platform of the tag `cp311-cp311-manylinux_2_17_riscv64`
        warning[L211]: `demo/x.cpython-311-x86_64-linux-gnu.so` looks for libraries in `/opt/lib`
    "#]].assert_eq(&lint_of(&other, None));
}

#[test]
fn verify_tells_what_is_missing_and_what_does_not_fit() {
    let target = super::toy::target();
    let requires: Vec<String> = [
        "click>=8",
        "Blinker<1 ; python_version >= '3.8'",
        "old; python_version < '3'",
        "extra-only ; extra == 'fast'",
        "missing[x] >= 2 ; os_name == 'posix'",
        "odd >=1.*",
    ]
    .map(str::to_owned)
    .into();
    let have: Vec<Have> =
        [("click", "8.1"), ("blinker", "1.9")].map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).into();
    expect![[r#"
        error[L402]: `demo` requires `Blinker<1 ; python_version >= '3.8'`, but its closure has blinker 1.9
          hint: write "Blinker<1" in `dependencies`, or add `blinker` to `dependencies` or `upper` of `[relax]`
        error[L401]: `demo` requires `missing[x] >= 2 ; os_name == 'posix'`, which is not in its closure
          hint: add "missing[x] >= 2" to `dependencies`, or its name to `remove` of `[relax]`
        warning[L403]: `demo` requires `odd >=1.*`, which cannot be checked: Operator >= cannot be used with a wildcard version specifier
    "#]].assert_eq(&text(&verify("demo", &requires, &target, &have)));
}
