//! The tax credit rating and what changed in it: since 2025-07-01 it contains how a firm pays social insurance.
//!
//! A model that takes the rating beside features of social insurance counts that payment twice; one trained on rows from before
//! and after that day learns two things under one name. Both are told at training, with figures.

use jiff::civil::{Date, date};

use super::dataset::{Dataset, Values};
use super::spec::Regime;

/// The rating's column.
const RATING: &str = "tax_rating";
/// How the names of social insurance columns begin.
const SOCIAL_INSURANCE: &str = "si_";
/// The day from which the rating contains social insurance payment.
const MERGED_ON: Date = date(2025, 7, 1);
/// Rows that must have both values for their correlation to say anything.
const ROWS_MIN: usize = 30;

/// The change of regime that every training on the rating must know of, unless the specification names that day itself.
pub(super) fn built_in(columns: &[&str], stated: &[Regime]) -> Option<Regime> {
    let what = "from then on the tax credit rating contains social insurance payment";
    let needed = columns.contains(&RATING) && stated.iter().all(|regime| regime.on != MERGED_ON);
    needed.then(|| Regime { on: MERGED_ON, what: what.to_owned() })
}

/// What to know of a model that takes both the rating and features of social insurance: how strongly they go together over the
/// rows trained on.
pub(super) fn double_counting(taken: &[&str], data: &Dataset, rows: &[usize]) -> Option<String> {
    if !taken.contains(&RATING) {
        return None;
    }
    let correlations: Vec<String> = (taken.iter().filter(|name| name.starts_with(SOCIAL_INSURANCE)))
        .map(|name| match correlation(data, RATING, name, rows) {
            Some(r) => format!("{name} {r:.2}"),
            None => format!("{name} unknown"),
        })
        .collect();
    (!correlations.is_empty()).then(|| {
        format!(
            "{RATING} is taken beside features of social insurance, whose payment ratings of 2025 and later already contain: it is \
             counted twice; rank correlations with {RATING}: {}",
            correlations.join(", ")
        )
    })
}

/// Spearman's rank correlation of two columns of numbers over the rows in which both are known; `None` where those are too few or
/// one does not vary.
fn correlation(data: &Dataset, first: &str, second: &str, rows: &[usize]) -> Option<f64> {
    let numbers = |name: &str| match &data.columns.iter().find(|column| column.name == name)?.values {
        Values::Numeric(numbers) => Some(numbers),
        Values::Text { .. } => None,
    };
    let (first, second) = (numbers(first)?, numbers(second)?);
    let both = rows.iter().map(|row| (first[*row], second[*row])).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
    if a.len() < ROWS_MIN {
        return None;
    }
    let (a, b) = (ranks(&a), ranks(&b));
    // Mean ranks are all (n + 1) / 2, ties or not.
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let spread = (product(&a, &a) * product(&b, &b)).sqrt();
    (spread > 0.0).then(|| product(&a, &b) / spread)
}

/// The rank of each value from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|i, j| values[*i].total_cmp(&values[*j]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|i, j| values[*i] == values[*j]) {
        let rank = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|i| ranks[*i] = rank);
        before += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Column;
    use super::*;

    fn data(columns: &[(&str, Vec<f64>)]) -> Dataset {
        let rows = columns[0].1.len();
        let column = |(name, values): &(&str, Vec<f64>)| Column {
            name: (*name).to_owned(),
            values: Values::Numeric(values.clone()),
        };
        Dataset { columns: columns.iter().map(column).collect(), bad: vec![false; rows] }
    }

    #[test]
    fn a_rating_taken_beside_social_insurance_is_warned_of_with_their_correlation() {
        let rating: Vec<f64> = (0..100).map(|row| f64::from(row % 5)).collect();
        let months: Vec<f64> = rating.iter().map(|rank| -rank * rank).collect();
        let mut gaps = months.clone();
        gaps[..80].fill(f64::NAN);
        let data =
            data(&[("tax_rating", rating), ("si_months_paid", months), ("si_heads", gaps), ("pay_x", vec![1.0; 100])]);
        let rows: Vec<usize> = (0..100).collect();
        let told = double_counting(&["tax_rating", "si_months_paid", "si_heads", "pay_x"], &data, &rows).unwrap();
        assert!(told.contains("si_months_paid -1.00, si_heads unknown") && !told.contains("pay_x"), "{told}");
        assert_eq!(double_counting(&["tax_rating", "pay_x"], &data, &rows), None);
        assert_eq!(double_counting(&["si_months_paid"], &data, &rows), None);
    }

    #[test]
    fn equal_values_share_their_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
    }

    #[test]
    fn the_merger_of_rating_and_insurance_is_known_unless_it_is_stated() {
        let stated = Regime { on: MERGED_ON, what: "in our words".to_owned() };
        assert!(built_in(&["tax_rating"], &[]).is_some());
        assert_eq!(built_in(&["tax_rating"], &[stated]).map(|regime| regime.on), None);
        assert_eq!(built_in(&["si_heads"], &[]).map(|regime| regime.on), None);
    }
}
