//! Golden rows: real rows of the training data, spread over the scores, with the results that a loaded model must reproduce.

use super::artifact::{Golden, Input};
use super::dataset::Dataset;
use super::{Model, Value};

/// Rows spread over the scores, from lowest to highest.
const SPREAD: usize = 8;
/// Further rows, with the most missing values.
const MISSING_MOST: usize = 2;

/// Chooses the rows and records what `model` gives them. `columns` are the data's columns in the order of the tables. The last
/// golden row has nothing but missing values, as no real one may.
pub(super) fn golden_rows(model: &Model, data: &Dataset, columns: &[usize]) -> Vec<Golden> {
    let values = |row: usize| -> Vec<Value<'_>> { columns.iter().map(|c| data.columns[*c].values.get(row)).collect() };
    // JSON has no infinities, so rows with one cannot be written down.
    let writable = |row: &usize| !values(*row).iter().any(|v| matches!(v, Value::Number(x) if x.is_infinite()));
    let mut rows: Vec<(f64, usize, usize)> = (0..data.bad.len())
        .filter(writable)
        .map(|row| {
            let values = values(row);
            let missing = values.iter().filter(|v| **v == Value::Missing).count();
            (model.score(&values).total, missing, row)
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
    let mut chosen: Vec<usize> = Vec::new();
    let last = rows.len().saturating_sub(1);
    for i in 0..SPREAD.min(rows.len()) {
        chosen.push(rows[last * i / (SPREAD - 1).max(1)].2);
    }
    let mut by_missing: Vec<&(f64, usize, usize)> =
        rows.iter().filter(|row| row.1 > 0 && !chosen.contains(&row.2)).collect();
    by_missing.sort_by_key(|row| (std::cmp::Reverse(row.1), row.2));
    chosen.extend(by_missing.into_iter().take(MISSING_MOST).map(|row| row.2));
    let all_missing = vec![Value::Missing; columns.len()];
    chosen.into_iter().map(values).chain([all_missing]).map(|values| golden_row(model, &values)).collect()
}

fn golden_row(model: &Model, values: &[Value<'_>]) -> Golden {
    let score = model.score(values);
    let input = |value: &Value<'_>| match value {
        Value::Missing => Input::Missing,
        Value::Number(x) => Input::Number(*x),
        Value::Text(text) => Input::Text((*text).to_owned()),
    };
    Golden {
        inputs: values.iter().map(input).collect(),
        points: model.points(values).iter().map(|of| of.points).collect(),
        total: score.total,
        score: score.score,
        pd: score.pd,
        grade: score.grade.to_owned(),
    }
}
