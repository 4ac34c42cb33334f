//! The life of an adverse fact: it ends, is repaired, and is shown for a limited time.

use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Dossier, SourceKind};

/// Years after the end of the conduct for which an adverse fact may be held against a firm, at most (征信业管理条例 §16).
pub const DISPLAY_YEARS_MAX: i64 = 5;

/// How serious a department holds an adverse fact to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// 一般
    Minor,
    /// 较重
    Serious,
    /// 严重
    Grave,
}

/// What kind of adverse fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdverseKind {
    /// A court enforcement.
    Enforcement,
    /// A finding that wages were not paid.
    WageArrears,
    /// Tax arrears.
    TaxArrears,
    /// Social insurance contributions owed.
    ContributionArrears,
    /// A loan that was past due in a month.
    Delinquency,
}

/// The dates that bound the life of an adverse fact. `None` where the department does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The end of the conduct.
    pub ended_on: Option<Date>,
    /// When it was made good.
    pub repaired_on: Option<Date>,
    /// The last day on which it may be shown.
    pub display_end: Option<Date>,
}

impl Life {
    /// The first day on which the fact counts no more: the day of its repair, the day after its display end, or five years
    /// after the end of the conduct, whichever is first. `None`: no end of its life is known.
    pub fn leaves_on(&self) -> Option<Date> {
        let shown_until = self.display_end.map(|day| day.saturating_add(1.day()));
        let expired = self.ended_on.map(|day| day.saturating_add(DISPLAY_YEARS_MAX.years()));
        [self.repaired_on, shown_until, expired].into_iter().flatten().min()
    }

    /// Whether the fact counts on this day.
    pub fn counts_on(&self, on: Date) -> bool {
        self.leaves_on().is_none_or(|left| on < left)
    }
}

/// An adverse fact of a dossier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdverseFact {
    /// Who says it.
    pub source: SourceKind,
    /// Where it stands in the record, as a JSON pointer.
    pub pointer: String,
    /// What kind of fact.
    pub kind: AdverseKind,
    /// How serious, where the department says.
    pub severity: Option<Severity>,
    /// The first day on which it counts no more, where that is known.
    pub leaves_on: Option<Date>,
}

impl Dossier {
    /// Every adverse fact in the dossier, whether it still counts or not.
    pub fn adverse_facts(&self) -> Vec<AdverseFact> {
        let mut facts = Vec::new();
        let mut add = |source, pointer: String, kind, severity, life: Life| {
            facts.push(AdverseFact { source, pointer, kind, severity, leaves_on: life.leaves_on() });
        };
        if let Some(arrears) = self.tax.record.as_ref().and_then(|tax| tax.arrears.as_ref()).filter(|a| a.amount.0 > 0)
        {
            add(SourceKind::Tax, "/arrears".to_owned(), AdverseKind::TaxArrears, arrears.severity, arrears.life());
        }
        let owed = self.social_insurance.record.as_ref().and_then(|social| social.arrears.as_ref());
        if let Some(arrears) = owed.filter(|arrears| arrears.months > 0) {
            let (source, kind) = (SourceKind::SocialInsurance, AdverseKind::ContributionArrears);
            add(source, "/arrears".to_owned(), kind, arrears.severity, arrears.life());
        }
        if let Some(record) = &self.payment_history.record {
            let source = SourceKind::PaymentHistory;
            for (i, loan) in record.loans.iter().flatten().enumerate().filter(|(_, loan)| loan.days_past_due > 0) {
                add(source, format!("/loans/{i}"), AdverseKind::Delinquency, loan.severity, loan.life());
            }
            for (i, finding) in record.wage_arrears.iter().flatten().enumerate() {
                add(source, format!("/wage_arrears/{i}"), AdverseKind::WageArrears, finding.severity, finding.life());
            }
            for (i, one) in record.enforcements.iter().flatten().enumerate() {
                add(source, format!("/enforcements/{i}"), AdverseKind::Enforcement, one.severity, one.life());
            }
        }
        facts
    }

    /// The latest date that a source is as of: the scoring date where nobody names another.
    pub fn latest_as_of(&self) -> Option<Date> {
        let filled = self.others.iter().filter(|line| !line.filled.is_empty()).map(|line| line.as_of);
        let main = [self.tax.as_of, self.social_insurance.as_of, self.payment_history.as_of];
        main.into_iter().chain(filled).flatten().max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    const OPEN: Life = Life { ended_on: None, repaired_on: None, display_end: None };

    #[test]
    fn a_fact_leaves_on_the_day_of_its_repair_the_day_after_its_display_end_or_five_years_after_its_end() {
        assert_eq!(OPEN.leaves_on(), None);
        let leaves = |life: Life| life.leaves_on().unwrap();
        assert_eq!(leaves(Life { repaired_on: Some(date(2026, 3, 1)), ..OPEN }), date(2026, 3, 1));
        assert_eq!(leaves(Life { display_end: Some(date(2026, 2, 28)), ..OPEN }), date(2026, 3, 1));
        assert_eq!(leaves(Life { ended_on: Some(date(2024, 2, 29)), ..OPEN }), date(2029, 2, 28));
        let long = Life { ended_on: Some(date(2020, 5, 1)), display_end: Some(date(2030, 1, 1)), ..OPEN };
        assert_eq!(leaves(long), date(2025, 5, 1), "no department can show it for longer than the law allows");
        assert!(long.counts_on(date(2025, 4, 30)) && !long.counts_on(date(2025, 5, 1)));
    }

    proptest! {
        #[test]
        fn what_has_left_never_comes_back(
            ended in proptest::option::of(0i64..4000), repaired in proptest::option::of(0i64..4000),
            shown in proptest::option::of(0i64..9000), day in 0i64..12_000, later in 0i64..400,
        ) {
            let on = |days: i64| date(2015, 1, 1).saturating_add(days.days());
            let life = Life { ended_on: ended.map(on), repaired_on: repaired.map(on), display_end: shown.map(on) };
            prop_assert!(life.counts_on(on(day)) || !life.counts_on(on(day + later)));
            prop_assert_eq!(life.leaves_on().is_none(), ended.or(repaired).or(shown).is_none());
        }
    }
}
