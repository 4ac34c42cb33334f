//! The schema and its migrations: forward only, each once, the same text for both databases.

use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{Acquire, Database};

use super::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
/// How long after a failure it is tried once more: of two processes that start at once on a fresh file one loses the race.
const RETRY: Duration = Duration::from_millis(200);

/// The newest version of the schema that this program knows.
pub(super) fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Brings the schema up to date.
///
/// # Errors
/// [`StoreError::Open`], in words for whoever starts the program: above all where a newer version wrote the store.
pub(super) async fn bring_up_to_date<D: Database>(pool: &sqlx::Pool<D>) -> Result<(), StoreError>
where
    D::Connection: Migrate,
    for<'a> &'a sqlx::Pool<D>: Acquire<'a, Database = D>,
{
    match MIGRATIONS.run(pool).await {
        Ok(()) => return Ok(()),
        Err(error @ (MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) | MigrateError::Dirty(_))) => {
            return Err(told(&error));
        }
        Err(_) => {}
    }
    tokio::time::sleep(RETRY).await;
    MIGRATIONS.run(pool).await.map_err(|error| told(&error))
}

/// Brings a fresh schema to an older version, to fill it with what was written under that.
///
/// # Errors
/// [`StoreError::Open`].
pub(super) async fn bring_to<D: Database>(pool: &sqlx::Pool<D>, version: i64) -> Result<(), StoreError>
where
    D::Connection: Migrate,
    for<'a> &'a sqlx::Pool<D>: Acquire<'a, Database = D>,
{
    MIGRATIONS.run_to(version, pool).await.map_err(|error| told(&error))
}

fn told(error: &MigrateError) -> StoreError {
    let newest = newest();
    StoreError::Open(match error {
        MigrateError::VersionMissing(found) if *found > newest => format!(
            "a newer version of the program wrote it: its schema is {found}, this program knows up to {newest}; nothing was \
             changed, start a version at least as new as the one that wrote it"
        ),
        MigrateError::VersionMissing(found) => {
            format!("its schema holds migration {found}, which no version of this program has; nothing was changed")
        }
        MigrateError::VersionMismatch(found) => {
            format!("migration {found} of its schema is not the one that this program has; nothing was changed")
        }
        MigrateError::Dirty(found) => format!("migration {found} of its schema was begun and not finished"),
        other => format!("the schema cannot be made: {other}"),
    })
}
