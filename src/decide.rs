//! THE SPINE: consent → gather → features → score → policy → record, one line a stage. Online, batch, replay and shadow
//! decisions are all made by [`Engine::judge`].

mod disputes;
mod engine;
mod rescore;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use uuid::Uuid;

use crate::domain::decision::DecisionRequest;
use crate::domain::{BankId, Case, CaseId, ConsentPass, ConsentRefusal, DecisionId, DecisionRecord};
use crate::observe::Metrics;
use crate::sources::Sources;
use crate::store::{Committed, DecisionEntry, IdempotencyEntry, Store, StoreError, StoredReply};
pub use disputes::{fact_of_code, reason_rests_on};
pub use engine::{Engine, EngineError, Occasion};
pub use rescore::{RescoreCounts, rescore_due};

/// Makes decisions online: asks the departments, judges, records.
pub struct Decider {
    store: Store,
    sources: Sources,
    metrics: Metrics,
    engine: RwLock<Arc<Engine>>,
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The bank.
    pub bank: BankId,
    /// Its name.
    pub name: String,
}

/// What became of a request for a decision.
#[derive(Debug)]
pub enum Decided {
    /// It was decided and recorded.
    Recorded(Box<DecisionRecord>),
    /// Another request with the same idempotency key was first; this was its answer.
    Replayed(StoredReply),
}

/// Why no decision was made.
#[derive(Debug, Error)]
pub enum DecideError {
    /// There is no such consent, or it belongs to another bank, which is not told apart.
    #[error("there is no such consent")]
    ConsentUnknown,
    /// The consent does not cover this look.
    #[error(transparent)]
    ConsentRefused(ConsentRefusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Decider {
    /// A decider that serves `engine`.
    pub fn new(store: Store, sources: Sources, metrics: Metrics, engine: Engine) -> Decider {
        metrics.model_serving(engine.model().id(), engine.model().sha256());
        Decider { store, sources, metrics, engine: RwLock::new(Arc::new(engine)) }
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

    /// Checks the consent as it is stored now.
    async fn pass(&self, asker: &Asker, request: &DecisionRequest, now: Timestamp) -> Result<ConsentPass, DecideError> {
        let consent = self.store.consent(request.consent_id).await?.ok_or(DecideError::ConsentUnknown)?;
        consent.check(asker.bank, &request.uscc, &request.purpose, now).map_err(refused)
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
        let pass = self.pass(asker, &request, now).await?;
        let dossier = self.sources.gather(&pass, now).await;
        // Revoked while the departments were asked: what they said is dropped, nothing is recorded.
        self.pass(asker, &request, now).await?;
        let id = DecisionId(Uuid::now_v7());
        let now = now.saturating_add(SignedDuration::try_from(started.elapsed()).unwrap_or_default()).unwrap_or(now);
        let occasion = Occasion { id, bank: asker.bank, request, now, case_id: CaseId(Uuid::now_v7()) };
        let disputes = self.store.disputes_about(&dossier.uscc).await?;
        let record = engine.marked(engine.judge(occasion, dossier), &disputes);
        let case = open_case(asker, &record);
        let idempotency = remember(&record);
        let entry = DecisionEntry { record: record.clone(), case, idempotency };
        match self.store.commit_decision(entry).await? {
            Committed::Replayed(reply) => Ok(Decided::Replayed(reply)),
            Committed::Stored => {
                self.metrics.decided(record.decision.outcome, engine.model().id(), started.elapsed());
                Ok(Decided::Recorded(Box::new(record)))
            }
        }
    }
}

/// A foreign consent is answered like one that does not exist.
fn refused(refusal: ConsentRefusal) -> DecideError {
    match refusal {
        ConsentRefusal::ForeignBank => DecideError::ConsentUnknown,
        other => DecideError::ConsentRefused(other),
    }
}

/// The office's case for a decision that names one.
fn open_case(asker: &Asker, record: &DecisionRecord) -> Option<Case> {
    let decision = &record.decision;
    Some(Case {
        id: decision.case_id?,
        decision: decision.id,
        bank: asker.bank,
        bank_name: asker.name.clone(),
        uscc: decision.request.uscc.clone(),
        firm_name: record.dossier.tax.record.as_ref().and_then(|tax| tax.name.clone()),
        refer_codes: decision.refer_reasons.iter().map(|reason| reason.code.clone()).collect(),
        outcome: decision.outcome,
        score: decision.score,
        grade: decision.grade.clone(),
        amount: decision.request.amount,
        state: crate::domain::CaseState::Open,
        opened_at: decision.decided_at,
        due_at: Case::due_at(decision.decided_at),
        reviews: Vec::new(),
    })
}
