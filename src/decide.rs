//! THE SPINE: consent → gather → features → score → policy → record, one line a stage. Online, batch, replay and shadow
//! decisions are all made by [`Engine::judge`].

mod appraisals;
mod asking;
mod departments;
mod disputes;
mod engine;
mod entrance;
mod open_look;
mod rescore;
mod turns;
mod verify;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::domain::decision::DecisionRequest;
use crate::domain::{BankId, CaseId, Consent, ConsentId, DecisionId, DecisionRecord, LookEnd, china_date};
use crate::observe::Metrics;
use crate::sources::Sources;
use crate::store::{Committed, DecisionEntry, IdempotencyEntry, Store, StoreError};
use appraisals::Appraisals;
use asking::open_case;
pub use asking::{Asker, DecideError, Decided};
pub use departments::SourceHealth;
use departments::keeping_rejected;
use disputes::setting_aside;
pub use disputes::{fact_of_code, reason_rests_on};
pub use engine::{Engine, EngineError, Occasion};
use open_look::OpenLook;
pub use rescore::{RescoreCounts, rescore_due};
use turns::Turns;
pub use verify::{Difference, Extract, NOT_CHECKED, RecordFile, VerifyError};

/// The open disputes on one part of one firm's record, unless told otherwise: the default of `disputes.open_max`.
const OPEN_DISPUTES_MAX: u32 = 5;

/// Makes decisions online: asks the departments, judges, records.
pub struct Decider {
    store: Store,
    sources: RwLock<Arc<Sources>>,
    metrics: Metrics,
    engine: RwLock<Arc<Engine>>,
    turns: Turns,
    appraisals: Appraisals,
    open_disputes_max: u32,
}

impl Decider {
    /// A decider that serves `engine`. Replies of departments that break a rule go to the store.
    pub fn new(store: Store, sources: Sources, metrics: Metrics, engine: Engine) -> Decider {
        metrics.model_serving(engine.model().id(), engine.model().sha256());
        let sources = RwLock::new(Arc::new(keeping_rejected(sources, &store)));
        let engine = RwLock::new(Arc::new(engine));
        let (turns, appraisals) = (Turns::default(), Appraisals::default());
        Decider { store, sources, metrics, engine, turns, appraisals, open_disputes_max: OPEN_DISPUTES_MAX }
    }

    /// The same with so many disputes that may be open on one part of what one department says of one firm.
    pub fn with_open_disputes(self, most: u32) -> Decider {
        Decider { open_disputes_max: most, ..self }
    }

    /// The engine that is serving.
    pub fn engine(&self) -> Arc<Engine> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves another engine from now on; decisions under way finish with the one that they began with.
    pub fn replace_engine(&self, engine: Engine) {
        self.metrics.model_serving(engine.model().id(), engine.model().sha256());
        *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(engine);
    }

    /// Revokes a consent of `bank`, with all that follows; `None` when the bank has no such consent.
    ///
    /// # Errors
    /// Where the store fails; nothing is revoked then.
    pub async fn revoke(&self, id: ConsentId, bank: BankId, now: Timestamp) -> Result<Option<Consent>, StoreError> {
        let revoked = self.store.revoke_consent(id, bank, now).await?;
        Ok(revoked.inspect(|consent| self.revoked(consent)))
    }

    /// What follows in this process when a consent was revoked. Copies of replies from before the revocation are not used in any
    /// process: [`crate::domain::FirmHistory::revoked_at`] comes with the next pass.
    fn revoked(&self, consent: &Consent) {
        self.forget(&consent.uscc);
        tracing::info!(consent = %consent.id, "consent revoked");
    }

    /// Decides on one firm. `remember` makes of the finished decision what answers a repetition of the request; it is stored in
    /// the same transaction. When this returns `Recorded`, the decision is on disk.
    pub async fn decide(
        &self,
        asker: &Asker,
        request: DecisionRequest,
        now: Timestamp,
        remember: impl FnOnce(&DecisionRecord) -> Option<IdempotencyEntry>,
    ) -> Result<Decided, DecideError> {
        let started = Instant::now();
        let engine = self.engine();
        let entry = self.enter(asker, &request, now).await?;
        let pass = &entry.pass;
        let sources = self.sources();
        let mut look = OpenLook::begin(&self.store, asker, pass, sources.connected(), &request, now);
        if !sources.has_at_hand(pass, now) {
            look.note().await?;
        }
        let dossier = Box::pin(sources.gather(pass, now)).await;
        look.answered(&dossier.all_lines());
        // Revoked or used up while the departments were asked: what they said is dropped, only the look is recorded. Nor does it
        // stay in the cache: it may have come after the revocation had emptied that. As of a moment ago, since the commit looks
        // once more.
        if let Err(error) = self.pass_as_of(true, asker, &request, now).await {
            self.forget(&request.uscc);
            return Err(look.refused(error).await);
        }
        let id = DecisionId(Uuid::now_v7());
        let now = now.saturating_add(SignedDuration::try_from(started.elapsed()).unwrap_or_default()).unwrap_or(now);
        let occasion = Occasion { id, bank: asker.bank, request, now, case_id: CaseId(Uuid::now_v7()) };
        let firm = self.store.firm_on_record(&dossier.uscc).await?;
        let uscc = dossier.uscc.clone();
        let dossier = setting_aside(dossier, &firm.disputes, china_date(now));
        let appraisal = self.appraisals.of(&engine, dossier, china_date(now));
        let record = engine.marked(engine.rule(occasion, &appraisal), &firm.disputes);
        let case = open_case(asker, &record);
        let idempotency = remember(&record);
        let entry = DecisionEntry { record: record.clone(), case, idempotency, look: look.noted() };
        look.committing();
        match self.store.commit_decision(entry).await {
            Err(error) => {
                self.forget_if_refused(&uscc, &error);
                Err(look.refused(error.into()).await)
            }
            Ok(Committed::Replayed(reply)) => {
                look.ended(LookEnd::Repeated).await?;
                Ok(Decided::Replayed(reply))
            }
            Ok(Committed::Stored) => {
                self.metrics.decided(record.decision.outcome, engine.model().id(), started.elapsed());
                Ok(Decided::Recorded(Box::new(record)))
            }
        }
    }
}
