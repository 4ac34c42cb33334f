//! A firm's consent: who may look, at which firm, for what, at which departments and parts, until when, how often. No pass, no
//! call to a department.

mod scope;

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{BankId, ConsentId, SourceKind, Uscc};
pub use scope::{Field, Scope, ScopeError};

/// A consent that a firm gave to a bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Its id.
    pub id: ConsentId,
    /// The bank that holds it; no other bank may use or see it.
    pub bank: BankId,
    /// The firm that gave it.
    pub uscc: Uscc,
    /// The purposes that it covers, for instance `working_capital`.
    pub purposes: Vec<String>,
    /// The departments and the parts of their records that it covers.
    #[serde(default)]
    pub scope: Scope,
    /// Whether the first decision under it uses it up.
    #[serde(default)]
    pub one_time: bool,
    /// When the bank registered it.
    pub granted_at: Timestamp,
    /// From this instant on it is expired.
    pub valid_until: Timestamp,
    /// SHA-256 of the signed document, in lower-case hexadecimal.
    pub document_sha256: Option<String>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When a decision used it up, if it covers one look only and that look was made.
    #[serde(default)]
    pub used_at: Option<Timestamp>,
}

/// Whether a purpose is a short word like `working_capital`.
pub fn is_purpose(purpose: &str) -> bool {
    (1..=64).contains(&purpose.len())
        && purpose.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Why a consent does not cover a look at a firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConsentRefusal {
    /// It belongs to another bank; told to nobody, it is answered like one that does not exist.
    #[error("the consent belongs to another bank")]
    ForeignBank,
    /// It was given by another firm.
    #[error("the consent was given by another firm")]
    OtherFirm,
    /// It was revoked.
    #[error("the consent was revoked")]
    Revoked,
    /// It covered one look, which was made.
    #[error("the consent covered one look and is used up")]
    Used,
    /// It has expired.
    #[error("the consent has expired")]
    Expired,
    /// It does not name this purpose.
    #[error("the consent does not cover this purpose")]
    OtherPurpose,
}

/// Proof that a consent was checked for one firm, one bank and one purpose. Only [`Consent::check`] makes one, and
/// gathering evidence asks for one, so that no department can be called without consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentPass {
    consent: ConsentId,
    uscc: Uscc,
    scope: Scope,
    one_look: bool,
    history: FirmHistory,
}

/// What is on record of a firm before it is looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FirmHistory {
    /// For each source the latest as-of date that it has stated: what it says next cannot be as of an earlier day.
    pub latest_as_of: BTreeMap<SourceKind, Date>,
    /// When the firm last revoked a consent, of any bank, or an operator last took back an as-of date. No copy that was fetched before
    /// may be used any more.
    pub revoked_at: Option<Timestamp>,
}

impl ConsentPass {
    /// The consent that was checked.
    pub fn consent(&self) -> ConsentId {
        self.consent
    }

    /// The firm that may be looked at.
    pub fn uscc(&self) -> &Uscc {
        &self.uscc
    }

    /// Whether this department may be asked.
    pub fn covers(&self, source: SourceKind) -> bool {
        self.scope.covers(source)
    }

    /// Whether the first decision uses the consent up.
    pub fn is_for_one_look(&self) -> bool {
        self.one_look
    }

    /// What may be looked at.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What is on record of the firm.
    pub fn history(&self) -> &FirmHistory {
        &self.history
    }

    /// The same pass, for whoever knows what is on record of the firm.
    pub fn knowing(self, history: FirmHistory) -> ConsentPass {
        ConsentPass { history, ..self }
    }
}

impl Consent {
    /// Checks that this consent lets `bank` look at `uscc` for `purpose` at the instant `now`.
    pub fn check(
        &self,
        bank: BankId,
        uscc: &Uscc,
        purpose: &str,
        now: Timestamp,
    ) -> Result<ConsentPass, ConsentRefusal> {
        if self.bank != bank {
            return Err(ConsentRefusal::ForeignBank);
        }
        if self.uscc != *uscc {
            return Err(ConsentRefusal::OtherFirm);
        }
        if self.revoked_at.is_some() {
            return Err(ConsentRefusal::Revoked);
        }
        if self.one_time && self.used_at.is_some() {
            return Err(ConsentRefusal::Used);
        }
        if now >= self.valid_until {
            return Err(ConsentRefusal::Expired);
        }
        if !self.purposes.iter().any(|p| p == purpose) {
            return Err(ConsentRefusal::OtherPurpose);
        }
        let (uscc, scope) = (uscc.clone(), self.scope.clone());
        Ok(ConsentPass { consent: self.id, uscc, scope, one_look: self.one_time, history: FirmHistory::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn consent() -> Consent {
        Consent {
            id: ConsentId(Uuid::from_u128(1)),
            bank: BankId(Uuid::from_u128(2)),
            uscc: "91330604MA2XY0014W".parse().unwrap(),
            purposes: vec!["working_capital".into()],
            scope: Scope::default(),
            one_time: false,
            granted_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            valid_until: "2027-01-01T00:00:00Z".parse().unwrap(),
            document_sha256: None,
            revoked_at: None,
            used_at: None,
        }
    }

    #[test]
    fn a_pass_is_given_only_to_the_bank_firm_purpose_and_time_of_the_consent() {
        let given = consent();
        let (bank, firm) = (given.bank, given.uscc.clone());
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let other_firm: Uscc = "91330604MA2D7K3P92".parse().unwrap();
        let other_bank = BankId(Uuid::from_u128(3));
        assert_eq!(given.check(bank, &firm, "working_capital", now).unwrap().uscc(), &firm);
        assert_eq!(given.check(other_bank, &firm, "working_capital", now), Err(ConsentRefusal::ForeignBank));
        assert_eq!(given.check(bank, &other_firm, "working_capital", now), Err(ConsentRefusal::OtherFirm));
        assert_eq!(given.check(bank, &firm, "equipment", now), Err(ConsentRefusal::OtherPurpose));
        assert_eq!(given.check(bank, &firm, "working_capital", given.valid_until), Err(ConsentRefusal::Expired));
        let used = Consent { one_time: true, used_at: Some(now), ..given.clone() };
        assert_eq!(used.check(bank, &firm, "working_capital", now), Err(ConsentRefusal::Used));
        let revoked = Consent { revoked_at: Some(now), ..given };
        assert_eq!(revoked.check(bank, &firm, "working_capital", now), Err(ConsentRefusal::Revoked));
    }
}
