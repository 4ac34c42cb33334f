//! Batches: many requests in one file, or a run over the portfolio; each row leads to a decision of its own.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::case::UnknownName;
use super::decision::DecisionRequest;
use super::{BankId, BatchId, ConsentRefusal, DecisionId};

/// What a consent must name before a firm is looked at again after the loan: a loan's purpose does not cover it.
pub const POST_LOAN: &str = "post_loan";

/// Where a batch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    /// A bank sent a file.
    File,
    /// The bank's latest decisions are judged anew on a schedule.
    Portfolio,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// Its rows are still arriving; none is worked on.
    Receiving,
    /// No row has been taken yet.
    Queued,
    /// Rows are worked on.
    Running,
    /// Every row is decided or failed.
    Done,
    /// Rows not yet begun were given up.
    Cancelled,
}

/// How far a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// Not decided yet.
    Waiting,
    /// Decided.
    Done,
    /// It cannot be decided; its fault says why.
    Failed,
    /// Given up with its batch.
    Cancelled,
}

macro_rules! names {
    ($of:ident: $($name:ident = $text:literal),* $(,)?) => {
        impl $of {
            /// The name in answers and the store.
            pub fn as_str(self) -> &'static str {
                match self { $($of::$name => $text,)* }
            }
        }

        impl fmt::Display for $of {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $of {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<$of, UnknownName> {
                match text {
                    $($text => Ok($of::$name),)*
                    other => Err(UnknownName(other.to_owned())),
                }
            }
        }
    };
}

names!(BatchKind: File = "file", Portfolio = "portfolio");
names!(BatchState: Receiving = "receiving", Queued = "queued", Running = "running", Done = "done", Cancelled = "cancelled");
names!(RowState: Waiting = "waiting", Done = "done", Failed = "failed", Cancelled = "cancelled");

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id, a UUID v7.
    pub id: BatchId,
    /// The bank that it belongs to.
    pub bank: BankId,
    /// Where it comes from.
    pub kind: BatchKind,
    /// The columns of its rows as sent; `None` where each row is JSON.
    pub header: Option<Vec<String>>,
    /// How far it is.
    pub state: BatchState,
    /// How many rows it has.
    pub counts: BatchCounts,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When its first row was taken.
    pub started_at: Option<Timestamp>,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// When its last row was done with; what is under way when it is cancelled still finishes.
    pub finished_at: Option<Timestamp>,
}

/// Rows of a batch by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchCounts {
    /// All of them.
    pub rows: u64,
    /// Decided.
    pub done: u64,
    /// Failed.
    pub failed: u64,
    /// Given up.
    pub cancelled: u64,
}

impl BatchCounts {
    /// Neither decided nor failed nor given up.
    pub fn waiting(&self) -> u64 {
        self.rows.saturating_sub(self.done + self.failed + self.cancelled)
    }
}

/// A row as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SentRow {
    /// Cells, in the order of the header.
    Cells(Vec<String>),
    /// The text of a line.
    Line(String),
}

/// A row that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// Its number; the header is row 1.
    pub number: u64,
    /// As it was sent.
    pub sent: SentRow,
    /// What it asks, or why it cannot be understood.
    pub request: Result<DecisionRequest, RowFault>,
    /// The decision that is judged anew, in a run over the portfolio.
    pub previous: Option<DecisionId>,
}

/// Why a row has no decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFault {
    /// The stable code, one of those that the bank API answers with.
    pub code: String,
    /// The column that is wrong; `None` where it is the row as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What is wrong and what to do, where there is more to say than the code does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<FaultText>,
}

/// What is wrong and what to do, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultText {
    /// zh-CN.
    pub zh: String,
    /// English.
    pub en: String,
}

impl RowFault {
    /// A fault that its code says all about.
    pub fn new(code: &str) -> RowFault {
        RowFault { code: code.to_owned(), column: None, said: None }
    }

    /// In this column.
    pub fn at(self, column: &str) -> RowFault {
        RowFault { column: Some(column.to_owned()), ..self }
    }

    /// With what is wrong and what to do.
    pub fn saying(self, zh: impl Into<String>, en: impl Into<String>) -> RowFault {
        RowFault { said: Some(FaultText { zh: zh.into(), en: en.into() }), ..self }
    }

    /// The consent does not cover the look; a foreign one is told like one that does not exist.
    pub fn of_consent(refusal: ConsentRefusal) -> RowFault {
        RowFault::new(match refusal {
            ConsentRefusal::ForeignBank => "CONSENT_UNKNOWN",
            ConsentRefusal::OtherFirm => "CONSENT_OTHER_FIRM",
            ConsentRefusal::Revoked => "CONSENT_REVOKED",
            ConsentRefusal::Used => "CONSENT_USED",
            ConsentRefusal::Expired => "CONSENT_EXPIRED",
            ConsentRefusal::OtherPurpose => "CONSENT_OTHER_PURPOSE",
        })
    }
}
