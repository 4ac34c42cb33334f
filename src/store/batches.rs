//! Batches: taken in row by row, listed, cancelled, thrown away once they are old. What is done with their rows is in
//! [`super::batch_rows`].

use jiff::{SignedDuration, Timestamp};
use sqlx::AssertSqlSafe;

use super::audit::Batch as Writing;
use super::column::Row;
use super::database::{execute, fetch};
use super::failure::without_nul;
use super::idempotency::{self, IdempotencyEntry, StoredReply};
use super::many::{ManyRows, write_many};
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::batch::{BatchCounts, NewRow};
use crate::domain::{BankId, Batch, BatchId, BatchKind, BatchState};

/// The most batches on one page.
const PAGE_MAX: u32 = 200;
/// Rows that one transaction gives up or throws away, so that no decision waits long for it.
const AT_ONCE: i64 = 1000;
/// A batch that has been arriving for longer was left behind by whoever sent it, or by a process that ended.
const ARRIVING_MAX: SignedDuration = SignedDuration::from_hours(1);

/// What [`BatchRecord`] is read from; a condition must follow.
macro_rules! select {
    () => {
        "SELECT id, bank, kind, header, state, row_count, done, failed, cancelled, created_at, started_at, \
     cancelled_at, finished_at FROM batches"
    };
}
const SELECT: &str = select!();

#[derive(sqlx::FromRow, serde::Deserialize)]
pub(super) struct BatchRecord {
    id: String,
    bank: String,
    kind: String,
    header: Option<String>,
    state: String,
    row_count: i64,
    done: i64,
    failed: i64,
    cancelled: i64,
    created_at: i64,
    started_at: Option<i64>,
    cancelled_at: Option<i64>,
    finished_at: Option<i64>,
}

impl BatchRecord {
    fn read(self) -> Result<Batch, StoreError> {
        let row = Row { what: "batch", id: &self.id };
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(Batch {
            id: row.parse("id", &self.id)?,
            bank: row.parse("bank", &self.bank)?,
            kind: row.parse("kind", &self.kind)?,
            header: self.header.as_deref().map(|header| row.json("header", header)).transpose()?,
            state: row.parse("state", &self.state)?,
            counts: BatchCounts {
                rows: count(self.row_count),
                done: count(self.done),
                failed: count(self.failed),
                cancelled: count(self.cancelled),
            },
            created_at: row.instant("created_at", self.created_at)?,
            started_at: row.instant_if_any("started_at", self.started_at)?,
            cancelled_at: row.instant_if_any("cancelled_at", self.cancelled_at)?,
            finished_at: row.instant_if_any("finished_at", self.finished_at)?,
        })
    }
}

/// A batch whose rows are about to arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// Its id.
    pub id: BatchId,
    /// The bank.
    pub bank: BankId,
    /// Where it comes from.
    pub kind: BatchKind,
    /// The day of a run over the portfolio; a bank has one batch for each.
    pub run: Option<String>,
    /// The columns of its rows as sent; `None` where each row is JSON.
    pub header: Option<Vec<String>>,
    /// When.
    pub created_at: Timestamp,
}

impl Store {
    /// Begins a batch, whose rows nobody works on before it is opened. Gives the batch that is there already where the bank has
    /// one of this run.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the bank is not known; [`StoreError::Unavailable`].
    pub async fn begin_batch(&self, batch: &NewBatch) -> Result<Option<Batch>, StoreError> {
        self.write(BeginBatch(batch.clone())).await
    }

    /// Adds rows to a batch that is arriving.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a number is there twice or the batch is not arriving; [`StoreError::Unavailable`].
    pub async fn add_batch_rows(&self, id: BatchId, rows: Vec<NewRow>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(AddRows { id, rows }).await
    }

    /// Opens a batch that has all its rows, to be worked on, and keeps the answer to a repetition of the request; gives the
    /// earlier answer, and opens nothing, where another request with the same key was first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn open_batch(
        &self,
        id: BatchId,
        bank: BankId,
        idempotency: Option<IdempotencyEntry>,
        now: Timestamp,
    ) -> Result<Option<StoredReply>, StoreError> {
        self.write(OpenBatch { id, bank, idempotency, now }).await
    }

    /// A batch of this bank; `None` when the bank has no such batch.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn batch(&self, id: BatchId, bank: BankId) -> Result<Option<Batch>, StoreError> {
        let mut reader = self.reader().await?;
        let sql = AssertSqlSafe(format!("{SELECT} WHERE id = $1 AND bank = $2 AND state <> 'receiving'"));
        let row = fetch!(fetch_optional, Reader, &mut reader, BatchRecord, sql, id.to_string(), bank.to_string())?;
        row.map(BatchRecord::read).transpose()
    }

    /// Batches of this bank, newest first, from the one after `after` on; at most 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn batches_of(&self, bank: BankId, after: Option<BatchId>, limit: u32) -> Result<Vec<Batch>, StoreError> {
        let sql = AssertSqlSafe(format!(
            "{SELECT} WHERE bank = $1 AND id < $2 AND state <> 'receiving' ORDER BY id DESC LIMIT $3"
        ));
        // "g" sorts after every UUID.
        let before = after.map_or_else(|| "g".to_owned(), |id| id.to_string());
        let limit = i64::from(limit.min(PAGE_MAX));
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, BatchRecord, sql, bank.to_string(), before, limit)?;
        rows.into_iter().map(BatchRecord::read).collect()
    }

    /// Rows of this bank, or of all, that wait for a decision.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn waiting_rows(&self, bank: Option<BankId>) -> Result<u64, StoreError> {
        const SUM: &str = "SELECT CAST(COALESCE(SUM(row_count - done - failed - cancelled), 0) AS BIGINT) FROM batches \
             WHERE finished_at IS NULL AND ($1 = '' OR bank = $1)";
        let mut reader = self.reader().await?;
        let bank = bank.map_or_else(String::new, |bank| bank.to_string());
        let (count,) = fetch!(fetch_one, Reader, &mut reader, (i64,), SUM, bank)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Cancels a batch of this bank: rows that nobody has begun are given up, those under way finish. `None` when the bank has no
    /// such batch. Cancelling one that has finished changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn cancel_batch(&self, id: BatchId, bank: BankId, now: Timestamp) -> Result<Option<Batch>, StoreError> {
        if self.batch(id, bank).await?.is_none() {
            return Ok(None);
        }
        // From here on no further row is begun, whatever becomes of the rest of this.
        self.write(CancelBatch { id, now }).await?;
        while self.write(GiveUpRows { id, now }).await? > 0 {}
        self.batch(id, bank).await
    }

    /// Throws away a batch that was not opened.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn discard_batch(&self, id: BatchId) -> Result<(), StoreError> {
        while !self.write(ThrowAway { id }).await? {}
        Ok(())
    }

    /// Throws away batches that finished more than `days` days ago, with their rows, and those that never arrived whole; their
    /// decisions stay. Gives how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn purge_batches(&self, days: u32, now: Timestamp) -> Result<u64, StoreError> {
        const OLD: &str =
            "SELECT id FROM batches WHERE finished_at <= $1 OR (state = 'receiving' AND created_at <= $2) LIMIT 100";
        let before = super::looks::days_before(now, days);
        let arriving = now.saturating_sub(ARRIVING_MAX).unwrap_or(Timestamp::MIN).as_millisecond();
        let mut purged = 0;
        loop {
            let mut reader = self.reader().await?;
            let old = fetch!(fetch_all, Reader, &mut reader, (String,), OLD, before, arriving)?;
            drop(reader);
            if old.is_empty() {
                return Ok(purged);
            }
            for (id,) in old {
                self.discard_batch(Row { what: "batch", id: &id }.parse("id", &id)?).await?;
                purged += 1;
            }
        }
    }
}

struct BeginBatch(NewBatch);

impl Write for BeginBatch {
    type Answer = Option<Batch>;

    async fn apply(&self, batch: &mut Writing) -> Result<Option<Batch>, StoreError> {
        let NewBatch { id, bank, kind, run, header, created_at } = &self.0;
        if run.is_some() {
            const SAME_RUN: &str = concat!(select!(), " WHERE bank = $1 AND run = $2");
            let there = fetch!(
                fetch_optional,
                WriteTransaction,
                batch.transaction(),
                BatchRecord,
                SAME_RUN,
                bank.to_string(),
                run
            )?;
            if let Some(there) = there {
                return there.read().map(Some);
            }
        }
        execute!(
            batch.transaction(),
            "INSERT INTO batches (id, bank, kind, run, header, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            id.to_string(),
            bank.to_string(),
            kind.as_str(),
            run,
            header.as_ref().map(|header| without_nul(&serde_json::to_string(header).unwrap_or_default())),
            BatchState::Receiving.as_str(),
            created_at.as_millisecond(),
        )?;
        Ok(None)
    }
}

struct AddRows {
    id: BatchId,
    rows: Vec<NewRow>,
}

static ROWS: ManyRows =
    ManyRows::new("INSERT INTO batch_rows (batch_id, number, state, request, sent, previous, fault) VALUES ", 7, "");

/// A row of a batch as it is written.
struct RowRecord {
    number: i64,
    state: &'static str,
    request: Option<String>,
    sent: String,
    previous: Option<String>,
    fault: Option<String>,
}

impl RowRecord {
    fn of(row: &NewRow) -> RowRecord {
        let (state, request, fault) = match &row.request {
            Ok(request) => ("waiting", serde_json::to_string(request).ok(), None),
            Err(fault) => ("failed", None, serde_json::to_string(fault).ok()),
        };
        RowRecord {
            number: i64::try_from(row.number).unwrap_or(i64::MAX),
            state,
            request,
            sent: without_nul(&serde_json::to_string(&row.sent).unwrap_or_default()),
            previous: row.previous.map(|decision| decision.to_string()),
            fault,
        }
    }
}

impl Write for AddRows {
    type Answer = ();

    async fn apply(&self, batch: &mut Writing) -> Result<(), StoreError> {
        let id = self.id.to_string();
        let failed = self.rows.iter().filter(|row| row.request.is_err()).count();
        let arriving = execute!(
            batch.transaction(),
            "UPDATE batches SET row_count = row_count + $1, failed = failed + $2 WHERE id = $3 AND state = 'receiving'",
            i64::try_from(self.rows.len()).unwrap_or(i64::MAX),
            i64::try_from(failed).unwrap_or(i64::MAX),
            &id,
        )?;
        if arriving == 0 {
            return Err(StoreError::Conflict("the batch takes no more rows".to_owned()));
        }
        let rows: Vec<RowRecord> = self.rows.iter().map(RowRecord::of).collect();
        write_many!(
            batch.transaction(),
            ROWS,
            &rows,
            |row| &id,
            row.number,
            row.state,
            &row.request,
            &row.sent,
            &row.previous,
            &row.fault,
        );
        Ok(())
    }
}

struct OpenBatch {
    id: BatchId,
    bank: BankId,
    idempotency: Option<IdempotencyEntry>,
    now: Timestamp,
}

impl Write for OpenBatch {
    type Answer = Option<StoredReply>;

    async fn apply(&self, batch: &mut Writing) -> Result<Option<StoredReply>, StoreError> {
        if let Some(entry) = &self.idempotency
            && let Some(earlier) = idempotency::earlier(batch, self.bank, entry, self.now).await?
        {
            return Ok(Some(earlier));
        }
        if let Some(entry) = &self.idempotency {
            idempotency::keep(batch, &[(self.bank, entry, self.now)]).await?;
        }
        execute!(
            batch.transaction(),
            "UPDATE batches SET state = 'queued' WHERE id = $1 AND state = 'receiving'",
            self.id.to_string()
        )?;
        finish_if_done(batch, self.id, self.now).await?;
        Ok(None)
    }
}

/// Notes that a batch has finished, where no row of it waits any more.
pub(super) async fn finish_if_done(batch: &mut Writing, id: BatchId, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        batch.transaction(),
        "UPDATE batches SET finished_at = $1, state = CASE WHEN state = 'cancelled' THEN state ELSE 'done' END \
         WHERE id = $2 AND finished_at IS NULL AND state <> 'receiving' AND row_count <= done + failed + cancelled",
        now.as_millisecond(),
        id.to_string(),
    )?;
    Ok(())
}

struct CancelBatch {
    id: BatchId,
    now: Timestamp,
}

impl Write for CancelBatch {
    type Answer = ();

    async fn apply(&self, batch: &mut Writing) -> Result<(), StoreError> {
        execute!(
            batch.transaction(),
            "UPDATE batches SET state = 'cancelled', cancelled_at = $1 WHERE id = $2 AND finished_at IS NULL \
             AND state <> 'cancelled'",
            self.now.as_millisecond(),
            self.id.to_string(),
        )?;
        Ok(())
    }
}

/// Gives up rows of a cancelled batch that nobody has; those whose holder died go the same way once their time is over.
struct GiveUpRows {
    id: BatchId,
    now: Timestamp,
}

impl Write for GiveUpRows {
    type Answer = u64;

    async fn apply(&self, batch: &mut Writing) -> Result<u64, StoreError> {
        let id = self.id.to_string();
        // A row that was taken before may have its decision: whoever takes it next looks.
        let given_up = execute!(
            batch.transaction(),
            "UPDATE batch_rows SET state = 'cancelled' WHERE batch_id = $1 AND state = 'waiting' AND number IN \
             (SELECT r.number FROM batch_rows r JOIN batches b ON b.id = r.batch_id WHERE r.batch_id = $1 \
              AND r.state = 'waiting' AND r.takes = 0 AND b.state = 'cancelled' LIMIT $2)",
            &id,
            AT_ONCE,
        )?;
        if given_up > 0 {
            execute!(
                batch.transaction(),
                "UPDATE batches SET cancelled = cancelled + $1 WHERE id = $2",
                i64::try_from(given_up).unwrap_or(i64::MAX),
                &id,
            )?;
        }
        finish_if_done(batch, self.id, self.now).await?;
        Ok(given_up)
    }
}

/// Throws away some rows of a batch with what they keep from being decided twice, then the batch; whether that is done.
struct ThrowAway {
    id: BatchId,
}

impl Write for ThrowAway {
    type Answer = bool;

    async fn apply(&self, batch: &mut Writing) -> Result<bool, StoreError> {
        let id = self.id.to_string();
        execute!(
            batch.transaction(),
            "DELETE FROM idempotency WHERE route = $1 AND bank = (SELECT bank FROM batches WHERE id = $2) \
             AND idempotency_key IN (SELECT batch_id || '/' || number FROM batch_rows WHERE batch_id = $2 \
             ORDER BY number LIMIT $3)",
            idempotency::BATCH_ROW,
            &id,
            AT_ONCE,
        )?;
        let thrown = execute!(
            batch.transaction(),
            "DELETE FROM batch_rows WHERE batch_id = $1 AND number IN \
             (SELECT number FROM batch_rows WHERE batch_id = $1 ORDER BY number LIMIT $2)",
            &id,
            AT_ONCE,
        )?;
        if i64::try_from(thrown).is_ok_and(|thrown| thrown == AT_ONCE) {
            return Ok(false);
        }
        execute!(batch.transaction(), "DELETE FROM batches WHERE id = $1", &id)?;
        Ok(true)
    }
}
