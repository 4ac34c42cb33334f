//! The weight of each table, by logistic regression on what bags predict for the rows that they had left out.
//!
//! The regression sees the sum of all tables, and each table again, scaled down: the smaller that scale, the more its L2 penalty holds
//! the weights together. The scale is chosen by cross-validation, from nearly one common weight to nearly free ones.

use super::super::dataset::Dataset;
use super::super::fit::{Digits, FitError, Logistic, fit_logistic_to};
use super::super::folds::stratified;
use super::axes::FineColumn;
use super::tables::{Tables, Weights};
use super::{Bag, Means, in_parallel, mix};

/// Scales that are tried, from one common weight to free ones.
const SCALES: [f64; 4] = [0.03, 0.3, 1.0, 3.0];
const FOLDS: u32 = 3;
const L2: f64 = 1.0;
/// Gradient per row: weights need far fewer digits than points do.
const GRADIENT_MAX: f64 = 2e-6;
/// More rows than this tell nothing more about so few weights.
const ROWS_MAX: usize = 24_000;

/// What the regression is given.
pub struct Refit<'a> {
    /// The data.
    pub data: &'a Dataset,
    /// The features.
    pub columns: &'a [FineColumn],
    /// The pairs.
    pub pairs: &'a [[usize; 2]],
    /// The rows that the bags divide among them.
    pub rows: &'a [usize],
    /// The bags.
    pub bags: &'a [Bag],
    /// The tables of each bag.
    pub tables: &'a [Tables],
}

/// What bags that had left a row out predict for it, term by term: one column a table, and the mean of their intercepts.
struct LeftOut {
    terms: Vec<Vec<f64>>,
    start: f64,
    bad: Vec<bool>,
}

impl Refit<'_> {
    /// The weights.
    ///
    /// # Errors
    /// [`FitError`] when not even one common weight can be fitted.
    pub fn fit(&self, means: &Means<'_>) -> Result<Weights, FitError> {
        let left_out = self.left_out();
        let count = self.rows.len();
        // A stratified part of the rows where there are very many.
        let parts = count.div_ceil(ROWS_MAX).max(1);
        let part_of = stratified(&left_out.bad, parts as u32, mix(means.seed, 3000));
        let chosen: Vec<usize> = (0..count).filter(|i| part_of[*i] == 0).collect();
        let chosen_bad: Vec<bool> = chosen.iter().map(|i| left_out.bad[*i]).collect();
        let fold_of = stratified(&chosen_bad, FOLDS, mix(means.seed, 3001));
        let tries = SCALES.len() * FOLDS as usize;
        let fitted = in_parallel(tries, means.threads, &|i| {
            let (scale, fold) = (SCALES[i / FOLDS as usize], (i % FOLDS as usize) as u32);
            let inside: Vec<usize> = (0..chosen.len()).filter(|i| fold_of[*i] != fold).map(|i| chosen[i]).collect();
            self.weights(&left_out, &inside, scale).ok()
        });
        let predicted = |scale: usize| -> Option<Vec<f64>> {
            let weights: Option<Vec<&Weights>> =
                fitted[scale * FOLDS as usize..][..FOLDS as usize].iter().map(Option::as_ref).collect();
            let weights = weights?;
            Some(chosen.iter().zip(&fold_of).map(|(i, fold)| left_out.log_odds(weights[*fold as usize], *i)).collect())
        };
        let mut best: Option<(f64, f64)> = None;
        for (i, scale) in SCALES.into_iter().enumerate() {
            let Some(log_odds) = predicted(i) else { continue };
            let loss = loss(&log_odds, &chosen_bad);
            if best.as_ref().is_none_or(|best| loss < best.0) {
                best = Some((loss, scale));
            }
        }
        let Some((_, scale)) = best else {
            return Err(FitError::NotConverged("no weights for the tables were found".to_owned()));
        };
        self.weights(&left_out, &chosen, scale)
    }

    fn left_out(&self) -> LeftOut {
        let count = self.columns.len() + self.pairs.len();
        let place_of: std::collections::HashMap<usize, usize> =
            self.rows.iter().enumerate().map(|(i, row)| (*row, i)).collect();
        let mut terms = vec![vec![0.0; self.rows.len()]; count];
        let mut times = vec![0.0; self.rows.len()];
        for (bag, tables) in self.bags.iter().zip(self.tables) {
            for row in &bag.outside {
                let place = place_of[row];
                times[place] += 1.0;
                let given = tables.terms(self.columns, self.pairs, *row);
                terms.iter_mut().zip(given).for_each(|(column, value)| column[place] += value);
            }
        }
        terms.iter_mut().for_each(|column| column.iter_mut().zip(&times).for_each(|(sum, times)| *sum /= times));
        let start = self.tables.iter().map(|tables| tables.intercept).sum::<f64>() / self.tables.len() as f64;
        LeftOut { terms, start, bad: self.rows.iter().map(|row| self.data.bad[*row]).collect() }
    }

    /// Weights by the rows at `places`. Below zero a table would be turned around: then it is left out.
    fn weights(&self, left_out: &LeftOut, places: &[usize], scale: f64) -> Result<Weights, FitError> {
        let bad: Vec<bool> = places.iter().map(|i| left_out.bad[*i]).collect();
        let sum = |i: &usize| left_out.start + left_out.terms.iter().map(|column| column[*i]).sum::<f64>();
        // Columns point to the good outcome, as the regression does.
        let mut columns = vec![places.iter().map(|i| -sum(i)).collect::<Vec<f64>>()];
        columns.extend(left_out.terms.iter().map(|column| places.iter().map(|i| -scale * column[*i]).collect()));
        let (start, digits) = (Logistic::nothing(columns.len()), Digits::Until(GRADIENT_MAX));
        let Logistic { intercept, coefficients } = fit_logistic_to(&columns, &bad, L2, &start, digits)?;
        let Some((common, own)) = coefficients.split_first() else { return Err(FitError::BadColumn) };
        let of_terms = own.iter().map(|own| (common + scale * own).max(0.0)).collect();
        Ok(Weights { intercept: -intercept, of_start: *common, of_terms })
    }
}

impl LeftOut {
    fn log_odds(&self, weights: &Weights, place: usize) -> f64 {
        let terms = self.terms.iter().zip(&weights.of_terms).map(|(column, weight)| weight * column[place]);
        weights.intercept + weights.of_start * self.start + terms.sum::<f64>()
    }
}

/// Mean logarithmic loss of log-odds of the bad outcome.
pub(super) fn loss(log_odds: &[f64], bad: &[bool]) -> f64 {
    let of = |(log_odds, bad): (&f64, &bool)| {
        let towards = if *bad { -log_odds } else { *log_odds };
        towards.max(0.0) + (-towards.abs()).exp().ln_1p()
    };
    log_odds.iter().zip(bad).map(of).sum::<f64>() / bad.len().max(1) as f64
}
