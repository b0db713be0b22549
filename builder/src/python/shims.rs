//! pyenv's shims: which interpreter one stands for, without running it.
//!
//! Knows pyenv's folders and the order in which it looks for a version. Must
//! never guess: what is not plainly said is left to the shim, which takes a
//! tenth of a second.

use std::path::{Path, PathBuf};

use super::Search;
use super::looked::Looked;

/// The program that a shim of pyenv would run, when pyenv's own files name it
/// plainly: `$PYENV_VERSION`, else the nearest `.python-version` above the
/// working folder, else the global `version`. Nothing for any other script, for
/// `system`, and for a version that is no folder of pyenv's (`3.12` for its
/// newest, a plugin's).
pub(super) fn behind(shim: &Path, search: &Search, looked: &mut Looked) -> Option<PathBuf> {
    let (folder, program) = (shim.parent()?, shim.file_name()?);
    if folder.file_name()? != "shims" {
        return None;
    }
    let root = folder.parent()?;
    let first = versions(root, search, looked)?.into_iter().find_map(|version| {
        if version == "system" {
            return Some(None);
        }
        let folder = root.join("versions").join(&version);
        looked.at(&folder);
        if version.contains('/') || !folder.is_dir() {
            return Some(None);
        }
        // Of several versions the first that has the program.
        let path = folder.join("bin").join(program);
        looked.at(&path);
        path.is_file().then_some(Some(path))
    });
    first.flatten()
}

/// What is said where pyenv looks first, in its order.
fn versions(root: &Path, search: &Search, looked: &mut Looked) -> Option<Vec<String>> {
    if let Some(text) = search.pyenv_version.as_deref().filter(|t| !t.is_empty()) {
        return Some(text.split(':').map(str::to_owned).collect());
    }
    let local = search.cwd.ancestors().map(|folder| folder.join(".python-version"));
    let file = local.chain([root.join("version")]).find(|file| {
        looked.at(file);
        file.is_file()
    })?;
    let text = std::fs::read_to_string(file).ok()?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or(""));
    let words: Vec<String> = lines.flat_map(str::split_whitespace).map(str::to_owned).collect();
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions 3.11.7 and 3.12.1 below `root`, with a shim.
    fn pyenv() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        for name in ["versions/3.11.7/bin/python3", "versions/3.12.1/bin/python3", "shims/python3"] {
            let path = home.path().join("root").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "#!/bin/sh\n").unwrap();
        }
        std::fs::create_dir_all(home.path().join("project/deep")).unwrap();
        let shim = home.path().join("root/shims/python3");
        (home, shim)
    }

    #[test]
    fn the_variable_the_nearest_file_and_the_global_file_count_in_this_order() {
        let (home, shim) = pyenv();
        let mut search = Search { cwd: home.path().join("project/deep"), ..Search::default() };
        let version = |search: &Search| {
            let path = behind(&shim, search, &mut Looked::new())?;
            Some(path.strip_prefix(home.path().join("root/versions")).unwrap().display().to_string())
        };
        assert_eq!(version(&search), None, "nothing is said");
        std::fs::write(home.path().join("root/version"), "3.11.7\n").unwrap();
        assert_eq!(version(&search).as_deref(), Some("3.11.7/bin/python3"));
        std::fs::write(home.path().join("project/.python-version"), "# ours\n3.12.1 # new\n").unwrap();
        assert_eq!(version(&search).as_deref(), Some("3.12.1/bin/python3"));
        search.pyenv_version = Some("3.11.7:3.12.1".to_owned());
        assert_eq!(version(&search).as_deref(), Some("3.11.7/bin/python3"));
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_shim() {
        let (home, shim) = pyenv();
        for said in ["system", "3.12", "system:3.12.1", "../versions/3.11.7", "3.9.1:3.12.1"] {
            let search = Search { pyenv_version: Some(said.to_owned()), ..Search::default() };
            assert_eq!(behind(&shim, &search, &mut Looked::new()), None, "{said}");
        }
        let search = Search { pyenv_version: Some("3.12.1".to_owned()), ..Search::default() };
        let of = |path: &str| behind(&home.path().join("root").join(path), &search, &mut Looked::new());
        assert_eq!(of("shims/python9"), None, "no such program");
        assert_eq!(of("versions/3.12.1/bin/python3"), None, "no shim");
    }
}
