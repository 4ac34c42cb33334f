//! Serving: scores, reasons and intervals from a verified artifact. Scoring allocates nothing.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::artifact::{Artifact, Bin, GradeBand, Shape};
use super::check::{self, ModelError};
use super::{Scaling, Value};

/// A model that can score: its artifact was checked and its golden rows came out exactly. See [`super`].
#[derive(Debug, Clone)]
pub struct Model {
    artifact: Artifact,
    sha256: String,
    columns: Vec<String>,
    tables: Vec<Table>,
    offset: f64,
    factor: f64,
}

/// The result for one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score<'m> {
    /// Intercept and points together, exact.
    pub total: f64,
    /// The total rounded half away from zero: what people see, and what the grade follows from.
    pub score: i64,
    /// Probability of default, from the unrounded total.
    pub pd: f64,
    /// The grade of the score.
    pub grade: &'m str,
}

/// What one table gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TablePoints {
    /// Points of the row's bin.
    pub points: f64,
    /// The training rows' average.
    pub baseline: f64,
}

/// What one feature cost against the average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointsLost {
    /// The feature's place in [`Model::columns`].
    pub column: usize,
    /// Baseline less points, above zero.
    pub points_lost: f64,
}

/// A value that its column cannot take.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{column}: the model needs a number here, not {value:?}")]
pub struct BadValue {
    /// The feature.
    pub column: String,
    /// What was found.
    pub value: String,
}

#[derive(Debug, Clone)]
struct Table {
    lookup: Lookup,
    points: Vec<f64>,
    missing: f64,
    baseline: f64,
    lowest: f64,
    highest: f64,
}

#[derive(Debug, Clone)]
enum Lookup {
    Edges(Vec<f64>),
    Levels { bin_of: HashMap<String, usize>, other: usize },
}

impl Model {
    /// Reads and verifies an artifact: its format, its numbers, and that its golden rows score exactly as it says.
    ///
    /// # Errors
    /// [`ModelError`] says what is wrong and where; nothing is served from a doubtful artifact.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model, ModelError> {
        let artifact = check::read(bytes)?;
        let model = Model::from_artifact(artifact, hex::encode(Sha256::digest(bytes)));
        check::golden(&model)?;
        Ok(model)
    }

    /// [`Model::from_bytes`] of the file at `path`.
    ///
    /// # Errors
    /// Also when the file cannot be read.
    pub fn load(path: &Path) -> Result<Model, ModelError> {
        let bytes = std::fs::read(path).map_err(|source| ModelError::File { path: path.to_path_buf(), source })?;
        Model::from_bytes(&bytes)
    }

    /// The tables of a checked artifact; the golden rows are still to be verified.
    pub(super) fn from_artifact(artifact: Artifact, sha256: String) -> Model {
        let scaling: Scaling = artifact.scaling;
        Model {
            columns: artifact.characteristics.iter().map(|c| c.feature.clone()).collect(),
            tables: artifact.characteristics.iter().map(Table::new).collect(),
            offset: scaling.offset(),
            factor: scaling.factor(),
            artifact,
            sha256,
        }
    }

    /// The model's name.
    pub fn id(&self) -> &str {
        &self.artifact.id
    }

    /// SHA-256 of the artifact's bytes, hex: the model's identity.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The features, in the order of the tables: the order of every row given to this model.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The bands of the score, best first.
    pub fn grades(&self) -> &[GradeBand] {
        &self.artifact.grades
    }

    /// All that the file says.
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// The score of `row`, aligned with [`Model::columns`]. Values past the end of a short row count as missing.
    ///
    /// A word that is no number, in a column of numbers, counts as missing here: use [`Model::check`] first where values come
    /// from outside.
    pub fn score(&self, row: &[Value<'_>]) -> Score<'_> {
        let points = self.tables.iter().enumerate().map(|(i, table)| table.points_of(value_at(row, i)));
        self.score_of_total(self.artifact.intercept + points.sum::<f64>())
    }

    /// The lowest and the highest score that `row` could get once the columns marked in `open` become known, missing included.
    pub fn interval(&self, row: &[Value<'_>], open: &[bool]) -> (Score<'_>, Score<'_>) {
        let (mut lowest, mut highest) = (self.artifact.intercept, self.artifact.intercept);
        for (i, table) in self.tables.iter().enumerate() {
            if open.get(i).copied().unwrap_or(false) {
                lowest += table.lowest;
                highest += table.highest;
            } else {
                let points = table.points_of(value_at(row, i));
                lowest += points;
                highest += points;
            }
        }
        (self.score_of_total(lowest), self.score_of_total(highest))
    }

    /// What each table gives, in the order of [`Model::columns`].
    pub fn points(&self, row: &[Value<'_>]) -> Vec<TablePoints> {
        let of = |(i, table): (usize, &Table)| TablePoints {
            points: table.points_of(value_at(row, i)),
            baseline: table.baseline,
        };
        self.tables.iter().enumerate().map(of).collect()
    }

    /// What the row's features cost it against the average, most first; features at or above the average are not in it.
    pub fn points_lost(&self, row: &[Value<'_>]) -> Vec<PointsLost> {
        let mut lost: Vec<PointsLost> = self
            .points(row)
            .iter()
            .enumerate()
            .map(|(column, of)| PointsLost { column, points_lost: of.baseline - of.points })
            .filter(|of| of.points_lost > 0.0)
            .collect();
        lost.sort_by(|a, b| b.points_lost.total_cmp(&a.points_lost).then(a.column.cmp(&b.column)));
        lost
    }

    /// Refuses a value that its column cannot take: a word that is no number in a column of numbers.
    ///
    /// # Errors
    /// The first such value.
    pub fn check(&self, row: &[Value<'_>]) -> Result<(), BadValue> {
        for (i, table) in self.tables.iter().enumerate() {
            if let (Lookup::Edges(_), Value::Text(text)) = (&table.lookup, value_at(row, i))
                && number(text).is_none()
            {
                return Err(BadValue { column: self.columns[i].clone(), value: text.to_owned() });
            }
        }
        Ok(())
    }

    fn score_of_total(&self, total: f64) -> Score<'_> {
        let score = total.round() as i64;
        let pd = 1.0 / (1.0 + ((total - self.offset) / self.factor).exp());
        Score { total, score, pd, grade: grade_of(self.grades(), score) }
    }
}

/// The band that `score` falls into; the last takes everything below the others.
fn grade_of(grades: &[GradeBand], score: i64) -> &str {
    let band = grades.iter().find(|band| band.score_at_least.is_none_or(|least| score >= least));
    band.or(grades.last()).map_or("", |band| band.grade.as_str())
}

fn value_at<'a>(row: &[Value<'a>], i: usize) -> Value<'a> {
    row.get(i).copied().unwrap_or(Value::Missing)
}

/// The number that `text` writes out, if it does.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

impl Table {
    fn new(of: &super::artifact::Characteristic) -> Table {
        let lookup = match &of.shape {
            Shape::Numeric { edges } => Lookup::Edges(edges.clone()),
            Shape::Text { levels, other } => {
                let pairs =
                    levels.iter().enumerate().flat_map(|(bin, words)| words.iter().map(move |w| (w.clone(), bin)));
                Lookup::Levels { bin_of: pairs.collect(), other: *other }
            }
        };
        let points: Vec<f64> = of.bins.iter().map(|bin: &Bin| bin.points).collect();
        let missing = of.missing.points;
        let lowest = points.iter().copied().fold(missing, f64::min);
        let highest = points.iter().copied().fold(missing, f64::max);
        Table { lookup, points, missing, baseline: of.baseline, lowest, highest }
    }

    fn points_of(&self, value: Value<'_>) -> f64 {
        self.bin_of(value).and_then(|bin| self.points.get(bin)).copied().unwrap_or(self.missing)
    }

    /// The bin of a value; `None` is the missing bin.
    fn bin_of(&self, value: Value<'_>) -> Option<usize> {
        match (&self.lookup, value) {
            (_, Value::Missing) => None,
            (Lookup::Edges(edges), Value::Number(x)) => bin_of_number(edges, x),
            (Lookup::Edges(edges), Value::Text(text)) => number(text).and_then(|x| bin_of_number(edges, x)),
            (Lookup::Levels { bin_of, other }, Value::Text(text)) => Some(*bin_of.get(text.trim()).unwrap_or(other)),
            (Lookup::Levels { .. }, Value::Number(x)) if x.is_nan() => None,
            (Lookup::Levels { bin_of, other }, Value::Number(x)) => {
                let mut buffer = [0_u8; 32];
                Some(written(x, &mut buffer).and_then(|text| bin_of.get(text)).copied().unwrap_or(*other))
            }
        }
    }
}

/// Edges are left-closed: bin `i` holds `edges[i-1] <= x < edges[i]`. NaN has no bin.
fn bin_of_number(edges: &[f64], x: f64) -> Option<usize> {
    if x.is_nan() { None } else { Some(edges.partition_point(|edge| *edge <= x)) }
}

/// A number as the word that it is in a column of words ("1", "0.5"), without allocating; `None` where it is too long for one.
fn written(x: f64, buffer: &mut [u8; 32]) -> Option<&str> {
    let mut rest: &mut [u8] = buffer;
    write!(rest, "{x}").ok()?;
    let unused = rest.len();
    std::str::from_utf8(buffer.get(..32 - unused)?).ok()
}
