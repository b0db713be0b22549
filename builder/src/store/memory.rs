//! What is worth remembering beside results: durations, the last success of a
//! package, the names of blobs, small facts.
//!
//! Knows text and numbers by key. Must never hold anything a result depends
//! on: forgetting all of it costs only time.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};

use super::state::{sql, step_key};
use super::{Store, wire};
use crate::error::{Error, Result};
use crate::event::StepKind;
use crate::key::{Digest, KeyPart, StepKey};

/// The namespace of logs.
const LOGS: &str = "log";

/// The namespace of answers.
const ANSWERS: &str = "answer";
/// So many of them are kept: those that were given last.
const MOST_ANSWERS: u32 = 32;

/// So many questions are worth reading first what can be answered.
const MANY: usize = 256;

/// The key of a success, and its parts.
pub type LastSuccess = (StepKey, Vec<KeyPart>);
/// A package and a step of it.
pub type Subject<'s> = (&'s str, StepKind);
/// What is known of some of many that were asked for, by their place.
pub type Known<T> = BTreeMap<usize, T>;

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

/// A log as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLog {
    /// Its bytes.
    pub digest: Digest,
    /// The step that wrote it, and when (UTC, to the minute); an older
    /// program did not say.
    pub made: Option<(StepKey, String)>,
}

impl KeptLog {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.splitn(3, ' ');
        let digest = words.next()?.parse().ok()?;
        let key = words.next().and_then(|key| StepKey::from_hex(key).ok());
        Some(Self { digest, made: key.zip(words.next().map(str::to_owned)) })
    }
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
    pub fn last_success(&self, package: &str, kind: StepKind) -> Result<Option<LastSuccess>> {
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

    /// [`Store::history`] of many: of those that have one, by their place.
    pub fn histories<'s>(&self, of: impl ExactSizeIterator<Item = Subject<'s>>) -> Result<Known<Duration>> {
        self.of_many(of, "SELECT DISTINCT package, kind FROM durations", |p, k| self.history(p, k))
    }

    /// [`Store::last_success`] of many, as [`Store::histories`].
    pub fn last_successes<'s>(
        &self,
        of: impl ExactSizeIterator<Item = Subject<'s>>,
    ) -> Result<Known<LastSuccess>> {
        self.of_many(of, "SELECT package, kind FROM successes", |p, k| self.last_success(p, k))
    }

    /// The most memory, bytes, that each of these steps had when it last
    /// succeeded, as [`Store::histories`]; of those whose result is there and says so.
    pub fn peaks<'s>(&self, of: impl ExactSizeIterator<Item = Subject<'s>>) -> Result<Known<u64>> {
        self.of_many(of, "SELECT package, kind FROM successes", |p, k| self.peak(p, k))
    }

    fn peak(&self, package: &str, kind: StepKind) -> Result<Option<u64>> {
        let connection = self.state().connection();
        let ask = "SELECT r.facts FROM successes s JOIN realisations r ON r.key = s.key
                   WHERE s.package = ?1 AND s.kind = ?2";
        let mut ask = connection.prepare_cached(ask).map_err(sql)?;
        let facts = ask.query_row(params![package, kind.word()], |row| row.get::<_, String>(0));
        let facts = facts.optional().map_err(sql)?;
        let facts = facts.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        Ok(facts.and_then(|facts| facts["peak_memory"].as_u64()))
    }

    /// Asks one by one; of many only those that `known` has, so that a plan of
    /// thousands of steps in a new store costs one question.
    fn of_many<'s, T>(
        &self,
        of: impl ExactSizeIterator<Item = Subject<'s>>,
        known: &str,
        ask: impl Fn(&str, StepKind) -> Result<Option<T>>,
    ) -> Result<Known<T>> {
        let one = |(n, (package, kind))| ask(package, kind).map(|found| Some((n, found?))).transpose();
        if of.len() < MANY {
            return of.enumerate().filter_map(one).collect();
        }
        let there: HashSet<(String, String)> = {
            let connection = self.state().connection();
            let mut known = connection.prepare_cached(known).map_err(sql)?;
            let rows = known.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
            rows.and_then(Iterator::collect).map_err(sql)?
        };
        if there.is_empty() {
            return Ok(Known::new());
        }
        let is_there = |(_, (package, kind)): &(usize, Subject<'s>)| {
            there.contains(&((*package).to_owned(), kind.word().to_owned()))
        };
        of.enumerate().filter(is_there).filter_map(one).collect()
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
    pub fn keep_log(&self, package: &str, (kind, key): (StepKind, &StepKey), log: &Digest) -> Result<()> {
        let name = package.split(' ').next().unwrap_or(package);
        let write = "INSERT OR REPLACE INTO memories (namespace, key, value)
                     VALUES (?1, ?2, ?3 || strftime(' %Y-%m-%d %H:%M UTC', 'now'))";
        for subject in BTreeSet::from([package, name]) {
            let connection = self.state().connection();
            let mut write = connection.prepare_cached(write).map_err(sql)?;
            let value = format!("{} {}", log.hex(), key.hex());
            write.execute(params![LOGS, format!("{} {subject}", kind.word()), value]).map_err(sql)?;
        }
        Ok(())
    }

    /// The last log of a step of `flask 3.1.3`, or of `flask` whichever its
    /// version; it may be gone meanwhile.
    pub fn last_log(&self, package: &str, kind: StepKind) -> Result<Option<KeptLog>> {
        let Some(text) = self.recall(LOGS, &format!("{} {package}", kind.word()))? else { return Ok(None) };
        Ok(KeptLog::read(&text))
    }

    /// The packages of which a log of this step is kept, sorted.
    pub fn logged(&self, kind: StepKind) -> Result<Vec<String>> {
        let connection = self.state().connection();
        let ask = "SELECT key, value FROM memories WHERE namespace = ?1 ORDER BY key";
        let mut ask = connection.prepare_cached(ask).map_err(sql)?;
        let rows = ask.query_map([LOGS], |row| Ok((row.get(0)?, row.get(1)?)));
        let rows: Vec<(String, String)> = rows.and_then(Iterator::collect).map_err(sql)?;
        let there = |text: &str| KeptLog::read(text).is_some_and(|log| self.blob_path(&log.digest).is_file());
        let of_kind = |(key, value): &(String, String)| {
            let package = key.strip_prefix(kind.word())?.strip_prefix(' ')?;
            (package.contains(' ') && there(value)).then(|| package.to_owned())
        };
        Ok(rows.iter().filter_map(of_kind).collect())
    }

    /// Keeps the answer to a question. Of many the oldest go.
    pub fn keep_answer(&self, question: &str, answer: &str) -> Result<()> {
        let connection = self.state().connection();
        let write = "INSERT OR REPLACE INTO memories (namespace, key, value)
                     VALUES (?1, ?2, printf('%016d ', unixepoch('subsec') * 1000) || ?3)";
        connection
            .prepare_cached(write)
            .map_err(sql)?
            .execute(params![ANSWERS, question, answer])
            .map_err(sql)?;
        let bound = "DELETE FROM memories WHERE namespace = ?1 AND key NOT IN
                     (SELECT key FROM memories WHERE namespace = ?1 ORDER BY value DESC LIMIT ?2)";
        connection
            .prepare_cached(bound)
            .map_err(sql)?
            .execute(params![ANSWERS, MOST_ANSWERS])
            .map_err(sql)?;
        Ok(())
    }

    /// The answer to a question, if it is kept.
    pub fn answer(&self, question: &str) -> Result<Option<String>> {
        let text = self.recall(ANSWERS, question)?;
        // Before it stands when it was given.
        Ok(text.and_then(|text| text.split_once(' ').map(|(_, answer)| answer.to_owned())))
    }

    /// Forgets all answers: what they stand for may be gone.
    pub(super) fn forget_answers(&self) -> Result<()> {
        let connection = self.state().connection();
        connection.execute("DELETE FROM memories WHERE namespace = ?1", [ANSWERS]).map_err(sql)?;
        Ok(())
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
