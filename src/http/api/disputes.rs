//! Disputes: a bank says on a firm's behalf what is wrong, and reads what the office found.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::idempotency::KeysInUse;
use crate::decide::{Decider, fact_of_code};
use crate::domain::dispute::{TEXT_CHARS_MAX, TEXT_CHARS_MIN};
use crate::domain::{DecisionId, Dispute, DisputeId, DisputedFact, Dossier, SourceKind, Standing, china_date};
use crate::http::auth::Bank;
use crate::http::body::{Json, read_json};
use crate::http::problem::{Problem, ProblemBody, ProblemKind, Said};
use crate::http::reply::IntervalReply;
use crate::store::{Committed, Store, StoreError};

/// The route under which idempotency keys of disputes are kept.
const ROUTE: &str = "POST /v1/disputes";
/// Disputes on one page of a list.
const PAGE: u32 = 50;

/// A dispute on a fact or on a decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisputeAsk {
    /// The decision that shows the fact, or that is disputed itself.
    decision_id: String,
    /// The fact; left out, the decision as a whole is disputed.
    fact: Option<FactAsk>,
    /// What the firm says, 4 to 2000 characters.
    #[schema(example = "该笔执行已于2026年9月履行完毕，请核实。")]
    statement: String,
}

/// Which fact: a source, and within it a feature or a place of the record; neither means all that the source says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactAsk {
    /// `tax`, `social_insurance` or `payment_history`.
    #[schema(example = "payment_history")]
    source: String,
    /// The code of a reason of the decision, or the name of a feature.
    #[schema(example = "PAY_WAGE_ARREARS")]
    feature: Option<String>,
    /// A JSON pointer into the source's record: a part, as `/arrears`, or a row of it, as `/enforcements/0`. Without a row of
    /// `enforcements` or `wage_arrears` the others still count; without a row of a month the whole part is missing.
    pointer: Option<String>,
}

/// A dispute as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct DisputeReply {
    id: String,
    decision_id: String,
    /// What is disputed; null: the decision as a whole.
    fact: Option<FactReply>,
    statement: String,
    /// `bank`, or `office` where the office took it in.
    taken_in_by: &'static str,
    /// `open` or `resolved`.
    status: &'static str,
    /// Whether the written answer is late.
    overdue: bool,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    /// The last day for the written answer.
    #[schema(value_type = String, format = Date)]
    due_on: Date,
    /// How the firm stands with the fact.
    with_fact: StandingReply,
    /// How it stands without the fact, which is missing then; null where the decision as a whole is disputed.
    without_fact: Option<StandingReply>,
    /// The written outcome; null while the dispute is open.
    resolution: Option<ResolutionReply>,
}

/// What is disputed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactReply {
    source: Option<&'static str>,
    feature: Option<String>,
    part: Option<String>,
    pointer: Option<String>,
}

impl FactReply {
    /// The reply for a fact; `None` for the decision as a whole.
    pub(in crate::http) fn of(fact: &DisputedFact) -> Option<FactReply> {
        let (feature, part, pointer) = (fact.feature.clone(), fact.part.clone(), fact.pointer.clone());
        fact.source.map(|source| FactReply { source: Some(source.as_str()), feature, part, pointer })
    }
}

/// How a firm stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingReply {
    score: i64,
    /// Where evidence is missing: what the score could be.
    score_interval: Option<IntervalReply>,
    grade: String,
    /// `approve`, `refer` or `decline`.
    outcome: &'static str,
}

impl StandingReply {
    /// The reply for a standing.
    pub(in crate::http) fn of(standing: &Standing) -> StandingReply {
        StandingReply {
            score: standing.score,
            score_interval: standing.score_interval.map(|i| IntervalReply { low: i.low, high: i.high }),
            grade: standing.grade.clone(),
            outcome: standing.outcome.as_str(),
        }
    }
}

/// What the office found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResolutionReply {
    /// `upheld` (the firm is right), `rejected` (the fact stands) or `corrected` (the department has put its data right).
    verdict: &'static str,
    /// The office's written answer.
    answer: String,
    #[schema(value_type = String, format = DateTime)]
    resolved_at: Timestamp,
}

impl DisputeReply {
    fn new(dispute: &Dispute, now: Timestamp) -> DisputeReply {
        DisputeReply {
            id: dispute.id.to_string(),
            decision_id: dispute.decision.to_string(),
            fact: FactReply::of(&dispute.fact),
            statement: dispute.statement.clone(),
            taken_in_by: if dispute.taken_by.is_some() { "office" } else { "bank" },
            status: if dispute.resolution.is_some() { "resolved" } else { "open" },
            overdue: dispute.overdue(now),
            opened_at: dispute.opened_at,
            due_on: china_date(dispute.due_at),
            with_fact: StandingReply::of(&dispute.with),
            without_fact: dispute.without.as_ref().map(StandingReply::of),
            resolution: dispute.resolution.as_ref().map(|resolution| ResolutionReply {
                verdict: resolution.verdict.as_str(),
                answer: resolution.answer.clone(),
                resolved_at: resolution.at,
            }),
        }
    }
}

/// Opens a dispute on the firm's behalf. The written answer is due within 20 days; until then the fact is marked as disputed in
/// every answer on the firm. With an `Idempotency-Key` a repetition gets the first answer, byte for byte, for 72 hours.
#[utoipa::path(post, path = "/v1/disputes", tag = "disputes", request_body = DisputeAsk, security(("bank_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text of 1 to 255 visible ASCII characters; send one, and a retry gets the first answer")),
    responses(
    (status = 201, description = "Opened", body = DisputeReply),
    (status = 404, description = "No such decision of this bank", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "This bank disputes the same fact already (`DISPUTE_OPEN`, with the id of the earlier one), or as many disputes on this part of the firm's data are open as may be (`DISPUTE_LIMIT`)", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The request has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn open(
    bank: Bank,
    request: HttpRequest,
    payload: web::Payload,
    decider: web::Data<Decider>,
    store: web::Data<Store>,
    keys: web::Data<KeysInUse>,
) -> Result<HttpResponse, Problem> {
    let Json { value: ask, sha256 }: Json<DisputeAsk> = read_json(&request, payload).await?;
    let keyed = keys.take(&request, bank.id(), ROUTE, &sha256, &store).await?;
    if let Some(earlier) = keyed.earlier(&store, Timestamp::now()).await? {
        return Ok(earlier);
    }
    let id: DecisionId = ask.decision_id.parse().map_err(|_| {
        let rule = Said::new("请填写决定编号（UUID）", "the id of a decision, a UUID");
        Problem::new(ProblemKind::Invalid).field("/decision_id", rule)
    })?;
    let fact = match &ask.fact {
        Some(fact) => check_fact(fact)?,
        None => DisputedFact::part(None, None),
    };
    let statement = check_statement(&ask.statement)?;
    let found = store.decision(id, bank.id()).await?;
    let (record, _) = found.ok_or_else(|| Problem::new(ProblemKind::NotFound))?;
    check_place(&fact, &record.grounds.dossier)?;
    // To the millisecond, as it is stored: what is shown now is what is shown later.
    let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or(Timestamp::MAX);
    let dispute = decider.draft_dispute(&record, fact, statement, None, now);
    // Written once: what is answered now is, byte for byte, what is kept for a repetition.
    let body = serde_json::to_string(&DisputeReply::new(&dispute, now)).unwrap_or_default();
    let entry = keyed.entry(StatusCode::CREATED, &body);
    let opened = decider.open_dispute(&dispute, entry).await.map_err(|error| match error {
        StoreError::DisputeOpen(earlier) => Problem::new(ProblemKind::DisputeOpen)
            .detail(Said::new(format!("在先的异议：{earlier}"), format!("the earlier dispute is {earlier}"))),
        StoreError::TooManyDisputes(_) => Problem::new(ProblemKind::DisputeLimit),
        other => other.into(),
    })?;
    if let Committed::Replayed(reply) = opened {
        return keyed.replay(reply);
    }
    let location = format!("/v1/disputes/{}", dispute.id);
    Ok(HttpResponse::Created().insert_header(("Location", location)).content_type("application/json").body(body))
}

fn check_statement(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let length = text.chars().count();
    let plain = !text.chars().any(|c| c.is_control() && c != '\n' && c != '\r');
    if plain && (TEXT_CHARS_MIN..=TEXT_CHARS_MAX).contains(&length) {
        return Ok(text.to_owned());
    }
    let rule = Said::new(
        format!("{TEXT_CHARS_MIN}至{TEXT_CHARS_MAX}个字符，不含控制字符"),
        format!("{TEXT_CHARS_MIN} to {TEXT_CHARS_MAX} characters, no control characters"),
    );
    Err(Problem::new(ProblemKind::Invalid).field("/statement", rule))
}

fn check_fact(ask: &FactAsk) -> Result<DisputedFact, Problem> {
    let invalid = |pointer: &str, zh: String, en: String| {
        Problem::new(ProblemKind::Invalid).field(format!("/fact{pointer}"), Said::new(zh, en))
    };
    // What an optional department says stands in the record of a main one, and is disputed there.
    let main = SourceKind::ALL.into_iter().filter(|source| !Dossier::parts_of(*source).is_empty());
    let source = main.clone().find(|source| source.as_str() == ask.source).ok_or_else(|| {
        let names = main.map(SourceKind::as_str).collect::<Vec<_>>().join(", ");
        invalid("/source", format!("须为下列之一：{names}"), format!("one of {names}"))
    })?;
    match (&ask.feature, &ask.pointer) {
        (Some(_), Some(_)) => Err(invalid(
            "",
            "feature 与 pointer 只填其一".to_owned(),
            "give a feature or a pointer, not both".to_owned(),
        )),
        (None, None) => Ok(DisputedFact::part(Some(source), None)),
        (Some(code), None) => fact_of_code(code).filter(|fact| fact.source == Some(source)).ok_or_else(|| {
            invalid(
                "/feature",
                format!("{source} 没有此项指标，请填写决定中的理由代码"),
                format!("{source} has no such feature; take the code of a reason of the decision"),
            )
        }),
        (None, Some(pointer)) => {
            let part = pointer.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default();
            let parts = Dossier::parts_of(source);
            if !parts.contains(&part) || !names_a_place(pointer) {
                let names = parts.join("、/");
                let zh = format!("须为该部门记录中的 JSON 指针：/{names} 之一，其后可加一行的序号，如 /filings/0");
                let en = format!(
                    "a JSON pointer into the record: one of /{}, with the number of a row after it where it is a list, as /filings/0",
                    parts.join(", /")
                );
                return Err(invalid("/pointer", zh, en));
            }
            Ok(DisputedFact { pointer: Some(pointer.clone()), ..DisputedFact::part(Some(source), Some(part)) })
        }
    }
}

/// Whether it is a part, or a part and the number of a row, written in the one canonical way: a place, and no text beside it that
/// another bank would read.
fn names_a_place(pointer: &str) -> bool {
    match pointer.split('/').skip(1).collect::<Vec<_>>()[..] {
        [_] => true,
        [_, row] => row.parse::<u32>().is_ok_and(|number| number.to_string() == row),
        _ => false,
    }
}

/// The place must be there in the record that the decision rests on.
fn check_place(fact: &DisputedFact, dossier: &Dossier) -> Result<(), Problem> {
    let (Some(source), Some(pointer)) = (fact.source, &fact.pointer) else { return Ok(()) };
    let record = serde_json::to_value(dossier).unwrap_or_default();
    match record.pointer(&format!("/{source}/record{pointer}")) {
        Some(_) => Ok(()),
        None => {
            let rule = Said::new(
                "该决定所依据的记录中没有此处，请按记录填写行号（从 0 起）",
                "the record that the decision rests on has no such place; rows are counted from 0",
            );
            Err(Problem::new(ProblemKind::Invalid).field("/fact/pointer", rule))
        }
    }
}

/// Shows a dispute.
#[utoipa::path(get, path = "/v1/disputes/{id}", tag = "disputes", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 200, description = "The dispute", body = DisputeReply),
    (status = 404, description = "No such dispute of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn show(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let not_found = || Problem::new(ProblemKind::NotFound);
    let id: DisputeId = request.match_info().query("id").parse().map_err(|_| not_found())?;
    let dispute = store.dispute(id).await?.filter(|dispute| dispute.bank == bank.id()).ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().json(DisputeReply::new(&dispute, Timestamp::now())))
}

/// Which disputes to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DisputeListAsk {
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
}

/// A page of disputes, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DisputePage {
    /// The disputes.
    disputes: Vec<DisputeReply>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

/// Lists this bank's disputes, newest first.
#[utoipa::path(get, path = "/v1/disputes", tag = "disputes", params(DisputeListAsk), security(("bank_key" = [])), responses(
    (status = 200, description = "A page of disputes", body = DisputePage),
    (status = 422, description = "The query has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let invalid = || {
        let said = Said::new(
            "查询参数只有 cursor，请取上一页的 next_cursor",
            "the query takes cursor alone: next_cursor of the last page",
        );
        Problem::new(ProblemKind::Invalid).detail(said)
    };
    let ask = web::Query::<DisputeListAsk>::from_query(request.query_string()).map_err(|_| invalid())?;
    let after: Option<DisputeId> = ask.cursor.as_deref().map(str::parse).transpose().map_err(|_| invalid())?;
    let mut found = store.disputes_of(bank.id(), after, PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let now = Timestamp::now();
    Ok(HttpResponse::Ok().json(DisputePage {
        next_cursor: found.last().filter(|_| more).map(|dispute| dispute.id.to_string()),
        disputes: found.iter().map(|dispute| DisputeReply::new(dispute, now)).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_a_place_in_the_record_and_carries_no_text_to_another_bank() {
        let told = |pointer: &str| {
            let ask = FactAsk { source: "tax".to_owned(), feature: None, pointer: Some(pointer.to_owned()) };
            check_fact(&ask).is_ok()
        };
        for place in ["/filings", "/filings/0", "/filings/12", "/status"] {
            assert!(told(place), "{place}");
        }
        let odd = ["filings", "/filings/0 A-Bank-says", "/filings/-1", "/filings/00", "/filings/+1", "/filings/~2"];
        for text in odd.into_iter().chain(["/filings/", "/filings/0/A", "/filings/99999999999", "/heads", "", "/"]) {
            assert!(!told(text), "{text}");
        }
    }
}
