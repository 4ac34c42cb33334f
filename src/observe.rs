//! What those on call see: metrics (one struct, no global registry) and the set-up of structured logs.
//!
//! Labels are bounded: sources, outcomes, routes and models, never a firm. The one place that names the prometheus crate.

mod logs;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

pub use logs::{Logs, init_logs};

/// Why metrics cannot be set up or written out.
pub use prometheus::Error as MetricsError;

use crate::domain::{CaseState, Outcome, SourceKind};

/// Everything that Yuxin measures. Cheap to clone; the clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    decisions: IntCounterVec,
    decision_duration: Histogram,
    http_duration: HistogramVec,
    source_requests: IntCounterVec,
    source_duration: HistogramVec,
    source_breaker_open: IntGaugeVec,
    source_retries: IntCounterVec,
    source_hedges: IntCounterVec,
    source_cache: IntCounterVec,
    source_inflight: IntGaugeVec,
    source_cached: IntGaugeVec,
    evidence_age: GaugeVec,
    store_commit: Histogram,
    store_wait: HistogramVec,
    lately: Arc<Lately>,
    admitted: IntCounterVec,
    shed: IntCounterVec,
    admission_wait: HistogramVec,
    admission: IntGaugeVec,
    admission_delay: Gauge,
    cases: IntGaugeVec,
    cases_overdue: IntGauge,
    disputes_overdue: IntGauge,
    webhook_deliveries: IntCounterVec,
    webhook_duration: Histogram,
    webhook_pending: IntGauge,
    webhook_pending_age: Gauge,
    webhooks: IntGaugeVec,
    batch_rows: IntCounterVec,
    batch_rows_waiting: IntGauge,
    model_info: IntGaugeVec,
}

const FAST: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

impl Metrics {
    /// A fresh set with its own registry.
    ///
    /// # Errors
    /// Only when two metrics carry the same name, which is a mistake in this file.
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Metrics {
            decisions: IntCounterVec::new(
                Opts::new("yuxin_decisions_total", "Decisions recorded, by outcome and model."),
                &["outcome", "model"],
            )?,
            decision_duration: Histogram::with_opts(
                HistogramOpts::new(
                    "yuxin_decision_duration_seconds",
                    "Time from a checked request to a recorded decision.",
                )
                .buckets(FAST.to_vec()),
            )?,
            http_duration: HistogramVec::new(
                HistogramOpts::new("yuxin_http_request_duration_seconds", "Time to answer a request, by route.")
                    .buckets(FAST.to_vec()),
                &["route", "method", "status"],
            )?,
            source_requests: IntCounterVec::new(
                Opts::new("yuxin_source_requests_total", "Requests to departments, by result."),
                &["source", "result"],
            )?,
            source_duration: HistogramVec::new(
                HistogramOpts::new("yuxin_source_duration_seconds", "Time that a department took for one request.")
                    .buckets(FAST.to_vec()),
                &["source"],
            )?,
            source_breaker_open: IntGaugeVec::new(
                Opts::new(
                    "yuxin_source_breaker_open",
                    "1 while a department is not asked because it failed too often.",
                ),
                &["source"],
            )?,
            source_retries: IntCounterVec::new(
                Opts::new("yuxin_source_retries_total", "Requests to departments that were tried once more."),
                &["source"],
            )?,
            source_hedges: IntCounterVec::new(
                Opts::new(
                    "yuxin_source_hedges_total",
                    "Slow requests to departments that were given a second beside them, by which of the two was used.",
                ),
                &["source", "result"],
            )?,
            source_cache: IntCounterVec::new(
                Opts::new("yuxin_source_cache_total", "Looks at a firm by what was known of it already."),
                &["source", "result"],
            )?,
            source_inflight: IntGaugeVec::new(
                Opts::new("yuxin_source_inflight", "Requests to departments that are under way."),
                &["source"],
            )?,
            source_cached: IntGaugeVec::new(
                Opts::new("yuxin_source_cached", "Firms of which a department's answer is kept."),
                &["source"],
            )?,
            evidence_age: GaugeVec::new(
                Opts::new(
                    "yuxin_evidence_age_seconds",
                    "Age of the newest evidence received from a source, by its as-of date.",
                ),
                &["source"],
            )?,
            store_commit: Histogram::with_opts(
                HistogramOpts::new("yuxin_store_commit_seconds", "Time of one commit to the store, fsync included.")
                    .buckets(FAST.to_vec()),
            )?,
            store_wait: HistogramVec::new(
                HistogramOpts::new(
                    "yuxin_store_wait_seconds",
                    "Time that the store let a caller wait: read, for a connection; write, until it was on disk.",
                )
                .buckets(FAST.to_vec()),
                &["kind"],
            )?,
            lately: Arc::default(),
            admitted: IntCounterVec::new(
                Opts::new("yuxin_admitted_total", "Requests that began, by class."),
                &["class"],
            )?,
            shed: IntCounterVec::new(
                Opts::new(
                    "yuxin_shed_total",
                    "Requests refused because of overload: their wait would be too long (wait), those of their bank before them wait \
                     long already (late), batches while there is other work (busy), waited in vain (stalled).",
                ),
                &["class", "reason"],
            )?,
            admission_wait: HistogramVec::new(
                HistogramOpts::new("yuxin_admission_wait_seconds", "Time that admitted requests waited to begin.")
                    .buckets(FAST.to_vec()),
                &["class"],
            )?,
            admission: IntGaugeVec::new(
                Opts::new(
                    "yuxin_admission_requests",
                    "Requests under way, waiting to begin, and how many may be under way (limit).",
                ),
                &["state"],
            )?,
            admission_delay: Gauge::new(
                "yuxin_admission_delay_seconds",
                "Mean wait of late for the event loops and the store, which steers the limit.",
            )?,
            cases: IntGaugeVec::new(Opts::new("yuxin_cases", "Cases of the finance office, by state."), &["state"])?,
            cases_overdue: IntGauge::new("yuxin_cases_overdue", "Cases past their due date and not closed.")?,
            disputes_overdue: IntGauge::new(
                "yuxin_disputes_overdue",
                "Disputes past their due date and without a written answer.",
            )?,
            webhook_deliveries: IntCounterVec::new(
                Opts::new(
                    "yuxin_webhook_deliveries_total",
                    "Tries to deliver an event to a webhook, by how they ended.",
                ),
                &["result"],
            )?,
            webhook_duration: Histogram::with_opts(
                HistogramOpts::new("yuxin_webhook_delivery_duration_seconds", "Time of one try to deliver an event.")
                    .buckets(vec![0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0]),
            )?,
            webhook_pending: IntGauge::new("yuxin_webhook_pending", "Events that wait to be delivered to a webhook.")?,
            webhook_pending_age: Gauge::new(
                "yuxin_webhook_pending_age_seconds",
                "Age of the oldest event that waits to be delivered; 0 where none waits.",
            )?,
            webhooks: IntGaugeVec::new(Opts::new("yuxin_webhooks", "Webhooks of all banks, by state."), &["state"])?,
            batch_rows: IntCounterVec::new(
                Opts::new("yuxin_batch_rows_total", "Rows of batches that this process had, by what became of them."),
                &["result"],
            )?,
            batch_rows_waiting: IntGauge::new("yuxin_batch_rows_waiting", "Rows of batches that wait for a decision.")?,
            model_info: IntGaugeVec::new(
                Opts::new("yuxin_model_info", "1 for the model that is serving."),
                &["model", "sha256"],
            )?,
            registry,
        };
        metrics.register()?;
        for result in ["done", "failed", "cancelled", "again"] {
            metrics.batch_rows.with_label_values(&[result]).inc_by(0);
        }
        for source in SourceKind::ALL {
            metrics.breaker(source, false);
            metrics.source_inflight(source, 0);
            metrics.source_retries.with_label_values(&[source.as_str()]).inc_by(0);
        }
        Ok(metrics)
    }

    fn register(&self) -> Result<(), prometheus::Error> {
        let r = &self.registry;
        r.register(Box::new(self.decisions.clone()))?;
        r.register(Box::new(self.decision_duration.clone()))?;
        r.register(Box::new(self.http_duration.clone()))?;
        r.register(Box::new(self.source_requests.clone()))?;
        r.register(Box::new(self.source_duration.clone()))?;
        r.register(Box::new(self.source_breaker_open.clone()))?;
        r.register(Box::new(self.source_retries.clone()))?;
        r.register(Box::new(self.source_hedges.clone()))?;
        r.register(Box::new(self.source_cache.clone()))?;
        r.register(Box::new(self.source_inflight.clone()))?;
        r.register(Box::new(self.source_cached.clone()))?;
        r.register(Box::new(self.evidence_age.clone()))?;
        r.register(Box::new(self.store_commit.clone()))?;
        r.register(Box::new(self.store_wait.clone()))?;
        r.register(Box::new(self.admitted.clone()))?;
        r.register(Box::new(self.shed.clone()))?;
        r.register(Box::new(self.admission_wait.clone()))?;
        r.register(Box::new(self.admission.clone()))?;
        r.register(Box::new(self.admission_delay.clone()))?;
        r.register(Box::new(self.cases.clone()))?;
        r.register(Box::new(self.cases_overdue.clone()))?;
        r.register(Box::new(self.disputes_overdue.clone()))?;
        r.register(Box::new(self.webhook_deliveries.clone()))?;
        r.register(Box::new(self.webhook_duration.clone()))?;
        r.register(Box::new(self.webhook_pending.clone()))?;
        r.register(Box::new(self.webhook_pending_age.clone()))?;
        r.register(Box::new(self.webhooks.clone()))?;
        r.register(Box::new(self.batch_rows.clone()))?;
        r.register(Box::new(self.batch_rows_waiting.clone()))?;
        r.register(Box::new(self.model_info.clone()))
    }

    /// A decision was recorded.
    pub fn decided(&self, outcome: Outcome, model: &str, took: Duration) {
        self.decisions.with_label_values(&[outcome.as_str(), model]).inc();
        self.decision_duration.observe(took.as_secs_f64());
    }

    /// A request was answered. `route` is the pattern, never the path.
    pub fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.http_duration.with_label_values(&[route, method, &status.to_string()]).observe(took.as_secs_f64());
    }

    /// A department was asked once. `result` is one of a fixed few words, for instance `ok`, `absent`, `timeout`; `took` is `None`
    /// where there was no call, or where it was given up before its end.
    pub fn asked_source(&self, source: SourceKind, result: &'static str, took: Option<Duration>) {
        self.source_requests.with_label_values(&[source.as_str(), result]).inc();
        if let Some(took) = took {
            self.source_duration.with_label_values(&[source.as_str()]).observe(took.as_secs_f64());
        }
    }

    /// A request to a department failed and is tried once more.
    pub fn source_retried(&self, source: SourceKind) {
        self.source_retries.with_label_values(&[source.as_str()]).inc();
    }

    /// A slow request to a department was given a second beside it; `won` where the second brought the answer.
    pub fn source_hedged(&self, source: SourceKind, won: bool) {
        let result = if won { "won" } else { "lost" };
        self.source_hedges.with_label_values(&[source.as_str(), result]).inc();
    }

    /// A look at a firm met what was known already: `hit`, `revalidating`, `stale`, `shared` (a call was under way) or `miss`.
    pub fn source_cache(&self, source: SourceKind, result: &'static str) {
        self.source_cache.with_label_values(&[source.as_str(), result]).inc();
    }

    /// So many more requests to a department are under way.
    pub fn source_inflight(&self, source: SourceKind, more: i64) {
        self.source_inflight.with_label_values(&[source.as_str()]).add(more);
    }

    /// Of so many firms a department's answer is kept, counted afresh.
    pub fn source_cached(&self, source: SourceKind, firms: i64) {
        self.source_cached.with_label_values(&[source.as_str()]).set(firms);
    }

    /// A department's breaker opened or closed.
    pub fn breaker(&self, source: SourceKind, open: bool) {
        self.source_breaker_open.with_label_values(&[source.as_str()]).set(i64::from(open));
    }

    /// Evidence of this age arrived.
    pub fn evidence_age(&self, source: SourceKind, age_seconds: f64) {
        self.evidence_age.with_label_values(&[source.as_str()]).set(age_seconds);
    }

    /// The store committed a transaction.
    pub fn committed(&self, took: Duration) {
        self.store_commit.observe(took.as_secs_f64());
    }

    /// A caller got a connection to read from after this time.
    pub fn store_read_waited(&self, waited: Duration) {
        self.store_wait.with_label_values(&["read"]).observe(waited.as_secs_f64());
        self.lately.reads.add(waited);
    }

    /// A write was on disk, or refused, after this time.
    pub fn store_write_waited(&self, waited: Duration) {
        self.store_wait.with_label_values(&["write"]).observe(waited.as_secs_f64());
        self.lately.writes.add(waited);
    }

    /// The mean waits for the store, to read and to write, since this was last asked; `None` where nobody waited.
    pub fn store_waits_lately(&self) -> (Option<Duration>, Option<Duration>) {
        (self.lately.reads.take(), self.lately.writes.take())
    }

    /// A request began after so long a wait.
    pub fn admitted(&self, class: &'static str, waited: Duration) {
        self.admitted.with_label_values(&[class]).inc();
        self.admission_wait.with_label_values(&[class]).observe(waited.as_secs_f64());
    }

    /// A request was refused because of overload.
    pub fn shed(&self, class: &'static str, reason: &'static str) {
        self.shed.with_label_values(&[class, reason]).inc();
    }

    /// How admission stands.
    pub fn admission(&self, limit: usize, under_way: usize, waiting: usize, delay: Duration) {
        for (state, count) in [("limit", limit), ("under_way", under_way), ("waiting", waiting)] {
            self.admission.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.admission_delay.set(delay.as_secs_f64());
    }

    /// How many cases there are, counted afresh.
    pub fn cases(&self, state: CaseState, count: i64) {
        self.cases.with_label_values(&[state.as_str()]).set(count);
    }

    /// How many cases are overdue, counted afresh.
    pub fn cases_overdue(&self, count: i64) {
        self.cases_overdue.set(count);
    }

    /// How many disputes are overdue, counted afresh.
    pub fn disputes_overdue(&self, count: i64) {
        self.disputes_overdue.set(count);
    }

    /// An event was tried to be delivered. `result` is one of a fixed few words, for instance `delivered`, `status`, `timeout`.
    pub fn webhook_tried(&self, result: &'static str, took: Duration) {
        self.webhook_deliveries.with_label_values(&[result]).inc();
        self.webhook_duration.observe(took.as_secs_f64());
    }

    /// What waits to be delivered, and how many webhooks there are, counted afresh.
    pub fn outbox(&self, pending: i64, oldest_age_seconds: f64, enabled: i64, disabled: i64) {
        self.webhook_pending.set(pending);
        self.webhook_pending_age.set(oldest_age_seconds);
        self.webhooks.with_label_values(&["enabled"]).set(enabled);
        self.webhooks.with_label_values(&["disabled"]).set(disabled);
    }

    /// A row of a batch was `done`, `failed`, `cancelled`, or is to be taken `again`.
    pub fn batch_row(&self, result: &'static str) {
        self.batch_rows.with_label_values(&[result]).inc();
    }

    /// How many rows of batches wait for a decision, counted afresh.
    pub fn batch_rows_waiting(&self, count: i64) {
        self.batch_rows_waiting.set(count);
    }

    /// This model serves from now on, and no other.
    pub fn model_serving(&self, model: &str, sha256: &str) {
        self.model_info.reset();
        self.model_info.with_label_values(&[model, sha256]).set(1);
    }

    /// The metrics in the Prometheus text format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}

/// Waits of late.
#[derive(Default)]
struct Lately {
    reads: Waits,
    writes: Waits,
}

/// The sum of waits and their number.
#[derive(Default)]
struct Waits {
    micros: AtomicU64,
    count: AtomicU64,
}

impl Waits {
    fn add(&self, waited: Duration) {
        self.micros.fetch_add(u64::try_from(waited.as_micros()).unwrap_or(0), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// The mean; a wait that is added meanwhile may count for this time or the next.
    fn take(&self) -> Option<Duration> {
        let (micros, count) = (self.micros.swap(0, Ordering::Relaxed), self.count.swap(0, Ordering::Relaxed));
        micros.checked_div(count).map(Duration::from_micros)
    }
}

/// What readiness tells beside the probes of the moment. Cheap to clone; the clones share one state.
#[derive(Clone, Default)]
pub struct Readiness {
    stopping: Arc<AtomicBool>,
    reload_refused: Arc<Mutex<Option<String>>>,
}

impl Readiness {
    /// The service is stopping: no new work, please.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the service is stopping.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The last reload of model, policy and connectors was refused for this reason, or, with `None`, taken.
    pub fn reload(&self, refused: Option<String>) {
        *self.reload_refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }

    /// Why the last reload was refused.
    pub fn reload_refused(&self) -> Option<String> {
        self.reload_refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
