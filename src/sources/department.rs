//! One department, asked in the way that spares both sides: what is kept is used, what is under way is shared, a failure is
//! tried once more and a slow call gets a second beside it, both within a budget, and never more calls than there are places.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{Either, select};

use super::breaker::{Breaker, Permit};
use super::budget::Budget;
use super::bulkhead::{Bulkhead, Place};
use super::cache::{Cache, Epoch, Found};
use super::connector::Connector;
use super::failure::Failure;
use super::fetched::{Fetched, Served, age_seconds};
use super::flights::{Flight, Flights};
use super::freshness::Limits;
use super::health::{SourceHealth, Tally};
use super::latency::Latencies;
use super::reply::Record;
use super::{Look, Rejected};
use crate::domain::{Evidence, EvidenceStatus, SourceKind, Uscc};
use crate::observe::Metrics;
use crate::settings::SourcesSettings;

/// The wait before the second try lies anywhere between none and this: full jitter, so that those who failed together do not
/// come back together.
const RETRY_DELAY_MAX: Duration = Duration::from_millis(50);
/// With less time than this left there is no further call.
const TRY_MIN: Duration = Duration::from_millis(100);
/// A call ends by itself at the deadline; who waits for it lets it say so.
const GRACE: Duration = Duration::from_millis(20);

/// What a call brings; shared by all that wait for it.
type Reply<R> = Result<Arc<Fetched<R>>, Failure>;

/// A department whose records are `R`.
pub(super) struct Department<R: Record> {
    metrics: Metrics,
    connector: Connector,
    rejected: Rejected,
    breaker: Breaker,
    bulkhead: Bulkhead,
    budget: Budget,
    latencies: Latencies,
    tally: Tally,
    cache: Cache<Arc<Fetched<R>>>,
    limits: Limits,
    flights: Flights<Reply<R>>,
    try_timeout: Duration,
}

/// Which of the calls for one look this is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    /// The first failed.
    Again,
    /// The first is slow and goes on.
    Beside,
}

impl<R: Record> Department<R> {
    /// The department behind `connector`, with connections of its own. Replies that break a rule go to `rejected`.
    pub(super) fn new(
        connector: Connector,
        settings: &SourcesSettings,
        metrics: &Metrics,
        rejected: &Rejected,
    ) -> Arc<Department<R>> {
        let open_for = Duration::from_millis(settings.breaker_open_ms);
        Arc::new(Department {
            limits: Limits::new(settings, connector.cache_seconds),
            connector,
            rejected: rejected.clone(),
            breaker: Breaker::new(R::SOURCE, settings.breaker_failures, open_for, metrics.clone()),
            bulkhead: Bulkhead::new(R::SOURCE, settings.concurrent_max, metrics.clone()),
            budget: Budget::new(),
            latencies: Latencies::new(),
            tally: Tally::default(),
            cache: Cache::new(settings.cache_entries_max),
            flights: Flights::new(),
            try_timeout: Duration::from_millis(settings.try_timeout_ms),
            metrics: metrics.clone(),
        })
    }

    /// What the department says of the firm, or why it says nothing; by the deadline of `look`.
    pub(super) async fn evidence(self: &Arc<Self>, look: &Look) -> Evidence<R> {
        if !look.pass.covers(R::SOURCE) {
            return Evidence::missing(EvidenceStatus::NotCovered, "not covered by the consent");
        }
        let evidence = self.find(look).await;
        if let Some(detail) = &evidence.detail {
            let (source, status) = (R::SOURCE.as_str(), evidence.status.as_str());
            match evidence.status {
                // Nothing is wrong with a department that does not know a firm; the answer and the metrics tell of it.
                EvidenceStatus::Absent => tracing::debug!(source, status, detail, "evidence missing"),
                _ if evidence.record.is_some() => {
                    tracing::warn!(source, status, detail, "evidence outlived its time");
                }
                _ => tracing::warn!(source, status, detail, "evidence missing"),
            }
        }
        evidence
    }

    /// Whether a look can be answered with what is kept, as good as a new answer.
    pub(super) fn has_at_hand(&self, look: &Look) -> bool {
        let good = |found: &Found<Arc<Fetched<R>>>| matches!(found, Found::Good(_)) && found.kept().serves(look);
        !look.pass.covers(R::SOURCE) || self.cache.find(look.uscc(), Instant::now()).as_ref().is_some_and(good)
    }

    /// Drops all that is kept of a firm; what is on its way is not kept either, and nobody joins it any more.
    pub(super) fn forget(&self, uscc: &Uscc) {
        self.cache.forget(uscc);
        self.flights.forget(uscc);
    }

    /// Drops all that is kept of any firm, and what is on its way is not kept.
    pub(super) fn forget_all(&self) {
        self.cache.forget_all();
        self.flights.forget_all();
    }

    /// How the department fares.
    pub(super) fn health(&self) -> SourceHealth {
        let counts = self.tally.counts();
        let (recent, answered) = counts.answered();
        SourceHealth {
            source: R::SOURCE,
            breaker: self.breaker.state(),
            recent,
            answered,
            latency_p50: self.latencies.quantile(0.5),
            latency_p95: self.latencies.quantile(0.95),
            inflight: self.bulkhead.taken(),
            concurrent_max: self.bulkhead.places_max(),
            retries: counts.retries,
            hedges: counts.hedges,
            hedges_won: counts.hedges_won,
            cache_hits: counts.cache_hits,
            stale_served: counts.stale_served,
            cached: self.cache.len(),
            last_failure: counts.last_failure,
        }
    }

    async fn find(self: &Arc<Self>, look: &Look) -> Evidence<R> {
        let asked = self.cache.epoch();
        // A copy from before a revocation, or older than what the department stated since elsewhere, is not used.
        match self.cache.find(look.uscc(), Instant::now()).filter(|found| found.kept().serves(look)) {
            Some(Found::Good(kept)) => self.serve_kept(look, &kept, "hit"),
            Some(Found::Ageing(kept)) => {
                tokio::spawn(self.fly(look, asked).0);
                self.serve_kept(look, &kept, "revalidating")
            }
            Some(Found::Old(kept)) => self.better_than(&kept, look, asked).await,
            None => {
                let (flight, joined) = self.fly(look, asked);
                self.metrics.source_cache(R::SOURCE, if joined { "shared" } else { "miss" });
                let within = look.left() + GRACE;
                let reply = tokio::time::timeout(within, flight).await;
                self.weigh(look, reply.unwrap_or(Err(Failure::Timeout { within })))
            }
        }
    }

    fn serve_kept(&self, look: &Look, kept: &Fetched<R>, result: &'static str) -> Evidence<R> {
        self.metrics.source_cache(R::SOURCE, result);
        self.tally.count(|counts| counts.cache_hits += 1);
        kept.evidence(look, self.connector.stale_after_days, &Served::Kept)
    }

    fn weigh(&self, look: &Look, reply: Reply<R>) -> Evidence<R> {
        match reply {
            Ok(fetched) => fetched.evidence(look, self.connector.stale_after_days, &Served::Fetched),
            Err(failure) => Evidence::missing(failure.status(), failure.to_string()),
        }
    }

    /// The department's answer, or `kept`, which has outlived its time, where there is none within the time of one try. The call
    /// goes on in the background then, so that the next look finds its answer.
    async fn better_than(self: &Arc<Self>, kept: &Fetched<R>, look: &Look, asked: Epoch) -> Evidence<R> {
        let (flight, joined) = self.fly(look, asked);
        tokio::spawn(flight.clone());
        let why = match tokio::time::timeout(self.try_timeout.min(look.left()), flight).await {
            Ok(Err(failure)) if failure.status() == EvidenceStatus::Unavailable => failure.to_string(),
            Ok(reply) => {
                self.metrics.source_cache(R::SOURCE, if joined { "shared" } else { "miss" });
                return self.weigh(look, reply);
            }
            Err(_late) => Failure::Timeout { within: self.try_timeout }.to_string(),
        };
        self.metrics.source_cache(R::SOURCE, "stale");
        self.tally.count(|counts| counts.stale_served += 1);
        kept.evidence(look, self.connector.stale_after_days, &Served::Outlived(&why))
    }

    /// The call about the firm that is under way, with `true`, or a new one.
    fn fly(self: &Arc<Self>, look: &Look, asked: Epoch) -> (Flight<Reply<R>>, bool) {
        self.flights.join(look.uscc(), || self.clone().fetch(look.clone(), asked).boxed())
    }

    /// Asks, and keeps the answer as far as that is allowed.
    async fn fetch(self: Arc<Self>, look: Look, asked: Epoch) -> Reply<R> {
        let fetched = self.ask(&look).await?;
        if let Some(as_of) = fetched.as_of() {
            self.metrics.evidence_age(R::SOURCE, age_seconds(as_of, look.now));
        }
        if let Some(life) = fetched.life(self.limits) {
            self.cache.keep(look.uscc(), fetched.clone(), life, Instant::now(), asked);
        }
        Ok(fetched)
    }

    /// Asks once, or twice: again where that may help, or beside a slow call, and never both.
    async fn ask(&self, look: &Look) -> Reply<R> {
        let (first, hedged) = self.ask_hedged(look).await;
        match first {
            Err(failure) if failure.passing() && !hedged && self.may_ask_more(look) && self.budget.spend_retry() => {
                self.metrics.source_retried(R::SOURCE);
                self.tally.count(|counts| counts.retries += 1);
                tokio::time::sleep(RETRY_DELAY_MAX.mul_f64(rand::random::<f64>())).await;
                self.ask_once(look, Turn::Again).await
            }
            reply => reply,
        }
    }

    fn may_ask_more(&self, look: &Look) -> bool {
        look.left() >= TRY_MIN && !self.breaker.refuses(Instant::now())
    }

    /// The first call, with another beside it where it is slower than 95 % of the last ones; and whether there was another.
    async fn ask_hedged(&self, look: &Look) -> (Reply<R>, bool) {
        let first = pin!(self.ask_once(look, Turn::First));
        let Some(wait) = self.latencies.hedge_after() else { return (first.await, false) };
        let asked = Instant::now();
        let first = match select(first, pin!(tokio::time::sleep(wait))).await {
            Either::Left((reply, _)) => return (reply, false),
            Either::Right(((), first)) => first,
        };
        if !self.may_ask_more(look) || !self.bulkhead.has_room() || !self.budget.spend_hedge() {
            return (first.await, false);
        }
        self.tally.count(|counts| counts.hedges += 1);
        let reply = match select(first, pin!(self.ask_once(look, Turn::Beside))).await {
            Either::Left((reply, _)) if good(&reply) => (reply, false),
            Either::Left((reply, beside)) => better(reply, beside.await, true),
            Either::Right((reply, _)) if good(&reply) => (reply, true),
            Either::Right((reply, first)) => better(reply, first.await, false),
        };
        let (reply, won) = reply;
        if won {
            // The slow call is given up: it took at least as long as this.
            self.latencies.push(asked.elapsed());
            self.tally.count(|counts| counts.hedges_won += 1);
        }
        self.metrics.source_hedged(R::SOURCE, won);
        (reply, true)
    }

    async fn ask_once(&self, look: &Look, turn: Turn) -> Reply<R> {
        let (_place, permit) = match self.admit(look, turn).await {
            Ok(admitted) => admitted,
            Err(failure) => {
                self.metrics.asked_source(R::SOURCE, failure.as_str(), None);
                self.tally.refused(failure, look.instant());
                return Err(failure);
            }
        };
        if turn == Turn::First {
            self.budget.earn();
        }
        let call = Call { source: R::SOURCE, metrics: &self.metrics, asked: Instant::now(), ended: false };
        let within = self.try_timeout.min(look.left());
        let answer = self.connector.ask(look.uscc(), within, &self.budget).await;
        let took = call.asked.elapsed();
        match &answer {
            Err(failure) if failure.counts() => permit.failed(Instant::now()),
            Err(failure) if failure.is_of_tokens() => drop(permit),
            _ => permit.answered(Instant::now()),
        }
        let reply = answer.map(|answer| Arc::new(Fetched::new(answer, &self.connector, look)));
        let result = match &reply {
            Ok(fetched) => {
                if let (Some(rejected), Some(keep)) = (fetched.rejected(look), self.rejected.get()) {
                    keep(rejected);
                }
                self.latencies.push(took);
                fetched.as_str()
            }
            Err(failure) => failure.as_str(),
        };
        self.tally.called(result, good(&reply), look.instant());
        call.ended(result, took);
        reply
    }

    /// A place and the breaker's leave. Waiting for a place counts against the deadline; who finds one too late for a try leaves it.
    async fn admit(&self, look: &Look, turn: Turn) -> Result<(Place<'_>, Permit<'_>), Failure> {
        if self.breaker.refuses(Instant::now()) {
            return Err(Failure::Breaker);
        }
        let place = match turn {
            Turn::Beside => self.bulkhead.enter_now(),
            Turn::First | Turn::Again => self.bulkhead.enter(look.left().saturating_sub(TRY_MIN)).await,
        };
        let place = place.ok_or(Failure::Full)?;
        let permit = self.breaker.admit(Instant::now()).ok_or(Failure::Breaker)?;
        Ok((place, permit))
    }
}

/// Whether the reply is an answer that can be used.
fn good<R: Record>(reply: &Reply<R>) -> bool {
    reply.as_ref().is_ok_and(|fetched| fetched.holds())
}

/// Of two replies the later one where it is good, else the earlier; and whether the hedge brought it.
fn better<R: Record>(earlier: Reply<R>, later: Reply<R>, later_is_hedge: bool) -> (Reply<R>, bool) {
    if good(&later) { (later, later_is_hedge) } else { (earlier, false) }
}

/// A call under way; one that is given up before its end is counted as such.
struct Call<'a> {
    source: SourceKind,
    metrics: &'a Metrics,
    asked: Instant,
    ended: bool,
}

impl Call<'_> {
    fn ended(mut self, result: &'static str, took: Duration) {
        self.ended = true;
        self.metrics.asked_source(self.source, result, Some(took));
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.metrics.asked_source(self.source, "given_up", None);
        }
    }
}
