//! Decisions: stored once with their case, their audit rows and the kept answer, never changed.

use jiff::Timestamp;

use super::audit::{Batch, Kind, sha256};
use super::cases::{CaseRow, fold_lines, insert_case};
use super::column::Row;
use super::consents::Grant;
use super::database::{execute, fetch};
use super::idempotency::{self, IdempotencyEntry, StoredReply};
use super::looks;
use super::rescores;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{BankId, Case, DecisionId, DecisionRecord, Look, Uscc};

/// The most decisions on one page.
const PAGE_MAX: u32 = 200;

/// A decision with all that is stored with it in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionEntry {
    /// The decision and what it rests on.
    pub record: DecisionRecord,
    /// The case that it opens; its reviews and its state are not taken over: a new case is open.
    pub case: Option<Case>,
    /// What answers a repeated request.
    pub idempotency: Option<IdempotencyEntry>,
}

/// What became of a decision that was to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is stored, on disk.
    Stored,
    /// Another request with the same idempotency key was first; nothing was written, this was its answer.
    Replayed(StoredReply),
}

#[derive(Debug, sqlx::FromRow)]
struct RecordRow {
    id: String,
    record: String,
}

impl RecordRow {
    fn read(&self) -> Result<DecisionRecord, StoreError> {
        Row { what: "decision", id: &self.id }.json("record", &self.record)
    }
}

/// A decision as stored, for the audit walk.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct DecisionRow {
    pub(super) seq: i64,
    id: String,
    bank: String,
    uscc: String,
    decided_at: i64,
    record: String,
}

impl DecisionRow {
    /// SHA-256 of the record's text; nothing when the columns beside it, which decide who may read it, say otherwise.
    pub(super) fn digest(&self) -> String {
        if self.columns_agree() { sha256(self.record.as_bytes()) } else { String::new() }
    }

    fn columns_agree(&self) -> bool {
        #[derive(serde::Deserialize)]
        struct Record {
            decision: Decision,
        }
        #[derive(serde::Deserialize)]
        struct Decision {
            id: String,
            bank: String,
            request: Request,
            decided_at: Timestamp,
        }
        #[derive(serde::Deserialize)]
        struct Request {
            uscc: String,
        }
        serde_json::from_str(&self.record).is_ok_and(|Record { decision: d }| {
            (d.id, d.bank, d.request.uscc, d.decided_at.as_millisecond())
                == (self.id.clone(), self.bank.clone(), self.uscc.clone(), self.decided_at)
        })
    }
}

impl Store {
    /// Stores a decision, its case, its line in the ledger, the use of its consent, its audit rows and the kept answer in one
    /// transaction; answers once it is on disk.
    ///
    /// # Errors
    /// [`StoreError::ConsentRefused`] when the consent was revoked or used up since it was checked;
    /// [`StoreError::Conflict`] when the id is taken, the bank is not known, or the case is about something else;
    /// [`StoreError::Unavailable`], and then it may or may not be stored: the same idempotency key tells.
    pub async fn commit_decision(&self, entry: DecisionEntry) -> Result<Committed, StoreError> {
        self.write(CommitDecision::of(entry)?).await
    }

    /// A decision of this bank with its case as it stands; `None` when the bank has no such decision.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn decision(
        &self,
        id: DecisionId,
        bank: BankId,
    ) -> Result<Option<(DecisionRecord, Option<Case>)>, StoreError> {
        const SELECT: &str = "SELECT id, record FROM decisions WHERE id = $1 AND bank = $2";
        let mut reader = self.reader().await?;
        let row = fetch!(fetch_optional, Reader, &mut reader, RecordRow, SELECT, id.to_string(), bank.to_string())?;
        drop(reader);
        let Some(row) = row else { return Ok(None) };
        let case = self.case_of(bank, &row.id).await?;
        Ok(Some((row.read()?, case)))
    }

    /// The record of a decision, whichever bank asked: for the office only.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn decision_for_office(&self, id: DecisionId) -> Result<Option<DecisionRecord>, StoreError> {
        const SELECT: &str = "SELECT id, record FROM decisions WHERE id = $1";
        let mut reader = self.reader().await?;
        let row = fetch!(fetch_optional, Reader, &mut reader, RecordRow, SELECT, id.to_string())?;
        row.map(|row| row.read()).transpose()
    }

    /// Decisions of this bank, newest first, of one firm or of all, from the one after `after` on; at most 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn decisions_of(
        &self,
        bank: BankId,
        uscc: Option<&Uscc>,
        after: Option<DecisionId>,
        limit: u32,
    ) -> Result<Vec<(DecisionRecord, Option<Case>)>, StoreError> {
        const OF_BANK: &str = "SELECT id, record FROM decisions WHERE bank = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
        const OF_FIRM: &str =
            "SELECT id, record FROM decisions WHERE bank = $1 AND id < $2 AND uscc = $4 ORDER BY id DESC LIMIT $3";
        let limit = i64::from(limit.min(PAGE_MAX));
        // "g" sorts after every UUID.
        let (owner, before) = (bank.to_string(), after.map_or_else(|| "g".to_owned(), |id| id.to_string()));
        let mut reader = self.reader().await?;
        let rows = match uscc {
            None => fetch!(fetch_all, Reader, &mut reader, RecordRow, OF_BANK, owner, before, limit)?,
            Some(uscc) => {
                fetch!(fetch_all, Reader, &mut reader, RecordRow, OF_FIRM, owner, before, limit, uscc.as_str())?
            }
        };
        drop(reader);
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let record: DecisionRecord = row.read()?;
            // Few decisions have a case, and a page is short.
            let case = match record.decision.case_id {
                Some(_) => self.case_of(bank, &row.id).await?,
                None => None,
            };
            found.push((record, case));
        }
        Ok(found)
    }

    pub(super) async fn case_of(&self, bank: BankId, decision: &str) -> Result<Option<Case>, StoreError> {
        let mut reader = self.reader().await?;
        let lines = fetch!(
            fetch_all,
            Reader,
            &mut reader,
            super::cases::CaseLine,
            concat!(super::cases::select_cases!(), " WHERE c.bank = $1 AND c.decision_id = $2 ORDER BY c.id, r.number"),
            bank.to_string(),
            decision,
        )?;
        Ok(fold_lines(lines)?.pop())
    }
}

struct CommitDecision {
    record: DecisionRecord,
    text: String,
    digest: String,
    case: Option<CaseRow>,
    look: Look,
    idempotency: Option<IdempotencyEntry>,
}

impl CommitDecision {
    fn of(entry: DecisionEntry) -> Result<CommitDecision, StoreError> {
        let decision = &entry.record.decision;
        let fits = match &entry.case {
            None => decision.case_id.is_none(),
            Some(case) => {
                decision.case_id == Some(case.id)
                    && case.decision == decision.id
                    && case.bank == decision.bank
                    && case.uscc == decision.request.uscc
            }
        };
        if !fits {
            return Err(StoreError::Conflict(format!(
                "decision {} and its case are about different things",
                decision.id
            )));
        }
        let text = serde_json::to_string(&entry.record)
            .map_err(|_| StoreError::Conflict(format!("decision {} cannot be written as JSON", decision.id)))?;
        let case = entry.case.as_ref().map(CaseRow::of);
        // Written and hashed here, by the callers side by side, and not by the one writer.
        let digest = sha256(text.as_bytes());
        let look = Look::of(&entry.record);
        Ok(CommitDecision { text, digest, case, look, idempotency: entry.idempotency, record: entry.record })
    }
}

impl Write for CommitDecision {
    type Answer = Committed;

    async fn apply(&self, batch: &mut Batch) -> Result<Committed, StoreError> {
        let decision = &self.record.decision;
        let grant = Grant::find(batch, decision.request.consent_id).await?;
        if let Some(refusal) = grant.refusal() {
            // A repetition is answered as before, also when the decision that it repeats used the consent up.
            return match &self.idempotency {
                Some(entry) => idempotency::kept(batch, decision.bank, entry, decision.decided_at).await?,
                None => None,
            }
            .map(Committed::Replayed)
            .ok_or(StoreError::ConsentRefused(refusal));
        }
        if let Some(entry) = &self.idempotency
            && let Some(earlier) = idempotency::keep(batch, decision.bank, entry, decision.decided_at).await?
        {
            return Ok(Committed::Replayed(earlier));
        }
        let id = decision.id.to_string();
        execute!(
            batch.transaction(),
            "INSERT INTO decisions (id, bank, uscc, decided_at, record) VALUES ($1, $2, $3, $4, $5)",
            &id,
            decision.bank.to_string(),
            decision.request.uscc.as_str(),
            decision.decided_at.as_millisecond(),
            &self.text,
        )?;
        batch.append(Kind::Decision, &id, &self.digest, decision.decided_at).await?;
        rescores::note_fact_ends(batch, &self.record).await?;
        if let Some(case) = &self.case {
            insert_case(batch, case, decision.decided_at).await?;
        }
        looks::enter(batch, &self.look).await?;
        looks::move_dates_on(batch, &self.look).await?;
        grant.use_up(batch, decision.id, decision.decided_at).await?;
        Ok(Committed::Stored)
    }
}
