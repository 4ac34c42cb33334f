//! The page of one case.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use jiff::Timestamp;

use super::clock::{Clock, clock};
use super::evidence::{self, SourceView};
use super::failure::Failure;
use super::frame::{Frame, page};
use super::limit::Unit;
use super::queue::{firm_code, firm_name};
use super::review::Draft;
use super::session::CaseReader;
use super::waterfall::{self, Step};
use super::{ROOT, characteristic, disputes};
use crate::domain::case::{REASON_CHARS_MAX, REASON_CHARS_MIN};
use crate::domain::decision::{DecisionRecord, Reason};
use crate::domain::size::StaffBasis;
use crate::domain::{Case, CaseState, Dispute, Rescore, UsccVerdict, Verdict};
use crate::http::words::{self, ReferText, Words, figures};

/// What the page says above everything else.
#[derive(Default)]
pub struct Banner {
    /// Something was recorded.
    pub saved: bool,
    /// Why nothing was recorded, or what to look at first.
    pub warning: Option<String>,
    /// What to correct in the form.
    pub errors: Vec<FieldError>,
}

/// Something to correct, and the field that it is in.
#[derive(Debug)]
pub struct FieldError {
    /// The id of the field.
    pub field: &'static str,
    /// What to correct.
    pub text: String,
}

struct ReasonLine {
    text: String,
    source: Option<String>,
    points: Option<String>,
    missing: bool,
}

struct Act {
    at: String,
    user: String,
    what: String,
    class: &'static str,
    limit: Option<String>,
    reason: String,
}

/// A dispute about the firm.
struct DisputeLine {
    /// Its page; `None` for who may not know the firm.
    address: Option<String>,
    fact: String,
    state: String,
    class: &'static str,
    when: String,
    /// What it means for this decision.
    note: Option<String>,
}

/// A decision on the firm that was judged again.
struct RescoreLine {
    when: String,
    /// Whether it is the decision of this case.
    own: bool,
    before: String,
    after: String,
}

struct VerdictOption {
    value: &'static str,
    label: String,
    checked: bool,
}

struct ReviewForm {
    address: String,
    seen: usize,
    verdicts: Vec<VerdictOption>,
    limit_label: String,
    limit_hint: String,
    limit: String,
    unit: &'static str,
    reason: String,
    reason_hint: String,
}

#[derive(Template)]
#[template(path = "case.html")]
struct CasePage {
    w: Words,
    frame: Frame,
    queue: String,
    banner: Banner,
    firm: String,
    code: String,
    code_suspect: bool,
    state: String,
    state_class: &'static str,
    opened: String,
    due: String,
    clock: Clock,
    outcome: String,
    outcome_class: &'static str,
    score: i64,
    interval: Option<String>,
    pd: String,
    grade: String,
    indicated: Option<String>,
    request: Vec<(String, String)>,
    versions: Vec<(String, String)>,
    refer: Vec<ReferText>,
    knock_outs: Vec<(String, String)>,
    reasons: Vec<ReasonLine>,
    steps: Vec<Step>,
    sources: Vec<SourceView>,
    disputes: Vec<DisputeLine>,
    rescores: Vec<RescoreLine>,
    acts: Vec<Act>,
    closing: Option<String>,
    form: Option<ReviewForm>,
    /// What was typed and is not recorded, where there is no form any more to show it in.
    lost_text: Option<String>,
    observer: bool,
}

/// A case with all that its page shows.
pub struct CaseFile {
    /// The case.
    pub case: Case,
    /// The decision that it is about.
    pub record: DecisionRecord,
    /// Disputes about the firm.
    pub disputes: Vec<Dispute>,
    /// Decisions on the firm that were judged again.
    pub rescores: Vec<Rescore>,
}

fn dispute_line(dispute: &Dispute, record: &DecisionRecord, reader: &CaseReader) -> DisputeLine {
    let words = reader.0.words;
    let (state, class, when) = match &dispute.resolution {
        None => {
            (words.t("disputes-open"), "open", words.with("case-due", &[("date", figures::day(dispute.due_at).into())]))
        }
        Some(resolution) => (
            words.t(&format!("dispute-verdict-{}", resolution.verdict)),
            resolution.verdict.as_str(),
            figures::day(resolution.at),
        ),
    };
    let left_out = record.grounds.dossier.set_aside.iter().any(|aside| aside.dispute == dispute.id);
    DisputeLine {
        address: reader.sees_firm().then(|| format!("{ROOT}/disputes/{}", dispute.id)),
        fact: disputes::fact_text(&dispute.fact, words),
        state,
        class,
        when,
        note: left_out.then(|| words.t("dispute-left-out")),
    }
}

fn rescore_line(rescore: &Rescore, record: &DecisionRecord, words: Words) -> RescoreLine {
    RescoreLine {
        when: figures::instant(rescore.at),
        own: rescore.decision == record.decision.id,
        before: disputes::standing_text(&rescore.before, words),
        after: disputes::standing_text(&rescore.after, words),
    }
}

/// Shows `case` to `reader`, with `draft` in the form, or the indicated limit where nothing was typed yet.
pub fn render(
    status: StatusCode,
    reader: &CaseReader,
    file: &CaseFile,
    draft: Option<Draft>,
    banner: Banner,
) -> Result<HttpResponse, Failure> {
    let words = reader.0.words;
    let CaseFile { case, record, .. } = file;
    let decision = &record.decision;
    let open = case.state != CaseState::Closed;
    let may_review = reader.may_review();
    let lost_text = draft.as_ref().filter(|_| !open).map(|d| d.reason.clone()).filter(|text| !text.is_empty());
    let template = CasePage {
        w: words,
        frame: Frame::signed_in(&reader.0.session, words, format!("{ROOT}/cases/{}", case.id)),
        queue: format!("{ROOT}/cases"),
        banner,
        firm: firm_name(case, reader),
        code: firm_code(case, reader),
        code_suspect: case.uscc.verdict() == UsccVerdict::Suspect,
        state: words.t(&format!("state-{}", case.state)),
        state_class: case.state.as_str(),
        opened: words.with("case-opened", &[("date", figures::day(case.opened_at).into())]),
        due: words.with("case-due", &[("date", figures::day(case.due_at).into())]),
        clock: clock(case, Timestamp::now(), words),
        outcome: words.t(&format!("outcome-{}", decision.outcome)),
        outcome_class: decision.outcome.as_str(),
        score: decision.score,
        interval: decision.score_interval.map(|i| {
            let args = [("low", i.low.to_string().into()), ("high", i.high.to_string().into())];
            words.with("case-score-interval", &args)
        }),
        pd: figures::percent(decision.probability_of_default),
        grade: decision.grade.clone(),
        indicated: may_review.then(|| figures::money_rounded(decision.indicated_limit, words.0)),
        request: request_facts(case, record, reader),
        versions: versions(record, words),
        refer: decision.refer_reasons.iter().map(|r| words::refer_reason(words.0, r)).collect(),
        knock_outs: decision.reasons.iter().filter_map(|r| words::knock_out(words.0, &r.code)).collect(),
        reasons: reason_lines(record, words),
        steps: waterfall::steps(record, words),
        sources: evidence::sources(record, words),
        disputes: file.disputes.iter().map(|dispute| dispute_line(dispute, record, reader)).collect(),
        rescores: file.rescores.iter().map(|rescore| rescore_line(rescore, record, words)).collect(),
        acts: acts(case, reader),
        closing: closing(case, words),
        form: (may_review && open).then(|| form(case, record, draft, words)),
        lost_text,
        observer: !may_review,
    };
    page(status, &template, words)
}

fn request_facts(case: &Case, record: &DecisionRecord, reader: &CaseReader) -> Vec<(String, String)> {
    let words = reader.0.words;
    let request = &record.decision.request;
    let purpose = format!("purpose-{}", request.purpose);
    let purpose = if words::has(&purpose) { words.t(&purpose) } else { request.purpose.clone() };
    let mut facts = vec![
        (words.t("case-amount"), figures::money(case.amount, words.0)),
        (words.t("case-term"), words.with("case-term-months", &[("months", request.term_months.into())])),
        (words.t("case-purpose"), purpose),
        (words.t("case-size"), size(record, words)),
    ];
    // Bank, amount and month together may tell an observer which firm it is.
    if reader.sees_firm() {
        facts.insert(0, (words.t("case-bank"), case.bank_name.clone()));
    }
    facts
}

/// The size class, and whether the number of staff was declared or only insured.
fn size(record: &DecisionRecord, words: Words) -> String {
    let class = words.t(&format!("size-{}", record.decision.firm_size.as_str()));
    match record.grounds.staff_basis {
        Some(StaffBasis::Insured) => words.with("size-by-insured", &[("class", class.into())]),
        Some(StaffBasis::Declared) | None => class,
    }
}

fn versions(record: &DecisionRecord, words: Words) -> Vec<(String, String)> {
    let decision = &record.decision;
    vec![
        (words.t("case-decided"), figures::instant(decision.decided_at)),
        (words.t("case-valid-until"), figures::instant(decision.valid_until)),
        (words.t("case-model"), decision.model.id.clone()),
        (words.t("case-policy"), decision.policy.id.clone()),
    ]
}

/// Reasons that cost points; knock-outs are told apart from them.
fn reason_lines(record: &DecisionRecord, words: Words) -> Vec<ReasonLine> {
    let line = |reason: &Reason| ReasonLine {
        text: characteristic::reason(reason, &record.grounds.dossier, words),
        source: reason.source.map(|source| words::source_name(words.0, source)),
        points: (reason.points_lost > 0.0).then(|| {
            let points = figures::number(reason.points_lost, 1);
            words.with("case-reason-points", &[("points", points.into())])
        }),
        missing: reason.value.is_none(),
    };
    record.decision.reasons.iter().filter(|r| words::knock_out(words.0, &r.code).is_none()).map(line).collect()
}

/// The acts on a case. Who may not know the firm does not read its name or code in them either.
fn acts(case: &Case, reader: &CaseReader) -> Vec<Act> {
    let words = reader.0.words;
    let written = |reason: &str| {
        if reader.sees_firm() {
            return reason.to_owned();
        }
        let masked = reason.replace(case.uscc.as_str(), "▇▇▇");
        match case.firm_name.as_deref().filter(|name| !name.trim().is_empty()) {
            Some(name) => masked.replace(name, "▇▇▇"),
            None => masked,
        }
    };
    case.reviews
        .iter()
        .map(|review| Act {
            at: figures::instant(review.at),
            user: review.user_name.clone(),
            what: words.t(&format!("verdict-{}", review.verdict.as_str())),
            class: review.verdict.as_str(),
            limit: review.limit.map(|limit| {
                let limit = figures::money(limit, words.0);
                words.with("case-limit-granted", &[("limit", limit.into())])
            }),
            reason: written(&review.reason),
        })
        .collect()
}

fn closing(case: &Case, words: Words) -> Option<String> {
    let review = case.closing().filter(|_| case.state == CaseState::Closed)?;
    let args = [
        ("user", review.user_name.as_str().into()),
        ("at", figures::instant(review.at).into()),
        ("verdict", words.t(&format!("verdict-{}", review.verdict.as_str())).into()),
    ];
    Some(words.with("review-closed-by", &args))
}

fn form(case: &Case, record: &DecisionRecord, draft: Option<Draft>, words: Words) -> ReviewForm {
    let indicated = record.decision.indicated_limit.min(case.amount);
    let draft = draft.unwrap_or_else(|| Draft::blank(indicated, Unit::of(words.0)));
    let verdict = |verdict: Verdict| VerdictOption {
        value: verdict.as_str(),
        label: words.t(&format!("verdict-{}", verdict.as_str())),
        checked: draft.verdict == Some(verdict),
    };
    let hint = [
        ("amount", figures::money(case.amount, words.0).into()),
        ("indicated", figures::money_rounded(record.decision.indicated_limit, words.0).into()),
    ];
    let bounds = [("minimum", REASON_CHARS_MIN.into()), ("maximum", REASON_CHARS_MAX.into())];
    ReviewForm {
        address: format!("{ROOT}/cases/{}/review", case.id),
        seen: case.reviews.len(),
        verdicts: [Verdict::Approve, Verdict::Decline, Verdict::Ask].into_iter().map(verdict).collect(),
        limit_label: match draft.unit {
            Unit::WanYuan => words.t("review-limit-wan"),
            Unit::Yuan => words.t("review-limit-yuan"),
        },
        limit_hint: words.with("review-limit-hint", &hint),
        limit: draft.limit,
        unit: draft.unit.as_str(),
        reason: draft.reason,
        reason_hint: words.with("review-reason-hint", &bounds),
    }
}
