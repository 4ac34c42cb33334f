//! Consents: registered, read, revoked. Whose they are is checked by the caller with [`Consent::check`], and here on revoking.

use jiff::Timestamp;

use super::audit::{Batch, Kind, digest};
use super::column::Row;
use super::database::{execute, fetch};
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{BankId, Consent, ConsentId};

const SELECT: &str = "SELECT id, bank, uscc, purposes, granted_at, valid_until, document_sha256, revoked_at \
     FROM consents WHERE id = $1";

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct ConsentRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    pub(super) seq: i64,
    id: String,
    bank: String,
    uscc: String,
    purposes: String,
    granted_at: i64,
    valid_until: i64,
    document_sha256: Option<String>,
    revoked_at: Option<i64>,
}

impl ConsentRow {
    fn of(consent: &Consent) -> ConsentRow {
        ConsentRow {
            seq: 0,
            id: consent.id.to_string(),
            bank: consent.bank.to_string(),
            uscc: consent.uscc.as_str().to_owned(),
            purposes: serde_json::to_string(&consent.purposes).unwrap_or_default(),
            granted_at: consent.granted_at.as_millisecond(),
            valid_until: consent.valid_until.as_millisecond(),
            document_sha256: consent.document_sha256.clone(),
            revoked_at: consent.revoked_at.map(Timestamp::as_millisecond),
        }
    }

    /// All columns but the revocation, which has its own row in the chain.
    pub(super) fn digest(&self) -> String {
        digest(&(
            &self.id,
            &self.bank,
            &self.uscc,
            &self.purposes,
            self.granted_at,
            self.valid_until,
            &self.document_sha256,
        ))
    }

    pub(super) fn revocation_digest(&self) -> String {
        digest(&(&self.id, self.revoked_at))
    }

    fn read(self) -> Result<Consent, StoreError> {
        let row = Row { what: "consent", id: &self.id };
        Ok(Consent {
            id: row.parse("id", &self.id)?,
            bank: row.parse("bank", &self.bank)?,
            uscc: row.parse("uscc", &self.uscc)?,
            purposes: row.json("purposes", &self.purposes)?,
            granted_at: row.instant("granted_at", self.granted_at)?,
            valid_until: row.instant("valid_until", self.valid_until)?,
            revoked_at: row.instant_if_any("revoked_at", self.revoked_at)?,
            document_sha256: self.document_sha256,
        })
    }
}

impl Store {
    /// Registers a consent, whole or not at all. Instants are kept to the millisecond.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the id is taken or the bank is not known; [`StoreError::Unavailable`].
    pub async fn insert_consent(&self, consent: &Consent) -> Result<(), StoreError> {
        self.write(InsertConsent(consent.clone())).await
    }

    /// The consent with this id, whichever bank holds it: the caller checks that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn consent(&self, id: ConsentId) -> Result<Option<Consent>, StoreError> {
        let mut reader = self.reader().await?;
        let row = fetch!(fetch_optional, Reader, &mut reader, ConsentRow, SELECT, id.to_string())?;
        row.map(ConsentRow::read).transpose()
    }

    /// Revokes a consent of this bank; `None` when the bank has no such consent. Revoking again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn revoke_consent(
        &self,
        id: ConsentId,
        bank: BankId,
        now: Timestamp,
    ) -> Result<Option<Consent>, StoreError> {
        self.write(RevokeConsent { id, bank, now }).await
    }
}

struct InsertConsent(Consent);

impl Write for InsertConsent {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch) -> Result<(), StoreError> {
        // A new consent is not revoked: revoking is an act of its own, with its own row in the chain.
        let row = ConsentRow { revoked_at: None, ..ConsentRow::of(&self.0) };
        execute!(
            batch.transaction(),
            "INSERT INTO consents (id, bank, uscc, purposes, granted_at, valid_until, document_sha256) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &row.id,
            &row.bank,
            &row.uscc,
            &row.purposes,
            row.granted_at,
            row.valid_until,
            &row.document_sha256,
        )?;
        batch.append(Kind::Consent, &row.id, &row.digest(), self.0.granted_at).await
    }
}

struct RevokeConsent {
    id: ConsentId,
    bank: BankId,
    now: Timestamp,
}

impl Write for RevokeConsent {
    type Answer = Option<Consent>;

    async fn apply(&self, batch: &mut Batch) -> Result<Option<Consent>, StoreError> {
        let found = fetch!(fetch_optional, Transaction, batch.transaction(), ConsentRow, SELECT, self.id.to_string())?;
        let Some(mut row) = found.filter(|row| row.bank == self.bank.to_string()) else {
            return Ok(None);
        };
        if row.revoked_at.is_none() {
            row.revoked_at = Some(self.now.as_millisecond());
            let consent = row.clone().read()?;
            execute!(
                batch.transaction(),
                "UPDATE consents SET revoked_at = $1 WHERE id = $2",
                row.revoked_at,
                &row.id
            )?;
            batch.append(Kind::ConsentRevoked, &row.id, &row.revocation_digest(), self.now).await?;
            return Ok(Some(consent));
        }
        row.read().map(Some)
    }
}
