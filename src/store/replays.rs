//! Messages that a bank asks for: one to try a webhook with, and what it did not get.

use jiff::Timestamp;

use super::audit::Batch;
use super::database::{execute, fetch};
use super::outbox::{AT_ONCE, insert};
use super::webhooks::find;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{BankId, EventId, EventKind, WebhookId};

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

impl Store {
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
                let own = fetch!(fetch_optional, WriteTransaction, batch.transaction(), (String,), OWN, &id, &bank)?;
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
