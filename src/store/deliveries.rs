//! Deliveries: who sends what to which webhook now, and how that ended.
//!
//! A delivery is claimed under a lease before it is sent. Whoever claims is named in the row, and only he may say how it ended;
//! one who dies says nothing, the lease runs out, and the event is sent once more under the same id. So an event may come
//! twice, but is never lost.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::audit::Batch;
use super::column::Row;
use super::database::{execute, fetch};
use super::webhooks::{disable, find_any};
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{DeliveryState, Disabled, EventId, WebhookId};

/// A webhook is disabled only after this many failures in a row, however long ago the first: one that is told something twice a
/// week is not disabled for two failures.
const FAILURES_MIN: i64 = 10;

/// A webhook for which something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueWebhook {
    /// Which.
    pub id: WebhookId,
    /// Whether its last try failed: then it is tried with one message at a time.
    pub failing: bool,
}

/// A delivery that the caller has claimed and is to try now.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Where to.
    pub webhook: WebhookId,
    /// What.
    pub event: EventId,
    /// The claim: who does not hold it any more has nothing to say about the end.
    pub holder: String,
    /// The address.
    pub url: String,
    /// The sealed secrets that sign now, the present one first.
    pub sealed_secrets: Vec<String>,
    /// The body, to be sent and signed as it is.
    pub body: String,
    /// Tries with this one.
    pub attempts: u32,
}

/// How a try ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// When it was begun.
    pub tried_at: Timestamp,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The end in a word.
    pub word: &'static str,
    /// What follows.
    pub then: Then,
}

/// What follows a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing: it was taken.
    Delivered,
    /// Another try.
    Retry {
        /// When.
        due_at: Timestamp,
        /// Until when nothing at all is sent to this webhook, where it asks for that.
        rest_until: Option<Timestamp>,
    },
    /// It is given up.
    GiveUp,
    /// It is given up, and the webhook is disabled.
    Gone,
    /// It was not tried to its end, and counts for nothing: the service stops.
    Release,
}

#[derive(sqlx::FromRow, serde::Deserialize)]
struct ClaimedRow {
    url: String,
    secret: String,
    old_secret: Option<String>,
    old_until: Option<i64>,
    body: String,
    attempts: i64,
}

impl Store {
    /// The webhooks for which something is due that nobody is sending.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn webhooks_due(&self, now: Timestamp) -> Result<Vec<DueWebhook>, StoreError> {
        const DUE: &str = "SELECT w.id, w.failures FROM webhooks w \
             WHERE w.state = 'enabled' AND (w.rest_until IS NULL OR w.rest_until <= $1) AND EXISTS \
             (SELECT 1 FROM webhook_deliveries d WHERE d.webhook = w.id AND d.due_at <= $1 \
              AND (d.lease_until IS NULL OR d.lease_until <= $1)) ORDER BY w.id";
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, (String, i64), DUE, now.as_millisecond())?;
        rows.iter()
            .map(|(id, failures)| {
                let row = Row { what: "webhook", id };
                Ok(DueWebhook { id: row.parse("id", id)?, failing: *failures > 0 })
            })
            .collect()
    }

    /// Claims up to so many due deliveries of each webhook, until `lease_until`; oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn claim_deliveries(
        &self,
        wanted: Vec<(WebhookId, u32)>,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        self.write(Claim { wanted, now, lease_until }).await
    }

    /// Says how a claimed delivery ended; gives why the webhook was disabled by it, if it was. Where the claim is no longer held,
    /// nothing happens.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn end_delivery(
        &self,
        claimed: &Claimed,
        ended: Ended,
        disable_after: SignedDuration,
        now: Timestamp,
    ) -> Result<Option<Disabled>, StoreError> {
        let (webhook, event, holder) = (claimed.webhook, claimed.event.to_string(), claimed.holder.clone());
        self.write(End { webhook, event, holder, ended, disable_after, now }).await
    }
}

struct Claim {
    wanted: Vec<(WebhookId, u32)>,
    now: Timestamp,
    lease_until: Timestamp,
}

impl Write for Claim {
    type Answer = Vec<Claimed>;

    async fn apply(&self, batch: &mut Batch) -> Result<Vec<Claimed>, StoreError> {
        const DUE: &str = "SELECT event FROM webhook_deliveries WHERE webhook = $1 AND due_at <= $2 \
             AND (lease_until IS NULL OR lease_until <= $2) ORDER BY due_at, event LIMIT $3";
        let (now, mut claimed) = (self.now.as_millisecond(), Vec::new());
        for (webhook, count) in &self.wanted {
            let (id, count) = (webhook.to_string(), i64::from(*count));
            let due = fetch!(fetch_all, WriteTransaction, batch.transaction(), (String,), DUE, &id, now, count)?;
            for (event,) in due {
                claimed.extend(self.take(batch, *webhook, &event).await?);
            }
        }
        Ok(claimed)
    }
}

impl Claim {
    /// Takes one; `None` where another has been faster, or the webhook was disabled.
    async fn take(&self, batch: &mut Batch, webhook: WebhookId, event: &str) -> Result<Option<Claimed>, StoreError> {
        // Looks at the lease once more, so that it holds whatever runs beside it.
        const TAKE: &str = "UPDATE webhook_deliveries SET holder = $1, lease_until = $2, attempts = attempts + 1 \
             WHERE webhook = $3 AND event = $4 AND due_at <= $5 AND (lease_until IS NULL OR lease_until <= $5)";
        const SELECT: &str = "SELECT w.url, w.secret, w.old_secret, w.old_until, e.body, d.attempts \
             FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook JOIN webhook_events e ON e.id = d.event \
             WHERE d.webhook = $1 AND d.event = $2 AND w.state = 'enabled'";
        let (id, holder, now) = (webhook.to_string(), Uuid::now_v7().to_string(), self.now.as_millisecond());
        let until = self.lease_until.as_millisecond();
        if execute!(batch.transaction(), TAKE, &holder, until, &id, event, now)? == 0 {
            return Ok(None);
        }
        let found = fetch!(fetch_optional, WriteTransaction, batch.transaction(), ClaimedRow, SELECT, &id, event)?;
        let Some(row) = found else { return Ok(None) };
        let old = row.old_secret.filter(|_| row.old_until.is_some_and(|until| until > now));
        Ok(Some(Claimed {
            webhook,
            event: Row { what: "event", id: event }.parse("id", event)?,
            holder,
            url: row.url,
            sealed_secrets: std::iter::once(row.secret).chain(old).collect(),
            body: row.body,
            attempts: u32::try_from(row.attempts).unwrap_or(1),
        }))
    }
}

struct End {
    webhook: WebhookId,
    event: String,
    holder: String,
    ended: Ended,
    disable_after: SignedDuration,
    now: Timestamp,
}

impl Write for End {
    type Answer = Option<Disabled>;

    async fn apply(&self, batch: &mut Batch) -> Result<Option<Disabled>, StoreError> {
        if self.ended.then == Then::Release {
            execute!(
                batch.transaction(),
                "UPDATE webhook_deliveries SET holder = NULL, lease_until = NULL, attempts = attempts - 1 \
                 WHERE webhook = $1 AND event = $2 AND holder = $3",
                self.webhook.to_string(),
                &self.event,
                &self.holder,
            )?;
            return Ok(None);
        }
        if !self.record(batch).await? {
            return Ok(None);
        }
        if self.ended.then == Then::Delivered {
            execute!(
                batch.transaction(),
                "UPDATE webhooks SET failing_since = NULL, failures = 0, rest_until = NULL WHERE id = $1 AND failures > 0",
                self.webhook.to_string(),
            )?;
            return Ok(None);
        }
        self.count_failure(batch).await
    }
}

impl End {
    /// Writes the end into the delivery; `false` where the claim is no longer held.
    async fn record(&self, batch: &mut Batch) -> Result<bool, StoreError> {
        let (state, due_at) = match self.ended.then {
            Then::Delivered => (DeliveryState::Delivered, None),
            Then::Retry { due_at, .. } => (DeliveryState::Pending, Some(due_at.as_millisecond())),
            Then::GiveUp | Then::Gone | Then::Release => (DeliveryState::Failed, None),
        };
        let finished_at = due_at.is_none().then(|| self.now.as_millisecond());
        let rows = execute!(
            batch.transaction(),
            "UPDATE webhook_deliveries SET state = $1, due_at = $2, holder = NULL, lease_until = NULL, tried_at = $3, \
             status = $4, ended = $5, finished_at = $6 WHERE webhook = $7 AND event = $8 AND holder = $9",
            state.as_str(),
            due_at,
            self.ended.tried_at.as_millisecond(),
            self.ended.status.map(i64::from),
            self.ended.word,
            finished_at,
            self.webhook.to_string(),
            &self.event,
            &self.holder,
        )?;
        Ok(rows > 0)
    }

    /// Counts a failure against the webhook, and disables it where that was one too many.
    async fn count_failure(&self, batch: &mut Batch) -> Result<Option<Disabled>, StoreError> {
        let rest_until = match self.ended.then {
            Then::Retry { rest_until, .. } => rest_until.map(Timestamp::as_millisecond),
            _ => None,
        };
        execute!(
            batch.transaction(),
            "UPDATE webhooks SET failing_since = COALESCE(failing_since, $1), failures = failures + 1, \
             rest_until = COALESCE($2, rest_until) WHERE id = $3",
            self.now.as_millisecond(),
            rest_until,
            self.webhook.to_string(),
        )?;
        let Some(row) = find_any(batch, self.webhook).await?.filter(|row| row.enabled()) else { return Ok(None) };
        let oldest = self.now.saturating_sub(self.disable_after).unwrap_or(Timestamp::MIN).as_millisecond();
        let failing = row.failures >= FAILURES_MIN && row.failing_since.is_some_and(|since| since <= oldest);
        let because = match self.ended.then {
            Then::Gone => Disabled::Gone,
            _ if failing => Disabled::Failing,
            _ => return Ok(None),
        };
        disable(batch, row, because, self.now).await?;
        Ok(Some(because))
    }
}
