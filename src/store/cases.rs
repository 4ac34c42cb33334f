//! Cases: the queue of the finance office, and the reviews that move a case along.

use serde::Serialize;
use uuid::Uuid;

use super::audit::{Batch, Kind, digest};
use super::column::Row;
use super::database::{execute, fetch};
use super::failure::without_nul;
use super::many::{ManyRows, write_many};
use super::outbox::announce;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{Case, CaseId, CaseState, DecisionId, EventKind, Fen, Outcome, Review, Verdict};

/// A case as stored.
#[derive(Debug, Clone, sqlx::FromRow, serde::Deserialize)]
pub(super) struct CaseRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    #[serde(default)]
    pub(super) seq: i64,
    pub(super) id: String,
    decision_id: String,
    bank: String,
    bank_name: String,
    uscc: String,
    firm_name: Option<String>,
    refer_codes: String,
    outcome: String,
    score: i64,
    grade: String,
    amount_fen: i64,
    opened_at: i64,
    due_at: i64,
    search: String,
    state: String,
}

/// A review as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct ReviewRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    pub(super) seq: i64,
    id: String,
    case_id: String,
    number: i64,
    user_id: String,
    user_name: String,
    verdict: String,
    reason: String,
    limit_fen: Option<i64>,
    at: i64,
}

/// A case joined with one of its reviews, or with none.
#[derive(Debug, sqlx::FromRow, serde::Deserialize)]
pub(super) struct CaseLine {
    #[sqlx(flatten)]
    #[serde(flatten)]
    case: CaseRow,
    user_id: Option<String>,
    user_name: Option<String>,
    verdict: Option<String>,
    reason: Option<String>,
    limit_fen: Option<i64>,
    at: Option<i64>,
}

/// Cases `c` with their reviews `r`; a condition and `ORDER BY …, c.id, r.number` must follow.
macro_rules! select_cases {
    () => {
        "SELECT c.id, c.decision_id, c.bank, c.bank_name, c.uscc, c.firm_name, c.refer_codes, c.outcome, c.score, c.grade, \
         c.amount_fen, c.opened_at, c.due_at, c.search, c.state, \
         r.user_id, r.user_name, r.verdict, r.reason, r.limit_fen, r.at \
         FROM cases c LEFT JOIN reviews r ON r.case_id = c.id"
    };
}
pub(super) use select_cases;

impl CaseRow {
    pub(super) fn of(case: &Case) -> CaseRow {
        CaseRow {
            seq: 0,
            id: case.id.to_string(),
            decision_id: case.decision.to_string(),
            bank: case.bank.to_string(),
            bank_name: case.bank_name.clone(),
            uscc: case.uscc.as_str().to_owned(),
            firm_name: case.firm_name.as_deref().map(without_nul),
            refer_codes: serde_json::to_string(&case.refer_codes).unwrap_or_default(),
            outcome: case.outcome.as_str().to_owned(),
            score: case.score,
            grade: case.grade.clone(),
            amount_fen: case.amount.0,
            opened_at: case.opened_at.as_millisecond(),
            due_at: case.due_at.as_millisecond(),
            search: format!("{}|{}", fold(case.uscc.as_str()), fold(case.firm_name.as_deref().unwrap_or(""))),
            state: CaseState::Open.as_str().to_owned(),
        }
    }

    /// All columns but the state, which follows from the reviews.
    pub(super) fn digest(&self) -> String {
        digest(&(
            (&self.id, &self.decision_id, &self.bank, &self.bank_name, &self.uscc, &self.firm_name, &self.refer_codes),
            (&self.outcome, self.score, &self.grade, self.amount_fen, self.opened_at, self.due_at, &self.search),
        ))
    }

    fn read(&self) -> Result<Case, StoreError> {
        let row = Row { what: "case", id: &self.id };
        let outcomes = [Outcome::Approve, Outcome::Refer, Outcome::Decline];
        Ok(Case {
            id: row.parse("id", &self.id)?,
            decision: row.parse("decision_id", &self.decision_id)?,
            bank: row.parse("bank", &self.bank)?,
            bank_name: self.bank_name.clone(),
            uscc: row.parse("uscc", &self.uscc)?,
            firm_name: self.firm_name.clone(),
            refer_codes: row.json("refer_codes", &self.refer_codes)?,
            outcome: outcomes.into_iter().find(|o| o.as_str() == self.outcome).ok_or_else(|| row.corrupt("outcome"))?,
            score: self.score,
            grade: self.grade.clone(),
            amount: Fen(self.amount_fen),
            state: row.parse("state", &self.state)?,
            opened_at: row.instant("opened_at", self.opened_at)?,
            due_at: row.instant("due_at", self.due_at)?,
            reviews: Vec::new(),
        })
    }
}

impl ReviewRow {
    fn of(case: CaseId, number: usize, review: &Review) -> ReviewRow {
        ReviewRow {
            seq: 0,
            id: Uuid::now_v7().to_string(),
            case_id: case.to_string(),
            number: i64::try_from(number).unwrap_or(i64::MAX),
            user_id: review.user.to_string(),
            user_name: review.user_name.clone(),
            verdict: review.verdict.as_str().to_owned(),
            reason: without_nul(&review.reason),
            limit_fen: review.limit.map(|l| l.0),
            at: review.at.as_millisecond(),
        }
    }

    pub(super) fn digest(&self) -> String {
        digest(&(
            (&self.id, &self.case_id, self.number, &self.user_id, &self.user_name),
            (&self.verdict, &self.reason, self.limit_fen, self.at),
        ))
    }
}

impl CaseLine {
    fn review(&self) -> Result<Option<Review>, StoreError> {
        let row = Row { what: "case", id: &self.case.id };
        let (Some(user), Some(user_name), Some(verdict), Some(reason), Some(at)) =
            (&self.user_id, &self.user_name, &self.verdict, &self.reason, self.at)
        else {
            return Ok(None);
        };
        Ok(Some(Review {
            user: row.parse("user of a review", user)?,
            user_name: user_name.clone(),
            verdict: row.parse("verdict", verdict)?,
            reason: reason.clone(),
            limit: self.limit_fen.map(Fen),
            at: row.instant("time of a review", at)?,
        }))
    }
}

/// Joined lines, each case's together, into cases with their reviews.
pub(super) fn fold_lines(lines: Vec<CaseLine>) -> Result<Vec<Case>, StoreError> {
    let mut cases: Vec<Case> = Vec::new();
    let mut last = String::new();
    for line in lines {
        if line.case.id != last {
            cases.push(line.case.read()?);
            last.clone_from(&line.case.id);
        }
        if let (Some(review), Some(case)) = (line.review()?, cases.last_mut()) {
            case.reviews.push(review);
        }
    }
    Ok(cases)
}

/// Lower case, half width, no blanks and no control characters: what is searched, and what is searched for.
pub(super) fn fold(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            _ => c,
        })
        .filter(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '\u{200b}' | '\u{feff}'))
        .flat_map(char::to_lowercase)
        .collect()
}

static CASES: ManyRows = ManyRows::new(
    "INSERT INTO cases (id, decision_id, bank, bank_name, uscc, firm_name, refer_codes, outcome, score, grade, amount_fen, \
     opened_at, due_at, search, state) VALUES ",
    15,
    "",
);

/// Writes new cases; whoever calls appends their rows of the chain.
pub(super) async fn insert_cases(batch: &mut Batch, rows: &[&CaseRow]) -> Result<(), StoreError> {
    write_many!(
        batch.transaction(),
        CASES,
        rows,
        |row| &row.id,
        &row.decision_id,
        &row.bank,
        &row.bank_name,
        &row.uscc,
        &row.firm_name,
        &row.refer_codes,
        &row.outcome,
        row.score,
        &row.grade,
        row.amount_fen,
        row.opened_at,
        row.due_at,
        &row.search,
        &row.state,
    );
    Ok(())
}

/// What the event of a review carries: which decision to read anew, and no more of the firm than that.
#[derive(Serialize)]
struct Reviewed {
    case_id: CaseId,
    decision_id: DecisionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_fen: Option<i64>,
}

/// A review to be written.
pub(super) struct ReviewCase {
    pub(super) id: CaseId,
    pub(super) review: Review,
}

impl Write for ReviewCase {
    type Answer = Case;

    async fn apply(&self, batch: &mut Batch) -> Result<Case, StoreError> {
        const SELECT: &str = concat!(select_cases!(), " WHERE c.id = $1 ORDER BY c.id, r.number");
        let lines = fetch!(fetch_all, WriteTransaction, batch.transaction(), CaseLine, SELECT, self.id.to_string())?;
        let mut case = fold_lines(lines)?.pop().ok_or(StoreError::NoSuchCase)?;
        if case.state == CaseState::Closed {
            return Err(StoreError::CaseClosed);
        }
        // Somebody who was disabled a moment ago decides nothing any more.
        const USER: &str = "SELECT id FROM users WHERE id = $1 AND disabled_at IS NULL";
        let user = self.review.user.to_string();
        let found: Option<(String,)> =
            fetch!(fetch_optional, WriteTransaction, batch.transaction(), (String,), USER, user)?;
        found.ok_or(StoreError::NoSuchUser)?;

        let row = ReviewRow::of(self.id, case.reviews.len() + 1, &self.review);
        let state = match self.review.verdict {
            Verdict::Approve | Verdict::Decline => CaseState::Closed,
            Verdict::Ask => CaseState::Asked,
        };
        execute!(
            batch.transaction(),
            "INSERT INTO reviews (id, case_id, number, user_id, user_name, verdict, reason, limit_fen, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &row.id,
            &row.case_id,
            row.number,
            &row.user_id,
            &row.user_name,
            &row.verdict,
            &row.reason,
            row.limit_fen,
            row.at,
        )?;
        execute!(batch.transaction(), "UPDATE cases SET state = $1 WHERE id = $2", state.as_str(), &row.case_id)?;
        batch.append(Kind::Review, &row.id, &row.digest(), self.review.at);
        let event = match state {
            CaseState::Closed => EventKind::CaseClosed,
            CaseState::Open | CaseState::Asked => EventKind::CaseAsked,
        };
        let told = Reviewed {
            case_id: case.id,
            decision_id: case.decision,
            outcome: self.review.verdict.outcome(),
            limit_fen: self.review.limit.map(|limit| limit.0),
        };
        announce(batch, case.bank, event, &told, self.review.at).await?;
        case.state = state;
        case.reviews.push(self.review.clone());
        Ok(case)
    }
}

impl Store {
    /// Writes a review and moves the case: an approval or a decline closes it, a question leaves it waiting.
    ///
    /// # Errors
    /// [`StoreError::NoSuchCase`]; [`StoreError::CaseClosed`]; [`StoreError::NoSuchUser`] when the reviewer is disabled;
    /// [`StoreError::Unavailable`].
    pub async fn review_case(&self, id: CaseId, review: &Review) -> Result<Case, StoreError> {
        self.write(ReviewCase { id, review: review.clone() }).await
    }
}
