//! Features from social insurance contributions.

use super::view::{Part, window};
use super::{Feature, RiskSign, Unit, View, both};
use crate::domain::evidence::{ContributionMonth, SocialInsuranceRecord};
use crate::domain::{Month, SourceKind};

const SOCIAL: SourceKind = SourceKind::SocialInsurance;

pub(super) static FEATURES: &[Feature] = &[
    Feature {
        name: "si_heads",
        source: SOCIAL,
        part: "months",
        unit: Unit::Persons,
        sign: RiskSign::Falls,
        label: both("最近参保人数", "Insured persons in the latest month"),
        text: both("参保人数少", "Few persons are insured"),
        remedy: both("为全部员工参保", "Insure all employees"),
        missing: both("近3个月没有参保记录", "No contributions were reported in the last 3 months"),
        extract: |view| Some(f64::from(latest(view.insurance.as_ref()?)?.heads)),
    },
    Feature {
        name: "si_heads_change",
        source: SOCIAL,
        part: "months",
        unit: Unit::Ratio,
        sign: RiskSign::Falls,
        label: both("参保人数一年变化（现在÷一年前−1）", "Insured persons now over a year ago, minus one"),
        text: both("参保人数比一年前减少", "Fewer persons are insured than a year ago"),
        remedy: both("说明减员原因", "Explain why staff left"),
        missing: both("一年前没有参保记录", "There is no record of a year ago"),
        extract: |view| {
            let part = view.insurance.as_ref()?;
            let now = latest(part)?;
            let before = at(part.record, now.month.minus(12))?;
            (before.heads > 0).then(|| f64::from(now.heads) / f64::from(before.heads) - 1.0)
        },
    },
    Feature {
        name: "si_months_paid",
        source: SOCIAL,
        part: "months",
        unit: Unit::Ratio,
        sign: RiskSign::Falls,
        label: both("近24个月足额缴费月数占比（足额月数÷应缴月数）", "Months paid in full over months due, last 24"),
        text: both("社保费未按月足额缴纳", "Contributions were not paid in full every month"),
        remedy: both("补缴社保费", "Pay the missing contributions"),
        missing: both("近24个月没有应缴记录", "No contributions were due in the last 24 months"),
        extract: |view| {
            let part = view.insurance.as_ref()?;
            let due: Vec<_> = months(part, 24).filter(|m| m.due.0 > 0).collect();
            let paid = due.iter().filter(|m| m.paid >= m.due).count();
            (!due.is_empty()).then(|| paid as f64 / due.len() as f64)
        },
    },
    Feature {
        name: "si_arrears_months",
        source: SOCIAL,
        part: "arrears",
        unit: Unit::Months,
        sign: RiskSign::Rises,
        label: both("社保欠费月数", "Months of contributions in arrears"),
        text: both("存在社保欠费", "Contributions are in arrears"),
        remedy: both("补缴社保费，当日即可更新", "Pay the arrears; it counts from the same day"),
        missing: both("社保部门未提供欠费数据", "The department does not say whether contributions are owed"),
        extract: |view| {
            let arrears = view.insurance.as_ref()?.record.arrears?;
            Some(if arrears.life().counts_on(view.on) { f64::from(arrears.months) } else { 0.0 })
        },
    },
    Feature {
        name: "si_base_to_minimum",
        source: SOCIAL,
        part: "minimum_base",
        unit: Unit::Ratio,
        sign: RiskSign::Falls,
        label: both("人均缴费基数（÷当地最低基数）", "Contribution base per person over the local minimum"),
        text: both("人均缴费基数接近最低标准", "The contribution base per person is near the minimum"),
        remedy: both("按实际工资申报缴费基数", "Declare bases by true wages"),
        missing: both("没有参保人员，或未提供最低基数", "Nobody is insured, or the minimum is not shared"),
        extract: |view| {
            let part = view.insurance.as_ref()?;
            let now = latest(part)?;
            let minimum = part.record.minimum_base?.yuan();
            (now.heads > 0 && minimum > 0.0).then(|| now.base.yuan() / f64::from(now.heads) / minimum)
        },
    },
];

fn months<'d>(
    part: &Part<'d, SocialInsuranceRecord>,
    months: i32,
) -> impl DoubleEndedIterator<Item = &'d ContributionMonth> + use<'d> {
    let window = window(part.last, months);
    part.record.months.iter().filter(move |m| window.contains(&m.month))
}

/// The latest of the last three months that was reported: departments are often a month late.
fn latest<'d>(part: &Part<'d, SocialInsuranceRecord>) -> Option<&'d ContributionMonth> {
    months(part, 3).next_back()
}

fn at(record: &SocialInsuranceRecord, month: Month) -> Option<&ContributionMonth> {
    record.months.iter().find(|m| m.month == month)
}

/// Insured persons in the latest reported month, for the size class and for comparison with what the firm declared.
pub(crate) fn insured_heads(view: &View<'_>) -> Option<u32> {
    latest(view.insurance.as_ref()?).map(|m| m.heads)
}
