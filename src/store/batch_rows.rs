//! Rows of batches as a queue that every replica takes from. A row is taken for a while; whoever took it marks what became of it, and
//! where nobody does in time it is taken again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::audit::Batch as Writing;
use super::batches::finish_if_done;
use super::column::Row;
use super::database::{execute, fetch};
use super::decisions::RecordRow;
use super::notices::tell;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::batch::{POST_LOAN, RowFault, SentRow};
use crate::domain::decision::DecisionRequest;
use crate::domain::notice::NoticeAbout;
use crate::domain::{BankId, BatchId, Case, ConsentId, Decision, DecisionId, DecisionRecord, NoticeKind, Standing};

/// Rows, or firms, that are read at a time.
const PAGE: i64 = 100;

/// Rows that this process has for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// The batch.
    pub batch: BatchId,
    /// Its bank.
    pub bank: BankId,
    /// The bank's name.
    pub bank_name: String,
    /// The batch was cancelled: nothing new is begun.
    pub cancelled: bool,
    /// The rows, in their order.
    pub rows: Vec<TakenRow>,
    holder: String,
}

/// A row that this process has.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenRow {
    /// Its number in the file.
    pub number: u64,
    /// What it asks.
    pub request: DecisionRequest,
    /// The decision that is judged anew.
    pub previous: Option<DecisionId>,
    /// How often it was taken, this time included: above 1 it may have its decision already.
    pub takes: u64,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum RowEnd {
    /// It is decided.
    Done {
        /// The decision.
        decision: DecisionId,
        /// How the firm stood before and stands now, where a decision was judged anew.
        stood: Option<Box<(DecisionId, Standing, Standing)>>,
    },
    /// It cannot be decided.
    Failed(RowFault),
    /// It was given up.
    Cancelled,
    /// It is to be taken again from this instant on.
    Again(Timestamp),
}

/// A decided row.
#[derive(Debug, Clone)]
pub struct DecidedRow {
    /// Its number in the file.
    pub number: u64,
    /// The decision.
    pub record: DecisionRecord,
    /// The office's case, where there is one.
    pub case: Option<Case>,
}

/// A row that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedRow {
    /// Its number in the file.
    pub number: u64,
    /// As it was sent.
    pub sent: SentRow,
    /// Why.
    pub fault: RowFault,
}

#[derive(sqlx::FromRow, serde::Deserialize)]
struct TakenRecord {
    number: i64,
    request: String,
    previous: Option<String>,
    takes: i64,
}

/// A decided row: its number in the file, and the decision.
#[derive(sqlx::FromRow)]
struct DecidedLine {
    number: i64,
    #[sqlx(flatten)]
    decision: RecordRow,
}

/// What is needed of a decision's record, whichever version wrote it.
#[derive(serde::Deserialize)]
struct OfRecord {
    decision: Decision,
}

#[derive(sqlx::FromRow)]
struct PortfolioRecord {
    uscc: String,
    record: String,
    consent_id: String,
}

/// The portfolio of a bank.
/// The purposes are a JSON array of short words; what this finds is checked once more when it is decided.
/// By way of the looks at the firm, as in `decisions_of`; the earliest decisions have none.
pub(super) const PORTFOLIO: &str = "SELECT f.uscc, d.record, f.consent_id FROM (SELECT c.uscc, MAX(c.id) AS consent_id FROM consents c \
     WHERE c.bank = $1 AND c.uscc > $4 AND c.revoked_at IS NULL AND c.one_time = 0 AND c.valid_until > $2 \
     AND c.purposes LIKE $3 GROUP BY c.uscc) f JOIN decisions d ON d.id = COALESCE((SELECT l.decision_id FROM looks l \
     WHERE l.uscc = f.uscc AND l.bank || '' = $1 AND l.ended = 'decided' ORDER BY l.id DESC LIMIT 1), \
     (SELECT MAX(o.id) FROM decisions o WHERE o.uscc = f.uscc AND o.bank || '' = $1 AND o.grounds IS NULL)) \
     ORDER BY f.uscc LIMIT $5";

impl Store {
    /// Takes up to `most` rows for `lease`, of the bank that was served longest ago; `None` where no row waits.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn take_rows(&self, most: u32, lease: Duration, now: Timestamp) -> Result<Option<Taken>, StoreError> {
        const ANY: &str = "SELECT b.id FROM batches b WHERE b.finished_at IS NULL AND b.state <> 'receiving' AND EXISTS \
             (SELECT 1 FROM batch_rows r WHERE r.batch_id = b.id AND r.state = 'waiting' AND r.free_at <= $1) LIMIT 1";
        // Looked for past the writer first: most of the time there is nothing.
        let mut reader = self.reader().await?;
        let any = fetch!(fetch_optional, Reader, &mut reader, (String,), ANY, now.as_millisecond())?;
        drop(reader);
        if any.is_none() {
            return Ok(None);
        }
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        self.write(TakeRows { most, lease_ms, now, holder: Uuid::new_v4().to_string() }).await
    }

    /// Marks what became of rows that were taken. A row that another has taken meanwhile is left to that one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn mark_rows(&self, taken: &Taken, ends: Vec<(u64, RowEnd)>, now: Timestamp) -> Result<(), StoreError> {
        if ends.is_empty() {
            return Ok(());
        }
        let (batch, bank, holder) = (taken.batch, taken.bank, taken.holder.clone());
        self.write(MarkRows { batch, bank, holder, ends, now }).await
    }

    /// Decided rows of a batch of this bank, in the order of the file, from the one after `after` on; at most 100.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn decided_rows(&self, id: BatchId, bank: BankId, after: u64) -> Result<Vec<DecidedRow>, StoreError> {
        const DECIDED: &str = "SELECT r.number, d.id, d.record, g.body FROM batch_rows r JOIN decisions d ON d.id = r.decision_id \
             LEFT JOIN grounds g ON g.sha256 = d.grounds WHERE r.batch_id = $1 AND r.state = 'done' AND d.bank = $2 AND r.number > $3 ORDER BY r.number LIMIT $4";
        let (id, owner, after) = (id.to_string(), bank.to_string(), i64::try_from(after).unwrap_or(i64::MAX));
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, DecidedLine, DECIDED, &id, owner, after, PAGE)?;
        drop(reader);
        let mut decided = Vec::with_capacity(rows.len());
        for DecidedLine { number, decision } in rows {
            let record = decision.read()?;
            let case = match record.decision.case_id {
                Some(_) => self.case_of(bank, &record.decision.id.to_string()).await?,
                None => None,
            };
            decided.push(DecidedRow { number: u64::try_from(number).unwrap_or(0), record, case });
        }
        Ok(decided)
    }

    /// Rows of a batch that failed, in the order of the file, from the one after `after` on; at most 100. Whose the batch is, the
    /// caller checks.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn failed_rows(&self, id: BatchId, after: u64) -> Result<Vec<FailedRow>, StoreError> {
        const FAILED: &str = "SELECT number, sent, fault FROM batch_rows \
             WHERE batch_id = $1 AND state = 'failed' AND number > $2 ORDER BY number LIMIT $3";
        let (id, after) = (id.to_string(), i64::try_from(after).unwrap_or(i64::MAX));
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, (i64, String, Option<String>), FAILED, &id, after, PAGE)?;
        let row = Row { what: "row of batch", id: &id };
        rows.into_iter()
            .map(|(number, sent, fault)| {
                Ok(FailedRow {
                    number: u64::try_from(number).unwrap_or(0),
                    sent: row.json("sent", &sent)?,
                    fault: row.json("fault", fault.as_deref().unwrap_or_default())?,
                })
            })
            .collect()
    }

    /// Every bank, by its id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn banks(&self) -> Result<Vec<BankId>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, (String,), "SELECT id FROM banks ORDER BY id")?;
        rows.iter().map(|(id,)| Row { what: "bank", id }.parse("id", id)).collect()
    }

    /// The portfolio of a bank, in the order of the firms' codes from the one after `after` on: the latest decision on each firm
    /// that has given the bank a standing consent to be looked at after the loan, which holds now. Its request names that consent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn portfolio_of(
        &self,
        bank: BankId,
        after: &str,
        now: Timestamp,
    ) -> Result<Vec<(DecisionId, DecisionRequest)>, StoreError> {
        let (owner, purpose) = (bank.to_string(), format!("%\"{POST_LOAN}\"%"));
        let mut reader = self.reader().await?;
        let rows = fetch!(
            fetch_all,
            Reader,
            &mut reader,
            PortfolioRecord,
            PORTFOLIO,
            owner,
            now.as_millisecond(),
            purpose,
            after,
            PAGE
        )?;
        rows.into_iter()
            .map(|PortfolioRecord { uscc, record, consent_id }| {
                let row = Row { what: "decision", id: "of a portfolio" };
                let OfRecord { decision: latest } = row.json("record", &record)?;
                let consent_id: ConsentId = row.parse("consent_id", &consent_id)?;
                let purpose = POST_LOAN.to_owned();
                let uscc = row.parse("uscc", &uscc)?;
                Ok((latest.id, DecisionRequest { uscc, consent_id, purpose, ..latest.request }))
            })
            .collect()
    }
}

struct TakeRows {
    most: u32,
    lease_ms: i64,
    now: Timestamp,
    holder: String,
}

impl Write for TakeRows {
    type Answer = Option<Taken>;

    async fn apply(&self, batch: &mut Writing) -> Result<Option<Taken>, StoreError> {
        const NEXT: &str = "SELECT b.id, b.bank, k.name, b.state FROM batches b JOIN banks k ON k.id = b.bank \
             WHERE b.finished_at IS NULL AND b.state <> 'receiving' AND EXISTS (SELECT 1 FROM batch_rows r \
             WHERE r.batch_id = b.id AND r.state = 'waiting' AND r.free_at <= $1) \
             ORDER BY (SELECT MAX(o.served_at) FROM batches o WHERE o.bank = b.bank AND o.finished_at IS NULL), b.id LIMIT 1";
        const TAKEN: &str = "SELECT number, request, previous, takes FROM batch_rows \
             WHERE batch_id = $1 AND state = 'waiting' AND free_at = $2 AND holder = $3 ORDER BY number";
        let now = self.now.as_millisecond();
        let until = now.saturating_add(self.lease_ms);
        let next =
            fetch!(fetch_optional, WriteTransaction, batch.transaction(), (String, String, String, String), NEXT, now)?;
        let Some((id, bank, bank_name, state)) = next else { return Ok(None) };
        // The conditions stand twice: where another replica takes rows at the same time, PostgreSQL looks at the outer ones again.
        execute!(
            batch.transaction(),
            "UPDATE batch_rows SET holder = $1, free_at = $2, takes = takes + 1 WHERE batch_id = $3 AND state = 'waiting' \
             AND free_at <= $4 AND number IN (SELECT number FROM batch_rows WHERE batch_id = $3 AND state = 'waiting' \
             AND free_at <= $4 ORDER BY free_at, number LIMIT $5)",
            &self.holder,
            until,
            &id,
            now,
            i64::from(self.most),
        )?;
        execute!(
            batch.transaction(),
            "UPDATE batches SET served_at = $1, started_at = COALESCE(started_at, $1), \
             state = CASE WHEN state = 'queued' THEN 'running' ELSE state END WHERE id = $2",
            now,
            &id,
        )?;
        let rows =
            fetch!(fetch_all, WriteTransaction, batch.transaction(), TakenRecord, TAKEN, &id, until, &self.holder)?;
        let row = Row { what: "row of batch", id: &id };
        let read = |taken: TakenRecord| {
            Ok(TakenRow {
                number: u64::try_from(taken.number).unwrap_or(0),
                request: row.json("request", &taken.request)?,
                previous: taken.previous.as_deref().map(|id| row.parse("previous", id)).transpose()?,
                takes: u64::try_from(taken.takes).unwrap_or(u64::MAX),
            })
        };
        Ok(Some(Taken {
            batch: row.parse("id", &id)?,
            bank: row.parse("bank", &bank)?,
            bank_name,
            cancelled: state == "cancelled",
            rows: rows.into_iter().map(read).collect::<Result<_, StoreError>>()?,
            holder: self.holder.clone(),
        }))
    }
}

struct MarkRows {
    batch: BatchId,
    bank: BankId,
    holder: String,
    ends: Vec<(u64, RowEnd)>,
    now: Timestamp,
}

impl Write for MarkRows {
    type Answer = ();

    async fn apply(&self, batch: &mut Writing) -> Result<(), StoreError> {
        let id = self.batch.to_string();
        let [mut done, mut failed, mut cancelled] = [0_i64; 3];
        for (number, end) in &self.ends {
            let (state, decision, fault, free_at) = match end {
                RowEnd::Done { decision, .. } => ("done", Some(decision.to_string()), None, 0),
                RowEnd::Failed(fault) => ("failed", None, serde_json::to_string(fault).ok(), 0),
                RowEnd::Cancelled => ("cancelled", None, None, 0),
                RowEnd::Again(at) => ("waiting", None, None, at.as_millisecond()),
            };
            let marked = execute!(
                batch.transaction(),
                "UPDATE batch_rows SET state = $1, decision_id = $2, fault = $3, free_at = $4, holder = NULL \
                 WHERE batch_id = $5 AND number = $6 AND state = 'waiting' AND holder = $7",
                state,
                decision,
                fault,
                free_at,
                &id,
                i64::try_from(*number).unwrap_or(i64::MAX),
                &self.holder,
            )?;
            if marked == 0 {
                continue;
            }
            match end {
                RowEnd::Done { decision, stood } => {
                    done += 1;
                    if let Some(stood) = stood {
                        let (previous, before, after) = stood.as_ref();
                        self.tell_of_change(batch, [*previous, *decision], [before, after]).await?;
                    }
                }
                RowEnd::Failed(_) => failed += 1,
                RowEnd::Cancelled => cancelled += 1,
                RowEnd::Again(_) => {}
            }
        }
        if done + failed + cancelled > 0 {
            execute!(
                batch.transaction(),
                "UPDATE batches SET done = done + $1, failed = failed + $2, cancelled = cancelled + $3 WHERE id = $4",
                done,
                failed,
                cancelled,
                &id,
            )?;
            finish_if_done(batch, self.batch, self.now).await?;
        }
        Ok(())
    }
}

impl MarkRows {
    /// Tells the bank that a firm of its portfolio stands otherwise than it did: another grade or another outcome.
    async fn tell_of_change(
        &self,
        batch: &mut Writing,
        decision_ids: [DecisionId; 2],
        [before, after]: [&Standing; 2],
    ) -> Result<(), StoreError> {
        if before.grade == after.grade && before.outcome == after.outcome {
            return Ok(());
        }
        let figures = [
            ("score_before", before.score.to_string()),
            ("score_after", after.score.to_string()),
            ("grade_before", before.grade.clone()),
            ("grade_after", after.grade.clone()),
            ("outcome_before", before.outcome.to_string()),
            ("outcome_after", after.outcome.to_string()),
        ];
        let figures: BTreeMap<String, String> = figures.map(|(name, figure)| (name.to_owned(), figure)).into();
        let about = NoticeAbout { decision_ids: decision_ids.to_vec(), figures, ..NoticeAbout::default() };
        tell(batch, self.bank, NoticeKind::StandingChanged, &about, self.now).await
    }
}
