//! The canonical listing of a tree, and its digest.
//!
//! Knows one text format, written and read without loss: the header, then a
//! line per entry in the order of the paths' bytes. Must never know the disk.
//!
//! ```text
//! wheelwright tree 1
//! f <sha256> <size> <path>          a file
//! x <sha256> <size> <path>          an executable file
//! l <path><TAB><text of the link>   a symbolic link
//! d <path>                          an empty folder
//! ```
//! Backslash, tab, line feed and carriage return in names are written as
//! `\\`, `\t`, `\n`, `\r`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Entry, RelPath, Tree};
use crate::key::{Digest, TreeDigest};

const HEADER: &str = "wheelwright tree 1";

impl Tree {
    /// The canonical text: equal exactly for equal trees.
    pub fn to_listing(&self) -> String {
        let mut out = String::with_capacity(32 + self.entries.len() * 128);
        out.push_str(HEADER);
        out.push('\n');
        for (path, entry) in &self.entries {
            let path = escape(path.as_str());
            let _ = match entry {
                Entry::File { digest, size, executable } => {
                    let letter = if *executable { 'x' } else { 'f' };
                    writeln!(out, "{letter} {} {size} {path}", digest.hex())
                }
                Entry::Link(text) => writeln!(out, "l {path}\t{}", escape(text)),
                Entry::Folder => writeln!(out, "d {path}"),
            };
        }
        out
    }

    /// Reads a canonical text; anything `to_listing` would not have written
    /// is refused with the reason.
    pub fn from_listing(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix(HEADER).and_then(|t| t.strip_prefix('\n'));
        let rest = rest.ok_or_else(|| format!("the first line is not `{HEADER}`"))?;
        let mut entries = BTreeMap::new();
        for line in rest.lines() {
            let (path, entry) = read_line(line).map_err(|why| format!("line `{line}`: {why}"))?;
            entries.insert(path, entry);
        }
        let tree = Self { entries };
        if let Some(path) = tree.entries.keys().find(|p| tree.has_entry_above(p)) {
            return Err(format!("`{path}` lies below an entry that is no folder with content"));
        }
        // One comparison refuses every second spelling: order, duplicates,
        // upper-case hex, leading zeros, escapes that were not needed.
        if tree.to_listing() == text { Ok(tree) } else { Err("the text is not canonical".into()) }
    }

    /// The digest of the canonical listing.
    pub fn digest(&self) -> TreeDigest {
        TreeDigest(Digest::of(self.to_listing().as_bytes()))
    }

    /// Bytes of all files together.
    pub fn size(&self) -> u64 {
        let sizes = self.entries.values().map(|e| match e {
            Entry::File { size, .. } => *size,
            Entry::Link(_) | Entry::Folder => 0,
        });
        sizes.sum()
    }

    fn has_entry_above(&self, path: &RelPath) -> bool {
        let text = path.as_str();
        text.match_indices('/').any(|(at, _)| self.entries.contains_key(&RelPath(text[..at].to_owned())))
    }
}

fn read_line(line: &str) -> Result<(RelPath, Entry), String> {
    let (letter, rest) = line.split_once(' ').ok_or("no entry")?;
    match letter {
        "d" => Ok((RelPath::new(unescape(rest)?)?, Entry::Folder)),
        "l" => {
            let (path, text) = rest.split_once('\t').ok_or("a link without its text")?;
            Ok((RelPath::new(unescape(path)?)?, Entry::Link(unescape(text)?)))
        }
        "f" | "x" => {
            let mut parts = rest.splitn(3, ' ');
            let digest = parts.next().ok_or("no digest")?.parse()?;
            let size = parts.next().and_then(|s| s.parse().ok()).ok_or("no size")?;
            let path = RelPath::new(unescape(parts.next().ok_or("no path")?)?)?;
            Ok((path, Entry::File { digest, size, executable: letter == "x" }))
        }
        _ => Err(format!("`{letter}` is no kind of entry")),
    }
}

fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains(['\\', '\t', '\n', '\r']) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.into()
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('\\') => '\\',
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                other => return Err(format!("unknown escape {other:?}")),
            },
            c => c,
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tree {
        let file = |text: &str, executable| Entry::File {
            digest: Digest::of(text.as_bytes()),
            size: text.len() as u64,
            executable,
        };
        let entries = [
            ("a/b.txt", file("hello", false)),
            ("a-b", file("", true)),
            ("odd\tname\\with\nlines", file("x", false)),
            ("link", Entry::Link("a/b.txt".into())),
            ("empty", Entry::Folder),
        ];
        Tree { entries: entries.into_iter().map(|(p, e)| (RelPath::new(p).unwrap(), e)).collect() }
    }

    #[test]
    fn golden_listing() {
        expect_test::expect![[r"
            wheelwright tree 1
            x e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 a-b
            f 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 5 a/b.txt
            d empty
            l link	a/b.txt
            f 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 1 odd\tname\\with\nlines
        "]]
        .assert_eq(&sample().to_listing());
        expect_test::expect!["8e8f8a"].assert_eq(&sample().digest().hex()[..6]);
    }

    #[test]
    fn a_listing_is_read_back_without_loss() {
        let tree = sample();
        assert_eq!(Tree::from_listing(&tree.to_listing()).unwrap(), tree);
        assert_eq!(Tree::from_listing("wheelwright tree 1\n").unwrap(), Tree::default());
        assert_eq!(tree.size(), 6);
    }

    #[test]
    fn second_spellings_are_refused() {
        let e = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for body in [
            "d b\nd a\n".to_owned(),
            "d a\nd a\n".to_owned(),
            "d ../a\n".to_owned(),
            "d /a\n".to_owned(),
            format!("f {e} 00 a\n"),
            format!("f {} 0 a\n", e.to_uppercase()),
            "d a\nd a/b\n".to_owned(),
            format!("f {e} 0 a\nf {e} 0 a/b\n"),
            "d a".to_owned(),
            "q a\n".to_owned(),
            "d a\r\n".to_owned(),
        ] {
            let text = format!("wheelwright tree 1\n{body}");
            assert!(Tree::from_listing(&text).is_err(), "accepted {body:?}");
        }
        assert!(Tree::from_listing("wheelwright tree 2\n").is_err());
    }
}
