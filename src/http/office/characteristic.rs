//! Characteristics of the model as an officer reads them: name, value in its unit, what it says when it costs points.

use crate::domain::decision::Reason;
use crate::domain::evidence::EvidenceLine;
use crate::domain::{Dossier, Fen};
use crate::features::{self, Unit};
use crate::http::words::{self, Words, figures};

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

/// What a principal reason says: the characteristic's text; where its value is missing, which one it is, and what it means
/// that the department did not give it, or that the department gave nothing at all.
pub fn reason(reason: &Reason, dossier: &Dossier, words: Words) -> String {
    let Some(feature) = features::by_code(&reason.code) else { return reason.code.clone() };
    if reason.value.is_some() {
        return feature.text.in_language(words.0).to_owned();
    }
    let name = feature.label(words.0);
    let left_out = |line: &EvidenceLine| {
        let of = [feature.part, feature.name];
        line.source == feature.source
            && (line.is_set_aside() || line.set_aside.iter().any(|p| of.contains(&p.as_str())))
    };
    if dossier.lines().iter().any(left_out) {
        return words.with("reason-left-out", &[("name", name.into())]);
    }
    if dossier.has(feature.source) {
        let why = feature.missing.in_language(words.0);
        return words.with("reason-missing", &[("name", name.into()), ("why", why.into())]);
    }
    let source = words::source_name(words.0, feature.source);
    words.with("reason-source-missing", &[("name", name.into()), ("source", source.into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evidence::Evidence;
    use crate::domain::{EvidenceStatus, Language};

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
        let mut given = Reason { code: feature.code(), source: None, points_lost: 3.0, value: Some(1.0) };
        let told = |given: &Reason| reason(given, &silence(), Words(Language::En));
        assert_eq!(told(&given), feature.text.en);
        given.value = None;
        assert_eq!(
            told(&given),
            format!("{}: no data from this source (Tax department); unknown scores below average", feature.label.en)
        );
        given.code = "OF_AN_OLDER_MODEL".to_owned();
        assert_eq!(told(&given), "OF_AN_OLDER_MODEL");
    }

    /// No department answered.
    fn silence() -> Dossier {
        fn nothing<R>() -> Evidence<R> {
            Evidence::missing(EvidenceStatus::Unavailable, "")
        }
        let uscc = "91330604MA2XY0014W".parse().unwrap();
        Dossier {
            uscc,
            tax: nothing(),
            social_insurance: nothing(),
            payment_history: nothing(),
            others: vec![],
            set_aside: vec![],
        }
    }
}
