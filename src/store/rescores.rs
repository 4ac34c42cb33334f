//! Re-scores: which decisions are due because an adverse fact leaves the score, and what came of judging them again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use super::audit::{Batch, Kind, sha256};
use super::column::Row;
use super::database::{execute, fetch};
use super::decisions::{RecordRow, select_records};
use super::many::{ManyRows, write_many};
use super::notices::tell;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::notice::NoticeAbout;
use crate::domain::{BankId, DecisionId, DecisionRecord, NoticeKind, Rescore, Uscc, china_date};

/// Decisions that are looked for at a time.
const PAGE: i64 = 200;

/// A re-score as stored.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct RescoreRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    pub(super) seq: i64,
    id: String,
    decision_id: String,
    bank: String,
    on_date: String,
    at: i64,
    record: String,
}

impl RescoreRow {
    fn of(rescore: &Rescore) -> RescoreRow {
        RescoreRow {
            seq: 0,
            id: rescore.id.to_string(),
            decision_id: rescore.decision.to_string(),
            bank: rescore.bank.to_string(),
            on_date: rescore.on.to_string(),
            at: rescore.at.as_millisecond(),
            record: serde_json::to_string(rescore).unwrap_or_default(),
        }
    }

    /// SHA-256 of the record's text; nothing when the columns beside it say otherwise.
    pub(super) fn digest(&self) -> String {
        let agrees = serde_json::from_str::<Rescore>(&self.record).is_ok_and(|rescore| {
            let row = RescoreRow::of(&rescore);
            (&row.id, &row.decision_id, &row.bank, &row.on_date)
                == (&self.id, &self.decision_id, &self.bank, &self.on_date)
                && row.at == self.at
        });
        if agrees { sha256(self.record.as_bytes()) } else { String::new() }
    }
}

/// A day on which an adverse fact of a decision leaves the score while the decision is valid.
pub(super) struct FactEnd {
    decision: String,
    leaves_on: String,
    valid_until: i64,
}

static FACT_ENDS: ManyRows =
    ManyRows::new("INSERT INTO fact_ends (decision_id, leaves_on, valid_until) VALUES ", 3, "");

/// The days on which adverse facts of a decision leave the score while it is valid.
pub(super) fn fact_ends(record: &DecisionRecord) -> Vec<FactEnd> {
    let decision = &record.decision;
    let (first, last) = (china_date(decision.decided_at), china_date(decision.valid_until));
    let days: BTreeSet<Date> = (record.grounds.dossier.adverse_facts().iter())
        .filter_map(|fact| fact.leaves_on)
        .filter(|day| first < *day && *day <= last)
        .collect();
    let end = |day: Date| FactEnd {
        decision: decision.id.to_string(),
        leaves_on: day.to_string(),
        valid_until: decision.valid_until.as_millisecond(),
    };
    days.into_iter().map(end).collect()
}

/// Notes these days.
pub(super) async fn note_fact_ends(batch: &mut Batch, ends: &[&FactEnd]) -> Result<(), StoreError> {
    write_many!(batch.transaction(), FACT_ENDS, ends, |end| &end.decision, &end.leaves_on, end.valid_until);
    Ok(())
}

impl Store {
    /// Decisions that are still valid at `now` and have a fact that left the score by then and after they were last judged; in
    /// the order of their ids, from the one after `after` on, at most 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn decisions_due_for_rescore(
        &self,
        after: Option<DecisionId>,
        now: Timestamp,
    ) -> Result<Vec<DecisionRecord>, StoreError> {
        const DUE: &str = concat!(
            select_records!(),
            " WHERE d.id > $1 AND EXISTS (SELECT 1 FROM fact_ends f \
             WHERE f.decision_id = d.id AND f.leaves_on <= $2 AND f.valid_until > $3 AND NOT EXISTS (SELECT 1 FROM rescores r \
             WHERE r.decision_id = f.decision_id AND r.on_date >= f.leaves_on)) ORDER BY d.id LIMIT $4"
        );
        let after = after.map_or_else(String::new, |id| id.to_string());
        let today = china_date(now).to_string();
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, RecordRow, DUE, after, today, now.as_millisecond(), PAGE)?;
        rows.iter().map(RecordRow::read).collect()
    }

    /// Stores a re-score and tells the bank, in one transaction. `false`: the decision was judged again for this day already;
    /// nothing was written.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such decision; [`StoreError::Unavailable`].
    pub async fn commit_rescore(&self, rescore: &Rescore) -> Result<bool, StoreError> {
        self.write(CommitRescore(rescore.clone())).await
    }

    /// The latest re-scores of decisions on a firm, whichever bank asked, newest first, at most 20: for the office only.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn rescores_about(&self, uscc: &Uscc) -> Result<Vec<Rescore>, StoreError> {
        const ABOUT: &str = "SELECT r.id, r.record FROM rescores r JOIN decisions d ON d.id = r.decision_id \
             WHERE d.uscc = $1 ORDER BY r.at DESC, r.id DESC LIMIT 20";
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, (String, String), ABOUT, uscc.as_str())?;
        rows.iter().map(|(id, record)| Row { what: "rescore", id }.json("record", record)).collect()
    }

    /// The latest re-score of a decision of this bank.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn rescore_of(&self, decision: DecisionId, bank: BankId) -> Result<Option<Rescore>, StoreError> {
        const LATEST: &str =
            "SELECT id, record FROM rescores WHERE decision_id = $1 AND bank = $2 ORDER BY on_date DESC LIMIT 1";
        let mut reader = self.reader().await?;
        let (decision, owner) = (decision.to_string(), bank.to_string());
        let row: Option<(String, String)> =
            fetch!(fetch_optional, Reader, &mut reader, (String, String), LATEST, decision, owner)?;
        row.map(|(id, record)| Row { what: "rescore", id: &id }.json("record", &record)).transpose()
    }
}

struct CommitRescore(Rescore);

impl Write for CommitRescore {
    type Answer = bool;

    async fn apply(&self, batch: &mut Batch) -> Result<bool, StoreError> {
        const SAME: &str = "SELECT id FROM rescores WHERE decision_id = $1 AND on_date = $2";
        let row = RescoreRow::of(&self.0);
        let same: Option<(String,)> = fetch!(
            fetch_optional,
            WriteTransaction,
            batch.transaction(),
            (String,),
            SAME,
            &row.decision_id,
            &row.on_date
        )?;
        if same.is_some() {
            return Ok(false);
        }
        execute!(
            batch.transaction(),
            "INSERT INTO rescores (id, decision_id, bank, on_date, at, record) VALUES ($1, $2, $3, $4, $5, $6)",
            &row.id,
            &row.decision_id,
            &row.bank,
            &row.on_date,
            row.at,
            &row.record,
        )?;
        batch.append(Kind::Rescore, &row.id, &sha256(row.record.as_bytes()), self.0.at);
        let figures = [
            ("score_before", self.0.before.score.to_string()),
            ("score_after", self.0.after.score.to_string()),
            ("outcome_before", self.0.before.outcome.to_string()),
            ("outcome_after", self.0.after.outcome.to_string()),
        ];
        let about = NoticeAbout {
            decision_ids: vec![self.0.decision],
            figures: figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect(),
            ..NoticeAbout::default()
        };
        tell(batch, self.0.bank, NoticeKind::FactExpired, &about, self.0.at).await?;
        Ok(true)
    }
}
