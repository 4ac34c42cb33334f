//! A look under way. However it ends, the ledger gets it: with the decision, or through here; and where the process dies, from the note
//! that it had begun.

use jiff::Timestamp;
use uuid::Uuid;

use super::asking::{Asker, DecideError};
use crate::domain::decision::DecisionRequest;
use crate::domain::evidence::EvidenceLine;
use crate::domain::look::asked_of;
use crate::domain::{ConsentPass, ConsentRefusal, Look, LookBy, LookEnd, LookId, SourceKind};
use crate::store::{Store, StoreError};

/// A look under way. Dropped without an end, as happens when the bank hangs up, it enters the ledger as abandoned.
pub(super) struct OpenLook {
    store: Store,
    look: Look,
    /// Whether nothing else has the look in hand.
    open: bool,
    /// Whether it is, or may be, in the store as begun.
    noted: bool,
}

impl OpenLook {
    /// Begins a look: from now on the departments that are `connected` may be asked.
    pub(super) fn begin(
        store: &Store,
        asker: &Asker,
        pass: &ConsentPass,
        connected: impl Iterator<Item = SourceKind>,
        request: &DecisionRequest,
        at: Timestamp,
    ) -> OpenLook {
        let look = Look {
            id: LookId(Uuid::now_v7()),
            uscc: request.uscc.clone(),
            by: LookBy::Bank(asker.bank),
            consent: Some(request.consent_id),
            purpose: request.purpose.clone(),
            at,
            end: LookEnd::Abandoned,
            decision: None,
            asked: connected.filter(|source| pass.covers(*source)).collect(),
            answers: Vec::new(),
        };
        OpenLook { store: store.clone(), look, open: true, noted: false }
    }

    /// Notes that the look has begun; on disk once this returns, so that departments may be asked.
    ///
    /// # Errors
    /// Where the store takes no writes; then no department may be asked.
    pub(super) async fn note(&mut self) -> Result<(), StoreError> {
        // Before: whoever hangs up now may leave the note behind.
        self.noted = true;
        let noted = self.store.begin_look(&self.look).await;
        // Nobody was asked: there is no look to enter.
        self.open = noted.is_ok();
        noted
    }

    /// Its id, where it was noted as begun.
    pub(super) fn noted(&self) -> Option<LookId> {
        self.noted.then_some(self.look.id)
    }

    /// Notes what came back.
    pub(super) fn answered(&mut self, lines: &[EvidenceLine]) {
        self.look.answers = asked_of(lines);
    }

    /// The look is handed to the store together with its decision: it stands or falls with that, also when the bank hangs up now.
    pub(super) fn committing(&mut self) {
        self.open = false;
    }

    /// Ended without a decision of its own.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub(super) async fn ended(mut self, end: LookEnd) -> Result<(), StoreError> {
        self.look.end = end;
        enter(self.store.clone(), self.look.clone(), self.noted).await?;
        self.open = false;
        Ok(())
    }

    /// Ended because the consent holds no more; gives what to tell the bank.
    pub(super) async fn refused(self, error: DecideError) -> DecideError {
        let end = match &error {
            DecideError::ConsentRefused(ConsentRefusal::Used) => LookEnd::ConsentUsed,
            DecideError::ConsentRefused(_) | DecideError::ConsentUnknown => LookEnd::ConsentRevoked,
            // Whether decision and look are on disk cannot be known, or no ledger can be written either. Where they are not, the note
            // that the look had begun still is.
            DecideError::Store(_) => return error,
        };
        match self.ended(end).await {
            Ok(()) => error,
            Err(failed) => failed.into(),
        }
    }
}

async fn enter(store: Store, look: Look, noted: bool) -> Result<(), StoreError> {
    if noted { store.end_look(look).await } else { store.enter_look(look).await }
}

impl Drop for OpenLook {
    fn drop(&mut self) {
        let (true, Ok(runtime)) = (self.open, tokio::runtime::Handle::try_current()) else { return };
        let entering = enter(self.store.clone(), self.look.clone(), self.noted);
        runtime.spawn(async move {
            if let Err(error) = entering.await {
                tracing::error!(%error, "an abandoned look is not in the ledger yet");
            }
        });
    }
}
