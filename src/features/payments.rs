//! Features from the payment history: utility bills, loans, suppliers, wages, courts.

use jiff::civil::Date;

use super::view::{Part, window};
use super::{Feature, RiskSign, Unit, View, both};
use crate::domain::SourceKind;
use crate::domain::evidence::{LoanMonth, PaymentHistoryRecord, UtilityBill};
use crate::domain::language::Bilingual;

const NO_BILLS: Bilingual = both("没有电费账单数据", "No utility bills are shared");
const NO_LOANS: Bilingual = both("没有贷款记录", "There is no loan on record");

const PAYMENTS: SourceKind = SourceKind::PaymentHistory;

pub(super) static FEATURES: &[Feature] = &[
    Feature {
        name: "pay_late_bills",
        source: PAYMENTS,
        part: "bills",
        unit: Unit::Count,
        sign: RiskSign::Rises,
        label: both("近12个月逾期或未缴的电费账单数", "Utility bills paid late or not at all, last 12 months"),
        text: both("电费多次逾期", "Utility bills were paid late"),
        remedy: both("按期缴纳，可办理自动扣款", "Pay in time, for instance by direct debit"),
        missing: NO_BILLS,
        extract: |view| {
            let part = view.payments.as_ref()?.of("bills");
            let bills = bills(&part, 12)?;
            (!bills.is_empty()).then(|| bills.iter().filter(|b| days_late(b, part.until) > 0.0).count() as f64)
        },
    },
    Feature {
        name: "pay_bill_delay",
        source: PAYMENTS,
        part: "bills",
        unit: Unit::Days,
        sign: RiskSign::Rises,
        label: both("近12个月电费平均逾期天数", "Average days that utility bills were late, last 12 months"),
        text: both("电费缴纳拖延", "Utility bills are paid with delay"),
        remedy: both("按期缴纳，可办理自动扣款", "Pay in time, for instance by direct debit"),
        missing: NO_BILLS,
        extract: |view| {
            let part = view.payments.as_ref()?.of("bills");
            let bills = bills(&part, 12)?;
            let total: f64 = bills.iter().map(|b| days_late(b, part.until)).sum();
            (!bills.is_empty()).then(|| total / bills.len() as f64)
        },
    },
    Feature {
        name: "pay_kwh_change",
        source: PAYMENTS,
        part: "bills",
        unit: Unit::Ratio,
        sign: RiskSign::Falls,
        label: both(
            "近6个月用电同比变化（比上年同期6个月）",
            "Electricity of the last 6 months over the same months a year before, minus one",
        ),
        text: both("用电量明显下降", "Electricity consumption is down"),
        remedy: both("说明减产或节能改造情况", "Explain the drop, for instance energy saving"),
        missing: both("用电历史不足18个月", "There are fewer than 18 months of consumption"),
        extract: kwh_change,
    },
    Feature {
        name: "pay_max_dpd_12m",
        source: PAYMENTS,
        part: "loans",
        unit: Unit::Days,
        sign: RiskSign::Rises,
        label: both("近12个月贷款最长逾期天数", "Most days past due on loans, last 12 months"),
        text: both("近12个月贷款有逾期", "Loans were past due in the last 12 months"),
        remedy: both("按期还款；逾期结清后影响逐步减弱", "Repay in time; the effect fades once it is settled"),
        missing: NO_LOANS,
        extract: |view| max_days_past_due(view, 12),
    },
    Feature {
        name: "pay_max_dpd_24m",
        source: PAYMENTS,
        part: "loans",
        unit: Unit::Days,
        sign: RiskSign::Rises,
        label: both("近24个月贷款最长逾期天数", "Most days past due on loans, last 24 months"),
        text: both("近24个月贷款有逾期", "Loans were past due in the last 24 months"),
        remedy: both("按期还款；逾期结清后影响逐步减弱", "Repay in time; the effect fades once it is settled"),
        missing: NO_LOANS,
        extract: |view| max_days_past_due(view, 24),
    },
    Feature {
        name: "pay_months_since_delinquency",
        source: PAYMENTS,
        part: "loans",
        unit: Unit::Months,
        sign: RiskSign::Falls,
        label: both(
            "距最近一次贷款逾期的月数（从未逾期则为有贷款记录的月数，至多36）",
            "Months since a loan was last past due; when never, months of loan history, at most 36",
        ),
        text: both("不久前贷款曾逾期", "A loan was past due not long ago"),
        remedy: both("保持按期还款，时间越长影响越小", "Keep paying in time; the effect fades"),
        missing: NO_LOANS,
        extract: |view| {
            let part = view.payments.as_ref()?;
            let loans = loans(part, 36)?;
            if loans.is_empty() {
                return None;
            }
            let since = loans.first().map_or(0, |first| part.last.since(first.month) + 1);
            let last = loans.iter().rev().find(|l| days_past_due(l, view.on) > 0);
            Some(f64::from(last.map_or(since, |l| part.last.since(l.month))))
        },
    },
    Feature {
        name: "pay_utilisation",
        source: PAYMENTS,
        part: "loans",
        unit: Unit::Ratio,
        sign: RiskSign::Rises,
        label: both("授信使用率（近3个月余额÷额度）", "Loan balance over credit line, last 3 months"),
        text: both("已有授信基本用满", "Existing credit lines are nearly used up"),
        remedy: both("归还部分贷款，保留余地", "Repay part to keep room"),
        missing: NO_LOANS,
        extract: |view| {
            let loans = loans(view.payments.as_ref()?, 3)?;
            let line: f64 = loans.iter().map(|l| l.line.yuan()).sum();
            let balance = loans.iter().map(|l| l.balance.yuan()).sum::<f64>();
            match (line > 0.0, balance > 0.0) {
                (true, _) => Some(balance / line),
                // A debt with no line left is a line used up.
                (false, true) => Some(1.0),
                (false, false) => None,
            }
        },
    },
    Feature {
        name: "pay_supplier_delay",
        source: PAYMENTS,
        part: "supplier_delays",
        unit: Unit::Days,
        sign: RiskSign::Rises,
        label: both("近6个月对供应商付款平均延迟天数", "Average days that suppliers were paid late, last 6 months"),
        text: both("对供应商付款拖延", "Suppliers are paid late"),
        remedy: both("按约定付款", "Pay suppliers as agreed"),
        missing: both("没有对供应商付款的数据", "No supplier payments are shared"),
        extract: |view| {
            let part = view.payments.as_ref()?;
            let window = window(part.last, 6);
            let delays = part.record.supplier_delays.as_deref()?;
            let days: Vec<f64> = delays.iter().filter(|d| window.contains(&d.month)).map(|d| d.days).collect();
            (!days.is_empty()).then(|| days.iter().sum::<f64>() / days.len() as f64)
        },
    },
    Feature {
        name: "pay_wage_arrears",
        source: PAYMENTS,
        part: "wage_arrears",
        unit: Unit::Count,
        sign: RiskSign::Rises,
        label: both("未了结的欠薪记录数", "Wage-arrears findings not made good"),
        text: both("存在未了结的欠薪", "Wages are in arrears"),
        remedy: both("补发工资，了结当日即不再计入", "Pay the wages; it leaves the score the same day"),
        missing: both("没有欠薪核查数据", "Wage arrears are not shared"),
        extract: |view| {
            let part = view.payments.as_ref()?.of("wage_arrears");
            let open = part
                .record
                .wage_arrears
                .as_deref()?
                .iter()
                .filter(|w| w.found_on <= part.until && w.life().counts_on(view.on));
            Some(open.count() as f64)
        },
    },
    Feature {
        name: "pay_enforcements",
        source: PAYMENTS,
        part: "enforcements",
        unit: Unit::Count,
        sign: RiskSign::Rises,
        label: both("近24个月了结的法院强制执行数", "Court enforcements ended in the last 24 months"),
        text: both("近期曾被法院强制执行", "There was a court enforcement not long ago"),
        remedy: both("履行完毕后影响随时间减弱", "The effect fades with time once fulfilled"),
        missing: both("没有法院执行数据", "Court enforcement is not shared"),
        extract: |view| {
            let part = view.payments.as_ref()?.of("enforcements");
            let window = window(part.last.plus(1), 25);
            let counting = part.record.enforcements.as_deref()?.iter().filter(|e| e.life().counts_on(view.on));
            let ended = counting.filter_map(|e| e.closed_on);
            let recent = ended.filter(|day| *day <= part.until && window.contains(&crate::domain::Month::of(*day)));
            Some(recent.count() as f64)
        },
    },
];

fn bills<'d>(part: &Part<'d, PaymentHistoryRecord>, months: i32) -> Option<Vec<&'d UtilityBill>> {
    let window = window(part.last, months);
    // A bill that is not yet due says nothing about how the firm pays.
    let due = |b: &&UtilityBill| window.contains(&b.month) && b.due_on < part.until;
    Some(part.record.bills.as_deref()?.iter().filter(due).collect())
}

/// Days from the due date to payment, or to `until` while unpaid; 0 when in time.
fn days_late(bill: &UtilityBill, until: Date) -> f64 {
    let paid_on = bill.paid_on.filter(|day| *day <= until).unwrap_or(until);
    bill.due_on.until(paid_on).map_or(0.0, |span| f64::from(span.get_days().max(0)))
}

fn loans<'d>(part: &Part<'d, PaymentHistoryRecord>, months: i32) -> Option<Vec<&'d LoanMonth>> {
    let window = window(part.last, months);
    Some(part.record.loans.as_deref()?.iter().filter(|l| window.contains(&l.month)).collect())
}

/// Days past due that still count on the scoring date.
fn days_past_due(loan: &LoanMonth, on: Date) -> u32 {
    if loan.life().counts_on(on) { loan.days_past_due } else { 0 }
}

fn max_days_past_due(view: &View<'_>, months: i32) -> Option<f64> {
    loans(view.payments.as_ref()?, months)?.iter().map(|l| f64::from(days_past_due(l, view.on))).reduce(f64::max)
}

/// Electricity of the last 6 months over the same months a year before, minus one; `None` where fewer than five of either
/// six are known.
pub(crate) fn kwh_change(view: &View<'_>) -> Option<f64> {
    let part = view.payments.as_ref()?.of("bills");
    let all = part.record.bills.as_deref()?;
    let sum = |back: i32| {
        let window = window(part.last.minus(back), 6);
        let rows: Vec<_> = all.iter().filter(|b| window.contains(&b.month)).collect();
        (rows.len() >= 5).then(|| rows.iter().map(|b| b.kwh as f64).sum::<f64>() / rows.len() as f64)
    };
    let (now, before) = (sum(0)?, sum(12)?);
    (before > 0.0).then(|| now / before - 1.0)
}
