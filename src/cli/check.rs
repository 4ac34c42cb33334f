//! `yuxin config check`: the settings and the files that they name; and a connector's mapping, tried on a sample.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use thiserror::Error;

use super::serve::ConfigArgs;
use crate::app::AppError;
use crate::domain::Uscc;
use crate::outbox::{self, OutboxError};
use crate::settings::{Settings, SettingsError};
use crate::sources::{self, Misread, SourcesError};

/// What to check beside the settings.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// A reply of a department, saved as a file: map it, print the record, or say which value is not as the mapping says
    #[arg(long, value_name = "FILE", requires = "source")]
    pub sample: Option<PathBuf>,
    /// The connector that the sample is of
    #[arg(long, value_name = "NAME", requires = "sample")]
    pub source: Option<String>,
    /// The firm that the sample must be about; without it the sample's own code is taken
    #[arg(long, value_name = "USCC", requires = "sample")]
    pub uscc: Option<Uscc>,
}

/// What is wrong.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The model or the policy.
    #[error(transparent)]
    App(#[from] AppError),
    /// The connectors.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// The webhooks.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The sample is not there.
    #[error("the sample {path} cannot be read: {why}")]
    Sample {
        /// The file.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// The sample makes no record.
    #[error("{0}")]
    Misread(Misread),
}

/// Checks, and prints the record of a sample on stdout.
///
/// # Errors
/// [`CheckError`], for stderr and exit code 1.
pub fn run(config: &ConfigArgs, args: &CheckArgs) -> Result<(), CheckError> {
    let settings = Settings::load(config.config.as_deref())?;
    let (connectors, warnings) = sources::connectors_in_order(&settings.sources)?;
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    if let (Some(sample), Some(source)) = (&args.sample, &args.source) {
        return try_sample(&settings, sample, source, args.uscc.as_ref());
    }
    crate::app::load_engine(&settings)?;
    outbox::check_settings(&settings.webhooks)?;
    eprintln!("connectors: {}", connectors.join(", "));
    eprintln!("the settings, the model, the policy and the connectors are in order");
    Ok(())
}

fn try_sample(settings: &Settings, path: &Path, source: &str, uscc: Option<&Uscc>) -> Result<(), CheckError> {
    let sample = std::fs::read(path).map_err(|why| CheckError::Sample { path: path.to_owned(), why })?;
    let record = sources::read_sample(&settings.sources, source, &sample, uscc, Timestamp::now())?;
    println!("{:#}", record.map_err(CheckError::Misread)?);
    Ok(())
}
