//! Appraisals that were made of late: while a firm's evidence, the day and the engine are the same, so is the appraisal.
//!
//! Kept in memory only, and only ever used for evidence that is the same to the last value: whoever asks has gathered it under a
//! consent. When the firm revokes one, what is kept of it goes too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;

use super::engine::{Appraisal, Engine};
use crate::domain::{Dossier, Uscc};

/// Firms whose last appraisal is kept, some tens of kilobytes each; all go when there are more.
const FIRMS_MAX: usize = 10_000;

/// The last appraisal of each firm.
#[derive(Default)]
pub(super) struct Appraisals(Mutex<HashMap<Uscc, Kept>>);

struct Kept {
    engine: Arc<Engine>,
    appraisal: Arc<Appraisal>,
}

impl Kept {
    fn is_of(&self, engine: &Arc<Engine>, dossier: &Dossier, on: Date) -> bool {
        Arc::ptr_eq(&self.engine, engine) && self.appraisal.on() == on && self.appraisal.dossier() == dossier
    }
}

impl Appraisals {
    /// What `engine` says of the evidence on that day.
    pub(super) fn of(&self, engine: &Arc<Engine>, dossier: Dossier, on: Date) -> Arc<Appraisal> {
        let kept = self
            .kept()
            .get(&dossier.uscc)
            .map(|kept| Kept { engine: kept.engine.clone(), appraisal: kept.appraisal.clone() });
        if let Some(kept) = kept.filter(|kept| kept.is_of(engine, &dossier, on)) {
            return kept.appraisal;
        }
        let uscc = dossier.uscc.clone();
        let appraisal = Arc::new(engine.appraise(dossier, on));
        let mut kept = self.kept();
        if kept.len() >= FIRMS_MAX {
            kept.clear();
        }
        kept.insert(uscc, Kept { engine: Arc::clone(engine), appraisal: Arc::clone(&appraisal) });
        appraisal
    }

    /// Drops what is kept of a firm.
    pub(super) fn forget(&self, uscc: &Uscc) {
        self.kept().remove(uscc);
    }

    /// Drops what is kept of every firm.
    pub(super) fn forget_all(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Uscc, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
