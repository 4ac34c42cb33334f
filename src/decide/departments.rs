//! The departments that are asked: others in their place, what the service can say of them, and what it can make them forget.

use std::sync::{Arc, PoisonError};

use super::Decider;
use crate::domain::Uscc;
pub use crate::sources::SourceHealth;
use crate::sources::Sources;
use crate::store::{Store, StoreError};

impl Decider {
    /// The departments as they are asked now.
    pub(super) fn sources(&self) -> Arc<Sources> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks departments through other connectors from now on; looks under way finish with those that they began with. Nothing that
    /// the old ones kept or learned is taken over: it was read by another mapping, or came from elsewhere.
    pub fn replace_sources(&self, sources: Sources) {
        let sources = Arc::new(keeping_rejected(sources, &self.store));
        *self.sources.write().unwrap_or_else(PoisonError::into_inner) = sources;
    }

    /// Drops all that is kept of a firm: one of its consents was revoked.
    pub fn forget(&self, uscc: &Uscc) {
        self.sources().forget(uscc);
        self.appraisals.forget(uscc);
    }

    /// Drops all that is kept of a firm where the store found its consent revoked or used up.
    pub(super) fn forget_if_refused(&self, uscc: &Uscc, error: &StoreError) {
        if matches!(error, StoreError::ConsentRefused(_)) {
            self.forget(uscc);
        }
    }

    /// Drops all that is kept of any firm: a revocation may have gone unheard.
    pub fn forget_all(&self) {
        self.sources().forget_all();
        self.appraisals.forget_all();
    }

    /// How the departments fare.
    pub fn departments(&self) -> Vec<SourceHealth> {
        self.sources().health()
    }
}

/// The same sources, whose replies that break a rule go to the store.
pub(super) fn keeping_rejected(sources: Sources, store: &Store) -> Sources {
    let keeper = store.clone();
    sources.handing_rejected_to(move |reply| keeper.keep_rejected(reply))
}
