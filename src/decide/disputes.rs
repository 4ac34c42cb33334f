//! Disputes on the path of a decision: what an answer would be without a disputed fact, and taking a dispute in.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Decider, Engine, Occasion};
use crate::domain::{CaseId, DecisionRecord, Dispute, DisputeId, DisputeMark, DisputedFact, SourceKind, Standing};
use crate::features::{self, Feature};
use crate::store::StoreError;

/// Facts that a knock-out rests on: its code, the source, the part of the record.
const KNOCK_OUTS: [(&str, SourceKind, &str); 3] = [
    ("ENFORCEMENT_OPEN", SourceKind::PaymentHistory, "enforcements"),
    ("TAXPAYER_ABNORMAL", SourceKind::Tax, "status"),
    ("TAXPAYER_DEREGISTERED", SourceKind::Tax, "status"),
];

/// The fact behind a reason code: a feature, or the part of a record that a knock-out rests on.
pub fn fact_of_code(code: &str) -> Option<DisputedFact> {
    if let Some(feature) = features::by_code(code) {
        return Some(DisputedFact {
            source: Some(feature.source),
            feature: Some(feature.name.to_owned()),
            part: Some(feature.part.to_owned()),
            pointer: None,
        });
    }
    let (_, source, part) = KNOCK_OUTS.into_iter().find(|(known, ..)| known.eq_ignore_ascii_case(code))?;
    Some(DisputedFact { source: Some(source), feature: None, part: Some(part.to_owned()), pointer: None })
}

/// Whether a reason rests on a disputed fact.
pub fn reason_rests_on(code: &str, fact: &DisputedFact) -> bool {
    let Some(of_reason) = fact_of_code(code) else { return false };
    let (Some(source), Some(part)) = (of_reason.source, of_reason.part.as_deref()) else { return false };
    fact.covers(source, part, of_reason.feature.as_deref())
}

/// Whether a feature is computed from a disputed fact.
pub(super) fn rests_on(feature: &Feature, fact: &DisputedFact) -> bool {
    fact.covers(feature.source, feature.part, Some(feature.name))
}

impl Engine {
    /// How the firm of a recorded decision stands with its evidence as it was, judged by this engine for the same occasion.
    pub fn standing(&self, record: &DecisionRecord) -> Standing {
        Standing::of(&self.judge(occasion(record, record.decision.decided_at), record.grounds.dossier.clone()).decision)
    }

    /// How it stands without a fact: what is computed from it is missing, and open within the interval of the score. `None` for a
    /// dispute about the decision as a whole.
    pub fn standing_without(&self, record: &DecisionRecord, fact: &DisputedFact) -> Option<Standing> {
        let source = fact.source?;
        let dossier = match fact.feature {
            // One feature of several from the same part: the part itself stays.
            Some(_) => record.grounds.dossier.clone(),
            None => record.grounds.dossier.clone().without(source, fact.part.as_deref()),
        };
        let judged = self.judge_without(occasion(record, record.decision.decided_at), dossier, Some(fact));
        Some(Standing::of(&judged.decision))
    }

    /// The record with open disputes on facts of the firm marked in it, each with what the answer would be without the fact.
    pub fn marked(&self, mut record: DecisionRecord, disputes: &[Dispute]) -> DecisionRecord {
        let open = disputes.iter().filter(|dispute| dispute.resolution.is_none() && dispute.fact.source.is_some());
        record.decision.disputes = open.map(|d| d.mark(self.standing_without(&record, &d.fact))).collect();
        record
    }

    /// What a decision that is shown now says of disputes about its firm: those that are open, and the bank's own on this very
    /// decision whatever became of them.
    pub fn marks(&self, record: &DecisionRecord, disputes: &[Dispute]) -> Vec<DisputeMark> {
        let decision = &record.decision;
        let own = |dispute: &Dispute| dispute.decision == decision.id && dispute.bank == decision.bank;
        let told = |dispute: &&Dispute| own(dispute) || (dispute.resolution.is_none() && dispute.fact.source.is_some());
        let without = |dispute: &Dispute| {
            let recorded = decision.disputes.iter().find(|mark| mark.dispute == dispute.id);
            match recorded {
                Some(mark) => mark.without.clone(),
                None if dispute.decision == decision.id => dispute.without.clone(),
                // Another model's points cannot be set beside the recorded score.
                None if decision.model.sha256 == self.model().sha256() => self.standing_without(record, &dispute.fact),
                None => None,
            }
        };
        disputes.iter().filter(told).map(|dispute| dispute.mark(without(dispute))).collect()
    }
}

/// The occasion of a recorded decision, at another time.
pub(super) fn occasion(record: &DecisionRecord, now: Timestamp) -> Occasion {
    let decision = &record.decision;
    Occasion {
        id: decision.id,
        bank: decision.bank,
        request: decision.request.clone(),
        now,
        // Only whether there is a case shows, and not even that is kept.
        case_id: decision.case_id.unwrap_or(CaseId(Uuid::nil())),
    }
}

impl Decider {
    /// Takes a dispute in: from the bank, or by a user of the office.
    ///
    /// # Errors
    /// [`StoreError::DisputeOpen`] when the same fact is disputed already; [`StoreError::Unavailable`].
    pub async fn open_dispute(
        &self,
        record: &DecisionRecord,
        fact: DisputedFact,
        statement: String,
        taken_by: Option<String>,
        now: Timestamp,
    ) -> Result<Dispute, StoreError> {
        let dispute = self.draft_dispute(record, fact, statement, taken_by, now);
        self.store.open_dispute(&dispute).await?;
        Ok(dispute)
    }

    /// A dispute as it would be taken in. What it would change is worked out from the recorded evidence; no department is asked.
    pub fn draft_dispute(
        &self,
        record: &DecisionRecord,
        fact: DisputedFact,
        statement: String,
        taken_by: Option<String>,
        now: Timestamp,
    ) -> Dispute {
        let (engine, decision) = (self.engine(), &record.decision);
        Dispute {
            id: DisputeId(Uuid::now_v7()),
            decision: decision.id,
            bank: decision.bank,
            uscc: decision.request.uscc.clone(),
            with: engine.standing(record),
            without: engine.standing_without(record, &fact),
            fact,
            statement,
            taken_by,
            opened_at: now,
            due_at: Dispute::due_at(now),
            resolution: None,
        }
    }
}
