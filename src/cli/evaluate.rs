//! `yuxin evaluate`: how good a model, or a column of probabilities, is on rows with known outcomes.

use std::io::Write;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args};
use thiserror::Error;

use super::progress;
use crate::data::DataError;
use crate::data::labelled::{Measured, read};
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
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub pd_column: Option<String>,
    /// The rows: .csv, .csv.gz, .xlsx or, where it was built in, .parquet; with a header.
    #[arg(long)]
    pub data: PathBuf,
    /// The column that is 1 for a bad outcome and 0 for a good one.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
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
    let watch = |file| progress::watch(&bar, file);
    let labelled = match (&args.model, &args.pd_column) {
        (Some(path), _) => read(&args.data, &args.target, Measured::Model(&Model::load(path)?), &watch)?,
        (None, Some(name)) => read(&args.data, &args.target, Measured::Column(name), &watch)?,
        (None, None) => return Err(EvaluateError::Nothing),
    };
    bar.finish_and_clear();
    let measures = measure(&labelled.pd, &labelled.bad).ok_or(EvaluateError::OneOutcome(args.data))?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&measures)?)?;
    Ok(())
}
