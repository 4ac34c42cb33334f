//! The breaker of one department: after too many failures nobody waits for it, until one request has tried it again.
//!
//! Closed: everybody may ask; the last results are remembered. Open: nobody may. Probing: one request is under way to see
//! whether the department is back, everybody else is still refused, so that a recovering department is never stampeded.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::health::BreakerState;
use crate::domain::SourceKind;
use crate::observe::Metrics;

/// One department's breaker.
pub(super) struct Breaker {
    source: SourceKind,
    metrics: Metrics,
    failures_max: usize,
    open_for: Duration,
    gate: Mutex<Gate>,
}

struct Gate {
    state: State,
    /// Counts the changes of state, so that a request that outlived the state it began in has no say in the next.
    era: u64,
}

enum State {
    /// The last results, oldest first; `true` is a failure.
    Closed(VecDeque<bool>),
    Open {
        until: Instant,
    },
    Probing,
}

/// Leave to ask the department once. Tell how it went; a permit that is dropped (its request was given up) counts as
/// nothing, and hands the probe on to the next request.
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    era: u64,
    told: bool,
}

impl Breaker {
    /// A closed breaker that opens for `open_for` after `failures_max` failures among the last twice as many requests.
    pub(super) fn new(source: SourceKind, failures_max: usize, open_for: Duration, metrics: Metrics) -> Breaker {
        metrics.breaker(source, false);
        let gate = Gate { state: State::Closed(VecDeque::new()), era: 0 };
        Breaker { source, metrics, failures_max: failures_max.max(1), open_for, gate: Mutex::new(gate) }
    }

    /// Leave to ask at the instant `now`; `None` while the department is not asked.
    pub(super) fn admit(&self, now: Instant) -> Option<Permit<'_>> {
        let mut gate = self.lock();
        match gate.state {
            State::Closed(_) => {}
            State::Open { until } if now >= until => gate.change(State::Probing),
            State::Open { .. } | State::Probing => return None,
        }
        Some(Permit { breaker: self, era: gate.era, told: false })
    }

    /// Whether a request at the instant `now` would be refused.
    pub(super) fn refuses(&self, now: Instant) -> bool {
        match self.lock().state {
            State::Closed(_) => false,
            State::Open { until } => now < until,
            State::Probing => true,
        }
    }

    /// What it does now. One whose time is over stays open until the next request probes.
    pub(super) fn state(&self) -> BreakerState {
        match self.lock().state {
            State::Closed(_) => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probing => BreakerState::Probing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gate> {
        // Every change below is a single assignment: a panic elsewhere cannot leave the gate half changed.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, gate: &mut Gate, until: Instant) {
        gate.change(State::Open { until });
        self.metrics.breaker(self.source, true);
        tracing::warn!(source = self.source.as_str(), "breaker open: the department failed too often");
    }

    fn close(&self, gate: &mut Gate) {
        gate.change(State::Closed(VecDeque::new()));
        self.metrics.breaker(self.source, false);
        tracing::info!(source = self.source.as_str(), "breaker closed: the department answers again");
    }

    fn record(&self, era: u64, failed: bool, now: Instant) {
        let mut gate = self.lock();
        if gate.era != era {
            return;
        }
        match &mut gate.state {
            State::Closed(results) => {
                if results.len() == 2 * self.failures_max {
                    results.pop_front();
                }
                results.push_back(failed);
                if results.iter().filter(|&&failed| failed).count() >= self.failures_max {
                    self.open(&mut gate, now + self.open_for);
                }
            }
            State::Probing if failed => self.open(&mut gate, now + self.open_for),
            State::Probing => self.close(&mut gate),
            State::Open { .. } => {}
        }
    }

    /// A probe was given up without a result: the next request probes.
    fn give_back(&self, era: u64) {
        let mut gate = self.lock();
        if gate.era == era && matches!(gate.state, State::Probing) {
            gate.change(State::Open { until: Instant::now() });
        }
    }
}

impl Gate {
    fn change(&mut self, to: State) {
        self.state = to;
        self.era += 1;
    }
}

impl Permit<'_> {
    /// The department answered, well or not.
    pub(super) fn answered(mut self, now: Instant) {
        self.told = true;
        self.breaker.record(self.era, false, now);
    }

    /// The department did not answer, or answered that it is in trouble.
    pub(super) fn failed(mut self, now: Instant) {
        self.told = true;
        self.breaker.record(self.era, true, now);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.breaker.give_back(self.era);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(3);

    fn breaker() -> (Breaker, Metrics) {
        let metrics = Metrics::new().unwrap();
        (Breaker::new(SourceKind::Tax, 2, OPEN_FOR, metrics.clone()), metrics)
    }

    fn opened(breaker: &Breaker, now: Instant) {
        for _ in 0..2 {
            breaker.admit(now).unwrap().failed(now);
        }
        assert!(breaker.admit(now).is_none());
    }

    fn shown_open(metrics: &Metrics) -> bool {
        metrics.render().unwrap().contains("yuxin_source_breaker_open{source=\"tax\"} 1")
    }

    #[test]
    fn it_opens_after_enough_failures_among_the_last_requests_and_says_so() {
        let (breaker, metrics) = breaker();
        let now = Instant::now();
        for failed in [true, false, false, false] {
            let permit = breaker.admit(now).unwrap();
            if failed { permit.failed(now) } else { permit.answered(now) }
        }
        // The first failure has left the window of four: one more is the only one in it.
        breaker.admit(now).unwrap().failed(now);
        assert!(!breaker.refuses(now) && !shown_open(&metrics));
        breaker.admit(now).unwrap().failed(now);
        assert!(breaker.refuses(now) && shown_open(&metrics));
        assert!(breaker.admit(now + OPEN_FOR - Duration::from_millis(1)).is_none());
    }

    #[test]
    fn of_a_hundred_threads_at_once_a_half_open_breaker_lets_one_through() {
        let (breaker, _) = breaker();
        let now = Instant::now();
        opened(&breaker, now);
        let later = now + OPEN_FOR;
        let barrier = std::sync::Barrier::new(100);
        let admitted = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    barrier.wait();
                    if let Some(permit) = breaker.admit(later) {
                        admitted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        // Under way until all have tried.
                        std::mem::forget(permit);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 1);
        assert!(breaker.refuses(later));
    }

    #[test]
    fn a_probe_that_succeeds_closes_it_and_one_that_fails_opens_it_again() {
        let (breaker, metrics) = breaker();
        let now = Instant::now();
        opened(&breaker, now);
        let second = now + OPEN_FOR;
        breaker.admit(second).unwrap().failed(second);
        assert!(breaker.admit(second + OPEN_FOR - Duration::from_millis(1)).is_none() && shown_open(&metrics));
        let third = second + OPEN_FOR;
        breaker.admit(third).unwrap().answered(third);
        assert!(breaker.admit(third).is_some() && !shown_open(&metrics));
    }

    #[test]
    fn a_probe_that_is_given_up_hands_over_to_the_next_request() {
        let (breaker, _) = breaker();
        let now = Instant::now();
        let past = now.checked_sub(OPEN_FOR).unwrap();
        opened(&breaker, past);
        let probe = breaker.admit(now).unwrap();
        assert!(breaker.admit(now).is_none());
        drop(probe);
        assert!(breaker.admit(Instant::now()).is_some());
    }

    #[test]
    fn a_straggler_from_before_the_breaker_opened_does_not_end_the_probe() {
        let (breaker, _) = breaker();
        let now = Instant::now();
        let straggler = breaker.admit(now).unwrap();
        opened(&breaker, now);
        let later = now + OPEN_FOR;
        let _probe = breaker.admit(later).unwrap();
        straggler.answered(later);
        assert!(breaker.admit(later).is_none());
    }
}
