//! Serving: scores, reasons and intervals from a verified artifact. Scoring allocates nothing.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::artifact::{Artifact, GradeBand};
use super::check::{self, ModelError};
use super::interval::extremes;
use super::lookup::{PairTable, Table};
use super::{Scaling, Value};

/// Models with pairs and more columns than this need an allocation a row.
const COLUMNS_ON_STACK: usize = 256;

/// A model that can score: its artifact was checked and its golden rows came out exactly. See [`super`].
#[derive(Debug, Clone)]
pub struct Model {
    artifact: Artifact,
    sha256: String,
    columns: Vec<String>,
    tables: Vec<Table>,
    pairs: Vec<PairTable>,
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

/// What one feature gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TablePoints {
    /// Points of the row's bin, and half of those of the feature's pairs.
    pub points: f64,
    /// The training rows' average, likewise.
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

impl Model {
    /// Reads and verifies an artifact: its format, its numbers, and that its golden rows score exactly as it says.
    ///
    /// # Errors
    /// [`ModelError`] says what is wrong and where; nothing is served from a doubtful artifact.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model, ModelError> {
        let artifact = check::read(bytes)?;
        let model = Model::from_artifact(artifact, hex::encode(Sha256::digest(bytes)));
        check::golden(&model)?;
        check::unchanged(model.artifact())?;
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
            pairs: artifact.pairs.iter().filter_map(|pair| PairTable::new(pair, &artifact.characteristics)).collect(),
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
        if self.pairs.is_empty() {
            let points = self.tables.iter().enumerate().map(|(i, table)| table.points[table.bin_of(value_at(row, i))]);
            return self.score_of_total(self.artifact.intercept + points.sum::<f64>());
        }
        let mut buffer = [0; COLUMNS_ON_STACK];
        match buffer.get_mut(..self.tables.len()) {
            Some(bins) => self.score_bins(row, bins),
            None => self.score_bins(row, &mut vec![0; self.tables.len()]),
        }
    }

    /// The score of `row`, leaving the bin of each column in `bins`.
    fn score_bins(&self, row: &[Value<'_>], bins: &mut [usize]) -> Score<'_> {
        let mut total = self.artifact.intercept;
        for (i, (table, bin)) in self.tables.iter().zip(bins.iter_mut()).enumerate() {
            *bin = table.bin_of(value_at(row, i));
            total += table.points[*bin];
        }
        total += self.pairs.iter().map(|pair| pair.points_of(bins)).sum::<f64>();
        self.score_of_total(total)
    }

    /// The lowest and the highest score that `row` could get once the columns marked in `open` become known, missing included.
    pub fn interval(&self, row: &[Value<'_>], open: &[bool]) -> (Score<'_>, Score<'_>) {
        let bins: Vec<Option<usize>> = (self.tables.iter().enumerate())
            .map(|(i, table)| (!open.get(i).copied().unwrap_or(false)).then(|| table.bin_of(value_at(row, i))))
            .collect();
        let (lowest, highest) = extremes(&self.tables, &self.pairs, &bins);
        (self.score_of_total(self.artifact.intercept + lowest), self.score_of_total(self.artifact.intercept + highest))
    }

    /// What each feature gives, in the order of [`Model::columns`]: the points of its own table and half of those of each of its
    /// pairs. With the intercept they add up to the total.
    pub fn points(&self, row: &[Value<'_>]) -> Vec<TablePoints> {
        let bins: Vec<usize> = self.tables.iter().enumerate().map(|(i, t)| t.bin_of(value_at(row, i))).collect();
        let own = |(table, bin): (&Table, &usize)| TablePoints { points: table.points[*bin], baseline: table.baseline };
        let mut points: Vec<TablePoints> = self.tables.iter().zip(&bins).map(own).collect();
        for pair in &self.pairs {
            // Halves of multiples of 1/64 are exact as well.
            let (given, baseline) = (pair.points_of(&bins) / 2.0, pair.baseline / 2.0);
            for column in pair.columns {
                points[column].points += given;
                points[column].baseline += baseline;
            }
        }
        points
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
            if let Value::Text(text) = value_at(row, i)
                && !table.takes(text)
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
