//! A look under way. However it ends, the ledger gets it: with the decision, or through here.

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
        OpenLook { store: store.clone(), look, open: true }
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
        self.store.enter_look(self.look.clone()).await?;
        self.open = false;
        Ok(())
    }

    /// Ended because the consent holds no more; gives what to tell the bank.
    pub(super) async fn refused(self, error: DecideError) -> DecideError {
        let end = match &error {
            DecideError::ConsentRefused(ConsentRefusal::Used) => LookEnd::ConsentUsed,
            DecideError::ConsentRefused(_) | DecideError::ConsentUnknown => LookEnd::ConsentRevoked,
            // Whether decision and look are on disk cannot be known, or no ledger can be written either.
            DecideError::Store(_) => return error,
        };
        match self.ended(end).await {
            Ok(()) => error,
            Err(failed) => failed.into(),
        }
    }
}

impl Drop for OpenLook {
    fn drop(&mut self) {
        let (true, Ok(runtime)) = (self.open, tokio::runtime::Handle::try_current()) else { return };
        let (store, look) = (self.store.clone(), self.look.clone());
        runtime.spawn(async move {
            if let Err(error) = store.enter_look(look).await {
                tracing::error!(%error, "an abandoned look is not in the ledger");
            }
        });
    }
}
