//! `yuxin webhooks`: what those who run the service do for a bank's webhooks, and the change of the key that seals their secrets.

use clap::Subcommand;
use jiff::Timestamp;
use thiserror::Error;

use super::serve::{ConfigArgs, ServeError, open_store};
use crate::domain::{EventId, WebhookId};
use crate::observe::{Metrics, MetricsError};
use crate::outbox::{Outbox, OutboxError, Resealed};
use crate::settings::{Settings, SettingsError};
use crate::store::{AnyWebhook, Queued, Replay, SealedSecrets, Store, StoreError, WebhookChange};

/// Webhooks of banks.
#[derive(Debug, Subcommand)]
pub enum WebhooksCommand {
    /// Lists the webhooks of all banks: id, bank, status, since when it fails, whether its secret opens, events, address.
    List,
    /// Makes a new signing secret and prints it, alone, on stdout. It is shown only once; the old one signs too for 24 hours.
    Rotate {
        /// The webhook's id, as `webhooks list` shows it.
        id: WebhookId,
    },
    /// Sends events to it again, from now on; what it missed comes with `webhooks replay`.
    Enable {
        /// The webhook's id.
        id: WebhookId,
    },
    /// Sends nothing to it, and gives up what waits.
    Disable {
        /// The webhook's id.
        id: WebhookId,
    },
    /// Sends one event again, or what failed or was never sent since an instant. The service that runs beside delivers it.
    Replay {
        /// The webhook's id.
        id: WebhookId,
        /// The event, the `webhook-id` of its messages.
        #[arg(long, value_name = "ID", required_unless_present = "since")]
        event: Option<EventId>,
        /// From when on, like 2026-11-02T00:00:00Z.
        #[arg(long, value_name = "INSTANT", conflicts_with = "event")]
        since: Option<Timestamp>,
        /// With --since: what was delivered, too.
        #[arg(long, requires = "since")]
        include_delivered: bool,
    },
    /// Seals every secret under the first key of webhooks.secret_keys; afterwards the other keys are not needed any more.
    Reseal,
}

/// Why a command about webhooks failed.
#[derive(Debug, Error)]
pub enum WebhooksError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Settings of webhooks.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The metrics.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] MetricsError),
    /// Opening the store.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such webhook.
    #[error("there is no webhook {0}: `yuxin webhooks list` shows them")]
    NoSuchWebhook(WebhookId),
    /// There is no such event of the webhook's bank.
    #[error("there is no event {0} of this webhook's bank, or it is no longer kept (webhooks.keep_days)")]
    NoSuchEvent(EventId),
    /// Nothing can be sent to it.
    #[error("webhook {0} is disabled: enable it first")]
    Disabled(WebhookId),
    /// No random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// There is no key to seal with.
    #[error(
        "webhooks.secret_keys is empty: put a key of 32 random bytes in base64 there first (openssl rand -base64 32)"
    )]
    NoKey,
    /// Secrets whose key is missing.
    #[error(
        "{0} webhooks have a secret that opens with no key of webhooks.secret_keys: add the key before, or rotate them"
    )]
    Unopened(usize),
}

/// Does what the command says.
///
/// # Errors
/// [`WebhooksError`], for stderr and exit code 1.
pub async fn run(config: &ConfigArgs, command: WebhooksCommand) -> Result<(), WebhooksError> {
    let settings = Settings::load(config.config.as_deref())?;
    let store = open_store(config).await?;
    let outbox = Outbox::new(store.clone(), &settings.webhooks, Metrics::new()?)?;
    let outcome = obey(&store, &outbox, command).await;
    store.close().await;
    outcome
}

async fn obey(store: &Store, outbox: &Outbox, command: WebhooksCommand) -> Result<(), WebhooksError> {
    let now = Timestamp::now();
    match command {
        WebhooksCommand::List => list(&store.webhooks_of_all().await?, outbox),
        WebhooksCommand::Rotate { id } => {
            let secret = outbox.new_secret(id).ok_or(WebhooksError::NoRandom)?;
            change(store, id, WebhookChange::Secret(secret.sealed), now).await?;
            eprintln!("webhook {id} has a new secret; give it to the bank, it is not shown again:");
            println!("{}", secret.shown);
        }
        WebhooksCommand::Enable { id } => {
            change(store, id, enabled(true), now).await?;
            eprintln!("webhook {id} is enabled");
        }
        WebhooksCommand::Disable { id } => {
            change(store, id, enabled(false), now).await?;
            eprintln!("webhook {id} is disabled");
        }
        WebhooksCommand::Replay { id, event, since, include_delivered } => {
            let replay = match (event, since) {
                (Some(event), _) => Replay::Event(event),
                (None, since) => Replay::Since { since: since.unwrap_or(now), delivered: include_delivered },
            };
            let bank = found(store, id).await?.webhook.bank;
            match store.replay(id, bank, replay, now).await? {
                Queued::Yes(queued) => eprintln!("{queued} events are queued for webhook {id}"),
                Queued::NoSuchWebhook => return Err(WebhooksError::NoSuchWebhook(id)),
                Queued::Disabled => return Err(WebhooksError::Disabled(id)),
                Queued::NoSuchEvent => {
                    return Err(event.map_or(WebhooksError::NoSuchWebhook(id), WebhooksError::NoSuchEvent));
                }
            }
        }
        WebhooksCommand::Reseal => reseal(store, outbox, now).await?,
    }
    Ok(())
}

fn enabled(enabled: bool) -> WebhookChange {
    WebhookChange::Set { url: None, kinds: None, enabled: Some(enabled) }
}

async fn found(store: &Store, id: WebhookId) -> Result<AnyWebhook, WebhooksError> {
    let all = store.webhooks_of_all().await?;
    all.into_iter().find(|one| one.webhook.id == id).ok_or(WebhooksError::NoSuchWebhook(id))
}

async fn change(store: &Store, id: WebhookId, change: WebhookChange, now: Timestamp) -> Result<(), WebhooksError> {
    let bank = found(store, id).await?.webhook.bank;
    store.change_webhook(id, bank, change, now).await?.map(drop).ok_or(WebhooksError::NoSuchWebhook(id))
}

fn list(all: &[AnyWebhook], outbox: &Outbox) {
    println!("id\tbank\tstatus\tfailing_since\tsecret\tevents\turl");
    for AnyWebhook { webhook, bank_name, secrets } in all {
        let status =
            webhook.disabled.map_or_else(|| "enabled".to_owned(), |because| format!("disabled ({})", because.as_str()));
        let failing = webhook.failing_since.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let secret = match outbox.reseal(webhook.id, &secrets.present) {
            Resealed::Unopened => "key missing",
            _ if !outbox.seals() => "not sealed",
            Resealed::NotNeeded => "sealed",
            Resealed::Anew(_) => "to be resealed",
        };
        let kinds: Vec<&str> = webhook.kinds.iter().map(|kind| kind.as_str()).collect();
        let kinds = if kinds.is_empty() { "all".to_owned() } else { kinds.join(",") };
        println!("{}\t{bank_name}\t{status}\t{failing}\t{secret}\t{kinds}\t{}", webhook.id, webhook.url);
    }
}

/// Seals what lies under another key, or under none. One that changes meanwhile is sealed under the newest key by whoever changes it,
/// as long as that process knows the key.
async fn reseal(store: &Store, outbox: &Outbox, now: Timestamp) -> Result<(), WebhooksError> {
    if !outbox.seals() {
        return Err(WebhooksError::NoKey);
    }
    let (mut done, mut left, mut unopened) = (0, 0, 0);
    for AnyWebhook { webhook, secrets, .. } in store.webhooks_of_all().await? {
        // The secret before the present one matters as long as it signs.
        let signs = webhook.old_secret_until.is_some_and(|until| until > now);
        let present = outbox.reseal(webhook.id, &secrets.present);
        let previous = secrets.previous.as_deref().map(|sealed| outbox.reseal(webhook.id, sealed));
        let becomes = match (&present, &previous) {
            (Resealed::Unopened, _) => None,
            (_, Some(Resealed::Unopened)) if signs => None,
            _ => Some(SealedSecrets {
                present: kept(present, &secrets.present),
                previous: secrets.previous.as_deref().zip(previous).map(|(was, becomes)| kept(becomes, was)),
            }),
        };
        match becomes {
            None => unopened += 1,
            Some(becomes) if becomes == secrets => left += 1,
            Some(becomes) => done += u64::from(store.reseal_webhook(webhook.id, secrets, becomes, now).await?),
        }
    }
    eprintln!("{done} sealed anew, {left} were already under the first key");
    if unopened > 0 { Err(WebhooksError::Unopened(unopened)) } else { Ok(()) }
}

fn kept(resealed: Resealed, was: &str) -> String {
    match resealed {
        Resealed::Anew(sealed) => sealed,
        Resealed::NotNeeded | Resealed::Unopened => was.to_owned(),
    }
}
