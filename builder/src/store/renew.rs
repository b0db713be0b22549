//! A new database in the place of a damaged one.
//!
//! Knows that blobs and trees are found by their names, so that only what was
//! recorded is lost, and that roots are worth saving: without them a
//! collection would take what users still link to. Must never overwrite the
//! damaged file.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::session::Gate;
use super::state::connect;
use super::{Root, Store};
use crate::error::{Error, IoContext as _, Result};

impl Store {
    /// [`Store::open`] for a repair: a database that cannot even be opened is
    /// moved aside first. The path is where it is now.
    pub fn open_to_repair(root: &Path) -> Result<(Self, Option<PathBuf>)> {
        let error = match Self::open(root) {
            Ok(store) => return Ok((store, None)),
            Err(error) => error,
        };
        let path = root.join("state.sqlite");
        if !is_damaged(&path) {
            return Err(error);
        }
        let gate = Gate::exclusive(root)?;
        let aside = move_aside(&path)?;
        drop(gate);
        Ok((Self::open(root)?, Some(aside)))
    }

    /// Moves the database aside and makes a new one with the old one's roots,
    /// as far as those can be read.
    pub(super) fn renew_database(&self) -> Result<PathBuf> {
        let path = self.root().join("state.sqlite");
        let roots = self.roots().unwrap_or_default();
        let mut held = self.state().connection();
        // Closed before the move: closing removes files by their names.
        *held = Connection::open_in_memory().map_err(super::state::sql)?;
        let gate = Gate::exclusive(self.root())?;
        let aside = move_aside(&path)?;
        drop(gate);
        *held = connect(&path)?;
        drop(held);
        for Root { link, target, steps, .. } in &roots {
            // It was read as text, so it is.
            let link = link.to_str().ok_or_else(|| Error::bug("a root's path is not UTF-8"))?;
            self.write_root(link, target, steps)?;
        }
        Ok(aside)
    }
}

fn is_damaged(path: &Path) -> bool {
    let look = |connection: Connection| {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
    };
    match Connection::open(path).and_then(look) {
        Ok(_) => false,
        Err(e) => {
            matches!(e.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
        }
    }
}

/// The database itself last: a kill in between leaves one that is still
/// damaged, never a new one beside the old one's log.
fn move_aside(path: &Path) -> Result<PathBuf> {
    let doing = || format!("failed to move `{}` aside", path.display());
    let with = |base: &Path, suffix: &str| {
        let mut name = base.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut names = (1..).map(|n| with(path, &format!(".damaged-{n}")));
    let aside = names.find(|name| name.symlink_metadata().is_err()).expect("a number is free");
    for suffix in ["-shm", "-wal", ""] {
        match std::fs::rename(with(path, suffix), with(&aside, suffix)) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            other => other.doing(doing)?,
        }
    }
    Ok(aside)
}
