//! How long the writer has been at one transaction: where a disk hangs, whoever comes must not wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long the transaction that is under way has been so.
pub(super) struct HoldUp {
    since: Instant,
    /// Milliseconds after `since`, 0 where none is under way.
    begun_ms: AtomicU64,
}

impl HoldUp {
    pub(super) fn new() -> HoldUp {
        HoldUp { since: Instant::now(), begun_ms: AtomicU64::new(0) }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    pub(super) fn begins(&self) {
        self.begun_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    pub(super) fn ends(&self) {
        self.begun_ms.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_longer_than(&self, time: Duration) -> bool {
        let begun = self.begun_ms.load(Ordering::Relaxed);
        begun > 0 && u128::from(self.now_ms().saturating_sub(begun)) > time.as_millis()
    }
}
