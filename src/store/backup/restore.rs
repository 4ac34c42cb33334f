//! Restoring: into a place beside the target, checked there by the audit chain, and only then put in the target's place.

mod place;

use std::path::Path;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use self::place::Place;
use super::super::database::{Database, Transaction};
use super::super::schema::{self, Wanted};
use super::super::{Store, StoreError};
use super::catalog::{self, Table};
use super::file::{BackupReader, Read, Whole, check_whole};
use super::{BackupError, Line};
use crate::observe::Metrics;

/// Rows and bytes that are written in one statement.
const ROWS_MAX: usize = 500;
const BYTES_MAX: usize = 4 << 20;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made.
    pub made_at: Timestamp,
    /// Rows of all tables.
    pub rows: u64,
    /// Rows of the audit chain, which was checked.
    pub entries: u64,
    /// Number of the chain's last row.
    pub head_seq: i64,
    /// Its hash.
    pub head_hash: String,
    /// Where what was there before has been put; `None` where the target was empty.
    pub put_aside: Option<String>,
}

/// Restores the backup `path` to the store that `url` names. What is there already is refused, or put aside where `replace` is
/// set; it stays as it is until what was restored has been checked.
///
/// # Errors
/// [`BackupError`]; then nothing was changed.
pub async fn restore(url: &str, path: &Path, replace: bool, now: Timestamp) -> Result<Restored, BackupError> {
    let whole = check_whole(path)?;
    if whole.schema > schema::newest() {
        return Err(StoreError::Open(schema::too_new(whole.schema)).into());
    }
    let place = Place::beside(url, replace).await?;
    let filled = fill_and_check(&place, path, &whole).await;
    let (rows, entries) = match filled {
        Ok(counts) => counts,
        Err(error) => {
            place.give_up().await;
            return Err(error);
        }
    };
    let put_aside = place.put_in(replace, now).await?;
    Ok(Restored { made_at: whole.at, rows, entries, head_seq: whole.seq, head_hash: whole.hash, put_aside })
}

/// Fills the place, brings its schema up to date and walks its chain; gives the rows of all tables and of the chain.
async fn fill_and_check(place: &Place, path: &Path, whole: &Whole) -> Result<(u64, u64), BackupError> {
    let database = Database::open(place.url(), Wanted::Version(whole.schema)).await?;
    let filled = fill(&database, path).await;
    database.close().await;
    let rows = filled?;

    let store = Store::over(Database::open(place.url(), Wanted::Newest).await?, Metrics::new()?);
    let report = store.verify_audit().await;
    store.close().await;
    let report = report?;
    let broken = |what: String| BackupError::Broken { path: path.display().to_string(), what };
    if let Some(problem) = report.problems.first() {
        let seq = problem.seq.map_or_else(String::new, |seq| format!("row {seq}, "));
        return Err(broken(format!("{seq}{} {}: {}", problem.kind, problem.subject, problem.what)));
    }
    if (report.head_seq, &report.head_hash) != (whole.seq, &whole.hash) {
        return Err(broken(format!("the chain ends at {}, the backup says {}", report.head_seq, whole.seq)));
    }
    Ok((rows, report.entries))
}

/// Writes every row in one transaction.
async fn fill(database: &Database, path: &Path) -> Result<u64, BackupError> {
    let mut reader = BackupReader::open(path)?;
    let mut transaction = database.begin_restore().await?;
    super::unhurried(&mut transaction).await?;
    let tables = catalog::tables_of(&mut transaction).await?;
    // What the migrations themselves have put in is in the backup, too.
    for table in tables.iter().rev() {
        run(&mut transaction, format!("DELETE FROM {}", table.quoted_name())).await?;
    }
    let mut rows = 0;
    while let Some(line) = reader.next()? {
        if let Read::Control(Line::Table { name, columns }) = line {
            let known = tables.iter().find(|table| table.name == name && table.names() == columns);
            let table = known.ok_or_else(|| reader.damaged(format!("schema has no table {name} of these columns")))?;
            rows += fill_table(&mut transaction, &mut reader, table).await?;
        }
    }
    transaction.commit().await?;
    Ok(rows)
}

async fn fill_table(
    transaction: &mut Transaction,
    reader: &mut BackupReader,
    table: &Table,
) -> Result<u64, BackupError> {
    let sql = insert_of(transaction, table);
    let (mut block, mut in_block, mut rows) = (String::from("["), 0, 0);
    loop {
        let next = reader.next()?;
        let row = match &next {
            Some(Read::Row(row)) => Some(row),
            Some(Read::Control(Line::End { .. })) => None,
            _ => return Err(reader.damaged("a table does not end")),
        };
        if in_block > 0 && (row.is_none() || in_block == ROWS_MAX || block.len() > BYTES_MAX) {
            block.push(']');
            insert(transaction, sql.clone(), &block).await?;
            (block, in_block) = (String::from("["), 0);
        }
        let Some(row) = row else { return Ok(rows) };
        if in_block > 0 {
            block.push(',');
        }
        block.push_str(row);
        in_block += 1;
        rows += 1;
    }
}

/// A statement that takes a JSON array of rows apart.
fn insert_of(transaction: &Transaction, table: &Table) -> String {
    let columns = table.quoted().join(", ");
    let (values, from): (Vec<String>, &str) = match transaction {
        Transaction::Sqlite(_) => {
            ((0..table.columns.len()).map(|i| format!("json_extract(value, '$[{i}]')")).collect(), "json_each($1)")
        }
        Transaction::Postgres(_) => (
            table.columns.iter().enumerate().map(|(i, (_, of))| format!("CAST(value ->> {i} AS {of})")).collect(),
            "json_array_elements(CAST($1 AS JSON)) AS rows (value)",
        ),
    };
    format!("INSERT INTO {} ({columns}) SELECT {} FROM {from}", table.quoted_name(), values.join(", "))
}

async fn insert(transaction: &mut Transaction, sql: String, block: &str) -> Result<(), BackupError> {
    match transaction {
        Transaction::Sqlite(c) => sqlx::query(AssertSqlSafe(sql)).bind(block).execute(&mut **c).await.map(drop)?,
        Transaction::Postgres(c) => sqlx::query(AssertSqlSafe(sql)).bind(block).execute(&mut **c).await.map(drop)?,
    }
    Ok(())
}

async fn run(transaction: &mut Transaction, sql: String) -> Result<(), BackupError> {
    match transaction {
        Transaction::Sqlite(c) => sqlx::query(AssertSqlSafe(sql)).execute(&mut **c).await.map(drop)?,
        Transaction::Postgres(c) => sqlx::query(AssertSqlSafe(sql)).execute(&mut **c).await.map(drop)?,
    }
    Ok(())
}
