//! The files of a tree one after the other in a single file, for who copies
//! them many times: an open, a look and a close less for each of them.
//!
//! Knows the form: which folders there are, what lies in them, and where its
//! bytes are. Must never know which files are worth it, nor where a pack is kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, IoContext as _, Result, shown};

/// What a pack is called in the folder that is made for it.
pub const FILE: &str = "files.pack";
/// How a pack begins; another form begins in another way.
const BEGIN: &[u8] = b"wheelwright pack 1\n";
/// The length of the list follows, in this many digits and a line end.
const DIGITS: usize = 20;
/// The beginning of a file, by which it is decided what becomes of it.
const START: u64 = 16;
/// As many bytes are compared at a time.
const PIECE: usize = 1 << 16;

/// What a folder holds, each kind in order of the names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing<'p> {
    /// Folders.
    pub folders: Vec<&'p str>,
    /// Symbolic links.
    pub links: Vec<&'p str>,
    /// Files whose bytes are not in the pack.
    pub left: Vec<&'p str>,
    /// Files whose bytes are, one after the other.
    pub packed: Vec<Packed<'p>>,
}

impl Listing<'_> {
    /// How many entries there are.
    fn len(&self) -> usize {
        self.folders.len() + self.links.len() + self.left.len() + self.packed.len()
    }
}

/// A file in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed<'p> {
    /// Its name in its folder.
    pub name: &'p str,
    /// Whether it may be executed.
    pub executable: bool,
    /// Where its bytes begin.
    pub at: u64,
    /// How many there are.
    pub size: u64,
}

/// A pack whose list was read.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    /// Where it stays open.
    file: Option<File>,
    list: String,
    /// In order of the folders.
    sections: Vec<Section>,
}

/// Where a folder's part of the list is, and where its first file begins.
#[derive(Debug)]
struct Section {
    rel: Range<usize>,
    items: Range<usize>,
    at: u64,
}

impl Pack {
    /// Reads the list of a pack, which stays open if it is `kept`: of many, not
    /// all can.
    pub fn open(path: &Path, kept: bool) -> Result<Self> {
        let doing = || format!("failed to read `{}`", path.display());
        let odd = |why: &str| {
            Error::environment(doing())
                .because(why)
                .hint("`wheelwright store verify --repair` makes it again")
        };
        let file = File::open(path).doing(doing)?;
        let mut head = [0; BEGIN.len() + DIGITS + 1];
        file.read_exact_at(&mut head, 0).map_err(|_| odd("it was cut"))?;
        let digits = head.strip_prefix(BEGIN).and_then(|text| std::str::from_utf8(text).ok());
        let length = digits.and_then(|text| text.trim().parse::<u64>().ok());
        let begin = length.and_then(|n| n.checked_add(head.len() as u64));
        let begin = begin.ok_or_else(|| odd("it is no pack of files"))?;
        let whole = file.metadata().doing(doing)?.len();
        if begin > whole {
            return Err(odd("it was cut"));
        }
        let mut list = vec![0; usize::try_from(begin).doing(doing)? - head.len()];
        file.read_exact_at(&mut list, head.len() as u64).doing(doing)?;
        let list = String::from_utf8(list).map_err(|_| odd("its list is not one of files"))?;
        match sections(&list, begin) {
            Some((sections, end)) if end == whole => {
                Ok(Self { path: path.to_owned(), file: kept.then_some(file), list, sections })
            }
            Some(_) => Err(odd("its length is not that of its files")),
            None => Err(odd("its list is not one of files")),
        }
    }

    /// What a folder of the tree holds; the tree itself is the empty text.
    pub fn folder(&self, rel: &str) -> Option<Listing<'_>> {
        let found = self.sections.binary_search_by(|section| self.list[section.rel.clone()].cmp(rel)).ok()?;
        let Section { items, at, .. } = &self.sections[found];
        let (mut listing, mut at) = (Listing::default(), *at);
        for item in self.list[items.clone()].split_terminator('\0') {
            match Item::of(item)? {
                Item::Folder(name) => listing.folders.push(name),
                Item::Link(name) => listing.links.push(name),
                Item::Left(name) => listing.left.push(name),
                Item::Packed { name, executable, size } => {
                    listing.packed.push(Packed { name, executable, at, size });
                    at += size;
                }
                Item::Section => return None,
            }
        }
        Some(listing)
    }

    /// Bytes of one or more files that follow each other.
    pub fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        match &self.file {
            Some(file) => file.read_exact_at(into, at),
            None => File::open(&self.path)?.read_exact_at(into, at),
        }
    }
}

/// One word of a list.
enum Item<'p> {
    /// What follows is in the folder of this name.
    Section,
    Folder(&'p str),
    Link(&'p str),
    Left(&'p str),
    Packed {
        name: &'p str,
        executable: bool,
        size: u64,
    },
}

impl<'p> Item<'p> {
    fn of(word: &'p str) -> Option<Self> {
        let (kind, text) = word.split_at_checked(1)?;
        Some(match kind {
            "D" => Self::Section,
            "d" => Self::Folder(text),
            "s" => Self::Link(text),
            "l" => Self::Left(text),
            "c" | "x" => {
                let (size, name) = text.split_once(' ')?;
                Self::Packed { name, executable: kind == "x", size: size.parse().ok()? }
            }
            _ => return None,
        })
    }
}

/// The folders of a list, and where the last file ends.
fn sections(list: &str, begin: u64) -> Option<(Vec<Section>, u64)> {
    let mut sections: Vec<Section> = Vec::new();
    let (mut from, mut at) = (0, begin);
    for word in list.split_terminator('\0') {
        let end = from + word.len() + 1;
        match (Item::of(word)?, sections.last_mut()) {
            (Item::Section, _) => {
                sections.push(Section { rel: from + 1..end - 1, items: end..end, at });
            }
            (_, None) => return None,
            (Item::Packed { size, .. }, Some(section)) => {
                at = at.checked_add(size)?;
                section.items.end = end;
            }
            (_, Some(section)) => section.items.end = end,
        }
        from = end;
    }
    let name = |section: &Section| &list[section.rel.clone()];
    let sorted = list.ends_with('\0') && sections.is_sorted_by(|a, b| name(a) < name(b));
    sorted.then_some((sections, at))
}

/// Packs the files of `tree` into a new file, but those that `leaves` says are
/// left where they are, by name, size and the first bytes.
pub fn pack(tree: &Path, into: &Path, leaves: &dyn Fn(&str, u64, &[u8]) -> bool) -> Result<()> {
    let doing = || format!("failed to write `{}`", into.display());
    let (mut folders, mut files) = (BTreeMap::new(), Vec::new());
    let mut todo = vec![String::new()];
    while let Some(rel) = todo.pop() {
        let found = entries(&tree.join(&rel))?;
        todo.extend(found.iter().filter(|(_, kind)| kind.is_dir()).map(|(name, _)| below(&rel, name)));
        folders.insert(rel, found);
    }
    let mut list = Vec::new();
    for (rel, found) in &folders {
        list.push(format!("D{rel}"));
        for (name, kind) in found {
            if kind.is_dir() {
                list.push(format!("d{name}"));
            } else if kind.is_symlink() {
                list.push(format!("s{name}"));
            } else {
                let path = tree.join(below(rel, name));
                let (word, size) = word_of(&path, name, leaves)?;
                list.push(word);
                files.extend(size.map(|size| (path, size)));
            }
        }
    }
    let list: String = list.into_iter().flat_map(|item| [item, "\0".to_owned()]).collect();
    let mut out = BufWriter::new(File::create_new(into).doing(doing)?);
    out.write_all(BEGIN).doing(doing)?;
    out.write_all(format!("{:DIGITS$}\n{list}", list.len()).as_bytes()).doing(doing)?;
    for (path, size) in files {
        let mut file = File::open(&path).doing(|| format!("failed to read `{}`", path.display()))?;
        if io::copy(&mut file, &mut out).doing(doing)? != size {
            return Err(Error::environment(doing())
                .because(format!("`{}` changed while it was read", path.display())));
        }
    }
    out.flush().doing(doing)?;
    out.get_ref().set_permissions(std::fs::Permissions::from_mode(0o444)).doing(doing)
}

/// What the list says of a file, and its size where it is packed.
fn word_of(
    path: &Path,
    name: &str,
    leaves: &dyn Fn(&str, u64, &[u8]) -> bool,
) -> Result<(String, Option<u64>)> {
    let doing = || format!("failed to read `{}`", path.display());
    let file = File::open(path).doing(doing)?;
    let meta = file.metadata().doing(doing)?;
    let mut start = Vec::new();
    file.take(START).read_to_end(&mut start).doing(doing)?;
    if leaves(name, meta.len(), &start) {
        return Ok((format!("l{name}"), None));
    }
    let kind = if meta.permissions().mode() & 0o111 == 0 { 'c' } else { 'x' };
    Ok((format!("{kind}{} {name}", meta.len()), Some(meta.len())))
}

fn below(rel: &str, name: &str) -> String {
    if rel.is_empty() { name.to_owned() } else { format!("{rel}/{name}") }
}

/// The entries of a folder in order of their names.
fn entries(folder: &Path) -> Result<Vec<(String, std::fs::FileType)>> {
    let doing = || format!("failed to list `{}`", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        let kind = entry.file_type().doing(doing)?;
        let name = entry.file_name().into_string().map_err(|n| format!("the name {n:?} is not UTF-8"));
        found.push((name.doing(doing)?, kind));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Whether a pack holds all of a tree as it is; the error is the first
/// difference.
pub fn check(pack: &Path, tree: &Path) -> Result<(), String> {
    let pack = Pack::open(pack, true).map_err(|e| e.to_string())?;
    let (mut todo, mut seen) = (vec![String::new()], 0);
    while let Some(rel) = todo.pop() {
        let listing = pack.folder(&rel).ok_or_else(|| format!("it has no folder `{}`", shown(&rel)))?;
        let theirs = entries(&tree.join(&rel)).map_err(|e| e.to_string())?;
        for (name, kind) in &theirs {
            let is = |all: &[&str]| all.binary_search(&name.as_str()).is_ok();
            let agrees = if kind.is_dir() {
                is(&listing.folders)
            } else if kind.is_symlink() {
                is(&listing.links)
            } else {
                is(&listing.left) || {
                    let found = listing.packed.binary_search_by(|p| p.name.cmp(name.as_str()));
                    found.is_ok_and(|i| holds(&pack, listing.packed[i], &tree.join(below(&rel, name))))
                }
            };
            if !agrees {
                return Err(format!("its `{}` is not that of its tree", shown(&below(&rel, name))));
            }
            if kind.is_dir() {
                todo.push(below(&rel, name));
            }
        }
        if theirs.len() != listing.len() {
            return Err(format!("it has more in `{}` than its tree", shown(&rel)));
        }
        seen += 1;
    }
    if seen == pack.sections.len() {
        Ok(())
    } else {
        Err("it has folders that its tree does not have".into())
    }
}

/// Whether a file of the pack is this one, mode and all.
fn holds(pack: &Pack, packed: Packed<'_>, path: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        let executable = meta.permissions().mode() & 0o111 != 0;
        if meta.len() != packed.size || executable != packed.executable {
            return Ok(false);
        }
        let (mut at, mut ours, mut theirs) = (0, vec![0; PIECE], vec![0; PIECE]);
        while at < packed.size {
            let piece = usize::try_from(packed.size - at).unwrap_or(PIECE).min(PIECE);
            file.read_exact_at(&mut theirs[..piece], at)?;
            pack.read(packed.at + at, &mut ours[..piece])?;
            if ours[..piece] != theirs[..piece] {
                return Ok(false);
            }
            at += piece as u64;
        }
        Ok(true)
    };
    same().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A tree with all there may be, and its pack: what ends in `.so` is left.
    fn packed() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (tree, file) = (dir.path().join("tree"), dir.path().join(FILE));
        for folder in ["a b/deep", "a b-c", "nothing"] {
            fs::create_dir_all(tree.join(folder)).unwrap();
        }
        let large = "0123456789".repeat(PIECE / 5);
        let files = [
            ("a b/two\nlines", "two"),
            ("a b/empty", ""),
            ("a b/deep/x.so", "native"),
            ("run", &large),
            ("z", "z"),
        ];
        for (name, text) in files {
            fs::write(tree.join(name), text).unwrap();
        }
        fs::set_permissions(tree.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("z", tree.join("link")).unwrap();
        pack(&tree, &file, &|name, _, _| name.ends_with(".so")).unwrap();
        (dir, tree, file)
    }

    #[test]
    fn a_pack_lists_a_tree_and_gives_its_bytes_back() {
        let (_dir, tree, file) = packed();
        for kept in [true, false] {
            let pack = Pack::open(&file, kept).unwrap();
            assert_eq!(pack.file.is_some(), kept);
            holds_all(&pack, &tree);
        }
    }

    fn holds_all(pack: &Pack, tree: &Path) {
        let top = pack.folder("").unwrap();
        assert_eq!((&top.folders[..], &top.links[..]), (&["a b", "a b-c", "nothing"][..], &["link"][..]));
        assert_eq!(pack.folder("a b/deep").unwrap().left, ["x.so"]);
        assert_eq!(pack.folder("nothing"), Some(Listing::default()));
        assert_eq!(pack.folder("a"), None);
        let mut seen = Vec::new();
        for rel in ["", "a b", "a b/deep", "a b-c", "nothing"] {
            for found in pack.folder(rel).unwrap().packed {
                let mut bytes = vec![0; usize::try_from(found.size).unwrap()];
                pack.read(found.at, &mut bytes).unwrap();
                assert_eq!(bytes, fs::read(tree.join(rel).join(found.name)).unwrap());
                seen.push((found.name.to_owned(), found.executable));
            }
        }
        let expected = [("run", true), ("z", false), ("empty", false), ("two\nlines", false)];
        assert_eq!(seen, expected.map(|(name, executable)| (name.to_owned(), executable)));
    }

    #[test]
    fn what_decides_sees_name_size_and_beginning() {
        let (dir, tree, _) = packed();
        let asked = std::cell::RefCell::new(Vec::new());
        let leaves = |name: &str, size: u64, start: &[u8]| {
            asked.borrow_mut().push((name.to_owned(), size, start.len()));
            true
        };
        pack(&tree, &dir.path().join("other"), &leaves).unwrap();
        assert!(asked.borrow().contains(&("run".to_owned(), 2 * PIECE as u64 - 2, 16)), "{asked:?}");
        assert!(asked.borrow().contains(&("empty".to_owned(), 0, 0)));
    }

    #[test]
    fn every_difference_from_the_tree_is_found() {
        type Damage = fn(&Path, &Path);
        let flip = |file: &Path, back: usize| {
            let mut bytes = fs::read(file).unwrap();
            let at = bytes.len() - back;
            bytes[at] ^= 1;
            fs::remove_file(file).unwrap();
            fs::write(file, bytes).unwrap();
        };
        let damages: [(Damage, &str); 11] = [
            (|_, _| {}, ""),
            (|tree, _| fs::write(tree.join("z"), "y").unwrap(), "its `z` is not that of its tree"),
            (|tree, _| fs::write(tree.join("z"), "zz").unwrap(), "its `z` is not that of its tree"),
            (|tree, _| fs::write(tree.join("a b/new"), "").unwrap(), "its `a b/new` is not that of its tree"),
            (|tree, _| fs::create_dir(tree.join("new")).unwrap(), "its `new` is not that of its tree"),
            (|tree, _| fs::remove_file(tree.join("link")).unwrap(), "it has more in `` than its tree"),
            (|tree, _| fs::remove_dir(tree.join("nothing")).unwrap(), "it has more in `` than its tree"),
            (
                |tree, _| fs::set_permissions(tree.join("run"), fs::Permissions::from_mode(0o644)).unwrap(),
                "its `run` is not that of its tree",
            ),
            (|_, file| fs::write(file, "wheelwright pack 2\n").unwrap(), "it was cut"),
            (|_, file| fs::write(file, vec![b'1'; 1000]).unwrap(), "it is no pack of files"),
            (
                |_, file| {
                    let bytes = fs::read(file).unwrap();
                    fs::remove_file(file).unwrap();
                    fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
                },
                "its length is not that of its files",
            ),
        ];
        for (damage, expected) in damages {
            let (_dir, tree, file) = packed();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            damage(&tree, &file);
            let said = check(&file, &tree).err().unwrap_or_default();
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{said}: {expected}");
        }
        // The last byte of the last file, and the first of the list.
        for (back, expected) in [(1, "its `a b/two\nlines`"), (0, "its list is not one of files")] {
            let (_dir, tree, file) = packed();
            let list = fs::metadata(&file).unwrap().len() as usize - BEGIN.len() - DIGITS - 1;
            flip(&file, if back == 0 { list } else { back });
            let said = check(&file, &tree).unwrap_err();
            assert!(
                said.contains(&shown(expected).replace("\\n`", "\\n")) || said.contains(expected),
                "{said}"
            );
        }
    }
}
