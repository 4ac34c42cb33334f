//! Showing a case and reviewing it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::case_page::{Banner, CaseFile, FieldError, render};
use super::failure::{Failure, Kind};
use super::form::Filled;
use super::frame::see_other;
use super::limit::Unit;
use super::session::{CaseReader, SignedIn};
use super::{Office, ROOT, login};
use crate::domain::case::{REASON_CHARS_MAX, REASON_CHARS_MIN};
use crate::domain::{CaseId, CaseState, DecisionRecord, Fen, Look, LookId, Review, Verdict};
use crate::http::words::{Value, Words, figures};
use crate::store::StoreError;

/// What somebody typed into the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The verdict chosen.
    pub verdict: Option<Verdict>,
    /// The limit, as typed.
    pub limit: String,
    /// Its unit.
    pub unit: Unit,
    /// The reason, as typed.
    pub reason: String,
}

impl Draft {
    /// A form in which nothing was typed yet, with the limit that the policy indicates, rounded down as people write it: to
    /// 0.01 万元, and below 1 万元 to whole yuan.
    pub fn blank(indicated: Fen, unit: Unit) -> Draft {
        let round = if indicated.0 >= 1_000_000 { 10_000 } else { 100 };
        let indicated = Fen(indicated.0 / round * round);
        let limit = if indicated > Fen::ZERO { unit.write(indicated) } else { String::new() };
        Draft { verdict: None, limit, unit, reason: String::new() }
    }
}

/// The form of a review.
#[derive(Deserialize)]
pub struct SentReview {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    seen: String,
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    limit: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    reason: String,
}

impl SentReview {
    fn draft(&self) -> Draft {
        Draft {
            verdict: self.verdict.parse().ok(),
            limit: self.limit.trim().to_owned(),
            unit: if self.unit == Unit::Yuan.as_str() { Unit::Yuan } else { Unit::WanYuan },
            reason: self.reason.replace("\r\n", "\n"),
        }
    }
}

/// A review that may be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Checked {
    verdict: Verdict,
    reason: String,
    limit: Option<Fen>,
}

/// Checks a draft against the amount asked for; everything that is wrong is told at once.
fn check(draft: &Draft, amount: Fen, words: Words) -> Result<Checked, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut refuse = |field, text| errors.push(FieldError { field, text });
    if draft.verdict.is_none() {
        refuse("verdict", words.t("review-error-verdict"));
    }
    let limit = match (draft.verdict, check_limit(draft, amount, words)) {
        (Some(Verdict::Approve), Ok(limit)) => Some(limit),
        (Some(Verdict::Approve), Err(text)) => {
            refuse("limit", text);
            None
        }
        _ => None,
    };
    let reason = draft.reason.trim();
    let length = reason.chars().count();
    if length < REASON_CHARS_MIN {
        let args = [("minimum", REASON_CHARS_MIN.into()), ("length", length.into())];
        refuse("reason", words.with("review-error-reason-short", &args));
    } else if length > REASON_CHARS_MAX {
        let args = [("maximum", REASON_CHARS_MAX.into()), ("length", length.into())];
        refuse("reason", words.with("review-error-reason-long", &args));
    }
    match draft.verdict {
        Some(verdict) if errors.is_empty() => Ok(Checked { verdict, reason: reason.to_owned(), limit }),
        _ => Err(errors),
    }
}

fn check_limit(draft: &Draft, amount: Fen, words: Words) -> Result<Fen, String> {
    if draft.limit.is_empty() {
        return Err(words.t("review-error-limit-missing"));
    }
    match draft.unit.read(&draft.limit) {
        None => {
            let example = draft.unit.write(amount);
            Err(words.with("review-error-limit-unreadable", &[("example", example.into())]))
        }
        Some(Fen::ZERO) => Err(words.t("review-error-limit-zero")),
        Some(limit) if limit > amount => {
            let amount = figures::money(amount, words.0);
            Err(words.with("review-error-limit-over", &[("amount", amount.into())]))
        }
        Some(limit) => Ok(limit),
    }
}

/// What the address of a case says beside its id.
#[derive(Deserialize, Default)]
pub struct CaseQuery {
    saved: Option<String>,
}

type Answer = Result<HttpResponse, Failure>;

/// `GET /console/cases/{id}`
pub async fn show(
    request: HttpRequest,
    path: web::Path<String>,
    query: Option<web::Query<CaseQuery>>,
    office: web::Data<Office>,
) -> Answer {
    let id: Option<CaseId> = path.parse().ok();
    let reader = CaseReader::enter(&request, &office, id).await?;
    let found = find(&office, &reader, id).await?;
    note_reading(&office, &reader, &found.record).await?;
    let banner = Banner { saved: query.is_some_and(|q| q.saved.is_some()), ..Banner::default() };
    render(StatusCode::OK, &reader, &found, None, banner)
}

async fn find(office: &Office, reader: &CaseReader, id: Option<CaseId>) -> Result<CaseFile, Failure> {
    let not_found = || reader.0.failure(Kind::NotFound);
    let id = id.ok_or_else(not_found)?;
    let failed = |error: StoreError| Failure::store(&error, reader.0.words);
    let (case, record) = office.store.case(id).await.map_err(failed)?.ok_or_else(not_found)?;
    let disputes = office.store.disputes_about(&case.uscc).await.map_err(failed)?;
    let rescores = office.store.rescores_about(&case.uscc).await.map_err(failed)?;
    Ok(CaseFile { case, record, disputes, rescores })
}

/// Enters the reading of a firm's evidence into its ledger, before it is shown. Whoever may not know the firm looks at no firm.
async fn note_reading(office: &Office, reader: &CaseReader, record: &DecisionRecord) -> Result<(), Failure> {
    if !reader.sees_firm() {
        return Ok(());
    }
    let who = reader.0.session.user.name.clone();
    let look = Look::reading(LookId(Uuid::now_v7()), record, who, "case_review", Timestamp::now());
    office.store.enter_look(look).await.map_err(|error| Failure::store(&error, reader.0.words))
}

/// The case with a reason that was typed before the session ended.
pub async fn show_draft(office: &Office, who: SignedIn, case: CaseId, reason: String) -> Answer {
    let reader = CaseReader::new(who)?;
    let found = find(office, &reader, Some(case)).await?;
    note_reading(office, &reader, &found.record).await?;
    let words = reader.0.words;
    let unit = Unit::of(words.0);
    let indicated = found.record.decision.indicated_limit.min(found.case.amount);
    let draft = Draft { reason, ..Draft::blank(indicated, unit) };
    let banner = Banner { warning: Some(words.t("review-draft-restored")), ..Banner::default() };
    render(StatusCode::OK, &reader, &found, Some(draft), banner)
}

/// `GET /console/cases/{id}/review`: the address of a refused form, opened again.
pub async fn show_again(path: web::Path<String>) -> HttpResponse {
    let id: Option<CaseId> = path.parse().ok();
    see_other(&id.map_or_else(|| ROOT.to_owned(), |id| format!("{ROOT}/cases/{id}")))
}

/// `POST /console/cases/{id}/review`
pub async fn submit(
    request: HttpRequest,
    path: web::Path<String>,
    Filled(filled): Filled<SentReview>,
    office: web::Data<Office>,
) -> Answer {
    let id: Option<CaseId> = path.parse().ok();
    let draft = filled.draft();
    let reader = match (CaseReader::enter(&request, &office, id).await, id) {
        // Only a form of this site may leave its text on the log-in page; browsers say whether it is one.
        (Err(Failure { kind: Kind::LoggedOut { .. }, .. }), Some(id)) if from_this_site(&request) => {
            return login::show_with_draft(&request, &office, id, &draft.reason);
        }
        (entered, _) => entered?,
    };
    reader.0.check_token(&filled.csrf)?;
    let reviewer = reader.into_reviewer()?;
    let reader = &reviewer.0;
    let found = find(&office, reader, id).await?;
    if found.case.state == CaseState::Closed {
        return closed_meanwhile(reader, &found, draft);
    }
    if filled.seen != found.case.reviews.len().to_string() {
        return changed_meanwhile(reader, &found, draft);
    }
    match check(&draft, found.case.amount, reader.0.words) {
        Ok(checked) => record(&office, reader, found, draft, checked).await,
        Err(errors) => {
            let banner = Banner { errors, ..Banner::default() };
            render(StatusCode::UNPROCESSABLE_ENTITY, reader, &found, Some(draft), banner)
        }
    }
}

fn from_this_site(request: &HttpRequest) -> bool {
    request.headers().get("sec-fetch-site").is_some_and(|site| site == "same-origin")
}

async fn record(office: &Office, reader: &CaseReader, found: CaseFile, draft: Draft, checked: Checked) -> Answer {
    let user = &reader.0.session.user;
    let review = Review {
        user: user.id,
        user_name: user.name.clone(),
        verdict: checked.verdict,
        reason: checked.reason,
        limit: checked.limit,
        at: Timestamp::now(),
    };
    let id = found.case.id;
    match office.store.review_case(id, &review).await {
        Ok(_) => Ok(see_other(&format!("{ROOT}/cases/{id}?saved=1"))),
        Err(StoreError::CaseClosed) => {
            let found = find(office, reader, Some(id)).await?;
            closed_meanwhile(reader, &found, draft)
        }
        Err(error @ StoreError::NoSuchCase) => Err(Failure::store(&error, reader.0.words)),
        Err(error) => {
            tracing::error!(%error, "a review could not be recorded");
            let warning = Some(reader.0.words.t("review-unavailable"));
            let banner = Banner { warning, ..Banner::default() };
            render(StatusCode::SERVICE_UNAVAILABLE, reader, &found, Some(draft), banner)
        }
    }
}

/// Who acted last, when, and how, for the texts that tell of it.
fn last_act(review: &Review, words: Words) -> [(&'static str, Value<'_>); 3] {
    [
        ("user", review.user_name.as_str().into()),
        ("at", figures::instant(review.at).into()),
        ("verdict", words.t(&format!("verdict-{}", review.verdict.as_str())).into()),
    ]
}

/// The case was closed before this review came: it is shown as it is now, with what was typed.
fn closed_meanwhile(reader: &CaseReader, found: &CaseFile, draft: Draft) -> Answer {
    let words = reader.0.words;
    let warning = match found.case.closing() {
        Some(closing) if closing.user == reader.0.session.user.id => {
            let [_, at, verdict] = last_act(closing, words);
            words.with("review-stale-closed-self", &[at, verdict])
        }
        Some(closing) => words.with("review-stale-closed", &last_act(closing, words)),
        None => words.t("review-closed"),
    };
    let banner = Banner { warning: Some(warning), ..Banner::default() };
    render(StatusCode::CONFLICT, reader, found, Some(draft), banner)
}

/// Somebody asked something while this review was being written: the officer sees it before sending again.
fn changed_meanwhile(reader: &CaseReader, found: &CaseFile, draft: Draft) -> Answer {
    let words = reader.0.words;
    let warning = found.case.reviews.last().map(|last| words.with("review-stale-changed", &last_act(last, words)));
    let banner = Banner { warning, ..Banner::default() };
    render(StatusCode::CONFLICT, reader, found, Some(draft), banner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Language;

    fn draft(verdict: Option<Verdict>, limit: &str, reason: &str) -> Draft {
        Draft { verdict, limit: limit.to_owned(), unit: Unit::WanYuan, reason: reason.to_owned() }
    }

    fn refused(draft: &Draft) -> Vec<&'static str> {
        let errors = check(draft, Fen::from_yuan(5_000_000), Words(Language::ZhCn)).unwrap_err();
        errors.into_iter().map(|e| e.field).collect()
    }

    #[test]
    fn a_review_needs_a_verdict_and_a_reason_and_an_approval_a_limit_within_the_amount() {
        assert_eq!(refused(&draft(None, "", "")), ["verdict", "reason"]);
        assert_eq!(refused(&draft(Some(Verdict::Approve), "", "订单充足，同意")), ["limit"]);
        assert_eq!(refused(&draft(Some(Verdict::Approve), "0", "订单充足，同意")), ["limit"]);
        assert_eq!(refused(&draft(Some(Verdict::Approve), "500.000001", "订单充足，同意")), ["limit"]);
        assert_eq!(refused(&draft(Some(Verdict::Decline), "", "  不行 \n ")), ["reason"]);
        assert_eq!(refused(&draft(Some(Verdict::Ask), "", &"字".repeat(REASON_CHARS_MAX + 1))), ["reason"]);
    }

    #[test]
    fn the_form_begins_with_the_indicated_limit_rounded_down() {
        assert_eq!(Draft::blank(Fen(77_822_673), Unit::WanYuan).limit, "77.82");
        assert_eq!(Draft::blank(Fen(77_822_673), Unit::Yuan).limit, "778200");
        assert_eq!(Draft::blank(Fen(823_989), Unit::Yuan).limit, "8239");
        assert_eq!(Draft::blank(Fen::ZERO, Unit::WanYuan).limit, "");
    }

    #[test]
    fn only_an_approval_carries_a_limit() {
        let amount = Fen::from_yuan(5_000_000);
        let approved = check(&draft(Some(Verdict::Approve), "500", " 订单充足 "), amount, Words(Language::En)).unwrap();
        assert_eq!((approved.limit, approved.reason.as_str()), (Some(amount), "订单充足"));
        let declined = check(&draft(Some(Verdict::Decline), "junk", "欠税未清"), amount, Words(Language::En)).unwrap();
        assert_eq!(declined.limit, None);
    }
}
