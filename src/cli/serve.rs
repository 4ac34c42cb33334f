//! `yuxin serve`, and opening the store for the commands that work beside it.

use std::path::PathBuf;

use secrecy::ExposeSecret;
use thiserror::Error;

use crate::app::{App, AppError};
use crate::observe::{self, Metrics};
use crate::settings::{Settings, SettingsError};
use crate::store::{Store, StoreError};

/// Which settings to use.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArgs {
    /// Settings file; without it config/yuxin.toml where it is there, else the same defaults built in
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

/// Why the command failed.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The service.
    #[error(transparent)]
    App(#[from] AppError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The logs.
    #[error("logs cannot be set up (setting log, YUXIN_LOG): {0}")]
    Logs(Box<dyn std::error::Error + Send + Sync>),
    /// The metrics.
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] crate::observe::MetricsError),
}

/// Serves until stopped.
pub async fn run(args: ConfigArgs) -> Result<(), ServeError> {
    let settings = Settings::load(args.config.as_deref())?;
    let _logs = observe::init_logs(&settings.log).map_err(ServeError::Logs)?;
    Ok(App::build(settings).await?.run_until_stopped().await?)
}

/// Opens the store that the settings name, for commands: they wait patiently where a service writes to the same file.
pub async fn open_store(args: &ConfigArgs) -> Result<Store, ServeError> {
    let settings = Settings::load(args.config.as_deref())?;
    Ok(Store::open_patiently(settings.store.url.expose_secret(), Metrics::new()?).await?)
}
