//! Optional departments: each shares a part of a record that another department may leave out. What they say fills that part, and
//! never more: where both share it and say otherwise, the main department's words are kept and the difference is told, which the policy refers.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::reply::{Breach, Record};
use crate::domain::evidence::{
    Contradicted, Enforcement, EvidenceLine, PaymentHistoryRecord, TaxRecord, UtilityBill, WageArrears,
};
use crate::domain::{Evidence, Fen, Scope, SourceKind};

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
    contradicts: Vec<(&'static str, Said)>,
}

/// What both departments say of a part, in a form that can be compared and shown.
struct Said {
    main: String,
    part: String,
    /// The rows of the main department's part without which both say the same, where there are such.
    rows: Vec<usize>,
}

impl From<[String; 2]> for Said {
    fn from([main, part]: [String; 2]) -> Said {
        Said { main, part, rows: Vec::new() }
    }
}

impl Filled {
    /// Fills a part of the main record, unless it is there. `said` gives what both say of it in a form that can be compared and
    /// shown; where that is the same, what else differs is told but contradicts nothing.
    fn fill<T: PartialEq, S: Into<Said>>(
        &mut self,
        name: &'static str,
        main: &mut Option<T>,
        part: Option<T>,
        said: impl Fn(&T, &T) -> S,
    ) {
        match (&*main, part) {
            (_, None) => self.not_shared.push(name.to_owned()),
            (None, part) => {
                *main = part;
                self.filled.push(name.to_owned());
            }
            (Some(main), Some(part)) if *main != part => {
                self.otherwise.push(name);
                let both: Said = said(main, &part).into();
                if both.main != both.part {
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
        let told = |(part, said): (&str, Said)| Contradicted {
            part: part.to_owned(),
            main,
            main_says: said.main,
            says: said.part,
            rows: said.rows,
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

/// An enforcement, or a finding of wages not paid, as far as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    /// What it is told by: when it began, and its amount.
    is: (Date, Fen),
    /// Whether it is open; `None` where it counts no more: it was made good, or its time is over.
    open: Option<bool>,
}

/// Enforcements as a department knows them up to `until` and as they count on the day `on`.
fn enforcements(rows: &[Enforcement], until: Date, on: Date) -> Vec<Event> {
    let event = |row: &Enforcement| {
        let counts = row.opened_on <= until && row.life().counts_on(on);
        let open = row.closed_on.is_none_or(|day| day > until);
        Event { is: (row.opened_on, row.amount), open: counts.then_some(open) }
    };
    rows.iter().map(event).collect()
}

/// The same of wage arrears, each of which is open for as long as it counts.
fn wage_arrears(rows: &[WageArrears], until: Date, on: Date) -> Vec<Event> {
    let event = |row: &WageArrears| {
        let counts = row.found_on <= until && row.life().counts_on(on);
        Event { is: (row.found_on, row.amount), open: counts.then_some(true) }
    };
    rows.iter().map(event).collect()
}

/// How many are open, of how many that count; with the rows that both differ on, where one department alone knows none.
fn events(main: &[Event], part: &[Event]) -> Said {
    let said = |events: &[Event]| {
        let counting = events.iter().filter_map(|event| event.open);
        format!("{}/{}", counting.clone().filter(|open| *open).count(), counting.count())
    };
    let mut others = part.to_vec();
    let mut rows = Vec::new();
    for (row, event) in main.iter().enumerate() {
        match others.iter().position(|other| other == event) {
            Some(at) => {
                others.swap_remove(at);
            }
            None => rows.push(row),
        }
    }
    others.retain(|other| other.open.is_some());
    rows.retain(|row| main[*row].open.is_some() || others.iter().any(|other| other.is == main[*row].is));
    // Whatever the main department does not know in any form stays between them, whichever of its rows are left out.
    let mut free = rows.clone();
    let known = others.iter().all(|other| {
        let at = free.iter().position(|row| main[*row].is == other.is);
        at.map(|at| free.swap_remove(at)).is_some()
    });
    Said { main: said(main), part: said(part), rows: if known { rows } else { Vec::new() } }
}

/// Kilowatt-hours, bills late and bills unpaid, over the months that both bill: who covers more months contradicts nobody. Judged on
/// the last day that both know.
fn bills(rows: &[UtilityBill], others: &[UtilityBill], until: Date) -> String {
    let both = || rows.iter().filter(|row| others.iter().any(|other| other.month == row.month));
    let kwh = both().fold(0u64, |sum, row| sum.saturating_add(row.kwh));
    let paid_on = |row: &UtilityBill| row.paid_on.filter(|day| *day <= until);
    let due = || both().filter(|row| row.due_on < until);
    let late = due().filter(|row| paid_on(row).is_none_or(|day| day > row.due_on)).count();
    let unpaid = due().filter(|row| paid_on(row).is_none()).count();
    format!("{kwh}/{late}/{unpaid}")
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

/// Fills the payment history with what the court says. What counts is compared as it counts on the day `on`.
pub(super) fn court(
    payments: &mut Evidence<PaymentHistoryRecord>,
    part: Evidence<CourtRecord>,
    scope: &Scope,
    on: Date,
) -> EvidenceLine {
    let (mut line, part) = line(part);
    let Some(CourtRecord(mut part)) = part else { return line };
    line.not_covered.extend(scope.dropped_from(&mut part, SourceKind::Court));
    let Some(record) = &mut payments.record else { return unused(line, SourceKind::PaymentHistory) };
    let mut filled = Filled::default();
    // Each as far as it knows: what a court has learnt since is otherwise all the same.
    let (main_until, until) = (record.as_of.min(on), part.as_of.min(on));
    filled.fill("enforcements", &mut record.enforcements, part.enforcements, |main, part| {
        events(&enforcements(main, main_until, on), &enforcements(part, until, on))
    });
    filled.fill("wage_arrears", &mut record.wage_arrears, part.wage_arrears, |main, part| {
        events(&wage_arrears(main, main_until, on), &wage_arrears(part, until, on))
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
    let until = record.as_of.min(part.as_of);
    filled.fill("bills", &mut record.bills, part.bills, |main, part| {
        [bills(main, part, until), bills(part, main, until)]
    });
    filled.line(line, SourceKind::PaymentHistory, &mut payments.not_covered)
}

#[cfg(test)]
mod tests;
