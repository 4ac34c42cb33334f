//! The two databases behind one face: pools, transactions, and the macros that pick the right one.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, PgPool, Postgres, Sqlite, SqlitePool};

use super::StoreError;
use super::direct::{Direct, DirectHome};
use super::failure::describe;
use super::reach::Reach;
use super::schema::{self, Wanted};

/// How long a statement of the service waits for another process that writes to the same SQLite file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one of a command does, which comes between the writes of a busy service and has nobody waiting but its operator.
const BUSY_TIMEOUT_OF_COMMANDS: Duration = Duration::from_secs(10);
/// A connection's cache in KiB, negative as SQLite wants it: the indexes' pages of a few million decisions.
pub(super) const SQLITE_CACHE: &str = "-16384";
/// What the file of the log is cut to when the log begins anew, after somebody has read for long.
pub(super) const SQLITE_LOG_BYTES: &str = "67108864";
/// Bytes of a page of a new database.
const SQLITE_PAGE_BYTES: u32 = 8192;
/// Connections that read: SQLite's are threads.
const SQLITE_READERS: u32 = 4;
const POSTGRES_READERS: u32 = 8;
/// How long a caller waits for a free connection.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a statement that reads is waited for. A server that hangs cancels nothing by itself: its own time-outs do not run either.
const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections that read which are tried, and opened anew where they have broken, while nobody asks; the others stay free for
/// whoever does.
const WARM_READERS: u32 = POSTGRES_READERS / 2;

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

/// A transaction of the writer; dropped without a commit it is rolled back.
pub(super) enum WriteTransaction {
    Sqlite(Box<Direct>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Another transaction: a snapshot, or a whole store that is restored; dropped without a commit it is rolled back.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Runs one SQL text on either database: `fetch!(fetch_all, Reader, &mut reader, Row, SQL, values…)`. Rows that are read in a
/// [`WriteTransaction`] need `Deserialize` beside `FromRow`.
macro_rules! fetch {
    ($how:ident, WriteTransaction, $of:expr, $row:ty, $sql:expr $(, $value:expr)* $(,)?) => {
        match $of {
            $crate::store::database::WriteTransaction::Sqlite(c) => {
                c.$how::<$row>($sql, &[$(&$value as &dyn $crate::store::direct::ToSql),*])
            }
            $crate::store::database::WriteTransaction::Postgres(c) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($value))*.$how(&mut **c).await.map_err($crate::store::StoreError::from)
            }
        }
    };
    ($how:ident, $kind:ident, $of:expr, $row:ty, $sql:expr $(, $value:expr)* $(,)?) => {
        match $of {
            $crate::store::database::$kind::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($value))*.$how(&mut **c).await,
            $crate::store::database::$kind::Postgres(c) => {
                let asked = sqlx::query_as::<_, $row>($sql)$(.bind($value))*.$how(&mut **c);
                let answer = $crate::store::database::$kind::in_time(asked).await;
                $crate::store::database::$kind::settle(c, answer)
            }
        }
    };
}

/// Runs one SQL text that changes rows in the writer's transaction on either database; gives the number of rows.
macro_rules! execute {
    ($of:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $of {
            $crate::store::database::WriteTransaction::Sqlite(c) => {
                c.execute($sql, &[$(&$value as &dyn $crate::store::direct::ToSql),*])
            }
            $crate::store::database::WriteTransaction::Postgres(c) => {
                let done = sqlx::query($sql)$(.bind($value))*.execute(&mut **c).await;
                done.map(|done| done.rows_affected()).map_err($crate::store::StoreError::from)
            }
        }
    };
}

pub(super) use {execute, fetch};

/// An open database: one connection that writes, several that read.
#[derive(Clone)]
pub(super) struct Database {
    /// The connection that migrates and restores; on PostgreSQL the writer has it too.
    writer: Pool,
    /// The writer's connection on SQLite.
    direct: Option<DirectHome>,
    readers: Pool,
    /// By how much longer than the service whoever opened this waits for another process that writes to the same SQLite file.
    patience: Duration,
    reach: Arc<Reach>,
    /// One connection that holds idempotency keys, where several replicas may share the database.
    keys: Option<PgPool>,
    /// One connection on which PostgreSQL tells what other processes change.
    listening: Option<PgPool>,
}

impl Database {
    /// Opens the database that `url` names and brings its schema to the version that is wanted.
    pub(super) async fn open(url: &str, wanted: Wanted) -> Result<Database, StoreError> {
        Database::open_waiting(url, wanted, BUSY_TIMEOUT).await
    }

    /// The same for a command, which waits for longer while the service writes to the same SQLite file.
    pub(super) async fn open_patiently(url: &str, wanted: Wanted) -> Result<Database, StoreError> {
        Database::open_waiting(url, wanted, BUSY_TIMEOUT_OF_COMMANDS).await
    }

    async fn open_waiting(url: &str, wanted: Wanted, busy: Duration) -> Result<Database, StoreError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => open_sqlite(url, wanted, busy).await,
            Some("postgres" | "postgresql") => open_postgres(url, wanted).await,
            _ => Err(StoreError::Open("the URL must begin with sqlite:// or postgres://".to_owned())),
        }
    }

    /// Begins a transaction of the writer; on SQLite it holds the file's write lock from the start, and blocks the thread.
    pub(super) async fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        Ok(match (&self.direct, &self.writer) {
            (Some(direct), _) => WriteTransaction::Sqlite(Box::new(direct.begin()?)),
            (None, Pool::Postgres(pool)) => WriteTransaction::Postgres(pool.begin().await?),
            (None, Pool::Sqlite(_)) => return Err(StoreError::Unavailable("the store is closed".to_owned())),
        })
    }

    /// Whether a transaction of the writer blocks the thread, which must then be one of its own.
    pub(super) fn writing_blocks(&self) -> bool {
        self.direct.is_some()
    }

    /// What is to be done between two transactions of the writer.
    pub(super) fn tidy(&self) -> Result<(), StoreError> {
        self.direct.as_ref().map_or(Ok(()), DirectHome::tidy)
    }

    /// Has SQLite's log emptied between two transactions, as soon as nobody reads from it: what was deleted lies in it still.
    /// PostgreSQL keeps no log that could be emptied; how long it keeps one is its operator's.
    pub(super) fn empty_log(&self) {
        if let Some(direct) = &self.direct {
            direct.empty_log();
        }
    }

    /// Whether [`Database::tidy`] has something to do even where nobody writes.
    pub(super) fn is_untidy(&self) -> bool {
        self.direct.as_ref().is_some_and(DirectHome::is_untidy)
    }

    /// Begins a transaction that restores a whole store.
    pub(super) async fn begin_restore(&self) -> Result<Transaction, sqlx::Error> {
        Ok(match &self.writer {
            Pool::Sqlite(pool) => Transaction::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Pool::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// Throws the connections away, so that the next write opens new ones. A disk that was full leaves a connection behind
    /// that cannot tell whether its transaction still stands, and one whose fsync failed may have lost what it wrote while a
    /// later fsync on the same file handle says that all is well.
    pub(super) async fn renew(&self) {
        if let Some(direct) = &self.direct {
            direct.close();
        }
        // Nothing to be done where this fails: the pool opens another connection then.
        match (&self.writer, &self.readers) {
            (Pool::Sqlite(_), Pool::Sqlite(readers)) => {
                // The readers hold the same file. Those that are in use are closed by none; they do not write.
                for _ in 0..SQLITE_READERS {
                    let Some(connection) = readers.try_acquire() else { break };
                    let _ = connection.close().await;
                }
            }
            (Pool::Postgres(writer), _) => {
                if let Ok(connection) = writer.acquire().await {
                    let _ = connection.close().await;
                }
            }
            (Pool::Sqlite(_), Pool::Postgres(_)) => {}
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

    /// The pool of the connection that listens; SQLite has none.
    pub(super) fn listening(&self) -> Option<PgPool> {
        self.listening.clone()
    }

    /// A connection to read from.
    pub(super) async fn reader(&self) -> Result<Reader, sqlx::Error> {
        Ok(match &self.readers {
            Pool::Sqlite(pool) => Reader::Sqlite(pool.acquire().await?),
            Pool::Postgres(pool) => Reader::Postgres(self.reach.through(pool.acquire()).await?),
        })
    }

    /// Opens all connections that read, as far as the server gives them: the first callers need not wait until each has its own.
    pub(super) async fn warm(&self) {
        self.open_readers(POSTGRES_READERS).await;
    }

    /// Tries connections that read every so often, and opens those anew that have broken: whoever asks first after a quiet hour, or
    /// after the server was started again, waits for nothing. On SQLite it never ends and does nothing.
    pub(super) async fn keep_warm(&self, every: Duration) {
        if let Pool::Sqlite(_) = &self.readers {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(every).await;
            self.open_readers(WARM_READERS).await;
        }
    }

    async fn open_readers(&self, count: u32) {
        if let Pool::Postgres(pool) = &self.readers {
            let opened = futures_util::future::join_all((0..count).map(|_| pool.acquire())).await;
            tracing::debug!(connections = opened.iter().filter(|one| one.is_ok()).count(), "connections that read");
        }
    }

    /// By how much longer a write may take than one of the service.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether the server could not be reached when it was last tried for.
    pub(super) fn is_away(&self) -> bool {
        self.reach.is_away()
    }

    /// The connection that holds idempotency keys, on PostgreSQL.
    pub(super) fn key_pool(&self) -> Option<PgPool> {
        self.keys.clone()
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        if let Some(keys) = &self.keys {
            keys.close().await;
        }
        if let Some(direct) = &self.direct {
            direct.close();
        }
        for pool in [&self.readers, &self.writer] {
            match pool {
                Pool::Sqlite(pool) => pool.close().await,
                Pool::Postgres(pool) => pool.close().await,
            }
        }
        if let Some(pool) = &self.listening {
            pool.close().await;
        }
    }
}

impl Reader {
    /// What a statement gives on PostgreSQL; `None` where the server does not say within [`READ_TIMEOUT`].
    pub(super) async fn in_time<T>(asked: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(READ_TIMEOUT, asked).await.ok()
    }

    /// The answer, or that there was none; the connection on which there was none is given up, and blocks nobody else.
    pub(super) fn settle<T>(
        connection: &mut PoolConnection<Postgres>,
        answer: Option<Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        answer.unwrap_or_else(|| {
            connection.close_on_drop();
            Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
        })
    }
}

impl WriteTransaction {
    /// Commits; when this returns without an error, everything is on disk.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            WriteTransaction::Sqlite(transaction) => transaction.commit(),
            WriteTransaction::Postgres(transaction) => Ok(transaction.commit().await?),
        }
    }

    /// Rolls back now, and not only once the connection is used again.
    pub(super) async fn roll_back(self) -> Result<(), StoreError> {
        match self {
            WriteTransaction::Sqlite(transaction) => transaction.roll_back(),
            WriteTransaction::Postgres(transaction) => Ok(transaction.rollback().await?),
        }
    }
}

impl Transaction {
    /// What a statement gives on PostgreSQL: a transaction that writes has its time as a whole, and the audit walk takes as long as
    /// it takes.
    pub(super) async fn in_time<T>(asked: impl Future<Output = T>) -> T {
        asked.await
    }

    /// The answer, as it came.
    pub(super) fn settle<T>(
        _: &mut sqlx::Transaction<'static, Postgres>,
        answer: Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        answer
    }

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

async fn open_sqlite(url: &str, wanted: Wanted, busy: Duration) -> Result<Database, StoreError> {
    let refused = |e: sqlx::Error| StoreError::Open(describe(&e));
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Open("SQLite must have a file; a store in memory would lose decisions".to_owned()));
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(refused)?
        .create_if_missing(wanted != Wanted::AsItIs)
        // Of a new file: most of what is written is long and comes at the end of a table. Half as many pages cost less.
        .page_size(SQLITE_PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", SQLITE_CACHE)
        .pragma("journal_size_limit", SQLITE_LOG_BYTES)
        // What is deleted, a reply of a firm that revoked for instance, is overwritten in the file.
        .pragma("secure_delete", "ON")
        .busy_timeout(busy)
        .disable_statement_logging();
    let file = options.get_filename().to_owned();
    if wanted != Wanted::AsItIs {
        create_private(&file).map_err(|e| StoreError::Open(format!("{} cannot be made: {e}", file.display())))?;
    } else if !file.exists() {
        return Err(StoreError::Open(format!("there is no store at {}", file.display())));
    }
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).idle_timeout(None).max_lifetime(None);
    let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(refused)?;
    schema::bring_to(&writer, wanted).await?;
    if wanted != Wanted::AsItIs {
        // Done; what is left to do is the writer's.
        let _ = writer.acquire().await.map_err(refused)?.close().await;
    }
    let readers = pool().max_connections(SQLITE_READERS).connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(Database {
        writer: Pool::Sqlite(writer),
        direct: Some(DirectHome::new(file, busy)),
        patience: busy.saturating_sub(BUSY_TIMEOUT),
        readers: Pool::Sqlite(readers),
        reach: Arc::new(Reach::new()),
        keys: None,
        listening: None,
    })
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

/// Connections stay open however long nobody needs them: whoever comes first after that would wait for new ones.
fn postgres_pool() -> PgPoolOptions {
    PgPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).idle_timeout(None).max_lifetime(None)
}

async fn open_postgres(url: &str, wanted: Wanted) -> Result<Database, StoreError> {
    let refused = |e: sqlx::Error| StoreError::Open(describe(&e));
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Open("the URL is not postgres://USER:PASSWORD@HOST/DATABASE".to_owned()))?
        .application_name("yuxin")
        // An acknowledged decision is on disk, whatever the server's default; a replica that hangs blocks no other for long.
        .options([
            ("synchronous_commit", "on"),
            ("lock_timeout", "2500"),
            ("statement_timeout", "5000"),
            ("idle_in_transaction_session_timeout", "5000"),
        ])
        .disable_statement_logging();
    // A migration of much data takes as long as it takes.
    let unhurried = options.clone().options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let pool = postgres_pool;
    let migrating = pool().max_connections(1).connect_with(unhurried).await.map_err(refused)?;
    schema::bring_to(&migrating, wanted).await?;
    migrating.close().await;
    let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(refused)?;
    let keys = pool().max_connections(1).test_before_acquire(false).connect_lazy_with(options.clone());
    let listening = pool().max_connections(1).connect_lazy_with(options.clone());
    // The audit walk reads for as long as it takes.
    let readers = pool().max_connections(POSTGRES_READERS).connect_lazy_with(
        options.options([("statement_timeout", "120000"), ("idle_in_transaction_session_timeout", "120000")]),
    );
    Ok(Database {
        writer: Pool::Postgres(writer),
        direct: None,
        patience: Duration::ZERO,
        readers: Pool::Postgres(readers),
        reach: Arc::new(Reach::new()),
        keys: Some(keys),
        listening: Some(listening),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_to_postgresql_stay_open_however_long_nobody_asks() {
        let options = postgres_pool();
        assert_eq!((options.get_idle_timeout(), options.get_max_lifetime()), (None, None));
    }

    #[tokio::test]
    async fn a_statement_that_reads_is_not_waited_for_without_end() {
        assert_eq!(Reader::in_time(async { 7 }).await, Some(7));
        let began = std::time::Instant::now();
        assert_eq!(Reader::in_time(std::future::pending::<()>()).await, None);
        assert!(began.elapsed() >= READ_TIMEOUT);
    }
}
