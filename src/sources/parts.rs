//! Optional departments: each shares a part of a record that another department may leave out. What they say fills that part, and
//! never more: where both share it and say otherwise, the main department is believed and the difference is told.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::reply::{Breach, Record};
use crate::domain::evidence::{EvidenceLine, PaymentHistoryRecord, TaxRecord};
use crate::domain::{Evidence, SourceKind};

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
}

impl Filled {
    /// Fills a part of the main record, unless it is there.
    fn fill<T: PartialEq>(&mut self, name: &'static str, main: &mut Option<T>, part: Option<T>) {
        match (&*main, part) {
            (_, None) => self.not_shared.push(name.to_owned()),
            (None, part) => *main = part,
            (Some(main), Some(part)) if *main != part => self.otherwise.push(name),
            (Some(_), Some(_)) => {}
        }
    }

    fn line(self, mut line: EvidenceLine, main: SourceKind) -> EvidenceLine {
        if !self.otherwise.is_empty() {
            let parts = self.otherwise.join(", ");
            line.detail = Some(format!("{main} says otherwise of {parts}; {main} is believed"));
        }
        line.not_shared = self.not_shared;
        line
    }
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
    };
    (line, part.record)
}

fn unused(line: EvidenceLine, main: SourceKind) -> EvidenceLine {
    EvidenceLine { detail: Some(format!("not used: {main} gave no record that it could be part of")), ..line }
}

/// Fills the tax record with what the register says.
pub(super) fn registry(tax: &mut Evidence<TaxRecord>, part: Evidence<RegistryRecord>) -> EvidenceLine {
    let (line, part) = line(part);
    let Some(RegistryRecord(part)) = part else { return line };
    let Some(record) = &mut tax.record else { return unused(line, SourceKind::Tax) };
    let mut filled = Filled::default();
    filled.fill("name", &mut record.name, part.name);
    filled.fill("status", &mut record.status, part.status);
    filled.fill("industry", &mut record.industry, part.industry);
    filled.fill("registered_on", &mut record.registered_on, part.registered_on);
    filled.line(line, SourceKind::Tax)
}

/// Fills the payment history with what the court says.
pub(super) fn court(payments: &mut Evidence<PaymentHistoryRecord>, part: Evidence<CourtRecord>) -> EvidenceLine {
    let (line, part) = line(part);
    let Some(CourtRecord(part)) = part else { return line };
    let Some(record) = &mut payments.record else { return unused(line, SourceKind::PaymentHistory) };
    let mut filled = Filled::default();
    filled.fill("enforcements", &mut record.enforcements, part.enforcements);
    filled.fill("wage_arrears", &mut record.wage_arrears, part.wage_arrears);
    filled.line(line, SourceKind::PaymentHistory)
}

/// Fills the payment history with what the utility says.
pub(super) fn utilities(
    payments: &mut Evidence<PaymentHistoryRecord>,
    part: Evidence<UtilitiesRecord>,
) -> EvidenceLine {
    let (line, part) = line(part);
    let Some(UtilitiesRecord(part)) = part else { return line };
    let Some(record) = &mut payments.record else { return unused(line, SourceKind::PaymentHistory) };
    let mut filled = Filled::default();
    filled.fill("bills", &mut record.bills, part.bills);
    filled.line(line, SourceKind::PaymentHistory)
}
