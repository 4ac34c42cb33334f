//! Calendar months, the grain of most evidence.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A calendar month. Ordered, and counted in whole months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

/// A text that is not a month.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a month; write it as YYYY-MM, for instance 2026-01")]
pub struct MonthError(String);

impl Month {
    /// The month `month` (1 to 12) of `year`; `None` where there is no such month.
    pub fn new(year: i16, month: i8) -> Option<Month> {
        ((1..=12).contains(&month) && (1900..=2999).contains(&year))
            .then(|| Month(i32::from(year) * 12 + i32::from(month) - 1))
    }

    /// The month in which `date` lies.
    pub fn of(date: Date) -> Month {
        Month(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    }

    /// The last month that is over at the end of the day `date`.
    pub fn last_complete_on(date: Date) -> Month {
        let month = Month::of(date);
        if date == date.last_of_month() { month } else { month.minus(1) }
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.0.div_euclid(12) as i16
    }

    /// The month of the year, 1 to 12.
    pub fn month(self) -> i8 {
        self.0.rem_euclid(12) as i8 + 1
    }

    /// `n` months later.
    pub fn plus(self, n: i32) -> Month {
        Month(self.0 + n)
    }

    /// `n` months earlier.
    pub fn minus(self, n: i32) -> Month {
        Month(self.0 - n)
    }

    /// Whole months from `earlier` to `self`; negative when `earlier` is later.
    pub fn since(self, earlier: Month) -> i32 {
        self.0 - earlier.0
    }

    /// The last day of the month.
    pub fn last_day(self) -> Date {
        self.first_day().last_of_month()
    }

    /// The first day of the month.
    pub fn first_day(self) -> Date {
        Date::constant(self.year(), self.month(), 1)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.month())
    }
}

impl FromStr for Month {
    type Err = MonthError;
    fn from_str(text: &str) -> Result<Month, MonthError> {
        let refused = || MonthError(text.to_owned());
        let (year, month) = text.split_once('-').ok_or_else(refused)?;
        let digits = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(refused());
        }
        let (year, month) = (year.parse().map_err(|_| refused())?, month.parse().map_err(|_| refused())?);
        Month::new(year, month).ok_or_else(refused)
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Month, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn a_month_is_complete_on_its_last_day_only() {
        assert_eq!(Month::last_complete_on(date(2020, 2, 29)).to_string(), "2020-02");
        assert_eq!(Month::last_complete_on(date(2020, 2, 28)).to_string(), "2020-01");
    }

    #[test]
    fn texts_that_are_not_months_are_refused() {
        for text in ["2020-13", "2020-00", "2020-1", "20-01", "2020/01", "", "2020-01-01", "+202-01"] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn months_survive_writing_and_counting(year in 1900i16..=2900, month in 1i8..=12, n in -500i32..500) {
            let start = Month::new(year, month).unwrap();
            prop_assert_eq!(start.to_string().parse::<Month>().unwrap(), start);
            prop_assert_eq!(start.plus(n).since(start), n);
            prop_assert_eq!(Month::of(start.last_day()), start);
        }
    }
}
