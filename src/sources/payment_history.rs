//! What is possible in a record of how a firm pays.

use jiff::civil::Date;

use super::bounds::{self, Bounds, Located, Within, require};
use super::reply::{Breach, Record};
use crate::domain::SourceKind;
use crate::domain::evidence::{
    Enforcement, Life, LoanMonth, PaymentHistoryRecord, SupplierDelay, UtilityBill, WageArrears,
};

/// The largest monthly consumption in kWh; the whole country uses about a hundred times as much.
const KWH_MAX: u64 = 10_000_000_000;

impl Record for PaymentHistoryRecord {
    const SOURCE: SourceKind = SourceKind::PaymentHistory;

    fn as_of(&self) -> Date {
        self.as_of
    }

    fn check(&self, bounds: &Bounds) -> Result<(), Breach> {
        says_something(self)?;
        bills(self.bills.as_deref().unwrap_or_default(), bounds).within("bills")?;
        loans(self.loans.as_deref().unwrap_or_default(), bounds).within("loans")?;
        delays(self.supplier_delays.as_deref().unwrap_or_default(), bounds).within("supplier_delays")?;
        let findings = self.wage_arrears.as_deref().unwrap_or_default();
        bounds::events(findings.len()).at("wage_arrears")?;
        for (row, finding) in findings.iter().enumerate() {
            wage_arrears(finding, bounds).within(row).within("wage_arrears")?;
        }
        let enforcements = self.enforcements.as_deref().unwrap_or_default();
        bounds::events(enforcements.len()).at("enforcements")?;
        for (row, enforcement) in enforcements.iter().enumerate() {
            self::enforcement(enforcement, bounds).within(row).within("enforcements")?;
        }
        Ok(())
    }
}

/// A reply in which nothing is known to us is a changed interface, not a firm of which nothing is known.
fn says_something(record: &PaymentHistoryRecord) -> Result<(), Breach> {
    let PaymentHistoryRecord { as_of: _, bills, loans, supplier_delays, wage_arrears, enforcements } = record;
    let something = bills.is_some()
        || loans.is_some()
        || supplier_delays.is_some()
        || wage_arrears.is_some()
        || enforcements.is_some();
    if something { Ok(()) } else { Err(Breach::at("", "shares nothing of a payment history")) }
}

fn bills(bills: &[UtilityBill], bounds: &Bounds) -> Result<(), Breach> {
    bounds.ascending(bills.iter().map(|bill| bill.month))?;
    for (row, bill) in bills.iter().enumerate() {
        require(bill.kwh <= KWH_MAX, "is beyond 10^10 kWh").at("kwh").within(row)?;
        bounds::amount(bill.amount).at("amount_fen").within(row)?;
        bounds.due(bill.due_on).at("due_on").within(row)?;
        bounds.happened(bill.paid_on).at("paid_on").within(row)?;
    }
    Ok(())
}

fn loans(loans: &[LoanMonth], bounds: &Bounds) -> Result<(), Breach> {
    bounds.ascending(loans.iter().map(|loan| loan.month))?;
    for (row, loan) in loans.iter().enumerate() {
        bounds::amount_owned(loan.balance).at("balance_fen").within(row)?;
        bounds::amount_owned(loan.line).at("line_fen").within(row)?;
        bounds::days_late(loan.days_past_due).at("days_past_due").within(row)?;
        bounds.life(&loan.life(), Some(loan.month.first_day())).within(row)?;
    }
    Ok(())
}

fn delays(delays: &[SupplierDelay], bounds: &Bounds) -> Result<(), Breach> {
    bounds.ascending(delays.iter().map(|delay| delay.month))?;
    for (row, delay) in delays.iter().enumerate() {
        bounds::days_average(delay.days).at("days").within(row)?;
    }
    Ok(())
}

fn wage_arrears(finding: &WageArrears, bounds: &Bounds) -> Result<(), Breach> {
    bounds.happened(Some(finding.found_on)).at("found_on")?;
    bounds::amount_owned(finding.amount).at("amount_fen")?;
    let after = finding.repaired_on.is_none_or(|repaired| repaired >= finding.found_on);
    bounds.happened(finding.repaired_on).and(require(after, "lies before found_on")).at("repaired_on")?;
    // What was found may have ended long before it was found.
    bounds.life(&Life { display_end: None, ..finding.life() }, None)?;
    bounds.life(&Life { ended_on: None, ..finding.life() }, Some(finding.found_on))
}

fn enforcement(enforcement: &Enforcement, bounds: &Bounds) -> Result<(), Breach> {
    bounds.happened(Some(enforcement.opened_on)).at("opened_on")?;
    bounds::amount_owned(enforcement.amount).at("amount_fen")?;
    let after = enforcement.closed_on.is_none_or(|closed| closed >= enforcement.opened_on);
    bounds.happened(enforcement.closed_on).and(require(after, "lies before opened_on")).at("closed_on")?;
    bounds.life(&Life { ended_on: None, ..enforcement.life() }, Some(enforcement.opened_on))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{PAYMENT_HISTORY, refused};
    use super::*;

    #[test]
    fn a_payment_history_with_one_impossible_value_is_refused_and_the_value_named() {
        refused::<PaymentHistoryRecord>(
            PAYMENT_HISTORY,
            &[
                ("/bills/1/month", "2026-08".into(), "not later"),
                ("/bills/1/kwh", 10_000_000_001i64.into(), "10^10"),
                ("/bills/1/amount_fen", i64::MAX.into(), "10^15"),
                ("/bills/1/due_on", "2006-10-30".into(), "20 years"),
                ("/bills/1/paid_on", "2026-11-01".into(), "after as_of"),
                ("/loans/1/month", "2026-11".into(), "after as_of"),
                ("/loans/1/balance_fen", (-1).into(), "negative"),
                ("/loans/1/line_fen", (-1).into(), "negative"),
                ("/loans/1/days_past_due", 36_501.into(), "36500"),
                ("/supplier_delays/0/days", 36_501.into(), "36500"),
                ("/supplier_delays/0/month", "2026-11".into(), "after as_of"),
                ("/wage_arrears/0/found_on", "2026-11-01".into(), "after as_of"),
                ("/wage_arrears/0/amount_fen", (-1).into(), "negative"),
                ("/wage_arrears/0/repaired_on", "2024-01-31".into(), "before found_on"),
                ("/enforcements/0/opened_on", "2026-11-01".into(), "after as_of"),
                ("/enforcements/0/closed_on", "2023-05-03".into(), "before opened_on"),
                ("/enforcements/0/closed_on", "2026-11-01".into(), "after as_of"),
                ("/enforcements/0/amount_fen", (-1).into(), "negative"),
                ("/enforcements/0/repaired_on", "2026-11-01".into(), "after as_of"),
                ("/enforcements/0/display_end", "2023-05-03".into(), "before the fact began"),
                ("/enforcements/0/display_end", "2047-05-03".into(), "20 years"),
                ("/wage_arrears/0/ended_on", "2026-11-01".into(), "after as_of"),
                ("/wage_arrears/0/display_end", "2024-01-31".into(), "before the fact began"),
                ("/wage_arrears/0/severity", "terrible".into(), "wrong kind"),
                ("/loans/1/repaired_on", "2026-09-30".into(), "before the fact began"),
                ("/loans/1/ended_on", "2026-11-01".into(), "after as_of"),
            ],
        );
    }
}
