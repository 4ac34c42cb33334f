//! Disputes on the path of a decision: what an answer would be without a disputed fact, and taking a dispute in.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{Decider, Engine, Occasion};
use crate::domain::evidence::{SetAside, digest_of_value};
use crate::domain::{
    CaseId, DecisionRecord, Dispute, DisputeId, DisputeMark, DisputeVerdict, DisputedFact, Dossier, SourceKind,
    Standing, china_date,
};
use crate::features;
use crate::store::{Committed, IdempotencyEntry, StoreError};

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
            value_sha256: None,
        });
    }
    let (_, source, part) = KNOCK_OUTS.into_iter().find(|(known, ..)| known.eq_ignore_ascii_case(code))?;
    Some(DisputedFact::part(Some(source), Some(part)))
}

/// Whether a reason rests on a disputed fact.
pub fn reason_rests_on(code: &str, fact: &DisputedFact) -> bool {
    let Some(of_reason) = fact_of_code(code) else { return false };
    let (Some(source), Some(part)) = (of_reason.source, of_reason.part.as_deref()) else { return false };
    fact.covers(source, part, of_reason.feature.as_deref())
}

/// SHA-256 of what is stated as a fact on that day, or of what comes out as a feature; `None` where nothing does.
fn digest_of(fact: &DisputedFact, dossier: &Dossier, on: Date) -> Option<String> {
    let value = match &fact.feature {
        Some(feature) => features::extract(dossier, on).get(feature).map(serde_json::Value::from),
        None => dossier.stated(fact),
    };
    value.map(|value| digest_of_value(&value))
}

/// The fact as it stands in the dossier; `None` where the department states something else by now.
fn still_stated(fact: &DisputedFact, dossier: &Dossier, on: Date) -> Option<DisputedFact> {
    match fact.feature {
        Some(_) => {
            (fact.value_sha256.is_some() && fact.value_sha256 == digest_of(fact, dossier, on)).then(|| fact.clone())
        }
        None => dossier.find(fact, &dossier.set_aside),
    }
}

/// The dossier in which every fact is set aside that the office has found the firm right about, has not taken back since, and that
/// the department still states as it was disputed.
pub(super) fn setting_aside(mut dossier: Dossier, disputes: &[Dispute], on: Date) -> Dossier {
    dossier.set_aside.clear();
    // The oldest first, so that the order does not depend on how they were found.
    let stands = |dispute: &&Dispute| dispute.upheld() && !disputes.iter().any(|later| later.withdraws(dispute));
    let mut upheld: Vec<&Dispute> = disputes.iter().filter(stands).collect();
    upheld.sort_unstable_by_key(|dispute| dispute.id.0);
    for dispute in upheld {
        if let Some(fact) = still_stated(&dispute.fact, &dossier, on) {
            dossier.set_aside.push(SetAside { dispute: dispute.id, fact });
        }
    }
    dossier
}

/// The first fact of a recorded dossier that is set aside and was not stated so: its place in the list.
pub(super) fn wrongly_set_aside(dossier: &Dossier, on: Date) -> Option<usize> {
    let stated = |aside: &SetAside| {
        aside.fact.value_sha256.is_some() && aside.fact.value_sha256 == digest_of(&aside.fact, dossier, on)
    };
    dossier.set_aside.iter().position(|aside| !stated(aside))
}

impl Engine {
    /// How the firm of a recorded decision stands with its evidence as it was, judged by this engine for the same occasion.
    pub fn standing(&self, record: &DecisionRecord) -> Standing {
        Standing::of(&self.judge(occasion(record, record.decision.decided_at), record.grounds.dossier.clone()).decision)
    }

    /// How it stands without a fact: what is computed from it is missing, and open within the interval of the score. `None` for a
    /// dispute about the decision as a whole, and where the evidence does not hold the disputed row.
    pub fn standing_without(&self, record: &DecisionRecord, fact: &DisputedFact) -> Option<Standing> {
        fact.source?;
        let mut dossier = record.grounds.dossier.clone();
        // A row stands elsewhere in another decision's evidence, or not at all; anything else is where it is.
        let fact = match (fact.row(), &fact.value_sha256) {
            (Some(_), Some(_)) => dossier.find(fact, &dossier.set_aside)?,
            _ => fact.clone(),
        };
        dossier.set_aside.push(SetAside { dispute: DisputeId(Uuid::nil()), fact });
        Some(Standing::of(&self.judge(occasion(record, record.decision.decided_at), dossier).decision))
    }

    /// The record with disputes on facts of the firm marked in it: open ones, each with what the answer would be without the fact,
    /// and those that the office upheld, whose facts are set aside.
    pub fn marked(&self, mut record: DecisionRecord, disputes: &[Dispute]) -> DecisionRecord {
        let mark = |dispute: &Dispute| {
            let aside = record.grounds.dossier.set_aside.iter().find(|aside| aside.dispute == dispute.id);
            match (aside, &dispute.resolution, dispute.fact.source) {
                (Some(aside), ..) => Some(DisputeMark { fact: aside.fact.clone(), ..dispute.mark(None) }),
                (None, None, Some(_)) => Some(dispute.mark(self.standing_without(&record, &dispute.fact))),
                _ => None,
            }
        };
        record.decision.disputes = disputes.iter().filter_map(mark).collect();
        record
    }

    /// What a decision that is shown now says of disputes about its firm: those that are open, those whose facts it sets aside, and
    /// the bank's own on this very decision whatever became of them.
    pub fn marks(&self, record: &DecisionRecord, disputes: &[Dispute]) -> Vec<DisputeMark> {
        let decision = &record.decision;
        let own = |dispute: &Dispute| dispute.decision == decision.id && dispute.bank == decision.bank;
        let aside = |dispute: &Dispute| {
            let of = decision.disputes.iter().find(|mark| mark.dispute == dispute.id);
            of.filter(|mark| mark.verdict == Some(DisputeVerdict::Upheld))
        };
        let told = |dispute: &&Dispute| {
            let open = dispute.resolution.is_none() && dispute.fact.source.is_some();
            own(dispute) || open || aside(dispute).is_some()
        };
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
        let mark = |dispute: &Dispute| aside(dispute).cloned().unwrap_or_else(|| dispute.mark(without(dispute)));
        disputes.iter().filter(told).map(mark).collect()
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
    /// Takes a dispute in; where the idempotency key is taken, nothing is written.
    ///
    /// # Errors
    /// [`StoreError::DisputeOpen`] when the bank disputes the same fact already; [`StoreError::TooManyDisputes`];
    /// [`StoreError::Unavailable`].
    pub async fn open_dispute(
        &self,
        dispute: &Dispute,
        idempotency: Option<IdempotencyEntry>,
    ) -> Result<Committed, StoreError> {
        self.store.open_dispute_once(dispute, idempotency, self.open_disputes_max).await
    }

    /// A dispute as it would be taken in: from the bank, or by a user of the office. What it would change is worked out from the
    /// recorded evidence; no department is asked.
    pub fn draft_dispute(
        &self,
        record: &DecisionRecord,
        fact: DisputedFact,
        statement: String,
        taken_by: Option<String>,
        now: Timestamp,
    ) -> Dispute {
        let (engine, decision) = (self.engine(), &record.decision);
        let value_sha256 = digest_of(&fact, &record.grounds.dossier, china_date(decision.decided_at));
        let fact = DisputedFact { value_sha256, ..fact };
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
