//! Batches: files of requests, and runs over the portfolio. A file is read a block at a time into rows of a durable queue, which every
//! replica takes from; each row is decided by [`crate::decide::Decider::decide`], like a request of its own.
//!
//! ```text
//! file → read (rows, or what is wrong with them) → queue → workers: taken for a while → decide → marked
//! portfolio, on its day ──────────────────────────┘
//! ```
//!
//! No row is decided twice: its decision is stored together with a key made of batch and row, kept for as long as the batch is, and
//! whoever takes a row up that was begun before looks for that first.

mod file;
mod pace;
mod portfolio;
mod row;
mod work;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::{Notify, Semaphore, mpsc};
use uuid::Uuid;

use crate::domain::batch::BatchCounts;
use crate::domain::{BankId, Batch, BatchId, BatchKind, BatchState};
use crate::store::{IdempotencyEntry, NewBatch, Store, StoreError, StoredReply};
use file::Part;
pub use file::{FileFault, FileFormat};
pub use pace::Pace;
pub use portfolio::{RunCounts, queue_run, run_on_schedule};
pub use work::Workers;

/// Files that are read at once; each may take some megabytes of memory, a workbook what it unpacks to.
const READING_MAX: usize = 2;
/// How long a file waits for its turn to be read.
const READING_WAIT: Duration = Duration::from_secs(30);
/// Blocks of rows that wait for the store.
const BLOCKS_WAITING: usize = 2;

/// What a batch may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Bytes of a file.
    pub bytes_max: usize,
    /// Rows of a file.
    pub rows_max: u64,
    /// Rows of one bank that may wait for a decision.
    pub waiting_rows_max: u64,
    /// Time until the last byte of a file must be there.
    pub timeout: Duration,
}

/// Takes batches in.
pub struct Batches {
    store: Store,
    limits: BatchLimits,
    reading: Semaphore,
    wake: Arc<Notify>,
}

/// What became of a file.
#[derive(Debug)]
pub enum Submitted {
    /// It is a batch, on disk.
    Taken(Batch),
    /// Another request with the same idempotency key was first; this was its answer.
    Replayed(StoredReply),
}

/// Why a file is not a batch.
#[derive(Debug, Error)]
pub enum SubmitError {
    /// The file cannot be taken in.
    #[error("{}", .0.said.en)]
    File(FileFault),
    /// The bank has too many rows waiting.
    #[error("{waiting} rows of this bank wait already")]
    TooManyWaiting {
        /// How many.
        waiting: u64,
    },
    /// Other files are being read.
    #[error("other files are being read")]
    Busy,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A batch that is arriving; dropped before it is opened, it is thrown away.
struct Arriving {
    store: Store,
    batch: NewBatch,
    counts: BatchCounts,
    opened: bool,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let (false, Ok(runtime)) = (self.opened, tokio::runtime::Handle::try_current()) else { return };
        let (store, id) = (self.store.clone(), self.batch.id);
        runtime.spawn(async move {
            if let Err(error) = store.discard_batch(id).await {
                tracing::warn!(%error, batch = %id, "a batch that did not arrive whole is left to the purge");
            }
        });
    }
}

impl Batches {
    /// Takes batches into `store` within `limits`.
    pub fn new(store: Store, limits: BatchLimits) -> Batches {
        Batches { store, limits, reading: Semaphore::new(READING_MAX), wake: Arc::default() }
    }

    /// What a batch may be.
    pub fn limits(&self) -> BatchLimits {
        self.limits
    }

    /// Reads the file at `path`, whose name ends as its format says, into a batch of `bank`. `charset` is what the bank declared.
    /// `remember` makes of the batch what answers a repetition. When this returns `Taken`, the batch is on disk with all its rows.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing of the file is kept then.
    pub async fn submit(
        &self,
        bank: BankId,
        path: &Path,
        format: FileFormat,
        charset: Option<String>,
        remember: impl FnOnce(&Batch) -> Option<IdempotencyEntry>,
    ) -> Result<Submitted, SubmitError> {
        let waiting = self.store.waiting_rows(Some(bank)).await?;
        if waiting >= self.limits.waiting_rows_max {
            return Err(SubmitError::TooManyWaiting { waiting });
        }
        let turn = tokio::time::timeout(READING_WAIT, self.reading.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(SubmitError::Busy) };
        let (send, parts) = mpsc::channel(BLOCKS_WAITING);
        let (path, limits) = (path.to_owned(), [self.limits.bytes_max as u64, self.limits.rows_max]);
        let reading = tokio::task::spawn_blocking(move || {
            file::read(&path, format, charset.as_deref(), limits, &mut |part| send.blocking_send(part).is_ok())
        });
        let arrived = self.arrive(bank, parts).await;
        // A panic of a library on a broken file is the file's fault.
        let broken = || FileFault {
            row: None,
            column: None,
            said: crate::domain::batch::FaultText {
                zh: "文件无法读取".to_owned(),
                en: "the file cannot be read".to_owned(),
            },
            too_large: false,
        };
        reading.await.unwrap_or_else(|_| Err(broken())).map_err(SubmitError::File)?;
        let mut arriving = arrived?.ok_or_else(|| SubmitError::File(broken()))?;
        let batch = arriving.as_opened();
        let entry = remember(&batch);
        let earlier = self.store.open_batch(batch.id, bank, entry, Timestamp::now()).await?;
        if let Some(earlier) = earlier {
            return Ok(Submitted::Replayed(earlier));
        }
        arriving.opened = true;
        self.wake.notify_waiters();
        tracing::info!(batch = %batch.id, rows = batch.counts.rows, failed = batch.counts.failed, "batch taken in");
        Ok(Submitted::Taken(batch))
    }

    /// Puts the parts of a file into the store as they come.
    async fn arrive(&self, bank: BankId, mut parts: mpsc::Receiver<Part>) -> Result<Option<Arriving>, StoreError> {
        let mut arriving = None;
        while let Some(part) = parts.recv().await {
            match (part, &mut arriving) {
                (Part::Header(header), _) => {
                    let created_at = Timestamp::now();
                    let id = BatchId(Uuid::now_v7());
                    let batch = NewBatch { id, bank, kind: BatchKind::File, run: None, header, created_at };
                    self.store.begin_batch(&batch).await?;
                    let (store, counts) = (self.store.clone(), BatchCounts::default());
                    arriving = Some(Arriving { store, batch, counts, opened: false });
                }
                (Part::Rows(rows), Some(arriving)) => {
                    arriving.counts.rows += rows.len() as u64;
                    arriving.counts.failed += rows.iter().filter(|row| row.request.is_err()).count() as u64;
                    self.store.add_batch_rows(arriving.batch.id, rows).await?;
                }
                (Part::Rows(_), None) => {}
            }
        }
        Ok(arriving)
    }

    /// The batch of this bank after it was cancelled; `None` when the bank has no such batch.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn cancel(&self, id: BatchId, bank: BankId) -> Result<Option<Batch>, StoreError> {
        let cancelled = self.store.cancel_batch(id, bank, Timestamp::now()).await?;
        if cancelled.is_some() {
            tracing::info!(batch = %id, "batch cancelled");
        }
        Ok(cancelled)
    }
}

impl Arriving {
    /// The batch as it is once it is opened.
    fn as_opened(&self) -> Batch {
        let NewBatch { id, bank, kind, header, created_at, .. } = self.batch.clone();
        let counts = self.counts;
        let finished = counts.waiting() == 0;
        Batch {
            id,
            bank,
            kind,
            header,
            state: if finished { BatchState::Done } else { BatchState::Queued },
            counts,
            created_at,
            started_at: None,
            cancelled_at: None,
            finished_at: finished.then(Timestamp::now),
        }
    }
}
