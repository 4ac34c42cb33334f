//! The only wiring: settings in, running listeners out. Tests build the same App on port 0.

mod drain;
mod pace;
mod scheduled;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{HttpServer, web};
use secrecy::ExposeSecret;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::drain::{Connections, Door, Times, drain};
use self::pace::{StoreDelay, try_loop};
use self::scheduled::{account_for_looks, purge, rescore_daily};
use crate::admission::{Admission, Patience};
use crate::batch::{BatchLimits, Batches, Pace, Workers, run_on_schedule};
use crate::decide::{Decider, Engine, EngineError};
use crate::http::admit::admit;
use crate::http::api::idempotency::KeysInUse;
use crate::http::body::BodyLimits;
use crate::http::office::Office;
use crate::http::quota::{Quotas, Rate};
use crate::http::watch::watch;
use crate::http::{api, management, office, openapi};
use crate::model::{Model, ModelError};
use crate::observe::{Metrics, Readiness};
use crate::outbox::{Outbox, OutboxError};
use crate::policy::{DEFAULT_POLICY, Policy, PolicyError};
use crate::settings::{DEFAULT_MODEL_FILE, DEFAULT_POLICY_FILE, Settings};
use crate::sources::{Sources, SourcesError};
use crate::store::{Change, CheckpointError, CheckpointKeeper, RejectedLimits, Store, StoreError};

/// The shipped model, for where no file is at its place.
const BUILT_IN_MODEL: &[u8] = include_bytes!("../models/district-scorecard.json");

/// How often connections that read are tried while nobody needs them.
const KEEP_WARM: Duration = Duration::from_secs(30);

/// The service, bound to its addresses and ready to run.
pub struct App {
    settings: Settings,
    store: Store,
    metrics: Metrics,
    decider: web::Data<Decider>,
    outbox: Outbox,
    batches: web::Data<Batches>,
    pace: Pace,
    readiness: Readiness,
    checkpoints: Option<CheckpointKeeper>,
    server: Server,
    connections: Connections,
    door: Door,
    management: Server,
    address: SocketAddr,
    management_address: SocketAddr,
}

/// Why the service cannot start.
#[derive(Debug, Error)]
pub enum AppError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key or the file of the checkpoints.
    #[error("checkpoints of the audit chain cannot be kept: {0}")]
    Checkpoints(#[from] CheckpointError),
    /// The model.
    #[error("the model cannot be used: {0}")]
    Model(#[from] ModelError),
    /// The policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Model and policy do not fit.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The departments' settings.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// The webhooks' settings.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The metrics.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] crate::observe::MetricsError),
    /// An address cannot be bound.
    #[error("cannot listen on {address} ({setting}): {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting that names it.
        setting: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A listener failed while running.
    #[error("a listener failed: {0}")]
    Run(#[from] io::Error),
}

/// Reads the model and the policy that the settings name and puts them together.
pub fn load_engine(settings: &Settings) -> Result<Engine, AppError> {
    let model = match &settings.model.path {
        path if !path.exists() && path == Path::new(DEFAULT_MODEL_FILE) => Model::from_bytes(BUILT_IN_MODEL)?,
        path => Model::load(path)?,
    };
    let policy = match &settings.policy.path {
        path if !path.exists() && path == Path::new(DEFAULT_POLICY_FILE) => Policy::from_toml(DEFAULT_POLICY)?,
        path => Policy::load(path)?,
    };
    Ok(Engine::new(model, policy)?)
}

impl App {
    /// Opens the store, loads model and policy, binds the listeners.
    pub async fn build(settings: Settings) -> Result<App, AppError> {
        let metrics = Metrics::new()?;
        let engine = load_engine(&settings)?;
        let sources = Sources::new(&settings.sources, metrics.clone())?;
        let checkpoints = CheckpointKeeper::of(&settings.audit)?;
        let store = Store::open(settings.store.url.expose_secret(), metrics.clone()).await?;
        store.warm().await;
        let readiness = Readiness::default();
        let decider = Decider::new(store.clone(), sources, metrics.clone(), engine);
        let decider = web::Data::new(decider.with_open_disputes(settings.disputes.open_max));
        store.limit_rejected(rejected_limits(&settings));
        let outbox = Outbox::new(store.clone(), &settings.webhooks, metrics.clone())?;
        let batches = web::Data::new(Batches::new(store.clone(), batch_limits(&settings)));
        let patience = Patience {
            wait_max: Duration::from_millis(settings.server.wait_ms_max),
            delay_target: Duration::from_millis(settings.server.delay_ms_target),
        };
        let admission = web::Data::new(Admission::new(patience, metrics.clone()));
        let pace = Pace::beside(Admission::clone(&admission));
        let connections = Connections::default();
        let inner = (&metrics, &readiness, &connections);
        let (server, door, address) = serve(&settings, &store, &decider, (&batches, &admission, &outbox), inner)?;
        let (management, management_address) = manage(&settings, &store, &decider, &metrics, &readiness)?;
        Ok(App {
            settings,
            store,
            metrics,
            decider,
            outbox,
            batches,
            pace,
            readiness,
            checkpoints,
            server,
            connections,
            door,
            management,
            address,
            management_address,
        })
    }

    /// Where banks and the console connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where Prometheus and probes connect.
    pub fn management_address(&self) -> SocketAddr {
        self.management_address
    }

    /// The store, for commands that keep keys and users beside the running service.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Serves until the process is told to stop (SIGTERM, SIGINT), then drains: not ready first, requests under way finish, the
    /// store is flushed. SIGHUP reloads model, policy and connectors.
    pub async fn run_until_stopped(self) -> Result<(), AppError> {
        let (server, management) = (self.server.handle(), self.management.handle());
        // Caught from here on, before anybody is told that it serves: a signal that comes at once must not end the process.
        let (terminate, hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        let interrupt = signal(SignalKind::interrupt())?;
        let public = (server, self.connections, self.door);
        let seconds = Duration::from_secs;
        let (notice, idle) = (self.settings.server.drain_notice_seconds, self.settings.server.drain_idle_seconds);
        let times = Times { notice: seconds(notice), idle: seconds(idle) };
        let drain = tokio::spawn(drain([terminate, interrupt], self.readiness.clone(), public, management, times));
        let follow = tokio::spawn(follow(self.store.clone(), self.decider.clone()));
        let keep_days = [self.settings.sources.rejected_keep_days, self.settings.batches.keep_days];
        let purge = tokio::spawn(purge(self.store.clone(), keep_days));
        let (count, decider) = (self.settings.batches.workers, self.decider.clone().into_inner());
        let workers = Workers::start(count, &self.batches, decider, self.pace, self.metrics.clone());
        let portfolio = match self.settings.portfolio.rescore_every_days {
            0 => None,
            days => Some(tokio::spawn(run_on_schedule(self.store.clone(), days))),
        };
        let looks = tokio::spawn(account_for_looks(self.store.clone()));
        let rescore = tokio::spawn(rescore_daily(self.store.clone(), self.decider.clone()));
        let warm = self.store.clone();
        let warm = tokio::spawn(async move { warm.keep_warm(KEEP_WARM).await });
        let delivering = self.outbox.start();
        let (stop_checkpoints, stopped) = tokio::sync::oneshot::channel::<()>();
        let checkpoints = self.checkpoints.map(|keeper| {
            tokio::spawn(keeper.keep(self.store.clone(), async move {
                let _ = stopped.await;
            }))
        });
        let reload = tokio::spawn(reload(hang_up, self.settings, self.metrics, self.decider, self.readiness));
        tracing::info!(address = %self.address, management = %self.management_address, "serving");
        let served = futures_util::future::try_join(self.server, self.management).await;
        reload.abort();
        purge.abort();
        looks.abort();
        rescore.abort();
        warm.abort();
        follow.abort();
        portfolio.inspect(tokio::task::JoinHandle::abort);
        workers.stop().await;
        delivering.stop().await;
        drop(stop_checkpoints);
        if let Some(checkpoints) = checkpoints
            && checkpoints.await.is_err()
        {
            tracing::error!("the task that keeps checkpoints had failed");
        }
        self.store.close().await;
        served?;
        // The drain task ends the management listener last; nothing of it is left to wait for when a listener failed.
        drain.abort();
        tracing::info!("stopped");
        Ok(())
    }
}

/// How much of rejected replies is kept, by the settings.
fn rejected_limits(settings: &Settings) -> RejectedLimits {
    let s = &settings.sources;
    RejectedLimits {
        reply_bytes: s.rejected_reply_bytes_max,
        firm_bytes: s.rejected_firm_bytes_max,
        total_bytes: s.rejected_total_bytes_max,
    }
}

/// What a batch may be, by the settings.
pub fn batch_limits(settings: &Settings) -> BatchLimits {
    let b = &settings.batches;
    BatchLimits {
        bytes_max: b.bytes_max,
        rows_max: b.rows_max,
        waiting_rows_max: b.waiting_rows_max,
        timeout: Duration::from_millis(b.body_timeout_ms),
    }
}

fn serve(
    settings: &Settings,
    store: &Store,
    decider: &web::Data<Decider>,
    (batches, admission, outbox): (&web::Data<Batches>, &web::Data<Admission>, &Outbox),
    (metrics, readiness, connections): (&Metrics, &Readiness, &Connections),
) -> Result<(Server, Door, SocketAddr), AppError> {
    let (batches, admission) = (batches.clone(), admission.clone());
    let at = settings.server.clone();
    let limits = BodyLimits { bytes_max: at.body_bytes_max, timeout: Duration::from_millis(at.body_timeout_ms) };
    let store = web::Data::new(store.clone());
    let office = web::Data::new(Office { store: Store::clone(&store), secure_cookies: at.secure_cookies });
    let outbox = web::Data::new(outbox.clone());
    let delay = Arc::new(StoreDelay::new(metrics.clone()));
    let (decider, metrics, readiness) =
        (decider.clone(), web::Data::new(metrics.clone()), web::Data::new(readiness.clone()));
    let common = Rate { per_second: at.quota_per_second, burst: at.quota_burst };
    let own = at.quotas.into_iter().map(|(bank, of)| (bank, Rate { per_second: of.per_second, burst: of.burst }));
    let quotas = web::Data::new(Quotas::new(common, own.collect()));
    let (keys, limits) = (web::Data::new(KeysInUse::default()), web::Data::new(limits));
    let server = HttpServer::new(move || {
        // Once for each worker, on its own event loop.
        actix_web::rt::spawn(try_loop(Admission::clone(&admission), delay.clone()));
        actix_web::App::new()
            .app_data(admission.clone())
            .app_data(readiness.clone())
            .app_data(store.clone())
            .app_data(office.clone())
            .app_data(decider.clone())
            .app_data(outbox.clone())
            .app_data(metrics.clone())
            .app_data(quotas.clone())
            .app_data(keys.clone())
            .app_data(batches.clone())
            .app_data(limits.clone())
            .wrap(from_fn(watch))
            .wrap(from_fn(admit))
            .configure(api::configure)
            .configure(office::configure)
            .configure(openapi::configure)
    });
    let workers = match at.workers {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        workers => workers,
    };
    let connections = connections.clone();
    let (listener, address) = listen(at.listen, "server.listen")?;
    let door = Door::of(&listener)?;
    let server = server
        .workers(workers)
        .max_connections(at.connections_max.div_ceil(workers))
        .keep_alive(Duration::from_secs(at.keep_alive_seconds))
        .client_request_timeout(Duration::from_millis(at.header_timeout_ms))
        .on_connect(move |_, of| connections.opened(of))
        .shutdown_timeout(at.drain_seconds)
        .disable_signals()
        .listen(listener)?;
    Ok((server.run(), door, address))
}

fn manage(
    settings: &Settings,
    store: &Store,
    decider: &web::Data<Decider>,
    metrics: &Metrics,
    readiness: &Readiness,
) -> Result<(Server, SocketAddr), AppError> {
    let (store, metrics) = (web::Data::new(store.clone()), web::Data::new(metrics.clone()));
    let (decider, readiness) = (decider.clone(), web::Data::new(readiness.clone()));
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(store.clone())
            .app_data(metrics.clone())
            .app_data(decider.clone())
            .app_data(readiness.clone())
            .configure(management::configure)
    });
    let (listener, address) = listen(settings.management.listen, "management.listen")?;
    let server = server.workers(1).shutdown_timeout(1).disable_signals().listen(listener)?;
    Ok((server.run(), address))
}

fn listen(address: SocketAddr, setting: &'static str) -> Result<(TcpListener, SocketAddr), AppError> {
    let refused = |source| AppError::Listen { address, setting, source };
    let listener = TcpListener::bind(address).map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

/// Drops copies in memory that another process over the same store made void.
async fn follow(store: Store, decider: web::Data<Decider>) {
    let on_change = |change| match change {
        Change::ConsentRevoked(uscc) => decider.forget(&uscc),
        // No copy of a key is kept: each is looked up in the store.
        Change::KeyRevoked(_) => {}
        Change::Any => decider.forget_all(),
    };
    store.follow_changes(on_change).await;
}

/// On SIGHUP loads model, policy and connectors anew, all or none: where one cannot be used, the old ones serve on.
async fn reload(
    mut hang_up: Signal,
    settings: Settings,
    metrics: Metrics,
    decider: web::Data<Decider>,
    readiness: Readiness,
) {
    while hang_up.recv().await.is_some() {
        match load_anew(&settings, &metrics) {
            Ok((engine, sources)) => {
                let (model, sha256) = (engine.model().id(), engine.model().sha256());
                tracing::info!(model, sha256, "model, policy and connectors reloaded");
                decider.replace_engine(engine);
                decider.replace_sources(sources);
                readiness.reload(None);
            }
            Err(error) => {
                tracing::error!(%error, "reload refused; the old model, policy and connectors serve on");
                readiness.reload(Some(error.to_string()));
            }
        }
    }
}

fn load_anew(settings: &Settings, metrics: &Metrics) -> Result<(Engine, Sources), AppError> {
    Ok((load_engine(settings)?, Sources::new(&settings.sources, metrics.clone())?))
}
