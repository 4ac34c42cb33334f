//! Consents: registered, read, used up, revoked. Whose they are is checked by the caller with [`Consent::check`], and here on
//! revoking.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::audit::{Batch, Kind, digest};
use super::changes::Change;
use super::column::Row;
use super::database::{execute, fetch};
use super::decisions::Committed;
use super::idempotency::{self, IdempotencyEntry};
use super::many::{ManyRows, read_many};
use super::writer::Write;
use super::{Store, StoreError, changes, notices, rejected};
use crate::domain::notice::{DECISIONS_MAX, NoticeAbout};
use crate::domain::{BankId, Consent, ConsentId, ConsentRefusal, DecisionId, NoticeKind, Scope};

const SELECT: &str = "SELECT id, bank, uscc, purposes, granted_at, valid_until, document_sha256, revoked_at, \
     sources, fields, one_time, used_at, used_by FROM consents WHERE id = $1";

#[derive(Debug, Clone, sqlx::FromRow, serde::Deserialize)]
pub(super) struct ConsentRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    #[serde(default)]
    pub(super) seq: i64,
    id: String,
    bank: String,
    uscc: String,
    purposes: String,
    granted_at: i64,
    valid_until: i64,
    document_sha256: Option<String>,
    revoked_at: Option<i64>,
    sources: Option<String>,
    fields: Option<String>,
    one_time: i64,
    used_at: Option<i64>,
    used_by: Option<String>,
}

impl ConsentRow {
    fn of(consent: &Consent) -> ConsentRow {
        let json = |list: Result<String, serde_json::Error>| list.unwrap_or_default();
        ConsentRow {
            seq: 0,
            id: consent.id.to_string(),
            bank: consent.bank.to_string(),
            uscc: consent.uscc.as_str().to_owned(),
            purposes: json(serde_json::to_string(&consent.purposes)),
            granted_at: consent.granted_at.as_millisecond(),
            valid_until: consent.valid_until.as_millisecond(),
            document_sha256: consent.document_sha256.clone(),
            revoked_at: consent.revoked_at.map(Timestamp::as_millisecond),
            sources: consent.scope.sources().map(|sources| json(serde_json::to_string(sources))),
            fields: consent.scope.fields().map(|fields| json(serde_json::to_string(fields))),
            one_time: i64::from(consent.one_time),
            used_at: consent.used_at.map(Timestamp::as_millisecond),
            used_by: None,
        }
    }

    /// All columns but the revocation and the use, which have their own rows in the chain. A grant without limits has the digest
    /// that it had before grants could have any.
    pub(super) fn digest(&self) -> String {
        let given = (
            &self.id,
            &self.bank,
            &self.uscc,
            &self.purposes,
            self.granted_at,
            self.valid_until,
            &self.document_sha256,
        );
        if self.sources.is_none() && self.fields.is_none() && self.one_time == 0 {
            return digest(&given);
        }
        digest(&(given, &self.sources, &self.fields, self.one_time))
    }

    pub(super) fn revocation_digest(&self) -> String {
        digest(&(&self.id, self.revoked_at))
    }

    pub(super) fn use_digest(&self) -> String {
        digest(&(&self.id, self.used_at, &self.used_by))
    }

    fn read(self) -> Result<Consent, StoreError> {
        let row = Row { what: "consent", id: &self.id };
        let sources: Option<BTreeSet<_>> = self.sources.as_deref().map(|s| row.json("sources", s)).transpose()?;
        let fields: Option<BTreeSet<_>> = self.fields.as_deref().map(|f| row.json("fields", f)).transpose()?;
        Ok(Consent {
            id: row.parse("id", &self.id)?,
            bank: row.parse("bank", &self.bank)?,
            uscc: row.parse("uscc", &self.uscc)?,
            purposes: row.json("purposes", &self.purposes)?,
            scope: Scope::new(sources, fields).map_err(|_| row.corrupt("sources or fields"))?,
            one_time: self.one_time != 0,
            granted_at: row.instant("granted_at", self.granted_at)?,
            valid_until: row.instant("valid_until", self.valid_until)?,
            revoked_at: row.instant_if_any("revoked_at", self.revoked_at)?,
            used_at: row.instant_if_any("used_at", self.used_at)?,
            document_sha256: self.document_sha256,
        })
    }
}

/// A consent as a decision that is about to be stored finds it.
pub(super) struct Grant(ConsentRow);

static GRANTS: ManyRows = ManyRows::new(
    "SELECT id, bank, uscc, purposes, granted_at, valid_until, document_sha256, revoked_at, sources, fields, one_time, \
     used_at, used_by FROM consents WHERE id IN (",
    1,
    ")",
);

/// These consents as they stand in the transaction, by id.
pub(super) async fn grants(batch: &mut Batch, ids: &[ConsentId]) -> Result<HashMap<String, Grant>, StoreError> {
    let rows = read_many!(batch.transaction(), ConsentRow, GRANTS, ids, |id| id.to_string());
    Ok(rows.into_iter().map(|row| (row.id.clone(), Grant(row))).collect())
}

impl Grant {
    /// What became of the consent since it was checked, that forbids the decision.
    pub(super) fn refusal(&self) -> Option<ConsentRefusal> {
        let row = &self.0;
        match (row.revoked_at, row.one_time != 0 && row.used_at.is_some()) {
            (Some(_), _) => Some(ConsentRefusal::Revoked),
            (None, true) => Some(ConsentRefusal::Used),
            (None, false) => None,
        }
    }

    /// Takes a consent for one look for `decision`; one that stands is left alone. Gives whether [`Grant::use_up`] is due.
    pub(super) fn take(&mut self, decision: DecisionId, at: Timestamp) -> bool {
        if self.0.one_time == 0 {
            return false;
        }
        (self.0.used_at, self.0.used_by) = (Some(at.as_millisecond()), Some(decision.to_string()));
        true
    }

    /// Marks a consent that was taken as used up.
    pub(super) async fn use_up(&self, batch: &mut Batch, at: Timestamp) -> Result<(), StoreError> {
        let row = &self.0;
        execute!(
            batch.transaction(),
            "UPDATE consents SET used_at = $1, used_by = $2 WHERE id = $3",
            row.used_at,
            &row.used_by,
            &row.id
        )?;
        batch.append(Kind::ConsentUsed, &row.id, &row.use_digest(), at);
        Ok(())
    }
}

impl Store {
    /// Registers a consent, whole or not at all. Instants are kept to the millisecond.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the id is taken or the bank is not known; [`StoreError::Unavailable`].
    pub async fn insert_consent(&self, consent: &Consent) -> Result<(), StoreError> {
        self.register_consent(consent, None).await.map(drop)
    }

    /// The same, once for each idempotency key: where the key is taken, nothing is written.
    ///
    /// # Errors
    /// As [`Store::insert_consent`].
    pub async fn register_consent(
        &self,
        consent: &Consent,
        idempotency: Option<IdempotencyEntry>,
    ) -> Result<Committed, StoreError> {
        self.write(InsertConsent { consent: consent.clone(), idempotency }).await
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
    /// In the same transaction the bank gets a notice that names its decisions made under the consent, and what was kept of the
    /// firm's rejected replies is thrown away.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn revoke_consent(
        &self,
        id: ConsentId,
        bank: BankId,
        now: Timestamp,
    ) -> Result<Option<Consent>, StoreError> {
        self.revoke(RevokeConsent { id, bank: Some(bank), now }).await
    }

    /// Revokes a consent for the firm, whichever bank holds it; else as [`Store::revoke_consent`].
    ///
    /// # Errors
    /// As [`Store::revoke_consent`].
    pub async fn revoke_consent_for_firm(&self, id: ConsentId, now: Timestamp) -> Result<Option<Consent>, StoreError> {
        self.revoke(RevokeConsent { id, bank: None, now }).await
    }

    async fn revoke(&self, write: RevokeConsent) -> Result<Option<Consent>, StoreError> {
        let (consent, thrown_away) = self.write(write).await?;
        if thrown_away > 0 {
            // The log beside the file still holds what was thrown away.
            self.0.writer.empty_log();
        }
        Ok(consent)
    }
}

struct InsertConsent {
    consent: Consent,
    idempotency: Option<IdempotencyEntry>,
}

impl Write for InsertConsent {
    type Answer = Committed;

    async fn apply(&self, batch: &mut Batch) -> Result<Committed, StoreError> {
        let InsertConsent { consent, idempotency } = self;
        if let Some(entry) = idempotency
            && let Some(earlier) = idempotency::earlier(batch, consent.bank, entry, consent.granted_at).await?
        {
            return Ok(Committed::Replayed(earlier));
        }
        // A new consent is neither revoked nor used: those are acts of their own, with their own rows in the chain.
        let row = ConsentRow { revoked_at: None, used_at: None, ..ConsentRow::of(consent) };
        execute!(
            batch.transaction(),
            "INSERT INTO consents (id, bank, uscc, purposes, granted_at, valid_until, document_sha256, sources, fields, \
             one_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &row.id,
            &row.bank,
            &row.uscc,
            &row.purposes,
            row.granted_at,
            row.valid_until,
            &row.document_sha256,
            &row.sources,
            &row.fields,
            row.one_time,
        )?;
        batch.append(Kind::Consent, &row.id, &row.digest(), consent.granted_at);
        if let Some(entry) = idempotency {
            idempotency::keep(batch, &[(consent.bank, entry, consent.granted_at)]).await?;
        }
        Ok(Committed::Stored)
    }
}

struct RevokeConsent {
    id: ConsentId,
    /// The bank whose consent it must be; `None` for the firm itself.
    bank: Option<BankId>,
    now: Timestamp,
}

impl Write for RevokeConsent {
    /// The consent, and how many kept replies were thrown away.
    type Answer = (Option<Consent>, usize);

    async fn apply(&self, batch: &mut Batch) -> Result<Self::Answer, StoreError> {
        let found =
            fetch!(fetch_optional, WriteTransaction, batch.transaction(), ConsentRow, SELECT, self.id.to_string())?;
        let own = |row: &ConsentRow| self.bank.is_none_or(|bank| row.bank == bank.to_string());
        let Some(mut row) = found.filter(own) else {
            return Ok((None, 0));
        };
        if row.revoked_at.is_some() {
            return Ok((Some(row.read()?), 0));
        }
        row.revoked_at = Some(self.now.as_millisecond());
        let consent = row.clone().read()?;
        execute!(batch.transaction(), "UPDATE consents SET revoked_at = $1 WHERE id = $2", row.revoked_at, &row.id)?;
        batch.append(Kind::ConsentRevoked, &row.id, &row.revocation_digest(), self.now);
        let (decision_ids, count) = relying_on(batch, &consent).await?;
        let about = NoticeAbout {
            consent_id: Some(self.id),
            decisions_at: (count > decision_ids.len() as u64).then(|| format!("/v1/consents/{}/decisions", self.id)),
            decision_ids,
            decision_count: Some(count),
            ..NoticeAbout::default()
        };
        notices::tell(batch, consent.bank, NoticeKind::ConsentRevoked, &about, self.now).await?;
        let thrown_away = rejected::forget(batch, &consent.uscc).await?;
        changes::announce(batch, &Change::ConsentRevoked(consent.uscc.clone())).await?;
        Ok((Some(consent), thrown_away))
    }
}

/// The most decisions on one page.
const PAGE_MAX: u32 = 200;

/// Looks of a bank under a consent that led to decisions, from after the one that $4 names.
macro_rules! relying {
    () => {
        " FROM looks WHERE uscc = $1 AND consent_id = $2 AND bank || '' = $3 AND ended = 'decided' AND decision_id IS NOT NULL \
         AND decision_id > $4"
    };
}

/// Decisions under a consent, a page of them.
pub(super) const DECISIONS_UNDER: &str =
    concat!("SELECT DISTINCT decision_id", relying!(), " ORDER BY decision_id LIMIT $5");

impl Store {
    /// A bank's decisions that were made under its consent, oldest first, from the one after `after` on; at most 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn decisions_under(
        &self,
        consent: &Consent,
        after: Option<DecisionId>,
        limit: u32,
    ) -> Result<Vec<DecisionId>, StoreError> {
        let (id, bank, uscc) = (consent.id.to_string(), consent.bank.to_string(), consent.uscc.as_str());
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let limit = i64::from(limit.min(PAGE_MAX));
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, (String,), DECISIONS_UNDER, uscc, &id, &bank, &after, limit)?;
        let row = Row { what: "consent", id: &id };
        rows.iter().map(|(id,)| row.parse("decision_id", id)).collect()
    }
}

/// The bank's decisions that were made under a consent, oldest first, as many as a notice names; and how many there are.
async fn relying_on(batch: &mut Batch, consent: &Consent) -> Result<(Vec<DecisionId>, u64), StoreError> {
    const COUNT: &str = concat!("SELECT COUNT(DISTINCT decision_id)", relying!());
    let (id, bank, uscc) = (consent.id.to_string(), consent.bank.to_string(), consent.uscc.as_str());
    let most = DECISIONS_MAX as i64;
    let rows = fetch!(
        fetch_all,
        WriteTransaction,
        batch.transaction(),
        (String,),
        DECISIONS_UNDER,
        uscc,
        &id,
        &bank,
        "",
        most
    )?;
    let (count,) = fetch!(fetch_one, WriteTransaction, batch.transaction(), (i64,), COUNT, uscc, &id, &bank, "")?;
    let row = Row { what: "consent", id: &id };
    let ids: Result<Vec<DecisionId>, StoreError> = rows.iter().map(|(id,)| row.parse("decision_id", id)).collect();
    Ok((ids?, count.unsigned_abs()))
}
