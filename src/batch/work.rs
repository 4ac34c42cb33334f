//! The workers of a process: rows of batches, taken for a while, decided by the same path as live requests, marked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinSet;

use super::{Batches, Pace};
use crate::decide::{Asker, DecideError, Decided, Decider};
use crate::domain::batch::RowFault;
use crate::domain::{BatchState, DecisionId, DecisionRecord, Standing};
use crate::observe::Metrics;
use crate::store::{BATCH_ROW, IdempotencyEntry, RowEnd, Store, StoreError, Taken, TakenRow};

/// Rows that a worker takes at a time.
const ROWS: u32 = 8;
/// How long it has them. Should it die, they are taken by another afterwards.
const LEASE: Duration = Duration::from_secs(60);
/// A worker that has had its rows for this long gives back those that it has not begun.
const BEGIN_WITHIN: Duration = Duration::from_secs(30);
/// What became of rows is marked at least this often.
const MARK_AFTER: Duration = Duration::from_secs(1);
/// How often it is looked whether rows wait, or can be taken again.
const IDLE: Duration = Duration::from_secs(1);
/// How long to wait after a failure of the store: for the first, and at most.
const BACKOFF: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// A row that fails this often on our side, with a store that answers, is given up.
const TAKES_MAX: u64 = 5;

/// The workers of this process.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Starts `count` workers; 0 works on nothing.
    pub fn start(count: usize, batches: &Batches, decider: Arc<Decider>, pace: Pace, metrics: Metrics) -> Workers {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let turn = Arc::new(Mutex::new(()));
        for _ in 0..count {
            let worker = Worker {
                store: batches.store.clone(),
                decider: decider.clone(),
                pace: pace.clone(),
                metrics: metrics.clone(),
                wake: batches.wake.clone(),
                turn: turn.clone(),
                stopped: stopped.clone(),
            };
            tasks.spawn(worker.run());
        }
        Workers { stop, tasks }
    }

    /// Lets the rows under way finish, and begins no more.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

struct Worker {
    store: Store,
    decider: Arc<Decider>,
    pace: Pace,
    metrics: Metrics,
    wake: Arc<Notify>,
    /// One worker at a time looks for rows.
    turn: Arc<Mutex<()>>,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    async fn run(mut self) {
        while !*self.stopped.borrow() {
            if let Some(taken) = self.take().await {
                self.work_on(&taken).await;
            }
        }
    }

    /// Takes rows; waits a while where there are none.
    async fn take(&mut self) -> Option<Taken> {
        let turn = self.turn.clone();
        let _turn = tokio::select! {
            turn = turn.lock() => turn,
            _ = self.stopped.changed() => return None,
        };
        let taken = match self.store.take_rows(ROWS, LEASE, Timestamp::now()).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(%error, "no rows of batches can be taken now");
                None
            }
        };
        if taken.is_none() {
            tokio::select! {
                () = tokio::time::sleep(IDLE) => {}
                () = self.wake.notified() => {}
                _ = self.stopped.changed() => {}
            }
        }
        taken
    }

    async fn work_on(&self, taken: &Taken) {
        let (began, mut marked) = (Instant::now(), Instant::now());
        let asker = Asker { bank: taken.bank, name: taken.bank_name.clone() };
        let mut ends = Vec::new();
        for row in &taken.rows {
            let give_back = *self.stopped.borrow() || began.elapsed() > BEGIN_WITHIN;
            let end = match give_back {
                true => RowEnd::Again(Timestamp::now()),
                false => self.end_of(taken, &asker, row).await.unwrap_or_else(|error| self.again(row, &error)),
            };
            ends.push((row.number, end));
            if marked.elapsed() > MARK_AFTER {
                self.mark(taken, std::mem::take(&mut ends), began).await;
                marked = Instant::now();
            }
        }
        self.mark(taken, ends, began).await;
    }

    /// Decides on a row; an error is one of the store.
    async fn end_of(&self, taken: &Taken, asker: &Asker, row: &TakenRow) -> Result<RowEnd, StoreError> {
        self.pace.wait().await;
        let key = format!("{}/{}", taken.batch, row.number);
        if row.takes > 1
            && let Some(decision) = self.decided(taken, &key).await?
        {
            return self.done(taken, row, decision, None).await;
        }
        let state = self.store.batch(taken.batch, taken.bank).await?.map(|batch| batch.state);
        if taken.cancelled || state.is_none_or(|state| state == BatchState::Cancelled) {
            return Ok(RowEnd::Cancelled);
        }
        let remember = |record: &DecisionRecord| {
            Some(IdempotencyEntry {
                route: BATCH_ROW.to_owned(),
                key: key.clone(),
                request_sha256: String::new(),
                status: 201,
                body: record.decision.id.to_string(),
            })
        };
        match self.decider.decide(asker, row.request.clone(), Timestamp::now(), remember).await {
            Ok(Decided::Recorded(record)) => self.done(taken, row, record.decision.id, Some(&record)).await,
            Ok(Decided::Replayed(reply)) => self.done(taken, row, id_of(&reply.body)?, None).await,
            Err(DecideError::Store(error)) => Err(error),
            // The consent may be used up by this very row, decided by whoever had it before.
            Err(refused) => match self.decided(taken, &key).await? {
                Some(decision) => self.done(taken, row, decision, None).await,
                None => Ok(RowEnd::Failed(fault_of(&refused))),
            },
        }
    }

    /// The decision that a row led to already.
    async fn decided(&self, taken: &Taken, key: &str) -> Result<Option<DecisionId>, StoreError> {
        let kept = self.store.idempotent_reply(taken.bank, BATCH_ROW, key, Timestamp::now()).await?;
        kept.map(|reply| id_of(&reply.body)).transpose()
    }

    /// What is to be marked of a row that is decided: where a decision was judged anew, also how the firm stood and stands.
    async fn done(
        &self,
        taken: &Taken,
        row: &TakenRow,
        decision: DecisionId,
        record: Option<&DecisionRecord>,
    ) -> Result<RowEnd, StoreError> {
        let Some(previous) = row.previous else { return Ok(RowEnd::Done { decision, stood: None }) };
        let before = self.standing(taken, previous).await?;
        let after = match record {
            Some(record) => Some(Standing::of(&record.decision)),
            None => self.standing(taken, decision).await?,
        };
        let stood = before.zip(after).map(|(before, after)| Box::new((previous, before, after)));
        Ok(RowEnd::Done { decision, stood })
    }

    async fn standing(&self, taken: &Taken, decision: DecisionId) -> Result<Option<Standing>, StoreError> {
        Ok(self.store.decision(decision, taken.bank).await?.map(|(record, _)| Standing::of(&record.decision)))
    }

    /// A row on which the store failed is taken again later, the later the more often that happened; one that fails for another
    /// reason only a few times.
    fn again(&self, row: &TakenRow, error: &StoreError) -> RowEnd {
        if !matches!(error, StoreError::Unavailable(_)) && row.takes >= TAKES_MAX {
            tracing::error!(%error, "a row of a batch cannot be decided");
            return RowEnd::Failed(RowFault::new("INTERNAL"));
        }
        tracing::warn!(%error, "a row of a batch waits to be tried again");
        RowEnd::Again(Timestamp::now().saturating_add(backoff(row.takes)).unwrap_or(Timestamp::MAX))
    }

    /// Marks what became of rows. A store that fails is tried again as long as the rows are this worker's; afterwards whoever takes
    /// them finds their decisions.
    async fn mark(&self, taken: &Taken, ends: Vec<(u64, RowEnd)>, began: Instant) {
        let mut tries = 1;
        loop {
            match self.store.mark_rows(taken, ends.clone(), Timestamp::now()).await {
                Ok(()) => break,
                Err(error) if began.elapsed() > LEASE => {
                    tracing::error!(%error, "rows of a batch are left to be taken again");
                    return;
                }
                Err(error) => tracing::warn!(%error, "rows of a batch could not be marked; to be tried again"),
            }
            tokio::time::sleep(backoff(tries).unsigned_abs()).await;
            tries += 1;
        }
        for (_, end) in &ends {
            self.metrics.batch_row(match end {
                RowEnd::Done { .. } => "done",
                RowEnd::Failed(_) => "failed",
                RowEnd::Cancelled => "cancelled",
                RowEnd::Again(_) => "again",
            });
        }
    }
}

/// How long to wait after so many tries.
fn backoff(tries: u64) -> SignedDuration {
    let [first, most] = BACKOFF;
    let factor = 1_u32 << tries.saturating_sub(1).min(10);
    SignedDuration::try_from(first.saturating_mul(factor).min(most)).unwrap_or(SignedDuration::from_secs(60))
}

fn id_of(body: &str) -> Result<DecisionId, StoreError> {
    body.parse().map_err(|_| StoreError::Corrupt {
        what: "row of batch",
        id: "under its key".to_owned(),
        why: "the id of the decision cannot be read".to_owned(),
    })
}

fn fault_of(refused: &DecideError) -> RowFault {
    match refused {
        DecideError::ConsentRefused(refusal) => RowFault::of_consent(*refusal).at("consent_id"),
        DecideError::ConsentUnknown | DecideError::Store(_) => RowFault::new("CONSENT_UNKNOWN").at("consent_id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_often_it_failed_the_longer_it_waits_up_to_a_minute() {
        let seconds = [1, 2, 3, 7, 100].map(|tries| backoff(tries).as_secs());
        assert_eq!(seconds, [1, 2, 4, 60, 60]);
    }
}
