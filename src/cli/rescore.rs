//! `yuxin rescore --due`: decisions judged again on the day on which an adverse fact leaves the score. `--all`: the portfolio judged anew.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use super::serve::{ConfigArgs, ServeError, open_store};
use crate::app::{AppError, batch_limits, load_engine};
use crate::batch::{Batches, Pace, Workers, queue_run};
use crate::decide::{Decider, Engine, rescore_due};
use crate::observe::Metrics;
use crate::settings::{Settings, SettingsError};
use crate::sources::Sources;
use crate::store::StoreError;

/// How often it is looked whether the run is done.
const LOOK: Duration = Duration::from_millis(250);

/// What to judge again.
#[derive(Debug, Clone, clap::Args)]
pub struct RescoreArgs {
    /// Which settings to use.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Every decision that is still valid and has an adverse fact that expired or was repaired by today
    #[arg(long, required_unless_present = "all")]
    pub due: bool,
    /// Judge the whole portfolio anew with fresh evidence: the latest decision on each firm whose standing consent names post_loan
    #[arg(long, conflicts_with = "due")]
    pub all: bool,
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
    let settings = Settings::load(args.config.config.as_deref())?;
    let engine = load_engine(&settings)?;
    if args.all {
        return run_all(args, &settings, engine).await;
    }
    let store = open_store(&args.config).await?;
    let counts = rescore_due(&store, &engine, Timestamp::now()).await?;
    store.close().await;
    println!("{} rescored", counts.rescored);
    if counts.revoked > 0 {
        eprintln!("{} left alone: the firms have revoked their consent", counts.revoked);
    }
    Ok(())
}

/// Begins today's run over the portfolio, or takes up the one that has begun, and works on it until it is done; services over the
/// same store work on it, too.
async fn run_all(args: &RescoreArgs, settings: &Settings, engine: Engine) -> Result<(), RescoreError> {
    let metrics = Metrics::new().map_err(AppError::from)?;
    let store = open_store(&args.config).await?;
    let run = loop {
        match queue_run(&store).await? {
            Some(run) => break run,
            None => tokio::time::sleep(LOOK).await,
        }
    };
    let sources = Sources::new(&settings.sources, metrics.clone()).map_err(AppError::from)?;
    let decider = Arc::new(Decider::new(store.clone(), sources, metrics.clone(), engine));
    let batches = Batches::new(store.clone(), batch_limits(settings));
    let workers = Workers::start(settings.batches.workers.max(1), &batches, decider, Pace::alone(), metrics);
    let (mut done, mut failed) = (0, 0);
    for (bank, id) in &run.batches {
        while let Some(batch) = store.batch(*id, *bank).await? {
            if batch.finished_at.is_some() {
                (done, failed) = (done + batch.counts.done, failed + batch.counts.failed);
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    workers.stop().await;
    store.close().await;
    println!("{done} judged anew");
    if failed > 0 {
        eprintln!("{failed} failed: each bank finds them at GET /v1/batches");
    }
    Ok(())
}
