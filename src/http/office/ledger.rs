//! The ledger of looks at a firm, on paper for the firm. The code travels in a form, never in an address.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::failure::Failure;
use super::form::Filled;
use super::frame::{Frame, page};
use super::session::{CaseReader, Reviewer};
use super::{Office, ROOT};
use crate::domain::{LookBy, Uscc};
use crate::http::words::{self, Words, figures};
use crate::store::LedgerLine;

/// The form of the page.
#[derive(Deserialize)]
pub struct LedgerForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    uscc: String,
}

/// One look.
struct Row {
    at: String,
    who: String,
    purpose: String,
    consent: Option<String>,
    asked: Vec<String>,
    result: String,
    decision: Option<String>,
}

/// What was found for a code.
struct Found {
    title: String,
    count: String,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    w: Words,
    frame: Frame,
    code: String,
    error: Option<String>,
    found: Option<Found>,
}

/// `GET /console/ledger`
pub async fn show(request: HttpRequest, office: web::Data<Office>) -> Result<HttpResponse, Failure> {
    let Reviewer(reader) = CaseReader::enter(&request, &office, None).await?.into_reviewer()?;
    render(StatusCode::OK, &reader, String::new(), None, None)
}

/// `POST /console/ledger`
pub async fn search(
    request: HttpRequest,
    Filled(filled): Filled<LedgerForm>,
    office: web::Data<Office>,
) -> Result<HttpResponse, Failure> {
    let Reviewer(reader) = CaseReader::enter(&request, &office, None).await?.into_reviewer()?;
    reader.0.check_token(&filled.csrf)?;
    let words = reader.0.words;
    let Ok(uscc) = filled.uscc.parse::<Uscc>() else {
        let error = Some(words.t("ledger-code-wrong"));
        return render(StatusCode::UNPROCESSABLE_ENTITY, &reader, filled.uscc, error, None);
    };
    let ledger = office.store.ledger_of(&uscc).await.map_err(|error| Failure::store(&error, words))?;
    let found = Found {
        title: words.with("ledger-of", &[("code", uscc.as_str().into())]),
        count: words.with("ledger-count", &[("count", ledger.len().into())]),
        rows: ledger.iter().map(|line| row(line, words)).collect(),
    };
    render(StatusCode::OK, &reader, uscc.to_string(), None, Some(found))
}

fn render(
    status: StatusCode,
    reader: &CaseReader,
    code: String,
    error: Option<String>,
    found: Option<Found>,
) -> Result<HttpResponse, Failure> {
    let words = reader.0.words;
    let frame = Frame::signed_in(&reader.0.session, words, format!("{ROOT}/ledger"));
    page(status, &LedgerPage { w: words, frame, code, error, found }, words)
}

fn row(line: &LedgerLine, words: Words) -> Row {
    let look = &line.look;
    let asked = look.asked.iter().map(|source| {
        let name = words::source_name(words.0, *source);
        let Some(answer) = look.answers.iter().find(|answer| answer.source == *source) else {
            return format!("{name}: {}", words.t("ledger-unanswered"));
        };
        let status = words.t(&format!("evidence-status-{}", answer.status.as_str()));
        let as_of = answer.as_of.map(|day| words.with("evidence-as-of", &[("date", figures::date(day).into())]));
        let digest = answer.digest.as_deref().and_then(|digest| digest.get(..12));
        let digest = digest.map(|digest| words.with("ledger-digest", &[("digest", digest.into())]));
        let parts: Vec<String> = [Some(status), as_of, digest].into_iter().flatten().collect();
        format!("{name}: {}", parts.join(&words.t("separator")))
    });
    Row {
        at: figures::instant(look.at),
        who: match &look.by {
            LookBy::Bank(_) => line.bank_name.clone().unwrap_or_default(),
            LookBy::Office(who) => words.with("ledger-office", &[("who", who.as_str().into())]),
        },
        purpose: look.purpose.clone(),
        consent: look.consent.map(|id| id.to_string()),
        asked: asked.collect(),
        result: words.t(&format!("look-{}", look.end)),
        decision: look.decision.map(|id| id.to_string()),
    }
}
