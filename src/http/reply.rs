//! What a bank gets: a decision written out in its language.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::api::disputes::{FactReply, StandingReply};
use super::words;
use crate::decide::reason_rests_on;
use crate::domain::case::Review;
use crate::domain::decision::{Reason, VersionRef};
use crate::domain::evidence::{AdverseFact, AdverseKind, EvidenceLine};
use crate::domain::{Case, Decision, DisputeMark, DisputeVerdict, Language, Rescore, china_date};
use crate::features::{self, Feature};

/// A decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionReply {
    /// Id of the decision, a UUID v7.
    id: String,
    /// The firm's code, normalised.
    uscc: String,
    /// `valid` or `suspect`.
    uscc_verdict: String,
    /// `large`, `medium`, `small`, `micro` or `undetermined`.
    firm_size: &'static str,
    /// What holds now: the automatic outcome, or the office's once a case is closed. `approve`, `refer` or `decline`.
    outcome: &'static str,
    /// The score in points, rounded; more is better.
    score: i64,
    /// Where evidence is missing: what the score could be with it.
    score_interval: Option<IntervalReply>,
    /// Probability of default within 12 months, 0 to 1.
    probability_of_default: f64,
    /// The model's grade.
    grade: String,
    /// The limit in fen; null unless approved.
    limit_fen: Option<i64>,
    /// At most four principal reasons, most points lost first.
    reasons: Vec<ReasonReply>,
    /// Why a person must look.
    refer_reasons: Vec<ReferReasonReply>,
    /// How the evidence of each department stood.
    evidence: Vec<EvidenceReply>,
    /// The model.
    model: VersionReply,
    /// The policy.
    policy: VersionReply,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    decided_at: Timestamp,
    /// Until when it may be relied on.
    #[schema(value_type = String, format = DateTime)]
    valid_until: Timestamp,
    /// The finance office's case, where there is one.
    case_id: Option<String>,
    /// What the finance office said; null until it has.
    review: Option<ReviewReply>,
    /// Disputes on facts of the firm that are open, those that were upheld and whose facts this decision leaves out, and this bank's
    /// own on this decision.
    disputes: Vec<DisputeMarkReply>,
    /// The decision judged again because an adverse fact left the score; null while none has. The decision itself stays as it is:
    /// ask anew to have one that stands on it.
    rescore: Option<RescoreReply>,
    /// What this answer is and is not.
    notice: String,
}

/// A dispute, as an answer tells of it.
#[derive(Debug, Serialize, ToSchema)]
struct DisputeMarkReply {
    /// The dispute's id; null where another bank sent it.
    id: Option<String>,
    /// What is disputed; null: the decision as a whole.
    fact: Option<FactReply>,
    /// `open`, `upheld`, `rejected` or `corrected`.
    state: &'static str,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    /// The last day for the office's written answer.
    #[schema(value_type = String, format = Date)]
    due_on: Date,
    /// The score with the disputed fact.
    score_with: i64,
    /// How the firm stands without it; null where that is not known or the decision as a whole is disputed.
    without: Option<StandingReply>,
    /// What the dispute means for this decision, where its fact is left out; null otherwise.
    note: Option<String>,
}

/// A decision judged again.
#[derive(Debug, Serialize, ToSchema)]
struct RescoreReply {
    #[schema(value_type = String, format = DateTime)]
    rescored_at: Timestamp,
    /// The facts that count no more.
    left: Vec<LeftReply>,
    /// How the firm stands now.
    standing: StandingReply,
}

/// An adverse fact that counts no more.
#[derive(Debug, Serialize, ToSchema)]
struct LeftReply {
    source: &'static str,
    /// `enforcement`, `wage_arrears`, `tax_arrears`, `contribution_arrears` or `delinquency`.
    #[schema(value_type = String)]
    kind: AdverseKind,
    /// The first day on which it counted no more.
    #[schema(value_type = Option<String>, format = Date)]
    leaves_on: Option<Date>,
}

/// The lowest and highest possible score.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntervalReply {
    pub(super) low: i64,
    pub(super) high: i64,
}

/// A principal reason.
#[derive(Debug, Serialize, ToSchema)]
struct ReasonReply {
    /// Stable code.
    code: String,
    /// The department that the fact comes from.
    source: Option<String>,
    /// Points below the baseline; 0 for a fact that declines whatever the score.
    points_lost: f64,
    /// The reason in words.
    text: String,
    /// What the firm can do about it.
    remedy: Option<String>,
    /// Whether a dispute on the fact behind it is open.
    disputed: bool,
}

/// Why a person must look.
#[derive(Debug, Serialize, ToSchema)]
struct ReferReasonReply {
    /// Stable code.
    code: String,
    /// The department concerned, where there is one.
    source: Option<String>,
    /// The reason in words.
    text: String,
}

/// How the evidence of one department stood.
#[derive(Debug, Serialize, ToSchema)]
struct EvidenceReply {
    /// `tax`, `social_insurance` or `payment_history`.
    source: &'static str,
    /// `fresh`, `cached`, `stale`, `absent`, `unavailable` or `invalid`; `not_covered` where the consent leaves the department out,
    /// and it was not asked.
    status: &'static str,
    /// The date that the data are as of.
    #[schema(value_type = Option<String>, format = Date)]
    as_of: Option<Date>,
    /// When the department answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    fetched_at: Option<Timestamp>,
    /// Parts that the department does not share of this firm: missing, not clean.
    not_shared: Vec<String>,
    /// Parts that the firm's consent does not cover, which were dropped unseen: missing, not clean.
    not_covered: Vec<String>,
    /// What is left out because the office has upheld a dispute and the department still says the same: parts, rows
    /// (`enforcements/0`), features by name, or `record` for all. Missing, not clean.
    left_out: Vec<String>,
    /// Whether a dispute on something that the department says is open.
    disputed: bool,
}

/// Id and SHA-256 of a model or a policy.
#[derive(Debug, Serialize, ToSchema)]
struct VersionReply {
    id: String,
    sha256: String,
}

/// What the finance office said.
#[derive(Debug, Serialize, ToSchema)]
struct ReviewReply {
    /// `open`, `asked` or `closed`.
    state: &'static str,
    /// The automatic outcome before the review.
    automatic_outcome: &'static str,
    /// `approve`, `decline` or `ask`.
    verdict: &'static str,
    /// The officer's reason.
    reason: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    reviewed_at: Timestamp,
}

impl DecisionReply {
    /// The reply for a decision, with the office's case where there is one.
    pub fn new(decision: &Decision, case: Option<&Case>, language: Language) -> DecisionReply {
        let closing = case.and_then(Case::closing);
        let outcome = closing.and_then(|review| review.verdict.outcome()).unwrap_or(decision.outcome);
        let limit = closing.map_or(decision.limit, |review| review.limit);
        let uscc = &decision.request.uscc;
        DecisionReply {
            id: decision.id.to_string(),
            uscc: uscc.to_string(),
            uscc_verdict: match uscc.verdict() {
                crate::domain::UsccVerdict::Valid => "valid".to_owned(),
                crate::domain::UsccVerdict::Suspect => "suspect".to_owned(),
            },
            firm_size: decision.firm_size.as_str(),
            outcome: outcome.as_str(),
            score: decision.score,
            score_interval: decision.score_interval.map(|i| IntervalReply { low: i.low, high: i.high }),
            probability_of_default: decision.probability_of_default,
            grade: decision.grade.clone(),
            limit_fen: limit.map(|fen| fen.0),
            reasons: decision.reasons.iter().map(|reason| reason_reply(reason, decision, language)).collect(),
            refer_reasons: decision
                .refer_reasons
                .iter()
                .map(|reason| ReferReasonReply {
                    code: reason.code.clone(),
                    source: reason.source.map(|source| source.to_string()),
                    text: words::refer_reason(language, reason).explanation,
                })
                .collect(),
            evidence: decision.evidence.iter().map(|line| evidence_reply(line, decision)).collect(),
            model: version_reply(&decision.model),
            policy: version_reply(&decision.policy),
            decided_at: decision.decided_at,
            valid_until: valid_until(decision, closing),
            case_id: decision.case_id.map(|id| id.to_string()),
            review: case.and_then(|case| review_reply(decision, case)),
            disputes: decision.disputes.iter().map(|mark| dispute_reply(mark, decision, language)).collect(),
            rescore: None,
            notice: words::notice(language),
        }
    }

    /// The same with what came of judging it again.
    pub fn rescored(self, rescore: Option<&Rescore>) -> DecisionReply {
        let left =
            |fact: &AdverseFact| LeftReply { source: fact.source.as_str(), kind: fact.kind, leaves_on: fact.leaves_on };
        let rescore = rescore.map(|rescore| RescoreReply {
            rescored_at: rescore.at,
            left: rescore.left.iter().map(left).collect(),
            standing: StandingReply::of(&rescore.after),
        });
        DecisionReply { rescore, ..self }
    }
}

/// Disputes that wait for an answer.
fn open_disputes(decision: &Decision) -> impl Iterator<Item = &DisputeMark> {
    decision.disputes.iter().filter(|mark| mark.verdict.is_none())
}

/// Whether the decision leaves the fact out.
fn is_left_out(mark: &DisputeMark, decision: &Decision) -> bool {
    let place = mark.fact.place();
    let mut of_source = decision.evidence.iter().filter(|line| Some(line.source) == mark.fact.source);
    mark.verdict == Some(DisputeVerdict::Upheld) && of_source.any(|line| line.set_aside.contains(&place))
}

fn dispute_reply(mark: &DisputeMark, decision: &Decision, language: Language) -> DisputeMarkReply {
    DisputeMarkReply {
        id: (mark.bank == decision.bank).then(|| mark.dispute.to_string()),
        fact: FactReply::of(&mark.fact),
        state: mark.verdict.map_or("open", DisputeVerdict::as_str),
        opened_at: mark.opened_at,
        due_on: china_date(mark.due_at),
        score_with: decision.score,
        without: mark.without.as_ref().map(StandingReply::of),
        note: is_left_out(mark, decision).then(|| words::text(language, "dispute-left-out", &[])),
    }
}

fn reason_reply(reason: &Reason, decision: &Decision, language: Language) -> ReasonReply {
    let (text, remedy) = match features::by_code(&reason.code) {
        Some(feature) => {
            let text = match reason.value {
                Some(_) => feature.text.in_language(language).to_owned(),
                None => missing_text(feature, decision, language),
            };
            // What is missing cannot be done better, only be brought.
            (text, reason.value.map(|_| feature.remedy.in_language(language).to_owned()))
        }
        None => (words::knock_out(language, &reason.code).map_or(reason.code.clone(), |(_, text)| text), None),
    };
    ReasonReply {
        code: reason.code.clone(),
        source: reason.source.map(|source| source.to_string()),
        points_lost: reason.points_lost,
        text,
        remedy,
        disputed: open_disputes(decision).any(|mark| reason_rests_on(&reason.code, &mark.fact)),
    }
}

/// Until when the answer may be relied on: an approval or decline of the office is good for as long as an automatic one.
fn valid_until(decision: &Decision, closing: Option<&Review>) -> Timestamp {
    let Some(review) = closing else { return decision.valid_until };
    let validity = decision.valid_until.duration_since(decision.decided_at);
    review.at.saturating_add(validity).unwrap_or(Timestamp::MAX)
}

/// Which characteristic is missing, and why: its source was silent, or it could not be computed from what the source gave.
fn missing_text(feature: &Feature, decision: &Decision, language: Language) -> String {
    let name = feature.label(language);
    let line = decision.evidence.iter().find(|line| line.source == feature.source);
    let left_out = |line: &EvidenceLine| {
        line.is_set_aside()
            || [feature.part, feature.name].iter().any(|of| line.set_aside.iter().any(|place| place == of))
    };
    if line.is_some_and(left_out) {
        return words::text(language, "reason-left-out", &[("name", name.into())]);
    }
    if line.is_some_and(|line| line.not_covered.iter().any(|part| part == feature.part)) {
        return words::text(language, "reason-not-covered", &[("name", name.into())]);
    }
    if line.is_some_and(|line| line.status.has_record()) {
        let why = feature.missing.in_language(language);
        return words::text(language, "reason-missing", &[("name", name.into()), ("why", why.into())]);
    }
    let source = words::source_name(language, feature.source);
    words::text(language, "reason-source-missing", &[("name", name.into()), ("source", source.into())])
}

fn evidence_reply(line: &EvidenceLine, decision: &Decision) -> EvidenceReply {
    EvidenceReply {
        source: line.source.as_str(),
        status: line.status.as_str(),
        as_of: line.as_of,
        fetched_at: line.fetched_at,
        not_shared: line.not_shared.clone(),
        not_covered: line.not_covered.clone(),
        left_out: line.set_aside.clone(),
        disputed: open_disputes(decision).any(|mark| mark.fact.source == Some(line.source)),
    }
}

fn version_reply(version: &VersionRef) -> VersionReply {
    VersionReply { id: version.id.clone(), sha256: version.sha256.clone() }
}

fn review_reply(decision: &Decision, case: &Case) -> Option<ReviewReply> {
    let last: &Review = case.closing().or_else(|| case.reviews.last())?;
    Some(ReviewReply {
        state: case.state.as_str(),
        automatic_outcome: decision.outcome.as_str(),
        verdict: last.verdict.as_str(),
        reason: last.reason.clone(),
        reviewed_at: last.at,
    })
}
