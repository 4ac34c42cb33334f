//! Consents: a bank registers what a firm signed, looks it up, revokes it.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::idempotency::KeysInUse;
use super::{is_purpose, parse_code, purpose_rule};
use crate::decide::Decider;
use crate::domain::consent::{Field, ScopeError};
use crate::domain::{Consent, ConsentId, DecisionId, Scope, SourceKind};
use crate::http::auth::Bank;
use crate::http::body::{Json, read_json};
use crate::http::problem::{Problem, ProblemBody, ProblemKind, Said};
use crate::store::{Committed, Store};

/// The route under which idempotency keys of consents are kept.
const ROUTE: &str = "POST /v1/consents";
/// Decisions on one page.
const PAGE: u32 = 100;
/// The most purposes that one consent may name.
const PURPOSES_MAX: usize = 20;

/// A consent that a firm signed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentAsk {
    /// The firm's unified social credit code.
    #[schema(example = "91330604MA2XY0014W")]
    uscc: String,
    /// What the bank may look for.
    #[schema(example = json!(["working_capital"]))]
    purposes: Vec<String>,
    /// From this instant on the consent is expired.
    #[schema(value_type = String, format = DateTime, example = "2027-01-01T00:00:00Z")]
    valid_until: String,
    /// SHA-256 of the signed document, 64 hexadecimal digits.
    document_sha256: Option<String>,
    /// The departments that may be asked, of `tax`, `social_insurance`, `payment_history`, and, where they are connected, `registry`
    /// (fills parts of `tax`), `court` and `utilities` (fill parts of `payment_history`); left out: all.
    #[schema(example = json!(["tax", "social_insurance"]))]
    sources: Option<Vec<String>>,
    /// The parts of their records that may be looked at, `DEPARTMENT.PART`; left out: whole records. What is not named is dropped
    /// unseen and counts as missing.
    #[schema(example = json!(["tax.invoices", "tax.status", "social_insurance.months"]))]
    fields: Option<Vec<String>>,
    /// True: the first decision uses the consent up. Default: it stands until it expires or is revoked.
    #[serde(default)]
    one_time: bool,
}

/// A consent as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentReply {
    /// Its id; name it when asking for a decision.
    id: String,
    uscc: String,
    purposes: Vec<String>,
    /// The departments that may be asked; null: all.
    sources: Option<Vec<String>>,
    /// The parts of their records that may be looked at; null: whole records.
    fields: Option<Vec<String>>,
    /// Whether the first decision uses it up.
    one_time: bool,
    /// `active`, `used`, `expired` or `revoked`.
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    granted_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    valid_until: Timestamp,
    document_sha256: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// When a decision used it up.
    #[schema(value_type = Option<String>, format = DateTime)]
    used_at: Option<Timestamp>,
}

impl ConsentReply {
    fn new(consent: Consent, now: Timestamp) -> ConsentReply {
        let status = match consent.revoked_at {
            Some(_) => "revoked",
            None if consent.one_time && consent.used_at.is_some() => "used",
            None if now >= consent.valid_until => "expired",
            None => "active",
        };
        ConsentReply {
            id: consent.id.to_string(),
            uscc: consent.uscc.to_string(),
            sources: consent.scope.sources().map(|all| all.iter().map(ToString::to_string).collect()),
            fields: consent.scope.fields().map(|all| all.iter().map(ToString::to_string).collect()),
            one_time: consent.one_time,
            used_at: consent.used_at,
            purposes: consent.purposes,
            status,
            granted_at: consent.granted_at,
            valid_until: consent.valid_until,
            document_sha256: consent.document_sha256,
            revoked_at: consent.revoked_at,
        }
    }
}

/// Registers a firm's consent. With an `Idempotency-Key` a repetition gets the first answer, byte for byte, for 72 hours.
#[utoipa::path(post, path = "/v1/consents", tag = "consents", request_body = ConsentAsk, security(("bank_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text of 1 to 255 visible ASCII characters; send one, and a retry cannot register twice")),
    responses(
    (status = 201, description = "Registered", body = ConsentReply),
    (status = 422, description = "The request has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn register(
    bank: Bank,
    request: HttpRequest,
    payload: web::Payload,
    store: web::Data<Store>,
    keys: web::Data<KeysInUse>,
) -> Result<HttpResponse, Problem> {
    let ask: Json<ConsentAsk> = read_json(&request, payload).await?;
    let keyed = keys.take(&request, bank.id(), ROUTE, &ask.sha256, &store).await?;
    if let Some(earlier) = keyed.earlier(&store, Timestamp::now()).await? {
        return Ok(earlier);
    }
    // To the millisecond, as it is stored: what is shown now is what is shown later.
    let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or(Timestamp::MAX);
    let consent = check(&bank, ask.value, now)?;
    // Written once: what is answered now is, byte for byte, what is kept for a repetition.
    let body = serde_json::to_string(&ConsentReply::new(consent.clone(), now)).unwrap_or_default();
    if let Committed::Replayed(reply) =
        store.register_consent(&consent, keyed.entry(StatusCode::CREATED, &body)).await?
    {
        return keyed.replay(reply);
    }
    let location = format!("/v1/consents/{}", consent.id);
    Ok(HttpResponse::Created().insert_header(("Location", location)).content_type("application/json").body(body))
}

fn check(bank: &Bank, ask: ConsentAsk, now: Timestamp) -> Result<Consent, Problem> {
    let uscc = parse_code(&ask.uscc, "/uscc")?;
    let invalid =
        |pointer: &str, zh: &str, en: &str| Problem::new(ProblemKind::Invalid).field(pointer, Said::new(zh, en));
    if ask.purposes.is_empty() || ask.purposes.len() > PURPOSES_MAX {
        return Err(invalid("/purposes", "请填写1至20项用途", "name 1 to 20 purposes"));
    }
    if let Some(i) = ask.purposes.iter().position(|purpose| !is_purpose(purpose)) {
        return Err(Problem::new(ProblemKind::Invalid).field(format!("/purposes/{i}"), purpose_rule()));
    }
    let valid_until: Timestamp = ask.valid_until.parse().map_err(|_| {
        invalid(
            "/valid_until",
            "请填写时刻，例如 2027-01-01T00:00:00Z（最迟9999-12-30）",
            "an instant like 2027-01-01T00:00:00Z, 9999-12-30 at the latest",
        )
    })?;
    if valid_until <= now {
        return Err(invalid("/valid_until", "已经过去", "it lies in the past"));
    }
    let scope = scope(ask.sources.as_deref(), ask.fields.as_deref())?;
    let digest = ask.document_sha256.map(|digest| digest.to_ascii_lowercase());
    if digest.as_deref().is_some_and(|d| d.len() != 64 || !d.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(invalid("/document_sha256", "须为64位十六进制数字", "64 hexadecimal digits"));
    }
    Ok(Consent {
        id: ConsentId(Uuid::now_v7()),
        bank: bank.id(),
        uscc,
        purposes: ask.purposes,
        scope,
        one_time: ask.one_time,
        granted_at: now,
        valid_until,
        document_sha256: digest,
        revoked_at: None,
        used_at: None,
    })
}

/// What the grant covers.
fn scope(sources: Option<&[String]>, fields: Option<&[String]>) -> Result<Scope, Problem> {
    let invalid = |pointer: String, said: Said| Problem::new(ProblemKind::Invalid).field(pointer, said);
    let sources = sources.map(|names| {
        let known = |(i, name): (usize, &String)| {
            SourceKind::named(name).ok_or_else(|| {
                let all = SourceKind::every().map(SourceKind::as_str).collect::<Vec<_>>().join(", ");
                let said = Said::new(format!("没有这个部门，可填：{all}"), format!("no such department; one of {all}"));
                invalid(format!("/sources/{i}"), said)
            })
        };
        names.iter().enumerate().map(known).collect::<Result<BTreeSet<_>, _>>()
    });
    let fields = fields.map(|names| {
        let known = |(i, name): (usize, &String)| {
            name.parse::<Field>().map_err(|_| {
                let all = Field::all().map(|field| field.to_string()).collect::<Vec<_>>().join(", ");
                let said = Said::new(format!("没有这一项，可填：{all}"), format!("no such part; one of {all}"));
                invalid(format!("/fields/{i}"), said)
            })
        };
        names.iter().enumerate().map(known).collect::<Result<BTreeSet<_>, _>>()
    });
    Scope::new(sources.transpose()?, fields.transpose()?).map_err(|error| {
        let (pointer, zh) = match error {
            ScopeError::NoSource => ("/sources", "请至少填写一个部门；不填此项则包括全部部门".to_owned()),
            ScopeError::NoField => ("/fields", "请至少填写一项；不填此项则包括全部内容".to_owned()),
            ScopeError::ForeignField(field) => ("/fields", format!("{field} 所属部门不在 sources 中")),
            ScopeError::SourceWithoutField(source) => {
                ("/sources", format!("fields 中没有 {source} 的任何一项，请补充，或从 sources 中去掉该部门"))
            }
            ScopeError::MonthsLeftOut => {
                ("/fields", "社保各项须包括 social_insurance.months，否则其余内容没有意义".to_owned())
            }
        };
        invalid(pointer.to_owned(), Said::new(zh, error.to_string()))
    })
}

/// Shows a consent.
#[utoipa::path(get, path = "/v1/consents/{id}", tag = "consents", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 200, description = "The consent", body = ConsentReply),
    (status = 404, description = "No such consent with this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn show(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let id = consent_id(&request)?;
    let consent = store.consent(id).await?.filter(|consent| consent.bank == bank.id());
    let consent = consent.ok_or_else(|| Problem::new(ProblemKind::NotFound))?;
    Ok(HttpResponse::Ok().json(ConsentReply::new(consent, Timestamp::now())))
}

/// Which decisions under a consent to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct UnderAsk {
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
}

/// A page of decisions that were made under a consent, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnderPage {
    /// Their ids: read each at `/v1/decisions/{id}`.
    decision_ids: Vec<String>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

/// Lists the decisions of this bank that were made under a consent, also after it was revoked.
#[utoipa::path(get, path = "/v1/consents/{id}/decisions", tag = "consents", params(("id" = String, Path), UnderAsk),
    security(("bank_key" = [])), responses(
    (status = 200, description = "A page of ids", body = UnderPage),
    (status = 404, description = "No such consent with this bank", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The query has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn decisions(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let invalid = || {
        Problem::new(ProblemKind::Invalid).detail(Said::new(
            "查询参数只有 cursor，请取上一页的 next_cursor",
            "the query takes cursor only, the next_cursor of the last page",
        ))
    };
    let ask = web::Query::<UnderAsk>::from_query(request.query_string()).map_err(|_| invalid())?;
    let after: Option<DecisionId> = ask.cursor.as_deref().map(str::parse).transpose().map_err(|_| invalid())?;
    let consent = store.consent(consent_id(&request)?).await?.filter(|consent| consent.bank == bank.id());
    let consent = consent.ok_or_else(|| Problem::new(ProblemKind::NotFound))?;
    let mut found = store.decisions_under(&consent, after, PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let next_cursor = found.last().filter(|_| more).map(ToString::to_string);
    let decision_ids = found.iter().map(ToString::to_string).collect();
    Ok(HttpResponse::Ok().json(UnderPage { decision_ids, next_cursor }))
}

/// Revokes a consent. From then on nothing is fetched under it, and nothing that departments said of the firm is kept; doing it
/// again changes nothing.
#[utoipa::path(delete, path = "/v1/consents/{id}", tag = "consents", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 200, description = "Revoked", body = ConsentReply),
    (status = 404, description = "No such consent with this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn revoke(bank: Bank, request: HttpRequest, decider: web::Data<Decider>) -> Result<HttpResponse, Problem> {
    let id = consent_id(&request)?;
    let now = Timestamp::now();
    let consent = decider.revoke(id, bank.id(), now).await?;
    let consent = consent.ok_or_else(|| Problem::new(ProblemKind::NotFound))?;
    Ok(HttpResponse::Ok().json(ConsentReply::new(consent, now)))
}

fn consent_id(request: &HttpRequest) -> Result<ConsentId, Problem> {
    request.match_info().query("id").parse().map_err(|_| Problem::new(ProblemKind::NotFound))
}
