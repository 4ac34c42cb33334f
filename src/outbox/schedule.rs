//! What follows a try: nothing, another one, or the end.

use std::time::Duration;

use jiff::Timestamp;

use super::client::{Answer, End};
use crate::store::Then;

/// The longest that a server may ask us to wait.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long a server is left alone that says it has too much to do, and not for how long.
const REST: Duration = Duration::from_secs(60);

/// How long after each failure the next try follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule(Vec<Duration>);

impl Schedule {
    /// Reads `5s 5m 2h`; `None` where that is not what it says.
    pub(super) fn parse(text: &str) -> Option<Schedule> {
        let one = |word: &str| {
            let (count, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                _ => return None,
            };
            let count: u64 = count.parse().ok().filter(|count| (1..=10_000).contains(count))?;
            Some(Duration::from_secs(count * seconds))
        };
        let waits: Option<Vec<Duration>> = text.split_whitespace().map(one).collect();
        waits.filter(|waits| (1..=30).contains(&waits.len())).map(Schedule)
    }

    /// What follows the try with this number. `chance` lies between 0 and 1 and spreads what failed together.
    pub(super) fn then(&self, attempts: u32, answer: &Answer, chance: f64, now: Timestamp) -> Then {
        match answer.end {
            End::Delivered => return Then::Delivered,
            End::Gone => return Then::Gone,
            _ => {}
        }
        let Some(wait) = self.0.get(attempts.saturating_sub(1) as usize) else { return Then::GiveUp };
        let wait = wait.mul_f64(0.8 + 0.4 * chance);
        let asked = answer.retry_after.map(|asked| asked.min(RETRY_AFTER_MAX));
        let busy = matches!(answer.status, Some(429 | 502 | 503 | 504));
        let rest = if busy { asked.or(Some(wait.min(REST))) } else { None };
        let later = |wait: Duration| now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        Then::Retry { due_at: later(wait.max(asked.unwrap_or_default())), rest_until: rest.map(later) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(end: End, status: Option<u16>, retry_after: Option<u64>) -> Answer {
        Answer { end, status, retry_after: retry_after.map(Duration::from_secs) }
    }

    fn now() -> Timestamp {
        "2026-11-02T08:30:00Z".parse().unwrap()
    }

    fn waits(then: Then) -> (f64, Option<f64>) {
        let Then::Retry { due_at, rest_until } = then else { panic!("{then:?}") };
        let seconds = |at: Timestamp| at.duration_since(now()).as_secs_f64();
        (seconds(due_at), rest_until.map(seconds))
    }

    #[test]
    fn the_default_schedule_goes_on_for_three_days_and_then_ends() {
        let schedule = Schedule::parse("5s 5m 30m 2h 5h 10h 14h 20h 24h").unwrap();
        let failed = answer(End::Status, Some(500), None);
        let total: f64 = (1..=9).map(|n| waits(schedule.then(n, &failed, 0.5, now())).0).sum();
        assert!((total - 272_105.0).abs() < 1.0, "{total}");
        assert_eq!(schedule.then(10, &failed, 0.5, now()), Then::GiveUp);
        assert_eq!(schedule.then(10, &answer(End::Delivered, Some(204), None), 0.5, now()), Then::Delivered);
        assert_eq!(schedule.then(1, &answer(End::Gone, Some(410), None), 0.5, now()), Then::Gone);
    }

    #[test]
    fn tries_are_spread_by_a_fifth_and_a_server_that_asks_for_time_gets_it() {
        let schedule = Schedule::parse("100s").unwrap();
        let failed = answer(End::Timeout, None, None);
        let first = waits(schedule.then(1, &failed, 0.0, now())).0;
        let last = waits(schedule.then(1, &failed, 1.0, now())).0;
        assert!((first - 80.0).abs() < 1e-6 && (last - 120.0).abs() < 1e-6, "{first} {last}");

        let busy = |after| waits(schedule.then(1, &answer(End::Status, Some(503), after), 0.5, now()));
        assert_eq!(busy(Some(3600)), (3600.0, Some(3600.0)));
        assert_eq!(busy(Some(7)), (100.0, Some(7.0)), "never earlier than by the schedule");
        assert_eq!(busy(None), (100.0, Some(60.0)));
        assert_eq!(busy(Some(u64::MAX)).0, 86_400.0);
        let not_busy = waits(schedule.then(1, &answer(End::Status, Some(500), Some(3600)), 0.5, now()));
        assert_eq!(not_busy, (3600.0, None), "this message waits, the others do not");
    }

    #[test]
    fn nonsense_is_no_schedule() {
        for text in ["", "5", "5d", "0s", "-1s", "s", "5 s", "1s,2s", "99999h", "五s", "5秒"] {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
    }
}
