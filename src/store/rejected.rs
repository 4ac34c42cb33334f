//! Replies that broke a rule, kept for inspection until they are too old or the firm revokes a consent.

use std::io::{Read, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use uuid::Uuid;

use super::audit::Batch;
use super::column::Row;
use super::database::{execute, fetch, without_nul};
use super::looks::days_before;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{RejectedReply, SourceKind, Uscc};

/// Of a longer body only this much is kept, in bytes.
const BODY_BYTES_MAX: usize = 256 << 10;
/// The most rejected replies that are listed.
const LISTED_MAX: i64 = 1000;
/// The most that one transaction throws away, so that no commit waits for it.
const PURGED_MAX: i64 = 1000;

/// A kept reply, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedLine {
    /// Its id.
    pub id: Uuid,
    /// The department.
    pub source: SourceKind,
    /// When it came.
    pub at: Timestamp,
    /// JSON pointer of what broke; empty for the whole reply.
    pub pointer: String,
    /// What is wrong with it.
    pub problem: String,
    /// SHA-256 of the whole body, in hexadecimal.
    pub digest: String,
    /// Bytes of the whole body; `None` where it was not to be kept.
    pub body_bytes: Option<u64>,
}

#[derive(sqlx::FromRow)]
struct LineRow {
    id: String,
    source: String,
    at: i64,
    pointer: String,
    problem: String,
    digest: String,
    body_bytes: Option<i64>,
}

impl LineRow {
    fn read(self) -> Result<RejectedLine, StoreError> {
        let row = Row { what: "rejected reply", id: &self.id };
        let source = SourceKind::named(&self.source);
        Ok(RejectedLine {
            id: row.parse("id", &self.id)?,
            source: source.ok_or_else(|| row.corrupt("source"))?,
            at: row.instant("at", self.at)?,
            body_bytes: self.body_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            pointer: self.pointer,
            problem: self.problem,
            digest: self.digest,
        })
    }
}

impl Store {
    /// Queues a reply to be kept, without waiting for the disk: whoever waits for a decision does not wait for this. A store
    /// that closes writes it first; one that cannot take it says so in the log.
    pub fn keep_rejected(&self, reply: RejectedReply) {
        let source = reply.source;
        if let Err(error) = self.0.writer.queue(KeepRejected::of(reply)) {
            tracing::warn!(%source, %error, "a reply that broke a rule is not kept");
        }
    }

    /// The kept replies, newest first, at most 1,000.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn rejected_replies(&self) -> Result<Vec<RejectedLine>, StoreError> {
        const SELECT: &str = "SELECT id, source, at, pointer, problem, digest, body_bytes FROM rejected_replies \
             ORDER BY at DESC, id DESC LIMIT $1";
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, LineRow, SELECT, LISTED_MAX)?;
        rows.into_iter().map(LineRow::read).collect()
    }

    /// The body of a kept reply, or its first 256 KiB; `None` where there is no such reply or its body was not to be kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn rejected_body(&self, id: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
        const SELECT: &str = "SELECT body FROM rejected_replies WHERE id = $1";
        let id = id.to_string();
        let mut reader = self.reader().await?;
        let row = fetch!(fetch_optional, Reader, &mut reader, (Option<String>,), SELECT, &id)?;
        let Some((Some(body),)) = row else { return Ok(None) };
        let corrupt = || Row { what: "rejected reply", id: &id }.corrupt("body");
        let packed = hex::decode(body).map_err(|_| corrupt())?;
        let mut plain = Vec::new();
        GzDecoder::new(packed.as_slice()).take(BODY_BYTES_MAX as u64).read_to_end(&mut plain).map_err(|_| corrupt())?;
        Ok(Some(plain))
    }

    /// Throws away kept replies older than `days` days; gives how many. At most a thousand at a time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn purge_rejected(&self, days: u32, now: Timestamp) -> Result<u64, StoreError> {
        self.write(PurgeRejected { before: days_before(now, days) }).await
    }
}

/// Throws away what is kept of a firm's replies.
pub(super) async fn forget(batch: &mut Batch, uscc: &Uscc) -> Result<(), StoreError> {
    execute!(batch.transaction(), "DELETE FROM rejected_replies WHERE uscc = $1", uscc.as_str())?;
    Ok(())
}

struct KeepRejected {
    id: String,
    reply: RejectedReply,
    body_bytes: Option<i64>,
    body: Option<String>,
}

impl KeepRejected {
    fn of(mut reply: RejectedReply) -> KeepRejected {
        let body = reply.body.take();
        KeepRejected {
            id: Uuid::now_v7().to_string(),
            body_bytes: body.as_ref().and_then(|body| i64::try_from(body.len()).ok()),
            body: body.and_then(|body| packed(&body[..body.len().min(BODY_BYTES_MAX)])),
            reply,
        }
    }
}

/// Gzip in hexadecimal: every byte comes back as it was, in a column of text.
fn packed(body: &[u8]) -> Option<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(hex::encode)
}

impl Write for KeepRejected {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch) -> Result<(), StoreError> {
        let reply = &self.reply;
        execute!(
            batch.transaction(),
            "INSERT INTO rejected_replies (id, source, uscc, at, pointer, problem, digest, body_bytes, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &self.id,
            reply.source.as_str(),
            reply.uscc.as_str(),
            reply.at.as_millisecond(),
            without_nul(&reply.pointer),
            without_nul(&reply.problem),
            &reply.digest,
            self.body_bytes,
            &self.body,
        )?;
        Ok(())
    }
}

struct PurgeRejected {
    before: i64,
}

impl Write for PurgeRejected {
    type Answer = u64;

    async fn apply(&self, batch: &mut Batch) -> Result<u64, StoreError> {
        Ok(execute!(
            batch.transaction(),
            "DELETE FROM rejected_replies WHERE id IN (SELECT id FROM rejected_replies WHERE at < $1 LIMIT $2)",
            self.before,
            PURGED_MAX,
        )?)
    }
}
