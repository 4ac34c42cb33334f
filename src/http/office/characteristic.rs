//! Characteristics of the model as an officer reads them: name, value in its unit, what it says when it costs points.

use crate::domain::Fen;
use crate::domain::decision::Reason;
use crate::features::{self, Unit};
use crate::http::words::{Words, figures};

/// The characteristic's name; the bare name of one that this catalogue does not know (an older model's).
pub fn label(name: &str, words: Words) -> String {
    features::by_name(name).map_or_else(|| name.to_owned(), |feature| feature.label(words.0).to_owned())
}

/// The firm's value, in the characteristic's unit.
pub fn value(name: &str, value: Option<f64>, words: Words) -> String {
    let Some(value) = value else { return words.t("missing") };
    let whole = |key| words.with(key, &[("count", figures::number(value, 1).into())]);
    match features::by_name(name).map(|feature| feature.unit) {
        // Yuan of sums and averages: far below the 2^53 fen up to which the conversion is exact.
        Some(Unit::Yuan) => figures::money_rounded(Fen((value * 100.0).round() as i64), words.0),
        Some(Unit::Ratio) => format!("{}%", figures::number(value * 100.0, 1)),
        Some(Unit::Months) => whole("value-months"),
        Some(Unit::Days) => whole("value-days"),
        Some(Unit::Persons) => whole("value-persons"),
        Some(Unit::Count | Unit::Rank) | None => figures::number(value, 2),
    }
}

/// What a principal reason says: the characteristic's text, or what it means that its value is missing.
pub fn reason(reason: &Reason, words: Words) -> String {
    match features::by_code(&reason.code) {
        None => reason.code.clone(),
        Some(feature) if reason.value.is_none() => feature.missing.in_language(words.0).to_owned(),
        Some(feature) => feature.text.in_language(words.0).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Language;

    fn named(unit: Unit) -> &'static str {
        features::catalogue().find(|feature| feature.unit == unit).unwrap().name
    }

    #[test]
    fn values_carry_their_unit_and_missing_is_no_number() {
        let words = Words(Language::ZhCn);
        assert_eq!(value(named(Unit::Yuan), Some(12_430_000.0), words), "1,243 万元");
        assert_eq!(value(named(Unit::Ratio), Some(-0.1429), words), "−14.3%");
        assert_eq!(value(named(Unit::Months), Some(3.0), words), "3 个月");
        assert_eq!(value(named(Unit::Count), None, words), "缺失");
        assert_eq!(value("of an older model", Some(1.5), words), "1.5");
    }

    #[test]
    fn a_reason_is_told_in_words_and_an_unknown_one_by_its_code() {
        let feature = features::catalogue().next().unwrap();
        let mut told = Reason { code: feature.code(), source: None, points_lost: 3.0, value: Some(1.0) };
        assert_eq!(reason(&told, Words(Language::En)), feature.text.en);
        told.value = None;
        assert_eq!(reason(&told, Words(Language::En)), feature.missing.en);
        told.code = "OF_AN_OLDER_MODEL".to_owned();
        assert_eq!(reason(&told, Words(Language::En)), "OF_AN_OLDER_MODEL");
    }
}
