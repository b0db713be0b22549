//! Layers in, the merged recipes, their origins and the findings out.

use expect_test::{Expect, expect};

use super::*;

/// The one door: `//- LAYER FILE` starts a file.
fn check(text: &str, expected: Expect) {
    let mut layers: Vec<Layer> = Vec::new();
    for part in text.split("//- ").skip(1) {
        let (head, body) = part.split_once('\n').unwrap();
        let (name, path) = head.split_once(' ').unwrap();
        let file = Arc::new(SourceFile { path: path.into(), text: body.into() });
        if layers.last().is_none_or(|l| l.name != name) {
            layers.push(Layer { name: name.into(), files: Vec::new() });
        }
        layers.last_mut().unwrap().files.push(LayerFile { file, pyproject: None });
    }
    let (book, findings) = assemble(&layers);
    let mut out: String = findings.iter().map(Finding::render).collect();
    for (at, recipe) in book.recipes.iter().enumerate() {
        out += &format!("{} {} ({}, {})\n", recipe.pname, recipe.version, recipe.layer, recipe.file.path);
        for (key, value, layer, line) in book.origins(at) {
            out += &format!("  {key} = {value}  # {layer} {line}\n");
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn later_layers_replace_the_same_version_and_add_others() {
    check(
        r#"//- base flit.toml
pname = "Flit_Core"
version = "3.0"
[source]
path = "a"
//- recipes flit.toml
pname = "flit-core"
version = "3"
[source]
path = "b"
//- recipes flit4.toml
pname = "flit-core"
version = "4"
[source]
path = "c"
"#,
        expect![[r#"
            flit-core 3 (recipes, flit.toml)
              pname = "flit-core"  # recipes flit.toml:1
              version = "3"  # recipes flit.toml:2
              source.path = "b"  # recipes flit.toml:4
            flit-core 4 (recipes, flit4.toml)
              pname = "flit-core"  # recipes flit4.toml:1
              version = "4"  # recipes flit4.toml:2
              source.path = "c"  # recipes flit4.toml:4
        "#]],
    );
}

#[test]
fn extending() {
    check(
        r#"//- base flask.toml
pname = "flask"
version = "3.1"
dependencies = ["werkzeug>=3", "Click", "colorama; os_name == 'nt'"]
[source]
pypi = "flask"
hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="
patches = ["base.patch"]
[build]
env = { A = "1", B = "2" }
[check]
flags = ["-x"]
//- overlays/x flask.toml
extends = true
pname = "Flask"
dependencies = { append = ["rich"], remove = ["click"] }
[source]
patches = { append = ["over.patch"] }
[build]
env = { B = "3", C = "4" }
[check]
flags = []
inputs = { append = ["pytest"] }
"#,
        expect![[r#"
            flask 3.1 (base, flask.toml)
              pname = "flask"  # base flask.toml:1
              version = "3.1"  # base flask.toml:2
              dependencies[0] = "werkzeug>=3"  # base flask.toml:3
              dependencies[1] = "colorama; os_name == 'nt'"  # base flask.toml:3
              dependencies[2] = "rich"  # overlays/x flask.toml:3
              source.pypi = "flask"  # base flask.toml:5
              source.hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="  # base flask.toml:6
              source.patches[0] = "base.patch"  # base flask.toml:7
              source.patches[1] = "over.patch"  # overlays/x flask.toml:5
              build.env.A = "1"  # base flask.toml:9
              build.env.B = "3"  # overlays/x flask.toml:7
              build.env.C = "4"  # overlays/x flask.toml:7
              check.flags = []  # overlays/x flask.toml:9
              check.inputs = ["pytest"]  # overlays/x flask.toml:10
        "#]],
    );
}

#[test]
fn a_new_source_forgets_the_old_one_and_a_new_version_needs_a_new_hash() {
    check(
        r#"//- base a.toml
pname = "a"
version = "1"
[source]
pypi = "a"
hash = ""
patches = ["p"]
//- base b.toml
pname = "b"
version = "1"
[source]
pypi = "b"
hash = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA="
//- base c.toml
pname = "c"
version = "1"
[source]
git = "https://h.example/c"
rev = "0123456"
hash = ""
//- over a.toml
extends = true
pname = "a"
version = "2"
[source]
path = "../a"
//- over b.toml
extends = true
pname = "b"
version = "2"
//- over c.toml
extends = "1"
pname = "c"
[source]
tag = "v1"
"#,
        expect![[r#"
            error[W207] b.toml:3:11: the hash of version 1 is not that of version 2
             3 | version = "2"
               |           ^^^
              hint: the earlier hash is in b.toml:5; write `hash = ""` in `[source]` here and build: the right one is printed
            a 2 (base, a.toml)
              pname = "a"  # base a.toml:1
              version = "2"  # over a.toml:3
              source.patches = ["p"]  # base a.toml:6
              source.path = "../a"  # over a.toml:5
            c 1 (base, c.toml)
              pname = "c"  # base c.toml:1
              version = "1"  # base c.toml:2
              source.git = "https://h.example/c"  # base c.toml:4
              source.hash = ""  # base c.toml:6
              source.tag = "v1"  # over c.toml:4
        "#]],
    );
}

#[test]
fn one_version_or_all_of_them() {
    check(
        r#"//- base a1.toml
pname = "a"
version = "1"
[source]
path = "."
//- base a2.toml
pname = "a"
version = "2"
[source]
path = "."
//- over all.toml
extends = true
pname = "a"
dependencies = ["x"]
//- over one.toml
extends = "2.0"
pname = "a"
dependencies = { append = ["y"] }
"#,
        expect![[r#"
            a 1 (base, a1.toml)
              pname = "a"  # base a1.toml:1
              version = "1"  # base a1.toml:2
              source.path = "."  # base a1.toml:4
              dependencies = ["x"]  # over all.toml:3
            a 2 (base, a2.toml)
              pname = "a"  # base a2.toml:1
              version = "2"  # base a2.toml:2
              source.path = "."  # base a2.toml:4
              dependencies[0] = "x"  # over all.toml:3
              dependencies[1] = "y"  # over one.toml:3
        "#]],
    );
}

#[test]
fn extensions_that_mean_nothing() {
    check(
        r#"//- base a1.toml
pname = "flask"
version = "1"
dependencies = ["click"]
[source]
path = "."
//- base a2.toml
pname = "flask"
version = "2"
[source]
path = "."
//- over a.toml
extends = true
pname = "flsk"
//- over b.toml
extends = "3"
pname = "flask"
//- over c.toml
extends = true
pname = "flask"
version = "3"
//- over d.toml
extends = "1"
pname = "flask"
version = "2"
//- over e.toml
extends = "1"
pname = "flask"
dependencies = { remove = ["clik", "zzz"] }
//- over f.toml
extends = "one"
pname = "flask"
//- over g.toml
pname = "g"
version = "1"
dependencies = { append = ["x"] }
[source]
path = "."
//- over h.toml
extends = true
pname = "flask"
dependencies = { append = "x" }
[check]
flags = { remove = ["-x"] }
"#,
        expect![[r#"
            error[W302] a.toml:2:9: there is no earlier recipe named `flsk` to extend
             2 | pname = "flsk"
               |         ^^^^^^ did you mean `flask`?
              hint: write `pname = "flask"`
            error[W302] b.toml:1:11: there is no earlier recipe for `flask` 3 to extend
             1 | extends = "3"
               |           ^^^
              hint: there is `"1"`, `"2"`; `extends = true` means all of them
            error[W304] c.toml:3:11: 2 recipes of `flask` would all become 3
             3 | version = "3"
               |           ^^^
              hint: there are 1, 2: say which one to extend, `extends = "1"`
            error[W304] d.toml:3:11: `flask` 1 would become 2, which is there already
             3 | version = "2"
               |           ^^^
              hint: to change that one, write `extends = "2"` and no `version`
            error[W303] e.toml:3:28: `clik` is not in `dependencies` of `flask` 1
             3 | dependencies = { remove = ["clik", "zzz"] }
               |                            ^^^^^^ did you mean `click`?
            error[W303] e.toml:3:36: `zzz` is not in `dependencies` of `flask` 1
             3 | dependencies = { remove = ["clik", "zzz"] }
               |                                    ^^^^^
              hint: it holds: click
            error[W202] f.toml:1:12: `one` is not a PEP 440 version
             1 | extends = "one"
               |            ^^^
              hint: versions look like `1.2.3`, `1.2rc1`, `1.2.post1`, `1.2.dev0` or `1.2+local`
            error[W305] g.toml:3:16: `dependencies` appends to or removes from a list, but the recipe extends none
             3 | dependencies = { append = ["x"] }
               |                ^^^^^^^^^^^^^^^^^^
              hint: write the whole list, or say `extends = true` at the top of the file
            error[W102] h.toml:3:27: `dependencies.append` is a string, but must be a list of strings
             3 | dependencies = { append = "x" }
               |                           ^^^ expected a list of strings
              hint: write `append = ["x"]`
        "#]],
    );
}

#[test]
fn two_recipes_in_one_layer() {
    check(
        r#"//- recipes a.toml
pname = "a"
version = "1.0"
[source]
path = "."
//- recipes b.toml
# another
pname = "A"
version = "1"
[source]
path = "."
"#,
        expect![[r#"
            error[W301] b.toml:2:9: a second recipe for `a` 1 in `recipes`
             2 | pname = "A"
               |         ^^^
              hint: the first is a.toml:1; remove one, or give one another version
            a 1.0 (recipes, a.toml)
              pname = "a"  # recipes a.toml:1
              version = "1.0"  # recipes a.toml:2
              source.path = "."  # recipes a.toml:4
        "#]],
    );
}

#[test]
fn a_broken_recipe_spoils_no_other_and_one_mistake_is_said_once() {
    check(
        r#"//- base a.toml
pname = "a"
version = "x"
//- base b.toml
pname = "b"
version = "1"
[source]
path = "."
//- base b2.toml
pname = "b"
version = "2"
[source]
path = "."
//- base c.toml
pname = "c
version = "1"
//- over a.toml
extends = true
pname = "a"
//- over b.toml
extends = true
pname = "b"
dependencies = ["x>=1.*"]
//- over d.toml
pname = "d"
version = "1"
[source]
path = "."
"#,
        expect![[r#"
            error[W202] a.toml:2:12: `x` is not a PEP 440 version
             2 | version = "x"
               |            ^
              hint: versions look like `1.2.3`, `1.2rc1`, `1.2.post1`, `1.2.dev0` or `1.2+local`
            error[W001] c.toml:1:11: invalid basic string, expected `"`
             1 | pname = "c
               |           ^
              hint: close the string with `"`
            error[W204] b.toml:3:19: `>=` takes no `.*`: only `==` and `!=` do (PEP 440)
             3 | dependencies = ["x>=1.*"]
               |                   ^^^^^
              hint: write `x>=1`
            d 1 (over, d.toml)
              pname = "d"  # over d.toml:1
              version = "1"  # over d.toml:2
              source.path = "."  # over d.toml:4
        "#]],
    );
}

#[test]
fn paths_belong_to_the_files_that_say_them() {
    let file = |path: &str, text: &str| LayerFile {
        file: Arc::new(SourceFile { path: path.into(), text: text.into() }),
        pyproject: None,
    };
    let base = "pname = \"a\"\nversion = \"1\"\n[source]\npath = \".\"\npatches = [\"one\"]\n";
    let over = "extends = true\npname = \"a\"\n[source]\npatches = { append = [\"two\"] }\n";
    let layers = [
        Layer { name: "recipes".into(), files: vec![file("r/a.toml", base)] },
        Layer { name: "o".into(), files: vec![file("o/a.toml", over)] },
    ];
    let (book, findings) = assemble(&layers);
    assert_eq!(findings, []);
    let source = &book.recipes[0].sources[0];
    assert_eq!(source.base.path, "r/a.toml");
    let patches: Vec<_> = source
        .patches
        .iter()
        .map(|p| match p {
            crate::recipe::Patch::File(name, file) => format!("{name} {}", file.path),
            crate::recipe::Patch::Url { url, .. } => url.clone(),
        })
        .collect();
    assert_eq!(patches, ["one r/a.toml", "two o/a.toml"]);
}
