//! The two databases behind one face: pools, transactions, and the macros that pick the right one.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, PgPool, Postgres, Sqlite, SqlitePool};

use super::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
/// How long a statement waits for another process that writes to the same SQLite file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection pool to either database.
#[derive(Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A connection to read from.
pub(super) enum Reader {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A transaction; dropped without a commit it is rolled back.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Runs one SQL text on either database: `fetch!(fetch_all, Reader, &mut reader, Row, SQL, values…)`.
macro_rules! fetch {
    ($how:ident, $kind:ident, $of:expr, $row:ty, $sql:expr $(, $value:expr)* $(,)?) => {
        match $of {
            $crate::store::database::$kind::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($value))*.$how(&mut **c).await,
            $crate::store::database::$kind::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($value))*.$how(&mut **c).await,
        }
    };
}

/// Runs one SQL text that changes rows in a transaction of either database; gives the number of rows.
macro_rules! execute {
    ($of:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $of {
            $crate::store::database::Transaction::Sqlite(c) => {
                sqlx::query($sql)$(.bind($value))*.execute(&mut **c).await.map(|done| done.rows_affected())
            }
            $crate::store::database::Transaction::Postgres(c) => {
                sqlx::query($sql)$(.bind($value))*.execute(&mut **c).await.map(|done| done.rows_affected())
            }
        }
    };
}

pub(super) use {execute, fetch};

/// An open database: one connection that writes, several that read.
#[derive(Clone)]
pub(super) struct Database {
    writer: Pool,
    readers: Pool,
}

impl Database {
    /// Opens the database that `url` names and brings its schema up to date.
    pub(super) async fn open(url: &str) -> Result<Database, StoreError> {
        let database = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => open_sqlite(url).await?,
            Some("postgres" | "postgresql") => open_postgres(url).await?,
            _ => return Err(StoreError::Open("the URL must begin with sqlite:// or postgres://".to_owned())),
        };
        // Two processes that start at once on a fresh SQLite file race for the schema; the loser finds it made.
        if database.migrate().await.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
            database.migrate().await.map_err(|e| StoreError::Open(format!("the schema cannot be made: {e}")))?;
        }
        Ok(database)
    }

    async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        match &self.writer {
            Pool::Sqlite(pool) => MIGRATIONS.run(pool).await,
            Pool::Postgres(pool) => MIGRATIONS.run(pool).await,
        }
    }

    /// Begins a transaction that writes; on SQLite it holds the file's write lock from the start.
    pub(super) async fn begin_write(&self) -> Result<Transaction, sqlx::Error> {
        Ok(match &self.writer {
            Pool::Sqlite(pool) => Transaction::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Pool::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// Throws the writing connection away, so that the next write opens a new one. A disk that was full, for instance, leaves
    /// a connection behind that cannot tell whether its transaction still stands.
    pub(super) async fn renew_writer(&self) {
        // Nothing to be done where this fails: the pool opens another connection then.
        match &self.writer {
            Pool::Sqlite(pool) => {
                if let Ok(connection) = pool.acquire().await {
                    let _ = connection.close().await;
                }
            }
            Pool::Postgres(pool) => {
                if let Ok(connection) = pool.acquire().await {
                    let _ = connection.close().await;
                }
            }
        }
    }

    /// Begins a transaction that sees one state of everything, whatever is written meanwhile.
    pub(super) async fn begin_snapshot(&self) -> Result<Transaction, sqlx::Error> {
        Ok(match &self.readers {
            Pool::Sqlite(pool) => Transaction::Sqlite(pool.begin_with("BEGIN").await?),
            Pool::Postgres(pool) => {
                Transaction::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// A connection to read from.
    pub(super) async fn reader(&self) -> Result<Reader, sqlx::Error> {
        Ok(match &self.readers {
            Pool::Sqlite(pool) => Reader::Sqlite(pool.acquire().await?),
            Pool::Postgres(pool) => Reader::Postgres(pool.acquire().await?),
        })
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        for pool in [&self.readers, &self.writer] {
            match pool {
                Pool::Sqlite(pool) => pool.close().await,
                Pool::Postgres(pool) => pool.close().await,
            }
        }
    }
}

impl Transaction {
    /// Commits; when this returns without an error, everything is on disk.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Transaction::Sqlite(transaction) => transaction.commit().await,
            Transaction::Postgres(transaction) => transaction.commit().await,
        }
    }

    /// Rolls back now, and not only once the connection is used again.
    pub(super) async fn roll_back(self) -> Result<(), sqlx::Error> {
        match self {
            Transaction::Sqlite(transaction) => transaction.rollback().await,
            Transaction::Postgres(transaction) => transaction.rollback().await,
        }
    }
}

async fn open_sqlite(url: &str) -> Result<Database, StoreError> {
    let refused = |e: sqlx::Error| StoreError::Open(describe(&e));
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Open("SQLite must have a file; a store in memory would lose decisions".to_owned()));
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(refused)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What is deleted, a reply of a firm that revoked for instance, is overwritten in the file.
        .pragma("secure_delete", "ON")
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let file = options.get_filename().to_owned();
    create_private(&file).map_err(|e| StoreError::Open(format!("{} cannot be made: {e}", file.display())))?;
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).idle_timeout(None).max_lifetime(None);
    let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(refused)?;
    let readers = pool().max_connections(4).connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(Database { writer: Pool::Sqlite(writer), readers: Pool::Sqlite(readers) })
}

/// Makes the file and its folder, readable by their owner only. What SQLite lays beside the file takes the same mode.
fn create_private(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

async fn open_postgres(url: &str) -> Result<Database, StoreError> {
    let refused = |e: sqlx::Error| StoreError::Open(describe(&e));
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Open("the URL is not postgres://USER:PASSWORD@HOST/DATABASE".to_owned()))?
        .application_name("yuxin")
        // An acknowledged decision is on disk, whatever the server's default; a replica that hangs blocks no other for long.
        .options([
            ("synchronous_commit", "on"),
            ("lock_timeout", "10000"),
            ("statement_timeout", "30000"),
            ("idle_in_transaction_session_timeout", "15000"),
        ])
        .disable_statement_logging();
    let pool = || PgPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
    let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(refused)?;
    // The audit walk reads for as long as it takes.
    let readers = pool().max_connections(8).connect_lazy_with(
        options.options([("statement_timeout", "120000"), ("idle_in_transaction_session_timeout", "120000")]),
    );
    Ok(Database { writer: Pool::Postgres(writer), readers: Pool::Postgres(readers) })
}

/// What went wrong, without any value: a database quotes values in its details, and values name firms.
pub(super) fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default().into_owned();
            match database.constraint() {
                Some(constraint) => format!("database error {code} (constraint {constraint})"),
                // SQLite's own words on disk and files hold no values.
                None if matches!(code.as_str(), "13" | "8" | "10" | "11" | "14" | "26" | "5" | "6") => {
                    format!("database error {code}: {}", database.message())
                }
                None => format!("database error {code} ({:?})", database.kind()),
            }
        }
        sqlx::Error::Io(io) => format!("the connection failed: {}", io.kind()),
        sqlx::Error::PoolTimedOut => "no connection was free in time".to_owned(),
        sqlx::Error::PoolClosed => "the store is closed".to_owned(),
        sqlx::Error::RowNotFound => "a row that must be there is not".to_owned(),
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} cannot be read"),
        sqlx::Error::ColumnNotFound(column) => format!("column {column} is not there"),
        sqlx::Error::Tls(_) => "the TLS connection failed".to_owned(),
        sqlx::Error::Configuration(_) => "the URL's options cannot be used".to_owned(),
        _ => "the database failed".to_owned(),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        let text = describe(&error);
        if is_about_the_values(&error) { StoreError::Conflict(text) } else { StoreError::Unavailable(text) }
    }
}

/// Whether the database refuses these values, so that other writes may well succeed; else the database itself fails.
fn is_about_the_values(error: &sqlx::Error) -> bool {
    let Some(database) = error.as_database_error() else { return false };
    let code = database.code().unwrap_or_default();
    if database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        // Data exception, integrity constraint violation, program limit exceeded (a text too long for an index).
        return ["22", "23", "54"].iter().any(|class| code.starts_with(class));
    }
    // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH; the low byte of an extended code is the code.
    code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 18..=20))
}

/// The text without NUL characters, which PostgreSQL does not take.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}
