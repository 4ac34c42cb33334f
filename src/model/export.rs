//! The model for other engines: the same tables as a PMML document ([`pmml`]) and as one SQL query ([`sql`]).
//!
//! Both give what [`Model::score`] and [`Model::points_lost`] give: the total to the bit, for sums of multiples of 1/128 are exact
//! in any order; the score, the grade, and the reasons in their order; the probability up to the last bits of the engine's own
//! exponential. Cells are read as `yuxin score` reads the cells of a file: the usual words for nothing are missing.
//! `docs/export.md` tells what each engine needs.

pub mod pmml;
pub mod sql;

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use super::artifact::{Artifact, Shape};
use super::{Model, reason_code};

/// Reasons a row, at most.
pub const REASONS: usize = 4;

/// What is added to a row: points, score, probability of default, grade, reasons.
const ADDED: [&str; 4 + REASONS] = ["points", "score", "pd", "grade", "reason_1", "reason_2", "reason_3", "reason_4"];

/// Losses are multiples of 1/128. The loss of the i-th feature, counted from 1, is made smaller by i of these parts of a point:
/// then no two losses are the same, ties are in the order of the columns, and what was no loss is below zero.
const TIE_PARTS: u32 = 1 << 20;

/// More features than this would make the parts for ties as large as points.
const FEATURES_MAX: usize = 8_000;

/// Words that say that a cell is empty, in lower case: those of [`super::dataset::is_missing`].
const MISSING_WORDS: [&str; 8] = ["", "?", "na", "n/a", "#n/a", "nan", "-nan", "null"];

/// A model that cannot be written for an engine.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ExportError {
    /// A feature has the name of a column that the export adds.
    #[error(
        "the model has a feature {0:?}, which is also the name of a column that the export adds: put something before the \
         added names with --prefix"
    )]
    Taken(String),
    /// PMML adds up what features of one reason code lose.
    #[error(
        "the features {first:?} and {second:?} have the same reason code {code:?}, which PMML cannot keep apart: rename one of \
         them and train again"
    )]
    SameCode {
        /// The code.
        code: String,
        /// The feature that has it first.
        first: String,
        /// The other.
        second: String,
    },
    /// The engine does not tell names by their case.
    #[error(
        "the features {first:?} and {second:?} differ only in case, and {engine} takes them for one column: rename one"
    )]
    SameColumn {
        /// The engine.
        engine: &'static str,
        /// The feature that has the name first.
        first: String,
        /// The other.
        second: String,
    },
    /// A character that the format has no way to write.
    #[error("{text:?} holds the character {character:?}, which {format} cannot hold: rename it and train again")]
    Character {
        /// The name or the word.
        text: String,
        /// The character.
        character: char,
        /// PMML or SQL.
        format: &'static str,
    },
    /// More features than reasons can be ranked for.
    #[error("the model has {0} features; at most {FEATURES_MAX} can be exported")]
    TooMany(usize),
    /// The name of a table is empty, or a part of it is.
    #[error("{0:?} is no name of a table: give `table` or `schema.table`")]
    Table(String),
    /// The XML writer gave up.
    #[error("the document cannot be written: {0}")]
    Xml(String),
}

/// The names of the added columns, in order, or the reason why they cannot be used.
fn added_names(model: &Model, prefix: &str) -> Result<[String; 4 + REASONS], ExportError> {
    if model.columns().len() > FEATURES_MAX {
        return Err(ExportError::TooMany(model.columns().len()));
    }
    let names = ADDED.map(|name| format!("{prefix}{name}"));
    not_features(model, &names)?;
    Ok(names)
}

/// Refuses a name that a feature has, in any case.
fn not_features(model: &Model, names: &[String]) -> Result<(), ExportError> {
    let features: HashSet<String> = model.columns().iter().map(|name| name.to_lowercase()).collect();
    match names.iter().find(|name| features.contains(&name.to_lowercase())) {
        Some(name) => Err(ExportError::Taken(name.clone())),
        None => Ok(()),
    }
}

/// The first two features that `key` does not tell apart, and the key.
fn alike(model: &Model, key: impl Fn(&str) -> String) -> Option<(String, String, String)> {
    let mut first: HashMap<String, &str> = HashMap::new();
    for name in model.columns() {
        let key = key(name);
        if let Some(before) = first.insert(key.clone(), name) {
            return Some((key, before.to_owned(), name.clone()));
        }
    }
    None
}

/// Every name and word of the model that an export writes, and `more`, without the characters that `cannot` be written.
fn writable(
    model: &Model,
    more: &[&str],
    format: &'static str,
    cannot: impl Fn(char) -> bool,
) -> Result<(), ExportError> {
    let artifact = model.artifact();
    let words = artifact.characteristics.iter().flat_map(|of| match &of.shape {
        Shape::Numeric { .. } => [].iter(),
        Shape::Text { levels, .. } => levels.iter(),
    });
    let texts = (words.flatten().map(String::as_str))
        .chain(model.columns().iter().map(String::as_str))
        .chain(artifact.grades.iter().map(|band| band.grade.as_str()))
        .chain([artifact.id.as_str()])
        .chain(more.iter().copied());
    for text in texts {
        if let Some(character) = text.chars().find(|c| cannot(*c)) {
            return Err(ExportError::Character { text: text.to_owned(), character, format });
        }
    }
    Ok(())
}

/// The average points of each feature, halves of its pairs included.
fn baselines(model: &Model) -> Vec<f64> {
    model.points(&[]).iter().map(|of| of.baseline).collect()
}

/// The words of a bin that a value can be: serving takes the spaces off a value, so a word with spaces around it is never met.
fn words_met(levels: &[String]) -> impl Iterator<Item = &str> {
    levels.iter().map(String::as_str).filter(|word| word.trim() == *word)
}

/// The words of a feature that would say that a cell is empty if the model did not know them.
fn known_missing_words(artifact: &Artifact, feature: usize) -> Vec<&str> {
    match &artifact.characteristics[feature].shape {
        Shape::Numeric { .. } => Vec::new(),
        Shape::Text { levels, .. } => {
            levels.iter().flat_map(|level| words_met(level)).filter(|word| super::dataset::is_missing(word)).collect()
        }
    }
}

/// The places of the two features of each pair.
fn pair_features(artifact: &Artifact) -> Vec<[usize; 2]> {
    let place = |name: &str| artifact.characteristics.iter().position(|of| of.feature == name).unwrap_or_default();
    artifact.pairs.iter().map(|pair| [place(&pair.first.feature), place(&pair.second.feature)]).collect()
}

/// The group of each bin of a side of a pair, the missing bin last.
fn groups(axis: &super::artifact::Axis) -> Vec<usize> {
    axis.groups.iter().copied().chain([axis.missing]).collect()
}

/// A number with as few digits as give the same bits, without an exponent of its own where it is short; −0 is 0.
fn digits(x: f64) -> String {
    let text = format!("{:?}", x + 0.0);
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The reason codes of the features, in the order of the columns.
fn reason_codes(model: &Model) -> Vec<String> {
    model.columns().iter().map(|name| reason_code(name)).collect()
}
