//! Banks and their API keys.
//!
//! A secret has 256 random bits, so a fast hash of it cannot be searched backwards: SHA-256 is enough, and a slow hash
//! would only slow every request. It is found by its hash in an index: how long that takes tells nothing of a secret,
//! because nobody can choose the beginning of a SHA-256.

use jiff::Timestamp;
use rand::distributions::{Alphanumeric, DistString};
use rand::rngs::OsRng;
use secrecy::SecretString;
use uuid::Uuid;

use super::audit::{Batch, Kind, digest, sha256};
use super::changes::Change;
use super::column::Row;
use super::database::{execute, fetch};
use super::writer::Write;
use super::{Store, StoreError, changes, checked_name};
use crate::domain::{BankId, KeyId};

/// What every secret begins with.
const PREFIX: &str = "yx_test_";
/// 43 of 62 characters are 256 bits.
pub(super) const SECRET_CHARS: usize = 43;
/// Characters of the secret that the list shows.
const HINT_CHARS: usize = 12;

/// A bank's API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its id.
    pub id: KeyId,
    /// The bank that it speaks for.
    pub bank: BankId,
    /// The bank's name.
    pub bank_name: String,
    /// The first characters of the secret, to tell keys apart.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// A key that was just made: the only time its secret is known.
#[derive(Debug)]
pub struct NewKey {
    /// The key.
    pub info: KeyInfo,
    /// Its secret; only a hash is stored.
    pub secret: SecretString,
}

/// Who speaks, when a key is presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankIdentity {
    /// The bank.
    pub bank: BankId,
    /// Its name.
    pub name: String,
    /// The key presented.
    pub key: KeyId,
}

#[derive(Debug, Clone, sqlx::FromRow, serde::Deserialize)]
pub(super) struct BankRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    #[serde(default)]
    pub(super) seq: i64,
    id: String,
    name: String,
    created_at: i64,
}

impl BankRow {
    pub(super) fn digest(&self) -> String {
        digest(&(&self.id, &self.name, self.created_at))
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct KeyRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    pub(super) seq: i64,
    id: String,
    bank: String,
    #[sqlx(default)]
    bank_name: String,
    secret_sha256: String,
    hint: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl KeyRow {
    /// All columns but the revocation, which has its own row in the chain.
    pub(super) fn digest(&self) -> String {
        digest(&(&self.id, &self.bank, &self.secret_sha256, &self.hint, self.created_at))
    }

    pub(super) fn revocation_digest(&self) -> String {
        digest(&(&self.id, self.revoked_at))
    }

    fn read(&self) -> Result<KeyInfo, StoreError> {
        let row = Row { what: "key", id: &self.id };
        Ok(KeyInfo {
            id: row.parse("id", &self.id)?,
            bank: row.parse("bank", &self.bank)?,
            bank_name: self.bank_name.clone(),
            hint: self.hint.clone(),
            created_at: row.instant("created_at", self.created_at)?,
            revoked_at: row.instant_if_any("revoked_at", self.revoked_at)?,
        })
    }
}

/// Keys `k` with the names of their banks; a condition or an order must follow.
macro_rules! select_keys {
    () => {
        "SELECT k.id, k.bank, b.name AS bank_name, k.secret_sha256, k.hint, k.created_at, k.revoked_at \
         FROM bank_keys k JOIN banks b ON b.id = k.bank"
    };
}

impl Store {
    /// Makes a key for the bank of this name, and the bank too when it is new.
    ///
    /// # Errors
    /// [`StoreError::BadName`]; [`StoreError::Unavailable`].
    pub async fn create_key(&self, bank_name: &str, now: Timestamp) -> Result<NewKey, StoreError> {
        let secret = format!("{PREFIX}{}", Alphanumeric.sample_string(&mut OsRng, SECRET_CHARS));
        let row = KeyRow {
            seq: 0,
            id: Uuid::now_v7().to_string(),
            bank: Uuid::now_v7().to_string(),
            bank_name: checked_name(bank_name)?,
            secret_sha256: sha256(secret.as_bytes()),
            hint: secret.chars().take(HINT_CHARS).collect(),
            created_at: now.as_millisecond(),
            revoked_at: None,
        };
        let info = self.write(CreateKey { row, now }).await?;
        Ok(NewKey { info, secret: secret.into() })
    }

    /// Every key, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn list_keys(&self) -> Result<Vec<KeyInfo>, StoreError> {
        const ALL: &str = concat!(select_keys!(), " ORDER BY k.created_at, k.id");
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, KeyRow, ALL)?;
        rows.iter().map(KeyRow::read).collect()
    }

    /// Revokes a key; `false` when there is none with this id that still works. It holds at once, in every
    /// process over the same store: nothing about keys is cached.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.write(RevokeKey { id, now }).await
    }

    /// The bank for which a secret speaks; `None` when there is no such key or it is revoked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn bank_of_key(&self, secret: &str) -> Result<Option<BankIdentity>, StoreError> {
        const BY_SECRET: &str = concat!(select_keys!(), " WHERE k.secret_sha256 = $1 AND k.revoked_at IS NULL");
        if secret.len() != PREFIX.len() + SECRET_CHARS || !secret.starts_with(PREFIX) {
            return Ok(None);
        }
        let hash = sha256(secret.as_bytes());
        let (known, drops) = self.known_key(&hash).await?;
        if known.is_some() {
            return Ok(known);
        }
        let mut reader = self.reader().await?;
        let row = fetch!(fetch_optional, Reader, &mut reader, KeyRow, BY_SECRET, &hash)?;
        let Some(row) = row else { return Ok(None) };
        let KeyInfo { id, bank, bank_name, .. } = row.read()?;
        let bank = BankIdentity { bank, name: bank_name, key: id };
        self.remember_key(hash, &bank, drops);
        Ok(Some(bank))
    }
}

struct CreateKey {
    row: KeyRow,
    now: Timestamp,
}

impl Write for CreateKey {
    type Answer = KeyInfo;

    async fn apply(&self, batch: &mut Batch) -> Result<KeyInfo, StoreError> {
        const BANK: &str = "SELECT id, name, created_at FROM banks WHERE name = $1";
        let mut row = self.row.clone();
        let known = fetch!(fetch_optional, WriteTransaction, batch.transaction(), BankRow, BANK, &row.bank_name)?;
        if let Some(bank) = known {
            row.bank = bank.id;
        } else {
            let bank =
                BankRow { seq: 0, id: row.bank.clone(), name: row.bank_name.clone(), created_at: row.created_at };
            execute!(
                batch.transaction(),
                "INSERT INTO banks (id, name, created_at) VALUES ($1, $2, $3)",
                &bank.id,
                &bank.name,
                bank.created_at
            )?;
            batch.append(Kind::Bank, &bank.id, &bank.digest(), self.now);
        }
        execute!(
            batch.transaction(),
            "INSERT INTO bank_keys (id, bank, secret_sha256, hint, created_at) VALUES ($1, $2, $3, $4, $5)",
            &row.id,
            &row.bank,
            &row.secret_sha256,
            &row.hint,
            row.created_at
        )?;
        batch.append(Kind::Key, &row.id, &row.digest(), self.now);
        row.read()
    }
}

struct RevokeKey {
    id: KeyId,
    now: Timestamp,
}

impl Write for RevokeKey {
    type Answer = bool;

    async fn apply(&self, batch: &mut Batch) -> Result<bool, StoreError> {
        let (id, at) = (self.id.to_string(), self.now.as_millisecond());
        let revoked = execute!(
            batch.transaction(),
            "UPDATE bank_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
            at,
            &id
        )?;
        if revoked == 0 {
            return Ok(false);
        }
        batch.append(Kind::KeyRevoked, &id, &digest(&(&id, Some(at))), self.now);
        changes::announce(batch, &Change::KeyRevoked(self.id)).await?;
        Ok(true)
    }
}
