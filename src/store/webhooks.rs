//! Webhooks as banks registered them. What is sent to them, and how far it has come, is in [`super::outbox`].
//!
//! Each change has its own row in the audit chain, so that nobody turns a bank's events elsewhere unseen. How an endpoint
//! fares (`failing_since`, `failures`, `rest_until`) follows from the deliveries and is not in it.

use jiff::{SignedDuration, Timestamp};

use super::audit::{Batch, Kind, digest};
use super::column::Row;
use super::database::{execute, fetch};
use super::idempotency::{self, IdempotencyEntry, StoredReply};
use super::notices::tell;
use super::outbox::close_pending;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::notice::NoticeAbout;
use crate::domain::webhook::{OLD_SECRET_HOURS, WEBHOOKS_MAX};
use crate::domain::{BankId, Disabled, EventKind, NoticeKind, Webhook, WebhookId};

const ENABLED: &str = "enabled";
const DISABLED: &str = "disabled";
const DELETED: &str = "deleted";

/// A webhook as stored.
#[derive(Debug, Clone, sqlx::FromRow, serde::Deserialize)]
pub(super) struct WebhookRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    #[serde(default)]
    pub(super) seq: i64,
    pub(super) id: String,
    bank: String,
    url: String,
    pub(super) kinds: String,
    secret: String,
    old_secret: Option<String>,
    old_until: Option<i64>,
    state: String,
    because: Option<String>,
    created_at: i64,
    pub(super) failing_since: Option<i64>,
    pub(super) failures: i64,
}

impl WebhookRow {
    /// What the bank set, and not how the endpoint fares.
    pub(super) fn digest(&self) -> String {
        digest(&(
            (&self.id, &self.bank, &self.url, &self.kinds, &self.secret, &self.old_secret),
            (self.old_until, &self.state, &self.because, self.created_at),
        ))
    }

    /// Whether events are sent to it.
    pub(super) fn enabled(&self) -> bool {
        self.state == ENABLED
    }

    fn read(&self) -> Result<Webhook, StoreError> {
        let row = Row { what: "webhook", id: &self.id };
        let because = self.because.as_deref().map(|because| row.parse("because", because)).transpose()?;
        let kinds: Result<Vec<EventKind>, StoreError> =
            self.kinds.split_whitespace().map(|kind| row.parse("kinds", kind)).collect();
        Ok(Webhook {
            id: row.parse("id", &self.id)?,
            bank: row.parse("bank", &self.bank)?,
            url: self.url.clone(),
            kinds: kinds?,
            disabled: if self.enabled() { None } else { because.or(Some(Disabled::ByBank)) },
            created_at: row.instant("created_at", self.created_at)?,
            old_secret_until: row.instant_if_any("old_until", self.old_until)?,
            failing_since: row.instant_if_any("failing_since", self.failing_since)?,
        })
    }
}

/// A webhook to be registered.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Its id.
    pub id: WebhookId,
    /// The bank.
    pub bank: BankId,
    /// The address.
    pub url: String,
    /// What is sent to it; empty: everything.
    pub kinds: Vec<EventKind>,
    /// The signing secret, sealed.
    pub sealed_secret: String,
}

/// What a bank changes.
#[derive(Debug, Clone)]
pub enum WebhookChange {
    /// What is given; the rest stays. Enabling forgets earlier failures, disabling gives up what waits.
    Set {
        /// The address.
        url: Option<String>,
        /// What is sent.
        kinds: Option<Vec<EventKind>>,
        /// Whether anything is.
        enabled: Option<bool>,
    },
    /// A new secret, sealed; the present one signs beside it for a day.
    Secret(String),
    /// It is gone.
    Delete,
}

/// All columns of a webhook; a condition must follow.
macro_rules! select_webhooks {
    () => {
        "SELECT id, bank, url, kinds, secret, old_secret, old_until, state, because, created_at, failing_since, failures \
         FROM webhooks"
    };
}

/// A column of kinds: each between blanks, so that one can be looked for with LIKE.
fn kinds_column(kinds: &[EventKind]) -> String {
    if kinds.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    format!(" {} ", names.join(" "))
}

/// A bank's webhook, as the transaction sees it.
pub(super) async fn find(batch: &mut Batch, id: WebhookId, bank: BankId) -> Result<Option<WebhookRow>, StoreError> {
    const SELECT: &str = concat!(select_webhooks!(), " WHERE id = $1 AND bank = $2 AND state <> 'deleted'");
    let (id, bank) = (id.to_string(), bank.to_string());
    Ok(fetch!(fetch_optional, WriteTransaction, batch.transaction(), WebhookRow, SELECT, &id, &bank)?)
}

/// The webhook of a delivery, whosever it is.
pub(super) async fn find_any(batch: &mut Batch, id: WebhookId) -> Result<Option<WebhookRow>, StoreError> {
    const SELECT: &str = concat!(select_webhooks!(), " WHERE id = $1");
    Ok(fetch!(fetch_optional, WriteTransaction, batch.transaction(), WebhookRow, SELECT, id.to_string())?)
}

/// Disables a webhook that is gone or failing: what waits is given up, and the bank is told.
pub(super) async fn disable(
    batch: &mut Batch,
    mut row: WebhookRow,
    because: Disabled,
    now: Timestamp,
) -> Result<(), StoreError> {
    row.state = DISABLED.to_owned();
    row.because = Some(because.as_str().to_owned());
    save(batch, &row, now).await?;
    close_pending(batch, &row.id, now).await?;
    let webhook = row.read()?;
    let mut about = NoticeAbout { webhook_id: Some(webhook.id), ..NoticeAbout::default() };
    about.figures.insert("because".to_owned(), because.as_str().to_owned());
    tell(batch, webhook.bank, NoticeKind::WebhookDisabled, &about, now).await
}

/// Writes what was set, and its row of the chain.
async fn save(batch: &mut Batch, row: &WebhookRow, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        batch.transaction(),
        "UPDATE webhooks SET url = $1, kinds = $2, secret = $3, old_secret = $4, old_until = $5, state = $6, because = $7, \
         failing_since = $8, failures = $9 WHERE id = $10",
        &row.url,
        &row.kinds,
        &row.secret,
        &row.old_secret,
        row.old_until,
        &row.state,
        &row.because,
        row.failing_since,
        row.failures,
        &row.id,
    )?;
    batch.append(Kind::Webhook, &row.id, &row.digest(), now);
    Ok(())
}

impl Store {
    /// Registers a webhook, once for each idempotency key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn create_webhook(
        &self,
        new: NewWebhook,
        idempotency: Option<IdempotencyEntry>,
        now: Timestamp,
    ) -> Result<Registered, StoreError> {
        let row = WebhookRow {
            seq: 0,
            id: new.id.to_string(),
            bank: new.bank.to_string(),
            url: new.url,
            kinds: kinds_column(&new.kinds),
            secret: new.sealed_secret,
            old_secret: None,
            old_until: None,
            state: ENABLED.to_owned(),
            because: None,
            created_at: now.as_millisecond(),
            failing_since: None,
            failures: 0,
        };
        self.write(CreateWebhook { bank: new.bank, row, idempotency, now }).await
    }

    /// The webhooks of all banks, the oldest first, for those who run the service.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn webhooks_of_all(&self) -> Result<Vec<AnyWebhook>, StoreError> {
        const SELECT: &str = "SELECT w.id, w.bank, w.url, w.kinds, w.secret, w.old_secret, w.old_until, w.state, w.because, \
             w.created_at, w.failing_since, w.failures, b.name AS bank_name \
             FROM webhooks w JOIN banks b ON b.id = w.bank WHERE w.state <> 'deleted' ORDER BY w.id";
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, AnyRow, SELECT)?;
        let read = |AnyRow { webhook, bank_name }: AnyRow| {
            let read = webhook.read()?;
            let secrets = SealedSecrets { present: webhook.secret, previous: webhook.old_secret };
            Ok(AnyWebhook { webhook: read, bank_name, secrets })
        };
        rows.into_iter().map(read).collect()
    }

    /// Stores the same secrets sealed otherwise; false where they are no longer those that `was` names.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reseal_webhook(
        &self,
        id: WebhookId,
        was: SealedSecrets,
        becomes: SealedSecrets,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(Reseal { id, was, becomes, now }).await
    }

    /// A bank's webhooks, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn webhooks_of(&self, bank: BankId) -> Result<Vec<Webhook>, StoreError> {
        const SELECT: &str = concat!(select_webhooks!(), " WHERE bank = $1 AND state <> 'deleted' ORDER BY id");
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, WebhookRow, SELECT, bank.to_string())?;
        rows.iter().map(WebhookRow::read).collect()
    }

    /// A webhook, where it is this bank's.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn webhook(&self, id: WebhookId, bank: BankId) -> Result<Option<Webhook>, StoreError> {
        const SELECT: &str = concat!(select_webhooks!(), " WHERE id = $1 AND bank = $2 AND state <> 'deleted'");
        let (id, bank) = (id.to_string(), bank.to_string());
        let mut reader = self.reader().await?;
        let row = fetch!(fetch_optional, Reader, &mut reader, WebhookRow, SELECT, &id, &bank)?;
        row.as_ref().map(WebhookRow::read).transpose()
    }

    /// Changes a webhook; `None` where this bank has none with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn change_webhook(
        &self,
        id: WebhookId,
        bank: BankId,
        change: WebhookChange,
        now: Timestamp,
    ) -> Result<Option<Webhook>, StoreError> {
        self.write(ChangeWebhook { id, bank, change, now }).await
    }
}

/// What became of a webhook that was to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It is.
    Stored(Webhook),
    /// The bank has [`WEBHOOKS_MAX`] already.
    TooMany,
    /// Another request with the same idempotency key was first; nothing was written, this was its answer.
    Replayed(StoredReply),
}

/// The secrets of a webhook as they lie in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecrets {
    /// The one that signs.
    pub present: String,
    /// The one before it.
    pub previous: Option<String>,
}

/// A webhook of any bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// Its bank's name.
    pub bank_name: String,
    /// Its secrets, sealed.
    pub secrets: SealedSecrets,
}

#[derive(sqlx::FromRow)]
struct AnyRow {
    #[sqlx(flatten)]
    webhook: WebhookRow,
    bank_name: String,
}

struct Reseal {
    id: WebhookId,
    was: SealedSecrets,
    becomes: SealedSecrets,
    now: Timestamp,
}

impl Write for Reseal {
    type Answer = bool;

    async fn apply(&self, batch: &mut Batch) -> Result<bool, StoreError> {
        let Some(mut row) = find_any(batch, self.id).await? else { return Ok(false) };
        // Rotated, or deleted, since it was read.
        if row.secret != self.was.present || row.old_secret != self.was.previous {
            return Ok(false);
        }
        row.secret.clone_from(&self.becomes.present);
        row.old_secret.clone_from(&self.becomes.previous);
        save(batch, &row, self.now).await?;
        Ok(true)
    }
}

struct CreateWebhook {
    bank: BankId,
    row: WebhookRow,
    idempotency: Option<IdempotencyEntry>,
    now: Timestamp,
}

impl Write for CreateWebhook {
    type Answer = Registered;

    async fn apply(&self, batch: &mut Batch) -> Result<Registered, StoreError> {
        const COUNT: &str = "SELECT COUNT(*) FROM webhooks WHERE bank = $1 AND state <> 'deleted'";
        let row = &self.row;
        if let Some(entry) = &self.idempotency
            && let Some(earlier) = idempotency::earlier(batch, self.bank, entry, self.now).await?
        {
            return Ok(Registered::Replayed(earlier));
        }
        let (count,) = fetch!(fetch_one, WriteTransaction, batch.transaction(), (i64,), COUNT, &row.bank)?;
        if count >= WEBHOOKS_MAX as i64 {
            return Ok(Registered::TooMany);
        }
        execute!(
            batch.transaction(),
            "INSERT INTO webhooks (id, bank, url, kinds, secret, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &row.id,
            &row.bank,
            &row.url,
            &row.kinds,
            &row.secret,
            &row.state,
            row.created_at,
        )?;
        batch.append(Kind::Webhook, &row.id, &row.digest(), self.now);
        if let Some(entry) = &self.idempotency {
            idempotency::keep(batch, &[(self.bank, entry, self.now)]).await?;
        }
        row.read().map(Registered::Stored)
    }
}

struct ChangeWebhook {
    id: WebhookId,
    bank: BankId,
    change: WebhookChange,
    now: Timestamp,
}

impl Write for ChangeWebhook {
    type Answer = Option<Webhook>;

    async fn apply(&self, batch: &mut Batch) -> Result<Option<Webhook>, StoreError> {
        let Some(mut row) = find(batch, self.id, self.bank).await? else { return Ok(None) };
        let (was_enabled, old_url) = (row.enabled(), row.url.clone());
        self.change_row(&mut row);
        if row.url != old_url || (row.enabled() && !was_enabled) {
            (row.failing_since, row.failures) = (None, 0);
            execute!(batch.transaction(), "UPDATE webhooks SET rest_until = NULL WHERE id = $1", &row.id)?;
        }
        save(batch, &row, self.now).await?;
        if was_enabled && !row.enabled() {
            close_pending(batch, &row.id, self.now).await?;
        }
        row.read().map(Some)
    }
}

impl ChangeWebhook {
    fn change_row(&self, row: &mut WebhookRow) {
        match &self.change {
            WebhookChange::Set { url, kinds, enabled } => {
                if let Some(url) = url {
                    row.url.clone_from(url);
                }
                if let Some(kinds) = kinds {
                    row.kinds = kinds_column(kinds);
                }
                match enabled {
                    Some(true) => (row.state, row.because) = (ENABLED.to_owned(), None),
                    // One that is disabled already stays so for its own reason.
                    Some(false) if row.enabled() => {
                        row.state = DISABLED.to_owned();
                        row.because = Some(Disabled::ByBank.as_str().to_owned());
                    }
                    _ => {}
                }
            }
            WebhookChange::Secret(sealed) => {
                let until = self.now.saturating_add(SignedDuration::from_hours(OLD_SECRET_HOURS));
                row.old_secret = Some(std::mem::replace(&mut row.secret, sealed.clone()));
                row.old_until = Some(until.unwrap_or(Timestamp::MAX).as_millisecond());
            }
            WebhookChange::Delete => {
                row.state = DELETED.to_owned();
                // Nothing is signed with them any more.
                (row.secret, row.old_secret, row.old_until) = (String::new(), None, None);
            }
        }
    }
}
