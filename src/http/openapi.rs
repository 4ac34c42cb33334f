//! The description of the bank API, `/openapi.json`, and its page, `/docs`, which works without internet.

use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

use super::api::webhooks::sending;
use super::api::{batches, consents, decisions, disputes, looks, notices, webhooks};
use super::problem::{FieldError, ProblemBody, ProblemKind};
use super::reply::DecisionReply;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Yuxin bank API",
        description = "Credit decisions on small and micro firms from evidence that departments hold, with the firm's consent.\n\n\
            Every answer is a decision aid, not a credit-bureau report (征信报告); the bank decides."
    ),
    paths(
        consents::register, consents::show, consents::revoke, consents::decisions, decisions::decide, decisions::show, decisions::list,
        decisions::record, looks::list, notices::list, disputes::open, disputes::show, disputes::list,
        webhooks::create, webhooks::list, webhooks::show, webhooks::change, webhooks::delete, webhooks::rotate_secret,
        sending::test, sending::deliveries, sending::replay,
        batches::submit, batches::show, batches::list, batches::cancel, batches::results::results, batches::results::errors
    ),
    components(schemas(
        consents::ConsentAsk, consents::ConsentReply, consents::UnderPage, decisions::DecisionAsk, decisions::DecisionPage, DecisionReply,
        looks::LookPage, looks::LookReply, notices::NoticePage, notices::NoticeReply,
        disputes::DisputeAsk, disputes::DisputeReply, disputes::DisputePage,
        webhooks::WebhookAsk, webhooks::WebhookChangeAsk, webhooks::WebhookReply, webhooks::WebhookList,
        webhooks::WebhookSecretReply, sending::DeliveryReply, sending::DeliveryPage, sending::ReplayAsk, sending::QueuedReply,
        batches::BatchReply, batches::BatchPage, batches::results::RowsFormat, ProblemBody, FieldError
    )),
    modifiers(&Extras)
)]
struct Description;

/// What the macros cannot say: the key, and the table of problem codes.
struct Extras;

impl Modify for Extras {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A bank's API key")).build();
        if let Some(components) = api.components.as_mut() {
            components.add_security_scheme("bank_key", SecurityScheme::Http(bearer));
        }
        let rows: Vec<String> = ProblemKind::ALL
            .iter()
            .map(|kind| format!("| `{}` | {} | {} |", kind.code(), kind.status(), kind.title().en))
            .collect();
        let table = format!("\n\n| code | status | meaning |\n|---|---|---|\n{}", rows.join("\n"));
        let described = api.info.description.take().unwrap_or_default();
        api.info.description = Some(described + &table);
    }
}

/// The description as a document.
pub fn document() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// The routes `/openapi.json` and `/docs`.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/docs", web::get().to(async || HttpResponse::Found().insert_header(("Location", "/docs/")).finish()))
        .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", document()));
}
