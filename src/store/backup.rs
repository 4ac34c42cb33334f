//! Backups: everything that is stored, as it was at one instant, in one file that either database can be restored from.
//!
//! The file is gzip of lines: a header, then for each table its name and columns, its rows as JSON arrays, and their number; at
//! the end the head of the audit chain and the SHA-256 of all lines before. It is made while the service works; sessions are
//! left out, so that people log in again after a restore.

mod catalog;
mod file;
mod restore;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use thiserror::Error;

use self::catalog::Table;
use self::file::{BackupWriter, check_whole};
use super::StoreError;
use super::audit::Head;
use super::database::{Database, Transaction, fetch};
use super::schema::{self, Wanted};
pub use restore::{Restored, restore};

const FORMAT: &str = "yuxin-backup/1";

/// Why a backup was not made, or not restored. No text names a firm.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is there already.
    #[error("{0} is there already; a backup overwrites nothing")]
    Exists(String),
    /// The file is no backup, or was damaged.
    #[error("{path} is no whole backup: {what}; nothing was changed")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// What the backup holds does not fit its audit chain.
    #[error("{path} is not restored, nothing was changed: what it holds does not fit its audit chain: {what}")]
    Broken {
        /// The file.
        path: String,
        /// The first problem.
        what: String,
    },
    /// The target holds something.
    #[error(
        "the store at the target is not empty ({0} rows of the audit chain); with --replace it is put aside, not deleted"
    )]
    NotEmpty(i64),
    /// The target is in use.
    #[error("the store at the target is in use: stop the service first")]
    InUse,
    /// The metrics.
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] crate::observe::MetricsError),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> BackupError {
        BackupError::Store(error.into())
    }
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError + '_ {
    |source| BackupError::File { path: path.display().to_string(), source }
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The file.
    pub path: PathBuf,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Number of the last row of the audit chain.
    pub head_seq: i64,
    /// Its hash.
    pub head_hash: String,
}

/// The lines that are not rows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// The first.
    Header { format: String, schema: i64, at: Timestamp },
    /// Before the rows of a table.
    Table { name: String, columns: Vec<String> },
    /// After them.
    End { rows: u64 },
    /// The last.
    Whole { seq: i64, hash: String, sha256: String },
}

/// Writes a backup of the store that `url` names to the file `target`, or into it where it is a folder. The store is left as it
/// is, also where its schema is an older one.
///
/// # Errors
/// [`BackupError`]; then there is no file.
pub async fn back_up(url: &str, target: &Path, now: Timestamp) -> Result<BackupReport, BackupError> {
    let path = if target.is_dir() { target.join(name_of(now)) } else { target.to_owned() };
    if path.exists() {
        return Err(BackupError::Exists(path.display().to_string()));
    }
    let database = Database::open(url, Wanted::AsItIs).await?;
    let written = write(&database, &path, now).await;
    database.close().await;
    written
}

fn name_of(now: Timestamp) -> String {
    format!("yuxin-{}.backup", now.strftime("%Y%m%dT%H%M%SZ"))
}

async fn write(database: &Database, path: &Path, now: Timestamp) -> Result<BackupReport, BackupError> {
    let mut snapshot = database.begin_snapshot().await?;
    unhurried(&mut snapshot).await?;
    let schema = catalog::schema_of(&mut snapshot).await?;
    if schema > schema::newest() {
        return Err(StoreError::Open(schema::too_new(schema)).into());
    }
    let mut writer = BackupWriter::create(path)?;
    writer.control(&Line::Header { format: FORMAT.to_owned(), schema, at: now })?;
    let mut rows = BTreeMap::new();
    for table in catalog::tables_of(&mut snapshot).await? {
        writer.control(&Line::Table { name: table.name.clone(), columns: table.names() })?;
        let count = copy_rows(&mut snapshot, &table, &mut writer).await?;
        writer.control(&Line::End { rows: count })?;
        rows.insert(table.name, count);
    }
    let head = fetch!(fetch_one, Transaction, &mut snapshot, Head, "SELECT seq, hash FROM audit_head WHERE id = 1")?;
    snapshot.roll_back().await?;
    writer.finish(&head)?;
    // Read again from the disk before it counts as a backup.
    if let Err(damaged) = check_whole(path) {
        // What is no backup must not lie there like one.
        let _ = std::fs::remove_file(path);
        return Err(damaged);
    }
    Ok(BackupReport { path: path.to_owned(), rows, head_seq: head.seq, head_hash: head.hash })
}

/// Copying takes as long as it takes.
async fn unhurried(snapshot: &mut Transaction) -> Result<(), BackupError> {
    if let Transaction::Postgres(c) = snapshot {
        for setting in ["statement_timeout", "idle_in_transaction_session_timeout"] {
            sqlx::query("SELECT set_config($1, '0', TRUE)").bind(setting).execute(&mut **c).await?;
        }
    }
    Ok(())
}

/// Each row as the JSON array that the database itself makes of it.
async fn copy_rows(snapshot: &mut Transaction, table: &Table, writer: &mut BackupWriter) -> Result<u64, BackupError> {
    let columns = table.quoted().join(", ");
    let mut rows = 0;
    macro_rules! copy {
        ($connection:expr, $function:literal) => {{
            let sql = format!("SELECT CAST({}({columns}) AS TEXT) FROM {}", $function, table.quoted_name());
            let mut stream = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch(&mut **$connection);
            while let Some(row) = stream.try_next().await? {
                writer.row(&row)?;
                rows += 1;
            }
        }};
    }
    match snapshot {
        Transaction::Sqlite(c) => copy!(c, "json_array"),
        Transaction::Postgres(c) => copy!(c, "json_build_array"),
    }
    Ok(rows)
}
