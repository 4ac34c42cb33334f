//! A case of the finance office: a referred or flagged firm that a person must look at, closed within 30 days.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{BankId, CaseId, DecisionId, Fen, Outcome, Uscc, UserId};

/// Days within which a case is to be closed.
pub const CASE_DAYS: i64 = 30;
/// The longest reason an officer may write, in characters.
pub const REASON_CHARS_MAX: usize = 2000;
/// The shortest reason that says something, in characters.
pub const REASON_CHARS_MIN: usize = 4;

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Waiting for an officer.
    Open,
    /// The officer asked the bank or the firm for something.
    Asked,
    /// Closed with an approval or a decline.
    Closed,
}

impl CaseState {
    /// All of them.
    pub const ALL: [CaseState; 3] = [CaseState::Open, CaseState::Asked, CaseState::Closed];

    /// The name in answers, the store and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            CaseState::Open => "open",
            CaseState::Asked => "asked",
            CaseState::Closed => "closed",
        }
    }
}

/// A text that names no state or verdict.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a known name")]
pub struct UnknownName(pub String);

impl FromStr for CaseState {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<CaseState, UnknownName> {
        CaseState::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

impl fmt::Display for CaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an officer does with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Lend, up to a limit.
    Approve,
    /// Do not lend.
    Decline,
    /// Ask for something; the case stays open and its clock runs on.
    Ask,
}

impl Verdict {
    /// The outcome that the verdict gives the decision; `None` while the case stays open.
    pub fn outcome(self) -> Option<Outcome> {
        match self {
            Verdict::Approve => Some(Outcome::Approve),
            Verdict::Decline => Some(Outcome::Decline),
            Verdict::Ask => None,
        }
    }

    /// The name in forms, the store and the audit chain.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Approve => "approve",
            Verdict::Decline => "decline",
            Verdict::Ask => "ask",
        }
    }
}

impl FromStr for Verdict {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Verdict, UnknownName> {
        [Verdict::Approve, Verdict::Decline, Verdict::Ask]
            .into_iter()
            .find(|v| v.as_str() == text)
            .ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// One act of an officer on a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who.
    pub user: UserId,
    /// The login name at that time.
    pub user_name: String,
    /// What.
    pub verdict: Verdict,
    /// Why, in the officer's words; the bank sees it.
    pub reason: String,
    /// The limit granted, with an approval.
    pub limit: Option<Fen>,
    /// When.
    pub at: Timestamp,
}

/// A case as the queue lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// The decision that it is about.
    pub decision: DecisionId,
    /// The bank that asked.
    pub bank: BankId,
    /// The bank's name.
    pub bank_name: String,
    /// The firm.
    pub uscc: Uscc,
    /// The firm's name, where the tax department gave one.
    pub firm_name: Option<String>,
    /// Codes of the refer reasons.
    pub refer_codes: Vec<String>,
    /// The automatic outcome.
    pub outcome: Outcome,
    /// The score.
    pub score: i64,
    /// The grade.
    pub grade: String,
    /// The amount asked for.
    pub amount: Fen,
    /// Where it stands.
    pub state: CaseState,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it is due: [`CASE_DAYS`] after it was opened.
    pub due_at: Timestamp,
    /// The acts on it, oldest first.
    pub reviews: Vec<Review>,
}

impl Case {
    /// When a case opened at `opened_at` is due.
    pub fn due_at(opened_at: Timestamp) -> Timestamp {
        opened_at.saturating_add(jiff::SignedDuration::from_hours(24 * CASE_DAYS)).unwrap_or(Timestamp::MAX)
    }

    /// Whether it should have been closed by `now` and is not.
    pub fn overdue(&self, now: Timestamp) -> bool {
        self.state != CaseState::Closed && now > self.due_at
    }

    /// The act that closed it.
    pub fn closing(&self) -> Option<&Review> {
        self.reviews.iter().rev().find(|r| r.verdict.outcome().is_some())
    }
}
