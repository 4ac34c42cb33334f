//! What the departments say of a firm: one record per source, gathered in a dossier.
//!
//! An `Option` in a record means that the department does not share that part. It is never the same as zero or as none:
//! "no arrears" is `Some` of an amount of zero, "arrears unknown" is `None`, "not rated" is `Some(None)`.
//!
//! The JSON form of a record is what a department sends by default (beside the firm's code, `uscc`), what a mapping for a
//! department of another shape produces, and what the decision record keeps.

mod life;
mod payment_history;
mod set_aside;
mod social_insurance;
mod tax;

use std::fmt;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Deserializer, Serialize};

use super::Uscc;
pub use life::*;
pub use payment_history::*;
pub use set_aside::*;
pub use social_insurance::*;
pub use tax::*;

/// A kind of department that evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// 税务: filings, invoices, arrears, rating.
    Tax,
    /// 社保: insured heads and contributions by month.
    SocialInsurance,
    /// 履约: utility bills, loans, supplier payments, wage arrears, enforcement.
    PaymentHistory,
    /// 市场监管: name, status, industry, day of registration; fills what the tax department does not share.
    Registry,
    /// 法院: enforcement and wage arrears; fills what the payment history does not share.
    Court,
    /// 水电: bills; fills what the payment history does not share.
    Utilities,
}

impl SourceKind {
    /// Those that are always asked, in the order in which answers list them.
    pub const ALL: [SourceKind; 3] = [SourceKind::Tax, SourceKind::SocialInsurance, SourceKind::PaymentHistory];
    /// Those that are asked where they are connected; answers list them after the others.
    pub const OPTIONAL: [SourceKind; 3] = [SourceKind::Registry, SourceKind::Court, SourceKind::Utilities];

    /// All of them: the main ones, then the optional ones.
    pub fn every() -> impl Iterator<Item = SourceKind> {
        SourceKind::ALL.into_iter().chain(SourceKind::OPTIONAL)
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<SourceKind> {
        SourceKind::every().find(|kind| kind.as_str() == name)
    }

    /// The main department whose record an optional one fills.
    pub fn fills(self) -> Option<SourceKind> {
        match self {
            SourceKind::Registry => Some(SourceKind::Tax),
            SourceKind::Court | SourceKind::Utilities => Some(SourceKind::PaymentHistory),
            SourceKind::Tax | SourceKind::SocialInsurance | SourceKind::PaymentHistory => None,
        }
    }

    /// The name in settings, answers and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::Tax => "tax",
            SourceKind::SocialInsurance => "social_insurance",
            SourceKind::PaymentHistory => "payment_history",
            SourceKind::Registry => "registry",
            SourceKind::Court => "court",
            SourceKind::Utilities => "utilities",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record with parts, each of which a department may share or not, and a consent may cover or not.
pub trait Parts {
    /// Makes it a record in which the department does not share this part, by its name without `_fen`.
    fn drop_part(&mut self, part: &str);
}

/// How the evidence of one source stands at the moment of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceStatus {
    /// Fetched for this decision, and as of a recent date.
    Fresh,
    /// From the cache, within its time to live, and as of a recent date.
    Cached,
    /// There, but as of a date too long ago, or kept past its time to live because the department is down.
    Stale,
    /// The department answered that it does not know the firm.
    Absent,
    /// The department did not answer in time, or refused.
    Unavailable,
    /// The department answered something that cannot be trusted: another firm, an impossible value, garbage.
    Invalid,
    /// The department was not asked: the firm's consent does not cover it.
    NotCovered,
}

impl EvidenceStatus {
    /// Whether evidence of this status comes with a record.
    pub fn has_record(self) -> bool {
        matches!(self, EvidenceStatus::Fresh | EvidenceStatus::Cached | EvidenceStatus::Stale)
    }

    /// The name in answers and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            EvidenceStatus::Fresh => "fresh",
            EvidenceStatus::Cached => "cached",
            EvidenceStatus::Stale => "stale",
            EvidenceStatus::Absent => "absent",
            EvidenceStatus::Unavailable => "unavailable",
            EvidenceStatus::Invalid => "invalid",
            EvidenceStatus::NotCovered => "not_covered",
        }
    }
}

/// The evidence of one source, with where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence<R> {
    /// How it stands.
    pub status: EvidenceStatus,
    /// The record: there exactly when the status is `fresh`, `cached` or `stale`.
    pub record: Option<R>,
    /// The date that the department's data are as of.
    pub as_of: Option<Date>,
    /// When the department answered.
    pub fetched_at: Option<Timestamp>,
    /// SHA-256 of the department's reply body, in hexadecimal.
    pub digest: Option<String>,
    /// Where there is no record, or only one that has outlived its time: what went wrong, in English, without any detail of the firm.
    pub detail: Option<String>,
    /// Parts of the record that were dropped unseen, because the firm's consent does not cover them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_covered: Vec<String>,
}

impl<R> Evidence<R> {
    /// Evidence that is not there, and why.
    pub fn missing(status: EvidenceStatus, detail: impl Into<String>) -> Evidence<R> {
        Evidence {
            status,
            record: None,
            as_of: None,
            fetched_at: None,
            digest: None,
            detail: Some(detail.into()),
            not_covered: Vec::new(),
        }
    }
}

/// All that the departments say of one firm for one decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dossier {
    /// The firm.
    pub uscc: Uscc,
    /// The tax department's evidence.
    pub tax: Evidence<TaxRecord>,
    /// The social insurance department's evidence.
    pub social_insurance: Evidence<SocialInsuranceRecord>,
    /// The payment history.
    pub payment_history: Evidence<PaymentHistoryRecord>,
    /// How the evidence of the optional departments stands, whose parts are in the records above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<EvidenceLine>,
    /// Facts that are left out of all that is made of the dossier, because the office has upheld a dispute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<SetAside>,
}

/// One line on a source for an answer: status and dates, without the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceLine {
    /// The source.
    pub source: SourceKind,
    /// How its evidence stands.
    pub status: EvidenceStatus,
    /// The date that the data are as of.
    pub as_of: Option<Date>,
    /// When the department answered.
    pub fetched_at: Option<Timestamp>,
    /// SHA-256 of the reply.
    pub digest: Option<String>,
    /// What went wrong, where there is no record; of an optional department also what of its record is not used.
    pub detail: Option<String>,
    /// Parts of the record that the department does not share: missing, not clean.
    pub not_shared: Vec<String>,
    /// Parts of the record that the firm's consent does not cover: missing, not clean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_covered: Vec<String>,
    /// What is left out because the office has upheld a dispute: parts, rows (`enforcements/0`), features by name, or `record`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<String>,
    /// Of an optional department: the parts of the main department's record that come from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filled: Vec<String>,
    /// Of an optional department: where the main department says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradicts: Vec<Contradicted>,
}

/// A part of which two departments say different things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradicted {
    /// The part of the main department's record.
    pub part: String,
    /// The main department.
    pub main: SourceKind,
    /// What it says, as a figure or a name.
    pub main_says: String,
    /// What the optional department says, in the same form.
    pub says: String,
    /// Of enforcements and wage arrears: the rows of the main department's part without which both say the same. Empty where the
    /// optional department states a row that the main one does not, of other parts, and in decisions from before it was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<usize>,
}

impl EvidenceLine {
    /// Whether this part of the record is not there to be seen.
    pub fn lacks(&self, part: &str) -> bool {
        !self.status.has_record() || self.is_set_aside() || self.missing_parts().any(|missing| missing == part)
    }

    /// Whether all that the source says is set aside.
    pub fn is_set_aside(&self) -> bool {
        self.set_aside.iter().any(|place| place == set_aside::WHOLE)
    }

    /// The parts that are not there though a record is: not shared, not covered, or set aside.
    pub fn missing_parts(&self) -> impl Iterator<Item = &str> {
        self.not_shared.iter().chain(&self.not_covered).chain(&self.set_aside).map(String::as_str)
    }
}

impl Dossier {
    /// The status and dates of each source, in the order of [`SourceKind::ALL`].
    pub fn lines(&self) -> Vec<EvidenceLine> {
        fn line<R>(
            source: SourceKind,
            e: &Evidence<R>,
            not_shared: impl Fn(&R) -> Vec<String>,
            set_aside: Vec<String>,
        ) -> EvidenceLine {
            let mut not_shared = e.record.as_ref().map(not_shared).unwrap_or_default();
            not_shared.retain(|part| !e.not_covered.contains(part) && !set_aside.contains(part));
            EvidenceLine {
                source,
                status: e.status,
                as_of: e.as_of,
                fetched_at: e.fetched_at,
                digest: e.digest.clone(),
                detail: e.detail.clone(),
                not_shared,
                not_covered: e.not_covered.clone(),
                set_aside,
                filled: Vec::new(),
                contradicts: Vec::new(),
            }
        }
        let [tax, social, payments] = [SourceKind::Tax, SourceKind::SocialInsurance, SourceKind::PaymentHistory];
        let aside = |source| self.places_set_aside(source);
        vec![
            line(tax, &self.tax, TaxRecord::not_shared, aside(tax)),
            line(social, &self.social_insurance, SocialInsuranceRecord::not_shared, aside(social)),
            line(payments, &self.payment_history, PaymentHistoryRecord::not_shared, aside(payments)),
        ]
    }

    /// The parts of a source's record that can be disputed by themselves.
    pub fn parts_of(source: SourceKind) -> &'static [&'static str] {
        match source {
            SourceKind::Tax => &[
                "status",
                "industry",
                "registered_on",
                "declared_heads",
                "total_assets",
                "rating",
                "filings",
                "arrears",
                "invoices",
            ],
            SourceKind::SocialInsurance => &["months", "arrears", "minimum_base"],
            SourceKind::PaymentHistory => &["bills", "loans", "supplier_delays", "wage_arrears", "enforcements"],
            // What these say stands in the records of the main departments and is disputed there.
            SourceKind::Registry | SourceKind::Court | SourceKind::Utilities => &[],
        }
    }

    /// The dossier as if a part had not been shared, or, with no part, as if the source had not answered. A part without which
    /// there is no record (`months`) takes the source with it.
    fn without(mut self, source: SourceKind, part: Option<&str>) -> Dossier {
        fn gone<R>() -> Evidence<R> {
            Evidence::missing(EvidenceStatus::Unavailable, "left out")
        }
        match (source, part) {
            (SourceKind::Tax, None) => self.tax = gone(),
            (SourceKind::SocialInsurance, None | Some("months")) => self.social_insurance = gone(),
            (SourceKind::PaymentHistory, None) => self.payment_history = gone(),
            (SourceKind::Tax, Some(part)) => self.tax.record.iter_mut().for_each(|record| record.drop_part(part)),
            (SourceKind::SocialInsurance, Some(part)) => {
                self.social_insurance.record.iter_mut().for_each(|record| record.drop_part(part));
            }
            (SourceKind::PaymentHistory, Some(part)) => {
                self.payment_history.record.iter_mut().for_each(|record| record.drop_part(part));
            }
            (SourceKind::Registry | SourceKind::Court | SourceKind::Utilities, _) => {}
        }
        self
    }

    /// The same with the optional departments after them.
    pub fn all_lines(&self) -> Vec<EvidenceLine> {
        let mut lines = self.lines();
        lines.extend(self.others.iter().cloned());
        lines
    }

    /// The department that a part of a main department's record comes from: itself, or the optional one that filled the part.
    pub fn supplier(&self, source: SourceKind, part: &str) -> SourceKind {
        supplier(&self.others, source, part)
    }

    /// The date up to which a part of a main department's record is known, where an optional department filled it: that
    /// department's, not the main one's. `None` where the part is the main department's own.
    pub fn filled_as_of(&self, source: SourceKind, part: &str) -> Option<Date> {
        filler(&self.others, source, part)?.as_of
    }

    /// Whether the source gave a record.
    pub fn has(&self, source: SourceKind) -> bool {
        match source {
            SourceKind::Tax => self.tax.record.is_some(),
            SourceKind::SocialInsurance => self.social_insurance.record.is_some(),
            SourceKind::PaymentHistory => self.payment_history.record.is_some(),
            SourceKind::Registry | SourceKind::Court | SourceKind::Utilities => {
                self.others.iter().any(|line| line.source == source && line.status.has_record())
            }
        }
    }
}

/// As [`Dossier::supplier`], of the lines of an answer.
pub fn supplier(lines: &[EvidenceLine], source: SourceKind, part: &str) -> SourceKind {
    filler(lines, source, part).map_or(source, |line| line.source)
}

/// The line of the optional department that filled a part.
fn filler<'l>(lines: &'l [EvidenceLine], source: SourceKind, part: &str) -> Option<&'l EvidenceLine> {
    let fills =
        |line: &&EvidenceLine| line.source.fills() == Some(source) && line.filled.iter().any(|name| name == part);
    lines.iter().find(fills)
}

/// Reads a date whose key must be there. `null` says that something has not happened, for instance that a return was never
/// filed; a key left out says nothing, and must not be read as the worst.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    Option::deserialize(from)
}

/// Reads a value of which `null` says that there is none, where the key left out says nothing.
fn stated<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// The names of those parts that are absent.
fn absent_parts<const N: usize>(parts: [(&str, bool); N]) -> Vec<String> {
    parts.into_iter().filter(|(_, absent)| *absent).map(|(name, _)| name.to_owned()).collect()
}
