//! What is known of how a firm pays.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Life, Parts, Severity};
use crate::domain::{Fen, Month};

/// What is known of how the firm pays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentHistoryRecord {
    /// The data are complete up to the end of this day.
    pub as_of: Date,
    /// Utility bills, ascending by month.
    pub bills: Option<Vec<UtilityBill>>,
    /// Loans of all banks together, by month, ascending; empty when the firm never borrowed.
    pub loans: Option<Vec<LoanMonth>>,
    /// Average delay of payments to suppliers, by month, ascending.
    pub supplier_delays: Option<Vec<SupplierDelay>>,
    /// Wage-arrears findings.
    pub wage_arrears: Option<Vec<WageArrears>>,
    /// Court enforcement against the firm; open enforcement is a knock-out.
    pub enforcements: Option<Vec<Enforcement>>,
}

impl PaymentHistoryRecord {
    /// Makes it a record in which the department does not name this event.
    pub(super) fn drop_row(&mut self, part: &str, row: usize) {
        fn drop<T>(rows: &mut Option<Vec<T>>, row: usize) {
            if let Some(rows) = rows.as_mut().filter(|rows| row < rows.len()) {
                rows.remove(row);
            }
        }
        match part {
            "wage_arrears" => drop(&mut self.wage_arrears, row),
            "enforcements" => drop(&mut self.enforcements, row),
            _ => {}
        }
    }

    /// The parts that are not shared, by their names in the record.
    pub fn not_shared(&self) -> Vec<String> {
        super::absent_parts([
            ("bills", self.bills.is_none()),
            ("loans", self.loans.is_none()),
            ("supplier_delays", self.supplier_delays.is_none()),
            ("wage_arrears", self.wage_arrears.is_none()),
            ("enforcements", self.enforcements.is_none()),
        ])
    }
}

impl Parts for PaymentHistoryRecord {
    fn drop_part(&mut self, part: &str) {
        match part {
            "bills" => self.bills = None,
            "loans" => self.loans = None,
            "supplier_delays" => self.supplier_delays = None,
            "wage_arrears" => self.wage_arrears = None,
            "enforcements" => self.enforcements = None,
            _ => {}
        }
    }
}

/// A month's electricity bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UtilityBill {
    /// The month of consumption.
    pub month: Month,
    /// Kilowatt-hours.
    pub kwh: u64,
    /// The amount.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// When it had to be paid.
    pub due_on: Date,
    /// When it was paid; `None` when it has not been.
    #[serde(deserialize_with = "super::said")]
    pub paid_on: Option<Date>,
}

/// The state of a firm's loans at the end of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoanMonth {
    /// The month.
    pub month: Month,
    /// What is drawn.
    #[serde(rename = "balance_fen")]
    pub balance: Fen,
    /// What may be drawn.
    #[serde(rename = "line_fen")]
    pub line: Fen,
    /// Days past due, the worst of the loans. Where it is above zero, the dates below bound its life.
    pub days_past_due: u32,
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

impl LoanMonth {
    /// The bounds of its life.
    pub fn life(&self) -> Life {
        Life { ended_on: self.ended_on, repaired_on: self.repaired_on, display_end: self.display_end }
    }
}

/// How late a firm paid its suppliers in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SupplierDelay {
    /// The month.
    pub month: Month,
    /// Average days after the agreed date; negative when early.
    pub days: f64,
}

/// A finding that wages were not paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WageArrears {
    /// When it was found.
    pub found_on: Date,
    /// The amount.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// When it was made good, if it was.
    #[serde(deserialize_with = "super::said")]
    pub repaired_on: Option<Date>,
    /// How serious it is, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// When the conduct ended, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<Date>,
    /// The last day on which it may be held against the firm, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_end: Option<Date>,
}

impl WageArrears {
    /// The bounds of its life.
    pub fn life(&self) -> Life {
        Life { ended_on: self.ended_on, repaired_on: self.repaired_on, display_end: self.display_end }
    }
}

/// A court enforcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement {
    /// When it began.
    pub opened_on: Date,
    /// When it ended; `None` while it is open. The end of the conduct.
    #[serde(deserialize_with = "super::said")]
    pub closed_on: Option<Date>,
    /// The amount.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// How serious it is, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// When it was made good, where it is said: from that day on it counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_on: Option<Date>,
    /// The last day on which it may be held against the firm, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_end: Option<Date>,
}

impl Enforcement {
    /// The bounds of its life.
    pub fn life(&self) -> Life {
        Life { ended_on: self.closed_on, repaired_on: self.repaired_on, display_end: self.display_end }
    }
}
