//! Training: rows by time, tables of either kind, calibration on rows that they had not seen, measures, the artifact.

use thiserror::Error;

use super::additive::Means;
use super::artifact::{Artifact, Characteristic, FORMAT, Kind, Label, Measured, Training};
use super::bootstrap::intervals;
use super::calibrate::{Calibration, calibrate};
use super::check::ModelError;
use super::dataset::Dataset;
use super::doubts::{mixed_columns, taken_names};
use super::fit::FitError;
use super::golden::golden_rows;
use super::measure::measure;
use super::period::{Timeline, timeline};
use super::regime::double_counting;
use super::scaling::round_points;
use super::screen::screen;
use super::spec::{SpecError, TrainingSpec};
use super::tables::Tables;
use super::{Model, Value, check};

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
    /// The out-of-fold predictions are in the wrong order.
    #[error(
        "on rows that it had not seen the model orders the wrong way round (AUC {auc:.3}, calibration slope {slope:.2}): the more risk \
         it sees, the fewer rows are bad; there is nothing here to train on"
    )]
    Reversed {
        /// Out-of-fold area under the curve, before the calibration turns the order round.
        auc: f64,
        /// Of the calibration.
        slope: f64,
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

/// A trained model, and what it was measured on.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model.
    pub artifact: Artifact,
    /// Rows trained on, by tables that had not seen them.
    pub out_of_fold: Scored,
    /// Later rows that were kept back; none where the rows were not split by time.
    pub out_of_time: Option<Scored>,
    /// The quarter of each row of the data, where a column holds dates.
    pub quarters: Option<Vec<Option<String>>>,
}

/// Rows of the data with their probability of default, before any move to another bad rate.
#[derive(Debug, Clone)]
pub struct Scored {
    /// Their places in the data.
    pub rows: Vec<usize>,
    /// One a row.
    pub pd: Vec<f64>,
}

/// Trains a model.
///
/// # Errors
/// [`TrainError`] says what the data lack.
pub fn train(
    data: &Dataset,
    kind: Kind,
    spec: &TrainingSpec,
    origin: &Origin,
    means: &Means<'_>,
) -> Result<Trained, TrainError> {
    spec.check()?;
    spec.check_target(&origin.target)?;
    outcomes(data, &(0..data.bad.len()).collect::<Vec<usize>>())?;
    let time = timeline(data, spec)?;
    let (bads, goods) = outcomes(data, &time.rows)?;
    let (mut candidates, mut left_out) = screen(data, spec)?;
    candidates.retain(|i| !time.left_out.iter().any(|of| of.column == data.columns[*i].name));
    left_out.retain(|of| !time.left_out.iter().any(|date| date.column == of.column));
    left_out.extend(time.left_out.iter().cloned());
    let tables = Tables::fit(kind, data, &candidates, &time.rows, spec, means)?;
    let Some(tables) = tables else { return Err(TrainError::NoFeature(no_feature(data, candidates.len(), spec))) };
    let bad: Vec<bool> = time.rows.iter().map(|row| data.bad[*row]).collect();
    let calibration = calibrate(&tables.held_out, &bad)?;
    let pd: Vec<f64> = tables.held_out.iter().map(|x| 1.0 / (1.0 + calibration.apply(*x).exp())).collect();
    let measured = measured("out_of_fold", tables.folds, &pd, &bad, means)?;
    let least = 0.5 + CHANCE_ERRORS * auc_error_of_chance(bads as f64, goods as f64);
    check_signal(calibration.slope, measured.values.auc, least)?;
    let (factor, offset) = (spec.scaling.factor(), spec.scaling.offset());
    let in_points = tables.in_points(data, &time.rows, spec, factor * calibration.slope)?;
    if in_points.characteristics.is_empty() {
        return Err(TrainError::NoFeature(no_feature(data, candidates.len(), spec)));
    }
    left_out.extend(in_points.left_out.into_iter().chain(tables.left_out.iter().cloned()));
    let mut warnings = time.warnings.clone();
    warnings.extend(tables.warnings.iter().cloned());
    warnings.extend(mixed_columns(data, spec).into_iter().chain(taken_names(&in_points.characteristics)));
    let taken: Vec<&str> = in_points.characteristics.iter().map(|table| table.feature.as_str()).collect();
    warnings.extend(double_counting(&taken, data, &time.rows));
    warnings.extend(self::warnings(&in_points.characteristics, bads as u64, calibration, spec));
    let mut artifact = Artifact {
        format: FORMAT.to_owned(),
        id: spec.id.clone().unwrap_or_else(|| origin.id.clone()),
        kind,
        label: Label { column: origin.target.clone(), bad: 1 },
        scaling: spec.scaling,
        intercept: round_points(offset + factor * calibration.apply(tables.intercept)),
        characteristics: in_points.characteristics,
        pairs: in_points.pairs,
        grades: spec.grade_bands()?,
        training: Training {
            data_sha256: origin.data_sha256.clone(),
            rows: time.rows.len() as u64,
            bads: bads as u64,
            columns: data.columns.iter().map(|column| column.name.clone()).collect(),
            period: spec.period.clone(),
            dates: time.training_dates(),
            seed: means.seed,
            spec: spec.clone(),
            calibration: [calibration.intercept, calibration.slope],
        },
        measures: measured,
        out_of_time: None,
        warnings,
        left_out,
        tables_sha256: None,
        golden: Vec::new(),
    };
    let out_of_time = measure_later(&mut artifact, data, &time, means)?;
    if let Some(rate) = spec.bad_rate {
        artifact.intercept =
            round_points(artifact.intercept + factor * shift_to(rate, &pd_of(&artifact, data, &time.rows)));
    }
    add_golden_rows(&mut artifact, data)?;
    let out_of_fold = Scored { rows: time.rows.clone(), pd };
    Ok(Trained { artifact, out_of_fold, out_of_time, quarters: time.quarters() })
}

fn outcomes(data: &Dataset, rows: &[usize]) -> Result<(usize, usize), TrainError> {
    let bads = rows.iter().filter(|row| data.bad[**row]).count();
    let goods = rows.len() - bads;
    if bads < OUTCOMES_MIN || goods < OUTCOMES_MIN {
        Err(TrainError::TooFew { bads, goods })
    } else {
        Ok((bads, goods))
    }
}

/// Refuses what chance may bring as well. `auc` is that of the calibrated probabilities, whose order a slope below zero turns round.
fn check_signal(slope: f64, auc: f64, least: f64) -> Result<(), TrainError> {
    if slope <= 0.0 {
        Err(TrainError::Reversed { auc: 1.0 - auc, slope })
    } else if auc < least {
        Err(TrainError::NoSignal { auc, least })
    } else {
        Ok(())
    }
}

fn measured(method: &str, folds: u32, pd: &[f64], bad: &[bool], means: &Means<'_>) -> Result<Measured, FitError> {
    let values = measure(pd, bad).ok_or(FitError::OneOutcome)?;
    let intervals = intervals(pd, bad, means.seed, means.threads).ok_or(FitError::OneOutcome)?;
    Ok(Measured { method: method.to_owned(), folds, values, intervals })
}

/// Scores the rows that were kept back and records how good the model is on them.
fn measure_later(
    artifact: &mut Artifact,
    data: &Dataset,
    time: &Timeline,
    means: &Means<'_>,
) -> Result<Option<Scored>, TrainError> {
    if time.later.is_empty() {
        return Ok(None);
    }
    let scored = Scored { rows: time.later.clone(), pd: pd_of(artifact, data, &time.later) };
    let bad: Vec<bool> = time.later.iter().map(|row| data.bad[*row]).collect();
    let measured = measured("out_of_time", 1, &scored.pd, &bad, means)?;
    if measured.intervals.auc[1] < artifact.measures.intervals.auc[0] {
        artifact.warnings.push(format!(
            "on the later rows the AUC is {:.3}, clearly below the {:.3} out of fold: the model may not last",
            measured.values.auc, artifact.measures.values.auc
        ));
    }
    artifact.out_of_time = Some(measured);
    Ok(Some(scored))
}

/// The probabilities of default that the finished tables give to rows of the data.
fn pd_of(artifact: &Artifact, data: &Dataset, rows: &[usize]) -> Vec<f64> {
    let model = Model::from_artifact(artifact.clone(), String::new());
    let columns = columns_of(&model, data);
    let pd = |row: &usize| {
        let values: Vec<Value<'_>> = columns.iter().map(|column| data.columns[*column].values.get(*row)).collect();
        model.score(&values).pd
    };
    rows.iter().map(pd).collect()
}

/// Log-odds of the good outcome to add to all rows, so that their mean probability of default becomes `rate`: calibration to a
/// central tendency, by bisection; the mean falls strictly with the shift.
fn shift_to(rate: f64, pd: &[f64]) -> f64 {
    let odds: Vec<f64> = pd.iter().map(|pd| (1.0 - pd) / pd.max(f64::MIN_POSITIVE)).collect();
    let mean = |shift: f64| odds.iter().map(|odds| 1.0 / (1.0 + odds * shift.exp())).sum::<f64>() / odds.len() as f64;
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if mean(middle) > rate { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The places of a model's features in the data.
fn columns_of(model: &Model, data: &Dataset) -> Vec<usize> {
    let place = |name: &String| data.columns.iter().position(|column| column.name == *name);
    model.columns().iter().filter_map(place).collect()
}

/// Standard error of the area under the curve where nothing is predicted (Mann and Whitney 1947).
fn auc_error_of_chance(bads: f64, goods: f64) -> f64 {
    ((bads + goods + 1.0) / (12.0 * bads * goods)).sqrt()
}

fn add_golden_rows(artifact: &mut Artifact, data: &Dataset) -> Result<(), ModelError> {
    let model = Model::from_artifact(artifact.clone(), String::new());
    artifact.golden = golden_rows(&model, data, &columns_of(&model, data));
    artifact.tables_sha256 = artifact.tables_digest().ok();
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

fn warnings(tables: &[Characteristic], bads: u64, calibration: Calibration, spec: &TrainingSpec) -> Vec<String> {
    let mut warnings = Vec::new();
    for table in tables.iter().filter(|table| table.iv > spec.iv_warn) {
        warnings.push(format!(
            "{}: information value {:.2} is above {}: make sure that it is known at the time of scoring and does not leak the outcome",
            table.feature, table.iv, spec.iv_warn
        ));
    }
    if bads < BADS_FEW {
        warnings.push(format!("only {bads} bad rows: bins and measures are uncertain"));
    }
    let slope = calibration.slope;
    if slope < *SLOPE_USUAL.start() {
        warnings.push(format!(
            "the calibration slope is {slope:.2}, far from 1: the tables fit rows that they had not seen much less well than their own"
        ));
    } else if slope > *SLOPE_USUAL.end() {
        warnings.push(format!(
            "the calibration slope is {slope:.2}, far from 1: the tables were too cautious and have been drawn apart"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_for_want_of_signal_never_states_an_area_that_would_do() {
        let reversed = check_signal(-0.4, 0.597, 0.57).unwrap_err().to_string();
        assert!(reversed.contains("AUC 0.403, calibration slope -0.40") && !reversed.contains("0.570"), "{reversed}");
        let weak = check_signal(0.4, 0.55, 0.57).unwrap_err().to_string();
        assert!(weak.contains("AUC 0.550, at least 0.570 is needed"), "{weak}");
        check_signal(0.4, 0.58, 0.57).unwrap();
    }
}
