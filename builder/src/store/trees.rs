//! Folders by the digest of their listing.
//!
//! Knows how a staged folder becomes a tree, and the companions of trees.
//! Must never know what is in them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::input::Input;
use super::{Store, TempDir, explain, fan_out, make_folder};
use crate::error::{Error, IoContext as _, Kind, Result, shown};
use crate::key::TreeDigest;
use crate::tree::fs::{self, remove_tree};
use crate::tree::unpack::Held;
use crate::tree::{Entry, RelPath, Tree, fault, link_stays};

impl Store {
    /// Whether a tree is there (its files are not read).
    pub fn has_tree(&self, digest: &TreeDigest) -> Result<bool> {
        let _gate = self.gate()?;
        self.pin(&[Input::Tree(*digest)])?;
        Ok(self.tree_path(digest).is_dir())
    }

    /// Moves a staged folder into the store: read-only, every file owned by
    /// the store alone. `staged` is gone afterwards, also when the tree was
    /// there already. Links that leave the folder, devices, fifos and names
    /// that are not UTF-8 are errors of kind `Build`.
    pub fn add_tree(&self, staged: &Path) -> Result<TreeDigest> {
        let doing = || format!("failed to keep the folder `{}`", staged.display());
        let tree = crate::tree::scan::seal(staged).map_err(|e| e.within(doing()))?;
        refuse_escapes(&tree).map_err(|e| e.within(doing()))?;
        let digest = tree.digest();
        if self.has_tree(&digest)? {
            remove_tree(staged)?;
            return Ok(digest);
        }
        self.keep_tree(staged, &digest)?;
        Ok(digest)
    }

    /// [`Store::add_tree`] of an archive that is in memory: nothing is written
    /// when the tree is there already, and nothing read again when it is not.
    pub fn add_held(&self, held: &Held) -> Result<TreeDigest> {
        refuse_escapes(&held.tree)?;
        let digest = held.tree.digest();
        if !self.has_tree(&digest)? {
            let temp = self.temp_dir()?;
            let staged = temp.path().join("tree");
            make_folder(&staged).map_err(|e| explain(e, format!("failed to make `{}`", staged.display())))?;
            held.write_sealed(&staged)?;
            self.keep_tree(&staged, &digest)?;
        }
        Ok(digest)
    }

    /// Moves a sealed folder into its place.
    fn keep_tree(&self, staged: &Path, digest: &TreeDigest) -> Result<()> {
        let doing = || format!("failed to keep the folder `{}`", staged.display());
        rustix::fs::chmod(staged, fs::bits(0o755)).doing(doing)?;
        let (staged, _temp) = self.on_our_disk(staged)?;
        fs::sync_tree(&staged).map_err(|e| explain(e, doing()))?;
        let target = self.tree_path(digest);
        let folder = target.parent().expect("a tree lies in a folder");
        make_folder(folder).map_err(|e| explain(e, doing()))?;
        {
            let _gate = self.gate()?;
            self.pin(&[Input::Tree(*digest)])?;
            fault::point();
            move_new(&staged, &target).map_err(|e| explain(e, doing()))?;
            fault::point();
        }
        // Last: a folder that is not writable cannot be moved.
        rustix::fs::chmod(&target, fs::bits(0o555)).doing(doing)?;
        fs::sync_folder(folder).doing(doing)
    }

    /// A rename cannot cross file systems: what was staged on another is copied.
    fn on_our_disk(&self, staged: &Path) -> Result<(PathBuf, Option<TempDir>)> {
        use std::os::unix::fs::MetadataExt as _;
        let disk = |path: &Path| -> Result<u64> {
            let meta = path.symlink_metadata().doing(|| format!("failed to read `{}`", path.display()))?;
            Ok(meta.dev())
        };
        if disk(staged)? == disk(self.root())? {
            return Ok((staged.to_owned(), None));
        }
        let temp = self.temp_dir()?;
        let copy = temp.path().join("tree");
        fs::copy_tree(staged, &copy, fs::Copying::ReadOnly, None)?;
        rustix::fs::chmod(&copy, fs::bits(0o755)).doing(|| format!("failed to read `{}`", copy.display()))?;
        remove_tree(staged)?;
        Ok((copy, Some(temp)))
    }

    /// A companion, if it was made already.
    pub fn companion_of(&self, of: &TreeDigest, name: &str) -> Option<PathBuf> {
        let place = fan_out(&self.root().join("local"), &of.0).join(name);
        place.is_dir().then_some(place)
    }

    /// A folder beside a tree that is made for this host and in no digest
    /// (byte code, hard links to the tree's files). `make` fills it once; it
    /// goes when its tree goes.
    pub fn companion(
        &self,
        of: &TreeDigest,
        name: &str,
        make: &dyn Fn(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        if let Some(there) = self.companion_of(of, name) {
            return Ok(there);
        }
        let base = fan_out(&self.root().join("local"), &of.0);
        let target = base.join(name);
        let doing = || format!("failed to make `{}`", target.display());
        // Whoever is second waits for the first, instead of doing it again.
        let making = {
            let mut all = self.inner.making.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(target.clone()).or_default())
        };
        let _alone = making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = self.companion_of(of, name) {
            return Ok(there);
        }
        let temp = self.temp_dir()?;
        let staged = temp.path().join("companion");
        make_folder(&staged).map_err(|e| explain(e, doing()))?;
        make(&staged)?;
        fs::sync_tree(&staged).map_err(|e| explain(e, doing()))?;
        let above = base.parent().expect("a companion lies in a folder");
        make_folder(above).and_then(|()| make_folder(&base)).map_err(|e| explain(e, doing()))?;
        let _gate = self.gate()?;
        self.pin(&[Input::Tree(*of)])?;
        move_new(&staged, &target).map_err(|e| explain(e, doing()))?;
        Ok(target)
    }

    /// Moves a staged folder to `envs/NAME` (one path part). Its links into
    /// the store must be relative, as seen from `envs/NAME`. One that is there
    /// already stays, and `staged` is removed.
    pub fn add_env(&self, name: &str, staged: &Path) -> Result<PathBuf> {
        let doing = || format!("failed to keep the environment `{name}`");
        let one_part = RelPath::new(name).is_ok_and(|p| !p.as_str().contains(['/', '\n']));
        if !one_part {
            return Err(Error::bug(doing()).because("its name is not one part of a path"));
        }
        let target = self.envs_dir().join(name);
        // Whoever finds the name later asks no more than whether it is there:
        // a power cut must not leave it with empty files.
        fs::sync_tree(staged).map_err(|e| explain(e, doing()))?;
        let _gate = self.gate()?;
        self.pin_env(name)?;
        fault::point();
        move_new(staged, &target).map_err(|e| explain(e, doing()))?;
        fault::point();
        Ok(target)
    }

    /// An environment, if it is there; it is kept while this process lives.
    pub fn env(&self, name: &str) -> Result<Option<PathBuf>> {
        let _gate = self.gate()?;
        self.pin_env(name)?;
        let path = self.envs_dir().join(name);
        Ok(path.is_dir().then_some(path))
    }
}

/// Renames a folder to a name that is free; if another process was first with
/// the same content, ours is removed.
fn move_new(staged: &Path, target: &Path) -> io::Result<()> {
    match std::fs::rename(staged, target) {
        Err(e) if matches!(e.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
            remove_tree(staged).map_err(io::Error::other)
        }
        other => other,
    }
}

fn refuse_escapes(tree: &Tree) -> Result<()> {
    for (path, entry) in &tree.entries {
        if let Entry::Link(text) = entry
            && !link_stays(path, text)
        {
            let message =
                format!("the link `{}` -> `{}` leaves the folder", shown(path.as_str()), shown(text));
            return Err(Error::new(Kind::Build, message));
        }
    }
    Ok(())
}
