//! Which columns may become features, before any look at the outcome, and which are left out with what reason.

use super::artifact::LeftOut;
use super::dataset::{Dataset, Values};
use super::spec::{SignRule, SpecError, TrainingSpec};

/// A column of words is an identifier when at least this share of its words occur once, on average.
const DIFFERENT_SHARE: f64 = 0.9;
/// With fewer filled rows than this, many different words say nothing yet.
const IDENTIFIER_ROWS_MIN: usize = 20;

/// The columns that may become features (by index), and the others with the reason.
///
/// # Errors
/// When the specification names a column that is not there, or gives words a direction.
pub fn screen(data: &Dataset, spec: &TrainingSpec) -> Result<(Vec<usize>, Vec<LeftOut>), SpecError> {
    let named = spec.exclude.iter().chain(spec.feature.iter().map(|of| &of.name));
    if let Some(unknown) = named.into_iter().find(|name| !data.columns.iter().any(|c| c.name == **name)) {
        return Err(SpecError::NoSuchColumn(unknown.clone()));
    }
    let (mut candidates, mut left_out) = (Vec::new(), Vec::new());
    for (index, column) in data.columns.iter().enumerate() {
        let sign = spec.rule(&column.name).and_then(|of| of.sign);
        if matches!((&column.values, sign), (Values::Text { .. }, Some(SignRule::Plus | SignRule::Minus))) {
            return Err(SpecError::SignOfText(column.name.clone()));
        }
        match reason_against(&column.name, &column.values, spec) {
            Some(reason) => left_out.push(LeftOut { column: column.name.clone(), reason }),
            None => candidates.push(index),
        }
    }
    Ok((candidates, left_out))
}

fn reason_against(name: &str, values: &Values, spec: &TrainingSpec) -> Option<String> {
    if spec.exclude.iter().any(|excluded| excluded == name) {
        return Some("excluded by the specification".to_owned());
    }
    if name.is_empty() {
        return Some("the column has no name".to_owned());
    }
    if let Values::Numeric(numbers) = values
        && !numbers.iter().any(|x| x.is_finite())
        && numbers.iter().any(|x| x.is_infinite())
    {
        return Some("all its values are infinite".to_owned());
    }
    // Of numbers it matters only whether there are two.
    let (rows, different_max) = match values {
        Values::Numeric(numbers) => (numbers.len(), 2),
        Values::Text { codes, .. } => (codes.len(), usize::MAX),
    };
    let (filled, different) = values.filled_and_different(different_max);
    let words = matches!(values, Values::Text { .. });
    if filled == 0 {
        Some("all its values are missing".to_owned())
    } else if different == 1 && filled == rows {
        Some("it is constant".to_owned())
    } else if words && filled >= IDENTIFIER_ROWS_MIN && different as f64 >= DIFFERENT_SHARE * filled as f64 {
        Some(format!("it looks like an identifier: {different} different words in {filled} rows"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::{Column, MISSING_CODE};
    use super::*;

    fn data() -> Dataset {
        let text = |levels: Vec<String>, codes: Vec<u32>| Values::Text { levels, codes };
        let rows = 40;
        let column = |name: &str, values| Column { name: name.to_owned(), values };
        Dataset {
            columns: vec![
                column("x", Values::Numeric((0..rows).map(f64::from).collect())),
                column("constant", Values::Numeric(vec![3.0; 40])),
                column("absent", Values::Numeric(vec![f64::NAN; 40])),
                column("boundless", Values::Numeric(vec![f64::INFINITY; 40])),
                column("id", text((0..rows).map(|i| format!("id{i}")).collect(), (0..rows as u32).collect())),
                column("word", text(vec!["a".into(), "b".into()], (0..rows as u32).map(|i| i % 2).collect())),
                column(
                    "sometimes",
                    text(vec!["yes".into()], (0..40).map(|i| if i % 3 == 0 { 0 } else { MISSING_CODE }).collect()),
                ),
                column("when", Values::Numeric((0..rows).map(f64::from).collect())),
            ],
            bad: (0..rows).map(|i| i % 4 == 0).collect(),
        }
    }

    #[test]
    fn columns_that_cannot_be_features_are_left_out_each_with_its_reason() {
        let spec = TrainingSpec { exclude: vec!["when".into()], ..TrainingSpec::default() };
        let (candidates, left_out) = screen(&data(), &spec).unwrap();
        assert_eq!(candidates, [0, 5, 6]);
        let reasons: Vec<(&str, &str)> = left_out.iter().map(|l| (l.column.as_str(), l.reason.as_str())).collect();
        assert_eq!(reasons[0], ("constant", "it is constant"));
        assert_eq!(reasons[1], ("absent", "all its values are missing"));
        assert_eq!(reasons[2], ("boundless", "all its values are infinite"));
        assert!(reasons[3].1.contains("identifier") && reasons[3].1.contains("40"));
        assert_eq!(reasons[4], ("when", "excluded by the specification"));
    }

    #[test]
    fn a_specification_about_columns_that_are_not_there_or_a_direction_for_words_is_refused() {
        let unknown = TrainingSpec { exclude: vec!["wen".into()], ..TrainingSpec::default() };
        assert!(screen(&data(), &unknown).unwrap_err().to_string().contains("wen"));
        let directed = TrainingSpec::from_toml("[[feature]]\nname = \"word\"\nsign = \"+\"").unwrap();
        assert!(matches!(screen(&data(), &directed), Err(SpecError::SignOfText(_))));
    }
}
