//! What people edit is their own, and what is only read is shared.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::tree::fs::{Copying, copy_tree};

/// Where Python finds the byte code of a module, and what it says of its source.
fn code_of(python: &Path, module: &str) -> String {
    let code = format!(
        "import {module} as m, os; c = m.__spec__.cached\n\
         print(open(c, 'rb').read()[4] if os.path.exists(c) else 'none', m.WORD)"
    );
    run(python, &["-B", "-c", &code])
}

#[test]
fn links_stay_links_where_folders_are_real() {
    let dir = tempfile::tempdir().unwrap();
    let one = member(
        dir.path(),
        &toy("one", "1", &[("pkg/__init__.py", ""), ("pkg/a.py", "A = 1\n"), ("own/__init__.py", "")]),
    );
    let two = member(dir.path(), &toy("two", "1", &[("pkg/sub/c.py", "C = 1\n")]));
    let site = format!("lib/python{}/site-packages", host().python);
    // In a folder of two installs, and in one of a single one.
    let links = [("pkg/also.py", "a.py"), ("own/also.py", "__init__.py")];
    for (link, text) in links {
        symlink(text, one.tree.join(&site).join(link)).unwrap();
    }
    for style in [Style::Solid, Style::Working] {
        let at = dir.path().join(format!("{style:?}"));
        let made =
            make(&at, &[one.clone(), two.clone()], style).unwrap_or_else(|f| panic!("{}", messages(&f)));
        for (link, text) in links {
            let is = fs::read_link(made.folder.join(&site).join(link)).unwrap();
            assert_eq!(is, Path::new(text), "{style:?}");
        }
    }
}

/// The same member, with the pack of what a working environment copies.
fn packed(member: &Member) -> Member {
    let folder = member.tree.with_extension("copies");
    fs::create_dir(&folder).unwrap();
    super::copies::make(&member.tree, &folder).unwrap();
    Member { copies: Some(folder), ..member.clone() }
}

/// Every file and link below a folder: whether it is shared, its mode, and its bytes.
fn files_of(folder: &Path) -> BTreeMap<PathBuf, (bool, u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(now) = todo.pop() {
        for entry in fs::read_dir(&now).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let rel = path.strip_prefix(folder).unwrap().to_owned();
            let mode = meta.permissions().mode() & 0o7777;
            if meta.is_dir() {
                found.insert(rel, (false, mode, Vec::new()));
                todo.push(path);
            } else if meta.is_symlink() {
                let text = fs::read_link(&path).unwrap();
                found.insert(rel, (false, mode, text.as_os_str().as_encoded_bytes().to_vec()));
            } else {
                found.insert(rel, (meta.nlink() > 1, mode, fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// Installs with all kinds of files, alone and in folders of both.
fn all_kinds(trees: &Path) -> [Member; 2] {
    let (long, large) = ("# long\n".repeat(20_000), "x".repeat((1 << 20) + 1));
    let picture = format!("GIF8{}", "9".repeat(100_000));
    let one = toy(
        "one",
        "1",
        &[
            ("own/__init__.py", ""),
            ("own/long.py", &long),
            ("own/after.py", "A = 1\n"),
            ("own/large.txt", &large),
            ("own/picture.gif", &picture),
            ("own/fast.so", "no code"),
            ("own/py.typed", ""),
            ("own/notes.json", "{}"),
            ("own/deep/er/table.csv", "1,2\n"),
            ("space/a.py", "A = 1\n"),
            ("space/picture.gif", &picture),
            ("top.py", "T = 1\n"),
            ("one-1.data/scripts/plain", "#!/bin/sh\necho plain\n"),
            ("one-1.data/data/share/one.conf", "conf\n"),
        ],
    );
    let two = member(trees, &toy("two", "1", &[("space/b.py", &long), ("own/deep/b.py", "B = 1\n")]));
    let one = member(trees, &one);
    let site = format!("lib/python{}/site-packages", host().python);
    for (link, text) in [("space/also.py", "a.py"), ("own/deep/er/also.csv", "table.csv")] {
        symlink(text, one.tree.join(&site).join(link)).unwrap();
    }
    fs::create_dir(one.tree.join(&site).join("own/deep/nothing")).unwrap();
    [one, two]
}

#[test]
fn a_pack_changes_nothing_of_what_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let plain = all_kinds(dir.path());
    let from_packs = plain.each_ref().map(packed);
    let [one, two] = [("plain", &plain), ("packed", &from_packs)].map(|(name, members)| {
        let at = dir.path().join(name);
        files_of(&make(&at, members, Style::Working).unwrap_or_else(|f| panic!("{}", messages(&f))).folder)
    });
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (path, is) in &one {
        assert!(is == &two[path], "{}", path.display());
    }
}

#[test]
fn what_is_written_in_place_never_reaches_an_install_or_its_pack() {
    let dir = tempfile::tempdir().unwrap();
    let trees = dir.path().join("trees");
    let members = all_kinds(&trees).each_ref().map(packed);
    // Without whether it is shared, which the environment itself decides.
    let bytes_of = |folder: &Path| -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        files_of(folder).into_iter().map(|(path, (_, mode, bytes))| (path, (mode, bytes))).collect()
    };
    let before = bytes_of(&trees);
    let at = dir.path().join("env");
    let made = make(&at, &members, Style::Working).unwrap_or_else(|f| panic!("{}", messages(&f)));
    let mut shared = Vec::new();
    for (path, (is_shared, _, _)) in files_of(&made.folder) {
        let place = made.folder.join(&path);
        if is_shared {
            shared.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        } else if fs::symlink_metadata(&place).unwrap().is_file() {
            // As an editor does that keeps the file, and a tool that appends.
            fs::write(&place, "edited").unwrap();
            fs::OpenOptions::new().append(true).open(&place).unwrap().write_all(b" again").unwrap();
        }
    }
    shared.sort();
    assert_eq!(shared, ["fast.so", "large.txt", "picture.gif", "picture.gif"]);
    assert!(before == bytes_of(&trees), "an install has changed");
    let again = make(&dir.path().join("again"), &members, Style::Working);
    let again = again.unwrap_or_else(|f| panic!("{}", messages(&f)));
    let own = again.folder.join(format!("lib/python{}/site-packages/own", host().python));
    assert_eq!(fs::read_to_string(own.join("after.py")).unwrap(), "A = 1\n");
}

/// The same install with byte code that notices edits.
fn to_edit(member: &Member) -> Member {
    let tree = member.tree.with_extension("edit");
    copy_tree(&member.tree, &tree, Copying::Linked, None).unwrap();
    let caches = Command::new("find").arg(&tree).args(["-name", "__pycache__"]).output().unwrap();
    for cache in ok(caches).lines() {
        fs::remove_dir_all(cache).unwrap();
    }
    crate::python::bytecode::checked_copy(&member.tree, &tree).unwrap();
    Member { tree, ..member.clone() }
}

#[test]
fn byte_code_comes_along_and_notices_edits_where_people_may_edit() {
    let dir = tempfile::tempdir().unwrap();
    let word = "WORD = 'old'\n";
    let files =
        [("pkg/__init__.py", word), ("pkg/sub/deep.py", word), ("space/a.py", word), ("top.py", word)];
    let one = member(dir.path(), &toy("one", "1", &files));
    let two = member(dir.path(), &toy("two", "1", &[("space/b.py", word), ("pkg/sub/more.py", word)]));
    let site = format!("lib/python{}/site-packages", host().python);
    let sites = [&one, &two].map(|m| m.tree.join(&site));
    crate::python::Compiler::new(&host().exe, 2).compile(&sites, &crate::exec::Stop::new().unwrap()).unwrap();
    let modules = ["pkg", "pkg.sub.deep", "pkg.sub.more", "space.a", "space.b", "top"];
    for (style, flags) in [(Style::Frozen, "1"), (Style::Solid, "1"), (Style::Working, "3")] {
        let at = dir.path().join(format!("{style:?}"));
        let members = match style {
            Style::Working => [&one, &two].map(to_edit),
            _ => [one.clone(), two.clone()],
        };
        let made = make(&at, &members, style).unwrap_or_else(|f| panic!("{}", messages(&f)));
        let python = made.folder.join("bin/python");
        for module in modules {
            assert_eq!(code_of(&python, module), format!("{flags} old"), "{module}, {style:?}");
        }
        if style == Style::Working {
            for file in ["pkg/__init__.py", "pkg/sub/deep.py", "space/a.py", "top.py"] {
                fs::write(made.folder.join(&site).join(file), "WORD = 'new'\n").unwrap();
            }
            for module in ["pkg", "pkg.sub.deep", "space.a", "top"] {
                assert_eq!(code_of(&python, module), "3 new", "{module}");
            }
        }
    }
}
