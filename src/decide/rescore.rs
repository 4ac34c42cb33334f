//! Decisions judged again, from their recorded evidence, on the day on which an adverse fact leaves the score.

use jiff::Timestamp;
use uuid::Uuid;

use super::Engine;
use super::disputes::{occasion, setting_aside};
use crate::domain::decision::VersionRef;
use crate::domain::evidence::AdverseFact;
use crate::domain::{DecisionRecord, Dispute, Rescore, RescoreId, Standing, china_date};
use crate::store::{Store, StoreError};

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RescoreCounts {
    /// Decisions judged again, and their banks told.
    pub rescored: u64,
    /// Decisions left alone because the firm has revoked the consent.
    pub revoked: u64,
}

/// Judges again every decision that is still valid and has an adverse fact that left the score by now. Doing it twice on one day
/// changes nothing, whoever does it.
///
/// # Errors
/// [`StoreError::Unavailable`]; [`StoreError::Corrupt`]. What was done before stands; the next run does the rest.
pub async fn rescore_due(store: &Store, engine: &Engine, now: Timestamp) -> Result<RescoreCounts, StoreError> {
    let (mut counts, mut after) = (RescoreCounts::default(), None);
    loop {
        let due = store.decisions_due_for_rescore(after, now).await?;
        let Some(last) = due.last() else { return Ok(counts) };
        after = Some(last.decision.id);
        for record in &due {
            // A firm that has revoked its consent is not looked at again, not even in its favour.
            let consent = store.consent(record.decision.request.consent_id).await?;
            if consent.is_none_or(|consent| consent.revoked_at.is_some()) {
                counts.revoked += 1;
                continue;
            }
            let disputes = store.disputes_about(&record.decision.request.uscc).await?;
            if store.commit_rescore(&engine.rescore(record, &disputes, now)).await? {
                counts.rescored += 1;
            }
        }
    }
}

impl Engine {
    /// A recorded decision judged again at `now`, with the disputes that there are about the firm by then.
    pub fn rescore(&self, record: &DecisionRecord, disputes: &[Dispute], now: Timestamp) -> Rescore {
        let decision = &record.decision;
        let (decided_on, on) = (china_date(decision.decided_at), china_date(now));
        let left = |fact: &AdverseFact| fact.leaves_on.is_some_and(|day| decided_on < day && day <= on);
        let dossier = setting_aside(record.grounds.dossier.clone(), disputes, on);
        Rescore {
            id: RescoreId(Uuid::now_v7()),
            decision: decision.id,
            bank: decision.bank,
            on,
            at: now,
            left: record.grounds.dossier.adverse_facts().into_iter().filter(left).collect(),
            before: Standing::of(decision),
            after: Standing::of(&self.judge(occasion(record, now), dossier).decision),
            model: VersionRef { id: self.model().id().to_owned(), sha256: self.model().sha256().to_owned() },
            policy: self.policy().version().clone(),
        }
    }
}
