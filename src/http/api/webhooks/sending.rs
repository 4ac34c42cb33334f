//! What is on its way to a webhook: how far it has come, a message to try it with, and sending again.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{id_of, not_found};
use crate::domain::{Delivery, DeliveryState, EventId};
use crate::http::auth::Bank;
use crate::http::body::read_json;
use crate::http::problem::{Problem, ProblemBody, ProblemKind, Said};
use crate::store::{Queued, Replay, Store};

/// Deliveries on one page.
const PAGE: u32 = 50;

/// What was queued.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueuedReply {
    /// The event of the message, its `webhook-id`; null where it may be several.
    event_id: Option<String>,
    /// How many messages will be sent.
    queued: u64,
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DeliveriesAsk {
    /// `pending`, `delivered` or `failed`; left out: all.
    status: Option<String>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
}

/// A page of deliveries, newest event first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryPage {
    deliveries: Vec<DeliveryReply>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

/// An event on its way to the webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryReply {
    /// The event, and the `webhook-id` of its messages.
    event_id: String,
    /// What kind of event, for instance `case.closed`.
    r#type: &'static str,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// `pending`, `delivered` or `failed` (given up).
    status: &'static str,
    /// Tries since it was last queued.
    attempts: u32,
    /// When the last try was begun.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the last try; null where there was no answer.
    last_status: Option<u16>,
    /// How the last try ended: `delivered`, `status`, `redirect` (not followed), `gone`, `timeout`, `name` (not found), `address` (not
    /// public), `connect`, `tls`, `closed`, `secret` (ours cannot be read) or `disabled` (given up with the webhook).
    last_result: Option<String>,
    /// When it is tried next; null where it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
}

impl From<Delivery> for DeliveryReply {
    fn from(delivery: Delivery) -> DeliveryReply {
        DeliveryReply {
            event_id: delivery.event.to_string(),
            r#type: delivery.kind.as_str(),
            created_at: delivery.created_at,
            status: delivery.state.as_str(),
            attempts: delivery.attempts,
            last_attempt_at: delivery.tried_at,
            last_status: delivery.status,
            last_result: delivery.ended,
            next_attempt_at: delivery.due_at,
        }
    }
}

/// What to send again: one event, or all that the webhook did not get since a time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayAsk {
    /// The event; it is sent even where it was delivered.
    event_id: Option<String>,
    /// All events since then that failed or were never sent to this webhook.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// With `since`: those that were delivered, too.
    #[serde(default)]
    include_delivered: bool,
}

/// Sends a `webhook.ping` to the webhook, signed as any other message. How it went is in `deliveries`.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", tag = "webhooks", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 202, description = "Queued", body = QueuedReply),
    (status = 404, description = "No such webhook of this bank", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The webhook is disabled", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn test(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let queued = store.ping_webhook(id_of(&request)?, bank.id(), Timestamp::now()).await?;
    let event = queued_or(queued)?;
    Ok(HttpResponse::Accepted().json(QueuedReply { event_id: Some(event.to_string()), queued: 1 }))
}

/// Lists what is and was on its way to a webhook, newest event first, as long as events are kept (30 days by default).
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "webhooks", params(("id" = String, Path), DeliveriesAsk),
    security(("bank_key" = [])), responses(
    (status = 200, description = "A page of deliveries", body = DeliveryPage),
    (status = 404, description = "No such webhook of this bank", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The query has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn deliveries(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let invalid = || {
        Problem::new(ProblemKind::Invalid).detail(Said::new(
            "查询参数只有 status（pending、delivered 或 failed）和 cursor（取上一页的 next_cursor）",
            "the query takes status (pending, delivered or failed) and cursor (the next_cursor of the last page)",
        ))
    };
    let id = id_of(&request)?;
    let ask = web::Query::<DeliveriesAsk>::from_query(request.query_string()).map_err(|_| invalid())?;
    let state: Option<DeliveryState> = ask.status.as_deref().map(str::parse).transpose().map_err(|_| invalid())?;
    let before: Option<EventId> = ask.cursor.as_deref().map(str::parse).transpose().map_err(|_| invalid())?;
    store.webhook(id, bank.id()).await?.ok_or_else(not_found)?;
    let mut found = store.deliveries(id, state, before, PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let next_cursor = found.last().filter(|_| more).map(|delivery| delivery.event.to_string());
    let deliveries = found.into_iter().map(DeliveryReply::from).collect();
    Ok(HttpResponse::Ok().json(DeliveryPage { deliveries, next_cursor }))
}

/// Sends again. Messages keep their `webhook-id`, so a receiver that remembers ids takes nothing twice.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", tag = "webhooks", params(("id" = String, Path)), request_body = ReplayAsk,
    security(("bank_key" = [])), responses(
    (status = 202, description = "Queued", body = QueuedReply),
    (status = 404, description = "No such webhook or event of this bank", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The webhook is disabled", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The request has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn replay(
    bank: Bank,
    request: HttpRequest,
    payload: web::Payload,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&request)?;
    let ask: ReplayAsk = read_json(&request, payload).await?.value;
    let (replay, event_id) = match (&ask.event_id, ask.since, ask.include_delivered) {
        (Some(event), None, false) => {
            let event: EventId = event.parse().map_err(|_| {
                let rule = Said::new("请填写消息的 webhook-id（UUID）", "the webhook-id of a message, a UUID");
                Problem::new(ProblemKind::Invalid).field("/event_id", rule)
            })?;
            (Replay::Event(event), Some(event.to_string()))
        }
        (None, Some(since), delivered) => (Replay::Since { since, delivered }, None),
        _ => {
            return Err(Problem::new(ProblemKind::Invalid).detail(Said::new(
                "event_id 与 since 必填其一且只填其一；include_delivered 仅与 since 同用",
                "give either event_id or since; include_delivered goes with since only",
            )));
        }
    };
    let queued = queued_or(store.replay(id, bank.id(), replay, Timestamp::now()).await?)?;
    Ok(HttpResponse::Accepted().json(QueuedReply { event_id, queued }))
}

fn queued_or<T>(queued: Queued<T>) -> Result<T, Problem> {
    match queued {
        Queued::Yes(queued) => Ok(queued),
        Queued::NoSuchWebhook | Queued::NoSuchEvent => Err(not_found()),
        Queued::Disabled => Err(Problem::new(ProblemKind::WebhookDisabled)),
    }
}
