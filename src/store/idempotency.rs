//! Answers kept for 72 hours under the key that the bank chose, so that a repeated request is answered, not done again.

use std::collections::HashMap;

use jiff::Timestamp;

use super::audit::Batch;
use super::database::{execute, fetch};
use super::many::{ManyRows, read_many, write_many};
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

/// The answers that these banks' keys have, however old: by bank, route and key.
pub(super) async fn kept(
    batch: &mut Batch,
    asked: &[(BankId, &IdempotencyEntry)],
) -> Result<HashMap<(String, String, String), KeptReply>, StoreError> {
    let found =
        read_many!(batch.transaction(), KeptRow, KEPT, asked, |one| one.0.to_string(), &one.1.route, &one.1.key);
    let keyed = |row: KeptRow| {
        let reply =
            StoredReply::from(ReplyRow { request_sha256: row.request_sha256, status: row.status, body: row.body });
        ((row.bank, row.route, row.idempotency_key), KeptReply { reply, created_at: row.created_at })
    };
    Ok(found.into_iter().map(keyed).collect())
}

/// The answer that is kept under the entry's key, where it still counts at `at`.
pub(super) async fn earlier(
    batch: &mut Batch,
    bank: BankId,
    entry: &IdempotencyEntry,
    at: Timestamp,
) -> Result<Option<StoredReply>, StoreError> {
    Ok(kept(batch, &[(bank, entry)]).await?.into_values().find_map(|reply| reply.at(at)))
}

/// Keeps answers under keys that are free, or whose answers are too old; each key once.
pub(super) async fn keep(
    batch: &mut Batch,
    entries: &[(BankId, &IdempotencyEntry, Timestamp)],
) -> Result<(), StoreError> {
    write_many!(
        batch.transaction(),
        KEEP,
        entries,
        |one| one.0.to_string(),
        &one.1.route,
        &one.1.key,
        &one.1.request_sha256,
        i64::from(one.1.status),
        &one.1.body,
        if one.1.route == BATCH_ROW { i64::MAX } else { one.2.as_millisecond() },
    );
    if let Some(latest) = entries.iter().map(|one| one.2.as_millisecond()).max() {
        batch.keeps_answer(latest);
    }
    Ok(())
}

/// An answer that is kept, and since when.
pub(super) struct KeptReply {
    reply: StoredReply,
    created_at: i64,
}

impl KeptReply {
    /// The answer that an entry leaves.
    pub(super) fn of(entry: &IdempotencyEntry, at: Timestamp) -> KeptReply {
        let reply = StoredReply {
            request_sha256: entry.request_sha256.clone(),
            status: entry.status,
            body: entry.body.clone(),
        };
        KeptReply { reply, created_at: if entry.route == BATCH_ROW { i64::MAX } else { at.as_millisecond() } }
    }

    /// The answer, where it still counts at `at`.
    pub(super) fn at(&self, at: Timestamp) -> Option<StoredReply> {
        (self.created_at > at.as_millisecond() - KEPT_MS).then(|| self.reply.clone())
    }
}

#[derive(sqlx::FromRow, serde::Deserialize)]
struct KeptRow {
    bank: String,
    route: String,
    idempotency_key: String,
    request_sha256: String,
    status: i64,
    body: String,
    created_at: i64,
}

static KEPT: ManyRows = ManyRows::new(
    "SELECT bank, route, idempotency_key, request_sha256, status, body, created_at FROM idempotency \
     WHERE (bank, route, idempotency_key) IN (VALUES ",
    3,
    ")",
);

static KEEP: ManyRows = ManyRows::new(
    "INSERT INTO idempotency (bank, route, idempotency_key, request_sha256, status, body, created_at) VALUES ",
    7,
    " ON CONFLICT (bank, route, idempotency_key) DO UPDATE SET request_sha256 = excluded.request_sha256, \
     status = excluded.status, body = excluded.body, created_at = excluded.created_at",
);

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
