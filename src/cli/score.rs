//! `yuxin score`: the rows of a file with their score, grade and reasons beside them.

use std::path::PathBuf;

use clap::Args;
use csv::StringRecord;
use thiserror::Error;

use super::progress;
use crate::data::DataError;
use crate::data::rows::Rows;
use crate::data::sink::RowSink;
use crate::model::dataset::is_missing;
use crate::model::export::REASONS;
use crate::model::{Model, ModelError, Value, reason_code};

/// Score a file of rows: the same rows and columns, plus pd, score, grade and up to four reasons.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The model.
    #[arg(long)]
    pub model: PathBuf,
    /// The rows: .csv, .csv.gz or .xlsx, with a header.
    #[arg(long)]
    pub data: PathBuf,
    /// Where the scored rows go: .csv, .csv.gz or .xlsx.
    #[arg(long)]
    pub out: PathBuf,
}

/// The columns that scoring adds.
pub const ADDED: [&str; 7] = ["pd", "score", "grade", "reason_1", "reason_2", "reason_3", "reason_4"];
/// Bad rows that are named before the rest is only counted.
const BAD_ROWS_NAMED: usize = 20;

/// A scoring that wrote nothing.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The rows cannot be read, or the scored rows not written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A column of the file has the name of one that scoring adds.
    #[error("{path} already has a column {name:?}: rename it or leave it out")]
    Taken {
        /// The file.
        path: PathBuf,
        /// The column.
        name: &'static str,
    },
    /// Rows that the model cannot score.
    #[error("{count} of {rows} rows cannot be scored, so nothing was written:\n{named}")]
    BadRows {
        /// How many.
        count: u64,
        /// Of how many.
        rows: u64,
        /// The first of them, one a line.
        named: String,
    },
}

/// Scores the file.
///
/// # Errors
/// [`ScoreError`]; then the output is not there, or as it was.
pub fn run(args: ScoreArgs) -> Result<(), ScoreError> {
    let model = Model::load(&args.model)?;
    let bar = progress::of_file(&args.data, 1, "scoring");
    let mut rows = Rows::open(&args.data, &|file| progress::watch(&bar, file))?;
    let places = rows.places(model.columns())?;
    if let Some(name) = ADDED.into_iter().find(|name| rows.header().iter().any(|column| column == name)) {
        return Err(ScoreError::Taken { path: args.data, name });
    }
    let mut sink = RowSink::create(&args.out)?;
    sink.write(rows.header().iter().map(String::as_str).chain(ADDED))?;
    let codes: Vec<String> = model.columns().iter().map(|name| reason_code(name)).collect();
    let (mut cells, mut bad, mut named) = (StringRecord::new(), 0_u64, Vec::new());
    while rows.read(&mut cells)? {
        let row = values(&cells, &places);
        if let Err(value) = model.check(&row) {
            bad += 1;
            if named.len() < BAD_ROWS_NAMED {
                named.push(format!("row {}, column {value}", rows.row()));
            }
            continue;
        }
        if bad == 0 {
            let score = model.score(&row);
            let (pd, points) = (score.pd.to_string(), score.score.to_string());
            let mut reasons = [""; REASONS];
            for (reason, lost) in reasons.iter_mut().zip(model.points_lost(&row)) {
                *reason = codes[lost.column].as_str();
            }
            sink.write(cells.iter().chain([pd.as_str(), points.as_str(), score.grade]).chain(reasons))?;
        }
    }
    bar.finish_and_clear();
    let count = rows.row() - 1;
    if bad > 0 {
        if bad > named.len() as u64 {
            named.push(format!("and {} more", bad - named.len() as u64));
        }
        return Err(ScoreError::BadRows { count: bad, rows: count, named: named.join("\n") });
    }
    if count == 0 {
        return Err(DataError::NoRows(args.data).into());
    }
    sink.finish()?;
    eprintln!("{count} rows scored by {} into {}", model.id(), args.out.display());
    Ok(())
}

/// The cells at `places`, as the model takes them.
pub fn values<'a>(cells: &'a StringRecord, places: &[usize]) -> Vec<Value<'a>> {
    let value = |place: &usize| match cells.get(*place) {
        Some(cell) if !is_missing(cell) => Value::Text(cell),
        _ => Value::Missing,
    };
    places.iter().map(value).collect()
}
