//! What the database's errors mean for whoever wrote or asked, in words without any value.

use super::StoreError;

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
