//! The artifact: what the JSON file of a model holds. Described field by field in `models/README.md`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Scaling;

/// The version of the format that this program reads and writes.
pub const FORMAT: &str = "yuxin-model/2";

/// A model as it lies in its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Always [`FORMAT`].
    pub format: String,
    /// The model's name, chosen by whoever trained it.
    pub id: String,
    /// How the tables came about.
    pub kind: Kind,
    /// What the model predicts.
    pub label: Label,
    /// From points to probabilities.
    pub scaling: Scaling,
    /// Points that every firm starts from.
    pub intercept: f64,
    /// One table a feature.
    pub characteristics: Vec<Characteristic>,
    /// Tables over two of these features together, beside the tables of each.
    pub pairs: Vec<Pair>,
    /// Bands of the score, best first; the last one takes everything below.
    pub grades: Vec<GradeBand>,
    /// Where the model comes from.
    pub training: Training,
    /// How good it was on rows that it had not seen.
    pub measures: Measured,
    /// How good it was on later rows, kept back from training; `None` where the rows were not split by time.
    pub out_of_time: Option<Measured>,
    /// Columns that are not in the model, and why.
    pub left_out: Vec<LeftOut>,
    /// What whoever approves the model should look at.
    pub warnings: Vec<String>,
    /// [`Artifact::tables_digest`], which a loaded model must reproduce: golden rows touch few of the bins, this all of them.
    /// Training writes it; `None` in an artifact written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables_sha256: Option<String>,
    /// Rows with the results that a loaded model must reproduce.
    pub golden: Vec<Golden>,
}

/// How the tables came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Weight-of-evidence bins, one logistic coefficient a feature.
    Scorecard,
    /// Shapes boosted over fine bins, and over pairs of features, refitted by a logistic regression.
    Additive,
}

/// What the model predicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The target column of the training data.
    pub column: String,
    /// The value of it that means a bad outcome; always 1.
    pub bad: i64,
}

/// The table of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Characteristic {
    /// The feature's name.
    pub feature: String,
    /// The direction that the points keep from bin to bin.
    pub sign: Sign,
    /// Information value of the bins on the training data.
    pub iv: f64,
    /// Points per unit of weight of evidence, before rounding; `None` where the points do not follow from the weights.
    pub points_per_woe: Option<f64>,
    /// Average points of the training rows, rounded to 1/64: what reasons are measured against.
    pub baseline: f64,
    /// How a value finds its bin.
    pub shape: Shape,
    /// The bins of values that are there.
    pub bins: Vec<Bin>,
    /// The bin of a value that is not there.
    pub missing: Bin,
}

/// The table of two features together. It stands beside their own tables and tells only what those do not: over the training
/// rows, the points of every row and of every column of it average to 0, up to rounding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Its rows.
    pub first: Axis,
    /// Its columns.
    pub second: Axis,
    /// Average points of the training rows, rounded to 1/64. Reasons share points and baseline between the two features, half each.
    pub baseline: f64,
    /// Points, a multiple of 1/64 each: `points[row][column]`.
    pub points: Vec<Vec<f64>>,
    /// Training rows of each cell.
    pub counts: Vec<Vec<u64>>,
}

/// One side of a [`Pair`]: the bins of a feature's own table, in groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// The feature; it has a table of its own.
    pub feature: String,
    /// For each bin of that table, in its order, the group that it belongs to.
    pub groups: Vec<usize>,
    /// The group of a value that is not there.
    pub missing: usize,
}

impl Axis {
    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.iter().copied().chain([self.missing]).max().unwrap_or(0) + 1
    }

    /// Never: the group of missing values is always there.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// The direction of risk that a table keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sign {
    /// A larger value is never better.
    #[serde(rename = "+")]
    Plus,
    /// A larger value is never worse.
    #[serde(rename = "-")]
    Minus,
    /// Any shape (and every text feature).
    #[serde(rename = "none")]
    Free,
}

/// How a value finds its bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Shape {
    /// Bin `i` holds `edges[i-1] <= value < edges[i]`; the first and the last are open to infinity.
    Numeric {
        /// Strictly ascending; one fewer than bins.
        edges: Vec<f64>,
    },
    /// Bin `i` holds the words of `levels[i]`.
    Text {
        /// The words of each bin, sorted.
        levels: Vec<Vec<String>>,
        /// The bin of every word that is in none.
        other: usize,
    },
}

/// One bin of a table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// A multiple of 1/64.
    pub points: f64,
    /// Training rows.
    pub count: u64,
    /// Training rows with a bad outcome.
    pub bads: u64,
    /// Weight of evidence, smoothed: `ln(good share / bad share)`, positive is better than the average.
    pub woe: f64,
}

/// A band of the score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeBand {
    /// Its name, for instance `A`.
    pub grade: String,
    /// The lowest score (rounded) that is in the band; `None` in the last, which takes everything below.
    pub score_at_least: Option<i64>,
    /// No firm of the band has a higher probability of default; `None` in the last.
    pub pd_at_most: Option<f64>,
}

/// Where the model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// SHA-256 of the data file's bytes, hex.
    pub data_sha256: String,
    /// Rows trained on.
    pub rows: u64,
    /// Those of them with a bad outcome.
    pub bads: u64,
    /// The columns that training was offered, target apart.
    pub columns: Vec<String>,
    /// The period of the data, as the specification states it.
    pub period: Option<String>,
    /// The dates of the rows, where a column holds them.
    pub dates: Option<Dates>,
    /// What fixed the folds.
    pub seed: u64,
    /// The specification, with every default filled in.
    pub spec: super::spec::TrainingSpec,
    /// Intercept and slope of the calibration (log-odds of good), already folded into the points.
    pub calibration: [f64; 2],
}

/// The dates of the training data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    /// The column.
    pub column: String,
    /// Of the first row trained on.
    pub from: jiff::civil::Date,
    /// Of the last row trained on.
    pub to: jiff::civil::Date,
    /// Of the first row kept back.
    pub later_from: Option<jiff::civil::Date>,
    /// Of the last row kept back.
    pub later_to: Option<jiff::civil::Date>,
}

/// How good the model was on rows that it had not seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// `out_of_fold`: each row was scored by a model trained on the other folds; `out_of_time`: later rows, kept back.
    pub method: String,
    /// How many folds; 1 out of time.
    pub folds: u32,
    /// The figures, before any move to another bad rate.
    pub values: super::measure::Measures,
    /// How far they may be off.
    pub intervals: super::bootstrap::Intervals,
}

/// A column that is not in the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Its name.
    pub column: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// A row with the results that a loaded model must reproduce.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// One input a feature, in the order of their tables.
    pub inputs: Vec<Input>,
    /// Points of each feature: those of its own table and its half of each pair.
    pub points: Vec<f64>,
    /// Intercept and points together.
    pub total: f64,
    /// The total rounded half away from zero.
    pub score: i64,
    /// Probability of default.
    pub pd: f64,
    /// The grade of the score.
    pub grade: String,
}

/// An input of a golden row: a number, a word, or `null` for missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Input {
    /// `null`
    Missing,
    /// A number.
    Number(f64),
    /// A word.
    Text(String),
}

impl Artifact {
    /// SHA-256, hex, of all that a score follows from: scaling, intercept, characteristics, pairs and grades as a JSON array, as
    /// this program writes it without spaces.
    ///
    /// # Errors
    /// None in practice; the JSON writer's are passed on.
    pub fn tables_digest(&self) -> Result<String, serde_json::Error> {
        let tables = (self.scaling, self.intercept, &self.characteristics, &self.pairs, &self.grades);
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(&tables)?)))
    }

    /// The bytes of the file: JSON, indented, with a final newline. The same artifact gives the same bytes.
    ///
    /// # Errors
    /// None in practice; the JSON writer's are passed on.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
