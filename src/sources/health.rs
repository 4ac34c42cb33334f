//! How one department fares, for those who look after the service. Figures only, never a firm.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::failure::Failure;
use crate::domain::SourceKind;

/// How many of the last calls the share of answers is taken over.
const WINDOW: usize = 200;

/// What the breaker of a department does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// The department is asked.
    Closed,
    /// It failed too often and is not asked for a moment.
    Open,
    /// One call is under way to see whether it is back.
    Probing,
}

impl BreakerState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::Probing => "probing",
        }
    }
}

/// How a department fares at this moment. Counts are since the start of the service.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceHealth {
    /// Which one.
    pub source: SourceKind,
    /// Its breaker.
    pub breaker: BreakerState,
    /// The last calls that `answered` was counted among, at most 200.
    pub recent: usize,
    /// How many of them were answered with a record that holds, or with "not known".
    pub answered: usize,
    /// Half of the last answers came within this time.
    pub latency_p50: Option<Duration>,
    /// 95 % of the last answers came within this time.
    pub latency_p95: Option<Duration>,
    /// Calls under way.
    pub inflight: usize,
    /// The most calls that may be under way (`sources.concurrent_max`).
    pub concurrent_max: usize,
    /// Calls tried once more.
    pub retries: u64,
    /// Calls that were given a second beside them because they were slow.
    pub hedges: u64,
    /// Hedges that brought the answer.
    pub hedges_won: u64,
    /// Looks that an answer kept from before was good enough for.
    pub cache_hits: u64,
    /// Looks that got an answer that had outlived its time, because the department gave none.
    pub stale_served: u64,
    /// Firms that an answer is kept of.
    pub cached: usize,
    /// The word for the last failure, as in `yuxin_source_requests_total`, and when it was.
    pub last_failure: Option<(&'static str, Timestamp)>,
}

/// The counts of one department.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Default, Clone)]
pub(super) struct Counts {
    recent: VecDeque<bool>,
    pub(super) retries: u64,
    pub(super) hedges: u64,
    pub(super) hedges_won: u64,
    pub(super) cache_hits: u64,
    pub(super) stale_served: u64,
    pub(super) last_failure: Option<(&'static str, Timestamp)>,
}

impl Counts {
    /// The calls of the window, and how many of them were answered well.
    pub(super) fn answered(&self) -> (usize, usize) {
        (self.recent.len(), self.recent.iter().filter(|&&well| well).count())
    }
}

impl Tally {
    /// Changes the counts.
    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A call ended at the instant `at` with what the metrics call `result`; well or not.
    pub(super) fn called(&self, result: &'static str, well: bool, at: Timestamp) {
        self.count(|counts| {
            if counts.recent.len() == WINDOW {
                counts.recent.pop_front();
            }
            counts.recent.push_back(well);
            if !well {
                counts.last_failure = Some((result, at));
            }
        });
    }

    /// No call was made, for want of a place. A refusal by the breaker is no failure of its own.
    pub(super) fn refused(&self, failure: Failure, at: Timestamp) {
        if failure == Failure::Full {
            self.count(|counts| counts.last_failure = Some((failure.as_str(), at)));
        }
    }

    /// The counts as they are.
    pub(super) fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_answers_is_that_of_the_last_calls() {
        let (tally, at) = (Tally::default(), Timestamp::UNIX_EPOCH);
        for _ in 0..500 {
            tally.called("timeout", false, at);
        }
        for _ in 0..150 {
            tally.called("ok", true, at);
        }
        tally.refused(Failure::Breaker, Timestamp::MAX);
        let counts = tally.counts();
        assert_eq!((counts.answered(), counts.last_failure), ((200, 150), Some(("timeout", at))));
        tally.refused(Failure::Full, at);
        assert_eq!(tally.counts().last_failure, Some(("full", at)));
    }
}
