//! How many may be under way: as many as the process's own resources take without making work wait past the target.

use std::time::{Duration, Instant};

/// How often the limit is looked at.
const STEP: Duration = Duration::from_millis(100);
/// Where it begins, and its bounds. The lower one keeps commits shared and both cores busy.
const AT_FIRST: f64 = 256.0;
const LOWEST: f64 = 16.0;
const HIGHEST: f64 = 65_536.0;
/// A step down, and a step up.
const DOWN: f64 = 0.85;
const UP: f64 = 1.1;
/// The weight of the last step in the rate.
const NEWEST: f64 = 0.3;

/// The limit, steered by the delay that is measured.
pub(super) struct Limit {
    target: Duration,
    places: f64,
    reached: bool,
    late: Duration,
    lates: u32,
    delay: Duration,
    finished: u32,
    rate_per_second: f64,
    stepped_at: Instant,
}

impl Limit {
    pub(super) fn new(target: Duration, now: Instant) -> Limit {
        Limit {
            target,
            places: AT_FIRST,
            reached: false,
            late: Duration::ZERO,
            lates: 0,
            delay: Duration::ZERO,
            finished: 0,
            rate_per_second: 0.0,
            stepped_at: now,
        }
    }

    /// How many may be under way.
    pub(super) fn places(&self) -> usize {
        // Between LOWEST and HIGHEST.
        self.places as usize
    }

    /// The mean delay of the last step.
    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    /// Whether work waits noticeably, if not yet too long.
    pub(super) fn is_strained(&self) -> bool {
        self.delay > self.target / 2
    }

    /// Somebody had to wait for a place.
    pub(super) fn was_reached(&mut self) {
        self.reached = true;
    }

    /// Something was finished.
    pub(super) fn finished(&mut self) {
        self.finished += 1;
    }

    /// An event loop came so late.
    pub(super) fn note(&mut self, late: Duration) {
        self.late += late;
        self.lates += 1;
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.duration_since(self.stepped_at) >= STEP
    }

    /// The time that finishing so many takes. Zero as long as no rate is known.
    pub(super) fn time_for(&self, ahead: usize) -> Duration {
        if self.rate_per_second <= 0.0 {
            return Duration::ZERO;
        }
        // At most an hour: a rate near zero must not overflow.
        Duration::from_secs_f64((ahead as f64 / self.rate_per_second).min(3600.0))
    }

    /// Looks at what was measured since the last step; `stored` is the store's share of the delay.
    pub(super) fn step(&mut self, stored: Duration, under_way: usize, waiting: usize, now: Instant) {
        let took = now.duration_since(self.stepped_at).as_secs_f64().max(0.001);
        self.delay = self.late.checked_div(self.lates).unwrap_or_default() + stored;
        if self.delay > self.target {
            self.places = (self.places.min(under_way as f64 * 1.2) * DOWN).max(LOWEST);
        } else if self.reached {
            self.places = (self.places * UP + 1.0).min(HIGHEST);
        }
        // With nobody waiting the rate is what was asked for, which says little of what could be done.
        let rate = f64::from(self.finished) / took;
        if self.rate_per_second <= 0.0 || rate > self.rate_per_second || waiting > 0 {
            self.rate_per_second +=
                (rate - self.rate_per_second) * if self.rate_per_second <= 0.0 { 1.0 } else { NEWEST };
        }
        (self.late, self.lates, self.finished, self.reached, self.stepped_at) = (Duration::ZERO, 0, 0, false, now);
    }

    #[cfg(test)]
    pub(super) fn set_rate(&mut self, per_second: f64) {
        self.rate_per_second = per_second;
    }
}
