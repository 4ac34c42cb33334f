//! `yuxin train`: a model artifact from a file of rows with known outcomes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use thiserror::Error;

use super::progress;
use crate::data::DataError;
use crate::data::load::{load, sha256};
use crate::data::sink::write_whole;
use crate::model::artifact::Artifact;
use crate::model::spec::{SpecError, TrainingSpec};
use crate::model::train::{Origin, TrainError, train};
use crate::model::{Model, ModelError};

/// Train a model on a CSV or XLSX file with numeric and text columns and missing values; target 1 = bad.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The training data: .csv, .csv.gz or .xlsx, with a header.
    #[arg(long)]
    pub data: PathBuf,
    /// The column that is 1 for a bad outcome and 0 for a good one.
    #[arg(long)]
    pub target: String,
    /// Where the model goes.
    #[arg(long)]
    pub out: PathBuf,
    /// How the tables come about.
    #[arg(long, value_enum, default_value_t = Kind::Scorecard)]
    pub kind: Kind,
    /// Decisions about the training (TOML): excluded columns, directions of risk, grades, scale. See models/README.md.
    #[arg(long)]
    pub spec: Option<PathBuf>,
    /// Fixes the folds: the same data, specification and seed give the same bytes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// How the tables come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Weight-of-evidence bins, one logistic coefficient a feature.
    Scorecard,
}

/// A training that wrote no model.
#[derive(Debug, Error)]
pub enum TrainCommandError {
    /// The specification file cannot be read.
    #[error("{path} cannot be read: {source}")]
    SpecFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The specification is not usable.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The data cannot be read, or the model not written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The artifact cannot be written as JSON.
    #[error("the model cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The artifact does not load again.
    #[error("the trained model does not load: {0}")]
    Model(#[from] ModelError),
}

/// Trains and writes the artifact; a summary goes to stderr.
///
/// # Errors
/// [`TrainCommandError`]; then nothing is written.
pub fn run(args: TrainArgs) -> Result<(), TrainCommandError> {
    let spec = match &args.spec {
        None => TrainingSpec::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| TrainCommandError::SpecFile { path: path.clone(), source })?;
            TrainingSpec::from_toml(&text)?
        }
    };
    let reading = progress::of_file(&args.data, 2, "reading");
    let data = load(&args.data, &args.target, &spec, &|file| progress::watch(&reading, file))?;
    reading.finish_and_clear();
    let origin = Origin {
        id: args.out.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned()),
        target: args.target.clone(),
        data_sha256: sha256(&args.data)?,
        seed: args.seed,
    };
    let training = progress::of_share("training");
    let artifact = match args.kind {
        Kind::Scorecard => train(&data, &spec, &origin, &mut |share| progress::set_share(&training, share)),
    };
    training.finish_and_clear();
    let artifact = artifact?;
    let bytes = artifact.to_bytes()?;
    let model = Model::from_bytes(&bytes)?;
    write_whole(&args.out, &bytes)?;
    summarise(&artifact, &model, &args.out);
    Ok(())
}

fn summarise(artifact: &Artifact, model: &Model, out: &std::path::Path) {
    for of in &artifact.left_out {
        eprintln!("left out: {}: {}", of.column, of.reason);
    }
    for warning in &artifact.warnings {
        eprintln!("warning: {warning}");
    }
    let (training, measured) = (&artifact.training, &artifact.measures.values);
    eprintln!(
        "{}: {} features from {} rows ({} bad); out of {} folds: AUC {:.4}, KS {:.4}, Brier {:.4}, ECE {:.4}",
        artifact.id,
        artifact.characteristics.len(),
        training.rows,
        training.bads,
        artifact.measures.folds,
        measured.auc,
        measured.ks,
        measured.brier,
        measured.ece
    );
    eprintln!("{} sha256 {}", out.display(), model.sha256());
}
