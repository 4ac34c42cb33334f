//! A look at a firm: who looked, under which consent, for what, what was asked and what came back. The firm can be given the
//! ledger of them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::case::UnknownName;
use super::evidence::EvidenceLine;
use super::{BankId, ConsentId, ConsentPass, DecisionId, DecisionRecord, LookId, SourceKind, Uscc};

/// Who looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookBy {
    /// A bank, through the API.
    Bank(BankId),
    /// The finance office: a user of the console by name, or a command by its words.
    Office(String),
}

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookEnd {
    /// A decision was made and recorded.
    Decided,
    /// The consent was revoked while the departments were asked; what they said was dropped.
    ConsentRevoked,
    /// Another decision used the consent up meanwhile; what the departments said was dropped.
    ConsentUsed,
    /// The same request was answered already; what the departments said was dropped.
    Repeated,
    /// Cut off before it came to an answer: whoever asked hung up, or the process died. What the departments said was dropped.
    Abandoned,
    /// The office read what was recorded; no decision was made.
    Read,
    /// Whoever keeps the service asked a department by hand, to see how it answers; no decision was made.
    Probed,
}

impl LookEnd {
    const ALL: [LookEnd; 7] = [
        LookEnd::Decided,
        LookEnd::ConsentRevoked,
        LookEnd::ConsentUsed,
        LookEnd::Repeated,
        LookEnd::Abandoned,
        LookEnd::Read,
        LookEnd::Probed,
    ];

    /// The name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            LookEnd::Decided => "decided",
            LookEnd::ConsentRevoked => "consent_revoked",
            LookEnd::ConsentUsed => "consent_used",
            LookEnd::Repeated => "repeated",
            LookEnd::Abandoned => "abandoned",
            LookEnd::Read => "read",
            LookEnd::Probed => "probed",
        }
    }
}

impl fmt::Display for LookEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LookEnd {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<LookEnd, UnknownName> {
        LookEnd::ALL.into_iter().find(|end| end.as_str() == text).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// One look at one firm.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Its id, a UUID v7.
    pub id: LookId,
    /// The firm.
    pub uscc: Uscc,
    /// Who looked.
    pub by: LookBy,
    /// The consent under which it was made, or under which what the office read was gathered.
    pub consent: Option<ConsentId>,
    /// What for: a purpose of the consent, or what the office did.
    pub purpose: String,
    /// When it was made.
    pub at: Timestamp,
    /// What it came to.
    pub end: LookEnd,
    /// The decision that it led to, or that the office read.
    pub decision: Option<DecisionId>,
    /// The departments that were asked.
    pub asked: Vec<SourceKind>,
    /// What came back of each; empty where nobody waited for it.
    pub answers: Vec<EvidenceLine>,
}

impl Look {
    /// The look that led to a decision. Decision and look share their UUID: one look, one decision.
    pub fn of(record: &DecisionRecord) -> Look {
        let decision = &record.decision;
        let answers = asked_of(&decision.evidence);
        Look {
            id: LookId(decision.id.0),
            uscc: decision.request.uscc.clone(),
            by: LookBy::Bank(decision.bank),
            consent: Some(decision.request.consent_id),
            purpose: decision.request.purpose.clone(),
            at: decision.decided_at,
            end: LookEnd::Decided,
            decision: Some(decision.id),
            asked: answers.iter().map(|line| line.source).collect(),
            answers,
        }
    }

    /// A look of the office at what was recorded for a decision; no department is asked.
    pub fn reading(id: LookId, record: &DecisionRecord, who: String, purpose: &str, at: Timestamp) -> Look {
        let request = &record.decision.request;
        Look {
            id,
            uscc: request.uscc.clone(),
            by: LookBy::Office(who),
            consent: Some(request.consent_id),
            purpose: purpose.to_owned(),
            at,
            end: LookEnd::Read,
            decision: Some(record.decision.id),
            asked: Vec::new(),
            answers: Vec::new(),
        }
    }
}

impl Look {
    /// A look of whoever keeps the service at what one department says of a firm, under the consent of `pass` and for the purpose
    /// of it that was checked.
    pub fn probing(
        id: LookId,
        pass: &ConsentPass,
        purpose: &str,
        source: SourceKind,
        who: String,
        at: Timestamp,
    ) -> Look {
        Look {
            id,
            uscc: pass.uscc().clone(),
            by: LookBy::Office(who),
            consent: Some(pass.consent()),
            purpose: purpose.to_owned(),
            at,
            end: LookEnd::Probed,
            decision: None,
            asked: vec![source],
            answers: Vec::new(),
        }
    }
}

/// The lines of the departments that were asked at all.
pub fn asked_of(lines: &[EvidenceLine]) -> Vec<EvidenceLine> {
    let asked = |line: &&EvidenceLine| line.status != super::EvidenceStatus::NotCovered;
    lines.iter().filter(asked).cloned().collect()
}
