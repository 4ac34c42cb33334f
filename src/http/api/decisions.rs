//! Decisions: asked for, shown, listed.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::idempotency::KeysInUse;
use super::{is_purpose, parse_code, purpose_rule};
use crate::decide::{Decided, Decider, Extract};
use crate::domain::decision::{AMOUNT_FEN_MAX, DecisionRequest, TERM_MONTHS_MAX};
use crate::domain::{Case, DecisionId, DecisionRecord, Fen, Language};
use crate::http::auth::Bank;
use crate::http::body::{Json, read_json};
use crate::http::problem::{Problem, ProblemBody, ProblemKind, Said, language};
use crate::http::reply::DecisionReply;
use crate::store::Store;

/// The route under which idempotency keys of decisions are kept.
const ROUTE: &str = "POST /v1/decisions";
/// Decisions on one page of a list.
const PAGE: u32 = 50;

/// A request for a decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionAsk {
    /// The firm's unified social credit code.
    #[schema(example = "91330604MA2XY0014W")]
    uscc: String,
    /// The consent under which the bank asks.
    consent_id: Option<String>,
    /// What the loan is for; the consent must name it.
    #[schema(example = "working_capital")]
    purpose: String,
    /// The amount in fen (1 yuan = 100 fen).
    #[schema(example = 500_000_000)]
    amount_fen: i64,
    /// The term in months.
    #[schema(example = 12)]
    term_months: u32,
}

/// Decides on a firm: gathers evidence with its consent, scores, applies the policy, records. The answer is on disk before it is
/// sent. With an `Idempotency-Key` a repetition gets the first answer, byte for byte, for 72 hours.
#[utoipa::path(post, path = "/v1/decisions", tag = "decisions", request_body = DecisionAsk, security(("bank_key" = [])),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Any text of 1 to 255 visible ASCII characters; send one, and a retry cannot decide twice"),
        ("Accept-Language" = Option<String>, Header, description = "zh-CN (default) or en"),
    ),
    responses(
        (status = 201, description = "Decided and recorded", body = DecisionReply),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "No consent that covers this", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The request has errors", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not available now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn decide(
    bank: Bank,
    request: HttpRequest,
    payload: web::Payload,
    decider: web::Data<Decider>,
    store: web::Data<Store>,
    keys: web::Data<KeysInUse>,
) -> Result<HttpResponse, Problem> {
    let ask: Json<DecisionAsk> = read_json(&request, payload).await?;
    let language = language(&request);
    // Boxed, here and below: every layer of the server moves a handler's future, and these are large.
    let keyed = Box::pin(keys.take(&request, bank.id(), ROUTE, &ask.sha256, &store)).await?;
    // Only now: reading the body and waiting for the key may have taken a while, and consents expire.
    let now = Timestamp::now();
    if let Some(earlier) = Box::pin(keyed.earlier(&store, now)).await? {
        return Ok(earlier);
    }
    let asked = check(&ask.value)?;
    // Batches give way.
    // Written once: what is answered now is, byte for byte, what is kept for a repetition.
    let mut body = String::new();
    let remember = |record: &DecisionRecord| {
        body = body_of(record, language);
        keyed.entry(StatusCode::CREATED, &body)
    };
    match Box::pin(decider.decide(&bank.0, asked, now, remember)).await? {
        Decided::Recorded(record) => {
            let location = format!("/v1/decisions/{}", record.decision.id);
            let mut answer = HttpResponse::Created();
            answer.insert_header(("Location", location)).content_type("application/json");
            Ok(answer.body(body))
        }
        Decided::Replayed(reply) => keyed.replay(reply),
    }
}

/// The reply as text.
fn body_of(record: &DecisionRecord, language: Language) -> String {
    serde_json::to_string(&DecisionReply::new(&record.decision, None, language)).unwrap_or_default()
}

fn check(ask: &DecisionAsk) -> Result<DecisionRequest, Problem> {
    let uscc = parse_code(&ask.uscc, "/uscc")?;
    let invalid = |pointer: &str, said: Said| Problem::new(ProblemKind::Invalid).field(pointer, said);
    if !is_purpose(&ask.purpose) {
        return Err(invalid("/purpose", purpose_rule()));
    }
    if !(1..=AMOUNT_FEN_MAX).contains(&ask.amount_fen) {
        return Err(invalid(
            "/amount_fen",
            Said::new(
                format!("整数，单位为分，1至{AMOUNT_FEN_MAX}"),
                format!("a whole number of fen from 1 to {AMOUNT_FEN_MAX}"),
            ),
        ));
    }
    if !(1..=TERM_MONTHS_MAX).contains(&ask.term_months) {
        return Err(invalid(
            "/term_months",
            Said::new(format!("1至{TERM_MONTHS_MAX}个月"), format!("from 1 to {TERM_MONTHS_MAX}")),
        ));
    }
    let consent = ask.consent_id.as_deref().ok_or_else(|| Problem::new(ProblemKind::ConsentMissing))?;
    let consent_id = consent
        .parse()
        .map_err(|_| invalid("/consent_id", Said::new("请填写已登记授权的编号", "the id of a registered consent")))?;
    Ok(DecisionRequest {
        uscc,
        consent_id,
        purpose: ask.purpose.clone(),
        amount: Fen(ask.amount_fen),
        term_months: ask.term_months,
    })
}

/// Shows a decision, with what the finance office said since.
#[utoipa::path(get, path = "/v1/decisions/{id}", tag = "decisions", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 200, description = "The decision", body = DecisionReply),
    (status = 404, description = "No such decision of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn show(
    bank: Bank,
    request: HttpRequest,
    store: web::Data<Store>,
    decider: web::Data<Decider>,
) -> Result<HttpResponse, Problem> {
    let not_found = || Problem::new(ProblemKind::NotFound);
    let id: DecisionId = request.match_info().query("id").parse().map_err(|_| not_found())?;
    let (record, case) = store.decision(id, bank.id()).await?.ok_or_else(not_found)?;
    let reply = as_it_stands(record, case.as_ref(), &store, &decider, language(&request)).await?;
    Ok(HttpResponse::Ok().json(reply))
}

/// The reply for a stored decision with what came after it: the office's review, disputes, a re-score.
pub(super) async fn as_it_stands(
    mut record: DecisionRecord,
    case: Option<&Case>,
    store: &Store,
    decider: &Decider,
    language: Language,
) -> Result<DecisionReply, Problem> {
    let disputes = store.disputes_about(&record.decision.request.uscc).await?;
    record.decision.disputes = decider.engine().marks(&record, &disputes);
    let rescore = store.rescore_of(record.decision.id, record.decision.bank).await?;
    Ok(DecisionReply::new(&record.decision, case, language).rescored(rescore.as_ref()))
}

/// The record of a decision: what was computed from which values, and the source, as-of date and reply digest behind each. Save it
/// and check it offline with `yuxin verify FILE --model MODEL`. No record of a department is in it.
#[utoipa::path(get, path = "/v1/decisions/{id}/record", tag = "decisions", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 200, description = "The record, format yuxin-decision/1", content_type = "application/json"),
    (status = 404, description = "No such decision of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn record(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let not_found = || Problem::new(ProblemKind::NotFound);
    let id: DecisionId = request.match_info().query("id").parse().map_err(|_| not_found())?;
    let (record, _) = store.decision(id, bank.id()).await?.ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().json(Extract::from(&record)))
}

/// Which decisions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListAsk {
    /// Only those on this firm.
    uscc: Option<String>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
}

/// A page of decisions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionPage {
    /// The decisions.
    decisions: Vec<DecisionReply>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

/// Lists this bank's decisions, newest first.
#[utoipa::path(get, path = "/v1/decisions", tag = "decisions", params(ListAsk), security(("bank_key" = [])), responses(
    (status = 200, description = "A page of decisions", body = DecisionPage),
    (status = 422, description = "The query has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(
    bank: Bank,
    request: HttpRequest,
    store: web::Data<Store>,
    decider: web::Data<Decider>,
) -> Result<HttpResponse, Problem> {
    let invalid = |zh: &str, en: &str| Problem::new(ProblemKind::Invalid).detail(Said::new(zh, en));
    let ask = web::Query::<ListAsk>::from_query(request.query_string()).map_err(|_| {
        invalid("查询参数只有 uscc 和 cursor，各至多一次", "the query takes uscc and cursor, each once")
    })?;
    let uscc = ask.uscc.as_deref().map(|code| parse_code(code, "/uscc")).transpose()?;
    let after: Option<DecisionId> = ask
        .cursor
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|_| invalid("cursor 请取上一页的 next_cursor", "cursor: take next_cursor of the last page"))?;
    let mut found = store.decisions_of(bank.id(), uscc.as_ref(), after, PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let language = language(&request);
    let next_cursor = found.last().filter(|_| more).map(|(record, _)| record.decision.id.to_string());
    let mut decisions = Vec::with_capacity(found.len());
    for (record, case) in found {
        decisions.push(as_it_stands(record, case.as_ref(), &store, &decider, language).await?);
    }
    Ok(HttpResponse::Ok().json(DecisionPage { decisions, next_cursor }))
}
