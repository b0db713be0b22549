//! The files of a proposal, with any of its bumps made or not.
//!
//! Knows what was there, byte for byte. Must never leave half of a bump.

use std::path::{Path, PathBuf};

use super::Proposal;
use crate::error::{Error, IoContext as _, Result};
use crate::tree::fs::write_atomic;

/// A file that is there or not, depending on what was made.
struct Leaf {
    path: PathBuf,
    text: String,
    mode: u32,
}

/// The files of one bump.
struct Pair {
    before: Leaf,
    after: Leaf,
}

/// The files of a proposal and what is made of it.
pub struct Desk {
    pairs: Vec<Pair>,
    new: Vec<(Leaf, Vec<usize>)>,
    /// By bump.
    made: Vec<bool>,
    written: Vec<bool>,
}

impl Desk {
    /// Nothing is made yet. A file that changed since it was read is an error.
    pub fn open(proposal: &Proposal) -> Result<Self> {
        let mut pairs = Vec::new();
        for bump in &proposal.bumps {
            let (old, new) = &bump.path;
            let doing = || format!("failed to update `{}`", old.display());
            let text = std::fs::read_to_string(old).doing(doing)?;
            if text != bump.text.0 {
                return Err(Error::input(doing()).because("the file changed while the run was going on"));
            }
            let mode = mode_of(old)?;
            let leaf = |path: &Path, text: &str| Leaf { path: path.to_owned(), text: text.to_owned(), mode };
            pairs.push(Pair { before: leaf(old, &bump.text.0), after: leaf(new, &bump.text.1) });
        }
        let new = proposal.new.iter().map(|new| {
            let leaf = Leaf { path: new.path.clone(), text: new.text.clone(), mode: 0o644 };
            (leaf, new.needed_by.iter().copied().collect())
        });
        let new: Vec<(Leaf, Vec<usize>)> = new.collect();
        let (made, written) = (vec![false; pairs.len()], vec![false; new.len()]);
        Ok(Self { pairs, new, made, written })
    }

    /// Makes exactly these bumps: others are taken back, new recipes stay as
    /// long as one needs them. After an error all is as it was before.
    pub fn lay(&mut self, bumps: &[usize]) -> Result<()> {
        let before: Vec<usize> = (0..self.made.len()).filter(|i| self.made[*i]).collect();
        self.change(bumps).inspect_err(|_| {
            // What cannot be taken back either is told by the first error.
            let _ = self.change(&before);
        })
    }

    fn change(&mut self, bumps: &[usize]) -> Result<()> {
        for (i, (leaf, needed_by)) in self.new.iter().enumerate() {
            let wanted = needed_by.iter().any(|by| bumps.contains(by));
            if wanted != self.written[i] {
                if wanted {
                    leaf.write()?
                } else {
                    leaf.remove()?
                }
                self.written[i] = wanted;
            }
        }
        for (i, pair) in self.pairs.iter().enumerate() {
            let wanted = bumps.contains(&i);
            if wanted != self.made[i] {
                let (from, to) =
                    if wanted { (&pair.before, &pair.after) } else { (&pair.after, &pair.before) };
                to.write()?;
                self.made[i] = wanted;
                if from.path != to.path {
                    from.remove()?;
                }
            }
        }
        Ok(())
    }

    /// The bumps that are made.
    pub fn made(&self) -> Vec<usize> {
        (0..self.made.len()).filter(|i| self.made[*i]).collect()
    }

    /// Whether a new recipe is written.
    pub fn is_written(&self, new: usize) -> bool {
        self.written[new]
    }
}

impl Leaf {
    fn write(&self) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).doing(|| format!("failed to make `{}`", folder.display()))?;
        }
        write_atomic(&self.path, self.text.as_bytes(), self.mode)
    }

    fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).doing(|| format!("failed to remove `{}`", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

fn mode_of(path: &Path) -> Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = path.metadata().doing(|| format!("failed to read `{}`", path.display()))?;
    Ok(meta.permissions().mode() & 0o777)
}
