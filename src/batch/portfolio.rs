//! The portfolio judged anew on a schedule: the latest decision on each firm whose consent covers being looked at after the loan, with
//! fresh evidence. It becomes a batch of each bank's own, and is worked on like any other.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::batch::{NewRow, SentRow};
use crate::domain::decision::DecisionRequest;
use crate::domain::{BankId, BatchId, BatchKind, BatchState, DecisionId, china_date};
use crate::store::{Job, NewBatch, Store, StoreError};

/// The name of the job: one process begins a run.
const JOB: &str = "portfolio";
/// For how long it has the job; extended with every page.
const LEASE: Duration = Duration::from_secs(300);
/// How often it is looked whether a run is due.
const LOOK: Duration = Duration::from_secs(600);
/// A run may begin so much earlier than a whole number of days after the last, so that it does not wander through the day.
const EARLY: Duration = Duration::from_secs(3600);
/// The columns of the rows.
const HEADER: [&str; 5] = ["uscc", "consent_id", "purpose", "amount_fen", "term_months"];

/// What a run consists of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunCounts {
    /// The batches, one for each bank that has a portfolio.
    pub batches: Vec<(BankId, BatchId)>,
    /// Firms in them, where this call put them in.
    pub firms: u64,
}

/// Every `every_days` days, begins a run over the portfolio; the processes that share the store begin one together.
pub async fn run_on_schedule(store: Store, every_days: u32) {
    let every = Duration::from_secs(u64::from(every_days) * 86_400).saturating_sub(EARLY);
    loop {
        match begin_if_due(&store, every).await {
            Ok(Some(run)) => {
                tracing::info!(batches = run.batches.len(), firms = run.firms, "a run over the portfolio has begun");
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a run over the portfolio could not begin; to be tried again"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn begin_if_due(store: &Store, every: Duration) -> Result<Option<RunCounts>, StoreError> {
    let now = Timestamp::now();
    let Some(job) = store.take_job(JOB, LEASE, every, now).await? else { return Ok(None) };
    match queue(store, &job, now).await {
        Ok(counts) => {
            store.finish_job(job, Timestamp::now()).await?;
            Ok(Some(counts))
        }
        Err(error) => {
            store.leave_job(job).await?;
            Err(error)
        }
    }
}

/// Begins today's run, or finds the one that has begun; `None` while another process is beginning it.
///
/// # Errors
/// [`StoreError::Unavailable`]; [`StoreError::Corrupt`]. What was begun is taken up by the next call.
pub async fn queue_run(store: &Store) -> Result<Option<RunCounts>, StoreError> {
    begin_if_due(store, Duration::ZERO).await
}

/// Puts the portfolio of each bank into a batch of today's run.
async fn queue(store: &Store, job: &Job, now: Timestamp) -> Result<RunCounts, StoreError> {
    let run = china_date(now).to_string();
    let mut counts = RunCounts::default();
    for bank in store.banks().await? {
        counts.firms += queue_bank(store, job, bank, &run, now, &mut counts.batches).await?;
    }
    Ok(counts)
}

/// Gives the number of firms that were put in; a batch that is there already is left alone.
async fn queue_bank(
    store: &Store,
    job: &Job,
    bank: BankId,
    run: &str,
    now: Timestamp,
    batches: &mut Vec<(BankId, BatchId)>,
) -> Result<u64, StoreError> {
    let mut found = store.portfolio_of(bank, "", now).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let batch = NewBatch {
        id: BatchId(Uuid::now_v7()),
        bank,
        kind: BatchKind::Portfolio,
        run: Some(run.to_owned()),
        header: Some(HEADER.map(str::to_owned).to_vec()),
        created_at: now,
    };
    if let Some(there) = store.begin_batch(&batch).await? {
        if there.state != BatchState::Receiving {
            batches.push((bank, there.id));
            return Ok(0);
        }
        // Whoever began it died before it was whole: this process has the job now.
        store.discard_batch(there.id).await?;
        store.begin_batch(&batch).await?;
    }
    let mut firms = 0;
    while let Some((_, last)) = found.last() {
        let after = last.uscc.to_string();
        // The header is row 1.
        let rows = rows_of(&found, firms + 2);
        firms += found.len() as u64;
        store.add_batch_rows(batch.id, rows).await?;
        if !store.extend_job(job, LEASE, Timestamp::now()).await? {
            return Err(StoreError::Conflict("another process has begun the run".to_owned()));
        }
        found = store.portfolio_of(bank, &after, now).await?;
    }
    store.open_batch(batch.id, bank, None, Timestamp::now()).await?;
    batches.push((bank, batch.id));
    Ok(firms)
}

fn rows_of(found: &[(DecisionId, DecisionRequest)], first: u64) -> Vec<NewRow> {
    let row = |(number, (previous, request)): (u64, &(DecisionId, DecisionRequest))| NewRow {
        number,
        sent: SentRow::Cells(vec![
            request.uscc.to_string(),
            request.consent_id.to_string(),
            request.purpose.clone(),
            request.amount.0.to_string(),
            request.term_months.to_string(),
        ]),
        request: Ok(request.clone()),
        previous: Some(*previous),
    };
    (first..).zip(found).map(row).collect()
}
