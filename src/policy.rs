//! The lending policy: typed rules read from `config/policy.toml`, applied purely.
//!
//! Order: knock-outs decline; flags and missing evidence refer; then the grade's cut-off decides; an approval must still have a
//! limit worth granting, within what may be granted without a person; a decline must rest on facts that are not too old.

mod contradictions;
mod recheck;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::domain::decision::VersionRef;
use crate::domain::{Fen, Outcome, SourceKind};
use contradictions::Contradiction;
pub use contradictions::Figure;
use recheck::Recheck;
pub use rules::{Finding, Ruling};

/// The policy that is used where no file is there.
pub const DEFAULT_POLICY: &str = include_str!("../config/policy.toml");

/// A policy, checked and with its digest.
#[derive(Debug, Clone)]
pub struct Policy {
    terms: Terms,
    version: VersionRef,
}

/// The file's content; each key is documented in `config/policy.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    id: String,
    valid_days: u32,
    knock_outs: KnockOuts,
    cut_offs: CutOffs,
    limit: Limit,
    flags: Flags,
    missing: Missing,
    #[serde(default)]
    contradictions: Vec<Contradiction>,
    #[serde(default)]
    recheck: Recheck,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnockOuts {
    open_enforcement: bool,
    abnormal_taxpayer: bool,
    deregistered_taxpayer: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct CutOffs {
    approve: Vec<String>,
    refer: Vec<String>,
    decline: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    revenue_share: f64,
    minimum_fen: Fen,
    automatic_maximum_fen: Fen,
    grade_caps_fen: BTreeMap<String, Fen>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flags {
    suspect_code: bool,
    stale_evidence: bool,
    /// Older policies do not speak of it: silence must not approve what two departments contradict each other on.
    #[serde(default = "contradictions::yes")]
    facts_contradict: bool,
    /// How the comparison of staff figures was written before there were `[[contradictions]]`.
    heads_ratio: Option<f64>,
    heads_difference: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Missing {
    tax: WhenMissing,
    social_insurance: WhenMissing,
    payment_history: WhenMissing,
    /// Older policies do not speak of optional departments.
    #[serde(default = "as_part")]
    registry: WhenMissing,
    #[serde(default = "as_part")]
    court: WhenMissing,
    #[serde(default = "as_part")]
    utilities: WhenMissing,
}

/// What an optional department leaves out is missing in the record that it is part of, and counts there.
fn as_part() -> WhenMissing {
    WhenMissing::Interval
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WhenMissing {
    Refer,
    Interval,
}

/// A policy that cannot be used.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("the policy {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("the policy cannot be understood: {0}")]
    Malformed(#[from] Box<toml::de::Error>),
    /// A value out of its range.
    #[error("the policy's {key} must {must}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// A better grade leads to less than a worse one.
    #[error("the policy's [cut_offs] treat grade {better} worse than grade {worse}, which the model ranks below it")]
    Order {
        /// The better grade.
        better: String,
        /// The worse grade.
        worse: String,
    },
    /// A grade named twice or not at all.
    #[error("grade {grade} must be named exactly once under [cut_offs] and have a cap under [limit.grade_caps_fen]")]
    Grade {
        /// The grade.
        grade: String,
    },
}

impl Terms {
    /// Makes a rule of the keys that older policies compare staff figures with.
    fn take_over_heads(&mut self) -> Result<(), PolicyError> {
        let refuse = |key, must| Err(PolicyError::Value { key, must });
        let rule = match (self.flags.heads_ratio, self.flags.heads_difference) {
            (None, None) => return Ok(()),
            (Some(ratio), Some(difference)) => Contradiction::of_heads(ratio, difference),
            _ => return refuse("flags.heads_ratio", "stand together with flags.heads_difference"),
        };
        if rule.check().is_err() {
            return refuse("flags.heads_ratio", "be at least 1");
        }
        if self.contradictions.iter().any(|other| other.compares_the_same(&rule)) {
            return refuse(
                "flags.heads_ratio",
                "be left out, with heads_difference, where [[contradictions]] compares the same figures",
            );
        }
        self.contradictions.insert(0, rule);
        Ok(())
    }

    fn check_contradictions(&self) -> Result<(), PolicyError> {
        for (i, rule) in self.contradictions.iter().enumerate() {
            rule.check()?;
            let earlier = &self.contradictions[..i];
            if earlier.iter().any(|other| other.id == rule.id || other.compares_the_same(rule)) {
                let must = "have one rule for each id and each two figures";
                return Err(PolicyError::Value { key: "contradictions", must });
            }
        }
        Ok(())
    }
}

impl Policy {
    /// Reads and checks a policy file.
    pub fn load(path: &Path) -> Result<Policy, PolicyError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PolicyError::Unreadable { path: path.display().to_string(), source })?;
        Policy::from_toml(&text)
    }

    /// Checks a policy given as TOML.
    pub fn from_toml(text: &str) -> Result<Policy, PolicyError> {
        let mut terms: Terms = toml::from_str(text).map_err(Box::new)?;
        let refuse = |key, must| Err(PolicyError::Value { key, must });
        if !(1..=365).contains(&terms.valid_days) {
            return refuse("valid_days", "lie between 1 and 365");
        }
        if !(0.0..=10.0).contains(&terms.limit.revenue_share) {
            return refuse("limit.revenue_share", "lie between 0 and 10");
        }
        if terms.limit.minimum_fen < Fen::ZERO || terms.limit.automatic_maximum_fen < terms.limit.minimum_fen {
            return refuse("limit", "have 0 <= minimum_fen <= automatic_maximum_fen");
        }
        if terms.limit.grade_caps_fen.values().any(|cap| *cap < Fen::ZERO) {
            return refuse("limit.grade_caps_fen", "not be negative");
        }
        terms.take_over_heads()?;
        terms.check_contradictions()?;
        terms.recheck.check()?;
        let version = VersionRef { id: terms.id.clone(), sha256: hex::encode(Sha256::digest(text.as_bytes())) };
        let policy = Policy { terms, version };
        let named: Vec<String> = policy.named_grades().cloned().collect();
        policy.cover(named.iter().map(String::as_str))?;
        Ok(policy)
    }

    /// Checks that every grade that a model can give has a cut-off and a cap.
    fn cover<'g>(&self, grades: impl Iterator<Item = &'g str>) -> Result<(), PolicyError> {
        for grade in grades {
            let times = self.named_grades().filter(|named| *named == grade).count();
            if times != 1 || !self.terms.limit.grade_caps_fen.contains_key(grade) {
                return Err(PolicyError::Grade { grade: grade.to_owned() });
            }
        }
        Ok(())
    }

    /// Checks that the policy fits a model's grades, best first: each has a cut-off and a cap, and none leads to less than a
    /// worse one, so that what holds at both ends of an interval holds between them.
    pub fn fit(&self, grades: &[&str]) -> Result<(), PolicyError> {
        self.cover(grades.iter().copied())?;
        match grades.windows(2).find(|pair| self.cut_off(pair[0]) > self.cut_off(pair[1])) {
            None => Ok(()),
            Some(pair) => Err(PolicyError::Order { better: pair[0].to_owned(), worse: pair[1].to_owned() }),
        }
    }

    fn named_grades(&self) -> impl Iterator<Item = &String> {
        let cut_offs = &self.terms.cut_offs;
        cut_offs.approve.iter().chain(&cut_offs.refer).chain(&cut_offs.decline)
    }

    /// Its id and digest.
    pub fn version(&self) -> &VersionRef {
        &self.version
    }

    /// Days for which a bank may rely on a decision.
    pub fn valid_days(&self) -> u32 {
        self.terms.valid_days
    }

    /// What a grade leads to, before flags and limits.
    fn cut_off(&self, grade: &str) -> Outcome {
        let named = |grades: &[String]| grades.iter().any(|g| g == grade);
        if named(&self.terms.cut_offs.approve) {
            Outcome::Approve
        } else if named(&self.terms.cut_offs.decline) {
            Outcome::Decline
        } else {
            Outcome::Refer
        }
    }

    fn when_missing(&self, source: SourceKind) -> WhenMissing {
        match source {
            SourceKind::Tax => self.terms.missing.tax,
            SourceKind::SocialInsurance => self.terms.missing.social_insurance,
            SourceKind::PaymentHistory => self.terms.missing.payment_history,
            SourceKind::Registry => self.terms.missing.registry,
            SourceKind::Court => self.terms.missing.court,
            SourceKind::Utilities => self.terms.missing.utilities,
        }
    }
}

#[cfg(test)]
mod tests;
