//! The departments: all that they say of one firm, gathered at once, in bounded time, under a checked consent.
//!
//! [`Sources::gather`] never fails and never waits for longer than it may. A department that is down, slow, garbled or
//! wrong leaves its part of the dossier without a record, with a status and a detail that say what happened:
//!
//! | the department | evidence |
//! |---|---|
//! | answers 200 with a record that holds | `fresh`, or `stale` where its `as_of` is too long ago |
//! | answered so before, and lets that be used for a while | `cached` |
//! | answered so before, the while is over, and now it gives no answer | `stale`, with what is wrong now |
//! | answers 404 | `absent`: it does not know the firm (the detail warns where the 404 is a web page: a wrong address) |
//! | cannot be reached, is late, hangs up, answers any other status but 2xx, its breaker is open, or too many ask | `unavailable` |
//! | answers 200 with another firm, an impossible value, an `as_of` before one that it stated earlier, too much, garbage; another 2xx; something that is not HTTP | `invalid` |
//! | is not covered by the consent | `not_covered`: it is not asked |
//!
//! What may pass by itself (no connection, too late, hung up, 5xx) is tried once more, a call slower than 95 % of the last ones
//! gets a second beside it, never both, in the time that is left and within a budget: of `n` looks that reach a department at most
//! `n / 10` cost a second call (or 3, where that is more). Looks at one firm at the same time share one call.
//! Redirects are not followed: the firm's code goes to the configured address only.
//!
//! ```text
//! gather ─► cache ─► flights ─► budget, latency ─► bulkhead ─► breaker ─► connector ─► reply ─► tax, … ─► evidence
//!          (kept?)  (under way?) (again? beside?)   (room?)    (may we?)  (any shape)  (record)  (possible?)
//! ```
//!
//! What is kept is kept in memory, by each process for itself, and serves any bank with a valid consent of the firm.
//! [`Sources::forget`] drops it; whoever revokes a consent calls it.

mod bounds;
mod breaker;
mod budget;
mod bulkhead;
mod cache;
mod client;
mod connector;
mod department;
mod failure;
mod fetched;
mod flights;
mod freshness;
mod health;
mod latency;
mod once;
mod parts;
mod payment_history;
mod reply;
#[cfg(test)]
mod samples;
mod social_insurance;
mod tax;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp, civil::Date};
use thiserror::Error;

use crate::domain::evidence::{PaymentHistoryRecord, SocialInsuranceRecord, TaxRecord};
use crate::domain::{ConsentPass, Dossier, Evidence, RejectedReply, SourceKind, Uscc, china_date};
use crate::observe::Metrics;
use crate::settings::SourcesSettings;
use connector::Connectors;
pub use connector::{Misread, Probed, Step, addresses, connectors_in_order, kind_of, probe, read_sample};
use department::Department;
pub use health::{BreakerState, SourceHealth};
use parts::{CourtRecord, RegistryRecord, UtilitiesRecord};
use reply::Record;

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

/// The connectors to the departments. Make one and keep it: it holds connections, breakers, and what departments said of late.
pub struct Sources {
    gather_timeout: Duration,
    tax: Arc<Department<TaxRecord>>,
    social_insurance: Arc<Department<SocialInsuranceRecord>>,
    payment_history: Arc<Department<PaymentHistoryRecord>>,
    registry: Option<Arc<Department<RegistryRecord>>>,
    court: Option<Arc<Department<CourtRecord>>>,
    utilities: Option<Arc<Department<UtilitiesRecord>>>,
    rejected: Rejected,
}

/// Takes replies that broke a rule; must not block. Nobody does until somebody is named.
type Rejected = Arc<OnceLock<Box<dyn Fn(RejectedReply) + Send + Sync>>>;

/// One look at a firm: under which pass, since when, until when.
#[derive(Clone)]
struct Look {
    pass: ConsentPass,
    now: Timestamp,
    started: Instant,
    deadline: Instant,
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
        let rejected = Rejected::default();
        let own = (settings, &metrics, &rejected);
        Ok(Sources {
            gather_timeout: Duration::from_millis(settings.gather_timeout_ms),
            tax: obliged(&mut connectors, own)?,
            social_insurance: obliged(&mut connectors, own)?,
            payment_history: obliged(&mut connectors, own)?,
            registry: connected(&mut connectors, own),
            court: connected(&mut connectors, own),
            utilities: connected(&mut connectors, own),
            rejected,
        })
    }

    /// The same connectors, which hand every reply that breaks a rule to `keep`, for inspection. `keep` must not block.
    pub fn handing_rejected_to(self, keep: impl Fn(RejectedReply) + Send + Sync + 'static) -> Sources {
        // The first one named stays.
        let _ = self.rejected.set(Box::new(keep));
        self
    }

    /// Asks all departments that `pass` covers at once about its firm, and returns within `gather_timeout_ms` with what they said,
    /// without the parts that the pass does not cover.
    pub async fn gather(&self, pass: &ConsentPass, now: Timestamp) -> Dossier {
        let started = Instant::now();
        let look = Look { pass: pass.clone(), now, started, deadline: started + self.gather_timeout };
        let (tax, social_insurance, payment_history, registry, court, utilities) = tokio::join!(
            self.tax.evidence(&look),
            self.social_insurance.evidence(&look),
            self.payment_history.evidence(&look),
            evidence_if_connected(self.registry.as_ref(), &look),
            evidence_if_connected(self.court.as_ref(), &look),
            evidence_if_connected(self.utilities.as_ref(), &look),
        );
        let (uscc, scope) = (pass.uscc().clone(), pass.scope());
        let on = look.today();
        let (others, set_aside) = (Vec::new(), Vec::new());
        let main = Dossier { uscc, tax, social_insurance, payment_history, others, set_aside };
        // Trimmed first: an optional department fills what it is itself covered for, and nothing else.
        let Dossier { uscc, mut tax, social_insurance, mut payment_history, .. } = scope.trim(main);
        let others = [
            registry.map(|part| parts::registry(&mut tax, part, scope)),
            court.map(|part| parts::court(&mut payment_history, part, scope, on)),
            utilities.map(|part| parts::utilities(&mut payment_history, part, scope)),
        ];
        let others = others.into_iter().flatten().collect();
        Dossier { uscc, tax, social_insurance, payment_history, others, set_aside: Vec::new() }
    }

    /// Whether all that `pass` covers is kept and as good as a new answer: then [`Sources::gather`] asks no department.
    pub fn has_at_hand(&self, pass: &ConsentPass, now: Timestamp) -> bool {
        fn all<R: Record>(department: Option<&Arc<Department<R>>>, look: &Look) -> bool {
            department.is_none_or(|department| department.has_at_hand(look))
        }
        let started = Instant::now();
        let look = Look { pass: pass.clone(), now, started, deadline: started + self.gather_timeout };
        self.tax.has_at_hand(&look)
            && self.social_insurance.has_at_hand(&look)
            && self.payment_history.has_at_hand(&look)
            && all(self.registry.as_ref(), &look)
            && all(self.court.as_ref(), &look)
            && all(self.utilities.as_ref(), &look)
    }

    /// The departments that a look under a consent without limits asks.
    pub fn connected(&self) -> impl Iterator<Item = SourceKind> {
        let optional = [
            self.registry.as_ref().map(|_| SourceKind::Registry),
            self.court.as_ref().map(|_| SourceKind::Court),
            self.utilities.as_ref().map(|_| SourceKind::Utilities),
        ];
        SourceKind::ALL.into_iter().chain(optional.into_iter().flatten())
    }

    /// Drops all that is kept of a firm, and what is being fetched at this moment is not kept: for when a consent of the firm
    /// is revoked. Whoever holds another valid consent asks the departments anew.
    pub fn forget(&self, uscc: &Uscc) {
        self.tax.forget(uscc);
        self.social_insurance.forget(uscc);
        self.payment_history.forget(uscc);
        self.registry.iter().for_each(|department| department.forget(uscc));
        self.court.iter().for_each(|department| department.forget(uscc));
        self.utilities.iter().for_each(|department| department.forget(uscc));
    }

    /// Drops all that is kept of any firm: for when a revocation may have gone unheard.
    pub fn forget_all(&self) {
        self.tax.forget_all();
        self.social_insurance.forget_all();
        self.payment_history.forget_all();
        self.registry.iter().for_each(|department| department.forget_all());
        self.court.iter().for_each(|department| department.forget_all());
        self.utilities.iter().for_each(|department| department.forget_all());
    }

    /// How the departments fare: the main ones in the order of [`SourceKind::ALL`], then the optional ones that are
    /// connected.
    pub fn health(&self) -> Vec<SourceHealth> {
        let main = [self.tax.health(), self.social_insurance.health(), self.payment_history.health()];
        let optional = [
            self.registry.as_ref().map(|department| department.health()),
            self.court.as_ref().map(|department| department.health()),
            self.utilities.as_ref().map(|department| department.health()),
        ];
        main.into_iter().chain(optional.into_iter().flatten()).collect()
    }
}

/// What departments share beside their connectors.
type Shared<'a> = (&'a SourcesSettings, &'a Metrics, &'a Rejected);

/// The department whose records are `R`, where one is connected.
fn connected<R: Record>(connectors: &mut Connectors, shared: Shared<'_>) -> Option<Arc<Department<R>>> {
    let (settings, metrics, rejected) = shared;
    connectors.take(R::SOURCE).map(|connector| Department::new(connector, settings, metrics, rejected))
}

/// The same, where there must be one.
fn obliged<R: Record>(connectors: &mut Connectors, shared: Shared<'_>) -> Result<Arc<Department<R>>, SourcesError> {
    connected(connectors, shared).ok_or_else(|| SourcesError::NoConnector { name: R::SOURCE.to_string() })
}

async fn evidence_if_connected<R: Record>(department: Option<&Arc<Department<R>>>, look: &Look) -> Option<Evidence<R>> {
    Some(department?.evidence(look).await)
}

impl Look {
    fn uscc(&self) -> &Uscc {
        self.pass.uscc()
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The present instant, on the clock that `now` was read from.
    fn instant(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        self.now.saturating_add(passed).unwrap_or(self.now)
    }

    fn today(&self) -> Date {
        china_date(self.now)
    }
}
