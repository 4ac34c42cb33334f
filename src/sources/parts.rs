//! Optional departments: each shares a part of a record that another department may leave out. What they say fills that part, and
//! never more: where both share it and say otherwise, the main department's words are kept and the difference is told, which the policy refers.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::reply::{Breach, Record};
use crate::domain::evidence::{
    Contradicted, Enforcement, EvidenceLine, PaymentHistoryRecord, TaxRecord, UtilityBill, WageArrears,
};
use crate::domain::{Evidence, Scope, SourceKind};

/// What the business register shares of a tax record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RegistryRecord(pub(super) TaxRecord);

/// What a court shares of a payment history.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct CourtRecord(pub(super) PaymentHistoryRecord);

/// What a utility shares of a payment history.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct UtilitiesRecord(pub(super) PaymentHistoryRecord);

macro_rules! part {
    ($record:ty, $kind:expr, $shares:expr, $what:literal) => {
        impl Record for $record {
            const SOURCE: SourceKind = $kind;

            fn as_of(&self) -> Date {
                self.0.as_of
            }

            fn check(&self, bounds: &Bounds) -> Result<(), Breach> {
                self.0.check(bounds)?;
                let shares: fn(&$record) -> bool = $shares;
                // A reply in which nothing is known to us is a changed interface.
                if shares(self) { Ok(()) } else { Err(Breach::at("", $what)) }
            }
        }
    };
}
part!(
    RegistryRecord,
    SourceKind::Registry,
    |r| r.0.status.is_some() || r.0.industry.is_some() || r.0.registered_on.is_some(),
    "shares nothing of what a business register knows"
);
part!(
    CourtRecord,
    SourceKind::Court,
    |r| r.0.enforcements.is_some() || r.0.wage_arrears.is_some(),
    "shares nothing of what a court knows"
);
part!(UtilitiesRecord, SourceKind::Utilities, |r| r.0.bills.is_some(), "shares no bills");

/// The parts of one record that fill another.
#[derive(Default)]
struct Filled {
    not_shared: Vec<String>,
    otherwise: Vec<&'static str>,
    filled: Vec<String>,
    contradicts: Vec<(&'static str, [String; 2])>,
}

impl Filled {
    /// Fills a part of the main record, unless it is there. `said` gives what both say of it in a form that can be compared and
    /// shown; where that is the same, what else differs is told but contradicts nothing.
    fn fill<T: PartialEq>(
        &mut self,
        name: &'static str,
        main: &mut Option<T>,
        part: Option<T>,
        said: impl Fn(&T, &T) -> [String; 2],
    ) {
        match (&*main, part) {
            (_, None) => self.not_shared.push(name.to_owned()),
            (None, part) => {
                *main = part;
                self.filled.push(name.to_owned());
            }
            (Some(main), Some(part)) if *main != part => {
                self.otherwise.push(name);
                let both = said(main, &part);
                if both[0] != both[1] {
                    self.contradicts.push((name, both));
                }
            }
            (Some(_), Some(_)) => {}
        }
    }

    /// The line of the optional department. What it filled is there to be seen, whether or not the consent covers that part of the main
    /// department's own record: it covers this one's.
    fn line(self, mut line: EvidenceLine, main: SourceKind, main_not_covered: &mut Vec<String>) -> EvidenceLine {
        main_not_covered.retain(|part| !self.filled.contains(part));
        if !self.otherwise.is_empty() {
            let parts = self.otherwise.join(", ");
            line.detail = Some(format!("{main} says otherwise of {parts}; {main} is believed"));
        }
        line.not_shared = self.not_shared;
        line.not_shared.retain(|part| !line.not_covered.contains(part));
        line.filled = self.filled;
        let told = |(part, [main_says, says]): (&str, [String; 2])| Contradicted {
            part: part.to_owned(),
            main,
            main_says,
            says,
        };
        line.contradicts = self.contradicts.into_iter().map(told).collect();
        line
    }
}

/// Industry codes of different depth agree where one begins with the other.
fn industries(main: &str, part: &str) -> [String; 2] {
    let agree = main.starts_with(part) || part.starts_with(main);
    if agree { [String::new(), String::new()] } else { [main.to_owned(), part.to_owned()] }
}

/// How many are open, of how many.
fn enforcements(rows: &[Enforcement], as_of: Date) -> String {
    let open = rows.iter().filter(|row| row.closed_on.is_none_or(|day| day > as_of)).count();
    format!("{open}/{}", rows.len())
}

/// How many are not made good, of how many.
fn wage_arrears(rows: &[WageArrears], as_of: Date) -> String {
    let open = rows.iter().filter(|row| row.repaired_on.is_none_or(|day| day > as_of)).count();
    format!("{open}/{}", rows.len())
}

/// Kilowatt-hours over the months that both bill: who covers more months contradicts nobody.
fn kwh(rows: &[UtilityBill], others: &[UtilityBill]) -> String {
    let both = rows.iter().filter(|row| others.iter().any(|other| other.month == row.month));
    both.fold(0u64, |sum, row| sum.saturating_add(row.kwh)).to_string()
}

/// How the evidence of an optional department stands, before it fills anything.
fn line<R: Record>(part: Evidence<R>) -> (EvidenceLine, Option<R>) {
    let line = EvidenceLine {
        source: R::SOURCE,
        status: part.status,
        as_of: part.as_of,
        fetched_at: part.fetched_at,
        digest: part.digest,
        detail: part.detail,
        not_shared: Vec::new(),
        not_covered: part.not_covered,
        set_aside: Vec::new(),
        filled: Vec::new(),
        contradicts: Vec::new(),
    };
    (line, part.record)
}

fn unused(line: EvidenceLine, main: SourceKind) -> EvidenceLine {
    EvidenceLine { detail: Some(format!("not used: {main} gave no record that it could be part of")), ..line }
}

/// Fills the tax record with what the register says.
pub(super) fn registry(tax: &mut Evidence<TaxRecord>, part: Evidence<RegistryRecord>, scope: &Scope) -> EvidenceLine {
    let (mut line, part) = line(part);
    let Some(RegistryRecord(mut part)) = part else { return line };
    line.not_covered.extend(scope.dropped_from(&mut part, SourceKind::Registry));
    let Some(record) = &mut tax.record else { return unused(line, SourceKind::Tax) };
    let mut filled = Filled::default();
    filled.fill("name", &mut record.name, part.name, |_, _| [String::new(), String::new()]);
    filled.fill("status", &mut record.status, part.status, |main, part| {
        [*main, *part].map(|status| status.as_str().to_owned())
    });
    filled.fill("industry", &mut record.industry, part.industry, |main, part| industries(main, part));
    filled.fill("registered_on", &mut record.registered_on, part.registered_on, |main, part| {
        [main.to_string(), part.to_string()]
    });
    filled.line(line, SourceKind::Tax, &mut tax.not_covered)
}

/// Fills the payment history with what the court says.
pub(super) fn court(
    payments: &mut Evidence<PaymentHistoryRecord>,
    part: Evidence<CourtRecord>,
    scope: &Scope,
) -> EvidenceLine {
    let (mut line, part) = line(part);
    let Some(CourtRecord(mut part)) = part else { return line };
    line.not_covered.extend(scope.dropped_from(&mut part, SourceKind::Court));
    let Some(record) = &mut payments.record else { return unused(line, SourceKind::PaymentHistory) };
    let mut filled = Filled::default();
    let (main_day, day) = (record.as_of, part.as_of);
    filled.fill("enforcements", &mut record.enforcements, part.enforcements, |main, part| {
        [enforcements(main, main_day), enforcements(part, day)]
    });
    filled.fill("wage_arrears", &mut record.wage_arrears, part.wage_arrears, |main, part| {
        [wage_arrears(main, main_day), wage_arrears(part, day)]
    });
    filled.line(line, SourceKind::PaymentHistory, &mut payments.not_covered)
}

/// Fills the payment history with what the utility says.
pub(super) fn utilities(
    payments: &mut Evidence<PaymentHistoryRecord>,
    part: Evidence<UtilitiesRecord>,
    scope: &Scope,
) -> EvidenceLine {
    let (mut line, part) = line(part);
    let Some(UtilitiesRecord(mut part)) = part else { return line };
    line.not_covered.extend(scope.dropped_from(&mut part, SourceKind::Utilities));
    let Some(record) = &mut payments.record else { return unused(line, SourceKind::PaymentHistory) };
    let mut filled = Filled::default();
    filled.fill("bills", &mut record.bills, part.bills, |main, part| [kwh(main, part), kwh(part, main)]);
    filled.line(line, SourceKind::PaymentHistory, &mut payments.not_covered)
}
