//! Notices: what a bank must be told without having asked.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::Notice;
use crate::domain::notice::NoticeAbout;
use crate::http::auth::Bank;
use crate::http::problem::{Problem, ProblemBody, ProblemKind, Said};
use crate::store::Store;

/// Notices on one page.
const PAGE: u32 = 50;

/// Which notices to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NoticesAsk {
    /// The `cursor` of the last notice that the bank has dealt with; left out: from the first on.
    cursor: Option<i64>,
}

/// A page of notices, in the order in which they were written.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticePage {
    notices: Vec<NoticeReply>,
    /// Where to go on: give it as `cursor`, now or later. Doing so marks the notices up to it as seen. Null where there is none yet.
    next_cursor: Option<i64>,
    /// Whether there are more already.
    more: bool,
}

/// A notice.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeReply {
    id: String,
    cursor: i64,
    /// `consent_revoked`, `dispute_resolved`, `fact_expired`, `webhook_disabled` or `standing_changed`.
    kind: &'static str,
    /// The ids concerned.
    #[schema(value_type = Object)]
    about: NoticeAbout,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the bank first asked for what comes after it; null until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    seen_at: Option<Timestamp>,
}

impl From<Notice> for NoticeReply {
    fn from(notice: Notice) -> NoticeReply {
        NoticeReply {
            id: notice.id.to_string(),
            cursor: notice.number,
            kind: notice.kind.as_str(),
            about: notice.about,
            created_at: notice.created_at,
            seen_at: notice.seen_at,
        }
    }
}

/// Lists what this bank must be told, oldest first: consents revoked, disputes resolved, facts expired,
/// webhooks disabled.
#[utoipa::path(get, path = "/v1/notices", tag = "notices", params(NoticesAsk), security(("bank_key" = [])), responses(
    (status = 200, description = "A page of notices", body = NoticePage),
    (status = 422, description = "The query has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let ask = web::Query::<NoticesAsk>::from_query(request.query_string()).map_err(|_| {
        Problem::new(ProblemKind::Invalid).detail(Said::new(
            "查询参数只有 cursor，请取上一页的 next_cursor",
            "the query takes cursor only, the next_cursor of the last page",
        ))
    })?;
    let after = ask.cursor.unwrap_or(0);
    let mut found = store.notices_to(bank.id(), after, PAGE + 1, Timestamp::now()).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let next_cursor = found.last().map(|notice| notice.number).or(ask.cursor);
    let notices = found.into_iter().map(NoticeReply::from).collect();
    Ok(HttpResponse::Ok().json(NoticePage { notices, next_cursor, more }))
}
