//! What is worth remembering beside results: durations, the last success of a
//! package, the names of blobs, small facts.
//!
//! Knows text and numbers by key. Must never hold anything a result depends
//! on: forgetting all of it costs only time.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};

use super::state::{sql, step_key};
use super::{Store, wire};
use crate::error::{Error, Result};
use crate::event::StepKind;
use crate::key::{Digest, KeyPart, StepKey};

/// The namespace of logs.
const LOGS: &str = "log";

/// A name a blob was fetched under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobName {
    /// The project.
    pub project: String,
    /// The version.
    pub version: String,
    /// The file's name.
    pub file_name: String,
}

impl Store {
    /// How long this step of this package usually takes: the median of its
    /// last successes.
    pub fn history(&self, package: &str, kind: StepKind) -> Result<Option<Duration>> {
        let connection = self.state().connection();
        let ask = "SELECT took FROM durations WHERE package = ?1 AND kind = ?2 ORDER BY took";
        let mut ask = connection.prepare_cached(ask).map_err(sql)?;
        let rows = ask.query_map(params![package, kind.word()], |row| row.get::<_, i64>(0));
        let took: Vec<i64> = rows.and_then(Iterator::collect).map_err(sql)?;
        Ok(took.get(took.len() / 2).map(|micros| Duration::from_micros(micros.unsigned_abs())))
    }

    /// The key of the last success of this step of this package, and its
    /// parts: what `why` compares with. It outlives the result itself.
    pub fn last_success(&self, package: &str, kind: StepKind) -> Result<Option<(StepKey, Vec<KeyPart>)>> {
        let connection = self.state().connection();
        let ask = "SELECT key, parts FROM successes WHERE package = ?1 AND kind = ?2";
        let mut ask = connection.prepare_cached(ask).map_err(sql)?;
        let row = |row: &rusqlite::Row<'_>| Ok((step_key(row, 0)?, row.get::<_, String>(1)?));
        let found = ask.query_row(params![package, kind.word()], row).optional().map_err(sql)?;
        let Some((key, parts)) = found else { return Ok(None) };
        let parts = wire::read_parts(&parts).map_err(|why| {
            Error::environment(format!("failed to read the last success of `{package}`")).because(why)
        })?;
        Ok(Some((key, parts)))
    }

    /// Remembers under which name a blob was fetched.
    pub fn remember_blob(&self, digest: &Digest, name: &BlobName) -> Result<()> {
        let write = "INSERT OR REPLACE INTO blob_names (digest, project, version, file_name)
                     VALUES (?1, ?2, ?3, ?4)";
        let connection = self.state().connection();
        let mut write = connection.prepare_cached(write).map_err(sql)?;
        write.execute(params![digest.0, name.project, name.version, name.file_name]).map_err(sql)?;
        Ok(())
    }

    /// All names a blob was fetched under, in order. A blob asked for under
    /// none of them is a "stale hash".
    pub fn blob_named(&self, digest: &Digest) -> Result<Vec<BlobName>> {
        let connection = self.state().connection();
        let ask = "SELECT project, version, file_name FROM blob_names WHERE digest = ?1
                   ORDER BY project, version";
        let mut ask = connection.prepare_cached(ask).map_err(sql)?;
        let rows = ask.query_map([digest.0], |row| {
            Ok(BlobName { project: row.get(0)?, version: row.get(1)?, file_name: row.get(2)? })
        });
        rows.and_then(Iterator::collect).map_err(sql)
    }

    /// Remembers the last log of a step of `flask 3.1.3`, also of one that
    /// fails. It is then the last one of `flask`, too.
    pub fn keep_log(&self, package: &str, kind: StepKind, log: &Digest) -> Result<()> {
        let name = package.split(' ').next().unwrap_or(package);
        for subject in BTreeSet::from([package, name]) {
            self.remember(LOGS, &format!("{} {subject}", kind.word()), &log.hex())?;
        }
        Ok(())
    }

    /// The digest (hex) of the last log of a step of `flask 3.1.3`, or of
    /// `flask` whichever its version.
    pub fn last_log(&self, package: &str, kind: StepKind) -> Result<Option<String>> {
        self.recall(LOGS, &format!("{} {package}", kind.word()))
    }

    /// The packages of which a log of this step was kept, sorted.
    pub fn logged(&self, kind: StepKind) -> Result<Vec<String>> {
        let connection = self.state().connection();
        let ask = "SELECT key FROM memories WHERE namespace = ?1 ORDER BY key";
        let mut ask = connection.prepare_cached(ask).map_err(sql)?;
        let rows = ask.query_map([LOGS], |row| row.get(0));
        let keys: Vec<String> = rows.and_then(Iterator::collect).map_err(sql)?;
        let of_kind = |key: &String| key.strip_prefix(kind.word())?.strip_prefix(' ').map(str::to_owned);
        Ok(keys.iter().filter_map(of_kind).filter(|package| package.contains(' ')).collect())
    }

    /// Remembers a small fact (an interpreter's probe, an ETag).
    pub fn remember(&self, namespace: &str, key: &str, value: &str) -> Result<()> {
        let write = "INSERT OR REPLACE INTO memories (namespace, key, value) VALUES (?1, ?2, ?3)";
        let connection = self.state().connection();
        let mut write = connection.prepare_cached(write).map_err(sql)?;
        write.execute(params![namespace, key, value]).map_err(sql)?;
        Ok(())
    }

    /// What was remembered.
    pub fn recall(&self, namespace: &str, key: &str) -> Result<Option<String>> {
        let connection = self.state().connection();
        let ask = "SELECT value FROM memories WHERE namespace = ?1 AND key = ?2";
        let mut ask = connection.prepare_cached(ask).map_err(sql)?;
        ask.query_row(params![namespace, key], |row| row.get(0)).optional().map_err(sql)
    }
}
