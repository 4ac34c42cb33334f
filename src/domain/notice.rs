//! What a bank must be told without having asked: a consent was revoked, a dispute resolved, a fact expired.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::case::UnknownName;
use super::{BankId, ConsentId, DecisionId, NoticeId, WebhookId};

/// What a notice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A consent was revoked; decisions that relied on it stand, but nothing more is fetched under it.
    ConsentRevoked,
    /// A dispute about a fact or a decision was resolved.
    DisputeResolved,
    /// An adverse fact ended, was repaired or may no longer be shown.
    FactExpired,
    /// Events are no longer sent to one of the bank's webhooks, because it is gone or has failed for days.
    WebhookDisabled,
    /// A firm of the portfolio was judged anew and stands otherwise than before.
    StandingChanged,
}

impl NoticeKind {
    const ALL: [NoticeKind; 5] = [
        NoticeKind::ConsentRevoked,
        NoticeKind::DisputeResolved,
        NoticeKind::FactExpired,
        NoticeKind::WebhookDisabled,
        NoticeKind::StandingChanged,
    ];

    /// The name in answers and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            NoticeKind::ConsentRevoked => "consent_revoked",
            NoticeKind::DisputeResolved => "dispute_resolved",
            NoticeKind::FactExpired => "fact_expired",
            NoticeKind::WebhookDisabled => "webhook_disabled",
            NoticeKind::StandingChanged => "standing_changed",
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NoticeKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<NoticeKind, UnknownName> {
        NoticeKind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// The most decisions that a notice names: a consent may have been relied on for years.
pub const DECISIONS_MAX: usize = 100;

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NoticeAbout {
    /// The consent concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_id: Option<ConsentId>,
    /// The bank's decisions concerned, oldest first, at most [`DECISIONS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decision_ids: Vec<DecisionId>,
    /// How many they are altogether, where they may be more than are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_count: Option<u64>,
    /// Where all of them are listed, where they are more than are named: a path of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions_at: Option<String>,
    /// The dispute concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute_id: Option<String>,
    /// The webhook concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
    /// Named figures, for instance an old and a new score.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, String>,
}

/// A notice to one bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// Its place in the order in which notices were written: what a cursor counts by.
    pub number: i64,
    /// The bank that is told.
    pub bank: BankId,
    /// What happened.
    pub kind: NoticeKind,
    /// What it is about.
    pub about: NoticeAbout,
    /// When it happened.
    pub created_at: Timestamp,
    /// When the bank first asked for what comes after it: it has been read.
    pub seen_at: Option<Timestamp>,
}
