//! How long a department takes of late, and after what wait a second request is worth its cost.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many of the last answers are looked at.
const WINDOW: usize = 256;
/// With fewer answers than these nobody knows what is slow for this department.
const HEDGE_SAMPLES_MIN: usize = 50;
/// A hedge goes out after this share of the answers would have been there.
const HEDGE_QUANTILE: f64 = 0.95;
/// Below this wait a second request costs more than it can save.
const HEDGE_AFTER_MIN: Duration = Duration::from_millis(5);

/// The times of a department's last answers.
pub(super) struct Latencies(Mutex<VecDeque<Duration>>);

impl Latencies {
    /// No answers yet.
    pub(super) fn new() -> Latencies {
        Latencies(Mutex::new(VecDeque::with_capacity(WINDOW)))
    }

    /// An answer came after `took`.
    pub(super) fn push(&self, took: Duration) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == WINDOW {
            recent.pop_front();
        }
        recent.push_back(took);
    }

    /// The time within which the share `q` of the last answers came; `None` before the first.
    pub(super) fn quantile(&self, q: f64) -> Option<Duration> {
        quantile(&mut self.snapshot(), q)
    }

    /// The wait after which a hedge goes out; `None` while there are too few answers to tell.
    pub(super) fn hedge_after(&self) -> Option<Duration> {
        let mut recent = self.snapshot();
        if recent.len() < HEDGE_SAMPLES_MIN {
            return None;
        }
        quantile(&mut recent, HEDGE_QUANTILE).map(|wait| wait.max(HEDGE_AFTER_MIN))
    }

    fn snapshot(&self) -> Vec<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// By nearest rank: the smallest value that the share `q` does not exceed.
fn quantile(values: &mut [Duration], q: f64) -> Option<Duration> {
    let last = values.len().checked_sub(1)?;
    let rank = (q * values.len() as f64).ceil() as usize;
    let (_, value, _) = values.select_nth_unstable(rank.saturating_sub(1).min(last));
    Some(*value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times_ms: impl IntoIterator<Item = u64>) -> Latencies {
        let latencies = Latencies::new();
        times_ms.into_iter().for_each(|ms| latencies.push(Duration::from_millis(ms)));
        latencies
    }

    #[test]
    fn quantiles_are_those_of_the_nearest_rank() {
        let latencies = of((1..=100).rev());
        assert_eq!(latencies.quantile(0.5), Some(Duration::from_millis(50)));
        assert_eq!(latencies.quantile(0.95), Some(Duration::from_millis(95)));
        assert_eq!(latencies.quantile(1.0), Some(Duration::from_millis(100)));
        assert_eq!(of([7]).quantile(0.5), Some(Duration::from_millis(7)));
        assert_eq!(of([]).quantile(0.5), None);
    }

    #[test]
    fn nobody_hedges_before_it_is_known_what_is_slow() {
        assert_eq!(of(1..=49).hedge_after(), None);
        assert_eq!(of(1..=50).hedge_after(), Some(Duration::from_millis(48)));
        assert_eq!(of((0..50).map(|_| 0)).hedge_after(), Some(HEDGE_AFTER_MIN));
    }

    #[test]
    fn what_was_long_ago_does_not_count() {
        let times = (0..1000).map(|_| 900).chain((0..WINDOW as u64).map(|_| 20));
        assert_eq!(of(times).hedge_after(), Some(Duration::from_millis(20)));
    }
}
