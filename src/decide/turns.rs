//! Decisions under one consent for one look take turns, so that only the first of them asks the departments.
//!
//! Between replicas over one database nobody takes turns: there the commit refuses the second decision, and its look is in the
//! ledger as `consent_used`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::domain::ConsentId;

/// Locks that are in nobody's use are thrown away once there are this many.
const LOCKS_MAX: usize = 1024;

/// One lock for each consent in use.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<ConsentId, Arc<tokio::sync::Mutex<()>>>>);

/// One's turn, until dropped.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Waits until it is one's turn.
    pub(super) async fn take(&self, consent: ConsentId) -> Turn {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if locks.len() > LOCKS_MAX {
                locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            locks.entry(consent).or_default().clone()
        };
        lock.lock_owned().await
    }
}
