//! Training: out-of-fold predictions, calibration, the final tables in points, the artifact.

use thiserror::Error;

use super::artifact::{Artifact, Bin, Characteristic, FORMAT, Kind, Label, Measured, Training};
use super::calibrate::{Calibration, calibrate};
use super::check::ModelError;
use super::dataset::Dataset;
use super::fit::FitError;
use super::folds::stratified;
use super::golden::golden_rows;
use super::measure::measure;
use super::scaling::round_points;
use super::scorecard::{Binned, Scorecard, fit_scorecard};
use super::screen::screen;
use super::spec::{SpecError, TrainingSpec};
use super::woe::Counts;
use super::{Model, check};

/// Fewest rows of each outcome: below this, bins and folds are noise.
pub const OUTCOMES_MIN: usize = 10;
/// With fewer bad rows than this, a warning.
const BADS_FEW: u64 = 100;
/// Standard errors above 0.5 that chance exceeds once in twenty times.
const CHANCE_ERRORS: f64 = 1.645;
/// A calibration slope outside of this is worth a warning.
const SLOPE_USUAL: std::ops::RangeInclusive<f64> = 0.7..=1.3;

/// Where the data comes from, for the artifact.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The model's name where the specification gives none.
    pub id: String,
    /// The target column.
    pub target: String,
    /// SHA-256 of the data file, hex.
    pub data_sha256: String,
    /// Fixes the folds.
    pub seed: u64,
}

/// A training that gave no model.
#[derive(Debug, Error)]
pub enum TrainError {
    /// One outcome alone, or too few of one.
    #[error(
        "{bads} bad and {goods} good rows are too few to train on: at least {OUTCOMES_MIN} of each are needed \
         (the target is 1 for bad, 0 for good)"
    )]
    TooFew {
        /// Bad rows.
        bads: usize,
        /// Good rows.
        goods: usize,
    },
    /// No column says anything about the target.
    #[error("no column predicts the target: {0}")]
    NoFeature(String),
    /// The out-of-fold predictions are no better than chance.
    #[error(
        "on rows that it had not seen the model orders no better than chance may (AUC {auc:.3}, at least {least:.3} is needed \
         with so many rows): there is nothing here to train on"
    )]
    NoSignal {
        /// Out-of-fold area under the curve.
        auc: f64,
        /// What chance exceeds once in twenty times.
        least: f64,
    },
    /// The regression failed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The specification does not fit the data.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The trained model does not pass its own checks.
    #[error("the trained model fails its own checks: {0}")]
    Check(#[from] ModelError),
}

/// Trains a scorecard. `progress` is called with the share done, from 0 to 1.
///
/// # Errors
/// [`TrainError`] says what the data lack.
pub fn train(
    data: &Dataset,
    spec: &TrainingSpec,
    origin: &Origin,
    progress: &mut dyn FnMut(f64),
) -> Result<Artifact, TrainError> {
    spec.check()?;
    let bads = data.bad.iter().filter(|b| **b).count();
    let goods = data.bad.len() - bads;
    if bads < OUTCOMES_MIN || goods < OUTCOMES_MIN {
        return Err(TrainError::TooFew { bads, goods });
    }
    let (candidates, mut left_out) = screen(data, spec)?;
    let all_rows: Vec<usize> = (0..data.bad.len()).collect();
    let card = fit_scorecard(data, &candidates, &all_rows, spec)?;
    let steps = f64::from(spec.folds + 1);
    progress(1.0 / steps);
    let Some(card) = card else { return Err(TrainError::NoFeature(no_feature(data, candidates.len(), spec))) };
    left_out.extend(card.left_out.iter().cloned());
    let log_odds = out_of_fold(data, &candidates, spec, origin.seed, &mut |done| progress((1.0 + done) / steps))?;
    let calibration = calibrate(&log_odds, &data.bad)?;
    let pd: Vec<f64> = log_odds.iter().map(|x| 1.0 / (1.0 + calibration.apply(*x).exp())).collect();
    let values = measure(&pd, &data.bad).ok_or(FitError::OneOutcome)?;
    let least = 0.5 + CHANCE_ERRORS * auc_error_of_chance(bads as f64, goods as f64);
    if calibration.slope <= 0.0 || values.auc < least {
        return Err(TrainError::NoSignal { auc: values.auc, least });
    }
    let factor = spec.scaling.factor();
    let mut artifact = Artifact {
        format: FORMAT.to_owned(),
        id: spec.id.clone().unwrap_or_else(|| origin.id.clone()),
        kind: Kind::Scorecard,
        label: Label { column: origin.target.clone(), bad: 1 },
        scaling: spec.scaling,
        intercept: round_points(spec.scaling.offset() + factor * calibration.apply(card.logistic.intercept)),
        characteristics: tables(data, &card, factor * calibration.slope),
        pairs: Vec::new(),
        grades: spec.grade_bands()?,
        training: Training {
            data_sha256: origin.data_sha256.clone(),
            rows: data.bad.len() as u64,
            bads: bads as u64,
            columns: data.columns.iter().map(|column| column.name.clone()).collect(),
            period: spec.period.clone(),
            seed: origin.seed,
            spec: spec.clone(),
            calibration: [calibration.intercept, calibration.slope],
        },
        measures: Measured { method: "out_of_fold".to_owned(), folds: spec.folds, values },
        warnings: warnings(data, &card, bads as u64, calibration, spec),
        left_out,
        golden: Vec::new(),
    };
    add_golden_rows(&mut artifact, data, &card)?;
    Ok(artifact)
}

/// Standard error of the area under the curve where nothing is predicted (Mann and Whitney 1947).
fn auc_error_of_chance(bads: f64, goods: f64) -> f64 {
    ((bads + goods + 1.0) / (12.0 * bads * goods)).sqrt()
}

fn add_golden_rows(artifact: &mut Artifact, data: &Dataset, card: &Scorecard) -> Result<(), ModelError> {
    let columns: Vec<usize> = card.tables.iter().map(|table| table.column).collect();
    let model = Model::from_artifact(artifact.clone(), String::new());
    artifact.golden = golden_rows(&model, data, &columns);
    check::sound(artifact)
}

fn no_feature(data: &Dataset, candidates: usize, spec: &TrainingSpec) -> String {
    match (data.columns.len(), candidates) {
        (0, _) => "there is no column beside the target".to_owned(),
        (columns, 0) => format!("all {columns} columns are excluded, constant, empty or identifiers"),
        (_, candidates) => format!(
            "none of {candidates} columns has an information value of {} or more and a coefficient of the right sign",
            spec.iv_min
        ),
    }
}

/// Log-odds of the good outcome of every row, by a scorecard trained on the other folds.
fn out_of_fold(
    data: &Dataset,
    candidates: &[usize],
    spec: &TrainingSpec,
    seed: u64,
    done: &mut dyn FnMut(f64),
) -> Result<Vec<f64>, TrainError> {
    let fold_of = stratified(&data.bad, spec.folds, seed);
    let mut log_odds = vec![0.0; data.bad.len()];
    for fold in 0..spec.folds {
        let (held_out, rows): (Vec<usize>, Vec<usize>) = (0..data.bad.len()).partition(|row| fold_of[*row] == fold);
        let card = fit_scorecard(data, candidates, &rows, spec)?;
        let bads = rows.iter().filter(|row| data.bad[**row]).count() as f64;
        let average = ((rows.len() as f64 - bads) / bads).ln();
        for row in held_out {
            log_odds[row] = card.as_ref().map_or(average, |card| card.log_odds(data, row));
        }
        done(f64::from(fold + 1));
    }
    Ok(log_odds)
}

/// The tables in points: `points_per_unit` points a unit of log-odds, calibration included.
fn tables(data: &Dataset, card: &Scorecard, points_per_unit: f64) -> Vec<Characteristic> {
    let of = |(table, coefficient): (&Binned, &f64)| table_in_points(data, table, points_per_unit * coefficient);
    card.tables.iter().zip(&card.logistic.coefficients).map(of).collect()
}

fn table_in_points(data: &Dataset, table: &Binned, points_per_woe: f64) -> Characteristic {
    let bin = |counts: &Counts, woe: &f64| Bin {
        points: round_points(points_per_woe * woe),
        count: counts.rows(),
        bads: counts.bads,
        woe: *woe,
    };
    let mut bins: Vec<Bin> = table.counts.iter().zip(&table.woe).map(|(counts, woe)| bin(counts, woe)).collect();
    let mut missing = bin(&table.missing, &table.missing_woe);
    let rows: u64 = bins.iter().chain([&missing]).map(|bin| bin.count).sum();
    let points: f64 = bins.iter().chain([&missing]).map(|bin| bin.count as f64 * bin.points).sum();
    let baseline = round_points(points / rows.max(1) as f64);
    // No experience is no merit: an empty bin gets the points of the average bad rate (0) or the average points, whichever are
    // fewer, so that withholding a value never pays.
    for empty in bins.iter_mut().chain([&mut missing]).filter(|bin| bin.count == 0) {
        empty.points = baseline.min(0.0);
    }
    Characteristic {
        feature: data.columns[table.column].name.clone(),
        sign: table.sign,
        iv: table.iv,
        points_per_woe: Some(points_per_woe),
        baseline,
        shape: table.shape.clone(),
        bins,
        missing,
    }
}

fn warnings(data: &Dataset, card: &Scorecard, bads: u64, calibration: Calibration, spec: &TrainingSpec) -> Vec<String> {
    let mut warnings = Vec::new();
    for table in card.tables.iter().filter(|table| table.iv > spec.iv_warn) {
        warnings.push(format!(
            "{}: information value {:.2} is above {}: make sure that it is known at the time of scoring and does not leak the outcome",
            data.columns[table.column].name, table.iv, spec.iv_warn
        ));
    }
    if bads < BADS_FEW {
        warnings.push(format!("only {bads} bad rows: bins and measures are uncertain"));
    }
    if !SLOPE_USUAL.contains(&calibration.slope) {
        warnings.push(format!(
            "the calibration slope is {:.2}, far from 1: the tables fit rows that they had not seen much less well than their own",
            calibration.slope
        ));
    }
    warnings
}
