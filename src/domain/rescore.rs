//! A decision judged again from its recorded evidence, because an adverse fact left the score.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::decision::VersionRef;
use super::dispute::Standing;
use super::evidence::AdverseFact;
use super::{BankId, DecisionId, RescoreId};

/// A follow-up of a decision, which itself stays as it is. No department is asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rescore {
    /// Its id.
    pub id: RescoreId,
    /// The decision.
    pub decision: DecisionId,
    /// The bank that the decision was made for.
    pub bank: BankId,
    /// The day as of which the facts' lives were looked at, in China.
    pub on: Date,
    /// When.
    pub at: Timestamp,
    /// The facts that counted at the decision and count no more.
    pub left: Vec<AdverseFact>,
    /// How the firm stood.
    pub before: Standing,
    /// How it stands.
    pub after: Standing,
    /// The model that judged again.
    pub model: VersionRef,
    /// The policy that judged again.
    pub policy: VersionRef,
}
