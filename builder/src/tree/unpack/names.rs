//! The names of an archive: which may still come, given those that came.
//!
//! Knows the rules of PEP 706 on names, and ours on duplicates, case and the
//! top folder. Must never touch the disk.

use std::collections::HashMap;

use super::error::Refusal;
use crate::tree::RelPath;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A folder with an entry of its own.
    Folder,
    /// A folder known only from what lies in it.
    Implied,
}

/// All names so far.
#[derive(Default)]
pub(super) struct Names {
    /// By lower-cased path: the path as written, and what it is.
    seen: HashMap<String, (String, What)>,
    /// The folder checked last: neighbours mostly share theirs.
    last: Option<String>,
    /// Whether everything must lie in one top folder.
    one_top: bool,
    top: Option<String>,
}

/// Reads an entry's raw name; `None` for the archive's root (`./`). The flag:
/// it ends with a slash.
pub(super) fn clean(raw: &[u8], depth: usize) -> Result<Option<(RelPath, bool)>, Refusal> {
    let text = std::str::from_utf8(raw).map_err(|_| Refusal::NotUtf8)?;
    if text.starts_with('/') {
        return Err(Refusal::Absolute);
    }
    let parts: Vec<&str> = text.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    if parts.contains(&"..") {
        return Err(Refusal::Escapes);
    }
    if parts.len() > depth {
        return Err(Refusal::Limit(format!("it lies deeper than {depth} folders")));
    }
    if parts.is_empty() {
        let is_root = text.starts_with('.');
        return if is_root { Ok(None) } else { Err(Refusal::BadName("its name is empty".into())) };
    }
    let path = RelPath::new(parts.join("/")).map_err(Refusal::BadName)?;
    Ok(Some((path, text.ends_with('/'))))
}

impl Names {
    pub(super) fn new(one_top: bool) -> Self {
        Self { one_top, ..Self::default() }
    }

    /// Takes a name, or says why it may not come.
    pub(super) fn add(&mut self, path: &RelPath, what: What) -> Result<(), Refusal> {
        let text = path.as_str();
        let first = text.split('/').next().unwrap_or(text);
        match &self.top {
            Some(top) if self.one_top && top != first => return Err(Refusal::SecondTop(top.clone())),
            Some(_) => {}
            None => self.top = Some(first.to_owned()),
        }
        if let Some((folder, _)) = text.rsplit_once('/')
            && self.last.as_deref() != Some(folder)
        {
            self.imply(folder)?;
            self.last = Some(folder.to_owned());
        }
        match self.seen.get_mut(&text.to_lowercase()) {
            None => {
                self.seen.insert(text.to_lowercase(), (text.to_owned(), what));
                Ok(())
            }
            Some((other, _)) if other != text => Err(Refusal::CaseCollision(other.clone())),
            Some((_, known @ What::Implied)) if what == What::Folder => {
                *known = What::Folder;
                Ok(())
            }
            Some(_) => Err(Refusal::Duplicate),
        }
    }

    fn imply(&mut self, folder: &str) -> Result<(), Refusal> {
        let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
        for above in ends.map(|at| &folder[..at]) {
            match self.seen.get(&above.to_lowercase()) {
                None => {
                    self.seen.insert(above.to_lowercase(), (above.to_owned(), What::Implied));
                }
                Some((other, _)) if other != above => return Err(Refusal::CaseCollision(other.clone())),
                Some((_, What::Link)) => return Err(Refusal::ThroughLink(above.to_owned())),
                Some((_, What::File)) => return Err(Refusal::ThroughFile(above.to_owned())),
                Some((_, What::Folder | What::Implied)) => {}
            }
        }
        Ok(())
    }

    /// Whether a path is a file that came before.
    pub(super) fn is_file(&self, path: &RelPath) -> bool {
        let known = self.seen.get(&path.as_str().to_lowercase());
        known.is_some_and(|(text, what)| text == path.as_str() && *what == What::File)
    }

    /// How many parts of a link's folder it must not climb over: with one top
    /// folder that folder is the root.
    pub(super) fn link_stays(&self, path: &RelPath, text: &str) -> bool {
        let inside = match path.as_str().split_once('/') {
            Some((_, rest)) if self.one_top => RelPath::new(rest).ok(),
            _ => Some(path.clone()),
        };
        inside.is_some_and(|p| crate::tree::link_stays(&p, text))
    }

    /// The top folder, when everything lies in one.
    pub(super) fn finish(self) -> Result<Option<String>, Refusal> {
        if !self.one_top {
            return Ok(None);
        }
        let top = self.top.ok_or(Refusal::NoTop)?;
        match self.seen.get(&top.to_lowercase()) {
            Some((_, What::Folder | What::Implied)) => Ok(Some(top)),
            _ => Err(Refusal::NoTop),
        }
    }

    /// How many names there are, folders included.
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }
}
