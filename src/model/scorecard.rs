//! A scorecard on the log-odds scale: binned columns, their weights of evidence, one logistic coefficient each.

mod cut;
mod fine;

use std::collections::HashMap;

use super::additive::{Means, in_parallel};
use super::artifact::LeftOut;
use super::collinear::{Pruned, prune};
use super::dataset::Dataset;
use super::fit::{Digits, FitError, Logistic, fit_logistic_to, fit_non_negative};
use super::folds::stratified;
use super::spec::TrainingSpec;
use super::woe::{Counts, Population};
pub use cut::Binned;
pub use fine::{FineColumn, FineCut};

/// Bins with coefficients.
#[derive(Debug, Clone)]
pub struct Scorecard {
    /// The columns in it.
    pub tables: Vec<Binned>,
    /// Log-odds of the good outcome: intercept, and a positive coefficient for each table's weights.
    pub logistic: Logistic,
    /// Candidates that did not make it.
    pub left_out: Vec<LeftOut>,
}

/// The penalties that cross-validation chooses from.
const L2_TRIED: [f64; 5] = [100.0, 30.0, 10.0, 3.0, 0.3];
/// Folds and rows of that choice. The penalty is of the summed loss, so the best one for some of the rows is about the best for all.
const L2_FOLDS: u32 = 3;
const L2_ROWS_MAX: usize = 8000;
const L2_GRADIENT_MAX: f64 = 1e-4;
/// Gradient per row of fits that are only asked about the rows that they leave out.
const FOLD_GRADIENT_MAX: f64 = 3e-5;
/// Rows that tell whether columns are correlated.
const PRUNING_ROWS_MAX: usize = 5000;

/// Bins the `fine` columns, keeps those with enough information, and fits them, leaving out what another column tells as well and what
/// would get a coefficient of the wrong sign. `None` when no column is left. `near` is the scorecard of all rows, where this one is of
/// a fold: the fit begins there, and need not be carried to the last digit.
///
/// # Errors
/// [`FitError`] when the regression fails.
pub fn fit_scorecard(
    data: &Dataset,
    fine: &[FineColumn<'_>],
    rows: &[usize],
    spec: &TrainingSpec,
    l2: f64,
    near: Option<&Scorecard>,
) -> Result<Option<Scorecard>, FitError> {
    let (tables, mut left_out) = binned(data, fine, rows, spec)?;
    let bad: Vec<bool> = rows.iter().map(|row| data.bad[*row]).collect();
    let weights = weights(fine, &tables, rows);
    if weights.is_empty() {
        return Ok(None);
    }
    // Weights point to good, so a coefficient below zero would turn a table's direction of risk around.
    let start = near.map_or_else(|| Logistic::nothing(tables.len()), |near| near.start_for(&tables));
    let digits = if near.is_some() { Digits::Few(FOLD_GRADIENT_MAX) } else { Digits::All };
    let fitted = fit_non_negative(&weights, &bad, l2, start, digits)?;
    let (mut kept, mut coefficients) = (Vec::new(), Vec::new());
    for (table, coefficient) in tables.into_iter().zip(fitted.coefficients) {
        if coefficient > 0.0 {
            kept.push(table);
            coefficients.push(coefficient);
        } else {
            let column = data.columns[table.column].name.clone();
            let reason = format!(
                "its coefficient has the wrong sign beside the others (its information value is {:.4})",
                table.iv
            );
            left_out.push(LeftOut { column, reason });
        }
    }
    let logistic = Logistic { intercept: fitted.intercept, coefficients };
    Ok((!kept.is_empty()).then_some(Scorecard { tables: kept, logistic, left_out }))
}

/// The tables that pass the screens, and the columns that do not.
fn binned(
    data: &Dataset,
    fine: &[FineColumn<'_>],
    rows: &[usize],
    spec: &TrainingSpec,
) -> Result<(Vec<Binned>, Vec<LeftOut>), FitError> {
    let all = rows.iter().fold(Counts::default(), |sum, row| sum + Counts::of(data.bad[*row]));
    let population = Population::new(all, spec.smoothing_rows).ok_or(FitError::OneOutcome)?;
    let keeps = |name: &str| spec.rule(name).is_some_and(|of| of.keep);
    let (mut tables, mut left_out) = (Vec::new(), Vec::new());
    for (place, of) in fine.iter().enumerate() {
        let column = &data.columns[of.column];
        let binned = Binned::of(data, fine, place, rows, &population, spec);
        if binned.iv > 0.0 && (binned.iv >= spec.iv_min || keeps(&column.name)) {
            tables.push(binned);
        } else {
            let reason = format!("its information value is {:.4}, below {}", binned.iv, spec.iv_min);
            left_out.push(LeftOut { column: column.name.clone(), reason });
        }
    }
    let some = some_of(rows, PRUNING_ROWS_MAX);
    let worth: Vec<f64> = tables
        .iter()
        .map(|of: &Binned| if keeps(&data.columns[of.column].name) { f64::INFINITY } else { of.iv })
        .collect();
    let pruned = prune(&weights(fine, &tables, &some), &worth, spec.correlation_max, spec.vif_max);
    let name = |table: &Binned| data.columns[table.column].name.clone();
    for (table, why) in tables.iter().zip(&pruned).filter(|(table, _)| !keeps(&name(table))) {
        let reason = match why {
            None => continue,
            Some(Pruned::Correlated { with, correlation }) => {
                format!(
                    "its weights are correlated {correlation:.2} with those of {}, which tells more",
                    name(&tables[*with])
                )
            }
            Some(Pruned::Inflated { inflation }) => {
                format!(
                    "the others tell it as well: its variance inflation factor is {inflation:.0}, above {}",
                    spec.vif_max
                )
            }
        };
        left_out.push(LeftOut { column: name(table), reason });
    }
    let gone: Vec<bool> =
        tables.iter().zip(&pruned).map(|(table, why)| why.is_some() && !keeps(&name(table))).collect();
    let mut places = gone.into_iter();
    tables.retain(|_| !places.next().unwrap_or(false));
    Ok((tables, left_out))
}

/// At most `rows_max` of the rows, spread evenly.
fn some_of(rows: &[usize], rows_max: usize) -> Vec<usize> {
    rows.iter().step_by(rows.len().div_ceil(rows_max).max(1)).copied().collect()
}

fn weights(fine: &[FineColumn<'_>], tables: &[Binned], rows: &[usize]) -> Vec<Vec<f64>> {
    let weigh = |table: &Binned| {
        let (codes, weight) = (&fine[table.place].codes, table.weights());
        rows.iter().map(|row| weight(codes[*row])).collect()
    };
    tables.iter().map(weigh).collect()
}

/// The penalty with the least loss in cross-validation; that of the specification where it states one.
///
/// # Errors
/// [`FitError`] when there is nothing to fit.
pub fn choose_l2(
    data: &Dataset,
    fine: &[FineColumn<'_>],
    rows: &[usize],
    spec: &TrainingSpec,
    means: &Means<'_>,
) -> Result<f64, FitError> {
    if let Some(l2) = spec.l2 {
        return Ok(l2);
    }
    let some = some_of(rows, L2_ROWS_MAX);
    let bad: Vec<bool> = some.iter().map(|row| data.bad[*row]).collect();
    let fold_of = stratified(&bad, L2_FOLDS, means.seed);
    let losses = in_parallel(L2_FOLDS as usize, means.threads, &|fold| {
        let (outside, inside): (Vec<usize>, Vec<usize>) = (0..bad.len()).partition(|i| fold_of[*i] as usize == fold);
        let [outside, inside] = [outside, inside].map(|part| part.into_iter().map(|i| some[i]).collect::<Vec<usize>>());
        losses_outside(data, fine, &inside, &outside, spec)
    });
    let losses = losses.into_iter().collect::<Result<Vec<_>, FitError>>()?;
    let total = |i: &usize| losses.iter().map(|of_fold| of_fold[*i]).sum::<f64>();
    let best = (0..L2_TRIED.len()).min_by(|a, b| total(a).total_cmp(&total(b)));
    Ok(best.map_or(1.0, |i| L2_TRIED[i]))
}

/// The loss on the rows `outside` of fits to those `inside`, with each penalty. The bins are those of the rows inside: on bins that
/// have seen the rows left out, too small a penalty looks best.
fn losses_outside(
    data: &Dataset,
    fine: &[FineColumn<'_>],
    inside: &[usize],
    outside: &[usize],
    spec: &TrainingSpec,
) -> Result<[f64; L2_TRIED.len()], FitError> {
    let (tables, _) = binned(data, fine, inside, spec)?;
    let bad = |rows: &[usize]| rows.iter().map(|row| data.bad[*row]).collect::<Vec<bool>>();
    let (of_inside, bad_inside) = (weights(fine, &tables, inside), bad(inside));
    let (of_outside, bad_outside) = (weights(fine, &tables, outside), bad(outside));
    let mut start = Logistic::nothing(tables.len());
    let mut losses = [f64::INFINITY; L2_TRIED.len()];
    for (loss, l2) in losses.iter_mut().zip(L2_TRIED) {
        // A penalty that does not converge is not chosen.
        let Ok(fitted) = fit_logistic_to(&of_inside, &bad_inside, l2, &start, Digits::Few(L2_GRADIENT_MAX)) else {
            continue;
        };
        let mut log_odds = vec![fitted.intercept; outside.len()];
        for (column, coefficient) in of_outside.iter().zip(&fitted.coefficients) {
            log_odds.iter_mut().zip(column).for_each(|(sum, x)| *sum += coefficient * x);
        }
        let missed = log_odds.iter().zip(&bad_outside).map(|(z, bad)| if *bad { *z } else { -z });
        *loss = missed.map(|z| z.max(0.0) + (-z.abs()).exp().ln_1p()).sum();
        start = fitted;
    }
    Ok(losses)
}

impl Scorecard {
    /// Its coefficients where `tables` are of the same columns, else 0.
    fn start_for(&self, tables: &[Binned]) -> Logistic {
        let of: HashMap<usize, f64> =
            self.tables.iter().map(|table| table.column).zip(self.logistic.coefficients.iter().copied()).collect();
        let coefficients = tables.iter().map(|table| of.get(&table.column).copied().unwrap_or(0.0)).collect();
        Logistic { intercept: self.logistic.intercept, coefficients }
    }

    /// Log-odds of the good outcome of each of `rows`.
    pub fn log_odds(&self, fine: &[FineColumn<'_>], rows: &[usize]) -> Vec<f64> {
        let mut log_odds = vec![self.logistic.intercept; rows.len()];
        for (table, coefficient) in self.tables.iter().zip(&self.logistic.coefficients) {
            let (codes, weight) = (&fine[table.place].codes, table.weights());
            log_odds.iter_mut().zip(rows).for_each(|(sum, row)| *sum += coefficient * weight(codes[*row]));
        }
        log_odds
    }
}
