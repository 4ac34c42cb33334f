//! What the whole recipe says of rows that it has not seen.
//!
//! The rows that a bag leaves out stop that bag, the bags together choose the pairs, and the weights are fitted to what bags say of
//! their left-out rows: none of these is a stranger to the model, and on small or wide data measures on them promise too much
//! (pure noise with more features than bad rows came out at an AUC of 0.8). So everything, from fine bins to weights, is done again
//! on parts of the rows, and each part left out is measured by a model that knows nothing of it.
//!
//! The same models tell whether pairs help. On small data they can cost more than they bring; there the recipe is also tried
//! without them, and what fits the left-out rows better is taken.

use super::{Means, fit_additive};
use crate::model::dataset::Dataset;
use crate::model::fit::FitError;
use crate::model::folds::stratified;
use crate::model::spec::TrainingSpec;

/// Parts of the rows; with many rows two tell as much.
const FOLDS: u32 = 3;
const FOLDS_OF_MANY: u32 = 2;
/// From here on rows are many, and pairs are not doubted: fitting them costs little there.
const MANY_ROWS: usize = 10_000;

/// Predictions by models that had not seen the rows.
pub struct OutOfFold {
    /// Log-odds of the bad outcome of each row, in their order.
    pub log_odds_bad: Vec<f64>,
    /// Into how many parts the rows were divided.
    pub folds: u32,
    /// Whether the model is better with pairs; what the specification says where that was not tried.
    pub pairs: bool,
}

/// The share of the training's time that goes into this.
pub const SHARE: f64 = 0.5;

/// Fits the recipe to parts of `rows` and asks each about the rest.
///
/// # Errors
/// As [`fit_additive`].
pub fn out_of_fold(
    data: &Dataset,
    candidates: &[usize],
    rows: &[usize],
    spec: &TrainingSpec,
    means: &Means<'_>,
) -> Result<OutOfFold, FitError> {
    let bad: Vec<bool> = rows.iter().map(|row| data.bad[*row]).collect();
    let folds = if rows.len() > MANY_ROWS { FOLDS_OF_MANY } else { FOLDS };
    let fold_of = stratified(&bad, folds, super::mix(means.seed, 4000));
    let with_pairs = spec.additive.pairs_per_feature > 0.0;
    // Models that are only asked about other rows need not be as smooth.
    let mut spec = spec.clone();
    spec.additive.bags = spec.additive.bags.div_ceil(2);
    let tries = if with_pairs && rows.len() <= MANY_ROWS { 2 } else { 1 };
    let steps = (tries * folds as usize) as f64;
    let mut done = 0;
    let mut best: Option<(f64, OutOfFold)> = None;
    for without in [false, true].into_iter().take(tries) {
        if without {
            spec.additive.pairs_per_feature = 0.0;
        }
        let mut log_odds_bad = vec![0.0; rows.len()];
        for fold in 0..folds {
            let (outside, inside): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|i| fold_of[*i] == fold);
            let inside: Vec<usize> = inside.into_iter().map(|i| rows[i]).collect();
            let before = f64::from(done);
            let progress = |share: f64| (means.progress)((before + share) / steps * SHARE);
            let own = Means { seed: means.seed, threads: means.threads, progress: &progress };
            let fitted = fit_additive(data, candidates, &inside, &spec, &own)?;
            outside.into_iter().for_each(|i| log_odds_bad[i] = fitted.log_odds_bad(rows[i]));
            done += 1;
        }
        let loss = super::refit::loss(&log_odds_bad, &bad);
        if best.as_ref().is_none_or(|best| loss < best.0) {
            best = Some((loss, OutOfFold { log_odds_bad, folds, pairs: with_pairs && !without }));
        }
    }
    best.map(|best| best.1).ok_or(FitError::OneOutcome)
}
