use std::fs;
use std::os::unix::fs::symlink;

use expect_test::{Expect, expect};

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(files);
        folder
    }

    fn write(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn check(&self, expected: Expect) {
        self.check_in("", &[], expected);
    }

    fn check_in(&self, below: &str, include: &[&str], expected: Expect) {
        let root = fs::canonicalize(self.path()).unwrap();
        let files = [root.join("recipe.toml")];
        let stores = [root.join("store")];
        let ours = Ours { files: &files, stores: &stores };
        let include: Vec<String> = include.iter().map(|s| (*s).to_owned()).collect();
        let text = match path_source(&root.join(below), &include, &ours) {
            Ok(paths) => paths.iter().map(RelPath::as_str).collect::<Vec<_>>().join(" "),
            Err(e) => format!("{e}\n{}", e.hints.join("\n")).replace(root.to_str().unwrap(), "ROOT"),
        };
        expected.assert_eq(&text);
    }
}

const PROJECT: [(&str, &str); 7] = [
    (".gitignore", "*.pyc\n/build/\n!keep.pyc\n# comment\n"),
    ("pkg/__init__.py", ""),
    ("pkg/x.pyc", ""),
    ("pkg/keep.pyc", ""),
    ("pkg/data/.gitignore", "*\n!.gitignore\n!wanted\n"),
    ("pkg/data/wanted", ""),
    ("pkg/data/unwanted", ""),
];

#[test]
fn gitignore_counts_with_and_without_a_repository() {
    let folder = Folder::new(&PROJECT);
    folder.write(&[("build/lib/x", ""), ("src/build/y", "")]);
    folder.check(expect![
        ".gitignore pkg/__init__.py pkg/data/.gitignore pkg/data/wanted pkg/keep.pyc src/build/y"
    ]);
    folder.write(&[(".git/HEAD", ""), (".git/info/exclude", "/src\n"), (".git/config", "")]);
    folder.check(expect![".gitignore pkg/__init__.py pkg/data/.gitignore pkg/data/wanted pkg/keep.pyc"]);
}

#[test]
fn rules_above_the_folder_count_only_inside_a_repository() {
    let folder = Folder::new(&[
        (".gitignore", "*.log\n/lib/gone\n"),
        ("lib/a", ""),
        ("lib/b.log", ""),
        ("lib/gone", ""),
    ]);
    folder.check_in("lib", &[], expect!["a b.log gone"]);
    folder.write(&[(".git/HEAD", "")]);
    folder.check_in("lib", &[], expect!["a"]);
    folder.write(&[(".gitignore", "lib\n")]);
    folder.check_in("lib", &[], expect!["a b.log gone"]);
}

#[test]
fn our_own_files_are_left_out_unless_included() {
    let folder = Folder::new(&[
        ("recipe.toml", ""),
        ("wheelwright.toml", ""),
        ("pyproject.toml", ""),
        ("results.py", ""),
        ("results/data", ""),
        ("result-dir/share/wheelwright/package.json", ""),
        ("store/trees/x", ""),
        (".gitignore", "/store\n*.gen\n"),
        ("made.gen", ""),
        ("more/a.gen", ""),
    ]);
    symlink("store/trees", folder.path().join("into-store")).unwrap();
    symlink("/nowhere/trees/x", folder.path().join("result")).unwrap();
    symlink("/nowhere/trees/x", folder.path().join("result-toolz")).unwrap();
    folder.check(expect![".gitignore pyproject.toml results.py results/data"]);
    folder.check_in(
        "",
        &["recipe.toml", "made.gen", "more/"],
        expect![".gitignore made.gen more/a.gen pyproject.toml recipe.toml results.py results/data"],
    );
    folder.check_in(
        "",
        &["absent"],
        expect![[r#"
        failed to list the source `ROOT/`: `include` names `absent`, which is not there
    "#]],
    );
}

#[test]
fn links_may_not_leave_the_source() {
    let folder = Folder::new(&[("a/b", "")]);
    symlink("a/b", folder.path().join("inside")).unwrap();
    symlink("../inside", folder.path().join("a/up")).unwrap();
    folder.check(expect!["a/b a/up inside"]);
    symlink("/etc/passwd", folder.path().join("out")).unwrap();
    folder.check(expect![[r#"
        the link `out` -> `/etc/passwd` leaves the source
        name it in `.gitignore`, or copy what it points to into `ROOT`"#]]);
    fs::rename(folder.path().join("out"), folder.path().join("results")).unwrap();
    folder.check(expect![[r#"
        the link `results` -> `/etc/passwd` leaves the source
        name it in `.gitignore`, or copy what it points to into `ROOT`"#]]);
}

#[test]
fn what_the_index_tracks_belongs_to_the_source() {
    let folder = Folder::new(&[(".gitignore", "*.gen\n"), ("a.gen", ""), ("b.gen", ""), ("sub/c.gen", "")]);
    folder.write(&[(".git/HEAD", "")]);
    let mut index = b"DIRC\0\0\0\x02\0\0\0\x03".to_vec();
    for path in ["a.gen", "deleted.gen", "sub/c.gen"] {
        let start = index.len();
        index.extend([0; 24]);
        index.extend(0o100_644_u32.to_be_bytes());
        index.extend([0; 34]);
        index.extend(path.bytes());
        index.push(0);
        while !(index.len() - start).is_multiple_of(8) {
            index.push(0);
        }
    }
    fs::write(folder.path().join(".git/index"), index).unwrap();
    folder.check(expect![".gitignore a.gen sub/c.gen"]);
    folder.check_in("sub", &[], expect!["c.gen"]);
}

#[test]
fn a_work_tree_finds_its_repository() {
    let folder = Folder::new(&[
        ("main/.git/HEAD", ""),
        ("main/.git/info/exclude", "*.log\n"),
        ("main/.git/worktrees/w/HEAD", ""),
        ("main/.git/worktrees/w/commondir", "../..\n"),
        ("w/.git", "gitdir: ../main/.git/worktrees/w\n"),
        ("w/a", ""),
        ("w/b.log", ""),
        ("w/nested/.git/HEAD", ""),
        ("w/nested/c", ""),
    ]);
    folder.check_in("w", &[], expect!["a nested/c"]);
}

#[test]
fn special_files_are_named() {
    let folder = Folder::new(&[]);
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap());
    folder.check(expect![[r#"
        `ROOT/s` is neither file, folder nor link
        name it in `.gitignore`"#]]);
}
