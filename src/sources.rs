//! The departments: all that they say of one firm, gathered at once, in bounded time, under a checked consent.
//!
//! [`Sources::gather`] never fails and never waits for longer than it may. A department that is down, slow, garbled or
//! wrong leaves its part of the dossier without a record, with a status and a detail that say what happened:
//!
//! | the department | evidence |
//! |---|---|
//! | answers 200 with a record that holds | `fresh`, or `stale` where its `as_of` is too long ago |
//! | answers 404 | `absent`: it does not know the firm (the detail warns where the 404 is a web page: a wrong address) |
//! | cannot be reached, is late, hangs up, answers any other status but 2xx, or its breaker is open | `unavailable` |
//! | answers 200 with another firm, an impossible value, an `as_of` before one that it stated earlier, too much, garbage; another 2xx; something that is not HTTP | `invalid` |
//! | is not covered by the consent | `not_covered`: it is not asked |
//!
//! What may pass by itself is tried once more, in the time that is left: no connection, too late, hung up, 5xx.
//! Redirects are not followed: the firm's code goes to the configured address only.
//!
//! ```text
//! gather ─► breaker ─► client ─► reply ─► tax, social_insurance, payment_history ─► evidence
//!           (may we?)  (bytes)   (record)  (is it possible?)
//! ```

mod bounds;
mod breaker;
mod client;
mod failure;
mod payment_history;
mod reply;
#[cfg(test)]
mod samples;
mod social_insurance;
mod tax;

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::domain::evidence::{PaymentHistoryRecord, SocialInsuranceRecord, TaxRecord};
use crate::domain::{ConsentPass, Dossier, Evidence, EvidenceStatus, RejectedReply, SourceKind, Uscc};
use crate::observe::Metrics;
use crate::settings::SourcesSettings;
use breaker::Breaker;
use client::{Answer, Client, Endpoint};
use failure::Failure;
use reply::{Breach, Record};

/// The wait before the second try lies between this and twice this.
const RETRY_DELAY: Duration = Duration::from_millis(25);
/// With less time than this left there is no second try.
const TRY_MIN: Duration = Duration::from_millis(100);

/// Why the departments cannot be asked at all.
#[derive(Debug, Error)]
pub enum SourcesError {
    /// The address of a department makes no sense. The address is not repeated: it may hold a password.
    #[error("sources.{source_name}: {hint}")]
    Endpoint {
        /// The source, as in the settings.
        source_name: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The HTTP client cannot be set up; over https that happens where the machine has no certificates of authorities.
    #[error("the client for the departments cannot be set up: {0}")]
    Client(String),
}

/// The connectors to the departments. Make one and keep it: it holds connections and breakers.
pub struct Sources {
    client: Client,
    metrics: Metrics,
    gather_timeout: Duration,
    try_timeout: Duration,
    tax: Department,
    social_insurance: Department,
    payment_history: Department,
    rejected: Option<Rejected>,
}

/// Takes replies that broke a rule; must not block.
type Rejected = Box<dyn Fn(RejectedReply) + Send + Sync>;

struct Department {
    endpoint: Endpoint,
    breaker: Breaker,
    stale_after_days: i32,
}

/// One gathering: which firm, since when, until when.
struct Gathering<'a> {
    pass: &'a ConsentPass,
    uscc: &'a Uscc,
    now: Timestamp,
    started: Instant,
    deadline: Instant,
}

/// What a department that answered said.
enum Reply<R> {
    Record { record: R, digest: String },
    Refused { breach: Breach, digest: String, body: Vec<u8> },
    Unknown { web_page: bool },
}

impl Sources {
    /// The connectors that `settings` describe. Asks nobody yet.
    ///
    /// # Errors
    /// Where an address makes no URL, or TLS cannot be set up.
    pub fn new(settings: &SourcesSettings, metrics: Metrics) -> Result<Sources, SourcesError> {
        let department = |source| -> Result<Department, SourcesError> {
            let of = settings.of(source);
            let open_for = Duration::from_millis(settings.breaker_open_ms);
            Ok(Department {
                endpoint: Endpoint::new(source, of)?,
                breaker: Breaker::new(source, settings.breaker_failures, open_for, metrics.clone()),
                stale_after_days: of.stale_after_days,
            })
        };
        Ok(Sources {
            client: Client::new(settings)?,
            gather_timeout: Duration::from_millis(settings.gather_timeout_ms),
            try_timeout: Duration::from_millis(settings.try_timeout_ms),
            tax: department(SourceKind::Tax)?,
            social_insurance: department(SourceKind::SocialInsurance)?,
            payment_history: department(SourceKind::PaymentHistory)?,
            rejected: None,
            metrics,
        })
    }

    /// The same connectors, which hand every reply that breaks a rule to `keep`, for inspection. `keep` must not block.
    pub fn handing_rejected_to(self, keep: impl Fn(RejectedReply) + Send + Sync + 'static) -> Sources {
        Sources { rejected: Some(Box::new(keep)), ..self }
    }

    /// Asks all departments that `pass` covers at once about its firm, and returns within `gather_timeout_ms` with what they said,
    /// without the parts that the pass does not cover.
    pub async fn gather(&self, pass: &ConsentPass, now: Timestamp) -> Dossier {
        let started = Instant::now();
        let gathering = Gathering { pass, uscc: pass.uscc(), now, started, deadline: started + self.gather_timeout };
        let (tax, social_insurance, payment_history) = tokio::join!(
            self.evidence::<TaxRecord>(&self.tax, &gathering),
            self.evidence::<SocialInsuranceRecord>(&self.social_insurance, &gathering),
            self.evidence::<PaymentHistoryRecord>(&self.payment_history, &gathering),
        );
        pass.scope().trim(Dossier { uscc: pass.uscc().clone(), tax, social_insurance, payment_history })
    }

    async fn evidence<R: Record>(&self, department: &Department, gathering: &Gathering<'_>) -> Evidence<R> {
        if !gathering.pass.covers(R::SOURCE) {
            return Evidence::missing(EvidenceStatus::NotCovered, "not covered by the consent");
        }
        let backoff = ExponentialBuilder::new().with_min_delay(RETRY_DELAY).with_jitter().with_max_times(1);
        let reply = (|| self.ask_once::<R>(department, gathering))
            .retry(backoff)
            .when(|failure| {
                failure.passing() && gathering.left() >= TRY_MIN && !department.breaker.refuses(Instant::now())
            })
            .await;
        let evidence = self.weigh(department, gathering, reply);
        if let Some(detail) = &evidence.detail {
            tracing::warn!(source = R::SOURCE.as_str(), status = evidence.status.as_str(), detail, "evidence missing");
        }
        evidence
    }

    async fn ask_once<R: Record>(
        &self,
        department: &Department,
        gathering: &Gathering<'_>,
    ) -> Result<Reply<R>, Failure> {
        let asked = Instant::now();
        let Some(permit) = department.breaker.admit(asked) else {
            self.metrics.asked_source(R::SOURCE, Failure::Breaker.as_str(), Duration::ZERO);
            return Err(Failure::Breaker);
        };
        let within = self.try_timeout.min(gathering.left());
        let answer = self.client.ask(&department.endpoint, gathering.uscc, within).await;
        let took = asked.elapsed();
        match &answer {
            Err(failure) if failure.counts() => permit.failed(Instant::now()),
            _ => permit.answered(Instant::now()),
        }
        let reply = answer.map(|answer| Reply::from(answer, gathering));
        let result = match &reply {
            Ok(Reply::Refused { breach, digest, body }) => {
                self.hand_over(R::SOURCE, gathering, (breach, digest, body));
                "invalid"
            }
            Ok(reply) => reply.as_str(),
            Err(failure) => failure.as_str(),
        };
        self.metrics.asked_source(R::SOURCE, result, took);
        reply
    }

    /// Hands a refused reply over to be kept. Where the consent covers only parts of the record, nobody may read the whole later.
    fn hand_over(&self, source: SourceKind, gathering: &Gathering<'_>, refused: (&Breach, &String, &Vec<u8>)) {
        let Some(keep) = &self.rejected else { return };
        let (breach, digest, body) = refused;
        keep(RejectedReply {
            source,
            uscc: gathering.uscc.clone(),
            at: gathering.instant(),
            pointer: breach.pointer.clone(),
            problem: breach.problem.clone(),
            digest: digest.clone(),
            body: gathering.pass.scope().fields().is_none().then(|| body.clone()),
        });
    }

    /// The evidence that a reply makes.
    fn weigh<R: Record>(
        &self,
        department: &Department,
        gathering: &Gathering<'_>,
        reply: Result<Reply<R>, Failure>,
    ) -> Evidence<R> {
        let fetched_at = Some(gathering.instant());
        match reply {
            Ok(Reply::Record { record, digest }) => {
                let as_of = record.as_of();
                self.metrics.evidence_age(R::SOURCE, age_seconds(as_of, gathering.now));
                let stale = as_of < gathering.today().saturating_sub(department.stale_after_days.days());
                let status = if stale { EvidenceStatus::Stale } else { EvidenceStatus::Fresh };
                let (as_of, digest) = (Some(as_of), Some(digest));
                let not_covered = Vec::new();
                Evidence { status, record: Some(record), as_of, fetched_at, digest, detail: None, not_covered }
            }
            Ok(Reply::Refused { breach, digest, .. }) => Evidence {
                fetched_at,
                digest: Some(digest),
                ..Evidence::missing(EvidenceStatus::Invalid, breach.to_string())
            },
            Ok(Reply::Unknown { web_page: false }) => Evidence {
                fetched_at,
                ..Evidence::missing(EvidenceStatus::Absent, "the department does not know the firm (404)")
            },
            Ok(Reply::Unknown { web_page: true }) => Evidence {
                fetched_at,
                ..Evidence::missing(
                    EvidenceStatus::Absent,
                    "the department does not know the firm (404); but the reply is a web page: check base_url and path",
                )
            },
            Err(failure) => Evidence::missing(failure.status(), failure.to_string()),
        }
    }
}

impl<R: Record> Reply<R> {
    fn from(answer: Answer, gathering: &Gathering<'_>) -> Reply<R> {
        match answer {
            Answer::NotFound { web_page } => Reply::Unknown { web_page },
            Answer::Body(body) => {
                let digest = hex::encode(Sha256::digest(&body));
                let record: Result<R, Breach> = reply::read(&body, gathering.uscc, gathering.today());
                let latest = gathering.pass.history().latest_as_of.get(&R::SOURCE);
                match record.and_then(|record| reply::not_before(record, latest)) {
                    Ok(record) => Reply::Record { record, digest },
                    Err(breach) => Reply::Refused { breach, digest, body },
                }
            }
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            Reply::Record { .. } => "ok",
            Reply::Refused { .. } => "invalid",
            Reply::Unknown { .. } => "absent",
        }
    }
}

impl Gathering<'_> {
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The present instant, on the clock that `now` was read from.
    fn instant(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        self.now.saturating_add(passed).unwrap_or(self.now)
    }

    fn today(&self) -> Date {
        self.now.to_zoned(china()).date()
    }
}

/// China's time, the departments': UTC+8 in all provinces and seasons since 1991.
fn china() -> tz::TimeZone {
    tz::TimeZone::fixed(tz::offset(8))
}

/// Seconds since the end of the day `as_of` in China; 0 while that day lasts.
fn age_seconds(as_of: Date, now: Timestamp) -> f64 {
    let day_end = as_of.saturating_add(1.day()).to_zoned(china());
    day_end.map_or(0.0, |end| now.duration_since(end.timestamp()).as_secs_f64().max(0.0))
}
