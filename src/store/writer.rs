//! The group-commit writer: the one door for everything that is written.
//!
//! A thread takes the writes that wait (up to [`BATCH_MAX`]), applies them in one transaction, commits (one fsync for all),
//! and only then answers each caller. A caller that goes away does not stop its write; a caller that goes away before its
//! write is queued never began it.
//!
//! Where the database fails, everything that waits is refused at once, and so is what comes, until a write goes through again
//! on connections that were opened anew: after an error of the disk, nothing is trusted to a file handle that saw it.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::StoreError;
use super::audit::Batch;
use super::commit::{CommitDecision, StoredGrounds, commit_all};
use super::database::{Database, execute};
use super::decisions::Committed;
use super::hold_up::HoldUp;
use super::known::Known;
use super::looks_begun::{self, NoteBegun};
use crate::observe::Metrics;

/// The most writes that share a transaction.
const BATCH_MAX: usize = 256;
/// The most writes that wait; one more is refused. About half a second of work.
const QUEUE_MAX: usize = 4096;
/// A transaction that takes longer is given up: a server that hangs says nothing. SQLite's cannot be: where a disk hangs, those who
/// wait are told so after this time, and whoever comes is refused at once, until it goes on.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a caller waits for its write: where SQLite's disk hangs nobody else ends the wait.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(3500);
/// How soon what is left to be tidied is looked at where nobody writes.
const BETWEEN_TIDYINGS: Duration = Duration::from_millis(100);
/// How long what waits is kept waiting after a failure, for one that passes at once, like a connection that broke.
const FIRST_TRY: Duration = Duration::from_millis(300);
/// How long a later try may take, and the time between two tries.
const LATER_TRY: Duration = Duration::from_secs(2);
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

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

/// A write with its caller.
pub(super) struct Entry<W, A> {
    pub(super) write: W,
    /// What became of it, once it was applied.
    pub(super) outcome: Option<Result<A, StoreError>>,
    caller: oneshot::Sender<Result<A, StoreError>>,
}

impl<W: Write> Waiting for Entry<W, W::Answer> {
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
        self.tell();
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        let _ = self.caller.send(Err(error));
    }
}

impl<W, A> Entry<W, A> {
    fn tell(self) {
        let outcome = self.outcome.unwrap_or_else(|| Err(StoreError::Unavailable("nothing was written".to_owned())));
        // The caller may have gone; the write stands.
        let _ = self.caller.send(outcome);
    }
}

/// What waits to be written. Looks that begin and decisions are many and written many at a time; all else is rare and written one by one.
enum Queued {
    Begun(Box<Entry<NoteBegun, ()>>),
    Decision(Box<Entry<CommitDecision, Committed>>),
    Other(Box<dyn Waiting>),
}

impl Queued {
    fn answer(self) {
        match self {
            Queued::Begun(entry) => entry.tell(),
            Queued::Decision(entry) => entry.tell(),
            Queued::Other(entry) => entry.answer(),
        }
    }

    fn refuse(self, error: StoreError) {
        match self {
            Queued::Begun(entry) => drop(entry.caller.send(Err(error))),
            Queued::Decision(entry) => drop(entry.caller.send(Err(error))),
            Queued::Other(entry) => entry.refuse(error),
        }
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
            | StoreError::DisputeOpen(_)
            | StoreError::TooManyDisputes(_)
            | StoreError::DisputeResolved
    )
}

/// The writer's handle.
pub(super) struct Writer {
    database: Database,
    queue: mpsc::Sender<Queued>,
    hold_up: Arc<HoldUp>,
    stop: Arc<Notify>,
    untidy: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task.
    pub(super) fn start(database: Database, known: Arc<Known>, metrics: Metrics) -> Writer {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let (stop, untidy) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let hold_up = Arc::new(HoldUp::new());
        let desk = Desk {
            database: database.clone(),
            known,
            metrics,
            grounds: StoredGrounds::default(),
            hold_up: Arc::clone(&hold_up),
            untidy: Arc::clone(&untidy),
        };
        let (told, runtime) = (Arc::clone(&stop), tokio::runtime::Handle::current());
        let blocks = database.writing_blocks();
        let writing = run(desk, waiting, told);
        let task = match blocks {
            true => tokio::task::spawn_blocking(move || runtime.block_on(writing)),
            false => tokio::spawn(writing),
        };
        Writer { database, queue, hold_up, stop, untidy, task: Mutex::new(Some(task)) }
    }

    /// Queues a write and waits until it is on disk.
    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.answered(self.queue(write)?).await
    }

    /// Queues a decision and waits until it is on disk.
    pub(super) async fn decide(&self, write: CommitDecision) -> Result<Committed, StoreError> {
        let (caller, outcome) = oneshot::channel();
        self.push(Queued::Decision(Box::new(Entry { write, outcome: None, caller })))?;
        self.answered(outcome).await
    }

    /// What a queued write came to.
    async fn answered<A>(&self, outcome: oneshot::Receiver<Result<A, StoreError>>) -> Result<A, StoreError> {
        match tokio::time::timeout(ANSWER_TIMEOUT + self.database.patience(), outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(StoreError::Unavailable("the writer has stopped".to_owned())),
            Err(_) => Err(StoreError::Unavailable(TOO_LONG.to_owned())),
        }
    }

    /// Queues a look that begins and waits until that is on disk.
    pub(super) async fn note(&self, write: NoteBegun) -> Result<(), StoreError> {
        let (caller, outcome) = oneshot::channel();
        self.push(Queued::Begun(Box::new(Entry { write, outcome: None, caller })))?;
        self.answered(outcome).await
    }

    /// Queues a write; what is given tells, to whoever wants to know, when it is on disk.
    pub(super) fn queue<W: Write>(
        &self,
        write: W,
    ) -> Result<oneshot::Receiver<Result<W::Answer, StoreError>>, StoreError> {
        let (caller, outcome) = oneshot::channel();
        self.push(Queued::Other(Box::new(Entry { write, outcome: None, caller })))?;
        Ok(outcome)
    }

    fn push(&self, queued: Queued) -> Result<(), StoreError> {
        if self.hold_up.is_longer_than(COMMIT_TIMEOUT) {
            return Err(StoreError::Unavailable(TOO_LONG.to_owned()));
        }
        self.queue.try_send(queued).map_err(|refused| {
            StoreError::Unavailable(match refused {
                mpsc::error::TrySendError::Full(_) => "too many writes are waiting".to_owned(),
                mpsc::error::TrySendError::Closed(_) => "the writer has stopped".to_owned(),
            })
        })
    }

    /// Has SQLite's log emptied, as soon as nobody reads from it.
    pub(super) fn empty_log(&self) {
        self.database.empty_log();
        self.untidy.notify_one();
    }

    /// Whether the task still takes writes: `false` once it was stopped, or has died.
    pub(super) fn alive(&self) -> bool {
        !self.queue.is_closed()
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

const TOO_LONG: &str = "the database took too long";

/// What the task works with.
struct Desk {
    database: Database,
    known: Arc<Known>,
    metrics: Metrics,
    grounds: StoredGrounds,
    hold_up: Arc<HoldUp>,
    untidy: Arc<Notify>,
}

async fn run(mut desk: Desk, mut queue: mpsc::Receiver<Queued>, stop: Arc<Notify>) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    loop {
        tokio::select! {
            biased;
            () = stop.notified() => queue.close(),
            taken = queue.recv_many(&mut waiting, BATCH_MAX) => {
                if taken == 0 {
                    return;
                }
                match desk.commit(std::mem::take(&mut waiting)).await {
                    Ok(()) => desk.tidy(),
                    Err(why) => desk.heal(&mut queue, &stop, &why).await,
                }
            }
            // Looks once more whether there is something to be tidied.
            () = desk.untidy.notified() => {}
            () = tokio::time::sleep(BETWEEN_TIDYINGS), if desk.database.is_untidy() => desk.tidy(),
        }
    }
}

impl Desk {
    /// Commits the entries together. Where one of them cannot be stored, the group is halved until that one is alone, so that
    /// it harms no other.
    ///
    /// # Errors
    /// Why the database failed; then all that is not yet committed was refused.
    async fn commit(&mut self, entries: Vec<Queued>) -> Result<(), String> {
        let mut groups = vec![entries];
        while let Some(mut group) = groups.pop() {
            match self.commit_together(&mut group).await {
                Ok(()) => group.into_iter().for_each(Queued::answer),
                Err(StoreError::Unavailable(why)) => {
                    groups.push(group);
                    let mut unwritten: Vec<_> = groups.into_iter().flatten().collect();
                    tracing::error!(writes = unwritten.len(), %why, "writes were refused");
                    refuse(&mut unwritten, &why);
                    return Err(why);
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
        Ok(())
    }

    async fn commit_together(&mut self, entries: &mut [Queued]) -> Result<(), StoreError> {
        let begun = Instant::now();
        let transaction = async {
            let mut batch = Batch::begin(&self.database).await?;
            self.known.begun(batch.head_seq());
            match write_all(&mut batch, entries, &self.grounds).await {
                Ok(grounds) => {
                    let touched = batch.take_touched();
                    self.known.committing(batch.head_seq());
                    batch.commit().await.inspect_err(|_| self.known.failed())?;
                    self.known.committed(touched);
                    Ok(grounds)
                }
                Err(error) => {
                    // A rollback that fails leaves a connection that the pool throws away; the error to tell is the first.
                    let _ = batch.roll_back().await;
                    Err(error)
                }
            }
        };
        self.hold_up.begins();
        let outcome =
            tokio::time::timeout(COMMIT_TIMEOUT + self.database.patience(), transaction).await.unwrap_or_else(|_| {
                self.known.failed();
                Err(StoreError::Unavailable(TOO_LONG.to_owned()))
            });
        self.hold_up.ends();
        self.grounds.remember(outcome?);
        self.metrics.committed(begun.elapsed());
        Ok(())
    }

    /// What is to be done between two transactions; all is written, and the next transaction meets whatever is wrong.
    fn tidy(&self) {
        self.hold_up.begins();
        if let Err(error) = self.database.tidy() {
            tracing::warn!(%error, "the log was not moved");
        }
        self.hold_up.ends();
    }

    /// Opens the database's connections anew until a write goes through. What waits is kept for a short while, for a first try; from
    /// then on it is refused as it comes, so that nobody waits for a database that is away. Returns also when no more writes
    /// will come.
    async fn heal(&self, queue: &mut mpsc::Receiver<Queued>, stop: &Notify, why: &str) {
        let began = Instant::now();
        let mut trying = self.try_after(Duration::ZERO);
        let kept_waiting = tokio::time::sleep(FIRST_TRY);
        tokio::pin!(kept_waiting);
        let (mut refusing, mut refused) = (false, Vec::with_capacity(BATCH_MAX));
        loop {
            tokio::select! {
                biased;
                () = stop.notified() => queue.close(),
                taken = queue.recv_many(&mut refused, BATCH_MAX), if refusing => {
                    if taken == 0 {
                        return;
                    }
                    refuse(&mut refused, why);
                }
                outcome = &mut trying => {
                    if matches!(outcome, Ok(true)) {
                        break;
                    }
                    (refusing, trying) = (true, self.try_after(BETWEEN_TRIES));
                }
                () = &mut kept_waiting, if !refusing => refusing = true,
            }
        }
        tracing::info!(after_ms = began.elapsed().as_millis(), "the store takes writes again");
    }

    /// Tries, after a pause, to write; beside this thread, which a disk that hangs or a file that is locked would block.
    fn try_after(&self, pause: Duration) -> JoinHandle<bool> {
        let (database, runtime) = (self.database.clone(), tokio::runtime::Handle::current());
        tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::time::sleep(pause).await;
                matches!(tokio::time::timeout(LATER_TRY, try_writing(&database)).await, Ok(Ok(())))
            })
        })
    }
}

fn refuse(entries: &mut Vec<Queued>, why: &str) {
    entries.drain(..).for_each(|entry| entry.refuse(StoreError::Unavailable(why.to_owned())));
}

/// Writes something small all the way to the disk, on connections that were opened anew.
async fn try_writing(database: &Database) -> Result<(), StoreError> {
    database.renew().await;
    let mut batch = Batch::begin(database).await?;
    let now = Timestamp::now().as_millisecond();
    execute!(batch.transaction(), "UPDATE probe SET at = $1 WHERE id = 1", now)?;
    batch.commit().await
}

/// Writes the entries in their order, but for looks that begin, which come first, all together: they concern nobody else, and part
/// no decisions. Decisions that follow each other are written together. Gives the digests of grounds that were written.
async fn write_all(
    batch: &mut Batch,
    mut entries: &mut [Queued],
    stored: &StoredGrounds,
) -> Result<Vec<String>, StoreError> {
    let mut grounds = Vec::new();
    entries.sort_by_key(|entry| !matches!(entry, Queued::Begun(_)));
    let begun = entries.iter().take_while(|entry| matches!(entry, Queued::Begun(_))).count();
    let (these, rest) = std::mem::take(&mut entries).split_at_mut(begun);
    entries = rest;
    if !these.is_empty() {
        let notes = these.iter_mut().filter_map(|entry| match entry {
            Queued::Begun(entry) => Some(&mut **entry),
            Queued::Decision(_) | Queued::Other(_) => None,
        });
        looks_begun::note_all(batch, notes.collect()).await?;
    }
    while !entries.is_empty() {
        let run = entries.iter().take_while(|entry| matches!(entry, Queued::Decision(_))).count();
        let (these, rest) = std::mem::take(&mut entries).split_at_mut(run.max(1));
        entries = rest;
        if let [Queued::Other(entry)] = these {
            entry.apply(batch).await?;
            continue;
        }
        let decisions = these.iter_mut().filter_map(|entry| match entry {
            Queued::Decision(entry) => Some(&mut **entry),
            Queued::Begun(_) | Queued::Other(_) => None,
        });
        grounds.extend(commit_all(batch, decisions.collect(), stored).await?);
    }
    Ok(grounds)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A write that brings the writer down, as a mistake in the code would.
    struct Mistake;

    impl Write for Mistake {
        type Answer = ();

        async fn apply(&self, _: &mut Batch) -> Result<(), StoreError> {
            panic!("a mistake");
        }
    }

    /// A store whose writer has died, and the folder that it lies in.
    pub(in crate::store) async fn store_with_dead_writer() -> (crate::store::Store, tempfile::TempDir) {
        let folder = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("yuxin.db").display());
        let store = crate::store::Store::open(&url, Metrics::new().unwrap()).await.unwrap();
        assert!(store.alive());
        let answer = store.write(Mistake).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        // The caller hears of it while the thread is still being cleared away.
        let gone = async {
            while store.alive() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the writer lives on");
        (store, folder)
    }

    #[tokio::test]
    async fn a_writer_that_died_is_not_alive_and_refuses_at_once() {
        let (store, _folder) = store_with_dead_writer().await;
        assert!(!store.alive());
        let refused = tokio::time::timeout(Duration::from_secs(1), store.check_writable()).await.unwrap();
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
}
