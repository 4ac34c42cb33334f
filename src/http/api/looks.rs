//! The bank's own lines of the ledger of looks.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::parse_code;
use crate::domain::{Look, LookId};
use crate::http::auth::Bank;
use crate::http::problem::{Problem, ProblemBody, ProblemKind, Said};
use crate::store::Store;

/// Looks on one page.
const PAGE: u32 = 50;

/// Which looks to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LooksAsk {
    /// The firm.
    uscc: String,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
}

/// A page of looks, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct LookPage {
    looks: Vec<LookReply>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

/// A look of this bank at a firm.
#[derive(Debug, Serialize, ToSchema)]
pub struct LookReply {
    id: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    consent_id: Option<String>,
    purpose: String,
    /// `decided`, `consent_revoked`, `consent_used`, `repeated` or `abandoned`.
    result: &'static str,
    decision_id: Option<String>,
    /// The departments that were asked.
    sources: Vec<SourceReply>,
}

/// What came back of one department.
#[derive(Debug, Serialize, ToSchema)]
struct SourceReply {
    source: &'static str,
    /// As in a decision's evidence; null where nobody waited for the answer.
    status: Option<&'static str>,
    #[schema(value_type = Option<String>, format = Date)]
    as_of: Option<Date>,
    /// SHA-256 of the reply.
    digest: Option<String>,
}

impl From<Look> for LookReply {
    fn from(look: Look) -> LookReply {
        let answer = |source| look.answers.iter().find(|line| line.source == source);
        LookReply {
            id: look.id.to_string(),
            at: look.at,
            consent_id: look.consent.map(|id| id.to_string()),
            purpose: look.purpose.clone(),
            result: look.end.as_str(),
            decision_id: look.decision.map(|id| id.to_string()),
            sources: look
                .asked
                .iter()
                .map(|source| SourceReply {
                    source: source.as_str(),
                    status: answer(*source).map(|line| line.status.as_str()),
                    as_of: answer(*source).and_then(|line| line.as_of),
                    digest: answer(*source).and_then(|line| line.digest.clone()),
                })
                .collect(),
        }
    }
}

/// Lists this bank's looks at a firm, newest first. What other banks did is not in it; the firm gets the whole ledger from the
/// finance office.
#[utoipa::path(get, path = "/v1/looks", tag = "looks", params(LooksAsk), security(("bank_key" = [])), responses(
    (status = 200, description = "A page of looks", body = LookPage),
    (status = 422, description = "The query has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let invalid = |zh: &str, en: &str| Problem::new(ProblemKind::Invalid).detail(Said::new(zh, en));
    let ask = web::Query::<LooksAsk>::from_query(request.query_string()).map_err(|_| {
        invalid(
            "查询参数为 uscc（必填）和 cursor，各至多一次",
            "the query takes uscc, which it needs, and cursor, each once",
        )
    })?;
    let uscc = parse_code(&ask.uscc, "/uscc")?;
    let after: Option<LookId> = ask
        .cursor
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|_| invalid("cursor 请取上一页的 next_cursor", "cursor: take next_cursor of the last page"))?;
    let mut found = store.looks_at(&uscc, Some(bank.id()), after, PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let next_cursor = found.last().filter(|_| more).map(|line| line.look.id.to_string());
    let looks = found.into_iter().map(|line| LookReply::from(line.look)).collect();
    Ok(HttpResponse::Ok().json(LookPage { looks, next_cursor }))
}
