//! A bound on the calls under way to one department: one that is slow holds its own callers, and nobody else's connections.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::domain::SourceKind;
use crate::observe::Metrics;

/// The places for calls to one department.
pub(super) struct Bulkhead {
    source: SourceKind,
    metrics: Metrics,
    places_max: usize,
    places: Semaphore,
}

/// A place for one call; free again when dropped.
pub(super) struct Place<'a> {
    bulkhead: &'a Bulkhead,
    _permit: SemaphorePermit<'a>,
}

impl Bulkhead {
    /// Room for `places_max` calls at once.
    pub(super) fn new(source: SourceKind, places_max: usize, metrics: Metrics) -> Bulkhead {
        Bulkhead { source, metrics, places_max, places: Semaphore::new(places_max) }
    }

    /// A place, as soon as there is one; `None` where there was none within the time.
    pub(super) async fn enter(&self, within: Duration) -> Option<Place<'_>> {
        if let Some(place) = self.enter_now() {
            return Some(place);
        }
        let permit = tokio::time::timeout(within, self.places.acquire()).await.ok()?.ok()?;
        Some(self.place(permit))
    }

    /// A place, if there is one now.
    pub(super) fn enter_now(&self) -> Option<Place<'_>> {
        self.places.try_acquire().ok().map(|permit| self.place(permit))
    }

    /// Whether there is a place now.
    pub(super) fn has_room(&self) -> bool {
        self.places.available_permits() > 0
    }

    /// The calls under way.
    pub(super) fn taken(&self) -> usize {
        self.places_max.saturating_sub(self.places.available_permits())
    }

    /// The most calls that may be under way.
    pub(super) fn places_max(&self) -> usize {
        self.places_max
    }

    fn place<'a>(&'a self, permit: SemaphorePermit<'a>) -> Place<'a> {
        self.metrics.source_inflight(self.source, 1);
        Place { bulkhead: self, _permit: permit }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.bulkhead.metrics.source_inflight(self.bulkhead.source, -1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_are_so_many_places_and_one_that_is_left_is_free_again() {
        let metrics = Metrics::new().unwrap();
        let bulkhead = Bulkhead::new(SourceKind::Tax, 2, metrics.clone());
        let shown = || metrics.render().unwrap().contains("yuxin_source_inflight{source=\"tax\"} 2");
        let first = bulkhead.enter_now().unwrap();
        let _second = bulkhead.enter_now().unwrap();
        assert!(bulkhead.enter_now().is_none() && bulkhead.enter(Duration::from_millis(5)).await.is_none() && shown());
        let (entered, ()) = tokio::join!(bulkhead.enter(Duration::from_secs(60)), async { drop(first) });
        assert!(entered.is_some() && shown() && bulkhead.taken() == 2);
        drop(entered);
        assert!(bulkhead.taken() == 1 && !shown());
    }
}
