//! Logistic regression, by linfa-logistic; the only file that names it.
//!
//! What must be known of linfa-logistic 0.8.1: its positive class is the majority class (the first met in a tie), so the result
//! is turned by `labels().pos.class`; it stops silently when it has not converged, so the gradient is checked here; its loss is a
//! sum over rows, and so is its gradient tolerance; it takes no weights and no NaN.

use std::cmp::Ordering;

use linfa::traits::Fit;
use linfa::{Dataset, ParamGuard};
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use thiserror::Error;

use super::newton::Problem;

/// Gradient per row below which a fit counts as converged. Log-odds are then off by far less than 1/64 point is.
const GRADIENT_MAX: f64 = 1e-6;
const ITERATIONS_MAX: u64 = 500;
/// How near Newton's method brings the start, as a share of that; linfa asks for a tenth.
const START_SHARE: f64 = 0.05;
/// Gradient per row that a column must offer to be taken back.
const GAIN_MIN: f64 = 1e-5;
/// How often a column is taken back: enough for the optimum, and an end to any to and fro.
const TAKEN_BACK_MAX: u32 = 2;

/// Log-odds of the good outcome: `intercept + Σ coefficient · column`.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    /// At zero in every column.
    pub intercept: f64,
    /// One a column.
    pub coefficients: Vec<f64>,
}

/// How far a fit is carried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Digits {
    /// To the optimum, by linfa-logistic: what becomes a model.
    All,
    /// To a gradient per row, by linfa-logistic.
    Until(f64),
    /// To a gradient per row, by Newton's method alone where it gets there: what is only asked about other rows.
    Few(f64),
}

impl Digits {
    fn gradient_max(self) -> f64 {
        match self {
            Digits::All => GRADIENT_MAX,
            Digits::Until(gradient) | Digits::Few(gradient) => gradient,
        }
    }
}

impl Logistic {
    /// Zero for each of `columns`.
    pub fn nothing(columns: usize) -> Logistic {
        Logistic { intercept: 0.0, coefficients: vec![0.0; columns] }
    }
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
    fit_logistic_to(columns, bad, l2, &Logistic::nothing(columns.len()), Digits::All)
}

/// [`fit_logistic`] from a start, to as many `digits` as are wanted.
///
/// # Errors
/// [`FitError`].
pub fn fit_logistic_to(
    columns: &[Vec<f64>],
    bad: &[bool],
    l2: f64,
    start: &Logistic,
    digits: Digits,
) -> Result<Logistic, FitError> {
    let all: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    fit_from(&all, bad, l2, start, digits)
}

/// Fits like [`fit_logistic`] with no coefficient below zero: the best of all such fits, found by leaving out what turns negative
/// and taking back, one at a time, what would turn positive (an active-set method; the loss is convex). Coefficients of columns
/// left out are 0. `start` is where the search begins; the time depends on it, the result only within the `digits`.
///
/// # Errors
/// [`FitError`].
pub fn fit_non_negative(
    columns: &[Vec<f64>],
    bad: &[bool],
    l2: f64,
    start: Logistic,
    digits: Digits,
) -> Result<Logistic, FitError> {
    let mut active = vec![true; columns.len()];
    let mut taken_back = vec![0; columns.len()];
    let mut best = start;
    loop {
        let used: Vec<usize> = (0..columns.len()).filter(|i| active[*i]).collect();
        let chosen: Vec<&[f64]> = used.iter().map(|i| columns[*i].as_slice()).collect();
        let coefficients = used.iter().map(|i| best.coefficients[*i]).collect();
        let fitted = fit_from(&chosen, bad, l2, &Logistic { intercept: best.intercept, coefficients }, digits)?;
        best.intercept = fitted.intercept;
        best.coefficients.fill(0.0);
        for (i, coefficient) in used.iter().zip(&fitted.coefficients) {
            active[*i] = *coefficient > 0.0;
            best.coefficients[*i] = coefficient.max(0.0);
        }
        if fitted.coefficients.iter().any(|c| *c <= 0.0) {
            continue;
        }
        let residuals = residuals(&fitted, &chosen, bad);
        let gain = |i: usize| -columns[i].iter().zip(&residuals).map(|(x, r)| x * r).sum::<f64>() / bad.len() as f64;
        let waiting = (0..columns.len()).filter(|i| !active[*i] && taken_back[*i] < TAKEN_BACK_MAX);
        match waiting.map(|i| (gain(i), i)).filter(|of| of.0 > GAIN_MIN).max_by(|a, b| a.0.total_cmp(&b.0)) {
            None => return Ok(best),
            Some((_, i)) => {
                active[i] = true;
                taken_back[i] += 1;
            }
        }
    }
}

/// Fits from `start`; no columns leave the intercept alone.
fn fit_from(columns: &[&[f64]], bad: &[bool], l2: f64, start: &Logistic, digits: Digits) -> Result<Logistic, FitError> {
    let gradient_max = digits.gradient_max();
    let (rows, bads) = (bad.len(), bad.iter().filter(|b| **b).count());
    if bads == 0 || bads == rows {
        return Err(FitError::OneOutcome);
    }
    if columns.iter().any(|column| column.len() != rows || column.iter().any(|x| !x.is_finite())) {
        return Err(FitError::BadColumn);
    }
    if columns.is_empty() {
        let intercept = ((rows - bads) as f64 / bads as f64).ln();
        return Ok(Logistic { intercept, coefficients: Vec::new() });
    }
    let good = Array1::from_iter(bad.iter().map(|bad| f64::from(u8::from(!bad))));
    let records = Array2::from_shape_fn((rows, columns.len()), |(row, column)| columns[column][row]);
    let problem = Problem { records, positive: &good, l2 };
    let anywhere = start.coefficients.iter().all(|c| *c == 0.0);
    let start = start.coefficients.iter().chain([&start.intercept]).copied().collect();
    let near = problem.solve(start, START_SHARE * gradient_max * rows as f64, anywhere);
    if let Digits::Few(_) = digits
        && let Some((intercept, coefficients)) = near.split_last()
    {
        let found = Logistic { intercept: *intercept, coefficients: coefficients.to_vec() };
        if gradient_per_row(&found, columns, bad, l2) <= gradient_max {
            return Ok(found);
        }
    }
    let near = Array1::from_vec(near);
    let data = Dataset::new(problem.records, Array1::from_iter(bad.iter().copied()));
    // linfa's parameters point to the majority class, and so must the start; in a tie to the class of the first row.
    let good_is_positive = match (2 * bads).cmp(&rows) {
        Ordering::Less => true,
        Ordering::Equal => !bad[0],
        Ordering::Greater => false,
    };
    let start = if good_is_positive { near } else { -near };
    let mut why = String::from("no attempt");
    // The line search can fail right at the optimum when the tolerance asks for more digits than the sum of losses has.
    for share in [0.1, 0.3, 0.7] {
        let params = LogisticRegression::default()
            .alpha(l2)
            .max_iterations(ITERATIONS_MAX)
            .initial_params(start.clone())
            .gradient_tolerance(share * gradient_max * rows as f64);
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
        if gradient <= gradient_max {
            return Ok(result);
        }
        why = format!("the gradient per row is still {gradient:e}");
    }
    Err(FitError::NotConverged(why))
}

/// Euclidean norm of the gradient of the penalised loss, per row.
fn gradient_per_row(fitted: &Logistic, columns: &[&[f64]], bad: &[bool], l2: f64) -> f64 {
    let residuals = residuals(fitted, columns, bad);
    let mut squares = residuals.iter().sum::<f64>().powi(2);
    for (column, coefficient) in columns.iter().zip(&fitted.coefficients) {
        let slope = column.iter().zip(&residuals).map(|(x, r)| x * r).sum::<f64>() + l2 * coefficient;
        squares += slope * slope;
    }
    let norm = squares.sqrt() / bad.len() as f64;
    if norm.is_nan() { f64::INFINITY } else { norm }
}

/// Predicted less actual, of the good outcome.
fn residuals(fitted: &Logistic, columns: &[&[f64]], bad: &[bool]) -> Vec<f64> {
    let mut logits = vec![fitted.intercept; bad.len()];
    for (column, coefficient) in columns.iter().zip(&fitted.coefficients) {
        logits.iter_mut().zip(*column).for_each(|(logit, x)| *logit += coefficient * x);
    }
    let residual = |(logit, bad): (&f64, &bool)| 1.0 / (1.0 + (-logit).exp()) - f64::from(u8::from(!bad));
    logits.iter().zip(bad).map(residual).collect()
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
    fn a_non_negative_fit_leaves_out_what_turns_negative_and_takes_back_what_helps() {
        let wave = |period: usize| (0..3000).map(|i| ((i / period) % 3) as f64 - 1.0).collect::<Vec<f64>>();
        let (a, b) = (wave(1), wave(3));
        let opposed: Vec<f64> = a.iter().map(|x| -x).collect();
        let bad: Vec<bool> =
            (0..3000).map(|i| (i * 7919) % 100 < (50.0 - 20.0 * a[i] - 15.0 * b[i]) as usize).collect();
        let fitted =
            fit_non_negative(&[opposed, a.clone(), b.clone()], &bad, 0.01, Logistic::nothing(3), Digits::All).unwrap();
        let free = fit_logistic(&[a, b], &bad, 0.01).unwrap();
        assert_eq!(fitted.coefficients[0], 0.0);
        assert!((fitted.coefficients[1] - free.coefficients[0]).abs() < 1e-3, "{fitted:?} {free:?}");
        assert!((fitted.coefficients[2] - free.coefficients[1]).abs() < 1e-3);
    }

    #[test]
    fn one_outcome_or_a_value_that_is_no_number_is_refused() {
        assert!(matches!(fit_logistic(&[vec![1.0, 2.0]], &[true, true], 1.0), Err(FitError::OneOutcome)));
        assert!(matches!(fit_logistic(&[vec![1.0, f64::NAN]], &[true, false], 1.0), Err(FitError::BadColumn)));
        assert!(matches!(fit_logistic(&[vec![1.0]], &[true, false], 1.0), Err(FitError::BadColumn)));
    }
}
