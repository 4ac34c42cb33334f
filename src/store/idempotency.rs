//! Answers kept for 72 hours under the key that the bank chose, so that a repeated request is answered, not done again.

use jiff::Timestamp;

use super::audit::Batch;
use super::database::{execute, fetch};
use super::{Store, StoreError};
use crate::domain::BankId;

/// How long an answer is kept, in milliseconds.
const KEPT_MS: i64 = 72 * 60 * 60 * 1000;
/// The route of rows of batches. What is kept under it is the id of the row's decision, and for as long as the batch is: a row that
/// was begun may be taken up again at any time.
pub const BATCH_ROW: &str = "batch row";

/// The answer that was given to a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReply {
    /// SHA-256 of the request's body, in hexadecimal.
    pub request_sha256: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// What a request with an idempotency key leaves behind; unique by bank, route and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyEntry {
    /// The route, for instance `POST /v1/decisions`.
    pub route: String,
    /// The key that the bank chose.
    pub key: String,
    /// SHA-256 of the request's body, in hexadecimal.
    pub request_sha256: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The body of the answer.
    pub body: String,
}

#[derive(sqlx::FromRow)]
struct ReplyRow {
    request_sha256: String,
    status: i64,
    body: String,
}

impl From<ReplyRow> for StoredReply {
    fn from(row: ReplyRow) -> StoredReply {
        let status = u16::try_from(row.status).unwrap_or(500);
        StoredReply { request_sha256: row.request_sha256, status, body: row.body }
    }
}

const REPLY: &str = "SELECT request_sha256, status, body FROM idempotency \
     WHERE bank = $1 AND route = $2 AND idempotency_key = $3 AND created_at > $4";

impl Store {
    /// The answer that this bank got under this key in the last 72 hours.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn idempotent_reply(
        &self,
        bank: BankId,
        route: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<StoredReply>, StoreError> {
        let mut reader = self.reader().await?;
        let oldest = now.as_millisecond() - KEPT_MS;
        let row = fetch!(fetch_optional, Reader, &mut reader, ReplyRow, REPLY, bank.to_string(), route, key, oldest)?;
        Ok(row.map(StoredReply::from))
    }
}

/// Keeps an answer; gives the earlier one, and writes nothing, where the key is taken.
pub(super) async fn keep(
    batch: &mut Batch,
    bank: BankId,
    entry: &IdempotencyEntry,
    at: Timestamp,
) -> Result<Option<StoredReply>, StoreError> {
    let (bank, now) = (bank.to_string(), at.as_millisecond());
    let created_at = if entry.route == BATCH_ROW { i64::MAX } else { now };
    let kept = execute!(
        batch.transaction(),
        "INSERT INTO idempotency (bank, route, idempotency_key, request_sha256, status, body, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (bank, route, idempotency_key) DO UPDATE \
         SET request_sha256 = excluded.request_sha256, status = excluded.status, body = excluded.body, \
             created_at = excluded.created_at \
         WHERE idempotency.created_at <= $8",
        &bank,
        &entry.route,
        &entry.key,
        &entry.request_sha256,
        i64::from(entry.status),
        &entry.body,
        created_at,
        now - KEPT_MS,
    )?;
    if kept > 0 {
        batch.keeps_answer(now);
        return Ok(None);
    }
    let oldest = now - KEPT_MS;
    let row =
        fetch!(fetch_one, Transaction, batch.transaction(), ReplyRow, REPLY, &bank, &entry.route, &entry.key, oldest)?;
    Ok(Some(row.into()))
}

/// The answer that is kept under the entry's key; writes nothing.
pub(super) async fn kept(
    batch: &mut Batch,
    bank: BankId,
    entry: &IdempotencyEntry,
    at: Timestamp,
) -> Result<Option<StoredReply>, StoreError> {
    let (bank, oldest) = (bank.to_string(), at.as_millisecond() - KEPT_MS);
    let (route, key) = (&entry.route, &entry.key);
    let row = fetch!(fetch_optional, Transaction, batch.transaction(), ReplyRow, REPLY, &bank, route, key, oldest)?;
    Ok(row.map(StoredReply::from))
}

/// Throws away answers that were kept long enough, at most a thousand at a time so that no commit waits for it.
pub(super) async fn purge(batch: &mut Batch, at: i64) -> Result<(), StoreError> {
    execute!(
        batch.transaction(),
        "DELETE FROM idempotency WHERE (bank, route, idempotency_key) IN \
         (SELECT bank, route, idempotency_key FROM idempotency WHERE created_at <= $1 LIMIT 1000)",
        at - KEPT_MS,
    )?;
    Ok(())
}
