//! The queue of cases as the office reads it: filtered, searched, paged, counted.

use jiff::Timestamp;

use super::cases::{CaseLine, fold, fold_lines, select_cases};
use super::database::fetch;
use super::decisions::{RecordRow, select_records};
use super::{Store, StoreError};
use crate::domain::{Case, CaseId, CaseState, DecisionRecord};

/// The most cases on one page.
const PER_PAGE_MAX: u32 = 200;

/// Which cases, and which page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFilter {
    /// In one of these states; empty: in any.
    pub states: Vec<CaseState>,
    /// With this refer reason.
    pub refer_code: Option<String>,
    /// Overdue at this instant.
    pub overdue_at: Option<Timestamp>,
    /// Part of the firm's code or name; case, blanks and full width do not matter.
    pub search: Option<String>,
    /// The page, from 1.
    pub page: u32,
    /// Cases on a page, 1 to 200.
    pub per_page: u32,
}

impl Default for CaseFilter {
    fn default() -> CaseFilter {
        CaseFilter { states: Vec::new(), refer_code: None, overdue_at: None, search: None, page: 1, per_page: 50 }
    }
}

/// One page of the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct CasePage {
    /// The cases: those not closed first, most urgent first; then the closed, latest due first.
    pub cases: Vec<Case>,
    /// How many there are on all pages.
    pub total: u64,
}

/// How many cases there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaseCounts {
    /// Waiting for an officer.
    pub open: u64,
    /// Waiting for an answer.
    pub asked: u64,
    /// Closed.
    pub closed: u64,
    /// Not closed and past the due date.
    pub overdue: u64,
}

/// The condition of a [`CaseFilter`]: $1 to $3 states, $4 refer code, $5 overdue at, $6 search; -1 and '%' let all pass.
macro_rules! filter {
    () => {
        "q.state IN ($1, $2, $3) AND q.refer_codes LIKE $4 ESCAPE '!' \
         AND ($5 = -1 OR (q.state <> 'closed' AND q.due_at < $5)) AND q.search LIKE $6 ESCAPE '!'"
    };
}

/// Not closed first, the most urgent first; then the closed, the latest first.
macro_rules! order {
    ($of:literal) => {
        concat!(
            "CASE ",
            $of,
            ".state WHEN 'closed' THEN 1 ELSE 0 END, ",
            "CASE ",
            $of,
            ".state WHEN 'closed' THEN -",
            $of,
            ".due_at ELSE ",
            $of,
            ".due_at END, ",
            $of,
            ".id"
        )
    };
}

/// A filter as the values of its condition.
struct Condition {
    states: [&'static str; 3],
    refer_code: String,
    overdue_at: i64,
    search: String,
}

impl Condition {
    fn of(filter: &CaseFilter) -> Condition {
        let mut states = CaseState::ALL.map(CaseState::as_str);
        if let Some(first) = filter.states.first() {
            states = std::array::from_fn(|i| filter.states.get(i).unwrap_or(first).as_str());
        }
        Condition {
            states,
            refer_code: filter.refer_code.as_ref().map_or_else(
                || "%".to_owned(),
                // The codes are a JSON array of texts, so a whole code stands in quotation marks.
                |code| format!("%{}%", literal(&serde_json::json!(code).to_string())),
            ),
            overdue_at: filter.overdue_at.map_or(-1, Timestamp::as_millisecond),
            search: filter.search.as_ref().map_or_else(|| "%".to_owned(), |s| format!("%{}%", literal(&fold(s)))),
        }
    }
}

/// The text so that LIKE takes it literally, with `!` as the escape.
fn literal(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

impl Store {
    /// One page of the cases that pass the filter.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn cases(&self, filter: &CaseFilter) -> Result<CasePage, StoreError> {
        const COUNT: &str = concat!("SELECT COUNT(*) FROM cases q WHERE ", filter!());
        const PAGE: &str = concat!(
            select_cases!(),
            " WHERE c.id IN (SELECT q.id FROM cases q WHERE ",
            filter!(),
            " ORDER BY ",
            order!("q"),
            " LIMIT $7 OFFSET $8) ORDER BY ",
            order!("c"),
            ", r.number"
        );
        let Condition { states: [s1, s2, s3], refer_code, overdue_at, search } = Condition::of(filter);
        let per_page = i64::from(filter.per_page.clamp(1, PER_PAGE_MAX));
        let offset = i64::from(filter.page.max(1) - 1) * per_page;
        let mut reader = self.reader().await?;
        let (total,) =
            fetch!(fetch_one, Reader, &mut reader, (i64,), COUNT, s1, s2, s3, &refer_code, overdue_at, &search)?;
        let lines = fetch!(
            fetch_all,
            Reader,
            &mut reader,
            CaseLine,
            PAGE,
            s1,
            s2,
            s3,
            &refer_code,
            overdue_at,
            &search,
            per_page,
            offset
        )?;
        Ok(CasePage { cases: fold_lines(lines)?, total: total.unsigned_abs() })
    }

    /// A case with the decision that it is about.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn case(&self, id: CaseId) -> Result<Option<(Case, DecisionRecord)>, StoreError> {
        const CASE: &str = concat!(select_cases!(), " WHERE c.id = $1 ORDER BY c.id, r.number");
        const RECORD: &str = concat!(select_records!(), " WHERE d.id = $1");
        let mut reader = self.reader().await?;
        let lines = fetch!(fetch_all, Reader, &mut reader, CaseLine, CASE, id.to_string())?;
        let Some(case) = fold_lines(lines)?.pop() else { return Ok(None) };
        let decision = case.decision.to_string();
        let row = fetch!(fetch_one, Reader, &mut reader, RecordRow, RECORD, &decision)?;
        Ok(Some((case, row.read()?)))
    }

    /// How many cases are in each state, and how many are overdue at `now`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_cases(&self, now: Timestamp) -> Result<CaseCounts, StoreError> {
        const COUNT: &str = "SELECT COUNT(CASE state WHEN 'open' THEN 1 END), COUNT(CASE state WHEN 'asked' THEN 1 END), \
             COUNT(CASE state WHEN 'closed' THEN 1 END), \
             COUNT(CASE WHEN state <> 'closed' AND due_at < $1 THEN 1 END) FROM cases";
        let mut reader = self.reader().await?;
        let (open, asked, closed, overdue) =
            fetch!(fetch_one, Reader, &mut reader, (i64, i64, i64, i64), COUNT, now.as_millisecond())?;
        Ok(CaseCounts {
            open: open.unsigned_abs(),
            asked: asked.unsigned_abs(),
            closed: closed.unsigned_abs(),
            overdue: overdue.unsigned_abs(),
        })
    }
}
