//! The rules, applied to one firm.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Policy, WhenMissing, contradictions};
use crate::domain::decision::{DecisionRequest, Reason, ReferReason};
use crate::domain::evidence::{Dossier, TaxpayerStatus};
use crate::domain::uscc::UsccVerdict;
use crate::domain::{EvidenceStatus, Fen, Outcome, SourceKind};
use crate::features::View;

/// What the policy looks at.
pub struct Finding<'a> {
    /// What the bank asked.
    pub request: &'a DecisionRequest,
    /// What the departments said.
    pub dossier: &'a Dossier,
    /// The scoring date.
    pub on: Date,
    /// The model's grade.
    pub grade: &'a str,
    /// Sources that gave no record, or not the parts that the model needs.
    pub incomplete: &'a [SourceKind],
    /// Where evidence is missing: the lowest and highest possible score, each with its grade.
    pub interval: Option<[(i64, &'a str); 2]>,
    /// The principal reasons of the score, most points lost first.
    pub reasons: &'a [Reason],
}

impl Finding<'_> {
    /// The grade that the firm has at least: where evidence is missing, that of the lowest possible score.
    fn lowest_grade(&self) -> &str {
        self.interval.map_or(self.grade, |[(_, lowest), _]| lowest)
    }
}

/// What the policy says.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling {
    /// The outcome.
    pub outcome: Outcome,
    /// The limit; `None` unless approved.
    pub limit: Option<Fen>,
    /// The limit that an approval would have.
    pub indicated_limit: Fen,
    /// Facts that decline whatever the score, as reasons.
    pub knock_outs: Vec<Reason>,
    /// Why a person must look. Not empty exactly when the outcome is `refer` or the firm is flagged beside a knock-out.
    pub refer_reasons: Vec<ReferReason>,
}

impl Policy {
    /// Rules on one firm.
    pub fn rule(&self, finding: &Finding<'_>) -> Ruling {
        let view = View::new(finding.dossier, finding.on);
        let knock_outs = self.knock_outs(&view);
        let mut refer = self.flags(finding, &view);
        let in_doubt = refer.iter().any(|r| r.code == "CODE_SUSPECT" || contradictions::touches_knock_outs(r));
        let indicated_limit = self.limit(finding, &view);
        if knock_outs.is_empty() {
            refer.extend(self.missing_evidence(finding));
        }
        let mut outcome = if !knock_outs.is_empty() && !in_doubt {
            Outcome::Decline
        } else if !refer.is_empty() {
            Outcome::Refer
        } else {
            self.by_grade(finding, &view, indicated_limit, &mut refer)
        };
        if outcome == Outcome::Decline {
            let recheck = self.terms.recheck.before_decline(finding, &knock_outs);
            outcome = if recheck.is_empty() { Outcome::Decline } else { Outcome::Refer };
            refer.extend(recheck);
        }
        let limit = (outcome == Outcome::Approve).then_some(indicated_limit);
        Ruling { outcome, limit, indicated_limit, knock_outs, refer_reasons: refer }
    }

    /// The grade's outcome; an approval that something stands against becomes a referral.
    fn by_grade(&self, finding: &Finding<'_>, view: &View<'_>, limit: Fen, refer: &mut Vec<ReferReason>) -> Outcome {
        match self.cut_off(finding.lowest_grade()) {
            Outcome::Decline => Outcome::Decline,
            Outcome::Refer => {
                refer.push(reason("GRADE_NEEDS_REVIEW", None, [("grade", finding.grade.to_owned())]));
                Outcome::Refer
            }
            Outcome::Approve => {
                refer.extend(self.unchecked_knock_outs(view));
                refer.extend(self.limit_flags(view, limit));
                if refer.is_empty() { Outcome::Approve } else { Outcome::Refer }
            }
        }
    }

    fn knock_outs(&self, view: &View<'_>) -> Vec<Reason> {
        let on = &self.terms.knock_outs;
        let status = view.tax.as_ref().and_then(|part| part.record.status);
        let open = view.payments.as_ref().is_some_and(|part| {
            let part = part.of("enforcements");
            let all = part.record.enforcements.as_deref().unwrap_or_default();
            all.iter().any(|e| {
                let open = e.opened_on <= part.until && e.closed_on.is_none_or(|day| day > part.until);
                open && e.life().counts_on(view.on)
            })
        });
        let mut found = Vec::new();
        let mut add = |hit: bool, code: &str, source| {
            if hit {
                found.push(Reason { code: code.to_owned(), source: Some(source), points_lost: 0.0, value: None });
            }
        };
        add(on.open_enforcement && open, "ENFORCEMENT_OPEN", SourceKind::PaymentHistory);
        add(on.abnormal_taxpayer && status == Some(TaxpayerStatus::Abnormal), "TAXPAYER_ABNORMAL", SourceKind::Tax);
        let deregistered = status == Some(TaxpayerStatus::Deregistered);
        add(on.deregistered_taxpayer && deregistered, "TAXPAYER_DEREGISTERED", SourceKind::Tax);
        found
    }

    /// Knock-outs that nobody could check, by source: "nothing known" is not "nothing there".
    fn unchecked_knock_outs(&self, view: &View<'_>) -> Vec<ReferReason> {
        let on = &self.terms.knock_outs;
        let status_known = view.tax.as_ref().is_some_and(|part| part.record.status.is_some());
        let courts_known = view.payments.as_ref().is_some_and(|part| part.record.enforcements.is_some());
        let mut unchecked = Vec::new();
        if (on.abnormal_taxpayer || on.deregistered_taxpayer) && !status_known {
            unchecked.push(reason("KNOCK_OUT_UNCHECKED", Some(SourceKind::Tax), []));
        }
        if on.open_enforcement && !courts_known {
            unchecked.push(reason("KNOCK_OUT_UNCHECKED", Some(SourceKind::PaymentHistory), []));
        }
        unchecked
    }

    fn flags(&self, finding: &Finding<'_>, view: &View<'_>) -> Vec<ReferReason> {
        let flags = &self.terms.flags;
        let mut raised = Vec::new();
        if flags.suspect_code && finding.request.uscc.verdict() == UsccVerdict::Suspect {
            raised.push(reason("CODE_SUSPECT", None, []));
        }
        for line in finding.dossier.all_lines() {
            if flags.stale_evidence && line.status == EvidenceStatus::Stale {
                let as_of = line.as_of.map(|day| day.to_string()).unwrap_or_default();
                raised.push(reason("EVIDENCE_STALE", Some(line.source), [("as_of", as_of)]));
            }
            if flags.facts_contradict {
                raised.extend(contradictions::between_departments(&line, view));
            }
        }
        raised.extend(self.terms.contradictions.iter().filter_map(|rule| rule.found(view)));
        raised
    }

    /// Missing sources that the policy refers always, and all that is incomplete where the interval crosses a cut-off.
    fn missing_evidence(&self, finding: &Finding<'_>) -> Vec<ReferReason> {
        let crossing = finding.interval.filter(|[(_, low), (_, high)]| self.cut_off(low) != self.cut_off(high));
        let mut reasons = Vec::new();
        for line in finding.dossier.lines() {
            let source = Some(line.source);
            if !finding.dossier.has(line.source) {
                if crossing.is_some() || self.when_missing(line.source) == WhenMissing::Refer {
                    let status = if line.is_set_aside() { "left_out" } else { line.status.as_str() };
                    reasons.push(reason("EVIDENCE_MISSING", source, [("status", status.to_owned())]));
                }
            } else if crossing.is_some() && finding.incomplete.contains(&line.source) {
                reasons.push(reason(
                    "EVIDENCE_INCOMPLETE",
                    source,
                    [("parts", line.missing_parts().collect::<Vec<_>>().join(", "))],
                ));
            }
        }
        // An optional department that was asked and gave no record; one that the consent leaves out was not asked.
        for line in &finding.dossier.others {
            let silent = !line.status.has_record() && line.status != EvidenceStatus::NotCovered;
            if silent && self.when_missing(line.source) == WhenMissing::Refer {
                let status = line.status.as_str().to_owned();
                reasons.push(reason("EVIDENCE_MISSING", Some(line.source), [("status", status)]));
            }
        }
        if let Some([(low, _), (high, _)]) = crossing {
            let figures = [("low", low.to_string()), ("high", high.to_string())];
            reasons.push(reason("SCORE_INTERVAL_CROSSES_CUTOFF", None, figures));
        }
        reasons
    }

    /// The least of the request, the share of 12-month revenue and the grade's cap. Revenue is what the firm declared; where the
    /// department shares no returns, what it invoiced; where neither is known, nothing can be granted.
    fn limit(&self, finding: &Finding<'_>, view: &View<'_>) -> Fen {
        let terms = &self.terms.limit;
        let revenue = view.declared_or_invoiced_revenue_12m().unwrap_or(Fen::ZERO).max(Fen::ZERO);
        let cap = terms.grade_caps_fen.get(finding.lowest_grade()).copied().unwrap_or(Fen::ZERO);
        finding.request.amount.min(revenue.share(terms.revenue_share)).min(cap)
    }

    fn limit_flags(&self, view: &View<'_>, limit: Fen) -> Option<ReferReason> {
        let terms = &self.terms.limit;
        if view.declared_or_invoiced_revenue_12m().is_none() {
            return Some(reason("REVENUE_UNKNOWN", Some(SourceKind::Tax), []));
        }
        if limit < terms.minimum_fen {
            let figures = [("limit", limit.to_string()), ("minimum", terms.minimum_fen.to_string())];
            return Some(reason("LIMIT_UNDER_MINIMUM", None, figures));
        }
        if limit > terms.automatic_maximum_fen {
            let figures = [("limit", limit.to_string()), ("maximum", terms.automatic_maximum_fen.to_string())];
            return Some(reason("OVER_AUTOMATIC_LIMIT", None, figures));
        }
        None
    }
}

pub(super) fn reason<const N: usize>(
    code: &str,
    source: Option<SourceKind>,
    figures: [(&str, String); N],
) -> ReferReason {
    let figures: BTreeMap<String, String> = figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    ReferReason { code: code.to_owned(), source, figures }
}
