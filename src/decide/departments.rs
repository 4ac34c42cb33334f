//! What the service can say of the departments, and what it can make them forget.

use super::Decider;
use crate::domain::Uscc;
pub use crate::sources::SourceHealth;

impl Decider {
    /// Drops all that is kept of a firm: one of its consents was revoked.
    pub fn forget(&self, uscc: &Uscc) {
        self.sources.forget(uscc);
    }

    /// Drops all that is kept of any firm: a revocation may have gone unheard.
    pub fn forget_all(&self) {
        self.sources.forget_all();
    }

    /// How the departments fare.
    pub fn departments(&self) -> Vec<SourceHealth> {
        self.sources.health()
    }
}
