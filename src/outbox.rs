//! The way out of the outbox: events are sent to the banks' webhooks after the Standard Webhooks rules, again and again until they
//! are taken. Any number of processes over one store share the work; each claims what it sends.
//!
//! Each webhook has a queue of its own, and never more than a few of its deliveries are under way, one where the last one failed: a bank
//! that is slow delays no other.

mod address;
mod client;
mod schedule;
mod secret;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use rand::seq::SliceRandom;
use secrecy::ExposeSecret;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use self::address::AddressRules;
pub use self::address::UrlRefusal;
use self::client::{Answer, Client, End, Message};
use self::schedule::Schedule;
use self::secret::{Keyring, Secret};
use crate::domain::WebhookId;
use crate::observe::Metrics;
use crate::settings::WebhooksSettings;
use crate::store::{Claimed, Ended, Store, StoreError, Then};

/// How often is looked whether something is due.
const POLL: Duration = Duration::from_millis(500);
/// How often what is old is thrown away, and by how much earlier it may be done: the last time was noted at its end.
const PURGE: Duration = Duration::from_secs(3600);
const PURGE_EARLY: Duration = Duration::from_secs(600);
/// How long deliveries under way may take when the service stops; those that take longer are sent again by whoever comes next.
const GRACE: Duration = Duration::from_secs(5);
/// What a claim has beyond the time of a delivery, to write down how it ended.
const LEASE_MORE: Duration = Duration::from_secs(10);
/// How often the end of a delivery is written down, a second apart, until it is.
const END_TRIES: u32 = 5;

/// Sends what waits. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Parts>);

struct Parts {
    store: Store,
    metrics: Metrics,
    rules: Arc<AddressRules>,
    client: Client,
    keyring: Keyring,
    schedule: Schedule,
    lease: Duration,
    disable_after: SignedDuration,
    keep: SignedDuration,
    concurrent_max: usize,
    concurrent_each_max: u32,
}

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// One of `[webhooks]`.
    #[error("setting webhooks.{key} cannot be used: {why}")]
    Setting {
        /// Its key.
        key: &'static str,
        /// Why.
        why: String,
    },
}

/// A secret that was just made.
pub struct NewSecret {
    /// As the bank sees it, once.
    pub shown: String,
    /// As it is stored.
    pub sealed: String,
}

/// What became of a secret that was to lie under the newest key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resealed {
    /// It does already.
    NotNeeded,
    /// Now it does; to be stored.
    Anew(String),
    /// Its key is not in the settings.
    Unopened,
}

/// The task that delivers.
pub struct Delivering {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Delivering {
    /// Begins no more deliveries, lets those under way finish for a few seconds, gives the rest back to the queue.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        if self.task.await.is_err() {
            tracing::error!("the delivery of webhooks had failed");
        }
    }
}

/// What the settings' texts say.
struct Read {
    rules: Arc<AddressRules>,
    client: Client,
    keyring: Keyring,
    schedule: Schedule,
}

fn read(settings: &WebhooksSettings) -> Result<Read, OutboxError> {
    let refused = |key, why: &str| OutboxError::Setting { key, why: why.to_owned() };
    let rules = AddressRules::new(settings.allow_http, &settings.allow_private)
        .ok_or_else(|| refused("allow_private", "it must be networks like 10.20.0.0/16, separated by blanks"))?;
    let keyring = Keyring::parse(settings.secret_keys.expose_secret())
        .ok_or_else(|| refused("secret_keys", "it must be keys of 32 bytes in base64, separated by blanks"))?;
    let schedule = Schedule::parse(&settings.retry_schedule)
        .ok_or_else(|| refused("retry_schedule", "it must be times like 5s 5m 2h, separated by blanks, at most 30"))?;
    let rules = Arc::new(rules);
    Ok(Read { client: Client::new(settings, Arc::clone(&rules))?, rules, keyring, schedule })
}

/// Checks the settings without a store.
///
/// # Errors
/// [`OutboxError`] names the setting that cannot be used.
pub fn check_settings(settings: &WebhooksSettings) -> Result<(), OutboxError> {
    read(settings).map(drop)
}

impl Outbox {
    /// The outbox of this store.
    ///
    /// # Errors
    /// [`OutboxError`] names the setting that cannot be used.
    pub fn new(store: Store, settings: &WebhooksSettings, metrics: Metrics) -> Result<Outbox, OutboxError> {
        let Read { rules, client, keyring, schedule } = read(settings)?;
        let days = |days: u32| SignedDuration::from_hours(24 * i64::from(days));
        Ok(Outbox(Arc::new(Parts {
            store,
            metrics,
            client,
            rules,
            keyring,
            schedule,
            lease: Duration::from_millis(settings.timeout_ms) + LEASE_MORE,
            disable_after: days(settings.disable_after_days),
            keep: days(settings.keep_days),
            concurrent_max: settings.concurrent_max,
            concurrent_each_max: settings.concurrent_each_max,
        })))
    }

    /// An address in its usual form, where it may be called as far as it says itself.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check_url(&self, text: &str) -> Result<String, UrlRefusal> {
        client::check_url(&self.0.rules, text.trim()).map(String::from)
    }

    /// A new secret for a webhook; `None` where the system gives no random numbers.
    pub fn new_secret(&self, webhook: WebhookId) -> Option<NewSecret> {
        if self.0.keyring.is_empty() {
            tracing::warn!(%webhook, "webhooks.secret_keys is empty: the signing secret of a webhook is stored unsealed");
        }
        let secret = Secret::random();
        Some(NewSecret { shown: secret.shown(), sealed: self.0.keyring.seal(&secret, webhook)? })
    }

    /// Begins to deliver, in a task of its own.
    pub fn start(&self) -> Delivering {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(UnderWay::new(self.clone()).run(stopped));
        Delivering { stop, task }
    }

    /// Sends one message and writes down how it ended.
    async fn deliver(&self, claimed: &Claimed) {
        let parts = &self.0;
        let (tried_at, began) = (Timestamp::now(), Instant::now());
        let answer = self.send(claimed, tried_at).await;
        parts.metrics.webhook_tried(answer.end.as_str(), began.elapsed());
        let now = Timestamp::now();
        let then = parts.schedule.then(claimed.attempts, &answer, rand::thread_rng().r#gen(), now);
        let ended = Ended { tried_at, status: answer.status, word: answer.end.as_str(), then };
        tracing::debug!(webhook = %claimed.webhook, event = %claimed.event, result = ended.word, "webhook tried");
        self.write_end(claimed, ended, now).await;
    }

    async fn send(&self, claimed: &Claimed, tried_at: Timestamp) -> Answer {
        let (id, timestamp) = (claimed.event.to_string(), tried_at.as_second());
        let opened: Option<Vec<Secret>> =
            claimed.sealed_secrets.iter().map(|sealed| self.0.keyring.open(sealed, claimed.webhook)).collect();
        let Some(secrets) = opened else {
            tracing::error!(webhook = %claimed.webhook, "a signing secret cannot be opened: is its key in webhooks.secret_keys?");
            return Answer::none(End::Secret);
        };
        let signatures: Vec<String> = secrets.iter().map(|s| s.sign(&id, timestamp, &claimed.body)).collect();
        let signatures = signatures.join(" ");
        let message = Message { id: &id, timestamp, signatures: &signatures, body: &claimed.body };
        self.0.client.post(&claimed.url, &message).await
    }

    /// Where the store does not take it, the claim runs out and the event is sent once more.
    async fn write_end(&self, claimed: &Claimed, ended: Ended, now: Timestamp) {
        for _ in 0..END_TRIES {
            match self.0.store.end_delivery(claimed, ended.clone(), self.0.disable_after, now).await {
                Ok(None) => return,
                Ok(Some(because)) => {
                    tracing::warn!(webhook = %claimed.webhook, because = because.as_str(), "a webhook was disabled");
                    return;
                }
                Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(error) => {
                    tracing::error!(%error, webhook = %claimed.webhook, "the end of a delivery cannot be stored");
                    return;
                }
            }
        }
        tracing::warn!(webhook = %claimed.webhook, "the end of a delivery was not stored; the event will be sent again");
    }

    /// Throws away what is old, a thousand at a time, where no other process over the store has done it of late.
    async fn purge(&self) {
        let before = Timestamp::now().saturating_sub(self.0.keep).unwrap_or(Timestamp::MIN);
        let store = &self.0.store;
        let work = async {
            let mut events = 0;
            loop {
                match store.purge_outbox(before).await? {
                    0 => return Ok(events),
                    purged => events += purged,
                }
            }
        };
        match store.do_job("outbox purge", PURGE.saturating_sub(PURGE_EARLY), work).await {
            Ok(Some(events)) => tracing::info!(events, "old events are gone"),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "old events are left to the next purge"),
        }
    }

    /// A secret under the key that seals now.
    pub fn reseal(&self, webhook: WebhookId, sealed: &str) -> Resealed {
        let ring = &self.0.keyring;
        if ring.seals(sealed) {
            return Resealed::NotNeeded;
        }
        let Some(secret) = ring.open(sealed, webhook) else { return Resealed::Unopened };
        ring.seal(&secret, webhook).map_or(Resealed::Unopened, Resealed::Anew)
    }

    /// Whether secrets are sealed at all.
    pub fn seals(&self) -> bool {
        !self.0.keyring.is_empty()
    }

    /// A sealed secret as its bank saw it; `None` where its key is not in the settings.
    pub fn shown(&self, webhook: WebhookId, sealed: &str) -> Option<String> {
        self.0.keyring.open(sealed, webhook).map(|secret| secret.shown())
    }
}

/// The deliveries under way in this process.
struct UnderWay {
    outbox: Outbox,
    tasks: JoinSet<()>,
    claimed: HashMap<Id, Claimed>,
    each: HashMap<WebhookId, u32>,
    /// Webhooks whose last delivery had failed when the one under way was begun.
    failing: HashSet<WebhookId>,
    store_failed: bool,
}

impl UnderWay {
    fn new(outbox: Outbox) -> UnderWay {
        let (tasks, claimed, each, failing) = (JoinSet::new(), HashMap::new(), HashMap::new(), HashSet::new());
        UnderWay { outbox, tasks, claimed, each, failing, store_failed: false }
    }

    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let (mut polls, mut purges) = (tokio::time::interval(POLL), tokio::time::interval(PURGE));
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        purges.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended.map(|(id, ())| id)),
                _ = polls.tick() => {}
                _ = purges.tick() => {
                    let outbox = self.outbox.clone();
                    // Beside the deliveries, which it must not hold up; where the store closes meanwhile it ends.
                    drop(tokio::spawn(async move { outbox.purge().await }));
                }
            }
            while let Some(ended) = self.tasks.try_join_next_with_id() {
                self.ended(ended.map(|(id, ())| id));
            }
            match self.begin_due().await {
                Ok(()) => self.store_failed = false,
                Err(error) if !self.store_failed => {
                    tracing::warn!(%error, "webhooks wait for the store");
                    self.store_failed = true;
                }
                Err(_) => {}
            }
        }
        self.wind_up().await;
    }

    fn ended(&mut self, ended: Result<Id, tokio::task::JoinError>) {
        let id = ended.unwrap_or_else(|error| {
            tracing::error!("a delivery failed; its event will be sent again");
            error.id()
        });
        let Some(claimed) = self.claimed.remove(&id) else { return };
        if let Some(count) = self.each.get_mut(&claimed.webhook) {
            *count -= 1;
            if *count == 0 {
                self.each.remove(&claimed.webhook);
                self.failing.remove(&claimed.webhook);
            }
        }
    }

    /// Begins what is due and has room.
    async fn begin_due(&mut self) -> Result<(), StoreError> {
        let parts = Arc::clone(&self.outbox.0);
        let mut room = parts.concurrent_max.saturating_sub(self.claimed.len());
        if room == 0 {
            return Ok(());
        }
        let mut due = parts.store.webhooks_due(Timestamp::now()).await?;
        // Where there is not room for all, each has the same chance; those that fail come last, and get no more than half of it all.
        due.shuffle(&mut rand::thread_rng());
        due.sort_by_key(|webhook| webhook.failing);
        let mut room_failing = (parts.concurrent_max / 2).max(1).saturating_sub(self.failing.len());
        let mut wanted = Vec::new();
        for webhook in due {
            let most = if webhook.failing { 1 } else { parts.concurrent_each_max };
            let free = most.saturating_sub(self.each.get(&webhook.id).copied().unwrap_or(0));
            let room_here = if webhook.failing { room.min(room_failing) } else { room };
            let free = free.min(u32::try_from(room_here).unwrap_or(u32::MAX));
            if free > 0 {
                room -= free as usize;
                if webhook.failing {
                    room_failing -= free as usize;
                    self.failing.insert(webhook.id);
                }
                wanted.push((webhook.id, free));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let now = Timestamp::now();
        let until = now.saturating_add(parts.lease).unwrap_or(Timestamp::MAX);
        for claimed in parts.store.claim_deliveries(wanted, now, until).await? {
            let (outbox, sends) = (self.outbox.clone(), claimed.clone());
            let task = self.tasks.spawn(async move { outbox.deliver(&sends).await });
            *self.each.entry(claimed.webhook).or_default() += 1;
            self.claimed.insert(task.id(), claimed);
        }
        Ok(())
    }

    /// Lets what is under way finish, and gives back what does not.
    async fn wind_up(mut self) {
        let _ = tokio::time::timeout(GRACE, async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.ended(ended.map(|(id, ())| id));
            }
        })
        .await;
        self.tasks.shutdown().await;
        let parts = &self.outbox.0;
        let releases = self.claimed.values().map(|claimed| {
            let now = Timestamp::now();
            let ended = Ended { tried_at: now, status: None, word: "released", then: Then::Release };
            parts.store.end_delivery(claimed, ended, parts.disable_after, now)
        });
        // Where that fails the claims run out by themselves.
        let _ = tokio::time::timeout(GRACE, futures_util::future::join_all(releases)).await;
    }
}
