use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use expect_test::{Expect, expect};

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// Every file with its mode and text.
fn show(root: &Path) -> String {
    let mut out = String::new();
    for path in crate::tree::fs::scan(root).unwrap().entries.keys() {
        let host = path.under(root);
        let mode = fs::metadata(&host).unwrap().permissions().mode() & 0o777;
        out.push_str(&format!("{path} {mode:o}\n"));
        for line in fs::read_to_string(host).unwrap().split_inclusive('\n') {
            out.push_str(&format!("  {}\n", line.escape_debug()));
        }
    }
    out
}

fn check(files: &[(&str, &str)], patch: &str, expected: Expect) {
    let dir = folder(files);
    apply(dir.path(), "fix.patch", patch.as_bytes()).unwrap();
    expected.assert_eq(&show(dir.path()));
}

/// The error with its hint; the folder must be as it was.
fn refused(files: &[(&str, &str)], patch: &str, expected: Expect) {
    let dir = folder(files);
    let before = show(dir.path());
    let error = apply(dir.path(), "fix.patch", patch.as_bytes()).unwrap_err();
    let hint = error.hint.as_ref().map_or(String::new(), |h| format!("\nhint: {h}"));
    expected.assert_eq(&format!("{error}{hint}"));
    assert_eq!(show(dir.path()), before, "nothing was changed");
}

fn numbered(n: usize) -> String {
    (1..=n).map(|i| format!("line {i}\n")).collect()
}

const CHANGE: &str = "\
--- a/f
+++ b/f
@@ -2,3 +2,3 @@
 two
-three
+3
 four
";

#[test]
fn several_files_in_one_patch() {
    check(
        &[("src/a.py", "one\ntwo\nthree\n"), ("old.txt", "bye\n"), ("here.txt", "1\n2\n3\n")],
        "From: somebody\nSubject: text around is passed over\n\n---\n src/a.py | 2 +-\n\n\
diff --git a/src/a.py b/src/a.py
index 0123..4567 100644
--- a/src/a.py
+++ b/src/a.py
@@ -1,3 +1,3 @@ def f():
 one
-two
+2
 three
diff --git a/new/run b/new/run
new file mode 100755
index 000..111
--- /dev/null
+++ b/new/run
@@ -0,0 +1,2 @@
+#!/bin/sh
+true
\\ No newline at end of file
diff --git a/old.txt b/old.txt
deleted file mode 100644
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
diff --git a/here.txt b/there/x.txt
similarity index 60%
rename from here.txt
rename to there/x.txt
--- a/here.txt
+++ b/there/x.txt
@@ -1,3 +1,3 @@
 1
-2
+two
 3
diff --git a/empty b/empty
new file mode 100644
index 000..e69
-- 
2.40
",
        expect![[r##"
            empty 644
            new/run 755
              #!/bin/sh\n
              true
            src/a.py 644
              one\n
              2\n
              three\n
            there/x.txt 644
              1\n
              two\n
              3\n
        "##]],
    );
}

#[test]
fn plain_diffs_with_times() {
    check(
        &[("f", "a\nb\n"), ("gone", "x\n")],
        "\
--- p-1.orig/f\t2020-01-01 00:00:00.000000000 +0000
+++ p-1/f\t2020-01-02 00:00:00.000000000 +0000
@@ -1,2 +1,2 @@
 a
-b
+B
--- p-1.orig/new\t1970-01-01 00:00:00.000000000 +0000
+++ p-1/new\t2020-01-02 00:00:00.000000000 +0000
@@ -0,0 +1 @@
+n
--- p-1.orig/gone\t2020-01-01 00:00:00.000000000 +0000
+++ p-1/gone\t1970-01-01 00:00:00.000000000 +0000
@@ -1 +0,0 @@
-x
",
        expect![[r#"
            f 644
              a\n
              B\n
            new 644
              n\n
        "#]],
    );
}

#[test]
fn hunks_that_moved_and_context_that_changed() {
    let moved = format!("{}one\ntwo\nthree\nfour\n", numbered(30));
    let dir = folder(&[("f", &moved)]);
    apply(dir.path(), "p", CHANGE.as_bytes()).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("f")).unwrap(), moved.replace("three", "3"));
    // A line of context differs: fuzz, and the file's own line stays.
    let dir = folder(&[("f", "one\nTWO\nthree\nfour\n")]);
    apply(dir.path(), "p", CHANGE.as_bytes()).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("f")).unwrap(), "one\nTWO\n3\nfour\n");
}

#[test]
fn the_second_hunk_follows_the_drift_of_the_first() {
    // Twice the same text: only the drift tells which is meant.
    let text = format!("{}x\nsame\ny\n{}x\nsame\ny\n", numbered(5), numbered(5));
    let patch = "\
--- a/f
+++ b/f
@@ -1,2 +1,4 @@
+new 1
+new 2
 line 1
 line 2
@@ -14,3 +16,3 @@
 x
-same
+other
 y
";
    let dir = folder(&[("f", &text)]);
    apply(dir.path(), "p", patch.as_bytes()).unwrap();
    let got = fs::read_to_string(dir.path().join("f")).unwrap();
    let expected = format!("new 1\nnew 2\n{}x\nsame\ny\n{}x\nother\ny\n", numbered(5), numbered(5));
    assert_eq!(got, expected);
}

#[test]
fn the_line_feed_at_the_end() {
    check(
        &[("f", "a\nb")],
        "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n",
        expect![[r#"
            f 644
              a\n
              b\n
        "#]],
    );
}

#[test]
fn a_change_of_mode_and_quoted_names() {
    check(
        &[("run", "x\n"), ("\u{fc}", "y\n")],
        "diff --git a/run b/run\nold mode 100644\nnew mode 100755\n\
diff --git \"a/\\303\\274\" \"b/\\303\\274\"\n--- \"a/\\303\\274\"\n+++ \"b/\\303\\274\"\n@@ -1 +1 @@\n-y\n+z\n",
        expect![[r#"
            run 755
              x\n
            ü 644
              z\n
        "#]],
    );
}

#[test]
fn errors_name_the_hunk_and_its_line() {
    refused(
        &[("f", "nothing\nlike\nit\n")],
        CHANGE,
        expect![
            "failed to apply the patch `fix.patch` to `f`: hunk 1 (line 3): its lines are not in the file"
        ],
    );
    refused(
        &[("f", "one\ntwo\n3\nfour\n")],
        CHANGE,
        expect![[r#"
            failed to apply the patch `fix.patch` to `f`: hunk 1 (line 3): its lines are not in the file
            hint: the source may have the change already: drop the patch"#]],
    );
    // The first file would do; the second does not: neither is changed.
    refused(
        &[("f", "one\ntwo\nthree\nfour\n"), ("g", "")],
        &format!("{CHANGE}{}", CHANGE.replace("/f", "/g")),
        expect![
            "failed to apply the patch `fix.patch` to `g`: hunk 1 (line 10): its lines are not in the file"
        ],
    );
    refused(
        &[],
        CHANGE,
        expect!["failed to apply the patch `fix.patch` to `f`: line 1: there is no such file"],
    );
    refused(
        &[("f", "x\n")],
        "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n",
        expect![[r#"
            failed to apply the patch `fix.patch` to `f`: line 1: it is to be made and is there already
            hint: the source may have the change already: drop the patch"#]],
    );
    refused(
        &[("f", "x\nmore\n")],
        "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
        expect![
            "failed to apply the patch `fix.patch` to `f`: line 1: it is to be deleted and holds more than the patch says"
        ],
    );
}

#[test]
fn malformed_patches() {
    refused(&[], "hello\n", expect!["failed to apply the patch `fix.patch`: it holds no unified diff"]);
    refused(
        &[("f", "")],
        "--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n a\n",
        expect!["failed to apply the patch `fix.patch`: hunk 1 (line 3): it ends too early"],
    );
    refused(
        &[("f", "")],
        "--- a/f\n+++ b/f\n@@ -x +1 @@\n a\n",
        expect!["failed to apply the patch `fix.patch`: hunk 1 (line 3): its `@@` line is malformed"],
    );
    refused(
        &[("f", "")],
        "--- a/f\n+++ b/f\n@@ -1 +1 @@\n*a\n",
        expect![
            "failed to apply the patch `fix.patch`: hunk 1 (line 4): a line of it begins with neither blank, `+` nor `-`"
        ],
    );
    refused(
        &[("f", "")],
        "@@ -1 +1 @@\n-a\n+b\n",
        expect![
            "failed to apply the patch `fix.patch`: line 1: a hunk without the `---` and `+++` lines before it"
        ],
    );
    refused(
        &[("f", "")],
        "--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n",
        expect![[r#"
            failed to apply the patch `fix.patch`: line 1: the name `f` has no folder to strip
            hint: make the patch with `git diff`, or `diff -u a/x b/x`"#]],
    );
    refused(
        &[("f", "")],
        "diff --git a/f b/f\nindex 1..2\nGIT binary patch\nliteral 3\n",
        expect!["failed to apply the patch `fix.patch`: line 3: binary changes are not supported"],
    );
}

#[test]
fn names_cannot_escape() {
    for name in ["a/../x", "a/../../x", "a/.//x", "a/"] {
        let dir = folder(&[("x", "a\n")]);
        let patch = format!("--- {name}\n+++ {name}\n@@ -1 +1 @@\n-a\n+b\n");
        let error = apply(dir.path(), "p", patch.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.machine), (1, false), "{name}: {error}");
    }
    let outside = folder(&[("x", "a\n")]);
    let dir = folder(&[]);
    symlink(outside.path(), dir.path().join("l")).unwrap();
    let patch = "--- a/l/x\n+++ b/l/x\n@@ -1 +1 @@\n-a\n+b\n";
    let error = apply(dir.path(), "p", patch.as_bytes()).unwrap_err();
    expect!["failed to apply the patch `p` to `l/x`: line 1: its name leads through a link"]
        .assert_eq(&error.to_string());
    assert_eq!(fs::read_to_string(outside.path().join("x")).unwrap(), "a\n");
}

#[test]
fn a_file_with_another_name_is_not_written_through() {
    let dir = folder(&[("f", "one\ntwo\nthree\nfour\n")]);
    let other = dir.path().join("other");
    fs::hard_link(dir.path().join("f"), &other).unwrap();
    apply(dir.path(), "p", CHANGE.as_bytes()).unwrap();
    assert_eq!(fs::read_to_string(other).unwrap(), "one\ntwo\nthree\nfour\n");
}
