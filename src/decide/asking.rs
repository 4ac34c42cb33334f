//! Who asks for a decision, and what the asking comes to.

use thiserror::Error;

use crate::domain::{BankId, Case, CaseState, ConsentRefusal, DecisionRecord};
use crate::store::{StoreError, StoredReply};

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
    Store(StoreError),
}

impl From<StoreError> for DecideError {
    fn from(error: StoreError) -> DecideError {
        match error {
            StoreError::ConsentRefused(refusal) => refusal.into(),
            other => DecideError::Store(other),
        }
    }
}

impl From<ConsentRefusal> for DecideError {
    /// A foreign consent is answered like one that does not exist.
    fn from(refusal: ConsentRefusal) -> DecideError {
        match refusal {
            ConsentRefusal::ForeignBank => DecideError::ConsentUnknown,
            other => DecideError::ConsentRefused(other),
        }
    }
}

/// The office's case for a decision that names one.
pub(super) fn open_case(asker: &Asker, record: &DecisionRecord) -> Option<Case> {
    let decision = &record.decision;
    Some(Case {
        id: decision.case_id?,
        decision: decision.id,
        bank: asker.bank,
        bank_name: asker.name.clone(),
        uscc: decision.request.uscc.clone(),
        firm_name: record.grounds.dossier.tax.record.as_ref().and_then(|tax| tax.name.clone()),
        refer_codes: decision.refer_reasons.iter().map(|reason| reason.code.clone()).collect(),
        outcome: decision.outcome,
        score: decision.score,
        grade: decision.grade.clone(),
        amount: decision.request.amount,
        state: CaseState::Open,
        opened_at: decision.decided_at,
        due_at: Case::due_at(decision.decided_at),
        reviews: Vec::new(),
    })
}
