//! How many calls a department may get beside the first one for each look: a tenth, whatever happens.
//!
//! Every first call earns a tenth of a further one; a retry or a hedge spends a whole one, and hedges earn and spend a purse of
//! their own besides, of a twentieth. A call that is made again with a new token spends one like a retry. Thus of `n` first calls at
//! most `max(RESERVE, n / 10)` are followed by another, and at most `n / 20` are hedged, in any order of events; and among any
//! hundred first calls in a row at most ten are followed by another, and at most five are hedged, also after a long good time: a
//! department in trouble is not drowned by those that wait for it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// First calls that earn one further call: 10 %.
const CALLS_PER_EXTRA: u32 = 10;
/// First calls that earn one hedge: 5 %.
const CALLS_PER_HEDGE: u32 = 20;
/// Further calls that a service that has just started, or is quiet, has at once. They are lent: the first `10 * RESERVE` calls pay
/// them back and earn nothing, so that over more calls than that the tenth holds exactly.
pub(super) const RESERVE: u32 = 3;
/// The most further calls that are saved up, so that a long good time does not pay for a storm.
const SAVED_MAX: u32 = 10;
/// First calls in a row among which no more than a tenth, [`WINDOW_EXTRAS_MAX`], are followed by another.
const WINDOW_CALLS: u64 = 100;
/// See [`WINDOW_CALLS`].
const WINDOW_EXTRAS_MAX: usize = 10;
/// Of the same first calls no more than a twentieth are hedged.
const WINDOW_HEDGES_MAX: usize = 5;

/// The budget of one department.
pub(super) struct Budget(Mutex<Purse>);

/// In tenths of a further call, and in twentieths of a hedge.
struct Purse {
    /// First calls so far.
    calls: u64,
    /// The last further calls, hedges among them.
    spent: Window,
    /// The last hedges.
    hedged: Window,
    owed: u32,
    extra: u32,
    hedge: u32,
}

/// How many first calls there had been when each of the last ones of a kind was spent; those of one window.
struct Window {
    at: VecDeque<u64>,
    most: usize,
}

impl Budget {
    /// The budget of a service that has just started.
    pub(super) fn new() -> Budget {
        let lent = RESERVE * CALLS_PER_EXTRA;
        let (spent, hedged) = (Window::of(WINDOW_EXTRAS_MAX), Window::of(WINDOW_HEDGES_MAX));
        Budget(Mutex::new(Purse { calls: 0, spent, hedged, owed: lent, extra: lent, hedge: 0 }))
    }

    /// A first call goes out.
    pub(super) fn earn(&self) {
        self.with(|purse| {
            purse.calls += 1;
            match purse.owed {
                0 => purse.extra = (purse.extra + 1).min(SAVED_MAX * CALLS_PER_EXTRA),
                owed => purse.owed = owed - 1,
            }
            purse.hedge = (purse.hedge + 1).min(SAVED_MAX * CALLS_PER_HEDGE);
        });
    }

    /// Leave for one retry, or for one call with a new token.
    pub(super) fn spend_retry(&self) -> bool {
        self.with(|purse| {
            let enough = purse.has_extra();
            if enough {
                purse.spend_extra();
            }
            enough
        })
    }

    /// Leave for one hedge.
    pub(super) fn spend_hedge(&self) -> bool {
        self.with(|purse| {
            let enough = purse.has_extra() && purse.hedge >= CALLS_PER_HEDGE && purse.hedged.has_room(purse.calls);
            if enough {
                purse.spend_extra();
                purse.hedge -= CALLS_PER_HEDGE;
                purse.hedged.at.push_back(purse.calls);
            }
            enough
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Purse) -> T) -> T {
        // Nothing in a change can panic.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Purse {
    fn has_extra(&mut self) -> bool {
        self.extra >= CALLS_PER_EXTRA && self.spent.has_room(self.calls)
    }

    fn spend_extra(&mut self) {
        self.extra -= CALLS_PER_EXTRA;
        self.spent.at.push_back(self.calls);
    }
}

impl Window {
    fn of(most: usize) -> Window {
        Window { at: VecDeque::new(), most }
    }

    /// Whether the window that ends with the last of so many first calls has room for one more.
    fn has_room(&mut self, calls: u64) -> bool {
        while self.at.front().is_some_and(|at| at + WINDOW_CALLS <= calls) {
            self.at.pop_front();
        }
        self.at.len() < self.most
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quiet_service_may_retry_a_few_times_and_then_once_in_ten_calls() {
        let budget = Budget::new();
        let retries = |calls: u32| {
            let one = || {
                budget.earn();
                budget.spend_retry()
            };
            (0..calls).filter(|_| one()).count()
        };
        assert_eq!(retries(30), RESERVE as usize);
        assert_eq!(retries(1000), 100);
    }

    #[test]
    fn a_long_good_time_does_not_pay_for_a_storm() {
        let budget = Budget::new();
        (0..100_000).for_each(|_| budget.earn());
        assert_eq!((0..1000).filter(|_| budget.spend_retry()).count(), SAVED_MAX as usize);
    }

    #[test]
    fn no_hundred_looks_in_a_row_cost_more_than_ten_further_calls_however_good_the_time_before_was() {
        let budget = Budget::new();
        (0..1000).for_each(|_| budget.earn());
        let mut spent: Vec<usize> = Vec::new();
        for _ in 0..1000 {
            budget.earn();
            spent.push((0..3).filter(|_| budget.spend_retry()).count());
        }
        for window in spent.windows(100) {
            assert!(window.iter().sum::<usize>() <= 10);
        }
        assert!(spent.iter().sum::<usize>() >= 90, "the tenth is there to be used");
    }

    #[test]
    fn no_hundred_looks_in_a_row_are_hedged_more_than_five_times_however_good_the_time_before_was() {
        let budget = Budget::new();
        (0..1000).for_each(|_| budget.earn());
        let mut hedged: Vec<usize> = Vec::new();
        for _ in 0..1000 {
            budget.earn();
            hedged.push((0..3).filter(|_| budget.spend_hedge()).count());
        }
        for window in hedged.windows(100) {
            assert!(window.iter().sum::<usize>() <= 5);
        }
        assert!(hedged.iter().sum::<usize>() >= 45, "the twentieth is there to be used");
    }

    proptest! {
        #[test]
        fn in_any_order_further_calls_stay_within_a_tenth_and_hedges_within_a_twentieth(events in prop::collection::vec(0..8u8, 0..3000)) {
            let budget = Budget::new();
            let (mut calls, mut extras, mut hedges) = (0u32, 0u32, 0u32);
            for event in events {
                match event {
                    0 => extras += u32::from(budget.spend_retry()),
                    1 => if budget.spend_hedge() { extras += 1; hedges += 1 },
                    _ => { budget.earn(); calls += 1 }
                }
                prop_assert!(extras <= RESERVE.max(calls / 10), "{extras} of {calls}");
                prop_assert!(hedges <= calls / 20, "{hedges} of {calls}");
            }
        }
    }
}
