//! Several installs as one folder: what is linked whole, what is opened up,
//! and who owns a path twice.
//!
//! Knows names and where each comes from. A folder is opened only when
//! something else has to stand in it. Must never know Python.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::copies::Copies;
use crate::error::{IoContext as _, Result};

/// What stands at a name.
#[derive(Clone, Debug)]
pub enum Node {
    /// Something of an install.
    Of(Source),
    /// A file made here.
    Text {
        /// Which install it is made for.
        owner: usize,
        /// Its text.
        text: String,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A folder of its own.
    Folder(Folder),
}

/// A file or folder of an install.
#[derive(Clone, Debug)]
pub struct Source {
    /// Which install.
    pub owner: usize,
    /// Where it is.
    pub path: PathBuf,
    /// A folder, else a file.
    pub folder: bool,
    /// It must not be linked.
    pub real: bool,
}

/// What lies beside the files of an install without being one of them:
/// whoever writes the files out takes what fits from there.
pub const COMPANION: &str = "__pycache__";

/// Names in order.
pub type Folder = BTreeMap<String, Node>;

/// Two installs with different bytes for one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The path in the environment.
    pub path: String,
    /// The two installs.
    pub owners: (usize, usize),
}

/// A folder in the making.
#[derive(Debug)]
pub struct Merge<'a> {
    /// What it holds.
    pub top: Folder,
    /// What cannot be.
    pub clashes: Vec<Clash>,
    copies: &'a Copies<'a>,
}

impl<'a> Merge<'a> {
    /// Nothing, for now. What a pack lists of an install is not asked of the disk.
    pub fn new(copies: &'a Copies<'a>) -> Self {
        Self { top: Folder::new(), clashes: Vec::new(), copies }
    }

    /// Puts something at a path.
    pub fn add(&mut self, path: &str, node: Node) -> Result<()> {
        insert((self.copies, &mut self.top), path, path, node, &mut self.clashes)
    }

    /// Puts something at a path in place of what is there.
    pub fn replace(&mut self, path: &str, node: Node) -> Result<()> {
        replace((self.copies, &mut self.top), path, node)
    }
}

fn replace((copies, folder): (&Copies<'_>, &mut Folder), rest: &str, node: Node) -> Result<()> {
    let Some((name, below)) = rest.split_once('/') else {
        folder.insert(rest.to_owned(), node);
        return Ok(());
    };
    let inner = folder.entry(name.to_owned()).or_insert_with(|| Node::Folder(Folder::new()));
    if let Node::Of(source) = inner
        && source.folder
    {
        *inner = Node::Folder(open(copies, source)?);
    }
    match inner {
        Node::Folder(inner) => replace((copies, inner), below, node),
        _ => Ok(()),
    }
}

fn insert(
    (copies, folder): (&Copies<'_>, &mut Folder),
    path: &str,
    rest: &str,
    node: Node,
    clashes: &mut Vec<Clash>,
) -> Result<()> {
    let Some((name, below)) = rest.split_once('/') else {
        return match folder.remove(rest) {
            None => {
                folder.insert(rest.to_owned(), node);
                Ok(())
            }
            Some(there) => {
                let both = join(copies, path, (there, node), clashes)?;
                folder.insert(rest.to_owned(), both);
                Ok(())
            }
        };
    };
    let inner = folder.entry(name.to_owned()).or_insert_with(|| Node::Folder(Folder::new()));
    if let Node::Of(source) = inner
        && source.folder
    {
        *inner = Node::Folder(open(copies, source)?);
    }
    let there = owner(inner);
    match inner {
        Node::Folder(inner) => insert((copies, inner), path, below, node, clashes),
        _ => {
            let at = &path[..path.len() - below.len() - 1];
            clashes.push(Clash { path: at.to_owned(), owners: (there, owner(&node)) });
            Ok(())
        }
    }
}

/// Two things at one path: equal files are one, folders are merged.
fn join(copies: &Copies<'_>, path: &str, (a, b): (Node, Node), clashes: &mut Vec<Clash>) -> Result<Node> {
    match (is_folder(&a), is_folder(&b)) {
        (true, true) => {
            let mut both = into_folder(copies, a)?;
            for (name, node) in into_folder(copies, b)? {
                insert((copies, &mut both), &format!("{path}/{name}"), &name, node, clashes)?;
            }
            Ok(Node::Folder(both))
        }
        (false, false) if bytes(&a)? == bytes(&b)? => Ok(a),
        _ => {
            clashes.push(Clash { path: path.to_owned(), owners: (owner(&a), owner(&b)) });
            Ok(a)
        }
    }
}

fn is_folder(node: &Node) -> bool {
    match node {
        Node::Folder(_) => true,
        Node::Of(source) => source.folder,
        Node::Text { .. } => false,
    }
}

fn owner(node: &Node) -> usize {
    match node {
        Node::Of(source) => source.owner,
        Node::Text { owner, .. } => *owner,
        Node::Folder(inner) => inner.values().next().map_or(0, owner),
    }
}

fn bytes(node: &Node) -> Result<Vec<u8>> {
    match node {
        Node::Text { text, .. } => Ok(text.clone().into_bytes()),
        Node::Of(source) => {
            fs::read(&source.path).doing(|| format!("failed to read `{}`", source.path.display()))
        }
        Node::Folder(_) => Ok(Vec::new()),
    }
}

fn into_folder(copies: &Copies<'_>, node: Node) -> Result<Folder> {
    match node {
        Node::Folder(folder) => Ok(folder),
        Node::Of(source) => open(copies, &source),
        Node::Text { .. } => Ok(Folder::new()),
    }
}

/// One level of an install's folder, without what belongs to no package.
fn open(copies: &Copies<'_>, source: &Source) -> Result<Folder> {
    let (owner, real) = (source.owner, source.real);
    let entry = |(name, path, folder): (String, PathBuf, bool)| {
        (name != COMPANION).then_some((name, Node::Of(Source { owner, path, folder, real })))
    };
    let Some((_, listing)) = copies.folder(owner, &source.path) else {
        return Ok(list(&source.path)?.into_iter().filter_map(entry).collect());
    };
    let files = listing.packed.iter().map(|p| p.name).chain(listing.left).chain(listing.links);
    let all = listing.folders.iter().map(|name| (*name, true)).chain(files.map(|name| (name, false)));
    let known = |(name, folder): (&str, bool)| entry((name.to_owned(), source.path.join(name), folder));
    Ok(all.filter_map(known).collect())
}

/// Name, path and whether it is a folder, of each entry.
pub fn list(folder: &Path) -> Result<Vec<(String, PathBuf, bool)>> {
    let doing = || format!("failed to list `{}`", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        let is_folder = entry.file_type().doing(doing)?.is_dir();
        let name = entry.file_name().into_string().map_err(|n| format!("the name {n:?} is not UTF-8"));
        found.push((name.doing(doing)?, entry.path(), is_folder));
    }
    Ok(found)
}
