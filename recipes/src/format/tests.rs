//! Text in, text out; and once more with the same result.

use expect_test::{Expect, expect};

use super::*;

fn file(text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile { path: "a.toml".into(), text: text.into() })
}

fn check(text: &str, expected: Expect) {
    let once = match format(&file(text)) {
        Ok(once) => once,
        Err(findings) => {
            return expected.assert_eq(&findings.iter().map(Finding::render).collect::<String>());
        }
    };
    expected.assert_eq(&once);
    assert_eq!(format(&file(&once)).unwrap(), once, "the second time changes nothing");
}

#[test]
fn keys_and_tables_get_their_order() {
    check(
        "[meta]\nlicense='MIT'\ndescription = \"d\"\n[check]\nenable=false\n[zzz]\na=1\n[source]\nhash=\"\"\npypi=\"a\"\n",
        expect![[r#"
            [source]
            pypi = "a"
            hash = ""

            [check]
            enable = false

            [meta]
            description = "d"
            license = 'MIT'

            [zzz]
            a = 1
        "#]],
    );
    check(
        "version=\"1\"\nzzz = 1\ndependencies=[ \"x\",\"y\" ,]\n\n\npname   = \"a\"\nkind=\"application\"\ncheck.enable=true\n[wrap.set]\nB=\"1\"\nA=\"2\"\n[source]\npath='.'\n[build]\nenv.Z = \"1\"\ncores=1\nenv . A = \"2\"\n",
        expect![[r#"
            kind = "application"
            pname = "a"
            version = "1"
            dependencies = ["x", "y"]
            check.enable = true
            zzz = 1

            [source]
            path = '.'

            [build]
            env.Z = "1"
            env.A = "2"
            cores = 1

            [wrap.set]
            B = "1"
            A = "2"
        "#]],
    );
}

#[test]
fn comments_stay_with_their_neighbours() {
    check(
        r#"
# head one

# head two
version = "1"   # beside version
  # above pname

  # right above pname
pname = "a"
# above meta
[meta] # beside meta
# above license
license = "MIT"
# below license

# above source
[source]
path = "." # beside path


# the end
"#,
        expect![[r##"
            # head one

            # head two
            # above pname

            # right above pname
            pname = "a"
            version = "1"  # beside version

            # below license

            # above source
            [source]
            path = "."  # beside path

            # above meta
            [meta]  # beside meta
            # above license
            license = "MIT"

            # the end
        "##]],
    );
    check(
        "# only a comment",
        expect![[r#"
        # only a comment
    "#]],
    );
    check("", expect![[""]]);
    check(
        "# c\n\n\n\npname = \"a\" # x",
        expect![[r##"
        # c

        pname = "a"  # x
    "##]],
    );
}

#[test]
fn lists() {
    check(
        r#"dependencies = ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccc"]
build-system = [
  "short",
  "list"
]
namespaces = [ # open
  # first
  "a", # a
  # above b

  # nearer b
  "b"
  # after b
  , "c" # c
  # last
]
[build]
backend-path = [ # nothing
]
config-settings = { a = [1,2], "b c"=true }
[source]
patches = ["x", {url="https://h.example/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", hash="sha256-aaaaaaaaaaaaaaaaaaaaaa"}]
[phases]
install = '''
# no comment
x = 1 # y
'''
"#,
        expect![[r#"
            build-system = ["short", "list"]
            dependencies = [
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                "cccccc",
            ]
            namespaces = [
                # open
                # first
                "a",  # a
                # above b

                # nearer b
                "b",  # after b
                "c",  # c
                # last
            ]

            [source]
            patches = [
                "x",
                { url = "https://h.example/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", hash = "sha256-aaaaaaaaaaaaaaaaaaaaaa" },
            ]

            [build]
            backend-path = [
                # nothing
            ]
            config-settings = { a = [1, 2], "b c" = true }

            [phases]
            install = '''
            # no comment
            x = 1 # y
            '''
        "#]],
    );
}

#[test]
fn several_sources_and_windows_lines() {
    check(
        "pname = \"a\" # c\r\n# d\r\n[[source]]\r\npath = \".\"\r\n\r\n# e\r\n[[source]] # f\r\nurl = \"u\"\r\n",
        expect![[r#"
            pname = "a"  # c

            # d
            [[source]]
            path = "."

            # e
            [[source]]  # f
            url = "u"
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_not_touched() {
    check(
        "pname = \n",
        expect![[r#"
            error[W001] a.toml:1:9: the value is missing
             1 | pname = 
               |         ^
              hint: write a string (`".."`), a list (`[..]`), `true`, `false` or a number
        "#]],
    );
}

#[test]
fn every_base_recipe_keeps_its_values() {
    for (path, text) in crate::base::files() {
        let file = Arc::new(SourceFile { path: path.into(), text: text.into() });
        let once = format(&file).unwrap();
        let again = Arc::new(SourceFile { path: path.into(), text: once.clone() });
        assert_eq!(format(&again).unwrap(), once, "{path}");
    }
}

#[test]
fn a_lost_comment_would_be_noticed() {
    assert!(same::comments("a = 1 # x\n# y", "# y\na = 1 # x"));
    assert!(!same::comments("a = 1 # x", "a = 1"));
    assert!(same::comments("a = \"# \\\" #\" # x", "a = '#' # x"));
    assert!(same::comments("a = '''#'''''# x", "# x"));
}
