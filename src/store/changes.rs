//! What another process over the same PostgreSQL changed, told as it commits: copies in memory that no longer hold.
//!
//! A notification leaves with the transaction that makes it true, or not at all. Where the connection breaks some may be lost, so
//! after each break everything is told to be in doubt ([`Change::Any`]).

use std::time::Duration;

use sqlx::postgres::{PgListener, PgNotification};

use super::audit::Batch;
use super::database::WriteTransaction;
use super::{Store, StoreError};
use crate::domain::{KeyId, Uscc};

const CHANNEL: &str = "yuxin_changes";
/// How long after a broken connection the next one is tried.
const RETRY: Duration = Duration::from_millis(500);
/// A connection on which nothing came for so long is tried: the server's machine may have gone without a word.
const QUIET: Duration = Duration::from_secs(20);
/// A connection that is tried must answer within this time.
const PING: Duration = Duration::from_secs(5);

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A consent of this firm was revoked: what departments said of the firm must go.
    ConsentRevoked(Uscc),
    /// This key was revoked.
    KeyRevoked(KeyId),
    /// Any of these may have happened unseen.
    Any,
}

impl Change {
    fn payload(&self) -> String {
        match self {
            Change::ConsentRevoked(uscc) => format!("consent {}", uscc.as_str()),
            Change::KeyRevoked(id) => format!("key {id}"),
            Change::Any => "any".to_owned(),
        }
    }

    /// What a payload says; a word of a later version is anything.
    fn read(payload: &str) -> Change {
        match payload.split_once(' ') {
            Some(("consent", code)) => code.parse().map_or(Change::Any, Change::ConsentRevoked),
            Some(("key", id)) => id.parse().map_or(Change::Any, Change::KeyRevoked),
            _ => Change::Any,
        }
    }
}

/// Tells every process over this PostgreSQL once the transaction is committed. SQLite has one process that serves.
pub(super) async fn announce(batch: &mut Batch, change: &Change) -> Result<(), StoreError> {
    if let WriteTransaction::Postgres(transaction) = batch.transaction() {
        let payload = change.payload();
        sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(&mut **transaction).await?;
    }
    Ok(())
}

impl Store {
    /// Hands `on_change` whatever any process over this store changes, its own changes too, until dropped. On SQLite, where no
    /// other process serves, it never does.
    pub async fn follow_changes(&self, on_change: impl Fn(Change)) {
        let Some(pool) = self.0.database.listening() else { return std::future::pending().await };
        loop {
            match PgListener::connect_with(&pool).await {
                Ok(mut listener) => match listener.listen(CHANNEL).await {
                    Ok(()) => {
                        on_change(Change::Any);
                        while let Some(told) = next(&mut listener).await {
                            on_change(Change::read(told.payload()));
                        }
                        tracing::warn!("changes of other replicas are not heard; connecting anew");
                    }
                    Err(error) => tracing::warn!(error = %StoreError::from(error), "changes cannot be listened for"),
                },
                Err(error) => tracing::warn!(error = %StoreError::from(error), "changes cannot be listened for"),
            }
            // While nothing is heard nothing is trusted.
            on_change(Change::Any);
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// The next notification; `None` where the connection is broken.
async fn next(listener: &mut PgListener) -> Option<PgNotification> {
    loop {
        match tokio::time::timeout(QUIET, listener.try_recv()).await {
            Ok(Ok(told)) => return told,
            Ok(Err(_)) => return None,
            Err(_) => {
                let ping = sqlx::query("SELECT 1").execute(&mut *listener);
                if !tokio::time::timeout(PING, ping).await.is_ok_and(|answered| answered.is_ok()) {
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn what_is_told_is_what_is_heard_and_an_unknown_word_puts_everything_in_doubt() {
        let told = [
            Change::ConsentRevoked("91330604MA2XY0014W".parse().unwrap()),
            Change::KeyRevoked(KeyId(Uuid::from_u128(7))),
            Change::Any,
        ];
        for change in told {
            assert_eq!(Change::read(&change.payload()), change);
        }
        assert_eq!(Change::read("bank 12"), Change::Any);
        assert_eq!(Change::read("consent nonsense"), Change::Any);
    }
}
