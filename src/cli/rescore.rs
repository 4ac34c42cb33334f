//! `yuxin rescore --due`: decisions judged again on the day on which an adverse fact leaves the score.

use jiff::Timestamp;
use thiserror::Error;

use super::serve::{ConfigArgs, ServeError, open_store};
use crate::app::{AppError, load_engine};
use crate::decide::rescore_due;
use crate::settings::{Settings, SettingsError};
use crate::store::StoreError;

/// What to judge again.
#[derive(Debug, Clone, clap::Args)]
pub struct RescoreArgs {
    /// Which settings to use.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Every decision that is still valid and has an adverse fact that expired or was repaired by today
    #[arg(long, required = true)]
    pub due: bool,
}

/// Why the command failed.
#[derive(Debug, Error)]
pub enum RescoreError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Model or policy.
    #[error(transparent)]
    App(#[from] AppError),
    /// Opening the store.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Judges again what is due; prints how many decisions that were.
pub async fn run(args: &RescoreArgs) -> Result<(), RescoreError> {
    let engine = load_engine(&Settings::load(args.config.config.as_deref())?)?;
    let store = open_store(&args.config).await?;
    let counts = rescore_due(&store, &engine, Timestamp::now()).await?;
    store.close().await;
    println!("{} rescored", counts.rescored);
    if counts.revoked > 0 {
        eprintln!("{} left alone: the firms have revoked their consent", counts.revoked);
    }
    Ok(())
}
