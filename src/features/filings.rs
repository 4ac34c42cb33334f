//! Features from tax returns, arrears and the tax credit rating.

use super::{Feature, RiskSign, Unit, View, both};
use crate::domain::SourceKind;
use crate::domain::evidence::{Filing, TaxRatingGrade};
use crate::domain::language::Bilingual;

const NO_FILINGS: Bilingual = both("税务部门未提供纳税申报数据", "The tax department shares no returns of this firm");
const NO_ARREARS: Bilingual = both("税务部门未提供欠税数据", "The tax department does not say whether taxes are owed");

const TAX: SourceKind = SourceKind::Tax;

pub(super) static FEATURES: &[Feature] = &[
    Feature {
        name: "tax_late_filings",
        source: TAX,
        part: "filings",
        unit: Unit::Count,
        sign: RiskSign::Rises,
        label: both("近24个月逾期或未申报次数", "Returns filed late or not at all, last 24 months"),
        text: both("纳税申报多次逾期", "Tax returns were filed late"),
        remedy: both("按期申报；连续按期后记录会逐月改善", "File in time; the record improves month by month"),
        missing: NO_FILINGS,
        extract: late_filings,
    },
    Feature {
        name: "tax_zero_filings",
        source: TAX,
        part: "filings",
        unit: Unit::Months,
        sign: RiskSign::Rises,
        label: both("近24个月增值税零申报月数", "Months with a VAT return of zero revenue, last 24"),
        text: both("多个月份零申报", "Several VAT returns declared no revenue"),
        remedy: both("如实申报收入；说明停业原因", "Declare all revenue; explain the months without any"),
        missing: NO_FILINGS,
        extract: |view| Some(view.vat_filed(24)?.iter().filter(|f| f.declared_revenue.0 == 0).count() as f64),
    },
    Feature {
        name: "tax_unpaid_ratio",
        source: TAX,
        part: "filings",
        unit: Unit::Ratio,
        sign: RiskSign::Rises,
        label: both("近12个月应缴未缴比例（未缴÷应缴）", "Tax due and not paid over tax due, last 12 months"),
        text: both("有应缴税款未缴清", "Part of the tax due is not paid"),
        remedy: both("缴清税款，或与税务机关约定分期", "Pay what is due or agree on instalments"),
        missing: both("期间没有应缴税款，或未提供申报数据", "No tax was due in the period, or no returns are shared"),
        extract: unpaid_ratio,
    },
    Feature {
        name: "tax_arrears_to_revenue",
        source: TAX,
        part: "arrears",
        unit: Unit::Ratio,
        sign: RiskSign::Rises,
        label: both("欠税占近12个月收入的比例（欠税÷收入）", "Tax arrears over revenue of the last 12 months"),
        text: both("存在欠税", "Taxes are in arrears"),
        remedy: both("缴清欠税，当日即可更新", "Pay the arrears; it counts from the same day"),
        missing: NO_ARREARS,
        extract: |view| {
            let arrears = view.tax.as_ref()?.record.arrears?;
            let owed = arrears.amount.yuan();
            if owed <= 0.0 || !arrears.life().counts_on(view.on) {
                return Some(0.0);
            }
            // Owing while selling nothing, or nobody knows what, is as bad as owing a year's revenue or more.
            let revenue = view.revenue_12m().map_or(0.0, |fen| fen.yuan());
            Some(if revenue > owed { owed / revenue } else { 1.0 })
        },
    },
    Feature {
        name: "tax_arrears_age",
        source: TAX,
        part: "arrears",
        unit: Unit::Months,
        sign: RiskSign::Rises,
        label: both("欠税已持续的月数（无欠税为0）", "Months that taxes have been in arrears, 0 when none are"),
        text: both("欠税时间长", "Taxes have been in arrears for long"),
        remedy: both("缴清欠税，当日即可更新", "Pay the arrears; it counts from the same day"),
        missing: NO_ARREARS,
        extract: |view| {
            let part = view.tax.as_ref()?;
            let arrears = part.record.arrears?;
            if arrears.amount.0 <= 0 || !arrears.life().counts_on(view.on) {
                return Some(0.0);
            }
            let days = arrears.since?.until(part.until).ok()?.get_days().max(0);
            Some((f64::from(days) / 30.4375 * 10.0).round() / 10.0)
        },
    },
    Feature {
        name: "tax_rating",
        source: TAX,
        part: "rating",
        unit: Unit::Rank,
        sign: RiskSign::Rises,
        label: both("纳税信用等级（A=1，B=2，M=3，C=4，D=5）", "Tax credit rating (A = 1, B = 2, M = 3, C = 4, D = 5)"),
        text: both("纳税信用等级偏低", "The tax credit rating is low"),
        remedy: both("纠正失信行为后向税务机关申请信用修复", "Put right what lowered it and apply for its repair"),
        missing: both(
            "未评级（新设企业常见，不视为失信），或税务部门未提供评级",
            "Not rated, as new firms often are, which is not bad credit; or the department does not share the rating",
        ),
        extract: |view| {
            Some(match view.tax.as_ref()?.record.rating.flatten()?.grade {
                TaxRatingGrade::A => 1.0,
                TaxRatingGrade::B => 2.0,
                TaxRatingGrade::M => 3.0,
                TaxRatingGrade::C => 4.0,
                TaxRatingGrade::D => 5.0,
            })
        },
    },
    Feature {
        name: "tax_vat_burden",
        source: TAX,
        part: "filings",
        unit: Unit::Ratio,
        sign: RiskSign::Free,
        label: both("增值税税负率（近12个月应缴增值税÷申报收入）", "VAT due over declared revenue, last 12 months"),
        text: both("增值税税负率异常", "The VAT burden is out of line"),
        remedy: both("核对进销项，说明税负偏离的原因", "Check sales and purchases and explain the deviation"),
        missing: both("期间没有申报收入，或未提供申报数据", "No revenue was declared, or no returns are shared"),
        extract: |view| {
            let revenue = view.declared_revenue_12m()?.yuan();
            let due: f64 = view.vat_filed(12)?.iter().map(|f| f.due.yuan()).sum();
            (revenue > 0.0).then(|| due / revenue)
        },
    },
];

fn late_filings(view: &View<'_>) -> Option<f64> {
    let until = view.tax.as_ref()?.until;
    let late = |f: &Filing| match f.filed_on.filter(|day| *day <= until) {
        Some(filed_on) => filed_on > f.due_on,
        None => f.due_on < until,
    };
    Some(view.filings(24)?.iter().filter(|f| late(f)).count() as f64)
}

fn unpaid_ratio(view: &View<'_>) -> Option<f64> {
    let until = view.tax.as_ref()?.until;
    let (mut due, mut unpaid) = (0.0, 0.0);
    for filing in view.filings(12)?.iter().filter(|f| f.due_on < until) {
        due += filing.due.yuan();
        unpaid += (filing.due - filing.paid).yuan().max(0.0);
    }
    (due > 0.0).then(|| unpaid / due)
}
