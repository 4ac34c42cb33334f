//! Facts that count for nothing: the office upheld the firm's dispute, and the department still states what it stated then.
//!
//! Such a fact stays in the evidence as it came, and is left out of all that is made of it: the score, the knock-outs, the
//! contradictions, the limit. What is left out is missing, never zero. Of rows that stand for themselves, as an enforcement
//! does, only the disputed one is left out; a row of a month is part of a series in which a gap would say something, so there
//! the whole part is missing.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Contradicted, Dossier, EvidenceLine, SourceKind};
use crate::domain::{DisputeId, DisputedFact};

/// Parts whose rows stand for themselves: each is an event, and a row that is not there says nothing.
const EVENTS: [&str; 2] = ["wage_arrears", "enforcements"];

/// What is left out where it is all that a source says.
pub(super) const WHOLE: &str = "record";

/// A fact that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// The dispute that the office upheld.
    pub dispute: DisputeId,
    /// The fact, where it stands in this dossier.
    pub fact: DisputedFact,
}

/// SHA-256 of a value's JSON, in hexadecimal.
pub fn digest_of_value(value: &Value) -> String {
    hex::encode(Sha256::digest(value.to_string().as_bytes()))
}

impl DisputedFact {
    /// The number of the row that the pointer names, from 0.
    pub fn row(&self) -> Option<usize> {
        let (_, row) = self.pointer.as_deref()?.strip_prefix('/')?.split_once('/')?;
        row.parse().ok()
    }

    /// The number of the row where it stands for itself and can be left out alone.
    fn event(&self) -> Option<usize> {
        let part = self.part.as_deref().filter(|part| EVENTS.contains(part) && self.feature.is_none());
        part.and_then(|_| self.row())
    }

    /// What is left out where the fact is: a feature by its name, a part, a row as `enforcements/0`, or `record` for all.
    pub fn place(&self) -> String {
        match (&self.feature, &self.part, self.event()) {
            (Some(feature), ..) => feature.clone(),
            (None, Some(part), Some(row)) => format!("{part}/{row}"),
            // Without its months there is no record of social insurance.
            (None, Some(part), None) if self.source == Some(SourceKind::SocialInsurance) && part == "months" => {
                WHOLE.to_owned()
            }
            (None, Some(part), None) => part.clone(),
            (None, None, _) => WHOLE.to_owned(),
        }
    }

    /// Whether both are the same fact, wherever it stood in the record that each was seen in.
    pub fn is_same_as(&self, other: &DisputedFact) -> bool {
        let same_place = (self.source, &self.feature, &self.part) == (other.source, &other.feature, &other.part);
        let same_row = match (self.row(), other.row(), &self.value_sha256, &other.value_sha256) {
            (None, None, ..) => true,
            (Some(_), Some(_), Some(own), Some(others)) => own == others,
            (own, others, ..) => own == others,
        };
        same_place && same_row
    }
}

impl Dossier {
    /// What a source's record says, as JSON; null where there is none.
    fn record(&self, source: SourceKind) -> Value {
        // Plain data: writing it cannot fail.
        match source {
            SourceKind::Tax => serde_json::to_value(&self.tax.record),
            SourceKind::SocialInsurance => serde_json::to_value(&self.social_insurance.record),
            SourceKind::PaymentHistory => serde_json::to_value(&self.payment_history.record),
            SourceKind::Registry | SourceKind::Court | SourceKind::Utilities => Ok(Value::Null),
        }
        .unwrap_or_default()
    }

    /// What the department states as the fact: a part, a row, or the whole record but its date. A feature is computed, not stated.
    pub fn stated(&self, fact: &DisputedFact) -> Option<Value> {
        let mut record = self.record(fact.source?);
        let stated = match (&fact.part, fact.row()) {
            (None, _) => {
                record.as_object_mut()?.remove("as_of");
                record
            }
            (Some(part), None) => record.get(part)?.clone(),
            (Some(part), Some(row)) => record.get(part)?.get(row)?.clone(),
        };
        (!stated.is_null()).then_some(stated)
    }

    /// The same fact in this dossier: a row wherever it stands now, but none that is `taken`; anything else where it was. `None`
    /// where the department states no such thing any more.
    pub fn find(&self, fact: &DisputedFact, taken: &[SetAside]) -> Option<DisputedFact> {
        let digest = fact.value_sha256.as_deref()?;
        let (Some(part), Some(before), Some(source)) = (&fact.part, fact.row(), fact.source) else {
            return self.stated(fact).filter(|value| digest_of_value(value) == digest).map(|_| fact.clone());
        };
        let record = self.record(source);
        let rows = record.get(part)?.as_array()?;
        let free = |row: &usize| {
            let taken = taken.iter().any(|aside| {
                (aside.fact.source, &aside.fact.part, aside.fact.event()) == (Some(source), &fact.part, Some(*row))
            });
            !taken && rows.get(*row).is_some_and(|value| digest_of_value(value) == digest)
        };
        // Where it stood before, if it is there: rows that say the same cannot be told apart otherwise.
        let row = [before].into_iter().chain(0..rows.len()).find(free)?;
        Some(DisputedFact { pointer: Some(format!("/{part}/{row}")), ..fact.clone() })
    }

    /// What is to be judged: the dossier without the facts that are set aside. Features that are set aside are left out later.
    pub fn used(&self) -> Cow<'_, Dossier> {
        if self.set_aside.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut used = self.clone();
        let facts = || self.set_aside.iter().map(|aside| &aside.fact).filter(|fact| fact.feature.is_none());
        let mut rows: Vec<(&str, usize)> =
            facts().filter_map(|fact| Some((fact.part.as_deref()?, fact.event()?))).collect();
        // From the last: the numbers of those before stay what they are.
        rows.sort_unstable_by(|a, b| b.cmp(a));
        rows.dedup();
        for (part, row) in rows {
            used.payment_history.record.iter_mut().for_each(|record| record.drop_row(part, row));
        }
        for fact in facts().filter(|fact| fact.event().is_none()) {
            if let Some(source) = fact.source {
                used = used.without(source, fact.part.as_deref());
            }
        }
        // What was left out contradicts nobody any more.
        for line in &mut used.others {
            line.contradicts.retain(|told| !self.leaves_out(told));
        }
        Cow::Owned(used)
    }

    /// Whether the contradiction is over with what is set aside: the whole part, or every row that departments differ on. Where the
    /// other department states further rows, these still contradict the main one.
    fn leaves_out(&self, told: &Contradicted) -> bool {
        let facts = || {
            let facts = self.set_aside.iter().map(|aside| &aside.fact);
            facts.filter(|fact| fact.source == Some(told.main) && fact.feature.is_none())
        };
        let of_part = |fact: &&DisputedFact| fact.part.as_ref() == Some(&told.part);
        let whole = |fact: &DisputedFact| fact.part.is_none() || (of_part(&fact) && fact.event().is_none());
        let rows: Vec<usize> = facts().filter(of_part).filter_map(DisputedFact::event).collect();
        facts().any(whole) || (!told.rows.is_empty() && told.rows.iter().all(|row| rows.contains(row)))
    }

    /// The lines of an answer for which `used` was judged. A source that is left out as a whole stands there as it answered.
    pub fn lines_judged(&self, used: &Dossier) -> Vec<EvidenceLine> {
        let answered = self.lines();
        let mut lines = used.all_lines();
        for line in lines.iter_mut().filter(|line| line.is_set_aside()) {
            if let Some(answered) = answered.iter().find(|answered| answered.source == line.source) {
                line.clone_from(answered);
            }
        }
        lines
    }

    /// Whether this feature is set aside.
    pub fn sets_aside(&self, source: SourceKind, feature: &str) -> bool {
        let of = |aside: &SetAside| aside.fact.source == Some(source) && aside.fact.feature.as_deref() == Some(feature);
        self.set_aside.iter().any(of)
    }

    /// What is set aside of a source.
    pub(super) fn places_set_aside(&self, source: SourceKind) -> Vec<String> {
        let own = self.set_aside.iter().filter(|aside| aside.fact.source == Some(source));
        let mut places: Vec<String> = own.map(|aside| aside.fact.place()).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use uuid::Uuid;

    use super::super::{Enforcement, Evidence, EvidenceStatus, PaymentHistoryRecord};
    use super::*;
    use crate::domain::Fen;

    fn enforcement(yuan: i64) -> Enforcement {
        Enforcement {
            opened_on: date(2026, 1, 5),
            closed_on: None,
            amount: Fen::from_yuan(yuan),
            severity: None,
            repaired_on: None,
            display_end: None,
        }
    }

    fn dossier(amounts: &[i64]) -> Dossier {
        let record = PaymentHistoryRecord {
            as_of: date(2026, 10, 31),
            bills: None,
            loans: None,
            supplier_delays: None,
            wage_arrears: None,
            enforcements: Some(amounts.iter().map(|yuan| enforcement(*yuan)).collect()),
        };
        let nothing = || Evidence::missing(EvidenceStatus::Unavailable, "nothing");
        Dossier {
            uscc: "91330604MA2XY0014W".parse().unwrap(),
            tax: nothing(),
            social_insurance: Evidence::missing(EvidenceStatus::Unavailable, "nothing"),
            payment_history: Evidence { record: Some(record), ..Evidence::missing(EvidenceStatus::Fresh, "") },
            others: vec![],
            set_aside: vec![],
        }
    }

    /// The row of the first dossier as a disputed fact.
    fn row(of: &Dossier, row: usize) -> DisputedFact {
        let fact = DisputedFact {
            source: Some(SourceKind::PaymentHistory),
            feature: None,
            part: Some("enforcements".to_owned()),
            pointer: Some(format!("/enforcements/{row}")),
            value_sha256: None,
        };
        let value_sha256 = of.stated(&fact).map(|value| digest_of_value(&value));
        DisputedFact { value_sha256, ..fact }
    }

    fn setting_aside(mut dossier: Dossier, facts: &[DisputedFact]) -> Dossier {
        for fact in facts {
            let found = dossier.find(fact, &dossier.set_aside);
            dossier.set_aside.extend(found.map(|fact| SetAside { dispute: DisputeId(Uuid::nil()), fact }));
        }
        dossier
    }

    fn amounts(dossier: &Dossier) -> Vec<i64> {
        let record = dossier.payment_history.record.as_ref().unwrap();
        record.enforcements.iter().flatten().map(|e| e.amount.0 / 100).collect()
    }

    #[test]
    fn one_row_is_left_out_wherever_it_stands_now_and_counts_again_once_it_says_something_else() {
        let then = dossier(&[1, 2, 3]);
        let second = row(&then, 1);
        let used = |now: &[i64]| amounts(&setting_aside(dossier(now), std::slice::from_ref(&second)).used());
        assert_eq!(used(&[1, 2, 3]), [1, 3]);
        assert_eq!(used(&[9, 1, 3, 2]), [9, 1, 3]);
        assert_eq!(used(&[1, 20, 3]), [1, 20, 3], "the department states something else");
        assert_eq!(amounts(&setting_aside(dossier(&[1, 2, 3]), &[second])), [1, 2, 3], "the evidence stays as it came");
    }

    #[test]
    fn of_rows_that_say_the_same_as_many_are_left_out_as_were_disputed() {
        let then = dossier(&[5, 5, 5]);
        let facts = [row(&then, 1), row(&then, 2)];
        let now = setting_aside(dossier(&[5, 5, 5]), &facts);
        assert_eq!(now.set_aside.len(), 2);
        assert_eq!(amounts(&now.used()), [5]);
        assert_eq!(amounts(&setting_aside(dossier(&[5]), &facts).used()), [] as [i64; 0]);
    }

    #[test]
    fn the_same_row_seen_at_another_place_is_the_same_fact_and_another_row_is_not() {
        let (then, now) = (dossier(&[1, 2]), dossier(&[7, 1]));
        assert!(row(&then, 0).is_same_as(&row(&now, 1)));
        assert!(!row(&then, 0).is_same_as(&row(&then, 1)));
        let whole = DisputedFact { pointer: None, ..row(&then, 0) };
        assert!(!whole.is_same_as(&row(&then, 0)));
        assert!(whole.is_same_as(&DisputedFact { value_sha256: None, ..whole.clone() }));
    }
}
