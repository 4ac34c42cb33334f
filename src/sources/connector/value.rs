//! One value of a department as one value of a record: units, dates, words.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::{self, BrokenDownTime};
use serde::Deserialize;
use serde_json::{Value, json};

use super::number::Decimal;
use super::schema::Holds;
use crate::domain::{Month, china};

/// How the department writes a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Writing {
    /// What the field holds.
    pub(super) holds: Holds,
    /// The unit of amounts, shares, energy and counts.
    pub(super) unit: Unit,
    /// Whether a fraction of a whole unit is rounded away; otherwise it is a wrong unit.
    pub(super) round: bool,
    /// The formats of days and months, tried in order.
    pub(super) formats: Vec<Format>,
    /// The department's words, and what each becomes.
    pub(super) values: BTreeMap<String, String>,
    /// Endings that are cut off before a number is read.
    pub(super) strip: Vec<String>,
    /// Which day of the month is meant.
    pub(super) day: Option<DayOfMonth>,
    /// Months added to a day or month.
    pub(super) plus_months: i32,
}

impl Writing {
    /// Written as the record writes it.
    pub(super) fn of(holds: Holds) -> Writing {
        Writing {
            holds,
            unit: Unit::Power(0),
            round: false,
            formats: Vec::new(),
            values: BTreeMap::new(),
            strip: Vec::new(),
            day: None,
            plus_months: 0,
        }
    }
}

/// A unit: the power of ten that makes one of it the record's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Always this one.
    Power(i32),
    /// Each value ends in its unit, as in `12.5万元`.
    Stated,
}

/// The word of `values` that stands for all that are not named.
pub(super) const ANY_OTHER: &str = "*";

/// How a day or month is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// In the directives of strftime.
    Strftime(String),
    /// As ISO 8601 has it: a day, or with a time of day; with an offset or `Z` the day in China is meant.
    Iso,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// As HTTP headers have it, `Sat, 31 Oct 2026 08:00:00 GMT`: the day in China.
    Http,
    /// `2026Q3`, `2026年第三季度`: the last month of the quarter.
    Quarter,
}

/// Which day of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum DayOfMonth {
    /// This one, or the last where the month is shorter.
    Number(i8),
    /// The first or the last.
    Word(DayWord),
}

/// See [`DayOfMonth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DayWord {
    /// The first.
    First,
    /// The last.
    Last,
}

/// Words for units, by what they measure, with their power of ten.
const AMOUNT_UNITS: &[(&str, i32)] = &[
    ("fen", 0),
    ("分", 0),
    ("jiao", 1),
    ("角", 1),
    ("yuan", 2),
    ("元", 2),
    ("qian_yuan", 5),
    ("千元", 5),
    ("wan_yuan", 6),
    ("万元", 6),
    ("万", 6),
    ("yi_yuan", 10),
    ("亿元", 10),
    ("亿", 10),
];
const SHARE_UNITS: &[(&str, i32)] =
    &[("share", 0), ("percent", -2), ("%", -2), ("％", -2), ("permille", -3), ("‰", -3)];
const ENERGY_UNITS: &[(&str, i32)] =
    &[("kwh", 0), ("千瓦时", 0), ("度", 0), ("mwh", 3), ("wan_kwh", 4), ("万千瓦时", 4), ("万度", 4)];
const COUNT_UNITS: &[(&str, i32)] = &[("ones", 0), ("人", 0), ("户", 0), ("wan", 4), ("万", 4), ("万人", 4)];

/// The words for units of what a field holds; none where it has no unit.
pub(super) fn units(holds: Holds) -> &'static [(&'static str, i32)] {
    match holds {
        Holds::Amount => AMOUNT_UNITS,
        Holds::Share => SHARE_UNITS,
        Holds::Energy => ENERGY_UNITS,
        Holds::Count => COUNT_UNITS,
        _ => &[],
    }
}

/// The power of ten of a unit's word.
pub(super) fn power(holds: Holds, word: &str) -> Option<i32> {
    let word = word.trim();
    units(holds).iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, power)| *power)
}

impl Writing {
    /// The record's value for the department's `text`; `stated` is the unit that a neighbouring value states. Errors say what the
    /// text is not, without quoting it.
    pub(super) fn read(&self, text: &str, stated: Option<i32>) -> Result<Value, String> {
        let mapped = match self.values.is_empty() {
            true => text,
            false => self
                .values
                .get(text)
                .or_else(|| self.values.get(ANY_OTHER))
                .ok_or("is none of the words that `values` of the mapping names")?,
        };
        match self.holds {
            Holds::Text => Ok(json!(mapped)),
            Holds::Words(words) => match words.contains(&mapped) {
                true => Ok(json!(mapped)),
                false => Err(format!("is none of {}; translate it with `values`", words.join(", "))),
            },
            Holds::Day | Holds::DayOrNever => Ok(json!(self.date(mapped)?.to_string())),
            Holds::Month => Ok(json!(self.month(mapped)?.to_string())),
            Holds::Amount | Holds::Count | Holds::Energy => self.whole(mapped, stated).map(|number| json!(number)),
            Holds::Share | Holds::Days => {
                let float = self.decimal(mapped, stated)?.float().ok_or("is no number that can be read")?;
                Ok(json!(float))
            }
            Holds::Object(_) | Holds::ObjectOrNone(_) | Holds::Rows(_) => {
                Err("is a single value where several were expected".into())
            }
        }
    }

    fn whole(&self, text: &str, stated: Option<i32>) -> Result<i64, String> {
        let number = self.decimal(text, stated)?;
        let whole = if self.round { number.rounded() } else { number.whole() };
        whole.ok_or_else(|| match self.holds {
            _ if number.is_too_large() => "is too large a number; is the unit right?".into(),
            Holds::Amount => "is not a whole number of fen; is the unit right? `round = true` rounds".into(),
            _ => "is not a whole number; is the unit right? `round = true` rounds".into(),
        })
    }

    fn decimal(&self, text: &str, stated: Option<i32>) -> Result<Decimal, String> {
        let text = self.strip.iter().find_map(|end| text.strip_suffix(end.as_str())).unwrap_or(text).trim();
        // Where a value ends in a unit's word, that word has to agree with what the mapping says.
        let ending = units(self.holds).iter().filter(|(word, _)| !word.is_ascii() || *word == "%");
        let ending = ending.filter(|(word, _)| text.ends_with(word)).max_by_key(|(word, _)| word.len());
        let (digits, own) = match ending {
            Some((word, power)) => (text.strip_suffix(word).unwrap_or(text), Some(*power)),
            None => (text, None),
        };
        let power = match (stated, self.unit, own) {
            (Some(stated), _, None) => stated,
            (Some(stated), _, Some(own)) if own == stated => own,
            (None, Unit::Power(power), None) => power,
            (None, Unit::Power(power), Some(own)) if own == power => own,
            (None, Unit::Stated, Some(own)) => own,
            (None, Unit::Stated, None) => {
                return Err("does not end in a unit, as `unit = \"stated\"` says it does".into());
            }
            _ => return Err("ends in another unit than the mapping says".into()),
        };
        let digits = match self.holds {
            Holds::Amount => digits.trim_start_matches(['¥', '￥']),
            _ => digits,
        };
        let number = Decimal::parse(digits).ok_or("is not a number")?;
        number.shifted(power).ok_or_else(|| "is too large a number".into())
    }

    fn date(&self, text: &str) -> Result<Date, String> {
        let (date, has_day) = self.parsed(text)?;
        let month = Month::of(date).plus(self.plus_months);
        let last = month.last_day();
        match self.day {
            Some(DayOfMonth::Word(DayWord::Last)) => Ok(last),
            Some(DayOfMonth::Word(DayWord::First)) => Ok(month.first_day()),
            Some(DayOfMonth::Number(day)) => {
                Date::new(month.year(), month.month(), day.min(last.day())).map_err(|_| "is not a day".into())
            }
            None if has_day => {
                Date::new(month.year(), month.month(), date.day().min(last.day())).map_err(|_| "is not a day".into())
            }
            None => Err("names a month and no day; say which with `day`".into()),
        }
    }

    fn month(&self, text: &str) -> Result<Month, String> {
        Ok(Month::of(self.parsed(text)?.0).plus(self.plus_months))
    }

    /// The day that the text names, or the first of its month; and whether it names a day.
    fn parsed(&self, text: &str) -> Result<(Date, bool), String> {
        let parsed = self.formats.iter().find_map(|format| format.parse(text));
        // Months are counted from 1900 to 2999 only: anything else is a wrong format.
        parsed.filter(|(date, _)| (1900..=2990).contains(&date.year())).ok_or_else(|| {
            let formats: Vec<&str> = self.formats.iter().map(Format::text).collect();
            format!("is not a date of the format {}", formats.join(" or "))
        })
    }
}

impl Format {
    /// Reads a format of the configuration.
    pub(super) fn of(text: &str) -> Format {
        match text {
            "iso" => Format::Iso,
            "epoch_s" => Format::EpochSeconds,
            "epoch_ms" => Format::EpochMillis,
            "quarter" => Format::Quarter,
            "http" => Format::Http,
            other => Format::Strftime(other.to_owned()),
        }
    }

    /// As in the configuration.
    pub(super) fn text(&self) -> &str {
        match self {
            Format::Strftime(format) => format,
            Format::Iso => "iso",
            Format::EpochSeconds => "epoch_s",
            Format::EpochMillis => "epoch_ms",
            Format::Quarter => "quarter",
            Format::Http => "http",
        }
    }

    /// Whether the format reads what it writes, and then whether it names a day.
    pub(super) fn tried(&self) -> Option<bool> {
        let Format::Strftime(format) = self else { return Some(!matches!(self, Format::Quarter)) };
        let sample = Date::constant(2026, 11, 28).at(13, 14, 15, 0).to_zoned(china()).ok()?;
        let text = strtime::format(format, &sample).ok()?;
        let (date, has_day) = self.parse(&text)?;
        (Month::of(date) == Month::of(sample.date()) && (!has_day || date == sample.date())).then_some(has_day)
    }

    fn parse(&self, text: &str) -> Option<(Date, bool)> {
        match self {
            Format::Strftime(format) => {
                let told = BrokenDownTime::parse(format, text).ok()?;
                // With its offset an instant is known, and with that the day in China.
                if let (Some(_), Ok(instant)) = (told.offset(), told.to_timestamp()) {
                    return day_of(instant);
                }
                match told.to_date() {
                    Ok(date) => Some((date, true)),
                    Err(_) => Some((Date::new(told.year()?, told.month()?, 1).ok()?, false)),
                }
            }
            Format::Iso => match (text.parse::<Timestamp>(), text.parse::<DateTime>()) {
                (Ok(instant), _) => day_of(instant),
                (_, Ok(local)) => Some((local.date(), true)),
                _ => None,
            },
            Format::EpochSeconds => day_of(Timestamp::from_second(Decimal::parse(text)?.whole()?).ok()?),
            Format::EpochMillis => day_of(Timestamp::from_millisecond(Decimal::parse(text)?.whole()?).ok()?),
            Format::Quarter => quarter(text),
            Format::Http => day_of(jiff::fmt::rfc2822::parse(text).ok()?.timestamp()),
        }
    }
}

/// The day in China.
fn day_of(instant: Timestamp) -> Option<(Date, bool)> {
    Some((instant.to_zoned(china()).date(), true))
}

/// The first of the last month of a quarter, of which the year comes first and the number last.
fn quarter(text: &str) -> Option<(Date, bool)> {
    let (year, rest) = text.split_at_checked(4)?;
    let numbers = rest.chars().filter_map(|c| match c {
        '1' | '一' => Some(1),
        '2' | '二' => Some(2),
        '3' | '三' => Some(3),
        '4' | '四' => Some(4),
        c if c.is_ascii_digit() => Some(0),
        _ => None,
    });
    match numbers.collect::<Vec<i8>>()[..] {
        [number @ 1..=4] => Some((Date::new(year.parse().ok()?, number * 3, 1).ok()?, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
