//! SQLite's one connection that writes. It works on the thread of whoever calls, which is the writer's own: to hand each statement
//! to a thread and back costs more than most statements.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) use rusqlite::ToSql;
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags};
use serde::de::DeserializeOwned;

use super::StoreError;
use super::database::{SQLITE_CACHE, SQLITE_LOG_BYTES};
use super::write_ahead::{LOG_PAGES, WriteAheadLog};

/// Statements that stay prepared; the program has about as many texts that write.
const STATEMENTS: usize = 256;

/// Where the connection waits between transactions. There is none before the first one, and after a failure: the next one opens
/// it anew.
#[derive(Clone)]
pub(super) struct DirectHome {
    at: Arc<At>,
    connection: Arc<Mutex<Option<Connection>>>,
    log: Arc<Mutex<WriteAheadLog>>,
    /// Beside the log's lock, which is held while a disk hangs.
    to_be_emptied: Arc<AtomicBool>,
}

/// What the connection is opened with.
struct At {
    file: PathBuf,
    /// How long a statement waits for another process that writes.
    busy: Duration,
}

/// A transaction on the connection; dropped without a commit it is rolled back.
pub(super) struct Direct {
    connection: Option<Connection>,
    home: DirectHome,
}

impl DirectHome {
    /// For the database in this file, which is there. A statement waits for at most `busy` for another process that writes.
    pub(super) fn new(file: PathBuf, busy: Duration) -> DirectHome {
        let log = Arc::new(Mutex::new(WriteAheadLog::new(file.clone(), LOG_PAGES, busy)));
        DirectHome { at: Arc::new(At { file, busy }), connection: Arc::default(), log, to_be_emptied: Arc::default() }
    }

    /// Begins a transaction that holds the file's write lock from the start.
    pub(super) fn begin(&self) -> Result<Direct, StoreError> {
        let connection = match self.take() {
            Some(connection) => connection,
            None => self.open()?,
        };
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Direct { connection: Some(connection), home: self.clone() })
    }

    /// What is to be done between two transactions, once nobody waits for the first one any more.
    pub(super) fn tidy(&self) -> Result<(), StoreError> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if self.to_be_emptied.swap(false, Ordering::AcqRel) {
            log.empty_soon();
        }
        match &*self.connection.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(connection) => log.tidy(connection),
            None => Ok(()),
        }
    }

    /// Has the log emptied by [`DirectHome::tidy`].
    pub(super) fn empty_log(&self) {
        self.to_be_emptied.store(true, Ordering::Release);
    }

    /// Whether [`DirectHome::tidy`] has something to do even where nobody writes.
    pub(super) fn is_untidy(&self) -> bool {
        self.to_be_emptied.load(Ordering::Acquire)
            || self.log.lock().unwrap_or_else(PoisonError::into_inner).is_to_be_emptied()
    }

    /// Closes the connection, so that the next transaction opens a new one.
    pub(super) fn close(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.at.file, flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.busy_timeout(self.at.busy)?;
        for (pragma, value) in [
            ("synchronous", "FULL"),
            ("foreign_keys", "ON"),
            ("cache_size", SQLITE_CACHE),
            ("secure_delete", "ON"),
            ("journal_size_limit", SQLITE_LOG_BYTES),
        ] {
            // Some answer with the value that holds now.
            connection.pragma_update_and_check(None, pragma, value, |_| Ok(())).or_else(no_answer)?;
        }
        WriteAheadLog::counted_by(&connection);
        Ok(connection)
    }
}

fn no_answer(error: rusqlite::Error) -> Result<(), rusqlite::Error> {
    if matches!(error, rusqlite::Error::QueryReturnedNoRows) { Ok(()) } else { Err(error) }
}

impl Direct {
    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError::Unavailable("the transaction has ended".to_owned()))
    }

    /// A statement that is to run for many rows.
    pub(super) fn each(&mut self, sql: &str) -> Result<Each<'_>, StoreError> {
        Ok(Each(self.connection()?.prepare_cached(sql)?))
    }

    /// Runs a statement; gives the number of rows that it changed.
    pub(super) fn execute(&mut self, sql: &str, values: &[&dyn ToSql]) -> Result<u64, StoreError> {
        self.each(sql)?.execute(values)
    }

    /// All rows of a query.
    pub(super) fn fetch_all<R: DeserializeOwned>(
        &mut self,
        sql: &str,
        values: &[&dyn ToSql],
    ) -> Result<Vec<R>, StoreError> {
        let mut statement = self.connection()?.prepare_cached(sql)?;
        let columns = serde_rusqlite::columns_from_statement(&statement);
        bind(&mut statement, values)?;
        let (mut rows, mut found) = (statement.raw_query(), Vec::new());
        while let Some(row) = rows.next()? {
            found.push(serde_rusqlite::from_row_with_columns(row, &columns).map_err(unreadable)?);
        }
        Ok(found)
    }

    /// The first row of a query, where there is one.
    pub(super) fn fetch_optional<R: DeserializeOwned>(
        &mut self,
        sql: &str,
        values: &[&dyn ToSql],
    ) -> Result<Option<R>, StoreError> {
        Ok(self.fetch_all(sql, values)?.into_iter().next())
    }

    /// The first row of a query that has one.
    pub(super) fn fetch_one<R: DeserializeOwned>(&mut self, sql: &str, values: &[&dyn ToSql]) -> Result<R, StoreError> {
        self.fetch_optional(sql, values)?.ok_or_else(|| StoreError::from(rusqlite::Error::QueryReturnedNoRows))
    }

    /// Commits; when this returns without an error, everything is on disk. After an error the connection is closed: whether its
    /// transaction still stands cannot be told.
    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        self.connection()?.prepare_cached("COMMIT")?.execute([])?;
        self.go_home();
        Ok(())
    }

    /// Rolls back now.
    pub(super) fn roll_back(mut self) -> Result<(), StoreError> {
        self.connection()?.execute_batch("ROLLBACK")?;
        self.go_home();
        Ok(())
    }

    fn go_home(&mut self) {
        *self.home.connection.lock().unwrap_or_else(PoisonError::into_inner) = self.connection.take();
    }
}

/// A prepared statement that runs as often as there are rows.
pub(super) struct Each<'d>(CachedStatement<'d>);

impl Each<'_> {
    /// Runs it with these values; gives the number of rows that it changed.
    pub(super) fn execute(&mut self, values: &[&dyn ToSql]) -> Result<u64, StoreError> {
        bind(&mut self.0, values)?;
        Ok(self.0.raw_execute()? as u64)
    }
}

/// Binds values to the places of a statement: `$2` is the second value wherever it stands, `?` the next one.
fn bind(statement: &mut CachedStatement<'_>, values: &[&dyn ToSql]) -> Result<(), StoreError> {
    for place in 1..=statement.parameter_count() {
        let named = statement.parameter_name(place).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = values.get(named.unwrap_or(place).wrapping_sub(1));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), place))?;
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

fn unreadable(error: serde_rusqlite::Error) -> StoreError {
    match error {
        serde_rusqlite::Error::Rusqlite(error) => error.into(),
        // What it says may hold the value.
        _ => StoreError::Unavailable("a row cannot be read".to_owned()),
    }
}

impl From<rusqlite::Error> for StoreError {
    /// As for the errors of the other connections: no value is repeated.
    fn from(error: rusqlite::Error) -> StoreError {
        let (failure, message) = match &error {
            rusqlite::Error::SqliteFailure(failure, message) => (failure, message.as_deref().unwrap_or_default()),
            rusqlite::Error::QueryReturnedNoRows => {
                return StoreError::Unavailable("a row that must be there is not".to_owned());
            }
            _ => return StoreError::Unavailable("the database failed".to_owned()),
        };
        let code = failure.extended_code;
        match failure.code {
            ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch => {
                StoreError::Conflict(format!("database error {code}"))
            }
            // SQLite's own words on disk and files hold no values.
            ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::CannotOpen
            | ErrorCode::NotADatabase
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked => StoreError::Unavailable(format!("database error {code}: {message}")),
            _ => StoreError::Unavailable(format!("database error {code}")),
        }
    }
}

/// How SQLite means to answer a query.
#[cfg(test)]
pub(super) fn plan(file: &std::path::Path, sql: &str) -> String {
    let connection = Connection::open(file).unwrap();
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut plan = String::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push_str(&row.get::<_, String>(3).unwrap());
        plan.push('\n');
    }
    drop(rows);
    plan
}
