//! `yuxin evaluate`: how good a model, or a column of probabilities, is on rows with known outcomes.

use std::io::Write;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use csv::StringRecord;
use thiserror::Error;

use super::progress;
use super::score::values;
use crate::data::DataError;
use crate::data::load::outcome;
use crate::data::rows::Rows;
use crate::model::dataset::parse_number;
use crate::model::measure::measure;
use crate::model::{Model, ModelError};

/// Measure a model, or a column of probabilities of default, on rows with known outcomes; prints one JSON object.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("measured").required(true).args(["model", "pd_column"])))]
pub struct EvaluateArgs {
    /// The model.
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// Instead of a model: the column that holds the probability of default.
    #[arg(long, value_name = "NAME")]
    pub pd_column: Option<String>,
    /// The rows: .csv, .csv.gz or .xlsx, with a header.
    #[arg(long)]
    pub data: PathBuf,
    /// The column that is 1 for a bad outcome and 0 for a good one.
    #[arg(long)]
    pub target: String,
}

/// An evaluation that gave no figures.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Nothing to measure with.
    #[error("name a model or a column of probabilities")]
    Nothing,
    /// All rows ended the same way.
    #[error("{0}: both outcomes must occur: the target is the same in every row")]
    OneOutcome(PathBuf),
    /// The figures cannot be printed.
    #[error("the figures cannot be printed: {0}")]
    Print(#[from] std::io::Error),
    /// The figures cannot be written as JSON.
    #[error("the figures cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Measures and prints.
///
/// # Errors
/// [`EvaluateError`].
pub fn run(args: EvaluateArgs) -> Result<(), EvaluateError> {
    let bar = progress::of_file(&args.data, 1, "measuring");
    let mut rows = Rows::open(&args.data, &|file| progress::watch(&bar, file))?;
    let target = rows.places(&[args.target.as_str()])?[0];
    let (mut pd, mut bad, mut cells) = (Vec::new(), Vec::new(), StringRecord::new());
    match (&args.model, &args.pd_column) {
        (Some(path), _) => {
            let model = Model::load(path)?;
            let places = rows.places(model.columns())?;
            while rows.read(&mut cells)? {
                bad.push(outcome(&rows, &cells, target)?);
                let row = values(&cells, &places);
                model.check(&row).map_err(|bad| {
                    let place = places.iter().position(|p| rows.header()[*p] == bad.column).map_or(0, |i| places[i]);
                    rows.cell_error(place, format!("the model needs a number here, not {:?}", bad.value))
                })?;
                pd.push(model.score(&row).pd);
            }
        }
        (None, Some(name)) => {
            let place = rows.places(&[name.as_str()])?[0];
            while rows.read(&mut cells)? {
                bad.push(outcome(&rows, &cells, target)?);
                let cell = cells.get(place).unwrap_or_default();
                match parse_number(cell).filter(|p| (0.0..=1.0).contains(p)) {
                    Some(p) => pd.push(p),
                    None => {
                        return Err(rows.cell_error(place, format!("{cell:?} is no probability from 0 to 1")).into());
                    }
                }
            }
        }
        (None, None) => return Err(EvaluateError::Nothing),
    }
    bar.finish_and_clear();
    if bad.is_empty() {
        return Err(DataError::NoRows(args.data).into());
    }
    let measures = measure(&pd, &bad).ok_or(EvaluateError::OneOutcome(args.data))?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&measures)?)?;
    Ok(())
}
