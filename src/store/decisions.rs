//! Decisions: stored once with their case, their audit rows and the kept answer, never changed.

use std::sync::Arc;

use jiff::Timestamp;

use super::audit::sha256;
use super::cases::fold_lines;
use super::column::Row;
use super::commit::CommitDecision;
use super::database::fetch;
use super::idempotency::{IdempotencyEntry, StoredReply};
use super::{Store, StoreError};
use crate::domain::decision::Grounds;
use crate::domain::{BankId, Case, Decision, DecisionId, DecisionRecord, LookId, Uscc};

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
    /// The look that led to it, where it was noted as begun ([`Store::begin_look`]): it ends with the decision.
    pub look: Option<LookId>,
}

/// What became of a decision that was to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is stored, on disk.
    Stored,
    /// Another request with the same idempotency key was first; nothing was written, this was its answer.
    Replayed(StoredReply),
}

/// What [`RecordRow`] is read from; a condition must follow.
macro_rules! select_records {
    () => {
        "SELECT d.id, d.record, g.body FROM decisions d LEFT JOIN grounds g ON g.sha256 = d.grounds"
    };
}
pub(super) use select_records;

/// Decisions of a bank on one firm.
/// By way of the looks at the firm; the earliest decisions have none. `|| ''` keeps SQLite from beginning with the bank's.
pub(super) const OF_FIRM: &str = concat!(
    select_records!(),
    " JOIN (SELECT decision_id AS of_firm FROM looks WHERE uscc = $4 AND bank || '' = $1 AND decision_id < $2 \
     UNION SELECT id FROM decisions WHERE uscc = $4 AND bank || '' = $1 AND id < $2 AND grounds IS NULL \
     ORDER BY of_firm DESC LIMIT $3) f ON d.id = f.of_firm WHERE d.bank || '' = $1 ORDER BY d.id DESC"
);

/// A decision as stored, with what it rests on.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct RecordRow {
    pub(super) id: String,
    record: String,
    /// `None` for a decision from when the record held it.
    body: Option<String>,
}

/// The record as it is written: the decision, and the digest of its grounds.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Written<'a> {
    pub(super) decision: std::borrow::Cow<'a, Decision>,
    pub(super) grounds: std::borrow::Cow<'a, str>,
}

impl RecordRow {
    pub(super) fn read(&self) -> Result<DecisionRecord, StoreError> {
        let row = Row { what: "decision", id: &self.id };
        let Some(body) = &self.body else { return row.json("record", &self.record) };
        let written: Written<'_> = row.json("record", &self.record)?;
        let grounds: Grounds = row.json("grounds", body)?;
        Ok(DecisionRecord { decision: written.decision.into_owned(), grounds: Arc::new(grounds) })
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
    pub(super) grounds: Option<String>,
}

impl DecisionRow {
    /// SHA-256 of the record's text; nothing when the columns beside it, which decide who may read it, say otherwise.
    pub(super) fn digest(&self) -> String {
        if self.columns_agree() { sha256(self.record.as_bytes()) } else { String::new() }
    }

    fn columns_agree(&self) -> bool {
        self.columns_agree_as_written() || self.columns_agree_as_read()
    }

    /// Whether the text says the same as the columns where it stands as [`DecisionRecord`] is written today: the audit walk
    /// compares records by the thousand, and reading the whole of each would take most of its time. No text within a record
    /// can look like these names: quotation marks are escaped there.
    fn columns_agree_as_written(&self) -> bool {
        let columns = [&self.id, &self.bank, &self.uscc].map(String::as_str);
        DecisionRow::agrees_as_written(columns, self.decided_at, self.grounds.as_deref(), &self.record)
    }

    /// The same, of columns that are read elsewhere: id, bank and firm, then the others.
    pub(super) fn agrees_as_written(columns: [&str; 3], decided_at: i64, grounds: Option<&str>, record: &str) -> bool {
        let names = ["{\"decision\":{\"id\":\"", "\",\"bank\":\"", "\",\"request\":{\"uscc\":\""];
        let mut rest = record;
        for (name, column) in names.into_iter().zip(columns) {
            let Some(after) = rest.strip_prefix(name).and_then(|rest| rest.strip_prefix(column)) else { return false };
            rest = after;
        }
        let Some(rest) = rest.strip_prefix('"') else { return false };
        let name = "\"decided_at\":\"";
        let Some(at) = memchr::memmem::find(rest.as_bytes(), name.as_bytes()) else { return false };
        let instant = rest[at + name.len()..].split('"').next().unwrap_or_default();
        let rests = match grounds {
            Some(digest) => record
                .strip_suffix("\"}")
                .and_then(|record| record.strip_suffix(digest))
                .is_some_and(|record| record.ends_with(",\"grounds\":\"")),
            None => memchr::memmem::find(rest.as_bytes(), b"},\"dossier\":{").is_some(),
        };
        rests && instant.parse::<Timestamp>().is_ok_and(|at| at.as_millisecond() == decided_at)
    }

    fn columns_agree_as_read(&self) -> bool {
        #[derive(serde::Deserialize)]
        struct Record {
            decision: Decision,
            grounds: Option<String>,
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
        serde_json::from_str(&self.record).is_ok_and(|Record { decision: d, grounds }| {
            (d.id, d.bank, d.request.uscc, d.decided_at.as_millisecond())
                == (self.id.clone(), self.bank.clone(), self.uscc.clone(), self.decided_at)
                && grounds == self.grounds
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
        let write = CommitDecision::of(entry)?.without_known_dates(&self.0.known);
        self.waiting(self.0.writer.decide(write)).await
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
        const SELECT: &str = concat!(select_records!(), " WHERE d.id = $1 AND d.bank = $2");
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
        const SELECT: &str = concat!(select_records!(), " WHERE d.id = $1");
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
        const OF_BANK: &str =
            concat!(select_records!(), " WHERE d.bank = $1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_compared_the_same_as_written_and_as_read() {
        let record = r#"{"decision":{"id":"i","bank":"b","request":{"uscc":"u","purpose":"\"decided_at\":\"x"},"decided_at":"2026-11-02T08:30:00Z"},"dossier":{}}"#;
        let row = |id: &str, decided_at: i64| DecisionRow {
            seq: 1,
            id: id.to_owned(),
            bank: "b".to_owned(),
            uscc: "u".to_owned(),
            decided_at,
            record: record.to_owned(),
            grounds: None,
        };
        let at = "2026-11-02T08:30:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        for (row, agree) in [(row("i", at), true), (row("j", at), false), (row("i", at + 1), false)] {
            assert_eq!((row.columns_agree_as_written(), row.columns_agree_as_read()), (agree, agree));
        }
    }
}
