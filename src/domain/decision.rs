//! A decision: what was asked, what was found, what was answered. Immutable once recorded.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::evidence::{Dossier, EvidenceLine, EvidenceStatus};
use super::size::StaffBasis;
use super::{BankId, CaseId, ConsentId, DecisionId, DisputeMark, Fen, FirmSize, SourceKind, Uscc};

/// What the policy says of a firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Lend, up to the limit.
    Approve,
    /// A person must look.
    Refer,
    /// Do not lend.
    Decline,
}

impl Outcome {
    /// The name in answers and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Approve => "approve",
            Outcome::Refer => "refer",
            Outcome::Decline => "decline",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The lowest and highest score that the firm could have once the missing evidence is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreInterval {
    /// The lowest.
    pub low: i64,
    /// The highest.
    pub high: i64,
}

/// A principal reason: a characteristic on which the firm lost points against the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The reason code, for instance `TAX_LATE_FILINGS`.
    pub code: String,
    /// The source of the characteristic; `None` for a knock-out of the policy that rests on no single source.
    pub source: Option<SourceKind>,
    /// Points lost against the baseline; 0 for a knock-out.
    pub points_lost: f64,
    /// The value that the firm has, in the feature's unit; `None` when it is missing.
    pub value: Option<f64>,
}

/// Why a firm is referred to a person, with the figures that the text shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferReason {
    /// The code, for instance `EVIDENCE_MISSING`.
    pub code: String,
    /// The source concerned, where there is one.
    pub source: Option<SourceKind>,
    /// Named figures of the text, for instance `tax_heads` and `insured_heads`.
    pub figures: BTreeMap<String, String>,
}

/// A versioned input of the decision: id and SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRef {
    /// Its name and version.
    pub id: String,
    /// SHA-256 of the file that it was read from.
    pub sha256: String,
}

/// The largest amount that can be asked for, in fen: 100 billion yuan.
pub const AMOUNT_FEN_MAX: i64 = 10_000_000_000_000;
/// The longest term in months: 30 years.
pub const TERM_MONTHS_MAX: u32 = 360;

/// What a bank asked, after it was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRequest {
    /// The firm.
    pub uscc: Uscc,
    /// The consent under which the bank asks.
    pub consent_id: ConsentId,
    /// What the loan is for.
    pub purpose: String,
    /// The amount asked for.
    pub amount: Fen,
    /// The term in months.
    pub term_months: u32,
}

/// The decision as the bank may see it, in codes and figures; texts are written from these in the reader's language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Its id, a UUID v7.
    pub id: DecisionId,
    /// The bank that asked.
    pub bank: BankId,
    /// What it asked.
    pub request: DecisionRequest,
    /// The firm's size class.
    pub firm_size: FirmSize,
    /// The automatic outcome.
    pub outcome: Outcome,
    /// The score in points, rounded.
    pub score: i64,
    /// Where evidence is missing: what the score could be.
    pub score_interval: Option<ScoreInterval>,
    /// Probability of default within 12 months, 0 to 1.
    pub probability_of_default: f64,
    /// The model's grade.
    pub grade: String,
    /// The limit; `None` unless approved.
    pub limit: Option<Fen>,
    /// The limit that the policy would grant if the firm were approved; for the officer's eyes.
    pub indicated_limit: Fen,
    /// At most four principal reasons, most points lost first.
    pub reasons: Vec<Reason>,
    /// Why a person must look, where one must.
    pub refer_reasons: Vec<ReferReason>,
    /// How the evidence of each source stood.
    pub evidence: Vec<EvidenceLine>,
    /// The model.
    pub model: VersionRef,
    /// The policy.
    pub policy: VersionRef,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Until when the bank may rely on it.
    pub valid_until: Timestamp,
    /// The office's case, where there is one.
    pub case_id: Option<CaseId>,
    /// Disputes on facts of the firm that were open when it was decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputes: Vec<DisputeMark>,
}

/// The points of one characteristic, for the waterfall on the case page and for verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CharacteristicPoints {
    /// The feature's name in the catalogue.
    pub feature: String,
    /// The value; `None` when missing.
    pub value: Option<f64>,
    /// The points of the bin that it falls in.
    pub points: f64,
    /// The points of the baseline (the average firm of the training data).
    pub baseline: f64,
    /// Where the value comes from; `None` in decisions recorded before provenance was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// Where a value comes from: the reply that it was computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The department.
    pub source: SourceKind,
    /// How its evidence stood.
    pub status: EvidenceStatus,
    /// The date that its data were as of.
    pub as_of: Option<Date>,
    /// When it answered.
    pub fetched_at: Option<Timestamp>,
    /// SHA-256 of its reply, in hexadecimal.
    pub digest: Option<String>,
}

impl From<&EvidenceLine> for Provenance {
    fn from(line: &EvidenceLine) -> Provenance {
        Provenance {
            source: line.source,
            status: line.status,
            as_of: line.as_of,
            fetched_at: line.fetched_at,
            digest: line.digest.clone(),
        }
    }
}

/// A decision with all that it rests on; kept, shown to the office, never to another bank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The decision.
    pub decision: Decision,
    /// What it rests on; decisions on the same evidence share it.
    #[serde(flatten)]
    pub grounds: Arc<Grounds>,
}

impl DecisionRecord {
    /// The text that the store writes and the audit chain holds the digest of: the decision, and the digest of its grounds.
    pub fn written(&self) -> String {
        #[derive(Serialize)]
        struct Written<'a> {
            decision: &'a Decision,
            grounds: &'a str,
        }
        let written = Written { decision: &self.decision, grounds: &self.grounds.text().sha256 };
        // Plain data with text keys: writing it cannot fail.
        serde_json::to_string(&written).unwrap_or_default()
    }
}

/// What a decision rests on, whoever asked for whatever loan: it follows from the evidence, the day and the model alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grounds {
    /// The evidence as it was.
    pub dossier: Dossier,
    /// Every feature of the catalogue by name; `null` when missing.
    pub features: BTreeMap<String, Option<f64>>,
    /// The staff figure that the size class rests on; `None` where none is known.
    pub staff_basis: Option<StaffBasis>,
    /// Points by characteristic.
    pub points: Vec<CharacteristicPoints>,
    /// Kept beside: what the store writes of it.
    #[serde(skip)]
    text: Text,
}

/// The JSON of grounds and its digest, made once for however many decisions rest on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroundsText {
    /// SHA-256 of the JSON, in hexadecimal.
    pub sha256: String,
    /// The JSON.
    pub json: String,
}

/// Made when first asked for. It follows from what stands beside it, so it makes no difference when grounds are compared.
#[derive(Debug, Default, Clone)]
struct Text(OnceLock<Arc<GroundsText>>);

impl PartialEq for Text {
    fn eq(&self, _: &Text) -> bool {
        true
    }
}

impl Grounds {
    /// Grounds of these parts.
    pub fn new(
        dossier: Dossier,
        features: BTreeMap<String, Option<f64>>,
        staff_basis: Option<StaffBasis>,
        points: Vec<CharacteristicPoints>,
    ) -> Grounds {
        Grounds { dossier, features, staff_basis, points, text: Text::default() }
    }

    /// Their JSON with its digest.
    pub fn text(&self) -> &Arc<GroundsText> {
        self.text.0.get_or_init(|| {
            // Plain data with text keys: writing it cannot fail.
            let json = serde_json::to_string(self).unwrap_or_default();
            Arc::new(GroundsText { sha256: hex::encode(Sha256::digest(json.as_bytes())), json })
        })
    }
}
