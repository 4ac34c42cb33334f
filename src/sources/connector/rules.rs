//! Rules that an operator adds to those that hold for every record: ranges, order, completeness.

use serde::Deserialize;
use serde_json::Value;

use super::mapping::Mapping;
use super::pointer::scalar;
use super::schema::{self, Holds};
use crate::domain::{Month, SourceKind};
use crate::sources::reply::Breach;

/// What an adverse fact may say of its life.
const LIFE: &[&str] = &["severity", "ended_on", "repaired_on", "display_end"];

/// `[[NAME.rules]]`: what the values at a place of the record must meet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// A pointer into the record; `*` stands for every row.
    at: String,
    /// It must be there, and not null.
    #[serde(default)]
    required: bool,
    min: Option<f64>,
    max: Option<f64>,
    /// Of a list.
    rows_min: Option<usize>,
    rows_max: Option<usize>,
    /// Values of all rows: each later, or more, than that of the row before.
    #[serde(default)]
    ascending: bool,
    /// Months of all rows: each the one after that of the row before.
    #[serde(default)]
    gapless: bool,
}

impl Rule {
    /// What is wrong with the rule itself.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if !self.at.starts_with('/') {
            return Some("`at` must be a pointer into the record, for instance /filings/*/due_fen");
        }
        if self.min.zip(self.max).is_some_and(|(min, max)| min > max) {
            return Some("min is above max");
        }
        if self.rows_min.zip(self.rows_max).is_some_and(|(min, max)| min > max) {
            return Some("rows_min is above rows_max");
        }
        if (self.ascending || self.gapless) && !self.at.contains('*') {
            return Some("`ascending` and `gapless` compare rows: `at` must contain *, for instance /filings/*/month");
        }
        let asks = self.required
            || self.ascending
            || self.gapless
            || self.min.is_some()
            || self.max.is_some()
            || self.rows_min.is_some()
            || self.rows_max.is_some();
        (!asks).then_some("asks for nothing")
    }

    /// Why no record of `kind`, as `mapping` fills it, has anything at the rule's place that the rule could be held against: such a
    /// rule would never apply, and nobody would notice.
    pub(super) fn misplaced(&self, kind: SourceKind, mapping: Option<&Mapping>) -> Option<String> {
        let at = &self.at;
        let mut tokens = self.at.split('/').skip(1).peekable();
        let unmapped = tokens.peek().filter(|first| mapping.is_some_and(|mapping| !mapping.fills(first)));
        if unmapped.is_some() {
            return Some(format!("{at} is not filled by the map; the rule would never apply"));
        }
        let mut here = Some(Holds::Object(schema::fields(kind)));
        for token in tokens {
            here = match here? {
                Holds::Object(fields) | Holds::ObjectOrNone(fields) => match fields
                    .iter()
                    .find(|field| field.name == token)
                {
                    Some(field) => Some(field.holds),
                    // What adverse facts say of their life is in no mapping; records of the standard shape may have it.
                    None if mapping.is_none() && LIFE.contains(&token) => return None,
                    None => {
                        return Some(format!("{at}: a record of {kind} has no {token}; the rule would never apply"));
                    }
                },
                Holds::Rows(fields) if token == "*" || token.parse::<usize>().is_ok() => Some(Holds::Object(fields)),
                Holds::Rows(_) => return Some(format!("{at}: {token} stands for a row; write * for every row")),
                _ => return Some(format!("{at}: there is nothing below a single value; the rule would never apply")),
            };
        }
        let holds = here?;
        let is_number = matches!(holds, Holds::Amount | Holds::Count | Holds::Energy | Holds::Share | Holds::Days);
        if (self.min.is_some() || self.max.is_some()) && !is_number {
            return Some(format!("{at} is no number; `min` and `max` are for numbers"));
        }
        if (self.rows_min.is_some() || self.rows_max.is_some()) && !matches!(holds, Holds::Rows(_)) {
            return Some(format!("{at} is no list; `rows_min` and `rows_max` are for lists"));
        }
        if self.gapless && holds != Holds::Month {
            return Some(format!("{at} is no month; `gapless` is for months"));
        }
        None
    }

    /// Holds the rule against a record in its JSON form.
    pub(super) fn check(&self, record: &Value) -> Result<(), Breach> {
        let found = found(record, &self.at);
        if self.required && found.is_empty() && !self.at.contains('*') {
            return Err(Breach::at(&self.at, "is not there, and a rule of the connector requires it"));
        }
        for (at, value) in &found {
            self.one(at, value)?;
        }
        if self.ascending || self.gapless {
            for pair in found.windows(2) {
                if let [(_, before), (at, value)] = pair {
                    self.order(at, before, value)?;
                }
            }
        }
        Ok(())
    }

    fn one(&self, at: &str, value: &Value) -> Result<(), Breach> {
        let breach = |problem: String| Err(Breach::at(at, problem));
        if value.is_null() {
            return match self.required {
                true => breach("is null, and a rule of the connector requires it".into()),
                false => Ok(()),
            };
        }
        if self.min.is_some() || self.max.is_some() {
            let Some(number) = value.as_f64() else {
                return breach("is no number, as a rule of the connector says".into());
            };
            match (self.min, self.max) {
                (Some(min), _) if number < min => {
                    return breach(format!("is below {min}, the least that a rule allows"));
                }
                (_, Some(max)) if number > max => {
                    return breach(format!("is above {max}, the most that a rule allows"));
                }
                _ => {}
            }
        }
        if self.rows_min.is_some() || self.rows_max.is_some() {
            let Some(rows) = value.as_array() else {
                return breach("is no list, as a rule of the connector says".into());
            };
            match (self.rows_min, self.rows_max) {
                (Some(min), _) if rows.len() < min => {
                    return breach(format!("has fewer rows than {min}, the least that a rule allows"));
                }
                (_, Some(max)) if rows.len() > max => {
                    return breach(format!("has more rows than {max}, the most that a rule allows"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn order(&self, at: &str, before: &Value, value: &Value) -> Result<(), Breach> {
        if self.gapless {
            let month = |value: &Value| value.as_str().and_then(|text| text.parse::<Month>().ok());
            let follows = month(before).zip(month(value)).is_some_and(|(before, month)| month == before.plus(1));
            if !follows {
                return Err(Breach::at(
                    at,
                    "is not the month after that of the row before, as a rule of the connector says",
                ));
            }
        }
        let later = match (before.as_f64(), value.as_f64()) {
            (Some(before), Some(value)) => before < value,
            _ => scalar(before) < scalar(value),
        };
        match later || !self.ascending {
            true => Ok(()),
            false => Err(Breach::at(at, "is not above that of the row before, as a rule of the connector says")),
        }
    }
}

/// The values at a pointer with wildcards, each with its place.
fn found<'v>(record: &'v Value, at: &str) -> Vec<(String, &'v Value)> {
    let mut found = vec![(String::new(), record)];
    for token in at.split('/').skip(1) {
        found = found
            .into_iter()
            .flat_map(|(at, value)| match (token, value) {
                ("*", Value::Array(rows)) => {
                    rows.iter().enumerate().map(|(row, value)| (format!("{at}/{row}"), value)).collect()
                }
                (_, Value::Object(fields)) => {
                    fields.get(token).map(|value| (format!("{at}/{token}"), value)).into_iter().collect()
                }
                (_, Value::Array(rows)) => {
                    let row = token.parse::<usize>().ok().and_then(|row| rows.get(row));
                    row.map(|value| (format!("{at}/{token}"), value)).into_iter().collect::<Vec<_>>()
                }
                _ => Vec::new(),
            })
            .collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("at = \"/name\"\nrequired = true", Some("/name"))]
    #[case("at = \"/heads\"\nmin = 1\nmax = 10", None)]
    #[case("at = \"/heads\"\nmin = 6", Some("/heads"))]
    #[case("at = \"/rows/*/due\"\nmax = 2", Some("/rows/2/due"))]
    #[case("at = \"/rows/*/due\"\nrequired = true", Some("/rows/1/due"))]
    #[case("at = \"/rows\"\nrows_min = 4", Some("/rows"))]
    #[case("at = \"/rows\"\nrows_max = 3", None)]
    #[case("at = \"/rows/*/month\"\nascending = true", None)]
    #[case("at = \"/rows/*/month\"\ngapless = true", Some("/rows/2/month"))]
    fn a_rule_that_is_broken_says_where(#[case] rule: &str, #[case] broken: Option<&str>) {
        let record = json!({"heads": 5, "rows": [
            {"month": "2026-07", "due": 1}, {"month": "2026-08", "due": null}, {"month": "2026-10", "due": 3},
        ]});
        let rule: Rule = toml::from_str(rule).unwrap();
        assert_eq!(rule.problem(), None);
        assert_eq!(rule.check(&record).err().map(|breach| breach.pointer).as_deref(), broken);
    }

    #[rstest]
    #[case("at = \"/monthz\"\nrows_min = 500", "no monthz")]
    #[case("at = \"/months/*/headz\"\nrequired = true\nmin = 1", "no headz")]
    #[case("at = \"/months/x/heads\"\nmin = 1", "write *")]
    #[case("at = \"/months/*/heads/x\"\nmin = 1", "below a single value")]
    #[case("at = \"/months/*/month\"\nmin = 1", "no number")]
    #[case("at = \"/months/*/heads\"\nrows_min = 1", "no list")]
    #[case("at = \"/months/*/heads\"\ngapless = true", "no month")]
    fn a_rule_that_could_never_apply_is_refused(#[case] rule: &str, #[case] said: &str) {
        let told = toml::from_str::<Rule>(rule).unwrap().misplaced(SourceKind::SocialInsurance, None);
        assert!(told.as_ref().is_some_and(|told| told.contains(said)), "{told:?}");
        let right: Rule = toml::from_str("at = \"/months/*/month\"\ngapless = true").unwrap();
        assert_eq!(right.misplaced(SourceKind::SocialInsurance, None), None);
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_refused() {
        for rule in [
            "at = \"x\"\nrequired = true",
            "at = \"/x\"",
            "at = \"/x\"\nmin = 2\nmax = 1",
            "at = \"/x\"\ngapless = true",
        ] {
            assert!(toml::from_str::<Rule>(rule).unwrap().problem().is_some(), "{rule}");
        }
    }
}
