//! Replies that broke a rule, kept for inspection until they are too old or the firm revokes a consent.

use std::io::{Read, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use uuid::Uuid;

use super::audit::Batch;
use super::column::Row;
use super::database::{execute, fetch};
use super::failure::without_nul;
use super::looks::days_before;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{RejectedReply, SourceKind, Uscc};

/// No more of a body is ever unpacked, in bytes: the most that the settings allow to be kept.
const BODY_BYTES_MAX: u64 = 16 << 20;
/// What a reply takes beside its body, in bytes, about.
const LINE_BYTES: i64 = 512;
/// The most rejected replies that are listed.
const LISTED_MAX: i64 = 1000;
/// The most that one transaction throws away, so that no commit waits for it.
const PURGED_MAX: i64 = 1000;

/// How much of rejected replies is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectedLimits {
    /// Of one body, in bytes before packing; 0 keeps none.
    pub reply_bytes: usize,
    /// Of one firm's replies, in bytes as they lie in the store.
    pub firm_bytes: u64,
    /// Of all replies together, likewise.
    pub total_bytes: u64,
}

impl Default for RejectedLimits {
    /// Those of the settings' defaults, `sources.rejected_*_bytes_max`.
    fn default() -> RejectedLimits {
        RejectedLimits { reply_bytes: 256 << 10, firm_bytes: 1 << 20, total_bytes: 256 << 20 }
    }
}

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
    /// Keeps this much of rejected replies from now on. The first call counts.
    pub fn limit_rejected(&self, limits: RejectedLimits) {
        let _ = self.0.rejected_limits.set(limits);
    }

    /// Queues a reply to be kept, without waiting for the disk: whoever waits for a decision does not wait for this. A store
    /// that closes writes it first; one that cannot take it says so in the log.
    pub fn keep_rejected(&self, reply: RejectedReply) {
        let source = reply.source;
        if let Err(error) =
            self.0.writer.queue(KeepRejected::of(reply, *self.0.rejected_limits.get_or_init(RejectedLimits::default)))
        {
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

    /// The body of a kept reply, or as much of its beginning as was kept; `None` where there is no such reply or its body was not to be kept.
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
        GzDecoder::new(packed.as_slice()).take(BODY_BYTES_MAX).read_to_end(&mut plain).map_err(|_| corrupt())?;
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

/// Throws away what is kept of a firm's replies; gives how many.
pub(super) async fn forget(batch: &mut Batch, uscc: &Uscc) -> Result<usize, StoreError> {
    const OF_FIRM: &str = "SELECT id, kept_bytes FROM rejected_replies WHERE uscc = $1";
    let kept = fetch!(fetch_all, WriteTransaction, batch.transaction(), (String, i64), OF_FIRM, uscc.as_str())?;
    throw_away(batch, &kept).await?;
    Ok(kept.len())
}

/// Throws replies away, each with what it takes.
async fn throw_away(batch: &mut Batch, kept: &[(String, i64)]) -> Result<(), StoreError> {
    for (id, _) in kept {
        execute!(batch.transaction(), "DELETE FROM rejected_replies WHERE id = $1", id)?;
    }
    add_to_total(batch, -kept.iter().map(|(_, bytes)| bytes).sum::<i64>()).await
}

/// Keeps count of what all replies take.
async fn add_to_total(batch: &mut Batch, bytes: i64) -> Result<(), StoreError> {
    execute!(batch.transaction(), "UPDATE rejected_kept SET bytes = bytes + $1 WHERE id = 1", bytes)?;
    Ok(())
}

/// As many of the first as take `bytes`.
fn first_of(kept: Vec<(String, i64)>, bytes: i64) -> Vec<(String, i64)> {
    let mut freed = 0;
    kept.into_iter()
        .take_while(|(_, takes)| {
            let wanted = freed < bytes;
            freed += takes;
            wanted
        })
        .collect()
}

struct KeepRejected {
    id: String,
    reply: RejectedReply,
    body_bytes: Option<i64>,
    body: Option<String>,
    limits: RejectedLimits,
}

impl KeepRejected {
    fn of(mut reply: RejectedReply, limits: RejectedLimits) -> KeepRejected {
        let body = reply.body.take();
        let whole = limits.firm_bytes.min(limits.total_bytes);
        let packed = body.as_ref().filter(|_| limits.reply_bytes > 0).and_then(|body| {
            // What would push out all else and itself is not kept.
            packed(&body[..body.len().min(limits.reply_bytes)]).filter(|text| (text.len() as u64) < whole)
        });
        KeepRejected {
            id: Uuid::now_v7().to_string(),
            body_bytes: body.as_ref().and_then(|body| i64::try_from(body.len()).ok()),
            body: packed,
            reply,
            limits,
        }
    }

    /// What it takes in the store, about.
    fn bytes(&self) -> i64 {
        let body = self.body.as_ref().map_or(0, String::len);
        LINE_BYTES.saturating_add(i64::try_from(body).unwrap_or(i64::MAX))
    }

    /// Makes room: the oldest replies leave first, of the firm and then of all.
    async fn make_room(&self, batch: &mut Batch) -> Result<(), StoreError> {
        const OF_FIRM: &str = "SELECT id, kept_bytes FROM rejected_replies WHERE uscc = $1 ORDER BY at, id";
        const OF_ALL: &str = "SELECT id, kept_bytes FROM rejected_replies ORDER BY at, id LIMIT $1";
        const TOTAL: &str = "SELECT bytes FROM rejected_kept WHERE id = 1";
        let over = |taken: i64, most: u64| {
            taken.saturating_add(self.bytes()).saturating_sub(i64::try_from(most).unwrap_or(i64::MAX))
        };
        let uscc = self.reply.uscc.as_str();
        let kept = fetch!(fetch_all, WriteTransaction, batch.transaction(), (String, i64), OF_FIRM, uscc)?;
        let surplus = over(kept.iter().map(|(_, bytes)| bytes).sum(), self.limits.firm_bytes);
        throw_away(batch, &first_of(kept, surplus)).await?;
        let (total,) = fetch!(fetch_one, WriteTransaction, batch.transaction(), (i64,), TOTAL)?;
        let surplus = over(total, self.limits.total_bytes);
        if surplus > 0 {
            let oldest = fetch!(fetch_all, WriteTransaction, batch.transaction(), (String, i64), OF_ALL, PURGED_MAX)?;
            throw_away(batch, &first_of(oldest, surplus)).await?;
        }
        Ok(())
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
        self.make_room(batch).await?;
        let reply = &self.reply;
        execute!(
            batch.transaction(),
            "INSERT INTO rejected_replies (id, source, uscc, at, pointer, problem, digest, body_bytes, body, kept_bytes) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &self.id,
            reply.source.as_str(),
            reply.uscc.as_str(),
            reply.at.as_millisecond(),
            without_nul(&reply.pointer),
            without_nul(&reply.problem),
            &reply.digest,
            self.body_bytes,
            &self.body,
            self.bytes(),
        )?;
        add_to_total(batch, self.bytes()).await
    }
}

struct PurgeRejected {
    before: i64,
}

impl Write for PurgeRejected {
    type Answer = u64;

    async fn apply(&self, batch: &mut Batch) -> Result<u64, StoreError> {
        const OLD: &str = "SELECT id, kept_bytes FROM rejected_replies WHERE at < $1 ORDER BY at, id LIMIT $2";
        let old =
            fetch!(fetch_all, WriteTransaction, batch.transaction(), (String, i64), OLD, self.before, PURGED_MAX)?;
        throw_away(batch, &old).await?;
        Ok(old.len() as u64)
    }
}
