//! Logistic regression, by linfa-logistic; the only file that names it.
//!
//! What must be known of linfa-logistic 0.8.1: its positive class is the majority class (the first met in a tie), so the result
//! is turned by `labels().pos.class`; it stops silently when it has not converged, so the gradient is checked here; its loss is a
//! sum over rows, and so is its gradient tolerance; it takes no weights and no NaN.

use linfa::traits::Fit;
use linfa::{Dataset, ParamGuard};
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use thiserror::Error;

/// Gradient per row below which a fit counts as converged. Log-odds are then off by far less than 1/64 point is.
const GRADIENT_MAX: f64 = 1e-6;
const ITERATIONS_MAX: u64 = 500;

/// Log-odds of the good outcome: `intercept + Σ coefficient · column`.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    /// At zero in every column.
    pub intercept: f64,
    /// One a column.
    pub coefficients: Vec<f64>,
}

/// A regression that gave no result.
#[derive(Debug, Error)]
pub enum FitError {
    /// All rows have the same outcome, or there is none.
    #[error("the rows do not have both outcomes")]
    OneOutcome,
    /// A value is NaN or infinite, or a column has another length than the outcomes.
    #[error("a column has a value that is not finite, or another length than the outcomes")]
    BadColumn,
    /// The solver stopped before the optimum, with every tolerance tried.
    #[error("the logistic regression did not converge: {0}")]
    NotConverged(String),
}

/// Fits the log-odds of a good outcome to `columns`, with an L2 penalty of `l2 / 2 · Σ coefficient²` on the summed loss.
///
/// # Errors
/// [`FitError`]; a result has always converged.
pub fn fit_logistic(columns: &[Vec<f64>], bad: &[bool], l2: f64) -> Result<Logistic, FitError> {
    let (rows, bads) = (bad.len(), bad.iter().filter(|b| **b).count());
    if bads == 0 || bads == rows {
        return Err(FitError::OneOutcome);
    }
    if columns.iter().any(|column| column.len() != rows || column.iter().any(|x| !x.is_finite())) {
        return Err(FitError::BadColumn);
    }
    let records = Array2::from_shape_fn((rows, columns.len()), |(row, column)| columns[column][row]);
    let data = Dataset::new(records, Array1::from_iter(bad.iter().copied()));
    let mut why = String::from("no attempt");
    // The line search can fail right at the optimum when the tolerance asks for more digits than the sum of losses has.
    for tolerance in [1e-9, 1e-8, 1e-7, 5e-7] {
        let params = LogisticRegression::default()
            .alpha(l2)
            .max_iterations(ITERATIONS_MAX)
            .gradient_tolerance(tolerance * rows as f64);
        let fitted =
            match params.check().map_err(|e| e.to_string()).and_then(|p| p.fit(&data).map_err(|e| e.to_string())) {
                Ok(fitted) => fitted,
                Err(error) => {
                    why = error;
                    continue;
                }
            };
        // The positive class is the majority: turn the result where that is the bad outcome.
        let towards_good = if fitted.labels().pos.class { -1.0 } else { 1.0 };
        let result = Logistic {
            intercept: towards_good * fitted.intercept(),
            coefficients: fitted.params().iter().map(|c| towards_good * c).collect(),
        };
        let gradient = gradient_per_row(&result, columns, bad, l2);
        if gradient <= GRADIENT_MAX {
            return Ok(result);
        }
        why = format!("the gradient per row is still {gradient:e}");
    }
    Err(FitError::NotConverged(why))
}

/// Euclidean norm of the gradient of the penalised loss, per row.
fn gradient_per_row(fitted: &Logistic, columns: &[Vec<f64>], bad: &[bool], l2: f64) -> f64 {
    let mut logits = vec![fitted.intercept; bad.len()];
    for (column, coefficient) in columns.iter().zip(&fitted.coefficients) {
        logits.iter_mut().zip(column).for_each(|(logit, x)| *logit += coefficient * x);
    }
    let residual = |(logit, bad): (&f64, &bool)| 1.0 / (1.0 + (-logit).exp()) - f64::from(u8::from(!bad));
    let residuals: Vec<f64> = logits.iter().zip(bad).map(residual).collect();
    let mut squares = residuals.iter().sum::<f64>().powi(2);
    for (column, coefficient) in columns.iter().zip(&fitted.coefficients) {
        let slope = column.iter().zip(&residuals).map(|(x, r)| x * r).sum::<f64>() + l2 * coefficient;
        squares += slope * slope;
    }
    let norm = squares.sqrt() / bad.len() as f64;
    if norm.is_nan() { f64::INFINITY } else { norm }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each of the two groups of 1000 rows, how many are bad. Column 0 is 1 in the first group.
    fn two_groups(bads: [usize; 2]) -> (Vec<Vec<f64>>, Vec<bool>) {
        let x = (0..2000).map(|i| if i < 1000 { 1.0 } else { 0.0 }).collect();
        (vec![x], (0..2000).map(|i| i % 1000 < bads[i / 1000]).collect())
    }

    #[test]
    fn log_odds_point_to_the_good_outcome_whichever_outcome_is_the_majority() {
        for bads in [[50, 200], [800, 950], [400, 600]] {
            let (columns, bad) = two_groups(bads);
            let fitted = fit_logistic(&columns, &bad, 1e-6).unwrap();
            let logit = |bads: usize| ((1000 - bads) as f64 / bads as f64).ln();
            assert!((fitted.intercept - logit(bads[1])).abs() < 1e-3, "{bads:?} {fitted:?}");
            assert!((fitted.coefficients[0] - (logit(bads[0]) - logit(bads[1]))).abs() < 1e-3, "{bads:?} {fitted:?}");
        }
    }

    #[test]
    fn the_order_of_rows_does_not_turn_the_result() {
        let (columns, bad) = two_groups([50, 200]);
        let reversed: Vec<Vec<f64>> = columns.iter().map(|c| c.iter().rev().copied().collect()).collect();
        let bad_reversed: Vec<bool> = bad.iter().rev().copied().collect();
        let (a, b) = (fit_logistic(&columns, &bad, 1.0).unwrap(), fit_logistic(&reversed, &bad_reversed, 1.0).unwrap());
        assert!((a.coefficients[0] - b.coefficients[0]).abs() < 1e-4);
    }

    #[test]
    fn perfectly_separated_rows_still_converge_thanks_to_the_penalty() {
        let columns = vec![(0..200).map(f64::from).map(|x| x / 100.0 - 1.0).collect::<Vec<f64>>()];
        let bad: Vec<bool> = (0..200).map(|i| i < 100).collect();
        let fitted = fit_logistic(&columns, &bad, 1.0).unwrap();
        assert!(fitted.coefficients[0] > 0.0 && fitted.coefficients[0].is_finite());
    }

    #[test]
    fn one_outcome_or_a_value_that_is_no_number_is_refused() {
        assert!(matches!(fit_logistic(&[vec![1.0, 2.0]], &[true, true], 1.0), Err(FitError::OneOutcome)));
        assert!(matches!(fit_logistic(&[vec![1.0, f64::NAN]], &[true, false], 1.0), Err(FitError::BadColumn)));
        assert!(matches!(fit_logistic(&[vec![1.0]], &[true, false], 1.0), Err(FitError::BadColumn)));
    }
}
