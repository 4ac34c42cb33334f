//! What is possible in any department's record: the bounds on dates, months, amounts and counts that all kinds share.
//!
//! They are wide. What lies outside is no unusual firm but a broken interface: a shifted column, a wrong unit, a clock that
//! is off. A record with one such value is refused whole, since nobody knows what else in it is wrong.

use jiff::{ToSpan, civil::Date};

use super::reply::Breach;
use crate::domain::evidence::Life;
use crate::domain::{Fen, Month};

/// The largest amount, 10 trillion yuan, in fen.
const AMOUNT_FEN_MAX: i64 = 1_000_000_000_000_000;
/// The largest number of persons, invoices or counterparties.
const COUNT_MAX: u32 = 10_000_000;
/// The most months that one list may cover: 50 years.
pub(super) const MONTHS_MAX: i32 = 600;
/// The most rows of events (findings, enforcements).
const EVENTS_MAX: usize = 10_000;
/// How many years a due date may lie before or after the record's date.
const DUE_YEARS: i64 = 20;
/// The longest delay, 100 years, in days.
const DAYS_MAX: u32 = 36_500;
/// The first year that evidence can speak of.
const YEAR_MIN: i16 = 1900;
/// How far above 1 a share may come out by rounding.
const SHARE_TOLERANCE: f64 = 1e-9;

/// A value is possible, or what is wrong with it.
pub(super) type Check = Result<(), &'static str>;

/// The bounds for one record.
pub(super) struct Bounds {
    as_of: Date,
    due_first: Date,
    due_last: Date,
}

impl Bounds {
    /// The bounds of a record as of `as_of`, read on the day `today`. One as of a later day in China is refused:
    /// once believed, it would make every right reply after it seem to go back in time.
    pub(super) fn new(as_of: Date, today: Date) -> Result<Bounds, Breach> {
        let wrong = |problem: &str| Breach::at("/as_of", problem);
        if as_of.year() < YEAR_MIN {
            return Err(wrong("lies before 1900"));
        }
        if as_of > today {
            return Err(wrong("lies in the future"));
        }
        Ok(Bounds {
            as_of,
            due_first: as_of.saturating_sub(DUE_YEARS.years()),
            due_last: as_of.saturating_add(DUE_YEARS.years()),
        })
    }

    /// The date that the record is as of.
    pub(super) fn as_of(&self) -> Date {
        self.as_of
    }

    /// Something that happened: not after the record's date.
    pub(super) fn happened(&self, on: Option<Date>) -> Check {
        match on {
            Some(on) if on > self.as_of => Err("lies after as_of"),
            Some(on) if on.year() < YEAR_MIN => Err("lies before 1900"),
            _ => Ok(()),
        }
    }

    /// Something that had or has to happen by a date.
    pub(super) fn due(&self, on: Date) -> Check {
        require((self.due_first..=self.due_last).contains(&on), "lies more than 20 years from as_of")
    }

    /// The life of an adverse fact that began on `began`: its end and repair have happened, and nothing ends before it began.
    /// A display end may lie ahead; how far it counts is bounded by law, and not here.
    pub(super) fn life(&self, life: &Life, began: Option<Date>) -> Result<(), Breach> {
        let after = |day: Option<Date>| match (began, day) {
            (Some(began), Some(day)) => require(day >= began, "lies before the fact began"),
            _ => Ok(()),
        };
        self.happened(life.ended_on).and(after(life.ended_on)).at("ended_on")?;
        self.happened(life.repaired_on).and(after(life.repaired_on)).at("repaired_on")?;
        life.display_end.map_or(Ok(()), |day| self.due(day)).and(after(life.display_end)).at("display_end")
    }

    /// One month: not after the record's, nor more than 50 years before.
    pub(super) fn month(&self, month: Month) -> Check {
        let last = Month::of(self.as_of);
        require(month <= last, "lies after as_of")?;
        require(last.since(month) < MONTHS_MAX, "lies more than 600 months before as_of")
    }

    /// Rows of months, each the one after that of the row before. A month that is not there may be a row that was lost.
    pub(super) fn gapless(&self, months: impl Iterator<Item = Month> + Clone) -> Result<(), Breach> {
        self.ascending(months.clone())?;
        let pairs = months.clone().zip(months.skip(1)).enumerate();
        let mut gaps = pairs.filter(|(_, (before, month))| *month != before.plus(1));
        match gaps.next() {
            None => Ok(()),
            Some((row, _)) => {
                Err("is not the month after that of the row before; a month with nothing in it has a row of zeros")
                    .at("month")
                    .within(row + 1)
            }
        }
    }

    /// Rows of months, each later than the one before it.
    pub(super) fn ascending(&self, months: impl Iterator<Item = Month>) -> Result<(), Breach> {
        let mut before = None;
        for (row, month) in months.enumerate() {
            self.month(month)
                .and(require(before.is_none_or(|before| before < month), "is not later than that of the row before"))
                .at("month")
                .within(row)?;
            before = Some(month);
        }
        Ok(())
    }
}

/// `problem`, unless `possible`.
pub(super) fn require(possible: bool, problem: &'static str) -> Check {
    if possible { Ok(()) } else { Err(problem) }
}

/// An amount, of either sign.
pub(super) fn amount(amount: Fen) -> Check {
    require(amount.0.unsigned_abs() <= AMOUNT_FEN_MAX.unsigned_abs(), "is beyond 10^15 fen")
}

/// An amount that cannot be negative.
pub(super) fn amount_owned(value: Fen) -> Check {
    require(value >= Fen::ZERO, "is negative")?;
    amount(value)
}

/// A number of persons, invoices or counterparties.
pub(super) fn count(count: u32) -> Check {
    require(count <= COUNT_MAX, "is beyond 10^7")
}

/// A number of days that something was late.
pub(super) fn days_late(days: u32) -> Check {
    require(days <= DAYS_MAX, "is beyond 36500 days")
}

/// An average of days, early (negative) or late.
pub(super) fn days_average(days: f64) -> Check {
    require(days.is_finite() && days.abs() <= f64::from(DAYS_MAX), "is beyond 36500 days")
}

/// A share of a whole.
pub(super) fn share(share: f64) -> Check {
    require(share.is_finite() && (0.0..=1.0 + SHARE_TOLERANCE).contains(&share), "is not a share between 0 and 1")
}

/// The rows of a list of events.
pub(super) fn events(rows: usize) -> Check {
    require(rows <= EVENTS_MAX, "has more than 10000 rows")
}

/// A text of the register that people will read: not endless, no control characters.
pub(super) fn text(text: Option<&str>, chars_max: usize) -> Check {
    let Some(text) = text else { return Ok(()) };
    require(text.chars().count() <= chars_max, "is too long")?;
    require(!text.chars().any(char::is_control), "contains control characters")
}

/// Says where a check failed.
pub(super) trait Located {
    /// The check was of the value of this field.
    fn at(self, field: &'static str) -> Result<(), Breach>;
}

impl Located for Check {
    fn at(self, field: &'static str) -> Result<(), Breach> {
        self.map_err(|problem| Breach::at(format!("/{field}"), problem))
    }
}

/// Says where the value lies in which a check failed.
pub(super) trait Within {
    /// The breach lies inside this field or row.
    fn within(self, step: impl std::fmt::Display) -> Self;
}

impl Within for Result<(), Breach> {
    fn within(self, step: impl std::fmt::Display) -> Self {
        self.map_err(|breach| Breach { pointer: format!("/{step}{}", breach.pointer), ..breach })
    }
}
