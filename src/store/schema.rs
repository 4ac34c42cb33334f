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

/// Which version of the schema a database is to have once it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The newest.
    Newest,
    /// An older one, to be filled with what was written under that.
    Version(i64),
    /// The one that it has, which is left alone.
    AsItIs,
}

/// Brings the schema to the version that is wanted.
///
/// # Errors
/// [`StoreError::Open`], in words for whoever starts the program: above all where a newer version wrote the store.
pub(super) async fn bring_to<D: Database>(pool: &sqlx::Pool<D>, wanted: Wanted) -> Result<(), StoreError>
where
    D::Connection: Migrate,
    for<'a> &'a sqlx::Pool<D>: Acquire<'a, Database = D>,
{
    let migrate = async || match wanted {
        Wanted::Newest => MIGRATIONS.run(pool).await,
        Wanted::Version(version) => MIGRATIONS.run_to(version, pool).await,
        Wanted::AsItIs => Ok(()),
    };
    match migrate().await {
        Ok(()) => return Ok(()),
        Err(error @ (MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) | MigrateError::Dirty(_))) => {
            return Err(told(&error));
        }
        Err(_) => {}
    }
    tokio::time::sleep(RETRY).await;
    migrate().await.map_err(|error| told(&error))
}

/// That a newer version of the program wrote it.
pub(super) fn too_new(found: i64) -> String {
    format!(
        "a newer version of the program wrote it: its schema is {found}, this program knows up to {}; nothing was changed, start \
         a version at least as new as the one that wrote it",
        newest()
    )
}

fn told(error: &MigrateError) -> StoreError {
    StoreError::Open(match error {
        MigrateError::VersionMissing(found) if *found > newest() => too_new(*found),
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
