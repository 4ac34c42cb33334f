//! Checks between the bytes of an artifact and a model that serves.

use std::collections::HashSet;
use std::path::PathBuf;

use thiserror::Error;

use super::artifact::{Artifact, Axis, Characteristic, FORMAT, Input, Pair, Shape, Sign};
use super::scaling::is_exact;
use super::{Model, Value};

/// Probabilities may differ in their last bits between the mathematics libraries of machines; any other formula differs by more.
const PD_TOLERANCE: f64 = 1e-12;

/// An artifact that cannot be served.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("the model {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are not the JSON of an artifact.
    #[error("the model is not a valid artifact: at {at}: {message}")]
    Json {
        /// The field, for instance `characteristics[3].bins[0].points`.
        at: String,
        /// What is wrong with it.
        message: String,
    },
    /// Another version of the format.
    #[error(
        "the model has the format {found:?}; this version reads {FORMAT:?}: train it again or use the matching version"
    )]
    Format {
        /// The version found.
        found: String,
    },
    /// A field has a value that cannot be served.
    #[error("the model is not sound: {at}: {message}")]
    Unsound {
        /// The field or the feature.
        at: String,
        /// What is wrong with it.
        message: String,
    },
    /// A golden row does not come out as the artifact says.
    #[error("the model does not reproduce its golden row {row}: {what} is {found} where the artifact says {expected}")]
    Golden {
        /// Counted from 1.
        row: usize,
        /// The figure that differs, for instance `total`.
        what: String,
        /// What this program computes.
        found: String,
        /// What the artifact says.
        expected: String,
    },
}

fn unsound<T>(at: impl Into<String>, message: impl Into<String>) -> Result<T, ModelError> {
    Err(ModelError::Unsound { at: at.into(), message: message.into() })
}

/// Parses an artifact and checks everything but its golden rows.
pub(super) fn read(bytes: &[u8]) -> Result<Artifact, ModelError> {
    let json = |at: String, error: &dyn std::fmt::Display| ModelError::Json { at, message: error.to_string() };
    #[derive(serde::Deserialize)]
    struct Header {
        format: String,
    }
    let header: Header = serde_json::from_slice(bytes).map_err(|e| json("format".into(), &e))?;
    if header.format != FORMAT {
        return Err(ModelError::Format { found: header.format });
    }
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let artifact: Artifact =
        serde_path_to_error::deserialize(&mut parser).map_err(|e| json(e.path().to_string(), e.inner()))?;
    parser.end().map_err(|e| json("the end".into(), &e))?;
    sound(&artifact)?;
    Ok(artifact)
}

/// Checks the numbers of an artifact.
pub(super) fn sound(artifact: &Artifact) -> Result<(), ModelError> {
    if artifact.id.trim().is_empty() {
        return unsound("id", "it is empty");
    }
    if artifact.label.bad != 1 {
        return unsound("label.bad", "it must be 1");
    }
    if !artifact.scaling.is_sound() {
        return unsound("scaling", "base, odds and pdo must be finite, odds and pdo above 0");
    }
    if !is_exact(artifact.intercept) {
        return unsound("intercept", format!("{} is not a multiple of 1/64 of usable size", artifact.intercept));
    }
    if artifact.characteristics.is_empty() {
        return unsound("characteristics", "there is none");
    }
    let mut names = HashSet::new();
    for of in &artifact.characteristics {
        if of.feature.is_empty() || !names.insert(of.feature.as_str()) {
            return unsound("characteristics", format!("the feature {:?} is empty or twice there", of.feature));
        }
        table(of)?;
    }
    for (i, of) in artifact.pairs.iter().enumerate() {
        pair(artifact, i, of)?;
    }
    grades(artifact)?;
    if artifact.golden.is_empty() {
        return unsound("golden", "there is no golden row");
    }
    Ok(())
}

/// Checks that nothing was changed in what a score follows from, touched by a golden row or not.
pub(super) fn unchanged(artifact: &Artifact) -> Result<(), ModelError> {
    match &artifact.tables_sha256 {
        Some(stated) if artifact.tables_digest().ok().as_ref() != Some(stated) => unsound(
            "tables_sha256",
            "scaling, intercept, tables and grades are not those that were trained: something was changed that no golden row shows",
        ),
        _ => Ok(()),
    }
}

fn table(of: &Characteristic) -> Result<(), ModelError> {
    let at = |part: &str| format!("{}: {part}", of.feature);
    if of.bins.is_empty() {
        return unsound(at("bins"), "there is none");
    }
    for bin in of.bins.iter().chain([&of.missing]) {
        if !is_exact(bin.points) {
            return unsound(at("points"), format!("{} is not a multiple of 1/64 of usable size", bin.points));
        }
        if !bin.woe.is_finite() || bin.bads > bin.count {
            return unsound(at("bins"), "a weight of evidence is not finite, or a bin has more bads than rows");
        }
    }
    if !is_exact(of.baseline) {
        return unsound(at("baseline"), format!("{} is not a multiple of 1/64 of usable size", of.baseline));
    }
    if !of.iv.is_finite() || of.points_per_woe.is_some_and(|points| !points.is_finite()) {
        return unsound(at("iv"), "iv and points_per_woe must be finite");
    }
    match &of.shape {
        Shape::Numeric { edges } => numeric(of, edges),
        Shape::Text { levels, other } => text(of, levels, *other),
    }
}

fn pair(artifact: &Artifact, i: usize, of: &Pair) -> Result<(), ModelError> {
    let at = |part: &str| format!("pairs[{i}] ({} and {}): {part}", of.first.feature, of.second.feature);
    if of.first.feature == of.second.feature {
        return unsound(at("features"), "they are the same");
    }
    for axis in [&of.first, &of.second] {
        let own = artifact.characteristics.iter().find(|own| own.feature == axis.feature);
        let Some(own) = own else { return unsound(at("features"), format!("{:?} has no table", axis.feature)) };
        if own.sign != Sign::Free && matches!(own.shape, Shape::Numeric { .. }) {
            let message = format!("{:?} keeps a direction, which a pair could break", axis.feature);
            return unsound(at("features"), message);
        }
        groups(axis, own.bins.len()).or_else(|message| unsound(at("groups"), message))?;
    }
    let (rows, columns) = (of.first.len(), of.second.len());
    let wrong_size = of.points.len() != rows
        || of.counts.len() != rows
        || of.points.iter().any(|row| row.len() != columns)
        || of.counts.iter().any(|row| row.len() != columns);
    if wrong_size {
        return unsound(at("points"), format!("points and counts must have {rows} rows of {columns}"));
    }
    if let Some(points) = of.points.iter().flatten().chain([&of.baseline]).find(|points| !is_exact(**points)) {
        return unsound(at("points"), format!("{points} is not a multiple of 1/64 of usable size"));
    }
    Ok(())
}

/// Every bin has a group, every group has a bin or the missing values.
fn groups(axis: &Axis, bins: usize) -> Result<(), String> {
    if axis.groups.len() != bins {
        return Err(format!("{:?} has {bins} bins, but {} of them have a group", axis.feature, axis.groups.len()));
    }
    // No group without a bin: so there are at most as many groups as bins and one, however large the numbers in the file.
    let named: HashSet<usize> = axis.groups.iter().copied().chain([axis.missing]).collect();
    match (0..named.len()).find(|group| !named.contains(group)) {
        Some(group) => Err(format!("{:?} has no bin in group {group}", axis.feature)),
        None => Ok(()),
    }
}

fn numeric(of: &Characteristic, edges: &[f64]) -> Result<(), ModelError> {
    let at = || format!("{}: edges", of.feature);
    if edges.len() + 1 != of.bins.len() {
        return unsound(at(), format!("{} edges need {} bins, not {}", edges.len(), edges.len() + 1, of.bins.len()));
    }
    if edges.iter().any(|e| !e.is_finite()) {
        return unsound(at(), "an edge is not finite");
    }
    if !edges.is_sorted_by(|a, b| a < b) {
        return unsound(at(), "they do not ascend strictly");
    }
    let points: Vec<f64> = of.bins.iter().map(|bin| bin.points).collect();
    let kept = match of.sign {
        Sign::Plus => points.is_sorted_by(|a, b| a >= b),
        Sign::Minus => points.is_sorted_by(|a, b| a <= b),
        Sign::Free => true,
    };
    if !kept {
        return unsound(format!("{}: points", of.feature), "they do not keep the direction that `sign` states");
    }
    Ok(())
}

fn text(of: &Characteristic, levels: &[Vec<String>], other: usize) -> Result<(), ModelError> {
    let at = || format!("{}: levels", of.feature);
    if levels.len() != of.bins.len() {
        return unsound(at(), format!("{} groups of words, but {} bins", levels.len(), of.bins.len()));
    }
    if other >= of.bins.len() {
        return unsound(at(), format!("`other` names bin {other} of {}", of.bins.len()));
    }
    let mut words = HashSet::new();
    if let Some(twice) = levels.iter().flatten().find(|word| !words.insert(word.as_str())) {
        return unsound(at(), format!("the word {twice:?} is in two places"));
    }
    Ok(())
}

fn grades(artifact: &Artifact) -> Result<(), ModelError> {
    let Some((last, above)) = artifact.grades.split_last() else {
        return unsound("grades", "there is none");
    };
    let mut names = HashSet::new();
    if artifact.grades.iter().any(|band| band.grade.trim().is_empty() || !names.insert(band.grade.as_str())) {
        return unsound("grades", "a name is empty or twice there");
    }
    let least: Option<Vec<i64>> = above.iter().map(|band| band.score_at_least).collect();
    match least {
        Some(least) if last.score_at_least.is_none() && least.is_sorted_by(|a, b| a > b) => Ok(()),
        _ => unsound("grades", "score_at_least must descend strictly, and only the last band has none"),
    }
}

/// Scores the golden rows: points, total, score and grade must agree to the bit, the probability to its last few bits.
pub(super) fn golden(model: &Model) -> Result<(), ModelError> {
    for (i, golden) in model.artifact().golden.iter().enumerate() {
        let differs = |what: &str, found: &dyn ToString, expected: &dyn ToString| {
            Err(ModelError::Golden {
                row: i + 1,
                what: what.to_owned(),
                found: found.to_string(),
                expected: expected.to_string(),
            })
        };
        let columns = model.columns().len();
        if golden.inputs.len() != columns || golden.points.len() != columns {
            return differs("the number of inputs or points", &golden.inputs.len().min(golden.points.len()), &columns);
        }
        let row: Vec<Value<'_>> = golden.inputs.iter().map(value).collect();
        for ((column, of), expected) in model.columns().iter().zip(model.points(&row)).zip(&golden.points) {
            if of.points != *expected {
                return differs(&format!("the points of {column}"), &of.points, expected);
            }
        }
        let score = model.score(&row);
        if score.total != golden.total {
            return differs("total", &score.total, &golden.total);
        }
        if score.score != golden.score {
            return differs("score", &score.score, &golden.score);
        }
        if score.grade != golden.grade {
            return differs("grade", &score.grade, &golden.grade);
        }
        let off = (score.pd - golden.pd).abs();
        if off.is_nan() || off > PD_TOLERANCE * golden.pd.abs() {
            return differs("pd", &score.pd, &golden.pd);
        }
    }
    Ok(())
}

/// The value that a golden row's input stands for.
pub(super) fn value(input: &Input) -> Value<'_> {
    match input {
        Input::Missing => Value::Missing,
        Input::Number(x) => Value::Number(*x),
        Input::Text(text) => Value::Text(text),
    }
}
