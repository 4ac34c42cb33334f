//! The outbox: events written in the transaction of what they tell, and how far they have come on their way to the banks' webhooks.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::audit::Batch;
use super::column::Row;
use super::database::{execute, fetch};
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{BankId, Delivery, DeliveryState, EventId, EventKind, WebhookId};

/// The most deliveries on one page.
const PAGE_MAX: u32 = 200;
/// Events that are queued again, or purged, in one write.
pub(super) const AT_ONCE: i64 = 1000;
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

/// Writes an event, and queues it for nobody.
pub(super) async fn insert(
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

impl Store {
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

struct Purge {
    before: i64,
}

impl Write for Purge {
    type Answer = u64;

    async fn apply(&self, batch: &mut Batch) -> Result<u64, StoreError> {
        const OLD: &str = "SELECT e.id FROM webhook_events e WHERE e.created_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM webhook_deliveries d WHERE d.event = e.id AND d.due_at IS NOT NULL) \
             ORDER BY e.created_at, e.id LIMIT $2";
        let old = fetch!(fetch_all, WriteTransaction, batch.transaction(), (String,), OLD, self.before, AT_ONCE)?;
        for (event,) in &old {
            execute!(batch.transaction(), "DELETE FROM webhook_deliveries WHERE event = $1", event)?;
            execute!(batch.transaction(), "DELETE FROM webhook_events WHERE id = $1", event)?;
        }
        Ok(old.len() as u64)
    }
}
