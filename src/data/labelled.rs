//! Rows with known outcomes and a probability of default each.

use std::path::Path;

use csv::StringRecord;

use super::DataError;
use super::load::outcome;
use super::rows::{Rows, is_parquet};
use super::text::Watch;
use crate::model::dataset::{is_missing, parse_number};
use crate::model::{Model, Value};

/// Where the probabilities come from.
#[derive(Debug, Clone, Copy)]
pub enum Measured<'a> {
    /// A model scores the rows.
    Model(&'a Model),
    /// A column has them.
    Column(&'a str),
}

/// Probabilities of default and, for each, whether the row ended badly.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labelled {
    /// Probabilities.
    pub pd: Vec<f64>,
    /// Outcomes.
    pub bad: Vec<bool>,
}

/// Reads them from `path`.
///
/// # Errors
/// [`DataError`], also for the first row without a usable outcome or probability, or that the model cannot score.
pub fn read(path: &Path, target: &str, measured: Measured<'_>, watch: Watch<'_>) -> Result<Labelled, DataError> {
    let labelled = match is_parquet(path)? {
        #[cfg(feature = "parquet")]
        true => super::parquet::read_labelled(path, target, measured, watch)?,
        _ => read_text(path, target, measured, watch)?,
    };
    if labelled.bad.is_empty() {
        return Err(DataError::NoRows(path.to_path_buf()));
    }
    Ok(labelled)
}

fn read_text(path: &Path, target: &str, measured: Measured<'_>, watch: Watch<'_>) -> Result<Labelled, DataError> {
    let mut rows = Rows::open(path, watch)?;
    let target = rows.places(&[target])?[0];
    let places = match measured {
        Measured::Model(model) => rows.places(model.columns())?,
        Measured::Column(name) => rows.places(&[name])?,
    };
    let (mut labelled, mut cells) = (Labelled::default(), StringRecord::new());
    while rows.read(&mut cells)? {
        labelled.bad.push(outcome(&rows, &cells, target)?);
        labelled.pd.push(match measured {
            Measured::Model(model) => score(model, &rows, &cells, &places)?,
            Measured::Column(_) => {
                let cell = cells.get(places[0]).unwrap_or_default();
                probability(cell).ok_or_else(|| rows.cell_error(places[0], no_probability(cell)))?
            }
        });
    }
    Ok(labelled)
}

/// The probability that a cell holds, if it does.
pub fn probability(cell: &str) -> Option<f64> {
    parse_number(cell).filter(|p| (0.0..=1.0).contains(p))
}

/// What is said of a cell that holds none.
pub fn no_probability(cell: &str) -> String {
    format!("{cell:?} is no probability from 0 to 1")
}

fn score(model: &Model, rows: &Rows, cells: &StringRecord, places: &[usize]) -> Result<f64, DataError> {
    let value = |place: &usize| match cells.get(*place) {
        Some(cell) if !is_missing(cell) => Value::Text(cell),
        _ => Value::Missing,
    };
    let row: Vec<Value<'_>> = places.iter().map(value).collect();
    model.check(&row).map_err(|bad| {
        let place = places.iter().copied().find(|place| rows.header()[*place] == bad.column).unwrap_or_default();
        rows.cell_error(place, format!("the model needs a number here, not {:?}", bad.value))
    })?;
    Ok(model.score(&row).pd)
}
