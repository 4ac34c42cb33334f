//! A dispute: a firm says that a fact or a decision is wrong. It is marked wherever the fact is used, and answered in writing.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::case::UnknownName;
use super::decision::{Decision, ScoreInterval};
use super::{BankId, DecisionId, DisputeId, Outcome, SourceKind, Uscc, UserId};

/// Calendar days within which a dispute is answered in writing (征信业管理条例 §25).
pub const DISPUTE_DAYS: i64 = 20;
/// The longest statement or answer, in characters.
pub const TEXT_CHARS_MAX: usize = 2000;
/// The shortest statement or answer that says something, in characters.
pub const TEXT_CHARS_MIN: usize = 4;

/// What is disputed: a feature, a part of a source's record, a whole source, or, with no source, the decision itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputedFact {
    /// The department whose fact it is; `None`: the decision as a whole.
    pub source: Option<SourceKind>,
    /// The feature, by its name in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// The part of the record, for instance `enforcements`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Where in the record, as whoever disputes it wrote it: a JSON pointer that begins with the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// SHA-256 of what was stated as the fact when it was disputed: by this it is known again. `None` in disputes from before this
    /// was kept, which have no effect when they are upheld, and where the decision as a whole is disputed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_sha256: Option<String>,
}

impl DisputedFact {
    /// A part of a source, or with no part all that it says; with no source, the decision as a whole.
    pub fn part(source: Option<SourceKind>, part: Option<&str>) -> DisputedFact {
        DisputedFact { source, feature: None, part: part.map(str::to_owned), pointer: None, value_sha256: None }
    }

    /// Whether what is computed from this part of this source, as this feature where it is one, rests on the fact.
    pub fn covers(&self, source: SourceKind, part: &str, feature: Option<&str>) -> bool {
        self.source == Some(source)
            && self.feature.as_deref().is_none_or(|disputed| Some(disputed) == feature)
            && self.part.as_deref().is_none_or(|disputed| disputed == part)
    }
}

/// What the office finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeVerdict {
    /// The firm is right: the fact must not be held against it. While the department still states it as it was disputed, it is left
    /// out of every decision on the firm ([`crate::domain::evidence::SetAside`]).
    Upheld,
    /// The fact stands. Where the office had upheld an earlier dispute about the same fact, that ends ([`Dispute::withdraws`]).
    Rejected,
    /// The department has put its data right: ask anew.
    Corrected,
}

impl DisputeVerdict {
    /// All of them.
    pub const ALL: [DisputeVerdict; 3] = [DisputeVerdict::Upheld, DisputeVerdict::Rejected, DisputeVerdict::Corrected];

    /// The name in answers, forms and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            DisputeVerdict::Upheld => "upheld",
            DisputeVerdict::Rejected => "rejected",
            DisputeVerdict::Corrected => "corrected",
        }
    }
}

impl fmt::Display for DisputeVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DisputeVerdict {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<DisputeVerdict, UnknownName> {
        DisputeVerdict::ALL.into_iter().find(|v| v.as_str() == text).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// How a firm stands: the part of a decision that a fact can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The score in points.
    pub score: i64,
    /// Where evidence is missing: what the score could be.
    pub score_interval: Option<ScoreInterval>,
    /// The grade.
    pub grade: String,
    /// The automatic outcome.
    pub outcome: Outcome,
}

impl Standing {
    /// That of a decision.
    pub fn of(decision: &Decision) -> Standing {
        Standing {
            score: decision.score,
            score_interval: decision.score_interval,
            grade: decision.grade.clone(),
            outcome: decision.outcome,
        }
    }
}

/// The written outcome of a dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// What the office found.
    pub verdict: DisputeVerdict,
    /// Why, in the office's words; the bank sees it.
    pub answer: String,
    /// Who.
    pub user: UserId,
    /// The login name at that time.
    pub user_name: String,
    /// When.
    pub at: Timestamp,
}

/// A dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// Its id.
    pub id: DisputeId,
    /// The decision that it is about, or that shows the fact.
    pub decision: DecisionId,
    /// The bank that the decision was made for.
    pub bank: BankId,
    /// The firm.
    pub uscc: Uscc,
    /// What is disputed.
    pub fact: DisputedFact,
    /// What the firm says.
    pub statement: String,
    /// The user of the office that took it in; `None`: the bank sent it.
    pub taken_by: Option<String>,
    /// How the firm stands with the fact.
    pub with: Standing,
    /// How it stands without; `None` where the decision as a whole is disputed.
    pub without: Option<Standing>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When the written answer is due: [`DISPUTE_DAYS`] later.
    pub due_at: Timestamp,
    /// The outcome; `None` while it is open.
    pub resolution: Option<Resolution>,
}

impl Dispute {
    /// When a dispute opened at `opened_at` is to be answered.
    pub fn due_at(opened_at: Timestamp) -> Timestamp {
        opened_at.saturating_add(SignedDuration::from_hours(24 * DISPUTE_DAYS)).unwrap_or(Timestamp::MAX)
    }

    /// Whether the office has found the firm right.
    pub fn upheld(&self) -> bool {
        self.resolution.as_ref().is_some_and(|resolution| resolution.verdict == DisputeVerdict::Upheld)
    }

    /// Whether this dispute, rejected, takes back that the office upheld `earlier`: it is about the same fact as stated then, and was
    /// answered later. One that is answered with `corrected` does not: it says that what was stated was wrong.
    pub fn withdraws(&self, earlier: &Dispute) -> bool {
        let (Some(own), Some(before)) = (&self.resolution, &earlier.resolution) else { return false };
        own.verdict == DisputeVerdict::Rejected
            && before.verdict == DisputeVerdict::Upheld
            && (own.at, self.id.0) > (before.at, earlier.id.0)
            && self.fact.value_sha256 == earlier.fact.value_sha256
            && self.fact.is_same_as(&earlier.fact)
    }

    /// Whether it should have been answered by `now` and is not.
    pub fn overdue(&self, now: Timestamp) -> bool {
        self.resolution.is_none() && now > self.due_at
    }

    /// What a decision on the firm says of it; `without` is what that decision would be without the fact.
    pub fn mark(&self, without: Option<Standing>) -> DisputeMark {
        DisputeMark {
            dispute: self.id,
            bank: self.bank,
            fact: self.fact.clone(),
            without,
            opened_at: self.opened_at,
            due_at: self.due_at,
            verdict: self.resolution.as_ref().map(|resolution| resolution.verdict),
        }
    }
}

/// A dispute as a decision on the firm tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeMark {
    /// The dispute.
    pub dispute: DisputeId,
    /// Whose it is: another bank is told that the fact is disputed, not by way of whom.
    pub bank: BankId,
    /// What is disputed.
    pub fact: DisputedFact,
    /// How the firm would stand without the fact.
    pub without: Option<Standing>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When the written answer is due.
    pub due_at: Timestamp,
    /// What the office found; `None` while it is open.
    pub verdict: Option<DisputeVerdict>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(source: Option<SourceKind>, feature: Option<&str>, part: Option<&str>) -> DisputedFact {
        let text = |text: Option<&str>| text.map(str::to_owned);
        DisputedFact { source, feature: text(feature), part: text(part), pointer: None, value_sha256: None }
    }

    #[test]
    fn a_dispute_covers_its_feature_its_part_its_source_or_nothing_but_the_decision() {
        let (tax, payments) = (SourceKind::Tax, SourceKind::PaymentHistory);
        let late = fact(Some(tax), Some("tax_late_filings"), Some("filings"));
        assert!(late.covers(tax, "filings", Some("tax_late_filings")));
        assert!(!late.covers(tax, "filings", Some("tax_zero_filings")) && !late.covers(tax, "filings", None));
        let courts = fact(Some(payments), None, Some("enforcements"));
        assert!(courts.covers(payments, "enforcements", Some("pay_enforcements")));
        assert!(courts.covers(payments, "enforcements", None) && !courts.covers(payments, "loans", None));
        assert!(fact(Some(tax), None, None).covers(tax, "status", None));
        assert!(!fact(None, None, None).covers(tax, "status", None));
    }

    #[test]
    fn an_answer_is_due_after_twenty_days_and_late_from_then_on() {
        let opened: Timestamp = "2026-11-05T08:00:00Z".parse().unwrap();
        assert_eq!(Dispute::due_at(opened).to_string(), "2026-11-25T08:00:00Z");
    }
}
