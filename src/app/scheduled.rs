//! What is done on a schedule. Of the processes that share the store one does it; the others look again later.
//!
//! Runs over the portfolio ([`crate::batch::run_on_schedule`]) and the throwing away of old events ([`crate::outbox`]) are jobs of the
//! same kind. Signed heads of the audit chain are not: each process keeps its own file of them.

use std::time::Duration;

use actix_web::web;
use jiff::Timestamp;

use crate::decide::{Decider, rescore_due};
use crate::store::{Store, StoreError};

/// How often looks that were cut off are looked for.
const CUT_OFF: Duration = Duration::from_secs(60);
/// How often what was kept for long enough is thrown away.
const PURGE: Duration = Duration::from_secs(3600);
/// A job may be done so much earlier than its time after the last: that one took a while, and was noted at its end.
const EARLY: Duration = Duration::from_secs(600);
/// How long after a failed run, or one that another process may be at, decisions are judged again.
const RESCORE_RETRY: Duration = Duration::from_secs(600);

/// Now and every hour throws away what was kept of replies and of batches for long enough.
pub(super) async fn purge(store: Store, keep_days: [u32; 2]) {
    let mut hours = tokio::time::interval(PURGE);
    loop {
        hours.tick().await;
        match store.do_job("purge", PURGE.saturating_sub(EARLY), purge_now(&store, keep_days)).await {
            Ok(Some((replies, batches))) => tracing::info!(replies, batches, "what was kept for long enough is gone"),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "what was kept for long enough is left to the next purge"),
        }
    }
}

async fn purge_now(store: &Store, [replies_days, batches_days]: [u32; 2]) -> Result<(u64, u64), StoreError> {
    let mut replies = 0;
    loop {
        // A thousand at a time, until none is left.
        match store.purge_rejected(replies_days, Timestamp::now()).await? {
            0 => break,
            purged => replies += purged,
        }
    }
    Ok((replies, store.purge_batches(batches_days, Timestamp::now()).await?))
}

/// Now and every minute enters looks into the ledger that a process took down with it. Every process tries; a look is entered once.
pub(super) async fn account_for_looks(store: Store) {
    let mut minutes = tokio::time::interval(CUT_OFF);
    loop {
        minutes.tick().await;
        if let Err(error) = store.enter_cut_off_looks(Timestamp::now()).await {
            tracing::warn!(%error, "looks that were cut off are not in the ledger yet; to be tried again");
        }
    }
}

/// At the start, where nobody has done it today, and every day after midnight in China, judges again what adverse facts have left. Where it fails it is tried again
/// after a while, and where another process is at it, it is looked whether that one came to an end: facts must leave the same day.
pub(super) async fn rescore_daily(store: Store, decider: web::Data<Decider>) {
    loop {
        let now = Timestamp::now();
        let engine = decider.engine();
        let wait = match store.do_job("rescore", since_midnight(now), rescore_due(&store, &engine, now)).await {
            Ok(Some(counts)) => {
                tracing::info!(rescored = counts.rescored, revoked = counts.revoked, "decisions judged again");
                until_tomorrow(Timestamp::now())
            }
            Ok(None) => RESCORE_RETRY.min(until_tomorrow(Timestamp::now())),
            Err(error) => {
                tracing::error!(%error, "decisions could not be judged again; to be tried again");
                RESCORE_RETRY
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// The time since the last midnight in China: what was done before was done on another day.
fn since_midnight(now: Timestamp) -> Duration {
    Duration::from_secs((now.as_second() + 8 * 3600).rem_euclid(86_400).unsigned_abs())
}

/// The time until a minute after the next midnight in China.
fn until_tomorrow(now: Timestamp) -> Duration {
    Duration::from_secs(86_400 + 60).saturating_sub(since_midnight(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_china() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(since_midnight(at("2026-11-02T16:00:00Z")), Duration::ZERO);
        assert_eq!(since_midnight(at("2026-11-02T15:59:59Z")), Duration::from_secs(86_399));
        assert_eq!(until_tomorrow(at("2026-11-02T15:59:00Z")), Duration::from_secs(120));
    }
}
