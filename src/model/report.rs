//! The report about a model: what whoever approves it should see, as figures ([`Report`], written as `report.json`) and as one page
//! ([`html`]). Pure: the same input and seed give the same bytes.

mod bands;
mod curves;
mod dependence;
mod page;
mod placed;
mod reproduction;
mod stability;
mod tables;
mod validation;

use serde::Serialize;

use super::artifact::{Artifact, GradeBand, Kind, LeftOut};
use super::dataset::Dataset;
use super::scaling::Scaling;

pub use self::bands::{GainsRow, GradeRow, HistogramBin};
pub use self::curves::{Separation, SeparationPoint};
pub use self::dependence::{Correlation, Dependence};
pub use self::page::html;
pub use self::reproduction::Reproduction;
pub use self::stability::{Drift, PeriodRow, Stability};
pub use self::tables::{BinRow, CharacteristicTable, Group, PairTable, Span};
pub use self::validation::SetReport;

/// The version of the format of [`Report`].
pub const FORMAT: &str = "yuxin-report/1";

/// What a report is made from.
#[derive(Debug, Clone)]
pub struct ReportInput<'a> {
    /// The model, trained on the rows of the set [`SetName::OutOfFold`].
    pub artifact: &'a Artifact,
    /// The SHA-256 of the artifact's bytes.
    pub model_sha256: &'a str,
    /// The data, target apart.
    pub data: &'a Dataset,
    /// Rows with probabilities by a model that had not seen them.
    pub sets: Vec<ScoredSet<'a>>,
    /// The period of each row of `data`, for instance `2019Q3`, where there is a date column; `None` in a row without a date. Periods
    /// are put in the order of their names.
    pub periods: Option<Vec<Option<String>>>,
}

/// Rows and what the model says of them.
#[derive(Debug, Clone, Copy)]
pub struct ScoredSet<'a> {
    /// Which rows these are.
    pub name: SetName,
    /// Their places in the data.
    pub rows: &'a [usize],
    /// The probability of default of each.
    pub pd: &'a [f64],
}

/// Which rows a set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SetName {
    /// The training rows, each scored by a model trained on the other folds.
    OutOfFold,
    /// Rows later than the training rows.
    OutOfTime,
}

/// All figures of the report. What is not defined (a rate of no rows, an AUC of one outcome alone) is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Always [`FORMAT`].
    pub format: String,
    /// What the model is.
    pub model: About,
    /// What whoever approves the model should look at, as the training said it.
    pub warnings: Vec<String>,
    /// How good the model is, one entry a set of rows.
    pub sets: Vec<SetReport>,
    /// The tables, most important first.
    pub characteristics: Vec<CharacteristicTable>,
    /// The tables over two features, most important first.
    pub pairs: Vec<PairTable>,
    /// How the features go together.
    pub dependence: Dependence,
    /// From period to period, where rows have dates.
    pub stability: Option<Stability>,
    /// Columns that are not in the model, and why.
    pub left_out: Vec<LeftOut>,
    /// How to get the same model again.
    pub reproduction: Reproduction,
}

/// What a model is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct About {
    /// Its name.
    pub id: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// How its tables came about.
    pub kind: Kind,
    /// The target column.
    pub target: String,
    /// From points to probabilities.
    pub scaling: Scaling,
    /// Points that every row starts from.
    pub intercept: f64,
    /// Bands of the score, best first.
    pub grades: Vec<GradeBand>,
    /// Training rows.
    pub rows: u64,
    /// Bad ones among them.
    pub bads: u64,
    /// The period of the data, as the specification states it.
    pub period: Option<String>,
    /// Folds of the out-of-fold probabilities.
    pub folds: u32,
}

/// The report about a model. `seed` fixes the draws of the bootstrap intervals. Rows and probabilities of a set that do not match,
/// and rows that are not in the data, are left out.
pub fn report(input: &ReportInput<'_>, seed: u64) -> Report {
    let artifact = input.artifact;
    let training: Vec<usize> = training_rows(input);
    let placed = placed::place(artifact, input.data);
    let mut report = Report {
        format: FORMAT.to_owned(),
        model: about(artifact, input.model_sha256),
        warnings: artifact.warnings.clone(),
        sets: input.sets.iter().map(|set| validation::of_set(set, artifact, &input.data.bad, seed)).collect(),
        characteristics: tables::characteristics(artifact),
        pairs: tables::pairs(artifact),
        dependence: dependence::of_points(artifact, &placed, &training),
        stability: stability::by_period(input, &placed, &training),
        left_out: artifact.left_out.clone(),
        reproduction: reproduction::of(artifact),
    };
    for table in &mut report.characteristics {
        let place = artifact.characteristics.iter().position(|of| of.feature == table.feature);
        table.vif = place.and_then(|place| report.dependence.vif.get(place).copied().flatten());
    }
    report.dependence.keep_most_important(&report.characteristics);
    report
}

/// The rows that the tables were made from: those of the out-of-fold set, and all where there is none.
fn training_rows(input: &ReportInput<'_>) -> Vec<usize> {
    let rows = input.data.bad.len();
    match input.sets.iter().find(|set| set.name == SetName::OutOfFold) {
        Some(set) => set.rows.iter().copied().filter(|row| *row < rows).collect(),
        None => (0..rows).collect(),
    }
}

fn about(artifact: &Artifact, sha256: &str) -> About {
    About {
        id: artifact.id.clone(),
        sha256: sha256.to_owned(),
        kind: artifact.kind,
        target: artifact.label.column.clone(),
        scaling: artifact.scaling,
        intercept: artifact.intercept,
        grades: artifact.grades.clone(),
        rows: artifact.training.rows,
        bads: artifact.training.bads,
        period: artifact.training.period.clone(),
        folds: artifact.measures.folds,
    }
}

/// `x` to six digits after the point: enough for a drawing, and short in the file.
fn rounded(x: f64) -> f64 {
    (x * 1e6).round() / 1e6 + 0.0
}

/// A share of rows; `None` of none.
fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// The score of a probability, unrounded and finite.
fn score(scaling: &Scaling, pd: f64) -> f64 {
    scaling.points(pd.clamp(1e-12, 1.0 - 1e-12))
}
