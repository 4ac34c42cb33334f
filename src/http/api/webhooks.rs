//! Webhooks: where a bank wants to be told what happens, instead of asking for it.

pub mod sending;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::idempotency::KeysInUse;
use crate::domain::webhook::WEBHOOKS_MAX;
use crate::domain::{EventKind, Webhook, WebhookId};
use crate::http::auth::Bank;
use crate::http::body::{Json, read_json};
use crate::http::problem::{Problem, ProblemBody, ProblemKind, Said};
use crate::outbox::{NewSecret, Outbox, UrlRefusal};
use crate::store::{NewWebhook, Registered, Store, StoredReply, WebhookChange};

/// The route under which idempotency keys of webhooks are kept.
const ROUTE: &str = "POST /v1/webhooks";

/// The routes below `/v1/webhooks`.
pub fn configure(routes: &mut web::ServiceConfig) {
    let other = || web::to(async || Err::<HttpResponse, _>(Problem::new(ProblemKind::MethodNotAllowed)));
    routes
        .service(
            web::resource("/v1/webhooks")
                .route(web::post().to(create))
                .route(web::get().to(list))
                .default_service(other()),
        )
        .service(
            web::resource("/v1/webhooks/{id}")
                .route(web::get().to(show))
                .route(web::patch().to(change))
                .route(web::delete().to(delete))
                .default_service(other()),
        )
        .service(
            web::resource("/v1/webhooks/{id}/rotate-secret")
                .route(web::post().to(rotate_secret))
                .default_service(other()),
        )
        .service(web::resource("/v1/webhooks/{id}/test").route(web::post().to(sending::test)).default_service(other()))
        .service(
            web::resource("/v1/webhooks/{id}/deliveries")
                .route(web::get().to(sending::deliveries))
                .default_service(other()),
        )
        .service(
            web::resource("/v1/webhooks/{id}/replay").route(web::post().to(sending::replay)).default_service(other()),
        );
}

/// A webhook to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookAsk {
    /// Where messages are posted to: https, a public host, port 443 or above 1023.
    #[schema(example = "https://bank.example/yuxin/events")]
    url: String,
    /// What is sent; left out or empty: everything, also kinds that come later.
    #[serde(default)]
    #[schema(example = json!(["case.closed", "consent.revoked"]))]
    events: Vec<String>,
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChangeAsk {
    /// Another address.
    url: Option<String>,
    /// What is sent; empty: everything.
    events: Option<Vec<String>>,
    /// `false` stops sending, and gives up what waits; `true` begins again with what happens from then on (for what happened
    /// meanwhile: `replay`).
    enabled: Option<bool>,
}

/// A webhook as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookReply {
    id: String,
    url: String,
    /// What is sent; empty: everything.
    events: Vec<&'static str>,
    /// `enabled` or `disabled`.
    status: &'static str,
    /// `bank`, `gone` (the endpoint answered 410) or `failing` (for days it has taken nothing); null while it is enabled.
    disabled_because: Option<&'static str>,
    /// Since when no delivery has succeeded, where the last one failed.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// Until when the secret before the present one signs too; null where there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_secret_until: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A webhook with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookSecretReply {
    #[serde(flatten)]
    webhook: WebhookReply,
    /// What messages are signed with. Keep it: it is not shown again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// This bank's webhooks, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList {
    webhooks: Vec<WebhookReply>,
}

impl WebhookReply {
    fn new(webhook: &Webhook, now: Timestamp) -> WebhookReply {
        WebhookReply {
            id: webhook.id.to_string(),
            url: webhook.url.clone(),
            events: webhook.kinds.iter().map(|kind| kind.as_str()).collect(),
            status: if webhook.disabled.is_some() { "disabled" } else { "enabled" },
            disabled_because: webhook.disabled.map(|because| because.as_str()),
            failing_since: webhook.failing_since,
            previous_secret_until: webhook.old_secret_until.filter(|until| *until > now),
            created_at: webhook.created_at,
        }
    }
}

/// Registers a webhook, at most ten a bank. From then on what happens is posted to it, signed. With an `Idempotency-Key` a repetition
/// gets the first answer, byte for byte, for 72 hours.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", request_body = WebhookAsk, security(("bank_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text of 1 to 255 visible ASCII characters; send one, and a retry cannot register twice")),
    responses(
    (status = 201, description = "Registered", body = WebhookSecretReply),
    (status = 409, description = "The bank has ten already", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The request has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    bank: Bank,
    request: HttpRequest,
    payload: web::Payload,
    outbox: web::Data<Outbox>,
    store: web::Data<Store>,
    keys: web::Data<KeysInUse>,
) -> Result<HttpResponse, Problem> {
    let Json { value: ask, sha256 } = read_json::<WebhookAsk>(&request, payload).await?;
    let keyed = keys.take(&request, bank.id(), ROUTE, &sha256, &store).await?;
    if let Some(earlier) = keyed.earlier_reply(&store, Timestamp::now()).await? {
        return keyed.replay(unsealed(&outbox, earlier)?);
    }
    let (url, kinds) = (check_url(&outbox, &ask.url)?, check_events(&ask.events)?);
    // To the millisecond, as it is stored: what is shown now is what is shown later.
    let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or(Timestamp::MAX);
    let id = WebhookId(Uuid::now_v7());
    let secret = new_secret(&outbox, id)?;
    let made = Webhook {
        id,
        bank: bank.id(),
        url,
        kinds,
        disabled: None,
        created_at: now,
        old_secret_until: None,
        failing_since: None,
    };
    let reply = |secret: &str| {
        let reply = WebhookSecretReply { webhook: WebhookReply::new(&made, now), secret: secret.to_owned() };
        serde_json::to_string(&reply).unwrap_or_default()
    };
    // What is kept for a repetition holds the secret as the store does.
    let entry = keyed.entry(StatusCode::CREATED, &reply(&secret.sealed));
    let (url, kinds) = (made.url.clone(), made.kinds.clone());
    let new = NewWebhook { id, bank: bank.id(), url, kinds, sealed_secret: secret.sealed };
    match store.create_webhook(new, entry, now).await? {
        Registered::Stored(_) => {}
        Registered::Replayed(earlier) => return keyed.replay(unsealed(&outbox, earlier)?),
        Registered::TooMany => {
            let most = Said::new(format!("至多 {WEBHOOKS_MAX} 个"), format!("at most {WEBHOOKS_MAX}"));
            return Err(Problem::new(ProblemKind::WebhookLimit).detail(most));
        }
    }
    let mut answer = HttpResponse::Created();
    answer.insert_header(("Location", format!("/v1/webhooks/{id}"))).content_type("application/json");
    Ok(answer.body(reply(&secret.shown)))
}

/// A kept answer with the secret as the bank saw it.
fn unsealed(outbox: &Outbox, mut reply: StoredReply) -> Result<StoredReply, Problem> {
    #[derive(Deserialize)]
    struct Kept {
        id: WebhookId,
        secret: String,
    }
    let kept = serde_json::from_str::<Kept>(&reply.body).ok();
    let shown = kept.and_then(|Kept { id, secret }| Some((outbox.shown(id, &secret)?, secret)));
    let Some((shown, sealed)) = shown else {
        tracing::error!("a kept answer cannot be given again: is its key in webhooks.secret_keys?");
        return Err(Problem::new(ProblemKind::Internal));
    };
    reply.body = reply.body.replace(&sealed, &shown);
    Ok(reply)
}

/// Lists this bank's webhooks.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", security(("bank_key" = [])), responses(
    (status = 200, description = "The webhooks", body = WebhookList),
))]
pub async fn list(bank: Bank, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let (webhooks, now) = (store.webhooks_of(bank.id()).await?, Timestamp::now());
    let webhooks = webhooks.iter().map(|webhook| WebhookReply::new(webhook, now)).collect();
    Ok(HttpResponse::Ok().json(WebhookList { webhooks }))
}

/// Shows a webhook.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 200, description = "The webhook", body = WebhookReply),
    (status = 404, description = "No such webhook of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn show(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let webhook = store.webhook(id_of(&request)?, bank.id()).await?.ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().json(WebhookReply::new(&webhook, Timestamp::now())))
}

/// Changes a webhook: its address, what is sent, whether anything is. What was given up is not sent again by itself: see `replay`.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)), request_body = WebhookChangeAsk,
    security(("bank_key" = [])), responses(
    (status = 200, description = "Changed", body = WebhookReply),
    (status = 404, description = "No such webhook of this bank", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The request has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn change(
    bank: Bank,
    request: HttpRequest,
    payload: web::Payload,
    outbox: web::Data<Outbox>,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&request)?;
    let ask: WebhookChangeAsk = read_json(&request, payload).await?.value;
    let url = ask.url.as_deref().map(|url| check_url(&outbox, url)).transpose()?;
    let kinds = ask.events.as_deref().map(check_events).transpose()?;
    let change = WebhookChange::Set { url, kinds, enabled: ask.enabled };
    let now = Timestamp::now();
    let webhook = store.change_webhook(id, bank.id(), change, now).await?.ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().json(WebhookReply::new(&webhook, now)))
}

/// Deletes a webhook. What waits for it is given up.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = 404, description = "No such webhook of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn delete(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let deleted = store.change_webhook(id_of(&request)?, bank.id(), WebhookChange::Delete, Timestamp::now()).await?;
    deleted.map(|_| HttpResponse::NoContent().finish()).ok_or_else(not_found)
}

/// Makes a new secret. For 24 hours messages carry two signatures, the new secret's and the old one's; the receiver takes either.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate-secret", tag = "webhooks", params(("id" = String, Path)),
    security(("bank_key" = [])), responses(
    (status = 200, description = "The webhook with its new secret", body = WebhookSecretReply),
    (status = 404, description = "No such webhook of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn rotate_secret(
    bank: Bank,
    request: HttpRequest,
    outbox: web::Data<Outbox>,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let (id, now) = (id_of(&request)?, Timestamp::now());
    let secret = new_secret(&outbox, id)?;
    let change = WebhookChange::Secret(secret.sealed);
    let webhook = store.change_webhook(id, bank.id(), change, now).await?.ok_or_else(not_found)?;
    let reply = WebhookSecretReply { webhook: WebhookReply::new(&webhook, now), secret: secret.shown };
    Ok(HttpResponse::Ok().json(reply))
}

fn not_found() -> Problem {
    Problem::new(ProblemKind::NotFound)
}

fn id_of(request: &HttpRequest) -> Result<WebhookId, Problem> {
    request.match_info().query("id").parse().map_err(|_| not_found())
}

fn new_secret(outbox: &Outbox, id: WebhookId) -> Result<NewSecret, Problem> {
    outbox.new_secret(id).ok_or_else(|| Problem::new(ProblemKind::Internal))
}

fn check_url(outbox: &Outbox, text: &str) -> Result<String, Problem> {
    outbox.check_url(text).map_err(|refusal| {
        let zh = match refusal {
            UrlRefusal::NotAnAddress => "不是有效的网址，至多2048个字符，例如 https://bank.example/yuxin",
            UrlRefusal::Scheme => "须以 https:// 开头",
            UrlRefusal::UserInfo => "主机名前不得带用户名或密码",
            UrlRefusal::Fragment => "不得带 # 及其后的部分",
            UrlRefusal::Port => "端口须为443或大于1023",
            UrlRefusal::NotPublic => "主机须为公网地址，不向内网、本机及保留地址推送",
        };
        Problem::new(ProblemKind::Invalid).field("/url", Said::new(zh, refusal.to_string()))
    })
}

/// The kinds that a bank may choose from.
fn kinds() -> impl Iterator<Item = EventKind> {
    EventKind::ALL.iter().copied().filter(|kind| *kind != EventKind::Ping)
}

fn check_events(names: &[String]) -> Result<Vec<EventKind>, Problem> {
    let mut chosen = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let kind = kinds().find(|kind| kind.as_str() == name).ok_or_else(|| {
            let all = kinds().map(EventKind::as_str).collect::<Vec<_>>().join(", ");
            let rule = Said::new(format!("须为下列之一：{all}"), format!("one of {all}"));
            Problem::new(ProblemKind::Invalid).field(format!("/events/{at}"), rule)
        })?;
        chosen.push(kind);
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}
