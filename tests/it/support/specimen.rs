//! A decision on a made-up firm, with evidence, points and a case, as the service would record it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use yuxin::domain::case::CASE_DAYS;
use yuxin::domain::decision::{
    CharacteristicPoints, Decision, DecisionRequest, Reason, ReferReason, ScoreInterval, VersionRef,
};
use yuxin::domain::evidence::*;
use yuxin::domain::*;

/// A made-up firm that was referred.
#[derive(Clone)]
pub struct Specimen {
    /// Its name.
    pub name: Option<String>,
    /// Its code.
    pub uscc: Uscc,
    /// Refer codes, with their figures.
    pub refer: Vec<ReferReason>,
    /// When the case was opened.
    pub opened_at: Timestamp,
    /// The amount asked for.
    pub amount: Fen,
    /// The score.
    pub score: i64,
    /// The grade.
    pub grade: &'static str,
    /// The outcome.
    pub outcome: Outcome,
    /// Whether the social insurance department answered.
    pub insured: bool,
}

/// A refer reason with its figures.
pub fn refer(code: &str, source: Option<SourceKind>, figures: &[(&str, &str)]) -> ReferReason {
    let figures = figures.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    ReferReason { code: code.to_owned(), source, figures }
}

impl Specimen {
    /// A referred firm whose case was opened `days` ago. The code is one of the division 330604, made from `number`.
    pub fn new(name: &str, number: u32, days: i64) -> Specimen {
        Specimen {
            name: Some(name.to_owned()),
            uscc: Uscc::with_checks("91330604", &format!("MA2{number:05}")).unwrap(),
            refer: vec![refer("HEADS_CONTRADICT", None, &[("tax_heads", "40"), ("insured_heads", "12")])],
            opened_at: Timestamp::now() - SignedDuration::from_hours(24 * days),
            amount: Fen::from_yuan(5_000_000),
            score: 587,
            grade: "C",
            outcome: Outcome::Refer,
            insured: true,
        }
    }

    /// The record and the case of this firm, asked for by `bank`.
    pub fn decide(&self, bank: BankId, bank_name: &str) -> (DecisionRecord, Case) {
        let case_id = CaseId(Uuid::now_v7());
        let dossier = self.dossier();
        let decision = self.decision(bank, case_id, &dossier);
        let case = Case {
            id: case_id,
            decision: decision.id,
            bank,
            bank_name: bank_name.to_owned(),
            uscc: self.uscc.clone(),
            firm_name: self.name.clone(),
            refer_codes: self.refer.iter().map(|r| r.code.clone()).collect(),
            outcome: self.outcome,
            score: self.score,
            grade: self.grade.to_owned(),
            amount: self.amount,
            state: CaseState::Open,
            opened_at: self.opened_at,
            due_at: self.opened_at + SignedDuration::from_hours(24 * CASE_DAYS),
            reviews: Vec::new(),
        };
        let points = points();
        let features = points.iter().map(|p| (p.feature.clone(), p.value)).collect();
        let grounds = Grounds::new(dossier, features, Some(size::StaffBasis::Declared), points);
        (DecisionRecord { decision, grounds: Arc::new(grounds) }, case)
    }

    fn decision(&self, bank: BankId, case_id: CaseId, dossier: &Dossier) -> Decision {
        let reason =
            |code: &str, source, points_lost, value| Reason { code: code.to_owned(), source, points_lost, value };
        let version = |id: &str| VersionRef { id: id.to_owned(), sha256: "0".repeat(64) };
        Decision {
            id: DecisionId(Uuid::now_v7()),
            bank,
            request: DecisionRequest {
                uscc: self.uscc.clone(),
                consent_id: ConsentId(Uuid::now_v7()),
                purpose: "working_capital".to_owned(),
                amount: self.amount,
                term_months: 12,
            },
            firm_size: FirmSize::Small,
            outcome: self.outcome,
            score: self.score,
            score_interval: (!self.insured).then_some(ScoreInterval { low: 561, high: 612 }),
            probability_of_default: 0.0312,
            grade: self.grade.to_owned(),
            limit: None,
            indicated_limit: Fen::from_yuan(3_250_000),
            reasons: vec![
                reason("TAX_LATE_FILINGS", Some(SourceKind::Tax), 18.25, Some(3.0)),
                reason("PAY_KWH_CHANGE", Some(SourceKind::PaymentHistory), 9.5, Some(-0.18)),
                reason("TAX_TOP_BUYER_SHARE", Some(SourceKind::Tax), 6.0, None),
            ],
            refer_reasons: self.refer.clone(),
            evidence: dossier.lines(),
            model: version("district-scorecard-1"),
            policy: version("policy-1"),
            decided_at: self.opened_at,
            valid_until: self.opened_at + SignedDuration::from_hours(24 * 30),
            case_id: Some(case_id),
            disputes: Vec::new(),
        }
    }

    fn dossier(&self) -> Dossier {
        fn evidence<R>(record: R, at: Timestamp) -> Evidence<R> {
            Evidence {
                status: EvidenceStatus::Fresh,
                record: Some(record),
                as_of: Some(as_of()),
                fetched_at: Some(at),
                digest: Some("0".repeat(64)),
                detail: None,
                not_covered: Vec::new(),
            }
        }
        let at = self.opened_at;
        let social_insurance = if self.insured {
            evidence(social_insurance(), at)
        } else {
            Evidence::missing(EvidenceStatus::Unavailable, "no answer within 800 ms, tried twice")
        };
        let payment = Evidence { status: EvidenceStatus::Stale, ..evidence(payment_history(), at) };
        Dossier {
            uscc: self.uscc.clone(),
            tax: evidence(tax(self.name.clone()), at),
            social_insurance,
            payment_history: payment,
            others: vec![],
            set_aside: vec![],
        }
    }
}

fn as_of() -> jiff::civil::Date {
    jiff::civil::date(2026, 10, 31)
}

fn months(count: i32) -> impl Iterator<Item = (i32, Month)> {
    (0..count).map(move |i| (i, Month::of(as_of()).minus(count - 1 - i)))
}

/// A wave that looks like a business with seasons; no randomness, so that pages look the same every time.
fn season(i: i32) -> i64 {
    [0, -22, -9, 4, 8, 12, 5, -3, 9, 16, 21, 13][(i % 12) as usize] + i64::from(i)
}

fn tax(name: Option<String>) -> TaxRecord {
    let filing = |(i, month): (i32, Month)| {
        let due_on = month.plus(1).first_day().with().day(15).build().unwrap();
        let late = matches!(i, 6 | 13 | 19);
        Filing {
            month,
            tax: TaxKind::Vat,
            declared_revenue: Fen::from_yuan(10_000 * (92 + season(i))),
            due: Fen::from_yuan(28_000),
            paid: Fen::from_yuan(28_000),
            due_on,
            filed_on: (i != 22).then(|| if late { due_on.tomorrow().unwrap() } else { due_on }),
        }
    };
    let side =
        |amount| InvoiceSide { count: 31, amount: Fen::from_yuan(amount), counterparties: 9, ..InvoiceSide::default() };
    let invoices = |(i, month): (i32, Month)| InvoiceMonth {
        month,
        sales: side(if i == 3 { -84_000 } else { 10_000 * (95 + season(i)) }),
        purchases: side(10_000 * (61 + season(i) / 2)),
    };
    TaxRecord {
        as_of: as_of(),
        name,
        status: Some(TaxpayerStatus::Normal),
        industry: Some("C33".to_owned()),
        registered_on: Some(jiff::civil::date(2016, 4, 18)),
        declared_heads: Some(40),
        total_assets: None,
        rating: Some(Some(TaxRating { grade: TaxRatingGrade::B, year: 2025 })),
        filings: Some(months(24).map(filing).collect()),
        arrears: Some(TaxArrears {
            amount: Fen(12_345_678),
            since: Some(jiff::civil::date(2026, 8, 16)),
            severity: None,
            ended_on: None,
            repaired_on: None,
            display_end: None,
        }),
        invoices: Some(months(22).map(invoices).filter(|row| row.month.month() != 2).collect()),
        invoices_since: Some(Month::new(2025, 1).unwrap()),
    }
}

fn social_insurance() -> SocialInsuranceRecord {
    let month = |(i, month): (i32, Month)| ContributionMonth {
        month,
        heads: (16 - i / 5) as u32,
        base: Fen::from_yuan(68_000),
        due: Fen::from_yuan(19_000),
        paid: Fen::from_yuan(19_000),
    };
    SocialInsuranceRecord {
        as_of: as_of(),
        months: months(24).filter(|(i, _)| !(8..=9).contains(i)).map(month).collect(),
        arrears: Some(ContributionArrears {
            months: 0,
            amount: Fen::ZERO,
            severity: None,
            ended_on: None,
            repaired_on: None,
            display_end: None,
        }),
        minimum_base: Some(Fen::from_yuan(4_812)),
    }
}

fn payment_history() -> PaymentHistoryRecord {
    let bill = |(i, month): (i32, Month)| {
        let due_on = month.plus(1).first_day().with().day(20).build().unwrap();
        let kwh = (21_000 + 240 * season(i)) as u64;
        let paid_on = if i == 20 { None } else { Some(due_on) };
        UtilityBill { month, kwh, amount: Fen::from_yuan(14_000), due_on, paid_on }
    };
    let loan = |(i, month): (i32, Month)| LoanMonth {
        month,
        balance: Fen::from_yuan(1_800_000),
        line: Fen::from_yuan(2_000_000),
        days_past_due: match i {
            14 => 12,
            15 => 31,
            16 => 5,
            _ => 0,
        },
        severity: None,
        ended_on: None,
        repaired_on: None,
        display_end: None,
    };
    PaymentHistoryRecord {
        as_of: as_of(),
        bills: Some(months(24).map(bill).collect()),
        loans: Some(months(18).map(loan).collect()),
        supplier_delays: None,
        wage_arrears: Some(Vec::new()),
        enforcements: Some(vec![Enforcement {
            opened_on: jiff::civil::date(2024, 3, 1),
            closed_on: Some(jiff::civil::date(2024, 9, 9)),
            amount: Fen::from_yuan(120_000),
            severity: None,
            repaired_on: None,
            display_end: None,
        }]),
    }
}

fn points() -> Vec<CharacteristicPoints> {
    let rows: [(&str, Option<f64>, f64); 17] = [
        ("tax_late_filings", Some(3.0), -18.25),
        ("tax_revenue", Some(12_430_000.0), 7.5),
        ("tax_revenue_growth", Some(0.1123), 5.25),
        ("pay_kwh_change", Some(-0.18), -9.5),
        ("si_heads_change", Some(-0.1429), -4.75),
        ("tax_top_buyer_share", None, -6.0),
        ("pay_max_dpd_24m", Some(31.0), -5.5),
        ("tax_rating", None, 3.25),
        ("tax_arrears_to_revenue", Some(0.0099), -2.5),
        ("tax_active_months", Some(22.0), 1.75),
        ("tax_void_ratio", Some(0.021), 1.0),
        ("pay_late_bills", Some(1.0), -1.5),
        ("pay_utilisation", Some(0.9), -1.25),
        ("tax_gross_margin", Some(0.31), 2.0),
        ("pay_supplier_delay", None, -0.5),
        ("si_heads", Some(12.0), 0.25),
        ("pay_wage_arrears", Some(0.0), 0.5),
    ];
    let row = |(feature, value, delta): (&str, Option<f64>, f64)| {
        assert!(yuxin::features::by_name(feature).is_some(), "{feature} is not in the catalogue");
        CharacteristicPoints {
            feature: feature.to_owned(),
            value,
            points: 36.0 + delta,
            baseline: 36.0,
            provenance: None,
        }
    };
    rows.into_iter().map(row).collect()
}
