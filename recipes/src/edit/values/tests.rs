use expect_test::{Expect, expect};

use super::*;

/// What comes of one edit of several texts.
fn check(texts: &[&str], edit: impl Fn(&str) -> Result<String, String>, expected: Expect) {
    let shown = |text: &&str| format!("---\n{}", edit(text).unwrap_or_else(|e| format!("error: {e}\n")));
    expected.assert_eq(&texts.iter().map(shown).collect::<String>());
}

#[test]
fn a_value_is_set_in_every_spelling_of_its_table() {
    check(
        &[
            "[meta] # m\n  license = 'MIT' # l\n# end\n",
            "meta.license = \"MIT\" # l\nmeta.homepage = \"h\"\n",
            "meta = { license = \"MIT\", homepage = \"h\" } # m\n",
            "[meta]\n# only a comment\n\n[check]\nimports = []\n",
            "meta.homepage = \"h\" # h\npname = \"a\"\n",
            "meta = {}\n",
            "pname = \"a\"",
            "[meta.license]\nx = 1\n",
            "meta = 1\n",
        ],
        |text| set_value(text, &["meta", "license"], "\"ISC\""),
        expect![[r#"
            ---
            [meta] # m
              license = "ISC" # l
            # end
            ---
            meta.license = "ISC" # l
            meta.homepage = "h"
            ---
            meta = { license = "ISC", homepage = "h" } # m
            ---
            [meta]
            license = "ISC"
            # only a comment

            [check]
            imports = []
            ---
            meta.homepage = "h" # h
            meta.license = "ISC"
            pname = "a"
            ---
            meta = { license = "ISC" }
            ---
            pname = "a"

            [meta]
            license = "ISC"
            ---
            error: `meta.license` is a table
            ---
            error: `meta` is no table
        "#]],
    );
}

#[test]
fn a_key_outside_any_table_is_set() {
    check(
        &[
            "version = '1' # v\n[source]\n",
            "# top\npname = \"a\" # p\n\n[source] # s\npypi = \"a\"\n",
            "[source]\npypi = \"a\"\n",
            "",
        ],
        |text| set_value(text, &["version"], "\"2\""),
        expect![[r#"
            ---
            version = "2" # v
            [source]
            ---
            # top
            pname = "a" # p
            version = "2"

            [source] # s
            pypi = "a"
            ---
            version = "2"
            [source]
            pypi = "a"
            ---
            version = "2"
        "#]],
    );
}

#[test]
fn sources_are_named_by_their_number() {
    check(
        &[
            "[[source]]\nhash = \"a\" # a\n[[source]]\nhash = \"b\" # b\n",
            "source = [{ hash = \"a\" }, { hash = \"b\" }]\n",
            "[[source]]\nhash = \"a\"\n[[source]] # b\npypi = \"b\"\n# end\n",
        ],
        |text| set_value(text, &["source", "1", "hash"], "\"new\""),
        expect![[r#"
            ---
            [[source]]
            hash = "a" # a
            [[source]]
            hash = "new" # b
            ---
            source = [{ hash = "a" }, { hash = "new" }]
            ---
            [[source]]
            hash = "a"
            [[source]] # b
            pypi = "b"
            hash = "new"
            # end
        "#]],
    );
}

#[test]
fn items_are_replaced_and_taken_out_with_comments_kept() {
    let texts = [
        "dependencies = [\"a\", \"b\", \"c\"] # d\n",
        "dependencies = [\"b\"]\n",
        "dependencies = [ 'a' , 'b' ]\n",
        "dependencies = [\n    # first\n    \"a\", # of a\n    \"b\", # of b\n    \"c\"\n]\n",
        "dependencies = [\n    \"a\",\n    \"b\" # of b\n    , \"c\"\n]\n",
        "dependencies = [\"a\",\n  \"b\"]\n",
        "dependencies = [\n    \"a\", \"b\", \"c\", # all\n]\n",
        "propagated-build-inputs = [\"a\", \"b\"]\n",
        "dependencies = [\"a\"]\n",
    ];
    check(
        &texts,
        |text| remove_item(text, &["dependencies"], "b"),
        expect![[r#"
        ---
        dependencies = ["a", "c"] # d
        ---
        dependencies = []
        ---
        dependencies = [ 'a' ]
        ---
        dependencies = [
            # first
            "a", # of a
            # of b
            "c"
        ]
        ---
        dependencies = [
            "a",
            # of b
             "c"
        ]
        ---
        dependencies = ["a",
          ]
        ---
        dependencies = [
            "a", "c", # all
        ]
        ---
        propagated-build-inputs = ["a"]
        ---
        error: `dependencies` has no `b`
    "#]],
    );
    check(
        &texts,
        |text| replace_item(text, &["dependencies"], "b", "'b>=2'"),
        expect![[r#"
        ---
        dependencies = ["a", 'b>=2', "c"] # d
        ---
        dependencies = ['b>=2']
        ---
        dependencies = [ 'a' , 'b>=2' ]
        ---
        dependencies = [
            # first
            "a", # of a
            'b>=2', # of b
            "c"
        ]
        ---
        dependencies = [
            "a",
            'b>=2' # of b
            , "c"
        ]
        ---
        dependencies = ["a",
          'b>=2']
        ---
        dependencies = [
            "a", 'b>=2', "c", # all
        ]
        ---
        propagated-build-inputs = ["a", 'b>=2']
        ---
        error: `dependencies` has no `b`
    "#]],
    );
    check(
        &texts[..6],
        |text| add_literal(text, &["dependencies"], "\"new\""),
        expect![[r#"
        ---
        dependencies = ["a", "b", "c", "new"] # d
        ---
        dependencies = ["b", "new"]
        ---
        dependencies = [ 'a' , 'b', "new" ]
        ---
        dependencies = [
            # first
            "a", # of a
            "b", # of b
            "c",
            "new",
        ]
        ---
        dependencies = [
            "a",
            "b" # of b
            , "c",
            "new",
        ]
        ---
        dependencies = ["a",
          "b", "new"]
    "#]],
    );
}

#[test]
fn keys_are_taken_out_with_comments_kept() {
    check(
        &[
            "[meta]\nlicense = \"MIT\" # why\nhomepage = \"h\"\n",
            "pname = \"a\"\n\n[meta]\nlicense = \"MIT\"\n\n[check]\nimports = []\n",
            "pname = \"a\"\n\n[meta] # m\nlicense = \"MIT\"\n",
            "meta.license = \"MIT\" # why\nmeta.homepage = \"h\"\n",
            "meta = { license = \"MIT\", homepage = \"h\" }\n",
            "meta = { homepage = \"h\", license = \"MIT\" }\n",
            "meta = { license = \"MIT\" }\n",
            "[meta]\nlicense = \"MIT\"",
            "pname = \"a\"\n",
        ],
        |text| remove_value(text, &["meta", "license"]),
        expect![[r#"
            ---
            [meta]
            # why
            homepage = "h"
            ---
            pname = "a"

            [check]
            imports = []
            ---
            pname = "a"

            # m
            ---
            # why
            meta.homepage = "h"
            ---
            meta = { homepage = "h" }
            ---
            meta = { homepage = "h" }
            ---
            meta = {  }
            ---
            ---
            error: there is no `meta.license`
        "#]],
    );
}
