//! Reserved codes: firms for banks' own tests, each of which behaves in one documented way, whatever the district's seed and date.
//!
//! Nothing here decides: the departments answer with records made for these firms, and the service scores them like any others.
//! The records are as of the end of the last complete month on the day of the request, so that what is fresh stays fresh.
//! What a bank should then see stands in docs/reserved-codes.md, in the answer to `GET /firms?reserved=1`, and in the tests.

mod cases;
mod firm;

use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::codes;
use crate::domain::language::Bilingual;
use crate::domain::{Month, Uscc};
pub(super) use firm::Firm;
use firm::Profile;

/// Who a reply about the wrong firm is about: a valid code that is neither in a district nor reserved.
pub(super) const OTHER_FIRM: &str = "91330604MA2XY0014W";

/// How a department answers about a reserved firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// With its record.
    Answers,
    /// With its record, so much later.
    Late(Duration),
    /// With its record, as if it were another firm's.
    AboutAnother,
    /// That it does not know the firm.
    Unknown,
    /// With an error.
    Fails,
    /// Not at all.
    Silent,
}

/// What a bank sees when it asks about a reserved firm under the policy and the model that are shipped.
#[derive(Debug, Serialize)]
struct Expected {
    outcome: &'static str,
    /// The limit of an approval.
    limit_fen: Option<i64>,
    /// Codes that are among `reasons`.
    reasons: &'static [&'static str],
    /// Codes of `refer_reasons`: these and no others.
    refer_reasons: &'static [&'static str],
    /// Statuses of tax, social insurance and payment history.
    evidence: [&'static str; 3],
    /// Whether `score_interval` is there.
    interval: bool,
}

/// A reserved firm.
#[derive(Debug)]
pub(super) struct Case {
    number: u32,
    /// The outer check character of its code is wrong.
    suspect: bool,
    what: Bilingual,
    /// What to ask for.
    amount_fen: i64,
    profile: Profile,
    /// Days before today of which each department's last complete month is taken.
    aged_days: [i32; 3],
    /// What is particular in its records; it is given today's date.
    change: fn(&mut Firm, Date),
    manners: [Manner; 3],
    expected: Expected,
}

/// A reserved firm as `GET /firms?reserved=1` lists it.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    uscc: Uscc,
    name: String,
    what: What,
    amount_fen: i64,
    expected: &'static Expected,
}

#[derive(Debug, Serialize)]
struct What {
    zh: &'static str,
    en: &'static str,
}

/// All reserved firms, in the order of their numbers.
pub(super) fn list() -> Vec<Listed> {
    let listed = |case: &'static Case| Listed {
        uscc: case.uscc(),
        name: case.name(),
        what: What { zh: case.what.zh, en: case.what.en },
        amount_fen: case.amount_fen,
        expected: &case.expected,
    };
    cases::ALL.iter().map(listed).collect()
}

/// The reserved firm with this code.
pub(super) fn find(uscc: &Uscc) -> Option<&'static Case> {
    if !codes::may_be_reserved(uscc) {
        return None;
    }
    cases::ALL.iter().find(|case| case.uscc() == *uscc)
}

impl Case {
    fn uscc(&self) -> Uscc {
        codes::reserved(self.number, self.suspect)
    }

    fn name(&self) -> String {
        format!("绍兴市上虞保留代码{:02}号有限公司", self.number)
    }

    /// How tax, social insurance and payment history answer.
    pub(super) fn manners(&self) -> [Manner; 3] {
        self.manners
    }

    /// What the departments have on the firm on the day `today`.
    pub(super) fn firm(&self, today: Date) -> Firm {
        let as_of = |days: i32| Month::last_complete_on(today.saturating_sub(days.days())).last_day();
        let mut firm = self.profile.firm(&self.name(), self.aged_days.map(as_of));
        (self.change)(&mut firm, today);
        firm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reserved_code_is_found_and_no_two_are_the_same() {
        let codes: HashSet<Uscc> = cases::ALL.iter().map(Case::uscc).collect();
        assert_eq!(codes.len(), cases::ALL.len());
        for case in cases::ALL {
            assert_eq!(find(&case.uscc()).map(|found| found.number), Some(case.number));
            assert!(case.expected.outcome != "refer" || !case.expected.refer_reasons.is_empty());
        }
        assert!(find(&codes::reserved(99, false)).is_none());
    }

    #[test]
    fn records_hold_nothing_after_their_date_on_any_day_of_a_year() {
        let mut today = jiff::civil::date(2027, 12, 31);
        for _ in 0..366 {
            today = today.saturating_add(1.day());
            for case in cases::ALL {
                let Firm { tax, payment_history, .. } = case.firm(today);
                assert!(tax.as_of <= today && payment_history.as_of <= today);
                assert!(tax.filings.iter().flatten().all(|f| f.filed_on.is_some_and(|on| on <= tax.as_of)));
                let paid = |bill: &crate::domain::evidence::UtilityBill| {
                    bill.paid_on.is_some_and(|on| on <= payment_history.as_of)
                };
                assert!(payment_history.bills.iter().flatten().all(paid));
            }
        }
    }
}
