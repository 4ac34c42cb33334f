//! The place beside the target: on SQLite a file in the same folder, on PostgreSQL a schema of the same database.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};

use super::super::super::StoreError;
use super::super::catalog::quoted;
use super::super::file::sync_folder;
use super::super::{BackupError, file_error};

/// The schema that is filled on PostgreSQL.
const SCHEMA: &str = "yuxin_restore";
/// What lies beside a SQLite file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Where it is restored to before it is put in the target's place.
pub(super) enum Place {
    File { url: String, file: PathBuf, target: PathBuf },
    Schema { url: String, target: String },
}

impl Place {
    /// A fresh place beside the target that `url` names.
    ///
    /// # Errors
    /// [`BackupError::NotEmpty`] where the target holds something and is not to be replaced; [`BackupError::InUse`].
    pub(super) async fn beside(url: &str, replace: bool) -> Result<Place, BackupError> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url).map_err(StoreError::from)?;
            let target = options.get_filename().to_owned();
            drop(free_file(&target, replace).await?);
            let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let file = target.with_file_name(format!(".{name}.{}.restoring", std::process::id()));
            remove(&file);
            return Ok(Place::File { url: format!("sqlite://{}", file.display()), file, target });
        }
        let mut connection = connect(url).await?;
        free_schema(&mut connection, replace).await?;
        run(&mut connection, format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")).await?;
        connection.close().await?;
        let with = if url.contains('?') { '&' } else { '?' };
        Ok(Place::Schema { url: format!("{url}{with}options[search_path]={SCHEMA}"), target: url.to_owned() })
    }

    pub(super) fn url(&self) -> &str {
        match self {
            Place::File { url, .. } | Place::Schema { url, .. } => url,
        }
    }

    /// Takes away what was filled in vain.
    pub(super) async fn give_up(self) {
        match self {
            Place::File { file, .. } => remove(&file),
            Place::Schema { target, .. } => {
                // Left behind where this fails; the next restore takes it away.
                if let Ok(mut connection) = connect(&target).await {
                    let _ = run(&mut connection, format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await;
                }
            }
        }
    }

    /// Puts what was filled in the target's place; what was there is put aside, and where is told.
    pub(super) async fn put_in(self, replace: bool, now: Timestamp) -> Result<Option<String>, BackupError> {
        let stamp = now.strftime("%Y%m%dt%H%M%S").to_string();
        match &self {
            Place::File { file, target, .. } => {
                let put = put_file_in(file, target, replace, &stamp).await;
                if put.is_err() {
                    self.give_up().await;
                }
                put
            }
            Place::Schema { target, .. } => {
                let put = put_schema_in(target, replace, &stamp).await;
                if put.is_err() {
                    self.give_up().await;
                }
                put
            }
        }
    }
}

/// Removes a SQLite file and what lies beside it.
fn remove(file: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // Most of them are not there.
        let _ = std::fs::remove_file(with_suffix(file, suffix));
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    PathBuf::from(name)
}

/// A target that is there, held so that nobody else uses it.
struct Held {
    /// `None` where the file is no database.
    lock: Option<SqliteConnection>,
    rows: i64,
}

/// Makes sure that the target may be replaced: that it is not there, or empty, or is to be replaced, and in nobody's use.
async fn free_file(target: &Path, replace: bool) -> Result<Option<Held>, BackupError> {
    if !target.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(target).create_if_missing(false);
    let options = options.busy_timeout(Duration::from_millis(500)).disable_statement_logging();
    match hold(&options).await {
        Ok((lock, rows)) if rows == 0 || replace => Ok(Some(Held { lock: Some(lock), rows })),
        Ok((_, rows)) => Err(BackupError::NotEmpty(rows)),
        Err(error) if is_busy(&error) => Err(BackupError::InUse),
        // A file that is damaged is what a backup is for.
        Err(_) if replace => Ok(Some(Held { lock: None, rows: -1 })),
        Err(error) => Err(error.into()),
    }
}

/// Leaving the mode with a log beside the file needs the file for oneself alone: it fails while anybody has it open.
async fn hold(options: &SqliteConnectOptions) -> Result<(SqliteConnection, i64), sqlx::Error> {
    let mut connection = options.connect().await?;
    sqlx::raw_sql("PRAGMA journal_mode = DELETE").execute(&mut connection).await?;
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut connection).await?;
    const TABLE: &str = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'audit'";
    const ROWS: &str = "SELECT COUNT(*) FROM audit";
    let mut rows: i64 = sqlx::query_scalar(TABLE).fetch_one(&mut connection).await?;
    if rows > 0 {
        rows = sqlx::query_scalar(ROWS).fetch_one(&mut connection).await?;
    }
    Ok((connection, rows))
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    // SQLITE_BUSY, SQLITE_LOCKED; the low byte of an extended code is the code.
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

async fn put_file_in(file: &Path, target: &Path, replace: bool, stamp: &str) -> Result<Option<String>, BackupError> {
    std::fs::File::open(file).and_then(|file| file.sync_all()).map_err(file_error(file))?;
    let held = free_file(target, replace).await?;
    let mut put_aside = None;
    if let Some(held) = &held
        && held.rows != 0
    {
        let aside = with_suffix(target, &format!(".before-restore-{stamp}"));
        for suffix in BESIDE {
            let beside = with_suffix(target, suffix);
            if beside.exists() {
                std::fs::rename(&beside, with_suffix(&aside, suffix)).map_err(file_error(&beside))?;
            }
        }
        std::fs::rename(target, &aside).map_err(file_error(target))?;
        put_aside = Some(aside.display().to_string());
    }
    std::fs::rename(file, target).and_then(|()| sync_folder(target)).map_err(file_error(target))?;
    if let Some(lock) = held.and_then(|held| held.lock) {
        // It holds the old file only, by whatever name.
        let _ = lock.close().await;
    }
    remove(file);
    Ok(put_aside)
}

async fn connect(url: &str) -> Result<PgConnection, BackupError> {
    let wrong = |_| StoreError::Open("the URL is not postgres://USER:PASSWORD@HOST/DATABASE".to_owned());
    let options = PgConnectOptions::from_str(url).map_err(wrong)?.application_name("yuxin restore");
    Ok(options.disable_statement_logging().connect().await?)
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<(), BackupError> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// The tables of the connection's schema.
async fn tables(connection: &mut PgConnection, schema: &str) -> Result<Vec<String>, BackupError> {
    const SELECT: &str =
        "SELECT table_name::TEXT FROM information_schema.tables WHERE table_schema = $1 AND table_type = 'BASE TABLE'";
    Ok(sqlx::query_scalar(SELECT).bind(schema).fetch_all(connection).await?)
}

/// The tables that are in the way, and whether they hold anything; refuses as [`free_file`] does.
async fn free_schema(connection: &mut PgConnection, replace: bool) -> Result<(String, Vec<String>, bool), BackupError> {
    const OTHERS: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name = 'yuxin' AND pid <> pg_backend_pid()";
    // A connection that was closed a moment ago may still be listed. Within a transaction PostgreSQL shows the list as it was at the
    // first look, unless that is forgotten.
    for last in [false, false, false, false, false, false, false, true] {
        sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&mut *connection).await?;
        let others: i64 = sqlx::query_scalar(OTHERS).fetch_one(&mut *connection).await?;
        match others {
            0 => break,
            _ if last => return Err(BackupError::InUse),
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    let schema: String = sqlx::query_scalar("SELECT current_schema()::TEXT").fetch_one(&mut *connection).await?;
    let found = tables(connection, &schema).await?;
    let rows = match found.iter().any(|name| name == "audit") {
        true => sqlx::query_scalar("SELECT COUNT(*) FROM audit").fetch_one(&mut *connection).await?,
        false => 0_i64,
    };
    if rows > 0 && !replace {
        return Err(BackupError::NotEmpty(rows));
    }
    Ok((schema, found, rows > 0))
}

/// In one transaction: what is there is moved to a schema of its own, or dropped where it is empty, and what was filled is moved in.
async fn put_schema_in(url: &str, replace: bool, stamp: &str) -> Result<Option<String>, BackupError> {
    let mut connection = connect(url).await?;
    let mut transaction = connection.begin().await?;
    let (schema, old, holds_any) = free_schema(&mut transaction, replace).await?;
    let aside = format!("yuxin_before_restore_{stamp}");
    if holds_any {
        run(&mut transaction, format!("CREATE SCHEMA {}", quoted(&aside))).await?;
    }
    let ours = tables(&mut transaction, SCHEMA).await?;
    for name in old.iter().filter(|name| ours.contains(name)) {
        let (from, name) = (quoted(&schema), quoted(name));
        let sql = match holds_any {
            true => format!("ALTER TABLE {from}.{name} SET SCHEMA {}", quoted(&aside)),
            false => format!("DROP TABLE {from}.{name} CASCADE"),
        };
        run(&mut transaction, sql).await?;
    }
    for name in &ours {
        let sql = format!("ALTER TABLE {SCHEMA}.{} SET SCHEMA {}", quoted(name), quoted(&schema));
        run(&mut transaction, sql).await?;
    }
    run(&mut transaction, format!("DROP SCHEMA {SCHEMA}")).await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(holds_any.then(|| format!("schema {aside}")))
}
