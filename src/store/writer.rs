//! The group-commit writer: the one door for everything that is written.
//!
//! A task takes the writes that wait (up to [`BATCH_MAX`]), applies them in one transaction, commits (one fsync for all),
//! and only then answers each caller. A caller that goes away does not stop its write; a caller that goes away before its
//! write is queued never began it.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::StoreError;
use super::audit::Batch;
use super::database::Database;
use crate::observe::Metrics;

/// The most writes that share a transaction.
const BATCH_MAX: usize = 256;
/// The most writes that wait; one more is refused. About half a second of work.
const QUEUE_MAX: usize = 4096;
/// A transaction that takes longer is given up.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Something to write, together with its rows of the audit chain.
///
/// `apply` may run twice (the transaction of the first run is rolled back then), and must check before it writes: after
/// an error that is a refusal, the transaction goes on with the other writes.
pub(super) trait Write: Send + Sync + 'static {
    /// What the caller gets once the write is on disk.
    type Answer: Send + 'static;
    /// Writes into the transaction.
    fn apply(&self, batch: &mut Batch) -> impl Future<Output = Result<Self::Answer, StoreError>> + Send;
}

/// A queued write whose type is forgotten.
trait Waiting: Send {
    fn apply<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StoreError>>;
    fn answer(self: Box<Self>);
    fn refuse(self: Box<Self>, error: StoreError);
}

struct Entry<W: Write> {
    write: W,
    outcome: Option<Result<W::Answer, StoreError>>,
    caller: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Write> Waiting for Entry<W> {
    fn apply<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            match self.write.apply(batch).await {
                Err(error) if !is_refusal(&error) => Err(error),
                outcome => {
                    self.outcome = Some(outcome);
                    Ok(())
                }
            }
        })
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(StoreError::Unavailable("nothing was written".to_owned())));
        // The caller may have gone; the write stands.
        let _ = self.caller.send(outcome);
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        let _ = self.caller.send(Err(error));
    }
}

/// Whether a write was refused before it wrote anything, so that the transaction can go on.
fn is_refusal(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::NoSuchCase
            | StoreError::CaseClosed
            | StoreError::NoSuchUser
            | StoreError::NameTaken
            | StoreError::ConsentRefused(_)
            | StoreError::NoSuchDispute
            | StoreError::DisputeOpen
            | StoreError::DisputeResolved
    )
}

/// The writer's handle.
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Waiting>>,
    stop: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task.
    pub(super) fn start(database: Database, metrics: Metrics) -> Writer {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let stop = Arc::new(Notify::new());
        let task = tokio::spawn(run(database, waiting, Arc::clone(&stop), metrics));
        Writer { queue, stop, task: Mutex::new(Some(task)) }
    }

    /// Queues a write and waits until it is on disk.
    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let outcome = self.queue(write)?;
        outcome.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the writer has stopped".to_owned())))
    }

    /// Queues a write; what is given tells, to whoever wants to know, when it is on disk.
    pub(super) fn queue<W: Write>(
        &self,
        write: W,
    ) -> Result<oneshot::Receiver<Result<W::Answer, StoreError>>, StoreError> {
        let (caller, outcome) = oneshot::channel();
        self.queue.try_send(Box::new(Entry { write, outcome: None, caller })).map_err(|refused| {
            StoreError::Unavailable(match refused {
                mpsc::error::TrySendError::Full(_) => "too many writes are waiting".to_owned(),
                mpsc::error::TrySendError::Closed(_) => "the writer has stopped".to_owned(),
            })
        })?;
        Ok(outcome)
    }

    /// Takes no more writes, writes those that wait, and ends.
    pub(super) async fn stop(&self) {
        self.stop.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the store's writer had failed");
        }
    }
}

async fn run(database: Database, mut queue: mpsc::Receiver<Box<dyn Waiting>>, stop: Arc<Notify>, metrics: Metrics) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    loop {
        tokio::select! {
            biased;
            () = stop.notified() => queue.close(),
            taken = queue.recv_many(&mut waiting, BATCH_MAX) => {
                if taken == 0 {
                    return;
                }
                commit(&database, std::mem::take(&mut waiting), &metrics).await;
            }
        }
    }
}

/// Commits the entries together. Where one of them cannot be stored, the group is halved until that one is alone, so that
/// it harms no other; where the database fails, all are refused.
async fn commit(database: &Database, entries: Vec<Box<dyn Waiting>>, metrics: &Metrics) {
    let mut groups = vec![entries];
    while let Some(mut group) = groups.pop() {
        match commit_together(database, &mut group, metrics).await {
            Ok(()) => group.into_iter().for_each(Waiting::answer),
            Err(StoreError::Unavailable(why)) => {
                tracing::error!(writes = group.len(), %why, "writes were refused");
                database.renew_writer().await;
                group.into_iter().for_each(|entry| entry.refuse(StoreError::Unavailable(why.clone())));
            }
            Err(_) if group.len() > 1 => {
                groups.push(group.split_off(group.len() / 2));
                groups.push(group);
            }
            Err(error) => {
                tracing::warn!(%error, "a write was refused");
                if let Some(entry) = group.pop() {
                    entry.refuse(error);
                }
            }
        }
    }
}

async fn commit_together(
    database: &Database,
    entries: &mut [Box<dyn Waiting>],
    metrics: &Metrics,
) -> Result<(), StoreError> {
    let begun = Instant::now();
    let transaction = async {
        let mut batch = Batch::begin(database).await?;
        for entry in entries.iter_mut() {
            if let Err(error) = entry.apply(&mut batch).await {
                // A rollback that fails leaves a connection that the pool throws away; the error to tell is the first.
                let _ = batch.roll_back().await;
                return Err(error);
            }
        }
        batch.commit().await
    };
    let outcome = tokio::time::timeout(COMMIT_TIMEOUT, transaction)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("the database took too long".to_owned())));
    if outcome.is_ok() {
        metrics.committed(begun.elapsed());
    }
    outcome
}
