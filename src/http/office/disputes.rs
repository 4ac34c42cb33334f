//! Disputes in the console: the list with its clock, taking one in for a firm, and the written answer.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::case_page::FieldError;
use super::clock::{Clock, until};
use super::failure::{Failure, Kind};
use super::form::Filled;
use super::frame::{Frame, page, see_other};
use super::session::{CaseReader, Reviewer};
use super::{Office, ROOT};
use crate::decide::{Decider, fact_of_code};
use crate::domain::dispute::{TEXT_CHARS_MAX, TEXT_CHARS_MIN};
use crate::domain::{
    CaseId, DecisionId, DecisionRecord, Dispute, DisputeId, DisputeVerdict, DisputedFact, Dossier, Look, LookId,
    Resolution, SourceKind, Standing,
};
use crate::features;
use crate::http::words::{self, KNOCK_OUT_CODES, Words, figures};
use crate::store::StoreError;

struct Row {
    address: String,
    fact: String,
    code: String,
    opened: String,
    due: String,
    clock: Clock,
    verdict: Option<String>,
}

struct Choice {
    value: String,
    label: String,
    selected: bool,
}

#[derive(Template)]
#[template(path = "disputes.html")]
struct ListPage {
    w: Words,
    frame: Frame,
    answered: bool,
    rows: Vec<Row>,
    errors: Vec<FieldError>,
    about: String,
    facts: Vec<Choice>,
    statement: String,
    hint: String,
}

#[derive(Template)]
#[template(path = "dispute.html")]
struct DisputePage {
    w: Words,
    frame: Frame,
    list: String,
    address: String,
    code: String,
    fact: String,
    pointer: Option<String>,
    statement: String,
    taken_by: String,
    opened: String,
    due: String,
    clock: Clock,
    with: String,
    without: Option<String>,
    resolution: Option<(String, String, String)>,
    warning: Option<String>,
    errors: Vec<FieldError>,
    verdicts: Vec<Choice>,
    answer: String,
    hint: String,
}

/// What the address of the list says; never anything about a firm.
#[derive(Deserialize, Default)]
pub struct ListQuery {
    #[serde(default)]
    state: String,
    /// The case on whose decision a dispute is to be taken in.
    #[serde(default)]
    case: String,
}

/// The form that takes a dispute in.
#[derive(Deserialize, Default)]
pub struct Intake {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    fact: String,
    #[serde(default)]
    statement: String,
}

/// The form of the written answer.
#[derive(Deserialize, Default)]
pub struct Answered {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    answer: String,
}

type Answer = Result<HttpResponse, Failure>;

/// Lets in those who may know the firms that disputes are about.
async fn enter(request: &HttpRequest, office: &Office) -> Result<Reviewer, Failure> {
    CaseReader::enter(request, office, None).await?.into_reviewer()
}

/// `GET /console/disputes`
pub async fn list(request: HttpRequest, query: Option<web::Query<ListQuery>>, office: web::Data<Office>) -> Answer {
    let reader = enter(&request, &office).await?;
    let query = query.map(web::Query::into_inner).unwrap_or_default();
    let draft = Intake { about: query.case.chars().take(36).collect(), ..Intake::default() };
    render_list(StatusCode::OK, &reader, &office, query.state == "answered", draft, Vec::new()).await
}

async fn render_list(
    status: StatusCode,
    reader: &Reviewer,
    office: &Office,
    answered: bool,
    draft: Intake,
    errors: Vec<FieldError>,
) -> Answer {
    let signed_in = &reader.0.0;
    let (words, now) = (signed_in.words, Timestamp::now());
    let found = office.store.disputes_for_office(!answered).await.map_err(|error| Failure::store(&error, words))?;
    let row = |dispute: &Dispute| Row {
        address: address(dispute.id),
        fact: fact_text(&dispute.fact, words),
        code: dispute.uscc.to_string(),
        opened: figures::day(dispute.opened_at),
        due: figures::day(dispute.due_at),
        clock: dispute_clock(dispute, now, words),
        verdict: dispute.resolution.as_ref().map(|r| words.t(&format!("dispute-verdict-{}", r.verdict))),
    };
    let template = ListPage {
        w: words,
        frame: Frame::signed_in(&signed_in.session, words, format!("{ROOT}/disputes")),
        answered,
        rows: found.iter().map(row).collect(),
        errors,
        facts: facts(&draft.fact, words),
        about: draft.about,
        statement: draft.statement,
        hint: text_hint(words),
    };
    page(status, &template, words)
}

/// Everything that can be disputed: the decision, each source, each feature, each knock-out.
fn facts(selected: &str, words: Words) -> Vec<Choice> {
    let choice = |value: &str, label: String| Choice { selected: value == selected, value: value.to_owned(), label };
    let mut choices = vec![choice("", words.t("dispute-fact-decision"))];
    // What an optional department says stands in the record of a main one, and is disputed there.
    for source in SourceKind::ALL.into_iter().filter(|source| !Dossier::parts_of(*source).is_empty()) {
        let name = words::source_name(words.0, source);
        choices.push(choice(source.as_str(), words.with("dispute-fact-source", &[("source", name.as_str().into())])));
        let knock_outs =
            KNOCK_OUT_CODES.into_iter().filter(|code| fact_of_code(code).and_then(|f| f.source) == Some(source));
        for code in knock_outs {
            let title = words::knock_out(words.0, code).map_or_else(|| code.to_owned(), |(title, _)| title);
            choices.push(choice(code, format!("{name}: {title}")));
        }
        for feature in features::catalogue().filter(|feature| feature.source == source) {
            choices.push(choice(&feature.code(), format!("{name}: {}", feature.label(words.0))));
        }
    }
    choices
}

/// The fact that a choice names.
fn fact_chosen(value: &str) -> Option<DisputedFact> {
    let whole = |source| DisputedFact::part(source, None);
    if value.is_empty() {
        return Some(whole(None));
    }
    match SourceKind::ALL.into_iter().find(|source| source.as_str() == value) {
        Some(source) => Some(whole(Some(source))),
        None => fact_of_code(value),
    }
}

/// The fact in words.
pub(super) fn fact_text(fact: &DisputedFact, words: Words) -> String {
    let Some(source) = fact.source else { return words.t("dispute-fact-decision") };
    let name = words::source_name(words.0, source);
    match (&fact.feature, &fact.part) {
        (Some(feature), _) => {
            let label = features::by_name(feature).map_or(feature.as_str(), |feature| feature.label(words.0));
            format!("{name}: {label}")
        }
        (None, Some(part)) => {
            let place = fact.row().map_or_else(|| part.clone(), |row| format!("{part}/{row}"));
            words.with("dispute-fact-part", &[("source", name.into()), ("part", place_text(&place, words).into())])
        }
        (None, None) => words.with("dispute-fact-source", &[("source", name.into())]),
    }
}

/// A place of a record in words: a feature, a part, or a row of a part, counted from 1.
pub(super) fn place_text(place: &str, words: Words) -> String {
    if let Some(feature) = features::by_name(place) {
        return feature.label(words.0).to_owned();
    }
    let (part, row) = place.split_once('/').map_or((place, None), |(part, row)| (part, row.parse::<usize>().ok()));
    let key = format!("part-{part}");
    let name = if words::has(&key) { words.t(&key) } else { part.to_owned() };
    match row {
        Some(row) => words.with("part-row", &[("part", name.into()), ("row", (row + 1).into())]),
        None => name,
    }
}

fn dispute_clock(dispute: &Dispute, now: Timestamp, words: Words) -> Clock {
    match dispute.resolution {
        Some(_) => Clock { text: words.t("dispute-answered"), class: "done" },
        None => until(dispute.due_at, now, words),
    }
}

fn text_hint(words: Words) -> String {
    words.with("review-reason-hint", &[("minimum", TEXT_CHARS_MIN.into()), ("maximum", TEXT_CHARS_MAX.into())])
}

fn address(id: DisputeId) -> String {
    format!("{ROOT}/disputes/{id}")
}

/// A text within its bounds, or what is wrong with it.
fn check_text(text: &str, field: &'static str, words: Words) -> Result<String, FieldError> {
    let text = text.replace("\r\n", "\n");
    let (text, length) = (text.trim(), text.trim().chars().count());
    if (TEXT_CHARS_MIN..=TEXT_CHARS_MAX).contains(&length) {
        return Ok(text.to_owned());
    }
    let args = [("minimum", TEXT_CHARS_MIN.into()), ("maximum", TEXT_CHARS_MAX.into()), ("length", length.into())];
    Err(FieldError { field, text: words.with("dispute-error-text", &args) })
}

/// `POST /console/disputes`: the office takes a dispute in.
pub async fn take_in(
    request: HttpRequest,
    Filled(sent): Filled<Intake>,
    office: web::Data<Office>,
    decider: web::Data<Decider>,
) -> Answer {
    let reader = enter(&request, &office).await?;
    let signed_in = &reader.0.0;
    signed_in.check_token(&sent.csrf)?;
    let words = signed_in.words;
    let mut errors = Vec::new();
    let record = find_decision(&office, sent.about.trim()).await.map_err(|error| Failure::store(&error, words))?;
    if record.is_none() {
        errors.push(FieldError { field: "about", text: words.t("dispute-error-about") });
    }
    let fact = fact_chosen(&sent.fact);
    if fact.is_none() {
        errors.push(FieldError { field: "fact", text: words.t("dispute-error-fact") });
    }
    let statement = check_text(&sent.statement, "statement", words).map_err(|error| errors.push(error));
    let (Some(record), Some(fact), Ok(statement)) = (record, fact, statement) else {
        return render_list(StatusCode::UNPROCESSABLE_ENTITY, &reader, &office, false, sent, errors).await;
    };
    let user = signed_in.session.user.name.clone();
    // First the ledger: what the dispute would change is read from the firm's records.
    let look = Look::reading(LookId(Uuid::now_v7()), &record, user.clone(), "dispute_intake", Timestamp::now());
    office.store.enter_look(look).await.map_err(|error| Failure::store(&error, words))?;
    let dispute = decider.draft_dispute(&record, fact, statement, Some(user), Timestamp::now());
    let refused = match decider.open_dispute(&dispute, None).await {
        Ok(_) => return Ok(see_other(&address(dispute.id))),
        Err(StoreError::DisputeOpen(_)) => words.t("dispute-error-open"),
        Err(StoreError::TooManyDisputes(most)) => words.with("dispute-error-limit", &[("most", most.into())]),
        Err(error) => return Err(Failure::store(&error, words)),
    };
    let errors = vec![FieldError { field: "fact", text: refused }];
    render_list(StatusCode::CONFLICT, &reader, &office, false, sent, errors).await
}

/// The decision with this id, or the one that the case with this id is about.
async fn find_decision(office: &Office, id: &str) -> Result<Option<DecisionRecord>, StoreError> {
    if let Ok(id) = id.parse::<CaseId>()
        && let Some((_, record)) = office.store.case(id).await?
    {
        return Ok(Some(record));
    }
    match id.parse::<DecisionId>() {
        Ok(id) => office.store.decision_for_office(id).await,
        Err(_) => Ok(None),
    }
}

/// `GET /console/disputes/{id}`
pub async fn show(request: HttpRequest, path: web::Path<String>, office: web::Data<Office>) -> Answer {
    let reader = enter(&request, &office).await?;
    let dispute = find(&office, &reader, &path).await?;
    render(StatusCode::OK, &reader, &dispute, &Answered::default(), None, Vec::new())
}

async fn find(office: &Office, reader: &Reviewer, id: &str) -> Result<Dispute, Failure> {
    let signed_in = &reader.0.0;
    let not_found = || signed_in.failure(Kind::NotFound);
    let id: DisputeId = id.parse().map_err(|_| not_found())?;
    let found = office.store.dispute(id).await.map_err(|error| Failure::store(&error, signed_in.words))?;
    found.ok_or_else(not_found)
}

fn render(
    status: StatusCode,
    reader: &Reviewer,
    dispute: &Dispute,
    draft: &Answered,
    warning: Option<String>,
    errors: Vec<FieldError>,
) -> Answer {
    let signed_in = &reader.0.0;
    let words = signed_in.words;
    let verdict = |verdict: DisputeVerdict| Choice {
        value: verdict.as_str().to_owned(),
        label: words.t(&format!("dispute-verdict-{verdict}")),
        selected: draft.verdict == verdict.as_str(),
    };
    let template = DisputePage {
        w: words,
        frame: Frame::signed_in(&signed_in.session, words, address(dispute.id)),
        list: format!("{ROOT}/disputes"),
        address: address(dispute.id),
        code: dispute.uscc.to_string(),
        fact: fact_text(&dispute.fact, words),
        pointer: dispute.fact.pointer.clone(),
        statement: dispute.statement.clone(),
        taken_by: dispute.taken_by.clone().unwrap_or_else(|| words.t("dispute-by-bank")),
        opened: figures::day(dispute.opened_at),
        due: figures::day(dispute.due_at),
        clock: dispute_clock(dispute, Timestamp::now(), words),
        with: standing_text(&dispute.with, words),
        without: dispute.without.as_ref().map(|standing| standing_text(standing, words)),
        resolution: dispute.resolution.as_ref().map(|resolution| {
            let verdict = words.t(&format!("dispute-verdict-{}", resolution.verdict));
            (
                verdict,
                format!("{} · {}", resolution.user_name, figures::instant(resolution.at)),
                resolution.answer.clone(),
            )
        }),
        warning,
        errors,
        verdicts: DisputeVerdict::ALL.into_iter().map(verdict).collect(),
        answer: draft.answer.clone(),
        hint: text_hint(words),
    };
    page(status, &template, words)
}

/// Score, interval, grade and outcome in one line.
pub(super) fn standing_text(standing: &Standing, words: Words) -> String {
    let score = match standing.score_interval {
        Some(interval) => format!("{} ({}–{})", standing.score, interval.low, interval.high),
        None => standing.score.to_string(),
    };
    let args = [
        ("score", score.into()),
        ("grade", standing.grade.as_str().into()),
        ("outcome", words.t(&format!("outcome-{}", standing.outcome)).into()),
    ];
    words.with("dispute-standing", &args)
}

/// `POST /console/disputes/{id}`: the written answer.
pub async fn resolve(
    request: HttpRequest,
    path: web::Path<String>,
    Filled(sent): Filled<Answered>,
    office: web::Data<Office>,
) -> Answer {
    let reader = enter(&request, &office).await?;
    let signed_in = &reader.0.0;
    signed_in.check_token(&sent.csrf)?;
    let (words, user) = (signed_in.words, &signed_in.session.user);
    let dispute = find(&office, &reader, &path).await?;
    let mut errors = Vec::new();
    let verdict: Option<DisputeVerdict> = sent.verdict.parse().ok();
    if verdict.is_none() {
        errors.push(FieldError { field: "verdict", text: words.t("review-error-verdict") });
    }
    let answer = check_text(&sent.answer, "answer", words).map_err(|error| errors.push(error));
    let (Some(verdict), Ok(answer)) = (verdict, answer) else {
        return render(StatusCode::UNPROCESSABLE_ENTITY, &reader, &dispute, &sent, None, errors);
    };
    let resolution = Resolution { verdict, answer, user: user.id, user_name: user.name.clone(), at: Timestamp::now() };
    match office.store.resolve_dispute(dispute.id, &resolution).await {
        Ok(dispute) => Ok(see_other(&address(dispute.id))),
        Err(StoreError::DisputeResolved) => {
            let dispute = find(&office, &reader, &path).await?;
            let warning = Some(words.t("dispute-error-resolved"));
            render(StatusCode::CONFLICT, &reader, &dispute, &sent, warning, Vec::new())
        }
        Err(error) => Err(Failure::store(&error, words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Language;

    #[test]
    fn every_part_that_can_be_disputed_has_a_name_in_both_languages() {
        for source in SourceKind::ALL {
            for part in Dossier::parts_of(source) {
                for language in [Language::ZhCn, Language::En] {
                    assert_ne!(place_text(part, Words(language)), *part, "{part}");
                }
            }
        }
        assert_eq!(place_text("enforcements/0", Words(Language::En)), "Court enforcement, no. 1");
        assert_eq!(place_text("record", Words(Language::ZhCn)), "全部数据");
    }
}
