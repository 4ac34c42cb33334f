//! What the social insurance department shares.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Life, Parts, Severity};
use crate::domain::{Fen, Month};

/// What the social insurance department shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SocialInsuranceRecord {
    /// The data are complete up to the end of this day.
    pub as_of: Date,
    /// Contributions by month; ascending, at least one, and without gaps: a month in which nobody was insured, or that was not
    /// reported, has a row of zeros. Months after the last row, up to `as_of`, have not come in yet.
    /// (Records that were stored earlier may have gaps, which say the same as such rows.)
    pub months: Vec<ContributionMonth>,
    /// Arrears; `None` when not shared.
    pub arrears: Option<ContributionArrears>,
    /// The local minimum contribution base of a person and month.
    #[serde(rename = "minimum_base_fen")]
    pub minimum_base: Option<Fen>,
}

impl SocialInsuranceRecord {
    /// The parts that the department does not share, by their names in the record.
    pub fn not_shared(&self) -> Vec<String> {
        super::absent_parts([("arrears", self.arrears.is_none()), ("minimum_base", self.minimum_base.is_none())])
    }
}

impl Parts for SocialInsuranceRecord {
    /// Without `months` there is no record.
    fn drop_part(&mut self, part: &str) {
        match part {
            "arrears" => self.arrears = None,
            "minimum_base" => self.minimum_base = None,
            _ => {}
        }
    }
}

/// One month's contributions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContributionMonth {
    /// The month.
    pub month: Month,
    /// Insured persons.
    pub heads: u32,
    /// The sum of the contribution bases.
    #[serde(rename = "base_fen")]
    pub base: Fen,
    /// Contributions due.
    #[serde(rename = "due_fen")]
    pub due: Fen,
    /// Contributions paid so far.
    #[serde(rename = "paid_fen")]
    pub paid: Fen,
}

/// Contributions owed as of the record's date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContributionArrears {
    /// Months owed.
    pub months: u32,
    /// The amount.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// How serious it is, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// When the conduct ended, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<Date>,
    /// When it was made good, where it is said: from that day on it counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_on: Option<Date>,
    /// The last day on which it may be held against the firm, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_end: Option<Date>,
}

impl ContributionArrears {
    /// The bounds of its life.
    pub fn life(&self) -> Life {
        Life { ended_on: self.ended_on, repaired_on: self.repaired_on, display_end: self.display_end }
    }
}
