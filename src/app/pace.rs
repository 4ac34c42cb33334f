//! How late this process's own resources are: the event loop of each worker, and the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::admission::Admission;
use crate::observe::Metrics;

/// How often an event loop is tried.
const TICK: Duration = Duration::from_millis(10);
/// What a timer is late by itself.
const GRAIN: Duration = Duration::from_millis(1);
/// The best time of the store's writes is forgotten at this rate, ten times a second: twice as long after two minutes.
const FORGETTING: f64 = 1.0005;

/// How long the store lets work wait beyond what a disk of its kind takes.
pub(super) struct StoreDelay {
    metrics: Metrics,
    /// The best mean time of a write, of late.
    best: Mutex<Option<Duration>>,
}

impl StoreDelay {
    pub(super) fn new(metrics: Metrics) -> StoreDelay {
        StoreDelay { metrics, best: Mutex::new(None) }
    }

    /// The delay since this was last asked. A write takes up to two commits, the one under way and its own; what is beyond is waiting.
    fn lately(&self) -> Duration {
        let (read, written) = self.metrics.store_waits_lately();
        let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        let excess = written.map(|took| {
            let known = best.map_or(took, |best| best.mul_f64(FORGETTING).min(took));
            *best = Some(known);
            took.saturating_sub(known * 2)
        });
        read.unwrap_or_default() + excess.unwrap_or_default()
    }
}

/// Tries the event loop that this runs on, for as long as it lives.
pub(super) async fn try_loop(admission: Admission, store: Arc<StoreDelay>) {
    loop {
        let due = Instant::now() + TICK;
        tokio::time::sleep_until(due.into()).await;
        let late = Instant::now().saturating_duration_since(due).saturating_sub(GRAIN);
        admission.delayed(late, || store.lately());
    }
}
