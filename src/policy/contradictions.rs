//! Contradictions between what departments say of one firm: rules of the policy, each over two figures that should agree.
//!
//! A contradiction never costs points: it sends the firm to a person, with both figures and where they come from. A figure
//! that is not known contradicts nothing; that it is missing is told elsewhere.

use serde::Deserialize;

use super::PolicyError;
use super::rules::reason;
use crate::domain::SourceKind;
use crate::domain::decision::ReferReason;
use crate::domain::evidence::{Contradicted, EvidenceLine};
use crate::features::{self, View};

/// A figure that a rule may compare; its name in the policy stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Figure {
    /// Persons employed, as declared with the tax return.
    #[serde(rename = "tax.declared_heads")]
    DeclaredHeads,
    /// Persons insured in the latest month; 0 where the department answers and has no recent contribution.
    #[serde(rename = "social_insurance.insured_heads")]
    InsuredHeads,
    /// Revenue declared with VAT returns of the 12 months up to the last one for which a return was due, in yuan; known only where
    /// returns cover all of them.
    #[serde(rename = "tax.declared_revenue_12m")]
    DeclaredRevenue,
    /// Revenue invoiced in the same 12 months, net of red invoices, in yuan; known only where the data cover all of them.
    #[serde(rename = "tax.invoiced_revenue_12m")]
    InvoicedRevenue,
    /// Invoiced revenue of the last 6 months over the same months a year before; 1 = unchanged.
    #[serde(rename = "tax.invoiced_revenue_index_6m")]
    InvoicedRevenueIndex,
    /// Electricity of the last 6 months over the same months a year before; 1 = unchanged.
    #[serde(rename = "payment_history.kwh_index_6m")]
    KwhIndex,
}

/// What a figure counts. Only figures of one unit can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Persons,
    Yuan,
    Index,
}

impl Figure {
    fn unit(self) -> Unit {
        match self {
            Figure::DeclaredHeads | Figure::InsuredHeads => Unit::Persons,
            Figure::DeclaredRevenue | Figure::InvoicedRevenue => Unit::Yuan,
            Figure::InvoicedRevenueIndex | Figure::KwhIndex => Unit::Index,
        }
    }

    /// Who says it.
    fn source(self) -> SourceKind {
        match self {
            Figure::DeclaredHeads
            | Figure::DeclaredRevenue
            | Figure::InvoicedRevenue
            | Figure::InvoicedRevenueIndex => SourceKind::Tax,
            Figure::InsuredHeads => SourceKind::SocialInsurance,
            Figure::KwhIndex => SourceKind::PaymentHistory,
        }
    }

    /// The name in the figures of a refer reason, and of its text.
    fn name(self) -> &'static str {
        match self {
            Figure::DeclaredHeads => "declared_heads",
            Figure::InsuredHeads => "insured_heads",
            Figure::DeclaredRevenue => "declared_revenue_12m",
            Figure::InvoicedRevenue => "invoiced_revenue_12m",
            Figure::InvoicedRevenueIndex => "invoiced_revenue_index_6m",
            Figure::KwhIndex => "kwh_index_6m",
        }
    }

    /// The feature that says the same, which a dispute may have set aside.
    fn feature(self) -> Option<&'static str> {
        match self {
            Figure::DeclaredHeads => None,
            Figure::InsuredHeads => Some("si_heads"),
            Figure::DeclaredRevenue | Figure::InvoicedRevenue => Some("tax_revenue"),
            Figure::InvoicedRevenueIndex => Some("tax_revenue_recent"),
            Figure::KwhIndex => Some("pay_kwh_change"),
        }
    }

    /// Its value for one firm; `None` where it is not known, or set aside.
    fn of(self, view: &View<'_>) -> Option<f64> {
        if self.feature().is_some_and(|feature| view.sets_aside(self.source(), feature)) {
            return None;
        }
        match self {
            Figure::DeclaredHeads => view.tax.as_ref()?.record.declared_heads.map(f64::from),
            // A department that answers and has no recent contribution says that nobody is insured.
            Figure::InsuredHeads => {
                view.insurance.as_ref().map(|_| f64::from(features::insured_heads(view).unwrap_or(0)))
            }
            Figure::DeclaredRevenue => view.declared_revenue_whole_12m().map(|fen| fen.yuan()),
            Figure::InvoicedRevenue => view.invoiced_revenue_beside_declared_12m().map(|fen| fen.yuan()),
            Figure::InvoicedRevenueIndex => view.invoices()?.change_on_year(6).map(|change| change + 1.0),
            Figure::KwhIndex => features::kwh_change(view).map(|change| change + 1.0),
        }
    }

    /// The value as a refer reason carries it: whole persons, yuan with two decimals, an index with two.
    fn written(self, value: f64) -> String {
        match self.unit() {
            Unit::Persons => format!("{value:.0}"),
            Unit::Yuan | Unit::Index => format!("{value:.2}"),
        }
    }
}

/// What an optional department says otherwise than the main one, as refer reasons: whose words are true is for a person to find.
pub(super) fn between_departments(line: &EvidenceLine, view: &View<'_>) -> impl Iterator<Item = ReferReason> {
    line.contradicts.iter().filter(|told| matters(told, view)).map(|told| {
        let figures = [
            ("first", told.main_says.clone()),
            ("first_figure", told.part.clone()),
            ("first_source", told.main.to_string()),
            ("second", told.says.clone()),
            ("second_figure", told.part.clone()),
            ("second_source", line.source.to_string()),
        ];
        reason("FACTS_CONTRADICT", None, figures)
    })
}

/// Whether anything is still made of the part: not where all its features are set aside and no knock-out rests on it.
fn matters(told: &Contradicted, view: &View<'_>) -> bool {
    let mut features =
        features::catalogue().filter(|feature| feature.source == told.main && feature.part == told.part).peekable();
    is_of_knock_outs(&told.part)
        || features.peek().is_none()
        || !features.all(|feature| view.sets_aside(feature.source, feature.name))
}

fn is_of_knock_outs(part: &str) -> bool {
    matches!(part, "status" | "enforcements")
}

/// Whether a fact that a knock-out rests on is contradicted.
pub(super) fn touches_knock_outs(told: &ReferReason) -> bool {
    let part = told.figures.get("first_figure");
    told.code == "FACTS_CONTRADICT" && part.is_some_and(|part| is_of_knock_outs(part))
}

/// `[[contradictions]]`; each key is documented in `config/policy.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contradiction {
    pub(super) id: String,
    pub(super) first: Figure,
    pub(super) second: Figure,
    ratio: f64,
    difference: f64,
    #[serde(default = "yes")]
    enabled: bool,
}

pub(super) fn yes() -> bool {
    true
}

impl Contradiction {
    /// The rule that `flags.heads_ratio` and `flags.heads_difference` stood for before there were rules.
    pub(super) fn of_heads(ratio: f64, difference: u32) -> Contradiction {
        Contradiction {
            id: "heads".to_owned(),
            first: Figure::DeclaredHeads,
            second: Figure::InsuredHeads,
            ratio,
            difference: f64::from(difference),
            enabled: true,
        }
    }

    /// Checks the rule by itself.
    pub(super) fn check(&self) -> Result<(), PolicyError> {
        let refuse = |key, must| Err(PolicyError::Value { key, must });
        if self.id.is_empty() || !self.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return refuse("contradictions.id", "consist of lower-case letters, digits and _");
        }
        if self.first == self.second || self.first.unit() != self.second.unit() {
            return refuse("contradictions.second", "be another figure than first, and count the same");
        }
        if !(self.ratio >= 1.0 && self.ratio.is_finite()) {
            return refuse("contradictions.ratio", "be at least 1");
        }
        if !(self.difference >= 0.0 && self.difference.is_finite()) {
            return refuse("contradictions.difference", "be 0 or more");
        }
        Ok(())
    }

    /// Whether both rules compare the same two figures.
    pub(super) fn compares_the_same(&self, other: &Contradiction) -> bool {
        let pair = |rule: &Contradiction| (rule.first.min(rule.second), rule.first.max(rule.second));
        pair(self) == pair(other)
    }

    /// The refer reason, where both figures are known and contradict each other.
    pub(super) fn found(&self, view: &View<'_>) -> Option<ReferReason> {
        if !self.enabled {
            return None;
        }
        let (first, second) = (self.first.of(view)?, self.second.of(view)?);
        let (more, fewer) = (first.max(second), first.min(second));
        // Where the smaller one is negative (more red invoices than others), no ratio says anything: the difference decides.
        let apart = more - fewer >= self.difference && more > self.ratio * fewer.max(0.0);
        apart.then(|| self.reason(first, second))
    }

    fn reason(&self, first: f64, second: f64) -> ReferReason {
        let mut told = match self.first.unit() {
            Unit::Persons => reason("HEADS_CONTRADICT", None, []),
            Unit::Yuan => reason("REVENUE_CONTRADICT", None, []),
            Unit::Index => reason("TREND_CONTRADICT", None, []),
        };
        let mut tell = |name: &str, text: String| told.figures.insert(name.to_owned(), text);
        tell("rule", self.id.clone());
        for (place, figure, value) in [("first", self.first, first), ("second", self.second, second)] {
            tell(place, figure.written(value));
            tell(&format!("{place}_figure"), figure.name().to_owned());
            tell(&format!("{place}_source"), figure.source().to_string());
            match figure {
                Figure::DeclaredHeads => tell("tax_heads", figure.written(value)),
                Figure::InsuredHeads => tell("insured_heads", figure.written(value)),
                _ => None,
            };
        }
        told
    }
}
