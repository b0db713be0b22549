//! The database: realisations, histories, roots, small memories.
//!
//! Knows SQL and the schema's version. Must never know the disk beside its
//! own file: whether an output is still there is asked elsewhere.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::input::{Input, pack};
use super::realisation::{Level, Output, Realisation};
use super::session::Gate;
use super::wire;
use crate::error::{Error, Result};
use crate::event::StepKind;
use crate::key::{ContentKey, Digest, KeyPart, StepKey, TreeDigest};

/// The schema this program reads and writes.
const SCHEMA: i64 = 1;
/// "whee": so that `file` and we know a store's database.
const APPLICATION: i64 = 0x7768_6565;
/// How long a writer waits for the one before it.
const BUSY: Duration = Duration::from_secs(60);
/// Keys asked for at once: SQLite copies all of them.
const MOST_KEYS: usize = 4096;
/// So many keys are worth reading first which of them there can be.
const MANY_KEYS: usize = 1024;
/// As much of the file is read where the kernel holds it: a page that is read
/// into a buffer is allocated, zeroed and copied first, and there are hundreds.
const MAPPED: i64 = 256 << 20;
/// Durations kept per package and kind.
const HISTORY: i64 = 9;

/// A step that succeeded. Failed steps are never recorded.
#[derive(Clone, Debug)]
pub struct Record {
    /// What was asked for.
    pub key: StepKey,
    /// The spec with its inputs' digests, where the step has inputs.
    pub content_key: Option<ContentKey>,
    /// The parts of `key`, for `why`.
    pub parts: Vec<KeyPart>,
    /// The package's name: histories are kept by it.
    pub package: String,
    /// What kind of step.
    pub kind: StepKind,
    /// What it gave.
    pub realisation: Realisation,
    /// What it was made from.
    pub inputs: Vec<Input>,
}

/// A realisation with its key and what it was made from.
pub(super) struct Row {
    pub key: StepKey,
    pub realisation: Realisation,
    /// Packed references.
    pub inputs: Vec<u8>,
}

/// The open database. One connection: statements take microseconds.
pub(super) struct State {
    connection: Mutex<Connection>,
}

/// A sentence for a database error, with the hint that fits.
pub(super) fn sql(e: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let code = e.sqlite_error_code();
    let error = Error::environment("failed to use the store's database `state.sqlite`").because(e);
    match code {
        Some(Code::DiskFull) => error.hint("the disk is full: `wheelwright gc` removes what no root needs"),
        Some(Code::SystemIoFailure) => {
            error.hint("if the disk is full: `wheelwright gc` removes what no root needs")
        }
        Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => {
            error.hint("the store must be writable: choose another folder with WHEELWRIGHT_STORE")
        }
        Some(Code::NotADatabase | Code::DatabaseCorrupt) => error
            .hint("`wheelwright store verify --repair` moves it aside: what it recorded is then made again"),
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
            error.hint("another process has held the store for a minute")
        }
        _ => error,
    }
}

impl State {
    /// Opens the database at `path`, making it first when it is not there.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self { connection: Mutex::new(connect(path)?) })
    }

    /// The connection, for one statement or transaction.
    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic between two statements leaves no half transaction: it was rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since 1970, as text: part of a session's name.
    pub(super) fn stamp(&self) -> Result<String> {
        let ask = "SELECT CAST(CAST(unixepoch('subsec') * 1000 AS INTEGER) AS TEXT)";
        self.connection().query_row(ask, [], |row| row.get(0)).map_err(sql)
    }

    /// One realisation by key, whether its output is still there or not.
    pub(super) fn by_key(&self, key: &StepKey) -> Result<Option<Realisation>> {
        let connection = self.connection();
        let ask = format!("SELECT {COLUMNS} FROM realisations WHERE key = ?1");
        let mut ask = connection.prepare_cached(&ask).map_err(sql)?;
        ask.query_row([key.hex()], read).optional().map_err(sql)
    }

    /// All realisations of a content key, newest first.
    pub(super) fn by_content(&self, key: &ContentKey) -> Result<Vec<(StepKey, Realisation)>> {
        let ask =
            format!("SELECT {COLUMNS} FROM realisations WHERE content_key = ?1 ORDER BY made DESC, key");
        self.many(&ask, &key.hex())
    }

    /// The realisations of some keys, in one read for thousands of them.
    pub(super) fn by_keys<'k>(
        &self,
        keys: impl Iterator<Item = &'k StepKey> + Clone,
    ) -> Result<Vec<(StepKey, Realisation)>> {
        let ask =
            format!("SELECT {COLUMNS} FROM realisations WHERE key IN (SELECT value FROM json_each(?1))");
        let many = keys.clone().count();
        let known = if many < MANY_KEYS { None } else { self.all_keys(many)? };
        let keys: Vec<StepKey> = match known {
            Some(known) => keys.filter(|key| known.contains(key)).copied().collect(),
            None => keys.copied().collect(),
        };
        let mut found = Vec::new();
        for keys in keys.chunks(MOST_KEYS) {
            let keys: Vec<String> = keys.iter().map(StepKey::hex).collect();
            found.append(&mut self.many(&ask, &wire::write_texts(&keys))?);
        }
        Ok(found)
    }

    /// The keys of all realisations, if there are no more than these: then a
    /// plan of thousands of steps need not ask for each.
    fn all_keys(&self, most: usize) -> Result<Option<HashSet<StepKey>>> {
        let connection = self.connection();
        let mut ask = connection.prepare_cached("SELECT key FROM realisations LIMIT ?1").map_err(sql)?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
        let rows = ask.query_map([limit], |row| step_key(row, 0));
        let keys: HashSet<StepKey> = rows.and_then(Iterator::collect).map_err(sql)?;
        Ok(Some(keys).filter(|keys| keys.len() <= most))
    }

    fn many(&self, ask: &str, parameter: &str) -> Result<Vec<(StepKey, Realisation)>> {
        let connection = self.connection();
        let mut ask = connection.prepare_cached(ask).map_err(sql)?;
        let rows = ask.query_map([parameter], |row| Ok((step_key(row, KEY_COLUMN)?, read(row)?)));
        rows.and_then(Iterator::collect).map_err(sql)
    }

    /// Writes one success: the realisation, the history, what `why` compares with.
    pub(super) fn record(&self, record: &Record) -> Result<()> {
        let mut connection = self.connection();
        let write = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        insert(&write, record).map_err(sql)?;
        write.commit().map_err(sql)
    }

    /// All realisations, in the order of their keys.
    pub(super) fn rows(&self) -> Result<Vec<Row>> {
        let connection = self.connection();
        let ask = format!("SELECT {COLUMNS}, inputs FROM realisations ORDER BY key");
        let mut ask = connection.prepare(&ask).map_err(sql)?;
        let rows = ask.query_map([], |row| {
            Ok(Row {
                key: step_key(row, KEY_COLUMN)?,
                realisation: read(row)?,
                inputs: row.get(KEY_COLUMN + 1)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(sql)
    }

    /// Forgets the logs of realisations; what they gave stays.
    pub(super) fn forget_logs(&self, keys: &[StepKey]) -> Result<()> {
        let keys: Vec<String> = keys.iter().map(StepKey::hex).collect();
        let change = "UPDATE realisations SET log = NULL WHERE key IN (SELECT value FROM json_each(?1))";
        self.connection().execute(change, [wire::write_texts(&keys)]).map_err(sql)?;
        Ok(())
    }

    /// Forgets realisations.
    pub(super) fn forget(&self, keys: &[StepKey]) -> Result<()> {
        let keys: Vec<String> = keys.iter().map(StepKey::hex).collect();
        let delete = "DELETE FROM realisations WHERE key IN (SELECT value FROM json_each(?1))";
        self.connection().execute(delete, [wire::write_texts(&keys)]).map_err(sql)?;
        Ok(())
    }
}

/// Opens the database, making it first when it is not there.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    let mut connection = Connection::open(path).map_err(sql)?;
    connection.busy_timeout(BUSY).map_err(sql)?;
    connection.set_prepared_statement_cache_capacity(64);
    let mut found = version(&connection)?;
    if found == 0 {
        create(&mut connection, path)?;
        found = version(&connection)?;
    }
    match found {
        SCHEMA => {}
        other => {
            let message = format!("its schema is {other}, this program knows {SCHEMA}");
            let hint = "use the newer wheelwright, or another folder with WHEELWRIGHT_STORE";
            return Err(Error::environment(message).hint(hint));
        }
    }
    // Durable without a sync a commit: a power cut may lose the last
    // realisations, never the database.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(sql)?;
    connection.pragma_update(None, "mmap_size", MAPPED).map_err(sql)?;
    refuse_read_only(&connection)?;
    Ok(connection)
}

fn version(connection: &Connection) -> Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sql)
}

/// Makes the tables. Behind the gate: of two processes that find nothing, one
/// makes them.
fn create(connection: &mut Connection, path: &Path) -> Result<()> {
    let root = path.parent().ok_or_else(|| Error::bug("the database has no folder"))?;
    let _gate = Gate::exclusive(root)?;
    if version(connection)? != 0 {
        return Ok(());
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(sql)?;
    let write = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    write.execute_batch(include_str!("schema.sql")).map_err(sql)?;
    write.pragma_update(None, "application_id", APPLICATION).map_err(sql)?;
    write.pragma_update(None, "user_version", SCHEMA).map_err(sql)?;
    write.commit().map_err(sql)
}

/// SQLite opens a read-only file silently as such; we say so at once.
fn refuse_read_only(connection: &Connection) -> Result<()> {
    match connection.is_readonly(rusqlite::MAIN_DB).map_err(sql)? {
        false => Ok(()),
        true => Err(Error::environment("the store's database is read-only")
            .hint("the store must be writable: choose another folder with WHEELWRIGHT_STORE")),
    }
}

const COLUMNS: &str = "output, digest, name, module, log, level, epoch, took, facts, key";
const KEY_COLUMN: usize = 9;

fn insert(write: &Connection, record: &Record) -> rusqlite::Result<()> {
    let r = &record.realisation;
    let (output, digest, name) = match &r.output {
        Output::Blob { digest, name } => ("blob", Some(digest.0), Some(name)),
        Output::Tree(tree) => ("tree", Some(tree.0.0), None),
        Output::Passed => ("passed", None, None),
    };
    let content = record.content_key.map(|k| k.hex());
    let took = i64::try_from(r.took.as_micros()).unwrap_or(i64::MAX);
    let (package, kind) = (&record.package, record.kind.word());
    // A result found by its content was made once: its duration counts once.
    let known = "SELECT 1 FROM realisations WHERE key = ?1 OR content_key = ?2 LIMIT 1";
    let fresh = !write.prepare_cached(known)?.exists(params![record.key.hex(), content])?;
    write
        .prepare_cached(
            "INSERT OR REPLACE INTO realisations (key, content_key, package, kind, output, digest, name,
             module, log, level, epoch, took, facts, parts, inputs, made)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, unixepoch())",
        )?
        .execute(params![
            record.key.hex(),
            content,
            package,
            kind,
            output,
            digest,
            name,
            r.module.as_ref().map(wire::write_module),
            r.log.map(|d| d.0),
            r.level.word(),
            r.epoch.map(|e| i64::try_from(e).unwrap_or(i64::MAX)),
            took,
            r.facts,
            wire::write_parts(&record.parts),
            pack(&record.inputs),
        ])?;
    write
        .prepare_cached(
            "INSERT OR REPLACE INTO successes (package, kind, key, parts) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![package, kind, record.key.hex(), wire::write_parts(&record.parts)])?;
    if fresh {
        add_duration(write, (package, kind), took)?;
    }
    Ok(())
}

fn add_duration(write: &Connection, of: (&str, &str), took: i64) -> rusqlite::Result<()> {
    let (package, kind) = of;
    write
        .prepare_cached("INSERT INTO durations (package, kind, took) VALUES (?1, ?2, ?3)")?
        .execute(params![package, kind, took])?;
    write
        .prepare_cached(
            "DELETE FROM durations WHERE package = ?1 AND kind = ?2 AND rowid NOT IN
             (SELECT rowid FROM durations WHERE package = ?1 AND kind = ?2 ORDER BY rowid DESC LIMIT ?3)",
        )?
        .execute(params![package, kind, HISTORY])?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Realisation> {
    let digest: Option<[u8; 32]> = row.get(1)?;
    let digest = digest.map(Digest);
    let missing = || bad(1, "an output without its digest");
    let output = match row.get_ref(0)?.as_str()? {
        "blob" => Output::Blob { digest: digest.ok_or_else(missing)?, name: row.get(2)? },
        "tree" => Output::Tree(TreeDigest(digest.ok_or_else(missing)?)),
        _ => Output::Passed,
    };
    let module: Option<String> = row.get(3)?;
    let module = module.map(|text| wire::read_module(&text)).transpose().map_err(|why| bad(3, why))?;
    let log: Option<[u8; 32]> = row.get(4)?;
    let level = match row.get_ref(5)?.as_str()? {
        "full" => Level::Full,
        "landlock" => Level::Landlock,
        "env" => Level::Env,
        other => return Err(bad(5, format!("unknown level `{other}`"))),
    };
    let (epoch, took): (Option<i64>, i64) = (row.get(6)?, row.get(7)?);
    Ok(Realisation {
        output,
        module,
        log: log.map(Digest),
        level,
        epoch: epoch.map(i64::unsigned_abs),
        took: Duration::from_micros(took.unsigned_abs()),
        facts: row.get(8)?,
    })
}

fn bad(column: usize, why: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, why.into().into())
}

pub(super) fn step_key(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<StepKey> {
    StepKey::from_hex(row.get_ref(column)?.as_str()?).map_err(|why| bad(column, why))
}
