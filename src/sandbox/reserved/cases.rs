//! The reserved firms, one by one.

use std::time::Duration;

use jiff::ToSpan;

use super::firm::{FAIR, MIDDLING, Profile, SOUND, WEAK};
use super::{Case, Expected, Manner};
use crate::domain::Fen;
use crate::domain::evidence::TaxpayerStatus;
use crate::domain::language::Bilingual;

const FRESH: [&str; 3] = ["fresh", "fresh", "fresh"];
const WELL: [Manner; 3] = [Manner::Answers, Manner::Answers, Manner::Answers];

/// A sound firm that is approved; each case says what differs.
const APPROVED: Case = Case {
    number: 1,
    suspect: false,
    what: Bilingual {
        zh: "记录良好，按申请金额批准",
        en: "Good records everywhere: approved, with the amount asked for as the limit",
    },
    amount_fen: 100_000_000,
    profile: SOUND,
    aged_days: [0; 3],
    change: |_, _| {},
    manners: WELL,
    expected: Expected {
        outcome: "approve",
        limit_fen: Some(100_000_000),
        reasons: &[],
        refer_reasons: &[],
        evidence: FRESH,
        interval: false,
    },
};

const fn said(zh: &'static str, en: &'static str) -> Bilingual {
    Bilingual { zh, en }
}

const fn approved() -> Expected {
    APPROVED.expected
}

const fn referred(refer_reasons: &'static [&'static str]) -> Expected {
    Expected { outcome: "refer", limit_fen: None, reasons: &[], refer_reasons, evidence: FRESH, interval: false }
}

const fn declined(reasons: &'static [&'static str]) -> Expected {
    Expected { outcome: "decline", limit_fen: None, reasons, refer_reasons: &[], evidence: FRESH, interval: false }
}

/// Every reserved firm. A number is given once and for ever.
pub(super) static ALL: &[Case] = &[
    APPROVED,
    Case {
        number: 2,
        what: said(
            "营业收入较小，额度为近12个月收入的20%，低于申请金额",
            "Smaller revenue: approved with a fifth of 12-month revenue as the limit, which is less than asked for",
        ),
        profile: Profile { sales_yuan: 250_000, ..SOUND },
        // Eleven returns of 250,000 yuan: on the last day of a month its return is not due yet.
        expected: Expected { limit_fen: Some(55_000_000), ..approved() },
        ..APPROVED
    },
    Case {
        number: 3,
        what: said("评级为D，转人工审核", "Grade D: a person looks"),
        profile: MIDDLING,
        expected: referred(&["GRADE_NEEDS_REVIEW"]),
        ..APPROVED
    },
    Case {
        number: 4,
        what: said("评级为E，拒绝", "Grade E: declined"),
        profile: WEAK,
        expected: declined(&[]),
        ..APPROVED
    },
    Case {
        number: 5,
        what: said("有未结的法院强制执行，拒绝", "An open court enforcement: declined whatever the score"),
        change: |firm, _| firm.enforce(40, |_| {}),
        expected: declined(&["ENFORCEMENT_OPEN"]),
        ..APPROVED
    },
    Case {
        number: 6,
        what: said("税务非正常户，拒绝", "Abnormal taxpayer: declined whatever the score"),
        change: |firm, _| firm.tax.status = Some(TaxpayerStatus::Abnormal),
        expected: declined(&["TAXPAYER_ABNORMAL"]),
        ..APPROVED
    },
    Case {
        number: 7,
        what: said("税务登记已注销，拒绝", "Deregistered taxpayer: declined whatever the score"),
        change: |firm, _| firm.tax.status = Some(TaxpayerStatus::Deregistered),
        expected: declined(&["TAXPAYER_DEREGISTERED"]),
        ..APPROVED
    },
    Case {
        number: 8,
        what: said(
            "税务申报人数是社保参保人数的五倍，转人工审核",
            "Five times as many persons declared to the tax department as insured: a person looks",
        ),
        change: |firm, _| firm.tax.declared_heads = firm.tax.declared_heads.map(|heads| heads * 5),
        expected: referred(&["HEADS_CONTRADICT"]),
        ..APPROVED
    },
    Case {
        number: 9,
        what: said(
            "申报收入是开票收入的三倍，转人工审核",
            "Three times as much revenue declared as invoiced: a person looks",
        ),
        change: |firm, _| {
            // On the last day of a month its return is not due yet. As of the 20th, the returns are whole up to the last complete month.
            firm.tax.as_of = firm.tax.as_of.first_of_month().saturating_add(19.days());
            for filing in firm.tax.filings.iter_mut().flatten() {
                filing.declared_revenue = Fen(filing.declared_revenue.0 * 3);
            }
        },
        expected: referred(&["REVENUE_CONTRADICT"]),
        ..APPROVED
    },
    Case {
        number: 10,
        what: said(
            "税务部门查无此企业（404），转人工审核",
            "The tax department does not know the firm (404): a person looks",
        ),
        manners: [Manner::Unknown, Manner::Answers, Manner::Answers],
        expected: Expected {
            evidence: ["absent", "fresh", "fresh"],
            interval: true,
            ..referred(&["EVIDENCE_MISSING", "SCORE_INTERVAL_CROSSES_CUTOFF"])
        },
        ..APPROVED
    },
    Case {
        number: 11,
        what: said("税务部门报错（503），转人工审核", "The tax department fails (503): a person looks"),
        manners: [Manner::Fails, Manner::Answers, Manner::Answers],
        expected: Expected {
            evidence: ["unavailable", "fresh", "fresh"],
            interval: true,
            ..referred(&["EVIDENCE_MISSING", "SCORE_INTERVAL_CROSSES_CUTOFF"])
        },
        ..APPROVED
    },
    Case {
        number: 12,
        what: said(
            "社保部门不应答，超时；按最低可能得分仍可批准，附得分区间",
            "Social insurance does not answer in time: the lowest possible score still approves, and the interval is told",
        ),
        manners: [Manner::Answers, Manner::Silent, Manner::Answers],
        expected: Expected { evidence: ["fresh", "unavailable", "fresh"], interval: true, ..approved() },
        ..APPROVED
    },
    Case {
        number: 13,
        what: said(
            "社保记录有不可能的数值（缴费基数为负），不予采信；按最低可能得分仍可批准",
            "Social insurance sends an impossible value (a negative base): not used, and the lowest possible score still approves",
        ),
        change: |firm, _| firm.social_insurance.months.iter_mut().for_each(|month| month.base = Fen(-1)),
        expected: Expected { evidence: ["fresh", "invalid", "fresh"], interval: true, ..approved() },
        ..APPROVED
    },
    Case {
        number: 14,
        what: said(
            "社保部门答复的是另一家企业，不予采信；得分区间跨越分界线，转人工审核",
            "Social insurance answers about another firm: not used; the score interval crosses the cut-off, so a person looks",
        ),
        profile: FAIR,
        manners: [Manner::Answers, Manner::AboutAnother, Manner::Answers],
        expected: Expected {
            evidence: ["fresh", "invalid", "fresh"],
            interval: true,
            ..referred(&["EVIDENCE_MISSING", "SCORE_INTERVAL_CROSSES_CUTOFF"])
        },
        ..APPROVED
    },
    Case {
        number: 15,
        what: said(
            "履约部门400毫秒后才应答，仍在时限内，批准",
            "The payment history takes 400 ms, which is in time: approved",
        ),
        manners: [Manner::Answers, Manner::Answers, Manner::Late(Duration::from_millis(400))],
        ..APPROVED
    },
    Case {
        number: 16,
        what: said(
            "税务数据已过时（130天以前），转人工审核",
            "Tax data of more than 130 days ago: stale, so a person looks",
        ),
        aged_days: [130, 0, 0],
        expected: Expected { evidence: ["stale", "fresh", "fresh"], ..referred(&["EVIDENCE_STALE"]) },
        ..APPROVED
    },
    Case {
        number: 17,
        suspect: true,
        what: said(
            "代码校验位不符但可能真实，转人工审核",
            "The code's last check character is wrong though it may be real: a person looks",
        ),
        expected: referred(&["CODE_SUSPECT"]),
        ..APPROVED
    },
    Case {
        number: 18,
        what: said(
            "税务部门不共享发票，得分区间跨越分界线，转人工审核",
            "The tax department does not share invoices; the score interval crosses the cut-off, so a person looks",
        ),
        change: |firm, _| (firm.tax.invoices, firm.tax.invoices_since) = (None, None),
        expected: Expected { interval: true, ..referred(&["EVIDENCE_INCOMPLETE", "SCORE_INTERVAL_CROSSES_CUTOFF"]) },
        ..APPROVED
    },
    Case {
        number: 19,
        what: said(
            "不共享强制执行信息，无法核对否决项，转人工审核",
            "Enforcements are not shared, so that this knock-out cannot be checked: a person looks",
        ),
        change: |firm, _| firm.payment_history.enforcements = None,
        expected: referred(&["KNOCK_OUT_UNCHECKED"]),
        ..APPROVED
    },
    Case {
        number: 20,
        what: said(
            "成立仅三个月，记录单薄，评级为D，转人工审核",
            "Registered three months ago, with hardly any record: grade D, so a person looks",
        ),
        profile: Profile {
            months: 3,
            sales_yuan: 30_000,
            invoices: 2,
            voids: 0,
            buyers: 1,
            suppliers: 1,
            heads: 1,
            utilisation: 0.5,
            ..SOUND
        },
        expected: referred(&["GRADE_NEEDS_REVIEW"]),
        ..APPROVED
    },
    Case {
        number: 21,
        what: said(
            "申请800万元，超过自动批准上限500万元，转人工审核",
            "Ask for 8,000,000 yuan: over the automatic limit of 5,000,000, so a person looks",
        ),
        amount_fen: 800_000_000,
        profile: Profile { sales_yuan: 5_000_000, invoices: 200, heads: 90, ..SOUND },
        expected: referred(&["OVER_AUTOMATIC_LIMIT"]),
        ..APPROVED
    },
    Case {
        number: 22,
        what: said("额度不足1万元，转人工审核", "The limit would be under 10,000 yuan: a person looks"),
        profile: Profile { sales_yuan: 3_500, ..SOUND },
        expected: referred(&["LIMIT_UNDER_MINIMUM"]),
        ..APPROVED
    },
    Case {
        number: 23,
        what: said(
            "曾有强制执行，已履行完毕（已修复），不再计入，批准",
            "An enforcement that was made good: it counts no more, approved",
        ),
        change: |firm, _| {
            firm.enforce(400, |one| one.repaired_on = Some(one.opened_on.saturating_add(380.days())));
        },
        ..APPROVED
    },
    Case {
        number: 24,
        what: said(
            "强制执行的公示期三天后届满：今天拒绝，届满次日重新评分并通知银行",
            "An enforcement that may be shown for three more days: declined today; the day after, the decision is judged again and the \
             bank is told",
        ),
        change: |firm, today| {
            firm.enforce(700, |one| one.display_end = Some(today.saturating_add(3.days())));
        },
        expected: declined(&["ENFORCEMENT_OPEN"]),
        ..APPROVED
    },
    Case {
        number: 25,
        what: said(
            "强制执行信息已超过45天，拒绝前须人工复核",
            "The open enforcement is known as of more than 45 days ago: a person checks before it is declined",
        ),
        aged_days: [0, 0, 46],
        change: |firm, _| firm.enforce(40, |_| {}),
        expected: Expected { reasons: &["ENFORCEMENT_OPEN"], ..referred(&["RECHECK_BEFORE_DECLINE"]) },
        ..APPROVED
    },
    Case {
        number: 26,
        what: said("三个部门均报错，转人工审核", "All departments fail: a person looks"),
        manners: [Manner::Fails, Manner::Fails, Manner::Fails],
        expected: Expected {
            evidence: ["unavailable", "unavailable", "unavailable"],
            interval: true,
            ..referred(&["EVIDENCE_MISSING", "SCORE_INTERVAL_CROSSES_CUTOFF"])
        },
        ..APPROVED
    },
    Case {
        number: 27,
        what: said(
            "履约部门不应答，超时；评级虽好，但无法核对强制执行，转人工审核",
            "The payment history does not answer in time: the grade would do, but enforcements cannot be checked, so a person looks",
        ),
        manners: [Manner::Answers, Manner::Answers, Manner::Silent],
        expected: Expected {
            evidence: ["fresh", "fresh", "unavailable"],
            interval: true,
            ..referred(&["KNOCK_OUT_UNCHECKED"])
        },
        ..APPROVED
    },
];
