//! The outbox: events written in the transaction of what they tell, and their way to the banks' webhooks.
//!
//! A delivery is claimed under a lease before it is sent. Whoever claims is named in the row, and only he may say how it ended;
//! one who dies says nothing, the lease runs out, and the event is sent once more under the same id. So an event may come
//! twice, but is never lost.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::audit::Batch;
use super::column::Row;
use super::database::{execute, fetch};
use super::webhooks::{disable, find, find_any};
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{BankId, Delivery, DeliveryState, Disabled, EventId, EventKind, WebhookId};

/// The most deliveries on one page.
const PAGE_MAX: u32 = 200;
/// Events that are queued again, or purged, in one write.
const AT_ONCE: i64 = 1000;
/// A webhook is disabled only after this many failures in a row, however long ago the first: one that is told something twice a
/// week is not disabled for two failures.
const FAILURES_MIN: i64 = 10;

/// A message's body.
#[derive(Serialize)]
struct Body<'a, D> {
    r#type: &'static str,
    timestamp: Timestamp,
    data: &'a D,
}

/// Writes an event into the transaction of what it tells, and queues it for the bank's webhooks that want it.
pub(super) async fn announce(
    batch: &mut Batch,
    bank: BankId,
    kind: EventKind,
    data: &(impl Serialize + Sync),
    at: Timestamp,
) -> Result<EventId, StoreError> {
    const QUEUE: &str = "INSERT INTO webhook_deliveries (webhook, event, state, attempts, due_at) \
         SELECT id, $1, 'pending', 0, $2 FROM webhooks \
         WHERE bank = $3 AND state = 'enabled' AND (kinds = '' OR kinds LIKE $4)";
    let id = insert(batch, bank, kind, data, at).await?;
    let wanted = format!("% {kind} %");
    execute!(batch.transaction(), QUEUE, id.to_string(), at.as_millisecond(), bank.to_string(), wanted)?;
    Ok(id)
}

async fn insert(
    batch: &mut Batch,
    bank: BankId,
    kind: EventKind,
    data: &(impl Serialize + Sync),
    at: Timestamp,
) -> Result<EventId, StoreError> {
    let id = EventId(Uuid::now_v7());
    let body = Body { r#type: kind.as_str(), timestamp: at, data };
    execute!(
        batch.transaction(),
        "INSERT INTO webhook_events (id, bank, kind, body, created_at) VALUES ($1, $2, $3, $4, $5)",
        id.to_string(),
        bank.to_string(),
        kind.as_str(),
        serde_json::to_string(&body).unwrap_or_default(),
        at.as_millisecond(),
    )?;
    Ok(id)
}

/// Gives up what waits for a webhook.
pub(super) async fn close_pending(batch: &mut Batch, webhook: &str, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        batch.transaction(),
        "UPDATE webhook_deliveries SET state = 'failed', due_at = NULL, holder = NULL, lease_until = NULL, \
         ended = 'disabled', finished_at = $1 WHERE webhook = $2 AND due_at IS NOT NULL",
        now.as_millisecond(),
        webhook,
    )?;
    Ok(())
}

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

/// What to send again to a webhook.
#[derive(Debug, Clone, Copy)]
pub enum Replay {
    /// One event, however it stands.
    Event(EventId),
    /// All since then that the webhook did not get.
    Since {
        /// When.
        since: Timestamp,
        /// Those that it did get, too.
        delivered: bool,
    },
}

/// What became of the wish to send something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued<T> {
    /// It waits to be sent.
    Yes(T),
    /// The bank has no such webhook.
    NoSuchWebhook,
    /// There is no such event of this bank, or no longer.
    NoSuchEvent,
    /// The webhook is disabled.
    Disabled,
}

/// The outbox in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Deliveries that wait, all banks together.
    pub pending: u64,
    /// When the oldest event that waits happened.
    pub oldest_at: Option<Timestamp>,
    /// Webhooks to which events are sent.
    pub enabled: u64,
    /// Webhooks that are disabled, by whomever.
    pub disabled: u64,
}

#[derive(Debug, sqlx::FromRow)]
struct DeliveryRow {
    event: String,
    kind: String,
    created_at: i64,
    state: String,
    attempts: i64,
    due_at: Option<i64>,
    tried_at: Option<i64>,
    status: Option<i64>,
    ended: Option<String>,
}

impl DeliveryRow {
    fn read(self) -> Result<Delivery, StoreError> {
        let row = Row { what: "delivery", id: &self.event };
        Ok(Delivery {
            event: row.parse("event", &self.event)?,
            kind: row.parse("kind", &self.kind)?,
            created_at: row.instant("created_at", self.created_at)?,
            state: row.parse("state", &self.state)?,
            attempts: u32::try_from(self.attempts).unwrap_or(0),
            tried_at: row.instant_if_any("tried_at", self.tried_at)?,
            status: self.status.and_then(|status| u16::try_from(status).ok()),
            ended: self.ended,
            due_at: row.instant_if_any("due_at", self.due_at)?,
        })
    }
}

#[derive(sqlx::FromRow)]
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

    /// A webhook's deliveries, newest event first, in this state, from before the event `before`; at most 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn deliveries(
        &self,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        const PAGE: &str = "SELECT d.event, e.kind, e.created_at, d.state, d.attempts, d.due_at, d.tried_at, d.status, \
             d.ended FROM webhook_deliveries d JOIN webhook_events e ON e.id = d.event \
             WHERE d.webhook = $1 AND ($2 = '' OR d.state = $2) AND ($3 = '' OR d.event < $3) \
             ORDER BY d.event DESC LIMIT $4";
        let state = state.map_or("", DeliveryState::as_str);
        let before = before.map(|event| event.to_string()).unwrap_or_default();
        let limit = i64::from(limit.min(PAGE_MAX));
        let mut reader = self.reader().await?;
        let rows =
            fetch!(fetch_all, Reader, &mut reader, DeliveryRow, PAGE, webhook.to_string(), state, &before, limit)?;
        rows.into_iter().map(DeliveryRow::read).collect()
    }

    /// Queues a message to try a webhook with; gives its event.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping_webhook(
        &self,
        id: WebhookId,
        bank: BankId,
        now: Timestamp,
    ) -> Result<Queued<EventId>, StoreError> {
        self.write(Ping { id, bank, now }).await
    }

    /// Queues events to be sent again; gives how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn replay(
        &self,
        id: WebhookId,
        bank: BankId,
        replay: Replay,
        now: Timestamp,
    ) -> Result<Queued<u64>, StoreError> {
        let mut queued = 0;
        loop {
            match self.write(QueueAgain { id, bank, replay, now }).await? {
                Queued::Yes((more, again)) => {
                    queued += more;
                    if !again {
                        return Ok(Queued::Yes(queued));
                    }
                }
                Queued::NoSuchWebhook => return Ok(Queued::NoSuchWebhook),
                Queued::NoSuchEvent => return Ok(Queued::NoSuchEvent),
                Queued::Disabled => return Ok(Queued::Disabled),
            }
        }
    }

    /// What waits, and how many webhooks there are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_outbox(&self) -> Result<OutboxCounts, StoreError> {
        const PENDING: &str = "SELECT COUNT(*), MIN(e.created_at) FROM webhook_deliveries d \
             JOIN webhook_events e ON e.id = d.event WHERE d.due_at IS NOT NULL";
        const STATES: &str = "SELECT state, COUNT(*) FROM webhooks WHERE state <> 'deleted' GROUP BY state";
        let mut reader = self.reader().await?;
        let (pending, oldest) = fetch!(fetch_one, Reader, &mut reader, (i64, Option<i64>), PENDING)?;
        let states = fetch!(fetch_all, Reader, &mut reader, (String, i64), STATES)?;
        let of = |name: &str| states.iter().find(|(state, _)| state == name).map_or(0, |(_, count)| *count);
        Ok(OutboxCounts {
            pending: u64::try_from(pending).unwrap_or(0),
            oldest_at: oldest.and_then(|at| Timestamp::from_millisecond(at).ok()),
            enabled: u64::try_from(of("enabled")).unwrap_or(0),
            disabled: u64::try_from(of("disabled")).unwrap_or(0),
        })
    }

    /// Throws away events older than this that nobody waits for; gives how many. At most a thousand at a time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn purge_outbox(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(Purge { before: before.as_millisecond() }).await
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
            let due = fetch!(fetch_all, Transaction, batch.transaction(), (String,), DUE, &id, now, count)?;
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
        let found = fetch!(fetch_optional, Transaction, batch.transaction(), ClaimedRow, SELECT, &id, event)?;
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

struct Ping {
    id: WebhookId,
    bank: BankId,
    now: Timestamp,
}

impl Write for Ping {
    type Answer = Queued<EventId>;

    async fn apply(&self, batch: &mut Batch) -> Result<Queued<EventId>, StoreError> {
        let Some(row) = find(batch, self.id, self.bank).await? else { return Ok(Queued::NoSuchWebhook) };
        if !row.enabled() {
            return Ok(Queued::Disabled);
        }
        let data = std::collections::BTreeMap::from([("webhook_id", self.id)]);
        let event = insert(batch, self.bank, EventKind::Ping, &data, self.now).await?;
        queue_one(batch, &row.id, event, self.now).await?;
        Ok(Queued::Yes(event))
    }
}

/// Queues an event for a webhook anew, unless it is being sent right now.
async fn queue_one(batch: &mut Batch, webhook: &str, event: EventId, now: Timestamp) -> Result<(), StoreError> {
    const AGAIN: &str = "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, due_at = $1, holder = NULL, \
         lease_until = NULL, finished_at = NULL \
         WHERE webhook = $2 AND event = $3 AND (lease_until IS NULL OR lease_until <= $1)";
    const NEW: &str = "INSERT INTO webhook_deliveries (webhook, event, state, attempts, due_at) \
         VALUES ($1, $2, 'pending', 0, $3) ON CONFLICT (webhook, event) DO NOTHING";
    let (event, now) = (event.to_string(), now.as_millisecond());
    if execute!(batch.transaction(), AGAIN, now, webhook, &event)? == 0 {
        execute!(batch.transaction(), NEW, webhook, &event, now)?;
    }
    Ok(())
}

struct QueueAgain {
    id: WebhookId,
    bank: BankId,
    replay: Replay,
    now: Timestamp,
}

impl Write for QueueAgain {
    /// How many, and whether there may be more.
    type Answer = Queued<(u64, bool)>;

    async fn apply(&self, batch: &mut Batch) -> Result<Queued<(u64, bool)>, StoreError> {
        let Some(row) = find(batch, self.id, self.bank).await? else { return Ok(Queued::NoSuchWebhook) };
        match self.replay {
            Replay::Event(event) => {
                const OWN: &str = "SELECT id FROM webhook_events WHERE id = $1 AND bank = $2";
                let (id, bank) = (event.to_string(), self.bank.to_string());
                let own = fetch!(fetch_optional, Transaction, batch.transaction(), (String,), OWN, &id, &bank)?;
                if own.is_none() {
                    return Ok(Queued::NoSuchEvent);
                }
                if !row.enabled() {
                    return Ok(Queued::Disabled);
                }
                queue_one(batch, &row.id, event, self.now).await?;
                Ok(Queued::Yes((1, false)))
            }
            Replay::Since { .. } if !row.enabled() => Ok(Queued::Disabled),
            Replay::Since { since, delivered } => {
                let queued = self.queue_since(batch, &row.id, &row.kinds, since, delivered).await?;
                Ok(Queued::Yes(queued))
            }
        }
    }
}

impl QueueAgain {
    async fn queue_since(
        &self,
        batch: &mut Batch,
        webhook: &str,
        kinds: &str,
        since: Timestamp,
        delivered: bool,
    ) -> Result<(u64, bool), StoreError> {
        // What was finished before this call only, so that it comes to an end when it is called again for the rest.
        const AGAIN: &str = "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, due_at = $1, finished_at = NULL \
             WHERE webhook = $2 AND event IN (SELECT d.event FROM webhook_deliveries d \
             JOIN webhook_events e ON e.id = d.event WHERE d.webhook = $2 AND d.due_at IS NULL AND d.finished_at < $1 \
             AND (d.state = 'failed' OR d.state = $3) AND e.created_at >= $4 AND e.kind <> 'webhook.ping' \
             AND ($5 = '' OR $5 LIKE '% ' || e.kind || ' %') ORDER BY d.event LIMIT $6)";
        const NEW: &str = "INSERT INTO webhook_deliveries (webhook, event, state, attempts, due_at) \
             SELECT $2, e.id, 'pending', 0, $1 FROM webhook_events e \
             WHERE e.bank = $3 AND e.created_at >= $4 AND e.kind <> 'webhook.ping' \
             AND ($5 = '' OR $5 LIKE '% ' || e.kind || ' %') \
             AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook = $2 AND d.event = e.id) \
             ORDER BY e.created_at, e.id LIMIT $6";
        let (now, since, bank) = (self.now.as_millisecond(), since.as_millisecond(), self.bank.to_string());
        let also = if delivered { "delivered" } else { "failed" };
        let again = execute!(batch.transaction(), AGAIN, now, webhook, also, since, kinds, AT_ONCE)?;
        let new = execute!(batch.transaction(), NEW, now, webhook, &bank, since, kinds, AT_ONCE)?;
        let full = AT_ONCE.unsigned_abs();
        Ok((again + new, again == full || new == full))
    }
}

struct Purge {
    before: i64,
}

impl Write for Purge {
    type Answer = u64;

    async fn apply(&self, batch: &mut Batch) -> Result<u64, StoreError> {
        const OLD: &str = "SELECT e.id FROM webhook_events e WHERE e.created_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM webhook_deliveries d WHERE d.event = e.id AND d.due_at IS NOT NULL) \
             ORDER BY e.created_at, e.id LIMIT $2";
        let old = fetch!(fetch_all, Transaction, batch.transaction(), (String,), OLD, self.before, AT_ONCE)?;
        for (event,) in &old {
            execute!(batch.transaction(), "DELETE FROM webhook_deliveries WHERE event = $1", event)?;
            execute!(batch.transaction(), "DELETE FROM webhook_events WHERE id = $1", event)?;
        }
        Ok(old.len() as u64)
    }
}
