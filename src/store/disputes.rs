//! Disputes: opened once, answered once, never deleted.

use jiff::{SignedDuration, Timestamp};

use super::audit::{Batch, Kind, digest};
use super::column::Row;
use super::database::{execute, fetch};
use super::decisions::Committed;
use super::failure::without_nul;
use super::idempotency::{self, IdempotencyEntry};
use super::notices::tell;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::notice::NoticeAbout;
use crate::domain::{BankId, DecisionId, Dispute, DisputeId, DisputedFact, NoticeKind, Resolution, Uscc};

/// The most disputes on one page.
const PAGE_MAX: u32 = 200;
/// For how long before its answer a decision on the firm counts as relying on the disputed fact: no decision is valid longer.
const RELIED_DAYS: i64 = 365;
/// As many banks may have as many disputes open on one part of a firm's record as one bank may; further ones wait.
const BANKS_FULL: u32 = 10;
/// The most decisions of a bank that a notice names.
const DECISIONS_MAX: usize = 50;

#[derive(Debug, Clone, sqlx::FromRow, serde::Deserialize)]
pub(super) struct DisputeRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    #[serde(default)]
    pub(super) seq: i64,
    id: String,
    decision_id: String,
    bank: String,
    uscc: String,
    fact: String,
    statement: String,
    taken_by: Option<String>,
    standing: String,
    without: String,
    opened_at: i64,
    due_at: i64,
    verdict: Option<String>,
    answer: Option<String>,
    user_id: Option<String>,
    user_name: Option<String>,
    resolved_at: Option<i64>,
}

/// Disputes with all their columns; a condition must follow.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, decision_id, bank, uscc, fact, statement, taken_by, standing, without, opened_at, due_at, verdict, \
             answer, user_id, user_name, resolved_at FROM disputes WHERE ",
            $rest
        )
    };
}

impl DisputeRow {
    fn of(dispute: &Dispute) -> DisputeRow {
        let resolution = dispute.resolution.as_ref();
        DisputeRow {
            seq: 0,
            id: dispute.id.to_string(),
            decision_id: dispute.decision.to_string(),
            bank: dispute.bank.to_string(),
            uscc: dispute.uscc.as_str().to_owned(),
            fact: serde_json::to_string(&dispute.fact).unwrap_or_default(),
            statement: without_nul(&dispute.statement),
            taken_by: dispute.taken_by.clone(),
            standing: serde_json::to_string(&dispute.with).unwrap_or_default(),
            without: serde_json::to_string(&dispute.without).unwrap_or_default(),
            opened_at: dispute.opened_at.as_millisecond(),
            due_at: dispute.due_at.as_millisecond(),
            verdict: resolution.map(|r| r.verdict.as_str().to_owned()),
            answer: resolution.map(|r| without_nul(&r.answer)),
            user_id: resolution.map(|r| r.user.to_string()),
            user_name: resolution.map(|r| r.user_name.clone()),
            resolved_at: resolution.map(|r| r.at.as_millisecond()),
        }
    }

    /// All columns but the outcome, which has its own row in the chain.
    pub(super) fn digest(&self) -> String {
        digest(&(
            (&self.id, &self.decision_id, &self.bank, &self.uscc, &self.fact, &self.statement, &self.taken_by),
            (&self.standing, &self.without, self.opened_at, self.due_at),
        ))
    }

    pub(super) fn resolution_digest(&self) -> String {
        digest(&(&self.id, &self.verdict, &self.answer, &self.user_id, &self.user_name, self.resolved_at))
    }

    fn read(self) -> Result<Dispute, StoreError> {
        let row = Row { what: "dispute", id: &self.id };
        let resolution = match (&self.verdict, &self.answer, &self.user_id, &self.user_name, self.resolved_at) {
            (Some(verdict), Some(answer), Some(user), Some(user_name), Some(at)) => Some(Resolution {
                verdict: row.parse("verdict", verdict)?,
                answer: answer.clone(),
                user: row.parse("user_id", user)?,
                user_name: user_name.clone(),
                at: row.instant("resolved_at", at)?,
            }),
            _ => None,
        };
        Ok(Dispute {
            id: row.parse("id", &self.id)?,
            decision: row.parse("decision_id", &self.decision_id)?,
            bank: row.parse("bank", &self.bank)?,
            uscc: row.parse("uscc", &self.uscc)?,
            fact: row.json("fact", &self.fact)?,
            with: row.json("standing", &self.standing)?,
            without: row.json("without", &self.without)?,
            opened_at: row.instant("opened_at", self.opened_at)?,
            due_at: row.instant("due_at", self.due_at)?,
            statement: self.statement.clone(),
            taken_by: self.taken_by.clone(),
            resolution,
        })
    }
}

/// How many disputes wait for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DisputeCounts {
    /// All of them.
    pub open: u64,
    /// Those past the due date.
    pub overdue: u64,
}

impl Store {
    /// Opens a dispute on a decision of its bank, once for each idempotency key: where the key is taken, nothing is written. At most
    /// `most` disputes of one bank may be open on one part of what one department says of a firm, and of all banks together
    /// [`BANKS_FULL`] times as many: no bank keeps the firm from disputing by way of another, and all that are open can be told in
    /// every decision on it.
    ///
    /// # Errors
    /// [`StoreError::DisputeOpen`], with the earlier one, when the bank disputes the same fact already, by way of whichever decision;
    /// [`StoreError::TooManyDisputes`]; [`StoreError::Conflict`] when there is no such decision; [`StoreError::Unavailable`].
    pub async fn open_dispute_once(
        &self,
        dispute: &Dispute,
        idempotency: Option<IdempotencyEntry>,
        most: u32,
    ) -> Result<Committed, StoreError> {
        let (bank, at) = (dispute.bank, dispute.opened_at);
        let row = DisputeRow::of(&Dispute { resolution: None, ..dispute.clone() });
        self.write(OpenDispute { row, fact: dispute.fact.clone(), bank, at, idempotency, most }).await
    }

    /// Records the written outcome, and tells every bank with a decision on the firm that may rely on the fact.
    ///
    /// # Errors
    /// [`StoreError::NoSuchDispute`]; [`StoreError::DisputeResolved`]; [`StoreError::NoSuchUser`] when the user is disabled;
    /// [`StoreError::Unavailable`].
    pub async fn resolve_dispute(&self, id: DisputeId, resolution: &Resolution) -> Result<Dispute, StoreError> {
        self.write(ResolveDispute { id, resolution: resolution.clone() }).await
    }

    /// The dispute with this id, whosever it is: the caller checks that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn dispute(&self, id: DisputeId) -> Result<Option<Dispute>, StoreError> {
        let mut reader = self.reader().await?;
        let row = fetch!(fetch_optional, Reader, &mut reader, DisputeRow, select!("id = $1"), id.to_string())?;
        row.map(DisputeRow::read).transpose()
    }

    /// Disputes of a bank, newest first, from the one after `after` on; at most 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn disputes_of(
        &self,
        bank: BankId,
        after: Option<DisputeId>,
        limit: u32,
    ) -> Result<Vec<Dispute>, StoreError> {
        const PAGE: &str = select!("bank = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
        // "g" sorts after every UUID.
        let (owner, before) = (bank.to_string(), after.map_or_else(|| "g".to_owned(), |id| id.to_string()));
        let limit = i64::from(limit.min(PAGE_MAX));
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, DisputeRow, PAGE, owner, before, limit)?;
        rows.into_iter().map(DisputeRow::read).collect()
    }

    /// Disputes about a firm, whichever bank sent them: all that are open, then all that were upheld, newest first; then all that may
    /// take back one that was upheld, being rejected after it, and of the others those among the newest 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn disputes_about(&self, uscc: &Uscc) -> Result<Vec<Dispute>, StoreError> {
        const ABOUT: &str = select!(
            "uscc = $1 AND (resolved_at IS NULL OR verdict = 'upheld' \
             OR (verdict = 'rejected' AND EXISTS (SELECT 1 FROM disputes u \
                 WHERE u.uscc = $1 AND u.verdict = 'upheld' AND u.resolved_at <= disputes.resolved_at)) \
             OR id IN (SELECT id FROM disputes WHERE uscc = $1 ORDER BY id DESC LIMIT 200)) \
             ORDER BY CASE WHEN resolved_at IS NULL THEN 0 WHEN verdict = 'upheld' THEN 1 ELSE 2 END, id DESC"
        );
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, DisputeRow, ABOUT, uscc.as_str())?;
        rows.into_iter().map(DisputeRow::read).collect()
    }

    /// The office's list: those that wait, most urgent first, or those that were answered, latest first; at most 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn disputes_for_office(&self, open: bool) -> Result<Vec<Dispute>, StoreError> {
        const OPEN: &str = select!("resolved_at IS NULL ORDER BY due_at, id LIMIT 200");
        const ANSWERED: &str = select!("resolved_at IS NOT NULL ORDER BY resolved_at DESC, id LIMIT 200");
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, DisputeRow, if open { OPEN } else { ANSWERED })?;
        rows.into_iter().map(DisputeRow::read).collect()
    }

    /// How many disputes wait for an answer at `now`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_disputes(&self, now: Timestamp) -> Result<DisputeCounts, StoreError> {
        const COUNT: &str =
            "SELECT COUNT(*), COUNT(CASE WHEN due_at < $1 THEN 1 END) FROM disputes WHERE resolved_at IS NULL";
        let mut reader = self.reader().await?;
        let (open, overdue) = fetch!(fetch_one, Reader, &mut reader, (i64, i64), COUNT, now.as_millisecond())?;
        Ok(DisputeCounts { open: open.unsigned_abs(), overdue: overdue.unsigned_abs() })
    }
}

struct OpenDispute {
    row: DisputeRow,
    fact: DisputedFact,
    bank: BankId,
    at: Timestamp,
    idempotency: Option<IdempotencyEntry>,
    most: u32,
}

impl OpenDispute {
    /// Whether one more may be open.
    async fn check(&self, batch: &mut Batch) -> Result<(), StoreError> {
        const OPEN: &str =
            "SELECT id, decision_id, bank, fact FROM disputes WHERE uscc = $1 AND resolved_at IS NULL ORDER BY id";
        type Open = (String, String, String, String);
        let rows = fetch!(fetch_all, WriteTransaction, batch.transaction(), Open, OPEN, &self.row.uscc)?;
        let (mut of_bank, mut of_all) = (0, 0);
        for (id, decision, bank, fact) in &rows {
            let row = Row { what: "dispute", id };
            let fact: DisputedFact = row.json("fact", fact)?;
            // A decision as a whole is another fact with each decision.
            let same = fact.is_same_as(&self.fact) && (fact.source.is_some() || *decision == self.row.decision_id);
            if same && *bank == self.row.bank {
                return Err(StoreError::DisputeOpen(row.parse("id", id)?));
            }
            let on_part = (fact.source, &fact.part) == (self.fact.source, &self.fact.part);
            of_bank += u32::from(on_part && *bank == self.row.bank);
            // A dispute about a decision as a whole is told in answers to nobody else.
            of_all += u32::from(on_part && fact.source.is_some());
        }
        let most_of_all = self.most.saturating_mul(BANKS_FULL);
        match (of_bank >= self.most, of_all >= most_of_all) {
            (true, _) => Err(StoreError::TooManyDisputes(self.most)),
            (false, true) => Err(StoreError::TooManyDisputes(most_of_all)),
            (false, false) => Ok(()),
        }
    }
}

impl Write for OpenDispute {
    type Answer = Committed;

    async fn apply(&self, batch: &mut Batch) -> Result<Committed, StoreError> {
        let OpenDispute { row, bank, at, idempotency, .. } = self;
        // First: what the key was used for may be this very dispute.
        if let Some(entry) = idempotency
            && let Some(earlier) = idempotency::earlier(batch, *bank, entry, *at).await?
        {
            return Ok(Committed::Replayed(earlier));
        }
        self.check(batch).await?;
        execute!(
            batch.transaction(),
            "INSERT INTO disputes (id, decision_id, bank, uscc, fact, statement, taken_by, standing, without, opened_at, due_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            &row.id,
            &row.decision_id,
            &row.bank,
            &row.uscc,
            &row.fact,
            &row.statement,
            &row.taken_by,
            &row.standing,
            &row.without,
            row.opened_at,
            row.due_at,
        )?;
        batch.append(Kind::Dispute, &row.id, &row.digest(), *at);
        if let Some(entry) = idempotency {
            idempotency::keep(batch, &[(*bank, entry, *at)]).await?;
        }
        Ok(Committed::Stored)
    }
}

struct ResolveDispute {
    id: DisputeId,
    resolution: Resolution,
}

impl Write for ResolveDispute {
    type Answer = Dispute;

    async fn apply(&self, batch: &mut Batch) -> Result<Dispute, StoreError> {
        const USER: &str = "SELECT id FROM users WHERE id = $1 AND disabled_at IS NULL";
        let sql = select!("id = $1");
        let row = fetch!(fetch_optional, WriteTransaction, batch.transaction(), DisputeRow, sql, self.id.to_string())?;
        let mut dispute = row.ok_or(StoreError::NoSuchDispute)?.read()?;
        if dispute.resolution.is_some() {
            return Err(StoreError::DisputeResolved);
        }
        // Somebody who was disabled a moment ago decides nothing any more.
        let user = self.resolution.user.to_string();
        let found: Option<(String,)> =
            fetch!(fetch_optional, WriteTransaction, batch.transaction(), (String,), USER, user)?;
        found.ok_or(StoreError::NoSuchUser)?;

        dispute.resolution = Some(self.resolution.clone());
        let row = DisputeRow::of(&dispute);
        execute!(
            batch.transaction(),
            "UPDATE disputes SET verdict = $1, answer = $2, user_id = $3, user_name = $4, resolved_at = $5 WHERE id = $6",
            &row.verdict,
            &row.answer,
            &row.user_id,
            &row.user_name,
            row.resolved_at,
            &row.id,
        )?;
        batch.append(Kind::DisputeResolved, &row.id, &row.resolution_digest(), self.resolution.at);
        self.tell_banks(batch, &dispute).await?;
        Ok(dispute)
    }
}

impl ResolveDispute {
    /// Tells each bank that has a decision on the firm which may rely on the fact, naming its own decisions only. Whose dispute it
    /// was, and what was said, is told to the bank of the dispute alone.
    async fn tell_banks(&self, batch: &mut Batch, dispute: &Dispute) -> Result<(), StoreError> {
        // By way of the looks at the firm; the earliest decisions have none.
        const RELIED: &str = "SELECT l.bank, l.decision_id FROM looks l \
             WHERE l.uscc = $1 AND l.ended = 'decided' AND l.bank IS NOT NULL AND (l.at >= $2 OR l.decision_id = $3) \
             UNION SELECT bank, id FROM decisions WHERE uscc = $1 AND grounds IS NULL AND (decided_at >= $2 OR id = $3) \
             ORDER BY 1, 2";
        let at = self.resolution.at;
        let since = at.saturating_sub(SignedDuration::from_hours(24 * RELIED_DAYS)).unwrap_or(Timestamp::MIN);
        let rows: Vec<(String, String)> = fetch!(
            fetch_all,
            WriteTransaction,
            batch.transaction(),
            (String, String),
            RELIED,
            dispute.uscc.as_str(),
            since.as_millisecond(),
            dispute.decision.to_string(),
        )?;
        for of_bank in rows.chunk_by(|a, b| a.0 == b.0) {
            let (owner, _) = &of_bank[0];
            let row = Row { what: "decision", id: &of_bank[0].1 };
            let bank: BankId = row.parse("bank", owner)?;
            let newest = &of_bank[of_bank.len().saturating_sub(DECISIONS_MAX)..];
            let decision_ids: Result<Vec<DecisionId>, StoreError> =
                newest.iter().map(|(_, id)| Row { what: "decision", id }.parse("id", id)).collect();
            let mut about = NoticeAbout { decision_ids: decision_ids?, ..NoticeAbout::default() };
            about.figures.insert("verdict".to_owned(), self.resolution.verdict.to_string());
            if let Some(source) = dispute.fact.source {
                about.figures.insert("source".to_owned(), source.to_string());
            }
            about.dispute_id = (bank == dispute.bank).then(|| dispute.id.to_string());
            tell(batch, bank, NoticeKind::DisputeResolved, &about, at).await?;
        }
        Ok(())
    }
}
