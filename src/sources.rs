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
//! | answers 200 with another firm, an impossible value, too much, garbage; another 2xx; something that is not HTTP | `invalid` |
//!
//! What may pass by itself is tried once more, in the time that is left: no connection, too late, hung up, 5xx.
//! Redirects are not followed: the firm's code goes to the configured address only.
//!
//! ```text
//! gather ─► breaker ─► connector ─► reply ─► tax, social_insurance, payment_history ─► evidence
//!           (may we?)  (any shape)  (record)  (is it possible?)
//! ```

mod bounds;
mod breaker;
mod client;
mod connector;
mod failure;
mod once;
mod parts;
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
use crate::domain::{ConsentPass, Dossier, Evidence, EvidenceStatus, SourceKind, Uscc};
use crate::observe::Metrics;
use crate::settings::SourcesSettings;
use breaker::Breaker;
use client::Answer;
use connector::{Connector, Connectors};
pub use connector::{Misread, Probed, Step, addresses, connectors_in_order, probe, read_sample};
use failure::Failure;
use parts::{CourtRecord, RegistryRecord, UtilitiesRecord};
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
        source_name: String,
        /// What to do.
        hint: String,
    },
    /// The connectors' file cannot be used.
    #[error("{file} (setting sources.connectors) cannot be used:\n  {}", problems.join("\n  "))]
    Connectors {
        /// The file.
        file: String,
        /// All that is wrong, each with its place.
        problems: Vec<String>,
    },
    /// There is no connector of this name.
    #[error("there is no connector {name}; `yuxin config check` lists them")]
    NoConnector {
        /// The name.
        name: String,
    },
    /// The HTTP client cannot be set up; over https that happens where the machine has no certificates of authorities.
    #[error("the client for the departments cannot be set up: {0}")]
    Client(String),
}

/// The connectors to the departments. Make one and keep it: it holds connections and breakers.
pub struct Sources {
    metrics: Metrics,
    gather_timeout: Duration,
    try_timeout: Duration,
    tax: Department,
    social_insurance: Department,
    payment_history: Department,
    registry: Option<Department>,
    court: Option<Department>,
    utilities: Option<Department>,
}

struct Department {
    connector: Connector,
    breaker: Breaker,
}

/// One gathering: which firm, since when, until when.
struct Gathering<'a> {
    uscc: &'a Uscc,
    now: Timestamp,
    started: Instant,
    deadline: Instant,
}

/// What a department that answered said.
enum Reply<R> {
    Record { record: R, digest: String },
    Refused { breach: Breach, digest: String },
    Unknown { web_page: bool },
}

impl Sources {
    /// The connectors that `settings` describe. Asks nobody yet.
    ///
    /// # Errors
    /// Where an address makes no URL, TLS cannot be set up, or the connectors' file cannot be used.
    pub fn new(settings: &SourcesSettings, metrics: Metrics) -> Result<Sources, SourcesError> {
        let mut connectors = Connectors::load(settings)?;
        for warning in &connectors.warnings {
            tracing::warn!("connectors: {warning}");
        }
        let mut department = |source| {
            let open_for = Duration::from_millis(settings.breaker_open_ms);
            let breaker = Breaker::new(source, settings.breaker_failures, open_for, metrics.clone());
            connectors.take(source).map(|connector| Department { connector, breaker })
        };
        let none = |source: SourceKind| SourcesError::NoConnector { name: source.to_string() };
        Ok(Sources {
            gather_timeout: Duration::from_millis(settings.gather_timeout_ms),
            try_timeout: Duration::from_millis(settings.try_timeout_ms),
            tax: department(SourceKind::Tax).ok_or_else(|| none(SourceKind::Tax))?,
            social_insurance: department(SourceKind::SocialInsurance)
                .ok_or_else(|| none(SourceKind::SocialInsurance))?,
            payment_history: department(SourceKind::PaymentHistory).ok_or_else(|| none(SourceKind::PaymentHistory))?,
            registry: department(SourceKind::Registry),
            court: department(SourceKind::Court),
            utilities: department(SourceKind::Utilities),
            metrics,
        })
    }

    /// Asks all departments at once about the firm of `pass`, and returns within `gather_timeout_ms` with what they said.
    pub async fn gather(&self, pass: &ConsentPass, now: Timestamp) -> Dossier {
        let started = Instant::now();
        let gathering = Gathering { uscc: pass.uscc(), now, started, deadline: started + self.gather_timeout };
        let (mut tax, social_insurance, mut payment_history, registry, court, utilities) = tokio::join!(
            self.evidence::<TaxRecord>(&self.tax, &gathering),
            self.evidence::<SocialInsuranceRecord>(&self.social_insurance, &gathering),
            self.evidence::<PaymentHistoryRecord>(&self.payment_history, &gathering),
            self.evidence_if_connected::<RegistryRecord>(self.registry.as_ref(), &gathering),
            self.evidence_if_connected::<CourtRecord>(self.court.as_ref(), &gathering),
            self.evidence_if_connected::<UtilitiesRecord>(self.utilities.as_ref(), &gathering),
        );
        let others = [
            registry.map(|part| parts::registry(&mut tax, part)),
            court.map(|part| parts::court(&mut payment_history, part)),
            utilities.map(|part| parts::utilities(&mut payment_history, part)),
        ];
        let others = others.into_iter().flatten().collect();
        Dossier { uscc: pass.uscc().clone(), tax, social_insurance, payment_history, others }
    }

    async fn evidence_if_connected<R: Record>(
        &self,
        department: Option<&Department>,
        gathering: &Gathering<'_>,
    ) -> Option<Evidence<R>> {
        Some(self.evidence(department?, gathering).await)
    }

    async fn evidence<R: Record>(&self, department: &Department, gathering: &Gathering<'_>) -> Evidence<R> {
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
        let answer = department.connector.ask(gathering.uscc, within).await;
        let took = asked.elapsed();
        match &answer {
            Err(failure) if failure.counts() => permit.failed(Instant::now()),
            _ => permit.answered(Instant::now()),
        }
        let reply = answer.map(|answer| Reply::from(answer, &department.connector, gathering));
        let result = match &reply {
            Ok(reply) => reply.as_str(),
            Err(failure) => failure.as_str(),
        };
        self.metrics.asked_source(R::SOURCE, result, took);
        reply
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
                let stale = as_of < gathering.today().saturating_sub(department.connector.stale_after_days.days());
                let status = if stale { EvidenceStatus::Stale } else { EvidenceStatus::Fresh };
                let (as_of, digest) = (Some(as_of), Some(digest));
                Evidence { status, record: Some(record), as_of, fetched_at, digest, detail: None }
            }
            Ok(Reply::Refused { breach, digest }) => Evidence {
                fetched_at,
                digest: Some(digest),
                ..Evidence::missing(EvidenceStatus::Invalid, breach.to_string())
            },
            Ok(Reply::Unknown { web_page: false }) => Evidence {
                fetched_at,
                ..Evidence::missing(EvidenceStatus::Absent, "the department does not know the firm")
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
    fn from(answer: Answer, connector: &Connector, gathering: &Gathering<'_>) -> Reply<R> {
        match answer {
            Answer::NotFound { web_page } => Reply::Unknown { web_page },
            Answer::Body(body) => {
                let digest = hex::encode(Sha256::digest(&body));
                match connector.read(&body, gathering.uscc, gathering.today()) {
                    Ok(record) => Reply::Record { record, digest },
                    Err(breach) => Reply::Refused { breach, digest },
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
