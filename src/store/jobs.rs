//! Work that one process at a time does for all that share the store: a lease that ends by itself when its holder dies.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::audit::Batch;
use super::database::{execute, fetch};
use super::writer::Write;
use super::{Store, StoreError};

/// A job that this process has until it gives it back or its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    name: &'static str,
    holder: Uuid,
}

impl Store {
    /// Takes the job `name` for `lease`, where nobody has it and it was last done at least `every` ago; else `None`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn take_job(
        &self,
        name: &'static str,
        lease: Duration,
        every: Duration,
        now: Timestamp,
    ) -> Result<Option<Job>, StoreError> {
        let job = Job { name, holder: Uuid::new_v4() };
        let now = now.as_millisecond();
        let (until, done_before) = (now.saturating_add(milliseconds(lease)), now.saturating_sub(milliseconds(every)));
        let taken = self.write(TakeJob { job: job.clone(), now, until, done_before }).await?;
        Ok(taken.then_some(job))
    }

    /// Holds a job for `lease` from now on; false where another has it by now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn extend_job(&self, job: &Job, lease: Duration, now: Timestamp) -> Result<bool, StoreError> {
        let until = now.as_millisecond().saturating_add(milliseconds(lease));
        self.write(SetJob { job: job.clone(), until, done_at: None }).await
    }

    /// Gives a job back that was done whole.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; the job is free once its time is over.
    pub async fn finish_job(&self, job: Job, now: Timestamp) -> Result<(), StoreError> {
        self.write(SetJob { job, until: 0, done_at: Some(now.as_millisecond()) }).await.map(drop)
    }

    /// Gives a job back that was not done whole, to be taken again at once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; the job is free once its time is over.
    pub async fn leave_job(&self, job: Job) -> Result<(), StoreError> {
        self.write(SetJob { job, until: 0, done_at: None }).await.map(drop)
    }
}

/// How long a job is held at a time by [`Store::do_job`].
const LEASE: Duration = Duration::from_secs(60);

impl Store {
    /// Does `work` as the job `name`, where it was last done at least `every` ago and no other process is at it; else `None`. The
    /// job is held for as long as the work takes; a process that dies at it holds it for a minute more.
    ///
    /// # Errors
    /// Those of the work, and then the job may be taken again at once; [`StoreError::Unavailable`].
    pub async fn do_job<T>(
        &self,
        name: &'static str,
        every: Duration,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Option<T>, StoreError> {
        let Some(job) = self.take_job(name, LEASE, every, Timestamp::now()).await? else { return Ok(None) };
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = self.hold_job(&job) => Err(StoreError::Unavailable("another process has taken the job over".to_owned())),
        };
        match outcome {
            Ok(done) => {
                self.finish_job(job, Timestamp::now()).await?;
                Ok(Some(done))
            }
            Err(error) => {
                // Where it cannot be given back its time ends by itself.
                let _ = self.leave_job(job).await;
                Err(error)
            }
        }
    }

    /// Holds a job until another process has it.
    async fn hold_job(&self, job: &Job) {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            // A store that fails is tried again before the time is over.
            if let Ok(false) = self.extend_job(job, LEASE, Timestamp::now()).await {
                return;
            }
        }
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

struct TakeJob {
    job: Job,
    now: i64,
    until: i64,
    done_before: i64,
}

impl Write for TakeJob {
    type Answer = bool;

    async fn apply(&self, batch: &mut Batch) -> Result<bool, StoreError> {
        execute!(
            batch.transaction(),
            "INSERT INTO jobs (name, holder, until) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE \
             SET holder = excluded.holder, until = excluded.until WHERE jobs.until <= $4 AND jobs.done_at <= $5",
            self.job.name,
            self.job.holder.to_string(),
            self.until,
            self.now,
            self.done_before,
        )?;
        const HOLDER: &str = "SELECT holder FROM jobs WHERE name = $1";
        let (holder,) = fetch!(fetch_one, WriteTransaction, batch.transaction(), (String,), HOLDER, self.job.name)?;
        Ok(holder == self.job.holder.to_string())
    }
}

struct SetJob {
    job: Job,
    until: i64,
    done_at: Option<i64>,
}

impl Write for SetJob {
    type Answer = bool;

    async fn apply(&self, batch: &mut Batch) -> Result<bool, StoreError> {
        let set = execute!(
            batch.transaction(),
            "UPDATE jobs SET until = $1, done_at = COALESCE($2, done_at) WHERE name = $3 AND holder = $4",
            self.until,
            self.done_at,
            self.job.name,
            self.job.holder.to_string(),
        )?;
        Ok(set > 0)
    }
}
