//! What was looked at on disk to read the recipes of a workspace.
//!
//! Knows files by what they said and folders by what they held. Must never
//! know what a recipe is.

use std::fs::FileType;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use recipes::diag::SourceFile;

use super::text::text;
use crate::error::{IoContext as _, Result};

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub enum Looked {
    /// Whether something is there, and what it is.
    At(PathBuf),
    /// A file that was read: this it said.
    File(PathBuf, Arc<SourceFile>),
    /// A folder that was read: this it held, sorted.
    Folder(PathBuf, Vec<(String, FileType)>),
    /// Something that cannot be told again by a look.
    Odd,
}

impl Looked {
    /// Where it is; nothing for what is odd.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Looked::At(path) | Looked::File(path, _) | Looked::Folder(path, _) => Some(path),
            Looked::Odd => None,
        }
    }

    /// Looks again, and says whether it is what it was. Of what was not read
    /// nothing can be said: nothing.
    pub fn again(&self) -> Option<bool> {
        match self {
            Looked::At(_) | Looked::Odd => None,
            Looked::File(path, was) => Some(text(Path::new(""), path).is_ok_and(|is| is.text == was.text)),
            Looked::Folder(path, was) => Some(listing(path).is_ok_and(|is| is == *was)),
        }
    }
}

/// More than these are read as quickly as they are looked at again.
const MOST: usize = 4096;

/// Notes what was looked at. What very many files said is not worth its room:
/// that there were more is then the last that is known.
pub(super) fn note(all: &mut Vec<Looked>, looked: Looked) {
    match MOST.checked_sub(all.len()) {
        None => {}
        Some(0) => all.push(Looked::Odd),
        Some(_) if matches!(&looked, Looked::Folder(_, names) if names.len() > MOST) => all.push(Looked::Odd),
        Some(_) => all.push(looked),
    }
}

/// The entries of a folder, sorted.
fn listing(folder: &Path) -> Result<Vec<(String, FileType)>> {
    let mut names: Vec<_> = entries(folder)?.into_iter().map(|(_, name, kind)| (name, kind)).collect();
    names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(names)
}

/// A path without `.` and `..`, so that its ancestors are the folders that
/// really lie above it.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                // Above a link is what lies above its target.
                out = std::fs::canonicalize(&out).unwrap_or(out);
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// The folders from which a path goes up with `..`: where they are links, what
/// lies above them is elsewhere.
pub(super) fn steps_up(path: &Path) -> Vec<Looked> {
    let mut before = PathBuf::new();
    let mut all = Vec::new();
    for part in path.components() {
        if part == Component::ParentDir {
            all.push(Looked::At(before.clone()));
        }
        before.push(part);
    }
    all
}

/// What a folder holds: path, name, and what it is (a link is a link). Names that are not UTF-8 are nobody's recipes.
pub(super) fn entries(folder: &Path) -> Result<Vec<(PathBuf, String, FileType)>> {
    let doing = || format!("failed to read the folder `{}`", folder.display());
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        let kind = entry.file_type().doing(doing)?;
        if let Ok(name) = entry.file_name().into_string() {
            out.push((entry.path(), name, kind));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_known_again_and_what_changed_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        std::fs::write(&path, "one").unwrap();
        let file = Looked::File(path.clone(), text(dir.path(), &path).unwrap());
        let folder = Looked::Folder(dir.path().to_owned(), listing(dir.path()).unwrap());
        assert_eq!([file.again(), folder.again()], [Some(true); 2]);
        std::fs::write(&path, "two").unwrap();
        assert_eq!([file.again(), folder.again()], [Some(false), Some(true)]);
        std::fs::write(dir.path().join("b.toml"), "").unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!([file.again(), folder.again()], [Some(false); 2]);
        std::fs::remove_file(dir.path().join("b.toml")).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!([file.again(), folder.again()], [Some(false); 2], "the name is that of a folder now");
    }

    #[test]
    fn of_very_many_things_it_is_only_known_that_there_were_more() {
        let mut all = Vec::new();
        (0..MOST + 5).for_each(|n| note(&mut all, Looked::At(PathBuf::from(format!("/{n}")))));
        assert_eq!(all.len(), MOST + 1);
        assert!(all[..MOST].iter().all(|looked| looked.path().is_some()));
        assert!(matches!(all[MOST], Looked::Odd));
        // So are the names in one folder.
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "").unwrap();
        let kind = listing(dir.path()).unwrap()[0].1;
        for (many, known) in [(MOST, true), (MOST + 1, false)] {
            let mut all = Vec::new();
            note(&mut all, Looked::Folder("/".into(), vec![("a".to_owned(), kind); many]));
            assert_eq!(all[0].path().is_some(), known);
        }
    }

    #[test]
    fn a_path_that_goes_up_rests_on_what_it_goes_up_from() {
        let ups = |path: &str| steps_up(Path::new(path)).len();
        assert_eq!(["/a/b", "/a/../b", "/a/b/../../c"].map(ups), [0, 1, 2]);
        assert_eq!(steps_up(Path::new("/a/l/../b"))[0].path(), Some(Path::new("/a/l")));
    }
}
